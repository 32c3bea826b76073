/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What file integrity reads of its database, as any bytes: facts, changes, the signed head, texts that are kept. The first
 * byte says which. What is accepted packs to the same bytes, can be compared with itself, and can be shown.
 */
#include <stdint.h>
#include <stdlib.h>

#include "sensor/fim/seal.h"
#include "sensor/fim/show.h"
#include "sensor/fim/text.h"
#include "tests/fuzz/fuzz.h"

static void fact(const uint8_t *p, size_t n)
{
	struct fact f;
	struct buf out;
	struct jsonw w;

	if (fact_read(p, n, &f) < 0)
		return;
	buf_init(&out, 64u << 20);
	must(fact_put(&f, &out) == 0 && out.len == n && memcmp(out.data, p, n) == 0);
	must(fact_compare(&f, &f, WATCH_ALL, false, false) == 0);
	buf_reset(&out);
	w = jsonw_to(&out);
	show_fact_json(&w, &f, WATCH_ALL);
	must(buf_error(&out) == 0);
	buf_done(&out);
}

static void change(const uint8_t *p, size_t n)
{
	struct change c;
	struct buf out;
	struct jsonw w;

	if (change_read(p, n, &c) < 0)
		return;
	buf_init(&out, 64u << 20);
	must(change_put(&c, &out) == 0 && out.len == n && memcmp(out.data, p, n) == 0);
	buf_reset(&out);
	w = jsonw_to(&out);
	show_change_json(&w, p, n < 64 ? n : 64, &c, NULL, NULL);
	must(buf_error(&out) == 0);
	buf_done(&out);
}

static void text(const uint8_t *p, size_t n)
{
	struct buf out;

	buf_init(&out, 65536 + 1);
	must(text_unpack(p, n, 65536, &out) < 0 || out.len <= 65536);
	buf_done(&out);
}

/* What was quoted has no byte that could do something. */
static void quote(const uint8_t *p, size_t n)
{
	struct buf out;

	buf_init(&out, 64u << 20);
	show_quote(&out, p, n);
	for (size_t i = 0; i < out.len; i++)
		must(out.data[i] >= 0x20 && out.data[i] != 0x7f);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seal_head head;
	struct err e;

	if (!size)
		return 0;
	switch (data[0]) {
	case 'f':
		fact(data + 1, size - 1);
		break;
	case 'c':
		change(data + 1, size - 1);
		break;
	case 'h':
		seal_read(data + 1, size - 1, &head, &e);
		break;
	case 't':
		text(data + 1, size - 1);
		break;
	default:
		quote(data, size);
	}
	return 0;
}
