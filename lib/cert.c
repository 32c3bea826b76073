/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cert.h"
#include "lib/cleanup.h"

#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>
#include <string.h>

#define CERT_REQUEST_MAX 4096

/* mbedtls knows PEM from DER by the NUL at its end, which counts. */
static unsigned char *cert_text(const void *p, size_t n)
{
	unsigned char *text = malloc(n + 1);

	if (text) {
		memcpy(text, p, n);
		text[n] = '\0';
	}
	return text;
}

/* ---- asking -------------------------------------------------------------------------------------------------------- */

static int cert_parse_private(mbedtls_pk_context *pk, const unsigned char *text, size_t n)
{
#if MBEDTLS_VERSION_MAJOR >= 3
	return mbedtls_pk_parse_key(pk, text, n, NULL, 0, sig_random, NULL);
#else
	return mbedtls_pk_parse_key(pk, text, n, NULL, 0);
#endif
}

static int cert_write_request(mbedtls_pk_context *pk, const char *name, unsigned char *out)
{
	char subject[CERT_NAME_MAX + 4];
	mbedtls_x509write_csr csr;
	int r;

	snprintf(subject, sizeof(subject), "CN=%s", name);
	mbedtls_x509write_csr_init(&csr);
	mbedtls_x509write_csr_set_md_alg(&csr, MBEDTLS_MD_SHA256);
	mbedtls_x509write_csr_set_key(&csr, pk);
	r = mbedtls_x509write_csr_set_subject_name(&csr, subject);
	if (r == 0)
		r = mbedtls_x509write_csr_set_key_usage(&csr, MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
	if (r == 0)
		r = mbedtls_x509write_csr_pem(&csr, out, CERT_REQUEST_MAX, sig_random, NULL);
	mbedtls_x509write_csr_free(&csr);
	return r;
}

int cert_request(const void *key_pem, size_t n, const char *name, struct buf *ret, struct err *e)
{
	_cleanup_free_ unsigned char *text = cert_text(key_pem, n);
	unsigned char out[CERT_REQUEST_MAX];
	mbedtls_pk_context pk;
	int r;

	if (!text)
		return err_set(e, -ENOMEM, "no memory for a request");
	if (strlen(name) >= CERT_NAME_MAX)
		return err_set(e, -EINVAL, "%s is too long for a certificate's name", name);
	mbedtls_pk_init(&pk);
	r = cert_parse_private(&pk, text, n + 1);
	mbedtls_platform_zeroize(text, n);
	if (r == 0)
		r = cert_write_request(&pk, name, out);
	mbedtls_pk_free(&pk);
	if (r != 0)
		return err_set(e, -EBADMSG, "no request can be made with this key (mbedtls error -0x%04x)", -r);
	buf_puts(ret, (const char *)out);
	return buf_error(ret);
}

/* ---- looking at one ------------------------------------------------------------------------------------------------ */

static int cert_parse(mbedtls_x509_crt *crt, const void *p, size_t n, const char *what, struct err *e)
{
	_cleanup_free_ unsigned char *text = cert_text(p, n);

	if (!text)
		return err_set(e, -ENOMEM, "no memory for a certificate");
	/* above 0: so many of them could not be read */
	return mbedtls_x509_crt_parse(crt, text, n + 1) != 0
		       ? err_set(e, -EBADMSG, "%s no certificate in PEM form", what)
		       : 0;
}

static int cert_trusted(mbedtls_x509_crt *chain, const void *ca, size_t ca_n, struct err *e)
{
	mbedtls_x509_crt roots;
	uint32_t flags = 0;
	char why[256] = "";
	int r;

	mbedtls_x509_crt_init(&roots);
	r = cert_parse(&roots, ca, ca_n, "the CA's file holds", e);
	if (r == 0 && mbedtls_x509_crt_verify(chain, &roots, NULL, NULL, &flags, NULL, NULL) != 0) {
		mbedtls_x509_crt_verify_info(why, sizeof(why), "", flags);
		why[strcspn(why, "\n")] = '\0';
		r = err_set(e, -EBADMSG, "the certificate is not one of this CA's: %s", why);
	}
	mbedtls_x509_crt_free(&roots);
	return r;
}

static int cert_name(const mbedtls_x509_crt *crt, char ret[CERT_NAME_MAX])
{
	const mbedtls_x509_name *n = &crt->subject;

	for (; n; n = n->next) {
		if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &n->oid) != 0 || n->val.len >= CERT_NAME_MAX ||
		    memchr(n->val.p, '\0', n->val.len))
			continue;
		memcpy(ret, n->val.p, n->val.len);
		ret[n->val.len] = '\0';
		return 0;
	}
	return -EBADMSG;
}

static int cert_take(mbedtls_x509_crt *crt, struct sig_key **ret, char name[CERT_NAME_MAX], struct err *e)
{
	unsigned char der[SIG_DER_MAX];
	int n = mbedtls_pk_write_pubkey_der(&crt->pk, der, sizeof(der));

	if (n < 0)
		return err_set(e, -EBADMSG, "the certificate is not of a P-256 key");
	if (mbedtls_x509_crt_check_key_usage(crt, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0)
		return err_set(e, -EBADMSG, "the certificate's key usage has no digitalSignature");
	if (cert_name(crt, name) < 0)
		return err_set(e, -EBADMSG, "the certificate has no common name, which is to be the host's name");
	/* mbedtls writes at the end of the buffer */
	return sig_parse_der(der + sizeof(der) - n, (size_t)n, "the certificate's key", ret, e);
}

int cert_key(const void *chain, size_t n, const void *ca, size_t ca_n, struct sig_key **ret,
	     char ret_name[CERT_NAME_MAX], struct err *e)
{
	mbedtls_x509_crt crt;
	int r;

	mbedtls_x509_crt_init(&crt);
	r = cert_parse(&crt, chain, n, "this is", e);
	if (r == 0 && ca)
		r = cert_trusted(&crt, ca, ca_n, e);
	if (r == 0)
		r = cert_take(&crt, ret, ret_name, e);
	mbedtls_x509_crt_free(&crt);
	return r;
}
