/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_EXPR_H
#define TAMIS_COMPILER_EXPR_H

/*
 * An expression that was checked: names are resolved, macros are in place, every node has a type and its operands fit.
 * What the checker lets through, lower.c can turn into a program without asking again.
 */

#include "lib/catalog.h"
#include "lib/program.h"
#include "policy-compiler/ast.h"
#include "policy-compiler/variable.h"

enum expr_kind {
	EX_INT,	    /* num */
	EX_BOOL,    /* num */
	EX_STR,	    /* s, strm */
	EX_IP,	    /* ip */
	EX_FIELD,   /* field */
	EX_CURRENT, /* field, of the element that the rule's iterator stands at */
	EX_LEN,	    /* a: a FIELD or CURRENT */
	EX_NOT,
	EX_NEG,
	EX_BNOT,    /* a */
	EX_BINARY,  /* a op b: + - & | ^ */
	EX_COMPARE, /* a op b: == != < <= > >=; =~ and !~ have become == and != */
	EX_IN,	    /* a op b: in, not in, allin; b a LIST, or a field with several values, or an IP */
	EX_CHAIN,   /* items and ops, right-associative */
	EX_VAR,	    /* var */
	EX_UUID,    /* a random one each time */
	EX_FORMAT,  /* items, each as text, one behind the other; strm */
	EX_LIST	    /* items of one type */
};

struct expr {
	uint8_t kind;	      /* enum expr_kind */
	uint8_t op;	      /* enum ast_op */
	uint8_t type;	      /* enum val_type; of a LIST that of its items */
	uint8_t strm;	      /* STR, FORMAT: enum strm_kind */
	bool array;	      /* a field or variable with several values, not a LIST */
	bool duration;	      /* INT made of a duration; COMPARE: a is a time and stands for now - a */
	const struct ast *at; /* where it was written */
	union {
		int64_t num;
		struct {
			const char *s; /* not NUL-terminated */
			uint32_t slen;
		};
		uint8_t ip[VAL_IP_BYTES];
		const struct cat_field *field;
		const struct variable *var;
		struct {
			struct expr *a, *b;
		};
		struct {
			struct expr **items;
			const uint8_t *ops; /* CHAIN: enum ast_op between item i and i+1 */
			uint32_t n;
		};
	};
};

static inline bool expr_is_const(const struct expr *e)
{
	return e->kind <= EX_IP;
}

/* A string as it was written, with what it interpolates or without. */
static inline bool expr_is_text(const struct expr *e)
{
	return e->kind == EX_STR || e->kind == EX_FORMAT;
}

static inline bool expr_is_field(const struct expr *e)
{
	return e->kind == EX_FIELD || e->kind == EX_CURRENT;
}

#endif
