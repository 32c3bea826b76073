/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_BENCH_MANY_RULES_H
#define TAMIS_BENCH_MANY_RULES_H

/*
 * Policies of any number of rules, out of those that people use: the rules again and again, each time with other constants. What
 * is written anew: every text that is compared with a field of the event itself, and every other one of those that are compared
 * with fields of processes, for those are what rules have in common. Where a rule asks nothing of the event's own texts it is
 * every text, and every set of numbers. A rule without any such constant is there once.
 */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/program.h"

static inline uint32_t many_must(int64_t r)
{
	if (r < 0) {
		fprintf(stderr, "engine: a rule cannot be written anew: error %d\n", (int)r);
		exit(1);
	}
	return (uint32_t)r;
}

struct many {
	const struct program *from;
	struct program_builder *to;
	uint32_t *node; /* of each node of @from: 1 + the one that it became in the variant @made */
	uint32_t *made;
	uint32_t variant; /* 0: as it is written */
	uint32_t stamp;
	bool force; /* every constant */
};

/* Where in a text something can be put in: behind its last letter or digit; of a regular expression before its end. */
static inline size_t many_place(const char *s, size_t len, bool regex)
{
	size_t at = len;

	if (regex)
		return len && s[len - 1] == '$' && (len < 2 || s[len - 2] != '\\') ? len - 1 : len;
	while (at && !isalnum((unsigned char)s[at - 1]))
		at--;
	return at;
}

static inline uint32_t many_str(struct many *m, uint32_t str, bool anew, bool regex)
{
	uint32_t len;
	const char *s = program_str(m->from, str, &len);
	char text[PROGRAM_STRING_MAX + 16];
	size_t at = many_place(s, len, regex);
	int n;

	if (!anew || !m->variant || !at)
		return many_must(program_str_add(m->to, s, len));
	n = snprintf(text, sizeof(text), "%.*sx%03u%.*s", (int)at, s, m->variant, (int)(len - at), s + at);
	return many_must(program_str_add(m->to, text, (size_t)n));
}

/* Whether what is compared with the node is written anew. */
static inline bool many_anew(const struct many *m, uint32_t node)
{
	const struct node *n = &m->from->nodes[node];
	const struct cat_field *f = n->op == N_FIELD || n->op == N_CURRENT ? &m->from->catalog->fields[n->a] : NULL;

	return f && (f->home == CAT_HOME_EVENT || m->force || ((node ^ m->variant) * 2654435761u) >> 31);
}

static inline uint32_t many_node(struct many *m, uint32_t i, bool anew);

static inline uint32_t many_strset(struct many *m, uint32_t set, bool anew)
{
	const struct strset *s = &m->from->strsets[set];
	struct strm *v = calloc(s->count + 1, sizeof(*v));
	int64_t r;

	if (!v)
		exit(1);
	for (uint32_t i = 0; i < s->count; i++) {
		v[i] = m->from->strms[s->first + i];
		v[i].str = many_str(m, v[i].str, anew, v[i].kind == STRM_REGEX);
	}
	r = program_strset_add(m->to, v, s->count);
	free(v);
	return many_must(r);
}

static inline uint32_t many_intset(struct many *m, uint32_t set)
{
	const struct intset *s = &m->from->intsets[set];
	int64_t *v = calloc(s->count + 1, sizeof(*v)), r;

	if (!v)
		exit(1);
	for (uint32_t i = 0; i < s->count; i++)
		v[i] = m->from->ints[s->first + i] + (m->force ? 1000 * (int64_t)m->variant : 0);
	r = program_intset_add(m->to, v, s->count);
	free(v);
	return many_must(r);
}

static inline uint32_t many_ipset(struct many *m, uint32_t set)
{
	const struct ipset *s = &m->from->ipsets[set];
	uint32_t *v = calloc(s->count + 1, sizeof(*v));
	int64_t r;

	if (!v)
		exit(1);
	for (uint32_t i = 0; i < s->count; i++)
		v[i] = many_str(m, m->from->ips[s->first + i], false, false);
	r = program_ipset_add(m->to, v, s->count);
	free(v);
	return many_must(r);
}

/* A node with its operands; @anew: the array that its N_ELEMs go through is one whose texts are written anew. */
static inline uint32_t many_make(struct many *m, uint32_t i, bool anew)
{
	const struct program *p = m->from;
	struct node n = p->nodes[i];
	unsigned operands = program_operands(n.op);

	switch (n.op) {
	case N_STR:
		n.a = many_str(m, n.a, anew, false);
		break;
	case N_IP:
		n.a = many_str(m, n.a, false, false);
		break;
	case N_INTIN:
		n.b = many_intset(m, n.b);
		break;
	case N_IPIN:
		n.b = many_ipset(m, n.b);
		break;
	case N_STREQ:
		anew = anew || many_anew(m, n.a) || many_anew(m, n.b);
		break;
	case N_STRIN:
		anew = anew || many_anew(m, n.a);
		n.b = many_strset(m, n.b, anew);
		break;
	case N_ANY:
		anew = many_anew(m, n.a);
		break;
	}
	if (operands & 1)
		n.a = many_node(m, n.a, anew);
	if (operands & 2)
		n.b = many_node(m, n.b, anew);
	return many_must(program_node(m->to, n.op, n.a, n.b, n.c, n.imm));
}

static inline uint32_t many_node(struct many *m, uint32_t i, bool anew)
{
	const struct node *n = &m->from->nodes[i];
	bool closed = n->type == NT_BOOL && n->op != N_STREQ && n->op != N_STRIN; /* the same wherever it stands */

	if (closed && !anew && m->made[i] == m->stamp)
		return m->node[i];
	m->node[i] = many_make(m, i, anew);
	m->made[i] = m->stamp;
	return m->node[i];
}

/* Whether the condition asks for a text of the event's own. */
static inline bool many_has_own(const struct many *m, uint32_t i)
{
	const struct node *n = &m->from->nodes[i];
	unsigned operands = program_operands(n->op);

	if (n->op == N_STREQ || n->op == N_STRIN || n->op == N_ANY) {
		const struct node *a = &m->from->nodes[n->a];

		return a->op == N_FIELD && m->from->catalog->fields[a->a].home == CAT_HOME_EVENT;
	}
	return (operands & 1 && many_has_own(m, n->a)) || (operands & 2 && many_has_own(m, n->b));
}

/* Rule @i of @m->from as variant @variant; its actions, limits and tags stay behind. false: it would be one that is there. */
static inline bool many_rule(struct many *m, uint32_t i, uint32_t variant)
{
	struct prule r = { .event = m->from->rules[i].event };
	uint32_t before = program_view(m->to).nnodes;
	char id[32];

	m->variant = variant;
	m->force = !many_has_own(m, m->from->rules[i].root);
	m->stamp++;
	r.root = many_node(m, m->from->rules[i].root, false);
	if (variant && r.root < before)
		return false;
	snprintf(id, sizeof(id), "r%u_%u", i, variant);
	r.id = many_must(program_str_add(m->to, id, strlen(id)));
	many_must(program_rule_add(m->to, &r, NULL, 0));
	return true;
}

/* The variables have to be there before nodes that ask for them. */
static inline void many_vars(struct many *m)
{
	for (uint32_t i = 0; i < m->from->nvars; i++) {
		struct pvar v = m->from->vars[i];

		v.name = many_str(m, v.name, false, false);
		v.default_first = v.default_count = 0;
		many_must(program_var_add(m->to, &v));
	}
}

static inline void many_begin(struct many *m, const struct program *from, struct program_builder *to)
{
	*m = (struct many){ .from = from, .to = to };
	m->node = calloc(from->nnodes + 1, sizeof(*m->node));
	m->made = calloc(from->nnodes + 1, sizeof(*m->made));
	if (!m->node || !m->made)
		exit(1);
	many_vars(m);
}

static inline void many_end(struct many *m)
{
	free(m->node);
	free(m->made);
}

#endif
