/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SPOOL_LOGREADER_H
#define TAMIS_SPOOL_LOGREADER_H

/*
 * Reads a log that is being written, from a place on, record by record, and no further than the newest checkpoint: what it
 * gives is signed and stays. Reads in pieces, so its memory does not depend on the log. It checks no signature, which is
 * `tamisctl log verify`'s part, and holds no lock.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "sensor/record/line.h"

/* Between two records: behind record @seq, in front of the one at @offset, whose place in the segment's tree is @index. */
struct logpos {
	uint64_t segment; /* 0: in front of the log's first record */
	uint64_t offset, index, seq;
};

struct loghead {
	uint64_t segment, size, seq; /* of the newest checkpoint; 0: there is none yet */
};

struct logreader {
	int dir_fd; /* borrowed */
	int fd;	    /* of at.segment; -1: not open */
	struct logpos at;
	struct loghead head;
	uint64_t missed; /* records that were pruned before they were read */
	struct buf win;	 /* owned: bytes of the segment from win_at on */
	uint64_t win_at;
};

void logreader_init(struct logreader *r, int dir_fd, const struct logpos *at);
void logreader_done(struct logreader *r);

/* What the newest checkpoint says now. -ENOENT: there is none. */
int logreader_head(int dir_fd, struct loghead *ret, struct err *e);
int logreader_refresh(struct logreader *r, struct err *e);

/* The end of what is signed. */
int logreader_end(int dir_fd, const struct loghead *head, struct logpos *ret, struct err *e);

/*
 * The next record, without its newline, and where it stands: 1. 0 where there is none that is signed; a negative errno
 * with its text otherwise. The line is borrowed until the next call.
 */
int logreader_next(struct logreader *r, struct line_str *ret, struct logpos *ret_at, struct err *e);

/* The log ends in front of where we are: it was put back, or its head is not what it was (see docs/sinks.md). */
bool logreader_beyond(const struct logreader *r);

/* The record that stands at @at, appended to @ret. */
int logreader_line_at(int dir_fd, const struct logpos *at, struct buf *ret, struct err *e);

#endif
