/* SPDX-License-Identifier: Apache-2.0 */
/* Variables, actions and limits, from the policy's text to what an engine makes of events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/engine.h"
#include "lib/buf.h"
#include "lib/event_json.h"
#include "policy-compiler/compile.h"
#include "tests/unit/nomem.h"

/* A policy in force. */
struct use {
	struct diags diags;
	struct compile *c;
	struct program p;
	struct engine *e;
	struct event_mem mem;
	struct event ev; /* the last */
	int64_t now;
};

static void build(struct use *u, const char *yaml)
{
	*u = (struct use){ .diags = diags_new(), .now = 1000000000000 };
	event_mem_init(&u->mem, EVENT_MEM_MAX);
	assert_int_equal(compile_new(catalog_tamis(), &u->diags, &u->c), 0);
	assert_int_equal(compile_add_text(u->c, "p.yaml", yaml, strlen(yaml)), 0);
	assert_int_equal(compile_finish(u->c), 0);
	u->p = program_view(u->c->builder);
}

static void begin(struct use *u, const char *yaml)
{
	struct err err = { .msg = "" };

	build(u, yaml);
	for (size_t i = 0; i < u->diags.n; i++)
		if (u->diags.v[i].level == DIAG_ERROR)
			fail_msg("%s (%s)", u->diags.v[i].msg, u->diags.v[i].help ? u->diags.v[i].help : "");
	if (engine_new(&u->p, &u->e, &err) < 0)
		fail_msg("%s", err.msg);
}

static void end(struct use *u)
{
	engine_free(u->e);
	compile_free(u->c);
	event_mem_done(&u->mem);
	diags_done(&u->diags);
}

static const char *rule_id(const struct use *u, uint32_t rule)
{
	static char id[64];
	uint32_t len;
	const char *s = program_str(&u->p, u->p.rules[rule].id, &len);

	snprintf(id, sizeof(id), "%.*s", (int)len, s);
	return id;
}

/* The ids of the rules that hold on the event, joined by spaces; "-" behind one that is suppressed, "." behind a silent one. */
static const char *fire(struct use *u, const char *json)
{
	static char out[512];
	const struct engine_match *m;
	struct err err = { .msg = "" };
	size_t n, len = 0;

	if (event_json_read(catalog_tamis(), json, strlen(json), &u->mem, &u->ev, &err) < 0)
		fail_msg("%s", err.msg);
	u->ev.now_ns = u->now;
	n = engine_eval(u->e, &u->ev, NULL);
	m = engine_matches(u->e);
	out[0] = '\0';
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%s%s", i ? " " : "", rule_id(u, m[i].rule),
					m[i].suppressed ? "-"
					: m[i].silent	? "."
							: "");
	return out;
}

/* What the variable holds at the last event: "unset", or values joined by commas. */
static const char *var(struct use *u, const char *name)
{
	static char out[512];
	struct engine_var v;
	size_t len = 0;
	uint32_t n;

	if (engine_var_get(u->e, name, strlen(name), &u->ev, &v) < 0)
		return "no such variable";
	if (!v.set && !v.has_default)
		return "unset";
	n = program_is_array(v.type) ? v.v.len : 1;
	out[0] = '\0';
	for (uint32_t i = 0; i < n; i++) {
		const struct val *x = program_is_array(v.type) ? &v.v.arr[i] : &v.v;

		len += (size_t)(program_scalar(v.type) == NT_STR
					? snprintf(out + len, sizeof(out) - len, "%s%.*s", i ? "," : "", (int)x->len,
						   x->len ? x->s : "")
				: program_scalar(v.type) == NT_BOOL
					? snprintf(out + len, sizeof(out) - len, "%s", x->num ? "true" : "false")
					: snprintf(out + len, sizeof(out) - len, "%s%d", i ? "," : "", (int)x->num));
	}
	return out;
}

#define OPEN(PATH, PID) "{\"open\":{\"file\":{\"path\":\"" PATH "\"}},\"process\":{\"pid\":" #PID "}}"
#define OPEN_BELOW(PATH, PID, PARENT)                                                                                  \
	"{\"open\":{\"file\":{\"path\":\"" PATH "\"}},\"process\":{\"pid\":" #PID ",\"parent\":{\"pid\":" #PARENT      \
	"},\"ancestors\":[{\"pid\":" #PARENT "}]}}"

static void test_all_kinds(void **state)
{
	struct use u;

	begin(&u,
	      "rules:\n"
	      "- id: first\n"
	      "  expression: open.file.path == \"/a\"\n"
	      "  actions:\n"
	      "  - set: {name: flag, value: true}\n"
	      "  - set: {name: text, value: some text}\n"
	      "  - set: {name: num, value: 123, scope: process}\n"
	      "  - set: {name: list, value: [x, y]}\n"
	      "  - set: {name: nums, value: [7, 8]}\n"
	      "  - set: {name: path, field: open.file.path}\n"
	      "  - set: {name: paths, field: open.file.path, append: true}\n"
	      "- id: second\n"
	      "  expression: open.file.path == \"/b\" && ${flag} && ${flag} == true && ${text} == \"some text\" &&\n"
	      "    \"${text}\" == \"some text\" && \"<${text}|${list}|${nums}|%{process.pid}>\" == \"<some text|x,y|7,8|9>\" &&\n"
	      "    ${process.num} == 123 && ${process.num} + 1 > 123 && \"y\" in ${list} && \"z\" not in ${list} && 8 in ${nums} &&\n"
	      "    ${path} == \"/a\" && ${paths} in [\"/a\"] && ${text} in [\"x\", ~\"some*\"] && ${text} =~ \"*text\"\n");
	assert_string_equal(fire(&u, OPEN("/b", 9)), "");
	assert_string_equal(var(&u, "flag"), "unset");
	assert_string_equal(fire(&u, OPEN("/a", 9)), "first");
	assert_string_equal(fire(&u, OPEN("/b", 9)), "second");
	assert_string_equal(fire(&u, OPEN("/b", 8)), ""); /* another process */
	assert_string_equal(var(&u, "process.num"), "unset");
	assert_string_equal(var(&u, "list"), "x,y");
	assert_string_equal(var(&u, "paths"), "/a");
	end(&u);
}

static void test_rule_order(void **state)
{
	struct use u;

	begin(&u, "rules:\n"
		  "- id: reads_before\n"
		  "  expression: open.file.path =~ ~\"/*\" && ${n} == 1\n"
		  "- id: sets\n"
		  "  expression: open.file.path == \"/a\"\n"
		  "  actions: [{set: {name: n, value: 1}}]\n"
		  "- id: reads_after\n"
		  "  expression: open.file.path =~ ~\"/*\" && ${n} == 1\n"
		  "- id: urgent\n"
		  "  priority: 7\n"
		  "  expression: open.file.path == \"/a\" && ${n} == 0\n");
	/* the same node, asked twice, gives two answers */
	assert_string_equal(fire(&u, OPEN("/a", 1)), "urgent sets reads_after");
	assert_string_equal(fire(&u, OPEN("/a", 1)), "reads_before sets reads_after");
	assert_string_equal(fire(&u, OPEN("/b", 1)), "reads_before reads_after");
	end(&u);
}

static void test_initial_value(void **state)
{
	struct use u;

	begin(&u, "rules:\n"
		  "- id: r\n"
		  "  expression: open.file.path == \"/a\" && ${v} == 123\n"
		  "  actions: [{set: {name: v, default_value: 123, value: 456}}]\n"
		  "- id: l\n"
		  "  expression: open.file.path == \"/l\" && \"b\" in ${l}\n"
		  "  actions: [{set: {name: l, default_value: [a, b], value: [c]}}]\n");
	assert_string_equal(fire(&u, OPEN("/x", 1)), "");
	assert_string_equal(var(&u, "v"), "123");
	assert_string_equal(fire(&u, OPEN("/a", 1)), "r");
	assert_string_equal(var(&u, "v"), "456");
	assert_string_equal(fire(&u, OPEN("/a", 1)), "");
	assert_string_equal(var(&u, "l"), "a,b");
	assert_string_equal(fire(&u, OPEN("/l", 1)), "l");
	assert_string_equal(var(&u, "l"), "c");
	end(&u);
}

static void test_size_and_time(void **state)
{
	struct use u;

	begin(&u, "rules:\n"
		  "- id: r\n"
		  "  expression: open.file.path =~ ~\"/tmp/*\"\n"
		  "  actions:\n"
		  "  - set: {name: last, append: true, field: open.file.name, size: 2}\n"
		  "  - set: {name: seen, append: true, field: open.file.name, scope: process, ttl: 10s}\n"
		  "  - set: {name: recent, value: true, ttl: 1000000000}\n");
	fire(&u, OPEN("/tmp/a", 1));
	u.now += 6000000000;
	fire(&u, OPEN("/tmp/b", 1));
	fire(&u, OPEN("/tmp/a", 2));
	fire(&u, OPEN("/tmp/c", 1));
	assert_string_equal(var(&u, "last"), "a,c");
	assert_string_equal(var(&u, "process.seen"), "a,b,c");
	assert_string_equal(var(&u, "recent"), "true");
	u.now += 5000000000;
	fire(&u, OPEN("/x", 1));
	assert_string_equal(var(&u, "process.seen"), "b,c"); /* each value has its own time */
	assert_string_equal(var(&u, "recent"), "unset");
	u.now += 5000000000;
	fire(&u, OPEN("/x", 1));
	assert_string_equal(var(&u, "process.seen"), "unset");
	end(&u);
}

static const char inherited[] = "rules:\n"
				"- id: guess\n"
				"  expression: open.file.path == \"/guess\"\n"
				"  actions: [{set: {name: v, value: 456, scope: process, inherited: true}}]\n"
				"- id: victory\n"
				"  expression: open.file.path == \"/guess2\" && ${process.v} == 456\n"
				"  actions: [{set: {name: v, value: 1000, scope: process, inherited: true}}]\n"
				"- id: over\n"
				"  expression: open.file.path == \"/guess2\" && ${process.v} == 0\n"
				"  actions: [{set: {name: v, value: 0, scope: process, inherited: true}}]\n";

static void test_inherited(void **state)
{
	struct use u;

	begin(&u, inherited);
	assert_string_equal(fire(&u, OPEN("/guess", 1)), "guess");
	assert_string_equal(fire(&u, OPEN_BELOW("/guess2", 2, 1)), "victory");
	assert_string_equal(var(&u, "process.v"), "1000");
	assert_string_equal(fire(&u, OPEN("/x", 1)), "");
	assert_string_equal(var(&u, "process.v"), "456"); /* the parent keeps its own */
	engine_forget_proc(u.e, 1, 0);
	assert_string_equal(fire(&u, OPEN_BELOW("/guess2", 3, 1)), "over");
	assert_true(engine_knows_proc(u.e, 2, 0));
	assert_false(engine_knows_proc(u.e, 1, 0));
	end(&u);
}

static void test_correlation(void **state)
{
	struct use u;
	char first[64];

	begin(&u,
	      "rules:\n"
	      "- id: one\n"
	      "  expression: open.file.path == \"/1\" && ${process.key} == \"\"\n"
	      "  actions: [{set: {name: key, default_value: \"\", expression: '\"first_${builtins.uuid4}\"', scope: process, inherited: true}}]\n"
	      "- id: two\n"
	      "  expression: open.file.path == \"/2\" && ${process.key} in [\"\", ~\"first_*\"]\n"
	      "  actions:\n"
	      "  - filter: ${process.key} != \"\"\n"
	      "    set: {name: keys, default_value: \"\", expression: '${process.key}', scope: process, append: true, inherited: true}\n"
	      "  - set: {name: key, default_value: \"\", expression: '\"second_${builtins.uuid4}\"', scope: process, inherited: true}\n");
	assert_string_equal(fire(&u, OPEN("/1", 1)), "one");
	snprintf(first, sizeof(first), "%s", var(&u, "process.key"));
	assert_int_equal(strlen(first), strlen("first_") + 36);
	assert_memory_equal(first, "first_", 6);
	assert_int_equal(first[6 + 14], '4');
	assert_string_equal(fire(&u, OPEN_BELOW("/1", 2, 1)), ""); /* it has one, by inheritance */
	assert_string_equal(fire(&u, OPEN_BELOW("/2", 3, 1)), "two");
	assert_string_equal(var(&u, "process.keys"), first);
	assert_memory_equal(var(&u, "process.key"), "second_", 7);
	assert_string_equal(fire(&u, OPEN_BELOW("/2", 3, 1)), "");
	/* without one before, the filter holds the action back */
	assert_string_equal(fire(&u, OPEN("/2", 4)), "two");
	assert_string_equal(var(&u, "process.keys"), "unset");
	end(&u);
}

static void test_expressions(void **state)
{
	struct use u;

	begin(&u, "rules:\n"
		  "- id: r\n"
		  "  expression: open.file.path == \"/a\"\n"
		  "  actions:\n"
		  "  - set: {name: n, default_value: 123, expression: '${n} + ${n} + 1'}\n"
		  "  - set: {name: t, value: foo, default_value: ''}\n"
		  "  - set: {name: tt, default_value: '', expression: '\"${t}:${t}\"'}\n"
		  "  - set: {name: big, default_value: false, expression: '${n} > 300'}\n"
		  "- id: c\n"
		  "  expression: connect.addr.ip == 192.168.1.0/24\n"
		  "  actions:\n"
		  "  - set: {name: to, field: connect.addr.ip}\n"
		  "  - set: {name: check, default_value: false, expression: '${to} == 192.168.1.1/32'}\n"
		  "- id: d\n"
		  "  expression: connect.addr.ip in ${to}\n"
		  "- id: pids\n"
		  "  expression: open.file.path == \"/pids\"\n"
		  "  actions: [{set: {name: pids, field: process.pid, append: true}}]\n"
		  "- id: meet\n"
		  "  expression: open.file.path == \"/x\" && process.ancestors.pid in ${pids}\n"
		  "- id: not_meet\n"
		  "  expression: open.file.path == \"/x\" && process.ancestors.pid not in ${pids}\n");
	assert_string_equal(fire(&u, OPEN("/a", 1)), "r");
	assert_string_equal(var(&u, "n"), "247");
	assert_string_equal(var(&u, "tt"), "foo:foo");
	assert_string_equal(var(&u, "big"), "false");
	fire(&u, OPEN("/a", 1));
	assert_string_equal(var(&u, "n"), "495");
	assert_string_equal(var(&u, "big"), "true");
	assert_string_equal(fire(&u, "{\"connect\":{\"addr\":{\"ip\":\"192.168.1.1\"}}}"), "c d");
	assert_string_equal(var(&u, "check"), "true");
	assert_string_equal(fire(&u, "{\"connect\":{\"addr\":{\"ip\":\"10.0.0.1\"}}}"), "");
	assert_string_equal(fire(&u, OPEN_BELOW("/x", 3, 2)), "not_meet");
	fire(&u, OPEN("/pids", 4));
	fire(&u, OPEN("/pids", 2));
	assert_string_equal(fire(&u, OPEN_BELOW("/x", 3, 2)), "meet");
	assert_string_equal(fire(&u, OPEN("/x", 2)), "not_meet");
	end(&u);
}

static void test_scopes(void **state)
{
	struct use u;

	begin(&u, "rules:\n"
		  "- id: r\n"
		  "  expression: open.file.path == \"/a\"\n"
		  "  actions:\n"
		  "  - set: {name: v, value: 1, scope: container}\n"
		  "  - set: {name: w, value: 2, scope: cgroup}\n"
		  "  - set: {name: p, value: 3, scope: process}\n");
#define IN(PATH, BOX)                                                                                                  \
	"{\"open\":{\"file\":{\"path\":\"" PATH "\"}},\"process\":{\"pid\":1,\"container\":{\"id\":\"" BOX             \
	"\"},\"cgroup\":{\"id\":\"/" BOX "\"}}}"
	assert_string_equal(fire(&u, IN("/a", "b1")), "r");
	assert_string_equal(var(&u, "container.v"), "1");
	assert_string_equal(var(&u, "cgroup.w"), "2");
	fire(&u, IN("/x", "b2"));
	assert_string_equal(var(&u, "container.v"), "unset");
	assert_string_equal(var(&u, "process.p"), "3"); /* the same process */
	/* nothing to set it on: the rule holds all the same */
	assert_string_equal(fire(&u, "{\"open\":{\"file\":{\"path\":\"/a\"}}}"), "r");
	u.ev.proc = NULL;
	assert_int_equal(engine_eval(u.e, &u.ev, NULL), 1);
	for (uint32_t i = 0; i < 3; i++)
		assert_false(engine_matches(u.e)[0].acts[i].done);
	assert_string_equal(var(&u, "process.p"), "unset");
	end(&u);
}

static void test_scope_field(void **state)
{
	struct use u;

	begin(&u,
	      "rules:\n"
	      "- id: r\n"
	      "  expression: open.file.path == \"/a\"\n"
	      "  actions:\n"
	      "  - filter: ${process.key} == \"\"\n"
	      "    set: {name: key, default_value: '', expression: '\"first\"', scope: process, scope_field: process.ppid, inherited: true}\n"
	      "  - set: {name: key, default_value: '', expression: '\"own\"', scope: process, inherited: true}\n");
	assert_string_equal(fire(&u, "{\"open\":{\"file\":{\"path\":\"/a\"}},\"process\":{\"pid\":5,\"ppid\":4}}"),
			    "r");
	assert_string_equal(var(&u, "process.key"), "own");
	fire(&u, OPEN("/x", 4));
	assert_string_equal(var(&u, "process.key"), "first");
	fire(&u, OPEN_BELOW("/x", 6, 4));
	assert_string_equal(var(&u, "process.key"), "first");
	end(&u);
}

static void test_patterns(void **state)
{
	struct use u;

	begin(&u, "rules:\n"
		  "- id: set\n"
		  "  expression: open.file.path == \"/set\"\n"
		  "  actions:\n"
		  "  - set: {name: dir, default_value: /home/x, expression: process.comm}\n"
		  "- id: below\n"
		  "  expression: open.file.path =~ \"${dir}/**\"\n"
		  "- id: in_list\n"
		  "  expression: open.file.path in [\"/fixed\", ~\"${dir}/*.txt\", \"/own/%{process.comm}\"]\n"
		  "- id: name\n"
		  "  expression: open.file.name == \"${dir}\" || open.file.name =~ ~\"*-${process.pid}\"\n"
		  "- id: not_below\n"
		  "  expression: open.file.path !~ \"${dir}/**\"\n");
#define BY(PATH, COMM) "{\"open\":{\"file\":{\"path\":\"" PATH "\"}},\"process\":{\"pid\":77,\"comm\":\"" COMM "\"}}"
	assert_string_equal(fire(&u, BY("/home/x/y/z", "")), "below");
	assert_string_equal(fire(&u, BY("/home/x/y.txt", "")), "below in_list");
	assert_string_equal(fire(&u, BY("/home/x/y/z.txt", "")), "below"); /* one star stays within a name */
	assert_string_equal(fire(&u, BY("/set", "/srv")), "set not_below");
	assert_string_equal(fire(&u, BY("/srv/a.txt", "")), "below in_list");
	assert_string_equal(fire(&u, BY("/fixed", "")), "in_list not_below");
	assert_string_equal(fire(&u, BY("/own/vi", "vi")), "in_list not_below");
	assert_string_equal(fire(&u, BY("/tmp/a-77", "vi")), "name not_below");
	end(&u);
}

static void test_limits(void **state)
{
	struct use u;
	struct engine_stats st;

	begin(&u, "rules:\n"
		  "- id: each\n"
		  "  every: 10s\n"
		  "  expression: open.file.path == \"/a\"\n"
		  "  actions: [{set: {name: n, default_value: 0, expression: '${n} + 1'}}]\n"
		  "- id: user\n"
		  "  every: 10s\n"
		  "  limiter_token: [process.uid, open.file.name]\n"
		  "  expression: open.file.path == \"/b\"\n"
		  "- id: quiet\n"
		  "  silent: true\n"
		  "  expression: open.file.path == \"/c\"\n"
		  "  actions: [{set: {name: c, value: 5}}]\n");
	assert_string_equal(fire(&u, OPEN("/a", 1)), "each");
	u.now += 9999999999;
	assert_string_equal(fire(&u, OPEN("/a", 1)), "each-");
	assert_string_equal(fire(&u, OPEN("/a", 1)), "each-");
	assert_string_equal(var(&u, "n"), "3"); /* variables are set all the same */
	u.now += 1;
	assert_string_equal(fire(&u, OPEN("/a", 1)), "each");
	assert_int_equal(engine_matches(u.e)[0].held_back, 2);
	assert_int_equal(engine_suppressed(u.e, engine_matches(u.e)[0].rule), 2);
#define AS(UID) "{\"open\":{\"file\":{\"path\":\"/b\"}},\"process\":{\"pid\":1,\"uid\":" #UID "}}"
	assert_string_equal(fire(&u, AS(1)), "user");
	assert_string_equal(fire(&u, AS(2)), "user");
	assert_string_equal(fire(&u, AS(1)), "user-");
	assert_string_equal(fire(&u, OPEN("/c", 1)), "quiet.");
	assert_string_equal(var(&u, "c"), "5");
	engine_stats(u.e, &st);
	assert_int_equal(st.suppressed, 3);
	assert_int_equal(st.silent, 1);
	end(&u);
}

/* The rules that a rule about fim.write.file.* stands for have its actions, each with the names of its event. */
static void test_fim_actions(void **state)
{
	const struct engine_match *m;
	struct use u;

	begin(&u, "rules:\n"
		  "- id: r\n"
		  "  expression: fim.write.file.path =~ \"/etc/*\"\n"
		  "  actions:\n"
		  "  - set: {name: last, field: fim.write.file.path}\n"
		  "  - set: {name: n, expression: fim.write.file.name.length, default_value: 0}\n"
		  "  - filter: fim.write.file.uid == 5\n"
		  "    set: {name: five, value: true}\n"
		  "  - hash: {field: fim.write.file}\n"
		  "  - log: {level: info, message: '%{fim.write.file.path}: fim.write.file. is no name'}\n");
	assert_int_equal(u.diags.n, 0);
	assert_string_equal(
		fire(&u, "{\"chmod\":{\"file\":{\"path\":\"/etc/abc\",\"uid\":5}},\"process\":{\"pid\":1}}"),
		"__fim_expanded_chmod__r");
	assert_string_equal(var(&u, "last"), "/etc/abc");
	assert_string_equal(var(&u, "n"), "3");
	assert_string_equal(var(&u, "five"), "true");
	m = engine_matches(u.e);
	assert_int_equal(m->nacts, 5);
	for (uint32_t i = 0; i < m->nacts; i++) {
		const struct paction *a = &u.p.actions[m->acts[i].action];

		if (a->kind == ACT_HASH)
			assert_string_equal(catalog_tamis()->fields[a->field].name, "chmod.file.path");
		if (a->kind == ACT_LOG)
			assert_memory_equal(m->acts[i].message.s, "/etc/abc: ", 10);
	}
	assert_string_equal(fire(&u, "{\"rename\":{\"file\":{\"path\":\"/a\",\"destination\":{\"path\":\"/etc/z\"}}},"
				     "\"process\":{\"pid\":1}}"),
			    "__fim_expanded_rename_destination__r");
	assert_string_equal(var(&u, "last"), "/etc/z");
	end(&u);

	/* what is wrong is said once, where it stands */
	build(&u, "rules:\n- id: r\n  expression: fim.write.file.path == \"/a\"\n"
		  "  actions: [{set: {name: x, field: fim.write.file.pathh}}]\n");
	assert_int_equal(u.diags.errors, 1);
	assert_non_null(strstr(u.diags.v[0].msg, "unknown field \"open.file.pathh\""));
	end(&u);
}

static void test_other_actions(void **state)
{
	const struct engine_match *m;
	struct use u;

	begin(&u, "rules:\n"
		  "- id: r\n"
		  "  group_id: my group\n"
		  "  expression: open.file.path == \"/a\"\n"
		  "  actions:\n"
		  "  - log: {level: Warning, message: '%{open.file.path} of ${process.pid}, ${l}'}\n"
		  "  - set: {name: l, value: [x, y]}\n"
		  "  - filter: process.pid == 2\n"
		  "    kill: {signal: SIGKILL, scope: cgroup}\n"
		  "  - coredump: {process: true, no_compression: true}\n"
		  "  - hash: {max_file_size: 100}\n"
		  "  - network_filter: {filter: port 53, policy: drop, scope: process}\n"
		  "  - capture:\n"
		  "  - capture: {before: 1m, after: 1500ms}\n");
	assert_int_equal(u.diags.warnings, 2); /* what is not acted on */
	fire(&u, OPEN("/a", 1));
	m = engine_matches(u.e);
	assert_int_equal(m->nacts, 7);
	assert_int_equal(u.p.actions[m->acts[5].action].kind, ACT_CAPTURE);
	assert_int_equal(paction_before_ms(&u.p.actions[m->acts[5].action]), 5000);
	assert_int_equal(paction_after_ms(&u.p.actions[m->acts[5].action]), 10000);
	assert_int_equal(paction_before_ms(&u.p.actions[m->acts[6].action]), 60000);
	assert_int_equal(paction_after_ms(&u.p.actions[m->acts[6].action]), 1500);
	assert_int_equal(u.p.actions[m->acts[0].action].kind, ACT_SET);
	assert_true(m->acts[0].done);
	assert_int_equal(u.p.actions[m->acts[1].action].kind, ACT_LOG);
	assert_int_equal(u.p.actions[m->acts[1].action].level, ACT_WARNING);
	assert_int_equal(m->acts[1].message.len, strlen("/a of 1, x,y"));
	assert_memory_equal(m->acts[1].message.s, "/a of 1, x,y", m->acts[1].message.len);
	fire(&u, OPEN("/a", 2));
	m = engine_matches(u.e);
	assert_int_equal(m->nacts, 8);
	assert_int_equal(u.p.actions[m->acts[2].action].num, 9);
	assert_int_equal(u.p.actions[m->acts[2].action].scope, VAR_CGROUP);
	end(&u);
}

static void test_override(void **state)
{
	struct use u;

	begin(&u,
	      "rules:\n"
	      "- {id: r, expression: 'open.file.path == \"/a\"', every: 1h, actions: [{set: {name: v, value: 1}}]}\n"
	      "- {id: r, combine: override, override_options: {fields: [actions]}, actions: [{set: {name: v, value: 2}}]}\n"
	      "- {id: s, expression: 'open.file.path == \"/a\"', every: 1h}\n"
	      "- {id: s, combine: override, override_options: {fields: [every]}, every: 1ns}\n");
	assert_string_equal(fire(&u, OPEN("/a", 1)), "r s");
	assert_string_equal(var(&u, "v"), "2");
	u.now += 10;
	assert_string_equal(fire(&u, OPEN("/a", 1)), "r- s");
	end(&u);
}

static void test_carry(void **state)
{
	struct engine *old;
	struct use u, w;

	begin(&u, inherited);
	fire(&u, OPEN("/guess", 1));
	begin(&w, inherited);
	old = u.e;
	engine_carry(w.e, old);
	end(&u);
	assert_string_equal(fire(&w, OPEN_BELOW("/guess2", 2, 1)), "victory");
	end(&w);
}

/* What the sieve counts on: a variable that nothing sets keeps its default, whatever it was under the policy before. */
static void test_carry_idle(void **state)
{
	struct use u, w;

	begin(&u,
	      "rules:\n"
	      "- {id: a, expression: 'open.file.path == \"/a\"', actions: [{set: {name: v, value: 7, default_value: 3}}]}\n");
	fire(&u, OPEN("/a", 1));
	assert_string_equal(var(&u, "v"), "7");
	begin(&w,
	      "rules:\n"
	      "- {id: a, expression: 'open.file.path == \"/a\"', actions: [{set: {name: v, value: 7, default_value: 3}}]}\n");
	program_var_idle(w.c->builder, 0);
	engine_carry(w.e, u.e);
	assert_string_equal(var(&w, "v"), "3");
	end(&u);
	end(&w);
}

/* One rule each, with its actions; all are refused, with that in the message. */
static void test_refused(void **state)
{
	static const struct {
		const char *actions, *message;
	} cases[] = {
		{ "[{set: {name: v, value: true}}, {set: {name: v, value: text}}]", "p.yaml:4:26" },
		{ "[{set: {name: v, value: [abc], field: open.file.path}}]", "in more than one way" },
		{ "[{set: {name: v, value: 1, expression: '1'}}]", "in more than one way" },
		{ "[{set: {name: v}}]", "to nothing" },
		{ "[{set: {name: v, value: null}}]", "to nothing" },
		{ "[{set: {name: v, value: [true]}}]", "no lists of truth values" },
		{ "[{set: {name: v, value: [text, true]}}]", "of one type" },
		{ "[{set: {name: v, value: [1, text]}}]", "of one type" },
		{ "[{set: {name: v, value: []}}]", "an empty list" },
		{ "[{set: {name: v, value: {a: b}}}]", "not a map" },
		{ "[{set: {name: v, value: [abc], append: true}}, {set: {name: v, value: true, append: true}}]",
		  "nothing can be added" },
		{ "[{set: {name: v, field: open.file.path}}, {set: {name: v, value: x, append: true}}]", "is a list" },
		{ "[{set: {name: v, value: 1}}, {set: {name: v, value: 1, append: true}}]",
		  "is a list of numbers here" },
		{ "[{set: {name: v, field: open.file.paht}}]", "unknown field" },
		{ "[{set: {name: v, field: process.argv}}]", "several values" },
		{ "[{set: {name: v, field: unlink.file.path}}]", "about \"unlink\" events" },
		{ "[{set: {name: v, field: open.flags, default_value: x}}]", "this is text" },
		{ "[{set: {name: v, value: 1, default_value: [1]}}]", "a list of numbers" },
		{ "[{set: {name: v, expression: '1 + 1'}}]", "type of the variable v is not known" },
		{ "[{set: {name: v, default_value: 1, expression: '\"x\"'}}]", "is a number; this is text" },
		{ "[{set: {name: v, default_value: '', expression: 'process.ancestors[A].comm'}}]", "iterator" },
		{ "[{set: {name: v, default_value: 0, expression: '${w}'}}]", "no variable ${w}" },
		{ "[{set: {name: v, value: 1, scope: proces}}]", "no value of \"scope\"" },
		{ "[{set: {name: v, value: 1, inherited: true}}]", "goes with variables of processes" },
		{ "[{set: {name: v, value: 1, scope: cgroup, scope_field: process.pid}}]",
		  "goes with variables of processes" },
		{ "[{set: {name: v, value: 1, scope: process, scope_field: process.comm}}]", "tells no process" },
		{ "[{set: {name: pid, value: 1, scope: process}}]", "has the name of a field" },
		{ "[{set: {name: O_CREAT, value: 1}}]", "has the name of a constant" },
		{ "[{set: {name: a.b, value: 1}}]", "no name of a variable" },
		{ "[{set: {value: 1}}]", "without a name" },
		{ "[{set: {name: v, value: [1], size: 50000}}]", "1 to 16384" },
		{ "[{set: {name: v, value: 1}}, {set: {name: v, value: 1, private: true}}]", "private" },
		{ "[{set: {name: v, value: 1, appendd: true}}]", "unknown key" },
		{ "[{set: {name: v, value: 1}, kill: {signal: SIGKILL}}]", "both \"set\" and \"kill\"" },
		{ "[{filter: open.flags > 0}]", "does nothing" },
		{ "[{filter: 'unlink.flags > 0', set: {name: v, value: 1}}]", "about \"unlink\" events" },
		{ "[{kill: {signal: SIGKIL}}]", "no signal" },
		{ "[{kill: {}}]", "without a signal" },
		{ "[{log: {message: x}}]", "without a level" },
		{ "[{log: {level: loud}}]", "no level" },
		{ "[{log: {level: info, message: '%{open.file.paht}'}}]", "unknown name" },
		{ "[{hash: {field: open.flags}}]", "no file" },
		{ "[{network_filter: {policy: drop}}]", "without a filter" },
		{ "[{network_filter: {filter: x, scope: container}}]", "no scope" },
		{ "[{capture: {before: 5x}}]", "duration" },
		{ "[{capture: {after: -1s}}]", "duration" },
		{ "[{capture: {before: 61s}}]", "\"before\" is more than a capture holds" },
		{ "[{capture: {after: 301s}}]", "\"after\" is more than a capture holds" },
		{ "[{capture: {during: 5s}}]", "unknown key" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool found = false;
		char yaml[1024];
		struct use u;

		snprintf(yaml, sizeof(yaml), "rules:\n- id: r\n  expression: open.file.path == \"/a\"\n  actions: %s\n",
			 cases[i].actions);
		build(&u, yaml);
		for (size_t k = 0; k < u.diags.n; k++)
			found |= u.diags.v[k].level == DIAG_ERROR && strstr(u.diags.v[k].msg, cases[i].message);
		if (!found)
			fail_msg("%s: %s", cases[i].actions, u.diags.n ? u.diags.v[0].msg : "no error");
		assert_int_equal(u.p.nrules, 0); /* the rule is not in the program */
		end(&u);
	}
}

/* A rule that cannot be used does not take others along, and the program with variables is what comes out of its bytes. */
static void test_bytes(void **state)
{
	_cleanup_free_ void *copy = NULL;
	struct engine *e;
	struct program p;
	struct buf out;
	struct err err;
	struct use u;

	build(&u,
	      "rules:\n"
	      "- id: bad\n"
	      "  expression: open.file.path == \"/a\"\n"
	      "  actions: [{set: {name: v, value: 1}}, {set: {name: v, value: x}}]\n"
	      "- id: good\n"
	      "  expression: open.file.path == \"/a\" && ${v} == 0\n"
	      "  every: 5s\n"
	      "  limiter_token: [process.uid]\n"
	      "  actions:\n"
	      "  - set: {name: l, default_value: [a, b], expression: '[\"x\", \"${v}\"]', scope: process, inherited: true, ttl: 1h}\n"
	      "  - log: {level: info, message: '${builtins.uuid4} ${l}'}\n");
	assert_int_equal(u.p.nrules, 0); /* ${l} is ${process.l} */
	end(&u);

	begin(&u,
	      "rules:\n"
	      "- id: good\n"
	      "  expression: open.file.path == \"/a\" && \"${process.l}\" == \"a,b\"\n"
	      "  every: 5s\n"
	      "  limiter_token: [process.uid]\n"
	      "  actions:\n"
	      "  - set: {name: l, default_value: [a, b], expression: '[\"x\", \"%{process.pid}\"]', scope: process, inherited: true, ttl: 1h}\n"
	      "  - log: {level: info, message: '${builtins.uuid4} ${process.l}'}\n");
	buf_init(&out, 1 << 20);
	assert_int_equal(program_save(&u.p, &out), 0);
	copy = malloc(out.len);
	assert_non_null(copy);
	memcpy(copy, out.data, out.len);
	assert_int_equal(program_load(catalog_tamis(), copy, out.len, &p, &err), 0);
	buf_done(&out);
	assert_int_equal(engine_new(&p, &e, &err), 0);
	engine_free(u.e);
	u.e = e;
	u.p = p;
	assert_string_equal(fire(&u, OPEN("/a", 1)), "good");
	assert_string_equal(var(&u, "process.l"), "x,1");
	end(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_kinds),     cmocka_unit_test(test_rule_order),
		cmocka_unit_test(test_initial_value), cmocka_unit_test(test_size_and_time),
		cmocka_unit_test(test_inherited),     cmocka_unit_test(test_correlation),
		cmocka_unit_test(test_expressions),   cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_scope_field),   cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_limits),	      cmocka_unit_test(test_fim_actions),
		cmocka_unit_test(test_other_actions), cmocka_unit_test(test_override),
		cmocka_unit_test(test_carry),	      cmocka_unit_test(test_refused),
		cmocka_unit_test(test_carry_idle),    cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
