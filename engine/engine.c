/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "engine/engine_impl.h"

#define STAMP_MAX (UINT32_MAX / 2)

/* ---- events -------------------------------------------------------------------------------------------------------- */

static void forget_answers(struct engine *e)
{
	for (uint32_t i = 0; i < e->p.nnodes; i++)
		e->nodes[i].memo = 0;
}

void engine_vars_changed(struct engine *e)
{
	if (e->var_stamp == STAMP_MAX) {
		forget_answers(e);
		e->var_stamp = 0;
	}
	e->var_stamp++;
}

static void next_stamp(struct engine *e)
{
	if (e->stamp == STAMP_MAX) {
		forget_answers(e);
		memset(e->fired_at, 0, e->p.nrules * sizeof(*e->fired_at));
		plan_restart(&e->plan);
		columns_restart(&e->columns);
		e->stamp = 0;
	}
	e->stamp++;
	engine_vars_changed(e);
}

static int u32_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Mostly they are in order. */
static void put_in_order(uint32_t *v, uint32_t n)
{
	uint32_t i = 1;

	while (i < n && v[i - 1] <= v[i])
		i++;
	if (i < n)
		qsort(v, n, sizeof(*v), u32_cmp);
}

/* What was found out of the rules that an event could be about. */
struct found {
	uint32_t asked, early, late;
};

struct coming {
	struct run *x;
	struct found *f;
};

/* Its atom is not asked again. */
static void come_up(void *ctx, uint32_t candidate, uint32_t atom)
{
	struct coming *c = ctx;
	struct engine *e = c->x->e;

	if (atom != ATOM_NONE && (atom & ATOM_WITHIN)) {
		struct enode *n = &e->nodes[atom & ~ATOM_WITHIN];

		if (n->flags & NF_MEMO)
			n->memo = e->stamp << 1 | 1;
	}
	e->asked[c->f->asked++] = (struct brought){ candidate, atom };
}

static bool part_holds(struct run *x, const struct part *p)
{
	struct columns *c = &x->e->columns;
	const struct question *q = &p->question;
	uint32_t stamp = x->e->stamp;

	if (q->kind != QUESTION_NONE && columns_know(c, q, stamp))
		return columns_answer(c, q);
	if (q->kind != QUESTION_SET)
		return eval_bool(x, p->node) != q->negated;
	if (!q->few && columns_learn(c, q, x->ev, stamp))
		return columns_answer(c, q);
	return columns_in_set(c, q->column, q->what, x->ev, stamp) != q->negated;
}

/* What depends on variables may still change. */
static bool may_hold(void *ctx, const struct part *part)
{
	struct coming *c = ctx;

	return (c->x->e->nodes[part->node].flags & NF_VAR) || part_holds(c->x, part);
}

/* @atom: the number of a part that does hold. */
static bool holds(struct run *x, const struct candidate *c, uint32_t atom)
{
	const struct part *p = candidate_parts(c);

	for (uint32_t i = 0; i < c->nparts; i++)
		if (i != atom && !part_holds(x, &p[i]))
			return false;
	return true;
}

static bool has_fired(const struct engine *e, const struct candidate *c)
{
	return !c->alone && e->fired_at[c->rule] == e->stamp;
}

static void note_fired(struct engine *e, const struct candidate *c)
{
	if (!c->alone)
		e->fired_at[c->rule] = e->stamp;
}

/* What depends on variables waits until the rules before it have set theirs. */
static void ask(struct run *x, struct found *f)
{
	struct engine *e = x->e;

	for (uint32_t i = 0; i < f->asked; i++) {
		const struct candidate *c = &e->plan.v[e->asked[i].candidate];

		if (has_fired(e, c))
			continue;
		if (c->late) {
			e->late[f->late++] = e->asked[i].candidate;
			continue;
		}
		if (!holds(x, c, e->asked[i].atom))
			continue;
		note_fired(e, c);
		e->early[f->early++] = e->asked[i].candidate;
	}
}

static void fire(struct run *x, const struct candidate *c, size_t n)
{
	struct engine *e = x->e;

	e->fired[n] = c->rule;
	e->matches[n] = (struct engine_match){ .rule = c->rule };
	if (!c->plain)
		act_on_match(x, c->rule, &e->matches[n]);
}

/* Those that hold anyway and those that are asked now, in the order of the rules. */
static size_t fire_in_order(struct run *x, const struct found *f)
{
	struct engine *e = x->e;
	const struct candidate *v = e->plan.v;
	size_t i = 0, n = 0;

	for (uint32_t k = 0; k < f->late; k++) {
		const struct candidate *c = &v[e->late[k]];

		while (i < f->early && e->early[i] < e->late[k])
			fire(x, &v[e->early[i++]], n++);
		if (has_fired(e, c) || !holds(x, c, ATOM_NONE))
			continue;
		note_fired(e, c);
		fire(x, c, n++);
	}
	while (i < f->early)
		fire(x, &v[e->early[i++]], n++);
	return n;
}

void engine_begin(struct engine *e)
{
	next_stamp(e);
	e->text.len = e->messages.len = e->nacts = 0;
}

size_t engine_eval(struct engine *e, const struct event *ev, const uint32_t **ret_rules)
{
	struct run x = { .e = e, .ev = ev };
	struct found f = { 0 };
	struct coming c = { .x = &x, .f = &f };
	const struct plan_asker to = { .f = come_up, .may = may_hold, .ctx = &c };

	if (ret_rules)
		*ret_rules = e->fired;
	if (ev->type >= e->p.catalog->nevents)
		return 0;
	engine_begin(e);
	if (!(ev->alive[0] | ev->alive[1] | ev->alive[2] | ev->alive[3]))
		return 0;
	plan_each(&e->plan, ev, e->stamp, &to);
	ask(&x, &f);
	put_in_order(e->early, f.early); /* candidates are in the order of the rules */
	put_in_order(e->late, f.late);
	return fire_in_order(&x, &f);
}

const struct engine_match *engine_matches(const struct engine *e)
{
	return e->matches;
}

int engine_eval_node(struct engine *e, uint32_t node, const struct event *ev, bool *ret)
{
	struct run x = { .e = e, .ev = ev };

	if (node >= e->p.nnodes || e->p.nodes[node].type != NT_BOOL ||
	    (e->nodes[node].flags & (NF_ELEM | NF_CURRENT)) || !catalog_covers(e->p.catalog, e->events[node], ev->type))
		return -EINVAL;
	next_stamp(e);
	e->text.len = 0;
	*ret = eval_bool(&x, node);
	return 0;
}

/* ---- making one ---------------------------------------------------------------------------------------------------- */

/* What both are about; a program has no node of two event types. */
static uint16_t meet(const struct engine *e, uint16_t a, uint16_t b)
{
	int event = catalog_meet(e->p.catalog, a, b);

	return event < 0 ? a : (uint16_t)event;
}

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
		*event = fields[n->a].event;
		break;
	case N_FIELD:
		*event = fields[n->a].event;
		*flags |= cat_is_ancestors(fields[n->a].home) && program_field_several(e->p.catalog, &fields[n->a])
				  ? NF_NESTED
				  : 0;
		break;
	case N_EXISTS:
		*event = meet(e, *event, fields[n->b].event);
		break;
	case N_VAR:
	case N_UUID:
		*flags |= NF_VAR | (n->op == N_UUID ? NF_CHANCE : 0);
		break;
	}
}

static void scan_node(struct engine *e, uint32_t i)
{
	const struct node *n = &e->p.nodes[i];
	struct enode *to = &e->nodes[i];
	unsigned operands = program_operands(n->op);
	uint8_t fa = operands & 1 ? e->nodes[n->a].flags : 0, fb = operands & 2 ? e->nodes[n->b].flags : 0;
	uint16_t event = meet(e, operands & 1 ? e->events[n->a] : EV_NONE, operands & 2 ? e->events[n->b] : EV_NONE);
	uint8_t flags;

	if (n->op == N_ANY)
		fb &= (uint8_t)~NF_ELEM;
	if (n->op == N_EXISTS)
		fa &= (uint8_t)~NF_CURRENT;
	flags = (fa | fb) & (NF_ELEM | NF_CURRENT | NF_VAR | NF_CHANCE);
	scan_leaf(e, i, &flags, &event);
	/* Reading a field again is cheaper than remembering it. */
	if (n->type == NT_BOOL && operands && !(flags & (NF_ELEM | NF_CURRENT | NF_CHANCE)))
		flags |= flags & NF_VAR ? NF_UNTIL_SET : NF_MEMO;
	/* A set that an ancestor is compared with by N_CURRENT is asked for one ancestor at a time. */
	if (e->plan.atom_of[i] && !(flags & NF_CURRENT) && (n->op == N_STRIN || n->op == N_ANY))
		flags |= NF_ATOM;
	*to = (struct enode){ .op = n->op, .type = n->type, .flags = flags, .a = n->a, .b = n->b, .c = n->c };
	to->imm = n->imm;
	if (flags & NF_ATOM) {
		to->atom.column = plan_atom(&e->plan, i)->column;
		to->atom.what = plan_atom(&e->plan, i)->what;
		to->atom_kind = plan_atom(&e->plan, i)->kind;
	}
	e->events[i] = event;
}

static int alloc_tables(struct engine *e)
{
	e->nodes = terms_table(e->p.nnodes + 1, sizeof(*e->nodes));
	e->events = calloc(e->p.nnodes + 1, sizeof(*e->events));
	e->asked = calloc(e->plan.n + 1, sizeof(*e->asked));
	e->fired_at = calloc(e->p.nrules + 1, sizeof(*e->fired_at));
	e->early = calloc(e->p.nrules + 1, sizeof(*e->early));
	e->late = calloc(e->plan.n + 1, sizeof(*e->late));
	e->fired = calloc(e->p.nrules + 1, sizeof(*e->fired));
	e->matches = calloc(e->p.nrules + 1, sizeof(*e->matches));
	e->suppressed = calloc(e->p.nrules + 1, sizeof(*e->suppressed));
	e->acts = calloc(e->p.nactions + 1, sizeof(*e->acts));
	return e->nodes && e->events && e->asked && e->fired_at && e->early && e->late && e->fired && e->matches &&
			       e->suppressed && e->acts
		       ? 0
		       : -ENOMEM;
}

/* What makes texts: any node whose text is only known then, or an action with a message. */
static int alloc_texts(struct engine *e)
{
	bool any = e->p.nactions > 0;

	for (uint32_t i = 0; i < e->p.nnodes; i++)
		any |= e->p.nodes[i].op >= N_VAR;
	if (!any)
		return 0;
	e->text = (struct text_room){ .s = malloc(TEXT_ROOM), .max = TEXT_ROOM };
	e->messages = (struct text_room){ .s = malloc(MESSAGES_ROOM), .max = MESSAGES_ROOM };
	e->glob = malloc(sizeof(*e->glob) + GLOB_COMPS * sizeof(e->glob->comps[0]));
	e->values = calloc(VAR_SIZE_MAX, sizeof(*e->values));
	return e->text.s && e->messages.s && e->glob && e->values ? 0 : -ENOMEM;
}

static const struct cat_field *scope_field(const struct catalog *c, const char *name, uint8_t home, uint8_t type)
{
	const struct cat_field *f = catalog_field(c, name, strlen(name));

	return f && f->type == type && !(f->flags & CF_ARRAY) && f->home == home ? f : NULL;
}

static int alloc_state(struct engine *e)
{
	const struct engine_options *o = &e->options;
	const struct state_options so = { .entries = o->entries ? o->entries : ENGINE_ENTRIES,
					  .values = o->values ? o->values : ENGINE_VALUES,
					  .text_bytes = o->text_bytes ? o->text_bytes : ENGINE_TEXT_BYTES };
	bool tokens = false;
	int r;

	for (uint32_t i = 0; i < e->p.nrules; i++) {
		const struct prule *rule = &e->p.rules[i];

		tokens |= rule->every_ns && rule->limit_count;
	}
	e->pid = scope_field(e->p.catalog, "process.pid", CAT_HOME_PROC, VAL_INT);
	e->container = scope_field(e->p.catalog, "process.container.id", CAT_HOME_PROC, VAL_STR);
	e->cgroup = scope_field(e->p.catalog, "process.cgroup.id", CAT_HOME_PROC, VAL_STR);
	e->random[0] = o->seed[0];
	e->random[1] = ~o->seed[1];
	r = state_new(&e->p, &so, &e->state);
	return r < 0 ? r : limits_new(e->p.nrules, tokens ? o->limits ? o->limits : ENGINE_LIMITS : 0, &e->limits);
}

static void note_effects(const struct engine *e, struct candidate *c)
{
	const struct prule *r = &e->p.rules[c->rule];

	c->late = e->nodes[c->root].flags & NF_VAR;
	c->plain = !r->every_ns && !r->actions_count && !r->flags;
}

int engine_new_with(const struct program *p, const struct engine_options *o, struct engine **ret, struct err *err)
{
	_cleanup_(engine_free) struct engine *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return err_set(err, -ENOMEM, "out of memory");
	e->p = *p;
	if (o)
		e->options = *o;
	r = terms_init(&e->terms, &e->p, err);
	if (r < 0)
		return r;
	if (columns_init(&e->columns, p->catalog, &e->terms) < 0 ||
	    plan_init(&e->plan, &e->p, &e->terms, &e->columns) < 0 || alloc_tables(e) < 0 || alloc_texts(e) < 0 ||
	    alloc_state(e) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < p->nnodes; i++)
		scan_node(e, i);
	for (uint32_t i = 0; i < e->plan.n; i++)
		note_effects(e, &e->plan.v[e->plan.at[i]]);
	*ret = TAKE_PTR(e);
	return 0;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	plan_done(&e->plan);
	columns_done(&e->columns);
	terms_done(&e->terms);
	free(e->nodes);
	free(e->events);
	free(e->asked);
	free(e->fired_at);
	free(e->early);
	free(e->late);
	free(e->fired);
	free(e->matches);
	free(e->suppressed);
	free(e->acts);
	state_free(e->state);
	limits_free(e->limits);
	free(e->text.s);
	free(e->messages.s);
	free(e->glob);
	free(e->values);
	free(e);
}
