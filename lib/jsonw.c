/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/jsonw.h"

/*
 * What a byte in a string needs: 0 nothing, 'u' a \u00XX escape, '8' a look at UTF-8, else the letter behind the
 * backslash.
 */
static const uint8_t jsonw_escape[256] = {
	[0x00 ... 0x07] = 'u', ['\b'] = 'b',	      ['\t'] = 't', ['\n'] = 'n',  [0x0b] = 'u',	  ['\f'] = 'f',
	['\r'] = 'r',	       [0x0e ... 0x1f] = 'u', ['"'] = '"',  ['\\'] = '\\', [0x80 ... 0xff] = '8',
};

static const char jsonw_hex[] = "0123456789abcdef";

static void jsonw_comma(struct jsonw *w)
{
	if (w->comma)
		buf_putc(w->b, ',');
	w->comma = true;
}

static void jsonw_open(struct jsonw *w, uint8_t bracket)
{
	jsonw_comma(w);
	buf_putc(w->b, bracket);
	w->comma = false;
}

static void jsonw_shut(struct jsonw *w, uint8_t bracket)
{
	buf_putc(w->b, bracket);
	w->comma = true;
}

void jsonw_obj_begin(struct jsonw *w)
{
	jsonw_open(w, '{');
}

void jsonw_obj_end(struct jsonw *w)
{
	jsonw_shut(w, '}');
}

void jsonw_arr_begin(struct jsonw *w)
{
	jsonw_open(w, '[');
}

void jsonw_arr_end(struct jsonw *w)
{
	jsonw_shut(w, ']');
}

void jsonw_key(struct jsonw *w, const char *key)
{
	size_t n = strlen(key);
	uint8_t *out;

	if (buf_room(w->b, n + 4) < 0)
		return;
	out = w->b->data + w->b->len;
	if (w->comma)
		*out++ = ',';
	*out++ = '"';
	memcpy(out, key, n);
	out += n;
	*out++ = '"';
	*out++ = ':';
	w->b->len = (size_t)(out - w->b->data);
	w->comma = false;
}

/* Bytes at the start of p that stand for themselves. Eight at a time, then the table finds the exact end. */
static size_t jsonw_plain(const uint8_t *p, size_t n)
{
	const uint64_t ones = 0x0101010101010101ull, tops = 0x8080808080808080ull;
	size_t i = 0;

	for (; n - i >= 8; i += 8) {
		uint64_t v, quote, slash;

		memcpy(&v, p + i, 8);
		quote = v ^ ones * '"';
		slash = v ^ ones * '\\';
		/* a top bit for each byte below 0x20, equal to a quote or backslash (now zero), or above 0x7f */
		if (((v - ones * 0x20) | (quote - ones) | (slash - ones) | v) & tops)
			break;
	}
	while (i < n && !jsonw_escape[p[i]])
		i++;
	return i;
}

static bool jsonw_tail_byte(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

size_t jsonw_utf8_len(const uint8_t *p, size_t n)
{
	uint8_t c = p[0];

	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4 || n < 2 || !jsonw_tail_byte(p[1]))
		return 0;
	if (c < 0xe0)
		return 2;
	if (n < 3 || !jsonw_tail_byte(p[2]))
		return 0;
	if (c < 0xf0)
		return (c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) ? 0 : 3;
	if (n < 4 || !jsonw_tail_byte(p[3]))
		return 0;
	return (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f) ? 0 : 4;
}

static bool jsonw_is_hex(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* Does the value itself look like one of our \xHH? */
static bool jsonw_looks_escaped(const uint8_t *p, size_t n)
{
	return n >= 4 && p[0] == '\\' && p[1] == 'x' && jsonw_is_hex(p[2]) && jsonw_is_hex(p[3]);
}

/* A byte as the text \xHH, whose backslash is itself escaped. */
static void jsonw_byte(struct buf *b, uint8_t c)
{
	const char text[5] = { '\\', '\\', 'x', jsonw_hex[c >> 4], jsonw_hex[c & 15] };

	buf_put(b, text, sizeof(text));
}

/* One or more bytes that do not stand for themselves; returns how many were dealt with. */
static size_t jsonw_special(struct buf *b, const uint8_t *p, size_t n, bool verbatim)
{
	uint8_t kind = jsonw_escape[p[0]];
	size_t len;

	if (kind == '8') {
		len = jsonw_utf8_len(p, n);
		if (len)
			buf_put(b, p, len);
		else if (verbatim)
			b->error = b->error ? b->error : -EILSEQ;
		else
			jsonw_byte(b, p[0]);
		return len ? len : 1;
	}
	if (kind == 'u') {
		const char text[6] = { '\\', 'u', '0', '0', jsonw_hex[p[0] >> 4], jsonw_hex[p[0] & 15] };

		buf_put(b, text, sizeof(text));
	} else if (!verbatim && jsonw_looks_escaped(p, n)) {
		jsonw_byte(b, '\\');
	} else {
		const uint8_t text[2] = { '\\', kind };

		buf_put(b, text, sizeof(text));
	}
	return 1;
}

static void jsonw_quote(struct jsonw *w, const uint8_t *p, size_t n, bool verbatim)
{
	size_t run;

	jsonw_comma(w);
	buf_putc(w->b, '"');
	while (n) {
		run = jsonw_plain(p, n);
		buf_put(w->b, p, run);
		p += run;
		n -= run;
		if (!n)
			break;
		run = jsonw_special(w->b, p, n, verbatim);
		p += run;
		n -= run;
	}
	buf_putc(w->b, '"');
}

void jsonw_str(struct jsonw *w, const void *p, size_t n)
{
	jsonw_quote(w, p, n, false);
}

static uint8_t jsonw_digit(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

void jsonw_bytes(struct buf *b, const char *s)
{
	size_t left = strlen(s);

	while (left) {
		bool escaped = jsonw_looks_escaped((const uint8_t *)s, left);
		size_t n = escaped ? 4 : 1;

		buf_putc(b, escaped ? (uint8_t)(jsonw_digit(s[2]) << 4 | jsonw_digit(s[3])) : (uint8_t)*s);
		s += n;
		left -= n;
	}
}

void jsonw_cstr(struct jsonw *w, const char *s)
{
	jsonw_quote(w, (const uint8_t *)s, strlen(s), false);
}

void jsonw_text(struct jsonw *w, const void *p, size_t n)
{
	jsonw_quote(w, p, n, true);
}

void jsonw_key_str(struct jsonw *w, const void *p, size_t n)
{
	jsonw_quote(w, p, n, false);
	buf_putc(w->b, ':');
	w->comma = false;
}

static void jsonw_digits(struct jsonw *w, uint64_t magnitude, bool negative)
{
	bool quoted = magnitude > (uint64_t)JSONW_INT_MAX;

	jsonw_comma(w);
	if (quoted)
		buf_putc(w->b, '"');
	if (negative)
		buf_putc(w->b, '-');
	buf_put_dec(w->b, magnitude);
	if (quoted)
		buf_putc(w->b, '"');
}

void jsonw_int(struct jsonw *w, int64_t v)
{
	jsonw_digits(w, v < 0 ? -(uint64_t)v : (uint64_t)v, v < 0);
}

void jsonw_u64(struct jsonw *w, uint64_t v)
{
	jsonw_digits(w, v, false);
}

void jsonw_bool(struct jsonw *w, bool v)
{
	jsonw_raw(w, v ? "true" : "false", v ? 4 : 5);
}

void jsonw_null(struct jsonw *w)
{
	jsonw_raw(w, "null", 4);
}

void jsonw_raw(struct jsonw *w, const void *p, size_t n)
{
	jsonw_comma(w);
	buf_put(w->b, p, n);
}

void jsonw_member_str(struct jsonw *w, const char *key, const char *s)
{
	jsonw_key(w, key);
	jsonw_cstr(w, s);
}

void jsonw_member_int(struct jsonw *w, const char *key, int64_t v)
{
	jsonw_key(w, key);
	jsonw_int(w, v);
}

void jsonw_member_u64(struct jsonw *w, const char *key, uint64_t v)
{
	jsonw_key(w, key);
	jsonw_u64(w, v);
}

void jsonw_member_bool(struct jsonw *w, const char *key, bool v)
{
	jsonw_key(w, key);
	jsonw_bool(w, v);
}
