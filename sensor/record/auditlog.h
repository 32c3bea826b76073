/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_RECORD_AUDITLOG_H
#define TAMIS_SENSOR_RECORD_AUDITLOG_H

/*
 * The signed, append-only log: the writer's side. docs/log-format.md is the format; verify.h and prove.h read it.
 * (The name is not log.h, because lib/log.h is what a program says on stderr.)
 *
 * Appended records wait in memory until auditlog_tick() or auditlog_flush() closes the batch:
 *
 *	write and sync the records, sign a checkpoint over the segment's tree, write and sync that, replace HEAD
 *
 * A segment is signed by one key. The last `epoch` record in it names the next segment's, after which the private key is
 * destroyed (epoch.h). An epoch that cannot be ended goes on, is tried again, and auditlog_epoch_error says why.
 *
 * If a step fails (disk full, I/O error) the step is taken back, the error is returned, and everything is kept in
 * memory and tried again by the next tick. No record is lost or doubled by that, until pending_max bytes wait: then
 * auditlog_append refuses, and counting what it refused (a `loss` record, later) is the caller's part.
 *
 * One writer at a time (a lock in the directory). Not thread-safe. Appending never touches the disk unless
 * pending_max is reached.
 */

#include <stdbool.h>

#include "lib/err.h"
#include "sensor/record/recio.h"

#define AUDITLOG_START	   "start"     /* the first record of a run */
#define AUDITLOG_STOP	   "stop"      /* the last record of a run that ended well */
#define AUDITLOG_LOSS	   "loss"      /* events or alerts that are not in the log */
#define AUDITLOG_GAP	   "gap"       /* a time that the log knows nothing of */
#define AUDITLOG_POLICY	   "policy"    /* another policy is in force */
#define AUDITLOG_CAPTURE   "capture"   /* events are, or were, handed out: arguments of processes among them */
#define AUDITLOG_ACTION	   "action"    /* what a rule had done, and what came of it */
#define AUDITLOG_CANARY	   "canary"    /* a known event did not arrive */
#define AUDITLOG_HEARTBEAT "heartbeat" /* what was seen since the one before, also when that is nothing */
/* "alert" comes by auditlog_append; "segment", "epoch", "prune" and "recovery" are the log's own */

struct auditlog;
struct epoch_seal;

struct auditlog_options {
	uint64_t segment_bytes; /* an epoch, and its segment, ends after the batch that passes this; 0: 64 MiB */
	uint64_t epoch_s;	/* or when it is this old, whether or not anything was logged; 0: a day */
	unsigned int
		batch_ms; /* a batch closes this long after its first record was seen; 0: 200; sooner after a while without */
	unsigned int batch_max; /* or as soon as it has this many records; 0: 8192 */
	uint64_t keep_bytes;	/* the oldest segments go (prune.h) while all are larger than this; 0: they stay */
	uint64_t keep_s;	/* or when they are older than this; 0: they stay */
	/*
	 * What has not been read by whom it is for: the first segment that pruning should leave (0: all, UINT64_MAX: none). It
	 * does so until the log is hold_bytes larger than keep_bytes. @held is called when pruning begins to wait, and with
	 * @lost before segments go all the same. NULL: nobody reads.
	 */
	uint64_t (*hold)(void *ctx);
	void (*held)(void *ctx, uint64_t segment, bool lost);
	void *hold_ctx;
	uint64_t hold_bytes;
	uint64_t pending_max;	   /* bytes that may wait in memory; 0: 32 MiB */
	const char *host;	   /* NULL: the host's name; part of every record and checkpoint */
	const char *start_details; /* canonical JSON object for the start record; NULL: {} */
	int dir_fd;		   /* > 0: `dir` is open already, as this (borrowed); the name is for messages only */
	const struct recio *io;	   /* NULL: the system's */
	const struct epoch_seal *seal; /* what keeps its keys (epoch.h); NULL: their files alone */
};

/*
 * Opens or creates the log in `dir` (STATE/log) with the key pair log.key.pem and log.pub.pem in `keys_dir`
 * (STATE/keys), which is made when neither is there. Both directories are made (0700) where missing; their parent must
 * exist. o may be NULL.
 *
 * What an earlier run left is brought in order and told in records: a torn last line is cut off (`recovery`), records
 * behind the last checkpoint are kept and signed, an unclean end or a segment that no longer fits its checkpoint is a
 * `gap`. Then `start` is appended and all of it is on disk when this returns 0.
 *
 * -EBUSY: another writer. -EBADMSG: a key file is no key. -EEXIST: half of the first key pair is missing.
 * Others come from the file system. *e always has the text.
 */
int auditlog_open(const char *dir, const char *keys_dir, const struct auditlog_options *o, struct auditlog **ret,
		  struct err *e);

/* Appends `stop`, flushes, and frees in any case. NULL is fine. Returns the flush's error. */
int auditlog_close(struct auditlog *log, struct err *e);
/* Frees without a word, as a crash would. NULL is fine. */
void auditlog_free(struct auditlog *log);

/*
 * An alert's canonical JSON, in two pieces around the place of its "seq", which the log fills in:
 *
 *	before:	{"event":{...},"host":"...","kind":"alert","open":{...},"process":{...},"rule":{...},
 *	after:	"time":"2026-11-20T12:00:00.123456789Z","v":1}
 *
 * before ends with a comma (or is "{"), after begins with a key; together with "seq":N, between them they are one
 * line of canonical JSON with sorted keys. The bytes are borrowed for the call only.
 */
struct auditlog_alert {
	const char *before;
	size_t before_len;
	const char *after;
	size_t after_len;
};

/*
 * Appends an alert; *ret_seq (may be NULL) is its number, counted from 1 over the log's life.
 * -EINVAL for pieces that cannot be a record (a newline in them, no braces, longer than LINE_MAX_BYTES).
 * Where pending_max is reached, the batch is closed here; if that fails the record is refused with its error.
 */
int auditlog_append(struct auditlog *log, const struct auditlog_alert *a, uint64_t *ret_seq, struct err *e);

/*
 * Appends a record of another kind, with the details (canonical JSON, usually an object) under the kind's name:
 * {"host":"web-1","kind":"loss","loss":{"events":12},"seq":18,"time":"...","v":1}. The time is now. details NULL: {}.
 */
int auditlog_note(struct auditlog *log, const char *kind, const char *details, uint64_t *ret_seq, struct err *e);

/*
 * Closes the batch if its time or count has come. now_ns is CLOCK_MONOTONIC. 0 when nothing is due or all went well;
 * after an error it tries again batch_ms later.
 */
int auditlog_tick(struct auditlog *log, uint64_t now_ns, struct err *e);
/* When auditlog_tick has something to do, on the same clock: the end of the batch or, where none waits, of the epoch. */
uint64_t auditlog_due(const struct auditlog *log);
/*
 * Closes the batch now. After 0 every record so far is on disk and signed, the records by which an epoch ends apart:
 * where they cannot be written, auditlog_epoch_error says why.
 */
int auditlog_flush(struct auditlog *log, struct err *e);

/* The number that was given last, and how many records wait in memory. */
uint64_t auditlog_seq(const struct auditlog *log);
size_t auditlog_pending(const struct auditlog *log);
/* The number of the last record that is on disk and signed. */
uint64_t auditlog_signed(const struct auditlog *log);
/* The number of the last record that was there before auditlog_open; 0: none. Tells a restarted writer how far the one
 * before came. */
uint64_t auditlog_found(const struct auditlog *log);
/* Why the present epoch could not be ended when it was due; NULL: all is well. Borrowed, until the next tick. */
const char *auditlog_epoch_error(const struct auditlog *log);
/* The like as negative errno, for counters; 0: all is well. */
int auditlog_epoch_errno(const struct auditlog *log);
int auditlog_prune_errno(const struct auditlog *log);
/* Why old segments could not be pruned when they were due; NULL: all is well. Borrowed, until the next tick. */
const char *auditlog_prune_error(const struct auditlog *log);
/* Borrowed, as in the records: for the caller that renders "host" into an alert. */
const char *auditlog_host(const struct auditlog *log);

#endif
