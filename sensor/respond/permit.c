/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/respond/permit.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *name;
	enum act_kind kind;
} words[] = {
	{ "kill", ACT_KILL },
	{ "hash", ACT_HASH },
	{ "deny", ACT_DENY },
	{ "capture", ACT_CAPTURE },
};

bool permit_needed(enum act_kind kind)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].kind == kind)
			return true;
	return false;
}

static int parse_kinds(const char *s, size_t len, uint32_t *ret, struct err *e)
{
	*ret = 0;
	for (size_t at = 0; at <= len;) {
		const char *comma = memchr(s + at, ',', len - at);
		size_t n = comma ? (size_t)(comma - s) - at : len - at, i = 0;

		while (i < sizeof(words) / sizeof(words[0]) &&
		       (strlen(words[i].name) != n || memcmp(words[i].name, s + at, n) != 0))
			i++;
		if (i == sizeof(words) / sizeof(words[0]))
			return err_set(e, -EINVAL,
				       "there is no action '%.*s' to allow: there are capture, deny, hash and kill",
				       (int)n, s + at);
		*ret |= 1u << words[i].kind;
		at += n + 1;
	}
	return 0;
}

static int parse_row(struct permit *p, const char *s, size_t len, struct err *e)
{
	const char *equals = memrchr(s, '=', len);
	size_t name = equals ? (size_t)(equals - s) : 0;

	if (!name)
		return err_set(e, -EINVAL, "'%.*s' is not of the form POLICY=ACTION,...", (int)len, s);
	if (name >= PERMIT_NAME)
		return err_set(e, -EINVAL, "the name of a policy is longer than %d bytes", PERMIT_NAME - 1);
	if (p->n == PERMIT_ROWS)
		return err_set(e, -EINVAL, "more than %d policies", PERMIT_ROWS);
	memcpy(p->rows[p->n].policy, s, name);
	p->rows[p->n].policy[name] = 0;
	return parse_kinds(equals + 1, len - name - 1, &p->rows[p->n++].kinds, e);
}

int permit_parse(const char *text, struct permit *ret, struct err *e)
{
	struct permit p = { .n = 0 };
	int r = 0;

	while (text && *text && r == 0) {
		size_t n = strcspn(text, " ");

		if (n)
			r = parse_row(&p, text, n, e);
		text += n + (text[n] == ' ');
	}
	*ret = p;
	return r;
}

bool permit_allows(const struct permit *p, const char *policy, size_t len, enum act_kind kind)
{
	for (uint32_t i = 0; i < p->n; i++)
		if ((p->rows[i].kinds & 1u << kind) &&
		    (strcmp(p->rows[i].policy, "*") == 0 ||
		     (strlen(p->rows[i].policy) == len && memcmp(p->rows[i].policy, policy, len) == 0)))
			return true;
	return false;
}

bool permit_any(const struct permit *p, enum act_kind kind)
{
	for (uint32_t i = 0; i < p->n; i++)
		if (p->rows[i].kinds & 1u << kind)
			return true;
	return false;
}
