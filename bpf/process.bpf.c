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

#define EXEC_NNUM (EVN_EXEC_COUNT + EVN_PROC_COUNT)
#define EXEC_NSTR (EVS_EXEC_COUNT + EVS_PROC_COUNT)

/* Whether or not a clause is alive: what is never dropped counts as context then, see ev_stats. */
INLINE bool process_begin(struct hook *h, const u32 type)
{
	if (!hook_sieve(h, type))
		return false;
	if (hook_enter(h, type))
		return true;
	masks_lost(type);
	return false;
}

/*
 * What is known of an exec: by the image before. What its clauses ask of the image itself nobody knows yet. s->kin becomes what this
 * image and those above it meet, s->fresh the set that it begins with.
 */
__noinline int exec_masks(u32 slot, u64 task)
{
	struct slot *s = slot_at(slot);
	const struct sieve *sv = sieve_get();
	struct masks *m = masks_get();
	struct masks_words w;
	const struct ev_str *tty;
	struct ev_head *h;
	u32 low = 0, met;

	if (!s)
		return 1;
	h = rec_head(&s->rec);
	tty = &rec_str(&s->rec, EXEC_NNUM)[EVS_EXEC_COUNT + EVS_PROC_TTY_NAME];
	s->fresh = MASKS_FRESH;
	if (!sv || !m || h->policy != sv->generation) {
		s->kin = MASKS_KIN;
		return 1;
	}
	w = masks_words(m, (void *)task, h->image - 1, h->policy);
	if (masks_find(m, w.first, w.second, &low)) {
		masks_strike(m, low, h->policy, EV_EXEC, (struct sv_mask *)h->alive);
		s->fresh = masks_fresh(m, low, h->policy);
		if (!(low & MASKS_LATE))
			s->flags |= EV_F_SAME_CGROUPS;
	}
	met = masks_kin(m, w.first);
	sv_kin_strike(&sv->kin, met, (struct sv_mask *)h->alive);
	if (s->fresh == MASKS_BARE)
		sv_mask_and_not((struct sv_mask *)h->alive, &sv->kin.contained);
	if (!tty->len && !(s->flags & (EV_F_TRUNCATED | EV_F_UNREADABLE)))
		sv_mask_and_not((struct sv_mask *)h->alive, &sv->kin.tty);
	s->kin = sv_kin_below(&sv->kin, met, s->kin);
	return !sv_mask_zero((struct sv_mask *)h->alive);
}

/* User space will know of the image: from here on it has an entry. */
INLINE void exec_known(struct slot *s, struct task_struct *task, struct ev_str *path, struct ev_str *link)
{
	struct rec *r = &s->rec;
	struct ev_head *h = rec_head(r);
	struct masks *m = masks_get();
	u64 end = (u64)path->off + path->len;
	struct masks_words w;
	u32 tail = 0;

	if (!m)
		return;
	sv_hide(end);
	if (path->len >= 2 && end >= HEAD && end <= RAW_MAX && !link->len &&
	    !(s->flags & (EV_F_TRUNCATED | EV_F_UNREADABLE)))
		tail = masks_tail(r->raw[end - 2], r->raw[end - 1]);
	w = masks_words(m, task, h->image, h->policy);
	masks_put(m, w.first, w.second, s->fresh | tail, s->kin);
}

/* And of the child, which is what its parent is. Of a parent without an entry user space is asked. */
INLINE void fork_known(struct slot *s, struct task_struct *parent, struct task_struct *child)
{
	struct ev_head *h = rec_head(&s->rec);
	struct masks *m = masks_get();
	struct masks_words w;
	u32 low = 0, kin;

	if (!m)
		return;
	w = masks_words(m, parent, h->image, h->policy);
	kin = masks_kin(m, w.first);
	if (!masks_find(m, w.first, w.second, &low)) {
		masks_put(m, w.first, w.second, MASKS_LATE, MASKS_KIN);
		low = MASKS_LATE;
	}
	if (cgroups_of(parent) == cgroups_of(child))
		low = masks_forked(m, low, h->policy);
	else
		low = MASKS_LATE;
	w = masks_words(m, child, READ(child, self_exec_id), h->policy);
	masks_put(m, w.first, w.second, low, kin);
}

/* ---- words in arguments (0) and environment (1) ------------------------------------------------------------------ */

#define WORDS_BLOCK 64

/* What is found in the @len bytes, at most WORDS_BLOCK, at work[0][@at..]. -1: that cannot be told. */
__noinline int words_block(u32 slot, u32 w_, u64 at, u64 len)
{
	struct slot *s = slot_at(slot);
	const struct sieve *sv = sieve_get();
	u64 w = w_ & 1;

	if (!s || !sv || sv->generation != s->generation)
		return -1;
	sv_hide(w);
	w &= 1;
	s->state[w] = sv_words_loop(sv, &sv->event[EV_EXEC].automata[SV_AUT_ARGS + w], s->state[w], s->work[0], at, len,
				    WORDS_BLOCK, WORK_MASK, &s->found[w]);
	return 0;
}

/* The same for more of them. */
__noinline int words_piece(u32 slot, u32 w, u64 at, u64 len)
{
	for (u64 i = 0; i < CHUNK; i += WORDS_BLOCK) {
		if (i >= len)
			break;
		if (words_block(slot, w, at + i, len - i))
			return -1;
	}
	return 0;
}

/* Of a piece of @len bytes in work[0], which begins @off bytes behind the first argument. @want: bits 1 << w. */
__noinline int words_look(u32 slot, u32 want, u64 off, u64 len, u64 argv)
{
	const u64 at = sizeof(struct ev_args);
	u64 args = off >= argv ? 0 : argv - off < len ? argv - off : len;

	if (want & 1 && args && words_piece(slot, 0, at, args))
		return -1;
	if (want & 2 && len > args && words_piece(slot, 1, at + args, len - args))
		return -1;
	return 0;
}

/* Before the first byte; which of the two may still rule out something that is alive, as bits 1 << w. */
__noinline int words_begin(u32 slot)
{
	struct slot *s = slot_at(slot);
	const struct sieve *sv = sieve_get();
	int want = 0;

	if (!s || !sv || sv->generation != s->generation)
		return 0;
#pragma GCC unroll 2
	for (u32 w = 0; w < 2; w++) {
		const struct sv_automaton *a = &sv->event[EV_EXEC].automata[SV_AUT_ARGS + w];

		if (!a->used || (w && !want_envs))
			continue;
		s->state[w] = sv_words_begin(sv, a, &s->found[w]);
		if (!sv_mask_within(&s->alive, &s->found[w]))
			want |= 1 << w;
	}
	return want;
}

/* Behind the last byte: strikes what has not been found. */
__noinline int words_end(u32 slot, u32 want)
{
	struct slot *s = slot_at(slot);
	const struct sieve *sv = sieve_get();

	if (!s || !sv || sv->generation != s->generation)
		return 0;
#pragma GCC unroll 2
	for (u32 w = 0; w < 2; w++) {
		if (!(want & 1 << w))
			continue;
		sv_words_end(sv, &sv->event[EV_EXEC].automata[SV_AUT_ARGS + w], s->state[w], &s->found[w]);
		sv_mask_and(&s->alive, &s->found[w]);
	}
	return 0;
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
 * stack. A page of it that is not there ends it; user space then asks /proc. The words that clauses ask for are looked for in
 * the very bytes that are sent; they decide only where that is all of them.
 */
__noinline int args_send(u32 slot, u64 task)
{
	struct slot *s = slot_at(slot);
	struct mm_struct *mm = READ((struct task_struct *)task, mm);
	u64 start = READ(mm, arg_start), argv = READ(mm, arg_end) - start;
	u64 envp = want_envs ? READ(mm, env_end) - READ(mm, env_start) : 0, total = argv + envp;
	/* The paths are in the record by now: their room is free. */
	struct ev_args *chunk;
	struct ev_head *h;
	u32 want;
	int n;

	if (!s)
		return 0;
	chunk = (void *)s->work[0];
	h = rec_head(&s->rec);
	want = words_begin(slot);
	if (total > EV_ARGS_MAX) {
		total = EV_ARGS_MAX;
		s->flags |= EV_F_ARGS_TRUNCATED;
	}
	__builtin_memset(chunk, 0, sizeof(*chunk));
	chunk->head.type = EV_ARGS;
	chunk->head.boot_ns = h->boot_ns;
	chunk->head.pid = h->pid;
	chunk->head.tid = h->tid;
	chunk->head.start_ns = h->start_ns;
	chunk->head.image = h->image;
	chunk->argv_total = argv;
	chunk->envp_total = envp;
	for (u64 off = 0; off < EV_ARGS_MAX; off += CHUNK) {
		if (off >= total)
			break;
		n = args_piece(slot, start, off, total);
		if (n < 0) {
			s->flags |= EV_F_ARGS_TRUNCATED;
			break;
		}
		if (want && words_look(slot, want, off, n, argv))
			want = 0;
	}
	if (want && !(s->flags & EV_F_ARGS_TRUNCATED))
		words_end(slot, want);
	return 0;
}

/* ---- scripts: what was asked for, before the kernel went on to its interpreter ----------------------------------- */

#define FILE_NNUM 8 /* of CAT_FILE */
#define FILE_NSTR 2
#define ELF_MAGIC 0x464c457f
#define INTERP	  256			 /* bytes of an interpreter's name: the kernel reads no more of a script */
#define INTERP_AT (PENDING_MAX - INTERP) /* where it is kept, behind a path and a filesystem's type */

/* A later file of the same exec: the interpreter, as the script names it. */
INLINE int interpreter_seen(struct linux_binprm *bprm)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct pending *p = bpf_map_lookup_elem(&pending, &tid);

	if (p && p->type == EV_EXEC)
		bpf_probe_read_kernel_str(p->raw + INTERP_AT, INTERP, READ(bprm, interp));
	return 0;
}

/* Leaves the path of @at in work[0], sieved. Exec is sent in any case: path_sieve() may leave the path out where it says no. */
INLINE void exec_path(struct hook *h, struct place at)
{
	if (!sv_mask_zero(&h->alive) && path_sieve(h->s, 0, h->sv, h->e, EV_EXEC, at, &h->alive))
		return;
	__builtin_memset(&h->alive, 0, sizeof(h->alive));
	if (path_walk(h->s->index, 0, (u64)at.d, (u64)at.m))
		h->s->flags |= EV_F_TRUNCATED;
}

/*
 * The kernel looks at the file of an exec for the first time. When the exec is told, a script's file is gone from the kernel's
 * hands, so its half of the record is made here and kept by thread. An exec that fails leaves it behind; the thread's next
 * exec, or its end, takes it away.
 */
INLINE int bprm_seen(struct linux_binprm *bprm)
{
	u32 tid = (u32)bpf_get_current_pid_tgid(), magic = 0;
	struct hook h;
	struct place at;
	struct rec *r;

	if (READ(bprm, interp) != READ(bprm, filename))
		return interpreter_seen(bprm);
	bpf_map_delete_elem(&pending, &tid);
	bpf_probe_read_kernel(&magic, sizeof(magic), (void *)bprm + bpf_core_field_offset(bprm->buf));
	if (magic == ELF_MAGIC || !hook_sieve(&h, EV_EXEC))
		return 0;
	h.s = slot_claim();
	if (!h.s)
		return 0;
	h.s->generation = h.sv->generation;
	at = place_of_file(READ(bprm, file));
	r = &h.s->rec;
	exec_path(&h, at);
	rec_begin(r, EV_EXEC, FILE_NNUM, FILE_NSTR, EV_RUNG_TRACEPOINT);
	file_nums(rec_num(r), at);
	file_strs(h.s, 0, rec_str(r, FILE_NNUM), at.d);
	rec_head(r)->policy = h.sv->generation;
	rec_head(r)->flags = h.s->flags;
	sv_mask_copy((struct sv_mask *)rec_head(r)->alive, &h.alive);
	r->raw[INTERP_AT] = 0;
	if (slot_ok(h.s) && r->used <= INTERP_AT)
		bpf_map_update_elem(&pending, &tid, r, BPF_ANY);
	slot_release(h.s);
	return 0;
}

SEC("fentry/security_bprm_check")
int BPF_PROG(bprm_check_e, struct linux_binprm *bprm)
{
	return bprm_seen(bprm);
}
SEC("kprobe/security_bprm_check")
int bprm_check_ke(struct pt_regs *ctx)
{
	return bprm_seen((void *)FN_ARG1(ctx));
}

/* ---- exec ---------------------------------------------------------------------------------------------------------- */

/* An exec, as the hook has it. */
struct exec {
	struct task_struct *task;
	struct file *file;    /* that runs: of a script, its interpreter */
	const void *filename; /* as the caller gave it */
	const void *interp;   /* the interpreter as the script names it; NULL: bprm_seen() may know */
	u32 old_tid;	      /* of the thread that called exec */
	bool script;
};

/* Leaves the path of a program in work[0], sieved. */
INLINE void exec_program(struct hook *h, struct exec *x, struct ev_str *str, u64 *num)
{
	struct place at = place_of_file(x->file);

	exec_path(h, at);
	file_nums(&num[EVN_PROC_FILE_INODE], at);
	file_strs(h->s, 0, &str[EVS_PROC_FILE_PATH], at.d);
}

/* Takes the string that bprm_seen() has kept at @p->raw + @from->off into the record; and into work[0] if it is the path. */
INLINE void kept_str(struct slot *s, struct pending *p, const struct ev_str *from, struct ev_str *str, bool path)
{
	u64 off = from->off, len = from->len;

	sv_hide(off);
	if (off > PENDING_MAX)
		return;
	if (path) {
		sv_hide(len);
		if (len > EV_PATH_MAX)
			return;
		bpf_probe_read_kernel(s->work[0], len, p->raw + off);
		s->path_off[0] = 0;
		s->path_len[0] = from->len;
	}
	rec_put(s, str, p->raw + off, from->len);
}

/* The same of a script: what was kept, or where that hook is missing the string that was given. False: that string. */
INLINE bool exec_script(struct hook *h, struct exec *x, struct pending *p, struct ev_str *str, u64 *num)
{
	const struct ev_head *head = (void *)p->raw;
	const struct ev_str *from = (void *)(p->raw + HEAD + FILE_NNUM * 8);

	if (!p) {
		if (!string_sieve(h->s, 0, h->sv, h->e, EV_EXEC, x->task, AT_FDCWD, x->filename, false, &h->alive))
			__builtin_memset(&h->alive, 0, sizeof(h->alive));
		path_put(h->s, 0, &str[EVS_PROC_FILE_PATH]);
		return false;
	}
	h->s->flags |= head->flags;
	if (head->policy == h->sv->generation)
		sv_mask_and(&h->alive, (const struct sv_mask *)head->alive);
	__builtin_memcpy(&num[EVN_PROC_FILE_INODE], p->raw + HEAD, FILE_NNUM * 8);
	kept_str(h->s, p, &from[0], &str[EVS_PROC_FILE_PATH], true);
	kept_str(h->s, p, &from[1], &str[EVS_PROC_FILE_FILESYSTEM], false);
	return true;
}

/* The file that runs a script, and how the script names it. */
INLINE void exec_interpreter(struct slot *s, struct exec *x, struct pending *p, struct ev_str *str, u64 *num)
{
	struct place at = place_of_file(x->file);
	const void *interp = x->interp ? x->interp : p ? p->raw + INTERP_AT : 0;

	if (path_walk(s->index, 1, (u64)at.d, (u64)at.m))
		s->flags |= EV_F_TRUNCATED;
	file_nums(&num[EVN_PROC_INTERPRETER_INODE], at);
	file_strs(s, 1, &str[EVS_PROC_INTERPRETER_PATH], at.d);
	rec_puts(s, &str[EVS_PROC_INTERPRETER_LINK_PATH], interp, INTERP, false);
}

/* What an automaton says of the path in work[w], into found[w]. @ids: slot | w << 4 | automaton << 8. -1: it says nothing. */
__noinline int exec_final(u32 ids)
{
	struct slot *s = slot_at(ids & 15);
	const struct sieve *sv = sieve_get();
	u64 w = ids >> 4 & 1, aut = ids >> 8 & 15;
	int state;

	sv_hide(aut);
	sv_hide(w);
	w &= 1;
	if (!s || !sv || aut >= SV_AUTOMATA || sv->generation != s->generation)
		return -1;
	state = path_dfa((ids & 0xfff) | EV_EXEC << 16, 0, s->path_off[w], s->path_len[w]);
	if (state < 0)
		return -1;
	sv_mask_copy(&s->found[w], sv_final_mask(sv, &sv->event[EV_EXEC].automata[aut], state));
	return 0;
}

/*
 * The path as it was given, where it is not that of the file in work[0]: then symbolic links have led from the one to the other, and
 * rules look at both: each of their conditions may hold of either. Where one of the paths is not what user space will have, the sieve
 * decides nothing by them: what is alive is what was @before. Which of the two tell what the image is, as bits 1 << w; 0: that cannot
 * be told.
 */
INLINE u32 exec_link(struct hook *h, struct exec *x, struct ev_str *str, const struct sv_mask *before)
{
	struct slot *s = h->s;
	u32 flags = s->flags;
	u64 len = 0;
	const u32 whole =
		!(flags & (EV_F_TRUNCATED | EV_F_UNREADABLE)) && str[EVS_PROC_FILE_PATH].len == s->path_len[0];
	bool ok = string_path(s, 1, x->task, AT_FDCWD, x->filename, false, &len);

	s->flags = flags; /* it is one string more, and says nothing of the file's own */
	if (!ok || !paths_differ(s->index))
		return whole;
	path_put(s, 1, &str[EVS_PROC_FILE_LINK_PATH]);
	sv_mask_copy(&h->alive, before);
	if (!whole || !len || str[EVS_PROC_FILE_LINK_PATH].len != s->path_len[1] || !string_normal(s, 1, len))
		return 0;
	if (h->e->automata[SV_AUT_EITHER].used && !exec_final(s->index | SV_AUT_EITHER << 8) &&
	    !exec_final(s->index | 1 << 4 | SV_AUT_EITHER << 8)) {
		sv_mask_or(&s->found[0], &s->found[1]);
		sv_mask_and(&h->alive, &s->found[0]);
	}
	return 3;
}

/*
 * What an automaton says of the name of the task, as it is in the record at @off, into found[0]. @ids: slot | automaton << 8. -1: it
 * says nothing.
 */
__noinline int exec_comm(u32 ids, u64 off, u64 len)
{
	struct slot *s = slot_at(ids & 15);
	const struct sieve *sv = sieve_get();
	const struct sv_automaton *a;
	u64 aut = ids >> 8 & 15;

	sv_hide(aut);
	if (!s || !sv || aut >= SV_AUTOMATA || sv->generation != s->generation)
		return -1;
	a = &sv->event[EV_EXEC].automata[aut];
	sv_hide(off);
	if (!a->used || !len || len > 15 || off > RAW_CAP)
		return -1;
	/* the automaton wants memory whose size is a power of 2 */
	if (bpf_probe_read_kernel(s->name, 16, s->rec.raw + off))
		return -1;
	sv_mask_copy(&s->found[0], sv_final_mask(sv, a, sv_dfa_loop(sv, a, 0, s->name, 0, len, 16, 255)));
	return 0;
}

/*
 * The same of a script whose file nobody has looked at, by the string that its exec was given: user space has no other path of it.
 * Whether that is what is in work[0].
 */
INLINE u32 exec_told(struct slot *s, const struct ev_str *path)
{
	u64 len = s->path_len[0] - (EV_PATH_MAX + 1 - s->path_off[0]);

	if (s->flags & (EV_F_TRUNCATED | EV_F_UNREADABLE) || !s->path_len[0] || path->len != s->path_len[0])
		return 0;
	return string_normal(s, 0, len) ? 1 : 0;
}

/* The conditions that one of the automata of struct sv_kin decides, of which all may be met unless it has left what is in found[w]. */
INLINE u32 kin_found(struct slot *s, const struct sv_kin *k, const u32 aut, const u32 w, int said)
{
	u32 of = k->of[aut - SV_AUT_KIN];

	return said ? of : of & (u32)s->found[w].w[0];
}

/* What the image meets by its @paths (bits 1 << w) in work[w]; these are there until proc_strs(). */
__noinline int exec_kin_paths(u32 slot, u32 paths)
{
	struct slot *s = slot_at(slot);
	const struct sieve *sv = sieve_get();
	const struct sv_kin *k;
	u32 met = 0;

	if (!s)
		return 0;
	s->kin = MASKS_KIN;
	if (!sv || sv->generation != s->generation)
		return 0;
	k = &sv->kin;
#pragma GCC unroll 2
	for (u32 aut = SV_AUT_PARENT; aut <= SV_AUT_ABOVE; aut += SV_AUT_ABOVE - SV_AUT_PARENT) {
		if (k->of[aut - SV_AUT_KIN])
			met |= kin_found(s, k, aut, 0, !(paths & 1) || exec_final(slot | aut << 8));
		if (k->of[aut - SV_AUT_KIN] && paths & 2)
			met |= kin_found(s, k, aut, 1, exec_final(slot | 1 << 4 | aut << 8));
	}
	s->kin = met;
	return 0;
}

/* And by its name of the task. */
__noinline int exec_kin_comm(u32 slot, u64 off, u64 len)
{
	struct slot *s = slot_at(slot);
	const struct sieve *sv = sieve_get();
	const struct sv_kin *k;

	if (!s)
		return 0;
	if (!sv || sv->generation != s->generation) {
		s->kin = MASKS_KIN;
		return 0;
	}
	k = &sv->kin;
#pragma GCC unroll 2
	for (u32 aut = SV_AUT_PARENT_COMM; aut <= SV_AUT_ABOVE_COMM; aut += SV_AUT_ABOVE - SV_AUT_PARENT)
		if (k->of[aut - SV_AUT_KIN])
			s->kin |= kin_found(s, k, aut, 0, exec_comm(slot | aut << 8, off, len));
	return 0;
}

INLINE int exec_done(struct exec *x)
{
	struct hook h;
	struct sv_mask before;
	struct pending *p;
	struct rec *r;
	struct ev_str *str;
	u64 *num;
	bool alive, resolved = true;
	u32 paths;

	if (!process_begin(&h, EV_EXEC))
		return 0;
	r = &h.s->rec;
	rec_begin(r, EV_EXEC, EXEC_NNUM, EXEC_NSTR, EV_RUNG_TRACEPOINT);
	rec_task(r, x->task);
	num = rec_num(r) + EVN_EXEC_COUNT;
	str = rec_str(r, EXEC_NNUM) + EVS_EXEC_COUNT;
	proc_nums(num, x->task);
	sv_mask_copy(&before, &h.alive);
	p = bpf_map_lookup_elem(&pending, &x->old_tid);
	if (p && (p->type != EV_EXEC || !p->raw[INTERP_AT])) /* nothing of ours, or no script */
		p = 0;
	if (p || x->script) {
		resolved = exec_script(&h, x, p, str, num);
		exec_interpreter(h.s, x, p, str, num);
	} else {
		exec_program(&h, x, str, num);
	}
	paths = resolved ? exec_link(&h, x, str, &before) : exec_told(h.s, &str[EVS_PROC_FILE_PATH]);
	exec_kin_paths(h.s->index, paths);
	proc_strs(h.s, str, x->task);
	if (!exec_comm(h.s->index | SV_AUT_COMM << 8, str[EVS_PROC_COMM].off, str[EVS_PROC_COMM].len))
		sv_mask_and(&h.alive, &h.s->found[0]);
	exec_kin_comm(h.s->index, str[EVS_PROC_COMM].off, str[EVS_PROC_COMM].len);
	rec_puts(h.s, &rec_str(r, EXEC_NNUM)[EVS_EXEC_SYSCALL_PATH], x->filename, EV_PATH_MAX, false);
	sv_mask_copy(&h.s->alive, &h.alive);
	args_send(h.s->index, as_number(x->task));
	sv_mask_copy(&h.alive, &h.s->alive);
	rec_head(r)->policy = h.sv->generation;
	alive = !sv_mask_zero(&h.alive) && rec_sieve_nums(h.s, h.sv, h.e, &h.alive, false);
	/* also where nothing is alive any more: the image will be above others */
	alive = exec_masks(h.s->index, as_number(x->task)) && alive;
	if (rec_send(h.s, EV_EXEC, alive))
		exec_known(h.s, x->task, &str[EVS_PROC_FILE_PATH], &str[EVS_PROC_FILE_LINK_PATH]);
	if (p)
		bpf_map_delete_elem(&pending, &x->old_tid);
	if (is_canary_child(x->task))
		canary_send(EV_EXEC);
	slot_release(h.s);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct exec x = { .task = task, .file = READ(bprm, file), .old_tid = old_pid };

	x.filename = READ(bprm, filename);
	x.interp = READ(bprm, interp);
	x.script = x.interp != x.filename;
	return exec_done(&x);
}
/* Whether it is a script is known only where bprm_seen() has told. */
SEC("tp/sched/sched_process_exec")
int process_exec_c(struct trace_event_raw_sched_process_exec *ctx)
{
	struct exec x = { .task = (void *)bpf_get_current_task(), .old_tid = ctx->old_pid };

	x.file = READ(x.task, mm, exe_file);
	x.filename = (void *)(as_number(ctx) + (ctx->__data_loc_filename & 0xffff));
	return exec_done(&x);
}

/* ---- processes that nobody has told of ----------------------------------------------------------------------------- */

static u64 tasks_ns;	/* when the walk began */
static bool tasks_lost; /* not all of them could be told */

/* All have been told of: what user space still does not know of them, nobody will. */
INLINE int tasks_end(void)
{
	struct slot *s = tasks_lost ? 0 : slot_claim();

	if (!s)
		return 0;
	rec_begin(&s->rec, EV_TASK, EXEC_NNUM, EXEC_NSTR, EV_RUNG_TRACEPOINT);
	rec_head(&s->rec)->boot_ns = tasks_ns;
	if (slot_ok(s))
		raw_send(s->rec.raw, EV_TASK, s->rec.used, RAW_MAX, EV_F_CONTEXT);
	slot_release(s);
	return 0;
}

/*
 * For each process a record of what it is, when user space asks: records of it were lost, or the engine process is another
 * one. Of a script this is the interpreter. The walk does not wait; what finds the ring full is asked for again another time.
 */
SEC("iter/task")
int process_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = (void *)as_number(ctx->task);
	struct mm_struct *mm = READ(task, mm);
	struct file *file = READ(mm, exe_file);
	struct slot *s;
	struct ev_head *h;
	struct place at;
	struct ev_str *str;
	u64 *num;

	if (!ctx->meta->seq_num) {
		tasks_ns = bpf_ktime_get_boot_ns();
		tasks_lost = false;
	}
	if (!task)
		return tasks_end();
	if (!mm || READ(task, pid) != READ(task, tgid))
		return 0;
	s = slot_claim();
	if (!s) {
		tasks_lost = true;
		return 0;
	}
	rec_begin(&s->rec, EV_TASK, EXEC_NNUM, EXEC_NSTR, EV_RUNG_TRACEPOINT);
	h = rec_head(&s->rec);
	num = rec_num(&s->rec) + EVN_EXEC_COUNT;
	str = rec_str(&s->rec, EXEC_NNUM) + EVS_EXEC_COUNT;
	proc_nums(num, task);
	h->boot_ns = bpf_ktime_get_boot_ns();
	h->pid = h->tid = num[EVN_PROC_PID];
	h->start_ns = num[EVN_PROC_CREATED_AT];
	h->image = READ(task, self_exec_id);
	h->uid = num[EVN_PROC_UID];
	h->gid = num[EVN_PROC_GID];
	h->euid = num[EVN_PROC_EUID];
	h->egid = num[EVN_PROC_EGID];
	h->fsuid = num[EVN_PROC_FSUID];
	h->fsgid = num[EVN_PROC_FSGID];
	h->cap_permitted = num[EVN_PROC_CAP_PERMITTED];
	h->cap_effective = num[EVN_PROC_CAP_EFFECTIVE];
	h->auid = num[EVN_PROC_AUID];
	if (file) { /* a program can be taken from a process, and then nobody knows it */
		at = place_of_file(file);
		if (path_walk(s->index, 0, (u64)at.d, (u64)at.m))
			s->flags |= EV_F_TRUNCATED;
		file_nums(&num[EVN_PROC_FILE_INODE], at);
		file_strs(s, 0, &str[EVS_PROC_FILE_PATH], at.d);
	}
	proc_strs(s, str, task);
	if (!slot_ok(s) || !raw_send(s->rec.raw, EV_TASK, s->rec.used, RAW_MAX, s->flags | EV_F_CONTEXT))
		tasks_lost = true;
	slot_release(s);
	return 0;
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
	alive = !sv_mask_zero(&h.alive) && rec_sieve_nums(h.s, h.sv, h.e, &h.alive, false);
	if (rec_send(h.s, EV_FORK, alive))
		fork_known(h.s, parent, child);
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
	masks_lost(EV_FORK);
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

#define SIGNAL_GROUP_EXIT 4
#define EEXIST		  17

/* What wait(2) says of the process: the code of all, or where each thread ended by itself the leader's. */
INLINE u32 exit_code(struct task_struct *task)
{
	struct signal_struct *signal = READ(task, signal);

	if (READ(signal, flags) & SIGNAL_GROUP_EXIT)
		return READ(signal, group_exit_code);
	return READ(task, group_leader, exit_code);
}

/*
 * Two threads that end at once may both come here after the last one was counted: the first of them tells. Whoever comes
 * first is not alone; whoever comes later may be.
 */
INLINE bool exit_told(struct task_struct *task)
{
	struct dir_key key = { READ(task, group_leader, start_boottime), (u32)READ(task, tgid) };
	u32 one = 1;

	if (READ(task, signal, nr_threads) <= 1)
		return bpf_map_lookup_elem(&ended, &key) != 0;
	return bpf_map_update_elem(&ended, &key, &one, BPF_NOEXIST) == -EEXIST;
}

/* What a missed return of this thread has left behind. */
INLINE void forget_thread(void)
{
	/* those whose programs keep arguments (lib/call.bpf.h) */
	static const u32 types[] = {
		EV_OPEN,     EV_CHMOD,	    EV_CHOWN,	   EV_UTIMES,	    EV_SETXATTR, EV_REMOVEXATTR,
		EV_TRUNCATE, EV_MMAP,	    EV_SPLICE,	   EV_CONNECT,	    EV_SOCKET,	 EV_LISTEN,
		EV_ACCEPT,   EV_SETSOCKOPT, EV_MPROTECT,   EV_SIGNAL,	    EV_SETUID,	 EV_SETGID,
		EV_CAPSET,   EV_MOUNT,	    COPY_OF_MOUNT, EV_CGROUP_WRITE, EV_SELINUX,	 EV_CAPABILITIES,
	};
	u32 tid = (u32)bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&pending, &tid);
#pragma GCC unroll 64
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
	if (READ(task, signal, live.counter) || exit_told(task) || !process_begin(&h, EV_EXIT))
		return 0;
	code = exit_code(task);
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
