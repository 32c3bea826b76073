/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/check.h"

#include <errno.h>

#include "policy-compiler/check_parts.h"

#define CHECK_DEPTH_MAX 1024

const char *check_type_name(const struct expr *e)
{
	static const char *const one[] = {
		[VAL_INT] = "a number", [VAL_STR] = "text", [VAL_BOOL] = "true or false", [VAL_IP] = "an address"
	};
	static const char *const many[] = { [VAL_INT] = "several numbers",
					    [VAL_STR] = "several texts",
					    [VAL_BOOL] = "several truth values",
					    [VAL_IP] = "several addresses" };
	static const char *const lists[] = { [VAL_INT] = "a list of numbers",
					     [VAL_STR] = "a list of texts",
					     [VAL_BOOL] = "a list of truth values",
					     [VAL_IP] = "a list of addresses" };

	if (e->duration && e->kind == EX_INT)
		return "a duration";
	if (e->kind == EX_LIST)
		return lists[e->type];
	return e->array ? many[e->type] : one[e->type];
}

struct expr *check_new(struct check *c, enum expr_kind kind, uint8_t type, const struct ast *at)
{
	struct expr *e = arena_alloc(c->arena, sizeof(*e));

	if (!e)
		return NULL;
	e->kind = (uint8_t)kind;
	e->type = type;
	e->at = at;
	return e;
}

int check_one_value(struct check *c, const struct expr *e, uint8_t type, const char *what)
{
	struct expr wanted = { .type = type };

	if (e->kind != EX_LIST && !e->array && e->type == type)
		return 0;
	diag_error(c->diags, ast_span(e->at), "%s wants %s; this is %s", what, check_type_name(&wanted),
		   check_type_name(e));
	if (type == VAL_BOOL && e->type != VAL_BOOL)
		diag_help(c->diags,
			  strcmp(what, "!") == 0
				  ? "! binds tighter than a comparison: write !( ... ), or compare by != or not in"
				  : "compare it with something, as in \"... > 0\" or \"... != \\\"\\\"\"");
	else if (strcmp(what, "&") == 0 || strcmp(what, "|") == 0)
		diag_help(c->diags, "& and | join the bits of numbers; conditions are joined by && and ||");
	else if (e->array)
		diag_help(c->diags, "compare it by == or in: true if one of the values is as wanted");
	return -EINVAL;
}

/* ---- literals and operators -------------------------------------------------------------------------------------- */

static int check_number(struct check *c, const struct ast *a, struct expr **ret)
{
	struct expr *e = check_new(c, EX_INT, VAL_INT, a);

	if (!e)
		return -ENOMEM;
	e->num = a->num;
	e->duration = a->kind == AST_DURATION;
	*ret = e;
	return 0;
}

static int check_ip(struct check *c, const struct ast *a, struct expr **ret)
{
	struct expr *e = check_new(c, EX_IP, VAL_IP, a);

	if (!e)
		return -ENOMEM;
	memcpy(e->ip, a->ip, sizeof(e->ip));
	*ret = e;
	return 0;
}

static int check_unary(struct check *c, const struct ast *a, struct expr **ret)
{
	bool is_not = a->op == AST_OP_NOT;
	enum expr_kind kind = is_not ? EX_NOT : a->op == AST_OP_NEG ? EX_NEG : EX_BNOT;
	struct expr *operand, *e;
	int r = check_expr(c, a->a, &operand);

	if (r == 0)
		r = check_one_value(c, operand, is_not ? VAL_BOOL : VAL_INT, ast_op_name(a->op));
	if (r < 0)
		return r;
	e = check_new(c, kind, is_not ? VAL_BOOL : VAL_INT, a);
	if (!e)
		return -ENOMEM;
	e->a = operand;
	*ret = e;
	return 0;
}

static int check_binary(struct check *c, const struct ast *a, struct expr **ret)
{
	struct expr *x, *y, *e;
	int rx = check_expr(c, a->a, &x), ry = check_expr(c, a->b, &y);

	if (rx == 0)
		rx = check_one_value(c, x, VAL_INT, ast_op_name(a->op));
	if (ry == 0)
		ry = check_one_value(c, y, VAL_INT, ast_op_name(a->op));
	if (rx < 0 || ry < 0)
		return rx < 0 ? rx : ry;
	e = check_new(c, EX_BINARY, VAL_INT, a);
	if (!e)
		return -ENOMEM;
	e->op = a->op;
	e->a = x;
	e->b = y;
	*ret = e;
	return 0;
}

/* Every part of the chain is looked at, so that one run shows the errors of all. */
static int check_chain(struct check *c, const struct ast *a, struct expr **ret)
{
	struct expr *e = check_new(c, EX_CHAIN, VAL_BOOL, a);
	int result = 0;

	if (!e)
		return -ENOMEM;
	e->items = arena_array(c->arena, a->n, sizeof(e->items[0]));
	if (!e->items)
		return -ENOMEM;
	e->ops = a->ops;
	e->n = a->n;
	for (uint32_t i = 0; i < a->n; i++) {
		int r = check_expr(c, a->items[i], &e->items[i]);

		if (r == 0)
			r = check_one_value(c, e->items[i], VAL_BOOL, "a condition");
		if (r < 0)
			result = r;
		if (r == -ENOMEM || r == -E2BIG)
			return r;
	}
	if (result == 0)
		*ret = e;
	return result;
}

/* ---- any expression ---------------------------------------------------------------------------------------------- */

static int check_node(struct check *c, const struct ast *a, struct expr **ret)
{
	switch (a->kind) {
	case AST_CHAIN:
		return check_chain(c, a, ret);
	case AST_COMPARE:
		return check_compare(c, a, ret);
	case AST_IN:
		return check_in(c, a, ret);
	case AST_BINARY:
		return check_binary(c, a, ret);
	case AST_UNARY:
		return check_unary(c, a, ret);
	case AST_IDENT:
		return check_name(c, a, ret);
	case AST_VAR:
		return check_variable(c, a, ret);
	case AST_FIELDREF:
		return check_field_reference(c, a, ret);
	case AST_INT:
	case AST_DURATION:
		return check_number(c, a, ret);
	case AST_IP:
		return check_ip(c, a, ret);
	case AST_LIST:
		return check_list(c, a, ret);
	default:
		return check_string(c, a, ret);
	}
}

/* -E2BIG ends the whole rule: what follows would only repeat it. */
static int check_budget(struct check *c, const struct ast *a)
{
	if (c->diags->errors - c->errors_before >= CHECK_ERRORS_MAX) {
		if (c->diags->errors - c->errors_before == CHECK_ERRORS_MAX)
			diag_error(c->diags, ast_span(a),
				   "more than %d errors in this rule: the rest of it was not looked at",
				   CHECK_ERRORS_MAX);
		return -E2BIG;
	}
	if (++c->nexprs <= CHECK_EXPRS_MAX && c->depth < CHECK_DEPTH_MAX)
		return 0;
	diag_error(c->diags, ast_span(a),
		   "the rule is too large: with its macros in place it has more than %u parts or %u levels",
		   CHECK_EXPRS_MAX, CHECK_DEPTH_MAX);
	diag_help(c->diags, "split the rule, or use lists instead of chains of ==");
	return -E2BIG;
}

int check_expr(struct check *c, const struct ast *a, struct expr **ret)
{
	int r = check_budget(c, a);

	if (r < 0)
		return r;
	c->depth++;
	r = check_node(c, a, ret);
	c->depth--;
	return r;
}

static void check_begin(struct check *c)
{
	c->event = EV_NONE;
	c->event_at = NULL;
	c->iterated = NULL;
	c->nunseen = 0;
	c->iterator[0] = '\0';
	c->nexprs = 0;
	c->depth = 0;
	c->errors_before = c->diags->errors;
}

int check_any(struct check *c, const struct ast *a, struct expr **ret)
{
	int r;

	check_begin(c);
	r = check_expr(c, a, ret);
	return r == -E2BIG ? -EINVAL : r;
}

int check_text(struct check *c, const struct text *text, enum ast_kind kind, struct expr **ret)
{
	struct ast *a = arena_alloc(c->arena, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	*a = (struct ast){ .kind = (uint8_t)kind, .len = text->len, .text = text, .s = text->s, .slen = text->len };
	check_begin(c);
	r = kind == AST_FIELDREF ? check_field_reference(c, a, ret) : check_string(c, a, ret);
	return r == -E2BIG ? -EINVAL : r;
}

int check_rule(struct check *c, const struct ast *a, struct expr **ret)
{
	struct expr *e;
	int r;

	check_begin(c);
	r = check_expr(c, a, &e);
	if (r == 0)
		r = check_one_value(c, e, VAL_BOOL, "a rule");
	if (r == 0)
		*ret = e;
	return r == -E2BIG ? -EINVAL : r;
}

int check_event(struct check *c, const struct ast *a)
{
	const struct catalog *cat = c->catalog;

	if (c->event != EV_NONE && !cat->events[c->event].is_family)
		return 0;
	if (c->event != EV_NONE) {
		diag_error(c->diags, ast_span(c->event_at),
			   "%s is a field of several event types: the rule does not say which", c->event_field);
		for (size_t i = 0; i < cat->nevents; i++)
			if (cat->events[i].name && cat->events[i].family == c->event)
				diag_help(c->diags,
					  "add a condition on a field of one, such as those of \"%s\"; for each a rule",
					  cat->events[i].name);
		return -EINVAL;
	}
	diag_error(c->diags, ast_span(a),
		   "the rule names no field of an event type, so it is not known when to ask it");
	diag_help(c->diags,
		  "add a condition on the event, such as exec.file.path != \"\" or open.file.path == \"...\"");
	return -EINVAL;
}
