/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sensor-races.sh does while policies are swapped: DIR has a half that rules look into (want) and one that they do not
 * (dead), and directories, mounts and programs move between the two. Whoever moves something uses it right after, in the half
 * that wants it and in the other one, so that what has to be told is known; all the while others look at the same
 * files in both places, so that whatever is remembered of a directory is remembered at the worst moment. And a process executes one of two
 * programs after the other, of which rules ask for one; what is found out of it comes when it is the other one by then.
 *
 *	races DIR TURNS      prints how many of each are due: RULE NUMBER a line
 *	races act FILE LEFT  what it starts itself: a process that is one program and then another
 *
 * What counts is opened with O_APPEND, which the rules ask for; the others open for reading alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOVERS	   2
#define DISTURBERS 3

static const char *dir;
static long turns;
static atomic_bool done;
static int deep[MOVERS]; /* directories in those that move */

static void fail(const char *what)
{
	fprintf(stderr, "races: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void path_in(char path[512], const char *half, const char *name)
{
	snprintf(path, 512, "%s/%s/%s", dir, half, name);
}

static void use(const char *half, const char *name)
{
	char path[512];
	int fd;

	path_in(path, half, name);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		fail(path);
	close(fd);
}

/* Makes and removes a directory beside what is used, from the directory that @deep is, wherever that lies by now. */
static void make_in(int deep, const char *name)
{
	if (mkdirat(deep, name, 0755) < 0 || unlinkat(deep, name, AT_REMOVEDIR) < 0)
		fail(name);
}

static int deep_of(long mover)
{
	char name[32], path[512];
	int fd;

	snprintf(name, sizeof(name), "d%ld/deep", mover);
	path_in(path, "dead", name);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fail(path);
	return fd;
}

static void make_file(const char *half, const char *name)
{
	char path[512];
	int fd;

	path_in(path, half, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	if (fd < 0)
		fail(path);
	close(fd);
}

static void make_dir(const char *half, const char *name)
{
	char path[512];

	path_in(path, half, name);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		fail(path);
}

/* ---- a directory that moves ---------------------------------------------------------------------------------------- */

static void *move_dir(void *arg)
{
	char name[32], below[64], dead[512], want[512];

	snprintf(name, sizeof(name), "d%ld", (long)arg);
	snprintf(below, sizeof(below), "%s/deep/file", name);
	path_in(dead, "dead", name);
	path_in(want, "want", name);
	for (long i = 0; i < turns; i++) {
		use("dead", below);
		make_in(deep[(long)arg], "mine");
		if (rename(dead, want) < 0)
			fail("rename");
		use("want", below);
		make_in(deep[(long)arg], "mine");
		if (rename(want, dead) < 0)
			fail("rename back");
	}
	return NULL;
}

/* The file's own name changes, its directory stays. */
static void *move_file(void *arg)
{
	char hit[512], miss[512];

	path_in(hit, "names", "hit");
	path_in(miss, "names", "a-name-that-is-longer");
	for (long i = 0; i < turns; i++) {
		use("names", "a-name-that-is-longer");
		if (rename(miss, hit) < 0)
			fail("rename a file");
		use("names", "hit");
		if (rename(hit, miss) < 0)
			fail("rename a file back");
	}
	return NULL;
}

/* ---- a mount that moves -------------------------------------------------------------------------------------------- */

static void *move_mount_(void *arg)
{
	char dead[512], want[512], from[512];

	path_in(from, "dead", "source");
	path_in(dead, "dead", "m");
	path_in(want, "want", "m");
	for (long i = 0; i < turns / 10; i++) {
		if (mount(from, dead, NULL, MS_BIND, NULL) < 0)
			fail("mount");
		use("dead", "m/file");
		if (mount(dead, want, NULL, MS_MOVE, NULL) < 0)
			fail("move a mount");
		use("want", "m/file");
		if (umount2(want, MNT_DETACH) < 0)
			fail("umount");
	}
	return NULL;
}

/* ---- a program that moves ------------------------------------------------------------------------------------------ */

static void run(const char *half, const char *name)
{
	char path[512];
	pid_t pid;
	int status;

	path_in(path, half, name);
	pid = vfork();
	if (pid == 0) {
		execl(path, path, NULL);
		_exit(99);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail("run a program");
}

static void *move_program(void *arg)
{
	char dead[512], want[512];

	path_in(dead, "dead", "bin");
	path_in(want, "want", "bin");
	for (long i = 0; i < turns / 10; i++) {
		run("dead", "bin/true");
		if (rename(dead, want) < 0)
			fail("rename of a program");
		run("want", "bin/true");
		if (rename(want, dead) < 0)
			fail("rename of a program back");
	}
	return NULL;
}

/* ---- a process that is one program and then another ---------------------------------------------------------------- */

static void append(const char *file)
{
	int fd = open(file, O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0)
		fail(file);
	close(fd);
}

/* Uses @file, as itself, as a child of itself, and as another user; then goes on as the program beside it. */
static int act(const char *self, const char *file, long left)
{
	const char *slash = strrchr(self, '/');
	char other[512], number[32];
	int status;
	pid_t pid;

	append(file);
	pid = fork();
	if (pid == 0) {
		append(file);
		if (setreuid(7, (uid_t)-1) < 0)
			_exit(1);
		append(file);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		fail("a child");
	if (left == 0)
		return 0;
	snprintf(other, sizeof(other), "%.*s/%s", (int)(slash - self), self,
		 strcmp(slash, "/caller") == 0 ? "other" : "caller");
	snprintf(number, sizeof(number), "%ld", left - 1);
	execl(other, other, "act", file, number, NULL);
	fail(other);
	return 1;
}

static void *change_program(void *arg)
{
	char caller[512], file[512], number[32];
	pid_t pid;
	int status;

	path_in(caller, "who", "caller");
	path_in(file, "who", "file");
	snprintf(number, sizeof(number), "%ld", turns / 10);
	pid = vfork();
	if (pid == 0) {
		execl(caller, caller, "act", file, number, NULL);
		_exit(99);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		fail("a process that changes");
	return NULL;
}

/* ---- those that look on -------------------------------------------------------------------------------------------- */

static void *disturb(void *arg)
{
	static const char *const names[] = { "d0/deep/file", "d1/deep/file", "m/file", "bin/true" };
	char own[32];

	snprintf(own, sizeof(own), "other%ld", (long)arg);
	while (!done) {
		for (int i = 0; i < MOVERS; i++)
			make_in(deep[i], own);
		for (int i = 0; i < 8; i++) {
			char path[512];
			int fd;

			path_in(path, i & 1 ? "want" : "dead", names[i / 2]);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd >= 0)
				close(fd);
			path_in(path, "names", i & 1 ? "hit" : "a-name-that-is-longer");
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd >= 0)
				close(fd);
		}
	}
	return NULL;
}

static void copy_program(void)
{
	char command[2048];

	snprintf(command, sizeof(command),
		 "cp /bin/true '%s/dead/bin/true' && cp /proc/%d/exe '%s/who/caller' && cp /proc/%d/exe '%s/who/other'",
		 dir, getpid(), dir, getpid(), dir);
	if (system(command) != 0)
		fail("cp");
}

static void make_tree(void)
{
	make_dir("want", "");
	make_dir("dead", "");
	make_dir("names", "");
	make_dir("who", "");
	make_file("who", "file");
	for (long i = 0; i < MOVERS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "d%ld", i);
		make_dir("dead", name);
		strcat(name, "/deep");
		make_dir("dead", name);
		strcat(name, "/file");
		make_file("dead", name);
	}
	make_file("names", "a-name-that-is-longer");
	make_dir("dead", "m");
	make_dir("want", "m");
	make_dir("dead", "source");
	make_file("dead", "source/file");
	make_dir("dead", "bin");
	copy_program();
}

int main(int argc, char **argv)
{
	pthread_t busy[MOVERS + 4], others[DISTURBERS];
	int n = 0;

	if (argc == 4 && strcmp(argv[1], "act") == 0)
		return act(argv[0], argv[2], strtol(argv[3], NULL, 10));
	if (argc != 3)
		return 2;
	dir = argv[1];
	turns = strtol(argv[2], NULL, 10);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fail("a mount namespace");
	make_tree();
	for (long i = 0; i < MOVERS; i++)
		deep[i] = deep_of(i);
	for (long i = 0; i < DISTURBERS; i++)
		pthread_create(&others[i], NULL, disturb, (void *)i);
	for (long i = 0; i < MOVERS; i++)
		pthread_create(&busy[n++], NULL, move_dir, (void *)i);
	pthread_create(&busy[n++], NULL, move_file, NULL);
	pthread_create(&busy[n++], NULL, move_mount_, NULL);
	pthread_create(&busy[n++], NULL, move_program, NULL);
	pthread_create(&busy[n++], NULL, change_program, NULL);
	for (int i = 0; i < n; i++)
		pthread_join(busy[i], NULL);
	done = true;
	for (int i = 0; i < DISTURBERS; i++)
		pthread_join(others[i], NULL);
	printf("opened %ld\nmade %ld\nnamed %ld\nran %ld\n", turns * MOVERS + turns / 10, turns * MOVERS, turns,
	       turns / 10);
	/* it begins as the one, and is every other time */
	printf("acted %ld\nacted_as %ld\n", 3 * (turns / 20 + 1), turns / 20 + 1);
	return 0;
}
