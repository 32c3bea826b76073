/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/jsonw.h"

#include <jansson.h>
#include <stdlib.h>

static struct buf out;

static struct jsonw begin(void)
{
	buf_done(&out);
	buf_init(&out, 1 << 20);
	return jsonw_to(&out);
}

static const char *text(void)
{
	const char *s = buf_cstr(&out);

	return s ? s : "(error)";
}

static const char *string(const char *p, size_t n)
{
	struct jsonw w = begin();

	jsonw_str(&w, p, n);
	return text();
}

/* What a reader gets is what was written, whatever it was. */
static void bytes_come_back(void **state)
{
	static const char escapes[] = "\\x41\\xzz\\\\x5c\xff\\x5";
	char name[256];
	struct buf back;
	json_t *v;

	buf_init(&back, 4096);
	for (size_t i = 0; i < sizeof(name) - 1; i++)
		name[i] = (char)(i + 1);
	memcpy(name + 100, escapes, sizeof(escapes) - 1);
	name[255] = '\0';
	v = json_loads(string(name, 255), JSON_DECODE_ANY, NULL);
	assert_non_null(v);
	jsonw_bytes(&back, json_string_value(v));
	json_decref(v);
	assert_int_equal(back.len, 255);
	assert_memory_equal(back.data, name, 255);
	buf_done(&back);
}

static void commas_come_by_themselves(void **state)
{
	struct jsonw w = begin();

	jsonw_obj_begin(&w);
	jsonw_key(&w, "a");
	jsonw_arr_begin(&w);
	jsonw_u64(&w, 1);
	jsonw_arr_begin(&w);
	jsonw_arr_end(&w);
	jsonw_obj_begin(&w);
	jsonw_obj_end(&w);
	jsonw_null(&w);
	jsonw_arr_end(&w);
	jsonw_key(&w, "b");
	jsonw_bool(&w, true);
	jsonw_key_str(&w, "c\"", 2);
	jsonw_raw(&w, "{\"x\":1}", 7);
	jsonw_key(&w, "d");
	jsonw_bool(&w, false);
	jsonw_obj_end(&w);
	assert_string_equal(text(), "{\"a\":[1,[],{},null],\"b\":true,\"c\\\"\":{\"x\":1},\"d\":false}");
}

static void members_are_keys_with_values(void **state)
{
	struct jsonw w = begin();

	jsonw_obj_begin(&w);
	jsonw_member_bool(&w, "a", true);
	jsonw_member_int(&w, "b", -1);
	jsonw_member_str(&w, "c", "\"");
	jsonw_member_u64(&w, "d", UINT64_MAX);
	jsonw_obj_end(&w);
	assert_string_equal(text(), "{\"a\":true,\"b\":-1,\"c\":\"\\\"\",\"d\":\"18446744073709551615\"}");
}

/* RFC 8785 3.2.2.2: the seven short escapes, \u00xx in lower case for other controls, everything else as it is */
static void strings_are_escaped_as_rfc_8785_says(void **state)
{
	assert_string_equal(string("", 0), "\"\"");
	assert_string_equal(string("\b\t\n\f\r\"\\/", 8), "\"\\b\\t\\n\\f\\r\\\"\\\\/\"");
	assert_string_equal(string("\0\x01\x0b\x0f\x1f\x7f", 6), "\"\\u0000\\u0001\\u000b\\u000f\\u001f\x7f\"");
	assert_string_equal(string("\xe2\x82\xac$\x0f\nA'B\"\\\\\"/", 14),
			    "\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
	assert_string_equal(string("\xf0\x9f\x98\x82", 4), "\"\xf0\x9f\x98\x82\"");
}

/* Each special byte at each place of a word and behind it: the eight-at-a-time scan must not miss one. */
static void specials_are_found_anywhere(void **state)
{
	static const char specials[] = { 0, 1, 0x1f, '"', '\\', '\n', (char)0xff, (char)0x80 };
	char plain[40], want[64];

	for (size_t len = 1; len < 34; len++) {
		for (size_t at = 0; at < len; at++) {
			for (size_t s = 0; s < sizeof(specials); s++) {
				json_t *back;

				memset(plain, ' ' + (int)(at % 90), len);
				memset(plain, plain[0] == '"' || plain[0] == '\\' ? 'z' : plain[0], len);
				plain[at] = specials[s];
				back = json_loads(string(plain, len), JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
				assert_non_null(back);
				memcpy(want, plain, len);
				if (specials[s] < 0) {
					snprintf(want + at, 5, "\\x%02x", (unsigned char)specials[s]);
					memcpy(want + at + 4, plain + at + 1, len - at - 1);
				}
				assert_int_equal(json_string_length(back), len + (specials[s] < 0 ? 3 : 0));
				assert_memory_equal(json_string_value(back), want, json_string_length(back));
				json_decref(back);
			}
		}
	}
}

/* lib/jsonw.h: "replacing each \xHH in the string, from left to right, by the byte HH gives back exactly the bytes" */
static size_t undo(const char *s, size_t n, char *ret)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		char hex[3] = { 0 };

		if (n - i >= 4 && s[i] == '\\' && s[i + 1] == 'x' && strspn(s + i + 2, "0123456789abcdef") >= 2) {
			memcpy(hex, s + i + 2, 2);
			ret[len++] = (char)strtoul(hex, NULL, 16);
			i += 3;
		} else {
			ret[len++] = s[i];
		}
	}
	return len;
}

static void any_bytes_come_back(void **state)
{
	static const char pieces[][5] = { "\\",	  "x",	  "\\x",	  "4",	   "f",	 "\xff",
					  "\xc3", "\xa9", "\xed\xa0\x80", "\\x41", "5c", "A" };
	char in[64], back[64];

	srand(7);
	for (int round = 0; round < 200000; round++) {
		size_t n = 0, len;
		json_t *j;

		for (int k = rand() % 8; k >= 0; k--) {
			const char *piece = pieces[rand() % 12];

			memcpy(in + n, piece, strlen(piece));
			n += strlen(piece);
		}
		j = json_loads(string(in, n), JSON_DECODE_ANY, NULL);
		assert_non_null(j);
		len = undo(json_string_value(j), json_string_length(j), back);
		assert_int_equal(len, n);
		assert_memory_equal(back, in, n);
		json_decref(j);
	}
	assert_string_equal(string("a\xff"
				   "b",
				   3),
			    "\"a\\\\xffb\"");
	assert_string_equal(string("\\x41", 4), "\"\\\\x5cx41\"");
	assert_string_equal(string("\\xZ1\\X41", 8), "\"\\\\xZ1\\\\X41\"");
}

static void utf8_is_checked_by_the_book(void **state)
{
	static const struct {
		const char *bytes;
		size_t n, len;
	} cases[] = {
		{ "\x7f", 1, 1 },
		{ "\x80", 1, 0 },
		{ "\xc1\xbf", 2, 0 },
		{ "\xc2\x80", 2, 2 },
		{ "\xc2", 1, 0 },
		{ "\xdf\xbf", 2, 2 },
		{ "\xe0\x9f\xbf", 3, 0 },
		{ "\xe0\xa0\x80", 3, 3 },
		{ "\xed\x9f\xbf", 3, 3 },
		{ "\xed\xa0\x80", 3, 0 },
		{ "\xee\x80\x80", 3, 3 },
		{ "\xef\xbf\xbf", 3, 3 },
		{ "\xf0\x8f\xbf\xbf", 4, 0 },
		{ "\xf0\x90\x80\x80", 4, 4 },
		{ "\xf4\x8f\xbf\xbf", 4, 4 },
		{ "\xf4\x90\x80\x80", 4, 0 },
		{ "\xf5\x80\x80\x80", 4, 0 },
		{ "\xe2\x82", 2, 0 },
		{ "\xf0\x9f\x98", 3, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(jsonw_utf8_len((const uint8_t *)cases[i].bytes, cases[i].n), cases[i].len);
}

static void text_is_not_changed_but_checked(void **state)
{
	struct jsonw w = begin();

	jsonw_text(&w, "\\x41\n", 5);
	assert_string_equal(text(), "\"\\\\x41\\n\"");
	w = begin();
	jsonw_text(&w, "\xff", 1);
	assert_int_equal(buf_error(&out), -EILSEQ);
}

/* lib/jsonw.h: "Integers beyond 2^53-1 in size" are strings of digits */
static void large_integers_survive(void **state)
{
	struct jsonw w = begin();

	jsonw_arr_begin(&w);
	jsonw_u64(&w, 0);
	jsonw_u64(&w, (1ull << 53) - 1);
	jsonw_u64(&w, 1ull << 53);
	jsonw_u64(&w, UINT64_MAX);
	jsonw_int(&w, -1);
	jsonw_int(&w, -((1ll << 53) - 1));
	jsonw_int(&w, -(1ll << 53));
	jsonw_int(&w, INT64_MIN);
	jsonw_arr_end(&w);
	assert_string_equal(text(), "[0,9007199254740991,\"9007199254740992\",\"18446744073709551615\",-1,"
				    "-9007199254740991,\"-9007199254740992\",\"-9223372036854775808\"]");
}

static void a_full_buffer_says_so_at_the_end(void **state)
{
	struct buf b;
	struct jsonw w;

	for (size_t max = 0; max < 22; max++) {
		buf_init(&b, max);
		w = jsonw_to(&b);
		jsonw_obj_begin(&w);
		jsonw_key(&w, "key");
		jsonw_cstr(&w, "val\nue");
		jsonw_key(&w, "n");
		jsonw_u64(&w, 7);
		jsonw_obj_end(&w);
		assert_int_equal(buf_error(&b), max < 22 ? -EFBIG : 0);
		buf_done(&b);
	}
}

static int end(void **state)
{
	buf_done(&out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commas_come_by_themselves),	cmocka_unit_test(bytes_come_back),
		cmocka_unit_test(members_are_keys_with_values), cmocka_unit_test(strings_are_escaped_as_rfc_8785_says),
		cmocka_unit_test(specials_are_found_anywhere),	cmocka_unit_test(any_bytes_come_back),
		cmocka_unit_test(utf8_is_checked_by_the_book),	cmocka_unit_test(text_is_not_changed_but_checked),
		cmocka_unit_test(large_integers_survive),	cmocka_unit_test(a_full_buffer_says_so_at_the_end),
	};

	return cmocka_run_group_tests_name("jsonw", tests, NULL, end);
}
