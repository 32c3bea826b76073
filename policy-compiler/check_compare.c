/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "lib/glob.h"
#include "lib/regex.h"
#include "policy-compiler/check_parts.h"

#define VALUE_SHOWN 60 /* bytes of a string in a message */

/* The field that the expression is about, or NULL: what says how strings compare. */
static const struct cat_field *subject_field(const struct expr *subject)
{
	return expr_is_field(subject) ? subject->field : NULL;
}

/* ---- strings ----------------------------------------------------------------------------------------------------- */

static int bad_string(struct check *c, const struct expr *s, const char *what, const char *why)
{
	const char *text = s->kind == EX_FORMAT ? s->at->s : s->s;
	uint32_t len = s->kind == EX_FORMAT ? s->at->slen : s->slen;

	diag_error(c->diags, ast_span(s->at), "%s \"%.*s\": %s", what, (int)(len < VALUE_SHOWN ? len : VALUE_SHOWN),
		   text, why);
	return -EINVAL;
}

static int finish_regex(struct check *c, struct expr *s, const struct cat_field *f)
{
	_cleanup_(regex_free) struct regex *re = NULL;
	struct err err;
	int r;

	if (f && f->sieve == CAT_SIEVE_PATH && (f->flags & CF_GLOB)) {
		bad_string(c, s, "a path is not compared with a regular expression:", "refused");
		diag_help(c->diags,
			  "write a pattern: * stays within one name, a name ** stands for any number of them");
		return -EINVAL;
	}
	r = regex_new(s->s, s->slen, f && (f->flags & CF_ICASE), &re, &err);
	if (r != -EINVAL)
		return r;
	bad_string(c, s, "bad regular expression", err.msg);
	diag_help(c->diags, "the syntax is RE2's: no back-references, no look-around");
	return r;
}

static int finish_glob(struct check *c, struct expr *s)
{
	_cleanup_(glob_free) struct glob *g = NULL;
	struct err err;
	int r = glob_new(s->s, s->slen, false, &g, &err);

	s->strm = STRM_GLOB;
	if (r != -EINVAL)
		return r;
	bad_string(c, s, "bad path pattern", err.msg);
	diag_help(c->diags, "** stands alone between two / or behind the last one: /etc/**, /run/**/token");
	return r;
}

static int finish_pattern(struct check *c, struct expr *s)
{
	struct err err;
	int r = pattern_check(s->s, s->slen, &err);

	if (r != -EINVAL)
		return r;
	bad_string(c, s, "bad pattern", err.msg);
	diag_help(c->diags, "one * stands for any text here, / included");
	return r;
}

static bool is_text(const struct expr *s, const char *text)
{
	return s->slen == strlen(text) && memcmp(s->s, text, s->slen) == 0;
}

/* What holds for everything, or looks as if it should, is a slip of the pen. */
static void warn_bare_wildcard(struct check *c, const struct expr *s)
{
	const char *what = NULL;

	if (s->strm == STRM_EXACT && is_text(s, "*"))
		what = "\"*\" is the text *, not a pattern";
	else if (s->strm == STRM_GLOB && (is_text(s, "/**") || is_text(s, "**")))
		what = "this matches every path";
	else if ((s->strm == STRM_PATTERN && is_text(s, "*")) || (s->strm == STRM_REGEX && is_text(s, ".*")))
		what = "this matches every text";
	if (!what)
		return;
	diag_warn(c->diags, ast_span(s->at), CHECK_BARE_WILDCARD ": %s", what);
	diag_help(c->diags, s->strm == STRM_EXACT ? "write ~\"*\" for a pattern; for anything but empty, != \"\""
						  : "write a pattern that says more, or leave the condition out");
}

/* What a string means beside its subject: a path field's patterns are globs. One without a star is a plain string. */
static int finish_string(struct check *c, struct expr *s, const struct expr *subject)
{
	const struct cat_field *f = subject_field(subject);
	int r = 0;

	if (s->kind == EX_FORMAT) { /* what it is a pattern of is known when it is asked */
		if (s->strm == STRM_PATTERN && f && (f->flags & CF_GLOB))
			s->strm = STRM_GLOB;
		return 0;
	}
	if (s->slen > PROGRAM_STRING_MAX)
		return bad_string(c, s, "the string", "is too long");
	if (s->strm == STRM_PATTERN && !memchr(s->s, '*', s->slen))
		s->strm = STRM_EXACT;
	if (s->strm == STRM_REGEX)
		r = finish_regex(c, s, f);
	else if (s->strm == STRM_PATTERN)
		r = f && (f->flags & CF_GLOB) ? finish_glob(c, s) : finish_pattern(c, s);
	if (r == 0)
		warn_bare_wildcard(c, s);
	return r;
}

/* ---- one value with one value ------------------------------------------------------------------------------------ */

static uint8_t flip(uint8_t op)
{
	switch (op) {
	case AST_OP_LT:
		return AST_OP_GT;
	case AST_OP_LE:
		return AST_OP_GE;
	case AST_OP_GT:
		return AST_OP_LT;
	case AST_OP_GE:
		return AST_OP_LE;
	default:
		return op;
	}
}

static bool is_pattern(const struct expr *e)
{
	return expr_is_text(e) && e->strm != STRM_EXACT;
}

/* The subject becomes a, what it is compared with b: a constant, and of constants a pattern. */
static void put_subject_first(struct expr *e)
{
	struct expr *a = e->a;

	if (is_pattern(a) ? is_pattern(e->b) : !expr_is_const(a) || expr_is_const(e->b))
		return;
	e->a = e->b;
	e->b = a;
	e->op = flip(e->op);
}

/* =~ and !~ are == and != with a pattern. */
static int check_match(struct check *c, const struct ast *at, struct expr *e)
{
	if (e->op != AST_OP_MATCH && e->op != AST_OP_NMATCH)
		return 0;
	if (!expr_is_text(e->b)) {
		diag_error(c->diags, ast_span(e->b->at),
			   "behind %s there has to be a \"string\", ~\"pattern\" or r\"regex\"", ast_op_name(e->op));
		diag_help(c->diags, "compare two fields by == or !=");
		return -EINVAL;
	}
	if (e->a->type != VAL_STR) {
		diag_error(c->diags, ast_span(e->a->at), "%s goes with text; this is %s", ast_op_name(e->op),
			   check_type_name(e->a));
		diag_help(c->diags, "compare it by ==, or a number also by <, <=, >, >=");
		return -EINVAL;
	}
	if (e->b->strm == STRM_EXACT)
		e->b->strm = STRM_PATTERN;
	e->op = e->op == AST_OP_MATCH ? AST_OP_EQ : AST_OP_NE;
	return 0;
}

static int type_mismatch(struct check *c, const struct expr *a, const struct expr *b)
{
	diag_error(c->diags, ast_span(b->at), "%s cannot be compared with %s", check_type_name(a), check_type_name(b));
	if (a->type == VAL_STR && !expr_is_field(b))
		diag_help(c->diags, "write it in quotes");
	else if (b->kind == EX_STR && catalog_constant(c->catalog, b->s, b->slen))
		diag_help(c->diags, "constants have no quotes: %.*s", (int)b->slen, b->s);
	else if (b->kind == EX_STR && a->type == VAL_INT)
		diag_help(c->diags, "write the number without quotes");
	else if (b->kind == EX_STR && a->type == VAL_IP)
		diag_help(c->diags, "write the address without quotes");
	else if (a->type == VAL_BOOL)
		diag_help(c->diags, "compare it with true or false, or use it alone");
	else
		diag_help(c->diags, "`tamisc fields` shows the type of every field");
	return -EINVAL;
}

/* Orders are for numbers. */
static int check_operator(struct check *c, const struct expr *e)
{
	if (e->op == AST_OP_EQ || e->op == AST_OP_NE || e->a->type == VAL_INT)
		return 0;
	diag_error(c->diags, ast_span(e->at), "the operator %s does not go with %s", ast_op_name(e->op),
		   check_type_name(e->a));
	diag_help(c->diags, "use == or !=%s", e->a->type == VAL_IP ? ", or in with a network" : "");
	return -EINVAL;
}

/* field OP 5s asks how long ago the field's time was. */
static int check_duration(struct check *c, struct expr *e)
{
	if (!e->b->duration)
		return 0;
	if (e->op == AST_OP_NE) {
		diag_error(c->diags, ast_span(e->at), "!= does not go with a duration");
		diag_help(c->diags, "use <, <=, > or >=");
		return -EINVAL;
	}
	e->duration = expr_is_field(e->a);
	if (e->duration && !(e->a->field->flags & CF_TIME)) {
		diag_warn(c->diags, ast_span(e->a->at), "%s is not a time, but is compared as one", e->a->field->name);
		diag_help(c->diags, "a duration is compared with the time since the field's time");
	}
	return 0;
}

/* Ids of users and processes are never negative; a rule that says so can never fire. */
static int check_never_negative(struct check *c, const struct expr *e)
{
	static const char *const ids[] = { "pid", "ppid", "tid", "uid", "gid", "euid", "egid", "fsuid", "fsgid" };
	const char *name = expr_is_field(e->a) ? e->a->field->name : "", *last = strrchr(name, '.');

	/* a change of owner takes -1 for "leave it" */
	if (e->b->kind != EX_INT || e->b->num >= 0 || !last || strstr(name, ".destination."))
		return 0;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (strcmp(last + 1, ids[i]) == 0) {
			diag_error(c->diags, ast_span(e->b->at), "%s is never negative", name);
			diag_help(c->diags, "write a number from 0 on; \"unset\" is AUDIT_AUID_UNSET in a login id");
			return -EINVAL;
		}
	return 0;
}

/* Several values and several values: whether there is one that both have. They have no order. */
static int check_one_array(struct check *c, const struct expr *e)
{
	if (!e->a->array || !e->b->array || e->op == AST_OP_EQ || e->op == AST_OP_NE)
		return 0;
	diag_error(c->diags, ast_span(e->at), "the operator %s does not go with several values on both sides",
		   ast_op_name(e->op));
	diag_help(c->diags, "compare several values with one, or use an iterator such as process.ancestors[A]");
	return -EINVAL;
}

/* The rules for a op b, in the order in which a reader wants to hear of them. */
static int finish_compare(struct check *c, struct expr *e)
{
	int r = 0;

	put_subject_first(e);
	r = check_operator(c, e);
	if (r == 0)
		r = check_one_array(c, e);
	if (r == 0)
		r = check_duration(c, e);
	if (r == 0)
		r = check_never_negative(c, e);
	if (r == 0 && is_pattern(e->a))
		r = bad_string(c, e->a, "the pattern", "is compared with another one");
	if (r == 0 && expr_is_text(e->b))
		r = finish_string(c, e->b, e->a);
	return r;
}

static int refuse_list(struct check *c, const struct expr *e)
{
	if (e->kind != EX_LIST)
		return 0;
	diag_error(c->diags, ast_span(e->at), "a list is compared by \"in\", \"not in\" or \"allin\"");
	diag_help(c->diags, "write \"field in LIST\"");
	return -EINVAL;
}

/* a->a and a->b, both looked at whatever the first one is; a list can only be the second. *ret is there after an error, too. */
static int check_sides(struct check *c, const struct ast *a, enum expr_kind kind, struct expr **ret)
{
	struct expr *e = *ret = check_new(c, kind, VAL_BOOL, a);
	int r, rb;

	if (!e)
		return -ENOMEM;
	e->op = a->op;
	r = check_expr(c, a->a, &e->a);
	rb = check_expr(c, a->b, &e->b);
	if (r == 0)
		r = rb;
	return r < 0 ? r : refuse_list(c, e->a);
}

int check_compare(struct check *c, const struct ast *a, struct expr **ret)
{
	struct expr *e;
	int r = check_sides(c, a, EX_COMPARE, &e);

	if (r == 0)
		r = refuse_list(c, e->b);
	if (r == 0)
		r = check_match(c, a, e);
	if (r == 0 && e->a->type != e->b->type)
		r = type_mismatch(c, e->a, e->b);
	if (r == 0)
		r = finish_compare(c, e);
	if (r == 0)
		*ret = e;
	return r;
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

/* Items of a list are of one kind as written: strings of any form, addresses, numbers, or names of constants. */
static int item_class(const struct ast *a)
{
	switch (a->kind) {
	case AST_STR:
	case AST_PATTERN:
	case AST_REGEX:
		return AST_STR;
	case AST_IP:
	case AST_INT:
	case AST_IDENT:
		return a->kind;
	default:
		return -1;
	}
}

static int check_item(struct check *c, const struct ast *list, uint32_t i, struct expr *e)
{
	const struct ast *item = list->items[i];
	int r;

	if (item_class(item) < 0) {
		diag_error(c->diags, ast_span(item), "a list holds strings, numbers, addresses or constants");
		return -EINVAL;
	}
	if (item_class(item) != item_class(list->items[0])) {
		diag_error(c->diags, ast_span(item),
			   "the values of a list are of one kind; this one is not like the first");
		diag_help(c->diags, "write two lists, joined by ||");
		return -EINVAL;
	}
	r = check_expr(c, item, &e->items[i]);
	if (r < 0)
		return r;
	if (!expr_is_const(e->items[i]) && e->items[i]->kind != EX_FORMAT) {
		diag_error(c->diags, ast_span(item), "a list holds constants; this is %s",
			   check_type_name(e->items[i]));
		diag_help(c->diags, "compare with it by ==, joined to the list by ||");
		return -EINVAL;
	}
	if (e->items[i]->type != e->items[0]->type)
		return type_mismatch(c, e->items[0], e->items[i]);
	return 0;
}

int check_list(struct check *c, const struct ast *a, struct expr **ret)
{
	struct expr *e = check_new(c, EX_LIST, VAL_STR, a);

	if (!e)
		return -ENOMEM;
	e->items = arena_array(c->arena, a->n, sizeof(e->items[0]));
	if (!e->items)
		return -ENOMEM;
	e->n = a->n;
	for (uint32_t i = 0; i < a->n; i++) {
		int r = check_item(c, a, i, e);

		if (r < 0)
			return r;
	}
	e->type = e->items[0]->type;
	*ret = e;
	return 0;
}

static int not_a_list(struct check *c, const struct expr *e)
{
	diag_error(c->diags, ast_span(e->b->at),
		   "%s wants a list, a network or a field with several values; this is %s", ast_op_name(e->op),
		   check_type_name(e->b));
	diag_help(c->diags, "compare with one value by == or !=");
	return -EINVAL;
}

/* "x" in field: some value of the field is x. The same for one element of the list that an iterator runs over. */
static int in_field(struct check *c, struct expr *e)
{
	struct expr *field = e->b;

	if (!field->array && field->kind != EX_CURRENT)
		return not_a_list(c, e);
	if (e->op == AST_OP_ALLIN && e->a->array && e->a->type == VAL_IP) {
		diag_error(c->diags, ast_span(e->at), "allin does not go with several addresses on both sides");
		diag_help(c->diags, "write the networks as a list");
		return -EINVAL;
	}
	e->b = e->a;
	e->a = field;
	e->kind = EX_COMPARE;
	e->op = e->op == AST_OP_NOT_IN ? AST_OP_NE : AST_OP_EQ;
	return finish_compare(c, e);
}

static int in_list(struct check *c, struct expr *e)
{
	for (uint32_t i = 0; e->a->type == VAL_STR && i < e->b->n; i++) {
		int r = finish_string(c, e->b->items[i], e->a);

		if (r < 0)
			return r;
	}
	if (is_pattern(e->a))
		return bad_string(c, e->a, "the pattern", "is looked for in a list; patterns belong into the list");
	return 0;
}

int check_in(struct check *c, const struct ast *a, struct expr **ret)
{
	struct expr *e;
	int r = check_sides(c, a, EX_IN, &e);

	if (r == 0 && e->a->type != e->b->type)
		r = type_mismatch(c, e->a, e->b);
	if (r < 0)
		return r;
	if (e->b->kind == EX_LIST)
		r = in_list(c, e);
	else if (e->b->kind != EX_IP)
		r = expr_is_field(e->b) || e->b->kind == EX_VAR ? in_field(c, e) : not_a_list(c, e);
	if (r == 0)
		*ret = e;
	return r;
}
