/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/scan.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "sensor/fim/text.h"

#define BATCH_BYTES (256u << 10) /* paths and rows of a batch: it is closed when it has more */
#define BATCH_DIRS  8		 /* directories that a batch holds open */
#define KEEP_BYTES  (1u << 20)	 /* a batch that grew larger gives its memory back */
#define AT_ONCE	    8		 /* batches that walker and caller are woken for: each sleep and waking has its price */
_Static_assert(SCAN_BATCHES >= 2 * AT_ONCE, "while the walker waits for empty ones, there are enough for the caller");

struct item {
	enum scan_kind kind;
	enum walk_skip skip;
	uint8_t type; /* DT_* */
	bool has_old, old_ok, gone;
	uint32_t path, path_len, name; /* offsets into in */
	uint32_t old, old_len;	       /* into in */
	uint8_t old_seal[SEAL_SIZE];
	const struct watchset_item *watch;
	struct walk_dir *dir; /* counted; NULL for rows without a file */
	/* the worker's */
	uint32_t bytes, len, text, text_len; /* into out */
	uint32_t changed, more;
	uint8_t unread;
	merkle_hash leaf, old_leaf;
	uint8_t seal[SEAL_SIZE];
};

enum state { EMPTY, FILLED, TAKEN, DONE };

struct batch {
	enum state state;
	size_t n;
	struct item items[SCAN_BATCH];
	struct buf in, out;
};

struct scan {
	const struct scan_options *o;
	struct limit limit;
	pthread_mutex_t lock;
	pthread_cond_t filled, done, emptied;
	struct batch *batches;	    /* owned; a ring */
	uint64_t head, taken, tail; /* batches filled, given to workers, handed out */
	uint64_t want_empty;	    /* the walker sleeps until tail is there */
	bool end, stop;		    /* no more will be filled; everybody is to leave */
	int error;		    /* of the walker or a worker */
	struct err err;		    /* its reason */
	/* the walker's */
	struct batch *filling;
	size_t dirs;
	struct walk_dir *last_dir;
	struct store_iter *rows;
	bool more_rows;
	struct store_row row;
	char blocked[WATCH_PATH_MAX + 260]; /* what is below it cannot be looked at */
	size_t blocked_len;
};

unsigned int scan_cores(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : CPU_COUNT(&set);

	return n < 1 ? 1 : n > SCAN_WORKERS_MAX ? SCAN_WORKERS_MAX : (unsigned int)n;
}

static bool stopped(const struct scan *s)
{
	return s->o->stop && *s->o->stop;
}

static void set_error(struct scan *s, int error, const struct err *e)
{
	pthread_mutex_lock(&s->lock);
	if (!s->error) {
		s->error = error;
		s->err = *e;
	}
	s->stop = true;
	pthread_cond_broadcast(&s->filled);
	pthread_cond_broadcast(&s->emptied);
	pthread_cond_broadcast(&s->done);
	pthread_mutex_unlock(&s->lock);
}

/* ---- the walker ---------------------------------------------------------------------------------------------------- */

/* The batch to fill, once its last round has been handed out; NULL: leave. */
static struct batch *open_batch(struct scan *s)
{
	struct batch *b = &s->batches[s->head % SCAN_BATCHES];
	bool stop;

	if (s->filling)
		return s->filling;
	pthread_mutex_lock(&s->lock);
	while (b->state != EMPTY && !s->stop) {
		s->want_empty = s->tail + AT_ONCE;
		pthread_cond_wait(&s->emptied, &s->lock);
	}
	stop = s->stop;
	pthread_mutex_unlock(&s->lock);
	if (stop)
		return NULL;
	b->n = 0;
	s->dirs = 0;
	s->last_dir = NULL;
	s->filling = b;
	return b;
}

static void close_batch(struct scan *s)
{
	if (!s->filling)
		return;
	pthread_mutex_lock(&s->lock);
	s->filling->state = FILLED;
	s->head++;
	pthread_cond_signal(&s->filled);
	pthread_mutex_unlock(&s->lock);
	s->filling = NULL;
}

/* The row under the cursor moves along with the item. */
static int take_row(struct scan *s, struct batch *b, struct item *it, struct err *e)
{
	it->has_old = true;
	it->old = (uint32_t)b->in.len;
	it->old_len = (uint32_t)s->row.len;
	memcpy(it->old_seal, s->row.seal, SEAL_SIZE);
	if (buf_put(&b->in, s->row.value, s->row.len) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	return 0;
}

static int next_row(struct scan *s, struct err *e)
{
	int r = store_iter_next(s->rows, &s->row, e);

	s->more_rows = r > 0;
	if (r > 0 && (s->row.path_len > WATCH_PATH_MAX || !s->row.path_len || s->row.path[0] != '/' ||
		      memchr(s->row.path, '\0', s->row.path_len)))
		return err_set(e, -EBADMSG,
			       "the baseline has a row that is no path: somebody edited it; restore it from a copy, or "
			       "begin anew: init --force");
	return r < 0 ? r : 0;
}

/* -EINTR: leave, there is nothing to say. */
static int add_item(struct scan *s, const struct item *new, const char *path, size_t len, size_t name, bool with_row,
		    struct err *e)
{
	struct batch *b = open_batch(s);
	struct item *it;
	int r = 0;

	if (!b)
		return -EINTR;
	it = &b->items[b->n];
	*it = *new;
	it->path = (uint32_t)b->in.len;
	it->path_len = (uint32_t)len;
	it->name = it->path + (uint32_t)name;
	if (buf_put(&b->in, path, len) < 0 || buf_putc(&b->in, 0) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	if (with_row)
		r = take_row(s, b, it, e);
	if (r < 0)
		return r;
	if (it->dir) {
		walk_dir_use(it->dir);
		s->dirs += it->dir != s->last_dir;
		s->last_dir = it->dir;
	}
	b->n++;
	if (b->n == SCAN_BATCH || s->dirs == BATCH_DIRS || b->in.len > BATCH_BYTES)
		close_batch(s);
	return with_row ? next_row(s, e) : 0;
}

static bool is_blocked(const struct scan *s, const uint8_t *path, size_t len)
{
	return s->blocked_len && len > s->blocked_len && path[s->blocked_len] == '/' &&
	       memcmp(path, s->blocked, s->blocked_len) == 0;
}

/* Rows before a path (NULL: all that are left) have no file. */
static int rows_before(struct scan *s, const char *path, size_t len, struct err *e)
{
	int r = 0;

	while (s->more_rows && r == 0) {
		const struct store_row *row = &s->row;
		size_t n = row->path_len < len ? row->path_len : len;
		int c = path ? memcmp(row->path, path, n) : -1;
		struct item it = { .kind = SCAN_GONE };

		if (c > 0 || (c == 0 && row->path_len >= len))
			break;
		it.watch =
			watchset_find(s->o->watches, (const char *)row->path, row->path_len == 1 ? 0 : row->path_len);
		if (is_blocked(s, row->path, row->path_len) || (s->blocked_len == 1 && s->blocked[0] == '/'))
			it.kind = SCAN_UNKNOWN;
		else if (!it.watch)
			it.kind = SCAN_UNWATCHED;
		r = add_item(s, &it, (const char *)row->path, row->path_len, 0, true, e);
	}
	return r;
}

/* The directory's own entry came before; the rows up to here are of others, and what is below it comes now. */
static int add_skip(struct scan *s, const struct walk_entry *en, const struct item *it, struct err *e)
{
	char inside[sizeof(s->blocked) + 1];
	int r;

	memcpy(inside, en->path, en->len);
	inside[en->len] = '/';
	r = rows_before(s, inside, en->len == 1 ? 1 : en->len + 1, e);
	if (r < 0)
		return r;
	memcpy(s->blocked, en->path, en->len);
	s->blocked_len = en->len;
	return add_item(s, it, en->path, en->len, 0, false, e);
}

static int add_entry(struct scan *s, const struct walk_entry *en, struct err *e)
{
	struct item it = { .kind = en->skip ? SCAN_SKIPPED : SCAN_FOUND,
			   .skip = en->skip,
			   .type = (uint8_t)en->type,
			   .watch = en->watch,
			   .dir = en->dir };
	bool same;
	int r;

	if (en->skip)
		return add_skip(s, en, &it, e);
	r = rows_before(s, en->path, en->len, e);
	if (r < 0)
		return r;
	same = s->more_rows && s->row.path_len == en->len && memcmp(s->row.path, en->path, en->len) == 0;
	return add_item(s, &it, en->path, en->len, en->len - strlen(en->name), same, e);
}

static int walk_all(struct scan *s, struct err *e)
{
	const struct scan_options *o = s->o;
	_cleanup_(store_iter_close) struct store_iter *rows = NULL;
	_cleanup_(walk_close) struct walk *w = NULL;
	struct walk_entry en;
	int r = walk_open(o->watches, o->root_fd, o->after, o->after_len, &w, e);

	if (r == 0 && o->old) {
		r = store_iter_open(o->old, STORE_FILES, o->after, o->after_len, &rows, e);
		s->rows = rows;
		if (r == 0)
			r = next_row(s, e);
	}
	while (r == 0) {
		if (stopped(s))
			return -EINTR;
		r = walk_next(w, &en);
		if (r == 0)
			return rows_before(s, NULL, 0, e);
		if (r < 0)
			return err_set(e, r, "cannot walk the tree: %s", strerror(-r));
		r = add_entry(s, &en, e);
	}
	return r;
}

static void *walker(void *arg)
{
	struct scan *s = arg;
	struct err e = { "" };
	int r = walk_all(s, &e);

	close_batch(s);
	if (r < 0) {
		set_error(s, r, &e);
		return NULL;
	}
	pthread_mutex_lock(&s->lock);
	s->end = true;
	pthread_cond_broadcast(&s->filled);
	pthread_cond_broadcast(&s->done);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* ---- the workers --------------------------------------------------------------------------------------------------- */

static int keep_text(struct scan *s, struct collect *c, const struct collect_found *found, const char *path,
		     struct batch *b, struct item *it)
{
	size_t at = b->out.len;
	int r;

	if (!found->kept || watchset_secret(s->o->watches, it->watch, path, it->path_len) ||
	    !text_is_plain(c->data, (size_t)found->fact.size))
		return 0;
	r = text_pack(c->data, (size_t)found->fact.size, &b->out);
	it->text = (uint32_t)at;
	it->text_len = (uint32_t)(b->out.len - at);
	return r;
}

static int found_file(struct scan *s, struct collect *c, struct batch *b, struct item *it, const struct fact *old)
{
	const struct watch *w = it->watch->watch;
	const char *path = (const char *)b->in.data + it->path;
	const struct collect_want want = { .attrs = w->attrs,
					   .keep_max = s->o->keep ? w->diff_max : 0,
					   .old = old,
					   .growing = w->growing,
					   .quick = s->o->quick };
	const char *name = it->path_len == 1 ? "." : (const char *)b->in.data + it->name;
	struct collect_found found;
	int r = collect_file(c, it->dir->fd, name, it->type, &want, &found);

	if (r == -ENOENT) {
		it->kind = SCAN_GONE;
		it->gone = !it->has_old;
		return 0;
	}
	if (r < 0)
		return r;
	it->bytes = (uint32_t)b->out.len;
	r = fact_put(&found.fact, &b->out);
	if (r < 0)
		return r;
	it->len = (uint32_t)b->out.len - it->bytes;
	it->unread = found.fact.unread;
	if (!s->o->old) {
		seal_leaf(path, it->path_len, b->out.data + it->bytes, it->len, it->leaf);
		seal_row(s->o->seal, it->leaf, it->seal);
	}
	if (old) {
		it->changed = fact_compare(old, &found.fact, w->attrs, w->growing, found.prefix_same);
		it->more = found.fact.have & ~old->have;
	}
	return keep_text(s, c, &found, path, b, it);
}

static int look_at(struct scan *s, struct collect *c, struct batch *b, struct item *it)
{
	uint8_t seal[SEAL_SIZE];
	struct fact old;
	int r = 0;

	if (it->has_old) {
		seal_leaf(b->in.data + it->path, it->path_len, b->in.data + it->old, it->old_len, it->old_leaf);
		seal_row(s->o->seal, it->old_leaf, seal);
		it->old_ok = memcmp(seal, it->old_seal, SEAL_SIZE) == 0 &&
			     fact_read(b->in.data + it->old, it->old_len, &old) == 0;
	}
	if (it->kind == SCAN_FOUND)
		r = found_file(s, c, b, it, it->old_ok ? &old : NULL);
	walk_dir_drop(it->dir);
	it->dir = NULL;
	return r;
}

static struct batch *take_batch(struct scan *s)
{
	struct batch *b = NULL;

	pthread_mutex_lock(&s->lock);
	while (s->taken == s->head && !s->end && !s->stop)
		pthread_cond_wait(&s->filled, &s->lock);
	if (s->taken < s->head && !s->stop) {
		b = &s->batches[s->taken++ % SCAN_BATCHES];
		b->state = TAKEN;
	}
	pthread_mutex_unlock(&s->lock);
	return b;
}

/* The oldest batch is ready, and enough behind it have been begun, or no more will be. */
static bool is_due(const struct scan *s)
{
	return s->batches[s->tail % SCAN_BATCHES].state == DONE && (s->end || s->taken - s->tail >= AT_ONCE);
}

static void put_batch(struct scan *s, struct batch *b)
{
	pthread_mutex_lock(&s->lock);
	b->state = DONE;
	if (is_due(s))
		pthread_cond_signal(&s->done);
	pthread_mutex_unlock(&s->lock);
}

static void *worker(void *arg)
{
	struct scan *s = arg;
	struct collect c;
	struct err e;
	struct batch *b;
	int r = collect_init(&c, s->o->rate ? &s->limit : NULL);

	c.stop = s->o->stop;
	while (r == 0 && (b = take_batch(s))) {
		uint64_t before = c.bytes;

		for (size_t i = 0; i < b->n && r == 0; i++) {
			if (stopped(s))
				r = -EINTR;
			else
				r = look_at(s, &c, b, &b->items[i]);
		}
		if (s->o->progress) {
			atomic_fetch_add(&s->o->progress->files, b->n);
			atomic_fetch_add(&s->o->progress->bytes, c.bytes - before);
		}
		if (r == 0)
			put_batch(s, b);
	}
	collect_done(&c);
	if (r < 0) {
		err_set(&e, r, r == -EINTR ? "interrupted" : "cannot look at files: %s", strerror(-r));
		set_error(s, r, &e);
	}
	return NULL;
}

/* ---- handing out --------------------------------------------------------------------------------------------------- */

static int hand_out(const struct batch *b, const struct item *it, scan_fn fn, void *ctx, struct err *e)
{
	struct scan_result r = { .kind = it->kind,
				 .skip = it->skip,
				 .path = (const char *)b->in.data + it->path,
				 .path_len = it->path_len,
				 .watch = it->watch,
				 .unread = it->unread,
				 .has_old = it->has_old,
				 .old_ok = it->old_ok,
				 .changed = it->changed,
				 .more = it->more };

	if (it->gone)
		return 0; /* it came and went */
	if (it->kind == SCAN_FOUND) {
		r.bytes = b->out.data + it->bytes;
		r.len = it->len;
		r.text = it->text_len ? b->out.data + it->text : NULL;
		r.text_len = it->text_len;
		memcpy(r.leaf, it->leaf, sizeof(r.leaf));
		memcpy(r.seal, it->seal, sizeof(r.seal));
	}
	if (it->has_old)
		memcpy(r.old_leaf, it->old_leaf, sizeof(r.old_leaf));
	return fn(ctx, &r, e);
}

static void reset(struct buf *b)
{
	size_t max = b->max;

	if (b->cap > KEEP_BYTES) {
		buf_done(b);
		buf_init(b, max);
	}
	buf_reset(b);
}

/* The next batch to hand out, or NULL at the end. One that is ready is taken at once by who is awake. */
static struct batch *next_done(struct scan *s)
{
	struct batch *b = &s->batches[s->tail % SCAN_BATCHES];

	pthread_mutex_lock(&s->lock);
	if (b->state != DONE)
		while (!is_due(s) && !s->stop && !(s->end && s->tail == s->head))
			pthread_cond_wait(&s->done, &s->lock);
	if (b->state != DONE)
		b = NULL;
	pthread_mutex_unlock(&s->lock);
	return b;
}

static int consume(struct scan *s, scan_fn fn, void *ctx, struct err *e)
{
	struct batch *b;

	while ((b = next_done(s))) {
		int r = 0;

		for (size_t i = 0; i < b->n && r == 0; i++)
			r = hand_out(b, &b->items[i], fn, ctx, e);
		if (r < 0)
			return r;
		reset(&b->in);
		reset(&b->out);
		pthread_mutex_lock(&s->lock);
		b->state = EMPTY;
		if (++s->tail >= s->want_empty)
			pthread_cond_signal(&s->emptied);
		pthread_mutex_unlock(&s->lock);
	}
	if (s->error)
		return err_set(e, s->error, "%s", s->err.msg);
	return 0;
}

/* ---- all of it ----------------------------------------------------------------------------------------------------- */

/* Directories are held open: those on the way down, and those of batches in flight. */
static void raise_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= 65536)
		return;
	l.rlim_cur = l.rlim_max < 65536 ? l.rlim_max : 65536;
	setrlimit(RLIMIT_NOFILE, &l);
}

static int run_threads(struct scan *s, scan_fn fn, void *ctx, struct err *e)
{
	unsigned int n = s->o->workers ? s->o->workers : scan_cores(), started = 0;
	pthread_t walk_thread, threads[SCAN_WORKERS_MAX];
	int r = -pthread_create(&walk_thread, NULL, walker, s);

	if (r < 0)
		return err_set(e, r, "cannot start a thread: %s", strerror(-r));
	for (; started < n && started < SCAN_WORKERS_MAX; started++) {
		r = -pthread_create(&threads[started], NULL, worker, s);
		if (r < 0)
			break;
	}
	if (started)
		r = consume(s, fn, ctx, e);
	else
		err_set(e, r, "cannot start a thread: %s", strerror(-r));
	set_error(s, r < 0 ? r : -EINTR, e); /* everybody leaves */
	pthread_join(walk_thread, NULL);
	for (unsigned int i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	return r;
}

static void scan_done(struct scan *s)
{
	for (size_t i = 0; i < SCAN_BATCHES; i++) {
		struct batch *b = &s->batches[i];

		for (size_t k = 0; k < b->n && b->state != EMPTY; k++)
			walk_dir_drop(b->items[k].dir);
		buf_done(&b->in);
		buf_done(&b->out);
	}
	free(s->batches);
	free(s);
}

int scan_run(const struct scan_options *o, scan_fn fn, void *ctx, struct err *e)
{
	struct scan *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	s->batches = calloc(SCAN_BATCHES, sizeof(s->batches[0]));
	if (!s->batches) {
		free(s);
		return err_set(e, -ENOMEM, "out of memory");
	}
	s->o = o;
	for (size_t i = 0; i < SCAN_BATCHES; i++) {
		buf_init(&s->batches[i].in, SCAN_BATCH * (STORE_ROW_MAX + 8192UL));
		buf_init(&s->batches[i].out, SCAN_BATCH * (FACT_SIZE_MAX + 2UL * WATCH_DIFF_MAX));
	}
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->filled, NULL);
	pthread_cond_init(&s->done, NULL);
	pthread_cond_init(&s->emptied, NULL);
	limit_init(&s->limit, o->rate);
	raise_files();
	r = run_threads(s, fn, ctx, e);
	scan_done(s);
	return r;
}

uint64_t scan_count(const struct watchset *s, int root_fd, const volatile sig_atomic_t *stop)
{
	_cleanup_(walk_close) struct walk *w = NULL;
	struct walk_entry en;
	uint64_t n = 0;

	if (walk_open(s, root_fd, NULL, 0, &w, NULL) < 0)
		return 0;
	while (!(stop && *stop) && walk_next(w, &en) > 0)
		n += !en.skip;
	return n;
}
