/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/root.h"
#include "lib/b64.h"
#include "lib/cert.h"
#include "lib/cleanup.h"
#include "sensor/record/segment.h"

#include <ctype.h>

#define DASH "\xe2\x80\x94 " /* EM DASH, SPACE */

static bool is_host(const char *host, size_t n)
{
	if (!n || n >= ROOT_HOST_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)host[i]) && !memchr("._-", host[i], 3))
			return false;
	return true;
}

int root_sign(struct sig_key *log_key, const char *host, struct sig_key *offline, const char *name, struct buf *ret,
	      struct err *e)
{
	uint8_t der[SIG_DER_MAX], digest[HASH_SIZE], blob[4 + SIG_MAX];
	size_t from = ret->len, n;

	if (!is_host(host, strlen(host)))
		return err_set(e, -EINVAL, "\"%s\" is no host's name as a log has it", host);
	if (sig_public_der(log_key, der, &n) < 0)
		return err_set(e, -EBADMSG, "the log's key cannot be written");
	buf_printf(ret, "tamis/%s/root\n", host);
	b64_encode(ret, der, n);
	buf_putc(ret, '\n');
	if (buf_error(ret))
		return buf_error(ret);
	hash_sha256(ret->data + from, ret->len - from, digest);
	if (sig_sign(offline, digest, blob + 4, &n) < 0)
		return err_set(e, -EIO, "cannot sign with this key");
	memcpy(blob, sig_key_hash(offline), 4);
	buf_printf(ret, "\n" DASH "%s ", name);
	b64_encode(ret, blob, 4 + n);
	buf_putc(ret, '\n');
	return buf_error(ret);
}

/* The note's parts; -EBADMSG for any other spelling. */
struct root_note {
	struct line_str host, key, sig;
	size_t text_len;
};

static int take_note(const char *text, size_t n, struct root_note *ret)
{
	struct line_str first, key, empty, sig;
	struct rd r = rd_of(text, n);
	const char *space;

	if (segment_line(&r, &first) <= 0 || segment_line(&r, &key) <= 0 || segment_line(&r, &empty) <= 0 ||
	    segment_line(&r, &sig) <= 0 || r.left || empty.n)
		return -EBADMSG;
	if (first.n < 12 || memcmp(first.p, "tamis/", 6) != 0 || memcmp(first.p + first.n - 5, "/root", 5) != 0)
		return -EBADMSG;
	space = memrchr(sig.p, ' ', sig.n);
	if (sig.n < strlen(DASH) + 2 || memcmp(sig.p, DASH, strlen(DASH)) != 0 || space < sig.p + strlen(DASH))
		return -EBADMSG;
	*ret = (struct root_note){
		.host = { first.p + 6, first.n - 11 },
		.key = key,
		.sig = { space + 1, sig.n - (size_t)(space + 1 - sig.p) },
		.text_len = (size_t)(empty.p - text),
	};
	return is_host(ret->host.p, ret->host.n) ? 0 : -EBADMSG;
}

static int note_key(const char *text, size_t n, struct sig_key *offline, struct sig_key **ret, char host[ROOT_HOST_MAX],
		    struct err *e)
{
	uint8_t der[SIG_DER_MAX], digest[HASH_SIZE], blob[4 + SIG_MAX];
	struct root_note note;
	size_t der_n, blob_n;

	if (take_note(text, n, &note) < 0 || b64_decode(note.key.p, note.key.n, der, sizeof(der), &der_n) < 0 ||
	    b64_decode(note.sig.p, note.sig.n, blob, sizeof(blob), &blob_n) < 0 || blob_n <= 4)
		return err_set(e, -EBADMSG, "this is neither a certificate nor a note of a log's root");
	hash_sha256(text, note.text_len, digest);
	if (offline &&
	    (memcmp(blob, sig_key_hash(offline), 4) != 0 || sig_verify(offline, digest, blob + 4, blob_n - 4) < 0))
		return err_set(e, -EBADMSG, "the root's note is not signed by the key %s", sig_key_id(offline));
	memcpy(host, note.host.p, note.host.n);
	host[note.host.n] = '\0';
	return sig_parse_der(der, der_n, "the log's key", ret, e);
}

int root_key(const void *text, size_t n, const struct root_trust *t, struct sig_key **ret, char ret_host[ROOT_HOST_MAX],
	     struct err *e)
{
	char name[CERT_NAME_MAX];
	int r;

	if (!memmem(text, n, "-----BEGIN CERTIFICATE-----", 27)) {
		if (t && !t->key)
			return err_set(e, -EBADMSG,
				       "the log's root has no certificate, but is signed by an offline key");
		return note_key(text, n, t ? t->key : NULL, ret, ret_host, e);
	}
	if (t && !t->ca)
		return err_set(e, -EBADMSG, "the log's root is not signed by an offline key, but has a certificate");
	r = cert_key(text, n, t ? t->ca : NULL, t ? t->ca_n : 0, ret, name, e);
	if (r < 0)
		return r;
	if (!is_host(name, strlen(name))) {
		sig_key_free(*ret);
		*ret = NULL;
		return err_set(e, -EBADMSG, "the certificate's common name is no host's name as a log has it");
	}
	snprintf(ret_host, ROOT_HOST_MAX, "%s", name);
	return 0;
}
