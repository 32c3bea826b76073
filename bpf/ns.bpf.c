/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * setns and unshare: other namespaces. Numbers alone. io_uring does neither. An unshare that was refused is no event: the
 * language has no result for it, so what its rules say is of namespaces that were left.
 */
#include "lib/call.bpf.h"
#include "lib/syscall.bpf.h"

INLINE int ns_left(u8 rung, const u32 type, u64 flags, s64 ret)
{
	struct hook h;

	if (!hook_begin(&h, type))
		return 0;
	if (task_compat())
		h.s->flags |= EV_F_COMPAT;
	rec_begin(&h.s->rec, type, 1, 0, rung);
	rec_task(&h.s->rec, (void *)bpf_get_current_task());
	rec_head(&h.s->rec)->retval = ret;
	rec_num(&h.s->rec)[0] = flags;
	hook_end(&h, type, rec_sieve(h.s, h.sv, h.e, &h.alive));
	return 0;
}

_Static_assert(EVN_SETNS_COUNT == 1 && EVN_UNSHARE_COUNT == 1 && EVS_SETNS_COUNT == 0 && EVS_UNSHARE_COUNT == 0,
	       "flags alone");

struct ns_common___typed { /* from 6.18 on */
	u32 ns_type;
} __attribute__((preserve_access_index));

/* What kind of namespace a descriptor stands for, as CLONE_NEW...; 0 for another file. */
INLINE u32 ns_type_of(s32 fd)
{
	struct file *file = file_of_fd((void *)bpf_get_current_task(), fd);
	struct ns_common *ns;
	struct ns_common___typed *typed;

	if (!file)
		return 0;
	ns = READ(file, f_inode, i_private);
	typed = (void *)ns;
	if (bpf_core_field_exists(typed->ns_type))
		return READ(typed, ns_type);
	return READ(ns, ops, type);
}

/* Without flags whatever namespace the descriptor stands for is entered. With a pidfd there have to be flags. */
INLINE int setns_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct sysargs args;
	u32 flags;

	if (!reportable(ret))
		return 0;
	call_args(regs, &args);
	flags = args.a[1];
	return ns_left(rung, EV_SETNS, flags ? flags : ns_type_of(args.a[0]), ret);
}

INLINE int unshare_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct sysargs args;

	if (ret)
		return 0;
	call_args(regs, &args);
	return ns_left(rung, EV_UNSHARE, (u32)args.a[0], ret);
}

CALL_FEXIT(setns_x, SYSCALL64("setns"), setns_left)
CALL_FEXIT32(setns_x32, "setns", setns_left)
CALL_KRETPROBE(setns_kx, SYSCALL64("setns"), setns_left)

/* Both widths come through it. */
SEC("fexit/ksys_unshare")
int BPF_PROG(ksys_unshare_x, unsigned long flags, int ret)
{
	return (s32)ret ? 0 : ns_left(EV_RUNG_FENTRY, EV_UNSHARE, (u32)flags, 0);
}
SEC("kretprobe/ksys_unshare")
int ksys_unshare_kx(struct pt_regs *ctx)
{
	return unshare_left(EV_RUNG_KPROBE, task_regs(), (s32)FN_RESULT(ctx));
}

CALL_SYS_EXIT(sys_setns, setns_left)
CALL_SYS_EXIT(sys_unshare, unshare_left)
