/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all processes of the monitor have in common, and, further down, those two whose death costs no more than time: hash and
 * runtime. What engine and record have besides, because they hold alerts, is in children.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/log.h"
#include "sensor/priv/monitor_impl.h"

#define MS	       1000000ull
#define BACKOFF_MAX_MS 30000
#define MESSAGES_EACH  16

const char *child_state_name(const struct child *c)
{
	static const char *const names[] = { "down", "starting", "up", "done" };

	return names[c->state];
}

bool child_is_alive(const struct child *c)
{
	return c->state == CHILD_STARTING || c->state == CHILD_UP;
}

void child_kill(struct child *c)
{
	if (child_is_alive(c))
		kill(c->pid, SIGKILL);
}

/* ---- on its side --------------------------------------------------------------------------------------------------- */

static int fd_cmp(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void close_between(unsigned int first, unsigned int last)
{
	if (first > last || syscall(__NR_close_range, first, last, 0) == 0)
		return;
	for (unsigned int fd = first; fd <= last && fd < 65536; fd++)
		close((int)fd);
}

/* Entries of -1 are passed over. */
void child_close_all_but(int *keep, size_t n)
{
	unsigned int next = 3;

	qsort(keep, n, sizeof(*keep), fd_cmp);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)next)
			continue;
		close_between(next, (unsigned int)keep[i] - 1);
		next = (unsigned int)keep[i] + 1;
	}
	close_between(next, ~0u);
}

void child_be_named(const char *name)
{
	char prog[64];

	snprintf(prog, sizeof(prog), "tamisd-%s", name);
	prctl(PR_SET_NAME, prog);
	snprintf(prog, sizeof(prog), "tamisd[%s]", name);
	log_open(prog, LOG_LEVEL_INFO);
}

void child_ignore_ends(void)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

void child_become(const struct monitor *m, const char *name, int *keep, size_t n)
{
	child_ignore_ends();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, &m->old_signals, NULL);
	dup2(m->null_fd, 0);
	dup2(m->null_fd, 1);
	child_close_all_but(keep, n);
	child_be_named(name);
}

/* ---- on the monitor's side ----------------------------------------------------------------------------------------- */

int child_fork(struct monitor *m, struct child *c, child_main run, const void *arg)
{
	struct chan pair[2];
	int r = chan_pair(ROLE_MONITOR, c->role, pair);

	if (r < 0)
		return r;
	c->pid = fork();
	if (c->pid == 0)
		run(m, pair[1], arg);
	r = c->pid < 0 ? -errno : 0;
	chan_close(&pair[1]);
	if (r < 0) {
		chan_close(&pair[0]);
		return r;
	}
	c->chan = pair[0];
	c->state = CHILD_STARTING;
	c->asked_ns = clock_mono_ns();
	return 0;
}

void child_serve(struct monitor *m, struct child *c, const msg_handler handlers[MSG_TYPES])
{
	int r = chan_serve(&c->chan, handlers, m, m->buf, MESSAGES_EACH);

	if (r >= 0)
		return;
	/* its end is closed: SIGCHLD brings the rest */
	if (r == -EPROTO) {
		log_err("the %s process (pid %d) broke the protocol: it is killed", role_name(c->role), c->pid);
		child_kill(c);
	}
	chan_close(&c->chan);
}

void child_check_patience(struct child *c, uint64_t now)
{
	if (!child_is_alive(c) || !c->asked_ns || now - c->asked_ns < CHILD_ANSWER_MS * MS)
		return;
	log_err("the %s process (pid %d) does not answer: it is killed", role_name(c->role), c->pid);
	c->asked_ns = 0;
	child_kill(c);
}

bool child_waited(const struct child *c, int *ret_status)
{
	return child_is_alive(c) && waitpid(c->pid, ret_status, WNOHANG | WUNTRACED) == c->pid;
}

void child_describe(struct child *c, int status)
{
	if (c->hung)
		snprintf(c->why, sizeof(c->why), "killed, because it did nothing for %u s", c->quiet);
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		snprintf(c->why, sizeof(c->why), "ended for a system call outside its list");
	else if (WIFSIGNALED(status))
		snprintf(c->why, sizeof(c->why), "killed by signal %d", WTERMSIG(status));
	else
		snprintf(c->why, sizeof(c->why), "exited with status %d", WEXITSTATUS(status));
}

/* ---- hash and runtime ---------------------------------------------------------------------------------------------- */

void child_helper_link(struct monitor *m, struct child *c, pid_t opener)
{
	const struct msg_link link = { .pid = (uint32_t)opener, .role = c->role };
	struct chan pair[2];

	if (c->state != CHILD_UP || m->engine.state != CHILD_UP || chan_pair(ROLE_ENGINE, c->role, pair) < 0)
		return;
	/* where one of the two does not take it, it is about to end, and its successor is linked */
	if (chan_send_wait(&m->engine.chan, MSG_LINK, &link, sizeof(link), NULL, 0, pair[0].fd, 1000) == 0)
		chan_send_wait(&c->chan, MSG_LINK, NULL, 0, NULL, 0, pair[1].fd, 1000);
	chan_close(&pair[0]);
	chan_close(&pair[1]);
}

/* @first_ms, twice, four times that ... by deaths; a minute without one and all is as new */
static void helper_restart(struct monitor *m, struct child *c, int status, unsigned int first_ms)
{
	uint64_t now = clock_mono_ns(), wait_ms;

	child_describe(c, status);
	if (c->deaths[0] && now - c->deaths[0] > 2 * BACKOFF_MAX_MS * MS)
		c->doubled = 0;
	c->deaths[0] = now;
	c->ndeaths++;
	wait_ms = c->doubled < 5 ? first_ms << c->doubled++ : BACKOFF_MAX_MS;
	c->due_ns = now + wait_ms * MS;
	log_warn("the %s process (pid %d) was %s; it is started again", role_name(c->role), c->pid, c->why);
	notes_gap(m, role_name(c->role), c->why, 0, 0);
}

void child_helper_reap(struct monitor *m, struct child *c, const struct helper *h)
{
	int status;

	if (!child_waited(c, &status))
		return;
	if (WIFSTOPPED(status)) {
		kill(c->pid, SIGCONT);
		return;
	}
	chan_close(&c->chan);
	c->state = m->phase >= PHASE_DRAINING ? CHILD_DONE : CHILD_DOWN;
	c->due_ns = clock_mono_ns() + h->again_ms * MS;
	if (c->state == CHILD_DOWN && !(WIFEXITED(status) && h->wants_again(WEXITSTATUS(status))))
		helper_restart(m, c, status, h->backoff_ms);
}

void child_helper_tick(struct monitor *m, struct child *c, const struct helper *h, bool wanted)
{
	uint64_t now = clock_mono_ns();
	int r;

	child_check_patience(c, now);
	if (!wanted || child_is_alive(c) || now < c->due_ns || m->engine.state != CHILD_UP)
		return;
	r = child_fork(m, c, h->run, NULL);
	if (r < 0) {
		log_err("cannot start the %s process: %s", role_name(c->role), strerror(-r));
		c->due_ns = now + BACKOFF_MAX_MS * MS;
	}
}

void child_helper_end(struct child *c)
{
	if (!child_is_alive(c))
		return;
	chan_close(&c->chan);
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	c->state = CHILD_DONE;
}
