/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/dnf.h"

#include <errno.h>

#include "policy-compiler/node_text.h"

/* Nodes looked at and literals copied for one branch: what is shared in the graph would else be walked again and again. */
#define WORK_MAX (1u << 16)

/* The clauses of a part of the condition. */
struct list {
	struct dnf_clause *v;
	size_t n;
};

struct dnf_run {
	struct arena *arena;
	const struct program *p;
	uint32_t work; /* left */
};

static bool is_logic(const struct node *n)
{
	return n->op == N_AND || n->op == N_OR;
}

/* Steps over NOTs. */
static struct dnf_lit lit_of(const struct program *p, uint32_t node, bool negated)
{
	while (p->nodes[node].op == N_NOT) {
		node = p->nodes[node].a;
		negated = !negated;
	}
	return (struct dnf_lit){ node, negated };
}

/* What the node is where it stands: the opposite of an AND is an OR. */
static bool is_op(const struct program *p, struct dnf_lit l, uint8_t op)
{
	const struct node *n = &p->nodes[l.node];

	return is_logic(n) && (l.negated ? n->op != op : n->op == op);
}

/* -E2BIG where no work is left. */
static int spend(struct dnf_run *x, size_t n)
{
	if (n > x->work)
		return -E2BIG;
	x->work -= (uint32_t)n;
	return 0;
}

/* ---- lists of clauses -------------------------------------------------------------------------------------------- */

static int push(struct dnf_run *x, struct list *l, struct dnf_clause c)
{
	struct dnf_clause *slot;

	if (l->n >= DNF_CLAUSES_MAX)
		return -E2BIG;
	slot = ARENA_PUSH(x->arena, l->v, l->n);
	if (!slot)
		return -ENOMEM;
	*slot = c;
	return 0;
}

static const struct dnf_lit *find(const struct dnf_clause *c, uint32_t node)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->lits[i].node == node)
			return &c->lits[i];
	return NULL;
}

/* Both at once; nothing where they contradict each other. */
static int push_both(struct dnf_run *x, struct list *l, const struct dnf_clause *a, const struct dnf_clause *b)
{
	struct dnf_lit *lits = arena_array(x->arena, a->n + b->n + 1, sizeof(*lits));
	size_t n = a->n;
	int r = spend(x, a->n + b->n + a->n * b->n / 8);

	if (r < 0)
		return r;
	if (!lits)
		return -ENOMEM;
	if (n)
		memcpy(lits, a->lits, n * sizeof(*lits));
	for (size_t i = 0; i < b->n; i++) {
		const struct dnf_lit *there = find(a, b->lits[i].node);

		if (there && there->negated != b->lits[i].negated)
			return 0;
		if (!there)
			lits[n++] = b->lits[i];
	}
	return push(x, l, (struct dnf_clause){ .lits = lits, .n = n });
}

static int expand(struct dnf_run *x, struct dnf_lit lit, struct list *ret);

static int expand_logic(struct dnf_run *x, struct dnf_lit lit, struct list *ret)
{
	const struct node *n = &x->p->nodes[lit.node];
	struct list a = { 0 }, b = { 0 };
	int r = expand(x, lit_of(x->p, n->a, lit.negated), &a);

	if (r == 0)
		r = expand(x, lit_of(x->p, n->b, lit.negated), &b);
	if (r < 0)
		return r;
	if (is_op(x->p, lit, N_OR)) {
		*ret = a;
		for (size_t i = 0; i < b.n && r == 0; i++)
			r = push(x, ret, b.v[i]);
		return r;
	}
	for (size_t i = 0; i < a.n && r == 0; i++)
		for (size_t k = 0; k < b.n && r == 0; k++)
			r = push_both(x, ret, &a.v[i], &b.v[k]);
	return r;
}

static int expand(struct dnf_run *x, struct dnf_lit lit, struct list *ret)
{
	const struct node *n = &x->p->nodes[lit.node];
	struct dnf_clause c = { .n = 1 };
	struct dnf_lit *one;
	int r = spend(x, 1);

	if (r < 0)
		return r;
	if (is_logic(n))
		return expand_logic(x, lit, ret);
	if (n->op == N_BOOL && !n->imm == !lit.negated)
		return 0;
	if (n->op == N_BOOL)
		return push(x, ret, (struct dnf_clause){ 0 });
	one = arena_alloc(x->arena, sizeof(*one));
	if (!one)
		return -ENOMEM;
	*one = lit;
	c.lits = one;
	return push(x, ret, c);
}

/* ---- branches ---------------------------------------------------------------------------------------------------- */

/* The operands of a tree of one operation; -E2BIG over @max. */
static int operands(struct dnf_run *x, struct dnf_lit lit, uint8_t op, size_t max, struct dnf_lit **ret, size_t *n)
{
	struct dnf_lit *slot;
	int r = spend(x, 1);

	if (r == 0 && is_op(x->p, lit, op)) {
		const struct node *node = &x->p->nodes[lit.node];

		r = operands(x, lit_of(x->p, node->a, lit.negated), op, max, ret, n);
		return r < 0 ? r : operands(x, lit_of(x->p, node->b, lit.negated), op, max, ret, n);
	}
	if (r < 0 || *n >= max)
		return -E2BIG;
	slot = ARENA_PUSH(x->arena, *ret, *n);
	if (!slot)
		return -ENOMEM;
	*slot = lit;
	return 0;
}

/* A branch as one clause: the parts of its AND, or itself where even those are too many. */
static int keep_whole(struct dnf_run *x, struct dnf_lit lit, struct list *ret)
{
	struct dnf_clause c = { .whole = true };
	struct dnf_lit *lits = NULL;
	int r;

	x->work = WORK_MAX;
	r = operands(x, lit, N_AND, WORK_MAX, &lits, &c.n);
	if (r == -E2BIG) {
		lits = arena_alloc(x->arena, sizeof(*lits));
		if (!lits)
			return -ENOMEM;
		*lits = lit;
		c.n = 1;
		r = 0;
	}
	c.lits = lits;
	return r < 0 ? r : push(x, ret, c);
}

static int expand_branch(struct dnf_run *x, struct dnf_lit lit, struct list *ret)
{
	int r;

	x->work = WORK_MAX;
	r = expand(x, lit, ret);
	if (r != -E2BIG)
		return r;
	*ret = (struct list){ 0 };
	return keep_whole(x, lit, ret);
}

/* Whether all that @b asks for, @a asks for too. */
static bool asks_more(const struct dnf_clause *a, const struct dnf_clause *b)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct dnf_lit *l = find(a, b->lits[i].node);

		if (!l || l->negated != b->lits[i].negated)
			return false;
	}
	return a->n > b->n;
}

static bool same(const struct dnf_clause *a, const struct dnf_clause *b)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct dnf_lit *l = find(a, b->lits[i].node);

		if (!l || l->negated != b->lits[i].negated)
			return false;
	}
	return a->n == b->n;
}

/* "a || a && b" is "a". Quadratic, so only where there are not many. */
static void drop_needless(struct dnf_clause *v, size_t *n)
{
	size_t kept = 0, all = *n;

	if (all > DNF_CLAUSES_MAX)
		return;
	for (size_t i = 0; i < all; i++) {
		bool needless = false;

		for (size_t k = 0; k < all && !needless; k++)
			needless = k != i && (asks_more(&v[i], &v[k]) || (k < kept && same(&v[i], &v[k])));
		if (!needless)
			v[kept++] = v[i];
	}
	*n = kept;
}

int dnf_of(struct arena *a, const struct program *p, uint32_t root, struct dnf *ret)
{
	struct dnf_run x = { .arena = a, .p = p, .work = WORK_MAX };
	struct dnf_lit top = lit_of(p, root, false), *branches = NULL;
	struct dnf_clause *v = NULL;
	size_t nbranches = 0, n = 0;
	int r = operands(&x, top, N_OR, DNF_BRANCHES_MAX, &branches, &nbranches);

	if (r == -E2BIG) { /* so many: it is one clause */
		branches = &top;
		nbranches = 1;
		r = 0;
	}
	for (size_t i = 0; i < nbranches && r == 0; i++) {
		struct list l = { 0 };

		r = expand_branch(&x, branches[i], &l);
		for (size_t k = 0; k < l.n && r == 0; k++) {
			struct dnf_clause *slot = ARENA_PUSH(a, v, n);

			if (!slot)
				return -ENOMEM;
			*slot = l.v[k];
		}
	}
	if (r < 0)
		return r;
	drop_needless(v, &n);
	*ret = (struct dnf){ .v = v, .n = n };
	return 0;
}

void dnf_clause_text(const struct program *p, const struct dnf_clause *c, struct buf *out)
{
	if (!c->n)
		buf_puts(out, "(anything)");
	for (size_t i = 0; i < c->n; i++) {
		buf_puts(out, i ? " && " : "");
		node_text(p, c->lits[i].node, c->lits[i].negated, out);
	}
}
