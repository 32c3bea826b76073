/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs of events that are one system call each, which nothing else does. On the upper rungs they sit on the call's own function,
 * on the last one on sys_exit, and all of a call have one body, BODY(rung, regs, ret).
 */
#ifndef TAMIS_BPF_SYSCALL_H
#define TAMIS_BPF_SYSCALL_H

#include "lib/emit.bpf.h"

/*
 * The function of a call, by the call's name: its 64-bit entry, its 32-bit entry (none of its own on arm64), and the 32-bit entry of
 * those that differ there.
 */
#if defined(__TARGET_ARCH_x86)
#define SYSCALL64(NAME)	    "__x64_sys_" NAME
#define SYSCALL32(NAME)	    "__ia32_sys_" NAME
#define SYSCALL32_OWN(NAME) "__ia32_compat_sys_" NAME
#elif defined(__TARGET_ARCH_arm64)
#define SYSCALL64(NAME)	    "__arm64_sys_" NAME
#define SYSCALL32_OWN(NAME) "__arm64_compat_sys_" NAME
#endif

/* Arguments of the call that @regs are of. */
INLINE void call_args(struct pt_regs *regs, struct sysargs *ret)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	regs = (void *)as_number(regs); /* at sys_exit a typed pointer */
	ret->compat = sys_compat(task);
	ret->nr = sys_nr(regs);
	sys_args(regs, ret->compat, ret);
}

/*
 * PROGRAM at the end of the call's function FUNCTION, as one of those above names it. Its argument is the registers too, but as a
 * typed pointer, of which 5.10 takes no address on the way.
 */
#define CALL_FEXIT(PROGRAM, FUNCTION, BODY)                                                                            \
	SEC("fexit/" FUNCTION)                                                                                         \
	int BPF_PROG(PROGRAM, struct pt_regs *regs, long ret)                                                          \
	{                                                                                                              \
		return BODY(EV_RUNG_FENTRY, task_regs(), ret);                                                         \
	}
#if defined(SYSCALL32)
#define CALL_FEXIT32(PROGRAM, NAME, BODY) CALL_FEXIT(PROGRAM, SYSCALL32(NAME), BODY)
#else
#define CALL_FEXIT32(PROGRAM, NAME, BODY)
#endif
/* The same for a kretprobe, which serves all functions that have this body. */
#define CALL_KRETPROBE(PROGRAM, FUNCTION, BODY)                                                                        \
	SEC("kretprobe/" FUNCTION)                                                                                     \
	int PROGRAM(struct pt_regs *ctx)                                                                               \
	{                                                                                                              \
		return BODY(EV_RUNG_KPROBE, task_regs(), (s64)FN_RESULT(ctx));                                         \
	}
/* PROGRAM and PROGRAM_c, for either kind of sys_exit. */
#define CALL_SYS_EXIT(PROGRAM, BODY)                                                                                   \
	SEC("tp_btf/sys_exit")                                                                                         \
	int BPF_PROG(PROGRAM, struct pt_regs *regs, long ret)                                                          \
	{                                                                                                              \
		return BODY(EV_RUNG_TRACEPOINT, regs, ret);                                                            \
	}                                                                                                              \
	SEC("tp/raw_syscalls/sys_exit")                                                                                \
	int PROGRAM##_c(struct trace_event_raw_sys_exit *ctx)                                                          \
	{                                                                                                              \
		return BODY(EV_RUNG_TRACEPOINT, task_regs(), ctx->ret);                                                \
	}

#endif
