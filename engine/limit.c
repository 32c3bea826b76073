/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/limit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

struct last {
	int64_t at;
	uint32_t held; /* matches since that were no alerts */
	bool any;
};

struct tuple {
	struct last last;
	uint32_t rule;
	uint32_t hash_next;
	uint32_t prev, next; /* by use, oldest first */
	uint8_t key[LIMIT_KEY];
};

struct limits {
	struct last *rules;   /* owned; of each rule */
	struct tuple *tuples; /* owned */
	uint32_t *buckets;    /* owned */
	uint32_t ntuples, used, mask;
	uint32_t oldest, newest;
	uint64_t evicted;
};

int limits_new(uint32_t nrules, uint32_t tuples, struct limits **ret)
{
	_cleanup_(limits_free) struct limits *l = calloc(1, sizeof(*l));
	uint32_t buckets = 1;

	if (!l)
		return -ENOMEM;
	while (buckets < tuples)
		buckets *= 2;
	l->ntuples = tuples;
	l->mask = buckets - 1;
	l->oldest = l->newest = NONE;
	l->rules = calloc((size_t)nrules + 1, sizeof(*l->rules));
	l->tuples = calloc((size_t)tuples + 1, sizeof(*l->tuples));
	l->buckets = malloc(buckets * sizeof(*l->buckets));
	if (!l->rules || !l->tuples || !l->buckets)
		return -ENOMEM;
	memset(l->buckets, 0xff, buckets * sizeof(*l->buckets));
	*ret = TAKE_PTR(l);
	return 0;
}

void limits_free(struct limits *l)
{
	if (!l)
		return;
	free(l->rules);
	free(l->tuples);
	free(l->buckets);
	free(l);
}

static uint32_t *bucket_of(struct limits *l, uint32_t rule, const uint8_t *key)
{
	uint32_t h;

	memcpy(&h, key, sizeof(h));
	return &l->buckets[(h + rule * 2654435761u) & l->mask];
}

static void age_take(struct limits *l, uint32_t i)
{
	struct tuple *t = &l->tuples[i];

	*(t->prev == NONE ? &l->oldest : &l->tuples[t->prev].next) = t->next;
	*(t->next == NONE ? &l->newest : &l->tuples[t->next].prev) = t->prev;
}

static void age_put(struct limits *l, uint32_t i)
{
	struct tuple *t = &l->tuples[i];

	t->prev = l->newest;
	t->next = NONE;
	*(t->prev == NONE ? &l->oldest : &l->tuples[t->prev].next) = i;
	l->newest = i;
}

/* A place: one that was never used, or the oldest one's. */
static uint32_t make_room(struct limits *l)
{
	uint32_t i = l->oldest, *at;

	if (l->used < l->ntuples)
		return l->used++;
	age_take(l, i);
	for (at = bucket_of(l, l->tuples[i].rule, l->tuples[i].key); *at != i;)
		at = &l->tuples[*at].hash_next;
	*at = l->tuples[i].hash_next;
	l->evicted++;
	return i;
}

static struct last *tuple_of(struct limits *l, uint32_t rule, const uint8_t *key)
{
	uint32_t *bucket = bucket_of(l, rule, key), i;

	for (i = *bucket; i != NONE; i = l->tuples[i].hash_next)
		if (l->tuples[i].rule == rule && memcmp(l->tuples[i].key, key, LIMIT_KEY) == 0)
			break;
	if (i != NONE) {
		age_take(l, i);
	} else {
		i = make_room(l);
		l->tuples[i] = (struct tuple){ .rule = rule, .hash_next = *bucket };
		memcpy(l->tuples[i].key, key, LIMIT_KEY);
		*bucket = i;
	}
	age_put(l, i);
	return &l->tuples[i].last;
}

static bool is_near(int64_t a, int64_t b, int64_t ns)
{
	uint64_t d = a < b ? (uint64_t)b - (uint64_t)a : (uint64_t)a - (uint64_t)b;

	return d < (uint64_t)ns;
}

bool limits_pass(struct limits *l, uint32_t rule, const uint8_t *key, int64_t now, int64_t every_ns, uint32_t *ret_held)
{
	struct last *last = key && l->ntuples ? tuple_of(l, rule, key) : &l->rules[rule];

	*ret_held = 0;
	if (last->any && is_near(now, last->at, every_ns)) {
		last->held += last->held < UINT32_MAX;
		return false;
	}
	*ret_held = last->held;
	*last = (struct last){ .at = now, .any = true };
	return true;
}

uint64_t limits_evicted(const struct limits *l)
{
	return l->evicted;
}
