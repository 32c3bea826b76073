/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/automaton.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "policy-compiler/intern.h"

/* A bound on the work of one try: nodes put into sets. Some seconds at most. */
#define WORK_MAX   8000000u
#define DETOUR	   4 /* states on the way to the smallest automaton, as a multiple of the limit */
#define DETOUR_MAX 65536

/* Subset construction: a state is the set of nodes of the nfa that the string so far may have led to. */
struct subsets {
	const struct nfa *nfa; /* borrowed */
	aut_value_fn *value;
	void *ctx;
	struct intern sets;
	uint32_t max_states;
	uint64_t work;
	uint8_t cls[256];
	uint8_t byte[256]; /* one byte of each class */
	uint32_t nclasses;
	uint32_t *trans, *values; /* owned */
	uint32_t trans_cap, values_cap;
	uint32_t *mark, stamp; /* nodes that are in next[] */
	uint32_t *next, nnext; /* a set in the making */
	struct decided {
		uint32_t stamp, node; /* the node says that a pattern of the group matches whatever comes */
	} * decided;		      /* of each group */
	uint32_t *matched, matched_cap;
	struct hop {
		uint32_t cls, to;
	} * hops, *sorted; /* the edges of a set, class by class */
	uint32_t hops_cap, sorted_cap;
};

/* ---- byte classes -------------------------------------------------------------------------------------------------- */

/* Two bytes are of one class if no edge, and no loop, tells them apart. */
static int make_classes(struct subsets *x)
{
	struct intern tokens = { 0 }, columns = { 0 };
	const struct token slash = { .kind = TOK_BYTES, .lo = '/', .hi = '/' };
	_cleanup_free_ uint8_t *column = NULL;
	int64_t r = intern_put(&tokens, &slash, sizeof(slash), NULL);

	for (uint32_t i = 1; i < x->nfa->nedges && r >= 0; i++)
		r = intern_put(&tokens, &x->nfa->edges[i].on, sizeof(slash), NULL);
	if (r >= 0) {
		column = calloc(tokens.n, 1);
		r = column ? 0 : -ENOMEM;
	}
	for (int b = 0; b < 256 && r >= 0; b++) {
		bool is_new;

		for (uint32_t i = 0; i < tokens.n; i++)
			column[i] = token_takes(intern_get(&tokens, i), (uint8_t)b);
		r = intern_put(&columns, column, tokens.n, &is_new);
		if (r >= 0 && is_new)
			x->byte[r] = (uint8_t)b;
		x->cls[b] = (uint8_t)r;
	}
	x->nclasses = columns.n;
	intern_done(&tokens);
	intern_done(&columns);
	return r < 0 ? (int)r : 0;
}

/* ---- sets of nodes ------------------------------------------------------------------------------------------------- */

static void begin_set(struct subsets *x)
{
	x->nnext = 0;
	x->stamp++;
}

/* A node that leads nowhere, by itself or by a byte, and accepts nothing, is not worth having in a set. */
static bool node_matters(const struct nfa_node *n)
{
	return n->edges || n->accepts || n->loop != NFA_STILL;
}

/* Puts @i in the set, and what is reached from it without a byte. Such chains are a few nodes long. */
static void add_closure(struct subsets *x, uint32_t i)
{
	const struct nfa_node *n = &x->nfa->nodes[i];
	const uint32_t more[] = { n->star, n->star_all, n->dirs, n->dirs_loop, n->star_1st };

	if (x->mark[i] == x->stamp)
		return;
	x->mark[i] = x->stamp;
	if (node_matters(n))
		x->next[x->nnext++] = i;
	for (size_t k = 0; k < sizeof(more) / sizeof(more[0]); k++)
		if (more[k])
			add_closure(x, more[k]);
}

static int u32_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void sort_u32(uint32_t *v, uint32_t n)
{
	if (n > 16) {
		qsort(v, n, sizeof(*v), u32_cmp);
		return;
	}
	for (uint32_t i = 1; i < n; i++)
		for (uint32_t j = i; j > 0 && v[j - 1] > v[j]; j--) {
			uint32_t t = v[j];

			v[j] = v[j - 1];
			v[j - 1] = t;
		}
}

/* The value of the set in next[]. */
static int64_t value_of_set(struct subsets *x)
{
	uint32_t n = 0, out = 0;
	int r;

	for (uint32_t i = 0; i < x->nnext; i++)
		for (uint32_t a = x->nfa->nodes[x->next[i]].accepts; a; a = x->nfa->accepts[a].next) {
			r = array_room(&x->matched, &x->matched_cap, n + 1, sizeof(*x->matched));
			if (r < 0)
				return r;
			x->matched[n++] = x->nfa->accepts[a].pattern;
		}
	sort_u32(x->matched, n);
	for (uint32_t i = 0; i < n; i++)
		if (out == 0 || x->matched[out - 1] != x->matched[i])
			x->matched[out++] = x->matched[i];
	return x->value(x->ctx, x->matched, out);
}

/* Whether a pattern of one group matches, and goes on matching (in a name, until its end). */
static bool node_decides(const struct nfa_node *n)
{
	return n->group && n->accepts && n->loop != NFA_STILL;
}

/* Whether node @i is of no use beside @by, which decides the same group. Within a name that holds for what ends with it. */
static bool node_is_idle(const struct subsets *x, uint32_t i, uint32_t by)
{
	const struct nfa_node *n = &x->nfa->nodes[i];

	if (i == by)
		return false;
	return x->nfa->nodes[by].loop == NFA_LOOP_ALL ||
	       (x->nfa->nodes[by].names && n->names && n->loop != NFA_LOOP_ALL);
}

/* The node that decides @group in the present set; UINT32_MAX where none does. */
static uint32_t decider(const struct subsets *x, uint32_t group)
{
	return group && x->decided[group].stamp == x->stamp ? x->decided[group].node : UINT32_MAX;
}

/* One for whatever comes is better than one within a name; of equals the first, so that equal sets stay equal. */
static void note_decider(struct subsets *x, uint32_t i)
{
	const struct nfa_node *n = &x->nfa->nodes[i], *was;
	uint32_t by = decider(x, n->group);

	was = by == UINT32_MAX ? NULL : &x->nfa->nodes[by];
	if (was && (was->loop == n->loop ? by < i : was->loop == NFA_LOOP_ALL))
		return;
	x->decided[n->group] = (struct decided){ .stamp = x->stamp, .node = i };
}

/*
 * Leaves out of the set what is of no use any more. Without this, twenty patterns "*x*" of one rule would make a million
 * states, one for each subset of them that has matched.
 */
static void drop_idle(struct subsets *x)
{
	uint32_t n = 0, deciding = 0;

	for (uint32_t i = 0; i < x->nnext; i++)
		if (node_decides(&x->nfa->nodes[x->next[i]])) {
			note_decider(x, x->next[i]);
			deciding++;
		}
	for (uint32_t i = 0; i < x->nnext && deciding; i++) {
		uint32_t by = decider(x, x->nfa->nodes[x->next[i]].group);

		if (by == UINT32_MAX || !node_is_idle(x, x->next[i], by))
			x->next[n++] = x->next[i];
	}
	if (deciding)
		x->nnext = n;
}

/* The state of the set in next[]. */
static int64_t end_set(struct subsets *x)
{
	int64_t state, value;
	bool is_new;
	int r;

	x->work += x->nnext + 1;
	if (x->work > WORK_MAX)
		return -E2BIG;
	drop_idle(x);
	sort_u32(x->next, x->nnext);
	state = intern_put(&x->sets, x->next, x->nnext * (uint32_t)sizeof(*x->next), &is_new);
	if (state < 0 || !is_new)
		return state;
	if (x->sets.n > x->max_states)
		return -E2BIG;
	r = array_room(&x->values, &x->values_cap, x->sets.n, sizeof(*x->values));
	if (r < 0)
		return r;
	value = value_of_set(x);
	if (value < 0)
		return value;
	x->values[state] = (uint32_t)value;
	return state;
}

/* ---- rows ---------------------------------------------------------------------------------------------------------- */

static int add_hop(struct subsets *x, uint32_t *n, uint32_t cls, uint32_t to)
{
	int r = array_room(&x->hops, &x->hops_cap, *n + 1, sizeof(*x->hops));

	if (r < 0)
		return r;
	x->hops[(*n)++] = (struct hop){ cls, to };
	return 0;
}

static int hops_of_edge(struct subsets *x, const struct nfa_edge *e, uint32_t *n)
{
	const struct token *t = &e->on;
	int r = 0;

	if (t->lo == t->hi && !t->gap) {
		r = add_hop(x, n, x->cls[t->lo], e->to);
		if (r == 0 && t->icase && x->cls[t->lo] != x->cls[t->lo & ~0x20])
			r = add_hop(x, n, x->cls[t->lo & ~0x20], e->to);
		return r;
	}
	for (uint32_t c = 0; c < x->nclasses && r == 0; c++)
		if (token_takes(t, x->byte[c]))
			r = add_hop(x, n, c, e->to);
	return r;
}

/* Where the edges of state @s lead, into sorted[] by class; those of class c are [first[c], first[c + 1]). */
static int collect_hops(struct subsets *x, uint32_t s, uint32_t first[257])
{
	const uint32_t *set = intern_get(&x->sets, s);
	uint32_t size = intern_size(&x->sets, s) / sizeof(*set), n = 0, at[256];
	int r;

	for (uint32_t i = 0; i < size; i++)
		for (uint32_t e = x->nfa->nodes[set[i]].edges; e; e = x->nfa->edges[e].next) {
			r = hops_of_edge(x, &x->nfa->edges[e], &n);
			if (r < 0)
				return r;
		}
	r = array_room(&x->sorted, &x->sorted_cap, n, sizeof(*x->sorted));
	if (r < 0)
		return r;
	memset(first, 0, 257 * sizeof(*first));
	for (uint32_t i = 0; i < n; i++)
		first[x->hops[i].cls + 1]++;
	for (uint32_t c = 0; c < 256; c++) {
		first[c + 1] += first[c];
		at[c] = first[c];
	}
	for (uint32_t i = 0; i < n; i++)
		x->sorted[at[x->hops[i].cls]++] = x->hops[i];
	return 0;
}

/* Begins a set with the nodes of state @s that stay when a byte comes. */
static void add_loops(struct subsets *x, uint32_t s, bool slash)
{
	const uint32_t *set = intern_get(&x->sets, s);
	uint32_t size = intern_size(&x->sets, s) / sizeof(*set);

	begin_set(x);
	for (uint32_t i = 0; i < size; i++) {
		uint8_t loop = x->nfa->nodes[set[i]].loop;

		if (loop == NFA_LOOP_ALL || (loop == NFA_LOOP && !slash))
			add_closure(x, set[i]);
	}
}

static int make_row(struct subsets *x, uint32_t s)
{
	uint32_t first[257], slash = x->cls['/'];
	int64_t other = -1; /* the state that bytes without an edge lead to, '/' aside */
	int r;

	r = collect_hops(x, s, first);
	if (r == 0)
		r = array_room(&x->trans, &x->trans_cap, ((size_t)s + 1) * x->nclasses, sizeof(*x->trans));
	for (uint32_t c = 0; c < x->nclasses && r == 0; c++) {
		bool plain = c != slash && first[c] == first[c + 1];
		int64_t to = plain ? other : -1;

		if (to < 0) {
			add_loops(x, s, c == slash);
			for (uint32_t i = first[c]; i < first[c + 1]; i++)
				add_closure(x, x->sorted[i].to);
			to = end_set(x);
		}
		if (to < 0)
			return (int)to;
		if (plain)
			other = to;
		x->trans[(size_t)s * x->nclasses + c] = (uint32_t)to;
	}
	return r;
}

static int run_subsets(struct subsets *x)
{
	int64_t r;

	x->mark = calloc(x->nfa->nnodes, sizeof(*x->mark));
	x->next = calloc(x->nfa->nnodes, sizeof(*x->next));
	x->decided = calloc((size_t)x->nfa->ngroups + 1, sizeof(*x->decided));
	if (!x->mark || !x->next || !x->decided)
		return -ENOMEM;
	r = make_classes(x);
	if (r < 0)
		return (int)r;
	begin_set(x);
	add_closure(x, 0);
	r = end_set(x);
	for (uint32_t s = 0; s < x->sets.n && r >= 0; s++)
		r = make_row(x, s);
	return r < 0 ? (int)r : 0;
}

static void subsets_done(struct subsets *x)
{
	intern_done(&x->sets);
	free(x->trans);
	free(x->values);
	free(x->mark);
	free(x->next);
	free(x->decided);
	free(x->matched);
	free(x->hops);
	free(x->sorted);
}

static uint32_t detour(uint32_t states)
{
	uint64_t n = (uint64_t)states * DETOUR;

	return n < 1024 ? 1024 : n > DETOUR_MAX ? DETOUR_MAX : (uint32_t)n;
}

int automaton_build(const struct pattern *p, uint32_t n, aut_value_fn *value, void *ctx, const struct aut_limits *l,
		    struct automaton *ret, struct aut_limits *ret_need)
{
	struct subsets x = { .value = value, .ctx = ctx, .max_states = detour(l->states) };
	struct automaton a = { 0 };
	struct nfa nfa;
	int r;

	if (ret_need)
		*ret_need = (struct aut_limits){ 0 };
	r = nfa_build(p, n, DETOUR * DETOUR_MAX, &nfa);
	if (r < 0)
		return r;
	x.nfa = &nfa;
	r = run_subsets(&x);
	nfa_done(&nfa);
	if (r == 0) {
		a.nstates = x.sets.n;
		a.nclasses = x.nclasses;
		memcpy(a.cls, x.cls, sizeof(a.cls));
		a.trans = TAKE_PTR(x.trans);
		a.value = TAKE_PTR(x.values);
	}
	subsets_done(&x);
	if (r < 0)
		return r;
	r = automaton_minimize(&a);
	if (r == 0 && (a.nstates > l->states || (uint64_t)a.nstates * a.nclasses > l->trans)) {
		if (ret_need)
			*ret_need = (struct aut_limits){ .states = a.nstates, .trans = a.nstates * a.nclasses };
		r = -E2BIG;
	}
	if (r < 0) {
		automaton_done(&a);
		return r;
	}
	*ret = a;
	return 0;
}

void automaton_done(struct automaton *a)
{
	free(a->trans);
	free(a->value);
	*a = (struct automaton){ 0 };
}
