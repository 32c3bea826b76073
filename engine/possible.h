/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENGINE_POSSIBLE_H
#define TAMIS_ENGINE_POSSIBLE_H

/*
 * Which rules can still hold on what a process does, whatever it does: their conditions with three values, where only what is
 * said of the process itself, and cannot change before its next exec, is known. What is not known may be either way, so
 * a rule that is ruled out here holds on no event of this process.
 *
 * Known are the program, its interpreter, arguments, environment, name, terminal and cgroup. Not known are credentials, names of
 * users, ids of processes, times, variables, what is looked up when asked, and the second process of an event.
 */

#include "engine/engine.h"
#include "tamis/sieve.h"

struct possible;

/* What rules ask of processes is worked out once. @e is borrowed. -ENOMEM. */
int possible_new(struct engine *e, struct possible **ret);
void possible_free(struct possible *p);
DEFINE_CLEANUP(struct possible *, possible_free);

/* A process, and what of it and of those above it is known. */
struct possible_view {
	const struct proc *proc; /* with parents */
	bool own;		 /* its values */
	bool cgroup;		 /* of those, its cgroup and container alone */
	bool parent;		 /* those of its parent */
	bool ancestors;		 /* those of all above it, down to the first process */
	bool same_cgroup;	 /* that its cgroup is that of its parent, whichever it is */
	bool bare;		 /* that it is in no container */
};

/*
 * The clauses that can be true of opens of a file whose hashes are those of @ev, an open, whoever opens it, by whatever path and
 * how; and those that ask for hashes at all, of which alone that rules out any.
 */
void possible_of_file(struct possible *p, const struct event *ev, struct sv_mask *ret);
void possible_asks_file(const struct possible *p, struct sv_mask *ret);

/*
 * The clauses that can be true of events of each type that the process of @own tells, and of execs that make it what @exec says; all
 * ones where rules ask nothing of the process.
 */
void possible_masks(struct possible *p, const struct possible_view *own, const struct possible_view *exec,
		    struct sv_mask ret[EV_TYPES]);

#endif
