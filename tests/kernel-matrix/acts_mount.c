/* SPDX-License-Identifier: Apache-2.0 */
/* Where a process stands (chdir, chroot, pivot_root), mounts, and namespaces. The actor begins as root. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "scenario.h"

/* As mount(2) has them; <sys/mount.h> cannot stand beside <linux/mount.h> everywhere. */
enum {
	READ_ONLY = 1,
	NOSUID = 2,
	REMOUNT = 32,
	BIND = 4096,
	MOVE = 8192,
	REC = 16384,
	PRIVATE = 1 << 18,
	SHARED = 1 << 20
};
enum { DETACH = 2 };

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 1
#endif

/* Of 5.12; older headers lack it. */
struct attributes {
	uint64_t set, clear, propagation, userns;
};

enum {
	I386_CHDIR = 12,
	I386_MOUNT = 21,
	I386_OLDUMOUNT = 22,
	I386_UMOUNT = 52,
	I386_CHROOT = 61,
	I386_FCHDIR = 133,
	I386_UNSHARE = 310,
	I386_SETNS = 346,
	I386_OPEN_TREE = 428,
};

static int become_nobody(void)
{
	return res(syscall(SYS_setresuid, 65534, 65534, 65534));
}

/* Still root, but for the capabilities that these calls ask for: the way to a directory may be open for root alone. */
static int become_weak(void)
{
	const uint32_t less = 1u << CAP_SYS_ADMIN | 1u << CAP_SYS_CHROOT;
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	if (syscall(SYS_capget, &head, caps) < 0)
		return -errno;
	caps[0].effective &= ~less;
	return res(syscall(SYS_capset, &head, caps));
}

/* A call that has to be refused. */
static int refused(long r, int error)
{
	return r < 0 && errno == error ? 0 : -EPROTO;
}

/* g, a symbolic link to d */
static int prepare_link_to_d(const struct spot *s)
{
	return res(symlink("d", s->g));
}
/* g, a symbolic link to the directory that it lies in */
static int prepare_link_to_here(const struct spot *s)
{
	return res(symlink(".", s->g));
}
static int prepare_closed(const struct spot *s)
{
	return res(chmod(s->d, 0));
}

/* ---- chdir, chroot, pivot_root -------------------------------------------------------------------------------------- */

static int act_chdir(const struct spot *s)
{
	return res(chdir(s->d));
}
static int act_chdir_cwd(const struct spot *s)
{
	return chdir(s->dir) < 0 ? -errno : res(chdir("d/../d"));
}
static int act_chdir_link(const struct spot *s)
{
	return res(chdir(s->g));
}
static int act_chdir_fd(const struct spot *s)
{
	return res(fchdir(open(s->d, O_PATH)));
}
static int act_chdir_denied(const struct spot *s)
{
	int r = become_nobody();

	return r ? r : refused(chdir(s->d), EACCES);
}
static int act_chdir_fddenied(const struct spot *s)
{
	int fd = open(s->d, O_PATH), r = become_nobody();

	return r ? r : refused(fchdir(fd), EACCES);
}
static int act_chdir_compat(const struct spot *s)
{
	return compat(I386_CHDIR, low(s->d), 0, 0);
}
static int act_chdir_compatfd(const struct spot *s)
{
	return compat(I386_FCHDIR, open(s->d, O_PATH), 0, 0);
}

static int act_chroot(const struct spot *s)
{
	return res(chroot(s->d));
}
static int act_chroot_cwd(const struct spot *s)
{
	return chdir(s->d) < 0 ? -errno : res(chroot("."));
}
static int act_chroot_link(const struct spot *s)
{
	return res(chroot(s->g));
}
static int act_chroot_denied(const struct spot *s)
{
	int r = become_weak();

	return r ? r : refused(chroot(s->d), EPERM);
}
static int act_chroot_compat(const struct spot *s)
{
	return compat(I386_CHROOT, low(s->d), 0, 0);
}

static int do_mount(const char *from, const char *to, const char *type, unsigned long flags)
{
	return res(syscall(SYS_mount, from, to, type, flags, NULL));
}

static int tmpfs_on(const char *path)
{
	int r = own_mounts();

	return r ? r : do_mount("src", path, "tmpfs", NOSUID);
}

/* The root of all may be the kernel's first, which cannot be exchanged: so what is exchanged is a root of our own. */
static int new_root(const struct spot *s)
{
	int r = tmpfs_on(s->d);

	if (r)
		return r;
	if (chdir(s->d) < 0 || mkdir("new", 0755) < 0)
		return -errno;
	r = do_mount("src", "new", "tmpfs", 0);
	if (r)
		return r;
	return mkdir("new/old", 0755) < 0 || chroot(".") < 0 ? -errno : 0;
}

static int act_pivot_root(const struct spot *s)
{
	int r = new_root(s);

	return r ? r : res(syscall(SYS_pivot_root, "/new", "/new/old"));
}
static int act_pivot_root_cwd(const struct spot *s)
{
	int r = new_root(s);

	if (r || chdir("/new") < 0)
		return r ? r : -errno;
	return res(syscall(SYS_pivot_root, ".", "old"));
}
static int act_pivot_root_denied(const struct spot *s)
{
	int r = become_weak();

	return r ? r : refused(syscall(SYS_pivot_root, s->dir, s->d), EPERM);
}

/* ---- mount(2) --------------------------------------------------------------------------------------------------------- */

static int act_mount(const struct spot *s)
{
	return tmpfs_on(s->d);
}
static int act_mount_link(const struct spot *s)
{
	return tmpfs_on(s->g);
}
static int bind_from(const char *from, const struct spot *s, unsigned long flags)
{
	int r = own_mounts();

	return r ? r : do_mount(from, s->d, NULL, BIND | flags);
}
static int act_mount_bind(const struct spot *s)
{
	return bind_from(s->dir, s, 0);
}
static int act_mount_rbind(const struct spot *s)
{
	return bind_from(s->dir, s, REC);
}
static int act_mount_bindlink(const struct spot *s)
{
	return bind_from(s->g, s, 0);
}
static int act_mount_cwd(const struct spot *s)
{
	int r = own_mounts();

	if (r || chdir(s->dir) < 0)
		return r ? r : -errno;
	return do_mount(".", "d", NULL, BIND);
}
static int act_mount_remount(const struct spot *s)
{
	int r = tmpfs_on(s->d);

	return r ? r : do_mount(NULL, s->d, NULL, REMOUNT | READ_ONLY);
}
static int act_mount_move(const struct spot *s)
{
	int r = tmpfs_on(s->d);

	if (r || mkdir(s->g, 0755) < 0)
		return r ? r : -errno;
	return do_mount(s->d, s->g, NULL, MOVE);
}
static int act_mount_shared(const struct spot *s)
{
	int r = tmpfs_on(s->d);

	return r ? r : do_mount(NULL, s->d, NULL, SHARED);
}
static int act_mount_denied(const struct spot *s)
{
	int r = become_weak();

	return r ? r : refused(syscall(SYS_mount, "src", s->d, "tmpfs", NOSUID, NULL), EPERM);
}

static int act_mount_compat(const struct spot *s)
{
	int r = own_mounts();

	return r ? r : compat5(I386_MOUNT, low("src"), low(s->d), low("tmpfs"), NOSUID, 0);
}

/* ---- the newer calls ---------------------------------------------------------------------------------------------------- */

/* A mount of its own that hangs nowhere: its descriptor. */
static int fsmount_made(void)
{
	int r = own_mounts(), fs;

	if (r)
		return r;
	fs = (int)syscall(SYS_fsopen, "tmpfs", 0);
	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	r = (int)syscall(SYS_fsmount, fs, 0, MOUNT_ATTR_NODEV);
	return r < 0 ? -errno : r;
}
static int act_mount_fsmount(const struct spot *s)
{
	int r = fsmount_made();

	(void)s;
	return r < 0 ? r : 0;
}
static int put_at(const char *path)
{
	int fd = fsmount_made();

	return fd < 0 ? fd : res(syscall(SYS_move_mount, fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH));
}
static int act_mount_move_mount(const struct spot *s)
{
	return put_at(s->d);
}
static int act_mount_movelink(const struct spot *s)
{
	int fd = fsmount_made();

	return fd < 0 ? fd
		      : res(syscall(SYS_move_mount, fd, "", AT_FDCWD, s->g,
				    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS));
}
static int act_mount_movedenied(const struct spot *s)
{
	int r = become_weak();

	return r ? r : refused(syscall(SYS_move_mount, AT_FDCWD, s->dir, AT_FDCWD, s->d, 0), EPERM);
}
static int act_mount_open_tree(const struct spot *s)
{
	int r = own_mounts();

	return r ? r : res(syscall(SYS_open_tree, AT_FDCWD, s->dir, OPEN_TREE_CLONE));
}
static int act_mount_treefd(const struct spot *s)
{
	int r = own_mounts(), fd = open(s->dir, O_PATH); /* of this namespace */

	return r ? r : res(syscall(SYS_open_tree, fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE));
}
static int act_mount_setattr(const struct spot *s)
{
	struct attributes a = { .set = MOUNT_ATTR_RDONLY };
	int r = tmpfs_on(s->d);

	return r ? r : res(syscall(SYS_mount_setattr, AT_FDCWD, s->d, 0, &a, sizeof(a)));
}
static int act_mount_setattrfd(const struct spot *s)
{
	struct attributes a = { .propagation = SHARED };
	int r = tmpfs_on(s->d);

	return r ? r : res(syscall(SYS_mount_setattr, open(s->d, O_PATH), "", AT_EMPTY_PATH, &a, sizeof(a)));
}
static int act_mount_compatnew(const struct spot *s)
{
	int r = own_mounts();

	return r ? r : compat(I386_OPEN_TREE, AT_FDCWD, low(s->dir), OPEN_TREE_CLONE);
}

/* ---- umount ------------------------------------------------------------------------------------------------------------- */

static int act_umount(const struct spot *s)
{
	int r = tmpfs_on(s->d);

	return r ? r : res(syscall(SYS_umount2, s->d, 0));
}
static int act_umount_detach(const struct spot *s)
{
	int r = tmpfs_on(s->d);

	return r ? r : res(syscall(SYS_umount2, s->d, DETACH));
}
static int act_umount_cwd(const struct spot *s)
{
	int r = tmpfs_on(s->d);

	if (r || chdir(s->dir) < 0)
		return r ? r : -errno;
	return res(syscall(SYS_umount2, "d", 0));
}
static int act_umount_link(const struct spot *s)
{
	int r = tmpfs_on(s->d);

	return r ? r : res(syscall(SYS_umount2, s->g, 0));
}
static int act_umount_denied(const struct spot *s)
{
	int r = become_weak();

	return r ? r : refused(syscall(SYS_umount2, s->d, 0), EPERM);
}
static int act_umount_compat(const struct spot *s)
{
	int r = tmpfs_on(s->d);

	return r ? r : compat(I386_UMOUNT, low(s->d), DETACH, 0);
}
static int act_umount_compatold(const struct spot *s)
{
	int r = tmpfs_on(s->d);

	return r ? r : compat(I386_OLDUMOUNT, low(s->d), DETACH, 0);
}

/* ---- namespaces --------------------------------------------------------------------------------------------------------- */

static int own(const char *ns)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/ns/%s", ns);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int act_setns(const struct spot *s)
{
	(void)s;
	return res(setns(own("uts"), CLONE_NEWUTS));
}
static int act_setns_any(const struct spot *s)
{
	(void)s;
	return res(setns(own("uts"), 0));
}
static int act_setns_mnt(const struct spot *s)
{
	(void)s;
	return res(setns(own("mnt"), CLONE_NEWNS));
}
static int act_setns_pidfd(const struct spot *s)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	(void)s;
	return res(setns(fd, CLONE_NEWUTS | CLONE_NEWIPC));
}
static int act_setns_denied(const struct spot *s)
{
	int fd = own("uts"), r = become_nobody();

	(void)s;
	return r ? r : refused(setns(fd, CLONE_NEWUTS), EPERM);
}
static int act_setns_compat(const struct spot *s)
{
	(void)s;
	return compat(I386_SETNS, own("ipc"), 0, 0);
}

#define UNSHARE(NAME, FLAGS)                                                                                           \
	static int act_unshare_##NAME(const struct spot *s)                                                            \
	{                                                                                                              \
		(void)s;                                                                                               \
		return unshare(FLAGS) < 0 ? (errno == EINVAL ? -ENOSYS : -errno) : 0;                                  \
	}
UNSHARE(uts, CLONE_NEWUTS)
UNSHARE(ipc, CLONE_NEWIPC)
UNSHARE(ns, CLONE_NEWNS)
UNSHARE(net, CLONE_NEWNET)
UNSHARE(pid, CLONE_NEWPID)
UNSHARE(cgroup, CLONE_NEWCGROUP)
UNSHARE(user, CLONE_NEWUSER)
UNSHARE(time, 0x80)
UNSHARE(fs, CLONE_FS)
UNSHARE(files, CLONE_FILES)
UNSHARE(many, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID)

static int act_unshare_compat(const struct spot *s)
{
	(void)s;
	return compat(I386_UNSHARE, CLONE_NEWUTS, 0, 0);
}

/* The first is refused: it is no event. */
static int act_unshare_refused(const struct spot *s)
{
	int r = become_nobody();

	(void)s;
	if (!r)
		r = refused(unshare(CLONE_NEWUTS), EPERM);
	return r ? r : res(unshare(CLONE_FILES));
}

/* Whoever has a user namespace of his own has every capability there. */
static int act_unshare_later(const struct spot *s)
{
	int r = become_nobody();

	if (!r)
		r = res(unshare(CLONE_NEWUSER));
	return r ? r : refused(open(s->f, O_RDONLY), EACCES);
}

/* ---- the table ---------------------------------------------------------------------------------------------------------- */

#define CHDIR		 "chdir.file.path=%d/d", "chdir.file.name=d"
#define CHROOT		 "chroot.file.path=%d/d", "chroot.file.name=d"
#define PIVOT(new, old)	 "pivot_root.new_root.path=" new, "pivot_root.put_old.path=" old
#define MOUNT(on, flags) "mount.mountpoint.path=" on, "mount.flags=" flags
#define TMPFS		 "mount.fs_type=tmpfs"
#define VISIBLE		 "mount.visible=true", "mount.detached=false"
#define DETACHED	 "mount.visible=false", "mount.detached=true"
#define FROM(path)	 ("mount.source.path=" path)
#define UMOUNT(flags)	 "umount.mountpoint.path=%d/d", ("umount.flags=" flags)

const struct row rows_mount[] = {
	{ "chdir", NULL, act_chdir, .expect = { CHDIR, "chdir.syscall.path=%d/d", RET("0"), SYNC } },
	{ "chdir.cwd", NULL, act_chdir_cwd, .expect = { CHDIR, "chdir.syscall.path=d/../d", RET("0") } },
	{ "chdir.symlink", prepare_link_to_d, act_chdir_link,
	  .expect = { CHDIR, "chdir.syscall.path=%d/g", RET("0") } },
	{ "chdir.fd", NULL, act_chdir_fd, .expect = { CHDIR, RET("0") } },
	{ "chdir.denied", prepare_closed, act_chdir_denied, .expect = { CHDIR, RET("-13"), "process.uid=65534" } },
	{ "chdir.fddenied", prepare_closed, act_chdir_fddenied, .expect = { CHDIR, RET("-13") } },
	{ "chdir.compat", NULL, act_chdir_compat, .expect = { CHDIR, "chdir.syscall.path=%d/d", RET("0") } },
	{ "chdir.compatfd", NULL, act_chdir_compatfd, .expect = { CHDIR, RET("0") } },

	{ "chroot", NULL, act_chroot, .expect = { CHROOT, RET("0"), SYNC } },
	{ "chroot.cwd", NULL, act_chroot_cwd, .expect = { CHROOT, RET("0") } },
	{ "chroot.symlink", prepare_link_to_d, act_chroot_link, .expect = { CHROOT, RET("0") } },
	{ "chroot.denied", NULL, act_chroot_denied, .expect = { CHROOT, RET("-1") } },
	{ "chroot.compat", NULL, act_chroot_compat, .expect = { CHROOT, RET("0") } },

	{ "pivot_root", NULL, act_pivot_root, .expect = { PIVOT("%d/d/new", "%d/d/new/old"), RET("0"), SYNC } },
	{ "pivot_root.cwd", NULL, act_pivot_root_cwd, .expect = { PIVOT("%d/d/new", "%d/d/new/old"), RET("0") } },
	{ "pivot_root.denied", NULL, act_pivot_root_denied, .expect = { PIVOT("%d", "%d/d"), RET("-1") } },

	{ "mount", NULL, act_mount,
	  .expect = { MOUNT("%d/d", "2"), TMPFS, VISIBLE, "mount.syscall.source.path=src",
		      "mount.syscall.fs_type=tmpfs", RET("0") } },
	{ "mount.root", NULL, act_mount, .expect = { MOUNT("%d/d", "2"), "mount.root.path=/", RET("0"), SYNC } },
	{ "mount.symlink", prepare_link_to_d, act_mount_link,
	  .expect = { MOUNT("%d/d", "2"), TMPFS, "mount.syscall.mountpoint.path=%d/g", RET("0") } },
	{ "mount.bind", NULL, act_mount_bind, .expect = { MOUNT("%d/d", "4096"), FROM("%d"), VISIBLE, RET("0") } },
	{ "mount.rbind", NULL, act_mount_rbind, .expect = { MOUNT("%d/d", "20480"), FROM("%d"), VISIBLE, RET("0") } },
	{ "mount.bindlink", prepare_link_to_here, act_mount_bindlink,
	  .expect = { MOUNT("%d/d", "4096"), FROM("%d"), RET("0") } },
	{ "mount.cwd", NULL, act_mount_cwd, .expect = { MOUNT("%d/d", "4096"), FROM("%d"), RET("0") } },
	{ "mount.remount", NULL, act_mount_remount, .expect = { MOUNT("%d/d", "33"), VISIBLE, RET("0") } },
	{ "mount.move", NULL, act_mount_move, .expect = { MOUNT("%d/g", "8192"), FROM("%d/d"), VISIBLE, RET("0") } },
	{ "mount.shared", NULL, act_mount_shared, .expect = { MOUNT("%d/d", "1048576"), VISIBLE, RET("0") } },
	{ "mount.denied", NULL, act_mount_denied,
	  .expect = { MOUNT("%d/d", "2"), TMPFS, "mount.visible=false", RET("-1") } },
	{ "mount.compat", NULL, act_mount_compat,
	  .expect = { MOUNT("%d/d", "2"), TMPFS, VISIBLE, "mount.syscall.source.path=src", RET("0") } },
	{ "mount.fsmount", NULL, act_mount_fsmount,
	  .expect = { "mount.flags=4", TMPFS, DETACHED, "mount.root.path=/", RET("0"), SYNC } },
	{ "mount.move_mount", NULL, act_mount_move_mount,
	  .expect = { MOUNT("%d/d", "8192"), TMPFS, VISIBLE, "mount.root.path=/", RET("0") } },
	{ "mount.movelink", prepare_link_to_d, act_mount_movelink,
	  .expect = { MOUNT("%d/d", "8192"), TMPFS, VISIBLE, RET("0") } },
	{ "mount.movedenied", NULL, act_mount_movedenied,
	  .expect = { MOUNT("%d/d", "8192"), FROM("%d"), "mount.visible=false", RET("-1") } },
	{ "mount.open_tree", NULL, act_mount_open_tree,
	  .expect = { "mount.flags=4096", FROM("%d"), DETACHED, RET("0"), SYNC } },
	{ "mount.treefd", NULL, act_mount_treefd, .expect = { "mount.flags=20480", FROM("%d"), DETACHED, RET("0") } },
	{ "mount.setattr", NULL, act_mount_setattr, .expect = { MOUNT("%d/d", "4129"), VISIBLE, RET("0") } },
	{ "mount.setattrfd", NULL, act_mount_setattrfd,
	  .expect = { MOUNT("%d/d", "1052704"), TMPFS, VISIBLE, RET("0") } },
	{ "mount.compatnew", NULL, act_mount_compatnew,
	  .expect = { "mount.flags=4096", FROM("%d"), DETACHED, RET("0") } },

	{ "umount", NULL, act_umount, .expect = { UMOUNT("0"), RET("0"), SYNC } },
	{ "umount.detach", NULL, act_umount_detach, .expect = { UMOUNT("2"), RET("0") } },
	{ "umount.cwd", NULL, act_umount_cwd, .expect = { UMOUNT("0"), RET("0") } },
	{ "umount.symlink", prepare_link_to_d, act_umount_link, .expect = { UMOUNT("0"), RET("0") } },
	{ "umount.denied", NULL, act_umount_denied, .expect = { UMOUNT("0"), RET("-1") } },
	{ "umount.compat", NULL, act_umount_compat, .expect = { UMOUNT("2"), RET("0") } },
	{ "umount.compatold", NULL, act_umount_compatold, .expect = { UMOUNT("0"), RET("0") } },

	{ "setns", NULL, act_setns, .expect = { "setns.flags=67108864", RET("0"), SYNC } },
	{ "setns.any", NULL, act_setns_any, .expect = { "setns.flags=67108864", RET("0") } },
	{ "setns.mnt", NULL, act_setns_mnt, .expect = { "setns.flags=131072", RET("0") } },
	{ "setns.pidfd", NULL, act_setns_pidfd, .expect = { "setns.flags=201326592", RET("0") } },
	{ "setns.denied", NULL, act_setns_denied,
	  .expect = { "setns.flags=67108864", RET("-1"), "process.uid=65534" } },
	{ "setns.compat", NULL, act_setns_compat, .expect = { "setns.flags=134217728", RET("0") } },

	{ "unshare", NULL, act_unshare_uts, .expect = { "unshare.flags=67108864", RET("0"), SYNC } },
	{ "unshare.ipc", NULL, act_unshare_ipc, .expect = { "unshare.flags=134217728" } },
	{ "unshare.mnt", NULL, act_unshare_ns, .expect = { "unshare.flags=131072" } },
	{ "unshare.net", NULL, act_unshare_net, .expect = { "unshare.flags=1073741824" } },
	{ "unshare.pid", NULL, act_unshare_pid, .expect = { "unshare.flags=536870912" } },
	{ "unshare.cgroup", NULL, act_unshare_cgroup, .expect = { "unshare.flags=33554432" } },
	{ "unshare.user", NULL, act_unshare_user, .expect = { "unshare.flags=268435456" } },
	{ "unshare.time", NULL, act_unshare_time, .expect = { "unshare.flags=128" } },
	{ "unshare.fs", NULL, act_unshare_fs, .expect = { "unshare.flags=512" } },
	{ "unshare.files", NULL, act_unshare_files, .expect = { "unshare.flags=1024" } },
	{ "unshare.many", NULL, act_unshare_many, .expect = { "unshare.flags=805437440" } },
	{ "unshare.compat", NULL, act_unshare_compat, .expect = { "unshare.flags=67108864" } },
	{ "unshare.refused", NULL, act_unshare_refused, .expect = { "unshare.flags=1024", RET("0") } },
	{ "unshare.later", NULL, act_unshare_later, .event = "open",
	  .expect = { "process.uid=65534", "process.cap_effective&0x200000=2097152", RET("-13") } },
	{ 0 },
};
