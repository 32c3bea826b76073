/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/strmap.h"

#include <errno.h>

static uint32_t strmap_hash(const char *key, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)key[i]) * 16777619u;
	return h;
}

/* The slot of the key, or the free one where it would go. The table is never full. */
static struct strmap_slot *strmap_find(struct strmap_slot *slots, size_t cap, const char *key, size_t len,
				       uint32_t hash)
{
	size_t i = hash & (cap - 1);

	while (slots[i].key) {
		if (slots[i].hash == hash && slots[i].len == len && memcmp(slots[i].key, key, len) == 0)
			break;
		i = (i + 1) & (cap - 1);
	}
	return &slots[i];
}

void *strmap_get(const struct strmap *m, const char *key, size_t len)
{
	return m->cap ? strmap_find(m->slots, m->cap, key, len, strmap_hash(key, len))->value : NULL;
}

static int strmap_grow(struct strmap *m, struct arena *a)
{
	size_t cap = m->cap ? 2 * m->cap : 64;
	struct strmap_slot *slots = arena_array(a, cap, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < m->cap; i++) {
		const struct strmap_slot *s = &m->slots[i];

		if (s->key)
			*strmap_find(slots, cap, s->key, s->len, s->hash) = *s;
	}
	m->slots = slots;
	m->cap = cap;
	return 0;
}

int strmap_put(struct strmap *m, struct arena *a, const char *key, size_t len, void *value)
{
	uint32_t hash = strmap_hash(key, len);

	if (m->n * 2 >= m->cap && strmap_grow(m, a) < 0)
		return -ENOMEM;
	*strmap_find(m->slots, m->cap, key, len, hash) = (struct strmap_slot){ key, (uint32_t)len, hash, value };
	m->n++;
	return 0;
}
