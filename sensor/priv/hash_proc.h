/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash process: looks at files that others name. It may read any file and write none: the baseline's database and the
 * key that signs it are opened before it gives up root, and from then on nothing is opened but for reading.
 *
 * It is told of events by the engine process (MSG_TOUCHES), compares with the baseline and answers with alerts
 * (MSG_FINDING), which it keeps until the engine says that it has them. And it answers what the SHA-256 of a file is
 * (MSG_HASH). Without a baseline it waits for one, and ends with HASH_AGAIN when there is one, to be started anew.
 */
#ifndef TAMIS_PRIV_HASH_PROC_H
#define TAMIS_PRIV_HASH_PROC_H

#include "sensor/fim/live.h"
#include "sensor/priv/confine.h"
#include "sensor/priv/counts.h"
#include "sensor/priv/msg.h"

#define HASH_AGAIN 75 /* exit status: start me anew, nothing is wrong */

/* Shared with the monitor, which only reads; one writer. Each number by itself. */
struct hash_page {
	uint64_t commits;
	uint64_t baseline; /* files in it; 0: there is none */
	uint64_t waiting;  /* findings that the engine does not have yet */
	uint64_t hashes;   /* asked for and answered */
	uint64_t scans;	   /* of all files that have ended */
	uint64_t scanning; /* one runs */
	struct live_stats live;
};

struct hash_args {
	struct chan monitor; /* taken over */
	struct hash_page *page;
	const char *state;
	const void *watches; /* of the policy in force: a bundle's section; NULL: it has none */
	size_t watches_size;
	const char *hostname;
	enum confine_mode mode;
};

/* The whole life of the process; returns its exit status. */
int hash_main(struct hash_args *a);

#endif
