/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_AST_H
#define TAMIS_COMPILER_AST_H

/*
 * An expression as it was written: names are not resolved, nothing is typed. Nodes live in an arena and borrow their
 * strings from the text, which has to stay.
 */

#include "lib/value.h"
#include "policy-compiler/diag.h"

enum ast_kind {
	AST_CHAIN, /* items joined by ops, right-associative, "and" and "or" with one precedence; at least two items */
	AST_COMPARE,  /* a op b */
	AST_IN,	      /* a op b, b a LIST or what stands for one */
	AST_BINARY,   /* a op b: + - & | ^ */
	AST_UNARY,    /* op a: not, minus, bitwise not */
	AST_IDENT,    /* s */
	AST_VAR,      /* s: the name in ${} */
	AST_FIELDREF, /* s: the name in %{} */
	AST_INT,      /* num */
	AST_DURATION, /* num: nanoseconds */
	AST_STR,      /* s, raw */
	AST_PATTERN,  /* s */
	AST_REGEX,    /* s */
	AST_IP,	      /* ip; op is AST_OP_CIDR where it was written with a prefix length */
	AST_LIST      /* items */
};

enum ast_op {
	AST_OP_NONE,
	AST_OP_AND,
	AST_OP_OR,
	AST_OP_EQ,
	AST_OP_NE,
	AST_OP_LT,
	AST_OP_LE,
	AST_OP_GT,
	AST_OP_GE,
	AST_OP_MATCH,
	AST_OP_NMATCH,
	AST_OP_IN,
	AST_OP_NOT_IN,
	AST_OP_ALLIN,
	AST_OP_ADD,
	AST_OP_SUB,
	AST_OP_BAND,
	AST_OP_BOR,
	AST_OP_BXOR,
	AST_OP_NOT,
	AST_OP_NEG,
	AST_OP_BNOT,
	AST_OP_CIDR
};

struct ast {
	uint8_t kind;		 /* enum ast_kind */
	uint8_t op;		 /* enum ast_op */
	bool parens;		 /* in parentheses of its own */
	uint32_t off, len;	 /* in the text; len 0: a point */
	const struct text *text; /* borrowed */
	union {
		struct {
			struct ast **items;
			uint8_t *ops; /* CHAIN: enum ast_op between item i and i+1 */
			uint32_t n;
		};
		struct {
			struct ast *a, *b;
		};
		struct {
			const char *s; /* not NUL-terminated */
			uint32_t slen;
		};
		int64_t num;
		uint8_t ip[VAL_IP_BYTES];
	};
};

/* How the operator is written: "==", "not in". */
const char *ast_op_name(uint8_t op);

static inline struct span ast_span(const struct ast *a)
{
	return text_span(a->text, a->off, a->len);
}

#endif
