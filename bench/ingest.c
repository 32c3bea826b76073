/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a record costs in user space, stage by stage: nanoseconds, the least of several rounds. No privilege needed.
 *
 *	build/bench/ingest [ROUNDS]
 */
#include "bench/one_event.h"
#include "sensor/ingest/queue.h"

#define N 20000 /* records a round */

static struct queue *queue;
static struct buf out;

static void do_exit(uint32_t pid)
{
	head(EV_EXIT, pid);
	feed();
}

static void run_queue(void)
{
	size_t size;

	for (int i = 0; i < N; i++)
		must(queue_push(queue, open_rec, open_size));
	while (queue_front(queue, &size))
		queue_pop(queue);
}

static void run_decode(void)
{
	for (int i = 0; i < N; i++)
		must(decode_record(decoder, open_rec, open_size, &dec));
}

static void run_enrich(void)
{
	for (int i = 0; i < N; i++)
		enrich_event(enrich, &dec);
}

static struct alert *alert;

static void run_alert(void)
{
	size_t gap;

	for (int i = 0; i < N; i++) {
		buf_reset(&out);
		must(alert_render(alert, &dec.ev, 0, NULL, &out, &gap));
	}
}

static void run_life(void)
{
	static uint32_t pid = 100;

	for (int i = 0; i < N; i++, pid++) {
		do_fork(7, pid);
		do_exec(pid, 7);
		do_exit(pid);
		now += 1000000;
	}
}

static void measure(const char *what, void (*run)(void), int rounds)
{
	double best = 1e18;

	for (int i = 0; i < rounds; i++) {
		double start = clock_ns(), took;

		run();
		took = clock_ns() - start;
		best = took < best ? took : best;
	}
	printf("%-42s %8.0f ns\n", what, best / N);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 20;
	struct alert_options ao = { .hostname = "bench-host" };
	struct alert *cached, *uncached;

	one_event_setup();
	must(queue_new(QUEUE_DEFAULT, &queue));
	ao.table = enrich_proctable(enrich);
	must(alert_new(&ao, &program, &cached));
	ao.table = NULL;
	must(alert_new(&ao, &program, &uncached));
	buf_init(&out, ALERT_MAX);
	measure("queue: push and pop", run_queue, rounds);
	measure("decode an open", run_decode, rounds);
	measure("enrich an open", run_enrich, rounds);
	alert = cached;
	measure("alert, process text kept", run_alert, rounds);
	printf("%-42s %8zu bytes\n", "", out.len);
	alert = uncached;
	measure("alert, everything rendered", run_alert, rounds);
	measure("fork, exec and exit, made and handled", run_life, rounds);
	return 0;
}
