/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learned discarders: clauses that opens of one file cannot meet, because of what only user space can work out of the file, its
 * hash, and that stays as long as the file does. One struct learned is one map, in the memory of the engine process, too. See
 * docs/decisions/0027-learned-discarders.md.
 *
 * The kernel side puts an entry for a file that a wanted clause may hold of, and asks by it; the engine process answers at the event
 * that has asked. What an entry is of is in its key: the file, the mount, its change time, and the generation of the sieve.
 * Whatever of that changes, the entry is not found any more, and no entry means that every clause can hold.
 */
#ifndef TAMIS_LEARNED_H
#define TAMIS_LEARNED_H

#ifndef __bpf__
#include <stddef.h>
#endif

#include "tamis/sieve.h"

#define LEARNED_SETS   512
#define LEARNED_WAYS   4
#define LEARNED_NS     60000000000ull /* so long an answer holds */
#define LEARNED_OLD_NS 2000000000ull  /* a file that has changed within that may change again within the same tick */
#define LEARNED_ASK_NS 1000000000ull  /* who asks again before that is not waited for */

struct learned_entry {
	ev_u64 key;	    /* 0: free */
	ev_u64 asked;	    /* boot_ns of the event that asks */
	ev_u64 until;	    /* boot_ns; 0: there is no answer yet */
	ev_u64 check;	    /* that all this is of one answer; without one, which event asks by this key */
	struct sv_mask out; /* clauses that are ruled out */
};

struct learned {
	ev_u64 seed[2];	   /* odd; written once */
	ev_u32 generation; /* of the sieve that @wanted is of; 0: nobody would answer */
	ev_u32 pad;
	struct sv_mask wanted; /* clauses on opens that ask for a hash */
	ev_u64 pad2;
	ev_u64 used; /* events that were dropped because of an entry; the kernel side counts, in a line of its own */
	ev_u64 pad3[7];
	struct learned_entry entry[LEARNED_SETS][LEARNED_WAYS];
};

#ifndef __bpf__
_Static_assert(sizeof(struct learned_entry) == 64, "learned_entry is an ABI");
_Static_assert(offsetof(struct learned, used) == 64 && offsetof(struct learned, entry) == 128, "lines of the cache");
#endif

#endif
