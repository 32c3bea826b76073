/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sensor/priv/outbox.h"

static _Alignas(8) uint8_t message[MSG_BYTES_MAX];

/* An alert of about @size bytes that says its number: {"n":N,GAPxxxx} with a gap of 10 bytes that must not arrive. */
static void put_alert(struct outbox *o, uint32_t n, size_t size)
{
	struct buf *b = outbox_begin(o);
	size_t head_end;

	buf_printf(b, "{\"n\":%u,", n);
	head_end = b->len;
	buf_puts(b, "\"seq\":????");
	for (size_t i = 0; i < size; i++)
		buf_putc(b, 'x');
	buf_putc(b, '}');
	assert_int_equal(outbox_end(o, head_end, head_end + 10), 0);
}

struct receiver {
	struct chan chan;
	struct buf piece;
	uint32_t next;
};

static void take_body(struct receiver *r, const void *body, uint32_t len)
{
	struct alert_text a;
	uint32_t off = 0;
	char head[32];

	while (alert_text_next(body, len, &off, &a) > 0) {
		snprintf(head, sizeof(head), "{\"n\":%u,", r->next++);
		assert_int_equal(a.head_len, strlen(head));
		assert_memory_equal(a.head, head, a.head_len);
		assert_int_equal(a.tail[a.tail_len - 1], '}');
		assert_null(memchr(a.tail, '?', a.tail_len));
	}
	assert_int_equal(off, len);
}

/* Everything that is in the socket. */
static int receive(struct receiver *r)
{
	struct msg_piece p;
	struct msg m;
	int n = 0;

	while (chan_recv(&r->chan, message, &m) == 1) {
		n++;
		if (m.type == MSG_ALERTS) {
			take_body(r, m.body, m.len);
			continue;
		}
		assert_int_equal(m.type, MSG_PIECE);
		memcpy(&p, m.body, sizeof(p));
		if (!p.off)
			buf_reset(&r->piece);
		assert_int_equal(p.off, r->piece.len);
		buf_put(&r->piece, (const char *)m.body + sizeof(p), m.len - sizeof(p));
		if (r->piece.len == p.total)
			take_body(r, r->piece.data, p.total);
	}
	return n;
}

static void every_alert_arrives_once(void **state)
{
	struct receiver r = { .next = 0 };
	struct outbox o;
	struct chan c[2];
	uint32_t made = 0, handed = 0;

	(void)state;
	srand(1);
	outbox_init(&o);
	buf_init(&r.piece, MSG_PIECES_MAX);
	assert_int_equal(chan_pair(ROLE_ENGINE, ROLE_RECORD, c), 0);
	r.chan = c[1];
	while (made < 3000 || outbox_waiting(&o)) {
		int sent;

		while (made < 3000 && outbox_waiting(&o) < OUTBOX_HIGH) {
			/* most are short, some just about a message, a few far longer */
			size_t size = made % 100 == 99	? 900000
				      : made % 50 == 49 ? MSG_BODY_MAX - 40 + (size_t)rand() % 40
							: (size_t)rand() % 3000;

			put_alert(&o, made++, size);
		}
		sent = outbox_send(&o, &c[0]);
		assert_true(sent >= 0 || sent == -EAGAIN);
		handed += sent > 0 ? (uint32_t)sent : 0;
		if (rand() % 3)
			receive(&r);
	}
	receive(&r);
	assert_int_equal(handed, 3000);
	assert_int_equal(r.next, 3000);
	outbox_done(&o);
	buf_done(&r.piece);
	chan_close(&c[0]);
	chan_close(&c[1]);
}

/* The receiver dies in the middle of a long alert: the next one gets all of it. */
static void a_long_alert_begins_again(void **state)
{
	struct receiver r = { .next = 0 };
	struct outbox o;
	struct chan c[2];

	(void)state;
	outbox_init(&o);
	buf_init(&r.piece, MSG_PIECES_MAX);
	assert_int_equal(chan_pair(ROLE_ENGINE, ROLE_RECORD, c), 0);
	put_alert(&o, 0, 700000);
	assert_true(outbox_send(&o, &c[0]) <= 0);
	assert_true(outbox_waiting(&o) > 0);
	chan_close(&c[1]);
	/* which of the two depends on whether something was left unread */
	r.next = (uint32_t)-outbox_send(&o, &c[0]);
	assert_true(r.next == EPIPE || r.next == ECONNRESET);
	r.next = 0;
	chan_close(&c[0]);

	assert_int_equal(chan_pair(ROLE_ENGINE, ROLE_RECORD, c), 0);
	r.chan = c[1];
	outbox_restart(&o);
	while (outbox_waiting(&o)) {
		outbox_send(&o, &c[0]);
		receive(&r);
	}
	assert_int_equal(r.next, 1);
	outbox_done(&o);
	buf_done(&r.piece);
	chan_close(&c[0]);
	chan_close(&c[1]);
}

static void what_was_cancelled_is_gone(void **state)
{
	struct outbox o;
	struct buf *b;

	(void)state;
	outbox_init(&o);
	b = outbox_begin(&o);
	buf_puts(b, "half an alert");
	outbox_cancel(&o);
	assert_int_equal(outbox_waiting(&o), 0);
	b = outbox_begin(&o);
	buf_puts(b, "{}");
	assert_int_equal(outbox_end(&o, b->len + 1, b->len), -EINVAL);
	outbox_cancel(&o);
	assert_int_equal(outbox_waiting(&o), 0);
	outbox_done(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_alert_arrives_once),
		cmocka_unit_test(a_long_alert_begins_again),
		cmocka_unit_test(what_was_cancelled_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
