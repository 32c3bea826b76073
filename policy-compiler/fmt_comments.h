/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_FMT_COMMENTS_H
#define TAMIS_COMPILER_FMT_COMMENTS_H

/*
 * The comments of a YAML file, each given to the entry (a key with its value, or an item of a list) that it is about, so
 * that it goes where the entry goes. libyaml drops comments: they are found again between the scalars.
 */

#include "policy-compiler/yaml.h"

enum comment_role {
	COMMENT_LEAD, /* lines before the entry */
	COMMENT_KEY,  /* behind "key:", with the value below */
	COMMENT_END,  /* behind the entry on its line */
	COMMENT_TAIL, /* lines behind the entry, deeper than it */
	COMMENT_LAST  /* lines at the end of the file */
};

struct comment {
	uint32_t off, len, line, col; /* line and column from 0 */
	bool own_line;		      /* nothing is before it on its line */
	bool blank_before;	      /* the line before is blank */
	uint8_t role;
	uint64_t owner;
};

struct comments {
	struct arena *arena;
	const struct source *src;
	uint8_t *covered; /* of each byte of the source: it is in a scalar */
	uint32_t *lines;  /* offset of each line */
	size_t nlines;
	struct comment *v; /* by owner, role and place */
	size_t n;
	uint32_t limit; /* what is behind it belongs to an outer list or map in brackets */
	size_t next;	/* the first one without an owner, while they are given out */
};

/* -EINVAL where the file has what cannot be written back: anchors, aliases, tags, directives, "? key". */
int comments_find(struct arena *a, const struct source *src, const struct ynode *root, struct diags *d,
		  struct comments *ret);
/* The comments of an entry in one role: *ret_n of them. */
const struct comment *comments_of(const struct comments *c, uint64_t owner, enum comment_role role, size_t *ret_n);

/* An entry's name: item @i of a list, or member @i of a map. */
uint64_t comments_owner(const struct ynode *n, size_t i);
uint32_t comments_line(const struct comments *c, uint32_t off);
bool comments_blank_before(const struct comments *c, uint32_t line);
/* A comment is inside of a list or map in brackets, which so cannot be written on one line. */
bool comments_within(const struct comments *c, const struct ynode *n);
bool comments_is_flow(const struct comments *c, const struct ynode *n);

#endif
