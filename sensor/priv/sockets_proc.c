/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that may connect to runtimes: see runtime_proc.h. It parses nothing: what it is told has a fixed size, what comes back is
 * bytes up to the end. Its rights are the groups that the sockets are open to, and for the bundles of containerd that of reading.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/priv/clock.h"
#include "sensor/priv/runtime_proc.h"

struct sockets_proc {
	const struct runtime_sources *sources; /* borrowed */
	gid_t groups[RUNTIME_SOURCES];
	size_t ngroups;
	bool again; /* a socket is open to a group that is not ours: with more rights it can be asked */
	uint64_t until;
	size_t len;
	char answer[RUNTIME_ANSWER_MAX];
};

/* The group by which that socket may be written to, if it is one that others may not. */
static bool group_of(const struct runtime_source *s, gid_t *ret)
{
	struct stat st;

	if (s->kind == RUNTIME_CONTAINERD || stat(s->path, &st) < 0 || !S_ISSOCK(st.st_mode) ||
	    !(st.st_mode & S_IWGRP) || st.st_mode & S_IWOTH)
		return false;
	*ret = st.st_gid;
	return true;
}

static bool is_ours(const struct sockets_proc *p, gid_t group)
{
	for (size_t i = 0; i < p->ngroups; i++)
		if (p->groups[i] == group)
			return true;
	return false;
}

/* ---- asking -------------------------------------------------------------------------------------------------------- */

/* Waits for @events: 0, or -ETIMEDOUT. */
static int wait_for(const struct sockets_proc *p, int fd, short events)
{
	struct pollfd f = { .fd = fd, .events = events };
	uint64_t now = clock_mono_ns();
	int r = now < p->until ? poll(&f, 1, (int)((p->until - now) / 1000000) + 1) : 0;

	return r > 0 ? 0 : r < 0 && errno != EINTR ? -errno : -ETIMEDOUT;
}

/* One whose queue is full is -EAGAIN, and nothing tells when it is not any more. */
static int connect_to(const struct sockets_proc *p, const char *path, int *ret)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	memcpy(to.sun_path, path, strlen(path));
	while (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (clock_mono_ns() >= p->until)
			return -ETIMEDOUT;
		poll(NULL, 0, 20);
	}
	*ret = TAKE_FD(fd);
	return 0;
}

static int send_all(const struct sockets_proc *p, int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);
		int r = n >= 0 ? 0 : errno == EAGAIN ? wait_for(p, fd, POLLOUT) : errno == EINTR ? 0 : -errno;

		if (r < 0)
			return r;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int read_all(struct sockets_proc *p, int fd)
{
	for (;;) {
		ssize_t n = read(fd, p->answer + p->len, sizeof(p->answer) - p->len);
		int r = n >= 0 ? 0 : errno == EAGAIN ? wait_for(p, fd, POLLIN) : errno == EINTR ? 0 : -errno;

		if (n == 0)
			return p->len == sizeof(p->answer) ? -EFBIG : 0;
		if (r < 0)
			return r;
		p->len += n > 0 ? (size_t)n : 0;
		if (p->len == sizeof(p->answer))
			return -EFBIG;
		if (clock_mono_ns() >= p->until)
			return -ETIMEDOUT;
	}
}

static int ask_socket(struct sockets_proc *p, const struct runtime_source *s, const char *id)
{
	_cleanup_close_ int fd = -1;
	char text[256];
	int n = snprintf(text, sizeof(text),
			 "GET /containers/%s%s HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n", id,
			 s->kind == RUNTIME_CRIO ? "" : "/json");
	int r = connect_to(p, s->path, &fd);
	gid_t group;

	p->again = r == -EACCES && group_of(s, &group) && !is_ours(p, group);
	if (r == 0)
		r = send_all(p, fd, text, (size_t)n);
	return r == 0 ? read_all(p, fd) : r;
}

/* Name spaces in which containers have names that are in the bundle. */
static int read_bundle(struct sockets_proc *p, const struct runtime_source *s, const char *id)
{
	static const char *const spaces[] = { "k8s.io", "default" };
	int r = -ENOENT;

	for (size_t i = 0; i < 2 && r == -ENOENT; i++) {
		_cleanup_close_ int fd = -1;
		char path[256];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s/%s/config.json", s->path, spaces[i], id);
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		r = fd < 0 ? -errno : fstat(fd, &st) < 0 ? -errno : !S_ISREG(st.st_mode) ? -EINVAL : read_all(p, fd);
	}
	return r;
}

/* ---- the other process ------------------------------------------------------------------------------------------------- */

static bool take(int fd, void *to, size_t len)
{
	char *at = to;
	ssize_t n;

	for (; len; at += n, len -= (size_t)n) {
		n = read(fd, at, len);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return false;
	}
	return true;
}

static bool give(int fd, const void *from, size_t len)
{
	const char *at = from;
	ssize_t n;

	for (; len; at += n, len -= (size_t)n) {
		n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return false;
	}
	return true;
}

static int answer(struct sockets_proc *p, const struct sockets_question *q)
{
	const struct runtime_source *s = &p->sources->v[q->source];
	char id[RUNTIME_ID + 1];

	snprintf(id, sizeof(id), "%.*s", RUNTIME_ID, q->id);
	p->until = clock_mono_ns() + RUNTIME_ANSWER_MS * 1000000ull;
	p->len = 0;
	return s->kind == RUNTIME_CONTAINERD ? read_bundle(p, s, id) : ask_socket(p, s, id);
}

static int loop(struct sockets_proc *p, int fd)
{
	struct sockets_question q;

	while (take(fd, &q, sizeof(q))) {
		struct sockets_answer a;

		/* it may have been taken over: nothing but that one question */
		if (q.source >= p->sources->n || !runtime_is_id(q.id, sizeof(q.id)))
			return EXIT_FAILURE;
		a.error = answer(p, &q);
		a.len = a.error ? 0 : (uint32_t)p->len;
		if (!give(fd, &a, sizeof(a)) || !give(fd, p->answer, a.len))
			break;
		if (p->again)
			return RUNTIME_AGAIN;
	}
	return EXIT_SUCCESS;
}

int sockets_main(const struct runtime_args *a, int fd)
{
	static struct sockets_proc p;
	struct confine_user user;
	struct err e = { "" };
	bool reader = false;
	int r;

	p.sources = &a->sources;
	for (size_t i = 0; i < a->sources.n; i++) {
		reader |= a->sources.v[i].kind == RUNTIME_CONTAINERD;
		if (group_of(&a->sources.v[i], &p.groups[p.ngroups]) && !is_ours(&p, p.groups[p.ngroups]))
			p.ngroups++;
	}
	confine_user(ROLE_SOCKETS, &user);
	r = confine_drop_to_groups(&user, p.ngroups, p.groups, reader, &e);
	if (r == 0) {
		confine_memory();
		r = confine_syscalls(ROLE_SOCKETS, a->mode, &e);
	}
	if (r < 0) {
		log_err("%s", e.msg);
		return EXIT_FAILURE;
	}
	return loop(&p, fd);
}
