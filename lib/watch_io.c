/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/watch_io.h"

#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/glob.h"
#include "lib/severity.h"

#define VERSION 2 /* 1, which baselines of before have, lacks debounce_ms */

enum flags { FLAG_RECURSIVE = 1, FLAG_GROWING = 2, FLAG_ONE_FILESYSTEM = 4, FLAGS = 7 };

DEFINE_CLEANUP(struct watch_list *, watch_list_done);

/* ---- writing ------------------------------------------------------------------------------------------------------- */

static void put_text(struct buf *b, const char *s)
{
	size_t len = strlen(s);

	buf_put_u32(b, (uint32_t)len);
	buf_put(b, s, len + 1);
}

static void put_texts(struct buf *b, const char *const *v, uint32_t n)
{
	buf_put_u32(b, n);
	for (uint32_t i = 0; i < n; i++)
		put_text(b, v[i]);
}

static void put_watch(struct buf *b, const struct watch *w)
{
	put_text(b, w->id);
	put_text(b, w->description);
	put_text(b, w->policy);
	put_text(b, w->version);
	buf_put_u32(b, w->attrs);
	buf_put_u32(b, w->diff_max);
	buf_put_u32(b, w->debounce_ms);
	buf_put_u16(b, w->severity);
	buf_putc(b, (uint8_t)((w->recursive ? FLAG_RECURSIVE : 0) | (w->growing ? FLAG_GROWING : 0) |
			      (w->one_filesystem ? FLAG_ONE_FILESYSTEM : 0)));
	buf_putc(b, 0);
	put_texts(b, w->paths, w->npaths);
	put_texts(b, w->exclude, w->nexclude);
	put_texts(b, w->never_store, w->nnever_store);
	buf_put_u32(b, w->ntags);
	for (uint32_t i = 0; i < w->ntags; i++) {
		put_text(b, w->tags[i].name);
		put_text(b, w->tags[i].value);
	}
}

int watch_pack(const struct watch_list *list, struct buf *out)
{
	buf_put_u32(out, VERSION);
	buf_put_u32(out, (uint32_t)list->n);
	for (size_t i = 0; i < list->n; i++)
		put_watch(out, &list->v[i]);
	return buf_error(out);
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */

/* Each text of the section takes 5 bytes of it at least, so that one array has room for pointers to all of them. */
struct reader {
	struct rd rd;
	struct err *e;
	const char **slot;
	uint32_t version;
};

static int bad(struct reader *r, const char *what)
{
	return err_set(r->e, -EBADMSG, "the watches of this bundle are damaged: %s", what);
}

static int get_text(struct reader *r, const char **ret)
{
	const uint8_t *p;
	uint32_t len;

	if (rd_u32(&r->rd, &len) < 0 || len == UINT32_MAX || rd_bytes(&r->rd, (size_t)len + 1, &p) < 0)
		return bad(r, "they end too early");
	if (memchr(p, '\0', (size_t)len + 1) != p + len)
		return bad(r, "a text with a byte 0");
	*ret = (const char *)p;
	return 0;
}

static int check_glob(struct reader *r, const char *path)
{
	const char *problem = watch_path_problem(path, strlen(path));
	_cleanup_(glob_free) struct glob *g = NULL;
	struct err why;
	int err;

	if (problem)
		return bad(r, problem);
	err = glob_new(path, strlen(path), false, &g, &why);
	return err == -EINVAL ? bad(r, why.msg) : err;
}

static int get_globs(struct reader *r, const char ***ret, uint32_t *ret_n)
{
	uint32_t n;

	if (rd_u32(&r->rd, &n) < 0)
		return bad(r, "they end too early");
	if (n > WATCH_GLOBS_MAX)
		return bad(r, "too many paths");
	*ret = r->slot;
	*ret_n = n;
	for (uint32_t i = 0; i < n; i++) {
		const char *path;
		int err = get_text(r, &path);

		if (err == 0)
			err = check_glob(r, path);
		if (err < 0)
			return err;
		*r->slot++ = path;
	}
	return 0;
}

static int get_tags(struct reader *r, struct watch *w)
{
	if (rd_u32(&r->rd, &w->ntags) < 0)
		return bad(r, "they end too early");
	if (w->ntags > WATCH_TAGS_MAX)
		return bad(r, "too many tags");
	_Static_assert(sizeof(struct watch_tag) == 2 * sizeof(char *), "a tag is two slots");
	w->tags = (const struct watch_tag *)(void *)r->slot;
	for (uint32_t i = 0; i < 2 * w->ntags; i++) {
		int err = get_text(r, r->slot);

		if (err < 0)
			return err;
		r->slot++;
	}
	return 0;
}

static int get_numbers(struct reader *r, struct watch *w)
{
	uint8_t flags, zero;

	w->debounce_ms = WATCH_DEBOUNCE_MS;
	if (rd_u32(&r->rd, &w->attrs) < 0 || rd_u32(&r->rd, &w->diff_max) < 0 ||
	    (r->version > 1 && rd_u32(&r->rd, &w->debounce_ms) < 0) || rd_u16(&r->rd, &w->severity) < 0 ||
	    rd_u8(&r->rd, &flags) < 0 || rd_u8(&r->rd, &zero) < 0)
		return bad(r, "they end too early");
	if (!w->attrs || w->attrs & ~(uint32_t)WATCH_ALL || flags & ~FLAGS || zero)
		return bad(r, "attributes that there are not");
	if (!w->severity || w->severity > SEVERITY_CRITICAL || w->diff_max > WATCH_DIFF_MAX ||
	    w->debounce_ms > WATCH_DEBOUNCE_MAX)
		return bad(r, "a number that is too large");
	w->recursive = flags & FLAG_RECURSIVE;
	w->growing = flags & FLAG_GROWING;
	w->one_filesystem = flags & FLAG_ONE_FILESYSTEM;
	return 0;
}

static int get_watch(struct reader *r, struct watch *w)
{
	int err = get_text(r, &w->id);

	if (err == 0)
		err = get_text(r, &w->description);
	if (err == 0)
		err = get_text(r, &w->policy);
	if (err == 0)
		err = get_text(r, &w->version);
	if (err == 0)
		err = get_numbers(r, w);
	if (err == 0)
		err = get_globs(r, &w->paths, &w->npaths);
	if (err == 0)
		err = get_globs(r, &w->exclude, &w->nexclude);
	if (err == 0)
		err = get_globs(r, &w->never_store, &w->nnever_store);
	if (err == 0)
		err = get_tags(r, w);
	if (err == 0 && (!*w->id || !w->npaths))
		err = bad(r, "a watch without a name or a path");
	return err;
}

static int get_list(struct reader *r, struct watch_list *ret)
{
	uint32_t n;

	if (rd_u32(&r->rd, &r->version) < 0 || rd_u32(&r->rd, &n) < 0)
		return bad(r, "they end too early");
	if (r->version < 1 || r->version > VERSION)
		return err_set(
			r->e, -EBADMSG,
			"this bundle's watches have version %u, this program knows %d: build the policy with its "
			"tamisc",
			r->version, VERSION);
	if (n > WATCHES_MAX)
		return bad(r, "too many of them");
	ret->v = calloc(n ? n : 1, sizeof(ret->v[0]));
	if (!ret->v)
		return err_set(r->e, -ENOMEM, "out of memory");
	for (ret->n = 0; ret->n < n; ret->n++) {
		int err = get_watch(r, &ret->v[ret->n]);

		if (err < 0)
			return err;
	}
	return rd_end(&r->rd) < 0 ? bad(r, "bytes behind their end") : 0;
}

int watch_unpack(const void *bytes, size_t size, struct watch_list *ret, struct err *e)
{
	struct watch_list list = { 0 };
	_cleanup_(watch_list_done) struct watch_list *owner = &list;
	struct reader r = { .e = e };
	int err;

	list.owned[0] = malloc(size + 1);
	list.owned[1] = calloc(size / 5 + 1, sizeof(char *));
	if (!list.owned[0] || !list.owned[1])
		return err_set(e, -ENOMEM, "out of memory");
	if (size)
		memcpy(list.owned[0], bytes, size);
	r.rd = rd_of(list.owned[0], size);
	r.slot = list.owned[1];
	err = get_list(&r, &list);
	if (err < 0)
		return err;
	*ret = list;
	owner = NULL;
	return 0;
}

void watch_list_done(struct watch_list *list)
{
	if (list->owned[0] || list->owned[1])
		free(list->v);
	free(list->owned[0]);
	free(list->owned[1]);
	*list = (struct watch_list){ 0 };
}
