/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/columns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/strhash.h"

#define CACHE_SIZE  4096		       /* a power of two, as is the next */
#define KNOWN_SETS  16384		       /* of two; a power of two */
#define KNOWN_ALIGN (2 * sizeof(struct known)) /* processors fetch lines by two */
#define TRIES	    4 /* sets of few patterns that are asked one by one before all patterns of the column are */

typedef void hit_fn(void *ctx, uint32_t term);

/* ---- one value ----------------------------------------------------------------------------------------------------- */

static void exact_hits(const struct columns *c, const struct matcher *m, const struct val *v, hit_fn *f, void *ctx)
{
	uint32_t term;

	if (m->number) {
		term = terms_find_int(c->terms, v->num);
		if (term != TERM_NONE)
			f(ctx, term);
		return;
	}
	for (int icase = 0; icase < 2; icase++) {
		if (!(m->lengths[icase] >> v->len % 64 & 1))
			continue;
		term = terms_find_str(c->terms, v->s, v->len, icase);
		if (term != TERM_NONE)
			f(ctx, term);
	}
}

/* Hits on their way to @f that are kept for the next time; more than @max are not, and then n is max + 1. */
struct keep {
	uint32_t *hits, max, n;
	hit_fn *f;
	void *ctx;
};

static void keep_hit(void *ctx, uint32_t term)
{
	struct keep *k = ctx;

	if (k->n < k->max)
		k->hits[k->n] = term;
	k->n += k->n <= k->max;
	k->f(k->ctx, term);
}

static void hit_again(const uint32_t *hits, uint32_t n, hit_fn *f, void *ctx)
{
	for (uint32_t i = 0; i < n; i++)
		f(ctx, hits[i]);
}

static void scan_value(const struct columns *c, const struct matcher *m, const struct val *v, hit_fn *f, void *ctx)
{
	exact_hits(c, m, v, f, ctx);
	patset_scan(m->patterns, v->s, v->len, f, ctx);
}

/* Those of which the next one has a part. */
static bool is_wide(const struct known *k)
{
	return k->n > KNOWN_NEAR || k->len > KNOWN_NEAR_LEN;
}

static void known_again(const struct known *k, hit_fn *f, void *ctx)
{
	hit_again(k->near, k->n < KNOWN_NEAR ? k->n : KNOWN_NEAR, f, ctx);
	if (k->n > KNOWN_NEAR)
		hit_again(k[1].far, k->n - KNOWN_NEAR, f, ctx);
}

static bool known_is(const struct known *k, const struct known *head, const char *s)
{
	if (k->hash != head->hash || k->matcher != head->matcher || k->len != head->len)
		return false;
	if (k->len <= KNOWN_NEAR_LEN)
		return memcmp(k->s, s, k->len) == 0;
	return memcmp(k->s, s, KNOWN_NEAR_LEN) == 0 &&
	       memcmp(k[1].rest, s + KNOWN_NEAR_LEN, k->len - KNOWN_NEAR_LEN) == 0;
}

/*
 * One of the two gives way, whichever: of three texts that come again and again by turns the one that was longest ago would be just
 * the one that comes next.
 */
static void known_put(struct columns *c, struct known *k, const struct known *head, const char *s,
		      const uint32_t hits[KNOWN_HITS])
{
	bool both = is_wide(head) || (k->matcher && is_wide(k));

	c->chance = c->chance * 1103515245 + 12345;
	if (both)
		k[1].matcher = 0;
	else if (k->matcher && (!k[1].matcher || c->chance >> 31))
		k++;
	*k = *head;
	memcpy(k->s, s, head->len < KNOWN_NEAR_LEN ? head->len : KNOWN_NEAR_LEN);
	memcpy(k->near, hits, sizeof(k->near));
	if (!is_wide(head))
		return;
	memcpy(k[1].far, hits + KNOWN_NEAR, sizeof(k->far));
	if (head->len > KNOWN_NEAR_LEN)
		memcpy(k[1].rest, s + KNOWN_NEAR_LEN, head->len - KNOWN_NEAR_LEN);
}

/* A text that is not longer than KNOWN_LEN. */
static void known_hits(struct columns *c, const struct matcher *m, const struct val *v, hit_fn *f, void *ctx)
{
	uint16_t matcher = (uint16_t)(1 + (m - c->matchers));
	uint32_t hash = (uint32_t)(strhash(matcher, v->s, v->len) >> 32), hits[KNOWN_HITS] = { 0 };
	struct known *k = &c->known[2 * (hash & (KNOWN_SETS - 1))];
	struct known head = { .hash = hash, .matcher = matcher, .len = (uint8_t)v->len };
	struct keep keep = { .hits = hits, .max = KNOWN_HITS, .f = f, .ctx = ctx };

	for (int i = 0; i < 2; i++)
		if (known_is(&k[i], &head, v->s)) {
			known_again(&k[i], f, ctx);
			return;
		}
	scan_value(c, m, v, keep_hit, &keep);
	head.n = (uint8_t)keep.n;
	if (keep.n <= KNOWN_HITS)
		known_put(c, k, &head, v->s, hits);
}

static void value_hits(struct columns *c, const struct matcher *m, const struct val *v, bool patterns, hit_fn *f,
		       void *ctx)
{
	if (!patterns || !m->patterns)
		exact_hits(c, m, v, f, ctx);
	else if (v->len && v->len <= KNOWN_LEN)
		known_hits(c, m, v, f, ctx);
	else
		scan_value(c, m, v, f, ctx);
}

/* ---- an image of a process ----------------------------------------------------------------------------------------- */

static void proc_values(struct columns *c, const struct column *col, const struct proc *p, bool patterns, hit_fn *f,
			void *ctx)
{
	const struct matcher *m = &c->matchers[col->matcher];
	struct val v = proc_get(p, col->slot);

	if (!col->several) {
		value_hits(c, m, &v, patterns, f, ctx);
		v = col->also ? proc_get(p, col->also) : (struct val){ .len = 0 };
		if (v.len)
			value_hits(c, m, &v, patterns, f, ctx);
		return;
	}
	for (uint32_t i = 0; i < v.len; i++)
		value_hits(c, m, &v.arr[i], patterns, f, ctx);
}

static void proc_hits(struct columns *c, const struct column *col, const struct proc *p, bool patterns, hit_fn *f,
		      void *ctx)
{
	struct keep keep = { .max = CACHED_HITS, .f = f, .ctx = ctx };
	struct cached *to;

	if (!p->version || col->fetched) {
		proc_values(c, col, p, patterns, f, ctx);
		return;
	}
	/* what an event asks of one image lies together */
	to = &c->cache[((uint32_t)(p->version * STRHASH_MUL >> 32) + col->matcher) & (CACHE_SIZE - 1)];
	if (to->version == p->version && to->matcher == col->matcher) {
		hit_again(to->hits, to->n, f, ctx);
		return;
	}
	keep.hits = to->hits;
	proc_values(c, col, p, true, keep_hit, &keep);
	to->version = keep.n <= CACHED_HITS ? p->version : 0;
	to->matcher = (uint16_t)col->matcher;
	to->n = (uint16_t)keep.n;
}

/* ---- a column ------------------------------------------------------------------------------------------------------ */

static const struct proc *proc_of(const struct column *col, const struct event *ev)
{
	bool target = col->home == CAT_HOME_TARGET || col->home == CAT_HOME_TARGET_PARENT ||
		      col->home == CAT_HOME_TARGET_ANCESTORS;
	const struct proc *p = target ? ev->target : ev->proc;

	return p && col->home != CAT_HOME_PROC && col->home != CAT_HOME_TARGET ? p->parent : p;
}

static void event_hits(struct columns *c, const struct column *col, bool patterns, const struct event *ev, hit_fn *f,
		       void *ctx)
{
	const struct matcher *m = &c->matchers[col->matcher];
	const struct val *v = col->home == CAT_HOME_BASE ? &ev->base[col->slot] : &ev->v[col->slot];

	if (!col->several) {
		value_hits(c, m, v, patterns, f, ctx);
		return;
	}
	for (uint32_t i = 0; i < v->len; i++)
		value_hits(c, m, &v->arr[i], patterns, f, ctx);
}

static void column_hits(struct columns *c, const struct column *col, bool patterns, const struct event *ev, hit_fn *f,
			void *ctx)
{
	static const struct proc nobody;
	const struct proc *p;

	if (col->home == CAT_HOME_BASE || col->home == CAT_HOME_EVENT) {
		event_hits(c, col, patterns, ev, f, ctx);
		return;
	}
	p = proc_of(col, ev);
	if (col->ancestors)
		for (int k = 0; p && k < VAL_ANCESTORS_MAX; k++, p = p->parent)
			proc_hits(c, col, p, patterns, f, ctx);
	else
		/* of a process that is not known every value is empty */
		proc_hits(c, col, p ? p : &nobody, patterns, f, ctx);
}

static void note_hit(void *ctx, uint32_t term)
{
	struct column *col = ctx;

	for (uint32_t i = 0; i < col->nhits; i++)
		if (col->hits[i] == term)
			return;
	col->sketch |= column_sketch(term);
	if (col->nhits == COLUMN_HITS)
		col->overflow = true;
	else
		col->hits[col->nhits++] = term;
}

/* Makes its hits those of the event. */
static void resolve(struct columns *c, struct column *col, bool patterns, const struct event *ev, uint32_t stamp)
{
	if (col->full_at == stamp || (!patterns && col->exact_at == stamp))
		return;
	col->nhits = col->sketch = 0;
	col->overflow = false;
	column_hits(c, col, patterns, ev, note_hit, col);
	col->exact_at = stamp;
	if (patterns || !c->matchers[col->matcher].patterns)
		col->full_at = stamp;
}

/* Calls @f for each value of a column of texts. */
static void column_values(const struct columns *c, const struct column *col, const struct event *ev,
			  void (*f)(void *ctx, const struct val *v), void *ctx)
{
	bool own = col->home == CAT_HOME_BASE || col->home == CAT_HOME_EVENT;
	const struct proc *p = own ? NULL : proc_of(col, ev);
	int most = col->ancestors ? VAL_ANCESTORS_MAX : 1;

	for (int k = 0; k < most && (own || p || !col->ancestors); k++) {
		struct val v = own ? col->home == CAT_HOME_BASE ? ev->base[col->slot] : ev->v[col->slot]
			       : p ? proc_get(p, col->slot)
				   : (struct val){ .len = 0 };

		if (!col->several)
			f(ctx, &v);
		for (uint32_t i = 0; col->several && i < v.len; i++)
			f(ctx, &v.arr[i]);
		v = col->also && p ? proc_get(p, col->also) : (struct val){ .len = 0 };
		if (v.len)
			f(ctx, &v);
		p = p ? p->parent : NULL;
	}
}

struct search {
	const struct terms *terms;
	uint32_t set, term;
	bool found;
};

static void search_set(void *ctx, uint32_t term)
{
	struct search *s = ctx;

	s->found = s->found || terms_in_set(s->terms, s->set, term);
}

/* Of the set only what columns do not know of. */
static void search_bare(void *ctx, const struct val *v)
{
	struct search *s = ctx;
	const struct strset *set = &s->terms->p->strsets[s->set];

	for (uint32_t i = set->first; i < set->first + set->count && !s->found; i++)
		s->found = s->terms->v[s->terms->of_strm[i]].bare &&
			   term_match(s->terms, s->terms->of_strm[i], v->s ? v->s : "", v->len);
}

static void search_term(void *ctx, uint32_t term)
{
	struct search *s = ctx;

	s->found = s->found || s->term == term;
}

/* Whether it is worth asking a set of few patterns by itself: all patterns of the column cost more than some. */
static bool may_try(struct columns *c, struct column *col, uint32_t set, const struct event *ev, uint32_t stamp)
{
	const struct proc *p;

	if (c->sets[set].patterns > COLUMN_FEW || col->several || col->ancestors || col->full_at == stamp)
		return false;
	if (col->tries_at != stamp)
		col->tries = 0;
	col->tries_at = stamp;
	p = col->home == CAT_HOME_BASE || col->home == CAT_HOME_EVENT ? NULL : proc_of(col, ev);
	return !(p && p->version && !col->fetched) && col->tries++ < TRIES;
}

static void search_value(void *ctx, const struct val *v)
{
	struct search *s = ctx;

	s->found = s->found || terms_set_match(s->terms, s->set, v->s, v->len);
}

/* The hits of the event are known; whether one of them is in the set. */
static bool set_hit(const struct columns *c, const struct column *col, uint32_t set)
{
	for (uint32_t i = 0; i < col->nhits; i++)
		if (terms_in_set(c->terms, set, col->hits[i]))
			return true;
	return false;
}

static bool term_hit(const struct column *col, uint32_t term)
{
	for (uint32_t i = 0; i < col->nhits; i++)
		if (col->hits[i] == term)
			return true;
	return false;
}

bool columns_hit(const struct columns *c, const struct question *q)
{
	const struct column *col = &c->v[q->column];

	return q->kind == QUESTION_TERM ? term_hit(col, q->what) : set_hit(c, col, q->what);
}

bool columns_learn(struct columns *c, const struct question *q, const struct event *ev, uint32_t stamp)
{
	struct column *col = &c->v[q->column];

	resolve(c, col, q->patterns, ev, stamp);
	return !col->overflow;
}

bool columns_in_set(struct columns *c, uint32_t column, uint32_t set, const struct event *ev, uint32_t stamp)
{
	const struct set_shape *shape = &c->sets[set];
	struct column *col = &c->v[column];
	struct search s = { .terms = c->terms, .set = set };
	bool patterns = shape->patterns > shape->bare;

	if (shape->patterns && may_try(c, col, set, ev, stamp)) {
		column_values(c, col, ev, search_value, &s);
		return s.found;
	}
	resolve(c, col, patterns, ev, stamp);
	if (col->overflow)
		column_hits(c, col, patterns, ev, search_set, &s);
	else
		s.found = set_hit(c, col, set);
	if (!s.found && shape->bare)
		column_values(c, col, ev, search_bare, &s);
	return s.found;
}

bool columns_has(struct columns *c, uint32_t column, uint32_t term, const struct event *ev, uint32_t stamp)
{
	struct column *col = &c->v[column];
	struct search s = { .term = term };

	resolve(c, col, false, ev, stamp);
	if (!col->overflow)
		return term_hit(col, term);
	column_hits(c, col, false, ev, search_term, &s);
	return s.found;
}

void columns_each(struct columns *c, uint32_t column, bool patterns, const struct event *ev, uint32_t stamp, hit_fn *f,
		  void *ctx)
{
	struct column *col = &c->v[column];

	resolve(c, col, patterns, ev, stamp);
	if (col->overflow) {
		column_hits(c, col, patterns, ev, f, ctx);
		return;
	}
	for (uint32_t i = 0; i < col->nhits; i++)
		f(ctx, col->hits[i]);
}

void columns_restart(struct columns *c)
{
	for (uint32_t i = 0; i < c->n; i++)
		c->v[i].exact_at = c->v[i].full_at = c->v[i].tries_at = 0;
}

/* ---- making them --------------------------------------------------------------------------------------------------- */

int columns_init(struct columns *c, const struct catalog *catalog, const struct terms *t)
{
	*c = (struct columns){ .catalog = catalog, .terms = t };
	c->of_field = malloc((catalog->nfields + 1) * sizeof(*c->of_field));
	c->sets = calloc((size_t)t->p->nstrsets + 1, sizeof(*c->sets));
	if (!c->of_field || !c->sets)
		return -ENOMEM;
	memset(c->of_field, 0xff, catalog->nfields * sizeof(*c->of_field));
	for (uint32_t i = 0; i < t->p->nstrsets; i++)
		for (uint32_t k = 0; k < t->p->strsets[i].count; k++) {
			const struct term *x = &t->v[t->of_strm[t->p->strsets[i].first + k]];

			c->sets[i].patterns += x->kind != STRM_EXACT && c->sets[i].patterns < UINT8_MAX;
			c->sets[i].bare += x->bare && c->sets[i].bare < UINT8_MAX;
		}
	return 0;
}

void columns_done(struct columns *c)
{
	for (uint32_t i = 0; i < c->nmatchers; i++)
		patset_free(c->matchers[i].patterns);
	free(c->matchers);
	free(c->v);
	free(c->of_field);
	free(c->sets);
	free(c->wanted);
	free(c->cache);
	free(c->known_room);
	*c = (struct columns){ 0 };
}

static int64_t add_matcher(struct columns *c, const struct matcher *m)
{
	int r;

	for (uint32_t i = 0; i < c->nmatchers; i++)
		if (c->matchers[i].kind == m->kind && c->matchers[i].event == m->event &&
		    c->matchers[i].slot == m->slot)
			return i;
	r = terms_room(&c->matchers, &c->matchers_cap, c->nmatchers + 1, sizeof(*c->matchers));
	if (r < 0)
		return r;
	c->matchers[c->nmatchers] = *m;
	return c->nmatchers++;
}

static int64_t add_column(struct columns *c, const struct column *x)
{
	int r;

	for (uint32_t i = 0; i < c->n; i++)
		if (c->v[i].home == x->home && c->v[i].event == x->event && c->v[i].slot == x->slot)
			return i;
	r = terms_room(&c->v, &c->cap, c->n + 1, sizeof(*c->v));
	if (r < 0)
		return r;
	c->v[c->n] = *x;
	return c->n++;
}

int64_t columns_add(struct columns *c, const struct cat_field *f)
{
	uint32_t index = catalog_index(c->catalog, f);
	bool own = f->home == CAT_HOME_EVENT, proc = !own && f->home != CAT_HOME_BASE;
	struct matcher m = {
		.event = own ? f->event : EV_NONE, .slot = f->slot, .kind = proc ? 2 : own, .number = f->type == VAL_INT
	};
	struct column x = { .event = m.event, .slot = f->slot, .home = f->home };
	int64_t r;

	if (c->of_field[index] != COLUMN_NONE)
		return c->of_field[index];
	x.also = f->also;
	x.field = index;
	x.fetched = f->flags & CF_FETCH;
	x.several = program_field_several(c->catalog, f);
	x.ancestors = cat_is_ancestors(f->home);
	r = add_matcher(c, &m);
	if (r < 0)
		return r;
	x.matcher = (uint32_t)r;
	r = add_column(c, &x);
	if (r >= 0)
		c->of_field[index] = (uint32_t)r;
	return r;
}

int columns_want_term(struct columns *c, uint32_t column, uint32_t term)
{
	const struct term *t = &c->terms->v[term];
	uint32_t matcher = c->v[column].matcher;
	int r;

	if (t->kind == TERM_INT)
		return 0;
	if (t->bare)
		return 0;
	if (t->kind == STRM_EXACT) {
		c->matchers[matcher].lengths[!!t->icase] |= UINT64_C(1) << t->len % 64;
		return 0;
	}
	r = terms_room(&c->wanted, &c->wanted_cap, c->nwanted + 1, sizeof(*c->wanted));
	if (r == 0)
		c->wanted[c->nwanted++] = (uint64_t)matcher << 32 | term;
	return r;
}

int columns_want_set(struct columns *c, uint32_t column, uint32_t set)
{
	const struct strset *s = &c->terms->p->strsets[set];
	int r = 0;

	for (uint32_t i = s->first; i < s->first + s->count && r == 0; i++)
		r = columns_want_term(c, column, c->terms->of_strm[i]);
	return r;
}

static int u64_cmp(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* From where a cache line begins. What is never written to takes no memory. */
static int make_known(struct columns *c)
{
	c->known_room = calloc(1, 2 * KNOWN_SETS * sizeof(*c->known) + KNOWN_ALIGN);
	c->known = (struct known *)(((uintptr_t)c->known_room + KNOWN_ALIGN - 1) & ~(uintptr_t)(KNOWN_ALIGN - 1));
	return c->known_room ? 0 : -ENOMEM;
}

int columns_seal(struct columns *c)
{
	uint32_t *ids = malloc(((size_t)c->nwanted + 1) * sizeof(*ids)), n;
	int r = ids ? 0 : -ENOMEM;

	if (c->nwanted)
		qsort(c->wanted, c->nwanted, sizeof(*c->wanted), u64_cmp);
	for (uint32_t i = 0, k; i < c->nwanted && r == 0; i = k) {
		uint32_t matcher = (uint32_t)(c->wanted[i] >> 32);

		for (n = 0, k = i; k < c->nwanted && c->wanted[k] >> 32 == matcher; k++)
			if (n == 0 || ids[n - 1] != (uint32_t)c->wanted[k])
				ids[n++] = (uint32_t)c->wanted[k];
		r = patset_new(c->terms, ids, n, &c->matchers[matcher].patterns);
	}
	free(ids);
	free(c->wanted);
	c->wanted = NULL;
	if (c->nwanted && r == 0) {
		r = make_known(c);
	}
	for (uint32_t i = 0; i < c->n && r == 0 && !c->cache; i++)
		if (c->v[i].home != CAT_HOME_BASE && c->v[i].home != CAT_HOME_EVENT) {
			c->cache = terms_table(CACHE_SIZE, sizeof(*c->cache));
			r = c->cache ? 0 : -ENOMEM;
		}
	return r;
}
