/* SPDX-License-Identifier: Apache-2.0 */
/* Watched files as they change: touches come in, alerts come out. The clock is the test's. */
#include "tests/unit/fim_bench.h"

#include <jansson.h>

#include "sensor/fim/live.h"
#include "tamis/event.h"

#define MS	1000000u
#define WHO_ONE "{\"pid\":1}"
#define WHO_TWO "{\"pid\":2}"

/* The last alert, and how many there were. */
struct heard {
	json_t *alert;
	unsigned int n;
};

static void hear(void *ctx, const char *head, size_t head_len, const char *tail, size_t tail_len)
{
	struct heard *h = ctx;
	char *text = malloc(head_len + 16 + tail_len);

	memcpy(text, head, head_len);
	memcpy(text + head_len, "\"seq\":7,", 8);
	memcpy(text + head_len + 8, tail, tail_len);
	json_decref(h->alert);
	h->alert = json_loadb(text, head_len + 8 + tail_len, JSON_REJECT_DUPLICATES, NULL);
	if (!h->alert)
		fail_msg("no JSON: %.*s", (int)(head_len + 8 + tail_len), text);
	h->n++;
	free(text);
}

static const char *text_at(const json_t *j, const char *a, const char *b)
{
	return json_string_value(json_object_get(json_object_get(j, a), b));
}

struct live_bench {
	struct fim_bench b;
	struct live *live;
	struct heard heard;
	uint64_t now;
};

static void begin(struct live_bench *t, uint32_t attrs)
{
	*t = (struct live_bench){ .now = 1000 * MS };
	fim_begin(&t->b);
	fim_watch(&t->b, attrs, 4096, false);
	fim_write(&t->b, "a", "one\n");
	fim_write(&t->b, "b", "two\n");
	fim_init(&t->b);
	t->live = fim_live(&t->b);
}

static void end(struct live_bench *t)
{
	live_close(t->live);
	json_decref(t->heard.alert);
	fim_end(&t->b);
}

static int touch(struct live_bench *t, const char *name, uint16_t event, uint16_t flags, const char *who)
{
	const char *path = fim_path(&t->b, name);
	struct touch touch = { .head = { .event = event,
					 .flags = flags,
					 .time_ns = 1700000000ull * 1000 * MS,
					 .pid = (uint32_t)(who[7] - '0'),
					 .path_len = { (uint32_t)strlen(path) },
					 .process_len = (uint32_t)strlen(who) },
			       .path = { path, path },
			       .process = who };

	return live_touch(t->live, &touch, t->now);
}

/* Everything that is due at @now is looked at; how many alerts that gave. */
static unsigned int step(struct live_bench *t)
{
	unsigned int before = t->heard.n;

	while (live_step(t->live, t->now, 1700000001ull * 1000 * MS, hear, &t->heard))
		;
	return t->heard.n - before;
}

/* Until there are @n alerts in all: what a thread reads takes its time. */
static void step_until(struct live_bench *t, unsigned int n)
{
	for (int i = 0; i < 10000 && t->heard.n < n; i++) {
		usleep(1000);
		t->now += 20 * MS;
		step(t);
	}
	assert_int_equal(t->heard.n, n);
}

static void test_one_alert(void **state)
{
	struct live_bench t;
	const json_t *by;

	begin(&t, WATCH_STANDARD);
	fim_write(&t.b, "a", "one\nmore\n");
	assert_int_equal(touch(&t, "a", EV_OPEN, TOUCH_NAMES, WHO_ONE), 0);
	assert_int_equal(touch(&t, "a", EV_WRITE, 0, WHO_ONE), 0);
	assert_int_equal(touch(&t, "a", EV_WRITE, 0, WHO_ONE), 0);
	assert_int_equal(touch(&t, "a", EV_WRITE, 0, WHO_TWO), 0);
	assert_int_equal(step(&t), 1);
	assert_string_equal(text_at(t.heard.alert, "event", "type"), "integrity");
	assert_string_equal(text_at(t.heard.alert, "integrity", "kind"), "changed");
	assert_string_equal(text_at(t.heard.alert, "integrity", "path"), fim_path(&t.b, "a"));
	assert_string_equal(text_at(t.heard.alert, "integrity", "diff"), "@@ -1 +1,2 @@\n one\n+more\n");
	assert_string_equal(text_at(t.heard.alert, "rule", "id"), "tree");
	assert_string_equal(text_at(t.heard.alert, "rule", "severity"), "medium");
	by = json_object_get(t.heard.alert, "touched");
	assert_int_equal(json_array_size(by), 3); /* open; two writes; the other's write */
	assert_int_equal(json_integer_value(json_object_get(json_array_get(by, 1), "count")), 2);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(t.heard.alert, "process"), "pid")), 2);
	end(&t);
}

#define LARGE (256 << 20) /* takes longer to read than a test is kept from going on */

/* A large file is read beside: small ones do not wait for it, and what it is told as is what it became. */
static void test_large(void **state)
{
	struct live_bench t;
	json_t *after;

	begin(&t, WATCH_STANDARD);
	assert_int_equal(truncate(fim_path(&t.b, "b"), LARGE), 0);
	touch(&t, "b", EV_WRITE, 0, WHO_ONE);
	t.now += 1;
	assert_int_equal(step(&t), 0); /* it is being read */
	fim_write(&t.b, "a", "small\n");
	touch(&t, "a", EV_WRITE, 0, WHO_TWO);
	t.now += 1;
	assert_int_equal(step(&t), 1);
	assert_string_equal(text_at(t.heard.alert, "integrity", "path"), fim_path(&t.b, "a"));
	touch(&t, "b", EV_WRITE, 0, WHO_ONE); /* nothing comes of it but one more look */
	step_until(&t, 2);
	assert_string_equal(text_at(t.heard.alert, "integrity", "path"), fim_path(&t.b, "b"));
	after = json_object_get(json_object_get(t.heard.alert, "integrity"), "after");
	assert_int_equal(json_integer_value(json_object_get(after, "size")), LARGE);
	assert_int_not_equal(live_due_ns(t.live), UINT64_MAX); /* it was touched meanwhile */
	for (int i = 0; i < 10000 && live_due_ns(t.live) != UINT64_MAX; i++) {
		usleep(1000);
		t.now += 100 * MS;
		assert_int_equal(step(&t), 0);
	}
	assert_int_equal(live_due_ns(t.live), UINT64_MAX);
	/* gone while it is read: the thread's result is nobody's */
	assert_int_equal(truncate(fim_path(&t.b, "b"), 2 * LARGE), 0);
	touch(&t, "b", EV_WRITE, 0, WHO_ONE);
	t.now += 1;
	assert_int_equal(step(&t), 0);
	assert_int_equal(unlink(fim_path(&t.b, "b")), 0);
	touch(&t, "b", EV_UNLINK, TOUCH_NAMES, WHO_ONE);
	step_until(&t, 3);
	assert_string_equal(text_at(t.heard.alert, "integrity", "kind"), "removed");
	end(&t);
}

/* The same state is told once; another one again, with all who came since it was as it should be; none when it is so again. */
static void test_states(void **state)
{
	struct live_stats s;
	struct live_bench t;

	begin(&t, WATCH_STANDARD);
	fim_write(&t.b, "a", "x");
	touch(&t, "a", EV_WRITE, 0, WHO_ONE);
	t.now += 1;
	assert_int_equal(step(&t), 1);
	touch(&t, "a", EV_WRITE, 0, WHO_TWO);
	t.now += 1;
	assert_int_equal(step(&t), 0);
	fim_write(&t.b, "a", "y");
	touch(&t, "a", EV_WRITE, 0, WHO_TWO);
	t.now += 1;
	assert_int_equal(step(&t), 1);
	assert_int_equal(json_array_size(json_object_get(t.heard.alert, "touched")), 2);
	live_stats(t.live, &s);
	assert_int_equal(s.changed, 1);
	fim_write(&t.b, "a", "one\n");
	touch(&t, "a", EV_WRITE, 0, WHO_TWO);
	t.now += 1;
	assert_int_equal(step(&t), 0);
	live_stats(t.live, &s);
	assert_int_equal(s.changed, 0);
	fim_write(&t.b, "a", "z");
	touch(&t, "a", EV_WRITE, 0, WHO_TWO);
	t.now += 1;
	assert_int_equal(step(&t), 1);
	assert_int_equal(json_array_size(json_object_get(t.heard.alert, "touched")), 1);
	end(&t);
}

static void test_names(void **state)
{
	struct live_bench t;

	begin(&t, WATCH_STANDARD);
	unlink(fim_path(&t.b, "b"));
	touch(&t, "b", EV_UNLINK, TOUCH_NAMES, WHO_ONE);
	t.now += 1;
	assert_int_equal(step(&t), 1);
	assert_string_equal(text_at(t.heard.alert, "integrity", "kind"), "removed");
	fim_mkdir(&t.b, "d");
	fim_write(&t.b, "d/new", "x");
	touch(&t, "d", EV_RENAME, TOUCH_NAMES | TOUCH_TREE,
	      WHO_ONE); /* as if it had been moved here with what is in it */
	t.now += 1;
	assert_int_equal(step(&t), 2);
	assert_string_equal(text_at(t.heard.alert, "integrity", "kind"), "added");
	assert_string_equal(text_at(t.heard.alert, "integrity", "path"), fim_path(&t.b, "d/new"));
	end(&t);
}

/* A file is looked at when it was left alone for so long, or after four times as long. */
static void test_debounce(void **state)
{
	struct watch_list list;
	struct live_bench t;
	struct err e = { "" };
	struct buf packed;

	begin(&t, WATCH_STANDARD);
	assert_int_equal(watch_unpack(t.b.watches.data, t.b.watches.len, &list, &e), 0);
	list.v[0].debounce_ms = 100;
	buf_init(&packed, 1 << 20);
	assert_int_equal(watch_pack(&list, &packed), 0);
	assert_int_equal(live_watches(t.live, packed.data, packed.len, &e), 0);
	watch_list_done(&list);
	buf_done(&packed);

	fim_write(&t.b, "a", "x");
	touch(&t, "a", EV_WRITE, 0, WHO_ONE);
	t.now += 60 * MS;
	touch(&t, "a", EV_WRITE, 0, WHO_ONE);
	t.now += 99 * MS;
	assert_int_equal(step(&t), 0);
	t.now += 1 * MS;
	assert_int_equal(step(&t), 1);

	fim_write(&t.b, "a", "y");
	for (int i = 0; i < 10; i++, t.now += 50 * MS) {
		touch(&t, "a", EV_WRITE, 0, WHO_ONE);
		assert_int_equal(step(&t), i == 8);
	}
	end(&t);
}

/* More files than there is room for: refused until some were looked at, and those that were told of give way. */
static void test_room(void **state)
{
	struct live_bench t;
	struct live_stats s;
	char name[32];
	unsigned int n;

	begin(&t, WATCH_STANDARD);
	for (n = 0; n < LIVE_PATHS_MAX + 10; n++) {
		snprintf(name, sizeof(name), "f%06u", n);
		if (touch(&t, name, EV_UNLINK, 0, WHO_ONE) == -ENOSPC)
			break;
	}
	assert_int_equal(n, LIVE_PATHS_MAX);
	t.now += 1;
	assert_true(live_step(t.live, t.now, 0, hear, &t.heard));
	assert_int_equal(touch(&t, name, EV_UNLINK, 0, WHO_ONE), 0);
	t.now += 1;
	step(&t);
	live_stats(t.live, &s);
	assert_int_equal(s.queued, 0);
	assert_int_equal(s.touches, LIVE_PATHS_MAX + 1);
	assert_int_equal(s.findings, 0);
	end(&t);
}

static void reopen(struct live_bench *t)
{
	live_save(t->live);
	live_close(t->live);
	t->live = fim_live(&t->b);
}

/* What was told is not told again after a new start, until it was otherwise in between. */
static void test_new_start(void **state)
{
	struct live_stats s;
	struct live_bench t;

	begin(&t, WATCH_STANDARD);
	fim_write(&t.b, "a", "x");
	unlink(fim_path(&t.b, "b"));
	touch(&t, "a", EV_WRITE, 0, WHO_ONE);
	touch(&t, "b", EV_UNLINK, 0, WHO_ONE);
	t.now += 1;
	assert_int_equal(step(&t), 2);
	for (int i = 0; i < 2; i++) { /* the second time, of what nobody has looked at since the first */
		reopen(&t);
		if (i == 0)
			touch(&t, "a", EV_WRITE, 0, WHO_TWO);
		t.now += 1;
		assert_int_equal(step(&t), 0);
	}
	touch(&t, "a", EV_WRITE, 0, WHO_TWO);
	touch(&t, "b", EV_UNLINK, 0, WHO_TWO);
	t.now += 1;
	assert_int_equal(step(&t), 0);
	live_stats(t.live, &s);
	assert_int_equal(s.known, 2);
	assert_int_equal(s.changed, 2);
	fim_write(&t.b, "a", "y");
	touch(&t, "a", EV_WRITE, 0, WHO_TWO);
	t.now += 1;
	assert_int_equal(step(&t), 1);
	fim_write(&t.b, "a", "one\n");
	touch(&t, "a", EV_WRITE, 0, WHO_TWO);
	t.now += 1;
	assert_int_equal(step(&t), 0);
	reopen(&t);
	fim_write(&t.b, "a", "x");
	touch(&t, "a", EV_WRITE, 0, WHO_TWO);
	t.now += 1;
	assert_int_equal(step(&t), 1);
	end(&t);
}

/* What was kept of that is sealed: who edits it makes us tell again, and hides nothing. */
static void test_edited_told(void **state)
{
	struct live_bench t;
	char path[128];
	uint8_t byte;
	int fd;

	begin(&t, WATCH_STANDARD);
	fim_write(&t.b, "a", "x");
	touch(&t, "a", EV_WRITE, 0, WHO_ONE);
	t.now += 1;
	assert_int_equal(step(&t), 1);
	live_save(t.live);
	snprintf(path, sizeof(path), "%s/baseline.told", t.b.state);
	fd = open(path, O_RDWR);
	assert_int_equal(lseek(fd, 0, SEEK_END), 24 + 16);
	assert_int_equal(pread(fd, &byte, 1, 23), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 23), 1);
	close(fd);
	reopen(&t);
	touch(&t, "a", EV_WRITE, 0, WHO_TWO);
	t.now += 1;
	assert_int_equal(step(&t), 1);
	end(&t);
}

static bool pick_all(void *ctx, const char *path, size_t len)
{
	return true;
}

static void refused(void *ctx, const char *path, size_t len, const char *why)
{
	fail_msg("%.*s: %s", (int)len, path, why);
}

/* What somebody accepts does not differ any more, and the inodes are the baseline's of now. */
static void test_accepted(void **state)
{
	struct baseline_accept a = { .pick = pick_all, .refused = refused };
	struct baseline_options o;
	struct live_stats s;
	struct live_bench t;
	struct err e = { "" };
	uint64_t ino;
	uint32_t dev;

	begin(&t, WATCH_STANDARD);
	assert_int_equal(live_inodes(t.live, 0, &ino, &dev), 2);
	fim_write(&t.b, "a", "x");
	fim_write(&t.b, "c", "new");
	touch(&t, "a", EV_WRITE, 0, WHO_ONE);
	touch(&t, "c", EV_OPEN, TOUCH_NAMES, WHO_ONE);
	t.now += 1;
	assert_int_equal(step(&t), 2);
	assert_false(live_tick(t.live, t.now));
	fim_check(&t.b);
	o = fim_options(&t.b);
	if (baseline_accept(&o, &a, &e) < 0)
		fail_msg("%s", e.msg);
	t.now += 20000 * (uint64_t)MS;
	assert_true(live_tick(t.live, t.now));
	assert_int_equal(step(&t), 0);
	live_stats(t.live, &s);
	assert_int_equal(s.changed, 0);
	assert_int_equal(s.files, 4); /* the tree, too */
	assert_int_equal(live_inodes(t.live, 0, &ino, &dev), 3);
	end(&t);
}

static void test_bytes(void **state)
{
	struct touch out, in = { .head = { .event = EV_RENAME, .pid = 5, .path_len = { 4, 5 }, .process_len = 2 },
				 .path = { "/a/b", "/a/bc" },
				 .process = "{}" };
	struct buf b;
	size_t off = 0;

	buf_init(&b, 65536);
	assert_int_equal(touch_put(&b, &in), 0);
	assert_int_equal(touch_put(&b, &in), 0);
	assert_int_equal(touch_next(b.data, b.len, &off, &out), 1);
	assert_int_equal(touch_next(b.data, b.len, &off, &out), 1);
	assert_memory_equal(out.path[1], "/a/bc", 5);
	assert_int_equal(touch_next(b.data, b.len, &off, &out), 0);
	for (size_t n = 1; n < b.len; n++) {
		off = 0;
		while (off < n && touch_next(b.data, n, &off, &out) == 1)
			;
		assert_true(off == 0 || off == b.len / 2);
	}
	for (size_t bit = 0; bit < 8 * b.len; bit++) {
		b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		for (off = 0; touch_next(b.data, b.len, &off, &out) == 1;)
			assert_true(out.path[0][0] == '/' && out.head.event < EV_TYPES);
		b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_alert), cmocka_unit_test(test_large),	    cmocka_unit_test(test_states),
		cmocka_unit_test(test_names),	  cmocka_unit_test(test_new_start), cmocka_unit_test(test_edited_told),
		cmocka_unit_test(test_accepted),  cmocka_unit_test(test_debounce),  cmocka_unit_test(test_room),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
