/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_JUDGE_H
#define TAMIS_COMPILER_JUDGE_H

/*
 * Which rules can fire with this sensor. A rule that asks for what the sensor cannot observe yet is kept, and can be tested
 * on events in JSON; that it never fires, or that a part of it is never (or always) true, is a warning at the field.
 */

#include "policy-compiler/compile.h"

/* All rules of a build, once they are in the program: sets rule->sight and rule->why_never. -ENOMEM. */
int judge_rules(struct compile *c);

/*
 * How many of c->rules, from @i on, were written as one rule: itself, or the parts of one about fim.write.file.*. *ret_ok: one
 * of them is in the program; *ret_sight: what they are together, which fires where one of them does.
 */
size_t judge_group(const struct compile *c, size_t i, bool *ret_ok, enum sight *ret_sight);

#endif
