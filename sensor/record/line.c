/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/line.h"
#include "lib/jsonw.h"
#include "sensor/record/jsonscan.h"

#include <stdlib.h>
#include <time.h>

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

/* ---- members ---- */

bool line_str_is(struct line_str s, const char *text)
{
	return s.n == strlen(text) && !memcmp(s.p, text, s.n);
}

static bool line_str_less(struct line_str a, struct line_str b)
{
	int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return c < 0 || (c == 0 && a.n < b.n);
}

struct line_want {
	const char *key;
	struct line_str value; /* p: NULL until it was found */
};

static int line_on_wanted(void *ctx, const char *key, size_t key_n, const char *value, size_t value_n)
{
	struct line_want *w = ctx;

	if (!w->value.p && line_str_is((struct line_str){ key, key_n }, w->key))
		w->value = (struct line_str){ value, value_n };
	return 0;
}

int line_member(struct line_str object, const char *key, struct line_str *ret)
{
	struct line_want w = { .key = key };
	int r = jsonscan(object.p, object.n, line_on_wanted, &w);

	if (r < 0)
		return r;
	if (!w.value.p)
		return -ENOENT;
	*ret = w.value;
	return 0;
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

struct line_parser {
	struct line l;
	struct line_str last; /* the key before */
	unsigned int seen;    /* of the members that every record has, a bit each */
	struct line_str key[LINE_MEMBERS], value[LINE_MEMBERS];
	size_t members;
};

static int line_on_member(void *ctx, const char *key_p, size_t key_n, const char *value_p, size_t value_n)
{
	struct line_str key = { key_p, key_n }, value = { value_p, value_n };
	struct line_parser *lp = ctx;
	uint64_t v;

	if (lp->last.p && !line_str_less(lp->last, key))
		return -EBADMSG;
	lp->last = key;
	if (lp->members < LINE_MEMBERS) {
		lp->key[lp->members] = key;
		lp->value[lp->members++] = value;
	}
	if (line_str_is(key, "host"))
		return lp->seen |= 1, line_value_str(value, &lp->l.host);
	if (line_str_is(key, "kind"))
		return lp->seen |= 2, line_value_str(value, &lp->l.kind);
	if (line_str_is(key, "seq"))
		return lp->seen |= 4, line_value_u64(value, &lp->l.seq);
	if (line_str_is(key, "time"))
		return lp->seen |= 8, line_value_str(value, &lp->l.time);
	if (line_str_is(key, "v"))
		return lp->seen |= 16, line_value_u64(value, &v) < 0 || v != 1 ? -EBADMSG : 0;
	return 0;
}

int line_parse(const char *p, size_t n, struct line *ret)
{
	struct line_parser lp;
	char kind[16];
	int r;

	lp.l = (struct line){ .seq = 0 };
	lp.last.p = NULL;
	lp.seen = 0;
	lp.members = 0;
	r = jsonscan(p, n, line_on_member, &lp);
	if (r < 0 || lp.seen != 31 || !lp.l.seq || lp.l.kind.n >= sizeof(kind))
		return -EBADMSG;
	memcpy(kind, lp.l.kind.p, lp.l.kind.n);
	kind[lp.l.kind.n] = '\0';
	for (size_t i = 0; i < lp.members; i++)
		if (line_str_is(lp.key[i], kind))
			lp.l.body = lp.value[i];
	if (lp.members == LINE_MEMBERS)
		line_member((struct line_str){ p, n }, kind, &lp.l.body);
	*ret = lp.l;
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
