/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_INGEST_QUEUE_H
#define TAMIS_INGEST_QUEUE_H

/*
 * A bounded first-in first-out of records between the ring and the decoder. Copying a record out of the ring costs a
 * fraction of what handling it costs, so a burst waits here, in memory that grows and shrinks, and not in the ring, where
 * it would be lost. Chunks of QUEUE_CHUNK bytes are mapped as records come and given back to the system as they go.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_CHUNK   (256u << 10)
#define QUEUE_DEFAULT (64u << 20) /* bytes of chunks */
#define QUEUE_MIN     (2 * QUEUE_CHUNK)

struct queue;

struct queue_stats {
	uint64_t records, bytes; /* waiting now, bytes of chunks that they occupy */
	uint64_t peak_bytes;	 /* most since the start */
	uint64_t pushed;	 /* ever */
	uint64_t refused;	 /* pushes that found no room or no memory: that many records were lost here */
};

/* @max bytes of chunks at most (at least QUEUE_MIN: -EINVAL). */
int queue_new(size_t max, struct queue **ret);
void queue_free(struct queue *q);

/* Copies a record in. -ENOBUFS when the bound is reached, -ENOMEM, -EMSGSIZE beyond EV_REC_MAX; the first two are counted. */
int queue_push(struct queue *q, const void *rec, size_t size);
/* Whether the largest record would fit: where not, what is in the ring had better stay there. */
bool queue_has_room(const struct queue *q);

/* How full it is, in 256ths of its bound: what the records occupy, not the chunks. */
unsigned int queue_fill(const struct queue *q);

/* The oldest record, 8-byte aligned, borrowed until queue_pop; NULL when there is none. */
const void *queue_front(const struct queue *q, size_t *ret_size);
void queue_pop(struct queue *q);

void queue_stats(const struct queue *q, struct queue_stats *ret);

#endif
