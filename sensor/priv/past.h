/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_PRIV_PAST_H
#define TAMIS_PRIV_PAST_H

/*
 * What the engine process has read of late, so that a capture can begin before its match. The latest entries are in a ring,
 * bounded in bytes and in time; what falls out of it goes through a playback of its own, so that what was known of the processes
 * where the ring begins is at hand, exactly, and no table has to be written down on suspicion.
 */

#include <stdbool.h>
#include <stdint.h>

#include "sensor/enrich/enrich.h"
#include "sensor/enrich/playback.h"
#include "sensor/ingest/decode.h"

#define PAST_BYTES (4u << 20)

struct fetch;

struct past {
	uint8_t *ring;		   /* owned; NULL: off */
	size_t size, first, used;  /* bytes; where the oldest entry is */
	struct playback *behind;   /* owned; what was before the ring */
	uint64_t now_ns, depth_ns; /* boot time of the latest entry; how long one stays */
	bool broken;		   /* the playback had no memory: begun anew with the next tick */
	/* what is watched; borrowed */
	struct decode *decode;
	struct enrich *enrich;
	struct fetch *fetch; /* NULL: nothing is looked up */
};

/* From here on what @decode and @enrich read is remembered for @depth_ns, in @bytes of memory at most. -ENOMEM. */
int past_begin(struct past *p, struct decode *decode, struct enrich *enrich, struct fetch *fetch, uint64_t depth_ns,
	       size_t bytes);
void past_end(struct past *p);
static inline bool past_is_on(const struct past *p)
{
	return p->ring;
}

/* The like of tap_record(), tap_tick() and tap_lost(). */
void past_record(struct past *p, const void *rec, size_t size);
void past_tick(struct past *p, int64_t clock, uint64_t boot_ns);
void past_lost(struct past *p, uint32_t where, uint64_t count);

/* How far back it goes. */
uint64_t past_depth(const struct past *p);
/* Where it begins, but for texts. */
void past_meta(const struct past *p, struct capture_meta *m);
/* All of it: what was known where it begins, then its entries. -ENOMEM. */
int past_save(const struct past *p, enrich_fn fn, void *ctx);

#endif
