/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/jsonmask.h"

#include <stdbool.h>
#include <string.h>

/* ---- any processor ---- */

enum { QUOTE = 1, SLASH = 2, LOW = 4, COLON = 8, COMMA = 16, OPEN = 32, SHUT = 64, DIGIT = 128 };

static const uint8_t jsonmask_class[256] = {
	[0 ... 0x1f] = LOW, ['"'] = QUOTE, ['\\'] = SLASH, [':'] = COLON, [','] = COMMA,	 ['{'] = OPEN,
	['['] = OPEN,	    ['}'] = SHUT,  [']'] = SHUT,   ['0'] = DIGIT, ['1' ... '9'] = DIGIT,
};

/* Eight bytes as an 8 by 8 matrix of bits: byte k of the result has bit k of each. */
static uint64_t jsonmask_turn(uint64_t x)
{
	uint64_t t;

	t = (x ^ (x >> 7)) & 0x00aa00aa00aa00aaull;
	x ^= t ^ (t << 7);
	t = (x ^ (x >> 14)) & 0x0000cccc0000ccccull;
	x ^= t ^ (t << 14);
	t = (x ^ (x >> 28)) & 0x00000000f0f0f0f0ull;
	return x ^ t ^ (t << 28);
}

static void jsonmask_plain(const uint8_t *p, size_t n, struct jsonmask *m)
{
	for (; n--; m++, p += JSONMASK_BLOCK) {
		*m = (struct jsonmask){ 0 };
		for (int at = 0; at < JSONMASK_BLOCK; at += 8) {
			uint64_t x = 0;

			for (int i = 0; i < 8; i++)
				x |= (uint64_t)jsonmask_class[p[at + i]] << 8 * i;
			x = jsonmask_turn(x);
			m->quote |= (x & 0xff) << at;
			m->slash |= (x >> 8 & 0xff) << at;
			m->low |= (x >> 16 & 0xff) << at;
			m->colon |= (x >> 24 & 0xff) << at;
			m->comma |= (x >> 32 & 0xff) << at;
			m->open |= (x >> 40 & 0xff) << at;
			m->shut |= (x >> 48 & 0xff) << at;
			m->digit |= (x >> 56) << at;
			for (int i = 0; i < 8; i++)
				m->zero |= (uint64_t)(p[at + i] == '0') << (at + i);
		}
	}
}

/* ---- x86: 16 or 32 bytes at a time ---- */

#ifdef __x86_64__
#include <immintrin.h>

#define BITS_16(v) ((uint64_t)(uint32_t)_mm_movemask_epi8((__m128i)(v)))
#define BITS_32(v) ((uint64_t)(uint32_t)_mm256_movemask_epi8((__m256i)(v)))

/* An opening bracket and an opening brace differ by 0x20, and so do the closing ones. */
#define JSONMASK_WAY(name, width)                                                                                      \
	static void name(const uint8_t *p, size_t n, struct jsonmask *m)                                               \
	{                                                                                                              \
		typedef uint8_t vec __attribute__((vector_size(width)));                                               \
		for (; n--; m++, p += JSONMASK_BLOCK) {                                                                \
			*m = (struct jsonmask){ 0 };                                                                   \
			for (int at = 0; at < JSONMASK_BLOCK; at += (width)) {                                         \
				vec v;                                                                                 \
				memcpy(&v, p + at, (width));                                                           \
				m->quote |= BITS_##width(v == '"') << at;                                              \
				m->slash |= BITS_##width(v == '\\') << at;                                             \
				m->low |= BITS_##width(v < 0x20) << at;                                                \
				m->colon |= BITS_##width(v == ':') << at;                                              \
				m->comma |= BITS_##width(v == ',') << at;                                              \
				m->open |= BITS_##width((v | 0x20) == '{') << at;                                      \
				m->shut |= BITS_##width((v | 0x20) == '}') << at;                                      \
				m->digit |= BITS_##width(v - '0' < 10) << at;                                          \
				m->zero |= BITS_##width(v == '0') << at;                                               \
			}                                                                                              \
		}                                                                                                      \
	}

/* 64 at a time: a comparison is the mask. */
__attribute__((target("avx512bw"))) static void jsonmask_avx512(const uint8_t *p, size_t n, struct jsonmask *m)
{
	for (; n--; m++, p += JSONMASK_BLOCK) {
		__m512i v = _mm512_loadu_si512(p), big = _mm512_or_si512(v, _mm512_set1_epi8(0x20));

		m->quote = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('"'));
		m->slash = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\\'));
		m->low = _mm512_cmplt_epu8_mask(v, _mm512_set1_epi8(0x20));
		m->colon = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(':'));
		m->comma = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(','));
		m->open = _mm512_cmpeq_epi8_mask(big, _mm512_set1_epi8('{'));
		m->shut = _mm512_cmpeq_epi8_mask(big, _mm512_set1_epi8('}'));
		m->digit = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(v, _mm512_set1_epi8('0')), _mm512_set1_epi8(10));
		m->zero = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('0'));
	}
}

JSONMASK_WAY(jsonmask_sse2, 16)
__attribute__((target("avx2"))) JSONMASK_WAY(jsonmask_avx2, 32)
#endif

	/* ---- which ---- */

	jsonmask_way jsonmask_nth(size_t i, bool *ret_able)
{
	static const jsonmask_way ways[] = {
#ifdef __x86_64__
		jsonmask_avx2,
		jsonmask_sse2,
#endif
		jsonmask_plain,
	};

	*ret_able = i < sizeof(ways) / sizeof(*ways);
	if (!*ret_able)
		return NULL;
#ifdef __x86_64__
	if (ways[i] == jsonmask_avx512)
		*ret_able = __builtin_cpu_supports("avx512bw");
	if (ways[i] == jsonmask_avx2)
		*ret_able = __builtin_cpu_supports("avx2");
#endif
	return ways[i];
}

void jsonmask_of(const uint8_t *p, size_t n, struct jsonmask *ret)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx512bw"))
		jsonmask_avx512(p, n, ret);
	else if (__builtin_cpu_supports("avx2"))
		jsonmask_avx2(p, n, ret);
	else
		jsonmask_sse2(p, n, ret);
#else
	jsonmask_plain(p, n, ret);
#endif
}
