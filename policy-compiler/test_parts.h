/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_TEST_PARTS_H
#define TAMIS_COMPILER_TEST_PARTS_H

/* What test_run.c, test_case.c and test_cover.c share; nobody else includes this. */

#include "engine/engine.h"
#include "policy-compiler/dnf.h"
#include "policy-compiler/test_run.h"

/* A rule of the program while a test runs. */
struct test_rule {
	const struct compile_rule *def;
	struct test_cover *cover;
	struct dnf dnf;
	struct test_clause **clauses; /* of each of dnf's */
	/* in the present step: */
	bool wanted;	 /* the test says that it fires */
	bool fired;	 /* silent or not */
	bool suppressed; /* it held, and its limit kept it from firing */
	bool seen;	 /* there was an event of its type */
	bool *held;	 /* each clause */
	size_t missing;	 /* false predicates of the nearest clause so far, which is told of in @nearest */
	const char *nearest;
};

/* One file's tests while they run. */
struct test_suite {
	struct test_run *run;
	const char *file;
	struct compile *compile;
	struct arena arena; /* of the suite */
	struct program program;
	struct engine *engine;	 /* owned */
	bool remembers;		 /* rules have variables or limits: each test has an engine of its own */
	struct test_rule *rules; /* of each rule of the program */
	uint8_t (*digests)[16];	 /* of each node, and whether it is there: test_cover.c */
	bool *digested;
};

/* test_cover.c: the entry of a rule, made with the first use; its clauses. */
struct test_cover *test_cover(struct test_run *t, const char *file, const struct policy_rule *def);
int test_cover_clauses(struct test_suite *s, struct test_rule *rule);

/* test_case.c */
int test_case_run(struct test_suite *s, const struct ynode *test);

#endif
