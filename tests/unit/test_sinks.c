/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The sinks as they are loaded: the built modules, sanitized where this test is, against collectors that take what comes, go away
 * in the middle, or are not there. What they do within the sensor is tests/system/sensor-sinks*.sh's business.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/buf.h"
#include "tamis/sink.h"

static char dir[64];
static const char *settings[12][2];

static const char *get_setting(const struct tamis_sink_env *env, const char *name)
{
	for (size_t i = 0; settings[i][0]; i++)
		if (strcmp(settings[i][0], name) == 0)
			return settings[i][1];
	return "";
}

/* In pairs, a NULL at the end. */
static void set(const char *name, ...)
{
	size_t n = 0;
	va_list ap;

	va_start(ap, name);
	for (; name; name = va_arg(ap, const char *)) {
		settings[n][0] = name;
		settings[n++][1] = va_arg(ap, const char *);
	}
	va_end(ap);
	settings[n][0] = NULL;
}

/* NULL: it is not built here. A module stays loaded, as it does in its process. */
static const struct tamis_sink_module *module(const char *type)
{
	const char *build = getenv("TAMIS_BUILD");
	char path[256];
	void *so;

	snprintf(path, sizeof(path), "%s/sinks/tamis-sink-%s.so", build ? build : "build", type);
	if (access(path, F_OK) < 0)
		return NULL;
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!so)
		fail_msg("%s", dlerror());
	return dlsym(so, TAMIS_SINK_SYMBOL);
}

static int sink_open(const struct tamis_sink_module *m, const char *type, void **ret, struct tamis_sink_error *e)
{
	static struct tamis_sink_env env;

	env = (struct tamis_sink_env){ .abi = TAMIS_SINK_ABI,
				       .name = "s",
				       .type = type,
				       .content_type = "application/json",
				       .timeout_ms = 1000,
				       .get = get_setting };
	assert_int_equal(m->abi, TAMIS_SINK_ABI);
	e->text[0] = '\0';
	return m->open(&env, ret, e);
}

static struct tamis_sink_message message(uint64_t seq)
{
	static const struct tamis_sink_field fields[] = { { "rule", "a_rule" }, { NULL, NULL } };
	static char text[64][4096], id[64][32];
	size_t i = seq % 64;
	/* of all lengths, the longest beyond what a socket's buffer is filled by at once */
	int n = snprintf(text[i], sizeof(text[i]), "{\"pad\":\"%0*d\",\"seq\":%d}", (int)(seq * 97 % 4000), 0,
			 (int)seq);

	snprintf(id[i], sizeof(id[i]), "web-1/%d", (int)seq);
	return (struct tamis_sink_message){ .text = text[i],
					    .len = (size_t)n,
					    .id = id[i],
					    .key = "web-1",
					    .seq = seq,
					    .segment = 1,
					    .index = seq - 1,
					    .time_ns = 1700000000000000000ull,
					    .fields = fields };
}

/* So many messages from seq on, all of which have to be taken; the rest of a batch is sent again, as the sensor does. */
static void send_all(const struct tamis_sink_module *m, void *sink, uint64_t seq, size_t n)
{
	struct tamis_sink_message batch[32];
	struct tamis_sink_error e = { "" };

	for (size_t i = 0; i < n; i++)
		batch[i] = message(seq + i);
	for (size_t done = 0; done < n;) {
		struct tamis_sink_result r = { 0 };

		if (m->send(sink, batch + done, n - done, &r, &e) < 0)
			fail_msg("%s", e.text);
		assert_true(r.taken > 0 && r.taken <= n - done);
		done += r.taken;
	}
}

/* ---- a collector ---------------------------------------------------------------------------------------------------- */

static struct collector {
	int fd;	     /* listens */
	size_t stop; /* goes away after so many bytes */
	struct buf got;
	pthread_t thread;
} col;

static void *collect(void *arg)
{
	int peer = accept(col.fd, NULL, NULL);
	uint8_t some[1000];
	ssize_t n;

	while (col.got.len < col.stop && (n = read(peer, some, sizeof(some))) > 0)
		buf_put(&col.got, some, (size_t)n);
	close(peer);
	close(col.fd);
	return NULL;
}

static void collect_begin(int family, const void *address, socklen_t n, size_t stop)
{
	col.fd = socket(family, SOCK_STREAM, 0);
	col.stop = stop;
	buf_init(&col.got, 1u << 24);
	assert_true(col.fd >= 0);
	assert_int_equal(bind(col.fd, address, n), 0);
	assert_int_equal(listen(col.fd, 1), 0);
	assert_int_equal(pthread_create(&col.thread, NULL, collect, NULL), 0);
}

static void collect_unix(const char *path, size_t stop)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	collect_begin(AF_UNIX, &a, sizeof(a), stop);
}

/* The port, as text. */
static const char *collect_tcp(size_t stop)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	static char port[8];

	collect_begin(AF_INET, &a, sizeof(a), stop);
	assert_int_equal(getsockname(col.fd, (struct sockaddr *)&a, &n), 0);
	snprintf(port, sizeof(port), "%u", ntohs(a.sin_port));
	return port;
}

static void collect_end(void)
{
	pthread_join(col.thread, NULL);
}

/* Each message from seq on, n of them, with what is before and behind it. */
static void assert_got(const struct buf *b, uint64_t seq, size_t n, bool counted)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		struct tamis_sink_message m = message(seq + i);
		char count[16] = "";

		if (counted)
			snprintf(count, sizeof(count), "%zu ", m.len);
		assert_true(b->len - at >= strlen(count) + m.len + !counted);
		assert_memory_equal(b->data + at, count, strlen(count));
		at += strlen(count);
		assert_memory_equal(b->data + at, m.text, m.len);
		at += m.len;
		if (!counted)
			assert_int_equal(b->data[at++], '\n');
	}
	assert_int_equal(at, b->len);
}

/* ---- tests ----------------------------------------------------------------------------------------------------------- */

static void slurp(const char *path, struct buf *ret)
{
	FILE *f = fopen(path, "re");
	uint8_t some[4096];
	size_t n;

	buf_init(ret, 1u << 24);
	assert_non_null(f);
	while ((n = fread(some, 1, sizeof(some), f)))
		buf_put(ret, some, n);
	fclose(f);
}

static void a_file_is_turned_over(void **state)
{
	const struct tamis_sink_module *m = module("file");
	char path[100], turned[120];
	struct tamis_sink_error e;
	struct buf b;
	void *sink;
	FILE *f;

	assert_non_null(m);
	snprintf(path, sizeof(path), "%s/out", dir);
	snprintf(turned, sizeof(turned), "%s.1", path);
	set("path", path, "max-bytes", "4K", "keep", "1", "sync", "yes", NULL);
	/* what a crash left */
	f = fopen(path, "we");
	fputs("{\"hal", f);
	fclose(f);
	if (sink_open(m, "file", &sink, &e) < 0)
		fail_msg("%s", e.text);
	send_all(m, sink, 1, 10);
	send_all(m, sink, 11, 1);
	m->close(sink);
	slurp(path, &b);
	assert_true(b.len > 0);
	assert_int_equal(b.data[b.len - 1], '\n');
	assert_true(memmem(b.data, b.len, "\"seq\":11}\n", 10) != NULL);
	buf_done(&b);
	slurp(turned, &b);
	assert_memory_equal(b.data, "{\"hal\n", 6);
	assert_true(memmem(b.data, b.len, "\"seq\":1}\n", 9) != NULL);
	buf_done(&b);
	/* a directory is no file */
	set("path", dir, NULL);
	assert_true(sink_open(m, "file", &sink, &e) < 0);
	assert_true(*e.text);
}

static void a_stream_is_read(void **state)
{
	const struct tamis_sink_module *m = module("unix");
	struct tamis_sink_result r = { 0 };
	struct tamis_sink_message one = message(9);
	struct tamis_sink_error e;
	char path[100];
	void *sink;

	assert_non_null(m);
	snprintf(path, sizeof(path), "%s/sock", dir);
	set("path", path, NULL);
	collect_unix(path, SIZE_MAX);
	assert_int_equal(sink_open(m, "unix", &sink, &e), 0);
	send_all(m, sink, 1, 32);
	send_all(m, sink, 33, 8);
	m->close(sink);
	collect_end();
	assert_got(&col.got, 1, 40, false);
	buf_done(&col.got);
	/* its reader goes away in the middle */
	collect_unix(path, 1);
	assert_int_equal(sink_open(m, "unix", &sink, &e), 0);
	send_all(m, sink, 1, 1);
	collect_end();
	assert_true(m->send(sink, &one, 1, &r, &e) < 0);
	assert_int_equal(r.taken, 0);
	assert_true(*e.text);
	m->close(sink);
	buf_done(&col.got);
}

static void syslog_is_counted(void **state)
{
	const struct tamis_sink_module *m = module("syslog");
	struct tamis_sink_error e;
	void *sink;

	assert_non_null(m);
	set("host", "127.0.0.1", "port", collect_tcp(SIZE_MAX), NULL);
	if (sink_open(m, "syslog", &sink, &e) < 0)
		fail_msg("%s", e.text);
	send_all(m, sink, 1, 32);
	m->close(sink);
	collect_end();
	assert_got(&col.got, 1, 32, true);
	buf_done(&col.got);
	/* what answers a TLS handshake is no TLS */
	set("host", "127.0.0.1", "port", collect_tcp(1), "tls", "yes", NULL);
	assert_true(sink_open(m, "syslog", &sink, &e) < 0);
	assert_true(*e.text);
	collect_end();
	buf_done(&col.got);
}

/* A collector that is not there is an error that says so, from open or from send, however often it is tried. */
static void nobody_is_there(void **state)
{
	static const char *const types[][2] = { { "unix", "unix" }, { "syslog", "syslog" }, { "http", "webhook" },
						{ "http", "otlp" }, { "kafka", "kafka" },   { "nats", "nats" } };
	char path[100];

	snprintf(path, sizeof(path), "%s/nobody", dir);
	set("path", path, "host", "127.0.0.1", "port", "1", "url", "http://127.0.0.1:1/x", "brokers", "127.0.0.1:1",
	    "topic", "t", "servers", "nats://127.0.0.1:1", "subject", "t", NULL);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const struct tamis_sink_module *m = module(types[i][0]);

		for (int again = 0; m && again < 2; again++) {
			struct tamis_sink_message two[2] = { message(1), message(2) };
			struct tamis_sink_result r = { 0 };
			struct tamis_sink_error e = { "" };
			void *sink;
			int code = sink_open(m, types[i][1], &sink, &e);

			if (code == 0) {
				code = m->send(sink, two, 2, &r, &e);
				m->close(sink);
			}
			if (code >= 0 || r.taken || !*e.text)
				fail_msg("%s: %d, %zu taken, \"%s\"", types[i][1], code, r.taken, e.text);
		}
	}
}

static int set_up(void **state)
{
	strcpy(dir, "/tmp/tamis-test-sinks-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_turned_over),
		cmocka_unit_test(a_stream_is_read),
		cmocka_unit_test(syslog_is_counted),
		cmocka_unit_test(nobody_is_there),
	};

	return cmocka_run_group_tests_name("sinks", tests, set_up, tear_down);
}
