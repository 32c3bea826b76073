/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hook ladder as data: which programs serve which event on which rung. An event takes a rung when, of each group of
 * its rows, one can be hooked here. Which rung that is, is found out in ladder.c.
 */
#ifndef TAMIS_LOAD_HOOKS_H
#define TAMIS_LOAD_HOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tamis/event.h"

#define HOOK_ROWS_MAX 512
#define HOOK_GROUPS   16

/* How a program is hung on its target. */
enum hook_kind {
	HOOK_FENTRY,	/* fentry and fexit: a kernel function, by BTF */
	HOOK_KPROBE,	/* entry of a kernel function, by symbol */
	HOOK_KRETPROBE, /* its return */
	HOOK_TP_BTF,	/* tracepoint, by BTF */
	HOOK_TP,	/* classic tracepoint, "category/name" */
	HOOK_SYS_BTF,	/* called by the dispatcher at sys_exit: BTF tracepoint */
	HOOK_SYS_TP,	/* the same at the classic one */
	HOOK_ITER,	/* hung on nothing: runs over all processes when it is asked to (load_tasks) */
	HOOK_CGROUP,	/* the packets and calls of every socket, at the root of the cgroups */
	HOOK_FMOD_RET, /* changes what a function of the security modules returns: refuses, and tells what it refused */
	HOOK_KINDS
};

struct hook_row {
	uint16_t event;	     /* enum ev_type */
	uint8_t rung;	     /* enum ev_rung */
	uint8_t group;	     /* rows of one group are alternatives: the first that works is taken */
	uint8_t kind;	     /* enum hook_kind */
	const char *program; /* in the BPF object; may serve several targets, of which one is taken */
	const char *target;
	bool optional;	    /* the group may be missing */
	const char *unless; /* a struct: kernels that have it need no such program; or NULL */
	/*
	 * The target may be one that the compiler has cloned (name.isra.0, name.constprop.0): for programs that read no
	 * argument, since a clone's arguments are others. All clones are hooked.
	 */
	bool clones;
	bool shared; /* rows of other events may have the same program, which is attached once */
	bool deny; /* serves no rung: it refuses operations, where the operator allows that and the policy wants some refused */
};

extern const struct hook_row hook_rows[];
extern const size_t hook_nrows;

/* The minimum: events without which there is no sensor. Ends with EV_NONE. */
extern const uint16_t hook_minimum[];

/* exec, fork, exit: always hooked, whatever the policy wants, since the process table lives on them. */
bool hook_lineage(uint16_t event);

/* "open"; static. */
const char *hook_event_name(uint16_t event);

/* Whether the kernel may skip a run of it when it preempts another one (docs/decisions/0013). */
bool hook_skippable(uint8_t kind);

/* Is @symbol the function @target, or a clone of it where @r allows those? */
bool hook_symbol_is(const struct hook_row *r, const char *symbol);

/* What the event cannot see on that rung, for the operator; "" for nothing. Static. */
const char *hook_misses(uint16_t event, uint8_t rung);

#endif
