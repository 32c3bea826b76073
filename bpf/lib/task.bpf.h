/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A process in a record: the rows of CAT_PROC. */
#ifndef TAMIS_BPF_TASK_H
#define TAMIS_BPF_TASK_H

#include "lib/path.bpf.h"

#define CGROUP_DEPTH 24

/* The cgroup's path below the root of its hierarchy, into work[1]. */
INLINE void cgroup_walk(struct slot *s, struct kernfs_node *kn)
{
	s->path_off[1] = EV_PATH_MAX;
	for (int i = 0; i < CGROUP_DEPTH && kn; i++) {
		struct kernfs_node *parent = kernfs_parent(kn);
		u64 off = s->path_off[1], pos;
		long n;

		if (!parent)
			break;
		n = bpf_probe_read_kernel_str(s->name, sizeof(s->name), READ(kn, name));
		if (n <= 1 || off < (u64)n)
			break;
		off -= n - 1;
		pos = off;
		sv_hide(pos);
		pos &= EV_PATH_MAX - 1;
		bpf_probe_read_kernel(&s->work[1][pos], (n - 1) & 255, s->name);
		off--;
		pos = off;
		sv_hide(pos);
		pos &= EV_PATH_MAX - 1;
		s->work[1][pos] = '/';
		s->path_off[1] = off;
		kn = parent;
	}
	s->path_len[1] = EV_PATH_MAX - s->path_off[1];
	if (!s->path_len[1]) {
		s->path_off[1] = EV_PATH_MAX - 1;
		s->path_len[1] = 1;
		s->work[1][EV_PATH_MAX - 1] = '/';
	}
}

/* The numbers at @num, in the order of CAT_PROC, but for the file's. CREATED_AT is CLOCK_BOOTTIME here. */
INLINE void proc_nums(u64 *num, struct task_struct *task)
{
	const struct cred *cred = READ(task, real_cred);

	num[EVN_PROC_PID] = READ(task, tgid);
	num[EVN_PROC_TID] = READ(task, pid);
	num[EVN_PROC_PPID] = READ(task, real_parent, tgid);
	num[EVN_PROC_UID] = READ(cred, uid.val);
	num[EVN_PROC_GID] = READ(cred, gid.val);
	num[EVN_PROC_EUID] = READ(cred, euid.val);
	num[EVN_PROC_EGID] = READ(cred, egid.val);
	num[EVN_PROC_FSUID] = READ(cred, fsuid.val);
	num[EVN_PROC_FSGID] = READ(cred, fsgid.val);
	num[EVN_PROC_AUID] = task_auid(task);
	bpf_probe_read_kernel(&num[EVN_PROC_CAP_EFFECTIVE], 8, (void *)cred + CRED_OFF(cap_effective));
	bpf_probe_read_kernel(&num[EVN_PROC_CAP_PERMITTED], 8, (void *)cred + CRED_OFF(cap_permitted));
	num[EVN_PROC_CREATED_AT] = READ(task, group_leader, start_boottime);
	num[EVN_PROC_CGROUP_INODE] = READ(task, cgroups, dfl_cgrp, kn, id);
}

/* The strings at @str, but for the file's. */
INLINE void proc_strs(struct slot *s, struct ev_str *str, struct task_struct *task)
{
	struct tty_struct *tty = READ(task, signal, tty);

	rec_puts(s, &str[EVS_PROC_COMM], (void *)task + bpf_core_field_offset(task->comm), 16, false);
	if (tty)
		rec_puts(s, &str[EVS_PROC_TTY_NAME], (void *)tty + bpf_core_field_offset(tty->name), 64, false);
	cgroup_walk(s, READ(task, cgroups, dfl_cgrp, kn));
	path_put(s, 1, &str[EVS_PROC_CGROUP_ID]);
}

#endif
