/* SPDX-License-Identifier: Apache-2.0 */

/* The signed log: what is promised in docs/log-format.md and sensor/record/{auditlog,verify,prove}.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/b64.h"
#include "lib/cleanup.h"
#include "lib/jsonw.h"
#include "sensor/record/auditlog.h"
#include "sensor/record/epoch.h"
#include "sensor/record/prove.h"
#include "sensor/record/prune.h"
#include "sensor/record/verify.h"
#include "tests/unit/sanitized.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- a log in a directory of its own ---- */

#define EACH (SANITIZED ? 7 : 1) /* of so many bytes or steps, where all are tried */

struct place {
	char root[64], dir[80], keys[80], pub[100];
};

static void place_new(struct place *p)
{
	/* in memory where that is possible: these tests sync some ten thousand times */
	snprintf(p->root, sizeof(p->root), "%s/tamis-test-log-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(p->root));
	snprintf(p->dir, sizeof(p->dir), "%s/log", p->root);
	snprintf(p->keys, sizeof(p->keys), "%s/keys", p->root);
	snprintf(p->pub, sizeof(p->pub), "%s/log.pub.pem", p->keys);
}

static int place_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static void place_remove(struct place *p)
{
	nftw(p->root, place_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct auditlog *place_open(const struct place *p, const struct auditlog_options *o)
{
	struct auditlog *log = NULL;
	struct err e = { "" };

	if (auditlog_open(p->dir, p->keys, o, &log, &e) < 0)
		fail_msg("auditlog_open: %s", e.msg);
	return log;
}

static uint64_t append(struct auditlog *log, const char *what)
{
	struct auditlog_alert a = { .after = "\"time\":\"2026-11-20T12:00:00.000000000Z\",\"v\":1}" };
	struct err e = { "" };
	char before[256];
	uint64_t seq = 0;

	a.before_len = (size_t)snprintf(before, sizeof(before),
					"{\"event\":{\"type\":\"%s\"},\"host\":\"h\",\"kind\":\"alert\",", what);
	a.before = before;
	a.after_len = strlen(a.after);
	if (auditlog_append(log, &a, &seq, &e) < 0)
		fail_msg("auditlog_append: %s", e.msg);
	return seq;
}

static void flush(struct auditlog *log)
{
	struct err e = { "" };

	if (auditlog_flush(log, &e) < 0)
		fail_msg("auditlog_flush: %s", e.msg);
}

/* ---- another verifier ---- */

#define OTHER_EACH 2 /* how often it is asked about damage of one kind; it is slow */

static bool other_missing; /* there is no python3 or no openssl */
static int other_asked;

/* Kinds of damage by the words that name them. */
static bool other_wants(const struct verify_report *rep)
{
	static struct {
		char words[80];
		int n;
	} kinds[64];
	char words[80], *to = words;
	size_t i = 0;

	if (!rep->ok)
		*to++ = rep->file[strlen(rep->file) - 1];
	for (const char *c = rep->ok ? "" : rep->problem; *c && to < words + sizeof(words) - 1; c++)
		if (*c < '0' || *c > '9')
			*to++ = *c;
	*to = '\0';
	while (i < 63 && kinds[i].n && strcmp(kinds[i].words, words))
		i++;
	memcpy(kinds[i].words, words, sizeof(words));
	return kinds[i].n++ < (rep->ok ? 20 : OTHER_EACH);
}

/* tools/log-verify, which shares no code with the verifier here, has the same verdict. */
static void other_agrees(const struct place *p, const struct verify_report *rep)
{
	char command[400], place[400];
	int status;

	if (other_missing || !other_wants(rep))
		return;
	snprintf(command, sizeof(command), "tools/log-verify %s %s >/dev/null 2>%s/verdict", p->dir, p->pub, p->root);
	status = system(command);
	other_asked++;
	if (WIFEXITED(status) && WEXITSTATUS(status) == !rep->ok)
		return;
	verify_place(rep, place, sizeof(place));
	snprintf(command, sizeof(command), "cat %s/verdict >&2", p->root);
	if (system(command) == 0)
		fail_msg("tools/log-verify has another verdict (status %#x) than: %s", status,
			 rep->ok ? "good" : place);
}

static void the_other_verifier_agreed(void **state)
{
	if (other_missing)
		skip();
	/* the tests before this one have shown it damage of every kind */
	assert_true(other_asked > 40);
}

/* Verifies; in a file name's place in rep->problem goes the whole line. */
static bool place_verify(const struct place *p, struct verify_report *rep)
{
	const struct verify_options o = { .wait_ms = 1 };
	struct sig_key *key = NULL;
	struct err e = { "" };

	if (sig_load_public(p->pub, &key, &e) < 0 || verify_log(p->dir, key, &o, rep, &e) < 0)
		fail_msg("verify: %s", e.msg);
	sig_key_free(key);
	other_agrees(p, rep);
	return rep->ok;
}

static void assert_verifies(const struct place *p, struct verify_report *rep)
{
	char line[400];

	if (place_verify(p, rep))
		return;
	verify_place(rep, line, sizeof(line));
	fail_msg("%s", line);
}

/* ---- files ---- */

static void file_read(const struct place *p, const char *name, struct buf *ret)
{
	_cleanup_close_ int fd = open(p->dir, O_RDONLY | O_DIRECTORY);

	buf_init(ret, 1 << 24);
	assert_int_equal(recio_read(fd, name, ret), 0);
}

static void file_write(const struct place *p, const char *name, const void *data, size_t n)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, n, f), n);
	fclose(f);
}

static bool file_holds(const struct place *p, const char *name, const char *text)
{
	struct buf b;
	bool found;

	file_read(p, name, &b);
	found = memmem(b.data, b.len, text, strlen(text));
	buf_done(&b);
	return found;
}

/* Offset of line i (from 0) in a file; the end behind the last line. */
static size_t line_at(const struct buf *b, size_t i)
{
	struct rd r = rd_of(b->data, b->len);
	struct line_str text;

	while (i-- && segment_line(&r, &text))
		;
	return b->len - r.left;
}

/* ---- plain working ---- */

static void a_log_is_written_and_verified(void **state)
{
	struct verify_report rep;
	struct auditlog *log;
	struct place p;

	place_new(&p);
	log = place_open(&p, NULL);
	/* segment is 1, start is 2 */
	assert_int_equal(append(log, "open"), 3);
	assert_int_equal(append(log, "exec"), 4);
	assert_int_equal(auditlog_pending(log), 2);
	flush(log);
	assert_int_equal(auditlog_pending(log), 0);
	assert_int_equal(auditlog_close(log, NULL), 0);
	assert_verifies(&p, &rep);
	assert_int_equal(rep.records, 5);
	assert_int_equal(rep.last_seq, 5);
	assert_int_equal(rep.checkpoints, 3);
	place_remove(&p);
}

/* Larger than what one thread looks at in one go, so that lines lie across the borders; one is longer than that by itself. */
static void a_log_of_many_pieces_is_verified(void **state)
{
	static const size_t flipped[] = { 10, 262143, 262144, 1000000, 2900000 };
	struct auditlog_options o = { .segment_bytes = 2u << 20 };
	struct auditlog_alert a = { .after = "\"time\":\"2026-11-20T12:00:00.000000000Z\",\"v\":1}" };
	static char before[LINE_MAX_BYTES];
	struct verify_report rep;
	struct auditlog *log;
	uint32_t length = 1;
	struct place p;
	struct buf b;

	place_new(&p);
	log = place_open(&p, &o);
	a.before = before;
	a.after_len = strlen(a.after);
	for (int i = 0; i < 1500; i++) {
		length = length * 1103515245 + 12345;
		a.before_len = (size_t)sprintf(before, "{\"a\":\"%0*d\",\"host\":\"h\",\"kind\":\"alert\",",
					       i == 700 ? 900000 : (int)(length >> 16 & 4095), i);
		assert_int_equal(auditlog_append(log, &a, NULL, NULL), 0);
		if (i % 100 == 0)
			flush(log);
	}
	auditlog_close(log, NULL);
	assert_verifies(&p, &rep);
	assert_true(rep.bytes > 3000000);
	assert_int_equal(rep.segments, 2);
	file_read(&p, "00000001.jsonl", &b);
	for (size_t i = 0; i < sizeof(flipped) / sizeof(*flipped); i++) {
		size_t at = flipped[i], n = 0;

		if (at >= b.len)
			continue;
		while (line_at(&b, n + 1) <= at)
			n++;
		b.data[at] ^= 0x20;
		file_write(&p, "00000001.jsonl", b.data, b.len);
		assert_false(place_verify(&p, &rep));
		b.data[at] ^= 0x20;
		/* a newline made or unmade moves what follows, too */
		assert_int_equal(rep.record, n + 1);
		assert_int_equal(rep.byte, line_at(&b, n));
	}
	buf_done(&b);
	place_remove(&p);
}

static void the_tick_closes_a_batch_by_time_and_by_count(void **state)
{
	struct auditlog_options o = { .batch_ms = 200, .batch_max = 3 };
	struct auditlog *log;
	struct place p;

	place_new(&p);
	log = place_open(&p, &o);
	assert_int_equal(auditlog_due(log), 0);
	assert_int_equal(auditlog_tick(log, 900000000, NULL), 0);
	assert_int_equal(auditlog_due(log), 900000000 + 24 * 3600 * 1000000000ull);
	append(log, "open");
	assert_int_equal(auditlog_tick(log, 1000000000, NULL), 0);
	assert_int_equal(auditlog_due(log), 1012500000);
	assert_int_equal(auditlog_tick(log, 1012499999, NULL), 0);
	assert_int_equal(auditlog_pending(log), 1);
	assert_int_equal(auditlog_tick(log, 1012500000, NULL), 0);
	assert_int_equal(auditlog_pending(log), 0);
	for (int i = 0; i < 3; i++)
		append(log, "open");
	assert_int_equal(auditlog_tick(log, 1200000001, NULL), 0);
	assert_int_equal(auditlog_pending(log), 0);
	auditlog_close(log, NULL);
	place_remove(&p);
}

/* Few records need not wait for others; many do, so that a batch has more of them. */
static void few_records_wait_less(void **state)
{
	struct auditlog_options o = { .batch_ms = 1600, .batch_max = 1000 };
	const uint64_t ms = 1000000;
	struct auditlog *log;
	struct place p;

	place_new(&p);
	log = place_open(&p, &o);
	append(log, "open");
	assert_int_equal(auditlog_tick(log, 1000 * ms, NULL), 0);
	assert_int_equal(auditlog_due(log), 1100 * ms);
	for (int i = 0; i < 100; i++)
		append(log, "open");
	assert_int_equal(auditlog_tick(log, 2600 * ms, NULL), 0);
	/* many, just now */
	append(log, "open");
	assert_int_equal(auditlog_tick(log, 2700 * ms, NULL), 0);
	assert_int_equal(auditlog_due(log), 4300 * ms);
	assert_int_equal(auditlog_tick(log, 4300 * ms, NULL), 0);
	/* few, just now: by what writing them takes, at least a sixteenth */
	append(log, "open");
	assert_int_equal(auditlog_tick(log, 4400 * ms, NULL), 0);
	assert_true(auditlog_due(log) >= 4500 * ms);
	assert_true(auditlog_due(log) < 6000 * ms);
	assert_int_equal(auditlog_tick(log, 6000 * ms, NULL), 0);
	/* none for a while */
	append(log, "open");
	assert_int_equal(auditlog_tick(log, 9000 * ms, NULL), 0);
	assert_int_equal(auditlog_due(log), 9100 * ms);
	auditlog_close(log, NULL);
	place_remove(&p);
}

static void two_writers_are_refused(void **state)
{
	struct auditlog *log, *other;
	struct err e;
	struct place p;

	place_new(&p);
	log = place_open(&p, NULL);
	assert_int_equal(auditlog_open(p.dir, p.keys, NULL, &other, &e), -EBUSY);
	auditlog_close(log, NULL);
	place_remove(&p);
}

static void what_is_no_record_is_refused(void **state)
{
	static const struct {
		const char *before, *after;
	} bad[] = {
		{ "", "\"v\":1}" },    { "{", "" },	    { "{\"a\":1", "\"v\":1}" }, { "{\"a\":\n1,", "\"v\":1}" },
		{ "{", "\"v\":1}\n" }, { "[", "\"v\":1}" },
	};
	struct auditlog *log;
	struct place p;

	place_new(&p);
	log = place_open(&p, NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct auditlog_alert a = { bad[i].before, strlen(bad[i].before), bad[i].after, strlen(bad[i].after) };

		assert_int_equal(auditlog_append(log, &a, NULL, NULL), -EINVAL);
	}
	assert_int_equal(auditlog_note(log, AUDITLOG_LOSS, "{\"a\":\n1}", NULL, NULL), -EINVAL);
	assert_int_equal(auditlog_pending(log), 0);
	auditlog_close(log, NULL);
	place_remove(&p);
}

static void seq_and_segments_go_on_over_restarts(void **state)
{
	struct auditlog_options o = { .segment_bytes = 600 };
	struct verify_report rep;
	struct place p;
	uint64_t last = 0;

	place_new(&p);
	for (int run = 0; run < 5; run++) {
		struct auditlog *log = place_open(&p, &o);

		for (int i = 0; i < 4; i++) {
			uint64_t seq = append(log, "open");

			assert_true(seq > last);
			last = seq;
			flush(log);
		}
		assert_int_equal(auditlog_close(log, NULL), 0);
		assert_verifies(&p, &rep);
	}
	assert_true(rep.segments > 5);
	assert_int_equal(rep.records, rep.last_seq);
	assert_false(file_holds(&p, "00000001.jsonl", "\"gap\""));
	place_remove(&p);
}

static void kinds_sort_to_their_place(void **state)
{
	static const char *const kinds[] = { "alert",	"start",    "stop",   "loss",  "gap",	  "policy",
					     "segment", "recovery", "canary", "epoch", "capture", "action" };
	struct buf b;
	struct line l;

	buf_init(&b, 4096);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		buf_reset(&b);
		line_render(&b, kinds[i], "h", 7, "2026-11-20T12:00:00.000000000Z",
			    (struct line_str){ "{\"n\":1}", 7 });
		assert_int_equal(buf_error(&b), 0);
		/* line_parse refuses members out of order */
		assert_int_equal(line_parse((char *)b.data, b.len, &l), 0);
		assert_true(line_str_is(l.body, "{\"n\":1}"));
		assert_int_equal(l.seq, 7);
	}
	buf_done(&b);
}

static void times_are_rfc_3339(void **state)
{
	static const struct {
		uint64_t s;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000000042Z" },	  { 951782400, "2000-02-29T00:00:00.000000042Z" },
		{ 951868800, "2000-03-01T00:00:00.000000042Z" },  { 1795176000, "2026-11-20T12:00:00.000000042Z" },
		{ 4107542399, "2100-02-28T23:59:59.000000042Z" }, { 4107542400, "2100-03-01T00:00:00.000000042Z" },
	};
	char text[LINE_TIME_SIZE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		line_time(cases[i].s * 1000000000 + 42, text);
		assert_string_equal(text, cases[i].text);
	}
}

/* ---- tampering ---- */

/* Two segments, a few checkpoints, closed well. */
static void place_small_log(struct place *p)
{
	struct auditlog_options o = { .segment_bytes = 700, .host = "h" };
	struct auditlog *log;

	place_new(p);
	log = place_open(p, &o);
	append(log, "open");
	append(log, "exec");
	flush(log);
	for (int i = 0; i < 3; i++)
		append(log, i ? "chmod" : "unlink");
	flush(log);
	append(log, "next");
	append(log, "last");
	assert_int_equal(auditlog_close(log, NULL), 0);
}

static const char *const small_files[] = {
	"00000001.jsonl", "00000001.ckpt", "00000001.leaf", "00000002.jsonl", "00000002.ckpt", "00000002.leaf", "HEAD",
};

static void any_changed_byte_is_found(void **state)
{
	struct verify_report rep;
	struct place p;

	place_small_log(&p);
	assert_verifies(&p, &rep);
	assert_int_equal(rep.segments, 2);
	for (size_t f = 0; f < sizeof(small_files) / sizeof(small_files[0]); f++) {
		struct buf b;

		file_read(&p, small_files[f], &b);
		for (size_t i = 0; i < b.len; i += EACH) {
			uint8_t flip = (uint8_t)(1 << i % 8);

			b.data[i] ^= flip;
			file_write(&p, small_files[f], b.data, b.len);
			if (place_verify(&p, &rep))
				fail_msg("%s: byte %zu changed by %#x was not found", small_files[f], i, flip);
			/* the place: this file, and no byte behind the changed one */
			if (strcmp(rep.file, small_files[f]) || rep.byte > i)
				fail_msg("%s: byte %zu changed was called %s: byte %" PRIu64 ": %s", small_files[f], i,
					 rep.file, rep.byte, rep.problem);
			b.data[i] ^= flip;
		}
		file_write(&p, small_files[f], b.data, b.len);
		buf_done(&b);
	}
	assert_verifies(&p, &rep);
	place_remove(&p);
}

/* A changed record is named exactly: by number, and by the offset of its line. */
static void the_changed_record_is_named(void **state)
{
	struct verify_report rep;
	struct buf b;
	struct place p;
	char place[400];

	place_small_log(&p);
	file_read(&p, "00000001.jsonl", &b);
	for (size_t i = 0; line_at(&b, i) < b.len; i++) {
		size_t at = line_at(&b, i);

		b.data[at + 15] ^= 1;
		file_write(&p, "00000001.jsonl", b.data, b.len);
		assert_false(place_verify(&p, &rep));
		assert_int_equal(rep.record, i + 1);
		assert_int_equal(rep.byte, at);
		b.data[at + 15] ^= 1;
	}
	verify_place(&rep, place, sizeof(place));
	assert_non_null(strstr(place, "(record 8): the record was changed"));
	buf_done(&b);
	place_remove(&p);
}

/* Rewrites 00000001.jsonl from its lines in this order, expects it to be found, and puts it back. */
static void expect_order_found(const struct place *p, const struct buf *b, const size_t *order, size_t n,
			       const char *problem)
{
	struct verify_report rep;
	struct buf out;

	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < n; i++) {
		size_t at = line_at(b, order[i]);

		buf_put(&out, b->data + at, line_at(b, order[i] + 1) - at);
	}
	file_write(p, "00000001.jsonl", out.data, out.len);
	assert_false(place_verify(p, &rep));
	assert_string_equal(rep.file, "00000001.jsonl");
	assert_non_null(strstr(rep.problem, problem));
	file_write(p, "00000001.jsonl", b->data, b->len);
	buf_done(&out);
}

static void deleted_doubled_and_moved_records_are_found(void **state)
{
	struct verify_report rep;
	struct place p;
	struct buf b;
	const size_t n = 8;

	place_small_log(&p);
	file_read(&p, "00000001.jsonl", &b);
	assert_int_equal(line_at(&b, n), b.len);
	for (size_t i = 0; i < n; i++) {
		size_t order[9];

		/* without record i */
		for (size_t k = 0; k < n - 1; k++)
			order[k] = k < i ? k : k + 1;
		expect_order_found(&p, &b, order, n - 1, i == n - 1 ? "more records were signed" : "is missing here");
		/* record i twice */
		for (size_t k = 0; k < n + 1; k++)
			order[k] = k <= i ? k : k - 1;
		expect_order_found(&p, &b, order, n + 1, i == n - 1 ? "are not signed" : "was put in here");
		/* record i and the next in the other order */
		for (size_t k = 0; k < n; k++)
			order[k] = k;
		if (i + 1 < n) {
			order[i] = i + 1;
			order[i + 1] = i;
			expect_order_found(&p, &b, order, n, "have changed places");
		}
	}
	assert_verifies(&p, &rep);
	buf_done(&b);
	place_remove(&p);
}

static void any_truncation_is_found(void **state)
{
	struct verify_report rep;
	struct place p;

	place_small_log(&p);
	for (size_t f = 0; f < sizeof(small_files) / sizeof(small_files[0]); f++) {
		struct buf b;

		file_read(&p, small_files[f], &b);
		for (size_t len = 0; len < b.len; len += EACH) {
			file_write(&p, small_files[f], b.data, len);
			if (place_verify(&p, &rep))
				fail_msg("%s cut to %zu bytes was not found", small_files[f], len);
		}
		file_write(&p, small_files[f], b.data, b.len);
		buf_done(&b);
	}
	place_remove(&p);
}

/* All files of the newest segment cut back to an older checkpoint: only HEAD knows better. */
static void a_cut_at_a_checkpoint_is_found_by_head(void **state)
{
	struct verify_report rep;
	struct checkpoint_note n;
	struct auditlog *log;
	struct place p;
	struct buf b, lines;
	struct rd r;

	place_new(&p);
	log = place_open(&p, NULL);
	append(log, "open");
	flush(log);
	auditlog_close(log, NULL);
	file_read(&p, "00000001.ckpt", &b);
	file_read(&p, "00000001.jsonl", &lines);
	r = rd_of(b.data, b.len);
	assert_int_equal(checkpoint_next(&r, &n, NULL), 0);
	assert_int_equal(checkpoint_next(&r, &n, NULL), 0);
	file_write(&p, "00000001.ckpt", b.data, b.len - r.left);
	file_write(&p, "00000001.jsonl", lines.data, line_at(&lines, n.c.size));
	buf_done(&lines);
	buf_done(&b);
	file_read(&p, "00000001.leaf", &b);
	file_write(&p, "00000001.leaf", b.data, n.c.size * HASH_SIZE);
	buf_done(&b);
	assert_false(place_verify(&p, &rep));
	assert_non_null(strstr(rep.problem, "the log was cut"));
	/* the writer finds it too, says so, and does not hide it by going on in the same segment */
	auditlog_close(place_open(&p, NULL), NULL);
	assert_true(file_holds(&p, "00000002.jsonl", "HEAD holds a newer checkpoint"));
	assert_false(place_verify(&p, &rep));
	place_remove(&p);
}

static void a_removed_segment_is_found(void **state)
{
	struct auditlog_options o = { .segment_bytes = 1 };
	struct verify_report rep;
	struct auditlog *log;
	struct place p;

	place_new(&p);
	log = place_open(&p, &o);
	for (int i = 0; i < 3; i++) {
		append(log, "open");
		flush(log);
	}
	auditlog_close(log, NULL);
	assert_verifies(&p, &rep);
	assert_int_equal(rep.segments, 5);
	for (int i = 1; i <= 5; i++) {
		const char *suffix[] = { "jsonl", "leaf", "ckpt" };
		char from[120], to[120];

		for (int pass = 0; pass < 2; pass++) {
			for (int k = 0; k < 3; k++) {
				snprintf(from, sizeof(from), "%s/%08d.%s", p.dir, i, suffix[k]);
				snprintf(to, sizeof(to), "%s/away.%s", p.dir, suffix[k]);
				assert_int_equal(pass ? rename(to, from) : rename(from, to), 0);
			}
			assert_int_equal(place_verify(&p, &rep), pass);
		}
	}
	place_remove(&p);
}

/* ---- recovery ---- */

static void a_torn_last_record_is_cut_off_and_told(void **state)
{
	struct verify_report rep;
	struct place p;
	size_t from, end;
	struct buf b;

	place_small_log(&p);
	file_read(&p, "00000002.jsonl", &b);
	end = b.len;
	from = line_at(&b, 1);
	from = line_at(&b, 2) > from ? from : 0;
	buf_done(&b);
	for (size_t len = 1; len <= end - from; len += EACH) {
		struct auditlog *log;
		struct place q;
		struct buf c;
		char told[40];

		place_small_log(&q);
		file_read(&q, "00000002.jsonl", &c);
		/* a part of an unsigned record, as a crash leaves it; as a whole line it has the wrong number and is
		 * cut, too */
		buf_put(&c, c.data + from, len);
		file_write(&q, "00000002.jsonl", c.data, c.len);
		buf_done(&c);
		assert_false(place_verify(&q, &rep));
		log = place_open(&q, NULL);
		append(log, "after");
		auditlog_close(log, NULL);
		assert_verifies(&q, &rep);
		snprintf(told, sizeof(told), "{\"cut_bytes\":%zu,", len);
		assert_true(file_holds(&q, "00000002.jsonl", told));
		place_remove(&q);
	}
	place_remove(&p);
}

static void unsigned_records_are_kept_and_signed(void **state)
{
	struct verify_report rep;
	struct auditlog *log;
	struct place p;
	struct checkpoint_note n;
	struct buf b;
	uint64_t seq;
	struct rd r;

	place_new(&p);
	log = place_open(&p, NULL);
	seq = append(log, "open");
	flush(log);
	auditlog_free(log);
	/* the crash: the checkpoint of the second batch never came */
	file_read(&p, "00000001.ckpt", &b);
	r = rd_of(b.data, b.len);
	assert_int_equal(checkpoint_next(&r, &n, NULL), 0);
	file_write(&p, "00000001.ckpt", b.data, n.len + 30);
	file_write(&p, "HEAD", b.data, n.len);
	buf_done(&b);
	assert_int_equal(seq, 3);
	log = place_open(&p, NULL);
	assert_int_equal(append(log, "after"), 7);
	auditlog_close(log, NULL);
	assert_verifies(&p, &rep);
	assert_true(file_holds(&p, "00000001.jsonl",
			       "\"recovery\":{\"cut_bytes\":0,\"resigned_records\":1,\"segment\":1}"));
	assert_true(file_holds(&p, "00000001.jsonl", "\"reason\":\"unclean stop\""));
	place_remove(&p);
}

static void an_unclean_stop_is_a_gap(void **state)
{
	struct verify_report rep;
	struct auditlog *log;
	struct place p;

	place_new(&p);
	log = place_open(&p, NULL);
	append(log, "open");
	flush(log);
	append(log, "lost");
	auditlog_free(log);
	assert_verifies(&p, &rep);
	log = place_open(&p, NULL);
	auditlog_close(log, NULL);
	assert_verifies(&p, &rep);
	assert_true(file_holds(&p, "00000001.jsonl",
			       "\"gap\":{\"last_seq\":3,\"last_time\":\"2026-11-20T12:00:00.000000000Z\","
			       "\"reason\":\"unclean stop\"}"));
	assert_false(file_holds(&p, "00000001.jsonl", "lost"));
	place_remove(&p);
}

static void a_damaged_segment_is_left_as_evidence(void **state)
{
	struct verify_report rep;
	struct auditlog *log;
	struct place p;
	struct buf b;

	place_small_log(&p);
	file_read(&p, "00000002.jsonl", &b);
	b.data[20] ^= 1;
	file_write(&p, "00000002.jsonl", b.data, b.len);
	log = place_open(&p, NULL);
	append(log, "after");
	auditlog_close(log, NULL);
	assert_true(file_holds(&p, "00000003.jsonl", "does not fit its last checkpoint"));
	assert_false(place_verify(&p, &rep));
	assert_string_equal(rep.file, "00000002.jsonl");
	/* put right by hand, all of it holds together */
	b.data[20] ^= 1;
	file_write(&p, "00000002.jsonl", b.data, b.len);
	assert_verifies(&p, &rep);
	buf_done(&b);
	place_remove(&p);
}

static void a_lost_leaf_file_is_made_again(void **state)
{
	struct verify_report rep;
	struct place p;

	place_small_log(&p);
	file_write(&p, "00000002.leaf", "x", 1);
	assert_false(place_verify(&p, &rep));
	assert_string_equal(rep.file, "00000002.leaf");
	auditlog_close(place_open(&p, NULL), NULL);
	assert_verifies(&p, &rep);
	place_remove(&p);
}

/* ---- faults ---- */

/* The n-th call fails, or all from the n-th to the m-th; a failing write may put half of its bytes first. */
static struct {
	int calls, from, to, error;
	bool half;
	bool die; /* the process ends instead, before the call */
} fault;

static bool fault_hits(void)
{
	int call = ++fault.calls;

	if (call < fault.from || call > fault.to)
		return false;
	if (fault.die)
		_exit(0);
	errno = fault.error;
	return true;
}

static int fault_openat(int dir_fd, const char *name, int flags, mode_t mode)
{
	return fault_hits() ? -1 : recio_system.openat(dir_fd, name, flags, mode);
}

static ssize_t fault_pwrite(int fd, const void *data, size_t n, off_t at)
{
	if (!fault_hits())
		return recio_system.pwrite(fd, data, n, at);
	if (fault.half && n > 1 && pwrite(fd, data, n / 2, at) < 0)
		return -1;
	errno = fault.error;
	return -1;
}

static int fault_fdatasync(int fd)
{
	return fault_hits() ? -1 : 0;
}

static int fault_ftruncate(int fd, off_t len)
{
	return fault_hits() ? -1 : recio_system.ftruncate(fd, len);
}

static int fault_renameat(int dir_fd, const char *from, const char *to)
{
	return fault_hits() ? -1 : recio_system.renameat(dir_fd, from, to);
}

static uint64_t fault_realtime_ns(void)
{
	return recio_system.realtime_ns();
}

static const struct recio fault_io = {
	fault_openat, fault_pwrite, fault_fdatasync, fault_ftruncate, fault_renameat, fault_realtime_ns,
};

static void fault_set(int from, int to, int error)
{
	fault.calls = 0;
	fault.from = from;
	fault.to = to;
	fault.error = error;
	fault.half = true;
	fault.die = false;
}

/* Appends and ticks through a run with faults on; returns how many ticks failed. */
static int fault_run(struct auditlog *log)
{
	struct err e = { "" };
	uint64_t now = 1;
	int failed = 0;

	for (int i = 0; i < 6; i++) {
		append(log, "open");
		for (int k = 0; k < 3; k++)
			failed += auditlog_tick(log, now += 300000000, &e) < 0;
	}
	return failed;
}

/* Every call in turn fails once, as on a full disk: no record is lost, doubled or half there. */
static void each_failing_call_is_survived(void **state)
{
	static const int errors[] = { ENOSPC, EIO };
	struct auditlog_options o = { .segment_bytes = 900, .io = &fault_io };
	struct verify_report rep;

	for (int error = 0; error < 2; error++) {
		for (int n = 1, reached = 1; reached; n++) {
			struct auditlog *log;
			struct err e = { "" };
			struct place p;
			int failed;

			place_new(&p);
			fault_set(0, 0, 0);
			log = place_open(&p, &o);
			fault_set(n, n, errors[error]);
			failed = fault_run(log);
			/* a fault while taking back is silent; the write is done again all the same */
			reached = fault.calls >= n;
			assert_true(!reached || failed <= 1);
			fault_set(0, 0, 0);
			if (auditlog_close(log, &e) < 0)
				fail_msg("call %d: %s", n, e.msg);
			assert_verifies(&p, &rep);
			assert_int_equal(rep.records, rep.last_seq);
			assert_int_equal(rep.last_seq, 1 + 1 + 6 + 1 + (rep.segments - 1));
			place_remove(&p);
		}
	}
}

/* The disk is full from the n-th call on, and the sensor is killed: what is there verifies after the next start. */
static void a_full_disk_and_a_crash_are_survived(void **state)
{
	struct auditlog_options o = { .segment_bytes = 900, .io = &fault_io };
	struct verify_report rep;

	for (int n = 1, reached = 1; reached; n++) {
		struct auditlog *log;
		struct place p;

		place_new(&p);
		fault_set(0, 0, 0);
		log = place_open(&p, &o);
		fault_set(n, INT32_MAX, ENOSPC);
		fault_run(log);
		reached = fault.calls >= n;
		auditlog_free(log);
		fault_set(0, 0, 0);
		log = place_open(&p, &o);
		append(log, "after");
		assert_int_equal(auditlog_close(log, NULL), 0);
		assert_verifies(&p, &rep);
		assert_int_equal(rep.records, rep.last_seq);
		place_remove(&p);
	}
}

/* Full for long: appends are refused at pending_max with the disk's error, and go on when there is room. */
static void a_long_full_disk_bounds_the_memory(void **state)
{
	struct auditlog_options o = { .pending_max = 4096, .io = &fault_io };
	struct auditlog_alert a = { "{", 1, "\"v\":1}", 6 };
	struct verify_report rep;
	struct auditlog *log;
	struct err e = { "" };
	struct place p;
	uint64_t taken = 0;
	int r = 0;

	place_new(&p);
	fault_set(0, 0, 0);
	log = place_open(&p, &o);
	a = (struct auditlog_alert){ .before = "{\"host\":\"h\",\"kind\":\"alert\",",
				     .before_len = 27,
				     .after = "\"time\":\"2026-11-20T12:00:00.000000000Z\",\"v\":1}",
				     .after_len = 46 };
	fault_set(1, INT32_MAX, ENOSPC);
	for (int i = 0; i < 1000; i++) {
		r = auditlog_append(log, &a, NULL, &e);
		taken += r == 0;
	}
	assert_int_equal(r, -ENOSPC);
	assert_non_null(strstr(e.msg, "No space left"));
	assert_true(taken > 20 && taken < 60);
	fault_set(0, 0, 0);
	assert_int_equal(auditlog_append(log, &a, NULL, &e), 0);
	auditlog_close(log, NULL);
	assert_verifies(&p, &rep);
	assert_int_equal(rep.records, 2 + taken + 1 + 1);
	place_remove(&p);
}

/* ---- epochs ---- */

/* What is in the directory of the keys under this name; the caller frees b. */
static void key_read(const struct place *p, const char *name, struct buf *ret)
{
	_cleanup_close_ int fd = open(p->keys, O_RDONLY | O_DIRECTORY);

	buf_init(ret, 1 << 16);
	assert_int_equal(recio_read(fd, name, ret), 0);
}

/* How many files in the directory of the keys hold a private key. */
static int private_keys(const struct place *p)
{
	_cleanup_closedir_ DIR *d = opendir(p->keys);
	struct dirent *de;
	struct buf b;
	int n = 0;

	assert_non_null(d);
	while ((de = readdir(d))) {
		if (de->d_name[0] == '.')
			continue;
		key_read(p, de->d_name, &b);
		n += b.len && memmem(b.data, b.len, "PRIVATE", 7);
		buf_done(&b);
	}
	return n;
}

/* The parent sees what a crash right before the n-th call leaves; false: the run of so many records came to its end before. */
static bool crash_at(const struct place *p, const struct auditlog_options *o, int records, int n)
{
	struct auditlog *log;
	pid_t child = fork();
	int status;

	if (!child) {
		fault_set(0, 0, 0);
		log = place_open(p, o);
		fault_set(n, n, 0);
		fault.die = true;
		while (records--) {
			append(log, "open");
			auditlog_flush(log, NULL);
		}
		_exit(42);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) != 42;
}

/*
 * Killed before the n-th call, and a second time while it starts again; then it goes on, and the log is good. False: the run
 * came to its end before.
 */
static bool crash_twice(const struct place *p, const struct auditlog_options *o, int records, int n,
			struct verify_report *ret)
{
	bool reached = crash_at(p, o, records, n);
	struct auditlog *log;

	crash_at(p, o, records, n);
	fault_set(0, 0, 0);
	log = place_open(p, o);
	append(log, "after");
	flush(log);
	assert_null(auditlog_prune_error(log));
	assert_int_equal(auditlog_close(log, NULL), 0);
	assert_verifies(p, ret);
	return reached;
}

/* Two epochs end, and the sensor is killed before each call in turn: once, and a second time while it starts again. */
static void a_crash_at_each_step_of_ending_an_epoch_is_survived(void **state)
{
	struct auditlog_options o = { .segment_bytes = 1, .io = &fault_io };
	struct verify_report rep;
	bool reached = true;

	for (int n = 1; reached; n++) {
		struct place p;

		place_new(&p);
		reached = crash_twice(&p, &o, 2, n, &rep);
		assert_int_equal(rep.records, rep.last_seq);
		/* each segment has an end of its own, but one that was begun by the last `stop` */
		assert_int_equal(rep.epochs, rep.segments);
		assert_int_equal(private_keys(&p), 1);
		place_remove(&p);
	}
}

static void an_epoch_ends_by_age_also_without_alerts(void **state)
{
	struct auditlog_options o = { .epoch_s = 10 };
	struct verify_report rep;
	struct auditlog *log;
	struct place p;

	place_new(&p);
	log = place_open(&p, &o);
	assert_int_equal(auditlog_tick(log, 1000000000, NULL), 0);
	for (uint64_t s = 1; s <= 21; s++)
		assert_int_equal(auditlog_tick(log, 1000000000 * (s + 10), NULL), 0);
	assert_null(auditlog_epoch_error(log));
	auditlog_close(log, NULL);
	assert_verifies(&p, &rep);
	/* ends at 11 s, 22 s (counted from the first tick after) */
	assert_int_equal(rep.epochs, 3);
	assert_true(file_holds(&p, "00000002.jsonl", "\"kind\":\"segment\""));
	assert_true(file_holds(&p, "00000002.jsonl", "\"reason\":\"age\""));
	assert_int_equal(private_keys(&p), 1);
	place_remove(&p);
}

static void the_key_of_an_epoch_is_overwritten(void **state)
{
	struct auditlog_options o = { .segment_bytes = 1 };
	_cleanup_close_ int old = -1;
	struct buf before, after;
	struct auditlog *log;
	char path[120];
	uint8_t was[512];
	struct place p;
	ssize_t n;

	place_new(&p);
	auditlog_close(place_open(&p, NULL), NULL);
	snprintf(path, sizeof(path), "%s/log.key.pem", p.keys);
	old = open(path, O_RDONLY | O_CLOEXEC);
	key_read(&p, "log.key.pem", &before);
	log = place_open(&p, &o);
	append(log, "open");
	flush(log);
	key_read(&p, "log.key.pem", &after);
	assert_true(before.len != after.len || memcmp(before.data, after.data, before.len));
	/* the old file, which has no name any more */
	n = pread(old, was, sizeof(was), 0);
	assert_int_equal(n, before.len);
	for (ssize_t i = 0; i < n; i++)
		assert_int_equal(was[i], 0);
	assert_int_equal(private_keys(&p), 1);
	auditlog_close(log, NULL);
	buf_done(&before);
	buf_done(&after);
	place_remove(&p);
}

static void an_epoch_that_cannot_be_ended_goes_on_and_says_why(void **state)
{
	struct auditlog_options o = { .epoch_s = 10, .io = &fault_io };
	struct verify_report rep;
	struct auditlog *log;
	struct place p;

	place_new(&p);
	fault_set(0, 0, 0);
	log = place_open(&p, &o);
	assert_int_equal(auditlog_tick(log, 1000000000, NULL), 0);
	fault_set(1, INT32_MAX, ENOSPC);
	assert_int_equal(auditlog_tick(log, 12000000000, NULL), 0);
	assert_non_null(strstr(auditlog_epoch_error(log), "No space left"));
	fault_set(0, 0, 0);
	append(log, "open");
	flush(log);
	/* not before a second has passed */
	assert_non_null(auditlog_epoch_error(log));
	assert_true(auditlog_due(log) <= 13000000000);
	assert_int_equal(auditlog_tick(log, 13000000000, NULL), 0);
	assert_null(auditlog_epoch_error(log));
	auditlog_close(log, NULL);
	assert_verifies(&p, &rep);
	assert_int_equal(rep.epochs, 2);
	place_remove(&p);
}

/* Segment 1 or 2 as somebody would have it who can write every file and has this private key. */
static void forge_segment(const struct place *p, uint64_t number, const char *from, const char *to,
			  const char *key_path)
{
	char name[SEGMENT_NAME_SIZE];
	struct checkpoint_note last = { .len = 0 };
	struct sig_key *key = NULL;
	struct buf lines, notes, leaves;
	struct line_str text;
	struct merkle tree;
	merkle_hash leaf;
	uint8_t *at;
	struct rd r;

	assert_int_equal(sig_load_private(key_path, &key, NULL), 0);
	segment_name(number, SEGMENT_LOG, name);
	file_read(p, name, &lines);
	at = memmem(lines.data, lines.len, from, strlen(from));
	assert_non_null(at);
	assert_int_equal(strlen(from), strlen(to));
	memcpy(at, to, strlen(to));
	file_write(p, name, lines.data, lines.len);
	merkle_init(&tree);
	buf_init(&leaves, 1 << 20);
	r = rd_of(lines.data, lines.len);
	while (segment_line(&r, &text)) {
		merkle_leaf(text.p, text.n, leaf);
		merkle_add(&tree, leaf);
		buf_put(&leaves, leaf, HASH_SIZE);
	}
	segment_name(number, SEGMENT_LEAF, name);
	file_write(p, name, leaves.data, leaves.len);
	segment_name(number, SEGMENT_CKPT, name);
	file_read(p, name, &notes);
	r = rd_of(notes.data, notes.len);
	while (r.left)
		assert_int_equal(checkpoint_next(&r, &last, NULL), 0);
	merkle_root(&tree, last.c.root);
	last.c.chained = number > 1;
	buf_reset(&leaves);
	assert_int_equal(checkpoint_sign(&last.c, key, &leaves), 0);
	file_write(p, name, leaves.data, leaves.len);
	sig_key_free(key);
	buf_done(&lines);
	buf_done(&notes);
	buf_done(&leaves);
}

/* A TPM of sorts: opens what it has sealed itself. */
struct fake_tpm {
	uint8_t pad;
	bool gone;
};

static int fake_seal(const void *ctx, const uint8_t *in, size_t n, uint8_t *ret, size_t max, size_t *ret_n,
		     struct err *e)
{
	const struct fake_tpm *t = ctx;

	if (t->gone)
		return err_set(e, -EPIPE, "the fake is gone");
	assert_true(n + 1 <= max);
	ret[0] = t->pad;
	for (size_t i = 0; i < n; i++)
		ret[i + 1] = in[i] ^ t->pad;
	*ret_n = n + 1;
	return 0;
}

static int fake_unseal(const void *ctx, const uint8_t *in, size_t n, uint8_t *ret, size_t max, size_t *ret_n,
		       struct err *e)
{
	const struct fake_tpm *t = ctx;

	if (t->gone || n < 1 || n - 1 > max || in[0] != t->pad)
		return err_set(e, -ENOKEY, "the fake does not open it");
	for (size_t i = 1; i < n; i++)
		ret[i - 1] = in[i] ^ t->pad;
	*ret_n = n - 1;
	return 0;
}

static bool has_text(const char *dir, const char *name, const char *text)
{
	char path[200];
	struct buf b;
	bool has;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	buf_init(&b, 65536);
	has = recio_read(AT_FDCWD, path, &b) == 0 && memmem(b.data, b.len, text, strlen(text));
	buf_done(&b);
	return has;
}

static void a_sealed_key_is_in_no_file(void **state)
{
	struct fake_tpm tpm = { .pad = 0x5a }, other = { .pad = 0xa5 };
	const struct epoch_seal seal = { fake_seal, fake_unseal, &tpm }, wrong = { fake_seal, fake_unseal, &other };
	struct auditlog_options o = { .segment_bytes = 600, .seal = &seal };
	struct verify_report rep;
	struct auditlog *log;
	struct err e = { "" };
	struct place p;

	place_new(&p);
	log = place_open(&p, &o);
	assert_false(has_text(p.keys, "log.key.pem", "PRIVATE"));
	for (int i = 0; i < 9; i++) {
		append(log, "open");
		flush(log);
	}
	assert_false(has_text(p.keys, "log.key.pem", "PRIVATE"));
	assert_true(has_text(p.keys, "log.key.pem", "BEGIN TAMIS SEALED KEY"));
	/* as a crash would */
	auditlog_free(log);
	o.seal = NULL;
	assert_int_equal(auditlog_open(p.dir, p.keys, &o, &log, &e), -ENOKEY);
	assert_non_null(strstr(e.msg, "--log-seal"));
	o.seal = &wrong;
	assert_int_equal(auditlog_open(p.dir, p.keys, &o, &log, &e), -ENOKEY);
	assert_non_null(strstr(e.msg, "cannot be opened: the fake does not open it"));
	o.seal = &seal;
	log = place_open(&p, &o);
	/* an epoch that cannot get a sealed key goes on with its own, and says so */
	tpm.gone = true;
	for (int i = 0; i < 9; i++) {
		append(log, "open");
		flush(log);
	}
	assert_non_null(strstr(auditlog_epoch_error(log), "the fake is gone"));
	assert_int_equal(auditlog_close(log, NULL), 0);
	assert_verifies(&p, &rep);
	assert_true(rep.epochs > 1);
	place_remove(&p);
}

static void todays_key_cannot_sign_yesterdays_segment(void **state)
{
	struct verify_report rep;
	struct place p;
	char key[120];

	place_small_log(&p);
	snprintf(key, sizeof(key), "%s/log.key.pem", p.keys);
	forge_segment(&p, 1, "\"unlink\"", "\"rename\"", key);
	assert_false(place_verify(&p, &rep));
	assert_string_equal(rep.file, "00000001.ckpt");
	assert_non_null(strstr(rep.problem, "signed by another key"));
	place_remove(&p);
}

/* The first segment's key, kept by somebody who shall sign it all anew: only a checkpoint elsewhere would tell. */
static void a_replaced_epoch_record_is_found(void **state)
{
	struct auditlog_options o = { .segment_bytes = 700, .host = "h" };
	char mine[120], line[600];
	struct verify_report rep;
	struct sig_key *key;
	struct buf b, der64;
	uint8_t der[SIG_DER_MAX], *public;
	struct place p;
	size_t n;

	place_small_log(&p);
	snprintf(mine, sizeof(mine), "%s/mine.pem", p.root);
	assert_int_equal(sig_keygen(mine, NULL, NULL), 0);
	assert_int_equal(sig_load_private(mine, &key, NULL), 0);
	assert_int_equal(sig_public_der(key, der, &n), 0);
	buf_init(&der64, 4096);
	b64_encode(&der64, der, n);
	file_read(&p, "00000001.jsonl", &b);
	public = memmem(b.data, b.len, "\"public\":\"", 10);
	assert_non_null(public);
	memcpy(public + 10, der64.data, der64.len);
	file_write(&p, "00000001.jsonl", b.data, b.len);
	assert_false(place_verify(&p, &rep));
	snprintf(line, sizeof(line), "%s", rep.problem);
	assert_non_null(strstr(line, "the record was changed"));
	/* with a signature of his own over all of it */
	forge_segment(&p, 1, "\"unlink\"", "\"rename\"", mine);
	assert_false(place_verify(&p, &rep));
	assert_string_equal(rep.file, "00000001.ckpt");
	sig_key_free(key);
	buf_done(&b);
	buf_done(&der64);
	/* the writer does not go on under it as if nothing were */
	auditlog_close(place_open(&p, &o), NULL);
	assert_false(place_verify(&p, &rep));
	place_remove(&p);
}

/* ---- retention ---- */

#define PRUNING                                                                                                        \
	(struct auditlog_options)                                                                                      \
	{                                                                                                              \
		.segment_bytes = 700, .keep_bytes = 6000, .host = "h"                                                  \
	}

/* A log whose oldest segments were pruned; the number of the last record. */
static uint64_t place_pruned_log(struct place *p)
{
	struct auditlog_options o = PRUNING;
	struct auditlog *log;
	uint64_t seq = 0;

	place_new(p);
	log = place_open(p, &o);
	for (int i = 0; i < 40; i++) {
		seq = append(log, "open");
		flush(log);
	}
	assert_null(auditlog_prune_error(log));
	assert_int_equal(auditlog_close(log, NULL), 0);
	return seq;
}

static bool file_there(const struct place *p, const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	return access(path, F_OK) == 0;
}

static void file_remove(const struct place *p, const char *name)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	assert_int_equal(unlink(path), 0);
}

static void assert_proves(const struct place *p, uint64_t seq)
{
	struct prove_result res = { .record = NULL };
	struct sig_key *key = NULL;
	struct err e = { "" };
	struct buf proof;

	buf_init(&proof, PROVE_TEXT_MAX);
	assert_int_equal(sig_load_public(p->pub, &key, &e), 0);
	if (prove_record(p->dir, seq, NULL, 0, &proof, &e) < 0 || prove_check(proof.data, proof.len, key, &res, &e) < 0)
		fail_msg("%s", e.msg);
	prove_result_done(&res);
	sig_key_free(key);
	buf_done(&proof);
}

static void old_segments_are_pruned(void **state)
{
	struct auditlog_options o = PRUNING;
	struct verify_report rep;
	uint64_t pruned, seq;
	struct auditlog *log;
	struct place p;

	seq = place_pruned_log(&p);
	assert_verifies(&p, &rep);
	pruned = rep.pruned;
	assert_true(pruned > 3);
	assert_true(rep.bytes < o.keep_bytes);
	assert_true(rep.first_seq > 3);
	assert_true(rep.epochs > rep.segments);
	assert_false(file_there(&p, "00000001.jsonl"));
	assert_false(file_there(&p, "00000001.ckpt"));
	assert_true(file_there(&p, "00000001.pruned"));
	assert_proves(&p, seq);
	/* it goes on, and by another limit, too */
	o.keep_bytes = 0;
	o.keep_s = 1;
	sleep(2);
	log = place_open(&p, &o);
	append(log, "open");
	flush(log);
	assert_int_equal(auditlog_close(log, NULL), 0);
	assert_verifies(&p, &rep);
	assert_true(rep.pruned > pruned);
	assert_true(rep.segments <= 3);
	place_remove(&p);
}

static void what_stays_of_a_pruned_segment_is_looked_at(void **state)
{
	struct verify_report rep;
	struct buf one, other;
	struct place p;

	place_pruned_log(&p);
	file_read(&p, "00000002.pruned", &one);
	file_read(&p, "00000003.pruned", &other);
	for (size_t i = 0; i < one.len; i += 37) {
		one.data[i] ^= 1;
		file_write(&p, "00000002.pruned", one.data, one.len);
		assert_false(place_verify(&p, &rep));
		assert_true(!strcmp(rep.file, "00000002.pruned") || !strcmp(rep.file, "00000003.pruned"));
		one.data[i] ^= 1;
	}
	file_write(&p, "00000002.pruned", other.data, other.len);
	assert_false(place_verify(&p, &rep));
	assert_string_equal(rep.file, "00000002.pruned");
	file_write(&p, "00000002.pruned", one.data, one.len / 2);
	assert_false(place_verify(&p, &rep));
	file_remove(&p, "00000002.pruned");
	assert_false(place_verify(&p, &rep));
	assert_non_null(strstr(rep.problem, "the segment is missing"));
	file_write(&p, "00000002.pruned", one.data, one.len);
	assert_verifies(&p, &rep);
	buf_done(&one);
	buf_done(&other);
	place_remove(&p);
}

/* Who removes a segment and leaves what pruning would have left has no record that says so. */
static void pruning_by_another_hand_is_found(void **state)
{
	char name[SEGMENT_NAME_SIZE];
	struct verify_report rep;
	struct buf link;
	struct place p;
	int fd;

	place_pruned_log(&p);
	assert_verifies(&p, &rep);
	fd = open(p.dir, O_RDONLY | O_DIRECTORY);
	buf_init(&link, PROVE_TEXT_MAX);
	assert_int_equal(prove_link(fd, rep.pruned + 1, &link, NULL), 0);
	segment_name(rep.pruned + 1, SEGMENT_PRUNED, name);
	file_write(&p, name, link.data, link.len);
	assert_verifies(&p, &rep); /* a crash leaves that */
	assert_int_equal(prune_remove(fd, rep.pruned + 1, NULL), 0);
	assert_false(place_verify(&p, &rep));
	assert_string_equal(rep.file, name);
	assert_non_null(strstr(rep.problem, "no `prune` record"));
	buf_done(&link);
	close(fd);
	place_remove(&p);
}

static void evidence_is_not_pruned(void **state)
{
	struct auditlog_options o = { .segment_bytes = 700, .host = "h" };
	struct auditlog *log;
	struct place p;
	struct buf b;

	place_new(&p);
	log = place_open(&p, &o);
	for (int i = 0; i < 20; i++) {
		append(log, "open");
		flush(log);
	}
	assert_int_equal(auditlog_close(log, NULL), 0);
	file_read(&p, "00000002.jsonl", &b);
	b.data[20] ^= 1;
	file_write(&p, "00000002.jsonl", b.data, b.len);
	o.keep_bytes = 1;
	log = place_open(&p, &o);
	assert_non_null(strstr(auditlog_prune_error(log), "00000002"));
	assert_int_equal(auditlog_close(log, NULL), 0);
	assert_false(file_there(&p, "00000001.jsonl"));
	assert_true(file_there(&p, "00000002.jsonl"));
	assert_true(file_there(&p, "00000003.jsonl"));
	buf_done(&b);
	place_remove(&p);
}

static void a_crash_at_each_step_of_pruning_is_survived(void **state)
{
	struct auditlog_options o = { .segment_bytes = 1, .keep_bytes = 1, .io = &fault_io };
	struct verify_report rep;
	bool reached = true;

	for (int n = 1; reached; n += EACH) {
		struct place p;

		place_new(&p);
		reached = crash_twice(&p, &o, 3, n, &rep);
		assert_true(rep.pruned > 0);
		assert_proves(&p, rep.last_seq);
		place_remove(&p);
	}
}

static void a_segment_of_another_log_is_found(void **state)
{
	static const char *const names[] = { "00000002.jsonl", "00000002.ckpt", "00000002.leaf", "HEAD" };
	struct verify_report rep;
	struct place p, q;

	place_small_log(&p);
	place_small_log(&q);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct buf b;

		file_read(&q, names[i], &b);
		file_write(&p, names[i], b.data, b.len);
		buf_done(&b);
	}
	assert_false(place_verify(&p, &rep));
	assert_string_equal(rep.file, "00000002.ckpt");
	place_remove(&p);
	place_remove(&q);
}

static void another_logs_key_is_no_key(void **state)
{
	struct verify_report rep;
	struct place p, q;

	place_small_log(&p);
	place_small_log(&q);
	memcpy(p.pub, q.pub, sizeof(p.pub));
	assert_false(place_verify(&p, &rep));
	assert_string_equal(rep.file, "00000001.ckpt");
	place_remove(&p);
	place_remove(&q);
}

/* ---- the matrix of tampering: each kind once, with the words by which it is named; the other verifier is asked, too ---- */

struct tampering {
	const char *what;
	/* @p is tampered with; @q is a log of another host */
	void (*with)(const struct place *p, const struct place *q);
	const char *file, *words;
};

static void copy_file(const struct place *from, const char *name, const struct place *to, const char *as)
{
	struct buf b;

	file_read(from, name, &b);
	file_write(to, as, b.data, b.len);
	buf_done(&b);
}

/* The file's bytes [from, to) are replaced by these. */
static void put_bytes(const struct place *p, const char *name, size_t from, size_t to, const void *with, size_t n)
{
	struct buf b, out;

	file_read(p, name, &b);
	buf_init(&out, 1 << 20);
	buf_put(&out, b.data, from);
	buf_put(&out, with, n);
	buf_put(&out, b.data + to, b.len - to);
	file_write(p, name, out.data, out.len);
	buf_done(&b);
	buf_done(&out);
}

/* Where a file's line begins; and the bytes of it. */
static size_t place_line(const struct place *p, const char *name, size_t i, char *ret, size_t max)
{
	struct buf b;
	size_t at, n;

	file_read(p, name, &b);
	at = line_at(&b, i);
	n = line_at(&b, i + 1) - at;
	assert_true(n < max);
	memcpy(ret, b.data + at, n);
	ret[n] = '\0';
	buf_done(&b);
	return at;
}

static void tamper_flip(const struct place *p, const struct place *q)
{
	char line[4096];
	size_t at = place_line(p, "00000001.jsonl", 3, line, sizeof(line));

	line[20] ^= 1;
	put_bytes(p, "00000001.jsonl", at + 20, at + 21, line + 20, 1);
}

/* A record of one's own, well formed. */
static void tamper_insert(const struct place *p, const struct place *q)
{
	static const char own[] = "{\"host\":\"h\",\"kind\":\"loss\",\"loss\":{},\"seq\":4,\"time\":"
				  "\"2026-11-20T12:00:00.000000000Z\",\"v\":1}\n";
	char line[4096];
	size_t at = place_line(p, "00000001.jsonl", 3, line, sizeof(line));

	put_bytes(p, "00000001.jsonl", at, at, own, sizeof(own) - 1);
}

static void tamper_delete(const struct place *p, const struct place *q)
{
	char line[4096];
	size_t at = place_line(p, "00000001.jsonl", 3, line, sizeof(line));

	put_bytes(p, "00000001.jsonl", at, at + strlen(line), "", 0);
}

static void tamper_duplicate(const struct place *p, const struct place *q)
{
	char line[4096];
	size_t at = place_line(p, "00000001.jsonl", 3, line, sizeof(line));

	put_bytes(p, "00000001.jsonl", at, at, line, strlen(line));
}

static void tamper_reorder(const struct place *p, const struct place *q)
{
	char a[4096], b[4096];
	size_t at = place_line(p, "00000001.jsonl", 3, a, sizeof(a));

	place_line(p, "00000001.jsonl", 4, b, sizeof(b));
	put_bytes(p, "00000001.jsonl", at, at + strlen(a) + strlen(b), b, strlen(b));
	put_bytes(p, "00000001.jsonl", at + strlen(b), at + strlen(b), a, strlen(a));
}

static void tamper_truncate(const struct place *p, const struct place *q)
{
	char line[4096];
	size_t at = place_line(p, "00000001.jsonl", 6, line, sizeof(line));

	put_bytes(p, "00000001.jsonl", at, at + strlen(line), "", 0);
	at = place_line(p, "00000001.jsonl", 6, line, sizeof(line));
	put_bytes(p, "00000001.jsonl", at, at + strlen(line), "", 0);
}

/* The same record of another machine. */
static void tamper_splice_record(const struct place *p, const struct place *q)
{
	char ours[4096], theirs[4096];
	size_t at = place_line(p, "00000001.jsonl", 3, ours, sizeof(ours));

	place_line(q, "00000001.jsonl", 3, theirs, sizeof(theirs));
	put_bytes(p, "00000001.jsonl", at, at + strlen(ours), theirs, strlen(theirs));
}

static void tamper_splice_host(const struct place *p, const struct place *q)
{
	copy_file(q, "00000002.jsonl", p, "00000002.jsonl");
	copy_file(q, "00000002.ckpt", p, "00000002.ckpt");
	copy_file(q, "00000002.leaf", p, "00000002.leaf");
	copy_file(q, "HEAD", p, "HEAD");
}

/* An earlier segment in place of a later one. */
static void tamper_splice_epoch(const struct place *p, const struct place *q)
{
	copy_file(p, "00000001.jsonl", p, "00000002.jsonl");
	copy_file(p, "00000001.ckpt", p, "00000002.ckpt");
	copy_file(p, "00000001.leaf", p, "00000002.leaf");
}

/* Only the record, of another epoch of this log. */
static void tamper_splice_epoch_record(const struct place *p, const struct place *q)
{
	char old[4096], now[4096];
	size_t at = place_line(p, "00000002.jsonl", 1, now, sizeof(now));

	place_line(p, "00000001.jsonl", 2, old, sizeof(old));
	put_bytes(p, "00000002.jsonl", at, at + strlen(now), old, strlen(old));
}

/* The newest checkpoint is the first again, in HEAD, too. */
static void tamper_older_checkpoint(const struct place *p, const struct place *q)
{
	struct checkpoint_note n, first = { .len = 0 };
	struct buf b;
	struct rd r;

	file_read(p, "00000001.ckpt", &b);
	r = rd_of(b.data, b.len);
	assert_int_equal(checkpoint_next(&r, &first, NULL), 0);
	assert_int_equal(checkpoint_next(&r, &n, NULL), 0);
	file_write(p, "HEAD", first.p, first.len);
	file_write(p, "00000002.ckpt", first.p, first.len);
	buf_done(&b);
}

/* Signed by whoever did it, over the records as they are. */
static void tamper_own_checkpoint(const struct place *p, const struct place *q)
{
	struct checkpoint_note n;
	struct sig_key *key;
	struct buf b, out;
	char path[200];
	struct rd r;

	snprintf(path, sizeof(path), "%s/own.pem", p->root);
	assert_int_equal(sig_keygen(path, NULL, NULL), 0);
	assert_int_equal(sig_load_private(path, &key, NULL), 0);
	file_read(p, "00000002.ckpt", &b);
	for (r = rd_of(b.data, b.len); r.left;)
		assert_int_equal(checkpoint_next(&r, &n, NULL), 0);
	buf_init(&out, 1 << 16);
	buf_put(&out, b.data, (size_t)(n.p - b.data));
	assert_int_equal(checkpoint_sign(&n.c, key, &out), 0);
	file_write(p, "00000002.ckpt", out.data, out.len);
	sig_key_free(key);
	buf_done(&b);
	buf_done(&out);
}

static void copy_key(const struct place *q, const char *name, const struct place *p)
{
	char command[500];

	snprintf(command, sizeof(command), "cp %s/%s %s/%s", q->keys, name, p->keys, name);
	assert_int_equal(system(command), 0);
}

static void tamper_public_key(const struct place *p, const struct place *q)
{
	copy_key(q, "log.pub.pem", p);
}

/* The sensor goes on with a private key that is not its own. */
static void tamper_private_key(const struct place *p, const struct place *q)
{
	struct auditlog_options o = { .host = "h" };
	struct auditlog *log;

	copy_key(q, "log.key.pem", p);
	log = place_open(p, &o);
	append(log, "open");
	assert_int_equal(auditlog_close(log, NULL), 0);
}

static const struct tampering tamperings[] = {
	{ "flip", tamper_flip, "00000001.jsonl", "the record was changed" },
	{ "insert", tamper_insert, "00000001.jsonl", "a record that was not signed was put in here" },
	{ "delete", tamper_delete, "00000001.jsonl", "a record that was signed is missing here" },
	{ "duplicate", tamper_duplicate, "00000001.jsonl", "a record that was not signed was put in here" },
	{ "reorder", tamper_reorder, "00000001.jsonl", "have changed places" },
	{ "truncate", tamper_truncate, "00000001.jsonl", "more records were signed" },
	{ "splice a record of another host", tamper_splice_record, "00000001.jsonl", "the record was changed" },
	{ "splice a segment of another host", tamper_splice_host, "00000002.ckpt",
	  "is not the hash of the checkpoint" },
	{ "splice a segment of another epoch", tamper_splice_epoch, "00000002.ckpt", "it is another segment's" },
	{ "splice a record of another epoch", tamper_splice_epoch_record, "00000002.jsonl", "the record was changed" },
	{ "replace the newest checkpoint by the first", tamper_older_checkpoint, "00000002.ckpt", "another segment's" },
	{ "replace the newest checkpoint by one's own", tamper_own_checkpoint, "00000002.ckpt",
	  "signed by another key" },
	{ "replace the public key", tamper_public_key, "00000001.ckpt", "signed by another key" },
	{ "replace the private key", tamper_private_key, "00000003.ckpt", "is not the hash of the checkpoint" },
	/* the whole state put back: test_witness, a_log_that_was_put_back_is_found */
};

static void every_kind_of_tampering_is_named(void **state)
{
	struct auditlog_options o = { .segment_bytes = 700, .host = "other" };
	struct verify_report rep;
	struct auditlog *log;
	struct place p, q;
	char place[400];

	for (size_t i = 0; i < sizeof(tamperings) / sizeof(tamperings[0]); i++) {
		const struct tampering *t = &tamperings[i];

		place_small_log(&p);
		place_new(&q);
		log = place_open(&q, &o);
		for (int k = 0; k < 8; k++)
			append(log, "open"), k == 4 ? flush(log) : (void)0;
		assert_int_equal(auditlog_close(log, NULL), 0);
		assert_verifies(&p, &rep);
		t->with(&p, &q);
		if (place_verify(&p, &rep))
			fail_msg("%s: it was not found", t->what);
		verify_place(&rep, place, sizeof(place));
		if (strcmp(rep.file, t->file) != 0 || !strstr(rep.problem, t->words))
			fail_msg("%s: it is called %s", t->what, place);
		print_message("%-46s %s\n", t->what, place);
		place_remove(&p);
		place_remove(&q);
	}
}

/* One segment as it was written before there were epochs. */
static void old_segment(const struct place *p, struct sig_key *key, struct checkpoint *c, const char *const *kinds)
{
	char name[SEGMENT_NAME_SIZE], details[400];
	struct buf lines, leaves, note, root;
	struct merkle tree;
	merkle_hash leaf;

	buf_init(&lines, 1 << 16);
	buf_init(&leaves, 1 << 16);
	buf_init(&note, 1 << 12);
	buf_init(&root, 100);
	merkle_init(&tree);
	b64_encode(&root, c->prev_root, HASH_SIZE);
	snprintf(details, sizeof(details),
		 c->prev_segment
			 ? "{\"key\":\"%s\",\"number\":%d,\"prev\":{\"root\":\"%.*s\",\"segment\":%d,\"size\":%d}}"
			 : "{\"key\":\"%s\",\"number\":%d}",
		 sig_key_id(key), (int)c->segment, (int)root.len, (char *)root.data, (int)c->prev_segment,
		 (int)c->prev_size);
	for (; *kinds; kinds++) {
		const char *body = strcmp(*kinds, "segment") ? "{}" : details;
		size_t from = lines.len;

		line_render(&lines, *kinds, "h", ++c->seq, "2026-11-20T12:00:00.000000000Z",
			    (struct line_str){ body, strlen(body) });
		merkle_leaf(lines.data + from, lines.len - from, leaf);
		merkle_add(&tree, leaf);
		buf_put(&leaves, leaf, HASH_SIZE);
		buf_putc(&lines, '\n');
	}
	c->size = tree.size;
	merkle_root(&tree, c->root);
	assert_int_equal(checkpoint_sign(c, key, &note), 0);
	segment_name(c->segment, SEGMENT_LOG, name);
	file_write(p, name, lines.data, lines.len);
	segment_name(c->segment, SEGMENT_LEAF, name);
	file_write(p, name, leaves.data, leaves.len);
	segment_name(c->segment, SEGMENT_CKPT, name);
	file_write(p, name, note.data, note.len);
	file_write(p, "HEAD", note.data, note.len);
	hash_sha256(note.data, note.len, c->chain);
	c->chained = true;
	c->prev_segment = c->segment++;
	c->prev_size = c->size;
	memcpy(c->prev_root, c->root, HASH_SIZE);
	buf_done(&lines);
	buf_done(&leaves);
	buf_done(&note);
	buf_done(&root);
}

/* Several segments by one key, without `epoch` records. */
static void a_log_from_before_there_were_epochs_goes_on(void **state)
{
	static const char *const first[] = { "segment", "start", "loss", NULL };
	static const char *const second[] = { "segment", "loss", "stop", NULL };
	struct auditlog_options o = { .segment_bytes = 1, .host = "h" };
	struct checkpoint c = { .name = "tamis/h", .segment = 1, .time = "2026-11-20T12:00:00.000000000Z" };
	struct verify_report rep;
	struct sig_key *key;
	struct auditlog *log;
	char path[120];
	struct place p;

	place_new(&p);
	snprintf(path, sizeof(path), "%s/log.key.pem", p.keys);
	assert_int_equal(mkdir(p.keys, 0700) | mkdir(p.dir, 0700), 0);
	assert_int_equal(sig_keygen(path, p.pub, NULL), 0);
	assert_int_equal(sig_load_private(path, &key, NULL), 0);
	old_segment(&p, key, &c, first);
	old_segment(&p, key, &c, second);
	sig_key_free(key);
	assert_verifies(&p, &rep);
	assert_int_equal(rep.epochs, 1);
	log = place_open(&p, &o);
	append(log, "open");
	flush(log);
	append(log, "exec");
	auditlog_close(log, NULL);
	assert_verifies(&p, &rep);
	assert_int_equal(rep.segments, 4);
	assert_int_equal(rep.epochs, 3);
	assert_int_equal(rep.records, rep.last_seq);
	place_remove(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_is_written_and_verified),
		cmocka_unit_test(a_log_of_many_pieces_is_verified),
		cmocka_unit_test(the_tick_closes_a_batch_by_time_and_by_count),
		cmocka_unit_test(few_records_wait_less),
		cmocka_unit_test(two_writers_are_refused),
		cmocka_unit_test(what_is_no_record_is_refused),
		cmocka_unit_test(seq_and_segments_go_on_over_restarts),
		cmocka_unit_test(kinds_sort_to_their_place),
		cmocka_unit_test(times_are_rfc_3339),
		cmocka_unit_test(any_changed_byte_is_found),
		cmocka_unit_test(the_changed_record_is_named),
		cmocka_unit_test(deleted_doubled_and_moved_records_are_found),
		cmocka_unit_test(any_truncation_is_found),
		cmocka_unit_test(a_cut_at_a_checkpoint_is_found_by_head),
		cmocka_unit_test(a_removed_segment_is_found),
		cmocka_unit_test(a_torn_last_record_is_cut_off_and_told),
		cmocka_unit_test(unsigned_records_are_kept_and_signed),
		cmocka_unit_test(an_unclean_stop_is_a_gap),
		cmocka_unit_test(a_damaged_segment_is_left_as_evidence),
		cmocka_unit_test(a_lost_leaf_file_is_made_again),
		cmocka_unit_test(each_failing_call_is_survived),
		cmocka_unit_test(a_full_disk_and_a_crash_are_survived),
		cmocka_unit_test(a_long_full_disk_bounds_the_memory),
		cmocka_unit_test(a_crash_at_each_step_of_ending_an_epoch_is_survived),
		cmocka_unit_test(an_epoch_ends_by_age_also_without_alerts),
		cmocka_unit_test(the_key_of_an_epoch_is_overwritten),
		cmocka_unit_test(an_epoch_that_cannot_be_ended_goes_on_and_says_why),
		cmocka_unit_test(a_sealed_key_is_in_no_file),
		cmocka_unit_test(todays_key_cannot_sign_yesterdays_segment),
		cmocka_unit_test(a_replaced_epoch_record_is_found),
		cmocka_unit_test(old_segments_are_pruned),
		cmocka_unit_test(what_stays_of_a_pruned_segment_is_looked_at),
		cmocka_unit_test(pruning_by_another_hand_is_found),
		cmocka_unit_test(evidence_is_not_pruned),
		cmocka_unit_test(a_crash_at_each_step_of_pruning_is_survived),
		cmocka_unit_test(a_segment_of_another_log_is_found),
		cmocka_unit_test(every_kind_of_tampering_is_named),
		cmocka_unit_test(a_log_from_before_there_were_epochs_goes_on),
		cmocka_unit_test(another_logs_key_is_no_key),
		cmocka_unit_test(the_other_verifier_agreed),
	};

	other_missing = system("python3 -c '' 2>/dev/null && openssl version >/dev/null 2>&1") != 0;

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
