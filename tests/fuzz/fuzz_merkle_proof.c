/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Proofs come from strangers. First byte 0: numbers and hashes straight to the two checks; 1: a tree of a few leaves,
 * whose own proofs must hold and must not hold with a byte changed; 2: a note that a witness has signed; 3: a request to a
 * witness; otherwise: the JSON of a proof, and of what stays of a pruned segment.
 */

#include "lib/cleanup.h"
#include "lib/buf.h"
#include "lib/merkle.h"
#include "sensor/record/prove.h"
#include "sensor/record/witness.h"
#include "tests/fuzz/fuzz.h"

static void fuzz_checks(struct rd r)
{
	merkle_hash proof[MERKLE_DEPTH + 4], first = { 1 }, second = { 2 };
	uint64_t a, b;
	size_t n = 0;
	const uint8_t *p;

	if (rd_u64(&r, &a) < 0 || rd_u64(&r, &b) < 0)
		return;
	while (n < MERKLE_DEPTH + 4 && rd_bytes(&r, HASH_SIZE, &p) == 0)
		memcpy(proof[n++], p, HASH_SIZE);
	/* both roots are fixed: only a preimage of SHA-256 would hold */
	must(!merkle_check_inclusion(second, a, b, proof, n, first));
	must(!merkle_check_consistency(a, b, first, second, proof, n));
}

static void fuzz_tree(struct rd r)
{
	merkle_hash leaves[256], proof[MERKLE_DEPTH], root, old_root;
	uint8_t size, index, old, where;
	size_t n;

	if (rd_u8(&r, &size) < 0 || rd_u8(&r, &index) < 0 || rd_u8(&r, &old) < 0 || rd_u8(&r, &where) < 0)
		return;
	size = size ? size : 1;
	index %= size;
	old = (uint8_t)(old % size + 1);
	for (int i = 0; i < size; i++)
		merkle_leaf(r.p, r.left ? (size_t)i % r.left : 0, leaves[i]);
	merkle_root_of(leaves, size, root);
	merkle_root_of(leaves, old, old_root);
	must(merkle_prove_inclusion(leaves, size, index, proof, &n) == 0);
	must(merkle_check_inclusion(leaves[index], index, size, proof, n, root));
	if (n) {
		proof[where % n][where % HASH_SIZE] ^= 1;
		must(!merkle_check_inclusion(leaves[index], index, size, proof, n, root));
	}
	must(merkle_prove_consistency(leaves, size, old, proof, &n) == 0);
	must(merkle_check_consistency(old, size, old_root, root, proof, n));
	if (n) {
		proof[where % n][where % HASH_SIZE] ^= 1;
		must(!merkle_check_consistency(old, size, old_root, root, proof, n));
	}
}

static struct sig_key *fuzz_key(void)
{
	static struct sig_key *key;

	if (!key)
		must(sig_parse_public(FUZZ_PUB, strlen(FUZZ_PUB), "fuzz", &key, NULL) == 0);
	return key;
}

static void fuzz_json(struct rd r)
{
	struct prove_pruned pruned;
	struct prove_result res;
	struct err e;

	must(prove_check(r.p, r.left, fuzz_key(), &res, &e) < 0);
	must(prove_link_check(r.p, r.left, fuzz_key(), &pruned, &e) < 0 && !pruned.next);
}

static void fuzz_witness(struct rd r, bool note)
{
	struct checkpoint_note n;
	struct buf out;

	buf_init(&out, WITNESS_NOTE_MAX);
	/* nobody has signed anything with that key; the directory is one that nothing is remembered in */
	must(note ? witness_note(r.p, r.left, fuzz_key(), &n, NULL) < 0
		  : witness_sign(r.p, r.left, "/proc/self/task", fuzz_key(), fuzz_key(), "w", &out, NULL) < 0);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_of(data, size);
	uint8_t mode;

	if (rd_u8(&r, &mode) < 0)
		return 0;
	if (mode == 0)
		fuzz_checks(r);
	else if (mode == 1)
		fuzz_tree(r);
	else if (mode == 2 || mode == 3)
		fuzz_witness(r, mode == 2);
	else
		fuzz_json(rd_of(data, size));
	return 0;
}
