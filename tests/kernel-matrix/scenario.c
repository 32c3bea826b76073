/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "scenario.h"

/* Alerts are on their way for a while: the sensor polls, and an emulated machine is slow. */
#define ALERTS_WAIT_SECONDS 6

static const char usage[] =
	"usage: scenario list [ROWS]\n"
	"       scenario act ROWS DIR           do it, below DIR\n"
	"       scenario check ROWS DIR ALERTS  was it seen? prints ROW, yes|no|skip and why, between tabs\n"
	"       scenario storm DIR              many processes in each other's way, see storm()\n"
	"ROWS: all, or names with commas between them\n";

/* One list a file of acts. */
static const struct row *const row_lists[] = { rows_basic,  rows_paths,	  rows_attr,  rows_write,  rows_memory,
					       rows_socket, rows_control, rows_exec,  rows_packet, rows_creds,
					       rows_mount,  rows_kernel,  rows_uring, rows_overlay };
#define FOR_EACH_ROW(row)                                                                                              \
	for (size_t l_ = 0; l_ < sizeof(row_lists) / sizeof(row_lists[0]); l_++)                                       \
		for ((row) = row_lists[l_]; (row)->name; (row)++)

static int wanted(const struct row *row, const char *which)
{
	const char *point = strchr(row->name, '.');
	size_t n = strlen(row->name);

	if (!strcmp(which, "all"))
		return 1;
	if (!strcmp(which, "short")) /* each event once, and by io_uring where it can be */
		return !point || !strcmp(point, ".io_uring");
	for (; which; which = strchr(which, ',') ? strchr(which, ',') + 1 : NULL)
		if (!strncmp(which, row->name, n) && (!which[n] || which[n] == ','))
			return 1;
	return 0;
}

/* Notes of what was acted: beside DIR, because whatever is below DIR raises alerts. */
static FILE *notes_open(const char *dir, const char *mode)
{
	char path[PATH_MAX + 8];

	snprintf(path, sizeof(path), "%s.acted", dir);
	return fopen(path, mode);
}

static int notes_find(const char *dir, const char *name, struct acted *ret_acted)
{
	struct acted a, found = { 0 };
	FILE *f = notes_open(dir, "re");

	if (!f)
		return -errno;
	while (fscanf(f, "%31s %d %d %d", a.name, &a.actor, &a.pid, &a.res) == 4)
		if (!strcmp(a.name, name))
			found = a;
	fclose(f);
	*ret_acted = found;
	return found.actor ? 0 : -ENOENT;
}

/* ---- act ---------------------------------------------------------------------------------------------------------- */

static int spot_open(struct spot *s, const char *dir, const char *name)
{
	int fd;

	memset(s, 0, sizeof(*s));
	if (snprintf(s->dir, sizeof(s->dir), "%s/%s", dir, name) > PATH_MAX - 8)
		return -ENAMETOOLONG;
	stpcpy(stpcpy(s->f, s->dir), "/f");
	stpcpy(stpcpy(s->g, s->dir), "/g");
	stpcpy(stpcpy(s->d, s->dir), "/d");
	stpcpy(stpcpy(s->df, s->dir), "/d/f");
	if ((mkdir(dir, 0755) < 0 && errno != EEXIST) || mkdir(s->dir, 0755) < 0 || mkdir(s->d, 0755) < 0)
		return -errno;
	fd = open(s->f, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "ten bytes\n", 10) != 10)
		return -errno;
	close(fd);
	s->dirfd = open(s->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->dirfd < 0)
		return -errno;
	s->pid = mmap(NULL, sizeof(*s->pid), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return s->pid == MAP_FAILED ? -errno : 0;
}

static void spot_close(struct spot *s)
{
	munmap((void *)s->pid, sizeof(*s->pid));
	close(s->dirfd);
}

/* The actor's wait status as a result. An act's errno comes back as its exit status. */
static int act_result(const struct row *row, int status)
{
	if (status == row->ends)
		return 0;
	/* int $0x80 faults where 32-bit system calls are not compiled in, or switched off */
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV)
		return -ENOSYS;
	return WIFEXITED(status) && WEXITSTATUS(status) ? -WEXITSTATUS(status) : -EPROTO;
}

static int act_row(const struct row *row, const char *dir, FILE *notes)
{
	struct spot s;
	pid_t actor;
	int status, r;

	r = spot_open(&s, dir, row->name);
	if (!r && row->prepare)
		r = row->prepare(&s);
	if (r) {
		fprintf(stderr, "scenario: %s: cannot make ready: %s\n", row->name, strerror(-r));
		return r;
	}
	actor = fork();
	if (actor == 0) {
		*s.pid = getpid();
		_exit(-row->act(&s));
	}
	if (actor < 0 || waitpid(actor, &status, 0) < 0)
		return -errno;
	r = act_result(row, status);
	fprintf(notes, "%s %d %d %d\n", row->name, actor, *s.pid, r);
	if (r && r != -ENOSYS)
		fprintf(stderr, "scenario: %s: %s\n", row->name, strerror(-r));
	spot_close(&s);
	return r == -ENOSYS ? 0 : r;
}

static int act(const char *which, const char *dir)
{
	FILE *notes = notes_open(dir, "we");
	int r, done = 0, bad = 0;
	const struct row *row;

	r = listener_open();
	if (!notes || r < 0) {
		fprintf(stderr, "scenario: cannot start: %s\n", strerror(notes ? -r : errno));
		return 2;
	}
	umask(022);
	FOR_EACH_ROW(row)
	if (wanted(row, which)) {
		bad |= act_row(row, dir, notes) < 0;
		done = 1;
	}
	fclose(notes);
	if (!done)
		fprintf(stderr, "scenario: no row is called \"%s\"; see scenario list\n", which);
	return !done ? 2 : bad;
}

/* ---- check -------------------------------------------------------------------------------------------------------- */

/* 32-bit calls of Arm are made by COMPAT32, which is given numbers and bytes, but no pointers to pointers and no descriptors. */
static int by_another_program(const struct row *row)
{
#ifdef __aarch64__
	return strstr(row->name, ".compat") != NULL;
#else
	(void)row;
	return 0;
#endif
}

static int check(const char *which, const char *dir, const char *alerts)
{
	struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };
	time_t deadline = time(NULL) + ALERTS_WAIT_SECONDS;
	const struct row *row;
	struct acted acted;
	char why[512];
	int r, bad = 0;

	FOR_EACH_ROW(row)
	{
		if (!wanted(row, which))
			continue;
		if (notes_find(dir, row->name, &acted) < 0) {
			printf("%s\tno\tit was not acted\n", row->name);
			bad = 1;
			continue;
		}
		if (acted.res == -ENOSYS) {
			printf("%s\tskip\tthe kernel has no such operation\n", row->name);
			continue;
		}
		if (acted.res < 0 && by_another_program(row)) {
			printf("%s\tskip\tthe call needs what only the caller's own memory or descriptors can hold\n",
			       row->name);
			continue;
		}
		if (acted.res < 0) {
			printf("%s\tno\tthe act itself failed: %s\n", row->name, strerror(-acted.res));
			bad = 1;
			continue;
		}
		while ((r = check_row(row, &acted, dir, alerts, why, sizeof(why))) && time(NULL) < deadline)
			nanosleep(&pause, NULL);
		printf("%s\t%s\t%s\n", row->name, r ? "no" : "yes", why);
		bad |= r;
	}
	return bad;
}

static int list(const char *which)
{
	const struct row *row;

	FOR_EACH_ROW(row)
	if (wanted(row, which))
		puts(row->name);
	return 0;
}

/* ---- storm -------------------------------------------------------------------------------------------------------- */

#define STORM_PROCESSES 6
#define STORM_CALLS	500

static void storm_one(const char *file)
{
	for (int i = 0; i < STORM_CALLS; i++)
		if (chmod(file, 0600 + (mode_t)(i & 7)) < 0)
			_exit(1);
	_exit(0);
}

/*
 * More processes than CPUs that do nothing but come to one hook: where the kernel preempts a program in the middle,
 * another task comes to it on the same CPU. Prints how many alerts are due.
 */
static int storm(const char *dir)
{
	char file[PATH_MAX + 8];
	int status, bad = 0;
	FILE *f;

	mkdir(dir, 0755);
	snprintf(file, sizeof(file), "%s/storm", dir);
	f = fopen(file, "we");
	if (!f)
		return 1;
	fclose(f);
	for (int i = 0; i < STORM_PROCESSES; i++)
		if (fork() == 0)
			storm_one(file);
	while (wait(&status) > 0)
		bad |= status;
	printf("%d\n", STORM_PROCESSES * STORM_CALLS);
	return bad != 0;
}

int main(int argc, char **argv)
{
	/* what the exec rows run: a copy of this program */
	if (argc >= 2 && !strcmp(argv[1], "noop"))
		return 0;
	if (argc == 2 && !strcmp(argv[1], "chroot"))
		return chroot("/") < 0;
	if ((argc == 2 || argc == 3) && !strcmp(argv[1], "list"))
		return list(argc == 3 ? argv[2] : "all");
	if (argc == 3 && !strcmp(argv[1], "storm"))
		return storm(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "act"))
		return act(argv[2], argv[3]);
	if (argc == 5 && !strcmp(argv[1], "check"))
		return check(argv[2], argv[3], argv[4]);
	fputs(usage, stderr);
	return 2;
}
