/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rung each event takes on this kernel. What works is found out by trying, once; the choice itself is arithmetic
 * over hook_rows and what was found out, and can be made again when a program turns out not to load or attach: that costs
 * one rung of one event.
 *
 * On kernels that preempt, the kernel skips runs of some kinds of program (hook_skippable); there the rungs that lose
 * nothing come first.
 */
#ifndef TAMIS_LOAD_LADDER_H
#define TAMIS_LOAD_LADDER_H

#include "sensor/load/hooks.h"

#include "lib/err.h"

struct btf;

#define LADDER_WHY     200
#define LADDER_SYMBOLS 4 /* clones of one function */

struct ladder {
	/* what was found out */
	int cgroup; /* owned by whoever probes: the root of the cgroups, or a negative errno */
	enum ev_rung forced;
	bool deny; /* the operator lets some policy refuse operations */
	bool works[HOOK_KINDS];
	char why_not[HOOK_KINDS][LADDER_WHY / 2];
	bool preempts;
	char preempts_how[100];
	char symbol[HOOK_ROWS_MAX][LADDER_SYMBOLS][64]; /* what a row sits on; "" where the kernel has no such target */
	bool broken[HOOK_ROWS_MAX];			/* its program did not load or attach */
	char broken_why[HOOK_ROWS_MAX][LADDER_WHY / 2];
	bool perf_later;   /* perf events can be opened after the start, too */
	bool can_reattach; /* a tracing program can be attached again after it was detached (5.13: f3a95075549e) */

	/* what was chosen */
	enum ev_rung rung[EV_TYPES];	/* EV_RUNG_NONE: not to be seen here */
	char why[EV_TYPES][LADDER_WHY]; /* why no better rung */
	bool used[HOOK_ROWS_MAX];
	char deny_why[LADDER_WHY]; /* why not all that could be refused can be, here; "" */
};

/* Tries every kind of hook on this kernel. @kernel_btf is NULL where the kernel has no type information of its own. */
void ladder_probe(struct ladder *l, const struct btf *kernel_btf);

/*
 * Chooses a rung for every event. -ENOTSUP where an event of the minimum has none, or where the rung that was asked for
 * is not to be had; @err names them.
 */
int ladder_choose(struct ladder *l, struct err *err);

/* The rows of @program are out, for @why. */
void ladder_break(struct ladder *l, const char *program, const char *why);

#endif
