/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/lint.h"

#include <errno.h>
#include <stdlib.h>

const struct lint lints[] = {
	{ "never-true", "a rule, or one of the ways in which it could hold, contradicts itself" },
	{ "duplicate-rule", "two rules ask for the same" },
	{ "shadowed-rule", "whenever the rule fires another one, no less severe, fires too" },
	{ "passes-all", "the kernel cannot narrow the rule: every event of its type goes to user space" },
	{ "bare-wildcard", "a comparison with *, /** or .*, which everything matches, or with the one character *" },
	{ "literal-star", "a * in a string that is compared as it is, and so is no wildcard" },
	{ "literal-backslash", "a backslash in a string, which has no escapes" },
	{ "leading-zero", "a number with a leading zero, which is decimal all the same" },
	{ "dashed-flag", "a dash before a flag or option of a command line, which have none here" },
	{ "some-ancestor", "!= or not in of an ancestor with an iterator: it holds where some ancestor is another" },
	{ "plain-regex", "a regular expression where a string or a pattern says the same" },
	{ "unused-macro", "a macro that no rule uses" },
	{ "mixed-operators", "&& and || without parentheses" },
	{ 0 },
};

const struct lint *lint_find(const char *name)
{
	for (const struct lint *l = lints; l->name; l++)
		if (strcmp(l->name, name) == 0)
			return l;
	return NULL;
}

int lint_run(struct compile *c)
{
	int r = lint_text(c);

	return r < 0 ? r : lint_rules(c);
}

/* ---- comments that switch lints off ------------------------------------------------------------------------------ */

#define OFF_WORD "no-lint:"

/* Where the rules and macros of one file begin, ascending. */
struct begins {
	uint32_t *v; /* owned */
	size_t n;
};

static int u32_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int find_begins(const struct policy *p, struct begins *ret)
{
	ret->v = calloc(p->nrules + p->nmacros + 1, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	for (size_t i = 0; i < p->nrules; i++)
		ret->v[ret->n++] = p->rules[i].begin;
	for (size_t i = 0; i < p->nmacros; i++)
		ret->v[ret->n++] = p->macros[i].begin;
	qsort(ret->v, ret->n, sizeof(ret->v[0]), u32_cmp);
	return 0;
}

/* Number of the rule or macro that a place is in, + 1; 0 before the first. */
static size_t part_at(const struct begins *b, uint32_t off)
{
	size_t n = 0;

	while (n < b->n && b->v[n] <= off)
		n++;
	return n;
}

static const char *skip_blanks(const char *s, const char *end)
{
	while (s < end && strchr(" \t\r\n-", *s))
		s++;
	return s;
}

/* The part that a comment is about: the next one if only comments are between them. */
static size_t part_of_comment(const struct source *src, const struct begins *b, uint32_t off)
{
	size_t n = part_at(b, off);
	const char *s = src->bytes + off, *end = n < b->n ? src->bytes + b->v[n] : s;

	while (s < end && *s == '#') {
		while (s < end && *s != '\n')
			s++;
		s = skip_blanks(s, end);
	}
	return n < b->n && s == end ? n + 1 : n;
}

static bool names_lint(const char *s, const char *end, const char *name)
{
	size_t len = strlen(name);

	for (; end - s >= (ptrdiff_t)len && *s != '\n'; s++)
		if (memcmp(s, name, len) == 0 && (s + len == end || strchr(" ,\t\r\n", s[len])) &&
		    strchr(" ,:\t", s[-1]))
			return true;
	return false;
}

static bool is_off_here(const struct source *src, const struct begins *b, const struct diag *d)
{
	const char *s = src->bytes, *end = s + src->size;
	size_t part = part_at(b, d->at.off);

	while ((s = memmem(s, (size_t)(end - s), OFF_WORD, strlen(OFF_WORD)))) {
		const char *hash = s;

		while (hash > src->bytes && strchr(" \t", hash[-1]))
			hash--;
		s += strlen(OFF_WORD);
		if (hash > src->bytes && hash[-1] == '#' && names_lint(s, end, d->lint)) {
			size_t about = part_of_comment(src, b, (uint32_t)(hash - 1 - src->bytes));

			if (!about || about == part)
				return true;
		}
	}
	return false;
}

static bool is_off(const char *const *off, const char *name)
{
	for (; off && *off; off++)
		if (strcmp(*off, name) == 0)
			return true;
	return false;
}

static const struct policy *policy_of(const struct compile *c, const struct source *src)
{
	for (size_t i = 0; i < c->npolicies; i++)
		if (c->policies[i]->src == src)
			return c->policies[i];
	return NULL;
}

static int keep_diag(const struct compile *c, const struct diag *d, const char *const *off, bool *ret)
{
	const struct policy *p = d->lint ? policy_of(c, d->at.src) : NULL;
	struct begins b = { 0 };
	int r;

	*ret = !d->lint || !is_off(off, d->lint);
	if (!p || !*ret || !memmem(p->src->bytes, p->src->size, OFF_WORD, strlen(OFF_WORD)))
		return 0;
	r = find_begins(p, &b);
	if (r == 0)
		*ret = !is_off_here(p->src, &b, d);
	free(b.v);
	return r;
}

int lint_filter(const struct compile *c, const char *const *off)
{
	struct diags *d = c->diags;
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		bool keep;

		if (keep_diag(c, &d->v[i], off, &keep) < 0)
			return -ENOMEM;
		if (keep)
			d->v[n++] = d->v[i];
		else
			d->warnings--;
	}
	d->n = n;
	return 0;
}
