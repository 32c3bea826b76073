/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_UNSEEN_H
#define TAMIS_COMPILER_UNSEEN_H

/*
 * What conditions come to in the events of this sensor, in which the fields that it cannot observe yet are empty, 0 or
 * false. Every node is looked at once, with three values: what does not follow from those fields and constants is open.
 * Nothing here knows of places in policies.
 */

#include "lib/cleanup.h"
#include "lib/program.h"

enum truth { TRUTH_OPEN, TRUTH_FALSE, TRUTH_TRUE };

struct unseen;

/* Looks at all nodes of @p, which has to stay as it is. -ENOMEM. */
int unseen_new(const struct program *p, struct unseen **ret);
/*
 * The same where a variable that no rule of @p sets, of those that can fire, is known to hold its default. What can fire is what is
 * left when rules that nothing could make fire, and what they would set, are taken away, again and again.
 */
int unseen_new_idle(const struct program *p, struct unseen **ret);
/* The same as @u, of unseen_new_idle(), with variable @var not set either. */
int unseen_without(const struct unseen *u, uint32_t var, struct unseen **ret);
void unseen_free(struct unseen *u);
DEFINE_CLEANUP(struct unseen *, unseen_free);

/* What BOOL node @i comes to. */
enum truth unseen_truth(const struct unseen *u, uint32_t i);
/* Of unseen_new_idle(): whether variable @var is never set. */
bool unseen_idle(const struct unseen *u, uint32_t var);
/* The largest part of the condition @root that looks at @field and is never, or always, true. False where no part is. */
bool unseen_part(const struct unseen *u, uint32_t root, const struct cat_field *field, uint32_t *ret_node);

#endif
