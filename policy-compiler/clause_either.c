/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that was executed through a symbolic link goes by two paths, and each condition of a rule may hold of the one or the other.
 * "a || b" then holds of one of the two strings; "a && b" need not, but a does, and b does: one of them is asked for.
 */
#include "policy-compiler/clauses.h"

#define STEPS_MAX 4096 /* in a formula; of what is larger nothing is asked */

/* Bytes that have to be met at least; 0 for what is denied, which holds of most strings. */
static uint32_t atom_rarity(const struct clauses *c, const struct formula *f)
{
	const struct clause_atom *a = &c->atoms[f->a];
	uint32_t least = UINT32_MAX;

	if (f->neg || a->open)
		return 0;
	for (uint32_t i = a->first; i < a->first + a->count; i++) {
		uint32_t len, bytes = 0;
		const struct clause_pattern *pat = pattern_at(c, c->atom_patterns[i]);
		const char *s = clauses_pattern_text(c, pat, &len);

		for (uint32_t k = 0; k < len; k++)
			bytes += pat->kind == PAT_EXACT || pat->made || s[k] != '*';
		least = bytes < least ? bytes : least;
	}
	return least;
}

/* A formula, and how rarely it holds. */
struct either {
	int64_t formula;
	uint32_t rarity;
};

static struct either either_of(struct clauses *c, uint32_t formula, unsigned *steps)
{
	const struct formula f = *formula_at(c, formula);
	struct either a, b;

	if (++*steps > STEPS_MAX || f.op == F_TRUE)
		return (struct either){ .formula = FORMULA_TRUE };
	if (f.op == F_ATOM)
		return (struct either){ .formula = formula, .rarity = atom_rarity(c, &f) };
	if (f.op != F_AND && f.op != F_OR)
		return (struct either){ .formula = formula, .rarity = UINT32_MAX };
	a = either_of(c, f.a, steps);
	b = either_of(c, f.b, steps);
	if (a.formula < 0 || b.formula < 0)
		return a.formula < 0 ? a : b;
	if (f.op == F_OR)
		return (struct either){ .formula = formula_logic(c, F_OR, (uint32_t)a.formula, (uint32_t)b.formula),
					.rarity = a.rarity < b.rarity ? a.rarity : b.rarity };
	if (a.formula == FORMULA_TRUE || b.formula == FORMULA_TRUE)
		return a.formula == FORMULA_TRUE ? b : a;
	return a.rarity >= b.rarity ? a : b;
}

int64_t clauses_either(struct clauses *c, uint32_t formula)
{
	unsigned steps = 0;

	return either_of(c, formula, &steps).formula;
}

uint32_t clauses_rarer(struct clauses *c, uint32_t a, uint32_t b)
{
	unsigned steps = 0;
	struct either of_a = either_of(c, a, &steps), of_b = either_of(c, b, &steps);

	return of_a.rarity >= of_b.rarity ? a : b;
}
