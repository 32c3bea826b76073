/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a record costs in user space, stage by stage: nanoseconds, the least of several rounds. No privilege needed.
 *
 *	build/bench/ingest [ROUNDS]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sensor/enrich/alert.h"
#include "sensor/enrich/enrich.h"
#include "sensor/ingest/queue.h"
#include "tests/unit/rec.h"

#define N 20000 /* records a round */

static struct rec rec;
static struct decode *decoder;
static struct enrich *enrich;
static struct queue *queue;
static struct program_builder *builder;
static struct program program;
static struct decoded dec;
static struct buf out;
static uint64_t now = 1000;
static unsigned char open_rec[4096];
static size_t open_size;

static void must(int r)
{
	if (r < 0) {
		fprintf(stderr, "ingest: error %d\n", r);
		exit(1);
	}
}

static double clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void feed(void)
{
	size_t size;
	const void *p = rec_end(&rec, &size);

	must(decode_record(decoder, p, size, &dec));
	enrich_event(enrich, &dec);
}

static void head(enum ev_type type, uint32_t pid)
{
	rec_begin(&rec, type);
	rec.head.pid = rec.head.tid = pid;
	rec.head.start_ns = pid;
	rec.head.boot_ns = now += 100;
}

static void proc_rows(uint32_t pid, uint32_t ppid)
{
	rec.num[rec.proc + EVN_PROC_PID] = rec.num[rec.proc + EVN_PROC_TID] = pid;
	rec.num[rec.proc + EVN_PROC_PPID] = ppid;
	rec.num[rec.proc + EVN_PROC_CREATED_AT] = pid;
}

static void do_fork(uint32_t parent, uint32_t child)
{
	head(EV_FORK, parent);
	proc_rows(child, parent);
	feed();
}

static void do_exec(uint32_t pid, uint32_t ppid)
{
	static const char block[] =
		"/usr/bin/python3\0-m\0http.server\0--bind\0"
		"127.0.0.1\0"
		"8080\0LANG=C.UTF-8\0HOME=/root\0"
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\0TERM=xterm\0SHELL=/bin/bash\0"
		"SSH_CONNECTION=10.0.0.1 5 10.0.0.2 22\0USER=root\0LOGNAME=root\0PWD=/root\0SHLVL=1";
	size_t size;
	const void *p;

	p = rec_args(&rec, pid, now + 100, block, 0, sizeof(block), 54, sizeof(block) - 54, &size);
	must(decode_record(decoder, p, size, &dec));
	head(EV_EXEC, pid);
	proc_rows(pid, ppid);
	rec_proc_str(&rec, EVS_PROC_FILE_PATH, "/usr/bin/python3.11");
	rec_proc_str(&rec, EVS_PROC_COMM, "python3");
	rec_proc_str(&rec, EVS_PROC_TTY_NAME, "pts0");
	rec_proc_str(&rec, EVS_PROC_CGROUP_ID, "/user.slice/user-0.slice/session-3.scope");
	feed();
}

static void do_exit(uint32_t pid)
{
	head(EV_EXIT, pid);
	feed();
}

/* Six processes above the one that acts. */
static void setup(void)
{
	const struct enrich_options eo = { .hostname = "bench-host", .origin = "ebpf", .etc_path = "/etc" };
	struct prule r = { .event = EV_OPEN };
	uint32_t tag[2];
	const void *p;

	must(decode_new(catalog_tamis(), &decoder));
	decode_clock(decoder, decode_clock_now());
	must(enrich_new(&eo, &enrich));
	must(queue_new(QUEUE_DEFAULT, &queue));
	must(program_builder_new(catalog_tamis(), &builder));
	r.root = (uint32_t)program_node(builder, N_BOOL, 0, 0, 0, 1);
	r.id = (uint32_t)program_str_add(builder, "shadow_read", 11);
	r.description = (uint32_t)program_str_add(builder, "The password file was read", 26);
	tag[0] = (uint32_t)program_str_add(builder, "technique", 9);
	tag[1] = (uint32_t)program_str_add(builder, "T1003.008", 9);
	must((int)program_rule_add(builder, &r, tag, 1));
	program = program_view(builder);
	for (uint32_t pid = 1; pid < 8; pid++) {
		if (pid > 1)
			do_fork(pid - 1, pid);
		do_exec(pid, pid - 1);
	}
	head(EV_OPEN, 7);
	rec.num[EVN_OPEN_FLAGS] = O_RDONLY;
	rec.num[EVN_OPEN_FILE_INODE] = 1234567;
	rec.num[EVN_OPEN_FILE_MODE] = 0100640;
	rec.num[EVN_OPEN_FILE_MTIME] = rec.num[EVN_OPEN_FILE_CTIME] = 1700000000123456789;
	rec_str(&rec, EVS_OPEN_FILE_PATH, "/etc/shadow");
	rec_str(&rec, EVS_OPEN_FILE_FILESYSTEM, "ext4");
	p = rec_end(&rec, &open_size);
	memcpy(open_rec, p, open_size);
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

	setup();
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
