/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/load/hooks.h"

#include <string.h>

#define ROW(EVENT, RUNG, GROUP, KIND, PROGRAM, TARGET)                                                                 \
	{                                                                                                              \
		.event = EV_##EVENT, .rung = EV_RUNG_##RUNG, .group = GROUP, .kind = HOOK_##KIND, .program = PROGRAM,  \
		.target = TARGET                                                                                       \
	}
#define FENTRY(EVENT, GROUP, PROGRAM, TARGET) ROW(EVENT, FENTRY, GROUP, FENTRY, PROGRAM, TARGET)
#define ENTER(EVENT, GROUP, PROGRAM, TARGET)  ROW(EVENT, KPROBE, GROUP, KPROBE, PROGRAM, TARGET)
/* The return of a function whose arguments another program has kept: so no clone of it will do. */
#define LEAVE(EVENT, GROUP, PROGRAM, TARGET) ROW(EVENT, KPROBE, GROUP, KRETPROBE, PROGRAM, TARGET)
/* The return alone. */
#define RESULT(EVENT, GROUP, PROGRAM, TARGET)                                                                          \
	{                                                                                                              \
		.event = EV_##EVENT, .rung = EV_RUNG_KPROBE, .group = GROUP, .kind = HOOK_KRETPROBE,                   \
		.program = PROGRAM, .target = TARGET, .clones = true                                                   \
	}
/* Ways that not every kernel has. */
#define OPTIONAL(EVENT, RUNG, GROUP, KIND, PROGRAM, TARGET)                                                            \
	{                                                                                                              \
		.event = EV_##EVENT, .rung = EV_RUNG_##RUNG, .group = GROUP, .kind = HOOK_##KIND, .program = PROGRAM,  \
		.target = TARGET, .optional = true                                                                     \
	}
#define OPTIONAL_RESULT(EVENT, GROUP, PROGRAM, TARGET)                                                                 \
	{                                                                                                              \
		.event = EV_##EVENT, .rung = EV_RUNG_KPROBE, .group = GROUP, .kind = HOOK_KRETPROBE,                   \
		.program = PROGRAM, .target = TARGET, .optional = true, .clones = true                                 \
	}
/* The functions of system calls; the registers are their one argument. */
#ifdef __aarch64__
#define NATIVE	   "__arm64_sys_"
#define COMPAT_OWN "__arm64_compat_sys_"
#else
#define NATIVE	   "__x64_sys_"
#define COMPAT_OWN "__ia32_compat_sys_" /* those that differ on 32 bits */
#endif
#define COMPAT "__ia32_sys_" /* there are none on arm64: 32-bit calls come through the same functions */
/* A system call's event, by either kind of sys_exit; and a tracepoint by either kind. */
#define SYS(EVENT, PROGRAM)                                                                                            \
	ROW(EVENT, TRACEPOINT, 0, SYS_BTF, PROGRAM, "sys_exit"),                                                       \
		ROW(EVENT, TRACEPOINT, 0, SYS_TP, PROGRAM "_c", "raw_syscalls/sys_exit")
/* What refuses operations, beside whatever rung tells of them. */
#define DENY(EVENT, PROGRAM, TARGET)                                                                                   \
	{                                                                                                              \
		.event = EV_##EVENT, .rung = EV_RUNG_FENTRY, .kind = HOOK_FMOD_RET, .program = PROGRAM,                \
		.target = TARGET, .deny = true                                                                         \
	}
/* Programs of one name that serve several events are attached once. */
#define SHARED(EVENT, RUNG, GROUP, KIND, PROGRAM, TARGET, OPTIONAL)                                                    \
	{                                                                                                              \
		.event = EV_##EVENT, .rung = EV_RUNG_##RUNG, .group = GROUP, .kind = HOOK_##KIND, .program = PROGRAM,  \
		.target = TARGET, .optional = OPTIONAL, .shared = true                                                 \
	}
/* What a call looks up before it is refused, in two groups. Without it that is the caller's string. See lookup.bpf.c for UNLESS. */
#define LOOKUP(EVENT, GROUP)                                                                                           \
	{ .event = EV_##EVENT,                                                                                         \
	  .rung = EV_RUNG_FENTRY,                                                                                      \
	  .group = GROUP,                                                                                              \
	  .kind = HOOK_FENTRY,                                                                                         \
	  .program = "lookup_e",                                                                                       \
	  .target = "filename_lookup",                                                                                 \
	  .optional = true,                                                                                            \
	  .shared = true,                                                                                              \
	  .unless = "mnt_idmap" },                                                                                     \
		SHARED(EVENT, FENTRY, (GROUP) + 1, FENTRY, "lookup_x", "filename_lookup", true),                       \
		SHARED(EVENT, KPROBE, GROUP, KPROBE, "lookup_ke", "filename_lookup", true),                            \
		SHARED(EVENT, KPROBE, (GROUP) + 1, KRETPROBE, "lookup_kx", "filename_lookup", true)
/* A program at the root of the cgroups. */
#define CGROUP(EVENT, GROUP, PROGRAM, TARGET) SHARED(EVENT, CGROUP, GROUP, CGROUP, PROGRAM, TARGET, false)
#define PACKETS(EVENT)                                                                                                 \
	CGROUP(EVENT, 0, "packet_egress", "cgroup_skb/egress"),                                                        \
		CGROUP(EVENT, 1, "packet_ingress", "cgroup_skb/ingress"),                                              \
		CGROUP(EVENT, 2, "packet_connect4", "cgroup/connect4"),                                                \
		CGROUP(EVENT, 3, "packet_connect6", "cgroup/connect6"),                                                \
		CGROUP(EVENT, 4, "packet_sendmsg4", "cgroup/sendmsg4"),                                                \
		CGROUP(EVENT, 5, "packet_sendmsg6", "cgroup/sendmsg6")
#define TRACE(EVENT, PROGRAM, CATEGORY, NAME)                                                                          \
	ROW(EVENT, TRACEPOINT, 0, TP_BTF, PROGRAM, NAME), ROW(EVENT, TRACEPOINT, 0, TP, PROGRAM "_c", CATEGORY "/" NAME)

/*
 * A system call at its own function: the programs PROGRAM_x and, for 32 bits, PROGRAM_x32, and on the kprobe rung PROGRAM_kx for both
 * (bpf/lib/syscall.bpf.h). CALL32_OWN where the 32-bit call is one of its own.
 */
#define CALL64(EVENT, GROUP, PROGRAM, NAME)                                                                            \
	FENTRY(EVENT, GROUP, PROGRAM "_x", NATIVE NAME), RESULT(EVENT, GROUP, PROGRAM "_kx", NATIVE NAME)
#define MAYBE(EVENT, GROUP, FEXIT, KRETPROBE, TARGET)                                                                  \
	OPTIONAL(EVENT, FENTRY, GROUP, FENTRY, FEXIT, TARGET), OPTIONAL_RESULT(EVENT, GROUP, KRETPROBE, TARGET)
#define CALL32(EVENT, GROUP, PROGRAM, NAME)	MAYBE(EVENT, GROUP, PROGRAM "_x32", PROGRAM "_kx", COMPAT NAME)
#define CALL32_OWN(EVENT, GROUP, PROGRAM, NAME) MAYBE(EVENT, GROUP, PROGRAM "_x32", PROGRAM "_kx", COMPAT_OWN NAME)
/* The tracepoint that tells the name of a module, beside the hooks of any rung. */
#define NAME_ON(EVENT, RUNG, GROUP, PROGRAM)                                                                           \
	OPTIONAL(EVENT, RUNG, GROUP, TP_BTF, PROGRAM, PROGRAM),                                                        \
		OPTIONAL(EVENT, RUNG, GROUP, TP, PROGRAM "_c", "module/" PROGRAM)
#define NAMES(EVENT, GROUP, PROGRAM)                                                                                   \
	NAME_ON(EVENT, FENTRY, GROUP, PROGRAM), NAME_ON(EVENT, KPROBE, GROUP, PROGRAM),                                \
		NAME_ON(EVENT, TRACEPOINT, GROUP, PROGRAM)

const struct hook_row hook_rows[] = {
	TRACE(EXEC, "process_exec", "sched", "sched_process_exec"),
	{ .event = EV_EXEC,
	  .rung = EV_RUNG_TRACEPOINT,
	  .group = 1,
	  .kind = HOOK_FENTRY,
	  .program = "bprm_check_e",
	  .target = "security_bprm_check",
	  .optional = true },
	{ .event = EV_EXEC,
	  .rung = EV_RUNG_TRACEPOINT,
	  .group = 1,
	  .kind = HOOK_KPROBE,
	  .program = "bprm_check_ke",
	  .target = "security_bprm_check",
	  .optional = true },
	OPTIONAL(EXEC, TRACEPOINT, 2, ITER, "process_tasks", "bpf_iter_task"),
	TRACE(FORK, "process_fork", "sched", "sched_process_fork"),
	TRACE(EXIT, "process_exit", "sched", "sched_process_exit"),

	FENTRY(OPEN, 0, "do_filp_open_x", "do_filp_open"),
	FENTRY(OPEN, 0, "do_file_open_x", "do_file_open"),
	ENTER(OPEN, 0, "do_filp_open_ke", "do_filp_open"),
	ENTER(OPEN, 0, "do_filp_open_ke", "do_file_open"),
	LEAVE(OPEN, 1, "do_filp_open_kx", "do_filp_open"),
	LEAVE(OPEN, 1, "do_filp_open_kx", "do_file_open"),
	SYS(OPEN, "sys_open"),

	FENTRY(UNLINK, 0, "path_unlink_e", "security_path_unlink"),
	FENTRY(UNLINK, 1, "do_unlinkat_x", "do_unlinkat"),
	FENTRY(UNLINK, 1, "filename_unlinkat_x", "filename_unlinkat"),
	ENTER(UNLINK, 0, "path_unlink_ke", "security_path_unlink"),
	RESULT(UNLINK, 1, "do_unlinkat_kx", "do_unlinkat"),
	RESULT(UNLINK, 1, "do_unlinkat_kx", "filename_unlinkat"),
	SYS(UNLINK, "sys_unlink"),

	FENTRY(RENAME, 0, "path_rename_e", "security_path_rename"),
	FENTRY(RENAME, 1, "do_renameat2_x", "do_renameat2"),
	FENTRY(RENAME, 1, "filename_renameat2_x", "filename_renameat2"),
	ENTER(RENAME, 0, "path_rename_ke", "security_path_rename"),
	RESULT(RENAME, 1, "do_renameat2_kx", "do_renameat2"),
	RESULT(RENAME, 1, "do_renameat2_kx", "filename_renameat2"),
	SYS(RENAME, "sys_rename"),

	FENTRY(MKDIR, 0, "path_mkdir_e", "security_path_mkdir"),
	FENTRY(MKDIR, 1, "do_mkdirat_x", "do_mkdirat"),
	FENTRY(MKDIR, 1, "filename_mkdirat_x", "filename_mkdirat"),
	ENTER(MKDIR, 0, "path_mkdir_ke", "security_path_mkdir"),
	RESULT(MKDIR, 1, "do_mkdirat_kx", "do_mkdirat"),
	RESULT(MKDIR, 1, "do_mkdirat_kx", "filename_mkdirat"),
	SYS(MKDIR, "sys_mkdir"),

	FENTRY(RMDIR, 0, "path_rmdir_e", "security_path_rmdir"),
	FENTRY(RMDIR, 1, "do_rmdir_x", "do_rmdir"),
	FENTRY(RMDIR, 1, "filename_rmdir_x", "filename_rmdir"),
	ENTER(RMDIR, 0, "path_rmdir_ke", "security_path_rmdir"),
	RESULT(RMDIR, 1, "do_rmdir_kx", "do_rmdir"),
	RESULT(RMDIR, 1, "do_rmdir_kx", "filename_rmdir"),
	SYS(RMDIR, "sys_rmdir"),

	FENTRY(LINK, 0, "path_link_e", "security_path_link"),
	FENTRY(LINK, 1, "do_linkat_x", "do_linkat"),
	FENTRY(LINK, 1, "filename_linkat_x", "filename_linkat"),
	ENTER(LINK, 0, "path_link_ke", "security_path_link"),
	RESULT(LINK, 1, "do_linkat_kx", "do_linkat"),
	RESULT(LINK, 1, "do_linkat_kx", "filename_linkat"),
	SYS(LINK, "sys_link"),

	FENTRY(SYMLINK, 0, "path_symlink_e", "security_path_symlink"),
	FENTRY(SYMLINK, 1, "do_symlinkat_x", "do_symlinkat"),
	FENTRY(SYMLINK, 1, "filename_symlinkat_x", "filename_symlinkat"),
	ENTER(SYMLINK, 0, "path_symlink_ke", "security_path_symlink"),
	RESULT(SYMLINK, 1, "do_symlinkat_kx", "do_symlinkat"),
	RESULT(SYMLINK, 1, "do_symlinkat_kx", "filename_symlinkat"),
	SYS(SYMLINK, "sys_symlink"),

	FENTRY(CHMOD, 0, "chmod_common_x", "chmod_common"),
	ENTER(CHMOD, 0, "chmod_common_ke", "chmod_common"),
	LEAVE(CHMOD, 1, "chmod_common_kx", "chmod_common"),
	SYS(CHMOD, "sys_chmod"),

	FENTRY(CHOWN, 0, "chown_common_x", "chown_common"),
	ENTER(CHOWN, 0, "chown_common_ke", "chown_common"),
	LEAVE(CHOWN, 1, "chown_common_kx", "chown_common"),
	SYS(CHOWN, "sys_chown"),

	FENTRY(UTIMES, 0, "vfs_utimes_x", "vfs_utimes"),
	ENTER(UTIMES, 0, "vfs_utimes_ke", "vfs_utimes"),
	LEAVE(UTIMES, 1, "vfs_utimes_kx", "vfs_utimes"),
	SYS(UTIMES, "sys_utimes"),

	FENTRY(SETXATTR, 0, "setxattr_mount_e", "mnt_want_write"),
	FENTRY(SETXATTR, 1, "setxattr_file_e", "mnt_want_write_file"),
	FENTRY(SETXATTR, 2, "do_setxattr_e", "do_setxattr"),
	FENTRY(SETXATTR, 2, "vfs_setxattr_e", "vfs_setxattr"),
	FENTRY(SETXATTR, 3, "do_setxattr_x", "do_setxattr"),
	FENTRY(SETXATTR, 3, "vfs_setxattr_x", "vfs_setxattr"),
	ENTER(SETXATTR, 0, "setxattr_mount_ke", "mnt_want_write"),
	ENTER(SETXATTR, 1, "setxattr_file_ke", "mnt_want_write_file"),
	ENTER(SETXATTR, 2, "do_setxattr_ke", "do_setxattr"),
	ENTER(SETXATTR, 2, "vfs_setxattr_ke", "vfs_setxattr"),
	LEAVE(SETXATTR, 3, "do_setxattr_kx", "do_setxattr"),
	LEAVE(SETXATTR, 3, "do_setxattr_kx", "vfs_setxattr"),
	SYS(SETXATTR, "sys_setxattr"),

	FENTRY(REMOVEXATTR, 0, "removexattr_mount_e", "mnt_want_write"),
	FENTRY(REMOVEXATTR, 1, "removexattr_file_e", "mnt_want_write_file"),
	FENTRY(REMOVEXATTR, 2, "vfs_removexattr_e", "vfs_removexattr"),
	FENTRY(REMOVEXATTR, 3, "vfs_removexattr_x", "vfs_removexattr"),
	OPTIONAL(REMOVEXATTR, FENTRY, 4, FENTRY, "vfs_remove_acl_e", "vfs_remove_acl"),
	OPTIONAL(REMOVEXATTR, FENTRY, 5, FENTRY, "vfs_remove_acl_x", "vfs_remove_acl"),
	ENTER(REMOVEXATTR, 0, "removexattr_mount_ke", "mnt_want_write"),
	ENTER(REMOVEXATTR, 1, "removexattr_file_ke", "mnt_want_write_file"),
	ENTER(REMOVEXATTR, 2, "vfs_removexattr_ke", "vfs_removexattr"),
	LEAVE(REMOVEXATTR, 3, "vfs_removexattr_kx", "vfs_removexattr"),
	OPTIONAL(REMOVEXATTR, KPROBE, 4, KPROBE, "vfs_remove_acl_ke", "vfs_remove_acl"),
	OPTIONAL(REMOVEXATTR, KPROBE, 5, KRETPROBE, "vfs_remove_acl_kx", "vfs_remove_acl"),
	SYS(REMOVEXATTR, "sys_removexattr"),

	FENTRY(TRUNCATE, 0, "vfs_truncate_x", "vfs_truncate"),
	FENTRY(TRUNCATE, 1, "do_ftruncate_x", "do_ftruncate"),
	FENTRY(TRUNCATE, 1, "do_sys_ftruncate_x", "do_sys_ftruncate"),
	ENTER(TRUNCATE, 0, "vfs_truncate_ke", "vfs_truncate"),
	LEAVE(TRUNCATE, 1, "vfs_truncate_kx", "vfs_truncate"),
	ENTER(TRUNCATE, 2, "do_ftruncate_ke", "do_ftruncate"),
	ENTER(TRUNCATE, 2, "do_sys_ftruncate_ke", "do_sys_ftruncate"),
	LEAVE(TRUNCATE, 3, "do_ftruncate_kx", "do_ftruncate"),
	LEAVE(TRUNCATE, 3, "do_sys_ftruncate_kx", "do_sys_ftruncate"),
	SYS(TRUNCATE, "sys_truncate"),

	CALL64(CHDIR, 0, "chdir", "chdir"),
	CALL64(CHDIR, 1, "fchdir", "fchdir"),
	CALL32(CHDIR, 2, "chdir", "chdir"),
	CALL32(CHDIR, 3, "fchdir", "fchdir"),
	LOOKUP(CHDIR, 4),
	SYS(CHDIR, "sys_chdir"),

	CALL64(CHROOT, 0, "chroot", "chroot"),
	CALL32(CHROOT, 1, "chroot", "chroot"),
	LOOKUP(CHROOT, 2),
	SYS(CHROOT, "sys_chroot"),

	CALL64(PIVOT_ROOT, 0, "pivot_root", "pivot_root"),
	CALL32(PIVOT_ROOT, 1, "pivot_root", "pivot_root"),
	FENTRY(PIVOT_ROOT, 2, "sb_pivotroot_e", "security_sb_pivotroot"),
	ENTER(PIVOT_ROOT, 2, "sb_pivotroot_ke", "security_sb_pivotroot"),
	LOOKUP(PIVOT_ROOT, 3),
	SYS(PIVOT_ROOT, "sys_pivot_root"),

	FENTRY(MOUNT, 0, "path_mount_x", "path_mount"),
	ENTER(MOUNT, 0, "path_mount_ke", "path_mount"),
	LEAVE(MOUNT, 1, "path_mount_kx", "path_mount"),
	CALL64(MOUNT, 2, "fsmount", "fsmount"),
	CALL64(MOUNT, 3, "open_tree", "open_tree"),
	CALL64(MOUNT, 4, "move_mount", "move_mount"),
	MAYBE(MOUNT, 5, "mount_setattr_x", "mount_setattr_kx", NATIVE "mount_setattr"),
	MAYBE(MOUNT, 6, "open_tree_attr_x", "open_tree_kx", NATIVE "open_tree_attr"),
	CALL32(MOUNT, 7, "fsmount", "fsmount"),
	CALL32(MOUNT, 8, "open_tree", "open_tree"),
	CALL32(MOUNT, 9, "move_mount", "move_mount"),
	CALL32(MOUNT, 10, "mount_setattr", "mount_setattr"),
	MAYBE(MOUNT, 11, "open_tree_attr_x32", "open_tree_kx", COMPAT "open_tree_attr"),
	OPTIONAL(MOUNT, FENTRY, 12, FENTRY, "clone_mnt_e", "clone_mnt"),
	OPTIONAL(MOUNT, KPROBE, 12, KPROBE, "clone_mnt_ke", "clone_mnt"),
	OPTIONAL(MOUNT, FENTRY, 13, FENTRY, "move_mount_e", "security_move_mount"),
	OPTIONAL(MOUNT, KPROBE, 13, KPROBE, "move_mount_ke", "security_move_mount"),
	LOOKUP(MOUNT, 14),
	SYS(MOUNT, "sys_mount"),

	FENTRY(UMOUNT, 0, "path_umount_e", "path_umount"),
	FENTRY(UMOUNT, 1, "path_umount_x", "path_umount"),
	ENTER(UMOUNT, 0, "path_umount_ke", "path_umount"),
	LEAVE(UMOUNT, 1, "path_umount_kx", "path_umount"),
	SYS(UMOUNT, "sys_umount"),

	FENTRY(SETUID, 0, "task_fix_setuid_x", "security_task_fix_setuid"),
	ENTER(SETUID, 0, "task_fix_setuid_ke", "security_task_fix_setuid"),
	LEAVE(SETUID, 1, "task_fix_setuid_kx", "security_task_fix_setuid"),
	SYS(SETUID, "sys_setuid"),

	FENTRY(SETGID, 0, "task_fix_setgid_x", "security_task_fix_setgid"),
	ENTER(SETGID, 0, "task_fix_setgid_ke", "security_task_fix_setgid"),
	LEAVE(SETGID, 1, "task_fix_setgid_kx", "security_task_fix_setgid"),
	SYS(SETGID, "sys_setgid"),

	FENTRY(CAPSET, 0, "capset_x", "security_capset"),
	ENTER(CAPSET, 0, "capset_ke", "security_capset"),
	LEAVE(CAPSET, 1, "capset_kx", "security_capset"),
	SYS(CAPSET, "sys_capset"),

	CALL64(SETNS, 0, "setns", "setns"),
	CALL32(SETNS, 1, "setns", "setns"),
	SYS(SETNS, "sys_setns"),

	FENTRY(UNSHARE, 0, "ksys_unshare_x", "ksys_unshare"),
	RESULT(UNSHARE, 0, "ksys_unshare_kx", "ksys_unshare"),
	SYS(UNSHARE, "sys_unshare"),

	FENTRY(WRITE, 0, "file_permission_x", "security_file_permission"),
	FENTRY(WRITE, 1, "file_free_e", "security_file_free"),
	ENTER(WRITE, 0, "file_permission_ke", "security_file_permission"),
	ENTER(WRITE, 1, "file_free_ke", "security_file_free"),
	SYS(WRITE, "sys_write"),

	FENTRY(SPLICE, 0, "do_splice_e", "do_splice"),
	FENTRY(SPLICE, 1, "do_splice_x", "do_splice"),
	ENTER(SPLICE, 0, "do_splice_ke", "do_splice"),
	LEAVE(SPLICE, 1, "do_splice_kx", "do_splice"),
	SYS(SPLICE, "sys_splice"),

	FENTRY(MMAP, 0, "vm_mmap_pgoff_x", "vm_mmap_pgoff"),
	ENTER(MMAP, 0, "vm_mmap_pgoff_ke", "vm_mmap_pgoff"),
	LEAVE(MMAP, 1, "vm_mmap_pgoff_kx", "vm_mmap_pgoff"),
	SYS(MMAP, "sys_mmap"),

	FENTRY(MPROTECT, 0, "file_mprotect_e", "security_file_mprotect"),
	FENTRY(MPROTECT, 1, "do_mprotect_pkey_x", "do_mprotect_pkey"),
	ENTER(MPROTECT, 0, "do_mprotect_pkey_ke", "do_mprotect_pkey"),
	ENTER(MPROTECT, 1, "file_mprotect_ke", "security_file_mprotect"),
	LEAVE(MPROTECT, 2, "do_mprotect_pkey_kx", "do_mprotect_pkey"),
	/* where there are no protection keys: the clone lacks the last argument, the key, which nobody reads */
	ENTER(MPROTECT, 0, "do_mprotect_pkey_ke", "do_mprotect_pkey.constprop.0"),
	LEAVE(MPROTECT, 2, "do_mprotect_pkey_kx", "do_mprotect_pkey.constprop.0"),
	SYS(MPROTECT, "sys_mprotect"),

	CALL64(MEMFD_CREATE, 0, "memfd_create", "memfd_create"),
	CALL32(MEMFD_CREATE, 1, "memfd_create", "memfd_create"),
	SYS(MEMFD_CREATE, "sys_memfd_create"),

	CALL64(PRCTL, 0, "prctl", "prctl"),
	CALL32(PRCTL, 1, "prctl", "prctl"),
	SYS(PRCTL, "sys_prctl"),

	CALL64(SETRLIMIT, 0, "setrlimit", "setrlimit"),
	CALL64(SETRLIMIT, 1, "prlimit64", "prlimit64"),
	CALL32_OWN(SETRLIMIT, 2, "setrlimit", "setrlimit"),
	CALL32(SETRLIMIT, 3, "prlimit64", "prlimit64"),
	SYS(SETRLIMIT, "sys_setrlimit"),

	CALL64(PTRACE, 0, "ptrace", "ptrace"),
	CALL32_OWN(PTRACE, 1, "ptrace", "ptrace"),
	SYS(PTRACE, "sys_ptrace"),

	CALL64(PROCESS_VM_WRITEV, 0, "vm_writev", "process_vm_writev"),
	CALL32(PROCESS_VM_WRITEV, 1, "vm_writev", "process_vm_writev"),
	MAYBE(PROCESS_VM_WRITEV, 2, "vm_writev_own_x32", "vm_writev_kx", COMPAT_OWN "process_vm_writev"),
	SYS(PROCESS_VM_WRITEV, "sys_vm_writev"),

	FENTRY(SIGNAL, 0, "kill_permission_x", "check_kill_permission"),
	ENTER(SIGNAL, 0, "kill_permission_ke", "check_kill_permission"),
	LEAVE(SIGNAL, 1, "kill_permission_kx", "check_kill_permission"),
	SYS(SIGNAL, "sys_signal"),

	CALL64(BPF, 0, "bpf", "bpf"),
	CALL32(BPF, 1, "bpf", "bpf"),
	SYS(BPF, "sys_bpf"),

	CALL64(LOAD_MODULE, 0, "init_module", "init_module"),
	CALL64(LOAD_MODULE, 1, "finit_module", "finit_module"),
	CALL32(LOAD_MODULE, 2, "init_module", "init_module"),
	CALL32(LOAD_MODULE, 3, "finit_module", "finit_module"),
	SYS(LOAD_MODULE, "sys_load_module"),
	NAMES(LOAD_MODULE, 4, "module_load"),

	CALL64(UNLOAD_MODULE, 0, "delete_module", "delete_module"),
	CALL32(UNLOAD_MODULE, 1, "delete_module", "delete_module"),
	SYS(UNLOAD_MODULE, "sys_unload_module"),
	NAMES(UNLOAD_MODULE, 2, "module_free"),

	CALL64(KEXEC, 0, "kexec_load", "kexec_load"),
	CALL64(KEXEC, 1, "kexec_file_load", "kexec_file_load"),
	CALL32_OWN(KEXEC, 2, "kexec_load", "kexec_load"),
	SYS(KEXEC, "sys_kexec"),

	CGROUP(SYSCTL, 0, "sysctl_asked", "cgroup/sysctl"),

	FENTRY(CGROUP_WRITE, 0, "cgroup_procs_x", "cgroup_procs_write"),
	OPTIONAL(CGROUP_WRITE, FENTRY, 1, FENTRY, "cgroup_threads_x", "cgroup_threads_write"),
	OPTIONAL(CGROUP_WRITE, FENTRY, 2, FENTRY, "cgroup1_procs_x", "cgroup1_procs_write"),
	OPTIONAL(CGROUP_WRITE, FENTRY, 3, FENTRY, "cgroup1_tasks_x", "cgroup1_tasks_write"),
	ENTER(CGROUP_WRITE, 0, "cgroup_write_ke", "cgroup_procs_write"),
	LEAVE(CGROUP_WRITE, 1, "cgroup_write_kx", "cgroup_procs_write"),
	OPTIONAL(CGROUP_WRITE, KPROBE, 2, KPROBE, "cgroup_write_ke", "cgroup_threads_write"),
	OPTIONAL(CGROUP_WRITE, KPROBE, 3, KRETPROBE, "cgroup_write_kx", "cgroup_threads_write"),
	OPTIONAL(CGROUP_WRITE, KPROBE, 4, KPROBE, "cgroup_write_ke", "cgroup1_procs_write"),
	OPTIONAL(CGROUP_WRITE, KPROBE, 5, KRETPROBE, "cgroup_write_kx", "cgroup1_procs_write"),
	OPTIONAL(CGROUP_WRITE, KPROBE, 6, KPROBE, "cgroup_write_ke", "cgroup1_tasks_write"),
	OPTIONAL(CGROUP_WRITE, KPROBE, 7, KRETPROBE, "cgroup_write_kx", "cgroup1_tasks_write"),
	TRACE(CGROUP_WRITE, "cgroup_attach", "cgroup", "cgroup_attach_task"),

	FENTRY(SELINUX, 0, "sel_write_enforce_x", "sel_write_enforce"),
	FENTRY(SELINUX, 1, "sel_write_bool_x", "sel_write_bool"),
	FENTRY(SELINUX, 2, "sel_commit_bools_x", "sel_commit_bools_write"),
	OPTIONAL(SELINUX, FENTRY, 3, FENTRY, "sel_write_disable_x", "sel_write_disable"),
	ENTER(SELINUX, 0, "sel_write_ke", "sel_write_enforce"),
	ENTER(SELINUX, 1, "sel_write_ke", "sel_write_bool"),
	ENTER(SELINUX, 2, "sel_write_ke", "sel_commit_bools_write"),
	OPTIONAL(SELINUX, KPROBE, 3, KPROBE, "sel_write_ke", "sel_write_disable"),
	LEAVE(SELINUX, 4, "sel_write_enforce_kx", "sel_write_enforce"),
	LEAVE(SELINUX, 5, "sel_write_bool_kx", "sel_write_bool"),
	LEAVE(SELINUX, 6, "sel_commit_bools_kx", "sel_commit_bools_write"),
	OPTIONAL(SELINUX, KPROBE, 7, KRETPROBE, "sel_write_disable_kx", "sel_write_disable"),

	FENTRY(CAPABILITIES, 0, "capable_x", "security_capable"),
	ENTER(CAPABILITIES, 0, "capable_ke", "security_capable"),
	LEAVE(CAPABILITIES, 1, "capable_kx", "security_capable"),
	TRACE(CAPABILITIES, "cap_capable", "capability", "cap_capable"),

	FENTRY(CONNECT, 0, "sys_connect_file_x", "__sys_connect_file"),
	ENTER(CONNECT, 0, "sys_connect_file_ke", "__sys_connect_file"),
	LEAVE(CONNECT, 1, "sys_connect_file_kx", "__sys_connect_file"),
	SYS(CONNECT, "sys_connect"),

	FENTRY(BIND, 0, "socket_bind_e", "security_socket_bind"),
	FENTRY(BIND, 1, "sys_bind_x", "__sys_bind"),
	OPTIONAL(BIND, FENTRY, 2, FENTRY, "sys_bind_socket_x", "__sys_bind_socket"),
	ENTER(BIND, 0, "socket_bind_ke", "security_socket_bind"),
	RESULT(BIND, 1, "sys_bind_kx", "__sys_bind"),
	OPTIONAL_RESULT(BIND, 2, "sys_bind_socket_kx", "__sys_bind_socket"),
	SYS(BIND, "sys_bind"),

	FENTRY(SOCKET, 0, "sys_socket_x", "__sys_socket"),
	OPTIONAL(SOCKET, FENTRY, 1, FENTRY, "sys_socket_file_x", "__sys_socket_file"),
	ENTER(SOCKET, 0, "sys_socket_ke", "__sys_socket"),
	LEAVE(SOCKET, 1, "sys_socket_kx", "__sys_socket"),
	OPTIONAL(SOCKET, KPROBE, 2, KPROBE, "sys_socket_ke", "__sys_socket_file"),
	OPTIONAL(SOCKET, KPROBE, 3, KRETPROBE, "sys_socket_file_kx", "__sys_socket_file"),
	SYS(SOCKET, "sys_socket"),

	FENTRY(LISTEN, 0, "socket_listen_e", "security_socket_listen"),
	FENTRY(LISTEN, 1, "sys_listen_x", "__sys_listen"),
	OPTIONAL(LISTEN, FENTRY, 2, FENTRY, "sys_listen_socket_x", "__sys_listen_socket"),
	ENTER(LISTEN, 0, "socket_listen_ke", "security_socket_listen"),
	RESULT(LISTEN, 1, "sys_listen_kx", "__sys_listen"),
	OPTIONAL_RESULT(LISTEN, 2, "sys_listen_kx", "__sys_listen_socket"),
	SYS(LISTEN, "sys_listen"),

	FENTRY(ACCEPT, 0, "do_accept_x", "do_accept"),
	FENTRY(ACCEPT, 0, "sys_accept4_file_x", "__sys_accept4_file"),
	ENTER(ACCEPT, 0, "do_accept_ke", "do_accept"),
	LEAVE(ACCEPT, 1, "do_accept_kx", "do_accept"),
	ENTER(ACCEPT, 0, "do_accept_ke", "__sys_accept4_file"),
	LEAVE(ACCEPT, 1, "sys_accept4_file_kx", "__sys_accept4_file"),
	SYS(ACCEPT, "sys_accept"),

	FENTRY(SETSOCKOPT, 0, "socket_setsockopt_e", "security_socket_setsockopt"),
	FENTRY(SETSOCKOPT, 1, "sys_setsockopt_x", "__sys_setsockopt"),
	OPTIONAL(SETSOCKOPT, FENTRY, 2, FENTRY, "do_sock_setsockopt_x", "do_sock_setsockopt"),
	ENTER(SETSOCKOPT, 0, "socket_setsockopt_ke", "security_socket_setsockopt"),
	RESULT(SETSOCKOPT, 1, "sys_setsockopt_kx", "__sys_setsockopt"),
	OPTIONAL_RESULT(SETSOCKOPT, 2, "sys_setsockopt_kx", "do_sock_setsockopt"),
	SYS(SETSOCKOPT, "sys_setsockopt"),

	PACKETS(DNS),
	PACKETS(IMDS),
	/* by tracepoints whatever rung the others take */
	TRACE(IO_URING, "uring_create", "io_uring", "io_uring_create"),
	ROW(IO_URING, TRACEPOINT, 1, TP_BTF, "uring_submit", "io_uring_submit_req"),
	ROW(IO_URING, TRACEPOINT, 1, TP, "uring_submit_c", "io_uring/io_uring_submit_req"),
	ROW(IO_URING, TRACEPOINT, 1, TP, "uring_submit_sqe_c", "io_uring/io_uring_submit_sqe"),

	/* last: whoever looks for the hook of an event finds the one that tells of it first */
	DENY(OPEN, "file_open_d", "security_file_open"),
	DENY(UNLINK, "path_unlink_d", "security_path_unlink"),
	DENY(RMDIR, "path_rmdir_d", "security_path_rmdir"),
	DENY(MKDIR, "path_mkdir_d", "security_path_mkdir"),
	DENY(RENAME, "path_rename_d", "security_path_rename"),
	DENY(LINK, "path_link_d", "security_path_link"),
	DENY(CHMOD, "path_chmod_d", "security_path_chmod"),
	DENY(CONNECT, "socket_connect_d", "security_socket_connect"),
	DENY(EXEC, "bprm_creds_d", "security_bprm_creds_for_exec"),
	DENY(BIND, "socket_bind_d", "security_socket_bind"),
};

const size_t hook_nrows = sizeof(hook_rows) / sizeof(hook_rows[0]);

_Static_assert(sizeof(hook_rows) / sizeof(hook_rows[0]) <= HOOK_ROWS_MAX, "raise HOOK_ROWS_MAX");

/* Who did it; what was read, put in another's place, made away with, or made usable; and whom it spoke to. */
const uint16_t hook_minimum[] = { EV_EXEC,   EV_FORK,  EV_EXIT,	   EV_OPEN, EV_RENAME,
				  EV_UNLINK, EV_CHMOD, EV_CONNECT, EV_NONE };

bool hook_lineage(uint16_t event)
{
	return event == EV_EXEC || event == EV_FORK || event == EV_EXIT;
}

const char *hook_event_name(uint16_t event)
{
	static const char *const names[EV_TYPES] = {
#define E(EV, NR, NAME, LIST, PROC, DOC) [NR] = NAME,
		CAT_EVENTS(E)
#undef E
	};

	return event < EV_TYPES ? names[event] : NULL;
}

bool hook_skippable(uint8_t kind)
{
	return kind == HOOK_FENTRY || kind == HOOK_TP_BTF || kind == HOOK_SYS_BTF || kind == HOOK_FMOD_RET;
}

bool hook_symbol_is(const struct hook_row *r, const char *symbol)
{
	size_t n = strlen(r->target);

	if (strncmp(symbol, r->target, n) != 0)
		return false;
	/* .cold and .part are pieces of a function, not the function */
	return !symbol[n] ||
	       (r->clones && (strncmp(symbol + n, ".isra.", 6) == 0 || strncmp(symbol + n, ".constprop.", 11) == 0) &&
		!strstr(symbol, ".cold") && !strstr(symbol, ".part"));
}

/* Events that are told from the kernel's socket on every rung. */
static bool of_socket(uint16_t event)
{
	return event == EV_SOCKET || event == EV_LISTEN || event == EV_ACCEPT || event == EV_SETSOCKOPT;
}

/* Those of one system call each: there is no other way, and no path. */
static bool is_control(uint16_t event)
{
	return event == EV_PRCTL || event == EV_SETRLIMIT || event == EV_PTRACE || event == EV_PROCESS_VM_WRITEV;
}

static const char *misses_of_data(uint16_t event, uint8_t rung)
{
	if (event == EV_SPLICE)
		return rung == EV_RUNG_TRACEPOINT ? "io_uring; what the pipe held before" : "";
	if (rung == EV_RUNG_TRACEPOINT)
		return "io_uring, asynchronous I/O, clones by ioctl; stores into shared mappings";
	return rung == EV_RUNG_KPROBE ? "stores into shared mappings; whether it was refused"
				      : "stores into shared mappings";
}

static const char *misses_of_memory(uint16_t event, uint8_t rung)
{
	if (event == EV_MMAP)
		return rung == EV_RUNG_TRACEPOINT ? "a descriptor that was closed meanwhile" : "";
	if (event == EV_MPROTECT)
		return rung == EV_RUNG_TRACEPOINT ? "the file, and the protection before"
						  : "of what is refused at once, the file and the protection before";
	return "";
}

/* What io_uring cannot do: system calls alone. NULL for other events. */
static const char *call_misses(uint16_t event, bool tracepoint)
{
	switch (event) {
	case EV_SETUID:
	case EV_SETGID:
	case EV_CAPSET:
		return tracepoint ? "the credentials before are those of the process's last event" : "";
	case EV_SETNS:
	case EV_UNSHARE:
		return "";
	case EV_CHDIR:
	case EV_CHROOT:
		return tracepoint
			       ? "a refused one's path is the caller's string, which another thread can change before it is read"
			       : "";
	case EV_PIVOT_ROOT:
		return tracepoint
			       ? "the paths are the caller's strings, read after the call: another thread can change them "
				 "before"
			       : "of one that was refused, a path that was not looked up is the caller's string";
	case EV_UMOUNT:
		return tracepoint
			       ? "the path is the caller's string, read after the call: another thread can change it "
				 "before, and symbolic links are not resolved"
			       : "refusals on the way to the mount point";
	case EV_MOUNT:
		return tracepoint
			       ? "the paths are the caller's strings, read after the call: another thread can change them "
				 "before, and symbolic links are not resolved; of mount(2) the root, and of a bind the type of "
				 "the filesystem"
			       : "of a move_mount or mount_setattr that was refused, a path that was not looked up is the "
				 "caller's string";
	}
	return NULL;
}

const char *hook_misses(uint16_t event, uint8_t rung)
{
	const char *call = call_misses(event, rung == EV_RUNG_TRACEPOINT);

	if (call)
		return call;
	if (event == EV_EXEC)
		return "without bprm_check: a script's path is the caller's string, symbolic links not resolved; where the kernel "
		       "preempts (classic tracepoints) the script is not told from the program that runs it";
	if (hook_lineage(event))
		return "";
	if (event == EV_WRITE || event == EV_SPLICE)
		return misses_of_data(event, rung);
	if (event == EV_MMAP || event == EV_MPROTECT || event == EV_MEMFD_CREATE)
		return misses_of_memory(event, rung);
	if ((event == EV_SETXATTR || event == EV_REMOVEXATTR) && rung != EV_RUNG_TRACEPOINT)
		return "refusals on the way to the file; what file servers in the kernel do";
	if (is_control(event))
		return event == EV_PRCTL ? "" : "a second process that is gone when the call returns";
	if (event == EV_SIGNAL)
		return rung == EV_RUNG_TRACEPOINT ? "signals to a group are one event without a target; a target that "
						    "is gone when the call returns"
						  : "";
	if (event == EV_SELINUX)
		return rung == EV_RUNG_TRACEPOINT ? "everything" : "";
	if (event == EV_CGROUP_WRITE)
		return rung == EV_RUNG_TRACEPOINT ? "refusals; the file of what io_uring writes" : "";
	if (event == EV_CAPABILITIES)
		return rung == EV_RUNG_TRACEPOINT
			       ? "what other security modules refuse; tells no checks that the kernel makes by itself from others"
			       : "";
	if (event == EV_SYSCTL)
		return "results: it is asked before the access";
	if (event == EV_BPF)
		return "calls that programs make (light skeletons)";
	if (event == EV_LOAD_MODULE || event == EV_UNLOAD_MODULE || event == EV_KEXEC)
		return "";
	if (rung == EV_RUNG_CGROUP)
		return "packets of no socket here: forwarded ones, packet sockets; what is encrypted";
	if (event == EV_IO_URING)
		return "set-ups that are refused; what an operation does is an event of its own";
	if (rung == EV_RUNG_FENTRY || rung == EV_RUNG_KPROBE)
		return event == EV_OPEN || event == EV_CONNECT || event == EV_BIND || of_socket(event)
			       ? ""
			       : "refusals on the way to the last directory";
	if (event == EV_OPEN)
		return "io_uring; a refused open's path is the caller's string, which another thread can change before it is read";
	if (of_socket(event))
		return "io_uring";
	if (event == EV_CONNECT || event == EV_BIND)
		return "io_uring; the address is read from user memory after the call, and another thread can change it before";
	return "io_uring; the path is the caller's string, read after the call: another thread can change it before, and "
	       "symbolic links are not resolved";
}
