/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/policy.h"

#include <errno.h>

#include "policy-compiler/keys.h"

/* ---- the keys ---------------------------------------------------------------------------------------------------- */

static const char *const combine_macro_words[] = { "merge", "override", NULL };
static const char *const combine_rule_words[] = { "override", NULL };
static const char *const type_words[] = { "policy", "content_pack", NULL };
static const char *const scope_words[] = { "process", "container", "cgroup", NULL };

static const struct key set_keys[] = {
	{ .name = "name", .shape = KEY_TEXT },
	{ .name = "value", .shape = KEY_ANY },
	{ .name = "field", .shape = KEY_TEXT },
	{ .name = "expression", .shape = KEY_TEXT },
	{ .name = "default_value", .shape = KEY_ANY },
	{ .name = "append", .shape = KEY_BOOL },
	{ .name = "scope", .shape = KEY_TEXT, .words = scope_words },
	{ .name = "scope_field", .shape = KEY_TEXT },
	{ .name = "size", .shape = KEY_INT },
	{ .name = "ttl", .shape = KEY_DURATION },
	{ .name = "private", .shape = KEY_BOOL },
	{ .name = "inherited", .shape = KEY_BOOL },
	{ 0 },
};

static const struct key kill_keys[] = {
	{ .name = "signal", .shape = KEY_TEXT },
	{ .name = "scope", .shape = KEY_TEXT, .words = scope_words },
	{ .name = "disable_container_disarmer", .shape = KEY_BOOL },
	{ .name = "disable_executable_disarmer", .shape = KEY_BOOL },
	{ 0 },
};

static const struct key coredump_keys[] = {
	{ .name = "process", .shape = KEY_BOOL },
	{ .name = "mount", .shape = KEY_BOOL },
	{ .name = "dentry", .shape = KEY_BOOL },
	{ .name = "no_compression", .shape = KEY_BOOL },
	{ 0 },
};

static const struct key hash_keys[] = {
	{ .name = "field", .shape = KEY_TEXT },
	{ .name = "max_file_size", .shape = KEY_INT },
	{ 0 },
};

static const struct key log_keys[] = {
	{ .name = "level", .shape = KEY_TEXT },
	{ .name = "message", .shape = KEY_TEXT },
	{ 0 },
};

static const struct key network_filter_keys[] = {
	{ .name = "filter", .shape = KEY_TEXT },
	{ .name = "policy", .shape = KEY_TEXT },
	{ .name = "scope", .shape = KEY_TEXT, .words = scope_words },
	{ 0 },
};

static const struct key action_keys[] = {
	{ .name = "filter", .shape = KEY_TEXT },
	{ .name = "set", .shape = KEY_MAP, .keys = set_keys },
	{ .name = "kill", .shape = KEY_MAP, .keys = kill_keys },
	{ .name = "coredump", .shape = KEY_MAP, .keys = coredump_keys },
	{ .name = "hash", .shape = KEY_MAP, .keys = hash_keys },
	{ .name = "log", .shape = KEY_MAP, .keys = log_keys },
	{ .name = "network_filter", .shape = KEY_MAP, .keys = network_filter_keys },
	{ 0 },
};

static const struct key override_keys[] = {
	{ .name = "fields", .shape = KEY_TEXT_LIST },
	{ 0 },
};

static const struct key rule_keys[] = {
	{ .name = "id", .shape = KEY_TEXT },
	{ .name = "version", .shape = KEY_TEXT },
	{ .name = "expression", .shape = KEY_TEXT },
	{ .name = "description", .shape = KEY_TEXT },
	{ .name = "tags", .shape = KEY_MAP },
	{ .name = "product_tags", .shape = KEY_TEXT_LIST },
	{ .name = "agent_version", .shape = KEY_TEXT },
	{ .name = "filters", .shape = KEY_TEXT_LIST },
	{ .name = "disabled", .shape = KEY_BOOL },
	{ .name = "combine", .shape = KEY_TEXT, .words = combine_rule_words },
	{ .name = "override_options", .shape = KEY_MAP, .keys = override_keys },
	{ .name = "actions",
	  .shape = KEY_MAP_LIST,
	  .keys = action_keys,
	  .not_yet = "the rule raises its alert; its actions do not run" },
	{ .name = "every", .shape = KEY_DURATION, .not_yet = "every match raises an alert" },
	{ .name = "limiter_token", .shape = KEY_TEXT_LIST, .not_yet = "every match raises an alert" },
	{ .name = "silent", .shape = KEY_BOOL, .not_yet = "the rule raises alerts all the same" },
	{ .name = "group_id", .shape = KEY_TEXT, .not_yet = "rules are not grouped" },
	{ .name = "priority", .shape = KEY_INT, .not_yet = "rules are evaluated in the order of the files" },
	{ 0 },
};

static const struct key macro_keys[] = {
	{ .name = "id", .shape = KEY_TEXT },
	{ .name = "expression", .shape = KEY_TEXT },
	{ .name = "values", .shape = KEY_TEXT_LIST },
	{ .name = "description", .shape = KEY_TEXT },
	{ .name = "agent_version", .shape = KEY_TEXT },
	{ .name = "filters", .shape = KEY_TEXT_LIST },
	{ .name = "combine", .shape = KEY_TEXT, .words = combine_macro_words },
	{ 0 },
};

static const struct key policy_keys[] = {
	{ .name = "version", .shape = KEY_TEXT },
	{ .name = "type", .shape = KEY_TEXT, .words = type_words },
	{ .name = "replace_policy_id", .shape = KEY_TEXT, .not_yet = "the other policy's rules stay" },
	{ .name = "macros", .shape = KEY_LIST },
	{ .name = "rules", .shape = KEY_LIST },
	{ .name = "tests", .shape = KEY_LIST },
	{ .name = "watches", .shape = KEY_LIST, .not_yet = "no file is watched by it" },
	{ .name = "hooks", .shape = KEY_LIST, .not_yet = "no probe is made on demand" },
	{ 0 },
};

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
	int err = keys_check(map, macro_keys, "a macro", r->diags);

	if (err == 0)
		err = read_id(r, map, "a macro", "_", &id);
	if (err < 0)
		return err;
	m.id = id->text.s;
	m.at = id->at;
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
	const struct ynode *disabled = ynode_get(map, "disabled");
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
	rule->combine = combine_of(map);
	return err;
}

static int read_rule(struct reader *r, const struct ynode *map, struct policy_rule *ret)
{
	struct policy_rule rule = { .policy = r->policy };
	const struct ynode *id;
	int err = keys_check(map, rule_keys, "a rule", r->diags);

	if (err == 0)
		err = read_id(r, map, "a rule", "_.-", &id);
	if (err < 0)
		return err;
	rule.id = id->text.s;
	rule.at = id->at;
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

/* "dir/best-practice.policy" -> "best-practice" */
static const char *policy_name(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');

	return arena_strdup(a, name, dot && dot != name ? (size_t)(dot - name) : strlen(name));
}

static int read_root(struct reader *r, const struct ynode *root)
{
	const struct ynode *macros, *rules;
	int err = 0;

	if (root->kind != YNODE_MAP) {
		diag_error(r->diags, root->at, "a policy is a map, not %s", ynode_kind_name(root));
		diag_help(r->diags, "a policy begins with \"rules:\"; see docs/policies.md");
		return -EINVAL;
	}
	keys_check(root, policy_keys, "a policy", r->diags);
	r->policy->version = text_of(root, "version");
	r->policy->tests = ynode_get(root, "tests");
	macros = ynode_get(root, "macros");
	rules = ynode_get(root, "rules");
	if (macros && macros->kind == YNODE_LIST)
		err = read_macros(r, macros);
	if (err == 0 && rules && rules->kind == YNODE_LIST)
		err = read_rules(r, rules);
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
