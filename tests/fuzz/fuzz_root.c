/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text that says whose a log's first key is, certificate or note. Nobody has signed what comes here: it may be read, and is never
 * trusted.
 */
#include <stdlib.h>
#include <string.h>

#include "sensor/record/root.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct root_trust trust;
	char host[ROOT_HOST_MAX];
	struct sig_key *key = NULL;
	struct err e;

	if (!trust.key)
		must(sig_parse_public(FUZZ_PUB, strlen(FUZZ_PUB), "fuzz", &trust.key, NULL) == 0);
	if (root_key(data, size, NULL, &key, host, &e) == 0) {
		must(key && *host && strlen(host) < sizeof(host));
		sig_key_free(key);
		key = NULL;
	}
	must(root_key(data, size, &trust, &key, host, &e) < 0 && !key);
	return 0;
}
