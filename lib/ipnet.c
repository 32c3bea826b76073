/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/ipnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "lib/value.h"

_Static_assert(IPNET_BYTES == VAL_IP_BYTES, "an address is one value");

#define PREFIX	16 /* where the prefix length is */
#define V4_BITS 96

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

/* Decimal digits only: no sign, no white space, no empty text. */
static int parse_prefix(const char *s, size_t len, unsigned max, unsigned *ret)
{
	unsigned n = 0;

	if (len == 0 || len > 3)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -EINVAL;
		n = n * 10 + (unsigned)(s[i] - '0');
	}
	if (n > max)
		return -EINVAL;
	*ret = n;
	return 0;
}

static void mask(uint8_t ip[IPNET_BYTES])
{
	for (unsigned i = ip[PREFIX]; i < 128; i++)
		ip[i / 8] &= (uint8_t) ~(0x80u >> (i % 8));
}

int ipnet_parse(const char *s, size_t len, uint8_t ret[IPNET_BYTES])
{
	const char *slash = len ? memchr(s, '/', len) : NULL;
	size_t alen = slash ? (size_t)(slash - s) : len;
	uint8_t ip[IPNET_BYTES] = { 0 };
	char text[INET6_ADDRSTRLEN];
	unsigned prefix, bits;

	if (alen == 0 || alen >= sizeof(text) || memchr(s, 0, alen))
		return -EINVAL;
	memcpy(text, s, alen);
	text[alen] = 0;
	if (inet_pton(AF_INET, text, ip + sizeof(mapped)) == 1) {
		memcpy(ip, mapped, sizeof(mapped));
		bits = 32;
	} else if (inet_pton(AF_INET6, text, ip) == 1) {
		bits = 128;
	} else {
		return -EINVAL;
	}
	prefix = bits;
	if (slash && parse_prefix(slash + 1, len - alen - 1, bits, &prefix) < 0)
		return -EINVAL;
	ip[PREFIX] = (uint8_t)(128 - bits + prefix);
	mask(ip);
	memcpy(ret, ip, sizeof(ip));
	return 0;
}

int ipnet_from_bytes(const void *addr, size_t len, uint8_t ret[IPNET_BYTES])
{
	if (len != 4 && len != 16)
		return -EINVAL;
	if (len == 4)
		memcpy(ret, mapped, sizeof(mapped));
	memcpy(ret + 16 - len, addr, len);
	ret[PREFIX] = 128;
	return 0;
}

bool ipnet_is_v4(const uint8_t ip[IPNET_BYTES])
{
	return ip[PREFIX] >= V4_BITS && memcmp(ip, mapped, sizeof(mapped)) == 0;
}

size_t ipnet_text(const uint8_t ip[IPNET_BYTES], char ret[IPNET_TEXT_MAX])
{
	bool v4 = ipnet_is_v4(ip);
	unsigned prefix = ip[PREFIX] - (v4 ? V4_BITS : 0u);
	size_t n;

	if (!inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? ip + V4_BITS / 8 : ip, ret, IPNET_TEXT_MAX - 4))
		ret[0] = 0;
	n = strlen(ret);
	if (ip[PREFIX] >= 128)
		return n;
	ret[n++] = '/';
	if (prefix >= 100)
		ret[n++] = '1';
	if (prefix >= 10)
		ret[n++] = (char)('0' + prefix / 10 % 10);
	ret[n++] = (char)('0' + prefix % 10);
	ret[n] = 0;
	return n;
}

/* Whether the address of @b lies in @a. */
static bool contains(const uint8_t *a, const uint8_t *b)
{
	unsigned bits = a[PREFIX], bytes = bits / 8, rest = bits % 8;

	if (bits < V4_BITS && ipnet_is_v4(b))
		return false;
	return memcmp(a, b, bytes) == 0 && (rest == 0 || ((a[bytes] ^ b[bytes]) & (0xff00u >> rest) & 0xff) == 0);
}

bool ipnet_match(const uint8_t a[IPNET_BYTES], const uint8_t b[IPNET_BYTES])
{
	return contains(a, b) || contains(b, a);
}

bool ipnet_is_zero(const uint8_t ip[IPNET_BYTES])
{
	static const uint8_t zero[16];

	return memcmp(ip, zero, 16) == 0 || (memcmp(ip, mapped, sizeof(mapped)) == 0 && memcmp(ip + 12, zero, 4) == 0);
}

#define V4(A, B, C, BITS)                                                                                              \
	{                                                                                                              \
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, A, B, C, 0, V4_BITS + (BITS)                                 \
	}
#define V6(A, B, C, D, BITS)                                                                                           \
	{                                                                                                              \
		A, B, C, D, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, BITS                                                   \
	}

static const uint8_t not_public[][IPNET_BYTES] = {
	V4(0, 0, 0, 8),	      V4(10, 0, 0, 8),		V4(100, 64, 0, 10),
	V4(127, 0, 0, 8),     V4(169, 254, 0, 16),	V4(172, 16, 0, 12),
	V4(192, 0, 0, 24),    V4(192, 0, 2, 24),	V4(192, 88, 99, 24),
	V4(192, 168, 0, 16),  V4(198, 18, 0, 15),	V4(198, 51, 100, 24),
	V4(203, 0, 113, 24),  V4(224, 0, 0, 4),		V4(240, 0, 0, 4),
	V6(0, 0, 0, 0, 127),  V6(1, 0, 0, 0, 64),	V6(0x20, 0x01, 0x0d, 0xb8, 32),
	V6(0xfc, 0, 0, 0, 7), V6(0xfe, 0x80, 0, 0, 10), V6(0xff, 0, 0, 0, 8),
};

const uint8_t (*ipnet_not_public(size_t *ret_n))[IPNET_BYTES]
{
	*ret_n = sizeof(not_public) / sizeof(not_public[0]);
	return not_public;
}

bool ipnet_is_public(const uint8_t ip[IPNET_BYTES])
{
	for (size_t i = 0; i < sizeof(not_public) / sizeof(not_public[0]); i++)
		if (contains(not_public[i], ip))
			return false;
	return true;
}
