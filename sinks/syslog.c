/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 5424 messages over TCP (RFC 6587) or TLS (RFC 5425), by mbedtls. Syslog has no answers: a message counts as delivered
 * when the collector's kernel has acknowledged all bytes of the batch. What breaks before that is sent again.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#if MBEDTLS_VERSION_MAJOR >= 3
#include <psa/crypto.h>
#endif

#include "sinks/sink.h"

#define BATCH_BYTES (256u << 10)

struct syslog_sink {
	const char *host;
	char port[8];
	uint32_t timeout_ms;
	bool counted, tls;
	int fd;
	uint64_t end; /* of the present call */

	mbedtls_ssl_context ssl;
	mbedtls_ssl_config conf;
	mbedtls_x509_crt ca, cert;
	mbedtls_pk_context key;
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context random;
	char *buf; /* owned: a batch */
	size_t cap, len;
};

/* ---- TCP ----------------------------------------------------------------------------------------------------------- */

static int wait_for(struct syslog_sink *s, short events)
{
	struct pollfd p = { .fd = s->fd, .events = events };
	uint64_t now = now_ms();
	int r = now >= s->end ? 0 : poll(&p, 1, (int)(s->end - now));

	return r > 0 ? 0 : r < 0 && errno == EINTR ? 0 : -ETIMEDOUT;
}

static int finish_connect(struct syslog_sink *s)
{
	int error = 0;
	socklen_t n = sizeof(error);
	int r = wait_for(s, POLLOUT);

	if (r < 0)
		return r;
	return getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 ? -errno : -error;
}

static int connect_one(struct syslog_sink *s, const struct addrinfo *a)
{
	int on = 1, r;
	unsigned int patience = s->timeout_ms;

	s->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
	if (s->fd < 0)
		return -errno;
	setsockopt(s->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(s->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof(patience));
	r = connect(s->fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : -errno;
	if (r == -EINPROGRESS)
		r = finish_connect(s);
	if (r < 0) {
		close(s->fd);
		s->fd = -1;
	}
	return r;
}

static int connect_any(struct syslog_sink *s, struct tamis_sink_error *e)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	int r = getaddrinfo(s->host, s->port, &hints, &list);

	if (r != 0)
		return fail(e, -EHOSTUNREACH, "cannot resolve %s: %s", s->host, gai_strerror(r));
	r = -EHOSTUNREACH;
	for (const struct addrinfo *a = list; a && s->fd < 0; a = a->ai_next)
		r = connect_one(s, a);
	freeaddrinfo(list);
	return r < 0 ? fail(e, r, "cannot connect to %s port %s: %s", s->host, s->port, strerror(-r)) : 0;
}

/* ---- TLS ----------------------------------------------------------------------------------------------------------- */

static int tls_write(void *ctx, const unsigned char *p, size_t n)
{
	struct syslog_sink *s = ctx;
	ssize_t put = send(s->fd, p, n, MSG_NOSIGNAL);

	if (put >= 0)
		return (int)put;
	return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int tls_read(void *ctx, unsigned char *p, size_t n)
{
	struct syslog_sink *s = ctx;
	ssize_t got = recv(s->fd, p, n, 0);

	if (got >= 0)
		return (int)got;
	return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int tls_fail(struct syslog_sink *s, int r, const char *what, struct tamis_sink_error *e)
{
	uint32_t flags = mbedtls_ssl_get_verify_result(&s->ssl);
	char why[128] = "";

	if (r == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED && flags && flags != UINT32_MAX) {
		mbedtls_x509_crt_verify_info(why, sizeof(why), "", flags);
		for (char *c = why; *c; c++)
			if (*c == '\n')
				*c = c[1] ? ' ' : '\0';
		return fail(e, -EPERM, "%s: the certificate of %s is not accepted: %s", what, s->host, why);
	}
	mbedtls_strerror(r, why, sizeof(why));
	return fail(e, -EIO, "%s %s port %s: %s", what, s->host, s->port, why);
}

static int load_keys(struct syslog_sink *s, const struct tamis_sink_env *env, struct tamis_sink_error *e)
{
	const char *ca = setting(env, "ca"), *cert = setting(env, "cert"), *key = setting(env, "key");
	int r;

	if (!*ca)
		ca = "/etc/ssl/certs/ca-certificates.crt";
	/* positive: some certificates of many were not understood */
	if (mbedtls_x509_crt_parse_file(&s->ca, ca) < 0)
		return fail(e, -EINVAL, "ca: cannot read certificates from %s (tamis-spool must be able to)", ca);
	if (!*cert)
		return 0;
	if (mbedtls_x509_crt_parse_file(&s->cert, cert) != 0)
		return fail(e, -EINVAL, "cert: cannot read a certificate from %s (tamis-spool must be able to)", cert);
	if (mbedtls_x509_time_is_past(&s->cert.valid_to))
		return fail(e, -EPERM, "cert: the certificate in %s has expired: replace it", cert);
#if MBEDTLS_VERSION_MAJOR >= 3
	r = mbedtls_pk_parse_keyfile(&s->key, key, NULL, mbedtls_ctr_drbg_random, &s->random);
#else
	r = mbedtls_pk_parse_keyfile(&s->key, key, NULL);
#endif
	if (r != 0)
		return fail(e, -EINVAL, "key: cannot read a private key from %s (tamis-spool must be able to)", key);
	return mbedtls_ssl_conf_own_cert(&s->conf, &s->cert, &s->key) == 0
		       ? 0
		       : fail(e, -EINVAL, "cert and key: these do not belong together");
}

static int setup_tls(struct syslog_sink *s, const struct tamis_sink_env *env, struct tamis_sink_error *e)
{
	const char *name = *setting(env, "server-name") ? setting(env, "server-name") : s->host;
	int r;

#if MBEDTLS_VERSION_MAJOR >= 3
	psa_crypto_init();
#endif
	r = mbedtls_ctr_drbg_seed(&s->random, mbedtls_entropy_func, &s->entropy, NULL, 0);
	if (r == 0)
		r = mbedtls_ssl_config_defaults(&s->conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
						MBEDTLS_SSL_PRESET_DEFAULT);
	if (r != 0)
		return tls_fail(s, r, "cannot set up TLS to", e);
	mbedtls_ssl_conf_rng(&s->conf, mbedtls_ctr_drbg_random, &s->random);
	mbedtls_ssl_conf_authmode(&s->conf, MBEDTLS_SSL_VERIFY_REQUIRED);
#if MBEDTLS_VERSION_MAJOR < 3
	mbedtls_ssl_conf_min_version(&s->conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#endif
	r = load_keys(s, env, e);
	if (r < 0)
		return r;
	mbedtls_ssl_conf_ca_chain(&s->conf, &s->ca, NULL);
	r = mbedtls_ssl_setup(&s->ssl, &s->conf);
	if (r == 0)
		r = mbedtls_ssl_set_hostname(&s->ssl, name);
	if (r != 0)
		return tls_fail(s, r, "cannot set up TLS to", e);
	mbedtls_ssl_set_bio(&s->ssl, s, tls_write, tls_read, NULL);
	return 0;
}

static int handshake(struct syslog_sink *s, struct tamis_sink_error *e)
{
	int r;

	while ((r = mbedtls_ssl_handshake(&s->ssl)) != 0) {
		if (r != MBEDTLS_ERR_SSL_WANT_READ && r != MBEDTLS_ERR_SSL_WANT_WRITE)
			return tls_fail(s, r, "no TLS with", e);
		if (wait_for(s, r == MBEDTLS_ERR_SSL_WANT_READ ? POLLIN : POLLOUT) < 0)
			return fail(e, -ETIMEDOUT,
				    "%s port %s accepts, and then says nothing for %u s (no TLS handshake)", s->host,
				    s->port, s->timeout_ms / 1000);
	}
	return 0;
}

/* ---- the sink ------------------------------------------------------------------------------------------------------ */

static void syslog_close(void *sink)
{
	struct syslog_sink *s = sink;

	if (s->tls && s->fd >= 0)
		mbedtls_ssl_close_notify(&s->ssl);
	if (s->fd >= 0)
		close(s->fd);
	mbedtls_ssl_free(&s->ssl);
	mbedtls_ssl_config_free(&s->conf);
	mbedtls_x509_crt_free(&s->ca);
	mbedtls_x509_crt_free(&s->cert);
	mbedtls_pk_free(&s->key);
	mbedtls_ctr_drbg_free(&s->random);
	mbedtls_entropy_free(&s->entropy);
	free(s->buf);
	free(s);
}

static int syslog_open(const struct tamis_sink_env *env, void **ret, struct tamis_sink_error *e)
{
	struct syslog_sink *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return fail(e, -ENOMEM, "no memory");
	s->host = setting(env, "host");
	s->tls = setting_is(env, "tls", "yes");
	s->counted = !setting_is(env, "framing", "lines");
	s->timeout_ms = env->timeout_ms;
	s->end = now_ms() + s->timeout_ms;
	s->fd = -1;
	snprintf(s->port, sizeof(s->port), "%u",
		 (unsigned int)(setting_number(env, "port", s->tls ? 6514 : 601) & 0xffff));
	mbedtls_ssl_init(&s->ssl);
	mbedtls_ssl_config_init(&s->conf);
	mbedtls_x509_crt_init(&s->ca);
	mbedtls_x509_crt_init(&s->cert);
	mbedtls_pk_init(&s->key);
	mbedtls_ctr_drbg_init(&s->random);
	mbedtls_entropy_init(&s->entropy);
	/* what is wrong with our own files is said before anybody is asked for anything */
	r = s->tls ? setup_tls(s, env, e) : 0;
	if (r == 0)
		r = connect_any(s, e);
	if (r == 0 && s->tls)
		r = handshake(s, e);
	if (r < 0) {
		syslog_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* Collectors say nothing; what comes is their end, or an alert of TLS. */
static int is_open(struct syslog_sink *s, struct tamis_sink_error *e)
{
	unsigned char byte;
	ssize_t n;

	if (s->tls) {
		int r = mbedtls_ssl_read(&s->ssl, &byte, 1);

		if (r == MBEDTLS_ERR_SSL_WANT_READ || r == MBEDTLS_ERR_SSL_WANT_WRITE || r > 0)
			return 0;
		if (r != 0 && r != MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
			return tls_fail(s, r, "lost", e);
		return fail(e, -EPIPE, "%s port %s closed the connection", s->host, s->port);
	}
	n = recv(s->fd, &byte, 1, MSG_DONTWAIT);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return 0;
	return fail(e, -EPIPE, "%s port %s closed the connection", s->host, s->port);
}

static int put_bytes(struct syslog_sink *s, const char *p, size_t n, struct tamis_sink_error *e)
{
	while (n) {
		int put = s->tls ? mbedtls_ssl_write(&s->ssl, (const unsigned char *)p, n)
				 : tls_write(s, (const unsigned char *)p, n);

		if (put > 0) {
			p += put;
			n -= (size_t)put;
			continue;
		}
		if (put != MBEDTLS_ERR_SSL_WANT_WRITE && put != MBEDTLS_ERR_SSL_WANT_READ)
			return s->tls ? tls_fail(s, put, "lost", e)
				      : fail(e, -EPIPE, "lost %s port %s: %s", s->host, s->port, strerror(errno));
		if (wait_for(s, POLLOUT) < 0)
			return fail(e, -ETIMEDOUT, "%s port %s takes nothing for %u s", s->host, s->port,
				    s->timeout_ms / 1000);
	}
	return 0;
}

/* Until all was acknowledged. */
static int drained(struct syslog_sink *s, struct tamis_sink_error *e)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int left = 0;

	for (;;) {
		int r = is_open(s, e);

		if (r < 0)
			return r;
		if (ioctl(s->fd, SIOCOUTQ, &left) < 0)
			return fail(e, -errno, "lost %s port %s: %s", s->host, s->port, strerror(errno));
		if (!left)
			return 0;
		if (now_ms() >= s->end)
			return fail(e, -ETIMEDOUT, "%s port %s takes nothing for %u s", s->host, s->port,
				    s->timeout_ms / 1000);
		nanosleep(&pause, NULL);
	}
}

static int add(struct syslog_sink *s, const struct tamis_sink_message *m)
{
	size_t need = s->len + m->len + 32;
	char *p = need > s->cap ? realloc(s->buf, need + BATCH_BYTES) : s->buf;

	if (!p)
		return -ENOMEM;
	s->cap = need > s->cap ? need + BATCH_BYTES : s->cap;
	s->buf = p;
	if (s->counted)
		s->len += (size_t)sprintf(s->buf + s->len, "%zu ", m->len);
	memcpy(s->buf + s->len, m->text, m->len);
	s->len += m->len;
	if (!s->counted)
		s->buf[s->len++] = '\n';
	return 0;
}

static int syslog_send(void *sink, const struct tamis_sink_message *m, size_t n, struct tamis_sink_result *ret,
		       struct tamis_sink_error *e)
{
	struct syslog_sink *s = sink;
	size_t take = 0;
	int r;

	s->end = now_ms() + s->timeout_ms;
	s->len = 0;
	r = is_open(s, e);
	if (r < 0)
		return r;
	while (take < n && s->len < BATCH_BYTES)
		if (add(s, &m[take++]) < 0)
			return fail(e, -ENOMEM, "no memory for a batch");
	ret->handed = take;
	r = put_bytes(s, s->buf, s->len, e);
	if (r == 0)
		r = drained(s, e);
	if (r == 0)
		ret->taken = take;
	return r;
}

SINK_EXPORT const struct tamis_sink_module tamis_sink_module = { TAMIS_SINK_ABI, syslog_open, syslog_send,
								 syslog_close };
