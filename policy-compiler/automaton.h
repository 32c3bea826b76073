/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_AUTOMATON_H
#define TAMIS_AUTOMATON_H

/*
 * Patterns over one string to one deterministic automaton with a value in each state. What the values mean is the caller's
 * business: states are the same when no string tells their values apart.
 */

#include "policy-compiler/nfa.h"

/* The value of strings that are matched by exactly the patterns @matched (ascending): a number, or a negative errno. */
typedef int64_t aut_value_fn(void *ctx, const uint32_t *matched, uint32_t n);

struct automaton {
	uint32_t nstates, nclasses;
	uint32_t live; /* states from here on are never left */
	uint8_t cls[256];
	uint32_t *trans; /* owned; nstates * nclasses; state 0 is the start */
	uint32_t *value; /* owned; of each state */
};

struct aut_limits {
	uint32_t states, trans;
};

/*
 * What it took to stay within the limits: weakened is zero where nothing had to give way. The other patterns are
 * exact.
 */
struct aut_fit {
	uint32_t weakened; /* patterns whose keep was lowered */
	int32_t stars;	   /* stars that a pattern keeps at most, beside one at its end; -1: all */
	bool cut;	   /* patterns lost their ends */
};

/*
 * The smallest automaton for patterns as they are. -E2BIG where it would have more than @l (or the way there would be out
 * of proportion); then *ret_need (may be NULL) is what it would take, or zero where that is not known. -ENOMEM, -EINVAL.
 */
int automaton_build(const struct pattern *p, uint32_t n, aut_value_fn *value, void *ctx, const struct aut_limits *l,
		    struct automaton *ret, struct aut_limits *ret_need);

/*
 * The same, but patterns are weakened (their keep lowered) until it fits. The value function is asked anew for each try and
 * has to look at keep. In the end every pattern is "maybe, whatever the string", so that this always fits. Of text that
 * has to go, what tells none of the @samples (may be NULL) from a match goes first.
 */
int automaton_fit(struct pattern *p, uint32_t n, aut_value_fn *value, void *ctx, const struct aut_limits *l,
		  const struct nfa_samples *samples, struct automaton *ret, struct aut_fit *ret_fit);

void automaton_done(struct automaton *a);

/* The smallest automaton that means the same, in a fixed order: what automaton_build ends with. Takes *a. */
int automaton_minimize(struct automaton *a);

#endif
