/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/filter.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/host.h"
#include "policy-compiler/parse.h"

/* ---- versions ---------------------------------------------------------------------------------------------------- */

struct version {
	long part[3];
	int n; /* parts that were written */
};

static const char *skip_space(const char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

/* "7.68", "v7.68.1", "7.x"; a pre-release or build behind it is passed over. NULL where there is none. */
static const char *read_version(const char *s, struct version *ret)
{
	struct version v = { .n = 0 };

	if (*s == 'v')
		s++;
	while (v.n < 3) {
		char *end;

		if (*s == 'x' || *s == 'X' || *s == '*') {
			s++;
			break;
		}
		if (*s < '0' || *s > '9')
			return NULL;
		errno = 0;
		v.part[v.n++] = strtol(s, &end, 10);
		if (errno)
			return NULL;
		s = end;
		if (*s != '.')
			break;
		s++;
	}
	while (*s && !strchr(" \t,|", *s))
		s++;
	*ret = v;
	return s;
}

/* Compares the first @n parts. */
static int version_cmp(const struct version *a, const struct version *b, int n)
{
	for (int i = 0; i < n; i++)
		if (a->part[i] != b->part[i])
			return a->part[i] < b->part[i] ? -1 : 1;
	return 0;
}

static bool version_holds(const char *op, size_t len, const struct version *v, const struct version *wanted)
{
	int cmp = version_cmp(v, wanted, 3);

	switch (len ? op[0] : '=') {
	case '>':
		return len > 1 ? cmp >= 0 : cmp > 0;
	case '<':
		return len > 1 ? cmp <= 0 : cmp < 0;
	case '!':
		return version_cmp(v, wanted, wanted->n) != 0;
	case '~':
		return cmp >= 0 && version_cmp(v, wanted, wanted->n < 2 ? wanted->n : 2) == 0;
	case '^':
		return cmp >= 0 && version_cmp(v, wanted, 1) == 0;
	default:
		/* "=>" and "=<" are ">=" and "<=" */
		if (len > 1)
			return op[1] == '>' ? cmp >= 0 : cmp <= 0;
		return version_cmp(v, wanted, wanted->n) == 0;
	}
}

/* Conditions up to "||" or the end, all of which have to hold. NULL where one is malformed. */
static const char *read_conditions(const char *s, const struct version *v, bool *ret)
{
	bool all = true;

	do {
		const char *op = skip_space(s);
		struct version wanted;
		size_t len = strspn(op, "<>=!~^");

		if (len > 2)
			return NULL;
		s = read_version(skip_space(op + len), &wanted);
		if (!s)
			return NULL;
		all = all && version_holds(op, len, v, &wanted);
		s = skip_space(s);
		if (*s == ',')
			s++;
	} while (*s && *s != '|');
	*ret = all;
	return s;
}

int filter_version(const char *range, const char *version)
{
	struct version v;
	bool any = false, all;

	if (!read_version(version, &v))
		return -EINVAL;
	if (!*skip_space(range))
		return 1;
	for (;;) {
		range = read_conditions(range, &v, &all);
		if (!range)
			return -EINVAL;
		any = any || all;
		if (!*range)
			return any;
		if (range[1] != '|')
			return -EINVAL;
		range += 2;
	}
}

/* ---- filters ----------------------------------------------------------------------------------------------------- */

static int filter_node(struct diags *d, const struct ast *a);

static bool ast_is(const struct ast *a, const char *s)
{
	return a->slen == strlen(s) && memcmp(a->s, s, a->slen) == 0;
}

/* The text that is known of a fact, or NULL. */
static const char *fact(const struct ast *a)
{
	return a->kind == AST_IDENT && ast_is(a, "os") ? "linux" : NULL;
}

static bool is_fact(const struct ast *a)
{
	return catalog_field(host_catalog(), a->s, a->slen) || ast_is(a, "true") || ast_is(a, "false");
}

static int unknown_fact(struct diags *d, const struct ast *a)
{
	diag_error(d, ast_span(a), "unknown fact \"%.*s\" in a filter", (int)(a->slen < 100 ? a->slen : 100), a->s);
	diag_help(
		d,
		"facts are os, os.id, os.version_id, os.is_..., kernel.version.major and .minor, origin, hostname, envs");
	return -EINVAL;
}

/* Whether the string node is that text; a pattern or regex is not decided here. */
static int same_text(const struct ast *s, const char *known)
{
	if (s->kind != AST_STR)
		return FILTER_UNKNOWN;
	return ast_is(s, known) ? FILTER_YES : FILTER_NO;
}

static int negate(int r)
{
	return r == FILTER_YES ? FILTER_NO : r == FILTER_NO ? FILTER_YES : r;
}

static int filter_compare(struct diags *d, const struct ast *a)
{
	const struct ast *x = fact(a->a) ? a->a : a->b, *y = x == a->a ? a->b : a->a;
	int r;

	if (!fact(x)) {
		if (a->a->kind == AST_IDENT && !is_fact(a->a))
			return unknown_fact(d, a->a);
		return FILTER_UNKNOWN;
	}
	r = same_text(y, fact(x));
	if (a->op == AST_OP_NE)
		return negate(r);
	return a->op == AST_OP_EQ ? r : FILTER_UNKNOWN;
}

static int filter_in(struct diags *d, const struct ast *a)
{
	int result = FILTER_NO;

	if (a->a->kind == AST_IDENT && !fact(a->a) && !is_fact(a->a))
		return unknown_fact(d, a->a);
	if (!fact(a->a) || a->b->kind != AST_LIST)
		return FILTER_UNKNOWN;
	for (uint32_t i = 0; i < a->b->n; i++) {
		int r = same_text(a->b->items[i], fact(a->a));

		if (r == FILTER_YES || (r == FILTER_UNKNOWN && result == FILTER_NO))
			result = r;
	}
	return a->op == AST_OP_NOT_IN ? negate(result) : result;
}

static int combine(uint8_t op, int x, int y)
{
	int decides = op == AST_OP_AND ? FILTER_NO : FILTER_YES;

	if (x == decides || y == decides)
		return decides;
	return x == FILTER_UNKNOWN || y == FILTER_UNKNOWN ? FILTER_UNKNOWN : x;
}

static int filter_chain(struct diags *d, const struct ast *a)
{
	int result = filter_node(d, a->items[a->n - 1]);

	for (uint32_t i = a->n - 1; i-- > 0 && result >= 0;) {
		int r = filter_node(d, a->items[i]);

		if (r < 0)
			return r;
		result = combine(a->ops[i], r, result);
	}
	return result;
}

static int filter_node(struct diags *d, const struct ast *a)
{
	int r;

	switch (a->kind) {
	case AST_CHAIN:
		return filter_chain(d, a);
	case AST_COMPARE:
		return filter_compare(d, a);
	case AST_IN:
		return filter_in(d, a);
	case AST_UNARY:
		r = a->op == AST_OP_NOT ? filter_node(d, a->a) : FILTER_UNKNOWN;
		return r < 0 ? r : negate(r);
	case AST_IDENT:
		if (ast_is(a, "true") || ast_is(a, "false"))
			return ast_is(a, "true") ? FILTER_YES : FILTER_NO;
		return is_fact(a) ? FILTER_UNKNOWN : unknown_fact(d, a);
	default:
		return FILTER_UNKNOWN;
	}
}

int filter_expression(struct arena *a, const struct text *text, struct diags *d)
{
	struct ast *ast;
	int r = parse_rule(a, text, d, &ast);

	return r < 0 ? r : filter_node(d, ast);
}

bool filter_is_version(const char *version)
{
	struct version v;
	const char *end = read_version(version, &v);

	return end && !*end && v.n > 0;
}

static int check_version(const struct ynode *n, const char *version, struct diags *d)
{
	int r = filter_version(n->text.s, version);

	if (r >= 0)
		return r ? FILTER_YES : FILTER_NO;
	diag_error(d, n->at, "\"%s\" is no range of versions", n->text.s);
	diag_help(d, "write for example \">= 7.65, < 7.70\", in quotes");
	return -EINVAL;
}

int filter_check(struct arena *a, const char *version, const struct ynode *agent_version, const struct ynode *filters,
		 struct diags *d)
{
	int result = agent_version ? check_version(agent_version, version, d) : FILTER_YES;

	for (size_t i = 0; filters && i < filters->n && result > FILTER_NO; i++) {
		int r = filter_expression(a, &filters->items[i]->text, d);

		if (r < 0 || r == FILTER_NO)
			return r;
		if (r == FILTER_UNKNOWN)
			result = r;
	}
	return result;
}

void filter_warn_unknown(const struct ynode *filters, const char *what, struct diags *d)
{
	diag_warn(d, filters->at, "the filters of this %s are not decided when the policy is compiled", what);
	diag_help(d, "they are taken to hold; only rules can be switched off where the policy is loaded");
}
