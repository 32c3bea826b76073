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
INLINE u32 sys_event(u64 nr, struct pt_regs *regs)
{
	struct sysargs args = { .nr = nr };
	struct sysdesc d;

	if (nr >= SYSCALLS)
		return EV_NONE;
	sv_hide(nr);
	nr &= SYSCALLS - 1;
	/* Opens and writes are most of all: whether this is not a call of another kind of program is left to what they go on to. */
	if (syscalls.any[nr] == SYS_ONLY_OPEN)
		return EV_OPEN;
	if (syscalls.any[nr] == SYS_ONLY_WRITE)
		return EV_WRITE;
	if (!sys_find(&args, &d))
		return EV_NONE;
	if (d.event == EV_UNLINK && d.x != NO_ARG) {
		sys_args(regs, args.compat, &args);
		return args.a[2] & AT_REMOVEDIR ? EV_RMDIR : EV_UNLINK;
	}
	if (d.form == SYSFORM_SOCKETCALL) {
		sys_args(regs, args.compat, &args);
		return socketcall_event(args.a[0]);
	}
	return d.event;
}

/*
 * With a constant for the index the kernel makes it a jump to the program, where it can, and else one through a register, which is dear
 * where processors are kept from guessing it. So that is for what is called most.
 */
// clang-format off
#define SYS_OFTEN(X) X(OPEN) X(WRITE) X(MMAP) X(MPROTECT) X(UNLINK) X(RMDIR) X(MKDIR) X(RENAME) X(CHMOD) X(CHOWN) X(UTIMES)
// clang-format on

INLINE void sys_go_on(void *ctx, u32 event)
{
#define SYS_GO_ON(EV)                                                                                                  \
	if (event == EV_##EV)                                                                                          \
		bpf_tail_call_static(ctx, &sys_events, EV_##EV);
	SYS_OFTEN(SYS_GO_ON)
#undef SYS_GO_ON
	if (event)
		bpf_tail_call(ctx, &sys_events, event);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit_dispatch, struct pt_regs *regs, long ret)
{
	sys_go_on(ctx, sys_event(sys_nr_btf(regs), regs));
	return 0;
}

SEC("tp/raw_syscalls/sys_exit")
int sys_exit_dispatch_c(struct trace_event_raw_sys_exit *ctx)
{
	struct pt_regs *regs = task_regs();

	sys_go_on(ctx, sys_event(sys_nr(regs), regs));
	return 0;
}
