/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "lib/ascii.h"
#include "lib/regex_ast.h"

/*
 * Bottom up: of a node that matches few texts, those; of others the best literals that each of its matches holds. In a row of
 * nodes, what neighbours match is put together, so that "ab(c|d)" gives "abc" and "abd".
 */

#define DEPTH_MAX   40 /* of the tree; what is deeper is not looked at */
#define CLASS_CHARS 8  /* a class of more is not written out */

struct need {
	bool exact; /* matches these texts, case aside, and no other; else: each match holds one of them, or n is 0 */
	struct regex_need set;
};

static void set_one(struct regex_need *s, const char *text, size_t len)
{
	s->n = 1;
	s->lit[0].len = (uint8_t)len;
	if (len)
		memcpy(s->lit[0].s, text, len);
}

static bool set_has(const struct regex_need *s, const char *text, size_t len)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (s->lit[i].len == len && memcmp(s->lit[i].s, text, len) == 0)
			return true;
	return false;
}

/* false: no room. */
static bool set_add(struct regex_need *s, const char *text, size_t len)
{
	if (set_has(s, text, len))
		return true;
	if (s->n == REGEX_NEED_MAX)
		return false;
	s->lit[s->n].len = (uint8_t)len;
	memcpy(s->lit[s->n++].s, text, len);
	return true;
}

static bool set_join(struct regex_need *s, const struct regex_need *from)
{
	for (uint32_t i = 0; i < from->n; i++)
		if (!set_add(s, from->lit[i].s, from->lit[i].len))
			return false;
	return true;
}

/* Every text of @a before every one of @b. */
static bool set_product(const struct regex_need *a, const struct regex_need *b, struct regex_need *ret)
{
	char text[2 * REGEX_NEED_LEN];

	ret->n = 0;
	for (uint32_t i = 0; i < a->n; i++)
		for (uint32_t k = 0; k < b->n; k++) {
			size_t la = a->lit[i].len, lb = b->lit[k].len;

			if (la + lb > REGEX_NEED_LEN)
				return false;
			memcpy(text, a->lit[i].s, la);
			memcpy(text + la, b->lit[k].s, lb);
			if (!set_add(ret, text, la + lb))
				return false;
		}
	return true;
}

static unsigned set_worth(const struct regex_need *s)
{
	unsigned least = REGEX_NEED_LEN;

	for (uint32_t i = 0; i < s->n; i++)
		least = s->lit[i].len < least ? s->lit[i].len : least;
	return s->n ? least : 0;
}

/* Long ones are rare in texts, however many they are; beyond eight bytes it makes no difference any more. */
static void take_better(struct regex_need *best, const struct regex_need *s)
{
	unsigned a = set_worth(best), b = set_worth(s);

	a = a > 8 ? 8 : a;
	b = b > 8 ? 8 : b;
	if (b > a || (b == a && b && s->n < best->n))
		*best = *s;
}

static void need_of(const struct re_tree *t, uint32_t node, unsigned depth, struct need *ret);

static void need_of_class(const struct re_tree *t, const struct re_node *n, struct need *ret)
{
	unsigned chars = 0;

	ret->exact = true;
	for (uint32_t i = n->a; i < n->a + n->b; i++)
		for (uint32_t c = t->ranges[i].lo; c <= t->ranges[i].hi; c++) {
			char folded = (char)ascii_fold((char)c);

			if (c > 127 || ++chars > CLASS_CHARS || !set_add(&ret->set, &folded, 1)) {
				*ret = (struct need){ .exact = false };
				return;
			}
		}
	ret->exact = ret->set.n > 0; /* a class without characters matches nothing: nothing to say of it */
}

/* From the last to the first, as the tree has them. */
static void need_of_row(const struct re_tree *t, const struct re_node *n, unsigned depth, struct need *ret)
{
	struct regex_need row, longer;
	bool exact = true;

	set_one(&row, "", 0);
	for (uint32_t c = n->last; c != RE_NONE; c = t->nodes[c].prev) {
		struct need one = { .exact = false };

		need_of(t, c, depth, &one);
		if (one.exact && set_product(&one.set, &row, &longer)) {
			row = longer;
			continue;
		}
		exact = false;
		take_better(&ret->set, &row);
		take_better(&ret->set, &one.set);
		if (one.exact)
			row = one.set;
		else
			set_one(&row, "", 0);
	}
	ret->exact = exact;
	if (exact)
		ret->set = row;
	else
		take_better(&ret->set, &row);
}

static void need_of_alt(const struct re_tree *t, const struct re_node *n, unsigned depth, struct need *ret)
{
	ret->exact = true;
	for (uint32_t c = n->last; c != RE_NONE; c = t->nodes[c].prev) {
		struct need one = { .exact = false };

		need_of(t, c, depth, &one);
		ret->exact = ret->exact && one.exact;
		if (!one.set.n || !set_join(&ret->set, &one.set)) {
			*ret = (struct need){ .exact = false };
			return;
		}
	}
}

static void need_of_repeat(const struct re_tree *t, const struct re_node *n, unsigned depth, struct need *ret)
{
	if (n->a == 0)
		return;
	need_of(t, n->last, depth, ret);
	ret->exact = ret->exact && n->a == 1 && n->b == 1;
}

static void need_of(const struct re_tree *t, uint32_t node, unsigned depth, struct need *ret)
{
	const struct re_node *n = &t->nodes[node];

	*ret = (struct need){ .exact = false };
	if (depth > DEPTH_MAX)
		return;
	switch (n->op) {
	case RE_CLASS:
		need_of_class(t, n, ret);
		break;
	case RE_CAT:
		need_of_row(t, n, depth + 1, ret);
		break;
	case RE_ALT:
		need_of_alt(t, n, depth + 1, ret);
		break;
	case RE_REPEAT:
		need_of_repeat(t, n, depth + 1, ret);
		break;
	default: /* nothing, or an assertion: no bytes */
		ret->exact = true;
		set_one(&ret->set, "", 0);
	}
}

int regex_need(const char *pattern, size_t len, bool icase, struct regex_need *ret)
{
	struct err err;
	struct re_tree t;
	struct need need;
	int r = re_parse(pattern, len, icase, &t, &err);

	if (r < 0)
		return r;
	need_of(&t, t.root, 0, &need);
	re_tree_done(&t);
	*ret = need.set;
	/* With an empty one among them they say nothing. */
	if (!set_worth(ret))
		ret->n = 0;
	return 0;
}
