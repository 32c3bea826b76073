/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's end of the socket to the runtime process: which containers wait for names, what was asked, what came back. Nobody waits
 * for an answer: events of a container whose names are not known yet go without.
 */
#ifndef TAMIS_PRIV_RUNTIMES_H
#define TAMIS_PRIV_RUNTIMES_H

#include "sensor/enrich/enrich.h"
#include "sensor/priv/msg.h"
#include "sensor/priv/runtime.h"

struct runtimes {
	struct chan chan;		       /* fd -1: there is no such process now */
	const struct runtime_sources *sources; /* borrowed */
	struct enrich *enrich;		       /* borrowed */
	uint32_t waiting;		       /* questions without an answer */
	uint64_t now_ms;
	struct {
		uint64_t asked, known, failed, given_up;
	} stats;
};

void runtimes_init(struct runtimes *t, const struct runtime_sources *sources, struct enrich *enrich);
/* The process was started anew: @fd is taken over. */
void runtimes_link(struct runtimes *t, int fd);
/* Asks for what is due; cheap when nothing is new. @tick: a second has gone by. */
void runtimes_ask(struct runtimes *t, uint64_t now_ms, bool tick);
/* Answers. */
void runtimes_serve(struct runtimes *t, void *buf, uint64_t now_ms);

#endif
