/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_ACTION_H
#define TAMIS_COMPILER_ACTION_H

/*
 * The list under "actions:" of a rule, in two steps. First all "set" actions of all rules say which variables there are and
 * of which types; then, with the rule's own expression in the program, each action becomes an entry of the program. Keys and
 * shapes were checked when the policy was read. What the sensor does not do yet is a warning for each.
 */

#include "policy-compiler/check.h"

#define ACTIONS_A_RULE 256

struct action_ctx {
	struct arena *arena; /* of variables: as long as the build */
	struct diags *diags;
	const struct catalog *catalog;
	struct variables *vars;
	const struct macros *macros;
};

/* Checks the list and defines its variables. -EINVAL with diagnostics: the rule cannot be used; -ENOMEM. */
int action_define(const struct action_ctx *x, const char *rule, const struct ynode *actions);
/* Variables into the program, in the order of their definition. -EINVAL and -E2BIG with a diagnostic, -ENOMEM. */
int action_put_variables(const struct action_ctx *x, struct program_builder *pb);
/* As many actions of a rule of that event type; *ret is in @x's arena. The same errors. */
int action_compile(const struct action_ctx *x, struct program_builder *pb, const struct ynode *actions, uint16_t event,
		   struct paction **ret);

/* The fields of "limiter_token:" as indexes in the catalog; @ret has room for PROGRAM_LIMITS_MAX. */
int action_limits(const struct action_ctx *x, const struct ynode *tokens, uint16_t event, uint32_t *ret, size_t *ret_n);

#endif
