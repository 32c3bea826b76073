/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENGINE_PLAN_H
#define TAMIS_ENGINE_PLAN_H

/*
 * Which rules an event could be about, found from what the event holds and not by walking over the rules. Most conditions ask
 * for some text or number among others: "the path is one of these, and ...". That part is the rule's guard. Guards are kept
 * by the terms that they ask for: a value that matches a term brings up the rules behind it. A rule of which no part can be a
 * guard is found by its clause bits alone.
 *
 * Also here: the order in which the parts of a condition are asked. A condition is a list of parts that all have to hold,
 * those that cost little and mostly fail first; what has to be fetched or walked for comes last.
 */

#include "engine/columns.h"
#include "tamis/sieve.h"

/* One part of a condition: a node, or NOT of it; where there is a question that says the same, columns answer it. */
struct part {
	uint32_t node;
	struct question question;
};
_Static_assert(sizeof(struct part) == 16, "four a cache line");

/*
 * One root, and the rule that fires when it holds; the bits of those of its clauses that have this root. Its parts come right behind
 * it: with many rules each cache line more costs as much as all else that is asked of one that comes up.
 */
struct candidate {
	uint32_t asked_at; /* stamp of the event that it came up for last */
	uint32_t rule, root;
	uint32_t bits_first; /* into bits[]: the others */
	uint16_t nparts, nbits;
	uint8_t bit;	      /* the first */
	bool alone;	      /* its rule has no other one */
	bool late;	      /* depends on variables; whoever evaluates knows, and says so, as of the next */
	bool plain;	      /* nothing but an alert follows from its rule */
	uint32_t parts_first; /* into parts[], while they are made */
	uint32_t pad2;
};
_Static_assert(sizeof(struct candidate) == 2 * sizeof(struct part), "with two parts in one cache line");

static inline const struct part *candidate_parts(const struct candidate *c)
{
	return (const struct part *)(c + 1);
}

/* Candidates without a guard whose first part is the same: where it does not hold, none of them does. */
struct group {
	uint32_t candidate;    /* one of them */
	uint32_t first, count; /* into unguarded[] */
};

/* A closed BOOL node that asks whether a column has a value in a set, or one that a term matches. */
struct atom {
	uint32_t column;
	uint32_t what; /* SET: string set; TERM: term; INTS: integer set */
	uint8_t kind;  /* enum atom_kind */
};
enum atom_kind { ATOM_SET, ATOM_TERM, ATOM_INTS };

/* A rule behind a term, and the atom by which it is there: the term's being among the hits says that it holds. */
struct entry {
	uint32_t candidate;
	uint32_t atom; /* number of a part of the candidate; or with ATOM_WITHIN a node that is none */
};
#define ATOM_WITHIN (UINT32_C(1) << 31)
#define ATOM_NONE   UINT32_MAX

/* Rules of an event type behind a term in a column. */
struct slice {
	uint16_t column, event;
	uint32_t count;
	union {
		struct entry one; /* where it is the only one */
		struct {
			uint32_t first;	 /* into entries[]; with MANY_SLICES into slices[] */
			uint32_t events; /* MANY_SLICES: bit (event type % 32) of each */
		};
	};
};

#define MANY_SLICES UINT16_MAX

/* A column that brings up rules of an event type. */
struct guard_column {
	uint32_t column;
	bool patterns;		 /* some guard is a pattern */
	uint64_t mask[SV_WORDS]; /* bits of the rules behind it */
};

struct guard_range {
	uint32_t first, count;
};

struct plan {
	const struct program *p; /* borrowed; the next two too */
	struct terms *terms;
	struct columns *columns;
	struct candidate *v; /* owned; in the order of the rules, parts between them */
	uint32_t *at;	     /* owned; where in v[] they are: by these numbers they are called */
	uint32_t n, cap;
	struct part *parts; /* owned, while they are made */
	uint32_t nparts, parts_cap;
	uint8_t *bits; /* owned */
	uint32_t nbits, bits_cap;
	uint32_t *atom_of;  /* owned; of each node: 1 + its atom, or 0 */
	struct atom *atoms; /* owned */
	uint32_t natoms, atoms_cap;

	struct slice *
		of_term; /* owned; of each term: its slice, or with column MANY_SLICES where in slices[] its several are */
	struct slice *slices; /* owned; term after term */
	uint32_t nslices;
	struct entry *entries;	       /* owned */
	struct guard_column *guards;   /* owned; of all event types */
	struct guard_range *guards_of; /* owned; of each event type */

	struct guard_range (*by_bit)[SV_CLAUSES]; /* owned; of each event type: into groups[] */
	struct group *groups;			  /* owned */
	uint64_t (*unguarded_bits)[SV_WORDS];	  /* owned; of each event type: bits that have some */
	uint32_t *unguarded;			  /* owned */
	uint32_t nguarded;
};

/* @terms and @columns are filled here, and sealed. -ENOMEM. */
int plan_init(struct plan *pl, const struct program *p, struct terms *terms, struct columns *columns);
void plan_done(struct plan *pl);

/* Stamps begin anew. */
void plan_restart(struct plan *pl);

/*
 * Calls @f for each candidate that the event could be about, once, as far as its bits are set in ev->alive, with an atom as in struct
 * entry that is found to hold, or ATOM_NONE. After those with a guard it calls @may for the first parts of the others; where that
 * says false, they cannot hold. @f must not ask columns.
 */
struct plan_asker {
	void (*f)(void *ctx, uint32_t candidate, uint32_t atom);
	bool (*may)(void *ctx, const struct part *part);
	void *ctx;
};
void plan_each(struct plan *pl, const struct event *ev, uint32_t stamp, const struct plan_asker *to);

static inline const struct atom *plan_atom(const struct plan *pl, uint32_t node)
{
	return &pl->atoms[pl->atom_of[node] - 1];
}

#endif
