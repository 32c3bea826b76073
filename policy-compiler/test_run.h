/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_TEST_RUN_H
#define TAMIS_COMPILER_TEST_RUN_H

/*
 * Tests of rules: each compiles policies, puts events to the engine and compares the rules that fire with those that
 * the test names. The format is in docs/policies.md. Results are collected here and printed by cmd_test.c.
 */

#include "lib/cleanup.h"
#include "policy-compiler/compile.h"

#define TEST_CASES_MAX 65536

struct test_case {
	const char *file, *name;
	uint32_t line;
	const char *failure; /* NULL: passed */
};

/* A rule that the tests could fire. */
struct test_cover {
	const char *file, *id;
	bool fired; /* in a test that says so */
};

struct test_run {
	struct arena arena;
	struct diags diags; /* of test files and policies */
	struct test_case *cases;
	size_t ncases, nfailed;
	struct test_cover **covers;
	size_t ncovers;
	struct strmap cover_by_name; /* "file:id" */
	/*
	 * Sources that diagnostics point into belong to compilations, which therefore stay until the end.
	 */
	struct compile **compiles;
	size_t ncompiles;
};

void test_run_init(struct test_run *t);
void test_run_done(struct test_run *t);

/*
 * A test file, a policy with "tests:", or a directory: every test file and policy below it. What is wrong is a
 * diagnostic or a failed test. -ENOMEM and the like end the run.
 */
int test_run_path(struct test_run *t, const char *path);

#endif
