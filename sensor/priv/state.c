/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "sensor/priv/confine_spool.h"

static int take_lock(struct state *s, const char *path, struct err *e)
{
	char pid[32] = "";
	ssize_t n;

	s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		return err_set(e, -errno, "cannot create %s/lock: %s", path, strerror(errno));
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		n = pread(s->lock_fd, pid, sizeof(pid) - 1, 0);
		pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
		return err_set(e, -EBUSY,
			       "another tamisd (pid %s) uses %s: stop it, or give this one its own --state DIR",
			       *pid ? pid : "unknown", path);
	}
	n = snprintf(pid, sizeof(pid), "%d\n", getpid());
	if (ftruncate(s->lock_fd, 0) < 0 || pwrite(s->lock_fd, pid, (size_t)n, 0) != n)
		return err_set(e, -errno, "cannot write %s/lock: %s", path, strerror(errno));
	return 0;
}

/* What lies in a directory of record's belongs to record, also after its user was created or changed. */
static int give_to(int dir_fd, const struct confine_user *owner)
{
	_cleanup_closedir_ DIR *d = NULL;
	int fd = dup(dir_fd);
	struct dirent *de;

	if (fd < 0)
		return -errno;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -errno;
	}
	while ((de = readdir(d))) {
		struct stat st;

		if (fstatat(dir_fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
		    st.st_uid == owner->uid)
			continue;
		if (fchownat(dir_fd, de->d_name, owner->uid, owner->gid, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
	}
	return fchown(dir_fd, owner->uid, owner->gid) < 0 ? -errno : 0;
}

static int open_private(const struct state *s, const char *path, const char *name, mode_t mode,
			const struct confine_user *owner, int *ret_fd, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (mkdirat(s->dir_fd, name, 0700) < 0 && errno != EEXIST)
		return err_set(e, -errno, "cannot create %s/%s: %s", path, name, strerror(errno));
	fd = openat(s->dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_set(e, -errno, "cannot open %s/%s: %s", path, name, strerror(errno));
	/* whatever the umask made of it; once it is the owner's, its mode is, too */
	if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && fchmod(fd, mode) < 0)
		return err_set(e, -errno, "cannot chmod %s/%s: %s", path, name, strerror(errno));
	r = give_to(fd, owner);
	if (r < 0)
		return err_set(e, r, "cannot give %s/%s to user %u: %s", path, name, owner->uid, strerror(-r));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int check_dir(const struct state *s, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(s->dir_fd, &st) < 0)
		return err_sys(e, -errno, "cannot look at", path);
	if (st.st_uid != geteuid() || (st.st_mode & 022 && !(st.st_mode & S_ISVTX)))
		return err_set(e, -EACCES,
			       "others than user %u may write to %s: chown and chmod 711 it, or choose another "
			       "--state DIR",
			       geteuid(), path);
	return 0;
}

int state_open(const char *path, const struct confine_user *owner, struct state *ret, struct err *e)
{
	const struct confine_user canary = { CONFINE_CANARY_ID, CONFINE_CANARY_ID };
	struct state s = { -1, -1, -1, -1, -1, -1, -1 };
	struct confine_user spool;
	gid_t log_group;
	int r = fs_make_dirs(path, e);

	if (r < 0)
		return r;
	s.dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = s.dir_fd < 0 ? err_sys(e, -errno, "cannot open", path) : check_dir(&s, path, e);
	if (r == 0)
		r = take_lock(&s, path, e);
	if (r == 0)
		r = open_private(&s, path, "log", 0750, owner, &s.log_fd, e);
	if (r == 0)
		r = open_private(&s, path, "keys", 0700, owner, &s.keys_fd, e);
	if (r == 0)
		r = open_private(&s, path, "captures", 0700, owner, &s.captures_fd, e);
	if (r == 0)
		r = open_private(&s, path, "canary", 0700, &canary, &s.canary_fd, e);
	confine_spool_user(&spool, &log_group);
	if (r == 0)
		r = open_private(&s, path, "spool", 0700, &spool, &s.spool_fd, e);
	if (r < 0) {
		state_close(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void state_close(struct state *s)
{
	int *fds[] = { &s->dir_fd, &s->lock_fd, &s->log_fd, &s->keys_fd, &s->canary_fd, &s->spool_fd, &s->captures_fd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}
