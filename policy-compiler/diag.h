/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_DIAG_H
#define TAMIS_COMPILER_DIAG_H

/*
 * What is wrong with a policy, and where. Every part of the compiler adds diagnostics to one list and goes on; a
 * command prints the list at its end. A diagnostic points at bytes of a file as it lies on disk, also when it is
 * about an expression inside a folded or quoted YAML scalar: see struct text.
 */

#include "policy-compiler/arena.h"

#include <stdint.h>
#include <stdio.h>

#define DIAG_MAX 1000 /* kept; later ones are counted only */

/* A file (or the text of a command-line argument). It stays in memory as long as diagnostics may point into it. */
struct source {
	const char *path; /* as the person gave it */
	const char *bytes;
	size_t size;
};

/* Bytes of a source. src NULL: about no place in particular. */
struct span {
	const struct source *src;
	uint32_t off, len;
};

/* How the text of an expression came out of its source. */
enum text_style { TEXT_RAW, TEXT_PLAIN, TEXT_SINGLE, TEXT_DOUBLE, TEXT_LITERAL, TEXT_FOLDED };

/* Bytes of a text that stand for bytes of the text that it was made from. */
struct text_edit {
	uint32_t off, len;	   /* in the new one */
	uint32_t old_off, old_len; /* in the old one */
};

/*
 * A text (an expression) taken out of a source: what YAML made of it, and the raw bytes that it was made from. Or one that the
 * compiler has made from another: then its places are those of the other.
 */
struct text {
	const char *s;
	uint32_t len;
	enum text_style style;
	struct span raw;	       /* quotes and block indicator included */
	const struct text *before;     /* what it was made from, or NULL */
	const struct text_edit *edits; /* ascending; all else is as it was */
	uint32_t nedits;
};

/* Where bytes [off, off+len) of the text are in the source. */
struct span text_span(const struct text *t, uint32_t off, uint32_t len);

enum diag_level { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE };

struct diag {
	enum diag_level level;
	struct span at;
	const char *msg;  /* one line */
	const char *help; /* the remedy, or NULL */
	const char *lint; /* the lint's name, where it is one (static); see lint.h */
	const char *fix;  /* what the place's bytes may be replaced by, or NULL */
};

struct diags {
	struct arena arena;
	struct diag *v;
	size_t n;
	size_t errors, warnings; /* all of them, also those that were not kept */
};

struct diags diags_new(void);
void diags_done(struct diags *d);
/* The diagnostic just added gets a remedy (unless it has one or was not kept). */
void diag_help(struct diags *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The diagnostic just added is one of a lint, and so can be switched off. */
void diag_lint(struct diags *d, const char *name);
/* What to write instead of the bytes at the place of the diagnostic just added, with nothing else to be changed. */
void diag_fix(struct diags *d, const char *text);
/* Add a diagnostic; diag_error always returns -EINVAL, so that it can end a function. */
int diag_error(struct diags *d, struct span at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void diag_warn(struct diags *d, struct span at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void diag_note(struct diags *d, struct span at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Line and column (in characters) from 1; *ret_line_off and *ret_line_len are the bytes of that line. */
void span_place(struct span at, uint32_t *ret_line, uint32_t *ret_col, uint32_t *ret_line_off, uint32_t *ret_line_len);

const char *diag_level_name(enum diag_level level);
/* "file:line:col: error: text", the line with a caret below, the remedy. */
void diag_print(FILE *f, const struct diag *d, bool colour);
/* Warnings from number @from on that say of a place what an earlier one says of it are gone. */
void diags_drop_doubles(struct diags *d, size_t from);
/* Every diagnostic in order of files and lines, errors and warnings of one rule so together. */
void diags_sort(struct diags *d);

#endif
