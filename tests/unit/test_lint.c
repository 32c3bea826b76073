/* SPDX-License-Identifier: Apache-2.0 */
/* The lints of tamisc check: each where it belongs, none where it does not, and how they are switched off. */
#include "tests/unit/policy_bench.h"

#include "policy-compiler/lint.h"

/* What the lints say of a policy, as "line: text [name]" lines. */
static void lint(const char *yaml, const char *const *off, char *ret, size_t size)
{
	struct policy_bench b;
	size_t n = 0;

	bench_policy(&b, yaml);
	if (b.diags.errors)
		fail_msg("%s\nin\n%s", bench_diag(&b, 0), yaml);
	assert_int_equal(lint_run(b.compile), 0);
	assert_int_equal(lint_filter(b.compile, off), 0);
	diags_sort(&b.diags);
	*ret = '\0';
	for (size_t i = 0; i < b.diags.n; i++) {
		const struct diag *d = &b.diags.v[i];
		uint32_t line, col, o, len;

		if (!d->lint)
			continue;
		assert_non_null(lint_find(d->lint));
		span_place(d->at, &line, &col, &o, &len);
		n += (size_t)snprintf(ret + n, size - n, "%u:%u [%s] %s%s%s\n", line, col, d->lint, d->msg,
				      d->fix ? " -> " : "", d->fix ? d->fix : "");
	}
	bench_end(&b);
}

/* One rule: its condition, and the lints that it has. */
static const struct {
	const char *condition, *lints;
} rules[] = {
	/* never-true */
	{ "open.flags == 1 && open.flags == 2",
	  "[never-true] the rule a can never be true: open.flags == 1 and open.flags == 2" },
	{ "open.flags == 1 && open.flags != 2", NULL },
	{ "open.flags > 5 && open.flags < 3",
	  "[never-true] the rule a can never be true: open.flags > 5 and open.flags < 3" },
	{ "open.flags > 5 && open.flags <= 6", NULL },
	{ "open.flags >= 5 && open.flags <= 5", NULL },
	{ "open.flags in [1, 2] && open.flags in [3, 4]", "[never-true]" },
	{ "open.flags in [1, 2] && open.flags in [2, 3]", NULL },
	{ "open.flags in [1, 2] && open.flags > 2", "[never-true]" },
	{ "open.flags & 4 == 3", "[never-true] the rule a can never be true: (open.flags & 4) == 3 never holds" },
	{ "open.flags & 7 == 3 && open.flags & 8 == 0", NULL },
	{ "open.file.path == \"/a\" && open.file.path == \"/b\"", "[never-true]" },
	{ "open.file.path == \"/a/x\" && open.file.path =~ \"/b/*\"", "[never-true]" },
	{ "open.file.path == \"/a/x\" && open.file.path =~ \"/a/*\"", NULL },
	{ "open.file.path =~ \"/etc/*\" && open.file.path =~ \"/var/*\"", "[never-true]" },
	{ "open.file.path =~ \"/etc/*\" && open.file.path =~ \"/etc/x*\"", NULL },
	{ "open.file.path =~ \"/*/x\" && open.file.path =~ \"/var/*\"", NULL },
	{ "open.file.path in [\"/a\", \"/b\"] && open.file.path not in [\"/a\", \"/b\", \"/c\"]", "[never-true]" },
	{ "open.file.path in [\"/a\", \"/b\"] && open.file.path != \"/a\"", NULL },
	{ "open.flags == 8 || (open.flags == 1 && open.flags == 2)",
	  "[never-true] a part of the rule a can never be true" },
	{ "open.flags == 1 && (open.flags == 2 || open.flags == 3)", "[never-true] the rule a" },
	{ "connect.addr.ip in 10.0.0.0/8 && connect.addr.ip in [192.168.0.0/16, 172.16.0.0/12]", "[never-true]" },
	{ "connect.addr.ip in 10.0.0.0/8 && connect.addr.ip in 10.1.0.0/16", NULL },
	/* several values, several names, one ancestor or another */
	{ "open.flags > 0 && process.ancestors.file.name == \"a\" && process.ancestors.file.name == \"b\"", NULL },
	{ "exec.file.name == \"sh\" && exec.file.name == \"dash\"", NULL },
	{ "exec.comm == \"sh\" && exec.comm == \"dash\"", "[never-true]" },
	{ "exec.comm == \"sh\" && process.parent.comm == \"dash\"", NULL },
	/* passes-all */
	{ "open.file.path =~ \"/**\"", "[bare-wildcard]" },
	{ "open.flags != process.uid && process.comm == \"x\"",
	  "[passes-all] the kernel cannot narrow the rule a: every open event" },
	{ "exec.args =~ \"x*\"", NULL },
	/* bare-wildcard */
	{ "exec.comm =~ \"*\"", "[bare-wildcard] everything matches this, so the condition asks for nothing" },
	{ "exec.comm in [\"pwd\", \"*\", \"ls\"]", "[bare-wildcard] this is the one character *" },
	{ "exec.comm in [\"pwd\", ~\"*\"]", "[bare-wildcard] everything" },
	{ "exec.comm !~ \"*\"", "[bare-wildcard] everything matches this, so the condition is never true" },
	{ "exec.comm =~ r\".*\"", "[bare-wildcard]" },
	{ "exec.comm == \"a\" && (exec.comm != \"ls\" || exec.file.name == \"*\")", "[bare-wildcard]" },
	{ "open.file.path =~ \"/etc/*\"", NULL },
	/* literal-star */
	{ "exec.comm == \"x*\"",
	  "[literal-star] the * in this string is no wildcard: it is compared as it is -> ~\"x*\"" },
	{ "exec.comm =~ \"x*\"", NULL },
	{ "exec.comm not in [\"a\", \"x*\"]", "[literal-star]" },
	/* plain-regex */
	{ "exec.comm =~ r\"^abc$\"", "[plain-regex] a string says the same as this regular expression -> \"abc\"" },
	{ "exec.comm =~ r\"abc\"", "-> ~\"*abc*\"" },
	{ "exec.comm =~ r\".*abc.*\"", "-> ~\"*abc*\"" },
	{ "exec.comm in [r\"^abc\", \"x\"]", "-> ~\"abc*\"" },
	{ "exec.comm =~ r\".*\\.sh$\"", "-> ~\"*.sh\"" },
	{ "exec.comm =~ r\"a.c\"", NULL },
	{ "exec.comm =~ r\"^a|b$\"", NULL },
	{ "exec.comm =~ r\"ab+\"", NULL },
	{ "exec.comm =~ r\"(?i)abc\"", NULL },
	{ "exec.comm =~ r\"\\d\"", NULL },
	{ "exec.comm =~ r\"abc\\\\$\"", NULL },
	{ "exec.comm =~ r\"a\\$\"", "-> ~\"*a$*\"" },
	/* literal-backslash, leading-zero, dashed-flag, some-ancestor */
	{ "exec.comm == \"a\\n\"", "[literal-backslash]" },
	{ "exec.comm =~ r\"a\\.b+\"", NULL },
	{ "open.flags == 0755", "[leading-zero] numbers are decimal, also with a leading zero -> 493" },
	{ "open.flags in [1, 010]", "[leading-zero] numbers are decimal, also with a leading zero -> 8" },
	{ "open.flags == 08", "[leading-zero]" },
	{ "open.flags == 0", NULL },
	{ "exec.args_flags in [\"a\", \"--load\"]",
	  "[dashed-flag] flags and options have no dashes here: this is never found -> \"load\"" },
	{ "exec.args =~ \"--load*\"", NULL },
	{ "open.flags == 1 && process.ancestors[A].comm != \"sh\"", "[some-ancestor]" },
	{ "open.flags == 1 && process.ancestors[A].comm == \"sh\"", NULL },
	{ "open.flags == 1 && process.ancestors[A].comm != \"sh\" && process.ancestors[A].uid == 0", NULL },
	/* mixed-operators */
	{ "open.flags == 1 && open.flags & 2 > 0 || open.mode == 3", "[mixed-operators]" },
	{ "open.flags == 1 && (open.flags & 2 > 0 || open.mode == 3)", NULL },
};

static void test_rules(void **state)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		char yaml[1024], out[4096];

		snprintf(yaml, sizeof(yaml), "rules:\n  - id: a\n    expression: |-\n      %s\n", rules[i].condition);
		lint(yaml, NULL, out, sizeof(out));
		if (rules[i].lints ? !strstr(out, rules[i].lints) : *out != '\0')
			fail_msg("%s\ngives\n%s\nnot\n%s", rules[i].condition, out,
				 rules[i].lints ? rules[i].lints : "nothing");
	}
}

/* Two rules a and b: what is said of them. */
static const struct {
	const char *a, *b, *lints;
} pairs[] = {
	{ "open.flags == 1 && open.mode == 2", "open.mode == 2 && open.flags == 1",
	  "5:9 [duplicate-rule] the rule b asks for the same as a" },
	{ "open.flags == 1", "open.flags == 1 && open.mode == 2",
	  "[shadowed-rule] whenever the rule b fires, a fires, too" },
	{ "open.flags == 1 && open.mode == 2", "open.flags == 1",
	  "3:9 [shadowed-rule] whenever the rule a fires, b fires, too" },
	{ "open.flags == 1", "open.mode == 1", NULL },
	{ "open.flags in [1, 2, 3]", "open.flags == 2", "[shadowed-rule] whenever the rule b" },
	{ "open.flags > 4", "open.flags > 5", "[shadowed-rule] whenever the rule b" },
	{ "open.flags > 5", "open.flags in [6, 7]", "[shadowed-rule] whenever the rule b" },
	{ "open.flags > 6", "open.flags in [6, 7]", NULL },
	{ "open.file.path in [\"/a\", \"/b\"]", "open.file.path == \"/b\" && process.uid == 0",
	  "[shadowed-rule] whenever the rule b" },
	{ "open.file.path =~ \"/etc/*\"", "open.file.path in [\"/etc/a\", \"/etc/b\"]",
	  "[shadowed-rule] whenever the rule b" },
	{ "open.file.path =~ \"/etc/*\"", "open.file.path in [\"/etc/a\", \"/etc/b/c\"]", NULL },
	{ "open.file.path != \"/x\" && open.flags == 1", "open.file.path == \"/y\" && open.flags == 1",
	  "[shadowed-rule] whenever the rule b" },
	{ "open.file.path == \"/a\" || open.file.path == \"/b\"",
	  "open.file.path == \"/b\" || open.file.path == \"/c\"", NULL },
	{ "open.file.path == \"/a\" || open.mode == 1 || open.flags == 2", "open.mode == 1 || open.flags == 2",
	  "[shadowed-rule] whenever the rule b" },
	{ "open.file.path == \"/a\"", "unlink.file.path == \"/a\"", NULL },
};

static void test_pairs(void **state)
{
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char yaml[1024], out[4096];

		snprintf(yaml, sizeof(yaml), "rules:\n  - expression: %s\n    id: a\n  - expression: %s\n    id: b\n",
			 pairs[i].a, pairs[i].b);
		lint(yaml, NULL, out, sizeof(out));
		if (pairs[i].lints ? !strstr(out, pairs[i].lints) : *out != '\0')
			fail_msg("%s\n%s\ngive\n%s", pairs[i].a, pairs[i].b, out);
	}
}

/* A rule that is more severe than the one around it is there on purpose. */
static void test_severity(void **state)
{
	char out[4096];

	lint("rules:\n"
	     "  - {id: a, expression: open.flags == 1, tags: {severity: low}}\n"
	     "  - {id: b, expression: open.flags == 1 && open.mode == 2, tags: {severity: high}}\n",
	     NULL, out, sizeof(out));
	assert_string_equal(out, "");
	lint("rules:\n"
	     "  - {id: a, expression: open.flags == 1, tags: {severity: high}}\n"
	     "  - {id: b, expression: open.flags == 1 && open.mode == 2, tags: {severity: low}}\n",
	     NULL, out, sizeof(out));
	assert_starts(out, "3:10 [shadowed-rule]");
}

static void test_macros(void **state)
{
	char out[4096];

	lint("macros:\n  - {id: M_A, expression: open.flags == 1}\n  - {id: M_B, expression: M_A}\n  - {id: M_C, values: [x]}\n"
	     "  - {id: M_D, values: [x]}\nrules:\n  - {id: a, expression: M_B}\n"
	     "  - {id: b, expression: open.file.path in M_D, disabled: true}\n",
	     NULL, out, sizeof(out));
	assert_string_equal(out, "4:10 [unused-macro] no rule uses the macro M_C\n");
	lint("macros:\n  - {id: M_A, values: [x]}\n", NULL, out, sizeof(out));
	assert_string_equal(out, "");
	lint("macros:\n  - id: M_A\n    expression: '[\"x*\"]'\nrules:\n  - {id: a, expression: open.file.name in M_A}\n",
	     NULL, out, sizeof(out));
	assert_starts(out, "3:19 [literal-star]");
}

#define STAR(comment, id) comment "  - id: " id "\n    expression: exec.comm == \"" id "*\"\n"

static void test_off(void **state)
{
	static const char *const off[] = { "plain-regex", "literal-star", NULL }, *const others[] = { "plain-regex",
												      NULL };
	char out[4096];

	lint("rules:\n" STAR("", "a"), off, out, sizeof(out));
	assert_string_equal(out, "");
	lint("rules:\n" STAR("", "a"), others, out, sizeof(out));
	assert_starts(out, "3:30 [literal-star]");
	/* right above the rule, in it, and not for others */
	lint("rules:\n" STAR("", "a") STAR("  # no-lint: literal-star\n", "b") STAR("", "c"), NULL, out, sizeof(out));
	assert_null(strstr(out, "6:"));
	assert_non_null(strstr(out, "3:30"));
	assert_non_null(strstr(out, "8:30"));
	lint("rules:\n" STAR("", "a")
		     STAR("", "b") "    # why: ...\n    # no-lint: plain-regex, literal-star\n    version: 1\n",
	     NULL, out, sizeof(out));
	assert_null(strstr(out, "5:30"));
	assert_non_null(strstr(out, "3:30"));
	/* another name, or a comment about something else */
	lint("rules:\n" STAR("  # no-lint: plain-regex\n", "a"), NULL, out, sizeof(out));
	assert_starts(out, "4:30 [literal-star]");
	lint("rules:\n" STAR("  # no-lint: literal-stars\n", "a"), NULL, out, sizeof(out));
	assert_starts(out, "4:30 [literal-star]");
	/* the whole file */
	lint("# no-lint: literal-star\nrules:\n" STAR("", "a") STAR("", "b"), NULL, out, sizeof(out));
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),  cmocka_unit_test(test_pairs), cmocka_unit_test(test_severity),
		cmocka_unit_test(test_macros), cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
