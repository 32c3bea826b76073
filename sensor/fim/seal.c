/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/seal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#define TITLE "tamis fim baseline 1"

/* ---- the key ------------------------------------------------------------------------------------------------------- */

/*
 * Signing is deterministic (RFC 6979), and nothing else is ever signed that begins like this: so the signature is a secret
 * that only the key's owner can work out.
 */
static int derive_secret(struct seal *s, struct err *e)
{
	static const char label[] = "tamis fim seal of rows 1";
	uint8_t digest[HASH_SIZE], sig[SIG_MAX];
	size_t n;

	hash_sha256(label, sizeof(label), digest);
	if (sig_sign(s->key, digest, sig, &n) < 0)
		return err_set(e, -EINVAL, "the baseline's key cannot sign");
	hash_sha256(sig, n, s->secret);
	memset(sig, 0, sizeof(sig));
	return 0;
}

static int make_key(const char *state_dir, const char *path, const char *pub, struct err *e)
{
	_cleanup_free_ char *dir = NULL;

	if (asprintf(&dir, "%s/keys", state_dir) < 0) {
		dir = NULL;
		return err_set(e, -ENOMEM, "out of memory");
	}
	if ((mkdir(state_dir, 0711) < 0 && errno != EEXIST) || (mkdir(dir, 0700) < 0 && errno != EEXIST))
		return err_sys(e, -errno, "cannot create", dir);
	return sig_keygen(path, pub, e);
}

int seal_open(const char *state_dir, bool create, struct seal *ret, struct err *e)
{
	_cleanup_free_ char *path = NULL, *pub = NULL;
	struct seal s = { 0 };
	int r;

	*ret = s;
	if (asprintf(&path, "%s/keys/fim.pem", state_dir) < 0) {
		path = NULL;
		return err_set(e, -ENOMEM, "out of memory");
	}
	r = sig_pub_path(path, &pub);
	if (r < 0)
		return err_set(e, r, "out of memory");
	r = sig_load_private(path, &s.key, e);
	if (r == -ENOENT && create) {
		r = make_key(state_dir, path, pub, e);
		if (r == 0)
			r = sig_load_private(path, &s.key, e);
	}
	if (r < 0)
		return r;
	r = derive_secret(&s, e);
	if (r < 0) {
		seal_done(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void seal_done(struct seal *s)
{
	sig_key_free(s->key);
	explicit_bzero(s, sizeof(*s));
}

/* ---- rows ---------------------------------------------------------------------------------------------------------- */

void seal_leaf(const void *path, size_t path_len, const void *fact, size_t len, merkle_hash ret)
{
	const uint8_t head[5] = { 0, (uint8_t)path_len, (uint8_t)(path_len >> 8), (uint8_t)(path_len >> 16),
				  (uint8_t)(path_len >> 24) };
	struct hash h;

	/* merkle_leaf() of the entry, without putting it together first */
	hash_begin(&h);
	hash_add(&h, head, sizeof(head));
	hash_add(&h, path, path_len);
	hash_add(&h, fact, len);
	hash_end(&h, ret);
}

void seal_row(const struct seal *s, const merkle_hash leaf, uint8_t ret[SEAL_SIZE])
{
	uint8_t both[2 * HASH_SIZE], digest[HASH_SIZE];

	memcpy(both, s->secret, HASH_SIZE);
	memcpy(both + HASH_SIZE, leaf, HASH_SIZE);
	hash_sha256(both, sizeof(both), digest);
	memcpy(ret, digest, SEAL_SIZE);
}

/* ---- the head ------------------------------------------------------------------------------------------------------ */

void seal_now(char ret[SEAL_TIME_MAX])
{
	struct timespec t;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &t);
	gmtime_r(&t.tv_sec, &tm);
	n = strftime(ret, SEAL_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret + n, SEAL_TIME_MAX - n, ".%03uZ", (unsigned int)(t.tv_nsec / 1000000) % 1000);
}

static void put_hex_line(struct buf *b, const char *name, const uint8_t digest[HASH_SIZE])
{
	char hex[HASH_HEX_SIZE];

	hash_hex(digest, HASH_SIZE, hex);
	buf_printf(b, "%s %s\n", name, hex);
}

int seal_sign(const struct seal *s, const struct seal_head *h, struct buf *text, struct buf *sig, struct err *e)
{
	uint8_t digest[HASH_SIZE], der[SIG_MAX];
	size_t n;

	buf_reset(text);
	buf_reset(sig);
	buf_printf(text, TITLE "\ntime %s\nfiles %" PRIu64 "\n", h->time, h->files);
	put_hex_line(text, "root", h->root);
	put_hex_line(text, "watches", h->watches);
	buf_printf(text, "key %s\n", sig_key_id(s->key));
	if (buf_error(text))
		return err_set(e, buf_error(text), "out of memory");
	hash_sha256(text->data, text->len, digest);
	if (sig_sign(s->key, digest, der, &n) < 0)
		return err_set(e, -EINVAL, "the baseline's key cannot sign");
	return buf_put(sig, der, n) < 0 ? err_set(e, -ENOMEM, "out of memory") : 0;
}

/* "NAME VALUE\n": the value, or NULL where the next line is another. */
static const char *take_line(const char **p, const char *end, const char *name, size_t *ret_len)
{
	size_t n = strlen(name);
	const char *value, *nl = memchr(*p, '\n', (size_t)(end - *p));

	if (!nl || (size_t)(nl - *p) < n + 1 || memcmp(*p, name, n) != 0 || (*p)[n] != ' ')
		return NULL;
	value = *p + n + 1;
	*ret_len = (size_t)(nl - value);
	*p = nl + 1;
	return value;
}

static bool take_digest(const char **p, const char *end, const char *name, uint8_t ret[HASH_SIZE])
{
	size_t n;
	const char *v = take_line(p, end, name, &n);

	return v && n == 2 * HASH_SIZE && hash_unhex(v, HASH_SIZE, ret) == 0;
}

static bool take_number(const char **p, const char *end, const char *name, uint64_t *ret)
{
	size_t n;
	const char *v = take_line(p, end, name, &n);

	if (!v || !n || n > 18)
		return false;
	*ret = 0;
	for (size_t i = 0; i < n; i++) {
		if (v[i] < '0' || v[i] > '9')
			return false;
		*ret = *ret * 10 + (uint64_t)(v[i] - '0');
	}
	return true;
}

static bool is_time(const char *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!v[i] || !strchr("0123456789-:.TZ", v[i]))
			return false;
	return n > 0 && n < SEAL_TIME_MAX;
}

int seal_read(const void *p, size_t n, struct seal_head *ret, struct err *e)
{
	const char *s = p, *end = s + n, *v;
	struct seal_head h = { 0 };
	size_t len = strlen(TITLE "\n");

	if (n < len || memcmp(s, TITLE "\n", len) != 0)
		return err_set(e, -EBADMSG, "the baseline's head is damaged: it does not begin with \"" TITLE "\"");
	s += len;
	v = take_line(&s, end, "time", &len);
	if (!v || !is_time(v, len) || !take_number(&s, end, "files", &h.files) ||
	    !take_digest(&s, end, "root", h.root) || !take_digest(&s, end, "watches", h.watches))
		return err_set(e, -EBADMSG, "the baseline's head is damaged");
	memcpy(h.time, v, len);
	v = take_line(&s, end, "key", &len);
	if (!v || s != end)
		return err_set(e, -EBADMSG, "the baseline's head is damaged");
	*ret = h;
	return 0;
}

int seal_check(const struct seal *s, const struct buf *text, const struct buf *sig, struct seal_head *ret,
	       struct err *e)
{
	uint8_t digest[HASH_SIZE];

	hash_sha256(text->data, text->len, digest);
	if (sig_verify(s->key, digest, sig->data, sig->len) < 0)
		return err_set(
			e, -EKEYREJECTED,
			"the baseline's head is not signed by key %s: it was edited, or belongs to another host; "
			"restore it from a copy, or begin anew: init --force",
			sig_key_id(s->key));
	return seal_read(text->data, text->len, ret, e);
}
