/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/pkg_names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/hash.h"
#include "lib/log.h"

struct file {
	uint64_t key; /* of SHA-256 over the path */
	uint32_t package, pad;
};

/* Offsets into the texts. */
struct package {
	uint32_t name, version, release, source_version, source_release;
	int64_t epoch, source_epoch;
};

/* Of a database's file, to see whether it has changed. */
struct stamp {
	struct timespec at;
	int64_t size;
	uint64_t inode;
};

#define STAMPS (1 + 2 * PKG_RPM_PLACES)

struct pkg_names {
	int root_fd;	    /* borrowed */
	struct file *files; /* owned; ascending by key */
	size_t nfiles, files_room;
	struct package *packages; /* owned; by name */
	size_t npackages, packages_room;
	uint32_t owner; /* where the name of the last file's package stands */
	bool loaded;
	struct buf text;
	struct stamp stamps[STAMPS]; /* of the databases when they were read */
	uint64_t looked_s;
};

int pkg_names_new(int root_fd, struct pkg_names **ret)
{
	struct pkg_names *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->root_fd = root_fd;
	buf_init(&p->text, PKG_NAMES_TEXT);
	*ret = p;
	return 0;
}

static void forget(struct pkg_names *p)
{
	free(p->files);
	free(p->packages);
	buf_done(&p->text);
	p->files = NULL;
	p->packages = NULL;
	p->nfiles = p->files_room = p->npackages = p->packages_room = 0;
	p->owner = 0;
	p->loaded = false;
	buf_init(&p->text, PKG_NAMES_TEXT);
}

void pkg_names_free(struct pkg_names *p)
{
	if (!p)
		return;
	forget(p);
	free(p);
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */

static const char *text_at(const struct pkg_names *p, uint32_t at)
{
	return (const char *)p->text.data + at;
}

static uint32_t text_put(struct pkg_names *p, const char *s)
{
	uint32_t at = (uint32_t)p->text.len;

	buf_put(&p->text, s, strlen(s) + 1);
	return at;
}

/* Room for one more of @size bytes, at most @most. */
static int room(void *array, size_t *have, size_t n, size_t size, size_t most)
{
	void **v = array, *more;
	size_t want = *have ? *have + *have / 2 : 1024;

	if (n < *have)
		return 0;
	if (n >= most)
		return -EFBIG;
	more = reallocarray(*v, want, size);
	if (!more)
		return -ENOMEM;
	*v = more;
	*have = want;
	return 0;
}

static int add_package(void *ctx, const struct pkg_info *i)
{
	struct pkg_names *p = ctx;
	int r = room(&p->packages, &p->packages_room, p->npackages, sizeof(*p->packages), PKG_NAMES_PACKAGES);

	if (r < 0)
		return r;
	p->packages[p->npackages++] = (struct package){ .name = text_put(p, i->name),
							.version = text_put(p, i->version),
							.release = text_put(p, i->release),
							.source_version = text_put(p, i->source_version),
							.source_release = text_put(p, i->source_release),
							.epoch = i->epoch,
							.source_epoch = i->source_epoch };
	return buf_error(&p->text);
}

/* Those of one name, as kernels have it with rpm, by where it stands. */
static int compare(const struct pkg_names *p, uint32_t a, uint32_t b)
{
	int r = strcmp(text_at(p, a), text_at(p, b));

	return r ? r : a < b ? -1 : a > b;
}

static int by_name(const void *a, const void *b, void *ctx)
{
	return compare(ctx, ((const struct package *)a)->name, ((const struct package *)b)->name);
}

/* The package whose name stands there, else one of that name. */
static bool find_package(struct pkg_names *p, uint32_t name, size_t *ret)
{
	size_t lo = 0, hi = p->npackages;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (compare(p, p->packages[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo && (lo == p->npackages || strcmp(text_at(p, p->packages[lo].name), text_at(p, name)) != 0))
		lo--;
	*ret = lo;
	return lo < p->npackages && strcmp(text_at(p, p->packages[lo].name), text_at(p, name)) == 0;
}

static uint64_t key_of(const char *path, size_t len)
{
	uint8_t digest[HASH_SIZE];
	uint64_t key;

	hash_sha256(path, len, digest);
	memcpy(&key, digest, sizeof(key));
	return key;
}

/* As long as packages are to come the name stands for the package: that of the one before, if it is its file, as with rpm. */
static uint32_t owner_of(struct pkg_names *p, const char *owner)
{
	uint32_t last = p->npackages ? p->packages[p->npackages - 1].name : 0;

	if (p->npackages && strcmp(text_at(p, last), owner) == 0)
		return last;
	return p->nfiles && strcmp(text_at(p, p->owner), owner) == 0 ? p->owner : text_put(p, owner);
}

static int add_file(void *ctx, const struct pkg_file *f)
{
	struct pkg_names *p = ctx;
	int r = room(&p->files, &p->files_room, p->nfiles, sizeof(*p->files), PKG_NAMES_FILES);

	if (r < 0)
		return r;
	p->owner = owner_of(p, f->owner);
	if (!buf_error(&p->text))
		p->files[p->nfiles++] = (struct file){ .key = key_of(f->path, f->len), .package = p->owner };
	return buf_error(&p->text);
}

/* Names that were noted for files become packages. Those of no installed package go. */
static void resolve(struct pkg_names *p)
{
	size_t n = 0, at = 0;

	if (p->npackages)
		qsort_r(p->packages, p->npackages, sizeof(*p->packages), by_name, p);
	for (size_t i = 0; i < p->nfiles; i++) {
		if (!find_package(p, p->files[i].package, &at))
			continue;
		p->files[n] = p->files[i];
		p->files[n++].package = (uint32_t)at;
	}
	p->nfiles = n;
}

static int by_key(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

/* One that is damaged takes nothing away from the other. */
static int read_databases(struct pkg_names *p, struct pkg_reader *r)
{
	int (*const each[])(struct pkg_reader * r, struct err * e) = { pkg_dpkg_each, pkg_rpm_each };

	for (size_t i = 0; i < 2; i++) {
		struct err e = { "" };
		int err = each[i](r, &e);

		if (err == -ENOMEM || err == -EFBIG || buf_error(&p->text))
			return err ? err : buf_error(&p->text);
		if (err < 0 && err != -ENOENT)
			log_warn("packages of files are not all known: %s", e.msg[0] ? e.msg : strerror(-err));
	}
	return 0;
}

static void load(struct pkg_names *p)
{
	struct pkg_reader r;
	int err = pkg_reader_init(&r, p->root_fd, add_file, p);

	r.info = add_package;
	if (err == 0)
		err = read_databases(p, &r);
	pkg_reader_done(&r);
	if (err == 0) {
		resolve(p);
		if (p->nfiles)
			qsort(p->files, p->nfiles, sizeof(*p->files), by_key);
	} else {
		log_warn("packages of files are not known: %s", strerror(-err));
		forget(p);
	}
	p->loaded = true;
}

/* ---- asking -------------------------------------------------------------------------------------------------------- */

static void stamp(int root_fd, const char *path, const char *suffix, struct stamp *ret)
{
	char full[128];
	struct stat st;

	snprintf(full, sizeof(full), "%s%s", path + (*path == '/'), suffix);
	if (fstatat(root_fd, full, &st, 0) == 0)
		*ret = (struct stamp){ .at = st.st_mtim, .size = st.st_size, .inode = st.st_ino };
}

static void refresh(struct pkg_names *p, uint64_t now_s)
{
	struct stamp now[STAMPS];

	if (p->loaded && now_s - p->looked_s < PKG_NAMES_LOOK_S)
		return;
	p->looked_s = now_s;
	memset(now, 0, sizeof(now));
	stamp(p->root_fd, "var/lib/dpkg/status", "", &now[0]);
	for (size_t i = 0; i < PKG_RPM_PLACES; i++) {
		stamp(p->root_fd, pkg_rpm_places[i], "", &now[1 + 2 * i]);
		stamp(p->root_fd, pkg_rpm_places[i], "-wal", &now[2 + 2 * i]);
	}
	if (p->loaded && memcmp(now, p->stamps, sizeof(now)) == 0)
		return;
	forget(p);
	memcpy(p->stamps, now, sizeof(now));
	load(p);
}

bool pkg_names_of(struct pkg_names *p, const char *path, size_t len, uint64_t now_s, struct pkg_info *ret)
{
	const struct package *k;
	const struct file *f;
	struct file key;

	refresh(p, now_s);
	key.key = key_of(path, len);
	f = p->nfiles ? bsearch(&key, p->files, p->nfiles, sizeof(*p->files), by_key) : NULL;
	if (!f)
		return false;
	k = &p->packages[f->package];
	*ret = (struct pkg_info){ .name = text_at(p, k->name),
				  .version = text_at(p, k->version),
				  .release = text_at(p, k->release),
				  .source_version = text_at(p, k->source_version),
				  .source_release = text_at(p, k->source_release),
				  .epoch = k->epoch,
				  .source_epoch = k->source_epoch };
	return true;
}
