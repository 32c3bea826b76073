/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_RECORD_ROOT_H
#define TAMIS_SENSOR_RECORD_ROOT_H

/*
 * Who says that the log's first key is that of a host: a CA by an X.509 certificate, or a key that is kept offline by a note. Either is a
 * text, STATE/keys/log.root, which proofs carry. Whoever checks a log then needs nothing of its host but the log.
 *
 *	-----BEGIN CERTIFICATE-----	of the log's first key, with the host's name as common name, and behind it those
 *					between it and the CA
 *
 *	tamis/HOST/root			a C2SP signed note; the second line is the key's SubjectPublicKeyInfo DER in base64
 *	MFkwEwYHKoZIzj0…
 *	(empty)
 *	— NAME base64(the first 4 bytes of the offline key's hash and its signature over the two lines)
 */

#include "lib/buf.h"
#include "lib/sig.h"

#define ROOT_TEXT_MAX 65536
#define ROOT_HOST_MAX 72

/* Whom the checker trusts: one of the two. */
struct root_trust {
	const void *ca; /* borrowed: PEM; NULL: not by a CA */
	size_t ca_n;
	struct sig_key *key; /* borrowed: the offline key; NULL: not by such a key */
};

/* Appends a note by which the offline key says whose @log_key is. @name is the offline key's. */
int root_sign(struct sig_key *log_key, const char *host, struct sig_key *offline, const char *name, struct buf *ret,
	      struct err *e);

/*
 * The log's first key and its host, as who is trusted says; *ret is the caller's to free. @t NULL: as the text says, whoever has made
 * it. -EBADMSG with *e.
 */
int root_key(const void *text, size_t n, const struct root_trust *t, struct sig_key **ret, char ret_host[ROOT_HOST_MAX],
	     struct err *e);

#endif
