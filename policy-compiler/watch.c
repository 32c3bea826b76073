/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/watch.h"

#include <errno.h>

#include "lib/glob.h"
#include "lib/near.h"
#include "lib/severity.h"
#include "policy-compiler/policy.h"
#include "policy-compiler/policy_keys.h"

struct reader {
	struct arena *arena;
	struct diags *diags;
	const struct ynode *map;
	struct policy_watch *out;
};

static bool flag_of(const struct ynode *map, const char *key, bool otherwise)
{
	const struct ynode *n = ynode_get(map, key);

	if (n)
		ynode_bool(n, &otherwise);
	return otherwise;
}

static const char *text_of(const struct ynode *map, const char *key)
{
	const struct ynode *n = ynode_get(map, key);

	return n ? n->text.s : "";
}

/* ---- globs --------------------------------------------------------------------------------------------------------- */

static int check_glob(struct reader *r, const struct ynode *n)
{
	const char *problem = watch_path_problem(n->text.s, n->text.len);
	_cleanup_(glob_free) struct glob *g = NULL;
	struct err why;
	int err;

	if (problem) {
		diag_error(r->diags, n->at, "\"%s\" is no path to watch", n->text.s);
		diag_help(r->diags, "%s", problem);
		return -EINVAL;
	}
	err = glob_new(n->text.s, n->text.len, false, &g, &why);
	if (err == -EINVAL) {
		diag_error(r->diags, n->at, "%s", why.msg);
		diag_help(r->diags, "\"/a/**\" is all below /a, \"/a/**/*.conf\" such names at any depth below it");
	}
	return err;
}

static int read_globs(struct reader *r, const char *key, const char ***ret, uint32_t *ret_n)
{
	const struct ynode *list = ynode_get(r->map, key);
	int result = 0;

	*ret_n = 0;
	if (!list)
		return 0;
	if (list->n > WATCH_GLOBS_MAX) {
		diag_error(r->diags, list->at, "more than %d paths under \"%s\"", WATCH_GLOBS_MAX, key);
		diag_help(r->diags, "use globs, or several watches");
		return -EINVAL;
	}
	*ret = arena_array(r->arena, list->n + 1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		int err = check_glob(r, list->items[i]);

		if (err == -ENOMEM)
			return err;
		if (err < 0)
			result = err;
		else
			(*ret)[(*ret_n)++] = list->items[i]->text.s;
	}
	return result;
}

/* ---- attributes ---------------------------------------------------------------------------------------------------- */

static int read_attr(struct reader *r, const struct ynode *n, uint32_t *attrs)
{
	bool minus = n->text.s[0] == '-';
	const char *name = n->text.s + minus;
	struct near near = near_to(name, n->text.len - minus);

	for (const struct watch_attr_name *a = watch_attr_names; a->name; a++) {
		near_try(&near, a->name);
		if (strcmp(name, a->name) != 0)
			continue;
		*attrs = minus ? *attrs & ~a->attrs : *attrs | a->attrs;
		return 0;
	}
	diag_error(r->diags, n->at, "\"%s\" is no attribute of a file", name);
	if (near.best)
		diag_help(r->diags, "did you mean \"%s\"?", near.best);
	else
		diag_help(r->diags, "docs/fim.md lists them: permissions, owner, content, ...; or all, standard, log");
	return -EINVAL;
}

/* In their order: "[all, -ctime]" is all but one, "[-ctime]" what is usual but one. */
static int read_attrs(struct reader *r, struct watch *w)
{
	const struct ynode *list = ynode_get(r->map, "attributes");
	int result = 0;

	if (!list) {
		w->attrs = w->growing ? WATCH_LOG | WATCH_SIZE | WATCH_CONTENT : WATCH_STANDARD;
		return 0;
	}
	if (list->n && list->items[0]->text.s[0] == '-')
		w->attrs = WATCH_STANDARD;
	for (size_t i = 0; i < list->n; i++)
		if (read_attr(r, list->items[i], &w->attrs) < 0)
			result = -EINVAL;
	if (result == 0 && !w->attrs) {
		result = diag_error(r->diags, list->at, "a watch that compares nothing");
		diag_help(r->diags, "name an attribute, or leave \"attributes\" out");
	}
	return result;
}

/* A log that may grow: its times change with each line, and growing is about its content. */
static int read_growing(struct reader *r, struct watch *w)
{
	const struct ynode *growing = ynode_get(r->map, "growing");

	if (!w->growing)
		return 0;
	w->attrs &= ~(uint32_t)WATCH_TIMES;
	if (w->attrs & (WATCH_SIZE | WATCH_CONTENT))
		return 0;
	diag_error(r->diags, growing->at, "a growing file of which neither size nor content is compared");
	diag_help(r->diags,
		  "add \"content\" to its attributes (what was there stays), or \"size\" (it gets no shorter)");
	return -EINVAL;
}

static int read_diff(struct reader *r, struct watch *w)
{
	const struct ynode *max = ynode_get(r->map, "diff_max_size");
	int64_t n = WATCH_DIFF_DEFAULT;

	if (max)
		ynode_int(max, &n);
	if (n < 1 || n > WATCH_DIFF_MAX) {
		diag_error(r->diags, max->at, "\"diff_max_size\" is %s", max->text.s);
		diag_help(r->diags, "it is a number of bytes from 1 to %u", WATCH_DIFF_MAX);
		return -EINVAL;
	}
	w->diff_max = flag_of(r->map, "diff", false) ? (uint32_t)n : 0;
	if (w->diff_max && !(w->attrs & WATCH_CONTENT)) {
		diag_error(r->diags, ynode_get(r->map, "diff")->at, "a diff of content that is not compared");
		diag_help(r->diags, "add \"content\" to its attributes");
		return -EINVAL;
	}
	if (max && !w->diff_max) {
		diag_warn(r->diags, max->at, "\"diff_max_size\" is without effect: no content is kept");
		diag_help(r->diags, "add \"diff: true\"");
	}
	return 0;
}

static int read_debounce(struct reader *r, struct watch *w)
{
	const struct ynode *n = ynode_get(r->map, "debounce");
	int64_t ns = (int64_t)WATCH_DEBOUNCE_MS * 1000000;

	if (n)
		keys_duration(n, &ns);
	if (ns < 0 || ns > (int64_t)WATCH_DEBOUNCE_MAX * 1000000) {
		diag_error(r->diags, n->at, "\"debounce\" is %s", n->text.s);
		diag_help(r->diags, "it is a time from 0s to %us", WATCH_DEBOUNCE_MAX / 1000);
		return -EINVAL;
	}
	w->debounce_ms = (uint32_t)(ns / 1000000);
	return 0;
}

/* ---- the watch ----------------------------------------------------------------------------------------------------- */

static int read_tags(struct reader *r, struct watch *w)
{
	const struct ynode *map = ynode_get(r->map, "tags");
	struct watch_tag *tags;

	if (!map)
		return 0;
	if (map->n > WATCH_TAGS_MAX)
		return diag_error(r->diags, map->at, "more than %d tags", WATCH_TAGS_MAX);
	tags = arena_array(r->arena, map->n + 1, sizeof(tags[0]));
	if (!tags)
		return -ENOMEM;
	for (size_t i = 0; i < map->n; i++) {
		const struct ynode *v = map->items[i];

		if (v->kind != YNODE_SCALAR || strlen(v->text.s) != v->text.len ||
		    strlen(map->keys[i]->text.s) != map->keys[i]->text.len) {
			diag_error(r->diags, v->at, "the tag \"%s\" is %s", map->keys[i]->text.s,
				   v->kind == YNODE_SCALAR ? "text with a byte 0" : ynode_kind_name(v));
			diag_help(r->diags, "a tag is text; join several values by commas");
			return -EINVAL;
		}
		tags[w->ntags++] = (struct watch_tag){ map->keys[i]->text.s, v->text.s };
	}
	w->tags = tags;
	return 0;
}

static int read_id(struct reader *r)
{
	const struct ynode *id = ynode_get(r->map, "id");

	if (!id) {
		diag_error(r->diags, r->map->at, "a watch without an id");
		diag_help(r->diags, "add \"id: name\"");
		return -EINVAL;
	}
	if (!id->text.len || strlen(id->text.s) != id->text.len ||
	    strspn(id->text.s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != id->text.len) {
		diag_error(r->diags, id->at, "\"%s\" is no id", id->text.s);
		diag_help(r->diags, "an id has letters, digits and these: _.-");
		return -EINVAL;
	}
	r->out->at = id->at;
	r->out->watch.id = id->text.s;
	return 0;
}

static int read_paths(struct reader *r, struct watch *w)
{
	int err = read_globs(r, "paths", &w->paths, &w->npaths);
	int err2 = err == -ENOMEM ? err : read_globs(r, "exclude", &w->exclude, &w->nexclude);
	int err3 = err2 == -ENOMEM ? err2 : read_globs(r, "never_store", &w->never_store, &w->nnever_store);

	if (err == 0)
		err = err2 ? err2 : err3;
	if (err == 0 && !w->npaths && !r->out->disabled) {
		diag_error(r->diags, r->out->at, "the watch %s has no paths", w->id);
		diag_help(r->diags, "add \"paths: [/etc]\"");
		err = -EINVAL;
	}
	return err;
}

/* Texts of one line go into tables and reports; the bundle's format has no byte 0 in them. */
static int check_texts(struct reader *r)
{
	static const char *const keys[] = { "version", "description", "severity" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const struct ynode *n = ynode_get(r->map, keys[i]);

		if (n && strlen(n->text.s) != n->text.len) {
			diag_error(r->diags, n->at, "\"%s\" has a byte 0", keys[i]);
			diag_help(r->diags, "leave it out");
			return -EINVAL;
		}
	}
	return 0;
}

int watch_read(struct arena *a, struct diags *d, const struct policy *policy, const struct ynode *map,
	       struct policy_watch *ret)
{
	const struct ynode *severity = ynode_get(map, "severity");
	struct reader r = { a, d, map, ret };
	struct watch *w = &ret->watch;
	int err = keys_check(map, policy_watch_keys, "a watch", d);

	*ret = (struct policy_watch){ 0 };
	if (err == 0)
		err = read_id(&r);
	if (err == 0)
		err = check_texts(&r);
	if (err < 0)
		return err;
	w->description = text_of(map, "description");
	w->policy = policy->name;
	w->version = ynode_get(map, "version") ? text_of(map, "version") : policy->version ? policy->version : "";
	w->severity = severity ? severity_of(severity->text.s) : SEVERITY_MEDIUM;
	w->recursive = flag_of(map, "recursive", true);
	w->growing = flag_of(map, "growing", false);
	w->one_filesystem = flag_of(map, "one_filesystem", false);
	ret->disabled = flag_of(map, "disabled", false);
	ret->override = ynode_get(map, "combine");
	ret->agent_version = ynode_get(map, "agent_version");
	ret->filters = ynode_get(map, "filters");
	err = read_paths(&r, w);
	if (err == 0)
		err = read_attrs(&r, w);
	if (err == 0)
		err = read_growing(&r, w);
	if (err == 0)
		err = read_diff(&r, w);
	if (err == 0)
		err = read_debounce(&r, w);
	return err == 0 ? read_tags(&r, w) : err;
}

/* ---- those of a build ---------------------------------------------------------------------------------------------- */

static void add_copy(struct policy_watch **slot, struct diags *d, struct policy_watch *w)
{
	struct policy_watch *first = *slot;
	uint32_t line, col, off, len;

	if (w->override) {
		*slot = w;
	} else if (w->disabled != first->disabled) {
		if (first->watch.npaths)
			first->disabled = w->disabled;
		else
			*slot = w;
	} else {
		diag_warn(d, w->at, "the watch %s is defined again: this copy is ignored", w->watch.id);
		span_place(first->at, &line, &col, &off, &len);
		diag_help(d, "the first is at %s:%u; add \"combine: override\" to replace it, or choose another id",
			  first->at.src->path, line);
	}
}

int watches_add(struct watches *all, struct arena *a, struct diags *d, struct policy_watch *w)
{
	struct policy_watch **slot;

	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->v[i]->watch.id, w->watch.id) == 0) {
			add_copy(&all->v[i], d, w);
			return 0;
		}
	if (all->n == WATCHES_MAX) {
		diag_error(d, w->at, "more than %d watches", WATCHES_MAX);
		diag_help(d, "give one watch several paths");
		return 0;
	}
	slot = ARENA_PUSH(a, all->v, all->n);
	if (!slot)
		return -ENOMEM;
	*slot = w;
	return 0;
}

int watches_list(const struct watches *all, struct arena *a, struct watch_list *ret)
{
	*ret = (struct watch_list){ .v = arena_array(a, all->n + 1, sizeof(ret->v[0])) };
	if (!ret->v)
		return -ENOMEM;
	for (size_t i = 0; i < all->n; i++)
		if (!all->v[i]->disabled && all->v[i]->watch.npaths)
			ret->v[ret->n++] = all->v[i]->watch;
	return 0;
}
