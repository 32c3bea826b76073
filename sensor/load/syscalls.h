/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How system calls tell events, for the tracepoint rung: which argument is what. struct sysdesc mirrors
 * bpf/lib/maps.bpf.h.
 */
#ifndef TAMIS_LOAD_SYSCALLS_H
#define TAMIS_LOAD_SYSCALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "tamis/event.h"

#define SYSCALLS 512
#define NO_ARG	 7

enum sysform {
	SYSFORM_PATH,
	SYSFORM_FD,
	SYSFORM_OPENAT2,
	SYSFORM_SOCKETCALL,
	SYSFORM_LEN64,
	SYSFORM_BLOCK,
	SYSFORM_OPENED,
	SYSFORM_SETFS,
	SYSFORM_FSMOUNT,
	SYSFORM_OPEN_TREE,
	SYSFORM_MOVE_MOUNT,
	SYSFORM_MOUNT_SETATTR
};

enum utimes_form { UTIMES_UTIMBUF, UTIMES_TIMEVAL, UTIMES_TIMESPEC, UTIMES_TIMESPEC64 };

struct sysdesc {
	uint8_t event, form, dirfd, path, dirfd2, path2, x, y;
} __attribute__((aligned(8)));

enum sysany { SYS_NOTHING, SYS_SOME, SYS_ONLY_OPEN };

struct sysdescs {
	uint8_t any[SYSCALLS];
	struct sysdesc native[SYSCALLS], compat[SYSCALLS];
};

/*
 * What 32-bit Arm numbers a system call by that i386 numbers @i386; calls that i386 lacks are given as
 * ARM_ONLY(number). -1 where there is no such call.
 */
#define ARM_ONLY(NR) (0x1000 + (NR))
int syscalls_arm(int i386);

/* Fills @ret with the calls that tell the events for which @wanted says true; all others are zero. */
void syscalls_fill(const bool wanted[EV_TYPES], struct sysdescs *ret);

#endif
