/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/diag.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#define DIAG_ARENA_MAX (16u << 20)
#define DIAG_MSG_MAX   1024
#define DIAG_LINE_MAX  160 /* characters of a source line that are shown */

struct diags diags_new(void)
{
	return (struct diags){ .arena = arena_of(DIAG_ARENA_MAX) };
}

void diags_done(struct diags *d)
{
	arena_done(&d->arena);
	*d = (struct diags){ .arena = arena_of(DIAG_ARENA_MAX) };
}

static const char *diag_format(struct diags *d, const char *fmt, va_list ap)
{
	char msg[DIAG_MSG_MAX];
	int n = vsnprintf(msg, sizeof(msg), fmt, ap);

	if (n < 0)
		n = 0;
	if (n >= (int)sizeof(msg))
		n = sizeof(msg) - 1;
	/* names and strings in a message come from the policy: what cannot be shown must not reach a terminal */
	for (int i = 0; i < n; i++)
		if ((unsigned char)msg[i] < ' ' || msg[i] == 0x7f)
			msg[i] = '?';
	return arena_strdup(&d->arena, msg, (size_t)n);
}

static void diag_vadd(struct diags *d, enum diag_level level, struct span at, const char *fmt, va_list ap)
{
	struct diag *new;
	const char *msg;

	d->errors += level == DIAG_ERROR;
	d->warnings += level == DIAG_WARNING;
	if (d->n >= DIAG_MAX)
		return;
	msg = diag_format(d, fmt, ap);
	new = msg ? ARENA_PUSH(&d->arena, d->v, d->n) : NULL;
	if (new)
		*new = (struct diag){ .level = level, .at = at, .msg = msg };
}

int diag_error(struct diags *d, struct span at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_vadd(d, DIAG_ERROR, at, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

void diag_warn(struct diags *d, struct span at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_vadd(d, DIAG_WARNING, at, fmt, ap);
	va_end(ap);
}

void diag_note(struct diags *d, struct span at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_vadd(d, DIAG_NOTE, at, fmt, ap);
	va_end(ap);
}

static bool same_diag(const struct diag *a, const struct diag *b)
{
	return a->level == b->level && a->at.src == b->at.src && a->at.off == b->at.off && a->at.len == b->at.len &&
	       strcmp(a->msg, b->msg) == 0;
}

void diags_drop_doubles(struct diags *d, size_t from)
{
	size_t n = from;

	for (size_t i = from; i < d->n; i++) {
		size_t k = 0;

		while (k < from && !same_diag(&d->v[i], &d->v[k]))
			k++;
		if (k < from && d->v[i].level == DIAG_WARNING)
			d->warnings--;
		else
			d->v[n++] = d->v[i];
	}
	d->n = n;
}

void diag_help(struct diags *d, const char *fmt, ...)
{
	va_list ap;

	if (!d->n || d->n >= DIAG_MAX || d->v[d->n - 1].help)
		return;
	va_start(ap, fmt);
	d->v[d->n - 1].help = diag_format(d, fmt, ap);
	va_end(ap);
}

void diag_lint(struct diags *d, const char *name)
{
	if (d->n && d->n < DIAG_MAX)
		d->v[d->n - 1].lint = name;
}

void diag_fix(struct diags *d, const char *text)
{
	if (d->n && d->n < DIAG_MAX)
		d->v[d->n - 1].fix = arena_strdup(&d->arena, text, strlen(text));
}

/* ---- from a text to its source ----------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Raw bytes that an escape of a double-quoted scalar takes, its backslash included. */
static uint32_t escape_len(const char *raw, uint32_t left)
{
	if (left < 2)
		return left;
	switch (raw[1]) {
	case 'x':
		return 4;
	case 'u':
		return 6;
	case 'U':
		return 10;
	default:
		return 2;
	}
}

/*
 * Walks the text and its raw bytes side by side. All that YAML changes is white space (indentation goes, line ends
 * fold), '' in single quotes and escapes in double quotes; so skipping raw white space until the bytes agree again
 * finds each byte that is not white space itself.
 */
static uint32_t text_align(const struct text *t, uint32_t off)
{
	const char *raw = t->raw.src->bytes + t->raw.off;
	uint32_t r = 0, n = t->raw.len, start;

	/* the opening quote, or the line of the block indicator */
	if (t->style == TEXT_SINGLE || t->style == TEXT_DOUBLE)
		r = 1;
	while ((t->style == TEXT_LITERAL || t->style == TEXT_FOLDED) && r < n && raw[r] != '\n')
		r++;

	for (uint32_t i = 0;; i++) {
		char c = i < t->len ? t->s[i] : '\0';

		while (r < n && is_blank(raw[r]) && (!is_blank(c) || (i == 0 && t->style != TEXT_DOUBLE)) &&
		       raw[r] != c)
			r++;
		while (t->style == TEXT_DOUBLE && n - r > 1 && raw[r] == '\\' && raw[r + 1] == '\n')
			for (r += 2; r < n && is_blank(raw[r]); r++)
				;
		start = r < n ? r : n;
		if (i >= off || i >= t->len)
			return start;
		if (t->style == TEXT_DOUBLE && r < n && raw[r] == '\\')
			r += escape_len(raw + r, n - r);
		else if (t->style == TEXT_SINGLE && c == '\'')
			r += 2;
		else
			r++;
		if (r > n)
			r = n;
	}
}

/* The byte of the text before that byte @off was made from; behind the last one of an edit, its end. */
static uint32_t text_before(const struct text *t, uint32_t off, bool is_end)
{
	uint32_t shift_new = 0, shift_old = 0;

	for (uint32_t i = 0; i < t->nedits; i++) {
		const struct text_edit *e = &t->edits[i];

		if (off < e->off || (off == e->off && (is_end || !e->len)))
			break;
		if (off < e->off + e->len || (is_end && off == e->off + e->len))
			return is_end ? e->old_off + e->old_len : e->old_off;
		shift_new = e->off + e->len;
		shift_old = e->old_off + e->old_len;
	}
	off = off - shift_new + shift_old;
	return off < t->before->len ? off : t->before->len;
}

struct span text_span(const struct text *t, uint32_t off, uint32_t len)
{
	struct span s = t->raw;
	uint32_t from, to;

	if (t->before) {
		from = text_before(t, off, false);
		to = len ? text_before(t, off + len, true) : from;
		return text_span(t->before, from, to > from ? to - from : 0);
	}
	if (!t->raw.src)
		return s;
	if (t->style == TEXT_RAW) {
		s.off += off;
		s.len = len;
		return s;
	}
	from = text_align(t, off);
	to = len ? text_align(t, off + len - 1) + 1 : from;
	s.off += from;
	s.len = to > from ? to - from : 0;
	return s;
}

/* ---- printing ---------------------------------------------------------------------------------------------------- */

/* Bytes that begin a character: all but the continuation bytes of UTF-8. */
static bool is_char(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

void span_place(struct span at, uint32_t *ret_line, uint32_t *ret_col, uint32_t *ret_line_off, uint32_t *ret_line_len)
{
	const char *s = at.src->bytes, *newline;
	uint32_t line = 1, col = 1, begin = 0, end;

	if (at.off > at.src->size)
		at.off = (uint32_t)at.src->size;
	while ((newline = memchr(s + begin, '\n', at.off - begin))) {
		line++;
		begin = (uint32_t)(newline - s) + 1;
	}
	for (uint32_t i = begin; i < at.off; i++)
		col += is_char(s[i]);
	newline = memchr(s + at.off, '\n', at.src->size - at.off);
	end = newline ? (uint32_t)(newline - s) : (uint32_t)at.src->size;
	if (end > at.off && s[end - 1] == '\r')
		end--;
	*ret_line = line;
	*ret_col = col;
	*ret_line_off = begin;
	*ret_line_len = end - begin;
}

const char *diag_level_name(enum diag_level level)
{
	static const char *const names[] = { "error", "warning", "note" };

	return names[level];
}

/* What is before the caret, as blanks; a tab stays a tab so that the caret stands where the terminal put the text. */
static void print_caret(FILE *f, const char *line, uint32_t before, uint32_t len)
{
	fputs("       | ", f);
	for (uint32_t i = 0; i < before; i++)
		if (is_char(line[i]))
			fputc(line[i] == '\t' ? '\t' : ' ', f);
	fputc('^', f);
	for (uint32_t i = 1; i < len; i++)
		if (is_char(line[before + i]))
			fputc('~', f);
	fputc('\n', f);
}

/* The source line with a caret; of a very long line the part around the caret. */
static void print_line(FILE *f, struct span at, uint32_t line, uint32_t off, uint32_t len)
{
	const char *s = at.src->bytes + off;
	uint32_t before = at.off - off, end;

	if (before > DIAG_LINE_MAX / 2) {
		uint32_t cut = before - DIAG_LINE_MAX / 2;

		while (cut < before && !is_char(s[cut]))
			cut++;
		s += cut;
		len -= cut;
		before -= cut;
	}
	end = len < DIAG_LINE_MAX ? len : DIAG_LINE_MAX;
	fprintf(f, " %5u | ", line);
	for (uint32_t i = 0; i < end; i++)
		fputc((unsigned char)s[i] < ' ' && s[i] != '\t' ? '?' : s[i], f);
	fputc('\n', f);
	print_caret(f, s, before, at.len > end - before ? end - before : at.len);
}

void diag_print(FILE *f, const struct diag *d, bool colour)
{
	static const char *const colours[] = { "\033[1;31m", "\033[1;35m", "\033[1;36m" };
	uint32_t line, col, off, len;

	if (d->at.src) {
		span_place(d->at, &line, &col, &off, &len);
		fprintf(f, "%s:%u:%u: ", d->at.src->path, line, col);
	}
	fprintf(f, "%s%s:%s %s%s%s%s\n", colour ? colours[d->level] : "", diag_level_name(d->level),
		colour ? "\033[0m" : "", d->msg, d->lint ? " [" : "", d->lint ? d->lint : "", d->lint ? "]" : "");
	if (d->at.src && len)
		print_line(f, d->at, line, off, len);
	if (d->help)
		fprintf(f, "       = help: %s\n", d->help);
}

static int diag_cmp(const void *x, const void *y)
{
	const struct diag *a = x, *b = y;

	if (a->at.src != b->at.src) {
		if (!a->at.src || !b->at.src)
			return a->at.src ? -1 : 1;
		return strcmp(a->at.src->path, b->at.src->path);
	}
	if (a->at.off != b->at.off)
		return a->at.off < b->at.off ? -1 : 1;
	return (int)a->level - (int)b->level;
}

void diags_sort(struct diags *d)
{
	if (d->n)
		qsort(d->v, d->n, sizeof(d->v[0]), diag_cmp);
}
