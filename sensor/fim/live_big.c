/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A large file is read by a thread, so that those that are small need not wait for it, nor the messages about them, which would be
 * dropped at last. One is read at a time. Nobody waits for the thread: the file's entry comes up again and again until it is done.
 */
#include "sensor/fim/live_impl.h"

#include <fcntl.h>
#include <sys/stat.h>

#define LARGE (8u << 20)

static void *run(void *arg)
{
	struct live_big *b = arg;

	b->result = collect_file(&b->collect, b->dir_fd, b->name, DT_REG, &b->want, &b->found);
	atomic_store(&b->done, true);
	return NULL;
}

/* The thread has ended, or there was none. */
static void reap(struct live_big *b)
{
	if (!b->running)
		return;
	pthread_join(b->thread, NULL);
	close(b->dir_fd);
	b->running = false;
}

static int start(struct live_big *b, struct live_entry *n, int dir_fd, const char *name,
		 const struct collect_want *want, uint64_t now_ns)
{
	if (!b->collect.data) {
		int r = collect_init(&b->collect, NULL);

		if (r < 0)
			return r;
		b->collect.stop = &b->stop;
	}
	b->want = *want;
	if (want->old) {
		b->old = *want->old; /* but not what it borrows: only size and hash are asked for */
		b->old.target = b->old.xattrs = NULL;
		b->old.target_len = b->old.xattrs_len = 0;
		b->want.old = &b->old;
	}
	snprintf(b->name, sizeof(b->name), "%s", name);
	b->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	if (b->dir_fd < 0)
		return -errno;
	atomic_store(&b->done, false);
	if (pthread_create(&b->thread, NULL, run, b) != 0) {
		close(b->dir_fd);
		return -EAGAIN;
	}
	b->running = true;
	b->n = n;
	b->start_ns = now_ns;
	return -EINPROGRESS;
}

int live_read(struct live *l, struct live_entry *n, int dir_fd, const char *name, const struct collect_want *want,
	      uint64_t now_ns, struct collect_found *ret)
{
	struct live_big *b = &l->big;
	struct stat st;
	bool is = fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	bool large = is && S_ISREG(st.st_mode) && st.st_size > LARGE && want->attrs & WATCH_CONTENT &&
		     strlen(name) < sizeof(b->name);
	int r;

	if (b->running && !atomic_load(&b->done))
		return large || b->n == n ? -EINPROGRESS
					  : collect_file(&l->collect, dir_fd, name, DT_UNKNOWN, want, ret);
	reap(b);
	if (b->n == n) {
		b->n = NULL;
		if (is && b->result == 0 && b->found.fact.inode == st.st_ino) {
			*ret = b->found;
			return n->touched_ns > b->start_ns ? 1 : 0;
		}
	}
	r = large ? start(b, n, dir_fd, name, want, now_ns) : -EAGAIN;
	return r == -EINPROGRESS ? r : collect_file(&l->collect, dir_fd, name, DT_UNKNOWN, want, ret);
}

void live_read_forget(struct live *l, const struct live_entry *n)
{
	if (l->big.n == n)
		l->big.n = NULL;
}

void live_read_close(struct live *l)
{
	l->big.stop = 1;
	reap(&l->big);
	collect_done(&l->big.collect);
}
