/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/tap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "sensor/priv/clock.h"
#include "sensor/priv/fetch.h"
#include "sensor/priv/past.h"

#define SEND_EACH 16		/* messages before events get their turn */
#define TRAILER	  512u		/* more than the last entries take */
#define END_NS	  5000000000ull /* what a reader may take for what is left at the end */

void tap_init(struct tap *t)
{
	*t = (struct tap){ .reader.fd = -1 };
}

static void off(struct tap *t, struct enrich *e)
{
	enrich_unwatch(e, t);
	if (t->fetch)
		fetch_unwatch(t->fetch, t);
	if (t->shared)
		t->reader.fd = -1;
	chan_close(&t->reader);
	capture_writer_done(&t->writer);
	t->state = TAP_OFF;
}

void tap_abort(struct tap *t, struct enrich *e)
{
	if (t->state != TAP_OFF)
		off(t, e);
}

bool tap_is_event(const struct ev_head *h)
{
	return h->type != EV_ARGS && !(h->flags & EV_F_CONTEXT);
}

static size_t waiting(const struct tap *t)
{
	return t->writer.text.len - t->writer.off;
}

/* ---- what comes in ------------------------------------------------------------------------------------------------- */

static bool has_room(const struct tap *t, size_t len)
{
	return waiting(t) + len + TRAILER <= t->room;
}

/* What finds no room, or no memory, is missed. */
static bool put(struct tap *t, uint16_t type, const void *bytes, size_t len)
{
	if (has_room(t, len) && capture_put(&t->writer, type, bytes, len, NULL, 0) == 0)
		return true;
	t->missed++;
	return false;
}

static void on_enrich(void *ctx, uint16_t type, const void *bytes, size_t len)
{
	struct tap *t = ctx;

	if (t->state == TAP_ON && !t->full)
		put(t, type, bytes, len);
}

static void on_lookup(void *ctx, const void *bytes, size_t len)
{
	on_enrich(ctx, CAPTURE_LOOKUP, bytes, len);
}

void tap_lost(struct tap *t, enum capture_where where, uint64_t count)
{
	const struct capture_loss l = { .where = where, .count = count };

	if (t->state != TAP_ON || !count)
		return;
	if (capture_put_loss(&t->writer, &l) == 0)
		t->sums.lost[where] += count;
}

static void tell_missed(struct tap *t)
{
	uint64_t missed = t->missed;

	t->missed = 0;
	tap_lost(t, CAPTURE_LOST_CAPTURE, missed);
}

/* Whether the capture is as large as it may be before a record of @size bytes comes. */
static bool is_full(const struct tap *t, size_t size)
{
	return (t->limits.events && t->sums.events >= t->limits.events) ||
	       (t->limits.bytes && capture_bytes(&t->writer) + size + TRAILER > t->limits.bytes);
}

void tap_record(struct tap *t, const void *rec, size_t size, bool event)
{
	if (t->state != TAP_ON || t->full)
		return;
	t->full = is_full(t, size);
	if (t->full)
		return;
	if (t->missed && has_room(t, size))
		tell_missed(t);
	if (!put(t, CAPTURE_RECORD, rec, size))
		return;
	t->sums.records++;
	t->sums.events += event;
}

void tap_tick(struct tap *t, int64_t clock, uint64_t boot_ns, uint64_t queue_refused)
{
	const struct capture_tick tick = { .clock = clock, .boot_ns = boot_ns };

	if (t->state != TAP_ON)
		return;
	if (!has_room(t, sizeof(tick)) || capture_put_tick(&t->writer, &tick) < 0)
		t->missed++;
	tap_lost(t, CAPTURE_LOST_QUEUE, queue_refused - t->queue_refused);
	t->queue_refused = queue_refused;
	capture_close(&t->writer);
}

/* ---- beginning and end --------------------------------------------------------------------------------------------- */

static void printable(char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
}

static int put_meta(struct tap *t, const struct msg_capture_to *to, const struct tap_source *s)
{
	struct proctable *table = enrich_proctable(s->enrich);
	struct capture_meta m = {
		.clock = decode_clock_of(s->decode),
		.boot_ns = proctable_now(table),
		.tick_ns = proctable_tick_ns(table),
		.all = to->what.all,
	};
	struct utsname u;
	int r;

	if (s->past)
		past_meta(s->past, &m);
	if (uname(&u) == 0) {
		snprintf(m.release, sizeof(m.release), "%s", u.release);
		snprintf(m.machine, sizeof(m.machine), "%.31s", u.machine);
	}
	snprintf(m.host, sizeof(m.host), "%s", s->hostname);
	snprintf(m.version, sizeof(m.version), "%s", TAMIS_VERSION);
	snprintf(m.policy, sizeof(m.policy), "%.*s", (int)strnlen(to->policy, sizeof(to->policy)), to->policy);
	snprintf(m.policy_sha256, sizeof(m.policy_sha256), "%.*s", (int)strnlen(to->sha256, 64), to->sha256);
	printable(m.release);
	printable(m.machine);
	printable(m.host);
	printable(m.policy);
	printable(m.policy_sha256);
	r = capture_put_meta(&t->writer, &m);
	capture_close(&t->writer); /* a block of its own: the least that a capture can hold */
	return r;
}

static void on_saved(void *ctx, uint16_t type, const void *bytes, size_t len)
{
	struct tap *t = ctx;
	struct capture_entry e = { .type = type, .size = (uint32_t)len, .p = bytes };
	struct capture_loss loss;
	struct ev_head h;

	if (!put(t, type, bytes, len))
		return;
	if (type == CAPTURE_LOSS && capture_get_loss(&e, &loss) == 0)
		t->sums.lost[loss.where] += loss.count;
	if (type != CAPTURE_RECORD)
		return;
	t->sums.records++;
	if (len < sizeof(h))
		return;
	memcpy(&h, bytes, sizeof(h));
	t->sums.events += tap_is_event(&h);
}

static void on_args(void *ctx, const void *rec, size_t size)
{
	on_saved(ctx, CAPTURE_RECORD, rec, size);
}

/* What was known at the beginning, and where that is not now, what came since. */
static int put_beginning(struct tap *t, const struct tap_source *s)
{
	int r;

	if (s->past)
		return past_save(s->past, on_saved, t);
	r = enrich_save(s->enrich, on_saved, t);
	return r == 0 ? decode_save(s->decode, on_args, t) : r;
}

int tap_begin_on(struct tap *t, const struct chan *reader, const struct msg_capture_to *to, const struct tap_source *s)
{
	int r;

	if (t->state != TAP_OFF)
		return -EBUSY;
	*t = (struct tap){
		.reader = *reader, .shared = true, .limits = to->what, .fetch = s->fetch, .room = TAP_BEGIN_MAX
	};
	t->queue_refused = s->queue_refused;
	t->state = TAP_ON;
	r = capture_writer_init(&t->writer, TAP_BEGIN_MAX + TAP_AHEAD + CAPTURE_BLOCK_MAX,
				catalog_fingerprint(catalog_tamis()));
	if (r == 0)
		r = put_meta(t, to, s);
	if (r == 0)
		r = put_beginning(t, s);
	if (r == 0)
		r = enrich_watch(s->enrich, on_enrich, t);
	if (r == 0 && s->fetch)
		r = fetch_watch(s->fetch, on_lookup, t);
	if (r == 0 && t->missed)
		r = -ENOMEM;
	if (r < 0) {
		off(t, s->enrich);
		return r;
	}
	capture_close(&t->writer);
	t->room = waiting(t) + TAP_AHEAD;
	return 0;
}

int tap_begin(struct tap *t, int fd, const struct msg_capture_to *to, const struct tap_source *s)
{
	int r = tap_begin_on(t, &(struct chan){ .fd = fd, .self = ROLE_ENGINE, .peer = ROLE_CTL }, to, s);

	if (r == 0)
		t->shared = false;
	else
		close(fd);
	return r;
}

void tap_end(struct tap *t, enum capture_why why, struct enrich *e)
{
	if (t->state != TAP_ON)
		return;
	tell_missed(t);
	enrich_unwatch(e, t);
	t->sums.why = why;
	capture_put_end(&t->writer, &t->sums);
	capture_close(&t->writer);
	t->state = TAP_ENDING;
	t->end_ns = clock_mono_ns() + END_NS;
}

/* ---- the reader ---------------------------------------------------------------------------------------------------- */

static int send_some(struct tap *t)
{
	const void *bytes;
	size_t n;
	int r;

	for (int i = 0; i < SEND_EACH && (n = capture_ready(&t->writer, &bytes)) > 0; i++) {
		n = n < MSG_BODY_MAX ? n : MSG_BODY_MAX;
		r = chan_send(&t->reader, MSG_CAPTURE_DATA, bytes, n, -1);
		if (r < 0)
			return r;
		capture_taken(&t->writer, n);
	}
	return 0;
}

bool tap_send(struct tap *t, struct enrich *e)
{
	const void *bytes;
	int r;

	if (t->state == TAP_OFF)
		return false;
	if (t->state == TAP_ON && (t->full || is_full(t, 0)))
		tap_end(t, t->limits.events && t->sums.events >= t->limits.events ? CAPTURE_EVENTS : CAPTURE_BYTES, e);
	r = send_some(t);
	if (r < 0 && r != -EAGAIN) {
		off(t, e);
		return true;
	}
	if (t->state == TAP_ENDING && (!capture_ready(&t->writer, &bytes) || clock_mono_ns() > t->end_ns)) {
		if (capture_ready(&t->writer, &bytes))
			t->sums.why = CAPTURE_WHYS; /* its end was not taken: it has none */
		off(t, e);
		return true;
	}
	return false;
}

static int on_stop(void *ctx, struct msg *m)
{
	bool *stop = ctx;

	*stop = true;
	return 0;
}

static const msg_handler from_ctl[MSG_TYPES] = {
	[MSG_CAPTURE_STOP] = on_stop,
};

void tap_serve(struct tap *t, void *buf, struct enrich *e)
{
	bool stop = false;

	if (t->state == TAP_OFF)
		return;
	if (chan_serve(&t->reader, from_ctl, &stop, buf, 1) < 0) {
		/* gone, or no tamisctl: nobody is there to send the rest to, which tap_send finds out */
		t->state = TAP_ENDING;
		t->end_ns = 0;
		enrich_unwatch(e, t);
	} else if (stop) {
		tap_end(t, CAPTURE_ASKED, e);
	}
}

bool tap_waits(const struct tap *t)
{
	const void *bytes;

	return t->state != TAP_OFF && capture_ready(&t->writer, &bytes) > 0;
}
