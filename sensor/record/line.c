/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/line.h"
#include "lib/jsonw.h"

#include <endian.h>
#include <stdlib.h>
#include <time.h>

#define LINE_DEPTH   64 /* nesting that is followed; alerts have about six levels */
#define LINE_MEMBERS 24 /* of a record that are remembered; alerts have about eight */

/* ---- time ---- */

static void line_digits(char *at, uint64_t v, int n)
{
	for (; n > 0; v /= 10)
		at[--n] = (char)('0' + v % 10);
}

/* Days since 1970 to a date, by years that begin in March, so that the leap day is a year's last. */
static void line_date(uint64_t days, char *ret)
{
	uint64_t z = days + 719468, era = z / 146097, doe = z % 146097;
	uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	uint64_t mp = (5 * doy + 2) / 153, month = mp < 10 ? mp + 3 : mp - 9;

	line_digits(ret, yoe + era * 400 + (month <= 2), 4);
	line_digits(ret + 5, month, 2);
	line_digits(ret + 8, doy - (153 * mp + 2) / 5 + 1, 2);
}

void line_time(uint64_t ns, char ret[LINE_TIME_SIZE])
{
	uint64_t s = ns / 1000000000;

	memcpy(ret, "0000-00-00T00:00:00.000000000Z", LINE_TIME_SIZE);
	line_date(s / 86400, ret);
	line_digits(ret + 11, s / 3600 % 24, 2);
	line_digits(ret + 14, s / 60 % 60, 2);
	line_digits(ret + 17, s % 60, 2);
	line_digits(ret + 20, ns % 1000000000, 9);
}

int line_time_ns(struct line_str text, uint64_t *ret)
{
	char copy[LINE_TIME_SIZE], again[LINE_TIME_SIZE];
	struct tm tm = { 0 };
	unsigned long ns;
	time_t s;

	if (text.n != LINE_TIME_SIZE - 1)
		return -EBADMSG;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	if (!strptime(copy, "%Y-%m-%dT%H:%M:%S.", &tm))
		return -EBADMSG;
	ns = strtoul(copy + sizeof("2026-11-20T12:00:00.") - 1, NULL, 10);
	s = timegm(&tm);
	if (s < 0 || ns > 999999999)
		return -EBADMSG;
	*ret = (uint64_t)s * 1000000000 + ns;
	/* one time, one spelling */
	line_time(*ret, again);
	return strcmp(again, copy) == 0 ? 0 : -EBADMSG;
}

/* ---- scanning JSON ---- */

static int line_byte(struct rd *r, uint8_t want)
{
	if (!r->left || *r->p != want)
		return -EBADMSG;
	return rd_skip(r, 1);
}

static int line_escape(struct rd *r)
{
	uint8_t c;

	if (rd_u8(r, &c) < 0)
		return -EBADMSG;
	if (c != 'u')
		return memchr("\"\\/bfnrt", c, 8) ? 0 : -EBADMSG;
	for (int i = 0; i < 4; i++)
		if (rd_u8(r, &c) < 0 || !memchr("0123456789abcdefABCDEF", c, 22))
			return -EBADMSG;
	return 0;
}

#define LINE_ONES 0x0101010101010101ull
#define LINE_HIGH 0x8080808080808080ull

/* How many of the eight bytes are plain text of a string: no quote, no backslash, no control character. */
static size_t line_plain(const uint8_t *p)
{
	uint64_t w, quote, slash, special;

	memcpy(&w, p, sizeof(w));
	w = le64toh(w);
	quote = w ^ (LINE_ONES * '"');
	slash = w ^ (LINE_ONES * '\\');
	/* a borrow sets the high bit of what is zero, or below 0x20; it reaches only bytes behind the first such */
	special = ((quote - LINE_ONES) & ~quote) | ((slash - LINE_ONES) & ~slash) | ((w - LINE_ONES * 0x20) & ~w);
	special &= LINE_HIGH;
	return special ? (size_t)__builtin_ctzll(special) / 8 : sizeof(w);
}

static int line_skip_string(struct rd *r)
{
	uint8_t c;

	if (line_byte(r, '"') < 0)
		return -EBADMSG;
	for (;;) {
		size_t n = sizeof(uint64_t);

		/* most of a log is text in strings */
		while (n == sizeof(uint64_t) && r->left >= n) {
			n = line_plain(r->p);
			rd_skip(r, n);
		}
		if (rd_u8(r, &c) < 0)
			return -EBADMSG;
		if (c == '"')
			return 0;
		if (c < 0x20 || (c == '\\' && line_escape(r) < 0))
			return -EBADMSG;
	}
}

static int line_skip_digits(struct rd *r)
{
	const uint8_t *start = r->p;

	while (r->left && *r->p >= '0' && *r->p <= '9')
		rd_skip(r, 1);
	return r->p == start ? -EBADMSG : 0;
}

static int line_skip_number(struct rd *r)
{
	line_byte(r, '-');
	if (line_skip_digits(r) < 0)
		return -EBADMSG;
	if (line_byte(r, '.') == 0 && line_skip_digits(r) < 0)
		return -EBADMSG;
	if (line_byte(r, 'e') < 0)
		return 0;
	if (line_byte(r, '+') < 0)
		line_byte(r, '-');
	return line_skip_digits(r);
}

static int line_skip_word(struct rd *r, const char *word)
{
	for (; *word; word++)
		if (line_byte(r, (uint8_t)*word) < 0)
			return -EBADMSG;
	return 0;
}

static int line_skip_scalar(struct rd *r)
{
	switch (r->left ? *r->p : 0) {
	case '"':
		return line_skip_string(r);
	case 't':
		return line_skip_word(r, "true");
	case 'f':
		return line_skip_word(r, "false");
	case 'n':
		return line_skip_word(r, "null");
	default:
		return line_skip_number(r);
	}
}

/* Past "key": within an object. */
static int line_skip_key(struct rd *r)
{
	return line_skip_string(r) < 0 ? -EBADMSG : line_byte(r, ':');
}

/* One value of any kind. No recursion: a stack of brackets, so that deep nesting costs nothing and ends in an error. */
static int line_skip_value(struct rd *r)
{
	uint8_t shut[LINE_DEPTH];
	size_t depth = 0;

	for (;;) {
		uint8_t c = r->left ? *r->p : 0;
		bool opens = c == '{' || c == '[', empty = false;

		if (opens) {
			if (depth == LINE_DEPTH)
				return -EBADMSG;
			shut[depth++] = c == '{' ? '}' : ']';
			rd_skip(r, 1);
			empty = r->left && *r->p == shut[depth - 1];
		} else if (line_skip_scalar(r) < 0) {
			return -EBADMSG;
		}
		/* a value is over (or a bracket just opened): shut what shuts here, then on to the next value */
		if (!opens || empty) {
			while (depth && line_byte(r, shut[depth - 1]) == 0)
				depth--;
			if (!depth)
				return 0;
			if (line_byte(r, ',') < 0)
				return -EBADMSG;
		}
		if (shut[depth - 1] == '}' && line_skip_key(r) < 0)
			return -EBADMSG;
	}
}

/* ---- members ---- */

struct line_iter {
	struct rd r;
	struct line_str key, value; /* the key between its quotes, the raw value */
	bool started;
};

/* 1 for a member, 0 at the object's end, -EBADMSG. */
static int line_next(struct line_iter *it)
{
	const uint8_t *from;

	if (line_byte(&it->r, it->started ? ',' : '{') < 0)
		return it->started && line_byte(&it->r, '}') == 0 && !it->r.left ? 0 : -EBADMSG;
	if (!it->started && it->r.left == 1 && *it->r.p == '}')
		return 0;
	it->started = true;
	from = it->r.p + 1;
	if (line_skip_key(&it->r) < 0)
		return -EBADMSG;
	it->key = (struct line_str){ (const char *)from, (size_t)(it->r.p - from) - 2 };
	from = it->r.p;
	if (line_skip_value(&it->r) < 0)
		return -EBADMSG;
	it->value = (struct line_str){ (const char *)from, (size_t)(it->r.p - from) };
	return 1;
}

bool line_str_is(struct line_str s, const char *text)
{
	return s.n == strlen(text) && !memcmp(s.p, text, s.n);
}

static bool line_str_less(struct line_str a, struct line_str b)
{
	int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return c < 0 || (c == 0 && a.n < b.n);
}

int line_member(struct line_str object, const char *key, struct line_str *ret)
{
	struct line_iter it = { .r = rd_of(object.p, object.n) };
	int r;

	while ((r = line_next(&it)) > 0) {
		if (line_str_is(it.key, key)) {
			*ret = it.value;
			return 0;
		}
	}
	return r < 0 ? r : -ENOENT;
}

int line_value_u64(struct line_str value, uint64_t *ret)
{
	uint64_t v = 0;

	/* beyond 2^53-1 the digits are in quotes, see lib/jsonw.h */
	if (value.n > 2 && value.p[0] == '"')
		value = (struct line_str){ value.p + 1, value.n - 2 };
	if (!value.n || value.n > 20)
		return -EBADMSG;
	for (size_t i = 0; i < value.n; i++) {
		uint64_t digit = (uint64_t)(value.p[i] - '0');

		if (value.p[i] < '0' || value.p[i] > '9' || v > (UINT64_MAX - digit) / 10)
			return -EBADMSG;
		v = v * 10 + digit;
	}
	*ret = v;
	return 0;
}

int line_value_str(struct line_str value, struct line_str *ret)
{
	if (value.n < 2 || value.p[0] != '"' || memchr(value.p, '\\', value.n))
		return -EBADMSG;
	*ret = (struct line_str){ value.p + 1, value.n - 2 };
	return 0;
}

/* Takes note of a member that every record has; *seen gets a bit for it. */
static int line_take(struct line *l, const struct line_iter *it, unsigned *seen)
{
	uint64_t v;

	if (line_str_is(it->key, "host"))
		return *seen |= 1, line_value_str(it->value, &l->host);
	if (line_str_is(it->key, "kind"))
		return *seen |= 2, line_value_str(it->value, &l->kind);
	if (line_str_is(it->key, "seq"))
		return *seen |= 4, line_value_u64(it->value, &l->seq);
	if (line_str_is(it->key, "time"))
		return *seen |= 8, line_value_str(it->value, &l->time);
	if (line_str_is(it->key, "v"))
		return *seen |= 16, line_value_u64(it->value, &v) < 0 || v != 1 ? -EBADMSG : 0;
	return 0;
}

int line_parse(const char *p, size_t n, struct line *ret)
{
	struct line_iter it = { .r = rd_of(p, n) };
	struct line_str last = { NULL, 0 }, key[LINE_MEMBERS], value[LINE_MEMBERS];
	struct line l = { 0 };
	unsigned seen = 0;
	char kind[16];
	size_t members = 0;
	int r;

	while ((r = line_next(&it)) > 0) {
		if (last.p && !line_str_less(last, it.key))
			return -EBADMSG;
		last = it.key;
		if (members < LINE_MEMBERS) {
			key[members] = it.key;
			value[members++] = it.value;
		}
		r = line_take(&l, &it, &seen);
		if (r < 0)
			return r;
	}
	if (r < 0 || seen != 31 || !l.seq || l.kind.n >= sizeof(kind))
		return -EBADMSG;
	memcpy(kind, l.kind.p, l.kind.n);
	kind[l.kind.n] = '\0';
	for (size_t i = 0; i < members; i++)
		if (line_str_is(key[i], kind))
			l.body = value[i];
	if (members == LINE_MEMBERS)
		line_member((struct line_str){ p, n }, kind, &l.body);
	*ret = l;
	return 0;
}

/* ---- rendering ---- */

/* Before which of the fixed members the details' own key sorts. */
static void line_details(struct jsonw *w, const char *kind, struct line_str details, const char *after,
			 const char *before)
{
	if (strcmp(kind, after) <= 0 || (before && strcmp(kind, before) > 0))
		return;
	jsonw_key(w, kind);
	jsonw_raw(w, details.p, details.n);
}

void line_render(struct buf *b, const char *kind, const char *host, uint64_t seq, const char *time,
		 struct line_str details)
{
	struct jsonw w = jsonw_to(b);

	jsonw_obj_begin(&w);
	line_details(&w, kind, details, "", "host");
	jsonw_member_str(&w, "host", host);
	line_details(&w, kind, details, "host", "kind");
	jsonw_member_str(&w, "kind", kind);
	line_details(&w, kind, details, "kind", "seq");
	jsonw_member_u64(&w, "seq", seq);
	line_details(&w, kind, details, "seq", "time");
	jsonw_member_str(&w, "time", time);
	line_details(&w, kind, details, "time", NULL);
	jsonw_member_u64(&w, "v", 1);
	jsonw_obj_end(&w);
}
