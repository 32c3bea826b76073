/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as kernel records, one after the other by the size in their heads: through the queue, the decoder, the process
 * table and the alert's JSON. Each record lies in memory of exactly its size. What comes out has to be JSON of bounded length.
 * The corpus is made by tests/fuzz/seed_record.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sensor/enrich/alert.h"
#include "sensor/enrich/enrich.h"
#include "sensor/ingest/queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A program with one rule for each event type. */
static const struct program *rules(void)
{
	static struct program_builder *b;
	static struct program p;

	if (b)
		return &p;
	if (program_builder_new(catalog_tamis(), &b) < 0)
		abort();
	for (uint16_t t = 1; t < EV_TYPES; t++) {
		struct prule r = { .root = (uint32_t)program_node(b, N_BOOL, 0, 0, 0, 1), .event = t };
		uint32_t tag[2];

		tag[0] = tag[1] = r.id = (uint32_t)program_str_add(b, "rule", 4);
		if (program_rule_add(b, &r, tag, 1) < 0)
			abort();
	}
	p = program_view(b);
	return &p;
}

struct chain {
	struct queue *queue;
	struct decode *decode;
	struct enrich *enrich;
	struct alert *alert;
	struct buf out;
};

static void chain_begin(struct chain *c)
{
	const struct enrich_options eo = {
		.hostname = "fuzz", .origin = "ebpf", .max_images = 64, .max_bytes = 1 << 20
	};
	struct alert_options ao = { .hostname = "fuzz" };

	if (queue_new(QUEUE_MIN, &c->queue) < 0 || decode_new(catalog_tamis(), &c->decode) < 0 ||
	    enrich_new(&eo, &c->enrich) < 0)
		abort();
	ao.table = enrich_proctable(c->enrich);
	if (alert_new(&ao, rules(), &c->alert) < 0)
		abort();
	buf_init(&c->out, ALERT_MAX);
}

static void chain_end(struct chain *c)
{
	buf_done(&c->out);
	alert_free(c->alert);
	enrich_free(c->enrich);
	decode_free(c->decode);
	queue_free(c->queue);
}

static void chain_record(struct chain *c, const void *rec, size_t size)
{
	struct decoded d;
	size_t gap;

	if (decode_record(c->decode, rec, size, &d) != 1)
		return;
	enrich_event(c->enrich, &d);
	buf_reset(&c->out);
	if (alert_render(c->alert, &d.ev, (uint32_t)d.ev.type - 1, NULL, &c->out, &gap) < 0)
		abort();
	if (c->out.len < 2 || c->out.data[0] != '{' || c->out.data[c->out.len - 1] != '}' || gap >= c->out.len)
		abort();
}

/* Bytes of the record at @p: what its head says, within bounds, or all that is left. */
static size_t record_size(const uint8_t *p, size_t left)
{
	uint32_t size;

	if (left < sizeof(size))
		return left;
	memcpy(&size, p, sizeof(size));
	return size >= 8 && size <= left ? size : left;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct chain c;

	chain_begin(&c);
	while (size) {
		size_t n = record_size(data, size);
		void *copy;

		if (queue_push(c.queue, data, n) == 0)
			queue_pop(c.queue);
		copy = malloc(n);
		if (!copy)
			abort();
		memcpy(copy, data, n);
		chain_record(&c, copy, n);
		free(copy);
		data += n;
		size -= n;
	}
	chain_end(&c);
	return 0;
}
