/* SPDX-License-Identifier: Apache-2.0 */
/* Where the fields of files, directory entries, inodes, mounts, control groups and sockets are. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "sensor/load/cgroup.h"
#include "sensor/load/offsets_impl.h"

#define FILE_SIZE   512u
#define DENTRY_SIZE 256u
#define INODE_SIZE  640u
#define HIGH_FD	    300 /* so that the table of files has grown out of files_struct */

/* A file system of our own, mounted where only we see it, and what lies in it. */
#define PLACE "/tmp"
#define DIR   "tamis-directory"
#define NAME  "tamis-regular-file-whose-name-is-not-short"

/* ---- task -> files -> table -> file --------------------------------------------------------------------------------- */

/* The table of files: nothing at HIGH_FD - 1, the same file at the two behind it. */
static bool is_fdtable(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	uint64_t p = pointer_at(r, at), table, fd[3];
	uint32_t max;

	return p && peek_read(&h->peek, p, &max, sizeof(max)) == 0 && max > HIGH_FD && max < 1 << 28 && max % 64 == 0 &&
	       peek_read(&h->peek, p + 8, &table, sizeof(table)) == 0 && is_kernel(table) &&
	       peek_read(&h->peek, table + 8 * (HIGH_FD - 1), fd, sizeof(fd)) == 0 && !fd[0] && fd[1] &&
	       fd[1] == fd[2] && fd[1] != table + 8 * HIGH_FD; /* the head of an empty list points to itself twice */
}

static bool is_files(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	static struct region files;
	uint64_t p = pointer_at(r, at);

	return p && region_read(h, &files, p, 256) && region_only(h, &files, 8, is_fdtable, NULL) != NOWHERE;
}

static bool hunt_fds(struct hunt *h, int fd)
{
	static struct region files;
	struct rlimit l;
	uint32_t at, fdt;

	getrlimit(RLIMIT_NOFILE, &l);
	l.rlim_cur = l.rlim_cur < 2 * HIGH_FD && l.rlim_max >= 2 * HIGH_FD ? 2 * HIGH_FD : l.rlim_cur;
	setrlimit(RLIMIT_NOFILE, &l);
	close(HIGH_FD - 1);
	if (dup2(fd, HIGH_FD) < 0 || dup2(fd, HIGH_FD + 1) < 0 || !region_read(h, h->own, h->own_task, h->task_size))
		return false;
	at = region_only(h, h->own, 8, is_files, NULL);
	if (at == NOWHERE || !region_read(h, &files, u64_at(h->own, at), 256))
		return false;
	fdt = region_only(h, &files, 8, is_fdtable, NULL);
	found(h, OFF_TASK_FILES, at);
	found(h, OFF_FILES_FDT, fdt);
	found(h, OFF_FDT_MAX_FDS, 0);
	found(h, OFF_FDT_FD, 8);
	return true;
}

/* The struct file of one of our own descriptors, by the way that was just found. */
static bool file_read(struct hunt *h, int fd, struct region *ret)
{
	uint64_t files = u64_at(h->own, at_of(h, OFF_TASK_FILES)), fdt, table, file;

	return fd >= 0 && peek_read(&h->peek, files + at_of(h, OFF_FILES_FDT), &fdt, 8) == 0 &&
	       peek_read(&h->peek, fdt + at_of(h, OFF_FDT_FD), &table, 8) == 0 &&
	       peek_read(&h->peek, table + 8ull * (uint32_t)fd, &file, 8) == 0 && region_read(h, ret, file, FILE_SIZE);
}

/* ---- file -> inode ---------------------------------------------------------------------------------------------------- */

struct seen {
	struct stat st;
	struct region file, inode;
};

static bool is_inode(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	static struct region inode;
	const struct stat *st = want;
	uint64_t p = pointer_at(r, at), ino = st->st_ino;

	return p && region_read(h, &inode, p, INODE_SIZE) && u16_at(&inode, 0) == st->st_mode &&
	       region_first(h, &inode, 8, is_u64, &ino) != NOWHERE;
}

/* Reads the file and the inode of @fd into @s. */
static bool seen_read(struct hunt *h, struct seen *s, int fd)
{
	uint32_t at = at_of(h, OFF_FILE_F_INODE);

	if (!file_read(h, fd, &s->file) || fstat(fd, &s->st) < 0)
		return false;
	if (at == NOWHERE)
		at = region_only(h, &s->file, 8, is_inode, &s->st);
	found(h, OFF_FILE_F_INODE, at);
	return at != NOWHERE && region_read(h, &s->inode, u64_at(&s->file, at), INODE_SIZE);
}

static bool is_type(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	uint64_t p = pointer_at(r, at), name;

	return p && peek_read(&h->peek, p, &name, 8) == 0 && text_is(h, name, want);
}

static bool is_super(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	static struct region super;
	uint64_t p = pointer_at(r, at);

	return p && region_read(h, &super, p, 256) && region_only(h, &super, 8, is_type, want) != NOWHERE;
}

/* Of inodes of two file systems: where the number is, and which file system. */
static void hunt_inode(struct hunt *h, const struct seen *of_tmpfs, const struct seen *of_proc, const struct seen *dir)
{
	static struct region super;
	const struct region *const all[] = { &of_tmpfs->inode, &of_proc->inode, &dir->inode };
	const uint64_t numbers[] = { of_tmpfs->st.st_ino, of_proc->st.st_ino, dir->st.st_ino };
	uint32_t at, uid = of_tmpfs->st.st_uid, gid = of_tmpfs->st.st_gid;

	found(h, OFF_INODE_I_MODE, 0);
	found(h, OFF_INODE_I_INO, regions_only(all, numbers, 3, 8));
	found(h, OFF_INODE_I_UID, region_only(h, &of_tmpfs->inode, 4, is_u32, &uid));
	found(h, OFF_INODE_I_GID, region_only(h, &of_tmpfs->inode, 4, is_u32, &gid));
	at = region_only(h, &of_tmpfs->inode, 8, is_super, "tmpfs");
	if (at == NOWHERE || at != region_only(h, &of_proc->inode, 8, is_super, "proc"))
		return;
	found(h, OFF_INODE_I_SB, at);
	if (region_read(h, &super, u64_at(&of_tmpfs->inode, at), 256))
		found(h, OFF_SB_S_TYPE, region_only(h, &super, 8, is_type, "tmpfs"));
	found(h, OFF_FSTYPE_NAME, 0);
}

/* tmpfs tells the generation in its file handles: shmem_encode_fh. */
static void hunt_generation(struct hunt *h, const struct seen *s, int fd)
{
	struct {
		struct file_handle head;
		uint32_t word[32];
	} handle = { .head = { .handle_bytes = sizeof(handle.word) } };
	int mount;

	if (name_to_handle_at(fd, "", &handle.head, &mount, AT_EMPTY_PATH) == 0 && handle.head.handle_bytes >= 8)
		found(h, OFF_INODE_I_GENERATION, region_only(h, &s->inode, 4, is_u32, handle.head.f_handle));
}

static bool is_nsec(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	return at + 4 <= r->n &&
	       (u32_at(r, at) & 0x7fffffff) == *(const uint32_t *)want; /* the top bit is a flag, from 6.13 on */
}

static bool is_time(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	const struct timespec *t = want;

	return at + 16 <= r->n && u64_at(r, at) == (uint64_t)t->tv_sec && u64_at(r, at + 8) == (uint64_t)t->tv_nsec;
}

/* Seconds and nanoseconds side by side up to 6.10, apart from 6.11 on. */
static void hunt_time(struct hunt *h, const struct seen *s, struct timespec t, enum offset_id whole, enum offset_id sec,
		      enum offset_id nsec)
{
	const uint64_t seconds = (uint64_t)t.tv_sec;
	const uint32_t rest = (uint32_t)t.tv_nsec;

	found(h, whole, region_only(h, &s->inode, 8, is_time, &t));
	if (at_of(h, whole) != NOWHERE)
		return;
	found(h, sec, region_only(h, &s->inode, 8, is_u64, &seconds));
	found(h, nsec, region_only(h, &s->inode, 4, is_nsec, &rest));
}

/* ---- file -> dentry, mount ---------------------------------------------------------------------------------------------- */

struct named {
	const char *name;
	uint64_t inode;
};

static bool is_name(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	const char *name = want;

	/* struct qstr: hash, length, pointer */
	return at + 16 <= r->n && u32_at(r, at + 4) == strlen(name) && text_is(h, u64_at(r, at + 8), name);
}

static bool is_dentry(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	static struct region dentry;
	const struct named *n = want;
	uint64_t p = pointer_at(r, at);

	return p && region_read(h, &dentry, p, DENTRY_SIZE) &&
	       region_only(h, &dentry, 8, is_name, n->name) != NOWHERE &&
	       region_first(h, &dentry, 8, is_u64, &n->inode) != NOWHERE;
}

/* The dentry of @s, by the way that was found. */
static uint64_t dentry_of(struct hunt *h, const struct seen *s)
{
	return u64_at(&s->file, at_of(h, OFF_FILE_F_PATH) + 8);
}

static void hunt_dentry(struct hunt *h, const struct seen *file, const struct seen *dir)
{
	static struct region dentry;
	struct named n = { NAME, file->inode.address };
	uint64_t super = u64_at(&file->inode, at_of(h, OFF_INODE_I_SB)), parent;
	uint32_t at = region_only(h, &file->file, 8, is_dentry, &n);

	if (at < 8 || at == NOWHERE || !region_read(h, &dentry, u64_at(&file->file, at), DENTRY_SIZE))
		return;
	found(h, OFF_FILE_F_PATH, at - 8); /* struct path: the mount, the dentry */
	parent = dentry_of(h, dir);
	found(h, OFF_DENTRY_D_NAME, region_only(h, &dentry, 8, is_name, NAME));
	found(h, OFF_DENTRY_D_INODE, region_only(h, &dentry, 8, is_u64, &n.inode));
	found(h, OFF_DENTRY_D_PARENT, region_only(h, &dentry, 8, is_u64, &parent));
	found(h, OFF_DENTRY_D_SB, region_only(h, &dentry, 8, is_u64, &super));
}

/* The sequence grows by two with each rename (write_seqcount_begin and _end), and nothing else does. */
static void hunt_sequence(struct hunt *h, uint64_t dentry, int dir)
{
	static const char *const names[] = { NAME, "tamis-other-name-of-the-same-length-number" };
	static struct region was, is;
	bool out[DENTRY_SIZE / 4] = { false };
	uint32_t at_ = NOWHERE;

	for (int i = 0; i < 4; i++) {
		region_read(h, &was, dentry, DENTRY_SIZE);
		if (renameat(dir, names[i % 2], dir, names[(i + 1) % 2]) < 0 ||
		    !region_read(h, &is, dentry, DENTRY_SIZE))
			return;
		for (uint32_t at = 0; at < DENTRY_SIZE; at += 4)
			out[at / 4] |= u32_at(&is, at) != u32_at(&was, at) + 2;
	}
	for (uint32_t at = 0; at < DENTRY_SIZE; at += 4)
		if (!out[at / 4])
			at_ = at_ == NOWHERE ? at : NOWHERE - 1;
	if (at_ < DENTRY_SIZE)
		found(h, OFF_DENTRY_D_SEQ, at_);
}

static int mount_id(int fd)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64], line[128];
	int id = -1;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "mnt_id: %d", &id) == 1)
			break;
	return id;
}

static bool is_namespace(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	static struct region ns;
	uint64_t p = pointer_at(r, at);

	return p && region_read(h, &ns, p, 512) && region_first(h, &ns, 4, is_u32, want) != NOWHERE;
}

/* The namespace's own mount: that above which there is none. */
static void hunt_ns_root(struct hunt *h, uint64_t mount, uint64_t ns_)
{
	static struct region ns;
	uint64_t up;

	for (int i = 0; i < 64; i++) {
		if (peek_read(&h->peek, mount + at_of(h, OFF_MOUNT_MNT_PARENT), &up, sizeof(up)) < 0)
			return;
		if (up == mount)
			break;
		mount = up;
	}
	if (region_read(h, &ns, ns_, 512))
		found(h, OFF_MNTNS_ROOT, region_first(h, &ns, 8, is_u64, &mount));
}

/* The namespace counts what is mounted and unmounted in it: a number that grows with both. */
static void hunt_ns_event(struct hunt *h, uint64_t ns)
{
	static struct region before, mounted, after;
	uint32_t at_ = NOWHERE;

	region_read(h, &before, ns, 512);
	if (mount("tamis", PLACE, "tmpfs", 0, "size=4k") < 0)
		return;
	region_read(h, &mounted, ns, 512);
	if (umount(PLACE) < 0)
		return;
	region_read(h, &after, ns, 512);
	for (uint32_t at = 0; at + 8 <= after.n; at += 8) {
		uint64_t a = u64_at(&before, at), b = u64_at(&mounted, at), c = u64_at(&after, at);

		if (a && a < b && b < c && c < a + 1000)
			at_ = at_ == NOWHERE ? at : NOWHERE - 1;
	}
	if (at_ < after.n)
		found(h, OFF_MNTNS_EVENT, at_);
}

static bool is_nsproxy(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	static struct region proxy;
	uint64_t p = pointer_at(r, at);

	return p && region_read(h, &proxy, p, 64) && region_first(h, &proxy, 8, is_u64, want) != NOWHERE;
}

static void hunt_nsproxy(struct hunt *h, uint64_t ns)
{
	static struct region proxy;
	uint32_t at = region_only(h, h->own, 8, is_nsproxy, &ns);

	if (at == NOWHERE || !region_read(h, &proxy, u64_at(h->own, at), 64))
		return;
	found(h, OFF_TASK_NSPROXY, at);
	found(h, OFF_NSPROXY_MNT_NS, region_first(h, &proxy, 8, is_u64, &ns));
}

/* A mount on @under, whose root is @root: struct mount has its vfsmount inside, and its parent's before that. */
static void hunt_mount(struct hunt *h, const struct seen *root, const struct seen *under, int root_fd, int under_fd)
{
	static struct region before, upper, lower, ns;
	const uint64_t path = at_of(h, OFF_FILE_F_PATH), mnt = u64_at(&root->file, (uint32_t)path),
		       below = u64_at(&under->file, (uint32_t)path), point = dentry_of(h, under),
		       top = dentry_of(h, root);
	const struct region *const both[] = { &upper, &lower };
	const uint64_t ids[] = { (uint64_t)mount_id(root_fd), (uint64_t)mount_id(under_fd) };
	uint32_t at, at_parent = NOWHERE, inum, start;
	struct stat st;

	if (!region_read(h, &before, mnt - 128, 128) || !region_read(h, &upper, mnt, 512) ||
	    !region_read(h, &lower, below, 512))
		return;
	at = region_only(h, &before, 8, is_u64, &point);
	for (uint32_t a = 0; a < 128; a += 8) {
		uint64_t p = pointer_at(&before, a);

		if (p && p < below && below - p <= 128)
			at_parent = at_parent == NOWHERE ? a : NOWHERE - 1;
	}
	if (at == NOWHERE || at_parent >= 128 || u64_at(&upper, 0) != top)
		return;
	start = (uint32_t)(below - u64_at(&before, at_parent)); /* of the vfsmount in its struct mount */
	found(h, OFF_VFSMOUNT_MNT_ROOT, 0);
	found(h, OFF_MOUNT_MNT, start);
	found(h, OFF_MOUNT_MNT_PARENT, start - 128 + at_parent);
	found(h, OFF_MOUNT_MNT_MOUNTPOINT, start - 128 + at);
	at = regions_only(both, ids, 2, 4);
	if (at != NOWHERE)
		found(h, OFF_MOUNT_MNT_ID, start + at);
	if (stat("/proc/self/ns/mnt", &st) < 0)
		return;
	inum = (uint32_t)st.st_ino;
	at = region_first(h, &upper, 8, is_namespace, &inum);
	if (at == NOWHERE || u64_at(&lower, at) != u64_at(&upper, at) || !region_read(h, &ns, u64_at(&upper, at), 512))
		return;
	found(h, OFF_MOUNT_MNT_NS, start + at);
	found(h, OFF_MNTNS_INUM, region_first(h, &ns, 4, is_u32, &inum));
	hunt_ns_root(h, mnt - start, ns.address);
	hunt_ns_event(h, ns.address);
	hunt_nsproxy(h, ns.address);
}

struct places {
	uint64_t root[2], pwd[2]; /* struct path: mount, dentry */
	uint32_t at_root, at_pwd;
};

static bool is_fs(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	static struct region fs;
	const struct places *p = want;
	uint64_t address = pointer_at(r, at);

	/* from a cache whose objects are aligned: something before it in memory is not taken for it */
	return address && address % 64 == 0 && region_read(h, &fs, address, 128) &&
	       memmem(fs.b, fs.n, p->root, sizeof(p->root)) && memmem(fs.b, fs.n, p->pwd, sizeof(p->pwd));
}

static void hunt_fs(struct hunt *h, const struct seen *root, const struct seen *pwd)
{
	static struct region fs;
	struct places p;
	uint32_t at;

	memcpy(p.root, root->file.b + at_of(h, OFF_FILE_F_PATH), sizeof(p.root));
	memcpy(p.pwd, pwd->file.b + at_of(h, OFF_FILE_F_PATH), sizeof(p.pwd));
	region_read(h, h->own, h->own_task, h->task_size);
	at = region_first(h, h->own, 8, is_fs, &p);
	/* from 7.3 on another one stands before it */
	if (at != NOWHERE && u64_at(h->own, at + 8) == u64_at(h->own, at))
		at += 8;
	if (at == NOWHERE || !region_read(h, &fs, u64_at(h->own, at), 128))
		return;
	found(h, OFF_TASK_FS, at);
	found(h, OFF_FS_ROOT, (uint32_t)((uint8_t *)memmem(fs.b, fs.n, p.root, sizeof(p.root)) - fs.b));
	found(h, OFF_FS_PWD, (uint32_t)((uint8_t *)memmem(fs.b, fs.n, p.pwd, sizeof(p.pwd)) - fs.b));
}

/* ---- other things of a file ------------------------------------------------------------------------------------------------ */

static void hunt_f_mode(struct hunt *h, int dir)
{
	static struct region file[3];
	static const int how[] = { O_RDONLY, O_WRONLY, O_RDWR };
	uint32_t at_ = NOWHERE;

	for (int i = 0; i < 3; i++) {
		_cleanup_close_ int fd = openat(dir, NAME, how[i] | O_CLOEXEC);

		if (!file_read(h, fd, &file[i]))
			return;
	}
	/* FMODE_READ, FMODE_WRITE, and what any regular file may: seek, pread, pwrite (include/linux/fs.h) */
	for (uint32_t at = 0; at < FILE_SIZE; at += 4) {
		bool fits = true;

		for (uint32_t i = 0; i < 3; i++)
			fits &= (u32_at(&file[i], at) & 0x1f) == (0x1c | (i + 1));
		if (fits)
			at_ = at_ == NOWHERE ? at : NOWHERE - 1;
	}
	if (at_ < FILE_SIZE)
		found(h, OFF_FILE_F_MODE, at_);
}

static void hunt_exe(struct hunt *h)
{
	static struct region mm;
	struct stat st;
	_cleanup_close_ int fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	uint64_t inode;
	uint32_t at_ = NOWHERE;

	if (fd < 0 || fstat(fd, &st) < 0 || at_of(h, OFF_TASK_MM) == NOWHERE ||
	    !region_read(h, &mm, u64_at(h->own, at_of(h, OFF_TASK_MM)), 2048))
		return;
	for (uint32_t at = 0; at + 8 <= mm.n; at += 8) {
		uint64_t p = pointer_at(&mm, at), number;
		uint16_t mode;

		if (!p || peek_read(&h->peek, p + at_of(h, OFF_FILE_F_INODE), &inode, 8) < 0 || !is_kernel(inode) ||
		    peek_read(&h->peek, inode, &mode, 2) < 0 || mode != st.st_mode ||
		    peek_read(&h->peek, inode + at_of(h, OFF_INODE_I_INO), &number, 8) < 0 || number != st.st_ino)
			continue;
		at_ = at_ == NOWHERE ? at : NOWHERE - 1;
	}
	if (at_ < mm.n)
		found(h, OFF_MM_EXE_FILE, at_);
}

/* ---- control groups --------------------------------------------------------------------------------------------------------- */

static bool is_kernfs(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	static struct region kn;
	const struct named *n = want; /* inode: the inode's number, which is the node's id */
	uint64_t p = pointer_at(r, at);

	if (!p || !region_read(h, &kn, p, 192) || region_only(h, &kn, 8, is_u64, &n->inode) == NOWHERE)
		return false;
	for (uint32_t a = 0; a < kn.n; a += 8)
		if (text_is(h, u64_at(&kn, a), n->name))
			return true;
	return false;
}

static bool is_text(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	return at + 8 <= r->n && text_is(h, u64_at(r, at), want);
}

/* Any directory of sysfs is a kernfs node: /sys/kernel, whose parent is /sys. */
static bool hunt_kernfs(struct hunt *h)
{
	static struct seen dir, up;
	static struct region kn;
	_cleanup_close_ int dir_fd = open("/sys/kernel", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
			    up_fd = open("/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct named n = { "kernel", 0 };
	uint64_t parent;
	uint32_t at;

	if (dir_fd < 0 || up_fd < 0 || !seen_read(h, &dir, dir_fd) || !seen_read(h, &up, up_fd))
		return false;
	n.inode = dir.st.st_ino;
	at = region_only(h, &dir.inode, 8, is_kernfs, &n);
	if (at == NOWHERE || !region_read(h, &kn, u64_at(&dir.inode, at), 192))
		return false;
	found(h, OFF_INODE_I_PRIVATE, at);
	parent = u64_at(&up.inode, at);
	found(h, OFF_KERNFS_PARENT, region_first(h, &kn, 8, is_u64, &parent));
	found(h, OFF_KERNFS_NAME, region_only(h, &kn, 8, is_text, "kernel"));
	found(h, OFF_KERNFS_ID, region_only(h, &kn, 8, is_u64, &n.inode));
	return true;
}

/* What a set points at, and the node of the group, too; and that points back at the node. @want: the node. */
static bool is_cgroup(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	static struct region cgroup;
	const struct region *kn = want;
	uint64_t p = pointer_at(r, at);

	return p && region_first(h, kn, 8, is_u64, &p) != NOWHERE && region_read(h, &cgroup, p, 3072) &&
	       region_first(h, &cgroup, 8, is_u64, &kn->address) != NOWHERE;
}

static bool is_css_set(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	static struct region set;
	uint64_t p = pointer_at(r, at), next = pointer_at(r, at + 8), back;

	/* behind it is cg_list, a list_head */
	return p && next && peek_read(&h->peek, next + 8, &back, 8) == 0 && back == r->address + at + 8 &&
	       region_read(h, &set, p, 512) && region_first(h, &set, 8, is_cgroup, want) != NOWHERE;
}

static void hunt_cgroup(struct hunt *h)
{
	static struct seen dir;
	static struct region kn, set, cgroup;
	char why[200];
	_cleanup_close_ int root = cgroup_root(why, sizeof(why)), own = -1;
	_cleanup_fclose_ FILE *f = fopen("/proc/self/cgroup", "re");
	char line[4096], path[4096] = "";
	uint32_t at, inner;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "0::/%4095[^\n]", path) == 1)
			break;
	if (root >= 0)
		own = openat(root, path[0] ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (own < 0 || !seen_read(h, &dir, own))
		return;
	if (!region_read(h, &kn, u64_at(&dir.inode, at_of(h, OFF_INODE_I_PRIVATE)), 192))
		return;
	region_read(h, h->own, h->own_task, h->task_size);
	at = region_first(h, h->own, 8, is_css_set, &kn);
	if (at == NOWHERE || !region_read(h, &set, u64_at(h->own, at), 512))
		return;
	inner = region_first(h, &set, 8, is_cgroup, &kn);
	if (inner == NOWHERE || !region_read(h, &cgroup, u64_at(&set, inner), 3072))
		return;
	found(h, OFF_TASK_CGROUPS, at);
	found(h, OFF_CSS_SET_DFL_CGRP, inner);
	found(h, OFF_CGROUP_KN, region_first(h, &cgroup, 8, is_u64, &kn.address));
}

/* An inode of /proc/PID lies in a proc_inode, which begins with the process's struct pid (fs/proc/internal.h). */
void hunt_proc(struct hunt *h, uint64_t pid)
{
	static struct seen s;
	static struct region before;
	_cleanup_close_ int fd = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint32_t at;

	if (fd < 0 || at_of(h, OFF_FILE_F_INODE) == NOWHERE || !seen_read(h, &s, fd) ||
	    !region_read(h, &before, s.inode.address - 128, 128))
		return;
	at = region_only(h, &before, 8, is_u64, &pid);
	if (at == NOWHERE)
		return;
	found(h, OFF_PROC_INODE_PID, 0);
	found(h, OFF_PROC_INODE_VFS_INODE, 128 - at);
}

/* ---- the parts in their order ------------------------------------------------------------------------------------------------- */

static void hunt_in(struct hunt *h, int under_fd, int root_fd, int dir_fd, int fd)
{
	static struct seen file, dir, root, under, proc;
	const struct timespec times[] = { { 1234567890, 123456789 }, { 1345678901, 234567890 } };
	_cleanup_close_ int proc_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC),
			    slash = open("/", O_RDONLY | O_CLOEXEC);

	if (fchown(fd, 0x1d2c3b4a, 0x2e3d4c5b) < 0 || fchmod(fd, 0640) < 0 || futimens(fd, times) < 0 ||
	    !hunt_fds(h, fd))
		return;
	if (!seen_read(h, &file, fd) || !seen_read(h, &dir, dir_fd) || !seen_read(h, &root, root_fd) ||
	    !seen_read(h, &under, under_fd) || !seen_read(h, &proc, proc_fd))
		return;
	hunt_inode(h, &file, &proc, &dir);
	hunt_generation(h, &file, fd);
	hunt_time(h, &file, file.st.st_mtim, OFF_INODE_I_MTIME, OFF_INODE_I_MTIME_SEC, OFF_INODE_I_MTIME_NSEC);
	hunt_time(h, &file, file.st.st_ctim, OFF_INODE_I_CTIME, OFF_INODE_I_CTIME_SEC, OFF_INODE_I_CTIME_NSEC);
	hunt_f_mode(h, dir_fd);
	hunt_exe(h);
	hunt_dentry(h, &file, &dir);
	if (at_of(h, OFF_FILE_F_PATH) == NOWHERE)
		return;
	hunt_mount(h, &root, &under, root_fd, under_fd);
	hunt_sequence(h, dentry_of(h, &file), dir_fd);
	if (fchdir(dir_fd) == 0 && seen_read(h, &root, slash))
		hunt_fs(h, &root, &dir);
	if (hunt_kernfs(h))
		hunt_cgroup(h);
}

void hunt_files(struct hunt *h)
{
	_cleanup_close_ int under = open(PLACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC), root = -1, dir = -1, fd = -1;

	if (under < 0 || mount("tamis", PLACE, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k") < 0)
		return;
	root = open(PLACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root >= 0 && mkdirat(root, DIR, 0750) == 0)
		dir = openat(root, DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0)
		fd = openat(dir, NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		hunt_in(h, under, root, dir, fd);
}

/* ---- sockets -------------------------------------------------------------------------------------------------------------------- */

#define SOCK_SIZE 1024u

/* What lies before a socket's inode, in one piece with it. */
static bool is_socket(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	uint64_t p = pointer_at(r, at), inode = *(const uint64_t *)want;

	return p && p < inode && inode - p <= 256;
}

/* struct sock, which points back at its socket, as the file at @want does. */
static bool is_sock(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	static struct region sock;
	uint64_t p = pointer_at(r, at), socket = r->address;

	return p && p != socket && p != *(const uint64_t *)want && region_read(h, &sock, p, SOCK_SIZE) &&
	       region_only(h, &sock, 8, is_u64, &socket) != NOWHERE;
}

struct wire {
	int fd; /* owned */
	struct region file, socket, sock;
};

static bool wire_open(struct hunt *h, struct wire *w, int family, int type, int protocol)
{
	static struct seen s;
	uint64_t inode;

	w->fd = socket(family, type | SOCK_CLOEXEC, protocol);
	if (w->fd < 0 || !seen_read(h, &s, w->fd))
		return false;
	w->file = s.file;
	inode = s.inode.address;
	if (at_of(h, OFF_FILE_PRIVATE_DATA) == NOWHERE)
		found(h, OFF_FILE_PRIVATE_DATA, region_only(h, &w->file, 8, is_socket, &inode));
	if (at_of(h, OFF_FILE_PRIVATE_DATA) == NOWHERE ||
	    !region_read(h, &w->socket, u64_at(&w->file, at_of(h, OFF_FILE_PRIVATE_DATA)), 128))
		return false;
	if (at_of(h, OFF_SOCKET_SK) == NOWHERE)
		found(h, OFF_SOCKET_SK, region_only(h, &w->socket, 8, is_sock, &w->file.address));
	return at_of(h, OFF_SOCKET_SK) != NOWHERE &&
	       region_read(h, &w->sock, u64_at(&w->socket, at_of(h, OFF_SOCKET_SK)), SOCK_SIZE);
}

static void hunt_kinds(struct hunt *h, struct wire *tcp, struct wire *udp, struct wire *local)
{
	const struct region *const sockets[] = { &tcp->socket, &udp->socket, &local->socket };
	const struct region *const socks[] = { &tcp->sock, &udp->sock, &local->sock };

	found(h, OFF_SOCKET_TYPE,
	      regions_only(sockets, (const uint64_t[]){ SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET }, 3, 2));
	found(h, OFF_SKC_FAMILY, regions_only(socks, (const uint64_t[]){ AF_INET, AF_INET, AF_UNIX }, 3, 2));
	found(h, OFF_SOCK_PROTOCOL, regions_only(socks, (const uint64_t[]){ IPPROTO_TCP, IPPROTO_UDP, 0 }, 3, 2));
}

/* Two addresses and two ports of a connected socket: sock_common begins with the addresses. */
static void hunt_addresses(struct hunt *h, struct wire *udp)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(40961),
				 .sin_addr.s_addr = htonl(0x7f0a0b0c) };
	socklen_t len = sizeof(a);
	const uint32_t here = htonl(0x7f0d0e0f), there = a.sin_addr.s_addr;
	struct sockaddr_in b = { .sin_family = AF_INET, .sin_addr.s_addr = here };
	uint32_t ports, at;

	if (bind(udp->fd, (void *)&b, sizeof(b)) < 0 || connect(udp->fd, (void *)&a, sizeof(a)) < 0 ||
	    getsockname(udp->fd, (void *)&b, &len) < 0 || !region_read(h, &udp->sock, udp->sock.address, 128))
		return;
	found(h, OFF_SKC_DADDR, region_only(h, &udp->sock, 4, is_u32, &there));
	found(h, OFF_SKC_RCV_SADDR, region_only(h, &udp->sock, 4, is_u32, &here));
	/* skc_portpair: the other one's in network order, our own in the machine's */
	ports = a.sin_port | (uint32_t)ntohs(b.sin_port) << 16;
	at = region_only(h, &udp->sock, 4, is_u32, &ports);
	if (at != NOWHERE) {
		found(h, OFF_SKC_DPORT, at);
		found(h, OFF_SKC_NUM, at + 2);
	}
}

static void hunt_addresses6(struct hunt *h)
{
	static struct wire w;
	struct sockaddr_in6 a = { .sin6_family = AF_INET6,
				  .sin6_port = htons(40961),
				  .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct in6_addr both[2] = { a.sin6_addr, a.sin6_addr };
	const uint8_t *p;

	if (wire_open(h, &w, AF_INET6, SOCK_DGRAM, 0) && connect(w.fd, (void *)&a, sizeof(a)) == 0 &&
	    region_read(h, &w.sock, w.sock.address, 160)) {
		p = memmem(w.sock.b, w.sock.n, both, sizeof(both));
		if (p) {
			found(h, OFF_SKC_V6_DADDR, (uint32_t)(p - w.sock.b));
			found(h, OFF_SKC_V6_RCV_SADDR, (uint32_t)(p - w.sock.b) + 16);
		}
	}
	if (w.fd >= 0)
		close(w.fd);
}

void hunt_sockets(struct hunt *h)
{
	static struct wire tcp, udp, local;

	if (at_of(h, OFF_FILE_F_INODE) == NOWHERE)
		return;
	if (wire_open(h, &tcp, AF_INET, SOCK_STREAM, 0) && wire_open(h, &udp, AF_INET, SOCK_DGRAM, 0) &&
	    wire_open(h, &local, AF_UNIX, SOCK_SEQPACKET, 0)) {
		hunt_kinds(h, &tcp, &udp, &local);
		hunt_addresses(h, &udp);
		hunt_addresses6(h);
	}
	close(tcp.fd);
	close(udp.fd);
	close(local.fd);
}
