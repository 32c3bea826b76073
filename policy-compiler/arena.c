/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/arena.h"

#include <stdint.h>
#include <stdlib.h>

#define ARENA_CHUNK (64u << 10)
#define ARENA_ALIGN _Alignof(max_align_t)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size, used; /* of bytes[] */
	_Alignas(max_align_t) unsigned char bytes[];
};

void arena_done(struct arena *a)
{
	while (a->chunks) {
		struct arena_chunk *next = a->chunks->next;

		free(a->chunks);
		a->chunks = next;
	}
	a->size = 0;
	a->failed = false;
}

static struct arena_chunk *arena_grow(struct arena *a, size_t n)
{
	size_t size = n > ARENA_CHUNK ? n : ARENA_CHUNK;
	struct arena_chunk *c;

	if (a->size > a->max || size > a->max - a->size)
		return NULL;
	c = calloc(1, sizeof(*c) + size);
	if (!c)
		return NULL;
	c->size = size;
	c->next = a->chunks;
	a->chunks = c;
	a->size += size;
	return c;
}

void *arena_alloc(struct arena *a, size_t n)
{
	struct arena_chunk *c = a->chunks;
	void *p;

	if (n > SIZE_MAX / 4)
		goto fail;
	n = (n + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
	if (!c || c->size - c->used < n)
		c = arena_grow(a, n);
	if (!c)
		goto fail;
	p = c->bytes + c->used;
	c->used += n;
	return p;
fail:
	a->failed = true;
	return NULL;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		a->failed = true;
		return NULL;
	}
	return arena_alloc(a, bytes);
}

char *arena_strdup(struct arena *a, const char *s, size_t len)
{
	char *copy = arena_alloc(a, len + 1);

	if (copy && len)
		memcpy(copy, s, len);
	return copy;
}

void *arena_push(struct arena *a, void **items, size_t *n, size_t size)
{
	/* full exactly when the count is 0 or a power of two: then the room doubles */
	if ((*n & (*n - 1)) == 0) {
		void *bigger = arena_array(a, *n ? 2 * *n : 1, size);

		if (!bigger)
			return NULL;
		if (*n)
			memcpy(bigger, *items, *n * size);
		*items = bigger;
	}
	return (char *)*items + (*n)++ * size;
}
