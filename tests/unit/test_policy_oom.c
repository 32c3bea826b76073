/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy is compiled again and again with the n-th allocation failing, until a run needs no more than n: each ends with
 * -ENOMEM or a diagnostic, and never with a program that lacks a rule without a word.
 */
#include "tests/unit/policy_bench.h"

#include <errno.h>

#include "tests/unit/nomem.h"

static const char yaml[] =
	"version: 1\n"
	"macros:\n"
	"  - {id: L, values: [x, y]}\n"
	"  - {id: B, expression: 'exec.pid > 1 && exec.comm not in L'}\n"
	"rules:\n"
	"  - {id: one, expression: B || exec.file.path =~ \"/tmp/**\", tags: {severity: low}, product_tags: [a, b]}\n"
	"  - {id: two, expression: 'process.ancestors[A].file.name == r\"a+\" && open.flags & O_CREAT > 0'}\n"
	"  - {id: three, expression: 'connect.addr.ip in [10.0.0.0/8, ::1] && connect.addr.port in [1, 2]'}\n"
	"  - {id: four, expression: 'open.file.pathh == 1', filters: [os == \"linux\"]}\n"
	"  - {id: five, expression: 'open.flags == 1 || open.file.hashes == r\"a+\" || process.interpreter.file.path =~ \"/x/*\"'}\n"
	"watches:\n"
	"  - {id: six, paths: [/etc], exclude: ['/etc/**/*.swp'], attributes: [all, -ctime], tags: {a: b}, diff: true}\n";

/* The rules that came through, and the worst errno. */
static int run(struct diags *d, uint32_t *ret_rules)
{
	_cleanup_(compile_free) struct compile *c = NULL;
	int r = compile_new(catalog_tamis(), d, &c);

	*ret_rules = 0;
	if (r == 0)
		r = compile_add_text(c, "policy.yaml", yaml, sizeof(yaml) - 1);
	if (r == 0)
		r = compile_finish(c);
	if (r == 0)
		*ret_rules = program_view(c->builder).nrules;
	return r;
}

static void test_every_allocation(void **state)
{
	unsigned int refused = 0;

	for (long n = 1;; n++) {
		struct diags d = diags_new();
		uint32_t rules;
		bool failed;
		int r;

		nomem_begin(n);
		r = run(&d, &rules);
		failed = nomem_end();
		if (r == 0 && (rules != 4 || (d.errors != 1 && !failed)))
			fail_msg("allocation %ld: %u rules, %zu errors", n, rules, d.errors);
		assert_true(r == 0 || r == -ENOMEM);
		refused += r < 0;
		diags_done(&d);
		if (!failed)
			break;
		assert_true(n < 100000);
	}
	print_message("%u runs ended with -ENOMEM\n", refused);
#ifdef NOMEM_FAILS
	assert_true(refused > 10);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_allocation) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
