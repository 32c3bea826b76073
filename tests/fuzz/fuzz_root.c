/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text that says whose a log's first key is, certificate or note. Nobody has signed what comes here: it may be read, and is never
 * trusted.
 */
#include <stdlib.h>
#include <string.h>

#include "sensor/record/root.h"

static const char fuzz_pub[] = "-----BEGIN PUBLIC KEY-----\n"
			       "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7\n"
			       "Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==\n"
			       "-----END PUBLIC KEY-----\n";

static void must(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct root_trust trust;
	char host[ROOT_HOST_MAX];
	struct sig_key *key = NULL;
	struct err e;

	if (!trust.key)
		must(sig_parse_public(fuzz_pub, strlen(fuzz_pub), "fuzz", &trust.key, NULL) == 0);
	if (root_key(data, size, NULL, &key, host, &e) == 0) {
		must(key && *host && strlen(host) < sizeof(host));
		sig_key_free(key);
		key = NULL;
	}
	must(root_key(data, size, &trust, &key, host, &e) < 0 && !key);
	return 0;
}
