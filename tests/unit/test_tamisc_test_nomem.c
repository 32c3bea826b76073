/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of rules run again and again with the n-th allocation failing: a test that has to fail is never passed, and what is
 * printed or written is whole or an error.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "policy-compiler/test_print.h"
#include "policy-compiler/test_snapshot.h"
#include "tests/unit/nomem.h"

static const char text[] =
	"rules:\n"
	"  - id: a\n"
	"    expression: 'open.flags & 1 > 0 && (process.uid == 3 || process.ancestors.file.name == \"sshd\")'\n"
	"    actions: [{set: {name: n, field: open.file.path, append: true, scope: process, inherited: true}}]\n"
	"    every: 5s\n"
	"  - {id: b, expression: 'exec.file.path in ${process.n}'}\n"
	"tests:\n"
	"  - name: good\n"
	"    processes: {s: {file: {path: /usr/sbin/sshd}}, c: {parent: s, uid: 3}}\n"
	"    steps:\n"
	"      - {event: {process: c, open: {file: {path: /x}, flags: O_WRONLY}}, fire: [a], variables: {process.n: [/x]}}\n"
	"      - {after: 1s, event: {process: c, open: {file: {path: /x}, flags: O_WRONLY}}, suppressed: [a]}\n"
	"      - {event: {process: c, fork: d}, fire_only: []}\n"
	"      - {event: {process: d, exec: {file: {path: /x}}}, fire_only: [b]}\n"
	"  - {name: bad, event: {exec: {file: {path: /x}}}, fire: [b]}\n"
	"  - name: taken\n"
	"    event: {open: {flags: 1}, process: {uid: 3}}\n"
	"    snapshot: [b]\n";

/* 0 or -ENOMEM, and what was found. */
static int run(struct test_run *t, bool update)
{
	test_run_init(t);
	t->options.update = update;
	return test_run_text(t, "p.yaml", text, sizeof(text) - 1);
}

static void look(const struct test_run *t)
{
	assert_int_equal(t->ncases, 3);
	assert_false(t->cases[0].failed);
	assert_true(t->cases[1].failed);
}

static void test_every_allocation(void **state)
{
	size_t refused = 0;

	(void)state;
	for (long n = 1;; n++) {
		struct test_run t;
		bool failed;
		int r;

		nomem_begin(n);
		r = run(&t, false);
		failed = nomem_end();
		assert_true(r == 0 || r == -ENOMEM);
		refused += r < 0;
		/* where memory failed, either the run says so, or an error does, or a test did not pass */
		if (r == 0 && !failed)
			look(&t);
		if (r == 0 && failed)
			assert_true(t.diags.errors || t.diags.arena.failed || (t.ncases == 3 && t.cases[1].failed));
		test_run_done(&t);
		if (!failed)
			break;
	}
	print_message("%zu runs ended with -ENOMEM\n", refused);
#ifdef NOMEM_FAILS
	assert_true(refused > 10);
#endif
}

static void test_every_allocation_of_output(void **state)
{
	static void (*const forms[])(const struct test_run *, struct buf *) = { test_print_text, test_print_tap,
										test_print_junit, test_print_json };
	struct test_run t;

	(void)state;
	assert_int_equal(run(&t, false), 0);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		for (long n = 1;; n++) {
			struct buf out;
			bool failed;

			buf_init(&out, 1 << 20);
			nomem_begin(n);
			forms[i](&t, &out);
			failed = nomem_end();
			assert_true(failed || buf_error(&out) == 0);
			buf_done(&out);
			if (!failed)
				break;
		}
	test_run_done(&t);
}

static void test_every_allocation_of_update(void **state)
{
	(void)state;
	for (long n = 1;; n++) {
		struct test_run t;
		struct buf out;
		bool failed;
		int r;

		assert_int_equal(run(&t, true), 0);
		assert_int_equal(t.nedits, 1);
		buf_init(&out, 1 << 20);
		nomem_begin(n);
		r = test_snapshot_bytes(&t, t.edits[0].key->at.src, &out);
		failed = nomem_end();
		if (r == 0)
			assert_non_null(strstr(buf_cstr(&out), "    snapshot: [a]\n"));
		else
			assert_int_equal(r, -ENOMEM);
		buf_done(&out);
		test_run_done(&t);
		if (!failed)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation),
		cmocka_unit_test(test_every_allocation_of_output),
		cmocka_unit_test(test_every_allocation_of_update),
	};

#ifdef NOMEM_FAILS
	/* jansson (2.14) writes beyond a string of its lexer where the buffer before it could not grow */
	json_set_alloc_funcs(__libc_malloc, free);
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
