/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SIEVE_PARTS_H
#define TAMIS_SIEVE_PARTS_H

/* What the files of the sieve's builder share: sieve_build.c, sieve_bits.c, sieve_strings.c, sieve_report.c. */

#include "policy-compiler/automaton.h"
#include "policy-compiler/deny.h"
#include "policy-compiler/sieve_build.h"

#define PRED_NONE UINT32_MAX
#define KIN_NONE  UINT16_MAX
/* Of no number: see sv_event.self, sv_kin.contained, sv_kin.tty. */
#define PRED_SELF      (UINT32_MAX - 1)
#define PRED_CONTAINED (UINT32_MAX - 2)
#define PRED_TTY       (UINT32_MAX - 3)
#define PRED_VAR(I)    (UINT32_MAX - 4 - (I)) /* variable @I of the sieve; the lowest of all these */

/* The terms of one rule, in event_build.rule_terms. */
struct rule_build {
	uint32_t rule;
	uint32_t first, count;
	bool weak;
	uint8_t deny;	    /* enum deny_why */
	uint32_t deny_node; /* of the program: what DENY_USER, DENY_RESULT and DENY_LATE are about */
	uint32_t ndenied;   /* clauses on which the kernel refuses */
};

/* The variables that have a flag in the sieve; see struct sv_var. */
struct sieve_vars {
	uint32_t n;
	uint32_t var[SV_VARS]; /* of the program */
	uint8_t *
		lacks; /* owned, or NULL; of each BOOL node, plain and negated: 1 + the variable that it does not hold without */
};

/* One event type on its way into the tables. */
struct event_build {
	struct clauses c;
	struct rule_build *rules; /* owned */
	uint32_t nrules, rules_cap;
	struct clause_term *all; /* owned; of all rules, as clauses_of() gave them */
	uint32_t nall, all_cap;

	struct intern terms;  /* the distinct ones, cut to the literals in use: see term_size() */
	uint32_t *rule_terms; /* owned; term of each of all[] */
	uint16_t *bits;	      /* owned; bit of each term */
	uint32_t nbits;
	uint32_t *pred_place;	  /* owned; place in the table of each number predicate, or PRED_NONE */
	uint32_t preds[SV_PREDS]; /* predicate of each place */
	uint32_t npreds, preds_left, nfirst, nwho;
	struct kin { /* see struct sv_kin */
		uint32_t automaton, formula;
	} kin[SV_KIN];
	uint32_t nkin, kin_left; /* conditions that have a place, and that have none */
	uint16_t (*kin_of)
		[SV_KIN_AUTS]; /* owned; the condition that each term asks of each of the strings, or KIN_NONE */

	struct string_build {
		bool used;
		struct pattern *patterns; /* owned */
		uint32_t *sources; /* owned; the clauses' pattern of each, UINT32_MAX for the one that is not theirs */
		uint32_t npatterns;
		struct automaton a;
		struct aut_fit fit;
	} strings[SV_AUTOMATA];
};

static inline uint32_t term_size(const struct clause_term *t)
{
	return (uint32_t)offsetof(struct clause_term, lits) + t->n * (uint32_t)sizeof(t->lits[0]);
}

static inline const struct clause_term *term_at(const struct event_build *eb, uint32_t i)
{
	return intern_get(&eb->terms, i);
}

static inline void mask_set(struct sv_mask *m, uint32_t bit)
{
	m->w[bit / 64] |= 1ull << (bit % 64);
}

static inline bool mask_has(const struct sv_mask *m, uint32_t bit)
{
	return m->w[bit / 64] >> (bit % 64) & 1;
}

static inline bool mask_is_zero(const struct sv_mask *m)
{
	return !(m->w[0] | m->w[1] | m->w[2] | m->w[3]);
}

/* sieve_vars.c */
int sieve_vars_find(const struct program *p, const struct unseen *u, struct sieve_vars *ret);
void sieve_vars_done(struct sieve_vars *v);
/* The rows of @eb's event type, behind those that @out has. */
void sieve_fill_vars(const struct event_build *eb, const struct sieve_vars *v, struct sieve *out);

/* sieve_bits.c: chooses the number predicates, the distinct terms and their bits. */
int sieve_bits(struct event_build *eb);
/* Fills the number predicates of @ev. */
void sieve_fill_preds(const struct event_build *eb, struct sv_event *ev);

/* The bits all of whose terms ask for what has that place, PRED_SELF or the like. */
void sieve_bits_of(const struct event_build *eb, uint32_t place, struct sv_mask *ret);

/* sieve_kin.c: chooses the conditions on parents and those above; fills them in. */
int sieve_kin(struct event_build *eb);
void sieve_fill_kin(const struct event_build *eb, struct sv_kin *ret);

/*
 * sieve_strings.c: collects the patterns of automaton @k (used is false where no term asks anything of that string), then
 * makes the automaton within limits. Values are numbers of masks in @masks.
 */
int sieve_patterns(struct event_build *eb, unsigned k);
int sieve_automaton(struct event_build *eb, unsigned k, const struct aut_limits *l, const struct nfa_samples *samples,
		    struct intern *masks);

/*
 * sieve_deny.c: which clauses the kernel decides exactly, of rules that want their operation refused. After the masks of
 * the automata's states have been placed; @masks_full: some got a larger one.
 */
void sieve_deny(struct event_build *eb, bool masks_full, struct sv_event *ev);

/* sieve_build.c: sieve_build() with smaller tables, for tests of what happens when they are full. */
struct sieve_limits {
	uint32_t states, trans, masks;
	const struct workload *workload; /* borrowed, or NULL */
};
int sieve_build_within(struct program_builder *pb, const struct sieve_limits *l, struct sieve_report *ret_report,
		       struct sieve *out, struct err *e);

/* sieve_report.c */
int sieve_report_fill(const struct program *p, struct event_build *const events[EV_TYPES], struct sieve_report *ret);

#endif
