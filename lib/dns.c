/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/dns.h"

#include <errno.h>
#include <stdint.h>

#define HEAD	   12
#define NAME_BYTES 255
#define LABEL_MAX  63

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
