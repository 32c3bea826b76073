/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_DNF_H
#define TAMIS_COMPILER_DNF_H

/*
 * The ways in which a condition can hold, as a person would list them: an OR of clauses, each an AND of predicates. For
 * tests of rules, which ask whether each clause was ever true; the sieve has clauses of its own (clauses.h), over what the
 * kernel knows. A predicate is a BOOL node that is no AND, OR, NOT: a set is one, and so is what is asked of some ancestor.
 *
 * A branch of the outermost OR that would take more than DNF_CLAUSES_MAX clauses stays one: its literals are then the
 * parts of its outermost AND, whatever they are.
 */

#include "lib/buf.h"
#include "lib/program.h"
#include "policy-compiler/arena.h"

#define DNF_CLAUSES_MAX	 64  /* of one branch */
#define DNF_BRANCHES_MAX 256 /* of the outermost OR; beyond, the condition is one clause */

/* A node, or its opposite. */
struct dnf_lit {
	uint32_t node;
	bool negated;
};

struct dnf_clause {
	const struct dnf_lit *lits;
	size_t n;
	bool whole; /* a branch that was not taken apart */
};

struct dnf {
	const struct dnf_clause *v; /* none: it can never hold */
	size_t n;
};

/* The result lives in the arena. Clauses that contradict themselves, or ask for more than another does, are left out. */
int dnf_of(struct arena *a, const struct program *p, uint32_t root, struct dnf *ret);

/* "a && b", each as node_text() writes it; "(anything)" without literals. */
void dnf_clause_text(const struct program *p, const struct dnf_clause *c, struct buf *out);

#endif
