/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/confine_spool.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/capability.h>
#include <sys/socket.h>

#include "lib/cleanup.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

void confine_spool_user(struct confine_user *ret, gid_t *ret_log_group)
{
	_cleanup_fclose_ FILE *f = fopen("/etc/passwd", "re");
	struct confine_user record;
	struct passwd *pw;

	*ret = (struct confine_user){ CONFINE_SPOOL_ID, CONFINE_SPOOL_ID };
	while (f && (pw = fgetpwent(f)))
		if (strcmp(pw->pw_name, CONFINE_SPOOL_USER) == 0)
			*ret = (struct confine_user){ pw->pw_uid, pw->pw_gid };
	confine_user(ROLE_RECORD, &record);
	*ret_log_group = record.gid;
}

int confine_spool_drop(struct err *e)
{
	struct confine_user user;
	gid_t log_group;

	confine_spool_user(&user, &log_group);
	return confine_drop_user_with(&user, log_group, e);
}

int confine_spool_reserve(struct err *e)
{
	static const cap_value_t needed[] = { CAP_SETUID, CAP_SETGID, CAP_SETPCAP };
	cap_t caps = cap_init();
	int r = 0;

	if (!caps || cap_set_flag(caps, CAP_PERMITTED, COUNT(needed), needed, CAP_SET) < 0 ||
	    cap_set_flag(caps, CAP_EFFECTIVE, COUNT(needed), needed, CAP_SET) < 0 || cap_set_proc(caps) < 0)
		r = err_set(e, -errno, "cannot give up capabilities: %s", strerror(errno));
	cap_free(caps);
	return r;
}

/* What both may do. */
/* clang-format off */
static const char *const common[] = {
	"brk", "munmap", "mremap", "madvise", "clock_gettime", "clock_getres", "gettimeofday", "time", "clock_nanosleep",
	"nanosleep", "restart_syscall", "getrandom", "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid",
	"getresuid", "getresgid", "getgroups", "exit", "exit_group", "futex", "futex_waitv", "rseq", "set_robust_list",
	"rt_sigreturn", "rt_sigaction", "rt_sigprocmask", "rt_sigtimedwait", "sigaltstack", "sched_yield", "membarrier",
	"sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_getscheduler", "getpriority",
	"read", "pread64", "readv", "write", "writev", "pwrite64", "pwritev", "close", "lseek", "_llseek", "fstat",
	"newfstatat", "fstat64", "fstatat64", "stat", "lstat", "statx", "statfs", "fstatfs", "access", "faccessat",
	"faccessat2", "readlink", "readlinkat", "getcwd", "openat", "open", "getdents64", "fcntl", "fcntl64", "dup", "dup2",
	"dup3", "pipe", "pipe2", "eventfd2", "timerfd_create", "timerfd_settime", "fadvise64", "readahead", "flock",
	"poll", "ppoll", "select", "pselect6", "epoll_create1", "epoll_create", "epoll_ctl", "epoll_wait", "epoll_pwait",
	"epoll_pwait2",
	"connect", "bind", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg", "shutdown", "getsockopt",
	"setsockopt", "getsockname", "getpeername", "socketpair",
	"fdatasync", "fsync", "ftruncate", "ftruncate64", "fallocate", "rename", "renameat", "renameat2", "unlink",
	"unlinkat", "mkdir", "mkdirat", "umask", "fchmod", "sysinfo", "uname", "tgkill", "set_tid_address", "ioctl",
	"getrusage", "mlock", "munlock",
};

/* Before a sink has its own list; and what keeper and spool do. */
static const char *const spool_alone[] = {
	"clone", "clone3", "fork", "vfork", "wait4", "waitid", "kill", "mmap", "mmap2", "mprotect", "prctl", "seccomp",
	"prlimit64", "setrlimit", "getrlimit", "close_range", "chdir", "fchdir", "arch_prctl", "rt_sigsuspend",
};

/* Nobody's library tries these to see whether they are there. */
static const char *const deadly[] = {
	"execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "bpf", "mount", "umount2", "unshare", "setns",
	"init_module", "finit_module", "kexec_load", "keyctl", "add_key", "setuid", "setresuid", "capset", "pidfd_getfd",
};
/* clang-format on */

static int add(scmp_filter_ctx ctx, uint32_t action, const char *name, unsigned int n, const struct scmp_arg_cmp *args)
{
	int nr = seccomp_syscall_resolve_name(name);
	int r = nr == __NR_SCMP_ERROR ? 0 : seccomp_rule_add_array(ctx, action, nr, n, args);

	/* -EDOM: this architecture lacks the call; -EACCES: it is the filter's default */
	return r == -EDOM || r == -EACCES ? 0 : r;
}

static int add_all(scmp_filter_ctx ctx, uint32_t action, const char *const *names, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = add(ctx, action, names[i], 0, NULL);
	return r;
}

/* Networks, the machine's own sockets, and what the C library asks the kernel about addresses with. */
static int add_sockets(scmp_filter_ctx ctx)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };
	int r = 0;

	for (size_t i = 0; r == 0 && i < COUNT(families); i++) {
		const struct scmp_arg_cmp family = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0);

		r = add(ctx, SCMP_ACT_ALLOW, "socket", 1, &family);
	}
	return r;
}

/* Threads and no processes; no code that is not there when the list begins. clone3, whose arguments cannot be seen, is as
 * if the kernel had none: the C library then uses clone. */
static int add_sink(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
	const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	const struct scmp_arg_cmp name = SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0);
	const struct scmp_arg_cmp get = SCMP_A2(SCMP_CMP_EQ, 0, 0);
	int r = add(ctx, SCMP_ACT_ALLOW, "clone", 1, &thread);

	if (r == 0)
		r = add(ctx, SCMP_ACT_ALLOW, "mmap", 1, &no_exec);
	if (r == 0)
		r = add(ctx, SCMP_ACT_ALLOW, "mmap2", 1, &no_exec);
	if (r == 0)
		r = add(ctx, SCMP_ACT_ALLOW, "mprotect", 1, &no_exec);
	if (r == 0)
		r = add(ctx, SCMP_ACT_ALLOW, "prctl", 1, &name);
	if (r == 0)
		r = add(ctx, SCMP_ACT_ALLOW, "prlimit64", 1, &get);
	return r;
}

int confine_spool_syscalls(bool sink, enum confine_mode mode, struct err *e)
{
	scmp_filter_ctx ctx;
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(e, -errno, "cannot set no_new_privs: %s", strerror(errno));
	if (mode == CONFINE_OFF)
		return 0;
	ctx = seccomp_init(mode == CONFINE_LOG ? SCMP_ACT_LOG : SCMP_ACT_ERRNO(ENOSYS));
	if (!ctx)
		return err_set(e, -ENOMEM, "no memory for the filter of system calls");
	r = add_all(ctx, SCMP_ACT_ALLOW, common, COUNT(common));
	if (r == 0 && !sink)
		r = add_all(ctx, SCMP_ACT_ALLOW, spool_alone, COUNT(spool_alone));
	if (r == 0)
		r = add_sockets(ctx);
	if (r == 0 && sink)
		r = add_sink(ctx);
	if (r == 0 && mode == CONFINE_KILL)
		r = add_all(ctx, SCMP_ACT_KILL_PROCESS, deadly, COUNT(deadly));
	if (r == 0)
		seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r < 0 ? err_set(e, r, "cannot install the filter of system calls: %s", strerror(-r)) : 0;
}
