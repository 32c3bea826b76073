/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two things that bench/fim needs.
 *
 * fim_tool hash DIR [WORKERS]: what reading and hashing all files of a tree takes at all. The list of files is made first,
 * which is not counted; then each worker takes the next file, opens, reads and hashes it by the library that fim uses, and
 * closes it. Prints the seconds, and the seconds of CPU.
 *
 * fim_tool measure OUT COMMAND...: runs it with its output in the file OUT, prints its seconds, seconds of CPU and largest
 * memory in kB, and ends with its exit status.
 */
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/hash.h"
#include "sensor/fim/scan.h"

static char **files;
static size_t nfiles, room;
static atomic_size_t next;

static int list(const char *path, const struct stat *st, int type, struct FTW *f)
{
	if (!S_ISREG(st->st_mode))
		return 0;
	if (nfiles == room) {
		char **more;

		room = room ? 2 * room : 65536;
		more = reallocarray(files, room, sizeof(*files));
		if (!more)
			return -1;
		files = more;
	}
	files[nfiles] = strdup(path);
	return files[nfiles++] ? 0 : -1;
}

static void *work(void *arg)
{
	static const size_t size = 128 << 10;
	uint8_t *buf = malloc(size), digest[HASH_SIZE];
	volatile uint8_t sum = 0;
	size_t i;

	while (buf && (i = atomic_fetch_add(&next, 1)) < nfiles) {
		int fd = open(files[i], O_RDONLY | O_CLOEXEC);
		struct hash h;
		ssize_t n;

		if (fd < 0)
			continue;
		hash_begin(&h);
		while ((n = read(fd, buf, size)) > 0)
			hash_add(&h, buf, (size_t)n);
		hash_end(&h, digest);
		sum = (uint8_t)(sum + digest[0]);
		close(fd);
	}
	free(buf);
	return NULL;
}

static double seconds(const struct timespec *a, const struct timespec *b)
{
	return (double)(b->tv_sec - a->tv_sec) + (double)(b->tv_nsec - a->tv_nsec) / 1e9;
}

static double cpu_of(const struct rusage *ru)
{
	return (double)(ru->ru_utime.tv_sec + ru->ru_stime.tv_sec) +
	       (double)(ru->ru_utime.tv_usec + ru->ru_stime.tv_usec) / 1e6;
}

static int hash(const char *dir, unsigned int n)
{
	pthread_t threads[SCAN_WORKERS_MAX];
	struct rusage before, after;
	struct timespec a, b;

	if (nftw(dir, list, 64, FTW_PHYS) != 0)
		return 1;
	getrusage(RUSAGE_SELF, &before);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (unsigned int i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, work, NULL) != 0)
			return 1;
	for (unsigned int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	getrusage(RUSAGE_SELF, &after);
	printf("%.3f %.3f\n", seconds(&a, &b), cpu_of(&after) - cpu_of(&before));
	return 0;
}

static int measure(const char *out, char **command)
{
	struct timespec a, b;
	struct rusage ru;
	int status;
	pid_t pid;

	clock_gettime(CLOCK_MONOTONIC, &a);
	pid = fork();
	if (pid == 0) {
		int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
			_exit(126);
		execvp(command[0], command);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &ru) < 0)
		return 126;
	clock_gettime(CLOCK_MONOTONIC, &b);
	printf("%.3f %.3f %ld\n", seconds(&a, &b), cpu_of(&ru), ru.ru_maxrss);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int main(int argc, char **argv)
{
	unsigned int n = argc > 3 ? (unsigned int)atoi(argv[3]) : scan_cores();

	if (argc > 2 && strcmp(argv[1], "hash") == 0 && n >= 1 && n <= SCAN_WORKERS_MAX)
		return hash(argv[2], n);
	if (argc > 3 && strcmp(argv[1], "measure") == 0)
		return measure(argv[2], argv + 3);
	fprintf(stderr, "usage: fim_tool hash DIR [WORKERS] | measure OUT COMMAND...\n");
	return 2;
}
