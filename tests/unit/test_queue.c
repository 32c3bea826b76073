/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "sensor/ingest/queue.h"
#include "tamis/event.h"

static unsigned char bytes[EV_REC_MAX];

static void push(struct queue *q, uint64_t n, size_t size)
{
	memset(bytes, (int)(n & 0xff), size);
	memcpy(bytes, &n, sizeof(n));
	assert_int_equal(queue_push(q, bytes, size), 0);
}

static void pop(struct queue *q, uint64_t n, size_t size)
{
	size_t got;
	const unsigned char *p = queue_front(q, &got);
	uint64_t number;

	assert_non_null(p);
	assert_int_equal((uintptr_t)p % 8, 0);
	assert_int_equal(got, size);
	memcpy(&number, p, sizeof(number));
	assert_int_equal(number, n);
	assert_int_equal(p[size - 1], size > 8 ? (n & 0xff) : p[size - 1]);
	queue_pop(q);
}

static size_t size_of(uint64_t n)
{
	return 8 + n * 37 % (n % 50 == 0 ? EV_REC_MAX - 8 : 600);
}

static void first_in_first_out(void **state)
{
	struct queue_stats s;
	struct queue *q;
	uint64_t in = 0, out = 0;
	size_t size;

	(void)state;
	assert_int_equal(queue_new(QUEUE_DEFAULT, &q), 0);
	assert_null(queue_front(q, &size));
	queue_pop(q);
	srand(2);
	while (in < 50000) {
		for (int n = rand() % 1000; n > 0; n--, in++)
			push(q, in, size_of(in));
		for (int n = rand() % 1000; n > 0 && out < in; n--, out++)
			pop(q, out, size_of(out));
	}
	for (; out < in; out++)
		pop(q, out, size_of(out));
	assert_null(queue_front(q, &size));
	queue_stats(q, &s);
	assert_int_equal(s.records, 0);
	assert_int_equal(s.bytes, 0);
	assert_int_equal(s.pushed, in);
	assert_int_equal(s.refused, 0);
	assert_true(s.peak_bytes > 0 && s.peak_bytes <= QUEUE_DEFAULT);
	queue_free(q);
}

static void bounded(void **state)
{
	struct queue_stats s;
	struct queue *q;
	uint64_t n = 0;

	(void)state;
	assert_int_equal(queue_new(QUEUE_MIN - 1, &q), -EINVAL);
	assert_int_equal(queue_new(1 << 20, &q), 0);
	assert_int_equal(queue_push(q, bytes, EV_REC_MAX + 1), -EMSGSIZE);
	while (queue_has_room(q))
		push(q, n++, EV_REC_MAX);
	assert_true(n * EV_REC_MAX > (1 << 20) * 8 / 10);
	assert_int_equal(queue_push(q, bytes, EV_REC_MAX), -ENOBUFS);
	queue_stats(q, &s);
	assert_int_equal(s.refused, 1);
	assert_int_equal(s.records, n);
	assert_int_equal(s.bytes, 1 << 20);

	for (uint64_t i = 0; i < n; i++)
		pop(q, i, EV_REC_MAX);
	assert_true(queue_has_room(q));
	push(q, 7, 100);
	pop(q, 7, 100);
	queue_free(q);
}

static void freed_while_full(void **state)
{
	struct queue *q;

	(void)state;
	assert_int_equal(queue_new(QUEUE_DEFAULT, &q), 0);
	for (uint64_t n = 0; n < 200000; n++)
		push(q, n, 232);
	assert_true(queue_has_room(q));
	queue_free(q);
	queue_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_in_first_out),
		cmocka_unit_test(bounded),
		cmocka_unit_test(freed_while_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
