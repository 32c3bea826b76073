/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/enrich.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/capture.h"
#include "lib/derive.h"
#include "sensor/enrich/bytes.h"
#include "sensor/enrich/container.h"
#include "sensor/enrich/hostnames.h"
#include "sensor/enrich/names.h"

struct enrich {
	char hostname[256], origin[16];
	struct val host, os, source, from;
	struct users *users;	 /* owned */
	struct proctable *table; /* owned */
	struct names names[EV_TYPES];
	struct bytes bytes; /* of the present event */
	uint64_t no_process;
	struct val words[DERIVE_ARGS_MAX]; /* of the present event: parameters of a module */
	struct hostnames_table hostnames;
	struct val peers[HOSTNAMES_AN_ADDRESS]; /* of the present event: names of its address */
	struct watcher {
		enrich_fn fn; /* NULL: nobody */
		void *ctx;
	} watchers[ENRICH_WATCHERS];
	struct buf names_text; /* owned: names that are loaded, until the last piece came */
};

#define NAMES_TEXT_MAX (16u << 20)
#define NAMES_PIECE    (512u << 10)

static struct val val_of(const char *s)
{
	return (struct val){ .s = s, .len = (uint32_t)strlen(s) };
}

static void copy_name(char *to, size_t size, const char *from)
{
	size_t len = from ? strnlen(from, size - 1) : 0;

	if (len)
		memcpy(to, from, len);
	to[len] = 0;
}

/* The base values that are the same for every event. */
static void enrich_constants(struct enrich *e, const struct enrich_options *o)
{
	copy_name(e->hostname, sizeof(e->hostname), o->hostname);
	copy_name(e->origin, sizeof(e->origin), o->origin);
	e->host = val_of(e->hostname);
	e->from = val_of(e->origin);
	e->os = val_of("linux");
	e->source = val_of("runtime");
}

int enrich_new(const struct enrich_options *o, struct enrich **ret)
{
	struct proctable_options po = {
		.catalog = catalog_tamis(),
		.proc_path = o->proc_path,
		.max_images = o->max_images,
		.max_bytes = o->max_bytes,
	};
	struct enrich *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	enrich_constants(e, o);
	for (uint16_t t = 0; t < EV_TYPES; t++)
		names_plan(po.catalog, CAT_HOME_EVENT, t, &e->names[t]);
	buf_init(&e->names_text, NAMES_TEXT_MAX);
	r = users_new(o->etc_path, &e->users);
	po.users = e->users;
	if (!r)
		r = proctable_new(&po, &e->table);
	if (r < 0) {
		enrich_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

void enrich_free(struct enrich *e)
{
	if (!e)
		return;
	proctable_free(e->table);
	if (e->users)
		users_free(e->users);
	buf_done(&e->names_text);
	hostnames_done(&e->hostnames);
	free(e);
}

int enrich_seed(struct enrich *e)
{
	return proctable_seed(e->table, decode_clock_now());
}

static void enrich_module(struct enrich *e, struct val *v)
{
	v[SLOT_LOAD_MODULE_ARGV] = (struct val){
		.arr = e->words,
		.len = derive_words(v[SLOT_LOAD_MODULE_ARGS], e->words, DERIVE_ARGS_MAX),
	};
}

/* What is known of the process's container. */
static void container_values(const struct proc *p, struct val *base)
{
	const struct container *c = p ? proctable_container(p) : NULL;

	base[SLOT_BASE_CONTAINER_CREATED_AT].num = c ? c->created_ns : 0;
	base[SLOT_BASE_CONTAINER_RUNTIME] = c ? val_of(c->runtime) : (struct val){ .len = 0 };
	base[SLOT_BASE_CONTAINER_TAGS] = c ? (struct val){ .arr = c->tags, .len = c->ntags } : (struct val){ .len = 0 };
}

/* Names that were asked for: from answers, to those that connect. */
static void enrich_hostnames(struct enrich *e, struct event *ev, uint64_t now_ns)
{
	const struct val *message = &ev->v[SLOT_DNS_NAME];
	const uint32_t slot = ev->type == EV_CONNECT ? SLOT_CONNECT_HOSTNAME : SLOT_ACCEPT_HOSTNAME,
		       ip = ev->type == EV_CONNECT ? SLOT_CONNECT_IP : SLOT_ACCEPT_IP;

	if (ev->type == EV_DNS && message->len)
		hostnames_learn(&e->hostnames, message->s, message->len, now_ns);
	if ((ev->type != EV_CONNECT && ev->type != EV_ACCEPT) || ev->v[ip].len != VAL_IP_BYTES)
		return;
	ev->v[slot] = (struct val){
		.arr = e->peers,
		.len = hostnames_of(&e->hostnames, (const uint8_t *)ev->v[ip].s, now_ns, e->peers),
	};
}

void enrich_event(struct enrich *e, struct decoded *d)
{
	struct val *base = d->ev.base;

	base[SLOT_BASE_HOSTNAME] = e->host;
	base[SLOT_BASE_OS] = e->os;
	base[SLOT_BASE_ORIGIN] = e->from;
	base[SLOT_BASE_SOURCE] = e->source;
	d->ev.proc = proctable_event(e->table, d, &d->ev.target);
	e->no_process += !d->ev.proc;
	container_values(d->ev.proc, base);
	names_fill(&e->names[d->ev.type], e->users, d->ev.v);
	enrich_hostnames(e, &d->ev, d->head.boot_ns);
	bytes_expand(&e->bytes, &d->ev);
	event_derive(&d->ev);
	if (d->ev.type == EV_LOAD_MODULE)
		enrich_module(e, d->ev.v);
}

/* ---- captures and replays ------------------------------------------------------------------------------------------ */

/* A piece of names: u32 what it is, then lines. */
enum names_piece { NAMES_GROUPS = 1 << 0, NAMES_MORE = 1 << 1 };

static void save_names_of(struct enrich *e, bool groups, enrich_fn fn, void *ctx)
{
	struct buf all, piece;

	buf_init(&all, NAMES_TEXT_MAX);
	buf_init(&piece, NAMES_PIECE + 16);
	users_save(e->users, groups, &all);
	for (size_t at = 0, n; at < all.len || !at; at += n) {
		n = all.len - at < NAMES_PIECE ? all.len - at : NAMES_PIECE;
		buf_reset(&piece);
		buf_put_u32(&piece, (groups ? NAMES_GROUPS : 0u) | (at + n < all.len ? NAMES_MORE : 0u));
		if (n)
			buf_put(&piece, all.data + at, n);
		if (!buf_error(&piece))
			fn(ctx, CAPTURE_USERS, piece.data, piece.len);
		if (!n)
			break;
	}
	buf_done(&all);
	buf_done(&piece);
}

static void save_names(struct enrich *e, enrich_fn fn, void *ctx)
{
	save_names_of(e, false, fn, ctx);
	save_names_of(e, true, fn, ctx);
}

static int load_names(struct enrich *e, const void *bytes, size_t len)
{
	struct rd rd = rd_of(bytes, len);
	uint32_t what;

	if (rd_u32(&rd, &what) < 0 || what & ~(uint32_t)(NAMES_GROUPS | NAMES_MORE) ||
	    buf_put(&e->names_text, rd.p, rd.left) < 0)
		return -EBADMSG;
	if (what & NAMES_MORE)
		return 0;
	users_load(e->users, what & NAMES_GROUPS, (char *)e->names_text.data, e->names_text.len);
	buf_done(&e->names_text);
	proctable_rename_users(e->table);
	return 0;
}

/* The id, then what is known by the names' numbers, each behind its length. */
static void save_container(void *ctx, const struct container *c, const struct container_names *names)
{
	const struct watcher *to = ctx;
	struct buf b;

	buf_init(&b, sizeof(*names) + 1024);
	buf_put_u32(&b, (uint32_t)strlen(c->id));
	buf_puts(&b, c->id);
	for (size_t i = 0; i < CONTAINER_NAMES; i++) {
		buf_put_u32(&b, (uint32_t)strlen(names->text[i]));
		buf_puts(&b, names->text[i]);
	}
	if (!buf_error(&b))
		to->fn(to->ctx, CAPTURE_CONTAINER, b.data, b.len);
	buf_done(&b);
}

static int load_container(struct enrich *e, const void *bytes, size_t len)
{
	struct rd rd = rd_of(bytes, len);
	struct container_names names = { 0 };
	const uint8_t *id, *text;
	uint32_t id_len, n;
	int r;

	if (rd_u32(&rd, &id_len) < 0 || id_len > CONTAINER_ID_MAX || rd_bytes(&rd, id_len, &id) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < CONTAINER_NAMES; i++) {
		if (rd_u32(&rd, &n) < 0 || n >= CONTAINER_TEXT_MAX || rd_bytes(&rd, n, &text) < 0)
			return -EBADMSG;
		memcpy(names.text[i], text, n);
	}
	r = rd_end(&rd);
	return r < 0 ? -EBADMSG : enrich_named(e, (const char *)id, id_len, &names);
}

static void save_process(void *ctx, const void *bytes, size_t len)
{
	const struct watcher *to = ctx;

	to->fn(to->ctx, CAPTURE_PROCESS, bytes, len);
}

int enrich_save(struct enrich *e, enrich_fn fn, void *ctx)
{
	struct watcher to = { .fn = fn, .ctx = ctx };
	int r;

	save_names(e, fn, ctx);
	r = proctable_save(e->table, save_process, &to);
	if (r == 0)
		containers_each_named(proctable_containers(e->table), save_container, &to);
	return r;
}

static void on_look(void *ctx, const void *bytes, size_t len)
{
	const struct enrich *e = ctx;

	for (int i = 0; i < ENRICH_WATCHERS; i++)
		if (e->watchers[i].fn)
			e->watchers[i].fn(e->watchers[i].ctx, CAPTURE_LOOK, bytes, len);
}

int enrich_watch(struct enrich *e, enrich_fn fn, void *ctx)
{
	for (int i = 0; i < ENRICH_WATCHERS; i++) {
		if (e->watchers[i].fn)
			continue;
		e->watchers[i] = (struct watcher){ .fn = fn, .ctx = ctx };
		proctable_watch(e->table, on_look, e);
		return 0;
	}
	return -EBUSY;
}

void enrich_unwatch(struct enrich *e, const void *ctx)
{
	bool any = false;

	for (int i = 0; i < ENRICH_WATCHERS; i++) {
		if (e->watchers[i].ctx == ctx)
			e->watchers[i] = (struct watcher){ 0 };
		any |= e->watchers[i].fn != NULL;
	}
	if (!any)
		proctable_watch(e->table, NULL, NULL);
}

int enrich_load(struct enrich *e, uint16_t type, const void *bytes, size_t len)
{
	switch (type) {
	case CAPTURE_USERS:
		return load_names(e, bytes, len);
	case CAPTURE_PROCESS:
		return proctable_load(e->table, bytes, len);
	case CAPTURE_LOOK:
		proctable_loaded(e->table);
		return proctable_tell(e->table, bytes, len);
	case CAPTURE_CONTAINER:
		proctable_loaded(e->table);
		return load_container(e, bytes, len);
	default:
		return -EINVAL;
	}
}

void enrich_replay_tick(struct enrich *e, uint64_t boot_ns)
{
	proctable_replay_tick(e->table, boot_ns);
}

int enrich_named(struct enrich *e, const char *id, size_t len, const struct container_names *names)
{
	struct containers *all = proctable_containers(e->table);
	struct container *c = container_find(all, id, len);
	int r = c ? container_named(all, c, names) : 0;

	for (int i = 0; c && r == 0 && i < ENRICH_WATCHERS; i++)
		if (e->watchers[i].fn)
			save_container(&e->watchers[i], c, names);
	return r;
}

/* ---- upkeep -------------------------------------------------------------------------------------------------------- */

void enrich_tick(struct enrich *e)
{
	if (users_refresh(e->users)) {
		for (int i = 0; i < ENRICH_WATCHERS; i++)
			if (e->watchers[i].fn)
				save_names(e, e->watchers[i].fn, e->watchers[i].ctx);
		proctable_rename_users(e->table);
	}
	proctable_tick(e->table);
}

struct proctable *enrich_proctable(struct enrich *e)
{
	return e->table;
}

void enrich_stats(const struct enrich *e, struct enrich_stats *ret)
{
	*ret = (struct enrich_stats){ .no_process = e->no_process };
	proctable_stats(e->table, &ret->table);
	users_stats(e->users, &ret->users);
}
