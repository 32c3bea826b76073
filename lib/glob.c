/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/glob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ascii.h"

static bool same(const char *a, const char *b, size_t n, bool icase)
{
	return icase ? ascii_same(a, b, n) : memcmp(a, b, n) == 0;
}

/* ---- plain patterns ------------------------------------------------------------------------------------------------ */

int pattern_check(const char *pattern, size_t len, struct err *err)
{
	const char *deep = memmem(pattern, len, "**", 2);

	if (deep)
		return err_set(err, -EINVAL, "\"**\" at character %zu: this field is no path, use \"*\"",
			       (size_t)(deep - pattern) + 1);
	return 0;
}

/* Where @part begins in @s, or NULL. */
static const char *find(const char *s, size_t len, const char *part, size_t n, bool icase)
{
	if (!icase)
		return memmem(s, len, part, n);
	for (; len >= n; s++, len--)
		if (ascii_same(s, part, n))
			return s;
	return NULL;
}

/*
 * What stands before the first star is where the string begins, what stands behind the last where it ends, and each part
 * in between may be taken where it comes first: whatever a later place leaves room for, the first one does too.
 */
bool pattern_match(const char *pattern, size_t plen, const char *s, size_t len, bool icase)
{
	const char *end = pattern + plen, *star = plen ? memchr(pattern, '*', plen) : NULL, *found;
	size_t n = star ? (size_t)(star - pattern) : plen;

	if (!s)
		s = "";
	if (len < n || !same(pattern, s, n, icase))
		return false;
	if (!star)
		return len == n;
	for (;;) {
		s += n;
		len -= n;
		pattern = star + 1;
		star = memchr(pattern, '*', (size_t)(end - pattern));
		n = (size_t)((star ? star : end) - pattern);
		if (!star)
			return len >= n && same(pattern, s + len - n, n, icase);
		found = find(s, len, pattern, n, icase);
		if (!found)
			return false;
		len -= (size_t)(found - s);
		s = found;
	}
}

/* ---- path globs ---------------------------------------------------------------------------------------------------- */

static size_t comp_len(const char *s, const char *end)
{
	const char *slash = memchr(s, '/', (size_t)(end - s));

	return (size_t)((slash ? slash : end) - s);
}

static uint32_t count_comps(const char *s, size_t len)
{
	uint32_t n = 1;

	for (size_t i = 0; i < len; i++)
		n += s[i] == '/';
	return n;
}

static int comp_kind(const char *s, size_t len)
{
	if (len == 1 && s[0] == '*')
		return GLOB_ANY;
	if (len == 2 && s[0] == '*' && s[1] == '*')
		return GLOB_DEEP;
	if (memmem(s, len, "**", 2))
		return -EINVAL;
	return memchr(s, '*', len) ? GLOB_STARS : GLOB_LITERAL;
}

static int split(struct glob *g, struct err *err)
{
	const char *s = g->text, *end = g->text + g->len;

	for (uint32_t i = 0; i < g->ncomps; i++) {
		size_t len = comp_len(s, end);
		int kind = comp_kind(s, len);

		if (kind < 0 || (kind == GLOB_DEEP && i == 0 && g->ncomps > 1))
			return err_set(err, -EINVAL, "\"**\" in \"%.*s\": it has to be a whole component, after a '/'",
				       (int)len, s);
		g->comps[i] = (struct glob_comp){ .s = s, .len = (uint32_t)len, .kind = (uint32_t)kind };
		g->has_deep = g->has_deep || kind == GLOB_DEEP;
		s += len + 1;
	}
	return 0;
}

int glob_init(struct glob *g, uint32_t max, const char *pattern, size_t len, bool icase, struct err *err)
{
	const char *star = len ? memchr(pattern, '*', len) : NULL;
	int r;

	*g = (struct glob){ .icase = icase, .text = pattern, .len = len, .ncomps = count_comps(pattern, len) };
	if (g->ncomps > max)
		return err_set(err, -EINVAL, "a glob of %u components", g->ncomps);
	r = split(g, err);
	if (r < 0)
		return r;
	g->skip_slash = g->comps[0].kind == GLOB_ANY;
	g->prefix = (uint32_t)(star ? (size_t)(star - pattern) : len);
	return 0;
}

int glob_new(const char *pattern, size_t len, bool icase, struct glob **ret, struct err *err)
{
	_cleanup_(glob_free) struct glob *g = NULL;
	uint32_t n = count_comps(pattern, len);
	char *text;
	int r;

	if (len > GLOB_LEN_MAX)
		return err_set(err, -EINVAL, "a glob of %zu bytes: more than %d", len, GLOB_LEN_MAX);
	g = calloc(1, sizeof(*g) + n * sizeof(g->comps[0]) + len + 1);
	if (!g)
		return err_set(err, -ENOMEM, "out of memory");
	text = (char *)&g->comps[n];
	memcpy(text, pattern, len);
	r = glob_init(g, n, text, len, icase, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(g);
	return 0;
}

void glob_free(struct glob *g)
{
	free(g);
}

static bool comp_match(const struct glob *g, const struct glob_comp *c, const char *s, size_t len)
{
	switch (c->kind) {
	case GLOB_LITERAL:
		return c->len == len && same(c->s, s, len, g->icase);
	case GLOB_STARS:
		return pattern_match(c->s, c->len, s, len, g->icase);
	default:
		return true;
	}
}

/*
 * Components as pattern_match() does bytes: a "**" in the middle is the star, and only the last one needs another try.
 * @s is NULL once the path has no component left.
 */
static bool match_comps(const struct glob *g, const char *s, const char *end)
{
	const char *retry_s = NULL;
	uint32_t i = 0, retry_i = 0;

	while (s) {
		size_t len = comp_len(s, end);

		if (i < g->ncomps && g->comps[i].kind == GLOB_DEEP) {
			if (i == g->ncomps - 1)
				return true;
			retry_i = ++i;
			retry_s = s;
		} else if (i < g->ncomps && comp_match(g, &g->comps[i], s, len)) {
			i++;
			s = s + len < end ? s + len + 1 : NULL;
		} else if (retry_s) {
			len = comp_len(retry_s, end);
			retry_s = retry_s + len < end ? retry_s + len + 1 : NULL;
			i = retry_i;
			s = retry_s;
		} else {
			return false;
		}
	}
	/* What is left would have to match nothing: only a "**" in the middle can, and then its next component is left. */
	return i == g->ncomps;
}

bool glob_match(const struct glob *g, const char *path, size_t len)
{
	if (!path)
		path = "";
	if (len < g->prefix || !same(g->text, path, g->prefix, g->icase))
		return false;
	if (g->skip_slash && len > 0 && path[0] == '/') {
		path++;
		len--;
	}
	return match_comps(g, path, path + len);
}

bool glob_contains(const struct glob *g, const char *dir, size_t len)
{
	const char *end;

	if (!len)
		return false;
	if (g->len == 1 && g->text[0] == '/')
		return true;
	if (g->skip_slash && dir[0] == '/') {
		dir++;
		len--;
	}
	end = dir + len;
	for (uint32_t i = 0; i < g->ncomps; i++) {
		size_t n = comp_len(dir, end);

		/* anything can follow below a "**", and anything stands behind a last "/" */
		if (g->comps[i].kind == GLOB_DEEP || dir == end)
			return true;
		if (!comp_match(g, &g->comps[i], dir, n))
			return false;
		if (dir + n >= end)
			return true;
		dir += n + 1;
	}
	return true;
}
