/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tracepoint rung's first look at an open: nearly all are of files in directories that no rule looks into. This program
 * knows that much and no more, in as few instructions as can be: where the state of the directory is known and rules all
 * out, the open is counted and done; all else goes on to sys_open, which looks at it anew. It makes no record, takes no slot,
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

/* The flags of the open. False where they are not at hand: openat2, 32-bit calls, creat. */
INLINE bool peek_flags(struct pt_regs *regs, struct task_struct *task, u64 *ret)
{
	u64 nr = sys_nr(regs);
	struct sysdesc d;

	if (nr >= SYSCALLS || sys_compat(task))
		return false;
	sv_hide(nr);
	d = syscalls.native[nr & (SYSCALLS - 1)];
	if (d.event != EV_OPEN || d.form != SYSFORM_PATH || (d.x != 1 && d.x != 2))
		return false;
	*ret = open_flags_portable(d.x == 1 ? sys_arg_1(regs) : sys_arg_2(regs));
	return true;
}

/* Strikes from @alive what they rule out. */
INLINE void peek_strike(const struct sv_event *e, u64 flags, struct sv_mask *alive)
{
	for (u32 i = 0; i < SV_PREDS; i++) {
		const struct sv_pred *p = &e->preds[i];

		if (i >= e->npreds)
			break;
		if (p->slot == NUM(OPEN, FLAGS))
			sv_mask_and(alive, sv_pred_holds(p, flags) ? &p->keep_true : &p->keep_false);
	}
}

/* Whether success and the flags alone rule out all that @e asks of opens; *alive is what they leave. */
INLINE bool peek_first(const struct sv_event *e, struct pt_regs *regs, struct task_struct *task, struct sv_mask *alive)
{
	u64 flags;

	sv_mask_copy(alive, &e->clauses);
	if (!e->nfirst)
		return false;
	return peek_flags(regs, task, &flags) ? !sv_first(e, 0, flags, 1, alive) : !sv_first(e, 0, 0, 0, alive);
}

/*
 * Whether those, or the state of the directory of @at, or then its name, or then the flags, rule out all that the policy @sv asks
 * of opens.
 */
INLINE bool peek_dead(const struct sieve *sv, struct place at, struct pt_regs *regs, struct task_struct *task)
{
	const struct sv_event *e = &sv->event[EV_OPEN];
	const struct sv_automaton *a = &e->automata[0];
	struct dentry *parent = ((struct dentry *)CAST(at.d))->d_parent;
	struct dentry *root = ((struct mount *)CAST(at.m))->mnt.mnt_root;
	struct place dir = { parent, at.m };
	struct sv_mask alive;
	struct dir_key k;
	u64 i, flags;
	int state;

	regs = regs ? regs : task_regs();
	if (peek_first(e, regs, task, &alive))
		return true;
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
	if (!sv_mask_meets(&alive, sv_reach_mask(sv, a, state)))
		return true;
	state = name_state(sv, a, state, at.d, true);
	if (state < 0)
		return false;
	sv_mask_and(&alive, sv_final_mask(sv, a, state));
	if (!sv_mask_zero(&alive) && peek_flags(regs, task, &flags))
		peek_strike(e, flags, &alive);
	return sv_mask_zero(&alive);
}

INLINE void open_peek(void *ctx, struct pt_regs *regs, s64 ret)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	const struct sieve *sv = sieve_get();
	struct file *file;

	if (ret >= 0 && sv) {
		file = peek_file(task, ret);
		/* Where writes are looked at, an open for writing has to be told (write.bpf.c). */
		if (file && !(sv->flags & SV_F_WRITES && LOAD_IF(true, &file->f_mode) & FMODE_WRITE)) {
			struct path *path = CAST(&file->f_path);
			struct place at = { path->dentry, real_mount(path->mnt) };

			if (peek_dead(sv, at, regs, task) &&
			    (!canary_pid || LOAD_IF(true, &task->tgid) != (int)canary_pid)) {
				stat_pass(EV_OPEN);
				return;
			}
		}
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
