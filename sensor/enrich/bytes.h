/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_BYTES_H
#define TAMIS_ENRICH_BYTES_H

/*
 * Records that bring bytes which mean something: the instructions of a packet filter, a DNS message, the
 * begin of an HTTP message. A string row of the record holds the bytes,
 * and here the event's values are made of them; nothing of the bytes themselves stays in the event. They are untrusted.
 */

#include "lib/value.h"

#define BYTES_INSNS (EV_PATH_MAX / 8)

/* Where the made values lie, until the next event. */
struct bytes {
	char text[BYTES_INSNS * 40];
	char hash[65];
	struct val list[BYTES_INSNS];
};

/* Of an event that a record has brought, not of one that was read from JSON. */
void bytes_expand(struct bytes *b, struct event *ev);

#endif
