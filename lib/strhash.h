/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_STRHASH_H
#define TAMIS_STRHASH_H

/*
 * A quick hash of bytes, for tables. It is no digest: who knows the seed finds bytes that share a bucket, so tables compare the
 * bytes, too, and those that whoever is watched could fill take a seed that he does not know.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define STRHASH_MUL 0x9e3779b97f4a7c15u

static inline uint64_t strhash_load64(const char *s)
{
	uint64_t v;

	memcpy(&v, s, sizeof(v));
	return v;
}

/* At most eight bytes as a number, without a loop; with their length it says which they were. */
static inline uint64_t strhash_few(const char *s, size_t len)
{
	uint32_t a, b;

	if (len == 8)
		return strhash_load64(s);
	if (len >= 4) {
		memcpy(&a, s, 4);
		memcpy(&b, s + len - 4, 4);
		return (uint64_t)b << 32 | a;
	}
	if (!len)
		return 0;
	return (uint64_t)(unsigned char)s[0] | (uint64_t)(unsigned char)s[len / 2] << 8 |
	       (uint64_t)(unsigned char)s[len - 1] << 16;
}

static inline uint64_t strhash(uint64_t seed, const char *s, size_t len)
{
	uint64_t h = seed ^ len * STRHASH_MUL;
	size_t left = len;

	for (; left > 8; s += 8, left -= 8) {
		h = (h ^ strhash_load64(s)) * STRHASH_MUL;
		h ^= h >> 29;
	}
	/* what is left of a long one is read together with bytes before it */
	h = (h ^ (len > 8 ? strhash_load64(s + left - 8) : strhash_few(s, left))) * STRHASH_MUL;
	h ^= h >> 32;
	return h * STRHASH_MUL;
}

#endif
