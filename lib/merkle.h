/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_MERKLE_H
#define TAMIS_LIB_MERKLE_H

/*
 * The Merkle tree of RFC 9162 section 2.1 over SHA-256:
 *
 *	leaf = SHA-256(0x00 || entry)		node = SHA-256(0x01 || left || right)		no entries: SHA-256("")
 *
 * struct merkle keeps only the tree's right edge, so appending costs no more memory however large the tree becomes.
 * Proofs are made from the leaf hashes (merkle_prove_*) and checked without them (merkle_check_*); a checker trusts
 * nothing about a proof, not even its length.
 */

#include "lib/hash.h"

#include <stdbool.h>

#define MERKLE_DEPTH 64 /* no proof is longer */

typedef uint8_t merkle_hash[HASH_SIZE];

struct merkle {
	uint64_t size;			/* leaves */
	merkle_hash edge[MERKLE_DEPTH]; /* edge[i]: the complete subtree of 2^i leaves, where bit i of size is set */
};

void merkle_init(struct merkle *m);
/* The hash of one entry: MTH({entry}). */
void merkle_leaf(const void *entry, size_t n, merkle_hash ret);
void merkle_add(struct merkle *m, const merkle_hash leaf);
void merkle_root(const struct merkle *m, merkle_hash ret);

/* The root over n leaf hashes at once. */
void merkle_root_of(const merkle_hash *leaves, uint64_t n, merkle_hash ret);

/*
 * The inclusion proof of leaf `index` in the tree of the n leaves: at most MERKLE_DEPTH hashes into ret, *ret_n of
 * them, in the order of RFC 9162 2.1.3.1. -EINVAL unless index < n. Costs about n hashes.
 */
int merkle_prove_inclusion(const merkle_hash *leaves, uint64_t n, uint64_t index, merkle_hash *ret, size_t *ret_n);
/* The proof that the tree of the first `old` leaves is the beginning of that of all n: RFC 9162 2.1.4.1; 1 <= old <= n.
 */
int merkle_prove_consistency(const merkle_hash *leaves, uint64_t n, uint64_t old, merkle_hash *ret, size_t *ret_n);

/* RFC 9162 2.1.3.2 and 2.1.4.2. False for anything that does not fit exactly. */
bool merkle_check_inclusion(const merkle_hash leaf, uint64_t index, uint64_t size, const merkle_hash *proof, size_t n,
			    const merkle_hash root);
bool merkle_check_consistency(uint64_t old_size, uint64_t size, const merkle_hash old_root, const merkle_hash root,
			      const merkle_hash *proof, size_t n);

#endif
