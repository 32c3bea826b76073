/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_SCAN_H
#define TAMIS_SENSOR_FIM_SCAN_H

/*
 * A scan: one thread walks, as many as there are cores look at files, and the caller gets the results in order of paths,
 * one by one, in its own thread. What is in flight is bounded (SCAN_BATCHES batches), whatever the number of files.
 *
 * With a baseline (old), the walk goes side by side with its rows: each result has the row of its path, and rows without
 * a file come as results of their own.
 */

#include "sensor/fim/collect.h"
#include "sensor/fim/seal.h"
#include "sensor/fim/store.h"
#include "sensor/fim/walk.h"

#include <signal.h>

#define SCAN_WORKERS_MAX 64
#define SCAN_BATCHES	 64
#define SCAN_BATCH	 64 /* files of a batch */

struct scan_progress { /* read by whoever shows it, while the scan runs */
	atomic_ullong files, bytes;
	atomic_ullong total; /* files that there are; 0: not known (yet) */
};

struct scan_options {
	const struct watchset *watches;
	const struct seal *seal;
	int root_fd;
	unsigned int workers; /* 0: as many as this process has cores */
	uint64_t rate;	      /* bytes a second; 0: no limit */
	bool quick;
	bool keep;	   /* hand out the content of small text files, compressed */
	struct store *old; /* a connection of the scan's own, for STORE_FILES; or NULL */
	const char *after; /* begin behind this path; or NULL */
	size_t after_len;
	const volatile sig_atomic_t *stop;
	struct scan_progress *progress;
};

enum scan_kind {
	SCAN_FOUND,	/* a file */
	SCAN_GONE,	/* a row, and no file */
	SCAN_UNKNOWN,	/* a row in a directory that could not be looked into */
	SCAN_UNWATCHED, /* a row that no watch names any more */
	SCAN_SKIPPED,	/* a directory that was not looked into; skip says why */
};

struct scan_result { /* borrowed until the callback returns */
	enum scan_kind kind;
	enum walk_skip skip;
	const char *path;
	size_t path_len;
	const struct watchset_item *watch; /* or NULL */
	/* FOUND */
	uint8_t unread;	      /* enum fact_unread */
	const uint8_t *bytes; /* the fact's */
	size_t len;
	merkle_hash leaf; /* and seal: of a scan without rows */
	uint8_t seal[SEAL_SIZE];
	const uint8_t *text; /* compressed content, or NULL */
	size_t text_len;
	/* where there is a row */
	bool has_old;
	bool old_ok; /* its seal fits, and its bytes are a fact */
	merkle_hash old_leaf;
	uint32_t changed; /* FOUND with a good row: fact_compare() */
	uint32_t more;	  /* the same: attributes that were looked at now, and not then */
};

typedef int (*scan_fn)(void *ctx, const struct scan_result *r, struct err *e);

/* 0, -EINTR where *stop was set, what the callback returned if negative, or an error with its reason in @e. */
int scan_run(const struct scan_options *o, scan_fn fn, void *ctx, struct err *e);

/* How many files a set of watches names now, for a progress bar; ends early where *stop is set. */
uint64_t scan_count(const struct watchset *s, int root_fd, const volatile sig_atomic_t *stop);

unsigned int scan_cores(void);

#endif
