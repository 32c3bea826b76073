/* SPDX-License-Identifier: Apache-2.0 */
/* What rules remember: values, their time, their bounds; random use against a model that has no bounds to get wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "engine/limit.h"
#include "engine/state.h"
#include "engine/textpool.h"
#include "tests/unit/build.h"
#include "tests/unit/nomem.h"

enum { G_NUM, G_TEXT, G_LIST, P_NUM, P_TEXTS, P_NUMS, C_TEXT, P_SHORT, VARS };

static const struct {
	const char *name;
	uint8_t scope, type;
	uint32_t size;
	int64_t ttl;
} vars[VARS] = {
	[G_NUM] = { "num", VAR_GLOBAL, NT_INT, 0, 0 },	     [G_TEXT] = { "text", VAR_GLOBAL, NT_STR, 0, 0 },
	[G_LIST] = { "list", VAR_GLOBAL, NT_STRS, 5, 0 },    [P_NUM] = { "num", VAR_PROCESS, NT_INT, 0, 0 },
	[P_TEXTS] = { "texts", VAR_PROCESS, NT_STRS, 3, 0 }, [P_NUMS] = { "nums", VAR_PROCESS, NT_INTS, 4, 100 },
	[C_TEXT] = { "text", VAR_CONTAINER, NT_STR, 0, 0 },  [P_SHORT] = { "short", VAR_PROCESS, NT_INT, 0, 50 },
};

static const struct state_options small = { .entries = 16, .values = 24, .text_bytes = 4 * TEXTPOOL_MAX };

static struct program_builder *builder;

/* Variables of that table, from @first on. */
static struct program make_program(int first)
{
	struct build b;

	assert_int_equal(program_builder_new(catalog_tamis(), &b.pb), 0);
	builder = b.pb;
	for (int i = first; i < VARS; i++) {
		struct pvar v = { .name = build_string(&b, vars[i].name),
				  .scope = vars[i].scope,
				  .type = vars[i].type,
				  .size = vars[i].size,
				  .ttl_ns = vars[i].ttl };

		build_ok(program_var_add(b.pb, &v));
	}
	return program_view(b.pb);
}

static struct state *make_state(const struct program *p, const struct state_options *o)
{
	struct state *s;

	assert_int_equal(state_new(p, o, &s), 0);
	return s;
}

static const struct state_key nowhere = { .scope = VAR_GLOBAL };

static struct state_key proc(uint32_t pid)
{
	return (struct state_key){ .scope = VAR_PROCESS, .pid = pid, .start = 7 };
}

static struct val num(int64_t v)
{
	return (struct val){ .num = v };
}

static struct val text(const char *s)
{
	return (struct val){ .s = s, .len = (uint32_t)strlen(s) };
}

/* All values, joined by spaces. */
static const char *shown(const struct state *s, uint32_t var, const struct state_key *k, int64_t now)
{
	static char out[65536];
	uint8_t type = program_scalar(vars[var].type);
	struct state_pos pos;
	int n = 0;

	out[0] = '\0';
	for (bool more = state_first(s, var, k, now, &pos); more; more = state_next(s, &pos, now)) {
		struct val v = state_value(s, pos);

		n += type == NT_STR ? snprintf(out + n, sizeof(out) - (size_t)n, "%s%.*s", n ? " " : "", (int)v.len,
					       v.len ? v.s : "")
				    : snprintf(out + n, sizeof(out) - (size_t)n, "%s%d", n ? " " : "", (int)v.num);
	}
	return out;
}

static void set(struct state *s, uint32_t var, const struct state_key *k, int64_t now, struct val v)
{
	assert_true(state_set(s, var, k, now, &v, false));
	assert_true(state_sane(s));
}

static void append(struct state *s, uint32_t var, const struct state_key *k, int64_t now, struct val v)
{
	assert_true(state_set(s, var, k, now, &v, true));
	assert_true(state_sane(s));
}

static void test_scalars(void **state)
{
	struct program p = make_program(0);
	struct state *s = make_state(&p, &small);
	struct state_key one = proc(1), two = proc(2);
	struct state_pos pos;

	assert_false(state_first(s, G_NUM, &nowhere, 0, &pos));
	set(s, G_NUM, &nowhere, 0, num(5));
	set(s, G_NUM, &one, 0, num(6)); /* whoever sets it: it is global */
	assert_string_equal(shown(s, G_NUM, &two, 0), "6");
	append(s, G_NUM, &nowhere, 0, num(10));
	assert_string_equal(shown(s, G_NUM, &nowhere, 0), "16");
	append(s, G_TEXT, &nowhere, 0, text("ab"));
	append(s, G_TEXT, &nowhere, 0, text("cd"));
	assert_string_equal(shown(s, G_TEXT, &nowhere, 0), "abcd");
	set(s, G_TEXT, &nowhere, 0, text(""));
	assert_true(state_first(s, G_TEXT, &nowhere, 0, &pos));
	assert_string_equal(shown(s, G_TEXT, &nowhere, 0), "");

	set(s, P_NUM, &one, 0, num(1));
	set(s, P_NUM, &two, 0, num(2));
	assert_string_equal(shown(s, P_NUM, &one, 0), "1");
	assert_string_equal(shown(s, P_NUM, &two, 0), "2");
	two.start++; /* the pid again, another process */
	assert_string_equal(shown(s, P_NUM, &two, 0), "");
	state_free(s);
	program_builder_free(builder);
}

static void test_lists(void **state)
{
	struct program p = make_program(0);
	struct state *s = make_state(&p, &small);
	struct state_key one = proc(1), two = proc(2);
	struct state_pos pos;

	append(s, P_TEXTS, &one, 0, text("a"));
	append(s, P_TEXTS, &one, 0, text("b"));
	append(s, P_TEXTS, &one, 0, text("a")); /* once, and the youngest again */
	assert_string_equal(shown(s, P_TEXTS, &one, 0), "b a");
	set(s, P_TEXTS, &one, 0, text("c")); /* to set is to add */
	append(s, P_TEXTS, &one, 0, text("d"));
	assert_string_equal(shown(s, P_TEXTS, &one, 0), "a c d");

	/* a list to another one, and to itself */
	assert_true(state_first(s, P_TEXTS, &one, 0, &pos));
	assert_true(state_add_all(s, P_TEXTS, &two, 0, pos));
	assert_true(state_add_all(s, P_TEXTS, &one, 0, pos));
	assert_string_equal(shown(s, P_TEXTS, &two, 0), "a c d");
	assert_string_equal(shown(s, P_TEXTS, &one, 0), "a c d");
	assert_true(state_sane(s));
	state_free(s);
	program_builder_free(builder);
}

static void test_time(void **state)
{
	struct program p = make_program(0);
	struct state *s = make_state(&p, &small);
	struct state_key one = proc(1);
	struct state_pos pos;

	append(s, P_NUMS, &one, 1000, num(1));
	append(s, P_NUMS, &one, 1050, num(2));
	assert_string_equal(shown(s, P_NUMS, &one, 1099), "1 2");
	assert_string_equal(shown(s, P_NUMS, &one, 1100), "2"); /* each has its own time */
	assert_false(state_first(s, P_NUMS, &one, 1150, &pos));
	append(s, P_NUMS, &one, 2000, num(1));
	append(s, P_NUMS, &one, 2090, num(1)); /* set again: its time begins again */
	assert_string_equal(shown(s, P_NUMS, &one, 2150), "1");
	set(s, P_SHORT, &one, 0, num(3));
	assert_string_equal(shown(s, P_SHORT, &one, 49), "3");
	assert_string_equal(shown(s, P_SHORT, &one, 50), "");
	append(s, P_SHORT, &one, 60, num(4)); /* to nothing, not to what has expired */
	assert_string_equal(shown(s, P_SHORT, &one, 61), "4");
	set(s, P_SHORT, &one, INT64_MAX - 10, num(1)); /* the end of time */
	assert_string_equal(shown(s, P_SHORT, &one, INT64_MAX - 1), "1");
	state_free(s);
	program_builder_free(builder);
}

static void test_bounds(void **state)
{
	struct program p = make_program(0);
	struct state *s = make_state(&p, &small);
	struct state_stats st;
	static char big[2 * VAR_TEXT_MAX];
	struct state_pos pos;

	set(s, G_NUM, &nowhere, 0, num(77));
	for (uint32_t pid = 1; pid <= 1000; pid++) {
		struct state_key k = proc(pid);

		set(s, P_NUM, &k, pid, num(pid));
	}
	state_stats(s, &st);
	assert_true(st.entries <= small.entries + VARS);
	assert_int_equal(st.evicted, 1001 - st.entries);
	assert_string_equal(shown(s, P_NUM, &(struct state_key){ .pid = 1000, .start = 7 }, 0), "1000");
	assert_string_equal(shown(s, P_NUM, &(struct state_key){ .pid = 1, .start = 7 }, 0), "");
	assert_string_equal(shown(s, G_NUM, &nowhere, 0), "77"); /* a global one never gives way */

	/* texts: room for four of the longest */
	memset(big, 'x', sizeof(big));
	for (uint32_t i = 0; i < 20; i++) {
		char id[16];
		struct state_key k = { .scope = VAR_CONTAINER, .id = id };

		k.id_len = (uint32_t)snprintf(id, sizeof(id), "c%u", i);
		set(s, C_TEXT, &k, 0, (struct val){ .s = big, .len = sizeof(big) });
		assert_true(state_first(s, C_TEXT, &k, 0, &pos));
		assert_int_equal(state_value(s, pos).len, VAR_TEXT_MAX);
	}
	state_stats(s, &st);
	assert_int_equal(st.cut, 20);
	assert_true(st.text_bytes <= small.text_bytes);

	/* global texts alone can fill it: then there is no room, and nothing breaks */
	for (int i = 0; i < 5; i++) {
		big[0] = (char)('a' + i);
		(void)state_set(s, G_LIST, &nowhere, 0, &(struct val){ .s = big, .len = VAR_TEXT_MAX }, true);
		assert_true(state_sane(s));
	}
	state_stats(s, &st);
	assert_true(st.dropped > 0);
	state_free(s);
	program_builder_free(builder);
}

static void test_forget_and_carry(void **state)
{
	struct program p = make_program(0), fewer;
	struct state *s = make_state(&p, &small), *t;
	struct program_builder *first = builder;
	struct state_key one = proc(1), two = proc(2), box = { .scope = VAR_CONTAINER, .id = "box", .id_len = 3 };

	set(s, P_NUM, &one, 0, num(1));
	set(s, P_TEXTS, &one, 0, text("a"));
	set(s, P_TEXTS, &two, 0, text("b"));
	set(s, P_NUMS, &two, 10, num(8));
	set(s, C_TEXT, &box, 0, text("in a box"));
	assert_true(state_knows(s, &one));
	state_forget(s, &one);
	assert_false(state_knows(s, &one));
	assert_true(state_knows(s, &two));
	assert_true(state_sane(s));

	fewer = make_program(P_TEXTS); /* the same variables by other numbers */
	t = make_state(&fewer, &small);
	state_carry(t, s);
	assert_true(state_sane(t));
	state_free(s);
	program_builder_free(first);
	assert_true(state_knows(t, &two));
	{
		struct state_pos pos;

		assert_true(state_first(t, 0, &two, 0, &pos));
		assert_memory_equal(state_value(t, pos).s, "b", 1);
		assert_true(state_first(t, P_NUMS - P_TEXTS, &two, 109, &pos));
		assert_false(state_first(t, P_NUMS - P_TEXTS, &two, 110, &pos)); /* its time goes on */
		assert_true(state_first(t, C_TEXT - P_TEXTS, &box, 0, &pos));
		assert_memory_equal(state_value(t, pos).s, "in a box", 8);
	}
	state_free(t);
	program_builder_free(builder);
}

/* Random use: bounds hold, nothing is lost or twice, and whatever a list shows is what was put in last. */
static void test_random(void **state)
{
	struct program p = make_program(0);
	struct state *s = make_state(&p, &small);
	uint64_t seed = 88172645463325252u;
	static char big[5000];

	memset(big, 'y', sizeof(big));
	for (int i = 0; i < 60000; i++) {
		struct state_key k = { .scope = VAR_PROCESS };
		struct state_pos pos;
		uint32_t var, what;
		char id[8];
		struct val v;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		var = (uint32_t)(seed % VARS);
		what = (uint32_t)(seed >> 8) % 16;
		k.pid = (uint32_t)(seed >> 16) % 12;
		k.id = id;
		k.id_len = (uint32_t)snprintf(id, sizeof(id), "c%u", (unsigned)(seed >> 24) % 9);
		if (program_scalar(vars[var].type) == NT_STR)
			v = (struct val){ .s = big + (seed >> 32) % 7,
					  .len = (uint32_t)(seed >> 36) % (what ? 60 : 4990) };
		else
			v = num((int64_t)(seed >> 40) % 9);
		if (what == 1)
			state_forget(s, &k);
		else if (what == 2 && vars[var].size && state_first(s, var, &k, i, &pos))
			(void)state_add_all(s, var, &(struct state_key){ .scope = VAR_PROCESS, .pid = 3 }, i, pos);
		else if (state_set(s, var, &k, i, &v, what & 1) && vars[var].size)
			assert_true(state_first(s, var, &k, i, &pos));
		if (i % 16 == 0)
			assert_true(state_sane(s));
	}
	assert_true(state_sane(s));
	state_free(s);
	program_builder_free(builder);
}

static void test_textpool(void **state)
{
	struct textpool t;
	uint32_t at[64], n = 0;
	uint64_t seed = 3;

	assert_int_equal(textpool_init(&t, 3 * TEXTPOOL_MAX + 17), 0);
	assert_int_equal(t.size, 3 * TEXTPOOL_MAX);
	for (int i = 0; i < 20000; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		if (n < 64 && (seed >> 40) % 2) {
			uint32_t len = 1 + (uint32_t)(seed >> 33) % ((seed >> 50) % 8 ? 100 : TEXTPOOL_MAX);

			at[n] = textpool_take(&t, len);
			if (at[n] != TEXTPOOL_NONE) {
				memset(t.bytes + at[n], 0xff, len);
				n++;
			}
		} else if (n) {
			uint32_t k = (uint32_t)(seed >> 33) % n;

			textpool_give(&t, at[k]);
			at[k] = at[--n];
		}
		if (i % 64 == 0)
			assert_true(textpool_sane(&t));
	}
	while (n)
		textpool_give(&t, at[--n]);
	assert_true(textpool_sane(&t));
	for (int i = 0; i < 3; i++) /* all of it is whole again */
		assert_int_not_equal(textpool_take(&t, TEXTPOOL_MAX), TEXTPOOL_NONE);
	assert_int_equal(textpool_take(&t, 1), TEXTPOOL_NONE);
	textpool_done(&t);
}

static void test_limits(void **state)
{
	struct limits *l;
	uint8_t key[LIMIT_KEY] = { 0 };
	uint32_t held;

	assert_int_equal(limits_new(2, 4, &l), 0);
	assert_true(limits_pass(l, 0, NULL, 1000, 100, &held));
	assert_false(limits_pass(l, 0, NULL, 1099, 100, &held));
	assert_false(limits_pass(l, 0, NULL, 950, 100, &held)); /* two events the wrong way round */
	assert_true(limits_pass(l, 1, NULL, 1050, 100, &held)); /* another rule */
	assert_int_equal(held, 0);
	assert_true(limits_pass(l, 0, NULL, 1100, 100, &held));
	assert_int_equal(held, 2);
	assert_true(limits_pass(l, 0, NULL, 500, 100, &held)); /* the clock was set back */

	for (uint8_t i = 0; i < 4; i++) {
		key[9] = i;
		assert_true(limits_pass(l, 0, key, 1000, 100, &held));
		assert_false(limits_pass(l, 0, key, 1001, 100, &held));
		assert_true(limits_pass(l, 1, key, 1000, 100, &held) || i > 4);
	}
	/* what was forgotten alerts again; what was used last is still there */
	assert_true(limits_evicted(l) > 0);
	assert_false(limits_pass(l, 1, key, 1002, 100, &held));
	key[9] = 0;
	assert_true(limits_pass(l, 0, key, 1002, 100, &held));
	limits_free(l);
}

static int make_all(const struct program *p)
{
	_cleanup_(state_free) struct state *s = NULL;
	_cleanup_(limits_free) struct limits *l = NULL;
	int r = state_new(p, &small, &s);

	return r < 0 ? r : limits_new(3, 10, &l);
}

static void test_nomem(void **state)
{
	struct program p = make_program(0);

	for (long n = 1;; n++) {
		bool failed;
		int r;

		nomem_begin(n);
		r = make_all(&p);
		failed = nomem_end();
		assert_int_equal(r, failed ? -ENOMEM : 0);
		if (!failed)
			break;
	}
	program_builder_free(builder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_forget_and_carry),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_textpool),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_nomem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
