/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/load/syscalls.h"

#include <string.h>
#include <sys/syscall.h>

struct row {
	int native; /* -1: not there */
	int compat; /* as i386 numbers it, or ARM_ONLY; -1: not there */
	struct sysdesc d;
};

#define _ NO_ARG
#define ROW(NATIVE, COMPAT, EVENT, FORM, ...)                                                                          \
	{                                                                                                              \
		NATIVE, COMPAT,                                                                                        \
		{                                                                                                      \
			EV_##EVENT, SYSFORM_##FORM, __VA_ARGS__                                                        \
		}                                                                                                      \
	}

#ifndef __x86_64__
/* Newer architectures have only the newer calls; 32-bit programs on them have these all the same. */
enum {
	SYS_open = -1,
	SYS_creat = -1,
	SYS_unlink = -1,
	SYS_rmdir = -1,
	SYS_rename = -1,
	SYS_mkdir = -1,
	SYS_link = -1,
	SYS_symlink = -1,
	SYS_chmod = -1,
	SYS_chown = -1,
	SYS_lchown = -1,
	SYS_utime = -1,
	SYS_utimes = -1,
	SYS_futimesat = -1,
};
#endif
#ifndef SYS_renameat /* riscv */
#define SYS_renameat -1
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_setxattrat
#define SYS_setxattrat 463
#endif
#ifndef SYS_removexattrat
#define SYS_removexattrat 466
#endif

/*
 * Arguments by index: directory and path, second directory and path, then x and y by event: open flags, mode; unlink
 * flags; mkdir, chmod mode; symlink target; times and their form; name of an extended attribute; chown owner, group;
 * truncate length (its upper half in y on 32 bits); the number of a signal, whose process is where a path would be.
 * Those of bpf/control.bpf.c and bpf/memory.bpf.c know their arguments. The i386 numbers are those of
 * arch/x86/entry/syscalls/syscall_32.tbl; on arm64 they are translated (syscalls_arm.c).
 */
static const struct row rows[] = {
	ROW(SYS_open, 5, OPEN, PATH, _, 0, _, _, 1, 2),
	ROW(SYS_creat, 8, OPEN, PATH, _, 0, _, _, _, 1),
	ROW(SYS_unlink, 10, UNLINK, PATH, _, 0, _, _, _, _),
	ROW(SYS_rmdir, 40, RMDIR, PATH, _, 0, _, _, _, _),
	ROW(SYS_rename, 38, RENAME, PATH, _, 0, _, 1, _, _),
	ROW(SYS_mkdir, 39, MKDIR, PATH, _, 0, _, _, 1, _),
	ROW(SYS_link, 9, LINK, PATH, _, 0, _, 1, _, _),
	ROW(SYS_symlink, 83, SYMLINK, PATH, _, 1, _, _, 0, _),
	ROW(SYS_chmod, 15, CHMOD, PATH, _, 0, _, _, 1, _),
	ROW(SYS_chown, 212, CHOWN, PATH, _, 0, _, _, 1, 2),
	ROW(SYS_lchown, 198, CHOWN, PATH, _, 0, _, _, 1, 2),
	ROW(-1, 182, CHOWN, PATH, _, 0, _, _, 1, 2), /* chown16 */
	ROW(-1, 16, CHOWN, PATH, _, 0, _, _, 1, 2),  /* lchown16 */
	ROW(-1, 95, CHOWN, FD, 0, _, _, _, 1, 2),    /* fchown16 */
	ROW(SYS_utime, 30, UTIMES, PATH, _, 0, _, _, 1, UTIMES_UTIMBUF),
	ROW(SYS_utimes, 271, UTIMES, PATH, _, 0, _, _, 1, UTIMES_TIMEVAL),
	ROW(SYS_futimesat, 299, UTIMES, PATH, 0, 1, _, _, 2, UTIMES_TIMEVAL),
	ROW(-1, 412, UTIMES, PATH, 0, 1, _, _, 2, UTIMES_TIMESPEC64), /* utimensat_time64 */
	ROW(-1, 239, WRITE, FD, 0, _, _, _, _, _),		      /* sendfile64 */
	ROW(-1, 90, MMAP, BLOCK, _, _, _, _, _, _),
	ROW(-1, 193, TRUNCATE, LEN64, _, 0, _, _, 1, 2),
	ROW(-1, 194, TRUNCATE, FD, 0, _, _, _, 1, 2),
	ROW(-1, 22, UMOUNT, PATH, _, 0, _, _, _, _),   /* umount(2) of old */
	ROW(-1, 23, SETUID, PATH, _, _, _, _, _, _),   /* setuid16 */
	ROW(-1, 70, SETUID, PATH, _, _, _, _, _, _),   /* setreuid16 */
	ROW(-1, 164, SETUID, PATH, _, _, _, _, _, _),  /* setresuid16 */
	ROW(-1, 138, SETUID, SETFS, _, _, _, _, _, _), /* setfsuid16 */
	ROW(-1, 46, SETGID, PATH, _, _, _, _, _, _),   /* setgid16 */
	ROW(-1, 71, SETGID, PATH, _, _, _, _, _, _),   /* setregid16 */
	ROW(-1, 170, SETGID, PATH, _, _, _, _, _, _),  /* setresgid16 */
	ROW(-1, 139, SETGID, SETFS, _, _, _, _, _, _), /* setfsgid16 */
	ROW(-1, 102, CONNECT, SOCKETCALL, _, _, _, _, _, _),
	ROW(SYS_openat, 295, OPEN, PATH, 0, 1, _, _, 2, 3),
	ROW(SYS_openat2, 437, OPEN, OPENAT2, 0, 1, _, _, 2, _),
	ROW(SYS_open_by_handle_at, 342, OPEN, PATH, 0, _, _, _, 2, _),
	ROW(SYS_unlinkat, 301, UNLINK, PATH, 0, 1, _, _, 2, _),
	ROW(SYS_renameat, 302, RENAME, PATH, 0, 1, 2, 3, _, _),
	ROW(SYS_renameat2, 353, RENAME, PATH, 0, 1, 2, 3, _, _),
	ROW(SYS_mkdirat, 296, MKDIR, PATH, 0, 1, _, _, 2, _),
	ROW(SYS_linkat, 303, LINK, PATH, 0, 1, 2, 3, _, _),
	ROW(SYS_symlinkat, 304, SYMLINK, PATH, 1, 2, _, _, 0, _),
	ROW(SYS_fchmod, 94, CHMOD, FD, 0, _, _, _, 1, _),
	ROW(SYS_fchmodat, 306, CHMOD, PATH, 0, 1, _, _, 2, _),
	ROW(SYS_fchmodat2, 452, CHMOD, PATH, 0, 1, _, _, 2, _),
	ROW(SYS_fchown, 207, CHOWN, FD, 0, _, _, _, 1, 2),
	ROW(SYS_fchownat, 298, CHOWN, PATH, 0, 1, _, _, 2, 3),
	ROW(SYS_utimensat, 320, UTIMES, PATH, 0, 1, _, _, 2, UTIMES_TIMESPEC),
	ROW(SYS_setxattr, 226, SETXATTR, PATH, _, 0, _, _, 1, _),
	ROW(SYS_lsetxattr, 227, SETXATTR, PATH, _, 0, _, _, 1, _),
	ROW(SYS_fsetxattr, 228, SETXATTR, FD, 0, _, _, _, 1, _),
	ROW(SYS_setxattrat, 463, SETXATTR, PATH, 0, 1, _, _, 3, _),
	ROW(SYS_removexattr, 235, REMOVEXATTR, PATH, _, 0, _, _, 1, _),
	ROW(SYS_lremovexattr, 236, REMOVEXATTR, PATH, _, 0, _, _, 1, _),
	ROW(SYS_fremovexattr, 237, REMOVEXATTR, FD, 0, _, _, _, 1, _),
	ROW(SYS_removexattrat, 466, REMOVEXATTR, PATH, 0, 1, _, _, 3, _),
	ROW(SYS_truncate, 92, TRUNCATE, PATH, _, 0, _, _, 1, _),
	ROW(SYS_ftruncate, 93, TRUNCATE, FD, 0, _, _, _, 1, _),
	ROW(SYS_write, 4, WRITE, FD, 0, _, _, _, _, _),
	ROW(SYS_pwrite64, 181, WRITE, FD, 0, _, _, _, _, _),
	ROW(SYS_writev, 146, WRITE, FD, 0, _, _, _, _, _),
	ROW(SYS_pwritev, 334, WRITE, FD, 0, _, _, _, _, _),
	ROW(SYS_pwritev2, 379, WRITE, FD, 0, _, _, _, _, _),
	ROW(SYS_sendfile, 187, WRITE, FD, 0, _, _, _, _, _),
	ROW(SYS_copy_file_range, 377, WRITE, FD, 2, _, _, _, _, _),
	ROW(SYS_fallocate, 324, WRITE, FD, 0, _, _, _, _, _),
	ROW(SYS_splice, 313, SPLICE, FD, 0, _, 2, _, _, _),
	ROW(SYS_mmap, 192, MMAP, FD, _, _, _, _, _, _),
	ROW(SYS_mprotect, 125, MPROTECT, PATH, _, _, _, _, _, _),
	ROW(SYS_pkey_mprotect, 380, MPROTECT, PATH, _, _, _, _, _, _),
	ROW(SYS_memfd_create, 356, MEMFD_CREATE, PATH, _, _, _, _, _, _),
	ROW(SYS_prctl, 172, PRCTL, PATH, _, _, _, _, _, _),
	ROW(SYS_setrlimit, 75, SETRLIMIT, PATH, _, _, _, _, _, _),
	ROW(SYS_prlimit64, 340, SETRLIMIT, PATH, _, _, _, _, _, _),
	ROW(SYS_ptrace, 26, PTRACE, PATH, _, _, _, _, _, _),
	ROW(SYS_process_vm_writev, 348, PROCESS_VM_WRITEV, PATH, _, _, _, _, _, _),
	ROW(SYS_kill, 37, SIGNAL, PATH, _, 0, _, _, 1, _),
	ROW(SYS_tkill, 238, SIGNAL, PATH, _, 0, _, _, 1, _),
	ROW(SYS_tgkill, 270, SIGNAL, PATH, _, 1, _, _, 2, _),
	ROW(SYS_rt_sigqueueinfo, 178, SIGNAL, PATH, _, 0, _, _, 1, _),
	ROW(SYS_rt_tgsigqueueinfo, 335, SIGNAL, PATH, _, 1, _, _, 2, _),
	ROW(SYS_pidfd_send_signal, 424, SIGNAL, FD, _, 0, _, _, 1, _),
	ROW(SYS_chdir, 12, CHDIR, PATH, _, 0, _, _, _, _),
	ROW(SYS_fchdir, 133, CHDIR, FD, 0, _, _, _, _, _),
	ROW(SYS_chroot, 61, CHROOT, PATH, _, 0, _, _, _, _),
	ROW(SYS_pivot_root, 217, PIVOT_ROOT, PATH, _, 0, _, 1, _, _),
	ROW(SYS_mount, 21, MOUNT, PATH, _, 1, _, 0, 3, _),
	ROW(SYS_fsmount, 432, MOUNT, FSMOUNT, _, _, _, _, _, _),
	ROW(SYS_open_tree, 428, MOUNT, OPEN_TREE, _, _, _, _, _, _),
	ROW(SYS_open_tree_attr, 467, MOUNT, OPEN_TREE, _, _, _, _, _, _),
	ROW(SYS_move_mount, 429, MOUNT, MOVE_MOUNT, _, _, _, _, _, _),
	ROW(SYS_mount_setattr, 442, MOUNT, MOUNT_SETATTR, _, _, _, _, _, _),
	ROW(SYS_umount2, 52, UMOUNT, PATH, _, 0, _, _, 1, _),
	ROW(SYS_setns, 346, SETNS, FD, 0, _, _, _, 1, _),
	ROW(SYS_unshare, 310, UNSHARE, PATH, _, _, _, _, 0, _),
	ROW(SYS_setuid, 213, SETUID, PATH, _, _, _, _, _, _),
	ROW(SYS_setreuid, 203, SETUID, PATH, _, _, _, _, _, _),
	ROW(SYS_setresuid, 208, SETUID, PATH, _, _, _, _, _, _),
	ROW(SYS_setfsuid, 215, SETUID, SETFS, _, _, _, _, _, _),
	ROW(SYS_setgid, 214, SETGID, PATH, _, _, _, _, _, _),
	ROW(SYS_setregid, 204, SETGID, PATH, _, _, _, _, _, _),
	ROW(SYS_setresgid, 210, SETGID, PATH, _, _, _, _, _, _),
	ROW(SYS_setfsgid, 216, SETGID, SETFS, _, _, _, _, _, _),
	ROW(SYS_capset, 185, CAPSET, PATH, _, _, _, _, _, _),
	ROW(SYS_bpf, 357, BPF, PATH, _, _, _, _, _, _),
	ROW(SYS_init_module, 128, LOAD_MODULE, PATH, _, _, _, _, _, _),
	ROW(SYS_finit_module, 350, LOAD_MODULE, FD, 0, _, _, _, _, _),
	ROW(SYS_delete_module, 129, UNLOAD_MODULE, PATH, _, _, _, _, _, _),
	ROW(SYS_kexec_load, 283, KEXEC, PATH, _, _, _, _, _, _),
	ROW(SYS_kexec_file_load, -1, KEXEC, FD, 0, _, _, _, _, _),
	ROW(SYS_connect, 362, CONNECT, PATH, _, _, _, _, _, _),
	ROW(SYS_bind, 361, BIND, PATH, _, _, _, _, _, _),
	ROW(SYS_socket, 359, SOCKET, PATH, _, _, _, _, _, _),
	ROW(SYS_listen, 363, LISTEN, PATH, _, _, _, _, _, _),
	ROW(SYS_accept, ARM_ONLY(285), ACCEPT, PATH, _, _, _, _, _, _),
	ROW(SYS_accept4, 364, ACCEPT, PATH, _, _, _, _, _, _),
	ROW(SYS_setsockopt, 366, SETSOCKOPT, PATH, _, _, _, _, _, _),
};

static bool any_socket_event(const bool wanted[EV_TYPES])
{
	return wanted[EV_SOCKET] || wanted[EV_BIND] || wanted[EV_LISTEN] || wanted[EV_ACCEPT] || wanted[EV_SETSOCKOPT];
}

#if defined(__aarch64__)
/* 32-bit Arm keeps an argument of 64 bits in an even pair of registers, so one is left out before it. */
static int compat_number(const struct row *r, struct sysdesc *d)
{
	if (r->compat == 193 || r->compat == 194) {
		d->x = 2;
		d->y = 3;
	}
	return syscalls_arm(r->compat);
}
#else
static int compat_number(const struct row *r, struct sysdesc *d)
{
	return r->compat < ARM_ONLY(0) ? r->compat : -1;
}
#endif

/*
 * What the call of @r tells of writes where its own event is not wanted: a splice may write to what is its second
 * descriptor, and of an open the write's program has to know.
 */
static bool for_writes(const struct row *r, struct sysdesc *ret)
{
	*ret = r->d;
	ret->event = EV_WRITE;
	if (r->d.event == EV_SPLICE)
		ret->dirfd = r->d.dirfd2;
	else
		ret->form = SYSFORM_OPENED;
	return r->d.event == EV_SPLICE || r->d.event == EV_OPEN;
}

/* Of the two that a number is for the two kinds of programs, one tells @event, and the other nothing else. */
static bool only(const struct sysdesc *native, const struct sysdesc *compat, uint8_t event)
{
	return (native->event == event || !native->event) && (compat->event == event || !compat->event);
}

static uint8_t any_of(const struct sysdesc *native, const struct sysdesc *compat)
{
	if (!native->event && !compat->event)
		return SYS_NOTHING;
	if (only(native, compat, EV_OPEN))
		return SYS_ONLY_OPEN;
	return only(native, compat, EV_WRITE) ? SYS_ONLY_WRITE : SYS_SOME;
}

void syscalls_fill(const bool wanted[EV_TYPES], struct sysdescs *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct sysdesc d = r->d;
		int compat;
		/* unlinkat also removes directories, socketcall does much; their programs check again. */
		bool want = wanted[r->d.event] || (r->d.event == EV_UNLINK && r->d.x != NO_ARG && wanted[EV_RMDIR]) ||
			    (r->d.form == SYSFORM_SOCKETCALL && any_socket_event(wanted));

		if (!want && (!wanted[EV_WRITE] || !for_writes(r, &d)))
			continue;
		if (r->native >= 0 && r->native < SYSCALLS)
			ret->native[r->native] = d;
		compat = compat_number(r, &d);
		if (compat >= 0 && compat < SYSCALLS)
			ret->compat[compat] = d;
	}
	for (size_t nr = 0; nr < SYSCALLS; nr++)
		ret->any[nr] = any_of(&ret->native[nr], &ret->compat[nr]);
}
