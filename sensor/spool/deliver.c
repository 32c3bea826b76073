/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/spool/deliver.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "lib/jsonw.h"

#define IDLE_MS	  1000
#define SAVE_NS	  1000000000ull
#define BEYOND_NS 10000000000ull /* a head that a crash has set back is mended by the next record process within this */
#define FIELDS	  24

static void commit(struct deliver *d)
{
	d->counts.seq = d->saved.at.seq;
	d->counts.segment = d->saved.at.segment;
	d->counts.head = d->reader.head.seq;
	d->counts.missed += d->reader.missed;
	d->reader.missed = 0;
	page_put(d->slot, &d->counts);
}

/* Retention waits for what is not read, and for what a summary will be read from. */
static void tell_hold(struct deliver *d)
{
	uint64_t hold = d->saved.at.segment ? d->saved.at.segment : 1, folded = fold_segment(&d->saved.fold);

	page_store(&d->slot->hold, folded < hold ? folded : hold);
}

static void fail_with(struct deliver *d, const char *why, uint64_t real_ns)
{
	snprintf(d->counts.error, sizeof(d->counts.error), "%.255s", why);
	d->counts.state = SINK_RETRYING;
	if (!d->counts.failing_ns)
		d->counts.failing_ns = real_ns;
}

static void works(struct deliver *d)
{
	d->counts.state = SINK_UP;
	d->counts.failing_ns = 0;
	d->failures = 0;
}

/* 1 s, 2 s, 4 s ... up to retry-max, each between its half and one and a half times of it, so that a fleet does not come
 * back in step */
static uint64_t backoff_ns(const struct deliver *d)
{
	uint64_t s = 1ull << (d->failures < 12 ? d->failures : 12), ms;
	uint32_t jitter = 0;

	if (s > d->conf->retry_max_s)
		s = d->conf->retry_max_s;
	if (getrandom(&jitter, sizeof(jitter), GRND_NONBLOCK) < 0)
		jitter = 0;
	ms = s * 500 + jitter % (s * 1000);
	return ms * 1000000ull;
}

static void retry_later(struct deliver *d, const char *why, const struct deliver_clock *now)
{
	fail_with(d, why, now->real_ns);
	d->counts.retried++;
	d->retry_ns = now->mono_ns + backoff_ns(d);
	d->failures++;
	commit(d);
}

/* ---- the cursor ---------------------------------------------------------------------------------------------------- */

static int save(struct deliver *d, bool clean, const struct deliver_clock *now, struct err *e)
{
	int r;

	d->saved.at = d->reader.at;
	d->saved.fold = d->fold;
	d->saved.clean = clean;
	r = cursor_save(&d->cursor, &d->saved, e);
	if (now)
		d->save_ns = now->mono_ns;
	tell_hold(d);
	return r;
}

/* A sink that is new begins behind what is there, unless it was told otherwise. */
static int place_new(struct deliver *d, struct err *e)
{
	struct loghead head;
	int r;

	if (d->conf->from_start)
		return 0;
	r = logreader_head(d->log_fd, &head, e);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : logreader_end(d->log_fd, &head, &d->saved.at, e);
}

static const char *get_setting(const struct tamis_sink_env *env, const char *setting)
{
	return sinkconf_get(env->priv, setting);
}

int deliver_begin(struct deliver *d, const struct sink_conf *conf, const struct tamis_sink_module *module,
		  struct page_slot *slot, const char *host, int log_fd, int spool_fd, struct err *e)
{
	int r;

	d->conf = conf;
	d->format = export_format_find(conf->format);
	d->module = module;
	d->slot = slot;
	d->host = host;
	d->log_fd = log_fd;
	d->cursor.fd = -1;
	d->env = (struct tamis_sink_env){ .abi = TAMIS_SINK_ABI,
					  .name = conf->name,
					  .type = conf->type->name,
					  .content_type = d->format->content_type,
					  .timeout_ms = conf->timeout_s * 1000,
					  .get = get_setting,
					  .priv = conf };
	buf_init(&d->raw, DELIVER_BYTES + 2 * LINE_MAX_BYTES);
	buf_init(&d->text, 32u << 20);
	page_get(slot, &d->counts);
	d->counts.state = SINK_STARTING;
	page_put(slot, &d->counts);
	/* documents borrow from these bytes: they must not move */
	r = buf_grow(&d->raw, DELIVER_BYTES + LINE_MAX_BYTES + 4096);
	if (r < 0)
		return err_set(e, r, "no memory for a batch");
	r = cursor_open(spool_fd, conf->name, 5000, &d->cursor, &d->saved, e);
	if (r == 0 && d->saved.fresh)
		r = place_new(d, e);
	if (r < 0)
		return r;
	/* by the page where the sensor has lived on; else by what one batch can hold at most */
	if (d->counts.inflight)
		d->duplicate_until = d->counts.handed;
	else if (!d->saved.clean && !d->saved.fresh && !d->counts.known)
		d->duplicate_until = d->saved.at.seq + DELIVER_SPAN;
	d->duplicate_sums = d->duplicate_until > 0;
	/* it stays under way until what was under way is delivered */
	d->counts.known = 1;
	d->fold = d->saved.fold;
	logreader_init(&d->reader, log_fd, &d->saved.at);
	r = save(d, false, NULL, e);
	commit(d);
	return r;
}

/* ---- collecting ---------------------------------------------------------------------------------------------------- */

static void drop_batch(struct deliver *d)
{
	for (size_t i = 0; i < d->nitems; i++)
		export_doc_free(d->item[i].doc);
	d->nitems = d->nmessages = d->taken = 0;
	buf_reset(&d->raw);
	d->refusals = 0;
}

static struct deliver_item *add_item(struct deliver *d, const struct logpos *at)
{
	struct deliver_item *it = &d->item[d->nitems++];

	*it = (struct deliver_item){ .raw_off = d->raw.len, .at = *at };
	return it;
}

static int add_record(struct deliver *d, const struct line_str *line, const struct logpos *at, struct export_doc *doc)
{
	struct deliver_item *it = add_item(d, at);

	it->raw_len = line->n;
	it->duplicate = at->seq <= d->duplicate_until;
	it->doc = doc;
	return 0;
}

/* A summary is read from the log again: the table holds places, no text. */
static int add_summary(struct deliver *d, const struct fold_entry *f, struct err *e)
{
	struct deliver_item *it = add_item(d, &f->last);
	int r = logreader_line_at(d->log_fd, &f->last, &d->raw, e);

	it->raw_len = d->raw.len - it->raw_off;
	if (r == 0)
		r = export_doc_open((char *)d->raw.data + it->raw_off, it->raw_len, &it->doc, e);
	if (r < 0) {
		/* pruned, or damaged: it can't be had any more */
		d->nitems--;
		buf_truncate(&d->raw, it->raw_off);
		d->counts.missed += f->count;
		return r == -ENOMEM ? r : 0;
	}
	it->folded = *f;
	it->duplicate = d->duplicate_sums;
	d->counts.folded += f->count;
	return 0;
}

static bool wanted(const struct deliver *d, const struct export_facts *f)
{
	return sinkconf_wants(d->conf, f->kind) && !(f->alert && f->severity < d->conf->severity);
}

/* 1: the record was taken up or passed over */
static int take_record(struct deliver *d, const struct line_str *line, const struct logpos *at, struct err *e)
{
	const struct export_facts *facts;
	struct export_doc *doc;
	struct fold_entry early;
	uint32_t window;
	size_t off = d->raw.len;
	bool held;
	int r = buf_put(&d->raw, line->p, line->n);

	if (r == 0)
		r = export_doc_open((char *)d->raw.data + off, line->n, &doc, e);
	if (r == -EBADMSG) {
		/* the log holds what is no record, which tamisctl log verify tells of: nobody could take it */
		d->counts.refused++;
		buf_truncate(&d->raw, off);
		return 1;
	}
	if (r < 0)
		return err_set(e, r, "record %" PRIu64 " cannot be read: %s", at->seq, strerror(-r));
	facts = export_doc_facts(doc);
	window = facts->alert && wanted(d, facts) ? sinkconf_fold(d->conf, facts->rule) : 0;
	early.count = 0;
	held = window && fold_take(&d->fold, facts, at, window * 1000000000ull, &early);
	if (held || !wanted(d, facts)) {
		d->counts.filtered += !held;
		export_doc_free(doc);
		buf_truncate(&d->raw, off);
		return 1;
	}
	add_record(d, line, at, doc);
	return early.count ? add_summary(d, &early, e) : 1;
}

static int add_ended(struct deliver *d, uint64_t now_ns, struct err *e)
{
	struct fold_entry f;
	int r = 0;

	while (r == 0 && d->nitems + 1 < d->conf->batch + 1u && d->nitems < DELIVER_ITEMS - 2 &&
	       d->raw.len < DELIVER_BYTES && fold_ended(&d->fold, now_ns, &f))
		r = add_summary(d, &f, e);
	return r;
}

static bool batch_full(const struct deliver *d)
{
	return d->nitems >= d->conf->batch || d->nitems >= DELIVER_ITEMS - 2 || d->raw.len >= DELIVER_BYTES;
}

/* Fills the batch. Its records are those between saved.at and reader.at. */
static int collect(struct deliver *d, const struct deliver_clock *now, struct err *e)
{
	struct line_str line;
	struct logpos at;
	int r = logreader_refresh(&d->reader, e);

	d->caught_up = false;
	for (int seen = 0; r >= 0 && seen < DELIVER_SPAN && !batch_full(d); seen++) {
		struct line l;
		uint64_t ns = 0;

		r = logreader_next(&d->reader, &line, &at, e);
		if (r <= 0) {
			d->caught_up = r == 0;
			break;
		}
		if (d->fold.n && line_parse(line.p, line.n, &l) == 0 && line_time_ns(l.time, &ns) == 0)
			r = add_ended(d, ns, e);
		if (r >= 0)
			r = take_record(d, &line, &at, e);
		if (r < 0) {
			d->reader.at = (struct logpos){ at.segment, at.offset, at.index, at.seq - 1 };
			break;
		}
	}
	if (r >= 0 && d->caught_up)
		r = add_ended(d, now->real_ns, e);
	return r;
}

/* ---- rendering ----------------------------------------------------------------------------------------------------- */

/* What a template may name; numbers are in @digits. */
static size_t put_fields(const struct export_facts *f, const struct deliver_item *it, char digits[5][24],
			 struct tamis_sink_field *to)
{
	const struct tamis_sink_field all[] = {
		{ "kind", f->kind },
		{ "rule", f->rule },
		{ "policy", f->policy },
		{ "description", f->description },
		{ "severity", f->severity_word },
		{ "event", f->type },
		{ "host", f->host },
		{ "time", f->time },
		{ "process", f->process },
		{ "args", f->args },
		{ "user", f->user },
		{ "container", f->container },
		{ "path", f->path },
		{ "address", f->address },
		{ "message", f->message },
		{ "id", f->uid },
		{ "seq", digits[0] },
		{ "segment", digits[1] },
		{ "index", digits[2] },
		{ "pid", digits[3] },
		{ "count", digits[4] },
		{ "duplicate", it->duplicate ? "possible duplicate" : "" },
		{ NULL, NULL },
	};

	snprintf(digits[0], 24, "%" PRIu64, it->at.seq);
	snprintf(digits[1], 24, "%" PRIu64, it->at.segment);
	snprintf(digits[2], 24, "%" PRIu64, it->at.index);
	snprintf(digits[3], 24, "%" PRId64, f->pid);
	snprintf(digits[4], 24, "%" PRIu64, it->folded.count);
	if (!it->folded.count)
		digits[4][0] = '\0';
	memcpy(to, all, sizeof(all));
	return sizeof(all) / sizeof(all[0]);
}

static struct export_delivery delivery_of(const struct deliver_item *it)
{
	return (struct export_delivery){ .segment = it->at.segment,
					 .index = it->at.index,
					 .duplicate = it->duplicate,
					 .count = it->folded.count,
					 .first_ns = it->folded.first_ns,
					 .last_ns = it->folded.last_ns,
					 .first_seq = it->folded.first_seq };
}

/* One item becomes a message a line. Offsets stand for pointers until all is there. */
static int render_item(struct deliver *d, struct deliver_item *it, struct err *e)
{
	struct export_delivery by = delivery_of(it);
	const struct export_facts *f = export_doc_facts(it->doc);
	size_t from = d->text.len;
	int r = export_doc_render(it->doc, d->format, &by, &d->text, e);

	it->messages = 0;
	for (size_t i = from; r == 0 && i < d->text.len && it->messages < 2; i++) {
		if (d->text.data[i] != '\n')
			continue;
		d->text.data[i] = '\0';
		d->message[d->nmessages++] = (struct tamis_sink_message){
			.text = (char *)from,
			.len = i - from,
			.key = f->host,
			.seq = it->at.seq,
			.segment = it->at.segment,
			.index = it->at.index,
			.time_ns = f->time_ns,
			.flags = (it->duplicate ? TAMIS_SINK_DUPLICATE : 0) |
				 (it->folded.count ? TAMIS_SINK_SUMMARY : 0),
		};
		it->messages++;
		from = i + 1;
	}
	return r;
}

static void *room(struct buf *b, size_t n)
{
	void *at;

	while (b->len % 8)
		buf_putc(b, 0);
	if (buf_room(b, n) < 0)
		return NULL;
	at = b->data + b->len;
	b->len += n;
	return at;
}

/* Ids and fields, once the text stands where it stays. */
static int finish_messages(struct deliver *d, size_t text_len)
{
	size_t m = 0;

	for (size_t i = 0; i < d->nitems; i++) {
		const struct export_facts *f = export_doc_facts(d->item[i].doc);

		for (size_t part = 0; part < d->item[i].messages; part++, m++) {
			struct tamis_sink_field *fields = room(&d->text, FIELDS * sizeof(*fields));
			char(*digits)[24] = room(&d->text, 5 * 24);
			char *id = room(&d->text, 160);

			if (!fields || !digits || !id)
				return -ENOMEM;
			put_fields(f, &d->item[i], digits, fields);
			snprintf(id, 160, "%s%s%s", f->uid, d->item[i].folded.count ? "/folded" : "", part ? "/2" : "");
			d->message[m].id = id;
			d->message[m].fields = fields;
		}
	}
	return 0;
}

static int render(struct deliver *d, struct err *e)
{
	size_t text_len;
	int r = 0;

	buf_reset(&d->text);
	d->nmessages = 0;
	for (size_t i = 0; r == 0 && i < d->nitems; i++)
		r = render_item(d, &d->item[i], e);
	text_len = d->text.len;
	if (r == 0)
		r = buf_grow(&d->text,
			     d->nmessages * (FIELDS * sizeof(struct tamis_sink_field) + 5 * 24 + 160 + 24) + 64);
	if (r < 0)
		return r;
	for (size_t m = 0; m < d->nmessages; m++)
		d->message[m].text = (char *)d->text.data + (size_t)d->message[m].text;
	return finish_messages(d, text_len);
}

/* ---- sending ------------------------------------------------------------------------------------------------------- */

static int open_sink(struct deliver *d, struct tamis_sink_error *te)
{
	int r = d->sink ? 0 : d->module->open(&d->env, &d->sink, te);

	if (r < 0)
		d->sink = NULL;
	return r;
}

static void close_sink(struct deliver *d)
{
	if (d->sink)
		d->module->close(d->sink);
	d->sink = NULL;
}

/* Messages that may have arrived are marked the next time. */
static void mark(struct deliver *d, size_t from, size_t to)
{
	size_t m = 0;

	for (size_t i = 0; i < d->nitems; i++, m += d->item[i - 1].messages)
		if (m < to && m + d->item[i].messages > from)
			d->item[i].duplicate = true;
}

static size_t allowance(struct deliver *d, const struct deliver_clock *now)
{
	uint64_t since = now->mono_ns - d->tokens_ns;

	if (!d->conf->rate)
		return SIZE_MAX;
	if (since > 1000000000ull)
		since = 1000000000ull;
	d->tokens += since * d->conf->rate;
	if (d->tokens > d->conf->rate * 1000000000ull)
		d->tokens = d->conf->rate * 1000000000ull;
	d->tokens_ns = now->mono_ns;
	return d->tokens / 1000000000ull;
}

static void spend(struct deliver *d, size_t n)
{
	if (d->conf->rate)
		d->tokens -= d->tokens < n * 1000000000ull ? d->tokens : n * 1000000000ull;
}

static void count_taken(struct deliver *d, size_t from, size_t n)
{
	d->counts.sent += n;
	for (size_t i = from; i < from + n; i++)
		d->counts.duplicates += d->message[i].flags & TAMIS_SINK_DUPLICATE;
}

/* The collector refuses the message in front: given up after some attempts, and counted. */
static void refuse(struct deliver *d)
{
	if (++d->refusals < DELIVER_REFUSALS)
		return;
	d->refusals = 0;
	d->counts.refused++;
	d->taken++;
}

/* Back to where the cursor is. */
static void abandon(struct deliver *d)
{
	drop_batch(d);
	logreader_done(&d->reader);
	logreader_init(&d->reader, d->log_fd, &d->saved.at);
	d->fold = d->saved.fold;
	if (d->counts.inflight && d->counts.handed > d->duplicate_until)
		d->duplicate_until = d->counts.handed;
	d->duplicate_sums = d->counts.inflight;
}

/* What was marked has to say so. */
static void render_again(struct deliver *d)
{
	struct err e = { "" };

	if (d->taken < d->nmessages && render(d, &e) < 0)
		abandon(d);
}

/* One attempt. In how many ms to call again. */
static int attempt(struct deliver *d, const struct deliver_clock *now)
{
	struct tamis_sink_result result = { 0 };
	struct tamis_sink_error te = { "" };
	size_t may = allowance(d, now), n = d->nmessages - d->taken;
	bool sending = false;
	int r;

	if (!may)
		return (int)(1000 / d->conf->rate) + 1;
	n = n < may ? n : may;
	r = open_sink(d, &te);
	if (r == 0) {
		sending = true;
		d->counts.handed = d->message[d->taken + n - 1].seq > d->counts.handed
					   ? d->message[d->taken + n - 1].seq
					   : d->counts.handed;
		d->counts.inflight = 1;
		commit(d);
		r = d->module->send(d->sink, d->message + d->taken, n, &result, &te);
	}
	if (result.taken > n)
		result.taken = n;
	count_taken(d, d->taken, result.taken);
	spend(d, result.taken);
	if (sending && r < 0 && result.handed > result.taken)
		mark(d, d->taken + result.taken, d->taken + (result.handed < n ? result.handed : n));
	d->taken += result.taken;
	d->counts.refused += result.refused < result.taken ? result.refused : result.taken;
	if (r == 0) {
		works(d);
		if (result.refused)
			snprintf(d->counts.error, sizeof(d->counts.error), "%.255s", te.text);
		return 0;
	}
	if (r == -EBADMSG)
		refuse(d);
	if (result.taken)
		d->failures = 0;
	retry_later(d, te.text[0] ? te.text : strerror(-r), now);
	/* only when it is told: what a library does at its end may wait for a collector that is down */
	if (r != -EBADMSG)
		close_sink(d);
	render_again(d);
	return 0;
}

/* ---- tests ---------------------------------------------------------------------------------------------------------- */

/* An alert that is in no log. */
static void test_line(const struct deliver *d, const struct deliver_clock *now, struct buf *b)
{
	char time[LINE_TIME_SIZE];
	struct jsonw w = jsonw_to(b);

	line_time(now->real_ns, time);
	jsonw_obj_begin(&w);
	jsonw_key(&w, "event");
	jsonw_obj_begin(&w);
	jsonw_member_str(&w, "type", "sensor");
	jsonw_obj_end(&w);
	jsonw_member_str(&w, "host", d->host);
	jsonw_member_str(&w, "kind", "alert");
	jsonw_key(&w, "rule");
	jsonw_obj_begin(&w);
	jsonw_member_str(&w, "description", "A test of this sink, asked for by tamisctl sinks test");
	jsonw_member_str(&w, "id", "tamis_test");
	jsonw_member_str(&w, "policy", "tamis@" TAMIS_VERSION);
	jsonw_member_str(&w, "severity", "info");
	jsonw_obj_end(&w);
	jsonw_key(&w, "sensor");
	jsonw_obj_begin(&w);
	jsonw_member_str(&w, "reason", "a test");
	jsonw_member_str(&w, "what", d->conf->name);
	jsonw_obj_end(&w);
	jsonw_member_u64(&w, "seq", d->saved.at.seq ? d->saved.at.seq : 1);
	jsonw_member_str(&w, "time", time);
	jsonw_member_u64(&w, "v", 1);
	jsonw_obj_end(&w);
}

/* By a batch of its own, beside the one that waits: what is under way stays as it is. */
static void send_test(struct deliver *d, const struct deliver_clock *now)
{
	struct deliver_item it = { .at = d->saved.at };
	struct tamis_sink_error te = { "" };
	struct tamis_sink_result result = { 0 };
	struct export_delivery by = delivery_of(&it);
	struct tamis_sink_message m = { .key = d->host, .flags = TAMIS_SINK_TEST, .time_ns = now->real_ns };
	struct tamis_sink_field fields[FIELDS];
	char digits[5][24], id[160];
	struct buf line, text;
	struct err e = { "" };
	int r;

	buf_init(&line, 8192);
	buf_init(&text, 65536);
	test_line(d, now, &line);
	r = buf_error(&line) ? -ENOMEM : export_doc_open((char *)line.data, line.len, &it.doc, &e);
	if (r == 0)
		r = export_doc_render(it.doc, d->format, &by, &text, &e);
	if (r == 0) {
		put_fields(export_doc_facts(it.doc), &it, digits, fields);
		snprintf(id, sizeof(id), "%s/test/%" PRIu64, d->host, now->real_ns);
		m.fields = fields;
		m.id = id;
		m.text = buf_cstr(&text);
		m.len = text.len;
		/* the last of its lines */
		while (m.len && m.text[m.len - 1] == '\n')
			((char *)text.data)[--m.len] = '\0';
		if (memrchr(m.text, '\n', m.len)) {
			const char *last = (char *)memrchr(m.text, '\n', m.len) + 1;

			m.len -= (size_t)(last - m.text);
			m.text = last;
		}
		r = open_sink(d, &te);
		if (r == 0)
			r = d->module->send(d->sink, &m, 1, &result, &te);
		if (r < 0 && r != -EBADMSG)
			close_sink(d);
	}
	export_doc_free(it.doc);
	buf_done(&line);
	buf_done(&text);
	d->counts.test_bad = r < 0;
	if (r < 0)
		snprintf(d->counts.error, sizeof(d->counts.error), "%.255s",
			 te.text[0] ? te.text
			 : e.msg[0] ? e.msg
				    : strerror(-r));
	d->counts.tests++;
	commit(d);
}

/* ---- steps ---------------------------------------------------------------------------------------------------------- */

/* The log ends in front of what was delivered: somebody put it back, or it is another one. */
static void begin_anew(struct deliver *d, const struct deliver_clock *now)
{
	struct logpos at = { .segment = d->reader.head.segment };
	char why[PAGE_TEXT];

	if (!d->beyond_ns)
		d->beyond_ns = now->mono_ns;
	if (now->mono_ns - d->beyond_ns < BEYOND_NS)
		return;
	snprintf(why, sizeof(why),
		 "the log ends at record %" PRIu64 ", and %" PRIu64
		 " was delivered: it was put back or replaced; its newest segment is sent from its beginning",
		 d->reader.head.seq, d->reader.at.seq);
	d->duplicate_until = d->reader.at.seq;
	fail_with(d, why, now->real_ns);
	logreader_done(&d->reader);
	logreader_init(&d->reader, d->log_fd, &at);
	d->fold.n = 0;
	d->beyond_ns = 0;
	commit(d);
}

/* All of the batch is the collector's. */
static int finish(struct deliver *d, const struct deliver_clock *now)
{
	struct err e = { "" };
	bool had = d->nitems > 0;
	int r;

	if (!had && now->mono_ns - d->save_ns < SAVE_NS)
		return 0;
	if (!had && memcmp(&d->saved.at, &d->reader.at, sizeof(d->saved.at)) == 0)
		return 0;
	r = save(d, false, now, &e);
	if (r < 0) {
		retry_later(d, e.msg, now);
		return r;
	}
	d->counts.inflight = 0;
	d->counts.handed = d->saved.at.seq;
	if (had)
		d->duplicate_sums = false;
	drop_batch(d);
	return 0;
}

static void tell_oldest(struct deliver *d)
{
	d->counts.oldest_ns = d->nitems ? export_doc_facts(d->item[0].doc)->time_ns : 0;
}

static int begin_batch(struct deliver *d, const struct deliver_clock *now)
{
	struct err e = { "" };
	int r = collect(d, now, &e);

	if (r >= 0 && d->nitems)
		r = render(d, &e);
	d->taken = 0;
	tell_oldest(d);
	if (r >= 0)
		return 0;
	/* what was collected so far is sent; the error comes again behind it */
	if (d->nitems && r != -ENOMEM && render(d, &e) == 0)
		return 0;
	abandon(d);
	retry_later(d, e.msg, now);
	return r;
}

static int wait_ms(const struct deliver *d, const struct deliver_clock *now)
{
	uint64_t next = fold_next(&d->fold), ms = IDLE_MS;

	if (d->retry_ns > now->mono_ns)
		ms = (d->retry_ns - now->mono_ns) / 1000000 + 1;
	else if (d->caught_up && next != UINT64_MAX && next > now->real_ns &&
		 (next - now->real_ns) / 1000000 + 1 < IDLE_MS)
		ms = (next - now->real_ns) / 1000000 + 1;
	return ms < IDLE_MS ? (int)ms : IDLE_MS;
}

int deliver_step(struct deliver *d, const struct deliver_clock *now)
{
	struct err e = { "" };
	int r = 0;

	if (page_load(&d->slot->tests_wanted) > d->counts.tests) {
		d->counts.tests = page_load(&d->slot->tests_wanted) - 1;
		send_test(d, now);
	}
	if (d->retry_ns > now->mono_ns) {
		/* how far the log is meanwhile */
		logreader_refresh(&d->reader, &e);
		commit(d);
		return wait_ms(d, now);
	}
	if (!d->nitems) {
		if (begin_batch(d, now) < 0)
			return wait_ms(d, now);
		if (!d->nitems && logreader_beyond(&d->reader))
			begin_anew(d, now);
		else
			d->beyond_ns = 0;
	}
	if (d->taken < d->nmessages)
		r = attempt(d, now);
	if (d->taken < d->nmessages) {
		commit(d);
		return r ? r : wait_ms(d, now) < IDLE_MS || d->retry_ns > now->mono_ns ? wait_ms(d, now) : 0;
	}
	if (finish(d, now) < 0)
		return wait_ms(d, now);
	if (!d->nitems && d->caught_up && d->counts.state == SINK_STARTING)
		d->counts.state = SINK_UP;
	if (!d->nitems)
		d->counts.oldest_ns = 0;
	commit(d);
	return d->caught_up ? wait_ms(d, now) : 0;
}

bool deliver_idle(const struct deliver *d)
{
	return (d->caught_up && !d->nitems) || d->failures > 0;
}

void deliver_end(struct deliver *d)
{
	struct err e = { "" };

	/* a batch under way is begun again by who comes next, from where the cursor is */
	if (d->cursor.fd >= 0 && !d->nitems)
		save(d, true, NULL, &e);
	d->counts.state = SINK_STOPPED;
	if (d->slot)
		commit(d);
	close_sink(d);
	drop_batch(d);
	logreader_done(&d->reader);
	cursor_close(&d->cursor);
	buf_done(&d->raw);
	buf_done(&d->text);
}
