/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * File events.
 *
 * Upper rungs, in functions that system calls and io_uring share. What has a path and a result in one function (open,
 * chmod, chown, truncate) is one body, called by one fexit program, or by a kretprobe with the arguments that a kprobe
 * kept (lib/call.bpf.h). What makes or removes a name knows its dentry only inside (security_path_*) and its result only
 * outside (do_*, from 7.0 on filename_*): the record is made at the former and sent at the latter, kept by thread in
 * between; fentry and kprobe programs of both halves have the same bodies. Programs end in _e and _x where they are
 * entered and left by fentry and fexit, in _ke and _kx by kprobe and kretprobe.
 *
 * Tracepoint rung: everything at sys_exit, where arguments, result and the opened file are at hand. Paths of system
 * calls that take a string come from user memory there (EV_F_USER_PATH).
 *
 * Failed operations are events only when they were refused (EPERM, EACCES): a search through $PATH is none.
 */
#include "lib/call.bpf.h"

#define EPERM  1
#define EACCES 13

INLINE bool reportable(s64 ret)
{
	return ret >= 0 || ret == -EPERM || ret == -EACCES;
}

/* 0 for success: what a successful call returns (a descriptor) is no result that a rule can use on every rung. */
INLINE s64 result(s64 ret)
{
	return ret < 0 ? ret : 0;
}

#define NUM(EV, SLOT) EVN_##EV##_##SLOT
#define STR(EV, SLOT) EVS_##EV##_##SLOT

/*
 * What every program works with: the sieve, what it has for the event, a slot, and the clauses that are still possible.
 */
struct hook {
	const struct sieve *sv;
	const struct sv_event *e;
	struct slot *s;
	struct sv_mask alive;
};

/* Counts the event and takes a slot; false, and counted as lost, where there is none. */
INLINE bool hook_enter(struct hook *h, const u32 type)
{
	stat_add(type, seen);
	h->s = slot_claim();
	if (!h->s) {
		stat_add(type, lost);
		return false;
	}
	h->s->generation = h->sv->generation;
	return true;
}

/* The sieve in force and what it has for @type; false before the first policy. */
INLINE bool hook_sieve(struct hook *h, const u32 type)
{
	h->sv = sieve_get();
	if (!h->sv)
		return false;
	h->e = &h->sv->event[type];
	sv_alive_start(h->e, &h->alive);
	return true;
}

INLINE bool hook_begin(struct hook *h, const u32 type)
{
	return hook_sieve(h, type) && !sv_mask_zero(&h->alive) && hook_enter(h, type);
}

/* Goes on if it is @possible; what the cheap looks rule out ends here: false, and counted as dropped. The canary's acts go on to their mark. */
INLINE bool hook_go_on(struct hook *h, const u32 type, bool possible)
{
	if (!possible && !is_canary()) {
		stat_pass(type);
		return false;
	}
	return hook_enter(h, type);
}

/* hook_begin() that first asks @POSSIBLE, an expression that may strike from the mask of @H. */
#define HOOK_BEGIN_IF(H, TYPE, POSSIBLE)                                                                               \
	(hook_sieve(H, TYPE) && !sv_mask_zero(&(H)->alive) && hook_go_on(H, TYPE, POSSIBLE))

/* By the two numbers that SV_TWO names. */
#define HOOK_TWO(H, TYPE, A, B) sv_two((H)->e, SV_TWO_##TYPE##_A, A, SV_TWO_##TYPE##_B, B, &(H)->alive)
#define HOOK_BEGIN_TWO(H, TYPE, RETVAL, A, B)                                                                          \
	HOOK_BEGIN_IF(H, EV_##TYPE, hook_first(H, RETVAL) && HOOK_TWO(H, TYPE, A, B))

/* By who it is. */
INLINE bool hook_who(struct hook *h)
{
	u64 ugid = bpf_get_current_uid_gid();
	struct sv_who who = { (u32)ugid, ugid >> 32, task_auid((void *)bpf_get_current_task()) };

	return sv_who(h->e, &who, &h->alive);
}

/* By the result, and by who it is. */
INLINE bool hook_first(struct hook *h, s64 retval)
{
	return sv_first(h->e, retval, &h->alive) && (!h->e->nwho || hook_who(h));
}

/* By what it happens to. */
INLINE bool hook_place(struct hook *h, const u32 type, struct place at)
{
	return !place_dead(h->sv, h->e, type, 0, place_named(at), &h->alive);
}

INLINE void hook_end(struct hook *h, const u32 type, bool alive)
{
	if (is_canary()) {
		canary_send(type);
		alive = false;
	}
	if (alive)
		rec_send(h->s, type, true);
	else
		stat_add(type, dropped);
	slot_release(h->s);
}

#define DENIED_NS 1000000000ull /* so long is a failure of the thread taken for that of what was refused */

/* Whether the operation that has just failed with @ret was refused by us: then deny.bpf.c has told it. */
INLINE bool deny_told(const u32 type, s64 ret)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct denied *d;
	bool told;

	if (!have_deny || ret != -EPERM)
		return false;
	d = bpf_map_lookup_elem(&denied, &tid);
	if (!d)
		return false;
	told = d->type == type && bpf_ktime_get_boot_ns() - d->boot_ns < DENIED_NS;
	bpf_map_delete_elem(&denied, &tid);
	return told;
}

/* ---- one file: head, numbers and strings that all of them have ------------------------------------------------- */

/*
 * The record of an event whose first rows are CAT_FILE, but for its strings; @at.d NULL where only a string is known, or
 * nothing.
 */
INLINE void file_head(struct slot *s, const u32 type, const u32 nnum, const u32 nstr, u8 rung, s64 ret, struct place at)
{
	struct rec *r = &s->rec;
	struct task_struct *task = (void *)bpf_get_current_task();

	rec_begin(r, type, nnum, nstr, rung);
	rec_task(r, task);
	rec_head(r)->retval = ret;
	if (rung != EV_RUNG_TRACEPOINT && task_async(task))
		s->flags |= EV_F_ASYNC;
	if (at.d)
		file_nums(rec_num(r), at);
}

/* The same with the strings of the file, whose path is in work[0]. */
INLINE void file_rec(struct slot *s, const u32 type, const u32 nnum, const u32 nstr, u8 rung, s64 ret, struct place at)
{
	file_head(s, type, nnum, nstr, rung, ret, at);
	file_strs(s, 0, rec_str(&s->rec, nnum), at.d);
}

/*
 * For what happens often, and may have no file: the numbers of the record are there and decide first, then the path.
 * @known: so is the result. Completes the record where something is left.
 */
INLINE bool file_decide(struct hook *h, const u32 type, const u32 nnum, struct place at, const bool known)
{
	struct ev_head *head = rec_head(&h->s->rec);
	u64 *num = rec_num(&h->s->rec);

	if (known ? !sv_nums(h->e, head, num, &h->alive) : !sv_nums_early(h->e, head, num, &h->alive))
		return false;
	if (at.d ? !path_sieve(h->s, 0, h->sv, h->e, type, at, &h->alive)
		 : !no_path_sieve(h->s, 0, h->sv, h->e, &h->alive))
		return false;
	head->policy = h->sv->generation;
	sv_mask_copy((struct sv_mask *)head->alive, &h->alive);
	file_strs(h->s, 0, rec_str(&h->s->rec, nnum), at.d);
	return true;
}

/* ---- what was learned of the file ------------------------------------------------------------------------------- */

#define EXT4_MAGIC 0xef53 /* and of ext2 and ext3, which are the same code */

/*
 * Whether what the file holds can only change together with its change time: the filesystem says so of all that writes, by a mapping,
 * too, and nobody has it open for writing now, who might have set that time already and not be through.
 */
INLINE bool file_stays(struct inode *inode)
{
	return bpf_core_field_exists(inode->i_writecount) && bpf_core_field_exists(inode->i_generation) &&
	       bpf_core_field_exists(inode->i_sb->s_magic) && READ(inode, i_sb, s_magic) == EXT4_MAGIC &&
	       READ(inode, i_writecount.counter) <= 0;
}

/*
 * Strikes from the mask of the open in @slot what is known not to hold of the file at @dentry, or has it ask when it is sent; 0 when
 * nothing is left. A global function, as rec_masks().
 *
 * The change time is looked at once more behind the entry: if it is the same, what was hashed is what the file holds at that
 * moment, however long ago the record was made.
 */
__noinline int open_learned(u32 slot, u64 dentry)
{
	struct learned *l = learned_get();
	struct dentry *d = (void *)dentry;
	struct learned_file f;
	struct sv_mask left;
	struct inode *inode;
	struct ev_head *h;
	struct slot *s;
	u64 *num, key;

	if (!l || !*(volatile u32 *)&l->generation)
		return 1;
	s = bpf_map_lookup_elem(&slots, &slot);
	if (!s || s->flags & (EV_F_UNREADABLE | EV_F_TRUNCATED))
		return 1;
	h = rec_head(&s->rec);
	num = rec_num(&s->rec);
	if (h->policy != *(volatile u32 *)&l->generation || !sv_mask_meets((struct sv_mask *)h->alive, &l->wanted))
		return 1;
	inode = READ(d, d_inode);
	if (!inode || !file_stays(inode))
		return 1;
	f.inode = num[NUM(OPEN, FILE_INODE)];
	f.mount = num[NUM(OPEN, FILE_MOUNT_ID)];
	f.ctime = num[NUM(OPEN, FILE_CTIME)];
	f.device = READ(inode, i_sb, s_dev);
	f.inode_generation = READ(inode, i_generation);
	key = learned_key(l, &f, h->policy);
	sv_mask_copy(&left, (struct sv_mask *)h->alive);
	if (learned_strike(l, &f, key, h->boot_ns, &left)) {
		s->asks = key;
		return 1;
	}
	if (inode_ctime(inode) != f.ctime)
		return 1;
	sv_mask_copy((struct sv_mask *)h->alive, &left);
	if (!sv_mask_zero(&left))
		return 1;
	__sync_fetch_and_add(&l->used, 1);
	return 0;
}

INLINE bool open_may_hold(struct slot *s, struct place at)
{
	return !at.d || open_learned(s->index, as_number(at.d));
}

/* ---- upper rungs: path and result in one function --------------------------------------------------------------- */

/* SET may use num. FIRST is what is asked before all else, of h. */
#define WHOLE_FILE(RUNG, TYPE, AT, RET, FIRST, SET)                                                                    \
	do {                                                                                                           \
		struct hook h;                                                                                         \
		s64 r_ = RET;                                                                                          \
		if (!reportable(r_) || deny_told(EV_##TYPE, r_) ||                                                     \
		    !HOOK_BEGIN_IF(&h, EV_##TYPE,                                                                      \
				   hook_first(&h, result(r_)) && (FIRST) && hook_place(&h, EV_##TYPE, AT)))            \
			return 0;                                                                                      \
		bool ok_ = path_decide(h.s, 0, h.sv, h.e, EV_##TYPE, AT, place_named(AT), &h.alive);                   \
		if (ok_) {                                                                                             \
			file_rec(h.s, EV_##TYPE, EVN_##TYPE##_COUNT, EVS_##TYPE##_COUNT, RUNG, result(r_), AT);        \
			u64 *num = rec_num(&h.s->rec);                                                                 \
			(void)num;                                                                                     \
			SET;                                                                                           \
			ok_ = rec_sieve(h.s, h.sv, h.e, &h.alive) && (EV_##TYPE != EV_OPEN || open_may_hold(h.s, AT)); \
		}                                                                                                      \
		hook_end(&h, EV_##TYPE, ok_);                                                                          \
	} while (0)

#define FMODE_EXEC	0x20 /* open_flag of the kernel's own opens for execve */
#define IS_ERR_VALUE(x) ((u64)(x) >= (u64)-4095)

/* io_uring's first try adds O_NONBLOCK to what the caller gave. */
INLINE u32 open_flags(struct slot *s, u32 flags)
{
	return s->flags & EV_F_ASYNC ? flags & ~O_NONBLOCK : flags;
}

INLINE int open_left(u8 rung, s32 dfd, struct filename *name, const struct open_flags *op, struct file *file)
{
	u32 flags = open_flags_portable(READ(op, open_flag));
	u16 mode = READ(op, mode);
	struct place none = {};
	s64 ret = as_number(file);

	if (flags & FMODE_EXEC)
		return 0;
	if (!IS_ERR_VALUE(ret)) {
		struct place at = place_of_file(file);

		WHOLE_FILE(rung, OPEN, at, 0, true, {
			num[NUM(OPEN, FLAGS)] = open_flags(h.s, flags);
			num[NUM(OPEN, MODE)] = mode & 07777;
		});
		return 0;
	}

	struct hook h;

	if (!reportable(ret) || deny_told(EV_OPEN, ret) || !HOOK_BEGIN_IF(&h, EV_OPEN, hook_first(&h, ret)))
		return 0;
	bool ok = string_sieve(h.s, 0, h.sv, h.e, EV_OPEN, (void *)bpf_get_current_task(), dfd, READ(name, name), false,
			       &h.alive);
	if (ok) {
		file_rec(h.s, EV_OPEN, EVN_OPEN_COUNT, EVS_OPEN_COUNT, rung, ret, none);
		rec_num(&h.s->rec)[NUM(OPEN, FLAGS)] = open_flags(h.s, flags);
		rec_num(&h.s->rec)[NUM(OPEN, MODE)] = mode & 07777;
		ok = rec_sieve(h.s, h.sv, h.e, &h.alive);
	}
	hook_end(&h, EV_OPEN, ok);
	return 0;
}

INLINE int chmod_left(u8 rung, struct path *path, u16 mode, s32 ret)
{
	struct place at = place_of(path);

	mode &= 07777;
	WHOLE_FILE(rung, CHMOD, at, ret, HOOK_TWO(&h, CHMOD, mode, mode), num[NUM(CHMOD, MODE)] = mode);
	return 0;
}

INLINE int chown_left(u8 rung, struct path *path, u32 uid, u32 gid, s32 ret)
{
	struct place at = place_of(path);

	WHOLE_FILE(rung, CHOWN, at, ret, true, {
		num[NUM(CHOWN, DEST_UID)] = (s64)(s32)uid;
		num[NUM(CHOWN, DEST_GID)] = (s64)(s32)gid;
	});
	return 0;
}

INLINE int truncate_left(u8 rung, struct place at, s64 length, s32 ret)
{
	WHOLE_FILE(rung, TRUNCATE, at, ret, true, num[NUM(TRUNCATE, SIZE)] = length);
	return 0;
}

INLINE int ftruncate_left(u8 rung, u32 fd, s64 length, s32 ret)
{
	struct file *file = file_of_fd((void *)bpf_get_current_task(), fd);

	return file ? truncate_left(rung, place_of_file(file), length, ret) : 0;
}

SEC("fexit/do_filp_open")
int BPF_PROG(do_filp_open_x, int dfd, struct filename *name, const struct open_flags *op, struct file *ret)
{
	return open_left(EV_RUNG_FENTRY, dfd, name, op, ret);
}
SEC("fexit/do_file_open") /* 7.0 renamed it */
int BPF_PROG(do_file_open_x, int dfd, struct filename *name, const struct open_flags *op, struct file *ret)
{
	return open_left(EV_RUNG_FENTRY, dfd, name, op, ret);
}
SEC("kprobe/do_filp_open") /* or do_file_open: the loader attaches it to the one that is there */
int do_filp_open_ke(struct pt_regs *ctx)
{
	return call_keep(EV_OPEN, ctx);
}
SEC("kretprobe/do_filp_open")
int do_filp_open_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_OPEN, &c) ? open_left(EV_RUNG_KPROBE, (s32)c.arg[0], (void *)c.arg[1], (void *)c.arg[2],
						  (void *)FN_RESULT(ctx))
				      : 0;
}

SEC("fexit/chmod_common")
int BPF_PROG(chmod_common_x, struct path *path, u16 mode, int ret)
{
	return chmod_left(EV_RUNG_FENTRY, path, mode, (s32)ret);
}
SEC("kprobe/chmod_common")
int chmod_common_ke(struct pt_regs *ctx)
{
	return call_keep(EV_CHMOD, ctx);
}
SEC("kretprobe/chmod_common")
int chmod_common_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_CHMOD, &c) ? chmod_left(EV_RUNG_KPROBE, (void *)c.arg[0], c.arg[1], (s32)FN_RESULT(ctx))
				       : 0;
}

SEC("fexit/chown_common")
int BPF_PROG(chown_common_x, struct path *path, u32 uid, u32 gid, int ret)
{
	return chown_left(EV_RUNG_FENTRY, path, uid, gid, (s32)ret);
}
SEC("kprobe/chown_common")
int chown_common_ke(struct pt_regs *ctx)
{
	return call_keep(EV_CHOWN, ctx);
}
SEC("kretprobe/chown_common")
int chown_common_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_CHOWN, &c)
		       ? chown_left(EV_RUNG_KPROBE, (void *)c.arg[0], c.arg[1], c.arg[2], (s32)FN_RESULT(ctx))
		       : 0;
}

SEC("fexit/vfs_truncate")
int BPF_PROG(vfs_truncate_x, struct path *path, s64 length, int ret)
{
	return truncate_left(EV_RUNG_FENTRY, place_of(path), length, (s32)ret);
}
SEC("kprobe/vfs_truncate")
int vfs_truncate_ke(struct pt_regs *ctx)
{
	return call_keep(EV_TRUNCATE, ctx);
}
SEC("kretprobe/vfs_truncate")
int vfs_truncate_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_TRUNCATE, &c)
		       ? truncate_left(EV_RUNG_KPROBE, place_of((void *)c.arg[0]), c.arg[1], (s32)FN_RESULT(ctx))
		       : 0;
}

SEC("fexit/do_ftruncate") /* from 6.9 on */
int BPF_PROG(do_ftruncate_x, struct file *file, s64 length, int small, int ret)
{
	return truncate_left(EV_RUNG_FENTRY, place_of_file(file), length, (s32)ret);
}
SEC("kprobe/do_ftruncate")
int do_ftruncate_ke(struct pt_regs *ctx)
{
	return call_keep(EV_TRUNCATE, ctx);
}
SEC("kretprobe/do_ftruncate")
int do_ftruncate_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_TRUNCATE, &c)
		       ? truncate_left(EV_RUNG_KPROBE, place_of_file((void *)c.arg[0]), c.arg[1], (s32)FN_RESULT(ctx))
		       : 0;
}

SEC("fexit/do_sys_ftruncate") /* where do_ftruncate is not there */
int BPF_PROG(do_sys_ftruncate_x, u32 fd, s64 length, int small, int ret)
{
	return ftruncate_left(EV_RUNG_FENTRY, fd, length, (s32)ret);
}
SEC("kprobe/do_sys_ftruncate")
int do_sys_ftruncate_ke(struct pt_regs *ctx)
{
	return call_keep(EV_TRUNCATE, ctx);
}
SEC("kretprobe/do_sys_ftruncate")
int do_sys_ftruncate_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_TRUNCATE, &c) ? ftruncate_left(EV_RUNG_KPROBE, c.arg[0], c.arg[1], (s32)FN_RESULT(ctx)) : 0;
}

/* ---- upper rungs, two halves ----------------------------------------------------------------------------------- */

/* Keeps the record of @h's slot until the second half; counts it as lost where there is no room. */
INLINE void half_keep(struct hook *h, const u32 type, bool ok)
{
	struct rec *r = &h->s->rec;
	u32 tid = (u32)bpf_get_current_pid_tgid();

	if (is_canary()) {
		r->type = type;
		r->used = 0; /* no record, only the mark */
		bpf_map_update_elem(&pending, &tid, r, BPF_ANY);
		stat_add(type, dropped);
	} else if (!ok) {
		stat_add(type, dropped);
	} else {
		struct ev_head *head = rec_head(r);

		head->policy = h->sv->generation;
		head->flags = h->s->flags;
		sv_mask_copy((struct sv_mask *)head->alive, &h->alive);
		if (!slot_ok(h->s) || r->used > PENDING_MAX || bpf_map_update_elem(&pending, &tid, r, BPF_ANY))
			stat_add(type, lost);
	}
	slot_release(h->s);
}

/* The second half of all of them: the result is known. @report: it is one that makes an event. */
INLINE int half_send(const u32 type, s64 ret, bool report)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct pending *p = bpf_map_lookup_elem(&pending, &tid);
	const struct sieve *sv = sieve_get();
	struct ev_head *head;

	if (!p)
		return 0;
	if (!p->used) {
		if (p->type == type)
			canary_send(type);
		bpf_map_delete_elem(&pending, &tid);
		return 0;
	}
	head = (void *)p->raw;
	if (p->type != type || !report) {
		stat_add(type, dropped);
		bpf_map_delete_elem(&pending, &tid);
		return 0;
	}
	head->retval = result(ret);
	/* The mask is of the sieve that the first half saw; numbers of another policy's clauses would not fit it. */
	if (sv && sv->generation == head->policy &&
	    (!sv_nums(&sv->event[type], head, (u64 *)(p->raw + HEAD), (struct sv_mask *)head->alive) ||
	     !half_last(tid)))
		stat_add(type, dropped);
	else if (raw_send(p->raw, type, p->used, PENDING_MAX, 0))
		stat_add(type, sent);
	else
		stat_add(type, lost);
	bpf_map_delete_elem(&pending, &tid);
	return 0;
}

/* One place. SET may use num and s. */
#define HALF_PLACE(RUNG, TYPE, AT, SET)                                                                                \
	do {                                                                                                           \
		struct hook h;                                                                                         \
		if (!HOOK_BEGIN_IF(&h, EV_##TYPE, hook_place(&h, EV_##TYPE, AT)))                                      \
			return 0;                                                                                      \
		struct slot *s = h.s;                                                                                  \
		bool ok_ = path_decide(s, 0, h.sv, h.e, EV_##TYPE, AT, place_named(AT), &h.alive);                     \
		if (ok_) {                                                                                             \
			file_rec(s, EV_##TYPE, EVN_##TYPE##_COUNT, EVS_##TYPE##_COUNT, RUNG, 0, AT);                   \
			u64 *num = rec_num(&s->rec);                                                                   \
			(void)num;                                                                                     \
			SET;                                                                                           \
		}                                                                                                      \
		half_keep(&h, EV_##TYPE, ok_);                                                                         \
		return 0;                                                                                              \
	} while (0)

/* A name in a directory: unlink, rmdir, mkdir, symlink. */
#define HALF_FILE(RUNG, TYPE, DIR, DENTRY, SET)                                                                        \
	do {                                                                                                           \
		struct place at = { (void *)as_number(DENTRY), real_mount(READ(DIR, mnt)) };                           \
		HALF_PLACE(RUNG, TYPE, at, SET);                                                                       \
	} while (0)

/* Two names: rename and link. Both lie on one mount, else the call has failed before. */
#define HALF_TWO(RUNG, TYPE, AT, DEST)                                                                                 \
	do {                                                                                                           \
		struct hook h;                                                                                         \
		if (!hook_begin(&h, EV_##TYPE))                                                                        \
			return 0;                                                                                      \
		bool ok_ = path_sieve(h.s, 0, h.sv, h.e, EV_##TYPE, AT, &h.alive) &&                                   \
			   path_sieve(h.s, 1, h.sv, h.e, EV_##TYPE, DEST, &h.alive);                                   \
		if (ok_) {                                                                                             \
			file_rec(h.s, EV_##TYPE, EVN_##TYPE##_COUNT, EVS_##TYPE##_COUNT, RUNG, 0, AT);                 \
			dest_nums(&rec_num(&h.s->rec)[NUM(TYPE, DEST_INODE)], DEST);                                   \
			file_strs(h.s, 1, &rec_str(&h.s->rec, EVN_##TYPE##_COUNT)[STR(TYPE, DEST_PATH)], DEST.d);      \
		}                                                                                                      \
		half_keep(&h, EV_##TYPE, ok_);                                                                         \
		return 0;                                                                                              \
	} while (0)

INLINE int unlink_begun(u8 rung, struct path *dir, struct dentry *dentry)
{
	HALF_FILE(rung, UNLINK, dir, dentry, );
}
INLINE int rmdir_begun(u8 rung, struct path *dir, struct dentry *dentry)
{
	HALF_FILE(rung, RMDIR, dir, dentry, );
}
INLINE int mkdir_begun(u8 rung, struct path *dir, struct dentry *dentry, u16 mode)
{
	HALF_FILE(rung, MKDIR, dir, dentry, num[NUM(MKDIR, MODE)] = mode & 07777);
}
INLINE int symlink_begun(u8 rung, struct path *dir, struct dentry *dentry, const char *target)
{
	HALF_FILE(rung, SYMLINK, dir, dentry,
		  rec_puts(s, &rec_str(&s->rec, EVN_SYMLINK_COUNT)[STR(SYMLINK, TARGET)], target, EV_PATH_MAX, false));
}
INLINE int rename_begun(u8 rung, struct path *old_dir, struct dentry *old_dentry, struct path *new_dir,
			struct dentry *new_dentry)
{
	struct place at = { (void *)as_number(old_dentry), real_mount(READ(old_dir, mnt)) };
	struct place dest = { (void *)as_number(new_dentry), real_mount(READ(new_dir, mnt)) };

	HALF_TWO(rung, RENAME, at, dest);
}
INLINE int link_begun(u8 rung, struct dentry *old_dentry, struct path *new_dir, struct dentry *new_dentry)
{
	struct place at = { (void *)as_number(old_dentry), real_mount(READ(new_dir, mnt)) };
	struct place dest = { (void *)as_number(new_dentry), at.m };

	HALF_TWO(rung, LINK, at, dest);
}

SEC("fentry/security_path_unlink")
int BPF_PROG(path_unlink_e, struct path *dir, struct dentry *dentry)
{
	return unlink_begun(EV_RUNG_FENTRY, dir, dentry);
}
SEC("kprobe/security_path_unlink")
int path_unlink_ke(struct pt_regs *ctx)
{
	return unlink_begun(EV_RUNG_KPROBE, (void *)FN_ARG1(ctx), (void *)FN_ARG2(ctx));
}
SEC("fexit/do_unlinkat")
int BPF_PROG(do_unlinkat_x, int dfd, void *name, int ret)
{
	return half_send(EV_UNLINK, (s32)ret, reportable((s32)ret));
}
SEC("fexit/filename_unlinkat")
int BPF_PROG(filename_unlinkat_x, int dfd, void *name, int ret)
{
	return half_send(EV_UNLINK, (s32)ret, reportable((s32)ret));
}
SEC("kretprobe/do_unlinkat") /* or filename_unlinkat */
int do_unlinkat_kx(struct pt_regs *ctx)
{
	return half_send(EV_UNLINK, (s32)FN_RESULT(ctx), reportable((s32)FN_RESULT(ctx)));
}

SEC("fentry/security_path_rmdir")
int BPF_PROG(path_rmdir_e, struct path *dir, struct dentry *dentry)
{
	return rmdir_begun(EV_RUNG_FENTRY, dir, dentry);
}
SEC("kprobe/security_path_rmdir")
int path_rmdir_ke(struct pt_regs *ctx)
{
	return rmdir_begun(EV_RUNG_KPROBE, (void *)FN_ARG1(ctx), (void *)FN_ARG2(ctx));
}
SEC("fexit/do_rmdir")
int BPF_PROG(do_rmdir_x, int dfd, void *name, int ret)
{
	return half_send(EV_RMDIR, (s32)ret, reportable((s32)ret));
}
SEC("fexit/filename_rmdir")
int BPF_PROG(filename_rmdir_x, int dfd, void *name, int ret)
{
	return half_send(EV_RMDIR, (s32)ret, reportable((s32)ret));
}
SEC("kretprobe/do_rmdir") /* or filename_rmdir */
int do_rmdir_kx(struct pt_regs *ctx)
{
	return half_send(EV_RMDIR, (s32)FN_RESULT(ctx), reportable((s32)FN_RESULT(ctx)));
}

SEC("fentry/security_path_mkdir")
int BPF_PROG(path_mkdir_e, struct path *dir, struct dentry *dentry, u16 mode)
{
	return mkdir_begun(EV_RUNG_FENTRY, dir, dentry, mode);
}
SEC("kprobe/security_path_mkdir")
int path_mkdir_ke(struct pt_regs *ctx)
{
	return mkdir_begun(EV_RUNG_KPROBE, (void *)FN_ARG1(ctx), (void *)FN_ARG2(ctx), (u16)FN_ARG3(ctx));
}
SEC("fexit/do_mkdirat")
int BPF_PROG(do_mkdirat_x, int dfd, void *name, u16 mode, int ret)
{
	return half_send(EV_MKDIR, (s32)ret, reportable((s32)ret));
}
SEC("fexit/filename_mkdirat")
int BPF_PROG(filename_mkdirat_x, int dfd, void *name, u16 mode, int ret)
{
	return half_send(EV_MKDIR, (s32)ret, reportable((s32)ret));
}
SEC("kretprobe/do_mkdirat") /* or filename_mkdirat */
int do_mkdirat_kx(struct pt_regs *ctx)
{
	return half_send(EV_MKDIR, (s32)FN_RESULT(ctx), reportable((s32)FN_RESULT(ctx)));
}

SEC("fentry/security_path_symlink")
int BPF_PROG(path_symlink_e, struct path *dir, struct dentry *dentry, const char *target)
{
	return symlink_begun(EV_RUNG_FENTRY, dir, dentry, target);
}
SEC("kprobe/security_path_symlink")
int path_symlink_ke(struct pt_regs *ctx)
{
	return symlink_begun(EV_RUNG_KPROBE, (void *)FN_ARG1(ctx), (void *)FN_ARG2(ctx), (void *)FN_ARG3(ctx));
}
SEC("fexit/do_symlinkat")
int BPF_PROG(do_symlinkat_x, void *from, int dfd, void *to, int ret)
{
	return half_send(EV_SYMLINK, (s32)ret, reportable((s32)ret));
}
SEC("fexit/filename_symlinkat")
int BPF_PROG(filename_symlinkat_x, void *from, int dfd, void *to, int ret)
{
	return half_send(EV_SYMLINK, (s32)ret, reportable((s32)ret));
}
SEC("kretprobe/do_symlinkat") /* or filename_symlinkat */
int do_symlinkat_kx(struct pt_regs *ctx)
{
	return half_send(EV_SYMLINK, (s32)FN_RESULT(ctx), reportable((s32)FN_RESULT(ctx)));
}

SEC("fentry/security_path_rename")
int BPF_PROG(path_rename_e, struct path *old_dir, struct dentry *old_dentry, struct path *new_dir,
	     struct dentry *new_dentry)
{
	return rename_begun(EV_RUNG_FENTRY, old_dir, old_dentry, new_dir, new_dentry);
}
SEC("kprobe/security_path_rename")
int path_rename_ke(struct pt_regs *ctx)
{
	return rename_begun(EV_RUNG_KPROBE, (void *)FN_ARG1(ctx), (void *)FN_ARG2(ctx), (void *)FN_ARG3(ctx),
			    (void *)FN_ARG4(ctx));
}
SEC("fexit/do_renameat2")
int BPF_PROG(do_renameat2_x, int olddfd, void *from, int newdfd, void *to, u32 flags, int ret)
{
	return half_send(EV_RENAME, (s32)ret, reportable((s32)ret));
}
SEC("fexit/filename_renameat2")
int BPF_PROG(filename_renameat2_x, int olddfd, void *from, int newdfd, void *to, u32 flags, int ret)
{
	return half_send(EV_RENAME, (s32)ret, reportable((s32)ret));
}
SEC("kretprobe/do_renameat2") /* or filename_renameat2 */
int do_renameat2_kx(struct pt_regs *ctx)
{
	return half_send(EV_RENAME, (s32)FN_RESULT(ctx), reportable((s32)FN_RESULT(ctx)));
}

SEC("fentry/security_path_link")
int BPF_PROG(path_link_e, struct dentry *old_dentry, struct path *new_dir, struct dentry *new_dentry)
{
	return link_begun(EV_RUNG_FENTRY, old_dentry, new_dir, new_dentry);
}
SEC("kprobe/security_path_link")
int path_link_ke(struct pt_regs *ctx)
{
	return link_begun(EV_RUNG_KPROBE, (void *)FN_ARG1(ctx), (void *)FN_ARG2(ctx), (void *)FN_ARG3(ctx));
}
SEC("fexit/do_linkat")
int BPF_PROG(do_linkat_x, int olddfd, void *from, int newdfd, void *to, int flags, int ret)
{
	return half_send(EV_LINK, (s32)ret, reportable((s32)ret));
}
SEC("fexit/filename_linkat")
int BPF_PROG(filename_linkat_x, int olddfd, void *from, int newdfd, void *to, int flags, int ret)
{
	return half_send(EV_LINK, (s32)ret, reportable((s32)ret));
}
SEC("kretprobe/do_linkat") /* or filename_linkat */
int do_linkat_kx(struct pt_regs *ctx)
{
	return half_send(EV_LINK, (s32)FN_RESULT(ctx), reportable((s32)FN_RESULT(ctx)));
}

/* ---- tracepoint rung ------------------------------------------------------------------------------------------- */

/* How call @args->nr tells its event, as a copy. False for a call that tells none, which is nearly all of them. */
INLINE bool sys_find(struct sysargs *args, struct sysdesc *ret)
{
	u64 nr = args->nr;

	if (nr >= SYSCALLS)
		return false;
	sv_hide(nr);
	nr &= SYSCALLS - 1;
	if (!syscalls.any[nr])
		return false;
	args->compat = sys_compat((void *)bpf_get_current_task());
	if (args->compat)
		*ret = syscalls.compat[nr];
	else
		*ret = syscalls.native[nr];
	return ret->event;
}

/* The same for the call that @regs are of, with its arguments. */
INLINE bool sys_desc(struct pt_regs *regs, struct sysargs *args, struct sysdesc *ret)
{
	args->nr = sys_nr(regs);
	if (!sys_find(args, ret))
		return false;
	sys_args(regs, args->compat, args);
	return true;
}

/* Puts the arguments where an index that is not a constant can reach them. */
INLINE void sys_keep(struct slot *s, const struct sysargs *args)
{
	s->args[0] = args->a[0];
	s->args[1] = args->a[1];
	s->args[2] = args->a[2];
	s->args[3] = args->a[3];
	s->args[4] = args->a[4];
	s->args[5] = args->a[5];
	s->args[6] = 0;
	s->args[NO_ARG] = 0;
	if (args->compat)
		s->flags |= EV_F_COMPAT;
}

INLINE u64 sys_arg(struct slot *s, u8 i)
{
	u64 at = i;

	sv_hide(at);
	return s->args[at & 7];
}

/*
 * The file that a descriptor @fd and a string @ptr stand for together: that of the descriptor itself where the string is empty
 * (AT_EMPTY_PATH), or there is none. NULL where the string says more.
 */
INLINE struct file *given_file(s32 fd, const void *ptr)
{
	char first = 1;

	if (fd < 0 || (ptr && (bpf_probe_read_user(&first, 1, ptr) || first)))
		return 0;
	return file_of_fd((void *)bpf_get_current_task(), fd);
}

/*
 * Path @w as a caller gave it: the file of a descriptor, or the string @ptr from the directory @fd. *ret_at tells the file
 * where there is one.
 */
INLINE bool given_path(struct hook *h, const u32 w, const u32 type, s32 fd, const void *ptr, bool by_fd,
		       struct place *ret_at)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file *file = by_fd ? file_of_fd(task, fd) : given_file(fd, ptr);

	ret_at->d = 0;
	ret_at->m = 0; /* 5.10 takes no loads of what was never stored, even where they are not used */
	if (file) {
		*ret_at = place_of_file(file);
		return path_sieve(h->s, w, h->sv, h->e, type, *ret_at, &h->alive);
	}
	return string_sieve(h->s, w, h->sv, h->e, type, task, fd, ptr, true, &h->alive);
}

/* The same of a call's arguments, by their indexes. */
INLINE bool sys_path(struct hook *h, const u32 w, const u32 type, u8 dirfd, u8 path, struct place *ret_at)
{
	return given_path(h, w, type, dirfd == NO_ARG ? AT_FDCWD : (s32)sys_arg(h->s, dirfd),
			  (const void *)sys_arg(h->s, path), false, ret_at);
}

/* The path of a call with one, as a string. */
INLINE bool sys_string(struct hook *h, const u32 type, const struct sysdesc *d)
{
	return string_sieve(h->s, 0, h->sv, h->e, type, (void *)bpf_get_current_task(),
			    d->dirfd == NO_ARG ? AT_FDCWD : (s32)sys_arg(h->s, d->dirfd),
			    (const void *)sys_arg(h->s, d->path), true, &h->alive);
}

/* What the descriptor of a call with one path stands for alone: {} where there is a string, too. */
INLINE struct place sys_place(const struct sysargs *args, const struct sysdesc *d)
{
	struct place none = {};
	struct file *file = 0;

	if (d->form == SYSFORM_FD)
		file = file_of_fd((void *)bpf_get_current_task(), (s32)args->a[0]);
	else if (d->dirfd == 0 && d->path == 1)
		file = given_file((s32)args->a[0], (const void *)args->a[1]);
	return file ? place_of_file(file) : none;
}

/* The frame of a sys_exit program with one path. FIRST is what is asked before all else, of h, args and d; SET may use num, s, d. */
#define SYS_FILE(TYPE, FIRST, SET)                                                                                     \
	do {                                                                                                           \
		struct hook h;                                                                                         \
		struct sysargs args;                                                                                   \
		struct place at = {};                                                                                  \
		struct sysdesc d;                                                                                      \
		if (!sys_desc(regs, &args, &d) || !reportable(ret) ||                                                  \
		    !HOOK_BEGIN_IF(&h, EV_##TYPE,                                                                      \
				   hook_first(&h, result(ret)) && (FIRST) &&                                           \
					   (!(at = sys_place(&args, &d)).d || hook_place(&h, EV_##TYPE, at))))         \
			return 0;                                                                                      \
		struct slot *s = h.s;                                                                                  \
		sys_keep(s, &args);                                                                                    \
		bool ok_ = at.d ? path_decide(s, 0, h.sv, h.e, EV_##TYPE, at, place_named(at), &h.alive)               \
				: sys_string(&h, EV_##TYPE, &d);                                                       \
		if (ok_) {                                                                                             \
			file_rec(s, EV_##TYPE, EVN_##TYPE##_COUNT, EVS_##TYPE##_COUNT, EV_RUNG_TRACEPOINT,             \
				 result(ret), at);                                                                     \
			u64 *num = rec_num(&s->rec);                                                                   \
			(void)num;                                                                                     \
			SET;                                                                                           \
			ok_ = rec_sieve(s, h.sv, h.e, &h.alive);                                                       \
		}                                                                                                      \
		hook_end(&h, EV_##TYPE, ok_);                                                                          \
		return 0;                                                                                              \
	} while (0)

INLINE int unlink_at_exit(struct pt_regs *regs, s64 ret)
{
	SYS_FILE(UNLINK, true, num[NUM(UNLINK, FLAGS)] = sys_arg(s, d.x));
}
INLINE int rmdir_at_exit(struct pt_regs *regs, s64 ret)
{
	SYS_FILE(RMDIR, true, );
}
INLINE int mkdir_at_exit(struct pt_regs *regs, s64 ret)
{
	SYS_FILE(MKDIR, true, num[NUM(MKDIR, MODE)] = sys_arg(s, d.x) & 07777);
}
INLINE int symlink_at_exit(struct pt_regs *regs, s64 ret)
{
	SYS_FILE(SYMLINK, true,
		 rec_puts(s, &rec_str(&s->rec, EVN_SYMLINK_COUNT)[STR(SYMLINK, TARGET)], (void *)sys_arg(s, d.x),
			  EV_PATH_MAX, true));
}
INLINE int chmod_at_exit(struct pt_regs *regs, s64 ret)
{
	u64 mode;

	SYS_FILE(CHMOD, (mode = (d.x == 2 ? args.a[2] : args.a[1]) & 07777, HOOK_TWO(&h, CHMOD, mode, mode)),
		 num[NUM(CHMOD, MODE)] = mode);
}

/* Before 32-bit ids, -1 was 16 bits wide (chown16). */
INLINE s64 sys_id(struct slot *s, u8 i, bool wide)
{
	u32 id = sys_arg(s, i);

	return wide ? (s64)(s32)id : (s64)(s16)id == -1 ? -1 : (s64)(u16)id;
}
INLINE int chown_at_exit(struct pt_regs *regs, s64 ret)
{
	SYS_FILE(CHOWN, true, {
		bool wide = !args.compat || args.nr >= 198;

		num[NUM(CHOWN, DEST_UID)] = sys_id(s, d.x, wide);
		num[NUM(CHOWN, DEST_GID)] = sys_id(s, d.y, wide);
	});
}
INLINE int truncate_at_exit(struct pt_regs *regs, s64 ret)
{
	/* On 32 bits the length is two arguments for the calls that end in 64. */
	SYS_FILE(TRUNCATE, true,
		 num[NUM(TRUNCATE, SIZE)] = d.y == NO_ARG
						    ? (args.compat ? (u64)(s64)(s32)sys_arg(s, d.x) : sys_arg(s, d.x))
						    : (u32)sys_arg(s, d.x) | sys_arg(s, d.y) << 32);
}

INLINE int write_forget(struct file *file); /* write.bpf.c */

/* struct open_how */
struct how {
	u64 flags, mode, resolve;
};

INLINE int open_at_exit(struct pt_regs *regs, s64 ret)
{
	struct hook h;
	struct sysargs args;
	struct place at = {};
	struct file *file;
	struct sysdesc d;
	struct how how = {};
	bool ok;

	if (!sys_desc(regs, &args, &d) || !reportable(ret))
		return 0;
	file = ret >= 0 ? file_of_fd((void *)bpf_get_current_task(), ret) : 0;
	if (file) {
		write_forget(file);
		at = place_of_file(file);
		if (!HOOK_BEGIN_IF(&h, EV_OPEN, hook_first(&h, result(ret)) && hook_place(&h, EV_OPEN, at)))
			return 0;
	} else if (!HOOK_BEGIN_IF(&h, EV_OPEN, hook_first(&h, result(ret)))) {
		return 0;
	}
	sys_keep(h.s, &args);
	if (file) {
		ok = path_decide(h.s, 0, h.sv, h.e, EV_OPEN, at, place_named(at), &h.alive);
	} else {
		ok = sys_string(&h, EV_OPEN, &d);
	}
	if (ok) {
		u64 *num = rec_num(&h.s->rec);

		if (d.form == SYSFORM_OPENAT2) {
			if (bpf_probe_read_user(&how, sizeof(how), (void *)sys_arg(h.s, d.x)))
				h.s->flags |= EV_F_UNREADABLE;
		} else {
			how.flags = d.x == NO_ARG ? O_CREAT | O_WRONLY | O_TRUNC : sys_arg(h.s, d.x); /* creat(2) */
			how.mode = sys_arg(h.s, d.y);
		}
		file_rec(h.s, EV_OPEN, EVN_OPEN_COUNT, EVS_OPEN_COUNT, EV_RUNG_TRACEPOINT, result(ret), at);
		num[NUM(OPEN, FLAGS)] = open_flags_portable(how.flags);
		num[NUM(OPEN, MODE)] = how.flags & O_CREAT ? how.mode & 07777 : 0;
		ok = rec_sieve(h.s, h.sv, h.e, &h.alive) && open_may_hold(h.s, at);
	}
	hook_end(&h, EV_OPEN, ok);
	return 0;
}

#define SYS_TWO(TYPE)                                                                                                  \
	do {                                                                                                           \
		struct hook h;                                                                                         \
		struct sysargs args;                                                                                   \
		struct place at, dest;                                                                                 \
		struct sysdesc d;                                                                                      \
		if (!sys_desc(regs, &args, &d) || !reportable(ret) ||                                                  \
		    !HOOK_BEGIN_IF(&h, EV_##TYPE, hook_first(&h, result(ret))))                                        \
			return 0;                                                                                      \
		sys_keep(h.s, &args);                                                                                  \
		bool ok_ = sys_path(&h, 0, EV_##TYPE, d.dirfd, d.path, &at) &&                                         \
			   sys_path(&h, 1, EV_##TYPE, d.dirfd2, d.path2, &dest);                                       \
		if (ok_) {                                                                                             \
			file_rec(h.s, EV_##TYPE, EVN_##TYPE##_COUNT, EVS_##TYPE##_COUNT, EV_RUNG_TRACEPOINT,           \
				 result(ret), at);                                                                     \
			if (dest.d)                                                                                    \
				file_nums(&rec_num(&h.s->rec)[NUM(TYPE, DEST_INODE)], dest);                           \
			file_strs(h.s, 1, &rec_str(&h.s->rec, EVN_##TYPE##_COUNT)[STR(TYPE, DEST_PATH)], dest.d);      \
			ok_ = rec_sieve(h.s, h.sv, h.e, &h.alive);                                                     \
		}                                                                                                      \
		hook_end(&h, EV_##TYPE, ok_);                                                                          \
		return 0;                                                                                              \
	} while (0)

INLINE int rename_at_exit(struct pt_regs *regs, s64 ret)
{
	SYS_TWO(RENAME);
}
INLINE int link_at_exit(struct pt_regs *regs, s64 ret)
{
	SYS_TWO(LINK);
}

/* By BTF tracepoint, and the same by classic tracepoint (_c): see tracepoint.bpf.c. */
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_unlink, struct pt_regs *regs, long ret)
{
	return unlink_at_exit(regs, ret);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_unlink_c(struct trace_event_raw_sys_exit *ctx)
{
	return unlink_at_exit(task_regs(), ctx->ret);
}
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_rmdir, struct pt_regs *regs, long ret)
{
	return rmdir_at_exit(regs, ret);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_rmdir_c(struct trace_event_raw_sys_exit *ctx)
{
	return rmdir_at_exit(task_regs(), ctx->ret);
}
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_mkdir, struct pt_regs *regs, long ret)
{
	return mkdir_at_exit(regs, ret);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_mkdir_c(struct trace_event_raw_sys_exit *ctx)
{
	return mkdir_at_exit(task_regs(), ctx->ret);
}
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_symlink, struct pt_regs *regs, long ret)
{
	return symlink_at_exit(regs, ret);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_symlink_c(struct trace_event_raw_sys_exit *ctx)
{
	return symlink_at_exit(task_regs(), ctx->ret);
}
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_chmod, struct pt_regs *regs, long ret)
{
	return chmod_at_exit(regs, ret);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_chmod_c(struct trace_event_raw_sys_exit *ctx)
{
	return chmod_at_exit(task_regs(), ctx->ret);
}
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_chown, struct pt_regs *regs, long ret)
{
	return chown_at_exit(regs, ret);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_chown_c(struct trace_event_raw_sys_exit *ctx)
{
	return chown_at_exit(task_regs(), ctx->ret);
}
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_truncate, struct pt_regs *regs, long ret)
{
	return truncate_at_exit(regs, ret);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_truncate_c(struct trace_event_raw_sys_exit *ctx)
{
	return truncate_at_exit(task_regs(), ctx->ret);
}
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_open, struct pt_regs *regs, long ret)
{
	return open_at_exit(regs, ret);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_open_c(struct trace_event_raw_sys_exit *ctx)
{
	return open_at_exit(task_regs(), ctx->ret);
}
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_rename, struct pt_regs *regs, long ret)
{
	return rename_at_exit(regs, ret);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_rename_c(struct trace_event_raw_sys_exit *ctx)
{
	return rename_at_exit(task_regs(), ctx->ret);
}
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_link, struct pt_regs *regs, long ret)
{
	return link_at_exit(regs, ret);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_link_c(struct trace_event_raw_sys_exit *ctx)
{
	return link_at_exit(task_regs(), ctx->ret);
}
