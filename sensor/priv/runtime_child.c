/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime process as the monitor sees it. It is there when the operator lets runtimes be asked. Nothing is lost with it but time:
 * what it was asked is asked again.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/log.h"
#include "sensor/priv/hash_proc.h"
#include "sensor/priv/monitor_impl.h"
#include "sensor/priv/runtime_proc.h"

#define MS	       1000000ull
#define BACKOFF_MAX_MS 30000

static bool is_alive(const struct child *c)
{
	return c->state == CHILD_STARTING || c->state == CHILD_UP;
}

/* ---- start --------------------------------------------------------------------------------------------------------- */

static void run(struct monitor *m, struct chan to_monitor)
{
	const struct runtime_args a = { .monitor = to_monitor, .sources = m->runtimes, .mode = m->mode };
	int keep[] = { a.monitor.fd };

	children_become(m, "runtime", keep, 1);
	counts_unmap(m->record_page, sizeof(*m->record_page));
	counts_unmap(m->engine_page, sizeof(*m->engine_page));
	counts_unmap(m->hash_page, sizeof(struct hash_page));
	page_unmap(m->spool.page);
	_exit(runtime_main(&a));
}

static void start(struct monitor *m)
{
	struct child *c = &m->runtime;
	struct chan pair[2];
	int r = chan_pair(ROLE_MONITOR, ROLE_RUNTIME, pair);

	if (r == 0) {
		c->pid = fork();
		if (c->pid == 0)
			run(m, pair[1]);
		r = c->pid < 0 ? -errno : 0;
		chan_close(&pair[1]);
		if (r < 0)
			chan_close(&pair[0]);
	}
	if (r < 0) {
		log_err("cannot start the runtime process: %s", strerror(-r));
		c->due_ns = clock_mono_ns() + BACKOFF_MAX_MS * MS;
		return;
	}
	c->chan = pair[0];
	c->state = CHILD_STARTING;
	c->asked_ns = clock_mono_ns();
}

int runtime_child_begin(struct monitor *m, struct err *e)
{
	m->runtime.role = ROLE_RUNTIME;
	m->runtime.chan.fd = -1;
	return runtime_parse(m->o->runtime_sockets, &m->runtimes, e);
}

/* ---- death --------------------------------------------------------------------------------------------------------- */

static void on_death(struct monitor *m, int status)
{
	struct child *c = &m->runtime;
	uint64_t now = clock_mono_ns(), wait_ms;

	chan_close(&c->chan);
	m->runtime_sockets = 0;
	c->state = m->phase >= PHASE_DRAINING ? CHILD_DONE : CHILD_DOWN;
	c->due_ns = now + 1000 * MS;
	if (c->state == CHILD_DONE || (WIFEXITED(status) && WEXITSTATUS(status) == RUNTIME_AGAIN))
		return;
	children_describe(c, status);
	if (c->deaths[0] && now - c->deaths[0] > 2 * BACKOFF_MAX_MS * MS)
		c->quiet = 0;
	c->deaths[0] = now;
	c->ndeaths++;
	wait_ms = c->quiet < 5 ? 1000u << c->quiet++ : BACKOFF_MAX_MS;
	c->due_ns = now + wait_ms * MS;
	log_warn("the runtime process (pid %d) was %s; it is started again", c->pid, c->why);
	notes_gap(m, "runtime", c->why, 0, 0);
}

void runtime_child_reap(struct monitor *m)
{
	struct child *c = &m->runtime;
	int status;

	if (!is_alive(c) || waitpid(c->pid, &status, WNOHANG | WUNTRACED) != c->pid)
		return;
	if (WIFSTOPPED(status))
		kill(c->pid, SIGCONT);
	else
		on_death(m, status);
}

/* ---- the others ------------------------------------------------------------------------------------------------------ */

void runtime_child_link(struct monitor *m)
{
	const struct msg_link link = { .pid = m->runtime_sockets, .role = ROLE_RUNTIME };
	struct chan pair[2];

	if (m->runtime.state != CHILD_UP || m->engine.state != CHILD_UP ||
	    chan_pair(ROLE_ENGINE, ROLE_RUNTIME, pair) < 0)
		return;
	if (chan_send_wait(&m->engine.chan, MSG_LINK, &link, sizeof(link), NULL, 0, pair[0].fd, 1000) == 0)
		chan_send_wait(&m->runtime.chan, MSG_LINK, NULL, 0, NULL, 0, pair[1].fd, 1000);
	chan_close(&pair[0]);
	chan_close(&pair[1]);
}

static int on_ready(void *ctx, struct msg *msg)
{
	struct monitor *m = ctx;
	struct msg_ready ready;

	if (m->runtime.state != CHILD_STARTING)
		return -EPROTO;
	memcpy(&ready, msg->body, sizeof(ready));
	m->runtime_sockets = (uint32_t)ready.value;
	m->runtime.state = CHILD_UP;
	m->runtime.asked_ns = 0;
	runtime_child_link(m);
	return 0;
}

static const msg_handler from_runtime[MSG_TYPES] = { [MSG_READY] = on_ready };

void runtime_child_serve(struct monitor *m)
{
	struct child *c = &m->runtime;
	int r = chan_serve(&c->chan, from_runtime, m, m->buf, 4);

	if (r >= 0)
		return;
	if (r == -EPROTO) {
		log_err("the runtime process (pid %d) broke the protocol: it is killed", c->pid);
		children_kill(c);
	}
	chan_close(&c->chan);
}

void runtime_child_tick(struct monitor *m)
{
	struct child *c = &m->runtime;
	uint64_t now = clock_mono_ns();

	if (m->runtimes.n && m->phase == PHASE_RUNNING && !is_alive(c) && now >= c->due_ns &&
	    m->engine.state == CHILD_UP) {
		start(m);
		return;
	}
	if (c->state == CHILD_STARTING && now - c->asked_ns > CHILD_ANSWER_MS * MS) {
		log_err("the runtime process (pid %d) does not answer: it is killed", c->pid);
		c->asked_ns = now;
		children_kill(c);
	}
}

void runtime_child_end(struct monitor *m)
{
	if (!is_alive(&m->runtime))
		return;
	chan_close(&m->runtime.chan);
	kill(m->runtime.pid, SIGKILL);
	waitpid(m->runtime.pid, NULL, 0);
	m->runtime.state = CHILD_DONE;
}
