/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "lib/ipnet.h"
#include "policy-compiler/lex.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct lexer lexer_of(struct text *text, struct diags *d, const char *s)
{
	*d = diags_new();
	*text = (struct text){ .s = s, .len = (uint32_t)strlen(s) };
	return (struct lexer){ .text = text, .diags = d };
}

/* The kinds of all tokens, or -EINVAL at the place of the first bad one. */
static void check_kinds(const char *s, const int *kinds, size_t n)
{
	struct diags d;
	struct text text;
	struct lexer l = lexer_of(&text, &d, s);

	for (size_t i = 0; i < n; i++) {
		struct lex_token t;
		int r = lex_next(&l, &t);

		if (r == 0)
			r = (int)t.kind;
		if (r != kinds[i])
			fail_msg("%s: token %zu is %d, not %d", s, i, r, kinds[i]);
	}
	diags_done(&d);
}

#define KINDS(s, ...)                                                                                                  \
	do {                                                                                                           \
		const int kinds_[] = { __VA_ARGS__ };                                                                  \
		check_kinds(s, kinds_, COUNT(kinds_));                                                                 \
	} while (0)

static void test_kinds(void **state)
{
	KINDS("", T_END, T_END);
	KINDS(" \t\n\r ", T_END);
	KINDS("a # b\n// c\nd", T_IDENT, T_IDENT, T_END);
	KINDS("open.file.path =~ \"x\"", T_IDENT, T_MATCH, T_STRING, T_END);
	KINDS("a==b", T_IDENT, T_EQ, T_IDENT, T_END);
	KINDS("a =~\"x\"", T_IDENT, T_MATCH, T_STRING, T_END);
	KINDS("a == ~\"x\"", T_IDENT, T_EQ, T_PATTERN, T_END);
	KINDS("~\"x\"", T_PATTERN, T_END);
	KINDS("r\"x\" r", T_REGEX, T_IDENT, T_END);
	KINDS("! != !~ < <= > >= && || & | ^ + -", T_NOT, T_NE, T_NMATCH, T_LT, T_LE, T_GT, T_GE, T_AND, T_OR, T_BAND,
	      T_BOR, T_CARET, T_PLUS, T_MINUS, T_END);
	KINDS("and or not in allin android", T_AND, T_OR, T_NOT, T_IN, T_ALLIN, T_IDENT, T_END);
	KINDS("[A, B]", T_LBRACKET, T_IDENT, T_COMMA, T_IDENT, T_RBRACKET, T_END);
	KINDS("process.ancestors[A].pid", T_IDENT, T_END);
	KINDS("process.list.key[] == 1", T_IDENT, T_EQ, T_INT, T_END);
	KINDS("in[O_CREAT]", T_IDENT, T_END);
	KINDS("${a.b} %{a[B].c}", T_VAR, T_FIELDREF, T_END);
}

/* A sign belongs to the integer behind it. */
static void test_numbers(void **state)
{
	KINDS("5 -3", T_INT, T_INT, T_END);
	KINDS("5 - 3", T_INT, T_MINUS, T_INT, T_END);
	KINDS("--3", T_MINUS, T_INT, T_END);
	KINDS("+3", T_INT, T_END);
	KINDS("9223372036854775807", T_INT, T_END);
	KINDS("9223372036854775808", -EINVAL);
	KINDS("-9223372036854775808", T_INT, T_END);
	KINDS("-9223372036854775809", -EINVAL);
	KINDS("99999999999999999999999", -EINVAL);
	KINDS("0x10", -EINVAL);
	KINDS("10ms 5s 3m 1h", T_DURATION, T_DURATION, T_DURATION, T_DURATION, T_END);
	KINDS("10seconds", -EINVAL);
	KINDS("9999999999999h", -EINVAL);
}

static void test_addresses(void **state)
{
	KINDS("127.0.0.1 ::1 fe80::1", T_IP, T_IP, T_IP, T_END);
	KINDS("10.0.0.0/8 ::/0 2001:db8::/32", T_CIDR, T_CIDR, T_CIDR, T_END);
	KINDS("0.0.0.0/0", T_CIDR, T_END);
	KINDS("0.0.0.0", -EINVAL);
	KINDS("::", -EINVAL);
	KINDS("::ffff:0.0.0.0", -EINVAL);
	KINDS("10.0.0.0/33", -EINVAL);
	KINDS("300.1.1.1", -EINVAL);
	KINDS("1::2::3", -EINVAL);
	KINDS("dead.beef", T_IDENT, T_END);
	KINDS("add", T_IDENT, T_END);
}

static void test_bad(void **state)
{
	KINDS("\"abc", -EINVAL);
	KINDS("\"abc\\\"", -EINVAL);
	KINDS("~\"", -EINVAL);
	KINDS("'a'", -EINVAL);
	KINDS("a = b", T_IDENT, -EINVAL);
	KINDS("${}", -EINVAL);
	KINDS("${1a}", -EINVAL);
	KINDS("${a", -EINVAL);
	KINDS("\x01", -EINVAL);
	KINDS("\xc3\xa4", -EINVAL);
}

/* Strings are not unescaped: a backslash only keeps the next character from ending them. */
static void test_values(void **state)
{
	struct lex_token t;
	struct text text;
	struct diags d;
	struct lexer l = lexer_of(&text, &d, "\"a\\\"b\\n\" -42 1h ::ffff:10.0.0.1 ${x.y} process.a[B].c");

	assert_int_equal(lex_next(&l, &t), 0);
	assert_int_equal(t.slen, 6);
	assert_memory_equal(t.s, "a\\\"b\\n", 6);
	assert_int_equal(lex_next(&l, &t), 0);
	assert_int_equal(t.num, -42);
	assert_int_equal(lex_next(&l, &t), 0);
	assert_int_equal(t.num, 3600000000000LL);
	assert_int_equal(lex_next(&l, &t), 0);
	assert_true(ipnet_is_v4(t.ip));
	assert_int_equal(lex_next(&l, &t), 0);
	assert_int_equal(t.slen, 3);
	assert_memory_equal(t.s, "x.y", 3);
	assert_int_equal(lex_next(&l, &t), 0);
	assert_int_equal(t.slen, strlen("process.a[B].c"));
	diags_done(&d);
}

/* Every error has a remedy. */
static void test_help(void **state)
{
	static const char *const bad[] = { "\"a",	"'a'", "a=b", "0.0.0.0", "1.2.3",
					   "1.2.3.400", "${",  "5x",  "\x02",	 "99999999999999999999" };

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct lex_token t;
		struct text text;
		struct diags d;
		struct lexer l = lexer_of(&text, &d, bad[i]);

		while (lex_next(&l, &t) == 0 && t.kind != T_END)
			;
		assert_int_equal(d.n, 1);
		assert_non_null(d.v[0].help);
		diags_done(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds), cmocka_unit_test(test_numbers), cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_bad),   cmocka_unit_test(test_values),  cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
