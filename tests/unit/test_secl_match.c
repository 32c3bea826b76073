/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The published cases of the policy language for globs, patterns and matchers of single strings. The cases are kept beside
 * the repository, not in it; without them this test is skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/glob.h"
#include "lib/regex.h"

#define CASES "../shared/secl/cases.jsonl"

static const char *text(const json_t *c, const char *key)
{
	const char *s = json_string_value(json_object_get(c, key));

	return s ? s : "";
}

static bool expected(const json_t *c)
{
	const json_t *e = json_object_get(c, "expected_correct");

	return json_is_true(e ? e : json_object_get(c, "expected"));
}

static struct glob *glob_of(const json_t *c)
{
	const char *p = text(c, "pattern");
	struct glob *g = NULL;

	return glob_new(p, strlen(p), json_is_true(json_object_get(c, "case_insensitive")), &g, NULL) < 0 ? NULL : g;
}

static bool ok_glob_match(const json_t *c)
{
	_cleanup_(glob_free) struct glob *g = glob_of(c);
	const char *s = text(c, "input");

	return g && glob_match(g, s, strlen(s)) == expected(c);
}

static bool ok_glob_contains(const json_t *c)
{
	_cleanup_(glob_free) struct glob *g = glob_of(c);
	const char *s = text(c, "input");

	return g && glob_contains(g, s, strlen(s)) == expected(c);
}

/* "**" between two components is accepted here: it had no meaning before. */
static bool ok_glob_compile(const json_t *c)
{
	_cleanup_(glob_free) struct glob *g = glob_of(c);
	bool deep_inside = strstr(text(c, "pattern"), "/**/") != NULL;

	return (g != NULL) == (json_is_true(json_object_get(c, "ok")) || deep_inside);
}

static bool ok_pattern_match(const json_t *c)
{
	const char *p = text(c, "pattern"), *s = text(c, "input");

	return pattern_match(p, strlen(p), s, strlen(s), json_is_true(json_object_get(c, "case_insensitive"))) ==
	       expected(c);
}

static bool ok_regex(const json_t *c)
{
	_cleanup_(regex_free) struct regex *re = NULL;
	const char *p = text(c, "pattern"), *s = text(c, "input");

	if (regex_new(p, strlen(p), json_is_true(json_object_get(c, "case_insensitive")), &re, NULL) < 0)
		return false;
	return regex_match(re, s, strlen(s)) == expected(c);
}

static bool ok_scalar(const json_t *c)
{
	const char *p = text(c, "pattern"), *s = text(c, "input");
	bool icase = json_is_true(json_object_get(c, "case_insensitive"));

	return ((icase ? strcasecmp(p, s) : strcmp(p, s)) == 0) == expected(c);
}

static bool ok_string_match(const json_t *c)
{
	const char *matcher = text(c, "matcher");

	return strcmp(matcher, "glob") == 0	 ? ok_glob_match(c)
	       : strcmp(matcher, "pattern") == 0 ? ok_pattern_match(c)
	       : strcmp(matcher, "regexp") == 0	 ? ok_regex(c)
						 : ok_scalar(c);
}

static const struct {
	const char *kind;
	bool (*ok)(const json_t *c);
} kinds[] = {
	{ "glob_match", ok_glob_match },     { "glob_contains", ok_glob_contains },
	{ "glob_compile", ok_glob_compile }, { "pattern_match", ok_pattern_match },
	{ "string_match", ok_string_match },
};

/* 1 where it was a case for this test. */
static int run_case(const char *line)
{
	json_t *c = json_loads(line, JSON_ALLOW_NUL, NULL);
	int run = 0;

	assert_non_null(c);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(text(c, "kind"), kinds[i].kind) != 0)
			continue;
		if (!kinds[i].ok(c))
			fail_msg("%s", line);
		run = 1;
	}
	json_decref(c);
	return run;
}

static void test_cases(void **state)
{
	_cleanup_fclose_ FILE *f = fopen(CASES, "re");
	_cleanup_free_ char *line = NULL;
	size_t cap = 0;
	int n = 0;

	(void)state;
	if (!f) {
		print_message("skipped: no " CASES " beside the repository\n");
		skip();
	}
	while (getline(&line, &cap, f) > 0)
		n += run_case(line);
	print_message("%d cases\n", n);
	assert_true(n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
