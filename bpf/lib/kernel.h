/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's types as far as the programs read them: only the fields that are used, relocated at load time (CO-RE),
 * the same file for every architecture and kernel. A name with three underscores is a "flavour": an older or newer
 * shape of the type, see core_compat.bpf.h.
 */
#ifndef TAMIS_BPF_KERNEL_H
#define TAMIS_BPF_KERNEL_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef short s16;
typedef int s32;
typedef unsigned long long u64;
typedef long long s64;
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef s32 __s32;
typedef s64 __s64;
typedef u16 __be16;
typedef u32 __be32;
typedef u32 __wsum;
typedef _Bool bool;
#define true 1
#define false 0

/* From the uapi headers; they cannot be included next to this file. */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum bpf_prog_type { BPF_PROG_TYPE_UNSPEC = 0 };
enum bpf_attach_type { BPF_CGROUP_INET_INGRESS = 0 };
enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA = 0 };

/* What a program of cgroup/sysctl is handed: the kernel rewrites these accesses itself. */
struct bpf_sysctl {
	u32 write;
	u32 file_pos;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct vm_event_state {
	unsigned long event[1];
};
struct list_head {
	struct list_head *next, *prev;
};
typedef struct {
	u32 val;
} kuid_t;
typedef struct {
	u32 val;
} kgid_t;
typedef struct {
	int counter;
} atomic_t;
struct timespec64 {
	s64 tv_sec;
	long tv_nsec;
};

struct qstr {
	union {
		struct {
			u32 hash;
			u32 len;
		};
		u64 hash_len;
	};
	const unsigned char *name;
};
struct file_system_type {
	const char *name;
};
struct super_block {
	u32 s_dev;
	unsigned long s_magic;
	struct file_system_type *s_type;
};
struct inode {
	u16 i_mode;
	u32 i_generation;
	atomic_t i_writecount; /* who has it open for writing; below 0: nobody may */
	kuid_t i_uid;
	kgid_t i_gid;
	struct super_block *i_sb;
	void *i_private;
	unsigned long i_ino;
};
struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
};
struct vfsmount {
	struct dentry *mnt_root;
};
struct proc_ns_operations {
	int type; /* up to 6.17 */
};
struct ns_common {
	const struct proc_ns_operations *ops;
	unsigned int inum;
};
struct mount;
struct mnt_namespace {
	struct ns_common ns;
	struct mount *root;
};
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns; /* NULL or an error pointer: in no tree that a process sees */
	struct list_head mnt_mounts, mnt_child;
	int mnt_id;
};
struct nsproxy {
	struct mnt_namespace *mnt_ns;
};
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};
struct file {
	struct path f_path;
	struct inode *f_inode;
	unsigned int f_flags, f_mode;
	void *private_data;
};
struct pipe_buffer {
	unsigned int flags;
};
struct pipe_inode_info {
	unsigned int head, ring_size;
	struct pipe_buffer *bufs;
};
struct vm_area_struct {
	unsigned long vm_flags;
	struct file *vm_file;
};
struct mnt_idmap {
}; /* 6.2 (256c8aed2b42) */
struct filename {
	const char *name;
	const char *uptr; /* until 7.0 */
};
struct open_flags {
	int open_flag;
	u16 mode;
};
struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};
struct files_struct {
	struct fdtable *fdt;
};
struct fs_struct {
	struct path root, pwd;
};

/* u64 val from 6.3 on (f122a08b197d), u32 cap[2] before: the same eight bytes on little-endian machines. Read whole. */
typedef struct {
	u64 bytes;
} kernel_cap_t;
struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t euid;
	kgid_t egid;
	kuid_t fsuid;
	kgid_t fsgid;
	kernel_cap_t cap_permitted, cap_effective;
};
struct tty_struct {
	char name[64];
};
struct rlimit {
	unsigned long rlim_cur, rlim_max;
};
struct signal_struct {
	atomic_t live;
	struct rlimit rlim[16];
	int nr_threads;
	struct list_head thread_head;
	int group_exit_code;
	unsigned int flags;
	struct tty_struct *tty;
};
struct kernfs_node {
	struct kernfs_node *parent;
	const char *name;
	u64 id;
};
struct cgroup {
	struct kernfs_node *kn;
};
struct css_set {
	struct cgroup *dfl_cgrp;
};
struct mm_struct {
	unsigned long arg_start, arg_end, env_start, env_end;
	struct file *exe_file;
};
struct thread_info {
	unsigned long flags;
	u32 status; /* x86 */
};
struct hlist_node {
	struct hlist_node *next;
};
struct hlist_head {
	struct hlist_node *first;
};
struct xarray {
	void *xa_head;
};
struct xa_node {
	u8 shift;
	void *slots[64];
};
struct idr {
	struct xarray idr_rt;
};
struct pid_namespace {
	struct idr idr;
	u32 level;
};
struct upid {
	int nr;
	struct pid_namespace *ns;
};
struct pid {
	u32 level;
	struct hlist_head tasks[4];
	struct upid numbers[1];
};
struct proc_inode {
	struct pid *pid;
	struct inode vfs_inode;
};
struct kernel_siginfo {
	int si_signo, si_errno, si_code;
};
struct task_struct {
	struct thread_info thread_info;
	void *stack;
	unsigned int flags;
	struct mm_struct *mm;
	int exit_code;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct list_head children, sibling, thread_node;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct hlist_node pid_links[4];
	u64 start_boottime;
	u64 self_exec_id; /* counts what it has executed */
	const struct cred *real_cred;
	const struct cred *cred;
	char comm[16];
	struct fs_struct *fs;
	struct nsproxy *nsproxy;
	struct files_struct *files;
	struct signal_struct *signal;
	kuid_t loginuid;
	struct css_set *cgroups;
};
struct linux_binprm {
	struct file *file;
	const char *filename;
	const char *interp;
	char buf[256];
};
struct in6_addr {
	u8 bytes[16];
};
struct sock_common {
	u16 skc_family;
	u32 skc_daddr, skc_rcv_saddr; /* network order */
	u16 skc_dport;		      /* network order */
	u16 skc_num;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr; /* with CONFIG_IPV6 */
};
struct sock_filter;
struct sock_fprog_kern {
	u16 len;
	struct sock_filter *filter;
};
struct bpf_prog_aux {
	char name[16];
};
struct bpf_prog {
	enum bpf_prog_type type;
	enum bpf_attach_type expected_attach_type;
	u8 tag[8];
	struct bpf_prog_aux *aux;
	struct sock_fprog_kern *orig_prog; /* of a classic filter: what it was made from */
};
struct sk_filter {
	struct bpf_prog *prog;
};
struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol; /* a bit-field before 5.6 */
	struct sk_filter *sk_filter;
};
struct socket {
	short type;
	struct sock *sk;
};
struct kernfs_open_file {
	struct file *file;
};
struct module {
	char name[56];
};
struct bpf_map {
	enum bpf_map_type map_type;
	char name[16];
};

struct net_device {
	char name[16];
};
struct sk_buff {
	struct net_device *dev;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	u64 regs[31];
	u64 sp, pc, pstate;
};
struct pt_regs {
	u64 regs[31];
	u64 sp, pc, pstate, orig_x0;
	s32 syscallno;
};
#endif

/* What an iterator hands over. */
struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
	u64 seq_num;
};
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

/* What classic tracepoints hand over. */
struct trace_event_raw_sys_exit {
	long ret;
};
struct trace_event_raw_sched_process_exec {
	u32 __data_loc_filename;
	int old_pid;
};
struct trace_event_raw_sched_process_fork {
	int child_pid;
};
struct trace_event_raw_cgroup_migrate {
	int pid;
};
struct trace_event_raw_cap_capable {
	const struct cred *cred;
	int cap;
	int ret;
};
struct trace_event_raw_module_load {
	u32 __data_loc_name;
};
struct trace_event_raw_module_free {
	u32 __data_loc_name;
};

struct trace_event_raw_io_uring_create {
	u32 sq_entries, flags;
};
struct trace_event_raw_io_uring_submit_req {
	u8 opcode;
	u64 flags; /* u32 before 6.8 */
};
struct trace_event_raw_io_uring_submit_sqe {
	u8 opcode;
	u32 flags;
};
struct io_kiocb {
	u8 opcode;
	u64 flags; /* u32 before 6.8 */
};

/* Shapes that changed. */
struct inode___ctime_old { /* before 6.6 (13bc24457850) */
	struct timespec64 i_mtime, i_ctime;
};
struct inode___ctime_6_6 { /* 6.6 and 6.7: i_ctime renamed first */
	struct timespec64 i_mtime, __i_ctime;
};
struct inode___ctime_6_7 { /* 6.7 to 6.10 (12cd44023651) */
	struct timespec64 __i_mtime, __i_ctime;
};
struct inode___ctime_split { /* from 6.11 (3aa63a569c64) */
	s64 i_mtime_sec, i_ctime_sec;
	u32 i_mtime_nsec, i_ctime_nsec;
};
struct vfsmount___userns { /* 5.12 (a6435940b62f) to 6.2 */
	void *mnt_userns;
};
struct vfsmount___idmap { /* from 6.2 on (256c8aed2b42) */
	void *mnt_idmap;
};
struct xattr_ctx { /* to 6.12 */
	void *kname;
};
struct kernel_xattr_ctx { /* from 6.13 on */
	void *kname;
};
struct kernfs_node___rcu { /* from 6.15 (633488947ef6) */
	struct kernfs_node *__parent;
};

#pragma clang attribute pop

/* What programs at cgroups get: the kernel's interface, which it translates itself. As far as it is read here. */
struct __sk_buff {
	u32 len;
	u32 unread[18];
	u32 data, data_end; /* pointers, to the verifier */
};
struct bpf_sock_addr {
	u32 user_family;
	u32 user_ip4;
	u32 user_ip6[4];
	u32 user_port;
};

#endif
