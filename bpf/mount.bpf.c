/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mount and umount. io_uring does neither.
 *
 * mount(2) ends in path_mount, which has the mount point as it was looked up, and the strings that the caller gave. What
 * was mounted is found there: the newest mount on that place. Where a bind mount takes it from is known only inside: the
 * first clone_mnt of the call. The newer calls (fsmount, open_tree, move_mount, mount_setattr) work on descriptors, of
 * which all is known at their end, on every rung; both places of a move_mount are told by the kernel on the way, and so is what a
 * mount_setattr by a path has looked up (lookup.bpf.c).
 *
 * mount.flags are those of mount(2). For the newer calls, what they amount to: MS_BIND for a copy of a tree, MS_MOVE where
 * a mount gets its place, MS_REMOUNT | MS_BIND for other attributes; of the attributes the four that have the same bits.
 *
 * umount takes the path's last reference, so the record is made before, in path_umount, and sent after.
 */
#include "lib/call.bpf.h"
#include "lib/lookup.bpf.h"
#include "lib/syscall.bpf.h"

#define MS_REMOUNT	 (1 << 5)
#define MS_BIND		 (1 << 12)
#define MS_MOVE		 (1 << 13)
#define MS_REC		 (1 << 14)
#define MS_PROPAGATION	 (1 << 17 | 1 << 18 | 1 << 19 | 1 << 20) /* unbindable, private, slave, shared */
#define MS_MGC_VAL	 0xc0ed0000u /* callers of old add it, and the kernel takes it off */
#define MS_MGC_MSK	 0xffff0000u
#define MOUNT_ATTRIBUTES 15 /* read-only, nosuid, nodev, noexec: MOUNT_ATTR_* and MS_* alike */

#define OPEN_TREE_CLONE	     1
#define OPEN_TREE_RECURSIVE  0x8000 /* AT_RECURSIVE */
#define MOVE_MOUNT_SET_GROUP 0x100

#if defined(__TARGET_ARCH_x86)
#define NR_MOUNT   165
#define NR_MOUNT32 21
#elif defined(__TARGET_ARCH_arm64)
#define NR_MOUNT   40
#define NR_MOUNT32 21
#endif
#define NR_OPEN_TREE	  428 /* the same on every architecture */
#define NR_OPEN_TREE_ATTR 467

/* A directory: looked up (now, or on the way of the call), or as the caller gave it, or neither. */
struct told {
	struct place at;
	const struct looked *found; /* with its path at @string */
	const void *string;
	s32 dirfd;
	bool user; /* the string lies in user memory */
};

struct mounted {
	struct told target, source;
	struct mount *m; /* NULL: not known */
	const char *fs;	 /* where m is NULL */
	bool fs_user;
	bool detached;
	u32 flags;
	const void *say[3]; /* source, target and type as given to mount(2), in user memory */
};

INLINE bool told_sieve(struct hook *h, const u32 w, const struct told *t)
{
	if (t->at.d)
		return path_sieve(h->s, w, h->sv, h->e, EV_MOUNT, t->at, &h->alive);
	if (t->found)
		return found_sieve(h->s, w, h->sv, h->e, EV_MOUNT, t->found, t->string, &h->alive);
	return string_sieve(h->s, w, h->sv, h->e, EV_MOUNT, (void *)bpf_get_current_task(), t->dirfd, t->string,
			    t->user, &h->alive);
}

INLINE bool is_told(const struct told *t)
{
	return t->at.d || t->string;
}

/* The mount's root as a path in its filesystem, to work[0], and the filesystem's type. */
INLINE void mount_strs(struct slot *s, struct ev_str *str, struct mount *m)
{
	struct dentry *root = READ(m, mnt.mnt_root);

	/* No mount to cross: it ends at the filesystem's root, whose name is "/" and comes before the slash of the next. */
	if (!path_walk(s->index, 0, (u64)root, 0)) {
		if (s->path_len[0] > 1) {
			s->path_off[0]++;
			s->path_len[0]--;
		}
		path_put(s, 0, &str[STR(MOUNT, ROOT)]);
	}
	rec_puts(s, &str[STR(MOUNT, FS_TYPE)], READ(root, d_sb, s_type, name), 32, false);
}

/* Makes the record, unless the paths rule it out. */
INLINE bool mount_rec(struct hook *h, u8 rung, const struct mounted *m, s64 ret)
{
	struct ev_str *str;
	u64 *num;

	if (task_compat())
		h->s->flags |= EV_F_COMPAT;
	if ((is_told(&m->target) && !told_sieve(h, 0, &m->target)) ||
	    (is_told(&m->source) && !told_sieve(h, 1, &m->source)))
		return false;
	rec_begin(&h->s->rec, EV_MOUNT, EVN_MOUNT_COUNT, EVS_MOUNT_COUNT, rung);
	rec_task(&h->s->rec, (void *)bpf_get_current_task());
	rec_head(&h->s->rec)->retval = result(ret);
	num = rec_num(&h->s->rec);
	str = rec_str(&h->s->rec, EVN_MOUNT_COUNT);
	num[NUM(MOUNT, DETACHED)] = m->detached;
	num[NUM(MOUNT, VISIBLE)] = !m->detached && ret >= 0;
	num[NUM(MOUNT, FLAGS)] = m->flags;
	if (is_told(&m->target))
		path_put(h->s, 0, &str[STR(MOUNT, MOUNTPOINT)]);
	if (is_told(&m->source))
		path_put(h->s, 1, &str[STR(MOUNT, SOURCE)]);
	if (m->m)
		mount_strs(h->s, str, m->m);
	else
		rec_puts(h->s, &str[STR(MOUNT, FS_TYPE)], m->fs, 64, m->fs_user);
	rec_puts(h->s, &str[STR(MOUNT, SYSCALL_SOURCE)], m->say[0], EV_PATH_MAX, true);
	rec_puts(h->s, &str[STR(MOUNT, SYSCALL_MOUNTPOINT)], m->say[1], EV_PATH_MAX, true);
	rec_puts(h->s, &str[STR(MOUNT, SYSCALL_FS_TYPE)], m->say[2], 64, true);
	return true;
}

INLINE int mount_told(u8 rung, const struct mounted *m, s64 ret)
{
	struct hook h;

	if (!reportable(ret) || !hook_begin(&h, EV_MOUNT))
		return 0;
	hook_end(&h, EV_MOUNT, mount_rec(&h, rung, m, ret) && rec_sieve(h.s, h.sv, h.e, &h.alive));
	return 0;
}

/* ---- where a copy is made from ----------------------------------------------------------------------------------- */

#define COPY_OF_MOUNT (0x8000 | EV_MOUNT) /* a key of its own in the map of calls */

INLINE bool copies_mounts(u32 nr)
{
	return nr == NR_OPEN_TREE || nr == NR_OPEN_TREE_ATTR || nr == (task_compat() ? NR_MOUNT32 : NR_MOUNT);
}

/* Keeps the first one of a call: what follows are the mounts below it, and copies that shared mounts get of it. */
INLINE int copy_begun(struct mount *old, struct dentry *root)
{
	struct call c = { { (u64)root, (u64)old } };
	const struct sieve *sv = sieve_get();
	u64 key = call_key(COPY_OF_MOUNT);

	if (sv && !sv_mask_zero(&sv->event[EV_MOUNT].clauses) && copies_mounts(sys_nr(task_regs())))
		bpf_map_update_elem(&calls, &key, &c, BPF_NOEXIST);
	return 0;
}

/* To be asked at the end of every call that may have kept one. */
INLINE void copy_taken(struct told *ret)
{
	struct call c;

	if (!call_take(COPY_OF_MOUNT, &c))
		return;
	ret->at.d = (void *)c.arg[0];
	ret->at.m = (void *)c.arg[1];
}

/* ---- mount(2) ------------------------------------------------------------------------------------------------------ */

/* The mount that was put on @at last: mounts are appended to the children of the one below. */
INLINE struct mount *newest_mount(struct place at)
{
	struct list_head *last = READ(at.m, mnt_mounts.prev);
	struct mount *m = (void *)last - bpf_core_field_offset(at.m->mnt_child);

	if ((void *)last == (void *)at.m + bpf_core_field_offset(at.m->mnt_mounts))
		return 0;
	return READ(m, mnt_mountpoint) == at.d && READ(m, mnt_parent) == at.m ? m : 0;
}

INLINE u32 mount_flags(u64 flags)
{
	return (flags & MS_MGC_MSK) == MS_MGC_VAL ? flags & ~MS_MGC_MSK : flags;
}

/* What is done to a mount that is there already. The kernel asks in this order. */
INLINE bool is_change(u32 flags)
{
	return flags & MS_REMOUNT || (!(flags & MS_BIND) && flags & MS_PROPAGATION);
}

INLINE bool has_source(u32 flags)
{
	return !is_change(flags) && flags & (MS_BIND | MS_MOVE);
}

INLINE int path_mount_left(u8 rung, const char *device, struct path *path, const char *type, u64 flags, s64 ret)
{
	struct pt_regs *regs = task_regs();
	struct mounted m = { .flags = mount_flags(flags), .target.at = place_of(path) };
	struct sysargs args;
	struct told from = {};

	copy_taken(&from);
	if (has_source(m.flags)) {
		from.string = device;
		from.dirfd = AT_FDCWD;
		m.source = from;
	} else if (!is_change(m.flags)) {
		m.fs = type;
	}
	if (is_change(m.flags))
		m.m = m.target.at.m;
	else if (!ret)
		m.m = newest_mount(m.target.at);
	if (sys_nr(regs) == (task_compat() ? NR_MOUNT32 : NR_MOUNT)) {
		call_args(regs, &args);
		m.say[0] = (void *)args.a[0];
		m.say[1] = (void *)args.a[1];
		m.say[2] = (void *)args.a[2];
	}
	return mount_told(rung, &m, ret);
}

/* ---- newer calls --------------------------------------------------------------------------------------------------- */

/* What a descriptor and a string together mean: with an empty string the descriptor's file, else the string from there. */
INLINE struct told told_of(s32 fd, const void *string)
{
	struct told t = { .string = string, .dirfd = fd, .user = true };
	struct file *file = 0;
	char first = 1;

	if (fd >= 0 && (!string || (!bpf_probe_read_user(&first, 1, string) && !first)))
		file = file_of_fd((void *)bpf_get_current_task(), fd);
	if (file)
		t.at = place_of_file(file);
	return t;
}

/* The mount of an open file. */
INLINE struct mount *mount_of_fd(s32 fd)
{
	struct file *file = file_of_fd((void *)bpf_get_current_task(), fd);

	return file ? real_mount(READ(file, f_path.mnt)) : 0;
}

/* Hangs on nothing, and is not what everything hangs on. */
INLINE bool is_detached(struct mount *m)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return READ(m, mnt_parent) == m && m != READ(task, nsproxy, mnt_ns, root);
}

INLINE int fsmount_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct mounted m = { .detached = true };
	struct sysargs args;

	call_args(regs, &args);
	m.flags = args.a[2] & MOUNT_ATTRIBUTES;
	if (ret >= 0)
		m.m = mount_of_fd(ret);
	return mount_told(rung, &m, ret);
}

INLINE int open_tree_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct mounted m = { .detached = true, .flags = MS_BIND };
	struct sysargs args;

	call_args(regs, &args);
	if (!(args.a[2] & OPEN_TREE_CLONE))
		return 0;
	m.source = told_of(args.a[0], (void *)args.a[1]);
	copy_taken(&m.source);
	if (args.a[2] & OPEN_TREE_RECURSIVE)
		m.flags |= MS_REC;
	if (ret >= 0)
		m.m = mount_of_fd(ret);
	return mount_told(rung, &m, ret);
}

#define HALF_OF_MOUNT (0x4000 | EV_MOUNT) /* the like: the call has a first half */

/*
 * security_move_mount is handed both places as they were looked up, on the way to the move. The record is made here,
 * since the places are let go of before the call's end.
 */
INLINE int move_mount_begun(u8 rung, struct path *from, struct path *to)
{
	struct mounted m = { .flags = MS_MOVE };
	const struct call mark = {};
	u64 key = call_key(HALF_OF_MOUNT);
	struct sysargs args;
	struct place at;
	struct hook h;

	if (!hook_begin(&h, EV_MOUNT))
		return 0;
	bpf_map_update_elem(&calls, &key, &mark, BPF_ANY);
	call_args(task_regs(), &args);
	m.target.at = place_of(to);
	at = place_of(from);
	if (!(args.a[4] & MOVE_MOUNT_SET_GROUP))
		m.m = at.m;
	if (!m.m || !is_detached(at.m))
		m.source.at = at;
	half_keep(&h, EV_MOUNT, mount_rec(&h, rung, &m, 0));
	return 0;
}

/* Of a first half the record, if it was not ruled out there, now that it is known whether the mount is where it should be. */
INLINE int mount_half_ended(s64 ret)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct pending *p = bpf_map_lookup_elem(&pending, &tid);

	if (p && p->type == EV_MOUNT && p->used)
		((u64 *)(p->raw + HEAD))[NUM(MOUNT, VISIBLE)] = ret >= 0;
	return half_send(EV_MOUNT, ret, reportable(ret));
}

/* A path of the call: as look-up @i has it, or else what @fd and @string mean. */
INLINE struct told told_by(const struct lookup *l, const u32 i, s32 fd, const void *string)
{
	struct told t = { .dirfd = fd };
	struct file *file = 0;

	if (!l || !l->of[i].how)
		return told_of(fd, string);
	if (l->of[i].empty)
		file = file_of_fd((void *)bpf_get_current_task(), fd);
	if (file)
		t.at = place_of_file(file);
	t.string = (void *)as_number(l->text[i]);
	t.found = l->of[i].how == LOOKUP_ASKED ? 0 : &l->of[i];
	return t;
}

/* Without a first half: by its descriptor the mount is known, and with it where it is now; a path is what was looked up. */
INLINE int move_mount_told(u8 rung, struct pt_regs *regs, const struct lookup *l, s64 ret)
{
	struct mounted m = { .flags = MS_MOVE };
	struct sysargs args;
	struct told from;

	call_args(regs, &args);
	from = told_by(l, 0, args.a[0], (void *)args.a[1]);
	if (from.at.d && !(args.a[4] & MOVE_MOUNT_SET_GROUP))
		m.m = from.at.m;
	else
		m.source = from;
	if (m.m && ret >= 0) {
		m.target.at.d = READ(m.m, mnt_mountpoint);
		m.target.at.m = READ(m.m, mnt_parent);
	} else {
		m.target = told_by(l, 1, args.a[2], (void *)args.a[3]);
	}
	return mount_told(rung, &m, ret);
}

INLINE int move_mount_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct call begun;

	if (call_take(HALF_OF_MOUNT, &begun))
		return mount_half_ended(ret);
	move_mount_told(rung, regs, lookup_get(EV_MOUNT), ret);
	lookup_drop(EV_MOUNT);
	return 0;
}

/* What mount_setattr is handed. */
struct mount_attr {
	u64 set, clear, propagation;
};

INLINE u32 setattr_flags(const struct sysargs *args)
{
	struct mount_attr attr = {};
	u32 flags = MS_REMOUNT | MS_BIND;

	if (!bpf_probe_read_user(&attr, sizeof(attr), (void *)args->a[3]))
		flags |= (attr.set & MOUNT_ATTRIBUTES) | (attr.propagation & MS_PROPAGATION);
	return args->a[2] & OPEN_TREE_RECURSIVE ? flags | MS_REC : flags;
}

INLINE void setattr_target(struct mounted *m)
{
	if (m->target.at.d) {
		m->m = m->target.at.m;
		m->detached = is_detached(m->m);
	}
	if (m->detached)
		m->target = (struct told){};
}

/* The mount was looked up: as in move_mount_begun(), it may be let go of before the call's end. */
INLINE int mount_setattr_found(u8 rung, struct place at)
{
	struct mounted m = { .target.at = at };
	const struct call mark = {};
	u64 key = call_key(HALF_OF_MOUNT);
	struct sysargs args;
	struct hook h;

	lookup_drop(EV_MOUNT);
	if (!hook_begin(&h, EV_MOUNT))
		return 0;
	bpf_map_update_elem(&calls, &key, &mark, BPF_ANY);
	call_args(task_regs(), &args);
	m.flags = setattr_flags(&args);
	setattr_target(&m);
	half_keep(&h, EV_MOUNT, mount_rec(&h, rung, &m, 0));
	return 0;
}

INLINE int mount_setattr_told(u8 rung, struct pt_regs *regs, const struct lookup *l, s64 ret)
{
	struct mounted m = {};
	struct sysargs args;

	call_args(regs, &args);
	m.flags = setattr_flags(&args);
	m.target = told_by(l, 0, args.a[0], (void *)args.a[1]);
	setattr_target(&m);
	return mount_told(rung, &m, ret);
}

INLINE int mount_setattr_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct call begun;

	if (call_take(HALF_OF_MOUNT, &begun))
		return mount_half_ended(ret);
	mount_setattr_told(rung, regs, lookup_get(EV_MOUNT), ret);
	lookup_drop(EV_MOUNT);
	return 0;
}

/* ---- upper rungs --------------------------------------------------------------------------------------------------- */

SEC("fexit/path_mount")
int BPF_PROG(path_mount_x, const char *device, struct path *path, const char *type, unsigned long flags, void *data,
	     int ret)
{
	return path_mount_left(EV_RUNG_FENTRY, device, path, type, flags, (s32)ret);
}
SEC("kprobe/path_mount")
int path_mount_ke(struct pt_regs *ctx)
{
	return call_keep(EV_MOUNT, ctx);
}
SEC("kretprobe/path_mount")
int path_mount_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_MOUNT, &c) ? path_mount_left(EV_RUNG_KPROBE, (void *)c.arg[0], (void *)c.arg[1],
							 (void *)c.arg[2], c.arg[3], (s32)FN_RESULT(ctx))
				       : 0;
}
SEC("fentry/clone_mnt")
int BPF_PROG(clone_mnt_e, struct mount *old, struct dentry *root)
{
	return copy_begun((void *)as_number(old), (void *)as_number(root));
}
SEC("kprobe/clone_mnt")
int clone_mnt_ke(struct pt_regs *ctx)
{
	return copy_begun((void *)FN_ARG1(ctx), (void *)FN_ARG2(ctx));
}

SEC("fentry/security_move_mount")
int BPF_PROG(move_mount_e, struct path *from, struct path *to)
{
	return move_mount_begun(EV_RUNG_FENTRY, from, to);
}
SEC("kprobe/security_move_mount")
int move_mount_ke(struct pt_regs *ctx)
{
	return move_mount_begun(EV_RUNG_KPROBE, (void *)FN_ARG1(ctx), (void *)FN_ARG2(ctx));
}

CALL_FEXIT(fsmount_x, SYSCALL64("fsmount"), fsmount_left)
CALL_FEXIT(open_tree_x, SYSCALL64("open_tree"), open_tree_left)
CALL_FEXIT(open_tree_attr_x, SYSCALL64("open_tree_attr"), open_tree_left) /* from 6.15 on */
CALL_FEXIT(move_mount_x, SYSCALL64("move_mount"), move_mount_left)
CALL_FEXIT(mount_setattr_x, SYSCALL64("mount_setattr"), mount_setattr_left) /* from 5.12 on */

CALL_FEXIT32(fsmount_x32, "fsmount", fsmount_left)
CALL_FEXIT32(open_tree_x32, "open_tree", open_tree_left)
CALL_FEXIT32(open_tree_attr_x32, "open_tree_attr", open_tree_left)
CALL_FEXIT32(move_mount_x32, "move_mount", move_mount_left)
CALL_FEXIT32(mount_setattr_x32, "mount_setattr", mount_setattr_left)

CALL_KRETPROBE(fsmount_kx, SYSCALL64("fsmount"), fsmount_left)
CALL_KRETPROBE(open_tree_kx, SYSCALL64("open_tree"), open_tree_left) /* or open_tree_attr */
CALL_KRETPROBE(move_mount_kx, SYSCALL64("move_mount"), move_mount_left)
CALL_KRETPROBE(mount_setattr_kx, SYSCALL64("mount_setattr"), mount_setattr_left)

/* ---- umount -------------------------------------------------------------------------------------------------------- */

/* Makes the record of what is in work[0], and decides on all but, for the first half, the result. */
INLINE void umount_rec(struct hook *h, u8 rung, u32 flags, s64 ret)
{
	struct rec *r = &h->s->rec;

	rec_begin(r, EV_UMOUNT, EVN_UMOUNT_COUNT, EVS_UMOUNT_COUNT, rung);
	rec_task(r, (void *)bpf_get_current_task());
	rec_head(r)->retval = ret;
	rec_num(r)[NUM(UMOUNT, FLAGS)] = flags;
	path_put(h->s, 0, &rec_str(r, EVN_UMOUNT_COUNT)[STR(UMOUNT, MOUNTPOINT)]);
}

INLINE int umount_begun(u8 rung, struct path *path, u32 flags)
{
	struct hook h;
	bool ok;

	if (!hook_begin(&h, EV_UMOUNT))
		return 0;
	if (task_compat())
		h.s->flags |= EV_F_COMPAT;
	ok = path_sieve(h.s, 0, h.sv, h.e, EV_UMOUNT, place_of(path), &h.alive);
	if (ok)
		umount_rec(&h, rung, flags, 0);
	half_keep(&h, EV_UMOUNT, ok);
	return 0;
}

SEC("fentry/path_umount")
int BPF_PROG(path_umount_e, struct path *path, int flags)
{
	return umount_begun(EV_RUNG_FENTRY, path, flags);
}
SEC("fexit/path_umount")
int BPF_PROG(path_umount_x, struct path *path, int flags, int ret)
{
	return half_send(EV_UMOUNT, (s32)ret, reportable((s32)ret));
}
SEC("kprobe/path_umount")
int path_umount_ke(struct pt_regs *ctx)
{
	return umount_begun(EV_RUNG_KPROBE, (void *)FN_ARG1(ctx), FN_ARG2(ctx));
}
SEC("kretprobe/path_umount")
int path_umount_kx(struct pt_regs *ctx)
{
	return half_send(EV_UMOUNT, (s32)FN_RESULT(ctx), reportable((s32)FN_RESULT(ctx)));
}

/* ---- tracepoint rung ----------------------------------------------------------------------------------------------- */

/* mount(2) by what the caller gave. */
INLINE int mount_given(u8 rung, const struct sysargs *args, s64 ret)
{
	struct mounted m = { .flags = mount_flags(args->a[3]) };

	m.target = (struct told){ .string = (void *)args->a[1], .dirfd = AT_FDCWD, .user = true };
	m.say[0] = (void *)args->a[0];
	m.say[1] = (void *)args->a[1];
	m.say[2] = (void *)args->a[2];
	if (has_source(m.flags))
		m.source = (struct told){ .string = m.say[0], .dirfd = AT_FDCWD, .user = true };
	else if (!is_change(m.flags))
		m.fs = m.say[2];
	m.fs_user = true;
	return mount_told(rung, &m, ret);
}

INLINE int mount_at_exit(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct sysargs args;
	struct sysdesc d;

	if (!sys_desc(regs, &args, &d))
		return 0;
	switch (d.form) {
	case SYSFORM_FSMOUNT:
		return fsmount_left(rung, regs, ret);
	case SYSFORM_OPEN_TREE:
		return open_tree_left(rung, regs, ret);
	case SYSFORM_MOVE_MOUNT:
		return move_mount_left(rung, regs, ret);
	case SYSFORM_MOUNT_SETATTR:
		return mount_setattr_left(rung, regs, ret);
	}
	return mount_given(rung, &args, ret);
}

INLINE int umount_at_exit(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct sysargs args;
	struct place at;
	struct sysdesc d;
	struct hook h;
	bool ok;

	if (!sys_desc(regs, &args, &d) || !reportable(ret) || !hook_begin(&h, EV_UMOUNT))
		return 0;
	if (args.compat)
		h.s->flags |= EV_F_COMPAT;
	ok = given_path(&h, 0, EV_UMOUNT, AT_FDCWD, (void *)args.a[0], false, &at);
	if (ok) {
		umount_rec(&h, rung, d.x == NO_ARG ? 0 : args.a[1], ret);
		ok = rec_sieve(h.s, h.sv, h.e, &h.alive);
	}
	hook_end(&h, EV_UMOUNT, ok);
	return 0;
}

CALL_SYS_EXIT(sys_mount, mount_at_exit)
CALL_SYS_EXIT(sys_umount, umount_at_exit)
