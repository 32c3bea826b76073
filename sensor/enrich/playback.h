/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_PLAYBACK_H
#define TAMIS_ENRICH_PLAYBACK_H

/*
 * A capture as the events that it holds: the records go through the same decoder and the same enrichment as on the machine
 * that they come from, with what that machine knew in the place of /proc, /etc and clocks. No privilege, no look at this machine.
 */

#include <stdbool.h>

#include "lib/capture.h"
#include "sensor/enrich/proctable.h"
#include "sensor/ingest/decode.h"

struct playback;

struct playback_stats {
	uint64_t records;   /* kernel records, pieces of arguments among them */
	uint64_t events;    /* that came out */
	uint64_t context;   /* of them: only for the table of processes, no clause of that time was alive */
	uint64_t malformed; /* records that the decoder refused */
	uint64_t processes; /* of the table at the start */
	uint64_t lost[CAPTURE_LOST_PLACES]; /* told of in between */
	int64_t first_ns, last_ns;	    /* time of the first and of the last event, ns since 1970 */
};

/* @fd is borrowed; @file names it in messages. Errors as capture_open. */
int playback_open(int fd, const char *file, struct playback **ret, struct err *e);
int playback_open_mem(const void *p, size_t size, struct playback **ret, struct err *e);
/*
 * One that is given its entries, as who makes a capture puts them: of a time that begins with @m. Any entry but META and END;
 * 1 with an event in *ret (may be NULL), 0 without. Negative errno for what no sensor writes.
 */
int playback_new(const struct capture_meta *m, struct playback **ret, struct err *e);
int playback_entry(struct playback *p, const struct capture_entry *entry, struct decoded *ret);
/* What is known where the playback has come to, as a capture that begins there has it: meta but for its texts, then entries. -ENOMEM. */
void playback_now(const struct playback *p, struct capture_meta *m);
int playback_save(const struct playback *p, void (*fn)(void *ctx, uint16_t type, const void *bytes, size_t len),
		  void *ctx);
void playback_free(struct playback *p);
DEFINE_CLEANUP(struct playback *, playback_free);

/* @fn gets entries CAPTURE_LOOKUP, before the record that they are about; without it they are passed over. A negative errno is an error. */
void playback_on_lookup(struct playback *p, int (*fn)(void *ctx, const void *bytes, size_t len), void *ctx);

const struct capture_meta *playback_meta(const struct playback *p);
struct proctable *playback_proctable(struct playback *p);

/* 1 and the next event, borrowed until the next call; 0 at the end; a negative errno with its reason in @e. */
int playback_next(struct playback *p, struct decoded *ret, struct err *e);
void playback_stats(const struct playback *p, struct playback_stats *ret);
/* At the end: the trailer, NULL where the capture was cut off. */
const struct capture_end *playback_end(const struct playback *p);

#endif
