/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths that are hard to tell, and programs that lie about them. What is reported has to be right to the byte or marked as
 * truncated, on each rung.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "scenario.h"

#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

/* The policy asks for this name anywhere: where the path cannot be told, the name can. */
#define NAME  "tamis-matrix-name"
#define XATTR "trusted.tamis"

/* ---- depth and length ----------------------------------------------------------------------------------------------- */

#define TIMES4(X)	X X X X
#define TIMES10(X)	X X X X X X X X X X
#define NAME250		TIMES10(TIMES10("nn")) TIMES10("nnnnn")
#define NAME253		NAME250 "nnn"
#define DEEP		TIMES10("/x/x/x/x/x/x") /* 60 levels */
#define LONG(n)		TIMES4(TIMES4("/" NAME253)) "/" n
#define LONG_LEVELS	16
#define TOO_LONG_LEVELS 19

static int deep_fd;			 /* of the last directory, for the actor */
static char deep_path[2 * PATH_MAX + 8]; /* of the file in it */

/* @levels directories of that name below @top, and a file in the last. */
static int dig(const char *top, const char *name, int levels, const char *file)
{
	int fd = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC), next;
	size_t n = (size_t)snprintf(deep_path, sizeof(deep_path), "%s", top);

	for (int i = 0; i < levels && fd >= 0; i++) {
		if (mkdirat(fd, name, 0755) < 0)
			return -errno;
		next = openat(fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
		if (n < sizeof(deep_path))
			n += (size_t)snprintf(deep_path + n, sizeof(deep_path) - n, "/%s", name);
	}
	deep_fd = fd;
	if (n < sizeof(deep_path))
		snprintf(deep_path + n, sizeof(deep_path) - n, "/%s", file);
	next = openat(fd, file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	return fd < 0 || next < 0 || close(next) < 0 ? -errno : 0;
}

static int prepare_deep(const struct spot *s)
{
	return dig(s->d, "x", 60, "f");
}

/* With the row's directory, 4,095 bytes: the longest path that a program can say. Both rows' names are of one length. */
static int prepare_long(const struct spot *s)
{
	int r = dig(s->dir, NAME253, LONG_LEVELS, &"abc"[strlen(s->dir) + 1 - sizeof("/tmp/tamis-matrix/open.long")]);

	return r ? r : strlen(deep_path) == PATH_MAX - 1 ? 0 : -EPROTO;
}

static int prepare_too_long(const struct spot *s)
{
	return dig(s->dir, NAME253, TOO_LONG_LEVELS, NAME);
}

static int act_open_path(const struct spot *s)
{
	(void)s;
	return res(open(deep_path, O_RDONLY));
}

/* Clears away what no `rm -r` can, which goes by whole paths. */
static int fill_in(void)
{
	int fd = deep_fd, r = res(unlinkat(fd, NAME, 0));

	for (int i = 0; i < TOO_LONG_LEVELS && !r; i++) {
		fd = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		r = res(unlinkat(fd, NAME253, AT_REMOVEDIR));
	}
	return r;
}

static int act_open_below(const struct spot *s)
{
	int r = res(openat(deep_fd, NAME, O_RDONLY));

	(void)s;
	return r ? r : fill_in();
}
static int act_unlink_path(const struct spot *s)
{
	(void)s;
	return res(unlink(deep_path));
}

/* ---- bytes that are no text ------------------------------------------------------------------------------------------ */

#define BYTES "a\nb\xff\xc3(\x01\"\\"
#define SHOWN "a\nb\\xff\\xc3(\x01\"\\"

static int prepare_bytes(const struct spot *s)
{
	int fd = openat(s->dirfd, BYTES, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : close(fd);
}

static int act_open_bytes(const struct spot *s)
{
	return res(openat(s->dirfd, BYTES, O_RDONLY));
}
static int act_rename_bytes(const struct spot *s)
{
	return res(renameat(s->dirfd, BYTES, s->dirfd, "g\n"));
}

static int act_unlink_bytes(const struct spot *s)
{
	return res(unlinkat(s->dirfd, BYTES, 0));
}

/* ---- names that move and go ------------------------------------------------------------------------------------------ */

static int prepare_df(const struct spot *s)
{
	int fd = open(s->df, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : close(fd);
}

/* The kernel side remembers directories: not beyond a rename. */
static int act_open_moved(const struct spot *s)
{
	int d = open(s->d, O_PATH), fd = open(s->df, O_RDONLY);

	if (d < 0 || fd < 0 || rename(s->d, s->g) < 0)
		return -errno;
	return res(openat(d, "f", O_RDWR));
}

static int act_unlink_moved(const struct spot *s)
{
	int d = open(s->d, O_PATH);

	return d < 0 || rename(s->d, s->g) < 0 ? -errno : res(unlinkat(d, "f", 0));
}

/* A file that has no name any more is told by the last one. */
static int act_open_deleted(const struct spot *s)
{
	char proc[64];
	int fd = open(s->f, O_PATH);

	if (fd < 0 || unlink(s->f) < 0)
		return -errno;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	return res(open(proc, O_RDWR));
}

/* A directory without a name: by the last one, too. */
static int act_chdir_deleted(const struct spot *s)
{
	int d = open(s->d, O_PATH);

	return d < 0 || rmdir(s->d) < 0 ? -errno : res(fchdir(d));
}
static int act_chmod_deleted(const struct spot *s)
{
	int d = open(s->d, O_RDONLY | O_DIRECTORY);

	return d < 0 || rmdir(s->d) < 0 ? -errno : res(fchmod(d, 0700));
}
static int act_chdir_moved(const struct spot *s)
{
	int d = open(s->d, O_PATH);

	return d < 0 || rename(s->d, s->g) < 0 ? -errno : res(fchdir(d));
}

/* ---- other roots ----------------------------------------------------------------------------------------------------- */

static int enter(const struct spot *s)
{
	return chroot(s->d) < 0 || chdir("/") < 0 ? -errno : 0;
}

static int act_open_chroot(const struct spot *s)
{
	int r = enter(s);

	return r ? r : res(open("/f", O_RDWR));
}
static int act_open_chroot_denied(const struct spot *s)
{
	int r = enter(s);

	if (r || setuid(NOBODY) < 0)
		return r ? r : -errno;
	return open("/f", O_RDWR) < 0 && errno == EACCES ? 0 : -EPROTO;
}
static int act_unlink_chroot(const struct spot *s)
{
	int r = enter(s);

	return r ? r : res(unlink("/f"));
}
static int act_mkdir_chroot(const struct spot *s)
{
	int r = enter(s);

	return r ? r : res(mkdir("g", 0750));
}

int own_mounts(void)
{
	return unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;
}

static int act_open_mountns(const struct spot *s)
{
	int r = own_mounts();

	if (r || mount("tmpfs", s->d, "tmpfs", 0, NULL) < 0)
		return r ? r : -errno;
	return res(open(s->df, O_RDWR | O_CREAT, 0600));
}

static int prepare_name(const struct spot *s)
{
	int fd = openat(s->dirfd, NAME, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : close(fd);
}

/* A directory of a mount that hangs nowhere any more: nothing tells where it was. */
static int act_open_detached(const struct spot *s)
{
	int r = own_mounts(), d;

	if (r || mount(s->dir, s->d, NULL, MS_BIND, NULL) < 0)
		return r ? r : -errno;
	d = open(s->d, O_PATH);
	if (d < 0 || umount2(s->d, MNT_DETACH) < 0)
		return -errno;
	return res(openat(d, NAME, O_RDONLY));
}

/* One that never was anywhere. */
static int act_open_tree(const struct spot *s)
{
	int d = (int)syscall(SYS_open_tree, AT_FDCWD, s->dir, OPEN_TREE_CLONE);

	return d < 0 ? -errno : res(openat(d, NAME, O_RDONLY));
}

/* ---- arguments that change between the kernel's look and ours --------------------------------------------------------- */

/*
 * A string or address over two pages, of which the second is not there: the kernel has copied the first part when it comes
 * to the second, and waits. Then another thread changes the first part, and gives it the second. Whoever looks into
 * the caller's memory later sees what was never used.
 */
struct trap {
	int fd;
	char *pages; /* two */
	char *change;
	char to;
	char second[4096];
};

static void *spring(void *arg)
{
	struct trap *t = arg;
	struct uffd_msg m;
	struct uffdio_copy c = { .dst = (uintptr_t)t->pages + 4096,
				 .src = (uintptr_t)t->second,
				 .len = sizeof(t->second) };

	if (read(t->fd, &m, sizeof(m)) != sizeof(m))
		return NULL;
	*t->change = t->to;
	ioctl(t->fd, UFFDIO_COPY, &c);
	return NULL;
}

/* @bytes with @size, of which @first are on the first page; the one at @change becomes @to. NULL where it cannot be had. */
static char *trap_set(const void *bytes, size_t size, size_t first, size_t change, char to)
{
	struct trap *t = calloc(1, sizeof(*t));
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	pthread_t thread;
	char *at;

	t->pages = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t->fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (t->pages == MAP_FAILED || t->fd < 0 || ioctl(t->fd, UFFDIO_API, &api) < 0)
		return NULL;
	at = t->pages + 4096 - first;
	memcpy(at, bytes, first);
	memcpy(t->second, (const char *)bytes + first, size - first);
	t->change = at + change;
	t->to = to;
	reg.range.start = (uintptr_t)t->pages + 4096;
	reg.range.len = 4096;
	if (ioctl(t->fd, UFFDIO_REGISTER, &reg) < 0 || pthread_create(&thread, NULL, spring, t))
		return NULL;
	return at;
}

/* A path in directory @d. */
static const char *below(const char *d)
{
	static char path[PATH_MAX + sizeof("/below")];

	snprintf(path, sizeof(path), "%s/below", d);
	return path;
}

/* Has all rights but those to directories that are closed, as @d then is. */
static int closed(const char *d)
{
	const uint32_t less = 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH;
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	if (chmod(d, 0) < 0 || syscall(SYS_capget, &head, caps) < 0)
		return -errno;
	caps[0].effective &= ~less;
	return res(syscall(SYS_capset, &head, caps));
}

/* The last component is on the second page. What changes is some bytes before it: strings are copied eight bytes at a time. */
static const char *lie(const char *path)
{
	size_t first = (size_t)(strrchr(path, '/') - path) + 1;
	const char *at = trap_set(path, strlen(path) + 1, first, first - 9, '_');

	return at ? at : (const char *)-1;
}

static int act_open_race(const struct spot *s)
{
	return res(open(lie(s->f), O_RDWR | O_APPEND));
}
static int act_open_denied_race(const struct spot *s)
{
	const char *path = lie(s->f);

	if (setuid(NOBODY) < 0)
		return -errno;
	return open(path, O_RDONLY) < 0 && errno == EACCES ? 0 : -EPROTO;
}
static int act_unlink_race(const struct spot *s)
{
	return res(unlink(lie(s->f)));
}
static int act_rename_race(const struct spot *s)
{
	return res(rename(lie(s->f), lie(s->g)));
}
static int act_mkdir_race(const struct spot *s)
{
	return res(mkdir(lie(s->g), 0750));
}
static int act_rmdir_race(const struct spot *s)
{
	return res(rmdir(lie(s->d)));
}
static int act_link_race(const struct spot *s)
{
	return res(link(lie(s->f), lie(s->g)));
}
static int act_symlink_race(const struct spot *s)
{
	return res(symlink("nowhere", lie(s->g)));
}
static int act_chmod_race(const struct spot *s)
{
	return res(chmod(lie(s->f), 0640));
}
static int act_chown_race(const struct spot *s)
{
	return res(chown(lie(s->f), NOBODY, 1));
}
static int act_truncate_race(const struct spot *s)
{
	return res(truncate(lie(s->f), 5));
}

static int act_utimes_race(const struct spot *s)
{
	return res(utimensat(AT_FDCWD, lie(s->f), NULL, 0));
}
static int act_setxattr_race(const struct spot *s)
{
	return res(setxattr(lie(s->f), XATTR, "1", 1, 0));
}
static int prepare_xattr(const struct spot *s)
{
	return res(setxattr(s->f, XATTR, "1", 1, 0));
}
static int act_removexattr_race(const struct spot *s)
{
	return res(removexattr(lie(s->f), XATTR));
}
static int act_exec_race(const struct spot *s)
{
	char *const argv[] = { (char *)"g", (char *)"noop", NULL };

	execv(lie(s->g), argv);
	return -errno;
}
static int act_chdir_race(const struct spot *s)
{
	return res(chdir(lie(s->d)));
}
/* The directory is found and may not be entered. */
static int act_chdir_denied_race(const struct spot *s)
{
	const char *path = lie(s->d);

	if (chmod(s->d, 0) < 0 || setuid(NOBODY) < 0)
		return -errno;
	return chdir(path) < 0 && errno == EACCES ? 0 : -EPROTO;
}
/* It is not even found: the path is what the kernel copied, as it is. */
static int act_chdir_lost_race(const struct spot *s)
{
	const char *path = lie(below(s->d));

	if (chmod(s->d, 0) < 0 || setuid(NOBODY) < 0)
		return -errno;
	return chdir(path) < 0 && errno == EACCES ? 0 : -EPROTO;
}
static int act_chroot_race(const struct spot *s)
{
	return res(chroot(lie(s->d)));
}
static int act_chroot_denied_race(const struct spot *s)
{
	const char *path = lie(s->d);

	if (setuid(NOBODY) < 0)
		return -errno;
	return chroot(path) < 0 && errno == EPERM ? 0 : -EPROTO;
}
static int tmpfs_own(const struct spot *s)
{
	int r = own_mounts();

	return r ? r : res(mount("src", s->d, "tmpfs", 0, NULL));
}
static int act_mount_race(const struct spot *s)
{
	int r = own_mounts();

	return r ? r : res(mount("src", lie(s->d), "tmpfs", 0, NULL));
}
/* Both paths are looked up by the kernel, and the places that it found are what counts. */
static int act_mount_move_race(const struct spot *s)
{
	int r = tmpfs_own(s);

	if (r || mkdir(s->g, 0755) < 0)
		return r ? r : -errno;
	return res(syscall(SYS_move_mount, AT_FDCWD, lie(s->d), AT_FDCWD, lie(s->g), 0));
}
/* One of the two may not be looked up. */
static int move_denied(const struct spot *s, const char *from, const char *to, const char *close)
{
	int r = tmpfs_own(s);

	if (r || mkdir(s->g, 0755) < 0)
		return r ? r : -errno;
	from = lie(from);
	to = lie(to);
	r = closed(close);
	if (r)
		return r;
	return syscall(SYS_move_mount, AT_FDCWD, from, AT_FDCWD, to, 0) < 0 && errno == EACCES ? 0 : -EPROTO;
}
static int act_mount_from_race(const struct spot *s)
{
	return move_denied(s, below(s->d), s->g, s->d);
}
static int act_mount_to_race(const struct spot *s)
{
	return move_denied(s, s->d, below(s->g), s->g);
}
static int set_attributes(const char *path)
{
	const uint64_t readonly[4] = {
		1
	}; /* struct mount_attr, which older headers lack: set, clear, propagation, namespace */

	return (int)syscall(442, AT_FDCWD, path, 0, readonly, sizeof(readonly));
}
static int act_mount_setattr_race(const struct spot *s)
{
	int r = tmpfs_own(s);

	return r ? r : res(set_attributes(lie(s->d)));
}
static int act_mount_setattr_lost_race(const struct spot *s)
{
	int r = own_mounts();
	const char *path = lie(below(s->d));

	r = r ? r : closed(s->d);
	if (r)
		return r;
	if (set_attributes(path) < 0 && errno == ENOSYS)
		return -ENOSYS;
	return errno == EACCES ? 0 : -EPROTO;
}
static int act_umount_race(const struct spot *s)
{
	int r = tmpfs_own(s);

	return r ? r : res(umount2(lie(s->d), 0));
}
/* The names after it are others, and "/" has none to lie about: the new root is below one of our own, see acts_mount.c. */
static int act_pivot_root_race(const struct spot *s)
{
	int r = tmpfs_own(s);

	if (r || chdir(s->d) < 0 || mkdir("new", 0755) < 0 || mount("src", "new", "tmpfs", 0, NULL) < 0)
		return r ? r : -errno;
	if (mkdir("new/longername", 0755) < 0 || mkdir("new/longername/old", 0755) < 0 || chroot(".") < 0)
		return -errno;
	return res(syscall(SYS_pivot_root, "/new", lie("/new/longername/old")));
}

static int act_pivot_root_denied_race(const struct spot *s)
{
	int r = own_mounts();
	const char *new = lie(s->dir), *old = lie(below(s->d));

	r = r ? r : closed(s->d);
	if (r)
		return r;
	return syscall(SYS_pivot_root, new, old) < 0 && errno == EACCES ? 0 : -EPROTO;
}

/* 127.0.0.1 becomes 127.0.0.9. */
static const struct sockaddr *lie_about(uint16_t port, socklen_t *ret_len)
{
	union address a;
	char *at;

	*ret_len = loopback(&a, AF_INET, port);
	at = trap_set(&a, sizeof(a.v4), 8, 7, 9);
	return at ? (void *)at : (void *)-1;
}

static int act_connect_race(const struct spot *s)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	const struct sockaddr *a;
	socklen_t n;

	(void)s;
	a = lie_about(PORT_OPEN, &n);
	return res(connect(fd, a, n));
}
static int act_bind_race(const struct spot *s)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	const struct sockaddr *a;
	socklen_t n;

	(void)s;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	a = lie_about(PORT_BIND, &n);
	return res(bind(fd, a, n));
}

/* ---- a program that does everything by one ring ----------------------------------------------------------------------- */

static int ring_step(uint8_t op, int fd, const void *addr, uint64_t addr2, uint32_t len, uint32_t flags)
{
	const struct io_uring_sqe sqe = {
		.opcode = op, .fd = fd, .addr = (uintptr_t)addr, .addr2 = addr2, .len = len, .open_flags = flags
	};

	return uring_do(&sqe);
}

/* No other system call of its touches a file. */
static int act_ring(const struct spot *s)
{
	union address a;
	socklen_t n = loopback(&a, AF_INET, PORT_OPEN);
	int sock = socket(AF_INET, SOCK_STREAM, 0), fd, r;
	char bytes[10];

	fd = ring_step(IORING_OP_OPENAT, AT_FDCWD, s->f, 0, 0, O_RDWR | O_APPEND);
	if (fd < 0)
		return fd;
	r = ring_step(IORING_OP_READ, fd, bytes, 0, sizeof(bytes), 0);
	if (r == sizeof(bytes))
		r = ring_step(IORING_OP_WRITE, fd, bytes, 0, sizeof(bytes), 0);
	if (r == sizeof(bytes))
		r = ring_step(IORING_OP_CLOSE, fd, NULL, 0, 0, 0);
	if (r == 0)
		r = ring_step(IORING_OP_RENAMEAT, AT_FDCWD, s->f, (uintptr_t)s->g, (uint32_t)AT_FDCWD, 0);
	if (r == 0)
		r = ring_step(IORING_OP_UNLINKAT, AT_FDCWD, s->g, 0, 0, 0);
	if (r == 0)
		r = ring_step(IORING_OP_CONNECT, sock, &a, n, 0, 0);
	return r > 0 ? -EPROTO : r;
}

/* ---- the table ------------------------------------------------------------------------------------------------------- */

#define CUT	  "event.flags=truncated"
#define OPEN(p)	  "open.file.path=" p, RET("0")
#define UNLINK(p) "unlink.file.path=" p, RET("0")

const struct row rows_paths[] = {
	{ "open.deep", prepare_deep, act_open_path, .expect = { OPEN("%d/d" DEEP "/f") } },
	{ "unlink.deep", prepare_deep, act_unlink_path, .expect = { UNLINK("%d/d" DEEP "/f") } },
	{ "open.long", prepare_long, act_open_path, .expect = { OPEN("%d" LONG("abc")) } },
	{ "unlink.long", prepare_long, act_unlink_path, .expect = { UNLINK("%d" LONG("c")) } },
	{ "open.toolong", prepare_too_long, act_open_below, .expect = { "open.file.name=" NAME, RET("0"), CUT } },
	{ "open.bytes", prepare_bytes, act_open_bytes, .expect = { OPEN("%d/" SHOWN) } },
	{ "rename.bytes", prepare_bytes, act_rename_bytes,
	  .expect = { "rename.file.path=%d/" SHOWN, "rename.file.destination.path=%d/g\n", RET("0") } },

	{ "open.moved", prepare_df, act_open_moved, .expect = { OPEN("%d/g/f"), "open.flags&3=2" } },
	{ "unlink.moved", prepare_df, act_unlink_moved, .expect = { UNLINK("%d/g/f") } },
	{ "open.deleted", NULL, act_open_deleted, .expect = { OPEN("%d/f"), "open.flags&3=2" } },

	{ "chdir.deleted", NULL, act_chdir_deleted, .expect = { "chdir.file.path=%d/d", RET("0") } },
	{ "chmod.deleted", NULL, act_chmod_deleted, .expect = { "chmod.file.path=%d/d", RET("0") } },
	{ "chdir.moved", NULL, act_chdir_moved, .expect = { "chdir.file.path=%d/g", RET("0") } },
	{ "unlink.bytes", prepare_bytes, act_unlink_bytes, .expect = { UNLINK("%d/" SHOWN) } },

	{ "open.chroot", prepare_df, act_open_chroot, .expect = { OPEN("%d/d/f") } },
	{ "open.chroot_denied", prepare_df, act_open_chroot_denied, .expect = { "open.file.path=%d/d/f", RET("-13") } },
	{ "unlink.chroot", prepare_df, act_unlink_chroot, .expect = { UNLINK("%d/d/f") } },
	{ "mkdir.chroot", NULL, act_mkdir_chroot, .expect = { "mkdir.file.path=%d/d/g", RET("0") } },
	{ "open.mountns", NULL, act_open_mountns, .expect = { OPEN("%d/d/f") } },
	{ "open.detached", prepare_name, act_open_detached, .expect = { "open.file.name=" NAME, RET("0"), CUT } },
	{ "open.tree", prepare_name, act_open_tree, .expect = { "open.file.name=" NAME, RET("0"), CUT } },

	{ "open.race", NULL, act_open_race, .expect = { OPEN("%d/f") } },
	{ "open.denied_race", NULL, act_open_denied_race, .expect = { "open.file.path=%d/f", RET("-13") } },
	{ "unlink.race", NULL, act_unlink_race, .expect = { UNLINK("%d/f") } },
	{ "rename.race", NULL, act_rename_race,
	  .expect = { "rename.file.path=%d/f", "rename.file.destination.path=%d/g", RET("0") } },
	{ "mkdir.race", NULL, act_mkdir_race, .expect = { "mkdir.file.path=%d/g", RET("0") } },
	{ "rmdir.race", NULL, act_rmdir_race, .expect = { "rmdir.file.path=%d/d", RET("0") } },
	{ "link.race", NULL, act_link_race,
	  .expect = { "link.file.path=%d/f", "link.file.destination.path=%d/g", RET("0") } },
	{ "symlink.race", NULL, act_symlink_race, .expect = { "symlink.file.path=%d/g", RET("0") } },
	{ "chmod.race", NULL, act_chmod_race, .expect = { "chmod.file.path=%d/f", RET("0") } },
	{ "chown.race", NULL, act_chown_race, .expect = { "chown.file.path=%d/f", RET("0") } },
	{ "truncate.race", NULL, act_truncate_race, .expect = { "truncate.file.path=%d/f", RET("0") } },
	{ "utimes.race", NULL, act_utimes_race, .expect = { "utimes.file.path=%d/f", RET("0") } },
	{ "setxattr.race", NULL, act_setxattr_race, .expect = { "setxattr.file.path=%d/f", RET("0") } },
	{ "removexattr.race", prepare_xattr, act_removexattr_race,
	  .expect = { "removexattr.file.path=%d/f", RET("0") } },
	{ "exec.race", prepare_program, act_exec_race, .expect = { "exec.file.path=%d/g" }, .image = "%d/g" },
	{ "chdir.race", NULL, act_chdir_race, .expect = { "chdir.file.path=%d/d", RET("0") } },
	{ "chdir.denied_race", NULL, act_chdir_denied_race,
	  .expect = { "chdir.file.path=%d/d", RET("-13"), "process.uid=65534" } },
	{ "chdir.lost_race", NULL, act_chdir_lost_race,
	  .expect = { "chdir.file.path=%d/d/below", "chdir.syscall.path=%d/d/below", RET("-13"),
		      "event.flags=user_path", "process.uid=65534" } },
	{ "chroot.race", NULL, act_chroot_race, .expect = { "chroot.file.path=%d/d", RET("0") } },
	{ "chroot.denied_race", NULL, act_chroot_denied_race,
	  .expect = { "chroot.file.path=%d/d", RET("-1"), "process.uid=65534" } },
	{ "pivot_root.race", NULL, act_pivot_root_race,
	  .expect = { "pivot_root.new_root.path=%d/d/new", "pivot_root.put_old.path=%d/d/new/longername/old",
		      RET("0") } },
	{ "pivot_root.denied_race", NULL, act_pivot_root_denied_race,
	  .expect = { "pivot_root.new_root.path=%d", "pivot_root.put_old.path=%d/d/below", RET("-13") } },
	{ "mount.race", NULL, act_mount_race, .expect = { "mount.mountpoint.path=%d/d", RET("0") } },
	{ "mount.move_race", NULL, act_mount_move_race,
	  .expect = { "mount.source.path=%d/d", "mount.mountpoint.path=%d/g", "mount.fs_type=tmpfs",
		      "mount.visible=true", RET("0") } },
	{ "mount.from_race", NULL, act_mount_from_race, .expect = { "mount.source.path=%d/d/below", RET("-13") } },
	{ "mount.to_race", NULL, act_mount_to_race, .expect = { "mount.mountpoint.path=%d/g/below", RET("-13") } },
	{ "mount.setattr_race", NULL, act_mount_setattr_race,
	  .expect = { "mount.mountpoint.path=%d/d", "mount.fs_type=tmpfs", "mount.flags=4129", RET("0") } },
	{ "mount.setattr_lost_race", NULL, act_mount_setattr_lost_race,
	  .expect = { "mount.mountpoint.path=%d/d/below", RET("-13") } },
	{ "umount.race", NULL, act_umount_race, .expect = { "umount.mountpoint.path=%d/d", RET("0") } },
	{ "connect.race", NULL, act_connect_race,
	  .expect = { ADDR("connect", "127.0.0.1", "54320", "2", "6"), RET("0") } },
	{ "bind.race", NULL, act_bind_race, .expect = { ADDR("bind", "127.0.0.1", "54321", "2", "6"), RET("0") } },

	{ "open.ring", NULL, act_ring, .expect = { OPEN("%d/f"), "open.flags&3=2", ASYNC } },
	{ "write.ring", NULL, act_ring, .expect = { "write.file.path=%d/f", RET("0"), ASYNC } },
	{ "rename.ring", NULL, act_ring,
	  .expect = { "rename.file.path=%d/f", "rename.file.destination.path=%d/g", RET("0"), ASYNC } },
	{ "unlink.ring", NULL, act_ring, .expect = { UNLINK("%d/g"), ASYNC } },
	{ "connect.ring", NULL, act_ring,
	  .expect = { ADDR("connect", "127.0.0.1", "54320", "2", "6"), RET("0"), ASYNC } },
	{ 0 },
};
