/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which variables the kernel knows whether they may be set (struct sv_var), and what does not hold as long as one is not. That is
 * asked of unseen.c, as of a variable that nothing ever sets. What has no flag counts as set from the beginning.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "policy-compiler/sieve_parts.h"

_Static_assert(EV_TYPES <= 64, "event types as bits of a number");

/* What is known of a variable before it is chosen. */
struct candidate {
	uint64_t set,
		asked; /* event types of rules that set it, and of those whose conditions look at it: bits 1 << type */
};

/* Visits the nodes below, each once a rule. */
struct walk {
	const struct program *p;
	uint32_t *met, rule; /* of each node: the number of the rule that it was met in last, + 1 */
	uint32_t names;	     /* program_names_var() */
	struct candidate *c;
};

/* Recursion is as deep as the program's nodes are, at most PROGRAM_DEPTH_MAX. */
static void note_asked(struct walk *w, uint32_t i)
{
	const struct node *n = &w->p->nodes[i];
	unsigned operands = program_operands(n->op);
	uint32_t var = PROGRAM_NONE;

	if (w->met[i] == w->rule + 1)
		return;
	w->met[i] = w->rule + 1;
	if (n->op == N_VAR)
		var = n->a;
	else if ((n->op == N_FIELD || n->op == N_CURRENT) && cat_field_is_told(&w->p->catalog->fields[n->a]))
		var = w->names;
	if (var != PROGRAM_NONE)
		w->c[var].asked |= 1ull << w->p->rules[w->rule].event;
	if (operands & 1)
		note_asked(w, n->a);
	if (operands & 2)
		note_asked(w, n->b);
}

static void note_set(const struct program *p, const struct prule *r, struct candidate *c)
{
	for (uint32_t i = r->actions_first; i < r->actions_first + r->actions_count; i++)
		if (p->actions[i].kind == ACT_SET)
			c[p->actions[i].var].set |= 1ull << r->event;
}

/* Rules that can never hold set nothing; of events that the sensor does not observe there is no record. */
static int find_candidates(const struct program *p, const struct unseen *u, struct candidate *c)
{
	_cleanup_free_ uint32_t *met = calloc((size_t)p->nnodes + 1, sizeof(*met));
	struct walk w = { .p = p, .met = met, .names = program_names_var(p), .c = c };

	if (!met)
		return -ENOMEM;
	for (w.rule = 0; w.rule < p->nrules; w.rule++) {
		const struct prule *r = &p->rules[w.rule];

		if (r->event >= EV_TYPES || unseen_truth(u, r->root) == TRUTH_FALSE)
			continue;
		note_set(p, r, c);
		note_asked(&w, r->root);
	}
	return 0;
}

/* Those that fit, in the order of the program. One takes a row of each type that has to do with it. */
static void choose(const struct program *p, const struct unseen *u, const struct candidate *c, struct sieve_vars *ret)
{
	uint32_t rows[EV_TYPES] = { 0 }, all = 0;
	uint64_t full = 0;

	for (uint32_t i = 0; i < p->nvars && ret->n < SV_VARS; i++) {
		uint64_t types = c[i].set | c[i].asked;
		uint32_t more = (uint32_t)__builtin_popcountll(types);

		if (!c[i].asked || unseen_idle(u, i) || (types & full) || all + more > SV_VAR_ROWS)
			continue;
		ret->var[ret->n++] = i;
		all += more;
		for (uint32_t t = 0; t < EV_TYPES; t++)
			if ((types >> t & 1) && ++rows[t] == SV_EVENT_VARS)
				full |= 1ull << t;
	}
}

/* The first variable that a condition lacks is the one that it is asked by. */
static int find_lacking(const struct program *p, const struct unseen *u, struct sieve_vars *ret)
{
	ret->lacks = calloc(2 * (size_t)p->nnodes + 2, 1);
	if (!ret->lacks)
		return -ENOMEM;
	for (uint32_t k = 0; k < ret->n; k++) {
		_cleanup_(unseen_free) struct unseen *without = NULL;
		int r = unseen_without(u, ret->var[k], &without);

		if (r < 0)
			return r;
		for (uint32_t i = 0; i < p->nnodes; i++) {
			enum truth truth = unseen_truth(without, i);
			uint8_t *lacks = &ret->lacks[2 * (size_t)i + (truth == TRUTH_TRUE)];

			if (p->nodes[i].type == NT_BOOL && truth != TRUTH_OPEN && unseen_truth(u, i) == TRUTH_OPEN &&
			    !*lacks)
				*lacks = (uint8_t)(k + 1);
		}
	}
	return 0;
}

int sieve_vars_find(const struct program *p, const struct unseen *u, struct sieve_vars *ret)
{
	_cleanup_free_ struct candidate *c = calloc((size_t)p->nvars + 1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	r = p->nvars ? find_candidates(p, u, c) : 0;
	if (r < 0)
		return r;
	choose(p, u, c, ret);
	return ret->n ? find_lacking(p, u, ret) : 0;
}

void sieve_vars_done(struct sieve_vars *v)
{
	free(v->lacks);
	*v = (struct sieve_vars){ .n = 0 };
}

static bool sets(const struct program *p, const struct prule *r, uint32_t var)
{
	for (uint32_t i = r->actions_first; i < r->actions_first + r->actions_count; i++)
		if (p->actions[i].kind == ACT_SET && p->actions[i].var == var)
			return true;
	return false;
}

static void bits_that_set(const struct event_build *eb, uint32_t var, struct sv_mask *ret)
{
	for (uint32_t i = 0; i < eb->nrules; i++) {
		const struct rule_build *rb = &eb->rules[i];

		if (!sets(eb->c.p, &eb->c.p->rules[rb->rule], var))
			continue;
		for (uint32_t k = rb->first; k < rb->first + rb->count; k++)
			mask_set(ret, eb->bits[eb->rule_terms[k]]);
	}
}

void sieve_fill_vars(const struct event_build *eb, const struct sieve_vars *v, struct sieve *out)
{
	struct sv_event *ev = &out->event[eb->c.event];

	ev->vars = out->nvars;
	for (uint32_t k = 0; k < v->n; k++) {
		struct sv_var row = { .var = k };

		sieve_bits_of(eb, PRED_VAR(k), &row.needs);
		bits_that_set(eb, v->var[k], &row.sets);
		if (!mask_is_zero(&row.needs) || !mask_is_zero(&row.sets))
			out->vars[out->nvars++] = row;
	}
	ev->nvars = out->nvars - ev->vars;
	if (!ev->nvars)
		ev->vars = 0;
}
