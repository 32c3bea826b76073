/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What gives way when an automaton does not fit. Two things make it grow: stars multiply the states of patterns with each
 * other, and text adds to them. So stars beyond the first few are given up first where the way to the automaton blows up;
 * where there is simply much text, patterns are cut to a common number of tokens, so many that the trie of what is left
 * fits: names that differ early stay apart.
 */
#include "policy-compiler/automaton.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "policy-compiler/intern.h"

#define TRIES 4 /* tries with one number of stars */

/* In a name's pattern the directories before it are no star that was written. */
static uint32_t first_own(const struct pattern *p)
{
	return p->name && p->kind != PAT_TRAIL;
}

/* How many tokens of @p are left with at most @stars stars, not counting one at the end, and at most @depth tokens. */
static uint32_t kept(const struct pattern *p, const struct token *t, uint32_t n, uint32_t stars, uint32_t depth)
{
	uint32_t own = first_own(p), i;

	for (i = own; i < n && (i < depth || depth == 0); i++)
		if (token_is_star(&t[i]) && i < n - 1 && stars-- == 0)
			break;
	if (i >= n)
		return PAT_KEEP_ALL;
	/* Nothing but the directories before a name is nothing. */
	return i > own ? i : 0;
}

static int weaken(struct pattern *p, uint32_t n, uint32_t stars, uint32_t depth, uint32_t *ret_changed)
{
	uint32_t changed = 0;

	for (uint32_t i = 0; i < n; i++) {
		_cleanup_free_ struct token *t = NULL;
		uint32_t ntokens, keep;
		int r = pattern_tokens(&p[i], &t, &ntokens);

		if (r == -ENOENT || p[i].kind == PAT_TRAIL)
			continue;
		if (r < 0)
			return r;
		keep = kept(&p[i], t, ntokens, stars, depth);
		changed += keep != p[i].keep;
		p[i].keep = keep;
	}
	*ret_changed = changed;
	return 0;
}

/* Nodes of the trie by depth, of patterns as they are; and the depth down to which there are no more than @max. */
static int find_depth(const struct pattern *p, uint32_t n, uint32_t max, uint32_t *ret_depth, uint32_t *ret_nodes)
{
	_cleanup_free_ uint32_t *count = NULL;
	uint32_t deepest = 0, depth = 0, total;
	struct nfa nfa;
	int r = nfa_build(p, n, UINT32_MAX, &nfa);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < nfa.nnodes; i++)
		deepest = nfa.nodes[i].depth > deepest ? nfa.nodes[i].depth : deepest;
	total = nfa.nnodes;
	count = calloc((size_t)deepest + 1, sizeof(*count));
	for (uint32_t i = 0; i < nfa.nnodes && count; i++)
		count[nfa.nodes[i].depth]++;
	nfa_done(&nfa);
	if (!count)
		return -ENOMEM;
	*ret_nodes = total;
	if (total <= max) {
		*ret_depth = 0;
		return 0;
	}
	/* What is cut off below a node is one node more: the nodes of the last level count twice. */
	for (uint32_t nodes = 0; depth <= deepest; depth++) {
		nodes += count[depth];
		if (nodes + count[depth] > max)
			break;
	}
	*ret_depth = depth > 1 ? depth - 1 : 1;
	return 0;
}

static uint32_t weakened(const struct pattern *p, uint32_t n)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < n; i++)
		count += p[i].keep != PAT_KEEP_ALL;
	return count;
}

/* How many nodes to aim at next, after @nodes have led to @need. */
static uint32_t next_target(uint32_t nodes, const struct aut_limits *need, const struct aut_limits *l)
{
	uint64_t by_states = (uint64_t)nodes * l->states / need->states, by_trans = (uint64_t)nodes * l->trans / need->trans;
	uint64_t target = by_states < by_trans ? by_states : by_trans;

	return (uint32_t)(target - target / 10);
}

/* With at most @stars stars. -E2BIG where no number of tokens makes it fit. */
static int fit_stars(struct pattern *p, uint32_t n, uint32_t stars, aut_value_fn *value, void *ctx, const struct aut_limits *l,
		     struct automaton *ret, struct aut_fit *ret_fit)
{
	uint32_t target = l->states, depth, nodes, changed;
	struct aut_limits need;
	int r = weaken(p, n, stars, 0, &changed);

	for (int i = 0; i < TRIES && r == 0; i++) {
		r = find_depth(p, n, i ? target : 4 * target, &depth, &nodes);
		if (r == 0 && i == 0 && depth)
			r = find_depth(p, n, target, &depth, &nodes);
		if (r == 0)
			r = weaken(p, n, stars, depth, &changed);
		if (r < 0)
			return r;
		r = automaton_build(p, n, value, ctx, l, ret, &need);
		if (r != -E2BIG) {
			*ret_fit = (struct aut_fit){ .weakened = weakened(p, n), .stars = -1, .tokens = depth ? (int32_t)depth : -1 };
			return r;
		}
		if (!need.states)
			return r;
		target = next_target(depth && nodes > target ? target : nodes, &need, l);
		r = weaken(p, n, stars, 0, &changed);
	}
	return r < 0 ? r : -E2BIG;
}

int automaton_fit(struct pattern *p, uint32_t n, aut_value_fn *value, void *ctx, const struct aut_limits *l,
		  struct automaton *ret, struct aut_fit *ret_fit)
{
	static const uint32_t stars[] = { UINT32_MAX, 3, 2, 1, 0 };
	struct aut_limits none = { .states = 1, .trans = 256 };
	uint32_t changed;
	int r = -E2BIG;

	for (size_t i = 0; i < sizeof(stars) / sizeof(stars[0]) && r == -E2BIG; i++) {
		if (i > 0) {
			r = weaken(p, n, stars[i - 1], 0, &changed);
			if (r == 0)
				r = weaken(p, n, stars[i], 0, &changed);
			if (r < 0)
				return r;
			if (!changed) {
				r = -E2BIG;
				continue;
			}
		}
		r = fit_stars(p, n, stars[i], value, ctx, l, ret, ret_fit);
		if (r == 0)
			ret_fit->stars = (int32_t)stars[i];
	}
	if (r != -E2BIG)
		return r;
	for (uint32_t i = 0; i < n; i++)
		p[i].keep = 0;
	*ret_fit = (struct aut_fit){ .weakened = n };
	return automaton_build(p, n, value, ctx, &none, ret, NULL);
}
