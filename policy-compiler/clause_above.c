/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of the processes above one that executes: that one of them is such and such. The kernel keeps with each image which of
 * these conditions it, or one above it, meets (struct sv_kin). It cannot tell that two of them are met by the same process, so a
 * condition is ruled out where nobody above meets it, and what is denied asks nothing.
 */
#include "policy-compiler/clauses.h"

/* Whether @n compares @operand, or what is like it, with constants. */
static bool is_compared(const struct program *p, const struct node *n, uint8_t op, uint32_t *ret_operand)
{
	if (n->op == N_STRIN) {
		*ret_operand = n->a;
	} else if (n->op == N_STREQ) {
		bool left = p->nodes[n->b].op == N_STR;

		*ret_operand = left ? n->a : n->b;
		if (!left && p->nodes[n->a].op != N_STR)
			return false;
	} else {
		return false;
	}
	return p->nodes[*ret_operand].op == op;
}

/* One element of a field of all ancestors against constants. */
static bool is_any(const struct program *p, uint16_t event, const struct node *n, struct clause_string *ret)
{
	uint32_t operand;

	return is_compared(p, &p->nodes[n->b], N_ELEM, &operand) &&
	       clauses_kin_string(p, event, n->a, N_FIELD, CAT_HOME_ANCESTORS, ret);
}

/* A part of what is asked of one ancestor. */
static bool is_part(const struct program *p, uint16_t event, const struct node *n, struct clause_string *ret)
{
	uint32_t operand;

	return is_compared(p, n, N_CURRENT, &operand) &&
	       clauses_kin_string(p, event, operand, N_CURRENT, CAT_HOME_ANCESTORS, ret);
}

/* What is asked of one ancestor. Recursion is as deep as the program's nodes are, at most PROGRAM_DEPTH_MAX. */
static int64_t add_parts(struct clauses *c, bool neg, uint32_t i)
{
	const struct node *n = &c->p->nodes[i];
	struct clause_string s;
	int64_t a, b;

	if (n->op == N_NOT)
		return add_parts(c, !neg, n->a);
	if (n->op == N_AND || n->op == N_OR) {
		a = add_parts(c, neg, n->a);
		b = a < 0 ? a : add_parts(c, neg, n->b);
		return b < 0 ? b : formula_logic(c, (n->op == N_AND) != neg ? F_AND : F_OR, (uint32_t)a, (uint32_t)b);
	}
	return is_part(c->p, c->event, n, &s) ? clauses_add_atom(c, neg, &s, i, i, -1) : FORMULA_TRUE;
}

int64_t clauses_above(struct clauses *c, bool neg, uint32_t i)
{
	const struct node *n = &c->p->nodes[i];
	struct clause_string s;

	if (neg)
		return FORMULA_TRUE;
	if (n->op == N_EXISTS)
		return add_parts(c, false, n->a);
	return is_any(c->p, c->event, n, &s) ? clauses_add_atom(c, false, &s, i, n->b, -1) : FORMULA_TRUE;
}

static bool has_part(const struct program *p, uint16_t event, uint32_t i)
{
	const struct node *n = &p->nodes[i];
	struct clause_string s;

	if (n->op == N_NOT)
		return has_part(p, event, n->a);
	if (n->op == N_AND || n->op == N_OR)
		return has_part(p, event, n->a) || has_part(p, event, n->b);
	return is_part(p, event, n, &s);
}

bool clauses_is_above(const struct program *p, uint16_t event, uint32_t node)
{
	const struct node *n = &p->nodes[node];
	struct clause_string s;

	return n->op == N_EXISTS ? has_part(p, event, n->a) : n->op == N_ANY && is_any(p, event, n, &s);
}
