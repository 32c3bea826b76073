/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/spool_proc.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/priv/clock.h"
#include "sensor/priv/confine_spool.h"
#include "sensor/priv/monitor_impl.h"
#include "sensor/priv/sink_proc.h"

#define MS	  1000000ull
#define TICK_MS	  200
#define QUIET_MS  10000 /* beside its own timeout, a sink's process may do nothing for so long */
#define BEAT_MS	  10000 /* the like, of the spool */
#define END_MS	  4000
#define PAUSE_MAX 30000

struct ward {
	pid_t pid; /* 0: not running */
	uint64_t commits, seen_ns, due_ns, begun_ns;
	unsigned int deaths; /* in a row */
	bool hung;
};

static bool closed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* ---- between monitor and reserve: a byte with a descriptor ----------------------------------------------------------- */

union one_fd {
	struct cmsghdr head; /* for its alignment */
	char bytes[CMSG_SPACE(sizeof(int))];
};

int spool_give(int to, int fd)
{
	struct iovec byte = { "k", 1 };
	union one_fd control = { .bytes = { 0 } };
	struct msghdr m = {
		.msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : -1;
}

/* Waits; -1: the monitor is gone. */
static int spool_take(int from)
{
	char text;
	struct iovec byte = { &text, 1 };
	union one_fd control = { .bytes = { 0 } };
	struct msghdr m = {
		.msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c;
	ssize_t got;
	int fd;

	do
		got = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	c = got == 1 ? CMSG_FIRSTHDR(&m) : NULL;
	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* ---- sinks --------------------------------------------------------------------------------------------------------- */

static void start_sink(const struct spool_args *a, struct ward *w, size_t i)
{
	struct page_slot *slot = &a->page->sink[i];
	pid_t pid = fork();
	char name[64];

	if (pid == 0) {
		int keep[] = { a->log_fd, a->spool_fd };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if ((uint64_t)getppid() != page_load(&a->page->pid))
			_exit(EXIT_FAILURE);
		snprintf(name, sizeof(name), "sink %s", a->confs->sink[i].name);
		child_be_named(name);
		child_close_all_but(keep, 2);
		_exit(sink_main(a, i));
	}
	w->begun_ns = w->seen_ns = clock_mono_ns();
	w->commits = page_load(&slot->commits);
	w->hung = false;
	w->pid = pid > 0 ? pid : 0;
	if (pid < 0)
		w->due_ns = w->begun_ns + 1000 * MS;
}

static void describe(struct page_slot *slot, const struct ward *w, int status, uint32_t quiet_s)
{
	struct sink_counts c;

	if (w->hung && slot->slot[0].inflight + slot->slot[1].inflight)
		snprintf(
			slot->why, sizeof(slot->why),
			"killed, because it did nothing for %u s: the collector does not answer, or its name is not resolved",
			quiet_s);
	else if (w->hung)
		snprintf(slot->why, sizeof(slot->why), "killed, because it did nothing for %u s: is its name resolved?",
			 quiet_s);
	else if (WIFSIGNALED(status))
		snprintf(slot->why, sizeof(slot->why), "killed by signal %d", WTERMSIG(status));
	else
		snprintf(slot->why, sizeof(slot->why), "exited with status %d", WEXITSTATUS(status));
	page_store(&slot->why_ns, clock_real_ns());
	page_store(&slot->restarts, page_load(&slot->restarts) + 1);
	/* its writer is gone: its place is ours until the next one starts */
	page_get(slot, &c);
	if (!WIFEXITED(status)) {
		snprintf(c.error, sizeof(c.error), "its process was %.200s", slot->why);
		c.state = SINK_RETRYING;
		c.retried += w->hung;
		if (!c.failing_ns)
			c.failing_ns = clock_real_ns();
		page_put(slot, &c);
	}
}

/* 0, 1 s, 2 s ... 30 s by how many deaths there were without a minute of life between */
static void on_death(const struct spool_args *a, struct ward *w, size_t i, int status)
{
	const struct sink_conf *c = &a->confs->sink[i];
	uint64_t now = clock_mono_ns(), pause;

	describe(&a->page->sink[i], w, status, c->timeout_s + QUIET_MS / 1000);
	w->deaths = now - w->begun_ns > 60000 * MS ? 0 : w->deaths + 1;
	pause = w->deaths <= 1 ? 0 : 1000ull << (w->deaths - 2 < 6 ? w->deaths - 2 : 6);
	if (pause > PAUSE_MAX)
		pause = PAUSE_MAX;
	log_warn("the process of sink %s (pid %d) was %s; it is started again", c->name, w->pid, a->page->sink[i].why);
	w->pid = 0;
	w->due_ns = now + pause * MS;
}

static void watch_sink(const struct spool_args *a, struct ward *w, size_t i)
{
	uint64_t commits = page_load(&a->page->sink[i].commits), now = clock_mono_ns();
	uint64_t limit = (a->confs->sink[i].timeout_s * 1000ull + QUIET_MS) * MS;
	int status;

	if (!w->pid) {
		if (now >= w->due_ns)
			start_sink(a, w, i);
		return;
	}
	if (waitpid(w->pid, &status, WNOHANG) == w->pid)
		return on_death(a, w, i, status);
	if (commits != w->commits) {
		w->commits = commits;
		w->seen_ns = now;
	} else if (now - w->seen_ns > limit && !w->hung) {
		w->hung = true;
		kill(w->pid, SIGKILL);
	}
}

/* ---- the spool ----------------------------------------------------------------------------------------------------- */

static void __attribute__((noreturn)) keeper_loop(const struct spool_args *a, int spool_fd);

static void end_sinks(const struct spool_args *a, struct ward *w)
{
	uint64_t end = clock_mono_ns() + END_MS * MS;
	int status;
	size_t left;

	for (size_t i = 0; i < a->confs->n; i++)
		if (w[i].pid)
			kill(w[i].pid, SIGTERM);
	do {
		left = 0;
		for (size_t i = 0; i < a->confs->n; i++) {
			if (w[i].pid && waitpid(w[i].pid, &status, WNOHANG) == w[i].pid)
				w[i].pid = 0;
			left += w[i].pid != 0;
		}
		usleep(20000);
	} while (left && clock_mono_ns() < end);
	/* the others by PR_SET_PDEATHSIG; their cursors say how far they are */
}

/* A process that is @body, with one end of a socket; our end is returned, which closes with it. -1: there is none. */
static int fork_with(const struct spool_args *a, void (*body)(const struct spool_args *a, int fd), pid_t *ret_pid)
{
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		body(a, fds[1]);
	}
	close(fds[1]);
	*ret_pid = pid;
	if (pid > 0)
		return fds[0];
	close(fds[0]);
	return -1;
}

/* One visible loop: sinks, the keeper, the monitor's end. */
static void __attribute__((noreturn)) spool_loop(const struct spool_args *a, int keeper_fd)
{
	static struct ward wards[SINKS_MAX];
	pid_t keeper = 0; /* one that is our child */

	child_be_named("spool");
	memset(wards, 0, sizeof(wards));
	page_store(&a->page->pid, (uint64_t)getpid());
	for (;;) {
		struct pollfd p[] = { { .fd = a->monitor_fd, .events = POLLIN },
				      { .fd = keeper_fd, .events = POLLIN } };

		page_store(&a->page->beat, page_load(&a->page->beat) + 1);
		for (size_t i = 0; i < a->confs->n; i++)
			watch_sink(a, &wards[i], i);
		poll(p, 2, TICK_MS);
		if (p[0].revents)
			break;
		if (p[1].revents || keeper_fd < 0) {
			if (keeper_fd >= 0)
				close(keeper_fd);
			page_store(&a->page->keepers, page_load(&a->page->keepers) + 1);
			keeper_fd = fork_with(a, keeper_loop, &keeper);
		}
		if (keeper > 0 && waitpid(keeper, NULL, WNOHANG) == keeper)
			keeper = 0;
	}
	end_sinks(a, wards);
	_exit(EXIT_SUCCESS);
}

/* ---- the keeper ---------------------------------------------------------------------------------------------------- */

/* Waits for the spool's death; one that does nothing any more is killed. */
static void keep(const struct spool_args *a, int spool_fd)
{
	uint64_t beat = 0, seen = clock_mono_ns();

	for (;;) {
		struct pollfd p[] = { { .fd = a->monitor_fd, .events = POLLIN }, { .fd = spool_fd, .events = POLLIN } };
		uint64_t now, is = page_load(&a->page->beat);

		poll(p, 2, 1000);
		if (p[0].revents)
			_exit(EXIT_SUCCESS);
		if (p[1].revents)
			return;
		now = clock_mono_ns();
		if (is != beat) {
			beat = is;
			seen = now;
		} else if (now - seen > BEAT_MS * MS) {
			pid_t pid = (pid_t)page_load(&a->page->pid);

			log_err("the spool (pid %d) does nothing: it is killed", pid);
			if (pid > 1)
				kill(pid, SIGKILL);
			seen = now;
		}
	}
}

static void keeper_loop(const struct spool_args *a, int spool_fd)
{
	uint64_t pause = 0;
	pid_t pid;

	child_be_named("keeper");
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		uint64_t begun = clock_mono_ns();

		if (spool_fd < 0) {
			signal(SIGCHLD, SIG_DFL);
			spool_fd = fork_with(a, spool_loop, &pid);
			signal(SIGCHLD, SIG_IGN);
		}
		if (spool_fd >= 0) {
			keep(a, spool_fd);
			close(TAKE_FD(spool_fd));
		}
		if (closed(a->monitor_fd))
			_exit(EXIT_SUCCESS);
		page_store(&a->page->restarts, page_load(&a->page->restarts) + 1);
		log_warn("the spool was killed or ended; it is started again");
		pause = clock_mono_ns() - begun > 60000 * MS ? 0 : pause ? pause * 2 : 1;
		if (pause > PAUSE_MAX)
			pause = PAUSE_MAX;
		usleep((useconds_t)(pause > 1000 ? pause : pause > 8 ? pause : 0) * 1000);
	}
}

/* What a keeper is from its fork on. */
static void __attribute__((noreturn)) keeper_main(const struct spool_args *a)
{
	int keep_fds[] = { a->monitor_fd, a->log_fd, a->spool_fd };
	struct err e = { "" };

	signal(SIGCHLD, SIG_DFL);
	umask(027);
	child_be_named("keeper");
	child_close_all_but(keep_fds, 3);
	if (confine_spool_drop(&e) < 0 || confine_spool_syscalls(false, a->mode, &e) < 0) {
		log_err("%s", e.msg);
		_exit(EXIT_FAILURE);
	}
	confine_memory();
	keeper_loop(a, -1);
}

/* ---- the reserve --------------------------------------------------------------------------------------------------- */

void spool_reserve(struct spool_args *a, int fd)
{
	int keep_fds[] = { fd, a->log_fd, a->spool_fd };
	struct err e = { "" };
	sigset_t none;

	child_ignore_ends();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	child_be_named("reserve");
	dup2(a->null_fd, 0);
	dup2(a->null_fd, 1);
	child_close_all_but(keep_fds, 3);
	confine_memory();
	if (confine_spool_reserve(&e) < 0) {
		log_err("%s", e.msg);
		_exit(EXIT_FAILURE);
	}
	while ((a->monitor_fd = spool_take(fd)) >= 0) {
		if (fork() == 0)
			keeper_main(a);
		close(a->monitor_fd);
	}
	_exit(EXIT_SUCCESS);
}
