/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SPOOL_DELIVER_H
#define TAMIS_SPOOL_DELIVER_H

/*
 * One sink's work: from the log to a collector, in order, each record at least once.
 *
 *	collect	records from the cursor on, as far as they are signed; what is not wanted is passed over, what is identical folded
 *	send	the batch, again and again until the collector has all of it
 *	save	the cursor behind it, with what is folded; only then is a batch over
 *
 * What may have reached the collector before (an attempt that failed half-way, or a process that was killed) is marked as a
 * possible duplicate when it is sent again, and nothing else is. A batch is bounded in records and bytes, so memory does
 * not depend on how long a collector is away.
 *
 * Knows no process: time comes from the caller, nothing here waits but the module's send.
 */

#include "sensor/spool/cursor.h"
#include "sensor/spool/page.h"
#include "tamis/sink.h"

#define DELIVER_ITEMS	 512
#define DELIVER_BYTES	 (256u << 10)
#define DELIVER_SPAN	 4096 /* records looked at for one batch */
#define DELIVER_REFUSALS 5    /* attempts before a message that the collector refuses is given up */

struct deliver_clock {
	uint64_t mono_ns, real_ns;
};

struct deliver_item {
	size_t raw_off, raw_len;
	struct logpos at; /* in front of it */
	bool duplicate;
	struct fold_entry folded; /* count > 0: it is a summary */
	struct export_doc *doc;	  /* owned */
	size_t messages;	  /* that it became */
};

struct deliver {
	const struct sink_conf *conf; /* borrowed */
	const struct export_format *format;
	const struct tamis_sink_module *module; /* borrowed */
	struct tamis_sink_env env;
	void *sink;		/* owned by the module; NULL: not open */
	struct page_slot *slot; /* borrowed */
	struct sink_counts counts;
	const char *host; /* borrowed */
	int log_fd;	  /* borrowed */

	struct logreader reader;
	struct cursor cursor;	   /* owned */
	struct cursor_state saved; /* as it is on disk */
	struct fold fold;	   /* at the reader's place */
	uint64_t duplicate_until;  /* records up to this one may have been delivered by a process before us */
	bool duplicate_sums;	   /* the like, of summaries */
	uint64_t beyond_ns;	   /* since when the log ends in front of the cursor */

	struct deliver_item item[DELIVER_ITEMS];
	size_t nitems, nmessages, taken;
	struct buf raw, text; /* owned */
	struct tamis_sink_message message[2 * DELIVER_ITEMS];
	unsigned int failures, refusals;
	uint64_t retry_ns, save_ns, tokens, tokens_ns;
	bool caught_up;
};

/*
 * Takes over the cursor of @conf in @spool_fd. *d is zeroed memory; it is @conf's, @module's and @slot's borrower from
 * here on. -EBADMSG, -EWOULDBLOCK and the like from the cursor.
 */
int deliver_begin(struct deliver *d, const struct sink_conf *conf, const struct tamis_sink_module *module,
		  struct page_slot *slot, const char *host, int log_fd, int spool_fd, struct err *e);
/* Saves the cursor and closes the sink. */
void deliver_end(struct deliver *d);

/* Goes on; in how many ms to call again at the latest. */
int deliver_step(struct deliver *d, const struct deliver_clock *now);
/* All that is signed is delivered, or cannot be now: where the sensor ends, so may we. */
bool deliver_idle(const struct deliver *d);

#endif
