/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What records bring as bytes; the first byte says of which event. Values that come out lie within the bytes or within the
 * room that they were made in, and a name is one that can be written.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sensor/enrich/bytes.h"
#include "sensor/enrich/hostnames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(struct val v)
{
	volatile char sink = 0;

	for (uint32_t i = 0; i < v.len; i++)
		sink ^= v.s[i];
	(void)sink;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct bytes b;
	static const struct {
		uint16_t type;
		uint8_t slot;
	} kinds[] = {
		{ EV_SETSOCKOPT, SLOT_SETSOCKOPT_FILTER_TEXT },
		{ EV_DNS, SLOT_DNS_NAME },
		{ EV_IMDS, SLOT_IMDS_URL },
	};
	struct event ev;
	unsigned kind;
	char *copy;

	if (!size || size - 1 > EV_PATH_MAX)
		return 0;
	kind = data[0] % 3;
	copy = malloc(size); /* of its very size */
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size - 1);
	memset(&ev, 0, sizeof(ev));
	ev.type = kinds[kind].type;
	ev.v[kinds[kind].slot] = (struct val){ .s = copy, .len = (uint32_t)(size - 1) };
	bytes_expand(&b, &ev);
	if (kind == 0) {
		touch(ev.v[SLOT_SETSOCKOPT_FILTER_TEXT]);
		touch(ev.v[SLOT_SETSOCKOPT_FILTER_HASH]);
		if (ev.v[SLOT_SETSOCKOPT_IMMEDIATES].len > BYTES_INSNS)
			abort();
	} else if (kind == 1) {
		struct hostnames_table names = { NULL };

		hostnames_learn(&names, copy, size - 1, 1);
		hostnames_done(&names);
		touch(ev.v[SLOT_DNS_NAME]);
		for (uint32_t i = 0; i < ev.v[SLOT_DNS_NAME].len; i++)
			if (ev.v[SLOT_DNS_NAME].s[i] <= ' ' || ev.v[SLOT_DNS_NAME].s[i] >= 0x7f)
				abort();
	} else {
		for (unsigned k = SLOT_IMDS_ICMP + 1; k < SLOT_IMDS_COUNT; k++)
			if (k != SLOT_IMDS_AWS_V2)
				touch(ev.v[k]);
	}
	free(copy);
	return 0;
}
