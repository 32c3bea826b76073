/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Files of the baseline, by their inodes: whatever name or mount they are reached by, whoever opened them when. An object of its
 * own (sensor/load/inodes.c): it knows no sieve, and is there only where a policy has watches and a baseline. Programs sit where
 * the kernel asks security modules, with the inode at hand, on the fentry and the kprobe rung; elsewhere there are none, and
 * the next scan finds what came by another name.
 *
 * The kernel is asked before anything is done, so a record says that something is about to happen.
 */
#include "lib/wake.bpf.h"

#define BPF_F_NO_PREALLOC 1
#define MAY_WRITE	  2
#define PROT_WRITE	  2
#define MAP_SHARED	  1

#define FS_IOC_SETFLAGS	  0x40086602u
#define FS_IOC32_SETFLAGS 0x40046602u
#define FS_IOC_FSSETXATTR 0x401c5820u

enum { ATTR_MODE = 1 << 0, ATTR_UID = 1 << 1, ATTR_GID = 1 << 2, ATTR_SIZE = 1 << 3 };

/* Of which device; 0: of any, because the inode number is there on several or the device has no number of its own. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024); /* set before the load */
	__type(key, u64);
	__type(value, u32);
} inodes SEC(".maps");

/* Who did what to which inode, and when that was told last. */
struct deed {
	u64 ino;
	u32 pid, what;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct deed);
	__type(value, u64);
} told SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* the ring of all other events takes its place */
} events SEC(".maps");

volatile __u64 lost;	 /* records that found no room */
volatile __u32 watching; /* some inode is in the map */
volatile __u32 canary_pid;

/* ---- the record ---------------------------------------------------------------------------------------------------- */

INLINE int tell(u64 ino, u32 what)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 ids = bpf_get_current_pid_tgid(), ugid = bpf_get_current_uid_gid(), now = bpf_ktime_get_boot_ns(), *last;
	struct deed deed = { .ino = ino, .pid = ids >> 32, .what = what };
	struct ev_inode r = { .ino = ino, .what = what };

	if (deed.pid == canary_pid)
		return 0;
	last = bpf_map_lookup_elem(&told, &deed);
	if (last && now - *last < EV_INODE_AGAIN_NS)
		return 0;
	bpf_map_update_elem(&told, &deed, &now, BPF_ANY);
	r.head.size = sizeof(r);
	r.head.type = EV_INODE;
	r.head.flags = EV_F_CONTEXT;
	r.head.boot_ns = now;
	r.head.pid = deed.pid;
	r.head.tid = (u32)ids;
	r.head.uid = r.head.euid = (u32)ugid;
	r.head.gid = r.head.egid = ugid >> 32;
	r.head.start_ns = READ(task, group_leader, start_boottime);
	if (bpf_ringbuf_output(&events, &r, sizeof(r), wake_flags(false)))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

/* Whether it is one of those; what lies at @inode may be anything. */
INLINE bool is_watched(struct inode *inode, u64 *ret_ino)
{
	u64 ino = READ(inode, i_ino);
	u32 *dev = watching && inode ? bpf_map_lookup_elem(&inodes, &ino) : 0;

	*ret_ino = ino;
	return dev && (!*dev || *dev == READ(inode, i_sb, s_dev));
}

INLINE int inode_touched(struct inode *inode, u32 what)
{
	u64 ino;

	return is_watched(inode, &ino) ? tell(ino, what) : 0;
}

INLINE int dentry_touched(u64 dentry, u32 what)
{
	return inode_touched(READ((struct dentry *)dentry, d_inode), what);
}

INLINE int file_touched(u64 file, u32 what)
{
	return inode_touched(READ((struct file *)file, f_inode), what);
}

/* From 5.12 on an idmapping (or what it was before) comes first. */
INLINE int either_touched(u64 a, u64 b, u32 what)
{
	return dentry_touched(fn_idmapped() ? b : a, what);
}

/* ---- where ------------------------------------------------------------------------------------------------------------ */

INLINE int on_permission(u64 file, u64 mask)
{
	return mask & MAY_WRITE ? file_touched(file, EV_WRITE) : 0;
}

/*
 * Mode, owner, times and length. Here the idmapping came first some releases after 5.12: which of the two is the dentry is found by
 * trying, as what is no dentry leads to no inode of ours.
 */
INLINE int on_setattr(u64 a, u64 b, u64 c)
{
	u64 ino;
	bool first = is_watched(READ((struct dentry *)a, d_inode), &ino);
	u32 valid;

	if (!first && !(fn_idmapped() && is_watched(READ((struct dentry *)b, d_inode), &ino)))
		return 0;
	if (bpf_probe_read_kernel(&valid, sizeof(valid), (void *)(first ? b : c)))
		valid = 0;
	return tell(ino, valid & ATTR_SIZE		 ? EV_TRUNCATE
			 : valid & ATTR_MODE		 ? EV_CHMOD
			 : valid & (ATTR_UID | ATTR_GID) ? EV_CHOWN
							 : EV_UTIMES);
}

INLINE int on_mmap(u64 file, u64 prot, u64 flags)
{
	return file && prot & PROT_WRITE && flags & MAP_SHARED ? file_touched(file, EV_MMAP) : 0;
}

INLINE int on_ioctl(u64 file, u32 cmd)
{
	return cmd == FS_IOC_SETFLAGS || cmd == FS_IOC32_SETFLAGS || cmd == FS_IOC_FSSETXATTR
		       ? file_touched(file, EV_NONE)
		       : 0;
}

INLINE int on_rename(u64 old_dentry, u64 new_dentry)
{
	dentry_touched(old_dentry, EV_RENAME);
	return dentry_touched(new_dentry, EV_RENAME);
}

/* One body, two ways to its arguments. */
#define AT(NAME, FUNCTION, E, K)                                                                                       \
	SEC("fentry/" #FUNCTION)                                                                                       \
	int NAME##_e(u64 *ctx)                                                                                         \
	{                                                                                                              \
		return E;                                                                                              \
	}                                                                                                              \
	SEC("kprobe/" #FUNCTION)                                                                                       \
	int NAME##_k(struct pt_regs *ctx)                                                                              \
	{                                                                                                              \
		return K;                                                                                              \
	}
#define A(I) CTX_ARG(ctx, I)

AT(permission, security_file_permission, on_permission(A(0), A(1)), on_permission(FN_ARG1(ctx), FN_ARG2(ctx)))
AT(setattr, security_inode_setattr, on_setattr(A(0), A(1), fn_idmapped() ? A(2) : 0),
   on_setattr(FN_ARG1(ctx), FN_ARG2(ctx), FN_ARG3(ctx)))
AT(setxattr, security_inode_setxattr, either_touched(A(0), A(1), EV_SETXATTR),
   either_touched(FN_ARG1(ctx), FN_ARG2(ctx), EV_SETXATTR))
AT(removexattr, security_inode_removexattr, either_touched(A(0), A(1), EV_REMOVEXATTR),
   either_touched(FN_ARG1(ctx), FN_ARG2(ctx), EV_REMOVEXATTR))
AT(unlink, security_inode_unlink, dentry_touched(A(1), EV_UNLINK), dentry_touched(FN_ARG2(ctx), EV_UNLINK))
AT(link, security_inode_link, dentry_touched(A(0), EV_LINK), dentry_touched(FN_ARG1(ctx), EV_LINK))
AT(rename, security_inode_rename, on_rename(A(1), A(3)), on_rename(FN_ARG2(ctx), FN_ARG4(ctx)))
AT(mmap, security_mmap_file, on_mmap(A(0), A(1), A(2)), on_mmap(FN_ARG1(ctx), FN_ARG2(ctx), FN_ARG3(ctx)))
AT(ioctl, security_file_ioctl, on_ioctl(A(0), A(1)), on_ioctl(FN_ARG1(ctx), FN_ARG2(ctx)))

char LICENSE[] SEC("license") = "Dual BSD/GPL";
