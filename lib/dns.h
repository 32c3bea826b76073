/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_DNS_H
#define TAMIS_LIB_DNS_H

/*
 * The name that a DNS message asks for (RFC 1035). The bytes are untrusted and bounded; nothing here allocates.
 */

#include <stddef.h>
#include <stdint.h>

#define DNS_NAME_TEXT 1024 /* at most this long: 255 bytes, each as \DDD */

/*
 * The first question's name, in the way that names are written: labels with dots between them, none at the end; "." for the
 * root; a dot or a backslash in a label with a backslash before it, other bytes that are no letters as \DDD. Its length is in
 * *ret_len; there is no NUL. -EBADMSG where there is no whole name, or one with a compressed part: nothing stands before a
 * question that it could repeat.
 */
int dns_question_name(const void *message, size_t len, char out[DNS_NAME_TEXT], size_t *ret_len);

/* An address (IPv4 mapped into IPv6) that an answer has, and for how many seconds. */
typedef void (*dns_address_fn)(void *ctx, const uint8_t ip[16], uint32_t seconds);

/*
 * Calls @fn for each A and AAAA record in the answer section of a message that answers one question, in the order in which they are
 * there. A message that was cut, or goes wrong somewhere, has those before that place. How many there were.
 */
unsigned int dns_answer_addresses(const void *message, size_t len, dns_address_fn fn, void *ctx);

#endif
