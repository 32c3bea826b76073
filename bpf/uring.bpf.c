/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * io_uring itself: the set-up of a ring, and each operation when it is submitted, whatever it is. By the kernel's tracepoints
 * on every rung: what an operation does then is an event of its own on the upper rungs, with its paths and addresses; the
 * tracepoint rung sees no more of it than this.
 *
 * What is submitted was called io_uring_submit_sqe before 6.4 (2ad57931db64), with other arguments from one kernel to the next; that
 * one is hooked by its classic tracepoint alone, whose record is told apart by its fields.
 */
#include "lib/emit.bpf.h"

#define SETUP	  256  /* IO_URING_SETUP in lib/constants.c: beyond every opcode, which is a byte */
#define SQE_FLAGS 0xff /* of a request's flags, those that the caller gave (IOSQE_*) */

INLINE int uring_seen(u64 opcode, u64 flags, u64 entries)
{
	struct hook h;
	u64 *num;

	if (!hook_begin(&h, EV_IO_URING))
		return 0;
	rec_begin(&h.s->rec, EV_IO_URING, EVN_IO_URING_COUNT, EVS_IO_URING_COUNT, EV_RUNG_TRACEPOINT);
	rec_task(&h.s->rec, (void *)bpf_get_current_task());
	num = rec_num(&h.s->rec);
	num[EVN_IO_URING_OPCODE] = opcode;
	num[EVN_IO_URING_FLAGS] = flags;
	num[EVN_IO_URING_ENTRIES] = entries;
	hook_end(&h, EV_IO_URING, rec_sieve(h.s, h.sv, h.e, &h.alive));
	return 0;
}

SEC("tp_btf/io_uring_create")
int BPF_PROG(uring_create, int fd, void *ring, u32 sq_entries, u32 cq_entries, u32 flags)
{
	return uring_seen(SETUP, (u32)flags, (u32)sq_entries);
}
SEC("tp/io_uring/io_uring_create")
int uring_create_c(struct trace_event_raw_io_uring_create *ctx)
{
	return uring_seen(SETUP, ctx->flags, ctx->sq_entries);
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(uring_submit, struct io_kiocb *req)
{
	return uring_seen(READ(req, opcode), READ(req, flags) & SQE_FLAGS, 0);
}
SEC("tp/io_uring/io_uring_submit_req")
int uring_submit_c(struct trace_event_raw_io_uring_submit_req *ctx)
{
	return uring_seen(ctx->opcode, ctx->flags & SQE_FLAGS, 0);
}
SEC("tp/io_uring/io_uring_submit_sqe")
int uring_submit_sqe_c(struct trace_event_raw_io_uring_submit_sqe *ctx)
{
	u64 flags = bpf_core_field_exists(ctx->flags) ? ctx->flags & SQE_FLAGS : 0; /* not yet in 5.10 */

	return uring_seen(ctx->opcode, flags, 0);
}
