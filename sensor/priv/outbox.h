/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alerts on their way from the engine to record: rendered into one buffer, sent as batches that fill a message.
 * An alert counts as handed when the socket has taken all of it.
 */
#ifndef TAMIS_PRIV_OUTBOX_H
#define TAMIS_PRIV_OUTBOX_H

#include <stdbool.h>

#include "lib/buf.h"
#include "sensor/priv/msg.h"

/*
 * Above this, evaluate no more events for now. It holds what comes while record syncs and signs a batch: at 20,000 alerts a second
 * of 3 KiB, 130 ms.
 */
#define OUTBOX_HIGH (8u << 20)

struct outbox {
	struct buf text; /* owned: MSG_ALERTS bodies back to back */
	size_t off;	 /* of them already sent */
	uint32_t piece;	 /* of the long alert at off, bytes already sent */
	size_t open;	 /* where the alert being rendered begins */
	size_t peak;	 /* the most that waited since the last outbox_tick() */
};

void outbox_init(struct outbox *o);
void outbox_done(struct outbox *o);

/*
 * An alert is rendered straight into the box: outbox_begin gives the buffer to append its JSON to; outbox_end says where
 * in that buffer the "seq" member goes: head ends and tail begins. outbox_cancel takes back what was begun.
 */
struct buf *outbox_begin(struct outbox *o);
int outbox_end(struct outbox *o, size_t head_end, size_t tail_start);
void outbox_cancel(struct outbox *o);

/* Sends what goes. How many alerts were handed over, or a negative errno: -EAGAIN nothing fits now, -EPIPE and the like. */
int outbox_send(struct outbox *o, const struct chan *to);
/* Now and then: memory that was not needed since the last time goes. Not in each turn, because taking pages costs more than an alert. */
void outbox_tick(struct outbox *o);
/* The socket was replaced: a long alert that was half sent begins again. */
void outbox_restart(struct outbox *o);

static inline size_t outbox_waiting(const struct outbox *o)
{
	return o->text.len - o->off;
}

#endif
