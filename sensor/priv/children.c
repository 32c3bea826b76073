/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Engine and record: their start, their death, and the sums over it.
 *
 * A socket between the two has an end in each. When one of them dies, its end is closed; the other reads to the end of
 * what is there (record) or learns that nothing arrives any more (engine), closes its own end and says MSG_PEER_OK. From
 * then on no alert is under way, and the counters tell exactly what was lost (settle). Then the dead one is started, record
 * first, with a new socket, whose other end goes to the living one by MSG_PEER.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/priv/engine_proc.h"
#include "sensor/priv/hash_proc.h"
#include "sensor/priv/monitor_impl.h"
#include "sensor/priv/record_proc.h"
#include "sensor/respond/caplimit.h"

#define MS	       1000000ull
#define STOPS_TOLD_MS  10000
#define ENGINE_QUIET_S 20 /* a policy with many rules takes some seconds to load */
#define RECORD_QUIET_S 60 /* a slow disk may take its time to sync */

/* Has an end of a socket whose other end may be gone: MSG_PEER_OK is to come. */
static bool awaited(const struct child *c)
{
	return child_is_alive(c) && c->linked;
}

/* ---- starting ------------------------------------------------------------------------------------------------------ */

/* What either gets at its start, besides its end of the socket to the monitor. */
struct begin {
	struct chan link;    /* to the other one */
	const char *details; /* of the log's start record */
};

static void run_engine(struct monitor *m, struct chan to_monitor, const void *arg)
{
	const struct begin *b = arg;
	struct engine_args a = {
		.monitor = to_monitor,
		.record = b->link,
		.page = m->engine_page,
		.ring_fd = load_ring_fd(m->load),
		.lineage_fd = load_lineage_fd(m->load),
		.masks_fd = load_masks_fd(m->load),
		.learned_fd = load_learned_fd(m->load),
		.program_fd = m->policy.program_fd,
		.kin_fd = m->policy.kin_fd,
		.generation = m->policy.generation,
		.bundle = m->policy.sha256,
		.queue_bytes = m->o->queue_bytes,
		.permit = &m->permit,
		.runtimes = &m->runtimes,
		.capture_bytes = captures_allowed(m) ? m->o->captures_keep / CAPLIMIT_PARTS : 0,
		.hostname = m->host,
		.mode = m->mode,
	};
	int keep[] = { a.monitor.fd, a.record.fd,  a.ring_fd,	 a.lineage_fd,
		       a.masks_fd,   a.learned_fd, a.program_fd, a.kin_fd };

	child_become(m, "engine", keep, sizeof(keep) / sizeof(keep[0]));
	counts_unmap(m->record_page, sizeof(*m->record_page));
	counts_unmap(m->hash_page, sizeof(*m->hash_page));
	page_unmap(m->spool.page);
	news_unmap(m->spool.news);
	_exit(engine_main(&a));
}

static void run_record(struct monitor *m, struct chan to_monitor, const void *arg)
{
	const struct begin *b = arg;
	struct record_args a = {
		.monitor = to_monitor,
		.engine = b->link,
		.page = m->record_page,
		.log_fd = m->state.log_fd,
		.keys_fd = m->state.keys_fd,
		.captures_fd = captures_allowed(m) ? m->state.captures_fd : -1,
		.captures_keep = m->o->captures_keep,
		.state = m->o->state,
		.alerts_fd = m->alerts_fd,
		.start_details = b->details,
		.log_epoch = m->o->log_epoch,
		.log_keep = m->o->log_keep,
		.log_keep_age = m->o->log_keep_age,
		.log_hold = m->o->sink_hold,
		.spool = m->spool.page,
		.news = m->spool.news,
		.seal_fd = m->sealer.fd,
		.mode = m->mode,
	};
	int keep[] = { a.monitor.fd, a.engine.fd, a.log_fd, a.keys_fd, a.captures_fd, a.alerts_fd, a.seal_fd };

	child_become(m, "record", keep, sizeof(keep) / sizeof(keep[0]));
	page_protect(m->spool.page);
	counts_unmap(m->engine_page, sizeof(*m->engine_page));
	counts_unmap(m->hash_page, sizeof(*m->hash_page));
	_exit(record_main(&a));
}

/* Forks @c with @link, its end of the socket to the other one, which is closed here in any case. */
static int start(struct monitor *m, struct child *c, struct chan link)
{
	struct begin b = { .link = link };
	struct buf details;
	int r;

	buf_init(&details, 8192);
	notes_start_details(m, c->ndeaths ? "restart of the record process" : "start", &details);
	b.details = buf_cstr(&details);
	r = child_fork(m, c, c->role == ROLE_ENGINE ? run_engine : run_record, &b);
	c->linked = r == 0;
	buf_done(&details);
	chan_close(&link);
	return r;
}

int children_begin(struct monitor *m, struct err *e)
{
	struct chan pair[2];
	int r;

	m->engine.role = ROLE_ENGINE;
	m->record.role = ROLE_RECORD;
	m->engine.chan.fd = m->record.chan.fd = m->spare.fd = -1;
	m->engine_page = counts_map(sizeof(*m->engine_page));
	m->record_page = counts_map(sizeof(*m->record_page));
	if (!m->engine_page || !m->record_page)
		return err_set(e, -ENOMEM, "no memory for the counters");
	r = chan_pair(ROLE_ENGINE, ROLE_RECORD, pair);
	if (r < 0)
		return err_set(e, r, "cannot make a socket: %s", strerror(-r));
	r = start(m, &m->record, pair[1]);
	if (r == 0)
		r = start(m, &m->engine, pair[0]);
	else
		chan_close(&pair[0]);
	return r < 0 ? err_set(e, r, "cannot start a process: %s", strerror(-r)) : 0;
}

/* ---- death --------------------------------------------------------------------------------------------------------- */

/* The time of this death goes to the ring; true when there were too many of late. */
static bool too_many_deaths(struct child *c, uint64_t now)
{
	uint64_t *slot = &c->deaths[c->ndeaths++ % CHILD_DEATHS_MAX];
	uint64_t oldest = *slot;

	*slot = now;
	return c->ndeaths > CHILD_DEATHS_MAX && now - oldest < CHILD_DEATHS_MS * MS;
}

/* 0, 250 ms, 1 s, 2 s ...: by how many deaths of the last minute */
static uint64_t backoff_ns(const struct child *c, uint64_t now)
{
	unsigned int recent = 0;

	for (int i = 0; i < CHILD_DEATHS_MAX; i++)
		recent += c->deaths[i] && now - c->deaths[i] < CHILD_DEATHS_MS * MS;
	return recent <= 2 ? 0 : recent == 3 ? 250 * MS : (recent - 3) * 1000 * MS;
}

static void fail(struct monitor *m)
{
	m->failed = true;
	kill(getpid(), SIGTERM);
}

static void on_death(struct monitor *m, struct child *c, int status)
{
	struct child *other = c == &m->engine ? &m->record : &m->engine;
	uint64_t now = clock_mono_ns();
	bool asked_to =
		(c == &m->engine && m->phase == PHASE_DRAINING) || (c == &m->record && m->phase == PHASE_CLOSING);

	child_describe(c, status);
	c->hung = false;
	c->quiet = 0;
	chan_close(&c->chan);
	chan_close(&m->spare);
	c->linked = false;
	c->asked_ns = 0;
	if (c == &m->engine)
		captures_over(m, NULL);
	if (asked_to && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		c->state = CHILD_DONE;
		return;
	}
	c->state = CHILD_DOWN;
	if (m->phase == PHASE_STARTING) {
		m->failed = true;
		m->phase = PHASE_OVER;
		log_err("the %s process did not start: it %s", role_name(c->role), c->why);
		return;
	}
	c->unsettled = true;
	if (awaited(other))
		other->asked_ns = now;
	c->due_ns = now + backoff_ns(c, now);
	if (c == &m->engine && m->reload.active)
		requests_reload_failed(m, -ECHILD,
				       "the engine process ended meanwhile; the policy before stays in force");
	if (too_many_deaths(c, now)) {
		log_err("the %s process was %s, the %dth time within a minute: the sensor stops", role_name(c->role),
			c->why, CHILD_DEATHS_MAX + 1);
		fail(m);
		return;
	}
	log_warn("the %s process (pid %d) was %s; it is started again", role_name(c->role), c->pid, c->why);
}

/*
 * Whoever may stop a process may as well kill it, and then it would be started again. So it goes on at once, with nothing
 * lost. Somebody who stops it again and again is told of now and then.
 */
static void on_stop(struct monitor *m, struct child *c, int status)
{
	uint64_t now = clock_mono_ns();
	char why[64];

	kill(c->pid, SIGCONT);
	if (c->stopped_ns && now - c->stopped_ns < STOPS_TOLD_MS * MS)
		return;
	c->stopped_ns = now;
	snprintf(why, sizeof(why), "stopped by signal %d, and continued", WSTOPSIG(status));
	log_warn("the %s process (pid %d) was %s", role_name(c->role), c->pid, why);
	notes_gap(m, role_name(c->role), why, 0, 0);
}

void children_reap(struct monitor *m)
{
	struct child *const both[] = { &m->engine, &m->record };
	int status;

	for (int i = 0; i < 2; i++) {
		if (!child_waited(both[i], &status))
			continue;
		if (WIFSTOPPED(status))
			on_stop(m, both[i], status);
		else
			on_death(m, both[i], status);
	}
	hash_child_reap(m);
	runtime_child_reap(m);
	if (m->canary.keeper > 0 && waitpid(m->canary.keeper, &status, WNOHANG | WUNTRACED) == m->canary.keeper) {
		if (WIFSTOPPED(status))
			kill(m->canary.keeper, SIGCONT);
		else
			canary_keeper_ended(m);
	}
}

static bool is_zombie(pid_t pid)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[32], line[128];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "State:\tZ", 8) == 0)
			return true;
	return false;
}

/*
 * Both commit their counts at least once a second, whatever happens. Counted is by our own looks, not by the clock: when
 * the whole machine slept, or we did, nobody is to blame.
 */
static void check_beat(struct monitor *m, struct child *c, uint64_t commits, unsigned int most)
{
	if (c->state != CHILD_UP || commits != c->beat) {
		c->beat = commits;
		c->quiet = 0;
		return;
	}
	if (++c->quiet < most)
		return;
	if (c->hung) {
		/* killed, but a debugger keeps its death from us */
		if (is_zombie(c->pid))
			on_death(m, c, SIGKILL);
		return;
	}
	log_err("the %s process (pid %d) has done nothing for %u s: it is killed", role_name(c->role), c->pid,
		c->quiet);
	c->hung = true;
	child_kill(c);
}

void children_tick(struct monitor *m)
{
	check_beat(m, &m->engine, counts_commits(&m->engine_page->commits), ENGINE_QUIET_S);
	check_beat(m, &m->record, counts_commits(&m->record_page->commits), RECORD_QUIET_S);
}

/* ---- settling: see the head of this file, and struct engine_counts for the way of an alert -------------------------- */

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The engine is dead and record has read its socket to the end. */
static void settle_engine(struct monitor *m)
{
	struct engine_counts ec;
	struct record_counts rc;
	uint64_t events, alerts;

	engine_counts_get(m->engine_page, &ec);
	record_counts_get(m->record_page, &rc);
	/* a batch may have been sent and not counted */
	ec.handed = max_u64(ec.handed, rc.taken);
	events = ec.received - ec.evaluated - m->gaps.events;
	alerts = ec.made - ec.handed - m->gaps.made;
	m->gaps.events += events;
	m->gaps.made += alerts;
	ec.queue_records = ec.queue_bytes = 0;
	engine_counts_put(m->engine_page, &ec);
	m->engine.unsettled = false;
	notes_gap(m, "engine", m->engine.why, events, alerts);
}

/* record is dead and the engine sends no more: all that was handed over is record's to answer for. */
static void settle_record_taken(struct monitor *m)
{
	struct engine_counts ec;
	struct record_counts rc;

	engine_counts_get(m->engine_page, &ec);
	record_counts_get(m->record_page, &rc);
	rc.taken = max_u64(ec.handed, rc.taken);
	record_counts_put(m->record_page, &rc);
}

/* The next record process has found out how far the one before came. */
static void settle_record(struct monitor *m)
{
	struct record_counts rc;
	uint64_t alerts;

	record_counts_get(m->record_page, &rc);
	alerts = rc.taken - rc.durable - rc.refused - m->gaps.handed;
	m->gaps.handed += alerts;
	m->record.unsettled = false;
	notes_gap(m, "record", m->record.why, 0, alerts);
}

/* ---- starting again ------------------------------------------------------------------------------------------------ */

static int wait_ms(uint64_t until, uint64_t now)
{
	return until <= now ? 0 : (int)((until - now) / MS) + 1;
}

static void broken(struct monitor *m, const char *what, int r)
{
	log_err("%s: %s: the sensor stops", what, strerror(-r));
	fail(m);
}

/* A new socket: record gets its end by fork, the engine when record is up. */
static void restart_record(struct monitor *m)
{
	struct chan pair[2];
	int r = chan_pair(ROLE_ENGINE, ROLE_RECORD, pair);

	if (r == 0) {
		settle_record_taken(m);
		m->spare = pair[0];
		r = start(m, &m->record, pair[1]);
	}
	if (r < 0)
		broken(m, "cannot start the record process", r);
}

static bool wants_engine(const struct monitor *m)
{
	return m->phase == PHASE_RUNNING && m->engine.state == CHILD_DOWN;
}

static struct chan take_chan(struct chan *c)
{
	struct chan taken = *c;

	c->fd = -1;
	return taken;
}

/* The engine gets its end of the socket whose other end the new record process has. */
static void give_spare(struct monitor *m)
{
	int r = 0;

	if (wants_engine(m)) {
		r = start(m, &m->engine, take_chan(&m->spare));
	} else if (child_is_alive(&m->engine)) {
		r = chan_send_wait(&m->engine.chan, MSG_PEER, NULL, 0, NULL, 0, m->spare.fd, 1000);
		m->engine.linked = r == 0;
	}
	chan_close(&m->spare);
	if (r < 0)
		log_warn("the engine process cannot be linked to record: %s", strerror(-r));
}

/* record lives: give it one end of a new socket, and the engine starts with the other. */
static void restart_engine(struct monitor *m)
{
	struct chan pair[2];
	int r = chan_pair(ROLE_ENGINE, ROLE_RECORD, pair);

	if (r < 0)
		return broken(m, "cannot start the engine process", r);
	r = chan_send_wait(&m->record.chan, MSG_PEER, NULL, 0, NULL, 0, pair[1].fd, 1000);
	chan_close(&pair[1]);
	if (r < 0) {
		/* record is going too; its death is noticed next */
		chan_close(&pair[0]);
		return;
	}
	m->record.linked = true;
	r = start(m, &m->engine, pair[0]);
	if (r < 0)
		broken(m, "cannot start the engine process", r);
}

int children_step(struct monitor *m)
{
	uint64_t now = clock_mono_ns();

	child_check_patience(&m->engine, now);
	child_check_patience(&m->record, now);
	if (m->phase == PHASE_STARTING || m->phase >= PHASE_CLOSING)
		return -1;
	/* wait for the living to have noticed the death of the other */
	if ((m->engine.state == CHILD_DOWN && awaited(&m->record)) ||
	    (m->record.state == CHILD_DOWN && awaited(&m->engine)))
		return 100;
	if (m->engine.unsettled)
		settle_engine(m);
	if (m->record.state == CHILD_DOWN) {
		if (m->record.due_ns > now)
			return wait_ms(m->record.due_ns, now);
		restart_record(m);
		return 100;
	}
	if (m->record.state != CHILD_UP)
		return 100;
	if (m->record.unsettled)
		settle_record(m);
	if (wants_engine(m) && m->engine.due_ns > now)
		return wait_ms(m->engine.due_ns, now);
	if (m->spare.fd >= 0)
		give_spare(m);
	else if (wants_engine(m))
		restart_engine(m);
	return -1;
}

/* ---- messages ------------------------------------------------------------------------------------------------------ */

static int on_ready(struct monitor *m, struct child *c)
{
	if (c->state != CHILD_STARTING)
		return -EPROTO;
	c->state = CHILD_UP;
	c->asked_ns = 0;
	if (m->phase != PHASE_STARTING)
		log_info("the %s process is up again (pid %d)", role_name(c->role), c->pid);
	/* A new engine has read /proc without our privileges: the kernel tells it what everybody's programs are. */
	if (m->phase == PHASE_RUNNING && c->role == ROLE_ENGINE)
		load_tasks(m->load);
	if (c->role == ROLE_ENGINE) {
		hash_child_link(m);
		runtime_child_link(m);
	}
	return 0;
}

static int on_peer_ok(struct child *c)
{
	if (!c->linked)
		return -EPROTO;
	c->linked = false;
	c->asked_ns = 0;
	return 0;
}

static int engine_ready(void *ctx, struct msg *msg)
{
	struct monitor *m = ctx;

	return on_ready(m, &m->engine);
}

static int record_ready(void *ctx, struct msg *msg)
{
	struct monitor *m = ctx;

	return on_ready(m, &m->record);
}

static int engine_peer_ok(void *ctx, struct msg *msg)
{
	struct monitor *m = ctx;

	return on_peer_ok(&m->engine);
}

static int record_peer_ok(void *ctx, struct msg *msg)
{
	struct monitor *m = ctx;

	return on_peer_ok(&m->record);
}

static int engine_program_ok(void *ctx, struct msg *msg)
{
	struct msg_program_ok answer;

	memcpy(&answer, msg->body, sizeof(answer));
	answer.text[sizeof(answer.text) - 1] = '\0';
	requests_program_ok(ctx, &answer);
	return 0;
}

static int engine_capture_over(void *ctx, struct msg *msg)
{
	struct monitor *m = ctx;
	struct msg_capture_over over;

	if (!m->capture.active)
		return -EPROTO;
	memcpy(&over, msg->body, sizeof(over));
	captures_over(m, &over);
	return 0;
}

static int engine_kill(void *ctx, struct msg *msg)
{
	struct msg_kill k;

	memcpy(&k, msg->body, sizeof(k));
	return responses_kill(ctx, &k);
}

static int record_held(void *ctx, struct msg *msg)
{
	struct msg_held held;

	memcpy(&held, msg->body, sizeof(held));
	spool_held(ctx, &held);
	return 0;
}

static const msg_handler from_engine[MSG_TYPES] = {
	[MSG_READY] = engine_ready,
	[MSG_PEER_OK] = engine_peer_ok,
	[MSG_PROGRAM_OK] = engine_program_ok,
	[MSG_CAPTURE_OVER] = engine_capture_over,
	[MSG_KILL] = engine_kill,
};

static const msg_handler from_record[MSG_TYPES] = {
	[MSG_READY] = record_ready,
	[MSG_HELD] = record_held,
	[MSG_PEER_OK] = record_peer_ok,
};

void children_serve(struct monitor *m, struct child *c)
{
	child_serve(m, c, c == &m->engine ? from_engine : from_record);
}
