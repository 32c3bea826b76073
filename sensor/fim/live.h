/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_LIVE_H
#define TAMIS_SENSOR_FIM_LIVE_H

/*
 * Watched files as they change: touches come in, each file is looked at when it has been left alone for as long as its watch
 * says, and what differs from the baseline becomes one alert that lists all who touched the file since it was as it should
 * be. No sockets here, no clock, and no file is opened for writing but the baseline's database and a
 * list of what was told.
 *
 *	live_open(), then as somebody without rights:
 *	live_touch() for each touch
 *	live_step() when live_due_ns() has come
 *
 * Everything has a maximum. When there is no room for one more file, live_touch() refuses, and is to be asked again after
 * live_step().
 */

#include "sensor/fim/baseline.h"
#include "sensor/fim/touch.h"

#define LIVE_PATHS_MAX 131072u	   /* files that were touched and are not looked at, or differ from the baseline */
#define LIVE_BY_MAX    16u	   /* touches of a file that are listed one by one */
#define LIVE_WHO_MAX   (32u << 20) /* bytes of texts of processes */

struct live;

struct live_options {
	const char *state_dir, *root, *host;
	const void *watches; /* the section of a bundle */
	size_t watches_size;
};

struct live_stats {
	uint64_t touches;    /* taken */
	uint64_t looked;     /* at so many files */
	uint64_t findings;   /* alerts made */
	uint64_t accepted;   /* changes that are the baseline now, because a package explains them */
	uint64_t unchanged;  /* looked at, and as they should be */
	uint64_t failures;   /* could not be looked at or told of, for lack of memory or because of the database */
	uint64_t forgotten;  /* touches that are not listed any more: there were too many */
	uint64_t queued;     /* files that wait to be looked at, now */
	uint64_t changed;    /* files that differ, as far as is known now */
	uint64_t files;	     /* of the baseline; 0: there is none */
	uint64_t inodes_cut; /* files that are not among live_inodes(): there are too many */
	uint64_t known;	     /* of those that differ: told of by who was there before, and not again */
};

/*
 * With the rights of who may read the baseline and its key; from then on nothing but files to look at is opened. -ENOENT
 * where there is no baseline.
 */
int live_open(const struct live_options *o, struct live **ret, struct err *e);
void live_close(struct live *l);
DEFINE_CLEANUP(struct live *, live_close);

/* Other watches are in force. What waits stays, and is looked at by what these say. */
int live_watches(struct live *l, const void *section, size_t size, struct err *e);

/* 0; -ENOSPC: no room now. */
int live_touch(struct live *l, const struct touch *t, uint64_t now_ns);

/*
 * What the last check found (baseline_check(), by another process) is looked at, as if it had been touched by nobody: what still
 * differs is told of with the word that nobody was watching. 1: call again, after live_step(); 0: that was all.
 */
int live_take_check(struct live *l, uint64_t now_ns);

/* When the next file is due; UINT64_MAX: none waits. */
uint64_t live_due_ns(const struct live *l);

/* An alert, in two pieces (finding.h); borrowed until the function returns. */
typedef void (*live_fn)(void *ctx, const char *head, size_t head_len, const char *tail, size_t tail_len);

/* Looks at one file that is due: true; false where there is none. @time_ns: since 1970, for the alert. */
bool live_step(struct live *l, uint64_t now_ns, uint64_t time_ns, live_fn fn, void *ctx);

/* What packages explain becomes the baseline, when it is time; each is told of. */
void live_accept(struct live *l, uint64_t now_ns, live_fn fn, void *ctx);

/*
 * The inodes of the baseline's files, as far as LIVE_INODES_MAX goes: @dev is the kernel's number of the device, 0 where it cannot be
 * told. How many there are; the i-th of them where there is one.
 */
#define LIVE_INODES_MAX 524288u
uint32_t live_inodes(const struct live *l, uint32_t i, uint64_t *ret_ino, uint32_t *ret_dev);

/*
 * Each second. Where somebody else has accepted something, what was told is looked at again; what was told is kept on disk now and
 * then; and what the first alert would have to wait for otherwise is done, when there is time. True: live_inodes() has
 * others now.
 */
bool live_tick(struct live *l, uint64_t now_ns);

/* The end: what was told is kept for who comes next. */
void live_save(struct live *l);

void live_stats(const struct live *l, struct live_stats *ret);

#endif
