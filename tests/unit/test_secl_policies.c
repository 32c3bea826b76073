/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published policies compile. They are kept beside the repository, not in it; without them this test is skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "policy-compiler/compile.h"

#define POLICIES "../shared/secl/policies"

/* What is wrong in them is a field, constant or variable that is not there yet: never their grammar or their YAML. */
static bool is_about_a_name(const char *msg)
{
	return strstr(msg, "unknown name") || strstr(msg, "unknown field") || strstr(msg, "no variable") ||
	       strstr(msg, "is no file of");
}

static void check_policy(const char *name, unsigned int *rules)
{
	struct diags d = diags_new();
	_cleanup_(compile_free) struct compile *c = NULL;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", POLICIES, name);
	assert_int_equal(compile_new(catalog_tamis(), &d, &c), 0);
	assert_int_equal(compile_add(c, path), 0);
	assert_int_equal(c->npolicies, 1);
	assert_int_equal(compile_finish(c), 0);
	for (size_t i = 0; i < d.n; i++)
		if (d.v[i].level == DIAG_ERROR && !is_about_a_name(d.v[i].msg))
			fail_msg("%s: %s", path, d.v[i].msg);
	for (size_t i = 0; i < c->nrules; i++)
		*rules += c->rules[i]->ok;
	diags_done(&d);
}

static void test_policies(void **state)
{
	_cleanup_closedir_ DIR *dir = opendir(POLICIES);
	unsigned int files = 0, rules = 0;
	struct dirent *e;

	if (!dir) {
		print_message("skipped: %s is not here\n", POLICIES);
		skip();
	}
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		check_policy(e->d_name, &rules);
		files++;
	}
	print_message("%u policies, %u rules compile\n", files, rules);
	assert_true(files > 0 && rules > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
