/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SPOOL_FOLD_H
#define TAMIS_SPOOL_FOLD_H

/*
 * Identical alerts become one: the first of them is sent, those that follow within its window are counted, and when the
 * window ends one message stands for them, the last of them with count, first and last time. Time is that of the
 * records, and of the clock where none come. A table of fixed size: where it is full, the oldest window ends early.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sensor/export/export.h"
#include "sensor/spool/logreader.h"

#define FOLD_MAX 256
#define FOLD_KEY 16

struct fold_entry {
	uint8_t key[FOLD_KEY];
	uint64_t end_ns;
	uint64_t count;			       /* held back; 0: the first alone was seen */
	uint64_t first_ns, last_ns, first_seq; /* of those */
	struct logpos last;		       /* where the last of them stands */
};

struct fold {
	struct fold_entry e[FOLD_MAX];
	size_t n;
};

/* What makes two alerts identical: rule, type, program, path or address, user, container, and what came of it. */
void fold_key(const struct export_facts *f, uint8_t ret[FOLD_KEY]);

/*
 * An alert at @at: true when it is held back. A full table gives its oldest entry to *ret_early first, with count 0 where
 * there was none to give.
 */
bool fold_take(struct fold *f, const struct export_facts *facts, const struct logpos *at, uint64_t window_ns,
	       struct fold_entry *ret_early);

/* A window that ended by @now_ns: 1, and it is taken out. Those that held nothing back go by themselves. */
int fold_ended(struct fold *f, uint64_t now_ns, struct fold_entry *ret);
/* When the next window ends; UINT64_MAX: there is none. */
uint64_t fold_next(const struct fold *f);
/* The first segment that a summary will have to be read from; UINT64_MAX: none. */
uint64_t fold_segment(const struct fold *f);

#endif
