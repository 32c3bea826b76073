/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENGINE_IMPL_H
#define TAMIS_ENGINE_IMPL_H

/*
 * The inside of an engine: engine.c makes it and asks rules, eval.c evaluates nodes, act.c does what follows from a match and
 * answers for variables, possible.c asks what is left of rules for a process. Only they include this.
 */

#include <string.h>

#include "engine/engine.h"
#include "engine/limit.h"
#include "engine/plan.h"
#include "engine/state.h"
#include "lib/glob.h"
#include "tamis/sieve.h"

#define TEXT_ROOM     (256u << 10) /* bytes of texts that one predicate, value or message puts together */
#define MESSAGES_ROOM (64u << 10)
#define GLOB_COMPS    2048

/* What engine_new() works out about a node. */
enum node_flag {
	NF_ELEM = 1 << 0,     /* uses the element of an N_ANY around it */
	NF_CURRENT = 1 << 1,  /* uses the position of an N_EXISTS around it */
	NF_MEMO = 1 << 2,     /* the same for the whole event, and worth remembering */
	NF_NESTED = 1 << 3,   /* a field of all ancestors that has several values in each */
	NF_ATOM = 1 << 5,     /* asks one column, see plan.h */
	NF_VAR = 1 << 4,      /* can change while an event is looked at: depends on a variable, or on chance */
	NF_CHANCE = 1 << 6,   /* depends on chance */
	NF_UNTIL_SET = 1 << 7 /* depends on variables: worth remembering until one of them is set */
};

/* A node with all that its evaluation needs. */
struct enode {
	uint8_t op;	   /* enum node_op */
	uint8_t type;	   /* enum node_type */
	uint8_t flags;	   /* enum node_flag */
	uint8_t atom_kind; /* enum atom_kind; with NF_ATOM, as the next */
	uint32_t a, b, c;
	union {
		struct {
			uint32_t column, what;
		} atom;
		int64_t imm;
	};
	uint32_t memo; /* 2 * stamp of the event that it was asked for, or with NF_UNTIL_SET var_stamp, + its answer */
	uint32_t pad2;
};
_Static_assert(sizeof(struct enode) == 32, "two a cache line");

/* A candidate that came up, with the number of a part that was found to hold, or ATOM_NONE. */
struct brought {
	uint32_t candidate, atom;
};

/* A text that is put together, or several one behind the other. What does not fit is cut. */
struct text_room {
	char *s;
	uint32_t len, max;
};

struct engine {
	struct program p; /* arrays borrowed */
	struct terms terms;
	struct columns columns;
	struct plan plan;
	struct enode *nodes;	   /* owned; of each node */
	uint16_t *events;	   /* owned; event type whose fields a node looks at, or EV_NONE */
	uint32_t stamp, var_stamp; /* var_stamp: another one for each event, and after each action */
	struct brought *asked;	   /* owned; room for all candidates */
	uint32_t *
		fired_at; /* owned; of each rule that has several candidates: stamp of the event that it fired for last */
	uint32_t *early;	      /* owned; candidates that hold whatever variables hold; room for every rule */
	uint32_t *late;		      /* owned; candidates that have to wait for their turn; room for all of them */
	uint32_t *fired;	      /* owned; room for every rule, as the next */
	struct engine_match *matches; /* owned */

	/* what rules remember */
	struct engine_options options;
	struct state *state;   /* owned */
	struct limits *limits; /* owned */
	uint64_t *suppressed;  /* owned; of each rule */
	uint64_t nsuppressed, nsilent, ncut;
	bool sets_nothing, carried; /* engine_sets(), engine_carry() */
	const struct cat_field *pid, *container,
		*cgroup; /* what tells scopes apart; NULL: the catalog has no such field */
	uint64_t random[2];
	struct engine_act *acts; /* owned; of the last evaluation; room for every action */
	uint32_t nacts;
	struct val *values; /* owned; room for the values of one variable */

	/* texts that are made while an event is looked at; the pattern that is matched; messages, which stay until the next */
	struct text_room text, messages; /* owned */
	struct glob *glob;		 /* owned */
};

/* The process that process variables belong to. */
struct scope {
	const struct proc *proc; /* NULL: only pid and start are known, no ancestors */
	uint32_t pid;
	uint64_t start;
	bool known; /* else there is none */
};

/* One evaluation: what N_ELEM and N_CURRENT stand for at the moment. */
struct run {
	struct engine *e;
	const struct event *ev;
	struct val elem;
	const struct proc *current; /* ancestor, or NULL */
	uint32_t position;	    /* index into arrays of the event */
	const struct scope *scope;  /* the process that a scope_field names; NULL: the event's own */
};

/* engine.c: what was found out of the event before is forgotten. */
void engine_begin(struct engine *e);

/* eval.c */
bool eval_bool(struct run *x, uint32_t node);
int64_t eval_int(struct run *x, uint32_t node);
/* STR, IP or an array that is neither of all ancestors nor a variable; texts that are made are in e->text. */
struct val eval_value(struct run *x, uint32_t node);
/* One value of any scalar type. */
struct val eval_scalar(struct run *x, uint32_t node);
/* Calls @f for each element of an array node until it says false. */
void eval_each(struct run *x, uint32_t array, bool (*f)(void *ctx, const struct val *v), void *ctx);

/* The same for each value of a field, which may be one; for each value that a variable holds, or its default. */
void eval_field_each(struct run *x, uint32_t field, bool (*f)(void *ctx, const struct val *v), void *ctx);
void eval_var_each(struct run *x, uint32_t var, bool (*f)(void *ctx, const struct val *v), void *ctx);
/* What a variable that is no array holds, or its default. */
struct val eval_var(const struct run *x, uint32_t var);

/* act.c: what the variable holds for the event, itself or by inheritance; false: nothing is set. */
bool var_first(const struct run *x, uint32_t var, struct state_pos *ret);
/* What depends on variables is asked anew. */
void engine_vars_changed(struct engine *e);
/* What follows from rule @rule: sets variables, lists the other actions, fills in @m. */
void act_on_match(struct run *x, uint32_t rule, struct engine_match *m);

static inline void text_put(struct engine *e, struct text_room *t, const char *s, uint32_t len)
{
	uint32_t n = len < t->max - t->len ? len : t->max - t->len;

	if (n)
		memcpy(t->s + t->len, s, n);
	t->len += n;
	e->ncut += n < len;
}

#endif
