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

INLINE void mix(struct dir_key *k, u64 v)
{
	k->a = (k->a ^ v) * 0xff51afd7ed558ccdull;
	k->a ^= k->a >> 32;
	k->b = (k->b + v) * 0xc4ceb9fe1a85ec53ull;
	k->b ^= k->b >> 29;
}

struct dentry___seq {
	struct {
		u32 sequence;
	} d_seq;
} __attribute__((preserve_access_index));
struct inode___gen {
	u32 i_generation;
} __attribute__((preserve_access_index));

INLINE u32 dentry_seq(struct dentry *d)
{
	/* The sequence is the first word of whatever type d_seq has (seqcount_t, seqcount_spinlock_t). */
	struct dentry___seq *ds = (void *)d;
	u32 seq = 0;

	bpf_probe_read_kernel(&seq, sizeof(seq), (void *)ds + bpf_core_field_offset(ds->d_seq));
	return seq;
}

/*
 * What a directory is known by in the cache: all dentries up to the root, each by its address, its d_seq (which every
 * rename of it changes) and the hash and length of its name, and the directory's inode and generation. Nothing has to
 * be invalidated when a directory above is renamed or a mount moves: the fingerprint is another one then, also for
 * renames done by io_uring, an NFS server or an overlay. 0 with the fingerprint in the slot's
 * key, or -1 where the chain is too deep.
 */
__noinline int dir_fingerprint(u32 slot, u64 d_, u64 m_, u64 salt)
{
	struct place at = { (struct dentry *)d_, (struct mount *)m_ };
	struct inode *inode = READ(at.d, d_inode);
	struct slot *s = slot_at(slot);
	struct dir_key k = { seed[0] ^ salt, seed[1] + salt };

	if (!s)
		return -1;
	mix(&k, READ(inode, i_ino));
	mix(&k, READ((struct inode___gen *)inode, i_generation));
	for (int i = 0; i < PATH_DEPTH; i++) {
		struct dentry *parent = READ(at.d, d_parent);

		if (at.d == parent || at.d == READ(at.m, mnt.mnt_root)) {
			mix(&k, (u64)at.m);
			if (!place_cross(&at)) {
				s->key = k;
				return 0;
			}
			continue;
		}
		mix(&k, (u64)at.d);
		mix(&k, READ(at.d, d_name.hash_len));
		mix(&k, dentry_seq(at.d));
		at.d = parent;
	}
	return -1;
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

/*
 * The last component of @at (place_named) to the front of work[w], where no path has been built yet; its length, or 0
 * for roots and where it changed under the reading.
 */
INLINE u64 path_name(struct slot *s, const u32 w, struct place at)
{
	u64 hash_len = READ(at.d, d_name.hash_len), len = hash_len >> 32;
	const void *name = READ(at.d, d_name.name);

	if (READ(at.d, d_parent) == at.d || len > 255 || at.d == READ(at.m, mnt.mnt_root))
		return 0;
	sv_hide(len);
	len &= 255;
	if (bpf_probe_read_kernel(s->work[w], len, name) || READ(at.d, d_name.hash_len) != hash_len)
		return 0;
	return len;
}

/*
 * The cheap look: the directory's cached state and the last name. False when that rules out every clause in @alive.
 * Where it cannot tell, true. *ret_learn says that the directory's state should be stored under the slot's key.
 */
INLINE bool path_peek(struct slot *s, const u32 w, const u32 type, const struct sieve *sv, const struct sv_automaton *a,
		      struct place named, const struct sv_mask *alive, bool *ret_learn)
{
	u64 len = path_name(s, w, named);
	u32 *cached;
	int state;

	if (!len || dir_fingerprint(s->index, (u64)READ(named.d, d_parent), (u64)named.m,
				    ((u64)sv->generation << 24) | type << 2 | w))
		return true;
	cached = bpf_map_lookup_elem(&dirs, &s->key);
	*ret_learn = !cached;
	if (!cached)
		return true;
	if (!sv_mask_meets(alive, sv_reach_mask(sv, a, *cached)))
		return false;
	state = dfa_block(DFA_IDS(s, w, type), *cached, 0, len);
	return state < 0 || sv_mask_meets(alive, sv_final_mask(sv, a, state));
}

/*
 * Runs the automaton over the path in work[w], whose last @name_len bytes are its last component: first the directory,
 * whose state is stored under the slot's key if @learn, then the name. False when nothing stays alive.
 */
INLINE bool path_run(struct slot *s, const u32 w, const u32 type, const struct sieve *sv, const struct sv_automaton *a,
		     u64 name_len, bool learn, struct sv_mask *alive)
{
	u64 off = s->path_off[w], len = s->path_len[w];
	int state;
	u32 dir;

	if (name_len > len || name_len > BLOCK)
		name_len = 0;
	state = path_dfa(DFA_IDS(s, w, type), 0, off, len - name_len);
	if (state < 0)
		return true;
	dir = state;
	if (learn)
		bpf_map_update_elem(&dirs, &s->key, &dir, BPF_ANY);
	if (name_len)
		state = dfa_block(DFA_IDS(s, w, type), dir, off + len - name_len, name_len);
	if (state < 0)
		return true;
	sv_mask_and(alive, sv_final_mask(sv, a, state));
	return !sv_mask_zero(alive);
}

/*
 * Sieves on the path of @at (automaton @w of the event) and leaves the path in work[w] when it returns true. What
 * cannot be read whole decides nothing.
 *
 * The cheap look may only drop: what it lets through is decided on the very string that goes into the record, so that
 * the record's mask and its path belong together even when a rename comes between.
 */
INLINE bool path_sieve(struct slot *s, const u32 w, const struct sieve *sv, const struct sv_event *e, const u32 type,
		       struct place at, struct sv_mask *alive)
{
	const struct sv_automaton *a = &e->automata[w];
	struct place named = place_named(at);
	bool learn = false;

	if (a->used && !path_peek(s, w, type, sv, a, named, alive, &learn))
		return false;
	if (path_walk(s->index, w, (u64)at.d, (u64)at.m)) {
		s->flags |= EV_F_TRUNCATED;
		return true;
	}
	if (!a->used)
		return true;
	return path_run(s, w, type, sv, a, READ(named.d, d_name.hash_len) >> 32, learn, alive);
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
	struct file **fds = READ(fdt, fd), *f = 0;

	if (fd < 0 || (u32)fd >= READ(fdt, max_fds))
		return 0;
	bpf_probe_read_kernel(&f, sizeof(f), fds + fd);
	return f;
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

/*
 * Puts the string @ptr behind "/" at work[w][EV_PATH_MAX] and, where it is relative, the path of @dirfd before that; in
 * a chroot the path of its root, and then there are two slashes, which user space takes out.
 * The path is then work[w][path_off..+path_len); *ret_len is the length of the string. False, with the reason in the
 * flags, where it cannot be relied on.
 */
INLINE bool string_path(struct slot *s, const u32 w, struct task_struct *task, s32 dirfd, const void *ptr, bool user,
			u64 *ret_len)
{
	struct place base;
	bool absolute, cut;
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
	/* one byte less than the longest that there can be: whether there was more is not known */
	cut = n == EV_PATH_MAX - 2;
	if (cut)
		s->flags |= EV_F_TRUNCATED;
	end = n;
	sv_hide(end);
	__builtin_memset(&s->work[w][EV_PATH_MAX + 1 + (end & (EV_PATH_MAX - 1))], 0, 8);
	*ret_len = n;
	absolute = n > 0 && s->work[w][EV_PATH_MAX + 1] == '/';
	if (absolute && root_is_all((u64)READ(task, fs))) {
		s->path_off[w] = EV_PATH_MAX + 1;
		s->path_len[w] = n;
		return !cut;
	}
	if (!place_of_string(task, dirfd, absolute, &base) || path_walk(s->index, w, (u64)base.d, (u64)base.m)) {
		s->flags |= EV_F_UNREADABLE;
		s->path_len[w] = 0;
		return false;
	}
	/* An empty string is the directory (or file) itself; behind "/" one slash is enough. */
	if (n == 0)
		return true;
	if (s->path_len[w] == 1)
		s->path_off[w] = EV_PATH_MAX;
	s->path_len[w] = EV_PATH_MAX - s->path_off[w] + 1 + n;
	if (s->path_len[w] <= EV_PATH_MAX)
		return !cut;
	s->flags |= EV_F_TRUNCATED;
	return false;
}

/*
 * The sieve over the path that the string @ptr means, seen from @dirfd. Symbolic links are not followed: this is for
 * hooks that have nothing better, and for failed opens.
 */
INLINE bool string_sieve(struct slot *s, const u32 w, const struct sieve *sv, const struct sv_event *e, const u32 type,
			 struct task_struct *task, s32 dirfd, const void *ptr, bool user, struct sv_mask *alive)
{
	const struct sv_automaton *a = &e->automata[w];
	u64 len = 0, from;

	if (!string_path(s, w, task, dirfd, ptr, user, &len) || !a->used || !len)
		return true;
	/* With the slash before it, unless it brings its own. */
	from = s->path_off[w] == EV_PATH_MAX + 1 ? EV_PATH_MAX + 1 : EV_PATH_MAX;
	if (!path_normal(s->index | w << 4, from, len + (EV_PATH_MAX + 1 - from)))
		return true;
	return path_run(s, w, type, sv, a, 0, false, alive);
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

/* The numbers of CAT_FILE at @num (INODE first), in the order of catalog.def. */
INLINE void file_nums(u64 *num, struct place at)
{
	struct inode *inode = READ(at.d, d_inode);

	num[1] = (u32)READ(at.m, mnt_id);
	if (!inode)
		return;
	num[0] = READ(inode, i_ino);
	num[2] = READ(inode, i_mode);
	num[3] = READ(inode, i_uid.val);
	num[4] = READ(inode, i_gid.val);
	num[5] = inode_mtime(inode);
	num[6] = inode_ctime(inode);
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
