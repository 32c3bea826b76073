/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/collect.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define READ_SIZE (128u << 10)
#define TRIES	  3 /* of a file that is written to while it is read */

/* Flags that say how a file system stores a file, not what somebody set. */
#define CHATTR_IGNORED                                                                                                 \
	(0x00080000u /* extents */ | 0x00040000u /* huge file */ | 0x00001000u /* index */ |                           \
	 0x10000000u /* inline data */ | 0x00400000u /* blocks behind the end */)

int collect_init(struct collect *c, struct limit *limit)
{
	*c = (struct collect){ .limit = limit, .data = malloc(READ_SIZE), .size = READ_SIZE };
	buf_init(&c->xattrs, FACT_XATTRS_MAX);
	return c->data ? 0 : -ENOMEM;
}

void collect_done(struct collect *c)
{
	free(c->data);
	buf_done(&c->xattrs);
	*c = (struct collect){ 0 };
}

/* ---- opening ------------------------------------------------------------------------------------------------------- */

/*
 * openat2 is Linux 5.6, and a container's seccomp filter may refuse it. O_NOFOLLOW does as well for one name; for a path
 * its directories are opened one by one.
 */
static volatile int no_openat2;

static int open2(int dir_fd, const char *path, int flags)
{
	const struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
				      .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static int open_name(int dir_fd, const char *name, int flags)
{
	int fd;

	if (!no_openat2) {
		fd = open2(dir_fd, name, flags);
		if (fd != -ENOSYS && fd != -EPERM)
			return fd;
		if (fd == -ENOSYS)
			no_openat2 = 1;
	}
	fd = openat(dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int collect_open(int dir_fd, const char *name, int flags)
{
	int fd = open_name(dir_fd, name, flags);

	/* only the owner may leave the time of access alone */
	if (fd == -EPERM && flags & O_NOATIME)
		fd = open_name(dir_fd, name, flags & ~O_NOATIME);
	return fd;
}

int collect_open_dir(int root_fd, const char *path, size_t len, int *ret_fd, const char **ret_name)
{
	_cleanup_close_ int fd = open_name(root_fd, ".", O_RDONLY | O_DIRECTORY);
	_cleanup_free_ char *copy = strndup(path, len);
	char *name;

	if (!copy)
		return -ENOMEM;
	if (fd < 0)
		return fd;
	name = copy;
	while (*name == '/')
		name++;
	for (char *slash = strchr(name, '/'); slash; slash = strchr(name, '/')) {
		int next;

		*slash = '\0';
		next = open_name(fd, name, O_PATH | O_DIRECTORY);
		if (next < 0)
			return next;
		close(fd);
		fd = next;
		name = slash + 1;
	}
	*ret_name = *name ? path + (name - copy) : ".";
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* ---- content ------------------------------------------------------------------------------------------------------- */

static uint8_t unread_of(int error)
{
	switch (error) {
	case -EACCES:
	case -EPERM:
		return FACT_DENIED;
	case -ETXTBSY:
	case -EBUSY:
	case -EWOULDBLOCK:
		return FACT_BUSY;
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
		return FACT_NO_RESOURCE;
	default:
		return FACT_IO_ERROR;
	}
}

static int room(struct collect *c, size_t n)
{
	uint8_t *more;

	if (n <= c->size)
		return 0;
	more = realloc(c->data, n);
	if (!more)
		return -ENOMEM;
	c->data = more;
	c->size = n;
	return 0;
}

struct reading {
	struct hash whole, prefix;
	uint64_t total, prefix_at;
	bool want_prefix;
};

static void add(struct reading *rd, const uint8_t *p, size_t n)
{
	if (rd->want_prefix && rd->total <= rd->prefix_at && rd->total + n >= rd->prefix_at) {
		rd->prefix = rd->whole;
		hash_add(&rd->prefix, p, (size_t)(rd->prefix_at - rd->total));
	}
	hash_add(&rd->whole, p, n);
	rd->total += n;
}

/* From the beginning to the end. @expect: where the end is thought to be; a read that stops there is the last. */
static int read_all(struct collect *c, int fd, uint64_t expect, bool keep, struct reading *rd)
{
	hash_begin(&rd->whole);
	rd->total = 0;
	if (rd->want_prefix && rd->prefix_at == 0)
		rd->prefix = rd->whole;
	for (;;) {
		size_t at = keep ? (size_t)rd->total : 0;
		ssize_t n;

		if (keep && c->size - at < 1)
			return 1; /* it grew */
		if (c->stop && *c->stop)
			return -EINTR;
		n = pread(fd, c->data + at, c->size - at, (off_t)rd->total);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		limit_take(c->limit, (uint64_t)n);
		add(rd, c->data + at, (size_t)n);
		c->bytes += (uint64_t)n;
		if (n == 0 || (rd->total == expect && (size_t)n < c->size - at))
			return 0;
	}
}

static bool same_stat(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Reads until the file was the same before and after. A growing one may grow meanwhile: what was read counts. */
static int read_stable(struct collect *c, int fd, const struct collect_want *want, struct stat *st,
		       struct collect_found *ret)
{
	struct reading rd = { .want_prefix = want->growing && want->old && want->old->hashed,
			      .prefix_at = want->old ? want->old->size : 0 };
	uint8_t digest[HASH_SIZE];

	for (int i = 0; i < TRIES; i++) {
		bool keep = want->keep_max && (uint64_t)st->st_size <= want->keep_max;
		struct stat after;
		int r = keep ? room(c, (size_t)st->st_size + 1) : 0;

		if (r == 0)
			r = read_all(c, fd, (uint64_t)st->st_size, keep, &rd);
		if (r < 0)
			return r;
		if (fstat(fd, &after) < 0)
			return -errno;
		if (r == 0 && (same_stat(st, &after) || want->growing)) {
			hash_end(&rd.whole, ret->fact.sha256);
			ret->fact.hashed = true;
			ret->fact.size = rd.total;
			ret->kept = keep && same_stat(st, &after);
			if (rd.want_prefix && rd.total >= rd.prefix_at) {
				hash_end(&rd.prefix, digest);
				ret->prefix_same = memcmp(digest, want->old->sha256, HASH_SIZE) == 0;
			}
			return 0;
		}
		*st = after;
	}
	ret->fact.unread = FACT_CHANGING;
	return 0;
}

/* ---- extended attributes ------------------------------------------------------------------------------------------- */

struct names {
	char text[65536]; /* XATTR_LIST_MAX */
	const char *v[4096];
	size_t n;
};

static int by_name(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;

	return strcmp(x, y);
}

/* An O_PATH descriptor has no attributes of its own to ask for; its link in /proc leads to the very same inode. */
static ssize_t list_names(int fd, const char *proc, char *buf, size_t size)
{
	return proc ? listxattr(proc, buf, size) : flistxattr(fd, buf, size);
}

static ssize_t get_value(int fd, const char *proc, const char *name, void *buf, size_t size)
{
	return proc ? getxattr(proc, name, buf, size) : fgetxattr(fd, name, buf, size);
}

static int put_value(struct collect *c, int fd, const char *proc, const char *name)
{
	uint8_t value[65536]; /* XATTR_SIZE_MAX */
	ssize_t n = get_value(fd, proc, name, value, sizeof(value));

	if (n < 0)
		return errno == ENODATA ? 0 : -errno;
	fact_put_number(&c->xattrs, strlen(name));
	buf_put(&c->xattrs, name, strlen(name));
	fact_put_number(&c->xattrs, (uint64_t)n);
	buf_put(&c->xattrs, value, (size_t)n);
	return buf_error(&c->xattrs);
}

static int put_values(struct collect *c, int fd, const char *proc, uint32_t attrs)
{
	_cleanup_free_ struct names *names = malloc(sizeof(*names));
	ssize_t n;

	if (!names)
		return -ENOMEM;
	n = list_names(fd, proc, names->text, sizeof(names->text) - 1);
	if (n < 0)
		return -errno;
	names->text[n] = '\0';
	names->n = 0;
	for (const char *s = names->text; s < names->text + n; s += strlen(s) + 1) {
		if (names->n == sizeof(names->v) / sizeof(names->v[0]))
			return -EFBIG;
		if (*s && fact_xattr_attr(s, strlen(s)) & attrs)
			names->v[names->n++] = s;
	}
	qsort(names->v, names->n, sizeof(names->v[0]), by_name);
	for (size_t i = 0; i < names->n; i++) {
		int r = put_value(c, fd, proc, names->v[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static void read_xattrs(struct collect *c, int fd, bool path_only, struct fact *f)
{
	const uint32_t kinds = WATCH_XATTRS | WATCH_ACL | WATCH_CAPABILITIES | WATCH_SELINUX;
	char proc[32] = "";
	ssize_t n;
	int r = 0;

	buf_reset(&c->xattrs);
	if (!c->asked) {
		c->no_trusted = geteuid() != 0;
		c->asked = true;
	}
	f->no_trusted = c->no_trusted;
	if (!(f->have & kinds))
		return;
	if (path_only)
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	/* most files have none: one call then */
	n = list_names(fd, path_only ? proc : NULL, NULL, 0);
	if (n > 0)
		r = put_values(c, fd, path_only ? proc : NULL, f->have);
	else if (n < 0 && errno != ENOTSUP && errno != ENOSYS)
		r = -errno;
	if (r == -ENOENT && path_only) {
		f->have &= ~kinds; /* /proc is not mounted here: nothing is known of them */
	} else if (r < 0) {
		f->unread = r == -EFBIG || r == -E2BIG || r == -ERANGE ? FACT_TOO_LARGE : unread_of(r);
		f->have &= ~kinds;
		buf_reset(&c->xattrs);
	}
	f->xattrs = c->xattrs.data;
	f->xattrs_len = (uint32_t)c->xattrs.len;
}

/* ---- the facts ----------------------------------------------------------------------------------------------------- */

static uint8_t type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return FACT_FILE;
	case S_IFDIR:
		return FACT_DIR;
	case S_IFLNK:
		return FACT_LINK;
	case S_IFIFO:
		return FACT_FIFO;
	case S_IFSOCK:
		return FACT_SOCKET;
	case S_IFCHR:
		return FACT_CHAR;
	default:
		return FACT_BLOCK;
	}
}

static void from_stat(const struct stat *st, uint32_t attrs, struct fact *f)
{
	*f = (struct fact){
		.have = attrs,
		.type = type_of(st->st_mode),
		.mode = st->st_mode & 07777,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
		.inode = st->st_ino,
		.device = st->st_dev,
		.links = st->st_nlink,
		.rdev = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode) ? st->st_rdev : 0,
		.mtime = { st->st_mtim.tv_sec, (uint32_t)st->st_mtim.tv_nsec },
		.ctime = { st->st_ctim.tv_sec, (uint32_t)st->st_ctim.tv_nsec },
	};
}

static void read_chattr(int fd, bool path_only, struct fact *f)
{
	unsigned int flags = 0;

	if (!(f->have & WATCH_CHATTR) || (f->type != FACT_FILE && f->type != FACT_DIR))
		return;
	if (path_only)
		f->have &= ~(uint32_t)WATCH_CHATTR;
	else if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0)
		f->chattr = flags & ~CHATTR_IGNORED;
}

static void read_target(struct collect *c, int fd, struct fact *f)
{
	ssize_t n;

	if (f->type != FACT_LINK || !(f->have & WATCH_TARGET))
		return;
	n = readlinkat(fd, "", (char *)c->target, sizeof(c->target));
	if (n < 0) {
		f->unread = unread_of(-errno);
		f->have &= ~(uint32_t)WATCH_TARGET;
		return;
	}
	f->target = c->target;
	f->target_len = (uint32_t)n;
}

static int read_content(struct collect *c, int fd, const struct collect_want *want, struct stat *st,
			struct collect_found *ret)
{
	struct fact *f = &ret->fact;
	int r;

	if (f->type != FACT_FILE || !(f->have & WATCH_CONTENT))
		return 0;
	if (want->quick && want->old && want->old->hashed && fact_same_metadata(want->old, f)) {
		memcpy(f->sha256, want->old->sha256, HASH_SIZE);
		f->hashed = true;
		ret->prefix_same = true;
		return 0;
	}
	r = read_stable(c, fd, want, st, ret);
	if (r < 0 && r != -EINTR)
		f->unread = unread_of(r);
	return r == -EINTR ? r : 0;
}

/* For reading where it is to be read, else, or where that is refused, as a handle that lets nothing be read. */
static int open_it(int dir_fd, const char *name, int type, uint32_t attrs, bool *ret_path_only, int *ret_denied)
{
	const int read_flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOATIME;
	int fd;

	*ret_path_only = false;
	*ret_denied = 0;
	if ((type == DT_REG || type == DT_DIR) && attrs & (WATCH_CONTENT | WATCH_CHATTR)) {
		fd = collect_open(dir_fd, name, read_flags | (type == DT_DIR ? O_DIRECTORY : 0));
		if (fd >= 0 || fd == -ENOENT)
			return fd;
		*ret_denied = fd;
	}
	*ret_path_only = true;
	return collect_open(dir_fd, name, O_PATH);
}

int collect_file(struct collect *c, int dir_fd, const char *name, int type, const struct collect_want *want,
		 struct collect_found *ret)
{
	_cleanup_close_ int fd = -1;
	bool path_only;
	struct stat st;
	int denied;

	*ret = (struct collect_found){ 0 };
	if (type == DT_UNKNOWN) {
		if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return -ENOENT;
		type = IFTODT(st.st_mode);
	}
	fd = open_it(dir_fd, name, type, want->attrs, &path_only, &denied);
	if (fd < 0 && fd != -ENOENT)
		denied = fd;
	if (fd < 0 && (fd == -ENOENT || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0))
		return -ENOENT;
	if (fd >= 0 && fstat(fd, &st) < 0)
		return -ENOENT;
	from_stat(&st, want->attrs, &ret->fact);
	if (fd < 0) {
		ret->fact.have &= WATCH_PERMISSIONS | WATCH_OWNER | WATCH_GROUP | WATCH_SIZE | WATCH_TIMES |
				  WATCH_INODE | WATCH_LINKS;
		ret->fact.unread = unread_of(denied);
		return 0;
	}
	read_xattrs(c, fd, path_only, &ret->fact);
	read_chattr(fd, path_only, &ret->fact);
	read_target(c, fd, &ret->fact);
	if (ret->fact.type == FACT_FILE && ret->fact.have & WATCH_CONTENT && path_only)
		ret->fact.unread = unread_of(denied ? denied : -EIO);
	else if (!path_only)
		return read_content(c, fd, want, &st, ret);
	return 0;
}
