/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/textpool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_FREE 0x80

/* What stands in a free block: its neighbours in the list of its order. */
struct links {
	uint32_t prev, next;
};

static struct links *links_at(const struct textpool *t, uint32_t at)
{
	return (struct links *)(void *)(t->bytes + at);
}

static uint32_t block_size(unsigned order)
{
	return TEXTPOOL_MIN << order;
}

static void put_free(struct textpool *t, uint32_t at, unsigned order)
{
	struct links *l = links_at(t, at);

	*l = (struct links){ TEXTPOOL_NONE, t->free[order] };
	if (l->next != TEXTPOOL_NONE)
		links_at(t, l->next)->prev = at;
	t->free[order] = at;
	t->heads[at / TEXTPOOL_MIN] = (uint8_t)((order + 1) | HEAD_FREE);
}

static void take_free(struct textpool *t, uint32_t at, unsigned order)
{
	const struct links *l = links_at(t, at);

	if (l->prev != TEXTPOOL_NONE)
		links_at(t, l->prev)->next = l->next;
	else
		t->free[order] = l->next;
	if (l->next != TEXTPOOL_NONE)
		links_at(t, l->next)->prev = l->prev;
	t->heads[at / TEXTPOOL_MIN] = 0;
}

int textpool_init(struct textpool *t, uint32_t size)
{
	*t = (struct textpool){ .size = size / TEXTPOOL_MAX * TEXTPOOL_MAX };
	for (unsigned o = 0; o < TEXTPOOL_ORDERS; o++)
		t->free[o] = TEXTPOOL_NONE;
	t->bytes = calloc(t->size + 1, 1);
	t->heads = calloc(t->size / TEXTPOOL_MIN + 1, 1);
	if (!t->bytes || !t->heads)
		return -ENOMEM;
	return 0;
}

void textpool_done(struct textpool *t)
{
	free(t->bytes);
	free(t->heads);
	*t = (struct textpool){ 0 };
}

uint32_t textpool_take(struct textpool *t, uint32_t len)
{
	unsigned order = 0, from;
	uint32_t at;

	while (block_size(order) < len)
		order++;
	for (from = order; from < TEXTPOOL_ORDERS && t->free[from] == TEXTPOOL_NONE;)
		from++;
	if (from == TEXTPOOL_ORDERS) {
		if (t->fresh == t->size)
			return TEXTPOOL_NONE;
		put_free(t, t->fresh, --from);
		t->fresh += TEXTPOOL_MAX;
	}
	at = t->free[from];
	take_free(t, at, from);
	while (from > order) {
		from--;
		put_free(t, at + block_size(from), from);
	}
	t->heads[at / TEXTPOOL_MIN] = (uint8_t)(order + 1);
	t->used += block_size(order);
	return at;
}

void textpool_give(struct textpool *t, uint32_t at)
{
	unsigned order = t->heads[at / TEXTPOOL_MIN] - 1u;

	t->used -= block_size(order);
	t->heads[at / TEXTPOOL_MIN] = 0;
	for (; order < TEXTPOOL_ORDERS - 1; order++) {
		uint32_t buddy = at ^ block_size(order);

		if (t->heads[buddy / TEXTPOOL_MIN] != ((order + 1) | HEAD_FREE))
			break;
		take_free(t, buddy, order);
		at &= ~block_size(order);
	}
	put_free(t, at, order);
}

bool textpool_sane(const struct textpool *t)
{
	uint32_t at = 0, used = 0, nfree = 0, listed = 0;

	while (at < t->fresh) {
		unsigned head = t->heads[at / TEXTPOOL_MIN], order = (head & ~HEAD_FREE) - 1u;

		if (order >= TEXTPOOL_ORDERS || at % block_size(order))
			return false;
		used += head & HEAD_FREE ? 0 : block_size(order);
		nfree += (head & HEAD_FREE) != 0;
		for (uint32_t i = 1; i < block_size(order) / TEXTPOOL_MIN; i++)
			if (t->heads[at / TEXTPOOL_MIN + i])
				return false;
		at += block_size(order);
	}
	for (unsigned o = 0; o < TEXTPOOL_ORDERS; o++)
		for (uint32_t i = t->free[o]; i != TEXTPOOL_NONE && listed <= nfree; i = links_at(t, i)->next)
			listed += t->heads[i / TEXTPOOL_MIN] == ((o + 1) | HEAD_FREE);
	return at == t->fresh && used == t->used && listed == nfree;
}
