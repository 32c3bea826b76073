/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_RECORD_PROVE_H
#define TAMIS_SENSOR_RECORD_PROVE_H

/*
 * The proof that one record is in the log, for somebody who has neither the log nor its other records: the record, its
 * place, the hashes from there up to the root (RFC 9162 2.1.3), and the signed checkpoint with that root. As JSON:
 *
 *	{"checkpoint":"tamis/web-1/3\n8193\n...","epochs":[{...},{...}],"hashes":["...",...],"index":16,"kind":"proof",
 *	 "record":"{...}","v":1}
 *
 * record is the line's very bytes as a string, index counts from 0 within the segment, hashes are base64, leaf's
 * sibling first. epochs, oldest first, prove in the same way (checkpoint, hashes, index, record) the `epoch` record of each
 * earlier segment that has one: the first is signed by the key that the checker has, each names the key of the next.
 */

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/sig.h"
#include "sensor/record/checkpoint.h"

#define PROVE_TEXT_MAX (16u << 20) /* a longer proof is refused: room for the largest record and some 7,000 epochs */

/*
 * Appends the proof of the record with this seq under its segment's newest checkpoint, and a newline. @root, a text of root.h, is
 * carried by it; n 0: there is none.
 * -ENOENT: no such record, or not signed yet. -EBADMSG: the segment does not fit its checkpoint (verify says where).
 */
int prove_record(const char *dir, uint64_t seq, const void *root, size_t root_n, struct buf *ret, struct err *e);

/*
 * The key of a segment, by the `epoch` records of those before it, the first that is there having *key: *key is replaced by
 * it (and the old one freed) where there was another epoch. Checks nothing of it: verify_log does.
 */
int prove_segment_key(const char *dir, uint64_t number, struct sig_key **key, struct err *e);

/*
 * What stays of a segment that is pruned: its newest checkpoint and, where it has one, the proof of its last `epoch` record,
 * as an element of "epochs" is; canonical JSON. -EBADMSG where the segment does not fit its checkpoint.
 */
int prove_link(int dir_fd, uint64_t number, struct buf *ret, struct err *e);

struct prove_pruned {
	struct checkpoint c;
	uint8_t key_hash[4];
	uint8_t hash[HASH_SIZE]; /* of the whole note */
	struct sig_key *next;	 /* owned: the key of the next segment; NULL: the same */
};

/* Takes it apart and checks it by the segment's key. -EBADMSG with *e. */
int prove_link_check(const void *text, size_t n, struct sig_key *key, struct prove_pruned *ret, struct err *e);

struct prove_result {
	uint64_t segment, index, size;
	uint64_t epochs;		/* keys from the checker's to the one that signed */
	char time[32];			/* of the checkpoint */
	char host[CHECKPOINT_NAME_MAX]; /* of the checkpoint */
	char *record;			/* owned: the record's line */
};

/*
 * 0: the key, or one that by the proof's `epoch` records follows from it, signed a log that holds this record. -EBADMSG
 * with *e: it did not, or this is no proof. At most one signature that is not good is looked at.
 */
int prove_check(const void *text, size_t n, struct sig_key *key, struct prove_result *ret, struct err *e);
void prove_result_done(struct prove_result *res);

/* The root that a proof carries, appended. -ENOENT: it carries none. -EBADMSG: it is no proof. */
int prove_root(const void *text, size_t n, struct buf *ret, struct err *e);

#endif
