/* SPDX-License-Identifier: Apache-2.0 */
/* Policy files: YAML, keys, how several files go together, places of diagnostics, bounds and failing memory. */
#include "tests/unit/policy_bench.h"

#include <errno.h>
#include <time.h>

#include "lib/buf.h"
#include "policy-compiler/filter.h"
#include "policy-compiler/keys.h"

static void first_diag(const char *yaml, const char *want)
{
	struct policy_bench b;

	bench_policy(&b, yaml);
	assert_starts(bench_diag(&b, 0), want);
	bench_end(&b);
}

static void clean(const char *yaml, size_t rules)
{
	struct policy_bench b;
	size_t ok = 0;

	bench_policy(&b, yaml);
	if (b.diags.n)
		fail_msg("%s", bench_diag(&b, 0));
	for (size_t i = 0; i < b.compile->nrules; i++)
		ok += b.compile->rules[i]->ok;
	assert_int_equal(ok, rules);
	bench_end(&b);
}

/* ---- YAML and keys ----------------------------------------------------------------------------------------------- */

static void test_yaml(void **state)
{
	first_diag("", "1:1: error: the file is empty (a policy begins with");
	first_diag("# nothing\n", "1:1: error: the file is empty");
	first_diag("rules", "1:1: error: a policy is a map, not text");
	first_diag("- a\n", "1:1: error: a policy is a map, not a list");
	first_diag("rules:\n  - id: [a\n", "2:9: error: not YAML");
	first_diag("rules:\n\t- id: a\n", "2:1: error: not YAML");
	first_diag("a: 1\na: 2\n", "2:1: error: the key \"a\" is here twice");
	first_diag("rules: []\n---\nrules: []\n", "2:1: error: a second document in one file");
	first_diag("rules: *x\n", "1:8: error: no anchor &x before this alias");
	first_diag("? [a]\n: b\n", "1:3: error: a key is a list here");
	first_diag("version: \xff\n", "1:10: error: not YAML");
	first_diag("\xef\xbb\xbfrule: 1\n", "1:2: error: unknown key \"rule\" in a policy (did you mean \"rules\"?)");
	clean("rules:\nmacros:\nversion: 1\n", 0);
	clean("rules: []\n", 0);
}

static void test_keys(void **state)
{
	first_diag("rulez: []\n", "1:1: error: unknown key \"rulez\" in a policy (did you mean \"rules\"?)");
	first_diag("rules: a\n", "1:8: error: \"rules\" is a list, not text");
	first_diag("rules: [a]\n", "1:9: error: a rule is a map, not text");
	first_diag("rules:\n  - expression: exec.pid == 1\n", "2:5: error: a rule without an id");
	first_diag("rules:\n  - id: a b\n", "2:9: error: \"a b\" is no id");
	first_diag("rules:\n  - id: a\n", "2:9: error: the rule a has no expression");
	first_diag("rules:\n  - {id: a, expresion: x}\n",
		   "2:13: error: unknown key \"expresion\" in a rule (did you mean "
		   "\"expression\"?)");
	first_diag("rules:\n  - {id: a, disabled: \"yes\"}\n", "2:23: error: \"disabled\" is true or false, not text");
	first_diag("rules:\n  - {id: a, disabled: true, every: soon}\n",
		   "2:36: error: \"every\" is a duration, not text");
	first_diag("rules:\n  - {id: a, disabled: true, combine: merge}\n",
		   "2:38: error: \"merge\" is no value of \"combine\"");
	first_diag("rules:\n  - {id: a, disabled: true, tags: {a: [b]}}\n",
		   "2:39: error: the tag \"a\" is a list, not text");
	first_diag("rules:\n  - {id: a, disabled: true, actions: [{kil: {}}]}\n",
		   "2:40: error: unknown key \"kil\" in actions "
		   "(did you mean \"kill\"?)");
	first_diag("macros:\n  - {id: L}\n", "2:10: error: a macro without an expression or values");
	first_diag("macros:\n  - {id: L, values: []}\n", "2:21: error: a macro with an empty list of values");
	first_diag("macros:\n  - {id: L, expression: '1', combine: merge}\n",
		   "2:10: error: \"combine: merge\" in a macro");
	first_diag("type: x\n", "1:7: error: \"x\" is no value of \"type\" (\"policy\" is one)");
}

/* What is read but has no effect says so, each time. */
static void test_not_yet(void **state)
{
	static const char *const kinds[] = { "coredump: {process: true}", "network_filter: {filter: tcp}" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char yaml[256];

		snprintf(yaml, sizeof(yaml), "rules:\n  - {id: a, expression: exec.pid == 1, actions: [{%s}]}\n",
			 kinds[i]);
		first_diag(yaml, "2:50: warning: the action \"");
	}
	first_diag("rules:\n  - {id: a, expression: exec.pid == 1, limiter_token: [exec.pid]}\n",
		   "2:55: warning: \"limiter_token\" without \"every\"");
	first_diag("hooks: []\n", "1:1: warning: \"hooks\" is not acted on yet");
	first_diag("macros:\n  - {id: a, expression: exec.pid == 1, filters: [os.is_debian == true]}\n",
		   "2:49: warning: the filters of this macro are not decided when the policy is compiled");
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ns; /* -1: refused */
	} cases[] = { { "10s", 10000000000 },
		      { "1h30m", 5400000000000 },
		      { "5", 5 },
		      { "1ms", 1000000 },
		      { "2us", 2000 },
		      { "-5", -1 },
		      { "5x", -1 },
		      { "s", -1 },
		      { "1s ", -1 },
		      { "", -1 },
		      { "9999999999999h", -1 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ynode n = {
			.text = { .s = cases[i].text, .len = (uint32_t)strlen(cases[i].text), .style = TEXT_PLAIN }
		};
		int64_t ns = -1;

		assert_int_equal(keys_duration(&n, &ns), cases[i].ns < 0 ? -EINVAL : 0);
		if (cases[i].ns >= 0)
			assert_int_equal(ns, cases[i].ns);
	}
}

/* ---- places: the first error is always the name "bad" ------------------------------------------------------------ */

static void test_places(void **state)
{
	first_diag("rules:\n  - id: a\n    expression: exec.pid == bad\n", "3:29: error: unknown name \"bad\"");
	first_diag("rules:\n  - id: a\n    expression: 'exec.comm == \"it''s\" && bad'\n",
		   "3:42: error: unknown name \"bad\"");
	first_diag("rules:\n  - id: a\n    expression: \"exec.comm == \\\"x\\\" && bad\"\n",
		   "3:40: error: unknown name \"bad\"");
	first_diag("rules:\n  - id: a\n    expression: |\n      exec.pid == 1\n        && bad\n",
		   "5:12: error: unknown name \"bad\"");
	first_diag("rules:\n  - id: a\n    expression: >-\n      exec.pid == 1 &&\n\n      bad == 1\n",
		   "6:7: error: unknown name \"bad\"");
	first_diag("rules:\n  - id: a\n    expression: exec.pid == 1 &&\n      exec.pid == 2 &&\n      bad == 1\n",
		   "5:7: error: unknown name \"bad\"");
	first_diag("rules:\n  - id: a\n    expression: \"exec.pid == 1 &&\\\n      \\  bad == 1\"\n",
		   "4:10: error: unknown name \"bad\"");
	first_diag(
		"rules:\n  - id: a\n    description: \xc3\xa4\xc3\xa4\n    expression: exec.comm == \"\xc3\xa4\" && bad\n",
		"4:37: error: unknown name \"bad\"");
	first_diag("rules: [{id: a, expression: exec.pid == bad}]\n", "1:41: error: unknown name \"bad\"");
	first_diag("rules:\r\n  - id: a\r\n    expression: exec.pid == bad\r\n", "3:29: error: unknown name \"bad\"");
	/* in a macro, also where the rule is elsewhere */
	first_diag("macros:\n  - id: M\n    expression: bad == 1\nrules:\n  - {id: a, expression: M}\n",
		   "3:17: error: unknown name \"bad\"");
}

static void test_print(void **state)
{
	struct policy_bench b;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	bench_policy(&b, "rules:\n  - id: a\n    expression: \"\texec.pidd == 1\"\n");
	assert_non_null(f);
	diag_print(f, &b.diags.v[0], false);
	fclose(f);
	assert_string_equal(text, "policy.yaml:3:19: error: unknown name \"exec.pidd\": no field, constant or macro\n"
				  "     3 |     expression: \"\texec.pidd == 1\"\n"
				  "       |                  \t^~~~~~~~~\n"
				  "       = help: did you mean \"exec.pid\"?\n");
	free(text);
	bench_end(&b);
}

/* ---- several rules and files ------------------------------------------------------------------------------------- */

static void test_macros(void **state)
{
	clean("macros:\n  - {id: L, values: [x, y]}\n  - {id: L, values: [z], combine: merge}\n"
	      "rules:\n  - {id: a, expression: exec.comm in L}\n",
	      1);
	clean("macros:\n  - {id: L, expression: B == 1}\n  - {id: B, expression: exec.pid}\n"
	      "rules:\n  - {id: a, expression: L}\n",
	      1);
	first_diag("macros:\n  - {id: L, expression: L}\nrules:\n  - {id: a, expression: L}\n",
		   "2:25: error: the macro L uses itself");
	first_diag(
		"macros:\n  - {id: L, expression: B}\n  - {id: B, expression: L}\nrules:\n  - {id: a, expression: L}\n",
		"3:25: error: the macro L uses itself");
	first_diag("macros:\n  - {id: L, values: [x]}\n  - {id: L, values: [y]}\n",
		   "3:10: warning: the macro L is defined again");
	first_diag("macros:\n  - {id: L, expression: exec.pid == 1}\n  - {id: L, values: [y], combine: merge}\n",
		   "3:10: error: the macro L has an expression");
	first_diag("macros:\n  - {id: L, expression: '[\"x\"]'}\n  - {id: L, values: [y], combine: merge}\n",
		   "3:10: error: the macro L has an expression");
	first_diag("macros:\n  - {id: O_CREAT, values: [x]}\n",
		   "2:10: warning: the macro O_CREAT has the name of a constant");
	first_diag("macros:\n  - {id: L, expression: '[1'}\nrules:\n  - {id: a, expression: exec.pid in L}\n",
		   "2:28: error: \",\" or \"]\" expected");
	/* a list used as one value is shown where it is used */
	first_diag("macros:\n  - {id: L, values: [x]}\nrules:\n  - {id: a, expression: exec.comm == L}\n",
		   "4:38: error: a list is compared by");
}

static uint32_t rule_root(struct policy_bench *b, const char *id)
{
	struct compile_rule *r = strmap_get(&b->compile->by_id, id, strlen(id));

	assert_true(r && r->ok);
	return program_view(b->compile->builder).rules[r->number].root;
}

#define RULE(id, more) "rules:\n  - {id: " id ", " more "}\n"

/* Two files: what becomes of one id in both. */
static void two(const char *first, const char *second, const char *want_diag, const char *want_expression)
{
	struct policy_bench b, only;
	uint32_t root;

	bench_begin(&b);
	assert_int_equal(compile_add_text(b.compile, "first.yaml", first, strlen(first)), 0);
	assert_int_equal(compile_add_text(b.compile, "second.yaml", second, strlen(second)), 0);
	assert_int_equal(compile_finish(b.compile), 0);
	assert_starts(bench_diag(&b, 0), want_diag);
	if (want_expression) {
		assert_int_equal(bench_expression(&only, want_expression, &root), 0);
		/* both programs begin empty, so equal expressions have equal nodes */
		assert_int_equal(rule_root(&b, "a"), root);
		bench_end(&only);
	} else {
		assert_int_equal(program_view(b.compile->builder).nrules, 0);
	}
	bench_end(&b);
}

static void test_same_id(void **state)
{
	const char *one = RULE("a", "expression: exec.pid == 1 && exec.uid == 1"),
		   *other = RULE("a", "expression: exec.pid == 2");

	two(one, other,
	    "2:10: warning: the rule a is defined again: this copy is ignored (the first is at first.yaml:2",
	    "exec.pid == 1 && exec.uid == 1");
	two(one, RULE("a", "expression: exec.pid == 2, combine: override"), "", "exec.pid == 2");
	two(one, RULE("a", "disabled: true"), "2:10: warning: the rule a is not switched off by this copy",
	    "exec.pid == 1 && exec.uid == 1");
	two(one, RULE("a", "expression: exec.pid == 2, combine: override, disabled: true"),
	    "2:10: warning: the rule a is not switched off by this copy", "exec.pid == 1 && exec.uid == 1");
	two(RULE("a", "disabled: true"), other, "", "exec.pid == 2");
	two(RULE("a", "expression: exec.pid == 2, disabled: true"), RULE("a", "expression: exec.pid == 3"), "",
	    "exec.pid == 2");
	two(one, RULE("a", "tags: {x: y}, combine: override, override_options: {fields: [tags]}"), "",
	    "exec.pid == 1 && exec.uid == 1");
	two("rules: []\n", RULE("a", "combine: override, tags: {x: y}"), "2:10: error: the rule a has no expression",
	    NULL);
	first_diag(RULE("a", "disabled: true, combine: override, override_options: {fields: [tag]}"),
		   "2:76: error: \"tag\" is no part that can be overridden");
}

/* One bad rule is reported and skipped, the rest load. */
static void test_bad_rules(void **state)
{
	struct policy_bench b;

	bench_policy(&b, "rules:\n  - {id: a, expression: exec.pidd == 1}\n  - {id: b, expression: exec.pid == 1}\n"
			 "  - {id: c, expression: process.pid == 1}\n  - {id: d, expression: exec.pid ==}\n"
			 "  - {id: e, expression: exec.pid == 2}\n");
	assert_int_equal(b.diags.errors, 3);
	assert_starts(bench_diag(&b, 0), "2:25: error: unknown name");
	assert_starts(bench_diag(&b, 1), "4:25: error: the rule names no field of an event type");
	assert_starts(bench_diag(&b, 2), "5:36: error: a value expected at the end of the expression");
	assert_int_equal(program_view(b.compile->builder).nrules, 2);
	bench_end(&b);
}

static void test_constant_rules(void **state)
{
	first_diag(RULE("a", "expression: exec.pid == 1 && 1 == 2"), "2:25: warning: the rule can never fire");
	first_diag(RULE("a", "expression: exec.pid == 1 || 1 == 1"),
		   "2:25: warning: the rule fires on every event of its type");
}

/* A policy of one's own switches a rule of the default one off, or takes the place of all of it. */
static void test_default_changed(void **state)
{
	const char *def = RULE("a", "expression: exec.pid == 1"), *off = RULE("a", "disabled: true"),
		   *instead = "replace_policy_id: default\nrules:\n  - {id: b, expression: exec.pid == 2}\n",
		   *nobody = "replace_policy_id: other\nrules: []\n";
	struct policy_bench b;

	bench_begin(&b);
	compile_add_text(b.compile, "own.yaml", off, strlen(off));
	compile_add_text(b.compile, "default.yaml", def, strlen(def));
	assert_int_equal(compile_finish(b.compile), 0);
	assert_int_equal(b.diags.n, 0);
	assert_int_equal(program_view(b.compile->builder).nrules, 0);
	bench_end(&b);

	bench_begin(&b);
	compile_add_text(b.compile, "default.yaml", def, strlen(def));
	compile_add_text(b.compile, "own.yaml", instead, strlen(instead));
	assert_int_equal(compile_finish(b.compile), 0);
	assert_int_equal(b.diags.n, 0);
	assert_int_equal(program_view(b.compile->builder).nrules, 1);
	rule_root(&b, "b");
	bench_end(&b);
	first_diag(nobody, "1:20: warning: no policy is named \"other\": none is replaced");
}

static void compat(const char *version, const char *want)
{
	const char *yaml = "macros:\n  - {id: M, expression: '1', agent_version: < 7.60}\n"
			   "  - {id: M, expression: '2', agent_version: '>= 7.60'}\n"
			   "rules:\n  - {id: a, expression: exec.pid == M, agent_version: < 7.70}\n"
			   "  - {id: a, expression: exec.pid > M, agent_version: '>= 7.70'}\n";
	struct policy_bench b, only;
	uint32_t root;

	bench_begin(&b);
	b.compile->version = version;
	compile_add_text(b.compile, "p.yaml", yaml, strlen(yaml));
	assert_int_equal(compile_finish(b.compile), 0);
	assert_int_equal(b.diags.n, 0);
	assert_int_equal(bench_expression(&only, want, &root), 0);
	assert_int_equal(rule_root(&b, "a"), root);
	bench_end(&only);
	bench_end(&b);
}

static void test_compat_version(void **state)
{
	compat("7.59", "exec.pid == 1");
	compat("7.60.0-rc.3", "exec.pid == 2");
	compat("7.70.1+git.1", "exec.pid > 2");
	assert_true(filter_is_version("7.68"));
	assert_true(filter_is_version("7.68.1-rc.2"));
	assert_false(filter_is_version("7.68,"));
	assert_false(filter_is_version("new"));
	assert_false(filter_is_version(""));
}

static void test_default_first(void **state)
{
	struct policy_bench b;
	const char *x = RULE("a", "expression: exec.pid == 1, disabled: true"),
		   *def = RULE("a", "expression: exec.pid == 2");

	bench_begin(&b);
	compile_add_text(b.compile, "x.policy", x, strlen(x));
	compile_add_text(b.compile, "a/default.policy", def, strlen(def));
	compile_add_text(b.compile, "b/default.policy", def, strlen(def));
	assert_int_equal(compile_finish(b.compile), 0);
	assert_string_equal(b.compile->policies[0]->name, "default");
	assert_int_equal(b.compile->npolicies, 2);
	assert_int_equal(b.compile->ndisabled, 1);
	assert_int_equal(b.diags.warnings, 1);
	bench_end(&b);
}

static void test_tags(void **state)
{
	struct policy_bench b;
	struct program p;
	uint32_t len;

	bench_policy(&b, "version: 1.2\nrules:\n  - id: a\n    expression: exec.pid == 1\n    description: d\n"
			 "    tags: {severity: High, b: c}\n    product_tags: [x:y, z]\n");
	p = program_view(b.compile->builder);
	assert_int_equal(p.nrules, 1);
	assert_int_equal(p.rules[0].severity, 4);
	assert_int_equal(p.rules[0].tags_count, 3);
	assert_memory_equal(program_str(&p, p.rules[0].policy, &len), "policy", 6);
	assert_memory_equal(program_str(&p, p.rules[0].version, &len), "1.2", 3);
	bench_end(&b);
	first_diag("rules:\n  - {id: a, expression: exec.pid == 1, tags: {severity: hi}}\n",
		   "2:10: warning: the severity \"hi\" is not known");
}

/* ---- filters ----------------------------------------------------------------------------------------------------- */

static void test_versions(void **state)
{
	static const struct {
		const char *range;
		int want;
	} cases[] = {
		{ "", 1 },
		{ ">= 7.30, < 7.39", 1 },
		{ ">=7.30 <7.38", 0 },
		{ "7.38", 1 },
		{ "7", 1 },
		{ "7.38.1", 0 },
		{ "!= 7.38", 0 },
		{ "~7.38", 1 },
		{ "~7.37", 0 },
		{ "^7.1", 1 },
		{ "^6", 0 },
		{ "6.x || 7.x", 1 },
		{ "< 7 || > 8", 0 },
		{ "=> 7.38", 1 },
		{ "=< 7.37", 0 },
		{ "v7.38", 1 },
		{ ">= 7.38-rc.1", 1 },
		{ "x", 1 },
		{ ">", -EINVAL },
		{ "7.38 |", -EINVAL },
		{ "7.38 | 8", -EINVAL },
		{ ">>> 7", -EINVAL },
		{ "99999999999999999999", -EINVAL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(filter_version(cases[i].range, "7.38.0"), cases[i].want);
}

static void test_filters(void **state)
{
	struct policy_bench b;

	clean("rules:\n  - {id: a, expression: 'exec.x == 1', filters: [os == \"windows\"]}\n", 0);
	clean("rules:\n  - {id: a, expression: 'create.x == 1', filters: ['os != \"linux\"']}\n", 0);
	clean("rules:\n  - {id: a, expression: exec.pid == 1, filters: [os == \"linux\" || os.id == \"x\"]}\n", 1);
	clean("rules:\n  - {id: a, expression: exec.pid == 1, "
	      "filters: ['os in [\"windows\", \"linux\"]', '!(os == \"x\")']}\n",
	      1);
	clean("rules:\n  - {id: a, expression: exec.pid == 1, agent_version: '>= 99'}\n", 0);
	clean("rules:\n  - {id: a, expression: exec.pid == 1, agent_version: '< 7.71'}\n"
	      "  - {id: a, expression: exec.pid == 2, agent_version: '>= 7.71'}\n",
	      1);
	first_diag("rules:\n  - {id: a, expression: exec.pid == 1, agent_version: new}\n",
		   "2:55: error: \"new\" is no range of versions");
	first_diag("rules:\n  - {id: a, expression: exec.pid == 1, filters: [os.foo == \"x\"]}\n",
		   "2:50: error: unknown fact \"os.foo\"");
	bench_policy(&b, "rules:\n  - {id: a, expression: exec.pid == 1, filters: [os == \"windows\"]}\n");
	assert_int_equal(b.compile->nskipped, 1);
	bench_end(&b);
}

/* ---- bounds ------------------------------------------------------------------------------------------------------ */

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* head, then the format with 0..n-1, then tail; compiled within some seconds whatever it is */
static void big(const char *head, const char *fmt, int n, const char *tail, const char *want)
{
	double begin = seconds();
	struct policy_bench b;
	struct buf text;

	buf_init(&text, 64u << 20);
	buf_puts(&text, head);
	for (int i = 0; i < n; i++) {
		char item[256];

		snprintf(item, sizeof(item), fmt, i, i);
		buf_puts(&text, item);
	}
	buf_puts(&text, tail);
	bench_begin(&b);
	compile_add_text(b.compile, "big.yaml", buf_cstr(&text), text.len);
	assert_int_equal(compile_finish(b.compile), 0);
	assert_starts(bench_diag(&b, 0), want);
	bench_end(&b);
	buf_done(&text);
	assert_true(seconds() - begin < 20);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-extra-args"
static void test_bounds(void **state)
{
	big("", "# %d\n", 500000, "", "0:0: error: big.yaml is larger than 4 MiB");
	big("rules:\n", "  - {id: r%d, expression: exec.pid == %d}\n", 60000, "", "");
	big("rules:\n", "  - {id: r%d}\n", 70000, "", "2:3: error: more than 65536 rules in one file");
	big("tags: {", "a%d: b, ", 5000, "}\n", "1:9138: error: more than 1024 keys in one map");
	big("", "[", 200, "", "1:65: error: lists and maps are nested deeper than 64 levels");
	big("rules: [{id: a, expression: '", "exec.pid == %d || ", 5000, "exec.pid == 1'}]\n",
	    "1:30: error: the expression is longer than 64 KiB");
	big("macros:\n  - {id: M0, expression: exec.pid == 1}\n", "  - {id: N%d, expression: M0 || M0}\n", 10, "", "");
	/* one line, however long */
	big("rules: [", "{id: r%d, expression: exec.pid == %d}, ", 50000, "]\n", "");
	big("rules: [", "'\xc3\xa4', ", 60000, "]\n", "1:9: error: a rule is a map, not text");
}

/* Aliases, and macros in macros, that would grow without end. */
static void test_bombs(void **state)
{
	struct buf text;
	struct policy_bench b;

	buf_init(&text, 1 << 20);
	buf_puts(&text, "version: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 12; i++)
		buf_printf(&text, "k%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1, i - 1, i - 1,
			   i - 1, i - 1);
	bench_policy(&b, buf_cstr(&text));
	assert_non_null(strstr(bench_diag(&b, 0), "parts, those that aliases repeat counted each time"));
	bench_end(&b);

	buf_reset(&text);
	buf_puts(&text, "macros:\n  - {id: M0, expression: exec.pid == 1}\n");
	for (int i = 1; i < 60; i++)
		buf_printf(&text, "  - {id: M%d, expression: M%d || M%d}\n", i, i - 1, i - 1);
	buf_puts(&text, "rules:\n  - {id: a, expression: M59}\n  - {id: b, expression: M3}\n");
	bench_policy(&b, buf_cstr(&text));
	assert_int_equal(b.diags.errors, 1);
	assert_non_null(strstr(bench_diag(&b, 0), "the rule is too large: with its macros in place"));
	assert_int_equal(program_view(b.compile->builder).nrules, 1);
	bench_end(&b);
	buf_done(&text);
}
#pragma GCC diagnostic pop

/* With less and less memory for its trees, a build fails cleanly or is whole. */
static void test_memory(void **state)
{
	static const char yaml[] =
		"macros:\n  - {id: L, values: [x, y]}\nrules:\n  - {id: a, expression: exec.comm in L, tags: {a: b}}\n"
		"  - {id: b, expression: 'open.file.path =~ \"/a/*\"', filters: [os == \"linux\"]}\n";
	unsigned int failed = 0, whole = 0;

	for (size_t max = 0; max < (512u << 10); max += 16 << 10) {
		struct policy_bench b;
		int r;

		bench_begin(&b);
		b.compile->arena.max = max;
		r = compile_add_text(b.compile, "x", yaml, sizeof(yaml) - 1);
		if (r == 0)
			r = compile_finish(b.compile);
		assert_true(r == 0 || r == -ENOMEM);
		failed += r < 0;
		whole += r == 0 && b.compile->nrules == 2 && b.compile->rules[0]->ok;
		bench_end(&b);
	}
	assert_true(failed > 0 && whole > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_yaml),	       cmocka_unit_test(test_keys),
		cmocka_unit_test(test_not_yet),	       cmocka_unit_test(test_durations),
		cmocka_unit_test(test_places),	       cmocka_unit_test(test_print),
		cmocka_unit_test(test_macros),	       cmocka_unit_test(test_same_id),
		cmocka_unit_test(test_bad_rules),      cmocka_unit_test(test_constant_rules),
		cmocka_unit_test(test_default_first),  cmocka_unit_test(test_default_changed),
		cmocka_unit_test(test_compat_version), cmocka_unit_test(test_tags),
		cmocka_unit_test(test_versions),       cmocka_unit_test(test_filters),
		cmocka_unit_test(test_bounds),	       cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
