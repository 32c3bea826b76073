/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/jsonw.h"
#include "lib/regex_ast.h"

enum flag { F_ICASE = 1 << 0, F_MULTILINE = 1 << 1, F_DOTALL = 1 << 2, F_UNGREEDY = 1 << 3 };

struct parser {
	const char *begin, *s, *end;
	unsigned flags; /* enum flag */
	unsigned depth;
	struct re_tree *t;
	struct err *err;
};

/* ---- the tree ------------------------------------------------------------------------------------------------------ */

static int fail(struct parser *p, const char *at, const char *what)
{
	err_set(p->err, -EINVAL, "character %zu: %s", (size_t)(at - p->begin) + 1, what);
	return -EINVAL;
}

static int grow(struct parser *p, void **array, uint32_t n, uint32_t *cap, size_t size)
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

static int node_add(struct parser *p, struct re_node n, uint32_t *ret)
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

static int range_add(struct parser *p, uint32_t lo, uint32_t hi)
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
static const struct { uint32_t letter, upper, lower; } odd_letters[] = { { 0x212a, 'K', 'k' }, { 0x17f, 'S', 's' } };

static int fold_odd(struct parser *p, uint32_t lo, uint32_t hi)
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
static int range_add_folded(struct parser *p, const char *at, uint32_t lo, uint32_t hi)
{
	uint32_t l, h;
	int r = range_add(p, lo, hi);

	if (r < 0 || !(p->flags & F_ICASE))
		return r;
	if (hi > 0x7f && hi < RE_CHAR_MAX && !(lo == hi && (lo == 0x212a || lo == 0x17f)))
		return fail(p, at, "(?i) with characters beyond ASCII is not supported");
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
static int ranges_negate(struct parser *p, uint32_t first)
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
	{ "alnum", "09AZaz" }, { "alpha", "AZaz" }, { "ascii", "\x00\x7f" }, { "blank", "\t\t  " },
	{ "cntrl", "\x00\x1f\x7f\x7f" }, { "digit", "09" }, { "graph", "!~" }, { "lower", "az" }, { "print", " ~" },
	{ "punct", "!/:@[`{~" }, { "space", "\t\r  " }, { "upper", "AZ" }, { "word", "09AZaz__" }, { "xdigit", "09AFaf" },
};

/* @n is given because a range may begin with a NUL. */
static int add_named(struct parser *p, const char *at, const char *ranges, size_t n, bool negate)
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
static int add_perl_class(struct parser *p, char c)
{
	static const struct { char c; const char *ranges; } classes[] = { { 'd', "09" }, { 's', "\t\n\f\r  " }, { 'w', "09AZaz__" } };
	int r;

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (c == classes[i].c || c == classes[i].c - 32) {
			r = add_named(p, p->s, classes[i].ranges, strlen(classes[i].ranges), c < 'a');
			return r < 0 ? r : 1;
		}
	return 0;
}

static int utf8_next(struct parser *p, uint32_t *ret)
{
	const unsigned char *s = (const unsigned char *)p->s;
	size_t n = jsonw_utf8_len(s, (size_t)(p->end - p->s));
	static const unsigned char lead[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c;

	if (n == 0)
		return fail(p, p->s, "not UTF-8");
	c = s[0] & lead[n];
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (s[i] & 0x3f);
	p->s += n;
	*ret = c;
	return 0;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Behind "\x": two digits, or any number in braces. */
static int parse_hex(struct parser *p, const char *at, uint32_t *ret)
{
	bool braces = p->s < p->end && *p->s == '{';
	uint32_t c = 0;
	int n = 0;

	p->s += braces;
	for (; p->s < p->end && hex_digit(*p->s) >= 0 && (braces || n < 2); p->s++, n++) {
		c = c << 4 | (uint32_t)hex_digit(*p->s);
		if (c > RE_CHAR_MAX)
			return fail(p, at, "no such character");
	}
	if (n == 0 || (!braces && n != 2) || (braces && (p->s >= p->end || *p->s++ != '}')))
		return fail(p, at, "invalid escape sequence: \\x takes two hexadecimal digits, or any number in braces");
	*ret = c;
	return 0;
}

/* At a backslash: one character. */
static int parse_escape(struct parser *p, uint32_t *ret)
{
	static const char from[] = "aftnrv", to[] = "\a\f\t\n\r\v";
	const char *at = p->s++, *e;
	char c;

	if (p->s >= p->end)
		return fail(p, at, "a backslash at the end");
	c = *p->s++;
	if (c >= '1' && c <= '7' && (p->s >= p->end || *p->s < '0' || *p->s > '7'))
		return fail(p, at, "back-references are not supported: they cannot be matched in linear time");
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
		return fail(p, at, "\\p classes are not supported: write the ranges, as [\\x{400}-\\x{4ff}]");
	if ((unsigned char)c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
		return fail(p, at, "invalid escape sequence");
	*ret = (unsigned char)c;
	return 0;
}

/* "[:name:]" within a class. 1 if there was one. */
static int parse_posix(struct parser *p)
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

		if (close < name || strlen(c->name) != (size_t)(close - name) || memcmp(c->name, name, (size_t)(close - name)) != 0)
			continue;
		r = add_named(p, p->s, c->ranges, n, negate);
		p->s = close + 2;
		return r < 0 ? r : 1;
	}
	return fail(p, p->s, "no such class of characters");
}

static int class_char(struct parser *p, uint32_t *ret)
{
	return *p->s == '\\' ? parse_escape(p, ret) : utf8_next(p, ret);
}

/* One item of a class: a named one, a character or a range. */
static int class_item(struct parser *p, const char *open)
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
		r = add_perl_class(p, p->s[1]);
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
			return fail(p, at, "a range whose end is before its beginning");
	} else if (p->s >= p->end) {
		return fail(p, open, "missing ']'");
	}
	return range_add_folded(p, at, lo, hi);
}

static int class_node(struct parser *p, uint32_t first, uint32_t *ret)
{
	ranges_join(p->t, first);
	return node_add(p, (struct re_node){ .op = RE_CLASS, .a = first, .b = p->t->nranges - first }, ret);
}

static int parse_class(struct parser *p, uint32_t *ret)
{
	const char *open = p->s++;
	uint32_t first = p->t->nranges;
	bool negate = p->s < p->end && *p->s == '^';
	int r;

	p->s += negate;
	for (bool is_first = true; p->s >= p->end || *p->s != ']' || is_first; is_first = false) {
		if (p->s >= p->end)
			return fail(p, open, "missing ']'");
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
	return class_node(p, first, ret);
}

static int add_char(struct parser *p, const char *at, uint32_t c, uint32_t *ret)
{
	uint32_t first = p->t->nranges;
	int r = range_add_folded(p, at, c, c);

	return r < 0 ? r : class_node(p, first, ret);
}

static int add_dot(struct parser *p, uint32_t *ret)
{
	uint32_t first = p->t->nranges;
	int r;

	p->s++;
	if (p->flags & F_DOTALL)
		r = range_add(p, 0, RE_CHAR_MAX);
	else if ((r = range_add(p, 0, '\n' - 1)) == 0)
		r = range_add(p, '\n' + 1, RE_CHAR_MAX);
	return r < 0 ? r : class_node(p, first, ret);
}

/* ---- groups, sequences, repetitions -------------------------------------------------------------------------------- */

static int parse_alt(struct parser *p, uint32_t *ret);

static int add_assert(struct parser *p, size_t width, enum re_assert a, uint32_t *ret)
{
	p->s += width;
	return node_add(p, (struct re_node){ .op = RE_ASSERT, .assert = (uint8_t)a }, ret);
}

/* Behind "(?P<" or "(?<": the name up to '>'. It captures nothing here, but it has to be a name. */
static int parse_group_name(struct parser *p, const char *open)
{
	const char *name = p->s;

	for (; p->s < p->end && *p->s != '>'; p->s++)
		if (*p->s != '_' && !(*p->s >= '0' && *p->s <= '9') && !((*p->s | 32) >= 'a' && (*p->s | 32) <= 'z'))
			return fail(p, open, "invalid name of a group");
	if (p->s >= p->end || p->s == name)
		return fail(p, open, "invalid name of a group");
	p->s++;
	return 0;
}

/* Behind "(?": flags up to ':' or ')'. Returns 1 where a group follows, 0 where the flags stand alone. */
static int parse_flags(struct parser *p, const char *open)
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
	return fail(p, open, p->s >= p->end ? "missing ')'" : "not a flag of a group: there are i, m, s and U");
}

/* At '(': what stands behind "(?". Returns 1 where a group follows. */
static int parse_group_head(struct parser *p)
{
	const char *open = p->s++;
	size_t left = (size_t)(p->end - p->s);
	int r;

	if (left < 2 || p->s[0] != '?')
		return 1;
	if (p->s[1] == '=' || p->s[1] == '!' || (left >= 3 && p->s[1] == '<' && (p->s[2] == '=' || p->s[2] == '!')))
		return fail(p, open, "look-around is not supported: it cannot be matched in linear time");
	if (p->s[1] == '<' || (left >= 3 && p->s[1] == 'P' && p->s[2] == '<')) {
		p->s += p->s[1] == 'P' ? 3 : 2;
		r = parse_group_name(p, open);
		return r < 0 ? r : 1;
	}
	p->s++;
	return parse_flags(p, open);
}

static int parse_group(struct parser *p, uint32_t *ret)
{
	const char *open = p->s;
	unsigned flags = p->flags;
	int r;

	if (++p->depth > REGEX_DEPTH_MAX)
		return fail(p, open, "groups too deep in one another");
	r = parse_group_head(p);
	if (r < 0)
		return r;
	if (r == 0) { /* flags alone hold up to the end of the group around them */
		p->depth--;
		return node_add(p, (struct re_node){ .op = RE_EMPTY }, ret);
	}
	r = parse_alt(p, ret);
	if (r < 0)
		return r;
	if (p->s >= p->end)
		return fail(p, open, "missing ')'");
	p->s++;
	p->flags = flags;
	p->depth--;
	return 0;
}

/* At a backslash outside of a class. */
static int parse_backslash(struct parser *p, uint32_t *ret)
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
		r = add_perl_class(p, p->s[1]);
		if (r < 0)
			return r;
		if (r > 0) {
			p->s += 2;
			return class_node(p, first, ret);
		}
	}
	r = parse_escape(p, &c);
	return r < 0 ? r : add_char(p, at, c, ret);
}

static int parse_atom(struct parser *p, uint32_t *ret)
{
	bool multiline = p->flags & F_MULTILINE;
	const char *at = p->s;
	uint32_t c;
	int r;

	switch (*p->s) {
	case '(':
		return parse_group(p, ret);
	case '[':
		return parse_class(p, ret);
	case '.':
		return add_dot(p, ret);
	case '^':
		return add_assert(p, 1, multiline ? RE_BEGIN_LINE : RE_BEGIN_TEXT, ret);
	case '$':
		return add_assert(p, 1, multiline ? RE_END_LINE : RE_END_TEXT, ret);
	case '\\':
		return parse_backslash(p, ret);
	}
	r = utf8_next(p, &c);
	return r < 0 ? r : add_char(p, at, c, ret);
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
static int repeat_op(struct parser *p, uint32_t *ret_min, uint32_t *ret_max)
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
		if (*ret_min > REGEX_REPEAT_MAX || (*ret_max != RE_UNBOUNDED && (*ret_max > REGEX_REPEAT_MAX || *ret_max < *ret_min)))
			return fail(p, at, "invalid repeat count");
		break;
	default:
		return 0;
	}
	if (p->s < p->end && *p->s == '?') /* the lazy kind: of no meaning here */
		p->s++;
	return 1;
}

static void append(struct parser *p, uint32_t list, uint32_t node)
{
	p->t->nodes[node].prev = p->t->nodes[list].last;
	p->t->nodes[list].last = node;
}

/* The repetition that may stand behind what was just read. */
static int parse_repeat(struct parser *p, uint32_t *atom)
{
	const char *at;
	uint32_t min, max;
	int r = repeat_op(p, &min, &max);

	if (r <= 0)
		return r;
	at = p->s;
	r = node_add(p, (struct re_node){ .op = RE_REPEAT, .last = *atom, .a = min, .b = max }, atom);
	if (r < 0)
		return r;
	r = repeat_op(p, &min, &max);
	return r > 0 ? fail(p, at, "invalid nested repetition operator") : r;
}

/* "\Q...\E": all characters as they are. *ret is the last of them, RE_NONE where there is none; the others are in @cat. */
static int parse_quoted(struct parser *p, uint32_t cat, uint32_t *ret)
{
	const char *close, *stop;
	uint32_t c, n = RE_NONE;

	p->s += 2;
	close = memmem(p->s, (size_t)(p->end - p->s), "\\E", 2);
	stop = close ? close : p->end;
	while (p->s < stop) {
		const char *at = p->s;
		int r = utf8_next(p, &c);

		if (r < 0)
			return r;
		if (n != RE_NONE)
			append(p, cat, n);
		r = add_char(p, at, c, &n);
		if (r < 0)
			return r;
	}
	p->s += close ? 2 : 0;
	*ret = n;
	return 0;
}

static int parse_piece(struct parser *p, uint32_t cat, uint32_t *ret)
{
	uint32_t min, max;
	const char *at = p->s;
	int r = repeat_op(p, &min, &max);

	if (r != 0)
		return r < 0 ? r : fail(p, at, "missing argument to repetition operator");
	if (p->end - p->s >= 2 && p->s[0] == '\\' && p->s[1] == 'Q')
		r = parse_quoted(p, cat, ret);
	else
		r = parse_atom(p, ret);
	return r < 0 || *ret == RE_NONE ? r : parse_repeat(p, ret);
}

static int parse_cat(struct parser *p, uint32_t *ret)
{
	uint32_t cat;
	int r = node_add(p, (struct re_node){ .op = RE_CAT, .last = RE_NONE }, &cat);

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

static int parse_alt(struct parser *p, uint32_t *ret)
{
	uint32_t alt, cat;
	int r = node_add(p, (struct re_node){ .op = RE_ALT, .last = RE_NONE }, &alt);

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
	struct parser p = { .begin = pattern, .s = pattern, .end = pattern + len, .flags = icase ? F_ICASE : 0, .t = ret, .err = err };
	int r;

	*ret = (struct re_tree){ 0 };
	if (len > REGEX_LEN_MAX)
		return err_set(err, -EINVAL, "an expression of %zu bytes: more than %d", len, REGEX_LEN_MAX);
	r = parse_alt(&p, &ret->root);
	if (r == 0 && p.s < p.end)
		r = fail(&p, p.s, "unexpected ')'");
	if (r < 0)
		re_tree_done(ret);
	return r;
}
