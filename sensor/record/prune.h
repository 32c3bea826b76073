/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_RECORD_PRUNE_H
#define TAMIS_SENSOR_RECORD_PRUNE_H

/*
 * Retention: the oldest segments go when the log is larger than it may be or they are older than they may be, so that
 * nobody can take that for tampering, nor tampering for that.
 *
 *	1. prune_write leaves NNNNNNNN.pruned: the segment's newest checkpoint and the proof of its `epoch` record, by which
 *	   the keys, numbers and hashes of what comes later can still be checked (prove_link)
 *	2. the caller writes a `prune` record that names the segments, and has it signed and on disk
 *	3. prune_remove takes the segment's files away
 *
 * A crash in between leaves a segment that is still there; the next run begins anew with it. Segments are pruned oldest
 * first and without a gap, and never the newest two, which the writer needs. A segment that does not fit its checkpoint is
 * evidence: it stays, and with it all that come after.
 */

#include "lib/err.h"
#include "sensor/record/recio.h"

struct prune_limits {
	uint64_t bytes;	    /* of all segments' files; 0: any number */
	uint64_t before_ns; /* segments whose newest checkpoint is older than this go, ns since 1970; 0: none */
	uint64_t stay;	    /* segments from this one on stay in any case; 0: none has to */
};

struct prune_plan {
	uint64_t first, last; /* segments to be pruned; first > last: none */
	uint64_t bytes;	      /* of their files */
	const char *reason;   /* "size" or "age", of the newest of them */
};

/* What has to go. */
int prune_find(int dir_fd, const struct prune_limits *limits, struct prune_plan *ret, struct err *e);

/* Step 1 for one segment: on disk when this returns 0. -EBADMSG: it does not fit its checkpoint. */
int prune_write(const struct recio *io, int dir_fd, uint64_t number, struct err *e);

/* Step 3 for one segment. */
int prune_remove(int dir_fd, uint64_t number, struct err *e);

#endif
