/* SPDX-License-Identifier: Apache-2.0 */

/* The index of the log: sensor/record/logindex.h, and the times of tamisctl log query. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sensor/record/logindex.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sensor/ctl/cmd_log_query.h"

static char dir[64], index_path[100];
static int dir_fd = -1;

static void put_file(const char *name, const char *text, const char *mode)
{
	char path[120];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, mode);
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

#define ALERT(seq, minute, type, rule, severity, exe, comm, pid, user, file)                                           \
	"{\"event\":{\"type\":\"" type "\"},\"host\":\"h\",\"kind\":\"alert\"," file "\"process\":{\"comm\":\"" comm   \
	"\",\"file\":{\"path\":\"" exe "\"},\"pid\":" pid ",\"user\":\"" user "\"},\"rule\":{\"id\":\"" rule           \
	"\",\"severity\":\"" severity "\"},\"seq\":" seq ",\"time\":\"2026-11-21T08:" minute                           \
	":00.000000000Z\",\"v\":1}\n"
#define NOTE(seq, kind)                                                                                                \
	"{\"host\":\"h\",\"kind\":\"" kind "\",\"" kind "\":{},\"seq\":" seq                                           \
	",\"time\":\"2026-11-21T08:00:00.000000000Z\",\"v\":1}\n"

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/tamis-test-index-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(index_path, sizeof(index_path), "%s/index.db", dir);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	put_file("00000001.jsonl",
		 NOTE("1", "segment") ALERT("2", "10", "open", "shadow_read", "high", "/usr/bin/cat", "cat", "42",
					    "root", "\"open\":{\"file\":{\"path\":\"/etc/shadow\"}},")
			 ALERT("3", "20", "mkdir", "tmp_exec", "low", "/tmp/x", "x", "43", "ann",
			       "\"mkdir\":{\"file\":{\"path\":\"/tmp/x\"}},"),
		 "w");
	put_file("00000002.jsonl",
		 NOTE("4", "segment") ALERT("5", "30", "open", "shadow_read", "critical", "/usr/bin/less", "less", "44",
					    "bob", "\"open\":{\"file\":{\"path\":\"/etc/shadow\\n\"}},"),
		 "w");
	return 0;
}

static int tear_down(void **state)
{
	char command[100];

	(void)state;
	close(dir_fd);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static uint64_t found[16];
static size_t nfound;

static int note_row(const struct logindex_row *row, void *ctx)
{
	assert_ptr_equal(ctx, found);
	assert_true(nfound < 16);
	found[nfound++] = row->seq;
	return 0;
}

static struct logindex *open_index(bool anew)
{
	struct logindex *ix = NULL;
	struct err e = { "" };

	if (logindex_open(index_path, anew, &ix, &e) < 0 || logindex_update(ix, dir_fd, &e) < 0)
		fail_msg("%s", e.msg);
	return ix;
}

static void find(const struct logindex_query *q, size_t n, uint64_t a, uint64_t b)
{
	struct logindex *ix = open_index(false);
	struct err e = { "" };

	nfound = 0;
	assert_int_equal(logindex_find(ix, q, note_row, found, &e), 0);
	assert_int_equal(nfound, n);
	if (n > 0)
		assert_int_equal(found[0], a);
	if (n > 1)
		assert_int_equal(found[1], b);
	logindex_close(ix);
}

static void by_everything(void **state)
{
	uint64_t from, to;

	(void)state;
	assert_int_equal(log_query_time("2026-11-21T08:20", 0, &from), 0);
	assert_int_equal(log_query_time("2026-11-21T08:30:00Z", 0, &to), 0);
	find(&(struct logindex_query){ 0 }, 5, 1, 2);
	find(&(struct logindex_query){ .limit = 2 }, 2, 4, 5);
	find(&(struct logindex_query){ .rule = "shadow_read" }, 2, 2, 5);
	find(&(struct logindex_query){ .severity = 4 }, 2, 2, 5);
	find(&(struct logindex_query){ .severity = 5 }, 1, 5, 0);
	find(&(struct logindex_query){ .event = "mkdir" }, 1, 3, 0);
	find(&(struct logindex_query){ .kind = "segment" }, 2, 1, 4);
	find(&(struct logindex_query){ .process = "/usr/bin/*" }, 2, 2, 5);
	find(&(struct logindex_query){ .process = "x" }, 1, 3, 0);
	find(&(struct logindex_query){ .pid = 44 }, 1, 5, 0);
	find(&(struct logindex_query){ .path = "/etc/shadow*" }, 2, 2, 5);
	find(&(struct logindex_query){ .user = "ann" }, 1, 3, 0);
	find(&(struct logindex_query){ .host = "other" }, 0, 0, 0);
	find(&(struct logindex_query){ .since_ns = from, .until_ns = to }, 1, 3, 0);
	find(&(struct logindex_query){ .rule = "' OR 1 --" }, 0, 0, 0);
}

/* What comes later is taken in; a line without its end waits; what is no record ends its segment. */
static void it_grows(void **state)
{
	(void)state;
	find(&(struct logindex_query){ 0 }, 5, 1, 2);
	put_file("00000002.jsonl", "{\"event\":{},\"host\":\"h\"", "a");
	find(&(struct logindex_query){ 0 }, 5, 1, 2);
	put_file("00000002.jsonl",
		 ",\"kind\":\"alert\",\"seq\":6,\"time\":\"2026-11-21T09:00:00.000000000Z\",\"v\":1}\n", "a");
	find(&(struct logindex_query){ .limit = 1 }, 1, 6, 0);
	put_file("00000002.jsonl", "no record\n" NOTE("7", "loss"), "a");
	find(&(struct logindex_query){ .limit = 1 }, 1, 6, 0);
}

static void pruned(void **state)
{
	(void)state;
	find(&(struct logindex_query){ 0 }, 5, 1, 2);
	assert_int_equal(unlinkat(dir_fd, "00000001.jsonl", 0), 0);
	find(&(struct logindex_query){ 0 }, 2, 4, 5);
}

/* Another log at the same place, shorter or longer, is found out. */
static void another_log(void **state)
{
	(void)state;
	find(&(struct logindex_query){ 0 }, 5, 1, 2);
	put_file("00000001.jsonl", NOTE("1", "segment"), "w");
	put_file("00000002.jsonl", NOTE("2", "segment"), "w");
	find(&(struct logindex_query){ 0 }, 2, 1, 2);
	put_file("00000002.jsonl", NOTE("9", "segment") NOTE("10", "loss"), "w");
	find(&(struct logindex_query){ 0 }, 3, 1, 9);
}

static void damaged(void **state)
{
	struct logindex *ix = NULL;
	struct err e = { "" };

	(void)state;
	logindex_close(open_index(false));
	for (long at = 0; at < 4096; at += 97) {
		FILE *f = fopen(index_path, "r+");

		assert_non_null(f);
		fseek(f, at, SEEK_SET);
		fputs("damage", f);
		fclose(f);
		if (logindex_open(index_path, false, &ix, &e) == 0) {
			logindex_update(ix, dir_fd, &e);
			logindex_close(ix);
		}
		unlink(index_path);
		find(&(struct logindex_query){ 0 }, 5, 1, 2);
	}
	/* what is no index is not taken away */
	put_file("index.db", "somebody's letter, which is longer than a header", "w");
	assert_int_equal(logindex_open(index_path, false, &ix, &e), -EEXIST);
	assert_int_equal(logindex_open(index_path, true, &ix, &e), -EEXIST);
	assert_int_equal(access(index_path, F_OK), 0);
	assert_int_equal(unlink(index_path), 0);
	assert_int_equal(symlink("/etc/hostname", index_path), 0);
	assert_true(logindex_open(index_path, true, &ix, &e) < 0);
}

static int count_rows(int n, const char *const values[], void *ctx)
{
	assert_int_equal(n, 2);
	assert_non_null(values[0]);
	++*(int *)ctx;
	return 0;
}

static void sql(void **state)
{
	static const char *const refused[] = {
		"DELETE FROM record",
		"ATTACH '/tmp/x' AS x",
		"PRAGMA writable_schema=1",
		"SELECT 1,1; DROP TABLE record",
		"SELECT load_extension('x'), 1",
		"CREATE TABLE x(y)",
		"SELECT nothing, 1 FROM record",
		"",
		"VACUUM INTO '/tmp/x'",
	};
	struct logindex *ix = open_index(false);
	struct err e = { "" };
	int rows = 0;

	(void)state;
	assert_int_equal(logindex_sql(ix, "SELECT rule, count(*) FROM record WHERE rule<>'' GROUP BY rule", count_rows,
				      &rows, &e),
			 0);
	assert_int_equal(rows, 3);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(logindex_sql(ix, refused[i], count_rows, &rows, &e), -EINVAL);
		assert_non_null(strstr(e.msg, "--sql"));
	}
	logindex_close(ix);
	find(&(struct logindex_query){ 0 }, 5, 1, 2);
}

static void times(void **state)
{
	static const uint64_t second = 1000000000, now = 1000000 * UINT64_C(1000000000);
	static const char *const bad[] = {
		"", "yesterday", "2026-13-01", "5", "5x", "-5m", "99999999999d", "1h30m", "2026-11-21T08:15:30+01:00"
	};
	uint64_t t;

	(void)state;
	assert_int_equal(log_query_time("90s", now, &t), 0);
	assert_true(t == now - 90 * second);
	assert_int_equal(log_query_time("2d", now, &t), 0);
	assert_true(t == now - 2 * 86400 * second);
	assert_int_equal(log_query_time("4000000000d", now, &t), 0);
	assert_true(t == 1);
	assert_int_equal(log_query_time("1970-01-02", now, &t), 0);
	assert_true(t == 86400 * second);
	assert_int_equal(log_query_time("1970-01-01T00:00:01.500000000Z", now, &t), 0);
	assert_true(t == 1500000000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(log_query_time(bad[i], now, &t), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(by_everything), T(it_grows), T(pruned), T(another_log), T(damaged), T(sql), cmocka_unit_test(times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
