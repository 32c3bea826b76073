/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tracepoint rung's first look at an open: nearly all are of files in directories that no rule looks into. This program
 * knows that much and no more, in as few instructions as can be: where the flags, or the state of the directory, which is known,
 * rule all out, the open is counted and done; all else goes on to sys_open, which looks at it anew. It makes no record, takes no slot,
 * and reads by plain loads alone; where those do not work it is not there.
 */
#include "lib/call.bpf.h"

/* The file that descriptor @fd of the current process is. */
INLINE struct file *peek_file(struct task_struct *task, u64 fd)
{
	struct files_struct *files = LOAD_IF(true, &task->files);
	struct fdtable *fdt = CAST(((struct files_struct *)CAST(files))->fdt);

	return fd < fdt->max_fds ? *(struct file **)CAST(fdt->fd + fd) : 0;
}

/*
 * The flags of the open. False where they are not at hand: openat2, creat, 32-bit calls that open, and numbers that are events of
 * either kind of program. Of other 32-bit calls by the number of an open nothing is told, so that ruling them out loses nothing.
 */
INLINE bool peek_flags(struct pt_regs *regs, u64 *ret)
{
	u64 nr = sys_nr(regs);
	struct sysdesc d;

	if (nr >= SYSCALLS)
		return false;
	sv_hide(nr);
	nr &= SYSCALLS - 1;
	d = syscalls.native[nr];
	if (d.event != EV_OPEN || d.form != SYSFORM_PATH || (d.x != 1 && d.x != 2) || syscalls.compat[nr].event)
		return false;
	*ret = open_flags_portable(d.x == 1 ? sys_arg_1(regs) : sys_arg_2(regs));
	return true;
}

/* Whether the state of the directory of @at, or then its name, rules out all in @alive that the policy @sv asks of opens. */
INLINE bool peek_dead(const struct sieve *sv, struct place at, const struct sv_mask *alive)
{
	const struct sv_event *e = &sv->event[EV_OPEN];
	const struct sv_automaton *a = &e->automata[0];
	struct dentry *parent = ((struct dentry *)CAST(at.d))->d_parent;
	struct dentry *root = ((struct mount *)CAST(at.m))->mnt.mnt_root;
	struct place dir = { parent, at.m };
	struct dir_key k;
	u64 i;
	int state;

	/* The root of a mount has its name on another one. */
	if (!a->used || parent == at.d || at.d == root)
		return false;
	if (!dir_fingerprint(dir, root, DIR_SALT(sv, EV_OPEN, 0), true, &k))
		return false;
	state = dir_known(&k);
	if (state < 0)
		return false;
	i = (u64)a->first + state;
	sv_hide(i);
	/* The first mask has no bit, and is that of most states. */
	if (sv->state_reach[i & (SV_STATES - 1)] == 0)
		return true;
	if (!sv_mask_meets(alive, sv_reach_mask(sv, a, state)))
		return true;
	state = name_state(sv, a, state, at.d, true);
	return state >= 0 && !sv_mask_meets(alive, sv_final_mask(sv, a, state));
}

/* The same of the open that has become descriptor @fd; first of all what its success and its flags leave. */
INLINE bool open_dead(const struct sieve *sv, struct pt_regs *regs, u64 fd, struct task_struct *task)
{
	struct sv_mask alive;
	struct file *file;
	bool known, writes;
	u64 flags;

	known = peek_flags(regs, &flags);
	if (known)
		sv_mask_copy(&alive, &sv->opened[sv_open_index(flags)]);
	else
		sv_mask_copy(&alive, &sv->event[EV_OPEN].clauses);
	/* With rules on writes, an open for writing has to be told (write.bpf.c). */
	writes = sv->flags & SV_F_WRITES && (!known || flags & (O_WRONLY | O_RDWR));
	if (!writes && sv_mask_zero(&alive))
		return true;
	file = peek_file(task, fd);
	if (!file)
		return false;
	if (writes && (known || LOAD_IF(true, &file->f_mode) & FMODE_WRITE))
		open_unwritten(file);
	if (sv_mask_zero(&alive))
		return true;

	struct path *path = CAST(&file->f_path);
	struct place at = { path->dentry, real_mount(path->mnt) };

	return peek_dead(sv, at, &alive);
}

INLINE void open_peek(void *ctx, struct pt_regs *regs, s64 ret)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	const struct sieve *sv = sieve_get();

	regs = regs ? regs : task_regs();
	if (ret >= 0 && sv && open_dead(sv, regs, ret, task) &&
	    (!canary_pid || LOAD_IF(true, &task->tgid) != (int)canary_pid)) {
		stat_pass(EV_OPEN);
		return;
	}
	bpf_tail_call_static(ctx, &sys_events, SYS_OPEN_WHOLE);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_open_peek, struct pt_regs *regs, long ret)
{
	open_peek(ctx, regs, ret);
	return 0;
}
SEC("tp/raw_syscalls/sys_exit")
int sys_open_peek_c(struct trace_event_raw_sys_exit *ctx)
{
	open_peek(ctx, 0, ctx->ret);
	return 0;
}
