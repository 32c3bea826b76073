/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_KEYS_H
#define TAMIS_COMPILER_KEYS_H

/*
 * What a map of a policy may hold, as a table: key, shape of its value, and whether it is acted on. One function
 * checks a map against its table; the reader then takes the values without asking again. The order of a table is the
 * order in which `tamisc fmt` writes the keys; `tamisc schema` prints the tables as a JSON Schema.
 */

#include "policy-compiler/yaml.h"

enum key_shape {
	KEY_TEXT,
	KEY_SECL,
	KEY_BOOL,
	KEY_INT,
	KEY_DURATION,
	KEY_LIST,
	KEY_TEXT_LIST,
	KEY_MAP,
	KEY_TEXT_MAP,
	KEY_MAP_LIST,
	KEY_ANY
};

struct key {
	const char *name;
	enum key_shape shape;	  /* SECL: an expression; TEXT_MAP: any keys, text values (the reader checks those) */
	const char *doc;	  /* one line, for people who write policies */
	const char *not_yet;	  /* NULL: acted on; else what it would do, for the warning */
	const struct key *keys;	  /* MAP, MAP_LIST: the table of the maps inside, or NULL for any keys */
	const struct key *items;  /* LIST: the same, where the reader checks each item by itself */
	const char *const *words; /* TEXT: the values that it may have, or NULL */
	const char *pattern; /* TEXT: what it has to look like, as a regular expression; the reader checks it itself */
	bool list;	     /* SECL: it may be a list, as a macro's may */
	bool required;	     /* the reader refuses a map without it */
};

/*
 * Reports unknown keys (with the nearest name), values of another shape and keys that are not acted on yet. -EINVAL
 * where there was an error. The table ends with a NULL name. @what names the map in messages: "a rule".
 */
int keys_check(const struct ynode *map, const struct key *keys, const char *what, struct diags *d);

/* "10m", "1h30m" or a whole number of nanoseconds. */
int keys_duration(const struct ynode *n, int64_t *ret);

#endif
