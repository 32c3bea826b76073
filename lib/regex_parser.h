/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_REGEX_PARSER_H
#define TAMIS_LIB_REGEX_PARSER_H

/*
 * The parser of expressions in two files: regex_class.c reads characters and classes of them, regex_parse.c what is made of
 * those. Functions return 0 (or what they say) or a negative errno with the reason in the parser's err.
 */

#include "lib/regex_ast.h"

enum re_flag { RE_F_ICASE = 1 << 0, RE_F_MULTILINE = 1 << 1, RE_F_DOTALL = 1 << 2, RE_F_UNGREEDY = 1 << 3 };

struct re_parser {
	const char *begin, *s, *end;
	unsigned flags; /* enum re_flag */
	unsigned depth;
	struct re_tree *t;
	struct err *err;
};

/* -EINVAL, with "character N: what" in the error. */
int re_fail(struct re_parser *p, const char *at, const char *what);
int re_node_add(struct re_parser *p, struct re_node n, uint32_t *ret);

/* Each reads one thing at p->s and adds it to the tree as a node. */
int re_class(struct re_parser *p, uint32_t *ret); /* [...] */
int re_dot(struct re_parser *p, uint32_t *ret);

/* The character at p->s, and the one that a backslash there stands for. */
int re_utf8_next(struct re_parser *p, uint32_t *ret);
int re_escape(struct re_parser *p, uint32_t *ret);
/* The node of one character, read at @at. */
int re_char(struct re_parser *p, const char *at, uint32_t c, uint32_t *ret);
/* Adds the ranges of \d \s \w or their negations, if @c is such a letter: 1 if it was. p->s stays. */
int re_perl_class(struct re_parser *p, char c);
/* The node of all ranges from @first on. */
int re_class_node(struct re_parser *p, uint32_t first, uint32_t *ret);

#endif
