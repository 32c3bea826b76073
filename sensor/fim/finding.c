/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/finding.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/catalog.h"
#include "lib/jsonw.h"
#include "lib/severity.h"
#include "sensor/fim/show.h"

/* ---- parts --------------------------------------------------------------------------------------------------------- */

static void put_time(struct jsonw *w, uint64_t ns)
{
	char text[48];
	time_t t = (time_t)(ns / 1000000000u);
	struct tm tm = { 0 };
	size_t n;

	gmtime_r(&t, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%09uZ", (unsigned int)(ns % 1000000000u));
	jsonw_member_str(w, "time", text);
}

static int tag_cmp(const void *a, const void *b)
{
	return strcmp(((const struct watch_tag *)a)->name, ((const struct watch_tag *)b)->name);
}

/* Ascending by name, each name once. */
static void put_tags(struct jsonw *w, const struct watch *watch)
{
	struct watch_tag tags[WATCH_TAGS_MAX];
	uint32_t n = watch->ntags < WATCH_TAGS_MAX ? watch->ntags : WATCH_TAGS_MAX;

	if (!n)
		return;
	memcpy(tags, watch->tags, n * sizeof(tags[0]));
	qsort(tags, n, sizeof(tags[0]), tag_cmp);
	jsonw_key(w, "tags");
	jsonw_obj_begin(w);
	for (uint32_t i = 0; i < n; i++) {
		if (i && strcmp(tags[i].name, tags[i - 1].name) == 0)
			continue;
		jsonw_key_str(w, tags[i].name, strlen(tags[i].name));
		jsonw_cstr(w, tags[i].value);
	}
	jsonw_obj_end(w);
}

static void put_rule(struct jsonw *w, const struct finding *f)
{
	const struct watch *watch = f->watch;
	char policy[512];

	jsonw_key(w, "rule");
	jsonw_obj_begin(w);
	if (*watch->description)
		jsonw_member_str(w, "description", watch->description);
	jsonw_member_str(w, "id", watch->id);
	snprintf(policy, sizeof(policy), "%.255s%s%.128s", watch->policy, *watch->version ? "@" : "", watch->version);
	if (*policy)
		jsonw_member_str(w, "policy", policy);
	jsonw_member_str(w, "severity", severity_name(f->change->severity));
	put_tags(w, watch);
	jsonw_obj_end(w);
}

/* The process that is shown as the alert's own is not shown again. */
static void put_touched(struct jsonw *w, const struct finding *f, bool processes)
{
	const struct finding_by *last = f->nby ? &f->by[f->nby - 1] : NULL;

	jsonw_key(w, "touched");
	jsonw_arr_begin(w);
	for (size_t i = 0; i < f->nby; i++) {
		const struct finding_by *by = &f->by[i];
		const char *event = by->event < EV_TYPES ? catalog_tamis()->events[by->event].name : NULL;

		jsonw_obj_begin(w);
		jsonw_member_u64(w, "count", by->count);
		jsonw_member_str(w, "event", event ? event : "chattr");
		jsonw_member_u64(w, "pid", by->pid);
		if (processes && by->process != last->process && by->process_len) {
			jsonw_key(w, "process");
			jsonw_raw(w, by->process, by->process_len);
		}
		put_time(w, by->time_ns);
		jsonw_obj_end(w);
	}
	jsonw_arr_end(w);
	if (f->more)
		jsonw_member_u64(w, "touched_before", f->more);
}

/* ---- the whole ------------------------------------------------------------------------------------------------------ */

static void put(const struct finding *f, struct buf *out, size_t *ret_head, int level)
{
	const struct finding_by *last = f->nby ? &f->by[f->nby - 1] : NULL;
	const struct show_more more = { .accepted = f->accepted, .unwatched = f->unwatched };
	struct change change = *f->change;
	struct jsonw w = jsonw_to(out);

	if (level == 3)
		change.fact_len = 0;
	buf_reset(out);
	jsonw_obj_begin(&w);
	jsonw_key(&w, "event");
	jsonw_raw(&w, "{\"type\":\"integrity\"}", strlen("{\"type\":\"integrity\"}"));
	jsonw_member_str(&w, "host", f->host);
	jsonw_key(&w, "integrity");
	show_change_json_more(&w, f->path, f->path_len, &change, level < 3 ? f->old : NULL, level < 2 ? f->diff : NULL,
			      &more);
	jsonw_member_str(&w, "kind", "alert");
	if (last && last->process_len) {
		jsonw_key(&w, "process");
		jsonw_raw(&w, last->process, last->process_len);
	}
	put_rule(&w, f);
	buf_putc(out, ',');
	*ret_head = out->len;
	w = jsonw_to(out);
	put_time(&w, f->time_ns);
	if (f->nby)
		put_touched(&w, f, level < 1);
	jsonw_member_u64(&w, "v", 1);
	jsonw_obj_end(&w);
}

int finding_put(const struct finding *f, struct buf *out, size_t *ret_head)
{
	for (int level = 0; level < 4; level++) {
		put(f, out, ret_head, level);
		if (buf_error(out) || out->len <= FINDING_MAX)
			return buf_error(out);
	}
	return -EFBIG;
}
