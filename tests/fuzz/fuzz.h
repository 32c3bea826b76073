/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_TESTS_FUZZ_H
#define TAMIS_TESTS_FUZZ_H

/* What fuzz targets share. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void must(bool holds)
{
	if (!holds)
		abort();
}

/* The public key of RFC 6979 A.2.5; nothing in a corpus is signed by it. */
#define FUZZ_PUB                                                                                                       \
	"-----BEGIN PUBLIC KEY-----\n"                                                                                 \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7\n"                                           \
	"Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==\n"                                               \
	"-----END PUBLIC KEY-----\n"

#endif
