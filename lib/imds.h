/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_IMDS_H
#define TAMIS_LIB_IMDS_H

/*
 * Requests to the metadata services of clouds, and their answers: the begin of an HTTP message. The bytes are untrusted, may
 * be cut anywhere, and hold secrets (tokens, keys): what comes out are the parts that say what was asked for, never those.
 * Nothing here allocates; what comes out borrows from what went in.
 */

#include <stdbool.h>
#include <stddef.h>

#include "lib/value.h"

struct imds {
	bool response;
	bool aws_v2;		/* with a token, or for one */
	struct val url;		/* of a request: path and query */
	struct val host, agent; /* of a request */
	struct val server;	/* of an answer */
	struct val cloud;	/* aws, gcp, azure, oracle, ibm; static; empty: not known */
	struct val credentials; /* of an answer with keys in it: their type */
};

/* What is not there stays empty. Bytes that are no HTTP give a request without anything. */
void imds_parse(const void *bytes, size_t len, struct imds *ret);

#endif
