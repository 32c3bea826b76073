/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published policies compile without an error and give a sieve, each by itself and all together. They are kept beside the repository, not in it; without them this test is skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy-compiler/compile.h"
#include "policy-compiler/sieve_build.h"

#define POLICIES "../shared/secl/policies"

/* What the sensor makes of one file. */
struct tally {
	unsigned int rules, fires, unseen, never;
};

static void tally_add(struct tally *t, const struct compile_rule *rule)
{
	t->rules += rule->ok;
	t->fires += rule->ok && rule->sight == SIGHT_FIRES;
	t->unseen += rule->ok && rule->sight == SIGHT_UNSEEN;
	t->never += rule->ok && rule->sight == SIGHT_NEVER;
}

/* Compiles the files together; no error, and a sieve. */
static struct tally build(const char *const *paths, size_t n)
{
	struct diags d = diags_new();
	_cleanup_(compile_free) struct compile *c = NULL;
	_cleanup_free_ struct sieve *sieve = malloc(sizeof(*sieve));
	struct tally t = { 0 };
	struct err err;

	assert_non_null(sieve);
	assert_int_equal(compile_new(catalog_tamis(), &d, &c), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(compile_add(c, paths[i]), 0);
	assert_int_equal(compile_finish(c), 0);
	assert_int_equal(c->npolicies, n);
	for (size_t i = 0; i < d.n; i++)
		if (d.v[i].level == DIAG_ERROR)
			fail_msg("%s: %s", paths[0], d.v[i].msg);
	if (sieve_build(c->builder, NULL, NULL, sieve, &err) < 0)
		fail_msg("%s: %s", paths[0], err.msg);
	for (size_t i = 0; i < c->nrules; i++)
		tally_add(&t, c->rules[i]);
	diags_done(&d);
	return t;
}

#define FILES_MAX 64

static void test_policies(void **state)
{
	_cleanup_closedir_ DIR *dir = opendir(POLICIES);
	char paths[FILES_MAX][300];
	const char *all[FILES_MAX];
	unsigned int rules = 0;
	size_t n = 0, nall = 0;
	struct dirent *e;

	if (!dir) {
		print_message("skipped: %s is not here\n", POLICIES);
		skip();
	}
	while ((e = readdir(dir))) {
		const char *path = paths[n];
		struct tally t;

		if (e->d_name[0] == '.')
			continue;
		assert_true(n < FILES_MAX);
		snprintf(paths[n], sizeof(paths[n]), "%s/%s", POLICIES, e->d_name);
		t = build(&path, 1);
		print_message("%-40s %3u rules: %u can fire, %u not with this sensor, %u never\n", e->d_name, t.rules,
			      t.fires, t.unseen, t.never);
		rules += t.rules;
		/* what is tried out uses names of variables for other things than the rest does */
		if (strncmp(e->d_name, "experimental-", strlen("experimental-")) != 0)
			all[nall++] = paths[n];
		n++;
	}
	assert_true(nall > 0 && rules > 200);
	/* and all in one build */
	print_message("together: %u rules\n", build(all, nall).rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
