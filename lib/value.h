/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of fields, and the event as the engine sees it. An event borrows: its strings point into the record (or the
 * JSON) that it was decoded from and into the process table; nobody frees a value. No I/O here, nothing allocates.
 */
#ifndef TAMIS_VALUE_H
#define TAMIS_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "tamis/event.h"

enum val_type { VAL_INT, VAL_STR, VAL_BOOL, VAL_IP };

/*
 * One value. Which member counts follows from the field's type:
 *	INT, BOOL	num
 *	STR		s, len (bytes; not NUL-terminated; s may be NULL when len is 0)
 *	IP		s points to 17 bytes: 16 address bytes (IPv4 mapped into IPv6), then the prefix length 0..128; len
 *17, or 0 if there is no address arrays		arr points to len values
 */
struct val {
	union {
		int64_t num;
		const char *s;	       /* borrowed */
		const struct val *arr; /* borrowed */
	};
	uint32_t len;
	uint32_t pad;
};

#define VAL_IP_BYTES  17
#define CAT_SLOTS_MAX 64 /* slots of one event type */

/* Slots of an event's own values: SLOT_OPEN_FLAGS, ...; of the base values SLOT_BASE_*; of a process SLOT_PROC_*. */
#define VAL_SLOT_N(EV, SLOT) SLOT_##EV##_##SLOT,
#define VAL_SLOT_S(EV, SLOT) SLOT_##EV##_##SLOT,
#define VAL_SLOT_U(EV, SLOT) SLOT_##EV##_##SLOT,
#define VAL_SLOT_H(EV, SLOT)
#define VAL_SLOT(KIND, EV, SLOT, ...)	   VAL_SLOT_##KIND(EV, SLOT)
#define VAL_SLOT_BASE(KIND, EV, SLOT, ...) SLOT_##EV##_##SLOT,
#define E(EV, NR, NAME, LIST, PROC, DOC)                                                                               \
	enum { LIST(VAL_SLOT) SLOT_##EV##_COUNT };                                                                     \
	_Static_assert(SLOT_##EV##_COUNT <= CAT_SLOTS_MAX, "an event has at most CAT_SLOTS_MAX values");
#define U(EV, NR, NAME, LIST, PROC, DOC, WHY) E(EV, NR, NAME, LIST, PROC, DOC)
CAT_EVENTS(E)
CAT_EVENTS_UNSEEN(U)
#undef U
#undef E
enum { CAT_BASE(VAL_SLOT_BASE) SLOT_BASE_COUNT };
/* The slots of what the sensor looks up, or does not observe, of a process come last: they have no room in its process table. */
enum {
	CAT_PROC(VAL_SLOT, "") SLOT_PROC_SEEN,
	SLOT_PROC_LAST_SEEN = SLOT_PROC_SEEN - 1,
	CAT_PROC_FETCHED(VAL_SLOT, "") CAT_PROC_UNSEEN(VAL_SLOT, "") SLOT_PROC_COUNT
};

/* A process image: what it was from one exec (or fork) to the next. Kept by sensor/enrich, or read from JSON. */
struct proc {
	struct val v[SLOT_PROC_SEEN];
	struct val *more;	   /* borrowed; the slots from SLOT_PROC_SEEN on, or NULL: all are empty */
	const struct proc *parent; /* borrowed; NULL at the root of what is known */
	uint64_t start;		   /* with the pid, what process it is: the same for all images of one; 0: not known */
	uint64_t version; /* differs for every image and every change of one: what caches go by; 0: not to be cached */
};

static inline struct val proc_get(const struct proc *p, unsigned slot)
{
	if (slot < SLOT_PROC_SEEN)
		return p->v[slot];
	return p->more ? p->more[slot - SLOT_PROC_SEEN] : (struct val){ .len = 0 };
}

/* An event with its context. For exec, proc is the new image; for fork, the child. */
struct event {
	uint16_t type;	/* enum ev_type (or an event number of the catalog in use) */
	uint16_t flags; /* enum ev_flags */
	uint8_t rung;
	uint32_t policy;   /* generation of the policy that it was sieved with */
	uint64_t alive[4]; /* clauses to look at; all ones where nothing was sieved */
	int64_t now_ns;	   /* for durations: ns since 1970 at evaluation */
	struct val base[SLOT_BASE_COUNT];
	struct val v[CAT_SLOTS_MAX];
	const struct proc *proc; /* borrowed; NULL: all process fields are empty */
	const struct proc
		*target; /* borrowed; the second process of an event of CAT_TARGETS; NULL: its fields are empty */
};

/* Ancestors that an event looks at, at most (the language's cap). */
#define VAL_ANCESTORS_MAX 100

#endif
