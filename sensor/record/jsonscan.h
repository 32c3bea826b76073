/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_RECORD_JSONSCAN_H
#define TAMIS_SENSOR_RECORD_JSONSCAN_H

/*
 * Is this one well-formed JSON object without white space, and which members does it have? Near the speed at which memory
 * is read: verifying a log looks at each of its bytes. The text is untrusted and needs no padding.
 *
 * How: 64 bytes at a time are turned into masks, a bit a byte (jsonmask.h). Which bytes are in strings is a running XOR of
 * the quotes; which are in an object rather than an array follows from the brackets, of which there are few. After that
 * the grammar is a rule about each byte and the one before it, and one AND looks at 64 of them. Only escapes, and what
 * is neither string nor plain number, are looked at by the byte.
 *
 * Not checked: that text is UTF-8, and the order of members; the caller sees the order.
 */

#include <stddef.h>

#define JSONSCAN_DEPTH 64 /* deeper nesting is refused; alerts have about six levels */

/* Text between the quotes of the key, and the value as it stands. What it returns below 0 ends the scan. */
typedef int (*jsonscan_member)(void *ctx, const char *key, size_t key_n, const char *value, size_t value_n);

/*
 * 0, -EBADMSG, or what member returned. member is called for each member of the object itself, in their order; behind
 * those it was called for the text may still turn out to be malformed.
 */
int jsonscan(const char *p, size_t n, jsonscan_member member, void *ctx);

#endif
