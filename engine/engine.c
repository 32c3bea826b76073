/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/strset.h"
#include "lib/ascii.h"
#include "lib/ipnet.h"
#include "tamis/sieve.h"

/* What engine_new() works out about a node. */
enum node_flag {
	NF_ELEM = 1 << 0,    /* uses the element of an N_ANY around it */
	NF_CURRENT = 1 << 1, /* uses the position of an N_EXISTS around it */
	NF_MEMO = 1 << 2,    /* the same for the whole event, and worth remembering */
	NF_NESTED = 1 << 3   /* a field of all ancestors that has several values in each */
};

/* One clause, and the rule that fires when it holds. */
struct candidate {
	uint32_t rule, root;
};

struct bit {
	uint32_t first, count; /* into candidates[] */
};

struct engine {
	struct program p;	 /* arrays borrowed */
	struct strsets *strsets; /* owned */
	uint8_t *flags;		 /* owned; enum node_flag of each node */
	uint16_t *events;	 /* owned; event type whose fields a node looks at, or EV_NONE */
	uint32_t *memo;		 /* owned; of each node: 2 * stamp of the event that it was asked for + its answer */
	uint32_t stamp;
	struct candidate *candidates;	/* owned */
	struct bit (*bits)[SV_CLAUSES]; /* owned; of each event type */
	uint64_t (*in_use)[SV_WORDS];	/* owned; the bits that have candidates */
	uint32_t *fired_at;		/* owned; of each rule: stamp of the event that it fired for last */
	uint32_t *fired;		/* owned; room for every rule */
	struct engine_match *matches;	/* owned; of the last evaluation; room for every rule */
};

#define STAMP_MAX (UINT32_MAX / 2)

/* One evaluation: what N_ELEM and N_CURRENT stand for at the moment. */
struct run {
	struct engine *e;
	const struct event *ev;
	struct val elem;
	const struct proc *current; /* ancestor, or NULL */
	uint32_t position;	    /* index into arrays of the event */
};

static const struct val no_value;

static bool eval_bool(struct run *x, uint32_t i);

/* ---- values -------------------------------------------------------------------------------------------------------- */

static const struct node *node_at(const struct run *x, uint32_t i)
{
	return &x->e->p.nodes[i];
}

static const struct cat_field *field_at(const struct run *x, uint32_t i)
{
	return &x->e->p.catalog->fields[i];
}

static struct val current_value(const struct run *x, const struct cat_field *f)
{
	struct val v;

	if (f->home == CAT_HOME_ANCESTORS)
		return x->current ? x->current->v[f->slot] : no_value;
	v = catalog_get(f, x->ev);
	return x->position < v.len ? v.arr[x->position] : no_value;
}

/* A string, an address, or an array that is not one of all ancestors. */
static struct val eval_value(struct run *x, uint32_t i)
{
	const struct node *n = node_at(x, i);
	struct val v = no_value;

	switch (n->op) {
	case N_STR:
	case N_IP:
		v.s = program_str(&x->e->p, n->a, &v.len);
		return v;
	case N_FIELD:
		return catalog_get(field_at(x, n->a), x->ev);
	case N_ELEM:
		return x->elem;
	case N_CURRENT:
		return current_value(x, field_at(x, n->a));
	default:
		return v;
	}
}

static const struct proc *first_ancestor(const struct run *x)
{
	return x->ev->proc ? x->ev->proc->parent : NULL;
}

static bool is_of_ancestors(const struct run *x, const struct node *n)
{
	return n->op == N_FIELD && field_at(x, n->a)->home == CAT_HOME_ANCESTORS;
}

/* Elements of an array node, or bytes of a string. */
static int64_t eval_len(struct run *x, uint32_t i)
{
	const struct node *n = node_at(x, i);
	const struct proc *p = first_ancestor(x);
	bool nested = x->e->flags[i] & NF_NESTED;
	int64_t len = 0;

	if (!is_of_ancestors(x, n))
		return eval_value(x, i).len;
	for (int k = 0; p && k < VAL_ANCESTORS_MAX; k++, p = p->parent)
		len += nested ? p->v[field_at(x, n->a)->slot].len : 1;
	return len;
}

/* Arithmetic wraps. */
static int64_t eval_int(struct run *x, uint32_t i)
{
	const struct node *n = node_at(x, i);

	switch (n->op) {
	case N_INT:
	case N_BOOL:
		return n->imm;
	case N_FIELD:
		return catalog_get(field_at(x, n->a), x->ev).num;
	case N_ELEM:
		return x->elem.num;
	case N_CURRENT:
		return current_value(x, field_at(x, n->a)).num;
	case N_NOW:
		return x->ev->now_ns;
	case N_LEN:
		return eval_len(x, n->a);
	case N_ADD:
		return (int64_t)((uint64_t)eval_int(x, n->a) + (uint64_t)eval_int(x, n->b));
	case N_SUB:
		return (int64_t)((uint64_t)eval_int(x, n->a) - (uint64_t)eval_int(x, n->b));
	case N_BAND:
		return eval_int(x, n->a) & eval_int(x, n->b);
	case N_BOR:
		return eval_int(x, n->a) | eval_int(x, n->b);
	case N_BXOR:
		return eval_int(x, n->a) ^ eval_int(x, n->b);
	case N_BNOT:
		return ~eval_int(x, n->a);
	case N_NEG:
		return (int64_t)(0 - (uint64_t)eval_int(x, n->a));
	default: /* a BOOL that is compared */
		return eval_bool(x, i);
	}
}

/* ---- predicates ---------------------------------------------------------------------------------------------------- */

static bool eval_streq(struct run *x, const struct node *n)
{
	struct val a = eval_value(x, n->a), b = eval_value(x, n->b);

	if (a.len != b.len)
		return false;
	return a.len == 0 || (n->c ? ascii_same(a.s, b.s, a.len) : memcmp(a.s, b.s, a.len) == 0);
}

static bool eval_strin(struct run *x, const struct node *n)
{
	struct val v = eval_value(x, n->a);

	return strsets_match(x->e->strsets, n->b, v.s, v.len);
}

static bool ip_match(struct val a, struct val b)
{
	return a.len == VAL_IP_BYTES && b.len == VAL_IP_BYTES &&
	       ipnet_match((const uint8_t *)a.s, (const uint8_t *)b.s);
}

/* c: every network has to match, not only one. */
static bool eval_ipin(struct run *x, const struct node *n)
{
	const struct ipset *set = &x->e->p.ipsets[n->b];
	struct val v = eval_value(x, n->a);
	bool all = n->c;

	for (uint32_t i = set->first; i < set->first + set->count; i++) {
		struct val net = no_value;

		net.s = program_str(&x->e->p, x->e->p.ips[i], &net.len);
		if (ip_match(v, net) != all)
			return !all;
	}
	return all;
}

static bool any_of(struct run *x, const struct val *arr, uint32_t len, uint32_t body)
{
	for (uint32_t i = 0; i < len; i++) {
		x->elem = arr[i];
		if (eval_bool(x, body))
			return true;
	}
	return false;
}

static bool any_of_ancestors(struct run *x, const struct node *n)
{
	uint16_t slot = field_at(x, node_at(x, n->a)->a)->slot;
	bool nested = x->e->flags[n->a] & NF_NESTED;
	const struct proc *p = first_ancestor(x);

	for (int k = 0; p && k < VAL_ANCESTORS_MAX; k++, p = p->parent) {
		const struct val *v = &p->v[slot];

		if (nested ? any_of(x, v->arr, v->len, n->b) : any_of(x, v, 1, n->b))
			return true;
	}
	return false;
}

static bool eval_any(struct run *x, const struct node *n)
{
	struct val outer = x->elem, v;
	bool found;

	if (is_of_ancestors(x, node_at(x, n->a))) {
		found = any_of_ancestors(x, n);
	} else {
		v = eval_value(x, n->a);
		found = any_of(x, v.arr, v.len, n->b);
	}
	x->elem = outer;
	return found;
}

static bool exists_ancestor(struct run *x, const struct node *n)
{
	const struct proc *p = first_ancestor(x);

	for (int k = 0; p && k < VAL_ANCESTORS_MAX; k++, p = p->parent) {
		x->current = p;
		if (eval_bool(x, n->a))
			return true;
	}
	return false;
}

static bool exists_position(struct run *x, const struct node *n, uint32_t len)
{
	for (uint32_t k = 0; k < len && k < VAL_ANCESTORS_MAX; k++) {
		x->position = k;
		if (eval_bool(x, n->a))
			return true;
	}
	return false;
}

static bool eval_exists(struct run *x, const struct node *n)
{
	const struct cat_field *f = field_at(x, n->b);
	const struct proc *outer = x->current;
	uint32_t outer_position = x->position;
	bool found;

	found = f->home == CAT_HOME_ANCESTORS ? exists_ancestor(x, n)
					      : exists_position(x, n, catalog_get(f, x->ev).len);
	x->current = outer;
	x->position = outer_position;
	return found;
}

static bool eval_op(struct run *x, uint32_t i)
{
	const struct node *n = node_at(x, i);

	switch (n->op) {
	case N_AND:
		return eval_bool(x, n->a) && eval_bool(x, n->b);
	case N_OR:
		return eval_bool(x, n->a) || eval_bool(x, n->b);
	case N_NOT:
		return !eval_bool(x, n->a);
	case N_EQ:
		return eval_int(x, n->a) == eval_int(x, n->b);
	case N_LT:
		return eval_int(x, n->a) < eval_int(x, n->b);
	case N_LE:
		return eval_int(x, n->a) <= eval_int(x, n->b);
	case N_STREQ:
		return eval_streq(x, n);
	case N_STRIN:
		return eval_strin(x, n);
	case N_INTIN:
		return program_intset_has(&x->e->p, n->b, eval_int(x, n->a));
	case N_IPIN:
		return eval_ipin(x, n);
	case N_IPEQ:
		return ip_match(eval_value(x, n->a), eval_value(x, n->b));
	case N_ANY:
		return eval_any(x, n);
	case N_EXISTS:
		return eval_exists(x, n);
	default: /* N_BOOL, N_FIELD, N_ELEM, N_CURRENT */
		return eval_int(x, i) != 0;
	}
}

/* Recursion is as deep as the nodes are, at most PROGRAM_DEPTH_MAX. */
static bool eval_bool(struct run *x, uint32_t i)
{
	struct engine *e = x->e;
	bool v;

	if (!(e->flags[i] & NF_MEMO))
		return eval_op(x, i);
	if (e->memo[i] >> 1 == e->stamp)
		return e->memo[i] & 1;
	v = eval_op(x, i);
	e->memo[i] = e->stamp << 1 | v;
	return v;
}

/* ---- events -------------------------------------------------------------------------------------------------------- */

static void next_stamp(struct engine *e)
{
	if (e->stamp == STAMP_MAX) {
		memset(e->memo, 0, e->p.nnodes * sizeof(*e->memo));
		memset(e->fired_at, 0, e->p.nrules * sizeof(*e->fired_at));
		e->stamp = 0;
	}
	e->stamp++;
}

static int u32_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static size_t eval_bit(struct run *x, const struct bit *b, size_t n)
{
	struct engine *e = x->e;

	for (uint32_t i = b->first; i < b->first + b->count; i++) {
		const struct candidate *c = &e->candidates[i];

		if (e->fired_at[c->rule] == e->stamp || !eval_bool(x, c->root))
			continue;
		e->fired_at[c->rule] = e->stamp;
		e->fired[n++] = c->rule;
	}
	return n;
}

size_t engine_eval(struct engine *e, const struct event *ev, const uint32_t **ret_rules)
{
	struct run x = { .e = e, .ev = ev };
	size_t n = 0;

	if (ret_rules)
		*ret_rules = e->fired;
	if (ev->type >= e->p.catalog->nevents)
		return 0;
	next_stamp(e);
	for (unsigned w = 0; w < SV_WORDS; w++)
		for (uint64_t m = ev->alive[w] & e->in_use[ev->type][w]; m; m &= m - 1)
			n = eval_bit(&x, &e->bits[ev->type][64 * w + (unsigned)__builtin_ctzll(m)], n);
	if (n > 1)
		qsort(e->fired, n, sizeof(*e->fired), u32_cmp);
	for (size_t i = 0; i < n; i++)
		e->matches[i] = (struct engine_match){ .rule = e->fired[i] };
	return n;
}

const struct engine_match *engine_matches(const struct engine *e)
{
	return e->matches;
}

int engine_var_get(struct engine *e, const char *name, size_t len, const struct event *ev, struct engine_var *ret)
{
	return -ENOENT;
}

int engine_eval_node(struct engine *e, uint32_t node, const struct event *ev, bool *ret)
{
	struct run x = { .e = e, .ev = ev };

	if (node >= e->p.nnodes || e->p.nodes[node].type != NT_BOOL || (e->flags[node] & (NF_ELEM | NF_CURRENT)) ||
	    (e->events[node] != EV_NONE && e->events[node] != ev->type))
		return -EINVAL;
	next_stamp(e);
	*ret = eval_bool(&x, node);
	return 0;
}

/* ---- making one ---------------------------------------------------------------------------------------------------- */

/* What the node itself brings, its operands aside. */
static void scan_leaf(struct engine *e, uint32_t i, uint8_t *flags, uint16_t *event)
{
	const struct node *n = &e->p.nodes[i];
	const struct cat_field *fields = e->p.catalog->fields;

	switch (n->op) {
	case N_ELEM:
		*flags |= NF_ELEM;
		break;
	case N_CURRENT:
		*flags |= NF_CURRENT;
		*event |= fields[n->a].event;
		break;
	case N_FIELD:
		*event |= fields[n->a].event;
		*flags |= fields[n->a].home == CAT_HOME_ANCESTORS && program_field_several(e->p.catalog, &fields[n->a])
				  ? NF_NESTED
				  : 0;
		break;
	case N_EXISTS:
		*event |= fields[n->b].event;
		break;
	}
}

static void scan_node(struct engine *e, uint32_t i)
{
	const struct node *n = &e->p.nodes[i];
	unsigned operands = program_operands(n->op);
	uint8_t fa = operands & 1 ? e->flags[n->a] : 0, fb = operands & 2 ? e->flags[n->b] : 0;
	uint16_t event = (operands & 1 ? e->events[n->a] : 0) | (operands & 2 ? e->events[n->b] : 0);
	uint8_t flags;

	if (n->op == N_ANY)
		fb &= (uint8_t)~NF_ELEM;
	if (n->op == N_EXISTS)
		fa &= (uint8_t)~NF_CURRENT;
	flags = (fa | fb) & (NF_ELEM | NF_CURRENT);
	scan_leaf(e, i, &flags, &event);
	/* Reading a field again is cheaper than remembering it. */
	if (n->type == NT_BOOL && operands && !(flags & (NF_ELEM | NF_CURRENT)))
		flags |= NF_MEMO;
	e->flags[i] = flags;
	e->events[i] = event;
}

/* Sorts the clauses of all rules by event type and bit; within a bit they stay in the order of the rules. */
static void place_candidates(struct engine *e)
{
	const struct program *p = &e->p;
	uint32_t at = 0;

	for (uint32_t i = 0; i < p->nrules; i++)
		for (uint32_t k = 0; k < p->rules[i].clause_count; k++)
			e->bits[p->rules[i].event][p->clauses[p->rules[i].clause_first + k].bit].count++;
	for (size_t ev = 0; ev < p->catalog->nevents; ev++)
		for (unsigned b = 0; b < SV_CLAUSES; b++) {
			struct bit *bit = &e->bits[ev][b];

			bit->first = at;
			at += bit->count;
			e->in_use[ev][b / 64] |= (uint64_t)(bit->count > 0) << (b % 64);
			bit->count = 0;
		}
	for (uint32_t i = 0; i < p->nrules; i++)
		for (uint32_t k = 0; k < p->rules[i].clause_count; k++) {
			const struct clause *c = &p->clauses[p->rules[i].clause_first + k];
			struct bit *bit = &e->bits[p->rules[i].event][c->bit];

			e->candidates[bit->first + bit->count++] = (struct candidate){ .rule = i, .root = c->root };
		}
}

static int alloc_tables(struct engine *e)
{
	size_t nevents = e->p.catalog->nevents;

	e->flags = calloc(e->p.nnodes + 1, sizeof(*e->flags));
	e->events = calloc(e->p.nnodes + 1, sizeof(*e->events));
	e->memo = calloc(e->p.nnodes + 1, sizeof(*e->memo));
	e->candidates = calloc(e->p.nclauses + 1, sizeof(*e->candidates));
	e->bits = calloc(nevents + 1, sizeof(*e->bits));
	e->in_use = calloc(nevents + 1, sizeof(*e->in_use));
	e->fired_at = calloc(e->p.nrules + 1, sizeof(*e->fired_at));
	e->fired = calloc(e->p.nrules + 1, sizeof(*e->fired));
	e->matches = calloc(e->p.nrules + 1, sizeof(*e->matches));
	return e->matches && e->flags && e->events && e->memo && e->candidates && e->bits && e->in_use && e->fired_at &&
			       e->fired
		       ? 0
		       : -ENOMEM;
}

int engine_new_with(const struct program *p, const struct engine_options *o, struct engine **ret, struct err *err)
{
	_cleanup_(engine_free) struct engine *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return err_set(err, -ENOMEM, "out of memory");
	if (p->nvars || p->nactions)
		return err_set(err, -EINVAL, "variables and actions are not known to this engine yet");
	e->p = *p;
	if (alloc_tables(e) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	r = strsets_new(p, &e->strsets, err);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < p->nnodes; i++)
		scan_node(e, i);
	place_candidates(e);
	*ret = TAKE_PTR(e);
	return 0;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	strsets_free(e->strsets);
	free(e->flags);
	free(e->events);
	free(e->memo);
	free(e->candidates);
	free(e->bits);
	free(e->in_use);
	free(e->fired_at);
	free(e->fired);
	free(e->matches);
	free(e);
}
