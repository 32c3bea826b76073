/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_NAMES_H
#define TAMIS_ENRICH_NAMES_H

/*
 * Which values are names of users and groups, and of which ids: a field that enrichment fills in and whose name ends in
 * "user" or "group" goes with the field of the same name that ends in "uid" or "gid". Worked out from the catalog.
 */

#include "lib/catalog.h"
#include "sensor/enrich/users.h"

#define NAMES_MAX_PAIRS 16

struct names {
	uint8_t n;
	struct {
		uint8_t id, name; /* slots */
		bool group;
	} pair[NAMES_MAX_PAIRS];
};

/* The pairs of one event type's own values, or with @home CAT_HOME_PROC of a process. */
void names_plan(const struct catalog *c, enum cat_home home, uint16_t event, struct names *ret);

/* Sets the names in @v; @u may be NULL. */
void names_fill(const struct names *n, const struct users *u, struct val *v);

#endif
