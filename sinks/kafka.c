/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kafka by librdkafka: an idempotent producer, acknowledged by all replicas. A message is delivered when its report says
 * so. The host is the key, so that the records of one host stay in order; headers say where a record stands. What
 * librdkafka tries again it sends with its old number, so brokers keep no second copy; only a new producer (after an
 * error, or a new process) can make one, and those are marked.
 */
#include <fcntl.h>
#include <librdkafka/rdkafka.h>
#include <unistd.h>

#include "sinks/sink.h"

#define BATCH_MAX 1024

struct kafka_sink {
	rd_kafka_t *producer;
	const char *topic;
	uint32_t timeout_ms;
	size_t n, left; /* messages of the batch; those without a report */
	rd_kafka_resp_err_t result[BATCH_MAX];
	char why[200]; /* what librdkafka said last */
};

/* ---- callbacks, from rd_kafka_poll --------------------------------------------------------------------------------- */

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *ctx)
{
	struct kafka_sink *s = ctx;
	size_t i = (size_t)m->_private;

	if (i >= s->n)
		return;
	s->result[i] = m->err;
	s->left--;
}

static void on_error(rd_kafka_t *rk, int err, const char *reason, void *ctx)
{
	struct kafka_sink *s = ctx;
	char fatal[160];

	if (err == RD_KAFKA_RESP_ERR__FATAL && rd_kafka_fatal_error(rk, fatal, sizeof(fatal)))
		snprintf(s->why, sizeof(s->why), "%s", fatal);
	else if (err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || !s->why[0])
		snprintf(s->why, sizeof(s->why), "%s", reason);
}

/* ---- settings ------------------------------------------------------------------------------------------------------ */

struct pair {
	const char *name, *value;
};

static int set_all(rd_kafka_conf_t *conf, const struct pair *p, size_t n, struct tamis_sink_error *e)
{
	char text[200];

	for (size_t i = 0; i < n; i++)
		if (*p[i].value &&
		    rd_kafka_conf_set(conf, p[i].name, p[i].value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
			return fail(e, -EINVAL, "%s", text);
	return 0;
}

static int read_password(const char *path, char *to, size_t size, struct tamis_sink_error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, to, size - 1);

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return fail(e, -EINVAL, "password-file: cannot read %s: %s (tamis-spool must be able to)", path,
			    strerror(errno));
	to[n] = '\0';
	to[strcspn(to, "\r\n")] = '\0';
	return 0;
}

static int configure(rd_kafka_conf_t *conf, const struct tamis_sink_env *env, struct tamis_sink_error *e)
{
	bool tls = setting_is(env, "tls", "yes"), sasl = *setting(env, "user");
	char password[256] = "", patience[16], connect[16];
	const struct pair pairs[] = {
		{ "bootstrap.servers", setting(env, "brokers") },
		{ "client.id", "tamis" },
		{ "enable.idempotence", "true" },
		{ "acks", "all" },
		/* a batch is whole when it comes to us */
		{ "linger.ms", "1" },
		{ "message.max.bytes", "4000000" },
		{ "message.timeout.ms", patience },
		{ "socket.timeout.ms", connect },
		{ "socket.connection.setup.timeout.ms", connect },
		{ "reconnect.backoff.max.ms", "2000" },
		{ "compression.type", setting(env, "compression") },
		{ "security.protocol", tls    ? sasl ? "sasl_ssl" : "ssl"
				       : sasl ? "sasl_plaintext"
					      : "plaintext" },
		{ "ssl.ca.location", setting(env, "ca") },
		{ "ssl.certificate.location", setting(env, "cert") },
		{ "ssl.key.location", setting(env, "key") },
		{ "sasl.mechanisms", sasl ? *setting(env, "sasl") ? setting(env, "sasl") : "SCRAM-SHA-512" : "" },
		{ "sasl.username", setting(env, "user") },
		{ "sasl.password", password },
	};
	int r = *setting(env, "password-file")
			? read_password(setting(env, "password-file"), password, sizeof(password), e)
			: 0;

	/* librdkafka wants a second at least */
	snprintf(patience, sizeof(patience), "%u", env->timeout_ms);
	snprintf(connect, sizeof(connect), "%u", env->timeout_ms < 1000 ? 1000 : env->timeout_ms);
	if (r == 0)
		r = set_all(conf, pairs, sizeof(pairs) / sizeof(pairs[0]), e);
	memset(password, 0, sizeof(password));
	return r;
}

static int kafka_open(const struct tamis_sink_env *env, void **ret, struct tamis_sink_error *e)
{
	struct kafka_sink *s = calloc(1, sizeof(*s));
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[200];
	int r;

	if (!s || !conf) {
		free(s);
		return fail(e, -ENOMEM, "no memory");
	}
	s->topic = setting(env, "topic");
	s->timeout_ms = env->timeout_ms;
	r = configure(conf, env, e);
	if (r < 0) {
		rd_kafka_conf_destroy(conf);
		free(s);
		return r;
	}
	rd_kafka_conf_set_opaque(conf, s);
	rd_kafka_conf_set_dr_msg_cb(conf, on_report);
	rd_kafka_conf_set_error_cb(conf, on_error);
	/* its log lines are ours to word */
	rd_kafka_conf_set_log_cb(conf, NULL);
	s->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (!s->producer) {
		rd_kafka_conf_destroy(conf);
		free(s);
		return fail(e, -EIO, "%s", text);
	}
	*ret = s;
	return 0;
}

/* ---- sending ------------------------------------------------------------------------------------------------------- */

static void add_number(rd_kafka_headers_t *h, const char *name, uint64_t n)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	rd_kafka_header_add(h, name, -1, digits, -1);
}

static rd_kafka_resp_err_t produce(struct kafka_sink *s, const struct tamis_sink_message *m, size_t i)
{
	rd_kafka_headers_t *h = rd_kafka_headers_new(6);
	rd_kafka_resp_err_t r;

	rd_kafka_header_add(h, "tamis-id", -1, m->id, -1);
	add_number(h, "tamis-seq", m->seq);
	add_number(h, "tamis-segment", m->segment);
	add_number(h, "tamis-index", m->index);
	if (m->flags & TAMIS_SINK_DUPLICATE)
		rd_kafka_header_add(h, "tamis-duplicate", -1, "1", -1);
	r = rd_kafka_producev(s->producer, RD_KAFKA_V_TOPIC(s->topic), RD_KAFKA_V_KEY(m->key, strlen(m->key)),
			      RD_KAFKA_V_VALUE((void *)m->text, m->len), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
			      RD_KAFKA_V_HEADERS(h), RD_KAFKA_V_OPAQUE((void *)i), RD_KAFKA_V_END);
	/* ours still, where it was not taken */
	if (r != RD_KAFKA_RESP_ERR_NO_ERROR)
		rd_kafka_headers_destroy(h);
	return r;
}

static bool never_fits(rd_kafka_resp_err_t r)
{
	return r == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || r == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE ||
	       r == RD_KAFKA_RESP_ERR_INVALID_RECORD;
}

static int kafka_send(void *sink, const struct tamis_sink_message *m, size_t n, struct tamis_sink_result *ret,
		      struct tamis_sink_error *e)
{
	struct kafka_sink *s = sink;
	uint64_t end = now_ms() + s->timeout_ms + 2000;
	size_t sent = 0;

	n = n < BATCH_MAX ? n : BATCH_MAX;
	s->why[0] = '\0';
	s->n = n;
	s->left = 0;
	for (; sent < n; sent++) {
		s->result[sent] = produce(s, &m[sent], sent);
		if (s->result[sent] != RD_KAFKA_RESP_ERR_NO_ERROR)
			break;
		s->result[sent] = RD_KAFKA_RESP_ERR__IN_PROGRESS;
		s->left++;
	}
	ret->handed = sent;
	while (s->left && now_ms() < end)
		rd_kafka_poll(s->producer, 100);
	while (ret->taken < sent && s->result[ret->taken] == RD_KAFKA_RESP_ERR_NO_ERROR)
		ret->taken++;
	if (ret->taken == n)
		return 0;
	return fail(e, never_fits(s->result[ret->taken]) ? -EBADMSG : -EIO, "%s%s%s",
		    rd_kafka_err2str(s->result[ret->taken]), s->why[0] ? ": " : "", s->why);
}

static void kafka_close(void *sink)
{
	struct kafka_sink *s = sink;

	/* what was not reported is begun again by who comes next, and marked */
	rd_kafka_purge(s->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_poll(s->producer, 0);
	s->n = 0;
	rd_kafka_destroy(s->producer);
	free(s);
}

SINK_EXPORT const struct tamis_sink_module tamis_sink_module = { TAMIS_SINK_ABI, kafka_open, kafka_send, kafka_close };
