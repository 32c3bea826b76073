/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_RECORD_PROVE_IMPL_H
#define TAMIS_SENSOR_RECORD_PROVE_IMPL_H

/* What proofs of one record (prove.c) and requests for a witness (witness.c) share; nobody else includes this. */

#include <jansson.h>

#include "lib/jsonw.h"
#include "lib/merkle.h"
#include "sensor/record/segment.h"

/* A record at its place in its segment, under the segment's newest checkpoint. */
struct prove_place {
	struct segment_image img;
	struct checkpoint_note note; /* borrowed from img */
	struct buf leaves;	     /* owned: those under the checkpoint */
	struct line_str record;	     /* borrowed from img; p is NULL where none was found */
	uint64_t index;
};

/* Reads a segment and its newest checkpoint. prove_place_done in any case. */
int prove_read(int dir_fd, uint64_t number, struct prove_place *ret, struct err *e);
void prove_place_done(struct prove_place *at);
/* The leaves under the checkpoint, which must have its root. */
int prove_leaves(struct prove_place *at, struct err *e);

/* Hashes as an array of base64, and back: at most MERKLE_DEPTH of them, -EBADMSG for anything else. */
void prove_hashes(struct jsonw *w, const merkle_hash *hashes, size_t n);
int prove_take_hashes(const json_t *array, merkle_hash *ret, size_t *ret_n);

#endif
