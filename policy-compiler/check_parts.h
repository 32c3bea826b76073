/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_CHECK_PARTS_H
#define TAMIS_COMPILER_CHECK_PARTS_H

/* What the parts of the checker tell each other. Only check*.c include this. */

#include "policy-compiler/check.h"

/* check.c: any expression. Its result may be a LIST (a macro that is one). */
int check_expr(struct check *c, const struct ast *a, struct expr **ret);
struct expr *check_new(struct check *c, enum expr_kind kind, uint8_t type, const struct ast *at);
/* The expression as one value of that type: no list, not several values. @what says who wants it. */
int check_one_value(struct check *c, const struct expr *e, uint8_t type, const char *what);

/* check_name.c */
int check_name(struct check *c, const struct ast *a, struct expr **ret);
int check_field_reference(struct check *c, const struct ast *a, struct expr **ret);

/* The field process.pid, which ${process.pid} stands for; -ENOENT where the catalog has none. */
int check_pid_field(struct check *c, const struct ast *a, struct expr **ret);

/* check_variable.c */
int check_variable(struct check *c, const struct ast *a, struct expr **ret);
/* Strings, patterns and regexes; ${name} in the former two is replaced. */
int check_string(struct check *c, const struct ast *a, struct expr **ret);

/* check_compare.c */
int check_compare(struct check *c, const struct ast *a, struct expr **ret);
int check_in(struct check *c, const struct ast *a, struct expr **ret);
int check_list(struct check *c, const struct ast *a, struct expr **ret);

#endif
