/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a system call costs here and now: nanoseconds of CPU, the least and the median of many short rounds.
 *
 *	build/bench/syscalls ROUNDS NAME=FILE...
 *
 * Prints "NAME LEAST MEDIAN" a line, for some calls and for opening (and closing) each FILE. Run it with and without a sensor,
 * in turns: bench/run does.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CALLS	   2000 /* a round: about 2 ms */
#define ROUNDS_MAX 1000

#define FILES_MAX 8

static const char *file;
static int zero_fd, null_fd;

static void call_getppid(void)
{
	syscall(SYS_getppid);
}

static void call_read(void)
{
	char byte;

	if (read(zero_fd, &byte, 1) != 1)
		abort();
}

static void call_write(void)
{
	if (write(null_fd, "x", 1) != 1)
		abort();
}

static void call_stat(void)
{
	struct stat st;

	stat("/", &st);
}

static void call_open_close(void)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		perror(file);
		exit(1);
	}
	close(fd);
}

struct work {
	const char *name, *file;
	void (*call)(void);
};
static struct work works[4 + FILES_MAX] = {
	{ "getppid", NULL, call_getppid },
	{ "read", NULL, call_read },
	{ "write", NULL, call_write },
	{ "stat", NULL, call_stat },
};

static double cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double round_ns(const struct work *w)
{
	double begin = cpu_ns();

	file = w->file;
	for (int i = 0; i < CALLS; i++)
		w->call();
	return (cpu_ns() - begin) / CALLS;
}

int main(int argc, char **argv)
{
	static double ns[4 + FILES_MAX][ROUNDS_MAX];
	size_t nworks = 4, rounds = argc > 1 ? (size_t)atoi(argv[1]) : 0;

	if (argc > 2 + FILES_MAX || !rounds || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: syscalls ROUNDS NAME=FILE...\n");
		return 2;
	}
	for (int i = 2; i < argc; i++) {
		char *name = argv[i], *eq = strchr(name, '=');

		if (!eq)
			return 2;
		*eq = '\0';
		works[nworks++] = (struct work){ name, eq + 1, call_open_close };
	}
	zero_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	for (size_t r = 0; r < rounds; r++)
		for (size_t w = 0; w < nworks; w++)
			ns[w][r] = round_ns(&works[w]);
	for (size_t w = 0; w < nworks; w++) {
		qsort(ns[w], rounds, sizeof(ns[w][0]), by_size);
		printf("%s %.0f %.0f\n", works[w].name, ns[w][0], ns[w][rounds / 2]);
	}
	return 0;
}
