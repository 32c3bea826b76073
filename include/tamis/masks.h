/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Masks of processes: which clauses can still be true of what a process does, as the engine process found out and the kernel
 * side looks up. One struct masks is one map, which both have in their memory. See docs/decisions/0023-process-masks.md.
 *
 * Entries are made by the kernel side alone, when it tells of an exec or a fork, or of an event of a process that has none. The
 * engine process only puts another number of a set where the kernel's number was. What an entry is of is in its words: the
 * process, its image, the generation of the sieve, the epoch, and its cgroups. Whatever of that changes, the entry is
 * not found any more, and no entry means that every clause can be true.
 */
#ifndef TAMIS_MASKS_H
#define TAMIS_MASKS_H

#include "tamis/sieve.h"

#define MASKS_SETS    256 /* of each of the two generations that may be in use at a time */
#define MASKS_BUCKETS 2048
#define MASKS_WAYS    4

/* Numbers of sets. From MASKS_FIRST on what images have. */
enum {
	MASKS_NONE, /* nobody has looked at the process: everything can be true */
	MASKS_FRESH, /* of an image that nobody has looked at yet: the kernel knows that it is in the cgroups of its parent */
	MASKS_BARE, /* the same, and the parent is in no container */
	MASKS_ALL,  /* somebody has looked: everything can be true */
	MASKS_FIRST
};

/* The low half of an entry's second word. */
#define MASKS_SET   0x7fffu
#define MASKS_LATE  0x8000u	/* made after the exec or fork: that its cgroups are those of then is not known */
#define MASKS_TAIL  0xffff0000u /* the last two bytes of the path of its program, 0: not known */
#define MASKS_WHOSE 0xffffffff00000000ull
#define MASKS_KIN   0xffffffffull /* nothing is known: all conditions may be met */

/*
 * The third word: in its low half what the image and those above it meet (struct sv_kin), in its high half whose that is. It has nothing
 * to do with cgroups. The kernel side knows it at an exec; where it does not know of those above, the engine process puts it there.
 */
struct masks_entry {
	ev_u64 a, b, kin;
};

struct masks_set {
	ev_u32 generation; /* of the sieve that its bits are of; 0 while it is written */
	ev_u16 fork;	   /* the set of a process that one of this set forks */
	ev_u16 bare;	   /* 1: in no container, and so is what it executes in the same cgroups */
	ev_u64 pad2[3];
	struct sv_mask mask[EV_TYPES]; /* EV_EXEC's: of the image that this process executes */
};

struct masks {
	ev_u64 epoch;	/* goes up whenever user space may know less, or other things, than what masks were made from */
	ev_u64 seed[3]; /* odd; written once */
	struct masks_set set[2][MASKS_SETS];
	struct masks_entry entry[MASKS_BUCKETS][MASKS_WAYS];
};

#ifndef __bpf__
_Static_assert(sizeof(struct masks_set) == 2048, "masks_set is an ABI");
#endif

#endif
