/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For sensor-flags.sh: one thread sets variables of rules, by turns by a write to a file and by its exec with long arguments, while
 * another one on another processor does all the time what a rule asks for together with the variable: a chmod, whose mode tells
 * which variable it is. In a capture each of those has a time and the clauses that the kernel side left. Whichever has a later
 * time than the write or exec has the clause.
 *
 *	flags race DIR FILES FIRST NUMBER   files FILES/s0 .. (odd ones are executed), DIR/x; modes from FIRST on
 *	flags nothing                       what is executed
 *	flags check CAPTURE NUMBER          how it went, all rounds together; status 1: a clause was ruled out too long
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tamis/event.h"

#define BEFORE 30	   /* chmods before and behind a write */
#define LONG   (100 << 10) /* bytes of an argument */
#define MODES  04000

static const char *target;
static int first, number;
static atomic_int turn = -1, done, written;

static void fail(const char *what)
{
	fprintf(stderr, "flags: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- race ---------------------------------------------------------------------------------------------------------- */

/* Goes on with one mode until it was written, and some more. */
static void *ask(void *arg)
{
	for (int i = 0; i < number; i++) {
		int left = BEFORE;

		while (turn < i)
			;
		while (left > 0) {
			if (chmod(target, (mode_t)(first + i)) < 0)
				fail(target);
			done++;
			left -= written > i;
		}
	}
	return NULL;
}

static int make_file(int dir, const char *name, int i)
{
	int fd;

	if (i % 2 && linkat(AT_FDCWD, "/proc/self/exe", dir, name, AT_SYMLINK_FOLLOW) < 0)
		fail(name);
	fd = openat(dir, name, i % 2 ? O_RDONLY : O_WRONLY | O_CREAT, 0600);
	if (fd < 0)
		fail(name);
	return fd;
}

static void execute(int dir, char *name)
{
	static char text[LONG];
	char *argv[] = { name, "nothing", text, NULL };
	int status;
	pid_t pid;

	memset(text, 'x', LONG - 1);
	pid = fork();
	if (pid == 0) {
		if (fchdir(dir) == 0)
			execv(name, argv);
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		fail(name);
}

static void set_all(const char *files)
{
	char name[32];
	int dir = open(files, O_RDONLY | O_DIRECTORY);

	if (dir < 0)
		fail(files);
	for (int i = 0; i < number; i++) {
		int fd;

		snprintf(name, sizeof(name), "s%d", i);
		fd = make_file(dir, name, i);
		done = 0;
		turn = i;
		while (done < BEFORE)
			;
		for (volatile int n = rand() % 4000; n > 0; n--)
			;
		if (i % 2)
			execute(dir, name);
		else if (write(fd, "x", 1) != 1)
			fail("write");
		written = i + 1;
		close(fd);
	}
	close(dir);
}

static int race(const char *dir, const char *files)
{
	static char path[512];
	pthread_t t;

	snprintf(path, sizeof(path), "%s/x", dir);
	target = path;
	close(open(path, O_WRONLY | O_CREAT, 0600));
	srand((unsigned)first);
	if (pthread_create(&t, NULL, ask, NULL))
		fail("a thread");
	set_all(files);
	pthread_join(t, NULL);
	return 0;
}

/* ---- check --------------------------------------------------------------------------------------------------------- */

struct one {
	uint64_t set_ns;
	unsigned without, with, late; /* chmods: the clause was ruled out, was not; was, though they came later */
} all[MODES];

static int clauses_of(const struct ev_head *h)
{
	int n = 0;

	for (int i = 0; i < 4; i++)
		n += __builtin_popcountll(h->alive[i]);
	return n;
}

/* Writes and execs come in the order of the modes. */
static void note_set(const struct ev_head *h)
{
	static int n;

	if (n < MODES)
		all[n++].set_ns = h->boot_ns;
}

static void note_chmod(const struct ev_head *h, bool again)
{
	uint64_t mode;
	struct one *x;

	memcpy(&mode, (const char *)h + sizeof(*h) + 8 * EVN_CHMOD_MODE, sizeof(mode));
	if (mode >= MODES)
		return;
	x = &all[mode];
	if (!again)
		*(clauses_of(h) > 1 ? &x->with : &x->without) += 1;
	else if (clauses_of(h) < 2 && x->set_ns && h->boot_ns > x->set_ns)
		x->late++;
}

static void walk(const char *p, const char *end, bool again)
{
	while (end - p >= 16) { /* blocks, and entries in them: docs/capture.md */
		uint32_t size;
		const char *e = p + 16, *stop;

		memcpy(&size, p, 4);
		stop = e + size;
		if (size > (size_t)(end - e))
			return;
		while (stop - e >= 8) {
			static _Alignas(8) char rec[EV_REC_MAX];
			const struct ev_head *h = (void *)rec;
			uint16_t type;

			memcpy(&size, e, 4);
			memcpy(&type, e + 4, 2);
			if (type == 4 && size >= sizeof(*h) && size <= sizeof(rec)) {
				memcpy(rec, e + 8, size);
				if ((h->type == EV_WRITE || h->type == EV_EXEC) && clauses_of(h) && !again)
					note_set(h);
				if (h->type == EV_CHMOD)
					note_chmod(h, again);
			}
			e += 8 + (size + 7) / 8 * 8;
		}
		p = stop;
	}
}

static int check(const char *path)
{
	unsigned late = 0, none = 0, off = 0, on = 0;
	int fd = open(path, O_RDONLY);
	struct stat st;
	char *bytes;

	if (fd < 0 || fstat(fd, &st) < 0)
		fail(path);
	bytes = malloc((size_t)st.st_size);
	if (!bytes || read(fd, bytes, (size_t)st.st_size) != st.st_size || st.st_size < 24)
		fail(path);
	walk(bytes + 24, bytes + st.st_size, false);
	walk(bytes + 24, bytes + st.st_size, true);
	for (int i = 0; i < number; i++) {
		late += all[i].late;
		none += !all[i].set_ns || !all[i].with;
		off += all[i].without > 0;
		on += all[i].with;
	}
	printf("%d variables: %u of them ruled the clause out before, %u chmods had it; %u were without it though they came later; of %u nothing came\n",
	       number, off, on, late, none);
	/* the flags do something, and too much never */
	return late || none || off < (unsigned)number / 2;
}

int main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "race") == 0) {
		first = atoi(argv[4]);
		number = atoi(argv[5]);
		return race(argv[2], argv[3]);
	}
	if (argc == 4 && strcmp(argv[1], "check") == 0) {
		number = atoi(argv[3]);
		return number > MODES ? 2 : check(argv[2]);
	}
	return argc == 3 && strcmp(argv[1], "nothing") == 0 ? 0 : 2;
}
