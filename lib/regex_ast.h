/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_REGEX_AST_H
#define TAMIS_LIB_REGEX_AST_H

/* What regex_parse.c hands to regex.c: the expression as a tree in one array. Only these two include it. */

#include <stdint.h>

#include "lib/regex.h"

enum re_op { RE_EMPTY, RE_CLASS, RE_CAT, RE_ALT, RE_REPEAT, RE_ASSERT };

enum re_assert { RE_BEGIN_TEXT, RE_END_TEXT, RE_BEGIN_LINE, RE_END_LINE, RE_WORD, RE_NOT_WORD };

#define RE_NONE	     UINT32_MAX
#define RE_UNBOUNDED UINT32_MAX
#define RE_CHAR_MAX  0x10ffffu

struct re_node {
	uint8_t op;	/* enum re_op */
	uint8_t assert; /* ASSERT: enum re_assert */
	uint32_t last;	/* CAT, ALT: last child; REPEAT: the child */
	uint32_t prev;	/* the sibling before, or RE_NONE */
	uint32_t a, b;	/* CLASS: first range and number of ranges; REPEAT: minimum and maximum */
};

struct re_range {
	uint32_t lo, hi; /* both included */
};

struct re_tree {
	struct re_node *nodes; /* owned */
	uint32_t nnodes, nodes_cap;
	struct re_range *ranges; /* owned; those of one class ascend and do not touch */
	uint32_t nranges, ranges_cap;
	uint32_t root;
};

int re_parse(const char *pattern, size_t len, bool icase, struct re_tree *ret, struct err *err);
void re_tree_done(struct re_tree *t);

#endif
