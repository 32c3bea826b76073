/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "lib/ipnet.h"
#include "tests/unit/build.h"

struct fixture {
	struct build b;
	struct engine *e;
	struct event ev;
	struct proc self, parent, init;
};

static struct val str(const char *s)
{
	return (struct val){ .s = s, .len = (uint32_t)strlen(s) };
}

static const struct val argv[] = { { .s = "-x", .len = 2 }, { .s = "run", .len = 3 } };

/* An open of /etc/shadow by bash, below sshd, below init. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f || program_builder_new(catalog_tamis(), &f->b.pb) < 0)
		return -1;
	f->ev.type = EV_OPEN;
	memset(f->ev.alive, 0xff, sizeof(f->ev.alive));
	f->ev.now_ns = 1000;
	f->ev.v[SLOT_OPEN_FILE_PATH] = str("/etc/shadow");
	f->ev.v[SLOT_OPEN_FILE_NAME] = str("shadow");
	f->ev.v[SLOT_OPEN_FLAGS].num = 0x241;
	f->ev.proc = &f->self;
	f->self.parent = &f->parent;
	f->parent.parent = &f->init;
	f->self.v[SLOT_PROC_PID].num = 42;
	f->parent.v[SLOT_PROC_PID].num = 7;
	f->init.v[SLOT_PROC_PID].num = 1;
	f->self.v[SLOT_PROC_COMM] = str("bash");
	f->parent.v[SLOT_PROC_COMM] = str("sshd");
	f->init.v[SLOT_PROC_COMM] = str("init");
	f->init.v[SLOT_PROC_UID].num = 5;
	f->self.v[SLOT_PROC_ARGV] = f->parent.v[SLOT_PROC_ARGV] = (struct val){ .arr = argv, .len = 2 };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	engine_free(f->e);
	program_builder_free(f->b.pb);
	free(f);
	return 0;
}

/* The node's value on the fixture's event. */
static bool eval(struct fixture *f, uint32_t node)
{
	struct program p = program_view(f->b.pb);
	struct err err = { .msg = "" };
	bool v;

	engine_free(f->e);
	f->e = NULL;
	if (engine_new(&p, &f->e, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(engine_eval_node(f->e, node, &f->ev, &v), 0);
	return v;
}

static void test_strings(void **state)
{
	struct fixture *f = *state;
	struct build *b = &f->b;
	uint32_t path = build_field(b, "open.file.path"), name = build_field(b, "open.file.name");
	uint32_t user = build_field(b, "process.user");

	assert_true(eval(f, build2(b, N_STREQ, path, build_str(b, "/etc/shadow"))));
	assert_false(eval(f, build2(b, N_STREQ, path, build_str(b, "/etc/SHADOW"))));
	assert_true(eval(f, build3(b, N_STREQ, path, build_str(b, "/etc/SHADOW"), 1)));
	assert_false(eval(f, build2(b, N_STREQ, path, name)));
	assert_true(eval(f, build_strin(b, path, STRM_EXACT, "/etc/passwd", "/etc/shadow")));
	assert_false(eval(f, build_strin(b, path, STRM_EXACT, "/etc/passwd", "/etc/shadox")));
	assert_true(eval(f, build_strin(b, path, STRM_GLOB, "/tmp/*", "/etc/**")));
	assert_false(eval(f, build_strin(b, path, STRM_GLOB, "/etc", "*")));
	assert_true(eval(f, build_strin(b, name, STRM_PATTERN, "sh*", NULL)));
	assert_true(eval(f, build_strin(b, name, STRM_REGEX, "^s.*w$", NULL)));
	assert_false(eval(f, build_strin(b, name, STRM_REGEX, "x", "y")));
	/* a field that is empty */
	assert_true(eval(f, build2(b, N_STREQ, user, build_str(b, ""))));
	assert_true(eval(f, build_strin(b, user, STRM_PATTERN, "*", NULL)));
	assert_true(eval(f, build_strin(b, user, STRM_EXACT, "", "x")));
	assert_true(eval(f, build2(b, N_EQ, build1(b, N_LEN, path), build_int(b, 11))));
}

static void test_icase_set(void **state)
{
	struct fixture *f = *state;
	struct build *b = &f->b;
	struct strm m[] = {
		{ .str = build_string(b, "/ETC/Shadow"), .kind = STRM_EXACT, .icase = 1 },
		{ .str = build_string(b, "/nowhere"), .kind = STRM_EXACT },
	};
	uint32_t path = build_field(b, "open.file.path");

	assert_true(eval(f, build2(b, N_STRIN, path, build_ok(program_strset_add(b->pb, m, 2)))));
	m[0].icase = 0;
	assert_false(eval(f, build2(b, N_STRIN, path, build_ok(program_strset_add(b->pb, m, 2)))));
}

/* Every string that was put into a large set is found, and its neighbours are not. */
static void test_large_set(void **state)
{
	struct fixture *f = *state;
	struct build *b = &f->b;
	struct strm m[2000] = { 0 };
	uint32_t node, path = build_field(b, "open.file.path");
	char s[64];
	bool v;

	for (int i = 0; i < 2000; i++) {
		snprintf(s, sizeof(s), "/some/where/file%d", i);
		m[i].str = build_string(b, s);
	}
	node = build2(b, N_STRIN, path, build_ok(program_strset_add(b->pb, m, 2000)));
	eval(f, node);
	for (int i = 0; i < 4000; i++) {
		snprintf(s, sizeof(s), "/some/where/file%d", i);
		f->ev.v[SLOT_OPEN_FILE_PATH] = str(s);
		assert_int_equal(engine_eval_node(f->e, node, &f->ev, &v), 0);
		assert_int_equal(v, i < 2000);
	}
}

static void test_numbers(void **state)
{
	struct fixture *f = *state;
	struct build *b = &f->b;
	uint32_t flags = build_field(b, "open.flags"), pid = build_field(b, "process.pid"), zero = build_int(b, 0);
	const int64_t set[] = { 7, 42, -1 };
	uint32_t ints = build_ok(program_intset_add(b->pb, set, 3));
	uint32_t minus, now = build_ok(program_node(b->pb, N_NOW, 0, 0, 0, 0));

	assert_true(eval(f, build_ok(program_node_gt(b->pb, build2(b, N_BAND, flags, build_int(b, 0x40)), zero))));
	assert_false(eval(f, build_ok(program_node_gt(b->pb, build2(b, N_BAND, flags, build_int(b, 2)), zero))));
	assert_true(eval(f, build_ok(program_node_ge(b->pb, pid, build_int(b, 42)))));
	assert_false(eval(f, build2(b, N_LT, pid, build_int(b, 42))));
	assert_true(eval(f, build2(b, N_INTIN, pid, ints)));
	assert_false(eval(f, build2(b, N_INTIN, flags, ints)));
	minus = build1(b, N_NEG, build2(b, N_SUB, pid, build_int(b, 41)));
	assert_true(eval(f, build2(b, N_INTIN, minus, ints)));
	assert_true(eval(f, build2(b, N_EQ, build1(b, N_BNOT, build1(b, N_BNOT, pid)), build_int(b, 42))));
	assert_true(eval(f, build2(b, N_EQ, build2(b, N_BXOR, pid, build2(b, N_BOR, pid, zero)), zero)));
	/* durations: now minus a field */
	f->self.v[SLOT_PROC_CREATED_AT].num = 400;
	assert_true(eval(
		f, build2(b, N_EQ, build2(b, N_SUB, now, build_field(b, "process.created_at")), build_int(b, 600))));
	/* BOOL fields */
	assert_false(eval(f, build_field(b, "event.async")));
	f->ev.base[SLOT_BASE_ASYNC].num = 1;
	assert_true(eval(f, build_field(b, "event.async")));
}

static void test_networks(void **state)
{
	struct fixture *f = *state;
	struct build *b = &f->b;
	uint8_t ip[IPNET_BYTES], nets[2][IPNET_BYTES];
	uint32_t strs[2], set, addr = build_field(b, "connect.addr.ip");

	ipnet_parse("10.1.2.3", 8, ip);
	ipnet_parse("10.0.0.0/8", 10, nets[0]);
	ipnet_parse("10.1.0.0/16", 11, nets[1]);
	for (int i = 0; i < 2; i++)
		strs[i] = build_ok(program_str_add(b->pb, (char *)nets[i], IPNET_BYTES));
	set = build_ok(program_ipset_add(b->pb, strs, 2));
	f->ev.type = EV_CONNECT;
	assert_false(eval(f, build2(b, N_IPIN, addr, set)));
	f->ev.v[SLOT_CONNECT_IP] = (struct val){ .s = (char *)ip, .len = IPNET_BYTES };
	assert_true(eval(f, build2(b, N_IPIN, addr, set)));
	assert_true(eval(f, build3(b, N_IPIN, addr, set, 1)));
	assert_true(eval(f, build2(b, N_IPEQ, addr, build1(b, N_IP, strs[1]))));
	ip[13] = 2;
	assert_true(eval(f, build2(b, N_IPIN, addr, set)));
	assert_false(eval(f, build3(b, N_IPIN, addr, set, 1)));
	assert_false(eval(f, build2(b, N_IPEQ, addr, build1(b, N_IP, strs[1]))));
}

static void test_arrays(void **state)
{
	struct fixture *f = *state;
	struct build *b = &f->b;
	uint32_t elem = build1(b, N_ELEM, NT_STR), ielem = build1(b, N_ELEM, NT_INT);
	uint32_t is_run = build2(b, N_STREQ, elem, build_str(b, "run")),
		 is_no = build2(b, N_STREQ, elem, build_str(b, "no"));
	uint32_t args = build_field(b, "process.argv"), pids = build_field(b, "process.ancestors.pid");

	assert_true(eval(f, build2(b, N_ANY, args, is_run)));
	assert_false(eval(f, build2(b, N_ANY, args, is_no)));
	assert_true(eval(f, build2(b, N_EQ, build1(b, N_LEN, args), build_int(b, 2))));
	/* over the ancestors, the process itself not included */
	assert_true(eval(f, build2(b, N_ANY, pids, build2(b, N_EQ, ielem, build_int(b, 1)))));
	assert_false(eval(f, build2(b, N_ANY, pids, build2(b, N_EQ, ielem, build_int(b, 42)))));
	assert_true(eval(f, build2(b, N_EQ, build1(b, N_LEN, pids), build_int(b, 2))));
	/* several values in each ancestor */
	assert_true(eval(f, build2(b, N_ANY, build_field(b, "process.ancestors.argv"), is_run)));
	assert_true(
		eval(f, build2(b, N_EQ, build1(b, N_LEN, build_field(b, "process.ancestors.argv")), build_int(b, 2))));
	f->parent.v[SLOT_PROC_ARGV].len = 0;
	assert_false(eval(f, build2(b, N_ANY, build_field(b, "process.ancestors.argv"), is_run)));
	/* one array within another: some argument is the name of some ancestor */
	f->parent.v[SLOT_PROC_COMM] = str("run");
	assert_true(eval(f, build2(b, N_ANY, args,
				   build2(b, N_AND, is_run,
					  build2(b, N_ANY, build_field(b, "process.ancestors.comm"), is_run)))));
	/* no process at all */
	f->ev.proc = NULL;
	assert_false(eval(f, build2(b, N_ANY, args, is_run)));
	assert_false(eval(f, build2(b, N_ANY, pids, build2(b, N_EQ, ielem, build_int(b, 1)))));
}

/* Two conditions on one ancestor are not the same as one each on any. */
static void test_exists(void **state)
{
	struct fixture *f = *state;
	struct build *b = &f->b;
	uint32_t any_field = build_field_index("process.ancestors.pid");
	uint32_t sshd = build2(b, N_STREQ, build1(b, N_CURRENT, build_field_index("process.ancestors.comm")),
			       build_str(b, "sshd"));
	uint32_t uid5 =
		build2(b, N_EQ, build1(b, N_CURRENT, build_field_index("process.ancestors.uid")), build_int(b, 5));
	uint32_t elem = build1(b, N_ELEM, NT_STR), run = build2(b, N_STREQ, elem, build_str(b, "run")), ran;

	assert_true(eval(f, build2(b, N_EXISTS, sshd, any_field)));
	assert_true(eval(f, build2(b, N_EXISTS, uid5, any_field)));
	assert_false(eval(f, build2(b, N_EXISTS, build2(b, N_AND, sshd, uid5), any_field)));
	ran = build2(b, N_ANY, build1(b, N_CURRENT, build_field_index("process.ancestors.argv")), run);
	assert_true(eval(f, build2(b, N_EXISTS, build2(b, N_AND, sshd, ran), any_field)));
	assert_false(eval(f, build2(b, N_EXISTS, build2(b, N_AND, uid5, ran), any_field)));
	/* at most VAL_ANCESTORS_MAX are looked at, even in a circle */
	f->init.parent = &f->parent;
	assert_false(eval(f, build2(b, N_EXISTS, build2(b, N_AND, sshd, uid5), any_field)));
}

static size_t fired(struct fixture *f, const uint32_t **ret)
{
	return engine_eval(f->e, &f->ev, ret);
}

static void test_rules(void **state)
{
	struct fixture *f = *state;
	struct build *b = &f->b;
	uint32_t path = build_field(b, "open.file.path"),
		 shadow = build2(b, N_STREQ, path, build_str(b, "/etc/shadow"));
	uint32_t passwd = build2(b, N_STREQ, path, build_str(b, "/etc/passwd"));
	struct clause c[2] = { { .root = passwd, .bit = 3 }, { .root = shadow, .bit = 255 } };
	struct program p;
	const uint32_t *rules;

	build_rule(b, EV_OPEN, shadow);
	build_rule(b, EV_UNLINK, build_bool(b, true));
	build_rule(b, EV_OPEN, build2(b, N_OR, shadow, passwd));
	assert_int_equal(program_clauses_set(b->pb, 2, c, 2), 0);
	build_rule(b, EV_OPEN, build_bool(b, false));
	p = program_view(b->pb);
	assert_int_equal(engine_new(&p, &f->e, NULL), 0);

	assert_int_equal(fired(f, &rules), 2);
	assert_int_equal(rules[0], 0);
	assert_int_equal(rules[1], 2);
	/* Only clauses that are alive are looked at. */
	memset(f->ev.alive, 0, sizeof(f->ev.alive));
	assert_int_equal(fired(f, &rules), 0);
	f->ev.alive[3] = 1ull << 63;
	assert_int_equal(fired(f, &rules), 1);
	assert_int_equal(rules[0], 2);
	f->ev.alive[3] = 0;
	f->ev.alive[0] = 1ull << 3;
	assert_int_equal(fired(f, &rules), 0);
	/* Nothing is remembered from one event to the next. */
	f->ev.v[SLOT_OPEN_FILE_PATH] = str("/etc/passwd");
	assert_int_equal(fired(f, &rules), 1);
	/* Other event types have other rules; unknown ones have none. */
	memset(f->ev.alive, 0xff, sizeof(f->ev.alive));
	f->ev.type = EV_UNLINK;
	assert_int_equal(fired(f, &rules), 1);
	assert_int_equal(rules[0], 1);
	f->ev.type = EV_MKDIR;
	assert_int_equal(fired(f, &rules), 0);
	f->ev.type = 60000;
	assert_int_equal(fired(f, &rules), 0);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	struct build *b = &f->b;
	uint32_t uid = build_field(b, "process.uid"), elem = build1(b, N_ELEM, NT_BOOL), unlink_flags;
	struct program p;
	struct err err;
	bool v;

	unlink_flags = build2(b, N_EQ, build_field(b, "unlink.flags"), build_int(b, 0));
	eval(f, build_bool(b, true));
	assert_int_equal(engine_eval_node(f->e, uid, &f->ev, &v), -EINVAL);
	assert_int_equal(engine_eval_node(f->e, elem, &f->ev, &v), -EINVAL);
	assert_int_equal(engine_eval_node(f->e, unlink_flags, &f->ev, &v), -EINVAL);
	assert_int_equal(engine_eval_node(f->e, 1000000, &f->ev, &v), -EINVAL);
	engine_free(f->e);
	f->e = NULL;
	build_strin(b, build_field(b, "process.comm"), STRM_REGEX, "a(b", NULL);
	p = program_view(b->pb);
	assert_int_equal(engine_new(&p, &f->e, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "a(b"));
	assert_non_null(strstr(err.msg, "missing ')'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_strings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_icase_set, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_set, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_networks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arrays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exists, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
