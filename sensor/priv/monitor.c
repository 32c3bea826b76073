/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/monitor.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/sig.h"
#include "sensor/priv/monitor_impl.h"
#include "sensor/priv/notify.h"

#define TICK_NS	 1000000000ull
#define DRAIN_MS 15000 /* what the engine may take to work off what is left, and then record to write it */

/* ---- the end ------------------------------------------------------------------------------------------------------- */

/* Hooks off: from here on nothing new comes. The maps stay, because the last counts are still to be read. */
static void detach(struct monitor *m)
{
	struct sieve *nothing = calloc(1, sizeof(*nothing));
	struct err e = { "" };

	if (nothing) {
		nothing->abi = SV_ABI;
		if (load_policy(m->load, nothing, ++m->last_generation, &e) < 0)
			log_warn("cannot detach the hooks before the end: %s", e.msg);
	}
	free(nothing);
}

static void begin_stop(struct monitor *m)
{
	if (m->phase >= PHASE_DRAINING) {
		/* asked again, or nothing can be started: no more patience */
		if (m->failed)
			m->phase = PHASE_OVER;
		return;
	}
	notify_send("STOPPING=1");
	log_info("stopping");
	if (m->phase == PHASE_RUNNING)
		detach(m);
	m->phase = PHASE_DRAINING;
	m->phase_ns = clock_mono_ns();
	if (m->engine.state == CHILD_UP)
		chan_send_wait(&m->engine.chan, MSG_STOP, NULL, 0, NULL, 0, -1, 1000);
	else if (m->engine.state == CHILD_STARTING)
		child_kill(&m->engine);
}

/* The engine has handed over all it had and record has taken it: record may close the log. */
static void step_draining(struct monitor *m)
{
	bool engine_gone = m->engine.state == CHILD_DONE || m->engine.state == CHILD_DOWN;

	if (!engine_gone || m->engine.unsettled || m->record.state != CHILD_UP || m->record.linked ||
	    m->record.unsettled)
		return;
	notes_losses(m);
	hash_child_end(m);
	runtime_child_end(m);
	m->phase = PHASE_CLOSING;
	m->phase_ns = clock_mono_ns();
	chan_send_wait(&m->record.chan, MSG_STOP, NULL, 0, NULL, 0, -1, 1000);
}

static void step_closing(struct monitor *m)
{
	if (m->record.state == CHILD_DOWN) {
		log_err("the record process was %s while it closed the log", m->record.why);
		m->failed = true;
	}
	if (m->record.state == CHILD_DOWN || m->record.state == CHILD_DONE)
		m->phase = PHASE_OVER;
}

static void step_stop(struct monitor *m)
{
	if (m->phase == PHASE_DRAINING)
		step_draining(m);
	if (m->phase == PHASE_CLOSING)
		step_closing(m);
	if (m->phase >= PHASE_DRAINING && m->phase < PHASE_OVER &&
	    clock_mono_ns() - m->phase_ns > DRAIN_MS * 1000000ull) {
		log_err("the %s process does not come to an end: it is killed",
			m->phase == PHASE_DRAINING ? "engine" : "record");
		m->phase_ns = clock_mono_ns();
		m->failed = true;
		child_kill(m->phase == PHASE_DRAINING ? &m->engine : &m->record);
	}
}

/* ---- the loop ------------------------------------------------------------------------------------------------------ */

static void on_signal(struct monitor *m)
{
	struct signalfd_siginfo si;

	while (read(m->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			children_reap(m);
		else if (si.ssi_signo != SIGHUP || m->hangup_stops)
			begin_stop(m);
	}
}

static void check_ready(struct monitor *m)
{
	if (m->phase != PHASE_STARTING || m->engine.state != CHILD_UP || m->record.state != CHILD_UP)
		return;
	hash_child_tick(m);
	if (m->hash.state == CHILD_STARTING)
		return;
	m->phase = PHASE_RUNNING;
	load_tasks(m->load); /* /proc does not tell all of those that were there before */
	log_info("policy %s (%u rules) is in force", m->policy.name, m->policy.rules);
	m->on_ready(m->on_ready_ctx);
	notify_send("READY=1");
	malloc_trim(0);
}

/* Records of forks and execs that did not get to the engine process. */
static uint64_t lineage_lost(struct monitor *m)
{
	struct ev_stats st[EV_TYPES];

	load_stats(m->load, st);
	return st[EV_FORK].lost + st[EV_FORK].lost_context + st[EV_EXEC].lost + st[EV_EXEC].lost_context;
}

/*
 * The engine process may not look at the programs of others' processes. Where it met some without, or records were lost that would
 * have told of some, the kernel tells it of all.
 */
static void tell_processes(struct monitor *m)
{
	uint64_t lost = lineage_lost(m);
	struct engine_counts ec;

	engine_counts_get(m->engine_page, &ec);
	if (m->phase != PHASE_RUNNING || m->engine.state != CHILD_UP ||
	    (ec.pathless == m->tasks.pathless && lost == m->tasks.lost))
		return;
	m->tasks.pathless = ec.pathless;
	m->tasks.lost = lost;
	load_tasks(m->load);
}

static void tick(struct monitor *m)
{
	uint64_t now = clock_mono_ns();

	if (now - m->tick_ns < TICK_NS)
		return;
	m->tick_ns = now;
	denials_tick(m);
	notes_losses(m);
	tell_processes(m);
	requests_tick(m);
	captures_tick(m);
	canary_tick(m);
	spool_tick(m);
	heartbeat_tick(m);
	children_tick(m);
	hash_child_tick(m);
	runtime_child_tick(m);
}

static int timeout_ms(const struct monitor *m, int step_ms)
{
	uint64_t since = clock_mono_ns() - m->tick_ns;
	int ms = since >= TICK_NS ? 0 : (int)((TICK_NS - since) / 1000000) + 1;

	if (m->phase >= PHASE_DRAINING && ms > 100)
		ms = 100;
	return step_ms >= 0 && step_ms < ms ? step_ms : ms;
}

static void loop(struct monitor *m)
{
	while (m->phase != PHASE_OVER) {
		struct pollfd p[6 + CLIENTS_MAX] = {
			{ .fd = m->signal_fd, .events = POLLIN },
			{ .fd = m->engine.chan.fd, .events = POLLIN },
			{ .fd = m->record.chan.fd, .events = POLLIN },
			{ .fd = m->listen_fd, .events = POLLIN },
		};
		int step_ms = children_step(m);

		step_stop(m);
		for (int i = 0; i < CLIENTS_MAX; i++)
			p[4 + i] = (struct pollfd){ .fd = m->client[i].fd, .events = POLLIN };
		p[1].fd = m->engine.chan.fd;
		p[2].fd = m->record.chan.fd;
		p[4 + CLIENTS_MAX] = (struct pollfd){ .fd = m->hash.chan.fd, .events = POLLIN };
		p[5 + CLIENTS_MAX] = (struct pollfd){ .fd = m->runtime.chan.fd, .events = POLLIN };
		if (m->phase == PHASE_OVER || (poll(p, 6 + CLIENTS_MAX, timeout_ms(m, step_ms)) < 0 && errno != EINTR))
			break;
		if (p[1].revents)
			children_serve(m, &m->engine);
		if (p[2].revents)
			children_serve(m, &m->record);
		if (p[4 + CLIENTS_MAX].revents)
			hash_child_serve(m);
		if (p[5 + CLIENTS_MAX].revents)
			runtime_child_serve(m);
		if (p[0].revents)
			on_signal(m);
		check_ready(m);
		notes_send(m);
		if (p[3].revents)
			requests_accept(m);
		for (int i = 0; i < CLIENTS_MAX; i++)
			if (p[4 + i].revents)
				requests_serve(m, i);
		tick(m);
	}
}

/* ---- the start ----------------------------------------------------------------------------------------------------- */

static int set_signals(struct monitor *m, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, &m->old_signals) < 0)
		return err_set(e, -errno, "cannot block signals: %s", strerror(errno));
	m->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return m->signal_fd < 0 ? err_set(e, -errno, "cannot make a signalfd: %s", strerror(errno)) : 0;
}

/* The name that records carry: the same as auditlog's, which leaves no character with a meaning in signed notes. */
static void set_host(struct monitor *m)
{
	if (gethostname(m->host, sizeof(m->host) - 1) < 0 || !m->host[0])
		snprintf(m->host, sizeof(m->host), "localhost");
	for (char *c = m->host; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			*c = '-';
}

static int open_alerts(struct monitor *m, struct err *e)
{
	const char *path = m->o->alerts;

	m->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (m->null_fd < 0)
		return err_sys(e, -errno, "cannot open", "/dev/null");
	if (!path)
		return 0;
	m->alerts_fd = strcmp(path, "-") == 0 ? fcntl(1, F_DUPFD_CLOEXEC, 3)
					      : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	return m->alerts_fd < 0 ? err_sys(e, -errno, "cannot write alerts to", path) : 0;
}

static int open_kernel_side(struct monitor *m, struct err *e)
{
	_cleanup_free_ char *btf_dir = NULL;
	/* Which values a later policy asks for is not known when the programs are loaded. */
	struct load_options lo = {
		.ring_bytes = m->o->ring_bytes, .lineage_bytes = m->o->lineage_bytes, .envs = true, .btf = m->o->btf
	};
	int r;

	if (asprintf(&btf_dir, "%s/btf", m->o->state) < 0)
		return err_set(e, -ENOMEM, "no memory");
	lo.btf_dir = btf_dir;

	if (m->o->rung) {
		lo.rung = load_rung_parse(m->o->rung);
		if (lo.rung == EV_RUNG_NONE)
			return err_set(e, -EINVAL, "--rung %s: there are fentry, kprobe and tracepoint", m->o->rung);
	}
	lo.deny = permit_any(&m->permit, ACT_DENY);
	denials_prepare(m, &m->policy);
	r = load_open(&lo, &m->load, e);
	if (r < 0)
		return r;
	m->policy.generation = ++m->last_generation;
	r = load_policy(m->load, m->policy.sieve, m->policy.generation, e);
	if (r == 0) {
		notes_blind(m, &m->policy);
		denials_begin(m);
	}
	policy_file_forget_sieve(&m->policy);
	/* now, because kprobes may not be had later */
	if (r == 0 && m->policy.watches_fd >= 0)
		hash_child_inodes(m);
	return r;
}

static int confine(struct monitor *m, struct err *e)
{
	int r = confine_monitor_caps(e);

	return r < 0 ? r : confine_syscalls(ROLE_MONITOR, m->mode, e);
}

static int begin(struct monitor *m, struct err *e)
{
	struct confine_user record_user;
	int r;

	if (geteuid() != 0)
		return err_set(e, -EPERM, "tamisd loads BPF programs: start it as root");
	r = confine_check_caps(e);
	if (r < 0)
		return r;
	set_host(m);
	notify_open();
	r = set_signals(m, e);
	if (r == 0)
		r = open_alerts(m, e);
	if (r == 0)
		r = permit_parse(m->o->allow_actions, &m->permit, e);
	if (r == 0)
		r = policy_file_find(m->o->policy, m->o->trust, m->o->allow_unsigned, &m->trust, &m->policy, e);
	if (r == 0)
		responses_policy(m, &m->policy);
	confine_user(ROLE_RECORD, &record_user);
	if (r == 0)
		r = state_open(m->o->state, &record_user, &m->state, e);
	if (r == 0)
		r = canary_begin(&m->canary, m->state.canary_fd, m->o->canary, e);
	if (r == 0)
		r = spool_begin(m, e);
	if (r == 0 && m->o->log_seal)
		r = sealer_begin(m->o->log_seal_module, m->o->log_seal, m->null_fd, m->mode, &m->sealer, e);
	if (r == 0)
		r = open_kernel_side(m, e);
	if (r == 0)
		r = requests_listen(m, e);
	if (r == 0)
		r = confine(m, e);
	if (r == 0)
		r = hash_child_begin(m, e);
	if (r == 0)
		r = runtime_child_begin(m, e);
	/* last: the others inherit the monitor's limits, at a restart as now */
	return r < 0 ? r : children_begin(m, e);
}

static void end(struct monitor *m)
{
	hash_child_end(m);
	runtime_child_end(m);
	chan_close(&m->engine.chan);
	chan_close(&m->record.chan);
	spool_end(m);
	if (m->sealer.fd >= 0)
		close(m->sealer.fd);
	canary_end(&m->canary);
	if (m->state.dir_fd >= 0)
		unlinkat(m->state.dir_fd, STATE_SOCKET, 0);
	notes_free(m);
	policy_file_done(&m->reload.policy);
	policy_file_done(&m->policy);
	sig_key_free(m->trust);
	inodes_close(m->inodes);
	load_free(m->load);
	state_close(&m->state);
}

static struct monitor *monitor_new(const struct options *o, void (*on_ready)(void *ctx), void *ctx)
{
	struct monitor *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->o = o;
	m->mode = confine_mode_env();
	m->hangup_stops = o->foreground && isatty(STDERR_FILENO);
	m->start_ns = m->tick_ns = clock_mono_ns();
	m->on_ready = on_ready;
	m->on_ready_ctx = ctx;
	m->state = (struct state){ -1, -1, -1, -1, -1, -1, -1 };
	m->spool.fd = m->spool.reserve_fd = m->sealer.fd = -1;
	m->canary.fd = -1;
	m->policy.program_fd = m->reload.policy.program_fd = -1;
	m->policy.kin_fd = m->reload.policy.kin_fd = -1;
	m->policy.watches_fd = m->reload.policy.watches_fd = -1;
	m->reload.client = -1;
	m->engine.chan.fd = m->record.chan.fd = m->hash.chan.fd = m->spare.fd = -1;
	m->runtime.chan.fd = -1;
	m->signal_fd = m->alerts_fd = m->null_fd = m->listen_fd = -1;
	for (int i = 0; i < CLIENTS_MAX; i++)
		m->client[i].fd = -1;
	return m;
}

int monitor_run(const struct options *o, void (*on_ready)(void *ctx), void *ctx)
{
	_cleanup_free_ struct monitor *m = monitor_new(o, on_ready, ctx);
	struct err e = { "" };

	if (!m) {
		log_err("no memory");
		return EXIT_FAILURE;
	}
	if (begin(m, &e) < 0) {
		log_err("%s", e.msg);
		m->failed = true;
	} else {
		loop(m);
	}
	end(m);
	return m->failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
