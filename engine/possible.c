/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/possible.h"

#include <errno.h>
#include <stdlib.h>

#include "engine/engine_impl.h"

/* What a node depends on. */
enum need {
	NEED_OWN = 1 << 0,
	NEED_PARENT = 1 << 1,
	NEED_ANCESTORS = 1 << 2,
	NEED_CGROUPS = 1 << 3,	    /* it compares the process's cgroup with its parent's */
	NEED_CGROUP = 1 << 4,	    /* the process's own */
	NEED_NO_CONTAINER = 1 << 5, /* what is empty where there is no container */
	NEED_MORE = 1 << 6,	    /* what no view knows */
	NEED_CONTAINER = 1 << 7,    /* the container's id, which the cgroup tells */
	NEED_HASHES = 1 << 8	    /* of the file that is opened */
};

/* A rule that asks something of the process that a view may know. */
struct asked {
	uint32_t root;
	struct sv_mask bits;
};

struct possible {
	struct engine *e; /* borrowed */
	uint16_t *needs;  /* owned; enum need of each node */
	bool *asks;	  /* owned; of each node: something below it is known in some view */
	struct asked *v;  /* owned; by event type: those on type t are first[t] to first[t + 1] */
	uint32_t first[EV_TYPES + 1];
	struct sv_mask rest[EV_TYPES]; /* clauses of rules that ask nothing of the process */
	struct sv_mask all[EV_TYPES];
};

/* ---- what nodes depend on ------------------------------------------------------------------------------------------ */

static uint16_t field_needs(const struct cat_field *f)
{
	if (f->home == CAT_HOME_EVENT && f->event == EV_OPEN && f->slot == SLOT_OPEN_FILE_HASHES)
		return NEED_HASHES;
	if (f->home == CAT_HOME_BASE && (f->slot == SLOT_BASE_CONTAINER_CREATED_AT ||
					 f->slot == SLOT_BASE_CONTAINER_RUNTIME || f->slot == SLOT_BASE_CONTAINER_TAGS))
		return NEED_NO_CONTAINER;
	if (!catalog_stays(f))
		return NEED_MORE;
	if (f->home == CAT_HOME_PROC && f->slot == SLOT_PROC_CGROUP_ID)
		return NEED_CGROUP;
	if (f->home == CAT_HOME_PROC && f->slot == SLOT_PROC_CONTAINER_ID)
		return NEED_CONTAINER;
	return f->home == CAT_HOME_PROC ? NEED_OWN : f->home == CAT_HOME_PARENT ? NEED_PARENT : NEED_ANCESTORS;
}

static bool is_cgroup(const struct program *p, uint32_t node, uint8_t home)
{
	const struct node *n = &p->nodes[node];
	const struct cat_field *f = &p->catalog->fields[n->a];

	return n->op == N_FIELD && f->home == home && f->slot == SLOT_PROC_CGROUP_ID;
}

static uint16_t node_needs(const struct possible *x, const struct node *n)
{
	const struct program *p = &x->e->p;
	unsigned operands = program_operands(n->op);
	uint16_t needs = 0;

	switch (n->op) {
	case N_INT:
	case N_BOOL:
	case N_STR:
	case N_IP:
	case N_ELEM:
		return 0;
	case N_FIELD:
	case N_CURRENT:
		return field_needs(&p->catalog->fields[n->a]);
	case N_NOW:
	case N_VAR:
	case N_UUID:
		return NEED_MORE;
	case N_STREQ:
		if ((is_cgroup(p, n->a, CAT_HOME_PROC) && is_cgroup(p, n->b, CAT_HOME_PARENT)) ||
		    (is_cgroup(p, n->b, CAT_HOME_PROC) && is_cgroup(p, n->a, CAT_HOME_PARENT)))
			return NEED_CGROUPS;
		break;
	case N_EXISTS:
		needs = field_needs(&p->catalog->fields[n->b]);
		break;
	default:
		break;
	}
	if (operands & 1)
		needs |= x->needs[n->a];
	if (operands & 2)
		needs |= x->needs[n->b];
	return needs;
}

static bool node_asks(const struct possible *x, const struct node *n, uint16_t needs)
{
	unsigned operands = program_operands(n->op);

	if (n->type == NT_BOOL && needs && !(needs & NEED_MORE))
		return true;
	return (n->op == N_AND || n->op == N_OR || n->op == N_NOT) &&
	       (((operands & 1) && x->asks[n->a]) || ((operands & 2) && x->asks[n->b]));
}

static void rule_bits(const struct program *p, const struct prule *r, struct sv_mask *ret)
{
	*ret = (struct sv_mask){ { 0 } };
	for (uint32_t i = r->clause_first; i < r->clause_first + r->clause_count; i++)
		ret->w[p->clauses[i].bit / 64] |= 1ull << p->clauses[i].bit % 64;
}

static void mask_or(struct sv_mask *to, const struct sv_mask *m)
{
	for (int i = 0; i < SV_WORDS; i++)
		to->w[i] |= m->w[i];
}

/* The rules that ask something into x->v, those on the same type side by side. */
static void put_asked(struct possible *x)
{
	const struct program *p = &x->e->p;
	uint32_t n = 0;

	for (uint16_t t = 0; t < EV_TYPES; t++) {
		x->first[t] = n;
		for (uint32_t i = 0; i < p->nrules; i++) {
			struct asked a = { .root = p->rules[i].root };

			if (p->rules[i].event != t)
				continue;
			rule_bits(p, &p->rules[i], &a.bits);
			mask_or(&x->all[t], &a.bits);
			if (x->asks[a.root])
				x->v[n++] = a;
			else
				mask_or(&x->rest[t], &a.bits);
		}
	}
	x->first[EV_TYPES] = n;
}

int possible_new(struct engine *e, struct possible **ret)
{
	_cleanup_(possible_free) struct possible *x = calloc(1, sizeof(*x));
	const struct program *p = &e->p;

	if (!x)
		return -ENOMEM;
	x->e = e;
	x->needs = calloc((size_t)p->nnodes + 1, sizeof(*x->needs));
	x->asks = calloc((size_t)p->nnodes + 1, sizeof(*x->asks));
	x->v = calloc((size_t)p->nrules + 1, sizeof(*x->v));
	if (!x->needs || !x->asks || !x->v)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->nnodes; i++) {
		x->needs[i] = node_needs(x, &p->nodes[i]);
		x->asks[i] = node_asks(x, &p->nodes[i], x->needs[i]);
	}
	put_asked(x);
	*ret = TAKE_PTR(x);
	return 0;
}

void possible_free(struct possible *x)
{
	if (!x)
		return;
	free(x->needs);
	free(x->asks);
	free(x->v);
	free(x);
}

/* ---- what can be --------------------------------------------------------------------------------------------------- */

enum can { CAN_FALSE = 1, CAN_TRUE = 2, CAN_BOTH = 3 };

struct look {
	struct possible *x;
	struct run run;
	uint16_t known;
};

/* Recursion is as deep as the nodes are, at most PROGRAM_DEPTH_MAX. */
static uint8_t can_be(struct look *l, uint32_t i)
{
	const struct possible *x = l->x;
	const struct node *n = &x->e->p.nodes[i];
	uint8_t a, b;

	if (!x->asks[i])
		return n->op == N_BOOL ? (n->imm ? CAN_TRUE : CAN_FALSE) : CAN_BOTH;
	if (x->needs[i] == NEED_CGROUPS && n->op == N_STREQ)
		return l->known & NEED_CGROUPS ? CAN_TRUE : CAN_BOTH;
	if (!(x->needs[i] & ~l->known) && !(x->needs[i] & NEED_CGROUPS))
		return eval_bool(&l->run, i) ? CAN_TRUE : CAN_FALSE;
	switch (n->op) {
	case N_NOT:
		a = can_be(l, n->a);
		return (uint8_t)((a & CAN_TRUE ? CAN_FALSE : 0) | (a & CAN_FALSE ? CAN_TRUE : 0));
	case N_AND:
		a = can_be(l, n->a);
		if (a == CAN_FALSE)
			return CAN_FALSE;
		b = can_be(l, n->b);
		return (uint8_t)((a & b & CAN_TRUE) | ((a | b) & CAN_FALSE));
	case N_OR:
		a = can_be(l, n->a);
		if (a == CAN_TRUE)
			return CAN_TRUE;
		b = can_be(l, n->b);
		return (uint8_t)((a & b & CAN_FALSE) | ((a | b) & CAN_TRUE));
	default:
		return CAN_BOTH;
	}
}

static uint16_t known_in(const struct possible_view *v)
{
	uint16_t cgroup = v->own || v->cgroup ? NEED_CGROUP | NEED_CONTAINER : 0;

	if (v->bare || (cgroup && !v->proc->v[SLOT_PROC_CONTAINER_ID].len))
		cgroup |= NEED_CONTAINER | NEED_NO_CONTAINER;
	return (uint16_t)(cgroup | (v->own ? NEED_OWN : 0) | (v->parent ? NEED_PARENT : 0) |
			  (v->ancestors ? NEED_ANCESTORS : 0) | (v->same_cgroup ? NEED_CGROUPS : 0));
}

/* Of rules on @type. */
static void mask_with(struct look *l, uint16_t type, struct sv_mask *ret)
{
	struct possible *x = l->x;

	*ret = x->rest[type];
	for (uint32_t i = x->first[type]; i < x->first[type + 1]; i++)
		if (can_be(l, x->v[i].root) & CAN_TRUE)
			mask_or(ret, &x->v[i].bits);
}

/* The same; where nothing is ruled out all ones, which is one set for every policy. */
static void mask_or_ones(struct look *l, uint16_t type, struct sv_mask *ret)
{
	const struct possible *x = l->x;

	if (x->first[type] != x->first[type + 1]) {
		mask_with(l, type, ret);
		if (memcmp(ret, &x->all[type], sizeof(*ret)) != 0)
			return;
	}
	memset(ret, 0xff, sizeof(*ret));
}

/* What is asked of the process is the same whatever it does, and so is what was found out of it for another type. */
static struct look look_at(struct possible *x, const struct possible_view *v, const struct event *ev)
{
	engine_begin(x->e);
	return (struct look){ .x = x, .run = { .e = x->e, .ev = ev }, .known = known_in(v) };
}

void possible_masks(struct possible *x, const struct possible_view *own, const struct possible_view *exec,
		    struct sv_mask ret[EV_TYPES])
{
	const struct event does = { .proc = own->proc }, executed = { .type = EV_EXEC, .proc = exec->proc };
	struct look l = look_at(x, own, &does);

	for (uint16_t t = 0; t < EV_TYPES; t++)
		if (t != EV_EXEC)
			mask_or_ones(&l, t, &ret[t]);
	l = look_at(x, exec, &executed);
	mask_or_ones(&l, EV_EXEC, &ret[EV_EXEC]);
}

void possible_of_file(struct possible *x, const struct event *ev, struct sv_mask *ret)
{
	struct event file = { .type = EV_OPEN };
	struct look l = { .x = x, .run = { .e = x->e, .ev = &file }, .known = NEED_HASHES };

	memset(ret, 0xff, sizeof(*ret));
	file.v[SLOT_OPEN_FILE_HASHES] = ev->v[SLOT_OPEN_FILE_HASHES];
	if (ev->type != EV_OPEN || !file.v[SLOT_OPEN_FILE_HASHES].len)
		return;
	engine_begin(x->e);
	mask_with(&l, EV_OPEN, ret);
}

void possible_asks_file(const struct possible *x, struct sv_mask *ret)
{
	*ret = (struct sv_mask){ { 0 } };
	for (uint32_t i = x->first[EV_OPEN]; i < x->first[EV_OPEN + 1]; i++)
		if (x->needs[x->v[i].root] & NEED_HASHES)
			mask_or(ret, &x->v[i].bits);
}
