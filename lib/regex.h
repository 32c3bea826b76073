/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_REGEX_H
#define TAMIS_LIB_REGEX_H

/*
 * Regular expressions in RE2's syntax (https://github.com/google/re2/wiki/Syntax, as Go reads it). The question is only
 * whether the expression matches somewhere in the text; so greediness has no meaning here and groups capture nothing.
 *
 * Time is linear in the text whatever the expression: a deterministic automaton is built while it is needed, in memory
 * taken once by regex_new() and forgotten when full. Matching allocates nothing and cannot fail.
 *
 * The text is UTF-8; a byte that is no part of it counts as the one character U+FFFD. Refused, each with a reason and the
 * place: back-references and look-around (not linear), \p{...} classes, (?i) with letters beyond ASCII, \C.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"
#include "lib/err.h"

#define REGEX_LEN_MAX	 16384 /* bytes of an expression */
#define REGEX_INSTS_MAX	 8192  /* size of one after repetitions are written out */
#define REGEX_REPEAT_MAX 1000
#define REGEX_DEPTH_MAX	 250 /* groups within groups */

struct regex;

/* @icase: as if it began with (?i). -EINVAL with reason and place ("character N: ...") in @err, -ENOMEM. */
int regex_new(const char *pattern, size_t len, bool icase, struct regex **ret, struct err *err);
void regex_free(struct regex *re);
DEFINE_CLEANUP(struct regex *, regex_free);

/* Literals of which every text that an expression matches holds at least one, in whatever case; n is 0 where none are known. */
#define REGEX_NEED_MAX 16
#define REGEX_NEED_LEN 24
struct regex_need {
	uint32_t n;
	struct {
		uint8_t len;		/* at least 1 */
		char s[REGEX_NEED_LEN]; /* lower case */
	} lit[REGEX_NEED_MAX];
};

/* -EINVAL where it is no expression, -ENOMEM. */
int regex_need(const char *pattern, size_t len, bool icase, struct regex_need *ret);

/* Not const: the automaton grows. One thread at a time. */
bool regex_match(struct regex *re, const char *s, size_t len);

#endif
