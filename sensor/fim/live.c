/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/live_impl.h"

#include "lib/watch_io.h"
#include "tamis/event.h"

#include <stdlib.h>
#include <sys/random.h>

#define MS		1000000u
#define BEFORE_NS	10000000u
#define MAPPED_LEAST_NS 200000000u
#define MAPPED_MOST_NS	30000000000u
#define DEBOUNCE_MOST	4 /* a file that is never left alone is looked at after so many times its debounce */

/* ---- names --------------------------------------------------------------------------------------------------------- */

static uint64_t hash_of(const struct live *l, const char *p, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u ^ l->seed;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)p[i]) * 0x100000001b3u;
	return h ^ h >> 29;
}

static struct live_entry **slot_of(struct live *l, const char *path, size_t len)
{
	struct live_entry **at = &l->buckets[hash_of(l, path, len) % LIVE_BUCKETS];

	while (*at && ((*at)->len != len || memcmp((*at)->path, path, len) != 0))
		at = &(*at)->next;
	return at;
}

struct live_entry *live_find(struct live *l, const char *path, size_t len)
{
	return *slot_of(l, path, len);
}

/* ---- processes ----------------------------------------------------------------------------------------------------- */

static struct live_who *who_get(struct live *l, const char *text, uint32_t len)
{
	uint64_t hash = hash_of(l, text, len);
	struct live_who **bucket = &l->whos[hash % LIVE_WHO_BUCKETS], *w;

	for (w = *bucket; w; w = w->next)
		if (w->hash == hash && w->len == len && memcmp(w->text, text, len) == 0) {
			w->refs++;
			return w;
		}
	if (l->who_bytes + len > LIVE_WHO_MAX)
		return NULL;
	w = malloc(sizeof(*w) + len);
	if (!w)
		return NULL;
	*w = (struct live_who){ .next = *bucket, .hash = hash, .refs = 1, .len = len };
	memcpy(w->text, text, len);
	*bucket = w;
	l->who_bytes += len;
	return w;
}

static void who_put(struct live *l, struct live_who *w)
{
	struct live_who **at;

	if (!w || --w->refs)
		return;
	for (at = &l->whos[w->hash % LIVE_WHO_BUCKETS]; *at != w; at = &(*at)->next)
		;
	*at = w->next;
	l->who_bytes -= w->len;
	free(w);
}

/* Oldest first. Several events of one process in a row are one; the oldest gives way. */
static int add_by(struct live *l, struct live_entry *n, const struct live_by *by)
{
	struct live_by *last = n->nby ? &n->by[n->nby - 1] : NULL, *more;

	if (last && last->pid == by->pid && last->start == by->start && last->who == by->who &&
	    last->event == by->event && last->flags == by->flags) {
		last->count += by->count;
		last->time_ns = by->time_ns;
		return 0;
	}
	if (n->nby == LIVE_BY_MAX) {
		who_put(l, n->by[0].who);
		n->more += n->by[0].count;
		l->stats.forgotten++;
		memmove(n->by, n->by + 1, --n->nby * sizeof(n->by[0]));
	} else if (!(n->nby & (n->nby - 1))) { /* grows at powers of two */
		more = realloc(n->by, (n->nby ? 2 * n->nby : 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		n->by = more;
	}
	n->by[n->nby] = *by;
	if (by->who)
		by->who->refs++;
	n->nby++;
	return 0;
}

static void forget_by(struct live *l, struct live_entry *n)
{
	for (uint32_t i = 0; i < n->nby; i++)
		who_put(l, n->by[i].who);
	free(n->by);
	n->by = NULL;
	n->nby = 0;
	n->more = 0;
}

/* ---- the queue: a heap by time ---------------------------------------------------------------------------------------- */

static void heap_set(struct live *l, uint32_t i, struct live_entry *n)
{
	l->heap[i] = n;
	n->at = i + 1;
}

static void heap_up(struct live *l, uint32_t i, struct live_entry *n)
{
	for (; i && l->heap[(i - 1) / 2]->due_ns > n->due_ns; i = (i - 1) / 2)
		heap_set(l, i, l->heap[(i - 1) / 2]);
	heap_set(l, i, n);
}

static void heap_down(struct live *l, uint32_t i, struct live_entry *n)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child + 1 < l->nheap && l->heap[child + 1]->due_ns < l->heap[child]->due_ns)
			child++;
		if (child >= l->nheap || l->heap[child]->due_ns >= n->due_ns)
			break;
		heap_set(l, i, l->heap[child]);
		i = child;
	}
	heap_set(l, i, n);
}

static int enqueue(struct live *l, struct live_entry *n)
{
	if (n->at) {
		heap_down(l, n->at - 1, n); /* it became later, if anything */
		return 0;
	}
	if (l->nheap == l->cap) {
		uint32_t cap = l->cap ? 2 * l->cap : 256;
		struct live_entry **more = realloc(l->heap, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		l->heap = more;
		l->cap = cap;
	}
	heap_up(l, l->nheap++, n);
	return 0;
}

static struct live_entry *dequeue(struct live *l)
{
	struct live_entry *first = l->heap[0], *last = l->heap[--l->nheap];

	first->at = 0;
	if (l->nheap)
		heap_down(l, 0, last);
	return first;
}

/* ---- files --------------------------------------------------------------------------------------------------------- */

static void drop(struct live *l, struct live_entry **slot)
{
	struct live_entry *n = *slot;

	*slot = n->next;
	live_told(l, n, 0, NULL, 0);
	forget_by(l, n);
	free(n);
	l->entries--;
}

/* Room for one more: of files whose change was told, one is forgotten; who touches it next is then the first again. */
static bool make_room(struct live *l)
{
	if (l->entries < LIVE_PATHS_MAX)
		return true;
	for (uint32_t i = 0; i < LIVE_BUCKETS; i++) {
		struct live_entry **slot = &l->buckets[l->hand++ % LIVE_BUCKETS];

		for (; *slot; slot = &(*slot)->next)
			if (!(*slot)->at && !(*slot)->accept && *slot != l->looking) {
				l->stats.forgotten++;
				drop(l, slot);
				return true;
			}
	}
	return false;
}

static int get_entry(struct live *l, const char *path, size_t len, struct live_entry **ret)
{
	struct live_entry *n = live_find(l, path, len);

	if (!n) {
		if (!make_room(l))
			return -ENOSPC;
		n = malloc(sizeof(*n) + len + 1);
		if (!n)
			return -ENOMEM;
		*n = (struct live_entry){ .len = (uint32_t)len };
		memcpy(n->path, path, len);
		n->path[len] = '\0';
		*slot_of(l, path, len) = n;
		l->entries++;
	}
	*ret = n;
	return 0;
}

int live_told(struct live *l, struct live_entry *n, uint8_t kind, const void *fact, size_t len)
{
	uint8_t *copy = len ? malloc(len) : NULL;

	if (len && !copy)
		return -ENOMEM;
	if (len)
		memcpy(copy, fact, len);
	free(n->seen);
	n->seen = copy;
	n->seen_len = (uint32_t)len;
	l->ntold += kind != 0;
	l->ntold -= n->told != 0;
	l->told_changes += kind || n->told;
	n->told = kind;
	return 0;
}

static void schedule(struct live_entry *n, uint64_t now_ns, uint32_t debounce_ms)
{
	uint64_t wait = (uint64_t)debounce_ms * MS, most;

	if (!n->at)
		n->first_ns = now_ns;
	most = n->first_ns + DEBOUNCE_MOST * wait;
	if (!n->at || now_ns + wait > n->due_ns)
		n->due_ns = now_ns + wait < most ? now_ns + wait : most;
}

/* What is watched, and for directories above that, when something came or went with all that is below. */
static int touch_path(struct live *l, const char *path, size_t len, const struct live_by *by, uint64_t now_ns)
{
	const struct watchset_item *w = watchset_find(l->base.watches, path, len == 1 ? 0 : len);
	struct live_entry *n;
	int r;

	if (!w && !(by->flags & TOUCH_TREE))
		return 0;
	r = get_entry(l, path, len, &n);
	if (r < 0)
		return r;
	n->touched_ns = now_ns;
	if (by->flags & TOUCH_MAPPED) {
		n->mapped = by->pid;
		n->mapped_ns = now_ns;
	}
	n->tree |= (by->flags & TOUCH_TREE) != 0;
	r = add_by(l, n, by);
	schedule(n, now_ns, w ? w->watch->debounce_ms : 0);
	return r == 0 ? enqueue(l, n) : r;
}

/* All names of an inode. The kernel side does not tell of each write: after the last that it told of there is one more look. */
static int touch_inode(struct live *l, uint64_t ino, const struct live_by *by, uint64_t now_ns)
{
	uint32_t lo = 0, hi = l->ninodes;
	int r = 0;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (l->inodes[mid].ino < ino)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < l->ninodes && l->inodes[lo].ino == ino && r == 0; lo++) {
		const char *path = (const char *)l->inode_paths.data + l->inodes[lo].path;
		struct live_entry *n;

		r = touch_path(l, path, strlen(path), by, now_ns);
		n = r == 0 ? live_find(l, path, strlen(path)) : NULL;
		if (!n)
			continue;
		if (n->due_ns < now_ns + BEFORE_NS) /* it was told of before it was done */
			r = live_again(l, n, now_ns + BEFORE_NS);
		n->again_ns = now_ns + EV_INODE_AGAIN_NS + 2 * BEFORE_NS;
	}
	return r;
}

static size_t parent_len(const char *path, size_t len)
{
	while (len > 1 && path[len - 1] != '/')
		len--;
	return len > 1 ? len - 1 : len;
}

int live_touch(struct live *l, const struct touch *t, uint64_t now_ns)
{
	struct live_by by = { .who = who_get(l, t->process, t->head.process_len),
			      .time_ns = t->head.time_ns,
			      .start = t->head.start,
			      .pid = t->head.pid,
			      .count = 1,
			      .event = t->head.event,
			      .flags = t->head.flags };
	int r = 0;

	if (t->head.flags & TOUCH_INODE)
		r = touch_inode(l, t->head.inode, &by, now_ns);
	for (int i = 0; i < 2 && r == 0; i++) {
		if (!t->head.path_len[i])
			continue;
		r = touch_path(l, t->path[i], t->head.path_len[i], &by, now_ns);
		if (r == 0 && by.flags & TOUCH_NAMES) {
			struct live_by of_dir = by;

			of_dir.flags &= ~(unsigned int)TOUCH_TREE;
			r = touch_path(l, t->path[i], parent_len(t->path[i], t->head.path_len[i]), &of_dir, now_ns);
		}
	}
	who_put(l, by.who);
	if (r == 0)
		l->stats.touches++;
	else if (r != -ENOSPC)
		l->stats.failures++;
	return r == -ENOSPC ? r : 0;
}

int live_touch_as(struct live *l, const char *path, size_t len, const struct live_entry *like, uint64_t now_ns)
{
	int r = 0;

	for (uint32_t i = 0; i < like->nby && r == 0; i++) {
		struct live_by by = like->by[i];

		by.flags &= ~(unsigned int)TOUCH_TREE;
		r = touch_path(l, path, len, &by, now_ns);
	}
	return r;
}

#define CHECK_EACH 1024

int live_take_check(struct live *l, uint64_t now_ns)
{
	_cleanup_(store_iter_close) struct store_iter *it = NULL;
	struct store_row row;
	struct err e;
	int r = store_iter_open(l->base.store, STORE_CHANGES, l->check_after_len ? l->check_after : NULL,
				l->check_after_len, &it, &e);

	for (int i = 0; i < CHECK_EACH && r == 0 && (r = store_iter_next(it, &row, &e)) > 0; i++) {
		struct live_entry *n;

		r = row.path_len > WATCH_PATH_MAX ? -EBADMSG : get_entry(l, (const char *)row.path, row.path_len, &n);
		if (r == -ENOSPC)
			return 1;
		if (r < 0)
			break;
		memcpy(l->check_after, row.path, row.path_len);
		l->check_after_len = row.path_len;
		if (!n->at && !n->told)
			r = live_again(l, n, now_ns);
		if (i + 1 == CHECK_EACH)
			return 1;
	}
	l->check_after_len = 0;
	l->stats.failures += r < 0;
	l->taken = true;
	return 0;
}

int live_again(struct live *l, struct live_entry *n, uint64_t due_ns)
{
	n->due_ns = due_ns;
	return enqueue(l, n);
}

uint64_t live_due_ns(const struct live *l)
{
	uint64_t due = l->nheap ? l->heap[0]->due_ns : UINT64_MAX, accept = live_accept_due_ns(l);

	return due < accept ? due : accept;
}

static bool is_there(uint32_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u", pid);
	return pid && access(path, F_OK) == 0;
}

/* Looks that nobody's touch asks for: see touch_inode(); and as long as somebody has the file in memory, ever more rarely. */
static void look_again(struct live *l, struct live_entry *n, bool mapped, uint64_t now_ns)
{
	uint64_t due = n->again_ns > now_ns ? n->again_ns : UINT64_MAX, wait = (now_ns - n->mapped_ns) / 4;

	if (!mapped)
		n->mapped = 0;
	wait = wait < MAPPED_LEAST_NS ? MAPPED_LEAST_NS : wait > MAPPED_MOST_NS ? MAPPED_MOST_NS : wait;
	if (mapped && now_ns + wait < due)
		due = now_ns + wait;
	n->again_ns = 0;
	if (now_ns > UINT64_MAX / 2) /* the end: everything that waits is due */
		return;
	if (due != UINT64_MAX && !n->at)
		live_again(l, n, due);
}

bool live_step(struct live *l, uint64_t now_ns, uint64_t time_ns, live_fn fn, void *ctx)
{
	struct live_entry *n;
	bool mapped;

	if (!l->nheap || l->heap[0]->due_ns > now_ns)
		return false;
	n = l->looking = dequeue(l);
	mapped = is_there(n->mapped); /* before the look: what it stores until its end is seen */
	l->stats.looked++;
	if (live_look(l, n, now_ns, time_ns, fn, ctx) < 0)
		l->stats.failures++;
	l->looking = NULL;
	if (!n->at)
		live_read_forget(l, n);
	look_again(l, n, mapped, now_ns);
	if (!n->told && !n->at && !n->accept) /* nobody need be remembered any more */
		drop(l, slot_of(l, n->path, n->len));
	return true;
}

/* ---- beginning and end ------------------------------------------------------------------------------------------------ */

int live_open(const struct live_options *o, struct live **ret, struct err *e)
{
	const struct baseline_options bo = {
		.state_dir = o->state_dir, .root = o->root, .watches = o->watches, .watches_size = o->watches_size
	};
	_cleanup_(live_close) struct live *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_set(e, -ENOMEM, "out of memory");
	l->base.root_fd = l->lock_fd = l->told_fd = -1;
	buf_init(&l->old, STORE_ROW_MAX);
	buf_init(&l->fact, STORE_ROW_MAX);
	buf_init(&l->diff, 64u << 10);
	buf_init(&l->text, 4u << 20);
	buf_init(&l->head, 65536);
	snprintf(l->host, sizeof(l->host), "%s", o->host);
	if (getrandom(&l->seed, sizeof(l->seed), 0) != (ssize_t)sizeof(l->seed))
		return err_set(e, -errno, "no random numbers: %s", strerror(errno));
	r = collect_init(&l->collect, NULL);
	if (r < 0)
		return err_set(e, r, "out of memory");
	r = baseline_open(&bo, STORE_READ, &l->base, e);
	if (r < 0)
		return r;
	if (!l->base.has_head)
		return err_set(e, -ENOENT, "there is no baseline yet; make one by tamisctl fim init --policy BUNDLE");
	/* opens what sqlite opens late: its log, and the memory that it shares with others */
	r = store_get(l->base.store, STORE_FILES, "/", 1, &l->old, NULL, e);
	if (r < 0)
		return r;
	r = live_inodes_open(l, e);
	if (r == 0)
		r = live_known_open(l, o->state_dir, e);
	if (r < 0)
		return r;
	l->lock_fd = store_lock_file(o->state_dir);
	if (l->lock_fd < 0)
		return err_set(e, l->lock_fd, "cannot open the baseline's lock: %s", strerror(-l->lock_fd));
	l->stats.files = l->base.head.files;
	*ret = TAKE_PTR(l);
	return 0;
}

int live_watches(struct live *l, const void *section, size_t size, struct err *e)
{
	struct watchset *set;
	struct watch_list list;
	int r = watch_unpack(section, size, &list, e);

	if (r < 0)
		return r;
	r = watchset_new(&list, &set, e);
	if (r < 0) {
		watch_list_done(&list);
		return r;
	}
	watchset_free(l->base.watches);
	watch_list_done(&l->base.list);
	l->base.watches = set;
	l->base.list = list;
	hash_sha256(section, size, l->base.watches_hash);
	return 0;
}

void live_close(struct live *l)
{
	live_read_close(l);
	live_accept_done(l);
	live_inodes_close(l);
	live_known_close(l);
	pkg_close(l->pkg);
	if (l->lock_fd >= 0)
		close(l->lock_fd);
	if (l->told_fd >= 0)
		close(l->told_fd);
	for (uint32_t i = 0; i < LIVE_BUCKETS; i++)
		while (l->buckets[i])
			drop(l, &l->buckets[i]);
	free(l->heap);
	collect_done(&l->collect);
	if (l->base.root_fd >= 0)
		baseline_close(&l->base);
	buf_done(&l->old);
	buf_done(&l->fact);
	buf_done(&l->diff);
	buf_done(&l->text);
	buf_done(&l->head);
	free(l);
}

void live_stats(const struct live *l, struct live_stats *ret)
{
	*ret = l->stats;
	ret->queued = l->nheap;
	ret->changed = l->ntold;
}
