/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/regex_parser.h"

/* ---- groups, sequences, repetitions -------------------------------------------------------------------------------- */

static int parse_alt(struct re_parser *p, uint32_t *ret);

static int add_assert(struct re_parser *p, size_t width, enum re_assert a, uint32_t *ret)
{
	p->s += width;
	return re_node_add(p, (struct re_node){ .op = RE_ASSERT, .assert = (uint8_t)a }, ret);
}

/* Behind "(?P<" or "(?<": the name up to '>'. It captures nothing here, but it has to be a name. */
static int parse_group_name(struct re_parser *p, const char *open)
{
	const char *name = p->s;

	for (; p->s < p->end && *p->s != '>'; p->s++)
		if (*p->s != '_' && !(*p->s >= '0' && *p->s <= '9') && !((*p->s | 32) >= 'a' && (*p->s | 32) <= 'z'))
			return re_fail(p, open, "invalid name of a group");
	if (p->s >= p->end || p->s == name)
		return re_fail(p, open, "invalid name of a group");
	p->s++;
	return 0;
}

/* Behind "(?": flags up to ':' or ')'. Returns 1 where a group follows, 0 where the flags stand alone. */
static int parse_flags(struct re_parser *p, const char *open)
{
	static const char names[] = "imsU";
	bool off = false, any = false;
	unsigned flags = p->flags;

	for (; p->s < p->end; p->s++) {
		const char *n = memchr(names, *p->s, sizeof(names) - 1);

		if (n) {
			flags = off ? flags & ~(1u << (n - names)) : flags | 1u << (n - names);
			any = true;
		} else if (*p->s == '-' && !off) {
			off = true;
			any = false;
		} else if ((*p->s == ':' || *p->s == ')') && (any || !off)) {
			p->flags = flags;
			return *p->s++ == ':';
		} else {
			break;
		}
	}
	return re_fail(p, open, p->s >= p->end ? "missing ')'" : "not a flag of a group: there are i, m, s and U");
}

/* At '(': what stands behind "(?". Returns 1 where a group follows. */
static int parse_group_head(struct re_parser *p)
{
	const char *open = p->s++;
	size_t left = (size_t)(p->end - p->s);
	int r;

	if (left < 2 || p->s[0] != '?')
		return 1;
	if (p->s[1] == '=' || p->s[1] == '!' || (left >= 3 && p->s[1] == '<' && (p->s[2] == '=' || p->s[2] == '!')))
		return re_fail(p, open, "look-around is not supported: it cannot be matched in linear time");
	if (p->s[1] == '<' || (left >= 3 && p->s[1] == 'P' && p->s[2] == '<')) {
		p->s += p->s[1] == 'P' ? 3 : 2;
		r = parse_group_name(p, open);
		return r < 0 ? r : 1;
	}
	p->s++;
	return parse_flags(p, open);
}

static int parse_group(struct re_parser *p, uint32_t *ret)
{
	const char *open = p->s;
	unsigned flags = p->flags;
	int r;

	if (++p->depth > REGEX_DEPTH_MAX)
		return re_fail(p, open, "groups too deep in one another");
	r = parse_group_head(p);
	if (r < 0)
		return r;
	if (r == 0) { /* flags alone hold up to the end of the group around them */
		p->depth--;
		return re_node_add(p, (struct re_node){ .op = RE_EMPTY }, ret);
	}
	r = parse_alt(p, ret);
	if (r < 0)
		return r;
	if (p->s >= p->end)
		return re_fail(p, open, "missing ')'");
	p->s++;
	p->flags = flags;
	p->depth--;
	return 0;
}

/* At a backslash outside of a class. */
static int parse_backslash(struct re_parser *p, uint32_t *ret)
{
	const char *at = p->s;
	uint32_t c, first = p->t->nranges;
	int r;

	if (p->end - p->s >= 2) {
		switch (p->s[1]) {
		case 'A':
			return add_assert(p, 2, RE_BEGIN_TEXT, ret);
		case 'z':
			return add_assert(p, 2, RE_END_TEXT, ret);
		case 'b':
			return add_assert(p, 2, RE_WORD, ret);
		case 'B':
			return add_assert(p, 2, RE_NOT_WORD, ret);
		}
		r = re_perl_class(p, p->s[1]);
		if (r < 0)
			return r;
		if (r > 0) {
			p->s += 2;
			return re_class_node(p, first, ret);
		}
	}
	r = re_escape(p, &c);
	return r < 0 ? r : re_char(p, at, c, ret);
}

static int parse_atom(struct re_parser *p, uint32_t *ret)
{
	bool multiline = p->flags & RE_F_MULTILINE;
	const char *at = p->s;
	uint32_t c;
	int r;

	switch (*p->s) {
	case '(':
		return parse_group(p, ret);
	case '[':
		return re_class(p, ret);
	case '.':
		return re_dot(p, ret);
	case '^':
		return add_assert(p, 1, multiline ? RE_BEGIN_LINE : RE_BEGIN_TEXT, ret);
	case '$':
		return add_assert(p, 1, multiline ? RE_END_LINE : RE_END_TEXT, ret);
	case '\\':
		return parse_backslash(p, ret);
	}
	r = re_utf8_next(p, &c);
	return r < 0 ? r : re_char(p, at, c, ret);
}

/* A number of at most REGEX_REPEAT_MAX, or one more where it is larger; false where there is none. */
static bool parse_count(const char **s, const char *end, uint32_t *ret)
{
	const char *first = *s;
	uint32_t n = 0;

	for (; *s < end && **s >= '0' && **s <= '9'; (*s)++) {
		n = n * 10 + (uint32_t)(**s - '0');
		if (n > REGEX_REPEAT_MAX)
			n = REGEX_REPEAT_MAX + 1;
	}
	/* Not a count with a leading zero, as Go has it. */
	if (*s == first || (*s - first > 1 && *first == '0'))
		return false;
	*ret = n;
	return true;
}

/* "{n}", "{n,}" or "{n,m}" at *s; where it is none of them, the brace is a character like others. */
static bool parse_braces(const char **s, const char *end, uint32_t *ret_min, uint32_t *ret_max)
{
	const char *q = *s + 1;
	uint32_t min, max;

	if (!parse_count(&q, end, &min) || q >= end)
		return false;
	max = min;
	if (*q == ',') {
		q++;
		if (q < end && *q == '}')
			max = RE_UNBOUNDED;
		else if (!parse_count(&q, end, &max))
			return false;
	}
	if (q >= end || *q != '}')
		return false;
	*s = q + 1;
	*ret_min = min;
	*ret_max = max;
	return true;
}

/* A repetition operator at p->s: 1 and its counts, or 0. */
static int repeat_op(struct re_parser *p, uint32_t *ret_min, uint32_t *ret_max)
{
	const char *at = p->s;

	if (p->s >= p->end)
		return 0;
	switch (*p->s) {
	case '*':
	case '+':
	case '?':
		*ret_min = *p->s == '+';
		*ret_max = *p->s == '?' ? 1 : RE_UNBOUNDED;
		p->s++;
		break;
	case '{':
		if (!parse_braces(&p->s, p->end, ret_min, ret_max))
			return 0;
		if (*ret_min > REGEX_REPEAT_MAX ||
		    (*ret_max != RE_UNBOUNDED && (*ret_max > REGEX_REPEAT_MAX || *ret_max < *ret_min)))
			return re_fail(p, at, "invalid repeat count");
		break;
	default:
		return 0;
	}
	if (p->s < p->end && *p->s == '?') /* the lazy kind: of no meaning here */
		p->s++;
	return 1;
}

static void append(struct re_parser *p, uint32_t list, uint32_t node)
{
	p->t->nodes[node].prev = p->t->nodes[list].last;
	p->t->nodes[list].last = node;
}

/* The repetition that may stand behind what was just read. */
static int parse_repeat(struct re_parser *p, uint32_t *atom)
{
	const char *at;
	uint32_t min, max;
	int r = repeat_op(p, &min, &max);

	if (r <= 0)
		return r;
	at = p->s;
	r = re_node_add(p, (struct re_node){ .op = RE_REPEAT, .last = *atom, .a = min, .b = max }, atom);
	if (r < 0)
		return r;
	r = repeat_op(p, &min, &max);
	return r > 0 ? re_fail(p, at, "invalid nested repetition operator") : r;
}

/* "\Q...\E": all characters as they are. *ret is the last of them, RE_NONE where there is none; the others are in @cat. */
static int parse_quoted(struct re_parser *p, uint32_t cat, uint32_t *ret)
{
	const char *close, *stop;
	uint32_t c, n = RE_NONE;

	p->s += 2;
	close = memmem(p->s, (size_t)(p->end - p->s), "\\E", 2);
	stop = close ? close : p->end;
	while (p->s < stop) {
		const char *at = p->s;
		int r = re_utf8_next(p, &c);

		if (r < 0)
			return r;
		if (n != RE_NONE)
			append(p, cat, n);
		r = re_char(p, at, c, &n);
		if (r < 0)
			return r;
	}
	p->s += close ? 2 : 0;
	*ret = n;
	return 0;
}

static int parse_piece(struct re_parser *p, uint32_t cat, uint32_t *ret)
{
	uint32_t min, max;
	const char *at = p->s;
	int r = repeat_op(p, &min, &max);

	if (r != 0)
		return r < 0 ? r : re_fail(p, at, "missing argument to repetition operator");
	if (p->end - p->s >= 2 && p->s[0] == '\\' && p->s[1] == 'Q')
		r = parse_quoted(p, cat, ret);
	else
		r = parse_atom(p, ret);
	return r < 0 || *ret == RE_NONE ? r : parse_repeat(p, ret);
}

static int parse_cat(struct re_parser *p, uint32_t *ret)
{
	uint32_t cat;
	int r = re_node_add(p, (struct re_node){ .op = RE_CAT, .last = RE_NONE }, &cat);

	if (r < 0)
		return r;
	while (p->s < p->end && *p->s != '|' && *p->s != ')') {
		uint32_t piece = RE_NONE;

		r = parse_piece(p, cat, &piece);
		if (r < 0)
			return r;
		if (piece != RE_NONE)
			append(p, cat, piece);
	}
	*ret = cat;
	return 0;
}

static int parse_alt(struct re_parser *p, uint32_t *ret)
{
	uint32_t alt, cat;
	int r = re_node_add(p, (struct re_node){ .op = RE_ALT, .last = RE_NONE }, &alt);

	if (r < 0)
		return r;
	for (;; p->s++) {
		r = parse_cat(p, &cat);
		if (r < 0)
			return r;
		append(p, alt, cat);
		if (p->s >= p->end || *p->s != '|')
			break;
	}
	*ret = alt;
	return 0;
}

void re_tree_done(struct re_tree *t)
{
	free(t->nodes);
	free(t->ranges);
	*t = (struct re_tree){ 0 };
}

int re_parse(const char *pattern, size_t len, bool icase, struct re_tree *ret, struct err *err)
{
	struct re_parser p = { .begin = pattern,
			       .s = pattern,
			       .end = pattern + len,
			       .flags = icase ? RE_F_ICASE : 0,
			       .t = ret,
			       .err = err };
	int r;

	*ret = (struct re_tree){ 0 };
	if (len > REGEX_LEN_MAX)
		return err_set(err, -EINVAL, "an expression of %zu bytes: more than %d", len, REGEX_LEN_MAX);
	r = parse_alt(&p, &ret->root);
	if (r == 0 && p.s < p.end)
		r = re_fail(&p, p.s, "unexpected ')'");
	if (r < 0)
		re_tree_done(ret);
	return r;
}
