/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What deny.yaml has refused, and what nearly is that, as root:
 *	denied prepare	makes the files, before the sensor starts
 *	denied		prints a line an event: its name, and "" or what went otherwise, between tabs
 *	denied open N	opens the refused file N times, prints how many were refused
 *	... exit	nothing: for what is executed
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIR_ "/tmp/tamis-deny"

static char wrong[300]; /* of the event at hand */

static void expect(const char *what, int r, int want)
{
	int got = r < 0 ? errno : 0;
	size_t n = strlen(wrong);

	if (got != want)
		snprintf(wrong + n, sizeof(wrong) - n, "%s%s: %s instead of %s", n ? "; " : "", what, strerror(got),
			 strerror(want));
}

static int touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	return fd < 0 ? fd : close(fd);
}

/* As nobody, in a process of its own. */
static int unlink_as(const char *path, uid_t uid)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(setuid(uid) < 0 || unlink(path) < 0 ? errno : 0);
	waitpid(pid, &status, 0);
	errno = WEXITSTATUS(status);
	return errno ? -1 : 0;
}

/*
 * Executes @path as that user: by its descriptor, or as what @dir has of that name. A process that was refused it is what it was before,
 * and opens a file to show that.
 */
static int run_as(uid_t uid, const char *dir, const char *path, bool by_fd)
{
	char *argv[] = { (char *)path, "exit", NULL }, *none[] = { NULL };
	int status, saved;
	pid_t pid = fork();

	if (pid == 0) {
		if (chdir(dir) < 0 || setuid(uid) < 0)
			_exit(255);
		if (by_fd)
			fexecve(open(path, O_RDONLY | O_CLOEXEC), argv, none);
		else
			execve(path, argv, none);
		saved = errno;
		close(open(DIR_ "/after", O_RDONLY));
		_exit(saved);
	}
	waitpid(pid, &status, 0);
	errno = WEXITSTATUS(status);
	return errno ? -1 : 0;
}

static int with_socket(int (*call)(int, const struct sockaddr *, socklen_t), int family, const char *ip, int port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	int fd = socket(family, SOCK_DGRAM, 0), r, saved;

	if (fd < 0)
		return fd;
	inet_pton(family, ip, family == AF_INET ? (void *)&in.sin_addr : (void *)&in6.sin6_addr);
	r = family == AF_INET ? call(fd, (void *)&in, sizeof(in)) : call(fd, (void *)&in6, sizeof(in6));
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

static int open_close(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	return fd < 0 ? fd : close(fd);
}

static void do_open(void)
{
	expect("open", open_close(DIR_ "/secret/file", O_RDONLY), EPERM);
	expect("through a link", open_close(DIR_ "/link", O_RDWR), EPERM);
	expect("from its directory", chdir(DIR_ "/secret") < 0 ? -1 : open_close("./../secret/file", O_RDONLY), EPERM);
	expect("a neighbour", open_close(DIR_ "/secretx/file", O_RDONLY), 0);
	expect("below", open_close(DIR_ "/secret/sub/file", O_RDONLY), 0);
	expect("other flags", open_close(DIR_ "/secret/new", O_RDWR | O_CREAT), 0);
	expect("another policy's", open_close(DIR_ "/free", O_RDONLY), 0);
	chdir("/");
}

static void do_exec(void)
{
	expect("exec", run_as(0, "/", DIR_ "/tool", false), EPERM);
	expect("through a link", run_as(0, "/", DIR_ "/toollink", false), EPERM);
	expect("from its directory", run_as(0, DIR_ "/secretx", "../tool", false), EPERM);
	expect("by a descriptor", run_as(0, "/", DIR_ "/tool", true), EPERM);
	expect("a neighbour", run_as(0, "/", DIR_ "/tool2", false), 0);
	expect("a script that it runs", run_as(0, "/", DIR_ "/script", false), 0);
	expect("another user", run_as(65534, "/", DIR_ "/tool", false), 0);
}

static void do_unlink(void)
{
	expect("unlink", unlink(DIR_ "/keep"), EPERM);
	expect("a neighbour", unlink(DIR_ "/keep2"), 0);
	expect("another user", unlink_as(DIR_ "/keep", 65534), 0);
}

static void do_rename(void)
{
	expect("rename", rename(DIR_ "/from", DIR_ "/to"), EPERM);
	expect("into another directory", rename(DIR_ "/from", DIR_ "/secretx/there"), EPERM);
	expect("another file", rename(DIR_ "/from2", DIR_ "/to"), 0);
	expect("another name", rename(DIR_ "/from", DIR_ "/to2"), 0);
}

static void do_link(void)
{
	expect("link", link(DIR_ "/file", DIR_ "/nolink"), EPERM);
	expect("another name", link(DIR_ "/file", DIR_ "/nolink2"), 0);
	expect("another file", link(DIR_ "/nolink2", DIR_ "/nolink"), 0);
}

static void do_mkdir(void)
{
	expect("mkdir", mkdir(DIR_ "/nodir", 0700), EPERM);
	expect("another mode", mkdir(DIR_ "/nodir", 0755), 0);
}

static void do_rmdir(void)
{
	expect("rmdir", rmdir(DIR_ "/stay1"), EPERM);
	expect("another name", rmdir(DIR_ "/go"), 0);
}

static void do_chmod(void)
{
	expect("chmod", chmod(DIR_ "/mode", 04755), EPERM);
	expect("another mode", chmod(DIR_ "/mode", 0755), 0);
	expect("another file", chmod(DIR_ "/file", 04755), 0);
}

static void do_connect(void)
{
	expect("connect", with_socket(connect, AF_INET, "127.0.0.1", 4444), EPERM);
	expect("by IPv6", with_socket(connect, AF_INET6, "::1", 4444), EPERM);
	expect("another port", with_socket(connect, AF_INET, "127.0.0.1", 4445), 0);
	expect("another address", with_socket(connect, AF_INET, "127.0.0.5", 4444), 0);
}

static void do_bind(void)
{
	expect("bind", with_socket(bind, AF_INET, "127.0.0.1", 4446), EPERM);
	expect("another port", with_socket(bind, AF_INET, "127.0.0.1", 4447), 0);
}

static const struct {
	const char *name;
	void (*act)(void);
} rows[] = {
	{ "bind", do_bind },   { "chmod", do_chmod },	{ "connect", do_connect }, { "exec", do_exec },
	{ "link", do_link },   { "mkdir", do_mkdir },	{ "open", do_open },	   { "rename", do_rename },
	{ "rmdir", do_rmdir }, { "unlink", do_unlink },
};

/* This program once more, under another name. */
static int copy_self(const char *path)
{
	int from = open("/proc/self/exe", O_RDONLY), to = open(path, O_WRONLY | O_CREAT, 0755), r = from < 0 || to < 0;
	char bytes[4096];
	ssize_t n;

	while (!r && (n = read(from, bytes, sizeof(bytes))) != 0)
		r = n < 0 || write(to, bytes, (size_t)n) != n;
	close(from);
	return close(to) < 0 || r;
}

static int script(const char *path, const char *interpreter)
{
	FILE *f = fopen(path, "w");

	return !f || fprintf(f, "#!%s\n", interpreter) < 0 || fclose(f) || chmod(path, 0755) < 0;
}

/* Before the sensor starts: nobody else would get to these files. */
static int prepare(void)
{
	static const char *const dirs[] = { DIR_ "/secret", DIR_ "/secret/sub", DIR_ "/secretx", DIR_ "/stay1",
					    DIR_ "/go" };
	static const char *const files[] = { DIR_ "/secret/file",  DIR_ "/secret/sub/file",
					     DIR_ "/secretx/file", DIR_ "/free",
					     DIR_ "/keep",	   DIR_ "/keep2",
					     DIR_ "/from",	   DIR_ "/from2",
					     DIR_ "/file",	   DIR_ "/mode",
					     DIR_ "/after" };
	int r = mkdir(DIR_, 0777) < 0 || chmod(DIR_, 0777) < 0 || symlink("secret/file", DIR_ "/link") < 0 ||
		symlink("tool", DIR_ "/toollink") < 0 || copy_self(DIR_ "/tool") || copy_self(DIR_ "/tool2") ||
		script(DIR_ "/script", DIR_ "/tool");

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		r |= mkdir(dirs[i], 0755) < 0;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		r |= touch(files[i]) < 0;
	if (r)
		perror(DIR_);
	return r;
}

static int many(int n)
{
	int refused = 0;

	for (int i = 0; i < n; i++)
		refused += open_close(DIR_ "/secret/file", O_RDONLY) < 0 && errno == EPERM;
	printf("%d\n", refused);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[argc - 1], "exit") == 0)
		return 0;
	if (argc > 1 && strcmp(argv[1], "prepare") == 0)
		return prepare();
	if (argc > 2)
		return many(atoi(argv[2]));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		wrong[0] = 0;
		rows[i].act();
		printf("%s\t%s\n", rows[i].name, wrong);
	}
	return 0;
}
