/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fim_latency_tool DIR N MS ALERTS: what bench/fim_alerts needs. Writes to DIR/1, DIR/2, ... DIR/N, which are there, with a pause of
 * 0.5 to 1.5 times MS in between, and reads what the sensor appends to the file ALERTS meanwhile. From the write until the line
 * that has the path is there (signed and on disk: the sensor prints nothing else): prints how many came, and the half, the
 * 99th of a hundred and the longest, in ms.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX 100000
#define WAIT_S	  10 /* for the last one */
#define LOOK_US	  500

struct run {
	const char *dir;
	long n, seen;
	double *written, *told; /* owned, as the following */
	char line[1 << 20];
	size_t len;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int change(struct run *r, long i)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%ld", r->dir, i + 1);
	fd = open(path, O_WRONLY | O_APPEND);
	r->written[i] = now();
	if (fd < 0 || write(fd, "more\n", 5) != 5)
		return 1;
	close(fd);
	return 0;
}

/* A line of the alerts, terminated. */
static void take(struct run *r, const char *line)
{
	const char *at = strstr(line, "\"path\":\"");
	size_t len = strlen(r->dir);
	long i;

	for (; at; at = strstr(at + 1, "\"path\":\"")) {
		const char *path = at + 8;

		if (strncmp(path, r->dir, len) != 0 || path[len] != '/')
			continue;
		i = atol(path + len + 1);
		if (i < 1 || i > r->n || r->told[i - 1] > 0 || r->written[i - 1] <= 0)
			return;
		r->told[i - 1] = now();
		r->seen++;
		return;
	}
}

static void look(struct run *r, int fd)
{
	ssize_t n = read(fd, r->line + r->len, sizeof(r->line) - r->len - 1);
	char *end;

	if (n <= 0)
		return;
	r->len += (size_t)n;
	r->line[r->len] = '\0';
	while ((end = strchr(r->line, '\n'))) {
		*end++ = '\0';
		take(r, r->line);
		r->len -= (size_t)(end - r->line);
		memmove(r->line, end, r->len + 1);
	}
	if (r->len == sizeof(r->line) - 1)
		r->len = 0;
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void print(struct run *r)
{
	long n = 0;

	for (long i = 0; i < r->n; i++)
		if (r->told[i] > 0)
			r->written[n++] = (r->told[i] - r->written[i]) * 1000;
	qsort(r->written, (size_t)n, sizeof(*r->written), by_size);
	if (n)
		printf("%ld %.1f %.1f %.1f\n", n, r->written[n / 2], r->written[(n * 99 + 99) / 100 - 1],
		       r->written[n - 1]);
	else
		printf("0 - - -\n");
}

int main(int argc, char **argv)
{
	static struct run r;
	double due, ms;
	int fd;

	if (argc != 5)
		return 2;
	r.dir = argv[1];
	r.n = atol(argv[2]);
	ms = atof(argv[3]);
	fd = open(argv[4], O_RDONLY);
	if (fd < 0 || lseek(fd, 0, SEEK_END) < 0 || r.n < 1 || r.n > FILES_MAX)
		return 2;
	r.written = calloc((size_t)r.n, sizeof(*r.written));
	r.told = calloc((size_t)r.n, sizeof(*r.told));
	if (!r.written || !r.told)
		return 2;
	srand(7);
	due = now();
	for (long i = 0; i < r.n || (r.seen < r.n && now() < due + WAIT_S);) {
		if (i < r.n && now() >= due) {
			if (change(&r, i++))
				return 2;
			due = now() + ms * (0.5 + (double)rand() / RAND_MAX) / 1000;
		}
		look(&r, fd);
		usleep(LOOK_US);
	}
	print(&r);
	free(r.written);
	free(r.told);
	return r.seen == r.n ? 0 : 1;
}
