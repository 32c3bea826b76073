/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On which clauses the kernel refuses. A bit is right for that if it stands for one clause, and if the tables say of that clause
 * neither more nor less than the rule does: nothing was joined, left out, cut off or rounded up.
 */
#include "policy-compiler/sieve_parts.h"

/* Numbers beyond the most that a clause has are left out of it without a word. */
static bool term_whole(const struct event_build *eb, const struct clause_term *t)
{
	if (t->n == CLAUSE_LITS)
		return false;
	for (uint32_t i = 0; i < t->n; i++)
		if (eb->pred_place[t->lits[i] / 2] >= PRED_VAR(SV_VARS - 1)) /* no number, or none that has a place */
			return false;
	return true;
}

static enum deny_why of_rule(const struct event_build *eb, struct rule_build *rb)
{
	const struct program *p = eb->c.p;
	enum deny_why why = deny_of_rule(p, &p->rules[rb->rule], &rb->deny_node);

	if (why != DENY_KERNEL)
		return why;
	if (!rb->count)
		return DENY_NEVER;
	if (rb->weak)
		return DENY_CLAUSES;
	for (uint32_t i = rb->first; i < rb->first + rb->count; i++)
		if (!term_whole(eb, &eb->all[i]))
			return eb->all[i].n == CLAUSE_LITS ? DENY_CLAUSES : DENY_ROOM;
	return DENY_KERNEL;
}

/* Whether a match of each of its patterns is one for sure. */
static bool formula_exact(const struct event_build *eb, unsigned k, uint32_t formula)
{
	const struct formula *f = formula_at(&eb->c, formula);
	const struct string_build *sb = &eb->strings[k];
	const struct clause_atom *a;

	if (f->op == F_AND || f->op == F_OR)
		return formula_exact(eb, k, f->a) && formula_exact(eb, k, f->b);
	if (f->op != F_ATOM)
		return f->op == F_TRUE || f->op == F_FALSE;
	a = &eb->c.atoms[f->a];
	for (uint32_t i = a->first; i < a->first + a->count; i++)
		for (uint32_t j = 0; j < sb->npatterns; j++)
			if (sb->sources[j] == eb->c.atom_patterns[i] && sb->patterns[j].maybe)
				return false;
	return !a->open;
}

/*
 * Whether the automaton was left out though there is one: it says the same of every string. That is all there is to know, unless a
 * second string may make up for what the first one lacks; then it may be that none of this one can hold.
 */
static bool left_out(const struct event_build *eb, const struct sv_event *ev, unsigned k)
{
	return !ev->automata[k].used && catalog_sieve_also(eb->c.p->catalog, eb->c.event, (uint16_t)k);
}

static bool strings_exact(const struct event_build *eb, const struct sv_event *ev, const struct clause_term *t,
			  bool masks_full)
{
	for (unsigned k = 0; k < SV_AUTOMATA; k++) {
		if (t->formula[k] == FORMULA_TRUE || k == SV_AUT_EITHER) /* the first path's, of another path */
			continue;
		if (k >= SV_DENY_STRINGS || masks_full || left_out(eb, ev, k) || eb->strings[k].fit.weakened ||
		    eb->strings[k].fit.cut || !formula_exact(eb, k, t->formula[k]))
			return false;
	}
	return true;
}

static void put_term(const struct event_build *eb, uint32_t term, struct sv_event *ev)
{
	const struct clause_term *t = term_at(eb, term);

	mask_set(&ev->deny.clauses, eb->bits[term]);
	for (unsigned k = 0; k < SV_DENY_STRINGS; k++)
		if (t->formula[k] != FORMULA_TRUE)
			mask_set(&ev->deny.asks[k], eb->bits[term]);
}

void sieve_deny(struct event_build *eb, bool masks_full, struct sv_event *ev)
{
	uint32_t of_bit[SV_CLAUSES] = { 0 };

	for (uint32_t i = 0; i < eb->terms.n; i++)
		of_bit[eb->bits[i]]++;
	for (uint32_t r = 0; r < eb->nrules; r++) {
		struct rule_build *rb = &eb->rules[r];

		rb->deny = (uint8_t)of_rule(eb, rb);
		if (rb->deny != DENY_KERNEL)
			continue;
		for (uint32_t i = rb->first; i < rb->first + rb->count; i++) {
			uint32_t term = eb->rule_terms[i];

			/* what is in no mask can never hold */
			if (!mask_has(&ev->clauses, eb->bits[term]))
				continue;
			if (of_bit[eb->bits[term]] > 1 || !strings_exact(eb, ev, term_at(eb, term), masks_full))
				continue;
			put_term(eb, term, ev);
			rb->ndenied++;
		}
		if (!rb->ndenied)
			rb->deny = DENY_ROOM;
	}
}
