/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_LOOKS_H
#define TAMIS_ENRICH_LOOKS_H

/*
 * Looking things up in /proc for the process table: how often that may be done, and what it said. What it said can be
 * written down (a capture), and be told again in its stead (a replay), so that the table comes to be the same. A part of
 * the process table.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "sensor/enrich/procfs.h"

/* Takes down one answer. */
typedef void (*looks_fn)(void *ctx, const void *bytes, size_t len);

struct looks {
	struct procfs *proc; /* owned; NULL: only what was told */
	bool seeding;	     /* still as root */
	uint64_t tokens, tokens_ns, over_budget;
	looks_fn watch; /* NULL: nobody takes anything down */
	void *watch_ctx;
	struct buf told; /* owned: answers that are to come, each behind its length */
	size_t told_at;
	struct buf scratch;
};

int looks_init(struct looks *l, const char *proc_path);
void looks_done(struct looks *l);
void looks_watch(struct looks *l, looks_fn fn, void *ctx);
/* An answer for the next record. -EBADMSG, -EFBIG, -ENOMEM. */
int looks_tell(struct looks *l, const void *bytes, size_t len);
/* The record is done with: answers to what was not asked are dropped. */
void looks_forget(struct looks *l);

/* CLOCK_BOOTTIME */
uint64_t looks_boot_ns(void);
/* Whether one more thing may be looked up: it costs tens of microseconds, and who floods us would like us to do many. */
bool looks_may(struct looks *l);

/* The like of procfs_read and its kin. *ret_known_ns: the boot time of the look. */
bool looks_read(struct looks *l, uint32_t pid, int64_t clock, struct decoded *ret, bool *ret_kthread,
		uint64_t *ret_known_ns);
bool looks_args(struct looks *l, uint32_t pid, struct decode_args *ret);
/* Where records do not tell containers: hosts with hierarchies beside the unified one. */
bool looks_cgroup(struct looks *l, uint32_t pid, const char **ret, size_t *ret_len, unsigned *ret_version);
/* Whether it is gone; in a replay never. */
bool looks_gone(struct looks *l, uint32_t pid);
/* In a replay: the next process that was found to be gone. */
bool looks_told_gone(struct looks *l, uint32_t *ret_pid);

#endif
