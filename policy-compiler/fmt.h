/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_FMT_H
#define TAMIS_COMPILER_FMT_H

/*
 * `tamisc fmt`: one form for every policy file. The file is parsed, written anew from its tree with its comments, and what
 * was written is parsed again and compared: a file whose meaning or whose comments would change is an error, never an
 * output. Formatting twice is formatting once.
 *
 * What changes: the order of keys (that of the tables of keys; unknown ones last), indentation, quotes, spaces before
 * comments, blank lines (one at most), and expressions: spaces, && || ! for and, or, not, "=~" for "==" before a pattern,
 * line breaks. What stays: the order of lists and of maps of any keys (tags, events), {} and [] that fit on a line,
 * comments, every value.
 */

#include "lib/buf.h"
#include "policy-compiler/keys.h"

#define FMT_WIDTH  120 /* characters of a line */
#define FMT_INDENT 2

/* Appends the formatted text of @src, a file with the keys of @keys. -EINVAL with diagnostics, -ENOMEM, -EFBIG. */
int fmt_source(const struct source *src, const struct key *keys, struct diags *d, struct buf *out);

/* ---- expressions (fmt_expr.c) -------------------------------------------------------------------------------------- */

struct fmt_expr; /* an expression as tokens, in an arena */

/* -EINVAL with diagnostics where the text is no expression. @macro: it may also be a list. */
int fmt_expr_read(struct arena *a, const struct text *text, bool macro, struct diags *d, struct fmt_expr **ret);
/* Comments have to end with their lines: such an expression is never written on one line. */
bool fmt_expr_has_comments(const struct fmt_expr *e);
/* && or || outside of parentheses: it has several conditions. */
bool fmt_expr_has_logic(const struct fmt_expr *e);
void fmt_expr_put_line(const struct fmt_expr *e, struct buf *out);
/* Lines of at most @width characters where that can be; each but the first behind @indent blanks; no last line end. Once. */
void fmt_expr_put_lines(struct fmt_expr *e, uint32_t indent, uint32_t width, struct buf *out);
/* Whether both mean the same, and have the same comments in the same order. */
bool fmt_expr_same(const struct fmt_expr *a, const struct fmt_expr *b);

#endif
