/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/buf.h"
#include "policy-compiler/parse.h"

/* The tree with all its parentheses. */
static void print(struct buf *b, const struct ast *a)
{
	switch (a->kind) {
	case AST_CHAIN:
		buf_puts(b, "(");
		for (uint32_t i = 0; i < a->n; i++) {
			if (i)
				buf_printf(b, " %s ", ast_op_name(a->ops[i - 1]));
			print(b, a->items[i]);
		}
		buf_puts(b, ")");
		break;
	case AST_COMPARE:
	case AST_IN:
	case AST_BINARY:
		buf_puts(b, "(");
		print(b, a->a);
		buf_printf(b, " %s ", ast_op_name(a->op));
		print(b, a->b);
		buf_puts(b, ")");
		break;
	case AST_UNARY:
		buf_printf(b, "%s(", ast_op_name(a->op));
		print(b, a->a);
		buf_puts(b, ")");
		break;
	case AST_LIST:
		buf_puts(b, "[");
		for (uint32_t i = 0; i < a->n; i++) {
			if (i)
				buf_puts(b, " ");
			print(b, a->items[i]);
		}
		buf_puts(b, "]");
		break;
	case AST_INT:
		buf_printf(b, "%lld", (long long)a->num);
		break;
	case AST_IP:
		buf_puts(b, a->op == AST_OP_CIDR ? "net" : "ip");
		break;
	case AST_DURATION:
		buf_printf(b, "%lldns", (long long)a->num);
		break;
	default:
		buf_put(b, a->s, a->slen);
	}
}

static int parse(const char *s, bool macro, struct buf *out, struct diags *d)
{
	struct arena arena = arena_of(64u << 20);
	struct text text = { .s = s, .len = (uint32_t)strlen(s) };
	struct ast *a;
	int r = macro ? parse_macro(&arena, &text, d, &a) : parse_rule(&arena, &text, d, &a);

	if (r == 0 && out)
		print(out, a);
	arena_done(&arena);
	return r;
}

static void check(const char *s, bool macro, const char *want)
{
	struct diags d = diags_new();
	struct buf out;

	buf_init(&out, 1 << 20);
	assert_int_equal(parse(s, macro, &out, &d), want ? 0 : -EINVAL);
	if (want)
		assert_string_equal(buf_cstr(&out), want);
	else
		assert_int_equal(d.errors, 1);
	buf_done(&out);
	diags_done(&d);
}

static void test_precedence(void **state)
{
	check("a && b || c", false, "(a && b || c)");
	check("(a && b) || c", false, "((a && b) || c)");
	check("a == b == c", false, "(a == (b == c))");
	check("a & b > 0", false, "((a & b) > 0)");
	check("a & (b | c) > 0", false, "((a & (b | c)) > 0)");
	check("6 & 3 | 1 == 2", false, "((6 & (3 | 1)) == 2)");
	check("1 + 2 - 3 == 0", false, "(((1 + 2) - 3) == 0)");
	check("1 + 2 & 3 == 0", false, "((1 + (2 & 3)) == 0)");
	check("not a && b", false, "(!(a) && b)");
	check("! ! a", false, "!(!(a))");
	check("--3 == 3", false, "(-(-3) == 3)");
	check("^ 1 == 2", false, "(^(1) == 2)");
	check("a in [1, 2] and not b", false, "((a in [1 2]) && !(b))");
	check("a not in B || c allin 10.0.0.0/8", false, "((a not in B) || (c allin net))");
	check("a > 5s", false, "(a > 5000000000ns)");
	check("\"a\" in x", false, "(a in x)");
}

static void test_macros(void **state)
{
	check("[1, 2]", true, "[1 2]");
	check("[ ~\"a\", r\"b\", \"c\" ]", true, "[a b c]");
	check("A|B|C", true, "(A | (B | C))");
	check("10.0.0.0/8", true, "net");
	check("a in [1] && b", true, "((a in [1]) && b)");
	check("[1] == 2", true, NULL);
	check("[1, 2]", false, NULL);
}

static void test_errors(void **state)
{
	static const char *const bad[] = {
		"",
		"# nothing",
		"a ==",
		"== a",
		"a &&",
		"(a",
		"a)",
		"a b",
		"a in []",
		"a in [1,]",
		"a in [1 2]",
		"a in 127.0.0.1",
		"a not b",
		"a == [1]",
		"5 -3 == 2",
		"a in [[1]]",
		"a in ~\"x\"",
		"in",
		"a in",
		"a allin \"x\"",
		"a ! b",
		"a in [(1)]",
		"a,b",
		"[",
		"!",
		"-",
		"a in not in b",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check(bad[i], false, NULL);
}

/* s, repeated */
static char *repeat(const char *s, size_t n, const char *tail)
{
	struct buf b;
	char *copy;

	buf_init(&b, 64u << 20);
	for (size_t i = 0; i < n; i++)
		buf_puts(&b, s);
	buf_puts(&b, tail);
	copy = strdup(buf_cstr(&b));
	buf_done(&b);
	return copy;
}

static int try(const char *s, size_t n, const char *tail)
{
	struct diags d = diags_new();
	char *text = repeat(s, n, tail);
	int r = parse(text, false, NULL, &d);

	if (r == -EINVAL) {
		assert_int_equal(d.errors, 1);
		assert_non_null(d.v[0].help);
	}
	free(text);
	diags_done(&d);
	return r;
}

static void test_bounds(void **state)
{
	assert_int_equal(try("(", 200, "a"), -EINVAL);
	assert_int_equal(try("(", 60000, ""), -EINVAL);
	assert_int_equal(try("!", 200, "a"), 0);
	assert_int_equal(try("!", 257, "a"), -EINVAL);
	assert_int_equal(try("^", 60000, "a"), -EINVAL);
	assert_int_equal(try("a == ", 257, "a"), -EINVAL);
	assert_int_equal(try("a & ", 257, "a"), -EINVAL);
	assert_int_equal(try("a + ", 200, "a == 1"), 0);
	assert_int_equal(try("a + ", 300, "a == 1"), -EINVAL);
	/* a chain is no nesting */
	assert_int_equal(try("a || ", 10000, "a"), 0);
	assert_int_equal(try("a ||  ", 20000, "a"), -EINVAL);
}

static void test_mixed(void **state)
{
	struct diags d = diags_new();

	assert_int_equal(parse("a && b && c", false, NULL, &d), 0);
	assert_int_equal(parse("a && (b || c)", false, NULL, &d), 0);
	assert_int_equal(d.warnings, 0);
	assert_int_equal(parse("a && b || c && d", false, NULL, &d), 0);
	assert_int_equal(d.warnings, 1);
	assert_non_null(strstr(d.v[0].help, "a && (b || c)"));
	diags_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_precedence), cmocka_unit_test(test_macros), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_bounds),	   cmocka_unit_test(test_mixed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
