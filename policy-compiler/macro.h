/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_MACRO_H
#define TAMIS_COMPILER_MACRO_H

/*
 * Macros: names for expressions, lists and single values. A macro is parsed once; the checker puts its meaning in each
 * place that names it. All policies of one build share them.
 */

#include "policy-compiler/ast.h"
#include "policy-compiler/strmap.h"

struct macro {
	const char *id;
	struct span at;		/* of the id */
	const struct ast *body; /* NULL: it has an error that was reported */
	bool values;		/* written as "values:", so that others may add to it */
	bool used;		/* by a rule, maybe through other macros; see lint.h */
	bool busy;		/* being put in place: met again, it uses itself */
};

struct macros {
	struct strmap by_name;
	struct macro **v; /* in order of definition */
	size_t n;
};

static inline struct macro *macro_find(const struct macros *m, const char *name, size_t len)
{
	return strmap_get(&m->by_name, name, len);
}

/* Adds an empty macro; the id is borrowed and not there yet. NULL without memory. */
struct macro *macro_add(struct macros *m, struct arena *a, const char *id, struct span at);
/* The macro's values become @old's, if any, and one string each from @texts. */
int macro_set_values(struct macro *m, struct arena *a, const struct text *const *texts, size_t n, bool append);
/* The nearest name, or NULL. */
const char *macro_nearest(const struct macros *m, const char *name, size_t len);

#endif
