/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What engine and record have done, on pages that they share with the monitor, so that the numbers outlive them: after a
 * kill -9 the monitor can still say what was lost. Each page has one writer.
 *
 * A page holds two copies. The writer fills the one that is not in force and then puts it in force by one store, so a
 * writer that is killed anywhere leaves the state before or the state after, never something between.
 * A page is input from a process with fewer rights: the reader takes numbers from it and nothing else.
 */
#ifndef TAMIS_PRIV_COUNTS_H
#define TAMIS_PRIV_COUNTS_H

#include <stdint.h>

#include "sensor/ingest/shed.h"
#include "tamis/event.h"

/*
 * The way of an event, as sums since the sensor's start, over restarts of the engine:
 *	received -> evaluated -> (alerts) made -> handed | taken -> durable
 */
struct engine_counts {
	uint64_t received;   /* events taken from the ring; pieces of arguments and context records are not counted */
	uint64_t evaluated;  /* events of those that are done with */
	uint64_t malformed;  /* records that the decoder refused */
	uint64_t made;	     /* alerts rendered */
	uint64_t unrendered; /* matches that could not be rendered (memory, size): lost, though seen */
	uint64_t handed;     /* alerts given to the socket to record */
	uint64_t queue_records; /* waiting now */
	uint64_t queue_bytes;
	uint64_t queue_peak;
	uint64_t drained_ns;	 /* when the rings were empty last: all that was sent before has been taken */
	uint64_t queue_refused;	 /* records that found no memory: lost */
	uint64_t pathless;	 /* times that a process was found without its program */
	uint64_t processes;	 /* images in the process table now */
	uint64_t last_key;	 /* names the last event taken, or refused, from a ring: see take_record() */
	uint64_t suppressed;	 /* matches within their rule's "every" */
	uint64_t silent;	 /* matches of silent rules */
	uint64_t variables;	 /* that are held now, for whatever they belong to */
	uint64_t variables_lost; /* gave way to others, or found no room */
	uint64_t requests;	 /* number of the last thing that a rule wanted to have done */
	/* captures that rules wanted; of those, in a file that another began; one too many; impossible */
	uint64_t captures_asked, captures_shared, captures_limited, captures_failed;
	uint64_t touches;						/* events that may have changed watched files */
	uint64_t touches_lost;						/* of them not handed to the hash process */
	uint64_t fetch_asked, fetch_kept, fetch_failed, fetch_given_up; /* see struct fetch_stats */
	uint64_t learned, learned_used;					/* see struct learner_stats */
	uint64_t names_asked, names_known, names_failed, names_given_up; /* of containers, see runtimes.h */
	uint64_t unknown_generation; /* events sieved by a policy that is gone: evaluated in full by the present one */
};

struct record_counts {
	uint64_t taken;	   /* alerts read from the socket */
	uint64_t appended; /* alerts that have a number in the log, on disk or not */
	uint64_t durable;  /* alerts on disk and signed */
	uint64_t refused;  /* alerts that the log could not hold: lost */
	uint64_t seq;	   /* the last record's number that is on disk */
	uint64_t pending;  /* records that wait in memory */
	uint64_t printed;  /* lines of --alerts handed over */
	uint64_t skipped;  /* lines of --alerts that found a stalled reader */
	uint64_t errors;   /* failed attempts to write or sign */
	int64_t error;	   /* negative errno while writing fails, else 0 */
	int64_t epoch_error,
		prune_error; /* negative errno while a key cannot be replaced, old segments not be pruned; else 0 */
	uint64_t captures;   /* files of captures that were made whole */
	uint64_t captures_failed, captures_removed; /* that could not be written, or not to their end; that gave way */
	uint64_t captures_files, captures_bytes;    /* that are there */
	uint64_t inflight;			    /* of @appended, not on disk yet */
	uint64_t first_seq;			    /* number of the first of those */
};

/* One per page; the members beyond the slots are the reader's business only through the functions below. */
struct engine_page {
	uint64_t commits;
	struct engine_counts slot[2];
	/* each by itself, beside the copies: those are made anew with every record */
	uint64_t shed[EV_TYPES][SHED_LEVELS]; /* left out, see shed.h */
	uint64_t canary[EV_TYPES];	      /* marks of the canary's acts */
};

struct record_page {
	uint64_t commits;
	struct record_counts slot[2];
};

/* Shared, zeroed memory of @size bytes, kept over fork, or NULL. */
void *counts_map(unsigned long size);
void counts_unmap(void *page, unsigned long size);

void engine_shed_add(struct engine_page *p, unsigned int type, unsigned int level);
uint64_t engine_shed_get(const struct engine_page *p, unsigned int type, unsigned int level);
/* To be asked after engine_counts_get(): it then knows all that was there when drained_ns was. */
void engine_canary_add(struct engine_page *p, unsigned int type);
uint64_t engine_canary_get(const struct engine_page *p, unsigned int type);

/* How often the writer of a page has committed: a sign of life. */
uint64_t counts_commits(const uint64_t *commits);

void engine_counts_put(struct engine_page *p, const struct engine_counts *c);
void record_counts_put(struct record_page *p, const struct record_counts *c);
/* Consistent as long as the writer is dead or does not commit twice while we copy; tried again where it did. */
void engine_counts_get(const struct engine_page *p, struct engine_counts *ret);
void record_counts_get(const struct record_page *p, struct record_counts *ret);

#endif
