/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_LEX_H
#define TAMIS_COMPILER_LEX_H

/*
 * SECL tokens. The order in which forms are tried is the language's: comment, network, address, variable, field
 * reference, duration, regex, identifier, string, pattern, integer, punctuation. Strings are raw: a backslash only
 * stops the next character from ending the literal, and stays.
 *
 * More than the language asks for: "&&", "==" and the like are one token, so "=~"x"" needs no space; and a "]"
 * belongs to an identifier only where its "[" does, so [O_CREAT] needs no space either.
 */

#include "lib/value.h"
#include "policy-compiler/diag.h"

enum lex_kind {
	T_END,
	T_CIDR,
	T_IP,
	T_VAR,
	T_FIELDREF,
	T_DURATION,
	T_REGEX,
	T_IDENT,
	T_STRING,
	T_PATTERN,
	T_INT,
	/* punctuation and the words that mean the same */
	T_LPAREN,
	T_RPAREN,
	T_LBRACKET,
	T_RBRACKET,
	T_COMMA,
	T_EQ,
	T_NE,
	T_LT,
	T_LE,
	T_GT,
	T_GE,
	T_MATCH,  /* =~ */
	T_NMATCH, /* !~ */
	T_AND,
	T_OR,
	T_NOT, /* "!" and "not" */
	T_IN,
	T_ALLIN,
	T_PLUS,
	T_MINUS,
	T_BAND,
	T_BOR,
	T_CARET
};

struct lex_token {
	enum lex_kind kind;
	uint32_t off, len; /* in the text */
	const char *s;	   /* IDENT: the name; VAR, FIELDREF: the name inside; STRING, PATTERN, REGEX: what is inside */
	uint32_t slen;
	int64_t num;		  /* INT; DURATION: nanoseconds */
	uint8_t ip[VAL_IP_BYTES]; /* CIDR, IP */
	bool word;		  /* written as a word: "not", "and" */
};

struct lexer {
	const struct text *text; /* borrowed */
	struct diags *diags;
	uint32_t pos;
};

/* The next token, T_END at the end of the text (again and again). -EINVAL with a diagnostic. */
int lex_next(struct lexer *l, struct lex_token *ret);

#endif
