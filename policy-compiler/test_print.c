/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/test_print.h"

#include "lib/jsonw.h"

/* One line: what would end it, or move a terminal's cursor, is shown as "?". */
static void put_line(struct buf *out, const char *s)
{
	for (; *s; s++)
		buf_putc(out, (unsigned char)*s < ' ' || *s == 0x7f ? '?' : (uint8_t)*s);
}

/* Every line of @s behind @indent. */
static void put_indented(struct buf *out, const char *indent, const char *s)
{
	while (*s) {
		const char *end = strchrnul(s, '\n');

		buf_puts(out, indent);
		buf_put(out, s, (size_t)(end - s));
		buf_putc(out, '\n');
		s = *end ? end + 1 : end;
	}
}

/* ---- coverage ------------------------------------------------------------------------------------------------------ */

/* Calls for the rule, or for its clauses where it fired. */
static void put_gaps(const struct test_cover *c, const char *begin, struct buf *out)
{
	if (!c->fired) {
		buf_puts(out, begin);
		put_line(out, c->file);
		buf_printf(out, ":%u:%u: no test fires %s\n", c->line, c->col, c->id);
		return;
	}
	for (size_t i = 0; i < c->nclauses; i++) {
		const struct test_clause *k = c->clauses[i];

		if (k->held)
			continue;
		buf_puts(out, begin);
		put_line(out, c->file);
		buf_printf(out, ":%u:%u: %s: no test makes this %s true: %s\n", c->line, c->col, c->id,
			   k->whole ? "branch" : "clause", k->text);
	}
}

static void put_all_gaps(const struct test_run *t, const char *begin, struct buf *out)
{
	for (size_t i = 0; i < t->ncovers; i++)
		put_gaps(t->covers[i], begin, out);
}

void test_print_uncovered(const struct test_run *t, struct buf *out)
{
	put_all_gaps(t, "", out);
}

bool test_print_is_covered(const struct test_run *t)
{
	struct test_coverage c = test_coverage(t);

	return c.rules == c.fired && c.clauses == c.held;
}

/* ---- for people ---------------------------------------------------------------------------------------------------- */

static void put_failure(const struct test_case *c, const struct test_failure *f, struct buf *out)
{
	buf_puts(out, "    ");
	put_line(out, c->file);
	buf_printf(out, ":%u:%u: %s\n", f->line, f->col, f->text);
	if (f->detail)
		put_indented(out, "        ", f->detail);
}

void test_print_text(const struct test_run *t, struct buf *out)
{
	for (size_t i = 0; i < t->ncases; i++) {
		const struct test_case *c = &t->cases[i];

		buf_puts(out, c->failed ? "not ok " : "ok ");
		put_line(out, c->file);
		buf_puts(out, ": ");
		put_line(out, c->name);
		buf_putc(out, '\n');
		for (size_t k = 0; k < c->nfailures; k++)
			put_failure(c, &c->failures[k], out);
	}
}

void test_print_list(const struct test_run *t, struct buf *out)
{
	for (size_t i = 0; i < t->ncases; i++) {
		put_line(out, t->cases[i].file);
		buf_printf(out, ":%u: ", t->cases[i].line);
		put_line(out, t->cases[i].name);
		buf_putc(out, '\n');
	}
}

/* ---- TAP ----------------------------------------------------------------------------------------------------------- */

/* "#" would begin a directive. */
static void put_tap_name(struct buf *out, const char *s)
{
	for (; *s; s++)
		buf_putc(out, *s == '#' || (unsigned char)*s < ' ' || *s == 0x7f ? ' ' : (uint8_t)*s);
}

void test_print_tap(const struct test_run *t, struct buf *out)
{
	struct test_coverage cover = test_coverage(t);

	buf_printf(out, "TAP version 13\n1..%zu\n", t->ncases);
	for (size_t i = 0; i < t->ncases; i++) {
		const struct test_case *c = &t->cases[i];

		buf_printf(out, "%s %zu - ", c->failed ? "not ok" : "ok", i + 1);
		put_tap_name(out, c->file);
		buf_puts(out, ": ");
		put_tap_name(out, c->name);
		buf_putc(out, '\n');
		for (size_t k = 0; k < c->nfailures; k++) {
			buf_printf(out, "# line %u: %s\n", c->failures[k].line, c->failures[k].text);
			if (c->failures[k].detail)
				put_indented(out, "#   ", c->failures[k].detail);
		}
	}
	buf_printf(out, "# rules fired: %zu of %zu\n# clauses true: %zu of %zu\n", cover.fired, cover.rules, cover.held,
		   cover.clauses);
	put_all_gaps(t, "# ", out);
}

/* ---- JUnit --------------------------------------------------------------------------------------------------------- */

static void put_entity(struct buf *out, unsigned char c)
{
	switch (c) {
	case '<':
		buf_puts(out, "&lt;");
		break;
	case '>': /* "]]>" has no place in text */
		buf_puts(out, "&gt;");
		break;
	case '&':
		buf_puts(out, "&amp;");
		break;
	case '"':
		buf_puts(out, "&quot;");
		break;
	default:
		/* control characters have no place in XML, escaped or not; a line end is one in text */
		buf_putc(out, (c < ' ' && c != '\n') || c == 0x7f ? '?' : c);
	}
}

/* What is no UTF-8, and what XML has no place for (U+FFFE, U+FFFF), is shown as "?". */
static void put_xml(struct buf *out, const char *s)
{
	size_t left = strlen(s), n;

	for (; left; s += n, left -= n) {
		const uint8_t *p = (const uint8_t *)s;

		n = jsonw_utf8_len(p, left);
		if (n == 1)
			put_entity(out, *p);
		else if (n == 0 || (n == 3 && p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe))
			buf_putc(out, '?');
		else
			buf_put(out, p, n);
		n = n ? n : 1;
	}
}

static void put_seconds(struct buf *out, int64_t ns)
{
	buf_printf(out, " time=\"%lld.%06lld\"", (long long)(ns / 1000000000), (long long)(ns / 1000 % 1000000));
}

/* A line end in an attribute would be read as a blank. */
static void put_junit_case(const struct test_case *c, struct buf *out)
{
	buf_puts(out, "    <testcase classname=\"");
	put_xml(out, c->file);
	buf_puts(out, "\" name=\"");
	put_xml(out, c->name);
	buf_printf(out, "\" line=\"%u\"", c->line);
	buf_puts(out, c->failed ? ">\n      <failure message=\"" : "/>\n");
	if (!c->failed)
		return;
	put_xml(out, c->failure ? c->failure : "failed");
	buf_puts(out, "\">");
	for (size_t k = 0; k < c->nfailures; k++) {
		const struct test_failure *f = &c->failures[k];

		put_xml(out, c->file);
		buf_printf(out, ":%u:%u: ", f->line, f->col);
		put_xml(out, f->text);
		buf_putc(out, '\n');
		put_xml(out, f->detail ? f->detail : "");
		buf_puts(out, f->detail ? "\n" : "");
	}
	buf_puts(out, "</failure>\n    </testcase>\n");
}

static void put_property(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "      <property name=\"%s\" value=\"", name);
	put_xml(out, value);
	buf_puts(out, "\"/>\n");
}

static void put_count(struct buf *out, const char *name, size_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "%zu", n);
	put_property(out, name, text);
}

static void put_properties(const struct test_run *t, struct buf *out)
{
	struct test_coverage c = test_coverage(t);
	struct buf gaps;

	buf_init(&gaps, out->max);
	put_all_gaps(t, "", &gaps);
	buf_puts(out, "  <testsuite name=\"coverage\" tests=\"0\" failures=\"0\">\n    <properties>\n");
	put_count(out, "rules", c.rules);
	put_count(out, "rules.fired", c.fired);
	put_count(out, "clauses", c.clauses);
	put_count(out, "clauses.true", c.held);
	for (char *s = (char *)buf_cstr(&gaps), *end; s && *s; s = end + 1) {
		end = strchr(s, '\n');
		*end = '\0';
		put_property(out, "uncovered", s);
	}
	buf_puts(out, "    </properties>\n  </testsuite>\n");
	buf_done(&gaps);
}

void test_print_junit(const struct test_run *t, struct buf *out)
{
	buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	buf_printf(out, "<testsuites name=\"tamisc\" tests=\"%zu\" failures=\"%zu\">\n", t->ncases, t->nfailed);
	for (size_t i = 0; i < t->nfiles; i++) {
		const struct test_file *f = &t->files[i];

		buf_puts(out, "  <testsuite name=\"");
		put_xml(out, f->path);
		buf_printf(out, "\" tests=\"%zu\" failures=\"%zu\"", f->n, f->nfailed);
		put_seconds(out, f->ns);
		buf_puts(out, ">\n");
		for (size_t k = f->first; k < f->first + f->n; k++)
			put_junit_case(&t->cases[k], out);
		buf_puts(out, "  </testsuite>\n");
	}
	put_properties(t, out);
	buf_puts(out, "</testsuites>\n");
}

/* ---- JSON ---------------------------------------------------------------------------------------------------------- */

static void json_cover(struct jsonw *w, const struct test_cover *c)
{
	jsonw_obj_begin(w);
	jsonw_key(w, "clauses");
	jsonw_arr_begin(w);
	for (size_t i = 0; i < c->nclauses; i++) {
		jsonw_obj_begin(w);
		jsonw_member_str(w, "text", c->clauses[i]->text);
		jsonw_member_bool(w, "true", c->clauses[i]->held);
		jsonw_member_bool(w, "whole", c->clauses[i]->whole);
		jsonw_obj_end(w);
	}
	jsonw_arr_end(w);
	jsonw_member_u64(w, "column", c->col);
	jsonw_member_str(w, "file", c->file);
	jsonw_member_bool(w, "fired", c->fired);
	jsonw_member_u64(w, "line", c->line);
	jsonw_member_str(w, "rule", c->id);
	jsonw_obj_end(w);
}

static void json_coverage(struct jsonw *w, const struct test_run *t)
{
	struct test_coverage c = test_coverage(t);

	jsonw_obj_begin(w);
	jsonw_member_u64(w, "clauses", c.clauses);
	jsonw_member_u64(w, "clauses_true", c.held);
	jsonw_key(w, "each");
	jsonw_arr_begin(w);
	for (size_t i = 0; i < t->ncovers; i++)
		json_cover(w, t->covers[i]);
	jsonw_arr_end(w);
	jsonw_member_u64(w, "rules", c.rules);
	jsonw_member_u64(w, "rules_fired", c.fired);
	jsonw_obj_end(w);
}

static void json_case(struct jsonw *w, const struct test_case *c)
{
	jsonw_obj_begin(w);
	jsonw_key(w, "failures");
	jsonw_arr_begin(w);
	for (size_t i = 0; i < c->nfailures; i++) {
		jsonw_obj_begin(w);
		jsonw_member_u64(w, "column", c->failures[i].col);
		if (c->failures[i].detail)
			jsonw_member_str(w, "detail", c->failures[i].detail);
		jsonw_member_u64(w, "line", c->failures[i].line);
		jsonw_member_str(w, "text", c->failures[i].text);
		jsonw_obj_end(w);
	}
	jsonw_arr_end(w);
	jsonw_member_str(w, "file", c->file);
	jsonw_member_u64(w, "line", c->line);
	jsonw_member_str(w, "name", c->name);
	jsonw_member_bool(w, "ok", !c->failed);
	jsonw_obj_end(w);
}

void test_print_json(const struct test_run *t, struct buf *out)
{
	struct jsonw w = jsonw_to(out);

	jsonw_obj_begin(&w);
	jsonw_key(&w, "coverage");
	json_coverage(&w, t);
	jsonw_member_u64(&w, "failed", t->nfailed);
	jsonw_key(&w, "files");
	jsonw_arr_begin(&w);
	for (size_t i = 0; i < t->nfiles; i++) {
		jsonw_obj_begin(&w);
		jsonw_member_u64(&w, "failed", t->files[i].nfailed);
		jsonw_member_str(&w, "file", t->files[i].path);
		jsonw_member_u64(&w, "microseconds", (uint64_t)t->files[i].ns / 1000);
		jsonw_member_u64(&w, "tests", t->files[i].n);
		jsonw_obj_end(&w);
	}
	jsonw_arr_end(&w);
	jsonw_key(&w, "tests");
	jsonw_arr_begin(&w);
	for (size_t i = 0; i < t->ncases; i++)
		json_case(&w, &t->cases[i]);
	jsonw_arr_end(&w);
	jsonw_obj_end(&w);
	buf_putc(out, '\n');
}
