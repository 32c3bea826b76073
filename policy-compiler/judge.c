/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/judge.h"

#include <errno.h>

#include "policy-compiler/check.h"
#include "policy-compiler/node_text.h"
#include "policy-compiler/unseen.h"

#define PART_TEXT_MAX 120 /* bytes of a condition in a warning */

/* What a field that is not observed is taken as: one of all ancestors in each of them. */
static const char *empty_word(const struct catalog *c, const struct cat_field *f)
{
	if (program_field_several(c, f) || f->type == VAL_STR || f->type == VAL_IP)
		return "empty";
	return f->type == VAL_BOOL ? "false" : "0";
}

/* The text of a condition as far as it fits; "its condition" without memory. */
static void put_part(const struct program *p, uint32_t node, char *ret, size_t size)
{
	struct buf b;

	buf_init(&b, 64u << 10);
	node_text(p, node, false, &b);
	if (!b.len)
		snprintf(ret, size, "its condition");
	else
		snprintf(ret, size, "%.*s%s", (int)(b.len < PART_TEXT_MAX ? b.len : PART_TEXT_MAX),
			 (const char *)b.data, b.len > PART_TEXT_MAX ? "..." : "");
	buf_done(&b);
}

static void warn_never(struct compile *c, const struct compile_rule *rule, const struct unseen_use *use)
{
	diag_warn(c->diags, use->at, "the rule %s can never fire with this sensor: %s", rule->id, rule->why_never);
	diag_help(c->diags, "it is kept, and can be tested on events in JSON");
}

static void warn_part(struct compile *c, const struct program *p, const struct unseen *u,
		      const struct compile_rule *rule, const struct unseen_use *use)
{
	const char *why = catalog_why_unseen(c->catalog, use->field);
	char part[PART_TEXT_MAX + 4];
	uint32_t node;

	if (!unseen_part(u, p->rules[rule->number].root, use->field, &node)) {
		diag_warn(c->diags, use->at, "this sensor cannot observe %s (%s): in the rule %s it is always %s",
			  use->field->name, why, rule->id, empty_word(c->catalog, use->field));
		return;
	}
	put_part(p, node, part, sizeof(part));
	diag_warn(c->diags, use->at,
		  "this sensor cannot observe %s (%s): it is always %s, so in the rule %s the part %s is %s true",
		  use->field->name, why, empty_word(c->catalog, use->field), rule->id, part,
		  unseen_truth(u, node) == TRUTH_TRUE ? "always" : "never");
	diag_help(c->diags, "the rule can fire by what else it asks for");
}

static const char *why_never(struct compile *c, uint16_t event, const struct cat_field *f)
{
	const struct cat_event *e = &c->catalog->events[event];
	const char *why = e->why_unseen ? e->why_unseen : catalog_why_unseen(c->catalog, f);
	const char *what = e->why_unseen ? e->name : f->name;
	size_t size = strlen(what) + strlen(why) + 32;
	char *s = arena_alloc(&c->arena, size);

	if (s)
		snprintf(s, size, "it cannot observe %s%s (%s)", what, e->why_unseen ? " events" : "", why);
	return s;
}

static int judge_rule(struct compile *c, const struct program *p, const struct unseen *u, struct compile_rule *rule)
{
	const struct prule *r = &p->rules[rule->number];
	bool never = c->catalog->events[r->event].why_unseen || unseen_truth(u, r->root) == TRUTH_FALSE;

	if (p->nodes[r->root].op == N_BOOL && !p->nodes[r->root].imm)
		rule->sight = SIGHT_NEVER; /* which was said already */
	else if (never)
		rule->sight = SIGHT_UNSEEN;
	if (rule->sight == SIGHT_UNSEEN && rule->nunseen) {
		rule->why_never = why_never(c, r->event, rule->unseen[0].field);
		if (!rule->why_never)
			return -ENOMEM;
		warn_never(c, rule, &rule->unseen[0]);
	}
	for (size_t i = 0; i < rule->nunseen && rule->sight == SIGHT_FIRES; i++)
		warn_part(c, p, u, rule, &rule->unseen[i]);
	return 0;
}

int judge_rules(struct compile *c)
{
	struct program p = program_view(c->builder);
	_cleanup_(unseen_free) struct unseen *u = NULL;
	int r = unseen_new(&p, &u);

	for (size_t i = 0; i < c->nrules && r == 0; i++)
		if (c->rules[i]->ok)
			r = judge_rule(c, &p, u, c->rules[i]);
	return r;
}
