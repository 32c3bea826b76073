/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that are looked up: only when a rule that holds otherwise asks, once, within bounds, and never of a file that is not it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "engine/engine.h"
#include "lib/event_json.h"
#include "sensor/priv/fetch.h"
#include "tests/unit/policy_bench.h"

static struct {
	struct policy_bench policy;
	struct program p;
	struct engine *e;
	struct fetch *f;
	struct event_mem mem;
	struct event ev;
	char mountinfo[64];

	/* who is asked */
	uint64_t ms, takes; /* the clock, and how long an answer takes */
	int hashes, packages, error;
	struct fetch_file asked;
	char path[256];
} u;

static uint64_t now_ms(void *ctx)
{
	(void)ctx;
	return u.ms;
}

/* The hash is 32 times the last byte of the path. */
static int hash(void *ctx, const struct fetch_file *f, uint8_t sha256[32])
{
	(void)ctx;
	u.hashes++;
	u.ms += u.takes;
	u.asked = *f;
	snprintf(u.path, sizeof(u.path), "%.*s", (int)f->len, f->path);
	memset(sha256, u.path[f->len - 1], 32);
	return u.error;
}

static int package(void *ctx, const char *path, size_t len, struct fetch_package *ret)
{
	(void)ctx;
	u.packages++;
	u.ms += u.takes;
	*ret = (struct fetch_package){ .epoch = 2, .source_epoch = 3 };
	if (len > 8 && memcmp(path, "/usr/bin", 8) == 0) {
		snprintf(ret->text[0], sizeof(ret->text[0]), "pkg-%.*s", (int)(len - 9), path + 9);
		strcpy(ret->text[1], "1.2");
		strcpy(ret->text[2], "3");
		strcpy(ret->text[3], "1.1");
	}
	return u.error;
}

static void fetch(void *ctx, const struct event *ev, uint32_t field)
{
	(void)ctx;
	fetch_field(u.f, ev, field);
}

static void begin(const char *yaml)
{
	const struct fetch_asked asked = {
		.hash = hash, .package = package, .now_ms = now_ms, .mountinfo = u.mountinfo
	};
	const struct engine_options o = { .fetch = fetch };
	struct err err = { "" };
	FILE *f;

	memset(&u, 0, sizeof(u));
	u.ms = 100000;
	snprintf(u.mountinfo, sizeof(u.mountinfo), "/tmp/tamis-test-fetch.%d", getpid());
	f = fopen(u.mountinfo, "we");
	assert_non_null(f);
	fputs("30 27 0:5 / /proc rw - proc proc rw\n27 1 8:2 / / rw - ext4 /dev/x rw\n", f);
	fclose(f);
	event_mem_init(&u.mem, EVENT_MEM_MAX);
	bench_policy(&u.policy, yaml);
	assert_int_equal(u.policy.diags.errors, 0);
	assert_int_equal(u.policy.diags.warnings, 0);
	u.p = program_view(u.policy.compile->builder);
	assert_int_equal(engine_new_with(&u.p, &o, &u.e, &err), 0);
	assert_int_equal(fetch_new(catalog_tamis(), &asked, &u.f), 0);
}

static void end(void)
{
	unlink(u.mountinfo);
	fetch_free(u.f);
	engine_free(u.e);
	event_mem_done(&u.mem);
	bench_end(&u.policy);
}

/* The event, ready to be evaluated. */
static void event(const char *json)
{
	struct err err = { "" };

	if (event_json_read(catalog_tamis(), json, strlen(json), &u.mem, &u.ev, &err) < 0)
		fail_msg("%s", err.msg);
	for (struct proc *p = (struct proc *)u.ev.proc; p; p = (struct proc *)p->parent)
		p->more = NULL; /* as in the process table */
	fetch_begin(u.f, &u.ev);
}

static size_t fires(const char *json)
{
	size_t n;

	event(json);
	n = engine_eval(u.e, &u.ev, NULL);
	fetch_end(u.f);
	for (const struct proc *p = u.ev.proc; p; p = p->parent)
		assert_null(p->more);
	return n;
}

#define A32                                                                                                            \
	"61616161616161616161616161616161616161616161616161616161616161"                                               \
	"61"
#define FILE_(PATH, INODE, CTIME)                                                                                      \
	"{\"path\":\"" PATH "\",\"inode\":" #INODE ",\"mount_id\":27,\"mode\":33188,\"change_time\":" #CTIME "}"
#define OPEN(PATH, INODE, CTIME)                                                                                       \
	"{\"open\":{\"file\":" FILE_(PATH, INODE, CTIME) ",\"flags\":1},\"process\":{\"pid\":7,\"uid\":0}}"

static void only_when_it_is_asked_for(void **state)
{
	struct fetch_stats s;

	(void)state;
	begin("rules:\n"
	      "- {id: r, expression: 'open.file.hashes == \"sha256:" A32
	      "\" && open.file.path =~ \"/a/*\" && process.uid == 0'}\n"
	      "- {id: s, expression: 'open.file.hashes in [\"sha256:" A32
	      "\", \"x\"] && open.flags == 1 && open.file.path =~ \"/a/*\"'}\n");
	assert_int_equal(fetch_wants(&u.p), FETCH_HASHES);
	assert_int_equal(fires(OPEN("/b/a", 5, 1)), 0);
	assert_int_equal(u.hashes, 0);
	assert_int_equal(fires(OPEN("/a/a", 5, 1)), 2); /* two rules, one look-up */
	assert_int_equal(u.hashes, 1);
	assert_string_equal(u.path, "/a/a");
	assert_int_equal(u.asked.inode, 5);
	assert_int_equal(u.asked.device, makedev(8, 2));
	assert_int_equal(u.asked.size_max, FETCH_SIZE_MAX);
	assert_int_equal(fires(OPEN("/a/b", 6, 1)), 0);
	assert_int_equal(u.hashes, 2);

	/* remembered by inode and change time */
	assert_int_equal(fires(OPEN("/a/a", 5, 1)), 2);
	assert_int_equal(u.hashes, 2);
	assert_int_equal(fires(OPEN("/a/a", 5, 2)), 2);
	assert_int_equal(u.hashes, 3);
	fetch_stats(u.f, &s);
	assert_int_equal(s.asked, 3);
	assert_int_equal(s.kept, 1);
	assert_int_equal(s.failed + s.given_up, 0);
	end();
}

static void what_is_not_looked_up(void **state)
{
	struct fetch_stats s;

	(void)state;
	begin("rules:\n- {id: r, expression: 'open.file.hashes == \"\" || open.file.hashes != \"x\"'}\n");
	/* no inode, another's mount, no file, no path */
	assert_int_equal(fires(OPEN("/a", 0, 1)), 1);
	assert_int_equal(fires("{\"open\":{\"file\":{\"path\":\"/a\",\"inode\":5,\"mount_id\":28}}}"), 1);
	assert_int_equal(fires("{\"open\":{\"file\":{\"path\":\"/a\",\"inode\":5,\"mount_id\":27,\"mode\":16877}}}"),
			 1);
	assert_int_equal(fires("{\"open\":{\"file\":{\"path\":\"memfd:a\",\"inode\":5,\"mount_id\":27}}}"), 1);
	assert_int_equal(u.hashes, 0);
	fetch_stats(u.f, &s);
	assert_int_equal(s.failed, 4);

	/* what cannot be had is not asked for again for a while */
	u.error = -ESTALE;
	for (int i = 0; i < 5; i++)
		fires(OPEN("/a", 9, 1));
	assert_int_equal(u.hashes, 1);
	u.ms += FETCH_AGAIN_MS;
	u.error = 0;
	fires(OPEN("/a", 9, 1));
	assert_int_equal(u.hashes, 2);
	fires(OPEN("/a", 9, 1));
	assert_int_equal(u.hashes, 2);
	end();
}

static void not_for_long(void **state)
{
	struct fetch_stats s;
	char json[512];

	(void)state;
	begin("rules:\n- {id: r, expression: 'open.file.hashes == \"x\" || open.file.package.name == \"x\"'}\n");
	u.takes = 60;
	for (int i = 0; i < 20; i++) {
		snprintf(json, sizeof(json),
			 "{\"open\":{\"file\":{\"path\":\"/a\",\"inode\":%d,\"mount_id\":27,\"change_time\":1}}}",
			 100 + i);
		fires(json);
	}
	assert_int_equal(u.hashes + u.packages, 5); /* 250 ms of this second are spent */
	fetch_stats(u.f, &s);
	assert_int_equal(s.given_up, 35);
	u.ms += 1000;
	fires(OPEN("/a", 999, 1));
	assert_int_equal(u.hashes + u.packages, 7);
	u.error = -ETIMEDOUT;
	fires(OPEN("/a", 998, 1));
	fetch_stats(u.f, &s);
	assert_int_equal(s.given_up, 37);
	end();
}

static struct val of(const char *name)
{
	const struct cat_field *f = catalog_field(catalog_tamis(), name, strlen(name));

	assert_non_null(f);
	return catalog_get(f, &u.ev);
}

static void assert_text(const char *name, const char *want)
{
	struct val v = of(name);

	assert_int_equal(v.len, strlen(want));
	assert_memory_equal(v.s, want, v.len);
}

#define PROC(PATH, INODE, MORE) "{\"pid\":" #INODE ",\"file\":" FILE_(PATH, INODE, 1) MORE "}"

static void of_processes(void **state)
{
	static const char json[] = "{\"open\":{\"file\":" FILE_("/usr/bin/f", 3, 1) "},\"process\":" PROC(
		"/usr/bin/cat", 10,
		",\"ancestors\":[" PROC("/usr/bin/sh", 11, "") "," PROC("/tmp/a", 12, "") "," PROC("/usr/bin/d", 13,
												   "") "]") "}";

	(void)state;
	begin("rules:\n"
	      "- {id: p, expression: 'open.file.name == \"f\" && process.file.package.name == \"pkg-cat\" && process.file.package.epoch == 2'}\n"
	      "- {id: q, expression: 'open.file.name == \"f\" && process.parent.file.package.version == \"1.2\"'}\n"
	      "- {id: a, expression: 'open.file.name == \"f\" && process.ancestors.file.hashes == \"sha256:" A32
	      "\"'}\n"
	      "- {id: i, expression: 'open.file.name == \"f\" && process.ancestors[A].file.package.name == \"pkg-d\" && process.ancestors[A].pid == 13'}\n"
	      "- {id: l, expression: 'open.file.name == \"f\" && process.file.package.name.length == 7'}\n"
	      "- {id: n, expression: 'open.file.name == \"f\" && process.ancestors.file.package.name == \"\"'}\n");
	assert_int_equal(fetch_wants(&u.p), FETCH_HASHES | FETCH_PACKAGES);
	assert_int_equal(fires(json), 6);
	assert_int_equal(u.hashes, 3);
	assert_int_equal(u.packages, 4); /* once each */

	/* as long as the event is looked at, it is there for alerts */
	event(json);
	assert_int_equal(engine_eval(u.e, &u.ev, NULL), 6);
	assert_text("process.file.package.name", "pkg-cat");
	assert_text("process.file.package.release", "3");
	assert_text("process.file.package.source_version", "1.1");
	assert_text("process.parent.file.package.name", "pkg-sh");
	assert_int_equal(of("process.file.package.source_epoch").num, 3);
	assert_int_equal(of("process.file.hashes").len, 0);
	assert_int_equal(of("open.file.package.name").len, 0);
	fetch_end(u.f);
	assert_text("process.file.package.name", "");
	end();
}

static struct {
	uint8_t bytes[8][1024];
	size_t len[8];
	int n;
} taken;

static void take_down(void *ctx, const void *bytes, size_t len)
{
	(void)ctx;
	assert_true(taken.n < 8 && len <= sizeof(taken.bytes[0]));
	memcpy(taken.bytes[taken.n], bytes, len);
	taken.len[taken.n++] = len;
}

static void tell_all(void)
{
	for (int i = 0; i < taken.n; i++)
		assert_int_equal(fetch_tell(u.f, taken.bytes[i], taken.len[i]), 0);
}

/* What was found is taken down each time, and told in a replay, where nobody is asked. */
static void told_in_a_replay(void **state)
{
	static const char json[] =
		"{\"open\":{\"file\":" FILE_("/usr/bin/a", 3, 1) "},\"process\":" PROC("/usr/bin/cat", 10, "") "}";

	(void)state;
	taken.n = 0;
	begin("rules:\n- {id: r, expression: 'open.file.hashes == \"sha256:" A32
	      "\" && process.file.package.name == \"pkg-cat\" && process.file.package.source_epoch == 3'}\n");
	fetch_watch(u.f, take_down, NULL);
	assert_int_equal(fires(json), 1);
	assert_int_equal(taken.n, 2);
	assert_int_equal(fires(json), 1);
	assert_int_equal(taken.n, 4);
	fetch_watch(u.f, NULL, NULL);
	assert_int_equal(fires(json), 1);
	taken.n = 2;
	end();

	begin("rules:\n- {id: r, expression: 'open.file.hashes == \"sha256:" A32
	      "\" && process.file.package.name == \"pkg-cat\" && process.file.package.source_epoch == 3'}\n");
	assert_int_equal(fetch_tell(u.f, NULL, 0), 0);
	assert_int_equal(fires(json), 0);
	tell_all();
	assert_int_equal(fires(json), 1);
	assert_int_equal(fires(json), 0); /* it was about one event */
	tell_all();
	assert_int_equal(fires(OPEN("/usr/bin/b", 4, 1)), 0);
	assert_int_equal(u.hashes + u.packages, 0);

	/* any other bytes */
	for (int i = 0; i < taken.n; i++) {
		for (size_t len = 1; len < taken.len[i]; len++)
			assert_int_equal(fetch_tell(u.f, taken.bytes[i], len), -EBADMSG);
		assert_int_equal(fetch_tell(u.f, taken.bytes[i], taken.len[i] + 1), -EBADMSG);
		taken.bytes[i][0] = 9;
		assert_int_equal(fetch_tell(u.f, taken.bytes[i], taken.len[i]), -EBADMSG);
	}
	end();
}

static void the_action(void **state)
{
	const struct cat_field *path = catalog_field(catalog_tamis(), "open.file.path", 14);

	(void)state;
	begin("rules:\n- {id: r, expression: open.flags == 1, actions: [{hash: {max_file_size: 1000}}]}\n");
	assert_int_equal(fetch_wants(&u.p), FETCH_HASHES);
	event(OPEN("/a", 5, 1));
	assert_true(fetch_hash(u.f, &u.ev, catalog_index(catalog_tamis(), path), 1000));
	assert_int_equal(u.asked.size_max, 1000);
	assert_int_equal(of("open.file.hashes").len, 1);
	fetch_end(u.f);
	event(OPEN("/a", 6, 1));
	u.error = -EFBIG;
	assert_false(fetch_hash(u.f, &u.ev, catalog_index(catalog_tamis(), path), 0));
	assert_int_equal(u.asked.size_max, FETCH_SIZE_MAX);
	fetch_end(u.f);
	end();
}

/* Whether the rule fires, and whether its hash was read at rest. */
static size_t fires_at_rest(const char *json, bool *ret_settled)
{
	size_t n;

	event(json);
	fetch_at_rest(u.f);
	n = engine_eval(u.e, &u.ev, NULL);
	*ret_settled = fetch_settled(u.f);
	fetch_end(u.f);
	return n;
}

static void at_rest(void **state)
{
	bool settled;

	(void)state;
	begin("rules:\n- {id: r, expression: 'open.file.hashes == \"sha256:" A32 "\"'}\n");
	/* what was read while somebody may have been writing is read again, once */
	event(OPEN("/a", 5, 1));
	assert_int_equal(engine_eval(u.e, &u.ev, NULL), 1);
	assert_false(fetch_settled(u.f));
	fetch_end(u.f);
	assert_int_equal(fires_at_rest(OPEN("/a", 5, 1), &settled), 1);
	assert_true(settled);
	assert_int_equal(u.hashes, 2);
	assert_int_equal(fires_at_rest(OPEN("/a", 5, 1), &settled), 1);
	assert_true(settled);
	assert_int_equal(fires(OPEN("/a", 5, 1)), 1);
	assert_int_equal(u.hashes, 2);

	/* if that fails, what was known is known still */
	assert_int_equal(fires(OPEN("/a", 6, 1)), 1);
	u.error = -ESTALE;
	assert_int_equal(fires_at_rest(OPEN("/a", 6, 1), &settled), 1);
	assert_false(settled);
	u.error = 0;

	/* and if there is no time for it */
	assert_int_equal(fires(OPEN("/a", 7, 1)), 1);
	u.takes = FETCH_SPENT_MS;
	assert_int_equal(fires(OPEN("/a", 8, 1)), 1);
	u.hashes = 0;
	assert_int_equal(fires_at_rest(OPEN("/a", 7, 1), &settled), 1);
	assert_false(settled);
	assert_int_equal(u.hashes, 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_when_it_is_asked_for),
		cmocka_unit_test(what_is_not_looked_up),
		cmocka_unit_test(not_for_long),
		cmocka_unit_test(of_processes),
		cmocka_unit_test(told_in_a_replay),
		cmocka_unit_test(the_action),
		cmocka_unit_test(at_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
