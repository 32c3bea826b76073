/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_RECORD_RECIO_H
#define TAMIS_SENSOR_RECORD_RECIO_H

/*
 * The system calls by which the log reaches the disk, as a table, so that a test can let the n-th one fail.
 * Each entry behaves as the call of its name: -1 and errno on failure. Reading goes past the table.
 */

#include "lib/buf.h"
#include "lib/err.h"

#include <sys/types.h>

struct recio {
	int (*openat)(int dir_fd, const char *name, int flags, mode_t mode);
	ssize_t (*pwrite)(int fd, const void *p, size_t n, off_t at);
	int (*fdatasync)(int fd);
	int (*ftruncate)(int fd, off_t len);
	int (*renameat)(int dir_fd, const char *from, const char *to);
	uint64_t (*realtime_ns)(void); /* since 1970, for records and checkpoints */
};

extern const struct recio recio_system;

/* Writes all n bytes at this offset, in as many calls as it takes: 0 or negative errno. */
int recio_write(const struct recio *io, int fd, const void *p, size_t n, off_t at);

enum recio_sync { RECIO_UNSYNCED, RECIO_SYNC };

/*
 * The file has these bytes from now on, or what it had before: written as NAME.new and renamed. Synced, name and all, it is so after a
 * power cut, too. *e says what failed.
 */
int recio_replace(const struct recio *io, int dir_fd, const char *name, const void *p, size_t n, mode_t mode,
		  enum recio_sync sync, struct err *e);

/* Appends the whole file to a buffer: 0, -ENOENT, -EFBIG by the buffer's maximum, or what read said. */
int recio_read(int dir_fd, const char *name, struct buf *ret);

#endif
