/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tamisd: reads what it was asked for, goes to the background where wanted, and hands over to the monitor.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "sensor/priv/canary.h"
#include "sensor/priv/monitor.h"
#include "sensor/priv/replay.h"

#define EXIT_USAGE 2

/* The exact line is a promise: scripts wait for it. */
static void say_ready(void *ctx)
{
	const int *parent = ctx;
	static const char line[] = "ready\n";

	if (write(STDERR_FILENO, line, sizeof(line) - 1) < 0)
		return;
	if (*parent < 0)
		return;
	/* in the background: let the parent go, and keep messages where they can be read */
	if (write(*parent, "r", 1) == 1)
		close(*parent);
}

static pid_t waits_for;

static void pass_on(int signal)
{
	(void)signal;
	kill(waits_for, SIGTERM);
}

/* The parent's part: waits until the child is ready or gone. Who ends the wait does not want the child either. */
static int wait_ready(int from_child, pid_t child)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	const struct sigaction act = { .sa_handler = pass_on };
	struct sigaction was;
	char c;
	ssize_t n;

	waits_for = child;
	/* what is ignored (nohup) would not end the wait */
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (sigaction(ends[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
			sigaction(ends[i], &act, NULL);
	do {
		n = read(from_child, &c, 1);
	} while (n < 0 && errno == EINTR);
	return n == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/*
 * Goes to the background: the parent stays until the sensor is ready, so its exit status says whether it runs. Messages
 * of the child keep going to stderr, wherever the caller has directed it.
 */
static int to_background(int *ret_parent)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		log_err("cannot go to the background: %s", strerror(errno));
		exit(EXIT_FAILURE);
	}
	if (pid > 0) {
		close(fds[1]);
		exit(wait_ready(fds[0], pid));
	}
	close(fds[0]);
	setsid();
	if (chdir("/") < 0)
		return -errno;
	*ret_parent = fds[1];
	return 0;
}

/* A path that is given on the command line means the directory that we were started in. */
static void make_absolute(char **path)
{
	char *cwd, *joined;

	if (!*path || **path == '/' || strcmp(*path, "-") == 0)
		return;
	cwd = getcwd(NULL, 0);
	if (cwd && asprintf(&joined, "%s/%s", cwd, *path) > 0) {
		free(*path);
		*path = joined;
	}
	free(cwd);
}

/* Whoever started us may have closed the standard descriptors: no file of ours must take their place. */
static void fill_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct err e = { "" };
	int parent = -1, status;

	if (canary_is_exec(argc, argv))
		return EXIT_SUCCESS;
	fill_standard_fds();
	log_open("tamisd", LOG_LEVEL_INFO);
	if (options_parse(argc, argv, &o, &e) < 0) {
		log_err("%s (tamisd --help tells more)", e.msg);
		return EXIT_USAGE;
	}
	if (o.help || o.version) {
		fputs(o.help ? options_help() : "tamisd " TAMIS_VERSION "\n", stdout);
		return EXIT_SUCCESS;
	}
	if (o.replay) {
		status = replay_run(&o);
		options_done(&o);
		return status;
	}
	if (!o.foreground) {
		make_absolute(&o.state);
		make_absolute(&o.policy);
		make_absolute(&o.trust);
		make_absolute(&o.alerts);
		make_absolute(&o.btf);
		make_absolute(&o.sinks);
		make_absolute(&o.sink_modules);
		if (to_background(&parent) < 0)
			return EXIT_FAILURE;
	}
	status = monitor_run(&o, say_ready, &parent);
	options_done(&o);
	return status;
}
