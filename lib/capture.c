/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/crc32.h"
#include "lib/fs.h"
#include "tamis/event.h"

#define FILE_HEAD  24u
#define BLOCK_HEAD 16u
#define ENTRY_HEAD 8u
#define PAD8(n)	   (((n) + 7u) & ~(size_t)7)

const char *capture_where_name(uint32_t where)
{
	static const char *const names[CAPTURE_LOST_PLACES] = { "ring", "context", "hook", "queue", "capture" };

	return where < CAPTURE_LOST_PLACES ? names[where] : "unknown";
}

const char *capture_why_name(uint32_t why)
{
	static const char *const names[CAPTURE_WHYS] = { "asked", "events", "bytes", "stopped" };

	return why < CAPTURE_WHYS ? names[why] : "unknown";
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put_le32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */

int capture_writer_init(struct capture_writer *w, size_t max, uint32_t fingerprint)
{
	uint8_t head[FILE_HEAD] = CAPTURE_MAGIC;
	int r;

	*w = (struct capture_writer){ .written = FILE_HEAD };
	buf_init(&w->text, max);
	put_le32(head + 8, CAPTURE_VERSION);
	put_le32(head + 12, fingerprint);
	put_le32(head + 16, sizeof(struct ev_head));
	put_le32(head + 20, crc32_add(0, head, 20));
	r = buf_put(&w->text, head, sizeof(head));
	w->closed = w->text.len;
	return r;
}

void capture_writer_done(struct capture_writer *w)
{
	buf_done(&w->text);
}

/* Bytes of entries in the block that is open. */
static size_t open_bytes(const struct capture_writer *w)
{
	return w->text.len > w->closed ? w->text.len - w->closed - BLOCK_HEAD : 0;
}

void capture_close(struct capture_writer *w)
{
	size_t n = open_bytes(w);
	uint8_t *head = w->text.data + w->closed;

	if (!n)
		return;
	put_le32(head, (uint32_t)n);
	put_le32(head + 4, w->number++);
	put_le32(head + 8, 0);
	put_le32(head + 12, crc32_add(crc32_add(0, head, 12), head + BLOCK_HEAD, n));
	w->closed = w->text.len;
	w->written += BLOCK_HEAD + n;
}

int capture_put(struct capture_writer *w, uint16_t type, const void *a, size_t alen, const void *b, size_t blen)
{
	static const uint8_t zeros[BLOCK_HEAD];
	size_t need = ENTRY_HEAD + PAD8(alen + blen);
	int r;

	if (alen > CAPTURE_ENTRY_MAX || blen > CAPTURE_ENTRY_MAX || need > CAPTURE_BLOCK_MAX)
		return -EFBIG;
	if (open_bytes(w) + need > CAPTURE_BLOCK_MAX)
		capture_close(w);
	r = buf_grow(&w->text, need + BLOCK_HEAD);
	if (r < 0) {
		w->text.error = 0; /* what is there stays good */
		return r;
	}
	if (w->text.len == w->closed)
		buf_put(&w->text, zeros, BLOCK_HEAD);
	buf_put_u32(&w->text, (uint32_t)(alen + blen));
	buf_put_u16(&w->text, type);
	buf_put_u16(&w->text, 0);
	buf_put(&w->text, a, alen);
	buf_put(&w->text, b, blen);
	buf_put(&w->text, zeros, PAD8(alen + blen) - (alen + blen));
	if (open_bytes(w) >= CAPTURE_BLOCK_AIM)
		capture_close(w);
	return 0;
}

/* Puts what was gathered in @b, which is done with. */
static int put_buf(struct capture_writer *w, uint16_t type, struct buf *b)
{
	int r = buf_error(b);

	if (!r)
		r = capture_put(w, type, b->data, b->len, NULL, 0);
	buf_done(b);
	return r;
}

static void put_text(struct buf *b, const char *s)
{
	buf_put_u16(b, (uint16_t)strlen(s));
	buf_puts(b, s);
}

int capture_put_meta(struct capture_writer *w, const struct capture_meta *m)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_put_u64(&b, (uint64_t)m->clock);
	buf_put_u64(&b, m->boot_ns);
	buf_put_u64(&b, m->tick_ns);
	buf_put_u16(&b, m->all);
	put_text(&b, m->host);
	put_text(&b, m->release);
	put_text(&b, m->machine);
	put_text(&b, m->version);
	put_text(&b, m->policy);
	put_text(&b, m->policy_sha256);
	return put_buf(w, CAPTURE_META, &b);
}

int capture_put_tick(struct capture_writer *w, const struct capture_tick *t)
{
	struct buf b;

	buf_init(&b, 64);
	buf_put_u64(&b, (uint64_t)t->clock);
	buf_put_u64(&b, t->boot_ns);
	return put_buf(w, CAPTURE_TICK, &b);
}

int capture_put_loss(struct capture_writer *w, const struct capture_loss *l)
{
	struct buf b;

	buf_init(&b, 64);
	buf_put_u32(&b, l->where);
	buf_put_u64(&b, l->count);
	return put_buf(w, CAPTURE_LOSS, &b);
}

int capture_put_end(struct capture_writer *w, const struct capture_end *e)
{
	struct buf b;

	buf_init(&b, 256);
	buf_put_u32(&b, e->why);
	buf_put_u64(&b, e->records);
	buf_put_u64(&b, e->events);
	for (int i = 0; i < CAPTURE_LOST_PLACES; i++)
		buf_put_u64(&b, e->lost[i]);
	return put_buf(w, CAPTURE_END, &b);
}

uint64_t capture_bytes(const struct capture_writer *w)
{
	return w->written + (w->text.len - w->closed);
}

size_t capture_ready(const struct capture_writer *w, const void **ret)
{
	*ret = w->text.data + w->off;
	return w->closed - w->off;
}

void capture_taken(struct capture_writer *w, size_t n)
{
	size_t rest;

	w->off += n;
	/* moving what waits costs: only where it is little, or much was taken */
	if (w->off < w->closed && w->off < w->text.len / 2)
		return;
	rest = w->text.len - w->off;
	if (rest)
		memmove(w->text.data, w->text.data + w->off, rest);
	buf_truncate(&w->text, rest);
	w->closed -= w->off;
	w->off = 0;
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */

struct capture_reader {
	int fd;		    /* borrowed; -1: memory */
	const uint8_t *mem; /* borrowed */
	size_t left;
	char file[256];
	uint64_t at;	 /* bytes read */
	uint32_t number; /* of the next block */
	struct rd block; /* what is left of the present one */
	struct capture_meta meta;
	struct capture_end end;
	bool ended;
	_Alignas(8) uint8_t bytes[CAPTURE_BLOCK_MAX];
};

/* As many of @n bytes as there are; negative errno. */
static ssize_t take(struct capture_reader *r, void *to, size_t n)
{
	size_t got = 0;

	if (r->fd < 0) {
		got = n < r->left ? n : r->left;
		memcpy(to, r->mem, got);
		r->mem += got;
		r->left -= got;
	}
	if (r->fd >= 0) {
		ssize_t k = fs_read(r->fd, to, n);

		if (k < 0)
			return k;
		got = (size_t)k;
	}
	r->at += got;
	return (ssize_t)got;
}

static int damaged(const struct capture_reader *r, struct err *e)
{
	return err_set(e, -EBADMSG, "%s: damaged within block %u, which ends before byte %llu", r->file, r->number,
		       (unsigned long long)r->at);
}

/* The next block. 1, 0 where the file ends, within it or before. */
static int read_block(struct capture_reader *r, struct err *e)
{
	uint8_t head[BLOCK_HEAD];
	ssize_t n = take(r, head, sizeof(head));
	uint32_t size;

	if (n < 0)
		return err_sys(e, (int)n, "cannot read", r->file);
	if ((size_t)n < sizeof(head))
		return 0;
	size = le32(head);
	if (!size || size > CAPTURE_BLOCK_MAX || size % 8 || le32(head + 4) != r->number || le32(head + 8) != 0)
		return damaged(r, e);
	n = take(r, r->bytes, size);
	if (n < 0)
		return err_sys(e, (int)n, "cannot read", r->file);
	if ((size_t)n < size)
		return 0;
	if (crc32_add(crc32_add(0, head, 12), r->bytes, size) != le32(head + 12))
		return damaged(r, e);
	r->number++;
	r->block = rd_of(r->bytes, size);
	return 1;
}

static int read_entry(struct capture_reader *r, struct capture_entry *ret)
{
	const uint8_t *p;
	uint32_t size;
	uint16_t type, zero;

	if (rd_u32(&r->block, &size) < 0 || rd_u16(&r->block, &type) < 0 || rd_u16(&r->block, &zero) < 0 || zero ||
	    !type || type >= CAPTURE_TYPES || size > CAPTURE_BLOCK_MAX || rd_bytes(&r->block, PAD8(size), &p) < 0)
		return -EBADMSG;
	*ret = (struct capture_entry){ .type = type, .size = size, .p = p };
	return 0;
}

static int get_end(const struct capture_entry *e, struct capture_end *ret)
{
	struct rd rd = rd_of(e->p, e->size);
	int bad = rd_u32(&rd, &ret->why) < 0 || rd_u64(&rd, &ret->records) < 0 || rd_u64(&rd, &ret->events) < 0;

	for (int i = 0; i < CAPTURE_LOST_PLACES; i++)
		bad |= rd_u64(&rd, &ret->lost[i]) < 0;
	return bad || rd_end(&rd) < 0 || ret->why >= CAPTURE_WHYS ? -EBADMSG : 0;
}

static int read_next(struct capture_reader *r, struct capture_entry *ret, struct err *e)
{
	int k;

	if (r->ended)
		return r->block.left || take(r, r->bytes, 1) != 0 ? damaged(r, e) : 0;
	if (!r->block.left) {
		k = read_block(r, e);
		if (k <= 0)
			return k;
	}
	if (read_entry(r, ret) < 0)
		return damaged(r, e);
	return 1;
}

int capture_next(struct capture_reader *r, struct capture_entry *ret, struct err *e)
{
	int k = read_next(r, ret, e);

	if (k <= 0)
		return k;
	if (ret->type == CAPTURE_META)
		return damaged(r, e);
	if (ret->type != CAPTURE_END)
		return 1;
	if (get_end(ret, &r->end) < 0)
		return damaged(r, e);
	r->ended = true;
	return read_next(r, ret, e);
}

const struct capture_end *capture_end(const struct capture_reader *r)
{
	return r->ended ? &r->end : NULL;
}

const struct capture_meta *capture_meta(const struct capture_reader *r)
{
	return &r->meta;
}

int capture_get_tick(const struct capture_entry *e, struct capture_tick *ret)
{
	struct rd rd = rd_of(e->p, e->size);
	uint64_t clock;

	if (rd_u64(&rd, &clock) < 0 || rd_u64(&rd, &ret->boot_ns) < 0)
		return -EBADMSG;
	ret->clock = (int64_t)clock;
	return rd_end(&rd);
}

int capture_get_loss(const struct capture_entry *e, struct capture_loss *ret)
{
	struct rd rd = rd_of(e->p, e->size);

	if (rd_u32(&rd, &ret->where) < 0 || rd_u64(&rd, &ret->count) < 0 || ret->where >= CAPTURE_LOST_PLACES)
		return -EBADMSG;
	return rd_end(&rd);
}

/* ---- the beginning ------------------------------------------------------------------------------------------------- */

static int get_text(struct rd *rd, char *to, size_t size)
{
	const uint8_t *p;
	uint16_t len;

	if (rd_u16(rd, &len) < 0 || len >= size || rd_bytes(rd, len, &p) < 0)
		return -EBADMSG;
	for (uint16_t i = 0; i < len; i++)
		if (p[i] < ' ' || p[i] > '~')
			return -EBADMSG;
	memcpy(to, p, len);
	to[len] = '\0';
	return 0;
}

static int get_meta(const struct capture_entry *e, struct capture_meta *m)
{
	struct rd rd = rd_of(e->p, e->size);
	uint64_t clock;
	uint16_t all;

	if (e->type != CAPTURE_META || rd_u64(&rd, &clock) < 0 || rd_u64(&rd, &m->boot_ns) < 0 ||
	    rd_u64(&rd, &m->tick_ns) < 0 || rd_u16(&rd, &all) < 0 || all > 1)
		return -EBADMSG;
	m->clock = (int64_t)clock;
	m->all = all;
	if (get_text(&rd, m->host, sizeof(m->host)) < 0 || get_text(&rd, m->release, sizeof(m->release)) < 0 ||
	    get_text(&rd, m->machine, sizeof(m->machine)) < 0 || get_text(&rd, m->version, sizeof(m->version)) < 0 ||
	    get_text(&rd, m->policy, sizeof(m->policy)) < 0 ||
	    get_text(&rd, m->policy_sha256, sizeof(m->policy_sha256)) < 0)
		return -EBADMSG;
	return rd_end(&rd);
}

static int check_head(struct capture_reader *r, uint32_t fingerprint, struct err *e)
{
	uint8_t head[FILE_HEAD];
	ssize_t n = take(r, head, sizeof(head));

	if (n < 0)
		return err_sys(e, (int)n, "cannot read", r->file);
	if ((size_t)n < sizeof(head) || memcmp(head, CAPTURE_MAGIC, 8) != 0)
		return err_set(e, -EBADMSG, "%s is no capture: make one with `tamisctl capture -o FILE`", r->file);
	if (le32(head + 20) != crc32_add(0, head, 20))
		return err_set(e, -EBADMSG, "%s: its first bytes are damaged", r->file);
	if (le32(head + 8) != CAPTURE_VERSION)
		return err_set(e, -EPROTONOSUPPORT, "%s has version %u of the format, this Tamis reads version %u",
			       r->file, le32(head + 8), CAPTURE_VERSION);
	if (le32(head + 12) != fingerprint || le32(head + 16) != sizeof(struct ev_head))
		return err_set(e, -EPROTONOSUPPORT,
			       "%s was made by a Tamis with another catalog of events and fields (%08x, this one has "
			       "%08x): replay it with that version",
			       r->file, le32(head + 12), fingerprint);
	return 0;
}

static int open_any(struct capture_reader *r, uint32_t fingerprint, struct err *e)
{
	struct capture_entry first;
	int k;

	k = check_head(r, fingerprint, e);
	if (k < 0)
		return k;
	k = read_next(r, &first, e);
	if (k < 0)
		return k;
	if (k == 0)
		return err_set(e, -EBADMSG, "%s was cut off before anything was in it", r->file);
	return get_meta(&first, &r->meta) < 0 ? damaged(r, e) : 0;
}

static struct capture_reader *reader_alloc(const char *file)
{
	struct capture_reader *r = malloc(sizeof(*r));

	if (!r)
		return NULL;
	memset(r, 0, offsetof(struct capture_reader, bytes));
	for (size_t i = 0; file[i] && i + 1 < sizeof(r->file); i++)
		r->file[i] = file[i];
	return r;
}

static int open_with(struct capture_reader *r, uint32_t fingerprint, struct capture_reader **ret, struct err *e)
{
	int k = open_any(r, fingerprint, e);

	if (k < 0)
		capture_free(r);
	else
		*ret = r;
	return k;
}

int capture_open(int fd, const char *file, uint32_t fingerprint, struct capture_reader **ret, struct err *e)
{
	struct capture_reader *r = reader_alloc(file);

	if (!r)
		return err_set(e, -ENOMEM, "no memory for a capture");
	r->fd = fd;
	return open_with(r, fingerprint, ret, e);
}

int capture_open_mem(const void *p, size_t size, uint32_t fingerprint, struct capture_reader **ret, struct err *e)
{
	struct capture_reader *r = reader_alloc("capture");

	if (!r)
		return err_set(e, -ENOMEM, "no memory for a capture");
	r->fd = -1;
	r->mem = p;
	r->left = size;
	return open_with(r, fingerprint, ret, e);
}

void capture_free(struct capture_reader *r)
{
	free(r);
}
