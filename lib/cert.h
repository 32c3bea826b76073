/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_CERT_H
#define TAMIS_LIB_CERT_H

/*
 * X.509 certificates of P-256 keys, by mbedtls: asking for one, and whether a chain of them leads to a CA that one trusts. The texts
 * are PEM, as openssl reads and writes them.
 */

#include "lib/buf.h"
#include "lib/sig.h"

#define CERT_NAME_MAX 65 /* a common name and a NUL */

/* Appends a PKCS#10 request for this private key, with the name as common name. -EBADMSG: the text is no such key. */
int cert_request(const void *key_pem, size_t n, const char *name, struct buf *ret, struct err *e);

/*
 * The key and common name of the first certificate of @chain, which may have those between it and the CA behind it. @ca NULL: whoever
 * has made it. Else it has to be valid now, and signed by one of @ca's, through the chain. -EBADMSG with *e.
 * The caller frees *ret.
 */
int cert_key(const void *chain, size_t n, const void *ca, size_t ca_n, struct sig_key **ret,
	     char ret_name[CERT_NAME_MAX], struct err *e);

#endif
