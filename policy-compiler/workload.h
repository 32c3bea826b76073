/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_WORKLOAD_H
#define TAMIS_WORKLOAD_H

/*
 * What a recorded workload (a capture: docs/capture.md) has for strings, so that an automaton that does not fit gives way where
 * that costs least of what really happens. It changes how precise a sieve is, never what it must let through.
 */

#include "lib/catalog.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "policy-compiler/nfa.h"

/* Distinct strings that are kept for each automaton; of those that come later only how many there were. */
#define WORKLOAD_STRINGS_MAX 65536

struct workload;

/*
 * Reads the capture @path. @c is borrowed. -ENOENT and the like with the reason in @e; -EBADMSG: no capture, or damaged;
 * -EPROTONOSUPPORT: of another version. Records that are no good are passed over and counted.
 */
int workload_read(const struct catalog *c, const char *path, struct workload **ret, struct err *e);
/* The same of a capture in memory (borrowed). */
int workload_read_mem(const struct catalog *c, const void *p, size_t size, struct workload **ret, struct err *e);
void workload_free(struct workload *w);
DEFINE_CLEANUP(struct workload *, workload_free);

/* What automaton @k of @event would have been run over, the most frequent first. Borrowed; n may be 0. @w may be NULL. */
struct nfa_samples workload_samples(const struct workload *w, uint16_t event, unsigned k);

struct workload_counts {
	uint64_t records, bad; /* read; passed over */
	uint64_t left;	       /* strings for which there was no room */
	uint32_t strings;      /* distinct ones */
	bool all;	       /* the capture has every event, not only what some policy asked for */
};
struct workload_counts workload_counts(const struct workload *w);

#endif
