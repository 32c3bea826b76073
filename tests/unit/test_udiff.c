/* SPDX-License-Identifier: Apache-2.0 */
/* Unified diffs: those of diff(1) on small texts, on many random ones, and bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "sensor/fim/text.h"
#include "sensor/fim/udiff.h"

static void expect(const char *a, const char *b, const char *want)
{
	struct buf out;

	buf_init(&out, 1 << 20);
	assert_int_equal(udiff(a, strlen(a), b, strlen(b), &out), 0);
	assert_string_equal(out.len ? buf_cstr(&out) : "", want);
	buf_done(&out);
}

static void test_small(void **state)
{
	expect("", "", "");
	expect("a\nb\n", "a\nb\n", "");
	expect("", "a\n", "@@ -0,0 +1 @@\n+a\n");
	expect("a\n", "", "@@ -1 +0,0 @@\n-a\n");
	expect("a\nb\nc\n", "a\nx\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n");
	expect("a", "a\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
	expect("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nX\n6\n7\n8\n9\n",
	       "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+X\n 6\n 7\n 8\n");
}

/* Applies a diff to the old text: what comes out has to be the new one. */
static void apply(const char *old, const char *diff, struct buf *out)
{
	const char *at = old;

	while (*diff) {
		unsigned long from = 0, n = 1, line = 1;
		char *end;

		assert_memory_equal(diff, "@@ -", 4);
		from = strtoul(diff + 4, &end, 10);
		if (*end == ',')
			n = strtoul(end + 1, &end, 10);
		diff = strchr(diff, '\n') + 1;
		if (n == 0)
			from++;
		for (const char *p = old; p < at; p++)
			line += *p == '\n';
		for (; line < from; line++) {
			const char *nl = strchr(at, '\n') + 1;

			buf_put(out, at, (size_t)(nl - at));
			at = nl;
		}
		while (*diff && *diff != '@') {
			const char *nl = strchr(diff, '\n') + 1;
			size_t len = (size_t)(nl - diff) - 1;

			if (nl[0] == '\\')
				len--;
			if (*diff != '+') {
				assert_memory_equal(at, diff + 1, len);
				at += len;
			}
			if (*diff != '-')
				buf_put(out, diff + 1, len);
			diff = nl[0] == '\\' ? strchr(nl, '\n') + 1 : nl;
		}
	}
	buf_puts(out, at);
}

static void random_text(struct buf *b, unsigned int *seed, int lines, int letters)
{
	buf_reset(b);
	for (int i = 0; i < lines; i++) {
		buf_putc(b, (uint8_t)('a' + rand_r(seed) % letters));
		if (i < lines - 1 || rand_r(seed) % 3)
			buf_putc(b, '\n');
	}
}

static void test_random(void **state)
{
	struct buf a, b, out, back;
	unsigned int seed = 1;

	buf_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	buf_init(&out, 1 << 22);
	buf_init(&back, 1 << 22);
	for (int i = 0; i < 20000; i++) {
		random_text(&a, &seed, rand_r(&seed) % 30, 1 + rand_r(&seed) % 5);
		random_text(&b, &seed, rand_r(&seed) % 30, 1 + rand_r(&seed) % 5);
		buf_reset(&out);
		buf_reset(&back);
		assert_int_equal(udiff(a.data, a.len, b.data, b.len, &out), 0);
		assert_int_equal(out.len == 0, a.len == b.len && (!a.len || memcmp(a.data, b.data, a.len) == 0));
		apply(buf_cstr(&a), buf_cstr(&out), &back);
		assert_int_equal(back.len, b.len);
		assert_memory_equal(back.data ? back.data : (uint8_t *)"", b.data ? b.data : (uint8_t *)"", b.len);
	}
	/* nothing in common, and more lines than are looked for */
	random_text(&a, &seed, 3000, 2);
	random_text(&b, &seed, 3000, 26);
	for (size_t i = 0; i < b.len; i++)
		b.data[i] = b.data[i] == '\n' ? '\n' : 'Z';
	buf_reset(&out);
	buf_reset(&back);
	assert_int_equal(udiff(a.data, a.len, b.data, b.len, &out), 0);
	apply(buf_cstr(&a), buf_cstr(&out), &back);
	assert_int_equal(back.len, b.len);
	assert_memory_equal(back.data, b.data, b.len);
	buf_done(&a);
	buf_done(&b);
	buf_done(&out);
	buf_done(&back);
}

static void test_text(void **state)
{
	struct buf packed, out;
	uint8_t text[5000];

	memset(text, 'x', sizeof(text));
	buf_init(&packed, 1 << 20);
	buf_init(&out, 1 << 20);
	assert_int_equal(text_pack(text, sizeof(text), &packed), 0);
	assert_true(packed.len < 100);
	assert_int_equal(text_unpack(packed.data, packed.len, sizeof(text), &out), 0);
	assert_int_equal(out.len, sizeof(text));
	assert_memory_equal(out.data, text, sizeof(text));
	/* a bomb, a lie about the size, a cut one */
	assert_int_equal(text_unpack(packed.data, packed.len, sizeof(text) - 1, &out), -EBADMSG);
	packed.data[0]--;
	assert_int_equal(text_unpack(packed.data, packed.len, sizeof(text), &out), -EBADMSG);
	packed.data[0]++;
	for (size_t n = 0; n < packed.len; n++)
		assert_int_equal(text_unpack(packed.data, n, sizeof(text), &out), -EBADMSG);
	assert_true(text_is_plain("a\n", 2) && text_is_plain("", 0));
	assert_false(text_is_plain("a\0b", 3));
	assert_false(text_is_plain("-----BEGIN OPENSSH PRIVATE KEY-----", 35));
	buf_done(&packed);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_small), cmocka_unit_test(test_random),
					    cmocka_unit_test(test_text) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
