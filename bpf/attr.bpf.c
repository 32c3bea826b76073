/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Attributes of files: times, extended attributes.
 *
 * What sets and removes extended attributes inside the kernel knows the dentry and no mount, so the mount is kept from
 * where the system call (or io_uring) asks to write to it, mnt_want_write() or mnt_want_write_file(): in the thread's
 * entry of calls, as arg[0]. arg[1] counts how deep we are in functions that change attributes. An overlay's call leads
 * to a second one below it, on a mount that no process sees: only the outermost is the event.
 */
#include "lib/call.bpf.h"

#define XATTR_NAME_SIZE 256

/* ---- times --------------------------------------------------------------------------------------------------------- */

INLINE int utimes_left(u8 rung, struct path *path, s32 ret)
{
	struct place at = place_of(path);

	WHOLE_FILE(rung, UTIMES, at, ret, true, );
	return 0;
}

SEC("fexit/vfs_utimes")
int BPF_PROG(vfs_utimes_x, struct path *path, void *times, int ret)
{
	return utimes_left(EV_RUNG_FENTRY, path, (s32)ret);
}
SEC("kprobe/vfs_utimes")
int vfs_utimes_ke(struct pt_regs *ctx)
{
	return call_keep(EV_UTIMES, ctx);
}
SEC("kretprobe/vfs_utimes")
int vfs_utimes_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_UTIMES, &c) ? utimes_left(EV_RUNG_KPROBE, (void *)c.arg[0], (s32)FN_RESULT(ctx)) : 0;
}

#define UTIME_NOW  ((1l << 30) - 1l)
#define UTIME_OMIT ((1l << 30) - 2l)

/* The modification time that a call has set, ns; 0 where it was the time of the call, or left as it was. */
INLINE u64 mtime_asked(const void *times, u8 form, bool compat)
{
	s64 v[4] = {}, sec, nsec;
	s32 v32[4] = {};
	u32 n = form == UTIMES_UTIMBUF ? 2 : 4;

	if (compat && form != UTIMES_TIMESPEC64) {
		if (!times || bpf_probe_read_user(v32, n * 4, times))
			return 0;
		v[1] = v32[1];
		v[2] = v32[2];
		v[3] = v32[3];
	} else if (!times || bpf_probe_read_user(v, n * 8, times)) {
		return 0;
	}
	sec = form == UTIMES_UTIMBUF ? v[1] : v[2];
	nsec = form == UTIMES_UTIMBUF ? 0 : v[3];
	if (form == UTIMES_TIMEVAL)
		return sec * NSEC + nsec * 1000;
	return nsec == UTIME_NOW || nsec == UTIME_OMIT ? 0 : sec * NSEC + nsec;
}

/* Of a path nothing is known but what was asked for. */
INLINE int utimes_at_exit(struct pt_regs *regs, s64 ret)
{
	SYS_FILE(UTIMES, true, {
		if (!at.d && ret >= 0)
			num[NUM(UTIMES, FILE_MTIME)] = mtime_asked((void *)sys_arg(s, d.x), d.y, args.compat);
	});
}
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_utimes, struct pt_regs *regs, long ret)
{
	return utimes_at_exit(regs, ret);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_utimes_c(struct trace_event_raw_sys_exit *ctx)
{
	return utimes_at_exit(task_regs(), ctx->ret);
}

/* ---- extended attributes, upper rungs ------------------------------------------------------------------------------ */

#if defined(__TARGET_ARCH_x86)
enum { SYS_SETXATTR = 188, SYS_REMOVEXATTR = 197 };
#elif defined(__TARGET_ARCH_arm64)
enum { SYS_SETXATTR = 5, SYS_REMOVEXATTR = 14 };
#endif
enum { SYS_SETXATTR_32 = 226, SYS_REMOVEXATTR_32 = 235 }; /* of i386 and of 32-bit Arm */
enum { SYS_SETXATTRAT = 463, SYS_REMOVEXATTRAT = 466 };	  /* from 6.13 on */

/*
 * Whether the thread may be in a call that @type is about; of the three calls the numbers follow each other. Only saves
 * the others the work: a number that means another call on the other word size does no harm.
 */
INLINE bool xattr_calls(const u32 type)
{
	u32 nr = sys_nr(task_regs());

	if (type == EV_SETXATTR)
		return nr - SYS_SETXATTR < 3 || nr - SYS_SETXATTR_32 < 3 || nr == SYS_SETXATTRAT ||
		       task_async((void *)bpf_get_current_task());
	return nr - SYS_REMOVEXATTR < 3 || nr - SYS_REMOVEXATTR_32 < 3 || nr == SYS_REMOVEXATTRAT;
}

/* A mount that filesystems made for themselves, such as an overlay of its layers. */
INLINE bool mount_hidden(struct vfsmount *mnt)
{
	u64 ns = as_number(READ(real_mount(mnt), mnt_ns));

	return !ns || IS_ERR_VALUE(ns);
}

/* The thread is about to write to @mnt. */
INLINE int xattr_mount(const u32 type, struct vfsmount *mnt)
{
	const struct sieve *sv = sieve_get();
	u64 key = call_key(type);
	struct call c = { { as_number(mnt) } }, *outer;

	if (!sv || sv_mask_zero(&sv->event[type].clauses) || !xattr_calls(type))
		return 0;
	outer = bpf_map_lookup_elem(&calls, &key);
	if (outer && outer->arg[1] && mount_hidden((void *)c.arg[0]))
		return 0;
	if (bpf_map_update_elem(&calls, &key, &c, BPF_ANY)) {
		stat_add(type, seen);
		stat_add(type, lost);
	}
	return 0;
}

/* One level deeper; true at the outermost, with its mount. Without a mount it is no call of a process. */
INLINE bool xattr_enter(const u32 type, struct dentry *dentry, struct place *ret)
{
	u64 key = call_key(type);
	struct call *c = bpf_map_lookup_elem(&calls, &key);

	if (!c || c->arg[1]++)
		return false;
	ret->d = (void *)as_number(dentry);
	ret->m = real_mount((void *)c->arg[0]);
	return true;
}

INLINE int xattr_left(const u32 type, s64 ret)
{
	u64 key = call_key(type);
	struct call *c = bpf_map_lookup_elem(&calls, &key);

	if (!c || !c->arg[1] || --c->arg[1])
		return 0;
	bpf_map_delete_elem(&calls, &key);
	return half_send(type, ret, reportable(ret));
}

#define XATTR_BEGUN(RUNG, TYPE, DENTRY, NAME)                                                                          \
	do {                                                                                                           \
		struct place at;                                                                                       \
		if (xattr_enter(EV_##TYPE, DENTRY, &at))                                                               \
			HALF_PLACE(RUNG, TYPE, at,                                                                     \
				   rec_puts(s, &rec_str(&s->rec, EVN_##TYPE##_COUNT)[STR(TYPE, XATTR)], NAME,          \
					    XATTR_NAME_SIZE, false));                                                  \
		return 0;                                                                                              \
	} while (0)

INLINE int setxattr_begun(u8 rung, struct dentry *dentry, const char *name)
{
	XATTR_BEGUN(rung, SETXATTR, dentry, name);
}
INLINE int removexattr_begun(u8 rung, struct dentry *dentry, const char *name)
{
	XATTR_BEGUN(rung, REMOVEXATTR, dentry, name);
}

SEC("fentry/mnt_want_write")
int BPF_PROG(setxattr_mount_e, struct vfsmount *mnt)
{
	return xattr_mount(EV_SETXATTR, mnt);
}
SEC("fentry/mnt_want_write_file")
int BPF_PROG(setxattr_file_e, struct file *file)
{
	return xattr_mount(EV_SETXATTR, READ(file, f_path.mnt));
}
SEC("kprobe/mnt_want_write")
int setxattr_mount_ke(struct pt_regs *ctx)
{
	return xattr_mount(EV_SETXATTR, (void *)FN_ARG1(ctx));
}
SEC("kprobe/mnt_want_write_file")
int setxattr_file_ke(struct pt_regs *ctx)
{
	return xattr_mount(EV_SETXATTR, READ((struct file *)FN_ARG1(ctx), f_path.mnt));
}

/* From 5.19 on system calls and io_uring meet here; access control lists take other ways behind it. */
SEC("fentry/do_setxattr")
int BPF_PROG(do_setxattr_e, void *idmap, struct dentry *dentry, void *xattr)
{
	return setxattr_begun(EV_RUNG_FENTRY, dentry, xattr_kname(xattr));
}
SEC("fexit/do_setxattr")
int BPF_PROG(do_setxattr_x, void *idmap, struct dentry *dentry, void *xattr, int ret)
{
	return xattr_left(EV_SETXATTR, (s32)ret);
}
SEC("kprobe/do_setxattr")
int do_setxattr_ke(struct pt_regs *ctx)
{
	return setxattr_begun(EV_RUNG_KPROBE, (void *)FN_ARG2(ctx), xattr_kname((void *)FN_ARG3(ctx)));
}
SEC("kretprobe/do_setxattr") /* or vfs_setxattr */
int do_setxattr_kx(struct pt_regs *ctx)
{
	return xattr_left(EV_SETXATTR, (s32)FN_RESULT(ctx));
}

/* Before that. */
SEC("fentry/vfs_setxattr")
int vfs_setxattr_e(u64 *ctx)
{
	return fn_idmapped() ? setxattr_begun(EV_RUNG_FENTRY, (void *)CTX_ARG(ctx, 1), (void *)CTX_ARG(ctx, 2))
			     : setxattr_begun(EV_RUNG_FENTRY, (void *)CTX_ARG(ctx, 0), (void *)CTX_ARG(ctx, 1));
}
SEC("fexit/vfs_setxattr")
int vfs_setxattr_x(u64 *ctx)
{
	return xattr_left(EV_SETXATTR, (s32)(fn_idmapped() ? CTX_ARG(ctx, 6) : CTX_ARG(ctx, 5)));
}
SEC("kprobe/vfs_setxattr")
int vfs_setxattr_ke(struct pt_regs *ctx)
{
	return fn_idmapped() ? setxattr_begun(EV_RUNG_KPROBE, (void *)FN_ARG2(ctx), (void *)FN_ARG3(ctx))
			     : setxattr_begun(EV_RUNG_KPROBE, (void *)FN_ARG1(ctx), (void *)FN_ARG2(ctx));
}

SEC("fentry/mnt_want_write")
int BPF_PROG(removexattr_mount_e, struct vfsmount *mnt)
{
	return xattr_mount(EV_REMOVEXATTR, mnt);
}
SEC("fentry/mnt_want_write_file")
int BPF_PROG(removexattr_file_e, struct file *file)
{
	return xattr_mount(EV_REMOVEXATTR, READ(file, f_path.mnt));
}
SEC("kprobe/mnt_want_write")
int removexattr_mount_ke(struct pt_regs *ctx)
{
	return xattr_mount(EV_REMOVEXATTR, (void *)FN_ARG1(ctx));
}
SEC("kprobe/mnt_want_write_file")
int removexattr_file_ke(struct pt_regs *ctx)
{
	return xattr_mount(EV_REMOVEXATTR, READ((struct file *)FN_ARG1(ctx), f_path.mnt));
}

SEC("fentry/vfs_removexattr")
int vfs_removexattr_e(u64 *ctx)
{
	return fn_idmapped() ? removexattr_begun(EV_RUNG_FENTRY, (void *)CTX_ARG(ctx, 1), (void *)CTX_ARG(ctx, 2))
			     : removexattr_begun(EV_RUNG_FENTRY, (void *)CTX_ARG(ctx, 0), (void *)CTX_ARG(ctx, 1));
}
SEC("fexit/vfs_removexattr")
int vfs_removexattr_x(u64 *ctx)
{
	return xattr_left(EV_REMOVEXATTR, (s32)(fn_idmapped() ? CTX_ARG(ctx, 3) : CTX_ARG(ctx, 2)));
}
SEC("kprobe/vfs_removexattr")
int vfs_removexattr_ke(struct pt_regs *ctx)
{
	return fn_idmapped() ? removexattr_begun(EV_RUNG_KPROBE, (void *)FN_ARG2(ctx), (void *)FN_ARG3(ctx))
			     : removexattr_begun(EV_RUNG_KPROBE, (void *)FN_ARG1(ctx), (void *)FN_ARG2(ctx));
}
SEC("kretprobe/vfs_removexattr") /* and vfs_remove_acl */
int vfs_removexattr_kx(struct pt_regs *ctx)
{
	return xattr_left(EV_REMOVEXATTR, (s32)FN_RESULT(ctx));
}

/* From 6.2 on access control lists go this way. */
SEC("fentry/vfs_remove_acl")
int BPF_PROG(vfs_remove_acl_e, void *idmap, struct dentry *dentry, const char *name)
{
	return removexattr_begun(EV_RUNG_FENTRY, dentry, name);
}
SEC("fexit/vfs_remove_acl")
int BPF_PROG(vfs_remove_acl_x, void *idmap, struct dentry *dentry, const char *name, int ret)
{
	return xattr_left(EV_REMOVEXATTR, (s32)ret);
}
SEC("kprobe/vfs_remove_acl")
int vfs_remove_acl_ke(struct pt_regs *ctx)
{
	return removexattr_begun(EV_RUNG_KPROBE, (void *)FN_ARG2(ctx), (void *)FN_ARG3(ctx));
}
SEC("kretprobe/vfs_remove_acl")
int vfs_remove_acl_kx(struct pt_regs *ctx)
{
	return xattr_left(EV_REMOVEXATTR, (s32)FN_RESULT(ctx));
}

/* ---- extended attributes, tracepoint rung -------------------------------------------------------------------------- */

INLINE int setxattr_at_exit(struct pt_regs *regs, s64 ret)
{
	SYS_FILE(SETXATTR, true,
		 rec_puts(s, &rec_str(&s->rec, EVN_SETXATTR_COUNT)[STR(SETXATTR, XATTR)], (void *)sys_arg(s, d.x),
			  XATTR_NAME_SIZE, true));
}
INLINE int removexattr_at_exit(struct pt_regs *regs, s64 ret)
{
	SYS_FILE(REMOVEXATTR, true,
		 rec_puts(s, &rec_str(&s->rec, EVN_REMOVEXATTR_COUNT)[STR(REMOVEXATTR, XATTR)], (void *)sys_arg(s, d.x),
			  XATTR_NAME_SIZE, true));
}
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_setxattr, struct pt_regs *regs, long ret)
{
	return setxattr_at_exit(regs, ret);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_setxattr_c(struct trace_event_raw_sys_exit *ctx)
{
	return setxattr_at_exit(task_regs(), ctx->ret);
}
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_removexattr, struct pt_regs *regs, long ret)
{
	return removexattr_at_exit(regs, ret);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_removexattr_c(struct trace_event_raw_sys_exit *ctx)
{
	return removexattr_at_exit(task_regs(), ctx->ret);
}
