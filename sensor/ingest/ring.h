/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_INGEST_RING_H
#define TAMIS_INGEST_RING_H

/*
 * The reader's end of the BPF ring buffers: lineage (exec, fork, exit, arguments) and the rest. They are opened while the
 * process still may use bpf(2); from then on reading is loads and stores in shared memory and one epoll descriptor,
 * which need no privilege and survive fork.
 * Of what a record means it knows the time alone. One reader at a time.
 *
 * Records of the two rings are handed out in an order in which the process table may be kept by them: what a thread did
 * comes after the exec or fork that made it what it is, and before its next exec and its exit. See ring_drain().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring;

/*
 * Maps the rings of the map fds @events and @lineage, of so many bytes (borrowed; may be closed afterwards). Negative
 * errno of the mmap and epoll calls.
 */
int ring_open(int events, int lineage, struct ring **ret);
void ring_close(struct ring *r);

/* The same over memory laid out as the kernel lays it out, for tests: nothing to wait for. */
struct ring_memory {
	unsigned long *consumer, *producer; /* positions */
	uint8_t *data;
	size_t size; /* of data; a power of two */
};
int ring_over(const struct ring_memory mem[2], uint64_t (*clock)(void), struct ring **ret);

/* Readable while a ring holds records that the kernel side has announced. Owned by the ring. */
int ring_epoll_fd(const struct ring *r);

/*
 * Takes one record; @rec is borrowed for the call. 0 goes on; RING_STOP leaves the following records in the rings; a
 * negative errno stops too and is what ring_drain returns. The record itself is consumed in each case.
 */
#define RING_STOP 1
typedef int (*ring_fn)(void *ctx, const void *rec, size_t size);

/*
 * Hands at most @max records to @cb, oldest first. Returns how many, or what @cb returned where that was negative. What
 * is younger than the call stays for the next one.
 */
int ring_drain(struct ring *r, ring_fn cb, void *ctx, size_t max);

/*
 * Whether the last drain ended at a record that a program has begun and not finished, since its thread was preempted: what lies
 * behind it cannot be taken. The descriptor is readable all the while.
 */
bool ring_blocked(const struct ring *r);

/*
 * Passes over such records, at the head of either ring, and returns how many: they are lost. Only when no program runs any more
 * that could write to the rings: the rest of a thread's record may come yet, where nobody looks again.
 */
size_t ring_skip(struct ring *r);

#endif
