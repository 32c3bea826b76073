/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENGINE_COLUMNS_H
#define TAMIS_ENGINE_COLUMNS_H

/*
 * A column is a place that an event has a value in, or several (arguments, ancestors). What all rules compare that place with
 * is found in one go, at most once an event, and only when somebody asks: the terms that its values match, its hits.
 * What an image of a process has matched is remembered beyond the event, as long as its version stays the same; and so is what a
 * text that is compared with patterns has matched.
 * Events are borrowed for the call; nothing is allocated after columns_seal().
 */

#include "engine/patset.h"
#include "lib/value.h"

#define COLUMN_HITS 24 /* that are kept; with more, the values are looked at again */
#define COLUMN_FEW  2  /* patterns of a set that may be asked one by one, rather than all of the column */
#define COLUMN_NONE UINT32_MAX

struct column {
	uint32_t matcher;
	uint32_t field; /* one that names it */
	uint16_t event; /* of home EVENT */
	uint16_t slot;
	uint16_t also;	/* slot of what the value also goes by, or 0 */
	uint8_t home;	/* enum cat_home */
	bool several;	/* values in one process, or in the event */
	bool ancestors; /* of each process above one */
	bool fetched;	/* CF_FETCH: never remembered of an image */
	bool overflow;	/* more hits than are kept */
	uint32_t exact_at, full_at,
		tries_at; /* stamp of the event for which: exact terms, all terms, tries are known */
	uint32_t tries;
	uint32_t sketch;		   /* of its hits */
	uint32_t nhits, hits[COLUMN_HITS]; /* terms, each once unless overflow */
};

/* One bit of 32 for a term: where two lists of terms have no bit in common they have no term in common. */
static inline uint32_t column_sketch(uint32_t term)
{
	return UINT32_C(1) << (term * 0x9e3779b1u >> 27);
}

/* What all places that hold the same thing are compared with: a slot of processes, whichever of them, or of an event. */
struct matcher {
	uint64_t lengths[2];	 /* bit (length % 64) of each exact text, and of those that disregard case */
	struct patset *patterns; /* owned, or NULL */
	uint16_t event, slot;
	uint8_t kind; /* 0 of the base values, 1 of an event, 2 of a process */
	bool number;
};

/* Hits of one matcher on an image. */
#define CACHED_HITS 5
struct cached {
	uint64_t version; /* 0: free */
	uint16_t matcher, n;
	uint32_t hits[CACHED_HITS];
};
_Static_assert(sizeof(struct cached) == 32, "two a cache line");

/*
 * Hits of one matcher on a text, whoever has it: the same paths come again and again. A cache line; where that is not enough, the next
 * one has the rest.
 */
#define KNOWN_NEAR     2
#define KNOWN_HITS     6
#define KNOWN_NEAR_LEN 48
#define KNOWN_LEN      88
struct known {
	uint32_t hash;
	uint16_t matcher; /* + 1; 0: free, or the rest of the one before */
	uint8_t n, len;
	union {
		struct {
			uint32_t near[KNOWN_NEAR];
			char s[KNOWN_NEAR_LEN];
		};
		struct {
			uint32_t far[KNOWN_HITS - KNOWN_NEAR];
			char rest[KNOWN_LEN - KNOWN_NEAR_LEN];
		};
	};
};
_Static_assert(sizeof(struct known) == 64, "a cache line");

/* Whether a column has a hit among some terms, or that it has none. */
enum question_kind { QUESTION_NONE, QUESTION_SET, QUESTION_TERM };
struct question {
	uint32_t what;	 /* string set, or term */
	uint32_t sketch; /* of its terms */
	uint16_t column;
	uint8_t kind;	   /* enum question_kind */
	bool patterns : 1; /* some of the terms are patterns */
	bool few : 1;	   /* of them there are some, at most COLUMN_FEW */
	bool negated : 1;
};

struct set_shape {
	uint8_t patterns; /* how many it has, at most 255 */
	uint8_t bare;	  /* of them expressions without literals: they are asked by themselves, where it matters */
};

struct columns {
	const struct catalog *catalog; /* borrowed */
	const struct terms *terms;     /* borrowed */
	struct column *v;	       /* owned */
	uint32_t n, cap;
	struct matcher *matchers; /* owned */
	uint32_t nmatchers, matchers_cap;
	uint32_t *of_field;	/* owned; column of each field of the catalog, or COLUMN_NONE */
	struct set_shape *sets; /* owned; of each string set */
	uint64_t *wanted;	/* owned until it is sealed: matcher << 32 | pattern */
	uint32_t nwanted, wanted_cap;
	struct cached *cache; /* owned; NULL: no column is of processes */
	struct known *known;  /* sets of two; NULL: no column has patterns */
	void *known_room;     /* owned */
	uint32_t chance;
};

int columns_init(struct columns *c, const struct catalog *catalog, const struct terms *t);
void columns_done(struct columns *c);

/* The column of a field: -ENOMEM. */
int64_t columns_add(struct columns *c, const struct cat_field *f);
/* The column is going to be asked for this set, or term. -ENOMEM. */
int columns_want_set(struct columns *c, uint32_t column, uint32_t set);
int columns_want_term(struct columns *c, uint32_t column, uint32_t term);
/* Everything was asked for: -ENOMEM. */
int columns_seal(struct columns *c);

/* Stamps begin anew. */
void columns_restart(struct columns *c);

/* Whether some value is in the string set, or is matched by the term. @stamp: a number of the event, never 0. */
bool columns_in_set(struct columns *c, uint32_t column, uint32_t set, const struct event *ev, uint32_t stamp);
bool columns_has(struct columns *c, uint32_t column, uint32_t term, const struct event *ev, uint32_t stamp);
/* Whether all hits of the event that the question is about are known; finds them. */
static inline bool columns_know(const struct columns *c, const struct question *q, uint32_t stamp)
{
	const struct column *col = &c->v[q->column];

	return (col->full_at == stamp || (!q->patterns && col->exact_at == stamp)) && !col->overflow;
}
bool columns_learn(struct columns *c, const struct question *q, const struct event *ev, uint32_t stamp);
/* They are known. */
bool columns_hit(const struct columns *c, const struct question *q);
static inline bool columns_answer(const struct columns *c, const struct question *q)
{
	return ((c->v[q->column].sketch & q->sketch) && columns_hit(c, q)) != q->negated;
}
/* Calls @f for each hit, maybe more than once for the same. @patterns: those are wanted too, not only exact terms. */
void columns_each(struct columns *c, uint32_t column, bool patterns, const struct event *ev, uint32_t stamp,
		  void (*f)(void *ctx, uint32_t term), void *ctx);

#endif
