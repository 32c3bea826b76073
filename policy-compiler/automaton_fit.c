/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What gives way when an automaton does not fit. Two things make it grow: stars multiply the states of patterns with each
 * other, and text adds to them. So stars beyond the first few are given up first where the way to the automaton blows up;
 * where there is simply much text, patterns lose their ends: the ends that they have for themselves first, which tell them
 * apart from what is not in the policy, and then what only a few have in common. What many begin with stays. Where strings
 * are known that really come, what tells them from a match stays instead: behind a node that none of them comes by, text decides
 * nothing of what happens.
 */
#include "policy-compiler/automaton.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "policy-compiler/intern.h"

#define TRIES 5 /* tries with one number of stars */
#define MANY  4 /* a trie of so many nodes, as a multiple of the limit of states, may still fit */

/* In a name's pattern the directories before it are no star that was written. */
static uint32_t first_own(const struct pattern *p)
{
	return p->name && p->kind != PAT_TRAIL;
}

/* How many tokens of @p are left with at most @stars stars, not counting one at the end. */
static uint32_t kept(const struct pattern *p, const struct token *t, uint32_t n, uint32_t stars)
{
	uint32_t own = first_own(p), i;

	for (i = own; i < n; i++)
		if (token_is_star(&t[i]) && i < n - 1 && stars-- == 0)
			break;
	if (i >= n)
		return PAT_KEEP_ALL;
	/* Nothing but the directories before a name is nothing. */
	return i > own ? i : 0;
}

/* *ret_tokens (may be NULL) is how many tokens are left in all: it tells whether another number of stars made a difference. */
static int cut_stars(struct pattern *p, uint32_t n, uint32_t stars, uint64_t *ret_tokens)
{
	uint64_t tokens = 0;

	for (uint32_t i = 0; i < n; i++) {
		_cleanup_free_ struct token *t = NULL;
		uint32_t ntokens, keep;
		int r = pattern_tokens(&p[i], &t, &ntokens);

		if (r == -ENOENT || p[i].kind == PAT_TRAIL)
			continue;
		if (r < 0)
			return r;
		keep = kept(&p[i], t, ntokens, p[i].joined && stars > 1 ? 1 : stars);
		tokens += keep < ntokens ? keep : ntokens;
		p[i].keep = keep;
	}
	if (ret_tokens)
		*ret_tokens = tokens;
	return 0;
}

/* ---- text ------------------------------------------------------------------------------------------------------------ */

/*
 * How much of the text stays: nodes of the trie that more than @weight patterns share, or whose parents @hot samples or more come
 * by, the @tail nodes behind the last of those, and one more node where that is below number @more.
 */
struct cut {
	uint32_t weight, tail, more;
	uint64_t hot;
};

/* How far behind the last node that stays anyhow each node is. @hits is NULL where there are no samples. */
static void find_tails(const struct nfa *f, const struct cut *cut, const uint64_t *hits, uint32_t *tail)
{
	tail[0] = 0;
	for (uint32_t i = 1; i < f->nnodes; i++) {
		uint32_t parent = f->nodes[i].parent;
		bool stays = hits ? hits[parent] >= cut->hot : f->nodes[i].weight > cut->weight;

		tail[i] = stays ? 0 : tail[parent] + 1;
	}
}

/*
 * The longest tails that leave no more than @max nodes. False where not even one node is left for them: then more of the
 * text has to go.
 */
static bool find_cut(const struct nfa *f, const uint32_t *tail, uint32_t *count, uint32_t max, struct cut *cut)
{
	uint64_t nodes = 0;
	uint32_t k, left;

	memset(count, 0, ((size_t)f->nnodes + 1) * sizeof(*count));
	for (uint32_t i = 0; i < f->nnodes; i++)
		count[tail[i]]++;
	/* What is cut off behind a node is one node more: those of the last kept length count twice. */
	for (k = 0; k < f->nnodes && nodes + 2 * (uint64_t)count[k] <= max; k++)
		nodes += count[k];
	if (k == 0)
		return false;
	cut->tail = k - 1;
	left = max - (uint32_t)nodes - count[k - 1];
	for (cut->more = 0; cut->more < f->nnodes && left; cut->more++)
		left -= tail[cut->more] == k;
	return cut->tail > 0 || cut->more > 0;
}

static bool is_kept(const struct cut *cut, const uint32_t *tail, uint32_t node)
{
	return tail[node] <= cut->tail || (tail[node] == cut->tail + 1 && node < cut->more);
}

/* Sets keep of each pattern to the tokens whose nodes are kept. */
static int cut_tails(struct pattern *p, uint32_t n, struct nfa *f, const uint32_t *tail, const struct cut *cut)
{
	_cleanup_free_ uint32_t *nodes = NULL;
	uint32_t longest = 0;
	int r = 0;

	for (uint32_t i = 0; i < n; i++)
		longest = p[i].len > longest ? p[i].len : longest;
	nodes = calloc((size_t)longest + 3, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && r == 0; i++) {
		uint32_t count, k = 0;

		r = nfa_path(f, &p[i], nodes, longest + 3, &count);
		while (k < count && is_kept(cut, tail, nodes[k]))
			k++;
		if (k < count && p[i].kind != PAT_TRAIL)
			p[i].keep = k > first_own(&p[i]) ? k : 0;
	}
	return r;
}

/* By what samples come by. False where what the most of them come by is too much already. */
static bool choose_by_hits(const struct nfa *f, const uint64_t *hits, uint32_t max, uint32_t *tail, uint32_t *count,
			   struct cut *ret)
{
	for (ret->hot = 1; ret->hot <= hits[0]; ret->hot *= 2) {
		find_tails(f, ret, hits, tail);
		if (find_cut(f, tail, count, max, ret))
			return true;
	}
	return false;
}

/* By how many patterns share a node. */
static void choose_by_weight(const struct nfa *f, uint32_t n, uint32_t max, uint32_t *tail, uint32_t *count,
			     struct cut *ret)
{
	for (ret->weight = 1;; ret->weight *= 2) {
		find_tails(f, ret, NULL, tail);
		if (find_cut(f, tail, count, max, ret) || ret->weight > n)
			break;
	}
}

/*
 * Cuts patterns so that their trie has at most @max nodes. *ret_nodes is how many it has had before. *ret_cut is all zero
 * where there was nothing to cut.
 */
static int cut_text(struct pattern *p, uint32_t n, uint32_t max, const struct nfa_samples *samples, uint32_t *ret_nodes,
		    struct cut *ret_cut)
{
	_cleanup_free_ uint32_t *tail = NULL, *count = NULL;
	_cleanup_free_ uint64_t *hits = NULL;
	struct cut cut = { .weight = 1 };
	struct nfa f;
	int r = nfa_build(p, n, UINT32_MAX, &f);

	if (r < 0)
		return r;
	*ret_nodes = f.nnodes;
	*ret_cut = (struct cut){ 0 };
	tail = calloc(f.nnodes, sizeof(*tail));
	count = calloc((size_t)f.nnodes + 1, sizeof(*count));
	if (!tail || !count)
		r = -ENOMEM;
	if (r == 0 && f.nnodes > max && samples && samples->n) {
		hits = calloc(f.nnodes, sizeof(*hits));
		r = hits ? nfa_hits(&f, samples, hits) : -ENOMEM;
	}
	if (r == 0 && f.nnodes > max) {
		if (!hits || !choose_by_hits(&f, hits, max, tail, count, &cut))
			choose_by_weight(&f, n, max, tail, count, &cut);
		r = cut_tails(p, n, &f, tail, &cut);
		*ret_cut = cut;
	}
	nfa_done(&f);
	return r;
}

static uint32_t weakened(const struct pattern *p, uint32_t n)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < n; i++)
		count += pattern_is_weak(&p[i]);
	return count;
}

/* How many nodes to aim at next, after @nodes have led to @need. */
static uint32_t next_target(uint32_t nodes, const struct aut_limits *need, const struct aut_limits *l)
{
	uint64_t by_states = (uint64_t)nodes * l->states / need->states,
		 by_trans = (uint64_t)nodes * l->trans / need->trans;
	uint64_t target = by_states < by_trans ? by_states : by_trans;

	return (uint32_t)(target - target / 10);
}

/* With at most @stars stars. -E2BIG where no cut makes it fit. */
static int fit_stars(struct pattern *p, uint32_t n, uint32_t stars, aut_value_fn *value, void *ctx,
		     const struct aut_limits *l, const struct nfa_samples *samples, struct automaton *ret,
		     struct aut_fit *ret_fit)
{
	uint32_t target = MANY * l->states, nodes = 0;
	struct aut_limits need;
	struct cut cut = { 0 };
	int r = 0;

	for (int i = 0; i < TRIES; i++) {
		r = cut_stars(p, n, stars, NULL);
		if (r == 0)
			r = cut_text(p, n, target, samples, &nodes, &cut);
		/* Much text may still make few states; far too much does not. */
		if (r == 0 && i == 0 && cut.weight) {
			target = l->states;
			continue;
		}
		if (r < 0)
			return r;
		r = automaton_build(p, n, value, ctx, l, ret, &need);
		if (r == 0)
			*ret_fit = (struct aut_fit){ .weakened = weakened(p, n), .cut = cut.weight > 0 };
		if (r != -E2BIG || !need.states)
			return r;
		target = next_target(nodes < target ? nodes : target, &need, l);
	}
	return r < 0 ? r : -E2BIG;
}

/*
 * Names with stars as one: each keeps its text up to the second star, and a match of one is "maybe" for all. Rules that each
 * look for some text in a name are then told from names that have none of these texts, if not from each other. False where there are none.
 */
static bool join_names(struct pattern *p, uint32_t n)
{
	uint32_t group = 0;
	bool any = false;

	for (uint32_t i = 0; i < n; i++)
		group = p[i].group > group ? p[i].group : group;
	for (uint32_t i = 0; i < n; i++)
		if (p[i].name && p[i].kind == PAT_STARS && memchr(p[i].s, '*', p[i].len)) {
			p[i].joined = true;
			p[i].group = group + 1;
			any = true;
		}
	return any;
}

/* What gives way one after the other: stars that a pattern keeps at most, and whether names are joined. */
static const struct {
	uint32_t stars;
	bool join;
} steps[] = { { UINT32_MAX, false }, { UINT32_MAX, true }, { 3, true }, { 2, true }, { 1, true }, { 0, true } };

#define STEPS (sizeof(steps) / sizeof(steps[0]))

int automaton_fit(struct pattern *p, uint32_t n, aut_value_fn *value, void *ctx, const struct aut_limits *l,
		  const struct nfa_samples *samples, struct automaton *ret, struct aut_fit *ret_fit)
{
	struct aut_limits none = { .states = 1, .trans = 256 };
	uint64_t before = UINT64_MAX, tokens;
	int r = -E2BIG;

	for (uint32_t i = 0; i < n; i++) {
		p[i].keep = PAT_KEEP_ALL;
		p[i].joined = false;
	}
	for (size_t i = 0; i < STEPS && r == -E2BIG; i++) {
		bool joins = steps[i].join && !steps[i - 1].join && join_names(p, n);

		r = cut_stars(p, n, steps[i].stars, &tokens);
		if (r < 0)
			return r;
		r = -E2BIG;
		if (tokens == before && !joins)
			continue;
		before = tokens;
		r = fit_stars(p, n, steps[i].stars, value, ctx, l, samples, ret, ret_fit);
		if (r == 0)
			ret_fit->stars = steps[i].stars == UINT32_MAX ? -1 : (int32_t)steps[i].stars;
	}
	if (r != -E2BIG)
		return r;
	for (uint32_t i = 0; i < n; i++)
		p[i].keep = 0;
	*ret_fit = (struct aut_fit){ .weakened = n, .stars = 0, .cut = true };
	return automaton_build(p, n, value, ctx, &none, ret, NULL);
}
