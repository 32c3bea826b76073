/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_STORE_H
#define TAMIS_SENSOR_FIM_STORE_H

/*
 * The baseline's database, STATE/baseline.db: sqlite3 in WAL mode. This module knows tables and bytes; what facts mean,
 * and whether the signature fits, is for others (fact.h, seal.h).
 *
 *	file      path, fact, seal	the baseline, in order of paths as bytes
 *	content   path, z		zlib: text of small files, for diffs
 *	change    path, entry, seal	what the last check found
 *	new_file, new_content		a baseline in the making, until it is whole
 *	note      name, value		the signed head and its signature, the watches, how far a scan came
 *
 * A database is untrusted: what it has beside exactly these tables, or a schema of the future, is refused, every value has
 * a maximum, and nothing in it is executed (no triggers, views or functions of its own).
 * A row is never half there: all writes are in transactions, and a disk that is full leaves what was committed.
 */

#include <stdbool.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define STORE_FILE    "baseline.db"
#define STORE_LOCK    "baseline.lock"
#define STORE_SCHEMA  1
#define STORE_ROW_MAX (2u << 20)

struct store;
struct store_iter;

enum store_table { STORE_FILES, STORE_CONTENTS, STORE_CHANGES, STORE_NEW_FILES, STORE_NEW_CONTENTS, STORE_TABLES };

enum store_mode {
	STORE_READ,   /* -ENOENT where there is none */
	STORE_WRITE,  /* with the lock, which one process holds: -EBUSY */
	STORE_CREATE, /* the same, and made where there is none */
	STORE_ASIDE,  /* the same, and one that is damaged or of the future is renamed out of the way */
};

/* All errors have a remedy in @e. -EBADMSG: damaged or not ours. -EPROTONOSUPPORT: of a newer version. */
int store_open(const char *state_dir, enum store_mode mode, struct store **ret, struct err *e);
/* The file that is locked (flock) by who writes, for somebody who will: its descriptor, or negative errno. */
int store_lock_file(const char *state_dir);
void store_close(struct store *s);
DEFINE_CLEANUP(struct store *, store_close);

int store_begin(struct store *s, struct err *e);
int store_commit(struct store *s, struct err *e);
/* Whatever was begun is undone; nothing begun is fine. */
void store_rollback(struct store *s);

/* @seal (16 bytes) where the table has one, else NULL. Replaces the row of that path. */
int store_put(struct store *s, enum store_table t, const void *path, size_t path_len, const void *value, size_t len,
	      const uint8_t *seal, struct err *e);
/* A row of STORE_NEW_FILES, which is written together with others: at the latest by store_commit() or store_swap(). */
int store_append(struct store *s, const void *path, size_t path_len, const void *value, size_t len, const uint8_t *seal,
		 struct err *e);
int store_delete(struct store *s, enum store_table t, const void *path, size_t path_len, struct err *e);
int store_clear(struct store *s, enum store_table t, struct err *e);
/* The new tables take the place of the old ones; within a transaction. */
int store_swap(struct store *s, struct err *e);

/* A value into @ret (replaced): 1, or 0 where there is none. @ret_seal (16 bytes) may be NULL. */
int store_get(struct store *s, enum store_table t, const void *path, size_t path_len, struct buf *ret,
	      uint8_t *ret_seal, struct err *e);
int store_count(struct store *s, enum store_table t, uint64_t *ret, struct err *e);

struct store_row { /* borrowed until the next step */
	const uint8_t *path, *value, *seal;
	size_t path_len, len;
};

/* Rows in order of paths, those behind @after (may be NULL). One step: 1 with a row, 0 at the end. */
int store_iter_open(struct store *s, enum store_table t, const void *after, size_t after_len, struct store_iter **ret,
		    struct err *e);
int store_iter_next(struct store_iter *it, struct store_row *ret, struct err *e);
void store_iter_close(struct store_iter *it);
DEFINE_CLEANUP(struct store_iter *, store_iter_close);

/* Notes: 1, or 0 where there is none. */
int store_note_get(struct store *s, const char *name, struct buf *ret, struct err *e);
int store_note_put(struct store *s, const char *name, const void *p, size_t n, struct err *e);
int store_note_delete(struct store *s, const char *name, struct err *e);

/* Bytes on disk. */
uint64_t store_bytes(const struct store *s);

#endif
