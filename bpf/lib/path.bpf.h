/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Paths: from a dentry and its mount up to the root of the mount namespace, or from a string and the directory that it is
 * relative to; and the sieve over them.
 *
 * A path is built backwards, from its last component, so that it ends at work[w][EV_PATH_MAX]. A string that user space gave
 * is appended behind it. The offset is kept in the slot (map memory) and read again at every step: held in a register, the
 * verifier would follow every value that it can have (see docs/decisions/0002-path-walk.md).
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
	struct place at = { BPF_CORE_READ(p, dentry), real_mount(BPF_CORE_READ(p, mnt)) };

	return at;
}

INLINE struct place place_of_file(struct file *f)
{
	struct place at = { BPF_CORE_READ(f, f_path.dentry), real_mount(BPF_CORE_READ(f, f_path.mnt)) };

	return at;
}

/* Steps from the root of a mount to where it is mounted. False at the root of all, and on what hangs nowhere. */
INLINE bool place_cross(struct place *at)
{
	struct mount *up = BPF_CORE_READ(at->m, mnt_parent);

	if (at->d != BPF_CORE_READ(at->m, mnt.mnt_root) || up == at->m)
		return false;
	at->d = BPF_CORE_READ(at->m, mnt_mountpoint);
	at->m = up;
	return true;
}

/* Puts the name of @d before what work[w] holds. Returns 0, or -1 if it does not fit or changed under the reading. */
INLINE int path_prepend(struct slot *s, const u32 w, struct dentry *d, bool slash)
{
	u64 before = BPF_CORE_READ(d, d_name.hash_len), off = s->path_off[w], len = before >> 32, pos;
	const void *name = BPF_CORE_READ(d, d_name.name);

	sv_hide(len);
	if (len > 255 || off < len + 1)
		return -1;
	off -= len;
	pos = off;
	sv_hide(pos);
	pos &= EV_PATH_MAX - 1;
	sv_hide(len);
	len &= 255;
	if (bpf_probe_read_kernel(&s->work[w][pos], len, name) || BPF_CORE_READ(d, d_name.hash_len) != before)
		return -1;
	if (slash) {
		off--;
		pos = off;
		sv_hide(pos);
		pos &= EV_PATH_MAX - 1;
		s->work[w][pos] = '/';
	}
	s->path_off[w] = off;
	return 0;
}

/*
 * Writes the path of @at before work[w][EV_PATH_MAX]. 0, or -1 when it is too deep, too long, or was renamed while it was
 * read: then it is not to be relied on.
 */
INLINE int path_walk(struct slot *s, const u32 w, struct place at)
{
	bool done = false;

	s->path_off[w] = EV_PATH_MAX;
	for (int i = 0; i < PATH_DEPTH; i++) {
		struct dentry *parent = BPF_CORE_READ(at.d, d_parent);

		if (at.d == parent || at.d == BPF_CORE_READ(at.m, mnt.mnt_root)) {
			if (place_cross(&at))
				continue;
			/* A root of its own that is not a mount's: memfd, pipe. Its name is all there is. */
			if (at.d != BPF_CORE_READ(at.m, mnt.mnt_root) && path_prepend(s, w, at.d, false))
				return -1;
			done = true;
			break;
		}
		if (path_prepend(s, w, at.d, true))
			return -1;
		at.d = parent;
	}
	if (!done)
		return -1;
	if (s->path_off[w] == EV_PATH_MAX) {
		s->path_off[w] = EV_PATH_MAX - 1;
		s->work[w][EV_PATH_MAX - 1] = '/';
	}
	s->path_len[w] = EV_PATH_MAX - s->path_off[w];
	return 0;
}

/*
 * What a directory is known by in the cache: all dentries up to the root, each by its address, its d_seq (which every rename
 * of it changes) and the hash and length of its name, and the directory's inode and generation. Nothing has to be invalidated when
 * a directory above is renamed or a mount moves: the fingerprint is another one then, also for renames done by io_uring, an NFS server or an
 * overlay. Returns false where the chain is too deep.
 */
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

INLINE bool dir_fingerprint(struct place at, u64 salt, struct dir_key *k)
{
	struct inode *inode = BPF_CORE_READ(at.d, d_inode);

	k->a = seed[0] ^ salt;
	k->b = seed[1] + salt;
	mix(k, BPF_CORE_READ(inode, i_ino));
	mix(k, BPF_CORE_READ((struct inode___gen *)inode, i_generation));
	for (int i = 0; i < PATH_DEPTH; i++) {
		struct dentry *parent = BPF_CORE_READ(at.d, d_parent);

		if (at.d == parent || at.d == BPF_CORE_READ(at.m, mnt.mnt_root)) {
			mix(k, (u64)at.m);
			if (!place_cross(&at))
				return true;
			continue;
		}
		mix(k, (u64)at.d);
		mix(k, BPF_CORE_READ(at.d, d_name.hash_len));
		mix(k, dentry_seq(at.d));
		at.d = parent;
	}
	return false;
}

/* The last component of @at to the front of work[w], the directory above it as *ret_dir. False for roots. */
INLINE bool path_split(struct slot *s, const u32 w, struct place at, struct place *ret_dir, u64 *ret_len)
{
	struct dentry *parent;
	u64 hash_len, len;

	for (int i = 0; i < 8 && place_cross(&at); i++)
		;
	parent = BPF_CORE_READ(at.d, d_parent);
	hash_len = BPF_CORE_READ(at.d, d_name.hash_len);
	len = hash_len >> 32;
	sv_hide(len);
	if (parent == at.d || len > 255 || at.d == BPF_CORE_READ(at.m, mnt.mnt_root))
		return false;
	if (bpf_probe_read_kernel(s->work[w], len & 255, BPF_CORE_READ(at.d, d_name.name)) ||
	    BPF_CORE_READ(at.d, d_name.hash_len) != hash_len)
		return false;
	ret_dir->d = parent;
	ret_dir->m = at.m;
	*ret_len = len;
	return true;
}

/*
 * The cheap look: the directory's cached state and the last name. False when that rules out every clause in @alive. Where it
 * cannot tell, true. *ret_known says whether the directory was in the cache; *ret_cacheable, that *ret_key is good to
 * store its state under.
 */
INLINE bool path_peek(struct slot *s, const u32 w, const struct sieve *sv, const struct sv_automaton *a, u64 salt, struct place at,
		      const struct sv_mask *alive, struct dir_key *ret_key, bool *ret_cacheable, bool *ret_known)
{
	struct place dir;
	u64 len = 0;
	u32 *state;

	if (!path_split(s, w, at, &dir, &len) || !dir_fingerprint(dir, salt, ret_key))
		return true;
	*ret_cacheable = true;
	state = bpf_map_lookup_elem(&dirs, ret_key);
	if (!state)
		return true;
	*ret_known = true;
	if (!sv_mask_meets(alive, sv_reach_mask(sv, a, *state)))
		return false;
	return sv_mask_meets(alive, sv_final_mask(sv, a, sv_dfa_run_name_at(sv, a, *state, s->work[w], 0, len)));
}

/*
 * Runs the automaton over the path in work[w], whose last @name_len bytes are its last component: first the directory, whose
 * state is kept under @key unless that is NULL, then the name. False when nothing stays alive.
 */
INLINE bool path_run(struct slot *s, const u32 w, const struct sieve *sv, const struct sv_automaton *a, u64 name_len,
		     const struct dir_key *key, struct sv_mask *alive)
{
	u64 len = s->path_len[w];
	u32 state;

	sv_hide(name_len);
	if (name_len > 255 || name_len > len)
		name_len = 0;
	state = sv_dfa_run_at(sv, a, 0, s->work[w], s->path_off[w], len - name_len);
	if (key)
		bpf_map_update_elem(&dirs, key, &state, BPF_ANY);
	state = sv_dfa_run_name_at(sv, a, state, s->work[w], s->path_off[w] + len - name_len, name_len);
	sv_mask_and(alive, sv_final_mask(sv, a, state));
	return !sv_mask_zero(alive);
}

/* Length of the last component of a path. */
INLINE u64 name_len_of(struct place at)
{
	for (int i = 0; i < 8 && place_cross(&at); i++)
		;
	return BPF_CORE_READ(at.d, d_name.hash_len) >> 32;
}

/*
 * Sieves on the path of @at (automaton @w of the event) and leaves the path in work[w] when it returns true. What cannot be
 * read whole decides nothing.
 *
 * The cheap look may only drop: what it lets through is decided on the very string that goes into the record, so that the
 * record's mask and its path belong together even when a rename comes between.
 */
INLINE bool path_sieve(struct slot *s, const u32 w, const struct sieve *sv, const struct sv_event *e, const u32 type,
		       struct place at, struct sv_mask *alive)
{
	const struct sv_automaton *a = &e->automata[w];
	u64 salt = ((u64)sv->generation << 16) | (type << 2) | w;
	bool cacheable = false, known = false;
	struct dir_key key;

	if (a->used && !path_peek(s, w, sv, a, salt, at, alive, &key, &cacheable, &known))
		return false;
	if (path_walk(s, w, at)) {
		s->flags |= EV_F_TRUNCATED;
		s->path_len[w] = s->path_off[w] < EV_PATH_MAX ? EV_PATH_MAX - s->path_off[w] : 0;
		return true;
	}
	if (!a->used)
		return true;
	return path_run(s, w, sv, a, name_len_of(at), cacheable && !known ? &key : 0, alive);
}

/* ---- paths given as strings ------------------------------------------------------------------------------------------ */

INLINE struct file *file_of_fd(struct task_struct *task, s32 fd)
{
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **fds = BPF_CORE_READ(fdt, fd), *f = 0;

	if (fd < 0 || (u32)fd >= BPF_CORE_READ(fdt, max_fds))
		return 0;
	bpf_probe_read_kernel(&f, sizeof(f), fds + fd);
	return f;
}

/* The directory that @dirfd means. False where it means nothing. */
INLINE bool place_of_dirfd(struct task_struct *task, s32 dirfd, struct place *ret)
{
	struct fs_struct *fs;
	struct file *f;

	if (dirfd == AT_FDCWD) {
		fs = BPF_CORE_READ(task, fs);
		ret->d = BPF_CORE_READ(fs, pwd.dentry);
		ret->m = real_mount(BPF_CORE_READ(fs, pwd.mnt));
		return true;
	}
	f = file_of_fd(task, dirfd);
	if (!f)
		return false;
	*ret = place_of_file(f);
	return true;
}

/*
 * False when user space will have to take '.', '..' or '//' out of the string at work[w][start..start+len), or may have to:
 * then the automaton is not asked. Also for a '/' at the end.
 */
INLINE bool path_normal(struct slot *s, const u32 w, const u64 start, u64 len)
{
	u32 slash = 0, dots = 0, last = 0;

	for (u64 i = 0; i < EV_PATH_MAX; i++) {
		u64 at = start + i;
		u8 c;

		if (i >= len)
			break;
		sv_hide(at);
		at &= SV_BUF_SIZE - 1;
		c = s->work[w][at];
		if (slash && c == '/')
			return false;
		if (dots && (c == '/' || c == '.'))
			return false;
		dots = slash && c == '.';
		slash = c == '/';
		last = c;
	}
	return !dots && last != '/';
}

/*
 * The path that the string @ptr means, seen from @dirfd, into work[w]: the directory's path, '/', the string as it is. Symbolic links are
 * not followed: this is for hooks that have nothing better, and for failed opens.
 */
INLINE bool string_sieve(struct slot *s, const u32 w, const struct sieve *sv, const struct sv_event *e,
			 struct task_struct *task, s32 dirfd, const void *ptr, bool user, struct sv_mask *alive)
{
	const struct sv_automaton *a = &e->automata[w];
	struct place base;
	long n;

	s->flags |= EV_F_USER_PATH;
	s->path_off[w] = EV_PATH_MAX;
	s->path_len[w] = 0;
	s->work[w][EV_PATH_MAX] = '/';
	n = user ? bpf_probe_read_user_str(&s->work[w][EV_PATH_MAX + 1], EV_PATH_MAX - 1, ptr)
		 : bpf_probe_read_kernel_str(&s->work[w][EV_PATH_MAX + 1], EV_PATH_MAX - 1, ptr);
	if (n <= 0) {
		s->flags |= EV_F_UNREADABLE;
		return true;
	}
	n--;
	if (n > 0 && s->work[w][EV_PATH_MAX + 1] == '/') {
		s->path_off[w] = EV_PATH_MAX + 1;
		s->path_len[w] = n;
		if (!a->used || !path_normal(s, w, EV_PATH_MAX + 1, n))
			return true;
		return path_run(s, w, sv, a, 0, 0, alive);
	}
	if (!place_of_dirfd(task, dirfd, &base) || path_walk(s, w, base)) {
		s->flags |= EV_F_UNREADABLE;
		return true;
	}
	/* "/" + "/" + name would be one slash too many */
	if (s->path_len[w] == 1)
		s->path_off[w] = EV_PATH_MAX;
	s->path_len[w] = EV_PATH_MAX - s->path_off[w] + 1 + n;
	if (n == 0) /* AT_EMPTY_PATH: the directory (or file) itself */
		s->path_len[w] = EV_PATH_MAX - s->path_off[w];
	if (s->path_len[w] > EV_PATH_MAX) {
		s->flags |= EV_F_TRUNCATED;
		return true;
	}
	if (!a->used || n == 0 || !path_normal(s, w, EV_PATH_MAX, n + 1))
		return true;
	return path_run(s, w, sv, a, 0, 0, alive);
}

/* ---- the file object in the record ------------------------------------------------------------------------------------ */

/* The numbers of CAT_FILE at @num (INODE first), in the order of catalog.def. */
INLINE void file_nums(u64 *num, struct place at)
{
	struct inode *inode = BPF_CORE_READ(at.d, d_inode);

	num[1] = (u32)BPF_CORE_READ(at.m, mnt_id);
	if (!inode)
		return;
	num[0] = BPF_CORE_READ(inode, i_ino);
	num[2] = BPF_CORE_READ(inode, i_mode);
	num[3] = BPF_CORE_READ(inode, i_uid.val);
	num[4] = BPF_CORE_READ(inode, i_gid.val);
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
		rec_puts(s, &str[1], BPF_CORE_READ(d, d_sb, s_type, name), 32, false);
}

#endif
