/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_INTERN_H
#define TAMIS_INTERN_H

/*
 * A set of byte strings, each with a number: the same bytes get the same number, numbers count up from 0 in the order of
 * arrival. What the sieve's builder makes much of and wants once: masks, clauses, sets of states.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct intern {
	char *bytes; /* owned; every entry is 8-byte aligned and zero-padded */
	size_t len, cap;
	struct intern_entry {
		size_t off;
		uint32_t size;
		uint32_t hash;
	} * entries; /* owned */
	uint32_t n, entries_cap;
	uint32_t *slots; /* owned; number + 1, 0 is free */
	uint32_t nslots;
	uint32_t max; /* entries; 0 means no other maximum than 2^31 */
};

/* The number of these bytes; *ret_new (may be NULL) says whether they were not there before. -ENOMEM; -E2BIG over max. */
int64_t intern_put(struct intern *t, const void *p, uint32_t size, bool *ret_new);
/* Their number, or -ENOENT. */
int64_t intern_find(const struct intern *t, const void *p, uint32_t size);
/* The bytes of number @i; borrowed until the next intern_put. */
static inline const void *intern_get(const struct intern *t, uint32_t i)
{
	return t->bytes + t->entries[i].off;
}

static inline uint32_t intern_size(const struct intern *t, uint32_t i)
{
	return t->entries[i].size;
}

/* Empties it; the maximum stays. A zeroed one is empty. */
void intern_done(struct intern *t);

/* Room for @need elements of @size bytes in the array *@p of *@cap: 0 or -ENOMEM. The array may move. */
int array_room(void *p, uint32_t *cap, size_t need, size_t size);

#endif
