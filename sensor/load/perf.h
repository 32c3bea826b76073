/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Perf events that kprobe and tracepoint programs hang on.
 *
 * The return of a function is probed through an event of our own in tracefs where that can be had, because only there
 * the number of calls that may be under way at the same time (maxactive) can be chosen: the default is some ten, which
 * ten processes that wait in open() of a FIFO use up. Calls beyond it are missed by the kernel, and counted.
 */
#ifndef TAMIS_LOAD_PERF_H
#define TAMIS_LOAD_PERF_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

/* Each takes some hundred bytes of the kernel's memory. */
#define PERF_RETURNS_MAX 4096 /* the kernel's limit: for what may wait long */
#define PERF_RETURNS	 1024

/* One program on one target. All zero: nothing. Descriptors are owned. */
struct perf_hook {
	bool attached;
	int link;	/* -1: the program hangs on perf itself, as before Linux 5.15 (b89fbfbb854c) */
	int perf;	/* event; -1: on something else */
	char event[64]; /* our event in tracefs, or "" */
};

/* Opens what the others need; removes events that a sensor which was killed has left in tracefs. Never fails. */
void perf_open(void);
void perf_close(void);

/* A kprobe of the function @symbol, or, with room for @returns calls, a kretprobe; with program @prog on it. */
int perf_kprobe(int prog, const char *symbol, unsigned int returns, struct perf_hook *h, struct err *e);

/* The tracepoint "category/name". */
int perf_tracepoint(int prog, const char *tracepoint, struct perf_hook *h, struct err *e);

void perf_detach(struct perf_hook *h);

/* Calls that the kernel has missed; false where it does not tell. */
bool perf_missed(const struct perf_hook *h, uint64_t *ret);

/*
 * Whether such events can be opened when CAP_SYS_ADMIN is gone, as it is for the monitor once it has started. Debian's
 * kernels want it while kernel.perf_event_paranoid is 3.
 */
bool perf_later(void);

/* Descriptors of such events without a program, for trying; negative errno. */
int perf_try_kprobe(const char *symbol, bool ret);
int perf_try_tracepoint(const char *tracepoint);

/* Whether there is a tracepoint "category/name"; where that cannot be known, true. */
bool perf_has_tracepoint(const char *tracepoint);

#endif
