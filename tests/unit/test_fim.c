/* SPDX-License-Identifier: Apache-2.0 */
/* Rules about fim.write.file.*: what they stand for, and where their errors are. */
#include "tests/unit/policy_bench.h"

#include "policy-compiler/fim.h"

static const struct compile_rule *rule_of(const struct policy_bench *b, const char *id)
{
	return strmap_get(&b->compile->by_id, id, strlen(id));
}

static const char *str(const struct program *p, uint32_t i)
{
	static char s[256];
	uint32_t len;
	const char *text = program_str(p, i, &len);

	snprintf(s, sizeof(s), "%.*s", (int)len, text);
	return s;
}

static void test_rules(void **state)
{
	static const char *const events[] = {
		"open", "chmod", "chown", "link", "rename", "rename_destination", "unlink"
	};
	struct policy_bench b;
	struct program p;

	bench_policy(&b, "rules:\n"
			 "  - id: w\n"
			 "    expression: fim.write.file.path == \"/a\" && process.uid != 0\n"
			 "    tags: {severity: high}\n"
			 "  - id: other\n"
			 "    expression: open.file.path == \"/b\"\n");
	assert_int_equal(b.diags.errors, 0);
	p = program_view(b.compile->builder);
	assert_false(rule_of(&b, "w")->ok);
	assert_true(rule_of(&b, "w")->nparts >= sizeof(events) / sizeof(events[0]));
	assert_int_equal(p.nrules, rule_of(&b, "w")->nparts + 1);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		char id[128];
		const struct compile_rule *rule;
		const struct prule *pr;

		snprintf(id, sizeof(id), "__fim_expanded_%s__w", events[i]);
		rule = rule_of(&b, id);
		assert_true(rule && rule->ok);
		pr = &p.rules[rule->number];
		assert_string_equal(str(&p, pr->id), id);
		assert_string_equal(str(&p, pr->group), "w");
		assert_int_equal(pr->severity, 4);
		assert_string_equal(p.catalog->events[pr->event].name,
				    strcmp(events[i], "rename_destination") == 0 ? "rename" : events[i]);
	}
	bench_end(&b);
}

static void test_switched_off(void **state)
{
	struct policy_bench b;

	bench_policy(&b, "rules:\n"
			 "  - {id: w, expression: fim.write.file.path == \"/a\", disabled: true}\n");
	assert_int_equal(b.diags.errors, 0);
	assert_int_equal(program_view(b.compile->builder).nrules, 0);
	assert_int_equal(b.compile->ndisabled, 1);
	bench_end(&b);
}

/* One error, though the rule stands for several. */
static void only_error(const char *yaml, const char *want)
{
	struct policy_bench b;
	size_t i = 0;

	bench_policy(&b, yaml);
	while (i < b.diags.n && b.diags.v[i].level != DIAG_ERROR)
		i++;
	assert_starts(bench_diag(&b, i), want);
	assert_int_equal(b.diags.errors, 1);
	bench_end(&b);
}

/* Places are those of the text as it was written, for names before and behind what was put in place, and in it. */
static void test_places(void **state)
{
	only_error("rules:\n  - {id: w, expression: bad == 1 && fim.write.file.path == \"/a\"}\n",
		   "2:25: error: unknown name \"bad\"");
	only_error("rules:\n  - {id: w, expression: fim.write.file.path == \"/a\" && bad == 1}\n",
		   "2:56: error: unknown name \"bad\"");
	only_error("rules:\n  - {id: w, expression: fim.write.file.pth == \"/a\"}\n",
		   "2:25: error: unknown name \"open.file.pth\"");
	only_error("rules:\n  - {id: w, expression: 'fim.write.file.path == \"/a'}\n", "2:49: error: ");
	only_error("rules:\n  - {id: w, expression: fim.write.file.path == \"/a\" && open.flags == 1}\n",
		   "2:56: error: open.flags is a field of \"open\" events, but chmod.file.path");
	only_error("macros:\n  - {id: M, expression: fim.write.file.path == \"/a\"}\n"
		   "rules:\n  - {id: w, expression: M && exec.pid == 1}\n",
		   "2:25: error: fim.write.file.path stands for the fields of several events: only a rule");
}

static void test_warned_once(void **state)
{
	struct policy_bench b;
	size_t n = 0;

	bench_policy(&b, "rules:\n  - {id: w, expression: fim.write.file.name != \"*\"}\n");
	assert_int_equal(b.diags.errors, 0);
	for (size_t i = 0; i < b.diags.n; i++)
		n += strncmp(b.diags.v[i].msg, "a bare wildcard", 15) == 0;
	assert_int_equal(n, 1);
	assert_int_equal(b.diags.n, b.diags.warnings);
	bench_end(&b);
}

static void test_text(void **state)
{
	struct arena a = arena_of(1 << 20);
	const struct source *src = source_text(&a, "t", "%{fim.write.file.name} in \"fim.write.file.name\"", 47);
	struct text text = { .s = src->bytes, .len = 47, .raw = { src, 0, 47 } };
	struct fim_rule *rules;
	struct span s;
	size_t n;

	assert_int_equal(fim_expand(&a, "i", "g", &text, &rules, &n), 0);
	assert_int_equal(n, 8);
	assert_string_equal(rules[1].id, "__fim_expanded_chmod_g_i");
	assert_string_equal(rules[1].expression->s, "%{chmod.file.name} in \"fim.write.file.name\"");
	assert_string_equal(rules[5].event, "rename");
	assert_string_equal(rules[5].expression->s, "%{rename.file.destination.name} in \"fim.write.file.name\"");
	/* the whole name, what is behind it, and the end of one that has a part more */
	s = text_span(rules[1].expression, 0, 18);
	assert_true(s.off == 0 && s.len == 22);
	s = text_span(rules[1].expression, 19, 2);
	assert_true(s.off == 23 && s.len == 2);
	s = text_span(rules[0].expression, rules[0].expression->len - 3, 3);
	assert_true(s.off == 47 && s.len == 0);
	text.len = 22;
	text.s = "open.file.name == \"a\" ";
	assert_int_equal(fim_expand(&a, "i", "", &text, &rules, &n), 0);
	assert_int_equal(n, 0);
	arena_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),	    cmocka_unit_test(test_switched_off), cmocka_unit_test(test_places),
		cmocka_unit_test(test_warned_once), cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
