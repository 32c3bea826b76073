/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_BUF_H
#define TAMIS_LIB_BUF_H

/*
 * Two halves of one thing: struct buf grows while bytes are put in, struct rd shrinks while bytes are taken out.
 *
 * A buf has a maximum from its creation. An append that would pass it, or that finds no memory, puts nothing in and
 * leaves the error in buf.error; from then on every append does nothing and returns that error. So a renderer may put
 * many pieces and look at buf_error() once at its end: a buffer without an error holds every byte that was put.
 *
 * A rd never reads outside its bytes. Every getter returns 0, or -EBADMSG when too few bytes are left, in which case
 * nothing is consumed and nothing is written to the output. Integers are little-endian and need no alignment.
 */

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
	uint8_t *data; /* owned; NULL while empty */
	size_t len;
	size_t cap;
	size_t max;
	int error; /* 0, -ENOMEM, or -EFBIG when the maximum was hit */
};

/* An empty buffer; memory is taken with the first byte. max is in bytes and may be SIZE_MAX / 2 at most. */
void buf_init(struct buf *b, size_t max);
/* Gives the memory back; the buffer is as after buf_init. A zeroed or NULL buffer is fine. */
void buf_done(struct buf *b);
/* Length and error to zero; the memory stays for the next use. */
void buf_reset(struct buf *b);
/* Cuts the buffer back to len bytes (no more than it has). An error stays. */
void buf_truncate(struct buf *b, size_t len);
/* Room for n more bytes, so that the next puts cannot fail: 0, -ENOMEM or -EFBIG. */
int buf_grow(struct buf *b, size_t n);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A terminating NUL behind the data (not counted in len) and the text; NULL when the buffer has an error. Borrowed. */
const char *buf_cstr(struct buf *b);

static inline int buf_error(const struct buf *b)
{
	return b->error;
}

static inline int buf_room(struct buf *b, size_t n)
{
	if (!b->error && b->cap - b->len >= n)
		return 0;
	return buf_grow(b, n);
}

static inline int buf_put(struct buf *b, const void *p, size_t n)
{
	int r = buf_room(b, n);

	if (r < 0)
		return r;
	if (n)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	return 0;
}

static inline int buf_putc(struct buf *b, uint8_t c)
{
	int r = buf_room(b, 1);

	if (r < 0)
		return r;
	b->data[b->len++] = c;
	return 0;
}

static inline int buf_puts(struct buf *b, const char *s)
{
	return buf_put(b, s, strlen(s));
}

int buf_put_u16(struct buf *b, uint16_t v);
int buf_put_u32(struct buf *b, uint32_t v);
int buf_put_u64(struct buf *b, uint64_t v);
/* The decimal digits of v. */
int buf_put_dec(struct buf *b, uint64_t v);

struct rd {
	const uint8_t *p; /* borrowed */
	size_t left;
};

static inline struct rd rd_of(const void *p, size_t n)
{
	return (struct rd){ .p = p, .left = n };
}

/* Borrows the next n bytes: *ret points into what the reader was made of. */
static inline int rd_bytes(struct rd *r, size_t n, const uint8_t **ret)
{
	if (r->left < n)
		return -EBADMSG;
	*ret = r->p;
	r->p += n;
	r->left -= n;
	return 0;
}

static inline int rd_skip(struct rd *r, size_t n)
{
	const uint8_t *skipped;

	return rd_bytes(r, n, &skipped);
}

/* The next n bytes as a reader of their own: a field with a length cannot be read past. */
static inline int rd_sub(struct rd *r, size_t n, struct rd *ret)
{
	const uint8_t *p;

	if (rd_bytes(r, n, &p) < 0)
		return -EBADMSG;
	*ret = rd_of(p, n);
	return 0;
}

static inline int rd_u8(struct rd *r, uint8_t *ret)
{
	if (!r->left)
		return -EBADMSG;
	*ret = *r->p++;
	r->left--;
	return 0;
}

static inline int rd_u16(struct rd *r, uint16_t *ret)
{
	const uint8_t *p;

	if (rd_bytes(r, 2, &p) < 0)
		return -EBADMSG;
	*ret = (uint16_t)(p[0] | p[1] << 8);
	return 0;
}

static inline int rd_u32(struct rd *r, uint32_t *ret)
{
	const uint8_t *p;

	if (rd_bytes(r, 4, &p) < 0)
		return -EBADMSG;
	*ret = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
	return 0;
}

static inline int rd_u64(struct rd *r, uint64_t *ret)
{
	uint32_t lo, hi;

	if (r->left < 8)
		return -EBADMSG;
	rd_u32(r, &lo);
	rd_u32(r, &hi);
	*ret = (uint64_t)hi << 32 | lo;
	return 0;
}

/* 0 when everything was read, -EBADMSG when bytes are left over. */
static inline int rd_end(const struct rd *r)
{
	return r->left ? -EBADMSG : 0;
}

#endif
