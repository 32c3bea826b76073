/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/engine_proc.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/engine.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/enrich/enrich.h"
#include "sensor/ingest/queue.h"
#include "sensor/ingest/ring.h"
#include "sensor/ingest/shed.h"
#include "sensor/priv/acts.h"
#include "sensor/priv/clock.h"
#include "sensor/priv/fetch.h"
#include "sensor/priv/learner.h"
#include "sensor/priv/outbox.h"
#include "sensor/priv/policies.h"
#include "sensor/priv/procmasks.h"
#include "sensor/priv/runtimes.h"
#include "sensor/priv/snap.h"
#include "sensor/priv/tap.h"
#include "sensor/priv/touch_of.h"
#include "sensor/priv/touches.h"

#define RING_EACH     8192 /* records taken from the ring before evaluation gets its turn */
#define EVENTS_EACH   256  /* events evaluated before the ring gets its turn */
#define BUSY_MS	      1	   /* until a record that is not finished is looked at again: nothing tells when it is */
#define STOP_BUSY_MS  5000 /* so long it is waited for in the end */
#define IDLE_MS	      250  /* while no records come */
#define MESSAGES_EACH 4
#define TICK_NS	      1000000000ull

struct engine_proc {
	struct chan monitor, record; /* record.fd is -1 between one record process and the next */
	struct engine_page *page;
	struct engine_counts counts;
	struct ring *ring; /* both rings; owned, as the following */
	struct queue *queue;
	struct decode *decode;
	struct enrich *enrich;
	struct policies *policies;
	struct procmasks *masks;
	struct learner *learner;
	struct kin *kin; /* owned, or NULL: of the policy that is to come */
	struct outbox out;
	struct touches touches;
	struct fetch *fetch; /* owned */
	struct runtimes runtimes;
	uint32_t sockets_pid; /* the like, because a container is met */
	uint32_t hash_pid;    /* whose opens are ours: they are done because a rule asks; 0: nobody's */
	uint64_t asked;	      /* number of the last question to the hash process */
	struct touch_of touch_of;
	struct buf who; /* owned: the process of a touch */
	struct tap tap;
	struct snap snap;
	const char *hostname; /* borrowed */
	uint64_t tick_ns;
	uint64_t idle_ns;	 /* from then on the kernel announces the next record: see wake.bpf.h */
	uint64_t shed;		 /* records that were left out, since this engine began */
	uint64_t variables_lost; /* as the policies said last; it may fall when one of them goes */
	bool refuse_last[2]; /* of either ring the first record may be the one that the engine before us had taken, */
	uint64_t last_key;   /* which is this one: see take_record() */
	uint64_t stop_ns;    /* when it was told to stop; 0: it was not */
	int status;
	_Alignas(8) uint8_t buf[MSG_BYTES_MAX];
};

static void commit(struct engine_proc *p)
{
	engine_counts_put(p->page, &p->counts);
}

/* ---- ring to queue ------------------------------------------------------------------------------------------------- */

/* Names a record well enough to know it again. */
static uint64_t key_of(const struct ev_head *h)
{
	return h->boot_ns ^ ((uint64_t)h->tid << 40) ^ h->type;
}

/* Left out, because there is too much and others count more. */
static bool shed_record(struct engine_proc *p, const struct ev_head *h)
{
	unsigned int fill = queue_fill(p->queue), level;
	const struct shed *s;

	if (fill < SHED_INFO_AT)
		return false;
	s = policies_shed(p->policies, h->policy);
	level = s ? shed_level(s, h) : SHED_NEVER;
	if (!shed_at(level, fill))
		return false;
	engine_shed_add(p->page, h->type, level);
	p->shed++;
	return true;
}

static int take_record(void *ctx, const void *rec, size_t size)
{
	struct engine_proc *p = ctx;
	const struct ev_head *h = rec;
	bool event = size >= sizeof(*h) && tap_is_event(h);

	if (size >= sizeof(*h) && h->flags & EV_F_CANARY) {
		if (h->type < EV_TYPES)
			engine_canary_add(p->page, h->type);
		commit(p);
		return 0;
	}

	if (event && p->refuse_last[EV_IS_LINEAGE(h->type)]) {
		/* killed between counting a record and releasing it, the engine before us left it there: it is accounted for */
		p->refuse_last[EV_IS_LINEAGE(h->type)] = false;
		if (p->last_key == key_of(h))
			return 0;
	}
	if (event && shed_record(p, h)) {
		/* counted there */
	} else if (queue_push(p->queue, rec, size) < 0) {
		p->counts.queue_refused += event;
	} else {
		p->counts.received += event;
	}
	if (event)
		p->counts.last_key = key_of(h);
	commit(p);
	return queue_has_room(p->queue) ? 0 : RING_STOP;
}

static void note_queue(struct engine_proc *p)
{
	struct queue_stats q;

	queue_stats(p->queue, &q);
	p->counts.queue_records = q.records;
	p->counts.queue_bytes = q.bytes;
	p->counts.queue_peak = q.peak_bytes;
}

static int drain_ring(struct engine_proc *p)
{
	uint64_t before = clock_mono_ns();
	int n;

	if (!queue_has_room(p->queue))
		return 0;
	n = ring_drain(p->ring, take_record, p, RING_EACH);
	if (n)
		p->idle_ns = clock_mono_ns() + EV_WAKE_NS;
	if (n >= 0 && n < RING_EACH && queue_has_room(p->queue) && !ring_blocked(p->ring))
		p->counts.drained_ns = before;
	note_queue(p);
	return n;
}

/* ---- queue to outbox ----------------------------------------------------------------------------------------------- */

static void render(struct engine_proc *p, struct policy_slot *s, const struct event *ev, const struct engine_match *m,
		   const struct alert_action *actions, uint32_t nactions)
{
	struct buf *to = outbox_begin(&p->out);
	size_t start = to->len, head_end, tail_start;
	int r = policies_render(s, ev, m, actions, nactions, to, &head_end, &tail_start);

	if (r == 0)
		r = outbox_end(&p->out, head_end, tail_start);
	if (r < 0 || to->len <= start) {
		outbox_cancel(&p->out);
		p->counts.unrendered++;
		return;
	}
	p->counts.made++;
}

/* ---- what rules ask for -------------------------------------------------------------------------------------------- */

/* Waits until the hash process has answered; what else it says meanwhile is taken, too. */
static int await(struct engine_proc *p, const uint64_t *id)
{
	const uint64_t until = clock_mono_ns() + FETCH_ASK_MS * 1000000ull;

	while (*id != p->asked) {
		uint64_t now = clock_mono_ns(), found = p->touches.found, failed = p->touches.failed;
		struct pollfd fd = { .fd = p->touches.hash.fd, .events = POLLIN };
		int r = now < until ? poll(&fd, 1, (int)((until - now) / 1000000) + 1) : 0;

		if (r == 0)
			return -ETIMEDOUT;
		if (r > 0 && touches_serve(&p->touches, &p->out, p->buf) < 0)
			return -ENOTCONN;
		p->counts.made += p->touches.found - found;
		p->counts.unrendered += p->touches.failed - failed;
	}
	return 0;
}

static int ask_hash(void *ctx, const struct fetch_file *f, uint8_t sha256[32])
{
	struct engine_proc *p = ctx;
	const struct msg_hash q = { .id = ++p->asked, .size_max = f->size_max, .device = f->device, .inode = f->inode };
	int r = p->touches.hash.fd < 0 ? -ENOTCONN
				       : chan_send2(&p->touches.hash, MSG_HASH, &q, sizeof(q), f->path, f->len, -1);

	if (r == 0)
		r = await(p, &p->touches.hash_ok.id);
	if (r < 0)
		return r;
	memcpy(sha256, p->touches.hash_ok.sha256, 32);
	return p->touches.hash_ok.error;
}

static int ask_package(void *ctx, const char *path, size_t len, struct fetch_package *ret)
{
	struct engine_proc *p = ctx;
	const struct msg_package q = { .id = ++p->asked };
	const char *text = p->touches.texts, *end;
	int r = p->touches.hash.fd < 0 ? -ENOTCONN
				       : chan_send2(&p->touches.hash, MSG_PACKAGE, &q, sizeof(q), path, len, -1);

	if (r == 0)
		r = await(p, &p->touches.package_ok.id);
	if (r < 0)
		return r;
	*ret = (struct fetch_package){ .epoch = p->touches.package_ok.epoch,
				       .source_epoch = p->touches.package_ok.source_epoch };
	end = text + p->touches.ntexts;
	for (size_t i = 0; i < 5 && text < end; i++) {
		size_t n = strnlen(text, (size_t)(end - text));

		snprintf(ret->text[i], sizeof(ret->text[i]), "%.*s", (int)n, text);
		text += n + 1;
	}
	return 0;
}

static uint64_t now_ms(void *ctx)
{
	return clock_mono_ns() / 1000000;
}

/* It may have changed a watched file: the hash process is told. */
static void touch(struct engine_proc *p, struct policy_slot *s, const struct event *ev)
{
	struct touch t;

	if (!touch_of_event(&p->touch_of, ev, &t))
		return;
	buf_reset(&p->who);
	if (policies_render_process(s, ev, TOUCH_PROCESS_MAX, &p->who) == 0) {
		t.process = (const char *)p->who.data;
		t.head.process_len = (uint32_t)p->who.len;
	}
	touches_put(&p->touches, &t);
}

/* The like, of a file of the baseline by whatever name: there is no event, only who is about to do what. */
static void touch_inode(struct engine_proc *p, const void *rec, size_t size)
{
	struct touch t = { .head = { .flags = TOUCH_INODE } };
	struct event ev = { .type = EV_WRITE };
	struct ev_inode in;

	if (size < sizeof(in))
		return;
	memcpy(&in, rec, sizeof(in));
	ev.proc = proctable_find(enrich_proctable(p->enrich), in.head.pid, in.head.start_ns);
	t.head.time_ns = in.head.boot_ns + (uint64_t)decode_clock_now();
	t.head.event = (uint16_t)in.what;
	t.head.inode = in.ino;
	t.head.pid = in.head.pid;
	t.head.start = in.head.start_ns;
	touch_of_process(ev.proc, &t);
	buf_reset(&p->who);
	if (ev.proc && policies_render_process(policies_for(p->policies, 0), &ev, TOUCH_PROCESS_MAX, &p->who) == 0) {
		t.process = (const char *)p->who.data;
		t.head.process_len = (uint32_t)p->who.len;
	}
	if (in.what < EV_TYPES)
		touches_put(&p->touches, &t);
}

static bool any_alive(const struct event *ev)
{
	return ev->alive[0] | ev->alive[1] | ev->alive[2] | ev->alive[3];
}

static void evaluate(struct engine_proc *p, struct decoded *d)
{
	struct policy_slot *s = policies_for(p->policies, d->ev.policy);
	const struct engine_match *m;
	bool watched = false, gone = d->ev.policy < s->generation;
	size_t n;

	if (s->generation != d->ev.policy) {
		/* sieved by a policy that is gone: its clauses mean nothing to this one */
		memset(d->ev.alive, 0xff, sizeof(d->ev.alive));
		p->counts.unknown_generation++;
	}
	if (!any_alive(&d->ev))
		return;
	fetch_begin(p->fetch, &d->ev);
	if (learner_asked(p->learner, &d->head, &d->ev))
		fetch_at_rest(p->fetch);
	/* the variables of a policy that is gone are gone, too; and the sieve in force knows nothing of its events */
	n = policies_eval(s, &d->ev, !gone, &m);
	for (size_t i = 0; i < n; i++) {
		struct alert_action actions[ACTS_SHOWN];
		const struct acts acts = { .fetch = p->fetch,
					   .monitor = &p->monitor,
					   .requests = &p->counts.requests,
					   .snap = &p->snap,
					   .bundle = s->bundle };
		uint32_t nactions = policies_act(s, &acts, &d->ev, &m[i], actions);

		watched |= m[i].watch;
		p->counts.suppressed += m[i].suppressed;
		p->counts.silent += m[i].silent && !m[i].watch;
		if (!m[i].suppressed && !m[i].silent)
			render(p, s, &d->ev, &m[i], actions, nactions);
	}
	if (watched)
		touch(p, s, &d->ev);
	if (fetch_settled(p->fetch))
		learner_answer(p->learner, &d->head, &d->ev);
	fetch_end(p->fetch);
}

/* What is opened because a rule asks, or for a container's names: that is no event of the machine, nor in a capture of it. */
static bool is_ours(const struct engine_proc *p, const struct ev_head *h, size_t size)
{
	return size >= sizeof(*h) && h->type == EV_OPEN && h->pid &&
	       (h->pid == p->hash_pid || h->pid == p->sockets_pid);
}

static void handle_record(struct engine_proc *p, const void *rec, size_t size)
{
	const struct ev_head *h = rec;
	bool event = size >= sizeof(*h) && tap_is_event(h);
	struct decoded d;
	int r;

	if (size >= sizeof(*h) && h->type == EV_INODE) {
		touch_inode(p, rec, size);
		commit(p);
		return;
	}
	r = decode_record(p->decode, rec, size, &d);
	if (r < 0)
		p->counts.malformed++;
	if (r == 1) {
		enrich_event(p->enrich, &d);
		if (event && !is_ours(p, h, size))
			evaluate(p, &d);
		procmasks_look(p->masks, &d.head, d.ev.proc);
	}
	if (!is_ours(p, h, size)) {
		tap_record(&p->tap, rec, size, event);
		snap_record(&p->snap, rec, size, event);
	}
	p->counts.evaluated += event;
	commit(p);
}

/* Record, or the hash process, has enough to do. */
static bool is_full(const struct engine_proc *p)
{
	return outbox_waiting(&p->out) >= OUTBOX_HIGH || touches_waiting(&p->touches) >= TOUCHES_HIGH;
}

/* Evaluates until the turn is over or others have enough to do. True when there is more. */
static bool evaluate_some(struct engine_proc *p)
{
	const void *rec;
	size_t size;

	for (int i = 0; i < EVENTS_EACH && !is_full(p); i++) {
		rec = queue_front(p->queue, &size);
		if (!rec)
			break;
		handle_record(p, rec, size);
		queue_pop(p->queue);
	}
	if (queue_front(p->queue, &size))
		return true;
	/* where something always happens each commit was behind a drain: nobody would see that nothing waits */
	if (p->counts.queue_records) {
		note_queue(p);
		commit(p);
	}
	return false;
}

/* ---- outbox to record ---------------------------------------------------------------------------------------------- */

/* What was handed to the record process that is gone is its loss; say that nothing more will follow it. */
static void end_record(struct engine_proc *p)
{
	chan_close(&p->record);
	snap_abort(&p->snap);
	chan_send_wait(&p->monitor, MSG_PEER_OK, NULL, 0, NULL, 0, -1, 1000);
}

static void send_alerts(struct engine_proc *p)
{
	int n;

	if (p->record.fd < 0 || !outbox_waiting(&p->out))
		return;
	n = outbox_send(&p->out, &p->record);
	if (n > 0) {
		p->counts.handed += (uint64_t)n;
		commit(p);
	} else if (n < 0 && n != -EAGAIN) {
		end_record(p);
	}
}

/* ---- messages ------------------------------------------------------------------------------------------------------ */

/* What the policy that comes next asks of the processes above. */
static void take_kin(struct engine_proc *p, int fd)
{
	kin_free(TAKE_PTR(p->kin));
	if (kin_open(fd, &p->kin) < 0)
		log_warn(
			"no memory for what rules ask of the processes above: the kernel passes more on than it has to");
}

static int on_kin(void *ctx, struct msg *m)
{
	take_kin(ctx, m->fd);
	return 0;
}

/* Without memory the kernel side passes on what it did before there were masks. */
static void masks_policy(struct engine_proc *p, uint32_t generation)
{
	if (procmasks_policy(p->masks, generation, policies_engine(p->policies), TAKE_PTR(p->kin)) < 0)
		log_warn("no memory for masks of processes: the kernel passes more on than it has to");
	if (learner_policy(p->learner, generation, policies_engine(p->policies)) < 0)
		log_warn("no memory for what is learned of files: the kernel passes more on than it has to");
}

/* The package database: that takes longer than anybody waits. */
static void read_ahead(struct engine_proc *p)
{
	if (p->touches.hash.fd >= 0 && policies_packages(p->policies))
		chan_send(&p->touches.hash, MSG_PACKAGE, &(struct msg_package){ 0 }, sizeof(struct msg_package), -1);
}

/* What rules may want to have of the time before they hold. */
static void arm_captures(struct engine_proc *p)
{
	uint32_t before_ms;
	bool any = policies_captures(p->policies, &before_ms);

	if (snap_arm(&p->snap, any, before_ms) < 0)
		log_warn("no memory for what was before a match: captures begin with it");
}

static int on_program(void *ctx, struct msg *m)
{
	struct engine_proc *p = ctx;
	struct msg_program_ok answer = { 0 };
	struct msg_program program;
	struct err e = { "" };

	memcpy(&program, m->body, sizeof(program));
	answer.generation = program.generation;
	answer.error = policies_add(p->policies, program.generation, m->fd, &e);
	if (!answer.error) {
		program.sha256[sizeof(program.sha256) - 1] = 0;
		policies_bundle(p->policies, program.generation, program.sha256);
		answer.flags = policies_flags(p->policies);
		masks_policy(p, program.generation);
		arm_captures(p);
	}
	read_ahead(p);
	memcpy(answer.text, e.msg, sizeof(answer.text) < sizeof(e.msg) ? sizeof(answer.text) : sizeof(e.msg));
	return chan_send_wait(&p->monitor, MSG_PROGRAM_OK, &answer, sizeof(answer), NULL, 0, -1, 1000);
}

static int on_peer(void *ctx, struct msg *m)
{
	struct engine_proc *p = ctx;

	if (p->record.fd >= 0)
		return -EPROTO;
	p->record.fd = TAKE_FD(m->fd);
	outbox_restart(&p->out);
	return 0;
}

static int on_link(void *ctx, struct msg *m)
{
	struct engine_proc *p = ctx;
	struct msg_link link;

	memcpy(&link, m->body, sizeof(link));
	if (link.role == ROLE_RUNTIME) {
		p->sockets_pid = link.pid;
		runtimes_link(&p->runtimes, TAKE_FD(m->fd));
		return 0;
	}
	p->hash_pid = link.pid;
	touches_link(&p->touches, TAKE_FD(m->fd));
	read_ahead(p);
	return 0;
}

static int send_over(struct engine_proc *p)
{
	const struct msg_capture_over over = { p->tap.sums.events, p->tap.writer.written };

	return chan_send_wait(&p->monitor, MSG_CAPTURE_OVER, &over, sizeof(over), NULL, 0, -1, 1000);
}

static int on_capture(void *ctx, struct msg *m)
{
	struct engine_proc *p = ctx;
	const struct tap_source s = {
		.decode = p->decode,
		.enrich = p->enrich,
		.fetch = p->fetch,
		.hostname = p->hostname,
		.queue_refused = p->counts.queue_refused + p->shed,
	};
	struct msg_capture_to to;
	int r;

	memcpy(&to, m->body, sizeof(to));
	r = tap_begin(&p->tap, TAKE_FD(m->fd), &to, &s);
	if (r == 0 || r == -EBUSY)
		return r == 0 ? 0 : -EPROTO; /* the monitor knows that there is one */
	log_warn("cannot make a capture: %s", strerror(-r));
	return send_over(p);
}

static int on_capture_lost(void *ctx, struct msg *m)
{
	struct engine_proc *p = ctx;
	struct msg_capture_lost lost;

	memcpy(&lost, m->body, sizeof(lost));
	tap_lost(&p->tap, CAPTURE_LOST_RING, lost.ring);
	tap_lost(&p->tap, CAPTURE_LOST_CONTEXT, lost.context);
	tap_lost(&p->tap, CAPTURE_LOST_HOOK, lost.hook);
	snap_lost(&p->snap, CAPTURE_LOST_RING, lost.ring);
	snap_lost(&p->snap, CAPTURE_LOST_CONTEXT, lost.context);
	snap_lost(&p->snap, CAPTURE_LOST_HOOK, lost.hook);
	return 0;
}

static int on_disarmed(void *ctx, struct msg *m)
{
	struct engine_proc *p = ctx;
	struct msg_disarmed d;

	memcpy(&d, m->body, sizeof(d));
	policies_disarm(p->policies, d.generation, d.action);
	return 0;
}

static void stop(struct engine_proc *p)
{
	if (!p->stop_ns)
		p->stop_ns = clock_mono_ns();
}

static int on_stop(void *ctx, struct msg *m)
{
	struct engine_proc *p = ctx;

	stop(p);
	return 0;
}

static const msg_handler from_monitor[MSG_TYPES] = {
	[MSG_PROGRAM] = on_program,    [MSG_KIN] = on_kin,
	[MSG_PEER] = on_peer,	       [MSG_STOP] = on_stop,
	[MSG_CAPTURE_TO] = on_capture, [MSG_CAPTURE_LOST] = on_capture_lost,
	[MSG_DISARMED] = on_disarmed,  [MSG_LINK] = on_link,
};

/* record says nothing to the engine: whatever comes from there is its end. */
static const msg_handler from_record[MSG_TYPES];

/* ---- the loop ------------------------------------------------------------------------------------------------------ */

static void tick(struct engine_proc *p)
{
	uint64_t now = clock_mono_ns();
	struct learner_stats learned;
	struct fetch_stats f;
	struct enrich_stats s;
	int64_t clock;
	uint64_t lost;

	if (now - p->tick_ns < TICK_NS)
		return;
	p->tick_ns = now;
	clock = decode_clock_now();
	decode_clock(p->decode, clock);
	enrich_tick(p->enrich);
	outbox_tick(&p->out);
	tap_tick(&p->tap, clock, proctable_now(enrich_proctable(p->enrich)), p->counts.queue_refused + p->shed);
	snap_tick(&p->snap, clock, proctable_now(enrich_proctable(p->enrich)), p->counts.queue_refused + p->shed);
	enrich_stats(p->enrich, &s);
	p->counts.processes = s.table.images;
	p->counts.pathless = s.table.pathless;
	policies_variables(p->policies, &p->counts.variables, &lost);
	if (lost > p->variables_lost)
		p->counts.variables_lost += lost - p->variables_lost;
	p->variables_lost = lost;
	p->counts.touches = p->touches.made;
	fetch_stats(p->fetch, &f);
	p->counts.fetch_asked = f.asked;
	p->counts.fetch_kept = f.kept;
	p->counts.fetch_failed = f.failed;
	p->counts.fetch_given_up = f.given_up;
	learner_tick(p->learner);
	learner_stats(p->learner, &learned);
	p->counts.learned = learned.learned;
	p->counts.learned_used = learned.used;
	p->counts.touches_lost = p->touches.lost;
	p->counts.names_asked = p->runtimes.stats.asked;
	p->counts.names_known = p->runtimes.stats.known;
	p->counts.names_failed = p->runtimes.stats.failed;
	p->counts.names_given_up = p->runtimes.stats.given_up;
	runtimes_ask(&p->runtimes, now / 1000000, true);
	commit(p);
}

/* What it found are alerts, made here as far as the sums go. */
static void serve_hash(struct engine_proc *p)
{
	uint64_t found = p->touches.found, failed = p->touches.failed;

	touches_serve(&p->touches, &p->out, p->buf);
	p->counts.made += p->touches.found - found;
	p->counts.unrendered += p->touches.failed - failed;
	commit(p);
}

static int timeout_ms(const struct engine_proc *p, bool more)
{
	if (more && !is_full(p))
		return 0;
	if (ring_blocked(p->ring))
		return BUSY_MS;
	return clock_mono_ns() < p->idle_ns ? (int)(EV_WAKE_NS / 1000000) : IDLE_MS;
}

static int wait_for_work(struct engine_proc *p, bool more)
{
	bool blocked = outbox_waiting(&p->out) > 0 || snap_waits(&p->snap);
	struct pollfd fds[] = {
		{ .fd = p->monitor.fd, .events = POLLIN },
		{ .fd = p->record.fd, .events = (short)(POLLIN | (blocked ? POLLOUT : 0)) },
		{ .fd = !more && queue_has_room(p->queue) && !ring_blocked(p->ring) ? ring_epoll_fd(p->ring) : -1,
		  .events = POLLIN },
		{ .fd = p->tap.reader.fd, .events = (short)(POLLIN | (tap_waits(&p->tap) ? POLLOUT : 0)) },
		{ .fd = outbox_waiting(&p->out) < OUTBOX_HIGH ? p->touches.hash.fd : -1,
		  .events = (short)(POLLIN | (touches_waiting(&p->touches) ? POLLOUT : 0)) },
		{ .fd = p->runtimes.chan.fd, .events = POLLIN },
	};

	if (poll(fds, 6, timeout_ms(p, more)) < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[1].revents & (POLLIN | POLLHUP | POLLERR) && chan_serve(&p->record, from_record, p, p->buf, 1) < 0)
		end_record(p);
	if (fds[3].revents & (POLLIN | POLLHUP | POLLERR))
		tap_serve(&p->tap, p->buf, p->enrich);
	if (fds[4].revents & (POLLIN | POLLHUP | POLLERR))
		serve_hash(p);
	if (fds[5].revents)
		runtimes_serve(&p->runtimes, p->buf, clock_mono_ns() / 1000000);
	return fds[0].revents ? chan_serve(&p->monitor, from_monitor, p, p->buf, MESSAGES_EACH) : 0;
}

/*
 * Told to stop: whether there is something in the rings that could not be taken, behind a record that a preempted thread has not
 * finished. No hook is attached any more, so after a while such a record is given up, which counts as lost.
 */
static bool left_behind(struct engine_proc *p)
{
	if (!ring_blocked(p->ring))
		return false;
	if (clock_mono_ns() - p->stop_ns > STOP_BUSY_MS * 1000000ull) {
		p->counts.queue_refused += ring_skip(p->ring);
		commit(p);
	}
	return true;
}

/* Until told to stop and nothing is left, or until the monitor is gone. */
static void loop(struct engine_proc *p)
{
	for (;;) {
		int taken = drain_ring(p);
		bool more = evaluate_some(p);
		int r;

		send_alerts(p);
		touches_send(&p->touches);
		if (tap_send(&p->tap, p->enrich))
			send_over(p);
		snap_send(&p->snap);
		tick(p);
		runtimes_ask(&p->runtimes, clock_mono_ns() / 1000000, false);
		/* there is nobody left who would take anything */
		if (p->stop_ns && p->record.fd < 0 && p->monitor.fd < 0)
			return;
		if (p->stop_ns && taken <= 0 && !more && !left_behind(p) && touches_flush(&p->touches) &&
		    !outbox_waiting(&p->out))
			return;
		r = wait_for_work(p, more || taken == RING_EACH);
		if (r < 0) {
			/* without a monitor no record process comes back either: hand over what is there and end */
			p->status = p->stop_ns ? p->status : EXIT_FAILURE;
			stop(p);
			chan_close(&p->monitor);
		}
	}
}

/* Captures that are under way get their end. */
static void end_capture(struct engine_proc *p)
{
	tap_end(&p->tap, CAPTURE_STOPPED, p->enrich);
	for (int ms = 0; ms < 2000 && p->tap.state != TAP_OFF; ms += 10)
		if (!tap_send(&p->tap, p->enrich))
			poll(NULL, 0, 10);
	snap_end(&p->snap);
	for (int ms = 0; ms < 2000 && p->snap.state != SNAP_OFF && p->record.fd >= 0; ms += 10) {
		snap_send(&p->snap);
		poll(NULL, 0, p->snap.state == SNAP_OFF ? 0 : 10);
	}
}

/* ---- beginning and end --------------------------------------------------------------------------------------------- */

/* As root: the rings' maps, and /proc. */
static int begin_privileged(struct engine_proc *p, const struct engine_args *a, struct err *e)
{
	const struct enrich_options eo = {
		.hostname = a->hostname, .origin = "ebpf", .proc_path = "/proc", .etc_path = "/etc"
	};
	struct learned *learned;
	struct masks *masks;
	int r = ring_open(a->ring_fd, a->lineage_fd, &p->ring);

	if (r < 0)
		return err_set(e, r, "cannot map the ring buffers: %s", strerror(-r));
	close(a->ring_fd);
	close(a->lineage_fd);
	masks = mmap(NULL, sizeof(*masks), PROT_READ | PROT_WRITE, MAP_SHARED, a->masks_fd, 0);
	if (masks == MAP_FAILED)
		return err_set(e, -errno, "cannot map the masks of processes: %s", strerror(errno));
	close(a->masks_fd);
	learned = mmap(NULL, sizeof(*learned), PROT_READ | PROT_WRITE, MAP_SHARED, a->learned_fd, 0);
	if (learned == MAP_FAILED)
		return err_set(e, -errno, "cannot map what is learned of files: %s", strerror(errno));
	close(a->learned_fd);
	r = queue_new(a->queue_bytes ? a->queue_bytes : QUEUE_DEFAULT, &p->queue);
	if (r < 0)
		return err_set(e, r, "cannot make the queue of %u bytes: %s", a->queue_bytes, strerror(-r));
	r = decode_new(catalog_tamis(), &p->decode);
	if (r == 0)
		r = enrich_new(&eo, &p->enrich);
	if (r == 0)
		r = procmasks_new(masks, enrich_proctable(p->enrich), &p->masks);
	if (r == 0)
		r = learner_new(learned, decode_clock_now, &p->learner);
	if (r < 0)
		return err_set(e, r, "cannot set up the decoder: %s", strerror(-r));
	decode_clock(p->decode, decode_clock_now());
	r = enrich_seed(p->enrich);
	if (r < 0)
		return err_set(e, r, "cannot read the processes from /proc: %s", strerror(-r));
	return 0;
}

static int begin(struct engine_proc *p, const struct engine_args *a, struct err *e)
{
	struct confine_user user;
	const struct fetch_asked asked = {
		.hash = ask_hash, .package = ask_package, .now_ms = now_ms, .mountinfo = "/proc/1/mountinfo", .ctx = p
	};
	int r;

	p->monitor = a->monitor;
	p->record = a->record;
	p->page = a->page;
	engine_counts_get(p->page, &p->counts);
	p->refuse_last[0] = p->refuse_last[1] = p->counts.received > 0;
	p->last_key = p->counts.last_key;
	outbox_init(&p->out);
	touches_init(&p->touches);
	p->touches.made = p->counts.touches;
	p->touches.lost = p->counts.touches_lost;
	touch_of_init(&p->touch_of, catalog_tamis());
	buf_init(&p->who, TOUCH_PROCESS_MAX);
	tap_init(&p->tap);
	p->hostname = a->hostname;
	r = begin_privileged(p, a, e);
	if (r < 0)
		return r;
	runtimes_init(&p->runtimes, a->runtimes, p->enrich);
	confine_user(ROLE_ENGINE, &user);
	r = confine_drop_user(&user, e);
	if (r < 0)
		return r;
	confine_memory();
	r = confine_syscalls(ROLE_ENGINE, a->mode, e);
	if (r < 0)
		return r;
	/* the policy's bytes are the first that come from outside: everything is dropped by now */
	r = policies_new(catalog_tamis(), enrich_proctable(p->enrich), a->hostname, &p->policies);
	if (r < 0)
		return r;
	r = fetch_new(catalog_tamis(), &asked, &p->fetch);
	if (r < 0)
		return err_set(e, r, "no memory for what rules ask for");
	snap_init(&p->snap,
		  &(struct snap_world){ .decode = p->decode,
					.enrich = p->enrich,
					.fetch = p->fetch,
					.hostname = p->hostname,
					.record = &p->record,
					.counts = &p->counts },
		  a->capture_bytes);
	policies_fetch(p->policies, p->fetch);
	policies_permit(p->policies, a->permit);
	r = policies_add(p->policies, a->generation, a->program_fd, e);
	if (r < 0)
		return r;
	take_kin(p, a->kin_fd);
	policies_bundle(p->policies, a->generation, a->bundle);
	masks_policy(p, a->generation);
	arm_captures(p);
	return 0;
}

int engine_main(struct engine_args *a)
{
	static struct engine_proc p;
	struct msg_ready ready = { 0 };
	struct enrich_stats s;
	struct err e = { "" };
	int r = begin(&p, a, &e);

	if (r < 0) {
		log_err("%s", e.msg);
		return EXIT_FAILURE;
	}
	close(a->program_fd);
	close(a->kin_fd);
	enrich_stats(p.enrich, &s);
	ready.value = p.counts.processes = s.table.images;
	commit(&p);
	chan_send(&p.monitor, MSG_READY, &ready, sizeof(ready), -1);
	loop(&p);
	end_capture(&p);
	return p.status;
}
