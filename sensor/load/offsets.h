/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For kernels that tell nobody what their types look like: finds out where the fields are that the programs of the
 * tracepoint rung read. A process of our own is brought into a known state (its name, ids, limits, open files, mounts, ...),
 * its kernel memory is read (peek.h) and searched for that state. An offset counts only if it is the only one that fits, in
 * several processes or files where one could fit by chance; what is not found is left out, and costs the events whose programs
 * read it.
 *
 * Takes the privileges that BPF needs, and CAP_SYS_ADMIN for a mount namespace of its own. Some 50 ms.
 */
#ifndef TAMIS_LOAD_OFFSETS_H
#define TAMIS_LOAD_OFFSETS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/* Where 32-bit calls are told by. */
#if defined(__x86_64__)
#define OFFSETS_COMPAT "status"
#else
#define OFFSETS_COMPAT "flags"
#endif

/* X(ID, "struct", "member", "what is below it"): bytes from the struct to the last. */
#define OFFSETS(X)                                                                                                     \
	X(COMPAT, "thread_info", OFFSETS_COMPAT, "")                                                                   \
	X(TASK_STACK, "task_struct", "stack", "")                                                                      \
	X(TASK_FLAGS, "task_struct", "flags", "")                                                                      \
	X(TASK_MM, "task_struct", "mm", "")                                                                            \
	X(TASK_EXIT_CODE, "task_struct", "exit_code", "")                                                              \
	X(TASK_PID, "task_struct", "pid", "")                                                                          \
	X(TASK_TGID, "task_struct", "tgid", "")                                                                        \
	X(TASK_REAL_PARENT, "task_struct", "real_parent", "")                                                          \
	X(TASK_CHILDREN, "task_struct", "children", "")                                                                \
	X(TASK_SIBLING, "task_struct", "sibling", "")                                                                  \
	X(TASK_GROUP_LEADER, "task_struct", "group_leader", "")                                                        \
	X(TASK_THREAD_NODE, "task_struct", "thread_node", "")                                                          \
	X(TASK_THREAD_PID, "task_struct", "thread_pid", "")                                                            \
	X(TASK_PID_LINKS, "task_struct", "pid_links", "")                                                              \
	X(TASK_START_BOOTTIME, "task_struct", "start_boottime", "")                                                    \
	X(TASK_SELF_EXEC_ID, "task_struct", "self_exec_id", "")                                                        \
	X(TASK_REAL_CRED, "task_struct", "real_cred", "")                                                              \
	X(TASK_CRED, "task_struct", "cred", "")                                                                        \
	X(TASK_COMM, "task_struct", "comm", "")                                                                        \
	X(TASK_FS, "task_struct", "fs", "")                                                                            \
	X(TASK_FILES, "task_struct", "files", "")                                                                      \
	X(TASK_SIGNAL, "task_struct", "signal", "")                                                                    \
	X(TASK_LOGINUID, "task_struct", "loginuid", "")                                                                \
	X(TASK_CGROUPS, "task_struct", "cgroups", "")                                                                  \
	X(TASK_NSPROXY, "task_struct", "nsproxy", "")                                                                  \
	X(NSPROXY_MNT_NS, "nsproxy", "mnt_ns", "")                                                                     \
	X(CRED_UID, "cred", "uid", "")                                                                                 \
	X(CRED_GID, "cred", "gid", "")                                                                                 \
	X(CRED_EUID, "cred", "euid", "")                                                                               \
	X(CRED_EGID, "cred", "egid", "")                                                                               \
	X(CRED_FSUID, "cred", "fsuid", "")                                                                             \
	X(CRED_FSGID, "cred", "fsgid", "")                                                                             \
	X(CRED_CAP_PERMITTED, "cred", "cap_permitted", "")                                                             \
	X(CRED_CAP_EFFECTIVE, "cred", "cap_effective", "")                                                             \
	X(MM_ARG_START, "mm_struct", "arg_start", "")                                                                  \
	X(MM_ARG_END, "mm_struct", "arg_end", "")                                                                      \
	X(MM_ENV_START, "mm_struct", "env_start", "")                                                                  \
	X(MM_ENV_END, "mm_struct", "env_end", "")                                                                      \
	X(MM_EXE_FILE, "mm_struct", "exe_file", "")                                                                    \
	X(SIGNAL_LIVE, "signal_struct", "live", "")                                                                    \
	X(SIGNAL_NR_THREADS, "signal_struct", "nr_threads", "")                                                        \
	X(SIGNAL_THREAD_HEAD, "signal_struct", "thread_head", "")                                                      \
	X(SIGNAL_GROUP_EXIT_CODE, "signal_struct", "group_exit_code", "")                                              \
	X(SIGNAL_FLAGS, "signal_struct", "flags", "")                                                                  \
	X(SIGNAL_TTY, "signal_struct", "tty", "")                                                                      \
	X(SIGNAL_RLIM, "signal_struct", "rlim", "")                                                                    \
	X(TTY_NAME, "tty_struct", "name", "")                                                                          \
	X(PID_LEVEL, "pid", "level", "")                                                                               \
	X(PID_TASKS, "pid", "tasks", "")                                                                               \
	X(PID_NUMBERS, "pid", "numbers", "")                                                                           \
	X(PIDNS_LEVEL, "pid_namespace", "level", "")                                                                   \
	X(PIDNS_IDR, "pid_namespace", "idr", "idr_rt.xa_head")                                                         \
	X(XA_NODE_SHIFT, "xa_node", "shift", "")                                                                       \
	X(XA_NODE_SLOTS, "xa_node", "slots", "")                                                                       \
	X(FILES_FDT, "files_struct", "fdt", "")                                                                        \
	X(FDT_MAX_FDS, "fdtable", "max_fds", "")                                                                       \
	X(FDT_FD, "fdtable", "fd", "")                                                                                 \
	X(FS_ROOT, "fs_struct", "root", "")                                                                            \
	X(FS_PWD, "fs_struct", "pwd", "")                                                                              \
	X(FILE_F_PATH, "file", "f_path", "")                                                                           \
	X(FILE_F_INODE, "file", "f_inode", "")                                                                         \
	X(FILE_F_MODE, "file", "f_mode", "")                                                                           \
	X(FILE_PRIVATE_DATA, "file", "private_data", "")                                                               \
	X(DENTRY_D_SEQ, "dentry", "d_seq", "")                                                                         \
	X(DENTRY_D_PARENT, "dentry", "d_parent", "")                                                                   \
	X(DENTRY_D_NAME, "dentry", "d_name", "")                                                                       \
	X(DENTRY_D_INODE, "dentry", "d_inode", "")                                                                     \
	X(DENTRY_D_SB, "dentry", "d_sb", "")                                                                           \
	X(INODE_I_MODE, "inode", "i_mode", "")                                                                         \
	X(INODE_I_UID, "inode", "i_uid", "")                                                                           \
	X(INODE_I_GID, "inode", "i_gid", "")                                                                           \
	X(INODE_I_SB, "inode", "i_sb", "")                                                                             \
	X(INODE_I_INO, "inode", "i_ino", "")                                                                           \
	X(INODE_I_GENERATION, "inode", "i_generation", "")                                                             \
	X(INODE_I_PRIVATE, "inode", "i_private", "")                                                                   \
	X(INODE_I_MTIME, "inode", "i_mtime", "")                                                                       \
	X(INODE_I_CTIME, "inode", "i_ctime", "")                                                                       \
	X(INODE_I_MTIME_SEC, "inode", "i_mtime_sec", "")                                                               \
	X(INODE_I_MTIME_NSEC, "inode", "i_mtime_nsec", "")                                                             \
	X(INODE_I_CTIME_SEC, "inode", "i_ctime_sec", "")                                                               \
	X(INODE_I_CTIME_NSEC, "inode", "i_ctime_nsec", "")                                                             \
	X(PROC_INODE_PID, "proc_inode", "pid", "")                                                                     \
	X(PROC_INODE_VFS_INODE, "proc_inode", "vfs_inode", "")                                                         \
	X(SB_S_TYPE, "super_block", "s_type", "")                                                                      \
	X(FSTYPE_NAME, "file_system_type", "name", "")                                                                 \
	X(VFSMOUNT_MNT_ROOT, "vfsmount", "mnt_root", "")                                                               \
	X(MOUNT_MNT, "mount", "mnt", "")                                                                               \
	X(MOUNT_MNT_PARENT, "mount", "mnt_parent", "")                                                                 \
	X(MOUNT_MNT_MOUNTPOINT, "mount", "mnt_mountpoint", "")                                                         \
	X(MOUNT_MNT_ID, "mount", "mnt_id", "")                                                                         \
	X(MOUNT_MNT_NS, "mount", "mnt_ns", "")                                                                         \
	X(MNTNS_INUM, "mnt_namespace", "ns", "inum")                                                                   \
	X(MNTNS_ROOT, "mnt_namespace", "root", "")                                                                     \
	X(MNTNS_EVENT, "mnt_namespace", "event", "")                                                                   \
	X(KERNFS_PARENT, "kernfs_node", "parent", "")                                                                  \
	X(KERNFS_NAME, "kernfs_node", "name", "")                                                                      \
	X(KERNFS_ID, "kernfs_node", "id", "")                                                                          \
	X(CGROUP_KN, "cgroup", "kn", "")                                                                               \
	X(CSS_SET_DFL_CGRP, "css_set", "dfl_cgrp", "")                                                                 \
	X(SOCKET_TYPE, "socket", "type", "")                                                                           \
	X(SOCKET_SK, "socket", "sk", "")                                                                               \
	X(SOCK_PROTOCOL, "sock", "sk_protocol", "")                                                                    \
	X(SKC_FAMILY, "sock_common", "skc_family", "")                                                                 \
	X(SKC_DADDR, "sock_common", "skc_daddr", "")                                                                   \
	X(SKC_RCV_SADDR, "sock_common", "skc_rcv_saddr", "")                                                           \
	X(SKC_DPORT, "sock_common", "skc_dport", "")                                                                   \
	X(SKC_NUM, "sock_common", "skc_num", "")                                                                       \
	X(SKC_V6_DADDR, "sock_common", "skc_v6_daddr", "")                                                             \
	X(SKC_V6_RCV_SADDR, "sock_common", "skc_v6_rcv_saddr", "")                                                     \
	X(TP_SYS_EXIT_RET, "trace_event_raw_sys_exit", "ret", "")                                                      \
	X(TP_EXEC_FILENAME, "trace_event_raw_sched_process_exec", "__data_loc_filename", "")                           \
	X(TP_EXEC_OLD_PID, "trace_event_raw_sched_process_exec", "old_pid", "")                                        \
	X(TP_FORK_CHILD_PID, "trace_event_raw_sched_process_fork", "child_pid", "")                                    \
	X(TP_MIGRATE_PID, "trace_event_raw_cgroup_migrate", "pid", "")                                                 \
	X(TP_CAPABLE_CRED, "trace_event_raw_cap_capable", "cred", "")                                                  \
	X(TP_CAPABLE_CAP, "trace_event_raw_cap_capable", "cap", "")                                                    \
	X(TP_CAPABLE_RET, "trace_event_raw_cap_capable", "ret", "")                                                    \
	X(TP_MODULE_LOAD, "trace_event_raw_module_load", "__data_loc_name", "")                                        \
	X(TP_MODULE_FREE, "trace_event_raw_module_free", "__data_loc_name", "")                                        \
	X(TP_URING_ENTRIES, "trace_event_raw_io_uring_create", "sq_entries", "")                                       \
	X(TP_URING_FLAGS, "trace_event_raw_io_uring_create", "flags", "")                                              \
	X(TP_URING_REQ_OPCODE, "trace_event_raw_io_uring_submit_req", "opcode", "")                                    \
	X(TP_URING_REQ_FLAGS, "trace_event_raw_io_uring_submit_req", "flags", "")                                      \
	X(TP_URING_SQE_OPCODE, "trace_event_raw_io_uring_submit_sqe", "opcode", "")                                    \
	X(TP_URING_SQE_FLAGS, "trace_event_raw_io_uring_submit_sqe", "flags", "")

#define OFFSETS_ID(ID, TYPE, MEMBER, BELOW) OFF_##ID,
enum offset_id { OFFSETS(OFFSETS_ID) OFFSETS_N };

#define OFFSET_UNKNOWN UINT32_MAX

struct offsets {
	uint32_t at[OFFSETS_N]; /* bytes, or OFFSET_UNKNOWN */
	uint32_t
		regs; /* from the beginning of a thread's stack to the registers of its system call, or OFFSET_UNKNOWN */
};

struct offset_field {
	const char *type, *member;
	const char *below; /* path from the member to what is meant, or "" */
};
extern const struct offset_field offset_fields[OFFSETS_N];

/* Fills *ret; how many it found, or a negative errno where nothing can be found out here. */
int offsets_find(struct offsets *ret, struct err *err);

struct btf;

/*
 * What no type information tells: how far a thread's stack goes to the end of its system call's registers. A look at the
 * caller's own, whose place @kernel tells. A negative errno where it cannot be had.
 */
int offsets_stack(const struct btf *kernel, uint32_t *ret_bytes);

/* Events whose programs read more than is looked for here. Ends with EV_NONE. */
extern const uint16_t offsets_blind[];

/*
 * Type information that holds these offsets and nothing else, as a file for libbpf: @own are the types as our programs were
 * compiled with, of which those that were not found are left out. *ret_fd is a memfd, the caller's.
 */
int offsets_btf(const struct offsets *o, const struct btf *own, int *ret_fd, struct err *err);

#endif
