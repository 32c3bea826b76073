/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum confine_mode confine_mode_env(void)
{
	const char *s = getenv(CONFINE_ENV);

	if (s && strcmp(s, "log") == 0)
		return CONFINE_LOG;
	if (s && strcmp(s, "off") == 0)
		return CONFINE_OFF;
	return CONFINE_KILL;
}

/* ---- user ---------------------------------------------------------------------------------------------------------- */

void confine_user(enum role role, struct confine_user *ret)
{
	const char *name = role == ROLE_RECORD ? CONFINE_RECORD_USER : CONFINE_ENGINE_USER;
	uid_t id = role == ROLE_RECORD ? CONFINE_RECORD_ID : CONFINE_ENGINE_ID;
	_cleanup_fclose_ FILE *f = fopen("/etc/passwd", "re");
	struct passwd *pw;

	if (role == ROLE_HASH || role == ROLE_RUNTIME || role == ROLE_SOCKETS) {
		id = role == ROLE_HASH	    ? CONFINE_HASH_ID
		     : role == ROLE_RUNTIME ? CONFINE_RUNTIME_ID
					    : CONFINE_SOCKETS_ID;
		*ret = (struct confine_user){ id, id };
		return;
	}
	*ret = (struct confine_user){ .uid = id, .gid = id };
	while (f && (pw = fgetpwent(f)))
		if (strcmp(pw->pw_name, name) == 0)
			*ret = (struct confine_user){ .uid = pw->pw_uid, .gid = pw->pw_gid };
}

/* Has to be done while CAP_SETPCAP is there. Unknown capabilities end the loop: the kernel's last one is behind us. */
static int drop_bounding_set(struct err *e)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EINVAL)
			return err_set(e, -errno, "cannot drop capability %d: %s", cap, strerror(errno));
	return 0;
}

static int become(const struct confine_user *u, size_t ngroups, const gid_t *groups, struct err *e)
{
	if (setgroups(ngroups, groups) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 ||
	    setresuid(u->uid, u->uid, u->uid) < 0)
		return err_set(e, -errno, "cannot become user %u: %s (create the users %s and %s)", u->uid,
			       strerror(errno), CONFINE_ENGINE_USER, CONFINE_RECORD_USER);
	return 0;
}

/* Of all capabilities @cap is left, or none (-1). */
static int keep_only(cap_value_t cap, struct err *e)
{
	cap_t caps = cap_init();
	int r = caps ? 0 : -1;

	if (r == 0 && cap >= 0 &&
	    (cap_set_flag(caps, CAP_PERMITTED, 1, &cap, CAP_SET) < 0 ||
	     cap_set_flag(caps, CAP_EFFECTIVE, 1, &cap, CAP_SET) < 0))
		r = -1;
	if (r == 0)
		r = cap_set_proc(caps);
	cap_free(caps);
	return r < 0 ? err_set(e, -errno, "cannot drop capabilities: %s", strerror(errno)) : 0;
}

static int drop_to(const struct confine_user *u, size_t ngroups, const gid_t *groups, cap_value_t cap, struct err *e)
{
	int r = drop_bounding_set(e);

	if (r == 0)
		r = become(u, ngroups, groups, e);
	if (r == 0)
		r = keep_only(cap, e);
	if (r < 0)
		return r;
	if (setuid(0) == 0)
		return err_set(e, -EPERM, "user %u can become root again", u->uid);
	return 0;
}

int confine_drop_user(const struct confine_user *u, struct err *e)
{
	return drop_to(u, 0, NULL, -1, e);
}

int confine_drop_user_with(const struct confine_user *u, gid_t group, struct err *e)
{
	return drop_to(u, 1, &group, -1, e);
}

int confine_drop_to_groups(const struct confine_user *u, size_t ngroups, const gid_t *groups, bool reader,
			   struct err *e)
{
	if (reader && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_set(e, -errno, "cannot keep a capability: %s", strerror(errno));
	return drop_to(u, ngroups, groups, reader ? CAP_DAC_READ_SEARCH : -1, e);
}

int confine_drop_to_reader(const struct confine_user *u, struct err *e)
{
	return confine_drop_to_groups(u, 0, NULL, true, e);
}

/* ---- capabilities -------------------------------------------------------------------------------------------------- */

/* What is needed, for what; and whether the monitor keeps it, for another policy and for restarting the others. */
static const struct {
	cap_value_t cap;
	bool keep;
	const char *name, *why;
	bool optional; /* without it less is seen, which tamisctl hooks says */
} caps[] = {
	{ CAP_BPF, true, "CAP_BPF", "load BPF programs", false },
	{ CAP_PERFMON, true, "CAP_PERFMON", "attach BPF programs", false },
	{ CAP_SETUID, true, "CAP_SETUID", "give up root", false },
	{ CAP_SETGID, true, "CAP_SETGID", "give up root's groups", false },
	{ CAP_SETPCAP, true, "CAP_SETPCAP", "drop capabilities for good", false },
	{ CAP_KILL, true, "CAP_KILL", "end a process that hangs", false },
	{ CAP_SYS_PTRACE, true, "CAP_SYS_PTRACE", "read what the running processes are", false },
	{ CAP_DAC_READ_SEARCH, true, "CAP_DAC_READ_SEARCH", "read /proc and the log's directory", false },
	{ CAP_CHOWN, false, "CAP_CHOWN", "give the log to its keeper", false },
	{ CAP_NET_ADMIN, true, "CAP_NET_ADMIN", "see packets", true },
};

int confine_check_caps(struct err *e)
{
	cap_t have = cap_get_proc();
	cap_flag_value_t on;
	int r = have ? 0 : err_set(e, -ENOMEM, "no memory");

	for (size_t i = 0; r == 0 && i < COUNT(caps); i++)
		if (!caps[i].optional && (cap_get_flag(have, caps[i].cap, CAP_EFFECTIVE, &on) < 0 || on != CAP_SET))
			r = err_set(e, -EPERM,
				    "tamisd needs %s to %s: start it as root, or add it to the container's "
				    "capabilities",
				    caps[i].name, caps[i].why);
	cap_free(have);
	return r;
}

int confine_monitor_caps(struct err *e)
{
	cap_t have = cap_get_proc(), keep = cap_init();
	cap_flag_value_t on;
	int r = have && keep ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < COUNT(caps); i++) {
		const cap_value_t cap = caps[i].cap;

		if (!caps[i].keep || cap_get_flag(have, cap, CAP_PERMITTED, &on) < 0 || on != CAP_SET)
			continue;
		if (cap_set_flag(keep, CAP_PERMITTED, 1, &cap, CAP_SET) < 0 ||
		    cap_set_flag(keep, CAP_EFFECTIVE, 1, &cap, CAP_SET) < 0)
			r = -errno;
	}
	if (r == 0 && cap_set_proc(keep) < 0)
		r = -errno;
	cap_free(have);
	cap_free(keep);
	return r < 0 ? err_set(e, r, "cannot reduce the monitor's capabilities: %s", strerror(-r)) : 0;
}

/* ---- system calls -------------------------------------------------------------------------------------------------- */

#define M 1u /* monitor; its list covers what its children do before they have a list of their own */
#define G 2u /* engine */
#define R 4u /* record */
#define H 8u /* hash */

/* Calls without conditions on their arguments. A name that an architecture lacks is passed over. */
/* clang-format off */
static const struct {
	const char *name;
	unsigned int who;
} plain_calls[] = {
	/* memory, time, threads of control */
	{ "brk", M | G | R | H }, { "munmap", M | G | R | H }, { "mremap", M | G | R | H }, { "madvise", M | G | R | H },
	{ "clock_gettime", M | G | R | H }, { "gettimeofday", M | G | R | H }, { "time", M | G | R | H },
	{ "clock_nanosleep", M | G | R | H }, { "nanosleep", M | G | R | H }, { "restart_syscall", M | G | R | H },
	{ "getrandom", M | G | R | H }, { "getpid", M | G | R | H }, { "gettid", M | G | R | H }, { "getppid", M | G | R | H },
	{ "exit", M | G | R | H }, { "exit_group", M | G | R | H }, { "futex", M | G | R | H }, { "rseq", M | G | R | H },
	{ "rt_sigreturn", M | G | R | H }, { "rt_sigaction", M | G | R | H }, { "rt_sigprocmask", M | G | R | H },
	{ "sched_yield", M | G | R | H }, { "membarrier", M | G | R | H }, { "sched_getaffinity", M | G | R | H },
	/* open files and sockets */
	{ "read", M | G | R | H }, { "pread64", M | G | R | H }, { "write", M | G | R | H }, { "writev", M | G | R | H },
	{ "close", M | G | R | H }, { "close_range", M }, { "lseek", M | G | R | H }, { "_llseek", M | G | R | H },
	{ "fstat", M | G | R | H }, { "newfstatat", M | G | R | H }, { "fstat64", M | G | R | H }, { "fstatat64", M | G | R | H },
	{ "statx", M | G | R | H }, { "poll", M | G | R | H }, { "ppoll", M | G | R | H }, { "epoll_wait", M | G | R | H },
	{ "epoll_pwait", M | G | R | H }, { "sendmsg", M | G | R | H }, { "sendto", M | G | R | H }, { "recvmsg", M | G | R | H },
	{ "dup", M }, { "dup2", M }, { "dup3", M }, { "fcntl", M | G | R | H }, { "fcntl64", M | G | R | H },
	{ "getdents64", M | G | R | H }, { "readlink", M | H }, { "readlinkat", M | G | H }, { "faccessat", M | R | H }, { "faccessat2", M | R | H },
	{ "access", M | R | H }, { "sysinfo", M | G | R | H }, { "uname", M | G | R | H },
	/* the log, the baseline */
	{ "pwrite64", M | R | H }, { "fdatasync", M | R | H }, { "fsync", M | R | H }, { "ftruncate", M | R | H },
	{ "ftruncate64", M | R | H },
	{ "fallocate", M | R }, { "rename", M | R }, { "renameat", M | R }, { "renameat2", M | R }, { "unlink", M | R },
	{ "unlinkat", M | R }, { "mkdir", M | R }, { "mkdirat", M | R }, { "flock", M | R | H }, { "fchmod", M | R },
	{ "link", M | R }, { "linkat", M | R }, { "umask", M | R }, { "fchown", M }, { "fchownat", M }, { "chmod", M },
	{ "fchmodat", M },
	/* extended attributes, and threads that look at files */
	{ "fgetxattr", M | H }, { "flistxattr", M | H }, { "getxattr", M | H }, { "listxattr", M | H },
	{ "ioprio_set", M }, { "sched_setscheduler", M }, { "setpriority", M },
	/* refused to the hash process by an error that it can go on from, see lacks() */
	{ "openat2", M },
	/* BPF, and setting up the others */
	{ "bpf", M }, { "perf_event_open", M }, { "epoll_create1", M }, { "epoll_ctl", M }, { "memfd_create", M },
	{ "eventfd2", M }, { "signalfd4", M }, { "signalfd", M }, { "socketpair", M }, { "accept4", M }, { "getsockopt", M },
	{ "setsockopt", M }, { "clone", M }, { "clone3", M }, { "fork", M }, { "vfork", M }, { "wait4", M | H }, { "waitid", M },
	{ "kill", M }, { "tgkill", M | G | R | H }, { "set_robust_list", M | H }, { "set_tid_address", M }, { "setgroups", M },
	{ "setgroups32", M }, { "setresuid", M }, { "setresuid32", M }, { "setresgid", M }, { "setresgid32", M },
	{ "setuid", M }, { "setuid32", M }, { "getuid", M | G | R | H }, { "geteuid", M | G | R | H }, { "getgid", M },
	{ "getegid", M }, { "capget", M }, { "capset", M }, { "prctl", M }, { "seccomp", M }, { "prlimit64", M | G | R | H },
	{ "setrlimit", M }, { "getrlimit", M }, { "ugetrlimit", M }, { "chdir", M }, { "fchdir", M }, { "statfs", M | H },
	{ "fstatfs", M | R | H }, { "getcwd", M }, { "connect", M },
	/* what rules may do */
	{ "pidfd_open", M }, { "pidfd_send_signal", M },
};
/* clang-format on */

/* What those two need that have to do with runtimes; the second part is the one that may connect alone. */
static const char *const runtime_calls[] = {
	"brk",	     "munmap",		"mremap",	   "madvise",	   "clock_gettime",  "gettimeofday",
	"nanosleep", "clock_nanosleep", "restart_syscall", "getrandom",	   "getpid",	     "gettid",
	"exit",	     "exit_group",	"futex",	   "rt_sigreturn", "rt_sigprocmask", "read",
	"write",     "writev",		"close",	   "fstat",	   "fstat64",	     "lseek",
	"poll",	     "ppoll",		"sendmsg",	   "recvmsg",	   "wait4",	     "tgkill",
};
static const char *const sockets_calls[] = { "connect", "newfstatat", "fstatat64", "statx" };

static unsigned int role_bit(enum role role)
{
	return role == ROLE_MONITOR ? M : role == ROLE_ENGINE ? G : role == ROLE_HASH ? H : R;
}

static int allow(scmp_filter_ctx ctx, const char *name, unsigned int n, const struct scmp_arg_cmp *args)
{
	int nr = seccomp_syscall_resolve_name(name);
	int r = nr == __NR_SCMP_ERROR ? 0 : seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, n, args);

	/* -EDOM: this architecture multiplexes or lacks the call */
	return r == -EDOM ? 0 : r;
}

/* The C library does without a call that is not there. */
static int lacks(scmp_filter_ctx ctx, const char *name)
{
	int nr = seccomp_syscall_resolve_name(name);

	return nr == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), nr, 0);
}

/* Flags of files; threads, no processes. What openat2 and clone3 are asked for lies in memory, where no filter sees it. */
static int allow_hash(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp get_flags = SCMP_A1(SCMP_CMP_EQ, FS_IOC_GETFLAGS, 0);
	const struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
	int r = allow(ctx, "ioctl", 1, &get_flags);

	if (r == 0)
		r = allow(ctx, "clone", 1, &thread);
	if (r == 0)
		r = lacks(ctx, "clone3");
	return r == 0 ? lacks(ctx, "openat2") : r;
}

static int allow_all(scmp_filter_ctx ctx, const char *const *names, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = allow(ctx, names[i], 0, NULL);
	return r;
}

/* Calls without conditions. */
static int allow_plain(scmp_filter_ctx ctx, enum role role)
{
	int r = 0;

	if (role == ROLE_RUNTIME || role == ROLE_SOCKETS) {
		r = allow_all(ctx, runtime_calls, COUNT(runtime_calls));
		return r == 0 && role == ROLE_SOCKETS ? allow_all(ctx, sockets_calls, COUNT(sockets_calls)) : r;
	}
	for (size_t i = 0; r == 0 && i < COUNT(plain_calls); i++)
		if (plain_calls[i].who & role_bit(role))
			r = allow(ctx, plain_calls[i].name, 0, NULL);
	return r;
}

/* Calls whose arguments matter. */
static int allow_conditional(scmp_filter_ctx ctx, enum role role)
{
	const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	const struct scmp_arg_cmp read_only =
		SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_RDONLY);
	const struct scmp_arg_cmp unix_socket = SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0);
	/* isatty() of stdio, on every descriptor that it opens */
	const struct scmp_arg_cmp tcgets = SCMP_A1(SCMP_CMP_EQ, TCGETS, 0);
	const struct scmp_arg_cmp get_name = SCMP_A0(SCMP_CMP_EQ, PR_GET_NAME, 0);
	int r = allow(ctx, "mmap", 1, &no_exec);

	if (r == 0)
		r = allow(ctx, "mmap2", 1, &no_exec);
	if (r == 0)
		r = allow(ctx, "mprotect", 1, &no_exec);
	if (r == 0 && role != ROLE_RUNTIME)
		r = allow(ctx, "openat", role != ROLE_MONITOR && role != ROLE_RECORD, &read_only);
	if (r == 0)
		r = role == ROLE_MONITOR || role == ROLE_SOCKETS ? allow(ctx, "socket", 1, &unix_socket)
								 : allow(ctx, "prctl", 1, &get_name);
	/* the monitor attaches kprobes through perf events: ioctl(PERF_EVENT_IOC_*) */
	if (r == 0)
		r = allow(ctx, "ioctl", role != ROLE_MONITOR, &tcgets);
	return r == 0 && role == ROLE_HASH ? allow_hash(ctx) : r;
}

int confine_syscalls(enum role role, enum confine_mode mode, struct err *e)
{
	scmp_filter_ctx ctx;
	int r = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, -errno, "cannot set no_new_privs: %s", strerror(errno));
	if (mode == CONFINE_OFF)
		return 0;
	ctx = seccomp_init(mode == CONFINE_LOG ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS);
	if (!ctx)
		return err_set(e, -ENOMEM, "no memory for the filter of system calls");
	r = allow_plain(ctx, role);
	if (r == 0)
		r = allow_conditional(ctx, role);
	/* a list of some 90 calls is searched as a tree: a few comparisons a call instead of 90 */
	if (r == 0)
		seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r < 0 ? err_set(e, r, "cannot install the filter of system calls: %s (is CONFIG_SECCOMP_FILTER on?)",
			       strerror(-r))
		     : 0;
}

void confine_memory(void)
{
	const struct rlimit none = { 0, 0 };

	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
}
