/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OpenTelemetry logs as OTLP/HTTP has them in JSON: an ExportLogsServiceRequest with one log record
 * (opentelemetry-proto 1.x, collector/logs/v1 and logs/v1; 64-bit integers are strings there). Attributes have the names of
 * the semantic conventions where there are some.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sensor/export/view.h"

static void text(json_t *attributes, const char *key, const char *value)
{
	if (*value)
		json_array_append_new(attributes,
				      json_pack("{s:s,s:{s:s}}", "key", key, "value", "stringValue", value));
}

static void number(json_t *attributes, const char *key, const json_t *from, const char *path)
{
	char digits[24];
	int64_t n;

	if (!export_int(from, path, &n))
		return;
	snprintf(digits, sizeof(digits), "%" PRId64, n);
	json_array_append_new(attributes, json_pack("{s:s,s:{s:s}}", "key", key, "value", "intValue", digits));
}

static void count(json_t *attributes, const char *key, uint64_t n)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, n);
	json_array_append_new(attributes, json_pack("{s:s,s:{s:s}}", "key", key, "value", "intValue", digits));
}

static void delivery(json_t *attributes, const struct export_delivery *by)
{
	count(attributes, "tamis.segment", by->segment);
	count(attributes, "tamis.index", by->index);
	json_array_append_new(
		attributes, json_pack("{s:s,s:{s:b}}", "key", "tamis.duplicate", "value", "boolValue", by->duplicate));
	if (!by->count)
		return;
	count(attributes, "tamis.folded.count", by->count);
	count(attributes, "tamis.folded.first_ns", by->first_ns);
	count(attributes, "tamis.folded.last_ns", by->last_ns);
	count(attributes, "tamis.folded.first_seq", by->first_seq);
}

static json_t *attributes_of(const struct export_view *v)
{
	json_t *a = json_array();
	char seq[24];

	snprintf(seq, sizeof(seq), "%" PRIu64, v->seq);
	text(a, "tamis.kind", v->kind);
	if (v->by)
		delivery(a, v->by);
	text(a, "tamis.seq", seq);
	text(a, "tamis.rule.id", v->rule);
	text(a, "tamis.policy", v->policy);
	text(a, "tamis.event.type", v->type);
	number(a, "process.pid", v->process, "pid");
	number(a, "process.parent_pid", v->process, "ppid");
	text(a, "process.executable.path", export_text(v->process, "file.path"));
	text(a, "process.executable.name", export_text(v->process, "file.name"));
	text(a, "process.owner", export_text(v->process, "user"));
	text(a, "container.id", export_text(v->process, "container.id"));
	text(a, "file.path", v->path);
	text(a, "network.peer.address", export_text(v->event, "addr.ip"));
	if (*export_text(v->event, "addr.ip"))
		number(a, "network.peer.port", v->event, "addr.port");
	return a;
}

static int render(const struct export_view *v, struct buf *ret)
{
	static const struct {
		int number;
		const char *text;
	} severities[] = { { 9, "INFO" },  { 9, "INFO" },   { 10, "INFO2" },
			   { 13, "WARN" }, { 17, "ERROR" }, { 21, "FATAL" } };
	json_t *record, *resource = json_array(), *o;
	char time[24];

	snprintf(time, sizeof(time), "%" PRIu64, v->time_ns);
	text(resource, "service.name", "tamisd");
	text(resource, "service.version", TAMIS_VERSION);
	text(resource, "host.name", v->host);
	record = json_pack("{s:s,s:s,s:i,s:s,s:{s:s},s:o}", "timeUnixNano", time, "observedTimeUnixNano", time,
			   "severityNumber", severities[v->severity].number, "severityText",
			   severities[v->severity].text, "body", "stringValue", v->message, "attributes",
			   attributes_of(v));
	/* the record itself, for those who want all of it */
	json_array_append_new(
		json_object_get(record, "attributes"),
		json_pack("{s:s,s:{s:s%}}", "key", "tamis.record", "value", "stringValue", v->raw, v->raw_len));
	o = json_pack("{s:[{s:{s:o},s:[{s:{s:s,s:s},s:[o]}]}]}", "resourceLogs", "resource", "attributes", resource,
		      "scopeLogs", "scope", "name", "tamis", "version", TAMIS_VERSION, "logRecords", record);
	return export_line(o, ret);
}

const struct export_render export_otlp = { render };
