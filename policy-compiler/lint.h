/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_LINT_H
#define TAMIS_COMPILER_LINT_H

/*
 * Lints: warnings of `tamisc check` about policies that compile and yet are hardly what somebody meant, or cost more than they
 * have to. Each has a name that stays. It is switched off by --no-lint=NAME, and in a policy by a comment "# no-lint: NAME":
 * in a rule or macro or right above it for that one, elsewhere for the file.
 */

#include "policy-compiler/compile.h"

struct lint {
	const char *name, *what; /* one line each, as the manual has them */
};

extern const struct lint lints[]; /* ends with a NULL name */

const struct lint *lint_find(const char *name);
/* Looks at what compile_finish() made; adds warnings. -ENOMEM. */
int lint_run(struct compile *c);
/* Takes those warnings out that are switched off: the names in @off (ends with NULL), and by comments. */
int lint_filter(const struct compile *c, const char *const *off);

/* lint_text.c: what is seen in the text of expressions. lint_rules.c: what their programs say, each and beside others. */
int lint_text(struct compile *c);
int lint_rules(struct compile *c);

#endif
