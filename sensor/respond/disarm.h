/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_RESPOND_DISARM_H
#define TAMIS_RESPOND_DISARM_H

/*
 * How often a rule may kill. A rule that wants more than the operator allows, or that hits more and more different programs or
 * containers, is wrong or is being used against the machine: from then on it only raises alerts, until its policy is
 * loaded anew.
 */

#include <stdbool.h>
#include <stdint.h>

#define DISARM_PERIOD_NS   60000000000ull
#define DISARM_KILLS	   10  /* in the period, unless the operator says otherwise */
#define DISARM_KILLS_MAX   100 /* what he may say */
#define DISARM_EXECUTABLES 5   /* different ones in the period, unless the rule says otherwise */
#define DISARM_CONTAINERS  5

struct disarm_seen {
	uint64_t key, ns;
};

struct disarm {
	bool off;
	uint32_t at; /* the next of kills[] */
	uint64_t kills[DISARM_KILLS_MAX];
	struct disarm_seen executables[DISARM_EXECUTABLES], containers[DISARM_CONTAINERS];
};

struct disarm_hit {
	uint64_t now_ns;		/* never 0, ascending */
	uint64_t executable, container; /* 0: none */
	uint32_t kills;			/* allowed in the period; at most DISARM_KILLS_MAX */
	bool any_executable, any_container;
};

/* NULL: go on. Else why not, as half a sentence; it stays so. Each call counts. */
const char *disarm_hit(struct disarm *d, const struct disarm_hit *h);

#endif
