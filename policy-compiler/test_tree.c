/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/test_tree.h"

#include <errno.h>
#include <stdarg.h>

#include "lib/jsonw.h"
#include "lib/near.h"

#define EVENT_TEXT_MAX (4u << 20)
#define FIRST_PID      1000
#define EXEC_CHAIN     16 /* images of one process that exec on exec keeps, as in the sensor */
#define COMM_LEN       15
#define COUNT(a)       (sizeof(a) / sizeof((a)[0]))

struct image {
	struct proc p;
	struct image *parent;
	unsigned chain; /* execs on execs that led here */
};

struct test_process {
	const char *name;
	size_t len;
	const struct ynode *def;    /* of "processes:", or NULL */
	const struct ynode *parent; /* its name, or NULL */
	struct image *image;
	bool linked, exited;
};

int test_error_set(struct test_error *e, struct span at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->what.msg, sizeof(e->what.msg), fmt, ap);
	va_end(ap);
	e->at = at;
	e->help[0] = '\0';
	return -EINVAL;
}

void test_error_help(struct test_error *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->help, sizeof(e->help), fmt, ap);
	va_end(ap);
}

void test_tree_init(struct test_tree *t, struct arena *arena, int64_t now_ns)
{
	*t = (struct test_tree){ .arena = arena, .now_ns = now_ns, .last_pid = FIRST_PID - 1 };
	event_mem_init(&t->mem, EVENT_MEM_MAX);
}

void test_tree_done(struct test_tree *t)
{
	event_mem_done(&t->mem);
}

/* ---- from YAML to JSON ------------------------------------------------------------------------------------------- */

static void put_node(struct jsonw *w, const struct ynode *n);

/* A text in place of these maps names a process; it is not part of the event. */
static bool is_name_of_process(const struct ynode *key, const struct ynode *value)
{
	return value->kind == YNODE_SCALAR && (ynode_is(key, "process") || ynode_is(key, "fork"));
}

static void put_map(struct jsonw *w, const struct ynode *n, bool is_event, const char *but)
{
	jsonw_obj_begin(w);
	for (size_t i = 0; i < n->n; i++) {
		if (is_event && is_name_of_process(n->keys[i], n->items[i]))
			continue;
		if (but && n->items[i]->kind == YNODE_SCALAR && ynode_is(n->keys[i], but))
			continue;
		jsonw_key_str(w, n->keys[i]->text.s, n->keys[i]->text.len);
		put_node(w, n->items[i]);
	}
	jsonw_obj_end(w);
}

static void put_node(struct jsonw *w, const struct ynode *n)
{
	int64_t num;

	if (n->kind == YNODE_MAP) {
		put_map(w, n, false, NULL);
	} else if (n->kind == YNODE_LIST) {
		jsonw_arr_begin(w);
		for (size_t i = 0; i < n->n; i++)
			put_node(w, n->items[i]);
		jsonw_arr_end(w);
	} else if (ynode_is_null(n)) {
		jsonw_null(w);
	} else if (ynode_int(n, &num) == 0) {
		jsonw_int(w, num);
	} else if (n->text.style == TEXT_PLAIN && (ynode_is(n, "true") || ynode_is(n, "false"))) {
		jsonw_bool(w, ynode_is(n, "true"));
	} else {
		jsonw_str(w, n->text.s, n->text.len);
	}
}

/* The rest of @name behind the key and a dot; "" where the key is all of it; NULL where it begins otherwise. */
static const char *behind_key(const struct ynode *key, const char *name)
{
	size_t len = key->text.len;

	if (strncmp(name, key->text.s, len) != 0 || strlen(key->text.s) != len)
		return NULL;
	return name[len] == '\0' ? name + len : name[len] == '.' ? name + len + 1 : NULL;
}

/* The member of that dotted name, however it nests: its key, or NULL. */
static const struct ynode *find_member(const struct ynode *map, const char *name)
{
	for (size_t i = 0; map->kind == YNODE_MAP && i < map->n; i++) {
		const char *rest = behind_key(map->keys[i], name);
		const struct ynode *found = rest && *rest ? find_member(map->items[i], rest) : NULL;

		if (rest && !*rest)
			return map->keys[i];
		if (found)
			return found;
	}
	return NULL;
}

/* The reader names the member that it could not read, up to a colon: show that place. */
static void place_error(struct test_error *e, const struct ynode *n, const char *prefix)
{
	char name[256], *colon;
	const struct ynode *key;
	size_t skip = strlen(prefix);

	snprintf(name, sizeof(name), "%.255s", e->what.msg);
	colon = strchr(name, ':');
	if (!colon || strncmp(name, prefix, skip) != 0)
		return;
	*colon = '\0';
	key = find_member(n, name + skip);
	if (key)
		e->at = key->at;
}

static int read_json(struct test_tree *t, const struct ynode *n, struct buf *json, const char *prefix,
		     struct event *ret, struct test_error *e)
{
	int r = buf_error(json);

	if (r == -EFBIG)
		return test_error_set(e, n->at, "the event is too large");
	if (r == 0)
		r = event_json_read(catalog_tamis(), (const char *)json->data, json->len, &t->mem, ret, &e->what);
	if (r != -EINVAL)
		return r;
	e->at = n->at;
	e->help[0] = '\0';
	place_error(e, n, prefix);
	return r;
}

static int read_event(struct test_tree *t, const struct ynode *n, struct event *ret, struct test_error *e)
{
	struct buf json;
	struct jsonw w = jsonw_to(&json);
	int r;

	buf_init(&json, EVENT_TEXT_MAX);
	put_map(&w, n, true, NULL);
	r = read_json(t, n, &json, "", ret, e);
	buf_done(&json);
	return r;
}

/* The fields of a process, as those of an event's process. */
static int read_process(struct test_tree *t, const struct ynode *n, struct proc *ret, struct test_error *e)
{
	struct event ev = { .proc = NULL };
	struct buf json;
	struct jsonw w = jsonw_to(&json);
	int r;

	buf_init(&json, EVENT_TEXT_MAX);
	jsonw_obj_begin(&w);
	jsonw_key(&w, "process");
	put_map(&w, n, false, "parent");
	jsonw_obj_end(&w);
	r = read_json(t, n, &json, "process.", &ev, e);
	buf_done(&json);
	if (r == 0 && ev.proc)
		*ret = *ev.proc;
	return r;
}

int test_time(const struct ynode *n, int64_t *ret_ns, struct test_error *e)
{
	struct event_mem mem;
	struct event ev;
	struct buf json;
	struct jsonw w = jsonw_to(&json);
	struct err err;
	int r = -EINVAL;

	buf_init(&json, EVENT_TEXT_MAX);
	event_mem_init(&mem, EVENT_MEM_MAX);
	jsonw_obj_begin(&w);
	jsonw_key(&w, "time");
	put_node(&w, n);
	jsonw_obj_end(&w);
	if (n->kind == YNODE_SCALAR && !buf_error(&json))
		r = event_json_read(catalog_tamis(), (const char *)json.data, json.len, &mem, &ev, &err);
	if (r == 0)
		*ret_ns = ev.now_ns;
	event_mem_done(&mem);
	buf_done(&json);
	if (r != -EINVAL)
		return r;
	test_error_set(e, n->at, "not a time");
	test_error_help(e, "write it in UTC, as alerts do: 2026-01-31T12:00:00Z");
	return r;
}

/* ---- what one process has of another ------------------------------------------------------------------------------- */

/* Slots that go from an image to the one that replaces it, and from a parent to a child that a test describes. */
static const struct heirloom {
	uint16_t slot;
	const char *name;  /* of the field, behind "process." */
	const char *after; /* its own value where that one is given: a name follows from a number */
} heirlooms[] = {
	{ SLOT_PROC_UID, "uid", NULL },
	{ SLOT_PROC_GID, "gid", NULL },
	{ SLOT_PROC_EUID, "euid", "uid" },
	{ SLOT_PROC_EGID, "egid", "gid" },
	{ SLOT_PROC_FSUID, "fsuid", "uid" },
	{ SLOT_PROC_FSGID, "fsgid", "gid" },
	{ SLOT_PROC_AUID, "auid", NULL },
	{ SLOT_PROC_CAP_EFFECTIVE, "cap_effective", NULL },
	{ SLOT_PROC_CAP_PERMITTED, "cap_permitted", NULL },
	{ SLOT_PROC_CGROUP_INODE, "cgroup.file.inode", "cgroup.id" },
	{ SLOT_PROC_TTY_NAME, "tty_name", NULL },
	{ SLOT_PROC_CGROUP_ID, "cgroup.id", NULL },
	{ SLOT_PROC_USER, "user", "uid" },
	{ SLOT_PROC_GROUP, "group", "gid" },
	{ SLOT_PROC_EUSER, "euser", "uid" },
	{ SLOT_PROC_EGROUP, "egroup", "gid" },
	{ SLOT_PROC_FSUSER, "fsuser", "uid" },
	{ SLOT_PROC_FSGROUP, "fsgroup", "gid" },
	{ SLOT_PROC_CONTAINER_ID, "container.id", "cgroup.id" },
	{ SLOT_PROC_POD_UID, "container.pod_uid", "cgroup.id" },
	{ SLOT_PROC_CGROUP_MANAGER, "cgroup.manager", "cgroup.id" },
	{ SLOT_PROC_CGROUP_VERSION, "cgroup.version", "cgroup.id" },
	{ SLOT_PROC_CGROUP_UNIT, "cgroup.unit", "cgroup.id" },
	{ SLOT_PROC_SSH_CLIENT_IP, "user_session.ssh_client_ip", NULL },
	{ SLOT_PROC_SSH_PORT, "user_session.ssh_port", "user_session.ssh_client_ip" },
	{ SLOT_PROC_SSH_USERNAME, "user_session.ssh_username", "user_session.ssh_client_ip" },
};

/* Whether the test gives the field: in a map of fields, or in an event under either name that it has there. */
static bool gives(const struct ynode *n, bool is_event, const char *name)
{
	char full[64];

	if (!is_event)
		return find_member(n, name) != NULL;
	snprintf(full, sizeof(full), "exec.%s", name);
	if (find_member(n, full))
		return true;
	snprintf(full, sizeof(full), "process.%s", name);
	return find_member(n, full) != NULL;
}

static void inherit(struct proc *to, const struct proc *from, const struct ynode *given, bool is_event)
{
	for (size_t i = 0; i < COUNT(heirlooms); i++) {
		const struct heirloom *h = &heirlooms[i];

		if (!gives(given, is_event, h->name) && !(h->after && gives(given, is_event, h->after)))
			to->v[h->slot] = from->v[h->slot];
	}
}

/* Nobody means user 5 with the effective rights of user 0. */
static void spread_ids(struct proc *p, const struct ynode *given, bool is_event)
{
	static const struct {
		uint16_t from, to;
		const char *given, *name;
	} ids[] = {
		{ SLOT_PROC_UID, SLOT_PROC_EUID, "uid", "euid" },
		{ SLOT_PROC_UID, SLOT_PROC_FSUID, "uid", "fsuid" },
		{ SLOT_PROC_GID, SLOT_PROC_EGID, "gid", "egid" },
		{ SLOT_PROC_GID, SLOT_PROC_FSGID, "gid", "fsgid" },
	};

	for (size_t i = 0; i < COUNT(ids); i++)
		if (gives(given, is_event, ids[i].given) && !gives(given, is_event, ids[i].name))
			p->v[ids[i].to] = p->v[ids[i].from];
}

static void name_task(struct proc *p)
{
	struct val name = p->v[SLOT_PROC_FILE_NAME];

	if (!p->v[SLOT_PROC_COMM].len && name.len)
		p->v[SLOT_PROC_COMM] = (struct val){ .s = name.s, .len = name.len < COMM_LEN ? name.len : COMM_LEN };
}

/* ---- names --------------------------------------------------------------------------------------------------------- */

static struct test_process *find_process(const struct test_tree *t, const struct ynode *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->names[i]->len == name->text.len && memcmp(t->names[i]->name, name->text.s, name->text.len) == 0)
			return t->names[i];
	return NULL;
}

static int no_process(const struct test_tree *t, const struct ynode *name, struct test_error *e)
{
	struct near near = near_to(name->text.s, name->text.len);
	int r = test_error_set(e, name->at, "no process is named \"%.64s\" here", name->text.s);

	for (size_t i = 0; i < t->n; i++)
		near_try(&near, t->names[i]->name);
	if (near.best)
		test_error_help(e, "did you mean \"%.64s\"?", near.best);
	else
		test_error_help(e, "describe it under \"processes:\" of the test, or make it by \"fork: %.64s\"",
				name->text.s);
	return r;
}

static struct test_process *new_process(struct test_tree *t, const struct ynode *name)
{
	struct test_process *p = arena_alloc(t->arena, sizeof(*p)), **slot;

	slot = p ? ARENA_PUSH(t->arena, t->names, t->n) : NULL;
	if (!slot)
		return NULL;
	p->name = name->text.s;
	p->len = name->text.len;
	*slot = p;
	return p;
}

static int too_many(const struct test_tree *t, const struct ynode *at, struct test_error *e)
{
	if (t->n < TEST_PROCESSES_MAX)
		return 0;
	return test_error_set(e, at->at, "more than %d processes in one test", TEST_PROCESSES_MAX);
}

static void number(struct test_tree *t, struct proc *p, const struct proc *parent)
{
	struct val *v = p->v;

	if (!v[SLOT_PROC_PID].num)
		v[SLOT_PROC_PID].num = ++t->last_pid;
	p->start = ++t->starts;
	if (!v[SLOT_PROC_TID].num)
		v[SLOT_PROC_TID].num = v[SLOT_PROC_PID].num;
	if (parent && !v[SLOT_PROC_PPID].num)
		v[SLOT_PROC_PPID].num = parent->v[SLOT_PROC_PID].num;
}

/* ---- "processes:" -------------------------------------------------------------------------------------------------- */

static int describe(struct test_tree *t, const struct ynode *name, const struct ynode *def, struct test_error *e)
{
	static const struct ynode nothing = { .kind = YNODE_MAP };
	struct test_process *p;
	int r = too_many(t, name, e);

	if (r < 0)
		return r;
	if (ynode_is_null(def))
		def = &nothing;
	if (def->kind != YNODE_MAP)
		return test_error_set(e, def->at, "the process \"%.64s\" is a map of fields, not %s", name->text.s,
				      ynode_kind_name(def));
	p = new_process(t, name);
	if (!p)
		return -ENOMEM;
	p->def = def;
	p->parent = ynode_get(def, "parent");
	if (p->parent && p->parent->kind != YNODE_SCALAR)
		p->parent = NULL;
	p->image = arena_alloc(t->arena, sizeof(*p->image));
	return p->image ? read_process(t, def, &p->image->p, e) : -ENOMEM;
}

/*
 * Puts the process below its parent, that below its own first. The way up is as long as the names are many: a longer one
 * is a ring.
 */
static int link_process(struct test_tree *t, struct test_process *p, size_t way, struct test_error *e)
{
	struct test_process *parent = NULL;
	struct val *v = p->image->p.v;
	int r;

	if (p->linked)
		return 0;
	if (p->parent) {
		parent = find_process(t, p->parent);
		if (!parent)
			return no_process(t, p->parent, e);
		if (way > t->n)
			return test_error_set(e, p->parent->at, "the process \"%.64s\" is its own ancestor", p->name);
		r = link_process(t, parent, way + 1, e);
		if (r < 0)
			return r;
		p->image->parent = parent->image;
		p->image->p.parent = &parent->image->p;
		inherit(&p->image->p, &parent->image->p, p->def, false);
	}
	spread_ids(&p->image->p, p->def, false);
	name_task(&p->image->p);
	number(t, &p->image->p, p->image->p.parent);
	if (!v[SLOT_PROC_CREATED_AT].num)
		v[SLOT_PROC_CREATED_AT].num = t->now_ns;
	if (!gives(p->def, false, "is_exec") && !v[SLOT_PROC_IS_THREAD].num)
		v[SLOT_PROC_IS_EXEC].num = 1;
	p->linked = true;
	return 0;
}

int test_tree_add(struct test_tree *t, const struct ynode *processes, struct test_error *e)
{
	int r = 0;

	for (size_t i = 0; processes && i < processes->n && r == 0; i++)
		r = describe(t, processes->keys[i], processes->items[i], e);
	for (size_t i = 0; i < t->n && r == 0; i++)
		r = link_process(t, t->names[i], 0, e);
	return r;
}

const struct proc *test_tree_find(const struct test_tree *t, uint32_t pid)
{
	for (size_t i = 0; i < t->n; i++)
		if (!t->names[i]->exited && t->names[i]->image->p.v[SLOT_PROC_PID].num == pid)
			return &t->names[i]->image->p;
	return NULL;
}

/* ---- events of named processes ------------------------------------------------------------------------------------- */

/* An empty map says nothing of the type to the reader: "exit: {}". */
static uint16_t type_of_keys(const struct ynode *event)
{
	for (size_t i = 0; i < event->n; i++) {
		const struct text *k = &event->keys[i]->text;
		const struct cat_event *type = catalog_event(catalog_tamis(), k->s, k->len);

		if (type)
			return type->type;
	}
	return EV_NONE;
}

static int do_fork(struct test_tree *t, struct test_process *p, const struct ynode *event, struct event *ev,
		   struct test_error *e)
{
	const struct ynode *name = ynode_get(event, "fork");
	struct test_process *child;
	struct image *i;
	int r;

	if (!name || name->kind != YNODE_SCALAR) {
		r = test_error_set(e, event->at, "the fork of a named process names the child");
		test_error_help(e, "write \"fork: NAME\"; later events say \"process: NAME\"");
		return r;
	}
	child = find_process(t, name);
	if (child && !child->exited)
		return test_error_set(e, name->at, "there is a process named \"%.64s\" already", name->text.s);
	r = child ? 0 : too_many(t, name, e);
	if (r < 0)
		return r;
	i = arena_alloc(t->arena, sizeof(*i));
	if (!child)
		child = new_process(t, name);
	if (!i || !child)
		return -ENOMEM;
	i->p = p->image->p;
	i->p.parent = &p->image->p;
	i->parent = p->image;
	i->p.v[SLOT_PROC_PID].num = i->p.v[SLOT_PROC_TID].num = i->p.v[SLOT_PROC_PPID].num = 0;
	number(t, &i->p, &p->image->p);
	i->p.v[SLOT_PROC_CREATED_AT].num = t->now_ns;
	i->p.v[SLOT_PROC_IS_THREAD].num = 1;
	i->p.v[SLOT_PROC_IS_EXEC].num = 0;
	child->image = i;
	child->exited = false;
	child->linked = true;
	ev->proc = &i->p;
	return 0;
}

static int do_exec(struct test_tree *t, struct test_process *p, const struct ynode *event, struct event *ev)
{
	struct image *old = p->image, *i = arena_alloc(t->arena, sizeof(*i));
	struct val *v;

	if (!i)
		return -ENOMEM;
	if (ev->proc)
		i->p = *ev->proc;
	inherit(&i->p, &old->p, event, true);
	spread_ids(&i->p, event, true);
	name_task(&i->p);
	i->p.start = old->p.start;
	v = i->p.v;
	v[SLOT_PROC_PID] = old->p.v[SLOT_PROC_PID];
	v[SLOT_PROC_TID] = old->p.v[SLOT_PROC_TID];
	v[SLOT_PROC_PPID] = old->p.v[SLOT_PROC_PPID];
	v[SLOT_PROC_CREATED_AT] = old->p.v[SLOT_PROC_CREATED_AT];
	v[SLOT_PROC_IS_EXEC].num = 1;
	v[SLOT_PROC_IS_THREAD].num = 0;
	/* above it: the forker, or the image that it replaced where that was more than a copy of its forker */
	if (old->p.v[SLOT_PROC_IS_EXEC].num && old->chain < EXEC_CHAIN) {
		i->parent = old;
		i->chain = old->chain + 1;
	} else {
		i->parent = old->parent;
		i->chain = old->chain;
	}
	/* a process that the test describes with "ancestors:" has those, and no name for them */
	i->p.parent = i->parent ? &i->parent->p : old->p.parent;
	p->image = i;
	ev->proc = &i->p;
	return 0;
}

static int own_fields(const struct ynode *event, const struct ynode *name, struct test_error *e)
{
	int r = test_error_set(e, event->at, "the event names the process \"%.64s\" and gives fields of a process, too",
			       name->text.s);

	test_error_help(e, "give them under \"processes:\", or where \"%.64s\" executes something", name->text.s);
	return r;
}

static int act(struct test_tree *t, const struct ynode *event, const struct ynode *name, struct event *ev,
	       struct test_error *e)
{
	struct test_process *p = find_process(t, name);

	if (!p)
		return no_process(t, name, e);
	if (p->exited)
		return test_error_set(e, name->at, "the process \"%.64s\" has exited", name->text.s);
	if (ev->type == EV_EXEC && !(ev->proc && ev->proc->parent))
		return do_exec(t, p, event, ev);
	if (ev->proc)
		return own_fields(event, name, e);
	if (ev->type == EV_FORK)
		return do_fork(t, p, event, ev, e);
	p->exited = ev->type == EV_EXIT;
	ev->proc = &p->image->p;
	return 0;
}

int test_tree_event(struct test_tree *t, const struct ynode *event, struct event *ret, struct test_error *e)
{
	const struct ynode *name = ynode_get(event, "process"), *fork = ynode_get(event, "fork");
	int r = read_event(t, event, ret, e);

	if (r < 0)
		return r;
	if (ret->type == EV_NONE)
		ret->type = type_of_keys(event);
	if (ret->type == EV_NONE) {
		r = test_error_set(e, event->at, "the event has no type");
		test_error_help(e, "add \"event: {type: open}\" or a field of an event type");
		return r;
	}
	if (name && name->kind == YNODE_SCALAR)
		return act(t, event, name, ret, e);
	if (!fork || fork->kind != YNODE_SCALAR)
		return 0;
	r = test_error_set(e, fork->at, "nobody is said to fork \"%.64s\"", fork->text.s);
	test_error_help(e, "add \"process: NAME\"");
	return r;
}
