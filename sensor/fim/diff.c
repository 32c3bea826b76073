/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/diff.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "lib/fs.h"
#include "sensor/fim/text.h"
#include "sensor/fim/udiff.h"

int diff_old_fact(struct baseline *b, const void *path, size_t len, struct buf *bytes, struct fact *ret, struct err *e)
{
	uint8_t seal[SEAL_SIZE], want[SEAL_SIZE];
	merkle_hash leaf;
	int r = store_get(b->store, STORE_FILES, path, len, bytes, seal, e);

	if (r <= 0)
		return r;
	seal_leaf(path, len, bytes->data, bytes->len, leaf);
	seal_row(&b->seal, leaf, want);
	return memcmp(seal, want, SEAL_SIZE) == 0 && fact_read(bytes->data, bytes->len, ret) == 0;
}

static bool is_content_of(const struct fact *f, const void *p, size_t n)
{
	uint8_t digest[HASH_SIZE];

	hash_sha256(p, n, digest);
	return f->hashed && memcmp(digest, f->sha256, HASH_SIZE) == 0;
}

/* 1: it is there and is the fact's. */
static int text_before(struct baseline *b, const void *path, size_t len, const struct fact *old, struct buf *ret,
		       struct err *e)
{
	struct buf packed;
	int r;

	buf_init(&packed, STORE_ROW_MAX);
	r = store_get(b->store, STORE_CONTENTS, path, len, &packed, NULL, e);
	if (r > 0) {
		r = text_unpack(packed.data, packed.len, WATCH_DIFF_MAX, ret);
		r = r == 0 && is_content_of(old, ret->data ? ret->data : (const uint8_t *)"", ret->len);
	}
	buf_done(&packed);
	return r;
}

/* 1: it could be read, and is the fact's. */
static int text_now(struct baseline *b, const char *path, size_t len, const struct fact *now, struct buf *ret)
{
	_cleanup_close_ int dir = -1, fd = -1;
	const char *name;
	ssize_t n;

	if (collect_open_dir(b->root_fd, path, len, &dir, &name) < 0)
		return 0;
	fd = collect_open(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOATIME);
	if (fd < 0 || now->size > WATCH_DIFF_MAX || buf_grow(ret, (size_t)now->size + 1) < 0)
		return 0;
	n = fs_read(fd, ret->data + ret->len, (size_t)now->size + 1);
	if (n < 0 || (uint64_t)n > now->size)
		return 0;
	ret->len += (size_t)n;
	return is_content_of(now, ret->data, ret->len);
}

static int compare(struct baseline *b, const char *path, size_t len, const struct fact *old, const struct fact *now,
		   struct buf *before, struct buf *after, const char **ret_why, struct err *e)
{
	int r = text_before(b, path, len, old, before, e);

	if (r < 0)
		return r;
	if (r == 0) {
		*ret_why = "its content was not kept";
		return 1;
	}
	if (text_now(b, path, len, now, after) <= 0) {
		*ret_why = "it has changed since the check, is too large or cannot be read";
		return 1;
	}
	if (!text_is_plain(after->data, after->len)) {
		*ret_why = "it is no longer text, or has a private key in it";
		return 1;
	}
	return 0;
}

int diff_change(struct baseline *b, const void *path, size_t len, const struct change *c, const struct fact *old,
		struct buf *out, const char **ret_why, struct err *e)
{
	_cleanup_free_ char *text = strndup(path, len);
	struct buf before, after;
	struct fact now;
	int r;

	*ret_why = "its content did not change";
	if (!text)
		return err_set(e, -ENOMEM, "out of memory");
	if (c->kind != CHANGE_CHANGED || !(c->mask & (WATCH_CONTENT | WATCH_SIZE)) || !old ||
	    fact_read(c->fact, c->fact_len, &now) < 0 || !now.hashed || !old->hashed)
		return 1;
	buf_init(&before, WATCH_DIFF_MAX + 1);
	buf_init(&after, WATCH_DIFF_MAX + 2);
	r = compare(b, text, len, old, &now, &before, &after, ret_why, e);
	if (r == 0 && udiff(before.data, before.len, after.data, after.len, out) < 0)
		r = err_set(e, -ENOMEM, "out of memory");
	buf_done(&before);
	buf_done(&after);
	return r;
}
