/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/hash_proc.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/log.h"
#include "sensor/fim/collect.h"
#include "sensor/load/inodes.h"
#include "sensor/fim/pkg_names.h"
#include "sensor/priv/clock.h"
#include "sensor/priv/recycle.h"

#define TICK_NS	      1000000000ull
#define MESSAGES_EACH 16
#define LOOKS_EACH    32	 /* files looked at before messages get their turn */
#define FINDINGS_HIGH (1u << 20) /* of findings that wait: look at no more files for now */
#define FINDINGS_MAX  (FINDINGS_HIGH + LOOKS_EACH * (MSG_BYTES_MAX + 64))
#define FLUSH_MS      3000
#define SCAN_EACH_S   86400 /* and when there was a reason: events were lost, the process was started anew */
#define SCAN_RETRY_S  600

/* Where a finding in the box begins: its message's body follows. */
struct boxed {
	uint32_t size; /* of the body */
	uint32_t pad;
};

struct hash_proc {
	struct chan monitor, engine; /* engine.fd -1 between one engine process and the next */
	struct hash_page *page;
	struct live *live; /* owned; NULL: there is no baseline */
	struct collect collect;
	struct pkg_names *packages; /* owned; NULL: no memory */
	const char *state;
	int root_fd;
	struct stat baseline; /* the file that is open */
	struct stat last;     /* the same file, a second ago */

	uint8_t *touches; /* owned: a message that there was no room for; NULL: none */
	size_t ntouches, off;

	struct buf box; /* owned: findings that the engine has not acknowledged */
	size_t acked, sent;
	uint64_t last_id;

	pid_t scan; /* 0: none runs */
	bool take_check;
	uint64_t scan_due_ns, scans;

	uint64_t tick_ns, hashes;
	bool stop, again, flush;
	uint64_t flush_ns;
	_Alignas(8) uint8_t buf[MSG_BYTES_MAX];
};

/* ---- findings ------------------------------------------------------------------------------------------------------ */

static void put_finding(void *ctx, const char *head, size_t head_len, const char *tail, size_t tail_len)
{
	struct hash_proc *p = ctx;
	const struct alert_text text = { head, tail, (uint32_t)head_len, (uint32_t)tail_len };
	const uint32_t size = ALERT_TEXT_SIZE(text.head_len, text.tail_len);
	const struct msg_finding id = { ++p->last_id };
	const struct boxed boxed = { .size = sizeof(id) + size };
	size_t before = p->box.len;

	buf_put(&p->box, &boxed, sizeof(boxed));
	buf_put(&p->box, &id, sizeof(id));
	if (buf_grow(&p->box, size) < 0) {
		log_err("no memory for the alert that a file has changed; the next scan finds it");
		buf_truncate(&p->box, before);
		p->box.error = 0;
		return;
	}
	alert_text_put(p->box.data + p->box.len, &text);
	p->box.len += size;
	while (p->box.len % 8)
		buf_putc(&p->box, 0);
}

static size_t boxed_end(const struct hash_proc *p, size_t off)
{
	struct boxed b;

	memcpy(&b, p->box.data + off, sizeof(b));
	return off + ((sizeof(b) + b.size + 7) & ~(size_t)7);
}

static uint64_t boxed_id(const struct hash_proc *p, size_t off)
{
	struct msg_finding id;

	memcpy(&id, p->box.data + off + sizeof(struct boxed), sizeof(id));
	return id.id;
}

static void engine_gone(struct hash_proc *p)
{
	chan_close(&p->engine);
	p->sent = p->acked; /* whoever comes next gets them again */
	p->flush = false;
}

static void send_findings(struct hash_proc *p)
{
	while (p->engine.fd >= 0 && p->sent < p->box.len) {
		struct boxed b;
		int r;

		memcpy(&b, p->box.data + p->sent, sizeof(b));
		r = chan_send(&p->engine, MSG_FINDING, p->box.data + p->sent + sizeof(b), b.size, -1);
		if (r == -EAGAIN)
			return;
		if (r < 0)
			engine_gone(p);
		else
			p->sent = boxed_end(p, p->sent);
	}
}

static int on_finding_ok(void *ctx, struct msg *m)
{
	struct hash_proc *p = ctx;
	struct msg_finding ok;

	memcpy(&ok, m->body, sizeof(ok));
	while (p->acked < p->sent && boxed_id(p, p->acked) <= ok.id)
		p->acked = boxed_end(p, p->acked);
	if (p->acked == p->box.len) {
		p->acked = p->sent = 0;
		recycle(&p->box);
	} else if (p->acked > FINDINGS_HIGH / 2) {
		memmove(p->box.data, p->box.data + p->acked, p->box.len - p->acked);
		buf_truncate(&p->box, p->box.len - p->acked);
		p->sent -= p->acked;
		p->acked = 0;
	}
	return 0;
}

/* ---- touches ------------------------------------------------------------------------------------------------------- */

/* Those of a message, as far as there is room. What is left waits, and no other message is taken before. */
static int take_touches(struct hash_proc *p, const void *body, size_t size, size_t *off)
{
	uint64_t now = clock_mono_ns();
	struct touch t;
	size_t before;
	int r;

	for (before = *off; (r = touch_next(body, size, off, &t)) == 1; before = *off)
		if (p->live && live_touch(p->live, &t, now) == -ENOSPC) {
			*off = before;
			return -ENOSPC;
		}
	return r;
}

static int on_touches(void *ctx, struct msg *m)
{
	struct hash_proc *p = ctx;
	size_t off = 0;
	int r = take_touches(p, m->body, m->len, &off);

	if (r != -ENOSPC)
		return r;
	p->touches = malloc(m->len - off);
	if (!p->touches)
		return -ENOMEM;
	memcpy(p->touches, (const char *)m->body + off, m->len - off);
	p->ntouches = m->len - off;
	p->off = 0;
	return 0;
}

static void take_rest(struct hash_proc *p)
{
	if (!p->touches || take_touches(p, p->touches, p->ntouches, &p->off) == -ENOSPC)
		return;
	free(p->touches);
	p->touches = NULL;
}

static int on_flush(void *ctx, struct msg *m)
{
	struct hash_proc *p = ctx;

	p->flush = true;
	p->flush_ns = clock_mono_ns();
	return 0;
}

static void look(struct hash_proc *p)
{
	uint64_t now = clock_mono_ns();

	for (int i = 0; i < LOOKS_EACH && p->live && p->box.len - p->acked < FINDINGS_HIGH; i++)
		if (!live_step(p->live, p->flush ? UINT64_MAX - 1 : now, clock_real_ns(), put_finding, p))
			return;
}

/* Nothing waits, or it takes too long: what is left is found by the scan at the next start. */
static void end_flush(struct hash_proc *p)
{
	bool waits = p->touches || p->box.len > p->acked || (p->live && live_due_ns(p->live) != UINT64_MAX);

	if (!p->flush || (waits && clock_mono_ns() - p->flush_ns < FLUSH_MS * 1000000ull))
		return;
	p->flush = false;
	if (p->live)
		live_save(p->live); /* once that is said, we may be killed */
	if (p->engine.fd >= 0)
		chan_send_wait(&p->engine, MSG_FLUSHED, NULL, 0, NULL, 0, -1, 100);
}

/* ---- hashes on request ------------------------------------------------------------------------------------------------- */

static int hash_file(struct hash_proc *p, const struct msg_hash *q, const char *path, size_t len,
		     struct msg_hash_ok *ret)
{
	const struct collect_want want = { .attrs = WATCH_CONTENT | WATCH_SIZE };
	struct collect_found found;
	_cleanup_close_ int dir = -1;
	const char *name;
	struct stat st;
	int r = len < 2 || path[0] != '/' ? -EINVAL : collect_open_dir(p->root_fd, path, len, &dir, &name);

	if (r < 0)
		return r;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((uint64_t)st.st_size > q->size_max)
		return -EFBIG;
	r = collect_file(&p->collect, dir, name, DT_REG, &want, &found);
	if (r < 0)
		return r;
	if (q->inode && (found.fact.inode != q->inode || (q->device && found.fact.device != q->device)))
		return -ESTALE;
	if (!found.fact.hashed)
		return found.fact.unread == FACT_CHANGING ? -EBUSY : found.fact.unread == FACT_DENIED ? -EACCES : -EIO;
	ret->size = found.fact.size;
	memcpy(ret->sha256, found.fact.sha256, sizeof(ret->sha256));
	return 0;
}

static int on_hash(void *ctx, struct msg *m)
{
	struct hash_proc *p = ctx;
	struct msg_hash_ok ok = { 0 };
	struct msg_hash q;
	char path[4096];
	size_t len = m->len - sizeof(q);

	memcpy(&q, m->body, sizeof(q));
	memcpy(path, (const char *)m->body + sizeof(q), len);
	path[len] = '\0';
	ok.id = q.id;
	ok.error = strlen(path) == len ? hash_file(p, &q, path, len, &ok) : -EINVAL;
	p->hashes++;
	return chan_send_wait(&p->engine, MSG_HASH_OK, &ok, sizeof(ok), NULL, 0, -1, 1000);
}

/* ---- packages on request ------------------------------------------------------------------------------------------------- */

static int on_package(void *ctx, struct msg *m)
{
	struct hash_proc *p = ctx;
	struct msg_package_ok ok = { 0 };
	struct msg_package q;
	struct pkg_info i;
	char texts[2048];
	size_t len = 0;
	bool found;

	memcpy(&q, m->body, sizeof(q));
	ok.id = q.id;
	found = p->packages && pkg_names_of(p->packages, (const char *)m->body + sizeof(q), m->len - sizeof(q),
					    clock_mono_ns() / TICK_NS, &i);
	if (m->len == sizeof(q))
		return 0;
	if (found) {
		const char *const all[MSG_PACKAGE_TEXTS] = { i.name, i.version, i.release, i.source_version,
							     i.source_release };

		for (size_t k = 0; k < MSG_PACKAGE_TEXTS; k++)
			len += (size_t)snprintf(texts + len, 256, "%s", all[k]) < 256 ? strlen(texts + len) + 1 : 256;
		ok.epoch = i.epoch;
		ok.source_epoch = i.source_epoch;
	}
	return chan_send_wait(&p->engine, MSG_PACKAGE_OK, &ok, sizeof(ok), texts, len, -1, 1000);
}

/* ---- the scan at the beginning ------------------------------------------------------------------------------------------- */

/*
 * A process of its own compares all files with the baseline: it takes long, and what it finds lies in the database. Its
 * rights are this process's, given up when its database is open.
 */
struct scan_ctx {
	enum confine_mode mode;
};

static int confine_reader(enum confine_mode mode, struct err *e)
{
	struct confine_user user;
	int r;

	confine_user(ROLE_HASH, &user);
	r = confine_drop_to_reader(&user, e);
	if (r < 0)
		return r;
	confine_memory();
	return confine_syscalls(ROLE_HASH, mode, e);
}

static int scan_opened(void *ctx, struct err *e)
{
	return confine_reader(((struct scan_ctx *)ctx)->mode, e);
}

static int scan_main(const struct hash_args *a)
{
	struct scan_ctx ctx = { a->mode };
	const struct baseline_options o = { .state_dir = a->state,
					    .root = "/",
					    .watches = a->watches,
					    .watches_size = a->watches_size,
					    .fresh = true,
					    .opened = scan_opened,
					    .opened_ctx = &ctx,
					    .idle = true };
	struct baseline_counts c = { 0 };
	struct err e = { "" };
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "tamisd-scan");
	r = baseline_check(&o, NULL, &c, &e);
	if (r < 0)
		log_warn("files were not compared with the baseline: %s", e.msg);
	else if (c.edited || c.root_bad)
		log_err("the baseline was edited: %llu of its rows were not made by us", (unsigned long long)c.edited);
	return r == 0 ? EXIT_SUCCESS : r == -EBUSY ? HASH_AGAIN : EXIT_FAILURE;
}

static void start_scan(struct hash_proc *p, const struct hash_args *a)
{
	p->scan_due_ns = clock_mono_ns() + SCAN_EACH_S * 1000000000ull;
	p->scan = fork();
	if (p->scan == 0)
		_exit(scan_main(a));
	if (p->scan < 0)
		log_warn("cannot start a scan: %s", strerror(errno));
}

/* When it has ended, what it found is told. Another one is a matter of the next hash process, as it takes rights. */
static void check_scan(struct hash_proc *p)
{
	int status;

	if (p->scan > 0 && waitpid(p->scan, &status, WNOHANG) == p->scan) {
		p->scan = 0;
		p->take_check = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
		if (!p->take_check)
			p->scan_due_ns = clock_mono_ns() + SCAN_RETRY_S * 1000000000ull;
		p->scans++;
	}
	if (clock_mono_ns() >= p->scan_due_ns && !p->scan && !p->flush)
		p->again = true;
}

/* ---- the monitor ------------------------------------------------------------------------------------------------------- */

static int on_link(void *ctx, struct msg *m)
{
	struct hash_proc *p = ctx;

	engine_gone(p);
	p->engine.fd = TAKE_FD(m->fd);
	return 0;
}

static int on_watches(void *ctx, struct msg *m)
{
	struct hash_proc *p = ctx;
	struct err e = { "" };
	struct stat st;
	void *map;

	if (fstat(m->fd, &st) < 0 || st.st_size <= 0)
		return -EPROTO;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, m->fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	if (!p->live)
		p->again = true; /* there were none before: a baseline is to be opened */
	else if (live_watches(p->live, map, (size_t)st.st_size, &e) < 0)
		log_err("the watches of the new policy are not in force: %s", e.msg);
	munmap(map, (size_t)st.st_size);
	return 0;
}

static int on_stop(void *ctx, struct msg *m)
{
	struct hash_proc *p = ctx;

	p->stop = true;
	return 0;
}

static const msg_handler from_monitor[MSG_TYPES] = {
	[MSG_STOP] = on_stop,
	[MSG_LINK] = on_link,
	[MSG_WATCHES] = on_watches,
};

static const msg_handler from_engine[MSG_TYPES] = {
	[MSG_TOUCHES] = on_touches, [MSG_FINDING_OK] = on_finding_ok, [MSG_FLUSH] = on_flush,
	[MSG_HASH] = on_hash,	    [MSG_PACKAGE] = on_package,
};

/* ---- the loop ------------------------------------------------------------------------------------------------------ */

/* A baseline came, went, or was replaced: it has to be opened, which takes rights that are gone. */
static void check_baseline(struct hash_proc *p)
{
	char path[4200];
	struct stat st = { 0 };
	bool is = snprintf(path, sizeof(path), "%s/" STORE_FILE, p->state) < (int)sizeof(path) && stat(path, &st) == 0;

	if (p->live)
		p->again = !is || st.st_ino != p->baseline.st_ino || st.st_dev != p->baseline.st_dev;
	else /* there is one, other than the one that could not be used, and it is not being made any more */
		p->again = is && p->last.st_size == st.st_size && p->last.st_mtime == st.st_mtime &&
			   (st.st_size != p->baseline.st_size || st.st_mtime != p->baseline.st_mtime);
	p->last = st;
}

static void commit(struct hash_proc *p)
{
	struct live_stats s = { 0 };

	if (p->live)
		live_stats(p->live, &s);
	p->page->live = s;
	p->page->baseline = s.files;
	p->page->waiting = p->box.len - p->acked;
	p->page->hashes = p->hashes;
	p->page->scans = p->scans;
	p->page->scanning = p->scan > 0;
	__atomic_store_n(&p->page->commits, p->page->commits + 1, __ATOMIC_RELEASE);
}

/* The kernel side is told which inodes those are. Waits for the monitor, which takes them as fast as it can. */
static void send_inodes(struct hash_proc *p)
{
	struct msg_inodes what = { .clear = 1 };
	struct inode_watch *v = (void *)p->buf;
	const uint32_t each = (MSG_BODY_MAX - sizeof(what)) / sizeof(*v);
	uint32_t n = 0, total = 1;

	for (uint32_t i = 0; i < total; i += n) {
		for (n = 0; n < each; n++) {
			v[n] = (struct inode_watch){ 0 };
			total = live_inodes(p->live, i + n, &v[n].ino, &v[n].dev);
			if (i + n >= total)
				break;
		}
		if (!n ||
		    chan_send_wait(&p->monitor, MSG_INODES, &what, sizeof(what), v, n * sizeof(*v), -1, 10000) < 0)
			return;
		what.clear = 0;
	}
}

static void tick(struct hash_proc *p)
{
	uint64_t now = clock_mono_ns();

	if (now - p->tick_ns < TICK_NS)
		return;
	p->tick_ns = now;
	check_baseline(p);
	if (!p->live)
		return;
	check_scan(p);
	if (live_tick(p->live, now))
		send_inodes(p);
}

static int timeout_ms(const struct hash_proc *p)
{
	uint64_t now = clock_mono_ns(), due = p->live ? live_due_ns(p->live) : UINT64_MAX;

	if (p->box.len - p->acked >= FINDINGS_HIGH)
		return 20; /* the engine has to take some first */
	if (p->flush || p->touches || due <= now)
		return 0;
	return due - now < TICK_NS ? (int)((due - now) / 1000000) + 1 : 1000;
}

/* Messages of the engine wait in its socket while what it sent before has no room. */
static int serve(struct hash_proc *p)
{
	struct pollfd fds[] = {
		{ .fd = p->monitor.fd, .events = POLLIN },
		{ .fd = p->engine.fd,
		  .events = (short)((p->touches ? 0 : POLLIN) | (p->sent < p->box.len ? POLLOUT : 0)) },
	};

	if (poll(fds, 2, timeout_ms(p)) < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[1].revents & (POLLIN | POLLHUP | POLLERR) && !p->touches) {
		/* one message at a time: the next may find no room */
		int r = chan_serve(&p->engine, from_engine, p, p->buf, 1);

		if (r < 0)
			engine_gone(p);
	}
	return fds[0].revents ? chan_serve(&p->monitor, from_monitor, p, p->buf, MESSAGES_EACH) : 0;
}

static int loop(struct hash_proc *p)
{
	int r = 0;

	while (r >= 0 && !p->stop && !p->again) {
		r = serve(p);
		take_rest(p);
		if (p->take_check)
			p->take_check = live_take_check(p->live, clock_mono_ns()) == 1;
		look(p);
		if (p->live)
			live_accept(p->live, p->flush ? UINT64_MAX - 1 : clock_mono_ns(), put_finding, p);
		send_findings(p);
		end_flush(p);
		tick(p);
		commit(p);
	}
	return r;
}

/* ---- beginning and end --------------------------------------------------------------------------------------------------- */

/* As root: the baseline and its key. That there is none yet is no error. */
static int begin_privileged(struct hash_proc *p, const struct hash_args *a, struct err *e)
{
	const struct live_options o = { .state_dir = a->state,
					.root = "/",
					.host = a->hostname,
					.watches = a->watches,
					.watches_size = a->watches_size };
	char path[4200];
	int r = a->watches ? live_open(&o, &p->live, e) : -ENOENT;

	snprintf(path, sizeof(path), "%s/" STORE_FILE, a->state);
	if (stat(path, &p->baseline) < 0)
		memset(&p->baseline, 0, sizeof(p->baseline));
	if (r < 0 && a->watches)
		log_warn("changes of watched files are not told: %s", e->msg);
	p->root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = p->root_fd < 0 ? -errno : collect_init(&p->collect, NULL);
	if (r == 0)
		r = pkg_names_new(p->root_fd, &p->packages);
	return r < 0 ? err_set(e, r, "cannot set up the hash process: %s", strerror(-r)) : 0;
}

static int begin(struct hash_proc *p, const struct hash_args *a, struct err *e)
{
	int r;

	p->monitor = a->monitor;
	p->engine = (struct chan){ -1, ROLE_HASH, ROLE_ENGINE };
	p->page = a->page;
	p->state = a->state;
	p->root_fd = -1;
	buf_init(&p->box, FINDINGS_MAX);
	r = begin_privileged(p, a, e);
	if (r < 0)
		return r;
	if (p->live)
		start_scan(p, a);
	return confine_reader(a->mode, e);
}

int hash_main(struct hash_args *a)
{
	static struct hash_proc p;
	struct msg_ready ready = { 0 };
	struct err e = { "" };
	int r = begin(&p, a, &e);

	if (r < 0) {
		log_err("%s", e.msg);
		return EXIT_FAILURE;
	}
	commit(&p);
	ready.value = p.page->baseline;
	chan_send(&p.monitor, MSG_READY, &ready, sizeof(ready), -1);
	if (p.live)
		send_inodes(&p);
	r = loop(&p);
	if (p.live)
		live_save(p.live);
	return p.again ? HASH_AGAIN : r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
