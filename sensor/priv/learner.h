/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learned discarders (tamis/learned.h): once the hash of a file that is opened is known, the kernel side is told which clauses no open
 * of it can meet as long as it stays as it is. Only the event that the kernel side asks by is answered, and only of a file that had not
 * changed for a while. docs/decisions/0027-learned-discarders.md says why nothing is lost by it.
 */
#ifndef TAMIS_PRIV_LEARNER_H
#define TAMIS_PRIV_LEARNER_H

#include <stdbool.h>

#include "engine/engine.h"
#include "lib/cleanup.h"
#include "tamis/event.h"
#include "tamis/learned.h"

struct learner;

/*
 * @l: mapped for reading and writing; borrowed. What is in there from an engine process before is void from now on. @clock: wall time
 * minus CLOCK_BOOTTIME.
 */
int learner_new(struct learned *l, int64_t (*clock)(void), struct learner **ret);
void learner_free(struct learner *x);
DEFINE_CLEANUP(struct learner *, learner_free);

/* From now on answers are of this policy. To be called before the kernel has its sieve; @e stays until the next one. -ENOMEM. */
int learner_policy(struct learner *x, uint32_t generation, struct engine *e);

/* Whether the kernel side asks by this event, whose file then is at rest (fetch.h). */
bool learner_asked(const struct learner *x, const struct ev_head *h, const struct event *ev);
/* The same event, evaluated, with the hash that was read since. */
void learner_answer(struct learner *x, const struct ev_head *h, const struct event *ev);

/* Every second or so: if wall time was put back, what has changed since may have the change time that it had then: all is void. */
void learner_tick(struct learner *x);

struct learner_stats {
	uint64_t learned; /* answers */
	uint64_t used;	  /* events that were not sent because of one, since the kernel side began */
};
void learner_stats(const struct learner *x, struct learner_stats *ret);

#endif
