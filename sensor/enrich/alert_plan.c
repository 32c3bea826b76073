/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/alert_plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 6

/* Shown of further ancestors. */
static const char *const brief_names[] = {
	"args",	     "args_truncated", "comm",	   "container.id", "created_at", "euid",
	"file.name", "file.path",      "pid",	   "ppid",	   "tty_name",	 "uid",
	"user",
};

/* Members of a process for which 0 says something. */
static const char *const always_names[] = { "pid", "uid", "gid", "euid", "egid" };

static bool listed(const char *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

/* ---- putting steps ------------------------------------------------------------------------------------------------- */

static int plan_put(struct plan *p, struct step s, const char *key, size_t key_len)
{
	if (p->n == PLAN_STEPS || key_len + 3 > sizeof(p->keys) - p->keys_len)
		return -E2BIG; /* a catalog that outgrew the plan; no input can cause it */
	if (key_len) {
		s.key = p->keys + p->keys_len;
		s.key_len = (uint8_t)(key_len + 3);
		p->keys_len += (size_t)sprintf(p->keys + p->keys_len, "\"%.*s\":", (int)key_len, key);
	}
	p->steps[p->n++] = s;
	return 0;
}

/* Where in a dotted name we are: the objects that are open. */
struct walk {
	struct plan *plan;
	char open[128]; /* "file.destination." */
	int depth;
};

static int walk_close(struct walk *w)
{
	char *dot;

	w->open[strlen(w->open) - 1] = 0;
	dot = strrchr(w->open, '.');
	*(dot ? dot + 1 : w->open) = 0;
	w->depth--;
	return plan_put(w->plan, (struct step){ .kind = STEP_CLOSE }, "", 0);
}

/* Closes and opens objects until the last component of @name can be put; returns that component. */
static int walk_to(struct walk *w, const char *name, const char **ret_last)
{
	const char *dot;
	int r = 0;

	while (!r && strncmp(name, w->open, strlen(w->open)) != 0)
		r = walk_close(w);
	name += strlen(w->open);
	while (!r && (dot = strchr(name, '.'))) {
		size_t at = strlen(w->open), len = (size_t)(dot - name);

		if (at + len + 2 > sizeof(w->open) || ++w->depth > DEPTH_MAX)
			return -E2BIG;
		r = plan_put(w->plan, (struct step){ .kind = STEP_OPEN }, name, len);
		memcpy(w->open + at, name, len + 1);
		w->open[at + len + 1] = 0;
		name = dot + 1;
	}
	*ret_last = name;
	return r;
}

static int walk_end(struct walk *w)
{
	int r = 0;

	while (!r && w->depth)
		r = walk_close(w);
	return r ? r : plan_put(w->plan, (struct step){ .kind = STEP_END }, "", 0);
}

/* ---- fields -------------------------------------------------------------------------------------------------------- */

static uint8_t field_way(const struct cat_field *f)
{
	bool proc = f->home == CAT_HOME_PROC;

	if (proc && f->slot == SLOT_PROC_ARGS)
		return WAY_ARGS;
	if (proc && f->slot == SLOT_PROC_ARGS_TRUNCATED)
		return WAY_ARGS_CUT;
	if (proc && f->slot == SLOT_PROC_ENVS)
		return WAY_ENVS;
	if (proc && f->slot == SLOT_PROC_ENVP)
		return WAY_ENVP;
	return f->flags & CF_ARRAY ? WAY_ARRAY : WAY_PLAIN;
}

/* The inode beside a field of a file, as slot + 1. */
static uint8_t field_guard(const struct catalog *c, const struct cat_field *f)
{
	const char *dot = strrchr(f->name, '.');
	const struct cat_field *inode;
	char name[128];
	int n;

	n = snprintf(name, sizeof(name), "%.*s.inode", (int)(dot - f->name), f->name);
	inode = n < (int)sizeof(name) ? catalog_field(c, name, (size_t)n) : NULL;
	return inode && inode->home == f->home ? (uint8_t)(inode->slot + 1) : 0;
}

static int walk_field(struct walk *w, const struct catalog *c, const struct cat_field *f, const char *name, bool always)
{
	struct step s = { .kind = STEP_VALUE,
			  .way = field_way(f),
			  .type = f->type,
			  .slot = (uint8_t)f->slot,
			  .home = f->home,
			  .guard = field_guard(c, f) };
	const char *last;
	int r = walk_to(w, name, &last);

	s.always = always && !s.guard;
	return r ? r : plan_put(w->plan, s, last, strlen(last));
}

/* Sets *@ret to the next step where top-level member @name comes at or after @key. */
static void mark_set(const struct plan *p, const char *name, const char *key, uint16_t *ret, bool *set)
{
	if (*set || strcmp(name, key) < 0)
		return;
	*ret = (uint16_t)p->n;
	*set = true;
}

int plan_process(const struct catalog *c, bool brief, struct plan *ret)
{
	static const char prefix[] = "process.";
	struct walk w = { .plan = ret };
	bool env = false, env_end = false, parent = false;
	int r = 0;

	*ret = (struct plan){ 0 };
	for (size_t i = 0; i < c->nfields && !r; i++) {
		const struct cat_field *f = &c->fields[i];
		const char *name = f->name + sizeof(prefix) - 1;

		if (f->home != CAT_HOME_PROC || f->event != EV_NONE || strncmp(f->name, prefix, sizeof(prefix) - 1) != 0)
			continue;
		if (brief && !listed(brief_names, sizeof(brief_names) / sizeof(brief_names[0]), name))
			continue;
		if (!w.depth || strncmp(name, w.open, strlen(w.open)) != 0) {
			while (!r && w.depth)
				r = walk_close(&w);
			mark_set(ret, name, "envp", &ret->env, &env);
			mark_set(ret, name, "envs_truncated.", &ret->env_end, &env_end);
			mark_set(ret, name, "parent", &ret->parent, &parent);
		}
		if (!r)
			r = walk_field(&w, c, f, name,
				       listed(always_names, sizeof(always_names) / sizeof(always_names[0]), name));
	}
	return r ? r : walk_end(&w);
}

int plan_event(const struct catalog *c, uint16_t type, struct plan *ret)
{
	size_t prefix = strlen(c->events[type].name) + 1;
	struct walk w = { .plan = ret };
	int r = 0;

	*ret = (struct plan){ 0 };
	for (size_t i = 0; i < c->nfields && !r; i++) {
		const struct cat_field *f = &c->fields[i];

		if (f->event != type || (f->home == CAT_HOME_PROC && (f->slot == SLOT_PROC_ENVS || f->slot == SLOT_PROC_ENVP)))
			continue;
		r = walk_field(&w, c, f, f->name + prefix,
			       f->home != CAT_HOME_PROC || listed(always_names, sizeof(always_names) / sizeof(always_names[0]),
								  f->name + prefix));
	}
	return r ? r : walk_end(&w);
}
