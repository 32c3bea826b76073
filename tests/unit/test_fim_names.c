/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hostile names from end to end: files that are named so change, each becomes an alert, the alert goes out in each format,
 * and the report shows it with who did it by the log. What comes out is read back: it names the very same file.
 */
#include "tests/unit/fim_bench.h"

#include <jansson.h>

#include "lib/jsonw.h"
#include "sensor/ctl/fim_who.h"
#include "sensor/export/export.h"
#include "sensor/fim/live.h"
#include "tamis/event.h"

#define LOG_SEGMENT                                                                                                    \
	"{\"host\":\"h\",\"kind\":\"segment\",\"segment\":{},\"seq\":1,\"time\":\"2026-11-21T08:00:00.000000000Z\","   \
	"\"v\":1}\n"
#define NAMES (sizeof(names) / sizeof(names[0]))

/* many bytes for what it shows */
#define UMLAUTS                                                                                                        \
	"\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"

static const char *const names[] = {
	"new\nline",
	"carriage\r\nreturn",
	"\033[31mred\033[0m",
	"\xff\xfe\xc3",
	"a,b;c",
	"\"double\" 'single' `back`",
	"a|b=c]d\\e",
	"=1+1",
	"-rf",
	"@SUM(A1)",
	"+1",
	"tab\there",
	"\\x0a",
	"\\",
	"%s%n$(id)",
	"{\"kind\":\"alert\"}",
	"</script><script>alert(1)", /* in the directory "<" */
	"<img src=x onerror=alert(1)>",
	"&amp; &#60;",
	"\xe2\x80\xaetxt.exe",	 /* from here on from right to left */
	"\xc2\x85 \xe2\x80\xa8", /* ends of lines that are not ASCII's */
	"\x01\x7f",
	" blank ",
	(UMLAUTS UMLAUTS UMLAUTS),
};

/* Who did it, with texts that are no friendlier. */
static const char who[] =
	"{\"args\":\"-c \\u001b[2J<b>|x=1\\n\",\"comm\":\"sh\",\"file\":{\"path\":\"/tmp/<i>\\\\xff\"},\"pid\":7,"
	"\"user\":\"ann<u>\",\"uid\":1000,\"container\":{\"id\":\"c0ffee\"},"
	"\"ancestors\":[{\"comm\":\"sshd&\",\"pid\":3},{\"file\":{\"path\":\"/sbin/init\"},\"pid\":1}]}";

struct names_bench {
	struct fim_bench b;
	struct live *live;
	struct buf line; /* the last alert, a line of the log */
	uint64_t seq;
};

static void begin(struct names_bench *t)
{
	*t = (struct names_bench){ .seq = 1 };
	buf_init(&t->line, 1 << 22);
	fim_begin(&t->b);
	fim_watch(&t->b, WATCH_STANDARD, 4096, false);
	fim_mkdir(&t->b, "<");
	fim_init(&t->b);
	t->live = fim_live(&t->b);
}

static void end(struct names_bench *t)
{
	live_close(t->live);
	buf_done(&t->line);
	fim_end(&t->b);
}

static void hear(void *ctx, const char *head, size_t head_len, const char *tail, size_t tail_len)
{
	struct names_bench *t = ctx;

	buf_reset(&t->line);
	buf_put(&t->line, head, head_len);
	buf_printf(&t->line, "\"seq\":%llu,", (unsigned long long)++t->seq);
	buf_put(&t->line, tail, tail_len);
	assert_int_equal(memchr(t->line.data, '\n', t->line.len) == NULL, 1);
}

/* Somebody makes the file: t->line is the alert. */
static void make(struct names_bench *t, const char *name)
{
	const char *path = fim_path(&t->b, name);
	struct touch touch = { .head = { .event = EV_OPEN,
					 .flags = TOUCH_NAMES,
					 .time_ns = 1700000000000000000ull,
					 .pid = 7,
					 .path_len = { (uint32_t)strlen(path) },
					 .process_len = sizeof(who) - 1 },
			       .path = { path, path },
			       .process = who };
	uint64_t seq = t->seq;

	fim_write(&t->b, name, "text\n");
	assert_int_equal(live_touch(t->live, &touch, 1000), 0);
	while (live_step(t->live, 2000, 1700000001000000000ull, hear, t))
		;
	assert_int_equal(t->seq, seq + 1);
}

/* As the log writes bytes: read back, it is the path. */
static void assert_names(const struct names_bench *t, const char *text, const char *name)
{
	struct buf path;

	assert_non_null(text);
	buf_init(&path, 1 << 16);
	jsonw_bytes(&path, text);
	assert_string_equal(buf_cstr(&path), fim_path(&t->b, name));
	buf_done(&path);
}

/* CEF's own quoting undone, up to the next key. */
static void cef_value(const char *line, const char *key, char *ret, size_t size)
{
	const char *p = strstr(line, key);
	size_t n = 0;

	assert_non_null(p);
	for (p += strlen(key); *p && strncmp(p, " cs1=", 5) != 0 && n + 1 < size; p++) {
		bool quoted = *p == '\\';

		p += quoted;
		ret[n++] = quoted && *p == 'n' ? '\n' : quoted && *p == 'r' ? '\r' : *p;
	}
	ret[n] = '\0';
}

static void read_back(const struct names_bench *t, const char *format, const struct buf *out, const char *name)
{
	char value[8192];
	json_t *o = NULL;

	if (strcmp(format, "cef") == 0) {
		cef_value((const char *)out->data, " filePath=", value, sizeof(value));
		assert_names(t, value, name);
	} else if (strcmp(format, "ecs") == 0 || strcmp(format, "ocsf") == 0) {
		o = json_loads((const char *)out->data, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, NULL);
		assert_names(t, json_string_value(json_object_get(json_object_get(o, "file"), "path")), name);
	} else if (strcmp(format, "syslog") == 0) {
		/* the message is the record */
		const char *message = strstr((const char *)out->data, "\xef\xbb\xbf{");

		assert_non_null(message);
		o = json_loads(message + 3, JSON_REJECT_DUPLICATES, NULL);
		assert_names(t, json_string_value(json_object_get(json_object_get(o, "integrity"), "path")), name);
	}
	json_decref(o);
}

static void append(const struct names_bench *t, const char *name, const void *p, size_t n)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", t->b.dir, name);
	f = fopen(path, "ae");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void assert_plain(const struct buf *out, size_t lines)
{
	for (size_t i = 0; i < out->len; i++) {
		lines -= out->data[i] == '\n';
		if (out->data[i] < 0x20 && out->data[i] != '\n') /* 0x7f stands for itself in canonical JSON */
			fail_msg("byte %02x in %.*s", out->data[i], (int)out->len, out->data);
	}
	assert_int_equal(lines, 0);
}

/* One line, without a byte that moves a cursor, and it names the file. */
static void test_exports(void **state)
{
	struct names_bench t;
	struct err e = { "" };
	char command[300];
	struct buf out;

	begin(&t);
	buf_init(&out, 1 << 22);
	for (size_t i = 0; i < NAMES; i++) {
		if (strchr(names[i], '/'))
			continue;
		make(&t, names[i]);
		for (const struct export_format *f = export_formats; f->name; f++) {
			buf_reset(&out);
			if (export_record(f, (const char *)t.line.data, t.line.len, &out, &e) < 0)
				fail_msg("%s: %s", f->name, e.msg);
			assert_int_equal(out.data[out.len - 1], '\n');
			assert_plain(&out,
				     strcmp(f->name, "ocsf") == 0 ? 2 : 1); /* OCSF: what was done, and the finding */
			append(&t, f->name, out.data, out.len);
			out.data[out.len - 1] = '\0';
			read_back(&t, f->name, &out, names[i]);
		}
	}
	for (const struct export_format *f = export_formats; f->name; f++) {
		snprintf(command, sizeof(command), "tests/export/validate %s %s/%s", f->name, t.b.dir, f->name);
		if (strcmp(f->name, "jsonl") != 0)
			assert_int_equal(system(command), 0);
	}
	buf_done(&out);
	end(&t);
}

static char *read_file(const char *path)
{
	char *text = calloc(1, 8 << 20);
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	assert_true(fread(text, 1, (8 << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

static void make_report(struct names_bench *t, const char *path, char **ret)
{
	struct baseline_options o = fim_options(&t->b);
	struct baseline base = { .root_fd = -1 };
	struct fim_who *w = NULL;
	struct report_log log;
	struct err e = { "" };

	if (baseline_open(&o, STORE_READ, &base, &e) < 0 || fim_who_open(&base, t->b.state, &w, &log, &e) < 0 ||
	    report_html(&base, path, &log, &e) < 0)
		fail_msg("%s", e.msg);
	fim_who_close(w);
	baseline_close(&base);
	*ret = read_file(path);
}

static void assert_has(const char *page, const char *text)
{
	if (!strstr(page, text))
		fail_msg("the report lacks %s", text);
}

/* The report says who made each file, by the log's alerts, and nothing that is in a name is markup or moves a cursor. */
static void test_report(void **state)
{
	struct names_bench t;
	char dir[120], path[120], *page;

	begin(&t);
	snprintf(dir, sizeof(dir), "%s/log", t.b.state);
	snprintf(path, sizeof(path), "%s/report.html", t.b.dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	append(&t, "state/log/00000001.jsonl", LOG_SEGMENT, strlen(LOG_SEGMENT));
	for (size_t i = 0; i < NAMES; i++) {
		make(&t, names[i]);
		buf_putc(&t.line, '\n');
		append(&t, "state/log/00000001.jsonl", t.line.data, t.line.len);
	}
	fim_write(&t.b, "unseen", "nobody told\n");
	fim_write(&t.b, "a,b;c", "and once more, which nobody told either\n");
	assert_int_equal(fim_check(&t.b).added, NAMES + 1);
	make_report(&t, path, &page);

	for (const char *p = page; *p; p++)
		if (((uint8_t)*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f)
			fail_msg("byte %02x", (uint8_t)*p);
	assert_null(strstr(page, "<img"));
	assert_null(strstr(page, "<script>alert"));
	assert_null(strstr(page, "<i>"));
	assert_null(strstr(page, "<u>"));
	assert_null(strstr(page, "<b>|"));
	assert_null(strstr(page, "\xe2\x80\xae"));
	assert_has(page, "new\\x0aline");
	assert_has(page, "\\xff\\xfe\\xc3");
	assert_has(page, "\\x1b[31mred");
	assert_has(page, "&lt;img src=x onerror=alert(1)&gt;");
	assert_has(page, "&amp;amp; &amp;#60;");
	assert_has(page, "<span class=by>/tmp/&lt;i&gt;\\xff (ann&lt;u&gt;)</span>");
	assert_has(page, "-c \\x1b[2J&lt;b&gt;|x=1\\x0a");
	assert_has(page, "<div class=dim>run by sshd&amp; 3 &larr; /sbin/init 1</div>");
	assert_has(page, "ann&lt;u&gt; (1000)");
	assert_has(page, "c0ffee");
	assert_has(page, "The file was changed again since");
	assert_has(page, "Who did it is not known: the log has no alert about it.");
	free(page);
	end(&t);
}

/* No log, one that is damaged, and an alert that says odd things: the report is made, and says what it does not know. */
static void test_log(void **state)
{
	static const char odd[] =
		"{\"event\":{\"type\":\"integrity\"},\"host\":\"h\",\"integrity\":{\"after\":7,\"kind\":\"added\","
		"\"path\":\"%s/odd\",\"watched\":false},\"kind\":\"alert\",\"process\":[],\"rule\":{},\"seq\":2,"
		"\"time\":\"2026-11-21T08:00:00.000000000Z\",\"touched\":[7,{\"pid\":\"x\",\"process\":{\"ancestors\":9}},"
		"{\"time\":3}],\"touched_before\":5,\"v\":1}\n";
	struct names_bench t;
	char dir[120], path[120], line[1000], *page;

	begin(&t);
	snprintf(dir, sizeof(dir), "%s/log", t.b.state);
	snprintf(path, sizeof(path), "%s/report.html", t.b.dir);
	fim_write(&t.b, "odd", "text\n");
	assert_int_equal(fim_check(&t.b).added, 1);
	make_report(&t, path, &page);
	assert_has(page, "cannot be read");
	free(page);

	assert_int_equal(mkdir(dir, 0700), 0);
	append(&t, "state/log/00000001.jsonl", LOG_SEGMENT, strlen(LOG_SEGMENT));
	snprintf(line, sizeof(line), odd, t.b.tree);
	append(&t, "state/log/00000001.jsonl", line, strlen(line));
	append(&t, "state/log/00000001.jsonl", "{\"torn", 6);
	make_report(&t, path, &page);
	assert_has(page, "Nobody was watching when it happened");
	assert_has(page, "not known any more");
	assert_has(page, "and 5 times before");
	free(page);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exports),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
