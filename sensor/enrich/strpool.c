/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/strpool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "lib/strhash.h"

struct strpool {
	struct str **buckets; /* owned, as are the strings */
	size_t size, used;    /* size is a power of two */
	size_t bytes;
	uint64_t seed;
};

#define BUCKETS 1024

/* Keyed, since the strings come from processes that may want them all in one bucket. */
static uint32_t str_hash(const struct strpool *p, const char *s, size_t len)
{
	return (uint32_t)(strhash(p->seed, s, len) >> 32);
}

int strpool_new(struct strpool **ret)
{
	struct strpool *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->size = BUCKETS;
	p->buckets = calloc(p->size, sizeof(*p->buckets));
	if (!p->buckets) {
		free(p);
		return -ENOMEM;
	}
	memcpy(&p->seed, (const void *)getauxval(AT_RANDOM), sizeof(p->seed));
	*ret = p;
	return 0;
}

void strpool_free(struct strpool *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->size; i++)
		while (p->buckets[i]) {
			struct str *next = p->buckets[i]->next;

			free(p->buckets[i]);
			p->buckets[i] = next;
		}
	free(p->buckets);
	free(p);
}

/* Twice as many buckets; without memory it just stays slower. */
static void strpool_grow(struct strpool *p)
{
	struct str **bigger = calloc(2 * p->size, sizeof(*bigger));

	if (!bigger)
		return;
	for (size_t i = 0; i < p->size; i++)
		while (p->buckets[i]) {
			struct str *s = p->buckets[i];
			struct str **to = &bigger[s->hash & (2 * p->size - 1)];

			p->buckets[i] = s->next;
			s->next = *to;
			*to = s;
		}
	free(p->buckets);
	p->buckets = bigger;
	p->size *= 2;
}

struct str *strpool_get(struct strpool *p, const char *s, size_t len)
{
	uint32_t hash;
	struct str *str;

	if (!len || len > UINT32_MAX / 2)
		return NULL;
	hash = str_hash(p, s, len);
	for (str = p->buckets[hash & (p->size - 1)]; str; str = str->next)
		if (str->hash == hash && str->len == len && memcmp(str->s, s, len) == 0)
			return strpool_ref(str);

	str = malloc(sizeof(*str) + len + 1);
	if (!str)
		return NULL;
	if (p->used >= 2 * p->size)
		strpool_grow(p);
	*str = (struct str){ .hash = hash, .refs = 1, .len = (uint32_t)len };
	memcpy(str->s, s, len);
	str->s[len] = 0;
	str->next = p->buckets[hash & (p->size - 1)];
	p->buckets[hash & (p->size - 1)] = str;
	p->used++;
	p->bytes += sizeof(*str) + len + 1;
	return str;
}

struct str *strpool_ref(struct str *s)
{
	if (s)
		s->refs++;
	return s;
}

void strpool_unref(struct strpool *p, struct str *s)
{
	struct str **at;

	if (!s || --s->refs)
		return;
	for (at = &p->buckets[s->hash & (p->size - 1)]; *at != s;)
		at = &(*at)->next;
	*at = s->next;
	p->used--;
	p->bytes -= sizeof(*s) + s->len + 1;
	free(s);
}

size_t strpool_bytes(const struct strpool *p)
{
	return p->bytes;
}
