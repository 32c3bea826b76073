/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of rules: what a test file may say, and what is said of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy-compiler/test_run.h"

struct fixture {
	char dir[64];
	struct test_run run;
};

static void put_file(struct fixture *f, const char *name, const char *text)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	out = fopen(path, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
	assert_int_equal(fclose(out), 0);
}

static const char policy[] = "rules:\n"
			     "  - {id: shadow, expression: open.file.path == \"/etc/shadow\"}\n"
			     "  - {id: tmp, expression: 'exec.file.path =~ \"/tmp/*\" && exec.args_flags == \"l\"'}\n"
			     "  - {id: off, expression: exec.pid == 1, disabled: true}\n";

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/tamis-test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	put_file(f, "p.yaml", policy);
	test_run_init(&f->run);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	test_run_done(&f->run);
	snprintf(command, sizeof(command), "rm -r %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* Runs p.test.yaml with one test of that body. */
static const char *one(struct fixture *f, const char *test)
{
	char text[2048], path[256];
	size_t n = f->run.ncases;

	snprintf(text, sizeof(text), "tests:\n  - name: t\n%s", test);
	put_file(f, "p.test.yaml", text);
	snprintf(path, sizeof(path), "%s/p.test.yaml", f->dir);
	assert_int_equal(test_run_path(&f->run, path), 0);
	assert_int_equal(f->run.ncases, n + 1);
	assert_string_equal(f->run.cases[n].name, "t");
	return f->run.cases[n].failure ? f->run.cases[n].failure : "";
}

static void test_results(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(
		one(f, "    event: {open: {file: {path: /etc/shadow}}}\n    fire: [shadow]\n    not: [tmp]\n"), "");
	assert_string_equal(one(f, "    event: {open: {file: {path: /etc/shadow}}}\n    not: [shadow]\n"),
			    "shadow fired");
	assert_string_equal(one(f, "    event: {open: {file: {path: /etc/passwd}}}\n    fire: [shadow]\n"),
			    "shadow did not fire");
	assert_string_equal(
		one(f, "    event: {event: {type: open}, open.file.path: /etc/shadow}\n    fire: [shadow]\n"), "");
	assert_string_equal(one(f, "    event: {exec: {file: {path: /tmp/x}, args: -l -p 1}}\n    fire: [tmp]\n"), "");
	assert_string_equal(one(f, "    event: {exec: {file: {path: /tmp/x}, argv: [-a, -kl]}}\n    fire: [tmp]\n"),
			    "");
	assert_int_equal(f->run.nfailed, 2);
	assert_int_equal(f->run.ncovers, 2);
	assert_true(f->run.covers[0]->fired && f->run.covers[1]->fired);
}

static void test_mistakes(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(one(f, "    fire: [shadow]\n"), "the test has no event");
	assert_string_equal(one(f, "    event: {open: {file: {path: /x}}}\n"),
			    "the test names no rule: add \"fire:\" or \"not:\"");
	assert_string_equal(one(f, "    event: {open: {file: {path: /x}}}\n    not: [shadows]\n"),
			    "there is no rule shadows; did you mean shadow?");
	assert_string_equal(one(f, "    event: {open: {file: {path: /x}}}\n    not: [off]\n"),
			    "the rule off is not in the program: it is switched off or has an error");
	assert_string_equal(one(f, "    event: {process: {pid: 1}}\n    not: [tmp]\n"),
			    "the event has no type: add \"event: {type: open}\" or a field of an event type");
	assert_non_null(strstr(one(f, "    event: {open: {file: {pth: /x}}}\n    not: [tmp]\n"), "open.file.pth"));
	assert_non_null(strstr(one(f, "    event: {open: {file: {path: 1}}}\n    not: [tmp]\n"), "open.file.path"));
	assert_string_equal(one(f, "    event: {open: {file: {path: /x}}}\n    fires: [tmp]\n"), "the test has errors");
	assert_int_equal(f->run.diags.errors, 1);
}

static void run(struct fixture *f, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s%s%s", f->dir, *name ? "/" : "", name);
	assert_int_equal(test_run_path(&f->run, path), 0);
}

static void test_files(void **state)
{
	struct fixture *f = *state;

	run(f, "missing.test.yaml");
	assert_int_equal(f->run.diags.errors, 1);
	put_file(f, "a.test.yaml", "tests: 1\n");
	run(f, "a.test.yaml");
	put_file(f, "b.test.yaml", "- 1\n");
	run(f, "b.test.yaml");
	put_file(f, "c.test.yaml", "policies: [p.yaml]\n");
	run(f, "c.test.yaml");
	put_file(f, "d.test.yaml", "policies: [none.yaml]\ntests: []\n");
	run(f, "d.test.yaml");
	run(f, "p.yaml"); /* a policy without tests */
	assert_int_equal(f->run.diags.errors, 6);
	assert_int_equal(f->run.ncases, 0);
}

/* A directory: its test files, the tests within policies, and rules that nothing tests. */
static void test_directory(void **state)
{
	struct fixture *f = *state;

	put_file(f, "p.test.yaml",
		 "tests:\n  - {name: a, event: {open: {file: {path: /etc/shadow}}}, fire: [shadow]}\n");
	put_file(f, "q.policy",
		 "rules:\n  - {id: q, expression: exec.uid == 1}\n"
		 "tests:\n  - {name: b, event: {exec: {uid: 1}}, fire: [q]}\n");
	put_file(f, "r.policy", "rules:\n  - {id: r, expression: exec.uid == 1}\n");
	run(f, "");
	assert_int_equal(f->run.diags.errors, 0);
	assert_int_equal(f->run.ncases, 2);
	assert_int_equal(f->run.nfailed, 0);
	assert_int_equal(f->run.ncovers, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_results, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mistakes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_directory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
