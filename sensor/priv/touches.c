/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/touches.h"

#include <errno.h>

#include "lib/log.h"
#include "sensor/priv/clock.h"
#include "sensor/priv/outbox.h"
#include "sensor/priv/recycle.h"

#define OUT_MAX	      (TOUCHES_HIGH + (4u << 20))
#define MESSAGES_EACH 64

void touches_init(struct touches *t)
{
	*t = (struct touches){ .hash = { -1, ROLE_ENGINE, ROLE_HASH } };
	buf_init(&t->out, OUT_MAX);
}

void touches_unlink(struct touches *t)
{
	chan_close(&t->hash);
	t->stalled_ns = 0;
}

void touches_link(struct touches *t, int fd)
{
	touches_unlink(t);
	t->hash.fd = fd;
	t->flushing = t->flushed = false;
}

static uint32_t size_at(const struct touches *t, size_t off)
{
	struct touch_head h;

	memcpy(&h, t->out.data + off, sizeof(h));
	return h.size;
}

static void drop_all(struct touches *t)
{
	for (size_t off = t->off; off < t->out.len; off += size_at(t, off))
		t->lost++;
	buf_reset(&t->out);
	t->off = 0;
}

void touches_put(struct touches *t, const struct touch *touch)
{
	size_t before = t->out.len;

	t->made++;
	if (touch_put(&t->out, touch) < 0) {
		buf_truncate(&t->out, before);
		t->out.error = 0;
		t->lost++;
	}
}

/* As many whole records as one message holds. */
static size_t batch(const struct touches *t)
{
	size_t end = t->off;

	while (end < t->out.len && end + size_at(t, end) - t->off <= MSG_BODY_MAX)
		end += size_at(t, end);
	return end - t->off;
}

static void check_stall(struct touches *t)
{
	uint64_t now = clock_mono_ns();

	if (!t->stalled_ns)
		t->stalled_ns = now;
	if (now - t->stalled_ns < TOUCHES_STALL_MS * 1000000ull)
		return;
	log_warn("the hash process takes nothing: what was to be looked at is dropped");
	drop_all(t);
	t->stalled_ns = 0;
}

void touches_send(struct touches *t)
{
	int r = 0;

	while (t->hash.fd >= 0 && touches_waiting(t)) {
		size_t n = batch(t);

		r = chan_send(&t->hash, MSG_TOUCHES, t->out.data + t->off, n, -1);
		if (r == -EAGAIN) {
			check_stall(t);
			break;
		}
		if (r < 0) {
			touches_unlink(t);
			break;
		}
		t->off += n;
		t->stalled_ns = 0;
	}
	if (t->hash.fd < 0 && touches_waiting(t))
		check_stall(t); /* one is started */
	if (!touches_waiting(t)) {
		t->off = 0;
		recycle(&t->out);
	} else if (t->off > TOUCHES_HIGH) {
		memmove(t->out.data, t->out.data + t->off, touches_waiting(t));
		buf_truncate(&t->out, touches_waiting(t));
		t->off = 0;
	}
}

/* ---- what comes back --------------------------------------------------------------------------------------------------- */

struct serving {
	struct touches *t;
	struct outbox *out;
};

static int on_finding(void *ctx, struct msg *m)
{
	struct serving *s = ctx;
	const uint32_t skip = sizeof(struct msg_finding);
	const uint8_t *body = (const uint8_t *)m->body + skip;
	struct msg_finding id;
	struct alert_text text;
	uint32_t off = 0;
	struct buf *to;
	size_t head_end;

	memcpy(&id, m->body, sizeof(id));
	if (alert_text_next(body, m->len - skip, &off, &text) != 1 || off != m->len - skip)
		return -EPROTO;
	to = outbox_begin(s->out);
	buf_put(to, text.head, text.head_len);
	head_end = to->len;
	buf_put(to, text.tail, text.tail_len);
	if (outbox_end(s->out, head_end, head_end) < 0) {
		outbox_cancel(s->out);
		s->t->failed++;
	} else {
		s->t->found++;
	}
	return chan_send_wait(&s->t->hash, MSG_FINDING_OK, &id, sizeof(id), NULL, 0, -1, 1000);
}

static int on_flushed(void *ctx, struct msg *m)
{
	struct serving *s = ctx;

	s->t->flushed = true;
	return 0;
}

static int on_hash_ok(void *ctx, struct msg *m)
{
	struct serving *s = ctx;

	memcpy(&s->t->hash_ok, m->body, sizeof(s->t->hash_ok));
	return 0;
}

static int on_package_ok(void *ctx, struct msg *m)
{
	struct serving *s = ctx;
	const uint32_t skip = sizeof(s->t->package_ok);

	memcpy(&s->t->package_ok, m->body, skip);
	s->t->ntexts = m->len - skip;
	memcpy(s->t->texts, (const char *)m->body + skip, s->t->ntexts);
	return 0;
}

static const msg_handler from_hash[MSG_TYPES] = {
	[MSG_HASH_OK] = on_hash_ok,
	[MSG_PACKAGE_OK] = on_package_ok,
	[MSG_FINDING] = on_finding,
	[MSG_FLUSHED] = on_flushed,
};

int touches_serve(struct touches *t, struct outbox *out, void *buf)
{
	struct serving s = { t, out };
	uint64_t before = t->found;
	int r = t->hash.fd < 0 ? -ENOTCONN : chan_serve(&t->hash, from_hash, &s, buf, MESSAGES_EACH);

	if (r < 0)
		touches_unlink(t);
	return r < 0 && t->found == before ? r : (int)(t->found - before);
}

bool touches_flush(struct touches *t)
{
	touches_send(t);
	if (t->hash.fd < 0) {
		drop_all(t);
		return true;
	}
	if (!t->flushing && !touches_waiting(t))
		t->flushing = chan_send(&t->hash, MSG_FLUSH, NULL, 0, -1) == 0;
	return t->flushed;
}
