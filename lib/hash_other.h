/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_HASH_OTHER_H
#define TAMIS_LIB_HASH_OTHER_H

/*
 * Digests that others recorded and that have to be compared with: those of package databases, by nettle. MD5 and SHA-1 prove
 * nothing against somebody who wants them to match. What is ours uses lib/hash.h.
 */

#include <stddef.h>
#include <stdint.h>

#define HASH_OTHER_MAX 64

enum hash_kind { HASH_MD5, HASH_SHA1, HASH_SHA224, HASH_SHA256, HASH_SHA384, HASH_SHA512, HASH_KINDS };

struct hash_other {
	enum hash_kind kind;
	uint64_t state[32]; /* opaque: nettle's context */
};

size_t hash_other_size(enum hash_kind kind);
void hash_other_begin(struct hash_other *h, enum hash_kind kind);
void hash_other_add(struct hash_other *h, const void *p, size_t n);
/* hash_other_size() bytes. */
void hash_other_end(struct hash_other *h, uint8_t ret[HASH_OTHER_MAX]);

#endif
