/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_BASELINE_IMPL_H
#define TAMIS_SENSOR_FIM_BASELINE_IMPL_H

/* What baseline*.c share. */

#include "sensor/fim/baseline.h"

/* How far an interrupted scan came: sealed, so that nobody else can make a scan begin late. */
struct progress_note {
	uint8_t policy[HASH_SIZE], root[HASH_SIZE]; /* of the watches, of the baseline that is compared with */
	uint64_t time;				    /* seconds since 1970 */
	uint64_t counts[8];			    /* the caller's */
	char path[WATCH_PATH_MAX + 1];
	size_t path_len;
};

/* Gives the note the present time and commits it with what was done up to it; another transaction has begun then. */
int progress_commit(struct baseline *b, const char *name, struct progress_note *p, struct err *e);
/* 1; 0 where there is none, or it is of another policy, another baseline, too old or not sealed by us. */
int progress_note_get(struct baseline *b, const char *name, const uint8_t root[HASH_SIZE], struct progress_note *ret,
		      struct err *e);

/* Commits now and then, so that little is lost, but not so often that it costs. Within a transaction; begins the next. */
struct commit_clock {
	uint64_t rows, last_ns;
};
bool commit_due(struct commit_clock *c);

/* Reads the signed head anew: somebody else may have accepted something. */
int baseline_read_head(struct baseline *b, struct err *e);

/* Writes the signed head, in the transaction that is open. */
int baseline_sign(struct baseline *b, const struct seal_head *head, struct err *e);

#endif
