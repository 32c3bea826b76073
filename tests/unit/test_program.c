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

#include "lib/buf.h"
#include "lib/ipnet.h"
#include "lib/program.h"
#include "tests/unit/build.h"

static bool is_bool(struct build *b, uint32_t n, bool v)
{
	struct program p = program_view(b->pb);

	return p.nodes[n].op == N_BOOL && p.nodes[n].imm == v;
}

static bool is_int(struct build *b, uint32_t n, int64_t v)
{
	struct program p = program_view(b->pb);

	return p.nodes[n].op == N_INT && p.nodes[n].imm == v;
}

static void test_shared(void **state)
{
	struct build *b = *state;
	uint32_t uid = build_field(b, "process.uid"), five = build_int(b, 5), path = build_field(b, "open.file.path");

	assert_int_equal(build_field(b, "process.uid"), uid);
	assert_int_equal(build_str(b, "x"), build_str(b, "x"));
	/* The same question in other words is the same node. */
	assert_int_equal(build2(b, N_EQ, uid, five), build2(b, N_EQ, five, uid));
	assert_int_equal(program_node_gt(b->pb, uid, five), build1(b, N_NOT, build2(b, N_LE, uid, five)));
	assert_int_equal(program_node_ge(b->pb, uid, five), build1(b, N_NOT, build2(b, N_LT, uid, five)));
	assert_int_equal(build_strin(b, path, STRM_EXACT, "b", "a"), build_strin(b, path, STRM_EXACT, "a", "b"));
}

static void test_folded(void **state)
{
	struct build *b = *state;
	uint32_t yes = build_bool(b, true), no = build_bool(b, false), uid = build_field(b, "process.uid");
	uint32_t root = build2(b, N_EQ, uid, build_int(b, 0)), not_root = build1(b, N_NOT, root);
	int64_t ints[] = { 3, 1, 3, 2 };
	uint32_t set = (uint32_t)program_intset_add(b->pb, ints, 4);

	assert_true(is_int(b, build2(b, N_ADD, build_int(b, 2), build_int(b, 3)), 5));
	assert_true(is_int(b, build2(b, N_SUB, build_int(b, 2), build_int(b, 3)), -1));
	assert_true(is_int(b, build2(b, N_ADD, build_int(b, INT64_MAX), build_int(b, 1)), INT64_MIN));
	assert_true(is_int(b, build2(b, N_BAND, build_int(b, 6), build_int(b, 3)), 2));
	assert_true(is_int(b, build2(b, N_BOR, build_int(b, 6), build_int(b, 3)), 7));
	assert_true(is_int(b, build2(b, N_BXOR, build_int(b, 6), build_int(b, 3)), 5));
	assert_true(is_int(b, build1(b, N_BNOT, build_int(b, 0)), -1));
	assert_true(is_int(b, build1(b, N_NEG, build_int(b, INT64_MIN)), INT64_MIN));
	assert_true(is_int(b, build1(b, N_LEN, build_str(b, "abc")), 3));
	assert_true(is_bool(b, build2(b, N_LT, build_int(b, 1), build_int(b, 2)), true));
	assert_true(is_bool(b, build2(b, N_LE, uid, uid), true));
	assert_true(is_bool(b, build2(b, N_STREQ, build_str(b, "a"), build_str(b, "b")), false));
	assert_true(is_bool(b, build3(b, N_STREQ, build_str(b, "aB"), build_str(b, "Ab"), 1), true));
	assert_true(is_bool(b, build2(b, N_INTIN, build_int(b, 2), set), true));
	assert_true(is_bool(b, build2(b, N_INTIN, build_int(b, 4), set), false));

	assert_int_equal(build2(b, N_AND, root, yes), root);
	assert_int_equal(build2(b, N_AND, root, no), no);
	assert_int_equal(build2(b, N_OR, root, yes), yes);
	assert_int_equal(build2(b, N_OR, no, root), root);
	assert_int_equal(build2(b, N_AND, root, root), root);
	assert_int_equal(build2(b, N_AND, root, not_root), no);
	assert_int_equal(build2(b, N_OR, not_root, root), yes);
	assert_int_equal(build1(b, N_NOT, not_root), root);
	assert_int_equal(build2(b, N_EQ, root, yes), root);
	assert_int_equal(build2(b, N_EQ, no, root), not_root);
	assert_int_equal(build2(b, N_ANY, build_field(b, "process.args_flags"), no), no);
}

static void test_refused(void **state)
{
	struct build *b = *state;
	uint32_t uid = build_field(b, "process.uid"), path = build_field(b, "open.file.path"),
		 flags = build_field(b, "process.argv");
	uint32_t elem = (uint32_t)program_node(b->pb, N_ELEM, NT_STR, 0, 0, 0);
	uint32_t int_elem = (uint32_t)program_node(b->pb, N_ELEM, NT_INT, 0, 0, 0);
	uint32_t is_x = build2(b, N_STREQ, elem, build_str(b, "x"));
	struct prule rule = { .event = EV_OPEN, .root = is_x };
	uint32_t nodes = program_view(b->pb).nnodes;

	/* types */
	assert_int_equal(program_node(b->pb, N_ADD, uid, path, 0, 0), -EINVAL);
	assert_int_equal(program_node(b->pb, N_EQ, path, path, 0, 0), -EINVAL);
	assert_int_equal(program_node(b->pb, N_EQ, uid, build_bool(b, true), 0, 0), -EINVAL);
	assert_int_equal(program_node(b->pb, N_NOT, uid, 0, 0, 0), -EINVAL);
	assert_int_equal(program_node(b->pb, N_ANY, path, is_x, 0, 0), -EINVAL);
	assert_int_equal(program_node(b->pb, N_LEN, uid, 0, 0, 0), -EINVAL);
	/* indexes and unused operands */
	assert_int_equal(program_node(b->pb, N_NOT, 1000, 0, 0, 0), -EINVAL);
	assert_int_equal(program_node(b->pb, N_FIELD, 100000, 0, 0, 0), -EINVAL);
	assert_int_equal(program_node(b->pb, N_FIELD, uid, 0, 0, 7), -EINVAL);
	assert_int_equal(program_node(b->pb, N_BOOL, 0, 0, 0, 2), -EINVAL);
	assert_int_equal(program_node(b->pb, N_OPS, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(program_node(b->pb, N_STRIN, path, 0, 0, 0), -EINVAL);
	/* fields of two event types, elements of two types, an element of another type than the array's */
	assert_int_equal(program_node(b->pb, N_STREQ, path, build_field(b, "unlink.file.path"), 0, 0), -EINVAL);
	assert_int_equal(program_node(b->pb, N_AND, is_x, build2(b, N_EQ, int_elem, build_int(b, 1)), 0, 0), -EINVAL);
	assert_int_equal(program_node(b->pb, N_ANY, flags, build2(b, N_EQ, int_elem, build_int(b, 1)), 0, 0), -EINVAL);
	/* a root that needs something around it, is no truth value, or is of another event type */
	assert_int_equal(program_rule_add(b->pb, &rule, NULL, 0), -EINVAL);
	rule.root = uid;
	assert_int_equal(program_rule_add(b->pb, &rule, NULL, 0), -EINVAL);
	rule.root = build2(b, N_EQ, uid, build_field(b, "unlink.flags"));
	assert_int_equal(program_rule_add(b->pb, &rule, NULL, 0), -EINVAL);
	rule.root = build_bool(b, true);
	rule.event = EV_NONE;
	assert_int_equal(program_rule_add(b->pb, &rule, NULL, 0), -EINVAL);
	assert_int_equal(program_view(b->pb).nrules, 0);
	assert_true(program_view(b->pb).nnodes >= nodes);
}

static void test_limits(void **state)
{
	struct build *b = *state;
	uint32_t uid = build_field(b, "process.uid");
	_cleanup_free_ char *big = calloc(PROGRAM_STRING_MAX + 1, 1);
	int64_t n = uid;
	int depth = 0;

	assert_int_equal(program_str_add(b->pb, big, PROGRAM_STRING_MAX + 1), -E2BIG);
	assert_true(program_str_add(b->pb, big, PROGRAM_STRING_MAX) > 0);
	for (; depth < 2 * PROGRAM_DEPTH_MAX && n >= 0; depth++)
		n = program_node(b->pb, N_ADD, (uint32_t)n, build_int(b, depth), 0, 0);
	assert_int_equal(n, -E2BIG);
	assert_int_equal(depth, PROGRAM_DEPTH_MAX + 1);
	/* Sharing that would double the work with every level. */
	for (n = uid, depth = 0; depth < 64 && n >= 0; depth++)
		n = program_node(b->pb, N_ADD, (uint32_t)n, (uint32_t)n, 0, 0);
	assert_int_equal(n, -E2BIG);
}

static uint32_t build_var(struct build *b, struct pvar v, const char *name)
{
	v.name = build_string(b, name);
	return build_ok(program_var_add(b->pb, &v));
}

static struct paction action(uint8_t kind)
{
	return (struct paction){ .kind = kind, .filter = PROGRAM_NONE, .field = PROGRAM_NONE, .message = PROGRAM_NONE };
}

/* Variables of every scope, and a rule with an action of every kind and a limit. */
static void build_effects(struct build *b)
{
	uint32_t texts[] = { build_str(b, "x"), build_str(b, "y") },
		 first = build_ok(program_refs_add(b->pb, texts, 2));
	uint32_t num = build_var(b, (struct pvar){ .type = NT_INT, .ttl_ns = 5 }, "num");
	uint32_t list = build_var(b,
				  (struct pvar){ .scope = VAR_PROCESS,
						 .type = NT_STRS,
						 .flags = VAR_INHERITED | VAR_PRIVATE,
						 .size = 9,
						 .default_first = first,
						 .default_count = 2 },
				  "list");
	uint32_t path = build_field(b, "open.file.path"), var = build1(b, N_VAR, num);
	uint32_t text = build2(b, N_CONCAT, build_str(b, "/x"), build1(b, N_TEXT, build1(b, N_VAR, list)));
	uint32_t fields[] = { build_field_index("process.uid"), build_field_index("open.file.path") };
	struct prule rule = { .event = EV_OPEN,
			      .flags = PRULE_SILENT,
			      .every_ns = 7,
			      .limit_first = build_ok(program_refs_add(b->pb, fields, 2)),
			      .limit_count = 2,
			      .group = build_string(b, "group"),
			      .priority = -3 };
	struct paction a[ACT_KINDS];

	for (uint8_t k = 0; k < ACT_KINDS; k++)
		a[k] = action(k);
	build_var(b, (struct pvar){ .scope = VAR_CONTAINER, .type = NT_IPS, .size = 1 }, "list");
	rule.root = build2(b, N_OR, build3(b, N_MATCH, path, text, MATCH_GLOB),
			   build2(b, N_AND, build2(b, N_LT, build_int(b, 3), var),
				  build2(b, N_MEET, build_field(b, "process.argv"), build1(b, N_VAR, list))));
	a[ACT_SET].var = list;
	a[ACT_SET].flags = ACT_APPEND;
	a[ACT_SET].filter = build2(b, N_EQ, var, build_int(b, 1));
	a[ACT_SET].field = build_field_index("process.ppid");
	a[ACT_SET].values_first = build_ok(program_refs_add(b->pb, &text, 1));
	a[ACT_SET].values_count = 1;
	a[ACT_KILL].num = 9;
	a[ACT_KILL].scope = VAR_CGROUP;
	a[ACT_COREDUMP].flags = ACT_PROCESS;
	a[ACT_HASH].field = fields[1];
	a[ACT_LOG].message = build1(b, N_UUID, 0);
	a[ACT_NETWORK_FILTER].str = build_string(b, "tcp");
	a[ACT_CAPTURE].num = paction_capture(CAPTURE_BEFORE_MAX_MS, CAPTURE_AFTER_MAX_MS);
	assert_int_equal(program_actions_set(b->pb, build_ok(program_rule_add(b->pb, &rule, NULL, 0)), a, ACT_KINDS),
			 0);
}

/* A program with something of everything. */
static void build_all(struct build *b)
{
	uint32_t path = build_field(b, "open.file.path"), any, exists, ip;
	uint32_t elem = (uint32_t)program_node(b->pb, N_ELEM, NT_STR, 0, 0, 0);
	int64_t ints[] = { 0, 1000 };
	uint8_t net[IPNET_BYTES];
	const uint32_t tags[] = { build_string(b, "technique"), build_string(b, "T1003"), build_string(b, "tactic"),
				  build_string(b, "x") };
	struct prule rule = {
		.event = EV_OPEN, .severity = 3, .id = build_string(b, "r1"), .description = build_string(b, "what")
	};
	struct clause clauses[2] = { { .bit = 1 }, { .bit = 200 } };

	any = build2(b, N_ANY, build_field(b, "process.args_flags"), build2(b, N_STREQ, elem, build_str(b, "v")));
	exists = build2(b, N_EXISTS,
			build2(b, N_STREQ, build1(b, N_CURRENT, build_field_index("process.ancestors.comm")),
			       build_str(b, "sh")),
			build_field_index("process.ancestors.pid"));
	clauses[0].root = build2(b, N_AND, build_strin(b, path, STRM_GLOB, "/etc/**", "/tmp/*"), any);
	clauses[1].root =
		build2(b, N_AND, exists,
		       build2(b, N_INTIN, build_field(b, "process.uid"), (uint32_t)program_intset_add(b->pb, ints, 2)));
	rule.root = build2(b, N_OR, clauses[0].root, clauses[1].root);
	assert_int_equal(program_rule_add(b->pb, &rule, tags, 2), 0);
	assert_int_equal(program_clauses_set(b->pb, 0, clauses, 2), 0);

	assert_int_equal(ipnet_parse("10.0.0.0/8", 10, net), 0);
	ip = (uint32_t)program_str_add(b->pb, (char *)net, sizeof(net));
	rule.root = build2(b, N_IPIN, build_field(b, "connect.addr.ip"), (uint32_t)program_ipset_add(b->pb, &ip, 1));
	rule.event = EV_CONNECT;
	assert_int_equal(program_rule_add(b->pb, &rule, NULL, 0), 1);
	build_effects(b);
}

/* What variables, limits and actions may not be. */
static void test_effects_refused(void **state)
{
	struct build *b = *state;
	uint32_t path, values[2], fields[PROGRAM_LIMITS_MAX + 1] = { 0 }, list;
	struct prule rule = { .event = EV_OPEN };
	struct paction a = action(ACT_SET), c;
	struct pvar v = { .name = 1, .type = NT_INT };

	build_all(b);
	path = build_field(b, "open.file.path");
	values[0] = build_str(b, "x");
	values[1] = build_field(b, "unlink.file.path");
	list = build_ok(program_refs_add(b->pb, values, 2));
#define REFUSED(CHANGE)                                                                                                \
	do {                                                                                                           \
		struct pvar w = v;                                                                                     \
		CHANGE;                                                                                                \
		assert_int_equal(program_var_add(b->pb, &w), -EINVAL);                                                 \
	} while (0)
	REFUSED(w.name = 0);
	REFUSED(w.name = 100000);
	REFUSED(w.scope = VAR_SCOPES);
	REFUSED(w.type = NT_BOOLS; w.size = 1);
	REFUSED(w.type = NT_INTS);
	REFUSED(w.type = NT_INTS; w.size = VAR_SIZE_MAX + 1);
	REFUSED(w.size = 1);
	REFUSED(w.ttl_ns = -1);
	REFUSED(w.flags = VAR_INHERITED);
	REFUSED(w.flags = VAR_NAMES; w.type = NT_INT);
	REFUSED(w.flags = VAR_NAMES; w.type = NT_BOOL; w.scope = VAR_PROCESS);
	REFUSED(w.flags = 16);
	REFUSED(w.default_count = 1; w.default_first = list); /* a text */
	REFUSED(w.default_count = 1; w.default_first = list + 2);
	REFUSED(w.type = NT_STR; w.default_count = 1; w.default_first = list + 1); /* no constant */
	v.name = build_string(b, "num");
	assert_int_equal(program_var_add(b->pb, &v), -EEXIST);

	rule.root = build2(b, N_STREQ, path, values[0]);
	rule.limit_count = 1;
	rule.limit_first = 100000;
	assert_int_equal(program_rule_add(b->pb, &rule, NULL, 0), -EINVAL);
	rule.limit_first = build_ok(program_refs_add(b->pb, fields, PROGRAM_LIMITS_MAX + 1));
	rule.limit_count = PROGRAM_LIMITS_MAX + 1;
	assert_int_equal(program_rule_add(b->pb, &rule, NULL, 0), -EINVAL);
	rule.limit_count = 0;
	rule.every_ns = -1;
	assert_int_equal(program_rule_add(b->pb, &rule, NULL, 0), -EINVAL);
#undef REFUSED
#define REFUSED(CHANGE)                                                                                                \
	do {                                                                                                           \
		c = a;                                                                                                 \
		CHANGE;                                                                                                \
		assert_int_equal(program_actions_set(b->pb, 0, &c, 1), -EINVAL);                                       \
	} while (0)
	a.var = 1;
	a.values_first = list;
	a.values_count = 1;
	assert_int_equal(program_actions_set(b->pb, 0, &a, 1), 0);
	REFUSED(c.kind = ACT_KINDS);
	REFUSED(c.var = 100);
	REFUSED(c.var = 0);	     /* a number */
	REFUSED(c.values_count = 2); /* the second is of another event */
	REFUSED(c.values_count = 0);
	REFUSED(c.values_first = UINT32_MAX);
	REFUSED(c.filter = values[0]);
	REFUSED(c.filter = 100000);
	REFUSED(c.field = build_field_index("process.comm"));
	REFUSED(c.field = build_field_index("unlink.flags"));
	REFUSED(c.message = values[0]);
	REFUSED(c.num = 1);
	REFUSED(c.flags = ACT_PROCESS);
	REFUSED(c = action(ACT_KILL));
	REFUSED(c = action(ACT_HASH));
	REFUSED(c = action(ACT_LOG); c.message = values[1]);
	REFUSED(c = action(ACT_LOG); c.level = ACT_LEVELS);
	REFUSED(c = action(ACT_NETWORK_FILTER); c.str = 100000);
	REFUSED(c = action(ACT_CAPTURE); c.num = paction_capture(CAPTURE_BEFORE_MAX_MS + 1, 0));
	REFUSED(c = action(ACT_CAPTURE); c.num = paction_capture(0, CAPTURE_AFTER_MAX_MS + 1));
	REFUSED(c = action(ACT_CAPTURE); c.num = -1);
	REFUSED(c = action(ACT_CAPTURE); c.scope = VAR_CGROUP);
#undef REFUSED
	assert_int_equal(program_actions_set(b->pb, 100, &a, 1), -EINVAL);
	/* nodes */
	assert_int_equal(program_node(b->pb, N_VAR, 100, 0, 0, 0), -EINVAL);
	assert_int_equal(program_node(b->pb, N_MATCH, path, path, 4, 0), -EINVAL);
	assert_int_equal(program_node(b->pb, N_CONCAT, path, build_int(b, 1), 0, 0), -EINVAL);
	assert_int_equal(program_node(b->pb, N_MEET, build_field(b, "process.argv"),
				      build_field(b, "process.ancestors.pid"), 0, 0),
			 -EINVAL);
}

static void test_saved_and_loaded(void **state)
{
	struct build *b = *state;
	struct program p, q;
	struct buf one, two;
	struct err err;
	uint32_t len;

	build_all(b);
	p = program_view(b->pb);
	buf_init(&one, 1 << 20);
	buf_init(&two, 1 << 20);
	assert_int_equal(program_save(&p, &one), 0);
	if (program_load(catalog_tamis(), one.data, one.len, &q, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(q.nrules, 3);
	assert_int_equal(q.nvars, 3);
	assert_int_equal(q.nactions, ACT_KINDS);
	assert_int_equal(q.rules[2].priority, -3);
	assert_int_equal(q.rules[0].clause_count, 2);
	assert_int_equal(q.clauses[q.rules[0].clause_first + 1].bit, 200);
	assert_int_equal(q.rules[1].clause_count, 1);
	assert_int_equal(q.rules[0].severity, 3);
	/* tags ascend by name */
	assert_memory_equal(program_str(&q, q.tags[0], &len), "tactic", 6);
	assert_memory_equal(program_str(&q, q.tags[2], &len), "technique", 9);
	/* same program, same bytes */
	assert_int_equal(program_save(&q, &two), 0);
	assert_int_equal(one.len, two.len);
	assert_memory_equal(one.data, two.data, one.len);
	buf_done(&one);
	buf_done(&two);
}

/* No prefix loads, and no changed byte does harm; most are refused. */
static void test_damaged(void **state)
{
	struct build *b = *state;
	struct program p, q;
	struct buf saved;
	size_t refused = 0;
	struct err err;

	build_all(b);
	p = program_view(b->pb);
	buf_init(&saved, 1 << 20);
	assert_int_equal(program_save(&p, &saved), 0);
	for (size_t n = 0; n < saved.len; n++)
		assert_int_equal(program_load(catalog_tamis(), saved.data, n, &q, &err), -EBADMSG);
	for (size_t i = 0; i < saved.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			saved.data[i] ^= (uint8_t)(1 << bit);
			if (program_load(catalog_tamis(), saved.data, saved.len, &q, &err) < 0) {
				assert_non_null(strstr(err.msg, "malformed rule program"));
				refused++;
			}
			saved.data[i] ^= (uint8_t)(1 << bit);
		}
	/* What may change unnoticed here is text and numbers; the bundle's signature covers those. */
	assert_true(refused > saved.len * 8 / 2);
	buf_done(&saved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shared, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_folded, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_refused, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_limits, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_saved_and_loaded, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_damaged, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_effects_refused, build_setup, build_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
