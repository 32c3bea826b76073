/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sieve's tables: what tamisc computes, the kernel looks up, and the host test runs. One struct sieve is one
 * policy; it is the value of a map that is swapped as a whole. See docs/sieve.md.
 *
 * The promise: for an event on which some clause of the policy holds, that clause's bit stays set in the result.
 * Whatever cannot be decided (a field that could not be read, a table that had no room) leaves bits set.
 */
#ifndef TAMIS_SIEVE_H
#define TAMIS_SIEVE_H

#include "tamis/event.h"

#define SV_WORDS      4 /* 64-bit words of a clause mask: 256 clauses an event type */
#define SV_CLAUSES    (64 * SV_WORDS)
#define SV_PREDS      48    /* number predicates an event type */
#define SV_FIRST      4	    /* of those, asked before any string is looked at: so many by sv_first(), and by sv_who() */
#define SV_OPEN_KNOWN 03103 /* flags of opens that most rules ask for: O_ACCMODE, O_CREAT, O_TRUNC, O_APPEND */
#define SV_OPENED     32    /* combinations of those flags: see sv_open_index() */
#define SV_AUTOMATA   10    /* automata an event type */
#define SV_KIN	      32    /* conditions on the processes above the one that executes */
#define SV_VARS	      64    /* variables of which the kernel knows whether they may be set */
#define SV_EVENT_VARS 16    /* of those that an event type has to do with */
#define SV_VAR_ROWS   256   /* of those and the event types that have to do with them */
#define SV_MASKS      4096  /* distinct masks */
#define SV_STATES     32768 /* states of all automata together */
#define SV_TRANS      (1 << 19) /* transitions (u16) of all automata together: 1 MiB */

/* What automata run over: first path, second path, address. */
enum {
	SV_AUT_PATH0,
	SV_AUT_PATH1,
	SV_AUT_ADDR,
	SV_AUT_EITHER, /* of an exec: the first path once more, where the program goes by two; what may hold of one or the other */
	SV_AUT_ARGS,	    /* of an exec: words in the arguments, wherever they stand; see sv_words_loop() */
	SV_AUT_ENVS,	    /* the same in the environment */
	SV_AUT_PARENT,	    /* of an exec: what may be said of its image as a parent, by its path; see struct sv_kin */
	SV_AUT_PARENT_COMM, /* and by its name of the task */
	SV_AUT_ABOVE,	    /* the same as one of those above */
	SV_AUT_ABOVE_COMM,
	SV_AUT_COMM = SV_AUT_PATH1,	/* of an exec, which has no second path: the name of the task */
	SV_AUT_QUESTION = SV_AUT_PATH1, /* of dns, which has no path: the name asked for, from its end on */
	SV_AUT_FSTYPE = SV_AUT_ARGS,	/* of all other events: the type of the file's filesystem */
	SV_AUT_TEXT = SV_AUT_ENVS	/* and one string that the record has, SV_TEXT_ROWS says which */
};

#define SV_TEXT_MAX 31 /* bytes of such a string; the automaton is not asked about a longer one */

/* For SV_AUT_FSTYPE and SV_AUT_TEXT: rows of str[] of an event. A file object's second string is the type of its filesystem. */
#define SV_FSTYPE_ROW 1
#define SV_TEXT_OF_NONE(EV, SLOT)
#define SV_TEXT_OF_NUM(EV, SLOT)
#define SV_TEXT_OF_RIGHTS(EV, SLOT)
#define SV_TEXT_OF_COMM(EV, SLOT)
#define SV_TEXT_OF_PATH(EV, SLOT)
#define SV_TEXT_OF_NAME(EV, SLOT)
#define SV_TEXT_OF_ADDR(EV, SLOT)
#define SV_TEXT_OF_PUBLIC(EV, SLOT)
#define SV_TEXT_OF_UID(EV, SLOT)
#define SV_TEXT_OF_GID(EV, SLOT)
#define SV_TEXT_OF_EUID(EV, SLOT)
#define SV_TEXT_OF_EGID(EV, SLOT)
#define SV_TEXT_OF_FSUID(EV, SLOT)
#define SV_TEXT_OF_FSGID(EV, SLOT)
#define SV_TEXT_OF_AUID(EV, SLOT)
#define SV_TEXT_OF_CAP_EFFECTIVE(EV, SLOT)
#define SV_TEXT_OF_CAP_PERMITTED(EV, SLOT)
#define SV_TEXT_OF_RETVAL(EV, SLOT)
#define SV_TEXT_OF_ARGS(EV, SLOT)
#define SV_TEXT_OF_ENVS(EV, SLOT)
#define SV_TEXT_OF_FSTYPE(EV, SLOT)
#define SV_TEXT_OF_QUESTION(EV, SLOT)
#define SV_TEXT_OF_TEXT(EV, SLOT)				       [EV_##EV] = EVS_##EV##_##SLOT,
#define SV_TEXT_ROW(KIND, EV, SLOT, NAME, TYPE, CONSTANTS, SIEVE, ...) SV_TEXT_OF_##SIEVE(EV, SLOT)
#define SV_TEXT_EVENT(EV, NR, NAME, LIST, PROC, DOC)		       LIST(SV_TEXT_ROW)
#define SV_TEXT_ROWS						       CAT_EVENTS(SV_TEXT_EVENT)

/*
 * What the head has of the acting process, as X(NAME, member): those that a change of credentials changes, and the one that it does
 * not. Names as in the SIEVE column of catalog.def.
 */
#define SV_CREDS(X)                                                                                                    \
	X(UID, uid)                                                                                                    \
	X(GID, gid)                                                                                                    \
	X(EUID, euid)                                                                                                  \
	X(EGID, egid)                                                                                                  \
	X(FSUID, fsuid)                                                                                                \
	X(FSGID, fsgid)                                                                                                \
	X(CAP_EFFECTIVE, cap_effective)                                                                                \
	X(CAP_PERMITTED, cap_permitted)
#define SV_IDS(X) SV_CREDS(X) X(AUID, auid)

/* Numbers of the head that a predicate can name, beside the indexes 0..EV_NUM_MAX-1 of num[]. */
enum sv_slot {
	SV_SLOTS = 63,
#define SV_ID_SLOT(NAME, MEMBER) SV_SLOT_##NAME,
	SV_IDS(SV_ID_SLOT)
#undef SV_ID_SLOT
		SV_SLOT_RETVAL
};

/* In the compiler only: no number, but that the path is that of the process's program; see sv_event.self. */
#define SV_SLOT_SELF 127
/* The same of execs: that the process is in a container, and that it has a terminal; see sv_kin.contained, sv_kin.tty. */
#define SV_SLOT_CONTAINED 126
#define SV_SLOT_TTY	  125
/* And that a variable of rules may be set; its number is rhs, see struct sv_var. */
#define SV_SLOT_VAR 124

/* (value & and) OP rhs; all as 64-bit two's complement, compared as signed */
enum sv_op { SV_OP_EQ, SV_OP_LT, SV_OP_LE };

struct sv_mask {
	ev_u64 w[SV_WORDS];
};

/*
 * A number predicate: keep_true is the mask of clauses that stay possible when it holds, keep_false when it does not.
 * A clause that does not mention the predicate is in both.
 */
struct sv_pred {
	ev_u8 slot; /* index into num[], or enum sv_slot */
	ev_u8 op;   /* enum sv_op */
	ev_u8 pad[6];
	ev_u64 and;
	ev_s64 rhs;
	struct sv_mask keep_true, keep_false;
};

/*
 * A deterministic automaton. State s, byte b: trans[base + s * classes + cls[b]]. State 0 is the start. What a state
 *means: state_final[first + s]: index of the mask of clauses possible if the string ends here state_reach[first + s]:
 *index of the mask of clauses possible for some string that goes on from here (ending here included); mask "all zero"
 *makes a directory's state dead
 */
struct sv_automaton {
	ev_u32 used;  /* 0: no clause of this event looks at this string; treat it as all ones */
	ev_u32 base;  /* into trans[] */
	ev_u32 first; /* into state_final[], state_reach[] */
	ev_u32 states;
	ev_u32 classes;
	ev_u32 live; /* states from this one on are never left: whatever follows, the verdict stands */
	ev_u8 cls[256];
};

/*
 * What may be refused. Its bits are the other way round than all others: such a bit stands for one clause that the kernel decides
 * exactly, so that a bit which is left means that the clause holds; where what it asks for could not be read, it goes.
 */
#define SV_DENY_STRINGS 3 /* SV_AUT_PATH0, SV_AUT_PATH1, SV_AUT_ADDR */
struct sv_deny {
	struct sv_mask clauses;		      /* the loader leaves those that the operator allows */
	struct sv_mask asks[SV_DENY_STRINGS]; /* those of them that ask for something of the string */
};

struct sv_event {
	struct sv_mask clauses; /* the clauses of this event type; all zero: no rule wants it */
	struct sv_mask urgent;	/* those of rules for which the last quarter of the ring is kept; see ring_kept() */
	struct sv_mask self; /* those that ask that the first string, a path, is that of the acting process's program */
	struct sv_deny deny;
	ev_u32 npreds;
	ev_u32 nvars, vars; /* rows of sieve.vars[]: how many, and the first */
	ev_u32 nfirst;	    /* so many of preds[], from the first on, are asked before any string: see sv_first() */
	ev_u32 nwho;	    /* and so many behind those: see sv_who() */
	ev_u32 pad;
	struct sv_pred preds[SV_PREDS];
	struct sv_automaton automata[SV_AUTOMATA];
};

#define SV_AUT_KIN  SV_AUT_PARENT /* the first of those, which are the last */
#define SV_KIN_AUTS (SV_AUTOMATA - SV_AUT_KIN)

/*
 * What clauses on execs ask of the parent, and of all above: up to SV_KIN conditions, each a formula over one string of an image. The
 * masks of the automata from SV_AUT_KIN on have a bit of w[0] for each of them. With each image the kernel keeps which of them it
 * meets, or, of those on all above, it or one above it: 32 bits that are inherited at a fork, and added to at an exec.
 */
struct sv_kin {
	ev_u32 n;
	ev_u32 above;		/* the conditions on all above; the others are on the parent */
	ev_u32 of[SV_KIN_AUTS]; /* those that each automaton decides */
	ev_u32 pad[2];
	struct sv_mask contained;    /* the clauses that ask for a container */
	struct sv_mask tty;	     /* and those that ask for a terminal */
	struct sv_mask keep[SV_KIN]; /* the clauses that stay possible where the condition is not met */
};

/*
 * What an event type has to do with a variable that rules set. As long as the variable is set nowhere, for no process or container,
 * clauses that need it can not hold. The kernel takes it for set (sieve.set) from the first event on that a rule may set it with;
 * never again for not set. See docs/decisions/0026-flags-of-variables.md.
 */
struct sv_var {
	ev_u32 var; /* index into sieve.set[] */
	ev_u32 pad;
	struct sv_mask needs; /* clauses that do not hold where it is not set */
	struct sv_mask sets;  /* clauses of rules that set it */
};

struct sieve {
	ev_u32 abi;	   /* SV_ABI */
	ev_u32 generation; /* set by the loader; comes back in ev_head.policy */
	ev_u32 nmasks, nstates, ntrans;
	ev_u32 flags; /* enum sv_flags, set by the loader */
	ev_u32 nvars; /* rows of vars[] */
	ev_u32 pad;
	struct sv_kin kin;
	struct sv_event event[EV_TYPES];
	struct sv_mask masks[SV_MASKS]; /* masks[0] is all zero, masks[1] all ones */
	ev_u16 state_final[SV_STATES];
	ev_u16 state_reach[SV_STATES];
	ev_u16 trans[SV_TRANS];
	struct sv_var vars[SV_VAR_ROWS];
	struct sv_mask opened
		[SV_OPENED]; /* of a successful open with these flags; made of the table of numbers, see sieve_opened() */
	ev_u32 set[SV_VARS]; /* not 0: the variable may be set; written by the kernel side, and the loader */
};

enum sv_flags { SV_F_WRITES = 1 }; /* some rule is about writes */

#define SV_ABI 9

/* ---- what who makes the tables and who looks things up in them have to agree on -------------------------------- */

#define SV_INLINE static inline __attribute__((always_inline, unused))

/* Whether sv_who() can ask for the number. */
SV_INLINE int sv_slot_who(ev_u64 slot)
{
	return slot == SV_SLOT_UID || slot == SV_SLOT_GID || slot == SV_SLOT_AUID;
}

SV_INLINE int sv_pred_holds(const struct sv_pred *p, ev_u64 value)
{
	ev_s64 v = (ev_s64)(value & p->and);

	if (p->op == SV_OP_EQ)
		return v == p->rhs;
	if (p->op == SV_OP_LT)
		return v < p->rhs;
	return v <= p->rhs;
}

/* Where sieve.opened[] has what may be alive of an open with @flags (as on x86) that succeeded. */
SV_INLINE ev_u64 sv_open_index(ev_u64 flags)
{
	return (flags & 03) | (flags & 0100) >> 4 | (flags & 03000) >> 6;
}

#endif
