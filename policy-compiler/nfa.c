/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/nfa.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "policy-compiler/intern.h"

/* ---- patterns to tokens -------------------------------------------------------------------------------------------- */

struct tokens {
	struct token *t;
	uint32_t n;
};

static void put(struct tokens *ts, uint8_t kind)
{
	ts->t[ts->n++] = (struct token){ .kind = kind };
}

static void put_range(struct tokens *ts, uint8_t lo, uint8_t hi)
{
	ts->t[ts->n++] = (struct token){ .kind = TOK_BYTES, .lo = lo, .hi = hi };
}

static void put_byte(struct tokens *ts, char c, bool icase)
{
	uint8_t lower = (uint8_t)c | 0x20;
	bool letter = icase && lower >= 'a' && lower <= 'z';

	ts->t[ts->n] = (struct token){ .kind = TOK_BYTES, .lo = (uint8_t)c, .hi = (uint8_t)c };
	if (letter)
		ts->t[ts->n] = (struct token){ .kind = TOK_BYTES, .lo = lower, .hi = lower, .icase = 1 };
	ts->n++;
}

/* Literal bytes and stars; @star is what a '*' is. */
static void put_text(struct tokens *ts, const char *s, uint32_t len, bool icase, bool stars, uint8_t star)
{
	for (uint32_t i = 0; i < len; i++)
		if (stars && s[i] == '*')
			put(ts, star);
		else
			put_byte(ts, s[i], icase);
}

static int put_component(struct tokens *ts, const struct pattern *p, uint32_t at, uint32_t len)
{
	bool first = at == 0, last = at + len == p->len;
	const char *s = p->s + at;

	if (len == 2 && memcmp(s, "**", 2) == 0) {
		if (first && !last)
			return -EINVAL;
		put(ts, last ? TOK_STAR_ALL : TOK_DIRS);
		return 0;
	}
	if (memmem(s, len, "**", 2))
		return -EINVAL;
	if (first && len == 1 && s[0] == '*')
		put(ts, TOK_STAR_1ST);
	else
		put_text(ts, s, len, p->icase, true, TOK_STAR);
	if (!last)
		put_byte(ts, '/', false);
	return 0;
}

static int put_glob(struct tokens *ts, const struct pattern *p)
{
	uint32_t at = 0;
	int r;

	for (;;) {
		const char *slash = memchr(p->s + at, '/', p->len - at);
		uint32_t len = slash ? (uint32_t)(slash - p->s) - at : p->len - at;

		r = put_component(ts, p, at, len);
		if (r < 0 || !slash)
			return r;
		at += len + 1;
		/* "x/" has an empty last component, which put_component() above could not see. */
		if (at == p->len)
			return 0;
	}
}

static int put_name(struct tokens *ts, const struct pattern *p)
{
	if (memchr(p->s, '/', p->len))
		return -ENOENT;
	put(ts, TOK_DIRS);
	put_text(ts, p->s, p->len, p->icase, p->kind != PAT_EXACT, TOK_STAR);
	return 0;
}

static int put_net(struct tokens *ts, const struct pattern *p)
{
	const uint8_t *a = (const uint8_t *)p->s;
	uint8_t bits, rest;

	if (p->len != 17 || a[16] > 128)
		return -EINVAL;
	bits = a[16];
	rest = bits % 8;
	for (uint8_t i = 0; i < bits / 8; i++)
		put_range(ts, a[i], a[i]);
	if (rest)
		put_range(ts, a[bits / 8] & (uint8_t)(0xff00 >> rest), a[bits / 8] | (uint8_t)(0xff >> rest));
	put(ts, TOK_STAR_ALL);
	return 0;
}

/* A byte of an argument or variable: what stands between two of them is one thing. */
static void put_word_byte(struct tokens *ts, char c, bool icase)
{
	if (c && c != '=' && c != ' ') {
		put_byte(ts, c, icase);
		return;
	}
	put_byte(ts, ' ', false);
	ts->t[ts->n - 1].gap = 1;
}

static void put_word(struct tokens *ts, const struct pattern *p)
{
	put(ts, TOK_STAR_ALL);
	if (p->kind == PAT_FLAG) {
		put_word_byte(ts, ' ', false);
		put_byte(ts, '-', false);
		ts->t[ts->n - 1].runs = 1;
	}
	for (uint32_t i = 0; i < p->len; i++)
		put_word_byte(ts, p->s[i], p->icase);
}

int pattern_tokens(const struct pattern *p, struct token **ret, uint32_t *ret_n)
{
	_cleanup_free_ struct token *t = calloc((size_t)p->len + 4, sizeof(*t));
	struct tokens ts = { .t = t };
	int r = 0;

	if (!t)
		return -ENOMEM;
	if (p->kind == PAT_NET)
		r = put_net(&ts, p);
	else if (p->kind == PAT_WORD || p->kind == PAT_FLAG)
		put_word(&ts, p);
	else if (p->name && p->kind != PAT_TRAIL)
		r = put_name(&ts, p);
	else if (p->kind == PAT_GLOB)
		r = put_glob(&ts, p);
	else if (p->kind == PAT_TRAIL)
		put_text(&ts, "*/", 2, false, true, TOK_STAR_ALL);
	else
		put_text(&ts, p->s, p->len, p->icase, p->kind == PAT_STARS, TOK_STAR_ALL);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(t);
	*ret_n = ts.n;
	return 0;
}

/* ---- the trie ------------------------------------------------------------------------------------------------------ */

/* A node below @parent. */
static int64_t add_node(struct nfa *f, uint32_t max, uint32_t parent, uint8_t loop)
{
	int r = array_room(&f->nodes, &f->nodes_cap, f->nnodes + 1, sizeof(*f->nodes));

	if (r < 0)
		return r;
	if (f->nnodes >= max)
		return -E2BIG;
	f->nodes[f->nnodes] = (struct nfa_node){ .loop = loop, .parent = parent };
	return f->nnodes++;
}

static int add_edge(struct nfa *f, uint32_t from, const struct token *on, uint32_t to)
{
	int r = array_room(&f->edges, &f->edges_cap, f->nedges + 1, sizeof(*f->edges));

	if (r < 0)
		return r;
	f->edges[f->nedges] = (struct nfa_edge){ .on = *on, .to = to, .next = f->nodes[from].edges };
	f->nodes[from].edges = f->nedges++;
	return 0;
}

static int64_t child_on_bytes(struct nfa *f, uint32_t max, uint32_t at, const struct token *on, uint8_t loop)
{
	/* letters, digits, '-' and '_', and a few that do no harm */
	const struct token flags = { .kind = TOK_BYTES, .lo = '-', .hi = 'z' };
	int64_t to;
	int r;

	for (uint32_t e = f->nodes[at].edges; e; e = f->edges[e].next)
		if (memcmp(&f->edges[e].on, on, sizeof(*on)) == 0 && f->nodes[f->edges[e].to].loop == loop)
			return f->edges[e].to;
	to = add_node(f, max, at, loop);
	if (to < 0)
		return to;
	r = add_edge(f, at, on, (uint32_t)to);
	if (r == 0 && on->runs)
		r = add_edge(f, (uint32_t)to, &flags, (uint32_t)to);
	return r < 0 ? r : to;
}

static int64_t child_dirs(struct nfa *f, uint32_t max, uint32_t at)
{
	const struct token slash = { .kind = TOK_BYTES, .lo = '/', .hi = '/' };
	int64_t loop, next;
	int r;

	if (f->nodes[at].dirs)
		return f->nodes[at].dirs;
	loop = add_node(f, max, at, NFA_LOOP_ALL);
	if (loop < 0)
		return loop;
	next = add_node(f, max, at, NFA_STILL);
	if (next < 0)
		return next;
	r = add_edge(f, (uint32_t)loop, &slash, (uint32_t)next);
	if (r < 0)
		return r;
	f->nodes[at].dirs_loop = (uint32_t)loop;
	f->nodes[at].dirs = (uint32_t)next;
	return next;
}

/*
 * From the start any first byte leads into the loop, which is how a '/' is passed over. The loop itself is not reached
 * without a byte: an empty string has its own node, where a lone star accepts and nothing goes on from.
 */
static int64_t child_star_1st(struct nfa *f, uint32_t max, uint32_t at, bool last)
{
	const struct token any = { .kind = TOK_BYTES, .lo = 0, .hi = 255 };
	int64_t loop = child_on_bytes(f, max, at, &any, NFA_LOOP), empty;

	if (loop < 0 || !last || f->nodes[at].star_1st)
		return loop;
	empty = add_node(f, max, at, NFA_STILL);
	if (empty < 0)
		return empty;
	f->nodes[at].star_1st = (uint32_t)empty;
	return loop;
}

static int64_t child_eps(struct nfa *f, uint32_t max, uint32_t at, bool all)
{
	uint32_t have = all ? f->nodes[at].star_all : f->nodes[at].star;
	int64_t to;

	if (have)
		return have;
	to = add_node(f, max, at, all ? NFA_LOOP_ALL : NFA_LOOP);
	if (to < 0)
		return to;
	*(all ? &f->nodes[at].star_all : &f->nodes[at].star) = (uint32_t)to;
	return to;
}

static int64_t child(struct nfa *f, uint32_t max, uint32_t at, const struct token *t, bool last)
{
	switch (t->kind) {
	case TOK_STAR:
		return child_eps(f, max, at, false);
	case TOK_STAR_ALL:
		return child_eps(f, max, at, true);
	case TOK_DIRS:
		return child_dirs(f, max, at);
	case TOK_STAR_1ST:
		return child_star_1st(f, max, at, last);
	default:
		return child_on_bytes(f, max, at, t, NFA_STILL);
	}
}

static int add_accept(struct nfa *f, uint32_t at, uint32_t pattern)
{
	int r = array_room(&f->accepts, &f->accepts_cap, f->naccepts + 1, sizeof(*f->accepts));

	if (r < 0)
		return r;
	f->accepts[f->naccepts] = (struct nfa_accept){ .pattern = pattern, .next = f->nodes[at].accepts };
	f->nodes[at].accepts = f->naccepts++;
	return 0;
}

/* Goes from the start by each token that @p keeps, and what stands for the others. Returns the node at the end. */
static int64_t walk(struct nfa *f, uint32_t max, const struct pattern *p, const struct token *t, uint32_t n,
		    void (*visit)(struct nfa *f, const struct pattern *p, void *ctx, uint32_t node), void *ctx)
{
	bool cut = p->keep != PAT_KEEP_ALL;
	uint32_t kept = cut && p->keep < n ? p->keep : n;
	const struct token anything = { .kind = p->name && kept ? TOK_STAR : TOK_STAR_ALL };
	int64_t at = 0;

	for (uint32_t i = 0; i < kept + cut && at >= 0; i++) {
		at = child(f, max, (uint32_t)at, i < kept ? &t[i] : &anything, i == n - 1);
		if (at >= 0)
			visit(f, p, ctx, (uint32_t)at);
	}
	return at;
}

static void add_weight(struct nfa *f, const struct pattern *p, void *ctx, uint32_t node)
{
	struct nfa_node *n = &f->nodes[node];

	n->group = n->weight && n->group != p->group ? 0 : p->group;
	n->names = p->name && (n->names || !n->weight);
	n->weight++;
}

static int add_pattern(struct nfa *f, uint32_t max, const struct pattern *p, uint32_t index)
{
	_cleanup_free_ struct token *t = NULL;
	uint32_t n;
	int64_t at;
	int r;

	r = pattern_tokens(p, &t, &n);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (p->group > f->ngroups)
		f->ngroups = p->group;
	at = walk(f, max, p, t, n, add_weight, NULL);
	if (at < 0)
		return (int)at;
	/* A lone star also accepts the empty string. */
	if (p->keep == PAT_KEEP_ALL && n == 1 && t[0].kind == TOK_STAR_1ST) {
		r = add_accept(f, f->nodes[0].star_1st, index);
		if (r < 0)
			return r;
	}
	return add_accept(f, (uint32_t)at, index);
}

struct path {
	uint32_t *nodes;
	uint32_t n, max;
};

static void put_node(struct nfa *f, const struct pattern *p, void *ctx, uint32_t node)
{
	struct path *path = ctx;

	if (path->n < path->max)
		path->nodes[path->n++] = node;
}

int nfa_path(struct nfa *f, const struct pattern *p, uint32_t *ret_nodes, uint32_t max, uint32_t *ret_n)
{
	_cleanup_free_ struct token *t = NULL;
	struct path path = { .nodes = ret_nodes, .max = max };
	uint32_t n;
	int64_t at;
	int r;

	*ret_n = 0;
	r = pattern_tokens(p, &t, &n);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	/* Every node is there: none is made. */
	at = walk(f, 0, p, t, n, put_node, &path);
	*ret_n = path.n;
	return at < 0 ? (int)at : 0;
}

int nfa_build(const struct pattern *p, uint32_t n, uint32_t max_nodes, struct nfa *ret)
{
	struct nfa f = { .nedges = 1, .naccepts = 1 };
	int64_t r = array_room(&f.edges, &f.edges_cap, 1, sizeof(*f.edges));

	if (r == 0)
		r = array_room(&f.accepts, &f.accepts_cap, 1, sizeof(*f.accepts));
	if (r == 0)
		r = add_node(&f, max_nodes, 0, NFA_STILL);
	for (uint32_t i = 0; i < n && r >= 0; i++)
		r = add_pattern(&f, max_nodes, &p[i], i);
	if (r < 0) {
		nfa_done(&f);
		return (int)r;
	}
	*ret = f;
	return 0;
}

bool token_takes(const struct token *t, uint8_t b)
{
	uint8_t folded = t->icase && b >= 'A' && b <= 'Z' ? b | 0x20 : b;

	if (t->gap && (b == 0 || b == '='))
		folded = ' ';
	return folded >= t->lo && folded <= t->hi;
}

void nfa_done(struct nfa *nfa)
{
	free(nfa->nodes);
	free(nfa->edges);
	free(nfa->accepts);
	*nfa = (struct nfa){ 0 };
}
