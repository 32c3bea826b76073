/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/baseline_impl.h"

#include <dirent.h>

#include "sensor/fim/diff.h"
#include "sensor/fim/text.h"

struct accepting {
	struct baseline *b;
	struct baseline_accept *a;
	struct collect collect;
	struct buf bytes, old, xattrs;
};

static void begin(struct accepting *m)
{
	buf_init(&m->bytes, STORE_ROW_MAX);
	buf_init(&m->old, STORE_ROW_MAX);
	buf_init(&m->xattrs, FACT_XATTRS_MAX);
}

static void end(struct accepting *m)
{
	collect_done(&m->collect);
	buf_done(&m->bytes);
	buf_done(&m->old);
	buf_done(&m->xattrs);
}

static int refuse(struct accepting *m, const struct store_row *row, const char *why)
{
	m->a->refusals++;
	if (m->a->refused)
		m->a->refused(m->a->ctx, (const char *)row->path, row->path_len, why);
	return 0;
}

/* As it is now: 0, -ENOENT, or another reason why it cannot be looked at. */
static int look(struct accepting *m, const char *path, size_t len, const struct watchset_item *w,
		const struct fact *seen, struct collect_found *ret)
{
	const struct collect_want want = {
		.attrs = w->watch->attrs, .keep_max = w->watch->diff_max, .old = seen, .growing = w->watch->growing
	};
	_cleanup_close_ int dir = -1;
	const char *name;
	int r = collect_open_dir(m->b->root_fd, path, len, &dir, &name);

	return r < 0 ? r : collect_file(&m->collect, dir, name, DT_UNKNOWN, &want, ret);
}

static int put_text(struct accepting *m, const struct store_row *row, const struct watchset_item *w,
		    const struct collect_found *found, struct err *e)
{
	const char *path = (const char *)row->path;

	buf_reset(&m->bytes);
	if (!found->kept || watchset_secret(m->b->watches, w, path, row->path_len) ||
	    !text_is_plain(m->collect.data, (size_t)found->fact.size))
		return store_delete(m->b->store, STORE_CONTENTS, path, row->path_len, e);
	if (text_pack(m->collect.data, (size_t)found->fact.size, &m->bytes) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	return store_put(m->b->store, STORE_CONTENTS, path, row->path_len, m->bytes.data, m->bytes.len, NULL, e);
}

/*
 * What the sensor cannot see stays as it was while the file is the same one. Another file that took its name is thought to have
 * none of that: where it does, the next check by who can see it says so.
 */
static int know_trusted(struct accepting *m, const struct store_row *row, struct fact *f, struct err *e)
{
	struct fact old;
	int r = diff_old_fact(m->b, row->path, row->path_len, &m->old, &old, e);

	f->no_trusted = false;
	if (r <= 0 || old.inode != f->inode || old.device != f->device)
		return r < 0 ? r : 0;
	buf_reset(&m->xattrs);
	if (fact_xattrs_keep_trusted(&old, f, &m->xattrs) < 0)
		return err_set(e, -ENOMEM, "no room for extended attributes");
	f->no_trusted = old.no_trusted;
	f->xattrs = m->xattrs.data;
	f->xattrs_len = (uint32_t)m->xattrs.len;
	return 0;
}

static int put_fact(struct accepting *m, const struct store_row *row, struct fact *f, struct err *e)
{
	int r = f->no_trusted && f->have & WATCH_XATTRS ? know_trusted(m, row, f, e) : 0;
	uint8_t seal[SEAL_SIZE];
	merkle_hash leaf;

	if (r < 0)
		return r;
	buf_reset(&m->bytes);
	if (fact_put(f, &m->bytes) < 0)
		return err_set(e, -ENOMEM, "out of memory");
	seal_leaf(row->path, row->path_len, m->bytes.data, m->bytes.len, leaf);
	seal_row(&m->b->seal, leaf, seal);
	return store_put(m->b->store, STORE_FILES, row->path, row->path_len, m->bytes.data, m->bytes.len, seal, e);
}

static int accept_gone(struct accepting *m, const struct store_row *row, int looked, struct err *e)
{
	int r;

	if (looked != -ENOENT)
		return refuse(m, row, "it is there again; check again");
	r = store_delete(m->b->store, STORE_FILES, row->path, row->path_len, e);
	if (r == 0)
		r = store_delete(m->b->store, STORE_CONTENTS, row->path, row->path_len, e);
	return r == 0 ? 1 : r;
}

/* 1: accepted; 0: refused. */
static int accept_one(struct accepting *m, const struct store_row *row, const struct change *c, struct err *e)
{
	_cleanup_free_ char *path = strndup((const char *)row->path, row->path_len);
	const struct watchset_item *w;
	struct collect_found now;
	struct fact seen = { 0 };
	int r;

	if (!path)
		return err_set(e, -ENOMEM, "out of memory");
	w = watchset_find(m->b->watches, path, row->path_len == 1 ? 0 : row->path_len);
	if (!w)
		return refuse(m, row, "no watch names it; check again");
	if (c->fact_len)
		fact_read(c->fact, c->fact_len, &seen);
	r = look(m, path, row->path_len, w, c->fact_len ? &seen : NULL, &now);
	if (c->kind == CHANGE_REMOVED)
		return accept_gone(m, row, r == -ENOTDIR || r == -ELOOP ? -ENOENT : r, e);
	if (r < 0)
		return refuse(m, row, r == -ENOENT ? "it is gone; check again" : strerror(-r));
	if (fact_compare(&seen, &now.fact, w->watch->attrs, w->watch->growing, now.prefix_same))
		return refuse(m, row, "it has changed since the check; check again");
	r = put_text(m, row, w, &now, e);
	if (r == 0)
		r = put_fact(m, row, &now.fact, e);
	return r == 0 ? 1 : r;
}

static int take(void *ctx, const struct store_row *row, struct change *c, struct err *e)
{
	struct accepting *m = ctx;
	int r;

	if (!m->a->pick(m->a->ctx, (const char *)row->path, row->path_len))
		return 0;
	r = accept_one(m, row, c, e);
	if (r <= 0)
		return r;
	m->a->accepted++;
	return store_delete(m->b->store, STORE_CHANGES, row->path, row->path_len, e);
}

static int sign_anew(struct baseline *b, struct err *e)
{
	_cleanup_(store_iter_close) struct store_iter *it = NULL;
	struct seal_head head = b->head;
	struct store_row row;
	struct merkle tree;
	merkle_hash leaf;
	int r = store_iter_open(b->store, STORE_FILES, NULL, 0, &it, e);

	merkle_init(&tree);
	while (r == 0 && (r = store_iter_next(it, &row, e)) > 0) {
		seal_leaf(row.path, row.path_len, row.value, row.len, leaf);
		merkle_add(&tree, leaf);
		r = 0;
	}
	if (r < 0)
		return r;
	head.files = tree.size;
	merkle_root(&tree, head.root);
	seal_now(head.time);
	return baseline_sign(b, &head, e);
}

static int run(struct accepting *m, struct err *e)
{
	struct store *s = m->b->store;
	int r = store_begin(s, e);

	/* what was edited must not be signed along with what is accepted */
	if (r == 0)
		r = baseline_verify(m->b, NULL, e);
	if (r == 0)
		r = baseline_each_change(m->b, take, m, e);
	if (r == 0 && m->a->accepted)
		r = sign_anew(m->b, e);
	if (r == 0 && m->a->accepted)
		r = store_note_delete(s, "check", e);
	return r == 0 ? store_commit(s, e) : r;
}

int baseline_accept(const struct baseline_options *o, struct baseline_accept *a, struct err *e)
{
	struct baseline base = { .root_fd = -1 };
	_cleanup_(baseline_close) struct baseline *b = &base;
	struct accepting m = { .b = b, .a = a };
	int r = baseline_open(o, STORE_WRITE, b, e);

	if (r < 0)
		return r;
	if (!b->has_head)
		return err_set(e, -ENOENT, "there is no baseline yet; make one by tamisctl fim init --policy BUNDLE");
	begin(&m);
	r = collect_init(&m.collect, NULL);
	if (r == 0)
		r = run(&m, e);
	end(&m);
	return r;
}

static int accept_some(struct accepting *m, struct baseline_some *v, size_t n, struct err *e)
{
	int r = store_begin(m->b->store, e);

	if (r == 0)
		r = baseline_read_head(m->b, e);
	/* what was edited must not be signed along with what is accepted */
	if (r == 0)
		r = baseline_verify(m->b, NULL, e);
	for (size_t i = 0; i < n && r == 0; i++) {
		const struct store_row row = { .path = (const uint8_t *)v[i].path, .path_len = v[i].len };

		r = accept_one(m, &row, v[i].change, e);
		v[i].accepted = r > 0;
		m->a->accepted += r > 0;
		r = r < 0 ? r : 0;
	}
	if (r == 0 && m->a->accepted)
		r = sign_anew(m->b, e);
	if (r == 0)
		r = store_commit(m->b->store, e);
	return r == 0 ? baseline_read_head(m->b, e) : r;
}

int baseline_accept_some(struct baseline *b, struct baseline_some *v, size_t n, struct err *e)
{
	struct baseline_accept a = { 0 };
	struct accepting m = { .b = b, .a = &a };
	int r = collect_init(&m.collect, NULL);

	begin(&m);
	r = r < 0 ? err_set(e, r, "out of memory") : accept_some(&m, v, n, e);
	end(&m);
	return r;
}
