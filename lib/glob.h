/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_GLOB_H
#define TAMIS_LIB_GLOB_H

/*
 * The two kinds of patterns of the policy language. In both, '*' is the only special character and a match is of the whole
 * string; "correct" means that every way to place the stars is considered.
 *
 * Plain patterns: '*' is any run of bytes, '/' and none included. "**" is refused.
 *
 * Path globs: pattern and path are split at '/', and components match one by one. An empty component is one like others.
 *	- '*' stays within one component, and may match nothing of it
 *	- a component "**" that is the last one matches one or more components: what is below a directory, not the directory
 *	- a component "**" between two others matches any number of components, none included
 *	- "**" in any other place is refused
 *	- where the first component is "*", a '/' that the path begins with is passed over: a lone "*" matches x and /x
 *
 * Strings are bytes. Without regard to case means A-Z and a-z.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"
#include "lib/err.h"

/* 0, or -EINVAL with the reason in @err. */
int pattern_check(const char *pattern, size_t len, struct err *err);
bool pattern_match(const char *pattern, size_t plen, const char *s, size_t len, bool icase);

enum glob_kind {
	GLOB_LITERAL, /* no star */
	GLOB_STARS,   /* a plain pattern within the component */
	GLOB_ANY,     /* "*" */
	GLOB_DEEP     /* "**" */
};

struct glob_comp {
	const char *s; /* into the glob's text */
	uint32_t len;
	uint32_t kind; /* enum glob_kind */
};

/* Read-only for others: the sieve's automaton is built from the components. */
struct glob {
	bool icase;
	bool skip_slash; /* the first component is "*" */
	bool has_deep;
	uint32_t prefix;  /* bytes of the text that every match begins with (case aside) */
	uint32_t ncomps;  /* at least 1 */
	const char *text; /* in one piece with the struct, or with glob_init() borrowed */
	size_t len;
	struct glob_comp comps[];
};

#define GLOB_LEN_MAX 65535

/* -EINVAL with the reason in @err, -ENOMEM. */
int glob_new(const char *pattern, size_t len, bool icase, struct glob **ret, struct err *err);
void glob_free(struct glob *g);
DEFINE_CLEANUP(struct glob *, glob_free);

/*
 * The same in memory of the caller's, for patterns that are only known when they are needed: @g has room for @max
 * components, and the pattern is borrowed. -EINVAL also where it has more.
 */
int glob_init(struct glob *g, uint32_t max, const char *pattern, size_t len, bool icase, struct err *err);

bool glob_match(const struct glob *g, const char *path, size_t len);
/*
 * Whether @dir and the glob agree as far as both reach: @dir is on the way to something that can match, can match, or lies
 * below something that can. Of "/" that is always so. For tools that look around in a tree; the sieve asks its automaton.
 */
bool glob_contains(const struct glob *g, const char *dir, size_t len);

#endif
