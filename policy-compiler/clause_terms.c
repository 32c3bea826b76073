/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a formula to a list of terms. What a formula says of one string alone stays in one piece, however it is nested: the
 * automaton of that string decides it as a whole. So only what mixes strings and numbers is multiplied out.
 */
#include "policy-compiler/clauses.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TERMS_MAX (1u << 22) /* terms of all formulas of an event type */

/* A list in the making. */
struct list {
	struct clause_term t[CLAUSES_A_RULE];
	uint32_t n;
	bool weak;
};

/* Puts a literal in its place; drops it where there is no room. False where it contradicts one that is there. */
static bool add_lit(struct clause_term *t, uint32_t lit)
{
	uint32_t i = 0;

	while (i < t->n && t->lits[i] < lit)
		i++;
	if (i < t->n && t->lits[i] == lit)
		return true;
	if ((i < t->n && t->lits[i] == (lit ^ 1)) || (i > 0 && t->lits[i - 1] == (lit ^ 1)))
		return false;
	if (t->n == CLAUSE_LITS)
		return true;
	memmove(&t->lits[i + 1], &t->lits[i], (t->n - i) * sizeof(t->lits[0]));
	t->lits[i] = lit;
	t->n++;
	return true;
}

static bool has_lit(const struct clause_term *t, uint32_t lit)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (t->lits[i] == lit)
			return true;
	return false;
}

static bool lits_within(const struct clause_term *a, const struct clause_term *b)
{
	for (uint32_t i = 0; i < a->n; i++)
		if (!has_lit(b, a->lits[i]))
			return false;
	return true;
}

/* Whether @a asks for no more than @b: then @b is not needed beside it. */
static bool covers(const struct clause_term *a, const struct clause_term *b)
{
	for (int k = 0; k < SV_AUTOMATA; k++)
		if (a->formula[k] != FORMULA_TRUE && a->formula[k] != b->formula[k])
			return false;
	return lits_within(a, b);
}

/* The only string on which the two differ; SV_AUTOMATA where they differ in more. */
static int differ_in_one(const struct clause_term *a, const struct clause_term *b)
{
	int one = SV_AUTOMATA;

	if (a->n != b->n || !lits_within(a, b))
		return SV_AUTOMATA;
	for (int k = 0; k < SV_AUTOMATA; k++) {
		if (a->formula[k] == b->formula[k])
			continue;
		if (one != SV_AUTOMATA)
			return SV_AUTOMATA;
		one = k;
	}
	return one;
}

/* a OR b as one term, that of all it says must hold either way. */
static int hull(struct clauses *c, struct clause_term *a, const struct clause_term *b)
{
	uint32_t n = 0;

	for (int k = 0; k < SV_AUTOMATA; k++) {
		int64_t f = formula_logic(c, F_OR, a->formula[k], b->formula[k]);

		if (f < 0)
			return (int)f;
		a->formula[k] = (uint32_t)f;
	}
	for (uint32_t i = 0; i < a->n; i++)
		if (has_lit(b, a->lits[i]))
			a->lits[n++] = a->lits[i];
	a->n = n;
	return 0;
}

/* The whole list as one term. */
static int list_hull(struct clauses *c, struct list *l)
{
	int r = 0;

	for (uint32_t i = 1; i < l->n && r == 0; i++)
		r = hull(c, &l->t[0], &l->t[i]);
	if (l->n > 1)
		l->n = 1;
	l->weak = true;
	return r;
}

static void list_remove(struct list *l, uint32_t i)
{
	l->t[i] = l->t[--l->n];
}

/* Adds a term: merged where that loses nothing. When the list is full it becomes one term first. */
static int list_add(struct clauses *c, struct list *l, const struct clause_term *t)
{
	struct clause_term more = *t;
	int r, k;

	for (uint32_t i = 0; i < l->n;) {
		if (covers(&l->t[i], &more))
			return 0;
		k = differ_in_one(&l->t[i], &more);
		if (k < SV_AUTOMATA) {
			r = hull(c, &more, &l->t[i]);
			if (r < 0)
				return r;
		}
		if (k < SV_AUTOMATA || covers(&more, &l->t[i])) {
			list_remove(l, i);
			i = 0;
			continue;
		}
		i++;
	}
	if (l->n == CLAUSES_A_RULE) {
		r = list_hull(c, l);
		if (r < 0)
			return r;
		return list_add(c, l, &more);
	}
	l->t[l->n++] = more;
	return 0;
}

/* a AND b; *ret_any is false where that is a contradiction. */
static int join(struct clauses *c, const struct clause_term *a, const struct clause_term *b, struct clause_term *ret,
		bool *ret_any)
{
	*ret = *a;
	*ret_any = true;
	for (int k = 0; k < SV_AUTOMATA; k++) {
		int64_t f = formula_logic(c, F_AND, a->formula[k], b->formula[k]);

		if (f < 0)
			return (int)f;
		ret->formula[k] = (uint32_t)f;
	}
	for (uint32_t i = 0; i < b->n; i++)
		*ret_any = *ret_any && add_lit(ret, b->lits[i]);
	return 0;
}

static int list_product(struct clauses *c, struct list *a, struct list *b, struct list *ret)
{
	struct clause_term t;
	bool any;
	int r = 0;

	/* The longer one is made one term: what it says of each string and of numbers alike. */
	if ((uint64_t)a->n * b->n > CLAUSES_A_RULE)
		r = list_hull(c, a->n > b->n ? a : b);
	ret->n = 0;
	ret->weak = a->weak || b->weak;
	for (uint32_t i = 0; i < a->n && r == 0; i++)
		for (uint32_t k = 0; k < b->n && r == 0; k++) {
			r = join(c, &a->t[i], &b->t[k], &t, &any);
			if (r == 0 && any)
				r = list_add(c, ret, &t);
		}
	return r;
}

static void list_load(const struct clauses *c, uint32_t formula, struct list *ret)
{
	const struct terms_of *of = &c->terms_of[formula];

	ret->n = of->count;
	ret->weak = of->weak;
	if (of->count)
		memcpy(ret->t, c->terms + of->first, of->count * sizeof(ret->t[0]));
}

static int list_store(struct clauses *c, uint32_t formula, struct list *l)
{
	int r = 0;

	/* A policy of this size is met by asking for less. */
	if (c->nterms > TERMS_MAX)
		r = list_hull(c, l);
	if (r == 0)
		r = array_room(&c->terms, &c->terms_cap, c->nterms + l->n, sizeof(*c->terms));
	if (r < 0)
		return r;
	if (l->n)
		memcpy(c->terms + c->nterms, l->t, l->n * sizeof(l->t[0]));
	c->terms_of[formula] = (struct terms_of){ .first = c->nterms, .count = l->n, .known = true, .weak = l->weak };
	c->nterms += l->n;
	return 0;
}

/* The formula is of one string, of one number, or a constant. */
static void list_of_one(const struct formula *f, uint32_t index, struct list *ret)
{
	struct clause_term t = { 0 };

	ret->n = f->op != F_FALSE;
	ret->weak = false;
	for (int k = 0; k < SV_AUTOMATA; k++)
		if (f->uses == 1u << k)
			t.formula[k] = index;
	if (f->op == F_PRED)
		add_lit(&t, 2 * f->a + f->neg);
	ret->t[0] = t;
}

static int list_union(struct clauses *c, struct list *a, const struct list *b)
{
	int r = 0;

	a->weak = a->weak || b->weak;
	for (uint32_t i = 0; i < b->n && r == 0; i++)
		r = list_add(c, a, &b->t[i]);
	return r;
}

static bool is_mixed(const struct formula *f)
{
	return (f->op == F_AND || f->op == F_OR) && (f->uses & USES_PREDS || f->uses & (f->uses - 1));
}

static int make_room(struct clauses *c)
{
	uint32_t had = c->terms_of_cap;
	int r = array_room(&c->terms_of, &c->terms_of_cap, c->formulas.n, sizeof(*c->terms_of));

	if (r == 0)
		memset(c->terms_of + had, 0, (c->terms_of_cap - had) * sizeof(*c->terms_of));
	return r;
}

/* The three lists are too large for the stack of a deep recursion. */
struct lists {
	struct list a, b, out;
};

static int combine(struct clauses *c, uint32_t formula)
{
	const struct formula f = *formula_at(c, formula);
	struct lists *l = malloc(sizeof(*l));
	int r = 0;

	if (!l)
		return -ENOMEM;
	if (is_mixed(&f)) {
		list_load(c, f.a, &l->a);
		list_load(c, f.b, &l->b);
		r = f.op == F_AND ? list_product(c, &l->a, &l->b, &l->out) : list_union(c, &l->a, &l->b);
		if (r == 0)
			r = make_room(c);
		if (r == 0)
			r = list_store(c, formula, f.op == F_AND ? &l->out : &l->a);
	} else {
		list_of_one(&f, formula, &l->a);
		r = list_store(c, formula, &l->a);
	}
	free(l);
	return r;
}

int clauses_terms(struct clauses *c, uint32_t formula)
{
	const struct formula f = *formula_at(c, formula);
	int r = make_room(c);

	if (r < 0 || c->terms_of[formula].known)
		return r;
	if (is_mixed(&f)) {
		r = clauses_terms(c, f.a);
		if (r == 0)
			r = clauses_terms(c, f.b);
	}
	return r < 0 ? r : combine(c, formula);
}
