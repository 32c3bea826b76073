/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/looks.h"

#include <errno.h>
#include <time.h>

#include "sensor/enrich/procio.h"

#define BURST	 1000 /* look-ups at once, and a second */
#define TOLD_MAX (2u << 20)

enum kind { LOOK_PROCESS = 1, LOOK_ARGS, LOOK_CGROUP, LOOK_GONE };

uint64_t looks_boot_ns(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_BOOTTIME, &ts) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int looks_init(struct looks *l, const char *proc_path)
{
	*l = (struct looks){ .tokens = BURST };
	buf_init(&l->told, TOLD_MAX);
	buf_init(&l->scratch, TOLD_MAX);
	return proc_path ? procfs_new(proc_path, &l->proc) : 0;
}

void looks_done(struct looks *l)
{
	procfs_free(l->proc);
	buf_done(&l->told);
	buf_done(&l->scratch);
}

bool looks_may(struct looks *l)
{
	uint64_t now, more;

	if (!l->proc)
		return l->told_at < l->told.len;
	now = looks_boot_ns();
	more = (now - l->tokens_ns) / (1000000000u / BURST);
	if (more) {
		l->tokens = l->tokens + more < BURST ? l->tokens + more : BURST;
		l->tokens_ns = now;
	}
	if (!l->tokens) {
		l->over_budget++;
		return false;
	}
	l->tokens--;
	return true;
}

/* ---- taking down, and telling ------------------------------------------------------------------------------------ */

void looks_watch(struct looks *l, looks_fn fn, void *ctx)
{
	l->watch = fn;
	l->watch_ctx = ctx;
}

static struct buf *down_begin(struct looks *l, enum kind kind, uint32_t pid)
{
	buf_reset(&l->scratch);
	buf_put_u32(&l->scratch, kind);
	buf_put_u32(&l->scratch, pid);
	return &l->scratch;
}

static void down_end(struct looks *l)
{
	if (!buf_error(&l->scratch))
		l->watch(l->watch_ctx, l->scratch.data, l->scratch.len);
	buf_done(&l->scratch);
}

int looks_tell(struct looks *l, const void *bytes, size_t len)
{
	struct rd rd = rd_of(bytes, len);
	uint32_t kind;
	int r;

	if (rd_u32(&rd, &kind) < 0 || kind < LOOK_PROCESS || kind > LOOK_GONE)
		return -EBADMSG;
	r = buf_grow(&l->told, len + 4);
	if (r < 0) {
		l->told.error = 0;
		return r;
	}
	buf_put_u32(&l->told, (uint32_t)len);
	return buf_put(&l->told, bytes, len);
}

void looks_forget(struct looks *l)
{
	if (l->told.len)
		buf_reset(&l->told);
	l->told_at = 0;
}

/* The next answer, if it is one on that; the rest of it is in *ret. */
static bool told(struct looks *l, enum kind kind, uint32_t *pid, struct rd *ret)
{
	struct rd rd;
	uint32_t len, is_kind, is_pid;

	if (l->proc || l->told_at >= l->told.len)
		return false;
	rd = rd_of(l->told.data + l->told_at, l->told.len - l->told_at);
	if (rd_u32(&rd, &len) < 0 || rd_sub(&rd, len, ret) < 0 || rd_u32(ret, &is_kind) < 0 ||
	    rd_u32(ret, &is_pid) < 0 || is_kind != kind || (*pid && is_pid != *pid))
		return false;
	l->told_at += 4 + (size_t)len;
	*pid = is_pid;
	return true;
}

/* ---- what can be asked --------------------------------------------------------------------------------------------- */

static void take_down_process(struct looks *l, const struct decoded *d, bool kthread, uint64_t known_ns)
{
	struct procio io = { .pid = d->head.pid, .start_ns = d->head.start_ns, .known_ns = known_ns };

	io.flags = kthread ? PROCIO_KTHREAD : 0;
	procio_put(down_begin(l, LOOK_PROCESS, io.pid), &io, d->pv, &d->args);
	down_end(l);
}

bool looks_read(struct looks *l, uint32_t pid, int64_t clock, struct decoded *ret, bool *ret_kthread,
		uint64_t *ret_known_ns)
{
	struct procio io;
	struct rd rd;

	if (!l->proc) {
		if (!told(l, LOOK_PROCESS, &pid, &rd) || procio_get(&rd, &io, ret) < 0)
			return false;
		*ret_kthread = io.flags & PROCIO_KTHREAD;
		*ret_known_ns = io.known_ns;
		return true;
	}
	if (procfs_read(l->proc, pid, l->seeding, clock, ret, ret_kthread) < 0)
		return false;
	*ret_known_ns = looks_boot_ns();
	if (l->watch)
		take_down_process(l, ret, *ret_kthread, *ret_known_ns);
	return true;
}

bool looks_args(struct looks *l, uint32_t pid, struct decode_args *ret)
{
	struct decode_args a;
	struct rd rd;

	if (!l->proc) {
		if (!told(l, LOOK_ARGS, &pid, &rd) || procio_get_args(&rd, &a) < 0)
			return false;
		ret->argv = a.argv;
		ret->argv_len = a.argv_len;
		ret->argv_cut = a.argv_cut;
		return true;
	}
	if (!procfs_args(l->proc, pid, ret))
		return false;
	if (l->watch) {
		a = (struct decode_args){ .argv = ret->argv, .argv_len = ret->argv_len, .argv_cut = ret->argv_cut };
		procio_put_args(down_begin(l, LOOK_ARGS, pid), &a);
		down_end(l);
	}
	return true;
}

bool looks_cgroup(struct looks *l, uint32_t pid, const char **ret, size_t *ret_len, unsigned *ret_version)
{
	uint32_t len;
	struct rd rd;

	if (!l->proc) {
		if (!told(l, LOOK_CGROUP, &pid, &rd) || procio_get_str(&rd, ret, &len) < 0 ||
		    rd_u32(&rd, ret_version) < 0)
			return false;
		*ret_len = len;
		return true;
	}
	if (!procfs_cgroup_v1(l->proc) || !looks_may(l) || !procfs_cgroup(l->proc, pid, ret, ret_len, ret_version))
		return false;
	if (l->watch) {
		procio_put_str(down_begin(l, LOOK_CGROUP, pid), *ret, *ret_len);
		buf_put_u32(&l->scratch, *ret_version);
		down_end(l);
	}
	return true;
}

bool looks_gone(struct looks *l, uint32_t pid)
{
	if (!l->proc || procfs_alive(l->proc, pid))
		return false;
	if (l->watch) {
		down_begin(l, LOOK_GONE, pid);
		down_end(l);
	}
	return true;
}

bool looks_told_gone(struct looks *l, uint32_t *ret_pid)
{
	struct rd rd;

	*ret_pid = 0;
	return told(l, LOOK_GONE, ret_pid, &rd);
}
