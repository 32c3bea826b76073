/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: files, versions, what rules do one after another. */
#include <stdio.h>
#include <string.h>

#include "policy-compiler/filter.h"
#include "policy-compiler/fim.h"
#include "tests/conformance/conf.h"

void run_policy_load(struct bench *b, const json_t *c, struct outcome *o)
{
	const char *yaml = case_text(c, "yaml");
	bool ok = compile_add_text(b->compile, "case", yaml, strlen(yaml)) == 0 && compile_finish(b->compile) == 0;

	bench_note_error(b);
	outcome_texts(o, case_flag(c, "ok") ? "ok" : "an error", ok && b->diags.errors == 0 ? "ok" : "an error");
}

/* Each rule's range of versions: which are loaded. */
void run_agent_version(struct bench *b, const json_t *c, struct outcome *o)
{
	json_t *want = conf_must(json_object()), *got = conf_must(json_object());
	const json_t *rules = json_object_get(c, "rules");

	for (size_t i = 0; i < json_array_size(rules); i++) {
		const json_t *rule = json_array_get(rules, i);
		int r = filter_version(case_text(rule, "constraint"), case_text(c, "agent_version"));

		json_object_set_new(want, case_text(rule, "id"), json_boolean(case_flag(rule, "loaded")));
		json_object_set_new(got, case_text(rule, "id"), r < 0 ? json_string("no range") : json_boolean(r));
	}
	outcome_json(o, want, got);
	json_decref(want);
	json_decref(got);
}

/* The rules that one about fim.write.file.* stands for, as texts. */
void run_fim_expand(struct bench *b, const json_t *c, struct outcome *o)
{
	json_t *got = conf_must(json_array());
	struct fim_rule *rules = NULL;
	size_t n = 0;
	int r = fim_expand(&b->compile->arena, case_text(c, "id_in"), case_text(c, "group_id"),
			   bench_text(b, case_text(c, "expression")), &rules, &n);

	for (size_t i = 0; i < n && r == 0; i++)
		json_array_append_new(got, json_pack("{s:s, s:s%}", "id", rules[i].id, "expression",
						     rules[i].expression->s, (size_t)rules[i].expression->len));
	/* a rule that stands for itself alone */
	if (r == 0 && !n)
		json_array_append_new(got, json_pack("{s:s, s:s}", "id", case_text(c, "id_in"), "expression",
						     case_text(c, "expression")));
	outcome_json(o, json_object_get(c, "expected"), got);
	json_decref(got);
}
