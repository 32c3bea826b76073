/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a system call costs here and now: nanoseconds of CPU, the least and the median of many short rounds.
 *
 *	build/bench/syscalls FILE [ROUNDS]
 *
 * Prints "NAME LEAST MEDIAN" a line. Run it with and without a sensor, in turns: bench/run does.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CALLS	   2000 /* a round: about 2 ms */
#define ROUNDS_MAX 1000

static const char *file;

static void call_getppid(void)
{
	syscall(SYS_getppid);
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

static const struct work {
	const char *name;
	void (*call)(void);
} works[] = { { "getppid", call_getppid }, { "open+close", call_open_close } };

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

	for (int i = 0; i < CALLS; i++)
		w->call();
	return (cpu_ns() - begin) / CALLS;
}

int main(int argc, char **argv)
{
	static double ns[sizeof(works) / sizeof(works[0])][ROUNDS_MAX];
	size_t nworks = sizeof(works) / sizeof(works[0]), rounds = argc > 2 ? (size_t)atoi(argv[2]) : 100;

	if (argc < 2 || !rounds || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: syscalls FILE [ROUNDS]\n");
		return 2;
	}
	file = argv[1];
	for (size_t r = 0; r < rounds; r++)
		for (size_t w = 0; w < nworks; w++)
			ns[w][r] = round_ns(&works[w]);
	for (size_t w = 0; w < nworks; w++) {
		qsort(ns[w], rounds, sizeof(ns[w][0]), by_size);
		printf("%s %.0f %.0f\n", works[w].name, ns[w][0], ns[w][rounds / 2]);
	}
	return 0;
}
