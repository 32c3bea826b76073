/* SPDX-License-Identifier: Apache-2.0 */

/* A file of checkpoints is untrusted: parsing ends, stays inside, and a signature is never good by accident. */

#include "lib/cleanup.h"
#include "sensor/record/checkpoint.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sig_key *key;
	struct rd r = rd_of(data, size);
	struct checkpoint_note n;
	struct err e;

	if (!key)
		must(sig_parse_public(FUZZ_PUB, strlen(FUZZ_PUB), "fuzz", &key, NULL) == 0);
	while (r.left) {
		const uint8_t *from = r.p;

		if (checkpoint_next(&r, &n, &e) < 0) {
			must(r.p == from);
			break;
		}
		must(n.p == from && n.len == (size_t)(r.p - from) && n.text_len < n.len && n.sig_len <= SIG_MAX);
		must(from[n.text_len - 1] == '\n' && from[n.text_len] == '\n' && from[n.len - 1] == '\n');
		must(checkpoint_verify(&n, key, &e) < 0);
	}
	return 0;
}
