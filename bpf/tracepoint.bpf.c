/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tracepoint rung's dispatcher: one program at sys_exit looks the system call up and goes on in the program of its
 * event. For a call that tells no event this is all it costs.
 *
 * Each program is there twice: for the BTF tracepoint, which is cheaper, and for the classic one (_c), which needs no
 * type information in the kernel and is never skipped on kernels that preempt in the middle of a program.
 */
#include "lib/path.bpf.h"

#define AT_REMOVEDIR 0x200

/* What socketcall(2)'s first argument means. */
INLINE u32 socketcall_event(u64 call)
{
	enum { SOCKET = 1, BIND, CONNECT, LISTEN, ACCEPT, SETSOCKOPT = 14, ACCEPT4 = 18 };

	switch (call) {
	case SOCKET:
		return EV_SOCKET;
	case BIND:
		return EV_BIND;
	case CONNECT:
		return EV_CONNECT;
	case LISTEN:
		return EV_LISTEN;
	case ACCEPT:
	case ACCEPT4:
		return EV_ACCEPT;
	case SETSOCKOPT:
		return EV_SETSOCKOPT;
	}
	return EV_NONE;
}

/* Whose program goes on, or EV_NONE. */
INLINE u32 sys_event(struct pt_regs *regs)
{
	struct sysargs args = {};
	struct sysdesc d;

	if (!sys_desc(regs, &args, &d))
		return EV_NONE;
	if (d.event == EV_UNLINK && d.x != NO_ARG && args.a[2] & AT_REMOVEDIR)
		return EV_RMDIR;
	if (d.form == SYSFORM_SOCKETCALL)
		return socketcall_event(args.a[0]);
	return d.event;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit_dispatch, struct pt_regs *regs, long ret)
{
	u32 event = sys_event(regs);

	if (event)
		bpf_tail_call(ctx, &sys_events, event);
	return 0;
}

SEC("tp/raw_syscalls/sys_exit")
int sys_exit_dispatch_c(struct trace_event_raw_sys_exit *ctx)
{
	u32 event = sys_event(task_regs());

	if (event)
		bpf_tail_call(ctx, &sys_events, event);
	return 0;
}
