/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture of what a decoder and an enrichment did, replayed: the same events, with the same processes, arguments and
 * names. Then the same capture cut off, damaged, and read too slowly. Captures that begin before they are asked for, and those
 * that rules ask for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/event_json.h"
#include "sensor/enrich/looks.h"
#include "sensor/enrich/playback.h"
#include "sensor/priv/past.h"
#include "sensor/priv/snap.h"
#include "sensor/priv/tap.h"
#include "tests/unit/rec.h"

#define SECOND 1000000000ull

static struct decode *decoder;
static struct enrich *enrich;
static struct event_json *json;
static struct tap tap;
static struct past past;
static struct snap snap;
static bool snapping, matches; /* there is a rule that captures; it holds for the next record */
static struct caprate rate;
static struct alert_action acted; /* what it says of that */
static struct paction captures = { .kind = ACT_CAPTURE };
static struct chan reader; /* tamisctl's end */
static struct rec rec;
static struct decoded dec;
static struct buf live, replayed, file;
static uint64_t now;
static _Alignas(8) uint8_t message[MSG_BYTES_MAX];

/* ---- the sensor ---------------------------------------------------------------------------------------------------- */

/* "ebpf" is not shown, "replay" is: so that there is no difference, this sensor says so, too. */
static void sensor_begin(const char *proc, const char *etc)
{
	const struct enrich_options o = { .hostname = "h", .origin = "replay", .proc_path = proc, .etc_path = etc };

	now = looks_boot_ns();
	assert_int_equal(decode_new(catalog_tamis(), &decoder), 0);
	assert_int_equal(enrich_new(&o, &enrich), 0);
	assert_int_equal(event_json_new(catalog_tamis(), &json), 0);
	decode_clock(decoder, decode_clock_now());
	tap_init(&tap);
	buf_init(&live, 64u << 20);
	buf_init(&replayed, 64u << 20);
	buf_init(&file, 64u << 20);
}

static void sensor_end(void)
{
	past_end(&past);
	if (snapping) {
		snap_abort(&snap);
		past_end(&snap.past);
	}
	snapping = false;
	event_json_free(json);
	enrich_free(enrich);
	decode_free(decoder);
	buf_done(&live);
	buf_done(&replayed);
	buf_done(&file);
	chan_close(&reader);
}

static void show(const struct event *ev, struct buf *to)
{
	event_json_write(json, ev, to);
	buf_putc(to, '\n');
	assert_int_equal(buf_error(to), 0);
}

/* As the engine process does. */
static void handle(const void *p, size_t size)
{
	if (decode_record(decoder, p, size, &dec) == 1) {
		enrich_event(enrich, &dec);
		show(&dec.ev, &live);
		if (matches) {
			struct snap_match m = { .action = &captures, .rule = "r/../x", .rule_len = 6, .rate = &rate };

			m.policy = "p";
			m.policy_len = 1;
			m.bundle = "00ff";
			m.time_ns = dec.ev.now_ns;
			acted = (struct alert_action){ .state = ALERT_ACTION_ASKED };
			snap_match(&snap, &m, &acted);
			matches = false;
		}
	}
	tap_record(&tap, p, size, true);
	past_record(&past, p, size);
	if (snapping)
		snap_record(&snap, p, size, true);
}

static void send(void)
{
	size_t size;
	const void *p = rec_end(&rec, &size);

	handle(p, size);
}

static void tick(void)
{
	int64_t clock = decode_clock_now();

	decode_clock(decoder, clock);
	enrich_tick(enrich);
	tap_tick(&tap, clock, proctable_now(enrich_proctable(enrich)), 0);
	past_tick(&past, clock, proctable_now(enrich_proctable(enrich)));
	if (snapping)
		snap_tick(&snap, clock, proctable_now(enrich_proctable(enrich)), 0);
}

static int capture_begin(uint64_t events, uint64_t bytes)
{
	struct msg_capture_to to = { .what = { .events = events, .bytes = bytes }, .policy = "p", .sha256 = "00" };
	const struct tap_source s = {
		.decode = decoder, .enrich = enrich, .hostname = "h", .past = past_is_on(&past) ? &past : NULL
	};
	struct chan pair[2];

	assert_int_equal(chan_pair(ROLE_ENGINE, ROLE_CTL, pair), 0);
	reader = pair[1];
	if (!s.past)
		buf_reset(&live);
	return tap_begin(&tap, pair[0].fd, &to, &s);
}

/* What tamisctl does; true when the engine closed its end. */
static bool take(void)
{
	struct msg m;
	int r;

	while ((r = chan_recv(&reader, message, &m)) == 1) {
		assert_int_equal(m.type, MSG_CAPTURE_DATA);
		assert_int_equal(buf_put(&file, m.body, m.len), 0);
	}
	return r < 0;
}

static void capture_finish(void)
{
	assert_int_equal(chan_send(&reader, MSG_CAPTURE_STOP, NULL, 0, -1), 0);
	tap_serve(&tap, message, enrich);
	while (!tap_send(&tap, enrich))
		take();
	assert_true(take());
	assert_int_equal(tap.state, TAP_OFF);
}

/* ---- the replay ---------------------------------------------------------------------------------------------------- */

static int play(const void *p, size_t size, struct playback_stats *ret, bool *ret_whole)
{
	struct playback *b;
	struct err e = { "" };
	struct decoded d;
	int r = playback_open_mem(p, size, &b, &e);

	buf_reset(&replayed);
	*ret_whole = false;
	if (r < 0) {
		assert_true(e.msg[0]);
		return r;
	}
	while ((r = playback_next(b, &d, &e)) == 1)
		show(&d.ev, &replayed);
	assert_true(r == 0 || e.msg[0]);
	*ret_whole = playback_end(b);
	playback_stats(b, ret);
	playback_free(b);
	return r;
}

static void replay_is_the_same(void)
{
	struct playback_stats s;
	bool end;

	assert_int_equal(play(file.data, file.len, &s, &end), 0);
	assert_true(end);
	assert_string_equal(buf_cstr(&replayed), buf_cstr(&live));
	assert_true(live.len > 0);
	assert_int_equal(s.malformed, 0);
	for (int i = 0; i < CAPTURE_LOST_PLACES; i++)
		assert_int_equal(s.lost[i], 0);
}

/* ---- what happens -------------------------------------------------------------------------------------------------- */

static uint64_t born[64]; /* how often a process of that pid has begun; others: once */

static uint64_t start_of(uint32_t pid)
{
	return 500 * pid + (pid < 64 ? born[pid] * 100000 : 0);
}

static void head(enum ev_type type, uint32_t pid)
{
	rec_begin(&rec, type);
	rec.head.pid = rec.head.tid = pid;
	rec.head.start_ns = start_of(pid);
	rec.head.boot_ns = now += 1000;
}

static void do_fork(uint32_t parent, uint32_t child)
{
	head(EV_FORK, parent);
	rec.num[rec.proc + EVN_PROC_PID] = rec.num[rec.proc + EVN_PROC_TID] = child;
	rec.num[rec.proc + EVN_PROC_PPID] = parent;
	rec.num[rec.proc + EVN_PROC_CREATED_AT] = start_of(child);
	send();
}

static void put_args(uint32_t pid, const char *block, uint32_t argv, uint32_t envp, uint32_t off, uint32_t len)
{
	const struct ev_head of = { .boot_ns = now, .tid = pid, .start_ns = start_of(pid) };
	size_t size;
	const void *p = rec_args(&rec, &of, block, off, len, argv, envp, &size);

	handle(p, size);
}

/* Its arguments came before, at this time. */
static void exec_record(uint32_t pid, const char *path)
{
	head(EV_EXEC, pid);
	now -= 1000;
	rec.head.boot_ns = now;
	rec.num[rec.proc + EVN_PROC_PID] = rec.num[rec.proc + EVN_PROC_TID] = pid;
	rec.num[rec.proc + EVN_PROC_CREATED_AT] = start_of(pid);
	rec_proc_str(&rec, EVS_PROC_FILE_PATH, path);
	rec_proc_str(&rec, EVS_PROC_COMM, strrchr(path, '/') + 1);
	rec_proc_str(&rec, EVS_PROC_CGROUP_ID,
		     "/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
	send();
	now += 1000;
}

static void do_exec(uint32_t pid, const char *path, const char *block, uint32_t argv, uint32_t envp)
{
	put_args(pid, block, argv, envp, 0, argv + envp);
	exec_record(pid, path);
}

static void do_open(uint32_t pid, uint32_t uid)
{
	head(EV_OPEN, pid);
	rec.head.uid = rec.head.euid = uid;
	rec_str(&rec, EVS_OPEN_FILE_PATH, "/etc/shadow");
	send();
}

static void do_exit(uint32_t pid)
{
	head(EV_EXIT, pid);
	send();
}

static const char sh[] = "sh\0-c\0cat  two words\0\0A=b\0LD_PRELOAD=/x\0";
#define SH_ARGV 21
#define SH_ENVP 18

/* Before the capture: a tree with living and dead, an exec on an exec, one whose arguments are half here. */
static void before(void)
{
	do_fork(1, 10);
	do_exec(10, "/bin/sh", sh, SH_ARGV, SH_ENVP);
	do_fork(10, 11);
	do_exec(11, "/bin/env", "env\0cat\0", 8, 0);
	do_exec(11, "/bin/cat", "cat\0\0", 5, 0); /* an empty argument */
	do_fork(11, 12);
	do_fork(12, 13);
	put_args(13, "x\0cut", 20, 0, 0, 5); /* the kernel side had no more */
	exec_record(13, "/bin/x");
	do_exit(12); /* dead, with a child */
	do_fork(10, 14);
	do_exit(14); /* dead, without */
	now += 1000;
	put_args(13, "late\0arg\0", 9, 0, 0, 5);
}

static void after(void)
{
	put_args(13, "late\0arg\0", 9, 0, 5, 4);
	exec_record(13, "/bin/late");
	do_open(13, 0);
	do_open(14, 0); /* told late: it is dead already */
	do_open(11, 0);
	do_open(11, 65534); /* other credentials */
	do_open(99, 0);	    /* nobody knows it */
	do_exit(11);
	tick();
	do_fork(13, 15);
	do_open(15, 0);
	now += 10 * SECOND; /* the dead are buried */
	do_open(15, 0);
	do_exit(13);
	do_open(15, 0);
	tick();
	do_open(15, 0);
}

/* The corpus of fuzz_capture is made of this one: see tests/fuzz/seed_capture.c. */
static void keep(const char *path)
{
	FILE *f = path ? fopen(path, "w") : NULL;

	if (!f)
		return;
	fwrite(file.data, 1, file.len, f);
	fclose(f);
}

static void a_replay_sees_what_the_sensor_saw(void **state)
{
	sensor_begin(NULL, NULL);
	before();
	assert_int_equal(capture_begin(0, 0), 0);
	after();
	capture_finish();
	replay_is_the_same();
	assert_non_null(strstr(buf_cstr(&replayed), "late"));
	assert_non_null(strstr(buf_cstr(&replayed), "LD_PRELOAD=/x"));
	keep(*state);
	sensor_end();
}

/* What was read from /proc and /etc is in the capture; the replay looks at neither. */
static void what_proc_said_is_said_again(void **state)
{
	struct enrich_stats s;

	(void)state;
	sensor_begin("/proc", "/etc");
	assert_int_equal(enrich_seed(enrich), 0);
	before();
	assert_int_equal(capture_begin(0, 0), 0);
	/* processes that run and that no record told of; one is known from the start, one is looked up with its arguments */
	head(EV_OPEN, (uint32_t)getpid());
	rec.head.start_ns = 0;
	send();
	head(EV_EXEC, (uint32_t)getppid());
	rec.head.start_ns = 0;
	rec.num[rec.proc + EVN_PROC_PID] = (ev_u64)getppid();
	rec_proc_str(&rec, EVS_PROC_FILE_PATH, "/bin/parent");
	send();
	enrich_stats(enrich, &s);
	assert_int_equal(s.table.late_args, 1);
	do_open((uint32_t)getpid(), 0);
	after();
	capture_finish();
	replay_is_the_same();
	assert_non_null(strstr(buf_cstr(&replayed), "\"user\":\"root\""));
	sensor_end();
}

/* A table of /proc that knows nothing yet: each process is looked up when it does something. */
static void late_looks_are_told(void **state)
{
	struct enrich_stats s;

	(void)state;
	sensor_begin("/proc", "/etc");
	assert_int_equal(capture_begin(0, 0), 0);
	head(EV_OPEN, (uint32_t)getpid());
	rec.head.start_ns = 0;
	send();
	enrich_stats(enrich, &s);
	assert_int_equal(s.table.late, 1);
	do_open(4000000, 0); /* none has that pid */
	tick();		     /* which is noticed */
	do_open(4000000, 0);
	capture_finish();
	replay_is_the_same();
	assert_non_null(strstr(buf_cstr(&replayed), "test_tap"));
	sensor_end();
}

/* ---- hostile captures ---------------------------------------------------------------------------------------------- */

static void small_capture(void)
{
	sensor_begin(NULL, NULL);
	do_fork(1, 10);
	do_exec(10, "/bin/sh", sh, SH_ARGV, SH_ENVP);
	assert_int_equal(capture_begin(0, 0), 0);
	do_open(10, 0);
	tick();
	do_open(10, 0);
	capture_finish();
}

/* Whether the replay has what the sensor had, as far as it goes. */
static bool is_beginning(void)
{
	return replayed.len <= live.len && (!replayed.len || memcmp(replayed.data, live.data, replayed.len) == 0);
}

static void cut_off_at_every_byte(void **state)
{
	struct playback_stats s;
	bool end;

	(void)state;
	small_capture();
	for (size_t n = 0; n < file.len; n++) {
		uint8_t *copy = malloc(n ? n : 1);

		memcpy(copy, file.data, n);
		play(copy, n, &s, &end);
		free(copy);
		assert_false(end);
		assert_true(is_beginning());
	}
	sensor_end();
}

static void any_bit_flipped(void **state)
{
	struct playback_stats s;
	bool end;

	(void)state;
	small_capture();
	for (size_t bit = 0; bit < 8 * file.len; bit += 3) {
		file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_true(play(file.data, file.len, &s, &end) < 0 || !end);
		assert_true(is_beginning());
		file.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	sensor_end();
}

/* ---- bounds -------------------------------------------------------------------------------------------------------- */

static void as_many_events_as_asked_for(void **state)
{
	struct playback_stats s;
	bool end;

	(void)state;
	sensor_begin(NULL, NULL);
	assert_int_equal(capture_begin(5, 0), 0);
	for (int i = 0; i < 50; i++)
		do_open(10, 0);
	while (!tap_send(&tap, enrich))
		take();
	assert_true(take());
	assert_int_equal(play(file.data, file.len, &s, &end), 0);
	assert_true(end);
	assert_int_equal(s.events, 5);
	sensor_end();
}

static void as_many_bytes_as_asked_for(void **state)
{
	struct playback_stats s;
	bool end;

	(void)state;
	sensor_begin(NULL, NULL);
	assert_int_equal(capture_begin(0, 20000), 0);
	for (int i = 0; i < 500; i++)
		do_open(10, 0);
	while (!tap_send(&tap, enrich))
		take();
	assert_true(take());
	assert_true(file.len <= 20000 && file.len > 15000);
	assert_int_equal(play(file.data, file.len, &s, &end), 0);
	assert_true(end && s.events > 10);
	sensor_end();
}

/* Nobody reads for a while: the sensor goes on, and the capture says how many records it lacks. */
static void a_slow_reader_loses(void **state)
{
	const uint64_t n = 100000;
	struct playback_stats s;
	bool end;

	(void)state;
	sensor_begin(NULL, NULL);
	assert_int_equal(capture_begin(0, 0), 0);
	for (uint64_t i = 0; i < n; i++) {
		do_open(10, 0);
		tap_send(&tap, enrich);
		buf_reset(&live);
		assert_true(tap.writer.text.len <= TAP_AHEAD + (1u << 20));
	}
	take();
	tap_send(&tap, enrich);
	do_open(10, 0);
	capture_finish();
	assert_int_equal(play(file.data, file.len, &s, &end), 0);
	assert_true(end);
	assert_true(s.lost[CAPTURE_LOST_CAPTURE] > 0 && s.events > 0);
	assert_int_equal(s.events + s.lost[CAPTURE_LOST_CAPTURE], n + 1);
	sensor_end();
}

static void the_reader_is_gone(void **state)
{
	(void)state;
	sensor_begin(NULL, NULL);
	assert_int_equal(capture_begin(0, 0), 0);
	do_open(10, 0);
	chan_close(&reader);
	tap_serve(&tap, message, enrich);
	assert_true(tap_send(&tap, enrich));
	assert_int_equal(tap.state, TAP_OFF);
	do_open(10, 0);
	assert_int_equal(capture_begin(0, 0), 0); /* the next may come */
	assert_int_equal(tap_begin(&tap, dup(0), &(struct msg_capture_to){ .policy = "" }, &(struct tap_source){ 0 }),
			 -EBUSY);
	capture_finish();
	sensor_end();
}

/* ---- captures that begin before they are asked for ------------------------------------------------------------------- */

/* Processes come, execute, do things and go. */
static void commotion(unsigned int seed, int n)
{
	srand(seed);
	for (int i = 0; i < n; i++) {
		uint32_t pid = 20 + (uint32_t)rand() % 40;

		switch (rand() % 9) {
		case 0:
			do_exit(pid);
			born[pid]++;
			do_fork(20 + (pid - 19 + (uint32_t)rand() % 39) % 40, pid); /* from another */
			break;
		case 1:
			do_exec(pid, "/bin/sh", sh, SH_ARGV, SH_ENVP);
			break;
		case 2:
			do_exec(pid, "/bin/cat", "cat\0\0", 5, 0);
			break;
		case 3:
			put_args(pid, "x\0cut", 20, 0, 0, 5); /* an exec of which the rest comes later, or never */
			break;
		case 4:
			do_exit(pid);
			break;
		case 5:
			now += (uint64_t)(rand() % 300) * 10000000;
			if (rand() % 2)
				tick();
			break;
		default:
			do_open(pid, (uint32_t)rand() % 3);
		}
	}
}

/* The replay has the end of what the sensor had, from some event on. Returns how many bytes of it. */
static size_t replay_is_the_end(void)
{
	struct playback_stats s;
	bool end;

	assert_int_equal(play(file.data, file.len, &s, &end), 0);
	assert_true(end && replayed.len > 0 && replayed.len <= live.len);
	assert_memory_equal(live.data + live.len - replayed.len, replayed.data, replayed.len);
	assert_true(replayed.len == live.len || live.data[live.len - replayed.len - 1] == '\n');
	assert_int_equal(s.malformed, 0);
	return replayed.len;
}

static void a_capture_has_what_was_before(void **state)
{
	static const size_t sizes[] = { 16 << 10, 64 << 10, 300 << 10, PAST_BYTES };
	static const uint64_t depths[] = { SECOND, 30 * SECOND, 100000 * SECOND };

	(void)state;
	for (unsigned int seed = 0; seed < 24; seed++) {
		const size_t size = sizes[seed % 4];
		const uint64_t depth = depths[seed % 3];
		size_t n;

		sensor_begin(seed % 2 ? "/proc" : NULL, NULL);
		before();
		assert_int_equal(past_begin(&past, decoder, enrich, NULL, depth, size), 0);
		buf_reset(&live);
		commotion(seed, 1500);
		assert_true(past.used <= past.size && past_depth(&past) <= depth + 4 * SECOND);
		assert_int_equal(capture_begin(0, 0), 0);
		if (seed % 2)
			past_end(&past); /* the capture goes on without */
		commotion(seed + 100, 50);
		after();
		capture_finish();
		n = replay_is_the_end();
		if (depth > 1000 * SECOND && size == PAST_BYTES)
			assert_int_equal(n, live.len);
		else
			assert_true(n < live.len);
		sensor_end();
	}
}

/* What /proc said of a process goes with the record that it was asked for. */
static void a_look_stays_with_its_record(void **state)
{
	(void)state;
	for (int n = 0; n < 12; n++) {
		sensor_begin("/proc", "/etc");
		assert_int_equal(past_begin(&past, decoder, enrich, NULL, 1000 * SECOND, 16 << 10), 0);
		buf_reset(&live);
		do_open(10, 0);
		head(EV_OPEN, (uint32_t)getpid());
		rec.head.start_ns = 0;
		send();
		for (int i = 0; i < 8 * n; i++)
			do_open(10 + (uint32_t)i, 0);
		assert_int_equal(capture_begin(0, 0), 0);
		head(EV_OPEN, (uint32_t)getpid());
		rec.head.start_ns = 0;
		send();
		capture_finish();
		replay_is_the_end();
		assert_non_null(strstr(buf_cstr(&replayed), "test_tap"));
		sensor_end();
	}
}

/* ---- captures that rules ask for ------------------------------------------------------------------------------------- */

static struct chan to_record; /* the engine's end; the test has the other, as reader */
static struct engine_counts counts;
static int begun, ended;
static struct msg_snap_end last_end;

static void snaps_begin(uint64_t max_bytes, uint32_t before_ms)
{
	const struct snap_world w = {
		.decode = decoder, .enrich = enrich, .hostname = "h", .record = &to_record, .counts = &counts
	};
	struct chan pair[2];

	assert_int_equal(chan_pair(ROLE_ENGINE, ROLE_RECORD, pair), 0);
	to_record = pair[0];
	reader = pair[1];
	counts = (struct engine_counts){ 0 };
	rate = (struct caprate){ 0 };
	begun = ended = 0;
	snap_init(&snap, &w, max_bytes);
	assert_int_equal(snap_arm(&snap, true, before_ms), 0);
	snapping = true;
	buf_reset(&live);
}

/* What the record process gets. */
static void snaps_take(void)
{
	struct msg m;

	for (int i = 0; i < 1000; i++) {
		snap_send(&snap);
		while (chan_recv(&reader, message, &m) == 1) {
			if (m.type == MSG_SNAP) {
				begun++;
				buf_reset(&file);
			} else if (m.type == MSG_SNAP_END) {
				ended++;
				memcpy(&last_end, m.body, sizeof(last_end));
			} else {
				assert_int_equal(m.type, MSG_CAPTURE_DATA);
				buf_put(&file, m.body, m.len);
			}
		}
	}
}

static void matched(uint32_t pid)
{
	matches = true;
	do_open(pid, 0);
}

static void snaps_end(void)
{
	sensor_end();
	chan_close(&to_record);
}

static void a_rule_captures(void **state)
{
	struct playback *b;
	struct err e;

	(void)state;
	sensor_begin(NULL, NULL);
	before();
	captures.num = paction_capture(5000, 2000);
	snaps_begin(16 << 20, 5000);
	commotion(1, 20);
	matched(13);
	assert_int_equal(acted.state, ALERT_ACTION_ASKED);
	assert_int_equal(acted.request, 1);
	assert_non_null(acted.file);
	assert_true(capname_is(acted.file));
	assert_non_null(strstr(acted.file, "Z-r_.._x-1.cap"));
	now += SECOND;
	matched(13); /* puts the end off, to three seconds from the beginning */
	assert_int_equal(acted.state, ALERT_ACTION_ASKED);
	assert_int_equal(acted.request, 1);
	now += SECOND + SECOND / 2;
	do_open(10, 0);
	snaps_take();
	assert_int_equal(begun * 10 + ended, 10);
	now += SECOND;
	do_open(10, 0); /* too late */
	snaps_take();
	assert_int_equal(begun * 10 + ended, 11);
	assert_int_equal(last_end.matches, 2);
	assert_int_equal(last_end.why, CAPTURE_ASKED);
	assert_int_equal(counts.captures_asked * 10 + counts.captures_shared, 21);
	/* all but the last */
	buf_truncate(&live, live.len - 1);
	buf_truncate(&live, (size_t)((uint8_t *)memrchr(live.data, '\n', live.len) - live.data) + 1);
	replay_is_the_end();
	assert_int_equal(playback_open_mem(file.data, file.len, &b, &e), 0);
	assert_string_equal(playback_meta(b)->policy, "p");
	assert_string_equal(playback_meta(b)->policy_sha256, "00ff");
	playback_free(b);
	snaps_end();
}

static void how_many_a_rule_may(void **state)
{
	int asked = 0;

	(void)state;
	sensor_begin(NULL, NULL);
	captures.num = paction_capture(1000, 0);
	snaps_begin(16 << 20, 1000);
	for (int i = 0; i < 30; i++) {
		matched(13);
		asked += acted.state == ALERT_ACTION_ASKED;
		assert_true(acted.state == ALERT_ACTION_ASKED ? !!acted.file : !acted.file);
		now += SECOND / 10;
		do_open(10, 0);
		snaps_take();
		assert_int_equal(ended, asked);
	}
	assert_int_equal(asked, CAPLIMIT_RULE);
	assert_int_equal(acted.state, ALERT_ACTION_LIMITED);
	assert_int_equal(counts.captures_limited, 30 - CAPLIMIT_RULE);
	now += 61 * SECOND;
	tick();
	matched(13);
	assert_int_equal(acted.state, ALERT_ACTION_ASKED);
	snaps_end();
}

/* However often a rule holds, a capture has an end; so it has where it is as large as it may be. */
static void every_capture_ends(void **state)
{
	(void)state;
	sensor_begin(NULL, NULL);
	captures.num = paction_capture(0, 300000);
	snaps_begin(16 << 20, 0);
	for (int i = 0; i < 11 && !ended; i++) {
		matched(13);
		now += 100 * SECOND;
		tick();
		do_open(13, 0);
		snaps_take();
	}
	assert_int_equal(ended, 1);
	assert_int_equal(last_end.matches, CAPLIMIT_SECONDS / 100);
	snaps_end();

	sensor_begin(NULL, NULL);
	snaps_begin(256 << 10, 0);
	matched(13);
	for (int i = 0; i < 2000; i++)
		do_open(13, 0);
	snaps_take();
	assert_int_equal(ended, 1);
	assert_int_equal(last_end.why, CAPTURE_BYTES);
	assert_true(file.len <= 256 << 10);
	snaps_end();

	/* no room for the match beside what is known of the processes; nobody who would write; one who does not take it */
	sensor_begin(NULL, NULL);
	snaps_begin(4 << 10, 0);
	matched(13);
	assert_int_equal(acted.state, ALERT_ACTION_FAILED);
	assert_int_equal(counts.captures_failed, 1);
	snap.max_bytes = 16 << 20;
	matched(13);
	assert_int_equal(acted.state, ALERT_ACTION_ASKED);
	snap_abort(&snap);
	assert_int_equal(counts.captures_failed, 2);
	assert_int_equal(snap.tap.state, TAP_OFF);
	chan_close(&to_record);
	matched(13);
	assert_int_equal(acted.state, ALERT_ACTION_BUSY);
	snaps_end();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(a_replay_sees_what_the_sensor_saw, argc > 1 ? argv[1] : NULL),
		cmocka_unit_test(what_proc_said_is_said_again),
		cmocka_unit_test(late_looks_are_told),
		cmocka_unit_test(cut_off_at_every_byte),
		cmocka_unit_test(any_bit_flipped),
		cmocka_unit_test(as_many_events_as_asked_for),
		cmocka_unit_test(as_many_bytes_as_asked_for),
		cmocka_unit_test(a_slow_reader_loses),
		cmocka_unit_test(the_reader_is_gone),
		cmocka_unit_test(a_capture_has_what_was_before),
		cmocka_unit_test(a_look_stays_with_its_record),
		cmocka_unit_test(a_rule_captures),
		cmocka_unit_test(how_many_a_rule_may),
		cmocka_unit_test(every_capture_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
