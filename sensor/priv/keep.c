/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/keep.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/capture.h"
#include "lib/jsonw.h"
#include "lib/log.h"

#define DETAILS_MAX 8192

static void commit(struct keep *k)
{
	k->counts->captures_files = k->dir.files;
	k->counts->captures_bytes = k->dir.bytes;
}

static void put_note(struct keep *k, struct buf *b)
{
	const char *text = buf_cstr(b);

	if (text)
		k->note(k->ctx, text);
	else
		log_err("no memory for the record of a capture");
	buf_done(b);
	commit(k);
}

static void on_removed(void *ctx, const struct capdir_file *f)
{
	struct keep *k = ctx;
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	k->counts->captures_removed++;
	log_info("the capture %s gives way to others (--captures-keep)", f->name);
	buf_init(&b, DETAILS_MAX);
	jsonw_obj_begin(&w);
	jsonw_member_str(&w, "action", "removed");
	jsonw_member_u64(&w, "bytes", f->bytes);
	jsonw_member_str(&w, "file", f->name);
	jsonw_obj_end(&w);
	put_note(k, &b);
}

/* A file is there: whole with @end, cut off without. @known: it is the one that was begun last. */
static void note_kept(struct keep *k, const struct capdir_file *f, const struct msg_snap_end *end, const char *reason,
		      bool known)
{
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	buf_init(&b, DETAILS_MAX);
	jsonw_obj_begin(&w);
	jsonw_member_str(&w, "action", "kept");
	if (end)
		jsonw_member_u64(&w, "before_ms", end->before_ms);
	jsonw_member_u64(&w, "bytes", f->bytes);
	if (end) {
		jsonw_member_str(&w, "end", capture_why_name(end->why));
		jsonw_member_u64(&w, "events", end->events);
	}
	jsonw_member_str(&w, "file", f->name);
	if (end) {
		jsonw_member_u64(&w, "lost", end->lost);
		jsonw_member_u64(&w, "matches", end->matches);
	}
	if (known)
		jsonw_member_str(&w, "policy", k->policy);
	if (reason)
		jsonw_member_str(&w, "reason", reason);
	if (end)
		jsonw_member_u64(&w, "records", end->records);
	if (known)
		jsonw_member_u64(&w, "request", k->begin.request);
	jsonw_member_str(&w, "result", end ? "whole" : "cut");
	if (known)
		jsonw_member_str(&w, "rule", k->rule);
	jsonw_member_str(&w, "sha256", f->sha256);
	jsonw_obj_end(&w);
	put_note(k, &b);
}

static void failed(struct keep *k, const char *file, const char *reason)
{
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	k->counts->captures_failed++;
	log_err("the capture %s is not kept: %s", file, reason);
	buf_init(&b, DETAILS_MAX);
	jsonw_obj_begin(&w);
	jsonw_member_str(&w, "action", "failed");
	jsonw_member_str(&w, "file", file);
	jsonw_member_str(&w, "policy", k->policy);
	jsonw_member_str(&w, "reason", reason);
	jsonw_member_u64(&w, "request", k->begin.request);
	jsonw_member_str(&w, "rule", k->rule);
	jsonw_obj_end(&w);
	put_note(k, &b);
}

void keep_init(struct keep *k, int dir_fd, uint64_t bytes, struct record_counts *counts,
	       void (*note)(void *ctx, const char *details), void *ctx)
{
	const struct capdir_options o = { .dir_fd = dir_fd,
					  .keep_bytes = bytes,
					  .file_bytes = bytes / CAPLIMIT_PARTS,
					  .spare = CAPDIR_SPARE,
					  .removed = on_removed,
					  .ctx = k };

	*k = (struct keep){ .counts = counts, .note = note, .ctx = ctx, .on = dir_fd >= 0 && bytes };
	capdir_init(&k->dir, &o);
}

void keep_recover(struct keep *k)
{
	struct capdir_file f;
	struct err e = { "" };
	int r;

	while (k->on && (r = capdir_recover(&k->dir, &f, &e)) != 0) {
		if (r < 0) {
			log_err("captures that were interrupted stay as they are: %s", e.msg);
			break;
		}
		k->counts->captures_failed++;
		if (f.bytes)
			note_kept(k, &f, NULL, "the record process ended", false);
	}
	commit(k);
}

void keep_cut(struct keep *k, const char *why, bool drop)
{
	struct capdir_file f = k->dir.file;
	struct err e = { "" };

	if (!capdir_writes(&k->dir))
		return;
	if (drop)
		capdir_drop(&k->dir);
	if (drop || capdir_end(&k->dir, &f, &e) < 0) {
		failed(k, f.name, drop ? why : e.msg);
		return;
	}
	k->counts->captures_failed++;
	note_kept(k, &f, NULL, why, true);
}

int keep_begin(struct keep *k, const struct msg *m, uint64_t now_ns, bool may)
{
	const char *text = (const char *)m->body + sizeof(struct msg_snap);
	char file[CAPLIMIT_NAME_MAX];
	struct err e = { "" };
	struct msg_snap b;

	memcpy(&b, m->body, sizeof(b));
	if (!k->on || b.rule_len > MSG_SNAP_NAME_MAX || b.policy_len > MSG_SNAP_NAME_MAX ||
	    m->len != sizeof(b) + b.rule_len + b.policy_len)
		return -EPROTO;
	keep_cut(k, "the engine process began another", false);
	k->begin = b;
	snprintf(k->rule, sizeof(k->rule), "%.*s", (int)b.rule_len, text);
	snprintf(k->policy, sizeof(k->policy), "%.*s", (int)b.policy_len, text + b.rule_len);
	capname_put(file, b.time_s, text, b.rule_len, b.request);
	if (!caprate_take(&k->rate, CAPLIMIT_TAKEN, now_ns)) {
		/* said by numbers alone: an engine that asks like this would also fill the log */
		k->counts->captures_failed++;
		return 0;
	}
	if (!may)
		failed(k, file, "the log cannot be written");
	else if (capdir_begin(&k->dir, file, &e) < 0)
		failed(k, file, e.msg);
	commit(k);
	return 0;
}

int keep_data(struct keep *k, const struct msg *m)
{
	char file[CAPLIMIT_NAME_MAX];
	struct err e = { "" };

	if (!k->on)
		return -EPROTO;
	if (!capdir_writes(&k->dir))
		return 0; /* it failed before, and that was said */
	snprintf(file, sizeof(file), "%s", k->dir.file.name);
	if (capdir_put(&k->dir, m->body, m->len, &e) < 0)
		failed(k, file, e.msg);
	return 0;
}

int keep_end(struct keep *k, const struct msg *m)
{
	char file[CAPLIMIT_NAME_MAX];
	struct msg_snap_end end;
	struct capdir_file f;
	struct err e = { "" };

	memcpy(&end, m->body, sizeof(end));
	if (!k->on || end.why > CAPTURE_WHYS)
		return -EPROTO;
	if (!capdir_writes(&k->dir))
		return 0;
	if (end.why == CAPTURE_WHYS) { /* see tap_send() */
		keep_cut(k, "the record process did not take its end in time", false);
		return 0;
	}
	snprintf(file, sizeof(file), "%s", k->dir.file.name);
	if (capdir_end(&k->dir, &f, &e) < 0) {
		failed(k, file, e.msg);
		return 0;
	}
	k->counts->captures++;
	note_kept(k, &f, &end, NULL, true);
	return 0;
}
