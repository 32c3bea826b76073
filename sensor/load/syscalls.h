/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of system calls that tell events, for the tracepoint rung.
 */
#ifndef TAMIS_LOAD_SYSCALLS_H
#define TAMIS_LOAD_SYSCALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "tamis/syscalls.h"

/*
 * What 32-bit Arm numbers a system call by that i386 numbers @i386; calls that i386 lacks are given as
 * ARM_ONLY(number). -1 where there is no such call.
 */
#define ARM_ONLY(NR) (0x1000 + (NR))
int syscalls_arm(int i386);

/* Fills @ret with the calls that tell the events for which @wanted says true; all others are zero. */
void syscalls_fill(const bool wanted[EV_TYPES], struct sysdescs *ret);

#endif
