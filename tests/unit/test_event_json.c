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

#include "lib/event_json.h"
#include "lib/ipnet.h"

struct fixture {
	struct event_mem mem;
	struct event_json *ej;
	struct buf out;
	struct event ev;
	struct err err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f || event_json_new(catalog_tamis(), &f->ej) < 0)
		return -1;
	event_mem_init(&f->mem, EVENT_MEM_MAX);
	buf_init(&f->out, 1 << 20);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	event_json_free(f->ej);
	event_mem_done(&f->mem);
	buf_done(&f->out);
	free(f);
	return 0;
}

static int read_event(struct fixture *f, const char *json)
{
	return event_json_read(catalog_tamis(), json, strlen(json), &f->mem, &f->ev, &f->err);
}

static void read_ok(struct fixture *f, const char *json)
{
	if (read_event(f, json) < 0)
		fail_msg("%s", f->err.msg);
}

static struct val get(struct fixture *f, const char *name)
{
	const struct cat_field *fld = catalog_field(catalog_tamis(), name, strlen(name));

	assert_non_null(fld);
	return catalog_get(fld, &f->ev);
}

static void is_str(struct val v, const char *s)
{
	if (v.len != strlen(s) || (v.len && memcmp(v.s, s, v.len) != 0))
		fail_msg("\"%.*s\" instead of \"%s\"", (int)v.len, v.s, s);
}

static const char alert[] =
	"{\"v\":1,\"seq\":17,\"time\":\"2026-11-20T12:00:00.123456789Z\",\"host\":\"h1\",\"rule\":{\"id\":\"x\",\"tags\":{\"a\":\"b\"}},"
	"\"event\":{\"type\":\"open\",\"retval\":\"EACCES\",\"async\":true,\"rung\":\"kprobe\",\"flags\":[\"truncated\"]},"
	"\"open\":{\"file\":{\"path\":\"/etc/shadow.bak\",\"inode\":\"18446744073709551615\",\"mode\":33184},\"flags\":\"O_WRONLY | O_CREAT\"},"
	"\"process\":{\"pid\":42,\"uid\":0,\"user\":\"root\",\"file\":{\"path\":\"/usr/bin/cat\"},\"args\":\"-n --foo=bar x\",\"is_exec\":true,"
	"\"parent\":{\"pid\":7,\"comm\":\"sh\"},\"ancestors\":[{\"pid\":7,\"file\":{\"path\":\"/bin/sh\"}},{\"pid\":1,\"argv\":[\"a b\",\"\"]}],"
	"\"container\":{\"id\":\"c1\"}}}";

static void test_read(void **state)
{
	struct fixture *f = *state;
	struct val v;

	read_ok(f, alert);
	assert_int_equal(f->ev.type, EV_OPEN);
	assert_int_equal(f->ev.rung, EV_RUNG_KPROBE);
	assert_int_equal(f->ev.flags, EV_F_TRUNCATED);
	assert_int_equal(f->ev.alive[3], UINT64_MAX);
	assert_int_equal(f->ev.now_ns, 1795176000123456789);
	assert_int_equal(get(f, "open.retval").num, -13);
	assert_int_equal(get(f, "event.async").num, 1);
	is_str(get(f, "event.hostname"), "h1");
	is_str(get(f, "open.file.path"), "/etc/shadow.bak");
	is_str(get(f, "open.file.extension"), ".bak");
	assert_int_equal(get(f, "open.file.inode").num, -1);
	assert_int_equal(get(f, "open.file.rights").num, 0640);
	assert_int_equal(get(f, "open.flags").num, 0101);
	is_str(get(f, "process.file.name"), "cat");
	is_str(get(f, "container.id"), "c1");
	/* arguments, and what follows from them */
	v = get(f, "process.argv");
	assert_int_equal(v.len, 3);
	is_str(v.arr[1], "--foo=bar");
	v = get(f, "process.args_options");
	assert_int_equal(v.len, 1);
	is_str(v.arr[0], "foo=bar");
	/* "parent" and the first ancestor are one process */
	assert_int_equal(get(f, "process.parent.pid").num, 7);
	is_str(get(f, "process.parent.comm"), "sh");
	is_str(get(f, "process.parent.file.name"), "sh");
	is_str(f->ev.proc->parent->parent->v[SLOT_PROC_ARGS], "a b ");
	assert_null(f->ev.proc->parent->parent->parent);
}

static void test_read_flat(void **state)
{
	struct fixture *f = *state;

	read_ok(f, "{\"connect.addr.ip\":\"10.0.0.1\",\"connect\":{\"addr\":{\"port\":443,\"family\":\"AF_INET\"}},"
		   "\"process.ancestors.comm\":[\"a\",\"b\"],\"process.uid\":5,\"_note\":{\"x\":1}}");
	assert_int_equal(f->ev.type, EV_CONNECT);
	assert_int_equal(get(f, "connect.addr.family").num, 2);
	assert_int_equal(get(f, "connect.addr.is_public").num, 0);
	is_str(f->ev.proc->parent->parent->v[SLOT_PROC_COMM], "b");
	/* legacy names, fields of an exec's own process, no event at all */
	read_ok(f, "{\"exec.filename\":\"/bin/ls\",\"exec\":{\"args\":\"-l\"}}");
	is_str(get(f, "process.file.path"), "/bin/ls");
	assert_int_equal(get(f, "exec.args_flags").len, 1);
	read_ok(f, "{\"process.pid\":1}");
	assert_int_equal(f->ev.type, EV_NONE);
	read_ok(f, "{}");
	assert_null(f->ev.proc);
}

static void test_refused(void **state)
{
	static const struct {
		const char *json, *why;
	} cases[] = {
		{ "[]", "JSON object" },
		{ "{\"open\":", "line 1" },
		{ "{\"open\":{\"file\":{\"pth\":\"x\"}}}",
		  "open.file.pth: no such field; did you mean open.file.path?" },
		{ "{\"event\":{\"type\":\"opne\"}}", "event.type: no such event type" },
		{ "{\"event\":{\"type\":\"exec\"},\"open\":{\"flags\":1}}",
		  "open.flags: a field of another event type" },
		{ "{\"open\":{\"flags\":\"O_NOPE\"}}", "open.flags: neither a number nor a constant" },
		{ "{\"open\":{\"flags\":1.5}}", "open.flags: not an integer" },
		{ "{\"open\":{\"flags\":\"\"}}", "open.flags: neither" },
		{ "{\"open\":{\"file\":{\"path\":7}}}", "open.file.path: not a string" },
		{ "{\"event\":{\"async\":2}}", "event.async: neither true nor false" },
		{ "{\"connect.addr.ip\":\"x\"}", "connect.addr.ip: not an IP address" },
		{ "{\"time\":\"yesterday\"}", "time: not a time" },
		{ "{\"time\":\"2026-01-31T12:00:00\"}", "time: not a time" },
		{ "{\"process\":{\"ancestors\":[1]}}", "process.ancestors: not an array of objects" },
		{ "{\"process.ancestors.comm\":\"x\"}", "process.ancestors.comm: not an array" },
		{ "{\"process\":{\"pid\":1,\"pid\":2}}", "duplicate" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(read_event(f, cases[i].json), -EINVAL);
		if (!strstr(f->err.msg, cases[i].why))
			fail_msg("%s: %s", cases[i].json, f->err.msg);
	}
}

static void test_memory_bounded(void **state)
{
	struct fixture *f = *state;

	event_mem_done(&f->mem);
	event_mem_init(&f->mem, 1000);
	assert_int_equal(read_event(f, "{\"process.pid\":1}"), -ENOMEM);
}

static void test_written(void **state)
{
	struct fixture *f = *state;

	read_ok(f, alert);
	event_json_write(f->ej, &f->ev, &f->out);
	assert_string_equal(
		buf_cstr(&f->out),
		"{\"event\":{\"async\":true,\"flags\":[\"truncated\"],\"retval\":-13,\"rung\":\"kprobe\",\"type\":\"open\"},"
		"\"open\":{\"file\":{\"destination\":{\"mode\":0},\"extension\":\".bak\",\"gid\":0,\"in_upper_layer\":false,\"inode\":-1,\"mode\":33184,\"mount_id\":0,"
		"\"name\":\"shadow.bak\",\"path\":\"/etc/shadow.bak\",\"rights\":416,\"uid\":0},\"flags\":65},"
		"\"process\":{\"ancestors\":[{\"comm\":\"sh\",\"file\":{\"name\":\"sh\",\"path\":\"/bin/sh\"},\"pid\":7,\"uid\":0},"
		"{\"args\":\"a b \",\"pid\":1,\"uid\":0}],"
		"\"args\":\"-n --foo=bar x\",\"auid\":0,\"cap_effective\":0,\"cap_permitted\":0,\"cgroup\":{\"file\":{\"inode\":0}},"
		"\"container\":{\"id\":\"c1\"},\"egid\":0,\"euid\":0,\"file\":{\"gid\":0,\"in_upper_layer\":false,\"inode\":0,\"mode\":0,\"mount_id\":0,\"name\":\"cat\","
		"\"path\":\"/usr/bin/cat\",\"uid\":0},\"fsgid\":0,\"fsuid\":0,\"gid\":0,\"is_exec\":true,"
		"\"parent\":{\"auid\":0,\"cap_effective\":0,\"cap_permitted\":0,\"cgroup\":{\"file\":{\"inode\":0}},\"comm\":\"sh\",\"egid\":0,"
		"\"euid\":0,\"file\":{\"gid\":0,\"in_upper_layer\":false,\"inode\":0,\"mode\":0,\"mount_id\":0,\"name\":\"sh\",\"path\":\"/bin/sh\",\"uid\":0},\"fsgid\":0,"
		"\"fsuid\":0,\"gid\":0,\"pid\":7,\"ppid\":0,\"tid\":0,\"uid\":0},"
		"\"pid\":42,\"ppid\":0,\"tid\":0,\"uid\":0,\"user\":\"root\"}}");
}

/* What was written reads as the same event: written again it is the same bytes. */
static void check_round_trip(struct fixture *f, const char *json)
{
	_cleanup_free_ char *first = NULL;

	read_ok(f, json);
	buf_reset(&f->out);
	event_json_write(f->ej, &f->ev, &f->out);
	first = strdup(buf_cstr(&f->out));
	read_ok(f, first);
	buf_reset(&f->out);
	event_json_write(f->ej, &f->ev, &f->out);
	assert_string_equal(buf_cstr(&f->out), first);
}

static void test_round_trips(void **state)
{
	struct fixture *f = *state;

	check_round_trip(f, alert);
	check_round_trip(f,
			 "{\"exec.file.path\":\"/bin/ls\",\"exec.syscall.path\":\"ls\",\"exec.argv\":[\"a b\",\"c\"],"
			 "\"process.envp\":[\"LD_PRELOAD=/x.so\",\"SECRET=1\"],\"process.ancestors\":[{\"pid\":1}]}");
	check_round_trip(f, "{\"bind\":{\"addr\":{\"ip\":\"::1\",\"port\":80}},\"process.auid\":4294967295,"
			    "\"process.created_at\":1795176000123456789}");
	check_round_trip(f, "{\"open.file.path\":\"/tmp/\\\\xff\\\\x5cx41\",\"process.file.path\":\"/\xc3\xa9\"}");
	check_round_trip(f, "{\"process.pid\":3}");
}

static void test_environment(void **state)
{
	struct fixture *f = *state;
	const char *s;

	read_ok(f, "{\"event.type\":\"exec\",\"process.envp\":[\"LD_PRELOAD=/x.so\",\"SECRET=1\",\"ENV=a\"],"
		   "\"process.parent.envp\":[\"HIDDEN=2\"]}");
	event_json_write(f->ej, &f->ev, &f->out);
	s = buf_cstr(&f->out);
	assert_non_null(
		strstr(s, "\"envp\":[\"LD_PRELOAD=/x.so\",\"ENV=a\"],\"envs\":[\"LD_PRELOAD\",\"SECRET\",\"ENV\"]"));
	assert_null(strstr(s, "SECRET=1"));
	assert_null(strstr(s, "HIDDEN"));
}

/* Bytes that are no UTF-8 come back as they were. */
static void test_bytes(void **state)
{
	struct fixture *f = *state;

	read_ok(f, "{\"open.file.path\":\"/a\\\\xff\\\\x5cx41\\\\x4\"}");
	is_str(get(f, "open.file.path"), "/a\xff\\x41\\x4");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_flat, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_written, setup, teardown),
		cmocka_unit_test_setup_teardown(test_round_trips, setup, teardown),
		cmocka_unit_test_setup_teardown(test_environment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
