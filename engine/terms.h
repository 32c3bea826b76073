/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENGINE_TERMS_H
#define TAMIS_ENGINE_TERMS_H

/*
 * What rules compare values with: each text, pattern, regular expression and number of a program once, as a term with a
 * number. A string set is the ascending list of its terms. Whoever knows which terms a value matches knows of every set
 * whether it holds the value, without looking at the value again.
 */

#include "lib/program.h"

#define TERM_INT (STRM_REGEX + 1) /* a kind beside those of enum strm_kind */

struct term {
	union {
		const char *s; /* borrowed from the program */
		int64_t num;   /* INT */
	};
	union {
		struct glob *glob;   /* GLOB: owned */
		struct regex *regex; /* REGEX: owned */
	};
	uint32_t len;
	uint8_t kind; /* enum strm_kind, or TERM_INT */
	uint8_t icase;
	bool bare; /* REGEX: no literals are known that a text has to hold */
	uint8_t pad;
	uint64_t pad2;
};
_Static_assert(sizeof(struct term) == 32, "two a cache line");

struct term_slot {
	uint32_t hash;
	uint32_t term; /* + 1; 0: free */
};

struct terms {
	const struct program *p; /* borrowed */
	struct term *v;		 /* owned */
	uint32_t n, cap;
	struct term_slot *slots; /* owned; hash table of all terms */
	uint32_t mask;
	uint64_t *
		filter; /* owned; a bit is set where some term's hash falls: of values that are none most looks end here */
	uint32_t filter_shift;
	bool any_icase;	   /* of the exact ones some disregard case */
	uint32_t *of_strm; /* owned; terms of the program's strms[]; those of a set ascend */
};

#define TERM_NONE UINT32_MAX

/* The terms of all string sets of @p, which stays. -EINVAL with the pattern that is none in @err, -ENOMEM. */
int terms_init(struct terms *t, const struct program *p, struct err *err);
void terms_done(struct terms *t);
/* The number of a text that a rule compares with, or of a number; added where it is new. -ENOMEM. */
int64_t terms_add_str(struct terms *t, uint32_t str, bool icase);
int64_t terms_add_int(struct terms *t, int64_t num);

/* The exact term that @s is, or TERM_NONE. */
uint32_t terms_find_str(const struct terms *t, const char *s, size_t len, bool icase);
uint32_t terms_find_int(const struct terms *t, int64_t num);

/* Whether the pattern or regular expression matches. */
bool term_match(const struct terms *t, uint32_t term, const char *s, size_t len);

/* Whether the term is in the string set. */
bool terms_in_set(const struct terms *t, uint32_t set, uint32_t term);
/* The same of a value: its exact strings by one look-up, then what it has of patterns one by one. */
bool terms_set_match(const struct terms *t, uint32_t set, const char *s, size_t len);

/* @n elements of @size bytes, all zero, that begin with a cache line: NULL. For tables that events are looked up in. */
void *terms_table(size_t n, size_t size);
/* Room for @need elements of @size bytes in the array *@p of *@cap: 0 or -ENOMEM. The array may move. */
int terms_room(void *p, uint32_t *cap, size_t need, size_t size);

#endif
