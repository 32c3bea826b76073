/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "sensor/record/auditlog.h"
#include "sensor/spool/deliver.h"
#include "sensor/spool/news.h"

#define SECOND 1000000000ull

/* ---- a log in a directory of its own ------------------------------------------------------------------------------- */

struct place {
	char dir[64];
	int log_fd, spool_fd;
	struct auditlog *log;
};

static void make(const struct place *p, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static int enter(const struct place *p, const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void place_open(struct place *p, uint64_t segment_bytes, uint64_t keep)
{
	const struct auditlog_options o = { .segment_bytes = segment_bytes, .host = "h", .keep_bytes = keep };
	char log[96], keys[96];
	struct err e = { "" };

	snprintf(log, sizeof(log), "%s/log", p->dir);
	snprintf(keys, sizeof(keys), "%s/keys", p->dir);
	assert_int_equal(auditlog_open(log, keys, &o, &p->log, &e), 0);
}

static void place_begin(struct place *p, uint64_t segment_bytes, uint64_t keep)
{
	snprintf(p->dir, sizeof(p->dir), "/tmp/test-spool.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	make(p, "log");
	make(p, "spool");
	place_open(p, segment_bytes, keep);
	p->log_fd = enter(p, "log");
	p->spool_fd = enter(p, "spool");
}

static void place_end(struct place *p)
{
	char command[96];

	auditlog_close(p->log, NULL);
	close(p->log_fd);
	close(p->spool_fd);
	snprintf(command, sizeof(command), "rm -rf %s", p->dir);
	assert_int_equal(system(command), 0);
}

static uint64_t alert(struct place *p, const char *rule, const char *severity)
{
	char before[512];
	static const char after[] = "\"time\":\"2026-11-20T12:00:00.000000001Z\",\"v\":1}";
	struct auditlog_alert a = { before, 0, after, sizeof(after) - 1 };
	struct err e = { "" };
	uint64_t seq;

	a.before_len =
		(size_t)snprintf(before, sizeof(before),
				 "{\"event\":{\"type\":\"open\"},\"host\":\"h\",\"kind\":\"alert\",\"open\":{\"file\":{"
				 "\"path\":\"/x\"}},\"rule\":{\"id\":\"%s\",\"severity\":\"%s\"},",
				 rule, severity);
	assert_int_equal(auditlog_append(p->log, &a, &seq, &e), 0);
	assert_int_equal(auditlog_flush(p->log, &e), 0);
	return seq;
}

/* ---- a collector that does as it is told ---------------------------------------------------------------------------- */

static struct collector {
	uint64_t seq[4096];
	uint32_t flags[4096];
	char last[4096];
	size_t n, room;	 /* takes so many more, then fails */
	bool down, lies; /* lies: takes them, and says that it did not */
	int refuses;	 /* the seq that it will never take */
	int opened;
} col;

static int col_open(const struct tamis_sink_env *env, void **ret, struct tamis_sink_error *e)
{
	col.opened++;
	*ret = &col;
	snprintf(e->text, sizeof(e->text), "down");
	return col.down ? -ECONNREFUSED : 0;
}

static int col_send(void *sink, const struct tamis_sink_message *m, size_t n, struct tamis_sink_result *ret,
		    struct tamis_sink_error *e)
{
	for (size_t i = 0; i < n; i++) {
		if (col.refuses && m[i].seq == (uint64_t)col.refuses)
			return snprintf(e->text, sizeof(e->text), "not this one"), -EBADMSG;
		if (!col.room)
			return snprintf(e->text, sizeof(e->text), "full"), -ENOSPC;
		col.room--;
		col.seq[col.n] = m[i].seq;
		col.flags[col.n++] = m[i].flags;
		assert_int_equal(strlen(m[i].text), m[i].len);
		snprintf(col.last, sizeof(col.last), "%s", m[i].text);
		ret->handed = i + 1;
		ret->taken = col.lies ? 0 : i + 1;
	}
	return col.lies ? -EIO : 0;
}

static void col_close(void *sink)
{
}

static const struct tamis_sink_module fake = { TAMIS_SINK_ABI, col_open, col_send, col_close };

static struct sink_conf conf_of(const char *text)
{
	struct sink_conf c;
	struct err e = { "" };
	int r = sinkconf_parse("s", "s.conf", text, strlen(text), &c, &e);

	if (r < 0)
		fail_msg("%s", e.msg);
	return c;
}

struct run {
	struct deliver d;
	struct sink_conf conf;
	struct page_slot slot;
	struct deliver_clock now;
};

static struct run *run_begin(struct place *p, const char *settings, struct page_slot *slot)
{
	struct run *r = calloc(1, sizeof(*r));
	struct err e = { "" };

	r->conf = conf_of(settings);
	r->now = (struct deliver_clock){ 100 * SECOND, 1795262400ull * SECOND };
	if (deliver_begin(&r->d, &r->conf, &fake, slot ? slot : &r->slot, "h", p->log_fd, p->spool_fd, &e) < 0)
		fail_msg("%s", e.msg);
	return r;
}

static void run_steps(struct run *r, int n)
{
	for (int i = 0; i < n; i++) {
		deliver_step(&r->d, &r->now);
		r->now.mono_ns += 2 * SECOND;
		r->now.real_ns += 2 * SECOND;
	}
}

static void run_end(struct run *r, bool killed)
{
	if (killed) {
		/* as the kernel would: nothing is written */
		close(r->d.cursor.fd);
		r->d.cursor.fd = -1;
	}
	deliver_end(&r->d);
	sink_conf_done(&r->conf);
	free(r);
}

static void begin(struct place *p, uint64_t segment_bytes)
{
	col = (struct collector){ .room = 4096 };
	place_begin(p, segment_bytes, 0);
}

/* The number of the last one. */
static uint64_t alerts(struct place *p, int n)
{
	uint64_t last = 0;

	for (int i = 0; i < n; i++)
		last = alert(p, "r", "high");
	return last;
}

#define PLAIN "type=unix\npath=/x\nfrom=start\nrate=0\n"

static void all_of_the_log_arrives_in_order(void **state)
{
	struct place p;
	struct run *r;
	uint64_t last = 0;

	begin(&p, 2000); /* many segments */
	alerts(&p, 50);
	r = run_begin(&p, PLAIN, NULL);
	run_steps(r, 3);
	last = alert(&p, "r", "high");
	run_steps(r, 3);
	assert_int_equal(col.n, last);
	for (uint64_t i = 0; i < last; i++) {
		assert_int_equal(col.seq[i], i + 1);
		assert_int_equal(col.flags[i], 0);
	}
	assert_int_equal(r->d.counts.sent, last);
	assert_int_equal(r->d.counts.oldest_ns, 0);
	run_end(r, false);
	/* and from where it was, after an end that was one */
	r = run_begin(&p, PLAIN, NULL);
	run_steps(r, 3);
	assert_int_equal(col.n, last);
	run_end(r, false);
	place_end(&p);
}

static void a_new_sink_begins_now(void **state)
{
	struct place p;
	struct run *r;
	uint64_t seq;

	begin(&p, 0);
	alert(&p, "r", "high");
	r = run_begin(&p, "type=unix\npath=/x\n", NULL);
	run_steps(r, 3);
	assert_int_equal(col.n, 0);
	seq = alert(&p, "r", "high");
	run_steps(r, 3);
	assert_int_equal(col.n, 1);
	assert_int_equal(col.seq[0], seq);
	run_end(r, false);
	place_end(&p);
}

static void what_is_not_wanted_is_passed_over(void **state)
{
	struct place p;
	struct run *r;

	begin(&p, 0);
	alert(&p, "r", "low");
	alert(&p, "r", "high");
	r = run_begin(&p, PLAIN "kinds=alert\nseverity=medium\n", NULL);
	run_steps(r, 3);
	assert_int_equal(col.n, 1);
	assert_int_equal(r->d.counts.seq, r->d.counts.head);
	run_end(r, false);
	place_end(&p);
}

static void what_may_have_arrived_is_marked_and_nothing_else(void **state)
{
	struct place p;
	struct run *r;

	begin(&p, 0);
	alerts(&p, 9);
	col.room = 4;
	r = run_begin(&p, PLAIN, NULL);
	run_steps(r, 2);
	assert_int_equal(r->d.counts.state, SINK_RETRYING);
	assert_string_equal(r->d.counts.error, "full");
	col.room = 100;
	r->now.mono_ns += 100 * SECOND;
	run_steps(r, 3);
	for (size_t i = 0; i < col.n; i++) {
		assert_int_equal(col.seq[i], i + 1);
		assert_int_equal(col.flags[i], 0);
	}
	assert_int_equal(r->d.counts.failing_ns, 0);
	/* taken, and not said so */
	col.lies = true;
	alert(&p, "r", "high");
	run_steps(r, 1);
	col.lies = false;
	r->now.mono_ns += 100 * SECOND;
	run_steps(r, 2);
	assert_int_equal(col.seq[col.n - 1], col.seq[col.n - 2]);
	assert_int_equal(col.flags[col.n - 2], 0);
	assert_int_equal(col.flags[col.n - 1], TAMIS_SINK_DUPLICATE);
	assert_non_null(strstr(col.last, "\"delivery\":{\"duplicate\":true,"));
	run_end(r, false);
	place_end(&p);
}

/* Killed behind the send and in front of the cursor: all of that comes again and says so, whether or not the page lives. */
static void a_killed_sink_goes_on_without_a_gap(void **state)
{
	for (int page_lives = 0; page_lives < 2; page_lives++) {
		struct page_slot slot = { .name = "s" };
		struct place p;
		struct run *r;
		uint64_t last = 0;

		begin(&p, 0);
		last = alerts(&p, 5);
		r = run_begin(&p, PLAIN, &slot);
		col.lies = true;
		deliver_step(&r->d, &r->now);
		col.lies = false;
		assert_int_equal(col.n, last);
		run_end(r, true);
		if (!page_lives)
			slot = (struct page_slot){ .name = "s" };
		else
			assert_int_equal(slot.slot[slot.commits & 1].inflight, 1);
		r = run_begin(&p, PLAIN, &slot);
		run_steps(r, 2);
		assert_int_equal(col.n, 2 * last);
		for (size_t i = last; i < 2 * last; i++) {
			assert_int_equal(col.seq[i], i - last + 1);
			assert_int_equal(col.flags[i], TAMIS_SINK_DUPLICATE);
		}
		run_end(r, false);
		place_end(&p);
	}
}

static void a_message_that_is_refused_holds_up_nobody(void **state)
{
	struct place p;
	struct run *r;
	uint64_t last = 0;

	begin(&p, 0);
	last = alerts(&p, 5);
	col.refuses = 3;
	r = run_begin(&p, PLAIN, NULL);
	for (int i = 0; i < 12; i++) {
		r->now.mono_ns += 100 * SECOND;
		run_steps(r, 1);
	}
	assert_int_equal(r->d.counts.refused, 1);
	assert_int_equal(col.n, last - 1);
	assert_int_equal(r->d.counts.retried, DELIVER_REFUSALS);
	run_end(r, false);
	place_end(&p);
}

static void identical_alerts_are_folded_over_a_crash_too(void **state)
{
	struct place p;
	struct run *r;
	uint64_t other;

	begin(&p, 0);
	alerts(&p, 6);
	other = alert(&p, "q", "high");
	r = run_begin(&p, PLAIN "kinds=alert\nfold=60\nfold.q=0\n", NULL);
	/* the alerts' time is long ago by this clock: so look at the records alone */
	r->now.real_ns = 0;
	run_steps(r, 1);
	assert_int_equal(col.n, 2);
	assert_int_equal(col.seq[1], other);
	run_end(r, true);
	r = run_begin(&p, PLAIN "kinds=alert\nfold=60\nfold.q=0\n", NULL);
	run_steps(r, 2);
	assert_int_equal(col.n, 3);
	assert_true(col.flags[2] & TAMIS_SINK_SUMMARY);
	assert_non_null(strstr(col.last,
			       "\"folded\":{\"count\":5,\"first\":\"2026-11-20T12:00:00.000000001Z\",\"first_seq\":"));
	assert_int_equal(r->d.counts.folded, 5);
	run_end(r, false);
	place_end(&p);
}

/* Memory that is in use on the heap. */
static size_t in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* A collector that is down for an hour of the clock that the sink is told, while alerts go on: it is asked once a minute at most, memory
 * stays as it was, the status says since when and why, and then all of it arrives, in order. */
static void a_collector_that_is_down_for_an_hour(void **state)
{
	const uint64_t hour = 3600 * SECOND;
	struct place p;
	struct run *r;
	uint64_t last = 0, begun, due;
	size_t before = 0, most = 0;

	begin(&p, 20000);
	r = run_begin(&p, PLAIN "retry-max=60\n", NULL);
	run_steps(r, 3);
	r->d.module->close(r->d.sink);
	r->d.sink = NULL;
	col.down = true;
	col.opened = 0;
	begun = r->now.mono_ns;
	for (due = begun; r->now.mono_ns - begun < hour;) {
		/* an alert every four seconds */
		if (r->now.mono_ns >= due) {
			last = alert(&p, "r", "high");
			due += 4 * SECOND;
		}
		assert_true(deliver_step(&r->d, &r->now) >= 0);
		r->now.mono_ns += SECOND;
		r->now.real_ns += SECOND;
		if (r->now.mono_ns - begun == 60 * SECOND)
			before = in_use();
		most = in_use() > most ? in_use() : most;
	}
	assert_true(last > 900);
	/* with 1, 2, 4 ... 60 s between, each half to one and a half of it */
	assert_in_range(col.opened, 40, 150);
	assert_true(most < before + (512u << 10));
	assert_int_equal(r->d.counts.state, SINK_RETRYING);
	assert_string_equal(r->d.counts.error, "down");
	assert_in_range((r->now.real_ns - r->d.counts.failing_ns) / SECOND, 3590, 3601);
	assert_int_equal(r->d.counts.head - r->d.counts.seq, last - col.n);
	col.down = false;
	run_steps(r, 80);
	assert_int_equal(col.n, last);
	for (uint64_t i = 0; i < last; i++)
		assert_int_equal(col.seq[i], i + 1);
	assert_int_equal(r->d.counts.failing_ns, 0);
	run_end(r, false);
	place_end(&p);
}

static void a_slow_rate_is_kept(void **state)
{
	struct place p;
	struct run *r;

	begin(&p, 0);
	alerts(&p, 40);
	r = run_begin(&p, "type=unix\npath=/x\nfrom=start\nrate=10\n", NULL);
	for (int i = 0; i < 100; i++) {
		deliver_step(&r->d, &r->now);
		r->now.mono_ns += SECOND / 100;
	}
	assert_in_range(col.n, 10, 20);
	run_end(r, true);
	place_end(&p);
}

static void what_was_pruned_is_counted(void **state)
{
	struct place p;
	struct run *r;
	char name[128];

	begin(&p, 1000);
	alerts(&p, 20);
	for (int i = 1; i < 4; i++) {
		snprintf(name, sizeof(name), "%s/log/%08d.jsonl", p.dir, i);
		assert_int_equal(unlink(name), 0);
	}
	r = run_begin(&p, PLAIN, NULL);
	run_steps(r, 3);
	assert_true(col.n > 5);
	/* a sink that was never there missed nothing; one that was says what it missed */
	assert_int_equal(r->d.counts.missed, 0);
	run_end(r, false);
	place_end(&p);
}

static void a_log_that_was_put_back_is_told(void **state)
{
	struct place p, q;
	struct run *r;
	uint64_t n;

	begin(&p, 0);
	place_begin(&q, 0, 0);
	alerts(&p, 20);
	r = run_begin(&p, PLAIN, NULL);
	run_steps(r, 2);
	run_end(r, false);
	n = col.n;
	alert(&q, "r", "high");
	close(q.spool_fd);
	q.spool_fd = p.spool_fd;
	r = run_begin(&q, PLAIN, NULL);
	run_steps(r, 20);
	assert_non_null(strstr(r->d.counts.error, "put back or replaced"));
	assert_true(col.n > n);
	assert_int_equal(col.flags[n], TAMIS_SINK_DUPLICATE);
	run_end(r, false);
	q.spool_fd = dup(p.spool_fd);
	place_end(&q);
	place_end(&p);
}

static void a_test_disturbs_nothing(void **state)
{
	struct page_slot slot = { .name = "s" };
	struct place p;
	struct run *r;

	begin(&p, 0);
	r = run_begin(&p, PLAIN, &slot);
	run_steps(r, 2);
	page_store(&slot.tests_wanted, 1);
	run_steps(r, 1);
	assert_int_equal(r->d.counts.tests, 1);
	assert_int_equal(r->d.counts.test_bad, 0);
	assert_int_equal(col.flags[col.n - 1], TAMIS_SINK_TEST);
	col.down = true;
	col.room = 0;
	page_store(&slot.tests_wanted, 2);
	run_steps(r, 1);
	assert_int_equal(r->d.counts.test_bad, 1);
	run_end(r, false);
	place_end(&p);
}

/* ---- the cursor ---------------------------------------------------------------------------------------------------- */

static void a_cursor_survives_a_torn_write(void **state)
{
	char dir[] = "/tmp/test-cursor.XXXXXX";
	struct cursor_state *s = calloc(1, sizeof(*s)), *back = calloc(1, sizeof(*back));
	struct err e = { "" };
	struct cursor c;
	int dir_fd, fd;

	assert_non_null(mkdtemp(dir));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(cursor_open(dir_fd, "a", 0, &c, s, &e), 0);
	assert_true(s->fresh);
	s->fresh = false;
	for (uint64_t i = 1; i <= 9; i++) {
		s->at = (struct logpos){ i, 2 * i, 3 * i, UINT64_MAX - i };
		s->fold.n = i * 20;
		for (size_t k = 0; k < s->fold.n; k++)
			s->fold.e[k] = (struct fold_entry){ .end_ns = UINT64_MAX, .count = UINT64_MAX, .last = s->at };
		assert_int_equal(cursor_save(&c, s, &e), 0);
	}
	/* nobody else has it */
	assert_int_equal(cursor_open(dir_fd, "a", 20, &(struct cursor){ 0 }, back, &e), -EWOULDBLOCK);
	cursor_close(&c);
	/* the newest is in the second place, since nine is odd: tear it */
	fd = openat(dir_fd, "a.cursor", O_RDWR);
	assert_int_equal(pwrite(fd, "x", 1, CURSOR_PLACE + 200), 1);
	assert_int_equal(cursor_open(dir_fd, "a", 0, &c, back, &e), 0);
	assert_int_equal(back->at.segment, 8);
	assert_int_equal(back->at.seq, UINT64_MAX - 8);
	assert_int_equal(back->fold.n, 160);
	assert_int_equal(back->fold.e[159].last.offset, 16);
	cursor_close(&c);
	/* both: that is said, and nothing is guessed */
	assert_int_equal(pwrite(fd, "x", 1, 200), 1);
	assert_int_equal(cursor_open(dir_fd, "a", 0, &c, back, &e), -EBADMSG);
	assert_non_null(strstr(e.msg, "remove it"));
	close(fd);
	unlinkat(dir_fd, "a.cursor", 0);
	close(dir_fd);
	rmdir(dir);
	free(s);
	free(back);
}

/* ---- settings ------------------------------------------------------------------------------------------------------ */

static void mistakes_are_named_with_their_line(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "s.conf:1: a sink needs `type = ...`" },
		{ "path=/x\n", "s.conf:1: the first setting must be `type = ...`" },
		{ "type=fiel\n", "s.conf:1: type is one of: file unix" },
		{ "type=file\n", "needs `path = ...`" },
		{ "type=file\n\n# x\npath=x\n", "s.conf:4: path wants a path that begins with /" },
		{ "type=file\npaht=/x\n", "s.conf:2: a sink of type file has no setting 'paht': did you mean 'path'?" },
		{ "type=file\npath=/x\npath=/y\n", "s.conf:3: path is given twice" },
		{ "type=file\npath=/x\nkinds=alert los\n", "s.conf:3: there is no kind 'los'" },
		{ "type=file\npath=/x\nseverity=huge\n", "s.conf:3: severity is one of" },
		{ "type=file\npath=/x\nformat=xml\n", "s.conf:3: format is one of" },
		{ "type=file\npath=/x\nrate=-1\n", "s.conf:3: rate wants a number" },
		{ "type=file\npath=/x\ntimeout=0\n", "s.conf:3: timeout wants a number from 1" },
		{ "type=file\npath=/x\nmax-bytes=1T\n", "s.conf:3: max-bytes wants a number of bytes" },
		{ "type=file\npath=/x\nfold.=3\n", "s.conf:3: fold. wants the id of a rule" },
		{ "type=file\npath\n", "s.conf:2: 'path' is no `setting = value`" },
		{ "type=file\npath=\n", "s.conf:2: path has no value" },
		{ "type=syslog\nhost=h\ncert=/c\n", "cert needs its private key" },
		{ "type=syslog\nhost=h\ntls=maybe\n", "s.conf:3: tls wants yes or no" },
		{ "type=syslog\nhost=h\nframing=x\n", "s.conf:3: framing is one of: counted lines" },
	};
	struct sink_conf c;
	struct err e;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(sinkconf_parse("s", "s.conf", cases[i].text, strlen(cases[i].text), &c, &e), -EINVAL);
		if (!strstr(e.msg, cases[i].says))
			fail_msg("'%s' is said as: %s", cases[i].text, e.msg);
	}
	assert_int_equal(sinkconf_parse("a/b", "a/b.conf", "type=file", 9, &c, &e), -EINVAL);
	assert_int_equal(sinkconf_parse("s", "s.conf", "a\0b", 3, &c, &e), -EINVAL);
}

static void chat_is_for_people(void **state)
{
	struct sink_conf c = conf_of("type=webhook\nurl=https://h/x\nfold.noisy = 600\n");

	assert_true(sinkconf_wants(&c, "alert"));
	assert_false(sinkconf_wants(&c, "heartbeat"));
	assert_int_equal(sinkconf_fold(&c, "any"), 60);
	assert_int_equal(sinkconf_fold(&c, "noisy"), 600);
	assert_string_equal(sinkconf_get(&c, "url"), "https://h/x");
	assert_string_equal(sinkconf_get(&c, "template"), "");
	sink_conf_done(&c);
	c = conf_of("type=file\npath=/x\n");
	assert_true(sinkconf_wants(&c, "heartbeat"));
	assert_true(sinkconf_wants(&c, "a kind to come"));
	assert_int_equal(sinkconf_fold(&c, "any"), 0);
	sink_conf_done(&c);
}

static void news_wake_who_waits(void **state)
{
	struct news *n = news_map();
	struct timespec begin, end;
	pid_t pid;
	int status;

	assert_non_null(n);
	/* nothing is told: the time passes */
	clock_gettime(CLOCK_MONOTONIC, &begin);
	news_wait(n, news_number(n), 20);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true((end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec - begin.tv_nsec >= 20000000);
	pid = fork();
	if (pid == 0) {
		alarm(60); /* a wait that is not ended is 5 minutes */
		news_protect(n);
		while (news_number(n) < 2)
			news_wait(n, news_number(n), 300000);
		_exit(0);
	}
	news_tell(n);
	usleep(20000);
	news_tell(n);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* what was told before the wait began ends it */
	news_wait(n, 1, 300000);
	news_tell(NULL);
	news_unmap(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_the_log_arrives_in_order),
		cmocka_unit_test(a_new_sink_begins_now),
		cmocka_unit_test(what_is_not_wanted_is_passed_over),
		cmocka_unit_test(what_may_have_arrived_is_marked_and_nothing_else),
		cmocka_unit_test(a_killed_sink_goes_on_without_a_gap),
		cmocka_unit_test(a_message_that_is_refused_holds_up_nobody),
		cmocka_unit_test(identical_alerts_are_folded_over_a_crash_too),
		cmocka_unit_test(a_collector_that_is_down_for_an_hour),
		cmocka_unit_test(a_slow_rate_is_kept),
		cmocka_unit_test(what_was_pruned_is_counted),
		cmocka_unit_test(a_log_that_was_put_back_is_told),
		cmocka_unit_test(a_test_disturbs_nothing),
		cmocka_unit_test(a_cursor_survives_a_torn_write),
		cmocka_unit_test(mistakes_are_named_with_their_line),
		cmocka_unit_test(chat_is_for_people),
		cmocka_unit_test(news_wake_who_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
