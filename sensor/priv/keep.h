/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_PRIV_KEEP_H
#define TAMIS_PRIV_KEEP_H

/*
 * Captures that rules have asked for, as the record process keeps them: bytes come from the engine process (snap.h), go to a
 * file (sensor/record/capdir.h), and what came of it is a record of the log. Of the engine it is believed what is in the file, and
 * nothing else: names, sizes and numbers of files are bounded here.
 */

#include "lib/buf.h"
#include "sensor/priv/counts.h"
#include "sensor/priv/msg.h"
#include "sensor/record/capdir.h"

struct keep {
	struct capdir dir;
	struct record_counts *counts; /* borrowed */
	/* Appends a record of the kind AUDITLOG_CAPTURE. */
	void (*note)(void *ctx, const char *details);
	void *ctx;
	bool on;
	struct caprate rate;
	struct msg_snap begin;
	char rule[MSG_SNAP_NAME_MAX + 1], policy[MSG_SNAP_NAME_MAX + 1]; /* of the one that is written */
};

/* @dir_fd is borrowed; -1, or @bytes 0: none is kept. */
void keep_init(struct keep *k, int dir_fd, uint64_t bytes, struct record_counts *counts,
	       void (*note)(void *ctx, const char *details), void *ctx);
/* What a record process before us left half made becomes a file that is cut off. */
void keep_recover(struct keep *k);
/* MSG_SNAP, MSG_CAPTURE_DATA, MSG_SNAP_END. -EPROTO. @may: the log itself can be written. */
int keep_begin(struct keep *k, const struct msg *m, uint64_t now_ns, bool may);
int keep_data(struct keep *k, const struct msg *m);
int keep_end(struct keep *k, const struct msg *m);
/* Nothing more comes of what is written: it ends there, or (@drop) goes. */
void keep_cut(struct keep *k, const char *why, bool drop);

#endif
