/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_RECORD_CHECKPOINT_H
#define TAMIS_SENSOR_RECORD_CHECKPOINT_H

/*
 * A signed statement "segment S holds these `size` records": a checkpoint in the form of C2SP tlog-checkpoint, signed
 * as a C2SP signed-note with ECDSA P-256 (the note's 4-byte key hash is the start of SHA-256 over the key's
 * SubjectPublicKeyInfo, as in lib/sig.h). For example:
 *
 *	tamis/web-1/2
 *	8193
 *	CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
 *	seq 98761
 *	time 2026-11-20T12:00:00.200000000Z
 *	prev 1 90568 jW5yBW6Hj2kVYHqLZqzv3H9Uhx1MBDmqhYFY7MQZrqQ=
 *	chain u4GmW9bLt2PvQx0nCk5hjWlq3nXfLyT8cSkZ9oAq0bI=
 *
 *	— tamis/web-1 7oBwRTBFAiEA...
 *
 * seq is the last record's; prev names the segment before with its final size and root (absent in the first);
 * chain is SHA-256 over the whole note before this one, signature and all (absent in the log's first note), so that
 * the newest signature covers every byte of every checkpoint before it.
 *
 * One checkpoint has one spelling: a parsed note is accepted only if rendering it again gives the same bytes.
 */

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/merkle.h"
#include "lib/sig.h"
#include "sensor/record/line.h"

#define CHECKPOINT_NAME_MAX 96
#define CHECKPOINT_NOTE_MAX 1024 /* bytes of a whole note */

struct checkpoint {
	char name[CHECKPOINT_NAME_MAX]; /* "tamis/HOST": the origin without the segment, and the signer's name */
	uint64_t segment;
	uint64_t size;
	uint64_t seq;
	merkle_hash root;
	char time[LINE_TIME_SIZE];
	uint64_t prev_segment; /* 0: none */
	uint64_t prev_size;
	merkle_hash prev_root;
	bool chained;
	uint8_t chain[HASH_SIZE];
};

/* A note as it lies in a file. */
struct checkpoint_note {
	struct checkpoint c;
	const uint8_t *p; /* borrowed from what was parsed */
	size_t len;	  /* the whole note */
	size_t text_len;  /* what is signed: up to and with the newline before the blank line */
	uint8_t key_hash[4];
	uint8_t sig[SIG_MAX];
	size_t sig_len;
};

/* Appends the signed note. -EIO from signing, or the buffer's error. */
int checkpoint_sign(const struct checkpoint *c, struct sig_key *key, struct buf *ret);

/* Reads the note at the reader's place and steps behind it. -EBADMSG: malformed, *e says what; nothing is consumed. */
int checkpoint_next(struct rd *r, struct checkpoint_note *ret, struct err *e);

/* 0 when the note is signed by this key, -EBADMSG otherwise. Checks one signature: about 2 ms. */
int checkpoint_verify(const struct checkpoint_note *n, struct sig_key *key, struct err *e);

/* SHA-256 over the whole note: what the next one's chain line holds. */
void checkpoint_hash(const struct checkpoint_note *n, uint8_t ret[HASH_SIZE]);

#endif
