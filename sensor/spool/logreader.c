/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/spool/logreader.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "sensor/record/checkpoint.h"
#include "sensor/record/segment.h"

#define PIECE (128u << 10)

void logreader_init(struct logreader *r, int dir_fd, const struct logpos *at)
{
	*r = (struct logreader){ .dir_fd = dir_fd, .fd = -1, .at = *at };
	buf_init(&r->win, LINE_MAX_BYTES + 2 * PIECE);
}

static void close_segment(struct logreader *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	buf_reset(&r->win);
}

void logreader_done(struct logreader *r)
{
	close_segment(r);
	buf_done(&r->win);
}

int logreader_head(int dir_fd, struct loghead *ret, struct err *e)
{
	char text[CHECKPOINT_NOTE_MAX];
	_cleanup_close_ int fd = openat(dir_fd, "HEAD", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct checkpoint_note note;
	struct rd rd;
	ssize_t n;

	*ret = (struct loghead){ 0 };
	if (fd < 0)
		return err_sys(e, -errno, "cannot open", "the log's HEAD");
	n = read(fd, text, sizeof(text));
	if (n < 0)
		return err_sys(e, -errno, "cannot read", "the log's HEAD");
	rd = rd_of(text, (size_t)n);
	if (checkpoint_next(&rd, &note, e) < 0)
		return err_set(e, -EBADMSG, "the log's HEAD is no checkpoint");
	*ret = (struct loghead){ note.c.segment, note.c.size, note.c.seq };
	return 0;
}

int logreader_refresh(struct logreader *r, struct err *e)
{
	struct loghead head;
	int result = logreader_head(r->dir_fd, &head, e);

	if (result == 0)
		r->head = head;
	return result == -ENOENT ? 0 : result;
}

bool logreader_beyond(const struct logreader *r)
{
	return r->head.segment && (r->at.seq > r->head.seq || r->at.segment > r->head.segment);
}

/* ---- segments ------------------------------------------------------------------------------------------------------ */

/* The first segment from @from on; 0: there is none. */
static uint64_t first_from(int dir_fd, uint64_t from)
{
	_cleanup_free_ uint64_t *list = NULL;
	char name[SEGMENT_NAME_SIZE];
	uint64_t found = 0;
	size_t n;

	if (segment_list(dir_fd, &list, &n) < 0)
		return 0;
	for (size_t i = 0; i < n && !found; i++) {
		segment_name(list[i], SEGMENT_LOG, name);
		if (list[i] >= from && faccessat(dir_fd, name, R_OK, AT_EACCESS) == 0)
			found = list[i];
	}
	return found;
}

static int open_segment(struct logreader *r, uint64_t number, struct err *e)
{
	char name[SEGMENT_NAME_SIZE];

	segment_name(number, SEGMENT_LOG, name);
	r->fd = openat(r->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return r->fd < 0 ? err_sys(e, -errno, "cannot open the log's segment", name) : 0;
}

static int begin_segment(struct logreader *r, uint64_t number, struct err *e)
{
	int result;

	close_segment(r);
	result = open_segment(r, number, e);
	if (result < 0)
		return result;
	r->at.segment = number;
	r->at.offset = r->at.index = 0;
	return 0;
}

/* From the end of one to the next, or to the one after it that is still there. */
static int next_segment(struct logreader *r, struct err *e)
{
	uint64_t next = first_from(r->dir_fd, r->at.segment + 1);

	if (!next || next > r->head.segment)
		return err_set(e, -ENOENT, "there is no segment of the log after %" PRIu64, r->at.segment);
	return begin_segment(r, next, e);
}

/* The segment that we are in, or the next one that is there where it is gone. */
static int enter(struct logreader *r, struct err *e)
{
	int result = r->at.segment ? open_segment(r, r->at.segment, e) : -ENOENT;

	return result == -ENOENT ? next_segment(r, e) : result;
}

/* ---- bytes --------------------------------------------------------------------------------------------------------- */

/* More bytes of the segment behind those that are there: how many, 0 at its end. */
static ssize_t read_more(struct logreader *r)
{
	ssize_t n;

	if (buf_room(&r->win, PIECE) < 0)
		return -EFBIG;
	do {
		n = pread(r->fd, r->win.data + r->win.len, PIECE, (off_t)(r->win_at + r->win.len));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r->win.len += (size_t)n;
	return n;
}

/* Drops what is in front of us; the memory stays. */
static void shift(struct logreader *r)
{
	uint64_t gone = r->at.offset - r->win_at;

	if (r->at.offset < r->win_at || gone > r->win.len) {
		buf_reset(&r->win);
		r->win_at = r->at.offset;
		return;
	}
	if (gone)
		memmove(r->win.data, r->win.data + gone, r->win.len - gone);
	r->win.len -= gone;
	r->win_at = r->at.offset;
}

/* A whole line at r->at: 1, 0 where the segment ends. */
static int line_here(struct logreader *r, struct line_str *ret)
{
	size_t seen = 0;

	if (r->at.offset < r->win_at || r->at.offset > r->win_at + r->win.len)
		shift(r);
	for (;;) {
		size_t from = (size_t)(r->at.offset - r->win_at);
		const uint8_t *p = r->win.data ? r->win.data + from : NULL;
		size_t left = r->win.len - from;
		const uint8_t *end = left > seen ? memchr(p + seen, '\n', left - seen) : NULL;
		ssize_t n;

		if (end) {
			*ret = (struct line_str){ (const char *)p, (size_t)(end - p) };
			return 1;
		}
		seen = left;
		if (seen > LINE_MAX_BYTES)
			return -EFBIG;
		shift(r);
		n = read_more(r);
		if (n <= 0)
			return (int)n;
	}
}

/* ---- records ------------------------------------------------------------------------------------------------------- */

static bool is_signed(const struct logreader *r)
{
	return r->at.segment < r->head.segment || (r->at.segment == r->head.segment && r->at.index < r->head.size);
}

int logreader_next(struct logreader *r, struct line_str *ret, struct logpos *ret_at, struct err *e)
{
	struct line l;
	int result;

	for (;;) {
		if (!r->head.segment || !is_signed(r))
			return 0;
		result = r->fd < 0 ? enter(r, e) : 0;
		if (result < 0)
			return result;
		/* entering may have taken us on */
		if (!is_signed(r))
			return 0;
		result = line_here(r, ret);
		if (result < 0)
			return err_set(e, result, "cannot read segment %" PRIu64 " of the log: %s", r->at.segment,
				       strerror(-result));
		if (result == 1)
			break;
		if (r->at.segment == r->head.segment)
			return err_set(e, -EBADMSG, "segment %" PRIu64 " of the log has less than its checkpoint says",
				       r->at.segment);
		result = next_segment(r, e);
		if (result < 0)
			return result;
	}
	if (line_parse(ret->p, ret->n, &l) < 0)
		return err_set(e, -EBADMSG,
			       "record %" PRIu64 " of segment %" PRIu64 " is none: see tamisctl log verify",
			       r->at.index, r->at.segment);
	*ret_at = (struct logpos){ r->at.segment, r->at.offset, r->at.index, l.seq };
	if (l.seq > r->at.seq + 1 && r->at.seq)
		r->missed += l.seq - r->at.seq - 1;
	r->at.offset += ret->n + 1;
	r->at.index++;
	r->at.seq = l.seq;
	return 1;
}

int logreader_end(int dir_fd, const struct loghead *head, struct logpos *ret, struct err *e)
{
	struct logreader r;
	struct line_str line;
	struct logpos at = { .segment = head->segment };
	int result = 0;

	if (head->segment) {
		logreader_init(&r, dir_fd, &at);
		r.head = *head;
		while ((result = logreader_next(&r, &line, &at, e)) == 1)
			;
		at = r.at;
		logreader_done(&r);
	}
	if (result == 0)
		*ret = at;
	return result;
}

int logreader_line_at(int dir_fd, const struct logpos *at, struct buf *ret, struct err *e)
{
	struct logpos from = { at->segment, at->offset, at->index, at->seq - 1 }, found;
	struct logreader r;
	struct line_str line;
	int result;

	logreader_init(&r, dir_fd, &from);
	r.head = (struct loghead){ at->segment, at->index + 1, at->seq };
	result = open_segment(&r, at->segment, e);
	if (result == 0)
		result = logreader_next(&r, &line, &found, e);
	if (result == 1 && found.seq == at->seq)
		result = buf_put(ret, line.p, line.n);
	else if (result >= 0)
		result = err_set(e, -EBADMSG, "record %" PRIu64 " is not where it was", at->seq);
	logreader_done(&r);
	return result;
}
