/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions: parsing, checking, evaluating. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy-compiler/check.h"
#include "policy-compiler/parse.h"
#include "tests/conformance/conf.h"

static const char *ok_word(bool ok)
{
	return ok ? "ok" : "an error";
}

void run_parse(struct bench *b, const json_t *c, struct outcome *o)
{
	const struct text *text = bench_text(b, case_text(c, "expression"));
	struct ast *ast;
	int r = strcmp(case_text(c, "what"), "macro") == 0 ? parse_macro(&b->compile->arena, text, &b->diags, &ast)
							   : parse_rule(&b->compile->arena, text, &b->diags, &ast);

	bench_note_error(b);
	outcome_texts(o, ok_word(case_flag(c, "ok")), ok_word(r == 0));
}

/* Where the case tells the column of the error, it has to be that one. */
void run_compile(struct bench *b, const json_t *c, struct outcome *o)
{
	const json_t *column = json_object_get(c, "error_column");
	bool ok = bench_compile(b, c) == 0;
	char want[64], got[64];

	if (ok || !column) {
		outcome_texts(o, ok_word(case_flag(c, "ok")), ok_word(ok));
		return;
	}
	snprintf(want, sizeof(want), "an error in column %lld", (long long)json_integer_value(column));
	snprintf(got, sizeof(got), "an error in column %u", b->column);
	outcome_texts(o, case_flag(c, "ok") ? "ok" : want, got);
}

static void eval_outcome(struct outcome *o, bool want, int got)
{
	if (got < 0)
		outcome_fail(o, want ? "true" : "false", "an error");
	else
		outcome_bools(o, want, got);
}

void run_eval(struct bench *b, const json_t *c, struct outcome *o)
{
	eval_outcome(o, case_expected(c), bench_compile(b, c) < 0 ? -1 : bench_eval(b, b->root, c));
}

/*
 * An expression without an event type is as wrong as one of two: neither can be a rule. @expected is the type's name, or null
 * for an error.
 */
void run_rule_event_type(struct bench *b, const json_t *c, struct outcome *o)
{
	const json_t *want = json_object_get(c, "expected");
	const char *got = "an error";

	if (bench_compile(b, c) == 0 && b->event != EV_NONE)
		got = b->model->catalog->events[b->event].name;
	outcome_texts(o, json_is_string(want) ? json_string_value(want) : "an error", got);
}

/* Whether the compiler warns of a pattern that matches everything. */
void run_bare_wildcard(struct bench *b, const json_t *c, struct outcome *o)
{
	bool warned = false;

	if (bench_compile(b, c) < 0) {
		outcome_fail(o, case_expected(c) ? "true" : "false", "an error");
		return;
	}
	for (size_t i = 0; i < b->diags.n; i++)
		warned |= strncmp(b->diags.v[i].msg, CHECK_BARE_WILDCARD, strlen(CHECK_BARE_WILDCARD)) == 0;
	outcome_bools(o, case_expected(c), warned);
}

/* ---- partial evaluation ------------------------------------------------------------------------------------------ */

/*
 * Whether an expression is false whatever all fields but one hold: each condition that needs another field is replaced by
 * what helps the expression to be true.
 */
struct partial {
	struct program_builder *pb;
	uint32_t field; /* the one that is known */
};

static bool needs_others(const struct program *p, uint32_t node, uint32_t field)
{
	const struct node *n = &p->nodes[node];
	unsigned int operands = program_operands(n->op);

	if (n->op == N_FIELD || n->op == N_CURRENT)
		return n->a != field;
	return ((operands & 1) && needs_others(p, n->a, field)) || ((operands & 2) && needs_others(p, n->b, field));
}

static int64_t relax(const struct partial *x, uint32_t node, bool helpful)
{
	const struct program p = program_view(x->pb);
	const struct node n = p.nodes[node];
	int64_t a, b = 0;

	switch (n.op) {
	case N_AND:
	case N_OR:
		a = relax(x, n.a, helpful);
		b = a < 0 ? a : relax(x, n.b, helpful);
		break;
	case N_NOT:
		a = relax(x, n.a, !helpful);
		break;
	case N_EXISTS:
		a = relax(x, n.a, helpful);
		b = n.b;
		break;
	default:
		return needs_others(&p, node, x->field) ? program_node(x->pb, N_BOOL, 0, 0, 0, helpful) : node;
	}
	if (a < 0 || b < 0)
		return a < 0 ? a : b;
	return program_node(x->pb, n.op, (uint32_t)a, (uint32_t)b, n.c, n.imm);
}

void run_partial_eval(struct bench *b, const json_t *c, struct outcome *o)
{
	const char *name = case_text(c, "field");
	const struct catalog *cat = b->model->catalog;
	const struct cat_field *f = catalog_field(cat, name, strlen(name));
	bool want = case_flag(c, "is_discarder");
	struct partial x = { .pb = b->compile->builder };
	int64_t root = -EINVAL;
	int got;

	if (f && bench_compile(b, c) == 0) {
		x.field = catalog_index(cat, f);
		root = relax(&x, b->root, true);
	}
	got = root < 0 ? -1 : bench_eval(b, (uint32_t)root, c);
	eval_outcome(o, want, got < 0 ? got : !got);
}
