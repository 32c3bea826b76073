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

#define PERF_MAXACTIVE 4096 /* the kernel's limit */

struct bpf_program;

/* One program on one target. All zero: nothing. */
struct perf_hook {
	struct bpf_link *link; /* owned */
	char event[64];	       /* our event in tracefs, or "" */
};

/* Opens what the others need; removes events that a sensor which was killed has left in tracefs. Never fails. */
void perf_open(void);
void perf_close(void);

/* A kprobe or (@ret) kretprobe of the function @symbol, with @prog on it. */
int perf_kprobe(struct bpf_program *prog, const char *symbol, bool ret, struct perf_hook *h, struct err *e);

/* The tracepoint "category/name". */
int perf_tracepoint(struct bpf_program *prog, const char *tracepoint, struct perf_hook *h, struct err *e);

void perf_detach(struct perf_hook *h);

/* Calls that the kernel has missed; false where it does not tell. */
bool perf_missed(const struct perf_hook *h, uint64_t *ret);

/* Descriptors of such events without a program, for trying; negative errno. */
int perf_try_kprobe(const char *symbol, bool ret);
int perf_try_tracepoint(const char *tracepoint);

#endif
