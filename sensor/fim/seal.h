/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_SEAL_H
#define TAMIS_SENSOR_FIM_SEAL_H

/*
 * How an edited baseline is found out, and which of its rows.
 *
 * The head is a text signed by STATE/keys/fim.pem (ECDSA P-256, SHA-256; openssl checks it): how many rows, and the root
 * of the Merkle tree (lib/merkle.h) over them in order of paths. A row's entry is: u32 size of the path, little endian,
 * path, fact. Whoever lacks the key cannot change a row, take one away or add one without changing the root.
 *
 * The seal of a row names the row: 16 bytes of SHA-256(secret, leaf), where secret follows from the private key. Leaf is
 * the row's leaf hash. So rows that were changed or added are told from the others; for rows taken away the count tells.
 */

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/merkle.h"
#include "lib/sig.h"

#define SEAL_SIZE     16
#define SEAL_TIME_MAX 32

struct seal {
	struct sig_key *key; /* owned */
	uint8_t secret[HASH_SIZE];
};

/* The key pair in STATE/keys; made where there is none if @create. -ENOENT, and what sig_load_private says. */
int seal_open(const char *state_dir, bool create, struct seal *ret, struct err *e);
void seal_done(struct seal *s);
DEFINE_CLEANUP(struct seal *, seal_done);

void seal_leaf(const void *path, size_t path_len, const void *fact, size_t len, merkle_hash ret);
void seal_row(const struct seal *s, const merkle_hash leaf, uint8_t ret[SEAL_SIZE]);

struct seal_head {
	char time[SEAL_TIME_MAX]; /* UTC, RFC 3339 */
	uint64_t files;
	merkle_hash root;
	uint8_t watches[HASH_SIZE]; /* of the section of watches that it was made with */
};

/* The text, and its signature. */
int seal_sign(const struct seal *s, const struct seal_head *h, struct buf *text, struct buf *sig, struct err *e);
/* Checks the signature first, then reads. -EKEYREJECTED: not signed by our key, or changed. */
int seal_check(const struct seal *s, const struct buf *text, const struct buf *sig, struct seal_head *ret,
	       struct err *e);
/* The text alone, as untrusted bytes. -EBADMSG. */
int seal_read(const void *p, size_t n, struct seal_head *ret, struct err *e);

void seal_now(char ret[SEAL_TIME_MAX]);

#endif
