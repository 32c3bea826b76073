/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/intern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_MAX (1u << 30)

int array_room(void *p, uint32_t *cap, size_t need, size_t size)
{
	void **array = p, *more;
	size_t n = *cap ? *cap : 16;

	if (need <= *cap)
		return 0;
	if (need > ARRAY_MAX)
		return -ENOMEM;
	while (n < need)
		n *= 2;
	more = realloc(*array, n * size);
	if (!more)
		return -ENOMEM;
	*array = more;
	*cap = (uint32_t)n;
	return 0;
}

static uint32_t hash_bytes(const void *p, uint32_t size)
{
	const unsigned char *s = p;
	uint64_t h = 0x9e3779b97f4a7c15u ^ size, w;
	uint32_t i;

	for (i = 0; i + 8 <= size; i += 8) {
		memcpy(&w, s + i, 8);
		h = (h ^ w) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	for (; i < size; i++)
		h = (h ^ s[i]) * 0x100000001b3u;
	h = (h ^ h >> 29) * 0xc4ceb9fe1a85ec53u;
	return (uint32_t)(h >> 32);
}

/* The slot that holds these bytes, or the free one where they would go. */
static uint32_t find_slot(const struct intern *t, const void *p, uint32_t size, uint32_t hash)
{
	uint32_t at = hash & (t->nslots - 1);

	for (; t->slots[at]; at = (at + 1) & (t->nslots - 1)) {
		const struct intern_entry *e = &t->entries[t->slots[at] - 1];

		if (e->hash == hash && e->size == size && (size == 0 || memcmp(t->bytes + e->off, p, size) == 0))
			break;
	}
	return at;
}

static int room(struct intern *t, uint32_t size)
{
	uint32_t nslots = t->nslots ? t->nslots * 2 : 64;
	size_t cap = t->cap ? t->cap : 1024;
	uint32_t *slots;
	char *bytes;
	int r;

	r = array_room(&t->entries, &t->entries_cap, t->n + 1, sizeof(*t->entries));
	if (r < 0)
		return r;
	while (cap - t->len < (size_t)size + 8)
		cap *= 2;
	if (cap != t->cap) {
		bytes = realloc(t->bytes, cap);
		if (!bytes)
			return -ENOMEM;
		t->bytes = bytes;
		t->cap = cap;
	}
	if ((t->n + 1) * 2 <= t->nslots)
		return 0;
	slots = calloc(nslots, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->n; i++) {
		uint32_t at = t->entries[i].hash & (nslots - 1);

		while (slots[at])
			at = (at + 1) & (nslots - 1);
		slots[at] = i + 1;
	}
	free(t->slots);
	t->slots = slots;
	t->nslots = nslots;
	return 0;
}

int64_t intern_find(const struct intern *t, const void *p, uint32_t size)
{
	uint32_t at;

	if (!t->nslots)
		return -ENOENT;
	at = find_slot(t, p, size, hash_bytes(p, size));
	return t->slots[at] ? (int64_t)t->slots[at] - 1 : -ENOENT;
}

int64_t intern_put(struct intern *t, const void *p, uint32_t size, bool *ret_new)
{
	uint32_t hash = hash_bytes(p, size), at;
	size_t padded = ((size_t)size + 7) & ~(size_t)7;
	int r;

	if (ret_new)
		*ret_new = false;
	r = room(t, size);
	if (r < 0)
		return r;
	at = find_slot(t, p, size, hash);
	if (t->slots[at])
		return t->slots[at] - 1;
	if (t->n >= (t->max ? t->max : 1u << 31))
		return -E2BIG;
	memset(t->bytes + t->len, 0, padded);
	if (size)
		memcpy(t->bytes + t->len, p, size);
	t->entries[t->n] = (struct intern_entry){ .off = t->len, .size = size, .hash = hash };
	t->len += padded;
	t->slots[at] = ++t->n;
	if (ret_new)
		*ret_new = true;
	return t->n - 1;
}

void intern_done(struct intern *t)
{
	uint32_t max = t->max;

	free(t->bytes);
	free(t->entries);
	free(t->slots);
	*t = (struct intern){ .max = max };
}
