/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_RECORD_CAPDIR_H
#define TAMIS_RECORD_CAPDIR_H

/*
 * The directory of captures that rules have asked for. One file is written at a time, as NAME.part until it is whole; nothing is
 * written over. All of them together are bounded in bytes and in number: the oldest, by name, gives way. Of the file system
 * CAPDIR_SPARE bytes are left to the log. Knows nothing of what is in a capture.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/hash.h"
#include "sensor/respond/caplimit.h"

#define CAPDIR_FILES 256
#define CAPDIR_SPARE (64ull << 20)

struct capdir_file {
	char name[CAPLIMIT_NAME_MAX];
	uint64_t bytes;
	char sha256[HASH_HEX_SIZE]; /* "": not known */
};

struct capdir_options {
	int dir_fd;	     /* borrowed */
	uint64_t keep_bytes; /* of all files */
	uint64_t file_bytes; /* of one */
	uint64_t spare;	     /* CAPDIR_SPARE */
	/* A file gave way. */
	void (*removed)(void *ctx, const struct capdir_file *f);
	void *ctx;
};

struct capdir {
	struct capdir_options o;
	int fd; /* of the file that is written; -1: none is */
	struct capdir_file file;
	struct hash hash;
	uint64_t files, bytes; /* that are there, the one that is written among the bytes */
};

void capdir_init(struct capdir *d, const struct capdir_options *o);
/* Makes an end of what was begun by somebody who was interrupted: 1 with *ret, 0 when there is no more. */
int capdir_recover(struct capdir *d, struct capdir_file *ret, struct err *e);

/* -EEXIST, -ENOSPC and the like, with the reason. */
int capdir_begin(struct capdir *d, const char *name, struct err *e);
/* -EFBIG beyond the bounds, -ENOSPC; the file is gone after an error. */
int capdir_put(struct capdir *d, const void *bytes, size_t n, struct err *e);
/* It is on disk. On an error it is gone. */
int capdir_end(struct capdir *d, struct capdir_file *ret, struct err *e);
/* The one that is written goes. */
void capdir_drop(struct capdir *d);
static inline bool capdir_writes(const struct capdir *d)
{
	return d->fd >= 0;
}

#endif
