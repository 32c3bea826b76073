/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/judge.h"

#include <errno.h>

#include "policy-compiler/check.h"
#include "policy-compiler/deny.h"
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

/* As it was written. */
static const char *name_of(const struct compile_rule *rule)
{
	return rule->origin ? rule->origin : rule->id;
}

static void warn_never(struct compile *c, const struct compile_rule *rule)
{
	diag_warn(c->diags, rule->unseen[0].at, "the rule %s can never fire with this sensor: %s", name_of(rule),
		  rule->why_never);
	diag_help(c->diags, "it is kept, and can be tested on events in JSON");
}

/* A part of a rule about fim.write.file.*, others of which can fire. */
static void warn_without(struct compile *c, const struct compile_rule *rule)
{
	diag_warn(c->diags, rule->unseen[0].at, "the rule %s goes without one kind of change with this sensor: %s",
		  name_of(rule), rule->why_never);
	diag_help(c->diags, "it fires on the other kinds");
}

static void warn_part(struct compile *c, const struct program *p, const struct unseen *u,
		      const struct compile_rule *rule, const struct unseen_use *use)
{
	const char *why = catalog_why_unseen(c->catalog, use->field);
	char part[PART_TEXT_MAX + 4];
	uint32_t node;

	if (!unseen_part(u, p->rules[rule->number].root, use->field, &node)) {
		diag_warn(c->diags, use->at, "this sensor cannot observe %s (%s): in the rule %s it is always %s",
			  use->field->name, why, name_of(rule), empty_word(c->catalog, use->field));
		return;
	}
	put_part(p, node, part, sizeof(part));
	diag_warn(c->diags, use->at,
		  "this sensor cannot observe %s (%s): it is always %s, so in the rule %s the part %s is %s true",
		  use->field->name, why, empty_word(c->catalog, use->field), name_of(rule), part,
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
	else if (never && rule->nunseen)
		rule->sight = SIGHT_UNSEEN;
	if (rule->sight != SIGHT_UNSEEN)
		return 0;
	rule->why_never = why_never(c, r->event, rule->unseen[0].field);
	return rule->why_never ? 0 : -ENOMEM;
}

size_t judge_group(const struct compile *c, size_t i, bool *ret_ok, enum sight *ret_sight)
{
	const struct compile_rule *first = c->rules[i];
	size_t n = 0;

	*ret_ok = false;
	*ret_sight = SIGHT_NEVER;
	for (; i + n < c->nrules; n++) {
		const struct compile_rule *rule = c->rules[i + n];

		if (n && (!rule->origin || rule->origin != first->origin))
			break;
		*ret_ok |= rule->ok;
		if (rule->ok && rule->sight < *ret_sight)
			*ret_sight = rule->sight;
	}
	return n;
}

/* Of rules that were written as one: the first that can fire says what goes for all. */
static void tell_group(struct compile *c, const struct program *p, const struct unseen *u, size_t i, size_t n,
		       enum sight sight)
{
	bool told = false;

	for (size_t end = i + n; i < end; i++) {
		const struct compile_rule *rule = c->rules[i];

		if (!rule->ok)
			continue;
		if (rule->sight == SIGHT_UNSEEN && sight == SIGHT_FIRES) {
			warn_without(c, rule);
		} else if (rule->sight == SIGHT_UNSEEN && !told) {
			warn_never(c, rule);
			told = true;
		} else if (rule->sight == SIGHT_FIRES && !told) {
			for (size_t k = 0; k < rule->nunseen; k++)
				warn_part(c, p, u, rule, &rule->unseen[k]);
			told = true;
		}
	}
}

static const struct ynode *deny_of(const struct ynode *actions)
{
	for (size_t i = 0; i < actions->n; i++)
		if (ynode_get(actions->items[i], "deny"))
			return actions->items[i];
	return actions;
}

/* What the rule alone shows; that the tables are too small for it is seen when they are made (cmd_build.c). */
static void warn_deny(struct compile *c, const struct program *p, const struct compile_rule *rule)
{
	const struct prule *r = &p->rules[rule->number];
	char part[PART_TEXT_MAX + 4] = "", why[PART_TEXT_MAX + 200];
	uint32_t node = 0;
	enum deny_why deny = deny_of_rule(p, r, &node);

	if (deny <= DENY_KERNEL)
		return;
	if (deny_has_node(deny))
		put_part(p, node, part, sizeof(part));
	deny_say(deny, part, why, sizeof(why));
	diag_warn(c->diags, deny_of(rule->actions)->at, "the rule %s refuses nothing: %s", name_of(rule), why);
	diag_help(c->diags, "it raises its alert all the same");
}

int judge_rules(struct compile *c)
{
	struct program p = program_view(c->builder);
	_cleanup_(unseen_free) struct unseen *u = NULL;
	int r = unseen_new(&p, &u);
	enum sight sight;
	size_t n;
	bool ok;

	for (size_t i = 0; i < c->nrules && r == 0; i++)
		if (c->rules[i]->ok)
			r = judge_rule(c, &p, u, c->rules[i]);
	for (size_t i = 0; i < c->nrules && r == 0; i += n) {
		n = judge_group(c, i, &ok, &sight);
		tell_group(c, &p, u, i, n, sight);
	}
	for (size_t i = 0; i < c->nrules && r == 0; i++)
		if (c->rules[i]->ok && c->rules[i]->actions)
			warn_deny(c, &p, c->rules[i]);
	return r;
}
