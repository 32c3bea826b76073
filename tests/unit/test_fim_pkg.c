/* SPDX-License-Identifier: Apache-2.0 */
/* Package databases: dpkg's from files made here, rpm's from headers made here and, where rpm is installed, by rpm itself. */
#include "tests/unit/fim_bench.h"

#include <sqlite3.h>

#include "sensor/fim/pkg.h"
#include "sensor/fim/pkg_names.h"

struct seen {
	char lines[32][256];
	int n;
};

static int see(void *ctx, const struct pkg_file *f)
{
	struct seen *s = ctx;
	char hex[2 * HASH_OTHER_MAX + 1];

	assert_true(s->n < 32);
	hash_hex(f->digest, 3, hex);
	snprintf(s->lines[s->n++], 256, "%s %s %s%s", f->path, f->owner, hex, f->conffile ? " conffile" : "");
	return 0;
}

static bool saw(const struct seen *s, const char *line)
{
	for (int i = 0; i < s->n; i++)
		if (strcmp(s->lines[i], line) == 0)
			return true;
	return false;
}

/* ---- dpkg ---------------------------------------------------------------------------------------------------------- */

static void dpkg_tree(struct fim_bench *b)
{
	static const char *const dirs[] = { "usr",	    "usr/bin",		"etc", "var", "var/lib",
					    "var/lib/dpkg", "var/lib/dpkg/info" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		fim_mkdir(b, dirs[i]);
	assert_int_equal(symlink("usr/bin", fim_path(b, "bin")), 0);
	fim_write(b, "usr/bin/a", "a\n");
	fim_write(b, "usr/bin/b", "b\n");
	fim_write(b, "usr/bin/b.real", "b\n");
	fim_write(b, "etc/conf", "conf\n");
	/* md5sum of "a\n", "b\n", "conf\n" */
	fim_write(b, "var/lib/dpkg/info/one:amd64.md5sums",
		  "60b725f10c9c85c70d97880dfe8191b3  bin/a\n3b5d5c3712955042212316173ccf37be  usr/bin/b\n");
	fim_write(b, "var/lib/dpkg/info/one.list", "/bin/a\n");
	fim_write(b, "var/lib/dpkg/diversions", "/usr/bin/b\n/usr/bin/b.real\ntwo\n");
	fim_write(
		b, "var/lib/dpkg/status",
		"Package: one\nStatus: install ok installed\nArchitecture: amd64\nConffiles:\n"
		" /etc/conf 4e4f9b5a4c3b8f8f0f1c1f1b7a3c1d2e\n /etc/old 4e4f9b5a4c3b8f8f0f1c1f1b7a3c1d2e obsolete\n"
		" /etc/new newconffile\nDescription: x\n y\n\n"
		"Package: gone\nStatus: deinstall ok config-files\nConffiles:\n /etc/gone 4e4f9b5a4c3b8f8f0f1c1f1b7a3c1d2e\n");
}

static void assert_info(struct pkg_names *p, const char *path, uint64_t now, const char *want)
{
	struct pkg_info i;
	char got[256] = "";

	if (pkg_names_of(p, path, strlen(path), now, &i))
		snprintf(got, sizeof(got), "%s %d:%s-%s %d:%s-%s", i.name, (int)i.epoch, i.version, i.release,
			 (int)i.source_epoch, i.source_version, i.source_release);
	assert_string_equal(got, want);
}

/* Whose a path is, and of which version; read anew when the database changes. */
static void test_names(void **state)
{
	struct timespec later[2] = { { .tv_sec = 2000000000 }, { .tv_sec = 2000000000 } };
	struct pkg_names *p;
	struct fim_bench b;
	int root;

	fim_begin(&b);
	dpkg_tree(&b);
	fim_write(
		&b, "var/lib/dpkg/status",
		"Package: one\nStatus: install ok installed\nSource: uno (1:0.9-2)\nVersion: 2:1.0-beta-3\nConffiles:\n"
		" /etc/conf 4e4f9b5a4c3b8f8f0f1c1f1b7a3c1d2e\n\n"
		"Package: gone\nVersion: 1\nStatus: deinstall ok config-files\nConffiles:\n"
		" /etc/gone 4e4f9b5a4c3b8f8f0f1c1f1b7a3c1d2e\n\n"
		"Package: a-two\nStatus: install ok installed\nVersion: 7");
	fim_write(&b, "var/lib/dpkg/info/a-two.md5sums", "60b725f10c9c85c70d97880dfe8191b3  usr/bin/two\n");
	fim_write(&b, "var/lib/dpkg/info/nobody.md5sums", "60b725f10c9c85c70d97880dfe8191b3  usr/bin/nobody\n");
	root = open(b.tree, O_RDONLY | O_DIRECTORY);
	assert_int_equal(pkg_names_new(root, &p), 0);
	assert_info(p, "/usr/bin/a", 10, "one 2:1.0-beta-3 1:0.9-2");
	assert_info(p, "/etc/conf", 10, "one 2:1.0-beta-3 1:0.9-2");
	assert_info(p, "/usr/bin/two", 10, "a-two 0:7- 0:7-");
	assert_info(p, "/usr/bin/b", 10, ""); /* diverted */
	assert_info(p, "/usr/bin/b.real", 10, "one 2:1.0-beta-3 1:0.9-2");
	assert_info(p, "/usr/bin/nobody", 10, "");
	assert_info(p, "/etc/gone", 10, "");
	assert_info(p, "/", 10, "");
	assert_info(p, "", 10, "");

	fim_write(&b, "var/lib/dpkg/status", "Package: a-two\nStatus: install ok installed\nVersion: 8-1\n");
	assert_int_equal(utimensat(root, "var/lib/dpkg/status", later, 0), 0);
	assert_info(p, "/usr/bin/two", 11, "a-two 0:7- 0:7-"); /* it is not looked that often */
	assert_info(p, "/usr/bin/two", 12, "a-two 0:8-1 0:8-1");
	assert_info(p, "/usr/bin/a", 12, "");
	pkg_names_free(p);
	close(root);
	fim_end(&b);
}

static void test_dpkg(void **state)
{
	struct seen s = { .n = 0 };
	struct fim_bench b;
	struct err e = { "" };
	uint64_t packages;
	int root;

	fim_begin(&b);
	dpkg_tree(&b);
	root = open(b.tree, O_RDONLY | O_DIRECTORY);
	if (pkg_each(root, see, &s, &packages, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(packages, 1);
	assert_int_equal(s.n, 3);
	assert_true(saw(&s, "/usr/bin/a one 60b725"));	    /* by the name that it has by now */
	assert_true(saw(&s, "/usr/bin/b.real one 3b5d5c")); /* diverted */
	assert_true(saw(&s, "/etc/conf one 4e4f9b conffile"));
	fim_write(&b, "var/lib/dpkg/info/bad.md5sums", "no digest  here\n");
	assert_int_equal(pkg_each(root, see, &s, &packages, &e), -EBADMSG);
	assert_non_null(strstr(e.msg, "bad.md5sums"));
	close(root);
	fim_end(&b);
}

static void test_judge(void **state)
{
	struct fact f = { .type = FACT_FILE, .size = 2, .mode = 0755 };
	struct fim_bench b;
	struct err e = { "" };
	const char *owner;
	struct pkg *p;
	int root;

	fim_begin(&b);
	dpkg_tree(&b);
	root = open(b.tree, O_RDONLY | O_DIRECTORY);
	assert_int_equal(pkg_open(root, &p, &e), 0);
#define JUDGE(path, fact, mask) pkg_judge(p, path, strlen(path), fact, mask, &owner)
	assert_int_equal(JUDGE("/usr/bin/a", &f, WATCH_CONTENT), PACKAGE_MATCHES);
	assert_string_equal(owner, "one");
	assert_int_equal(JUDGE("/usr/bin/a", &f, WATCH_CONTENT | WATCH_PERMISSIONS), PACKAGE_CONTENT);
	assert_int_equal(JUDGE("/usr/bin/a", &f, WATCH_CAPABILITIES), PACKAGE_CONTENT);
	f.mode = 04755;
	assert_int_equal(JUDGE("/usr/bin/a", &f, 0), PACKAGE_CONTENT); /* added, and set-user-ID */
	f.mode = 0755;
	assert_int_equal(JUDGE("/usr/bin/a", NULL, 0), PACKAGE_DIFFERS);
	assert_int_equal(JUDGE("/usr/bin/none", &f, 0), PACKAGE_NONE);
	fim_write(&b, "usr/bin/a", "A\n");
	assert_int_equal(JUDGE("/usr/bin/a", &f, WATCH_CONTENT), PACKAGE_DIFFERS);
	f.size = 5;
	assert_int_equal(JUDGE("/etc/conf", &f, WATCH_CONTENT), PACKAGE_CONFFILE);
	unlink(fim_path(&b, "usr/bin/a"));
	f.size = 2;
	assert_int_equal(JUDGE("/usr/bin/a", &f, WATCH_CONTENT), PACKAGE_UNKNOWN); /* it went meanwhile */
	assert_int_equal(pkg_judge(NULL, "/x", 2, &f, 0, &owner), PACKAGE_UNASKED);
	pkg_close(p);
	close(root);
	fim_end(&b);
}

/* ---- rpm ----------------------------------------------------------------------------------------------------------- */

struct rpm {
	struct buf index, data;
	uint32_t n;
};

static void be32(struct buf *b, uint32_t v)
{
	const uint8_t p[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };

	buf_put(b, p, 4);
}

static void entry(struct rpm *r, uint32_t tag, uint32_t type, uint32_t count)
{
	while (r->data.len % 4)
		buf_putc(&r->data, 0);
	be32(&r->index, tag);
	be32(&r->index, type);
	be32(&r->index, (uint32_t)r->data.len);
	be32(&r->index, count);
	r->n++;
}

static void header(struct buf *out)
{
	static const char digest[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; /* of "abc" */
	struct rpm r = { .n = 0 };

	buf_init(&r.index, 65536);
	buf_init(&r.data, 65536);
	entry(&r, 1000, 6, 1);
	buf_put(&r.data, "pack", 5);
	entry(&r, 1001, 6, 1);
	buf_put(&r.data, "2.34", 5);
	entry(&r, 1002, 6, 1);
	buf_put(&r.data, "1.el9", 6);
	entry(&r, 1003, 4, 1);
	be32(&r.data, 3);
	entry(&r, 1044, 6, 1);
	buf_put(&r.data, "pack-all-2.33-7.el9.src.rpm", 28);
	entry(&r, 1117, 8, 3);
	buf_put(&r.data, "abc\0conf\0dir", 13);
	entry(&r, 1118, 8, 2);
	buf_put(&r.data, "/usr/\0/etc/", 12);
	entry(&r, 1116, 4, 3);
	be32(&r.data, 0);
	be32(&r.data, 1);
	be32(&r.data, 0);
	entry(&r, 1035, 8, 3);
	buf_put(&r.data, digest, 65);
	buf_put(&r.data, digest, 65);
	buf_put(&r.data, "", 1);
	entry(&r, 1037, 4, 3);
	be32(&r.data, 0);
	be32(&r.data, 1 | 16);
	be32(&r.data, 0);
	entry(&r, 1030, 3, 3);
	buf_put(&r.data, "\x81\xed\x81\xa4\x41\xed", 6);
	entry(&r, 1028, 4, 3);
	be32(&r.data, 3);
	be32(&r.data, 3);
	be32(&r.data, 4096);
	entry(&r, 5011, 4, 1);
	be32(&r.data, 8);
	buf_reset(out);
	be32(out, r.n);
	be32(out, (uint32_t)r.data.len);
	buf_put(out, r.index.data, r.index.len);
	buf_put(out, r.data.data, r.data.len);
	buf_done(&r.index);
	buf_done(&r.data);
}

static int see_info(void *ctx, const struct pkg_info *i)
{
	struct seen *s = ctx;

	assert_true(s->n < 32);
	snprintf(s->lines[s->n++], 256, "%s %lld:%s-%s %lld:%s-%s", i->name, (long long)i->epoch, i->version,
		 i->release, (long long)i->source_epoch, i->source_version, i->source_release);
	return 0;
}

static void test_rpm_info(void **state)
{
	static const struct {
		const char *source, *shown;
	} cases[] = { { "pack-all-2.33-7.el9.src.rpm", "pack 3:2.34-1.el9 3:2.33-7.el9" },
		      { "pack-all-2.33-7.el9.nosrc.rpm", "pack 3:2.34-1.el9 3:2.33-7.el9" },
		      { "pack-all-2.33-7.el9.src.rpx", "pack 3:2.34-1.el9 0:-" },
		      { "packxallx2.33x7.el9.src.rpm", "pack 3:2.34-1.el9 0:-" },
		      { "pack_all_2.33-7.el9.src.rpm", "pack 3:2.34-1.el9 0:-" },
		      { "-----------------------.rpm", "pack 3:2.34-1.el9 0:-" },
		      { ".rpm", "pack 3:2.34-1.el9 0:-" } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct seen s = { .n = 0 };
		struct pkg_reader r;
		struct err e = { "" };
		struct buf h;
		char *at;

		buf_init(&h, 65536);
		header(&h);
		at = memmem(h.data, h.len, "pack-all", 8);
		assert_non_null(at);
		memcpy(at, cases[i].source, strlen(cases[i].source) + 1);
		assert_int_equal(pkg_reader_init(&r, -1, see, &s), 0);
		r.info = see_info;
		assert_int_equal(pkg_rpm_header(&r, h.data, h.len, &e), 0);
		assert_int_equal(s.n, 3);
		assert_string_equal(s.lines[0], cases[i].shown); /* before its files */
		pkg_reader_done(&r);
		buf_done(&h);
	}
}

static void test_rpm_header(void **state)
{
	struct seen s = { .n = 0 };
	struct pkg_reader r;
	struct buf h;
	struct err e;

	buf_init(&h, 65536);
	header(&h);
	assert_int_equal(pkg_reader_init(&r, -1, see, &s), 0);
	assert_int_equal(pkg_rpm_header(&r, h.data, h.len, &e), 0);
	assert_int_equal(s.n, 2);
	assert_true(saw(&s, "/usr/abc pack ba7816") && saw(&s, "/etc/conf pack ba7816 conffile"));
	/* cut or with a bit turned: refused or read, within its bounds (the sanitizers watch) */
	for (size_t n = 0; n < h.len; n++) {
		s.n = 0;
		assert_int_equal(pkg_rpm_header(&r, h.data, n, &e), -EBADMSG);
	}
	for (size_t bit = 0; bit < 8 * h.len; bit++) {
		uint8_t *copy = malloc(h.len);

		memcpy(copy, h.data, h.len);
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		s.n = 0;
		pkg_rpm_header(&r, copy, h.len, &e);
		free(copy);
	}
	pkg_reader_done(&r);
	buf_done(&h);
}

static void make_dirs(struct fim_bench *b)
{
	static const char *const dirs[] = { "usr", "etc", "var", "var/lib", "var/lib/rpm" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		fim_mkdir(b, dirs[i]);
}

static void test_rpm_db(void **state)
{
	struct seen s = { .n = 0 };
	struct fim_bench b;
	sqlite3_stmt *st;
	uint64_t packages;
	struct buf h;
	struct err e = { "" };
	sqlite3 *db;
	int root;

	fim_begin(&b);
	make_dirs(&b);
	buf_init(&h, 65536);
	header(&h);
	assert_int_equal(sqlite3_open(fim_path(&b, "var/lib/rpm/rpmdb.sqlite"), &db), SQLITE_OK);
	sqlite3_exec(db, "CREATE TABLE Packages(hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)", NULL,
		     NULL, NULL);
	sqlite3_prepare_v2(db, "INSERT INTO Packages(blob) VALUES(?)", -1, &st, NULL);
	sqlite3_bind_blob(st, 1, h.data, (int)h.len, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(st), SQLITE_DONE);
	sqlite3_finalize(st);
	sqlite3_close(db);
	root = open(b.tree, O_RDONLY | O_DIRECTORY);
	if (pkg_each(root, see, &s, &packages, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(packages, 1);
	assert_int_equal(s.n, 2);
	fim_write(&b, "var/lib/rpm/rpmdb.sqlite", "no database, but a text of some length");
	assert_int_equal(pkg_each(root, see, &s, &packages, &e), -EBADMSG);
	close(root);
	buf_done(&h);
	fim_end(&b);
}

/* Two kernels of one name, and dpkg beside rpm: each file has its own package's version; a damaged database takes nothing from the other. */
static void test_rpm_names(void **state)
{
	static const char make[] =
		"PRAGMA journal_mode = WAL; CREATE TABLE Packages(hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)";
	struct pkg_names *p;
	struct fim_bench b;
	sqlite3_stmt *st;
	struct buf h;
	sqlite3 *db;
	int root;

	fim_begin(&b);
	dpkg_tree(&b);
	fim_mkdir(&b, "var/lib/rpm");
	root = open(b.tree, O_RDONLY | O_DIRECTORY);
	assert_int_equal(sqlite3_open(fim_path(&b, "var/lib/rpm/rpmdb.sqlite"), &db), SQLITE_OK);
	sqlite3_exec(db, make, NULL, NULL, NULL);
	for (int i = 0; i < 2; i++) {
		buf_init(&h, 65536);
		header(&h);
		if (i) { /* the older one, with another file */
			memcpy(memmem(h.data, h.len, "2.34", 4), "2.11", 4);
			memcpy(memmem(h.data, h.len, "abc", 3), "old", 3);
		}
		sqlite3_prepare_v2(db, "INSERT INTO Packages(blob) VALUES(?)", -1, &st, NULL);
		sqlite3_bind_blob(st, 1, h.data, (int)h.len, SQLITE_STATIC);
		assert_int_equal(sqlite3_step(st), SQLITE_DONE);
		sqlite3_finalize(st);
		buf_done(&h);
	}
	assert_int_equal(pkg_names_new(root, &p), 0);
	assert_info(p, "/usr/abc", 10, "pack 3:2.34-1.el9 3:2.33-7.el9"); /* rpm still has it open: all is in the log */
	assert_info(p, "/usr/old", 10, "pack 3:2.11-1.el9 3:2.33-7.el9");
	assert_info(p, "/usr/bin/a", 10, "one 0:- 0:-");
	sqlite3_exec(db, "DELETE FROM Packages WHERE hnum = 2", NULL, NULL,
		     NULL); /* to the log: the database is as it was */
	assert_info(p, "/usr/old", 12, "");
	assert_info(p, "/usr/abc", 12, "pack 3:2.34-1.el9 3:2.33-7.el9");
	sqlite3_close(db); /* which takes the log away */
	assert_int_equal(access(fim_path(&b, "var/lib/rpm/rpmdb.sqlite-wal"), F_OK), -1);
	assert_info(p, "/usr/abc", 14, "pack 3:2.34-1.el9 3:2.33-7.el9");
	assert_int_equal(access(fim_path(&b, "var/lib/rpm/rpmdb.sqlite-wal"), F_OK), -1); /* and nobody made one */
	fim_write(&b, "var/lib/rpm/rpmdb.sqlite", "no database, but a text of some length");
	assert_info(p, "/usr/abc", 16, "");
	assert_info(p, "/usr/bin/a", 16, "one 0:- 0:-");
	pkg_names_free(p);
	close(root);
	fim_end(&b);
}

/* A package that rpmbuild makes and rpm installs, if they are here. */
static void test_rpm_itself(void **state)
{
	static const char script[] =
		"cd $D && mkdir -p root && printf 'Name: tiny\\nVersion: 1\\nRelease: 1\\nSummary: x\\nLicense: x\\nBuildArch: noarch\\n"
		"%%description\\nx\\n%%install\\nmkdir -p %%{buildroot}/opt/tiny\\necho one > %%{buildroot}/opt/tiny/one\\n"
		"echo two > %%{buildroot}/opt/tiny/two\\n%%files\\n/opt/tiny/one\\n%%config /opt/tiny/two\\n' >s.spec && "
		"rpmbuild -bb --quiet --define \"_topdir $D/b\" --define '_build_id_links none' s.spec >log 2>&1 && "
		"rpm --root $D/root --dbpath /var/lib/rpm --define '_db_backend sqlite' --initdb >>log 2>&1 && "
		"rpm --root $D/root --dbpath /var/lib/rpm --define '_db_backend sqlite' --nodeps --noscripts -i b/RPMS/noarch/*.rpm >>log 2>&1";
	struct seen s = { .n = 0 };
	struct fim_bench b;
	uint64_t packages;
	struct err e = { "" };
	char root[128];
	int fd;

	if (geteuid() != 0 || system("command -v rpmbuild >/dev/null && command -v rpm >/dev/null") != 0) {
		print_message("skip: rpm and rpmbuild are not installed, or this is not root\n");
		skip();
	}
	fim_begin(&b);
	setenv("D", b.dir, 1);
	if (system(script) != 0) {
		fim_end(&b);
		print_message("skip: rpm cannot install a package here\n");
		skip();
	}
	snprintf(root, sizeof(root), "%s/root", b.dir);
	fd = open(root, O_RDONLY | O_DIRECTORY);
	if (pkg_each(fd, see, &s, &packages, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(packages, 1);
	assert_true(saw(&s, "/opt/tiny/one tiny 2c8b08")); /* sha256sum of "one\n" */
	assert_true(saw(&s, "/opt/tiny/two tiny 27dd8e conffile"));
	close(fd);
	fim_end(&b);
}

static void test_hashes(void **state)
{
	static const struct {
		enum hash_kind kind;
		const char *abc;
	} known[] = { { HASH_MD5, "900150983cd24fb0" },	   { HASH_SHA1, "a9993e364706816a" },
		      { HASH_SHA224, "23097d223405d822" }, { HASH_SHA256, "ba7816bf8f01cfea" },
		      { HASH_SHA384, "cb00753f45a35e8b" }, { HASH_SHA512, "ddaf35a193617aba" } };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		uint8_t digest[HASH_OTHER_MAX];
		struct hash_other h;
		char hex[17];

		hash_other_begin(&h, known[i].kind);
		hash_other_add(&h, "ab", 2);
		hash_other_add(&h, "c", 1);
		hash_other_end(&h, digest);
		hash_hex(digest, 8, hex);
		assert_string_equal(hex, known[i].abc);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	   cmocka_unit_test(test_dpkg),	    cmocka_unit_test(test_judge),
		cmocka_unit_test(test_rpm_header), cmocka_unit_test(test_rpm_db),   cmocka_unit_test(test_rpm_itself),
		cmocka_unit_test(test_hashes),	   cmocka_unit_test(test_rpm_info), cmocka_unit_test(test_rpm_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
