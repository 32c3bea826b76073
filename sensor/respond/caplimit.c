/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/respond/caplimit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

bool caprate_take(struct caprate *r, uint32_t most, uint64_t now_ns)
{
	if (!r->n || now_ns - r->since_ns >= CAPLIMIT_PERIOD_NS)
		*r = (struct caprate){ .since_ns = now_ns };
	if (r->n >= most)
		return false;
	r->n++;
	return true;
}

static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c == '.' || c == '-';
}

void capname_put(char *ret, int64_t time_s, const char *rule, size_t len, uint64_t number)
{
	char id[CAPLIMIT_NAME_RULE + 1], when[32];
	time_t t = (time_t)time_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || tm.tm_year < 0 || tm.tm_year > 9999 - 1900)
		memset(&tm, 0, sizeof(tm));
	snprintf(when, sizeof(when), "%04d%02d%02dT%02d%02d%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		 tm.tm_hour, tm.tm_min, tm.tm_sec);
	len = len < CAPLIMIT_NAME_RULE ? len : CAPLIMIT_NAME_RULE;
	for (size_t i = 0; i < len; i++)
		id[i] = is_plain(rule[i]) ? rule[i] : '_';
	id[len] = '\0';
	snprintf(ret, CAPLIMIT_NAME_MAX, "%s-%s-%" PRIu64 CAPLIMIT_SUFFIX, when, id, number);
}

bool capname_is(const char *name)
{
	static const char form[] = "00000000T000000Z-";
	const size_t head = sizeof(form) - 1, tail = sizeof(CAPLIMIT_SUFFIX) - 1;
	size_t len = strnlen(name, CAPLIMIT_NAME_MAX);

	if (len >= CAPLIMIT_NAME_MAX || len <= head + tail || strcmp(name + len - tail, CAPLIMIT_SUFFIX) != 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if (i < head && form[i] != '0' ? name[i] != form[i]
		    : i < head		       ? name[i] < '0' || name[i] > '9'
					       : !is_plain(name[i]))
			return false;
	return true;
}
