/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/ctl/fim_who.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/jsonw.h"
#include "sensor/record/logindex.h"

#define FILES_MAX 1000000u /* of more nothing is said about who changed them */

struct file {
	uint32_t path;		  /* into texts, terminated */
	struct logindex_row row;  /* its texts are not kept; seq 0: there is none */
	struct report_alert what; /* owned texts, NULL where there is no alert */
};

struct fim_who {
	int dir_fd;	/* owned: the log */
	struct file *v; /* owned; by path once all are there */
	size_t n, cap;
	struct buf texts, path;
	char why[512];
};

/* ---- files --------------------------------------------------------------------------------------------------------- */

static int add_file(void *ctx, const struct store_row *row, struct change *c, struct err *e)
{
	struct fim_who *w = ctx;
	size_t at = w->texts.len;

	if (w->n == FILES_MAX)
		return 0;
	if (w->n == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 256;
		struct file *more = realloc(w->v, cap * sizeof(*more));

		if (!more)
			return err_set(e, -ENOMEM, "out of memory");
		w->v = more;
		w->cap = cap;
	}
	buf_put(&w->texts, row->path, row->path_len);
	if (buf_putc(&w->texts, '\0') < 0)
		return err_set(e, -ENOMEM, "out of memory");
	w->v[w->n++] = (struct file){ .path = (uint32_t)at };
	return 0;
}

static const char *path_of(const struct fim_who *w, const struct file *f)
{
	return (const char *)w->texts.data + f->path;
}

static int by_path(const void *a, const void *b, void *ctx)
{
	return strcmp(path_of(ctx, a), path_of(ctx, b));
}

static struct file *find(struct fim_who *w, const char *path)
{
	size_t lo = 0, hi = w->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(path_of(w, &w->v[mid]), path);

		if (c == 0)
			return &w->v[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* ---- the log ------------------------------------------------------------------------------------------------------- */

static void drop_alert(struct report_alert *a)
{
	free((char *)a->program);
	free((char *)a->user);
	free((char *)a->container);
	*a = (struct report_alert){ 0 };
}

/* They come oldest first: the last one counts. */
static int take_alert(const struct logindex_row *row, void *ctx)
{
	struct fim_who *w = ctx;
	struct file *f;

	buf_reset(&w->path);
	jsonw_bytes(&w->path, row->path);
	f = buf_putc(&w->path, '\0') == 0 ? find(w, (const char *)w->path.data) : NULL;
	if (!f)
		return w->path.error;
	drop_alert(&f->what);
	f->row = *row;
	f->what = (struct report_alert){ .program = strdup(*row->process ? row->process : row->comm),
					 .user = strdup(row->user),
					 .container = strdup(row->container) };
	return f->what.program && f->what.user && f->what.container ? 0 : -ENOMEM;
}

static int read_log(struct fim_who *w, const char *state_dir, struct err *e)
{
	const struct logindex_query q = { .kind = "alert", .event = "integrity" };
	struct logindex *ix = NULL;
	char path[4096];
	int r;

	snprintf(path, sizeof(path), "%s/log", state_dir);
	w->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->dir_fd < 0)
		return err_set(e, -errno, "the log %s cannot be read: %s", path, strerror(errno));
	snprintf(path, sizeof(path), "%s/log-index.db", state_dir);
	r = logindex_open(path, false, &ix, e);
	if (r == 0)
		r = logindex_update(ix, w->dir_fd, e);
	if (r == 0)
		r = logindex_find(ix, &q, take_alert, w, e);
	logindex_close(ix);
	return r;
}

/* ---- what the report asks -------------------------------------------------------------------------------------------- */

static struct file *file_of(void *ctx, const void *path, size_t len)
{
	struct fim_who *w = ctx;
	struct file *f;

	buf_reset(&w->path);
	buf_put(&w->path, path, len);
	f = buf_putc(&w->path, '\0') == 0 ? find(w, (const char *)w->path.data) : NULL;
	return f && f->row.seq ? f : NULL;
}

static const struct report_alert *brief(void *ctx, const void *path, size_t len)
{
	const struct file *f = file_of(ctx, path, len);

	return f ? &f->what : NULL;
}

static char *alert(void *ctx, const void *path, size_t len)
{
	struct fim_who *w = ctx;
	const struct file *f = file_of(ctx, path, len);
	char *line = NULL;
	struct err e;

	return f && logindex_read(&f->row, w->dir_fd, &line, &e) == 0 ? line : NULL;
}

int fim_who_open(struct baseline *b, const char *state_dir, struct fim_who **ret, struct report_log *ret_log,
		 struct err *e)
{
	struct fim_who *w = calloc(1, sizeof(*w));
	struct err log_error = { "" };
	int r;

	if (!w)
		return err_set(e, -ENOMEM, "out of memory");
	w->dir_fd = -1;
	buf_init(&w->texts, UINT32_MAX);
	buf_init(&w->path, 1 << 20);
	r = baseline_each_change(b, add_file, w, e);
	if (r < 0) {
		fim_who_close(w);
		return r;
	}
	if (w->n)
		qsort_r(w->v, w->n, sizeof(w->v[0]), by_path, w);
	*ret_log = (struct report_log){ .brief = brief, .alert = alert, .ctx = w };
	if (read_log(w, state_dir, &log_error) < 0) {
		snprintf(w->why, sizeof(w->why), "%s", log_error.msg);
		ret_log->why = w->why;
	}
	*ret = w;
	return 0;
}

void fim_who_close(struct fim_who *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n; i++)
		drop_alert(&w->v[i].what);
	if (w->dir_fd >= 0)
		close(w->dir_fd);
	buf_done(&w->texts);
	buf_done(&w->path);
	free(w->v);
	free(w);
}
