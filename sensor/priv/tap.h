/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_PRIV_TAP_H
#define TAMIS_PRIV_TAP_H

/*
 * The engine's end of a capture (docs/capture.md): what it reads goes to somebody else, too, as bytes of a file: to tamisctl, or
 * to the record process for a rule that asked (snap.h). Nothing here waits: what a slow reader leaves no room for is left out, counted, and told in the capture.
 * One at a time from each.
 */

#include <stdbool.h>

#include "lib/capture.h"
#include "sensor/enrich/enrich.h"
#include "sensor/ingest/decode.h"
#include "sensor/priv/msg.h"

#define TAP_AHEAD     (8u << 20)  /* bytes that may wait for the reader, beside those of the beginning */
#define TAP_BEGIN_MAX (96u << 20) /* bytes of the beginning: names, and the table of processes */

struct fetch;
struct past;

enum tap_state { TAP_OFF, TAP_ON, TAP_ENDING };

struct tap {
	enum tap_state state;
	struct chan reader; /* fd -1 unless one is there */
	bool shared;	    /* the reader's socket is not the tap's own */
	struct capture_writer writer;
	struct capture_end sums;
	struct msg_capture limits;
	uint64_t missed, queue_refused; /* records left out and not told yet; what was told of the engine's queue */
	size_t room;			/* so many bytes may wait */
	bool full;			/* as large as was asked for */
	uint64_t end_ns;		/* TAP_ENDING: no patience after that */
	struct fetch *fetch;		/* borrowed, or NULL */
};

/* What the tap is on. All borrowed. */
struct tap_source {
	struct decode *decode;
	struct enrich *enrich;
	struct fetch *fetch; /* NULL: nothing is looked up */
	const char *hostname;
	uint64_t queue_refused;	 /* so far */
	const struct past *past; /* the capture begins where this does; NULL: now */
};

void tap_init(struct tap *t);
/* Takes over @fd in any case. -EBUSY, -ENOMEM; on an error nothing is captured. */
int tap_begin(struct tap *t, int fd, const struct msg_capture_to *to, const struct tap_source *s);
/* The same with a socket that stays the caller's. */
int tap_begin_on(struct tap *t, const struct chan *reader, const struct msg_capture_to *to, const struct tap_source *s);
/* Nobody is there any more who would read. */
void tap_abort(struct tap *t, struct enrich *e);
/* Is this a record whose loss could be the loss of an alert? */
bool tap_is_event(const struct ev_head *h);
/* After a record was handled: what was learned for it is in the capture already. */
void tap_record(struct tap *t, const void *rec, size_t size, bool event);
/* After decode_clock() and enrich_tick(); @boot_ns: proctable_now(). */
void tap_tick(struct tap *t, int64_t clock, uint64_t boot_ns, uint64_t queue_refused);
void tap_lost(struct tap *t, enum capture_where where, uint64_t count);
/* No more records; what is there is still sent. */
void tap_end(struct tap *t, enum capture_why why, struct enrich *e);
/* Sends as much as the reader takes. True when the capture came to its end just now: reader and memory are gone. */
bool tap_send(struct tap *t, struct enrich *e);
/* The reader's messages, or its end. @buf as for chan_recv. */
void tap_serve(struct tap *t, void *buf, struct enrich *e);
/* Is there something that the reader has no room for? */
bool tap_waits(const struct tap *t);

#endif
