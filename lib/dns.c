/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/dns.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define HEAD	   12
#define NAME_BYTES 255
#define LABEL_MAX  63
#define TYPE_A	   1
#define TYPE_AAAA  28
#define CLASS_IN   1
#define ANSWER	   0x80 /* of the third byte */
#define CODE	   0x0f /* of the fourth; 0: no error */

/* One byte of a label as text; how many characters. */
static size_t put_byte(char *out, uint8_t c)
{
	if (c == '.' || c == '\\') {
		out[0] = '\\';
		out[1] = (char)c;
		return 2;
	}
	if (c > ' ' && c < 0x7f) {
		out[0] = (char)c;
		return 1;
	}
	out[0] = '\\';
	out[1] = (char)('0' + c / 100);
	out[2] = (char)('0' + c / 10 % 10);
	out[3] = (char)('0' + c % 10);
	return 4;
}

int dns_question_name(const void *message, size_t len, char out[DNS_NAME_TEXT], size_t *ret_len)
{
	const uint8_t *m = message;
	size_t at = HEAD, n = 0;

	if (len < HEAD || !(m[4] | m[5]))
		return -EBADMSG;
	for (;;) {
		size_t label;

		if (at >= len || at - HEAD >= NAME_BYTES)
			return -EBADMSG;
		label = m[at++];
		if (!label)
			break;
		if (label > LABEL_MAX || label > len - at || at + label - HEAD > NAME_BYTES)
			return -EBADMSG;
		if (n)
			out[n++] = '.';
		for (size_t i = 0; i < label; i++)
			n += put_byte(out + n, m[at + i]);
		at += label;
	}
	if (!n)
		out[n++] = '.';
	*ret_len = n;
	return 0;
}

static uint32_t be16(const uint8_t *p)
{
	return (uint32_t)(p[0] << 8 | p[1]);
}

/* Behind the name at @at, which may end in a pointer; 0 where it does not end. */
static size_t skip_name(const uint8_t *m, size_t len, size_t at)
{
	while (at < len) {
		size_t label = m[at];

		if ((label & 0xc0) == 0xc0)
			return at + 2 <= len ? at + 2 : 0;
		if (label > LABEL_MAX)
			return 0;
		at += 1 + label;
		if (!label)
			return at <= len ? at : 0;
	}
	return 0;
}

static bool address_of(const uint8_t *rr, const uint8_t *data, uint32_t size, uint8_t ip[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (be16(rr + 2) != CLASS_IN)
		return false;
	if (be16(rr) == TYPE_AAAA && size == 16) {
		memcpy(ip, data, 16);
		return true;
	}
	if (be16(rr) != TYPE_A || size != 4)
		return false;
	memcpy(ip, mapped, 12);
	memcpy(ip + 12, data, 4);
	return true;
}

unsigned int dns_answer_addresses(const void *message, size_t len, dns_address_fn fn, void *ctx)
{
	const uint8_t *m = message;
	unsigned int found = 0;
	size_t at;

	if (len < HEAD || !(m[2] & ANSWER) || m[3] & CODE || be16(m + 4) != 1)
		return 0;
	at = skip_name(m, len, HEAD);
	at = at ? at + 4 : 0; /* type and class of the question */
	for (uint32_t left = be16(m + 6); left && at && at <= len; left--) {
		const uint8_t *rr;
		uint32_t size;
		uint8_t ip[16];

		at = skip_name(m, len, at);
		if (!at || len - at < 10)
			break;
		rr = m + at; /* type, class, time to live, length */
		size = be16(rr + 8);
		at += 10;
		if (size > len - at)
			break;
		if (address_of(rr, m + at, size, ip)) {
			fn(ctx, ip, be16(rr + 4) << 16 | be16(rr + 6));
			found++;
		}
		at += size;
	}
	return found;
}
