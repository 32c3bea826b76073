/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SPOOL_PAGE_H
#define TAMIS_SPOOL_PAGE_H

/*
 * How the sinks are: a page that the spool's processes share with the monitor and with record, so that the numbers outlive
 * them. Each slot's counts have one writer, the sink's process, and two copies as those of counts.h. It is input from
 * processes with fewer rights: readers take numbers from it, and texts by page_text.
 */

#include <stdbool.h>
#include <stdint.h>

#include "sensor/spool/sinkconf.h"

#define PAGE_TEXT 256

enum sink_state { SINK_STARTING, SINK_UP, SINK_RETRYING, SINK_STOPPED, SINK_STATES };

struct sink_counts {
	uint64_t state;		  /* enum sink_state */
	uint64_t sent;		  /* messages that the collector took */
	uint64_t retried;	  /* attempts that failed */
	uint64_t duplicates;	  /* messages marked as possible duplicates */
	uint64_t folded;	  /* alerts that went into a summary */
	uint64_t filtered;	  /* records that this sink does not want */
	uint64_t refused;	  /* messages that the collector refuses, for good */
	uint64_t missed;	  /* records that were pruned before they were read */
	uint64_t seq, segment;	  /* of the last record that is done with */
	uint64_t handed;	  /* the last record that may have reached the collector */
	uint64_t inflight;	  /* a send is under way */
	uint64_t known;		  /* 1: these two are the truth; 0: this run of the sensor has not begun yet */
	uint64_t head;		  /* the log's last signed record, as this sink saw it */
	uint64_t oldest_ns;	  /* time of the oldest record that is not sent, since 1970; 0: none waits */
	uint64_t failing_ns;	  /* since when it fails, since 1970; 0: it does not */
	uint64_t tests, test_bad; /* tests made; whether the last one failed */
	char error[PAGE_TEXT];	  /* the last one */
};

struct page_slot {
	char name[SINK_NAME_MAX + 1], type[16];
	uint64_t commits;
	struct sink_counts slot[2];
	uint64_t restarts;     /* by the spool */
	char why[PAGE_TEXT];   /* how its process ended last; the spool's */
	uint64_t why_ns;       /* when, since 1970 */
	uint64_t tests_wanted; /* by the monitor */
	uint64_t hold;	       /* the first segment that it still has to read; 0: not known yet, so all */
};

struct spool_page {
	uint64_t nsinks;
	uint64_t beat;	   /* the spool's sign of life */
	uint64_t pid;	   /* of the spool */
	uint64_t restarts; /* of the spool, by its keeper */
	uint64_t keepers;  /* of the keeper, by the spool */
	struct page_slot sink[SINKS_MAX];
};

/* Shared, zeroed, with a slot for each of @c; NULL: no memory. */
struct spool_page *page_map(const struct sink_confs *c);
void page_unmap(struct spool_page *p);
/* From here on this process only reads it. */
void page_protect(struct spool_page *p);

void page_put(struct page_slot *s, const struct sink_counts *c);
void page_get(const struct page_slot *s, struct sink_counts *ret);
/* A copy that ends, whatever is there. */
void page_text(const char from[PAGE_TEXT], char ret[PAGE_TEXT]);
const char *page_state_name(uint64_t state);

static inline uint64_t page_load(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline void page_store(uint64_t *p, uint64_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELAXED);
}

/* The first segment that a sink still has to read, UINT64_MAX: none has to; and the name of that sink. */
uint64_t page_hold(const struct spool_page *p, const char **ret_name);

#endif
