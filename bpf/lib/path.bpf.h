/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Paths: from a dentry and its mount up to the root of the mount namespace, or from a string and the directory that it
 * is relative to; and the sieve over them.
 *
 * A path is built backwards, from its last component, so that it ends at work[w][EV_PATH_MAX]. A string that user space
 * gave is appended behind it. The offset is kept in the slot (map memory) and read again at every step: held in a
 * register, the verifier would follow every value that it can have.
 *
 * What loops is a global function (path_walk, dir_fingerprint, path_dfa, path_normal): the verifier then looks at it
 * once a program and not once for each way that leads to it. 5.10 takes only numbers as arguments there, so they get
 * the slot by its index and kernel pointers as numbers, and find the sieve anew: should a policy have been swapped in
 * between, they see another generation and decide nothing.
 */
#ifndef TAMIS_BPF_PATH_H
#define TAMIS_BPF_PATH_H

#include "lib/emit.bpf.h"

#define PATH_DEPTH 100
#define AT_FDCWD   -100

struct place {
	struct dentry *d;
	struct mount *m;
};

INLINE struct mount *real_mount(struct vfsmount *mnt)
{
	return (void *)mnt - __builtin_preserve_field_info(((struct mount *)0)->mnt, BPF_FIELD_BYTE_OFFSET);
}

INLINE struct place place_of(struct path *p)
{
	struct place at = { READ(p, dentry), real_mount(READ(p, mnt)) };

	return at;
}

INLINE struct place place_of_file(struct file *f)
{
	struct place at = { READ(f, f_path.dentry), real_mount(READ(f, f_path.mnt)) };

	return at;
}

/* Steps from the root of a mount to where it is mounted. False at the root of all, and on what hangs nowhere. */
INLINE bool place_cross(struct place *at)
{
	struct mount *up = READ(at->m, mnt_parent);

	if (at->d != READ(at->m, mnt.mnt_root) || up == at->m)
		return false;
	at->d = READ(at->m, mnt_mountpoint);
	at->m = up;
	return true;
}

/*
 * Whether the mount that a walk ended at is attached nowhere: unmounted while in use (MNT_DETACH), or not mounted yet
 * (open_tree, fsmount). What lies above it cannot be known then. Namespaces of the latter have no number or, on newer
 * kernels, a common one. Mounts of the kernel's own (memfd, pipes) have an error in place of a namespace.
 */
INLINE bool mount_is_adrift(struct mount *m)
{
	struct mnt_namespace *ns = READ(m, mnt_ns);
	u32 inum;

	if ((u64)ns >= (u64)-4095)
		return false;
	inum = ns ? READ(ns, ns.inum) : 0;
	return inum == 0 || inum == 0xEFFFFFF7; /* MNT_NS_ANON_INO */
}

INLINE struct slot *slot_at(u32 index)
{
	return bpf_map_lookup_elem(&slots, &index);
}

/* Puts the name of @d before what work[w] holds. Returns 0, or -1 if it does not fit or changed under the reading. */
INLINE int path_prepend(struct slot *s, u32 w, struct dentry *d, bool slash)
{
	u64 before = READ(d, d_name.hash_len), off = s->path_off[w & 1], len = before >> 32, pos;
	const void *name = READ(d, d_name.name);

	sv_hide(len);
	if (len > 255 || off < len + 1)
		return -1;
	off -= len;
	pos = off;
	sv_hide(pos);
	pos &= EV_PATH_MAX - 1;
	sv_hide(len);
	len &= 255;
	if (bpf_probe_read_kernel(&s->work[w & 1][pos], len, name) || READ(d, d_name.hash_len) != before)
		return -1;
	if (slash) {
		off--;
		pos = off;
		sv_hide(pos);
		pos &= EV_PATH_MAX - 1;
		s->work[w & 1][pos] = '/';
	}
	s->path_off[w & 1] = off;
	return 0;
}

/*
 * Writes the path of dentry @d_ on mount @m_ before work[w][EV_PATH_MAX]; without a mount (0) the path in its filesystem. 0,
 * or -1 when it is too deep, too long, attached nowhere, or was renamed while it was read: then it is not to be relied on.
 */
__noinline int path_walk(u32 slot, u32 w, u64 d_, u64 m_)
{
	struct place at = { (struct dentry *)d_, (struct mount *)m_ };
	struct slot *s = slot_at(slot);
	bool done = false;

	if (!s)
		return -1;
	s->path_off[w & 1] = EV_PATH_MAX;
	s->path_len[w & 1] = 0;
	for (int i = 0; i < PATH_DEPTH; i++) {
		struct dentry *parent = READ(at.d, d_parent);

		if (at.d == parent || at.d == READ(at.m, mnt.mnt_root)) {
			if (place_cross(&at))
				continue;
			/* A root of its own that is not a mount's: memfd, pipe. Its name is all there is. */
			if (at.d != READ(at.m, mnt.mnt_root) && path_prepend(s, w, at.d, false))
				return -1;
			done = true;
			break;
		}
		if (path_prepend(s, w, at.d, true))
			break;
		at.d = parent;
	}
	if (done && s->path_off[w & 1] == EV_PATH_MAX) {
		s->path_off[w & 1] = EV_PATH_MAX - 1;
		s->work[w & 1][EV_PATH_MAX - 1] = '/';
	}
	s->path_len[w & 1] = EV_PATH_MAX - s->path_off[w & 1];
	return done && !(m_ && mount_is_adrift(at.m)) ? 0 : -1;
}

/*
 * Three values at once. They are multiplied by secret numbers, so that nobody can choose some that come to the same.
 */
INLINE void mix(struct dir_key *k, u64 u, u64 v, u64 w, const u64 s, const u64 t)
{
	u += v * s + w * t;
	k->a = (k->a ^ u) * 0xff51afd7ed558ccdull;
	k->a ^= k->a >> 32;
	k->b = k->b * s + u;
}

struct dentry___seq {
	struct {
		u32 sequence;
	} d_seq;
} __attribute__((preserve_access_index));
struct inode___gen {
	u32 i_generation;
} __attribute__((preserve_access_index));

/* What a fingerprint takes of a dentry. */
struct dentry_look {
	struct dentry *parent;
	u64 hash_len;
	u32 seq; /* every rename changes it */
};
INLINE struct dentry_look dentry_look(struct dentry *d, const bool cast)
{
	struct dentry_look l;
	/* The first word of whatever type d_seq has (seqcount_t, seqcount_spinlock_t). */
	u64 seq = bpf_core_field_offset(((struct dentry___seq *)d)->d_seq);

	if (cast) {
		d = CAST(d);
		l.parent = d->d_parent;
		l.hash_len = d->d_name.hash_len;
		l.seq = *(volatile u32 *)((void *)d + seq);
	} else {
		l.parent = READ(d, d_parent);
		l.hash_len = READ(d, d_name.hash_len);
		l.seq = LOAD((u32 *)((void *)d + seq));
	}
	return l;
}

INLINE u32 dentry_seq(struct dentry *d)
{
	return LOAD((u32 *)((void *)d + bpf_core_field_offset(((struct dentry___seq *)d)->d_seq)));
}

/*
 * What a directory is known by in the cache: all dentries up to the root, each by its address, its d_seq (which every
 * rename of it changes) and the hash and length of its name, and the directory's inode and generation. Nothing has to
 * be invalidated when a directory above is renamed or a mount moves: the fingerprint is another one then, also for
 * renames done by io_uring, an NFS server or an overlay. False where the chain is too deep. @root is that of @at's mount;
 * @cast: whether casts work here, where that is known.
 */
INLINE bool dir_fingerprint(struct place at, struct dentry *root, u64 salt, const bool cast, struct dir_key *ret)
{
	struct inode *inode = LOAD_IF(cast, &at.d->d_inode);
	const u64 s = seed[2], t = seed[3];
	struct dir_key k = { seed[0], seed[1] };

	mix(&k, salt, LOAD_IF(cast, &inode->i_ino), LOAD_IF(cast, &((struct inode___gen *)inode)->i_generation), s, t);
	for (u64 i = 0; i < PATH_DEPTH; i++) {
		struct dentry_look l;

		if (at.d != root) {
			l = dentry_look(at.d, cast);
			if (at.d != l.parent) {
				mix(&k, (u64)at.d, l.hash_len, l.seq, s, t);
				at.d = l.parent;
				continue;
			}
		}
		struct mount *up = LOAD_IF(cast, &at.m->mnt_parent);

		mix(&k, (u64)at.m, 0, 0, s, t);
		if (at.d != root || up == at.m) {
			*ret = k;
			return true;
		}
		at.d = LOAD_IF(cast, &at.m->mnt_mountpoint);
		at.m = up;
		root = LOAD_IF(cast, &up->mnt.mnt_root);
	}
	return false;
}

INLINE struct dir_set *dir_set(const struct dir_key *k)
{
	u32 zero = 0;
	struct dir_cache *c = bpf_map_lookup_elem(&dirs, &zero);
	u64 i = k->b >> 52;

	sv_hide(i);
	return c ? &c->set[i & (DIR_SETS - 1)] : 0;
}

#define WAY_IS(E, K) (*(volatile u64 *)&(E)->a == (K)->a && !((*(volatile u64 *)&(E)->b ^ (K)->b) & ~(u64)DIR_STATE))

/* The state that is known under @k, or -1. */
INLINE int dir_known(const struct dir_key *k)
{
	struct dir_set *set = dir_set(k);
	const struct dir_key *e = set ? set->way : 0;

	if (!e)
		return -1;
	if (!WAY_IS(e, k) && (e++, !WAY_IS(e, k)) && (e++, !WAY_IS(e, k)) && (e++, !WAY_IS(e, k)))
		return -1;
	return *(volatile u64 *)&e->b & DIR_STATE;
}

/* The state that is known of the directory @d_ on mount @m_, or -1. @salt: policy, event and automaton. */
__noinline int dir_state(u64 d_, u64 m_, u64 salt)
{
	struct place at = { (struct dentry *)d_, (struct mount *)m_ };
	struct dir_key k;

	return dir_fingerprint(at, READ(at.m, mnt.mnt_root), salt, have_cast, &k) ? dir_known(&k) : -1;
}

struct mnt_namespace___event {
	u64 event;
} __attribute__((preserve_access_index));

/* The fingerprint into the slot's key, and what changes with every change of the mounts. False where there is none. */
INLINE bool dir_mark(struct slot *s, struct place at, u64 salt)
{
	struct mnt_namespace___event *ns = (void *)READ(at.m, mnt_ns);

	s->mounts = READ(ns, event);
	return dir_fingerprint(at, READ(at.m, mnt.mnt_root), salt, have_cast, &s->key);
}

/* Begins to learn what state the directory has: its path will be read. 1, or 0 where that cannot be remembered. */
__noinline int dir_ask(u32 slot, u64 d_, u64 m_, u64 salt)
{
	struct place at = { (struct dentry *)d_, (struct mount *)m_ };
	struct slot *s = slot_at(slot);

	return s && dir_mark(s, at, salt);
}

/* Its path was read, and leads to @state. That holds if the directory is still where it was before. */
__noinline int dir_learn(u32 slot, u64 d_, u64 m_, u64 salt, u32 state)
{
	struct place at = { (struct dentry *)d_, (struct mount *)m_ };
	struct slot *s = slot_at(slot);
	struct dir_key before;
	struct dir_set *set;
	u64 mounts, i;

	if (!s)
		return 0;
	before = s->key;
	mounts = s->mounts;
	if (!dir_mark(s, at, salt) || s->key.a != before.a || s->key.b != before.b || s->mounts != mounts)
		return 0;
	set = dir_set(&before);
	if (!set)
		return 0;
	i = before.b >> 50;
	sv_hide(i);
	i &= DIR_WAYS - 1;
	*(volatile u64 *)&set->way[i].a = before.a;
	*(volatile u64 *)&set->way[i].b = (before.b & ~(u64)DIR_STATE) | (state & DIR_STATE);
	return 1;
}

/* ---- automata over what work[] holds --------------------------------------------------------------------------- */

#define WORK_MASK (SV_BUF_SIZE - 1)
#define BLOCK	  256 /* bytes that one call of a loop's inner function looks at; a name fits */

/* Slot, buffer, automaton and event as one number, since 5.10 knows no more than five arguments. */
#define DFA_IDS(S, W, TYPE) ((S)->index | (W) << 4 | (W) << 8 | (TYPE) << 16)

/*
 * Runs an automaton from @state over at most BLOCK bytes at work[w][off..]; the state reached, or -1 if the policy was
 * swapped meanwhile.
 */
__noinline int dfa_block(u32 ids, u32 state_, u64 off, u64 len)
{
	struct slot *s = slot_at(ids & 15);
	const struct sieve *sv = sieve_get();
	u64 event = ids >> 16, aut = ids >> 8 & 15, w = ids >> 4 & 1, state = state_;
	const struct sv_automaton *a;

	sv_hide(event);
	sv_hide(aut);
	if (!s || !sv || event >= EV_TYPES || aut >= SV_AUTOMATA || sv->generation != s->generation)
		return -1;
	a = &sv->event[event].automata[aut];
	if (len > BLOCK) /* the rest of a turn would be that of the whole */
		len = BLOCK;
	return sv_dfa_loop(sv, a, state, s->work[w], off, len, BLOCK, WORK_MASK);
}

/* The same over a whole path. A block a call: the verifier looks at the inner function once, on any kernel. */
__noinline int path_dfa(u32 ids, u32 state, u64 off, u64 len)
{
	int r = state;

	for (u64 i = 0; i < EV_PATH_MAX; i += BLOCK) {
		if (i >= len || r < 0)
			break;
		r = dfa_block(ids, r, off + i, len - i);
	}
	return r;
}

/* Up from the roots of mounts to the dentry that has the name. */
INLINE struct place place_named(struct place at)
{
	for (int i = 0; i < 8 && place_cross(&at); i++)
		;
	return at;
}

/* Whether nothing leaves @state. Not by a comparison: the verifier would follow what each tells of the two. */
INLINE bool state_stays(u64 state, u64 live)
{
	return !((state - live) >> 63);
}

/*
 * Runs @a from @state over the last component of @d; the state, or -1 where the name is none or changed under the reading.
 * Eight bytes a read: names lie in memory that is aligned and comes in such pieces.
 */
INLINE int name_state(const struct sieve *sv, const struct sv_automaton *a, u64 state, struct dentry *d,
		      const bool cast)
{
	const u32 seq = dentry_look(d, cast).seq;
	const u64 len = LOAD_IF(cast, &d->d_name.len), live = a->live;
	const u64 *name = (const u64 *)LOAD_IF(cast, &d->d_name.name);
	u64 word;

	if (seq & 1 || len > 255 || (u64)name & 7)
		return -1;
	for (u64 i = 0; i < 32; i++) {
		if (8 * i >= len)
			break;
		word = LOAD_IF(cast, &name[i]);
#pragma GCC unroll 8
		for (u64 j = 0; j < 8; j++) {
			u64 past = 8 * i + j - len; /* negative: a byte of the name */

			sv_hide(past);
			if (!(past >> 63) || state_stays(state, live))
				goto out;
			state = sv_dfa_step(sv, a, state, word);
			word >>= 8;
		}
	}
out:
	return dentry_look(d, cast).seq == seq ? (int)state : -1;
}

/* The same for automaton and event @ids (type << 4 | automaton); -1 also when the policy is not @generation any more. */
__noinline int name_run(u32 ids, u32 state, u64 d, u32 generation)
{
	const struct sieve *sv = sieve_get();
	u64 event = ids >> 4, aut = ids & 15;

	sv_hide(event);
	sv_hide(aut);
	if (!sv || event >= EV_TYPES || aut >= SV_AUTOMATA || sv->generation != generation)
		return -1;
	return name_state(sv, &sv->event[event].automata[aut], state, (struct dentry *)d, have_cast);
}

/* What a directory's state is kept for. */
#define DIR_SALT(SV, TYPE, W) ((u64)(SV)->generation << 24 | (TYPE) << 2 | (W))

/*
 * The cheap look, at what the last @at (place_named) has in the cache: does the state of its directory, and then its name, rule
 * out every clause in @alive? False where that cannot be told.
 */
INLINE bool place_dead(const struct sieve *sv, const struct sv_event *e, const u32 type, const u32 w, struct place at,
		       const struct sv_mask *alive)
{
	const struct sv_automaton *a = &e->automata[w];
	struct dentry *parent = READ(at.d, d_parent);
	int state;

	if (!a->used || parent == at.d || at.d == READ(at.m, mnt.mnt_root))
		return false;
	state = dir_state((u64)parent, (u64)at.m, DIR_SALT(sv, type, w));
	if (state < 0)
		return false;
	if (!sv_mask_meets(alive, sv_reach_mask(sv, a, state)))
		return true;
	state = name_run(type << 4 | w, state, (u64)at.d, sv->generation);
	return state >= 0 && !sv_mask_meets(alive, sv_final_mask(sv, a, state));
}

/* The path in work[w] decides nothing: whatever is alive stays so. */
INLINE bool path_unasked(struct slot *s, const u32 w)
{
	s->unasked |= 1 << w;
	return true;
}

/*
 * Runs the automaton over the path in work[w], whose last @name_len bytes are its last component: first the directory,
 * whose state is learned as that of @dir on @mount, unless @dir is 0 (dir_ask() has gone before), then the name. False when
 * nothing stays alive.
 */
INLINE bool path_run(struct slot *s, const u32 w, const u32 type, const struct sieve *sv, const struct sv_automaton *a,
		     u64 name_len, u64 dir, u64 mount, struct sv_mask *alive)
{
	u64 off = s->path_off[w], len = s->path_len[w];
	int state;

	if (name_len > len || name_len > BLOCK)
		name_len = 0;
	state = path_dfa(DFA_IDS(s, w, type), 0, off, len - name_len);
	if (state < 0)
		return path_unasked(s, w);
	if (dir)
		dir_learn(s->index, dir, mount, DIR_SALT(sv, type, w), state);
	if (name_len)
		state = dfa_block(DFA_IDS(s, w, type), state, off + len - name_len, name_len);
	if (state < 0)
		return path_unasked(s, w);
	sv_mask_and(alive, sv_final_mask(sv, a, state));
	return !sv_mask_zero(alive);
}

/*
 * Sieves on the path of @at (automaton @w of the event) and leaves the path in work[w] when it returns true. What
 * cannot be read whole decides nothing.
 *
 * What place_dead() lets through is decided here on the very string that goes into the record, so that the record's mask
 * and its path belong together even when a rename comes between.
 */
INLINE bool path_decide(struct slot *s, const u32 w, const struct sieve *sv, const struct sv_event *e, const u32 type,
			struct place at, struct place named, struct sv_mask *alive)
{
	const struct sv_automaton *a = &e->automata[w];
	struct dentry *parent = READ(named.d, d_parent);
	u64 name_len = READ(named.d, d_name.len);
	u32 seq = dentry_seq(named.d);

	if (!a->used || parent == named.d || named.d == READ(named.m, mnt.mnt_root) ||
	    !dir_ask(s->index, (u64)parent, (u64)named.m, DIR_SALT(sv, type, w)))
		parent = 0;
	if (path_walk(s->index, w, (u64)at.d, (u64)at.m)) {
		s->flags |= EV_F_TRUNCATED;
		return path_unasked(s, w);
	}
	if (!a->used)
		return true;
	/* Where the name ends is known only if it is still the same. */
	if (seq & 1 || dentry_seq(named.d) != seq)
		parent = 0;
	return path_run(s, w, type, sv, a, parent ? name_len : 0, (u64)parent, (u64)named.m, alive);
}

INLINE bool path_sieve(struct slot *s, const u32 w, const struct sieve *sv, const struct sv_event *e, const u32 type,
		       struct place at, struct sv_mask *alive)
{
	struct place named = place_named(at);

	return !place_dead(sv, e, type, w, named, alive) && path_decide(s, w, sv, e, type, at, named, alive);
}

/* The same for what has no path, which the automaton takes for an empty one. */
INLINE bool no_path_sieve(struct slot *s, const u32 w, const struct sieve *sv, const struct sv_event *e,
			  struct sv_mask *alive)
{
	const struct sv_automaton *a = &e->automata[w];

	s->path_off[w] = EV_PATH_MAX;
	s->path_len[w] = 0;
	if (a->used)
		sv_mask_and(alive, sv_final_mask(sv, a, 0));
	return !sv_mask_zero(alive);
}

/* ---- paths given as strings ------------------------------------------------------------------------------------ */

INLINE struct file *file_of_fd(struct task_struct *task, s32 fd)
{
	struct fdtable *fdt = READ(task, files, fdt);
	struct file **fds = READ(fdt, fd);

	return fd < 0 || (u32)fd >= READ(fdt, max_fds) ? 0 : LOAD(fds + fd);
}

INLINE struct place place_of_pwd(struct task_struct *task)
{
	struct place at = { READ(task, fs, pwd.dentry), real_mount(READ(task, fs, pwd.mnt)) };

	return at;
}

INLINE struct place place_of_root(struct task_struct *task)
{
	struct place at = { READ(task, fs, root.dentry), real_mount(READ(task, fs, root.mnt)) };

	return at;
}

/* The directory that @dirfd means. False where it means nothing. */
INLINE bool place_of_dirfd(struct task_struct *task, s32 dirfd, struct place *ret)
{
	struct file *f;

	if (dirfd == AT_FDCWD) {
		*ret = place_of_pwd(task);
		return true;
	}
	f = file_of_fd(task, dirfd);
	if (!f)
		return false;
	*ret = place_of_file(f);
	return true;
}

/* 1 when two bytes are the same, else 0, without a jump: the verifier would follow both ways of each. */
INLINE u64 same(u64 a, u64 b)
{
	u64 d = a ^ b;

	sv_hide(d);
	return (d - 1) >> 63;
}

/* path_normal over at most BLOCK bytes. What it knows of the bytes before lies in the slot. */
__noinline int normal_block(u32 ids, u64 off, u64 len)
{
	struct slot *s = slot_at(ids & 15);
	u64 slash, dots, bad = 0, w = ids >> 4 & 1;

	if (!s)
		return 0;
	slash = s->run_slash;
	dots = s->run_dots;
	for (u64 i = 0; i < BLOCK / 8; i++) {
		if (8 * i > len)
			break;
#pragma GCC unroll 8
		for (u64 j = 0; j < 8; j++) {
			u64 at = off + 8 * i + j, byte, is_slash, is_dot, is_end;

			sv_hide(at);
			byte = s->work[w][at & WORK_MASK];
			is_slash = same(byte, '/');
			is_dot = same(byte, '.');
			is_end = is_slash | same(byte, 0);
			bad |= (slash & is_end) | (dots & (is_end | is_dot));
			dots = slash & is_dot;
			slash = is_slash;
		}
	}
	s->run_slash = slash;
	s->run_dots = dots;
	return !bad;
}

/*
 * 0 when user space will have to take '.', '..' or '//' out of the string at work[w][off..off+len), or may have to:
 * then the automaton is not asked. Also for a '/' at the end. A zero byte has to follow the string. @ids: slot | w
 * << 4.
 */
__noinline int path_normal(u32 ids, u64 off, u64 len)
{
	struct slot *s = slot_at(ids & 15);

	if (!s)
		return 0;
	s->run_slash = s->run_dots = 0;
	for (u64 i = 0; i < EV_PATH_MAX; i += BLOCK) {
		if (i > len)
			break;
		if (!normal_block(ids, off + i, len - i))
			return 0;
	}
	return 1;
}

/* Whether "/" of a process is the root of its namespace: 0 in a chroot, where there is more above it. */
__noinline int root_is_all(u64 fs_)
{
	struct fs_struct *fs = (struct fs_struct *)fs_;
	struct place at = { READ(fs, root.dentry), real_mount(READ(fs, root.mnt)) };

	at = place_named(at);
	return at.d == READ(at.m, mnt.mnt_root) && !mount_is_adrift(at.m);
}

/* The directory that a string begins at. False where there is none. */
INLINE bool place_of_string(struct task_struct *task, s32 dirfd, bool absolute, struct place *ret)
{
	struct fs_struct *fs;

	if (!absolute)
		return place_of_dirfd(task, dirfd, ret);
	fs = READ(task, fs);
	ret->d = READ(fs, root.dentry);
	ret->m = real_mount(READ(fs, root.mnt));
	return true;
}

/* One byte less than the longest string that there can be: whether there was more is not known. */
#define STRING_CUT (EV_PATH_MAX - 2)

/*
 * Puts the string @ptr behind "/" at work[w][EV_PATH_MAX]; *ret_len is its length, STRING_CUT of one that is not relied on. False, with
 * the reason in the flags, where it could not be read.
 */
INLINE bool string_read(struct slot *s, const u32 w, const void *ptr, bool user, u64 *ret_len)
{
	u64 end;
	long n;

	s->flags |= EV_F_USER_PATH;
	s->path_off[w] = EV_PATH_MAX;
	s->path_len[w] = 0;
	s->work[w][EV_PATH_MAX] = '/';
	n = user ? bpf_probe_read_user_str(&s->work[w][EV_PATH_MAX + 1], EV_PATH_MAX - 1, ptr)
		 : bpf_probe_read_kernel_str(&s->work[w][EV_PATH_MAX + 1], EV_PATH_MAX - 1, ptr);
	if (n <= 0) {
		s->flags |= EV_F_UNREADABLE;
		return false;
	}
	n--;
	if (n == STRING_CUT)
		s->flags |= EV_F_TRUNCATED;
	end = n;
	sv_hide(end);
	__builtin_memset(&s->work[w][EV_PATH_MAX + 1 + (end & (EV_PATH_MAX - 1))], 0, 8);
	*ret_len = n;
	return true;
}

/*
 * The state that is known of directory @d_ on mount @m_, taken on over the string of @len bytes that string_read() has left; -1 where it
 * is not known. @ids: as dfa_block() has them.
 */
__noinline int string_state(u32 ids, u64 d_, u64 m_, u64 salt, u64 len)
{
	int state = dir_state(d_, m_, salt);

	return state < 0 || len > BLOCK ? -1 : dfa_block(ids, state, EV_PATH_MAX + 1, len);
}

/* Puts the path of @base before the string of @len bytes that string_read() has left. False, with the reason in the flags, if it can not. */
INLINE bool string_join(struct slot *s, const u32 w, struct place base, u64 len)
{
	if (path_walk(s->index, w, (u64)base.d, (u64)base.m)) {
		s->flags |= EV_F_UNREADABLE;
		s->path_len[w] = 0;
		return false;
	}
	/* An empty string is the directory (or file) itself; behind "/" one slash is enough. */
	if (!len)
		return true;
	if (s->path_len[w] == 1)
		s->path_off[w] = EV_PATH_MAX;
	s->path_len[w] = EV_PATH_MAX - s->path_off[w] + 1 + len;
	if (s->path_len[w] <= EV_PATH_MAX)
		return true;
	s->flags |= EV_F_TRUNCATED;
	return false;
}

/* Whether what string_read() has left begins at the root of all: then it is the path. */
INLINE bool string_whole(struct slot *s, const u32 w, struct task_struct *task, bool absolute, u64 len)
{
	if (!absolute || !root_is_all((u64)READ(task, fs)))
		return false;
	s->path_off[w] = EV_PATH_MAX + 1;
	s->path_len[w] = len;
	return true;
}

/*
 * Reads the string @ptr, which means what it means to @task, seen from @dirfd. *ret_len is its length.
 * STRING_WHOLE: it is the path, as work[w][path_off..+path_len).
 * STRING_FROM: it goes on from @base.
 * STRING_NONE: neither can be told; the flags say why.
 */
enum { STRING_NONE, STRING_WHOLE, STRING_FROM };
INLINE int string_begin(struct slot *s, const u32 w, struct task_struct *task, s32 dirfd, const void *ptr, bool user,
			struct place *base, u64 *ret_len)
{
	bool absolute;

	if (!string_read(s, w, ptr, user, ret_len))
		return STRING_NONE;
	absolute = *ret_len && s->work[w][EV_PATH_MAX + 1] == '/';
	if (string_whole(s, w, task, absolute, *ret_len))
		return STRING_WHOLE;
	if (place_of_string(task, dirfd, absolute, base))
		return STRING_FROM;
	s->flags |= EV_F_UNREADABLE;
	return STRING_NONE;
}

/*
 * Whether user space will leave the string of @len bytes that string_begin() has read as it is: with the slash before
 * it, unless it is the path. In a chroot it is not, and brings its own slash.
 */
INLINE bool string_normal(struct slot *s, const u32 w, u64 len)
{
	u64 from = s->path_off[w] == EV_PATH_MAX + 1 ? EV_PATH_MAX + 1 : EV_PATH_MAX;

	return path_normal(s->index | w << 4, from, len + (EV_PATH_MAX + 1 - from));
}

/*
 * Puts the string @ptr where string_read() puts it and, where it is relative, the path of @dirfd before that; in a chroot the path of
 * its root, and then there are two slashes, which user space takes out. The path is then work[w][path_off..+path_len); *ret_len is the
 * length of the string. False, with the reason in the flags, where it cannot be relied on.
 */
INLINE bool string_path(struct slot *s, const u32 w, struct task_struct *task, s32 dirfd, const void *ptr, bool user,
			u64 *ret_len)
{
	struct place base = {};
	int how = string_begin(s, w, task, dirfd, ptr, user, &base, ret_len);

	return how != STRING_NONE && (how == STRING_WHOLE || string_join(s, w, base, *ret_len)) &&
	       *ret_len != STRING_CUT;
}

/*
 * The sieve over the path that the string @ptr means, seen from @dirfd, with string_path()'s path left of what it lets through.
 * Symbolic links are not followed: this is for hooks that have nothing better, and for failed opens.
 *
 * A string that is relative goes on from what is known of the directory, and most end there; the directory's state is learned as
 * path_decide() learns it.
 */
INLINE bool string_sieve(struct slot *s, const u32 w, const struct sieve *sv, const struct sv_event *e, const u32 type,
			 struct task_struct *task, s32 dirfd, const void *ptr, bool user, struct sv_mask *alive)
{
	const struct sv_automaton *a = &e->automata[w];
	bool asked, learns = false;
	struct place base = {};
	u64 len = 0;
	int state, how = string_begin(s, w, task, dirfd, ptr, user, &base, &len);

	if (how == STRING_NONE)
		return true;
	asked = a->used && len && len != STRING_CUT && string_normal(s, w, len);
	if (how == STRING_WHOLE)
		return !asked || path_run(s, w, type, sv, a, 0, 0, 0, alive);
	if (asked) {
		state = string_state(DFA_IDS(s, w, type), (u64)base.d, (u64)base.m, DIR_SALT(sv, type, w), len);
		if (state >= 0 && !sv_mask_meets(alive, sv_final_mask(sv, a, state)))
			return false;
		learns = len <= BLOCK && dir_ask(s->index, (u64)base.d, (u64)base.m, DIR_SALT(sv, type, w));
	}
	if (!string_join(s, w, base, len) || !asked)
		return true;
	return path_run(s, w, type, sv, a, learns ? len : 0, learns ? (u64)base.d : 0, (u64)base.m, alive);
}

/* Whether the paths in work[0] and work[1] differ. A block a call, as in path_normal(). */
__noinline int differ_block(u32 slot, u64 a, u64 b, u64 len)
{
	struct slot *s = slot_at(slot);
	u64 bad = 0;

	if (!s)
		return 1;
	for (u64 i = 0; i < BLOCK / 8; i++) {
		if (8 * i >= len)
			break;
#pragma GCC unroll 8
		for (u64 j = 0; j < 8; j++) {
			u64 x = a + 8 * i + j, y = b + 8 * i + j;

			sv_hide(x);
			sv_hide(y);
			bad |= 8 * i + j < len ? s->work[0][x & WORK_MASK] ^ s->work[1][y & WORK_MASK] : 0;
		}
	}
	return bad != 0;
}

__noinline int paths_differ(u32 slot)
{
	struct slot *s = slot_at(slot);
	u64 len, a, b;

	if (!s || s->path_len[0] != s->path_len[1])
		return 1;
	len = s->path_len[0];
	a = s->path_off[0];
	b = s->path_off[1];
	for (u64 i = 0; i < EV_PATH_MAX; i += BLOCK) {
		if (i >= len)
			break;
		if (differ_block(slot, a + i, b + i, len - i))
			return 1;
	}
	return 0;
}

/* ---- the file object in the record ----------------------------------------------------------------------------- */

#define OVERLAYFS_SUPER_MAGIC 0x794c7630

/* Types that were found out (--btf discover) have no magic, and the size of an inode is not known there. */
INLINE bool on_overlay(struct dentry *d)
{
	struct super_block *sb = READ(d, d_sb);

	return bpf_core_field_exists(sb->s_magic) && READ(sb, s_magic) == OVERLAYFS_SUPER_MAGIC;
}

/*
 * Whether the file lies on the upper layer of an overlay. Right behind the inode in an overlay's struct ovl_inode is the
 * upper layer's dentry, NULL as long as there is none: so it is from 4.13 on ("ovl: move __upperdentry to ovl_inode"), and in 7.3
 * (fs/overlayfs/ovl_entry.h). A name that is to be made has no inode yet; an overlay makes it there.
 */
INLINE bool in_upper_layer(struct dentry *d, struct inode *inode)
{
	if (!on_overlay(d))
		return false;
	return !inode || LOAD((struct dentry **)((void *)inode + bpf_core_type_size(struct inode)));
}

/* The numbers of CAT_FILE at @num (INODE first), in the order of catalog.def. */
INLINE void file_nums(u64 *num, struct place at)
{
	struct inode *inode = READ(at.d, d_inode);

	num[1] = (u32)READ(at.m, mnt_id);
	num[7] = in_upper_layer(at.d, inode);
	if (!inode)
		return;
	num[0] = READ(inode, i_ino);
	num[2] = READ(inode, i_mode);
	num[3] = READ(inode, i_uid.val);
	num[4] = READ(inode, i_gid.val);
	num[5] = inode_mtime(inode);
	num[6] = inode_ctime(inode);
}

/* The same of the second name that a call makes: whatever it replaces, an overlay has it on the upper layer. */
INLINE void dest_nums(u64 *num, struct place at)
{
	file_nums(num, at);
	num[7] = on_overlay(at.d);
}

INLINE void path_put(struct slot *s, const u32 w, struct ev_str *str)
{
	u64 off = s->path_off[w];

	sv_hide(off);
	off &= SV_BUF_SIZE - 1;
	rec_put(s, str, &s->work[w][off], s->path_len[w]);
}

/* The strings of CAT_FILE: the path that work[w] holds and the filesystem's type. @str[0] and [1]. */
INLINE void file_strs(struct slot *s, const u32 w, struct ev_str *str, struct dentry *d)
{
	path_put(s, w, &str[0]);
	if (d)
		rec_puts(s, &str[1], READ(d, d_sb, s_type, name), 32, false);
}

#endif
