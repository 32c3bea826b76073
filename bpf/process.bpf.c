/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * exec, fork, exit. The same tracepoints on every rung. Always attached and always sent: the process table lives on
 * them. A record that no rule wants carries EV_F_CONTEXT.
 *
 * Each program is there twice: for the BTF tracepoint, and for the classic one (_c), which needs no type information in
 * the kernel and is never skipped on kernels that preempt in the middle of a program. The classic ones hand over
 * numbers and no task: exec and exit are the current one's, a fork's child is looked for among the newest children.
 */
#include "lib/task.bpf.h"

/* Whether or not a clause is alive: what is never dropped counts as context then, see ev_stats. */
INLINE bool process_begin(struct hook *h, const u32 type)
{
	return hook_sieve(h, type) && hook_enter(h, type);
}

/* One piece of them; the bytes that it handed over, or -1. */
__noinline int args_piece(u32 slot, u64 start, u64 off, u64 total)
{
	struct slot *s = slot_at(slot);
	struct ev_args *chunk;
	u64 len = total - off;

	if (!s)
		return -1;
	chunk = (void *)s->work[0];
	sv_hide(len);
	if (len > CHUNK)
		len = CHUNK;
	if (bpf_probe_read_user(s->work[0] + sizeof(*chunk), len, (void *)(start + off)))
		return -1;
	chunk->off = off;
	chunk->len = len;
	return raw_send(s->work[0], EV_ARGS, sizeof(*chunk) + len, sizeof(*chunk) + CHUNK, 0) ? (int)len : -1;
}

/*
 * Arguments and environment, in pieces, before the record that they belong to. They lie one behind the other on the new
 * stack. A page of it that is not there ends it; user space then asks /proc.
 */
INLINE void args_send(struct slot *s, struct task_struct *task, u64 boot_ns)
{
	struct mm_struct *mm = READ(task, mm);
	u64 start = READ(mm, arg_start), argv = READ(mm, arg_end) - start;
	u64 envp = want_envs ? READ(mm, env_end) - READ(mm, env_start) : 0, total = argv + envp;
	/* The paths are in the record by now: their room is free. */
	struct ev_args *chunk = (void *)s->work[0];

	if (total > EV_ARGS_MAX) {
		total = EV_ARGS_MAX;
		s->flags |= EV_F_ARGS_TRUNCATED;
	}
	__builtin_memset(chunk, 0, sizeof(*chunk));
	chunk->head.type = EV_ARGS;
	chunk->head.boot_ns = boot_ns;
	chunk->head.pid = bpf_get_current_pid_tgid() >> 32;
	chunk->head.tid = (u32)bpf_get_current_pid_tgid();
	chunk->argv_total = argv;
	chunk->envp_total = envp;
	for (u64 off = 0; off < EV_ARGS_MAX; off += CHUNK) {
		if (off >= total)
			break;
		if (args_piece(s->index, start, off, total) < 0) {
			s->flags |= EV_F_ARGS_TRUNCATED;
			break;
		}
	}
}

#define EXEC_NNUM (EVN_EXEC_COUNT + EVN_PROC_COUNT)
#define EXEC_NSTR (EVS_EXEC_COUNT + EVS_PROC_COUNT)

INLINE int exec_done(struct task_struct *task, struct file *file, const void *filename)
{
	struct hook h;
	struct place at;
	struct rec *r;
	u64 *num;
	struct ev_str *str;
	bool alive;

	if (!process_begin(&h, EV_EXEC))
		return 0;
	at = place_of_file(file);
	r = &h.s->rec;
	/* Exec is sent in any case, so the path is needed even when the sieve says no: path_sieve may leave it out
	 * then. */
	alive = !sv_mask_zero(&h.alive) && path_sieve(h.s, 0, h.sv, h.e, EV_EXEC, at, &h.alive);
	if (!alive && path_walk(h.s->index, 0, (u64)at.d, (u64)at.m))
		h.s->flags |= EV_F_TRUNCATED;

	rec_begin(r, EV_EXEC, EXEC_NNUM, EXEC_NSTR, EV_RUNG_TRACEPOINT);
	rec_task(r, task);
	num = rec_num(r) + EVN_EXEC_COUNT;
	str = rec_str(r, EXEC_NNUM) + EVS_EXEC_COUNT;
	proc_nums(num, task);
	file_nums(&num[EVN_PROC_FILE_INODE], at);
	rec_puts(h.s, &rec_str(r, EXEC_NNUM)[EVS_EXEC_SYSCALL_PATH], filename, EV_PATH_MAX, false);
	file_strs(h.s, 0, &str[EVS_PROC_FILE_PATH], at.d);
	proc_strs(h.s, str, task);
	args_send(h.s, task, rec_head(r)->boot_ns);
	rec_head(r)->policy = h.sv->generation;
	alive = alive && rec_sieve(h.s, h.sv, h.e, &h.alive);
	rec_send(h.s, EV_EXEC, alive);
	if (is_canary_child(task))
		canary_send(EV_EXEC);
	slot_release(h.s);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	return exec_done(task, READ(bprm, file), READ(bprm, filename));
}
SEC("tp/sched/sched_process_exec")
int process_exec_c(struct trace_event_raw_sched_process_exec *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 string = as_number(ctx) + (ctx->__data_loc_filename & 0xffff);

	return exec_done(task, READ(task, mm, exe_file), (void *)string);
}

#define FORK_NNUM (EVN_FORK_COUNT + EVN_PROC_COUNT)
#define FORK_NSTR (EVS_FORK_COUNT + EVS_PROC_COUNT)

INLINE int fork_done(struct task_struct *parent, struct task_struct *child)
{
	struct hook h;
	bool alive;

	if (READ(child, pid) != READ(child, tgid) || !process_begin(&h, EV_FORK))
		return 0;
	rec_begin(&h.s->rec, EV_FORK, FORK_NNUM, FORK_NSTR, EV_RUNG_TRACEPOINT);
	rec_task(&h.s->rec, parent);
	proc_nums(rec_num(&h.s->rec) + EVN_FORK_COUNT, child);
	rec_head(&h.s->rec)->policy = h.sv->generation;
	alive = !sv_mask_zero(&h.alive) && rec_sieve(h.s, h.sv, h.e, &h.alive);
	rec_send(h.s, EV_FORK, alive);
	if (is_canary())
		canary_send(EV_FORK);
	slot_release(h.s);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	return fork_done(parent, child);
}

#define NEWEST 16 /* how far back a child is looked for: so many others may have been made meanwhile */

/* The task with @pid among the last of the list @head, whose links are at @link in each task; NULL if it is not there. */
INLINE struct task_struct *newest(struct list_head *head, u64 link, s32 pid)
{
	struct list_head *at = READ(head, prev);

	for (int i = 0; i < NEWEST; i++) {
		struct task_struct *t = (void *)at - link;

		if (at == head)
			break;
		if (READ(t, pid) == pid)
			return t;
		at = READ(at, prev);
	}
	return 0;
}

/* A child that was not found: an alert may be missing only where a clause is about forks. */
INLINE int fork_lost(void)
{
	struct hook h;

	stat_add(EV_FORK, seen);
	if (hook_sieve(&h, EV_FORK) && !sv_mask_zero(&h.alive))
		stat_add(EV_FORK, lost);
	else
		stat_add(EV_FORK, lost_context);
	return 0;
}

SEC("tp/sched/sched_process_fork")
int process_fork_c(struct trace_event_raw_sched_process_fork *ctx)
{
	struct task_struct *parent = (void *)bpf_get_current_task(), *up = READ(parent, real_parent), *child;
	struct signal_struct *signal = READ(parent, signal);
	const u64 children = bpf_core_field_offset(parent->children), sibling = bpf_core_field_offset(parent->sibling);
	s32 pid = ctx->child_pid;

	child = newest((void *)parent + children, sibling, pid);
	if (!child && newest((void *)signal + bpf_core_field_offset(signal->thread_head),
			     bpf_core_field_offset(parent->thread_node), pid))
		return 0; /* a thread */
	if (!child)
		child = newest((void *)up + children, sibling, pid); /* CLONE_PARENT */
	if (child)
		return fork_done(parent, child);
	return fork_lost();
}

/* exit.cause */
enum { EXITED, COREDUMPED, SIGNALED };

/* What a missed return of this thread has left behind. */
INLINE void forget_thread(void)
{
	static const u32 types[] = { EV_OPEN,	EV_CHMOD,  EV_CHOWN,  EV_TRUNCATE,   EV_CONNECT,
				     EV_SOCKET, EV_LISTEN, EV_ACCEPT, EV_SETSOCKOPT, EV_SIGNAL };
	u32 tid = (u32)bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&pending, &tid);
#pragma GCC unroll 10
	for (u32 i = 0; have_calls && i < sizeof(types) / sizeof(types[0]); i++) {
		u64 key = (u64)types[i] << 32 | tid;

		bpf_map_delete_elem(&calls, &key);
	}
}

INLINE int exit_done(struct task_struct *task)
{
	struct hook h;
	u32 code;
	u64 *num;
	bool alive;

	forget_thread();

	/* The last thread ends the process. */
	if (READ(task, signal, live.counter) || !process_begin(&h, EV_EXIT))
		return 0;
	code = READ(task, exit_code);
	rec_begin(&h.s->rec, EV_EXIT, EVN_EXIT_COUNT, EVS_EXIT_COUNT, EV_RUNG_TRACEPOINT);
	rec_task(&h.s->rec, task);
	num = rec_num(&h.s->rec);
	num[EVN_EXIT_CODE] = code & 0x7f ? code & 0x7f : code >> 8 & 0xff;
	num[EVN_EXIT_CAUSE] = !(code & 0x7f) ? EXITED : code & 0x80 ? COREDUMPED : SIGNALED;
	rec_head(&h.s->rec)->policy = h.sv->generation;
	alive = !sv_mask_zero(&h.alive) && rec_sieve(h.s, h.sv, h.e, &h.alive);
	rec_send(h.s, EV_EXIT, alive);
	if (is_canary_child(task))
		canary_send(EV_EXIT);
	slot_release(h.s);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	return exit_done(task);
}
SEC("tp/sched/sched_process_exit")
int process_exit_c(void *ctx)
{
	return exit_done((void *)bpf_get_current_task());
}
