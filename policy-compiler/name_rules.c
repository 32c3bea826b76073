/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/name_rules.h"

#include <errno.h>
#include <string.h>

#define ANSWERS "dns.response.code == NOERROR && network.network_direction == INGRESS"

static bool asks_for_names(const struct program *p)
{
	for (uint32_t i = 0; i < p->nnodes; i++) {
		const char *name = p->nodes[i].op == N_FIELD ? p->catalog->fields[p->nodes[i].a].name : "";

		if (strcmp(name, "connect.addr.hostname") == 0 || strcmp(name, "accept.addr.hostname") == 0)
			return true;
	}
	return false;
}

static int64_t add_string(struct compile *c, const char *s)
{
	return program_str_add(c->builder, s, strlen(s));
}

int name_rules_add(struct compile *c)
{
	struct program p = program_view(c->builder);
	struct prule rule = { .flags = PRULE_SILENT };
	struct diags *told = c->diags, ours = diags_new();
	int64_t id, none, r;
	const struct source *src;
	struct text text;

	if (!asks_for_names(&p))
		return 0;
	src = source_text(&c->arena, "names", ANSWERS, strlen(ANSWERS));
	id = add_string(c, "names");
	none = add_string(c, "");
	if (!src || id < 0 || none < 0)
		return !src ? -ENOMEM : (int)(id < 0 ? id : none);
	text = (struct text){ .s = src->bytes, .len = (uint32_t)src->size, .raw = { src, 0, (uint32_t)src->size } };
	c->diags = &ours; /* nobody has written it */
	r = compile_expression(c, &text, &rule.event, &rule.root);
	c->diags = told;
	diags_done(&ours);
	if (r < 0)
		return (int)r;
	rule.id = (uint32_t)id;
	rule.description = rule.policy = rule.version = rule.group = (uint32_t)none;
	r = program_rule_add(c->builder, &rule, NULL, 0);
	return r < 0 ? (int)r : 0;
}
