/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_RECORD_WITNESS_H
#define TAMIS_SENSOR_RECORD_WITNESS_H

/*
 * Witnessing: another machine remembers the newest checkpoint that it has seen of a log and countersigns the next one only
 * if the log went on from there. Then a log that was put back to an older state as a whole, HEAD and keys and all, no
 * longer holds what the witness has signed, and verify says so.
 *
 * Three steps; what goes from one machine to the other is a text, by whatever carries texts:
 *
 *	the host	witness_request	 from the note that was countersigned last to the newest one
 *	the witness	witness_sign	 checks it against what it remembers, remembers it, and countersigns
 *	an auditor	witness_note	 and verify_options.witness: is that note in the log?
 *
 * A request is JSON:
 *
 *	{"checkpoint":NOTE,"consistency":[B64,...],"kind":"witness","links":[{...},...],"segment":N,"size":N,"v":1}
 *
 * segment and size are those of the note that it goes on from (0: from the log's beginning). links are what stays of a
 * segment that is pruned (prove_link), one of each segment from that one up to the newest, which has `checkpoint`;
 * consistency is the proof of RFC 9162 2.1.4 within that segment, from the note's size to the segment's present or last.
 *
 * A countersigned note is the log's note with one more line, as C2SP signed-note has it: an em dash, the witness's name,
 * and base64 of the first 4 bytes of its key's hash and its signature over the same text.
 */

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/sig.h"
#include "sensor/record/checkpoint.h"

#define WITNESS_TEXT_MAX (16u << 20) /* of a request */
#define WITNESS_NOTE_MAX (2 * CHECKPOINT_NOTE_MAX)

/*
 * Appends a request, and a newline. @since is a countersigned note (or a plain one), or NULL. -ENOENT: its segment is no
 * longer there. -EBADMSG: the log does not hold it: it was put back, or is another one.
 */
int witness_request(const char *dir, const void *since, size_t n, struct buf *ret, struct err *e);

/*
 * Checks a request and appends the countersigned note. @seen is a directory (made where it is missing) that has, by host,
 * HOST.note: the note countersigned last and, behind it, the key of its segment. @first is the log's first public key, for a
 * host that was not seen before; NULL: such a host is refused. @name is the witness's.
 *
 * -EBADMSG: it is no request, or does not go on from what was seen: *e says which. Nothing is remembered then.
 */
int witness_sign(const void *text, size_t n, const char *seen, struct sig_key *first, struct sig_key *key,
		 const char *name, struct buf *ret, struct err *e);

/* The note of a countersigned one, which borrows from @text. -EBADMSG where this witness did not sign it. */
int witness_note(const void *text, size_t n, struct sig_key *key, struct checkpoint_note *ret, struct err *e);

#endif
