/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/procfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "sensor/enrich/cgroup.h"

#define SMALL	   4096		     /* bytes of stat, status, cgroup, ... that are looked at */
#define PF_KTHREAD 0x00200000	     /* include/linux/sched.h; in the flags of stat */
#define DELETED	   " (deleted)"	     /* what readlink of exe appends; records of the kernel side have no such thing */
#define BIG	   (2 * EV_ARGS_MAX) /* arguments, environment */

/* The type of the filesystem of a mount; ids of mounts are unique over all namespaces. */
struct mount_type {
	uint64_t id;
	char type[32];
};

#define MOUNT_TYPES 64

struct procfs {
	int fd; /* owned */
	uint64_t tick_ns;
	bool cgroup_v1;
	char comm[64], exe[PATH_MAX], cgroup[SMALL], tty[32];
	char small[SMALL];
	struct mount_type mounts[MOUNT_TYPES]; /* those that were looked up last, by id modulo the size */
	char *big;			       /* owned mapping of BIG bytes: only what is used takes memory */
};

/* ---- files --------------------------------------------------------------------------------------------------------- */

/* "PID/file" below /proc */
struct name {
	char s[32];
};

static struct name pid_name(uint32_t pid, const char *file)
{
	struct name n;

	snprintf(n.s, sizeof(n.s), "%u/%s", pid, file);
	return n;
}

/* At most @size - 1 bytes and a NUL; files here have no size to ask for. */
static int read_file(const struct procfs *p, const char *name, char *buf, size_t size, size_t *ret_len)
{
	_cleanup_close_ int fd = openat(p->fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = fs_read(fd, buf, size - 1);
	if (n < 0)
		return (int)n;
	buf[n] = 0;
	*ret_len = (size_t)n;
	return 0;
}

static int read_small(struct procfs *p, uint32_t pid, const char *file, size_t *ret_len)
{
	return read_file(p, pid_name(pid, file).s, p->small, sizeof(p->small), ret_len);
}

/* Any line of /proc/self/cgroup but that of the unified hierarchy. */
static bool cgroup_v1(struct procfs *p)
{
	size_t len;

	if (read_file(p, "self/cgroup", p->small, sizeof(p->small), &len) < 0)
		return false;
	for (char *line = strtok(p->small, "\n"); line; line = strtok(NULL, "\n"))
		if (strncmp(line, "0::", 3) != 0)
			return true;
	return false;
}

int procfs_new(const char *path, struct procfs **ret)
{
	struct procfs *p = calloc(1, sizeof(*p));
	long hz = sysconf(_SC_CLK_TCK);
	void *big;
	int r;

	if (!p)
		return -ENOMEM;
	p->tick_ns = 1000000000ull / (uint64_t)(hz > 0 ? hz : 100);
	p->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->fd < 0) {
		r = -errno;
		procfs_free(p);
		return r;
	}
	big = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (big == MAP_FAILED) {
		procfs_free(p);
		return -ENOMEM;
	}
	p->big = big;
	p->cgroup_v1 = cgroup_v1(p);
	*ret = p;
	return 0;
}

void procfs_free(struct procfs *p)
{
	if (!p)
		return;
	if (p->fd >= 0)
		close(p->fd);
	if (p->big)
		munmap(p->big, BIG);
	free(p);
}

bool procfs_cgroup_v1(const struct procfs *p)
{
	return p->cgroup_v1;
}

uint64_t procfs_tick_ns(const struct procfs *p)
{
	return p->tick_ns;
}

/* ---- stat, status -------------------------------------------------------------------------------------------------- */

/* tty_nr of stat to the name that the kernel gives the terminal. */
static void tty_name(struct procfs *p, unsigned int nr, struct val *ret)
{
	unsigned int maj = nr >> 8 & 0xfff, min = (nr & 0xff) | (nr >> 12 & 0xfff00);
	int n = 0;

	if (maj >= 136 && maj <= 143)
		n = snprintf(p->tty, sizeof(p->tty), "pts%u", (maj - 136) * 256 + min);
	else if (maj == 4 && min < 64)
		n = snprintf(p->tty, sizeof(p->tty), "tty%u", min);
	else if (maj == 4)
		n = snprintf(p->tty, sizeof(p->tty), "ttyS%u", min - 64);
	else if (maj == 204 && min >= 64)
		n = snprintf(p->tty, sizeof(p->tty), "ttyAMA%u", min - 64);
	*ret = (struct val){ .s = p->tty, .len = (uint32_t)n };
}

/* "pid (comm) state ppid pgrp session tty tpgid flags ... starttime": comm may hold anything, the last ')' ends it. */
static int read_stat(struct procfs *p, uint32_t pid, int64_t clock, struct decoded *ret, bool *ret_kthread)
{
	unsigned long long start = 0;
	unsigned int flags = 0;
	int ppid = 0, tty = 0;
	const char *open, *close;
	size_t len;
	int r = read_small(p, pid, "stat", &len);

	if (r < 0)
		return r;
	open = strchr(p->small, '(');
	close = strrchr(p->small, ')');
	if (!open || !close || close <= open || (size_t)(close - open) > sizeof(p->comm))
		return -EBADMSG;
	if (sscanf(close + 1, " %*c %d %*d %*d %d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &ppid,
		   &tty, &flags, &start) != 4)
		return -EBADMSG;
	len = (size_t)(close - open - 1);
	memcpy(p->comm, open + 1, len);
	ret->pv[SLOT_PROC_COMM] = (struct val){ .s = p->comm, .len = (uint32_t)len };
	ret->pv[SLOT_PROC_PID].num = ret->pv[SLOT_PROC_TID].num = pid;
	ret->pv[SLOT_PROC_PPID].num = ppid;
	ret->head.pid = ret->head.tid = pid;
	ret->head.start_ns = ret->proc_start_ns = (uint64_t)start * p->tick_ns;
	ret->pv[SLOT_PROC_CREATED_AT].num = (int64_t)(ret->head.start_ns + (uint64_t)clock);
	tty_name(p, (unsigned int)tty, &ret->pv[SLOT_PROC_TTY_NAME]);
	*ret_kthread = flags & PF_KTHREAD;
	return 0;
}

/* The text behind "KEY:" at the start of a line of @text, or NULL. */
static const char *status_line(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) == 0 && line[n] == ':')
			return line + n + 1;
	}
	return NULL;
}

static void status_ids(const char *line, int real, int effective, int fs, struct val *v)
{
	unsigned int id[4];

	if (!line || sscanf(line, "%u %u %u %u", &id[0], &id[1], &id[2], &id[3]) != 4)
		return;
	v[real].num = id[0];
	v[effective].num = id[1];
	v[fs].num = id[3];
}

static void status_mask(const char *line, struct val *v)
{
	if (line)
		v->num = (int64_t)strtoull(line, NULL, 16);
}

static void read_status(struct procfs *p, uint32_t pid, struct decoded *ret)
{
	struct val *v = ret->pv;
	size_t len;

	if (read_small(p, pid, "status", &len) < 0)
		return;
	status_ids(status_line(p->small, "Uid"), SLOT_PROC_UID, SLOT_PROC_EUID, SLOT_PROC_FSUID, v);
	status_ids(status_line(p->small, "Gid"), SLOT_PROC_GID, SLOT_PROC_EGID, SLOT_PROC_FSGID, v);
	status_mask(status_line(p->small, "CapPrm"), &v[SLOT_PROC_CAP_PERMITTED]);
	status_mask(status_line(p->small, "CapEff"), &v[SLOT_PROC_CAP_EFFECTIVE]);
	ret->head.uid = (ev_u32)v[SLOT_PROC_UID].num;
	ret->head.gid = (ev_u32)v[SLOT_PROC_GID].num;
	ret->head.euid = (ev_u32)v[SLOT_PROC_EUID].num;
	ret->head.egid = (ev_u32)v[SLOT_PROC_EGID].num;
}

static void read_loginuid(struct procfs *p, uint32_t pid, struct val *ret)
{
	size_t len;

	ret->num = UINT32_MAX; /* "unset", where the kernel has no audit either */
	if (read_small(p, pid, "loginuid", &len) == 0 && len)
		ret->num = (int64_t)strtoul(p->small, NULL, 10);
}

/* ---- the program --------------------------------------------------------------------------------------------------- */

static int64_t statx_ns(struct statx_timestamp t)
{
	return (int64_t)((uint64_t)t.tv_sec * 1000000000u + t.tv_nsec);
}

/* "36 35 98:0 /root /mnt options optional... - ext4 /dev/sda1 super": the type of mount @id in the text of mountinfo. */
static bool mountinfo_type(const char *text, uint64_t id, char *ret, size_t size)
{
	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		const char *end, *dash;

		line += *line == '\n';
		if (strtoull(line, NULL, 10) != id)
			continue;
		end = strchrnul(line, '\n');
		dash = strstr(line, " - ");
		if (!dash || dash > end)
			return false;
		snprintf(ret, size, "%.*s", (int)strcspn(dash + 3, " \n"), dash + 3);
		return true;
	}
	return false;
}

/* The type of the filesystem that @pid sees at mount @id; "" where it is not among its mounts. */
static const char *mount_type(struct procfs *p, uint32_t pid, uint64_t id)
{
	struct mount_type *m = &p->mounts[id % MOUNT_TYPES];
	size_t len;

	if (m->id == id && m->type[0])
		return m->type;
	*m = (struct mount_type){ .id = id };
	if (read_file(p, pid_name(pid, "mountinfo").s, p->big, BIG, &len) == 0)
		mountinfo_type(p->big, id, m->type, sizeof(m->type));
	return m->type;
}

static void read_exe_file(struct procfs *p, uint32_t pid, const char *name, struct val *v)
{
	struct val *type = &v[SLOT_PROC_FILE_FILESYSTEM];
	struct statx st;

	if (statx(p->fd, name, 0, STATX_BASIC_STATS | STATX_MNT_ID, &st) < 0)
		return;
	v[SLOT_PROC_FILE_INODE].num = (int64_t)st.stx_ino;
	v[SLOT_PROC_FILE_MODE].num = st.stx_mode;
	v[SLOT_PROC_FILE_UID].num = st.stx_uid;
	v[SLOT_PROC_FILE_GID].num = st.stx_gid;
	v[SLOT_PROC_FILE_MTIME].num = statx_ns(st.stx_mtime);
	v[SLOT_PROC_FILE_CTIME].num = statx_ns(st.stx_ctime);
	if (!(st.stx_mask & STATX_MNT_ID))
		return;
	v[SLOT_PROC_FILE_MOUNT_ID].num = (int64_t)st.stx_mnt_id;
	type->s = mount_type(p, pid, st.stx_mnt_id);
	type->len = (uint32_t)strlen(type->s);
}

static void read_exe(struct procfs *p, uint32_t pid, struct val *v)
{
	struct name name = pid_name(pid, "exe");
	ssize_t n = readlinkat(p->fd, name.s, p->exe, sizeof(p->exe));
	size_t cut = strlen(DELETED);

	if (n <= 0)
		return;
	if ((size_t)n > cut && memcmp(p->exe + n - cut, DELETED, cut) == 0)
		n -= (ssize_t)cut;
	v[SLOT_PROC_FILE_PATH] = (struct val){ .s = p->exe, .len = (uint32_t)n };
	read_exe_file(p, pid, name.s, v);
}

bool procfs_cgroup(struct procfs *p, uint32_t pid, const char **ret, size_t *ret_len, unsigned *ret_version)
{
	size_t len;

	if (read_small(p, pid, "cgroup", &len) < 0 || !cgroup_of_proc(p->small, len, ret, ret_len, ret_version))
		return false;
	memcpy(p->cgroup, *ret, *ret_len);
	*ret = p->cgroup;
	return true;
}

/* ---- arguments ----------------------------------------------------------------------------------------------------- */

/* @file of the process as a block of at most EV_ARGS_MAX bytes at @buf */
static bool read_block(struct procfs *p, uint32_t pid, const char *file, char *buf, uint32_t *ret_len, bool *ret_cut)
{
	size_t len;

	if (read_file(p, pid_name(pid, file).s, buf, EV_ARGS_MAX, &len) < 0 || !len)
		return false;
	*ret_len = (uint32_t)len;
	*ret_cut = len == EV_ARGS_MAX - 1;
	return true;
}

bool procfs_args(struct procfs *p, uint32_t pid, struct decode_args *ret)
{
	if (!read_block(p, pid, "cmdline", p->big, &ret->argv_len, &ret->argv_cut))
		return false;
	ret->argv = p->big;
	return true;
}

int procfs_read(struct procfs *p, uint32_t pid, bool as_root, int64_t clock_offset_ns, struct decoded *ret,
		bool *ret_kthread)
{
	const char *cgroup;
	unsigned version;
	size_t len;
	int r;

	*ret = (struct decoded){ .has_proc = true };
	ret->ev.type = ret->head.type = EV_EXEC;
	r = read_stat(p, pid, clock_offset_ns, ret, ret_kthread);
	if (r < 0)
		return r;
	read_status(p, pid, ret);
	read_loginuid(p, pid, &ret->pv[SLOT_PROC_AUID]);
	if (procfs_cgroup(p, pid, &cgroup, &len, &version)) {
		ret->pv[SLOT_PROC_CGROUP_ID] = (struct val){ .s = cgroup, .len = (uint32_t)len };
		ret->pv[SLOT_PROC_CGROUP_VERSION].num = version;
	}
	if (*ret_kthread)
		return 0;
	if (as_root)
		read_exe(p, pid, ret->pv); /* before the arguments: it uses their room */
	procfs_args(p, pid, &ret->args);
	if (!as_root)
		return 0;
	if (read_block(p, pid, "environ", p->big + EV_ARGS_MAX, &ret->args.envp_len, &ret->args.envp_cut))
		ret->args.envp = p->big + EV_ARGS_MAX;
	return 0;
}

/* ---- all of them --------------------------------------------------------------------------------------------------- */

bool procfs_alive(const struct procfs *p, uint32_t pid)
{
	struct stat st;
	char name[16];

	snprintf(name, sizeof(name), "%u", pid);
	if (fstatat(p->fd, name, &st, 0) == 0 || errno != ENOENT)
		return true;
	/* hidepid= hides the processes of others, and so would be taken for their end: then nobody sees process 1 either */
	return fstatat(p->fd, "1", &st, 0) < 0;
}

int procfs_each(struct procfs *p, int (*fn)(void *ctx, uint32_t pid), void *ctx)
{
	int fd = openat(p->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (!dir) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (!r && (e = readdir(dir))) {
		char *end;
		unsigned long pid = strtoul(e->d_name, &end, 10);

		if (end != e->d_name && !*end && pid && pid <= INT32_MAX)
			r = fn(ctx, (uint32_t)pid);
	}
	return r;
}
