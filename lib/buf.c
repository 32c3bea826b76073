/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST 256 /* a short line of text fits without a second allocation */

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_done(struct buf *b)
{
	if (!b)
		return;
	free(b->data);
	buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->error = 0;
}

void buf_truncate(struct buf *b, size_t len)
{
	if (len < b->len)
		b->len = len;
}

int buf_grow(struct buf *b, size_t n)
{
	size_t cap = b->cap ? b->cap : BUF_FIRST;
	uint8_t *data;

	if (b->error)
		return b->error;
	if (n > b->max || b->len > b->max - n)
		return b->error = -EFBIG;
	if (b->data && b->cap - b->len >= n)
		return 0;
	while (cap - b->len < n)
		cap *= 2;
	if (cap > b->max)
		cap = b->max;
	data = realloc(b->data, cap ? cap : 1);
	if (!data)
		return b->error = -ENOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n, r;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return b->error ? b->error : (b->error = -EINVAL);
	/* vsnprintf also writes a NUL, which is not counted but needs room below the maximum */
	r = buf_room(b, (size_t)n + 1);
	if (r < 0)
		return r;
	va_start(ap, fmt);
	vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}

const char *buf_cstr(struct buf *b)
{
	if (buf_putc(b, '\0') < 0)
		return NULL;
	b->len--;
	return (const char *)b->data;
}

int buf_put_u16(struct buf *b, uint16_t v)
{
	const uint8_t le[2] = { (uint8_t)v, (uint8_t)(v >> 8) };

	return buf_put(b, le, sizeof(le));
}

int buf_put_u32(struct buf *b, uint32_t v)
{
	const uint8_t le[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };

	return buf_put(b, le, sizeof(le));
}

int buf_put_u64(struct buf *b, uint64_t v)
{
	uint8_t le[8];

	for (int i = 0; i < 8; i++)
		le[i] = (uint8_t)(v >> 8 * i);
	return buf_put(b, le, sizeof(le));
}

int buf_put_dec(struct buf *b, uint64_t v)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
				    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
				    "8081828384858687888990919293949596979899";
	char digits[20];
	size_t at = sizeof(digits);

	/* a division costs more than all else here */
	for (; v >= 10; v /= 100) {
		at -= 2;
		memcpy(digits + at, pairs + 2 * (v % 100), 2);
	}
	if (v || at == sizeof(digits))
		digits[--at] = (char)('0' + v);
	return buf_put(b, digits + at, sizeof(digits) - at);
}
