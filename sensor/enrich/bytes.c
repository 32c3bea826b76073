/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/bytes.h"

#include "lib/cbpf.h"
#include "lib/hash.h"

_Static_assert(sizeof(((struct bytes *)0)->text) >= BYTES_INSNS * CBPF_TEXT_INSN, "room for every instruction");
_Static_assert(sizeof(((struct bytes *)0)->hash) == HASH_HEX_SIZE, "a digest as text");

/* A hash of a part would be one of another filter: there is none then. */
static void expand_filter(struct bytes *b, struct val *v)
{
	struct val in = v[SLOT_SETSOCKOPT_FILTER_TEXT];
	uint8_t digest[HASH_SIZE];
	uint32_t n;

	if (!in.len)
		return;
	v[SLOT_SETSOCKOPT_FILTER_TEXT] =
		(struct val){ .s = b->text, .len = (uint32_t)cbpf_text(in.s, in.len, b->text, sizeof(b->text)) };
	n = cbpf_immediates(in.s, in.len, b->list, BYTES_INSNS);
	v[SLOT_SETSOCKOPT_IMMEDIATES] = (struct val){ .arr = b->list, .len = n };
	if (v[SLOT_SETSOCKOPT_FILTER_TRUNCATED].num)
		return;
	hash_sha256(in.s, in.len, digest);
	hash_hex(digest, HASH_SIZE, b->hash);
	v[SLOT_SETSOCKOPT_FILTER_HASH] = (struct val){ .s = b->hash, .len = HASH_HEX_SIZE - 1 };
}

void bytes_expand(struct bytes *b, struct event *ev)
{
	if (ev->type == EV_SETSOCKOPT)
		expand_filter(b, ev->v);
}
