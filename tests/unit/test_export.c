/* SPDX-License-Identifier: Apache-2.0 */

/* Records in the formats of others: each event type in each format, looked at by tests/export/validate. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sensor/export/export.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/catalog.h"
#include "lib/merkle.h"

#define NASTY "/tmp/a=b|c\\\\d]\"e\n\xc3\xbc \\xff"

static char dir[64] = "/tmp/tamis-test-export-XXXXXX";

/* The member at a path, whose objects are made on the way; nothing where a value is in the way. */
static void set(json_t *o, const char *path, json_t *value)
{
	const char *dot;

	while ((dot = strchr(path, '.'))) {
		char name[64];
		json_t *next;

		snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
		next = json_object_get(o, name);
		if (!next) {
			next = json_object();
			json_object_set_new(o, name, next);
		}
		if (!json_is_object(next)) {
			json_decref(value);
			return;
		}
		o = next;
		path = dot + 1;
	}
	if (json_is_object(json_object_get(o, path)))
		json_decref(value);
	else
		json_object_set_new(o, path, value);
}

static json_t *value_of(const struct cat_field *f)
{
	if (f->flags & CF_ARRAY)
		return json_array();
	if (f->type == VAL_INT)
		return f->flags & CF_TIME ? json_string("1795234293984000000") : json_integer(42);
	if (f->type == VAL_BOOL)
		return json_true();
	if (f->type == VAL_IP)
		return json_string("fe80::1");
	return json_string(strstr(f->name, "path") ? NASTY : "text");
}

static json_t *process(void)
{
	json_t *o =
		json_pack("{s:s,s:s,s:s,s:i,s:i,s:i,s:s,s:s,s:i,s:i,s:s,s:{s:s}}", "args", "-c \"x=1|2\"\n", "argv0",
			  "sh", "comm", "sh", "pid", 42, "ppid", 41, "tid", 42, "user", "root", "group", "root", "uid",
			  0, "gid", 0, "created_at", "1795234302815172170", "container", "id", "0123456789ab");

	json_object_set_new(
		o, "file",
		json_pack("{s:s,s:s,s:i,s:i}", "name", "sh", "path", "/bin/sh", "mode", 0100755, "inode", 7));
	return o;
}

/* The record of an alert on an event of this type, with all fields that it can have. */
static char *alert_of(const struct cat_event *ev, int64_t seq, const char *severity)
{
	const struct catalog *c = catalog_tamis();
	json_t *o = json_pack("{s:{s:b,s:s,s:i,s:s},s:s,s:s,s:{s:s,s:s,s:s},s:I,s:s,s:i}", "event", "async", 0,
			      "origin", "ebpf", "retval", seq % 3 ? 0 : -13, "type", ev->name, "host", "web-1", "kind",
			      "alert", "rule", "id", "some_rule", "policy", "p@1", "severity", severity, "seq",
			      (json_int_t)seq, "time", "2026-11-21T08:00:00.123456789Z", "v", 1);
	char *text;

	json_object_set_new(o, "process", process());
	json_object_set_new(json_object_get(o, "process"), "parent", process());
	for (size_t i = 0; i < c->nfields; i++)
		if (c->fields[i].home == CAT_HOME_EVENT && c->fields[i].event != EV_NONE &&
		    catalog_covers(c, c->fields[i].event, ev->type))
			set(o, c->fields[i].name, value_of(&c->fields[i]));
	text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(o);
	return text;
}

static FILE *output(const char *format)
{
	char path[100];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, format);
	f = fopen(path, "we");
	assert_non_null(f);
	return f;
}

static void put(FILE *to, const struct export_format *f, const char *line)
{
	struct err e = { "" };
	struct buf b;

	buf_init(&b, 1 << 22);
	if (export_record(f, line, strlen(line), &b, &e) < 0)
		fail_msg("%s: %s", e.msg, line);
	assert_true(b.len > 0 && b.data[b.len - 1] == '\n');
	assert_int_equal(fwrite(b.data, 1, b.len, to), b.len);
	buf_done(&b);
}

static void every_event_in_every_format(void **state)
{
	static const char *const severities[] = { "info", "low", "medium", "high", "critical" };
	static const char *const notes[] = {
		"{\"host\":\"web-1\",\"kind\":\"loss\",\"loss\":{\"events\":3},\"seq\":900,\"time\":\"2026-11-21T08:00:00."
		"000000000Z\",\"v\":1}",
		"{\"host\":\"web-1\",\"kind\":\"stop\",\"seq\":901,\"time\":\"2026-11-21T08:00:00.000000000Z\",\"v\":1}",
	};
	const struct catalog *c = catalog_tamis();
	char command[200];

	(void)state;
	for (const struct export_format *f = export_formats; f->name; f++) {
		FILE *to = output(f->name);
		int64_t seq = 0;

		for (size_t t = 1; t < c->nevents; t++) {
			char *line;

			if (!c->events[t].name || c->events[t].is_family)
				continue;
			seq++;
			line = alert_of(&c->events[t], seq, severities[seq % 5]);
			put(to, f, line);
			free(line);
		}
		assert_true(seq > 50);
		for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
			put(to, f, notes[i]);
		assert_int_equal(fclose(to), 0);
		if (!strcmp(f->name, "jsonl"))
			continue;
		snprintf(command, sizeof(command), "tests/export/validate %s %s/%s", f->name, dir, f->name);
		assert_int_equal(system(command), 0);
	}
}

/* The hash that an OCSF event carries is that of the record in the log's tree. */
static void ocsf_carries_the_leaf(void **state)
{
	static const char line[] =
		"{\"host\":\"web-1\",\"kind\":\"stop\",\"seq\":901,\"time\":\"2026-11-21T08:00:00.000000000Z\",\"v\":1}";
	char value[HASH_HEX_SIZE];
	struct err e = { "" };
	const json_t *a;
	merkle_hash leaf;
	struct buf b;
	json_t *o;

	(void)state;
	merkle_leaf(line, sizeof(line) - 1, leaf);
	hash_hex(leaf, sizeof(leaf), value);
	buf_init(&b, 1 << 22);
	assert_int_equal(export_record(export_format_find("ocsf"), line, sizeof(line) - 1, &b, &e), 0);
	o = json_loadb((const char *)b.data, b.len, 0, NULL);
	a = json_array_get(json_object_get(o, "attestation_list"), 0);
	assert_string_equal(json_string_value(json_object_get(json_object_get(a, "fingerprint"), "value")), value);
	assert_string_equal(json_string_value(json_object_get(a, "chain_uid")), "tamis/web-1");
	assert_string_equal(json_string_value(json_object_get(a, "uid")), "web-1/901");
	assert_string_equal(json_string_value(json_object_get(json_object_get(a, "prev_event"), "uid")), "web-1/900");
	json_decref(o);
	buf_done(&b);
}

/* The validator can say no: each format's lines are none of the others'. */
static void the_validator_refuses(void **state)
{
	char command[200];

	(void)state;
	for (const struct export_format *a = export_formats; a->name; a++)
		for (const struct export_format *b = export_formats + 1; b->name; b++) {
			if (a == b)
				continue;
			snprintf(command, sizeof(command), "tests/export/validate %s %s/%s 2>/dev/null", b->name, dir,
				 a->name);
			assert_int_equal(WEXITSTATUS(system(command)), 1);
		}
}

/* What is JSON is so for a stock tool, too: as many objects as there are lines. */
static void jq_reads_what_is_json(void **state)
{
	char command[300];

	(void)state;
	if (system("jq --version >/dev/null 2>&1") != 0)
		skip();
	for (const struct export_format *f = export_formats; f->name; f++) {
		if (!strstr(f->content_type, "json"))
			continue;
		snprintf(command, sizeof(command), "cd %s && test $(jq -c objects %s | wc -l) = $(wc -l <%s)", dir,
			 f->name, f->name);
		if (system(command) != 0)
			fail_msg("jq does not read %s", f->name);
	}
}

static void what_is_no_record(void **state)
{
	static const char *const bad[] = {
		"", "{}", "no", "{\"host\":\"h\",\"kind\":\"alert\",\"seq\":1,\"v\":1}",
		"{\"host\":\"h\",\"host\":\"h\",\"kind\":\"x\",\"seq\":1,\"time\":\"t\",\"v\":1}"
	};
	struct err e = { "" };
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (const struct export_format *f = export_formats; f->name; f++)
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			assert_int_equal(export_record(f, bad[i], strlen(bad[i]), &b, &e), -EBADMSG);
	assert_int_equal(b.len, 0);
	assert_null(export_format_find("xml"));
	buf_done(&b);
}

/* An alert with next to nothing in it, and one that is too large for the buffer. */
static void little_and_much(void **state)
{
	static const char line[] =
		"{\"host\":\"h\",\"kind\":\"alert\",\"seq\":1,\"time\":\"2026-11-21T08:00:00.000000000Z\",\"v\":1}";
	struct err e = { "" };
	struct buf b;

	(void)state;
	for (const struct export_format *f = export_formats; f->name; f++) {
		char command[200];
		FILE *to = output("little");

		put(to, f, line);
		fclose(to);
		snprintf(command, sizeof(command), "tests/export/validate %s %s/little", f->name, dir);
		if (strcmp(f->name, "jsonl") != 0)
			assert_int_equal(system(command), 0);
		buf_init(&b, 20);
		assert_int_equal(export_record(f, line, sizeof(line) - 1, &b, &e), -EFBIG);
		assert_int_equal(b.len, 0);
		buf_done(&b);
	}
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_in_every_format), cmocka_unit_test(ocsf_carries_the_leaf),
		cmocka_unit_test(the_validator_refuses),       cmocka_unit_test(jq_reads_what_is_json),
		cmocka_unit_test(what_is_no_record),	       cmocka_unit_test(little_and_much),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
