/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_TEST_RUN_H
#define TAMIS_COMPILER_TEST_RUN_H

/*
 * Tests of rules: each compiles policies, puts events to the engine and compares the rules that fire with those that
 * the test names. The format is in docs/policies.md. Results are collected here and printed by test_print.c; a test is
 * run by test_case.c, on events that test_tree.c makes.
 */

#include "lib/cleanup.h"
#include "policy-compiler/compile.h"

#define TEST_CASES_MAX	65536
#define TEST_STEPS_MAX	1024 /* of one test */
#define TEST_EVENTS_MAX 4096 /* of one test */

struct test_failure {
	uint32_t line, col;
	const char *text;   /* one line */
	const char *detail; /* more lines, or NULL */
};

struct test_case {
	const char *file, *name;
	uint32_t line;
	const char *failure; /* the text of the first one; NULL: passed */
	struct test_failure *failures;
	size_t nfailures;
	bool failed;
};

/* A clause of a rule: see dnf.h. */
struct test_clause {
	const char *text;
	bool whole; /* a branch that has too many clauses */
	bool held;  /* on an event of a test that says that the rule fires */
};

/* A rule that the tests could fire. */
struct test_cover {
	const char *file, *id;
	uint32_t line, col;
	bool fired;		      /* in a test that says so */
	struct test_clause **clauses; /* none where no test compiles the rule */
	size_t nclauses;
	struct strmap by_key;
};

/* One file with tests: its cases follow each other in test_run.cases. */
struct test_file {
	const char *path;
	size_t first, n, nfailed;
	int64_t ns; /* that it took */
};

/* What --update writes: the rules that fired, in place of the value of a "snapshot:". */
struct test_edit {
	const struct ynode *key, *value;
	const char **ids;
	size_t n;
};

struct test_options {
	const char *filter;  /* only tests whose name holds this; NULL: all */
	bool list;	     /* do not run them */
	bool update;	     /* take what happens for the snapshot */
	const char *version; /* what agent_version is compared with; NULL: the default */
};

struct test_run {
	struct test_options options;
	struct arena arena;
	struct diags diags; /* of test files and policies */
	struct test_case *cases;
	size_t ncases, nfailed;
	struct test_file *files;
	size_t nfiles;
	struct test_cover **covers;
	size_t ncovers;
	struct strmap cover_by_name; /* "file:id" */
	struct test_edit *edits;
	size_t nedits;
	/*
	 * Sources that diagnostics and edits point into belong to compilations, which therefore stay until the end.
	 */
	struct compile **compiles;
	size_t ncompiles;
};

void test_run_init(struct test_run *t);
void test_run_done(struct test_run *t);

/*
 * A test file, a policy with "tests:", or a directory: every test file and policy below it. What is wrong is a
 * diagnostic or a failed test. -ENOMEM and the like end the run. @path is to live as long as @t does.
 */
int test_run_path(struct test_run *t, const char *path);
/* A policy with "tests:" in memory, borrowed until test_run_done(). */
int test_run_text(struct test_run *t, const char *path, const char *bytes, size_t size);

/* What tests cover. */
struct test_coverage {
	size_t rules, fired;
	size_t clauses, held; /* of the rules that tests compile */
};
struct test_coverage test_coverage(const struct test_run *t);

#endif
