/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/policy.h"

#include <errno.h>

#include "policy-compiler/policy_keys.h"

/* ---- parts ------------------------------------------------------------------------------------------------------- */

struct reader {
	struct arena *arena;
	struct diags *diags;
	struct policy *policy;
};

static const char *text_of(const struct ynode *map, const char *key)
{
	const struct ynode *n = ynode_get(map, key);

	return n ? n->text.s : NULL;
}

static const struct text *expression_of(const struct ynode *map, const char *key)
{
	const struct ynode *n = ynode_get(map, key);

	return n ? &n->text : NULL;
}

static bool is_id(const char *s, size_t len, const char *more)
{
	if (!len || strlen(s) != len)
		return false;
	for (; *s; s++)
		if (!(*s >= '0' && *s <= '9') && !((*s | 32) >= 'a' && (*s | 32) <= 'z') && !strchr(more, *s))
			return false;
	return true;
}

/* @more: what an id may have beside letters and digits. */
static int read_id(struct reader *r, const struct ynode *map, const char *what, const char *more,
		   const struct ynode **ret)
{
	const struct ynode *id = ynode_get(map, "id");

	if (!id) {
		diag_error(r->diags, map->at, "%s without an id", what);
		diag_help(r->diags, "add \"id: name\"");
		return -EINVAL;
	}
	if (!is_id(id->text.s, id->text.len, more)) {
		diag_error(r->diags, id->at, "\"%s\" is no id", id->text.s);
		diag_help(r->diags, "an id has letters, digits and these: %s", more);
		return -EINVAL;
	}
	*ret = id;
	return 0;
}

static enum policy_combine combine_of(const struct ynode *map)
{
	const struct ynode *n = ynode_get(map, "combine");

	if (!n)
		return POLICY_COMBINE_NONE;
	return ynode_is(n, "merge") ? POLICY_COMBINE_MERGE : POLICY_COMBINE_OVERRIDE;
}

/* ---- macros ------------------------------------------------------------------------------------------------------ */

static int read_values(struct reader *r, const struct ynode *list, struct policy_macro *m)
{
	if (!list->n) {
		diag_error(r->diags, list->at, "a macro with an empty list of values");
		diag_help(r->diags, "add a value");
		return -EINVAL;
	}
	m->values = arena_array(r->arena, list->n, sizeof(m->values[0]));
	if (!m->values)
		return -ENOMEM;
	m->nvalues = list->n;
	for (size_t i = 0; i < list->n; i++)
		m->values[i] = &list->items[i]->text;
	return 0;
}

static int read_macro(struct reader *r, const struct ynode *map, struct policy_macro *ret)
{
	const struct ynode *values = ynode_get(map, "values"), *id;
	struct policy_macro m = { .combine = combine_of(map) };
	int err = keys_check(map, policy_macro_keys, "a macro", r->diags);

	if (err == 0)
		err = read_id(r, map, "a macro", "_", &id);
	if (err < 0)
		return err;
	m.id = id->text.s;
	m.at = id->at;
	m.begin = map->at.off;
	m.expression = expression_of(map, "expression");
	m.agent_version = ynode_get(map, "agent_version");
	m.filters = ynode_get(map, "filters");
	if (!m.expression == !values) {
		diag_error(r->diags, id->at,
			   values ? "a macro with both an expression and values"
				  : "a macro without an expression or values");
		diag_help(r->diags, "give it one of them");
		return -EINVAL;
	}
	if (m.combine == POLICY_COMBINE_MERGE && !values) {
		diag_error(r->diags, id->at, "\"combine: merge\" in a macro with an expression");
		diag_help(r->diags, "only macros with values can be merged");
		return -EINVAL;
	}
	if (values)
		err = read_values(r, values, &m);
	if (err == 0)
		*ret = m;
	return err;
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */

static int read_tags(struct reader *r, const struct ynode *map, struct policy_rule *rule)
{
	if (map->n > POLICY_TAGS_MAX) {
		diag_error(r->diags, map->at, "more than %d tags", POLICY_TAGS_MAX);
		return -EINVAL;
	}
	rule->tags = arena_array(r->arena, map->n ? map->n : 1, sizeof(rule->tags[0]));
	if (!rule->tags)
		return -ENOMEM;
	for (size_t i = 0; i < map->n; i++) {
		if (map->items[i]->kind != YNODE_SCALAR) {
			diag_error(r->diags, map->items[i]->at, "the tag \"%s\" is %s, not text", map->keys[i]->text.s,
				   ynode_kind_name(map->items[i]));
			diag_help(r->diags, "join several values by commas");
			return -EINVAL;
		}
		rule->tags[rule->ntags++] = (struct policy_tag){ map->keys[i]->text.s, map->items[i]->text.s };
	}
	return 0;
}

static int read_product_tags(struct reader *r, const struct ynode *list, struct policy_rule *rule)
{
	size_t size = 1, at = 0;
	char *s;

	for (size_t i = 0; i < list->n; i++)
		size += list->items[i]->text.len + 2;
	s = arena_alloc(r->arena, size);
	if (!s)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		if (i) {
			memcpy(s + at, ", ", 2);
			at += 2;
		}
		memcpy(s + at, list->items[i]->text.s, list->items[i]->text.len);
		at += list->items[i]->text.len;
	}
	rule->product_tags = s;
	return 0;
}

static int read_override(struct reader *r, const struct ynode *map, struct policy_rule *rule)
{
	static const struct {
		const char *name;
		unsigned int part;
	} parts[] = { { "all", POLICY_PART_ALL },	  { "expression", POLICY_PART_EXPRESSION },
		      { "actions", POLICY_PART_ACTIONS }, { "every", POLICY_PART_EVERY },
		      { "tags", POLICY_PART_TAGS },	  { "product_tags", POLICY_PART_PRODUCT_TAGS } };
	const struct ynode *options = ynode_get(map, "override_options");
	const struct ynode *fields = options ? ynode_get(options, "fields") : NULL;

	/* without a list it is the expression alone */
	rule->override = fields && fields->n ? 0 : POLICY_PART_EXPRESSION;
	for (size_t i = 0; fields && i < fields->n; i++) {
		unsigned int part = 0;

		for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++)
			if (ynode_is(fields->items[i], parts[k].name))
				part = parts[k].part;
		if (!part) {
			diag_error(r->diags, fields->items[i]->at, "\"%s\" is no part that can be overridden",
				   fields->items[i]->text.s);
			diag_help(r->diags, "parts are all, expression, actions, every, tags and product_tags");
			return -EINVAL;
		}
		rule->override |= part;
	}
	return 0;
}

static int read_rule_parts(struct reader *r, const struct ynode *map, struct policy_rule *rule)
{
	const struct ynode *tags = ynode_get(map, "tags"), *products = ynode_get(map, "product_tags");
	const struct ynode *disabled = ynode_get(map, "disabled"), *silent = ynode_get(map, "silent"),
			   *priority = ynode_get(map, "priority");
	int err = tags ? read_tags(r, tags, rule) : 0;

	if (err == 0 && products)
		err = read_product_tags(r, products, rule);
	if (err == 0)
		err = read_override(r, map, rule);
	if (disabled)
		ynode_bool(disabled, &rule->disabled);
	rule->expression = expression_of(map, "expression");
	rule->version = text_of(map, "version");
	rule->description = text_of(map, "description");
	rule->agent_version = ynode_get(map, "agent_version");
	rule->filters = ynode_get(map, "filters");
	rule->actions = ynode_get(map, "actions");
	rule->every = ynode_get(map, "every");
	rule->limiter_token = ynode_get(map, "limiter_token");
	if (silent)
		ynode_bool(silent, &rule->silent);
	if (priority)
		ynode_int(priority, &rule->priority);
	rule->group_id = text_of(map, "group_id");
	rule->combine = combine_of(map);
	return err;
}

static int read_rule(struct reader *r, const struct ynode *map, struct policy_rule *ret)
{
	struct policy_rule rule = { .policy = r->policy };
	const struct ynode *id;
	int err = keys_check(map, policy_rule_keys, "a rule", r->diags);

	if (err == 0)
		err = read_id(r, map, "a rule", "_.-", &id);
	if (err < 0)
		return err;
	rule.id = id->text.s;
	rule.at = id->at;
	rule.begin = map->at.off;
	err = read_rule_parts(r, map, &rule);
	if (err < 0)
		return err;
	if (!rule.expression && !rule.disabled && rule.combine != POLICY_COMBINE_OVERRIDE) {
		diag_error(r->diags, id->at, "the rule %s has no expression", rule.id);
		diag_help(r->diags, "add \"expression: ...\", or \"disabled: true\"");
		return -EINVAL;
	}
	*ret = rule;
	return 0;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static bool is_map(struct reader *r, const struct ynode *n, const char *what)
{
	if (n->kind == YNODE_MAP)
		return true;
	diag_error(r->diags, n->at, "%s is a map, not %s", what, ynode_kind_name(n));
	diag_help(r->diags, "write \"- id: name\" with the other keys below \"id\"");
	return false;
}

static int read_macros(struct reader *r, const struct ynode *list)
{
	struct policy *p = r->policy;

	p->macros = arena_array(r->arena, list->n + 1, sizeof(p->macros[0]));
	if (!p->macros)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		int err = is_map(r, list->items[i], "a macro") ? read_macro(r, list->items[i], &p->macros[p->nmacros])
							       : -EINVAL;

		if (err == -ENOMEM)
			return err;
		p->nmacros += err == 0;
	}
	return 0;
}

static int read_rules(struct reader *r, const struct ynode *list)
{
	struct policy *p = r->policy;

	if (list->n > POLICY_RULES_MAX)
		return diag_error(r->diags, list->at, "more than %d rules in one file", POLICY_RULES_MAX);
	p->rules = arena_array(r->arena, list->n + 1, sizeof(p->rules[0]));
	if (!p->rules)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		int err = is_map(r, list->items[i], "a rule") ? read_rule(r, list->items[i], &p->rules[p->nrules])
							      : -EINVAL;

		if (err == -ENOMEM)
			return err;
		p->nrules += err == 0;
	}
	return 0;
}

static int read_watches(struct reader *r, const struct ynode *list)
{
	struct policy *p = r->policy;

	p->watches = arena_array(r->arena, list->n + 1, sizeof(p->watches[0]));
	if (!p->watches)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		int err = is_map(r, list->items[i], "a watch")
				  ? watch_read(r->arena, r->diags, p, list->items[i], &p->watches[p->nwatches])
				  : -EINVAL;

		if (err == -ENOMEM)
			return err;
		p->nwatches += err == 0;
	}
	return 0;
}

/* "dir/best-practice.policy" -> "best-practice" */
static const char *policy_name(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');

	return arena_strdup(a, name, dot && dot != name ? (size_t)(dot - name) : strlen(name));
}

static int read_root(struct reader *r, const struct ynode *root)
{
	const struct ynode *macros, *rules, *watches;
	int err = 0;

	if (root->kind != YNODE_MAP) {
		diag_error(r->diags, root->at, "a policy is a map, not %s", ynode_kind_name(root));
		diag_help(r->diags, "a policy begins with \"rules:\"; see docs/policies.md");
		return -EINVAL;
	}
	keys_check(root, policy_keys, "a policy", r->diags);
	r->policy->version = text_of(root, "version");
	r->policy->replaces = ynode_get(root, "replace_policy_id");
	r->policy->tests = ynode_get(root, "tests");
	macros = ynode_get(root, "macros");
	rules = ynode_get(root, "rules");
	watches = ynode_get(root, "watches");
	if (macros && macros->kind == YNODE_LIST)
		err = read_macros(r, macros);
	if (err == 0 && rules && rules->kind == YNODE_LIST)
		err = read_rules(r, rules);
	if (err == 0 && watches && watches->kind == YNODE_LIST)
		err = read_watches(r, watches);
	return err;
}

int policy_read(struct arena *a, const struct source *src, struct diags *d, struct policy **ret)
{
	struct reader r = { .arena = a, .diags = d };
	struct ynode *root;
	int err = yaml_parse(a, src, d, &root);

	if (err < 0)
		return err;
	r.policy = arena_alloc(a, sizeof(*r.policy));
	if (!r.policy)
		return -ENOMEM;
	r.policy->src = src;
	r.policy->name = policy_name(a, src->path);
	if (!r.policy->name)
		return -ENOMEM;
	err = read_root(&r, root);
	if (err == 0)
		*ret = r.policy;
	return err;
}
