/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_CLAUSES_H
#define TAMIS_CLAUSES_H

/*
 * What the kernel can decide of a rule. The rule's graph is brought to an OR of clauses over the things that the sieve looks
 * at: numbers, and a formula for each of the event's strings. A predicate that only user space can decide is taken as true
 * here, whichever way it is meant, so that a clause never asks for more than the rule does: where the rule holds, one of its
 * clauses holds. What rests on fields that the sensor cannot observe, or on variables that nothing sets, is what it comes to then
 * (unseen.h). Knows nothing of bits, masks and tables.
 */

#include "lib/program.h"
#include "policy-compiler/intern.h"
#include "policy-compiler/nfa.h"
#include "policy-compiler/unseen.h"
#include "tamis/sieve.h"

#define CLAUSES_A_RULE 64
#define CLAUSE_LITS    16 /* numbers that a clause asks for */

/* Why a predicate is left to user space, or not. */
enum clause_why {
	WHY_KERNEL, /* it is not */
	WHY_PARTLY, /* the regular expressions of a set are; or a set is too large and the kernel tests its range */
	WHY_WORD,   /* the kernel looks for words in what an exec is given */
	WHY_ABOVE,  /* the kernel keeps which images above an exec it holds of */
	WHY_EMPTY,  /* the kernel knows of an exec that there is no container, or no terminal */
	WHY_SELF,   /* the kernel knows how the path of the process's program ends */
	WHY_UNSET,  /* the kernel knows as long as a variable is set nowhere: then it does not hold */
	WHY_UNSEEN, /* it follows from what the sensor cannot observe, or from a variable that nothing sets */
	WHY_FIELD,  /* the kernel does not know the field when it decides */
	WHY_PROCESS, /* of the process, or of those above it, until the next exec: decided once it is known, by its mask */
	WHY_VARIABLE, /* what a variable holds */
	WHY_OTHERS,   /* a field of the parent or of the ancestors */
	WHY_REGEX,
	WHY_SHAPE /* arithmetic, lengths, times, or a comparison of two fields */
};

/* A number against a constant: (slot & and) op rhs. op is SV_OP_EQ or SV_OP_LE. */
struct clause_pred {
	uint8_t slot, op, pad[6];
	uint64_t and;
	int64_t rhs;
};

/* A string that the kernel has. */
struct clause_string {
	uint8_t automaton; /* SV_AUT_* */
	bool name;	   /* its last component */
};

/* A predicate over one string: true if one of its patterns matches. */
struct clause_atom {
	uint32_t node;	       /* of the program */
	uint32_t first, count; /* into atom_patterns[] */
	uint8_t automaton;     /* SV_AUT_* */
	bool name;	       /* over the last component */
	bool open;	       /* may also be true otherwise: a regular expression is in the set */
};

/* A pattern as a key: what to match, and where it applies. */
struct clause_pattern {
	uint32_t str; /* string index; of texts, where it is made */
	uint8_t kind; /* enum pat_kind */
	uint8_t icase, name, automaton;
	uint8_t made;  /* the text stands in no rule: clauses.texts */
	uint8_t maybe; /* it matches more than the rule asks for */
	uint8_t pad[2];
};

/* Formulas: nodes of a graph without negations but at the atoms. */
enum formula_op { F_TRUE, F_FALSE, F_ATOM, F_PRED, F_AND, F_OR };
#define FORMULA_TRUE  0u
#define FORMULA_FALSE 1u

struct formula {
	uint8_t op;
	uint8_t neg;   /* F_ATOM, F_PRED: not */
	uint16_t uses; /* bits 1 << SV_AUT_*, and USES_PREDS */
	uint32_t a, b; /* F_AND, F_OR: formulas; F_ATOM, F_PRED: a is its index */
};
#define USES_PREDS (1u << SV_AUTOMATA)

/* All of: a formula over each string (FORMULA_TRUE: none), and literals over numbers. */
struct clause_term {
	uint32_t formula[SV_AUTOMATA];
	uint32_t n;
	uint32_t lits[CLAUSE_LITS]; /* ascending: 2 * pred + negated; only n of them count */
};

/* The clauses of one event type in the making. */
struct clauses {
	const struct program *p;     /* borrowed */
	const struct unseen *unseen; /* borrowed, or NULL */
	const uint8_t *lacks;	     /* borrowed, or NULL: sieve_vars.lacks */
	uint16_t event;
	struct intern preds;	/* struct clause_pred */
	struct intern patterns; /* struct clause_pattern */
	struct intern texts;
	struct intern atom_keys;
	struct clause_atom *atoms; /* owned */
	uint32_t natoms, atoms_cap;
	uint32_t *atom_patterns; /* owned; pattern indexes */
	uint32_t natom_patterns, atom_patterns_cap;
	struct intern formulas;	   /* struct formula */
	uint32_t *memo;		   /* owned; formula + 1 of each program node, plain and negated */
	struct clause_term *terms; /* owned; the lists of terms of formulas */
	uint32_t nterms, terms_cap;
	struct terms_of {
		uint32_t first, count;
		bool known, weak;
	} * terms_of; /* owned; of each formula */
	uint32_t terms_of_cap;
};

/* @u: what is known of conditions whatever happens, of the same program; NULL: nothing. */
int clauses_init(struct clauses *c, const struct program *p, const struct unseen *u, uint16_t event);
/* After the last clauses_of(): frees what only that needs. */
void clauses_seal(struct clauses *c);
void clauses_done(struct clauses *c);

/*
 * The terms of a BOOL node: where it holds, one of them does; none means that it can never hold. *ret_terms is borrowed until
 * the next call. *ret_weak says that there were too many, so that some ask for less than they could.
 */
int clauses_of(struct clauses *c, uint32_t root, const struct clause_term **ret_terms, uint32_t *ret_n, bool *ret_weak);

/* Who decides a predicate (a BOOL node that is no AND, OR, NOT). */
enum clause_why clauses_why(const struct program *p, uint16_t event, uint32_t node);
/* The first field that the predicate looks at, or NULL. */
const struct cat_field *clauses_field(const struct program *p, uint32_t node);

static inline const struct formula *formula_at(const struct clauses *c, uint32_t i)
{
	return intern_get(&c->formulas, i);
}

static inline const struct clause_pred *pred_at(const struct clauses *c, uint32_t i)
{
	return intern_get(&c->preds, i);
}

static inline const struct clause_pattern *pattern_at(const struct clauses *c, uint32_t i)
{
	return intern_get(&c->patterns, i);
}

/* Borrowed until another text is made. */
const char *clauses_pattern_text(const struct clauses *c, const struct clause_pattern *pat, uint32_t *ret_len);

/*
 * A formula that holds of one of two strings where @formula holds of both together, each of its conditions of one or the other: without
 * AND. FORMULA_TRUE where it would be too large. A formula, or -ENOMEM. Before clauses_seal().
 */
int64_t clauses_either(struct clauses *c, uint32_t formula);

/* Whether the automaton looks for what is somewhere: of two conditions that have to hold it asks for the one that holds less often. */
static inline bool clauses_loose(uint16_t event, unsigned automaton)
{
	return event == EV_EXEC && (automaton == SV_AUT_ARGS || automaton == SV_AUT_ENVS || automaton == SV_AUT_ABOVE ||
				    automaton == SV_AUT_ABOVE_COMM);
}

/* Used between clauses.c and clause_*.c. */
int clauses_put_pattern(struct clauses *c, const struct clause_pattern *pat);
/* The same of a text that stands in no rule, which is copied: the rest of @pat says how it matches. */
int clauses_put_made(struct clauses *c, const struct clause_pattern *pat, const void *text, uint32_t len);
/* The number of the atom that is @node, or the part @sub of it. *ret_new: the caller puts it at the end of atoms, where there is room. */
int64_t clauses_atom(struct clauses *c, uint32_t node, int64_t sub, bool *ret_new);
/* The predicate at node @i as a formula; FORMULA_TRUE where it is none that is looked for, or is @neg. */
int64_t clauses_looked_for(struct clauses *c, bool neg, uint32_t i);
/* Patterns over an exec's name of the task that hold where an expression does. 1: there are none. */
int clauses_put_need(struct clauses *c, const char *s, uint32_t len, bool icase);
/* What is asked of one of all above: an N_ANY or N_EXISTS over ancestors as a formula, as clauses_looked_for() has it. */
int64_t clauses_above(struct clauses *c, bool neg, uint32_t i);
bool clauses_is_above(const struct program *p, uint16_t event, uint32_t node);
/* The string of a parent, or (@op N_CURRENT, or N_FIELD of an N_ANY) of one above, that node @i stands for. */
bool clauses_kin_string(const struct program *p, uint16_t event, uint32_t i, uint8_t op, uint8_t home,
			struct clause_string *ret);
/* The atom of the predicate @i over @s, known by @key, which is @i but where that is a part of a predicate. */
int64_t clauses_add_atom(struct clauses *c, bool neg, const struct clause_string *s, uint32_t key, uint32_t i,
			 int64_t sub);
bool clauses_is_words(const struct program *p, uint16_t event, uint32_t node);
/* Of two formulas over one string the one that will hold less often. */
uint32_t clauses_rarer(struct clauses *c, uint32_t a, uint32_t b);
int64_t formula_add(struct clauses *c, uint8_t op, bool neg, uint32_t uses, uint32_t a, uint32_t b);
int64_t formula_logic(struct clauses *c, uint8_t op, uint32_t a, uint32_t b);
int clauses_terms(struct clauses *c, uint32_t formula);

#endif
