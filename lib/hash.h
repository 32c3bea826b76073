/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_HASH_H
#define TAMIS_LIB_HASH_H

/*
 * SHA-256 (FIPS 180-4), by nettle, which uses the CPU's own instructions where it has them. Nothing here can fail.
 *
 *	struct hash h;
 *	hash_begin(&h); hash_add(&h, p, n); ...; hash_end(&h, digest);
 */

#include <stddef.h>
#include <stdint.h>

#define HASH_SIZE     32
#define HASH_HEX_SIZE (2 * HASH_SIZE + 1)

struct hash {
	uint64_t state[16]; /* opaque: nettle's context */
};

void hash_begin(struct hash *h);
void hash_add(struct hash *h, const void *p, size_t n);
/* Writes the digest; the state is then as after hash_begin. */
void hash_end(struct hash *h, uint8_t ret_digest[HASH_SIZE]);

/* The digest of one piece of memory. */
void hash_sha256(const void *p, size_t n, uint8_t ret_digest[HASH_SIZE]);

/* 2*n lower-case hexadecimal digits and a NUL. */
void hash_hex(const uint8_t *p, size_t n, char *ret_text);
/* n bytes from 2*n hexadecimal digits of either case; -EBADMSG for anything else among them. */
int hash_unhex(const char *text, size_t n, uint8_t *ret_bytes);

#endif
