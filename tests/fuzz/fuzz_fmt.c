/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tamisc fmt on any bytes: what it writes, it would write again. That the meaning stays it checks itself, and refuses what
 * it cannot write back.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy-compiler/fmt.h"
#include "policy-compiler/policy_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int format(const char *bytes, size_t size, struct buf *out)
{
	struct source src = { .path = "fuzz", .bytes = bytes, .size = size };
	struct diags d = diags_new();
	int r;

	buf_init(out, YAML_FILE_MAX);
	r = fmt_source(&src, policy_keys, &d, out);
	diags_done(&d);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once, twice;
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (format(text, size, &once) == 0) {
		if (format(buf_cstr(&once), once.len, &twice) < 0 || once.len != twice.len ||
		    memcmp(once.data, twice.data, once.len) != 0) {
			fprintf(stderr, "once:\n%s\ntwice:\n%s\n", buf_cstr(&once), buf_cstr(&twice));
			abort();
		}
		buf_done(&twice);
	}
	buf_done(&once);
	free(text);
	return 0;
}
