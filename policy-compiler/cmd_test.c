/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>

#include "policy-compiler/cli.h"
#include "policy-compiler/test_print.h"
#include "policy-compiler/test_snapshot.h"

#define OUT_MAX (64u << 20)

struct options {
	struct test_options test;
	bool tap, json, strict;
	const char *junit;
};

static int write_file(const char *path, const struct buf *b)
{
	FILE *f = fopen(path, "we");
	bool ok = f && fwrite(b->data, 1, b->len, f) == b->len;

	if (f && fclose(f) != 0)
		ok = false;
	return ok ? CLI_OK : cli_fail("cannot write %s: %s", path, strerror(errno));
}

static int print_results(const struct test_run *t, const struct options *o)
{
	struct buf out;
	int r;

	buf_init(&out, OUT_MAX);
	if (o->test.list)
		test_print_list(t, &out);
	else if (o->tap)
		test_print_tap(t, &out);
	else if (o->json)
		test_print_json(t, &out);
	else
		test_print_text(t, &out);
	r = buf_error(&out) ? cli_fail("the results are too large") : cli_put(&out);
	buf_reset(&out);
	if (r == CLI_OK && o->junit) {
		test_print_junit(t, &out);
		r = buf_error(&out) ? cli_fail("the JUnit file would be too large") : write_file(o->junit, &out);
	}
	buf_done(&out);
	return r;
}

/* With --filter most tests did not run: what they cover says nothing then. */
static void say_coverage(const struct test_run *t)
{
	struct test_coverage c = test_coverage(t);
	struct buf gaps;

	if (t->options.filter) {
		cli_say("%zu tests, %zu failed", t->ncases, t->nfailed);
		return;
	}
	buf_init(&gaps, OUT_MAX);
	test_print_uncovered(t, &gaps);
	if (gaps.len)
		fwrite(gaps.data, 1, gaps.len, stderr);
	buf_done(&gaps);
	cli_say("%zu tests, %zu failed; %zu of %zu rules fired, %zu of %zu clauses were true", t->ncases, t->nfailed,
		c.fired, c.rules, c.held, c.clauses);
}

static int update(struct test_run *t)
{
	size_t n = 0;
	int r = test_snapshot_write(t, &n);

	if (r == 0)
		cli_say("%zu snapshot%s written", n, n == 1 ? "" : "s");
	return r;
}

static int run_paths(char **paths, int n, const struct options *o)
{
	struct test_run t;
	int err = 0, r;

	test_run_init(&t);
	t.options = o->test;
	for (int i = 0; i < n && err == 0; i++)
		err = test_run_path(&t, paths[i]);
	if (err == 0 && o->test.update)
		err = update(&t);
	r = err < 0 ? cli_fail("%s", strerror(-err)) : CLI_OK;
	cli_print_diags(&t.diags);
	if (print_results(&t, o) != CLI_OK)
		r = CLI_FAILED;
	if (!o->test.list)
		say_coverage(&t);
	if (!t.ncases)
		r = o->test.filter ? cli_fail("no test has \"%s\" in its name", o->test.filter)
				   : cli_fail("no tests found");
	if (t.nfailed || t.diags.errors)
		r = CLI_FAILED;
	if (o->strict && !test_print_is_covered(&t))
		r = cli_fail("not all rules and clauses are covered");
	test_run_done(&t);
	return r;
}

static int check_options(const struct options *o, int npaths)
{
	if (!npaths)
		return cli_usage("test", "name a *.test.yaml file or a directory");
	if (o->tap + o->json + o->test.list > 1)
		return cli_usage("test", "--tap, --json and --list each say what is printed: give one");
	if (o->strict && (o->test.filter || o->test.list))
		return cli_usage("test", "--strict-coverage needs all tests to run");
	if (o->test.update && o->test.list)
		return cli_usage("test", "--list runs no test whose snapshot could be taken");
	return CLI_OK;
}

int cmd_test(int argc, char **argv)
{
	static const struct option options[] = { { "tap", no_argument, NULL, 't' },
						 { "junit", required_argument, NULL, 'j' },
						 { "json", no_argument, NULL, 'J' },
						 { "filter", required_argument, NULL, 'f' },
						 { "list", no_argument, NULL, 'l' },
						 { "update", no_argument, NULL, 'u' },
						 { "strict-coverage", no_argument, NULL, 's' },
						 { "compat-version", required_argument, NULL, 'c' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	struct options o = { .tap = false };
	int c, r;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 't':
			o.tap = true;
			break;
		case 'j':
			o.junit = optarg;
			break;
		case 'J':
			o.json = true;
			break;
		case 'f':
			o.test.filter = optarg;
			break;
		case 'l':
			o.test.list = true;
			break;
		case 'u':
			o.test.update = true;
			break;
		case 's':
			o.strict = true;
			break;
		case 'c':
			if (cli_set_compat("test", optarg) != CLI_OK)
				return CLI_USAGE;
			o.test.version = cli_compat();
			break;
		case 'h':
			return cli_help("test");
		default:
			return cli_usage("test", "not an option of it, or without its argument");
		}
	}
	r = check_options(&o, argc - optind);
	return r == CLI_OK ? run_paths(argv + optind, argc - optind, &o) : r;
}
