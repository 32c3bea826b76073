/* SPDX-License-Identifier: Apache-2.0 */
/* Times and extended attributes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#include "scenario.h"

#ifndef SYS_setxattrat
#define SYS_setxattrat 463
#endif
#ifndef SYS_removexattrat
#define SYS_removexattrat 466
#endif

#define THEN 1000000000 /* seconds; in 2001 */

/* ---- times --------------------------------------------------------------------------------------------------------- */

static const struct timespec then[2] = { { .tv_sec = THEN }, { .tv_sec = THEN } };

static int act_utimes(const struct spot *s)
{
	return res(utimensat(AT_FDCWD, s->f, then, 0));
}
static int act_utimes_at(const struct spot *s)
{
	return res(utimensat(s->dirfd, "f", then, 0));
}
static int act_utimes_cwd(const struct spot *s)
{
	return chdir(s->d) < 0 ? -errno : res(utimensat(AT_FDCWD, "../f", then, 0));
}
static int act_utimes_null(const struct spot *s)
{
	return res(utimensat(AT_FDCWD, s->f, NULL, 0));
}
static int act_utimes_fd(const struct spot *s)
{
	return res(futimens(open(s->f, O_RDONLY), then));
}
static int act_utimes_empty(const struct spot *s)
{
	return res(utimensat(open(s->f, O_PATH), "", then, AT_EMPTY_PATH)) == -EINVAL ? -ENOSYS : 0;
}
static int act_utimes_symlink(const struct spot *s)
{
	return res(utimensat(AT_FDCWD, s->g, then, AT_SYMLINK_NOFOLLOW));
}

static int act_utimes_bindmount(const struct spot *s)
{
	int r = bind_mount(s);

	return r ? r : res(utimensat(AT_FDCWD, s->df, then, 0));
}

static int act_utimes_denied(const struct spot *s)
{
	if (setuid(NOBODY) < 0)
		return -errno;
	return utimensat(AT_FDCWD, s->f, then, 0) < 0 && errno == EPERM ? 0 : -EPROTO;
}

static int act_utimes_denied_now(const struct spot *s)
{
	if (setuid(NOBODY) < 0)
		return -errno;
	return utimensat(AT_FDCWD, s->f, NULL, 0) < 0 && errno == EACCES ? 0 : -EPROTO;
}

#ifdef SYS_utime
static int act_utimes_utime(const struct spot *s)
{
	const struct utimbuf t = { THEN, THEN };

	return res(syscall(SYS_utime, s->f, &t));
}
static int act_utimes_timeval(const struct spot *s)
{
	const struct timeval t[2] = { { .tv_sec = THEN }, { .tv_sec = THEN } };

	return res(syscall(SYS_utimes, s->f, t));
}
static int act_utimes_futimesat(const struct spot *s)
{
	const struct timeval t[2] = { { .tv_sec = THEN }, { .tv_sec = THEN } };

	return res(syscall(SYS_futimesat, s->dirfd, "f", t));
}
#else
#define act_utimes_utime     act_utimes
#define act_utimes_timeval   act_utimes
#define act_utimes_futimesat act_utimes
#endif

enum { I386_UTIME = 30, I386_LSETXATTR = 227, I386_REMOVEXATTR = 235 };

static int act_utimes_compat(const struct spot *s)
{
	const uint32_t t[2] = { THEN, THEN };

	return compat(I386_UTIME, low(s->f), low_bytes(t, sizeof(t)), 0);
}

/* ---- extended attributes ------------------------------------------------------------------------------------------- */

#define XATTR "trusted.tamis" /* every filesystem has these, and only root may set them */
#define ACL   "system.posix_acl_access"

static int act_setxattr(const struct spot *s)
{
	return res(setxattr(s->f, XATTR, "1", 1, 0));
}
static int act_setxattr_cwd(const struct spot *s)
{
	return chdir(s->d) < 0 ? -errno : res(setxattr("../f", XATTR, "1", 1, 0));
}
static int act_setxattr_symlink(const struct spot *s)
{
	return res(lsetxattr(s->g, XATTR, "1", 1, 0));
}
static int act_setxattr_fd(const struct spot *s)
{
	return res(fsetxattr(open(s->f, O_RDONLY), XATTR, "1", 1, 0));
}

static int act_setxattr_bindmount(const struct spot *s)
{
	int r = bind_mount(s);

	return r ? r : res(setxattr(s->df, XATTR, "1", 1, 0));
}

static int act_setxattr_denied(const struct spot *s)
{
	if (setuid(NOBODY) < 0)
		return -errno;
	return setxattr(s->f, XATTR, "1", 1, 0) < 0 && errno == EPERM ? 0 : -EPROTO;
}

/* cap_net_raw+ep */
static int act_setxattr_capability(const struct spot *s)
{
	const uint32_t caps[5] = { 0x02000001, 1u << 13 };

	return res(setxattr(s->f, "security.capability", caps, sizeof(caps), 0));
}

static int acl_set(const char *file)
{
	const struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} entry[5];
	} acl = { 2, { { 0x01, 6, -1 }, { 0x02, 4, 1 }, { 0x04, 4, -1 }, { 0x10, 4, -1 }, { 0x20, 4, -1 } } };

	return res(setxattr(file, ACL, &acl, sizeof(acl), 0));
}

static int act_setxattr_acl(const struct spot *s)
{
	int r = acl_set(s->f);

	return r == -EOPNOTSUPP ? -ENOSYS : r;
}

/* struct xattr_args */
struct at_args {
	uint64_t value __attribute__((aligned(8)));
	uint32_t size, flags;
};

static int act_setxattr_at(const struct spot *s)
{
	const struct at_args args = { .value = (uintptr_t) "1", .size = 1 };

	return res(syscall(SYS_setxattrat, s->dirfd, "f", 0, XATTR, &args, sizeof(args)));
}

static int act_setxattr_at_fd(const struct spot *s)
{
	const struct at_args args = { .value = (uintptr_t) "1", .size = 1 };

	return res(syscall(SYS_setxattrat, open(s->f, O_RDONLY), "", AT_EMPTY_PATH, XATTR, &args, sizeof(args)));
}

static int act_setxattr_uring(const struct spot *s)
{
	const struct io_uring_sqe sqe = {
		.opcode = IORING_OP_SETXATTR,
		.addr = (uintptr_t)XATTR,
		.addr2 = (uintptr_t) "1",
		.addr3 = (uintptr_t)s->f,
		.len = 1,
	};
	int r = uring_do(&sqe);

	return r < 0 ? r : 0;
}

static int act_setxattr_uring_fd(const struct spot *s)
{
	return uring(IORING_OP_FSETXATTR, open(s->f, O_RDONLY), XATTR, (uintptr_t) "1", 1, 0);
}

static int act_setxattr_compat(const struct spot *s)
{
	return compat5(I386_LSETXATTR, low(s->f), low(XATTR), low("1"), 1, 0);
}

static int prepare_xattr(const struct spot *s)
{
	return res(setxattr(s->f, XATTR, "1", 1, 0));
}
static int prepare_acl(const struct spot *s)
{
	int r = acl_set(s->f);

	return r == -EOPNOTSUPP ? 0 : r;
}
static int prepare_xattr_of_link(const struct spot *s)
{
	int r = res(symlink("f", s->g));

	return r ? r : res(lsetxattr(s->g, XATTR, "1", 1, 0));
}
static int prepare_link(const struct spot *s)
{
	return res(symlink("f", s->g));
}

static int act_removexattr(const struct spot *s)
{
	return res(removexattr(s->f, XATTR));
}
static int act_removexattr_cwd(const struct spot *s)
{
	return chdir(s->d) < 0 ? -errno : res(removexattr("../f", XATTR));
}
static int act_removexattr_symlink(const struct spot *s)
{
	return res(lremovexattr(s->g, XATTR));
}
static int act_removexattr_fd(const struct spot *s)
{
	return res(fremovexattr(open(s->f, O_RDONLY), XATTR));
}
static int act_removexattr_acl(const struct spot *s)
{
	int r = res(removexattr(s->f, ACL));

	return r == -EOPNOTSUPP ? -ENOSYS : r;
}
static int act_removexattr_at(const struct spot *s)
{
	return res(syscall(SYS_removexattrat, s->dirfd, "f", 0, XATTR));
}
static int act_removexattr_compat(const struct spot *s)
{
	return compat(I386_REMOVEXATTR, low(s->f), low(XATTR), 0);
}

static int act_removexattr_bindmount(const struct spot *s)
{
	int r = bind_mount(s);

	return r ? r : res(removexattr(s->df, XATTR));
}

static int act_removexattr_denied(const struct spot *s)
{
	if (setuid(NOBODY) < 0)
		return -errno;
	return removexattr(s->f, XATTR) < 0 && errno == EPERM ? 0 : -EPROTO;
}

#define UTIMES(path) "utimes.file.path=" path
#define UTIMES_THEN  "utimes.file.modification_time=1000000000000000000"
#define SETXATTR(path)                                                                                                 \
	"setxattr.file.path=" path, "setxattr.file.destination.name=" XATTR,                                           \
		"setxattr.file.destination.namespace=trusted"
#define REMOVEXATTR(path)                                                                                              \
	"removexattr.file.path=" path, "removexattr.file.destination.name=" XATTR,                                     \
		"removexattr.file.destination.namespace=trusted"

const struct row rows_attr[] = {
	{ "utimes", NULL, act_utimes, .expect = { UTIMES("%d/f"), UTIMES_THEN, RET("0"), SYNC } },
	{ "utimes.at", NULL, act_utimes_at, .expect = { UTIMES("%d/f"), UTIMES_THEN, RET("0") } },
	{ "utimes.cwd", NULL, act_utimes_cwd, .expect = { UTIMES("%d/f"), UTIMES_THEN, RET("0") } },
	{ "utimes.null", NULL, act_utimes_null, .expect = { UTIMES("%d/f"), RET("0") } },
	{ "utimes.fd", NULL, act_utimes_fd, .expect = { UTIMES("%d/f"), UTIMES_THEN, RET("0") } },
	{ "utimes.empty", NULL, act_utimes_empty, .expect = { UTIMES("%d/f"), UTIMES_THEN, RET("0") } },
	{ "utimes.symlink", prepare_link, act_utimes_symlink, .expect = { UTIMES("%d/g"), UTIMES_THEN, RET("0") } },
	{ "utimes.bindmount", NULL, act_utimes_bindmount, .expect = { UTIMES("%d/d/f"), UTIMES_THEN, RET("0") } },
	{ "utimes.denied", NULL, act_utimes_denied, .expect = { UTIMES("%d/f"), RET("-1"), "process.uid=65534" } },
	{ "utimes.denied_now", NULL, act_utimes_denied_now,
	  .expect = { UTIMES("%d/f"), RET("-13"), "process.uid=65534" } },
	{ "utimes.utime", NULL, act_utimes_utime, .expect = { UTIMES("%d/f"), UTIMES_THEN, RET("0") } },
	{ "utimes.timeval", NULL, act_utimes_timeval, .expect = { UTIMES("%d/f"), UTIMES_THEN, RET("0") } },
	{ "utimes.futimesat", NULL, act_utimes_futimesat, .expect = { UTIMES("%d/f"), UTIMES_THEN, RET("0") } },
	{ "utimes.compat", NULL, act_utimes_compat, .expect = { UTIMES("%d/f"), UTIMES_THEN, RET("0") } },

	{ "setxattr", NULL, act_setxattr, .expect = { SETXATTR("%d/f"), RET("0"), SYNC } },
	{ "setxattr.cwd", NULL, act_setxattr_cwd, .expect = { SETXATTR("%d/f"), RET("0") } },
	{ "setxattr.symlink", prepare_link, act_setxattr_symlink, .expect = { SETXATTR("%d/g"), RET("0") } },
	{ "setxattr.fd", NULL, act_setxattr_fd, .expect = { SETXATTR("%d/f"), RET("0") } },
	{ "setxattr.bindmount", NULL, act_setxattr_bindmount, .expect = { SETXATTR("%d/d/f"), RET("0") } },
	{ "setxattr.denied", NULL, act_setxattr_denied,
	  .expect = { SETXATTR("%d/f"), RET("-1"), "process.uid=65534" } },
	{ "setxattr.capability", NULL, act_setxattr_capability,
	  .expect = { "setxattr.file.path=%d/f", "setxattr.file.destination.name=security.capability",
		      "setxattr.file.destination.namespace=security", RET("0") } },
	{ "setxattr.acl", NULL, act_setxattr_acl,
	  .expect = { "setxattr.file.path=%d/f", "setxattr.file.destination.name=" ACL, RET("0") } },
	{ "setxattr.setxattrat", NULL, act_setxattr_at, .expect = { SETXATTR("%d/f"), RET("0") } },
	{ "setxattr.setxattrat_fd", NULL, act_setxattr_at_fd, .expect = { SETXATTR("%d/f"), RET("0") } },
	{ "setxattr.compat", prepare_link, act_setxattr_compat, .expect = { SETXATTR("%d/f"), RET("0") } },
	{ "setxattr.io_uring", NULL, act_setxattr_uring, .expect = { SETXATTR("%d/f"), RET("0"), ASYNC } },
	{ "setxattr.io_uring_fd", NULL, act_setxattr_uring_fd, .expect = { SETXATTR("%d/f"), RET("0"), ASYNC } },

	{ "removexattr", prepare_xattr, act_removexattr, .expect = { REMOVEXATTR("%d/f"), RET("0"), SYNC } },
	{ "removexattr.cwd", prepare_xattr, act_removexattr_cwd, .expect = { REMOVEXATTR("%d/f"), RET("0") } },
	{ "removexattr.symlink", prepare_xattr_of_link, act_removexattr_symlink,
	  .expect = { REMOVEXATTR("%d/g"), RET("0") } },
	{ "removexattr.fd", prepare_xattr, act_removexattr_fd, .expect = { REMOVEXATTR("%d/f"), RET("0") } },
	{ "removexattr.bindmount", prepare_xattr, act_removexattr_bindmount,
	  .expect = { REMOVEXATTR("%d/d/f"), RET("0") } },
	{ "removexattr.denied", prepare_xattr, act_removexattr_denied,
	  .expect = { REMOVEXATTR("%d/f"), RET("-1"), "process.uid=65534" } },
	{ "removexattr.acl", prepare_acl, act_removexattr_acl,
	  .expect = { "removexattr.file.path=%d/f", "removexattr.file.destination.name=" ACL, RET("0") } },
	{ "removexattr.removexattrat", prepare_xattr, act_removexattr_at, .expect = { REMOVEXATTR("%d/f"), RET("0") } },
	{ "removexattr.compat", prepare_xattr, act_removexattr_compat, .expect = { REMOVEXATTR("%d/f"), RET("0") } },
	{ 0 },
};
