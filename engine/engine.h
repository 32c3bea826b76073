/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENGINE_H
#define TAMIS_ENGINE_H

/*
 * The second stage: an event with its context and a rule program give the rules that fire, and what follows from that. Pure:
 * no I/O, no clock, no source of chance, and no allocation after engine_new(): what rules remember lives in a memory of a
 * fixed size (engine/state.h), whose time is that of the events. What rules share is asked once an event. Not for two
 * threads at a time.
 *
 *	n = engine_eval(e, ev, NULL);
 *	m = engine_matches(e);
 *	for each of the n matches: unless suppressed or silent, an alert; then its acts
 */

#include "lib/program.h"

struct engine;

/* Zeroes are good for tests: the defaults, and always the same UUIDs. */
struct engine_options {
	uint64_t seed[2];    /* of ${builtins.uuid4} */
	uint32_t entries;    /* variables times what they belong to; 0: ENGINE_ENTRIES */
	uint32_t values;     /* values of all of them; 0: ENGINE_VALUES */
	uint32_t text_bytes; /* of all texts; 0: ENGINE_TEXT_BYTES */
	uint32_t limits;     /* tuples of limiter tokens that are remembered; 0: ENGINE_LIMITS */
	/*
	 * The process of a pid that a scope_field names, or NULL where there is none. Without the function it is what has this
	 * pid and no start.
	 */
	const struct proc *(*find_proc)(void *ctx, uint32_t pid);
	/*
	 * Looks a field of CF_FETCH up, and puts what it finds into the event, or its processes, which borrow it until the next
	 * event. Called each time that a rule asks for it: it remembers itself what it has found. May be NULL.
	 */
	void (*fetch)(void *ctx, const struct event *ev, uint32_t field);
	void *ctx;
};

#define ENGINE_ENTRIES	  16384u
#define ENGINE_VALUES	  65536u
#define ENGINE_TEXT_BYTES (4u << 20)
#define ENGINE_LIMITS	  8192u

/*
 * Makes an engine for a program, whose arrays have to stay. Patterns and regular expressions are compiled here: -EINVAL with
 * the offending one in @err, -ENOMEM. @o may be NULL.
 */
int engine_new_with(const struct program *p, const struct engine_options *o, struct engine **ret, struct err *err);
static inline int engine_new(const struct program *p, struct engine **ret, struct err *err)
{
	return engine_new_with(p, NULL, ret, err);
}
void engine_free(struct engine *e);
DEFINE_CLEANUP(struct engine *, engine_free);

/* An action that is to be done, or for a variable: was done. Those whose filter did not hold are not there. */
struct engine_act {
	uint32_t action;    /* index into the program's actions */
	bool done;	    /* SET: there was something to set it on */
	struct val message; /* LOG: the text; borrowed until the next evaluation */
};

/* A rule that holds on the event. */
struct engine_match {
	uint32_t rule;
	bool suppressed;    /* the last alert of the same limiter tokens is less than the rule's "every" ago */
	bool silent;	    /* the rule makes no alerts */
	bool watch;	    /* it stands for the policy's watches (PRULE_WATCH); silent, too */
	uint32_t held_back; /* of one that is not suppressed: how many were since the last that was not */
	const struct engine_act *acts; /* borrowed until the next evaluation */
	uint32_t nacts;
};

/*
 * The rules that hold on @ev, reported or not: *ret_rules (unless NULL) are their indexes in the program, ascending, borrowed
 * until the next call. Looks only at rules of the event's type and at clauses whose bit is set in ev->alive. Returns how many.
 * Variables are set in the order of the rules: a later one sees what an earlier one has set.
 */
size_t engine_eval(struct engine *e, const struct event *ev, const uint32_t **ret_rules);
/* The same rules with what follows from each; borrowed until the next evaluation. */
const struct engine_match *engine_matches(const struct engine *e);

/* One BOOL node on one event, whatever ev->alive says. -EINVAL where it is none, or needs fields of another event type. */
int engine_eval_node(struct engine *e, uint32_t node, const struct event *ev, bool *ret);

/* ---- what rules remember ------------------------------------------------------------------------------------------- */

struct engine_var {
	uint8_t type; /* enum node_type */
	bool set;     /* else v is its default */
	bool has_default;
	bool private;
	struct val v; /* of its type; borrowed until the next call of any of these functions */
};

/*
 * What the variable "name", "process.name", "container.name" or "cgroup.name" holds where @ev happens. -ENOENT where the
 * program has none of that name. Without a process, or outside of a container, it holds its default.
 */
int engine_var_get(struct engine *e, const char *name, size_t len, const struct event *ev, struct engine_var *ret);
/* The same by number; @ev may be NULL for a global one. */
void engine_var_at(struct engine *e, uint32_t var, const struct event *ev, struct engine_var *ret);

/* The process, all of its images, is gone, and so is what was remembered of it. */
void engine_forget_proc(struct engine *e, uint32_t pid, uint64_t start);
/* Whether anything is remembered of it. */
bool engine_knows_proc(const struct engine *e, uint32_t pid, uint64_t start);
/* Takes over from the engine of an earlier policy: values of variables of the same name, scope and type. */
void engine_carry(struct engine *e, const struct engine *from);
/*
 * Bits 1 << (flag - 1) of the variables with a flag in the sieve (struct pvar) that are set for something, and behind
 * an earlier policy of the one with VAR_NAMES: what that one has let through of names goes for this one, too.
 */
uint64_t engine_flags(const struct engine *e);
/* Whether rules set variables from here on; they do where nobody says otherwise. */
void engine_sets(struct engine *e, bool sets);

struct engine_stats {
	uint64_t entries, values, text_bytes; /* now */
	uint64_t evicted;		      /* variables of a process, container or cgroup that gave way to others */
	uint64_t dropped;		      /* values that found no room at all */
	uint64_t cut;			      /* texts that were too long and were cut */
	uint64_t suppressed;		      /* matches within "every" of the last alert */
	uint64_t silent;		      /* matches of silent rules */
	uint64_t limits_evicted; /* tuples that were forgotten early: they may alert more often than "every" */
};

void engine_stats(const struct engine *e, struct engine_stats *ret);
/* Matches of the rule that made no alert because of its "every". */
uint64_t engine_suppressed(const struct engine *e, uint32_t rule);

#endif
