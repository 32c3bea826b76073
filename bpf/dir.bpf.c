/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * chdir, chroot, pivot_root: where a process stands. io_uring does none of them, so all rungs look at the end of the
 * system call itself: there a process's new directory is its working directory (or root), whatever string or descriptor it
 * was reached by. Of what was refused there is what was looked up on the way (lib/lookup.bpf.h), on the upper rungs, or else
 * what the caller gave.
 *
 * After pivot_root the names of both directories are others, so on the upper rungs they are taken before, in
 * security_sb_pivotroot.
 */
#include "lib/call.bpf.h"
#include "lib/lookup.bpf.h"
#include "lib/syscall.bpf.h"

/* @type and its sizes are constants; @by_fd: the call's first argument is a descriptor. */
INLINE int dir_told(u8 rung, const u32 type, const u32 nnum, const u32 nstr, const struct sysargs *args, bool by_fd,
		    const struct lookup *l, s64 ret)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	const void *string = (void *)args->a[0];
	struct place at = {};
	struct hook h;
	bool ok;

	if (!reportable(ret) || !hook_begin(&h, type))
		return 0;
	if (args->compat)
		h.s->flags |= EV_F_COMPAT;
	if (ret >= 0) {
		at = type == EV_CHDIR ? place_of_pwd(task) : place_of_root(task);
		ok = path_sieve(h.s, 0, h.sv, h.e, type, at, &h.alive);
	} else if (by_fd) {
		ok = given_path(&h, 0, type, (s32)args->a[0], string, true, &at);
	} else {
		ok = lookup_sieve(h.s, 0, h.sv, h.e, type, l, 0, 1, AT_FDCWD, string, &h.alive);
	}
	if (ok) {
		file_rec(h.s, type, nnum, nstr, rung, ret, at);
		if (type == EV_CHDIR && !by_fd)
			rec_puts(h.s, &rec_str(&h.s->rec, nnum)[STR(CHDIR, SYSCALL_PATH)],
				 l ? (const void *)as_number(l->text[0]) : string, EV_PATH_MAX, !l);
		ok = rec_sieve(h.s, h.sv, h.e, &h.alive);
	}
	hook_end(&h, type, ok);
	return 0;
}

INLINE int dir_left(u8 rung, const u32 type, const u32 nnum, const u32 nstr, const struct sysargs *args, bool by_fd,
		    s64 ret)
{
	dir_told(rung, type, nnum, nstr, args, by_fd, by_fd ? 0 : lookup_get(type), ret);
	lookup_drop(type);
	return 0;
}

#define DIR_LEFT(RUNG, TYPE, ARGS, BY_FD, RET)                                                                         \
	dir_left(RUNG, EV_##TYPE, EVN_##TYPE##_COUNT, EVS_##TYPE##_COUNT, ARGS, BY_FD, RET)

INLINE int chdir_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct sysargs args;

	call_args(regs, &args);
	return DIR_LEFT(rung, CHDIR, &args, false, ret);
}
INLINE int fchdir_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct sysargs args;

	call_args(regs, &args);
	return DIR_LEFT(rung, CHDIR, &args, true, ret);
}
INLINE int chroot_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct sysargs args;

	call_args(regs, &args);
	return DIR_LEFT(rung, CHROOT, &args, false, ret);
}

/* Both paths are in work[]; the record is made of them. */
INLINE void pivot_rec(struct hook *h, u8 rung, s64 ret)
{
	struct rec *r = &h->s->rec;

	rec_begin(r, EV_PIVOT_ROOT, 0, EVS_PIVOT_ROOT_COUNT, rung);
	rec_task(r, (void *)bpf_get_current_task());
	rec_head(r)->retval = ret;
	path_put(h->s, 0, &rec_str(r, 0)[STR(PIVOT_ROOT, NEW)]);
	path_put(h->s, 1, &rec_str(r, 0)[STR(PIVOT_ROOT, OLD)]);
}

_Static_assert(EVN_PIVOT_ROOT_COUNT == 0, "strings alone");

INLINE int pivot_begun(u8 rung, struct path *put_old, struct path *new_root)
{
	struct hook h;
	bool ok;

	if (!hook_begin(&h, EV_PIVOT_ROOT))
		return 0;
	ok = path_sieve(h.s, 0, h.sv, h.e, EV_PIVOT_ROOT, place_of(new_root), &h.alive) &&
	     path_sieve(h.s, 1, h.sv, h.e, EV_PIVOT_ROOT, place_of(put_old), &h.alive);
	if (ok)
		pivot_rec(&h, rung, 0);
	half_keep(&h, EV_PIVOT_ROOT, ok);
	return 0;
}

/* By the strings of the call, as far as they were not looked up: at sys_exit, and of what was refused before security_sb_pivotroot. */
INLINE int pivot_given(u8 rung, const struct sysargs *args, const struct lookup *l, s64 ret)
{
	struct hook h;
	bool ok;

	if (!reportable(ret) || !hook_begin(&h, EV_PIVOT_ROOT))
		return 0;
	if (args->compat)
		h.s->flags |= EV_F_COMPAT;
	ok = lookup_sieve(h.s, 0, h.sv, h.e, EV_PIVOT_ROOT, l, 0, 0, AT_FDCWD, (void *)args->a[0], &h.alive) &&
	     lookup_sieve(h.s, 1, h.sv, h.e, EV_PIVOT_ROOT, l, 1, 1, AT_FDCWD, (void *)args->a[1], &h.alive);
	if (ok) {
		pivot_rec(&h, rung, ret);
		ok = rec_sieve(h.s, h.sv, h.e, &h.alive);
	}
	hook_end(&h, EV_PIVOT_ROOT, ok);
	return 0;
}

INLINE int pivot_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct pending *p = bpf_map_lookup_elem(&pending, &tid);
	struct sysargs args;

	if (p && p->type == EV_PIVOT_ROOT)
		return half_send(EV_PIVOT_ROOT, ret, reportable(ret));
	if (ret < 0) { /* else the first half has ruled it out */
		call_args(regs, &args);
		pivot_given(rung, &args, lookup_get(EV_PIVOT_ROOT), ret);
	}
	lookup_drop(EV_PIVOT_ROOT);
	return 0;
}

/* ---- upper rungs: the system calls' own functions --------------------------------------------------------------- */

CALL_FEXIT(chdir_x, SYSCALL64("chdir"), chdir_left)
CALL_FEXIT(fchdir_x, SYSCALL64("fchdir"), fchdir_left)
CALL_FEXIT(chroot_x, SYSCALL64("chroot"), chroot_left)
CALL_FEXIT(pivot_root_x, SYSCALL64("pivot_root"), pivot_left)
SEC("fentry/security_sb_pivotroot")
int BPF_PROG(sb_pivotroot_e, struct path *put_old, struct path *new_root)
{
	return pivot_begun(EV_RUNG_FENTRY, put_old, new_root);
}

CALL_FEXIT32(chdir_x32, "chdir", chdir_left)
CALL_FEXIT32(fchdir_x32, "fchdir", fchdir_left)
CALL_FEXIT32(chroot_x32, "chroot", chroot_left)
CALL_FEXIT32(pivot_root_x32, "pivot_root", pivot_left)

/* One for both widths: the thread knows which it is. */
CALL_KRETPROBE(chdir_kx, SYSCALL64("chdir"), chdir_left)
CALL_KRETPROBE(fchdir_kx, SYSCALL64("fchdir"), fchdir_left)
CALL_KRETPROBE(chroot_kx, SYSCALL64("chroot"), chroot_left)
CALL_KRETPROBE(pivot_root_kx, SYSCALL64("pivot_root"), pivot_left)
SEC("kprobe/security_sb_pivotroot")
int sb_pivotroot_ke(struct pt_regs *ctx)
{
	return pivot_begun(EV_RUNG_KPROBE, (void *)FN_ARG1(ctx), (void *)FN_ARG2(ctx));
}

/* ---- tracepoint rung ------------------------------------------------------------------------------------------- */

INLINE int chdir_at_exit(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct sysargs args;
	struct sysdesc d;

	if (!sys_desc(regs, &args, &d))
		return 0;
	return DIR_LEFT(rung, CHDIR, &args, d.form == SYSFORM_FD, ret);
}
INLINE int pivot_at_exit(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct sysargs args;

	call_args(regs, &args);
	return pivot_given(rung, &args, 0, ret);
}

CALL_SYS_EXIT(sys_chdir, chdir_at_exit)
CALL_SYS_EXIT(sys_chroot, chroot_left)
CALL_SYS_EXIT(sys_pivot_root, pivot_at_exit)
