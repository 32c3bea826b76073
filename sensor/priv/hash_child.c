/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash process as the monitor sees it. It is there when a policy has watches, or rules that ask
 * for hashes or packages of files. Nothing that goes to the log is lost with
 * it: what it was told and has not looked at is found by the scan with which the next one begins.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "sensor/priv/hash_proc.h"
#include "sensor/priv/monitor_impl.h"

#define MS	  1000000ull
#define RESCAN_MS 60000

static bool is_wanted(const struct monitor *m)
{
	return (m->policy.watches_fd >= 0 || m->policy.fetches) && m->phase <= PHASE_RUNNING;
}

/* ---- start --------------------------------------------------------------------------------------------------------- */

static void run(struct monitor *m, struct chan to_monitor, const void *arg)
{
	struct hash_args a = {
		.monitor = to_monitor,
		.page = m->hash_page,
		.state = m->o->state,
		.hostname = m->host,
		.mode = m->mode,
	};
	int keep[] = { a.monitor.fd, m->policy.watches_fd };
	struct stat st;
	void *map = MAP_FAILED;

	child_become(m, "hash", keep, sizeof(keep) / sizeof(keep[0]));
	counts_unmap(m->record_page, sizeof(*m->record_page));
	counts_unmap(m->engine_page, sizeof(*m->engine_page));
	page_unmap(m->spool.page);
	news_unmap(m->spool.news);
	if (fstat(m->policy.watches_fd, &st) == 0)
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, m->policy.watches_fd, 0);
	if (map != MAP_FAILED) {
		a.watches = map;
		a.watches_size = (size_t)st.st_size;
	}
	_exit(hash_main(&a));
}

int hash_child_begin(struct monitor *m, struct err *e)
{
	m->hash.role = ROLE_HASH;
	m->hash.chan.fd = -1;
	m->hash_page = counts_map(sizeof(*m->hash_page));
	return m->hash_page ? 0 : err_set(e, -ENOMEM, "no memory for the counters");
}

/* ---- death --------------------------------------------------------------------------------------------------------- */

/* It ends by itself when it is to begin anew, which is no failure. */
static bool wants_again(int status)
{
	return status == HASH_AGAIN || status == EXIT_SUCCESS;
}

static const struct helper helper = { .run = run, .wants_again = wants_again, .backoff_ms = 500 };

void hash_child_reap(struct monitor *m)
{
	child_helper_reap(m, &m->hash, &helper);
}

/* ---- the others ------------------------------------------------------------------------------------------------------ */

void hash_child_link(struct monitor *m)
{
	child_helper_link(m, &m->hash, m->hash.pid);
}

void hash_child_watches(struct monitor *m)
{
	if (m->hash.state == CHILD_UP && m->policy.watches_fd >= 0)
		chan_send_wait(&m->hash.chan, MSG_WATCHES, NULL, 0, NULL, 0, m->policy.watches_fd, 1000);
}

static uint64_t lost_so_far(const struct monitor *m)
{
	struct engine_counts ec;
	uint64_t lost;

	engine_counts_get(m->engine_page, &ec);
	lost = ec.touches_lost + ec.queue_refused + m->gaps.events;
	for (int i = 0; i < EV_TYPES; i++)
		lost += m->lost_told[i].lost;
	return lost;
}

static int on_ready(void *ctx, struct msg *msg)
{
	struct monitor *m = ctx;

	if (m->hash.state != CHILD_STARTING)
		return -EPROTO;
	m->hash.state = CHILD_UP;
	m->hash.asked_ns = 0;
	m->hash.beat = lost_so_far(m);
	m->hash.due_ns = clock_mono_ns();
	hash_child_link(m);
	return 0;
}

void hash_child_inodes(struct monitor *m)
{
	enum ev_rung rung = m->o->rung ? load_rung_parse(m->o->rung) : EV_RUNG_NONE;
	struct err e = { "" };

	if (m->inodes || m->no_inodes)
		return;
	m->no_inodes = inodes_open(load_ring_fd(m->load), rung, &m->inodes, &e) < 0;
	if (m->no_inodes)
		log_warn(
			"watched files are not seen by other names (hard links, bind mounts), but by the next scan: %s",
			e.msg);
	inodes_canary(m->inodes, m->canary.pid > 0 ? (uint32_t)m->canary.pid : 0);
}

static int on_inodes(void *ctx, struct msg *msg)
{
	const size_t head = sizeof(struct msg_inodes), each = sizeof(struct inode_watch);
	struct monitor *m = ctx;
	struct msg_inodes what;

	memcpy(&what, msg->body, head);
	if ((msg->len - head) % each)
		return -EPROTO;
	hash_child_inodes(m);
	if (m->inodes && what.clear)
		inodes_clear(m->inodes);
	if (m->inodes)
		inodes_add(m->inodes, (const void *)((const char *)msg->body + head), (msg->len - head) / each);
	return 0;
}

static const msg_handler from_hash[MSG_TYPES] = {
	[MSG_INODES] = on_inodes,
	[MSG_READY] = on_ready,
};

void hash_child_serve(struct monitor *m)
{
	child_serve(m, &m->hash, from_hash);
}

/* ---- now and then ------------------------------------------------------------------------------------------------------ */

/* What was lost on the way there may have been touches: the next process begins with a scan. */
static void check_losses(struct monitor *m, uint64_t now)
{
	struct child *c = &m->hash;

	if (c->state != CHILD_UP || lost_so_far(m) == c->beat || now - c->due_ns < RESCAN_MS * MS)
		return;
	log_warn("events were lost: watched files are compared with the baseline again");
	c->beat = lost_so_far(m);
	c->due_ns = now;
	chan_send_wait(&c->chan, MSG_STOP, NULL, 0, NULL, 0, -1, 100);
}

void hash_child_tick(struct monitor *m)
{
	child_helper_tick(m, &m->hash, &helper, is_wanted(m));
	check_losses(m, clock_mono_ns());
}

/* The engine has ended, and with it whoever could want something. */
void hash_child_end(struct monitor *m)
{
	child_helper_end(&m->hash);
}
