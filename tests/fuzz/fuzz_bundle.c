/* SPDX-License-Identifier: Apache-2.0 */
/* The container with any bytes, as of an untrusted file. Its sections have to lie within it. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	volatile uint8_t sum = 0; /* so that the bytes are read */
	struct bundle b;
	struct err err;

	if (bundle_parse(data, size, NULL, &b, &err) < 0)
		return 0;
	for (uint32_t i = 0; i < b.nsections; i++) {
		size_t n;
		const uint8_t *p = bundle_section(&b, b.section[i].type, &n);

		if (!p || (uintptr_t)p % 64)
			abort();
		for (size_t k = 0; k < n; k++)
			sum = (uint8_t)(sum + p[k]);
	}
	(void)sum;
	bundle_done(&b);
	return 0;
}
