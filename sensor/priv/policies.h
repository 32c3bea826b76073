/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policies that the engine process holds: the one in force and a few before it, because events that were sieved by an
 * older one may still be in the ring. Keyed by generation.
 */
#ifndef TAMIS_PRIV_POLICIES_H
#define TAMIS_PRIV_POLICIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/catalog.h"
#include "lib/err.h"
#include "lib/hash.h"

struct engine_match;
struct proctable;
struct shed;
struct policies;
struct permit;
struct acts;
struct alert_action;
/* The rest is in policies.c. */
struct policy_slot {
	uint32_t generation;
	char bundle[HASH_HEX_SIZE]; /* its SHA-256, where somebody said it */
};

/* @c and @table are borrowed, @hostname is copied. Has itself told by @table which processes are gone. */
int policies_new(const struct catalog *c, struct proctable *table, const char *hostname, struct policies **ret);
void policies_free(struct policies *p);

/* From now on ${builtins.uuid4} is the same in every run: for replays. */
void policies_repeatable(struct policies *p);

/* Who looks up what rules ask for; borrowed. Without it such fields are empty. */
struct fetch;
void policies_fetch(struct policies *p, struct fetch *f);
/* Whether rules of the newest policy ask for packages. */
bool policies_packages(const struct policies *p);

/* What rules of policies that are added from now on may have done; without it nothing is, nor said in alerts. */
void policies_permit(struct policies *p, const struct permit *permit);
/* That action is not done any more. */
void policies_disarm(struct policies *p, uint32_t generation, uint32_t action);

/*
 * Loads the program in @fd (a sealed memfd, borrowed) as @generation; the oldest policy goes when there are too many.
 * -EBADMSG and the like with the reason: nothing has changed then.
 */
int policies_add(struct policies *p, uint32_t generation, int fd, struct err *e);
/* Of which bundle the policy of that generation is: captures say it. */
void policies_bundle(struct policies *p, uint32_t generation, const char *sha256);

/* The policy of that generation, or the newest where it is gone. Borrowed until the next policies_add. */
struct policy_slot *policies_for(struct policies *p, uint32_t generation);

/* The engine of the policy that was added last; borrowed as above. */
struct engine *policies_engine(const struct policies *p);

/* What of that generation gives way when there is too much; NULL where the policy is gone. Borrowed as above. */
const struct shed *policies_shed(const struct policies *p, uint32_t generation);

/* Evaluates; how many rules hold, and what follows from each: borrowed until the next evaluation. @sets: they may set variables. */
size_t policies_eval(struct policy_slot *s, const struct event *ev, bool sets, const struct engine_match **ret_matches);
/* Which variables of the newest are set for something: engine_flags(). */
uint64_t policies_flags(const struct policies *p);

/*
 * Appends the alert's JSON without its "seq" member, which goes between the offsets *ret_head_end and *ret_tail_start. @m is
 * of the last evaluation of @ev, @actions what policies_act() said of it.
 */
int policies_render(struct policy_slot *s, const struct event *ev, const struct engine_match *m,
		    const struct alert_action *actions, uint32_t nactions, struct buf *out, size_t *ret_head_end,
		    size_t *ret_tail_start);

/* Of the policy that was added last: see acts_captures(). */
bool policies_captures(const struct policies *p, uint32_t *ret_before_ms);

/* See acts_do(). */
uint32_t policies_act(struct policy_slot *s, const struct acts *a, const struct event *ev, const struct engine_match *m,
		      struct alert_action *ret);

/* Appends the event's process as a JSON object of at most @max bytes, shown as in an alert. -EFBIG, -ENOMEM. */
int policies_render_process(struct policy_slot *s, const struct event *ev, size_t max, struct buf *out);

/* What rules remember, of all policies together: variables that are held now, and those that gave way or found no room. */
void policies_variables(const struct policies *p, uint64_t *ret_held, uint64_t *ret_lost);

#endif
