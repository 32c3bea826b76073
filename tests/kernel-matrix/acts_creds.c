/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials: setuid, setgid, capset, and what later events say of the process. The actor begins as root. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

enum {
	I386_SETUID16 = 23,
	I386_SETREGID16 = 71,
	I386_SETFSUID16 = 138,
	I386_CAPSET = 185,
	I386_SETREUID = 203,
	I386_SETRESGID = 210,
	I386_SETUID = 213,
	I386_SETGID = 214,
	I386_SETFSUID = 215,
};

/* Of the C library's functions none is used: they set all threads, and cover for calls that are missing. */
static int act_setuid(const struct spot *s)
{
	(void)s;
	return res(syscall(SYS_setuid, 1001));
}
static int act_setuid_same(const struct spot *s)
{
	(void)s;
	return res(syscall(SYS_setuid, 0));
}
static int act_setuid_reuid(const struct spot *s)
{
	(void)s;
	return res(syscall(SYS_setreuid, 1001, 1002));
}
static int act_setuid_resuid(const struct spot *s)
{
	(void)s;
	return res(syscall(SYS_setresuid, 1001, 1002, 1003));
}
static int act_setuid_seteuid(const struct spot *s)
{
	(void)s;
	return res(syscall(SYS_setresuid, -1, 1002, -1));
}
static int act_setuid_fsuid(const struct spot *s)
{
	(void)s;
	return res(syscall(SYS_setfsuid, 1003)) ? -EPROTO : 0;
}
static int act_setuid_compat(const struct spot *s)
{
	(void)s;
	return compat(I386_SETUID, 1001, 0, 0);
}
static int act_setuid_compat16(const struct spot *s)
{
	(void)s;
	return compat(I386_SETUID16, 1001, 0, 0);
}
static int act_setuid_compatre(const struct spot *s)
{
	(void)s;
	return compat(I386_SETREUID, 1001, 1002, 0);
}
static int act_setuid_compatfs(const struct spot *s)
{
	(void)s;
	return compat(I386_SETFSUID, 1003, 0, 0);
}
static int act_setuid_compatfs16(const struct spot *s)
{
	(void)s;
	return compat(I386_SETFSUID16, 1003, 0, 0);
}

/* Back to root by the saved id: what it was before is the point. */
static int act_setuid_back(const struct spot *s)
{
	(void)s;
	if (syscall(SYS_setresuid, 1001, 1001, 0) < 0)
		return -errno;
	return res(syscall(SYS_setresuid, 0, 0, 0));
}

/* The first is refused: it is no event, and changes nothing that is known of the process. */
static int act_setuid_refused(const struct spot *s)
{
	(void)s;
	if (syscall(SYS_setresuid, 1001, 1001, 1001) < 0)
		return -errno;
	if (!syscall(SYS_setuid, 0) || errno != EPERM)
		return -EPROTO;
	return res(syscall(SYS_setuid, 1001));
}

static int act_setgid(const struct spot *s)
{
	(void)s;
	return res(syscall(SYS_setgid, 1001));
}
static int act_setgid_regid(const struct spot *s)
{
	(void)s;
	return res(syscall(SYS_setregid, 1001, 1002));
}
static int act_setgid_resgid(const struct spot *s)
{
	(void)s;
	return res(syscall(SYS_setresgid, 1001, 1002, 1003));
}
static int act_setgid_fsgid(const struct spot *s)
{
	(void)s;
	return res(syscall(SYS_setfsgid, 1003)) ? -EPROTO : 0;
}
static int act_setgid_compat(const struct spot *s)
{
	(void)s;
	return compat(I386_SETGID, 1001, 0, 0);
}
static int act_setgid_compatre16(const struct spot *s)
{
	(void)s;
	return compat(I386_SETREGID16, 1001, 1002, 0);
}
static int act_setgid_compatres(const struct spot *s)
{
	(void)s;
	return compat(I386_SETRESGID, 1001, 1002, 1003);
}

#define EFFECTIVE (1u << CAP_NET_RAW | 1u << CAP_KILL)
#define PERMITTED (EFFECTIVE | 1u << CAP_SYS_CHROOT)

struct capset {
	struct __user_cap_header_struct head;
	struct __user_cap_data_struct data[2];
};

static const struct capset some_caps = {
	.head = { .version = _LINUX_CAPABILITY_VERSION_3 },
	.data = { { .effective = EFFECTIVE, .permitted = PERMITTED },
		  { .effective = 1u << (CAP_PERFMON - 32), .permitted = 1u << (CAP_PERFMON - 32) } },
};

static int act_capset(const struct spot *s)
{
	struct capset c = some_caps;

	(void)s;
	return res(syscall(SYS_capset, &c.head, c.data));
}

static int act_capset_compat(const struct spot *s)
{
	long at = low_bytes(&some_caps, sizeof(some_caps));

	(void)s;
	return compat(I386_CAPSET, at, at + (long)offsetof(struct capset, data), 0);
}

/* What was given away cannot be had again. */
static int act_capset_refused(const struct spot *s)
{
	struct capset c = some_caps;
	int r = act_capset(s);

	c.data[0].permitted |= 1u << CAP_SYS_ADMIN;
	if (r < 0)
		return r;
	return syscall(SYS_capset, &c.head, c.data) < 0 && errno == EPERM ? 0 : -EPROTO;
}

static int act_capset_later(const struct spot *s)
{
	int r = act_capset(s);

	return r < 0 ? r : res(open(s->f, O_RDONLY));
}

static int act_setuid_later(const struct spot *s)
{
	if (syscall(SYS_setresuid, 0, 0, 1003) < 0 || syscall(SYS_setfsgid, 1003) < 0 ||
	    syscall(SYS_setfsuid, 1003) < 0)
		return -errno;
	return open(s->f, O_RDONLY) < 0 && errno == EACCES ? 0 : -EPROTO;
}

/* Someone logs in, as sshd and login have it: without an exec, and without other ids. */
static int act_setuid_login(const struct spot *s)
{
	int fd = open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "4242", 4) != 4)
		return -errno;
	close(fd);
	return res(open(s->f, O_RDONLY));
}

/* A child has what its parent had when it was forked. */
static int act_setuid_child(const struct spot *s)
{
	pid_t child;
	int status;

	if (syscall(SYS_setresuid, 1001, 0, 0) < 0)
		return -errno;
	child = fork();
	if (child == 0)
		_exit(open(s->f, O_RDONLY) < 0 ? errno : 0);
	*s->pid = child;
	return child < 0 || waitpid(child, &status, 0) < 0 || status ? -EPROTO : 0;
}

#define UIDS(u, e, f)	    "setuid.uid=" u, "setuid.euid=" e, "setuid.fsuid=" f
#define GIDS(u, e, f)	    "setgid.gid=" u, "setgid.egid=" e, "setgid.fsgid=" f
#define WAS_ROOT	    "process.uid=0", "process.euid=0"
#define WAS_GROUP	    "process.gid=0", "process.egid=0"
#define CAPS_EFFECTIVE_TEXT "274877915168" /* CAP_KILL, CAP_NET_RAW, CAP_PERFMON */
#define CAPS_PERMITTED_TEXT "274878177312" /* and CAP_SYS_CHROOT */
#define CAPS		    "capset.cap_effective=" CAPS_EFFECTIVE_TEXT, "capset.cap_permitted=" CAPS_PERMITTED_TEXT
#define WAS_CAPABLE	    "process.cap_effective&0x40000=262144" /* CAP_SYS_CHROOT is given up by the call */

_Static_assert(((1ull << 38) | EFFECTIVE) == 274877915168 && ((1ull << 38) | PERMITTED) == 274878177312, "as texts");

const struct row rows_creds[] = {
	{ "setuid", NULL, act_setuid, .expect = { UIDS("1001", "1001", "1001"), WAS_ROOT, RET("0"), SYNC } },
	{ "setuid.same", NULL, act_setuid_same, .expect = { UIDS("0", "0", "0"), WAS_ROOT } },
	{ "setuid.reuid", NULL, act_setuid_reuid, .expect = { UIDS("1001", "1002", "1002"), WAS_ROOT } },
	{ "setuid.resuid", NULL, act_setuid_resuid, .expect = { UIDS("1001", "1002", "1002"), WAS_ROOT } },
	{ "setuid.seteuid", NULL, act_setuid_seteuid, .expect = { UIDS("0", "1002", "1002"), WAS_ROOT } },
	{ "setuid.fsuid", NULL, act_setuid_fsuid, .expect = { UIDS("0", "0", "1003"), WAS_ROOT, "process.fsuid=0" } },
	{ "setuid.compat", NULL, act_setuid_compat, .expect = { UIDS("1001", "1001", "1001"), WAS_ROOT } },
	{ "setuid.compat16", NULL, act_setuid_compat16, .expect = { UIDS("1001", "1001", "1001"), WAS_ROOT } },
	{ "setuid.compatre", NULL, act_setuid_compatre, .expect = { UIDS("1001", "1002", "1002"), WAS_ROOT } },
	{ "setuid.compatfs", NULL, act_setuid_compatfs, .expect = { UIDS("0", "0", "1003"), WAS_ROOT } },
	{ "setuid.compatfs16", NULL, act_setuid_compatfs16, .expect = { UIDS("0", "0", "1003"), WAS_ROOT } },
	{ "setuid.back", NULL, act_setuid_back,
	  .expect = { UIDS("0", "0", "0"), "process.uid=1001", "process.euid=1001", "process.cap_effective=0" } },
	{ "setuid.refused", NULL, act_setuid_refused,
	  .expect = { UIDS("1001", "1001", "1001"), "process.uid=1001", "process.euid=1001", RET("0") } },
	{ "setuid.later", NULL, act_setuid_later, .event = "open",
	  .expect = { "process.uid=0", "process.euid=0", "process.fsuid=1003", "process.fsgid=1003", RET("-13") } },
	{ "setuid.login", NULL, act_setuid_login, .event = "open", .expect = { "process.auid=4242", RET("0") } },
	{ "setuid.child", NULL, act_setuid_child, .event = "open",
	  .expect = { "process.uid=1001", "process.euid=0", "process.fsuid=0", "process.parent.uid=1001", RET("0") } },

	{ "setgid", NULL, act_setgid, .expect = { GIDS("1001", "1001", "1001"), WAS_GROUP, RET("0"), SYNC } },
	{ "setgid.regid", NULL, act_setgid_regid, .expect = { GIDS("1001", "1002", "1002"), WAS_GROUP } },
	{ "setgid.resgid", NULL, act_setgid_resgid, .expect = { GIDS("1001", "1002", "1002"), WAS_GROUP } },
	{ "setgid.fsgid", NULL, act_setgid_fsgid, .expect = { GIDS("0", "0", "1003"), WAS_GROUP, "process.fsgid=0" } },
	{ "setgid.compat", NULL, act_setgid_compat, .expect = { GIDS("1001", "1001", "1001"), WAS_GROUP } },
	{ "setgid.compatre16", NULL, act_setgid_compatre16, .expect = { GIDS("1001", "1002", "1002"), WAS_GROUP } },
	{ "setgid.compatres", NULL, act_setgid_compatres, .expect = { GIDS("1001", "1002", "1002"), WAS_GROUP } },

	{ "capset", NULL, act_capset, .expect = { CAPS, WAS_CAPABLE, RET("0"), SYNC } },
	{ "capset.compat", NULL, act_capset_compat, .expect = { CAPS, WAS_CAPABLE } },
	{ "capset.refused", NULL, act_capset_refused, .expect = { CAPS, WAS_CAPABLE, RET("0") } },
	{ "capset.later", NULL, act_capset_later, .event = "open",
	  .expect = { "process.cap_effective=" CAPS_EFFECTIVE_TEXT, "process.cap_permitted=" CAPS_PERMITTED_TEXT,
		      RET("0") } },
	{ 0 },
};
