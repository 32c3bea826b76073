/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/strset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ascii.h"
#include "lib/glob.h"
#include "lib/regex.h"

struct entry {
	uint32_t hash;
	uint32_t str; /* index of a string, + 1; 0 is free */
};

/* Exact strings, with or without regard to case. */
struct exact {
	uint64_t lengths;     /* bit (length % 64) of each string: most look-ups end here */
	uint32_t first, mask; /* into entries[]; mask + 1 of them, at most half in use */
	bool any;
};

struct matcher {
	const char *text; /* borrowed */
	uint32_t len;
	uint8_t kind; /* enum strm_kind, not EXACT */
	bool icase;
	union {
		struct glob *glob;   /* owned */
		struct regex *regex; /* owned */
	};
};

struct set {
	struct exact exact[2]; /* [1] without regard to case */
	uint32_t first, count; /* into matchers[] */
};

struct strsets {
	struct program program;
	struct set *sets;	  /* owned */
	struct entry *entries;	  /* owned */
	struct matcher *matchers; /* owned */
	uint32_t nmatchers;
};

static uint64_t load64(const char *s)
{
	uint64_t v;

	memcpy(&v, s, sizeof(v));
	return v;
}

static uint32_t hash_exact(const char *s, size_t len)
{
	uint64_t h = len * 0x9e3779b97f4a7c15u, last = 0;

	for (; len > 8; s += 8, len -= 8)
		h = ((h ^ load64(s)) * 0xff51afd7ed558ccdu) ^ h >> 29;
	if (len)
		memcpy(&last, s, len);
	h = (h ^ last) * 0xff51afd7ed558ccdu;
	return (uint32_t)(h >> 32);
}

static uint32_t hash_folded(const char *s, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ ascii_fold(s[i])) * 16777619u;
	return h;
}

static bool exact_match(const struct strsets *s, const struct exact *x, bool icase, const char *str, size_t len)
{
	uint32_t hash, n;

	if (!x->any || !(x->lengths >> (len % 64) & 1))
		return false;
	hash = icase ? hash_folded(str, len) : hash_exact(str, len);
	for (uint32_t at = hash & x->mask;; at = (at + 1) & x->mask) {
		const struct entry *e = &s->entries[x->first + at];
		const char *t;

		if (!e->str)
			return false;
		if (e->hash != hash)
			continue;
		t = program_str(&s->program, e->str - 1, &n);
		if (n == len && (icase ? ascii_same(t, str, len) : memcmp(t, str, len) == 0))
			return true;
	}
}

static bool matcher_match(const struct matcher *m, const char *str, size_t len)
{
	switch (m->kind) {
	case STRM_PATTERN:
		return pattern_match(m->text, m->len, str, len, m->icase);
	case STRM_GLOB:
		return glob_match(m->glob, str, len);
	default:
		return regex_match(m->regex, str, len);
	}
}

bool strsets_match(struct strsets *s, uint32_t set, const char *str, size_t len)
{
	const struct set *x = &s->sets[set];

	if (!str)
		str = "";
	if (exact_match(s, &x->exact[0], false, str, len) || exact_match(s, &x->exact[1], true, str, len))
		return true;
	for (uint32_t i = x->first; i < x->first + x->count; i++)
		if (matcher_match(&s->matchers[i], str, len))
			return true;
	return false;
}

/* ---- making them --------------------------------------------------------------------------------------------------- */

static int matcher_make(struct strsets *s, const struct strm *m, struct err *err)
{
	struct matcher *x = &s->matchers[s->nmatchers];
	struct err why = { .msg = "" };
	int r = 0;

	x->text = program_str(&s->program, m->str, &x->len);
	x->kind = m->kind;
	x->icase = m->icase;
	if (m->kind == STRM_GLOB)
		r = glob_new(x->text, x->len, m->icase, &x->glob, &why);
	else if (m->kind == STRM_REGEX)
		r = regex_new(x->text, x->len, m->icase, &x->regex, &why);
	if (r < 0)
		return err_set(err, r, "pattern \"%.*s\": %s", (int)(x->len < 256 ? x->len : 256), x->text, why.msg);
	s->nmatchers++;
	return 0;
}

static void exact_put(struct strsets *s, struct exact *x, bool icase, uint32_t str)
{
	uint32_t len, at, hash;
	const char *t = program_str(&s->program, str, &len);

	hash = icase ? hash_folded(t, len) : hash_exact(t, len);
	for (at = hash & x->mask; s->entries[x->first + at].str;)
		at = (at + 1) & x->mask;
	s->entries[x->first + at] = (struct entry){ .hash = hash, .str = str + 1 };
	x->lengths |= 1ull << (len % 64);
	x->any = true;
}

static uint32_t table_size(uint32_t n)
{
	uint32_t size = 2;

	if (n == 0)
		return 0;
	while (size < 2 * n)
		size *= 2;
	return size;
}

static uint32_t count_exact(const struct program *p, const struct strset *set, bool icase)
{
	uint32_t n = 0;

	for (uint32_t i = set->first; i < set->first + set->count; i++)
		n += p->strms[i].kind == STRM_EXACT && p->strms[i].icase == icase;
	return n;
}

/* Gives every set its place in entries[]; returns how many there are. */
static uint64_t place_tables(struct strsets *s)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < s->program.nstrsets; i++)
		for (int icase = 0; icase < 2; icase++) {
			uint32_t size = table_size(count_exact(&s->program, &s->program.strsets[i], icase));

			s->sets[i].exact[icase].first = (uint32_t)n;
			s->sets[i].exact[icase].mask = size - 1;
			n += size;
		}
	return n;
}

static int set_make(struct strsets *s, uint32_t i, struct err *err)
{
	const struct strset *from = &s->program.strsets[i];
	struct set *x = &s->sets[i];

	x->first = s->nmatchers;
	/* Regular expressions have the highest kind: they come last because sets are sorted by kind. */
	for (uint32_t k = from->first; k < from->first + from->count; k++) {
		const struct strm *m = &s->program.strms[k];
		int r;

		if (m->kind == STRM_EXACT) {
			exact_put(s, &x->exact[m->icase], m->icase, m->str);
			continue;
		}
		r = matcher_make(s, m, err);
		if (r < 0)
			return r;
	}
	x->count = s->nmatchers - x->first;
	return 0;
}

int strsets_new(const struct program *p, struct strsets **ret, struct err *err)
{
	_cleanup_(strsets_free) struct strsets *s = calloc(1, sizeof(*s));
	uint64_t nentries;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->program = *p;
	s->sets = calloc(p->nstrsets + 1, sizeof(*s->sets));
	s->matchers = calloc(p->nstrms + 1, sizeof(*s->matchers));
	if (!s->sets || !s->matchers)
		return err_set(err, -ENOMEM, "out of memory");
	nentries = place_tables(s);
	s->entries = calloc(nentries + 1, sizeof(*s->entries));
	if (!s->entries)
		return err_set(err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < p->nstrsets; i++) {
		int r = set_make(s, i, err);

		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(s);
	return 0;
}

void strsets_free(struct strsets *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; i < s->nmatchers; i++) {
		if (s->matchers[i].kind == STRM_GLOB)
			glob_free(s->matchers[i].glob);
		else if (s->matchers[i].kind == STRM_REGEX)
			regex_free(s->matchers[i].regex);
	}
	free(s->sets);
	free(s->entries);
	free(s->matchers);
	free(s);
}
