/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_VARIABLE_H
#define TAMIS_COMPILER_VARIABLE_H

/*
 * The variables that the rules of one build set: what is known of each after every "set" action was looked at. Types come
 * from the first definition in load order; what a later one adds to it (a size, a time to live, a default) counts where
 * the ones before it said nothing.
 */

#include "lib/program.h"
#include "policy-compiler/strmap.h"
#include "policy-compiler/yaml.h"

struct variable {
	const char *name; /* as in ${}: "process.name" */
	const char *bare; /* without the scope */
	uint8_t scope;	  /* enum var_scope */
	uint8_t type;	  /* enum val_type; of a list that of its values */
	bool array;
	bool private, inherited;
	uint32_t size; /* of a list; 0: not said */
	int64_t ttl_ns;
	const struct ynode *default_value; /* or NULL */
	struct span at;			   /* of the first definition */
	uint32_t number;		   /* in the program */
};

struct variables {
	struct strmap by_name;
	struct variable **v; /* in order of definition */
	size_t n;
};

static inline struct variable *variable_find(const struct variables *t, const char *name, size_t len)
{
	return strmap_get(&t->by_name, name, len);
}

/* Adds a zeroed one; the name is borrowed, and not there yet. NULL without memory. */
struct variable *variable_add(struct variables *t, struct arena *a, const char *name);
/* The nearest name, or NULL. */
const char *variable_nearest(const struct variables *t, const char *name, size_t len);

#endif
