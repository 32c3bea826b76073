/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a process asks of itself and does to others: prctl, setrlimit and prlimit64, ptrace, process_vm_writev, signals.
 *
 * All but signals happen in one system call each, and no other way leads there (io_uring has none of them): so the upper rungs hook
 * the functions of the system calls themselves, and every rung has the same body, which takes the registers and the result. What
 * the call did is read from the kernel where the kernel keeps it (limits, the name of a task), so that memory which another thread
 * of the caller changes meanwhile does not deceive.
 *
 * A signal is seen by the upper rungs where the kernel asks whether it may be sent: once for each process of a group.
 *
 * The second process goes into the record by its pid in the initial namespace and its start (lib/pid.bpf.h).
 */
#include "lib/call.bpf.h"
#include "lib/pid.bpf.h"
#include "lib/syscall.bpf.h"

#if defined(__TARGET_ARCH_x86)
#define NR_PRLIMIT64	  302u
#define NR_PRLIMIT64_I386 340u
#elif defined(__TARGET_ARCH_arm64)
#define NR_PRLIMIT64	  261u
#define NR_PRLIMIT64_I386 369u /* of 32-bit Arm */
#endif

/* A call that is to be told: its arguments, and the record begun. */
struct control {
	struct hook h;
	struct sysargs args;
	u64 *num;
};

/* False where there is nothing to tell. */
INLINE bool control_begin(struct control *c, const u32 type, const u32 nnum, const u32 nstr, u8 rung,
			  struct pt_regs *regs, s64 ret)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct rec *r;

	if (!reportable(ret) || !hook_begin(&c->h, type))
		return false;
	r = &c->h.s->rec;
	call_args(regs, &c->args);
	if (c->args.compat)
		c->h.s->flags |= EV_F_COMPAT;
	rec_begin(r, type, nnum, nstr, rung);
	rec_task(r, task);
	rec_head(r)->retval = result(ret);
	c->num = rec_num(r);
	return true;
}

INLINE int control_end(struct control *c, const u32 type)
{
	hook_end(&c->h, type, rec_sieve(c->h.s, c->h.sv, c->h.e, &c->h.alive));
	return 0;
}

#define CONTROL(TYPE, MORE, RUNG)                                                                                      \
	control_begin(&c, EV_##TYPE, EVN_##TYPE##_COUNT + MORE, EVS_##TYPE##_COUNT, RUNG, regs, ret)

/* ---- prctl ----------------------------------------------------------------------------------------------------- */

#define PR_SET_NAME 15
#define PRCTL_NAME  256 /* bytes of a new name that are kept: the kernel itself takes 15 */

/* The name that the caller gave, or the one that the kernel took if its beginning is not that any more. */
INLINE void prctl_name(struct slot *s, struct ev_str *str, const void *name, u64 *ret_truncated)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u32 used = s->rec.used;
	char given[16] = {}, taken[16] = {};
	u64 at;

	rec_puts(s, str, name, PRCTL_NAME, true);
	*ret_truncated = !!(s->flags & EV_F_TRUNCATED);
	bpf_probe_read_kernel_str(taken, sizeof(taken), (void *)task + bpf_core_field_offset(task->comm));
	if (str->len) {
		at = used;
		sv_hide(at);
		at &= SV_BUF_SIZE - 1;
		bpf_probe_read_kernel(given, str->len < 15 ? str->len & 15 : 15, s->rec.raw + at);
	}
	if (*(u64 *)given == *(u64 *)taken && *(u64 *)(given + 8) == *(u64 *)(taken + 8))
		return;
	s->rec.used = used;
	*ret_truncated = 0;
	rec_puts(s, str, taken, sizeof(taken), false);
}

INLINE int prctl_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct control c;

	if (!CONTROL(PRCTL, 0, rung))
		return 0;
	c.num[NUM(PRCTL, OPTION)] = (s64)(s32)c.args.a[0];
	if ((u32)c.args.a[0] == PR_SET_NAME && ret >= 0)
		prctl_name(c.h.s, &rec_str(&c.h.s->rec, EVN_PRCTL_COUNT)[STR(PRCTL, NEW_NAME)], (void *)c.args.a[1],
			   &c.num[NUM(PRCTL, NAME_TRUNCATED)]);
	return control_end(&c, EV_PRCTL);
}

CALL_FEXIT(prctl_x, SYSCALL64("prctl"), prctl_left)
CALL_FEXIT32(prctl_x32, "prctl", prctl_left)
CALL_KRETPROBE(prctl_kx, SYSCALL64("prctl"), prctl_left) /* and its 32-bit twin */
CALL_SYS_EXIT(sys_prctl, prctl_left)

/* ---- setrlimit and prlimit64 ------------------------------------------------------------------------------------- */

#define RLIMITS	      16
#define RLIM_INFINITY ~0ull

/* The limits that the caller gave. */
INLINE bool limits_given(const void *ptr, bool words, struct rlimit *ret)
{
	u32 w[2];

	if (!words)
		return !bpf_probe_read_user(ret, sizeof(*ret), ptr);
	if (bpf_probe_read_user(w, sizeof(w), ptr))
		return false;
	ret->rlim_cur = w[0] == ~0u ? RLIM_INFINITY : w[0];
	ret->rlim_max = w[1] == ~0u ? RLIM_INFINITY : w[1];
	return true;
}

/* The limits in force. */
INLINE bool limits_taken(struct task_struct *task, u32 resource, struct rlimit *ret)
{
	struct signal_struct *signal = READ(task, signal);

	return task && resource < RLIMITS &&
	       !bpf_probe_read_kernel(ret, sizeof(*ret),
				      (void *)signal + bpf_core_field_offset(signal->rlim) + resource * sizeof(*ret));
}

INLINE int setrlimit_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct rlimit limit = {};
	struct control c;
	bool of_any;
	u32 resource;
	u64 ptr;

	if (!CONTROL(SETRLIMIT, EV_TARGET_COUNT, rung))
		return 0;
	of_any = c.args.nr == (c.args.compat ? NR_PRLIMIT64_I386 : NR_PRLIMIT64);
	if (of_any && (s32)c.args.a[0])
		task = task_of_number(c.args.a[0]);
	resource = of_any ? c.args.a[1] : c.args.a[0];
	ptr = of_any ? c.args.a[2] : c.args.a[1];
	if (!ptr) { /* prlimit64 that only asks */
		hook_end(&c.h, EV_SETRLIMIT, false);
		return 0;
	}
	if ((ret < 0 || !limits_taken(task, resource, &limit)) &&
	    !limits_given((void *)ptr, c.args.compat && !of_any, &limit))
		c.h.s->flags |= EV_F_UNREADABLE;
	c.num[NUM(SETRLIMIT, RESOURCE)] = resource;
	c.num[NUM(SETRLIMIT, CUR)] = limit.rlim_cur;
	c.num[NUM(SETRLIMIT, MAX)] = limit.rlim_max;
	target_nums(c.num + EVN_SETRLIMIT_COUNT, task);
	return control_end(&c, EV_SETRLIMIT);
}

CALL_FEXIT(setrlimit_x, SYSCALL64("setrlimit"), setrlimit_left)
CALL_FEXIT(prlimit64_x, SYSCALL64("prlimit64"), setrlimit_left)
CALL_FEXIT(setrlimit_x32, SYSCALL32_OWN("setrlimit"), setrlimit_left)
CALL_FEXIT32(prlimit64_x32, "prlimit64", setrlimit_left)
CALL_KRETPROBE(setrlimit_kx, SYSCALL64("setrlimit"), setrlimit_left) /* and its 32-bit twin */
CALL_KRETPROBE(prlimit64_kx, SYSCALL64("prlimit64"), setrlimit_left) /* and its 32-bit twin */
CALL_SYS_EXIT(sys_setrlimit, setrlimit_left)

/* ---- ptrace ------------------------------------------------------------------------------------------------------ */

#define PTRACE_TRACEME 0

INLINE int ptrace_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct control c;
	s64 request;

	if (!CONTROL(PTRACE, EV_TARGET_COUNT, rung))
		return 0;
	request = c.args.compat ? (s64)(s32)c.args.a[0] : (s64)c.args.a[0];
	c.num[NUM(PTRACE, REQUEST)] = request;
	/* Who asks to be traced is the one that is traced. */
	target_nums(c.num + EVN_PTRACE_COUNT,
		    request == PTRACE_TRACEME ? (void *)bpf_get_current_task() : task_of_number(c.args.a[1]));
	return control_end(&c, EV_PTRACE);
}

CALL_FEXIT(ptrace_x, SYSCALL64("ptrace"), ptrace_left)
CALL_FEXIT(ptrace_x32, SYSCALL32_OWN("ptrace"), ptrace_left)
CALL_KRETPROBE(ptrace_kx, SYSCALL64("ptrace"), ptrace_left) /* and its 32-bit twin */
CALL_SYS_EXIT(sys_ptrace, ptrace_left)

/* ---- process_vm_writev ------------------------------------------------------------------------------------------- */

#define IOVECS 8 /* of a refused call, that are summed up */

/* How much the caller wanted to write. */
INLINE u64 iovecs_size(u64 ptr, u64 n, bool compat)
{
	const u64 width = compat ? 4 : 8;
	u64 sum = 0;

	for (u64 i = 0; i < IOVECS; i++) {
		u64 len = 0;

		if (i >= n || bpf_probe_read_user(&len, compat ? 4 : 8, (void *)(ptr + i * 2 * width + width)))
			break;
		sum += len;
	}
	return sum;
}

INLINE int vm_writev_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct task_struct *task;
	struct control c;

	if (!CONTROL(PROCESS_VM_WRITEV, EV_TARGET_COUNT, rung))
		return 0;
	task = task_of_number(c.args.a[0]);
	c.num[NUM(PROCESS_VM_WRITEV, PID)] = task ? READ(task, tgid) : (s32)c.args.a[0];
	c.num[NUM(PROCESS_VM_WRITEV, SIZE)] = ret >= 0 ? ret : iovecs_size(c.args.a[1], c.args.a[2], c.args.compat);
	target_nums(c.num + EVN_PROCESS_VM_WRITEV_COUNT, task);
	return control_end(&c, EV_PROCESS_VM_WRITEV);
}

/* 5.10's types do not say what the registers are in this file of the kernel: the argument cannot be read. */
CALL_FEXIT(vm_writev_x, SYSCALL64("process_vm_writev"), vm_writev_left)
CALL_FEXIT32(vm_writev_x32, "process_vm_writev", vm_writev_left)		  /* from 5.12 on */
CALL_FEXIT(vm_writev_own_x32, SYSCALL32_OWN("process_vm_writev"), vm_writev_left) /* before */
CALL_KRETPROBE(vm_writev_kx, SYSCALL64("process_vm_writev"), vm_writev_left)	  /* and its 32-bit twins */
CALL_SYS_EXIT(sys_vm_writev, vm_writev_left)

/* ---- signals ----------------------------------------------------------------------------------------------------- */

/* @task may be NULL; then @number is what the caller gave, and its group if it is not above 0. */
INLINE int signal_sent(u8 rung, s32 sig, struct task_struct *task, s32 number, bool compat, s64 ret)
{
	struct hook h;
	struct rec *r;
	u64 *num;

	if (!reportable(ret) || !hook_begin(&h, EV_SIGNAL))
		return 0;
	r = &h.s->rec;
	num = rec_num(r);
	rec_begin(r, EV_SIGNAL, EVN_SIGNAL_COUNT + EV_TARGET_COUNT, EVS_SIGNAL_COUNT, rung);
	rec_task(r, (void *)bpf_get_current_task());
	rec_head(r)->retval = ret;
	if (compat)
		h.s->flags |= EV_F_COMPAT;
	num[NUM(SIGNAL, PID)] = task ? (s32)READ(task, tgid) : (s64)number;
	num[NUM(SIGNAL, TYPE)] = sig;
	target_nums(num + EVN_SIGNAL_COUNT, task);
	hook_end(&h, EV_SIGNAL, rec_sieve(h.s, h.sv, h.e, &h.alive));
	return 0;
}

/* Whether a process sends it, and not the kernel by itself: si_fromuser() of the kernel. */
INLINE bool from_process(u64 info)
{
	if (info < 2) /* SEND_SIG_NOINFO, SEND_SIG_PRIV */
		return info == 0;
	return READ((struct kernel_siginfo *)info, si_code) <= 0;
}

SEC("fexit/check_kill_permission")
int BPF_PROG(kill_permission_x, int sig, void *info, struct task_struct *t, int ret)
{
	if (!from_process(as_number(info)))
		return 0;
	return signal_sent(EV_RUNG_FENTRY, sig, t, 0, sys_compat((void *)bpf_get_current_task()), (s32)ret);
}
SEC("kprobe/check_kill_permission")
int kill_permission_ke(struct pt_regs *ctx)
{
	/* Read once: an argument that is read twice makes clang compute its address, and the verifier refuses that. */
	u64 info = FN_ARG2(ctx);

	sv_hide(info);
	return from_process(info) ? call_keep_args(EV_SIGNAL, FN_ARG1(ctx), info, FN_ARG3(ctx)) : 0;
}
SEC("kretprobe/check_kill_permission")
int kill_permission_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_SIGNAL, &c) ? signal_sent(EV_RUNG_KPROBE, c.arg[0], (void *)c.arg[2], 0,
						      sys_compat((void *)bpf_get_current_task()), (s32)FN_RESULT(ctx))
					: 0;
}

INLINE int signal_at_exit(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct task_struct *task = 0;
	struct sysargs args;
	struct sysdesc d;
	s32 who, sig;

	if (!sys_desc(regs, &args, &d))
		return 0;
	/* kill(pid, sig), tgkill(tgid, tid, sig) and their like */
	who = d.path == 1 ? args.a[1] : args.a[0];
	sig = d.x == 2 ? args.a[2] : args.a[1];
	task = d.form == SYSFORM_FD ? task_of_pidfd(who) : task_of_number(who);
	/* Without a task, a number of another namespace would name a stranger. */
	if (!task && (d.form == SYSFORM_FD || (who > 0 && READ(pid_ns(), level))))
		who = 0;
	return signal_sent(rung, sig, task, who, args.compat, ret);
}

CALL_SYS_EXIT(sys_signal, signal_at_exit)
