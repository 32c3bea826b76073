/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's end of the socket to the hash process: touches on their way there, findings on their way back into the
 * outbox. A touch that cannot be handed over waits, also while there is no such process for a moment; while many wait, no events are evaluated, as with alerts. A hash process
 * that takes nothing for TOUCHES_STALL_MS does not hold up the rules any longer: what waits is dropped and counted, and the
 * process, which looks at all files when it begins, finds what came of it.
 */
#ifndef TAMIS_PRIV_TOUCHES_H
#define TAMIS_PRIV_TOUCHES_H

#include <stdbool.h>

#include "lib/buf.h"
#include "sensor/fim/touch.h"
#include "sensor/priv/msg.h"

#define TOUCHES_HIGH	 (1u << 20) /* above this, evaluate no more events for now */
#define TOUCHES_STALL_MS 5000

struct outbox;

struct touches {
	struct chan hash; /* fd -1: there is no such process now */
	struct buf out;	  /* owned; records back to back */
	size_t off;	  /* of them already sent */
	uint64_t stalled_ns;
	bool flushing, flushed;
	uint64_t made, lost; /* touches; of them dropped */
	/* Answers to what was asked last; id 0: there is none yet. */
	struct msg_hash_ok hash_ok;
	struct msg_package_ok package_ok;
	char texts[2048]; /* of the package */
	uint32_t ntexts;
	uint64_t found, failed; /* findings that came back; those that there was no memory for */
};

void touches_init(struct touches *t);
/* The process was started anew: @fd is taken over. What waits goes there. */
void touches_link(struct touches *t, int fd);
void touches_unlink(struct touches *t);

void touches_put(struct touches *t, const struct touch *touch);
/* Sends what goes. */
void touches_send(struct touches *t);
/* Messages from there; findings go to @out. How many, or negative: it is gone. */
int touches_serve(struct touches *t, struct outbox *out, void *buf);

/* The end: no more touches will come. True when nothing is to be waited for any more. */
bool touches_flush(struct touches *t);

static inline size_t touches_waiting(const struct touches *t)
{
	return t->out.len - t->off;
}

#endif
