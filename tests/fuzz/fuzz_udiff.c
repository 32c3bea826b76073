/* SPDX-License-Identifier: Apache-2.0 */
/* Two texts, divided at the first byte 0: a diff is empty where they are the same, and only there. */
#include <stdint.h>
#include <stdlib.h>

#include "sensor/fim/udiff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
	struct buf out;
	size_t n, m;

	if (!zero)
		return 0;
	n = (size_t)(zero - data);
	m = size - n - 1;
	buf_init(&out, 64u << 20);
	if (udiff(data, n, zero + 1, m, &out) < 0 || (out.len == 0) != (n == m && memcmp(data, zero + 1, n) == 0))
		abort();
	buf_done(&out);
	return 0;
}
