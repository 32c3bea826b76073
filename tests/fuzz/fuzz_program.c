/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rule program of any bytes: refused, or harmless to evaluate on an event of each type whose every field has a value.
 * The catalog's fingerprint is put in, so that the corpus outlives changes of the catalog.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "lib/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FINGERPRINT_AT 8

static const char ip[VAL_IP_BYTES] = { [10] = '\xff', [11] = '\xff', [12] = 10, [15] = 1, [16] = '\x80' };
static struct val arrays[4][3];
static struct proc procs[3];
static struct val more[3][SLOT_PROC_COUNT - SLOT_PROC_SEEN];
static struct event events[EV_ALL_TYPES];

static struct val scalar(uint8_t type)
{
	switch (type) {
	case VAL_STR:
		return (struct val){ .s = "/etc/x.sh", .len = 9 };
	case VAL_IP:
		return (struct val){ .s = ip, .len = sizeof(ip) };
	default:
		return (struct val){ .num = 1 };
	}
}

static void fill(struct val *v, const struct cat_field *f)
{
	*v = f->flags & CF_ARRAY ? (struct val){ .arr = arrays[f->type], .len = 3 } : scalar(f->type);
}

static void make_events(void)
{
	const struct catalog *c = catalog_tamis();

	for (uint8_t t = 0; t < 4; t++)
		for (int i = 0; i < 3; i++)
			arrays[t][i] = scalar(t);
	procs[0].parent = &procs[1];
	procs[1].parent = &procs[2];
	for (int k = 0; k < 3; k++)
		procs[k].more = more[k];
	for (size_t i = 0; i < c->nfields; i++) {
		const struct cat_field *f = &c->fields[i];

		for (int k = 0; f->home == CAT_HOME_PROC && k < 3; k++)
			fill(f->slot < SLOT_PROC_SEEN ? &procs[k].v[f->slot] : &more[k][f->slot - SLOT_PROC_SEEN], f);
		for (uint16_t t = 0; t < EV_ALL_TYPES; t++) {
			if (f->home == CAT_HOME_BASE)
				fill(&events[t].base[f->slot], f);
			if (f->home == CAT_HOME_EVENT && catalog_covers(c, f->event, t))
				fill(&events[t].v[f->slot], f);
		}
	}
	for (uint16_t t = 0; t < EV_ALL_TYPES; t++) {
		events[t].type = t;
		events[t].proc = procs;
		events[t].target = procs + 1;
		memset(events[t].alive, 0xff, sizeof(events[t].alive));
	}
}

static void look_at_matches(const struct engine *e, const struct program *p, size_t n)
{
	const struct engine_match *m = engine_matches(e);

	for (size_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < m[i].nacts; k++)
			if (m[i].acts[k].action >= p->nactions || (m[i].acts[k].message.len && !m[i].acts[k].message.s))
				abort();
}

static void evaluate(struct engine *e, const struct program *p)
{
	const uint32_t *rules;
	struct engine_var var;

	for (uint16_t t = 0; t < EV_ALL_TYPES; t++) {
		size_t n = engine_eval(e, &events[t], &rules);

		for (size_t i = 0; i < n; i++)
			if (rules[i] >= p->nrules || p->rules[rules[i]].event != t || (i && rules[i] <= rules[i - 1]))
				abort();
		look_at_matches(e, p, n);
	}
	for (uint32_t v = 0; v < p->nvars; v++)
		engine_var_at(e, v, &events[EV_OPEN], &var);
}

/* What can be loaded is saved as the same bytes. */
static void save_again(const struct program *p, const void *bytes, size_t size)
{
	struct buf out;

	buf_init(&out, 64 << 20);
	if (program_save(p, &out) == 0 && (out.len != size || memcmp(out.data, bytes, size) != 0))
		abort();
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(engine_free) struct engine *e = NULL;
	_cleanup_free_ char *copy = malloc(size + 1);
	uint32_t fingerprint = catalog_fingerprint(catalog_tamis());
	/* little, so that the bounds are met */
	const struct engine_options o = { .entries = 4, .values = 8, .text_bytes = 8192, .limits = 2 };
	struct program p;
	struct err err;

	if (!events[EV_OPEN].proc)
		make_events();
	memcpy(copy, data, size);
	if (size >= FINGERPRINT_AT + sizeof(fingerprint))
		memcpy(copy + FINGERPRINT_AT, &fingerprint, sizeof(fingerprint));
	if (program_load(catalog_tamis(), copy, size, &p, &err) < 0)
		return 0;
	save_again(&p, copy, size);
	if (engine_new_with(&p, &o, &e, &err) < 0)
		return 0;
	evaluate(e, &p);
	evaluate(e, &p); /* with what was set the first time */
	engine_forget_proc(e, (uint32_t)procs[0].v[SLOT_PROC_PID].num, 0);
	return 0;
}
