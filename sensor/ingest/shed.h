/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_INGEST_SHED_H
#define TAMIS_INGEST_SHED_H

/*
 * What gives way first when the engine falls behind. Without this a queue that is full leaves records in the ring, and then the
 * kernel loses the newest, whatever they are: a flood that nobody minds would push out the one event that counts.
 *
 * A record carries the clauses that the sieve could not rule out. It is worth as much as the most important rule of any of
 * them, by the rule's severity. From SHED_INFO_AT of the queue on, records for rules of severity info are left out, then those
 * of low, then medium; a rule without severity is medium. Records for rules of high and critical severity, for rules that set
 * variables (others rely on those), and exec, fork and exit are never left out.
 *
 * Pure: knows a rule program and records' heads; whoever leaves out a record counts it.
 */

#include <stdint.h>

#include "lib/program.h"
#include "tamis/event.h"

enum shed_level { SHED_INFO, SHED_LOW, SHED_MEDIUM, SHED_LEVELS };
#define SHED_NEVER SHED_LEVELS

/* How full the queue is, in 256ths, from where on each level is left out. */
#define SHED_INFO_AT   128
#define SHED_LOW_AT    160
#define SHED_MEDIUM_AT 224

/* Of one program. */
struct shed {
	uint64_t keep[SHED_LEVELS][EV_TYPES][4]; /* bits of clauses whose rules are worth more than the level */
};

void shed_init(struct shed *s, const struct program *p);

/* What the record is worth: the level with which it is left out, or SHED_NEVER. @h is a whole head. */
unsigned int shed_level(const struct shed *s, const struct ev_head *h);

/* Whether that level is left out at that fill, in 256ths. */
bool shed_at(unsigned int level, unsigned int fill);

const char *shed_level_name(unsigned int level);

#endif
