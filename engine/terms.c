/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/terms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ascii.h"
#include "lib/glob.h"
#include "lib/regex.h"
#include "lib/strhash.h"

#define TERMS_LINE  64 /* bytes of a cache line */
#define FILTER_BITS 4u /* of the filter for each slot; the slots are at most half in use */

void *terms_table(size_t n, size_t size)
{
	size_t bytes = (n * size / TERMS_LINE + 1) * TERMS_LINE;
	void *p = aligned_alloc(TERMS_LINE, bytes);

	if (p)
		memset(p, 0, bytes);
	return p;
}

int terms_room(void *p, uint32_t *cap, size_t need, size_t size)
{
	size_t n = *cap ? *cap : 16;
	void *old, *grown;

	memcpy(&old, p, sizeof(old));
	if (need <= *cap)
		return 0;
	while (n < need)
		n *= 2;
	if (n > UINT32_MAX)
		return -ENOMEM;
	grown = realloc(old, n * size);
	if (!grown)
		return -ENOMEM;
	memcpy(p, &grown, sizeof(grown));
	*cap = (uint32_t)n;
	return 0;
}

/* ---- the hash table ------------------------------------------------------------------------------------------------ */

static uint32_t hash_exact(const char *s, size_t len)
{
	return (uint32_t)(strhash(0, s, len) >> 32);
}

static uint32_t hash_folded(const char *s, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ ascii_fold(s[i])) * 16777619u;
	return h;
}

/* Case is no matter of how it is written; in a regular expression it is, whatever the flag: \s and \S. */
static bool folds(const struct term *x)
{
	return x->icase && x->kind != STRM_REGEX;
}

static uint32_t hash_of(const struct term *x)
{
	uint32_t h = x->kind == TERM_INT ? hash_exact((const char *)&x->num, sizeof(x->num))
		     : folds(x)		 ? hash_folded(x->s, x->len)
					 : hash_exact(x->s, x->len);

	return h ^ x->kind * 0x9e3779b1u;
}

static bool same(const struct term *a, const struct term *b)
{
	if (a->kind != b->kind || a->icase != b->icase)
		return false;
	if (a->kind == TERM_INT)
		return a->num == b->num;
	return a->len == b->len && (folds(a) ? ascii_same(a->s, b->s, a->len) : memcmp(a->s, b->s, a->len) == 0);
}

static bool is_wanted(const struct terms *t, uint32_t hash)
{
	uint32_t f = hash >> t->filter_shift;

	return t->filter[f / 64] >> f % 64 & 1;
}

static void want(struct terms *t, uint32_t hash)
{
	uint32_t f = hash >> t->filter_shift;

	t->filter[f / 64] |= UINT64_C(1) << f % 64;
}

/* The term that is the same as @x, or TERM_NONE with the free slot. */
static uint32_t find(const struct terms *t, const struct term *x, uint32_t hash, uint32_t *ret_slot)
{
	uint32_t at;

	for (at = hash & t->mask; t->slots[at].term; at = (at + 1) & t->mask)
		if (t->slots[at].hash == hash && same(&t->v[t->slots[at].term - 1], x))
			return t->slots[at].term - 1;
	if (ret_slot)
		*ret_slot = at;
	return TERM_NONE;
}

static int grow_table(struct terms *t)
{
	uint32_t size = t->slots ? 2 * (t->mask + 1) : 64, at;
	struct term_slot *slots = terms_table(size, sizeof(*slots));
	uint64_t *filter = terms_table(FILTER_BITS * (size_t)size / 64, sizeof(*filter));

	if (!slots || !filter) {
		free(slots);
		free(filter);
		return -ENOMEM;
	}
	free(t->filter);
	t->filter = filter;
	t->filter_shift = (uint32_t)__builtin_clz(FILTER_BITS * size) + 1;
	for (uint32_t i = 0; t->slots && i <= t->mask; i++) {
		if (!t->slots[i].term)
			continue;
		want(t, t->slots[i].hash);
		for (at = t->slots[i].hash & (size - 1); slots[at].term; at = (at + 1) & (size - 1))
			;
		slots[at] = t->slots[i];
	}
	free(t->slots);
	t->slots = slots;
	t->mask = size - 1;
	return 0;
}

/* At most half of the slots are in use. Two patterns are the same where they are written the same, case aside if it is. */
static int64_t add(struct terms *t, const struct term *x, bool *ret_new)
{
	uint32_t hash = hash_of(x), slot, i;
	int r = 2 * (t->n + 1) > t->mask + 1 || !t->slots ? grow_table(t) : 0;

	*ret_new = false;
	if (r == 0)
		r = terms_room(&t->v, &t->cap, (size_t)t->n + 1, sizeof(*t->v));
	if (r < 0)
		return r;
	i = find(t, x, hash, &slot);
	if (i != TERM_NONE)
		return i;
	*ret_new = true;
	want(t, hash);
	t->slots[slot] = (struct term_slot){ .hash = hash, .term = t->n + 1 };
	t->v[t->n] = *x;
	t->any_icase = t->any_icase || (x->kind == STRM_EXACT && x->icase);
	return t->n++;
}

/* The term that is the same as @x, or TERM_NONE. */
static uint32_t look_up(const struct terms *t, const struct term *x)
{
	uint32_t hash = hash_of(x);

	return t->n && is_wanted(t, hash) ? find(t, x, hash, NULL) : TERM_NONE;
}

uint32_t terms_find_str(const struct terms *t, const char *s, size_t len, bool icase)
{
	struct term x = { .s = s ? s : "", .len = (uint32_t)len, .kind = STRM_EXACT, .icase = icase };

	return look_up(t, &x);
}

uint32_t terms_find_int(const struct terms *t, int64_t num)
{
	struct term x = { .num = num, .kind = TERM_INT };

	return look_up(t, &x);
}

int64_t terms_add_str(struct terms *t, uint32_t str, bool icase)
{
	struct term x = { .kind = STRM_EXACT, .icase = icase };
	bool is_new;

	x.s = program_str(t->p, str, &x.len);
	return add(t, &x, &is_new);
}

int64_t terms_add_int(struct terms *t, int64_t num)
{
	struct term x = { .num = num, .kind = TERM_INT };
	bool is_new;

	return add(t, &x, &is_new);
}

/* ---- matching ------------------------------------------------------------------------------------------------------ */

bool term_match(const struct terms *t, uint32_t term, const char *s, size_t len)
{
	const struct term *x = &t->v[term];

	switch (x->kind) {
	case STRM_PATTERN:
		return pattern_match(x->s, x->len, s, len, x->icase);
	case STRM_GLOB:
		return glob_match(x->glob, s, len);
	default:
		return regex_match(x->regex, s, len);
	}
}

bool terms_in_set(const struct terms *t, uint32_t set, uint32_t term)
{
	const uint32_t *v = t->of_strm + t->p->strsets[set].first;
	uint32_t n = t->p->strsets[set].count;

	while (n > 1) {
		uint32_t half = n / 2;

		v += v[half - 1] < term ? half : 0;
		n -= half;
	}
	return n && *v == term;
}

bool terms_set_match(const struct terms *t, uint32_t set, const char *s, size_t len)
{
	const struct strset *x = &t->p->strsets[set];

	if (!s)
		s = "";
	for (int icase = 0; icase <= t->any_icase; icase++) {
		uint32_t term = terms_find_str(t, s, len, icase);

		if (term != TERM_NONE && terms_in_set(t, set, term))
			return true;
	}
	/* regular expressions last: they cost most */
	for (int regex = 0; regex < 2; regex++)
		for (uint32_t i = x->first; i < x->first + x->count; i++) {
			uint8_t kind = t->v[t->of_strm[i]].kind;

			if (kind != STRM_EXACT && (kind == STRM_REGEX) == regex && term_match(t, t->of_strm[i], s, len))
				return true;
		}
	return false;
}

/* ---- making them --------------------------------------------------------------------------------------------------- */

static int make_regex(struct term *x, struct err *why)
{
	struct regex_need need;
	int r = regex_new(x->s, x->len, x->icase, &x->regex, why);

	if (r == 0)
		r = regex_need(x->s, x->len, x->icase, &need);
	x->bare = r == 0 && !need.n;
	return r;
}

static int64_t add_strm(struct terms *t, const struct strm *m, struct err *err)
{
	struct term x = { .kind = m->kind, .icase = m->icase };
	struct err why = { .msg = "out of memory" };
	bool is_new;
	int64_t i;
	int r = 0;

	x.s = program_str(t->p, m->str, &x.len);
	i = add(t, &x, &is_new);
	if (i >= 0 && is_new && x.kind == STRM_GLOB)
		r = glob_new(x.s, x.len, x.icase, &t->v[i].glob, &why);
	else if (i >= 0 && is_new && x.kind == STRM_REGEX)
		r = make_regex(&t->v[i], &why);
	if (r < 0)
		return err_set(err, r, "pattern \"%.*s\": %s", (int)(x.len < 256 ? x.len : 256), x.s, why.msg);
	return i;
}

static int u32_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int terms_init(struct terms *t, const struct program *p, struct err *err)
{
	*t = (struct terms){ .p = p };
	t->of_strm = calloc((size_t)p->nstrms + 1, sizeof(*t->of_strm));
	if (!t->of_strm)
		return err_set(err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < p->nstrms; i++) {
		int64_t r = add_strm(t, &p->strms[i], err);

		if (r < 0)
			return r == -ENOMEM ? err_set(err, -ENOMEM, "out of memory") : (int)r;
		t->of_strm[i] = (uint32_t)r;
	}
	for (uint32_t i = 0; i < p->nstrsets; i++)
		qsort(t->of_strm + p->strsets[i].first, p->strsets[i].count, sizeof(*t->of_strm), u32_cmp);
	return 0;
}

void terms_done(struct terms *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		if (t->v[i].kind == STRM_GLOB)
			glob_free(t->v[i].glob);
		else if (t->v[i].kind == STRM_REGEX)
			regex_free(t->v[i].regex);
	}
	free(t->v);
	free(t->slots);
	free(t->filter);
	free(t->of_strm);
	*t = (struct terms){ 0 };
}
