/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine process does about the actions of a rule that holds, beside variables and messages: it asks those who may
 * do it, and says in the alert what it asked for. It waits for nobody: what came of it is a record of its own.
 */
#ifndef TAMIS_PRIV_ACTS_H
#define TAMIS_PRIV_ACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"
#include "lib/err.h"
#include "sensor/enrich/alert.h"
#include "sensor/priv/msg.h"
#include "sensor/respond/permit.h"

#define ACTS_SHOWN 8 /* actions of one match that are carried out */

/* Of the actions of one program, which may be done. */
struct acts_of {
	uint8_t *state; /* owned; of each action: enum alert_action_state, ASKED for those that may */
	uint32_t n;
	struct caprate *rates; /* owned; of each action that is a capture */
};

int acts_of_program(const struct program *p, const struct permit *permit, struct acts_of *ret);
void acts_done(struct acts_of *a);

/* Whether there are captures among them that may be made, and how far the one goes back that goes farthest. */
bool acts_captures(const struct acts_of *a, const struct program *p, uint32_t *ret_before_ms);

struct fetch;
struct snap;
struct acts {
	struct fetch *fetch;	    /* borrowed */
	const struct chan *monitor; /* borrowed */
	uint64_t *requests;	    /* borrowed; the number of the last one */
	struct snap *snap;	    /* borrowed */
	const char *bundle;	    /* borrowed; SHA-256 of the policy's, or "" */
};

/* Asks for what @m's actions want; ret[ACTS_SHOWN] is for the alert. Returns how many there are. */
uint32_t acts_do(const struct acts *a, const struct acts_of *of, const struct program *p, uint32_t generation,
		 const struct event *ev, const struct engine_match *m, struct alert_action *ret);

#endif
