/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_HOSTNAMES_H
#define TAMIS_ENRICH_HOSTNAMES_H

/*
 * By which names addresses were looked up: what the DNS answers said that this machine's sockets have got. A table of a fixed
 * size, made when the first answer comes; a name is forgotten an hour after it was answered last, or after its time to
 * live, at most a day. An answer is what somebody sent: who controls a name server can give any address any name.
 */

#include <stddef.h>
#include <stdint.h>

#include "lib/value.h"

#define HOSTNAMES_AN_ADDRESS 8
#define HOSTNAMES_MAX	     4096
#define HOSTNAME_BYTES	     238 /* longer ones, with what had to be escaped in them, are left out */

struct hostnames;

/* All zero counts as empty; @h as it is in its owner. */
struct hostnames_table {
	struct hostnames *h; /* owned; NULL: no answer yet */
};

/* The DNS message of an event at @now_ns. */
void hostnames_learn(struct hostnames_table *t, const void *message, size_t len, uint64_t now_ns);

/* Names of @ip, the latest first; their text lives until the next answer. How many. */
uint32_t hostnames_of(const struct hostnames_table *t, const uint8_t ip[16], uint64_t now_ns,
		      struct val ret[HOSTNAMES_AN_ADDRESS]);

void hostnames_done(struct hostnames_table *t);

#endif
