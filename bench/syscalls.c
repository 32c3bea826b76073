/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a system call costs here and now: nanoseconds of CPU, the least and the median of many short rounds. A processor that
 * shares its core, or is a guest, is now and then slower for a while by a quarter and more: rounds between which a loop that
 * calls nothing took longer than it can are left out of the median.
 *
 *	build/bench/syscalls ROUNDS NAME=FILE...
 *
 * Prints "NAME LEAST MEDIAN" a line, for some calls and for opening (and closing) each FILE; where that ends in a slash, for what
 * an archive that is unpacked and removed does with a file there: seven calls. Run it with and without a sensor, in turns: bench/run does.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CALLS	   300 /* a round: some tenths of a millisecond */
#define TURNS	   8   /* rounds of a call for each one that is asked for */
#define ROUNDS_MAX 1000
#define SAMPLES	   (ROUNDS_MAX * TURNS)
#define SPINS	   20000
#define SLOWER	   1.04 /* than the fastest loop, by more than this: the round does not count */

#define CALLS_FIXED 5
#define FILES_MAX   8

static const char *file;
static int zero_fd, null_fd, pipe_fds[2];

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

/* A write to what is no file, and the read that makes room for the next one. */
static void call_pipe(void)
{
	char byte = 'x';

	if (write(pipe_fds[1], &byte, 1) != 1 || read(pipe_fds[0], &byte, 1) != 1)
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

static void call_file(void)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%sfile.h", file);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || futimens(fd, NULL) < 0 || fchown(fd, 0, 0) < 0 ||
	    fchmod(fd, 0644) < 0) {
		perror(path);
		exit(1);
	}
	close(fd);
	unlink(path);
}

struct work {
	const char *name, *file;
	void (*call)(void);
};
static struct work works[CALLS_FIXED + FILES_MAX] = {
	{ "getppid", NULL, call_getppid }, { "read", NULL, call_read }, { "write", NULL, call_write },
	{ "pipe", NULL, call_pipe },	   { "stat", NULL, call_stat },
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

/* A loop that keeps the units of a core busy, so that it is slowed by whatever slows the calls, and enters no kernel. */
static double spin_ns(void)
{
	unsigned long a = 1, b = 2, c = 3, d = 4;
	double begin = cpu_ns();

	for (unsigned long i = 0; i < SPINS; i++) {
		a = a * 3 + i;
		b = (b ^ i) + (b >> 3);
		c += d ^ i;
		d = (d << 1) ^ c;
	}
	__asm__ volatile("" : : "r"(a + b + c + d));
	return cpu_ns() - begin;
}

struct sample {
	double ns, spin; /* of a call; of the slower loop beside it */
};

static struct sample round_of(const struct work *w)
{
	double before = spin_ns(), begin, ns, after;

	file = w->file;
	begin = cpu_ns();
	for (int i = 0; i < CALLS; i++)
		w->call();
	ns = (cpu_ns() - begin) / CALLS;
	after = spin_ns();
	return (struct sample){ ns, before > after ? before : after };
}

static void print(const char *name, const struct sample *s, size_t n, double fastest)
{
	static double ns[SAMPLES];
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (s[i].spin <= fastest * SLOWER)
			ns[kept++] = s[i].ns;
	qsort(ns, kept, sizeof(ns[0]), by_size);
	printf("%s %.0f %.0f\n", name, ns[0], ns[kept / 2]);
}

int main(int argc, char **argv)
{
	static struct sample samples[CALLS_FIXED + FILES_MAX][SAMPLES];
	size_t nworks = CALLS_FIXED, rounds = argc > 1 ? (size_t)atoi(argv[1]) : 0, n = 0;
	double fastest = spin_ns();

	if (argc > 2 + FILES_MAX || !rounds || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: syscalls ROUNDS NAME=FILE...\n");
		return 2;
	}
	for (int i = 2; i < argc; i++) {
		char *name = argv[i], *eq = strchr(name, '=');

		if (!eq)
			return 2;
		*eq = '\0';
		works[nworks++] =
			(struct work){ name, eq + 1, eq[strlen(eq + 1)] == '/' ? call_file : call_open_close };
	}
	zero_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return 1;
	for (; n < rounds * TURNS; n++)
		for (size_t w = 0; w < nworks; w++) {
			samples[w][n] = round_of(&works[w]);
			if (samples[w][n].spin < fastest)
				fastest = samples[w][n].spin;
		}
	/* Each call's own: one of them may have had no round at full speed. */
	for (size_t w = 0; w < nworks; w++) {
		double own = samples[w][0].spin;

		for (size_t i = 1; i < n; i++)
			own = samples[w][i].spin < own ? samples[w][i].spin : own;
		print(works[w].name, samples[w], n, own > fastest ? own : fastest);
	}
	return 0;
}
