/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/bytes.h"

#include "lib/cbpf.h"
#include "lib/dns.h"
#include "lib/hash.h"
#include "lib/imds.h"

_Static_assert(sizeof(((struct bytes *)0)->text) >= BYTES_INSNS * CBPF_TEXT_INSN, "room for every instruction");
_Static_assert(sizeof(((struct bytes *)0)->text) >= DNS_NAME_TEXT, "room for a name");
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

static void expand_question(struct bytes *b, struct val *v)
{
	struct val in = v[SLOT_DNS_NAME];
	size_t n;

	v[SLOT_DNS_NAME] = (struct val){ .s = NULL };
	if (in.len && dns_question_name(in.s, in.len, b->text, &n) == 0)
		v[SLOT_DNS_NAME] = (struct val){ .s = b->text, .len = (uint32_t)n };
}

static void expand_metadata(struct val *v)
{
	struct val in = v[SLOT_IMDS_URL];
	struct imds m;

	imds_parse(in.len ? in.s : "", in.len, &m);
	v[SLOT_IMDS_URL] = m.url;
	v[SLOT_IMDS_HOST] = m.host;
	v[SLOT_IMDS_AGENT] = m.agent;
	v[SLOT_IMDS_SERVER] = m.server;
	v[SLOT_IMDS_CLOUD] = m.cloud;
	v[SLOT_IMDS_AWS_TYPE] = m.credentials;
	v[SLOT_IMDS_AWS_V2].num = m.aws_v2;
	v[SLOT_IMDS_TYPE] =
		m.response ? (struct val){ .s = "response", .len = 8 } : (struct val){ .s = "request", .len = 7 };
}

void bytes_expand(struct bytes *b, struct event *ev)
{
	if (ev->type == EV_SETSOCKOPT)
		expand_filter(b, ev->v);
	else if (ev->type == EV_DNS)
		expand_question(b, ev->v);
	else if (ev->type == EV_IMDS)
		expand_metadata(ev->v);
}
