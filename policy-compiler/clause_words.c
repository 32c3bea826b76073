/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of an exec's arguments and environment: words are looked for that have to stand there somewhere. That what a rule
 * asks for is there is nothing that the kernel could tell, only that it is not; so what is denied asks nothing.
 *
 * Arguments reach the kernel as one text, each with a NUL behind it. Rules see them joined by spaces, one by one, as flags
 * without dashes and as options "key=value": NUL, ' ' and '=' are the same here, and of each text that a rule asks for the part is
 * taken that stands in the arguments as it is.
 */
#include <errno.h>
#include <string.h>

#include "lib/regex.h"
#include "policy-compiler/clauses.h"

#define WORD_MAX 40 /* bytes of a word: it is rare enough by then */

/* A part of a text between stars, and whether it is at its beginning or end. */
struct piece {
	const char *s;
	uint32_t len;
	bool begins, ends;
};

/* What a predicate is about: a field, and one text or a set of them. */
struct asked {
	const struct cat_field *field;
	uint16_t automaton;
	const struct node *body; /* N_STREQ or N_STRIN */
	uint32_t str;		 /* of N_STREQ */
};

/* The predicate at @i, where it is one of the field's value, or of one of its values, and constants. */
static bool is_asked(const struct program *p, uint32_t i, struct asked *ret)
{
	const struct node *n = &p->nodes[i], *value, *a, *b;

	ret->body = n->op == N_ANY ? &p->nodes[n->b] : n;
	if (ret->body->op != N_STREQ && ret->body->op != N_STRIN)
		return false;
	a = &p->nodes[ret->body->a];
	b = ret->body->op == N_STREQ ? &p->nodes[ret->body->b] : NULL;
	value = b && a->op == N_STR ? b : a;
	if (b && a->op != N_STR && b->op != N_STR)
		return false;
	if (b)
		ret->str = a->op == N_STR ? a->a : b->a;
	if (n->op == N_ANY) {
		if (value->op != N_ELEM)
			return false;
		value = &p->nodes[n->a];
	}
	if (value->op != N_FIELD)
		return false;
	ret->field = &p->catalog->fields[value->a];
	return true;
}

static bool is_words(const struct program *p, uint16_t event, uint32_t i, struct asked *ret)
{
	int sieve;

	if (!is_asked(p, i, ret))
		return false;
	sieve = catalog_sieve(p->catalog, ret->field, event, &ret->automaton);
	return sieve == CAT_SIEVE_ARGS || sieve == CAT_SIEVE_ENVS;
}

/* ---- words --------------------------------------------------------------------------------------------------------- */

static int put_made(struct clauses *c, uint16_t automaton, uint8_t kind, const char *s, uint32_t len, bool icase)
{
	struct clause_pattern pat = { .kind = kind, .icase = icase, .automaton = (uint8_t)automaton, .maybe = 1 };

	return clauses_put_made(c, &pat, s, len);
}

/* The longest one, the first of those. */
static struct piece best_piece(const char *s, uint32_t len, bool stars)
{
	struct piece best = { .len = 0 };

	for (uint32_t at = 0; at <= len;) {
		const char *star = stars ? memchr(s + at, '*', len - at) : NULL;
		uint32_t end = star ? (uint32_t)(star - s) : len;

		if (end - at > best.len)
			best = (struct piece){ .s = s + at, .len = end - at, .begins = at == 0, .ends = end == len };
		at = end + 1;
	}
	return best;
}

/* What stands before the text where it begins, in what the kernel has. */
static char before(uint16_t slot)
{
	return slot == SLOT_PROC_ARGS_FLAGS || slot == SLOT_PROC_ARGS_OPTIONS ? '-' : ' ';
}

/* 1: nothing can be said of the text. */
static int put_text(struct clauses *c, const struct asked *q, const char *s, uint32_t len, bool stars, bool icase)
{
	struct piece p = best_piece(s, len, stars);
	bool flags = q->field->slot == SLOT_PROC_ARGS_FLAGS, cut = p.len > WORD_MAX;
	char text[WORD_MAX + 2];
	uint32_t n = 0;

	if (!p.len)
		return 1;
	/* A flag of one letter may be one of several behind a dash. */
	if (flags && p.begins && p.len == 1)
		return put_made(c, q->automaton, PAT_FLAG, p.s, 1, icase);
	if (p.begins)
		text[n++] = before(q->field->slot);
	memcpy(text + n, p.s, cut ? WORD_MAX : p.len);
	n += cut ? WORD_MAX : p.len;
	if (p.ends && !cut && !(flags && p.len == 1))
		text[n++] = ' ';
	return put_made(c, q->automaton, PAT_WORD, text, n, icase);
}

/* Each match of the expression holds one of these: words, or texts with stars around. 1: there are none. */
static int put_need(struct clauses *c, uint16_t automaton, uint8_t kind, const char *s, uint32_t len, bool icase)
{
	struct regex_need need;
	int r = regex_need(s, len, icase, &need);

	if (r < 0 || !need.n)
		return r == -ENOMEM ? r : 1;
	for (uint32_t i = 0; i < need.n && r == 0; i++) {
		char text[REGEX_NEED_LEN + 2] = "*";
		uint32_t n = kind == PAT_STARS;

		memcpy(text + n, need.lit[i].s, need.lit[i].len);
		n += need.lit[i].len;
		if (kind == PAT_STARS)
			text[n++] = '*';
		r = put_made(c, automaton, kind, text, n, true);
	}
	return r;
}

static int put_words(struct clauses *c, const struct asked *q)
{
	const struct strset *set;
	const char *s;
	uint32_t len;
	int r = 0;

	if (q->body->op == N_STREQ) {
		s = program_str(c->p, q->str, &len);
		return put_text(c, q, s, len, false, q->body->c != 0);
	}
	set = &c->p->strsets[q->body->b];
	for (uint32_t i = set->first; i < set->first + set->count && r == 0; i++) {
		const struct strm *m = &c->p->strms[i];

		s = program_str(c->p, m->str, &len);
		if (m->kind == STRM_GLOB)
			return 1;
		r = m->kind == STRM_REGEX ? put_need(c, q->automaton, PAT_WORD, s, len, m->icase)
					  : put_text(c, q, s, len, m->kind == STRM_PATTERN, m->icase);
	}
	return r;
}

int64_t clauses_looked_for(struct clauses *c, bool neg, uint32_t i)
{
	struct clause_atom atom = { .node = i, .first = c->natom_patterns };
	struct asked q;
	bool is_new;
	int64_t at;
	int r;

	if (neg || !is_words(c->p, c->event, i, &q))
		return FORMULA_TRUE;
	atom.automaton = (uint8_t)q.automaton;
	r = put_words(c, &q);
	if (r) {
		c->natom_patterns = atom.first;
		return r < 0 ? r : (int64_t)FORMULA_TRUE;
	}
	at = clauses_atom(c, i, -1, &is_new);
	if (at < 0)
		return at;
	if (is_new) {
		atom.count = c->natom_patterns - atom.first;
		c->atoms[c->natoms++] = atom;
	} else {
		c->natom_patterns = atom.first;
	}
	return formula_add(c, F_ATOM, false, 1u << q.automaton, (uint32_t)at, 0);
}

int clauses_put_need(struct clauses *c, const char *s, uint32_t len, bool icase)
{
	return put_need(c, SV_AUT_COMM, PAT_STARS, s, len, icase);
}

bool clauses_is_words(const struct program *p, uint16_t event, uint32_t node)
{
	struct asked q;

	return is_words(p, event, node, &q);
}
