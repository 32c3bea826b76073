/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/segment.h"
#include "lib/cleanup.h"

#include <fcntl.h>
#include <inttypes.h>

static const char *const segment_suffix[SEGMENT_PRUNED + 1] = {
	[SEGMENT_LOG] = "jsonl",
	[SEGMENT_LEAF] = "leaf",
	[SEGMENT_CKPT] = "ckpt",
	[SEGMENT_PRUNED] = "pruned",
};

void segment_name(uint64_t number, enum segment_file which, char ret[SEGMENT_NAME_SIZE])
{
	snprintf(ret, SEGMENT_NAME_SIZE, "%08" PRIu64 ".%s", number, segment_suffix[which]);
}

/* ---- reading ---- */

/* The number in a file name that segment_name could have made; 0 for any other. */
static uint64_t segment_number(const char *name)
{
	char again[SEGMENT_NAME_SIZE];
	uint64_t n = strtoull(name, NULL, 10);

	for (int which = 0; n && which < SEGMENT_FILES; which++) {
		segment_name(n, which, again);
		if (!strcmp(again, name))
			return n;
	}
	return 0;
}

static int segment_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int segment_collect(DIR *d, uint64_t **list, size_t *n)
{
	const struct dirent *de;
	size_t cap = 0;

	while ((de = readdir(d))) {
		uint64_t number = segment_number(de->d_name);
		uint64_t *grown;

		if (!number)
			continue;
		if (*n == cap) {
			cap = cap ? 2 * cap : 64;
			grown = realloc(*list, cap * sizeof(*grown));
			if (!grown)
				return -ENOMEM;
			*list = grown;
		}
		(*list)[(*n)++] = number;
	}
	return 0;
}

int segment_list(int dir_fd, uint64_t **ret, size_t *ret_n)
{
	_cleanup_closedir_ DIR *d = NULL;
	_cleanup_free_ uint64_t *list = NULL;
	size_t n = 0, unique = 0;
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	r = segment_collect(d, &list, &n);
	if (r < 0)
		return r;
	if (n)
		qsort(list, n, sizeof(*list), segment_compare);
	for (size_t i = 0; i < n; i++)
		if (!unique || list[unique - 1] != list[i])
			list[unique++] = list[i];
	*ret = TAKE_PTR(list);
	*ret_n = unique;
	return 0;
}

int segment_last_note(int dir_fd, uint64_t number, struct buf *ret_text, struct checkpoint_note *ret, struct err *e)
{
	char name[SEGMENT_NAME_SIZE];
	bool any = false;
	struct rd r;
	int ret_read;

	segment_name(number, SEGMENT_CKPT, name);
	ret_read = recio_read(dir_fd, name, ret_text);
	if (ret_read < 0)
		return err_sys(e, ret_read, "cannot read", name);
	r = rd_of(ret_text->data, ret_text->len);
	while (r.left && checkpoint_next(&r, ret, NULL) == 0)
		any = true;
	return any ? 0 : err_set(e, -EBADMSG, "%s holds no checkpoint", name);
}

int segment_read(int dir_fd, uint64_t number, struct segment_image *ret, struct err *e)
{
	static const enum segment_file order[] = { SEGMENT_CKPT, SEGMENT_LEAF, SEGMENT_LOG };
	char name[SEGMENT_NAME_SIZE];
	int r = 0;

	ret->number = number;
	for (int i = 0; i < SEGMENT_FILES; i++)
		buf_init(&ret->file[i], SEGMENT_FILE_MAX);
	for (int i = 0; i < SEGMENT_FILES && r == 0; i++) {
		segment_name(number, order[i], name);
		r = recio_read(dir_fd, name, &ret->file[order[i]]);
		if (r == -ENOENT)
			r = 0;
	}
	if (r < 0) {
		segment_image_done(ret);
		return err_sys(e, r, "cannot read", name);
	}
	return 0;
}

void segment_image_done(struct segment_image *img)
{
	for (int i = 0; i < SEGMENT_FILES; i++)
		buf_done(&img->file[i]);
}

int segment_line(struct rd *r, struct line_str *ret)
{
	const uint8_t *end = r->left ? memchr(r->p, '\n', r->left) : NULL;

	if (!end)
		return 0;
	*ret = (struct line_str){ (const char *)r->p, (size_t)(end - r->p) };
	rd_skip(r, ret->n + 1);
	return 1;
}

/* ---- writing ---- */

void segment_init(struct segment *s, const struct recio *io, int dir_fd, uint64_t number)
{
	*s = (struct segment){ .io = io, .dir_fd = dir_fd, .number = number, .fd = { -1, -1, -1 } };
}

void segment_close(struct segment *s)
{
	for (int i = 0; i < SEGMENT_FILES; i++) {
		if (s->fd[i] >= 0)
			close(s->fd[i]);
		s->fd[i] = -1;
	}
}

int segment_open(struct segment *s, struct err *e)
{
	char name[SEGMENT_NAME_SIZE];
	bool made = false;

	for (int i = 0; i < SEGMENT_FILES; i++) {
		if (s->fd[i] >= 0)
			continue;
		segment_name(s->number, i, name);
		s->fd[i] = s->io->openat(s->dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
		if (s->fd[i] < 0)
			return err_sys(e, -errno, "cannot open", name);
		made = true;
		if (s->io->ftruncate(s->fd[i], (off_t)s->bytes[i]) < 0) {
			int r = err_sys(e, -errno, "cannot truncate", name);

			close(TAKE_FD(s->fd[i]));
			return r;
		}
	}
	/* the names themselves must survive a power cut; a directory that cannot be synced loses no record by that */
	if (made)
		fsync(s->dir_fd);
	return 0;
}

static int segment_undo(struct segment *s, enum segment_file which, int error, const char *what, struct err *e)
{
	char name[SEGMENT_NAME_SIZE];

	segment_name(s->number, which, name);
	if (s->io->ftruncate(s->fd[which], (off_t)s->bytes[which]) < 0)
		return err_set(e, error, "cannot %s %s: %s (nor take back what was written: %s)", what, name,
			       strerror(-error), strerror(errno));
	return err_set(e, error, "cannot %s %s: %s", what, name, strerror(-error));
}

int segment_write(struct segment *s, enum segment_file which, const struct buf *b, struct err *e)
{
	int r = recio_write(s->io, s->fd[which], b->data, b->len, (off_t)s->bytes[which]);

	return r < 0 ? segment_undo(s, which, r, "write", e) : 0;
}

int segment_commit(struct segment *s, enum segment_file which, const struct buf *b, struct err *e)
{
	if (s->io->fdatasync(s->fd[which]) < 0)
		return segment_undo(s, which, -errno, "sync", e);
	s->bytes[which] += b->len;
	return 0;
}
