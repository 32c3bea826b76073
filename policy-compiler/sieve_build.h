/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SIEVE_BUILD_H
#define TAMIS_SIEVE_BUILD_H

/*
 * From the rules of a program to the sieve's tables, and to the clauses that tell the engine which rules to look at. What
 * does not fit into the tables is weakened until it does: the sieve then lets more through, never less. The report says
 * where and why. Same program (and workload), same bytes.
 */

#include "lib/program.h"
#include "policy-compiler/clauses.h"
#include "policy-compiler/workload.h"
#include "tamis/sieve.h"

struct report_automaton {
	uint32_t patterns;
	uint32_t states, classes; /* 0: no automaton */
	uint32_t weakened;	  /* patterns that match more than they should */
	int32_t stars;		  /* that a pattern keeps at most, beside one at its end; -1: all */
	bool cut;		  /* patterns lost their ends */
};

struct report_event {
	uint16_t event;
	uint32_t rules, clauses;
	uint32_t bits; /* fewer than clauses: some share one */
	uint32_t preds,
		preds_left; /* number predicates in the kernel; those without room there, which no clause asks for */
	uint32_t open;	    /* rules with a clause that asks nothing of the kernel: every event passes */
	struct report_automaton automata[SV_AUTOMATA];
};

struct report_clause {
	char *text; /* owned; what the kernel asks for, "" for nothing */
	uint16_t bit;
	uint32_t shared; /* clauses of other rules that have the bit too */
};

struct report_pred {
	char *text;	   /* owned */
	uint8_t why;	   /* enum clause_why */
	const char *field; /* the first one that it looks at (of the catalog), or NULL */
	bool weakened;	   /* the kernel has less than the whole pattern */
};

struct report_rule {
	char *id; /* owned */
	uint16_t event;
	const char *why_never;	       /* borrowed; it cannot fire with this sensor; set by who knows, or NULL */
	bool weak;		       /* had more clauses than CLAUSES_A_RULE; some were joined */
	uint8_t deny;		       /* enum deny_why */
	char *deny_text;	       /* owned; the predicate that it is about, or NULL */
	uint32_t ndenied;	       /* clauses on which the kernel refuses */
	struct report_clause *clauses; /* owned; none: the rule can never fire */
	uint32_t nclauses;
	struct report_pred *preds; /* owned */
	uint32_t npreds;
};

struct sieve_report {
	struct report_event events[EV_TYPES]; /* rules 0: none of that type */
	struct report_rule *rules;	      /* owned; as in the program */
	uint32_t nrules;
	uint32_t states, trans, masks; /* in use */
	uint32_t masks_left;	       /* masks for which there was no room: a larger one was used */
};

/*
 * Fills @out (of the caller, whose content before does not matter) from all rules of @b and sets their clauses. What has to give
 * way does so where that costs least of @workload, which may be NULL.
 * @ret_report may be NULL; sieve_report_done() frees what is in it. Negative errno with a reason in @e.
 */
int sieve_build(struct program_builder *b, const struct workload *workload, struct sieve_report *ret_report,
		struct sieve *out, struct err *e);
void sieve_report_done(struct sieve_report *r);

#endif
