/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine process: rings -> queue -> decode -> enrich -> evaluate -> alerts to record. It reads what the whole machine
 * writes, so it is trusted with nothing: no capability, no user, no file to write, no signing key.
 *
 * It never waits while the ring fills: what cannot be evaluated yet goes to a bounded queue in memory; only when that is
 * full does the ring fill, and then the kernel counts what is lost.
 */
#ifndef TAMIS_PRIV_ENGINE_PROC_H
#define TAMIS_PRIV_ENGINE_PROC_H

#include <stdint.h>

#include "sensor/priv/confine.h"
#include "sensor/priv/counts.h"
#include "sensor/priv/msg.h"

struct permit;
struct runtime_sources;

struct engine_args {
	struct chan monitor, record; /* taken over */
	struct engine_page *page;    /* the process is its one writer */
	int ring_fd, lineage_fd;     /* the rings' maps; taken over */
	int masks_fd;		     /* the map of processes' masks; taken over */
	int learned_fd;		     /* the map of what is learned of files; taken over */
	int program_fd;		     /* sealed memfd of the policy in force; taken over */
	int kin_fd;		     /* the same: see kin.h */
	uint32_t generation;	     /* of that policy */
	const char *bundle;	     /* its SHA-256 */
	uint32_t queue_bytes;	     /* 0: the default */
	const char *hostname;
	const struct runtime_sources *runtimes;
	const struct permit *permit; /* what rules may have done */
	uint64_t capture_bytes;	     /* of one capture that a rule asks for */
	enum confine_mode mode;
};

/* The whole life of the process; returns its exit status. */
int engine_main(struct engine_args *a);

#endif
