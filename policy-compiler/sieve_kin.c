/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clauses on execs ask of the images above, as numbered conditions (struct sv_kin): the formulas over one string each. Of more than
 * there are numbers for, those that most clauses ask for have one; the others count as met.
 */
#include "policy-compiler/sieve_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"

struct counted {
	struct kin kin;
	uint32_t count;
};

/* The most used first; of equals the first that came. */
static int counted_cmp(const void *va, const void *vb)
{
	const struct counted *a = va, *b = vb;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	if (a->kin.automaton != b->kin.automaton)
		return a->kin.automaton < b->kin.automaton ? -1 : 1;
	return (a->kin.formula > b->kin.formula) - (a->kin.formula < b->kin.formula);
}

static int count_one(struct intern *kinds, struct counted **v, uint32_t *cap, uint32_t automaton, uint32_t formula)
{
	const struct kin kin = { automaton, formula };
	bool is_new;
	int64_t i = intern_put(kinds, &kin, sizeof(kin), &is_new);
	int r = i < 0 ? (int)i : array_room(v, cap, (size_t)i + 1, sizeof(**v));

	if (r < 0)
		return r;
	if (is_new)
		(*v)[i] = (struct counted){ .kin = kin };
	(*v)[i].count++;
	return 0;
}

static void choose(struct event_build *eb, struct counted *v, uint32_t n)
{
	if (n)
		qsort(v, n, sizeof(*v), counted_cmp);
	for (uint32_t i = 0; i < n; i++) {
		if (eb->nkin < SV_KIN)
			eb->kin[eb->nkin++] = v[i].kin;
		else
			eb->kin_left++;
	}
}

int sieve_kin(struct event_build *eb)
{
	_cleanup_free_ struct counted *v = NULL;
	struct intern kinds = { 0 };
	uint32_t cap = 0;
	int r = 0;

	eb->kin_of = calloc((size_t)eb->terms.n + 1, sizeof(*eb->kin_of));
	if (!eb->kin_of)
		return -ENOMEM;
	for (uint32_t i = 0; i < eb->terms.n && r == 0; i++)
		for (uint32_t k = 0; k < SV_KIN_AUTS && r == 0; k++)
			if (term_at(eb, i)->formula[SV_AUT_KIN + k] != FORMULA_TRUE)
				r = count_one(&kinds, &v, &cap, SV_AUT_KIN + k,
					      term_at(eb, i)->formula[SV_AUT_KIN + k]);
	if (r == 0)
		choose(eb, v, kinds.n);
	intern_done(&kinds);
	for (uint32_t i = 0; i < eb->terms.n && r == 0; i++)
		for (uint32_t k = 0; k < SV_KIN_AUTS; k++) {
			uint16_t at = 0;

			while (at < eb->nkin && (eb->kin[at].automaton != SV_AUT_KIN + k ||
						 eb->kin[at].formula != term_at(eb, i)->formula[SV_AUT_KIN + k]))
				at++;
			eb->kin_of[i][k] = at < eb->nkin ? at : KIN_NONE;
		}
	return r;
}

void sieve_fill_kin(const struct event_build *eb, struct sv_kin *ret)
{
	*ret = (struct sv_kin){ .n = eb->nkin };
	sieve_bits_of(eb, PRED_CONTAINED, &ret->contained);
	sieve_bits_of(eb, PRED_TTY, &ret->tty);
	for (uint32_t i = 0; i < eb->nkin; i++) {
		uint32_t k = eb->kin[i].automaton - SV_AUT_KIN;

		ret->of[k] |= 1u << i;
		if (eb->kin[i].automaton >= SV_AUT_ABOVE)
			ret->above |= 1u << i;
		/* a bit stays where one of the terms that share it does not ask for the condition */
		for (uint32_t t = 0; t < eb->terms.n; t++)
			if (eb->kin_of[t][k] != i)
				mask_set(&ret->keep[i], eb->bits[t]);
	}
}
