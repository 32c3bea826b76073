/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/crc32.h"

/* As the standard writes it: bit by bit. */
static uint32_t bit_by_bit(uint32_t crc, const uint8_t *p, size_t n)
{
	uint32_t c = ~crc;

	while (n--) {
		c ^= *p++;
		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
	}
	return ~c;
}

static void test_known(void **state)
{
	(void)state;
	assert_int_equal(crc32_add(0, "123456789", 9), 0xcbf43926u);
	assert_int_equal(crc32_add(0, "", 0), 0);
	assert_int_equal(crc32_add(0x12345678, "", 0), 0x12345678);
}

/* Every length up to some blocks, at every place of a word, each way. */
static void test_lengths(void **state)
{
	uint8_t bytes[400];
	uint32_t x = 20261121;

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
	for (size_t at = 0; at < 8; at++)
		for (size_t n = 0; at + n <= sizeof(bytes); n++) {
			uint32_t want = bit_by_bit((uint32_t)n * 2654435761u, bytes + at, n);

			assert_int_equal(crc32_add((uint32_t)n * 2654435761u, bytes + at, n), want);
			assert_int_equal(crc32_add_plain((uint32_t)n * 2654435761u, bytes + at, n), want);
		}
}

/* In pieces it is the same as in one. */
static void test_pieces(void **state)
{
	uint8_t *bytes = malloc(100000);
	uint32_t whole, crc = 0;

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < 100000; i++)
		bytes[i] = (uint8_t)(i * i >> 3);
	whole = crc32_add(0, bytes, 100000);
	for (size_t at = 0, n; at < 100000; at += n) {
		n = at / 3 % 997 + 1;
		n = n < 100000 - at ? n : 100000 - at;
		crc = crc32_add(crc, bytes + at, n);
	}
	assert_int_equal(crc, whole);
	assert_int_equal(crc32_add_plain(0, bytes, 100000), whole);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
