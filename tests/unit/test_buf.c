/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/b64.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"

static void a_buffer_grows_to_its_maximum_and_no_further(void **state)
{
	struct buf b;

	buf_init(&b, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_putc(&b, 'x'), 0);
	assert_int_equal(b.len, 1000);
	assert_int_equal(buf_putc(&b, 'x'), -EFBIG);
	assert_int_equal(b.len, 1000);
	/* the error stays until the buffer is reset */
	buf_truncate(&b, 10);
	assert_int_equal(buf_puts(&b, "y"), -EFBIG);
	assert_int_equal(buf_error(&b), -EFBIG);
	buf_reset(&b);
	assert_int_equal(buf_puts(&b, "y"), 0);
	buf_done(&b);
	buf_done(NULL);
}

static void huge_sizes_do_not_wrap(void **state)
{
	struct buf b;

	buf_init(&b, SIZE_MAX / 2);
	assert_int_equal(buf_putc(&b, 'x'), 0);
	assert_int_equal(buf_grow(&b, SIZE_MAX), -EFBIG);
	buf_done(&b);
	buf_init(&b, 8);
	assert_int_equal(buf_put(&b, "", 0), 0);
	assert_int_equal(buf_printf(&b, "%s", "1234567"), 0);
	assert_string_equal(buf_cstr(&b), "1234567");
	assert_int_equal(b.len, 7);
	buf_done(&b);
}

static void integers_come_back(void **state)
{
	struct buf b;
	struct rd r;
	uint8_t u8 = 0;
	uint16_t u16 = 0;
	uint32_t u32 = 0;
	uint64_t u64 = 0;

	buf_init(&b, 100);
	buf_putc(&b, 0xfe);
	buf_put_u16(&b, 0xfedc);
	buf_put_u32(&b, 0xfedcba98);
	buf_put_u64(&b, 0xfedcba9876543210);
	assert_int_equal(b.len, 15);
	assert_int_equal(b.data[1], 0xdc);
	r = rd_of(b.data, b.len);
	assert_int_equal(rd_u8(&r, &u8), 0);
	assert_int_equal(rd_u16(&r, &u16), 0);
	assert_int_equal(rd_u32(&r, &u32), 0);
	assert_int_equal(rd_end(&r), -EBADMSG);
	assert_int_equal(rd_u64(&r, &u64), 0);
	assert_int_equal(rd_end(&r), 0);
	assert_true(u8 == 0xfe && u16 == 0xfedc && u32 == 0xfedcba98 && u64 == 0xfedcba9876543210);
	buf_done(&b);
}

static void a_reader_stops_at_its_end(void **state)
{
	static const uint8_t bytes[7] = { 1, 2, 3, 4, 5, 6, 7 };
	const uint8_t *p = NULL;
	uint8_t u8 = 99;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	struct rd r, sub;

	for (size_t n = 0; n <= sizeof(bytes); n++) {
		r = rd_of(bytes, n);
		assert_int_equal(rd_u64(&r, &u64), -EBADMSG);
		assert_int_equal(rd_bytes(&r, n + 1, &p), -EBADMSG);
		assert_int_equal(rd_sub(&r, n + 1, &sub), -EBADMSG);
		assert_int_equal(rd_skip(&r, SIZE_MAX), -EBADMSG);
		assert_int_equal(r.left, n);
		assert_int_equal(rd_u32(&r, &u32), n < 4 ? -EBADMSG : 0);
		r = rd_of(bytes, n);
		assert_int_equal(rd_u16(&r, &u16), n < 2 ? -EBADMSG : 0);
		r = rd_of(bytes, n);
		assert_int_equal(rd_bytes(&r, n, &p), 0);
		assert_int_equal(rd_u8(&r, &u8), -EBADMSG);
	}
	assert_null(rd_of(NULL, 0).p);
	assert_int_equal(u8, 99);
}

static void decimal_digits(void **state)
{
	struct buf b;

	buf_init(&b, 100);
	buf_put_dec(&b, 0);
	buf_putc(&b, ' ');
	buf_put_dec(&b, UINT64_MAX);
	assert_string_equal(buf_cstr(&b), "0 18446744073709551615");
	buf_done(&b);
}

/* Every number of up to five digits, and those around each power of ten and of two. */
static void decimal_digits_are_those_of_printf(void **state)
{
	uint64_t power = 1;
	struct buf b;

	buf_init(&b, 100);
	for (uint64_t i = 0; i < 100000 + 3 * 84; i++) {
		uint64_t v = i < 100000 ? i : power + (i - 100000) % 3 - 1;
		char want[24];

		if (i >= 100000 && (i - 100000) % 3 == 2)
			power = i < 100000 + 3 * 19 ? power * 10 : i < 100000 + 3 * 20 ? 1 : power * 2;
		snprintf(want, sizeof(want), "%llu", (unsigned long long)v);
		buf_reset(&b);
		buf_put_dec(&b, v);
		assert_string_equal(buf_cstr(&b), want);
	}
	buf_done(&b);
}

static void base64_vectors_of_rfc_4648(void **state)
{
	static const char *const text[] = { "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };
	uint8_t out[8];
	struct buf b;
	size_t n;

	for (size_t i = 0; i < 7; i++) {
		buf_init(&b, 100);
		b64_encode(&b, "foobar", i);
		assert_string_equal(buf_cstr(&b), text[i]);
		assert_int_equal(b64_decode(text[i], strlen(text[i]), out, sizeof(out), &n), 0);
		assert_int_equal(n, i);
		assert_memory_equal(out, "foobar", i);
		buf_done(&b);
	}
	assert_int_equal(b64_decode("Zm9vYmFy", 8, out, 5, &n), -ENOSPC);
}

static void base64_has_one_spelling(void **state)
{
	static const char *const bad[] = { "Zg",       "Zg=",	 "Zh==",     "Zm9=", "Z===", "====",
					   "Zg==Zg==", "Zm9v\n", "Zm 9v===", "Zm-v", "Z=8=" };
	uint8_t out[16];
	size_t n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(b64_decode(bad[i], strlen(bad[i]), out, sizeof(out), &n), -EBADMSG);
}

static void an_error_can_quote_itself(void **state)
{
	struct err e = { "" };

	assert_int_equal(err_set(&e, -ENOENT, "no file"), -ENOENT);
	assert_int_equal(err_set(&e, -EIO, "cannot start: %s", e.msg), -EIO);
	assert_string_equal(e.msg, "cannot start: no file");
	assert_int_equal(err_sys(&e, -ENOENT, "cannot open", "/x"), -ENOENT);
	assert_string_equal(e.msg, "cannot open /x: No such file or directory");
	assert_int_equal(err_set(NULL, -EIO, "nobody listens"), -EIO);
	err_clear(&e);
	err_clear(NULL);
	assert_string_equal(e.msg, "");
}

static void ownership_is_handed_over(void **state)
{
	char *taken;
	int fd;

	{
		_cleanup_free_ char *p = strdup("kept");
		_cleanup_close_ int own = dup(0);

		fd = own;
		assert_int_equal(TAKE_FD(own), fd);
		assert_int_equal(own, -1);
		taken = TAKE_PTR(p);
		assert_null(p);
	}
	assert_string_equal(taken, "kept");
	free(taken);
	assert_int_equal(close(fd), 0);
	{
		_cleanup_close_ int own = dup(0);

		fd = own;
	}
	assert_int_equal(close(fd), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_grows_to_its_maximum_and_no_further),
		cmocka_unit_test(huge_sizes_do_not_wrap),
		cmocka_unit_test(integers_come_back),
		cmocka_unit_test(a_reader_stops_at_its_end),
		cmocka_unit_test(decimal_digits),
		cmocka_unit_test(decimal_digits_are_those_of_printf),
		cmocka_unit_test(base64_vectors_of_rfc_4648),
		cmocka_unit_test(base64_has_one_spelling),
		cmocka_unit_test(an_error_can_quote_itself),
		cmocka_unit_test(ownership_is_handed_over),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
