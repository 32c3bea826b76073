/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lib/glob.h"
#include "tests/unit/glob_ref.h"

static bool matches(const char *pattern, const char *path, bool icase)
{
	_cleanup_(glob_free) struct glob *g = NULL;
	struct err err;

	assert_int_equal(glob_new(pattern, strlen(pattern), icase, &g, &err), 0);
	return glob_match(g, path, strlen(path));
}

static const struct {
	const char *glob, *path;
	bool matches;
} globs[] = {
	{ "/etc/shadow", "/etc/shadow", true },
	{ "/etc/shadow", "/etc/shadow-", false },
	{ "/etc/shadow", "/etc/shado", false },
	{ "/etc/*", "/etc/passwd", true },
	{ "/etc/*", "/etc/ssh/sshd_config", false },
	{ "/etc/*", "/etc/", true },
	{ "/etc/*", "/etc", false },
	/* "**" at the end: below, not the directory itself */
	{ "/tmp/**", "/tmp/a", true },
	{ "/tmp/**", "/tmp/a/b/c", true },
	{ "/tmp/**", "/tmp", false },
	{ "/tmp/**", "/tmpx/a", false },
	/* "**" in the middle: any number of directories */
	{ "/run/secrets/**/token", "/run/secrets/token", true },
	{ "/run/secrets/**/token", "/run/secrets/a/token", true },
	{ "/run/secrets/**/token", "/run/secrets/a/b/c/token", true },
	{ "/run/secrets/**/token", "/run/secrets/a/tokens", false },
	{ "/run/secrets/**/token", "/run/token", false },
	{ "/a/**/b/**/c", "/a/b/c", true },
	{ "/a/**/b/**/c", "/a/x/b/b/y/c", true },
	{ "/a/**/b/c", "/a/b/x/b/c", true },
	{ "/a/**/b/**", "/a/b", false },
	{ "/a/**/b/**", "/a/b/b", true },
	{ "/home/**/.ssh/*", "/home/u/.ssh/id_rsa", true },
	/* a first component "*" */
	{ "*", "abc", true },
	{ "*", "/abc", true },
	{ "*", "/abc/d", false },
	{ "*/abc", "/1/abc", true },
	{ "*/abc", "1/abc", true },
	{ "*/abc", "/1/2/abc", false },
	{ "*/abc/*", "/1/abc/2", true },
	{ "**", "/a/b", true },
	/* every placement of the stars */
	{ "/d/*.sh", "/d/a.sh.sh", true },
	{ "/d/*a*b", "/d/aXbYb", true },
	{ "/d/*a*b*", "/d/ba", false },
	{ "/d/a*b*c/*", "/d/abbcbc/x", true },
	{ "", "", true },
	{ "", "/", false },
	{ "/", "/", true },
};

static void test_globs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(globs) / sizeof(globs[0]); i++)
		if (matches(globs[i].glob, globs[i].path, false) != globs[i].matches)
			fail_msg("glob %s, path %s: should %smatch", globs[i].glob, globs[i].path,
				 globs[i].matches ? "" : "not ");
	assert_true(matches("/ETC/*.Conf", "/etc/A.CONF", true));
	assert_false(matches("/ETC/*.Conf", "/etc/A.CONF", false));
}

static void test_refused(void **state)
{
	static const char *const bad[] = { "/a**", "/**b", "/a/b**/c", "**/a", "/a/***", "/a/*b**c" };
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct glob *g = NULL;

		assert_int_equal(glob_new(bad[i], strlen(bad[i]), false, &g, &err), -EINVAL);
		assert_null(g);
		assert_non_null(strstr(err.msg, "**"));
	}
	assert_int_equal(pattern_check("a*b", 3, &err), 0);
	assert_int_equal(pattern_check("a**b", 4, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "character 2"));
}

static void test_contains(void **state)
{
	static const struct {
		const char *glob, *dir;
		bool contains;
	} cases[] = {
		{ "/etc/shadow", "/etc", true },
		{ "/etc/shadow", "/var", false },
		{ "/tmp/**", "/tmp/a/b", true },
		{ "/var/*/x", "/var/log", true },
		{ "/var/*/x", "/var/log/y", false },
		{ "*/x", "/var", true },
		{ "/a/**/c", "/a/b/b/b", true },
		{ "/a/b", "/a/b/c", true },
		{ "/a/b", "/a/c/b", false },
		{ "*/b", "/a/b/c", true },
		{ "/a/b*", "/a/", true },
		{ "/a/b*", "/a/c", false },
		{ "/", "/a/b", true },
		{ "/a", "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(glob_free) struct glob *g = NULL;
		const char *dir = cases[i].dir;

		assert_int_equal(glob_new(cases[i].glob, strlen(cases[i].glob), false, &g, NULL), 0);
		if (glob_contains(g, dir, strlen(dir)) != cases[i].contains)
			fail_msg("glob %s, directory %s", cases[i].glob, dir);
	}
}

/* All strings over @alphabet of up to @max bytes, one after another. False after the last one. */
static bool next_string(char *s, size_t max, const char *alphabet)
{
	size_t last = strlen(alphabet) - 1, i = strlen(s);

	while (i > 0 && s[i - 1] == alphabet[last])
		s[--i] = alphabet[0];
	if (i > 0) {
		s[i - 1] = strchr(alphabet, s[i - 1])[1];
		return true;
	}
	i = strlen(s);
	if (i == max)
		return false;
	s[i] = alphabet[0];
	s[i + 1] = 0;
	return true;
}

static void check_against_reference(const char *p)
{
	_cleanup_(glob_free) struct glob *g = NULL;
	bool valid = glob_new(p, strlen(p), false, &g, NULL) == 0;
	char s[8] = "";

	if (valid != glob_ref_valid(p, strlen(p)))
		fail_msg("glob %s: valid or not?", p);
	do {
		size_t len = strlen(s);

		if (pattern_match(p, strlen(p), s, len, false) != glob_ref_pattern(p, strlen(p), s, len, false))
			fail_msg("pattern %s, string %s", p, s);
		if (valid && glob_match(g, s, len) != glob_ref_match(p, strlen(p), s, len, false))
			fail_msg("glob %s, path %s", p, s);
	} while (next_string(s, 5, "ab/"));
}

/* Every short pattern on every short string gives what the plain reading of the rules gives. */
static void test_all_short_ones(void **state)
{
	char p[8] = "";

	(void)state;
	do
		check_against_reference(p);
	while (next_string(p, 6, "a*/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_contains),
		cmocka_unit_test(test_all_short_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
