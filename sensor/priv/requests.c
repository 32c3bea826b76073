/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/catalog.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/priv/hash_proc.h"
#include "sensor/priv/monitor_impl.h"

#define CLIENT_MS 10000
#define REPLY_MS  1000

/* ---- pieces of JSON ------------------------------------------------------------------------------------------------ */

/* A number of kB out of /proc/PID/NAME, in bytes; 0 where it cannot be read. */
static uint64_t proc_kb(pid_t pid, const char *name, const char *field)
{
	char path[64], line[256];
	unsigned long long kb;
	_cleanup_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, field, strlen(field)) == 0 && sscanf(line + strlen(field), " %llu", &kb) == 1)
			return kb * 1024;
	return 0;
}

static void put_process(struct jsonw *w, const char *name, pid_t pid, const char *state, unsigned int restarts)
{
	jsonw_obj_begin(w);
	jsonw_member_str(w, "name", name);
	jsonw_member_u64(w, "pid", (uint64_t)pid);
	jsonw_member_u64(w, "pss", proc_kb(pid, "smaps_rollup", "Pss:"));
	jsonw_member_u64(w, "restarts", restarts);
	jsonw_member_u64(w, "rss", proc_kb(pid, "status", "VmRSS:"));
	jsonw_member_str(w, "state", state);
	jsonw_obj_end(w);
}

static void put_processes(const struct monitor *m, struct jsonw *w)
{
	jsonw_key(w, "processes");
	jsonw_arr_begin(w);
	put_process(w, "monitor", getpid(), "up", 0);
	put_process(w, "engine", m->engine.pid, child_state_name(&m->engine), m->engine.ndeaths);
	put_process(w, "record", m->record.pid, child_state_name(&m->record), m->record.ndeaths);
	if (m->hash.pid)
		put_process(w, "hash", m->hash.pid, child_state_name(&m->hash), m->hash.ndeaths);
	if (m->runtime.pid)
		put_process(w, "runtime", m->runtime.pid, child_state_name(&m->runtime), m->runtime.ndeaths);
	jsonw_arr_end(w);
}

static struct ev_stats sum_of(const struct ev_stats *s)
{
	struct ev_stats sum = { 0 };

	for (int i = 0; i < EV_TYPES; i++) {
		sum.seen += s[i].seen;
		sum.dropped += s[i].dropped;
		sum.sent += s[i].sent;
		sum.lost += s[i].lost;
		sum.context += s[i].context;
		sum.lost_context += s[i].lost_context;
		sum.denied += s[i].denied;
		sum.deny_unsure += s[i].deny_unsure;
	}
	return sum;
}

static void put_stats(struct jsonw *w, const struct ev_stats *s)
{
	jsonw_obj_begin(w);
	jsonw_member_u64(w, "context", s->context);
	jsonw_member_u64(w, "denied", s->denied);
	jsonw_member_u64(w, "deny_unsure", s->deny_unsure);
	jsonw_member_u64(w, "dropped", s->dropped);
	jsonw_member_u64(w, "lost", s->lost);
	jsonw_member_u64(w, "lost_context", s->lost_context);
	jsonw_member_u64(w, "seen", s->seen);
	jsonw_member_u64(w, "sent", s->sent);
	jsonw_obj_end(w);
}

/* ---- status -------------------------------------------------------------------------------------------------------- */

static void put_alerts(const struct monitor *m, const struct engine_counts *ec, const struct record_counts *rc,
		       struct jsonw *w)
{
	jsonw_key(w, "alerts");
	jsonw_obj_begin(w);
	jsonw_member_u64(w, "durable", rc->durable);
	jsonw_member_u64(w, "lost", m->gaps.made + m->gaps.handed + rc->refused + ec->unrendered);
	jsonw_member_u64(w, "made", ec->made);
	jsonw_member_u64(w, "printed", rc->printed);
	jsonw_member_u64(w, "silent", ec->silent);
	jsonw_member_u64(w, "skipped", rc->skipped);
	jsonw_member_u64(w, "suppressed", ec->suppressed);
	jsonw_obj_end(w);
}

static void put_events(struct monitor *m, const struct engine_counts *ec, struct jsonw *w)
{
	struct ev_stats s[EV_TYPES], sum;

	load_stats(m->load, s);
	sum = sum_of(s);
	jsonw_key(w, "events");
	jsonw_obj_begin(w);
	jsonw_member_u64(w, "dropped", sum.dropped);
	jsonw_member_u64(w, "evaluated", ec->evaluated);
	jsonw_member_u64(w, "lost", sum.lost + m->gaps.events + ec->queue_refused + ec->malformed + notes_shed(m));
	jsonw_member_u64(w, "lost_context", sum.lost_context);
	jsonw_member_u64(w, "missed", load_missed(m->load));
	jsonw_member_u64(w, "seen", sum.seen);
	jsonw_member_u64(w, "sent", sum.sent);
	jsonw_obj_end(w);
}

static void put_log(const struct record_counts *rc, struct jsonw *w)
{
	jsonw_key(w, "log");
	jsonw_obj_begin(w);
	jsonw_member_str(w, "epoch_error", rc->epoch_error ? strerror((int)-rc->epoch_error) : "");
	jsonw_member_str(w, "error", rc->error ? strerror((int)-rc->error) : "");
	jsonw_member_u64(w, "pending", rc->pending);
	jsonw_member_str(w, "prune_error", rc->prune_error ? strerror((int)-rc->prune_error) : "");
	jsonw_member_u64(w, "seq", rc->seq);
	jsonw_obj_end(w);
}

/* Hashes and packages that rules asked for. */
static void put_lookups(const struct engine_counts *ec, struct jsonw *w)
{
	jsonw_key(w, "lookups");
	jsonw_obj_begin(w);
	jsonw_member_u64(w, "asked", ec->fetch_asked);
	jsonw_member_u64(w, "failed", ec->fetch_failed);
	jsonw_member_u64(w, "given_up", ec->fetch_given_up);
	jsonw_member_u64(w, "kept", ec->fetch_kept);
	jsonw_member_u64(w, "learned", ec->learned);
	jsonw_member_u64(w, "spared", ec->learned_used);
	jsonw_obj_end(w);
}

static void put_queue(const struct engine_counts *ec, struct jsonw *w)
{
	jsonw_key(w, "queue");
	jsonw_obj_begin(w);
	jsonw_member_u64(w, "bytes", ec->queue_bytes);
	jsonw_member_u64(w, "peak", ec->queue_peak);
	jsonw_member_u64(w, "records", ec->queue_records);
	jsonw_obj_end(w);
}

/* Names of containers that runtimes were asked for. */
static void put_containers(const struct monitor *m, const struct engine_counts *ec, struct jsonw *w)
{
	jsonw_key(w, "containers");
	jsonw_obj_begin(w);
	jsonw_member_u64(w, "asked", ec->names_asked);
	jsonw_member_u64(w, "failed", ec->names_failed);
	jsonw_member_u64(w, "given_up", ec->names_given_up);
	jsonw_member_u64(w, "known", ec->names_known);
	jsonw_member_str(w, "state", !m->runtimes.n ? "off" : child_state_name(&m->runtime));
	jsonw_obj_end(w);
}

/* {"events":{"open":{"info":12}},"total":12} */
static void put_shed(const struct monitor *m, struct jsonw *w)
{
	const struct cat_event *ev = catalog_tamis()->events;

	jsonw_key(w, "shed");
	jsonw_obj_begin(w);
	jsonw_key(w, "events");
	jsonw_obj_begin(w);
	for (const int *type = notes_types_by_name(); *type; type++) {
		bool begun = false;

		for (unsigned int level = 0; level < SHED_LEVELS; level++) {
			uint64_t n = engine_shed_get(m->engine_page, (unsigned int)*type, level);

			if (!n)
				continue;
			if (!begun) {
				jsonw_key(w, ev[*type].name);
				jsonw_obj_begin(w);
			}
			begun = true;
			jsonw_member_u64(w, shed_level_name(level), n);
		}
		if (begun)
			jsonw_obj_end(w);
	}
	jsonw_obj_end(w);
	jsonw_member_u64(w, "total", notes_shed(m));
	jsonw_obj_end(w);
}

/* The best hook that each event type has, by name. */
static void put_rungs(struct monitor *m, struct jsonw *w)
{
	const struct cat_event *ev = catalog_tamis()->events;
	struct load_hook rows[LOAD_HOOKS_MAX];
	int n = load_hooks(m->load, rows, LOAD_HOOKS_MAX);

	jsonw_key(w, "rungs");
	jsonw_obj_begin(w);
	for (const int *type = notes_types_by_name(); *type; type++)
		for (int i = 0; i < n && i < LOAD_HOOKS_MAX; i++)
			if (rows[i].attached && strcmp(rows[i].event, ev[*type].name) == 0) {
				jsonw_member_str(w, ev[*type].name, load_rung_name(rows[i].rung));
				break;
			}
	jsonw_obj_end(w);
}

static void put_canary(const struct monitor *m, struct jsonw *w)
{
	const struct canary *c = &m->canary;

	jsonw_key(w, "canary");
	jsonw_obj_begin(w);
	jsonw_key(w, "blind");
	jsonw_arr_begin(w);
	for (const int *type = notes_types_by_name(); *type; type++)
		if (c->blind[*type])
			jsonw_cstr(w, catalog_tamis()->events[*type].name);
	jsonw_arr_end(w);
	jsonw_member_u64(w, "period", c->seconds);
	jsonw_member_u64(w, "restarts", c->restarts);
	jsonw_member_u64(w, "since", c->looked ? (clock_mono_ns() - c->seen_ns) / 1000000000ull : 0);
	jsonw_member_str(w, "state", !c->seconds ? "off" : c->dead ? "dead" : c->looked ? "up" : "starting");
	jsonw_obj_end(w);
}

/* Watched files, as far as the hash process says; all 0 where the policy has no watches. */
static void put_fim(const struct monitor *m, const struct engine_counts *ec, struct jsonw *w)
{
	const struct hash_page *p = m->hash_page;
	struct inodes_stats in;

	inodes_stats(m->inodes, &in);
	jsonw_key(w, "fim");
	jsonw_obj_begin(w);
	jsonw_member_u64(w, "accepted", p->live.accepted);
	jsonw_member_u64(w, "alerts", p->live.findings);
	jsonw_member_u64(w, "changed", p->live.changed);
	jsonw_member_u64(w, "cut", p->live.forgotten);
	jsonw_member_u64(w, "failures", p->live.failures);
	jsonw_member_u64(w, "files", p->baseline);
	jsonw_member_u64(w, "inodes", in.watched);
	jsonw_member_u64(w, "inodes_full", in.full + p->live.inodes_cut);
	jsonw_member_str(w, "inodes_rung", in.rung ? load_rung_name(in.rung) : "none");
	jsonw_member_u64(w, "known", p->live.known);
	jsonw_member_u64(w, "looked", p->live.looked);
	jsonw_member_u64(w, "lost", ec->touches_lost + in.lost);
	jsonw_member_u64(w, "queue", p->live.queued);
	jsonw_member_bool(w, "scanning", p->scanning);
	jsonw_member_u64(w, "scans", p->scans);
	jsonw_member_str(w, "state", m->policy.watches_fd < 0 ? "off" : !p->baseline ? "no baseline" : "up");
	jsonw_member_u64(w, "touches", ec->touches);
	jsonw_obj_end(w);
}

/* Those that rules asked for. */
static void put_captures(const struct engine_counts *ec, const struct record_counts *rc, struct jsonw *w)
{
	jsonw_key(w, "captures");
	jsonw_obj_begin(w);
	jsonw_member_u64(w, "asked", ec->captures_asked);
	jsonw_member_u64(w, "bytes", rc->captures_bytes);
	jsonw_member_u64(w, "failed", ec->captures_failed + rc->captures_failed);
	jsonw_member_u64(w, "files", rc->captures_files);
	jsonw_member_u64(w, "kept", rc->captures);
	jsonw_member_u64(w, "limited", ec->captures_limited);
	jsonw_member_u64(w, "removed", rc->captures_removed);
	jsonw_member_u64(w, "shared", ec->captures_shared);
	jsonw_obj_end(w);
}

static int on_status(struct monitor *m, struct buf *b)
{
	struct jsonw w = jsonw_to(b);
	struct engine_counts ec;
	struct record_counts rc;

	engine_counts_get(m->engine_page, &ec);
	record_counts_get(m->record_page, &rc);
	jsonw_obj_begin(&w);
	put_alerts(m, &ec, &rc, &w);
	notes_put_blind(&w, &m->policy);
	put_canary(m, &w);
	put_captures(&ec, &rc, &w);
	put_containers(m, &ec, &w);
	denials_put(m, &w);
	put_events(m, &ec, &w);
	put_fim(m, &ec, &w);
	jsonw_member_str(&w, "host", m->host);
	put_log(&rc, &w);
	put_lookups(&ec, &w);
	jsonw_key(&w, "policy");
	notes_put_policy(&w, &m->policy, m->trust != NULL);
	jsonw_member_u64(&w, "process_table", ec.processes);
	put_processes(m, &w);
	put_queue(&ec, &w);
	responses_put(m, &w);
	put_rungs(m, &w);
	put_shed(m, &w);
	spool_put(m, &w);
	spool_put_process(m, &w);
	jsonw_member_u64(&w, "uptime", (clock_mono_ns() - m->start_ns) / 1000000000ull);
	jsonw_key(&w, "variables");
	jsonw_obj_begin(&w);
	jsonw_member_u64(&w, "held", ec.variables);
	jsonw_member_u64(&w, "lost", ec.variables_lost);
	jsonw_obj_end(&w);
	jsonw_member_str(&w, "version", TAMIS_VERSION);
	jsonw_obj_end(&w);
	return 0;
}

/* ---- hooks, stats -------------------------------------------------------------------------------------------------- */

static void put_hooks(struct monitor *m, struct jsonw *w)
{
	struct load_hook rows[LOAD_HOOKS_MAX];
	int n = load_hooks(m->load, rows, LOAD_HOOKS_MAX);

	jsonw_key(w, "hooks");
	jsonw_arr_begin(w);
	for (int i = 0; i < n && i < LOAD_HOOKS_MAX; i++) {
		const char *rung = load_rung_name(rows[i].rung);

		jsonw_obj_begin(w);
		jsonw_member_bool(w, "attached", rows[i].attached);
		jsonw_member_str(w, "event", rows[i].event);
		jsonw_member_u64(w, "missed", rows[i].missed);
		jsonw_member_bool(w, "missed_known", rows[i].missed_known);
		jsonw_member_str(w, "misses", rows[i].misses);
		jsonw_member_str(w, "program", rows[i].program);
		jsonw_member_u64(w, "run_ns", rows[i].run_ns);
		jsonw_member_str(w, "rung", rung ? rung : "none");
		jsonw_member_u64(w, "runs", rows[i].runs);
		jsonw_member_str(w, "target", rows[i].target);
		jsonw_member_str(w, "why", rows[i].why);
		jsonw_obj_end(w);
	}
	jsonw_arr_end(w);
}

/* Of all types together; CPUs on which nothing happened are left out. */
static void put_cpus(struct monitor *m, struct jsonw *w)
{
	_cleanup_free_ struct ev_stats *s = NULL;
	int n = load_stats_cpus(m->load, &s);

	jsonw_key(w, "cpus");
	jsonw_arr_begin(w);
	for (int i = 0; i < n; i++) {
		if (!s[i].seen)
			continue;
		jsonw_obj_begin(w);
		jsonw_member_int(w, "cpu", i);
		jsonw_member_u64(w, "dropped", s[i].dropped);
		jsonw_member_u64(w, "lost", s[i].lost);
		jsonw_member_u64(w, "seen", s[i].seen);
		jsonw_member_u64(w, "sent", s[i].sent);
		jsonw_obj_end(w);
	}
	jsonw_arr_end(w);
}

static int put_hooks_and_stats(struct monitor *m, struct buf *b)
{
	const struct cat_event *ev = catalog_tamis()->events;
	struct ev_stats s[EV_TYPES];
	struct jsonw w = jsonw_to(b);

	load_stats(m->load, s);
	jsonw_obj_begin(&w);
	put_cpus(m, &w);
	jsonw_key(&w, "events");
	jsonw_obj_begin(&w);
	for (const int *type = notes_types_by_name(); *type; type++) {
		jsonw_key(&w, ev[*type].name);
		put_stats(&w, &s[*type]);
	}
	jsonw_obj_end(&w);
	put_hooks(m, &w);
	jsonw_member_u64(&w, "time_ns", clock_mono_ns());
	jsonw_obj_end(&w);
	return 0;
}

/* ---- reload -------------------------------------------------------------------------------------------------------- */

static void reload_end(struct monitor *m)
{
	policy_file_done(&m->reload.policy);
	m->reload.active = false;
	m->reload.client = -1;
}

void requests_reload_failed(struct monitor *m, int error, const char *why)
{
	int client = m->reload.client;

	log_warn("reload of %s refused: %s", m->reload.policy.name, why);
	reload_end(m);
	requests_reply(m, client, error, why);
}

/* The engine has the program: now the kernel's side, then it is in force. */
static void reload_commit(struct monitor *m, uint64_t flags)
{
	struct policy_file before = m->policy;
	struct err e = { "" };
	struct buf b;
	int client = m->reload.client, r;

	denials_prepare(m, &m->reload.policy);
	for (unsigned i = 0; i < SV_VARS; i++)
		m->reload.policy.sieve->set[i] = flags >> i & 1;
	r = load_policy(m->load, m->reload.policy.sieve, m->reload.policy.generation, &e);

	if (r < 0)
		return requests_reload_failed(m, r, e.msg);
	m->policy = m->reload.policy;
	m->reload.policy = (struct policy_file){ .program_fd = -1, .kin_fd = -1, .watches_fd = -1 };
	notes_blind(m, &m->policy);
	responses_policy(m, &m->policy);
	denials_begin(m);
	policy_file_forget_sieve(&m->policy);
	reload_end(m);
	hash_child_watches(m);
	notes_policy(m, &before, &m->policy);
	log_info("policy %s (%u rules) is in force", m->policy.name, m->policy.rules);
	policy_file_done(&before);

	buf_init(&b, 4096);
	if (on_status(m, &b) == 0 && buf_cstr(&b))
		requests_reply(m, client, 0, (char *)b.data);
	else
		requests_reply(m, client, 0, "{}");
	buf_done(&b);
}

void requests_program_ok(struct monitor *m, const struct msg_program_ok *answer)
{
	if (!m->reload.active || answer->generation != m->reload.policy.generation)
		return;
	if (answer->error)
		requests_reload_failed(m, answer->error, answer->text);
	else
		reload_commit(m, answer->flags);
}

static int reload_begin(struct monitor *m, int client, struct msg *msg, struct err *e)
{
	_cleanup_free_ char *name = strndup(msg->body, msg->len);
	struct msg_program program = { 0 };
	int r;

	if (!name)
		return err_set(e, -ENOMEM, "no memory");
	if (m->reload.active)
		return err_set(e, -EBUSY, "another reload is under way: try again");
	if (m->capture.active && m->capture.all)
		return err_set(e, -EBUSY, "a capture of all events is being made: try again when it has ended");
	if (m->phase != PHASE_RUNNING || m->engine.state != CHILD_UP)
		return err_set(e, -EAGAIN, "the engine process is not up: try again");
	r = policy_file_open(msg->fd, name, m->trust, &m->reload.policy, e);
	if (r < 0)
		return r;
	m->reload.policy.generation = program.generation = ++m->last_generation;
	snprintf(program.sha256, sizeof(program.sha256), "%s", m->reload.policy.sha256);
	r = chan_send_wait(&m->engine.chan, MSG_KIN, NULL, 0, NULL, 0, m->reload.policy.kin_fd, 1000);
	if (r == 0)
		r = chan_send_wait(&m->engine.chan, MSG_PROGRAM, &program, sizeof(program), NULL, 0,
				   m->reload.policy.program_fd, 1000);
	if (r < 0) {
		policy_file_done(&m->reload.policy);
		return err_set(e, r, "the engine process does not take the policy: %s", strerror(-r));
	}
	m->reload.active = true;
	m->reload.client = client;
	m->reload.since_ns = clock_mono_ns();
	return 0;
}

/* ---- the socket ---------------------------------------------------------------------------------------------------- */

int requests_listen(struct monitor *m, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t before;
	int r;

	if (fd < 0)
		return err_set(e, -errno, "cannot make the control socket: %s", strerror(errno));
	/* by descriptor: a path may be longer than sun_path; we hold the lock, so what is there is left over */
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/" STATE_SOCKET, m->state.dir_fd);
	if (unlinkat(m->state.dir_fd, STATE_SOCKET, 0) < 0 && errno != ENOENT)
		return err_set(e, -errno, "cannot remove %s/" STATE_SOCKET ": %s", m->o->state, strerror(errno));
	before = umask(0177);
	r = bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, CLIENTS_MAX) < 0 ? -errno : 0;
	umask(before);
	if (r < 0)
		return err_set(e, r, "cannot listen on %s/" STATE_SOCKET ": %s", m->o->state, strerror(-r));
	m->listen_fd = TAKE_FD(fd);
	return 0;
}

static void client_close(struct monitor *m, int i)
{
	chan_close(&m->client[i]);
	if (m->reload.client == i)
		m->reload.client = -1;
}

/* The socket's mode lets in its owner alone; the credentials say it again, whatever became of the mode. */
static bool may_ask(int fd)
{
	struct ucred c;
	socklen_t len = sizeof(c);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) == 0 && (c.uid == 0 || c.uid == geteuid());
}

void requests_accept(struct monitor *m)
{
	int fd = accept4(m->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), i = 0;

	if (fd < 0)
		return;
	while (i < CLIENTS_MAX && m->client[i].fd >= 0)
		i++;
	if (i == CLIENTS_MAX || !may_ask(fd)) {
		close(fd);
		return;
	}
	m->client[i] = (struct chan){ .fd = fd, .self = ROLE_MONITOR, .peer = ROLE_CTL };
	m->client_ns[i] = clock_mono_ns();
}

void requests_reply(struct monitor *m, int client, int error, const char *text)
{
	const struct msg_reply reply = { .error = error };

	if (client < 0 || m->client[client].fd < 0)
		return;
	chan_send_wait(&m->client[client], MSG_REPLY, &reply, sizeof(reply), text, strlen(text), -1, REPLY_MS);
	client_close(m, client);
}

void requests_give(struct monitor *m, int client, uint16_t type, int fd)
{
	chan_send_wait(&m->client[client], type, NULL, 0, NULL, 0, fd, REPLY_MS);
	client_close(m, client);
}

static void reply_with(struct monitor *m, int client, int (*put)(struct monitor *m, struct buf *b))
{
	struct buf b;
	int r;

	buf_init(&b, MSG_BODY_MAX - sizeof(struct msg_reply));
	r = put(m, &b);
	if (r == 0 && buf_cstr(&b))
		requests_reply(m, client, 0, (char *)b.data);
	else
		requests_reply(m, client, r < 0 ? r : -ENOMEM, r < 0 ? strerror(-r) : "no memory for the answer");
	buf_done(&b);
}

/* Handlers know who asks by this. */
struct request {
	struct monitor *m;
	int client;
};

static int status_request(void *ctx, struct msg *msg)
{
	struct request *q = ctx;

	reply_with(q->m, q->client, on_status);
	return 0;
}

static int stats_request(void *ctx, struct msg *msg)
{
	struct request *q = ctx;

	reply_with(q->m, q->client, put_hooks_and_stats);
	return 0;
}

static int reload_request(void *ctx, struct msg *msg)
{
	struct request *q = ctx;
	struct err e = { "" };
	int r = reload_begin(q->m, q->client, msg, &e);

	if (r < 0) {
		log_warn("reload refused: %s", e.msg);
		requests_reply(q->m, q->client, r, e.msg);
	}
	return 0;
}

static int capture_request(void *ctx, struct msg *msg)
{
	struct request *q = ctx;
	struct msg_capture what;
	struct err e = { "" };
	int r;

	memcpy(&what, msg->body, sizeof(what));
	r = captures_begin(q->m, q->client, &what, &e);
	if (r < 0)
		requests_reply(q->m, q->client, r, e.msg);
	return 0;
}

static int sink_test_request(void *ctx, struct msg *msg)
{
	struct request *q = ctx;
	_cleanup_free_ char *name = strndup(msg->body, msg->len);
	struct err e = { "" };
	int r = name ? spool_test(q->m, name, &e) : err_set(&e, -ENOMEM, "no memory");

	requests_reply(q->m, q->client, r, r < 0 ? e.msg : "{}");
	return 0;
}

static const msg_handler from_ctl[MSG_TYPES] = {
	[MSG_STATUS] = status_request,	 [MSG_STATS] = stats_request,	      [MSG_RELOAD] = reload_request,
	[MSG_CAPTURE] = capture_request, [MSG_SINK_TEST] = sink_test_request,
};

void requests_serve(struct monitor *m, int client)
{
	struct request q = { m, client };

	if (m->client[client].fd >= 0 && chan_serve(&m->client[client], from_ctl, &q, m->buf, 1) < 0)
		client_close(m, client);
}

void requests_tick(struct monitor *m)
{
	uint64_t now = clock_mono_ns();

	if (m->reload.active && now - m->reload.since_ns > CHILD_ANSWER_MS * 1000000ull)
		requests_reload_failed(m, -ETIMEDOUT,
				       "the engine process did not answer; the policy before stays in force");
	for (int i = 0; i < CLIENTS_MAX; i++)
		if (m->client[i].fd >= 0 && i != m->reload.client && now - m->client_ns[i] > CLIENT_MS * 1000000ull)
			client_close(m, i);
}
