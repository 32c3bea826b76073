/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENGINE_LIMIT_H
#define TAMIS_ENGINE_LIMIT_H

/*
 * When a rule last made an alert, for each tuple of the values of its limiter tokens. A rule without tokens has a place of
 * its own. Tuples share a table of a fixed size, in which what was not used for longest gives way: its next match is an
 * alert again, never the other way round. Only engine.c's parts and tests include this.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"

#define LIMIT_KEY 16 /* bytes that stand for a tuple: of a hash that nobody finds collisions of */

struct limits;

/* @tuples of all rules that have tokens; 0: no rule has. */
int limits_new(uint32_t nrules, uint32_t tuples, struct limits **ret);
void limits_free(struct limits *l);
DEFINE_CLEANUP(struct limits *, limits_free);

/*
 * Whether the match at @now is an alert: there was none in the last @every_ns (or is not in the next: clocks jump). *ret_held
 * says how many were not since the last that was. @key NULL: the rule has no tokens.
 */
bool limits_pass(struct limits *l, uint32_t rule, const uint8_t *key, int64_t now, int64_t every_ns,
		 uint32_t *ret_held);
uint64_t limits_evicted(const struct limits *l);

#endif
