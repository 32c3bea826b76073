/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime process as the monitor sees it. It is there when the operator lets runtimes be asked. Nothing is lost with it but time:
 * what it was asked is asked again.
 */
#include <errno.h>
#include <unistd.h>

#include "sensor/priv/hash_proc.h"
#include "sensor/priv/monitor_impl.h"
#include "sensor/priv/runtime_proc.h"

static void run(struct monitor *m, struct chan to_monitor, const void *arg)
{
	const struct runtime_args a = { .monitor = to_monitor, .sources = m->runtimes, .mode = m->mode };
	int keep[] = { a.monitor.fd };

	child_become(m, "runtime", keep, 1);
	counts_unmap(m->record_page, sizeof(*m->record_page));
	counts_unmap(m->engine_page, sizeof(*m->engine_page));
	counts_unmap(m->hash_page, sizeof(struct hash_page));
	page_unmap(m->spool.page);
	news_unmap(m->spool.news);
	_exit(runtime_main(&a));
}

/* It ends by itself when it needs more rights. */
static bool wants_again(int status)
{
	return status == RUNTIME_AGAIN;
}

static const struct helper helper = { .run = run, .wants_again = wants_again, .again_ms = 1000, .backoff_ms = 1000 };

int runtime_child_begin(struct monitor *m, struct err *e)
{
	m->runtime.role = ROLE_RUNTIME;
	m->runtime.chan.fd = -1;
	return runtime_parse(m->o->runtime_sockets, &m->runtimes, e);
}

void runtime_child_reap(struct monitor *m)
{
	child_helper_reap(m, &m->runtime, &helper);
}

void runtime_child_link(struct monitor *m)
{
	child_helper_link(m, &m->runtime, m->runtime_sockets);
}

static int on_ready(void *ctx, struct msg *msg)
{
	struct monitor *m = ctx;
	struct msg_ready ready;

	if (m->runtime.state != CHILD_STARTING)
		return -EPROTO;
	memcpy(&ready, msg->body, sizeof(ready));
	m->runtime_sockets = (pid_t)ready.value;
	m->runtime.state = CHILD_UP;
	m->runtime.asked_ns = 0;
	runtime_child_link(m);
	return 0;
}

static const msg_handler from_runtime[MSG_TYPES] = { [MSG_READY] = on_ready };

void runtime_child_serve(struct monitor *m)
{
	child_serve(m, &m->runtime, from_runtime);
}

void runtime_child_tick(struct monitor *m)
{
	child_helper_tick(m, &m->runtime, &helper, m->runtimes.n && m->phase == PHASE_RUNNING);
}

void runtime_child_end(struct monitor *m)
{
	child_helper_end(&m->runtime);
}
