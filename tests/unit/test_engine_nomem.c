/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The n-th allocation fails, for every n: from building a program to evaluating an event out of JSON, each step says
 * -ENOMEM, leaves nothing behind and goes through the next time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "engine/engine.h"
#include "lib/bundle.h"
#include "lib/event_json.h"
#include "lib/glob.h"
#include "lib/regex.h"
#include "tests/unit/build.h"
#include "tests/unit/nomem.h"

/* Runs @step with the n-th allocation failing, for every n until it needs no more. */
static void try_all(int (*step)(void))
{
	for (long n = 1;; n++) {
		bool failed;
		int r;

		nomem_begin(n);
		r = step();
		failed = nomem_end();
		/* A failure that only costs some memory is none. */
		if (r != 0 && !(failed && r == -ENOMEM))
			fail_msg("allocation %ld: %d", n, r);
		if (!failed)
			break;
	}
}

/* A variable that the rule sets to a text that is made of one, and a limit. */
static int build_action(struct program_builder *pb, uint32_t rule, uint32_t path)
{
	struct paction a = { .kind = ACT_SET,
			     .filter = PROGRAM_NONE,
			     .field = PROGRAM_NONE,
			     .message = PROGRAM_NONE,
			     .values_count = 1 };
	struct prule limited = { .event = EV_OPEN, .every_ns = 5 };
	struct pvar v = { .type = NT_STRS, .size = 3, .scope = VAR_PROCESS };
	int64_t r = program_str_add(pb, "name", 4), n;
	uint32_t node;

	v.name = (uint32_t)r;
	r = r < 0 ? r : program_var_add(pb, &v);
	a.var = (uint32_t)r;
	n = r < 0 ? r : program_node(pb, N_TEXT, path, 0, 0, 0);
	n = n < 0 ? n : program_node(pb, N_CONCAT, (uint32_t)n, (uint32_t)n, 0, 0);
	node = (uint32_t)n;
	n = n < 0 ? n : program_refs_add(pb, &node, 1);
	a.values_first = (uint32_t)n;
	r = n < 0 ? n : program_actions_set(pb, rule, &a, 1);
	n = r < 0 ? r : program_node(pb, N_BOOL, 0, 0, 0, 0);
	limited.root = (uint32_t)n;
	node = catalog_index(catalog_tamis(), catalog_field(catalog_tamis(), "process.uid", strlen("process.uid")));
	n = n < 0 ? n : program_refs_add(pb, &node, 1);
	limited.limit_first = (uint32_t)n;
	limited.limit_count = 1;
	n = n < 0 ? n : program_rule_add(pb, &limited, NULL, 0);
	return n < 0 ? (int)n : 0;
}

/* A rule with a set of each kind of string, and one with numbers and ancestors. No cmocka in here: it allocates. */
static int build(struct program_builder *pb)
{
	struct strm m[4] = {
		{ .kind = STRM_EXACT }, { .kind = STRM_PATTERN }, { .kind = STRM_GLOB }, { .kind = STRM_REGEX }
	};
	static const char *const texts[] = { "/etc/shadow", "/x*", "/etc/**", "^/etc/s.*w$" };
	const char *const names[] = { "open.file.path", "process.ancestors.pid" };
	int64_t f[2], ints[] = { 3, 1, 2 }, r, set;
	struct prule rule = { .event = EV_OPEN };

	for (int i = 0; i < 4; i++) {
		r = program_str_add(pb, texts[i], strlen(texts[i]));
		if (r < 0)
			return (int)r;
		m[i].str = (uint32_t)r;
	}
	for (int i = 0; i < 2; i++) {
		const struct cat_field *fld = catalog_field(catalog_tamis(), names[i], strlen(names[i]));

		f[i] = program_node(pb, N_FIELD, catalog_index(catalog_tamis(), fld), 0, 0, 0);
		if (f[i] < 0)
			return (int)f[i];
	}
	set = program_strset_add(pb, m, 4);
	r = set < 0 ? set : program_node(pb, N_STRIN, (uint32_t)f[0], (uint32_t)set, 0, 0);
	rule.root = (uint32_t)r;
	r = r < 0 ? r : program_rule_add(pb, &rule, (const uint32_t[]){ m[0].str, m[1].str }, 1);
	set = r < 0 ? r : program_intset_add(pb, ints, 3);
	r = set < 0 ? set : program_node(pb, N_ELEM, NT_INT, 0, 0, 0);
	r = r < 0 ? r : program_node(pb, N_INTIN, (uint32_t)r, (uint32_t)set, 0, 0);
	r = r < 0 ? r : program_node(pb, N_ANY, (uint32_t)f[1], (uint32_t)r, 0, 0);
	rule.root = (uint32_t)r;
	r = r < 0 ? r : program_rule_add(pb, &rule, NULL, 0);
	return r < 0 ? (int)r : build_action(pb, (uint32_t)r, (uint32_t)f[0]);
}

static struct buf saved;

static int build_and_save(void)
{
	_cleanup_(program_builder_free) struct program_builder *pb = NULL;
	struct program p;
	int r = program_builder_new(catalog_tamis(), &pb);

	if (r == 0)
		r = build(pb);
	if (r < 0)
		return r;
	p = program_view(pb);
	buf_reset(&saved);
	return program_save(&p, &saved);
}

static void test_program(void **state)
{
	(void)state;
	buf_init(&saved, 1 << 20);
	try_all(build_and_save);
	assert_true(saved.len > 0);
}

static const char json[] =
	"{\"open.file.path\":\"/etc/shadow\",\"process\":{\"args\":\"-a --b=c -d e\",\"ancestors\":[{\"pid\":9},"
	"{\"pid\":1,\"envp\":[\"A=b\"],\"argv\":[\"x y\"]}]}}";
static struct event_json *writer;

/* 0 where both rules fired. */
static int evaluate(const struct event *ev)
{
	_cleanup_(engine_free) struct engine *e = NULL;
	struct program p;
	const uint32_t *rules;
	struct err err;
	int r = program_load(catalog_tamis(), saved.data, saved.len, &p, &err);

	if (r == 0)
		r = engine_new(&p, &e, &err);
	if (r < 0)
		return r;
	return engine_eval(e, ev, &rules) == 2 ? 0 : -EPROTO;
}

static int read_and_evaluate(void)
{
	struct event_mem mem;
	struct event ev;
	struct err err;
	struct buf out;
	int r;

	event_mem_init(&mem, EVENT_MEM_MAX);
	buf_init(&out, 1 << 20);
	r = event_json_read(catalog_tamis(), json, sizeof(json) - 1, &mem, &ev, &err);
	if (r == 0)
		r = evaluate(&ev);
	if (r == 0) {
		event_json_write(writer, &ev, &out);
		r = buf_error(&out);
	}
	buf_done(&out);
	event_mem_done(&mem);
	return r;
}

static int new_writer(void)
{
	event_json_free(writer);
	writer = NULL;
	return event_json_new(catalog_tamis(), &writer);
}

/*
 * The JSON library (jansson 2.14) breaks when its lexer finds no memory; what it takes does not fail here. Only tamisc reads
 * JSON.
 */
static void spare_jansson(void)
{
#ifdef NOMEM_FAILS
	json_set_alloc_funcs(__libc_malloc, free);
#endif
}

static void test_events(void **state)
{
	(void)state;
	spare_jansson();
	try_all(new_writer);
	try_all(read_and_evaluate);
	event_json_free(writer);
	buf_done(&saved);
}

static int make_patterns(void)
{
	_cleanup_(glob_free) struct glob *g = NULL;
	_cleanup_(regex_free) struct regex *re = NULL;
	static const char p[] = "(?i)^(a|[b-d]{2,3}\\w)*x.\\b$";
	struct err err;
	int r = glob_new("/a/**/b", 7, false, &g, &err);

	return r < 0 ? r : regex_new(p, sizeof(p) - 1, false, &re, &err);
}

static int parse_bundle(void)
{
	static const uint8_t empty[] = "TAMISTPB\1\0\0\0\0\0\0\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	struct bundle b;
	struct err err;
	int r = bundle_parse(empty, sizeof(empty), NULL, &b, &err);

	if (r == 0)
		bundle_done(&b);
	return r;
}

static void test_others(void **state)
{
	(void)state;
	try_all(make_patterns);
	try_all(parse_bundle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
