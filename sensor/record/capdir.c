/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/capdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fs.h"

#define PART	 ".part"
#define PART_MAX (CAPLIMIT_NAME_MAX + sizeof(PART))

void capdir_init(struct capdir *d, const struct capdir_options *o)
{
	*d = (struct capdir){ .o = *o, .fd = -1 };
}

static void part_name(char *ret, const char *name)
{
	snprintf(ret, PART_MAX, "%s" PART, name);
}

/* ---- what is there ------------------------------------------------------------------------------------------------- */

/* A reader of its own: the position of the directory's descriptor is everybody's. */
static DIR *open_dir(const struct capdir *d)
{
	int fd = openat(d->o.dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

/* Counts files and gives the oldest; of a directory that cannot be read there is none. */
static bool look(struct capdir *d, struct capdir_file *ret_oldest)
{
	_cleanup_closedir_ DIR *dir = open_dir(d);
	struct dirent *de;
	struct stat st;

	d->files = 0;
	d->bytes = d->fd >= 0 ? d->file.bytes : 0;
	while (dir && (de = readdir(dir))) {
		if (!capname_is(de->d_name) || fstatat(d->o.dir_fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (!d->files++ || strcmp(de->d_name, ret_oldest->name) < 0) {
			*ret_oldest = (struct capdir_file){ .bytes = (uint64_t)st.st_size };
			snprintf(ret_oldest->name, sizeof(ret_oldest->name), "%.*s", CAPLIMIT_NAME_MAX - 1, de->d_name);
		}
		d->bytes += (uint64_t)st.st_size;
	}
	return d->files > 0;
}

/* The oldest go until @more bytes fit. */
static int make_room(struct capdir *d, uint64_t more)
{
	struct capdir_file old;

	while (look(d, &old) && (d->bytes + more > d->o.keep_bytes || d->files >= CAPDIR_FILES)) {
		if (unlinkat(d->o.dir_fd, old.name, 0) < 0)
			return -errno;
		d->files--;
		d->bytes -= old.bytes;
		if (d->o.removed)
			d->o.removed(d->o.ctx, &old);
	}
	return 0;
}

/* What the file system has is the log's first. */
static int check_disk(const struct capdir *d, uint64_t more, struct err *e)
{
	struct statfs s;

	if (fstatfs(d->o.dir_fd, &s) < 0)
		return err_set(e, -errno, "cannot ask for room on the disk: %s", strerror(errno));
	if ((uint64_t)s.f_bavail * (uint64_t)s.f_bsize < d->o.spare + more)
		return err_set(e, -ENOSPC, "less than %llu MiB are left on the disk",
			       (unsigned long long)(d->o.spare >> 20));
	return 0;
}

static int write_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return k < 0 ? -errno : -EIO;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

/* ---- one file ------------------------------------------------------------------------------------------------------ */

void capdir_drop(struct capdir *d)
{
	char part[PART_MAX];

	if (d->fd < 0)
		return;
	part_name(part, d->file.name);
	unlinkat(d->o.dir_fd, part, 0);
	close(d->fd);
	d->fd = -1;
	d->bytes -= d->file.bytes < d->bytes ? d->file.bytes : d->bytes;
}

int capdir_begin(struct capdir *d, const char *name, struct err *e)
{
	char part[PART_MAX];
	struct stat st;
	int r;

	capdir_drop(d);
	if (!capname_is(name))
		return err_set(e, -EINVAL, "its name is none");
	if (fstatat(d->o.dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return err_set(e, -EEXIST, "there is one of that name");
	r = check_disk(d, 0, e);
	if (r < 0)
		return r;
	part_name(part, name);
	d->fd = openat(d->o.dir_fd, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->fd < 0)
		return err_set(e, -errno, "it cannot be made: %s", strerror(errno));
	d->file = (struct capdir_file){ .bytes = 0 };
	snprintf(d->file.name, sizeof(d->file.name), "%s", name);
	hash_begin(&d->hash);
	r = make_room(d, 0);
	if (r < 0) {
		capdir_drop(d);
		return err_set(e, r, "an older one cannot be removed: %s", strerror(-r));
	}
	return 0;
}

static int put(struct capdir *d, const void *bytes, size_t n, struct err *e)
{
	int r = d->file.bytes + n > d->o.file_bytes ? err_set(e, -EFBIG, "it is larger than one may be") : 0;

	if (r == 0)
		r = check_disk(d, n, e);
	if (r < 0)
		return r;
	if (d->bytes + n > d->o.keep_bytes && (r = make_room(d, n)) < 0)
		return err_set(e, r, "an older one cannot be removed: %s", strerror(-r));
	r = write_all(d->fd, bytes, n);
	return r < 0 ? err_set(e, r, "it cannot be written: %s", strerror(-r)) : 0;
}

int capdir_put(struct capdir *d, const void *bytes, size_t n, struct err *e)
{
	int r = d->fd < 0 ? -EBADF : put(d, bytes, n, e);

	if (r < 0) {
		capdir_drop(d);
		return r;
	}
	hash_add(&d->hash, bytes, n);
	d->file.bytes += n;
	d->bytes += n;
	return 0;
}

/* From NAME.part to NAME, for good. */
static int settle(struct capdir *d, const char *name, int fd)
{
	char part[PART_MAX];

	part_name(part, name);
	if (fsync(fd) < 0 || renameat(d->o.dir_fd, part, d->o.dir_fd, name) < 0 || fsync(d->o.dir_fd) < 0)
		return -errno;
	return 0;
}

static void hex(struct hash *h, char *to)
{
	uint8_t digest[HASH_SIZE];

	hash_end(h, digest);
	hash_hex(digest, sizeof(digest), to);
}

int capdir_end(struct capdir *d, struct capdir_file *ret, struct err *e)
{
	int r = d->fd < 0 ? -EBADF : settle(d, d->file.name, d->fd);

	if (r < 0) {
		capdir_drop(d);
		return err_set(e, r, "it cannot be written: %s", strerror(-r));
	}
	hex(&d->hash, d->file.sha256);
	close(d->fd);
	d->fd = -1;
	d->files++;
	*ret = d->file;
	return 0;
}

/* ---- after an interruption ----------------------------------------------------------------------------------------- */

static bool find_part(const struct capdir *d, struct capdir_file *ret)
{
	_cleanup_closedir_ DIR *dir = open_dir(d);
	struct dirent *de;

	while (dir && (de = readdir(dir))) {
		size_t len = strlen(de->d_name), tail = sizeof(PART) - 1;

		if (len <= tail || len - tail >= CAPLIMIT_NAME_MAX || strcmp(de->d_name + len - tail, PART) != 0)
			continue;
		*ret = (struct capdir_file){ .bytes = 0 };
		memcpy(ret->name, de->d_name, len - tail);
		if (capname_is(ret->name))
			return true;
	}
	return false;
}

static int read_part(const struct capdir *d, int fd, struct capdir_file *f)
{
	uint8_t bytes[16384];
	struct hash h;
	ssize_t n;

	hash_begin(&h);
	while ((n = fs_read(fd, bytes, sizeof(bytes))) > 0 && f->bytes <= d->o.keep_bytes) {
		hash_add(&h, bytes, (size_t)n);
		f->bytes += (uint64_t)n;
	}
	hex(&h, f->sha256);
	return n < 0 ? (int)n : 0;
}

int capdir_recover(struct capdir *d, struct capdir_file *ret, struct err *e)
{
	struct capdir_file f, old;
	_cleanup_close_ int fd = -1;
	char part[PART_MAX];
	int r;

	if (!find_part(d, &f)) {
		make_room(d, 0);
		look(d, &old);
		return 0;
	}
	part_name(part, f.name);
	fd = openat(d->o.dir_fd, part, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	r = fd < 0 ? -errno : read_part(d, fd, &f);
	if (r == 0 && f.bytes)
		r = settle(d, f.name, fd);
	if (r < 0 || !f.bytes) {
		/* tried once: what stays in the way is nobody's capture */
		if (unlinkat(d->o.dir_fd, part, 0) < 0)
			return err_set(e, -errno, "%s: %s", part, strerror(errno));
		f.bytes = 0;
		f.sha256[0] = '\0';
	}
	*ret = f;
	return 1;
}
