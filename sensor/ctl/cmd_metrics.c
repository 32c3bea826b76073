/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sensor's counters and gauges for Prometheus, text format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 *
 * tamisd opens no port. With --http one request is read from standard input and answered on standard output: a socket unit
 * with Accept=yes does the listening (packaging/systemd/tamis-metrics.socket), and each answer is a process of its own.
 */
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/ctl/commands.h"
#include "sensor/ctl/show.h"
#include "sensor/priv/msg.h"

#define REQUEST_MAX  8192
#define REQUEST_MS   5000
#define METRICS_MAX  (1u << 20)
#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* What `tamisctl status --json` has, and what it is called here. */
static const struct metric {
	const char *object, *member; /* object NULL: at the top */
	const char *name, *type, *help;
} metrics[] = {
	{ "alerts", "made", "tamis_alerts_total", "counter", "Alerts that rules made" },
	{ "alerts", "durable", "tamis_alerts_durable_total", "counter", "Alerts that are on disk and signed" },
	{ "alerts", "lost", "tamis_alerts_lost_total", "counter", "Alerts that could not be logged" },
	{ "alerts", "suppressed", "tamis_alerts_suppressed_total", "counter", "Matches held back by a rule's limit" },
	{ "alerts", "silent", "tamis_alerts_silent_total", "counter", "Matches of silent rules" },
	{ "alerts", "printed", "tamis_alerts_printed_total", "counter", "Alerts printed by --alerts" },
	{ "alerts", "skipped", "tamis_alerts_skipped_total", "counter", "Alerts that --alerts could not take" },
	{ "events", "evaluated", "tamis_events_evaluated_total", "counter", "Events that the rules were asked about" },
	{ "events", "lost", "tamis_events_lost_total", "counter", "Events lost anywhere, all types" },
	{ "events", "missed", "tamis_hook_missed_total", "counter", "Runs of hooks that the kernel left out" },
	{ "shed", "total", "tamis_events_shed_total", "counter", "Events that gave way when the engine fell behind" },
	{ "fim", "files", "tamis_fim_files", "gauge", "Files in the baseline" },
	{ "fim", "changed", "tamis_fim_changed", "gauge", "Files that differ from the baseline, as far as is known" },
	{ "fim", "queue", "tamis_fim_queue", "gauge", "Files that wait to be looked at" },
	{ "fim", "touches", "tamis_fim_touches_total", "counter", "Events that may have changed watched files" },
	{ "fim", "looked", "tamis_fim_looked_total", "counter", "Files that were looked at" },
	{ "fim", "alerts", "tamis_fim_alerts_total", "counter", "Integrity alerts" },
	{ "fim", "accepted", "tamis_fim_accepted_total", "counter", "Changes that a package manager made, accepted" },
	{ "fim", "lost", "tamis_fim_lost_total", "counter", "Events on watched files that were lost" },
	{ "fim", "failures", "tamis_fim_failures_total", "counter", "Files that could not be looked at or told of" },
	{ "fim", "cut", "tamis_fim_cut_total", "counter", "Touches of files that alerts do not list: too many" },
	{ "fim", "inodes", "tamis_fim_inodes", "gauge", "Files that are watched by inode, too" },
	{ "fim", "inodes_full", "tamis_fim_inodes_full", "gauge", "Files that found no room there" },
	{ "fim", "scans", "tamis_fim_scans_total", "counter", "Scans of all files that have ended" },
	{ "log", "pending", "tamis_log_pending_records", "gauge", "Records that wait to be written and signed" },
	{ "log", "seq", "tamis_log_seq", "counter", "Number of the log's last signed record" },
	{ "queue", "bytes", "tamis_queue_bytes", "gauge", "Memory of the events that wait for the engine" },
	{ "queue", "peak", "tamis_queue_peak_bytes", "gauge", "The most that it has been" },
	{ "queue", "records", "tamis_queue_records", "gauge", "Events that wait for the engine" },
	{ "variables", "held", "tamis_variables", "gauge", "Values that the policy's variables hold" },
	{ "variables", "lost", "tamis_variables_lost_total", "counter", "Values for which there was no room" },
	{ "lookups", "asked", "tamis_lookups_total", "counter",
	  "Hashes and packages of files that were looked up for rules" },
	{ "lookups", "given_up", "tamis_lookups_given_up_total", "counter", "Those that would have taken too long" },
	{ "lookups", "learned", "tamis_lookups_learned_total", "counter",
	  "Those after which the kernel decides on a file by itself" },
	{ "lookups", "spared", "tamis_lookups_spared_total", "counter",
	  "Opens that it has not sent since because of that" },
	{ "containers", "asked", "tamis_containers_asked_total", "counter",
	  "Questions to runtimes for names of containers" },
	{ "containers", "known", "tamis_containers_known_total", "counter", "Those that were answered" },
	{ "containers", "failed", "tamis_containers_failed_total", "counter", "Those without an answer of use" },
	{ "containers", "given_up", "tamis_containers_given_up_total", "counter", "Those that took too long" },
	{ "responses", "asked", "tamis_responses_total", "counter", "Kills that rules asked for" },
	{ "responses", "killed", "tamis_killed_total", "counter", "Processes that were hit" },
	{ "responses", "disarmed", "tamis_disarmed_total", "counter", "Rules that were disarmed" },
	{ "denials", "denied", "tamis_denied_total", "counter", "Operations that were refused" },
	{ "denials", "unsure", "tamis_deny_unsure_total", "counter",
	  "Operations let through because not all was known of them" },
	{ "captures", "asked", "tamis_captures_asked_total", "counter", "Captures that rules asked for" },
	{ "captures", "shared", "tamis_captures_shared_total", "counter",
	  "Of them, in a capture that was under way already" },
	{ "captures", "limited", "tamis_captures_limited_total", "counter",
	  "Of them, not made: more than may be begun in a minute" },
	{ "captures", "failed", "tamis_captures_failed_total", "counter",
	  "Captures that were not made or not to their end" },
	{ "captures", "kept", "tamis_captures_total", "counter", "Captures that were made" },
	{ "captures", "removed", "tamis_captures_removed_total", "counter", "Captures that gave way to others" },
	{ "captures", "bytes", "tamis_captures_bytes", "gauge", "Bytes of the captures that are there" },
	{ "captures", "files", "tamis_captures_files", "gauge", "Captures that are there" },
	{ "canary", "since", "tamis_canary_seconds", "gauge", "Seconds since the canary was last seen" },
	{ "canary", "restarts", "tamis_canary_restarts_total", "counter", "How often it was started again" },
	{ NULL, "process_table", "tamis_processes", "gauge", "Processes that the sensor knows" },
	{ NULL, "uptime", "tamis_uptime_seconds", "gauge", "Seconds since the sensor's start" },
};

static void head(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: names of events and processes need no escapes, but whoever answers may be anybody. */
static void label(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, "%s=\"", key);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			buf_putc(b, '\\');
		if (*value == '\n')
			buf_puts(b, "\\n");
		else
			buf_putc(b, (uint8_t)*value);
	}
	buf_putc(b, '"');
}

static void put_status(struct buf *b, const json_t *s)
{
	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		const struct metric *m = &metrics[i];
		const json_t *o = m->object ? json_object_get(s, m->object) : s;

		if (!json_object_get(o, m->member))
			continue;
		head(b, m->name, m->type, m->help);
		buf_printf(b, "%s %" PRIu64 "\n", m->name, show_u64(o, m->member));
	}
	head(b, "tamis_log_error", "gauge", "1 while the log cannot be written");
	buf_printf(b, "tamis_log_error %d\n", show_str(json_object_get(s, "log"), "error")[0] != '\0');
	head(b, "tamis_log_epoch_error", "gauge", "1 while the log's key cannot be replaced");
	buf_printf(b, "tamis_log_epoch_error %d\n", show_str(json_object_get(s, "log"), "epoch_error")[0] != '\0');
	head(b, "tamis_log_prune_error", "gauge", "1 while old segments of the log cannot be pruned");
	buf_printf(b, "tamis_log_prune_error %d\n", show_str(json_object_get(s, "log"), "prune_error")[0] != '\0');
	head(b, "tamis_info", "gauge", "1, with the version of the sensor and the name of its policy");
	buf_puts(b, "tamis_info{");
	label(b, "version", show_str(s, "version"));
	buf_putc(b, ',');
	label(b, "policy", show_str(json_object_get(s, "policy"), "name"));
	buf_puts(b, "} 1\n");
}

static void put_processes(struct buf *b, const json_t *s)
{
	const json_t *processes = json_object_get(s, "processes"), *p;
	static const struct {
		const char *member, *name, *type, *help;
	} of[] = {
		{ "rss", "tamis_process_resident_bytes", "gauge", "Resident memory" },
		{ "pss", "tamis_process_proportional_bytes", "gauge", "Resident memory, shared pages in parts" },
		{ "restarts", "tamis_process_restarts_total", "counter", "How often it was started again" },
	};
	size_t k;

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		head(b, of[i].name, of[i].type, of[i].help);
		json_array_foreach(processes, k, p)
		{
			buf_printf(b, "%s{", of[i].name);
			label(b, "process", show_str(p, "name"));
			buf_printf(b, "} %" PRIu64 "\n", show_u64(p, of[i].member));
		}
	}
}

static void put_sinks(struct buf *b, const json_t *status)
{
	static const struct {
		const char *member, *name, *type, *help;
	} of[] = {
		{ "sent", "tamis_sink_sent_total", "counter", "Messages that the sink's collector took" },
		{ "retried", "tamis_sink_retries_total", "counter", "Attempts that failed" },
		{ "duplicates", "tamis_sink_duplicates_total", "counter", "Messages marked as possible duplicates" },
		{ "folded", "tamis_sink_folded_total", "counter", "Alerts that were folded into others" },
		{ "refused", "tamis_sink_refused_total", "counter", "Messages that the collector refuses" },
		{ "missed", "tamis_sink_missed_total", "counter", "Records that were pruned before they were read" },
		{ "lag_records", "tamis_sink_lag_records", "gauge", "Records of the log that are not delivered yet" },
		{ "lag_seconds", "tamis_sink_lag_seconds", "gauge", "Age of the oldest record that waits" },
		{ "failing", "tamis_sink_failing_seconds", "gauge", "How long nothing was delivered; 0: all is well" },
		{ "restarts", "tamis_sink_restarts_total", "counter", "How often its process was started again" },
	};
	const json_t *sinks = json_object_get(status, "sinks"), *s;
	size_t k;

	if (!json_array_size(sinks))
		return;
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		head(b, of[i].name, of[i].type, of[i].help);
		json_array_foreach(sinks, k, s)
		{
			buf_printf(b, "%s{", of[i].name);
			label(b, "sink", show_str(s, "name"));
			buf_putc(b, ',');
			label(b, "type", show_str(s, "type"));
			buf_printf(b, "} %" PRIu64 "\n", show_u64(s, of[i].member));
		}
	}
}

/* 1 for each event that has rules and is not seen, by its lack of a hook or by the canary's word. */
static void put_blind(struct buf *b, const json_t *s)
{
	const json_t *lists[] = { json_object_get(s, "blind"), json_object_get(json_object_get(s, "canary"), "blind") };
	const json_t *name;
	size_t k;

	head(b, "tamis_blind", "gauge", "1 for an event that the policy asks for and that is not seen");
	for (size_t i = 0; i < 2; i++)
		json_array_foreach(lists[i], k, name)
		{
			buf_puts(b, "tamis_blind{");
			label(b, "event", json_is_string(name) ? json_string_value(name) : "");
			buf_printf(b, ",reason=\"%s\"} 1\n", i ? "canary" : "no hook");
		}
}

static void put_events(struct buf *b, json_t *stats)
{
	static const char *const results[] = { "seen",	  "dropped",	  "sent",   "lost",
					       "context", "lost_context", "denied", "deny_unsure" };
	const char *name;
	json_t *e;

	head(b, "tamis_events_total", "counter", "Events in the kernel by type and by what became of them");
	json_object_foreach(json_object_get(stats, "events"), name, e)
	{
		for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
			buf_puts(b, "tamis_events_total{");
			label(b, "event", name);
			buf_printf(b, ",result=\"%s\"} %" PRIu64 "\n", results[i], show_u64(e, results[i]));
		}
	}
}

/* A sensor that does not answer is a value, too. */
static void render(struct buf *b, const char *state_dir)
{
	json_t *status = show_ask(state_dir, MSG_STATUS, NULL),
	       *stats = status ? show_ask(state_dir, MSG_STATS, NULL) : NULL;

	head(b, "tamis_up", "gauge", "1: the sensor answers");
	buf_printf(b, "tamis_up %d\n", stats != NULL);
	if (stats) {
		put_status(b, status);
		put_processes(b, status);
		put_blind(b, status);
		put_sinks(b, status);
		put_events(b, stats);
	}
	json_decref(status);
	json_decref(stats);
}

/* ---- one request --------------------------------------------------------------------------------------------------- */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* The head of a request, or as much as came in time. */
static size_t read_head(char *to, size_t size)
{
	uint64_t end = now_ms() + REQUEST_MS;
	size_t n = 0;

	for (;;) {
		struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
		uint64_t now = now_ms();
		ssize_t got;

		if (now >= end || n + 1 == size || poll(&p, 1, (int)(end - now)) <= 0)
			break;
		got = read(STDIN_FILENO, to + n, size - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
		to[n] = '\0';
		if (strstr(to, "\r\n\r\n") || strstr(to, "\n\n"))
			break;
	}
	to[n] = '\0';
	return n;
}

static int respond(const char *status, const char *type, const struct buf *body)
{
	printf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status, type,
	       body->len);
	fwrite(body->data, 1, body->len, stdout);
	return fflush(stdout) == 0 ? CTL_OK : CTL_FAILED;
}

static int answer(const char *state_dir)
{
	char head_text[REQUEST_MAX];
	struct buf body;
	int r;

	buf_init(&body, METRICS_MAX);
	read_head(head_text, sizeof(head_text));
	if (strncmp(head_text, "GET /metrics ", 13) == 0 || strncmp(head_text, "GET /metrics?", 13) == 0) {
		render(&body, state_dir);
		r = respond("200 OK", CONTENT_TYPE, &body);
	} else {
		buf_puts(&body, "GET /metrics is what there is.\n");
		r = respond(strncmp(head_text, "GET ", 4) == 0 ? "404 Not Found" : "400 Bad Request", "text/plain",
			    &body);
	}
	buf_done(&body);
	return r;
}

int cmd_metrics(int argc, char **argv, const char *state_dir)
{
	struct buf b;
	int r;

	if (argc == 2 && strcmp(argv[1], "--http") == 0)
		return answer(state_dir);
	if (argc > 1) {
		log_err("metrics takes --http and nothing else, not '%s'", argv[1]);
		return CTL_USAGE;
	}
	buf_init(&b, METRICS_MAX);
	render(&b, state_dir);
	r = fwrite(b.data, 1, b.len, stdout) == b.len && fflush(stdout) == 0 ? CTL_OK : CTL_FAILED;
	buf_done(&b);
	return r;
}
