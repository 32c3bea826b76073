/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_NEAR_H
#define TAMIS_LIB_NEAR_H

/*
 * "Did you mean": how far one name is from another, and the search for the nearest of many.
 *
 *	struct near n = near_to(name, len);
 *	for (...) near_try(&n, candidate);
 *	if (n.best) ...
 */

#include <stddef.h>

/* Names longer than this are near to nothing. */
#define NEAR_MAX 64

/* Damerau-Levenshtein distance (optimal string alignment), or NEAR_MAX where a name is too long to compare. */
size_t near_distance(const char *a, size_t la, const char *b, size_t lb);

struct near {
	const char *name;
	size_t len;
	size_t best_distance; /* a candidate has to be nearer than this */
	const char *best;     /* borrowed from near_try's caller; NULL while none is near */
};

/* At most a third of the name may differ. */
static inline struct near near_to(const char *name, size_t len)
{
	return (struct near){ .name = name, .len = len, .best_distance = len / 3 + 1 };
}

void near_try(struct near *n, const char *candidate);

#endif
