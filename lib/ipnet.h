/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_IPNET_H
#define TAMIS_LIB_IPNET_H

/*
 * IP addresses and networks in one form: VAL_IP_BYTES (17) bytes, 16 of the address (IPv4 mapped into ::ffff:0:0/96, bits
 * behind the prefix zero), then the prefix length 0..128. An address is a network of 128. So 10.0.0.0/8 has the prefix 104.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IPNET_BYTES    17
#define IPNET_TEXT_MAX 64

/* "192.0.2.1", "2001:db8::1", "10.0.0.0/8", "::ffff:192.0.2.1". -EINVAL where it is none of these. */
int ipnet_parse(const char *s, size_t len, uint8_t ret[IPNET_BYTES]);
/* From 4 or 16 address bytes in network order; other lengths are -EINVAL. */
int ipnet_from_bytes(const void *addr, size_t len, uint8_t ret[IPNET_BYTES]);
/* The shortest text (IPv4 where it is mapped; "/n" where it is no single address). Returns its length. */
size_t ipnet_text(const uint8_t ip[IPNET_BYTES], char ret[IPNET_TEXT_MAX]);

/*
 * Whether one contains the other's address. A network of IPv6 that is larger than the mapped range contains no IPv4
 * address: ::/0 is all of IPv6, 0.0.0.0/0 all of IPv4.
 */
bool ipnet_match(const uint8_t a[IPNET_BYTES], const uint8_t b[IPNET_BYTES]);

bool ipnet_is_v4(const uint8_t ip[IPNET_BYTES]);
/* 0.0.0.0 or ::, whatever the prefix. */
bool ipnet_is_zero(const uint8_t ip[IPNET_BYTES]);
/* No address of a range that is private, local, shared, for documentation, multicast or reserved (RFC 6890). */
bool ipnet_is_public(const uint8_t ip[IPNET_BYTES]);
/* The networks of those ranges, as many as *ret_n. */
const uint8_t (*ipnet_not_public(size_t *ret_n))[IPNET_BYTES];

#endif
