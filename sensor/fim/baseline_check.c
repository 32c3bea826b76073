/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/baseline_impl.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "lib/jsonw.h"
#include "sensor/fim/pkg.h"

struct checking {
	struct baseline *b;
	const struct baseline_notes *notes;
	struct baseline_counts *counts;
	struct merkle tree;
	struct progress_note note; /* its path is the last one that was taken */
	char after[WATCH_PATH_MAX + 1];
	struct commit_clock clock;
	struct buf entry;
};

/* The counts that an interrupted check has to go on from. */
static uint64_t *const *resumed_counts(struct baseline_counts *c, uint64_t *ret[8])
{
	uint64_t *all[] = { &c->looked,	    &c->added,	 &c->removed,	&c->changed,
			    &c->unreadable, &c->unknown, &c->unwatched, &c->edited };

	memcpy(ret, all, sizeof(all));
	return ret;
}

static void note_unreadable(struct checking *m, const struct scan_result *r, const char *why)
{
	m->counts->unreadable++;
	if (m->notes && m->notes->unreadable)
		m->notes->unreadable(m->notes->ctx, r->path, r->path_len, why);
}

static int put_change(struct checking *m, const void *path, size_t len, const struct change *c, struct err *e)
{
	uint8_t seal[SEAL_SIZE];
	merkle_hash leaf;

	buf_reset(&m->entry);
	if (change_put(c, &m->entry) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	seal_leaf(path, len, m->entry.data, m->entry.len, leaf);
	seal_row(&m->b->seal, leaf, seal);
	return store_put(m->b->store, STORE_CHANGES, path, len, m->entry.data, m->entry.len, seal, e);
}

static int put_result(struct checking *m, const struct scan_result *r, enum change_kind kind, struct err *e)
{
	const struct watch *w = r->watch->watch;
	const struct change c = { .kind = (uint8_t)kind,
				  .severity = (uint8_t)w->severity,
				  .mask = kind == CHANGE_CHANGED ? r->changed : 0,
				  .watch = w->id,
				  .watch_len = (uint32_t)strlen(w->id),
				  .owner = "",
				  .fact = r->bytes,
				  .fact_len = kind == CHANGE_REMOVED ? 0 : (uint32_t)r->len };

	*(kind == CHANGE_ADDED	   ? &m->counts->added
	  : kind == CHANGE_REMOVED ? &m->counts->removed
				   : &m->counts->changed) += 1;
	return put_change(m, r->path, r->path_len, &c, e);
}

static void take_old(struct checking *m, const struct scan_result *r)
{
	if (!r->has_old)
		return;
	merkle_add(&m->tree, r->old_leaf);
	if (r->old_ok)
		return;
	if (m->counts->edited++ < BASELINE_EDITED_MAX && m->notes && m->notes->edited)
		m->notes->edited(m->notes->ctx, r->path, r->path_len);
}

static int judge(struct checking *m, const struct scan_result *r, struct err *e)
{
	switch (r->kind) {
	case SCAN_SKIPPED:
		if (r->skip == WALK_DENIED || r->skip == WALK_FAILED)
			note_unreadable(m, r, walk_skip_name(r->skip));
		else
			m->counts->skipped++;
		return 0;
	case SCAN_UNKNOWN:
		m->counts->unknown++;
		return 0;
	case SCAN_UNWATCHED:
		m->counts->unwatched++;
		return 0;
	case SCAN_GONE:
		return r->watch ? put_result(m, r, CHANGE_REMOVED, e) : 0;
	default:
		break;
	}
	m->counts->looked++;
	if (r->unread)
		note_unreadable(m, r, fact_unread_name(r->unread));
	if (!r->has_old || !r->old_ok)
		return put_result(m, r, CHANGE_ADDED, e);
	if (r->watch->watch->attrs & r->more)
		m->counts->more_wanted = true;
	return r->changed ? put_result(m, r, CHANGE_CHANGED, e) : 0;
}

/* The note and what was found up to it are committed together. */
static int commit_some(struct checking *m, struct err *e)
{
	uint64_t *all[8];

	resumed_counts(m->counts, all);
	for (int i = 0; i < 8; i++)
		m->note.counts[i] = *all[i];
	return progress_commit(m->b, "check", &m->note, e);
}

static int take(void *ctx, const struct scan_result *r, struct err *e)
{
	struct checking *m = ctx;
	int err;

	take_old(m, r);
	err = judge(m, r, e);
	if (err < 0 || r->kind == SCAN_SKIPPED)
		return err;
	memcpy(m->note.path, r->path, r->path_len);
	m->note.path_len = r->path_len;
	return commit_due(&m->clock) ? commit_some(m, e) : 0;
}

/* The leaves of the rows that the interrupted check saw: the root is over all of them. */
static int read_seen(struct checking *m, struct err *e)
{
	_cleanup_(store_iter_close) struct store_iter *it = NULL;
	struct store_row row;
	int r = store_iter_open(m->b->store, STORE_FILES, NULL, 0, &it, e);

	while (r == 0 && (r = store_iter_next(it, &row, e)) > 0) {
		size_t n = row.path_len < m->note.path_len ? row.path_len : m->note.path_len;
		int c = memcmp(row.path, m->note.path, n);
		merkle_hash leaf;

		if (c > 0 || (c == 0 && row.path_len > m->note.path_len))
			return 0;
		seal_leaf(row.path, row.path_len, row.value, row.len, leaf);
		merkle_add(&m->tree, leaf);
		r = 0;
	}
	return r;
}

static int begin(const struct baseline_options *o, struct checking *m, struct scan_options *scan, struct err *e)
{
	struct baseline *b = m->b;
	int r = o->fresh ? 0 : progress_note_get(b, "check", b->head.root, &m->note, e);
	uint64_t *all[8];

	if (r < 0)
		return r;
	if (r > 0) {
		m->counts->resumed = true;
		resumed_counts(m->counts, all);
		for (int i = 0; i < 8; i++)
			*all[i] = m->note.counts[i];
		memcpy(m->after, m->note.path, m->note.path_len);
		scan->after = m->after;
		scan->after_len = m->note.path_len;
		r = read_seen(m, e);
		return r == 0 ? store_begin(b->store, e) : r;
	}
	m->note = (struct progress_note){ 0 };
	memcpy(m->note.policy, b->watches_hash, HASH_SIZE);
	memcpy(m->note.root, b->head.root, HASH_SIZE);
	r = store_begin(b->store, e);
	if (r == 0)
		r = store_clear(b->store, STORE_CHANGES, e);
	if (r == 0)
		r = store_note_delete(b->store, "checked", e);
	return r;
}

/* ---- what packages say ---------------------------------------------------------------------------------------------- */

struct asking {
	struct checking *m;
	struct pkg *pkg;
	const volatile sig_atomic_t *stop;
};

static int ask_one(void *ctx, const struct store_row *row, struct change *c, struct err *e)
{
	const struct asking *a = ctx;
	struct fact fact = { 0 };
	const char *owner = "";

	if (a->stop && *a->stop)
		return err_set(e, -EINTR, "interrupted");
	if (c->fact_len)
		fact_read(c->fact, c->fact_len, &fact);
	c->package = (uint8_t)pkg_judge(a->pkg, (const char *)row->path, row->path_len, c->fact_len ? &fact : NULL,
					c->kind == CHANGE_CHANGED ? c->mask : 0, &owner);
	c->severity = change_severity(c->severity, c->package);
	c->owner = owner;
	c->owner_len = (uint32_t)strlen(owner);
	a->m->counts->by_severity[c->severity]++;
	return put_change(a->m, row->path, row->path_len, c, e);
}

static int ask_packages(const struct baseline_options *o, struct checking *m, struct err *e)
{
	_cleanup_(pkg_close) struct pkg *pkg = NULL;
	struct asking a = { .m = m, .stop = o->scan.stop };
	int r = 0;

	if (o->packages && m->counts->added + m->counts->removed + m->counts->changed)
		r = pkg_open(m->b->root_fd, &pkg, e);
	a.pkg = pkg;
	return r < 0 ? r : baseline_each_change(m->b, ask_one, &a, e);
}

/* ---- the end -------------------------------------------------------------------------------------------------------- */

static int put_checked(struct checking *m, struct err *e)
{
	const struct baseline_counts *c = m->counts;
	char now[SEAL_TIME_MAX];
	struct buf out;
	struct jsonw w;
	int r;

	seal_now(now);
	buf_init(&out, 65536);
	w = jsonw_to(&out);
	jsonw_obj_begin(&w);
	jsonw_member_u64(&w, "edited", c->edited);
	jsonw_member_u64(&w, "looked", c->looked);
	jsonw_member_bool(&w, "root_bad", c->root_bad);
	jsonw_member_str(&w, "time", now);
	jsonw_member_u64(&w, "unknown", c->unknown);
	jsonw_member_u64(&w, "unreadable", c->unreadable);
	jsonw_obj_end(&w);
	r = buf_error(&out) ? err_set(e, buf_error(&out), "out of memory")
			    : store_note_put(m->b->store, "checked", out.data, out.len, e);
	buf_done(&out);
	return r;
}

static int finish(const struct baseline_options *o, struct checking *m, struct err *e)
{
	struct baseline *b = m->b;
	merkle_hash root;
	int r;

	merkle_root(&m->tree, root);
	m->counts->root_bad = m->tree.size != b->head.files || memcmp(root, b->head.root, sizeof(root)) != 0;
	r = ask_packages(o, m, e);
	if (r == 0)
		r = put_checked(m, e);
	if (r == 0)
		r = store_note_delete(b->store, "check", e);
	return r == 0 ? store_commit(b->store, e) : r;
}

static int run(const struct baseline_options *o, struct checking *m, struct err *e)
{
	_cleanup_(store_close) struct store *rows = NULL;
	struct scan_options scan = o->scan;
	struct baseline *b = m->b;
	struct err ignored;
	int r = store_open(o->state_dir, STORE_READ, &rows, e);

	if (r == 0 && o->opened)
		r = o->opened(o->opened_ctx, e);
	if (r == 0)
		r = begin(o, m, &scan, e);
	scan.watches = b->watches;
	scan.seal = &b->seal;
	scan.root_fd = b->root_fd;
	scan.keep = false;
	scan.old = rows;
	if (r == 0)
		r = scan_run(&scan, take, m, e);
	if (r == 0)
		r = finish(o, m, e);
	else if (r == -EINTR && m->note.path_len && commit_some(m, &ignored) < 0)
		store_rollback(b->store);
	return r;
}

int baseline_check(const struct baseline_options *o, const struct baseline_notes *n, struct baseline_counts *ret,
		   struct err *e)
{
	struct baseline base = { .root_fd = -1 };
	_cleanup_(baseline_close) struct baseline *b = &base;
	struct checking m = { .b = b, .notes = n, .counts = ret };
	int r;

	if (o->idle)
		limit_idle();
	r = baseline_open(o, STORE_WRITE, b, e);
	*ret = (struct baseline_counts){ 0 };
	if (r < 0)
		return r;
	if (!b->has_head)
		return err_set(e, -ENOENT, "there is no baseline yet; make one by tamisctl fim init --policy BUNDLE");
	memcpy(ret->time, b->head.time, sizeof(b->head.time));
	ret->files = b->head.files;
	if (o->scan.progress)
		atomic_store(&o->scan.progress->total, b->head.files);
	ret->other_policy = memcmp(b->watches_hash, b->head.watches, HASH_SIZE) != 0;
	buf_init(&m.entry, STORE_ROW_MAX);
	r = run(o, &m, e);
	buf_done(&m.entry);
	return r;
}
