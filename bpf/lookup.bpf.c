/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keeps what chdir, chroot, pivot_root, move_mount and mount_setattr look up, for when they are refused: see lib/lookup.bpf.h. Of a
 * mount_setattr by a path it makes the record, since the mount is known here alone.
 *
 * filename_lookup serves every call that takes a path, so the first thing is which call it is.
 */
#include "lib/call.bpf.h"
#include "lib/lookup.bpf.h"
#include "lib/syscall.bpf.h"

#if defined(__TARGET_ARCH_x86)
#define NR_CHDIR	80
#define NR_CHROOT	161
#define NR_PIVOT_ROOT	155
#define NR_PIVOT_ROOT32 217
#elif defined(__TARGET_ARCH_arm64)
#define NR_CHDIR	49
#define NR_CHROOT	51
#define NR_PIVOT_ROOT	41
#define NR_PIVOT_ROOT32 218
#endif
#define NR_CHDIR32	 12
#define NR_CHROOT32	 61
#define NR_MOVE_MOUNT	 429 /* the same on every architecture */
#define NR_MOUNT_SETATTR 442

/* Which event the current call is, if it is one of these; else EV_NONE. */
INLINE u32 lookup_type(const u32 nr)
{
	switch (nr) {
	case NR_MOVE_MOUNT:
	case NR_MOUNT_SETATTR:
		return EV_MOUNT;
	case NR_CHDIR:
		return task_compat() ? EV_NONE : EV_CHDIR;
	case NR_CHROOT:
		return task_compat() ? EV_NONE : EV_CHROOT;
	case NR_PIVOT_ROOT:
		return task_compat() ? EV_NONE : EV_PIVOT_ROOT;
	case NR_CHDIR32:
		return task_compat() ? EV_CHDIR : EV_NONE;
	case NR_CHROOT32:
		return task_compat() ? EV_CHROOT : EV_NONE;
	case NR_PIVOT_ROOT32:
		return task_compat() ? EV_PIVOT_ROOT : EV_NONE;
	}
	return EV_NONE;
}

INLINE bool lookup_wanted(const u32 type)
{
	const struct sieve *sv = sieve_get();

	if (!sv)
		return false;
	switch (type) {
	case EV_CHDIR:
		return !sv_mask_zero(&sv->event[EV_CHDIR].clauses);
	case EV_CHROOT:
		return !sv_mask_zero(&sv->event[EV_CHROOT].clauses);
	case EV_PIVOT_ROOT:
		return !sv_mask_zero(&sv->event[EV_PIVOT_ROOT].clauses);
	case EV_MOUNT:
		return !sv_mask_zero(&sv->event[EV_MOUNT].clauses);
	}
	return false;
}

/* Room for the look-ups of a call that begins, or NULL. */
INLINE struct lookup *lookup_new(const u32 type)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct slot *s = slot_claim();
	struct pending *p;
	bool kept;

	if (!s)
		return 0;
	s->rec.type = LOOKUP_OF(type);
	s->rec.used = 1;
	__builtin_memset(s->rec.raw, 0, offsetof(struct lookup, text));
	kept = slot_ok(s) && !bpf_map_update_elem(&pending, &tid, &s->rec, BPF_ANY);
	slot_release(s);
	p = kept ? bpf_map_lookup_elem(&pending, &tid) : 0;
	return p ? (struct lookup *)p->raw : 0;
}

INLINE bool has_two(u32 nr, u32 type)
{
	return type == EV_PIVOT_ROOT || nr == NR_MOVE_MOUNT;
}

#define MOVE_MOUNT_T_EMPTY_PATH 0x40

/*
 * Which path of a move_mount is looked up as @name from @dirfd, the first time in this call or not: 0, 1, or -1 where that cannot be
 * told. Up to 6.x by the caller's strings; since then the kernel does the target first, unless it is a descriptor alone.
 */
INLINE int move_mount_index(struct filename *name, s32 dirfd, bool first)
{
	struct sysargs args;

	call_args(task_regs(), &args);
	if (bpf_core_field_exists(name->uptr)) {
		u64 string = (u64)READ(name, uptr);

		return args.a[1] == args.a[3] ? -1 : string == args.a[1] ? 0 : string == args.a[3] ? 1 : -1;
	}
	if (!first)
		return 0;
	if (!(args.a[4] & MOVE_MOUNT_T_EMPTY_PATH) || dirfd != (s32)args.a[0])
		return 1;
	return dirfd == (s32)args.a[2] ? -1 : 0;
}

/* @nr: of a call whose event is @type. */
INLINE int lookup_begun(const u32 nr, const u32 type, s32 dirfd, struct filename *name, struct path *path)
{
	struct lookup *l;
	int which = 0;
	u32 i;
	long n;

	if (!lookup_wanted(type))
		return 0;
	l = lookup_get(type);
	if (l && l->open) {
		l->open++;
		return 0;
	}
	if (nr == NR_MOVE_MOUNT)
		which = move_mount_index(name, dirfd, !l);
	else if (type == EV_PIVOT_ROOT)
		which = l && l->of[0].how && !l->of[1].how;
	if (which < 0)
		return 0;
	i = which & 1;
	/* twice the same: another try, or another call after one whose end was missed */
	if (!l || l->of[i].how)
		l = lookup_new(type);
	if (!l)
		return 0;
	n = bpf_probe_read_kernel_str(l->text[i], EV_PATH_MAX, READ(name, name));
	l->open = 1;
	l->now = i;
	l->of[i].path = (u64)path;
	l->of[i].empty = n == 1;
	l->of[i].how = n > 0 ? LOOKUP_ASKED : 0;
	return 0;
}

/* What look-up @i of the call has found, @at: its path goes to text @to. */
INLINE void lookup_found(struct lookup *l, const u32 i, const u32 to, struct place at)
{
	struct slot *s = slot_claim();
	u64 off, len;
	int cut;

	if (!s)
		return;
	cut = path_walk(s->index, 0, (u64)at.d, (u64)at.m);
	off = s->path_off[0];
	len = s->path_len[0];
	sv_hide(off);
	if (len <= EV_PATH_MAX && slot_ok(s)) {
		bpf_probe_read_kernel(l->text[to], len, &s->work[0][off & (SV_BUF_SIZE - 1)]);
		l->of[i].len = len;
		/* what was overwritten between the two looks is nothing to go by */
		l->of[i].how = !slot_ok(s) ? 0 : cut ? LOOKUP_CUT : LOOKUP_FOUND;
	}
	slot_release(s);
}

INLINE int lookup_ended(const u32 nr, const u32 type, u8 rung, s64 ret)
{
	struct lookup *l = lookup_get(type);

	if (!l || !l->open || --l->open || ret)
		return 0;
	if (nr == NR_MOUNT_SETATTR)
		return mount_setattr_found(rung, place_of((void *)l->of[0].path));
	if (!has_two(nr, type))
		lookup_found(l, 0, 1, place_of((void *)l->of[0].path));
	else if (l->now)
		lookup_found(l, 1, 1, place_of((void *)l->of[1].path));
	else
		lookup_found(l, 0, 0, place_of((void *)l->of[0].path));
	return 0;
}

/* Of most calls nothing else runs. */
#define LOOKUP(WHAT)                                                                                                   \
	do {                                                                                                           \
		const u32 nr = task_nr(), type = lookup_type(nr);                                                      \
		if (type != EV_NONE)                                                                                   \
			WHAT;                                                                                          \
		return 0;                                                                                              \
	} while (0)

/*
 * Up to 5.14 the kernel gave up the name before the look-up returned; since then it is there at its end, too, and one program does
 * what two did: every call that takes a path pays for each. No type came with that change; struct mnt_idmap came later, and
 * whoever carries that back has the other one.
 */
#define ONE_DOES() bpf_core_type_exists(struct mnt_idmap)

SEC("fentry/filename_lookup")
int BPF_PROG(lookup_e, int dirfd, struct filename *name, unsigned int flags, struct path *path)
{
	LOOKUP(lookup_begun(nr, type, dirfd, (void *)as_number(name), (void *)as_number(path)));
}
SEC("fexit/filename_lookup")
int BPF_PROG(lookup_x, int dirfd, struct filename *name, unsigned int flags, struct path *path, struct path *root,
	     int ret)
{
	LOOKUP({
		/* where a look-up needs another one, of the kernel's own, that one has a root and comes first */
		if (ONE_DOES() && !root)
			lookup_begun(nr, type, dirfd, (void *)as_number(name), (void *)as_number(path));
		lookup_ended(nr, type, EV_RUNG_FENTRY, (s32)ret);
	});
}
SEC("kprobe/filename_lookup")
int lookup_ke(struct pt_regs *ctx)
{
	LOOKUP(lookup_begun(nr, type, (s32)FN_ARG1(ctx), (void *)FN_ARG2(ctx), (void *)FN_ARG4(ctx)));
}
SEC("kretprobe/filename_lookup")
int lookup_kx(struct pt_regs *ctx)
{
	LOOKUP(lookup_ended(nr, type, EV_RUNG_KPROBE, (s32)FN_RESULT(ctx)));
}
