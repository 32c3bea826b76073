/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "lib/catalog.h"
#include "lib/log.h"
#include "sensor/priv/monitor_impl.h"
#include "sensor/record/auditlog.h"

#define DETAILS_MAX (8u << 10)

static void send_note(struct monitor *m, const struct note *n)
{
	int r = chan_send_wait(&m->record.chan, n->type, NULL, 0, n->body, n->len, -1, 1000);

	/* a record process that is going away: its death is dealt with elsewhere */
	if (r < 0) {
		m->notes_dropped++;
		log_warn("a %s did not reach the log: %s", msg_name(n->type), strerror(-r));
	}
}

void notes_send(struct monitor *m)
{
	if (m->record.state != CHILD_UP)
		return;
	for (size_t i = 0; i < m->nnotes; i++) {
		send_note(m, &m->notes[i]);
		free(m->notes[i].body);
	}
	m->nnotes = 0;
}

void notes_free(struct monitor *m)
{
	for (size_t i = 0; i < m->nnotes; i++)
		free(m->notes[i].body);
	m->nnotes = 0;
}

void notes_put_msg(struct monitor *m, uint16_t type, const char *name, struct buf *body)
{
	if (body->error || m->nnotes == NOTES_WAITING) {
		m->notes_dropped++;
		log_warn("a %s record has no place", name);
		buf_done(body);
		return;
	}
	m->notes[m->nnotes++] = (struct note){ .type = type, .body = (char *)body->data, .len = body->len };
	notes_send(m);
}

static void put(struct monitor *m, const char *kind, struct buf *details, size_t most)
{
	const struct msg_note head = { .kind_len = (uint32_t)strlen(kind) };
	struct buf body;

	buf_init(&body, most + 64 + sizeof(head));
	buf_put(&body, &head, sizeof(head));
	buf_puts(&body, kind);
	buf_put(&body, details->data, details->len);
	if (details->error)
		body.error = details->error;
	notes_put_msg(m, MSG_NOTE, kind, &body);
}

void notes_put(struct monitor *m, const char *kind, struct buf *details)
{
	put(m, kind, details, DETAILS_MAX);
}

void notes_put_large(struct monitor *m, const char *kind, struct buf *details)
{
	put(m, kind, details, (16u << 10) - 128);
}

void notes_gap(struct monitor *m, const char *process, const char *reason, uint64_t events, uint64_t alerts)
{
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	buf_init(&b, DETAILS_MAX);
	jsonw_obj_begin(&w);
	jsonw_member_u64(&w, "alerts", alerts);
	jsonw_member_u64(&w, "events", events);
	jsonw_member_str(&w, "process", process);
	jsonw_member_str(&w, "reason", reason);
	jsonw_obj_end(&w);
	notes_put(m, AUDITLOG_GAP, &b);
	buf_done(&b);
	alarm_raise(m, ALARM_PROCESS,
		    &(struct alarm){ .what = process, .reason = reason, .events = events, .alerts = alerts });
}

void notes_put_blind(struct jsonw *w, const struct policy_file *p)
{
	jsonw_key(w, "blind");
	jsonw_arr_begin(w);
	for (const int *type = notes_types_by_name(); *type; type++)
		if (p->blind[*type])
			jsonw_cstr(w, catalog_tamis()->events[*type].name);
	jsonw_arr_end(w);
}

void notes_put_policy(struct jsonw *w, const struct policy_file *p, bool trusted)
{
	jsonw_obj_begin(w);
	notes_put_blind(w, p);
	jsonw_member_str(w, "bundle", p->sha256);
	jsonw_member_u64(w, "generation", p->generation);
	jsonw_member_str(w, "name", p->name);
	jsonw_member_u64(w, "off", p->off);
	jsonw_member_u64(w, "rules", p->rules);
	jsonw_member_bool(w, "trusted", trusted);
	jsonw_obj_end(w);
}

void notes_policy(struct monitor *m, const struct policy_file *before, const struct policy_file *now)
{
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	buf_init(&b, DETAILS_MAX);
	jsonw_obj_begin(&w);
	jsonw_key(&w, "after");
	notes_put_policy(&w, now, m->trust != NULL);
	jsonw_key(&w, "before");
	notes_put_policy(&w, before, m->trust != NULL);
	jsonw_obj_end(&w);
	notes_put(m, AUDITLOG_POLICY, &b);
	buf_done(&b);
}

/* ---- losses -------------------------------------------------------------------------------------------------------- */

const int *notes_types_by_name(void)
{
	static int order[EV_TYPES];
	const struct cat_event *ev = catalog_tamis()->events;
	int n = 0;

	if (order[0])
		return order;
	for (int i = 1; i < EV_TYPES; i++) {
		int at = n;

		if (!ev[i].name)
			continue;
		for (; at > 0 && strcmp(ev[order[at - 1]].name, ev[i].name) > 0; at--)
			order[at] = order[at - 1];
		order[at] = i;
		n++;
	}
	return order; /* ends with 0, which is no event */
}

/* What the ring had no room for, by event type: {"context":1,"events":{"open":12},"total":12,"where":"ring"} */
static void tell_ring(struct monitor *m, const struct ev_stats *now)
{
	const struct cat_event *ev = catalog_tamis()->events;
	const struct ev_stats *told = m->lost_told;
	uint64_t total = 0, context = 0;
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	for (int i = 0; i < EV_TYPES; i++) {
		total += now[i].lost - told[i].lost;
		context += now[i].lost_context - told[i].lost_context;
	}
	if (!total && !context)
		return;
	buf_init(&b, DETAILS_MAX);
	jsonw_obj_begin(&w);
	jsonw_member_u64(&w, "context", context);
	jsonw_key(&w, "events");
	jsonw_obj_begin(&w);
	for (const int *type = notes_types_by_name(); *type; type++)
		if (now[*type].lost != told[*type].lost)
			jsonw_member_u64(&w, ev[*type].name, now[*type].lost - told[*type].lost);
	jsonw_obj_end(&w);
	jsonw_member_u64(&w, "total", total);
	jsonw_member_str(&w, "where", "ring");
	jsonw_obj_end(&w);
	notes_put(m, AUDITLOG_LOSS, &b);
	buf_done(&b);
	memcpy(m->lost_told, now, sizeof(m->lost_told));
}

static uint64_t shed_since(const struct monitor *m, int type, int level)
{
	return engine_shed_get(m->engine_page, (unsigned int)type, (unsigned int)level) - m->shed_told[type][level];
}

/* Left out by the engine: {"events":{"open":12},"severity":{"info":10,"low":2},"total":12,"where":"shed"} */
static void tell_shed(struct monitor *m)
{
	const struct cat_event *ev = catalog_tamis()->events;
	uint64_t of_type[EV_TYPES] = { 0 }, of_level[SHED_LEVELS] = { 0 }, total = 0;
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	for (const int *type = notes_types_by_name(); *type; type++)
		for (int level = 0; level < SHED_LEVELS; level++) {
			uint64_t n = shed_since(m, *type, level);

			of_type[*type] += n;
			of_level[level] += n;
			total += n;
			m->shed_told[*type][level] += n;
		}
	if (!total)
		return;
	buf_init(&b, DETAILS_MAX);
	jsonw_obj_begin(&w);
	jsonw_key(&w, "events");
	jsonw_obj_begin(&w);
	for (const int *type = notes_types_by_name(); *type; type++)
		if (of_type[*type])
			jsonw_member_u64(&w, ev[*type].name, of_type[*type]);
	jsonw_obj_end(&w);
	jsonw_key(&w, "severity");
	jsonw_obj_begin(&w);
	for (unsigned int level = 0; level < SHED_LEVELS; level++)
		if (of_level[level])
			jsonw_member_u64(&w, shed_level_name(level), of_level[level]);
	jsonw_obj_end(&w);
	jsonw_member_u64(&w, "total", total);
	jsonw_member_str(&w, "where", "shed");
	jsonw_obj_end(&w);
	notes_put(m, AUDITLOG_LOSS, &b);
	buf_done(&b);
}

uint64_t notes_shed(const struct monitor *m)
{
	uint64_t sum = 0;

	for (int type = 0; type < EV_TYPES; type++)
		for (int level = 0; level < SHED_LEVELS; level++)
			sum += engine_shed_get(m->engine_page, (unsigned int)type, (unsigned int)level);
	return sum;
}

/* The same for places that know no types; *told is what is in the log already. */
static void tell(struct monitor *m, const char *where, uint64_t now, uint64_t *told)
{
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	if (now <= *told)
		return;
	buf_init(&b, DETAILS_MAX);
	jsonw_obj_begin(&w);
	jsonw_member_u64(&w, "total", now - *told);
	jsonw_member_str(&w, "where", where);
	jsonw_obj_end(&w);
	notes_put(m, AUDITLOG_LOSS, &b);
	buf_done(&b);
	*told = now;
}

void notes_losses(struct monitor *m)
{
	struct ev_stats now[EV_TYPES];
	struct engine_counts ec;
	struct record_counts rc;

	engine_counts_get(m->engine_page, &ec);
	record_counts_get(m->record_page, &rc);
	load_stats(m->load, now);
	tell_ring(m, now);
	tell_shed(m);
	tell(m, "hook", load_missed(m->load), &m->told.hook);
	tell(m, "engine", ec.queue_refused + ec.malformed + ec.unrendered, &m->told.engine);
	tell(m, "record", rc.refused, &m->told.record);
}

/* ---- blind spots --------------------------------------------------------------------------------------------------- */

void notes_blind(struct monitor *m, struct policy_file *p)
{
	for (const int *type = notes_types_by_name(); *type; type++) {
		p->blind[*type] = load_blind(m->load, p->sieve, (uint16_t)*type);
		if (p->blind[*type])
			log_warn(
				"policy %s has rules on %s, which nothing on this kernel can see: they do not work here "
				"(`tamisctl hooks` tells why)",
				p->name, catalog_tamis()->events[*type].name);
	}
}

/* ---- start --------------------------------------------------------------------------------------------------------- */

int notes_start_details(const struct monitor *m, const char *reason, struct buf *ret)
{
	struct jsonw w = jsonw_to(ret);

	jsonw_obj_begin(&w);
	jsonw_key(&w, "policy");
	notes_put_policy(&w, &m->policy, m->trust != NULL);
	jsonw_member_str(&w, "reason", reason);
	jsonw_member_str(&w, "version", TAMIS_VERSION);
	jsonw_obj_end(&w);
	return buf_error(ret);
}
