/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_CHECK_H
#define TAMIS_COMPILER_CHECK_H

/*
 * struct ast -> struct expr: resolves names (constants, macros, older names of fields, fields), puts macros in place,
 * works out types and refuses what does not fit, going on after an error as long as what follows can still be judged.
 * The catalog is the caller's: tests bring their own.
 */

#include <jansson.h>

#include "policy-compiler/expr.h"
#include "policy-compiler/macro.h"

#define CHECK_EXPRS_MAX	 (256u << 10) /* nodes of one rule with its macros in place */
#define CHECK_MACROS_MAX 64	      /* macros within macros */
#define CHECK_ERRORS_MAX 20	      /* of one rule; then it is given up */

/* A field that the sensor cannot observe yet, and where it was named first. */
struct unseen_use {
	const struct cat_field *field;
	struct span at;
};

#define CHECK_UNSEEN_MAX 16 /* such fields of one rule that are told of */

/* How the warning of a pattern that matches everything begins. */
#define CHECK_BARE_WILDCARD "a bare wildcard"

struct check {
	struct arena *arena; /* of the typed tree */
	struct diags *diags;
	const struct catalog *catalog;
	const struct macros *macros;  /* or NULL */
	const struct variables *vars; /* what rules set; or NULL */
	const json_t *variables;      /* values of ${name} where they are known beforehand, as an object; or NULL */

	/* worked out by check_rule */
	uint16_t event;			  /* the type that its fields belong to, or EV_NONE */
	const struct cat_field *iterated; /* an array field that the iterator runs over, or NULL */
	struct unseen_use unseen[CHECK_UNSEEN_MAX];
	size_t nunseen;

	/* for check.c and check_*.c */
	const struct ast *event_at;
	const char *event_field;
	char iterator[64]; /* "process.ancestors[A]" */
	unsigned int nexprs, depth;
	size_t errors_before;
};

/* A condition (BOOL). -EINVAL with diagnostics, -ENOMEM. */
int check_rule(struct check *c, const struct ast *a, struct expr **ret);
/* Any expression: what an action sets a variable to. It may be a LIST. */
int check_any(struct check *c, const struct ast *a, struct expr **ret);
/* The text with ${name} and %{field} in it replaced by what they hold: EX_STR or EX_FORMAT. @kind is AST_STR or the like. */
int check_text(struct check *c, const struct text *text, enum ast_kind kind, struct expr **ret);
/* A rule of a policy belongs to one event type: an error where check_rule found none. */
int check_event(struct check *c, const struct ast *a);

const char *check_type_name(const struct expr *e);

#endif
