/* SPDX-License-Identifier: Apache-2.0 */

/* RFC 5424. The message is the record; the structured data has what collectors route by. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sensor/export/view.h"

#define FACILITY 13 /* log audit */
/* RFC 5612 keeps this enterprise number for documentation; there is none of our own */
#define SD_ID "tamis@32473"

static void put(struct buf *b, const char *name, const char *value)
{
	if (!*value)
		return;
	buf_printf(b, " %s=\"", name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\' || *value == ']')
			buf_putc(b, '\\');
		/* a line is a message where the transport does not count bytes */
		if ((uint8_t)*value < 0x20 || *value == 0x7f)
			buf_printf(b, "\\\\x%02x", (uint8_t)*value);
		else
			buf_putc(b, (uint8_t)*value);
	}
	buf_putc(b, '"');
}

static void put_delivery(struct buf *b, const struct export_delivery *by)
{
	buf_printf(b, " segment=\"%" PRIu64 "\" index=\"%" PRIu64 "\"", by->segment, by->index);
	if (by->duplicate)
		buf_puts(b, " duplicate=\"1\"");
	if (by->count)
		buf_printf(b,
			   " count=\"%" PRIu64 "\" firstSeq=\"%" PRIu64 "\" first=\"%" PRIu64 "\" last=\"%" PRIu64 "\"",
			   by->count, by->first_seq, by->first_ns / 1000000, by->last_ns / 1000000);
}

static int render(const struct export_view *v, struct buf *ret)
{
	static const int severities[] = { 5, 6, 5, 4, 3, 2 };
	char number[24];
	int64_t pid;

	/* at most six digits of a second */
	buf_printf(ret, "<%d>1 %.26sZ %s tamisd - %s [" SD_ID, FACILITY * 8 + severities[v->severity], v->time,
		   *v->host ? v->host : "-", v->kind);
	snprintf(number, sizeof(number), "%" PRIu64, v->seq);
	put(ret, "seq", number);
	if (v->by)
		put_delivery(ret, v->by);
	put(ret, "rule", v->rule);
	put(ret, "severity", v->severity_word);
	put(ret, "event", v->type);
	put(ret, "process", export_text(v->process, "file.path"));
	if (export_int(v->process, "pid", &pid)) {
		snprintf(number, sizeof(number), "%" PRId64, pid);
		put(ret, "pid", number);
	}
	put(ret, "user", export_text(v->process, "user"));
	put(ret, "path", v->path);
	buf_puts(ret, "] \xef\xbb\xbf");
	buf_put(ret, v->raw, v->raw_len);
	return buf_putc(ret, '\n');
}

const struct export_render export_syslog = { render };
