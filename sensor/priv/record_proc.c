/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/record_proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/priv/clock.h"
#include "sensor/priv/keep.h"
#include "sensor/priv/printer.h"
#include "sensor/priv/recycle.h"
#include "sensor/priv/sealer.h"
#include "sensor/record/auditlog.h"

#define BATCH_MS      100
#define BATCH_BYTES   (2u << 20)  /* a batch is closed when it has this much */
#define WAITING_BYTES (16u << 20) /* while the log cannot be written: beyond this, alerts wait in the engine */
#define LONGEST_MS    1000	  /* of waiting: the monitor wants to see that we live, see children_tick() */
#define END_MS	      5000	  /* what may be spent on reading what is left and on a slow reader, each */
#define MESSAGES_EACH 16	  /* of one socket before the other gets its turn */

struct record {
	struct chan monitor, engine; /* engine.fd is -1 between one engine and the next */
	struct record_page *page;
	const struct spool_page *spool; /* NULL: there are no sinks */
	struct news *news;		/* the like */
	const char *state;		/* borrowed: the directory's name for messages */
	struct record_counts counts;
	struct auditlog *log; /* owned */
	struct buf lines;     /* the batch as --alerts will show it */
	uint64_t nlines;
	uint64_t first_seq; /* of the alerts in flight */
	uint64_t last_seq;  /* of the alert or note that was appended last */
	struct buf piece;   /* an alert that comes in pieces */
	struct epoch_seal seal;
	struct printer printer;
	struct keep keep;
	struct err prune_error; /* as it was said last; empty: nothing was in the way */
	struct err epoch_error; /* as it was said last; empty: an epoch ended well */
	uint64_t failing_ns;	/* since when the log cannot be written; 0: it can */
	bool stop;
	_Alignas(8) uint8_t buf[MSG_BYTES_MAX];
};

static void commit(struct record *r)
{
	r->counts.pending = auditlog_pending(r->log);
	r->counts.epoch_error = auditlog_epoch_errno(r->log);
	r->counts.prune_error = auditlog_prune_errno(r->log);
	r->counts.printed = r->printer.printed;
	r->counts.skipped = r->printer.skipped;
	record_counts_put(r->page, &r->counts);
}

/* ---- the log ------------------------------------------------------------------------------------------------------- */

/* Everything that was appended is on disk and signed. */
static void on_durable(struct record *r)
{
	r->counts.durable += r->counts.inflight;
	r->counts.inflight = 0;
	r->counts.seq = auditlog_signed(r->log);
	r->first_seq = 0;
	commit(r);
	news_tell(r->news);
	printer_put(&r->printer, r->lines.data, r->lines.len, r->nlines, clock_mono_ns());
	recycle(&r->lines);
	r->nlines = 0;
}

/* Says once that writing fails, and once that it works again. */
static void on_failure(struct record *r, int result, const struct err *e)
{
	r->counts.errors++;
	r->counts.error = result;
	if (r->failing_ns)
		return;
	r->failing_ns = clock_mono_ns();
	keep_cut(&r->keep, "the log cannot be written", true);
	log_err("the log in %s/log cannot be written: %s; alerts wait in memory (make room, or mend the disk)",
		r->state, e->msg);
}

static void on_success(struct record *r)
{
	r->counts.error = 0;
	if (!r->failing_ns)
		return;
	log_info("the log is written again, after %llu s",
		 (unsigned long long)((clock_mono_ns() - r->failing_ns) / 1000000000ull));
	r->failing_ns = 0;
}

/* Says it once. Alerts are not held up by this: the key in use stays in use. */
static void look_at_epoch(struct record *r)
{
	const char *why = auditlog_epoch_error(r->log);

	if (strcmp(why ? why : "", r->epoch_error.msg) == 0)
		return;
	if (why)
		log_err("the log's key cannot be replaced, and stays in use: %s; tried again", why);
	else
		log_info("the log's key was replaced");
	err_set(&r->epoch_error, 0, "%s", why ? why : "");
}

static void look_at_pruning(struct record *r)
{
	const char *why = auditlog_prune_error(r->log);

	if (strcmp(why ? why : "", r->prune_error.msg) == 0)
		return;
	if (why)
		log_err("old segments of the log cannot be pruned: %s; tried again when the next segment is full", why);
	err_set(&r->prune_error, 0, "%s", why ? why : "");
}

/* @result is that of a flush or a tick, which also gives 0 where nothing was due. */
static void after_write(struct record *r, int result, const struct err *e)
{
	/* records by which an epoch ends may wait longer than alerts */
	bool written = result == 0 && auditlog_signed(r->log) >= r->last_seq;

	if (result < 0)
		on_failure(r, result, e);
	if (written)
		on_success(r);
	if (written && r->counts.seq != auditlog_signed(r->log))
		on_durable(r);
	else
		commit(r);
	look_at_epoch(r);
	look_at_pruning(r);
}

static void flush(struct record *r)
{
	struct err e = { "" };
	int result = auditlog_flush(r->log, &e);

	after_write(r, result, &e);
}

/* The line as the log has it. */
static void keep_line(struct record *r, const struct alert_text *a, uint64_t seq)
{
	size_t from = r->lines.len;

	buf_put(&r->lines, a->head, a->head_len);
	buf_puts(&r->lines, "\"seq\":");
	buf_put_dec(&r->lines, seq);
	buf_putc(&r->lines, ',');
	buf_put(&r->lines, a->tail, a->tail_len);
	if (buf_putc(&r->lines, '\n') == 0) {
		r->nlines++;
		return;
	}
	buf_truncate(&r->lines, from);
	r->lines.error = 0;
	r->printer.skipped++;
}

static int append(struct record *r, const struct alert_text *a)
{
	const struct auditlog_alert alert = { a->head, a->head_len, a->tail, a->tail_len };
	struct err e = { "" };
	uint64_t seq;
	int result = auditlog_append(r->log, &alert, &seq, &e);

	r->counts.taken++;
	if (result == -EINVAL) {
		log_err("the engine sent what is no alert: %s", e.msg);
		return -EPROTO;
	}
	if (result < 0) {
		r->counts.refused++;
		return 0;
	}
	r->counts.appended++;
	r->counts.inflight++;
	r->last_seq = seq;
	if (!r->first_seq)
		r->counts.first_seq = r->first_seq = seq;
	if (r->printer.fd >= 0)
		keep_line(r, a, seq);
	return 0;
}

static int append_all(struct record *r, const void *body, size_t len)
{
	struct alert_text a;
	uint32_t off = 0;
	int result;

	while ((result = alert_text_next(body, (uint32_t)len, &off, &a)) > 0) {
		result = append(r, &a);
		if (result < 0)
			return result;
	}
	commit(r);
	if (result == 0 && r->lines.len + r->counts.inflight * 64 > BATCH_BYTES && !r->failing_ns)
		flush(r);
	return result;
}

/* ---- messages ------------------------------------------------------------------------------------------------------ */

static int on_alerts(void *ctx, struct msg *m)
{
	return append_all(ctx, m->body, m->len);
}

static int on_piece(void *ctx, struct msg *m)
{
	struct record *r = ctx;
	const uint8_t *bytes = (const uint8_t *)m->body + sizeof(struct msg_piece);
	struct msg_piece p;
	int result;

	memcpy(&p, m->body, sizeof(p));
	if (p.off == 0)
		buf_reset(&r->piece);
	if (p.off != r->piece.len || p.total > MSG_PIECES_MAX || m->len - sizeof(p) > p.total - p.off)
		return -EPROTO;
	if (buf_put(&r->piece, bytes, m->len - sizeof(p)) < 0)
		return r->piece.error;
	if (r->piece.len < p.total)
		return 0;
	result = append_all(r, r->piece.data, r->piece.len);
	buf_done(&r->piece);
	return result;
}

/* Notes have batches of their own, so that the alerts in a batch have numbers without gaps: see recovered_alerts(). */
static void put_note(struct record *r, const char *kind, const char *details)
{
	struct err e = { "" };

	if (r->counts.inflight)
		flush(r);
	if (auditlog_note(r->log, kind, details, &r->last_seq, &e) < 0)
		log_err("a %s record is missing in the log: %s", kind, e.msg);
	else
		flush(r);
}

static void note_capture(void *ctx, const char *details)
{
	put_note(ctx, AUDITLOG_CAPTURE, details);
}

static int on_note(void *ctx, struct msg *m)
{
	struct record *r = ctx;
	const char *text = (const char *)m->body + sizeof(struct msg_note);
	size_t text_len = m->len - sizeof(struct msg_note);
	_cleanup_free_ char *kind = NULL, *details = NULL;
	struct msg_note n;

	memcpy(&n, m->body, sizeof(n));
	if (n.kind_len == 0 || n.kind_len >= text_len)
		return -EPROTO;
	kind = strndup(text, n.kind_len);
	details = strndup(text + n.kind_len, text_len - n.kind_len);
	if (!kind || !details)
		return -ENOMEM;
	put_note(r, kind, details);
	return 0;
}

/* An alert of the monitor's. Not one of those that are counted on their way from the engine; a batch of its own, too. */
static int on_alarm(void *ctx, struct msg *m)
{
	struct record *r = ctx;
	struct err e = { "" };
	struct alert_text a;
	uint32_t off = 0;

	if (alert_text_next(m->body, m->len, &off, &a) <= 0)
		return -EPROTO;
	if (r->counts.inflight)
		flush(r);
	if (auditlog_append(r->log, &(struct auditlog_alert){ a.head, a.head_len, a.tail, a.tail_len }, &r->last_seq,
			    &e) < 0) {
		log_err("an alert about the sensor itself is missing in the log: %s", e.msg);
		return 0;
	}
	if (r->printer.fd >= 0)
		keep_line(r, &a, r->last_seq);
	flush(r);
	return 0;
}

static int on_snap(void *ctx, struct msg *m)
{
	struct record *r = ctx;

	return keep_begin(&r->keep, m, clock_mono_ns(), !r->failing_ns);
}

static int on_capture_data(void *ctx, struct msg *m)
{
	struct record *r = ctx;

	return keep_data(&r->keep, m);
}

static int on_snap_end(void *ctx, struct msg *m)
{
	struct record *r = ctx;

	return keep_end(&r->keep, m);
}

static int on_peer(void *ctx, struct msg *m)
{
	struct record *r = ctx;

	if (r->engine.fd >= 0)
		return -EPROTO;
	r->engine.fd = TAKE_FD(m->fd);
	buf_done(&r->piece);
	return 0;
}

static int on_stop(void *ctx, struct msg *m)
{
	struct record *r = ctx;

	r->stop = true;
	return 0;
}

static const msg_handler from_monitor[MSG_TYPES] = {
	[MSG_NOTE] = on_note,
	[MSG_ALARM] = on_alarm,
	[MSG_PEER] = on_peer,
	[MSG_STOP] = on_stop,
};

static const msg_handler from_engine[MSG_TYPES] = {
	[MSG_ALERTS] = on_alerts,     [MSG_PIECE] = on_piece,
	[MSG_SNAP] = on_snap,	      [MSG_CAPTURE_DATA] = on_capture_data,
	[MSG_SNAP_END] = on_snap_end,
};

/* The engine's end is closed, or it said what it may not: nothing more comes from it. */
static void end_engine(struct record *r, int result)
{
	if (result != -ECONNRESET)
		log_err("the engine broke the protocol (%s); its socket is closed", strerror(-result));
	chan_close(&r->engine);
	keep_cut(&r->keep, "the engine process ended", false);
	flush(r);
	chan_send_wait(&r->monitor, MSG_PEER_OK, NULL, 0, NULL, 0, -1, END_MS);
}

static void serve_engine(struct record *r)
{
	int result = chan_serve(&r->engine, from_engine, r, r->buf, MESSAGES_EACH);

	if (result < 0)
		end_engine(r, result);
}

/* ---- the loop ------------------------------------------------------------------------------------------------------ */

static bool takes_alerts(const struct record *r)
{
	return r->engine.fd >= 0 && !printer_full(&r->printer) &&
	       !(r->failing_ns && r->lines.len + r->counts.inflight * 2048 > WAITING_BYTES);
}

static int timeout_ms(const struct record *r)
{
	uint64_t due = auditlog_due(r->log), now = clock_mono_ns();
	uint64_t left = due <= now ? 0 : (due - now) / 1000000 + 1;
	int ms = left < LONGEST_MS ? (int)left : LONGEST_MS;

	/* a reader that stalls is noticed by asking; a log that cannot be written is not tried without pause */
	if (printer_waits(&r->printer) && ms > 100)
		ms = 100;
	return r->failing_ns && ms < BATCH_MS ? BATCH_MS : ms;
}

static void tick(struct record *r)
{
	struct err e = { "" };
	int result;

	result = auditlog_tick(r->log, clock_mono_ns(), &e);
	after_write(r, result, &e);
	if (printer_waits(&r->printer)) {
		printer_write(&r->printer, clock_mono_ns());
		commit(r);
	}
}

/* 0: told to stop; -ECONNRESET: the monitor is gone */
static int loop(struct record *r)
{
	while (!r->stop) {
		struct pollfd p[] = {
			{ .fd = r->monitor.fd, .events = POLLIN },
			{ .fd = takes_alerts(r) ? r->engine.fd : -1, .events = POLLIN },
			{ .fd = printer_waits(&r->printer) ? r->printer.fd : -1, .events = POLLOUT },
		};
		int result;

		if (poll(p, 3, timeout_ms(r)) < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents)
			serve_engine(r);
		if (p[0].revents) {
			result = chan_serve(&r->monitor, from_monitor, r, r->buf, MESSAGES_EACH);
			if (result < 0)
				return result;
		}
		tick(r);
	}
	return 0;
}

/* ---- beginning and end --------------------------------------------------------------------------------------------- */

/*
 * The record process before us may have been killed between writing a batch and counting it. Alerts of one batch have
 * numbers without gaps, so what the log holds beyond the last number that was counted tells how many of them are there.
 */
static uint64_t recovered_alerts(const struct record_counts *c, uint64_t found_seq)
{
	uint64_t n;

	if (!c->inflight || found_seq < c->first_seq)
		return 0;
	n = found_seq - c->first_seq + 1;
	return n < c->inflight ? n : c->inflight;
}

/* The page is input from processes with fewer rights: at worst pruning waits until log_hold is used up. */
static uint64_t read_hold(void *ctx)
{
	const struct record *r = ctx;
	const char *who;

	return page_hold(r->spool, &who);
}

static void tell_held(void *ctx, uint64_t segment, bool lost)
{
	struct record *r = ctx;
	const struct msg_held held = { .segment = segment, .lost = lost };

	chan_send_wait(&r->monitor, MSG_HELD, &held, sizeof(held), NULL, 0, -1, 1000);
}

static int open_log(struct record *r, const struct record_args *a, struct err *e)
{
	const struct auditlog_options o = { .batch_ms = BATCH_MS,
					    .start_details = a->start_details,
					    .epoch_s = a->log_epoch ? a->log_epoch : UINT32_MAX,
					    .keep_bytes = a->log_keep,
					    .keep_s = a->log_keep_age,
					    .hold = a->spool ? read_hold : NULL,
					    .held = tell_held,
					    .hold_ctx = r,
					    .hold_bytes = a->log_hold,
					    .dir_fd = a->log_fd,
					    .seal = a->seal_fd >= 0 ? &r->seal : NULL };
	int result;

	sealer_for_epoch(&a->seal_fd, &r->seal);

	/*
	 * By descriptor: the way to the directories may be closed to this user, and /proc/self is closed to a process that
	 * is not dumpable.
	 */
	if (fchdir(a->keys_fd) < 0)
		return err_set(e, -errno, "cannot enter the directory of the keys: %s", strerror(errno));
	result = auditlog_open("log", ".", &o, &r->log, e);
	if (result < 0)
		return err_set(e, result, "cannot open the log in %s/log: %s", a->state, e->msg);
	record_counts_get(a->page, &r->counts);
	r->counts.durable += recovered_alerts(&r->counts, auditlog_found(r->log));
	r->counts.inflight = 0;
	r->counts.error = 0;
	r->counts.seq = auditlog_signed(r->log);
	commit(r);
	return 0;
}

/*
 * The log is for our group to read: the spool is in it. Ours to change, since we own it, also where an earlier version or a
 * stricter umask made it otherwise.
 */
static void open_to_group(int log_fd)
{
	_cleanup_closedir_ DIR *d = NULL;
	int fd = openat(log_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *de;

	umask(027);
	fchmod(log_fd, 0750);
	d = fd < 0 ? NULL : fdopendir(fd);
	while (d && (de = readdir(d)))
		if (de->d_type == DT_REG && strcmp(de->d_name, "LOCK") != 0 &&
		    fchmodat(log_fd, de->d_name, 0640, 0) < 0)
			log_warn("the sinks cannot read %s/%s: %s", "log", de->d_name, strerror(errno));
}

static int begin(struct record *r, const struct record_args *a, struct err *e)
{
	struct confine_user user;
	int result;

	r->monitor = a->monitor;
	r->engine = a->engine;
	r->page = a->page;
	r->state = a->state;
	r->spool = a->spool;
	r->news = a->news;
	buf_init(&r->lines, PRINTER_MAX + WAITING_BYTES);
	buf_init(&r->piece, MSG_PIECES_MAX);
	printer_init(&r->printer, a->alerts_fd);
	confine_user(ROLE_RECORD, &user);
	result = confine_drop_user(&user, e);
	if (result < 0)
		return result;
	confine_memory();
	open_to_group(a->log_fd);
	result = open_log(r, a, e);
	if (result < 0)
		return result;
	keep_init(&r->keep, a->captures_fd, a->captures_keep, &r->counts, note_capture, r);
	keep_recover(&r->keep);
	r->printer.printed = r->counts.printed;
	r->printer.skipped = r->counts.skipped;
	return confine_syscalls(ROLE_RECORD, a->mode, e);
}

static uint64_t deadline_in(unsigned int ms)
{
	return clock_mono_ns() + ms * 1000000ull;
}

/* The monitor is gone without a word: take what the engine still sends, say so in the log, and end. */
static void end_orphaned(struct record *r, int why)
{
	const char *text = why == -ECONNRESET ? "the monitor ended without warning" : "the monitor broke the protocol";
	uint64_t deadline = deadline_in(END_MS);
	struct err e = { "" };
	char details[160];

	while (r->engine.fd >= 0 && clock_mono_ns() < deadline) {
		struct pollfd p = { .fd = r->engine.fd, .events = POLLIN };

		if (poll(&p, 1, 100) > 0)
			serve_engine(r);
	}
	log_err("%s; the log is closed", text);
	snprintf(details, sizeof(details), "{\"process\":\"monitor\",\"reason\":\"%s\"}", text);
	auditlog_note(r->log, AUDITLOG_GAP, details, NULL, &e);
	flush(r);
	auditlog_free(r->log);
}

static void end_printer(struct record *r)
{
	uint64_t deadline = deadline_in(PRINTER_STALL_MS);

	while (printer_waits(&r->printer) && clock_mono_ns() < deadline) {
		struct pollfd p = { .fd = r->printer.fd, .events = POLLOUT };

		poll(&p, 1, 50);
		printer_write(&r->printer, clock_mono_ns());
	}
}

static int end_log(struct record *r)
{
	struct err e = { "" };
	int result;

	flush(r);
	result = auditlog_close(TAKE_PTR(r->log), &e);
	if (result < 0)
		log_err("cannot close the log: %s", e.msg);
	return result;
}

int record_main(struct record_args *a)
{
	/* the receive buffer makes this too big for a stack that wants to stay small */
	static struct record r;
	const struct msg_ready ready_of_none = { 0 };
	struct msg_ready ready = ready_of_none;
	struct err e = { "" };
	int result = begin(&r, a, &e);

	if (result < 0) {
		log_err("%s", e.msg);
		return EXIT_FAILURE;
	}
	ready.value = r.counts.seq;
	chan_send(&r.monitor, MSG_READY, &ready, sizeof(ready), -1);
	result = loop(&r);
	if (result < 0)
		end_orphaned(&r, result);
	else
		result = end_log(&r);
	end_printer(&r);
	return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
