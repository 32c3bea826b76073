/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process asks of itself and does to others. Where there is a second process it is the actor, whose number the
 * rows can name (%p), and a child of it acts; or it is a child of the actor.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

#define NOBODY	  65534
#define LONG_NAME "a name that is longer than the kernel's"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

enum {
	I386_PTRACE = 26,
	I386_KILL = 37,
	I386_SETRLIMIT = 75,
	I386_PRCTL = 172,
	I386_PRLIMIT64 = 340,
	I386_VM_WRITEV = 348
};

/* ---- who does it to whom -------------------------------------------------------------------------------------------- */

typedef int (*deed)(pid_t target);

static int wait_for(pid_t child)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -errno;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV)
		return -ENOSYS; /* no 32-bit system calls */
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EPROTO;
}

/* A child does it to the actor. */
static int by_child(const struct spot *s, deed d)
{
	pid_t child;

	signal(SIGUSR1, SIG_IGN);
	child = fork();
	if (child == 0) {
		*s->pid = getpid();
		_exit(-d(getppid()));
	}
	return wait_for(child);
}

static int want_eperm(int r)
{
	return r == -EPERM ? 0 : r ? r : -EPROTO;
}

static int by_nobody(const struct spot *s, deed d)
{
	pid_t child = fork();

	if (child == 0) {
		*s->pid = getpid();
		_exit(setuid(NOBODY) < 0 ? errno : -want_eperm(d(getppid())));
	}
	return wait_for(child);
}

/* The number in the initial namespace, which /proc is mounted in. */
static pid_t outer_pid(void)
{
	char text[16];
	ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return atoi(text);
}

static int inside(const struct spot *s, deed d)
{
	pid_t child;

	signal(SIGUSR1, SIG_IGN);
	child = fork();
	if (child == 0) {
		*s->pid = outer_pid();
		_exit(-d(1));
	}
	return wait_for(child);
}

/* In a pid namespace of its own: a child does it to number 1, which is the actor's child. */
static int in_namespace(const struct spot *s, deed d)
{
	pid_t child;

	if (unshare(CLONE_NEWPID) < 0)
		return -errno;
	child = fork();
	if (child == 0)
		_exit(-inside(s, d));
	return wait_for(child);
}

/* ---- prctl ---------------------------------------------------------------------------------------------------------- */

static int act_prctl(const struct spot *s)
{
	(void)s;
	return res(prctl(PR_SET_NAME, "disguised"));
}
static int act_prctl_long(const struct spot *s)
{
	(void)s;
	return res(prctl(PR_SET_NAME, LONG_NAME));
}
static int act_prctl_get(const struct spot *s)
{
	(void)s;
	return prctl(PR_GET_DUMPABLE) < 0 ? -errno : 0;
}
static int act_prctl_refused(const struct spot *s)
{
	(void)s;
	if (setuid(NOBODY) < 0)
		return -errno;
	return want_eperm(res(prctl(PR_CAPBSET_DROP, 0)));
}
static int act_prctl_compat(const struct spot *s)
{
	(void)s;
	return compat(I386_PRCTL, PR_SET_NAME, low("disguised"), 0);
}

/* ---- setrlimit ------------------------------------------------------------------------------------------------------ */

static const struct rlimit limit = { 100, 200 };

static int act_setrlimit(const struct spot *s)
{
	(void)s;
	return res(setrlimit(RLIMIT_NOFILE, &limit));
}
static int act_setrlimit_compat(const struct spot *s)
{
	const uint32_t words[2] = { 100, 200 };

	(void)s;
	return compat(I386_SETRLIMIT, RLIMIT_NOFILE, low_bytes(words, sizeof(words)), 0);
}
static int limit_other(pid_t target)
{
	return res(prlimit(target, RLIMIT_NOFILE, &limit, NULL));
}
static int limit_compat(pid_t target)
{
	return compat6(I386_PRLIMIT64, (long[6]){ target, RLIMIT_NOFILE, low_bytes(&limit, sizeof(limit)) });
}
static int act_setrlimit_other(const struct spot *s)
{
	return by_child(s, limit_other);
}
static int act_setrlimit_other32(const struct spot *s)
{
	return by_child(s, limit_compat);
}
static int act_setrlimit_refused(const struct spot *s)
{
	return by_nobody(s, limit_other);
}
static int act_setrlimit_pidns(const struct spot *s)
{
	return in_namespace(s, limit_other);
}

/* ---- ptrace --------------------------------------------------------------------------------------------------------- */

static int seize(pid_t target)
{
	return res(ptrace(PTRACE_SEIZE, target, NULL, NULL));
}
static int seize_compat(pid_t target)
{
	return compat6(I386_PTRACE, (long[6]){ PTRACE_SEIZE, target });
}
static int traceme(pid_t target)
{
	(void)target;
	return res(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}
static int act_ptrace(const struct spot *s)
{
	return by_child(s, seize);
}
static int act_ptrace_traceme(const struct spot *s)
{
	return by_child(s, traceme);
}
static int act_ptrace_refused(const struct spot *s)
{
	return by_nobody(s, seize);
}
static int act_ptrace_pidns(const struct spot *s)
{
	return in_namespace(s, seize);
}
static int act_ptrace_compat(const struct spot *s)
{
	return by_child(s, seize_compat);
}

/* ---- process_vm_writev ---------------------------------------------------------------------------------------------- */

static char memory[5]; /* at the same place in parent and child */

static int vm_write(pid_t target)
{
	struct iovec local[2] = { { (void *)"abc", 3 }, { (void *)"de", 2 } }, remote = { memory, sizeof(memory) };
	ssize_t n = process_vm_writev(target, local, 2, &remote, 1, 0);

	return n == sizeof(memory) ? 0 : n < 0 ? -errno : -EPROTO;
}
static char *low_memory; /* of the actor, where 32 bits reach it */

static int vm_write_compat(pid_t target)
{
	const uint32_t local[2] = { (uint32_t)low("abcde"), 5 }, remote[2] = { (uint32_t)(uintptr_t)low_memory, 5 };

	return compat6(I386_VM_WRITEV, (long[6]){ target, low_bytes(local, sizeof(local)), 1,
						  low_bytes(remote, sizeof(remote)), 1, 0 });
}
static int act_vm_writev(const struct spot *s)
{
	return by_child(s, vm_write);
}
static int act_vm_writev_refused(const struct spot *s)
{
	return by_nobody(s, vm_write);
}
static int act_vm_writev_pidns(const struct spot *s)
{
	return in_namespace(s, vm_write);
}
static int act_vm_writev_compat(const struct spot *s)
{
#ifdef __aarch64__
	return -ENOSYS; /* the pointers in the vectors would be those of another program: COMPAT32 has no way to say its own */
#endif
	low_memory = (char *)(uintptr_t)low("12345");
	return by_child(s, vm_write_compat);
}

/* ---- signals -------------------------------------------------------------------------------------------------------- */

static int send_signal(pid_t target)
{
	return res(kill(target, SIGUSR1));
}
static int send_null(pid_t target)
{
	return res(kill(target, 0));
}
static int send_tkill(pid_t target)
{
	return res(syscall(SYS_tkill, target, SIGUSR1));
}
static int send_tgkill(pid_t target)
{
	return res(syscall(SYS_tgkill, target, target, SIGUSR1));
}
static int send_queue(pid_t target)
{
	return res(sigqueue(target, SIGUSR1, (union sigval){ .sival_int = 1 }));
}
static int send_thread_queue(pid_t target)
{
	siginfo_t info = { .si_code = SI_QUEUE };

	return res(syscall(SYS_rt_tgsigqueueinfo, target, target, SIGUSR1, &info));
}
static int send_pidfd(pid_t target)
{
	int fd = syscall(SYS_pidfd_open, target, 0);

	return fd < 0 ? -errno : res(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0));
}
static int send_group(pid_t target)
{
	(void)target;
	return res(kill(0, SIGUSR1));
}
static int send_compat(pid_t target)
{
	return compat(I386_KILL, target, SIGUSR1, 0);
}

static int act_signal(const struct spot *s)
{
	return by_child(s, send_signal);
}
static int act_signal_null(const struct spot *s)
{
	return by_child(s, send_null);
}
static int act_signal_tkill(const struct spot *s)
{
	return by_child(s, send_tkill);
}
static int act_signal_tgkill(const struct spot *s)
{
	return by_child(s, send_tgkill);
}
static int act_signal_queue(const struct spot *s)
{
	return by_child(s, send_queue);
}
static int act_signal_tgqueue(const struct spot *s)
{
	return by_child(s, send_thread_queue);
}
static int act_signal_pidfd(const struct spot *s)
{
	return by_child(s, send_pidfd);
}
static int act_signal_group(const struct spot *s)
{
	return setpgid(0, 0) < 0 ? -errno : by_child(s, send_group);
}
static int act_signal_compat(const struct spot *s)
{
	return by_child(s, send_compat);
}
static int act_signal_refused(const struct spot *s)
{
	return by_nobody(s, send_signal);
}
static int act_signal_pidns(const struct spot *s)
{
	return in_namespace(s, send_signal);
}

/* The one row whose target ends by it: a child of the actor. */
static int act_signal_kill(const struct spot *s)
{
	pid_t child = fork();
	int r;

	(void)s;
	if (child == 0) {
		pause();
		_exit(0);
	}
	if (child < 0)
		return -errno;
	r = res(kill(child, SIGKILL));
	waitpid(child, NULL, 0);
	return r;
}

/* ---- the table ------------------------------------------------------------------------------------------------------ */

#define IMAGE "%b/bin/scenario"
/* The second process as the process table knows it: by the fork, which tells its parent, and its program. */
#define ACTOR(name) name ".pid=%p", name ".file.path=" IMAGE, name ".uid=0"
#define CHILD(name) name ".ppid=%p", name ".parent.pid=%p", name ".file.path=" IMAGE
#define LIMIT	    "setrlimit.resource=7", "setrlimit.rlim_cur=100", "setrlimit.rlim_max=200"
#define SEIZE	    "ptrace.request=16902"
#define REFUSED	    RET("-1"), "process.uid=65534"
#define USR1	    "signal.type=10"

const struct row rows_control[] = {
	{ "prctl", NULL, act_prctl, .expect = { "prctl.option=15", "prctl.new_name=disguised", RET("0"), SYNC } },
	{ "prctl.long", NULL, act_prctl_long,
	  .expect = { "prctl.option=15", "prctl.new_name=" LONG_NAME, "prctl.is_name_truncated=false", RET("0") } },
	{ "prctl.get", NULL, act_prctl_get, .expect = { "prctl.option=3", "prctl.new_name=(none)", RET("0") } },
	{ "prctl.refused", NULL, act_prctl_refused, .expect = { "prctl.option=24", REFUSED } },
	{ "prctl.compat", NULL, act_prctl_compat,
	  .expect = { "prctl.option=15", "prctl.new_name=disguised", RET("0") } },

	{ "setrlimit", NULL, act_setrlimit, .expect = { LIMIT, ACTOR("setrlimit.target"), RET("0") } },
	{ "setrlimit.compat", NULL, act_setrlimit_compat, /* on arm64 the target is COMPAT32 by then */
	  .expect = { LIMIT, "setrlimit.target.pid=%p", "setrlimit.target.uid=0", RET("0") } },
	{ "setrlimit.other", NULL, act_setrlimit_other, .expect = { LIMIT, ACTOR("setrlimit.target"), RET("0") } },
	{ "setrlimit.other32", NULL, act_setrlimit_other32, .expect = { LIMIT, ACTOR("setrlimit.target"), RET("0") } },
	{ "setrlimit.refused", NULL, act_setrlimit_refused, .expect = { LIMIT, ACTOR("setrlimit.target"), REFUSED } },
	{ "setrlimit.pidns", NULL, act_setrlimit_pidns, .expect = { LIMIT, CHILD("setrlimit.target"), RET("0") } },

	{ "ptrace", NULL, act_ptrace, .expect = { SEIZE, ACTOR("ptrace.tracee"), RET("0") } },
	{ "ptrace.traceme", NULL, act_ptrace_traceme,
	  .expect = { "ptrace.request=0", CHILD("ptrace.tracee"), RET("0") } },
	{ "ptrace.refused", NULL, act_ptrace_refused, .expect = { SEIZE, ACTOR("ptrace.tracee"), REFUSED } },
	{ "ptrace.pidns", NULL, act_ptrace_pidns, .expect = { SEIZE, CHILD("ptrace.tracee"), RET("0") } },
	{ "ptrace.compat", NULL, act_ptrace_compat, .expect = { SEIZE, ACTOR("ptrace.tracee"), RET("0") } },

	{ "process_vm_writev", NULL, act_vm_writev,
	  .expect = { "process_vm_writev.pid=%p", "process_vm_writev.size=5", ACTOR("process_vm_writev.target"),
		      RET("0") } },
	{ "process_vm_writev.refused", NULL, act_vm_writev_refused,
	  .expect = { "process_vm_writev.pid=%p", "process_vm_writev.size=5", ACTOR("process_vm_writev.target"),
		      REFUSED } },
	{ "process_vm_writev.pidns", NULL, act_vm_writev_pidns,
	  .expect = { "process_vm_writev.size=5", CHILD("process_vm_writev.target"), RET("0") } },
	{ "process_vm_writev.compat", NULL, act_vm_writev_compat,
	  .expect = { "process_vm_writev.pid=%p", "process_vm_writev.size=5", ACTOR("process_vm_writev.target"),
		      RET("0") } },

	{ "signal", NULL, act_signal, .expect = { USR1, "signal.pid=%p", ACTOR("signal.target"), RET("0"), SYNC } },
	{ "signal.null", NULL, act_signal_null,
	  .expect = { "signal.type=0", "signal.pid=%p", ACTOR("signal.target"), RET("0") } },
	{ "signal.tkill", NULL, act_signal_tkill,
	  .expect = { USR1, "signal.pid=%p", ACTOR("signal.target"), RET("0") } },
	{ "signal.tgkill", NULL, act_signal_tgkill,
	  .expect = { USR1, "signal.pid=%p", ACTOR("signal.target"), RET("0") } },
	{ "signal.queue", NULL, act_signal_queue,
	  .expect = { USR1, "signal.pid=%p", ACTOR("signal.target"), RET("0") } },
	{ "signal.tgqueue", NULL, act_signal_tgqueue,
	  .expect = { USR1, "signal.pid=%p", ACTOR("signal.target"), RET("0") } },
	{ "signal.pidfd", NULL, act_signal_pidfd,
	  .expect = { USR1, "signal.pid=%p", ACTOR("signal.target"), RET("0") } },
	{ "signal.group", NULL, act_signal_group,
	  .expect = { USR1, "signal.pid=%p", ACTOR("signal.target"), RET("0") } },
	{ "signal.compat", NULL, act_signal_compat,
	  .expect = { USR1, "signal.pid=%p", ACTOR("signal.target"), RET("0") } },
	{ "signal.refused", NULL, act_signal_refused,
	  .expect = { USR1, "signal.pid=%p", ACTOR("signal.target"), REFUSED } },
	{ "signal.pidns", NULL, act_signal_pidns, .expect = { USR1, CHILD("signal.target"), RET("0") } },
	{ "signal.kill", NULL, act_signal_kill, .expect = { "signal.type=9", CHILD("signal.target"), RET("0") } },
	{ 0 },
};
