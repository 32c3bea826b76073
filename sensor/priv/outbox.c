/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/outbox.h"

#include <errno.h>

#define OUTBOX_MAX   (2 * OUTBOX_HIGH + 4 * MSG_PIECES_MAX)
#define OUTBOX_SLACK (256u << 10)
#define LENGTHS	     (2 * sizeof(uint32_t))

void outbox_init(struct outbox *o)
{
	*o = (struct outbox){ 0 };
	buf_init(&o->text, OUTBOX_MAX);
}

void outbox_done(struct outbox *o)
{
	buf_done(&o->text);
}

struct buf *outbox_begin(struct outbox *o)
{
	const uint32_t none[2] = { 0 };

	o->open = o->text.len;
	buf_put(&o->text, none, sizeof(none));
	return &o->text;
}

void outbox_cancel(struct outbox *o)
{
	buf_truncate(&o->text, o->open);
	o->text.error = 0;
}

int outbox_end(struct outbox *o, size_t head_end, size_t tail_start)
{
	size_t head = o->open + LENGTHS, end = o->text.len;
	uint32_t len[2] = { (uint32_t)(head_end - head), (uint32_t)(end - tail_start) };

	if (o->text.error || head_end < head || tail_start < head_end || end < tail_start ||
	    ALERT_TEXT_SIZE(len[0], len[1]) > MSG_PIECES_MAX)
		return -EINVAL;
	memmove(o->text.data + head_end, o->text.data + tail_start, len[1]);
	buf_truncate(&o->text, head_end + len[1]);
	memcpy(o->text.data + o->open, len, sizeof(len));
	while ((o->text.len - o->open) % 4)
		buf_putc(&o->text, 0);
	return o->text.error;
}

static uint32_t alert_size(const uint8_t *at)
{
	uint32_t len[2];

	memcpy(len, at, sizeof(len));
	return ALERT_TEXT_SIZE(len[0], len[1]);
}

/* As many whole alerts as one message holds: their bytes, 0 when the first alone is too long. */
static uint32_t batch(const struct outbox *o, int *ret_alerts)
{
	const uint8_t *from = o->text.data + o->off;
	uint32_t bytes = 0;

	*ret_alerts = 0;
	while (bytes < outbox_waiting(o)) {
		uint32_t size = alert_size(from + bytes);

		if (bytes + size > MSG_BODY_MAX)
			break;
		bytes += size;
		(*ret_alerts)++;
	}
	return bytes;
}

/* One piece of the alert at off. 1 when it was the last, 0 when more are to come. */
static int send_piece(struct outbox *o, const struct chan *to)
{
	const uint8_t *from = o->text.data + o->off;
	struct msg_piece p = { .off = o->piece, .total = alert_size(from) };
	uint32_t n = p.total - p.off;
	int r;

	if (n > MSG_BODY_MAX - sizeof(p))
		n = MSG_BODY_MAX - sizeof(p);
	r = chan_send2(to, MSG_PIECE, &p, sizeof(p), from + p.off, n, -1);
	if (r < 0)
		return r;
	o->piece += n;
	if (o->piece < p.total)
		return 0;
	o->off += p.total;
	o->piece = 0;
	return 1;
}

static int send_batch(struct outbox *o, const struct chan *to)
{
	int alerts, r;
	uint32_t bytes = batch(o, &alerts);

	if (!bytes)
		return send_piece(o, to);
	r = chan_send(to, MSG_ALERTS, o->text.data + o->off, bytes, -1);
	if (r < 0)
		return r;
	o->off += bytes;
	return alerts;
}

int outbox_send(struct outbox *o, const struct chan *to)
{
	int sent = 0, r = 0;

	if (o->text.len > o->peak)
		o->peak = o->text.len;
	while (outbox_waiting(o)) {
		r = send_batch(o, to);
		if (r < 0)
			break;
		sent += r;
	}
	if (!outbox_waiting(o)) {
		o->off = 0;
		buf_reset(&o->text);
	} else if (o->off > OUTBOX_SLACK && o->off > outbox_waiting(o)) {
		memmove(o->text.data, o->text.data + o->off, outbox_waiting(o));
		buf_truncate(&o->text, outbox_waiting(o));
		o->off = 0;
	}
	return sent || r >= 0 ? sent : r;
}

void outbox_tick(struct outbox *o)
{
	if (!o->text.len && o->text.cap > 4 * o->peak + OUTBOX_SLACK)
		buf_done(&o->text);
	o->peak = 0;
}

void outbox_restart(struct outbox *o)
{
	o->piece = 0;
}
