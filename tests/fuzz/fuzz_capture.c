/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a capture: through the reader, played back up to the JSON of each event, and as a workload. Checksums would stop almost all of
 * them at the door, so the bytes are also taken as the entries of one block, which is given the head and checksum that it needs:
 *
 *	first byte even: a file (with bit 1: its head as it is); odd: entries, as u16 type, u16 length, bytes
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/event_json.h"
#include "policy-compiler/workload.h"
#include "sensor/enrich/playback.h"
#include "sensor/priv/fetch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct event_json *json(void)
{
	static struct event_json *j;

	if (!j && event_json_new(catalog_tamis(), &j) < 0)
		abort();
	return j;
}

static int on_lookup(void *ctx, const void *bytes, size_t len)
{
	return fetch_tell(ctx, bytes, len);
}

/* Asks for a hash and a package of each event that has them. */
static void look_up(struct fetch *f, struct decoded *d)
{
	const struct catalog *c = catalog_tamis();

	fetch_begin(f, &d->ev);
	for (uint32_t i = 0; i < c->nfields; i++)
		if (c->fields[i].flags & CF_FETCH &&
		    (c->fields[i].event == EV_NONE || c->fields[i].event == d->ev.type))
			fetch_field(f, &d->ev, i);
}

static void play(const void *p, size_t size)
{
	void *copy = malloc(size ? size : 1); /* of its own size, so that a read behind its end is seen */
	struct playback *b;
	struct workload *l;
	struct fetch *f;
	struct err e = { "" };
	struct decoded d;
	struct buf out;
	int r;

	if (!copy)
		abort();
	memcpy(copy, p, size);
	buf_init(&out, 4u << 20);
	r = playback_open_mem(copy, size, &b, &e);
	if (r == 0) {
		if (fetch_new(catalog_tamis(), &(struct fetch_asked){ .mountinfo = "" }, &f) < 0)
			abort();
		fetch_tell(f, NULL, 0);
		playback_on_lookup(b, on_lookup, f);
		while ((r = playback_next(b, &d, &e)) == 1) {
			look_up(f, &d);
			buf_reset(&out);
			event_json_write(json(), &d.ev, &out);
			fetch_end(f);
		}
		fetch_free(f);
		playback_free(b);
	}
	if (r < 0 && !e.msg[0])
		abort();
	if (workload_read_mem(catalog_tamis(), copy, size, &l, &e) == 0)
		workload_free(l);
	buf_done(&out);
	free(copy);
}

/* With the head that this catalog asks for, so that files of the corpus outlive changes of it. */
static void play_file(const uint8_t *p, size_t size, bool own_head)
{
	struct capture_writer w;
	const void *head;
	uint8_t *copy = malloc(size ? size : 1);
	size_t n;

	if (!copy || capture_writer_init(&w, 1u << 20, catalog_fingerprint(catalog_tamis())) < 0)
		abort();
	memcpy(copy, p, size);
	n = capture_ready(&w, &head);
	if (!own_head)
		memcpy(copy, head, n < size ? n : size);
	play(copy, size);
	capture_writer_done(&w);
	free(copy);
}

static void put_entries(struct capture_writer *w, const uint8_t *p, size_t left)
{
	while (left >= 4) {
		uint16_t type = (uint16_t)(p[0] | p[1] << 8);
		size_t len = (size_t)(p[2] | p[3] << 8);

		p += 4;
		left -= 4;
		len = len < left ? len : left;
		capture_put(w, type % CAPTURE_TYPES, p, len, NULL, 0);
		p += len;
		left -= len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct capture_meta meta = { .host = "fuzz", .tick_ns = 10000000 };
	struct capture_writer w;
	const void *p;
	size_t n;

	if (!size)
		return 0;
	if (!(data[0] & 1)) {
		play_file(data + 1, size - 1, data[0] & 2);
		return 0;
	}
	if (capture_writer_init(&w, 8u << 20, catalog_fingerprint(catalog_tamis())) < 0 ||
	    capture_put_meta(&w, &meta) < 0)
		abort();
	put_entries(&w, data + 1, size - 1);
	capture_close(&w);
	n = capture_ready(&w, &p);
	play(p, n);
	capture_writer_done(&w);
	return 0;
}
