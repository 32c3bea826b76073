/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Processes that are moved into a cgroup, by a write to cgroup.procs, cgroup.threads or tasks.
 *
 * On the upper rungs in the functions that do these writes; the process is the one that was written, as the writer numbers
 * it. On the tracepoint rung where a task has been moved: refused writes are not seen there, and the file is the one that
 * the thread's system call is about.
 */
#include "lib/call.bpf.h"
#include "lib/syscall.bpf.h"

#define PID_DIGITS 10

/* The decimal number at @text; 0, and what is no number, is the writer itself. */
INLINE u64 written_pid(const char *text)
{
	char buf[PID_DIGITS + 1] = {};
	u64 pid = 0;

	bpf_probe_read_kernel_str(buf, sizeof(buf), text);
#pragma GCC unroll 10
	for (int i = 0; i < PID_DIGITS; i++) {
		u8 digit = buf[i] - '0';

		if (digit > 9)
			break;
		pid = pid * 10 + digit;
	}
	return pid ? pid : bpf_get_current_pid_tgid() >> 32;
}

/* @file may be NULL: then nobody knows what was written. */
INLINE int cgroup_moved(u8 rung, struct file *file, u64 pid, s64 ret)
{
	struct hook h;
	struct place at;
	bool ok;

	if (!reportable(ret) || !hook_begin(&h, EV_CGROUP_WRITE))
		return 0;
	ok = file_sieve(&h, EV_CGROUP_WRITE, file, &at);
	if (ok) {
		file_rec(h.s, EV_CGROUP_WRITE, EVN_CGROUP_WRITE_COUNT, EVS_CGROUP_WRITE_COUNT, rung, result(ret), at);
		rec_num(&h.s->rec)[NUM(CGROUP_WRITE, PID)] = pid;
		if (task_async((void *)bpf_get_current_task()))
			h.s->flags |= EV_F_ASYNC;
		ok = rec_sieve(h.s, h.sv, h.e, &h.alive);
	}
	hook_end(&h, EV_CGROUP_WRITE, ok);
	return 0;
}

INLINE int cgroup_written(u8 rung, struct kernfs_open_file *of, const char *text, s64 ret)
{
	return cgroup_moved(rung, READ(of, file), written_pid(text), ret);
}

SEC("fexit/cgroup_procs_write")
int BPF_PROG(cgroup_procs_x, struct kernfs_open_file *of, char *text, u64 n, s64 off, long ret)
{
	return cgroup_written(EV_RUNG_FENTRY, of, text, ret);
}
SEC("fexit/cgroup_threads_write")
int BPF_PROG(cgroup_threads_x, struct kernfs_open_file *of, char *text, u64 n, s64 off, long ret)
{
	return cgroup_written(EV_RUNG_FENTRY, of, text, ret);
}
SEC("fexit/cgroup1_procs_write")
int BPF_PROG(cgroup1_procs_x, struct kernfs_open_file *of, char *text, u64 n, s64 off, long ret)
{
	return cgroup_written(EV_RUNG_FENTRY, of, text, ret);
}
SEC("fexit/cgroup1_tasks_write")
int BPF_PROG(cgroup1_tasks_x, struct kernfs_open_file *of, char *text, u64 n, s64 off, long ret)
{
	return cgroup_written(EV_RUNG_FENTRY, of, text, ret);
}
SEC("kprobe/cgroup_procs_write") /* and the other three */
int cgroup_write_ke(struct pt_regs *ctx)
{
	return call_keep(EV_CGROUP_WRITE, ctx);
}
SEC("kretprobe/cgroup_procs_write") /* and the other three */
int cgroup_write_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_CGROUP_WRITE, &c)
		       ? cgroup_written(EV_RUNG_KPROBE, (void *)c.arg[0], (void *)c.arg[1], (s64)FN_RESULT(ctx))
		       : 0;
}

/* ---- tracepoint rung ------------------------------------------------------------------------------------------- */

/* The file that the current system call writes to, if it is one of a cgroup. */
INLINE struct file *cgroup_file(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct sysargs args = {};
	struct file *file;
	char type[6] = {};

	if (task_async(task))
		return 0;
	call_args(task_regs(), &args);
	file = file_of_fd(task, (s32)args.a[0]);
	if (!file || bpf_probe_read_kernel(type, sizeof(type), READ(file, f_path.dentry, d_sb, s_type, name)) ||
	    type[0] != 'c' || type[1] != 'g' || type[2] != 'r' || type[3] != 'o' || type[4] != 'u' || type[5] != 'p')
		return 0;
	return file;
}

SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(cgroup_attach, struct cgroup *to, const char *path, struct task_struct *task, bool group)
{
	return cgroup_moved(EV_RUNG_TRACEPOINT, cgroup_file(), (u32)READ(task, pid), 0);
}
SEC("tp/cgroup/cgroup_attach_task")
int cgroup_attach_c(struct trace_event_raw_cgroup_migrate *ctx)
{
	return cgroup_moved(EV_RUNG_TRACEPOINT, cgroup_file(), (u32)ctx->pid, 0);
}
