/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_BASELINE_H
#define TAMIS_SENSOR_FIM_BASELINE_H

/*
 * What is done with a baseline: make it, compare with it, accept what changed. Each is one scan or one pass over rows, in
 * transactions; nothing is printed here. A scan that is interrupted goes on where it was when it is run again.
 */

#include "lib/severity.h"
#include "sensor/fim/change.h"
#include "sensor/fim/scan.h"

#define BASELINE_EDITED_MAX 32	 /* edited rows whose paths are kept */
#define BASELINE_RESUME_S   3600 /* a scan that was interrupted longer ago begins anew */

struct baseline_options {
	const char *state_dir;
	const char *root;    /* "/" */
	const void *watches; /* the section of a bundle, checked; NULL: those of the baseline */
	size_t watches_size;
	bool force, fresh;
	bool count;    /* init: count the files beforehand, beside the scan, for scan.progress->total */
	bool packages; /* check: ask the package databases about what changed */
	int (*opened)(void *ctx, struct err *e); /* check: from here on nothing is opened but for reading; or NULL */
	void *opened_ctx;
	bool idle; /* init, check: from here on this thread, and those that it starts, get CPU and disk when nobody else wants them */
	struct scan_options scan; /* workers, rate, quick, stop, progress */
};

struct baseline_counts {
	char time[SEAL_TIME_MAX]; /* of the baseline */
	uint64_t files;		  /* in the baseline */
	uint64_t looked;	  /* at so many now */
	uint64_t added, removed, changed;
	uint64_t unreadable; /* files of which something could not be read, directories that could not be listed */
	uint64_t unknown;    /* rows in such directories */
	uint64_t unwatched;  /* rows that no watch names any more */
	uint64_t skipped;    /* file systems of the kernel's, and what is nested too deep */
	uint64_t texts;	     /* contents kept for diffs */
	uint64_t edited;     /* rows whose seal does not fit */
	uint64_t by_severity[SEVERITY_CRITICAL + 1];
	bool resumed;
	bool root_bad;	   /* the rows are not those that were signed */
	bool other_policy; /* compared by other watches than it was made by */
	bool more_wanted;  /* these compare something that the baseline does not have */
};

/* A path that was edited, is missing or cannot be read, as it is come by. May be NULL. */
struct baseline_notes {
	void (*edited)(void *ctx, const char *path, size_t len);
	void (*unreadable)(void *ctx, const char *path, size_t len, const char *why);
	void *ctx;
};

/* An open baseline and what it is checked with. */
struct baseline {
	struct store *store;
	struct seal seal;
	struct seal_head head;
	bool has_head;
	struct watch_list list;
	struct watchset *watches;
	uint8_t watches_hash[HASH_SIZE];
	int root_fd;
};

int baseline_open(const struct baseline_options *o, enum store_mode mode, struct baseline *ret, struct err *e);
void baseline_close(struct baseline *b);
DEFINE_CLEANUP(struct baseline *, baseline_close);

/* -EEXIST where there is one and not @o->force; -EINTR interrupted. */
int baseline_init(const struct baseline_options *o, const struct baseline_notes *n, struct baseline_counts *ret,
		  struct err *e);
/* 0 whatever it found, also where ret->root_bad; -EINTR interrupted. */
int baseline_check(const struct baseline_options *o, const struct baseline_notes *n, struct baseline_counts *ret,
		   struct err *e);

/* Whether the rows are those that were signed: 0, or -EKEYREJECTED with the reason. */
int baseline_verify(struct baseline *b, const struct baseline_notes *n, struct err *e);

/*
 * The changes of the last check that @pick picks become the baseline, if the files are still as the check saw them; those
 * that are not are handed to @refused. All of it in one transaction, signed anew.
 */
struct baseline_accept {
	bool (*pick)(void *ctx, const char *path, size_t len);
	void (*refused)(void *ctx, const char *path, size_t len, const char *why);
	void *ctx;
	uint64_t accepted, refusals; /* out */
};
int baseline_accept(const struct baseline_options *o, struct baseline_accept *a, struct err *e);

/*
 * Some changes that the caller has found become the baseline of @b, in one transaction of its own, if the files are still so. The
 * caller holds the lock (store_lock_file()), and rolls back after an error.
 */
struct baseline_some {
	const char *path;
	size_t len;
	const struct change *change;
	bool accepted; /* out */
};
int baseline_accept_some(struct baseline *b, struct baseline_some *v, size_t n, struct err *e);

/*
 * Each change of the last check, with the table open for changes: a few are copied, then handed out one by one. Their seals
 * are checked. What is negative from fn ends it.
 */
typedef int (*change_fn)(void *ctx, const struct store_row *row, struct change *c, struct err *e);
int baseline_each_change(struct baseline *b, change_fn fn, void *ctx, struct err *e);

/* A row of the table change, and its seal: 0, or -EBADMSG. */
int baseline_read_change(const struct baseline *b, const struct store_row *row, struct change *ret, struct err *e);

#endif
