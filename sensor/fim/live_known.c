/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/live_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sensor/fim/baseline_impl.h"

#define SEALED	  "told"
#define KNOWN_MAX 65536u
#define EACH_NS	  10000000000u /* between two writes to the database, and between two looks at all inodes */

/* ---- what a state is ---------------------------------------------------------------------------------------------------- */

static void key_of(const struct live_entry *n, uint8_t ret[8])
{
	uint8_t digest[HASH_SIZE];

	hash_sha256(n->path, n->len, digest);
	memcpy(ret, digest, 8);
}

/* Of what the watch compares, and no more: what else there is may be another one at each look. */
static int state_of(uint8_t kind, const struct fact *f, uint32_t attrs, uint8_t ret[16])
{
	const struct fact_time never = { 0 };
	uint8_t digest[HASH_SIZE];
	struct fact same;
	struct buf b;
	int r = 0;

	buf_init(&b, STORE_ROW_MAX);
	buf_putc(&b, kind);
	if (f) {
		same = *f;
		same.have &= attrs;
		same.device = 0;
		if (!(attrs & WATCH_INODE))
			same.inode = 0;
		if (!(attrs & WATCH_LINKS))
			same.links = 0;
		if (!(attrs & WATCH_MTIME))
			same.mtime = never;
		if (!(attrs & WATCH_CTIME))
			same.ctime = never;
		if (f->type == FACT_DIR && !(attrs & WATCH_SIZE))
			same.size = 0;
		r = fact_put(&same, &b);
	}
	hash_sha256(b.data, b.len, digest);
	memcpy(ret, digest, 16);
	r = r < 0 ? r : buf_error(&b);
	buf_done(&b);
	return r;
}

/* ---- what was told before the start ------------------------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
	return memcmp(((const struct live_known *)a)->path, ((const struct live_known *)b)->path, 8);
}

static void seal_of(const struct live *l, const void *p, size_t n, uint8_t ret[SEAL_SIZE])
{
	merkle_hash leaf;

	seal_leaf(SEALED, strlen(SEALED), p, n, leaf);
	seal_row(&l->base.seal, leaf, ret);
}

/* What was edited, or half written, is as if it were not there: it is told again. */
static void load(struct live *l)
{
	uint8_t seal[SEAL_SIZE];
	struct stat st;
	uint8_t *p;
	size_t n;

	if (fstat(l->told_fd, &st) < 0 || st.st_size <= SEAL_SIZE || st.st_size > STORE_ROW_MAX ||
	    (st.st_size - SEAL_SIZE) % (off_t)sizeof(*l->known))
		return;
	n = (size_t)st.st_size - SEAL_SIZE;
	p = malloc(n + SEAL_SIZE);
	if (p && pread(l->told_fd, p, n + SEAL_SIZE, 0) == (ssize_t)(n + SEAL_SIZE)) {
		seal_of(l, p, n, seal);
		if (memcmp(seal, p + n, SEAL_SIZE) == 0) {
			l->known = (void *)TAKE_PTR(p);
			l->nknown = (uint32_t)(n / sizeof(*l->known));
			qsort(l->known, l->nknown, sizeof(*l->known), by_path);
		}
	}
	free(p);
}

int live_known_open(struct live *l, const char *state_dir, struct err *e)
{
	char path[4096];
	int r;

	snprintf(path, sizeof(path), "%s/" LIVE_TOLD_FILE, state_dir);
	l->told_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (l->told_fd < 0)
		return err_sys(e, -errno, "cannot open", path);
	load(l);
	r = store_note_get(l->base.store, "head", &l->head, e);
	return r < 0 ? r : 0;
}

void live_known_close(struct live *l)
{
	free(l->known);
	l->known = NULL;
	l->nknown = 0;
}

static struct live_known *find(const struct live *l, const struct live_entry *n)
{
	struct live_known k;

	if (!l->nknown)
		return NULL;
	key_of(n, k.path);
	return bsearch(&k, l->known, l->nknown, sizeof(k), by_path);
}

bool live_known(const struct live *l, const struct live_entry *n, uint8_t kind, const struct fact *f, uint32_t attrs)
{
	const struct live_known *k = find(l, n);
	uint8_t state[16];

	return k && state_of(kind, f, attrs, state) == 0 && memcmp(state, k->state, sizeof(state)) == 0;
}

void live_known_drop(struct live *l, const struct live_entry *n)
{
	struct live_known *k = find(l, n);

	if (k)
		memset(k->state, 0, sizeof(k->state));
}

/* ---- what is told now --------------------------------------------------------------------------------------------------- */

static int put_entry(struct live *l, const struct live_entry *n, struct buf *b)
{
	const struct watchset_item *w = watchset_find(l->base.watches, n->path, n->len == 1 ? 0 : n->len);
	struct live_known k;
	struct fact f;

	if (!w || (n->seen_len && fact_read(n->seen, n->seen_len, &f) < 0) ||
	    state_of(n->told, n->seen_len ? &f : NULL, w->watch->attrs, k.state) < 0)
		return 0;
	key_of(n, k.path);
	return buf_put(b, &k, sizeof(k));
}

/* Those that nobody has looked at since the start are known still. */
static int put_all(struct live *l, struct buf *b)
{
	const uint8_t dropped[16] = { 0 };
	uint8_t seal[SEAL_SIZE];
	uint32_t n = 0;
	int r = 0;

	for (uint32_t i = 0; i < l->nknown && r == 0; i++)
		if (memcmp(l->known[i].state, dropped, sizeof(dropped)) != 0 && n++ < KNOWN_MAX)
			r = buf_put(b, &l->known[i], sizeof(l->known[i]));

	for (uint32_t i = 0; i < LIVE_BUCKETS && r == 0; i++)
		for (const struct live_entry *x = l->buckets[i]; x && r == 0; x = x->next)
			if (x->told && n++ < KNOWN_MAX)
				r = put_entry(l, x, b);
	seal_of(l, b->data, b->len, seal);
	return r < 0 ? r : buf_put(b, seal, sizeof(seal));
}

/* What cannot be kept is told again, which is no harm. */
void live_save(struct live *l)
{
	struct buf b;

	if (l->told_changes == l->told_saved)
		return;
	buf_init(&b, STORE_ROW_MAX);
	if (put_all(l, &b) == 0 && pwrite(l->told_fd, b.data, b.len, 0) == (ssize_t)b.len &&
	    ftruncate(l->told_fd, (off_t)b.len) == 0)
		l->told_saved = l->told_changes;
	buf_done(&b);
}

/* ---- each second -------------------------------------------------------------------------------------------------------- */

/* What somebody else (tamisctl fim accept, or init) did to the baseline shows in its head. */
static void see_head(struct live *l, uint64_t now_ns)
{
	struct buf b;
	struct err e;

	buf_init(&b, 65536);
	if (store_note_get(l->base.store, "head", &b, &e) > 0 &&
	    (b.len != l->head.len || memcmp(b.data, l->head.data, b.len) != 0) &&
	    baseline_read_head(&l->base, &e) == 0) {
		for (uint32_t i = 0; i < LIVE_BUCKETS; i++)
			for (struct live_entry *n = l->buckets[i]; n; n = n->next)
				if (n->told && !n->at && !n->accept)
					live_again(l, n, now_ns);
		buf_reset(&l->head);
		buf_put(&l->head, b.data, b.len);
		l->stats.files = l->base.head.files;
		l->inodes_old = true;
	}
	buf_done(&b);
}

bool live_tick(struct live *l, uint64_t now_ns)
{
	struct err e;

	see_head(l, now_ns);
	if (!l->nheap)
		live_packages(l);
	if (l->taken && !l->nheap)
		live_known_close(l); /* what still differs is among the entries now */
	if (now_ns - l->saved_ns >= EACH_NS) {
		l->saved_ns = now_ns;
		live_save(l);
	}
	if (!l->inodes_old || now_ns - l->inodes_ns < EACH_NS)
		return false;
	l->inodes_old = false;
	l->inodes_ns = now_ns;
	return live_inodes_open(l, &e) == 0;
}
