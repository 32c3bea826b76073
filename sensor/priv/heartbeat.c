/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record of the log every so often that says what was seen, also when that is nothing: so whoever receives the log tells a
 * quiet host from a sensor that is silent.
 */
#include "lib/catalog.h"
#include "sensor/priv/monitor_impl.h"
#include "sensor/record/auditlog.h"

#define HEARTBEAT_MAX (14u << 10)

static uint64_t lost_of(const struct monitor *m, const struct ev_stats *now, const struct engine_counts *ec)
{
	uint64_t lost = m->gaps.events + ec->queue_refused + ec->malformed + notes_shed(m);

	for (int i = 0; i < EV_TYPES; i++)
		lost += now[i].lost;
	return lost;
}

/* {"open":{"dropped":90,"lost":0,"seen":100,"sent":10},...}: of the types that are hooked, since the last time */
static void put_events(struct monitor *m, const struct ev_stats *now, struct jsonw *w)
{
	const struct cat_event *ev = catalog_tamis()->events;
	const struct ev_stats *told = m->heartbeat.told;

	jsonw_key(w, "events");
	jsonw_obj_begin(w);
	for (const int *type = notes_types_by_name(); *type; type++) {
		const struct ev_stats *n = &now[*type], *t = &told[*type];

		if (!load_attached(m->load, (uint16_t)*type) && n->seen == t->seen)
			continue;
		jsonw_key(w, ev[*type].name);
		jsonw_obj_begin(w);
		jsonw_member_u64(w, "dropped", n->dropped - t->dropped);
		jsonw_member_u64(w, "lost", n->lost - t->lost);
		jsonw_member_u64(w, "seen", n->seen - t->seen);
		jsonw_member_u64(w, "sent", n->sent - t->sent);
		jsonw_obj_end(w);
	}
	jsonw_obj_end(w);
}

static void beat(struct monitor *m, uint64_t now_ns)
{
	struct heartbeat *h = &m->heartbeat;
	struct ev_stats now[EV_TYPES];
	struct engine_counts ec;
	struct buf b;
	struct jsonw w = jsonw_to(&b);
	uint64_t lost;

	load_stats(m->load, now);
	engine_counts_get(m->engine_page, &ec);
	lost = lost_of(m, now, &ec);
	buf_init(&b, HEARTBEAT_MAX);
	jsonw_obj_begin(&w);
	jsonw_member_u64(&w, "alerts", ec.made - h->alerts);
	put_events(m, now, &w);
	jsonw_member_u64(&w, "lost", lost - h->lost);
	jsonw_member_str(&w, "policy", m->policy.name);
	jsonw_member_u64(&w, "seconds", h->last_ns ? (now_ns - h->last_ns) / 1000000000ull : 0);
	jsonw_member_u64(&w, "uptime", (now_ns - m->start_ns) / 1000000000ull);
	jsonw_obj_end(&w);
	notes_put_large(m, AUDITLOG_HEARTBEAT, &b);
	buf_done(&b);
	memcpy(h->told, now, sizeof(h->told));
	h->alerts = ec.made;
	h->lost = lost;
	h->last_ns = now_ns;
}

void heartbeat_tick(struct monitor *m)
{
	struct heartbeat *h = &m->heartbeat;
	uint64_t now = clock_mono_ns();

	if (!m->o->heartbeat || m->phase != PHASE_RUNNING || now < h->due_ns)
		return;
	beat(m, now);
	h->due_ns = now + m->o->heartbeat * 1000000000ull;
}
