/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/ingest/args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct gather {
	char *bytes; /* owned */
	uint64_t boot_ns, age;
	uint32_t tid;
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
		if (a->gather[i].used && a->gather[i].tid == tid)
			return &a->gather[i];
	return NULL;
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

	if (g && g->boot_ns == piece->head.boot_ns)
		return g;
	if (g) /* an earlier exec of this thread that failed */
		gather_clear(g);
	else
		g = args_place(a);
	g->used = true;
	g->tid = piece->head.tid;
	g->boot_ns = piece->head.boot_ns;
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

bool args_take(struct args *a, uint32_t tid, uint64_t boot_ns, struct args_block *ret)
{
	struct gather *g = args_find(a, tid);

	free(a->taken);
	a->taken = NULL;
	if (!g)
		return false;
	if (g->boot_ns != boot_ns) {
		gather_clear(g);
		return false;
	}
	a->taken = g->bytes;
	*ret = (struct args_block){ g->bytes, g->have, g->argv_total, g->envp_total };
	g->bytes = NULL;
	gather_clear(g);
	return true;
}

uint64_t args_evicted(const struct args *a)
{
	return a->evicted;
}
