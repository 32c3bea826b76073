/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/runtime_proc.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/priv/clock.h"

#define SOCKETS_MS    (RUNTIME_ANSWER_MS + 5000) /* beyond that the other process is not well */
#define MEMORY_MAX    (64u << 20)
#define MESSAGES_EACH 4

struct runtime_proc {
	struct chan monitor, engine; /* engine.fd -1 between one engine process and the next */
	const struct runtime_args *args;
	int sockets; /* to the process that may connect */
	pid_t sockets_pid;
	uint64_t paused_ns[RUNTIME_SOURCES]; /* until when */
	bool stop, gone;
	char answer[RUNTIME_ANSWER_MAX];
	_Alignas(8) uint8_t buf[MSG_BYTES_MAX];
};

/* ---- the process that may connect --------------------------------------------------------------------------------------- */

static bool take(struct runtime_proc *p, void *to, size_t len, uint64_t until)
{
	char *at = to;

	while (len) {
		struct pollfd f = { .fd = p->sockets, .events = POLLIN };
		uint64_t now = clock_mono_ns();
		ssize_t n;

		if (now >= until || poll(&f, 1, (int)((until - now) / 1000000) + 1) <= 0)
			return false;
		n = read(p->sockets, at, len);
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

/* 0 with @ret_len bytes in p->answer. */
static int ask(struct runtime_proc *p, uint32_t source, const char *id, size_t *ret_len)
{
	uint64_t until = clock_mono_ns() + SOCKETS_MS * 1000000ull;
	struct sockets_question q = { .source = source };
	struct sockets_answer a;

	memcpy(q.id, id, sizeof(q.id));
	if (write(p->sockets, &q, sizeof(q)) != sizeof(q) || !take(p, &a, sizeof(a), until) ||
	    a.len > sizeof(p->answer) || !take(p, p->answer, a.len, until)) {
		p->gone = true;
		return -EPIPE;
	}
	*ret_len = a.len;
	return a.error;
}

static int start_sockets(struct runtime_proc *p)
{
	pid_t us = getpid();
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	p->sockets_pid = fork();
	if (p->sockets_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "tamisd-sockets");
		close(fds[0]);
		chan_close(&p->monitor);
		_exit(getppid() == us ? sockets_main(p->args, fds[1]) : EXIT_FAILURE);
	}
	close(fds[1]);
	p->sockets = fds[0];
	return p->sockets_pid < 0 ? -errno : 0;
}

/* ---- the engine ---------------------------------------------------------------------------------------------------- */

/* The first of the runtimes in question that knows it. What took too long says more than what was refused. */
static int look_up(struct runtime_proc *p, const struct msg_container *q, struct container_names *ret)
{
	const struct runtime_sources *s = &p->args->sources;
	char id[RUNTIME_ID + 1] = "";
	int worst = -ENOENT;

	memcpy(id, q->id, sizeof(q->id));
	for (uint32_t i = 0; i < s->n && !p->gone; i++) {
		uint64_t now = clock_mono_ns();
		size_t len = 0;
		int r;

		if (q->runtime[0] && strncmp(q->runtime, runtime_kind_name(s->v[i].kind), sizeof(q->runtime)) != 0)
			continue;
		r = now < p->paused_ns[i] ? -ETIMEDOUT : ask(p, i, id, &len);
		if (r == -ETIMEDOUT && now >= p->paused_ns[i])
			p->paused_ns[i] = clock_mono_ns() + RUNTIME_PAUSE_MS * 1000000ull;
		if (r == 0)
			r = runtime_answer(s->v[i].kind, id, p->answer, len, ret);
		if (r == 0)
			return 0;
		if (worst != -ETIMEDOUT && r != -ENOENT)
			worst = r;
	}
	return worst;
}

static int on_container(void *ctx, struct msg *m)
{
	struct runtime_proc *p = ctx;
	struct container_names names = { 0 };
	struct msg_container_ok ok = { 0 };
	char texts[sizeof(names)];
	struct msg_container q;
	size_t len = 0;

	memcpy(&q, m->body, sizeof(q));
	if (!runtime_is_id(q.id, sizeof(q.id)))
		return -EPROTO;
	memcpy(ok.id, q.id, sizeof(ok.id));
	ok.error = look_up(p, &q, &names);
	for (size_t i = 0; i < CONTAINER_NAMES && !ok.error; i++) {
		size_t n = strlen(names.text[i]) + 1;

		memcpy(texts + len, names.text[i], n);
		len += n;
	}
	return chan_send_wait(&p->engine, MSG_CONTAINER_OK, &ok, sizeof(ok), texts, len, -1, 1000);
}

/* ---- the monitor --------------------------------------------------------------------------------------------------- */

static int on_link(void *ctx, struct msg *m)
{
	struct runtime_proc *p = ctx;

	chan_close(&p->engine);
	p->engine.fd = TAKE_FD(m->fd);
	return 0;
}

static int on_stop(void *ctx, struct msg *m)
{
	struct runtime_proc *p = ctx;

	p->stop = true;
	return 0;
}

static const msg_handler from_monitor[MSG_TYPES] = { [MSG_STOP] = on_stop, [MSG_LINK] = on_link };
static const msg_handler from_engine[MSG_TYPES] = { [MSG_CONTAINER] = on_container };

static int loop(struct runtime_proc *p)
{
	int r = 0;

	while (r >= 0 && !p->stop && !p->gone) {
		struct pollfd fds[] = { { .fd = p->monitor.fd, .events = POLLIN },
					{ .fd = p->engine.fd, .events = POLLIN },
					{ .fd = p->sockets, .events = POLLIN } };

		if (poll(fds, 3, -1) < 0)
			return errno == EINTR ? 0 : -errno;
		if (fds[2].revents)
			p->gone = true; /* it says nothing unasked */
		else if (fds[1].revents && chan_serve(&p->engine, from_engine, p, p->buf, 1) < 0)
			chan_close(&p->engine);
		if (fds[0].revents)
			r = chan_serve(&p->monitor, from_monitor, p, p->buf, MESSAGES_EACH);
	}
	return r;
}

/* How the other process ended; one that hangs is ended. */
static int end(struct runtime_proc *p)
{
	int status = 0;

	close(p->sockets);
	for (int ms = 0; ms < 1000; ms += 20) {
		if (waitpid(p->sockets_pid, &status, WNOHANG) == p->sockets_pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
		poll(NULL, 0, 20);
	}
	return EXIT_FAILURE; /* and PR_SET_PDEATHSIG */
}

static int begin(struct runtime_proc *p, struct err *e)
{
	const struct rlimit memory = { MEMORY_MAX, MEMORY_MAX };
	struct confine_user user;
	int r = start_sockets(p);

	if (r < 0)
		return err_set(e, r, "cannot start the process that asks runtimes: %s", strerror(-r));
	json_object_seed(0); /* from /dev/urandom, while that can be opened */
	setrlimit(RLIMIT_DATA, &memory);
	confine_user(ROLE_RUNTIME, &user);
	r = confine_drop_user(&user, e);
	if (r < 0)
		return r;
	confine_memory();
	return confine_syscalls(ROLE_RUNTIME, p->args->mode, e);
}

int runtime_main(const struct runtime_args *a)
{
	static struct runtime_proc p;
	struct msg_ready ready = { 0 };
	struct err e = { "" };
	int r;

	p.args = a;
	p.monitor = a->monitor;
	p.engine = (struct chan){ -1, ROLE_RUNTIME, ROLE_ENGINE };
	r = begin(&p, &e);
	if (r < 0) {
		log_err("%s", e.msg);
		return EXIT_FAILURE;
	}
	ready.value = (uint64_t)p.sockets_pid;
	chan_send(&p.monitor, MSG_READY, &ready, sizeof(ready), -1);
	r = loop(&p);
	if (p.gone)
		return end(&p);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
