/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/b64.h"

static const char b64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int b64_encode(struct buf *b, const void *p, size_t n)
{
	const uint8_t *in = p;
	int r = buf_room(b, B64_LEN(n));

	for (; r == 0 && n; in += 3, n -= n < 3 ? n : 3) {
		uint32_t v = (uint32_t)in[0] << 16 | (n > 1 ? in[1] : 0) << 8 | (n > 2 ? in[2] : 0);
		char quad[4] = { b64_digits[v >> 18], b64_digits[v >> 12 & 63], '=', '=' };

		if (n > 1)
			quad[2] = b64_digits[v >> 6 & 63];
		if (n > 2)
			quad[3] = b64_digits[v & 63];
		r = buf_put(b, quad, 4);
	}
	return r;
}

static int b64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* One group of four; *ret_n bytes (1 to 3) come out. */
static int b64_quad(const char *text, uint8_t ret[3], size_t *ret_n)
{
	size_t digits = text[3] != '=' ? 4 : text[2] != '=' ? 3 : 2;
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++) {
		int d = i < digits ? b64_value(text[i]) : 0;

		if (d < 0)
			return -EBADMSG;
		v = v << 6 | (uint32_t)d;
	}
	*ret_n = digits - 1;
	if (v & (0xffffffu >> 8 * *ret_n) & 0xffffff)
		return -EBADMSG;
	ret[0] = (uint8_t)(v >> 16);
	ret[1] = (uint8_t)(v >> 8);
	ret[2] = (uint8_t)v;
	return 0;
}

int b64_decode(const char *text, size_t len, uint8_t *ret, size_t max, size_t *ret_len)
{
	size_t out = 0;

	if (len % 4)
		return -EBADMSG;
	for (size_t i = 0; i < len; i += 4) {
		uint8_t bytes[3];
		size_t n;

		if (b64_quad(text + i, bytes, &n) < 0 || (n < 3 && i + 4 < len))
			return -EBADMSG;
		if (max - out < n)
			return -ENOSPC;
		memcpy(ret + out, bytes, n);
		out += n;
	}
	*ret_len = out;
	return 0;
}
