/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/pkg.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "sensor/fim/collect.h"

/*
 * rpm's database since 4.16: a table Packages(hnum, blob). A blob is a header: big-endian u32 number of entries, u32 bytes
 * of data; entries of u32 tag, type, offset into the data, count; the data.
 */

#define HEADER_MAX  (64u << 20)
#define ENTRIES_MAX 65536

enum tag {
	TAG_NAME = 1000,
	TAG_VERSION = 1001,
	TAG_RELEASE = 1002,
	TAG_EPOCH = 1003,
	TAG_FILESIZES = 1028,
	TAG_FILESTATES = 1029,
	TAG_FILEMODES = 1030,
	TAG_FILEDIGESTS = 1035,
	TAG_FILEFLAGS = 1037,
	TAG_SOURCERPM = 1044,
	TAG_DIRINDEXES = 1116,
	TAG_BASENAMES = 1117,
	TAG_DIRNAMES = 1118,
	TAG_FILEDIGESTALGO = 5011,
};

enum type {
	TYPE_CHAR = 1,
	TYPE_INT8,
	TYPE_INT16,
	TYPE_INT32,
	TYPE_INT64,
	TYPE_STRING,
	TYPE_BIN,
	TYPE_STRINGS,
	TYPE_I18N
};

#define FLAG_CONFIG	(1u << 0)
#define FLAG_MISSING_OK (1u << 3)
#define FLAG_GHOST	(1u << 6)

struct value {
	const uint8_t *p; /* NULL: not there */
	size_t n;	  /* bytes up to the end of the data */
	uint32_t type, count;
};

struct header {
	struct value name, version, release, epoch, source;
	struct value sizes, states, modes, digests, flags, indexes, bases, dirs, algo;
};

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* ---- the header ---------------------------------------------------------------------------------------------------- */

static struct value *slot_of(struct header *h, uint32_t tag)
{
	switch (tag) {
	case TAG_NAME:
		return &h->name;
	case TAG_VERSION:
		return &h->version;
	case TAG_RELEASE:
		return &h->release;
	case TAG_EPOCH:
		return &h->epoch;
	case TAG_SOURCERPM:
		return &h->source;
	case TAG_FILESIZES:
		return &h->sizes;
	case TAG_FILESTATES:
		return &h->states;
	case TAG_FILEMODES:
		return &h->modes;
	case TAG_FILEDIGESTS:
		return &h->digests;
	case TAG_FILEFLAGS:
		return &h->flags;
	case TAG_DIRINDEXES:
		return &h->indexes;
	case TAG_BASENAMES:
		return &h->bases;
	case TAG_DIRNAMES:
		return &h->dirs;
	case TAG_FILEDIGESTALGO:
		return &h->algo;
	default:
		return NULL;
	}
}

static int split(const uint8_t *p, size_t n, struct header *ret)
{
	uint32_t entries, data;
	const uint8_t *base;

	if (n < 8)
		return -EBADMSG;
	entries = be32(p);
	data = be32(p + 4);
	if (entries > ENTRIES_MAX || (uint64_t)entries * 16 + 8 > n || data > n - 8 - 16UL * entries)
		return -EBADMSG;
	base = p + 8 + 16UL * entries;
	for (uint32_t i = 0; i < entries; i++) {
		const uint8_t *en = p + 8 + 16UL * i;
		struct value *v = slot_of(ret, be32(en));
		uint32_t offset = be32(en + 8);

		if (!v || v->p)
			continue;
		if (offset >= data)
			return -EBADMSG;
		*v = (struct value){ base + offset, data - offset, be32(en + 4), be32(en + 12) };
	}
	return 0;
}

/* A cursor over the strings of an array: the next one, or NULL where the data ends before it does. */
static const char *next_string(struct value *v)
{
	const uint8_t *end = v->n ? memchr(v->p, '\0', v->n) : NULL;
	const char *s = (const char *)v->p;

	if (!end || !v->count)
		return NULL;
	v->n -= (size_t)(end + 1 - v->p);
	v->p = end + 1;
	v->count--;
	return s;
}

static bool has_ints(const struct value *v, uint32_t type, uint32_t count)
{
	size_t size = type == TYPE_INT32 ? 4 : type == TYPE_INT16 ? 2 : 1;

	return v->p && v->type == type && v->count == count && (uint64_t)count * size <= v->n;
}

static int kind_of(const struct value *algo)
{
	if (!algo->p)
		return HASH_MD5;
	if (!has_ints(algo, TYPE_INT32, 1))
		return -EBADMSG;
	switch (be32(algo->p)) { /* as OpenPGP numbers them */
	case 1:
		return HASH_MD5;
	case 2:
		return HASH_SHA1;
	case 8:
		return HASH_SHA256;
	case 9:
		return HASH_SHA384;
	case 10:
		return HASH_SHA512;
	case 11:
		return HASH_SHA224;
	default:
		return -EOPNOTSUPP;
	}
}

/* Where each directory's name begins: "dirs" as an array, so that files may name them in any order. */
static int index_dirs(const struct value *dirs, const char ***ret)
{
	struct value v = *dirs;
	const char **names;

	if (v.type != TYPE_STRINGS || v.count > v.n)
		return -EBADMSG;
	names = calloc(v.count + 1UL, sizeof(*names));
	if (!names)
		return -ENOMEM;
	for (uint32_t i = 0; i < dirs->count; i++) {
		names[i] = next_string(&v);
		if (!names[i]) {
			free(names);
			return -EBADMSG;
		}
	}
	*ret = names;
	return 0;
}

static int one_file(struct pkg_reader *r, const struct header *h, uint32_t i, const char *dir, const char *base,
		    const char *digest, struct pkg_file *f)
{
	uint32_t flags = h->flags.p ? be32(h->flags.p + 4UL * i) : 0;
	char path[WATCH_PATH_MAX + 2];
	int n;

	if (h->states.p && h->states.p[i] != 0)
		return 0; /* not installed: excluded documentation, another architecture's */
	if (h->modes.p) {
		uint32_t mode = (uint32_t)h->modes.p[2UL * i] << 8 | h->modes.p[2UL * i + 1];

		if ((mode & S_IFMT) != S_IFREG)
			return 0;
		f->mode = (int)(mode & 07777);
	}
	if (!*digest || flags & FLAG_GHOST)
		return 0;
	if (strlen(digest) != 2 * hash_other_size(f->kind) ||
	    hash_unhex(digest, hash_other_size(f->kind), f->digest) < 0)
		return -EBADMSG;
	n = snprintf(path, sizeof(path), "%s%s", dir, base);
	if (n < 0 || (size_t)n >= sizeof(path))
		return 0;
	f->conffile = flags & FLAG_CONFIG;
	f->may_miss = flags & FLAG_MISSING_OK;
	f->size = h->sizes.p && !f->conffile ? be32(h->sizes.p + 4UL * i) : UINT64_MAX;
	return pkg_hand_out(r, f, path, (size_t)n);
}

static int each_file(struct pkg_reader *r, struct header *h, const char *owner, const char *const *dirs, int kind)
{
	struct value bases = h->bases, digests = h->digests;
	uint32_t n = h->bases.count;
	int err = 0;

	for (uint32_t i = 0; i < n && err == 0; i++) {
		struct pkg_file f = { .owner = owner, .kind = (enum hash_kind)kind, .size = UINT64_MAX, .mode = -1 };
		const char *base = next_string(&bases), *digest = next_string(&digests);
		uint32_t dir = be32(h->indexes.p + 4UL * i);

		if (!base || !digest || dir >= h->dirs.count)
			return -EBADMSG;
		err = one_file(r, h, i, dirs[dir], base, digest, &f);
	}
	return err;
}

/* Borrowed from the header; "" where there is none. */
static const char *string_of(const struct value *v)
{
	struct value copy = *v;
	const char *s = v->p && v->type == TYPE_STRING ? next_string(&copy) : NULL;

	return s ? s : "";
}

/* "glibc-common-2.34-100.el9.src.rpm": what stands behind the last dash but one; no epoch, so that of the package is taken. */
static void split_source(char *text, struct pkg_info *i)
{
	size_t n = strlen(text);
	char *release, *version;

	i->source_version = i->source_release = "";
	if (n < 8 || strcmp(text + n - 4, ".rpm") != 0)
		return;
	text[n - 4] = '\0';
	release = strrchr(text, '.'); /* ".src", ".nosrc" */
	if (!release)
		return;
	*release = '\0';
	release = strrchr(text, '-');
	if (!release)
		return;
	*release = '\0';
	version = strrchr(text, '-');
	if (!version)
		return;
	i->source_version = version + 1;
	i->source_release = release + 1;
	i->source_epoch = i->epoch;
}

static int put_info(struct pkg_reader *r, const struct header *h, const char *name)
{
	struct pkg_info i = { .name = name, .version = string_of(&h->version), .release = string_of(&h->release) };
	char source[512];

	if (!r->info)
		return 0;
	if (has_ints(&h->epoch, TYPE_INT32, 1))
		i.epoch = be32(h->epoch.p);
	snprintf(source, sizeof(source), "%s", string_of(&h->source));
	split_source(source, &i);
	return r->info(r->ctx, &i);
}

static int read_header(struct pkg_reader *r, const uint8_t *p, size_t n)
{
	_cleanup_free_ const char **dirs = NULL;
	struct header h = { 0 };
	const char *owner;
	uint32_t files;
	int kind, err = split(p, n, &h);

	if (err < 0)
		return err;
	owner = string_of(&h.name);
	if (!*owner)
		return -EBADMSG;
	r->packages++;
	err = put_info(r, &h, owner);
	if (err || !h.bases.p)
		return err; /* a package without files, or a key */
	files = h.bases.count;
	kind = kind_of(&h.algo);
	if (kind == -EOPNOTSUPP)
		return 0;
	if (kind < 0 || h.bases.type != TYPE_STRINGS || !h.digests.p || h.digests.type != TYPE_STRINGS ||
	    h.digests.count != files || !h.dirs.p || !has_ints(&h.indexes, TYPE_INT32, files) ||
	    (h.flags.p && !has_ints(&h.flags, TYPE_INT32, files)) ||
	    (h.sizes.p && !has_ints(&h.sizes, TYPE_INT32, files)) ||
	    (h.modes.p && !has_ints(&h.modes, TYPE_INT16, files)) ||
	    (h.states.p && !has_ints(&h.states, TYPE_CHAR, files)))
		return -EBADMSG;
	err = index_dirs(&h.dirs, &dirs);
	return err == 0 ? each_file(r, &h, owner, dirs, kind) : err;
}

int pkg_rpm_header(struct pkg_reader *r, const void *p, size_t n, struct err *e)
{
	int err = n > HEADER_MAX ? -EBADMSG : read_header(r, p, n);

	return err == -EBADMSG ? err_set(e, err, "a package in rpm's database is damaged: rpm --rebuilddb mends it")
			       : err;
}

/* ---- the database -------------------------------------------------------------------------------------------------- */

/*
 * rpm's database has a write-ahead log, which sqlite opens for writing, and makes where it is not there. A host that is looked at is
 * not to be changed by that, and the hash process may not: sqlite is refused, and opens for reading instead.
 */
static int open_to_read(const char *path, int flags, int mode)
{
	if ((flags & O_ACCMODE) != O_RDONLY || flags & O_CREAT) {
		errno = EACCES;
		return -1;
	}
	return open(path, flags, mode);
}

static void opens_by(sqlite3_syscall_ptr fn)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	if (vfs && vfs->iVersion >= 3 && vfs->xSetSystemCall)
		vfs->xSetSystemCall(vfs, "open", fn); /* NULL: its own */
}

static int read_packages(struct pkg_reader *r, sqlite3 *db, struct err *e)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, "SELECT blob FROM Packages ORDER BY hnum", -1, &st, NULL), err = 0;

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		const void *p;

		rc = sqlite3_step(st);
		if (rc != SQLITE_ROW)
			break;
		p = sqlite3_column_blob(st, 0);
		err = p ? pkg_rpm_header(r, p, (size_t)sqlite3_column_bytes(st, 0), e) : 0;
		if (err)
			break;
	}
	if (err == 0 && rc != SQLITE_DONE && rc != SQLITE_ROW)
		err = err_set(e, rc == SQLITE_NOMEM ? -ENOMEM : -EBADMSG, "cannot read rpm's database: %s",
			      sqlite3_errmsg(db));
	sqlite3_finalize(st);
	return err;
}

/* @how: "" or "?immutable=1", to do without the log. */
static int open_db(const char *path, const char *how, sqlite3 **ret)
{
	char uri[192];
	int on, rc;

	snprintf(uri, sizeof(uri), "file:%s%s", path, how);
	rc = sqlite3_open_v2(uri, ret, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_limit(*ret, SQLITE_LIMIT_LENGTH, HEADER_MAX + 1024);
	sqlite3_db_config(*ret, SQLITE_DBCONFIG_DEFENSIVE, 1, &on);
	sqlite3_db_config(*ret, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, &on);
	sqlite3_db_config(*ret, SQLITE_DBCONFIG_ENABLE_VIEW, 0, &on);
	sqlite3_busy_timeout(*ret, 3000);
	return sqlite3_exec(*ret, "SELECT hnum FROM Packages LIMIT 1", NULL, NULL, NULL);
}

static int read_db(struct pkg_reader *r, const char *path, struct err *e)
{
	sqlite3 *db = NULL;
	int err, rc;

	opens_by((sqlite3_syscall_ptr)open_to_read);
	rc = open_db(path, "", &db);
	if (rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY) { /* the log is not there: all is in the database */
		sqlite3_close(db);
		db = NULL;
		rc = open_db(path, "?immutable=1", &db);
	}
	if (rc == SQLITE_CANTOPEN || !db)
		err = err_set(e, -EACCES, "cannot open rpm's database: %s", db ? sqlite3_errmsg(db) : "out of memory");
	else
		err = read_packages(r, db, e);
	sqlite3_close(db);
	opens_by(NULL);
	return err;
}

const char *const pkg_rpm_places[PKG_RPM_PLACES] = { "/usr/lib/sysimage/rpm/rpmdb.sqlite",
						     "/var/lib/rpm/rpmdb.sqlite" };

int pkg_rpm_each(struct pkg_reader *r, struct err *e)
{
	const char *const *places = pkg_rpm_places;

	for (size_t i = 0; i < PKG_RPM_PLACES; i++) {
		_cleanup_close_ int dir = -1;
		const char *name;
		char path[128];
		struct stat st;

		/* sqlite opens by path: the directory's link in /proc is the one that was found without following any */
		if (collect_open_dir(r->root_fd, places[i], strlen(places[i]), &dir, &name) < 0 ||
		    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
		return read_db(r, path, e);
	}
	return -ENOENT;
}
