/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/live_impl.h"

#include <dirent.h>
#include <fcntl.h>

#include "sensor/fim/diff.h"

#define CHANGING_NS 10000000000u /* a file that is written to all the time is told of as such after this */
#define AGAIN_NS    50000000u
#define READING_NS  20000000u
#define DEPTH_MAX   64

#define PACKAGE_NS	 20000000000u /* the package manager has so long to write down what it did */
#define PACKAGE_AGAIN_NS 500000000u

struct look {
	struct live *l;
	struct live_entry *n;
	const struct watchset_item *w;
	struct fact old;
	bool has_old, gone, once_more;
	struct collect_found now;
	struct change change;
	uint64_t now_ns, time_ns;
};

/* ---- what there is ------------------------------------------------------------------------------------------------- */

static bool is_gone(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP;
}

static int look_now(struct look *k)
{
	const struct watch *w = k->w->watch;
	const struct collect_want want = { .attrs = w->attrs,
					   .old = k->has_old ? &k->old : NULL,
					   .growing = w->growing };
	_cleanup_close_ int dir = -1;
	const char *name;
	int r = collect_open_dir(k->l->base.root_fd, k->n->path, k->n->len, &dir, &name);

	if (r == 0)
		r = live_read(k->l, k->n, dir, name, &want, k->now_ns, &k->now);
	k->gone = is_gone(r);
	k->once_more = r == 1;
	return k->gone || r == 1 ? 0 : r;
}

static int look_old(struct look *k)
{
	struct err e;
	int r = diff_old_fact(&k->l->base, k->n->path, k->n->len, &k->l->old, &k->old, &e);

	k->has_old = r > 0;
	return r < 0 ? r : 0;
}

/* The kind of change, 0 for none. */
static uint8_t compare(struct look *k)
{
	const struct watch *w = k->w->watch;

	if (k->gone)
		return k->has_old ? CHANGE_REMOVED : 0;
	if (!k->has_old)
		return CHANGE_ADDED;
	k->change.mask = fact_compare(&k->old, &k->now.fact, w->attrs, w->growing, k->now.prefix_same);
	return k->change.mask ? CHANGE_CHANGED : 0;
}

/* Whether an alert has said just that. */
static bool is_told(const struct look *k)
{
	const struct watch *w = k->w->watch;
	struct fact seen;

	if (k->n->told != k->change.kind)
		return false;
	if (k->gone)
		return true;
	return fact_read(k->n->seen, k->n->seen_len, &seen) == 0 &&
	       !fact_compare(&seen, &k->now.fact, w->attrs, w->growing, true);
}

/* ---- the alert ------------------------------------------------------------------------------------------------------ */

static size_t list_by(const struct live_entry *n, struct finding_by *by)
{
	for (uint32_t i = 0; i < n->nby; i++)
		by[i] = (struct finding_by){ .process = n->by[i].who ? n->by[i].who->text : NULL,
					     .process_len = n->by[i].who ? n->by[i].who->len : 0,
					     .pid = n->by[i].pid,
					     .count = n->by[i].count,
					     .event = n->by[i].event,
					     .time_ns = n->by[i].time_ns };
	return n->nby;
}

/* The alert into l->text. */
static int render(struct look *k, const char *accepted, size_t *ret_head)
{
	struct live *l = k->l;
	struct finding_by by[LIVE_BY_MAX];
	struct finding f = { .path = k->n->path,
			     .path_len = k->n->len,
			     .host = l->host,
			     .watch = k->w->watch,
			     .change = &k->change,
			     .old = k->has_old ? &k->old : NULL,
			     .by = by,
			     .nby = list_by(k->n, by),
			     .more = k->n->more,
			     .accepted = accepted,
			     .unwatched = !k->n->nby,
			     .time_ns = k->time_ns };
	const char *why;
	struct err e;

	buf_reset(&l->diff);
	if (k->w->watch->diff_max &&
	    diff_change(&l->base, k->n->path, k->n->len, &k->change, f.old, &l->diff, &why, &e) == 0)
		f.diff = &l->diff;
	return finding_put(&f, &l->text, ret_head);
}

static int tell(struct look *k, live_fn fn, void *ctx)
{
	struct live *l = k->l;
	size_t head;
	int r = render(k, NULL, &head);

	if (r == 0)
		r = live_told(l, k->n, k->change.kind, l->fact.data, l->fact.len);
	if (r < 0)
		return r;
	l->stats.findings++;
	fn(ctx, (const char *)l->text.data, head, (const char *)l->text.data + head, l->text.len - head);
	return 0;
}

/* ---- packages --------------------------------------------------------------------------------------------------------- */

/* Of a directory what comes by itself when something in it does. */
static bool is_dir_only(const struct look *k)
{
	return k->change.kind == CHANGE_CHANGED && k->now.fact.type == FACT_DIR &&
	       !(k->change.mask & ~(uint32_t)(WATCH_TIMES | WATCH_SIZE | WATCH_LINKS));
}

static bool is_explained(const struct look *k)
{
	if (k->change.package == PACKAGE_MATCHES || is_dir_only(k))
		return true;
	if (k->gone)
		return k->change.package == PACKAGE_NONE;
	if (k->now.fact.type != FACT_DIR && k->now.fact.type != FACT_LINK)
		return false;
	return pkg_dpkg_lists(k->l->base.root_fd, k->n->path, k->n->len) > 0;
}

/* A file that nobody but a package manager has touched. 1: it is seen to. */
static int see_packages(struct look *k)
{
	size_t head;
	int r;

	if (!live_by_packages(k->n))
		return 0;
	if (!is_explained(k)) {
		if (k->now_ns - k->n->touched_ns > PACKAGE_NS)
			return 0;
		r = live_again(k->l, k->n, k->now_ns + PACKAGE_AGAIN_NS);
		return r < 0 ? r : 1;
	}
	k->change.severity = change_severity(k->change.severity, PACKAGE_MATCHES);
	r = render(k, "a package manager put it there, and its database says so", &head);
	if (r == 0)
		r = live_accept_later(k->l, k->n, &k->change, k->l->text.data, head, k->l->text.len, k->now_ns);
	return r < 0 ? r : 1;
}

static void ask_packages(struct look *k)
{
	const char *owner = "";

	k->change.package =
		(uint8_t)pkg_judge(live_packages(k->l), k->n->path, k->n->len, k->gone ? NULL : &k->now.fact,
				   k->change.kind == CHANGE_CHANGED ? k->change.mask : 0, &owner);
	k->change.severity = change_severity(k->change.severity, k->change.package);
	k->change.owner = owner;
	k->change.owner_len = (uint32_t)strlen(owner);
}

/* ---- the verdict ------------------------------------------------------------------------------------------------------ */

static int judge(struct look *k, live_fn fn, void *ctx)
{
	struct live *l = k->l;
	int r;

	k->change = (struct change){ .severity = (uint8_t)k->w->watch->severity,
				     .watch = k->w->watch->id,
				     .watch_len = (uint32_t)strlen(k->w->watch->id),
				     .owner = "" };
	k->change.kind = compare(k);
	if (!k->change.kind) {
		l->stats.unchanged++;
		live_known_drop(l, k->n);
		return live_told(l, k->n, 0, NULL, 0);
	}
	if (is_told(k))
		return 0;
	buf_reset(&l->fact);
	if (!k->gone && fact_put(&k->now.fact, &l->fact) < 0)
		return -ENOMEM;
	if (live_known(l, k->n, k->change.kind, k->gone ? NULL : &k->now.fact, k->w->watch->attrs)) {
		l->stats.known++;
		live_known_drop(l, k->n);
		return live_told(l, k->n, k->change.kind, l->fact.data, l->fact.len);
	}
	live_known_drop(l, k->n);
	k->change.fact = l->fact.data;
	k->change.fact_len = (uint32_t)l->fact.len;
	ask_packages(k);
	r = see_packages(k);
	return r ? (r < 0 ? r : 0) : tell(k, fn, ctx);
}

/* ---- what is below -------------------------------------------------------------------------------------------------- */

/* Rows of what was there. */
static int touch_rows(struct live *l, const struct live_entry *n, uint64_t now_ns)
{
	_cleanup_(store_iter_close) struct store_iter *it = NULL;
	struct store_row row;
	struct err e;
	char from[WATCH_PATH_MAX + 2];
	size_t len = n->len == 1 ? 0 : n->len;
	int r;

	if (len > WATCH_PATH_MAX)
		return 0;
	memcpy(from, n->path, len);
	from[len++] = '/';
	r = store_iter_open(l->base.store, STORE_FILES, from, len, &it, &e);
	while (r == 0 && (r = store_iter_next(it, &row, &e)) > 0) {
		if (row.path_len < len || memcmp(row.path, from, len) != 0)
			return 0;
		r = live_touch_as(l, (const char *)row.path, row.path_len, n, now_ns);
	}
	return r;
}

static int touch_dir(struct live *l, const struct live_entry *n, int dir_fd, const char *name, char *path, size_t len,
		     int depth, uint64_t now_ns)
{
	_cleanup_closedir_ DIR *d = NULL;
	int fd = collect_open(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NONBLOCK), r = 0;
	struct dirent *de;

	if (fd < 0)
		return 0; /* no directory, or gone */
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while (r == 0 && (de = readdir(d))) {
		size_t more = strlen(de->d_name);

		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 || len + more + 1 > WATCH_PATH_MAX)
			continue;
		path[len] = '/';
		memcpy(path + len + 1, de->d_name, more);
		r = live_touch_as(l, path, len + 1 + more, n, now_ns);
		if (r == 0 && de->d_type == DT_DIR && depth < DEPTH_MAX)
			r = touch_dir(l, n, fd, de->d_name, path, len + 1 + more, depth + 1, now_ns);
	}
	return r;
}

/* Files that are there now. */
static int touch_files(struct live *l, const struct live_entry *n, uint64_t now_ns)
{
	_cleanup_close_ int dir = -1;
	char path[WATCH_PATH_MAX + 1];
	const char *name;
	int r = n->len > WATCH_PATH_MAX ? -ENOENT : collect_open_dir(l->base.root_fd, n->path, n->len, &dir, &name);

	if (r < 0)
		return is_gone(r) ? 0 : r;
	memcpy(path, n->path, n->len);
	return touch_dir(l, n, dir, name, path, n->len == 1 ? 0 : n->len, 0, now_ns);
}

static int spread(struct live *l, struct live_entry *n, uint64_t now_ns)
{
	int r = touch_rows(l, n, now_ns);

	if (r == 0)
		r = touch_files(l, n, now_ns);
	n->tree = r == -ENOSPC;
	return r == -ENOSPC ? live_again(l, n, now_ns + AGAIN_NS) : r;
}

/* ---- the whole ------------------------------------------------------------------------------------------------------ */

int live_look(struct live *l, struct live_entry *n, uint64_t now_ns, uint64_t time_ns, live_fn fn, void *ctx)
{
	struct look k = { .l = l,
			  .n = n,
			  .w = watchset_find(l->base.watches, n->path, n->len == 1 ? 0 : n->len),
			  .now_ns = now_ns,
			  .time_ns = time_ns };
	int r = n->tree ? spread(l, n, now_ns) : 0;

	if (r < 0 || !k.w)
		return r;
	r = look_old(&k);
	if (r == 0)
		r = look_now(&k);
	if (r == -EINPROGRESS)
		return live_again(l, n, now_ns + READING_NS);
	if (r < 0)
		return r;
	if (!k.gone && k.now.fact.unread == FACT_CHANGING && now_ns - n->first_ns < CHANGING_NS)
		return live_again(l, n, now_ns + AGAIN_NS);
	r = judge(&k, fn, ctx);
	return r == 0 && k.once_more && !n->at ? live_again(l, n, now_ns + AGAIN_NS) : r;
}
