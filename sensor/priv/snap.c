/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/snap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"

void snap_init(struct snap *s, const struct snap_world *w, uint64_t max_bytes)
{
	*s = (struct snap){ .w = *w, .max_bytes = max_bytes };
	tap_init(&s->tap);
}

int snap_arm(struct snap *s, bool any, uint32_t before_ms)
{
	if (!any || !before_ms || !s->max_bytes) {
		past_end(&s->past);
		return 0;
	}
	if (past_is_on(&s->past)) {
		s->past.depth_ns = before_ms * 1000000ull;
		return 0;
	}
	return past_begin(&s->past, s->w.decode, s->w.enrich, s->w.fetch, before_ms * 1000000ull, PAST_BYTES);
}

/* ---- a match ------------------------------------------------------------------------------------------------------- */

static uint64_t now_of(const struct snap *s)
{
	return proctable_now(enrich_proctable(s->w.enrich));
}

static void name(struct snap *s, const struct snap_match *m, uint64_t request)
{
	uint32_t rule = m->rule_len < MSG_SNAP_NAME_MAX ? m->rule_len : MSG_SNAP_NAME_MAX;
	uint32_t policy = m->policy_len < MSG_SNAP_NAME_MAX ? m->policy_len : MSG_SNAP_NAME_MAX;

	s->begin = (struct msg_snap){
		.time_s = m->time_ns / 1000000000, .request = request, .rule_len = rule, .policy_len = policy
	};
	memcpy(s->names, m->rule, rule);
	memcpy(s->names + rule, m->policy, policy);
	capname_put(s->file, s->begin.time_s, m->rule, rule, request);
}

/* For one record more, whatever it is. */
static bool has_room(const struct snap *s)
{
	return !s->tap.full && capture_bytes(&s->tap.writer) + 2 * EV_REC_MAX <= s->max_bytes;
}

/* The tap's limits are the file's; the beginning has to leave room in it. */
static int begin(struct snap *s, const struct snap_match *m)
{
	const struct tap_source source = { .decode = s->w.decode,
					   .enrich = s->w.enrich,
					   .fetch = s->w.fetch,
					   .hostname = s->w.hostname,
					   .queue_refused = s->queue_refused,
					   .past = past_is_on(&s->past) ? &s->past : NULL };
	struct msg_capture_to to = { .what = { .bytes = s->max_bytes } };
	int r;

	memcpy(to.policy, m->policy, m->policy_len < sizeof(to.policy) ? m->policy_len : sizeof(to.policy) - 1);
	snprintf(to.sha256, sizeof(to.sha256), "%s", m->bundle);
	r = tap_begin_on(&s->tap, s->w.record, &to, &source);
	if (r == 0 && !has_room(s)) {
		tap_abort(&s->tap, s->w.enrich);
		r = -EFBIG;
	}
	if (r < 0)
		log_warn("the rule %.*s gets no capture: %s", (int)m->rule_len, m->rule,
			 r == -EFBIG ? "what is known of the processes is larger than one may be (--captures-keep)"
				     : strerror(-r));
	return r;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The one under way goes on. */
static void share(struct snap *s, const struct snap_match *m, struct alert_action *to)
{
	uint64_t until = now_of(s) + paction_after_ms(m->action) * 1000000ull;

	s->until_ns = until > s->until_ns ? min_u64(until, s->most_ns) : s->until_ns;
	s->end.matches++;
	s->w.counts->captures_shared++;
	to->request = s->begin.request;
	to->file = s->file;
}

void snap_match(struct snap *s, const struct snap_match *m, struct alert_action *to)
{
	struct engine_counts *c = s->w.counts;
	const uint64_t now = now_of(s);

	c->captures_asked++;
	if (s->state != SNAP_OFF && s->tap.state == TAP_ON && has_room(s)) {
		share(s, m, to);
		return;
	}
	if (s->state != SNAP_OFF || s->w.record->fd < 0) {
		to->state = ALERT_ACTION_BUSY;
		c->captures_limited++;
		return;
	}
	if (!caprate_take(m->rate, CAPLIMIT_RULE, now) || !caprate_take(&s->all, CAPLIMIT_ALL, now)) {
		to->state = ALERT_ACTION_LIMITED;
		c->captures_limited++;
		return;
	}
	if (begin(s, m) < 0) {
		to->state = ALERT_ACTION_FAILED;
		c->captures_failed++;
		return;
	}
	name(s, m, ++c->requests);
	s->state = SNAP_BEGUN;
	s->until_ns = now + paction_after_ms(m->action) * 1000000ull;
	s->most_ns = now + CAPLIMIT_SECONDS * 1000000000ull;
	s->end = (struct msg_snap_end){ .matches = 1, .before_ms = past_depth(&s->past) / 1000000 };
	to->request = s->begin.request;
	to->file = s->file;
}

/* ---- what comes in ------------------------------------------------------------------------------------------------- */

void snap_record(struct snap *s, const void *rec, size_t size, bool event)
{
	past_record(&s->past, rec, size);
	if (s->tap.state != TAP_ON)
		return;
	/* the match itself is in it, however short it is */
	if (now_of(s) > s->until_ns)
		tap_end(&s->tap, CAPTURE_ASKED, s->w.enrich);
	else
		tap_record(&s->tap, rec, size, event);
}

void snap_tick(struct snap *s, int64_t clock, uint64_t boot_ns, uint64_t queue_refused)
{
	past_lost(&s->past, CAPTURE_LOST_QUEUE, queue_refused - s->queue_refused);
	s->queue_refused = queue_refused;
	if (past_is_on(&s->past)) {
		past_tick(&s->past, clock, boot_ns);
		if (!past_is_on(&s->past))
			log_warn("no memory for what was before a match: captures begin with it");
	}
	tap_tick(&s->tap, clock, boot_ns, queue_refused);
	if (s->tap.state == TAP_ON && boot_ns >= s->until_ns)
		tap_end(&s->tap, CAPTURE_ASKED, s->w.enrich);
}

void snap_lost(struct snap *s, uint32_t where, uint64_t count)
{
	past_lost(&s->past, where, count);
	tap_lost(&s->tap, where, count);
}

void snap_end(struct snap *s)
{
	tap_end(&s->tap, CAPTURE_STOPPED, s->w.enrich);
}

/* ---- what goes out ------------------------------------------------------------------------------------------------- */

static void send_end(struct snap *s)
{
	int r = chan_send(s->w.record, MSG_SNAP_END, &s->end, sizeof(s->end), -1);

	/* whatever else is wrong with the socket is seen by who sends alerts */
	if (r != -EAGAIN)
		s->state = SNAP_OFF;
}

void snap_send(struct snap *s)
{
	if (s->state == SNAP_BEGUN) {
		if (chan_send2(s->w.record, MSG_SNAP, &s->begin, sizeof(s->begin), s->names,
			       s->begin.rule_len + s->begin.policy_len, -1) < 0)
			return;
		s->state = SNAP_ON;
	}
	if (s->state == SNAP_ON && tap_send(&s->tap, s->w.enrich)) {
		s->end.records = s->tap.sums.records;
		s->end.events = s->tap.sums.events;
		for (int i = 0; i < CAPTURE_LOST_PLACES; i++)
			s->end.lost += s->tap.sums.lost[i];
		s->end.why = s->tap.sums.why;
		s->state = SNAP_OVER;
	}
	if (s->state == SNAP_OVER)
		send_end(s);
}

void snap_abort(struct snap *s)
{
	if (s->state != SNAP_OFF)
		s->w.counts->captures_failed++;
	tap_abort(&s->tap, s->w.enrich);
	s->state = SNAP_OFF;
}

bool snap_waits(const struct snap *s)
{
	return s->state == SNAP_BEGUN || s->state == SNAP_OVER || tap_waits(&s->tap);
}
