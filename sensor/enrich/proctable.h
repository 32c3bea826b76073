/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_PROCTABLE_H
#define TAMIS_ENRICH_PROCTABLE_H

/*
 * What is known of the processes of this machine, by (pid, boot time of the start).
 *
 * The table holds images: what a process was from one exec or fork to the next. An image changes only where a later record
 * shows other credentials; proctable_version() then differs. Its parent is the image that forked it, as it was then; after
 * an exec on top of an exec it is the image that was replaced (same pid), so that "sh -c 'exec cat'" keeps its shell. An
 * image lives as long as its process runs, a younger image descends from it, or for PROCTABLE_LINGER_NS of event time after
 * its end, for the sake of records that come late. Beyond the bounds the oldest dead images go first, their children then
 * hang on their parents.
 *
 * Nothing here fails towards the caller: what cannot be known stays empty and a counter says so.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/value.h"
#include "sensor/enrich/users.h"
#include "sensor/ingest/decode.h"

#define PROCTABLE_IMAGES    32768
#define PROCTABLE_BYTES	    (24u << 20)
#define PROCTABLE_LINGER_NS 3000000000ull

struct proctable;
struct container;

struct proctable_stats {
	uint64_t images, bytes; /* now */
	uint64_t live;		/* of them the present image of a running process */
	uint64_t evicted;	/* dead images that gave way to a bound */
	uint64_t evicted_live;	/* images of running processes that did: the bounds are too small for this machine */
	uint64_t seeded;	/* from /proc at the start */
	uint64_t late;		/* unknown process of a record, read from /proc */
	uint64_t minimal;	/* unknown process of a record, nothing but the record's head known */
	uint64_t
		pathless; /* times that a process was found without its program: /proc does not show that to everybody */
	uint64_t completed;   /* of them, those that the kernel then told of */
	uint64_t late_args;   /* execs whose arguments did not all come and were read from /proc */
	uint64_t vanished;    /* processes whose end was noticed by looking: their exit record was lost */
	uint64_t over_budget; /* look-ups in /proc that were not done, because there were too many */
	uint64_t failures;    /* no memory */
};

struct proctable_options {
	const struct catalog *catalog; /* borrowed */
	const char *proc_path;	       /* normally "/proc"; NULL: never look (replay, fuzzing) */
	size_t max_images;	       /* 0: PROCTABLE_IMAGES */
	size_t max_bytes;	       /* 0: PROCTABLE_BYTES */
	struct users *users;	       /* borrowed; NULL: no names */
};

int proctable_new(const struct proctable_options *o, struct proctable **ret);
void proctable_free(struct proctable *t);

/* Reads every process from /proc. As root, before privileges are dropped: exe links and environments need it. */
int proctable_seed(struct proctable *t, int64_t clock_offset_ns);

/*
 * The image that a record is about, made or updated from it: the new image of an exec, the child of a fork. *ret_target: that of
 * the second process, or NULL where the record names none.
 */
const struct proc *proctable_event(struct proctable *t, const struct decoded *d, const struct proc **ret_target);

/* The present image of a process, or NULL; @start_ns 0 takes the running one of that pid. Does not change anything. */
const struct proc *proctable_find(const struct proctable *t, uint32_t pid, uint64_t start_ns);

/*
 * Calls @gone for each image that is given up, by its pid and proc.start. Others of the same process may still be there, such as
 * the parent of what it forked before an exec: proctable_any() tells, by looking at all of them.
 */
void proctable_on_gone(struct proctable *t, void (*gone)(void *ctx, uint32_t pid, uint64_t start), void *ctx);
bool proctable_any(const struct proctable *t, uint32_t pid, uint64_t start);

/* Upkeep, about once a second: forgets processes whose end was missed, gives memory back. */
void proctable_tick(struct proctable *t);

/* What is known of the container of a process of the table, or NULL. */
const struct container *proctable_container(const struct proc *p);
/* All of them. */
struct containers;
struct containers *proctable_containers(struct proctable *t);

/* Whether it is the image that heads of records name by @exec_id, as far as is known. */
bool proctable_is_image(const struct proc *p, uint32_t exec_id);
/* What would be above the image that it executes next, as things are; NULL where nobody knows. */
const struct proc *proctable_exec_parent(const struct proc *p);
/* Whether what is above it stays above it, but for what has to make room in the whole table. */
bool proctable_is_placed(const struct proc *p);
/* Whether the kernel was asked what all are, and told no program of it: then nobody will know of one. */
bool proctable_is_told(const struct proc *p);
/*
 * How often an image has got another parent than it had, because those above it went away to make room; or it became known what its
 * program is, or that nobody will know.
 */
uint64_t proctable_relinked(const struct proctable *t);

/* A number that is different for every image and every change of one: what caches of others go by. Never 0. */
uint64_t proctable_version(const struct proc *p);

/*
 * Room for one cached text (an alert's JSON) beside an image; it goes when the image goes or changes, and whenever the texts
 * together would pass PROCTABLE_CACHE_BYTES.
 */
#define PROCTABLE_CACHE_BYTES (6u << 20)
#define PROCTABLE_CACHE_MAX   (32u << 10) /* one text; longer ones are not kept */
struct proctable_cache {
	const char *text; /* owned by the table */
	uint64_t version; /* the setter's */
	uint32_t len;
};
/* NULL where there is none. @p must be the table's. */
const struct proctable_cache *proctable_cache_get(const struct proc *p);
/* Copies @text. What does not fit is not kept. */
void proctable_cache_set(struct proctable *t, const struct proc *p, const char *text, uint32_t len, uint64_t version);

/* After users_refresh() said that names changed. */
void proctable_rename_users(struct proctable *t);

void proctable_stats(const struct proctable *t, struct proctable_stats *ret);

/* ---- captures and replays ---- */

typedef void (*proctable_fn)(void *ctx, const void *bytes, size_t len);

/* From now on @fn gets what is read from /proc for a record, before the table's user gets its event; NULL: no more. */
void proctable_watch(struct proctable *t, proctable_fn fn, void *ctx);
/* Every image, parents first. Negative errno where memory ran out. */
int proctable_save(struct proctable *t, proctable_fn fn, void *ctx);
/* Boot time of the latest record; what starts in /proc are rounded to. */
uint64_t proctable_now(const struct proctable *t);
uint64_t proctable_tick_ns(const struct proctable *t);

/*
 * The other way round, in a table without /proc: proctable_replay; proctable_load for each image that was saved;
 * proctable_loaded; then, before each record, proctable_tell for what /proc said. -EBADMSG, -EFBIG, -ENOMEM.
 */
void proctable_replay(struct proctable *t, uint64_t now_ns, uint64_t tick_ns, int64_t clock);
int proctable_load(struct proctable *t, const void *bytes, size_t len);
void proctable_loaded(struct proctable *t);
int proctable_tell(struct proctable *t, const void *bytes, size_t len);
/* proctable_tick() at that boot time. */
void proctable_replay_tick(struct proctable *t, uint64_t now_ns);

#endif
