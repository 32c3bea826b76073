/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/jsonscan.h"
#include "lib/buf.h"
#include "sensor/record/jsonmask.h"

#include <stdbool.h>

#define JSONSCAN_BATCH 32 /* blocks of which the masks are made at once */

/* Bytes outside of strings by what they are; bit i is byte i of the block. */
struct jsonscan_class {
	uint64_t key_end; /* the closing quote of a key */
	uint64_t colon, comma;
	uint64_t object_comma; /* of these, those between members */
	uint64_t open, brace;  /* { and [; of these, { */
	uint64_t scalar;       /* of a number or a word */
	uint64_t scalar_begin;
	uint64_t zero; /* of these, the digit 0 */
	uint64_t end;  /* a value's last byte, or any byte of a scalar */
};

struct jsonscan {
	const uint8_t *p;
	size_t n, base; /* base: where the present block begins */
	jsonscan_member member;
	void *ctx;

	/* how the block before ended */
	struct jsonscan_class before;
	uint64_t in_string;	  /* all ones or none */
	uint64_t escaped, in_key; /* 0 or 1 */

	uint64_t stack; /* the brackets that are open, the innermost in bit 0: 1 is { */
	unsigned int depth;
	size_t scalar_end;		     /* scalars before this were looked at */
	size_t key_from, key_to, value_from; /* of the member at hand; value_from 0: there is none */
};

/* ---- by the byte ---- */

/* The byte at `at` is a backslash that is not escaped itself. */
static bool jsonscan_escape(const struct jsonscan *s, size_t at)
{
	static const char hex[] = "0123456789abcdefABCDEF";
	uint8_t c = at + 1 < s->n ? s->p[at + 1] : 0;

	if (c != 'u')
		return c && memchr("\"\\/bfnrt", c, 8);
	if (s->n - at < 6)
		return false;
	for (int i = 2; i < 6; i++)
		if (!memchr(hex, s->p[at + i], sizeof(hex) - 1))
			return false;
	return true;
}

static bool jsonscan_byte(struct rd *r, uint8_t want)
{
	return r->left && *r->p == want && rd_skip(r, 1) == 0;
}

static bool jsonscan_digits(struct rd *r)
{
	const uint8_t *start = r->p;

	while (r->left && *r->p >= '0' && *r->p <= '9')
		rd_skip(r, 1);
	return r->p > start;
}

static bool jsonscan_number(struct rd *r)
{
	jsonscan_byte(r, '-');
	if (!jsonscan_byte(r, '0') && !jsonscan_digits(r))
		return false;
	if (jsonscan_byte(r, '.') && !jsonscan_digits(r))
		return false;
	if (!jsonscan_byte(r, 'e'))
		return true;
	if (!jsonscan_byte(r, '+'))
		jsonscan_byte(r, '-');
	return jsonscan_digits(r);
}

static bool jsonscan_word(struct rd *r, const char *word)
{
	size_t n = strlen(word);

	return r->left >= n && !memcmp(r->p, word, n) && rd_skip(r, n) == 0;
}

/* The word or number that has this byte. */
static bool jsonscan_scalar(struct jsonscan *s, size_t at)
{
	struct rd r;

	while (at && !memchr(":,[", s->p[at - 1], 3))
		at--;
	r = rd_of(s->p + at, s->n - at);
	if (!jsonscan_word(&r, "true") && !jsonscan_word(&r, "false") && !jsonscan_word(&r, "null") &&
	    !jsonscan_number(&r))
		return false;
	s->scalar_end = s->n - r.left;
	return r.left && memchr(",]}", *r.p, 3);
}

/* ---- by 64 ---- */

static uint64_t jsonscan_behind(uint64_t now, uint64_t before)
{
	return now << 1 | before >> 63;
}

/* Bit i of the result is the XOR of the bits up to i. */
static uint64_t jsonscan_running(uint64_t x)
{
	x ^= x << 1;
	x ^= x << 2;
	x ^= x << 4;
	x ^= x << 8;
	x ^= x << 16;
	return x ^ x << 32;
}

static unsigned int jsonscan_first(uint64_t x)
{
	return (unsigned int)__builtin_ctzll(x);
}

/* The bytes that are escaped by a backslash before them. */
static bool jsonscan_escapes(struct jsonscan *s, uint64_t slash, uint64_t *ret)
{
	uint64_t escaped = s->escaped;

	s->escaped = 0;
	for (slash &= ~escaped; slash; slash &= slash - 1) {
		uint64_t next = (slash & -slash) << 1;

		if (!jsonscan_escape(s, s->base + jsonscan_first(slash)))
			return false;
		s->escaped = !next;
		escaped |= next;
		slash &= ~next;
	}
	*ret = escaped;
	return true;
}

/*
 * Follows the brackets: which bytes are in an object and not in an array, and which in the outermost one. Without branches,
 * because where brackets are in a block cannot be foretold.
 */
static bool jsonscan_brackets(struct jsonscan *s, uint64_t shut, struct jsonscan_class *c, uint64_t *ret_object,
			      uint64_t *ret_top)
{
	uint64_t object = -(s->stack & 1), top = -(uint64_t)(s->depth == 1), bad = 0;

	for (uint64_t left = c->open | shut; left; left &= left - 1) {
		uint64_t bit = left & -left, on = -bit, opens = (c->open & bit) != 0;
		size_t at = s->base + jsonscan_first(left);
		uint64_t brace = s->p[at] >> 5 & 1; /* { is [ and 0x20 */

		bad |= opens & (s->depth == JSONSCAN_DEPTH);
		bad |= (opens ^ 1) &
		       ((s->depth == 0) | ((s->stack & 1) != brace) | ((s->depth == 1) & (at + 1 != s->n)));
		c->brace |= bit & -(opens & brace);
		s->stack = opens ? s->stack << 1 | brace : s->stack >> 1;
		s->depth += opens ? 1 : -1u;
		object = (object & ~on) | (on & -(s->stack & 1));
		top = (top & ~on) | (on & -(uint64_t)(s->depth == 1));
	}
	*ret_object = object;
	*ret_top = top;
	return !bad;
}

static int jsonscan_emit(const struct jsonscan *s, size_t end)
{
	const char *p = (const char *)s->p;

	return s->member(s->ctx, p + s->key_from, s->key_to - s->key_from, p + s->value_from, end - s->value_from);
}

/* Where members of the object itself begin and end. The grammar was looked at: key, its end and a comma take turns. */
static int jsonscan_members(struct jsonscan *s, uint64_t key, uint64_t key_end, uint64_t comma)
{
	int r = 0;

	for (uint64_t left = key | key_end | comma; r >= 0 && left; left &= left - 1) {
		size_t at = s->base + jsonscan_first(left);
		uint64_t bit = left & -left;

		if (key & bit) {
			s->key_from = at + 1;
		} else if (key_end & bit) {
			s->key_to = at;
			s->value_from = at + 2;
		} else {
			r = jsonscan_emit(s, at);
		}
	}
	return r;
}

static int jsonscan_block(struct jsonscan *s, const struct jsonmask *m, uint64_t valid)
{
	const struct jsonscan_class *b = &s->before;
	uint64_t escaped = 0, quote, in, out, begin, string, string_end, shut, other, object, top, key, keys, bad;
	struct jsonscan_class c = { .brace = 0 };
	bool carry;

	if ((m->slash | s->escaped) && !jsonscan_escapes(s, m->slash & valid, &escaped))
		return -EBADMSG;
	quote = m->quote & ~escaped & valid;
	in = jsonscan_running(quote) ^ s->in_string; /* from the opening quote to before the closing one */
	out = ~in & valid;
	s->in_string = -(in >> 63);
	string = quote & in;
	string_end = quote & out;

	c.colon = m->colon & out;
	c.comma = m->comma & out;
	c.open = m->open & out;
	shut = m->shut & out;
	other = out & ~(string_end | m->colon | m->comma | m->open | m->shut | m->digit);
	c.scalar = (m->digit & out) | other;
	c.scalar_begin = c.scalar & ~jsonscan_behind(c.scalar, b->scalar);
	c.end = string_end | shut | c.scalar;
	if (!jsonscan_brackets(s, shut, &c, &object, &top))
		return -EBADMSG;
	c.object_comma = c.comma & object;

	/* added to the first bit of its string, a key's bit is carried to the closing quote */
	key = string & (jsonscan_behind(c.brace, b->brace) | jsonscan_behind(c.object_comma, b->object_comma));
	carry = __builtin_add_overflow(in, s->in_key, &keys);
	s->in_key = carry | __builtin_add_overflow(keys, key, &keys);
	c.key_end = keys & string_end;

	begin = string | c.open | c.scalar_begin;
	bad = (m->low & valid) | (m->slash & out);
	bad |= begin & ~jsonscan_behind(c.colon | c.comma | c.open, b->colon | b->comma | b->open);
	bad |= c.comma & ~jsonscan_behind(c.end, b->end);
	bad |= shut & ~jsonscan_behind(c.end | c.open, b->end | b->open);
	bad |= c.colon ^ (jsonscan_behind(c.key_end, b->key_end) & valid);
	bad |= jsonscan_behind(c.brace, b->brace) & ~(string | shut) & valid;
	bad |= jsonscan_behind(c.object_comma, b->object_comma) & ~string & valid;
	/* a number of more digits does not begin with 0 */
	c.zero = m->zero & c.scalar_begin;
	bad |= m->digit & jsonscan_behind(c.zero, b->zero) & out;
	for (; !bad && other; other &= other - 1) {
		size_t at = s->base + jsonscan_first(other);

		bad = at >= s->scalar_end && (!jsonscan_scalar(s, at) || at >= s->scalar_end);
	}
	if (bad)
		return -EBADMSG;
	s->before = c;
	return jsonscan_members(s, key & top, c.key_end & top, c.object_comma & top);
}

int jsonscan(const char *p, size_t n, jsonscan_member member, void *ctx)
{
	struct jsonscan s = { .p = (const uint8_t *)p, .n = n, .member = member, .ctx = ctx };
	struct jsonmask mask[JSONSCAN_BATCH];
	uint8_t tail[JSONMASK_BLOCK];

	if (n < 2 || *p != '{')
		return -EBADMSG;
	s.before.colon = 1ull << 63; /* before the text is what may be before a value */
	while (s.base < n) {
		size_t left = n - s.base, blocks = left / JSONMASK_BLOCK;
		uint64_t valid = ~0ull;

		if (blocks) {
			blocks = blocks < JSONSCAN_BATCH ? blocks : JSONSCAN_BATCH;
			jsonmask_of(s.p + s.base, blocks, mask);
		} else {
			memset(tail, 0, sizeof(tail));
			memcpy(tail, s.p + s.base, left);
			jsonmask_of(tail, 1, mask);
			valid = (1ull << left) - 1;
			blocks = 1;
		}
		for (size_t i = 0; i < blocks; i++, s.base += JSONMASK_BLOCK) {
			int r = jsonscan_block(&s, &mask[i], valid);

			if (r < 0)
				return r;
		}
	}
	if (s.depth)
		return -EBADMSG;
	return s.value_from ? jsonscan_emit(&s, n - 1) : 0;
}
