/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/merkle.h"

#include <errno.h>
#include <string.h>

#define LEAVES 70

/* The eight entries of Certificate Transparency's own tests, and the root over the first n of them. */
static const struct {
	const char *entry, *root;
} known[] = {
	{ "", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d" },
	{ "00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125" },
	{ "10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77" },
	{ "2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7" },
	{ "3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4" },
	{ "40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef" },
	{ "5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c" },
	{ "606162636465666768696a6b6c6d6e6f", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328" },
};

static void known_leaf(size_t i, merkle_hash ret)
{
	uint8_t entry[16];
	size_t n = strlen(known[i].entry) / 2;

	assert_int_equal(hash_unhex(known[i].entry, n, entry), 0);
	merkle_leaf(entry, n, ret);
}

static void assert_hash(const merkle_hash h, const char *hex)
{
	char text[HASH_HEX_SIZE];

	hash_hex(h, HASH_SIZE, text);
	assert_string_equal(text, hex);
}

static void known_roots(void **state)
{
	merkle_hash leaf, root;
	struct merkle m;

	merkle_init(&m);
	merkle_root(&m, root);
	assert_hash(root, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	for (size_t i = 0; i < 8; i++) {
		known_leaf(i, leaf);
		merkle_add(&m, leaf);
		merkle_root(&m, root);
		assert_hash(root, known[i].root);
	}
}

/* Paths that RFC 6962's tests give for the tree of eight. */
static void known_inclusion_proofs(void **state)
{
	static const char *const path_of_5[] = {
		"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
		"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	};
	merkle_hash leaves[8], proof[MERKLE_DEPTH];
	size_t n;

	for (size_t i = 0; i < 8; i++)
		known_leaf(i, leaves[i]);
	assert_int_equal(merkle_prove_inclusion(leaves, 8, 5, proof, &n), 0);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++)
		assert_hash(proof[i], path_of_5[i]);
}

static void known_consistency_proofs(void **state)
{
	static const char *const six_to_eight[] = {
		"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
		"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	};
	merkle_hash leaves[8], proof[MERKLE_DEPTH];
	size_t n;

	for (size_t i = 0; i < 8; i++)
		known_leaf(i, leaves[i]);
	assert_int_equal(merkle_prove_consistency(leaves, 8, 6, proof, &n), 0);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++)
		assert_hash(proof[i], six_to_eight[i]);
}

static void make_leaves(merkle_hash *leaves)
{
	for (int i = 0; i < LEAVES; i++)
		merkle_leaf(&i, sizeof(i), leaves[i]);
}

static void every_inclusion_proof_holds_and_no_other(void **state)
{
	merkle_hash leaves[LEAVES], root, proof[MERKLE_DEPTH + 1];
	size_t n;

	make_leaves(leaves);
	memset(proof, 0, sizeof(proof));
	for (uint64_t size = 1; size <= LEAVES; size++) {
		merkle_root_of(leaves, size, root);
		for (uint64_t i = 0; i < size; i++) {
			assert_int_equal(merkle_prove_inclusion(leaves, size, i, proof, &n), 0);
			assert_true(merkle_check_inclusion(leaves[i], i, size, proof, n, root));
			assert_false(merkle_check_inclusion(leaves[i], i, size, proof, n + 1, root));
			if (n)
				assert_false(merkle_check_inclusion(leaves[i], i, size, proof, n - 1, root));
			for (uint64_t k = 0; k <= size; k++)
				if (k != i)
					assert_false(merkle_check_inclusion(leaves[i], k, size, proof, n, root));
			for (size_t k = 0; k < n; k++) {
				proof[k][k % HASH_SIZE] ^= 4;
				assert_false(merkle_check_inclusion(leaves[i], i, size, proof, n, root));
				proof[k][k % HASH_SIZE] ^= 4;
			}
		}
		assert_int_equal(merkle_prove_inclusion(leaves, size, size, proof, &n), -EINVAL);
	}
}

static void every_consistency_proof_holds_and_no_other(void **state)
{
	merkle_hash leaves[LEAVES], old_root, root, proof[MERKLE_DEPTH + 1];
	size_t n;

	make_leaves(leaves);
	memset(proof, 0, sizeof(proof));
	for (uint64_t size = 1; size <= LEAVES; size++) {
		merkle_root_of(leaves, size, root);
		for (uint64_t old = 1; old <= size; old++) {
			merkle_root_of(leaves, old, old_root);
			assert_int_equal(merkle_prove_consistency(leaves, size, old, proof, &n), 0);
			assert_true(merkle_check_consistency(old, size, old_root, root, proof, n));
			assert_false(merkle_check_consistency(old, size, old_root, root, proof, n + 1));
			if (n)
				assert_false(merkle_check_consistency(old, size, old_root, root, proof, n - 1));
			if (old != size)
				assert_false(merkle_check_consistency(old, size, root, root, proof, n));
			for (size_t k = 0; k < n; k++) {
				proof[k][31] ^= 1;
				assert_false(merkle_check_consistency(old, size, old_root, root, proof, n));
				proof[k][31] ^= 1;
			}
		}
	}
	assert_int_equal(merkle_prove_consistency(leaves, 3, 0, proof, &n), -EINVAL);
	assert_int_equal(merkle_prove_consistency(leaves, 3, 4, proof, &n), -EINVAL);
}

/* Sizes and indices that no tree has must neither hold nor hang. */
static void absurd_numbers_fail(void **state)
{
	static const uint64_t odd[] = { 0, 1, 2, UINT64_MAX - 1, UINT64_MAX, 1ull << 63, (1ull << 63) + 1 };
	merkle_hash proof[MERKLE_DEPTH] = { { 0 } }, h = { 0 }, other = { 1 };

	for (size_t a = 0; a < sizeof(odd) / sizeof(odd[0]); a++) {
		for (size_t b = 0; b < sizeof(odd) / sizeof(odd[0]); b++) {
			for (size_t n = 0; n <= MERKLE_DEPTH; n += 8) {
				assert_false(merkle_check_inclusion(h, odd[a], odd[b], proof, n, other));
				assert_false(merkle_check_consistency(odd[a], odd[b], h, other, proof, n));
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_roots),
		cmocka_unit_test(known_inclusion_proofs),
		cmocka_unit_test(known_consistency_proofs),
		cmocka_unit_test(every_inclusion_proof_holds_and_no_other),
		cmocka_unit_test(every_consistency_proof_holds_and_no_other),
		cmocka_unit_test(absurd_numbers_fail),
	};

	return cmocka_run_group_tests_name("merkle", tests, NULL, NULL);
}
