/* SPDX-License-Identifier: Apache-2.0 */
/* Path globs, patterns and matchers of one string. */
#include <string.h>
#include <strings.h>

#include "lib/glob.h"
#include "lib/regex.h"
#include "tests/conformance/conf.h"

static struct glob *glob_of(const json_t *c, struct outcome *o)
{
	const char *p = case_text(c, "pattern");
	struct glob *g = NULL;
	struct err err = { "" };

	if (glob_new(p, strlen(p), case_flag(c, "case_insensitive"), &g, &err) == 0)
		return g;
	snprintf(o->why, sizeof(o->why), "%s", err.msg);
	return NULL;
}

/*
 * "**" between two components was refused by the language at first, and has a meaning today (docs/decisions/0009). Cases of
 * before do not say so.
 */
static bool is_deep_inside(const char *pattern)
{
	const char *s = strstr(pattern, "/**/");

	return s != NULL && s[4] != '\0';
}

void run_glob_compile(struct bench *b, const json_t *c, struct outcome *o)
{
	_cleanup_(glob_free) struct glob *g = glob_of(c, o);
	const json_t *correct = json_object_get(c, "expected_correct");
	bool want = correct ? json_is_true(correct) : case_flag(c, "ok");

	outcome_bools(o, want, g != NULL);
	if (o->result == CONF_FAILED && !want && is_deep_inside(case_text(c, "pattern"))) {
		o->result = CONF_CHANGED;
		snprintf(o->why, sizeof(o->why),
			 "\"**\" between two components: see docs/decisions/0009-path-globs.md");
	}
}

static void glob_case(const json_t *c, struct outcome *o, bool (*ask)(const struct glob *g, const char *s, size_t len))
{
	_cleanup_(glob_free) struct glob *g = glob_of(c, o);
	const char *s = case_text(c, "input");

	if (g)
		outcome_bools(o, case_expected(c), ask(g, s, strlen(s)));
	else
		outcome_fail(o, case_expected(c) ? "true" : "false", "no glob");
}

void run_glob_match(struct bench *b, const json_t *c, struct outcome *o)
{
	glob_case(c, o, glob_match);
}

void run_glob_contains(struct bench *b, const json_t *c, struct outcome *o)
{
	glob_case(c, o, glob_contains);
}

void run_pattern_match(struct bench *b, const json_t *c, struct outcome *o)
{
	const char *p = case_text(c, "pattern"), *s = case_text(c, "input");

	outcome_bools(o, case_expected(c), pattern_match(p, strlen(p), s, strlen(s), case_flag(c, "case_insensitive")));
}

static void regex_case(const json_t *c, struct outcome *o)
{
	_cleanup_(regex_free) struct regex *re = NULL;
	const char *p = case_text(c, "pattern"), *s = case_text(c, "input");
	struct err err = { "" };

	if (regex_new(p, strlen(p), case_flag(c, "case_insensitive"), &re, &err) < 0)
		outcome_fail(o, case_expected(c) ? "true" : "false", "%s", err.msg);
	else
		outcome_bools(o, case_expected(c), regex_match(re, s, strlen(s)));
}

void run_string_match(struct bench *b, const json_t *c, struct outcome *o)
{
	const char *matcher = case_text(c, "matcher"), *p = case_text(c, "pattern"), *s = case_text(c, "input");
	bool icase = case_flag(c, "case_insensitive");

	if (strcmp(matcher, "glob") == 0)
		run_glob_match(b, c, o);
	else if (strcmp(matcher, "pattern") == 0)
		run_pattern_match(b, c, o);
	else if (strcmp(matcher, "regexp") == 0 || strcmp(matcher, "regex") == 0)
		regex_case(c, o);
	else if (strcmp(matcher, "scalar") == 0)
		outcome_bools(o, case_expected(c), (icase ? strcasecmp(p, s) : strcmp(p, s)) == 0);
	else
		outcome_fail(o, "a known matcher", "\"%s\"", matcher);
}
