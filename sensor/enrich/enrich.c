/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/enrich.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/derive.h"
#include "sensor/enrich/names.h"

struct enrich {
	char hostname[256], origin[16];
	struct val host, os, source, from;
	struct users *users;	 /* owned; NULL: no names */
	struct proctable *table; /* owned */
	struct names names[EV_TYPES];
	uint64_t no_process;
};

static struct val val_of(const char *s)
{
	return (struct val){ .s = s, .len = (uint32_t)strlen(s) };
}

static void copy_name(char *to, size_t size, const char *from)
{
	size_t len = from ? strnlen(from, size - 1) : 0;

	if (len)
		memcpy(to, from, len);
	to[len] = 0;
}

/* The base values that are the same for every event. */
static void enrich_constants(struct enrich *e, const struct enrich_options *o)
{
	copy_name(e->hostname, sizeof(e->hostname), o->hostname);
	copy_name(e->origin, sizeof(e->origin), o->origin);
	e->host = val_of(e->hostname);
	e->from = val_of(e->origin);
	e->os = val_of("linux");
	e->source = val_of("runtime");
}

int enrich_new(const struct enrich_options *o, struct enrich **ret)
{
	struct proctable_options po = {
		.catalog = catalog_tamis(),
		.proc_path = o->proc_path,
		.max_images = o->max_images,
		.max_bytes = o->max_bytes,
	};
	struct enrich *e = calloc(1, sizeof(*e));
	int r = 0;

	if (!e)
		return -ENOMEM;
	enrich_constants(e, o);
	for (uint16_t t = 0; t < EV_TYPES; t++)
		names_plan(po.catalog, CAT_HOME_EVENT, t, &e->names[t]);
	if (o->etc_path)
		r = users_new(o->etc_path, &e->users);
	po.users = e->users;
	if (!r)
		r = proctable_new(&po, &e->table);
	if (r < 0) {
		enrich_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

void enrich_free(struct enrich *e)
{
	if (!e)
		return;
	proctable_free(e->table);
	users_free(e->users);
	free(e);
}

int enrich_seed(struct enrich *e)
{
	return proctable_seed(e->table, decode_clock_now());
}

void enrich_event(struct enrich *e, struct decoded *d)
{
	struct val *base = d->ev.base;

	base[SLOT_BASE_HOSTNAME] = e->host;
	base[SLOT_BASE_OS] = e->os;
	base[SLOT_BASE_ORIGIN] = e->from;
	base[SLOT_BASE_SOURCE] = e->source;
	d->ev.proc = proctable_event(e->table, d);
	e->no_process += !d->ev.proc;
	names_fill(&e->names[d->ev.type], e->users, d->ev.v);
	event_derive(&d->ev);
}

void enrich_tick(struct enrich *e)
{
	if (e->users && users_refresh(e->users))
		proctable_rename_users(e->table);
	proctable_tick(e->table);
}

struct proctable *enrich_proctable(struct enrich *e)
{
	return e->table;
}

void enrich_stats(const struct enrich *e, struct enrich_stats *ret)
{
	*ret = (struct enrich_stats){ .no_process = e->no_process };
	proctable_stats(e->table, &ret->table);
	if (e->users)
		users_stats(e->users, &ret->users);
}
