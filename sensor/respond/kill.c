/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/respond/kill.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/program.h"
#include "sensor/enrich/cgroup.h"

#ifndef PF_KTHREAD
#define PF_KTHREAD 0x00200000
#endif

#define ROUNDS 4 /* looks at a container: what was forked meanwhile is hit by the next */

const char *kill_outcome_name(enum kill_outcome o)
{
	static const char *const names[] = { "done", "gone", "never", "nowhere", "failed" };

	return names[o];
}

/* ---- what a process is --------------------------------------------------------------------------------------------- */

/* The whole file as text; false where it cannot be read. */
static bool read_text(const struct kill_request *r, uint32_t pid, const char *name, char *text, size_t size)
{
	_cleanup_close_ int fd = -1;
	char path[128];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%u/%s", r->proc, pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, size - 1);
	if (n <= 0)
		return false;
	text[n] = 0;
	return true;
}

struct stat_line {
	char state;
	unsigned int flags;
	uint64_t start_ticks;
};

static bool read_stat(const struct kill_request *r, uint32_t pid, struct stat_line *ret)
{
	char text[1024], *close;
	unsigned long long start;

	/* the name of the task may hold anything: the last ')' ends it */
	if (!read_text(r, pid, "stat", text, sizeof(text)) || !(close = strrchr(text, ')')) ||
	    sscanf(close + 1, " %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		   &ret->state, &ret->flags, &start) != 3)
		return false;
	ret->start_ticks = start;
	return true;
}

static bool is_zombie(const struct stat_line *s)
{
	return s->state == 'Z' || s->state == 'X';
}

/* /proc knows the start to a tick. */
static bool started_at(const struct stat_line *s, uint64_t start_ns)
{
	long hz = sysconf(_SC_CLK_TCK);

	return start_ns && hz > 0 && start_ns / (1000000000u / (uint64_t)hz) == s->start_ticks;
}

static bool is_never(const struct kill_request *r, uint32_t pid, const struct stat_line *s)
{
	for (size_t i = 0; i < r->nnever; i++)
		if (r->never[i] > 0 && (uint32_t)r->never[i] == pid)
			return true;
	return pid <= 1 || pid == (uint32_t)getpid() || (s->flags & PF_KTHREAD);
}

static int open_pidfd(uint32_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);

	return fd < 0 ? -errno : fd;
}

static int fire(int fd, int sig)
{
	return syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0) < 0 ? -errno : 0;
}

/* Where it runs: the path of the cgroup that says most, and the container that it tells. */
static bool read_cgroup(const struct kill_request *r, uint32_t pid, char cgroup[KILL_CGROUP_MAX], char container[65])
{
	char text[KILL_CGROUP_MAX];
	const char *path, *id;
	unsigned int version;
	size_t len, id_len;

	cgroup[0] = container[0] = 0;
	if (!read_text(r, pid, "cgroup", text, sizeof(text)) ||
	    !cgroup_of_proc(text, strlen(text), &path, &len, &version))
		return false;
	snprintf(cgroup, KILL_CGROUP_MAX, "%.*s", (int)len, path);
	if (cgroup_container_id(path, len, &id, &id_len))
		snprintf(container, 65, "%.*s", (int)id_len, id);
	return true;
}

static void read_exe(const struct kill_request *r, struct kill_target *t)
{
	char path[128];
	struct stat st;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%u/exe", r->proc, r->pid);
	n = readlink(path, t->file, sizeof(t->file) - 1);
	t->file[n > 0 ? n : 0] = 0;
	if (stat(path, &st) == 0)
		t->executable = (uint64_t)st.st_ino * 0x9e3779b97f4a7c15ull ^ (uint64_t)st.st_dev ^ 1;
}

/* ---- one, or all --------------------------------------------------------------------------------------------------- */

static enum kill_outcome failed(struct kill_target *t, int error)
{
	t->error = error;
	return error == -ESRCH ? KILL_GONE : KILL_FAILED;
}

enum kill_outcome kill_look(const struct kill_request *r, struct kill_target *ret)
{
	struct stat_line s = { 0 };

	*ret = (struct kill_target){ .fd = open_pidfd(r->pid) };
	if (ret->fd < 0)
		return failed(ret, ret->fd == -EINVAL ? -ESRCH : ret->fd);
	if (!read_stat(r, r->pid, &s) || is_zombie(&s) || !started_at(&s, r->start_ns))
		return KILL_GONE;
	if (is_never(r, r->pid, &s))
		return KILL_NEVER;
	read_cgroup(r, r->pid, ret->cgroup, ret->container);
	read_exe(r, ret);
	/* all of that was about this process if it is still there */
	if (fire(ret->fd, 0) == -ESRCH)
		return KILL_GONE;
	if ((r->scope == VAR_CONTAINER && !ret->container[0]) ||
	    (r->scope == VAR_CGROUP && (!ret->cgroup[0] || strcmp(ret->cgroup, "/") == 0)))
		return KILL_NOWHERE;
	return KILL_DONE;
}

static bool in_scope(const struct kill_request *r, const struct kill_target *t, uint32_t pid)
{
	char cgroup[KILL_CGROUP_MAX], container[65];

	if (!read_cgroup(r, pid, cgroup, container))
		return false;
	return r->scope == VAR_CONTAINER ? strcmp(container, t->container) == 0 : strcmp(cgroup, t->cgroup) == 0;
}

/* Whether it was hit. */
static bool hit_one(const struct kill_request *r, const struct kill_target *t, uint32_t pid)
{
	_cleanup_close_ int fd = open_pidfd(pid);
	struct stat_line s;

	return fd >= 0 && read_stat(r, pid, &s) && !is_zombie(&s) && !is_never(r, pid, &s) && in_scope(r, t, pid) &&
	       fire(fd, r->signal) == 0;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* One look at all processes; how many were hit. */
static uint32_t hit_round(const struct kill_request *r, const struct kill_target *t, uint64_t until)
{
	_cleanup_closedir_ DIR *dir = opendir(r->proc);
	struct dirent *e;
	uint32_t n = 0;

	while (dir && now_ms() < until && (e = readdir(dir))) {
		char *end;
		unsigned long pid = strtoul(e->d_name, &end, 10);

		if (end != e->d_name && !*end && pid && pid <= INT32_MAX)
			n += hit_one(r, t, (uint32_t)pid);
	}
	return n;
}

enum kill_outcome kill_fire(const struct kill_request *r, struct kill_target *t, uint32_t *ret_n)
{
	uint64_t until = now_ms() + KILL_MS;
	/* what survives the signal would be hit again and again */
	int rounds = r->scope == VAR_PROCESS ? 0 : r->signal == SIGKILL ? ROUNDS : 1;
	int error;

	*ret_n = 0;
	if (rounds == 0) {
		error = fire(t->fd, r->signal);
		*ret_n = error == 0;
		return error ? failed(t, error) : KILL_DONE;
	}
	for (int i = 0; i < rounds; i++) {
		uint32_t n = hit_round(r, t, until);

		*ret_n += n;
		if (!n)
			break;
	}
	return *ret_n ? KILL_DONE : KILL_GONE;
}

void kill_done(struct kill_target *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}
