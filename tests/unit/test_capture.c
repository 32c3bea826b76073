/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container of captures: what is put comes out, whatever else its bytes are is refused or ends early, nothing is read twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lib/capture.h"
#include "tests/unit/nomem.h"

#define FINGERPRINT 0x12345678u

static const struct capture_meta meta = {
	.clock = -7,
	.boot_ns = 1ull << 60,
	.tick_ns = 10000000,
	.all = true,
	.host = "web-1",
	.release = "6.1.0",
	.machine = "x86_64",
	.version = "0.1.0",
	.policy = "p.tpb",
	.policy_sha256 = "00ff",
};

/* All that a writer has ready goes to the end of @to. */
static void drain(struct capture_writer *w, struct buf *to)
{
	const void *p;
	size_t n;

	while ((n = capture_ready(w, &p)) > 0) {
		n = n < 1000 ? n : 1000;
		assert_int_equal(buf_put(to, p, n), 0);
		capture_taken(w, n);
	}
}

static void put_text(struct capture_writer *w, uint16_t type, const char *text)
{
	assert_int_equal(capture_put(w, type, text, strlen(text), NULL, 0), 0);
}

/* Three blocks: names, records and a loss, the trailer. */
static void make(struct buf *to)
{
	const struct capture_tick tick = { .clock = 5, .boot_ns = 6 };
	const struct capture_loss loss = { .where = CAPTURE_LOST_RING, .count = 3 };
	const struct capture_end end = { .why = CAPTURE_EVENTS, .records = 2, .events = 1, .lost = { 3 } };
	struct capture_writer w;

	buf_init(to, 1u << 20);
	assert_int_equal(capture_writer_init(&w, 1u << 20, FINGERPRINT), 0);
	assert_int_equal(capture_put_meta(&w, &meta), 0);
	put_text(&w, CAPTURE_USERS, "users");
	capture_close(&w);
	drain(&w, to);
	put_text(&w, CAPTURE_RECORD, "first");
	assert_int_equal(capture_put_tick(&w, &tick), 0);
	assert_int_equal(capture_put_loss(&w, &loss), 0);
	assert_int_equal(capture_put(&w, CAPTURE_RECORD, "sec", 3, "ond", 3), 0);
	capture_close(&w);
	capture_close(&w);
	assert_int_equal(capture_put_end(&w, &end), 0);
	capture_close(&w);
	assert_int_equal(capture_bytes(&w), w.written);
	drain(&w, to);
	assert_int_equal(w.written, to->len);
	capture_writer_done(&w);
}

/* One line of text for all that a capture holds; what ended it. */
static int read_all(const void *p, size_t size, struct buf *text)
{
	struct capture_reader *r;
	struct capture_entry e;
	struct capture_tick tick;
	struct capture_loss loss;
	struct err err = { "" };
	int k = capture_open_mem(p, size, FINGERPRINT, &r, &err);

	buf_reset(text);
	if (k < 0) {
		assert_true(err.msg[0]);
		return k;
	}
	buf_puts(text, capture_meta(r)->host);
	while ((k = capture_next(r, &e, &err)) == 1) {
		buf_printf(text, " %u:", e.type);
		if (e.type == CAPTURE_TICK && capture_get_tick(&e, &tick) == 0)
			buf_printf(text, "%d,%d", (int)tick.clock, (int)tick.boot_ns);
		else if (e.type == CAPTURE_LOSS && capture_get_loss(&e, &loss) == 0)
			buf_printf(text, "%u,%d", loss.where, (int)loss.count);
		else
			buf_put(text, e.p, e.size);
	}
	if (k == 0 && capture_end(r))
		buf_printf(text, " end %s %d", capture_why_name(capture_end(r)->why), (int)capture_end(r)->lost[0]);
	assert_true(k == 0 || err.msg[0]);
	capture_free(r);
	return k;
}

static const char whole[] = "web-1 2:users 4:first 6:5,6 7:0,3 4:second end events 3";

static void what_is_put_comes_out(void **state)
{
	struct buf file, text;

	(void)state;
	make(&file);
	buf_init(&text, 1u << 20);
	assert_int_equal(read_all(file.data, file.len, &text), 0);
	assert_string_equal(buf_cstr(&text), whole);
	buf_done(&file);
	buf_done(&text);
}

/* Readable up to the last whole block, whatever the length. */
static void cut_off_anywhere(void **state)
{
	struct buf file, text;
	uint8_t *copy;

	(void)state;
	make(&file);
	buf_init(&text, 1u << 20);
	for (size_t n = 0; n < file.len; n++) {
		int r;

		copy = malloc(n ? n : 1); /* of its own size, so that a read behind its end is seen */
		memcpy(copy, file.data, n);
		r = read_all(copy, n, &text);
		free(copy);
		if (r < 0)
			continue;
		assert_memory_equal(whole, text.data, text.len);
		assert_true(text.len < strlen(whole) - 10);
	}
	buf_done(&file);
	buf_done(&text);
}

/* A flipped bit is an error, or what came before it is there and no more; never something else. */
static void any_bit_flipped(void **state)
{
	struct buf file, text;

	(void)state;
	make(&file);
	buf_init(&text, 1u << 20);
	for (size_t bit = 0; bit < 8 * file.len; bit++) {
		int r;

		file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		r = read_all(file.data, file.len, &text);
		file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_memory_equal(whole, text.data, text.len);
		assert_true(r < 0 || text.len < strlen(whole) - 10);
	}
	buf_done(&file);
	buf_done(&text);
}

static void other_catalogs_and_versions(void **state)
{
	struct capture_reader *r;
	struct err e = { "" };
	struct buf file;

	(void)state;
	make(&file);
	assert_int_equal(capture_open_mem(file.data, file.len, FINGERPRINT + 1, &r, &e), -EPROTONOSUPPORT);
	assert_non_null(strstr(e.msg, "another catalog"));
	assert_int_equal(capture_open_mem("nothing of the kind at all", 26, FINGERPRINT, &r, &e), -EBADMSG);
	assert_non_null(strstr(e.msg, "tamisctl capture -o"));
	buf_done(&file);
}

static void bounds(void **state)
{
	static uint8_t big[CAPTURE_ENTRY_MAX + 1];
	struct capture_writer w;
	const void *p;

	(void)state;
	assert_int_equal(capture_writer_init(&w, 2 * CAPTURE_BLOCK_MAX, FINGERPRINT), 0);
	assert_int_equal(capture_put(&w, CAPTURE_RECORD, big, sizeof(big), NULL, 0), -EFBIG);
	assert_int_equal(capture_put(&w, CAPTURE_RECORD, big, CAPTURE_ENTRY_MAX, NULL, 0), 0);
	assert_int_equal(capture_put(&w, CAPTURE_RECORD, big, CAPTURE_ENTRY_MAX, NULL, 0), -EFBIG);
	/* what is there stays good, and there is room again when it went */
	capture_close(&w);
	capture_taken(&w, capture_ready(&w, &p));
	assert_int_equal(capture_ready(&w, &p), 0);
	assert_int_equal(capture_put(&w, CAPTURE_RECORD, big, CAPTURE_ENTRY_MAX, NULL, 0), 0);
	capture_writer_done(&w);
}

/* Without memory an entry is refused as a whole, and those before and after it are read. */
static void without_memory(void **state)
{
	static const uint8_t big[4000];
	struct buf file, text;
	long n;

	(void)state;
	buf_init(&text, 1u << 20);
	for (n = 1; n < 100; n++) {
		struct capture_writer w;
		int put = 0, r;

		buf_init(&file, 1u << 20);
		if (capture_writer_init(&w, 1u << 20, FINGERPRINT) < 0 || capture_put_meta(&w, &meta) < 0)
			fail();
		nomem_begin(n);
		for (int i = 0; i < 40; i++)
			put += capture_put(&w, CAPTURE_RECORD, big, sizeof(big), NULL, 0) == 0;
		r = nomem_end();
		capture_close(&w);
		drain(&w, &file);
		capture_writer_done(&w);
		assert_int_equal(read_all(file.data, file.len, &text), 0);
		assert_int_equal(text.len, 5 + (size_t)put * (3 + sizeof(big)));
		buf_done(&file);
		if (!r)
			break;
	}
	assert_true(n < 100);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_comes_out),
		cmocka_unit_test(cut_off_anywhere),
		cmocka_unit_test(any_bit_flipped),
		cmocka_unit_test(other_catalogs_and_versions),
		cmocka_unit_test(bounds),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
