/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/hash.h"

#include <errno.h>
#include <nettle/sha2.h>

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(struct hash), "struct hash must hold nettle's context");
_Static_assert(_Alignof(struct sha256_ctx) <= _Alignof(struct hash), "and be aligned for it");
_Static_assert(HASH_SIZE == SHA256_DIGEST_SIZE, "one digest, one size");

static struct sha256_ctx *hash_ctx(struct hash *h)
{
	return (struct sha256_ctx *)(void *)h->state;
}

void hash_begin(struct hash *h)
{
	sha256_init(hash_ctx(h));
}

void hash_add(struct hash *h, const void *p, size_t n)
{
	sha256_update(hash_ctx(h), n, p);
}

void hash_end(struct hash *h, uint8_t ret_digest[HASH_SIZE])
{
	sha256_digest(hash_ctx(h), HASH_SIZE, ret_digest);
}

void hash_sha256(const void *p, size_t n, uint8_t ret_digest[HASH_SIZE])
{
	struct hash h;

	hash_begin(&h);
	hash_add(&h, p, n);
	hash_end(&h, ret_digest);
}

void hash_hex(const uint8_t *p, size_t n, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*ret_text++ = digits[p[i] >> 4];
		*ret_text++ = digits[p[i] & 15];
	}
	*ret_text = '\0';
}

static int hash_nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hash_unhex(const char *text, size_t n, uint8_t *ret_bytes)
{
	for (size_t i = 0; i < n; i++) {
		int hi = hash_nibble(text[2 * i]);
		int lo = hi < 0 ? -1 : hash_nibble(text[2 * i + 1]);

		if (lo < 0)
			return -EBADMSG;
		ret_bytes[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}
