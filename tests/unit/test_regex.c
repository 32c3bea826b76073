/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/regex.h"
#include "tests/unit/regex_ref.h"

static const struct {
	const char *re, *text;
	bool matches;
} cases[] = {
	{ "", "", true },
	{ "", "x", true },
	{ "abc", "xabcx", true },
	{ "abc", "abxc", false },
	{ "^abc$", "abc", true },
	{ "^abc$", "abcd", false },
	{ ".*(restore|recovery|ransom).*", "123ransom456.txt", true },
	{ ".*(restore|recovery|ransom).*", "TEST123", false },
	{ "a|b|", "", true },
	{ "(a|b)*c", "ababc", true },
	{ "a{2,3}", "a", false },
	{ "^a{2,3}$", "aaa", true },
	{ "^a{2,3}$", "aaaa", false },
	{ "^a{2,}$", "aaaaa", true },
	{ "^a{0}$", "", true },
	{ "^(ab?)+?$", "aaba", true },
	/* a brace that is no count is itself */
	{ "a{,2}", "a{,2}", true },
	{ "a{x}", "a{x}", true },
	{ "^{$", "{", true },
	/* classes */
	{ "^[a-c]+$", "abcabc", true },
	{ "^[^a-c]+$", "xyz", true },
	{ "[^a-c]", "abc", false },
	{ "^[]a]+$", "]a", true },
	{ "^[^]a]$", "b", true },
	{ "^[a-]+$", "a-", true },
	{ "^[\\d.]+$", "10.0", true },
	{ "^[[:alpha:]_]+$", "ab_", true },
	{ "^[[:^alpha:]]+$", "123", true },
	{ "^[[:cntrl:]]$", "\x7f", true },
	{ "^\\w+\\s\\W\\S\\D\\d$", "ab -xx1", true },
	/* escapes */
	{ "^a\\.b$", "a.b", true },
	{ "^a\\.b$", "axb", false },
	{ "^\\x41\\x{42}\\103$", "ABC", true },
	{ "^\\t\\n\\r\\f\\v\\a$", "\t\n\r\f\v\a", true },
	{ "^\\Qa.b*\\E+$", "a.b***", true },
	{ "\\Qa.b", "a.b", true },
	/* the dot and lines */
	{ "^.$", "\n", false },
	{ "(?s)^.$", "\n", true },
	{ "(?m)^b$", "a\nb\nc", true },
	{ "^b$", "a\nb\nc", false },
	{ "(?m:^b$)", "b", true },
	{ "a\\z", "a\n", false },
	{ "\\Ab", "ab", false },
	/* words */
	{ "\\bcat\\b", "a cat.", true },
	{ "\\bcat\\b", "concat", false },
	{ "\\Bcat", "concat", true },
	{ "\\b", "", false },
	{ "^\\B$", "", true },
	/* case */
	{ "(?i)ABC", "xabcx", true },
	{ "(?i:A)b", "ab", true },
	{ "(?i:A)b", "aB", false },
	{ "a(?i)b|c", "C", true },
	{ "(?i)(?-i)A", "a", false },
	{ "(?i)[a-c]+$", "AbC", true },
	{ "(?i)k", "\xe2\x84\xaa", true }, /* the Kelvin sign */
	{ "(?i)[^x]", "X", false },
	/* UTF-8: characters, not bytes; what is none counts as U+FFFD */
	{ "^.$", "\xc3\xa9", true },
	{ "^..$", "\xc3\xa9", false },
	{ "^[\xc3\xa0-\xc3\xbf]$", "\xc3\xa9", true },
	{ "^..$", "\xff\xfe", true },
	{ "^\\x{fffd}$", "\xff", true },
	{ "^.$", "\xf0\x9f\x98\x80", true },
	/* names of groups */
	{ "^(?P<x>a)(?<y>b)$", "ab", true },
};

static bool matches(const char *re, bool icase, const char *text, size_t len)
{
	_cleanup_(regex_free) struct regex *r = NULL;
	struct err err = { .msg = "" };

	if (regex_new(re, strlen(re), icase, &r, &err) < 0)
		fail_msg("%s: %s", re, err.msg);
	return regex_match(r, text, len);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (matches(cases[i].re, false, cases[i].text, strlen(cases[i].text)) != cases[i].matches)
			fail_msg("%s on \"%s\": should %smatch", cases[i].re, cases[i].text,
				 cases[i].matches ? "" : "not ");
	assert_true(matches("abc", true, "xABCx", 5));
	assert_true(matches("a.b", false, "a\0b", 3));
}

static const struct {
	const char *re, *why;
} refused[] = {
	{ "(", "character 1: missing ')'" },
	{ "a(b", "character 2: missing ')'" },
	{ "a)", "character 2: unexpected ')'" },
	{ "[a", "character 1: missing ']'" },
	{ "[]", "character 1: missing ']'" },
	{ "*a", "character 1: missing argument" },
	{ "a|*", "character 3: missing argument" },
	{ "a**", "character 3: invalid nested" },
	{ "a{2}{3}", "character 5: invalid nested" },
	{ "a{1001}", "character 2: invalid repeat count" },
	{ "a{3,2}", "character 2: invalid repeat count" },
	{ "[b-a]", "character 2: a range" },
	{ "[[:nope:]]", "character 2: no such class" },
	{ "\\1", "character 1: back-references" },
	{ "(?=a)", "character 1: look-around" },
	{ "(?<!a)", "character 1: look-around" },
	{ "\\pL", "character 1: \\p classes" },
	{ "\\Z", "character 1: invalid escape" },
	{ "\\C", "character 1: invalid escape" },
	{ "\\y", "character 1: invalid escape" },
	{ "\\x4", "character 1: invalid escape" },
	{ "\\x{110000}", "character 1: no such character" },
	{ "a\\", "character 2: a backslash" },
	{ "\xff", "character 1: not UTF-8" },
	{ "(?x)a", "character 1: not a flag" },
	{ "(?P<>a)", "character 1: invalid name" },
	{ "(?i)\xc3\xa9", "character 5: (?i) with characters beyond ASCII" },
	{ "((a{100}){100}){100}", "too large" },
	{ "(((){1000}){1000}){1000}", "too large" },
};

static void test_refused(void **state)
{
	_cleanup_free_ char *deep = calloc(2001, 1);
	struct regex *r = NULL;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(regex_new(refused[i].re, strlen(refused[i].re), false, &r, &err), -EINVAL);
		if (!strstr(err.msg, refused[i].why))
			fail_msg("%s: %s", refused[i].re, err.msg);
	}
	memset(deep, '(', 1000);
	memset(deep + 1000, ')', 1000);
	assert_int_equal(regex_new(deep, 2000, false, &r, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "too deep"));
	assert_null(r);
}

/* The literals that an expression needs, joined by ' '. */
static const char *needed(const char *re)
{
	static char text[REGEX_NEED_MAX * (REGEX_NEED_LEN + 1) + 1];
	struct regex_need need;
	size_t n = 0;

	assert_int_equal(regex_need(re, strlen(re), false, &need), 0);
	for (uint32_t i = 0; i < need.n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s", i ? " " : "", need.lit[i].len,
				      need.lit[i].s);
	text[n] = '\0';
	return text;
}

static void test_need(void **state)
{
	(void)state;
	assert_string_equal(needed("libpam\\.so"), "libpam.so");
	assert_string_equal(needed("(?i)LibPAM"), "libpam");
	assert_string_equal(needed(".*(one|three)x?"), "three one");
	assert_string_equal(needed("a(b|c)d+"), "ac ab");
	assert_string_equal(needed("ab.*wxyz.*q$"), "wxyz");
	assert_string_equal(needed("(abc)?x"), "x");
	assert_string_equal(needed("(a|b.)*"), "");
	assert_string_equal(needed("abc|.*"), "");
	assert_string_equal(needed("[a-z]+\\d"), "");
	assert_string_equal(needed("\\bsh\\b|^ab$"), "ab sh");
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Expressions that take others exponential time, and ones whose states outgrow the memory: a megabyte each in a moment. */
static void test_linear(void **state)
{
	static const char *const evil[] = {
		"(a*)*b",
		"(a|aa)+$b",
		"(a?){500}a{500}b",
		"^(([a-z])+.)+[A-Z]([a-z])+$b",
		"(a|b)*a(a|b){14}c",
		"(.*)(.*)(.*)(.*)(.*)[^a]b",
	};
	const size_t n = 1 << 20;
	_cleanup_free_ char *text = malloc(n);
	unsigned seed = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(evil) / sizeof(evil[0]); i++) {
		double begin = seconds();

		for (size_t k = 0; k < n; k++)
			text[k] = i == 4 ? "ab"[(seed = seed * 1103515245 + 12345) >> 16 & 1] : 'a';
		assert_false(matches(evil[i], false, text, n));
		if (seconds() - begin > 30)
			fail_msg("%s took %.1f s", evil[i], seconds() - begin);
	}
}

static unsigned rnd(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 16) % n;
}

/* Random expressions of a few pieces, on random texts, against sets of positions on the tree. */
static void test_against_reference(void **state)
{
	static const char *const pieces[] = { "a",    "b",   "ab",  ".",   "[ab]",  "[^a]", "(", ")",	"|",
					      "*",    "+",   "?",   "{2}", "{1,2}", "^",    "$", "\\b", "\\B",
					      "(?m)", "(?:", "\\w", "\n",  "(?i)",  "B",    "-" };
	static const char letters[] = "aabbB\n-";
	unsigned seed = 7, valid = 0, needing = 0;

	(void)state;
	for (int round = 0; round < 60000; round++) {
		struct re_tree t;
		struct regex *re = NULL;
		struct regex_ref ref = { .t = &t };
		struct regex_need need;
		char p[64] = "", s[16] = "";

		for (unsigned i = rnd(&seed, 9) + 1; i > 0; i--)
			strcat(p, pieces[rnd(&seed, sizeof(pieces) / sizeof(pieces[0]))]);
		if (regex_new(p, strlen(p), false, &re, NULL) < 0)
			continue;
		assert_int_equal(re_parse(p, strlen(p), false, &t, NULL), 0);
		assert_int_equal(regex_need(p, strlen(p), false, &need), 0);
		needing += need.n > 0;
		valid++;
		for (int k = 0; k < 10; k++) {
			unsigned len = rnd(&seed, 9);

			for (unsigned i = 0; i < len; i++)
				s[i] = letters[rnd(&seed, sizeof(letters) - 1)];
			assert_true(regex_ref_text(&ref, s, len));
			if (regex_match(re, s, len) && !regex_ref_needed(&need, s, len))
				fail_msg("%s matches \"%s\", which holds none of what it needs", p, s);
			if (regex_match(re, s, len) != regex_ref_match(&ref))
				fail_msg("%s on \"%.*s\"", p, (int)len, s);
		}
		re_tree_done(&t);
		regex_free(re);
	}
	assert_true(valid > 10000 && needing > valid / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_need),   cmocka_unit_test(test_against_reference),
		cmocka_unit_test(test_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
