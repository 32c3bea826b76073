/* SPDX-License-Identifier: Apache-2.0 */

/* The scan by 64 bytes has the verdict of a general JSON parser, wherever in the blocks a text's parts happen to be. */

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "sensor/record/jsonmask.h"
#include "sensor/record/jsonscan.h"

static uint64_t random_state = 20261121;

static unsigned int random_below(unsigned int n)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)(random_state >> 33) % n;
}

/* Members as "key=value;", as jsonscan tells them. */
static int on_member(void *ctx, const char *key, size_t key_n, const char *value, size_t value_n)
{
	struct buf *b = ctx;

	buf_put(b, key, key_n);
	buf_putc(b, '=');
	buf_put(b, value, value_n);
	return buf_putc(b, ';');
}

static int scan(const char *p, size_t n)
{
	char *exact = malloc(n + !n); /* so that a sanitizer sees a byte too many */
	struct buf b;
	int r;

	memcpy(exact, p, n);
	buf_init(&b, 1u << 20);
	r = jsonscan(exact, n, on_member, &b);
	buf_done(&b);
	free(exact);
	return r;
}

static void assert_members(const char *text, const char *want)
{
	struct buf b;

	buf_init(&b, 1u << 20);
	assert_int_equal(jsonscan(text, strlen(text), on_member, &b), 0);
	assert_string_equal(buf_cstr(&b), want);
	buf_done(&b);
}

static void the_members_are_told(void **state)
{
	assert_members("{}", "");
	assert_members("{\"a\":1}", "a=1;");
	assert_members("{\"\":\"\",\"b\":[]}", "=\"\";b=[];");
	assert_members("{\"a\":{\"b\":{\"c\":[1,{\"d\":2}]},\"e\":3},\"f\":\"}\"}",
		       "a={\"b\":{\"c\":[1,{\"d\":2}]},\"e\":3};f=\"}\";");
	assert_members("{\"a\\\"\":\"\\\\\",\"b\":\"\\u00e4,\"}", "a\\\"=\"\\\\\";b=\"\\u00e4,\";");
}

/* Each with blanks of a string before it, so that every byte is once the first of a block. */
static void assert_verdict(const char *value, int want)
{
	char text[512];

	for (int pad = 0; pad < 130; pad++) {
		int n = snprintf(text, sizeof(text), "{\"p\":\"%*s\",\"v\":%s}", pad, "", value);

		if (scan(text, (size_t)n) != want)
			fail_msg("%s with %d before it: not %d", value, pad, want);
	}
}

static void each_rule_holds_at_each_place(void **state)
{
	static const char *const good[] = {
		"0",
		"10",
		"-0",
		"-7",
		"1.5",
		"0.5e-3",
		"1e9",
		"true",
		"null",
		"false",
		"\"\"",
		"\"a\"",
		"\"\\n\"",
		"[]",
		"{}",
		"[[],{}]",
		"[1,2]",
		"[true]",
		"{\"a\":0}",
		"[\"\\\\\"]",
		"\"\\\\\\\"\"",
		"\"{\"",
		"[{\"a\":[{}]},0]",
		"\"\\uABcd\"",
	};
	static const char *const bad[] = {
		"",
		"00",
		"01",
		"-",
		"-01",
		"+1",
		"1.",
		".5",
		"1e",
		"1x",
		"tru",
		"truex",
		"true1",
		"nul",
		"x",
		"1 ",
		" 1",
		"[1,]",
		"[,1]",
		"[1 2]",
		"[1:2]",
		"{1:2}",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\",}",
		"{,}",
		"{\"a\":1,}",
		"{\"a\":1 }",
		"[}",
		"{]",
		"\"\\x\"",
		"\"\\u12g4\"",
		"\"\t\"",
		"\"a\"\"b\"",
		"\"a\"1",
		"1\"a\"",
		"[]1",
		"1[]",
		"{}{}",
		"\\\"",
		"[\"a\":1]",
		"1,2",
		"\"\\\"",
		"[[]",
		"[]]",
		"}",
		"\"\x7f\x01\"",
		"\"a\":1",
		"{\"a\":1:2}",
		"1.5.5",
		"{\"a\":\"b\":1}",
		"[1][2]",
		"--1",
		"1-1",
		"\"a",
		",",
		":",
		"{\"a\":1\"b\":2}",
		"nulll",
		"[-]",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_verdict(good[i], 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_verdict(bad[i], -EBADMSG);
}

static void only_an_object_is_one(void **state)
{
	static const char *const bad[] = {
		"", "{", "}", "[]", "1", "\"a\"", "{}{}", "{}1", "{} ", " {}", "{}\n", "{\""
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(scan(bad[i], strlen(bad[i])), -EBADMSG);
	/* a NUL is a byte like another */
	assert_int_equal(scan("{}\0", 3), -EBADMSG);
	assert_int_equal(scan("{\"a\":\"\0\"}", 9), -EBADMSG);
}

static void nesting_has_an_end(void **state)
{
	char text[600];

	for (int depth = 60; depth < 70; depth++) {
		size_t n = 0;

		n += (size_t)sprintf(text, "{\"a\":");
		for (int i = 1; i < depth; i++)
			text[n++] = '[';
		for (int i = 1; i < depth; i++)
			text[n++] = ']';
		text[n++] = '}';
		assert_int_equal(scan(text, n), depth <= JSONSCAN_DEPTH ? 0 : -EBADMSG);
	}
}

/* ---- against a general parser ---- */

static void random_string(struct buf *b)
{
	static const char *const parts[] = {
		"a",	"bc",	"\\n",
		"\\\"", "\\\\", "\\u0041",
		"{",	"}",	"[",
		"]",	":",	",",
		"1",	" ",	"a longer run of text without anything in it that matters to anybody, for sure"
	};

	buf_putc(b, '"');
	for (unsigned int n = random_below(4); n; n--)
		buf_puts(b, parts[random_below(sizeof(parts) / sizeof(*parts))]);
	buf_putc(b, '"');
}

static void random_value(struct buf *b, int depth)
{
	static const char *const scalars[] = {
		"0", "1", "10", "-1", "123456789", "true", "false", "null", "1.5", "2e3"
	};
	unsigned int kind = depth > 4 ? random_below(6) : random_below(10), n = random_below(4);

	if (kind < 3)
		buf_puts(b, scalars[random_below(sizeof(scalars) / sizeof(*scalars))]);
	else if (kind < 6)
		random_string(b);
	else {
		buf_putc(b, kind < 8 ? '[' : '{');
		for (unsigned int i = 0; i < n; i++) {
			if (i)
				buf_putc(b, ',');
			if (kind >= 8) {
				random_string(b);
				buf_putc(b, ':');
			}
			random_value(b, depth + 1);
		}
		buf_putc(b, kind < 8 ? ']' : '}');
	}
}

/* What it takes beyond ours: blanks between the parts, and E for e. */
static bool has_more(const struct buf *b)
{
	bool in = false;

	for (size_t i = 0; i < b->len; i++) {
		if (in && b->data[i] == '\\')
			i++;
		else if (b->data[i] == '"')
			in = !in;
		else if (!in && strchr(" \t\r\nE", b->data[i]))
			return true;
	}
	return false;
}

static void assert_same_verdict(const struct buf *b)
{
	json_error_t e = { .text = "" };
	json_t *j = json_loadb((const char *)b->data, b->len, JSON_ALLOW_NUL, &e);
	bool want = json_is_object(j) && !has_more(b);
	int r = scan((const char *)b->data, b->len);

	json_decref(j);
	/* how large a number may be is the reader's business */
	if (!j && json_error_code(&e) == json_error_numeric_overflow)
		return;
	if ((r == 0) != want)
		fail_msg("%d, where another parser says %d: %.*s", r, want, (int)b->len, b->data);
}

static void another_parser_agrees(void **state)
{
	static const char put[] = "{}[]:,\"\\0123456789-.eEtrufalsn aub\t\x01";
	struct buf b;

	buf_init(&b, 1u << 20);
	for (int i = 0; i < 20000; i++) {
		buf_reset(&b);
		buf_puts(&b, "{\"a\":");
		random_value(&b, 0);
		buf_puts(&b, ",\"b\":");
		random_value(&b, 0);
		buf_putc(&b, '}');
		assert_same_verdict(&b);
		for (int k = 0; k < 8; k++) {
			uint8_t *at = b.data + random_below((unsigned int)b.len), was = *at;

			*at = (uint8_t)put[random_below(sizeof(put) - 1)];
			assert_same_verdict(&b);
			*at = was;
		}
		buf_truncate(&b, random_below((unsigned int)b.len));
		assert_same_verdict(&b);
	}
	buf_done(&b);
}

/* ---- masks ---- */

static void each_way_makes_the_same_masks(void **state)
{
	uint8_t text[4 * JSONMASK_BLOCK];
	struct jsonmask want[4], got[4];
	jsonmask_way way;
	bool able;

	for (int round = 0; round < 300; round++) {
		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = (uint8_t)(round ? random_below(256) : i);
		jsonmask_of(text, 4, want);
		for (size_t i = 0; (way = jsonmask_nth(i, &able)); i++) {
			if (!able)
				continue;
			way(text, 4, got);
			assert_memory_equal(got, want, sizeof(want));
		}
		for (size_t i = 0; i < sizeof(text); i++) {
			const struct jsonmask *m = &want[i / JSONMASK_BLOCK];
			uint64_t bit = 1ull << i % JSONMASK_BLOCK;

			assert_int_equal((m->quote & bit) != 0, text[i] == '"');
			assert_int_equal((m->slash & bit) != 0, text[i] == '\\');
			assert_int_equal((m->low & bit) != 0, text[i] < 0x20);
			assert_int_equal((m->colon & bit) != 0, text[i] == ':');
			assert_int_equal((m->comma & bit) != 0, text[i] == ',');
			assert_int_equal((m->open & bit) != 0, text[i] == '{' || text[i] == '[');
			assert_int_equal((m->shut & bit) != 0, text[i] == '}' || text[i] == ']');
			assert_int_equal((m->digit & bit) != 0, text[i] >= '0' && text[i] <= '9');
			assert_int_equal((m->zero & bit) != 0, text[i] == '0');
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_members_are_told),	 cmocka_unit_test(each_rule_holds_at_each_place),
		cmocka_unit_test(only_an_object_is_one), cmocka_unit_test(nesting_has_an_end),
		cmocka_unit_test(another_parser_agrees), cmocka_unit_test(each_way_makes_the_same_masks),
	};

	return cmocka_run_group_tests_name("jsonscan", tests, NULL, NULL);
}
