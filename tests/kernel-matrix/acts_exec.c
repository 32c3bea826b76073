/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways to become another program, and to end. The program is a copy of this one at d/i, which returns at once when its
 * first argument is "noop"; scripts name it as their interpreter.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

#define MEMFD_NAME "tamis-matrix"

/* ---- made ready by the parent --------------------------------------------------------------------------------------- */

/* The path of @name in the row's directory; static, one a call of four. */
static const char *at(const struct spot *s, const char *name)
{
	static char paths[4][PATH_MAX + 8];
	static int n;
	char *p = paths[n++ % 4];

	snprintf(p, sizeof(paths[0]), "%s/%s", s->dir, name);
	return p;
}

static int put_script(const char *path, const char *interpreter)
{
	FILE *f = fopen(path, "we");

	if (!f)
		return -errno;
	fprintf(f, "#!%s\n", interpreter);
	fclose(f);
	return res(chmod(path, 0755));
}

static int prepare_plain(const struct spot *s)
{
	return put_program(at(s, "d/i"));
}
static int prepare_link(const struct spot *s)
{
	int r = put_program(at(s, "d/i"));

	return r ? r : res(symlink("d/i", s->g));
}

static int script_at(const struct spot *s, const char *path)
{
	char interpreter[PATH_MAX + 16];
	int r = put_program(at(s, "d/i"));

	snprintf(interpreter, sizeof(interpreter), "%s noop", at(s, "d/i"));
	return r ? r : put_script(path, interpreter);
}
static int prepare_script(const struct spot *s)
{
	return script_at(s, s->g);
}
static int prepare_script_link(const struct spot *s)
{
	int r = script_at(s, at(s, "d/s"));

	return r ? r : res(symlink("d/s", s->g));
}
static int prepare_interpreter_link(const struct spot *s)
{
	char interpreter[PATH_MAX + 16];
	int r = put_program(at(s, "d/i"));

	snprintf(interpreter, sizeof(interpreter), "%s noop", at(s, "d/l"));
	r = r ? r : res(symlink("i", at(s, "d/l")));
	return r ? r : put_script(s->g, interpreter);
}
static int prepare_chain(const struct spot *s)
{
	int r = script_at(s, at(s, "d/s"));

	return r ? r : put_script(s->g, at(s, "d/s"));
}
static int prepare_broken(const struct spot *s)
{
	int r = put_program(at(s, "d/i"));

	return r ? r : put_script(s->g, "/no/such/interpreter");
}

/* ---- exec ----------------------------------------------------------------------------------------------------------- */

static int act_exec_relative(const struct spot *s)
{
	return chdir(s->d) < 0 ? -errno : res(execve("../g", noop, no_env));
}
static int act_exec_at(const struct spot *s)
{
	return res(syscall(SYS_execveat, s->dirfd, "d/i", noop, no_env, 0));
}
static int act_exec_fd(const struct spot *s)
{
	return res(syscall(SYS_execveat, open(s->g, O_RDONLY), "", noop, no_env, AT_EMPTY_PATH));
}

static int act_exec_deleted(const struct spot *s)
{
	int fd = open(at(s, "d/i"), O_RDONLY | O_CLOEXEC);

	if (fd < 0 || unlink(at(s, "d/i")) < 0)
		return -errno;
	return res(syscall(SYS_execveat, fd, "", noop, no_env, AT_EMPTY_PATH));
}

static int act_exec_memfd(const struct spot *s)
{
	int fd = memfd_create(MEMFD_NAME, MFD_CLOEXEC), r = copy_program(fd);

	(void)s;
	return r ? r : res(syscall(SYS_execveat, fd, "", noop, no_env, AT_EMPTY_PATH));
}

/* What the failed one has left behind must not be taken for the other's. */
static int act_exec_after_failed(const struct spot *s)
{
	if (execve(s->g, noop, no_env) == 0 || errno != ENOENT)
		return -EPROTO;
	return res(execve(at(s, "d/i"), noop, no_env));
}

/* More than is kept: three arguments of nearly as much as one may have. */
static int act_exec_truncated(const struct spot *s)
{
	char *big = malloc(120000), *argv[] = { "g", "noop", big, big, big, NULL };

	if (!big)
		return -ENOMEM;
	memset(big, 'x', 119999);
	big[119999] = '\0';
	return res(execve(at(s, "d/i"), argv, no_env));
}

/* ---- exit ----------------------------------------------------------------------------------------------------------- */

static void *group_thread(void *arg)
{
	(void)arg;
	syscall(SYS_exit_group, 7);
	return NULL;
}
static int act_exit_group(const struct spot *s)
{
	pthread_t t;

	(void)s;
	if (pthread_create(&t, NULL, group_thread, NULL))
		return -EAGAIN;
	pause();
	return -EPROTO;
}

static void *last_thread(void *arg)
{
	(void)arg;
	usleep(100 * 1000);
	syscall(SYS_exit, 5);
	return NULL;
}
/* The leader ends first. Whose code is the process's is up to the kernel: the leader's, or from 5.19 on that of the last one. */
static int ends_with(const struct spot *s, int code)
{
	int status;
	pid_t child = fork();
	pthread_t t;

	if (child == 0) {
		if (pthread_create(&t, NULL, last_thread, NULL))
			_exit(EAGAIN);
		syscall(SYS_exit, 3);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -errno;
	*s->pid = child;
	return status == W_EXITCODE(code, 0) ? 0 : -ENOSYS;
}
static int act_exit_leader(const struct spot *s)
{
	return ends_with(s, 3);
}
static int act_exit_last(const struct spot *s)
{
	return ends_with(s, 5);
}

/* A machine that keeps no core dumps skips it. */
static int act_exit_core(const struct spot *s)
{
	const struct rlimit all = { 1 << 20, 1 << 20 };

	if (chdir(s->dir) < 0 || setrlimit(RLIMIT_CORE, &all) < 0)
		return -errno;
	signal(SIGSEGV, SIG_DFL);
	return res(kill(getpid(), SIGSEGV));
}

static int act_exit_terminated(const struct spot *s)
{
	(void)s;
	return res(raise(SIGTERM));
}

/* ---- the table ------------------------------------------------------------------------------------------------------ */

#define SCRIPT(path) ("exec.file.path=" path), "exec.interpreter.file.path=%d/d/i", "exec.interpreter.file.name=i"
#define PROGRAM	     "exec.file.path=%d/d/i", "exec.file.mode=33261", "exec.interpreter=(none)"
#define NO_LINK	     "exec.file.link=(none)"

const struct row rows_exec[] = {
	{ "exec.script", prepare_script, act_exec, .expect = { SCRIPT("%d/g"), NO_LINK, "process.args=noop %d/g noop" },
	  .image = "%d/g" },
	{ "exec.script_mode", prepare_script, act_exec,
	  .expect = { SCRIPT("%d/g"), "exec.file.mode=33261", "exec.file.user=root" }, .image = "%d/g" },
	{ "exec.script_link", prepare_script_link, act_exec,
	  .expect = { SCRIPT("%d/d/s"), "exec.file.link.path=%d/g", "exec.file.link.name=g" }, .image = "%d/d/s" },
	{ "exec.script_cwd", prepare_script, act_exec_relative, .expect = { SCRIPT("%d/g"), NO_LINK },
	  .image = "%d/g" },
	{ "exec.script_fd", prepare_script, act_exec_fd, .expect = { SCRIPT("%d/g"), NO_LINK }, .image = "%d/g" },
	{ "exec.script_thread", prepare_script, act_exec_thread, .expect = { SCRIPT("%d/g") }, .image = "%d/g" },
	{ "exec.interpreter_link", prepare_interpreter_link, act_exec,
	  .expect = { SCRIPT("%d/g"), "exec.interpreter.file.link.path=%d/d/l", "exec.interpreter.file.link.name=l" },
	  .image = "%d/g" },
	{ "exec.chain", prepare_chain, act_exec, .expect = { SCRIPT("%d/g") }, .image = "%d/g" },
	{ "exec.after_failed", prepare_broken, act_exec_after_failed, .expect = { PROGRAM, NO_LINK },
	  .image = "%d/d/i" },

	{ "exec.link", prepare_link, act_exec,
	  .expect = { PROGRAM, "exec.file.link.path=%d/g", "exec.file.link.name=g" }, .image = "%d/d/i" },
	{ "exec.link_cwd", prepare_link, act_exec_relative,
	  .expect = { PROGRAM, "exec.file.link.path=%d/g", "exec.file.link.name=g" }, .image = "%d/d/i" },
	{ "exec.link_thread", prepare_link, act_exec_thread, .expect = { PROGRAM, "exec.file.link.path=%d/g" },
	  .image = "%d/d/i" },
	{ "exec.at", prepare_plain, act_exec_at, .expect = { PROGRAM }, .image = "%d/d/i" },
	{ "exec.deleted", prepare_plain, act_exec_deleted, .expect = { PROGRAM, NO_LINK }, .image = "%d/d/i" },
	{ "exec.memfd", NULL, act_exec_memfd,
	  .expect = { "exec.file.path=memfd:" MEMFD_NAME, "exec.file.name=memfd:" MEMFD_NAME,
		      "exec.file.filesystem=tmpfs", NO_LINK },
	  .image = "memfd:" MEMFD_NAME },
	{ "exec.truncated", prepare_plain, act_exec_truncated, .expect = { PROGRAM, "process.args_truncated=true" },
	  .image = "%d/d/i" },

	{ "exit.group", NULL, act_exit_group, .expect = { "exit.code=7", "exit.cause=0" }, .ends = W_EXITCODE(7, 0) },
	{ "exit.leader", NULL, act_exit_leader, .expect = { "exit.code=3", "exit.cause=0" } },
	{ "exit.last", NULL, act_exit_last, .expect = { "exit.code=5", "exit.cause=0" } },
	{ "exit.core", NULL, act_exit_core, .expect = { "exit.code=11", "exit.cause=1" },
	  .ends = W_EXITCODE(0, SIGSEGV) | WCOREFLAG },
	{ "exit.terminated", NULL, act_exit_terminated, .expect = { "exit.code=15", "exit.cause=2" },
	  .ends = W_EXITCODE(0, SIGTERM) },
	{ 0 },
};
