/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/text.h"

#include <zlib.h>

bool text_is_plain(const void *p, size_t n)
{
	static const char key[] = "PRIVATE KEY";

	if (n && (memchr(p, '\0', n) || memmem(p, n, key, sizeof(key) - 1)))
		return false;
	return true;
}

/*
 * Most texts are small: a window no larger than the text spares most of the 260 KiB that zlib would clear for each. The
 * result is zlib's format all the same.
 */
static int begin(z_stream *z, size_t n)
{
	int bits = 9;

	while (bits < 15 && (1UL << bits) < n)
		bits++;
	*z = (z_stream){ 0 };
	return deflateInit2(z, 6, Z_DEFLATED, bits, bits - 7, Z_DEFAULT_STRATEGY);
}

int text_pack(const void *p, size_t n, struct buf *out)
{
	z_stream z;
	size_t room;
	int r;

	if (begin(&z, n) != Z_OK)
		return -ENOMEM;
	room = deflateBound(&z, n);
	r = buf_grow(out, room + 4);
	if (r == 0) {
		buf_put_u32(out, (uint32_t)n);
		z.next_in = (Bytef *)(uintptr_t)p; /* only read */
		z.avail_in = (uInt)n;
		z.next_out = out->data + out->len;
		z.avail_out = (uInt)room;
		r = deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : -ENOMEM;
		out->len += room - z.avail_out;
	}
	deflateEnd(&z);
	return r;
}

int text_unpack(const void *p, size_t n, size_t max, struct buf *out)
{
	struct rd rd = rd_of(p, n);
	uLongf len;
	uint32_t size;
	int r;

	if (rd_u32(&rd, &size) < 0 || size > max)
		return -EBADMSG;
	r = buf_grow(out, (size_t)size + 1);
	if (r < 0)
		return r;
	len = size + 1UL;
	r = uncompress(out->data + out->len, &len, rd.p, rd.left);
	if (r == Z_MEM_ERROR)
		return -ENOMEM;
	if (r != Z_OK || len != size)
		return -EBADMSG;
	out->len += len;
	return 0;
}
