/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/load/cgroup.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "sensor/load/kernel.h"

#define FIRST_PID_NS 0xeffffffcU /* of the machine: the inode that the kernel gives it (PROC_PID_INIT_INO) */
#define ROOT_INODE   1		 /* kernfs counts from there; a cgroup namespace shows another one as its root */

static int open_at(int at, const char *path)
{
	_cleanup_close_ int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;
	struct stat st;

	if (fd < 0 || fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (fs.f_type != CGROUP2_SUPER_MAGIC || st.st_ino != ROOT_INODE)
		return -ENOENT;
	return TAKE_FD(fd);
}

/* Where process 1 has it, which is seen past our own mounts. -ENOENT: nowhere; -EXDEV: not its root. */
static int open_mounted(void)
{
	_cleanup_fclose_ FILE *f = setmntent("/proc/1/mounts", "re");
	struct mntent *m;
	char path[PATH_MAX];
	int fd = -ENOENT;

	while (fd < 0 && f && (m = getmntent(f)))
		if (strcmp(m->mnt_type, "cgroup2") == 0 &&
		    snprintf(path, sizeof(path), "/proc/1/root%s", m->mnt_dir) < (int)sizeof(path)) {
			fd = open_at(AT_FDCWD, path);
			fd = fd < 0 ? -EXDEV : fd;
		}
	return f ? fd : -errno;
}

/*
 * A mount of our own that hangs nowhere: for hosts that have the unified hierarchy at no place. A mount sets the hierarchy's
 * options anew for everybody (nsdelegate, memory_recursiveprot), so none is made where somebody may have it: process 1 has
 * to be the machine's, and without it.
 */
static int open_mount(void)
{
	_cleanup_close_ int mount = -1;
	struct stat ns;

	if (stat("/proc/self/ns/pid", &ns) < 0 || ns.st_ino != FIRST_PID_NS)
		return -ENOENT;
	mount = kernel_mount("cgroup2", 0);
	return mount < 0 ? mount : open_at(mount, ".");
}

int cgroup_root(char *ret_why, size_t size)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/proc/1/root/sys/fs/cgroup",
					      "/proc/1/root/sys/fs/cgroup/unified" };
	int fd = -ENOENT;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && fd < 0; i++)
		fd = open_at(AT_FDCWD, places[i]);
	if (fd < 0)
		fd = open_mounted();
	if (fd == -ENOENT)
		fd = open_mount();
	if (fd == -ENOENT || fd == -EXDEV)
		snprintf(ret_why, size,
			 "the cgroups' root is not to be seen (a container needs the host's cgroup namespace)");
	else if (fd < 0)
		snprintf(ret_why, size, "the cgroups' root cannot be opened: %s", strerror(-fd));
	return fd;
}

/* A program that lets everything pass. */
static int load_pass(enum bpf_prog_type type, enum bpf_attach_type attach)
{
	static const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach);

	return bpf_prog_load(type, "tamis_probe", "GPL", pass, 2, &opts);
}

static int try_attach(int root, enum bpf_prog_type type, enum bpf_attach_type attach, char *ret_why, size_t size)
{
	_cleanup_close_ int prog = load_pass(type, attach), link = -1;

	if (prog < 0) {
		snprintf(ret_why, size, "cannot be loaded: %s", strerror(-prog));
		return prog;
	}
	link = bpf_link_create(prog, root, attach, NULL);
	if (link < 0)
		snprintf(ret_why, size, "cannot be attached: %s", strerror(-link));
	return link < 0 ? link : 0;
}

int cgroup_try(int root, char *ret_why, size_t size)
{
	int r = try_attach(root, BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, ret_why, size);

	return r < 0 ? r : try_attach(root, BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT, ret_why, size);
}

bool cgroup_linked(int link)
{
	struct bpf_link_info info = { 0 };
	uint32_t len = sizeof(info);

	/* of one that was detached the kernel says that its cgroup is 0, which is nobody's */
	return bpf_obj_get_info_by_fd(link, &info, &len) < 0 || info.cgroup.cgroup_id;
}
