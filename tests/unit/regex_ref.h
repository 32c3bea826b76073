/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_TESTS_REGEX_REF_H
#define TAMIS_TESTS_REGEX_REF_H

/*
 * What a parsed expression means: for each part, which ends are reached from which beginnings, as sets of positions in the
 * text. It shares the parser with lib/regex.c and nothing else. For texts of up to REGEX_REF_MAX characters.
 */

#include <stdbool.h>
#include <stddef.h>

#include "lib/jsonw.h"
#include "lib/regex_ast.h"

#define REGEX_REF_MAX 62

/* Whether the text holds one of the literals that are needed; true where none are known. */
static inline bool regex_ref_needed(const struct regex_need *need, const char *s, size_t len)
{
	for (uint32_t i = 0; i < need->n; i++)
		for (size_t at = 0; at + need->lit[i].len <= len; at++) {
			size_t k = 0;

			while (k < need->lit[i].len &&
			       (s[at + k] | (s[at + k] >= 'A' && s[at + k] <= 'Z' ? 32 : 0)) == need->lit[i].s[k])
				k++;
			if (k == need->lit[i].len)
				return true;
		}
	return need->n == 0;
}

struct regex_ref {
	const struct re_tree *t;
	uint32_t c[REGEX_REF_MAX];
	size_t n;
	unsigned long steps; /* left; what takes more is not worth waiting for */
};

/* False where the text is too long. */
static inline bool regex_ref_text(struct regex_ref *r, const char *s, size_t len)
{
	static const uint8_t lead[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };

	r->n = 0;
	for (size_t i = 0; i < len;) {
		const uint8_t *p = (const uint8_t *)s + i;
		size_t w = jsonw_utf8_len(p, len - i);
		uint32_t c = w ? p[0] & lead[w] : 0xfffd;

		for (size_t k = 1; k < w; k++)
			c = c << 6 | (p[k] & 0x3f);
		if (r->n == REGEX_REF_MAX)
			return false;
		r->c[r->n++] = c;
		i += w ? w : 1;
	}
	return true;
}

static inline bool regex_ref_word(const struct regex_ref *r, size_t i)
{
	uint32_t c = i < r->n ? r->c[i] : 0;

	return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static inline bool regex_ref_holds(const struct regex_ref *r, uint8_t assert, size_t i)
{
	bool edge = (i > 0 && regex_ref_word(r, i - 1)) != regex_ref_word(r, i);

	switch (assert) {
	case RE_BEGIN_TEXT:
		return i == 0;
	case RE_END_TEXT:
		return i == r->n;
	case RE_BEGIN_LINE:
		return i == 0 || r->c[i - 1] == '\n';
	case RE_END_LINE:
		return i == r->n || r->c[i] == '\n';
	default:
		return edge == (assert == RE_WORD);
	}
}

static inline unsigned long long regex_ref_class(const struct regex_ref *r, const struct re_node *n,
						 unsigned long long at)
{
	unsigned long long to = 0;

	for (size_t i = 0; i < r->n; i++)
		for (uint32_t k = n->a; (at >> i & 1) && k < n->a + n->b; k++)
			if (r->c[i] >= r->t->ranges[k].lo && r->c[i] <= r->t->ranges[k].hi)
				to |= 2ull << i;
	return to;
}

static inline unsigned long long regex_ref_ends(struct regex_ref *r, uint32_t node, unsigned long long at);

static inline unsigned long long regex_ref_repeat(struct regex_ref *r, const struct re_node *n, unsigned long long at)
{
	unsigned long long all;

	for (uint32_t i = 0; i < n->a && r->steps; i++)
		at = regex_ref_ends(r, n->last, at);
	all = at;
	for (uint32_t i = n->a; (n->b == RE_UNBOUNDED || i < n->b) && r->steps; i++) {
		unsigned long long more = regex_ref_ends(r, n->last, all) | all;

		if (more == all)
			break;
		all = more;
	}
	return all;
}

/* In order: children are linked from the last one on. */
static inline unsigned long long regex_ref_cat(struct regex_ref *r, uint32_t child, unsigned long long at)
{
	if (child == RE_NONE)
		return at;
	return regex_ref_ends(r, child, regex_ref_cat(r, r->t->nodes[child].prev, at));
}

static inline unsigned long long regex_ref_ends(struct regex_ref *r, uint32_t node, unsigned long long at)
{
	const struct re_node *n = &r->t->nodes[node];
	unsigned long long to = 0;

	if (!r->steps || !at)
		return 0;
	r->steps--;
	switch (n->op) {
	case RE_CLASS:
		return regex_ref_class(r, n, at);
	case RE_ASSERT:
		for (size_t i = 0; i <= r->n; i++)
			if ((at >> i & 1) && regex_ref_holds(r, n->assert, i))
				to |= 1ull << i;
		return to;
	case RE_CAT:
		return regex_ref_cat(r, n->last, at);
	case RE_ALT:
		for (uint32_t c = n->last; c != RE_NONE; c = r->t->nodes[c].prev)
			to |= regex_ref_ends(r, c, at);
		return to;
	case RE_REPEAT:
		return regex_ref_repeat(r, n, at);
	default:
		return at;
	}
}

/* 1 or 0, or -1 where it took too long. */
static inline int regex_ref_match(struct regex_ref *r)
{
	unsigned long long ends;

	r->steps = 20000;
	ends = regex_ref_ends(r, r->t->root, (2ull << r->n) - 1);
	return r->steps ? ends != 0 : -1;
}

#endif
