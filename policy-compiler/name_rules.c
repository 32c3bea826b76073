/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/name_rules.h"

#include <errno.h>
#include <string.h>

#define ANSWERS	 "dns.response.code == NOERROR && network.network_direction == INGRESS"
#define VARIABLE "names of addresses" /* no name that a policy can give */

/* How the rules of a policy ask for names. */
struct asked {
	struct compile *c;
	uint32_t question; /* node: the name in a question */
	uint32_t any;	   /* node: some condition holds for it, or PROGRAM_NONE */
	bool otherwise;	   /* a condition is none that can be asked of a question */
};

static bool is_told(const struct program *p, uint32_t node)
{
	const struct node *n = &p->nodes[node];

	return (n->op == N_FIELD || n->op == N_CURRENT) && cat_field_is_told(&p->catalog->fields[n->a]);
}

static bool asks_for_names(const struct program *p)
{
	for (uint32_t i = 0; i < p->nnodes; i++)
		if (is_told(p, i))
			return true;
	return false;
}

static int64_t add_string(struct compile *c, const char *s)
{
	return program_str_add(c->builder, s, strlen(s));
}

static int64_t add_node(struct asked *x, enum node_op op, uint32_t a, uint32_t b, uint32_t c)
{
	return program_node(x->c->builder, op, a, b, c, 0);
}

/* Node @i, of the condition on one name, asked of the question. -ENOENT where that cannot be. As deep as the program is. */
static int64_t of_question(struct asked *x, uint32_t i)
{
	const struct node n = program_view(x->c->builder).nodes[i];
	unsigned operands = program_operands(n.op);
	int64_t a = n.a, b = n.b;

	switch (n.op) {
	case N_ELEM:
		return n.type == NT_STR ? (int64_t)x->question : -ENOENT;
	case N_STR:
		return i;
	case N_STREQ:
	case N_STRIN:
	case N_AND:
	case N_OR:
	case N_NOT:
		break;
	default:
		return -ENOENT;
	}
	if (operands & 1)
		a = of_question(x, n.a);
	if (a >= 0 && operands & 2)
		b = of_question(x, n.b);
	return a < 0 ? a : b < 0 ? b : add_node(x, n.op, (uint32_t)a, (uint32_t)b, n.c);
}

/* All that is asked of names: for some name a condition holds. */
static int find_asked(struct asked *x)
{
	uint32_t n = program_view(x->c->builder).nnodes;
	int64_t one, all;

	for (uint32_t i = 0; i < n && !x->otherwise; i++) {
		const struct program p = program_view(x->c->builder);
		const struct node node = p.nodes[i];
		unsigned operands = program_operands(node.op);
		bool a = operands & 1 && is_told(&p, node.a), b = operands & 2 && is_told(&p, node.b);

		if (!a && !b)
			continue;
		one = node.op == N_ANY && a && !b ? of_question(x, node.b) : -ENOENT;
		x->otherwise = one == -ENOENT;
		if (x->otherwise)
			break;
		all = one < 0 || x->any == PROGRAM_NONE ? one : add_node(x, N_OR, x->any, (uint32_t)one, 0);
		if (all < 0)
			return (int)all;
		x->any = (uint32_t)all;
	}
	return 0;
}

static int add_answers(struct compile *c, struct prule *ret)
{
	const struct source *src = source_text(&c->arena, "names", ANSWERS, strlen(ANSWERS));
	struct diags *told = c->diags, ours = diags_new();
	struct text text;
	int r;

	if (!src)
		return -ENOMEM;
	text = (struct text){ .s = src->bytes, .len = (uint32_t)src->size, .raw = { src, 0, (uint32_t)src->size } };
	c->diags = &ours; /* nobody has written it */
	r = compile_expression(c, &text, &ret->event, &ret->root);
	c->diags = told;
	diags_done(&ours);
	return r;
}

static int64_t add_rule(struct compile *c, const struct prule *like, const char *id)
{
	struct prule rule = *like;
	int64_t name = add_string(c, id), none = add_string(c, "");

	if (name < 0 || none < 0)
		return name < 0 ? name : none;
	rule.id = (uint32_t)name;
	rule.description = rule.policy = rule.version = rule.group = (uint32_t)none;
	return program_rule_add(c->builder, &rule, NULL, 0);
}

/* The variable, and that @rule sets it. */
static int set_variable(struct compile *c, uint32_t rule)
{
	struct pvar var = { .scope = VAR_GLOBAL, .type = NT_BOOL, .flags = VAR_PRIVATE | VAR_NAMES };
	struct paction set = { .kind = ACT_SET,
			       .filter = PROGRAM_NONE,
			       .field = PROGRAM_NONE,
			       .message = PROGRAM_NONE,
			       .values_count = 1 };
	int64_t name = add_string(c, VARIABLE), number, yes = program_node(c->builder, N_BOOL, 0, 0, 0, 1), refs;
	uint32_t value;

	if (name < 0 || yes < 0)
		return (int)(name < 0 ? name : yes);
	var.name = (uint32_t)name;
	value = (uint32_t)yes;
	number = program_var_add(c->builder, &var);
	refs = program_refs_add(c->builder, &value, 1);
	if (number < 0 || refs < 0)
		return (int)(number < 0 ? number : refs);
	set.var = (uint32_t)number;
	set.values_first = (uint32_t)refs;
	return program_actions_set(c->builder, rule, &set, 1);
}

int name_rules_add(struct compile *c)
{
	static const char question[] = "dns.question.name";
	struct program p = program_view(c->builder);
	struct prule answers = { .flags = PRULE_SILENT | PRULE_MADE };
	struct asked x = { .c = c, .any = PROGRAM_NONE };
	int64_t r;

	if (!asks_for_names(&p))
		return 0;
	r = add_node(&x, N_FIELD, (uint32_t)(catalog_field(p.catalog, question, strlen(question)) - p.catalog->fields),
		     0, 0);
	x.question = (uint32_t)r;
	r = r < 0 ? r : find_asked(&x);
	r = r < 0 ? r : add_answers(c, &answers);
	r = r < 0 ? r : add_rule(c, &answers, "names");
	if (r >= 0 && x.any == PROGRAM_NONE && !x.otherwise) /* what actions take of them decides nothing */
		return 0;
	if (r >= 0 && !x.otherwise) {
		r = add_node(&x, N_AND, answers.root, x.any, 0);
		answers.root = (uint32_t)r;
	}
	r = r < 0 ? r : add_rule(c, &answers, "names that are asked for");
	r = r < 0 ? r : set_variable(c, (uint32_t)r);
	return r < 0 ? (int)r : 0;
}
