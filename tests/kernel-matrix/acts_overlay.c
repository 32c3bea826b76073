/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files on the layers of an overlay: those below stay where they are until something of them changes, and then are copied up.
 * An event tells on which layer its file lies then.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "scenario.h"

/* Of the row's own: an overlay takes no tmpfs without extended attributes as its upper layer, on old kernels. f lies on the lower one, u on the upper. */
static int make_layers(const struct spot *s)
{
	int r = own_mounts();

	if (r || mkdirat(s->dirfd, "lo", 0755) < 0 || mkdirat(s->dirfd, "up", 0755) < 0 ||
	    mkdirat(s->dirfd, "wk", 0755) < 0)
		return r ? r : -errno;
	r = res(openat(s->dirfd, "lo/f", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	return r ? r : res(openat(s->dirfd, "up/u", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

/* And the overlay at d. */
static int mount_layers(const struct spot *s)
{
	char o[4 * PATH_MAX];
	int r;

	snprintf(o, sizeof(o), "lowerdir=%s/lo,upperdir=%s/up,workdir=%s/wk", s->dir, s->dir, s->dir);
	r = res(mount("overlay", s->d, "overlay", 0, o));
	return r == -ENODEV || r == -EINVAL ? -ENOSYS : r;
}

static int overlay(const struct spot *s)
{
	int r = make_layers(s);

	return r ? r : mount_layers(s);
}

/* A path below the overlay, or another of the row's; static, one a call of two. */
static const char *at(const struct spot *s, const char *name)
{
	static char paths[2][PATH_MAX + 8];
	static int n;
	char *p = paths[n++ % 2];

	snprintf(p, sizeof(paths[0]), "%s/%s", s->dir, name);
	return p;
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

static int act_open_overlay(const struct spot *s)
{
	int r = overlay(s);

	return r ? r : res(open(s->df, O_RDWR));
}
static int act_open_lower(const struct spot *s)
{
	int r = overlay(s);

	return r ? r : res(open(s->df, O_RDONLY));
}
static int act_open_copied(const struct spot *s)
{
	int r = overlay(s);

	if (r || chmod(s->df, 0640) < 0)
		return r ? r : -errno;
	return res(open(s->df, O_RDONLY));
}
static int act_open_upper(const struct spot *s)
{
	int r = overlay(s);

	return r ? r : res(open(at(s, "d/u"), O_RDONLY));
}
static int act_open_new(const struct spot *s)
{
	int r = overlay(s);

	return r ? r : res(open(at(s, "d/n"), O_RDWR | O_CREAT | O_EXCL, 0600));
}
/* The upper layer's own directory lies on no overlay. */
static int act_open_layer(const struct spot *s)
{
	int r = overlay(s);

	return r ? r : res(open(at(s, "up/u"), O_RDONLY));
}

/* By descriptors, which every rung knows the file of. */
static int act_fchmod(const struct spot *s)
{
	int r = overlay(s), fd = open(s->df, O_RDONLY);

	return r ? r : res(fchmod(fd, 0640));
}
static int act_mmap(const struct spot *s)
{
	int r = overlay(s), fd = open(at(s, "d/u"), O_RDONLY);

	if (r || ftruncate(open(at(s, "d/u"), O_RDWR), 4096) < 0)
		return r ? r : -errno;
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -errno : 0;
}
static int act_write(const struct spot *s)
{
	int r = overlay(s), fd = open(s->df, O_RDWR);

	return r ? r : write(fd, "x", 1) == 1 ? 0 : -EPROTO;
}

/* What changes names and attributes is looked at before it is done. */
static int act_unlink_lower(const struct spot *s)
{
	int r = overlay(s);

	return r ? r : res(unlink(s->df));
}
static int act_unlink_upper(const struct spot *s)
{
	int r = overlay(s);

	return r ? r : res(unlink(at(s, "d/u")));
}
static int act_rename_lower(const struct spot *s)
{
	int r = overlay(s);

	return r ? r : res(rename(s->df, at(s, "d/g")));
}
static int act_mkdir(const struct spot *s)
{
	int r = overlay(s);

	return r ? r : res(mkdir(at(s, "d/g"), 0750));
}
static int act_chmod(const struct spot *s)
{
	int r = overlay(s);

	return r ? r : res(chmod(s->df, 0640));
}
static int act_setxattr(const struct spot *s)
{
	int r = overlay(s);

	return r ? r : res(setxattr(at(s, "d/u"), "trusted.tamis", "1", 1, 0));
}

/* ---- programs: g is one ----------------------------------------------------------------------------------------------- */

static int act_exec_on(const struct spot *s, const char *name)
{
	int r = make_layers(s);

	if (r || link(s->g, at(s, name)) < 0)
		return r ? r : -errno;
	r = mount_layers(s);
	return r ? r : res(execve(at(s, "d/p"), noop, no_env));
}
static int act_exec_lower(const struct spot *s)
{
	return act_exec_on(s, "lo/p");
}
static int act_exec_upper(const struct spot *s)
{
	return act_exec_on(s, "up/p");
}

/* A script on the upper layer, its interpreter on the lower one. */
static int act_exec_script(const struct spot *s)
{
	int r = make_layers(s), fd;

	if (r || link(s->g, at(s, "lo/p")) < 0)
		return r ? r : -errno;
	fd = openat(s->dirfd, "up/s", O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
	if (dprintf(fd, "#!%s noop\n", at(s, "d/p")) < 0 || close(fd) < 0)
		return -errno;
	r = mount_layers(s);
	return r ? r : res(execve(at(s, "d/s"), noop, no_env));
}

/* ---- the table ------------------------------------------------------------------------------------------------------- */

#define FILE_AT(EV, NAME, IN_UPPER) EV ".file.path=%d/" NAME, EV ".file.in_upper_layer=" IN_UPPER
#define PROGRAM_AT(NAME, IN_UPPER)                                                                                     \
	"exec.file.path=%d/d/" NAME, "exec.file.in_upper_layer=" IN_UPPER, "process.file.in_upper_layer=" IN_UPPER

const struct row rows_overlay[] = {
	{ "open.overlay", NULL, act_open_overlay, .expect = { FILE_AT("open", "d/f", "true"), RET("0") } },
	{ "open.overlay_lower", NULL, act_open_lower, .expect = { FILE_AT("open", "d/f", "false"), RET("0") } },
	{ "open.overlay_copied", NULL, act_open_copied, .expect = { FILE_AT("open", "d/f", "true"), RET("0") } },
	{ "open.overlay_upper", NULL, act_open_upper, .expect = { FILE_AT("open", "d/u", "true"), RET("0") } },
	{ "open.overlay_new", NULL, act_open_new, .expect = { FILE_AT("open", "d/n", "true"), RET("0") } },
	{ "open.overlay_layer", NULL, act_open_layer, .expect = { FILE_AT("open", "up/u", "false"), RET("0") } },
	{ "chmod.overlay", NULL, act_chmod, .expect = { FILE_AT("chmod", "d/f", "true"), RET("0") } },
	{ "chmod.overlay_fd", NULL, act_fchmod, .expect = { FILE_AT("chmod", "d/f", "true"), RET("0") } },
	{ "mmap.overlay", NULL, act_mmap, .expect = { FILE_AT("mmap", "d/u", "true"), RET("0") } },
	{ "write.overlay", NULL, act_write, .expect = { FILE_AT("write", "d/f", "true"), RET("0") } },
	{ "unlink.overlay", NULL, act_unlink_lower, .expect = { FILE_AT("unlink", "d/f", "false"), RET("0") } },
	{ "unlink.overlay_upper", NULL, act_unlink_upper, .expect = { FILE_AT("unlink", "d/u", "true"), RET("0") } },
	{ "rename.overlay", NULL, act_rename_lower,
	  .expect = { FILE_AT("rename", "d/f", "false"), "rename.file.destination.path=%d/d/g",
		      "rename.file.destination.in_upper_layer=true", RET("0") } },
	{ "mkdir.overlay", NULL, act_mkdir, .expect = { FILE_AT("mkdir", "d/g", "true"), RET("0") } },
	{ "setxattr.overlay", NULL, act_setxattr, .expect = { FILE_AT("setxattr", "d/u", "true"), RET("0") } },
	{ "exec.overlay_lower", prepare_program, act_exec_lower, .expect = { PROGRAM_AT("p", "false") },
	  .image = "%d/d/p" },
	{ "exec.overlay_upper", prepare_program, act_exec_upper, .expect = { PROGRAM_AT("p", "true") },
	  .image = "%d/d/p" },
	{ "exec.overlay_script", prepare_program, act_exec_script,
	  .expect = { PROGRAM_AT("s", "true"), "exec.interpreter.file.path=%d/d/p",
		      "exec.interpreter.file.in_upper_layer=false" },
	  .image = "%d/d/s" },
	{ 0 },
};
