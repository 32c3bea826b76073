/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How system calls tell events, for the tracepoint rung: which argument is what. User space fills the table (sensor/load/syscalls.c),
 * programs at sys_exit read it. Indexes are into the call's arguments, NO_ARG where there is none.
 */
#ifndef TAMIS_SYSCALLS_H
#define TAMIS_SYSCALLS_H

#include "tamis/event.h"

#define SYSCALLS 512
#define NO_ARG	 7

struct sysdesc {
	ev_u8 event;	     /* enum ev_type, 0: not ours */
	ev_u8 form;	     /* enum sysform */
	ev_u8 dirfd, path;   /* first path */
	ev_u8 dirfd2, path2; /* second path */
	ev_u8 x, y;	     /* flags, mode, owner, ...: by event */
} __attribute__((aligned(8)));

/* SYS_ONLY_OPEN: an open, and nothing of ours for the other kind of program; SYS_ONLY_WRITE: the same of a write */
enum sysany { SYS_NOTHING, SYS_SOME, SYS_ONLY_OPEN, SYS_ONLY_WRITE };

struct sysdescs {
	ev_u8 any[SYSCALLS]; /* enum sysany: all that most calls are asked */
	struct sysdesc native[SYSCALLS], compat[SYSCALLS];
};

enum sysform {
	SYSFORM_PATH,
	SYSFORM_FD,
	SYSFORM_OPENAT2,
	SYSFORM_SOCKETCALL,
	SYSFORM_LEN64,
	SYSFORM_BLOCK,	/* all arguments are in memory, and the only argument points to them */
	SYSFORM_OPENED, /* no event, but an open */
	SYSFORM_SETFS,
	SYSFORM_FSMOUNT,
	SYSFORM_OPEN_TREE,
	SYSFORM_MOVE_MOUNT,
	SYSFORM_MOUNT_SETATTR
};

/* utimes: what the times look like */
enum utimes_form { UTIMES_UTIMBUF, UTIMES_TIMEVAL, UTIMES_TIMESPEC, UTIMES_TIMESPEC64 };

#endif
