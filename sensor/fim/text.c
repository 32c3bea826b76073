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

int text_pack(const void *p, size_t n, struct buf *out)
{
	uLongf len = compressBound(n);
	int r = buf_grow(out, len + 4);

	if (r < 0)
		return r;
	buf_put_u32(out, (uint32_t)n);
	r = compress2(out->data + out->len, &len, n ? p : (const void *)"", n, 6);
	if (r != Z_OK)
		return -ENOMEM;
	out->len += len;
	return 0;
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
