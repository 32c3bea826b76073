/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_IMAGE_H
#define TAMIS_ENRICH_IMAGE_H

/*
 * The images of processes: their memory, who is above whom, which are alive, and which have to go. A part of the process table
 * (proctable.c), which alone knows what records mean; nobody else includes this.
 *
 * An image is in one of three lists: live; dead without children, in the order of their end; held, which is dead with children. Those
 * that are what a process is now, or was at its end, are found by (pid, start).
 */

#include "sensor/enrich/argblock.h"
#include "sensor/enrich/container.h"
#include "sensor/enrich/procio.h"
#include "sensor/enrich/proctable.h"
#include "sensor/enrich/strpool.h"

#define IMAGES_BUCKETS 16384

struct image {
	struct proc p; /* first: a struct proc that the table handed out is an image */
	uint32_t pid;
	uint32_t exec_id;  /* as heads of records have it; 0: not known */
	uint8_t chain;	   /* execs on execs that led here */
	bool dead;	   /* ended, or replaced by an exec */
	bool held;	   /* dead, and in the list of those with children */
	bool present;	   /* can be found */
	bool told;	   /* the kernel was asked what all are, and told no program of it */
	bool coarse;	   /* start_ns is rounded down to a tick */
	bool unlayered;	   /* its file is what /proc showed, which does not tell on which layer of an overlay it lies */
	bool located;	   /* on a host with cgroup v1 hierarchies: its cgroup is that which /proc told */
	uint64_t start_ns; /* boot time */
	uint64_t known_ns; /* boot time at which /proc said this; 0 for what records said */
	uint64_t dead_ns;  /* boot time of its end */
	uint32_t number;   /* in the table that is being saved */

	/* all links are borrowed; struct images owns */
	struct image *parent;
	struct image *children, *sib_prev, *sib_next;
	struct image *hash_next;
	struct image *prev, *next; /* in its list */

	struct str *str[PROCIO_STRS]; /* owned references; p.v points into them */
	struct argblock *args;	      /* owned reference, or NULL */
	struct container *container;  /* owned reference, or NULL */
	struct proctable_cache cache; /* owned text */
};

/* A doubly linked list, oldest first. */
struct image_list {
	struct image *first, *last;
};

struct images {
	struct image *buckets[IMAGES_BUCKETS];
	struct image_list live; /* by last use */
	struct image_list dead, held;
	struct strpool *strings; /* owned */
	struct containers containers;
	size_t max, max_bytes;
	size_t arg_bytes, cache_bytes;
	uint64_t tick_ns; /* what a coarse start is rounded to; 0: there are none */
	uint64_t version; /* the last one that was given */
	uint64_t now_ns;  /* the latest boot time seen */
	uint64_t count, count_live, freed, evicted, evicted_live;
	uint64_t relinked; /* images that got another parent than they had, or of which more is known than before */
	void (*gone)(void *ctx, uint32_t pid, uint64_t start); /* or NULL: an image with that proc.start is no more */
	void *gone_ctx;
};

int images_init(struct images *s, size_t max, size_t max_bytes);
void images_done(struct images *s);

/* A live image that cannot be found yet and has no parent; NULL without memory. */
struct image *images_new(struct images *s, uint32_t pid, uint64_t start_ns);
/* Whether there is any image of the process with that proc.start, also one that was replaced. */
bool images_any(const struct images *s, uint32_t pid, uint64_t start);
/* Lets it be found, or no more. */
void images_put(struct images *s, struct image *i);
void images_take(struct images *s, struct image *i);
/* @start_ns 0 finds the one that runs. */
struct image *images_find(const struct images *s, uint32_t pid, uint64_t start_ns);
/* Ends all others of that pid: their end was missed. */
void images_retire(struct images *s, uint32_t pid, const struct image *but);

/* Puts a new image (without children) below @parent, which may be NULL. */
void images_adopt(struct images *s, struct image *parent, struct image *child);
/* Puts any image without a parent below @parent, unless records that contradict each other would make a ring of it. */
void images_link(struct images *s, struct image *parent, struct image *child);

/* Takes what is right above it out of what is above it; what is still above that stays. */
void images_skip(struct images *s, struct image *i);

/* It was used just now. */
void images_use(struct images *s, struct image *i);
/* It says something else now: a new version, no cached text. */
void images_changed(struct images *s, struct image *i);
/* Its process ended. */
void images_die(struct images *s, struct image *i);
/* Its process is something else now: it stays only as far as others descend from it. */
void images_replaced(struct images *s, struct image *i);

size_t images_bytes(const struct images *s);
/* Buries what has been dead for PROCTABLE_LINGER_NS; not many at once, so that no record waits long for it. */
void images_reap(struct images *s);
/* Frees images until the bounds hold; never @keep and @keep2, which may be NULL. */
void images_bound(struct images *s, const struct image *keep, const struct image *keep2);

/* Calls @fn for each image. */
void images_each(struct images *s, void (*fn)(void *ctx, struct image *i), void *ctx);

static inline struct image *image_of(const struct proc *p)
{
	return (struct image *)(void *)p;
}

/* Replaces the cached text; see proctable_cache_set. */
void images_cache_set(struct images *s, struct image *i, const char *text, uint32_t len, uint64_t version);

#endif
