/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_TESTS_GLOB_REF_H
#define TAMIS_TESTS_GLOB_REF_H

/*
 * What patterns and globs mean, in the plainest way: sets of positions instead of cleverness. Slow, but never exponential,
 * and it shares no line with lib/glob.c. For strings of up to GLOB_REF_MAX bytes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define GLOB_REF_MAX 62 /* which may be 63 components, whose end is bit 63 */

static inline char glob_ref_fold(char c, bool icase)
{
	return icase && c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Bit i: the pattern so far matches the first i bytes. */
static inline bool glob_ref_pattern(const char *p, size_t plen, const char *s, size_t len, bool icase)
{
	unsigned long long at = 1;

	for (size_t k = 0; k < plen; k++) {
		unsigned long long next = 0;

		for (size_t i = 0; i <= len; i++) {
			if (!(at >> i & 1))
				continue;
			if (p[k] == '*')
				next |= ~0ull << i;
			else if (i < len && glob_ref_fold(p[k], icase) == glob_ref_fold(s[i], icase))
				next |= 1ull << (i + 1);
		}
		at = next;
	}
	return at >> len & 1;
}

struct glob_ref_comps {
	const char *s[GLOB_REF_MAX + 2];
	size_t len[GLOB_REF_MAX + 2];
	size_t n;
};

static inline void glob_ref_split(const char *s, size_t len, struct glob_ref_comps *c)
{
	c->n = 0;
	for (size_t i = 0, from = 0; i <= len; i++)
		if (i == len || s[i] == '/') {
			c->s[c->n] = s ? s + from : s;
			c->len[c->n++] = i - from;
			from = i + 1;
		}
}

static inline bool glob_ref_is(const struct glob_ref_comps *c, size_t i, const char *s)
{
	return c->len[i] == strlen(s) && memcmp(c->s[i], s, c->len[i]) == 0;
}

static inline bool glob_ref_valid(const char *p, size_t plen)
{
	struct glob_ref_comps c;

	glob_ref_split(p, plen, &c);
	for (size_t i = 0; i < c.n; i++) {
		if (glob_ref_is(&c, i, "**") ? i == 0 && c.n > 1 : memmem(c.s[i], c.len[i], "**", 2) != NULL)
			return false;
	}
	return true;
}

/* Bit i: the components of the glob so far match the first i of the path. */
static inline bool glob_ref_match(const char *p, size_t plen, const char *s, size_t len, bool icase)
{
	struct glob_ref_comps g, c;
	unsigned long long at = 1;

	glob_ref_split(p, plen, &g);
	if (glob_ref_is(&g, 0, "*") && len && s[0] == '/') {
		s++;
		len--;
	}
	glob_ref_split(s, len, &c);
	for (size_t k = 0; k < g.n; k++) {
		unsigned long long next = 0;

		for (size_t i = 0; i <= c.n; i++) {
			if (!(at >> i & 1))
				continue;
			if (glob_ref_is(&g, k, "**"))
				next |= k + 1 == g.n ? ~0ull << i << 1 : ~0ull << i;
			else if (i < c.n && glob_ref_pattern(g.s[k], g.len[k], c.s[i], c.len[i], icase))
				next |= 1ull << (i + 1);
		}
		at = next;
	}
	return at >> c.n & 1;
}

#endif
