/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_RECORD_VERIFY_H
#define TAMIS_SENSOR_RECORD_VERIFY_H

/*
 * Is this log what its key signed, whole and unchanged? Works on the files alone, also while a sensor writes them.
 *
 * The key given is that of the first segment; each segment signs which key signs the next.
 *
 * Looked at: every byte of every segment's three files, the chain from segment to segment, the numbers of the records,
 * the checkpoints' signatures, and HEAD. The first bad place is named. What it cannot see: a log that was cut back to
 * an older checkpoint together with a HEAD from that time. Keep a checkpoint on another machine to see that too.
 */

#include "lib/err.h"
#include "lib/sig.h"
#include "sensor/record/segment.h"

struct verify_options {
	uint64_t from_segment;		       /* segments before this one were removed on purpose; 0 or 1: none was */
	const char *host;		       /* whose log it has to be, as its root says (root.h); NULL: anybody's */
	const struct checkpoint_note *witness; /* one that has to be in the log (witness_note); NULL: none */
	unsigned int wait_ms; /* how long a running sensor may take to sign its newest records; 0: 1000 */
};

struct verify_report {
	bool ok;
	uint64_t segments, checkpoints, records, bytes; /* looked at and found good */
	uint64_t epochs;				/* keys that signed them, one after the other */
	uint64_t pruned; /* segments before them that were pruned, as a `prune` record says */
	uint64_t first_seq, last_seq;
	char last_time[LINE_TIME_SIZE]; /* of the newest checkpoint */

	/* where ok is false: */
	char file[SEGMENT_NAME_SIZE];
	uint64_t byte;	 /* offset in the file */
	uint64_t record; /* the segment's record there, from 1; 0: not about a record */
	char problem[256];
};

/*
 * 0 when the whole log was looked at or a bad place found: ret->ok says which. Negative errno where the files cannot be
 * read, with *e. o may be NULL.
 */
int verify_log(const char *dir, struct sig_key *key, const struct verify_options *o, struct verify_report *ret,
	       struct err *e);

/* The bad place as one line: "00000001.jsonl: byte 1234 (record 17): ..." */
void verify_place(const struct verify_report *rep, char *ret, size_t size);

#endif
