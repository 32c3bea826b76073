/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_CAPTURE_H
#define TAMIS_LIB_CAPTURE_H

/*
 * The container of a capture: what a sensor's engine process read, in its order. docs/capture.md has every byte.
 *
 *	file head | block ...		block: 16 bytes of head with a CRC-32, then entries
 *	entry: u32 size, u16 type, u16 zero, payload, zeros up to 8
 *
 * The writer makes blocks in memory and hands them out as bytes; where they go is its caller's business. The reader takes
 * everything for hostile: no entry is handed out of a block whose checksum does not fit, no size is believed. A file that
 * ends early is readable up to its last whole block. It knows what entries are called, not what is in them, but for those
 * with a struct below.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"

#define CAPTURE_MAGIC	  "TAMISCAP"
#define CAPTURE_VERSION	  1
#define CAPTURE_BLOCK_MAX (1u << 20)  /* bytes of a block's entries */
#define CAPTURE_BLOCK_AIM (64u << 10) /* a block that has so many is closed */
#define CAPTURE_ENTRY_MAX (CAPTURE_BLOCK_MAX - 8u)

enum capture_type {
	CAPTURE_META = 1,  /* struct capture_meta; the first entry, and only that */
	CAPTURE_USERS,	   /* names of users or groups, a piece: sensor/enrich */
	CAPTURE_PROCESS,   /* a process of the table at the start: sensor/enrich */
	CAPTURE_RECORD,	   /* a kernel record: include/tamis/event.h */
	CAPTURE_LOOK,	   /* what /proc said about the record that follows: sensor/enrich */
	CAPTURE_TICK,	   /* struct capture_tick */
	CAPTURE_LOSS,	   /* struct capture_loss: here something is missing */
	CAPTURE_END,	   /* struct capture_end; the last entry of a whole capture */
	CAPTURE_LOOKUP,	   /* what was looked up for rules on the record that follows: sensor/priv/fetch */
	CAPTURE_CONTAINER, /* what a runtime said of a container: sensor/enrich */
	CAPTURE_TYPES
};

/* Where and how the capture was made. Texts are printable ASCII. */
struct capture_meta {
	int64_t clock;	  /* ns to add to boot time to get the time since 1970 */
	uint64_t boot_ns; /* boot time of the latest record before the first here */
	uint64_t tick_ns; /* what the start of a process in /proc is rounded to */
	bool all;	  /* the sieve was open: every event, not only what the policy of that time asks for */
	char host[128], release[80], machine[32], version[32];
	char policy[160], policy_sha256[72]; /* what was in force */
};

struct capture_tick {
	int64_t clock;
	uint64_t boot_ns; /* now */
};

enum capture_where {
	CAPTURE_LOST_RING,    /* the kernel's ring was full */
	CAPTURE_LOST_CONTEXT, /* the like; records that only keep the table of processes */
	CAPTURE_LOST_HOOK,    /* the kernel left out a run of a program */
	CAPTURE_LOST_QUEUE,   /* the engine process had no memory for them */
	CAPTURE_LOST_CAPTURE, /* the capture's reader was too slow: the sensor had them */
	CAPTURE_LOST_PLACES
};

struct capture_loss {
	uint32_t where; /* enum capture_where */
	uint64_t count; /* since the CAPTURE_LOSS of that place before */
};

enum capture_why {
	CAPTURE_ASKED,	 /* whoever made it had enough */
	CAPTURE_EVENTS,	 /* as many events as were asked for */
	CAPTURE_BYTES,	 /* as many bytes */
	CAPTURE_STOPPED, /* the sensor stopped */
	CAPTURE_WHYS
};

struct capture_end {
	uint32_t why; /* enum capture_why */
	uint64_t records, events, lost[CAPTURE_LOST_PLACES];
};

const char *capture_where_name(uint32_t where);
const char *capture_why_name(uint32_t why);

/* ---- writing ------------------------------------------------------------------------------------------------------- */

struct capture_writer {
	struct buf text;  /* owned: blocks that were not taken yet; the last may be open */
	size_t off;	  /* of the bytes in text, taken */
	size_t closed;	  /* end of the last closed block in text */
	uint32_t number;  /* of the next block */
	uint64_t written; /* bytes of closed blocks and the head, ever */
};

/* Puts the file's head; @max bytes may wait. */
int capture_writer_init(struct capture_writer *w, size_t max, uint32_t fingerprint);
void capture_writer_done(struct capture_writer *w);

/* An entry of two pieces. Nothing is put on an error: -EFBIG (beyond the bounds), -ENOMEM. */
int capture_put(struct capture_writer *w, uint16_t type, const void *a, size_t alen, const void *b, size_t blen);
int capture_put_meta(struct capture_writer *w, const struct capture_meta *m);
int capture_put_tick(struct capture_writer *w, const struct capture_tick *t);
int capture_put_loss(struct capture_writer *w, const struct capture_loss *l);
int capture_put_end(struct capture_writer *w, const struct capture_end *e);
/* Closes the block that is open, if any. */
void capture_close(struct capture_writer *w);

/* Bytes of the file so far, those of the open block among them. */
uint64_t capture_bytes(const struct capture_writer *w);

/* What can go out: bytes of closed blocks. Borrowed until anything else is done with @w. */
size_t capture_ready(const struct capture_writer *w, const void **ret);
void capture_taken(struct capture_writer *w, size_t n);

/* ---- reading ------------------------------------------------------------------------------------------------------- */

struct capture_reader;

struct capture_entry {
	uint16_t type;
	uint32_t size;
	const void *p; /* 8-byte aligned; borrowed until the next capture_next */
};

/*
 * Reads head and meta. @fd is borrowed; @file names it in messages. -EBADMSG: no capture, or damaged; -EPROTONOSUPPORT: of
 * another version of Tamis.
 */
int capture_open(int fd, const char *file, uint32_t fingerprint, struct capture_reader **ret, struct err *e);
/* The same of bytes in memory (borrowed). */
int capture_open_mem(const void *p, size_t size, uint32_t fingerprint, struct capture_reader **ret, struct err *e);
void capture_free(struct capture_reader *r);
DEFINE_CLEANUP(struct capture_reader *, capture_free);

const struct capture_meta *capture_meta(const struct capture_reader *r);
/* 1 with *ret, 0 at the end; -EBADMSG with the place for what is damaged: what came before is good. */
int capture_next(struct capture_reader *r, struct capture_entry *ret, struct err *e);
/* After capture_next gave 0: the trailer, or NULL where the capture was cut off. */
const struct capture_end *capture_end(const struct capture_reader *r);

/* The structs of entries; -EBADMSG. */
int capture_get_tick(const struct capture_entry *e, struct capture_tick *ret);
int capture_get_loss(const struct capture_entry *e, struct capture_loss *ret);

#endif
