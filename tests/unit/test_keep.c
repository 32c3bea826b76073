/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captures that rules ask for, as files: names of hostile rules, bounds of one and of all, what was interrupted, a disk that is
 * full, and an engine process that says what it may not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/capture.h"
#include "sensor/priv/keep.h"

static char path[] = "/tmp/test_keep.XXXXXX";
static int dir = -1;
static char last_note[8192];
static int notes;

static void on_note(void *ctx, const char *details)
{
	(void)ctx;
	notes++;
	snprintf(last_note, sizeof(last_note), "%s", details);
}

static void file(const char *name, size_t size)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

static off_t size_of(const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -1 : st.st_size;
}

static int setup(void **state)
{
	(void)state;
	strcpy(path, "/tmp/test_keep.XXXXXX");
	assert_non_null(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY);
	notes = 0;
	return dir < 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	close(dir);
	snprintf(command, sizeof(command), "rm -rf %s", path);
	return system(command);
}

/* ---- names --------------------------------------------------------------------------------------------------------- */

static void names(void **state)
{
	static const char *const no[] = { "",
					  ".",
					  "..",
					  "20261122T034127Z-.cap.part",
					  "20261122T034127Z-a-1.cap/",
					  "20261122T034127Z-a/b-1.cap",
					  "2026112xT034127Z-a-1.cap",
					  "20261122T034127Z-.cap2",
					  "x20261122T034127Z-a-1.cap",
					  "20261122T034127Z-a\n-1.cap",
					  "20261122T034127Z.cap" };
	static const struct {
		const char *rule, *name;
	} yes[] = { { "shadow_read", "20261122T034127Z-shadow_read-17.cap" },
		    { "../../etc/passwd", "20261122T034127Z-.._.._etc_passwd-17.cap" },
		    { "a\nb c\"'$(x)", "20261122T034127Z-a_b_c____x_-17.cap" },
		    { "\xff\xc3\xa9", "20261122T034127Z-___-17.cap" },
		    { "", "20261122T034127Z--17.cap" } };
	char name[CAPLIMIT_NAME_MAX], rule[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		capname_put(name, 1795318887, yes[i].rule, strlen(yes[i].rule), 17);
		assert_string_equal(name, yes[i].name);
		assert_true(capname_is(name));
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(capname_is(no[i]));
	memset(rule, 'r', sizeof(rule));
	capname_put(name, INT64_MAX, rule, sizeof(rule), UINT64_MAX);
	assert_true(capname_is(name));
	capname_put(name, INT64_MIN, "\0x", 2, 0);
	assert_true(capname_is(name));
}

static void rates(void **state)
{
	struct caprate r = { 0 };

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(caprate_take(&r, 3, 5 + (uint64_t)i) == (i < 3));
	assert_false(caprate_take(&r, 3, CAPLIMIT_PERIOD_NS));
	assert_true(caprate_take(&r, 3, CAPLIMIT_PERIOD_NS + 5));
	assert_false(caprate_take(&r, 0, 9 * CAPLIMIT_PERIOD_NS));
}

/* ---- files --------------------------------------------------------------------------------------------------------- */

#define NAME(n) "20261122T03412" #n "Z-a-1.cap"

static int removals;

static void on_removed(void *ctx, const struct capdir_file *f)
{
	(void)ctx;
	(void)f;
	removals++;
}

static void capdir_of(struct capdir *d, uint64_t all, uint64_t one)
{
	const struct capdir_options o = { .dir_fd = dir, .keep_bytes = all, .file_bytes = one, .removed = on_removed };

	removals = 0;
	capdir_init(d, &o);
}

static void one_file(void **state)
{
	char hex[HASH_HEX_SIZE], content[6000];
	uint8_t digest[HASH_SIZE];
	struct capdir_file f;
	struct err e = { "" };
	struct capdir d;

	(void)state;
	memset(content, 'c', sizeof(content));
	capdir_of(&d, 10000, 6000);
	assert_int_equal(capdir_begin(&d, "../" NAME(1), &e), -EINVAL);
	assert_int_equal(capdir_begin(&d, NAME(1), &e), 0);
	assert_int_equal(capdir_put(&d, content, 5000, &e), 0);
	assert_int_equal(capdir_put(&d, content, 1000, &e), 0);
	assert_int_equal(size_of(NAME(1)), -1);
	assert_int_equal(capdir_end(&d, &f, &e), 0);
	assert_string_equal(f.name, NAME(1));
	assert_int_equal(f.bytes, 6000);
	hash_sha256(content, 6000, digest);
	hash_hex(digest, sizeof(digest), hex);
	assert_string_equal(f.sha256, hex);
	assert_int_equal(size_of(NAME(1)), 6000);
	assert_int_equal(size_of(NAME(1) ".part"), -1);
	assert_int_equal(d.files * 100000 + d.bytes, 106000);
	/* nothing is written over, whoever made it; a link leads nowhere */
	assert_int_equal(capdir_begin(&d, NAME(1), &e), -EEXIST);
	assert_int_equal(symlinkat("/tmp/elsewhere", dir, NAME(2) ".part"), 0);
	assert_true(capdir_begin(&d, NAME(2), &e) < 0);
	assert_false(capdir_writes(&d));
	/* as large as one may be, and no larger: then it is gone */
	assert_int_equal(capdir_begin(&d, NAME(3), &e), 0);
	assert_int_equal(capdir_put(&d, content, 6000, &e), 0);
	assert_int_equal(capdir_put(&d, content, 1, &e), -EFBIG);
	assert_true(e.msg[0]);
	assert_int_equal(size_of(NAME(3) ".part"), -1);
	assert_int_equal(capdir_put(&d, content, 1, &e), -EBADF);
	assert_int_equal(capdir_end(&d, &f, &e), -EBADF);
}

static void the_oldest_give_way(void **state)
{
	struct capdir_file f;
	struct err e = { "" };
	struct capdir d;
	char name[64];

	(void)state;
	file(NAME(1), 3000);
	file(NAME(2), 3000);
	file(NAME(3), 3000);
	file("mine.cap", 100000); /* somebody's own: neither counted nor touched */
	assert_int_equal(mkdirat(dir, NAME(0), 0700), 0);
	capdir_of(&d, 10000, 5000);
	assert_int_equal(capdir_begin(&d, NAME(4), &e), 0);
	assert_int_equal(removals, 0);
	assert_int_equal(capdir_put(&d, name, 60, &e), 0);
	for (int i = 0; i < 40; i++)
		assert_int_equal(capdir_put(&d, name, 60, &e), 0);
	assert_int_equal(removals, 1);
	assert_int_equal(size_of(NAME(1)), -1);
	assert_int_equal(size_of(NAME(2)), 3000);
	assert_int_equal(capdir_end(&d, &f, &e), 0);
	assert_int_equal(d.files * 100000 + d.bytes, 300000 + 6000 + 41 * 60);
	/* one that is begun before any other goes before any other, but not while it is written */
	assert_int_equal(capdir_begin(&d, "20200101T000000Z-a-1.cap", &e), 0);
	for (int i = 0; i < 40; i++)
		assert_int_equal(capdir_put(&d, name, 60, &e), 0);
	assert_int_equal(capdir_end(&d, &f, &e), 0);
	assert_int_equal(size_of(f.name), 2400);
	assert_int_equal(removals, 2);
	for (int i = 0; i < CAPDIR_FILES + 3; i++) {
		snprintf(name, sizeof(name), "20270101T000000Z-a-%d.cap", i);
		file(name, 0);
	}
	assert_int_equal(capdir_begin(&d, NAME(5), &e), 0);
	assert_int_equal(d.files, CAPDIR_FILES - 1);
	capdir_drop(&d);
	assert_int_equal(size_of("mine.cap"), 100000);
}

static void a_full_disk(void **state)
{
	struct rlimit before, small = { 4096, 4096 };
	char content[8192] = "";
	struct err e = { "" };
	struct capdir d;

	(void)state;
	/* less is free than is to be left to the log */
	capdir_of(&d, UINT64_MAX, UINT64_MAX);
	d.o.spare = UINT64_MAX / 2;
	assert_int_equal(capdir_begin(&d, NAME(1), &e), -ENOSPC);
	d.o.spare = 0;
	assert_int_equal(capdir_begin(&d, NAME(1), &e), 0);
	d.o.spare = UINT64_MAX / 2;
	assert_int_equal(capdir_put(&d, content, 1, &e), -ENOSPC);
	assert_int_equal(size_of(NAME(1) ".part"), -1);
	/* the kernel takes a part, and then no more */
	d.o.spare = 0;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	small.rlim_max = before.rlim_max;
	assert_int_equal(capdir_begin(&d, NAME(1), &e), 0);
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(capdir_put(&d, content, sizeof(content), &e), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(size_of(NAME(1) ".part"), -1);
	assert_int_equal(d.bytes, 0);
}

/* ---- what the record process does with it -------------------------------------------------------------------------------- */

static struct record_counts counts;
static struct keep keep;
static uint64_t now = 1;

static int begin_as(uint64_t request, const char *rule, const char *policy)
{
	struct {
		struct msg_snap b;
		char text[1024];
	} m = { .b = { .time_s = 1795318887, .request = request } };

	m.b.rule_len = (uint32_t)strlen(rule);
	m.b.policy_len = (uint32_t)strlen(policy);
	memcpy(m.text, rule, m.b.rule_len);
	memcpy(m.text + m.b.rule_len, policy, m.b.policy_len);
	return keep_begin(&keep, &(struct msg){ .body = &m, .len = sizeof(m.b) + m.b.rule_len + m.b.policy_len }, now,
			  true);
}

static int data(const void *p, size_t n)
{
	return keep_data(&keep, &(struct msg){ .body = p, .len = (uint32_t)n });
}

static int end(uint32_t why)
{
	struct msg_snap_end m = { .records = 3, .events = 2, .matches = 1, .before_ms = 900, .why = why };

	return keep_end(&keep, &(struct msg){ .body = &m, .len = sizeof(m) });
}

static void keep_of(uint64_t bytes)
{
	counts = (struct record_counts){ 0 };
	keep_init(&keep, dir, bytes, &counts, on_note, NULL);
	keep.dir.o.spare = 0; /* this machine's disk is not what is tested */
	keep_recover(&keep);
}

static void records_of_the_log(void **state)
{
	(void)state;
	keep_of(1 << 20);
	assert_int_equal(begin_as(7, "r", "p"), 0);
	assert_int_equal(data("abc", 3), 0);
	assert_int_equal(end(CAPTURE_ASKED), 0);
	assert_string_equal(
		last_note,
		"{\"action\":\"kept\",\"before_ms\":900,\"bytes\":3,\"end\":\"asked\",\"events\":2,"
		"\"file\":\"20261122T034127Z-r-7.cap\",\"lost\":0,\"matches\":1,\"policy\":\"p\",\"records\":3,"
		"\"request\":7,\"result\":\"whole\",\"rule\":\"r\","
		"\"sha256\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"}");
	assert_int_equal(counts.captures * 10 + counts.captures_files, 11);
	assert_int_equal(counts.captures_bytes, 3);
	/* the same once more */
	assert_int_equal(begin_as(7, "r", "p"), 0);
	assert_non_null(strstr(last_note,
			       "{\"action\":\"failed\",\"file\":\"20261122T034127Z-r-7.cap\",\"policy\":\"p\","
			       "\"reason\":\"there is one of that name\""));
	assert_int_equal(data("abc", 3), 0); /* said already */
	assert_int_equal(end(CAPTURE_ASKED), 0);
	assert_int_equal(counts.captures_failed, 1);
	assert_int_equal(notes, 2);
	/* the engine process dies; or begins another without an end */
	assert_int_equal(begin_as(8, "r", "p"), 0);
	assert_int_equal(data("abc", 3), 0);
	keep_cut(&keep, "the engine process ended", false);
	assert_non_null(strstr(
		last_note, "\"reason\":\"the engine process ended\",\"request\":8,\"result\":\"cut\",\"rule\":\"r\","
			   "\"sha256\":\"ba7816bf"));
	assert_int_equal(begin_as(12, "r", "p"), 0);
	assert_int_equal(end(CAPTURE_WHYS), 0); /* without its last bytes */
	assert_non_null(strstr(last_note,
			       "\"reason\":\"the record process did not take its end in time\",\"request\":12,"
			       "\"result\":\"cut\""));
	assert_int_equal(begin_as(9, "r", "p"), 0);
	assert_int_equal(begin_as(10, "r", "p"), 0);
	assert_non_null(strstr(last_note, "\"result\":\"cut\""));
	/* the log cannot be written: it goes */
	keep_cut(&keep, "the log cannot be written", true);
	assert_non_null(strstr(last_note, "\"action\":\"failed\",\"file\":\"20261122T034127Z-r-10.cap\""));
	assert_int_equal(size_of("20261122T034127Z-r-10.cap.part"), -1);
	/* and killed ourselves: the next one makes an end of it, but not of what is nobody's */
	assert_int_equal(begin_as(11, "r", "p"), 0);
	assert_int_equal(data("abc", 3), 0);
	close(keep.dir.fd);
	file("20261122T034127Z-empty-1.cap.part", 0);
	file("other.part", 5);
	keep_of(1 << 20);
	assert_non_null(strstr(
		last_note, "\"action\":\"kept\",\"bytes\":3,\"file\":\"20261122T034127Z-r-11.cap\",\"reason\":\"the "
			   "record process ended\",\"result\":\"cut\",\"sha256\":\"ba7816bf"));
	assert_int_equal(size_of("20261122T034127Z-empty-1.cap.part"), -1);
	assert_int_equal(size_of("other.part"), 5);
	assert_int_equal(counts.captures_failed, 2);
}

/* An engine process that was taken over. */
static void what_it_may_not(void **state)
{
	struct msg_snap b = { .rule_len = UINT32_MAX, .policy_len = 2 };
	struct msg m = { .body = &b, .len = sizeof(b) };
	char big[MSG_SNAP_NAME_MAX + 2];
	uint64_t failed;

	(void)state;
	keep_of(0); /* nobody is allowed captures */
	assert_int_equal(begin_as(1, "r", "p"), -EPROTO);
	assert_int_equal(data("abc", 3), -EPROTO);
	assert_int_equal(end(CAPTURE_ASKED), -EPROTO);
	keep_of(1 << 20);
	assert_int_equal(keep_begin(&keep, &m, now, true), -EPROTO);
	b.rule_len = 1;
	assert_int_equal(keep_begin(&keep, &m, now, true), -EPROTO);
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(begin_as(1, big, "p"), -EPROTO);
	big[MSG_SNAP_NAME_MAX] = '\0';
	assert_int_equal(begin_as(1, big, big), 0);
	assert_int_equal(end(CAPTURE_WHYS + 1), -EPROTO);
	assert_int_equal(data("abc", 3), 0);
	assert_int_equal(end(CAPTURE_ASKED), 0);
	assert_int_equal(end(CAPTURE_ASKED), 0); /* of nothing */
	/* too many at once are counted, and are no records any more */
	now += 2 * CAPLIMIT_PERIOD_NS;
	notes = 0;
	failed = counts.captures_failed;
	for (uint64_t i = 0; i < 100; i++) {
		assert_int_equal(begin_as(100 + i, "r", "p"), 0);
		assert_int_equal(data("abc", 3), 0);
		assert_int_equal(end(CAPTURE_ASKED), 0);
	}
	assert_int_equal(notes, CAPLIMIT_TAKEN);
	assert_int_equal(counts.captures_failed - failed, 100 - CAPLIMIT_TAKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(rates),
		cmocka_unit_test_setup_teardown(one_file, setup, teardown),
		cmocka_unit_test_setup_teardown(the_oldest_give_way, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(records_of_the_log, setup, teardown),
		cmocka_unit_test_setup_teardown(what_it_may_not, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
