/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/crc32.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static uint32_t table[8][256];

static void table_init(void)
{
	if (table[0][1])
		return;
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
		table[0][i] = c;
	}
	for (int t = 1; t < 8; t++)
		for (uint32_t i = 0; i < 256; i++)
			table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 0xff];
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The register behind @n more bytes, eight at a time. */
static uint32_t by_table(uint32_t c, const uint8_t *p, size_t n)
{
	table_init();
	for (; n >= 8; n -= 8, p += 8) {
		uint32_t lo = c ^ le32(p), hi = le32(p + 4);

		c = table[7][lo & 0xff] ^ table[6][lo >> 8 & 0xff] ^ table[5][lo >> 16 & 0xff] ^ table[4][lo >> 24] ^
		    table[3][hi & 0xff] ^ table[2][hi >> 8 & 0xff] ^ table[1][hi >> 16 & 0xff] ^ table[0][hi >> 24];
	}
	while (n--)
		c = table[0][(c ^ *p++) & 0xff] ^ c >> 8;
	return c;
}

uint32_t crc32_add_plain(uint32_t crc, const void *p, size_t n)
{
	return ~by_table(~crc, p, n);
}

#if defined(__x86_64__)

#define FOLD_MIN 64
#define CLMUL	 __attribute__((target("pclmul,sse2")))

/* Moves 128 bits of a message on by as many bits as @k stands for, to where @next is. */
CLMUL static inline __m128i fold(__m128i x, __m128i k, __m128i next)
{
	__m128i lo = _mm_clmulepi64_si128(x, k, 0x00), hi = _mm_clmulepi64_si128(x, k, 0x11);

	return _mm_xor_si128(_mm_xor_si128(lo, hi), next);
}

CLMUL static inline __m128i load(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/*
 * By multiplication without carries (Gopal and others, "Fast CRC Computation Using PCLMULQDQ", 2009): four lanes are moved on by
 * 512 bits at a time and then put into one, whose 16 bytes have the register of all of them. What is left is for the table.
 */
CLMUL static uint32_t by_multiplying(uint32_t c, const uint8_t *p, size_t n)
{
	/* x^(512+32) and x^(512-32), then x^(128+32) and x^(128-32), modulo the polynomial, bits mirrored */
	const __m128i by512 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4),
		      by128 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
	__m128i x[4];
	uint8_t last[16];

	for (int i = 0; i < 4; i++)
		x[i] = load(p + 16 * i);
	x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int)c));
	for (p += 64, n -= 64; n >= 64; p += 64, n -= 64)
		for (int i = 0; i < 4; i++)
			x[i] = fold(x[i], by512, load(p + 16 * i));
	for (int i = 1; i < 4; i++)
		x[0] = fold(x[0], by128, x[i]);
	for (; n >= 16; p += 16, n -= 16)
		x[0] = fold(x[0], by128, load(p));
	_mm_storeu_si128((__m128i *)(void *)last, x[0]);
	return by_table(by_table(0, last, sizeof(last)), p, n);
}

static bool can_multiply(void)
{
	return __builtin_cpu_supports("pclmul");
}

#else

#define FOLD_MIN SIZE_MAX

static uint32_t by_multiplying(uint32_t c, const uint8_t *p, size_t n)
{
	return by_table(c, p, n);
}

static bool can_multiply(void)
{
	return false;
}

#endif

uint32_t crc32_add(uint32_t crc, const void *p, size_t n)
{
	if (n < FOLD_MIN || !can_multiply())
		return crc32_add_plain(crc, p, n);
	return ~by_multiplying(~crc, p, n);
}
