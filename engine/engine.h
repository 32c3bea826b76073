/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENGINE_H
#define TAMIS_ENGINE_H

/*
 * The second stage: an event with its context and a rule program give the rules that fire. Pure: no I/O, no clock, and no
 * allocation after engine_new(). What rules share is asked once an event. Not for two threads at a time.
 */

#include "lib/program.h"

struct engine;

/*
 * Makes an engine for a program, whose arrays have to stay. Patterns and regular expressions are compiled here: -EINVAL with
 * the offending one in @err, -ENOMEM.
 */
int engine_new(const struct program *p, struct engine **ret, struct err *err);
void engine_free(struct engine *e);
DEFINE_CLEANUP(struct engine *, engine_free);

/*
 * The rules that fire on @ev: *ret_rules are their indexes in the program, ascending, borrowed until the next call. Looks
 * only at rules of the event's type and at clauses whose bit is set in ev->alive. Returns how many.
 */
size_t engine_eval(struct engine *e, const struct event *ev, const uint32_t **ret_rules);

/* One BOOL node on one event, whatever ev->alive says. -EINVAL where it is none, or needs fields of another event type. */
int engine_eval_node(struct engine *e, uint32_t node, const struct event *ev, bool *ret);

#endif
