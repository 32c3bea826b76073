/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What webhooks and OTLP send, and make of what is answered: bodies by service and template, texts that are split and cut at each
 * service's limit, answers of any length. libcurl is replaced by a recorder; the sink's code is the module's own.
 */
#if __has_include(<curl/curl.h>)
#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "tests/unit/curl_recorder.h"

/* behind it, since a sink's fail() is not cmocka's */
#include <jansson.h>
#include <setjmp.h>

#include <cmocka.h>

/* ---- a sink -------------------------------------------------------------------------------------------------------- */

static const char *settings[12][2];

static const char *get_setting(const struct tamis_sink_env *env, const char *name)
{
	(void)env;
	for (size_t i = 0; settings[i][0]; i++)
		if (strcmp(settings[i][0], name) == 0)
			return settings[i][1];
	return "";
}

static struct http_sink *open_sink(const char *type)
{
	const struct tamis_sink_env env = { TAMIS_SINK_ABI, "s", type, "application/json", 1000, get_setting, NULL };
	struct tamis_sink_error e;
	void *s;

	memset(&recorder, 0, sizeof(recorder));
	recorder.status = 200;
	if (http_open(&env, &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static void set(size_t i, const char *name, const char *value)
{
	settings[i][0] = name;
	settings[i][1] = value;
	settings[i + 1][0] = NULL;
}

/* A message whose arguments are @n times @unit. */
static struct tamis_sink_message message(const char *unit, size_t n)
{
	static struct tamis_sink_field fields[8];
	static char args[65536];
	struct tamis_sink_message m = { .text = "{\"seq\":7}", .len = 9, .id = "web-1/7", .key = "web-1", .seq = 7 };
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(args + len, sizeof(args) - len, "%s", unit);
	args[len] = '\0';
	fields[0] = (struct tamis_sink_field){ "severity", "high" };
	fields[1] = (struct tamis_sink_field){ "host", "web-1" };
	fields[2] = (struct tamis_sink_field){ "message", "a \"quoted\" <b> & one" };
	fields[3] = (struct tamis_sink_field){ "rule", "shadow_read" };
	fields[4] = (struct tamis_sink_field){ "args", args };
	fields[5] = (struct tamis_sink_field){ NULL, NULL };
	m.fields = fields;
	return m;
}

static void send_one(struct http_sink *s, const struct tamis_sink_message *m)
{
	struct tamis_sink_result ret = { 0 };
	struct tamis_sink_error e;

	if (http_send(s, m, 1, &ret, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(ret.taken, 1);
	assert_true(recorder.n <= 16);
}

/* The text of a service's body, which has to be JSON. */
static const char *text_of(const char *service, size_t i, json_t **owner)
{
	json_t *j = *owner = json_loads(recorder.sent[i], 0, NULL);

	if (!j)
		fail_msg("%s: no JSON: %s", service, recorder.sent[i]);
	if (strcmp(service, "slack") == 0)
		return json_string_value(json_object_get(j, "text"));
	if (strcmp(service, "discord") == 0)
		return json_string_value(json_object_get(j, "content"));
	j = json_object_get(json_array_get(json_object_get(j, "attachments"), 0), "content");
	j = json_array_get(json_object_get(j, "body"), 0);
	return json_string_value(json_object_get(j, "text"));
}

/* ---- webhooks ------------------------------------------------------------------------------------------------------ */

static void each_service_gets_its_body(void **state)
{
	static const char *const names[] = { "slack", "teams", "discord" };
	struct tamis_sink_message m = message("-x ", 3);
	struct http_sink *s;
	const char *text;
	json_t *j;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		set(0, "service", names[i]);
		s = open_sink("webhook");
		send_one(s, &m);
		assert_int_equal(recorder.n, 1);
		text = text_of(names[i], 0, &j);
		assert_non_null(strstr(text, i == 0 ? "a \"quoted\" &lt;b&gt; &amp; one" : "a \"quoted\" <b> & one"));
		assert_non_null(strstr(text, "arguments: -x -x -x"));
		assert_non_null(strstr(text, "web-1/7"));
		json_decref(j);
		http_close(s);
	}
	set(0, "service", "plain");
	s = open_sink("webhook");
	send_one(s, &m);
	assert_string_equal(recorder.sent[0], "{\"seq\":7}");
	http_close(s);
}

/* No part is longer than the service takes, none ends within a character, and together they are the text, up to where it is cut. */
static void long_texts_are_split_and_then_cut(void **state)
{
	static const struct {
		const char *service;
		size_t limit;
	} services_of[] = { { "slack", 4000 }, { "teams", 12000 }, { "discord", 2000 } };
	static const char *const units[] = { "x", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x94\x92" };
	static char all[65536];

	(void)state;
	for (size_t v = 0; v < 3; v++)
		for (size_t u = 0; u < 4; u++)
			/* around each multiple of what goes into a part, and far beyond what goes out */
			for (size_t bytes = services_of[v].limit - 400; bytes < services_of[v].limit * 4;
			     bytes += v == 2 && bytes >= 3750 && bytes < 3950 ? 1 : 97) {
				struct tamis_sink_message m = message(units[u], bytes / strlen(units[u]));
				struct http_sink *s;
				bool is_cut = false;

				set(0, "service", services_of[v].service);
				s = open_sink("webhook");
				send_one(s, &m);
				assert_true(recorder.n >= 1 && recorder.n <= 3);
				all[0] = '\0';
				for (size_t i = 0; i < recorder.n; i++) {
					json_t *j;
					const char *text = text_of(services_of[v].service, i, &j);
					char label[64] = "";

					assert_true(strlen(text) <= services_of[v].limit);
					if (recorder.n > 1)
						snprintf(label, sizeof(label), "(%zu/%zu) ", i + 1, recorder.n);
					assert_int_equal(strncmp(text, label, strlen(label)), 0);
					strcat(all, text + strlen(label));
					json_decref(j);
				}
				is_cut = strlen(all) > 3 && strcmp(all + strlen(all) - 3, "\xe2\x80\xa6") == 0;
				if (is_cut)
					assert_int_equal(recorder.n, 3);
				else if (!strstr(all, "\nweb-1/7"))
					fail_msg("%s, %zu bytes of %zu: the end is lost without a word",
						 services_of[v].service, bytes, strlen(units[u]));
				http_close(s);
			}
}

static void templates_are_filled_in(void **state)
{
	char path[] = "/tmp/tamis-test-template-XXXXXX";
	const char *text =
		"{\"t\":\"{{text}}\",\"r\":{{record}},\"rule\":\"{{rule}}\",\"none\":\"{{nothing}}\",\"a\":\"{{args}}\",\"open\":\"{{\"}";
	struct tamis_sink_message m = message("\"\\\n\x01", 40);
	int fd = mkstemp(path);
	struct http_sink *s;
	json_t *j;

	(void)state;
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	set(0, "service", "plain");
	set(1, "template", path);
	set(2, "max-text", "100");
	s = open_sink("webhook");
	send_one(s, &m);
	j = json_loads(recorder.sent[0], 0, NULL);
	assert_non_null(j);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "r"), "seq")), 7);
	assert_string_equal(json_string_value(json_object_get(j, "rule")), "shadow_read");
	assert_string_equal(json_string_value(json_object_get(j, "none")), "");
	assert_string_equal(json_string_value(json_object_get(j, "open")), "{{");
	/* a field is cut at the limit, too */
	assert_int_equal(strlen(json_string_value(json_object_get(j, "a"))), 100);
	assert_true(recorder.n > 1);
	json_decref(j);
	http_close(s);
	unlink(path);
	set(1, NULL, NULL);
}

/* ---- answers ------------------------------------------------------------------------------------------------------- */

static int answered(struct http_sink *s, long status, const char *answer, size_t n, struct tamis_sink_result *ret,
		    struct tamis_sink_error *e)
{
	struct tamis_sink_message m = message("x", 1);

	if (s->otlp) {
		m.text = "{\"resourceLogs\":[{}]}";
		m.len = strlen(m.text);
	}
	recorder.status = status;
	recorder.answer = answer;
	recorder.answer_len = n;
	*ret = (struct tamis_sink_result){ 0 };
	e->text[0] = '\0';
	return http_send(s, &m, 1, ret, e);
}

static void only_the_status_counts(void **state)
{
	static const struct {
		long status;
		int r;
	} cases[] = { { 200, 0 },	 { 204, 0 },	    { 301, -EIO }, { 400, -EBADMSG }, { 401, -EIO },
		      { 413, -EBADMSG }, { 422, -EBADMSG }, { 429, -EIO }, { 500, -EIO },     { 503, -EIO } };
	static char huge[ANSWER_MAX + 5000];
	struct tamis_sink_result ret;
	struct tamis_sink_error e;
	struct http_sink *s;

	(void)state;
	memset(huge, '\x07', sizeof(huge));
	set(0, "service", "plain");
	s = open_sink("webhook");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(answered(s, cases[i].status, huge, i % 2 ? sizeof(huge) : 10, &ret, &e), cases[i].r);
		assert_int_equal(ret.taken, cases[i].r == 0);
		assert_int_equal(ret.handed, 1);
		assert_null(strchr(e.text, '\x07'));
	}
	http_close(s);
}

static void what_otlp_rejects_is_counted(void **state)
{
	static const struct {
		const char *answer;
		size_t refused;
	} cases[] = {
		{ "{}", 0 },
		{ "{\"partialSuccess\":{}}", 0 },
		{ "{\"partialSuccess\":{\"rejectedLogRecords\":\"1\",\"errorMessage\":\"no\"}}", 1 },
		{ "{\"partialSuccess\": {\"rejectedLogRecords\": 1}}", 1 },
		{ "{\"partialSuccess\":{\"rejectedLogRecords\":\"0\"}}", 0 },
		/* no more than there were */
		{ "{\"partialSuccess\":{\"rejectedLogRecords\":\"18446744073709551615\"}}", 1 },
		{ "{\"partialSuccess\":{\"rejectedLogRecords\":", 0 },
		{ "{\"partialSuccess\":{\"rejectedLogRecords\":\"", 0 },
	};
	struct tamis_sink_result ret;
	struct tamis_sink_error e;
	char behind[1200];
	struct http_sink *s;

	(void)state;
	s = open_sink("otlp");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(answered(s, 200, cases[i].answer, strlen(cases[i].answer), &ret, &e), 0);
		if (ret.refused != cases[i].refused)
			fail_msg("%s: %zu refused", cases[i].answer, ret.refused);
		assert_int_equal(ret.taken, 1);
		assert_int_equal(strstr(e.text, "rejects") != NULL, cases[i].refused > 0);
	}
	/* behind a long reason */
	snprintf(behind, sizeof(behind), "{\"partialSuccess\":{\"errorMessage\":\"%*s\",\"rejectedLogRecords\":\"1\"}}",
		 1000, "x");
	assert_int_equal(answered(s, 200, behind, strlen(behind), &ret, &e), 0);
	assert_int_equal(ret.refused, 1);
	http_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_service_gets_its_body),	cmocka_unit_test(long_texts_are_split_and_then_cut),
		cmocka_unit_test(templates_are_filled_in),	cmocka_unit_test(only_the_status_counts),
		cmocka_unit_test(what_otlp_rejects_is_counted),
	};

	return cmocka_run_group_tests_name("sink_http", tests, NULL, NULL);
}
#else
#include <stdio.h>

int main(void)
{
	puts("1..0 # skipped: no libcurl here");
	return 77;
}
#endif
