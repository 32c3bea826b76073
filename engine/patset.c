/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/patset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/glob.h"
#include "lib/regex.h"

/*
 * A gram is 4, 2 or 1 bytes that a pattern asks for, case aside. It is asked for at a place counted from the front, at one
 * counted from the back, or anywhere. Patterns that ask for no bytes at all ("*") are always tried.
 */
enum lane { LANE_FRONT, LANE_BACK, LANE_ANY, LANES };
enum { WIDTHS = 3 };
static const uint8_t widths[WIDTHS] = { 4, 2, 1 };

#define FOLD	    UINT64_C(0x2020202020202020)
#define AROUND_MAX  8  /* bytes around a gram that are compared before a pattern is asked */
#define PLACE_MAX   64 /* places from the front and from the back that are told apart */
#define PLACE_STEP  4  /* every fourth is preferred: fewer places to look at */
#define FEW	    3  /* patterns that are asked one by one without looking for grams */
#define FILTER_BITS 19 /* the filter has at most 2 to the power of so many bits */
#define SERIAL_MAX  UINT32_MAX

/*
 * What else a pattern asks for beside its gram: some bytes in a row that the gram is among, case aside. Most values that hold
 * the gram by accident end here, and nothing of the pattern itself is touched.
 */
struct around {
	uint64_t bytes;
	uint32_t pattern;
	uint8_t before; /* how many of them are before the gram */
	uint8_t len;
};

struct ref {
	uint64_t key;
	struct around around;
};

struct slot {
	uint64_t key;
	uint32_t first, count; /* into around[]; count 0: free */
	struct around one;     /* where it is the only one */
};
_Static_assert(sizeof(struct slot) == 32, "two a cache line");

struct pat {
	uint32_t term;
	uint32_t tried; /* serial of the value that it was asked of last */
};

struct patset {
	const struct terms *terms; /* borrowed */
	struct pat *v;		   /* owned */
	uint32_t n, serial;
	uint32_t *always, nalways; /* owned; patterns */
	struct around *around;	   /* owned; gram by gram */
	struct slot *slots;	   /* owned */
	uint32_t mask;
	uint64_t places[2][WIDTHS]; /* front, back: bit p is set where some gram is asked for at p */
	bool anywhere[WIDTHS];
	uint64_t *filter; /* owned; a bit is set where some gram falls: most looks end there */
	uint32_t filter_shift;
};

/* ---- grams --------------------------------------------------------------------------------------------------------- */

/* Case aside: other bytes fall together as well, which costs a look and nothing else. */
static inline uint32_t gram_at(const char *s, unsigned width)
{
	uint32_t v = 0x20202020u;
	uint16_t v2;

	switch (width) {
	case 4:
		memcpy(&v, s, 4);
		return v | 0x20202020u;
	case 2:
		memcpy(&v2, s, 2);
		return v2 | 0x2020u;
	default:
		return (unsigned char)*s | 0x20u;
	}
}

/* Up to 8 bytes, case aside as in a gram; those that are not there are like zeroes. */
static inline uint64_t bytes_at(const char *s, unsigned len)
{
	uint64_t v = 0;

	memcpy(&v, s, len);
	return v | FOLD;
}

static inline uint64_t key_of(enum lane lane, unsigned width, unsigned place, uint32_t gram)
{
	return (uint64_t)lane << 48 | (uint64_t)width << 40 | (uint64_t)place << 32 | gram;
}

static inline uint32_t key_hash(uint64_t key)
{
	key *= 0x9e3779b97f4a7c15u;
	return (uint32_t)(key >> 32);
}

static inline bool is_wanted(const struct patset *p, uint64_t key)
{
	uint32_t f = key_hash(key) >> p->filter_shift;

	return p->filter[f / 64] >> f % 64 & 1;
}

/* ---- choosing them ------------------------------------------------------------------------------------------------- */

/* Bytes that a pattern asks for in a row. */
struct piece {
	const char *s;
	size_t len;
	enum lane lane;
};

/* How often a gram is asked for by all patterns, about: different ones may share a place. */
struct census {
	uint32_t *count; /* owned */
	uint32_t mask;
};

struct build {
	struct patset *p;
	struct census census;
	struct ref *refs; /* owned */
	uint32_t nrefs, refs_cap;
};

struct best {
	uint64_t key;
	struct around around;
	uint32_t rarity;
	bool any;
};

static unsigned width_of(size_t len)
{
	return len >= 4 ? 4 : len >= 2 ? 2 : 1;
}

/* Calls @f for each gram of the piece, of the greatest width that it has. */
static void each_gram(const struct piece *x,
		      void (*f)(struct build *b, const struct piece *x, size_t at, uint64_t key, struct best *best),
		      struct build *b, struct best *best)
{
	unsigned w = width_of(x->len);

	for (size_t at = 0; at + w <= x->len; at++) {
		size_t place = x->lane == LANE_FRONT ? at : x->lane == LANE_BACK ? x->len - at : 0;

		if (place >= PLACE_MAX)
			continue;
		f(b, x, at, key_of(x->lane, w, (unsigned)place, gram_at(x->s + at, w)), best);
	}
}

/* Calls @f for each piece of a pattern or glob: what stands between its stars. */
static void each_piece(const struct term *t, void (*f)(struct build *b, const struct piece *x, struct best *best),
		       struct build *b, struct best *best)
{
	const char *s = t->s, *end = t->s + t->len;

	while (s < end) {
		const char *star = memchr(s, '*', (size_t)(end - s)), *stop = star ? star : end;
		struct piece x = { .s = s, .len = (size_t)(stop - s) };

		x.lane = s == t->s ? LANE_FRONT : !star ? LANE_BACK : LANE_ANY;
		if (x.len)
			f(b, &x, best);
		s = stop + 1;
	}
}

/* The bytes of the piece around the gram at @at: two before it, if there are enough behind it. */
static struct around around_of(const struct piece *x, size_t at)
{
	size_t len = x->len < AROUND_MAX ? x->len : AROUND_MAX, before = at < 2 ? at : 2;

	if (x->len - (at - before) < len)
		before = at - (x->len - len);
	return (struct around){ .bytes = bytes_at(x->s + at - before, (unsigned)len),
				.before = (uint8_t)before,
				.len = (uint8_t)len };
}

static void count_gram(struct build *b, const struct piece *x, size_t at, uint64_t key, struct best *best)
{
	uint32_t *n = &b->census.count[key_hash(key) & b->census.mask];

	*n += *n < UINT32_MAX;
}

/* Wider is better; then rarer; of those the ones whose place is known, and every fourth place. */
static void weigh_gram(struct build *b, const struct piece *x, size_t at, uint64_t key, struct best *best)
{
	uint32_t n = b->census.count[key_hash(key) & b->census.mask], width = (uint32_t)(key >> 40) & 0xff;
	uint32_t rarity = (width == 4 ? 0 : width == 2 ? 1u << 29 : 1u << 30) + 4 * (n < 1u << 26 ? n : 1u << 26);

	if (key >> 48 == LANE_ANY)
		rarity += 2;
	else
		rarity += (key >> 32 & 0xff) % PLACE_STEP != 0;

	if (best->any && best->rarity <= rarity)
		return;
	*best = (struct best){ .key = key, .around = around_of(x, at), .rarity = rarity, .any = true };
}

static void count_piece(struct build *b, const struct piece *x, struct best *best)
{
	each_gram(x, count_gram, b, best);
}

static void weigh_piece(struct build *b, const struct piece *x, struct best *best)
{
	each_gram(x, weigh_gram, b, best);
}

static int add_ref(struct build *b, const struct best *best, uint32_t pattern)
{
	int r = terms_room(&b->refs, &b->refs_cap, b->nrefs + 1, sizeof(*b->refs));

	if (r < 0)
		return r;
	b->refs[b->nrefs] = (struct ref){ .key = best->key, .around = best->around };
	b->refs[b->nrefs++].around.pattern = pattern;
	return 0;
}

/* An expression has one gram for each of its literals. */
static int choose_regex(struct build *b, uint32_t pattern, bool count)
{
	const struct term *t = &b->p->terms->v[b->p->v[pattern].term];
	struct regex_need need;
	int r = regex_need(t->s, t->len, t->icase, &need);

	for (uint32_t i = 0; i < need.n && r == 0; i++) {
		struct piece x = { .s = need.lit[i].s, .len = need.lit[i].len, .lane = LANE_ANY };
		struct best best = { .any = false };

		(count ? count_piece : weigh_piece)(b, &x, &best);
		if (!count)
			r = add_ref(b, &best, pattern);
	}
	if (r == 0 && !count && !need.n)
		b->p->always[b->p->nalways++] = pattern;
	return r;
}

static int choose(struct build *b, uint32_t pattern, bool count)
{
	const struct term *t = &b->p->terms->v[b->p->v[pattern].term];
	struct best best = { .any = false };

	if (t->kind == STRM_REGEX)
		return choose_regex(b, pattern, count);
	each_piece(t, count ? count_piece : weigh_piece, b, &best);
	if (count)
		return 0;
	if (best.any)
		return add_ref(b, &best, pattern);
	b->p->always[b->p->nalways++] = pattern;
	return 0;
}

static uint32_t power_above(uint64_t n, uint32_t max)
{
	uint32_t size = 64;

	while (size < n && size < max)
		size *= 2;
	return size;
}

static int choose_all(struct build *b)
{
	uint64_t bytes = 0;
	uint32_t size;
	int r = 0;

	for (uint32_t i = 0; i < b->p->n; i++)
		bytes += b->p->terms->v[b->p->v[i].term].len;
	size = power_above(2 * bytes, 1u << 20);
	b->census = (struct census){ .count = calloc(size, sizeof(uint32_t)), .mask = size - 1 };
	if (!b->census.count)
		return -ENOMEM;
	for (int count = 1; count >= 0; count--)
		for (uint32_t i = 0; i < b->p->n && r == 0; i++)
			r = choose(b, i, count);
	return r;
}

/* ---- making it ----------------------------------------------------------------------------------------------------- */

static int ref_cmp(const void *a, const void *b)
{
	const struct ref *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->around.pattern > y->around.pattern) - (x->around.pattern < y->around.pattern);
}

static void place_gram(struct patset *p, uint64_t key, uint32_t first, uint32_t count)
{
	enum lane lane = (enum lane)(key >> 48);
	unsigned width = (unsigned)(key >> 40) & 0xff, place = (unsigned)(key >> 32) & 0xff;
	uint32_t at = key_hash(key) & p->mask, f = key_hash(key) >> p->filter_shift;

	while (p->slots[at].count)
		at = (at + 1) & p->mask;
	p->slots[at] = (struct slot){ .key = key, .first = first, .count = count, .one = p->around[first] };
	for (unsigned w = 0; w < WIDTHS; w++) {
		if (widths[w] != width)
			continue;
		if (lane == LANE_ANY)
			p->anywhere[w] = true;
		else
			p->places[lane][w] |= UINT64_C(1) << place;
	}
	p->filter[f / 64] |= UINT64_C(1) << f % 64;
}

static int place_all(struct build *b)
{
	struct patset *p = b->p;
	uint32_t size = power_above(2 * (uint64_t)b->nrefs, 1u << 31), bits = 10;

	while (bits < FILTER_BITS && 1u << bits < 32 * b->nrefs)
		bits++;
	p->mask = size - 1;
	p->filter_shift = 32 - bits;
	p->slots = terms_table(size, sizeof(*p->slots));
	p->filter = calloc((1u << bits) / 64, sizeof(*p->filter));
	p->around = malloc((b->nrefs + 1) * sizeof(*p->around));
	if (!p->slots || !p->filter || !p->around)
		return -ENOMEM;
	if (b->nrefs)
		qsort(b->refs, b->nrefs, sizeof(*b->refs), ref_cmp);
	for (uint32_t i = 0, k; i < b->nrefs; i = k) {
		for (k = i; k < b->nrefs && b->refs[k].key == b->refs[i].key; k++)
			p->around[k] = b->refs[k].around;
		place_gram(p, b->refs[i].key, i, k - i);
	}
	return 0;
}

static int fill(struct patset *p)
{
	struct build b = { .p = p };
	int r = 0;

	if (p->n <= FEW)
		while (p->nalways < p->n) {
			p->always[p->nalways] = p->nalways;
			p->nalways++;
		}
	else
		r = choose_all(&b);
	if (r == 0)
		r = place_all(&b);
	free(b.census.count);
	free(b.refs);
	return r;
}

int patset_new(const struct terms *t, const uint32_t *ids, uint32_t n, struct patset **ret)
{
	_cleanup_(patset_free) struct patset *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->terms = t;
	p->n = n;
	p->v = calloc((size_t)n + 1, sizeof(*p->v));
	p->always = malloc(((size_t)n + 1) * sizeof(*p->always));
	if (!p->v || !p->always)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		p->v[i].term = ids[i];
	r = fill(p);
	if (r == 0)
		*ret = TAKE_PTR(p);
	return r;
}

void patset_free(struct patset *p)
{
	if (!p)
		return;
	free(p->v);
	free(p->always);
	free(p->around);
	free(p->slots);
	free(p->filter);
	free(p);
}

/* ---- asking it ----------------------------------------------------------------------------------------------------- */

struct scan {
	struct patset *p;
	const char *s;
	size_t len;
	void (*hit)(void *ctx, uint32_t term);
	void *ctx;
};

static void try_pattern(const struct scan *x, uint32_t pattern)
{
	struct patset *p = x->p;
	struct pat *pat = &p->v[pattern];

	if (pat->tried == p->serial)
		return;
	pat->tried = p->serial;
	if (term_match(p->terms, pat->term, x->s, x->len))
		x->hit(x->ctx, pat->term);
}

/* Whether the value has at @at, where the gram is, also the bytes around it. */
static inline bool agrees(const struct scan *x, const struct around *a, size_t at)
{
	size_t from = at - a->before;
	uint64_t v;

	if (at < a->before || x->len - from < a->len)
		return false;
	if (x->len - from < sizeof(v))
		return bytes_at(x->s + from, a->len) == a->bytes;
	memcpy(&v, x->s + from, sizeof(v));
	v |= FOLD;
	return (v ^ a->bytes) << 8 * (sizeof(v) - a->len) == 0;
}

/* @place: where in the value the gram is. */
static void look_up(const struct scan *x, uint64_t key, size_t place)
{
	const struct patset *p = x->p;

	for (uint32_t at = key_hash(key) & p->mask; p->slots[at].count; at = (at + 1) & p->mask) {
		const struct slot *slot = &p->slots[at];

		const struct around *around = slot->count == 1 ? &slot->one : &p->around[slot->first];

		if (slot->key != key)
			continue;
		for (uint32_t i = 0; i < slot->count; i++)
			if (agrees(x, &around[i], place))
				try_pattern(x, around[i].pattern);
		return;
	}
}

static inline void look_at_places(const struct scan *x, enum lane lane, unsigned w, unsigned width)
{
	for (uint64_t m = x->p->places[lane][w]; m; m &= m - 1) {
		unsigned place = (unsigned)__builtin_ctzll(m);
		size_t at = lane == LANE_FRONT ? place : x->len - place;
		uint64_t key;

		if (lane == LANE_FRONT ? place + width > x->len : place > x->len)
			return; /* so are all that follow */
		key = key_of(lane, width, place, gram_at(x->s + at, width));
		if (is_wanted(x->p, key))
			look_up(x, key, at);
	}
}

static inline void look_anywhere(const struct scan *x, unsigned w, unsigned width)
{
	for (size_t i = 0; x->p->anywhere[w] && i + width <= x->len; i++) {
		uint64_t key = key_of(LANE_ANY, width, 0, gram_at(x->s + i, width));

		if (is_wanted(x->p, key))
			look_up(x, key, i);
	}
}

/* Written out for each width: the compiler then knows it. */
static inline void look(const struct scan *x, unsigned w, unsigned width)
{
	look_at_places(x, LANE_FRONT, w, width);
	look_at_places(x, LANE_BACK, w, width);
	look_anywhere(x, w, width);
}

void patset_scan(struct patset *p, const char *s, size_t len, void (*hit)(void *ctx, uint32_t term), void *ctx)
{
	struct scan x = { .p = p, .s = s ? s : "", .len = len, .hit = hit, .ctx = ctx };

	if (p->serial == SERIAL_MAX) {
		for (uint32_t i = 0; i < p->n; i++)
			p->v[i].tried = 0;
		p->serial = 0;
	}
	p->serial++;
	for (uint32_t i = 0; i < p->nalways; i++)
		try_pattern(&x, p->always[i]);
	look(&x, 0, 4);
	look(&x, 1, 2);
	look(&x, 2, 1);
}
