/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_BENCH_ONE_EVENT_H
#define TAMIS_BENCH_ONE_EVENT_H

/*
 * An open that matches a rule, by a process with six ancestors, as bytes from the ring; and the tables that evaluate it. For one
 * program of bench/, which includes it.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sensor/enrich/alert.h"
#include "sensor/enrich/enrich.h"
#include "tests/unit/rec.h"

static struct rec rec;
static struct decode *decoder;
static struct enrich *enrich;
static struct program_builder *builder;
static struct program program;
static struct decoded dec;
static uint64_t now = 1000;
static unsigned char open_rec[4096];
static size_t open_size;

static void must(int r)
{
	if (r < 0) {
		fprintf(stderr, "bench: error %d\n", r);
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
	const struct ev_head of = { .boot_ns = now, .tid = pid, .start_ns = pid };
	size_t size;
	const void *p;

	p = rec_args(&rec, &of, block, 0, sizeof(block), 54, sizeof(block) - 54, &size);
	must(decode_record(decoder, p, size, &dec));
	head(EV_EXEC, pid);
	proc_rows(pid, ppid);
	rec_proc_str(&rec, EVS_PROC_FILE_PATH, "/usr/bin/python3.11");
	rec_proc_str(&rec, EVS_PROC_COMM, "python3");
	rec_proc_str(&rec, EVS_PROC_TTY_NAME, "pts0");
	rec_proc_str(&rec, EVS_PROC_CGROUP_ID, "/user.slice/user-0.slice/session-3.scope");
	feed();
}

/* Six processes above the one that acts. */
static void one_event_setup(void)
{
	const struct enrich_options eo = { .hostname = "bench-host", .origin = "ebpf", .etc_path = "/etc" };
	struct prule r = { .event = EV_OPEN };
	uint32_t tag[2];
	const void *p;

	must(decode_new(catalog_tamis(), &decoder));
	decode_clock(decoder, decode_clock_now());
	must(enrich_new(&eo, &enrich));
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

#endif
