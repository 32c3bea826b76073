/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_LOWER_H
#define TAMIS_COMPILER_LOWER_H

/*
 * struct expr -> nodes of a program. What the language's operators mean is written down here, once:
 *
 *	array == x, array in [...]	some value is (N_ANY); != and not in are the negation of that
 *	array allin networks		no value is outside of one of them
 *	field OP 5s			N_NOW - field OP 5s
 *	list[A].x in a rule		the whole rule holds for some element (N_EXISTS)
 *	a && b || c			a && (b || c)
 */

#include "policy-compiler/check.h"

/*
 * The root node of a rule that @c checked. Scratch memory comes from c->arena. -ENOMEM, -E2BIG (a limit of programs);
 * -EINVAL would be a fault of the checker.
 */
int lower_rule(struct program_builder *pb, const struct check *c, const struct expr *e, uint32_t *ret_root);
/* The node of any expression without an iterator that is no LIST: what an action sets a variable to. The same errors. */
int lower_value(struct program_builder *pb, const struct check *c, const struct expr *e, uint32_t *ret_node);

#endif
