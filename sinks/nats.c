/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NATS JetStream by libnats: a message counts when its stream has acknowledged it. The record's id is the message's
 * (Nats-Msg-Id), so that a stream drops what comes twice within its window; other headers say where the record stands.
 */
#include <nats/nats.h>

#include "sinks/sink.h"

#define SERVERS_MAX 16

struct nats_sink {
	natsOptions *options;
	natsConnection *connection;
	jsCtx *js;
	const char *subject, *stream;
	uint32_t timeout_ms;
	char servers[1024];
	char why[160]; /* what an acknowledgement said */
	volatile int failed;
	bool refused;
};

static int nats_fail(struct tamis_sink_error *e, natsStatus st, const char *what)
{
	natsStatus last;
	const char *more = nats_GetLastError(&last);

	return fail(e, -EIO, "%s: %s%s%s", what, natsStatus_GetText(st), more && *more ? ": " : "", more ? more : "");
}

/* From a thread of the library's, while send waits for it. */
static void on_publish_error(jsCtx *js, jsPubAckErr *err, void *ctx)
{
	struct nats_sink *s = ctx;

	if (!__atomic_fetch_add(&s->failed, 1, __ATOMIC_SEQ_CST)) {
		snprintf(s->why, sizeof(s->why), "%s", err->ErrText ? err->ErrText : natsStatus_GetText(err->Err));
		/* 10054: the message is larger than the stream takes */
		s->refused = err->ErrCode == 10054;
	}
}

static natsStatus set_servers(struct nats_sink *s, const char *text)
{
	const char *list[SERVERS_MAX];
	int n = 0;
	char *rest = NULL;

	snprintf(s->servers, sizeof(s->servers), "%s", text);
	for (char *p = strtok_r(s->servers, ", ", &rest); p && n < SERVERS_MAX; p = strtok_r(NULL, ", ", &rest))
		list[n++] = p;
	return natsOptions_SetServers(s->options, list, n);
}

static natsStatus set_options(struct nats_sink *s, const struct tamis_sink_env *env)
{
	natsStatus st = natsOptions_Create(&s->options);

	if (st == NATS_OK)
		st = set_servers(s, setting(env, "servers"));
	if (st == NATS_OK)
		st = natsOptions_SetTimeout(s->options, env->timeout_ms);
	/* when and how often is the spool's to say */
	if (st == NATS_OK)
		st = natsOptions_SetAllowReconnect(s->options, false);
	if (st == NATS_OK)
		st = natsOptions_SetName(s->options, "tamis");
	if (st == NATS_OK && setting_is(env, "tls", "yes"))
		st = natsOptions_SetSecure(s->options, true);
	if (st == NATS_OK && *setting(env, "ca"))
		st = natsOptions_LoadCATrustedCertificates(s->options, setting(env, "ca"));
	if (st == NATS_OK && *setting(env, "cert"))
		st = natsOptions_LoadCertificatesChain(s->options, setting(env, "cert"), setting(env, "key"));
	if (st == NATS_OK && *setting(env, "credentials"))
		st = natsOptions_SetUserCredentialsFromFiles(s->options, setting(env, "credentials"), NULL);
	return st;
}

static void nats_close(void *sink)
{
	struct nats_sink *s = sink;

	jsCtx_Destroy(s->js);
	natsConnection_Destroy(s->connection);
	natsOptions_Destroy(s->options);
	free(s);
}

/* "nats://USER:PASSWORD@HOST" is a secret in a place that everybody may read. */
static const char *without_users(const char *p, char *ret, size_t size)
{
	size_t n = 0;

	while (*p && n + 1 < size) {
		const char *end = p + strcspn(p, ", "), *at = memrchr(p, '@', (size_t)(end - p));
		const char *scheme = strstr(p, "://");

		if (at && scheme && scheme < at) {
			for (; p < scheme + 3 && n + 1 < size; p++)
				ret[n++] = *p;
			p = at + 1;
		} else if (at) {
			p = at + 1;
		}
		while ((p < end || (*p && strchr(", ", *p))) && n + 1 < size)
			ret[n++] = *p++;
	}
	ret[n] = '\0';
	return ret;
}

static int nats_open(const struct tamis_sink_env *env, void **ret, struct tamis_sink_error *e)
{
	struct nats_sink *s = calloc(1, sizeof(*s));
	jsOptions o;
	natsStatus st;

	if (!s)
		return fail(e, -ENOMEM, "no memory");
	s->subject = setting(env, "subject");
	s->stream = setting(env, "stream");
	s->timeout_ms = env->timeout_ms;
	st = set_options(s, env);
	if (st == NATS_OK)
		st = natsConnection_Connect(&s->connection, s->options);
	jsOptions_Init(&o);
	o.PublishAsync.ErrHandler = on_publish_error;
	o.PublishAsync.ErrHandlerClosure = s;
	o.Wait = env->timeout_ms;
	if (st == NATS_OK)
		st = natsConnection_JetStream(&s->js, s->connection, &o);
	if (st != NATS_OK) {
		char servers[200];
		int r = nats_fail(e, st, without_users(setting(env, "servers"), servers, sizeof(servers)));

		nats_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

static natsStatus add_number(natsMsg *msg, const char *name, uint64_t n)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	return natsMsgHeader_Set(msg, name, digits);
}

static natsStatus publish(struct nats_sink *s, const struct tamis_sink_message *m)
{
	jsPubOptions o;
	natsMsg *msg = NULL;
	natsStatus st = natsMsg_Create(&msg, s->subject, NULL, m->text, (int)m->len);

	jsPubOptions_Init(&o);
	/* marked or not, it is the same record */
	o.MsgId = m->id;
	o.ExpectStream = *s->stream ? s->stream : NULL;
	if (st == NATS_OK)
		st = add_number(msg, "Tamis-Seq", m->seq);
	if (st == NATS_OK)
		st = add_number(msg, "Tamis-Segment", m->segment);
	if (st == NATS_OK)
		st = add_number(msg, "Tamis-Index", m->index);
	if (st == NATS_OK && m->flags & TAMIS_SINK_DUPLICATE)
		st = natsMsgHeader_Set(msg, "Tamis-Duplicate", "1");
	if (st == NATS_OK)
		st = js_PublishMsgAsync(s->js, &msg, &o);
	/* NULL where the library took it over */
	natsMsg_Destroy(msg);
	return st;
}

static int nats_send(void *sink, const struct tamis_sink_message *m, size_t n, struct tamis_sink_result *ret,
		     struct tamis_sink_error *e)
{
	struct nats_sink *s = sink;
	jsPubOptions o;
	natsStatus st = NATS_OK;

	s->failed = 0;
	s->refused = false;
	for (size_t i = 0; st == NATS_OK && i < n; i++) {
		ret->handed = i + 1;
		st = publish(s, &m[i]);
	}
	jsPubOptions_Init(&o);
	o.MaxWait = s->timeout_ms;
	if (st == NATS_OK)
		st = js_PublishAsyncComplete(s->js, &o);
	if (st == NATS_OK && !s->failed) {
		ret->taken = n;
		return 0;
	}
	if (st != NATS_OK)
		return nats_fail(e, st, s->subject);
	/* which one it was is known where it was alone; the next attempt is shorter */
	return fail(e, s->refused && n == 1 ? -EBADMSG : -EIO, "%s: %s", s->subject, s->why);
}

SINK_EXPORT const struct tamis_sink_module tamis_sink_module = { TAMIS_SINK_ABI, nats_open, nats_send, nats_close };
