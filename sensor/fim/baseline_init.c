/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/baseline_impl.h"

#include <pthread.h>
#include <time.h>

struct making {
	struct baseline *b;
	const struct baseline_notes *notes;
	struct baseline_counts *counts;
	struct merkle tree;
	struct progress_note note; /* its path is the last one that was taken */
	char after[WATCH_PATH_MAX + 1];
	struct commit_clock clock;
};

static void unreadable(struct making *m, const struct scan_result *r, const char *why)
{
	m->counts->unreadable++;
	if (m->notes && m->notes->unreadable)
		m->notes->unreadable(m->notes->ctx, r->path, r->path_len, why);
}

static int take(void *ctx, const struct scan_result *r, struct err *e)
{
	struct making *m = ctx;
	int err;

	if (r->kind == SCAN_SKIPPED) {
		if (r->skip == WALK_DENIED || r->skip == WALK_FAILED)
			unreadable(m, r, walk_skip_name(r->skip));
		else
			m->counts->skipped++;
		return 0;
	}
	if (r->kind != SCAN_FOUND)
		return 0;
	if (r->unread)
		unreadable(m, r, fact_unread_name(r->unread));
	err = store_append(m->b->store, r->path, r->path_len, r->bytes, r->len, r->seal, e);
	if (err == 0 && r->text) {
		err = store_put(m->b->store, STORE_NEW_CONTENTS, r->path, r->path_len, r->text, r->text_len, NULL, e);
		m->counts->texts++;
	}
	if (err < 0)
		return err;
	merkle_add(&m->tree, r->leaf);
	m->counts->looked++;
	memcpy(m->note.path, r->path, r->path_len);
	m->note.path_len = r->path_len;
	return commit_due(&m->clock) ? progress_commit(m->b, "init", &m->note, e) : 0;
}

/* What an interrupted scan left: 1 where its rows are whole and ours, and the tree has them; 0 to begin anew. */
static int resume(struct making *m, struct err *e)
{
	_cleanup_(store_iter_close) struct store_iter *it = NULL;
	static const uint8_t none[HASH_SIZE];
	struct store_row row;
	int r = progress_note_get(m->b, "init", none, &m->note, e);

	if (r > 0)
		r = store_iter_open(m->b->store, STORE_NEW_FILES, NULL, 0, &it, e);
	else
		return r;
	while (r == 0 && (r = store_iter_next(it, &row, e)) > 0) {
		uint8_t seal[SEAL_SIZE];
		merkle_hash leaf;

		seal_leaf(row.path, row.path_len, row.value, row.len, leaf);
		seal_row(&m->b->seal, leaf, seal);
		if (memcmp(seal, row.seal, SEAL_SIZE) != 0)
			return 0;
		merkle_add(&m->tree, leaf);
		r = 0;
	}
	return r < 0 ? r : 1;
}

static int begin(const struct baseline_options *o, struct making *m, struct scan_options *scan, struct err *e)
{
	int r = o->fresh ? 0 : resume(m, e);

	if (r < 0)
		return r;
	if (r > 0) {
		m->counts->resumed = true;
		m->counts->looked = m->tree.size;
		memcpy(m->after, m->note.path, m->note.path_len);
		scan->after = m->after;
		scan->after_len = m->note.path_len;
		return store_begin(m->b->store, e);
	}
	merkle_init(&m->tree);
	m->note = (struct progress_note){ 0 };
	memcpy(m->note.policy, m->b->watches_hash, HASH_SIZE);
	r = store_begin(m->b->store, e);
	if (r == 0)
		r = store_clear(m->b->store, STORE_NEW_FILES, e);
	if (r == 0)
		r = store_clear(m->b->store, STORE_NEW_CONTENTS, e);
	if (r == 0)
		r = store_note_delete(m->b->store, "init", e);
	return r;
}

/* Everything changes over in the transaction that is open: the old baseline is there until the new one is. */
static int finish(const struct baseline_options *o, struct making *m, struct err *e)
{
	struct baseline *b = m->b;
	struct seal_head head = { .files = m->tree.size };
	int r = store_swap(b->store, e);

	seal_now(head.time);
	merkle_root(&m->tree, head.root);
	memcpy(head.watches, b->watches_hash, HASH_SIZE);
	if (r == 0)
		r = baseline_sign(b, &head, e);
	if (r == 0 && o->watches)
		r = store_note_put(b->store, "watches", o->watches, o->watches_size, e);
	if (r == 0)
		r = store_clear(b->store, STORE_CHANGES, e);
	if (r == 0)
		r = store_note_delete(b->store, "init", e);
	if (r == 0)
		r = store_note_delete(b->store, "check", e);
	if (r == 0)
		r = store_note_delete(b->store, "checked", e);
	if (r == 0)
		r = store_commit(b->store, e);
	if (r == 0) {
		memcpy(m->counts->time, head.time, sizeof(head.time));
		m->counts->files = head.files;
	}
	return r;
}

/* How many files there are, for who shows how far it is: a walk of its own, which asks nothing of any file. */
struct counting {
	const struct scan_options *scan;
	volatile sig_atomic_t stop;
	pthread_t thread;
	bool running;
};

static void *count(void *arg)
{
	struct counting *c = arg;
	uint64_t n = scan_count(c->scan->watches, c->scan->root_fd, &c->stop);

	if (!c->stop)
		atomic_store(&c->scan->progress->total, n);
	return NULL;
}

static int scan_counted(const struct baseline_options *o, const struct scan_options *scan, struct making *m,
			struct err *e)
{
	struct counting c = { .scan = scan };
	int r;

	if (o->count && scan->progress)
		c.running = pthread_create(&c.thread, NULL, count, &c) == 0;
	r = scan_run(scan, take, m, e);
	c.stop = 1;
	if (c.running)
		pthread_join(c.thread, NULL);
	return r;
}

int baseline_init(const struct baseline_options *o, const struct baseline_notes *n, struct baseline_counts *ret,
		  struct err *e)
{
	struct scan_options scan = o->scan;
	struct baseline base = { .root_fd = -1 };
	_cleanup_(baseline_close) struct baseline *b = &base;
	struct making m = { .b = b, .notes = n, .counts = ret };
	struct err ignored;
	int r;

	if (o->idle)
		limit_idle();
	r = baseline_open(o, o->force ? STORE_ASIDE : STORE_CREATE, b, e);
	*ret = (struct baseline_counts){ 0 };
	if (r < 0)
		return r;
	if (b->has_head && !o->force)
		return err_set(e, -EEXIST,
			       "there is a baseline of %llu files, made %s: accept changes by tamisctl fim accept, or "
			       "replace it by init --force",
			       (unsigned long long)b->head.files, b->head.time);
	r = begin(o, &m, &scan, e);
	scan.watches = b->watches;
	scan.seal = &b->seal;
	scan.root_fd = b->root_fd;
	scan.keep = true;
	scan.quick = false;
	scan.old = NULL;
	if (r == 0)
		r = scan_counted(o, &scan, &m, e);
	if (r == -EINTR && m.note.path_len && progress_commit(b, "init", &m.note, &ignored) < 0)
		store_rollback(b->store);
	return r == 0 ? finish(o, &m, e) : r;
}
