/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LOAD_INODES_H
#define TAMIS_LOAD_INODES_H

/*
 * The kernel side that tells of files by their inodes (bpf/inode.c): EV_INODE records in the ring of all events. By fentry where that
 * works, else by kprobe, else not at all. Bounded: INODES_MAX files (fewer on older kernels); what does not fit is counted, and said by who asks.
 */

#include <stdint.h>

#include "lib/err.h"
#include "tamis/event.h"

#define INODES_MAX	      524288u
#define INODES_MAX_BEFORE_6_1 131072u

struct inodes;

/* What is watched: @dev as the kernel has it (major << 20 | minor), or 0 for any device. */
struct inode_watch {
	uint64_t ino;
	uint32_t dev, pad;
};

/*
 * @ring_fd: the map of the ring (borrowed). @rung: EV_RUNG_NONE for the best, or the only one to try. -ENOTSUP with the reason
 * where neither works here.
 */
int inodes_open(int ring_fd, enum ev_rung rung, struct inodes **ret, struct err *e);
/* Detaches; NULL is fine. */
void inodes_close(struct inodes *n);

/* None are watched any more. */
void inodes_clear(struct inodes *n);
/* Adds some; what finds no room is counted. */
void inodes_add(struct inodes *n, const struct inode_watch *v, size_t count);

void inodes_canary(struct inodes *n, uint32_t pid);

struct inodes_stats {
	uint64_t watched, full; /* inodes in the map; that found no room */
	uint64_t lost;		/* records that found no room in the ring */
	enum ev_rung rung;
};
void inodes_stats(const struct inodes *n, struct inodes_stats *ret);

#endif
