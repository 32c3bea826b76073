/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream to a Unix socket, a message a line. There is no answer in such a stream: a message counts as delivered when the
 * kernel has handed it to the reader (SIOCOUTQ is 0), so that what a reader that dies has not read is sent again.
 */
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "sinks/sink.h"

struct unix_sink {
	const char *path;
	uint32_t timeout_ms;
	int fd;
};

static int unix_open(const struct tamis_sink_env *env, void **ret, struct tamis_sink_error *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct unix_sink *s;
	int fd;

	if (strlen(setting(env, "path")) >= sizeof(a.sun_path))
		return fail(e, -ENAMETOOLONG, "the path of a Unix socket has at most %zu bytes",
			    sizeof(a.sun_path) - 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", setting(env, "path"));
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		int r = fail(e, -errno, "cannot connect to %s: %s", a.sun_path, strerror(errno));

		if (fd >= 0)
			close(fd);
		return r;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		close(fd);
		return fail(e, -ENOMEM, "no memory");
	}
	s->fd = fd;
	s->path = setting(env, "path");
	s->timeout_ms = env->timeout_ms;
	*ret = s;
	return 0;
}

static int wait_room(struct unix_sink *s, uint64_t end, struct tamis_sink_error *e)
{
	struct pollfd p = { .fd = s->fd, .events = POLLOUT };
	uint64_t now = now_ms();

	if (now >= end || poll(&p, 1, (int)(end - now)) == 0)
		return fail(e, -ETIMEDOUT, "%s: its reader takes nothing for %u s", s->path, s->timeout_ms / 1000);
	return 0;
}

static int put_message(struct unix_sink *s, const struct tamis_sink_message *m, uint64_t end,
		       struct tamis_sink_error *e)
{
	size_t done = 0;

	while (done < m->len + 1) {
		struct iovec v[] = { { (char *)m->text + done, done < m->len ? m->len - done : 0 }, { "\n", 1 } };
		struct msghdr h = { .msg_iov = v, .msg_iovlen = 2 };
		ssize_t n = sendmsg(s->fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r;

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return fail(e, -errno, "%s: %s", s->path, strerror(errno));
		if (n > 0)
			done += (size_t)n;
		r = n < 0 && errno == EAGAIN ? wait_room(s, end, e) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* Until the reader has all of it. */
static int drained(struct unix_sink *s, uint64_t end, struct tamis_sink_error *e)
{
	for (;;) {
		struct pollfd p = { .fd = s->fd, .events = 0 };
		const struct timespec pause = { .tv_nsec = 1000000 };
		int left = 0;

		if (ioctl(s->fd, SIOCOUTQ, &left) < 0)
			return fail(e, -errno, "%s: %s", s->path, strerror(errno));
		if (!left)
			return 0;
		if (poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR))
			return fail(e, -EPIPE, "%s: its reader is gone", s->path);
		if (now_ms() >= end)
			return fail(e, -ETIMEDOUT, "%s: its reader takes nothing for %u s", s->path,
				    s->timeout_ms / 1000);
		nanosleep(&pause, NULL);
	}
}

static int unix_send(void *sink, const struct tamis_sink_message *m, size_t n, struct tamis_sink_result *ret,
		     struct tamis_sink_error *e)
{
	struct unix_sink *s = sink;
	uint64_t end = now_ms() + s->timeout_ms;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		ret->handed = i + 1;
		r = put_message(s, &m[i], end, e);
	}
	if (r == 0)
		r = drained(s, end, e);
	if (r == 0)
		ret->taken = n;
	return r;
}

static void unix_close(void *sink)
{
	struct unix_sink *s = sink;

	close(s->fd);
	free(s);
}

SINK_EXPORT const struct tamis_sink_module tamis_sink_module = { TAMIS_SINK_ABI, unix_open, unix_send, unix_close };
