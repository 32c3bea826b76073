/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/compile.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/host.h"
#include "lib/severity.h"
#include "policy-compiler/action.h"
#include "policy-compiler/check.h"
#include "policy-compiler/files.h"
#include "policy-compiler/filter.h"
#include "policy-compiler/fim.h"
#include "policy-compiler/judge.h"
#include "policy-compiler/keys.h"
#include "policy-compiler/lower.h"
#include "policy-compiler/parse.h"

#define RULE_MEMORY_MAX (256u << 20) /* bytes of one rule's trees */

int compile_new(const struct catalog *catalog, struct diags *diags, struct compile **ret)
{
	_cleanup_(compile_free) struct compile *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->arena = arena_of(COMPILE_MEMORY_MAX);
	c->catalog = catalog;
	c->diags = diags;
	c->version = FILTER_AGENT_VERSION;
	r = program_builder_new(catalog, &c->builder);
	if (r == 0)
		r = program_builder_new(host_catalog(), &c->filters);
	if (r == 0)
		*ret = TAKE_PTR(c);
	return r;
}

void compile_free(struct compile *c)
{
	if (!c)
		return;
	program_builder_free(c->builder);
	program_builder_free(c->filters);
	arena_done(&c->arena);
	free(c);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static int add_source(struct compile *c, const struct source *src)
{
	struct policy *p, **slot;
	int r = policy_read(&c->arena, src, c->diags, &p);

	if (r < 0)
		return r == -EINVAL ? 0 : r;
	slot = ARENA_PUSH(&c->arena, c->policies, c->npolicies);
	if (!slot)
		return -ENOMEM;
	*slot = p;
	return 0;
}

static int add_file(struct compile *c, const char *path)
{
	const struct source *src;
	int r = source_read(&c->arena, path, c->diags, &src);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	return add_source(c, src);
}

int compile_add(struct compile *c, const char *path)
{
	struct files files = { .max = COMPILE_FILES_MAX };
	struct err err;
	int r = files_find(&c->arena, path, FILES_POLICY, &files, &err);

	if (r < 0) {
		diag_error(c->diags, (struct span){ 0 }, "%s", err.msg);
		diag_help(c->diags, "name a policy file or a directory of policies");
		return r == -ENOMEM ? r : 0;
	}
	if (!files.n) {
		diag_error(c->diags, (struct span){ 0 }, "%s: no policy files in this directory", path);
		diag_help(c->diags, "policies are named *.yaml, *.yml or *.policy");
	}
	for (size_t i = 0; i < files.n && r == 0; i++)
		r = add_file(c, files.path[i]);
	return r;
}

int compile_add_text(struct compile *c, const char *path, const char *bytes, size_t size)
{
	const struct source *src;

	if (size > YAML_FILE_MAX)
		return diag_error(c->diags, (struct span){ 0 }, "%s is larger than %u MiB", path, YAML_FILE_MAX >> 20);
	src = source_text(&c->arena, path, bytes, size);
	return src ? add_source(c, src) : -ENOMEM;
}

/* "replace_policy_id": the policy of that name is as if it were not there. */
static void replace_policies(struct compile *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->npolicies; i++) {
		const struct ynode *name = c->policies[i]->replaces;
		bool found = false;

		for (size_t k = 0; name && k < c->npolicies; k++) {
			bool same = k != i && ynode_is(name, c->policies[k]->name);

			c->policies[k]->replaced |= same;
			found |= same;
		}
		if (!name || found)
			continue;
		diag_warn(c->diags, name->at, "no policy is named \"%s\": none is replaced", name->text.s);
		diag_help(c->diags, "policies are named like their files, without the extension");
	}
	for (size_t i = 0; i < c->npolicies; i++)
		if (!c->policies[i]->replaced)
			c->policies[n++] = c->policies[i];
	c->npolicies = n;
}

/* Of policies named "default" the first counts, and goes first. */
static void order_policies(struct compile *c)
{
	struct policy *def = NULL;
	size_t n = 0;

	for (size_t i = 0; i < c->npolicies; i++) {
		struct policy *p = c->policies[i];

		if (!policy_is_default(p)) {
			c->policies[n++] = p;
		} else if (!def) {
			def = p;
		} else {
			diag_warn(c->diags, (struct span){ p->src, 0, 0 },
				  "a second policy named default is not loaded");
			diag_help(c->diags, "rename the file");
		}
	}
	if (def) {
		memmove(c->policies + 1, c->policies, n * sizeof(c->policies[0]));
		c->policies[0] = def;
		n++;
	}
	c->npolicies = n;
}

/* ---- macros ------------------------------------------------------------------------------------------------------ */

static void warn_ignored(struct compile *c, const char *what, const char *id, struct span at, struct span first)
{
	uint32_t line, col, off, len;

	diag_warn(c->diags, at, "the %s %s is defined again: this copy is ignored", what, id);
	if (!first.src)
		return;
	span_place(first, &line, &col, &off, &len);
	diag_help(c->diags, "the first is at %s:%u; add \"combine: override\" to replace it, or choose another id",
		  first.src->path, line);
}

static int set_macro(struct compile *c, struct macro *m, const struct policy_macro *def)
{
	struct ast *body;
	int r;

	if (!def->expression)
		return macro_set_values(m, &c->arena, def->values, def->nvalues, def->combine == POLICY_COMBINE_MERGE);
	r = parse_macro(&c->arena, def->expression, c->diags, &body);
	if (r < 0)
		return r == -EINVAL ? 0 : r;
	m->body = body;
	m->values = false;
	return 0;
}

static int add_macro(struct compile *c, const struct policy_macro *def)
{
	struct macro *m = macro_find(&c->macros, def->id, strlen(def->id));
	int r = filter_check(&c->arena, c->version, def->agent_version, def->filters, c->diags);

	if (r <= FILTER_NO)
		return r == -ENOMEM ? r : 0;
	if (r == FILTER_UNKNOWN)
		filter_warn_unknown(def->filters, "macro", c->diags);
	if (catalog_constant(c->catalog, def->id, strlen(def->id))) {
		diag_warn(c->diags, def->at, "the macro %s has the name of a constant, which goes first", def->id);
		diag_help(c->diags, "choose another id");
	}
	if (!m) {
		m = macro_add(&c->macros, &c->arena, def->id, def->at);
		return m ? set_macro(c, m, def) : -ENOMEM;
	}
	if (def->combine == POLICY_COMBINE_NONE) {
		warn_ignored(c, "macro", def->id, def->at, m->at);
		return 0;
	}
	if (def->combine == POLICY_COMBINE_MERGE && m->body && !m->values) {
		diag_error(c->diags, def->at, "the macro %s has an expression: values cannot be added to it", def->id);
		diag_help(c->diags, "use \"combine: override\"");
		return 0;
	}
	return set_macro(c, m, def);
}

int compile_macro(struct compile *c, const char *id, const struct text *text)
{
	const struct policy_macro def = { .id = id, .expression = text, .at = text_span(text, 0, 1) };

	return add_macro(c, &def);
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */

static int new_rule(struct compile *c, const struct policy_rule *def)
{
	struct compile_rule *rule = arena_alloc(&c->arena, sizeof(*rule)), **slot;

	if (!rule || strmap_put(&c->by_id, &c->arena, def->id, strlen(def->id), rule) < 0)
		return -ENOMEM;
	slot = ARENA_PUSH(&c->arena, c->rules, c->nrules);
	if (!slot)
		return -ENOMEM;
	*rule = (struct compile_rule){ .id = def->id,
				       .def = def,
				       .expression = def->expression,
				       .tags = def->tags,
				       .ntags = def->ntags,
				       .product_tags = def->product_tags,
				       .actions = def->actions,
				       .every = def->every,
				       .disabled = def->disabled };
	*slot = rule;
	return 0;
}

static void override_rule(struct compile_rule *rule, const struct policy_rule *def)
{
	unsigned int parts = def->override;

	if (parts & POLICY_PART_ALL)
		parts |= POLICY_PART_EXPRESSION | POLICY_PART_TAGS | POLICY_PART_PRODUCT_TAGS | POLICY_PART_ACTIONS |
			 POLICY_PART_EVERY;
	if ((parts & POLICY_PART_EXPRESSION) && def->expression) {
		rule->expression = def->expression;
		rule->def = def;
	}
	if (parts & POLICY_PART_TAGS) {
		rule->tags = def->tags;
		rule->ntags = def->ntags;
	}
	if (parts & POLICY_PART_PRODUCT_TAGS)
		rule->product_tags = def->product_tags;
	if (parts & POLICY_PART_ACTIONS)
		rule->actions = def->actions;
	if (parts & POLICY_PART_EVERY)
		rule->every = def->every;
}

/*
 * A later copy switches a rule on. Off it switches rules of the default policy alone, which nobody edits; a rule of one's own
 * is switched off where it stands.
 */
static void switch_rule(struct compile *c, struct compile_rule *rule, const struct policy_rule *def)
{
	if (rule->disabled || (policy_is_default(rule->def->policy) && !policy_is_default(def->policy))) {
		rule->disabled = def->disabled;
		return;
	}
	if (!def->disabled)
		return;
	diag_warn(c->diags, def->at,
		  "the rule %s is not switched off by this copy: only rules of the default policy are", def->id);
	diag_help(c->diags, "write \"disabled: true\" where the rule is defined");
}

/* Another rule of the same id. Without "combine: override" all that it can do is switch the first on or off. */
static void add_copy(struct compile *c, struct compile_rule *rule, const struct policy_rule *def)
{
	if (def->combine == POLICY_COMBINE_OVERRIDE && !def->disabled)
		override_rule(rule, def);
	else if (def->combine == POLICY_COMBINE_NONE && rule->disabled == def->disabled)
		warn_ignored(c, "rule", def->id, def->at, rule->def->at);
	switch_rule(c, rule, def);
	if (!rule->expression && def->expression) {
		rule->expression = def->expression;
		rule->def = def;
	}
}

static int add_rule(struct compile *c, struct policy *policy, const struct policy_rule *def)
{
	struct compile_rule *rule;
	int r = filter_check(&c->arena, c->version, def->agent_version, def->filters, c->diags);

	if (r <= FILTER_NO) {
		c->nskipped += r == FILTER_NO;
		policy->nskipped += r == FILTER_NO;
		return r == -ENOMEM ? r : 0;
	}
	rule = strmap_get(&c->by_id, def->id, strlen(def->id));
	if (rule && r == FILTER_UNKNOWN)
		filter_warn_unknown(def->filters, "copy of a rule", c->diags);
	if (rule)
		add_copy(c, rule, def);
	else if (c->nrules < POLICY_RULES_MAX)
		return new_rule(c, def);
	else
		diag_error(c->diags, def->at, "more than %d rules", POLICY_RULES_MAX);
	return 0;
}

/* ---- from a rule to its place in the program --------------------------------------------------------------------- */

static int64_t add_text(struct compile *c, const char *s)
{
	size_t len = s ? strlen(s) : 0;

	return program_str_add(c->builder, s ? s : "", len < PROGRAM_STRING_MAX ? len : PROGRAM_STRING_MAX);
}

static uint16_t rule_severity(struct compile *c, const struct compile_rule *rule)
{
	for (size_t i = 0; i < rule->ntags; i++) {
		uint16_t severity;

		if (strcmp(rule->tags[i].name, "severity") != 0)
			continue;
		severity = severity_of(rule->tags[i].value);
		if (severity)
			return severity;
		diag_warn(c->diags, rule->def->at, "the severity \"%s\" is not known", rule->tags[i].value);
		diag_help(c->diags, "severities are info, low, medium, high and critical");
	}
	return 0;
}

static int add_tags(struct compile *c, const struct compile_rule *rule, uint32_t *pairs, size_t *ret_n)
{
	size_t n = 0;

	for (size_t i = 0; i <= rule->ntags; i++) {
		bool more = i < rule->ntags;
		const char *value = more ? rule->tags[i].value : rule->product_tags;
		int64_t k, v;

		if (!value)
			continue;
		k = add_text(c, more ? rule->tags[i].name : "product_tags");
		v = add_text(c, value);
		if (k < 0 || v < 0)
			return (int)(k < 0 ? k : v);
		pairs[2 * n] = (uint32_t)k;
		pairs[2 * n++ + 1] = (uint32_t)v;
	}
	*ret_n = n;
	return 0;
}

static struct action_ctx action_ctx_of(struct compile *c)
{
	return (struct action_ctx){
		.arena = &c->arena, .diags = c->diags, .catalog = c->catalog, .vars = &c->vars, .macros = &c->macros
	};
}

/* A message stands in the rule's alert: there is none. */
static void warn_silent(struct compile *c, const struct compile_rule *rule, const struct paction *actions)
{
	for (size_t i = 0; rule->actions && i < rule->actions->n; i++) {
		if (actions[i].kind != ACT_LOG)
			continue;
		diag_warn(c->diags, rule->actions->items[i]->at, "\"log\" in a silent rule is shown nowhere");
		diag_help(c->diags, "its message would be in the alert; remove \"silent\" or \"log\"");
		return;
	}
	if (!rule->actions) {
		diag_warn(c->diags, rule->def->at, "the rule %s is silent and has no actions: it does nothing",
			  rule->id);
		diag_help(c->diags, "remove \"silent\", or switch the rule off by \"disabled: true\"");
	}
}

static int32_t clamp_priority(int64_t v)
{
	return (int32_t)(v < INT32_MIN ? INT32_MIN : v > INT32_MAX ? INT32_MAX : v);
}

/* How often it alerts, and whether. */
static int add_limits(struct compile *c, const struct compile_rule *rule, struct prule *p)
{
	const struct ynode *tokens = rule->def->limiter_token;
	struct action_ctx x = action_ctx_of(c);
	uint32_t fields[PROGRAM_LIMITS_MAX];
	int64_t first;
	size_t n;
	int r;

	if (rule->every)
		keys_duration(rule->every, &p->every_ns);
	if (!tokens || !tokens->n)
		return 0;
	r = action_limits(&x, tokens, p->event, fields, &n);
	if (r < 0)
		return r;
	if (!p->every_ns) {
		diag_warn(c->diags, tokens->at, "\"limiter_token\" without \"every\" limits nothing");
		diag_help(c->diags, "add \"every: 10s\", or however long one alert is enough");
	}
	first = program_refs_add(c->builder, fields, n);
	if (first < 0)
		return (int)first;
	p->limit_first = (uint32_t)first;
	p->limit_count = (uint32_t)n;
	return 0;
}

/* One filter as a node of their program. What the compiler has decided comes out as a constant. */
static int compile_filter(struct compile *c, const struct text *text, uint32_t *ret_root)
{
	struct arena arena = arena_of(RULE_MEMORY_MAX);
	struct check check = { .arena = &arena, .diags = c->diags, .catalog = host_catalog() };
	struct diags told = diags_new();
	struct expr *e;
	struct ast *ast;
	int r = parse_rule(&arena, text, &told, &ast);

	if (r == 0)
		r = check_rule(&check, ast, &e);
	if (r == 0)
		r = lower_rule(c->filters, &check, e, ret_root);
	diags_done(&told);
	arena_done(&arena);
	return r;
}

/* The rule of the filters' program that is this condition: there already, or added. */
static int64_t filter_number(struct compile *c, uint32_t root)
{
	const struct program p = program_view(c->filters);
	const struct prule rule = { .root = root, .event = HOST_EVENT };

	for (uint32_t i = 0; i < p.nrules; i++)
		if (p.rules[i].root == root)
			return i;
	return program_rule_add(c->filters, &rule, NULL, 0);
}

/* All of them have to hold. 0 for the rule where there is nothing that the host has to decide. */
static int compile_filters(struct compile *c, const struct ynode *filters, uint32_t *ret)
{
	int64_t all = -1, number;

	*ret = 0;
	for (size_t i = 0; filters && i < filters->n; i++) {
		const struct text *text = &filters->items[i]->text;
		struct diags told = diags_new(); /* what the text alone shows was said when the rule was added */
		uint32_t root;
		int r = filter_expression(&c->arena, text, &told);

		diags_done(&told);
		if (r == FILTER_UNKNOWN)
			r = compile_filter(c, text, &root);
		else if (r >= 0)
			continue;
		if (r < 0)
			return r;
		all = all < 0 ? root : program_node(c->filters, N_AND, (uint32_t)all, root, 0, 0);
		if (all < 0)
			return (int)all;
	}
	if (all < 0)
		return 0;
	number = filter_number(c, (uint32_t)all);
	if (number < 0)
		return (int)number;
	*ret = (uint32_t)number + 1;
	return 0;
}

static int add_to_program(struct compile *c, struct compile_rule *rule, uint16_t event, uint32_t root)
{
	const struct policy_rule *def = rule->def;
	struct action_ctx x = action_ctx_of(c);
	struct paction *actions = NULL;
	int64_t group = add_text(c, def->group_id ? def->group_id : rule->origin);
	const struct policy *policy = def->policy;
	int64_t id = add_text(c, rule->id), description = add_text(c, def->description),
		name = add_text(c, policy->name);
	int64_t version = add_text(c, def->version ? def->version : policy->version), number;
	uint32_t pairs[2 * (POLICY_TAGS_MAX + 1)];
	struct prule p = { .root = root, .event = event, .severity = rule_severity(c, rule) };
	size_t ntags = 0;
	int r = add_tags(c, rule, pairs, &ntags);

	if (r == 0)
		r = add_limits(c, rule, &p);
	if (r == 0)
		r = compile_filters(c, def->filters, &p.filter);
	if (r == 0 && rule->actions)
		r = action_compile(&x, c->builder, rule->actions, event, &actions);
	if (r < 0)
		return r;
	if (group < 0 || id < 0 || description < 0 || name < 0 || version < 0)
		return -E2BIG;
	p.id = (uint32_t)id;
	p.description = (uint32_t)description;
	p.policy = (uint32_t)name;
	p.version = (uint32_t)version;
	p.group = (uint32_t)group;
	p.flags = def->silent ? PRULE_SILENT : 0;
	p.priority = clamp_priority(def->priority);
	number = program_rule_add(c->builder, &p, pairs, ntags);
	if (number >= 0 && actions) {
		r = program_actions_set(c->builder, (uint32_t)number, actions, rule->actions->n);
		number = r < 0 ? r : number;
	}
	if (number < 0)
		return (int)number;
	if (def->silent)
		warn_silent(c, rule, actions);
	rule->number = (uint32_t)number;
	rule->ok = true;
	return 0;
}

static int lower_failed(struct compile *c, const struct ast *a, int r)
{
	if (r == -E2BIG) {
		diag_error(c->diags, ast_span(a),
			   "the program is full: rules, strings or expressions beyond its limits");
		diag_help(c->diags, "build a smaller policy");
		return -EINVAL;
	}
	if (r == -EINVAL)
		diag_error(c->diags, ast_span(a),
			   "the compiler cannot express this rule (a fault of tamisc: please report it)");
	return r;
}

/* A condition that does not depend on the event is a slip of the pen. */
static void warn_constant(struct compile *c, const struct ast *a, uint32_t root)
{
	const struct node *n = &program_view(c->builder).nodes[root];

	if (n->op != N_BOOL)
		return;
	diag_warn(c->diags, ast_span(a),
		  n->imm ? "the rule fires on every event of its type" : "the rule can never fire");
	diag_help(c->diags, "some part of it is always %s", n->imm ? "true" : "false");
}

/* Keeps what the checker noted of the rule. */
static int keep_unseen(struct compile *c, struct compile_rule *rule, const struct check *check)
{
	struct unseen_use *copy = arena_array(&c->arena, check->nunseen, sizeof(*copy));

	if (check->nunseen && !copy)
		return -ENOMEM;
	if (check->nunseen)
		memcpy(copy, check->unseen, check->nunseen * sizeof(*copy));
	rule->unseen = copy;
	rule->nunseen = check->nunseen;
	return 0;
}

/* Parse, check, lower. Unless it is of a rule it may be about no event type, and use variables. */
static int compile_one(struct compile *c, const struct text *text, struct compile_rule *rule, uint16_t *ret_event,
		       uint32_t *ret_root)
{
	struct arena arena = arena_of(RULE_MEMORY_MAX);
	struct check check = { .arena = &arena,
			       .diags = c->diags,
			       .catalog = c->catalog,
			       .macros = &c->macros,
			       .vars = &c->vars,
			       .variables = rule ? NULL : c->variables };
	struct expr *e;
	struct ast *ast;
	int r = parse_rule(&arena, text, c->diags, &ast);

	if (r == 0)
		r = check_rule(&check, ast, &e);
	if (r == 0 && rule)
		r = check_event(&check, ast);
	if (r == 0 && rule)
		r = keep_unseen(c, rule, &check);
	if (r == 0) {
		r = lower_rule(c->builder, &check, e, ret_root);
		if (r < 0)
			r = lower_failed(c, ast, r);
		else if (rule)
			warn_constant(c, ast, *ret_root);
	}
	*ret_event = check.event;
	arena_done(&arena);
	return r;
}

int compile_expression(struct compile *c, const struct text *text, uint16_t *ret_event, uint32_t *ret_root)
{
	return compile_one(c, text, NULL, ret_event, ret_root);
}

static int compile_rule(struct compile *c, struct compile_rule *rule)
{
	size_t ndiags = c->diags->n;
	struct compile_rule *whole;
	uint16_t event;
	uint32_t root;
	int r;

	if (rule->disabled) {
		c->ndisabled++;
		return 0;
	}
	if (rule->bad)
		return 0;
	if (!rule->expression) {
		diag_error(c->diags, rule->def->at, "the rule %s has no expression: nothing that it could override",
			   rule->id);
		diag_help(c->diags, "name the policy that defines it before this one");
		return 0;
	}
	/* what is wrong with one of the rules that a rule stands for is wrong with all */
	whole = rule->origin ? strmap_get(&c->by_id, rule->origin, strlen(rule->origin)) : rule;
	if (whole->failed)
		return 0;
	r = compile_one(c, rule->expression, rule, &event, &root);
	if (r == 0)
		r = add_to_program(c, rule, event, root);
	if (rule->origin)
		diags_drop_doubles(c->diags, ndiags);
	whole->failed = r == -EINVAL;
	return r == -EINVAL ? 0 : r;
}

/* ---- rules that stand for several -------------------------------------------------------------------------------- */

static int add_part(struct compile *c, struct compile_rule *rule, const struct fim_rule *part)
{
	struct compile_rule *new, **slot;

	if (!catalog_event(c->catalog, part->event, strlen(part->event))) {
		diag_warn(c->diags, rule->def->at, "the sensor cannot observe \"%s\" events: the rule %s goes without",
			  part->event, rule->id);
		return 0;
	}
	new = arena_alloc(&c->arena, sizeof(*new));
	slot = new ? ARENA_PUSH(&c->arena, rule->parts, rule->nparts) : NULL;
	if (!slot)
		return -ENOMEM;
	*new = *rule;
	new->id = part->id;
	new->origin = rule->id;
	new->expression = part->expression;
	new->parts = NULL;
	new->nparts = 0;
	*slot = new;
	if (rule->actions && fim_actions(&c->arena, rule->actions, part->prefix, &new->actions) < 0)
		return -ENOMEM;
	if (strmap_get(&c->by_id, new->id, strlen(new->id)))
		return 0;
	return strmap_put(&c->by_id, &c->arena, new->id, strlen(new->id), new);
}

static int expand_rule(struct compile *c, struct compile_rule *rule)
{
	struct fim_rule *parts;
	size_t n;
	int r = fim_expand(&c->arena, rule->id, rule->def->group_id ? rule->def->group_id : "", rule->expression,
			   &parts, &n);

	for (size_t i = 0; i < n && r == 0; i++)
		r = add_part(c, rule, &parts[i]);
	return r;
}

/* In place of each rule about fim.write.file.* come those that it stands for. */
static int expand_rules(struct compile *c)
{
	struct compile_rule **old = c->rules;
	size_t nold = c->nrules;
	int r = 0;

	c->rules = NULL;
	c->nrules = 0;
	for (size_t i = 0; i < nold && r == 0; i++) {
		if (old[i]->expression && !old[i]->disabled)
			r = expand_rule(c, old[i]);
		for (size_t k = 0; k < (old[i]->nparts ? old[i]->nparts : 1) && r == 0; k++) {
			struct compile_rule **slot = ARENA_PUSH(&c->arena, c->rules, c->nrules);

			r = slot ? 0 : -ENOMEM;
			if (slot)
				*slot = old[i]->nparts ? old[i]->parts[k] : old[i];
		}
	}
	return r;
}

static int add_watch(struct compile *c, struct policy_watch *def)
{
	int r = filter_check(&c->arena, c->version, def->agent_version, def->filters, c->diags);

	if (r <= FILTER_NO)
		return r == -ENOMEM ? r : 0;
	if (r == FILTER_UNKNOWN)
		filter_warn_unknown(def->filters, "watch", c->diags);
	return watches_add(&c->watches, &c->arena, c->diags, def);
}

/* The variables that the rules set, also those of rules that are switched off: others may read them. */
static int define_variables(struct compile *c)
{
	struct action_ctx x = action_ctx_of(c);
	int r;

	for (size_t i = 0; i < c->nrules; i++) {
		struct compile_rule *rule = c->rules[i], *before = i ? c->rules[i - 1] : NULL;

		/* rules that one rule stands for have the same actions, unless those name fim.write.file.* */
		if (before && rule->actions && before->actions == rule->actions) {
			rule->bad = before->bad;
			continue;
		}
		/* what is wrong with one of them is wrong with all */
		if (before && before->bad && rule->origin && before->origin &&
		    strcmp(rule->origin, before->origin) == 0) {
			rule->bad = true;
			continue;
		}
		r = rule->actions ? action_define(&x, rule->origin ? rule->origin : rule->id, rule->actions) : 0;
		if (r == -ENOMEM)
			return r;
		rule->bad = r < 0;
	}
	r = action_put_variables(&x, c->builder);
	return r == -EINVAL ? 0 : r;
}

static bool is_execution_context(const struct compile_rule *rule)
{
	for (size_t i = 0; i < rule->ntags; i++)
		if (strcmp(rule->tags[i].name, "execution_context") == 0)
			return strcasecmp(rule->tags[i].value, "true") == 0;
	return false;
}

static bool is_default(const struct compile_rule *rule)
{
	return policy_is_default(rule->def->policy);
}

/*
 * The order in which rules are asked, which is that of the language: those that tell in what context a process runs, then
 * the default policy's, then by priority, then as they were defined.
 */
static int rule_cmp(const void *a, const void *b)
{
	const struct compile_rule *x = *(struct compile_rule *const *)a, *y = *(struct compile_rule *const *)b;

	if (is_execution_context(x) != is_execution_context(y))
		return is_execution_context(x) ? -1 : 1;
	if (is_default(x) != is_default(y))
		return is_default(x) ? -1 : 1;
	if (x->def->priority != y->def->priority)
		return x->def->priority > y->def->priority ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}

static int compile_rules(struct compile *c)
{
	struct compile_rule **order = arena_array(&c->arena, c->nrules ? c->nrules : 1, sizeof(order[0]));
	int r = 0;

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < c->nrules; i++) {
		order[i] = c->rules[i];
		order[i]->place = i;
	}
	qsort(order, c->nrules, sizeof(order[0]), rule_cmp);
	for (size_t i = 0; i < c->nrules && r == 0; i++)
		r = compile_rule(c, order[i]);
	return r;
}

int compile_finish(struct compile *c)
{
	int r = 0;

	replace_policies(c);
	order_policies(c);
	for (size_t i = 0; i < c->npolicies; i++)
		for (size_t k = 0; k < c->policies[i]->nmacros && r == 0; k++)
			r = add_macro(c, &c->policies[i]->macros[k]);
	for (size_t i = 0; i < c->npolicies; i++)
		for (size_t k = 0; k < c->policies[i]->nrules && r == 0; k++)
			r = add_rule(c, c->policies[i], &c->policies[i]->rules[k]);
	if (r == 0)
		r = expand_rules(c);
	if (r == 0)
		r = define_variables(c);
	if (r == 0)
		r = compile_rules(c);
	for (size_t i = 0; i < c->npolicies; i++)
		for (size_t k = 0; k < c->policies[i]->nwatches && r == 0; k++)
			r = add_watch(c, &c->policies[i]->watches[k]);
	return r < 0 ? r : judge_rules(c);
}
