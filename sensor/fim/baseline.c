/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/baseline_impl.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

#include "lib/watch_io.h"

#define WATCHES_BYTES_MAX (32u << 20)
#define COMMIT_ROWS	  50000
#define COMMIT_NS	  2000000000ULL
#define FUTURE_S	  5 /* a clock that was set back a little */

/* ---- opening ------------------------------------------------------------------------------------------------------- */

int baseline_read_head(struct baseline *b, struct err *e)
{
	struct buf text, sig;
	int r, s = 0;

	buf_init(&text, 65536);
	buf_init(&sig, 1024);
	r = store_note_get(b->store, "head", &text, e);
	if (r > 0)
		s = store_note_get(b->store, "head.sig", &sig, e);
	if (r > 0 && s >= 0)
		r = seal_check(&b->seal, &text, &sig, &b->head, e);
	else if (s < 0)
		r = s;
	else if (r == 0)
		r = 1; /* there is none */
	b->has_head = r == 0;
	buf_done(&text);
	buf_done(&sig);
	return r < 0 ? r : 0;
}

/* The watches that the baseline was made by; the signed head names their hash. */
static int own_watches(struct baseline *b, struct buf *ret, struct err *e)
{
	uint8_t digest[HASH_SIZE];
	int r;

	if (!b->has_head)
		return err_set(e, -ENOENT, "there is no baseline yet; make one by tamisctl fim init --policy BUNDLE");
	r = store_note_get(b->store, "watches", ret, e);
	if (r < 0)
		return r;
	hash_sha256(ret->data, ret->len, digest);
	if (r == 0 || memcmp(digest, b->head.watches, HASH_SIZE) != 0)
		return err_set(
			e, -EKEYREJECTED,
			"the watches in the baseline are not those that were signed: somebody edited it; restore "
			"it from a copy, or begin anew: init --force");
	return 0;
}

static int open_watches(const struct baseline_options *o, struct baseline *b, struct err *e)
{
	struct buf own;
	int r = 0;

	buf_init(&own, WATCHES_BYTES_MAX);
	if (!o->watches)
		r = own_watches(b, &own, e);
	if (r == 0) {
		const void *p = o->watches ? o->watches : own.data;
		size_t n = o->watches ? o->watches_size : own.len;

		hash_sha256(p, n, b->watches_hash);
		r = watch_unpack(p, n, &b->list, e);
	}
	if (r == 0)
		r = watchset_new(&b->list, &b->watches, e);
	buf_done(&own);
	return r;
}

int baseline_open(const struct baseline_options *o, enum store_mode mode, struct baseline *ret, struct err *e)
{
	struct baseline b = { .root_fd = open(o->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	int r = b.root_fd < 0 ? err_sys(e, -errno, "cannot open", o->root)
			      : store_open(o->state_dir, mode, &b.store, e);

	if (r == 0)
		r = seal_open(o->state_dir, mode == STORE_CREATE || mode == STORE_ASIDE, &b.seal, e);
	if (r == 0) {
		r = baseline_read_head(&b, e);
		if (r < 0 && mode == STORE_ASIDE && r != -ENOMEM) {
			b.has_head = false; /* it will be replaced */
			r = 0;
		}
	}
	if (r == 0)
		r = open_watches(o, &b, e);
	*ret = b;
	if (r < 0)
		baseline_close(ret);
	return r;
}

void baseline_close(struct baseline *b)
{
	if (b->store)
		store_rollback(b->store);
	store_close(b->store);
	watchset_free(b->watches);
	watch_list_done(&b->list);
	seal_done(&b->seal);
	if (b->root_fd >= 0)
		close(b->root_fd);
	*b = (struct baseline){ .root_fd = -1 };
}

/* ---- the head ------------------------------------------------------------------------------------------------------ */

int baseline_sign(struct baseline *b, const struct seal_head *head, struct err *e)
{
	struct buf text, sig;
	int r;

	buf_init(&text, 65536);
	buf_init(&sig, 1024);
	r = seal_sign(&b->seal, head, &text, &sig, e);
	if (r == 0)
		r = store_note_put(b->store, "head", text.data, text.len, e);
	if (r == 0)
		r = store_note_put(b->store, "head.sig", sig.data, sig.len, e);
	buf_done(&text);
	buf_done(&sig);
	return r;
}

int baseline_verify(struct baseline *b, const struct baseline_notes *n, struct err *e)
{
	_cleanup_(store_iter_close) struct store_iter *it = NULL;
	uint64_t edited = 0;
	struct store_row row;
	struct merkle tree;
	merkle_hash leaf;
	int r = store_iter_open(b->store, STORE_FILES, NULL, 0, &it, e);

	merkle_init(&tree);
	while (r == 0 && (r = store_iter_next(it, &row, e)) > 0) {
		uint8_t seal[SEAL_SIZE];

		seal_leaf(row.path, row.path_len, row.value, row.len, leaf);
		seal_row(&b->seal, leaf, seal);
		merkle_add(&tree, leaf);
		if (memcmp(seal, row.seal, SEAL_SIZE) != 0 && edited++ < BASELINE_EDITED_MAX && n && n->edited)
			n->edited(n->ctx, (const char *)row.path, row.path_len);
		r = 0;
	}
	if (r < 0)
		return r;
	merkle_root(&tree, leaf);
	if (tree.size == b->head.files && memcmp(leaf, b->head.root, sizeof(leaf)) == 0)
		return 0;
	return err_set(
		e, -EKEYREJECTED,
		"the baseline was edited: it has %llu rows, %llu of them not made by us; %llu were signed. Restore "
		"it from a copy, or begin anew: init --force",
		(unsigned long long)tree.size, (unsigned long long)edited, (unsigned long long)b->head.files);
}

int baseline_read_change(const struct baseline *b, const struct store_row *row, struct change *ret, struct err *e)
{
	uint8_t seal[SEAL_SIZE];
	merkle_hash leaf;

	seal_leaf(row->path, row->path_len, row->value, row->len, leaf);
	seal_row(&b->seal, leaf, seal);
	if (memcmp(seal, row->seal, SEAL_SIZE) == 0 && change_read(row->value, row->len, ret) == 0)
		return 0;
	return err_set(e, -EBADMSG, "what the last check found was edited: run tamisctl fim check again");
}

#define CHANGES_AT_ONCE 256
#define CHANGES_BYTES	(4u << 20)

struct few {
	struct buf bytes;
	struct {
		size_t path, path_len, len;
		uint8_t seal[SEAL_SIZE];
	} v[CHANGES_AT_ONCE];
	size_t n;
	char after[WATCH_PATH_MAX + 1];
	size_t after_len;
};

/* The next few: 0, with few->n 0 at the end. */
static int read_few(struct baseline *b, struct few *f, struct err *e)
{
	_cleanup_(store_iter_close) struct store_iter *it = NULL;
	struct store_row row;
	int r = store_iter_open(b->store, STORE_CHANGES, f->after_len ? f->after : NULL, f->after_len, &it, e);

	f->n = 0;
	buf_reset(&f->bytes);
	while (r == 0 && f->n < CHANGES_AT_ONCE && f->bytes.len < CHANGES_BYTES &&
	       (r = store_iter_next(it, &row, e)) > 0) {
		if (row.path_len > WATCH_PATH_MAX)
			return err_set(e, -EBADMSG,
				       "what the last check found was edited: run tamisctl fim check again");
		f->v[f->n].path = f->bytes.len;
		f->v[f->n].path_len = row.path_len;
		f->v[f->n].len = row.len;
		memcpy(f->v[f->n++].seal, row.seal, SEAL_SIZE);
		memcpy(f->after, row.path, row.path_len);
		f->after_len = row.path_len;
		r = buf_put(&f->bytes, row.path, row.path_len) < 0 || buf_put(&f->bytes, row.value, row.len) < 0
			    ? err_set(e, -ENOMEM, "out of memory")
			    : 0;
	}
	return r;
}

static int hand_out_few(struct baseline *b, const struct few *f, change_fn fn, void *ctx, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < f->n && r == 0; i++) {
		const uint8_t *p = f->bytes.data + f->v[i].path;
		const struct store_row row = { .path = p,
					       .path_len = f->v[i].path_len,
					       .value = p + f->v[i].path_len,
					       .len = f->v[i].len,
					       .seal = f->v[i].seal };
		struct change c;

		r = baseline_read_change(b, &row, &c, e);
		if (r == 0)
			r = fn(ctx, &row, &c, e);
	}
	return r;
}

int baseline_each_change(struct baseline *b, change_fn fn, void *ctx, struct err *e)
{
	_cleanup_free_ struct few *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_set(e, -ENOMEM, "out of memory");
	buf_init(&f->bytes, CHANGES_BYTES + 2 * STORE_ROW_MAX);
	do {
		r = read_few(b, f, e);
		if (r == 0)
			r = hand_out_few(b, f, fn, ctx, e);
	} while (r == 0 && f->n);
	buf_done(&f->bytes);
	return r;
}

/* ---- how far a scan came -------------------------------------------------------------------------------------------- */

static void seal_note(struct baseline *b, const char *name, const struct buf *note, uint8_t ret[SEAL_SIZE])
{
	merkle_hash leaf;

	seal_leaf(name, strlen(name), note->data, note->len, leaf);
	seal_row(&b->seal, leaf, ret);
}

static int note_put(struct baseline *b, const char *name, const struct progress_note *p, struct err *e)
{
	uint8_t seal[SEAL_SIZE];
	struct buf out;
	int r;

	buf_init(&out, 65536);
	buf_put(&out, p->policy, HASH_SIZE);
	buf_put(&out, p->root, HASH_SIZE);
	buf_put_u64(&out, p->time);
	for (size_t i = 0; i < sizeof(p->counts) / sizeof(p->counts[0]); i++)
		buf_put_u64(&out, p->counts[i]);
	buf_put(&out, p->path, p->path_len);
	r = buf_error(&out);
	if (r == 0) {
		seal_note(b, name, &out, seal);
		r = buf_put(&out, seal, SEAL_SIZE);
	}
	r = r < 0 ? err_set(e, r, "out of memory") : store_note_put(b->store, name, out.data, out.len, e);
	buf_done(&out);
	return r;
}

int progress_commit(struct baseline *b, const char *name, struct progress_note *p, struct err *e)
{
	int r;

	p->time = (uint64_t)time(NULL);
	r = note_put(b, name, p, e);
	if (r == 0)
		r = store_commit(b->store, e);
	return r == 0 ? store_begin(b->store, e) : r;
}

static bool read_note(struct baseline *b, const char *name, struct buf *in, struct progress_note *ret)
{
	struct rd r;
	uint8_t seal[SEAL_SIZE];
	const uint8_t *p;

	if (in->len < SEAL_SIZE)
		return false;
	in->len -= SEAL_SIZE;
	seal_note(b, name, in, seal);
	if (memcmp(seal, in->data + in->len, SEAL_SIZE) != 0)
		return false;
	r = rd_of(in->data, in->len);
	if (rd_bytes(&r, HASH_SIZE, &p) < 0)
		return false;
	memcpy(ret->policy, p, HASH_SIZE);
	if (rd_bytes(&r, HASH_SIZE, &p) < 0 || rd_u64(&r, &ret->time) < 0)
		return false;
	memcpy(ret->root, p, HASH_SIZE);
	for (size_t i = 0; i < sizeof(ret->counts) / sizeof(ret->counts[0]); i++)
		if (rd_u64(&r, &ret->counts[i]) < 0)
			return false;
	if (r.left > WATCH_PATH_MAX)
		return false;
	memcpy(ret->path, r.p, r.left);
	ret->path_len = r.left;
	return true;
}

int progress_note_get(struct baseline *b, const char *name, const uint8_t root[HASH_SIZE], struct progress_note *ret,
		      struct err *e)
{
	struct buf in;
	int64_t age;
	int r;

	buf_init(&in, 65536);
	*ret = (struct progress_note){ 0 };
	r = store_note_get(b->store, name, &in, e);
	if (r > 0)
		r = read_note(b, name, &in, ret);
	buf_done(&in);
	if (r <= 0)
		return r;
	age = (int64_t)time(NULL) - (int64_t)ret->time;
	return age >= -FUTURE_S && age < BASELINE_RESUME_S && ret->path_len &&
	       memcmp(ret->policy, b->watches_hash, HASH_SIZE) == 0 && memcmp(ret->root, root, HASH_SIZE) == 0;
}

bool commit_due(struct commit_clock *c)
{
	struct timespec t;
	uint64_t now;

	if (++c->rows % 1024)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &t);
	now = (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
	if (!c->last_ns)
		c->last_ns = now;
	if (c->rows < COMMIT_ROWS && now - c->last_ns < COMMIT_NS)
		return false;
	c->rows = 0;
	c->last_ns = now;
	return true;
}
