/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "engine/engine_impl.h"

#define STAMP_MAX (UINT32_MAX / 2)

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

/* What was found out of the rules that an event could be about. */
struct found {
	size_t early, late;
};

/* What depends on variables waits until the rules before it have set theirs. */
static void eval_bit(struct run *x, const struct bit *b, struct found *f)
{
	struct engine *e = x->e;

	for (uint32_t i = b->first; i < b->first + b->count; i++) {
		const struct candidate *c = &e->candidates[i];

		if (e->fired_at[c->rule] == e->stamp)
			continue;
		if (e->flags[c->root] & NF_VAR) {
			e->late[f->late++] = *c;
			continue;
		}
		if (!eval_bool(x, c->root))
			continue;
		e->fired_at[c->rule] = e->stamp;
		e->early[f->early++] = c->rule;
	}
}

static void fire(struct run *x, uint32_t rule, size_t n)
{
	struct engine *e = x->e;

	e->fired[n] = rule;
	e->matches[n] = (struct engine_match){ .rule = rule };
	if (e->has_effects)
		act_on_match(x, rule, &e->matches[n]);
}

/* Those that hold anyway and those that are asked now, in the order of the rules. */
static size_t fire_in_order(struct run *x, const struct found *f)
{
	struct engine *e = x->e;
	size_t i = 0, n = 0;

	for (size_t k = 0; k < f->late; k++) {
		const struct candidate *c = &e->late[k];

		while (i < f->early && e->early[i] < c->rule)
			fire(x, e->early[i++], n++);
		if (e->fired_at[c->rule] == e->stamp || !eval_bool(x, c->root))
			continue;
		e->fired_at[c->rule] = e->stamp;
		fire(x, c->rule, n++);
	}
	while (i < f->early)
		fire(x, e->early[i++], n++);
	return n;
}

static int candidate_cmp(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return x->rule != y->rule ? u32_cmp(&x->rule, &y->rule) : u32_cmp(&x->root, &y->root);
}

size_t engine_eval(struct engine *e, const struct event *ev, const uint32_t **ret_rules)
{
	struct run x = { .e = e, .ev = ev };
	struct found f = { 0 };

	if (ret_rules)
		*ret_rules = e->fired;
	if (ev->type >= e->p.catalog->nevents)
		return 0;
	next_stamp(e);
	e->text.len = e->messages.len = e->nacts = 0;
	for (unsigned w = 0; w < SV_WORDS; w++)
		for (uint64_t m = ev->alive[w] & e->in_use[ev->type][w]; m; m &= m - 1)
			eval_bit(&x, &e->bits[ev->type][64 * w + (unsigned)__builtin_ctzll(m)], &f);
	if (f.early > 1)
		qsort(e->early, f.early, sizeof(*e->early), u32_cmp);
	if (f.late > 1)
		qsort(e->late, f.late, sizeof(*e->late), candidate_cmp);
	return fire_in_order(&x, &f);
}

const struct engine_match *engine_matches(const struct engine *e)
{
	return e->matches;
}

int engine_eval_node(struct engine *e, uint32_t node, const struct event *ev, bool *ret)
{
	struct run x = { .e = e, .ev = ev };

	if (node >= e->p.nnodes || e->p.nodes[node].type != NT_BOOL || (e->flags[node] & (NF_ELEM | NF_CURRENT)) ||
	    !catalog_covers(e->p.catalog, e->events[node], ev->type))
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
		*flags |= NF_VAR;
		break;
	}
}

static void scan_node(struct engine *e, uint32_t i)
{
	const struct node *n = &e->p.nodes[i];
	unsigned operands = program_operands(n->op);
	uint8_t fa = operands & 1 ? e->flags[n->a] : 0, fb = operands & 2 ? e->flags[n->b] : 0;
	uint16_t event = meet(e, operands & 1 ? e->events[n->a] : EV_NONE, operands & 2 ? e->events[n->b] : EV_NONE);
	uint8_t flags;

	if (n->op == N_ANY)
		fb &= (uint8_t)~NF_ELEM;
	if (n->op == N_EXISTS)
		fa &= (uint8_t)~NF_CURRENT;
	flags = (fa | fb) & (NF_ELEM | NF_CURRENT | NF_VAR);
	scan_leaf(e, i, &flags, &event);
	/* Reading a field again is cheaper than remembering it; what a variable holds may be something else then. */
	if (n->type == NT_BOOL && operands && !(flags & (NF_ELEM | NF_CURRENT | NF_VAR)))
		flags |= NF_MEMO;
	e->flags[i] = flags;
	e->events[i] = event;
}

/* A rule that is not for this host is never asked. */
static uint32_t clauses_in_use(const struct prule *r)
{
	return r->flags & PRULE_OFF ? 0 : r->clause_count;
}

/* Sorts the clauses of all rules by event type and bit; within a bit they stay in the order of the rules. */
static void place_candidates(struct engine *e)
{
	const struct program *p = &e->p;
	uint32_t at = 0;

	for (uint32_t i = 0; i < p->nrules; i++)
		for (uint32_t k = 0; k < clauses_in_use(&p->rules[i]); k++)
			e->bits[p->rules[i].event][p->clauses[p->rules[i].clause_first + k].bit].count++;
	for (size_t ev = 0; ev < p->catalog->nevents; ev++)
		for (unsigned b = 0; b < SV_CLAUSES; b++) {
			struct bit *bit = &e->bits[ev][b];

			if (!bit->count) /* most types have no rules: their pages stay untouched */
				continue;
			bit->first = at;
			at += bit->count;
			e->in_use[ev][b / 64] |= UINT64_C(1) << (b % 64);
			bit->count = 0;
		}
	for (uint32_t i = 0; i < p->nrules; i++)
		for (uint32_t k = 0; k < clauses_in_use(&p->rules[i]); k++) {
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
	e->early = calloc(e->p.nrules + 1, sizeof(*e->early));
	e->late = calloc(e->p.nclauses + 1, sizeof(*e->late));
	e->fired = calloc(e->p.nrules + 1, sizeof(*e->fired));
	e->matches = calloc(e->p.nrules + 1, sizeof(*e->matches));
	e->suppressed = calloc(e->p.nrules + 1, sizeof(*e->suppressed));
	e->acts = calloc(e->p.nactions + 1, sizeof(*e->acts));
	return e->flags && e->events && e->memo && e->candidates && e->bits && e->in_use && e->fired_at && e->early &&
			       e->late && e->fired && e->matches && e->suppressed && e->acts
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
		e->has_effects |= rule->every_ns || rule->actions_count || rule->flags;
	}
	e->pid = scope_field(e->p.catalog, "process.pid", CAT_HOME_PROC, VAL_INT);
	e->container = scope_field(e->p.catalog, "process.container.id", CAT_HOME_PROC, VAL_STR);
	e->cgroup = scope_field(e->p.catalog, "process.cgroup.id", CAT_HOME_PROC, VAL_STR);
	e->random[0] = o->seed[0];
	e->random[1] = ~o->seed[1];
	r = state_new(&e->p, &so, &e->state);
	return r < 0 ? r : limits_new(e->p.nrules, tokens ? o->limits ? o->limits : ENGINE_LIMITS : 0, &e->limits);
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
	if (alloc_tables(e) < 0 || alloc_texts(e) < 0 || alloc_state(e) < 0)
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
