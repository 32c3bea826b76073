/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server answers to a webhook or to OTLP, and the texts and templates that go out: any bytes. The first byte says which; a NUL
 * ends the template, the rest is text and answer alike.
 */
#if __has_include(<curl/curl.h>)
#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/curl_recorder.h"

static struct http_sink sink_of(uint8_t kind)
{
	return (struct http_sink){
		.curl = (CURL *)&recorder,
		.service = &services[kind % 4],
		.otlp = kind & 4,
		.max_text = kind & 8 ? 100 : 4000,
		.parts = 1 + (kind >> 4) % PARTS_MAX,
	};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tamis_sink_result ret = { 0 };
	struct tamis_sink_field fields[3] = { { "message", NULL }, { "args", NULL }, { NULL, NULL } };
	struct tamis_sink_message m = { .id = "h/1", .key = "h", .fields = fields };
	struct tamis_sink_error e = { "" };
	struct http_sink s;
	char *text, *rest;
	int r;

	if (size < 2)
		return 0;
	s = sink_of(data[0]);
	text = malloc(size);
	must(text);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	rest = text + strlen(text) < text + size - 1 ? text + strlen(text) + 1 : text;
	if (rest != text && !s.otlp)
		s.template = text;
	fields[0].value = fields[1].value = rest;
	m.text = s.otlp ? "{\"resourceLogs\":[{}]}" : "{}";
	m.len = strlen(m.text);
	recorder.status = data[0] & 1 ? 200 : 400 + data[0];
	recorder.answer = rest;
	recorder.answer_len = size - 1 - (size_t)(rest - text);
	recorder.sink = &s;
	recorder.n = 0;
	r = http_send(&s, &m, 1, &ret, &e);
	must(ret.taken <= 1 && ret.handed <= 1 && ret.refused <= ret.taken && (r < 0) == (ret.taken == 0));
	must(recorder.n >= 1 && recorder.n <= PARTS_MAX);
	must(memchr(e.text, '\0', sizeof(e.text)));
	free(text);
	free(s.body.p);
	free(s.words.p);
	return 0;
}
#else
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return 0;
}
#endif
