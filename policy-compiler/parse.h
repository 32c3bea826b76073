/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_PARSE_H
#define TAMIS_COMPILER_PARSE_H

/*
 * SECL text -> struct ast, by recursive descent. The grammar, with the language's own precedence:
 *
 *	expression := comparison { ("&&" | "and" | "||" | "or") comparison }	one level, right-associative
 *	comparison := arith [ scalarop comparison | arrayop array ]
 *	arith      := bit { ("+" | "-") bit }					left-associative
 *	bit        := unary [ ("&" | "|" | "^") bit ]				one level, right-associative
 *	unary      := ("!" | "not" | "-" | "^") unary | primary
 *	primary    := name | network | address | number | ${v} | %{f} | "s" | ~"p" | r"x" | duration | "(" expression ")"
 *	array      := network | ${v} | %{f} | name | "[" value { "," value } "]"
 *	macro      := expression | array
 */

#include "policy-compiler/ast.h"

#define PARSE_TEXT_MAX	(64u << 10) /* bytes of one expression */
#define PARSE_DEPTH_MAX 256	    /* levels of nesting */

/* A whole rule. @text is borrowed for the life of the tree. -EINVAL with one diagnostic, -ENOMEM. */
int parse_rule(struct arena *a, const struct text *text, struct diags *d, struct ast **ret);
/* A macro's body: also a list or a single value. */
int parse_macro(struct arena *a, const struct text *text, struct diags *d, struct ast **ret);

#endif
