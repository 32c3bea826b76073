/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/pkg.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/fs.h"
#include "sensor/fim/collect.h"

#define FILES_MAX  (16u << 20) /* of an index */
#define OWNERS_MAX (64u << 20) /* bytes of their names */

/* ---- files --------------------------------------------------------------------------------------------------------- */

int pkg_read_file(int root_fd, const char *path, size_t max, struct buf *ret)
{
	_cleanup_close_ int dir = -1, fd = -1;
	const char *name;
	struct stat st;
	ssize_t n;
	int r = collect_open_dir(root_fd, path, strlen(path), &dir, &name);

	if (r < 0)
		return r;
	fd = collect_open(dir, name, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EINVAL;
	if ((uint64_t)st.st_size > max)
		return -EFBIG;
	r = buf_grow(ret, (size_t)st.st_size);
	if (r < 0)
		return r;
	n = fs_read(fd, ret->data + ret->len, (size_t)st.st_size);
	ret->len += n > 0 ? (size_t)n : 0;
	return n < 0 ? (int)n : 0;
}

static int digest_of(int fd, enum hash_kind kind, uint8_t ret[HASH_OTHER_MAX])
{
	_cleanup_free_ uint8_t *buf = malloc(65536);
	struct hash_other h;
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	hash_other_begin(&h, kind);
	while ((n = fs_read(fd, buf, 65536)) > 0)
		hash_other_add(&h, buf, (size_t)n);
	if (n < 0)
		return (int)n;
	hash_other_end(&h, ret);
	return 0;
}

static int verify_by(int root_fd, const char *path, size_t len, enum hash_kind kind, const uint8_t *digest,
		     uint64_t size, int mode)
{
	_cleanup_close_ int dir = -1, fd = -1;
	uint8_t now[HASH_OTHER_MAX];
	const char *name;
	struct stat st;
	int r = collect_open_dir(root_fd, path, len, &dir, &name);

	if (r < 0)
		return r;
	fd = collect_open(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOATIME);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (size != UINT64_MAX && (uint64_t)st.st_size != size) ||
	    (mode >= 0 && (st.st_mode & 07777) != (mode_t)mode))
		return 1;
	r = digest_of(fd, kind, now);
	return r < 0 ? r : memcmp(now, digest, hash_other_size(kind)) != 0;
}

int pkg_verify(int root_fd, const struct pkg_file *f)
{
	return verify_by(root_fd, f->path, f->len, f->kind, f->digest, f->size, f->mode);
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */

int pkg_reader_init(struct pkg_reader *r, int root_fd, pkg_fn fn, void *ctx)
{
	static const char *const names[] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32" };

	*r = (struct pkg_reader){ .root_fd = root_fd, .fn = fn, .ctx = ctx };
	buf_init(&r->path, 2UL * (WATCH_PATH_MAX + 1));
	buf_init(&r->conffiles, 1 << 20);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && root_fd >= 0; i++) {
		struct pkg_alias *a = &r->aliases[r->naliases];
		ssize_t n = readlinkat(root_fd, names[i], a->to + 1, sizeof(a->to) - 2);
		size_t slash;

		if (n <= 0 || (size_t)n >= sizeof(a->to) - 2)
			continue;
		a->to[0] = '/';
		a->to[n + 1] = '\0';
		slash = strspn(a->to, "/") - 1;
		memmove(a->to, a->to + slash, strlen(a->to + slash) + 1);
		snprintf(a->from, sizeof(a->from), "/%s", names[i]);
		r->naliases++;
	}
	return 0;
}

void pkg_reader_done(struct pkg_reader *r)
{
	buf_done(&r->path);
	buf_done(&r->conffiles);
}

static bool bad_path(const char *path, size_t len)
{
	return watch_path_problem(path, len) != NULL;
}

int pkg_real_name(const struct pkg_reader *r, const char *path, size_t len, struct buf *out)
{
	for (size_t i = 0; i < r->naliases; i++) {
		size_t n = strlen(r->aliases[i].from);

		if (len > n && path[n] == '/' && memcmp(path, r->aliases[i].from, n) == 0) {
			buf_puts(out, r->aliases[i].to);
			return buf_put(out, path + n, len - n);
		}
	}
	return buf_put(out, path, len);
}

int pkg_hand_out(struct pkg_reader *r, struct pkg_file *f, const char *path, size_t len)
{
	buf_reset(&r->path);
	if (pkg_real_name(r, path, len, &r->path) < 0 || !buf_cstr(&r->path))
		return buf_error(&r->path) == -ENOMEM ? -ENOMEM : 0; /* too long a path: of no file that could be */
	if (bad_path((const char *)r->path.data, r->path.len))
		return 0;
	f->path = (const char *)r->path.data;
	f->len = r->path.len;
	return r->fn(r->ctx, f);
}

int pkg_each(int root_fd, pkg_fn fn, void *ctx, uint64_t *ret_packages, struct err *e)
{
	struct pkg_reader reader;
	int r = pkg_reader_init(&reader, root_fd, fn, ctx), r2;

	if (r == 0)
		r = pkg_dpkg_each(&reader, e);
	if (r == 0 || r == -ENOENT) {
		r2 = pkg_rpm_each(&reader, e);
		r = r2 == -ENOENT ? 0 : r2;
	}
	if (ret_packages)
		*ret_packages = reader.packages;
	pkg_reader_done(&reader);
	return r;
}

/* ---- the index ----------------------------------------------------------------------------------------------------- */

struct entry {
	uint8_t key[16];	   /* of SHA-256 over the path */
	uint8_t digest[HASH_SIZE]; /* its beginning, for longer ones */
	uint32_t owner;		   /* into owners */
	uint8_t kind, conffile, may_miss;
};

struct pkg {
	int root_fd;	 /* borrowed */
	struct entry *v; /* owned, ascending by key */
	size_t n, room;
	struct buf owners;
	size_t last_owner;
};

static void key_of(const char *path, size_t len, uint8_t ret[16])
{
	uint8_t digest[HASH_SIZE];

	hash_sha256(path, len, digest);
	memcpy(ret, digest, 16);
}

static int owner_of(struct pkg *p, const char *owner, uint32_t *ret)
{
	size_t at = p->last_owner;

	if (at < p->owners.len && strcmp((const char *)p->owners.data + at, owner) == 0) {
		*ret = (uint32_t)at;
		return 0;
	}
	at = p->owners.len;
	if (buf_put(&p->owners, owner, strlen(owner) + 1) < 0)
		return -ENOMEM;
	p->last_owner = at;
	*ret = (uint32_t)at;
	return 0;
}

static int add(void *ctx, const struct pkg_file *f)
{
	struct pkg *p = ctx;
	struct entry *v, *en;

	if (p->n == p->room) {
		size_t more = p->room ? p->room + p->room / 2 : 4096;

		if (more > FILES_MAX)
			return -EFBIG;
		v = reallocarray(p->v, more, sizeof(*v));
		if (!v)
			return -ENOMEM;
		p->v = v;
		p->room = more;
	}
	en = &p->v[p->n];
	*en = (struct entry){ .kind = (uint8_t)f->kind, .conffile = f->conffile, .may_miss = f->may_miss };
	key_of(f->path, f->len, en->key);
	memcpy(en->digest, f->digest, HASH_SIZE);
	if (owner_of(p, f->owner, &en->owner) < 0)
		return -ENOMEM;
	p->n++;
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

int pkg_open(int root_fd, struct pkg **ret, struct err *e)
{
	_cleanup_(pkg_close) struct pkg *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_set(e, -ENOMEM, "out of memory");
	p->root_fd = root_fd;
	buf_init(&p->owners, OWNERS_MAX);
	r = pkg_each(root_fd, add, p, NULL, e);
	if (r == -ENOMEM || r == -EFBIG)
		return err_set(e, r, "the package databases do not fit in memory");
	if (r < 0)
		return r;
	if (p->n)
		qsort(p->v, p->n, sizeof(p->v[0]), by_key);
	*ret = TAKE_PTR(p);
	return 0;
}

void pkg_close(struct pkg *p)
{
	if (!p)
		return;
	free(p->v);
	buf_done(&p->owners);
	free(p);
}

/* Several packages may have one file: any that fits will do. */
static bool find(const struct pkg *p, const char *path, size_t len, size_t *ret)
{
	uint8_t key[16];
	size_t lo = 0, hi = p->n;

	key_of(path, len, key);
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (memcmp(p->v[mid].key, key, 16) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret = lo;
	return lo < p->n && memcmp(p->v[lo].key, key, 16) == 0;
}

/* What the file has changed in beside content, which is all that a package's digest speaks of. */
static bool beyond_content(const struct fact *fact, uint32_t mask)
{
	const uint32_t content = WATCH_SIZE | WATCH_CONTENT | WATCH_TIMES | WATCH_INODE | WATCH_LINKS;

	return mask ? mask & ~content : fact->mode & 06000;
}

struct verdict {
	bool same, conffile, unknown, may_miss;
};

static void ask_one(const struct pkg *p, const struct entry *en, const char *path, size_t len, const struct fact *fact,
		    struct verdict *v)
{
	int r;

	v->conffile = v->conffile || en->conffile;
	v->may_miss = v->may_miss || en->may_miss;
	if (!fact || fact->type != FACT_FILE)
		return;
	if (en->kind == HASH_SHA256 && fact->hashed)
		r = memcmp(en->digest, fact->sha256, HASH_SIZE) != 0;
	else if (hash_other_size((enum hash_kind)en->kind) <= HASH_SIZE)
		r = verify_by(p->root_fd, path, len, (enum hash_kind)en->kind, en->digest, fact->size, -1);
	else
		r = -EINVAL;
	v->same = v->same || r == 0;
	v->unknown = v->unknown || r < 0;
}

enum change_package pkg_judge(struct pkg *p, const char *path, size_t len, const struct fact *fact, uint32_t mask,
			      const char **ret_owner)
{
	_cleanup_free_ char *copy = NULL;
	struct verdict v = { 0 };
	size_t first;

	*ret_owner = "";
	if (!p)
		return PACKAGE_UNASKED;
	if (!find(p, path, len, &first))
		return PACKAGE_NONE;
	*ret_owner = (const char *)p->owners.data + p->v[first].owner;
	copy = strndup(path, len);
	if (!copy)
		return PACKAGE_UNKNOWN;
	for (size_t i = first; i < p->n && memcmp(p->v[i].key, p->v[first].key, 16) == 0; i++)
		ask_one(p, &p->v[i], copy, len, fact, &v);
	if (v.same)
		return beyond_content(fact, mask) ? PACKAGE_CONTENT : PACKAGE_MATCHES;
	if (v.unknown || (!fact && v.may_miss))
		return PACKAGE_UNKNOWN;
	return v.conffile ? PACKAGE_CONFFILE : PACKAGE_DIFFERS;
}
