/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest automaton. Splitting blocks of states and sets of transitions in turn (Valmari, "Fast brief practical DFA
 * minimization", 2012), which takes time by the transitions that there are, not by states times classes: transitions to
 * where nothing happens any more are left out, and of a trie's they are nearly all.
 */
#include "policy-compiler/automaton.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "policy-compiler/intern.h"

/* ---- a partition of 0..n-1, to be refined ------------------------------------------------------------------------- */

struct partition {
	uint32_t nsets;
	uint32_t *elems;	     /* elements, those of a set together */
	uint32_t *loc;		     /* where each element is in elems */
	uint32_t *set;		     /* of each element */
	uint32_t *first, *past;	     /* of each set, into elems */
	uint32_t *marked;	     /* of each set: how many elements are marked; they are its first */
	uint32_t *touched, ntouched; /* sets with marked elements */
};

static void partition_done(struct partition *p)
{
	free(p->elems);
	free(p->loc);
	free(p->set);
	free(p->first);
	free(p->past);
	free(p->marked);
	free(p->touched);
}

/* All in one set. */
static int partition_init(struct partition *p, uint32_t n)
{
	uint32_t **arrays[] = { &p->elems, &p->loc, &p->set, &p->first, &p->past, &p->marked, &p->touched };

	*p = (struct partition){ .nsets = n > 0 };
	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
		*arrays[i] = calloc((size_t)n + 1, sizeof(uint32_t));
		if (!*arrays[i])
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++)
		p->elems[i] = p->loc[i] = i;
	p->past[0] = n;
	return 0;
}

static void partition_mark(struct partition *p, uint32_t e)
{
	uint32_t s = p->set[e], i = p->loc[e], j = p->first[s] + p->marked[s];

	if (i < j)
		return; /* is marked */
	p->elems[i] = p->elems[j];
	p->loc[p->elems[i]] = i;
	p->elems[j] = e;
	p->loc[e] = j;
	if (!p->marked[s]++)
		p->touched[p->ntouched++] = s;
}

/* Parts the marked elements of each touched set from the others. The smaller part becomes the new set. */
static void partition_split(struct partition *p)
{
	while (p->ntouched) {
		uint32_t s = p->touched[--p->ntouched], mid = p->first[s] + p->marked[s], n = p->nsets;

		if (mid == p->past[s]) {
			p->marked[s] = 0;
			continue;
		}
		if (p->marked[s] <= p->past[s] - mid) {
			p->first[n] = p->first[s];
			p->past[n] = p->first[s] = mid;
		} else {
			p->past[n] = p->past[s];
			p->first[n] = p->past[s] = mid;
		}
		for (uint32_t i = p->first[n]; i < p->past[n]; i++)
			p->set[p->elems[i]] = n;
		p->marked[s] = p->marked[n] = 0;
		p->nsets++;
	}
}

/* ---- the automaton as a list of transitions that matter ------------------------------------------------------------ */

struct edges {
	uint32_t n;
	uint32_t *from, *cls, *to;
	uint32_t *in_first, *in; /* edges by their head: those to s are in[in_first[s]..in_first[s + 1]) */
};

static void edges_done(struct edges *g)
{
	free(g->from);
	free(g->cls);
	free(g->to);
	free(g->in_first);
	free(g->in);
}

static int edges_sort_in(struct edges *g, uint32_t nstates)
{
	_cleanup_free_ uint32_t *at = calloc((size_t)nstates + 1, sizeof(*at));

	g->in_first = calloc((size_t)nstates + 2, sizeof(*g->in_first));
	g->in = calloc((size_t)g->n + 1, sizeof(*g->in));
	if (!at || !g->in_first || !g->in)
		return -ENOMEM;
	for (uint32_t i = 0; i < g->n; i++)
		g->in_first[g->to[i] + 1]++;
	for (uint32_t s = 0; s < nstates; s++) {
		g->in_first[s + 1] += g->in_first[s];
		at[s] = g->in_first[s];
	}
	for (uint32_t i = 0; i < g->n; i++)
		g->in[at[g->to[i]]++] = i;
	return 0;
}

/* The transitions between states that are kept; while @g has no arrays they are only counted. */
static void edges_fill(struct edges *g, const struct automaton *a, const uint8_t *keep)
{
	g->n = 0;
	for (uint32_t s = 0; s < a->nstates; s++)
		for (uint32_t c = 0; c < a->nclasses && keep[s]; c++) {
			uint32_t to = a->trans[(size_t)s * a->nclasses + c];

			if (!keep[to])
				continue;
			if (g->from) {
				g->from[g->n] = s;
				g->cls[g->n] = c;
				g->to[g->n] = to;
			}
			g->n++;
		}
}

static int edges_init(struct edges *g, const struct automaton *a, const uint8_t *keep)
{
	*g = (struct edges){ 0 };
	edges_fill(g, a, keep);
	g->cls = calloc((size_t)g->n + 1, sizeof(*g->cls));
	g->to = calloc((size_t)g->n + 1, sizeof(*g->to));
	g->from = calloc((size_t)g->n + 1, sizeof(*g->from));
	if (!g->from || !g->cls || !g->to)
		return -ENOMEM;
	edges_fill(g, a, keep);
	return edges_sort_in(g, a->nstates);
}

/*
 * The state whose value is the one to be in when nothing more can happen: the first that is never left. *ret is UINT32_MAX
 * where there is none.
 */
static uint32_t find_sink(const struct automaton *a)
{
	for (uint32_t s = 0; s < a->nstates; s++) {
		uint32_t c = 0;

		while (c < a->nclasses && a->trans[(size_t)s * a->nclasses + c] == s)
			c++;
		if (c == a->nclasses)
			return s;
	}
	return UINT32_MAX;
}

static bool leads_to(const struct automaton *a, uint32_t s, const uint8_t *marked)
{
	const uint32_t *row = a->trans + (size_t)s * a->nclasses;

	for (uint32_t c = 0; c < a->nclasses; c++)
		if (marked[row[c]])
			return true;
	return false;
}

/*
 * Marks in @useful the states from which one with another value than the sink's can be reached. States were numbered breadth
 * first, so that most transitions lead to higher numbers and few passes from the end are needed.
 */
static void find_useful(const struct automaton *a, uint32_t sink, uint8_t *useful)
{
	bool more = true;

	for (uint32_t s = 0; s < a->nstates; s++)
		useful[s] = sink == UINT32_MAX || a->value[s] != a->value[sink];
	while (more) {
		more = false;
		for (uint32_t s = a->nstates; s-- > 0;)
			if (!useful[s] && leads_to(a, s, useful))
				useful[s] = more = true;
	}
}

/* ---- refinement ---------------------------------------------------------------------------------------------------- */

/* The place of a key among them: that of what is not useful is behind all others. */
static uint32_t key_place(uint32_t key, uint32_t max)
{
	return key == UINT32_MAX ? max + 1 : key;
}

/*
 * Splits @p, all in one set, into elements of equal key. Keys are classes, or numbers of values, of which there are no more than
 * states; so they are counted and not compared.
 */
static int split_by_key(struct partition *p, const uint32_t *key, uint32_t n)
{
	_cleanup_free_ uint32_t *first = NULL, *order = calloc((size_t)n + 1, sizeof(*order));
	uint32_t max = 0;

	for (uint32_t i = 0; i < n; i++)
		if (key[i] != UINT32_MAX && key[i] > max)
			max = key[i];
	first = calloc((size_t)max + 4, sizeof(*first));
	if (!first || !order)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		first[key_place(key[i], max) + 2]++;
	for (uint32_t k = 2; k < max + 4; k++)
		first[k] += first[k - 1];
	for (uint32_t i = 0; i < n; i++)
		order[first[key_place(key[i], max) + 1]++] = i;
	for (uint32_t i = 0, j; i < n; i = j) {
		for (j = i; j < n && key[order[j]] == key[order[i]]; j++)
			if (i > 0)
				partition_mark(p, order[j]);
		partition_split(p);
	}
	return 0;
}

/*
 * @cords partitions the edges, @blocks the states. An edge set says: these states have, on one class, an edge into one
 * block; a block has to be split by it. All blocks but one have to have been looked at (the first may be left out).
 */
static void refine(struct partition *blocks, struct partition *cords, const struct edges *g)
{
	for (uint32_t b = 1, c = 0; c < cords->nsets; c++) {
		for (uint32_t i = cords->first[c]; i < cords->past[c]; i++)
			partition_mark(blocks, g->from[cords->elems[i]]);
		partition_split(blocks);
		for (; b < blocks->nsets; b++) {
			for (uint32_t i = blocks->first[b]; i < blocks->past[b]; i++) {
				uint32_t s = blocks->elems[i];

				for (uint32_t k = g->in_first[s]; k < g->in_first[s + 1]; k++)
					partition_mark(cords, g->in[k]);
			}
			partition_split(cords);
		}
	}
}

/* Blocks of states that are the same. Those that are not useful get the value that none has, to be a block of their own. */
static int find_blocks(const struct automaton *a, const uint8_t *useful, struct partition *ret)
{
	_cleanup_free_ uint32_t *key = calloc((size_t)a->nstates + 1, sizeof(*key));
	struct partition cords = { 0 };
	struct edges g = { 0 };
	int r;

	if (!key)
		return -ENOMEM;
	for (uint32_t s = 0; s < a->nstates; s++)
		key[s] = useful[s] ? a->value[s] : UINT32_MAX;
	r = edges_init(&g, a, useful);
	if (r == 0)
		r = partition_init(ret, a->nstates);
	if (r == 0)
		r = split_by_key(ret, key, a->nstates);
	if (r == 0)
		r = partition_init(&cords, g.n);
	if (r == 0)
		r = split_by_key(&cords, g.cls, g.n);
	if (r == 0)
		refine(ret, &cords, &g);
	partition_done(&cords);
	edges_done(&g);
	return r;
}

/* ---- the new automaton --------------------------------------------------------------------------------------------- */

/* Whether every transition of block @b leads to @b itself. */
static bool never_left(const struct automaton *a, const struct partition *blocks, uint32_t b)
{
	const uint32_t *row = a->trans + (size_t)blocks->elems[blocks->first[b]] * a->nclasses;

	for (uint32_t c = 0; c < a->nclasses; c++)
		if (blocks->set[row[c]] != b)
			return false;
	return true;
}

/*
 * Numbers the blocks as a walk from the start meets them, breadth first, those that are never left behind all others.
 * @number is of each block, @order the block of each number.
 */
static void number_blocks(const struct automaton *a, const struct partition *blocks, uint32_t *number, uint32_t *order,
			  uint32_t *ret_live)
{
	uint32_t n = 0, live = 0, last;

	memset(number, 0xff, blocks->nsets * sizeof(*number));
	order[n++] = blocks->set[0];
	number[order[0]] = 0;
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t *row = a->trans + (size_t)blocks->elems[blocks->first[order[i]]] * a->nclasses;

		for (uint32_t c = 0; c < a->nclasses; c++) {
			uint32_t to = blocks->set[row[c]];

			if (number[to] == UINT32_MAX) {
				number[to] = n;
				order[n++] = to;
			}
		}
	}
	for (uint32_t i = 0; i < n; i++)
		live += !never_left(a, blocks, order[i]);
	last = live;
	for (uint32_t i = 0, k = 0; i < n; i++)
		number[order[i]] = never_left(a, blocks, order[i]) ? last++ : k++;
	for (uint32_t b = 0; b < blocks->nsets; b++)
		if (number[b] != UINT32_MAX)
			order[number[b]] = b;
	*ret_live = live;
}

/* Every block is reached: the states were found by walking from the start. */
static int rebuild(struct automaton *a, const struct partition *blocks)
{
	uint32_t n = blocks->nsets, live;
	_cleanup_free_ uint32_t *number = calloc(n, sizeof(*number));
	_cleanup_free_ uint32_t *order = calloc(n, sizeof(*order));
	uint32_t *trans = calloc((size_t)n * a->nclasses, sizeof(*trans)), *value = calloc(n, sizeof(*value));

	if (!number || !order || !trans || !value) {
		free(trans);
		free(value);
		return -ENOMEM;
	}
	number_blocks(a, blocks, number, order, &live);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t s = blocks->elems[blocks->first[order[i]]];

		value[i] = a->value[s];
		for (uint32_t c = 0; c < a->nclasses; c++)
			trans[(size_t)i * a->nclasses + c] = number[blocks->set[a->trans[(size_t)s * a->nclasses + c]]];
	}
	free(a->trans);
	free(a->value);
	a->trans = trans;
	a->value = value;
	a->nstates = n;
	a->live = live;
	return 0;
}

/* Classes that no state tells apart any more become one. */
static int merge_classes(struct automaton *a)
{
	_cleanup_free_ uint32_t *column = calloc(a->nstates, sizeof(*column));
	struct intern columns = { 0 };
	uint32_t first[256];
	uint8_t merged[256] = { 0 };
	int64_t r = column ? 0 : -ENOMEM;
	uint32_t old = a->nclasses;
	bool is_new;

	for (uint32_t c = 0; c < old && r >= 0; c++) {
		for (uint32_t s = 0; s < a->nstates; s++)
			column[s] = a->trans[(size_t)s * old + c];
		r = intern_put(&columns, column, a->nstates * (uint32_t)sizeof(*column), &is_new);
		if (r >= 0 && is_new)
			first[r] = c;
		merged[c] = (uint8_t)r;
	}
	a->nclasses = columns.n;
	intern_done(&columns);
	if (r < 0) {
		a->nclasses = old;
		return (int)r;
	}
	/* In place: a row's new place is never behind its old one. */
	for (uint32_t s = 0; s < a->nstates; s++)
		for (uint32_t c = 0; c < a->nclasses; c++)
			a->trans[(size_t)s * a->nclasses + c] = a->trans[(size_t)s * old + first[c]];
	for (int b = 0; b < 256; b++)
		a->cls[b] = merged[a->cls[b]];
	return 0;
}

int automaton_minimize(struct automaton *a)
{
	_cleanup_free_ uint8_t *useful = calloc(a->nstates, 1);
	struct partition blocks = { 0 };
	int r;

	if (!useful)
		return -ENOMEM;
	find_useful(a, find_sink(a), useful);
	r = find_blocks(a, useful, &blocks);
	if (r == 0)
		r = rebuild(a, &blocks);
	partition_done(&blocks);
	if (r == 0)
		r = merge_classes(a);
	return r;
}
