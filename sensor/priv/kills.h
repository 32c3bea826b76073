/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The actions of a policy that somebody has to allow, as the monitor holds them: what the engine process may ask it to do (kill), and what the kernel side does by itself (deny). It can ask for nothing that
 * is not a rule's action in the policy in force, that the operator did not allow, or that goes beyond the limits.
 */
#ifndef TAMIS_PRIV_KILLS_H
#define TAMIS_PRIV_KILLS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/program.h"
#include "sensor/respond/disarm.h"
#include "sensor/respond/permit.h"
#include "tamis/sieve.h"

#define KILL_NAME_MAX 256 /* of rules and policies; longer ones are cut in records */

struct kill_action {
	uint32_t rule, action; /* indexes into the program */
	uint8_t kind;	       /* enum act_kind */
	uint8_t scope, flags;  /* enum var_scope, enum act_flag */
	bool allowed;
	uint16_t event;	     /* of the rule */
	struct sv_mask bits; /* of the rule's clauses */
	int signal;
	char rule_id[KILL_NAME_MAX], policy[KILL_NAME_MAX];
	struct disarm disarm;
};

struct kills {
	struct kill_action *a; /* owned; ascending by action */
	uint32_t n;
};

/* All actions of rules that are on that somebody has to allow. -ENOMEM. */
int kills_of_program(const struct program *p, struct kills *ret);
void kills_done(struct kills *k);
struct kill_action *kills_find(struct kills *k, uint32_t rule, uint32_t action);
/* Marks those that the operator allows; returns how many of that kind are not. */
uint32_t kills_permit(struct kills *k, const struct permit *p, enum act_kind kind);
/*
 * Leaves in @s of what may be refused that of rules which are allowed to (kills_permit() has gone before). Returns how many
 * there are; *ret_undecided: how many there are besides on which nothing can be refused, because the kernel does not decide
 * all that they ask for.
 */
uint32_t kills_deny(const struct kills *k, struct sieve *s, uint32_t *ret_undecided);

#endif
