/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is written: the first write of a process to a file since the file was opened; and splice.
 *
 * All ways to write that the kernel has (write, io_uring, sendfile, splice, copy_file_range, clones, fallocate, aio) ask
 * security_file_permission() for MAY_WRITE, so that is where it is seen, before anything is written. Stores into a shared
 * mapping do not ask.
 *
 * Nearly every write is no first one, and has to be cheap: open files are remembered by the address of their struct
 * file, whatever the sieve made of them (lib/written.bpf.h). An address comes back with the next open, so it must be forgotten in time; how
 * that is made sure stands in docs/decisions/0017-first-write-of-an-open.md.
 */
#include "lib/call.bpf.h"
#include "lib/written.bpf.h"

#define S_IFMT	  0170000
#define S_IFIFO	  0010000
#define S_IFCHR	  0020000
#define S_IFBLK	  0060000
#define S_IFREG	  0100000
#define MAY_WRITE 2

#define FMODE_WRITE	0x2
#define FMODE_NOACCOUNT 0x20000000 /* opened by the kernel for itself: an overlay's file in its layer */

/* ---- open files that have been written ------------------------------------------------------------------------------ */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct written);
} written SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct written_by);
	__type(value, u8);
} writers SEC(".maps");

INLINE struct written *written_get(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&written, &zero);
}

SV_INLINE int written_others_has(const struct written_by *by)
{
	return bpf_map_lookup_elem(&writers, by) != 0;
}

SV_INLINE void written_others_put(const struct written_by *by)
{
	u8 yes = 1;

	bpf_map_update_elem(&writers, by, &yes, BPF_ANY);
}

/* The address of @file will be another's, or is. The verifier has to take it for a number, here and in write_done(). */
INLINE void open_unwritten(struct file *file)
{
	struct written *w = written_get();

	if (w)
		written_forget(w, as_number(file), seed[0]);
}

INLINE int write_forget(struct file *file)
{
	const struct sieve *sv = sieve_get();

	if (sv && !sv_mask_zero(&sv->event[EV_WRITE].clauses) && READ(file, f_mode) & FMODE_WRITE)
		open_unwritten(file);
	return 0;
}

/* A process, and which of the programs that it has executed. */
INLINE u64 writer_now(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return bpf_get_current_pid_tgid() >> 32 << 32 | (u32)READ(task, self_exec_id);
}

/* ---- write ----------------------------------------------------------------------------------------------------------- */

/* Files and devices: what pipes and sockets carry has no place where it stays. */
INLINE bool is_written_file(struct file *file, struct inode *inode)
{
	u16 type = READ(inode, i_mode) & S_IFMT;

	return (type == S_IFREG || type == S_IFBLK || type == S_IFCHR) && !(READ(file, f_mode) & FMODE_NOACCOUNT);
}

/* @ret: 0, or why it was refused. */
INLINE int write_done(u8 rung, struct file *file, s64 ret, bool compat)
{
	struct inode *inode = READ(file, f_inode);
	struct written *w = written_get();
	struct written_entry *others;
	struct written_now now = {};
	struct written_by by = {};
	struct place at;
	struct hook h;
	bool dead, goes_on;

	/* Most are to sockets and pipes: that is seen first. */
	if (!w || !reportable(ret) || !is_written_file(file, inode) || !hook_sieve(&h, EV_WRITE) ||
	    sv_mask_zero(&h.alive))
		return 0;
	now.file = (u64)file;
	now.inode = (u64)inode;
	now.ino = READ(inode, i_ino);
	now.who = writer_now();
	now.generation = h.sv->generation;
	if (written_seen(w, &now, seed, &by, &others))
		return 0;
	at = place_of_file(file);
	dead = !hook_first(&h, result(ret)) || !hook_place(&h, EV_WRITE, at);
	goes_on = hook_go_on(&h, EV_WRITE, !dead);
	/* One that is lost is told by the next. */
	if (ret >= 0 && (dead || goes_on)) {
		if (others)
			written_another(others, &by);
		else
			written_first(w, &now, seed, bpf_ktime_get_boot_ns());
	}
	if (!goes_on)
		return 0;
	if (compat)
		h.s->flags |= EV_F_COMPAT;
	file_head(h.s, EV_WRITE, EVN_WRITE_COUNT, EVS_WRITE_COUNT, rung, result(ret), at);
	hook_end(&h, EV_WRITE, file_decide(&h, EV_WRITE, EVN_WRITE_COUNT, at, true));
	return 0;
}

SEC("fexit/security_file_permission")
int BPF_PROG(file_permission_x, struct file *file, int mask, int ret)
{
	return mask & MAY_WRITE ? write_done(EV_RUNG_FENTRY, (void *)as_number(file), (s32)ret, false) : 0;
}
SEC("fentry/security_file_free")
int BPF_PROG(file_free_e, struct file *file)
{
	return write_forget((void *)as_number(file));
}
SEC("kprobe/security_file_permission") /* its return would cost every read more than it tells */
int file_permission_ke(struct pt_regs *ctx)
{
	return FN_ARG2(ctx) & MAY_WRITE ? write_done(EV_RUNG_KPROBE, (void *)FN_ARG1(ctx), 0, false) : 0;
}
SEC("kprobe/security_file_free")
int file_free_ke(struct pt_regs *ctx)
{
	return write_forget((void *)FN_ARG1(ctx));
}

/* SYSFORM_OPENED: not a write, but an open, whose address is forgotten. A splice comes here after its own program. */
INLINE int write_at_exit(struct pt_regs *regs, s64 ret)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct sysargs args;
	struct sysdesc d;
	struct file *file;
	u8 fd;

	if (!sys_desc(regs, &args, &d))
		return 0;
	if (d.form == SYSFORM_OPENED) {
		file = ret >= 0 ? file_of_fd(task, (s32)ret) : 0;
		return file ? write_forget(file) : 0;
	}
	fd = d.event == EV_SPLICE ? d.dirfd2 : d.dirfd;
	file = file_of_fd(task, (s32)(fd == 2 ? args.a[2] : args.a[0]));
	return file ? write_done(EV_RUNG_TRACEPOINT, file, ret, args.compat) : 0;
}
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_write, struct pt_regs *regs, long ret)
{
	return write_at_exit(regs, ret);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_write_c(struct trace_event_raw_sys_exit *ctx)
{
	return write_at_exit(task_regs(), ctx->ret);
}

/* ---- splice ---------------------------------------------------------------------------------------------------------- */

INLINE bool is_pipe(struct file *file)
{
	return (READ(file, f_inode, i_mode) & S_IFMT) == S_IFIFO;
}

/* The flags of what was last put into the pipe of the two; 0 where there is nothing. */
INLINE u64 pipe_flags(struct file *in, struct file *out)
{
	struct pipe_inode_info *pipe = READ(is_pipe(out) ? out : in, private_data);
	u32 last = READ(pipe, head) - 1, mask = READ(pipe, ring_size) - 1;
	struct pipe_buffer *buf =
		(void *)READ(pipe, bufs) + (u64)(last & mask) * bpf_core_type_size(struct pipe_buffer);

	return READ(buf, flags);
}

/* Of a file and a pipe the file is what the event is about; of two pipes the one that is read. */
INLINE int splice_left(u8 rung, struct file *in, struct file *out, u64 before, s64 ret, bool compat)
{
	struct place at;
	struct hook h;
	u64 *num;

	if (!reportable(ret) || !hook_begin(&h, EV_SPLICE))
		return 0;
	if (compat)
		h.s->flags |= EV_F_COMPAT;
	at = place_of_file(is_pipe(in) && !is_pipe(out) ? out : in);
	file_head(h.s, EV_SPLICE, EVN_SPLICE_COUNT, EVS_SPLICE_COUNT, rung, result(ret), at);
	num = rec_num(&h.s->rec);
	num[NUM(SPLICE, ENTRY_FLAG)] = before;
	num[NUM(SPLICE, EXIT_FLAG)] = pipe_flags(in, out);
	hook_end(&h, EV_SPLICE, file_decide(&h, EV_SPLICE, EVN_SPLICE_COUNT, at, true));
	return 0;
}

INLINE int splice_begun(struct file *in, struct file *out)
{
	return call_keep_args(EV_SPLICE, as_number(in), as_number(out), pipe_flags(in, out));
}

SEC("fentry/do_splice")
int BPF_PROG(do_splice_e, struct file *in, void *off_in, struct file *out)
{
	return splice_begun((void *)as_number(in), (void *)as_number(out));
}
SEC("fexit/do_splice")
int BPF_PROG(do_splice_x, struct file *in, void *off_in, struct file *out, void *off_out, u64 len, u32 flags, s64 ret)
{
	struct call c;

	return call_take(EV_SPLICE, &c)
		       ? splice_left(EV_RUNG_FENTRY, (void *)c.arg[0], (void *)c.arg[1], c.arg[2], ret, false)
		       : 0;
}
SEC("kprobe/do_splice")
int do_splice_ke(struct pt_regs *ctx)
{
	return splice_begun((void *)FN_ARG1(ctx), (void *)FN_ARG3(ctx));
}
SEC("kretprobe/do_splice")
int do_splice_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_SPLICE, &c) ? splice_left(EV_RUNG_KPROBE, (void *)c.arg[0], (void *)c.arg[1], c.arg[2],
						      FN_RESULT(ctx), false)
					: 0;
}

/* What the pipe held before is not known any more. */
INLINE int splice_at_exit(struct pt_regs *regs, s64 ret)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file *in, *out;
	struct sysargs args;
	struct sysdesc d;

	if (!sys_desc(regs, &args, &d))
		return 0;
	in = file_of_fd(task, (s32)args.a[0]);
	out = file_of_fd(task, (s32)args.a[2]);
	return in && out ? splice_left(EV_RUNG_TRACEPOINT, in, out, 0, ret, args.compat) : 0;
}
/* A splice into a file also writes. */
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_splice, struct pt_regs *regs, long ret)
{
	splice_at_exit(regs, ret);
	bpf_tail_call(ctx, &sys_events, EV_WRITE);
	return 0;
}
SEC("tp/raw_syscalls/sys_exit")
int sys_splice_c(struct trace_event_raw_sys_exit *ctx)
{
	splice_at_exit(task_regs(), ctx->ret);
	bpf_tail_call(ctx, &sys_events, EV_WRITE);
	return 0;
}
