/* SPDX-License-Identifier: Apache-2.0 */
/* Which nodes of an automaton known strings come by: it is run on them, set of nodes by set of nodes. */
#include "policy-compiler/nfa.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"

#define WORK_MAX 50000000u /* nodes and edges looked at: some tenths of a second */

struct run {
	const struct nfa *f;
	uint32_t *now, *next, nnow, nnext;   /* owned */
	uint32_t *mark, *met, stamp, string; /* owned; the last step, and the last string, that came by */
	uint64_t *hits, count, work;
};

/* Puts @i in the next set, and what is reached from it without a byte. */
static void enter(struct run *x, uint32_t i)
{
	const struct nfa_node *n = &x->f->nodes[i];
	const uint32_t more[] = { n->star, n->star_all, n->dirs, n->dirs_loop, n->star_1st };

	if (x->mark[i] == x->stamp)
		return;
	x->mark[i] = x->stamp;
	x->next[x->nnext++] = i;
	if (x->met[i] != x->string) {
		x->met[i] = x->string;
		x->hits[i] += x->count;
	}
	for (size_t k = 0; k < sizeof(more) / sizeof(more[0]); k++)
		if (more[k])
			enter(x, more[k]);
}

static void end_step(struct run *x)
{
	uint32_t *was = x->now;

	x->now = x->next;
	x->nnow = x->nnext;
	x->next = was;
	x->nnext = 0;
	x->stamp++;
}

static void step(struct run *x, uint8_t byte)
{
	for (uint32_t i = 0; i < x->nnow; i++) {
		const struct nfa_node *n = &x->f->nodes[x->now[i]];

		if (n->loop == NFA_LOOP_ALL || (n->loop == NFA_LOOP && byte != '/'))
			enter(x, x->now[i]);
		for (uint32_t e = n->edges; e; e = x->f->edges[e].next) {
			if (token_takes(&x->f->edges[e].on, byte))
				enter(x, x->f->edges[e].to);
			x->work++;
		}
		x->work++;
	}
	end_step(x);
}

int nfa_hits(const struct nfa *f, const struct nfa_samples *samples, uint64_t *ret_hits)
{
	struct run x = { .f = f, .stamp = 1, .hits = ret_hits };
	int r = 0;

	x.now = calloc(f->nnodes, sizeof(*x.now));
	x.next = calloc(f->nnodes, sizeof(*x.next));
	x.mark = calloc(f->nnodes, sizeof(*x.mark));
	x.met = calloc(f->nnodes, sizeof(*x.met));
	if (!x.now || !x.next || !x.mark || !x.met)
		r = -ENOMEM;
	for (uint32_t i = 0; i < f->nnodes && r == 0; i++)
		ret_hits[i] = 0;
	for (uint32_t i = 0; i < samples->n && r == 0 && x.work < WORK_MAX; i++) {
		x.string = i + 1;
		x.count = samples->v[i].count;
		enter(&x, 0);
		end_step(&x);
		for (uint32_t k = 0; k < samples->v[i].len && x.nnow && x.work < WORK_MAX; k++)
			step(&x, (uint8_t)samples->v[i].s[k]);
	}
	free(x.now);
	free(x.next);
	free(x.mark);
	free(x.met);
	return r;
}
