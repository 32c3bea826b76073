/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_TEST_PRINT_H
#define TAMIS_COMPILER_TEST_PRINT_H

/* The results of tests in their forms. Names and values come from files that anybody wrote: no form lets them break out. */

#include "lib/buf.h"
#include "policy-compiler/test_run.h"

/* For people: a line a test, below it what is wrong, and which value made it so. */
void test_print_text(const struct test_run *t, struct buf *out);
/* FILE:LINE: NAME of each test. */
void test_print_list(const struct test_run *t, struct buf *out);
/* Test Anything Protocol, version 13. Coverage is in comments. */
void test_print_tap(const struct test_run *t, struct buf *out);
/* JUnit XML: a suite a file, with the time that it took. Coverage is in properties. */
void test_print_junit(const struct test_run *t, struct buf *out);
/* {"coverage":{...},"files":[...],"tests":[...]} */
void test_print_json(const struct test_run *t, struct buf *out);

/* What no test covers, a line each: file:line:col and the rule, or the clause. */
void test_print_uncovered(const struct test_run *t, struct buf *out);
bool test_print_is_covered(const struct test_run *t);

#endif
