/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_RECORD_SEGMENT_H
#define TAMIS_SENSOR_RECORD_SEGMENT_H

/*
 * One segment of the log on disk, which is three files and one Merkle tree:
 *
 *	NNNNNNNN.jsonl	the records, a line each; the line without its newline is the tree's entry
 *	NNNNNNNN.leaf	the leaf hashes, 32 bytes each: an index that localises damage, made again where it is wrong
 *	NNNNNNNN.ckpt	the signed checkpoints, one behind the other
 *
 * or, of a segment that was pruned (prune.h), one: NNNNNNNN.pruned, what later segments have to be checked with.
 *
 * The upper half of this header reads; the lower half writes. The writer keeps one promise: a failed write is taken
 * back (the file is truncated to where it was), so no half-written line stays readable and the same call can be
 * repeated when the disk has room again.
 */

#include "sensor/record/checkpoint.h"
#include "sensor/record/recio.h"

#define SEGMENT_NAME_SIZE 32
#define SEGMENT_FILE_MAX  (1ull << 31) /* longer files are refused when read */

enum segment_file {
	SEGMENT_LOG,
	SEGMENT_LEAF,
	SEGMENT_CKPT,
	SEGMENT_FILES,
	SEGMENT_PRUNED = SEGMENT_FILES, /* not one of a segment's own files: what is left of it */
};

void segment_name(uint64_t number, enum segment_file which, char ret[SEGMENT_NAME_SIZE]);

/* The numbers of the segments (those with any of the three files) in ascending order; *ret is the caller's to free. */
int segment_list(int dir_fd, uint64_t **ret, size_t *ret_n);

/* The newest note of a segment's checkpoint file, copied: *ret_text owns the bytes that ret borrows. */
int segment_last_note(int dir_fd, uint64_t number, struct buf *ret_text, struct checkpoint_note *ret, struct err *e);

/* A segment read into memory. */
struct segment_image {
	uint64_t number;
	struct buf file[SEGMENT_FILES];
};

/* A file that is missing reads as an empty one. Checkpoints are read first: what they promise is then in the rest. */
int segment_read(int dir_fd, uint64_t number, struct segment_image *ret, struct err *e);
void segment_image_done(struct segment_image *img);

/* The next complete line without its newline: 1, or 0 where none is left (r->left is then a torn line's length). */
int segment_line(struct rd *r, struct line_str *ret);

/* ---- writing ---- */

struct segment {
	const struct recio *io; /* borrowed */
	int dir_fd;		/* borrowed */
	int fd[SEGMENT_FILES];	/* owned; -1 until the first write creates the files */
	uint64_t number;
	uint64_t bytes[SEGMENT_FILES]; /* what is good in each file */
};

/* Files are opened (and made, where they are missing) by the first write: a segment in memory costs nothing. */
void segment_init(struct segment *s, const struct recio *io, int dir_fd, uint64_t number);
void segment_close(struct segment *s);

/* Opens or creates the three files and cuts them to s->bytes. */
int segment_open(struct segment *s, struct err *e);
/* Appends to one file, without syncing. On failure the file is cut back. */
int segment_write(struct segment *s, enum segment_file which, const struct buf *b, struct err *e);
/* What segment_write appended is now good: syncs the file and moves s->bytes. On failure the file is cut back. */
int segment_commit(struct segment *s, enum segment_file which, const struct buf *b, struct err *e);

#endif
