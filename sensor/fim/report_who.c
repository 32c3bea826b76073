/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "sensor/fim/report_impl.h"
#include "sensor/fim/show.h"

#define SHOWN_MAX     16
#define ANCESTORS_MAX 32

/* ---- texts of an alert --------------------------------------------------------------------------------------------- */

static void put_string(struct report *r, const char *s)
{
	buf_reset(&r->name);
	jsonw_bytes(&r->name, s);
	report_text(r, r->name.data, r->name.len);
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* By its file; where that is not known by the name that it gives itself. */
static const char *program_of(const json_t *process)
{
	const char *path = text_of(json_object_get(process, "file"), "path");

	return *path ? path : text_of(process, "comm");
}

static void put_user(struct report *r, const json_t *process)
{
	const char *user = text_of(process, "user");
	const json_t *uid = json_object_get(process, "uid");

	put_string(r, user);
	if (json_is_integer(uid))
		buf_printf(&r->out, *user ? " (%" JSON_INTEGER_FORMAT ")" : "%" JSON_INTEGER_FORMAT,
			   json_integer_value(uid));
}

/* ---- processes ------------------------------------------------------------------------------------------------------ */

static void put_ancestors(struct report *r, const json_t *process)
{
	const json_t *list = json_object_get(process, "ancestors"), *one;
	size_t i;

	if (!json_array_size(list))
		return;
	buf_puts(&r->out, "<div class=dim>run by ");
	json_array_foreach(list, i, one)
	{
		if (i == ANCESTORS_MAX)
			break;
		buf_puts(&r->out, i ? " &larr; " : "");
		put_string(r, program_of(one));
		buf_printf(&r->out, " %" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(one, "pid")));
	}
	buf_puts(&r->out, "</div>");
}

static void put_process(struct report *r, const json_t *process)
{
	const char *args = text_of(process, "args");

	buf_puts(&r->out, "<td>");
	put_string(r, program_of(process));
	if (*args) {
		buf_putc(&r->out, ' ');
		put_string(r, args);
	}
	put_ancestors(r, process);
	buf_puts(&r->out, "</td><td>");
	put_user(r, process);
	buf_puts(&r->out, "</td><td>");
	put_string(r, text_of(json_object_get(process, "container"), "id"));
	buf_puts(&r->out, "</td>");
}

/* The alert's own process stands for those of its touches that have none. */
static const json_t *process_of(const json_t *touch, const json_t *alert)
{
	const json_t *process = json_object_get(touch, "process"), *own = json_object_get(alert, "process");

	if (!process && json_equal(json_object_get(own, "pid"), json_object_get(touch, "pid")))
		process = own;
	return process;
}

/* To the millisecond. */
static void put_time(struct report *r, const char *time)
{
	char text[24];

	snprintf(text, sizeof(text), "%s", time);
	if (strlen(text) > 10 && text[10] == 'T')
		text[10] = ' ';
	put_string(r, text);
}

/* @before: the process of the row above, or NULL. */
static const json_t *put_touch(struct report *r, const json_t *touch, const json_t *alert, const json_t *before)
{
	const json_t *process = process_of(touch, alert);
	json_int_t pid = json_integer_value(json_object_get(touch, "pid")),
		   count = json_integer_value(json_object_get(touch, "count"));

	buf_puts(&r->out, "<tr><td class=when>");
	put_time(r, text_of(touch, "time"));
	buf_puts(&r->out, "</td><td>");
	put_string(r, text_of(touch, "event"));
	if (count > 1)
		buf_printf(&r->out, " &times;%" JSON_INTEGER_FORMAT, count);
	buf_printf(&r->out, "</td><td>%" JSON_INTEGER_FORMAT "</td>", pid);
	if (process && before && json_equal(process, before))
		buf_puts(&r->out, "<td class=dim>the same</td><td></td><td></td>");
	else if (process)
		put_process(r, process);
	else
		buf_puts(&r->out, "<td class=dim>not known any more</td><td></td><td></td>");
	buf_puts(&r->out, "</tr>\n");
	return process;
}

/* Newest first. */
static void put_touches(struct report *r, const json_t *alert)
{
	const json_t *list = json_object_get(alert, "touched");
	json_int_t before = json_integer_value(json_object_get(alert, "touched_before"));
	size_t n = json_array_size(list), shown = n < SHOWN_MAX ? n : SHOWN_MAX;
	const json_t *process = NULL;

	buf_puts(&r->out,
		 "<table class=by><thead><tr><th>When</th><th>What</th><th>Process</th><th>Program</th><th>User</th>"
		 "<th>Container</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < shown; i++)
		process = put_touch(r, json_array_get(list, n - 1 - i), alert, process);
	buf_puts(&r->out, "</tbody></table>\n");
	if (before > 0)
		buf_printf(&r->out, "<div class=dim>and %" JSON_INTEGER_FORMAT " times before</div>\n", before);
}

/* ---- the alert ------------------------------------------------------------------------------------------------------ */

/* Whether what the alert says of the file then is so now: times apart, which change without anybody's doing. */
static bool is_so(const json_t *integrity, const struct change *c, const struct fact *now)
{
	static const char *const compared[] = { "type",	 "content", "size", "permissions",  "owner",
						"group", "target",  "acl",  "capabilities", "chattr" };
	const json_t *then = json_object_get(integrity, "after");
	struct jsonw w;
	struct buf text;
	json_t *is;
	bool same = true;

	if (strcmp(text_of(integrity, "kind"), change_kind_name(c->kind)) != 0 || !now != !then)
		return false;
	if (!now)
		return true;
	buf_init(&text, FACT_SIZE_MAX * 4);
	w = jsonw_to(&text);
	show_fact_json(&w, now, WATCH_ALL);
	is = json_loadb((const char *)text.data, text.len, 0, NULL);
	for (size_t i = 0; i < sizeof(compared) / sizeof(compared[0]); i++) {
		const json_t *a = json_object_get(then, compared[i]), *b = json_object_get(is, compared[i]);

		same &= !a || !b || json_equal(a, b);
	}
	json_decref(is);
	buf_done(&text);
	return same;
}

void report_who_brief(struct report *r, const struct report_alert *a)
{
	buf_puts(&r->out, "<span class=by>");
	if (a && *a->program) {
		put_string(r, a->program);
		if (*a->user) {
			buf_puts(&r->out, " (");
			put_string(r, a->user);
			buf_putc(&r->out, ')');
		}
	}
	buf_puts(&r->out, "</span>");
}

void report_who(struct report *r, const json_t *alert, const struct change *c, const struct fact *now)
{
	const json_t *integrity = json_object_get(alert, "integrity");
	bool watched = !json_is_false(json_object_get(integrity, "watched"));

	if (!alert) {
		buf_puts(&r->out, "<p class=dim>Who did it is not known: the log has no alert about it.</p>\n");
		return;
	}
	buf_puts(&r->out, "<h3>Who</h3>\n<p class=dim>Alert ");
	buf_printf(&r->out, "%" JSON_INTEGER_FORMAT " of ", json_integer_value(json_object_get(alert, "seq")));
	put_time(r, text_of(alert, "time"));
	if (!is_so(integrity, c, now))
		buf_puts(&r->out, ". The file was changed again since: by whom is not in the log");
	if (!watched)
		buf_puts(&r->out, ". Nobody was watching when it happened");
	buf_puts(&r->out, ".</p>\n");
	if (json_array_size(json_object_get(alert, "touched")))
		put_touches(r, alert);
}
