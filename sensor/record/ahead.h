/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_RECORD_AHEAD_H
#define TAMIS_SENSOR_RECORD_AHEAD_H

/*
 * Segments read, split, hashed and parsed ahead of who looks at them one after another, by as many threads as there are
 * processors: that is nearly all the work of verifying a log, and it needs nothing of the records before. What a record means
 * is not known here.
 *
 * What is shared out is pieces of a segment's records, small enough for a processor's cache, so that all have work to the
 * end and the records are in memory only while they are looked at.
 */

#include "sensor/record/segment.h"

/* What is made of the lines: an array each. */
enum ahead_part {
	AHEAD_LEAVES,  /* merkle_hash: computed */
	AHEAD_OFFSETS, /* uint64_t: where each line ends */
	AHEAD_LINES,   /* struct ahead_line */
	AHEAD_KEPT,    /* text */
	AHEAD_PARTS,
};

enum ahead_what { AHEAD_BAD, AHEAD_EPOCH, AHEAD_PRUNE, AHEAD_OTHER };

struct ahead_line {
	uint64_t seq;
	uint32_t kept; /* where its text is in AHEAD_KEPT, of the first record and of EPOCH and PRUNE */
	uint8_t what;  /* enum ahead_what; BAD: no record */
};

struct ahead_seg {
	uint64_t number;
	struct buf ckpt, leaf; /* these files; empty where one is missing */
	uint64_t log_bytes;    /* how long the records' file is */
	size_t n_lines, n_stored;

	/* borrowed from the parts, and from leaf */
	const merkle_hash *leaves;
	const uint64_t *offsets; /* where each line begins, and the end behind the last */
	const struct ahead_line *lines;
	const merkle_hash *stored;

	struct buf part[AHEAD_PARTS];
};

/* This segment, here and now. -ENOMEM, or what the file system says. */
int ahead_load(int dir_fd, uint64_t number, struct ahead_seg *ret, struct err *e);
void ahead_done(struct ahead_seg *s);

/* The text of a record that was kept, without its newline. */
struct line_str ahead_text(const struct ahead_seg *s, size_t i);

struct ahead;

/* The list is borrowed until ahead_free. */
int ahead_new(int dir_fd, const uint64_t *list, size_t n, struct ahead **ret);
void ahead_free(struct ahead *a);
/* The next one of the list, which the caller gives to ahead_done; errors as ahead_load's. Not beyond the list's end. */
int ahead_next(struct ahead *a, struct ahead_seg *ret, struct err *e);

#endif
