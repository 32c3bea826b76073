/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/fs.h"

#define FILE_MAX     (16u << 20) /* bytes of /etc/passwd or /etc/group that are looked at */
#define NAMES_MAX    (8u << 20)	 /* bytes of names kept, those of former contents of the files included */
#define POOL	     (16u << 10)
#define NAME_MAX_LEN 255

/* Names live in blocks that are never freed before the table: what was handed out stays good. */
struct pool {
	struct pool *next; /* owned */
	size_t used;
	char bytes[POOL];
};

struct entry {
	const char *name; /* in the pool; NULL: a free place */
	uint32_t id;
	uint32_t len;
};

/* Ids of one kind: open addressing, at most three quarters full. */
struct ids {
	struct entry *entries; /* owned */
	size_t size, used;     /* size is a power of two or 0 */
};

struct source {
	const char *file;
	struct ids ids;
	struct timespec mtime;
	ino_t inode;
	off_t size;
	bool read; /* at least tried once */
};

struct users {
	int etc; /* owned: the directory, so that a replaced file is found by name even after chroot */
	struct source user, group;
	struct pool *pool; /* owned */
	size_t names;
	struct users_stats stats;
};

/* ---- the table of ids ---------------------------------------------------------------------------------------------- */

static size_t id_hash(uint32_t id)
{
	return (size_t)(id * 2654435761u);
}

static struct entry *ids_place(const struct ids *t, uint32_t id)
{
	size_t i = id_hash(id);

	for (;; i++) {
		struct entry *e = &t->entries[i & (t->size - 1)];

		if (!e->name || e->id == id)
			return e;
	}
}

static int ids_grow(struct ids *t)
{
	struct ids bigger = { .size = t->size ? 2 * t->size : 64, .used = t->used };

	bigger.entries = calloc(bigger.size, sizeof(*bigger.entries));
	if (!bigger.entries)
		return -ENOMEM;
	for (size_t i = 0; i < t->size; i++)
		if (t->entries[i].name)
			*ids_place(&bigger, t->entries[i].id) = t->entries[i];
	free(t->entries);
	*t = bigger;
	return 0;
}

static const struct entry *ids_find(const struct ids *t, int64_t id)
{
	const struct entry *e;

	if (!t->size || id < 0 || id > UINT32_MAX)
		return NULL;
	e = ids_place(t, (uint32_t)id);
	return e->name ? e : NULL;
}

/* ---- names --------------------------------------------------------------------------------------------------------- */

static const char *pool_put(struct users *u, const char *name, size_t len)
{
	char *p;

	if (len + 1 > POOL || u->names + len + 1 > NAMES_MAX)
		return NULL;
	if (!u->pool || POOL - u->pool->used < len + 1) {
		struct pool *more = malloc(sizeof(*more));

		if (!more)
			return NULL;
		more->next = u->pool;
		more->used = 0;
		u->pool = more;
	}
	p = u->pool->bytes + u->pool->used;
	memcpy(p, name, len);
	p[len] = 0;
	u->pool->used += len + 1;
	u->names += len + 1;
	return p;
}

/* Puts one id into @t; its name is taken over from @old where it is the same. The first line of an id counts, as in getpwuid. */
static bool ids_put(struct users *u, struct ids *t, const struct ids *old, uint32_t id, const char *name, size_t len)
{
	const struct entry *was = ids_find(old, id);
	struct entry *e;

	if (t->used >= USERS_MAX)
		return false;
	if (4 * (t->used + 1) > 3 * t->size && ids_grow(t) < 0)
		return false;
	e = ids_place(t, id);
	if (e->name)
		return true;
	if (was && was->len == len && memcmp(was->name, name, len) == 0)
		e->name = was->name;
	else
		e->name = pool_put(u, name, len);
	if (!e->name)
		return false;
	e->id = id;
	e->len = (uint32_t)len;
	t->used++;
	return true;
}

/* ---- the files ----------------------------------------------------------------------------------------------------- */

/* "name:password:id:..." with a decimal id; false where it is not that. */
static bool line_parse(const char *line, size_t len, size_t *ret_name_len, uint32_t *ret_id)
{
	const char *end = line + len, *colon = memchr(line, ':', len), *p;
	uint64_t id = 0;

	if (!colon || colon == line || colon - line > NAME_MAX_LEN)
		return false;
	p = memchr(colon + 1, ':', (size_t)(end - colon - 1));
	if (!p || ++p == end || *p < '0' || *p > '9')
		return false;
	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		id = 10 * id + (uint64_t)(*p - '0');
		if (id > UINT32_MAX)
			return false;
	}
	if (p < end && *p != ':')
		return false;
	*ret_name_len = (size_t)(colon - line);
	*ret_id = (uint32_t)id;
	return true;
}

static void source_parse(struct users *u, struct source *s, const char *text, size_t len)
{
	struct ids fresh = { 0 };

	while (len) {
		const char *nl = memchr(text, '\n', len);
		size_t line = nl ? (size_t)(nl - text) : len, name_len;
		uint32_t id;

		/* '+' and '-' lines switch to a name service: none of ours */
		if (line && *text != '#' && *text != '+' && *text != '-')
			if (!line_parse(text, line, &name_len, &id) || !ids_put(u, &fresh, &s->ids, id, text, name_len))
				u->stats.dropped++;
		line += nl != NULL;
		text += line;
		len -= line;
	}
	free(s->ids.entries);
	s->ids = fresh;
}

static int source_read(struct users *u, struct source *s)
{
	_cleanup_close_ int fd = openat(u->etc, s->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		return -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	n = fs_read(fd, text, (size_t)st.st_size);
	if (n < 0)
		return (int)n;
	source_parse(u, s, text, (size_t)n);
	s->mtime = st.st_mtim;
	s->inode = st.st_ino;
	s->size = st.st_size;
	return 0;
}

static bool source_changed(const struct users *u, const struct source *s)
{
	struct stat st;

	if (!s->read)
		return true;
	if (fstatat(u->etc, s->file, &st, 0) < 0)
		return false;
	return st.st_mtim.tv_sec != s->mtime.tv_sec || st.st_mtim.tv_nsec != s->mtime.tv_nsec ||
	       st.st_ino != s->inode || st.st_size != s->size;
}

static bool source_refresh(struct users *u, struct source *s)
{
	bool again = s->read;

	if (!source_changed(u, s))
		return false;
	s->read = true;
	if (source_read(u, s) < 0) {
		u->stats.failures++;
		return false;
	}
	u->stats.reloads += again;
	return true;
}

int users_refresh(struct users *u)
{
	bool users = u->etc >= 0 && source_refresh(u, &u->user);
	bool groups = u->etc >= 0 && source_refresh(u, &u->group);

	return users || groups;
}

int users_new(const char *etc, struct users **ret)
{
	struct users *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return -ENOMEM;
	u->user.file = "passwd";
	u->group.file = "group";
	u->etc = etc ? open(etc, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (etc && u->etc < 0) {
		r = -errno;
		users_free(u);
		return r;
	}
	users_refresh(u);
	*ret = u;
	return 0;
}

void users_free(struct users *u)
{
	if (!u)
		return;
	while (u->pool) {
		struct pool *next = u->pool->next;

		free(u->pool);
		u->pool = next;
	}
	free(u->user.ids.entries);
	free(u->group.ids.entries);
	if (u->etc >= 0)
		close(u->etc);
	free(u);
}

static const char *ids_name(const struct ids *t, int64_t id, uint32_t *ret_len)
{
	const struct entry *e = ids_find(t, id);

	*ret_len = e ? e->len : 0;
	return e ? e->name : "";
}

const char *users_user(const struct users *u, int64_t uid, uint32_t *ret_len)
{
	return ids_name(&u->user.ids, uid, ret_len);
}

const char *users_group(const struct users *u, int64_t gid, uint32_t *ret_len)
{
	return ids_name(&u->group.ids, gid, ret_len);
}

void users_save(const struct users *u, bool groups, struct buf *out)
{
	const struct ids *t = groups ? &u->group.ids : &u->user.ids;

	for (size_t i = 0; i < t->size; i++)
		if (t->entries[i].name)
			buf_printf(out, "%s:x:%u:\n", t->entries[i].name, t->entries[i].id);
}

void users_load(struct users *u, bool groups, const char *text, size_t len)
{
	source_parse(u, groups ? &u->group : &u->user, text, len);
}

void users_stats(const struct users *u, struct users_stats *ret)
{
	*ret = u->stats;
	ret->users = u->user.ids.used;
	ret->groups = u->group.ids.used;
}
