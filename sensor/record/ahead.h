/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_RECORD_AHEAD_H
#define TAMIS_SENSOR_RECORD_AHEAD_H

/*
 * Segments read into memory, split, hashed and parsed ahead of who looks at them one after another, by as many threads as there are
 * processors: that is nearly all the work of verifying a log, and it needs nothing of the segments before. What a segment means
 * is not known here.
 *
 * As many segments are in memory as there are threads, and two.
 */

#include "sensor/record/segment.h"

enum ahead_what { AHEAD_BAD, AHEAD_EPOCH, AHEAD_PRUNE, AHEAD_OTHER };

struct ahead_line {
	uint64_t seq;
	uint8_t what; /* enum ahead_what; BAD: no record */
};

struct ahead_seg {
	struct segment_image img;
	merkle_hash *leaves;	  /* owned; computed from the lines */
	uint64_t *offsets;	  /* owned; of each line, and of the end behind the last */
	struct ahead_line *lines; /* owned */
	size_t n_lines;
	const merkle_hash *stored; /* borrowed from img: the leaf file */
	size_t n_stored;
};

/* This segment, here and now. -ENOMEM, or what the file system says. */
int ahead_load(int dir_fd, uint64_t number, struct ahead_seg *ret, struct err *e);
void ahead_done(struct ahead_seg *s);

struct ahead;

/* The list is borrowed until ahead_free. */
int ahead_new(int dir_fd, const uint64_t *list, size_t n, struct ahead **ret);
void ahead_free(struct ahead *a);
/* The next one of the list, which the caller gives to ahead_done; errors as ahead_load's. Not beyond the list's end. */
int ahead_next(struct ahead *a, struct ahead_seg *ret, struct err *e);

#endif
