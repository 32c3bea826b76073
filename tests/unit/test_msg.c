/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sensor/priv/msg.h"

static _Alignas(8) uint8_t buf[MSG_BYTES_MAX];

static size_t packet(uint16_t type, size_t body)
{
	const struct msg_head head = { .size = (uint32_t)(sizeof(head) + body), .type = type };

	memset(buf, 0, sizeof(head) + body);
	memcpy(buf, &head, sizeof(head));
	return sizeof(head) + body;
}

static int check(size_t size, int fd, enum role from, enum role to)
{
	struct msg m;

	return msg_check(buf, size, fd, from, to, &m);
}

/* Each message has its sender and its receiver; nobody else may say it, not even back. */
static void only_the_table_is_allowed(void **state)
{
	(void)state;
	for (uint16_t type = 0; type < MSG_TYPES + 3; type++) {
		int allowed = 0;

		for (int from = ROLE_NONE; from < ROLES; from++)
			for (int to = ROLE_NONE; to < ROLES; to++)
				for (size_t body = 0; body < 1100; body += 4)
					for (int fd = -1; fd <= 0; fd++)
						allowed += check(packet(type, body), fd, from, to) == 0;
		assert_true((allowed > 0) == (type > MSG_NONE && type < MSG_TYPES));
	}
	assert_int_equal(check(packet(MSG_ALERTS, 64), -1, ROLE_ENGINE, ROLE_RECORD), 0);
	assert_int_equal(check(packet(MSG_ALERTS, 64), -1, ROLE_ENGINE, ROLE_MONITOR), -EPROTO);
	assert_int_equal(check(packet(MSG_NOTE, 64), -1, ROLE_ENGINE, ROLE_RECORD), -EPROTO);
	assert_int_equal(check(packet(MSG_STOP, 0), -1, ROLE_CTL, ROLE_MONITOR), -EPROTO);
}

static void sizes_are_checked(void **state)
{
	const size_t ok = sizeof(struct msg_program_ok);

	(void)state;
	assert_int_equal(check(packet(MSG_PROGRAM_OK, ok), -1, ROLE_ENGINE, ROLE_MONITOR), 0);
	assert_int_equal(check(packet(MSG_PROGRAM_OK, ok - 1), -1, ROLE_ENGINE, ROLE_MONITOR), -EPROTO);
	assert_int_equal(check(packet(MSG_PROGRAM_OK, ok + 1), -1, ROLE_ENGINE, ROLE_MONITOR), -EPROTO);
	assert_int_equal(check(packet(MSG_STOP, 1), -1, ROLE_MONITOR, ROLE_ENGINE), -EPROTO);
	assert_int_equal(check(packet(MSG_NOTE, (16 << 10) + 1), -1, ROLE_MONITOR, ROLE_RECORD), -EPROTO);
	/* what the head says has to be what came */
	assert_int_equal(check(packet(MSG_PROGRAM_OK, ok) - 1, -1, ROLE_ENGINE, ROLE_MONITOR), -EPROTO);
	assert_int_equal(check(3, -1, ROLE_ENGINE, ROLE_MONITOR), -EPROTO);
	assert_int_equal(check(0, -1, ROLE_ENGINE, ROLE_MONITOR), -EPROTO);
}

static void descriptors_are_checked(void **state)
{
	const size_t body = sizeof(struct msg_program);

	(void)state;
	assert_int_equal(check(packet(MSG_PROGRAM, body), 7, ROLE_MONITOR, ROLE_ENGINE), 0);
	assert_int_equal(check(packet(MSG_PROGRAM, body), -1, ROLE_MONITOR, ROLE_ENGINE), -EPROTO);
	assert_int_equal(check(packet(MSG_STOP, 0), 7, ROLE_MONITOR, ROLE_ENGINE), -EPROTO);
}

/* ---- over a socket ------------------------------------------------------------------------------------------------- */

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void sent_is_received(void **state)
{
	const struct msg_program p = { .generation = 42 };
	struct chan c[2];
	struct msg m;
	int before, fd;

	(void)state;
	assert_int_equal(chan_pair(ROLE_MONITOR, ROLE_ENGINE, c), 0);
	assert_int_equal(chan_recv(&c[1], buf, &m), 0);
	fd = open("/dev/null", O_RDONLY);
	before = count_fds();
	assert_int_equal(chan_send(&c[0], MSG_PROGRAM, &p, sizeof(p), fd), 0);
	assert_int_equal(chan_send(&c[0], MSG_STOP, NULL, 0, -1), 0);
	assert_int_equal(chan_recv(&c[1], buf, &m), 1);
	assert_int_equal(m.type, MSG_PROGRAM);
	assert_int_equal(m.len, sizeof(p));
	assert_memory_equal(m.body, &p, sizeof(p));
	assert_int_equal(count_fds(), before + 1);
	close(m.fd);
	assert_int_equal(chan_recv(&c[1], buf, &m), 1);
	assert_int_equal(m.type, MSG_STOP);
	assert_int_equal(m.fd, -1);

	chan_close(&c[0]);
	assert_int_equal(chan_recv(&c[1], buf, &m), -ECONNRESET);
	assert_int_equal(chan_send(&c[1], MSG_PEER_OK, NULL, 0, -1), -EPIPE);
	chan_close(&c[1]);
	close(fd);
}

/* What may not be said is not even sent; a peer that sends it anyway is found out, and its descriptors are closed. */
static void a_liar_is_found_out(void **state)
{
	struct chan c[2], liar;
	struct msg m;
	int before;

	(void)state;
	assert_int_equal(chan_pair(ROLE_MONITOR, ROLE_ENGINE, c), 0);
	assert_int_equal(chan_send(&c[1], MSG_NOTE, "\1\0\0\0kind", 8, -1), -EPROTO);
	assert_int_equal(chan_send(&c[1], MSG_READY, NULL, 0, -1), -EPROTO);

	liar = (struct chan){ .fd = c[1].fd, .self = ROLE_MONITOR, .peer = ROLE_ENGINE };
	before = count_fds();
	assert_int_equal(chan_send(&liar, MSG_PEER, NULL, 0, 0), 0);
	assert_int_equal(chan_recv(&c[0], buf, &m), -EPROTO);
	assert_int_equal(count_fds(), before);

	assert_int_equal(send(c[1].fd, "x", 1, 0), 1);
	assert_int_equal(chan_recv(&c[0], buf, &m), -EPROTO);
	/* one byte more than a message may have: it does not arrive cut off */
	memset(buf, 0, sizeof(buf));
	assert_int_equal(packet(MSG_READY, sizeof(struct msg_ready)), 16);
	{
		void *big = calloc(1, MSG_BYTES_MAX + 1);

		memcpy(big, buf, 16);
		assert_int_equal(send(c[1].fd, big, MSG_BYTES_MAX + 1, 0), MSG_BYTES_MAX + 1);
		free(big);
	}
	assert_int_equal(chan_recv(&c[0], buf, &m), -EPROTO);
	chan_close(&c[0]);
	chan_close(&c[1]);
}

static int take(void *ctx, struct msg *m)
{
	*(int *)ctx += m->type;
	return 0;
}

static int refuse(void *ctx, struct msg *m)
{
	(void)ctx;
	(void)m;
	return -EIO;
}

static void a_type_without_handler_ends_it(void **state)
{
	const msg_handler handlers[MSG_TYPES] = { [MSG_READY] = take, [MSG_PEER_OK] = refuse };
	const struct msg_ready ready = { 0 };
	const struct msg_program_ok ok = { 0 };
	struct chan c[2];
	int sum = 0;

	(void)state;
	assert_int_equal(chan_pair(ROLE_MONITOR, ROLE_ENGINE, c), 0);
	chan_send(&c[1], MSG_READY, &ready, sizeof(ready), -1);
	chan_send(&c[1], MSG_READY, &ready, sizeof(ready), -1);
	assert_int_equal(chan_serve(&c[0], handlers, &sum, buf, 1), 1);
	assert_int_equal(chan_serve(&c[0], handlers, &sum, buf, 9), 1);
	assert_int_equal(sum, 2 * MSG_READY);
	chan_send(&c[1], MSG_PROGRAM_OK, &ok, sizeof(ok), -1);
	assert_int_equal(chan_serve(&c[0], handlers, &sum, buf, 9), -EPROTO);
	chan_send(&c[1], MSG_PEER_OK, NULL, 0, -1);
	assert_int_equal(chan_serve(&c[0], handlers, &sum, buf, 9), -EIO);
	chan_close(&c[0]);
	chan_close(&c[1]);
}

static void a_full_socket_is_said(void **state)
{
	struct chan c[2];
	uint32_t *body = calloc(1, MSG_BODY_MAX);
	int sent = 0, r;

	(void)state;
	assert_int_equal(chan_pair(ROLE_ENGINE, ROLE_RECORD, c), 0);
	while ((r = chan_send(&c[0], MSG_ALERTS, body, MSG_BODY_MAX, -1)) == 0)
		sent++;
	assert_int_equal(r, -EAGAIN);
	assert_true(sent >= 1);
	assert_int_equal(chan_send_wait(&c[0], MSG_ALERTS, body, MSG_BODY_MAX, NULL, 0, -1, 30), -EAGAIN);
	free(body);
	chan_close(&c[0]);
	chan_close(&c[1]);
}

/* ---- alerts -------------------------------------------------------------------------------------------------------- */

static void alerts_come_out_as_they_went_in(void **state)
{
	static const char text[] = "the quick brown fox jumps over the lazy dog";
	uint8_t body[4096];
	uint32_t len = 0, off = 0, n = 0;
	struct alert_text a;
	int r;

	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		a = (struct alert_text){ .head = text, .head_len = i, .tail = text + i, .tail_len = 40 - i };
		alert_text_put(body + len, &a);
		len += ALERT_TEXT_SIZE(a.head_len, a.tail_len);
	}
	while ((r = alert_text_next(body, len, &off, &a)) > 0) {
		assert_int_equal(a.head_len, n);
		assert_int_equal(a.tail_len, 40 - n);
		assert_memory_equal(a.head, text, n);
		assert_memory_equal(a.tail, text + n, 40 - n);
		n++;
	}
	assert_int_equal(r, 0);
	assert_int_equal(n, 40);
}

static void torn_alerts_are_refused(void **state)
{
	const uint32_t huge[][2] = {
		{ 0xffffffff, 0 }, { 0, 0xffffffff }, { 0x80000000, 0x80000000 }, { 5, 0 }, { 4, 1 }
	};
	uint32_t body[3] = { 0 }, off;
	struct alert_text a;

	(void)state;
	for (size_t i = 0; i < sizeof(huge) / sizeof(huge[0]); i++) {
		memcpy(body, huge[i], sizeof(huge[i]));
		off = 0;
		assert_int_equal(alert_text_next(body, sizeof(body), &off, &a), -EPROTO);
	}
	for (uint32_t len = 1; len < 8; len++) {
		off = 0;
		assert_int_equal(alert_text_next(body, len, &off, &a), -EPROTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_table_is_allowed), cmocka_unit_test(sizes_are_checked),
		cmocka_unit_test(descriptors_are_checked),   cmocka_unit_test(sent_is_received),
		cmocka_unit_test(a_liar_is_found_out),	     cmocka_unit_test(a_type_without_handler_ends_it),
		cmocka_unit_test(a_full_socket_is_said),     cmocka_unit_test(alerts_come_out_as_they_went_in),
		cmocka_unit_test(torn_alerts_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
