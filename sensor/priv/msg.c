/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/msg.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define ALERT_BYTES_MIN 8u

/* What may be said, by whom, to whom. A size is that of the body; fd: whether a descriptor comes along. */
static const struct msg_rule {
	uint16_t type;
	uint8_t from, to; /* enum role */
	uint8_t fd;
	uint32_t min, max;
} rules[] = {
	{ MSG_READY, ROLE_ENGINE, ROLE_MONITOR, 0, sizeof(struct msg_ready), sizeof(struct msg_ready) },
	{ MSG_READY, ROLE_RECORD, ROLE_MONITOR, 0, sizeof(struct msg_ready), sizeof(struct msg_ready) },
	{ MSG_PROGRAM, ROLE_MONITOR, ROLE_ENGINE, 1, sizeof(struct msg_program), sizeof(struct msg_program) },
	{ MSG_KIN, ROLE_MONITOR, ROLE_ENGINE, 1, 0, 0 },
	{ MSG_PROGRAM_OK, ROLE_ENGINE, ROLE_MONITOR, 0, sizeof(struct msg_program_ok), sizeof(struct msg_program_ok) },
	{ MSG_PEER, ROLE_MONITOR, ROLE_ENGINE, 1, 0, 0 },
	{ MSG_PEER, ROLE_MONITOR, ROLE_RECORD, 1, 0, 0 },
	{ MSG_PEER_OK, ROLE_ENGINE, ROLE_MONITOR, 0, 0, 0 },
	{ MSG_PEER_OK, ROLE_RECORD, ROLE_MONITOR, 0, 0, 0 },
	{ MSG_NOTE, ROLE_MONITOR, ROLE_RECORD, 0, sizeof(struct msg_note) + 3, 16 << 10 },
	{ MSG_ALARM, ROLE_MONITOR, ROLE_RECORD, 0, ALERT_BYTES_MIN, 4 << 10 },
	{ MSG_ALERTS, ROLE_ENGINE, ROLE_RECORD, 0, ALERT_BYTES_MIN, MSG_BODY_MAX },
	{ MSG_PIECE, ROLE_ENGINE, ROLE_RECORD, 0, sizeof(struct msg_piece) + 1, MSG_BODY_MAX },
	{ MSG_HELD, ROLE_RECORD, ROLE_MONITOR, 0, sizeof(struct msg_held), sizeof(struct msg_held) },
	{ MSG_STOP, ROLE_MONITOR, ROLE_ENGINE, 0, 0, 0 },
	{ MSG_STOP, ROLE_MONITOR, ROLE_RECORD, 0, 0, 0 },
	{ MSG_STATUS, ROLE_CTL, ROLE_MONITOR, 0, 0, 0 },
	{ MSG_STATS, ROLE_CTL, ROLE_MONITOR, 0, 0, 0 },
	{ MSG_RELOAD, ROLE_CTL, ROLE_MONITOR, 1, 1, 4096 },
	{ MSG_REPLY, ROLE_MONITOR, ROLE_CTL, 0, sizeof(struct msg_reply), MSG_BODY_MAX },
	{ MSG_CAPTURE, ROLE_CTL, ROLE_MONITOR, 0, sizeof(struct msg_capture), sizeof(struct msg_capture) },
	{ MSG_CAPTURE_FD, ROLE_MONITOR, ROLE_CTL, 1, 0, 0 },
	{ MSG_CAPTURE_TO, ROLE_MONITOR, ROLE_ENGINE, 1, sizeof(struct msg_capture_to), sizeof(struct msg_capture_to) },
	{ MSG_CAPTURE_LOST, ROLE_MONITOR, ROLE_ENGINE, 0, sizeof(struct msg_capture_lost),
	  sizeof(struct msg_capture_lost) },
	{ MSG_CAPTURE_OVER, ROLE_ENGINE, ROLE_MONITOR, 0, sizeof(struct msg_capture_over),
	  sizeof(struct msg_capture_over) },
	{ MSG_CAPTURE_DATA, ROLE_ENGINE, ROLE_CTL, 0, 1, MSG_BODY_MAX },
	{ MSG_CAPTURE_DATA, ROLE_ENGINE, ROLE_RECORD, 0, 1, MSG_BODY_MAX },
	{ MSG_SNAP, ROLE_ENGINE, ROLE_RECORD, 0, sizeof(struct msg_snap),
	  sizeof(struct msg_snap) + 2 * MSG_SNAP_NAME_MAX },
	{ MSG_SNAP_END, ROLE_ENGINE, ROLE_RECORD, 0, sizeof(struct msg_snap_end), sizeof(struct msg_snap_end) },
	{ MSG_SINK_TEST, ROLE_CTL, ROLE_MONITOR, 0, 1, 64 },
	{ MSG_CAPTURE_STOP, ROLE_CTL, ROLE_ENGINE, 0, 0, 0 },
	{ MSG_KILL, ROLE_ENGINE, ROLE_MONITOR, 0, sizeof(struct msg_kill), sizeof(struct msg_kill) },
	{ MSG_DISARMED, ROLE_MONITOR, ROLE_ENGINE, 0, sizeof(struct msg_disarmed), sizeof(struct msg_disarmed) },
	{ MSG_READY, ROLE_HASH, ROLE_MONITOR, 0, sizeof(struct msg_ready), sizeof(struct msg_ready) },
	{ MSG_STOP, ROLE_MONITOR, ROLE_HASH, 0, 0, 0 },
	{ MSG_LINK, ROLE_MONITOR, ROLE_ENGINE, 1, sizeof(struct msg_link), sizeof(struct msg_link) },
	{ MSG_LINK, ROLE_MONITOR, ROLE_HASH, 1, 0, 0 },
	{ MSG_WATCHES, ROLE_MONITOR, ROLE_HASH, 1, 0, 0 },
	{ MSG_INODES, ROLE_HASH, ROLE_MONITOR, 0, sizeof(struct msg_inodes), MSG_BODY_MAX },
	{ MSG_TOUCHES, ROLE_ENGINE, ROLE_HASH, 0, 8, MSG_BODY_MAX },
	{ MSG_FINDING, ROLE_HASH, ROLE_ENGINE, 0, sizeof(struct msg_finding) + ALERT_BYTES_MIN, MSG_BODY_MAX },
	{ MSG_FINDING_OK, ROLE_ENGINE, ROLE_HASH, 0, sizeof(struct msg_finding), sizeof(struct msg_finding) },
	{ MSG_FLUSH, ROLE_ENGINE, ROLE_HASH, 0, 0, 0 },
	{ MSG_FLUSHED, ROLE_HASH, ROLE_ENGINE, 0, 0, 0 },
	{ MSG_HASH, ROLE_ENGINE, ROLE_HASH, 0, sizeof(struct msg_hash) + 1, sizeof(struct msg_hash) + 4095 },
	{ MSG_HASH_OK, ROLE_HASH, ROLE_ENGINE, 0, sizeof(struct msg_hash_ok), sizeof(struct msg_hash_ok) },
	{ MSG_PACKAGE, ROLE_ENGINE, ROLE_HASH, 0, sizeof(struct msg_package), sizeof(struct msg_package) + 4095 },
	{ MSG_PACKAGE_OK, ROLE_HASH, ROLE_ENGINE, 0, sizeof(struct msg_package_ok),
	  sizeof(struct msg_package_ok) + 2048 },
	{ MSG_READY, ROLE_RUNTIME, ROLE_MONITOR, 0, sizeof(struct msg_ready), sizeof(struct msg_ready) },
	{ MSG_STOP, ROLE_MONITOR, ROLE_RUNTIME, 0, 0, 0 },
	{ MSG_LINK, ROLE_MONITOR, ROLE_RUNTIME, 1, 0, 0 },
	{ MSG_CONTAINER, ROLE_ENGINE, ROLE_RUNTIME, 0, sizeof(struct msg_container), sizeof(struct msg_container) },
	{ MSG_CONTAINER_OK, ROLE_RUNTIME, ROLE_ENGINE, 0, sizeof(struct msg_container_ok),
	  sizeof(struct msg_container_ok) + MSG_CONTAINER_TEXTS },
};

static const char *const names[MSG_TYPES] = {
	"none",		"ready",	"kin",	     "program",	     "program-ok", "peer",	   "peer-ok",
	"note",		"alarm",	"alerts",    "piece",	     "held",	   "stop",	   "status",
	"stats",	"reload",	"reply",     "capture",	     "capture-fd", "capture-to",   "capture-lost",
	"capture-over", "capture-data", "sink-test", "capture-stop", "kill",	   "disarmed",	   "link",
	"watches",	"inodes",	"touches",   "finding",	     "finding-ok", "flush",	   "flushed",
	"hash",		"hash-ok",	"package",   "package-ok",   "container",  "container-ok", "snap",
	"snap-end",
};

const char *msg_name(uint16_t type)
{
	return type < MSG_TYPES ? names[type] : "unknown";
}

const char *role_name(enum role r)
{
	static const char *const role_names[ROLES] = { "none", "monitor",  "engine",  "record",
						       "hash", "tamisctl", "runtime", "sockets" };

	return (unsigned int)r < ROLES ? role_names[r] : "unknown";
}

static const struct msg_rule *rule_of(uint16_t type, enum role from, enum role to)
{
	for (size_t i = 0; i < COUNT(rules); i++)
		if (rules[i].type == type && rules[i].from == from && rules[i].to == to)
			return &rules[i];
	return NULL;
}

int msg_check(const void *bytes, size_t size, int fd, enum role peer, enum role self, struct msg *ret)
{
	const struct msg_rule *rule;
	struct msg_head head;
	size_t len;

	if (size < sizeof(head) || size > MSG_BYTES_MAX)
		return -EPROTO;
	memcpy(&head, bytes, sizeof(head));
	len = size - sizeof(head);
	if (head.size != size || head.pad != 0)
		return -EPROTO;
	rule = rule_of(head.type, peer, self);
	if (!rule || len < rule->min || len > rule->max || (fd >= 0) != rule->fd)
		return -EPROTO;
	*ret = (struct msg){
		.type = head.type, .len = (uint32_t)len, .body = (const char *)bytes + sizeof(head), .fd = fd
	};
	return 0;
}

/* ---- sockets ------------------------------------------------------------------------------------------------------- */

int chan_pair(enum role a, enum role b, struct chan ret[2])
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return -errno;
	ret[0] = (struct chan){ .fd = fds[0], .self = a, .peer = b };
	ret[1] = (struct chan){ .fd = fds[1], .self = b, .peer = a };
	return 0;
}

void chan_close(struct chan *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

int chan_send2(const struct chan *c, uint16_t type, const void *a, size_t alen, const void *b, size_t blen, int fd)
{
	const struct msg_rule *rule = rule_of(type, c->self, c->peer);
	struct msg_head head = { .size = (uint32_t)(sizeof(head) + alen + blen), .type = type };
	struct iovec iov[] = { { &head, sizeof(head) }, { (void *)a, alen }, { (void *)b, blen } };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = COUNT(iov) };

	if (!rule || alen > MSG_BODY_MAX || blen > MSG_BODY_MAX || alen + blen < rule->min || alen + blen > rule->max ||
	    (fd >= 0) != rule->fd)
		return -EPROTO;
	if (fd >= 0) {
		struct cmsghdr *cm;

		mh.msg_control = control.bytes;
		mh.msg_controllen = sizeof(control.bytes);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	}
	for (;;) {
		if (sendmsg(c->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno != EINTR)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	}
}

int chan_send(const struct chan *c, uint16_t type, const void *body, size_t len, int fd)
{
	return chan_send2(c, type, body, len, NULL, 0, fd);
}

int chan_send_wait(const struct chan *c, uint16_t type, const void *a, size_t alen, const void *b, size_t blen, int fd,
		   int timeout_ms)
{
	struct pollfd p = { .fd = c->fd, .events = POLLOUT };
	int r = chan_send2(c, type, a, alen, b, blen, fd);

	/* A packet that nearly fills the socket may need more room than POLLOUT promises: hence the short steps. */
	for (int waited = 0; r == -EAGAIN && waited < timeout_ms; waited += 10) {
		if (poll(&p, 1, 10) > 0)
			usleep(500);
		r = chan_send2(c, type, a, alen, b, blen, fd);
	}
	return r;
}

/* The descriptor among the control messages, or -1; more than one is impossible in the space we gave. */
static int received_fd(struct msghdr *mh)
{
	int fd = -1;

	for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm))
		if (cm->cmsg_level == SOL_SOCKET && cm->cmsg_type == SCM_RIGHTS &&
		    cm->cmsg_len == CMSG_LEN(sizeof(int)))
			memcpy(&fd, CMSG_DATA(cm), sizeof(int));
	return fd;
}

int chan_recv(const struct chan *c, void *buf, struct msg *ret)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { buf, MSG_BYTES_MAX };
	struct msghdr mh = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
	};
	ssize_t n;
	int fd, r;

	do {
		n = recvmsg(c->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
	fd = received_fd(&mh);
	if (n == 0 && fd < 0)
		return -ECONNRESET;
	r = mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EPROTO : msg_check(buf, (size_t)n, fd, c->peer, c->self, ret);
	if (r < 0) {
		if (fd >= 0)
			close(fd);
		return r;
	}
	return 1;
}

int chan_serve(const struct chan *c, const msg_handler handlers[MSG_TYPES], void *ctx, void *buf, int most)
{
	struct msg m;
	int done = 0, r;

	while (done < most) {
		r = chan_recv(c, buf, &m);
		if (r <= 0)
			return r < 0 ? r : done;
		r = handlers[m.type] ? handlers[m.type](ctx, &m) : -EPROTO;
		if (m.fd >= 0)
			close(m.fd);
		if (r < 0)
			return r;
		done++;
	}
	return done;
}

/* ---- alerts -------------------------------------------------------------------------------------------------------- */

void alert_text_put(void *to, const struct alert_text *a)
{
	const uint32_t len[2] = { a->head_len, a->tail_len };
	char *p = to;
	size_t size = ALERT_TEXT_SIZE(a->head_len, a->tail_len), used = sizeof(len) + a->head_len + a->tail_len;

	memcpy(p, len, sizeof(len));
	memcpy(p + sizeof(len), a->head, a->head_len);
	memcpy(p + sizeof(len) + a->head_len, a->tail, a->tail_len);
	memset(p + used, 0, size - used);
}

int alert_text_next(const void *body, uint32_t len, uint32_t *off, struct alert_text *ret)
{
	const char *p = (const char *)body + *off;
	uint32_t left = len - *off, part[2];

	if (!left)
		return 0;
	if (left < sizeof(part))
		return -EPROTO;
	memcpy(part, p, sizeof(part));
	if (part[0] > left || part[1] > left || ALERT_TEXT_SIZE(part[0], part[1]) > left)
		return -EPROTO;
	ret->head = p + sizeof(part);
	ret->head_len = part[0];
	ret->tail = ret->head + part[0];
	ret->tail_len = part[1];
	*off += ALERT_TEXT_SIZE(part[0], part[1]);
	return 1;
}
