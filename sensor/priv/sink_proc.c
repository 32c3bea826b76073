/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/sink_proc.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/priv/clock.h"
#include "sensor/priv/confine_spool.h"
#include "sensor/spool/deliver.h"
#include "sensor/spool/news.h"

#define MEMORY_MAX (1ull << 30) /* of one sink: whatever a library does, it is its own trouble */
#define END_MS	   3000

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	stop = 1;
}

static struct deliver_clock clock_now(void)
{
	return (struct deliver_clock){ clock_mono_ns(), clock_real_ns() };
}

static int load_module(const char *dir, const struct sink_type *type, const struct tamis_sink_module **ret,
		       struct err *e)
{
	_cleanup_free_ char *path = NULL;
	const struct tamis_sink_module *m;
	void *so;

	if (asprintf(&path, "%s/tamis-sink-%s.so", dir, type->module) < 0) {
		path = NULL;
		return err_set(e, -ENOMEM, "no memory");
	}
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!so)
		return err_set(e, -ENOENT, "cannot load the module: %s (is the package tamis-sinks installed?)",
			       dlerror());
	m = dlsym(so, TAMIS_SINK_SYMBOL);
	if (!m || m->abi != TAMIS_SINK_ABI || !m->open || !m->send || !m->close)
		return err_set(e, -ENOEXEC,
			       "%s is no sink of this version of tamisd: install the one that belongs to it", path);
	*ret = m;
	return 0;
}

/* Says why there is no sink; the spool starts it again later. */
static int refuse(struct page_slot *slot, const struct err *e)
{
	struct sink_counts c;

	page_get(slot, &c);
	c.state = SINK_RETRYING;
	c.retried++;
	if (!c.failing_ns)
		c.failing_ns = clock_now().real_ns;
	snprintf(c.error, sizeof(c.error), "%.255s", e->msg);
	page_put(slot, &c);
	log_err("%s", e->msg);
	return EXIT_FAILURE;
}

static void loop(struct deliver *d, const struct news *news, pid_t spool)
{
	uint64_t end = 0;

	for (;;) {
		struct deliver_clock now = clock_now();
		uint32_t seen = news_number(news);
		int ms = deliver_step(d, &now);

		if (getppid() != spool)
			break;
		if (stop && !end)
			end = now.mono_ns + END_MS * 1000000ull;
		if (stop && (deliver_idle(d) || now.mono_ns > end))
			break;
		/* what the log holds when the sensor ends is looked for once more before that */
		news_wait(news, seen, stop && ms > 50 ? 50 : ms);
	}
}

int sink_main(const struct spool_args *a, size_t i)
{
	static struct deliver d;
	const struct rlimit memory = { MEMORY_MAX, MEMORY_MAX };
	const struct tamis_sink_module *module = NULL;
	struct page_slot *slot = &a->page->sink[i];
	pid_t spool = getppid();
	struct err e = { "" };
	int r;

	signal(SIGTERM, on_term);
	setrlimit(RLIMIT_AS, &memory);
	/* libraries make an arena a thread otherwise, of which little is used */
	mallopt(M_ARENA_MAX, 2);
	r = load_module(a->modules, a->confs->sink[i].type, &module, &e);
	if (r == 0)
		r = confine_spool_syscalls(true, a->mode, &e);
	if (r == 0)
		r = deliver_begin(&d, &a->confs->sink[i], module, slot, a->host, a->log_fd, a->spool_fd, &e);
	if (r < 0)
		return refuse(slot, &e);
	loop(&d, a->news, spool);
	deliver_end(&d);
	return EXIT_SUCCESS;
}
