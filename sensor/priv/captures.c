/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's part of a capture: it makes a socket, gives one end to tamisctl and one to the engine, and keeps neither.
 * So no file is opened here, no byte of an event passes, and a reader that stalls cannot hold the monitor up. That a capture was
 * made is a record of the log.
 */
#include <errno.h>
#include <stdio.h>

#include "lib/log.h"
#include "sensor/priv/monitor_impl.h"
#include "sensor/record/auditlog.h"

/* The log's record: {"action":"begin"} or {"action":"end","bytes":1,"events":1} */
static void note(struct monitor *m, const char *action, const struct msg_capture_over *over)
{
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	buf_init(&b, 1024);
	jsonw_obj_begin(&w);
	jsonw_member_str(&w, "action", action);
	if (over) {
		jsonw_member_u64(&w, "bytes", over->bytes);
		jsonw_member_u64(&w, "events", over->events);
	}
	jsonw_obj_end(&w);
	notes_put(m, AUDITLOG_CAPTURE, &b);
	buf_done(&b);
}

static void kernel_losses(struct monitor *m, uint64_t *ring, uint64_t *context)
{
	struct ev_stats s[EV_TYPES];

	*ring = *context = 0;
	load_stats(m->load, s);
	for (int i = 0; i < EV_TYPES; i++) {
		*ring += s[i].lost;
		*context += s[i].lost_context;
	}
}

static int hand_out(struct monitor *m, int client, const struct msg_capture_to *to, struct err *e)
{
	struct chan pair[2];
	int r = chan_pair(ROLE_ENGINE, ROLE_CTL, pair);

	if (r < 0)
		return err_set(e, r, "cannot make a socket: %s", strerror(-r));
	r = chan_send_wait(&m->engine.chan, MSG_CAPTURE_TO, to, sizeof(*to), NULL, 0, pair[0].fd, 1000);
	if (r < 0)
		err_set(e, r, "the engine process does not take the request: %s", strerror(-r));
	else
		requests_give(m, client, MSG_CAPTURE_FD, pair[1].fd);
	chan_close(&pair[0]);
	chan_close(&pair[1]);
	return r;
}

static void close_sieve(struct monitor *m)
{
	struct err e = { "" };

	/* open, it lets too much through: nothing is lost by that */
	if (m->phase == PHASE_RUNNING && load_close_sieve(m->load, &e) < 0)
		log_err("the sieve stays open until the next reload: %s", e.msg);
}

static void end_job(struct monitor *m)
{
	m->capture.active = false;
	if (m->capture.all)
		close_sieve(m);
}

int captures_begin(struct monitor *m, int client, const struct msg_capture *what, struct err *e)
{
	struct msg_capture_to to = { .what = *what };
	int r;

	if (m->capture.active)
		return err_set(e, -EBUSY, "another capture is being made: try again when it has ended");
	if (m->phase != PHASE_RUNNING || m->engine.state != CHILD_UP)
		return err_set(e, -EAGAIN, "the engine process is not up: try again");
	if (what->all && m->reload.active)
		return err_set(e, -EBUSY, "a reload is under way: try again");
	snprintf(to.policy, sizeof(to.policy), "%s", m->policy.name);
	snprintf(to.sha256, sizeof(to.sha256), "%s", m->policy.sha256);
	/*
	 * The engine knows no such generation and so asks every rule of the policy in force about these events: its alerts
	 * stay as they are.
	 */
	r = what->all ? load_open_sieve(m->load, ++m->last_generation, e) : 0;
	if (r < 0)
		return r;
	m->capture = (struct capture_job){ .active = true, .all = what->all, .hook = load_missed(m->load) };
	kernel_losses(m, &m->capture.ring, &m->capture.context);
	r = hand_out(m, client, &to, e);
	if (r < 0) {
		end_job(m);
		return r;
	}
	log_info("a capture begins%s", what->all ? "; the sieve is open" : "");
	note(m, "begin", NULL);
	return 0;
}

bool captures_allowed(const struct monitor *m)
{
	return permit_any(&m->permit, ACT_CAPTURE) && m->o->captures_keep;
}

void captures_tick(struct monitor *m)
{
	struct capture_job *c = &m->capture, now = { .active = c->active, .all = c->all };
	struct msg_capture_lost lost;

	if ((!c->active && !captures_allowed(m)) || m->engine.state != CHILD_UP)
		return;
	kernel_losses(m, &now.ring, &now.context);
	now.hook = load_missed(m->load);
	lost = (struct msg_capture_lost){ now.ring - c->ring, now.context - c->context, now.hook - c->hook };
	if (!lost.ring && !lost.context && !lost.hook)
		return;
	/* what finds no room now is told the next time */
	if (chan_send(&m->engine.chan, MSG_CAPTURE_LOST, &lost, sizeof(lost), -1) == 0)
		*c = now;
}

void captures_over(struct monitor *m, const struct msg_capture_over *over)
{
	const struct msg_capture_over none = { 0 };

	if (!m->capture.active)
		return;
	end_job(m);
	log_info("the capture has ended");
	note(m, "end", over ? over : &none);
}
