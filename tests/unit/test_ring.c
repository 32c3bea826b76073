/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two rings read as one. Threads of a small machine make records the way the kernel side does: the time is taken first,
 * the place in the ring later, it is filled later still, and others come in between anywhere. What each thread did must
 * come out in the order in which it did it, whichever ring it went to, and a child's after the fork that made it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/bpf.h>

#include "sensor/ingest/ring.h"
#include "tamis/event.h"

#define SIZE	4096
#define THREADS 12

static unsigned long consumer[2], producer[2];
static _Alignas(8) uint8_t data[2][SIZE];
static uint64_t now;
static unsigned int seed;

static uint64_t tick(void)
{
	return now;
}

static unsigned int draw(unsigned int n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static void put(int ring, unsigned long pos, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		data[ring][(pos + i) % SIZE] = ((const uint8_t *)bytes)[i];
}

static void put_len(int ring, unsigned long pos, uint32_t len)
{
	put(ring, pos, &len, sizeof(len));
}

/* Takes a place of @size bytes; false when there is none. */
static bool reserve(int ring, size_t size, unsigned long *ret_pos)
{
	if (producer[ring] - consumer[ring] + size + BPF_RINGBUF_HDR_SZ > SIZE)
		return false;
	*ret_pos = producer[ring];
	put_len(ring, *ret_pos, (uint32_t)size | BPF_RINGBUF_BUSY_BIT);
	producer[ring] += size + BPF_RINGBUF_HDR_SZ;
	return true;
}

static struct ring *open_rings(void)
{
	const struct ring_memory mem[2] = { { &consumer[0], &producer[0], data[0], SIZE },
					    { &consumer[1], &producer[1], data[1], SIZE } };
	struct ring *r;

	memset(consumer, 0, sizeof(consumer));
	memset(producer, 0, sizeof(producer));
	now = 1000;
	assert_int_equal(ring_over(mem, tick, &r), 0);
	return r;
}

/* A record at once. */
static void send(int ring, uint64_t time, uint32_t tid)
{
	struct ev_head h = { .size = sizeof(h), .type = ring ? EV_EXEC : EV_OPEN, .boot_ns = time, .tid = tid };
	unsigned long pos;

	assert_true(reserve(ring, sizeof(h), &pos));
	put(ring, pos + BPF_RINGBUF_HDR_SZ, &h, sizeof(h));
	put_len(ring, pos, sizeof(h));
}

struct seen {
	uint32_t tid[64];
	int n, stop_at, result;
};

static int note(void *ctx, const void *rec, size_t size)
{
	struct seen *s = ctx;

	s->tid[s->n++] = ((const struct ev_head *)rec)->tid;
	return s->n == s->stop_at ? s->result : 0;
}

static void the_older_goes_first(void **state)
{
	struct ring *r = open_rings();
	struct seen s = { 0 };

	send(0, 10, 1);
	send(0, 30, 3);
	send(1, 20, 2);
	send(1, 40, 4);
	assert_int_equal(ring_drain(r, note, &s, 100), 4);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(s.tid[i], i + 1);
	assert_int_equal(consumer[0], producer[0]);
	assert_int_equal(consumer[1], producer[1]);
	ring_close(r);
}

static void what_is_too_young_or_unfinished_waits(void **state)
{
	struct ring *r = open_rings();
	struct seen s = { 0 };
	unsigned long pos;

	send(0, 10, 1);
	send(0, now, 2);
	assert_int_equal(ring_drain(r, note, &s, 100), 1);
	now++;
	/* a place that is not filled holds both rings up */
	assert_true(reserve(1, sizeof(struct ev_head), &pos));
	assert_false(ring_blocked(r)); /* what is young holds nothing up */
	assert_int_equal(ring_drain(r, note, &s, 100), 0);
	assert_true(ring_blocked(r));
	put_len(1, pos, sizeof(struct ev_head) | BPF_RINGBUF_DISCARD_BIT);
	assert_int_equal(ring_drain(r, note, &s, 100), 1);
	assert_false(ring_blocked(r));
	assert_int_equal(s.tid[1], 2);
	assert_int_equal(consumer[1], producer[1]);
	ring_close(r);
}

static void what_is_never_finished_is_passed_over_and_counted(void **state)
{
	struct ring *r = open_rings();
	struct seen s = { 0 };
	unsigned long pos;

	send(0, 10, 1);
	assert_true(reserve(0, sizeof(struct ev_head), &pos));
	assert_true(reserve(0, sizeof(struct ev_head), &pos));
	send(0, 20, 2);
	assert_true(reserve(1, sizeof(struct ev_head), &pos));
	send(1, 30, 3);
	assert_int_equal(ring_drain(r, note, &s, 100), 0);
	assert_int_equal(ring_skip(r), 1); /* the one at a head; the others are not there yet */
	assert_int_equal(ring_drain(r, note, &s, 100), 1);
	assert_true(ring_blocked(r));
	assert_int_equal(ring_skip(r), 2);
	assert_int_equal(ring_drain(r, note, &s, 100), 2);
	assert_false(ring_blocked(r));
	assert_int_equal(ring_skip(r), 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(s.tid[i], i + 1);
	ring_close(r);
}

static void a_drain_can_be_stopped(void **state)
{
	struct ring *r = open_rings();
	struct seen s = { .stop_at = 2, .result = RING_STOP };

	for (uint32_t i = 0; i < 4; i++)
		send(i & 1, 10 + i, i);
	assert_int_equal(ring_drain(r, note, &s, 100), 2);
	assert_int_equal(ring_drain(r, note, &s, 1), 1);
	s.stop_at = 4;
	s.result = -EPIPE;
	assert_int_equal(ring_drain(r, note, &s, 100), -EPIPE);
	/* the record is consumed all the same */
	assert_int_equal(ring_drain(r, note, &s, 100), 0);
	assert_int_equal(s.n, 4);
	ring_close(r);
}

static void a_short_record_is_handed_on(void **state)
{
	struct ring *r = open_rings();
	struct seen s = { 0 };
	unsigned long pos;

	assert_true(reserve(0, 8, &pos));
	put_len(0, pos, 8);
	send(0, 10, 7);
	assert_int_equal(ring_drain(r, note, &s, 100), 2);
	assert_int_equal(s.tid[1], 7);
	ring_close(r);
}

/* ---- the machine --------------------------------------------------------------------------------------------------- */

static struct thread {
	bool alive;
	enum { IDLE, TIMED, RESERVED } step;
	struct ev_head h; /* retval: how many records this thread made; start_ns: the thread that it forks, or 0 */
	int ring;
	unsigned long pos;
	int64_t made, came;
} threads[THREADS];

static unsigned long lost, taken;

static int check_order(void *ctx, const void *rec, size_t size)
{
	const struct ev_head *h = rec;
	struct thread *t = &threads[h->tid];

	assert_int_equal(size, sizeof(*h));
	/* a thread that was forked has no record before its fork: came is -1 until that */
	assert_true(t->came >= 0);
	assert_true(h->retval > t->came);
	t->came = h->retval;
	if (h->start_ns)
		threads[h->start_ns].came = 0;
	taken++;
	return 0;
}

/* The thread goes on by one step. */
static void step(uint32_t i)
{
	struct thread *t = &threads[i];
	uint32_t child = 1 + draw(THREADS - 1);

	now += draw(3);
	switch (t->step) {
	case IDLE:
		t->ring = (int)draw(2);
		t->h = (struct ev_head){ .size = sizeof(t->h), .boot_ns = now, .tid = i, .retval = ++t->made };
		if (t->ring && !threads[child].alive)
			t->h.start_ns = child;
		t->step = TIMED;
		break;
	case TIMED:
		now++; /* the clock moves on between the time and what follows the hook */
		if (!reserve(t->ring, sizeof(t->h), &t->pos)) {
			lost++;
			t->step = IDLE;
			break;
		}
		put(t->ring, t->pos + BPF_RINGBUF_HDR_SZ, &t->h, sizeof(t->h));
		t->step = RESERVED;
		break;
	case RESERVED:
		put_len(t->ring, t->pos, sizeof(t->h));
		now++;
		if (t->h.start_ns && !threads[t->h.start_ns].alive)
			threads[t->h.start_ns].alive = true;
		t->step = IDLE;
		break;
	}
}

static void causes_come_before_effects(void **state)
{
	for (unsigned int round = 0; round < 200; round++) {
		struct ring *r = open_rings();

		seed = round;
		memset(threads, 0, sizeof(threads));
		for (int i = 1; i < THREADS; i++)
			threads[i].came = -1;
		threads[0].alive = true;
		for (int i = 0; i < 5000; i++) {
			uint32_t t = draw(THREADS);

			if (threads[t].alive)
				step(t);
			if (draw(8 + 2 * round) == 0)
				assert_true(ring_drain(r, check_order, NULL, 1 + draw(20)) >= 0);
		}
		ring_close(r);
	}
	/* that it was a test */
	assert_true(taken > 50000);
	assert_true(lost > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_older_goes_first),
		cmocka_unit_test(what_is_too_young_or_unfinished_waits),
		cmocka_unit_test(what_is_never_finished_is_passed_over_and_counted),
		cmocka_unit_test(a_drain_can_be_stopped),
		cmocka_unit_test(a_short_record_is_handed_on),
		cmocka_unit_test(causes_come_before_effects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
