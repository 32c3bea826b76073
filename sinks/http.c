/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP(S) by libcurl, as two types:
 *
 *	webhook	a request a message, its body by the service or by a template; long texts are split, then cut
 *	otlp	a request a batch, to OTLP/HTTP's logs
 *
 * What a server answers is read up to a bound, and only the status counts.
 */
#include <ctype.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sinks/sink.h"

#define ANSWER_KEPT  4096
#define ANSWER_SHOWN 160
#define ANSWER_MAX   (1u << 20)
#define TEMPLATE_MAX (64u << 10)
#define PARTS_MAX    10

struct text {
	char *p; /* owned */
	size_t len, cap;
	bool failed;
};

/* What a service calls a message, how long a text may be in it, and how its text is written. */
struct service {
	const char *name, *before, *after;
	size_t max_text;
	bool angle; /* <, > and & have a meaning in the text */
};

/* Limits: Slack advises 4,000 characters a message; Teams 28 KB a request; Discord 2,000 characters. */
static const struct service services[] = {
	{ "plain", NULL, NULL, 0, false },
	{ "slack", "{\"text\":\"", "\"}", 4000, true },
	{ "teams",
	  "{\"type\":\"message\",\"attachments\":[{\"contentType\":\"application/vnd.microsoft.card.adaptive\",\"content\":{"
	  "\"type\":\"AdaptiveCard\",\"version\":\"1.4\",\"body\":[{\"type\":\"TextBlock\",\"wrap\":true,\"text\":\"",
	  "\"}]}}]}", 12000, false },
	{ "discord", "{\"content\":\"", "\"}", 2000, false },
};

struct http_sink {
	CURL *curl;
	struct curl_slist *headers;
	const struct service *service;
	char *template; /* owned; NULL: the service's */
	bool otlp;
	size_t max_text;
	uint64_t parts;
	char curl_error[CURL_ERROR_SIZE];
	char answer[ANSWER_KEPT + 1];
	size_t answer_len, answer_bytes;
	struct text body, words;
};

/* ---- text ---------------------------------------------------------------------------------------------------------- */

static void put(struct text *t, const char *p, size_t n)
{
	if (t->len + n + 1 > t->cap) {
		size_t cap = (t->len + n + 1) * 2;
		char *grown = realloc(t->p, cap);

		if (!grown) {
			t->failed = true;
			return;
		}
		t->p = grown;
		t->cap = cap;
	}
	memcpy(t->p + t->len, p, n);
	t->len += n;
	t->p[t->len] = '\0';
}

static void puts_to(struct text *t, const char *s)
{
	put(t, s, strlen(s));
}

static void clear(struct text *t)
{
	t->len = 0;
	t->failed = false;
	put(t, "", 0);
}

/* Within a JSON string; @angle: also for markup. The text is UTF-8. */
static void put_escaped(struct text *t, const char *s, size_t n, bool angle)
{
	char code[8];

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '"' || c == '\\') {
			put(t, "\\", 1);
			put(t, s + i, 1);
		} else if (c == '\n') {
			put(t, "\\n", 2);
		} else if (c < 0x20 || c == 0x7f) {
			snprintf(code, sizeof(code), "\\u%04x", c);
			put(t, code, 6);
		} else if (angle && (c == '<' || c == '>' || c == '&')) {
			puts_to(t, c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&amp;");
		} else {
			put(t, s + i, 1);
		}
	}
}

static const char *field(const struct tamis_sink_message *m, const char *name, size_t n)
{
	for (const struct tamis_sink_field *f = m->fields; f && f->name; f++)
		if (strlen(f->name) == n && memcmp(f->name, name, n) == 0)
			return f->value;
	return "";
}

#define FIELD(m, name) field(m, name, strlen(name))

static void put_line(struct text *t, const char *label, const char *value)
{
	if (!*value)
		return;
	puts_to(t, label);
	puts_to(t, value);
	puts_to(t, "\n");
}

/* What people read. */
static void say(struct text *t, const struct tamis_sink_message *m)
{
	clear(t);
	puts_to(t, "[");
	puts_to(t, *FIELD(m, "severity") ? FIELD(m, "severity") : FIELD(m, "kind"));
	puts_to(t, "] ");
	puts_to(t, FIELD(m, "host"));
	puts_to(t, ": ");
	puts_to(t, FIELD(m, "message"));
	puts_to(t, "\n");
	put_line(t, "", FIELD(m, "description"));
	put_line(t, "arguments: ", FIELD(m, "args"));
	put_line(t, "user: ", FIELD(m, "user"));
	put_line(t, "container: ", FIELD(m, "container"));
	if (*FIELD(m, "count"))
		put_line(t, "as many more, folded into this: ", FIELD(m, "count"));
	put_line(t, "at ", FIELD(m, "time"));
	put_line(t, "", FIELD(m, "duplicate"));
	puts_to(t, m->id);
}

/* How many bytes of s are at most n, and end with a character. */
static size_t cut(const char *s, size_t len, size_t n)
{
	if (len <= n)
		return len;
	while (n && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/* ---- bodies -------------------------------------------------------------------------------------------------------- */

/*
 * A template's text, with {{NAME}} for a field, {{text}} for what people read, {{record}} for the message in the sink's
 * format, which is JSON by itself. All others are escaped as within a JSON string.
 */
static void put_template(struct http_sink *s, const struct tamis_sink_message *m, const char *part, size_t n)
{
	const char *p = s->template, *open, *end;

	while ((open = strstr(p, "{{")) && (end = strstr(open, "}}"))) {
		const char *name = open + 2;
		size_t len = (size_t)(end - name);

		put(&s->body, p, (size_t)(open - p));
		if (len == 6 && memcmp(name, "record", 6) == 0) {
			put(&s->body, m->text, m->len);
		} else if (len == 4 && memcmp(name, "text", 4) == 0) {
			put_escaped(&s->body, part, n, s->service->angle);
		} else {
			const char *value = field(m, name, len);

			put_escaped(&s->body, value, cut(value, strlen(value), s->max_text), s->service->angle);
		}
		p = end + 2;
	}
	puts_to(&s->body, p);
}

static void put_body(struct http_sink *s, const struct tamis_sink_message *m, const char *part, size_t n)
{
	clear(&s->body);
	if (s->template) {
		put_template(s, m, part, n);
	} else if (!s->service->before) {
		put(&s->body, m->text, m->len);
	} else {
		puts_to(&s->body, s->service->before);
		put_escaped(&s->body, part, n, s->service->angle);
		puts_to(&s->body, s->service->after);
	}
}

/* ---- requests ------------------------------------------------------------------------------------------------------ */

static size_t take_answer(char *p, size_t size, size_t n, void *ctx)
{
	struct http_sink *s = ctx;

	for (size_t i = 0; i < n && s->answer_len < ANSWER_KEPT; i++)
		s->answer[s->answer_len++] = (char)(isprint((unsigned char)p[i]) ? p[i] : ' ');
	s->answer[s->answer_len] = '\0';
	s->answer_bytes += n;
	return s->answer_bytes > ANSWER_MAX ? 0 : n;
}

static bool is_refusal(long status)
{
	return status == 400 || status == 413 || status == 414 || status == 415 || status == 422;
}

static int post(struct http_sink *s, struct tamis_sink_error *e)
{
	long status = 0;
	CURLcode c;

	if (s->body.failed)
		return fail(e, -ENOMEM, "no memory for a request");
	s->answer_len = s->answer_bytes = 0;
	s->answer[0] = s->curl_error[0] = '\0';
	curl_easy_setopt(s->curl, CURLOPT_POSTFIELDS, s->body.p);
	curl_easy_setopt(s->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)s->body.len);
	c = curl_easy_perform(s->curl);
	curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
	/* a long answer that we did not want is an answer */
	if (c != CURLE_OK && !(c == CURLE_WRITE_ERROR && status))
		return fail(e, -EIO, "%s", s->curl_error[0] ? s->curl_error : curl_easy_strerror(c));
	if (status >= 200 && status < 300)
		return 0;
	return fail(e, is_refusal(status) ? -EBADMSG : -EIO, "HTTP status %ld%s%.*s", status, s->answer[0] ? ": " : "",
		    ANSWER_SHOWN, s->answer);
}

/* The next part: at most @max bytes, and whole characters where that can be. */
static size_t part_of(const struct text *t, size_t at, size_t max)
{
	size_t n = cut(t->p + at, t->len - at, max);

	return n ? n : t->len - at < max ? t->len - at : max;
}

static uint64_t count_parts(const struct text *t, size_t max)
{
	uint64_t n = 0;

	for (size_t at = 0; max && at < t->len; n++)
		at += part_of(t, at, max);
	return n;
}

/* One message, in as many parts as it may be; what is beyond is cut, and says so. */
static int send_message(struct http_sink *s, const struct tamis_sink_message *m, struct tamis_sink_error *e)
{
	size_t at = 0, max = s->max_text > 64 ? s->max_text - 32 : s->max_text;
	uint64_t parts;
	int r = 0;

	say(&s->words, m);
	parts = count_parts(&s->words, max);
	if (s->template && !strstr(s->template, "{{text}}"))
		parts = 1;
	if (!s->template && !s->service->before)
		parts = 1;
	if (parts <= 1) {
		put_body(s, m, s->words.p, s->words.len);
		return post(s, e);
	}
	for (uint64_t i = 0; r == 0 && i < parts && i < s->parts && at < s->words.len; i++) {
		struct text part = { 0 };
		char label[64];
		size_t n = part_of(&s->words, at, max);

		snprintf(label, sizeof(label), "(%llu/%llu) ", (unsigned long long)i + 1,
			 (unsigned long long)(parts < s->parts ? parts : s->parts));
		puts_to(&part, label);
		put(&part, s->words.p + at, n);
		at += n;
		if (i + 1 == s->parts && at < s->words.len)
			puts_to(&part, "…");
		put_body(s, m, part.p, part.len);
		r = part.failed ? fail(e, -ENOMEM, "no memory for a request") : post(s, e);
		free(part.p);
	}
	return r;
}

static int send_webhook(struct http_sink *s, const struct tamis_sink_message *m, size_t n,
			struct tamis_sink_result *ret, struct tamis_sink_error *e)
{
	uint64_t end = now_ms() + 8000;

	/* a batch of slow answers is no hang */
	for (size_t i = 0; i < n && (i == 0 || now_ms() < end); i++) {
		int r;

		ret->handed = i + 1;
		r = send_message(s, &m[i], e);
		if (r < 0)
			return r;
		ret->taken = i + 1;
	}
	return 0;
}

/* Each message is a request of one record: what is within its list goes into one list. */
#define OTLP_BEFORE "{\"resourceLogs\":["
#define OTLP_AFTER  "]}"

static int put_batch(struct http_sink *s, const struct tamis_sink_message *m, size_t n, struct tamis_sink_error *e)
{
	size_t before = strlen(OTLP_BEFORE), after = strlen(OTLP_AFTER);

	clear(&s->body);
	puts_to(&s->body, OTLP_BEFORE);
	for (size_t i = 0; i < n; i++) {
		if (m[i].len < before + after || memcmp(m[i].text, OTLP_BEFORE, before) != 0)
			return fail(e, -EINVAL, "a sink of type otlp can have format otlp alone");
		if (i)
			puts_to(&s->body, ",");
		put(&s->body, m[i].text + before, m[i].len - before - after);
	}
	puts_to(&s->body, OTLP_AFTER);
	return 0;
}

static int send_otlp(struct http_sink *s, const struct tamis_sink_message *m, size_t n, struct tamis_sink_result *ret,
		     struct tamis_sink_error *e)
{
	const char *rejected;
	int r = put_batch(s, m, n, e);

	if (r < 0)
		return r;
	ret->handed = n;
	r = post(s, e);
	/* one of them is refused: find out which, one by one */
	if (r == -EBADMSG && n > 1) {
		n = ret->handed = 1;
		r = put_batch(s, m, n, e);
		if (r == 0)
			r = post(s, e);
	}
	if (r < 0)
		return r;
	ret->taken = n;
	/* they are not to be sent again, says the protocol */
	rejected = strstr(s->answer, "\"rejectedLogRecords\":");
	if (rejected) {
		rejected += strcspn(rejected, ":") + 1;
		ret->refused = strtoul(rejected + (*rejected == '"'), NULL, 10);
		ret->refused = ret->refused < n ? ret->refused : n;
		if (ret->refused)
			fail(e, 0, "the collector rejects records: %.*s", ANSWER_SHOWN, s->answer);
	}
	return 0;
}

static int http_send(void *sink, const struct tamis_sink_message *m, size_t n, struct tamis_sink_result *ret,
		     struct tamis_sink_error *e)
{
	struct http_sink *s = sink;

	return s->otlp ? send_otlp(s, m, n, ret, e) : send_webhook(s, m, n, ret, e);
}

/* ---- beginning and end --------------------------------------------------------------------------------------------- */

static void http_close(void *sink)
{
	struct http_sink *s = sink;

	curl_easy_cleanup(s->curl);
	curl_slist_free_all(s->headers);
	free(s->template);
	free(s->body.p);
	free(s->words.p);
	free(s);
}

static int read_whole(const char *path, size_t most, char **ret, struct tamis_sink_error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = malloc(most + 2);
	size_t n = 0;
	ssize_t got = fd < 0 || !text ? -1 : 1;

	while (got > 0 && n <= most) {
		got = read(fd, text + n, most + 1 - n);
		n += got > 0 ? (size_t)got : 0;
	}
	if (fd >= 0)
		close(fd);
	if (got < 0 || n > most) {
		free(text);
		return fail(e, -EINVAL, "cannot read %s: %s (tamis-spool must be able to)", path,
			    got < 0 ? strerror(errno) : "it is too long");
	}
	text[n] = '\0';
	*ret = text;
	return 0;
}

static int add_header(struct http_sink *s, const char *text)
{
	struct curl_slist *more = curl_slist_append(s->headers, text);

	if (!more)
		return -ENOMEM;
	s->headers = more;
	return 0;
}

static int set_headers(struct http_sink *s, const struct tamis_sink_env *env, struct tamis_sink_error *e)
{
	char line[4200], *token = NULL;
	int r = 0;

	if (*setting(env, "token-file")) {
		r = read_whole(setting(env, "token-file"), 4000, &token, e);
		if (r < 0)
			return r;
		token[strcspn(token, "\r\n")] = '\0';
		snprintf(line, sizeof(line), "Authorization: Bearer %s", token);
		r = add_header(s, line);
		free(token);
	}
	if (r == 0 && *setting(env, "header"))
		r = add_header(s, setting(env, "header"));
	if (r == 0)
		r = add_header(s, "Content-Type: application/json");
	/* no waiting for a go-ahead */
	if (r == 0)
		r = add_header(s, "Expect:");
	return r < 0 ? fail(e, r, "no memory") : 0;
}

static void set_curl(struct http_sink *s, const struct tamis_sink_env *env)
{
	curl_easy_setopt(s->curl, CURLOPT_URL, setting(env, "url"));
	curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, s->headers);
	curl_easy_setopt(s->curl, CURLOPT_USERAGENT, "tamis/" TAMIS_VERSION);
	curl_easy_setopt(s->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(s->curl, CURLOPT_TIMEOUT_MS, (long)env->timeout_ms);
	curl_easy_setopt(s->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)env->timeout_ms);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* a name server that hangs is not waited for */
	curl_easy_setopt(s->curl, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl_easy_setopt(s->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(s->curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(s->curl, CURLOPT_ERRORBUFFER, s->curl_error);
	curl_easy_setopt(s->curl, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(s->curl, CURLOPT_WRITEDATA, s);
	curl_easy_setopt(s->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (*setting(env, "ca"))
		curl_easy_setopt(s->curl, CURLOPT_CAINFO, setting(env, "ca"));
	if (*setting(env, "cert")) {
		curl_easy_setopt(s->curl, CURLOPT_SSLCERT, setting(env, "cert"));
		curl_easy_setopt(s->curl, CURLOPT_SSLKEY, setting(env, "key"));
	}
}

static int set_webhook(struct http_sink *s, const struct tamis_sink_env *env, struct tamis_sink_error *e)
{
	const char *name = setting(env, "service");

	s->service = &services[0];
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		if (strcmp(services[i].name, name) == 0)
			s->service = &services[i];
	s->max_text = (size_t)setting_number(env, "max-text", s->service->max_text ? s->service->max_text : 4000);
	s->parts = setting_number(env, "parts", 3);
	if (s->parts < 1 || s->parts > PARTS_MAX)
		return fail(e, -EINVAL, "parts is from 1 to %d", PARTS_MAX);
	if (s->max_text < 100)
		return fail(e, -EINVAL, "max-text is at least 100");
	return *setting(env, "template") ? read_whole(setting(env, "template"), TEMPLATE_MAX, &s->template, e) : 0;
}

static int http_open(const struct tamis_sink_env *env, void **ret, struct tamis_sink_error *e)
{
	static bool begun;
	struct http_sink *s = calloc(1, sizeof(*s));
	int r;

	if (!begun)
		curl_global_init(CURL_GLOBAL_DEFAULT);
	begun = true;
	if (!s)
		return fail(e, -ENOMEM, "no memory");
	s->otlp = strcmp(env->type, "otlp") == 0;
	s->service = &services[0];
	r = s->otlp ? 0 : set_webhook(s, env, e);
	if (r == 0)
		r = set_headers(s, env, e);
	if (r == 0) {
		s->curl = curl_easy_init();
		if (!s->curl)
			r = fail(e, -ENOMEM, "no memory");
	}
	if (r < 0) {
		http_close(s);
		return r;
	}
	set_curl(s, env);
	*ret = s;
	return 0;
}

SINK_EXPORT const struct tamis_sink_module tamis_sink_module = { TAMIS_SINK_ABI, http_open, http_send, http_close };
