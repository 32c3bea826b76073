/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file, a message a line. Where it is larger than max-bytes it becomes FILE.1, that FILE.2, and so on up to `keep`. A
 * batch is one write; where it fails (a full disk) it is taken back, so that no half line stays. Somebody else may move the
 * file away (logrotate): it is made anew.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sinks/sink.h"

#define KEEP_MAX 99

struct file_sink {
	const char *path; /* the env's */
	uint64_t max_bytes, keep;
	bool sync;
	int fd;
	off_t size;
	char *buf; /* owned: a batch */
	size_t cap;
};

static int open_file(struct file_sink *s, struct tamis_sink_error *e)
{
	struct stat st, there;
	char last;

	/* moved away by somebody else */
	if (s->fd >= 0 && (stat(s->path, &there) < 0 || fstat(s->fd, &st) < 0 || there.st_ino != st.st_ino ||
			   there.st_dev != st.st_dev)) {
		close(s->fd);
		s->fd = -1;
	}
	if (s->fd < 0)
		s->fd = open(s->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (s->fd < 0 || fstat(s->fd, &st) < 0)
		return fail(e, -errno, "cannot open %s: %s (its directory must be tamis-spool's to write)", s->path,
			    strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(e, -EINVAL, "%s is no file", s->path);
	s->size = st.st_size;
	/* what a crash left half written is ended, and whoever reads it sees that it is no line of ours */
	if (s->size && pread(s->fd, &last, 1, s->size - 1) == 1 && last != '\n' && write(s->fd, "\n", 1) == 1)
		s->size++;
	return 0;
}

static int turn_over(struct file_sink *s, struct tamis_sink_error *e)
{
	char from[4200], to[4200];

	for (uint64_t i = s->keep; i > 0; i--) {
		if (i > 1)
			snprintf(from, sizeof(from), "%s.%llu", s->path, (unsigned long long)i - 1);
		else
			snprintf(from, sizeof(from), "%s", s->path);
		snprintf(to, sizeof(to), "%s.%llu", s->path, (unsigned long long)i);
		if (rename(from, to) < 0 && errno != ENOENT)
			return fail(e, -errno, "cannot rename %s to %s: %s", from, to, strerror(errno));
	}
	if (!s->keep && unlink(s->path) < 0 && errno != ENOENT)
		return fail(e, -errno, "cannot remove %s: %s", s->path, strerror(errno));
	close(s->fd);
	s->fd = -1;
	return open_file(s, e);
}

static int file_open(const struct tamis_sink_env *env, void **ret, struct tamis_sink_error *e)
{
	struct file_sink *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return fail(e, -ENOMEM, "no memory");
	s->path = setting(env, "path");
	s->max_bytes = setting_number(env, "max-bytes", 64 << 20);
	s->keep = setting_number(env, "keep", 4);
	s->sync = setting_is(env, "sync", "yes");
	s->fd = -1;
	r = s->keep > KEEP_MAX	     ? fail(e, -EINVAL, "keep is at most %d", KEEP_MAX)
	    : strlen(s->path) > 4000 ? fail(e, -ENAMETOOLONG, "path is too long")
				     : open_file(s, e);
	if (r < 0) {
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

static int room(struct file_sink *s, size_t n)
{
	char *p = n > s->cap ? realloc(s->buf, n) : s->buf;

	if (!p)
		return -ENOMEM;
	if (n > s->cap)
		s->cap = n;
	s->buf = p;
	return 0;
}

static int write_all(struct file_sink *s, size_t n, struct tamis_sink_error *e)
{
	size_t done = 0;

	while (done < n) {
		ssize_t put = write(s->fd, s->buf + done, n - done);
		int error = put < 0 ? errno : ENOSPC;

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			if (ftruncate(s->fd, s->size) < 0)
				error = errno;
			return fail(e, -error, "cannot write to %s: %s", s->path, strerror(error));
		}
		done += (size_t)put;
	}
	if (s->sync && fdatasync(s->fd) < 0)
		return fail(e, -errno, "cannot sync %s: %s", s->path, strerror(errno));
	s->size += (off_t)n;
	return 0;
}

static int file_send(void *sink, const struct tamis_sink_message *m, size_t n, struct tamis_sink_result *ret,
		     struct tamis_sink_error *e)
{
	struct file_sink *s = sink;
	size_t bytes = 0, take = 0;
	int r = open_file(s, e);

	if (r == 0 && s->max_bytes && (uint64_t)s->size >= s->max_bytes)
		r = turn_over(s, e);
	if (r < 0)
		return r;
	/* up to where the file is to be turned over */
	while (take < n && (!take || !s->max_bytes || (uint64_t)s->size + bytes < s->max_bytes))
		bytes += m[take++].len + 1;
	if (room(s, bytes) < 0)
		return fail(e, -ENOMEM, "no memory for a batch");
	bytes = 0;
	for (size_t i = 0; i < take; i++) {
		memcpy(s->buf + bytes, m[i].text, m[i].len);
		bytes += m[i].len;
		s->buf[bytes++] = '\n';
	}
	r = write_all(s, bytes, e);
	if (r == 0)
		ret->taken = ret->handed = take;
	return r;
}

static void file_close(void *sink)
{
	struct file_sink *s = sink;

	if (s->fd >= 0)
		close(s->fd);
	free(s->buf);
	free(s);
}

SINK_EXPORT const struct tamis_sink_module tamis_sink_module = { TAMIS_SINK_ABI, file_open, file_send, file_close };
