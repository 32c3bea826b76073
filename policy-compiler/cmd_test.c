/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>

#include "policy-compiler/cli.h"
#include "policy-compiler/test_run.h"

#define OUT_MAX (64u << 20)

/* ---- forms of the results ---------------------------------------------------------------------------------------- */

static void put_text(struct buf *out, const struct test_run *t)
{
	for (size_t i = 0; i < t->ncases; i++) {
		const struct test_case *c = &t->cases[i];

		buf_printf(out, "%s %s: %s\n", c->failure ? "not ok" : "ok", c->file, c->name);
		if (c->failure)
			buf_printf(out, "       line %u: %s\n", c->line, c->failure);
	}
}

/* "#" would begin a directive in TAP. */
static void put_tap_name(struct buf *out, const char *s)
{
	for (; *s; s++)
		buf_putc(out, *s == '#' || *s == '\n' ? ' ' : (uint8_t)*s);
}

static void put_tap(struct buf *out, const struct test_run *t)
{
	buf_printf(out, "TAP version 13\n1..%zu\n", t->ncases);
	for (size_t i = 0; i < t->ncases; i++) {
		const struct test_case *c = &t->cases[i];

		buf_printf(out, "%s %zu - ", c->failure ? "not ok" : "ok", i + 1);
		put_tap_name(out, c->file);
		buf_puts(out, ": ");
		put_tap_name(out, c->name);
		buf_putc(out, '\n');
		if (c->failure)
			buf_printf(out, "# line %u: %s\n", c->line, c->failure);
	}
}

static void put_xml(struct buf *out, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '<':
			buf_puts(out, "&lt;");
			break;
		case '&':
			buf_puts(out, "&amp;");
			break;
		case '"':
			buf_puts(out, "&quot;");
			break;
		default:
			/* control characters have no place in XML, escaped or not */
			buf_putc(out, (unsigned char)*s < ' ' ? '?' : (uint8_t)*s);
		}
	}
}

static void put_junit(struct buf *out, const struct test_run *t)
{
	buf_printf(
		out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"tamisc\" tests=\"%zu\" failures=\"%zu\">\n",
		t->ncases, t->nfailed);
	for (size_t i = 0; i < t->ncases; i++) {
		const struct test_case *c = &t->cases[i];

		buf_puts(out, "  <testcase classname=\"");
		put_xml(out, c->file);
		buf_puts(out, "\" name=\"");
		put_xml(out, c->name);
		buf_puts(out, c->failure ? "\">\n    <failure message=\"" : "\"/>\n");
		if (!c->failure)
			continue;
		put_xml(out, c->failure);
		buf_puts(out, "\"/>\n  </testcase>\n");
	}
	buf_puts(out, "</testsuite>\n");
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

static int write_file(const char *path, const struct buf *b)
{
	FILE *f = fopen(path, "we");
	bool ok = f && fwrite(b->data, 1, b->len, f) == b->len;

	if (f && fclose(f) != 0)
		ok = false;
	return ok ? CLI_OK : cli_fail("cannot write %s: %s", path, strerror(errno));
}

static int print_results(const struct test_run *t, bool tap, const char *junit)
{
	struct buf out;
	int r;

	buf_init(&out, OUT_MAX);
	if (tap)
		put_tap(&out, t);
	else
		put_text(&out, t);
	r = cli_put(&out);
	buf_reset(&out);
	if (r == CLI_OK && junit) {
		put_junit(&out, t);
		r = buf_error(&out) ? cli_fail("the JUnit file would be too large") : write_file(junit, &out);
	}
	buf_done(&out);
	return r;
}

static void say_coverage(const struct test_run *t)
{
	size_t fired = 0;

	for (size_t i = 0; i < t->ncovers; i++)
		fired += t->covers[i]->fired;
	cli_say("%zu tests, %zu failed; %zu of %zu rules fired", t->ncases, t->nfailed, fired, t->ncovers);
	for (size_t i = 0; i < t->ncovers; i++)
		if (!t->covers[i]->fired)
			cli_say("no test fires %s (%s)", t->covers[i]->id, t->covers[i]->file);
}

static int run_paths(char **paths, int n, bool tap, const char *junit)
{
	struct test_run t;
	int err = 0, r;

	test_run_init(&t);
	for (int i = 0; i < n && err == 0; i++)
		err = test_run_path(&t, paths[i]);
	r = err < 0 ? cli_fail("%s", strerror(-err)) : CLI_OK;
	cli_print_diags(&t.diags);
	if (print_results(&t, tap, junit) != CLI_OK)
		r = CLI_FAILED;
	say_coverage(&t);
	if (!t.ncases)
		r = cli_fail("no tests found");
	if (t.nfailed || t.diags.errors)
		r = CLI_FAILED;
	test_run_done(&t);
	return r;
}

int cmd_test(int argc, char **argv)
{
	static const struct option options[] = { { "tap", no_argument, NULL, 't' },
						 { "junit", required_argument, NULL, 'j' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	const char *junit = NULL;
	bool tap = false;
	int o;

	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (o) {
		case 't':
			tap = true;
			break;
		case 'j':
			junit = optarg;
			break;
		case 'h':
			return cli_help("test");
		default:
			return cli_usage("test", "not an option of it, or without its argument");
		}
	}
	if (optind == argc)
		return cli_usage("test", "name a *.test.yaml file or a directory");
	return run_paths(argv + optind, argc - optind, tap, junit);
}
