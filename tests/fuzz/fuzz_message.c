/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Messages between processes: whatever a peer sends, the check lets through only what the table allows, and reading the
 * alerts of a batch stays within it. The first two bytes choose sender and receiver.
 */

#include "sensor/priv/msg.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void read_alerts(const struct msg *m)
{
	const char *begin = m->body, *end = begin + m->len;
	struct alert_text a;
	uint32_t off = 0;
	uint64_t sum = 0;

	while (alert_text_next(m->body, m->len, &off, &a) > 0) {
		must(a.head >= begin && a.head_len <= (size_t)(end - a.head));
		must(a.tail >= a.head && a.tail_len <= (size_t)(end - a.tail));
		for (uint32_t i = 0; i < a.tail_len; i++)
			sum += (uint8_t)a.tail[i];
	}
	must(off <= m->len && sum < UINT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *copy;
	struct msg m;

	if (size < 2)
		return 0;
	/* a block of its own size, so that a read behind its end is seen */
	copy = malloc(size - 2 ? size - 2 : 1);
	memcpy(copy, data + 2, size - 2);
	if (msg_check(copy, size - 2, data[0] & 0x80 ? 9 : -1, data[0] % ROLES, data[1] % ROLES, &m) == 0) {
		must(m.type > MSG_NONE && m.type < MSG_TYPES);
		must(m.len + sizeof(struct msg_head) == size - 2);
		must(m.fd == (data[0] & 0x80 ? 9 : -1));
		must(strcmp(msg_name(m.type), "unknown") != 0);
		if (m.type == MSG_ALERTS)
			read_alerts(&m);
	}
	free(copy);
	return 0;
}
