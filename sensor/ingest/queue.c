/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/ingest/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/cleanup.h"
#include "tamis/event.h"

/* Mapped, not allocated: unmapping is the one way to give memory back that no allocator can defer. */
struct chunk {
	struct chunk *next;  /* owned */
	uint32_t head, tail; /* [head, tail) of bytes[] is filled */
	uint8_t bytes[];
};

#define CHUNK_BYTES (QUEUE_CHUNK - sizeof(struct chunk))

/* Before each record; keeps it aligned. */
struct entry {
	uint64_t size;
	uint8_t rec[];
};

struct queue {
	struct chunk *first, *last; /* owned; records are taken from first and put to last */
	struct chunk *spare;	    /* owned: one empty chunk, so that a steady trickle does not map and unmap */
	size_t max;
	struct queue_stats stats;
};

_Static_assert(sizeof(struct chunk) % 8 == 0, "records are 8-byte aligned");
_Static_assert(EV_REC_MAX + sizeof(struct entry) + 8 <= CHUNK_BYTES, "any record fits into a chunk");

static size_t entry_bytes(size_t size)
{
	return sizeof(struct entry) + ((size + 7) & ~(size_t)7);
}

static struct chunk *chunk_new(void)
{
	struct chunk *c = mmap(NULL, QUEUE_CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return c == MAP_FAILED ? NULL : c;
}

static void chunk_free(struct chunk *c)
{
	if (c)
		munmap(c, QUEUE_CHUNK);
}

int queue_new(size_t max, struct queue **ret)
{
	struct queue *q;

	if (max < QUEUE_MIN)
		return -EINVAL;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->max = max;
	*ret = q;
	return 0;
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	while (q->first) {
		struct chunk *next = q->first->next;

		chunk_free(q->first);
		q->first = next;
	}
	chunk_free(q->spare);
	free(q);
}

/* Hangs an empty chunk on the end. */
static int queue_extend(struct queue *q)
{
	struct chunk *c;

	if (q->stats.bytes + QUEUE_CHUNK > q->max)
		return -ENOBUFS;
	c = q->spare ? TAKE_PTR(q->spare) : chunk_new();
	if (!c)
		return -ENOMEM;
	c->next = NULL;
	c->head = c->tail = 0;
	if (q->last)
		q->last->next = c;
	else
		q->first = c;
	q->last = c;
	q->stats.bytes += QUEUE_CHUNK;
	if (q->stats.bytes > q->stats.peak_bytes)
		q->stats.peak_bytes = q->stats.bytes;
	return 0;
}

static bool queue_fits(const struct queue *q, size_t size)
{
	return q->last && CHUNK_BYTES - q->last->tail >= entry_bytes(size);
}

int queue_push(struct queue *q, const void *rec, size_t size)
{
	struct entry *e;
	int r;

	if (size > EV_REC_MAX)
		return -EMSGSIZE;
	if (!queue_fits(q, size)) {
		r = queue_extend(q);
		if (r < 0) {
			q->stats.refused++;
			return r;
		}
	}
	e = (struct entry *)(q->last->bytes + q->last->tail);
	e->size = size;
	memcpy(e->rec, rec, size);
	q->last->tail += (uint32_t)entry_bytes(size);
	q->stats.records++;
	q->stats.pushed++;
	return 0;
}

bool queue_has_room(const struct queue *q)
{
	return queue_fits(q, EV_REC_MAX) || q->stats.bytes + QUEUE_CHUNK <= q->max;
}

unsigned int queue_fill(const struct queue *q)
{
	size_t room = q->last ? CHUNK_BYTES - q->last->tail : 0;

	return (unsigned int)((q->stats.bytes - room) * 256 / q->max);
}

const void *queue_front(const struct queue *q, size_t *ret_size)
{
	const struct entry *e;

	if (!q->stats.records)
		return NULL;
	e = (const struct entry *)(q->first->bytes + q->first->head);
	*ret_size = e->size;
	return e->rec;
}

void queue_pop(struct queue *q)
{
	struct chunk *c = q->first;
	const struct entry *e;

	if (!q->stats.records)
		return;
	e = (const struct entry *)(c->bytes + c->head);
	c->head += (uint32_t)entry_bytes(e->size);
	q->stats.records--;
	if (c->head < c->tail)
		return;

	q->first = c->next;
	if (!q->first)
		q->last = NULL;
	q->stats.bytes -= QUEUE_CHUNK;
	if (q->spare)
		chunk_free(c);
	else
		q->spare = c;
}

void queue_stats(const struct queue *q, struct queue_stats *ret)
{
	*ret = q->stats;
}
