/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * exec, fork, exit. The same tracepoints on every rung. Always attached and always sent: the process table lives on
 * them. A record that no rule wants carries EV_F_CONTEXT.
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
	return raw_send(s->work[0], sizeof(*chunk) + len, sizeof(*chunk) + CHUNK, 0) ? (int)len : -1;
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

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct hook h;
	struct place at;
	struct rec *r;
	u64 *num;
	struct ev_str *str;
	bool alive;

	if (!process_begin(&h, EV_EXEC))
		return 0;
	at = place_of_file(READ(bprm, file));
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
	rec_puts(h.s, &rec_str(r, EXEC_NNUM)[EVS_EXEC_SYSCALL_PATH], READ(bprm, filename), EV_PATH_MAX, false);
	file_strs(h.s, 0, &str[EVS_PROC_FILE_PATH], at.d);
	proc_strs(h.s, str, task);
	args_send(h.s, task, rec_head(r)->boot_ns);
	rec_head(r)->policy = h.sv->generation;
	alive = alive && rec_sieve(h.s, h.sv, h.e, &h.alive);
	rec_send(h.s, EV_EXEC, alive);
	slot_release(h.s);
	return 0;
}

#define FORK_NNUM (EVN_FORK_COUNT + EVN_PROC_COUNT)
#define FORK_NSTR (EVS_FORK_COUNT + EVS_PROC_COUNT)

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
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
	slot_release(h.s);
	return 0;
}

/* exit.cause */
enum { EXITED, COREDUMPED, SIGNALED };

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	struct hook h;
	u32 code;
	u64 *num;
	bool alive;

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
	slot_release(h.s);
	return 0;
}
