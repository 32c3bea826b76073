/* SPDX-License-Identifier: Apache-2.0 */
/* The watches' section of any bytes: refused, or a list that packs to the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/watch_io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct watch_list list;
	struct buf out;
	struct err e;

	if (watch_unpack(data, size, &list, &e) < 0)
		return 0;
	buf_init(&out, 1 << 24);
	if (watch_pack(&list, &out) < 0 || out.len != size || memcmp(out.data, data, size) != 0)
		abort();
	buf_done(&out);
	watch_list_done(&list);
	return 0;
}
