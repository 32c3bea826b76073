/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/lower.h"

#include <errno.h>

/* Functions give a node index, or a negative errno: what a negative operand makes is that errno. */
struct lower {
	struct program_builder *pb;
	const struct catalog *catalog;
	struct arena *arena;
};

static const uint8_t scalar_types[] = {
	[VAL_INT] = NT_INT, [VAL_STR] = NT_STR, [VAL_BOOL] = NT_BOOL, [VAL_IP] = NT_IP
};

static int64_t lower_expr(struct lower *l, const struct expr *e);

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

static int64_t node1(struct lower *l, enum node_op op, int64_t a)
{
	return a < 0 ? a : program_node(l->pb, op, (uint32_t)a, 0, 0, 0);
}

static int64_t node3(struct lower *l, enum node_op op, int64_t a, int64_t b, uint32_t c)
{
	if (a < 0 || b < 0)
		return a < 0 ? a : b;
	return program_node(l->pb, op, (uint32_t)a, (uint32_t)b, c, 0);
}

static int64_t node2(struct lower *l, enum node_op op, int64_t a, int64_t b)
{
	return node3(l, op, a, b, 0);
}

static int64_t node_int(struct lower *l, int64_t v)
{
	return program_node(l->pb, N_INT, 0, 0, 0, v);
}

/* A field or a variable. */
static int64_t node_field(struct lower *l, const struct expr *e)
{
	enum node_op op = e->kind == EX_CURRENT ? N_CURRENT : N_FIELD;

	if (e->kind == EX_VAR)
		return program_node(l->pb, N_VAR, e->var->number, 0, 0, 0);

	return program_node(l->pb, op, catalog_index(l->catalog, e->field), 0, 0, 0);
}

/* ---- strings ----------------------------------------------------------------------------------------------------- */

static const struct cat_field *field_of(const struct expr *e)
{
	return expr_is_field(e) ? e->field : NULL;
}

static bool is_extension(const struct cat_field *f)
{
	const char *dot = f ? strrchr(f->name, '.') : NULL;

	return dot && strcmp(dot, ".extension") == 0;
}

/* The string's index. An extension may be written with or without its dot; the value has it. */
static int64_t lower_string(struct lower *l, const struct expr *s, const struct cat_field *f)
{
	char *dotted;

	if (!is_extension(f) || s->strm != STRM_EXACT || !s->slen || s->s[0] == '.')
		return program_str_add(l->pb, s->s, s->slen);
	dotted = arena_alloc(l->arena, s->slen + 1);
	if (!dotted)
		return -ENOMEM;
	dotted[0] = '.';
	memcpy(dotted + 1, s->s, s->slen);
	return program_str_add(l->pb, dotted, s->slen + 1);
}

static bool ignores_case(const struct cat_field *f)
{
	return f && (f->flags & CF_ICASE);
}

/* x is one of the strings that are known, as the n first of @m. */
static int64_t lower_known(struct lower *l, int64_t x, const struct strm *m, uint32_t n)
{
	if (n == 1 && m[0].kind == STRM_EXACT)
		return node3(l, N_STREQ, x, program_node(l->pb, N_STR, m[0].str, 0, 0, 0), m[0].icase);
	return node2(l, N_STRIN, x, program_strset_add(l->pb, m, n));
}

/* x is the text that is made when it is asked, or matches it as a pattern. */
static int64_t lower_made(struct lower *l, int64_t x, const struct expr *s, const struct cat_field *f)
{
	int64_t text = lower_expr(l, s);
	uint32_t flags = (ignores_case(f) ? MATCH_ICASE : 0) | (s->strm == STRM_GLOB ? MATCH_GLOB : 0);

	if (s->strm == STRM_EXACT)
		return node3(l, N_STREQ, x, text, ignores_case(f));
	return node3(l, N_MATCH, x, text, flags);
}

/* x is one of the strings. */
static int64_t lower_strin(struct lower *l, int64_t x, struct expr *const *items, uint32_t n, const struct cat_field *f)
{
	struct strm *m = arena_array(l->arena, n, sizeof(*m));
	int64_t made = program_node(l->pb, N_BOOL, 0, 0, 0, 0);
	uint32_t known = 0;

	if (!m)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && made >= 0; i++) {
		int64_t s;

		if (items[i]->kind == EX_FORMAT) {
			made = node2(l, N_OR, made, lower_made(l, x, items[i], f));
			continue;
		}
		s = lower_string(l, items[i], f);
		if (s < 0)
			return s;
		m[known++] = (struct strm){ .str = (uint32_t)s, .kind = items[i]->strm, .icase = ignores_case(f) };
	}
	return known ? node2(l, N_OR, made, lower_known(l, x, m, known)) : made;
}

/* ---- comparisons ------------------------------------------------------------------------------------------------- */

/* The array that the values of e come from, and what one value of it is. */
static int64_t lower_array(struct lower *l, const struct expr *e)
{
	return node_field(l, e->kind == EX_LEN ? e->a : e);
}

static int64_t lower_elem(struct lower *l, const struct expr *e)
{
	if (e->kind == EX_LEN)
		return node1(l, N_LEN, program_node(l->pb, N_ELEM, NT_STR, 0, 0, 0));
	return program_node(l->pb, N_ELEM, scalar_types[e->type], 0, 0, 0);
}

static int64_t lower_order(struct lower *l, uint8_t op, int64_t x, int64_t y)
{
	switch (op) {
	case AST_OP_LT:
		return node2(l, N_LT, x, y);
	case AST_OP_LE:
		return node2(l, N_LE, x, y);
	case AST_OP_GT:
		return node2(l, N_LT, y, x);
	case AST_OP_GE:
		return node2(l, N_LE, y, x);
	default:
		return node2(l, N_EQ, x, y);
	}
}

static int64_t lower_strings(struct lower *l, const struct expr *e, int64_t x, int64_t y)
{
	const struct cat_field *f = field_of(e->a);

	if (x < 0)
		return x;
	if (expr_is_text(e->b))
		return lower_strin(l, x, (struct expr *const *)&e->b, 1, f);
	return node3(l, N_STREQ, x, y, ignores_case(f) || ignores_case(field_of(e->b)));
}

/* x OP y for one value each; != is the caller's to negate. */
static int64_t lower_values(struct lower *l, const struct expr *e, int64_t x, int64_t y)
{
	if (e->a->type == VAL_STR)
		return lower_strings(l, e, x, y);
	if (e->a->type == VAL_IP)
		return node2(l, N_IPEQ, x, y);
	if (e->duration)
		x = node2(l, N_SUB, program_node(l->pb, N_NOW, 0, 0, 0, 0), x);
	return lower_order(l, e->op, x, y);
}

static int64_t lower_compare(struct lower *l, const struct expr *e)
{
	int64_t n;

	if (e->a->array && e->b->array)
		n = node3(l, N_MEET, lower_array(l, e->a), lower_array(l, e->b),
			  ignores_case(field_of(e->a)) || ignores_case(field_of(e->b)));
	else if (e->a->array)
		n = node2(l, N_ANY, lower_array(l, e->a), lower_values(l, e, lower_elem(l, e->a), lower_expr(l, e->b)));
	else if (e->b->array)
		n = node2(l, N_ANY, lower_array(l, e->b), lower_values(l, e, lower_expr(l, e->a), lower_elem(l, e->b)));
	else
		n = lower_values(l, e, lower_expr(l, e->a), lower_expr(l, e->b));
	return e->op == AST_OP_NE ? node1(l, N_NOT, n) : n;
}

/* ---- membership -------------------------------------------------------------------------------------------------- */

static int64_t lower_intset(struct lower *l, const struct expr *list)
{
	int64_t *v = arena_array(l->arena, list->n, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < list->n; i++)
		v[i] = list->items[i]->num;
	return program_intset_add(l->pb, v, list->n);
}

static int64_t lower_ipset(struct lower *l, struct expr *const *items, uint32_t n)
{
	uint32_t *v = arena_array(l->arena, n, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		int64_t s = program_str_add(l->pb, (const char *)items[i]->ip, VAL_IP_BYTES);

		if (s < 0)
			return s;
		v[i] = (uint32_t)s;
	}
	return program_ipset_add(l->pb, v, n);
}

/* A truth value in a list of truth values. */
static int64_t lower_bools(struct lower *l, int64_t x, const struct expr *list)
{
	int64_t n = program_node(l->pb, N_BOOL, 0, 0, 0, 0);

	for (uint32_t i = 0; i < list->n; i++)
		n = node2(l, N_OR, n, node2(l, N_EQ, x, lower_expr(l, list->items[i])));
	return n;
}

/* x in list, for one value. */
static int64_t lower_member(struct lower *l, const struct expr *e, int64_t x)
{
	const struct expr *list = e->b;
	/* of one address it is enough to be in one of the networks */
	bool all = e->op == AST_OP_ALLIN && e->a->array;

	if (x < 0)
		return x;
	switch (e->a->type) {
	case VAL_STR:
		return lower_strin(l, x, list->items, list->n, field_of(e->a));
	case VAL_INT:
		return node2(l, N_INTIN, x, lower_intset(l, list));
	case VAL_BOOL:
		return lower_bools(l, x, list);
	default:
		if (list->kind == EX_IP)
			return node3(l, N_IPIN, x, lower_ipset(l, (struct expr *const *)&e->b, 1), all);
		return node3(l, N_IPIN, x, lower_ipset(l, list->items, list->n), all);
	}
}

static int64_t lower_in(struct lower *l, const struct expr *e)
{
	int64_t n;

	if (!e->a->array)
		n = lower_member(l, e, lower_expr(l, e->a));
	else if (e->op == AST_OP_ALLIN && e->a->type == VAL_IP)
		n = node1(l, N_NOT,
			  node2(l, N_ANY, lower_array(l, e->a),
				node1(l, N_NOT, lower_member(l, e, lower_elem(l, e->a)))));
	else
		n = node2(l, N_ANY, lower_array(l, e->a), lower_member(l, e, lower_elem(l, e->a)));
	return e->op == AST_OP_NOT_IN ? node1(l, N_NOT, n) : n;
}

/* ---- the rest ---------------------------------------------------------------------------------------------------- */

/* One operator over many operands, as a tree that is not deeper than it has to be. */
static int64_t lower_balanced(struct lower *l, enum node_op op, const int64_t *v, uint32_t n)
{
	if (n == 1)
		return v[0];
	return node2(l, op, lower_balanced(l, op, v, n / 2), lower_balanced(l, op, v + n / 2, n - n / 2));
}

/* From the right: each run of one operator joins its operands and all that is right of it. */
static int64_t lower_chain(struct lower *l, const struct expr *e)
{
	int64_t *v = arena_array(l->arena, e->n, sizeof(*v));
	uint32_t end = e->n;

	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < e->n; i++) {
		v[i] = lower_expr(l, e->items[i]);
		if (v[i] < 0)
			return v[i];
	}
	while (end > 1) {
		uint8_t op = e->ops[end - 2];
		uint32_t first = end - 2;

		while (first > 0 && e->ops[first - 1] == op)
			first--;
		v[first] = lower_balanced(l, op == AST_OP_AND ? N_AND : N_OR, v + first, end - first);
		if (v[first] < 0)
			return v[first];
		end = first + 1;
	}
	return v[0];
}

static int64_t lower_binary(struct lower *l, const struct expr *e)
{
	static const uint8_t ops[] = { [AST_OP_ADD] = N_ADD,
				       [AST_OP_SUB] = N_SUB,
				       [AST_OP_BAND] = N_BAND,
				       [AST_OP_BOR] = N_BOR,
				       [AST_OP_BXOR] = N_BXOR };

	return node2(l, ops[e->op], lower_expr(l, e->a), lower_expr(l, e->b));
}

static int64_t lower_const_str(struct lower *l, const struct expr *e)
{
	int64_t s = program_str_add(l->pb, e->s, e->slen);

	return s < 0 ? s : program_node(l->pb, N_STR, (uint32_t)s, 0, 0, 0);
}

static int64_t lower_const_ip(struct lower *l, const struct expr *e)
{
	int64_t s = program_str_add(l->pb, (const char *)e->ip, VAL_IP_BYTES);

	return s < 0 ? s : program_node(l->pb, N_IP, (uint32_t)s, 0, 0, 0);
}

static int64_t lower_format(struct lower *l, const struct expr *e)
{
	int64_t all = program_node(l->pb, N_STR, 0, 0, 0, 0);

	for (uint32_t i = 0; i < e->n; i++)
		all = node2(l, N_CONCAT, all, node1(l, N_TEXT, lower_expr(l, e->items[i])));
	return all;
}

static int64_t lower_expr(struct lower *l, const struct expr *e)
{
	switch (e->kind) {
	case EX_INT:
		return node_int(l, e->num);
	case EX_BOOL:
		return program_node(l->pb, N_BOOL, 0, 0, 0, e->num);
	case EX_STR:
		return lower_const_str(l, e);
	case EX_IP:
		return lower_const_ip(l, e);
	case EX_FIELD:
	case EX_CURRENT:
	case EX_VAR:
		return node_field(l, e);
	case EX_UUID:
		return program_node(l->pb, N_UUID, 0, 0, 0, 0);
	case EX_FORMAT:
		return lower_format(l, e);
	case EX_LEN:
		return node1(l, N_LEN, node_field(l, e->a));
	case EX_NOT:
		return node1(l, N_NOT, lower_expr(l, e->a));
	case EX_NEG:
		return node1(l, N_NEG, lower_expr(l, e->a));
	case EX_BNOT:
		return node1(l, N_BNOT, lower_expr(l, e->a));
	case EX_BINARY:
		return lower_binary(l, e);
	case EX_COMPARE:
		return lower_compare(l, e);
	case EX_IN:
		return lower_in(l, e);
	case EX_CHAIN:
		return lower_chain(l, e);
	default:
		return -EINVAL;
	}
}

/* ---- iterators --------------------------------------------------------------------------------------------------- */

static bool uses_current(const struct expr *e)
{
	switch (e->kind) {
	case EX_CURRENT:
		return true;
	case EX_LEN:
	case EX_NOT:
	case EX_NEG:
	case EX_BNOT:
		return uses_current(e->a);
	case EX_BINARY:
	case EX_COMPARE:
	case EX_IN:
		return uses_current(e->a) || uses_current(e->b);
	case EX_CHAIN:
	case EX_FORMAT:
	case EX_LIST:
		for (uint32_t i = 0; i < e->n; i++)
			if (uses_current(e->items[i]))
				return true;
		return false;
	default:
		return false;
	}
}

static bool is_conjunction(const struct expr *e)
{
	if (e->kind != EX_CHAIN)
		return false;
	for (uint32_t i = 0; i + 1 < e->n; i++)
		if (e->ops[i] != AST_OP_AND)
			return false;
	return true;
}

static int64_t lower_exists(struct lower *l, const struct check *c, int64_t body)
{
	return node2(l, N_EXISTS, body, catalog_index(c->catalog, c->iterated));
}

/*
 * The rule holds for some element. What does not look at the element is asked once and, standing outside of the
 * N_EXISTS, can be asked by the kernel: for "and" the two are the same, also where there is no element at all.
 */
static int64_t lower_iterated(struct lower *l, const struct check *c, const struct expr *e)
{
	int64_t outer = program_node(l->pb, N_BOOL, 0, 0, 0, 1), inner = outer;

	if (!is_conjunction(e))
		return lower_exists(l, c, lower_expr(l, e));
	for (uint32_t i = 0; i < e->n; i++) {
		int64_t *side = uses_current(e->items[i]) ? &inner : &outer;

		*side = node2(l, N_AND, *side, lower_expr(l, e->items[i]));
	}
	return node2(l, N_AND, outer, lower_exists(l, c, inner));
}

int lower_rule(struct program_builder *pb, const struct check *c, const struct expr *e, uint32_t *ret_root)
{
	struct lower l = { .pb = pb, .catalog = c->catalog, .arena = c->arena };
	int64_t root = c->iterated ? lower_iterated(&l, c, e) : lower_expr(&l, e);

	if (root < 0)
		return (int)root;
	*ret_root = (uint32_t)root;
	return 0;
}

int lower_value(struct program_builder *pb, const struct check *c, const struct expr *e, uint32_t *ret_node)
{
	struct lower l = { .pb = pb, .catalog = c->catalog, .arena = c->arena };
	int64_t node = lower_expr(&l, e);

	if (node < 0)
		return (int)node;
	*ret_node = (uint32_t)node;
	return 0;
}
