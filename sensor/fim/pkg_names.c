/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/pkg_names.h"

#include <errno.h>
#include <fcntl.h>
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

struct pkg_names {
	int root_fd;	    /* borrowed */
	struct file *files; /* owned; ascending by key */
	size_t nfiles, files_room;
	struct package *packages; /* owned; by name */
	size_t npackages, packages_room;
	uint32_t owner; /* where the name of the last file's package stands */
	bool loaded;
	struct buf text;
	struct timespec changed; /* of the database when it was read */
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
	*p = (struct pkg_names){ .root_fd = p->root_fd, .changed = p->changed, .looked_s = p->looked_s };
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

static int by_name(const void *a, const void *b, void *ctx)
{
	return strcmp(text_at(ctx, ((const struct package *)a)->name), text_at(ctx, ((const struct package *)b)->name));
}

static bool find_package(struct pkg_names *p, const char *name, size_t *ret)
{
	size_t lo = 0, hi = p->npackages;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(text_at(p, p->packages[mid].name), name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret = lo;
	return lo < p->npackages && strcmp(text_at(p, p->packages[lo].name), name) == 0;
}

static uint64_t key_of(const char *path, size_t len)
{
	uint8_t digest[HASH_SIZE];
	uint64_t key;

	hash_sha256(path, len, digest);
	memcpy(&key, digest, sizeof(key));
	return key;
}

/* As long as packages are to come the name stands for the package. */
static int add_file(void *ctx, const struct pkg_file *f)
{
	struct pkg_names *p = ctx;
	int r = room(&p->files, &p->files_room, p->nfiles, sizeof(*p->files), PKG_NAMES_FILES);

	if (r < 0)
		return r;
	if (p->nfiles == 0 || strcmp(text_at(p, p->owner), f->owner) != 0)
		p->owner = text_put(p, f->owner);
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
		if (!find_package(p, text_at(p, p->files[i].package), &at))
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

static void load(struct pkg_names *p)
{
	struct pkg_reader r;
	struct err e = { "" };
	int err = pkg_reader_init(&r, p->root_fd, add_file, p);

	r.info = add_package;
	if (err == 0)
		err = pkg_dpkg_each(&r, &e);
	pkg_reader_done(&r);
	if (err == 0) {
		resolve(p);
		if (p->nfiles)
			qsort(p->files, p->nfiles, sizeof(*p->files), by_key);
	} else {
		if (err != -ENOENT)
			log_warn("packages of files are not known: %s", e.msg[0] ? e.msg : strerror(-err));
		forget(p);
	}
	p->loaded = true;
}

/* ---- asking -------------------------------------------------------------------------------------------------------- */

static void refresh(struct pkg_names *p, uint64_t now_s)
{
	struct stat st;

	if (p->loaded && now_s - p->looked_s < PKG_NAMES_LOOK_S)
		return;
	p->looked_s = now_s;
	if (fstatat(p->root_fd, "var/lib/dpkg/status", &st, 0) < 0)
		memset(&st.st_mtim, 0, sizeof(st.st_mtim));
	if (p->loaded && st.st_mtim.tv_sec == p->changed.tv_sec && st.st_mtim.tv_nsec == p->changed.tv_nsec)
		return;
	forget(p);
	p->changed = st.st_mtim;
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
