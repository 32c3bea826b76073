/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_PRIV_TOUCH_OF_H
#define TAMIS_PRIV_TOUCH_OF_H

/* From an event that the rules of watches hold on to what the hash process is told of it. Pure. */

#include "lib/catalog.h"
#include "sensor/fim/touch.h"

struct touch_of {
	uint8_t slot[EV_TYPES][2]; /* of paths, + 1; 0: none */
};

void touch_of_init(struct touch_of *t, const struct catalog *c);

/* What a process adds to what it did. @proc may be NULL. */
void touch_of_process(const struct proc *proc, struct touch *t);

/* False where the event has no path. All but the process, which is the caller's to render. */
bool touch_of_event(const struct touch_of *t, const struct event *ev, struct touch *ret);

#endif
