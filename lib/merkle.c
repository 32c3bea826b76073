/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/merkle.h"

#include <errno.h>
#include <string.h>

static const uint8_t merkle_leaf_mark = 0, merkle_node_mark = 1;

void merkle_init(struct merkle *m)
{
	m->size = 0;
}

void merkle_leaf(const void *entry, size_t n, merkle_hash ret)
{
	struct hash h;

	hash_begin(&h);
	hash_add(&h, &merkle_leaf_mark, 1);
	hash_add(&h, entry, n);
	hash_end(&h, ret);
}

/* ret may be left or right. */
static void merkle_node(const merkle_hash left, const merkle_hash right, merkle_hash ret)
{
	struct hash h;

	hash_begin(&h);
	hash_add(&h, &merkle_node_mark, 1);
	hash_add(&h, left, HASH_SIZE);
	hash_add(&h, right, HASH_SIZE);
	hash_end(&h, ret);
}

/* As adding one to a binary counter: each carry joins two subtrees of equal size. */
void merkle_add(struct merkle *m, const merkle_hash leaf)
{
	merkle_hash carry;
	int i = 0;

	memcpy(carry, leaf, HASH_SIZE);
	for (; m->size >> i & 1; i++)
		merkle_node(m->edge[i], carry, carry);
	memcpy(m->edge[i], carry, HASH_SIZE);
	m->size++;
}

void merkle_root(const struct merkle *m, merkle_hash ret)
{
	bool any = false;

	if (!m->size)
		hash_sha256("", 0, ret);
	for (int i = 0; i < MERKLE_DEPTH && m->size >> i; i++) {
		if (!(m->size >> i & 1))
			continue;
		if (any)
			merkle_node(m->edge[i], ret, ret);
		else
			memcpy(ret, m->edge[i], HASH_SIZE);
		any = true;
	}
}

void merkle_root_of(const merkle_hash *leaves, uint64_t n, merkle_hash ret)
{
	struct merkle m;

	merkle_init(&m);
	for (uint64_t i = 0; i < n; i++)
		merkle_add(&m, leaves[i]);
	merkle_root(&m, ret);
}

/* The largest power of two below n; n > 1. */
static uint64_t merkle_split(uint64_t n)
{
	return 1ull << (63 - __builtin_clzll(n - 1));
}

int merkle_prove_inclusion(const merkle_hash *leaves, uint64_t n, uint64_t index, merkle_hash *ret, size_t *ret_n)
{
	merkle_hash down[MERKLE_DEPTH];
	size_t depth = 0;

	if (index >= n)
		return -EINVAL;
	/* from the root to the leaf, noting the sibling at each step; the proof wants them the other way round */
	while (n > 1) {
		uint64_t k = merkle_split(n);

		if (index < k) {
			merkle_root_of(leaves + k, n - k, down[depth++]);
			n = k;
		} else {
			merkle_root_of(leaves, k, down[depth++]);
			leaves += k;
			index -= k;
			n -= k;
		}
	}
	for (size_t i = 0; i < depth; i++)
		memcpy(ret[i], down[depth - 1 - i], HASH_SIZE);
	*ret_n = depth;
	return 0;
}

int merkle_prove_consistency(const merkle_hash *leaves, uint64_t n, uint64_t old, merkle_hash *ret, size_t *ret_n)
{
	merkle_hash down[MERKLE_DEPTH + 1];
	bool whole = true; /* the old tree's root is a node that the verifier knows */
	size_t depth = 0;

	if (!old || old > n)
		return -EINVAL;
	while (old != n) {
		uint64_t k = merkle_split(n);

		if (old <= k) {
			merkle_root_of(leaves + k, n - k, down[depth++]);
			n = k;
		} else {
			merkle_root_of(leaves, k, down[depth++]);
			leaves += k;
			old -= k;
			n -= k;
			whole = false;
		}
	}
	if (!whole)
		merkle_root_of(leaves, n, down[depth++]);
	for (size_t i = 0; i < depth; i++)
		memcpy(ret[i], down[depth - 1 - i], HASH_SIZE);
	*ret_n = depth;
	return 0;
}

bool merkle_check_inclusion(const merkle_hash leaf, uint64_t index, uint64_t size, const merkle_hash *proof, size_t n,
			    const merkle_hash root)
{
	uint64_t fn = index, sn = size - 1;
	merkle_hash r;

	if (index >= size)
		return false;
	memcpy(r, leaf, HASH_SIZE);
	for (size_t i = 0; i < n; i++) {
		if (!sn)
			return false;
		if ((fn & 1) || fn == sn) {
			merkle_node(proof[i], r, r);
			while (fn && !(fn & 1)) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			merkle_node(r, proof[i], r);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return !sn && !memcmp(r, root, HASH_SIZE);
}

/* The walk of RFC 9162 2.1.4.2 step 6, with both roots computed on the way up from `first`. */
static bool merkle_check_walk(uint64_t fn, uint64_t sn, const merkle_hash first, const merkle_hash *proof, size_t n,
			      merkle_hash fr, merkle_hash sr)
{
	memcpy(fr, first, HASH_SIZE);
	memcpy(sr, first, HASH_SIZE);
	for (size_t i = 0; i < n; i++) {
		if (!sn)
			return false;
		if ((fn & 1) || fn == sn) {
			merkle_node(proof[i], fr, fr);
			merkle_node(proof[i], sr, sr);
			while (fn && !(fn & 1)) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			merkle_node(sr, proof[i], sr);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return !sn;
}

bool merkle_check_consistency(uint64_t old_size, uint64_t size, const merkle_hash old_root, const merkle_hash root,
			      const merkle_hash *proof, size_t n)
{
	uint64_t fn = old_size - 1, sn = size - 1;
	merkle_hash fr, sr;
	bool from_root;

	if (!old_size || old_size > size)
		return false;
	if (old_size == size)
		return !n && !memcmp(old_root, root, HASH_SIZE);
	from_root = !(old_size & (old_size - 1));
	if (!from_root && !n)
		return false;
	while (fn & 1) {
		fn >>= 1;
		sn >>= 1;
	}
	if (!merkle_check_walk(fn, sn, from_root ? old_root : proof[0], proof + !from_root, n - !from_root, fr, sr))
		return false;
	return !memcmp(fr, old_root, HASH_SIZE) && !memcmp(sr, root, HASH_SIZE);
}
