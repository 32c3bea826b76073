/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_NFA_H
#define TAMIS_NFA_H

/*
 * All patterns over one string as one nondeterministic automaton. It is a trie of tokens, so that patterns with a common
 * beginning share its states. Written from the language's description alone and not from lib/glob.c, which the engine matches
 * with: the property test compares the two.
 */

#include <stdbool.h>
#include <stdint.h>

enum pat_kind {
	PAT_EXACT,
	PAT_STARS, /* '*' is any run of bytes */
	PAT_GLOB,  /* path glob */
	PAT_NET,   /* 16 address bytes and a prefix length; matches 16-byte strings */
	PAT_WORD,  /* every string that ends with these bytes, where NUL, ' ' and '=' are the same */
	PAT_FLAG,  /* every string that ends with an argument of flags up to this letter: " -a", " -xya" */
	PAT_TRAIL  /* every string that ends with '/': its last component is nobody's business */
};

#define PAT_KEEP_ALL UINT32_MAX

struct pattern {
	const char *s; /* borrowed */
	uint32_t len;
	uint8_t kind; /* enum pat_kind */
	bool icase;
	bool name;  /* of the last component only */
	bool maybe; /* that it matches means "maybe" anyhow; the caller's business */
	/*
	 * Tokens that are kept. Where some are not, the pattern is what was kept and anything behind it (in a name, anything but
	 * '/'; where nothing is kept, any string): it matches more than it should, and that it matches means "maybe".
	 */
	uint32_t keep;
	/*
	 * Patterns of a group (not 0) mean the same: while one of them matches whatever comes, it does not matter which of the
	 * others do, and nobody keeps track of them. Groups are numbered from 1, at most as many as there are patterns and one.
	 */
	uint32_t group;
	bool joined; /* that any joined pattern matches means "maybe" of all of them */
};

/* Whether that it matches means "maybe", because there was no room for better. */
static inline bool pattern_is_weak(const struct pattern *p)
{
	return p->keep != PAT_KEEP_ALL || p->joined;
}

enum token_kind {
	TOK_BYTES,    /* one byte of lo..hi; with icase the other case too */
	TOK_STAR,     /* any run without '/' */
	TOK_STAR_ALL, /* any run */
	TOK_DIRS,     /* nothing, or any run that ends with '/' */
	TOK_STAR_1ST /* the lone star at a glob's beginning: as TOK_STAR, but a '/' as the very first byte is passed over */
};

struct token {
	uint8_t kind, lo, hi, icase;
	uint8_t gap;  /* NUL and '=' are what ' ' is */
	uint8_t runs; /* any number of bytes like those that flags are made of may follow */
};

/*
 * The tokens of @p, all of them whatever keep says. *ret is to be freed; *ret_n may be 0. -ENOENT where nothing can match (a
 * name with a '/' in it), -EINVAL on a glob that lib/glob.h refuses, -ENOMEM.
 */
int pattern_tokens(const struct pattern *p, struct token **ret, uint32_t *ret_n);
/* Whether the token counts as a star: what makes automata grow. */
static inline bool token_is_star(const struct token *t)
{
	return t->kind != TOK_BYTES;
}

enum { NFA_STILL, NFA_LOOP, NFA_LOOP_ALL }; /* stays where it is on: nothing, any byte but '/', any byte */

struct nfa_edge {
	struct token on; /* TOK_BYTES */
	uint32_t to;
	uint32_t next; /* edge of the same node, or 0 */
};

struct nfa_node {
	uint8_t loop;
	uint32_t parent;				    /* a lower number; the start is its own */
	uint32_t weight;				    /* patterns that lead here or beyond */
	uint32_t group;					    /* of all those patterns, or 0 */
	bool names;					    /* they all are names' */
	uint32_t edges;					    /* first; 0 is none */
	uint32_t accepts;				    /* first; 0 is none */
	uint32_t star, star_all, dirs, dirs_loop, star_1st; /* children that are reached without a byte; 0 is none */
};

struct nfa_accept {
	uint32_t pattern;
	uint32_t next;
};

/* Node 0 is the start. Entry 0 of edges and accepts is not used. */
struct nfa {
	struct nfa_node *nodes;
	struct nfa_edge *edges;
	struct nfa_accept *accepts;
	uint32_t nnodes, nedges, naccepts;
	uint32_t ngroups; /* the highest group */
	uint32_t nodes_cap, edges_cap, accepts_cap;
};

/* -ENOMEM, or -E2BIG over @max_nodes. */
int nfa_build(const struct pattern *p, uint32_t n, uint32_t max_nodes, struct nfa *ret);
/* The nodes that the tokens of @p lead to, one each, in the nfa that it was built into; patterns that are cut included. */
int nfa_path(struct nfa *f, const struct pattern *p, uint32_t *ret_nodes, uint32_t max, uint32_t *ret_n);
void nfa_done(struct nfa *nfa);

/* Whether the token, one of bytes, takes byte @b. */
bool token_takes(const struct token *t, uint8_t b);

/* Strings that are known to come, and how often each does. Borrowed. */
struct nfa_sample {
	const char *s;
	uint32_t len;
	uint64_t count;
};
struct nfa_samples {
	const struct nfa_sample *v; /* the most frequent first */
	uint32_t n;
};

/*
 * How many of the samples come by each node: @ret_hits has one for each. Where that would take too long, of the first of
 * them only. -ENOMEM.
 */
int nfa_hits(const struct nfa *f, const struct nfa_samples *samples, uint64_t *ret_hits);

#endif
