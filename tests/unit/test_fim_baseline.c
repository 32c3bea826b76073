/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The baseline as a whole: made, compared, accepted; edited by others in every way; interrupted; with writes that fail one
 * after the other; with allocations that fail one after the other.
 */
#include "tests/unit/fim_bench.h"
#include "tests/unit/nomem.h"

#include <sqlite3.h>
#include <sys/xattr.h>
#include <time.h>

#include "sensor/fim/diff.h"

static bool pick_all(void *ctx, const char *path, size_t len)
{
	return true;
}

static uint64_t accept_all(struct fim_bench *b, uint64_t *ret_refused)
{
	struct baseline_options o = fim_options(b);
	struct baseline_accept a = { .pick = pick_all };
	struct err e = { "" };

	if (baseline_accept(&o, &a, &e) < 0)
		fail_msg("%s", e.msg);
	if (ret_refused)
		*ret_refused = a.refusals;
	return a.accepted;
}

static void some_files(struct fim_bench *b, int n)
{
	char name[32];

	fim_mkdir(b, "d");
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "d/f%03d", i);
		fim_write(b, name, name);
	}
}

static void begin_with(struct fim_bench *b, int files)
{
	fim_begin(b);
	fim_watch(b, WATCH_STANDARD, 0, false);
	some_files(b, files);
}

/* ---- what it is for ------------------------------------------------------------------------------------------------ */

static void test_life(void **state)
{
	struct baseline_counts c;
	struct fim_bench b;
	uint64_t refused;

	fim_begin(&b);
	fim_watch(&b, WATCH_ALL & ~(uint32_t)WATCH_TIMES, 4096, false);
	some_files(&b, 300);
	fim_init(&b);
	c = fim_check(&b);
	assert_int_equal(c.files, 302);
	assert_int_equal(c.looked, 302);
	assert_true(!c.added && !c.removed && !c.changed && !c.edited && !c.root_bad);
	fim_write(&b, "d/f000", "another text");
	assert_int_equal(unlink(fim_path(&b, "d/f001")), 0);
	fim_write(&b, "d/new", "x");
	assert_int_equal(chmod(fim_path(&b, "d/f002"), 04711), 0);
	c = fim_check(&b);
	assert_true(c.added == 1 && c.removed == 1 && c.changed == 2);
	/* what changes again after the check is not accepted */
	fim_write(&b, "d/new", "something else");
	fim_write(&b, "d/f001", "back");
	assert_int_equal(accept_all(&b, &refused), 2);
	assert_int_equal(refused, 2);
	c = fim_check(&b);
	assert_true(c.added == 1 && !c.removed && c.changed == 1 && !c.root_bad);
	assert_int_equal(accept_all(&b, NULL), 2);
	c = fim_check(&b);
	assert_true(!c.added && !c.removed && !c.changed && !c.root_bad);
	assert_int_equal(c.files, 303);
	fim_end(&b);
}

static void test_growing(void **state)
{
	struct fim_bench b;

	fim_begin(&b);
	fim_watch(&b, WATCH_LOG | WATCH_SIZE | WATCH_CONTENT, 0, true);
	fim_write(&b, "log", "one\n");
	fim_init(&b);
	fim_write(&b, "log", "one\ntwo\n");
	assert_int_equal(fim_check(&b).changed, 0);
	fim_write(&b, "log", "ONE\ntwo\n");
	assert_int_equal(fim_check(&b).changed, 1);
	fim_write(&b, "log", "on");
	assert_int_equal(fim_check(&b).changed, 1);
	fim_end(&b);
}

/* --quick misses a change that puts size and times back, and says so in the manual; the full check does not. */
static void test_quick(void **state)
{
	struct baseline_options o;
	struct baseline_counts c;
	struct timespec times[2];
	struct fim_bench b;
	struct stat st;
	struct err e;

	fim_begin(&b);
	fim_watch(&b, WATCH_STANDARD, 0, false);
	fim_write(&b, "f", "aaaa");
	assert_int_equal(stat(fim_path(&b, "f"), &st), 0);
	fim_init(&b);
	fim_write(&b, "f", "bbbb");
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	assert_int_equal(utimensat(AT_FDCWD, fim_path(&b, "f"), times, 0), 0);
	o = fim_options(&b);
	o.scan.quick = true;
	assert_int_equal(baseline_check(&o, NULL, &c, &e), 0);
	assert_int_equal(c.changed, 1); /* ctime cannot be put back by these means */
	assert_int_equal(fim_check(&b).changed, 1);
	fim_end(&b);
}

static void test_diff(void **state)
{
	struct baseline_options o;
	struct baseline base;
	struct fim_bench b;
	struct buf out, bytes;
	struct store_iter *it;
	struct store_row row;
	struct change c;
	struct fact old;
	const char *why = "";
	struct err e = { "" };
	char path[256];

	fim_begin(&b);
	fim_watch(&b, WATCH_STANDARD, 4096, false);
	fim_write(&b, "f", "one\ntwo\n");
	fim_write(&b, "id.key", "one\n");
	fim_init(&b);
	fim_write(&b, "f", "one\n2\n");
	fim_write(&b, "id.key", "two\n");
	fim_check(&b);
	o = fim_options(&b);
	assert_int_equal(baseline_open(&o, STORE_READ, &base, &e), 0);
	buf_init(&out, 65536);
	buf_init(&bytes, 65536);
	assert_int_equal(store_iter_open(base.store, STORE_CHANGES, NULL, 0, &it, &e), 0);
	assert_int_equal(store_iter_next(it, &row, &e), 1);
	snprintf(path, sizeof(path), "%s/f", b.tree);
	assert_memory_equal(row.path, path, row.path_len);
	assert_int_equal(baseline_read_change(&base, &row, &c, &e), 0);
	assert_int_equal(diff_old_fact(&base, row.path, row.path_len, &bytes, &old, &e), 1);
	assert_int_equal(diff_change(&base, row.path, row.path_len, &c, &old, &out, &why, &e), 0);
	assert_string_equal(buf_cstr(&out), "@@ -1,2 +1,2 @@\n one\n-two\n+2\n");
	assert_int_equal(store_iter_next(it, &row, &e), 1);
	assert_int_equal(baseline_read_change(&base, &row, &c, &e), 0);
	assert_int_equal(diff_old_fact(&base, row.path, row.path_len, &bytes, &old, &e), 1);
	assert_int_equal(diff_change(&base, row.path, row.path_len, &c, &old, &out, &why, &e), 1);
	assert_string_equal(why, "its content was not kept"); /* a key */
	store_iter_close(it);
	baseline_close(&base);
	buf_done(&out);
	buf_done(&bytes);
	fim_end(&b);
}

/* ---- interrupted --------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t stop;

static void *stop_at(void *arg)
{
	const struct scan_progress *p = arg;

	while (atomic_load(&p->files) < 3000)
		usleep(100);
	stop = 1;
	return NULL;
}

/* Runs until it has been stopped in its middle once: slowly enough that there is a middle. */
static void stopped_scan(struct baseline_options *o,
			 int (*scan)(const struct baseline_options *, const struct baseline_notes *,
				     struct baseline_counts *, struct err *))
{
	struct scan_progress progress = { 0 };
	struct baseline_counts c;
	pthread_t thread;
	struct err e;

	stop = 0;
	o->scan.stop = &stop;
	o->scan.progress = &progress;
	o->scan.rate = 400000;
	o->scan.workers = 1;
	assert_int_equal(pthread_create(&thread, NULL, stop_at, &progress), 0);
	assert_int_equal(scan(o, NULL, &c, &e), -EINTR);
	pthread_join(thread, NULL);
	stop = 0;
	o->scan.rate = 0;
	o->scan.progress = NULL;
}

static void test_resume(void **state)
{
	struct scan_progress progress = { 0 };
	struct baseline_options o;
	struct baseline_counts c;
	struct fim_bench b;
	struct err e;
	char name[64];

	fim_begin(&b);
	fim_watch(&b, WATCH_STANDARD, 0, false);
	for (int d = 0; d < 50; d++) {
		snprintf(name, sizeof(name), "d%02d", d);
		fim_mkdir(&b, name);
		for (int i = 0; i < 100; i++) {
			snprintf(name, sizeof(name), "d%02d/f%02d", d, i);
			fim_write(&b, name,
				  "a text of some bytes, so that a limit on bytes a second slows this down a little");
		}
	}
	o = fim_options(&b);
	stopped_scan(&o, baseline_init);
	o.scan.progress = &progress;
	assert_int_equal(baseline_init(&o, NULL, &c, &e), 0);
	assert_true(c.resumed && atomic_load(&progress.files) < 4000);
	assert_int_equal(c.files, 5051);
	c = fim_check(&b);
	assert_true(!c.resumed && c.files == 5051 && !c.root_bad && !c.edited && !c.changed && !c.added && !c.removed);

	fim_write(&b, "d00/f00", "changed before the place where it stops");
	fim_write(&b, "d49/f99", "changed behind it");
	o = fim_options(&b);
	stopped_scan(&o, baseline_check);
	assert_int_equal(baseline_check(&o, NULL, &c, &e), 0);
	assert_true(c.resumed && c.changed == 2 && !c.root_bad && !c.added && !c.removed);
	assert_int_equal(c.looked, 5051);
	o.fresh = true;
	assert_int_equal(baseline_check(&o, NULL, &c, &e), 0);
	assert_true(!c.resumed && c.changed == 2 && !c.root_bad);
	fim_end(&b);
}

/* ---- edited -------------------------------------------------------------------------------------------------------- */

static void edit(struct fim_bench *b, const char *sql)
{
	char path[128];
	char *msg = NULL;
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/" STORE_FILE, b->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &msg) != SQLITE_OK)
		fail_msg("%s: %s", sql, msg);
	sqlite3_close(db);
}

struct edited {
	unsigned int n;
	char path[256];
};

static void tell(void *ctx, const char *path, size_t len)
{
	struct edited *x = ctx;

	x->n++;
	snprintf(x->path, sizeof(x->path), "%.*s", (int)len, path);
}

static void test_edited_rows(void **state)
{
	static const char *const edits[] = {
		/* a fact changed, with its old seal; with the seal of another row; a row that was added; one taken away */
		"UPDATE file SET fact = (SELECT fact FROM file ORDER BY path DESC LIMIT 1) WHERE CAST(path AS TEXT) LIKE '%/d/f003'",
		"UPDATE file SET (fact, seal) = (SELECT fact, seal FROM file ORDER BY path DESC LIMIT 1) WHERE CAST(path AS TEXT) LIKE '%/f003'",
		"INSERT INTO file SELECT CAST(path || '0' AS BLOB), fact, seal FROM file WHERE CAST(path AS TEXT) LIKE '%/d/f003'",
		"DELETE FROM file WHERE CAST(path AS TEXT) LIKE '%/d/f003'",
		"UPDATE file SET seal = zeroblob(16) WHERE CAST(path AS TEXT) LIKE '%/d/f003'",
	};
	struct baseline_options o;
	struct baseline_counts c;
	struct fim_bench b;
	struct err e;

	begin_with(&b, 20);
	o = fim_options(&b);
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		struct baseline_accept a = { .pick = pick_all };
		struct edited x = { 0 };
		const struct baseline_notes notes = { .edited = tell, .ctx = &x };

		fim_init(&b);
		fim_check(&b);
		edit(&b, edits[i]);
		assert_int_equal(baseline_check(&o, &notes, &c, &e), 0);
		if (!c.root_bad && !c.edited)
			fail_msg("not seen: %s", edits[i]);
		if (i != 3) { /* what is not there cannot be named */
			assert_int_equal(x.n, 1);
			assert_non_null(strstr(x.path, "/d/f003"));
		}
		/* nor is it signed along with what is accepted */
		if (i != 4)
			assert_int_equal(baseline_accept(&o, &a, &e), -EKEYREJECTED);
	}
	fim_end(&b);
}

static void test_edited_rest(void **state)
{
	static const struct {
		const char *sql;
		int want;
	} edits[] = {
		{ "UPDATE note SET value = CAST(replace(value, 'files 2', 'files 3') AS BLOB) WHERE name = 'head'",
		  -EKEYREJECTED },
		{ "DELETE FROM note WHERE name = 'head.sig'", -EKEYREJECTED },
		{ "DELETE FROM note WHERE name = 'head'", -ENOENT },
		{ "UPDATE note SET value = 'text' WHERE name = 'head'", -EBADMSG },
		{ "CREATE TRIGGER t AFTER DELETE ON change BEGIN DELETE FROM file; END", -EBADMSG },
		{ "CREATE VIEW v AS SELECT * FROM file", -EBADMSG },
		{ "CREATE INDEX i ON file(fact)", -EBADMSG },
		{ "DROP TABLE content", -EBADMSG },
		{ "ALTER TABLE file ADD COLUMN more", -EBADMSG },
		{ "PRAGMA user_version = 99", -EPROTONOSUPPORT },
		{ "PRAGMA user_version = -1", -EBADMSG },
		{ "PRAGMA application_id = 1", -EBADMSG },
		{ "UPDATE file SET path = 'x/y' WHERE CAST(path AS TEXT) LIKE '%f003'", -EBADMSG },
		{ "UPDATE file SET path = CAST('x/y' AS BLOB) WHERE CAST(path AS TEXT) LIKE '%f003'", -EBADMSG },
		{ "UPDATE file SET seal = x'00' WHERE CAST(path AS TEXT) LIKE '%f003'", -EBADMSG },
		{ "UPDATE file SET fact = 7 WHERE CAST(path AS TEXT) LIKE '%f003'", -EBADMSG },
	};
	struct baseline_options o;
	struct baseline_counts c;
	struct fim_bench b;
	struct err e;

	begin_with(&b, 20);
	o = fim_options(&b);
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		int r;

		fim_init(&b); /* forced: it copes with whatever the one before left */
		assert_int_equal(fim_check(&b).changed, 0);
		edit(&b, edits[i].sql);
		e.msg[0] = '\0';
		r = baseline_check(&o, NULL, &c, &e);
		if (r != edits[i].want)
			fail_msg("%s: %d, not %d (%s)", edits[i].sql, r, edits[i].want, e.msg);
		assert_true(*e.msg);
	}
	fim_end(&b);
}

/* The watches are signed, too: without a policy those in the database are believed only then. */
static void test_edited_watches(void **state)
{
	struct baseline_options o;
	struct baseline_counts c;
	struct fim_bench b;
	struct err e;

	begin_with(&b, 3);
	fim_init(&b);
	o = fim_options(&b);
	o.watches = NULL;
	assert_int_equal(baseline_check(&o, NULL, &c, &e), 0);
	assert_false(c.other_policy);
	edit(&b, "UPDATE note SET value = CAST(x'0100000000000000' AS BLOB) WHERE name = 'watches'");
	assert_int_equal(baseline_check(&o, NULL, &c, &e), -EKEYREJECTED);
	fim_end(&b);
}

/* Somebody cannot make a check begin at its end, by a note of how far it came. */
static void test_forged_progress(void **state)
{
	struct fim_bench b;

	begin_with(&b, 20);
	fim_init(&b);
	fim_write(&b, "d/f001", "trojan");
	edit(&b, "INSERT INTO note VALUES('check', CAST(zeroblob(64) || randomblob(8) || zeroblob(64) || '/zzz' || "
		 "zeroblob(16) AS BLOB))");
	assert_int_equal(fim_check(&b).changed, 1);
	fim_end(&b);
}

static void test_bytes(void **state)
{
	struct baseline_options o;
	struct baseline_counts c;
	struct fim_bench b;
	char path[128];
	struct stat st;
	struct err e;
	int fd, bad = 0;

	begin_with(&b, 200);
	o = fim_options(&b);
	snprintf(path, sizeof(path), "%s/" STORE_FILE, b.state);
	fim_init(&b);
	assert_int_equal(stat(path, &st), 0);
	/* cut at any page, and bytes turned anywhere: an error or an edited baseline, and never "all is well" with a lost row */
	for (off_t n = 0; n < st.st_size; n += 4096) {
		fim_init(&b);
		assert_int_equal(truncate(path, n), 0);
		if (baseline_check(&o, NULL, &c, &e) == 0)
			assert_true(c.root_bad || c.files == 202);
		else
			bad++;
	}
	assert_true(bad > 5);
	for (off_t n = 0; n < st.st_size; n += 1501) {
		uint8_t byte;
		int r;

		fim_init(&b);
		fd = open(path, O_RDWR);
		assert_int_equal(pread(fd, &byte, 1, n), 1);
		byte ^= 0x55;
		assert_int_equal(pwrite(fd, &byte, 1, n), 1);
		close(fd);
		r = baseline_check(&o, NULL, &c, &e);
		/* bytes that nothing stands in do not count */
		if (r == 0 && !c.root_bad && !c.edited && (c.added || c.removed || c.changed || c.files != 202))
			fail_msg("byte %lld: %llu changed, %llu added, %llu removed", (long long)n,
				 (unsigned long long)c.changed, (unsigned long long)c.added,
				 (unsigned long long)c.removed);
	}
	/* files that are something else */
	fd = open(path, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "not a database, but a text that is long enough for one\n", 55), 55);
	close(fd);
	assert_int_equal(baseline_check(&o, NULL, &c, &e), -EBADMSG);
	unlink(path);
	assert_int_equal(baseline_check(&o, NULL, &c, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "fim init"));
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(baseline_check(&o, NULL, &c, &e), -EBADMSG);
	rmdir(path);
	fim_init(&b);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(baseline_check(&o, NULL, &c, &e), -EACCES);
	fim_end(&b);
}

static void test_locked(void **state)
{
	struct baseline_options o;
	struct baseline_counts c;
	struct store *s = NULL;
	struct fim_bench b;
	struct err e;

	begin_with(&b, 3);
	fim_init(&b);
	o = fim_options(&b);
	assert_int_equal(store_open(b.state, STORE_WRITE, &s, &e), 0);
	assert_int_equal(baseline_check(&o, NULL, &c, &e), -EBUSY);
	assert_non_null(strstr(e.msg, "another tamisctl fim"));
	store_close(s);
	assert_int_equal(baseline_init(&o, NULL, &c, &e), -EEXIST);
	fim_end(&b);
}

/* ---- faults -------------------------------------------------------------------------------------------------------- */

/* sqlite's own way to the disk, with the n-th write or sync failing as on a full disk, and all after it. */
static sqlite3_vfs faulty;
/* databases and logs have methods of their own */
static struct slot {
	sqlite3_io_methods faulty;
	const sqlite3_io_methods *real;
} slots[4];
static long faults_left = -1;

static bool fault(void)
{
	if (faults_left < 0)
		return false;
	if (faults_left == 0)
		return true;
	faults_left--;
	return false;
}

static const sqlite3_io_methods *real_of(const sqlite3_file *f)
{
	return ((const struct slot *)(const void *)f->pMethods)->real;
}

static int faulty_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	return fault() ? SQLITE_FULL : real_of(f)->xWrite(f, p, n, at);
}

static int faulty_sync(sqlite3_file *f, int flags)
{
	return fault() ? SQLITE_IOERR_FSYNC : real_of(f)->xSync(f, flags);
}

static int faulty_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	sqlite3_vfs *real = v->pAppData;
	int rc = real->xOpen(real, name, f, flags, ret_flags);
	struct slot *s = slots;

	if (rc != SQLITE_OK)
		return rc;
	while (s->real && s->real != f->pMethods)
		s++;
	s->real = f->pMethods;
	s->faulty = *s->real;
	s->faulty.xWrite = faulty_write;
	s->faulty.xSync = faulty_sync;
	f->pMethods = &s->faulty;
	return rc;
}

static void test_writes_fail(void **state)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);
	struct fim_bench b;
	long n, failed = 0;

	faulty = *real;
	faulty.zName = "faulty";
	faulty.pAppData = real;
	faulty.xOpen = faulty_open;
	assert_int_equal(sqlite3_vfs_register(&faulty, 1), SQLITE_OK);
	begin_with(&b, 100);
	fim_init(&b);
	for (n = 0;; n++) {
		struct baseline_options o = fim_options(&b);
		struct baseline_counts c;
		struct err e = { "" };
		int r;

		o.force = true;
		fim_write(&b, "d/f000", n % 2 ? "odd" : "even");
		faults_left = n;
		r = baseline_init(&o, NULL, &c, &e);
		failed += r < 0;
		if (r < 0 && (r == -EBADMSG || !*e.msg))
			fail_msg("write %ld: %d %s", n, r, e.msg);
		if (faults_left > 0)
			break;
		faults_left = -1;
		/* either the old baseline or the new one is there, whole */
		o.force = false;
		if (baseline_check(&o, NULL, &c, &e) < 0 || c.root_bad || c.edited || c.files != 102)
			fail_msg("after write %ld failed: %s", n, e.msg);
		assert_true(n < 2000);
	}
	faults_left = -1;
	print_message("%ld of %ld runs failed\n", failed, n);
	assert_true(failed > 10);
	fim_end(&b);
	sqlite3_vfs_unregister(&faulty);
	sqlite3_vfs_register(real, 1);
}

#ifdef NOMEM_FAILS
static void test_nomem(void **state)
{
	static const char *const names[] = { "init", "check", "accept" };
	struct fim_bench b;

	for (int what = 0; what < 3; what++) {
		long n, refused = 0;

		fim_begin(&b);
		fim_watch(&b, WATCH_ALL, 4096, false);
		some_files(&b, 5);
		assert_int_equal(setxattr(fim_path(&b, "d/f000"), "user.x", "y", 1, 0), 0);
		fim_init(&b);
		fim_write(&b, "d/f001", "changed");
		fim_check(&b);
		/* the first ones each, then every few: sqlite asks for memory thousands of times */
		for (n = 1;; n += n < 150 ? 1 : 1 + n / 20) {
			struct baseline_options o = fim_options(&b);
			struct baseline_accept a = { .pick = pick_all };
			struct baseline_counts c;
			struct err e = { "" };
			bool failed;
			int r;

			o.force = what == 0;
			o.fresh = true;
			nomem_begin(n);
			r = what == 0	? baseline_init(&o, NULL, &c, &e)
			    : what == 1 ? baseline_check(&o, NULL, &c, &e)
					: baseline_accept(&o, &a, &e);
			failed = nomem_end();
			refused += r < 0;
			/* a signature that could not be checked for lack of memory counts as a wrong one */
			if ((r == 0 && what == 1 && (c.root_bad || c.changed < 1)) || (r < 0 && !*e.msg))
				fail_msg("%s, allocation %ld: %d %s", names[what], n, r, e.msg);
			if (!failed)
				break;
			assert_true(n < 100000);
		}
		print_message("%s: %ld of %ld runs ended with an error\n", names[what], refused, n);
		assert_true(refused > 20);
		/* nothing is half done */
		assert_false(fim_check(&b).root_bad);
		fim_end(&b);
	}
}
#else
static void test_nomem(void **state)
{
	print_message("skipped: the sanitizer has its own allocator\n");
	skip();
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_quick),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_edited_rows),
		cmocka_unit_test(test_edited_rest),
		cmocka_unit_test(test_edited_watches),
		cmocka_unit_test(test_forged_progress),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_writes_fail),
		cmocka_unit_test(test_nomem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
