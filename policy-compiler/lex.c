/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/lex.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/ipnet.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(char c)
{
	return is_alpha(c) || is_digit(c) || c == '.';
}

/* The byte at an offset from the present place, or NUL behind the end. */
static char peek(const struct lexer *l, uint32_t i)
{
	return i < l->text->len - l->pos ? l->text->s[l->pos + i] : '\0';
}

static struct span lex_span(const struct lexer *l, uint32_t len)
{
	return text_span(l->text, l->pos, len);
}

static void take(struct lexer *l, struct lex_token *t, enum lex_kind kind, uint32_t len)
{
	t->kind = kind;
	t->off = l->pos;
	t->len = len;
	l->pos += len;
}

/* White space and comments. */
static void skip_blank(struct lexer *l)
{
	for (;;) {
		char c = peek(l, 0);

		if (l->pos < l->text->len && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
			l->pos++;
		} else if (c == '#' || (c == '/' && peek(l, 1) == '/')) {
			while (l->pos < l->text->len && peek(l, 0) != '\n')
				l->pos++;
		} else {
			return;
		}
	}
}

/* ---- literals: each returns 1 when it took a token, 0 when the text is something else, -EINVAL ------------------- */

/* A run of address characters counts as an address when it has two colons, or digits with three dots. */
static uint32_t address_len(const struct lexer *l)
{
	uint32_t n = 0, colons = 0, dots = 0;

	while (is_hex(peek(l, n)) || peek(l, n) == ':' || peek(l, n) == '.') {
		colons += peek(l, n) == ':';
		dots += peek(l, n) == '.';
		n++;
	}
	if (colons >= 2 || (dots == 3 && is_digit(peek(l, 0))))
		return n;
	return 0;
}

static int lex_address(struct lexer *l, struct lex_token *t)
{
	uint32_t n = address_len(l);
	enum lex_kind kind = T_IP;

	if (!n)
		return 0;
	if (peek(l, n) == '/' && is_digit(peek(l, n + 1))) {
		kind = T_CIDR;
		for (n++; is_digit(peek(l, n)); n++)
			;
	}
	if (ipnet_parse(l->text->s + l->pos, n, t->ip) < 0) {
		diag_error(l->diags, lex_span(l, n), "not an address: %.*s", (int)n, l->text->s + l->pos);
		diag_help(l->diags,
			  "write 192.0.2.1, 192.0.2.0/24, 2001:db8::1 or 2001:db8::/32; quote it if text is meant");
		return -EINVAL;
	}
	if (kind == T_IP && ipnet_is_zero(t->ip)) {
		diag_error(l->diags, lex_span(l, n), "the all-zero address is no address of a host");
		diag_help(l->diags, "write 0.0.0.0/32 or ::/128 where the unspecified address is meant");
		return -EINVAL;
	}
	take(l, t, kind, n);
	return 1;
}

/* ${name} and %{name}; with anything else between the braces it is an error, because "$" and "%" begin nothing else. */
static int lex_braced(struct lexer *l, struct lex_token *t)
{
	bool is_field = peek(l, 0) == '%';
	uint32_t n = 2;

	if ((peek(l, 0) != '$' && !is_field) || peek(l, 1) != '{')
		return 0;
	while (is_name(peek(l, n)) || (is_field && (peek(l, n) == '[' || peek(l, n) == ']')))
		n++;
	if (n == 2 || !is_alpha(peek(l, 2)) || peek(l, n) != '}') {
		diag_error(l->diags, lex_span(l, n), "not a name between %c{ and }", peek(l, 0));
		diag_help(l->diags, "a name has letters, digits, '_' and '.', and begins with a letter");
		return -EINVAL;
	}
	t->s = l->text->s + l->pos + 2;
	t->slen = n - 2;
	take(l, t, is_field ? T_FIELDREF : T_VAR, n + 1);
	return 1;
}

/* Nanoseconds of the unit at an offset and its length; 0 for no unit. */
static int64_t duration_unit(const struct lexer *l, uint32_t n, uint32_t *ret_len)
{
	*ret_len = 1;
	switch (peek(l, n)) {
	case 'm':
		if (peek(l, n + 1) == 's') {
			*ret_len = 2;
			return 1000000;
		}
		return 60 * 1000000000LL;
	case 's':
		return 1000000000LL;
	case 'h':
		return 3600 * 1000000000LL;
	default:
		return 0;
	}
}

static int lex_overflow(struct lexer *l, uint32_t len, const char *what)
{
	diag_error(l->diags, lex_span(l, len), "%s does not fit 64 bits", what);
	diag_help(l->diags, "the largest number is 9223372036854775807");
	return -EINVAL;
}

/* The digits at an offset; *ret_len says how many. */
static int lex_digits(struct lexer *l, uint32_t at, uint64_t *ret, uint32_t *ret_len)
{
	uint32_t n = at;
	uint64_t v = 0;

	for (; is_digit(peek(l, n)); n++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t)(peek(l, n) - '0'), &v))
			return lex_overflow(l, n + 1, "the number");
	*ret = v;
	*ret_len = n - at;
	return 0;
}

static int lex_duration(struct lexer *l, struct lex_token *t)
{
	uint32_t n = 0, unit_len;
	uint64_t v;
	int64_t unit;

	while (is_digit(peek(l, n)))
		n++;
	unit = n ? duration_unit(l, n, &unit_len) : 0;
	if (!unit || is_name(peek(l, n + unit_len)))
		return 0;
	if (lex_digits(l, 0, &v, &n) < 0)
		return -EINVAL;
	if (v > INT64_MAX || __builtin_mul_overflow((int64_t)v, unit, &t->num))
		return lex_overflow(l, n + unit_len, "the duration");
	take(l, t, T_DURATION, n + unit_len);
	return 1;
}

static int lex_int(struct lexer *l, struct lex_token *t)
{
	uint32_t sign = peek(l, 0) == '-' || peek(l, 0) == '+', n;
	bool minus = peek(l, 0) == '-';
	uint64_t v;

	if (!is_digit(peek(l, sign)))
		return 0;
	if (lex_digits(l, sign, &v, &n) < 0)
		return -EINVAL;
	if (v > (uint64_t)INT64_MAX + minus)
		return lex_overflow(l, sign + n, "the number");
	if (is_name(peek(l, sign + n))) {
		diag_error(l->diags, lex_span(l, sign + n + 1), "a number goes over into a name");
		if (v == 0 && (peek(l, sign + n) | 32) == 'x' && is_hex(peek(l, sign + n + 1)))
			diag_help(l->diags, "numbers are decimal: write %llu",
				  strtoull(l->text->s + l->pos + sign, NULL, 16));
		diag_help(l->diags, "numbers are decimal; units of time are ms, s, m and h; text needs quotes");
		return -EINVAL;
	}
	t->num = minus ? (int64_t)(0 - v) : (int64_t)v;
	take(l, t, T_INT, sign + n);
	return 1;
}

/* "…", ~"…" and r"…" */
static int lex_string(struct lexer *l, struct lex_token *t, char prefix, enum lex_kind kind)
{
	uint32_t begin = prefix ? 2 : 1, n = begin;

	if ((prefix && peek(l, 0) != prefix) || peek(l, begin - 1) != '"')
		return 0;
	while (l->pos + n < l->text->len && peek(l, n) != '"')
		n += peek(l, n) == '\\' ? 2 : 1;
	if (l->pos + n >= l->text->len) {
		diag_error(l->diags, lex_span(l, begin), "the string does not end");
		diag_help(l->diags, "close it with \"; a \\ before the \" keeps it open");
		return -EINVAL;
	}
	t->s = l->text->s + l->pos + begin;
	t->slen = n - begin;
	take(l, t, kind, n + 1);
	return 1;
}

/* A name; [A] in it belongs to it. */
static int lex_ident(struct lexer *l, struct lex_token *t)
{
	static const struct {
		const char *word;
		enum lex_kind kind;
	} words[] = { { "and", T_AND }, { "or", T_OR }, { "not", T_NOT }, { "in", T_IN }, { "allin", T_ALLIN } };
	uint32_t n = 0, m;

	if (!is_alpha(peek(l, 0)))
		return 0;
	for (;;) {
		while (is_name(peek(l, n)))
			n++;
		for (m = n + 1; peek(l, n) == '[' && is_name(peek(l, m)); m++)
			;
		if (peek(l, n) != '[' || peek(l, m) != ']')
			break;
		n = m + 1;
	}
	t->s = l->text->s + l->pos;
	t->slen = n;
	take(l, t, T_IDENT, n);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].word) == n && memcmp(words[i].word, t->s, n) == 0) {
			t->kind = words[i].kind;
			t->word = true;
		}
	return 1;
}

/* ---- punctuation ------------------------------------------------------------------------------------------------- */

static const struct punct {
	char s[3];
	enum lex_kind kind;
} puncts[] = {
	/* the longer ones first */
	{ "==", T_EQ },	    { "!=", T_NE },    { "<=", T_LE },	  { ">=", T_GE },      { "=~", T_MATCH },
	{ "!~", T_NMATCH }, { "&&", T_AND },   { "||", T_OR },	  { "<", T_LT },       { ">", T_GT },
	{ "!", T_NOT },	    { "(", T_LPAREN }, { ")", T_RPAREN }, { "[", T_LBRACKET }, { "]", T_RBRACKET },
	{ ",", T_COMMA },   { "+", T_PLUS },   { "-", T_MINUS },  { "&", T_BAND },     { "|", T_BOR },
	{ "^", T_CARET },
};

static int lex_punct(struct lexer *l, struct lex_token *t)
{
	for (size_t i = 0; i < sizeof(puncts) / sizeof(puncts[0]); i++) {
		const struct punct *p = &puncts[i];

		if (peek(l, 0) == p->s[0] && (!p->s[1] || peek(l, 1) == p->s[1])) {
			take(l, t, p->kind, p->s[1] ? 2 : 1);
			return 1;
		}
	}
	return 0;
}

static int lex_nothing(struct lexer *l)
{
	char c = peek(l, 0);

	if (c > ' ' && c < 0x7f)
		diag_error(l->diags, lex_span(l, 1), "nothing begins with '%c'", c);
	else
		diag_error(l->diags, lex_span(l, 1), "a character (byte 0x%02x) that has no place outside of a string",
			   (unsigned char)c);
	if (c == '\'')
		diag_help(l->diags, "strings have double quotes");
	else if (c == '=' && l->pos && l->text->s[l->pos - 1] == '~')
		diag_help(l->diags, "a pattern is matched by =~");
	else if (c == '=')
		diag_help(l->diags, "equality is ==");
	else if (c == '~' && peek(l, 1) == '=')
		diag_help(l->diags, "a pattern is matched by =~");
	else if (c == '\\')
		diag_help(l->diags, "a line goes on without a \\");
	else if (c == ';')
		diag_help(l->diags, "a rule is one expression: join conditions by && or ||");
	else
		diag_help(l->diags, "text needs double quotes");
	return -EINVAL;
}

int lex_next(struct lexer *l, struct lex_token *ret)
{
	struct lex_token t = { 0 };
	int r;

	skip_blank(l);
	if (l->pos >= l->text->len) {
		take(l, &t, T_END, 0);
		*ret = t;
		return 0;
	}
	r = lex_address(l, &t);
	if (r == 0)
		r = lex_braced(l, &t);
	if (r == 0)
		r = lex_duration(l, &t);
	if (r == 0)
		r = lex_string(l, &t, 'r', T_REGEX);
	if (r == 0)
		r = lex_ident(l, &t);
	if (r == 0)
		r = lex_string(l, &t, '\0', T_STRING);
	if (r == 0)
		r = lex_string(l, &t, '~', T_PATTERN);
	if (r == 0)
		r = lex_int(l, &t);
	if (r == 0)
		r = lex_punct(l, &t);
	if (r == 0)
		r = lex_nothing(l);
	if (r < 0)
		return r;
	*ret = t;
	return 0;
}
