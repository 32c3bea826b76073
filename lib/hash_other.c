/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/hash_other.h"

#include <nettle/md5.h>
#include <nettle/nettle-meta.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>

_Static_assert(sizeof(struct sha512_ctx) <= sizeof(((struct hash_other *)0)->state), "the largest context fits");
_Static_assert(sizeof(struct md5_ctx) <= sizeof(((struct hash_other *)0)->state), "so does the smallest");

static const struct nettle_hash *const kinds[HASH_KINDS] = {
	[HASH_MD5] = &nettle_md5,	[HASH_SHA1] = &nettle_sha1,	[HASH_SHA224] = &nettle_sha224,
	[HASH_SHA256] = &nettle_sha256, [HASH_SHA384] = &nettle_sha384, [HASH_SHA512] = &nettle_sha512,
};

size_t hash_other_size(enum hash_kind kind)
{
	return kinds[kind]->digest_size;
}

void hash_other_begin(struct hash_other *h, enum hash_kind kind)
{
	h->kind = kind;
	kinds[kind]->init(h->state);
}

void hash_other_add(struct hash_other *h, const void *p, size_t n)
{
	kinds[h->kind]->update(h->state, n, p);
}

void hash_other_end(struct hash_other *h, uint8_t ret[HASH_OTHER_MAX])
{
	kinds[h->kind]->digest(h->state, kinds[h->kind]->digest_size, ret);
}
