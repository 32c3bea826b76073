/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_INGEST_RING_H
#define TAMIS_INGEST_RING_H

/*
 * The reader's end of the BPF ring buffer. It is opened while the process still may use bpf(2); from then on reading is
 * loads and stores in shared memory and one epoll descriptor, which need no privilege and survive fork.
 * It knows nothing of what a record means. One reader at a time.
 */

#include <stddef.h>

struct ring;

/* Maps the ring of @map_fd (borrowed; may be closed afterwards). Negative errno of the bpf, mmap and epoll calls. */
int ring_open(int map_fd, struct ring **ret);
void ring_close(struct ring *r);

/* Readable while the ring holds records that the kernel side has announced. Owned by the ring. */
int ring_epoll_fd(const struct ring *r);

/*
 * Takes one record; @rec is borrowed for the call. 0 goes on; RING_STOP leaves the following records in the ring; a
 * negative errno stops too and is what ring_drain returns. The record itself is consumed in each case.
 */
#define RING_STOP 1
typedef int (*ring_fn)(void *ctx, const void *rec, size_t size);

/* Hands at most @max records to @cb, oldest first. Returns how many, or what @cb returned where that was negative. */
int ring_drain(struct ring *r, ring_fn cb, void *ctx, size_t max);

#endif
