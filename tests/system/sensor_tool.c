/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the sensor need and no shell has:
 *	sensor_tool opens N FILE	opens and closes FILE, N times, as fast as it goes
 *	sensor_tool notified SOCKET	prints what the first datagram to that socket says, within 10 s
 *	sensor_tool memfd PROGRAM	executes a copy of the program that is in memory only
 *	sensor_tool bind|connect PROGRAM
 *					takes a port, or begins a connection to a host that is not there; then becomes the program
 *	sensor_tool threads N		has N threads, all of which end it with status 7 at once
 *	sensor_tool late FILE		opens FILE once it gets SIGUSR1
 *	sensor_tool talk SOCKET		sends garbage to a control socket and waits until it is hung up on
 *	sensor_tool make DIR N		makes N files to remove and N to write to, 1000 in a directory
 *	sensor_tool burst DIR N		removes and writes to those, in turns, as fast as it goes; prints the seconds
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 10000

static int opens(long n, const char *file)
{
	for (long i = 0; i < n; i++) {
		int fd = open(file, O_RDONLY);

		if (fd < 0)
			return 1;
		close(fd);
	}
	return n ? 0 : 2;
}

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return a;
}

/* 1: something can be read */
static int wait_for(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, WAIT_MS);
}

static int notified(const char *path)
{
	const struct sockaddr_un a = address(path);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char text[256];
	ssize_t n;

	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 || wait_for(fd) != 1)
		return 1;
	n = recv(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	puts(text);
	return 0;
}

static int talk(const char *path)
{
	const struct sockaddr_un a = address(path);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	char c;

	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 || send(fd, "garbage", 7, 0) != 7 ||
	    wait_for(fd) != 1)
		return 1;
	return recv(fd, &c, 1, 0) > 0;
}

static int in_memory(const char *program)
{
	char *const argv[] = { "copy", NULL }, *const envp[] = { NULL };
	int from = open(program, O_RDONLY), fd = memfd_create("copy", MFD_CLOEXEC);
	struct stat st;

	if (from < 0 || fd < 0 || fstat(from, &st) < 0 || sendfile(fd, from, NULL, (size_t)st.st_size) != st.st_size)
		return 1;
	fexecve(fd, argv, envp);
	return 1;
}

/* 192.0.2.0/24 is for documentation: nobody answers. */
static int with_socket(bool binds, char *program)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(binds ? 47119 : 443) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	char *const argv[] = { program, NULL };

	inet_pton(AF_INET, binds ? "127.0.0.1" : "192.0.2.1", &a.sin_addr);
	if (fd < 0 || (binds && bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0))
		return 1;
	if (!binds)
		(void)!connect(fd, (const struct sockaddr *)&a, sizeof(a));
	execv(program, argv);
	return 1;
}

static void *end_all(void *barrier)
{
	pthread_barrier_wait(barrier);
	_exit(7);
}

static int threads(unsigned n)
{
	pthread_barrier_t barrier;
	pthread_t t;

	pthread_barrier_init(&barrier, NULL, n);
	for (unsigned i = 0; i < n; i++)
		if (pthread_create(&t, NULL, end_all, &barrier))
			return 1;
	for (;;)
		pause();
}

static int late(const char *file)
{
	sigset_t usr1;
	int sig;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	sigwait(&usr1, &sig);
	return opens(1, file);
}

static const char *nth(char *buf, size_t size, const char *dir, const char *kind, long i)
{
	snprintf(buf, size, "%s/%03ld/%s-%06ld", dir, i / 1000, kind, i);
	return buf;
}

static int append(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0644), r;

	if (fd < 0)
		return 1;
	r = write(fd, text, strlen(text)) != (ssize_t)strlen(text);
	close(fd);
	return r;
}

static int make(const char *dir, long n)
{
	char path[4096];

	for (long i = 0; i < n; i++) {
		if (i % 1000 == 0) {
			snprintf(path, sizeof(path), "%s/%03ld", dir, i / 1000);
			if (mkdir(path, 0755) < 0)
				return 1;
		}
		if (append(nth(path, sizeof(path), dir, "gone", i), "text\n") ||
		    append(nth(path, sizeof(path), dir, "more", i), "text\n"))
			return 1;
	}
	return 0;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int burst(const char *dir, long n)
{
	double begin = now();
	char path[4096];

	for (long i = 0; i < n; i++)
		if (unlink(nth(path, sizeof(path), dir, "gone", i)) < 0 ||
		    append(nth(path, sizeof(path), dir, "more", i), "more\n"))
			return 1;
	printf("%.2f\n", now() - begin);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "opens") == 0)
		return opens(atol(argv[2]), argv[3]);
	if (argc == 3 && strcmp(argv[1], "notified") == 0)
		return notified(argv[2]);
	if (argc == 3 && strcmp(argv[1], "memfd") == 0)
		return in_memory(argv[2]);
	if (argc == 3 && (strcmp(argv[1], "bind") == 0 || strcmp(argv[1], "connect") == 0))
		return with_socket(argv[1][0] == 'b', argv[2]);
	if (argc == 3 && strcmp(argv[1], "threads") == 0)
		return threads((unsigned)atoi(argv[2]));
	if (argc == 3 && strcmp(argv[1], "late") == 0)
		return late(argv[2]);
	if (argc == 4 && strcmp(argv[1], "make") == 0)
		return make(argv[2], atol(argv[3]));
	if (argc == 4 && strcmp(argv[1], "burst") == 0)
		return burst(argv[2], atol(argv[3]));
	if (argc == 3 && strcmp(argv[1], "talk") == 0)
		return talk(argv[2]);
	return 2;
}
