/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/jsonw.h"
#include "lib/regex_parser.h"

/* ---- the tree ------------------------------------------------------------------------------------------------------ */

int re_fail(struct re_parser *p, const char *at, const char *what)
{
	err_set(p->err, -EINVAL, "character %zu: %s", (size_t)(at - p->begin) + 1, what);
	return -EINVAL;
}

static int grow(struct re_parser *p, void **array, uint32_t n, uint32_t *cap, size_t size)
{
	uint32_t want = *cap ? *cap * 2 : 32;
	void *a;

	if (n < *cap)
		return 0;
	a = realloc(*array, want * size);
	if (!a)
		return err_set(p->err, -ENOMEM, "out of memory");
	*array = a;
	*cap = want;
	return 0;
}

int re_node_add(struct re_parser *p, struct re_node n, uint32_t *ret)
{
	struct re_tree *t = p->t;
	int r = grow(p, (void **)&t->nodes, t->nnodes, &t->nodes_cap, sizeof(*t->nodes));

	if (r < 0)
		return r;
	n.prev = RE_NONE;
	t->nodes[t->nnodes] = n;
	*ret = t->nnodes++;
	return 0;
}

static int range_add(struct re_parser *p, uint32_t lo, uint32_t hi)
{
	struct re_tree *t = p->t;
	int r = grow(p, (void **)&t->ranges, t->nranges, &t->ranges_cap, sizeof(*t->ranges));

	if (r < 0)
		return r;
	t->ranges[t->nranges++] = (struct re_range){ lo, hi };
	return 0;
}

/* ---- characters and classes ---------------------------------------------------------------------------------------- */

/* The letters beyond ASCII whose lower case is in ASCII: the Kelvin sign and the long s. */
static const struct {
	uint32_t letter, upper, lower;
} odd_letters[] = { { 0x212a, 'K', 'k' }, { 0x17f, 'S', 's' } };

static int fold_odd(struct re_parser *p, uint32_t lo, uint32_t hi)
{
	int r = 0;

	for (int i = 0; r == 0 && i < 2; i++) {
		uint32_t odd = odd_letters[i].letter, up = odd_letters[i].upper, low = odd_letters[i].lower;

		if ((lo <= up && up <= hi) || (lo <= low && low <= hi))
			r = range_add(p, odd, odd);
		if (r == 0 && lo <= odd && odd <= hi) {
			r = range_add(p, up, up);
			if (r == 0)
				r = range_add(p, low, low);
		}
	}
	return r;
}

/* Adds the range; with (?i) also the same letters in the other case. */
static int range_add_folded(struct re_parser *p, const char *at, uint32_t lo, uint32_t hi)
{
	uint32_t l, h;
	int r = range_add(p, lo, hi);

	if (r < 0 || !(p->flags & RE_F_ICASE))
		return r;
	if (hi > 0x7f && hi < RE_CHAR_MAX && !(lo == hi && (lo == 0x212a || lo == 0x17f)))
		return re_fail(p, at, "(?i) with characters beyond ASCII is not supported");
	l = lo > 'A' ? lo : 'A';
	h = hi < 'Z' ? hi : 'Z';
	if (l <= h)
		r = range_add(p, l + 32, h + 32);
	l = lo > 'a' ? lo : 'a';
	h = hi < 'z' ? hi : 'z';
	if (r == 0 && l <= h)
		r = range_add(p, l - 32, h - 32);
	return r < 0 ? r : fold_odd(p, lo, hi);
}

static int range_cmp(const void *a, const void *b)
{
	const struct re_range *x = a, *y = b;

	return x->lo != y->lo ? (x->lo < y->lo ? -1 : 1) : (x->hi > y->hi) - (x->hi < y->hi);
}

/* Sorts the ranges from @first on and joins those that touch. */
static void ranges_join(struct re_tree *t, uint32_t first)
{
	uint32_t out = first;

	if (t->nranges - first < 2)
		return;
	qsort(t->ranges + first, t->nranges - first, sizeof(*t->ranges), range_cmp);
	for (uint32_t i = first + 1; i < t->nranges; i++) {
		struct re_range *last = &t->ranges[out], *next = &t->ranges[i];

		if (next->lo > last->hi + 1)
			t->ranges[++out] = *next;
		else if (next->hi > last->hi)
			last->hi = next->hi;
	}
	t->nranges = out + 1;
}

/* Replaces the ranges from @first on by all that they leave out. */
static int ranges_negate(struct re_parser *p, uint32_t first)
{
	struct re_tree *t = p->t;
	uint32_t next = 0, n;
	int r;

	ranges_join(t, first);
	n = t->nranges;
	for (uint32_t i = first; i < n; i++) {
		uint32_t lo = t->ranges[i].lo, hi = t->ranges[i].hi;

		if (lo > next) {
			r = range_add(p, next, lo - 1);
			if (r < 0)
				return r;
		}
		next = hi + 1;
	}
	if (next <= RE_CHAR_MAX) {
		r = range_add(p, next, RE_CHAR_MAX);
		if (r < 0)
			return r;
	}
	memmove(t->ranges + first, t->ranges + n, (t->nranges - n) * sizeof(*t->ranges));
	t->nranges -= n - first;
	return 0;
}

/* What is written as a name or an escape: pairs of first and last characters. */
static const struct named_class {
	const char *name, *ranges;
} posix_classes[] = {
	{ "alnum", "09AZaz" },
	{ "alpha", "AZaz" },
	{ "ascii", "\x00\x7f" },
	{ "blank", "\t\t  " },
	{ "cntrl", "\x00\x1f\x7f\x7f" },
	{ "digit", "09" },
	{ "graph", "!~" },
	{ "lower", "az" },
	{ "print", " ~" },
	{ "punct", "!/:@[`{~" },
	{ "space", "\t\r  " },
	{ "upper", "AZ" },
	{ "word", "09AZaz__" },
	{ "xdigit", "09AFaf" },
};

/* @n is given because a range may begin with a NUL. */
static int add_named(struct re_parser *p, const char *at, const char *ranges, size_t n, bool negate)
{
	struct re_tree *t = p->t;
	uint32_t first = t->nranges;
	int r;

	for (size_t i = 0; i < n; i += 2) {
		r = range_add_folded(p, at, (unsigned char)ranges[i], (unsigned char)ranges[i + 1]);
		if (r < 0)
			return r;
	}
	return negate ? ranges_negate(p, first) : 0;
}

/* \d \s \w and their negations. 1 if @c was one of them. */
int re_perl_class(struct re_parser *p, char c)
{
	static const struct {
		char c;
		const char *ranges;
	} classes[] = { { 'd', "09" }, { 's', "\t\n\f\r  " }, { 'w', "09AZaz__" } };
	int r;

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (c == classes[i].c || c == classes[i].c - 32) {
			r = add_named(p, p->s, classes[i].ranges, strlen(classes[i].ranges), c < 'a');
			return r < 0 ? r : 1;
		}
	return 0;
}

int re_utf8_next(struct re_parser *p, uint32_t *ret)
{
	const unsigned char *s = (const unsigned char *)p->s;
	size_t n = jsonw_utf8_len(s, (size_t)(p->end - p->s));
	static const unsigned char lead[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c;

	if (n == 0)
		return re_fail(p, p->s, "not UTF-8");
	c = s[0] & lead[n];
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (s[i] & 0x3f);
	p->s += n;
	*ret = c;
	return 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* Behind "\x": two digits, or any number in braces. */
static int parse_hex(struct re_parser *p, const char *at, uint32_t *ret)
{
	bool braces = p->s < p->end && *p->s == '{';
	uint32_t c = 0;
	int n = 0;

	p->s += braces;
	for (; p->s < p->end && hex_digit(*p->s) >= 0 && (braces || n < 2); p->s++, n++) {
		c = c << 4 | (uint32_t)hex_digit(*p->s);
		if (c > RE_CHAR_MAX)
			return re_fail(p, at, "no such character");
	}
	if (n == 0 || (!braces && n != 2) || (braces && (p->s >= p->end || *p->s++ != '}')))
		return re_fail(p, at,
			       "invalid escape sequence: \\x takes two hexadecimal digits, or any number in braces");
	*ret = c;
	return 0;
}

/* At a backslash: one character. */
int re_escape(struct re_parser *p, uint32_t *ret)
{
	static const char from[] = "aftnrv", to[] = "\a\f\t\n\r\v";
	const char *at = p->s++, *e;
	char c;

	if (p->s >= p->end)
		return re_fail(p, at, "a backslash at the end");
	c = *p->s++;
	if (c >= '1' && c <= '7' && (p->s >= p->end || *p->s < '0' || *p->s > '7'))
		return re_fail(p, at, "back-references are not supported: they cannot be matched in linear time");
	if (c >= '0' && c <= '7') {
		*ret = (uint32_t)(c - '0');
		for (int i = 0; i < 2 && p->s < p->end && *p->s >= '0' && *p->s <= '7'; i++)
			*ret = *ret * 8 + (uint32_t)(*p->s++ - '0');
		return 0;
	}
	if (c == 'x')
		return parse_hex(p, at, ret);
	e = memchr(from, c, sizeof(from) - 1);
	if (e) {
		*ret = (unsigned char)to[e - from];
		return 0;
	}
	if (c == 'p' || c == 'P')
		return re_fail(p, at, "\\p classes are not supported: write the ranges, as [\\x{400}-\\x{4ff}]");
	if ((unsigned char)c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
		return re_fail(p, at, "invalid escape sequence");
	*ret = (unsigned char)c;
	return 0;
}

/* "[:name:]" within a class. 1 if there was one. */
static int parse_posix(struct re_parser *p)
{
	const char *name, *close;
	bool negate;

	if (p->end - p->s < 4 || p->s[1] != ':')
		return 0;
	close = memmem(p->s + 2, (size_t)(p->end - p->s) - 2, ":]", 2);
	if (!close)
		return 0;
	negate = p->s[2] == '^';
	name = p->s + 2 + negate;
	for (size_t i = 0; i < sizeof(posix_classes) / sizeof(posix_classes[0]); i++) {
		const struct named_class *c = &posix_classes[i];
		/* Two ranges at most begin with a NUL, and those hold no other. */
		size_t n = c->ranges[0] ? strlen(c->ranges) : c->name[0] == 'a' ? 2 : 4;
		int r;

		if (close < name || strlen(c->name) != (size_t)(close - name) ||
		    memcmp(c->name, name, (size_t)(close - name)) != 0)
			continue;
		r = add_named(p, p->s, c->ranges, n, negate);
		p->s = close + 2;
		return r < 0 ? r : 1;
	}
	return re_fail(p, p->s, "no such class of characters");
}

static int class_char(struct re_parser *p, uint32_t *ret)
{
	return *p->s == '\\' ? re_escape(p, ret) : re_utf8_next(p, ret);
}

/* One item of a class: a named one, a character or a range. */
static int class_item(struct re_parser *p, const char *open)
{
	const char *at = p->s;
	uint32_t lo, hi;
	int r;

	if (*p->s == '[') {
		r = parse_posix(p);
		if (r != 0)
			return r;
	}
	if (*p->s == '\\' && p->s + 1 < p->end) {
		r = re_perl_class(p, p->s[1]);
		p->s += r > 0 ? 2 : 0;
		if (r != 0)
			return r;
	}
	r = class_char(p, &lo);
	if (r < 0)
		return r;
	hi = lo;
	if (p->end - p->s >= 2 && p->s[0] == '-' && p->s[1] != ']') {
		p->s++;
		r = class_char(p, &hi);
		if (r < 0)
			return r;
		if (hi < lo)
			return re_fail(p, at, "a range whose end is before its beginning");
	} else if (p->s >= p->end) {
		return re_fail(p, open, "missing ']'");
	}
	return range_add_folded(p, at, lo, hi);
}

int re_class_node(struct re_parser *p, uint32_t first, uint32_t *ret)
{
	ranges_join(p->t, first);
	return re_node_add(p, (struct re_node){ .op = RE_CLASS, .a = first, .b = p->t->nranges - first }, ret);
}

int re_class(struct re_parser *p, uint32_t *ret)
{
	const char *open = p->s++;
	uint32_t first = p->t->nranges;
	bool negate = p->s < p->end && *p->s == '^';
	int r;

	p->s += negate;
	for (bool is_first = true; p->s >= p->end || *p->s != ']' || is_first; is_first = false) {
		if (p->s >= p->end)
			return re_fail(p, open, "missing ']'");
		r = class_item(p, open);
		if (r < 0)
			return r;
	}
	p->s++;
	if (negate) {
		r = ranges_negate(p, first);
		if (r < 0)
			return r;
	}
	return re_class_node(p, first, ret);
}

int re_char(struct re_parser *p, const char *at, uint32_t c, uint32_t *ret)
{
	uint32_t first = p->t->nranges;
	int r = range_add_folded(p, at, c, c);

	return r < 0 ? r : re_class_node(p, first, ret);
}

int re_dot(struct re_parser *p, uint32_t *ret)
{
	uint32_t first = p->t->nranges;
	int r;

	p->s++;
	if (p->flags & RE_F_DOTALL)
		r = range_add(p, 0, RE_CHAR_MAX);
	else if ((r = range_add(p, 0, '\n' - 1)) == 0)
		r = range_add(p, '\n' + 1, RE_CHAR_MAX);
	return r < 0 ? r : re_class_node(p, first, ret);
}
