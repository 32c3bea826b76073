/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/recio.h"
#include "lib/cleanup.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <time.h>

static int recio_openat(int dir_fd, const char *name, int flags, mode_t mode)
{
	return openat(dir_fd, name, flags, mode);
}

static int recio_renameat(int dir_fd, const char *from, const char *to)
{
	return renameat(dir_fd, from, dir_fd, to);
}

static uint64_t recio_realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

const struct recio recio_system = {
	.openat = recio_openat,
	.pwrite = pwrite,
	.fdatasync = fdatasync,
	.ftruncate = ftruncate,
	.renameat = recio_renameat,
	.realtime_ns = recio_realtime_ns,
};

int recio_write(const struct recio *io, int fd, const void *p, size_t n, off_t at)
{
	const char *from = p;

	while (n) {
		ssize_t put = io->pwrite(fd, from, n, at);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		if (put == 0)
			return -ENOSPC;
		from += put;
		at += put;
		n -= (size_t)put;
	}
	return 0;
}

int recio_replace(const struct recio *io, int dir_fd, const char *name, const void *p, size_t n, mode_t mode,
		  enum recio_sync sync, struct err *e)
{
	_cleanup_close_ int fd = -1;
	char tmp[PATH_MAX];
	int r;

	snprintf(tmp, sizeof(tmp), "%s.new", name);
	fd = io->openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return err_sys(e, -errno, "cannot create", tmp);
	r = recio_write(io, fd, p, n, 0);
	if (r < 0)
		return err_sys(e, r, "cannot write", tmp);
	if (sync && io->fdatasync(fd) < 0)
		return err_sys(e, -errno, "cannot sync", tmp);
	if (io->renameat(dir_fd, tmp, name) < 0)
		return err_sys(e, -errno, "cannot replace", name);
	if (sync)
		fsync(dir_fd);
	return 0;
}

int recio_read(int dir_fd, const char *name, struct buf *ret)
{
	_cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t got;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* the size is a first guess: a live log grows while it is read */
	r = buf_room(ret, (size_t)st.st_size + 1);
	if (r < 0)
		return r;
	while ((got = read(fd, ret->data + ret->len, ret->cap - ret->len)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		ret->len += (size_t)got;
		r = buf_room(ret, 1);
		if (r < 0)
			return r;
	}
	return 0;
}
