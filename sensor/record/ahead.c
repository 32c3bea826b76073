/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/ahead.h"
#include "lib/cleanup.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>

#define AHEAD_THREADS 16
#define AHEAD_SLOTS   (4 * AHEAD_THREADS)
#define AHEAD_PIECE   (256u << 10)

/* A piece of a segment: the lines that begin in it. */
struct ahead_slot {
	uint64_t number;
	int fd;			 /* owned; of the records; -1: there is no such file */
	uint64_t from, to, size; /* bytes of the file; its size when it was opened */
	struct buf ckpt, leaf;	 /* read with a segment's first piece */

	struct buf part[AHEAD_PARTS];
	struct err e;
	int result;
	bool ready;
};

struct ahead {
	int dir_fd;	      /* borrowed */
	const uint64_t *list; /* borrowed */
	size_t n;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t next;	       /* of the list, which is to be opened */
	int fd;		       /* owned; of the one before, while it has pieces that nobody has begun */
	uint64_t from, size;   /* what is left of it */
	uint64_t begun, taken; /* pieces: begun by a thread, given away */
	bool open, stop;       /* open: there is such a one */
	size_t n_threads;
	pthread_t thread[AHEAD_THREADS];
	struct ahead_slot slot[AHEAD_SLOTS]; /* of piece i: i modulo their number */
};

static int ahead_error(const struct buf *part)
{
	int r = 0;

	for (int i = 0; i < AHEAD_PARTS && r == 0; i++)
		r = buf_error(&part[i]);
	return r;
}

static void ahead_parts_init(struct buf *part)
{
	for (int i = 0; i < AHEAD_PARTS; i++)
		buf_init(&part[i], SEGMENT_FILE_MAX);
}

static void ahead_parts_done(struct buf *part)
{
	for (int i = 0; i < AHEAD_PARTS; i++)
		buf_done(&part[i]);
}

/* ---- one piece ----------------------------------------------------------------------------------------------------- */

static int ahead_line(struct ahead_slot *s, struct line_str text, uint64_t end)
{
	struct ahead_line in = { .what = AHEAD_BAD, .kept = (uint32_t)s->part[AHEAD_KEPT].len };
	merkle_hash leaf;
	struct line l;

	merkle_leaf(text.p, text.n, leaf);
	if (line_parse(text.p, text.n, &l) == 0) {
		in.seq = l.seq;
		in.what = line_str_is(l.kind, "epoch")	 ? AHEAD_EPOCH
			  : line_str_is(l.kind, "prune") ? AHEAD_PRUNE
							 : AHEAD_OTHER;
	}
	if (in.what == AHEAD_EPOCH || in.what == AHEAD_PRUNE || (!s->from && !s->part[AHEAD_LINES].len))
		buf_put(&s->part[AHEAD_KEPT], text.p, text.n);
	buf_put(&s->part[AHEAD_LEAVES], leaf, sizeof(leaf));
	buf_put(&s->part[AHEAD_OFFSETS], &end, sizeof(end));
	buf_put(&s->part[AHEAD_LINES], &in, sizeof(in));
	return ahead_error(s->part);
}

/* Appends up to n bytes of the file; fewer at its end. */
static int ahead_read(const struct ahead_slot *s, uint64_t at, uint64_t n, struct buf *text)
{
	int r = buf_room(text, n);

	while (r == 0 && n) {
		ssize_t got = pread(s->fd, text->data + text->len, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : 0;
		text->len += (size_t)got;
		at += (uint64_t)got;
		n -= (uint64_t)got;
	}
	return r;
}

/* As much of the file again, for a line that ends outside of what was read; 0 where there is no more. */
static int ahead_read_on(const struct ahead_slot *s, uint64_t begin, struct buf *text)
{
	uint64_t end = begin + text->len, more = text->len > AHEAD_PIECE ? text->len : AHEAD_PIECE;
	int r = end < s->size ? ahead_read(s, end, more < s->size - end ? more : s->size - end, text) : 0;

	return r < 0 ? r : begin + text->len > end;
}

static int ahead_piece(struct ahead_slot *s, struct buf *text)
{
	/* does a line begin with the first byte? the one before says so */
	uint64_t begin = s->from ? s->from - 1 : 0, at;
	struct line_str line;
	struct rd rest;
	int r;

	buf_reset(text);
	r = s->fd < 0 ? 0 : ahead_read(s, begin, s->to - begin, text);
	rest = rd_of(text->data, text->len);
	if (r < 0 || (s->from && !segment_line(&rest, &line)))
		return r;
	for (at = begin + text->len - rest.left; r == 0 && at < s->to; at = begin + text->len - rest.left) {
		if (segment_line(&rest, &line)) {
			r = ahead_line(s, line, begin + text->len - rest.left);
			continue;
		}
		r = ahead_read_on(s, begin, text);
		if (r <= 0)
			return r;
		rest = rd_of(text->data + (at - begin), text->len - (at - begin));
		r = 0;
	}
	return r;
}

/* ---- sharing out --------------------------------------------------------------------------------------------------- */

/* Checkpoints first: what they promise is then in the rest. */
static int ahead_open(struct ahead *a, struct ahead_slot *s)
{
	char name[SEGMENT_NAME_SIZE];
	struct stat st;
	int r;

	segment_name(s->number, SEGMENT_CKPT, name);
	r = recio_read(a->dir_fd, name, &s->ckpt);
	if (r == 0 || r == -ENOENT) {
		segment_name(s->number, SEGMENT_LEAF, name);
		r = recio_read(a->dir_fd, name, &s->leaf);
	}
	if (r == 0 || r == -ENOENT) {
		segment_name(s->number, SEGMENT_LOG, name);
		a->fd = openat(a->dir_fd, name, O_RDONLY | O_CLOEXEC);
		r = a->fd < 0 || fstat(a->fd, &st) < 0 ? -errno : 0;
	}
	a->size = r == 0 ? (uint64_t)st.st_size : 0;
	if (r == 0 && a->size > SEGMENT_FILE_MAX)
		r = -EFBIG;
	return r == 0 || r == -ENOENT ? 0 : err_sys(&s->e, r, "cannot read", name);
}

/* The next piece: what it is, and for the first of a segment the small files. Under the lock. */
static void ahead_begin(struct ahead *a, struct ahead_slot *s)
{
	for (int i = 0; i < AHEAD_PARTS; i++)
		buf_reset(&s->part[i]);
	s->result = 0;
	if (!a->open) {
		a->from = 0;
		s->number = a->list[a->next++];
		s->result = ahead_open(a, s);
	}
	s->number = a->list[a->next - 1];
	s->from = a->from;
	s->size = a->size;
	s->to = a->size - a->from < AHEAD_PIECE ? a->size : a->from + AHEAD_PIECE;
	a->from = s->to;
	a->open = s->result == 0 && s->to < s->size;
	s->fd = a->open ? fcntl(a->fd, F_DUPFD_CLOEXEC, 3) : TAKE_FD(a->fd);
	if (a->open && s->fd < 0)
		s->result = err_sys(&s->e, -errno, "cannot read a segment:", "file descriptors");
}

static void ahead_work(struct ahead_slot *s, struct buf *text)
{
	if (s->result == 0)
		s->result = ahead_piece(s, text);
	if (s->fd >= 0)
		close(s->fd);
}

static void *ahead_run(void *arg)
{
	struct ahead *a = arg;
	struct buf text;

	buf_init(&text, SEGMENT_FILE_MAX + 1);
	pthread_mutex_lock(&a->lock);
	while (!a->stop && (a->open || a->next < a->n)) {
		struct ahead_slot *s = &a->slot[a->begun % AHEAD_SLOTS];

		if (a->begun - a->taken >= AHEAD_SLOTS) {
			pthread_cond_wait(&a->changed, &a->lock);
			continue;
		}
		a->begun++;
		ahead_begin(a, s);
		pthread_mutex_unlock(&a->lock);
		ahead_work(s, &text);
		pthread_mutex_lock(&a->lock);
		s->ready = true;
		pthread_cond_broadcast(&a->changed);
	}
	pthread_mutex_unlock(&a->lock);
	buf_done(&text);
	return NULL;
}

/* As many threads as there are processors, but none that would have less to do than its start takes. */
static size_t ahead_threads(const struct ahead *a)
{
	uint64_t pieces = 0;
	cpu_set_t set;
	size_t n = sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : (size_t)CPU_COUNT(&set);

	n = n < AHEAD_THREADS ? n : AHEAD_THREADS;
	for (size_t i = 0; i < a->n && pieces < 4 * n; i++) {
		char name[SEGMENT_NAME_SIZE];
		struct stat st;

		segment_name(a->list[i], SEGMENT_LOG, name);
		if (fstatat(a->dir_fd, name, &st, 0) == 0)
			pieces += (uint64_t)st.st_size / AHEAD_PIECE;
	}
	return pieces / 4 < n ? pieces / 4 : n;
}

static int ahead_init(int dir_fd, const uint64_t *list, size_t n, struct ahead **ret)
{
	struct ahead *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->dir_fd = dir_fd;
	a->list = list;
	a->n = n;
	a->fd = -1;
	for (size_t i = 0; i < AHEAD_SLOTS; i++) {
		buf_init(&a->slot[i].ckpt, SEGMENT_FILE_MAX);
		buf_init(&a->slot[i].leaf, SEGMENT_FILE_MAX);
		ahead_parts_init(a->slot[i].part);
	}
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	*ret = a;
	return 0;
}

int ahead_new(int dir_fd, const uint64_t *list, size_t n, struct ahead **ret)
{
	struct ahead *a;
	size_t threads;
	int r = ahead_init(dir_fd, list, n, &a);

	if (r < 0)
		return r;
	/* where none can be started ahead_next does the work */
	for (threads = ahead_threads(a); a->n_threads < threads; a->n_threads++)
		if (pthread_create(&a->thread[a->n_threads], NULL, ahead_run, a) != 0)
			break;
	*ret = a;
	return 0;
}

void ahead_free(struct ahead *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
	for (size_t i = 0; i < a->n_threads; i++)
		pthread_join(a->thread[i], NULL);
	for (size_t i = 0; i < AHEAD_SLOTS; i++) {
		buf_done(&a->slot[i].ckpt);
		buf_done(&a->slot[i].leaf);
		ahead_parts_done(a->slot[i].part);
	}
	if (a->fd >= 0)
		close(a->fd);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

/* ---- taking -------------------------------------------------------------------------------------------------------- */

void ahead_done(struct ahead_seg *s)
{
	buf_done(&s->ckpt);
	buf_done(&s->leaf);
	ahead_parts_done(s->part);
	*s = (struct ahead_seg){ .number = 0 };
}

struct line_str ahead_text(const struct ahead_seg *s, size_t i)
{
	return (struct line_str){ (const char *)s->part[AHEAD_KEPT].data + s->lines[i].kept,
				  (size_t)(s->offsets[i + 1] - s->offsets[i] - 1) };
}

/* Of the first piece the small files, of each its lines. */
static int ahead_append(struct ahead_seg *seg, struct ahead_slot *s)
{
	struct ahead_line *lines = (struct ahead_line *)(void *)s->part[AHEAD_LINES].data;
	size_t n = s->part[AHEAD_LINES].len / sizeof(*lines);
	const uint64_t start = 0;

	if (!s->from) {
		seg->number = s->number;
		seg->log_bytes = s->size;
		seg->ckpt = s->ckpt;
		seg->leaf = s->leaf;
		buf_init(&s->ckpt, SEGMENT_FILE_MAX);
		buf_init(&s->leaf, SEGMENT_FILE_MAX);
		buf_put(&seg->part[AHEAD_OFFSETS], &start, sizeof(start));
	}
	for (size_t i = 0; i < n; i++)
		lines[i].kept += (uint32_t)seg->part[AHEAD_KEPT].len;
	for (int i = 0; i < AHEAD_PARTS; i++)
		buf_put(&seg->part[i], s->part[i].data, s->part[i].len);
	seg->n_lines += n;
	return ahead_error(seg->part);
}

/* The piece that is next, when it is done. */
static struct ahead_slot *ahead_wait(struct ahead *a)
{
	struct ahead_slot *s = &a->slot[a->taken % AHEAD_SLOTS];
	struct buf text;

	if (a->n_threads) {
		pthread_mutex_lock(&a->lock);
		while (!s->ready)
			pthread_cond_wait(&a->changed, &a->lock);
		pthread_mutex_unlock(&a->lock);
		return s;
	}
	buf_init(&text, SEGMENT_FILE_MAX + 1);
	ahead_begin(a, s);
	ahead_work(s, &text);
	buf_done(&text);
	return s;
}

static void ahead_give_back(struct ahead *a, struct ahead_slot *s)
{
	pthread_mutex_lock(&a->lock);
	s->ready = false;
	a->taken++;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

int ahead_next(struct ahead *a, struct ahead_seg *ret, struct err *e)
{
	struct ahead_seg seg = { .number = 0 };
	bool last = false;
	int r = 0;

	ahead_parts_init(seg.part);
	while (r == 0 && !last) {
		struct ahead_slot *s = ahead_wait(a);

		r = s->result;
		if (r < 0 && s->e.msg[0])
			err_set(e, r, "%s", s->e.msg);
		if (r == 0)
			r = ahead_append(&seg, s);
		last = s->to == s->size;
		ahead_give_back(a, s);
	}
	if (r < 0) {
		ahead_done(&seg);
		return r;
	}
	seg.leaves = (const merkle_hash *)(const void *)seg.part[AHEAD_LEAVES].data;
	seg.offsets = (const uint64_t *)(const void *)seg.part[AHEAD_OFFSETS].data;
	seg.lines = (const struct ahead_line *)(const void *)seg.part[AHEAD_LINES].data;
	seg.stored = (const merkle_hash *)(const void *)seg.leaf.data;
	seg.n_stored = seg.leaf.len / HASH_SIZE;
	*ret = seg;
	return 0;
}

int ahead_load(int dir_fd, uint64_t number, struct ahead_seg *ret, struct err *e)
{
	struct ahead *a;
	int r = ahead_init(dir_fd, &number, 1, &a);

	if (r < 0)
		return r;
	r = ahead_next(a, ret, e);
	ahead_free(a);
	return r;
}
