/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/hash.h"

#define MORE	   (SLOT_PROC_COUNT - SLOT_PROC_SEEN)
#define OVERLAYS   16 /* processes of an event that something is looked up of */
#define DONE_MAX   64 /* look-ups of an event */
#define TEXT_MAX   (16u << 10)
#define MOUNTS_MAX 8192
#define PREFIX_MAX 128
#define TOLD_MAX   (256u << 10)

enum kind { KIND_HASH = 1, KIND_PACKAGE };

/* Of a file object: where what tells the file stands, and where what is found goes. */
struct group {
	bool known;
	bool is_hash;
	uint8_t home; /* enum cat_home */
	uint16_t path, inode, mount, changed, mode;
	uint16_t hashes, pkg[5], epoch, source_epoch; /* pkg: in the order of struct fetch_package */
};

struct overlay {
	struct proc *p; /* the table's; NULL: free */
	struct val v[MORE];
};

struct done {
	const void *whose; /* event or process */
	uint16_t slot;	   /* the first that is filled in */
};

struct kept {
	uint64_t inode, device, changed;
	uint64_t until_ms; /* 0: for good; else the error stays until then */
	int error;
	bool used, settled; /* settled: read at rest */
	uint8_t sha256[HASH_SIZE];
};

struct mount {
	uint64_t id, device;
};

struct fetch {
	const struct catalog *catalog; /* borrowed */
	struct fetch_asked asked;
	struct group *groups; /* owned; of each field of the catalog */
	struct kept cache[FETCH_CACHE];
	struct mount *mounts; /* owned; ascending by id */
	size_t nmounts;
	uint64_t mounts_ms; /* when they were read; 0: never */
	uint64_t second_ms, spent_ms;
	uint64_t size_max; /* of the present look-up */
	struct fetch_stats stats;
	struct {
		fetch_fn fn; /* or NULL */
		void *ctx;
	} watchers[FETCH_WATCHERS];
	bool telling;	 /* a replay: nobody is asked */
	struct buf told; /* owned: entries about the present event, each behind its length */
	struct buf scratch;

	struct event *ev; /* borrowed; the present one */
	bool at_rest, settled;
	struct overlay overlays[OVERLAYS];
	size_t noverlays;
	struct done done[DONE_MAX];
	size_t ndone;
	struct val lists[DONE_MAX]; /* arrays of one hash */
	size_t nlists;
	char text[TEXT_MAX];
	size_t ntext;
};

/* ---- which field is what ------------------------------------------------------------------------------------------- */

static uint16_t slot_of(const struct catalog *c, const char *prefix, const char *name)
{
	char full[2 * PREFIX_MAX];
	const struct cat_field *f;

	snprintf(full, sizeof(full), "%s.%s", prefix, name);
	f = catalog_field(c, full, strlen(full));
	return f ? f->slot : 0;
}

static void plan(const struct catalog *c, const struct cat_field *f, struct group *g)
{
	static const char *const texts[] = { "package.name", "package.version", "package.release",
					     "package.source_version", "package.source_release" };
	const char *hashes = strstr(f->name, ".hashes"), *package = strstr(f->name, ".package.");
	const char *end = hashes ? hashes : package;
	char prefix[PREFIX_MAX];

	if (!end || (size_t)(end - f->name) >= sizeof(prefix))
		return;
	snprintf(prefix, sizeof(prefix), "%.*s", (int)(end - f->name), f->name);
	*g = (struct group){ .known = true,
			     .is_hash = hashes,
			     .home = f->home,
			     .path = slot_of(c, prefix, "path"),
			     .inode = slot_of(c, prefix, "inode"),
			     .mount = slot_of(c, prefix, "mount_id"),
			     .changed = slot_of(c, prefix, "change_time"),
			     .mode = slot_of(c, prefix, "mode"),
			     .hashes = slot_of(c, prefix, "hashes"),
			     .epoch = slot_of(c, prefix, "package.epoch"),
			     .source_epoch = slot_of(c, prefix, "package.source_epoch") };
	for (size_t i = 0; i < 5; i++)
		g->pkg[i] = slot_of(c, prefix, texts[i]);
}

int fetch_new(const struct catalog *c, const struct fetch_asked *asked, struct fetch **ret)
{
	struct fetch *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->catalog = c;
	f->asked = *asked;
	f->size_max = FETCH_SIZE_MAX;
	buf_init(&f->told, TOLD_MAX);
	buf_init(&f->scratch, TOLD_MAX);
	f->groups = calloc(c->nfields, sizeof(*f->groups));
	if (!f->groups) {
		free(f);
		return -ENOMEM;
	}
	for (size_t i = 0; i < c->nfields; i++)
		if (c->fields[i].flags & CF_FETCH)
			plan(c, &c->fields[i], &f->groups[i]);
	*ret = f;
	return 0;
}

void fetch_free(struct fetch *f)
{
	if (!f)
		return;
	free(f->groups);
	free(f->mounts);
	buf_done(&f->told);
	buf_done(&f->scratch);
	free(f);
}

unsigned int fetch_wants(const struct program *p)
{
	unsigned int r = 0;

	for (uint32_t i = 0; i < p->nnodes; i++) {
		const struct cat_field *f = &p->catalog->fields[p->nodes[i].a];

		if ((p->nodes[i].op == N_FIELD || p->nodes[i].op == N_CURRENT) && f->flags & CF_FETCH)
			r |= strstr(f->name, ".hashes") ? FETCH_HASHES : FETCH_PACKAGES;
	}
	for (uint32_t i = 0; i < p->nactions; i++)
		r |= p->actions[i].kind == ACT_HASH ? FETCH_HASHES : 0u;
	return r;
}

/* ---- the host's mounts --------------------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
	const struct mount *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* "36 35 98:0 ..." */
static void read_mounts(struct fetch *f)
{
	_cleanup_fclose_ FILE *file = fopen(f->asked.mountinfo, "re");
	char line[4096];
	size_t room = 0;

	f->nmounts = 0;
	while (file && f->nmounts < MOUNTS_MAX && fgets(line, sizeof(line), file)) {
		unsigned long long id;
		unsigned int maj, min;

		if (sscanf(line, "%llu %*u %u:%u", &id, &maj, &min) != 3)
			continue; /* the rest of a long line */
		if (f->nmounts == room) {
			struct mount *more = reallocarray(f->mounts, room ? 2 * room : 64, sizeof(*more));

			if (!more)
				break;
			f->mounts = more;
			room = room ? 2 * room : 64;
		}
		f->mounts[f->nmounts++] = (struct mount){ .id = id, .device = makedev(maj, min) };
	}
	if (f->nmounts)
		qsort(f->mounts, f->nmounts, sizeof(*f->mounts), by_id);
}

/* The device of a mount of the host; 0: it has none of that number. Numbers are used again, so what is known is soon old. */
static uint64_t device_of(struct fetch *f, uint64_t mount)
{
	const struct mount key = { .id = mount };
	const struct mount *m;
	uint64_t now = f->asked.now_ms(f->asked.ctx);

	if (!f->mounts_ms || now - f->mounts_ms > FETCH_AGAIN_MS) {
		f->mounts_ms = now ? now : 1;
		free(f->mounts);
		f->mounts = NULL;
		read_mounts(f);
	}
	m = f->nmounts ? bsearch(&key, f->mounts, f->nmounts, sizeof(key), by_id) : NULL;
	return m ? m->device : 0;
}

/* ---- asking -------------------------------------------------------------------------------------------------------- */

/* Whether there is time left in this second. */
static bool is_time(struct fetch *f, uint64_t *ret_now)
{
	uint64_t now = f->asked.now_ms(f->asked.ctx);

	*ret_now = now;
	if (now - f->second_ms >= 1000) {
		f->second_ms = now;
		f->spent_ms = 0;
	}
	return f->spent_ms < FETCH_SPENT_MS;
}

static bool may_ask(struct fetch *f, uint64_t *ret_now)
{
	if (is_time(f, ret_now))
		return true;
	f->stats.given_up++;
	return false;
}

static void count(struct fetch *f, int error, uint64_t since)
{
	f->spent_ms += f->asked.now_ms(f->asked.ctx) - since;
	f->stats.asked++;
	f->stats.given_up += error == -ETIMEDOUT;
	f->stats.failed += error && error != -ETIMEDOUT;
}

static struct kept *kept_at(struct fetch *f, const struct fetch_file *file, uint64_t changed)
{
	uint64_t h = (file->inode * 0x9e3779b97f4a7c15ull) ^ (changed * 0xc2b2ae3d27d4eb4full) ^ file->device;

	return &f->cache[(h ^ h >> 29) % FETCH_CACHE];
}

/* @at_rest: the file is; @ret_settled: so it was when it was read. */
static int hash_of(struct fetch *f, const struct fetch_file *file, uint64_t changed, bool at_rest,
		   uint8_t sha256[HASH_SIZE], bool *ret_settled)
{
	struct kept *k = kept_at(f, file, changed), was = *k;
	uint64_t now;
	bool known = k->used && k->inode == file->inode && k->device == file->device && k->changed == changed &&
		     (!k->until_ms || f->asked.now_ms(f->asked.ctx) < k->until_ms);

	if (known && (!at_rest || k->settled || k->error || !is_time(f, &now))) {
		f->stats.kept++;
	} else if (!may_ask(f, &now)) {
		return -ETIMEDOUT;
	} else {
		*k = (struct kept){ .inode = file->inode,
				    .device = file->device,
				    .changed = changed,
				    .used = true,
				    .settled = at_rest };
		k->error = f->asked.hash(f->asked.ctx, file, k->sha256);
		count(f, k->error, now);
		if (k->error && known)
			*k = was;
		else if (k->error)
			k->until_ms = f->asked.now_ms(f->asked.ctx) + FETCH_AGAIN_MS;
	}
	memcpy(sha256, k->sha256, HASH_SIZE);
	*ret_settled = k->settled && !k->error;
	return k->error;
}

/* ---- what an event borrows until the next --------------------------------------------------------------------------- */

static struct val text_keep(struct fetch *f, const char *s)
{
	size_t n = strlen(s);
	struct val v = { .s = f->text + f->ntext, .len = (uint32_t)n };

	if (n > TEXT_MAX - f->ntext)
		return (struct val){ .len = 0 };
	memcpy(f->text + f->ntext, s, n);
	f->ntext += n;
	return v;
}

static void put_hash(struct fetch *f, struct val *to, const uint8_t sha256[HASH_SIZE])
{
	char text[sizeof("sha256:") + HASH_HEX_SIZE] = "sha256:";
	struct val v;

	hash_hex(sha256, HASH_SIZE, text + strlen("sha256:"));
	v = text_keep(f, text);
	if (!v.len || f->nlists == DONE_MAX)
		return;
	f->lists[f->nlists] = v;
	*to = (struct val){ .arr = &f->lists[f->nlists++], .len = 1 };
}

/* Values by slot: those of the event, or of a process, whose last ones lie apart. */
struct place {
	const void *whose;
	const struct val *from;
	struct val *to, *more; /* more: slots from SLOT_PROC_SEEN on, or NULL */
};

static struct val *at(const struct place *p, uint16_t slot)
{
	return p->more ? &p->more[slot - SLOT_PROC_SEEN] : &p->to[slot];
}

/* The second time in an event, whatever came of the first. */
static bool is_done(struct fetch *f, const struct place *p, uint16_t slot)
{
	for (size_t i = 0; i < f->ndone; i++)
		if (f->done[i].whose == p->whose && f->done[i].slot == slot)
			return true;
	if (f->ndone == DONE_MAX)
		return true;
	f->done[f->ndone++] = (struct done){ p->whose, slot };
	return false;
}

static void put_package(struct fetch *f, const struct group *g, const struct place *p, const struct fetch_package *k)
{
	for (size_t i = 0; i < 5; i++)
		*at(p, g->pkg[i]) = text_keep(f, k->text[i]);
	at(p, g->epoch)->num = k->epoch;
	at(p, g->source_epoch)->num = k->source_epoch;
}

static int package_of(struct fetch *f, const struct val *path, struct fetch_package *ret)
{
	uint64_t now;
	int r;

	if (!may_ask(f, &now))
		return -ETIMEDOUT;
	r = f->asked.package(f->asked.ctx, path->s, path->len, ret);
	count(f, r, now);
	return r < 0 || ret->text[0][0] ? r : -ENOENT;
}

/* ---- what was looked up, as bytes ---------------------------------------------------------------------------------- */

static bool is_watched(const struct fetch *f)
{
	bool any = false;

	for (int i = 0; i < FETCH_WATCHERS; i++)
		any |= f->watchers[i].fn != NULL;
	return any;
}

static struct buf *down_begin(struct fetch *f, enum kind kind, const struct val *path)
{
	buf_reset(&f->scratch);
	buf_put_u32(&f->scratch, kind);
	buf_put_u32(&f->scratch, path->len);
	buf_put(&f->scratch, path->s, path->len);
	return &f->scratch;
}

static void down_end(struct fetch *f)
{
	for (int i = 0; i < FETCH_WATCHERS && !buf_error(&f->scratch); i++)
		if (f->watchers[i].fn)
			f->watchers[i].fn(f->watchers[i].ctx, f->scratch.data, f->scratch.len);
}

static void take_down_hash(struct fetch *f, const struct val *path, const uint8_t sha256[HASH_SIZE])
{
	if (!is_watched(f))
		return;
	buf_put(down_begin(f, KIND_HASH, path), sha256, HASH_SIZE);
	down_end(f);
}

static void take_down_package(struct fetch *f, const struct val *path, const struct fetch_package *k)
{
	struct buf *b;

	if (!is_watched(f))
		return;
	b = down_begin(f, KIND_PACKAGE, path);
	buf_put_u64(b, (uint64_t)k->epoch);
	buf_put_u64(b, (uint64_t)k->source_epoch);
	for (size_t i = 0; i < 5; i++) {
		buf_put_u32(b, (uint32_t)strlen(k->text[i]));
		buf_put(b, k->text[i], strlen(k->text[i]));
	}
	down_end(f);
}

/* The kind and the path of an entry; the rest of it is in *rd. */
static int entry_begin(struct rd *rd, uint32_t *ret_kind, struct val *ret_path)
{
	const uint8_t *p;
	uint32_t len;

	if (rd_u32(rd, ret_kind) < 0 || *ret_kind < KIND_HASH || *ret_kind > KIND_PACKAGE || rd_u32(rd, &len) < 0 ||
	    rd_bytes(rd, len, &p) < 0)
		return -EBADMSG;
	*ret_path = (struct val){ .s = (const char *)p, .len = len };
	return 0;
}

static int entry_hash(struct rd *rd, uint8_t sha256[HASH_SIZE])
{
	const uint8_t *p;

	if (rd_bytes(rd, HASH_SIZE, &p) < 0 || rd_end(rd) < 0)
		return -EBADMSG;
	memcpy(sha256, p, HASH_SIZE);
	return 0;
}

static int entry_package(struct rd *rd, struct fetch_package *ret)
{
	uint64_t epoch, source_epoch;

	if (rd_u64(rd, &epoch) < 0 || rd_u64(rd, &source_epoch) < 0)
		return -EBADMSG;
	*ret = (struct fetch_package){ .epoch = (int64_t)epoch, .source_epoch = (int64_t)source_epoch };
	for (size_t i = 0; i < 5; i++) {
		const uint8_t *p;
		uint32_t len;

		if (rd_u32(rd, &len) < 0 || len >= sizeof(ret->text[i]) || rd_bytes(rd, len, &p) < 0)
			return -EBADMSG;
		memcpy(ret->text[i], p, len);
	}
	return rd_end(rd);
}

int fetch_watch(struct fetch *f, fetch_fn fn, void *ctx)
{
	for (int i = 0; i < FETCH_WATCHERS; i++) {
		if (f->watchers[i].fn)
			continue;
		f->watchers[i].fn = fn;
		f->watchers[i].ctx = ctx;
		return 0;
	}
	return -EBUSY;
}

void fetch_unwatch(struct fetch *f, const void *ctx)
{
	for (int i = 0; i < FETCH_WATCHERS; i++)
		if (f->watchers[i].ctx == ctx)
			memset(&f->watchers[i], 0, sizeof(f->watchers[i]));
}

int fetch_tell(struct fetch *f, const void *bytes, size_t len)
{
	struct rd rd = rd_of(bytes, len);
	struct fetch_package k;
	uint8_t sha256[HASH_SIZE];
	struct val path;
	uint32_t kind;
	int r;

	f->telling = true;
	if (!bytes)
		return 0;
	if (entry_begin(&rd, &kind, &path) < 0 ||
	    (kind == KIND_HASH ? entry_hash(&rd, sha256) : entry_package(&rd, &k)) < 0)
		return -EBADMSG;
	r = buf_grow(&f->told, len + 4);
	if (r < 0) {
		f->told.error = 0;
		return r;
	}
	buf_put_u32(&f->told, (uint32_t)len);
	return buf_put(&f->told, bytes, len);
}

/* What was told of the path; entries were looked at when they came. */
static bool told(struct fetch *f, enum kind kind, const struct val *path, struct rd *ret)
{
	struct rd all = rd_of(f->told.data, f->told.len);
	uint32_t len, is_kind;
	struct val is;

	while (rd_u32(&all, &len) == 0 && rd_sub(&all, len, ret) == 0)
		if (entry_begin(ret, &is_kind, &is) == 0 && is_kind == kind && is.len == path->len &&
		    (!is.len || memcmp(is.s, path->s, is.len) == 0))
			return true;
	return false;
}

static void fill_told(struct fetch *f, const struct group *g, const struct place *p)
{
	const struct val *path = &p->from[g->path];
	uint8_t sha256[HASH_SIZE];
	struct fetch_package k;
	struct rd rd;

	if (g->is_hash && told(f, KIND_HASH, path, &rd) && entry_hash(&rd, sha256) == 0)
		put_hash(f, at(p, g->hashes), sha256);
	else if (!g->is_hash && told(f, KIND_PACKAGE, path, &rd) && entry_package(&rd, &k) == 0)
		put_package(f, g, p, &k);
}

static void fill(struct fetch *f, const struct group *g, const struct place *p)
{
	const struct val *path = &p->from[g->path];
	struct fetch_file file = { .path = path->s, .len = path->len, .size_max = f->size_max };
	uint64_t changed = (uint64_t)p->from[g->changed].num;
	uint8_t sha256[HASH_SIZE];
	struct fetch_package k = { .epoch = 0 };
	bool own = p->whose == f->ev, settled;

	if (is_done(f, p, g->is_hash ? g->hashes : g->pkg[0]))
		return;
	if (f->telling) {
		fill_told(f, g, p);
		return;
	}
	file.inode = (uint64_t)p->from[g->inode].num;
	file.device = device_of(f, (uint64_t)p->from[g->mount].num);
	if (path->len < 2 || path->s[0] != '/' || !file.inode || !file.device ||
	    (p->from[g->mode].num && !S_ISREG(p->from[g->mode].num))) {
		f->stats.failed++;
		return;
	}
	if (!g->is_hash && package_of(f, path, &k) == 0) {
		put_package(f, g, p, &k);
		take_down_package(f, path, &k);
	} else if (g->is_hash && hash_of(f, &file, changed, own && f->at_rest, sha256, &settled) == 0) {
		put_hash(f, at(p, g->hashes), sha256);
		if (own)
			f->settled = settled;
		take_down_hash(f, path, sha256);
	}
}

/* ---- processes ----------------------------------------------------------------------------------------------------- */

static struct val *overlay_of(struct fetch *f, const struct proc *p)
{
	struct overlay *o;

	for (size_t i = 0; i < f->noverlays; i++)
		if (f->overlays[i].p == p)
			return f->overlays[i].v;
	if (f->noverlays == OVERLAYS || p->more)
		return NULL;
	o = &f->overlays[f->noverlays++];
	memset(o->v, 0, sizeof(o->v));
	o->p = (struct proc *)p; /* for as long as the event is looked at */
	o->p->more = o->v;
	return o->v;
}

static void fill_proc(struct fetch *f, const struct group *g, const struct proc *p)
{
	struct place place = { .whose = p, .from = p ? p->v : NULL };

	if (!p)
		return;
	place.more = overlay_of(f, p);
	if (place.more)
		fill(f, g, &place);
	else
		f->stats.given_up++;
}

/* ---- the event ----------------------------------------------------------------------------------------------------- */

void fetch_begin(struct fetch *f, struct event *ev)
{
	f->ev = ev;
	f->ndone = f->nlists = f->ntext = 0;
	f->at_rest = f->settled = false;
}

void fetch_at_rest(struct fetch *f)
{
	f->at_rest = true;
}

bool fetch_settled(const struct fetch *f)
{
	return f->settled;
}

void fetch_end(struct fetch *f)
{
	for (size_t i = 0; i < f->noverlays; i++)
		f->overlays[i].p->more = NULL;
	f->noverlays = 0;
	f->ev = NULL;
	buf_reset(&f->told);
}

void fetch_field(struct fetch *f, const struct event *ev, uint32_t field)
{
	const struct group *g = &f->groups[field];
	const struct proc *p;

	if (!g->known || ev != f->ev)
		return;
	switch (g->home) {
	case CAT_HOME_EVENT: {
		const struct place place = { .whose = ev, .from = ev->v, .to = f->ev->v };

		fill(f, g, &place);
		return;
	}
	case CAT_HOME_PROC:
		fill_proc(f, g, ev->proc);
		return;
	case CAT_HOME_PARENT:
		fill_proc(f, g, ev->proc ? ev->proc->parent : NULL);
		return;
	case CAT_HOME_TARGET:
		fill_proc(f, g, ev->target);
		return;
	case CAT_HOME_TARGET_PARENT:
		fill_proc(f, g, ev->target ? ev->target->parent : NULL);
		return;
	default:
		break;
	}
	p = g->home == CAT_HOME_TARGET_ANCESTORS ? ev->target : ev->proc;
	for (p = p ? p->parent : NULL; p && f->noverlays < OVERLAYS; p = p->parent)
		fill_proc(f, g, p);
}

bool fetch_hash(struct fetch *f, const struct event *ev, uint32_t path_field, uint64_t size_max)
{
	const char *path = f->catalog->fields[path_field].name;
	char name[PREFIX_MAX + 16];
	const struct cat_field *field;
	struct val v;

	snprintf(name, sizeof(name), "%.*s.hashes", (int)(strlen(path) - strlen(".path")), path);
	field = catalog_field(f->catalog, name, strlen(name));
	if (!field || !(field->flags & CF_FETCH))
		return false;
	f->size_max = size_max && size_max < FETCH_SIZE_MAX ? size_max : FETCH_SIZE_MAX;
	fetch_field(f, ev, catalog_index(f->catalog, field));
	f->size_max = FETCH_SIZE_MAX;
	v = catalog_get(field, ev);
	return v.len > 0;
}

void fetch_stats(const struct fetch *f, struct fetch_stats *ret)
{
	*ret = f->stats;
}
