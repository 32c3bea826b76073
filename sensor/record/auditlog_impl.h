/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_RECORD_AUDITLOG_IMPL_H
#define TAMIS_SENSOR_RECORD_AUDITLOG_IMPL_H

/*
 * What auditlog.c (appending) and recover.c (opening after an earlier run) share; nobody else includes this.
 *
 * Invariants: the lines and leaves in memory are exactly those of `tree` that are not on disk; `written` counts the
 * leaves on disk and `signed_size` those under a checkpoint; signed_size <= written <= tree.size.
 */

#include "sensor/record/auditlog.h"
#include "sensor/record/epoch.h"
#include "sensor/record/segment.h"

struct auditlog {
	struct auditlog_options o; /* with defaults filled in; host and start_details borrowed from nobody */
	char host[72];
	char name[CHECKPOINT_NAME_MAX]; /* "tamis/" and the host */
	struct epoch epoch;		/* owned */
	int dir_fd, lock_fd;		/* owned */

	struct segment seg; /* owned */
	struct merkle tree;
	uint64_t written, signed_size;
	uint64_t seq;	     /* of the last record */
	uint64_t signed_seq; /* of the last record under a checkpoint */
	uint64_t found;	     /* of the last record that an earlier run left */
	bool fresh;	     /* this segment's first record, the `segment` record, is still to come */
	bool ending;	     /* the segment has an `epoch` record that names epoch.next */
	bool head_due;	     /* HEAD is older than the newest checkpoint */

	uint64_t prev_segment, prev_size; /* how the segment before ended; 0: there is none */
	merkle_hash prev_root;
	bool chained;
	uint8_t chain[HASH_SIZE]; /* the newest checkpoint's hash */

	struct buf lines, leaves;	/* owned: the batch */
	struct buf note;		/* owned: the newest checkpoint, as HEAD is to hold it */
	struct buf scratch;		/* owned: a record being rendered */
	uint64_t batch_since;		/* when a tick first saw the batch; 0: not yet */
	uint64_t batch_wait_ns;		/* it closes so long after that */
	uint64_t flushed_ns;		/* the last one did */
	uint64_t flush_took_ns;		/* that took so long */
	uint64_t flush_records;		/* and had so many records */
	uint64_t now_ns;		/* of the last tick */
	uint64_t epoch_age_ns;		/* how old the epoch was when it was taken over */
	uint64_t epoch_end_ns;		/* when it is over by its age; 0: no tick was seen yet */
	uint64_t epoch_retry_ns;	/* not before this is ending it tried again */
	bool held;			/* pruning waits for a reader, and that was told */
	struct err prune_error;		/* why old segments could not be pruned; empty: all is well */
	int epoch_result, prune_result; /* of the last try, as negative errno */
	struct err epoch_error;		/* why it could not be ended; empty: all is well */
};

/* Turns to a new segment in memory. */
void auditlog_begin_segment(struct auditlog *log, uint64_t number);

/* Ends the epoch, or goes on with ending it: log->ending says how far it came. */
int auditlog_end_epoch(struct auditlog *log, const char *why, struct err *e);

/* Takes over what an earlier run left in log->dir_fd, and appends the records that tell of it. */
int recover_log(struct auditlog *log, struct err *e);

#endif
