/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/hash.h"

#include <errno.h>
#include <string.h>

/* FIPS 180-4's examples and the empty message */
static void vectors_of_fips_180(void **state)
{
	static const struct {
		const char *text, *hex;
	} cases[] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	};
	char hex[HASH_HEX_SIZE];
	uint8_t digest[HASH_SIZE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		hash_sha256(cases[i].text, strlen(cases[i].text), digest);
		hash_hex(digest, HASH_SIZE, hex);
		assert_string_equal(hex, cases[i].hex);
	}
}

static void a_million_a_in_pieces(void **state)
{
	char hex[HASH_HEX_SIZE], piece[1000];
	uint8_t digest[HASH_SIZE];
	struct hash h;

	memset(piece, 'a', sizeof(piece));
	hash_begin(&h);
	/* twice, since the end of one digest begins the next */
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 1000; i++) {
			hash_add(&h, piece, (size_t)i);
			hash_add(&h, piece, (size_t)(1000 - i));
		}
		hash_end(&h, digest);
		hash_hex(digest, HASH_SIZE, hex);
		assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	}
}

static void hex_goes_both_ways(void **state)
{
	uint8_t bytes[4];
	char text[9];

	assert_int_equal(hash_unhex("00fF7a10", 4, bytes), 0);
	hash_hex(bytes, 4, text);
	assert_string_equal(text, "00ff7a10");
	assert_int_equal(hash_unhex("0g", 1, bytes), -EBADMSG);
	assert_int_equal(hash_unhex("0", 1, bytes), -EBADMSG);
	assert_int_equal(hash_unhex("", 1, bytes), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_of_fips_180),
		cmocka_unit_test(a_million_a_in_pieces),
		cmocka_unit_test(hex_goes_both_ways),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
