/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_RECORD_LOGINDEX_H
#define TAMIS_SENSOR_RECORD_LOGINDEX_H

/*
 * An sqlite3 index of the log: one row a record, with what people look for, and where the record stands.
 *
 * It proves nothing and is worth nothing by itself: whoever reads a record by it reads the segment, and who wants to
 * know that the segment is good asks verify. So it is made by whoever asks, brought up to date before each question,
 * and made anew wherever it does not fit the segments (they were removed, or another log took their place).
 */

#include "lib/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct logindex;

/*
 * Opens the index in the file @path, which is made where it is missing, and made anew where it is damaged, of another
 * version, or @anew. *ret is the caller's to close. A negative errno with its text: -EACCES where it may not be written.
 */
int logindex_open(const char *path, bool anew, struct logindex **ret, struct err *e);
void logindex_close(struct logindex *ix);

/* Takes in what the segments in @dir_fd hold that the index does not. A line that is no record ends its segment here. */
int logindex_update(struct logindex *ix, int dir_fd, struct err *e);

/* What to find. Empty members (NULL, 0) find all. Texts are compared byte for byte; globs as sqlite3's GLOB. */
struct logindex_query {
	uint64_t since_ns, until_ns; /* since 1970; until_ns 0: no end */
	const char *kind, *rule, *event, *user, *container, *host;
	const char *process; /* glob over the path of the process's program, or its name where there is no slash */
	const char *path;    /* glob over the file that the event is about */
	uint64_t pid;
	int severity;	/* at least this one: severity_of */
	uint64_t limit; /* the newest so many; 0: all */
};

struct logindex_row {
	uint64_t seq, time_ns, segment, byte, length; /* length without the newline */
	uint64_t pid;
	int severity;
	/* borrowed until the callback returns; "" where the record has none */
	const char *kind, *host, *rule, *event, *process, *comm, *user, *container, *path;
};

/*
 * Calls @found for each row, oldest first. The callback returns 0 to go on; anything else ends the search and is
 * returned.
 */
int logindex_find(struct logindex *ix, const struct logindex_query *q,
		  int (*found)(const struct logindex_row *row, void *ctx), void *ctx, struct err *e);

/* The record itself, from its segment in @dir_fd, terminated; the caller's to free. It has to be what the index says: -EBADMSG. */
int logindex_read(const struct logindex_row *row, int dir_fd, char **ret, struct err *e);

/*
 * One SELECT of the caller's own over the table `record` (logindex_columns says its columns), which can only read.
 * @row gets the names of the columns first, then each row; NULL is a SQL NULL.
 */
int logindex_sql(struct logindex *ix, const char *sql, int (*row)(int n, const char *const values[], void *ctx),
		 void *ctx, struct err *e);
extern const char logindex_columns[];

#endif
