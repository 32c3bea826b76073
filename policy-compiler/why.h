/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_WHY_H
#define TAMIS_COMPILER_WHY_H

/*
 * Why a condition holds on an event, or does not: its predicates with their results, and the values of the fields that
 * they look at. Asks the engine, so that it says what the sensor would do; knows nothing of tests.
 */

#include "engine/engine.h"
#include "policy-compiler/dnf.h"

#define WHY_TEXT_MAX 240 /* bytes of one predicate or value; longer ones are cut */

struct why {
	struct engine *engine;	 /* borrowed */
	const struct program *p; /* borrowed */
	const struct event *ev;	 /* borrowed */
};

/* Whether the literal holds. False, too, where the event is of another type than its fields. */
bool why_lit(const struct why *y, struct dnf_lit lit);
/* How many literals of the clause do not hold. */
size_t why_count_false(const struct why *y, const struct dnf_clause *c);
/* Each false literal of the clause on a line "false: PREDICATE", and the values it looks at on lines of their own. */
void why_put_false(const struct why *y, const struct dnf_clause *c, struct buf *out);
/* The text of a clause, cut. */
void why_put_clause(const struct program *p, const struct dnf_clause *c, struct buf *out);
/* "FIELD is VALUE" for each field and variable below the node, separated by @between. */
void why_put_values(const struct why *y, uint32_t node, const char *between, struct buf *out);
/* The name as in ${}: with its scope. */
void why_variable_name(const struct program *p, uint32_t var, char *ret, size_t size);
/* What it holds, or its default. */
void why_put_variable(const struct engine_var *v, struct buf *out);
/* The condition as a tree: "true  PREDICATE   # FIELD is VALUE" a line. */
void why_put_tree(const struct why *y, uint32_t root, struct buf *out);

#endif
