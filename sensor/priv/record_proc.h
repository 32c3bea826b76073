/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record process: alerts and notes come in, a signed log goes out, and then what is on disk goes to --alerts.
 * It holds the signing key. It knows nothing of events and parses nothing but the framing of its messages.
 */
#ifndef TAMIS_PRIV_RECORD_PROC_H
#define TAMIS_PRIV_RECORD_PROC_H

#include "sensor/priv/confine.h"
#include "sensor/priv/counts.h"
#include "sensor/priv/msg.h"
#include "sensor/spool/news.h"
#include "sensor/spool/page.h"

struct record_args {
	struct chan monitor, engine;	/* taken over */
	struct record_page *page;	/* the process is its one writer */
	int log_fd, keys_fd;		/* the directories; the process's user owns them */
	int captures_fd;		/* the directory of captures, the user's too; -1: rules may make none */
	uint64_t captures_keep;		/* bytes of all of them */
	const char *state;		/* what to call their parent in messages */
	int alerts_fd;			/* -1: no --alerts */
	const char *start_details;	/* canonical JSON for the log's `start` record */
	uint32_t log_epoch;		/* seconds; 0: only the size ends an epoch */
	uint64_t log_keep;		/* bytes; 0: nothing is pruned for its size */
	uint32_t log_keep_age;		/* seconds; 0: nothing is pruned for its age */
	uint64_t log_hold;		/* bytes beyond log_keep that pruning waits for sinks */
	const struct spool_page *spool; /* where the sinks are; NULL: there are none */
	struct news *news;		/* what they wait on; the process is its one writer */
	int seal_fd;			/* the sealer's (sealer.h); -1: keys are not sealed */
	enum confine_mode mode;
};

/* The whole life of the process; returns its exit status. */
int record_main(struct record_args *a);

#endif
