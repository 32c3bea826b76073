/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "lib/catalog.h"
#include "lib/jsonw.h"
#include "lib/log.h"
#include "sensor/priv/monitor_impl.h"
#include "sensor/record/auditlog.h"

#define DETAILS_MAX (8u << 10)

static void send_note(struct monitor *m, const struct note *n)
{
	const struct msg_note head = { .kind_len = n->kind_len };
	int r = chan_send_wait(&m->record.chan, MSG_NOTE, &head, sizeof(head), n->kind_and_details, n->len, -1, 1000);

	/* a record process that is going away: its death is dealt with elsewhere */
	if (r < 0) {
		m->notes_dropped++;
		log_warn("a %.*s record did not reach the log: %s", (int)n->kind_len, n->kind_and_details, strerror(-r));
	}
}

void notes_send(struct monitor *m)
{
	if (m->record.state != CHILD_UP)
		return;
	for (size_t i = 0; i < m->nnotes; i++) {
		send_note(m, &m->notes[i]);
		free(m->notes[i].kind_and_details);
	}
	m->nnotes = 0;
}

void notes_free(struct monitor *m)
{
	for (size_t i = 0; i < m->nnotes; i++)
		free(m->notes[i].kind_and_details);
	m->nnotes = 0;
}

void notes_put(struct monitor *m, const char *kind, struct buf *details)
{
	struct note n = { .kind_len = (uint32_t)strlen(kind) };
	struct buf text;

	buf_init(&text, DETAILS_MAX + 64);
	buf_puts(&text, kind);
	buf_put(&text, details->data, details->len);
	if (details->error || text.error || m->nnotes == NOTES_WAITING) {
		m->notes_dropped++;
		log_warn("a %s record has no place", kind);
		buf_done(&text);
		return;
	}
	n.kind_and_details = (char *)text.data;
	n.len = text.len;
	m->notes[m->nnotes++] = n;
	notes_send(m);
}

static void put_u64(struct jsonw *w, const char *key, uint64_t v)
{
	jsonw_key(w, key);
	jsonw_u64(w, v);
}

static void put_str(struct jsonw *w, const char *key, const char *v)
{
	jsonw_key(w, key);
	jsonw_cstr(w, v);
}

void notes_gap(struct monitor *m, const char *process, const char *reason, uint64_t events, uint64_t alerts)
{
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	buf_init(&b, DETAILS_MAX);
	jsonw_obj_begin(&w);
	put_u64(&w, "alerts", alerts);
	put_u64(&w, "events", events);
	put_str(&w, "process", process);
	put_str(&w, "reason", reason);
	jsonw_obj_end(&w);
	notes_put(m, AUDITLOG_GAP, &b);
	buf_done(&b);
}

static void put_policy(struct jsonw *w, const struct policy_file *p)
{
	jsonw_obj_begin(w);
	put_str(w, "bundle", p->sha256);
	put_u64(w, "generation", p->generation);
	put_str(w, "name", p->name);
	put_u64(w, "rules", p->rules);
	jsonw_obj_end(w);
}

void notes_policy(struct monitor *m, const struct policy_file *before, const struct policy_file *now)
{
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	buf_init(&b, DETAILS_MAX);
	jsonw_obj_begin(&w);
	jsonw_key(&w, "after");
	put_policy(&w, now);
	jsonw_key(&w, "before");
	put_policy(&w, before);
	jsonw_obj_end(&w);
	notes_put(m, AUDITLOG_POLICY, &b);
	buf_done(&b);
}

/* ---- losses -------------------------------------------------------------------------------------------------------- */

uint64_t lost_events(const struct ev_stats *s)
{
	uint64_t n = 0;

	for (int i = 0; i < EV_TYPES; i++)
		n += s[i].lost;
	return n;
}

static uint64_t hooks_missed(struct monitor *m)
{
	struct load_hook rows[LOAD_HOOKS_MAX];
	int n = load_hooks(m->load, rows, LOAD_HOOKS_MAX);
	uint64_t sum = 0;

	for (int i = 0; i < n && i < LOAD_HOOKS_MAX; i++)
		sum += rows[i].missed;
	return sum;
}

/* {"context":1,"events":{"open":12},"total":12} of what is new; false when nothing is. */
static bool put_kernel_losses(struct monitor *m, struct ev_stats *now, struct jsonw *w)
{
	const struct catalog *c = catalog_tamis();
	const char *names[EV_TYPES] = { 0 };
	uint64_t total = 0, context = 0;

	for (int i = 0; i < EV_TYPES; i++) {
		names[i] = c->events[i].name;
		total += now[i].lost - m->lost_told[i].lost;
		context += now[i].lost_context - m->lost_told[i].lost_context;
	}
	if (!total && !context)
		return false;
	jsonw_obj_begin(w);
	put_u64(w, "context", context);
	jsonw_key(w, "events");
	jsonw_obj_begin(w);
	/* keys in ascending order: the catalog's numbers are in the order of their making */
	for (const char *last = ""; ; ) {
		int next = -1;

		for (int i = 0; i < EV_TYPES; i++)
			if (names[i] && strcmp(names[i], last) > 0 && (next < 0 || strcmp(names[i], names[next]) < 0))
				next = i;
		if (next < 0)
			break;
		last = names[next];
		if (now[next].lost != m->lost_told[next].lost)
			put_u64(w, last, now[next].lost - m->lost_told[next].lost);
	}
	jsonw_obj_end(w);
	put_u64(w, "total", total);
	put_str(w, "where", "ring");
	jsonw_obj_end(w);
	return true;
}

static void tell_other(struct monitor *m, const char *where, uint64_t n)
{
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	buf_init(&b, DETAILS_MAX);
	jsonw_obj_begin(&w);
	put_u64(&w, "total", n);
	put_str(&w, "where", where);
	jsonw_obj_end(&w);
	notes_put(m, AUDITLOG_LOSS, &b);
	buf_done(&b);
}

void notes_losses(struct monitor *m)
{
	struct ev_stats now[EV_TYPES];
	struct engine_counts ec;
	struct buf b;
	struct jsonw w = jsonw_to(&b);
	uint64_t missed = hooks_missed(m), engine;

	if (load_stats(m->load, now) < 0)
		return;
	buf_init(&b, DETAILS_MAX);
	if (put_kernel_losses(m, now, &w)) {
		notes_put(m, AUDITLOG_LOSS, &b);
		memcpy(m->lost_told, now, sizeof(now));
	}
	buf_done(&b);
	if (missed > m->missed_told)
		tell_other(m, "hook", missed - m->missed_told);
	m->missed_told = missed;

	engine_counts_get(m->engine_page, &ec);
	engine = ec.queue_refused + ec.malformed + ec.unrendered;
	if (engine > m->engine_lost_told)
		tell_other(m, "engine", engine - m->engine_lost_told);
	m->engine_lost_told = engine;
}

/* ---- start --------------------------------------------------------------------------------------------------------- */

int notes_start_details(const struct monitor *m, const char *reason, struct buf *ret)
{
	struct jsonw w = jsonw_to(ret);

	jsonw_obj_begin(&w);
	jsonw_key(&w, "policy");
	put_policy(&w, &m->policy);
	put_str(&w, "reason", reason);
	jsonw_key(&w, "signed");
	jsonw_bool(&w, m->trust != NULL);
	put_str(&w, "version", TAMIS_VERSION);
	jsonw_obj_end(&w);
	return buf_error(ret);
}
