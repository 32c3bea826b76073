/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/export/export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/jsonw.h"
#include "lib/severity.h"
#include "lib/watch.h"
#include "sensor/export/view.h"
#include "sensor/record/line.h"

/* ---- members ------------------------------------------------------------------------------------------------------- */

const json_t *export_at(const json_t *o, const char *path)
{
	char name[64];

	while (o && *path) {
		size_t n = strcspn(path, ".");

		if (n >= sizeof(name))
			return NULL;
		memcpy(name, path, n);
		name[n] = '\0';
		o = json_object_get(o, name);
		path += n + (path[n] == '.');
	}
	return o;
}

const char *export_text(const json_t *o, const char *path)
{
	const json_t *v = export_at(o, path);

	return json_is_string(v) ? json_string_value(v) : "";
}

bool export_int(const json_t *o, const char *path, int64_t *ret)
{
	const json_t *v = export_at(o, path);
	const char *digits = json_string_value(v);
	char *end;

	if (json_is_integer(v)) {
		*ret = json_integer_value(v);
		return true;
	}
	if (!digits || !*digits)
		return false;
	errno = 0;
	*ret = (int64_t)strtoull(digits, &end, 10);
	return !errno && !*end;
}

void export_put_text(json_t *to, const char *key, const char *text)
{
	if (*text)
		json_object_set_new(to, key, json_string(text));
}

void export_put_int(json_t *to, const char *key, const json_t *from, const char *path)
{
	int64_t v;

	if (export_int(from, path, &v))
		json_object_set_new(to, key, json_integer(v));
}

void export_put(json_t *to, const char *key, json_t *value)
{
	if ((json_is_object(value) && !json_object_size(value)) || (json_is_array(value) && !json_array_size(value)))
		json_decref(value);
	else if (value)
		json_object_set_new(to, key, value);
}

static int put_piece(const char *p, size_t n, void *ctx)
{
	return buf_put(ctx, p, n) < 0 ? -1 : 0;
}

int export_line(json_t *o, struct buf *ret)
{
	int r = o ? json_dump_callback(o, put_piece, ret, JSON_COMPACT | JSON_SORT_KEYS) : -1;

	json_decref(o);
	if (buf_error(ret))
		return buf_error(ret);
	return r < 0 ? -ENOMEM : buf_putc(ret, '\n');
}

/* ---- the view ------------------------------------------------------------------------------------------------------ */

static void say(struct export_view *v)
{
	const char *program = export_text(v->process, "file.path");
	int64_t pid = 0;

	if (!v->alert) {
		snprintf(v->message, sizeof(v->message), "%s", v->kind);
		return;
	}
	export_int(v->process, "pid", &pid);
	snprintf(v->message, sizeof(v->message), "%s: %s by %.200s (pid %" PRId64 ")%s%.400s", v->rule, v->type,
		 *program ? program : export_text(v->process, "comm"), pid, *v->path ? ": " : "", v->path);
	/* cut between two characters */
	for (size_t i = 0, n; v->message[i]; i += n) {
		n = jsonw_utf8_len((const uint8_t *)v->message + i, strlen(v->message + i));
		if (!n) {
			v->message[i] = '?';
			n = 1;
		}
	}
}

static void look(struct export_view *v, const struct line *l)
{
	const json_t *own;

	v->seq = l->seq;
	line_time_ns(l->time, &v->time_ns);
	v->time = export_text(v->o, "time");
	v->host = export_text(v->o, "host");
	v->kind = export_text(v->o, "kind");
	v->alert = strcmp(v->kind, "alert") == 0;
	v->rule = export_text(v->o, "rule.id");
	v->policy = export_text(v->o, "rule.policy");
	v->severity_word = export_text(v->o, "rule.severity");
	v->severity = severity_of(v->severity_word);
	v->type = export_text(v->o, "event.type");
	v->process = json_object_get(v->o, "process");
	own = *v->type ? json_object_get(v->o, v->type) : NULL;
	v->event = own;
	export_int(v->o, "event.retval", &v->retval);
	v->path = export_text(own, "file.path");
	if (!*v->path)
		v->path = export_text(own, "mountpoint.path");
	if (!*v->path)
		v->path = export_text(own, "path");
	snprintf(v->uid, sizeof(v->uid), "%s/%" PRIu64, v->host, v->seq);
	say(v);
}

/* ---- formats ------------------------------------------------------------------------------------------------------- */

json_t *export_delivery_json(const struct export_view *v)
{
	const struct export_delivery *by = v->by;
	json_t *o = by ? json_pack("{s:b,s:I,s:I}", "duplicate", by->duplicate, "index", (json_int_t)by->index,
				   "segment", (json_int_t)by->segment)
		       : NULL;
	char first[LINE_TIME_SIZE], last[LINE_TIME_SIZE];

	if (!o || !by->count)
		return o;
	line_time(by->first_ns, first);
	line_time(by->last_ns, last);
	json_object_set_new(o, "folded",
			    json_pack("{s:I,s:s,s:I,s:s}", "count", (json_int_t)by->count, "first", first, "first_seq",
				      (json_int_t)by->first_seq, "last", last));
	return o;
}

/* The delivery is put before the first member, so that who takes it off again has the log's very bytes. */
static int render_jsonl(const struct export_view *v, struct buf *ret)
{
	json_t *by = export_delivery_json(v);

	if (!by) {
		buf_put(ret, v->raw, v->raw_len);
		return buf_putc(ret, '\n');
	}
	buf_puts(ret, "{\"delivery\":");
	json_dump_callback(by, put_piece, ret, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(by);
	buf_putc(ret, ',');
	buf_put(ret, v->raw + 1, v->raw_len - 1);
	return buf_putc(ret, '\n');
}

static const struct export_render export_jsonl = { render_jsonl };

const struct export_format export_formats[] = {
	{ "jsonl", "application/x-ndjson", "the records as they are in the log", &export_jsonl },
	{ "ocsf", "application/x-ndjson", "OCSF 1.9: a Detection Finding and the activity behind it", &export_ocsf },
	{ "ecs", "application/x-ndjson", "Elastic Common Schema 8.11", &export_ecs },
	{ "cef", "text/plain", "ArcSight Common Event Format", &export_cef },
	{ "syslog", "text/plain", "RFC 5424, with the record as its message", &export_syslog },
	{ "otlp", "application/json", "OpenTelemetry logs, a request of OTLP/HTTP a record", &export_otlp },
	{ 0 },
};

const struct export_format *export_format_find(const char *name)
{
	for (const struct export_format *f = export_formats; f->name; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

/* ---- documents ----------------------------------------------------------------------------------------------------- */

struct export_doc {
	struct export_view v;
	struct export_facts facts;
};

static void find_facts(struct export_doc *d)
{
	const struct export_view *v = &d->v;
	struct export_facts *f = &d->facts;
	const char *program = export_text(v->process, "file.path");

	*f = (struct export_facts){
		.kind = v->kind,
		.rule = v->rule,
		.policy = v->policy,
		.severity_word = v->severity_word,
		.type = v->type,
		.host = v->host,
		.time = v->time,
		.process = *program ? program : export_text(v->process, "comm"),
		.args = export_text(v->process, "args"),
		.user = export_text(v->process, "user"),
		.container = export_text(v->process, "container.id"),
		.path = v->path,
		.address = export_text(v->event, "addr.ip"),
		.uid = v->uid,
		.message = v->message,
		.description = export_text(v->o, "rule.description"),
		.severity = v->severity,
		.seq = v->seq,
		.time_ns = v->time_ns,
		.alert = v->alert,
		.failed = v->retval < 0,
	};
	export_int(v->process, "pid", &f->pid);
}

int export_doc_open(const char *line, size_t n, struct export_doc **ret, struct err *e)
{
	struct export_doc *d;
	struct line l;

	if (line_parse(line, n, &l) < 0)
		return err_set(e, -EBADMSG, "not a record: malformed JSON or members");
	d = calloc(1, sizeof(*d));
	if (!d)
		return err_set(e, -ENOMEM, "no memory for a record");
	d->v.raw = line;
	d->v.raw_len = n;
	d->v.o = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
	if (!d->v.o) {
		free(d);
		return err_set(e, -EBADMSG, "not a record: malformed JSON");
	}
	look(&d->v, &l);
	find_facts(d);
	*ret = d;
	return 0;
}

void export_doc_free(struct export_doc *d)
{
	if (!d)
		return;
	json_decref(d->v.o);
	free(d);
}

const struct export_facts *export_doc_facts(const struct export_doc *d)
{
	return &d->facts;
}

int export_doc_render(const struct export_doc *d, const struct export_format *f, const struct export_delivery *by,
		      struct buf *ret, struct err *e)
{
	struct export_view v = d->v;
	size_t before = ret->len;
	int r;

	v.by = by;
	r = f->render->render(&v, ret);
	if (r == 0)
		return 0;
	buf_truncate(ret, before);
	return err_set(e, r, "no room for a record as %s", f->name);
}

int export_record(const struct export_format *f, const char *line, size_t n, struct buf *ret, struct err *e)
{
	struct export_doc *d;
	int r = export_doc_open(line, n, &d, e);

	if (r < 0)
		return r;
	r = export_doc_render(d, f, NULL, ret, e);
	export_doc_free(d);
	return r;
}
