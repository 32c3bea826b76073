/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "lib/buf.h"
#include "sensor/fim/collect.h"

#define NAMES_MAX (1u << 31) /* bytes of the names in one directory */
#define DENTS	  (64u << 10)

struct name {
	uint32_t off;
	uint16_t len;
	uint8_t type;
	bool inside; /* what is in the directory, as against its entry */
};

struct frame {
	struct walk_dir *dir;
	uint64_t device;
	size_t path_len;
	struct buf names; /* texts, NUL-terminated */
	struct name *v;	  /* owned */
	size_t n, room, at;
	struct watchset_live *live; /* owned */
	size_t nlive;
};

struct walk {
	const struct watchset *set;
	int root_fd;
	struct frame *frames; /* owned */
	size_t depth, room;
	char path[WATCH_PATH_MAX + 256 + 2];
	char *after; /* owned, or NULL */
	size_t after_len;
	bool began;
	uint8_t dents[DENTS];
};

const char *walk_skip_name(unsigned int skip)
{
	static const char *const names[] = { "", "a file system of the kernel's", "path too long", "no permission",
					     "cannot be listed" };

	return skip < WALK_SKIPS ? names[skip] : "?";
}

/* ---- directories --------------------------------------------------------------------------------------------------- */

static struct walk_dir *dir_new(int fd)
{
	struct walk_dir *d = malloc(sizeof(*d));

	if (!d)
		return NULL;
	atomic_init(&d->users, 1);
	d->fd = fd;
	return d;
}

struct walk_dir *walk_dir_use(struct walk_dir *d)
{
	atomic_fetch_add(&d->users, 1);
	return d;
}

void walk_dir_drop(struct walk_dir *d)
{
	if (!d || atomic_fetch_sub(&d->users, 1) > 1)
		return;
	close(d->fd);
	free(d);
}

/* What a kernel makes up on the spot is no content that could be compared, and reading it may do things. */
static bool is_kernel_fs(int fd)
{
	static const uint32_t kinds[] = {
		PROC_SUPER_MAGIC,
		SYSFS_MAGIC,
		DEBUGFS_MAGIC,
		TRACEFS_MAGIC,
		DEVPTS_SUPER_MAGIC,
		CGROUP_SUPER_MAGIC,
		CGROUP2_SUPER_MAGIC,
		BPF_FS_MAGIC,
		SECURITYFS_MAGIC,
		SELINUX_MAGIC,
		PSTOREFS_MAGIC,
		EFIVARFS_MAGIC,
		AUTOFS_SUPER_MAGIC,
		BINFMTFS_MAGIC,
		0x62656570 /* configfs */,
		0x19800202 /* mqueue */,
		0x65735543 /* fusectl */,
	};
	struct statfs sf;

	if (fstatfs(fd, &sf) < 0)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if ((uint32_t)sf.f_type == kinds[i])
			return true;
	return false;
}

/* ---- listing ------------------------------------------------------------------------------------------------------- */

struct dent { /* linux_dirent64 */
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
} __attribute__((packed));

static int add_name(struct frame *f, const char *name, size_t len, uint8_t type, bool inside)
{
	if (f->n == f->room) {
		size_t more = f->room ? 2 * f->room : 64;
		struct name *v = reallocarray(f->v, more, sizeof(*v));

		if (!v)
			return -ENOMEM;
		f->v = v;
		f->room = more;
	}
	f->v[f->n] =
		(struct name){ .off = (uint32_t)f->names.len, .len = (uint16_t)len, .type = type, .inside = inside };
	if (buf_put(&f->names, name, len) < 0 || buf_putc(&f->names, 0) < 0)
		return -ENOMEM;
	f->n++;
	return 0;
}

static int add_entry(struct frame *f, const char *name, uint8_t type)
{
	size_t len = strlen(name);
	int r;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (type == DT_UNKNOWN) {
		struct stat st;

		type = fstatat(f->dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? DT_UNKNOWN : IFTODT(st.st_mode);
	}
	r = add_name(f, name, len, type, false);
	return r == 0 && type == DT_DIR ? add_name(f, name, len, type, true) : r;
}

static int by_path(const void *a, const void *b, void *ctx)
{
	const struct name *x = a, *y = b;
	const uint8_t *names = ctx;
	size_t n = x->len < y->len ? x->len : y->len;
	int c = memcmp(names + x->off, names + y->off, n), p, q;

	if (c)
		return c;
	p = x->len > n ? names[x->off + n] : x->inside ? '/' : -1;
	q = y->len > n ? names[y->off + n] : y->inside ? '/' : -1;
	return p != q ? p - q : (int)x->len - (int)y->len;
}

/* 0, -ENOMEM, or what the kernel says. */
static int list(struct walk *w, struct frame *f)
{
	for (;;) {
		long n = syscall(SYS_getdents64, f->dir->fd, w->dents, sizeof(w->dents));

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		for (long at = 0; at < n;) {
			const struct dent *d = (const struct dent *)(w->dents + at);
			int r = add_entry(f, d->name, d->type);

			if (r < 0)
				return r;
			at += d->reclen;
		}
	}
	if (f->n > 1)
		qsort_r(f->v, f->n, sizeof(f->v[0]), by_path, f->names.data);
	return 0;
}

/* ---- frames -------------------------------------------------------------------------------------------------------- */

static void frame_done(struct frame *f)
{
	walk_dir_drop(f->dir);
	buf_done(&f->names);
	free(f->v);
	free(f->live);
	*f = (struct frame){ 0 };
}

static struct frame *frame_new(struct walk *w)
{
	if (w->depth == w->room) {
		size_t more = w->room ? 2 * w->room : 32;
		struct frame *v = reallocarray(w->frames, more, sizeof(*v));

		if (!v)
			return NULL;
		w->frames = v;
		w->room = more;
	}
	w->frames[w->depth] = (struct frame){ 0 };
	buf_init(&w->frames[w->depth].names, NAMES_MAX);
	return &w->frames[w->depth];
}

static enum walk_skip skip_of(int error)
{
	return error == -EACCES || error == -EPERM ? WALK_DENIED : WALK_FAILED;
}

/*
 * Takes fd over. Pushes a frame of the directory whose path is the first @len bytes of w->path: 0; 1 where nothing in it is
 * watched; 2 with *ret_skip where it cannot be looked into; -ENOMEM.
 */
static int push(struct walk *w, int fd, size_t len, enum walk_skip *ret_skip)
{
	const struct frame *parent = w->depth ? &w->frames[w->depth - 1] : NULL;
	uint64_t parent_device = parent ? parent->device : 0;
	struct frame *f = frame_new(w);
	struct stat st;
	int r;

	parent = w->depth ? &w->frames[w->depth - 1] : NULL;
	if (!f || !(f->dir = dir_new(fd))) {
		close(fd);
		if (f)
			frame_done(f);
		return -ENOMEM;
	}
	f->path_len = len;
	f->live = malloc((w->set->n + 1) * sizeof(f->live[0]));
	r = !f->live ? -ENOMEM : fstat(fd, &st) < 0 ? -errno : 0;
	if (r == 0) {
		f->device = st.st_dev;
		f->nlive = watchset_enter(w->set, parent ? parent->live : NULL, parent ? parent->nlive : 0, w->path,
					  len, st.st_dev, f->live);
		if (!f->nlive) {
			frame_done(f);
			return 1;
		}
		if ((!parent || parent_device != f->device) && is_kernel_fs(fd)) {
			frame_done(f);
			*ret_skip = WALK_KERNEL_FS;
			return 2;
		}
		r = list(w, f);
	}
	if (r == 0) {
		w->depth++;
		return 0;
	}
	frame_done(f);
	*ret_skip = skip_of(r);
	return r == -ENOMEM ? r : 2;
}

/* ---- walking ------------------------------------------------------------------------------------------------------- */

int walk_open(const struct watchset *s, int root_fd, const char *after, size_t after_len, struct walk **ret,
	      struct err *e)
{
	_cleanup_(walk_close) struct walk *w = calloc(1, sizeof(*w));

	if (!w)
		return err_set(e, -ENOMEM, "out of memory");
	w->set = s;
	w->root_fd = root_fd;
	if (after) {
		w->after = malloc(after_len + 1);
		if (!w->after)
			return err_set(e, -ENOMEM, "out of memory");
		memcpy(w->after, after, after_len);
		w->after_len = after_len;
	}
	*ret = TAKE_PTR(w);
	return 0;
}

void walk_close(struct walk *w)
{
	if (!w)
		return;
	while (w->depth)
		frame_done(&w->frames[--w->depth]);
	free(w->frames);
	free(w->after);
	free(w);
}

/* Whether all of it comes no later than w->after: the path itself, or what is inside of it. */
static bool is_before(const struct walk *w, size_t len, bool inside)
{
	size_t n = len < w->after_len ? len : w->after_len;
	int c;

	if (!w->after)
		return false;
	c = memcmp(w->path, w->after, n);
	if (c || !inside)
		return c < 0 || (c == 0 && len <= w->after_len);
	if (len < w->after_len)
		return (uint8_t)w->after[len] > '/'; /* "/a/..." all before "/ab"; not before "/a/x" */
	return false;
}

static int begin(struct walk *w, struct walk_entry *ret)
{
	const struct watchset_item *it = watchset_find(w->set, "", 0);
	enum walk_skip skip;
	int fd = collect_open(w->root_fd, ".", O_RDONLY | O_DIRECTORY | O_NOATIME), r;

	w->began = true;
	if (fd >= 0)
		r = push(w, fd, 0, &skip);
	else
		r = 2, skip = skip_of(fd);
	*ret = (struct walk_entry){ .path = "/", .name = ".", .len = 1, .type = DT_DIR };
	if (r == 2) {
		ret->skip = skip;
		return 1;
	}
	if (r < 0)
		return r;
	if (r == 1 || !it || (w->after && w->after_len))
		return 2;
	ret->watch = it;
	ret->dir = w->frames[0].dir;
	return 1;
}

static int enter(struct walk *w, const struct frame *f, const char *name, size_t len, struct walk_entry *ret)
{
	enum walk_skip skip = WALK_TOO_DEEP;
	int r = 2, fd;

	if (len <= WATCH_PATH_MAX) {
		struct watchset_live *live = malloc((w->set->n + 1) * sizeof(*live));
		size_t n = live ? watchset_enter(w->set, f->live, f->nlive, w->path, len, f->device, live) : 0;

		free(live);
		if (!live)
			return -ENOMEM;
		if (!n)
			return 1; /* without opening it */
		fd = collect_open(f->dir->fd, name, O_RDONLY | O_DIRECTORY | O_NOATIME);
		if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
			return 1; /* it went, or became something else: its own entry tells */
		skip = skip_of(fd);
		r = fd < 0 ? 2 : push(w, fd, len, &skip);
	}
	if (r == 2)
		*ret = (struct walk_entry){ .path = w->path, .name = "", .len = len, .type = DT_DIR, .skip = skip };
	return r;
}

/* The next of the innermost directory's list: 1 with an entry, 2 without one, or -ENOMEM. */
static int step(struct walk *w, struct walk_entry *ret)
{
	struct frame *f = &w->frames[w->depth - 1];
	const struct name *n = &f->v[f->at++];
	const char *name = (const char *)f->names.data + n->off;
	size_t len = f->path_len + 1 + n->len;
	int r;

	if (len > WATCH_PATH_MAX + 256)
		return 2;
	w->path[f->path_len] = '/';
	memcpy(w->path + f->path_len + 1, name, n->len + 1u);
	if (is_before(w, len, n->inside))
		return 2;
	if (n->inside) {
		r = enter(w, f, name, len, ret);
		return r == 2 ? 1 : r < 0 ? r : 2;
	}
	*ret = (struct walk_entry){ .path = w->path, .name = name, .len = len, .type = n->type, .dir = f->dir };
	if (len > WATCH_PATH_MAX)
		return 2;
	ret->watch = watchset_entry(w->set, f->live, f->nlive, w->path, len);
	return ret->watch ? 1 : 2;
}

int walk_next(struct walk *w, struct walk_entry *ret)
{
	int r = w->began ? 2 : begin(w, ret);

	while (r == 2) {
		if (!w->depth)
			return 0;
		if (w->frames[w->depth - 1].at == w->frames[w->depth - 1].n)
			frame_done(&w->frames[--w->depth]);
		else
			r = step(w, ret);
	}
	return r;
}
