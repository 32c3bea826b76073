/* SPDX-License-Identifier: Apache-2.0 */
/* JSON to event; where it is one, what is written of it reads as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/event_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct event_json *writer;

static int read_write(const char *text, size_t len, struct buf *out)
{
	struct event_mem mem;
	struct event ev;
	struct err err;
	int r;

	event_mem_init(&mem, 4 << 20);
	r = event_json_read(catalog_tamis(), text, len, &mem, &ev, &err);
	if (r == 0)
		event_json_write(writer, &ev, out);
	event_mem_done(&mem);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf one, two;

	if (!writer && event_json_new(catalog_tamis(), &writer) < 0)
		abort();
	buf_init(&one, 8 << 20);
	buf_init(&two, 8 << 20);
	if (read_write((const char *)data, size, &one) == 0 && !buf_error(&one)) {
		if (read_write((const char *)one.data, one.len, &two) < 0)
			abort();
		if (one.len != two.len || memcmp(one.data, two.data, one.len) != 0)
			abort();
	}
	buf_done(&one);
	buf_done(&two);
	return 0;
}
