/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/ctl/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "sensor/priv/msg.h"
#include "sensor/priv/state.h"

#define ANSWER_MS 30000

static int connect_failed(const char *state_dir, int r, struct err *e)
{
	if (r == -ENOENT || r == -ECONNREFUSED)
		return err_set(e, r, "no sensor runs on %s: start tamisd, or name its directory with --state DIR",
			       state_dir);
	if (r == -EACCES || r == -EPERM)
		return err_set(e, r, "%s/" STATE_SOCKET " is root's: use sudo", state_dir);
	return err_set(e, r, "cannot reach the sensor on %s: %s", state_dir, strerror(-r));
}

static int client_connect(const char *state_dir, struct chan *ret, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_close_ int dir = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (dir < 0 || fd < 0)
		return connect_failed(state_dir, -errno, e);
	/* by descriptor, because sun_path is short */
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/" STATE_SOCKET, dir);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return connect_failed(state_dir, -errno, e);
	*ret = (struct chan){ .fd = TAKE_FD(fd), .self = ROLE_CTL, .peer = ROLE_MONITOR };
	return 0;
}

static int take_reply(const struct msg *m, char **ret, struct err *e)
{
	const char *text = (const char *)m->body + sizeof(struct msg_reply);
	_cleanup_free_ char *copy = strndup(text, m->len - sizeof(struct msg_reply));
	struct msg_reply reply;

	memcpy(&reply, m->body, sizeof(reply));
	if (!copy)
		return err_set(e, -ENOMEM, "no memory for the answer");
	if (reply.error)
		return err_set(e, reply.error < 0 ? reply.error : -EIO, "%s", copy);
	*ret = TAKE_PTR(copy);
	return 0;
}

/* One message in @buf. */
static int await_msg(const struct chan *c, void *buf, struct msg *ret, struct err *e)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	int r;

	do {
		r = poll(&p, 1, ANSWER_MS);
	} while (r < 0 && errno == EINTR);
	if (r == 0)
		return err_set(e, -ETIMEDOUT, "the sensor does not answer; look at its messages");
	r = chan_recv(c, buf, ret);
	if (r <= 0)
		return err_set(e, r ? r : -EIO, "the sensor gave no answer (is it stopping, or of another version?)");
	return 0;
}

/* What the sensor says to @q; @buf (MSG_BYTES_MAX bytes) holds it. The caller owns its descriptor. */
static int ask(const char *state_dir, const struct client_question *q, void *buf, struct msg *ret, struct err *e)
{
	struct chan c = { .fd = -1 };
	int r = client_connect(state_dir, &c, e);

	if (r < 0)
		return r;
	r = chan_send_wait(&c, q->type, q->body, q->len, NULL, 0, q->fd, 1000);
	r = r < 0 ? err_set(e, r, "cannot ask the sensor: %s", strerror(-r)) : await_msg(&c, buf, ret, e);
	chan_close(&c);
	return r;
}

static int makes_no_sense(struct msg *m, struct err *e)
{
	if (m->fd >= 0)
		close(m->fd);
	return err_set(e, -EPROTO, "the sensor's answer makes no sense");
}

int client_ask(const char *state_dir, const struct client_question *q, char **ret, struct err *e)
{
	_cleanup_free_ void *buf = aligned_alloc(8, MSG_BYTES_MAX);
	struct msg m;
	int r = buf ? ask(state_dir, q, buf, &m, e) : err_set(e, -ENOMEM, "no memory");

	if (r < 0)
		return r;
	return m.type == MSG_REPLY ? take_reply(&m, ret, e) : makes_no_sense(&m, e);
}

int client_capture(const char *state_dir, const struct msg_capture *what, struct chan *ret, struct err *e)
{
	const struct client_question q = { .type = MSG_CAPTURE, .body = what, .len = sizeof(*what), .fd = -1 };
	_cleanup_free_ void *buf = aligned_alloc(8, MSG_BYTES_MAX);
	_cleanup_free_ char *text = NULL;
	struct msg m;
	int r = buf ? ask(state_dir, &q, buf, &m, e) : err_set(e, -ENOMEM, "no memory");

	if (r < 0)
		return r;
	if (m.type == MSG_CAPTURE_FD) {
		*ret = (struct chan){ .fd = m.fd, .self = ROLE_CTL, .peer = ROLE_ENGINE };
		return 0;
	}
	/* a refusal; that the sensor agrees and gives nothing makes no sense */
	r = m.type == MSG_REPLY ? take_reply(&m, &text, e) : 0;
	return r < 0 ? r : makes_no_sense(&m, e);
}
