/* SPDX-License-Identifier: Apache-2.0 */

/* ArcSight Common Event Format, version 0: "Implementing ArcSight Common Event Format", revision 25. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sensor/export/view.h"

#define MAX 1020 /* bytes of a value, but whole characters: the limit of the longest fields */

static void put_header(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '|' || *text == '\\')
			buf_putc(b, '\\');
		buf_putc(b, *text == '\n' || *text == '\r' ? ' ' : (uint8_t)*text);
	}
	buf_putc(b, '|');
}

static void put(struct buf *b, const char *key, const char *text)
{
	if (!*text)
		return;
	if (b->len && b->data[b->len - 1] != '|')
		buf_putc(b, ' ');
	buf_puts(b, key);
	buf_putc(b, '=');
	for (size_t i = 0; text[i] && (i < MAX || (text[i] & 0xc0) == 0x80); i++) {
		if (text[i] == '\\' || text[i] == '=')
			buf_putc(b, '\\');
		if (text[i] == '\n' || text[i] == '\r')
			buf_puts(b, text[i] == '\n' ? "\\n" : "\\r");
		else if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
			buf_printf(b, "\\\\x%02x", (uint8_t)text[i]);
		else
			buf_putc(b, (uint8_t)text[i]);
	}
}

static void put_number(struct buf *b, const char *key, const json_t *from, const char *path)
{
	char text[24];
	int64_t n;

	if (!export_int(from, path, &n))
		return;
	snprintf(text, sizeof(text), "%" PRId64, n);
	put(b, key, text);
}

static void put_labelled(struct buf *b, int i, const char *label, const char *text)
{
	char key[16];

	if (!*text)
		return;
	snprintf(key, sizeof(key), "cs%d", i);
	put(b, key, text);
	snprintf(key, sizeof(key), "cs%dLabel", i);
	put(b, key, label);
}

static void put_addresses(struct buf *b, const struct export_view *v)
{
	const json_t *network = json_object_get(v->o, "network");
	bool out = strcmp(v->type, "connect") == 0;
	const struct {
		const char *key, *port;
		const json_t *from;
		const char *ip, *port_path;
	} sides[] = {
		{ out ? "dst" : "src", out ? "dpt" : "spt", v->event, "addr.ip", "addr.port" },
		{ "src", "spt", network, "source.ip", "source.port" },
		{ "dst", "dpt", network, "destination.ip", "destination.port" },
	};

	for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
		const char *ip = export_text(sides[i].from, sides[i].ip);

		if (!*ip)
			continue;
		put(b, sides[i].key, ip);
		put_number(b, sides[i].port, sides[i].from, sides[i].port_path);
	}
}

static void put_delivery(struct buf *b, const struct export_delivery *by)
{
	char text[64];

	snprintf(text, sizeof(text), "%" PRIu64 "/%" PRIu64 "%s", by->segment, by->index,
		 by->duplicate ? " duplicate" : "");
	put_labelled(b, 5, "delivery", text);
	if (!by->count)
		return;
	snprintf(text, sizeof(text), "%" PRIu64, by->count);
	put(b, "cnt", text);
	snprintf(text, sizeof(text), "%" PRIu64, by->first_ns / 1000000);
	put(b, "start", text);
	snprintf(text, sizeof(text), "%" PRIu64, by->last_ns / 1000000);
	put(b, "end", text);
}

static int render(const struct export_view *v, struct buf *ret)
{
	static const int severities[] = { 3, 1, 3, 5, 8, 10 };
	char text[24];

	buf_puts(ret, "CEF:0|Tamis|tamisd|");
	put_header(ret, TAMIS_VERSION);
	put_header(ret, *v->rule ? v->rule : v->kind);
	put_header(ret, *v->rule ? v->rule : v->kind);
	snprintf(text, sizeof(text), "%d", severities[v->severity]);
	put_header(ret, text);
	snprintf(text, sizeof(text), "%" PRIu64, v->time_ns / 1000000);
	put(ret, "rt", text);
	snprintf(text, sizeof(text), "%" PRIu64, v->seq);
	put(ret, "externalId", text);
	put(ret, "dvchost", v->host);
	put(ret, "cat", v->kind);
	put(ret, "act", v->type);
	if (v->alert)
		put(ret, "outcome", v->retval < 0 ? "failure" : "success");
	put(ret, "sproc", export_text(v->process, "file.path"));
	put_number(ret, "spid", v->process, "pid");
	put(ret, "suser", export_text(v->process, "user"));
	put_number(ret, "suid", v->process, "uid");
	put(ret, "filePath", v->path);
	put(ret, "fname", export_text(v->event, "file.name"));
	put_addresses(ret, v);
	put_labelled(ret, 1, "arguments", export_text(v->process, "args"));
	put_labelled(ret, 2, "parent", export_text(v->process, "parent.file.path"));
	put_labelled(ret, 3, "policy", v->policy);
	put_labelled(ret, 4, "container", export_text(v->process, "container.id"));
	if (v->by)
		put_delivery(ret, v->by);
	put(ret, "msg", v->message);
	return buf_putc(ret, '\n');
}

const struct export_render export_cef = { render };
