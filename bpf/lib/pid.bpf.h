/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a process id as a system call's caller gives it to the task, and the second process of an event.
 *
 * The caller's number is one of its own pid namespace. It is looked up where the kernel looks: in the namespace's table, which is
 * an xarray. Nothing is locked: a process that goes away meanwhile is not found, or is another one of that very number, which the
 * kernel's own look-up a moment before may just as well have found. What does not look as expected is not found.
 */
#ifndef TAMIS_BPF_PID_H
#define TAMIS_BPF_PID_H

#include "lib/path.bpf.h"

#define PID_LEVELS	8 /* of the table: more than 22 bits need */
#define XA_SLOTS	64
#define XA_IS_NODE(e)	(((e)&3) == 2 && (e) > 4096)
#define XA_NODE(e)	((struct xa_node *)((e)-2))
#define XA_SLOT(n, idx) ((void *)(n) + bpf_core_field_offset((n)->slots) + 8 * (idx))

/* The pid namespace that the current thread's numbers are of. */
INLINE struct pid_namespace *pid_ns(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct pid *pid = READ(task, thread_pid);
	struct upid *u =
		(void *)pid + bpf_core_field_offset(pid->numbers) + READ(pid, level) * bpf_core_type_size(struct upid);

	return READ(u, ns);
}

/* What the table of @ns has at @nr. */
INLINE struct pid *pid_in(struct pid_namespace *ns, u32 nr)
{
	u64 entry = (u64)READ(ns, idr.idr_rt.xa_head);

	for (int i = 0; i < PID_LEVELS; i++) {
		struct xa_node *node = XA_NODE(entry);
		u64 shift, at;

		if (!XA_IS_NODE(entry))
			break;
		shift = READ(node, shift);
		at = (u64)nr >> (shift & 63);
		if (i == 0 && at >= XA_SLOTS)
			return 0;
		entry = 0;
		bpf_probe_read_kernel(&entry, sizeof(entry), XA_SLOT(node, at & (XA_SLOTS - 1)));
	}
	return entry & 3 ? 0 : (struct pid *)entry;
}

/* The task with that id, or that leads the threads of it. */
INLINE struct task_struct *pid_task(struct pid *pid)
{
	struct hlist_node *first = pid ? READ(pid, tasks[0].first) : 0;
	struct task_struct *t = 0;

	return first ? (void *)first - bpf_core_field_offset(t->pid_links) : 0;
}

INLINE struct task_struct *task_of_number(s32 nr)
{
	return nr > 0 ? pid_task(pid_in(pid_ns(), nr)) : 0;
}

/* The task of a pidfd, which may also be a directory of /proc, or a number that stands for the caller. */
INLINE struct task_struct *task_of_pidfd(s32 fd)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file *file = file_of_fd(task, fd);
	struct proc_inode *proc = 0;
	struct inode *inode;
	u32 fs = 0;

	if (fd < 0)
		return task; /* PIDFD_SELF: the call did not fail */
	if (!file)
		return 0;
	inode = READ(file, f_inode);
	bpf_probe_read_kernel(&fs, sizeof(fs), READ(inode, i_sb, s_type, name));
	if (fs == 0x66646970) /* "pidf": from 6.9 on */
		return pid_task(READ(inode, i_private));
	if (fs == 0x636f7270) /* "proc" */
		return pid_task(
			READ((struct proc_inode *)((void *)inode - bpf_core_field_offset(proc->vfs_inode)), pid));
	return pid_task(READ(file, private_data));
}

/* The numbers of @task, which may be NULL, at @num. */
INLINE void target_nums(u64 *num, struct task_struct *task)
{
	const struct cred *cred = READ(task, real_cred);

	if (!task)
		return;
	num[EV_TARGET_PID] = (u32)READ(task, tgid);
	num[EV_TARGET_START] = READ(task, group_leader, start_boottime);
	num[EV_TARGET_IDS] = READ(cred, uid.val) | (u64)READ(cred, gid.val) << 32;
	num[EV_TARGET_EIDS] = READ(cred, euid.val) | (u64)READ(cred, egid.val) << 32;
	num[EV_TARGET_FSIDS] = READ(cred, fsuid.val) | (u64)READ(cred, fsgid.val) << 32;
	bpf_probe_read_kernel(&num[EV_TARGET_CAP_PERMITTED], 8, (void *)cred + CRED_OFF(cap_permitted));
	bpf_probe_read_kernel(&num[EV_TARGET_CAP_EFFECTIVE], 8, (void *)cred + CRED_OFF(cap_effective));
	num[EV_TARGET_AUID] = task_auid(task);
}

#endif
