/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_ARENA_H
#define TAMIS_COMPILER_ARENA_H

/*
 * Memory that is given back all at once. Trees of a policy (YAML, expressions, typed expressions) live in arenas:
 * nobody frees a node. An arena has a maximum; past it, and when memory is out, arena_alloc gives NULL and
 * arena.failed stays set, so that a caller deep in a parser may return "failed" and the outermost one says why.
 */

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* owned, newest first */
	size_t size;		    /* bytes of all chunks */
	size_t max;
	bool failed;
};

static inline struct arena arena_of(size_t max)
{
	return (struct arena){ .max = max };
}

void arena_done(struct arena *a);
/* Zeroed, aligned for any type; NULL over the maximum or without memory. */
void *arena_alloc(struct arena *a, size_t n);
/* n elements of the given size, with the product checked. */
void *arena_array(struct arena *a, size_t n, size_t size);
/* A copy with a NUL behind it. */
char *arena_strdup(struct arena *a, const char *s, size_t len);

/*
 * A growing array in an arena: *items has room for a power of two at least *n. The old copy stays in the arena until
 * its end, which at most doubles what the array takes. Returns the slot of the new, zeroed element, or NULL.
 */
void *arena_push(struct arena *a, void **items, size_t *n, size_t size);
#define ARENA_PUSH(a, items, n) ((__typeof__(items))arena_push((a), (void **)&(items), &(n), sizeof((items)[0])))

#endif
