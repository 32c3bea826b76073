/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alerts that no rule of a policy made: the sensor is blinded, or somebody meddles with it. They look like others, so that
 * whatever receives alerts receives these, too. tamisd(8) lists them.
 */

#include "lib/catalog.h"
#include "lib/log.h"
#include "sensor/priv/monitor_impl.h"
#include "sensor/record/line.h"

#define ALARM_MAX 2048

static const struct {
	const char *id, *description;
} kinds[] = {
	[ALARM_BLIND] = { "tamis_blind", "A hook of the sensor does not see what it should" },
	[ALARM_CANARY] = { "tamis_canary", "The process that tests the sensor's hooks was killed or does not answer" },
	[ALARM_SINK] = { "tamis_sink", "Alerts do not reach where they are sent to" },
	[ALARM_PROCESS] = { "tamis_process", "A process of the sensor was killed or stopped" },
	[ALARM_DISARMED] = { "tamis_disarmed",
			     "A rule wanted to kill, or rules to deny, beyond the limits; they only raise alerts now" },
};

static void put_rule(struct jsonw *w, enum alarm_kind kind)
{
	jsonw_key(w, "rule");
	jsonw_obj_begin(w);
	jsonw_member_str(w, "description", kinds[kind].description);
	jsonw_member_str(w, "id", kinds[kind].id);
	jsonw_member_str(w, "policy", "tamis@" TAMIS_VERSION);
	jsonw_member_str(w, "severity", "high");
	jsonw_key(w, "tags");
	jsonw_obj_begin(w);
	jsonw_member_str(w, "severity", "high");
	jsonw_member_str(w, "tactic", "defense-evasion");
	jsonw_obj_end(w);
	jsonw_obj_end(w);
}

static void put_sensor(struct jsonw *w, const struct alarm *a)
{
	jsonw_key(w, "sensor");
	jsonw_obj_begin(w);
	if (a->alerts)
		jsonw_member_u64(w, "alerts_lost", a->alerts);
	if (a->events)
		jsonw_member_u64(w, "events_lost", a->events);
	jsonw_member_str(w, "reason", a->reason);
	if (a->rung)
		jsonw_member_str(w, "rung", a->rung);
	jsonw_member_str(w, "what", a->what);
	jsonw_obj_end(w);
}

/* Up to where the number goes, and from there on: see sensor/enrich/alert.h. */
static void put_head(struct buf *b, struct jsonw *w, const char *host, enum alarm_kind kind, const struct alarm *a)
{
	jsonw_obj_begin(w);
	jsonw_key(w, "event");
	jsonw_obj_begin(w);
	jsonw_member_str(w, "type", "sensor");
	jsonw_obj_end(w);
	jsonw_member_str(w, "host", host);
	jsonw_member_str(w, "kind", "alert");
	put_rule(w, kind);
	put_sensor(w, a);
	buf_putc(b, ',');
}

static void put_tail(struct buf *b)
{
	char text[LINE_TIME_SIZE];

	line_time(clock_real_ns(), text);
	buf_puts(b, "\"time\":\"");
	buf_puts(b, text);
	buf_puts(b, "\",\"v\":1}");
}

void alarm_raise(struct monitor *m, enum alarm_kind kind, const struct alarm *a)
{
	struct alert_text text;
	struct buf json, body;
	struct jsonw w = jsonw_to(&json);

	buf_init(&json, ALARM_MAX);
	buf_init(&body, ALARM_MAX + 64);
	put_head(&json, &w, m->host, kind, a);
	text.head_len = (uint32_t)json.len;
	put_tail(&json);
	text.tail_len = (uint32_t)json.len - text.head_len;
	text.head = (const char *)json.data;
	text.tail = text.head + text.head_len;
	if (json.error || buf_grow(&body, ALERT_TEXT_SIZE(text.head_len, text.tail_len)) < 0) {
		body.error = -ENOBUFS;
	} else {
		alert_text_put(body.data, &text);
		body.len = ALERT_TEXT_SIZE(text.head_len, text.tail_len);
	}
	notes_put_msg(m, MSG_ALARM, kinds[kind].id, &body);
	buf_done(&json);
}
