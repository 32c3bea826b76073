/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The n-th allocation fails, for every n: from record to alert nothing breaks, and once there is memory again, all goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>

#include "sensor/enrich/alert.h"
#include "sensor/enrich/enrich.h"
#include "sensor/ingest/queue.h"
#include "tests/unit/nomem.h"
#include "tests/unit/rec.h"

static struct rec rec;
static struct decoded dec;
static struct program program;
static struct decode *decoder;
static struct enrich *enrich;
static struct alert *alert;
static struct queue *queue;
static struct buf out;
static int rendered;

static void send(enum ev_type type, uint32_t pid, uint32_t of, const char *path, uint64_t ns)
{
	size_t size, gap;
	const void *p;

	rec_begin(&rec, type);
	rec.head.pid = rec.head.tid = pid;
	rec.head.start_ns = pid;
	rec.head.boot_ns = ns;
	if (type == EV_OPEN)
		rec_str(&rec, EVS_OPEN_FILE_PATH, path);
	if (type == EV_EXEC || type == EV_FORK) {
		rec.num[rec.proc + EVN_PROC_PID] = rec.num[rec.proc + EVN_PROC_CREATED_AT] = of;
		rec_proc_str(&rec, EVS_PROC_FILE_PATH, path);
		rec_proc_str(&rec, EVS_PROC_CGROUP_ID, "/a.slice");
	}
	p = rec_end(&rec, &size);
	if (queue_push(queue, p, size) < 0)
		return;
	queue_pop(queue);
	if (decode_record(decoder, p, size, &dec) != 1)
		return;
	enrich_event(enrich, &dec);
	buf_reset(&out);
	rendered += alert_render(alert, &dec.ev, 0, NULL, &out, &gap) == 0;
}

static void send_args(uint32_t pid, uint64_t ns)
{
	static const char block[] = "x\0-a\0--b=c\0d e\0HOME=/";
	const struct ev_head of = { .boot_ns = ns, .tid = pid, .start_ns = pid };
	size_t size;
	const void *p = rec_args(&rec, &of, block, 0, sizeof(block), 16, sizeof(block) - 16, &size);

	decode_record(decoder, p, size, &dec);
}

#define RECORDS 8

static void records(uint64_t ns)
{
	send(EV_OPEN, 1, 0, "/x", ns);
	send_args(1, ns + 1);
	send(EV_EXEC, 1, 1, "/sbin/init", ns + 1);
	send(EV_FORK, 1, 2, "", ns + 2);
	send(EV_OPEN, 2, 0, "/y", ns + 3);
	send_args(2, ns + 4);
	send(EV_EXEC, 2, 2, "/bin/b", ns + 4);
	send(EV_EXIT, 2, 0, "", ns + 5);
	send(EV_OPEN, 1, 0, "/z", ns + 10000000000);
	send(EV_OPEN, 1, 0, "/z", ns + 20000000000);
}

static int begin(void)
{
	const struct enrich_options eo = { .hostname = "h", .origin = "ebpf", .etc_path = "/etc" };
	struct alert_options ao = { .hostname = "h" };
	int r = queue_new(QUEUE_DEFAULT, &queue);

	if (r == 0)
		r = decode_new(catalog_tamis(), &decoder);
	if (r == 0)
		r = enrich_new(&eo, &enrich);
	if (r == 0) {
		ao.table = enrich_proctable(enrich);
		r = alert_new(&ao, &program, &alert);
	}
	return r;
}

static void end(void)
{
	alert_free(alert);
	enrich_free(enrich);
	decode_free(decoder);
	queue_free(queue);
	buf_done(&out);
	alert = NULL;
	enrich = NULL;
	decoder = NULL;
	queue = NULL;
}

static void every_allocation_fails_once(void **state)
{
	struct program_builder *b;
	struct prule rule = { .event = EV_OPEN };
	bool last = false;

	(void)state;
	assert_int_equal(program_builder_new(catalog_tamis(), &b), 0);
	rule.root = (uint32_t)program_node(b, N_BOOL, 0, 0, 0, 1);
	assert_true(program_rule_add(b, &rule, NULL, 0) >= 0);
	program = program_view(b);
	for (long n = 1; !last; n++) {
		int r;

		nomem_begin(n);
		buf_init(&out, ALERT_MAX);
		r = begin();
		if (r == 0)
			records(1000);
		last = !nomem_end();
		if (r < 0) {
			assert_int_equal(r, -ENOMEM);
		} else {
			rendered = 0;
			records(50000000000);
			assert_int_equal(rendered, RECORDS);
		}
		end();
		assert_true(n < 10000);
	}
	program_builder_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_allocation_fails_once) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
