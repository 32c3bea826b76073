/* SPDX-License-Identifier: Apache-2.0 */
/* What a container runtime answers: any bytes. The first one says which runtime; an 's' before the rest is the setting instead. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sensor/priv/runtime.h"
#include "tests/fuzz/fuzz.h"

static void try_setting(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct runtime_sources s;
	struct err e = { "" };

	must(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (runtime_parse(text, &s, &e) == 0)
		for (size_t i = 0; i < s.n; i++)
			must(s.v[i].kind < RUNTIME_KINDS && s.v[i].path[0] == '/' &&
			     memchr(s.v[i].path, 0, sizeof(s.v[i].path)));
	else
		must(e.msg[0]);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char id[] = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
	struct container_names n;
	char *copy;

	if (!size)
		return 0;
	if (data[0] == 's') {
		try_setting(data + 1, size - 1);
		return 0;
	}
	copy = malloc(size); /* of its very size: what reads beyond is found */
	must(copy);
	memcpy(copy, data + 1, size - 1);
	memset(&n, 'x', sizeof(n));
	if (runtime_answer(data[0] % RUNTIME_KINDS, id, copy, size - 1, &n) == 0)
		for (size_t i = 0; i < CONTAINER_NAMES; i++)
			must(memchr(n.text[i], 0, sizeof(n.text[i])) && container_text_ok(n.text[i]));
	free(copy);
	return 0;
}
