/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/spool/fold.h"

#include <string.h>

#include "lib/hash.h"

void fold_key(const struct export_facts *f, uint8_t ret[FOLD_KEY])
{
	const char *const parts[] = { f->rule, f->type, f->process, f->path, f->address, f->user, f->container };
	uint8_t digest[HASH_SIZE];
	struct hash h;

	hash_begin(&h);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		hash_add(&h, parts[i], strlen(parts[i]) + 1);
	hash_add(&h, &f->failed, sizeof(f->failed));
	hash_end(&h, digest);
	memcpy(ret, digest, FOLD_KEY);
}

static void remove_at(struct fold *f, size_t i, struct fold_entry *ret)
{
	*ret = f->e[i];
	f->e[i] = f->e[--f->n];
}

static size_t oldest(const struct fold *f)
{
	size_t best = 0;

	for (size_t i = 1; i < f->n; i++)
		if (f->e[i].end_ns < f->e[best].end_ns)
			best = i;
	return best;
}

bool fold_take(struct fold *f, const struct export_facts *facts, const struct logpos *at, uint64_t window_ns,
	       struct fold_entry *ret_early)
{
	uint8_t key[FOLD_KEY];

	ret_early->count = 0;
	fold_key(facts, key);
	for (size_t i = 0; i < f->n; i++) {
		struct fold_entry *e = &f->e[i];

		if (memcmp(e->key, key, FOLD_KEY) != 0)
			continue;
		if (!e->count++) {
			e->first_ns = facts->time_ns;
			e->first_seq = facts->seq;
		}
		e->last_ns = facts->time_ns;
		e->last = *at;
		return true;
	}
	if (f->n == FOLD_MAX)
		remove_at(f, oldest(f), ret_early);
	f->e[f->n] = (struct fold_entry){ .end_ns = facts->time_ns + window_ns };
	memcpy(f->e[f->n++].key, key, FOLD_KEY);
	return false;
}

int fold_ended(struct fold *f, uint64_t now_ns, struct fold_entry *ret)
{
	while (f->n) {
		size_t i = oldest(f);

		if (f->e[i].end_ns > now_ns)
			return 0;
		remove_at(f, i, ret);
		if (ret->count)
			return 1;
	}
	return 0;
}

uint64_t fold_next(const struct fold *f)
{
	return f->n ? f->e[oldest(f)].end_ns : UINT64_MAX;
}

uint64_t fold_segment(const struct fold *f)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < f->n; i++)
		if (f->e[i].count && f->e[i].last.segment < least)
			least = f->e[i].last.segment;
	return least;
}
