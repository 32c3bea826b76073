/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "policy-compiler/lint.h"
#include "policy-compiler/parse.h"

#define RULE_MEMORY_MAX (256u << 20)

/* One expression while it is looked at. */
struct walk {
	struct compile *c;
	bool quiet;		   /* only the macros that it uses are wanted */
	struct iterated *iterated; /* or NULL */
};

/* The uses of a rule's iterator: process.ancestors[A].x */
struct iterated {
	size_t n;
	const struct ast *negative; /* one that is compared by !=, !~ or not in */
};

static bool is_text(const struct ast *a, const char *text)
{
	return a->slen == strlen(text) && memcmp(a->s, text, a->slen) == 0;
}

static struct diags *warn(const struct walk *w, const struct ast *a, const char *lint, const char *msg)
{
	diag_warn(w->c->diags, ast_span(a), "%s", msg);
	diag_lint(w->c->diags, lint);
	return w->c->diags;
}

/* ---- regular expressions that say no more than a pattern --------------------------------------------------------- */

struct plain {
	char text[256];
	size_t len;
	bool begins, ends; /* at the text's begin, at its end */
};

static bool take_prefix(const char **s, size_t *n, const char *prefix)
{
	size_t len = strlen(prefix);

	if (*n < len || memcmp(*s, prefix, len) != 0)
		return false;
	*s += len;
	*n -= len;
	return true;
}

static bool take_suffix(const char *s, size_t *n, const char *suffix)
{
	size_t len = strlen(suffix), slashes = 0;

	if (*n < len || memcmp(s + *n - len, suffix, len) != 0)
		return false;
	while (slashes < *n - len && s[*n - len - 1 - slashes] == '\\')
		slashes++;
	if (slashes % 2)
		return false;
	*n -= len;
	return true;
}

/* ^text$, .*text.* and what is between: letters that stand for themselves. */
static bool regex_is_plain(const struct ast *a, struct plain *p)
{
	const char *s = a->s;
	size_t n = a->slen;

	*p = (struct plain){ 0 };
	p->begins = take_prefix(&s, &n, "^");
	if (!p->begins)
		take_prefix(&s, &n, ".*");
	p->ends = take_suffix(s, &n, "$");
	if (!p->ends)
		take_suffix(s, &n, ".*");
	if (!n)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool escaped = s[i] == '\\' && i + 1 < n && strchr(".-/+()[]{}^$|?_ ", s[i + 1]) != NULL;

		i += escaped;
		if ((!escaped && strchr("\\.+*?()[]{}^$|", s[i])) || strchr("*\"'\\", s[i]) ||
		    p->len + 1 >= sizeof(p->text))
			return false;
		p->text[p->len++] = s[i];
	}
	return true;
}

static void look_at_regex(const struct walk *w, const struct ast *a)
{
	char text[300];
	struct plain p;

	if (!regex_is_plain(a, &p))
		return;
	if (p.begins && p.ends)
		snprintf(text, sizeof(text), "\"%s\"", p.text);
	else
		snprintf(text, sizeof(text), "~\"%s%s%s\"", p.begins ? "" : "*", p.text, p.ends ? "" : "*");
	warn(w, a, "plain-regex",
	     p.begins && p.ends ? "a string says the same as this regular expression"
				: "a pattern says the same as this regular expression");
	diag_help(w->c->diags, "write %s: it costs less, and the kernel can decide it of the event's own fields", text);
	/* in double quotes of YAML the quotes would need backslashes */
	if (a->text->style != TEXT_DOUBLE)
		diag_fix(w->c->diags, text);
}

/* ---- stars ------------------------------------------------------------------------------------------------------- */

static bool matches_everything(const struct ast *a)
{
	if (a->kind == AST_REGEX)
		return is_text(a, ".*") || is_text(a, "^.*$") || is_text(a, "^.*") || is_text(a, ".*$") ||
		       is_text(a, "");
	return is_text(a, "*") || is_text(a, "**") || is_text(a, "/**");
}

/* The name of a field, or of a part of one. */
static bool name_ends(const struct ast *field, const char *end)
{
	size_t len = strlen(end);

	return field && field->kind == AST_IDENT && field->slen >= len &&
	       memcmp(field->s + field->slen - len, end, len) == 0;
}

/* args_flags has "x" for -x, args_options "name=value" for --name=value. */
static void look_at_dash(const struct walk *w, const struct ast *field, const struct ast *a)
{
	uint32_t dashes = 0;
	char text[300];

	if (a->kind == AST_REGEX || !(name_ends(field, ".args_flags") || name_ends(field, ".args_options")))
		return;
	while (dashes < a->slen && a->s[dashes] == '-')
		dashes++;
	if (!dashes || a->slen > 200)
		return;
	snprintf(text, sizeof(text), "%s\"%.*s\"", a->kind == AST_PATTERN ? "~" : "", (int)(a->slen - dashes),
		 a->s + dashes);
	warn(w, a, "dashed-flag", "flags and options have no dashes here: this is never found");
	diag_help(w->c->diags, "write %s", text);
	if (a->text->style != TEXT_DOUBLE)
		diag_fix(w->c->diags, text);
}

static void look_at_number(const struct walk *w, const struct ast *a)
{
	const char *s = a->text->s + a->off;
	char text[32];

	if (a->len < 2 || a->len > 20 || s[0] != '0')
		return;
	warn(w, a, "leading-zero", "numbers are decimal, also with a leading zero");
	if (strspn(s, "01234567") < a->len) {
		diag_help(w->c->diags, "leave the zero out");
		return;
	}
	snprintf(text, sizeof(text), "%lld", strtoll(s, NULL, 8));
	diag_help(w->c->diags, "for the octal number write %s, or the constants of its bits, as in S_ISUID | S_IRUSR",
		  text);
	diag_fix(w->c->diags, text);
}

/* @pattern: a string here is a pattern. @negated: it stands for what must not be. */
static void look_at_value(const struct walk *w, const struct ast *field, const struct ast *a, bool pattern,
			  bool negated)
{
	bool literal = a->kind == AST_STR && !pattern;

	if (a->kind != AST_STR && a->kind != AST_PATTERN && a->kind != AST_REGEX)
		return;
	look_at_dash(w, field, a);
	if (a->kind != AST_REGEX && memchr(a->s, '\\', a->slen)) {
		warn(w, a, "literal-backslash", "strings have no escapes: the \\ is a part of the text");
		diag_help(w->c->diags, "r\"...\" is a regular expression, where \\ means something");
	}
	if (literal && is_text(a, "*")) {
		warn(w, a, "bare-wildcard", "this is the one character *, which nothing is called");
		diag_help(w->c->diags, "leave the condition out if any text is meant; patterns are written ~\"...\"");
	} else if (literal && memchr(a->s, '*', a->slen)) {
		char text[300];

		warn(w, a, "literal-star", "the * in this string is no wildcard: it is compared as it is");
		diag_help(w->c->diags, "write ~%.*s if a pattern is meant", (int)(a->len < 200 ? a->len : 200),
			  a->text->s + a->off);
		snprintf(text, sizeof(text), "~%.*s", (int)(a->len < 200 ? a->len : 200), a->text->s + a->off);
		if (a->len < 200 && a->text->style != TEXT_DOUBLE)
			diag_fix(w->c->diags, text);
	} else if (!literal && matches_everything(a)) {
		warn(w, a, "bare-wildcard",
		     negated ? "everything matches this, so the condition is never true"
			     : "everything matches this, so the condition asks for nothing");
		diag_help(w->c->diags, "leave the condition out, or name what is meant");
	} else if (a->kind == AST_REGEX && !name_ends(field, ".path")) {
		look_at_regex(w, a);
	}
}

/* ---- the walk ---------------------------------------------------------------------------------------------------- */

static void look_at(const struct walk *w, const struct ast *a);

static void look_at_right(const struct walk *w, const struct ast *a)
{
	bool match = a->op == AST_OP_MATCH || a->op == AST_OP_NMATCH;
	bool negated = a->op == AST_OP_NE || a->op == AST_OP_NMATCH || a->op == AST_OP_NOT_IN;
	const struct ast *b = a->b;

	if (w->quiet)
		return;
	if (negated && a->a->kind == AST_IDENT && memchr(a->a->s, '[', a->a->slen) && w->iterated)
		w->iterated->negative = a;
	if (a->kind == AST_COMPARE)
		look_at_value(w, a->a, b, match, negated);
	for (uint32_t i = 0; a->kind == AST_IN && b->kind == AST_LIST && i < b->n; i++)
		look_at_value(w, a->a, b->items[i], false, negated);
}

static void look_at_items(const struct walk *w, const struct ast *a)
{
	for (uint32_t i = 0; i < a->n; i++)
		look_at(w, a->items[i]);
}

static void look_at(const struct walk *w, const struct ast *a)
{
	struct macro *m;

	switch (a->kind) {
	case AST_CHAIN:
	case AST_LIST:
		look_at_items(w, a);
		break;
	case AST_COMPARE:
	case AST_IN:
		look_at_right(w, a);
		look_at(w, a->a);
		look_at(w, a->b);
		break;
	case AST_BINARY:
		look_at(w, a->a);
		look_at(w, a->b);
		break;
	case AST_UNARY:
		look_at(w, a->a);
		break;
	case AST_INT:
		if (!w->quiet)
			look_at_number(w, a);
		break;
	case AST_IDENT:
		if (w->iterated)
			w->iterated->n += memchr(a->s, '[', a->slen) != NULL;
		m = macro_find(&w->c->macros, a->s, a->slen);
		if (!m || m->used)
			break;
		m->used = true;
		if (m->body)
			look_at(&(struct walk){ .c = w->c, .quiet = true, .iterated = w->iterated }, m->body);
		break;
	default:
		break;
	}
}

/* A rule that is left out may use macros, too: it is looked at without a word. */
static int look_at_rule(struct compile *c, const struct policy_rule *rule, bool quiet)
{
	struct arena arena = arena_of(RULE_MEMORY_MAX);
	struct diags mine = diags_new();
	struct iterated it = { 0 };
	struct ast *ast;
	int r = 0;

	if (rule->expression)
		r = parse_rule(&arena, rule->expression, &mine, &ast);
	if (r == 0 && rule->expression)
		look_at(&(struct walk){ .c = c, .quiet = quiet, .iterated = &it }, ast);
	if (r == 0 && it.n == 1 && it.negative) {
		warn(&(struct walk){ .c = c }, it.negative, "some-ancestor",
		     "this holds as soon as some ancestor is another, which is nearly always so");
		diag_help(c->diags, "without [A] it says that no ancestor is");
	}
	diags_done(&mine);
	arena_done(&arena);
	return r == -ENOMEM ? r : 0;
}

static bool is_compiled(const struct compile *c, const struct policy_rule *rule)
{
	const struct compile_rule *cr = strmap_get(&c->by_id, rule->id, strlen(rule->id));

	return cr && cr->ok && cr->expression == rule->expression;
}

/* Macros by themselves are a library: whether somebody uses them is not known here. */
static void look_for_unused(struct compile *c)
{
	for (size_t i = 0; c->nrules && i < c->macros.n; i++) {
		const struct macro *m = c->macros.v[i];

		if (m->used)
			continue;
		diag_warn(c->diags, m->at, "no rule uses the macro %s", m->id);
		diag_lint(c->diags, "unused-macro");
		diag_help(c->diags, "remove it, or name the policies that use it, too");
	}
}

int lint_text(struct compile *c)
{
	for (size_t i = 0; i < c->npolicies; i++) {
		const struct policy *p = c->policies[i];

		for (size_t k = 0; k < p->nrules; k++)
			if (look_at_rule(c, &p->rules[k], !is_compiled(c, &p->rules[k])) < 0)
				return -ENOMEM;
	}
	look_for_unused(c);
	for (size_t i = 0; i < c->macros.n; i++) {
		const struct macro *m = c->macros.v[i];

		if (!m->values && m->body && m->body->kind == AST_LIST)
			for (uint32_t k = 0; k < m->body->n; k++)
				look_at_value(&(struct walk){ .c = c }, NULL, m->body->items[k], false, false);
		else if (!m->values && m->body)
			look_at(&(struct walk){ .c = c }, m->body);
	}
	return 0;
}
