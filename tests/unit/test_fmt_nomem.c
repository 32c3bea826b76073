/* SPDX-License-Identifier: Apache-2.0 */
/* Formatting and the lints with every allocation failing once: an error each time, or the same result as ever. */
#include <errno.h>

#include "tests/unit/policy_bench.h"

#include "policy-compiler/fmt.h"
#include "policy-compiler/lint.h"
#include "policy-compiler/policy_keys.h"
#include "tests/unit/nomem.h"

static const char yaml[] = "# top\n"
			   "macros:\n"
			   "  - {values: [x, 'y z'], id: L} # l\n"
			   "rules:\n"
			   "  # one\n"
			   "  - id: one\n"
			   "    expression: |\n"
			   "      open.flags == 1 # why\n"
			   "      and (open.flags == 2 or process.comm in [\"a*\", ~\"b*\", r\"^c$\"])\n"
			   "    tags: {a: b, # c\n"
			   "      d: e}\n"
			   "  # no-lint: literal-star\n"
			   "  - {id: two, expression: 'open.flags == 1 && open.mode == 07 && process.comm == \"x*\"'}\n"
			   "  - {id: three, expression: 'open.flags == 1'}\n"
			   "# end\n";

static void test_fmt(void **state)
{
	const struct source src = { .path = "p.yaml", .bytes = yaml, .size = sizeof(yaml) - 1 };
	char *whole = NULL;
	long n;

	for (n = 0;; n++) {
		struct diags d = diags_new();
		struct buf out;
		int r;

		buf_init(&out, YAML_FILE_MAX);
		nomem_begin(n); /* the first time none fails */
		r = fmt_source(&src, policy_keys, &d, &out);
		if (n && !nomem_end())
			n = -1;
		nomem_left = -1;
		assert_true(r == 0 || r == -ENOMEM || r == -EINVAL);
		assert_true(r == 0 || n > 0);
		if (r == 0 && !whole)
			whole = strdup(buf_cstr(&out));
		else if (r == 0)
			assert_string_equal(buf_cstr(&out), whole);
		buf_done(&out);
		diags_done(&d);
		if (n < 0)
			break;
		assert_true(n < 100000);
	}
	free(whole);
}

static void test_lint(void **state)
{
	size_t warnings = 0;

	for (long n = 0; n >= 0; n++) {
		struct policy_bench b;
		int r;

		bench_policy(&b, yaml);
		nomem_begin(n);
		r = lint_run(b.compile);
		if (r == 0)
			r = lint_filter(b.compile, NULL);
		if (n && !nomem_end())
			n = -2;
		nomem_left = -1;
		assert_true(r == 0 || (r == -ENOMEM && n > 0));
		if (!n)
			warnings = b.diags.n;
		if (n == -2)
			assert_int_equal(b.diags.n, warnings);
		bench_end(&b);
		assert_true(n < 100000);
	}
	assert_true(warnings >= 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_fmt), cmocka_unit_test(test_lint) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
