/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/unseen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/glob.h"
#include "lib/ipnet.h"
#include "lib/regex.h"

/* What is known of a node's value. Strings, addresses and arrays that are known are constants, or empty. */
struct fact {
	bool known;
	bool unseen; /* follows from a field that is not observed */
	uint32_t len;
	int64_t num;
	const char *s;
};

struct unseen {
	struct program p;   /* arrays borrowed */
	struct fact *facts; /* owned; of each node, where N_ELEM is open */
	bool *idle;	    /* owned; of each variable: nothing sets it; NULL: nobody asks */
	uint32_t names;	    /* the variable that tells whether addresses have names, or PROGRAM_NONE */
	bool no_memory;	    /* for a pattern, which was taken as open */
};

/* One look at nodes: with @empty for N_ELEM, which stands for an element of an array of empty values, or without. */
struct look {
	struct unseen *u;
	bool empty;
};

static const struct fact fact_open, fact_empty = { .known = true, .unseen = true, .s = "" };

static struct fact look_at(const struct look *l, uint32_t i);

static struct fact fact_num(int64_t num)
{
	return (struct fact){ .known = true, .num = num };
}

/* ---- strings and addresses ----------------------------------------------------------------------------------------- */

static struct fact regex_fact(struct unseen *u, const char *pattern, uint32_t plen, bool icase, const struct fact *f)
{
	struct regex *re;
	struct fact ret;
	struct err err;

	if (regex_new(pattern, plen, icase, &re, &err) < 0) {
		u->no_memory = true; /* it was compiled before */
		return fact_open;
	}
	ret = fact_num(regex_match(re, f->s, f->len));
	regex_free(re);
	return ret;
}

static struct fact glob_fact(struct unseen *u, const char *pattern, uint32_t plen, bool icase, const struct fact *f)
{
	struct glob *g;
	struct fact ret;
	struct err err;

	if (glob_new(pattern, plen, icase, &g, &err) < 0) {
		u->no_memory = true;
		return fact_open;
	}
	ret = fact_num(glob_match(g, f->s, f->len));
	glob_free(g);
	return ret;
}

static struct fact strm_fact(struct unseen *u, const struct strm *m, const struct fact *f)
{
	uint32_t len;
	const char *s = program_str(&u->p, m->str, &len);

	switch (m->kind) {
	case STRM_EXACT:
		/* Of other texts than the empty one nobody needs to know here whether their case counts. */
		return f->len ? fact_open : fact_num(len == 0);
	case STRM_PATTERN:
		return fact_num(pattern_match(s, len, f->s, f->len, m->icase));
	case STRM_GLOB:
		return glob_fact(u, s, len, m->icase, f);
	default:
		return regex_fact(u, s, len, m->icase, f);
	}
}

static struct fact strin_fact(struct unseen *u, const struct strset *set, const struct fact *f)
{
	bool open = !f->known;

	for (uint32_t i = 0; f->known && i < set->count; i++) {
		struct fact one = strm_fact(u, &u->p.strms[set->first + i], f);

		if (one.known && one.num)
			return one;
		open |= !one.known;
	}
	return open ? fact_open : fact_num(0);
}

static struct fact streq_fact(const struct fact *a, const struct fact *b, bool icase)
{
	if (!a->known || !b->known || (icase && a->len && b->len))
		return fact_open;
	return fact_num(a->len == b->len && (!a->len || memcmp(a->s, b->s, a->len) == 0));
}

/* No address lies in no network, and none equals any. */
static struct fact no_address(const struct fact *a)
{
	return a->known && !a->len ? fact_num(0) : fact_open;
}

/* ---- nodes --------------------------------------------------------------------------------------------------------- */

static struct fact field_fact(const struct unseen *u, uint32_t field)
{
	const struct cat_field *f = &u->p.catalog->fields[field];
	bool untold = u->idle && u->names != PROGRAM_NONE && u->idle[u->names] && cat_field_is_told(f);

	return f->flags & CF_UNSEEN || untold ? fact_empty : fact_open;
}

/* Whether the node by itself depends on the variable. */
static bool is_of_var(const struct unseen *u, const struct node *n, uint32_t var)
{
	if (n->op == N_FIELD || n->op == N_CURRENT)
		return var == u->names && cat_field_is_told(&u->p.catalog->fields[n->a]);
	return n->op == N_VAR && n->a == var;
}

/* A variable that is never set holds its default: one value, or of a list none. */
static struct fact var_fact(const struct unseen *u, uint32_t var)
{
	const struct program *p = &u->p;
	const struct pvar *v = &p->vars[var];
	const struct node *n = v->default_count ? &p->nodes[p->refs[v->default_first]] : NULL;
	struct fact f = { .known = true, .s = "" };

	if (!u->idle || !u->idle[var] || (n && program_is_array(v->type)))
		return fact_open;
	if (n && (n->op == N_STR || n->op == N_IP))
		f.s = program_str(p, n->a, &f.len);
	else if (n)
		f.num = n->imm;
	return f;
}

static struct fact and_fact(const struct fact *a, const struct fact *b)
{
	if ((a->known && !a->num) || (b->known && !b->num))
		return fact_num(0);
	return a->known && b->known ? fact_num(1) : fact_open;
}

static struct fact or_fact(const struct fact *a, const struct fact *b)
{
	if ((a->known && a->num) || (b->known && b->num))
		return fact_num(1);
	return a->known && b->known ? fact_num(0) : fact_open;
}

static struct fact band_fact(const struct fact *a, const struct fact *b)
{
	if ((a->known && !a->num) || (b->known && !b->num))
		return fact_num(0);
	return a->known && b->known ? fact_num(a->num & b->num) : fact_open;
}

/* Arithmetic and order of two numbers that are known. */
static struct fact pair_fact(enum node_op op, const struct fact *a, const struct fact *b)
{
	uint64_t x = (uint64_t)a->num, y = (uint64_t)b->num;

	if (!a->known || !b->known)
		return fact_open;
	switch (op) {
	case N_ADD:
		return fact_num((int64_t)(x + y));
	case N_SUB:
		return fact_num((int64_t)(x - y));
	case N_BOR:
		return fact_num(a->num | b->num);
	case N_BXOR:
		return fact_num(a->num ^ b->num);
	case N_EQ:
		return fact_num(a->num == b->num);
	case N_LT:
		return fact_num(a->num < b->num);
	default: /* N_LE */
		return fact_num(a->num <= b->num);
	}
}

/* The field that the node is, where it is one of all ancestors: nobody knows how many values there are. Or NULL. */
static const struct cat_field *field_of_ancestors(const struct program *p, uint32_t i)
{
	const struct node *n = &p->nodes[i];
	const struct cat_field *f = n->op == N_FIELD ? &p->catalog->fields[n->a] : NULL;

	return f && cat_is_ancestors(f->home) ? f : NULL;
}

/* For some element of no element, nothing holds; of all ancestors, each has the empty value. */
static struct fact any_fact(const struct look *l, const struct node *n, const struct fact *array)
{
	struct unseen *u = l->u;
	const struct cat_field *f = field_of_ancestors(&u->p, n->a);
	struct look inner = { .u = u };
	struct fact body;

	if (array->known && f && !program_field_several(u->p.catalog, f))
		inner.empty = true;
	else if (array->known)
		return fact_num(0);
	body = look_at(&inner, n->b);
	return body.known && !body.num ? fact_num(0) : fact_open;
}

/* Nobody knows how many ancestors there are; of a list that is not observed there is nothing. */
static struct fact exists_fact(const struct unseen *u, const struct node *n, const struct fact *body)
{
	const struct cat_field *f = &u->p.catalog->fields[n->b];

	if ((f->flags & CF_UNSEEN) && !cat_is_ancestors(f->home))
		return fact_num(0);
	return body->known && !body->num ? fact_num(0) : fact_open;
}

/* Nothing is in a list that is known to be empty; of all ancestors nobody knows. */
static struct fact meet_fact(const struct program *p, const struct node *n, const struct fact *a, const struct fact *b)
{
	bool none = (a->known && !field_of_ancestors(p, n->a)) || (b->known && !field_of_ancestors(p, n->b));

	return none ? fact_num(0) : fact_open;
}

static struct fact leaf_fact(const struct look *l, const struct node *n)
{
	struct fact f = { .known = true };

	switch (n->op) {
	case N_INT:
	case N_BOOL:
		return fact_num(n->imm);
	case N_STR:
	case N_IP:
		f.s = program_str(&l->u->p, n->a, &f.len);
		return f;
	case N_FIELD:
	case N_CURRENT:
		return field_fact(l->u, n->a);
	case N_ELEM:
		return l->empty ? fact_empty : fact_open;
	case N_VAR:
		return var_fact(l->u, n->a);
	default: /* N_NOW */
		return fact_open;
	}
}

static struct fact inner_fact(const struct look *l, const struct node *n, const struct fact *a, const struct fact *b)
{
	const struct program *p = &l->u->p;

	switch (n->op) {
	case N_LEN:
		return a->known && !field_of_ancestors(p, n->a) ? fact_num(a->len) : fact_open;
	case N_BNOT:
		return a->known ? fact_num(~a->num) : fact_open;
	case N_NEG:
		return a->known ? fact_num((int64_t)(0 - (uint64_t)a->num)) : fact_open;
	case N_BAND:
		return band_fact(a, b);
	case N_STREQ:
		return streq_fact(a, b, n->c);
	case N_STRIN:
		return strin_fact(l->u, &p->strsets[n->b], a);
	case N_INTIN:
		return a->known ? fact_num(program_intset_has(p, n->b, a->num)) : fact_open;
	case N_IPIN:
		return p->ipsets[n->b].count ? no_address(a) : fact_num(n->c);
	case N_IPEQ:
		return a->known && !a->len ? no_address(a) : no_address(b);
	case N_ANY:
		return any_fact(l, n, a);
	case N_EXISTS:
		return exists_fact(l->u, n, a);
	case N_AND:
		return and_fact(a, b);
	case N_OR:
		return or_fact(a, b);
	case N_NOT:
		return a->known ? fact_num(!a->num) : fact_open;
	case N_MEET:
		return meet_fact(p, n, a, b);
	case N_TEXT:
	case N_CONCAT:
	case N_MATCH: /* texts that are made when asked */
		return fact_open;
	default:
		return pair_fact(n->op, a, b);
	}
}

static struct fact node_fact(const struct look *l, uint32_t i)
{
	const struct node *n = &l->u->p.nodes[i];
	unsigned operands = program_operands(n->op);
	struct fact a = fact_open, b = fact_open, ret;

	if (!operands)
		return leaf_fact(l, n);
	if (operands & 1)
		a = look_at(l, n->a);
	/* The body of an N_ANY has an N_ELEM of its own. */
	if (operands & 2)
		b = n->op == N_ANY ? l->u->facts[n->b] : look_at(l, n->b);
	ret = inner_fact(l, n, &a, &b);
	ret.unseen = a.unseen | b.unseen;
	return ret;
}

/* Recursion, which only bodies of N_ANY need, is as deep as the nodes are, at most PROGRAM_DEPTH_MAX. */
static struct fact look_at(const struct look *l, uint32_t i)
{
	return l->empty ? node_fact(l, i) : l->u->facts[i];
}

static int look_at_all(struct unseen *u)
{
	struct look l = { .u = u };

	for (uint32_t i = 0; i < u->p.nnodes; i++)
		u->facts[i] = node_fact(&l, i);
	return u->no_memory ? -ENOMEM : 0;
}

static int unseen_make(const struct program *p, struct unseen **ret)
{
	_cleanup_(unseen_free) struct unseen *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->p = *p;
	u->names = program_names_var(p);
	u->facts = calloc((size_t)p->nnodes + 1, sizeof(*u->facts));
	if (!u->facts)
		return -ENOMEM;
	*ret = TAKE_PTR(u);
	return 0;
}

int unseen_new(const struct program *p, struct unseen **ret)
{
	_cleanup_(unseen_free) struct unseen *u = NULL;
	int r = unseen_make(p, &u);

	if (r == 0)
		r = look_at_all(u);
	if (r == 0)
		*ret = TAKE_PTR(u);
	return r;
}

/* Variables of rules that can fire are not idle; true if one was taken for it until now. */
static bool wake_variables(struct unseen *u)
{
	const struct program *p = &u->p;
	bool any = false;

	for (uint32_t i = 0; i < p->nrules; i++) {
		const struct prule *r = &p->rules[i];

		if (unseen_truth(u, r->root) == TRUTH_FALSE)
			continue;
		for (uint32_t k = r->actions_first; k < r->actions_first + r->actions_count; k++) {
			const struct paction *a = &p->actions[k];

			if (a->kind != ACT_SET || !u->idle[a->var])
				continue;
			u->idle[a->var] = false;
			any = true;
		}
	}
	return any;
}

int unseen_new_idle(const struct program *p, struct unseen **ret)
{
	_cleanup_(unseen_free) struct unseen *u = NULL;
	int r = unseen_make(p, &u);

	if (r < 0)
		return r;
	u->idle = malloc(p->nvars + 1);
	if (!u->idle)
		return -ENOMEM;
	memset(u->idle, true, p->nvars + 1);
	do
		r = look_at_all(u);
	while (r == 0 && p->nvars && wake_variables(u));
	if (r == 0)
		*ret = TAKE_PTR(u);
	return r;
}

int unseen_without(const struct unseen *from, uint32_t var, struct unseen **ret)
{
	_cleanup_(unseen_free) struct unseen *u = NULL;
	_cleanup_free_ bool *other = calloc((size_t)from->p.nnodes + 1, sizeof(*other));
	int r = other ? unseen_make(&from->p, &u) : -ENOMEM;
	struct look l = { .u = u };

	if (r < 0)
		return r;
	u->idle = malloc(u->p.nvars + 1);
	if (!u->idle)
		return -ENOMEM;
	memcpy(u->idle, from->idle, u->p.nvars);
	u->idle[var] = true;
	for (uint32_t i = 0; i < u->p.nnodes; i++) {
		const struct node *n = &u->p.nodes[i];
		unsigned operands = program_operands(n->op);

		other[i] = is_of_var(u, n, var) || ((operands & 1) && other[n->a]) || ((operands & 2) && other[n->b]);
		u->facts[i] = other[i] ? node_fact(&l, i) : from->facts[i];
	}
	if (u->no_memory)
		return -ENOMEM;
	*ret = TAKE_PTR(u);
	return 0;
}

bool unseen_idle(const struct unseen *u, uint32_t var)
{
	return u->idle && u->idle[var];
}

void unseen_free(struct unseen *u)
{
	if (!u)
		return;
	free(u->facts);
	free(u->idle);
	free(u);
}

enum truth unseen_truth(const struct unseen *u, uint32_t i)
{
	const struct fact *f = &u->facts[i];

	return !f->known ? TRUTH_OPEN : f->num ? TRUTH_TRUE : TRUTH_FALSE;
}

static bool looks_at(const struct unseen *u, uint32_t i, const struct cat_field *field)
{
	const struct node *n = &u->p.nodes[i];
	unsigned operands = program_operands(n->op);

	if (!u->facts[i].unseen)
		return false;
	if (n->op == N_FIELD || n->op == N_CURRENT)
		return &u->p.catalog->fields[n->a] == field;
	return ((operands & 1) && looks_at(u, n->a, field)) || ((operands & 2) && looks_at(u, n->b, field));
}

bool unseen_part(const struct unseen *u, uint32_t root, const struct cat_field *field, uint32_t *ret_node)
{
	const struct node *n = &u->p.nodes[root];
	unsigned operands = program_operands(n->op);

	if (n->type != NT_BOOL || !looks_at(u, root, field))
		return false;
	if (u->facts[root].known) {
		*ret_node = root;
		return true;
	}
	return ((operands & 1) && unseen_part(u, n->a, field, ret_node)) ||
	       ((operands & 2) && unseen_part(u, n->b, field, ret_node));
}
