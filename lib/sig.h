/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_SIG_H
#define TAMIS_LIB_SIG_H

/*
 * ECDSA over P-256 with SHA-256, by mbedtls (2.28 or 3.6). Keys are PEM files and signatures DER, both in the forms
 * that openssl reads and writes:
 *
 *	openssl dgst -sha256 -verify log.pub.pem -signature text.sig text
 *
 * Signing is deterministic (RFC 6979): equal key and text give equal bytes, and no random number can leak the key.
 */

#include "lib/err.h"
#include "lib/hash.h"

#include <stdbool.h>

#define SIG_MAX		   72 /* DER of two 256-bit integers; usually 70 to 72 bytes */
#define SIG_KEY_ID	   8  /* bytes of SHA-256 over the SubjectPublicKeyInfo DER that name a key */
#define SIG_PEM_MAX	   16384
#define SIG_DER_MAX	   128 /* a P-256 SubjectPublicKeyInfo has 91 bytes */
#define SIG_PEM_PUBLIC_MAX 256

struct sig_key; /* a key pair, or a public key alone */

/*
 * Makes a key pair: `path` (mode 0600) and `pub_path` (mode 0644), both new files, synced when this returns 0.
 * -EEXIST where either is there already: a key is never overwritten. After another error neither file remains.
 * @pub_path may be NULL.
 */
int sig_keygen(const char *path, const char *pub_path, struct err *e);

/* The same in memory alone: a private key as SEC1 DER, for what keeps it elsewhere. The caller overwrites it. */
int sig_generate_der(uint8_t ret[SIG_DER_MAX], size_t *ret_len);
/* And back. -EBADMSG: it is none. */
int sig_parse_private_der(const void *der, size_t n, struct sig_key **ret);

/* "KEY.pem" -> "KEY.pub.pem" (a path without ".pem" gets ".pub.pem" at its end). *ret is the caller's to free. */
int sig_pub_path(const char *path, char **ret);

/*
 * Reads a PEM file: a private key (SEC1 "EC PRIVATE KEY" or PKCS#8 "PRIVATE KEY", not encrypted) or a public key
 * ("PUBLIC KEY"). Only P-256 keys are accepted. -ENOENT and the like from the file; -EBADMSG for what is no such key.
 * The caller frees *ret by sig_key_free.
 */
int sig_load_private(const char *path, struct sig_key **ret, struct err *e);
int sig_load_public(const char *path, struct sig_key **ret, struct err *e);
/* The same from text in memory; what names it in error messages. */
int sig_parse_private(const void *pem, size_t n, const char *what, struct sig_key **ret, struct err *e);
int sig_parse_public(const void *pem, size_t n, const char *what, struct sig_key **ret, struct err *e);
void sig_key_free(struct sig_key *k);
/*
 * The key's SubjectPublicKeyInfo in DER: what its hash is of. At most SIG_DER_MAX bytes. sig_parse_der takes exactly these
 * bytes and no other spelling of the same key.
 */
int sig_public_der(const struct sig_key *k, uint8_t ret[SIG_DER_MAX], size_t *ret_len);
int sig_public_pem(const struct sig_key *k, char ret[SIG_PEM_PUBLIC_MAX]);
int sig_parse_der(const void *der, size_t n, const char *what, struct sig_key **ret, struct err *e);

/* The public half of a key, for the caller to free. */
int sig_public_copy(const struct sig_key *k, struct sig_key **ret);

/* What mbedtls asks for random numbers with: lib/cert.c needs it, too. */
int sig_random(void *unused, unsigned char *out, size_t n);

/* The whole SHA-256 of the key's SubjectPublicKeyInfo DER; the id is its first SIG_KEY_ID bytes. Borrowed. */
const uint8_t *sig_key_hash(const struct sig_key *k);
/* The id as 16 hexadecimal digits. Borrowed. */
const char *sig_key_id(const struct sig_key *k);

/* Signs a digest: at most SIG_MAX bytes of DER into ret, *ret_len of them. -EINVAL for a public key. */
int sig_sign(struct sig_key *k, const uint8_t digest[HASH_SIZE], uint8_t ret[SIG_MAX], size_t *ret_len);
/* 0 when the signature is the key's over this digest, -EBADMSG otherwise. */
int sig_verify(struct sig_key *k, const uint8_t digest[HASH_SIZE], const uint8_t *der, size_t n);

#endif
