/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/ingest/args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct gather {
	char *bytes;	     /* owned */
	struct ev_head head; /* of the first piece */
	uint64_t age;
	uint32_t have, cap;
	uint32_t argv_total, envp_total;
	bool used, gap;
};

struct args {
	struct gather gather[ARGS_GATHERED];
	char *taken; /* owned: the block that was handed out last */
	uint64_t age, evicted;
};

int args_new(struct args **ret)
{
	struct args *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	*ret = a;
	return 0;
}

void args_free(struct args *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < ARGS_GATHERED; i++)
		free(a->gather[i].bytes);
	free(a->taken);
	free(a);
}

static struct gather *args_find(struct args *a, uint32_t tid)
{
	for (size_t i = 0; i < ARGS_GATHERED; i++)
		if (a->gather[i].used && a->gather[i].head.tid == tid)
			return &a->gather[i];
	return NULL;
}

/* Whether @h, of the same thread, belongs to the same exec. */
static bool is_of(const struct gather *g, const struct ev_head *h)
{
	return g->head.start_ns == h->start_ns && g->head.image == h->image;
}

static void gather_clear(struct gather *g)
{
	free(g->bytes);
	*g = (struct gather){ 0 };
}

/* A free place, or that of the oldest. */
static struct gather *args_place(struct args *a)
{
	struct gather *oldest = &a->gather[0];

	for (size_t i = 0; i < ARGS_GATHERED; i++) {
		if (!a->gather[i].used)
			return &a->gather[i];
		if (a->gather[i].age < oldest->age)
			oldest = &a->gather[i];
	}
	a->evicted++;
	gather_clear(oldest);
	return oldest;
}

/* The sum of the totals may wrap: they are the process's word. */
static uint32_t gather_wanted(const struct ev_args *piece)
{
	uint64_t total = (uint64_t)piece->argv_total + piece->envp_total;

	return total < EV_ARGS_MAX ? (uint32_t)total : EV_ARGS_MAX;
}

static struct gather *gather_begin(struct args *a, const struct ev_args *piece)
{
	struct gather *g = args_find(a, piece->head.tid);

	if (g && is_of(g, &piece->head))
		return g;
	if (g) /* an earlier exec of this thread that failed */
		gather_clear(g);
	else
		g = args_place(a);
	g->used = true;
	g->head = piece->head;
	g->argv_total = piece->argv_total;
	g->envp_total = piece->envp_total;
	g->age = ++a->age;
	return g;
}

int args_put(struct args *a, const struct ev_args *piece)
{
	struct gather *g = gather_begin(a, piece);

	if (!g->bytes && !g->gap) {
		g->cap = gather_wanted(piece);
		g->bytes = malloc(g->cap ? g->cap : 1);
		if (!g->bytes) {
			g->gap = true;
			return -ENOMEM;
		}
	}
	if (g->gap || piece->off != g->have || piece->len > g->cap - g->have) {
		g->gap = true;
		return -ENODATA;
	}
	memcpy(g->bytes + g->have, piece + 1, piece->len);
	g->have += piece->len;
	return 0;
}

bool args_take(struct args *a, const struct ev_head *exec, struct args_block *ret)
{
	struct gather *g = args_find(a, exec->tid);

	free(a->taken);
	a->taken = NULL;
	if (!g)
		return false;
	if (!is_of(g, exec)) {
		gather_clear(g);
		return false;
	}
	a->taken = g->bytes;
	*ret = (struct args_block){ g->bytes, g->have, g->argv_total, g->envp_total };
	g->bytes = NULL;
	gather_clear(g);
	return true;
}

#define PIECE_BYTES (EV_REC_MAX - sizeof(struct ev_args))

/* The next bytes of @g from @off on as a record at @rec, which has EV_REC_MAX bytes; how many they are. */
static uint32_t gather_piece(const struct gather *g, uint32_t off, struct ev_args *rec)
{
	uint32_t len = g->have - off < PIECE_BYTES ? g->have - off : (uint32_t)PIECE_BYTES;

	memset(rec, 0, EV_REC_MAX);
	rec->head = g->head;
	rec->head.size = (ev_u32)((sizeof(*rec) + len + 7) & ~(size_t)7);
	rec->off = off;
	rec->len = len;
	rec->argv_total = g->argv_total;
	rec->envp_total = g->envp_total;
	memcpy(rec + 1, g->bytes + off, len);
	return len;
}

int args_each(const struct args *a, void (*fn)(void *ctx, const void *rec, size_t size), void *ctx)
{
	struct ev_args *rec = malloc(EV_REC_MAX);

	if (!rec)
		return -ENOMEM;
	for (size_t i = 0; i < ARGS_GATHERED; i++) {
		const struct gather *g = &a->gather[i];

		for (uint32_t off = 0; g->used && g->bytes && off < g->have; fn(ctx, rec, rec->head.size))
			off += gather_piece(g, off, rec);
	}
	free(rec);
	return 0;
}

uint64_t args_evicted(const struct args *a)
{
	return a->evicted;
}
