/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sieve's promise on a live kernel: random rules over a small tree whose directories are renamed all the time,
 *random operations in it, and a matcher of our own that says which rule has to fire for which operation. Every alert
 *that is due must come, and none that is not. What this adds to the property test is the part that only exists in the
 *kernel: the walk over dentries and the cache of directories.
 *
 *	sieve_live policy SEED DIR         prints a policy
 *	sieve_live act SEED DIR N          does N operations, prints what is due: RULE<TAB>PATH a line
 *	sieve_live alerts FILE             prints the same of an alerts file
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#define RULES 40
#define DEPTH 4

static uint64_t rng;

static uint32_t rnd(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(rng >> 33) % n;
}

static const char *const names[] = { "a", "b", "ab", "abc", "cron.d", "x" };
static const char *const globs[] = { "a", "b", "ab*", "*", "*b", "cron.d", "x", "*b*" };
static const char *const events[] = { "open", "unlink", "mkdir", "rmdir", "chmod" };
enum { OPEN, UNLINK, MKDIR, RMDIR, CHMOD, EVENTS };

struct rule {
	int event;
	bool subtree;	   /* ends in a component "**" */
	bool negated_name; /* and the name is not "x" */
	char pattern[256]; /* below the directory, components joined by '/' */
};

static struct rule rules[RULES];

static void rules_make(void)
{
	for (int i = 0; i < RULES; i++) {
		struct rule *r = &rules[i];
		int depth = 1 + (int)rnd(DEPTH);

		r->event = (int)rnd(EVENTS);
		r->subtree = rnd(3) == 0;
		r->negated_name = rnd(4) == 0;
		for (int d = 0; d < depth; d++) {
			strcat(r->pattern, "/");
			strcat(r->pattern, globs[rnd(sizeof(globs) / sizeof(globs[0]))]);
		}
		if (r->subtree)
			strcat(r->pattern, "/**");
	}
}

/* ---- the plainest matcher: one component at a time ----------------------------------------------------------------
 */

static bool component(const char *p, size_t pn, const char *s, size_t sn)
{
	if (pn == 0)
		return sn == 0;
	if (*p == '*')
		return component(p + 1, pn - 1, s, sn) || (sn > 0 && component(p, pn, s + 1, sn - 1));
	return sn > 0 && *p == *s && component(p + 1, pn - 1, s + 1, sn - 1);
}

static bool path_matches(const char *p, const char *s)
{
	while (*p == '/' && *s == '/') {
		size_t pn, sn;

		p++;
		s++;
		if (strcmp(p, "**") == 0)
			return *s != '\0';
		pn = strcspn(p, "/");
		sn = strcspn(s, "/");
		if (!component(p, pn, s, sn))
			return false;
		p += pn;
		s += sn;
	}
	return *p == '\0' && *s == '\0';
}

static void due(int event, const char *dir, const char *below)
{
	for (int i = 0; i < RULES; i++) {
		const char *name = strrchr(below, '/') + 1;

		if (rules[i].event == event && path_matches(rules[i].pattern, below) &&
		    !(rules[i].negated_name && strcmp(name, "x") == 0))
			printf("r%d\t%s%s\n", i, dir, below);
	}
}

/* ---- policy --------------------------------------------------------------------------------------------------------
 */

static int policy(const char *dir)
{
	puts("rules:");
	for (int i = 0; i < RULES; i++) {
		const char *ev = events[rules[i].event];

		printf("  - id: r%d\n    expression: '%s.file.path =~ \"%s%s\"", i, ev, dir, rules[i].pattern);
		if (rules[i].negated_name)
			printf(" && %s.file.name != \"x\"", ev);
		puts("'");
	}
	return 0;
}

/* ---- operations ----------------------------------------------------------------------------------------------------
 */

/* A random path of existing or not existing components below the directory. */
static void random_path(char *out)
{
	int depth = 1 + (int)rnd(DEPTH);

	*out = '\0';
	for (int d = 0; d < depth; d++) {
		strcat(out, "/");
		strcat(out, names[rnd(sizeof(names) / sizeof(names[0]))]);
	}
}

#define HELD  4
#define BELOW 512

/* Directories that stay open, wherever they are moved. */
static int held[HELD] = { -1, -1, -1, -1 };

/* What a call is given, and which path below @dir that means. */
struct given {
	int dirfd;
	char path[BELOW], below[2 * BELOW];
};

/* Where @link leads to, below @dir; false where that is nowhere, or far down. */
static bool base_below(const char *dir, const char *link, char ret[BELOW])
{
	char path[BELOW];
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	size_t skip = strlen(dir);

	if (n < (ssize_t)skip || n > BELOW / 2)
		return false;
	path[n] = '\0';
	strcpy(ret, path + skip);
	return strncmp(path, dir, skip) == 0 && !strchr(path, ' ') && access(path, F_OK) == 0; /* " (deleted)" */
}

/* A path of its own, or one that begins at a directory that is open, or at the one that we are in. */
static void random_given(const char *dir, struct given *ret)
{
	uint32_t way = rnd(3);
	char link[64], name[BELOW / 2], base[BELOW];

	random_path(name);
	ret->dirfd = way == 1 ? held[rnd(HELD)] : AT_FDCWD;
	if (way == 1)
		snprintf(link, sizeof(link), "/proc/self/fd/%d", ret->dirfd);
	if (way && base_below(dir, way == 1 ? link : "/proc/self/cwd", base)) {
		snprintf(ret->path, sizeof(ret->path), "%s%s", rnd(8) == 0 ? "./" : "", name + 1);
		snprintf(ret->below, sizeof(ret->below), "%s%s", base, name);
		return;
	}
	ret->dirfd = AT_FDCWD;
	snprintf(ret->path, sizeof(ret->path), "%s%s", dir, name);
	strcpy(ret->below, name);
}

/* Opens a directory and keeps it, or goes there. */
static void hold(const char *dir, const struct given *g)
{
	uint32_t i = rnd(HELD + 1);
	int fd;

	if (i == HELD) {
		if (chdir(dir) < 0 || (rnd(2) && fchdir(held[rnd(HELD)]) < 0 && errno != EBADF))
			perror("chdir");
		return;
	}
	fd = openat(g->dirfd, g->path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return;
	due(OPEN, dir, g->below);
	if (held[i] >= 0)
		close(held[i]);
	held[i] = fd;
}

static void operate(const char *dir)
{
	char other[256], path2[1024];
	struct given g;
	int fd;

	random_given(dir, &g);
	switch (rnd(9)) {
	case 0:
	case 1:
		if (mkdirat(g.dirfd, g.path, 0755) == 0)
			due(MKDIR, dir, g.below);
		break;
	case 2:
		/* Directories move, with all that is below them. */
		random_path(other);
		snprintf(path2, sizeof(path2), "%s%s", dir, other);
		renameat(g.dirfd, g.path, AT_FDCWD, path2);
		break;
	case 3:
		if (rnd(3) == 0 && unlinkat(g.dirfd, g.path, AT_REMOVEDIR) == 0)
			due(RMDIR, dir, g.below);
		break;
	case 4:
		if (unlinkat(g.dirfd, g.path, 0) == 0)
			due(UNLINK, dir, g.below);
		break;
	case 5:
		if (fchmodat(g.dirfd, g.path, 0755, 0) == 0)
			due(CHMOD, dir, g.below);
		break;
	case 6:
		hold(dir, &g);
		break;
	default:
		fd = openat(g.dirfd, g.path, rnd(2) ? O_RDONLY : O_RDWR | O_CREAT, 0644);
		if (fd >= 0) {
			close(fd);
			due(OPEN, dir, g.below);
		}
	}
}

/* ---- alerts --------------------------------------------------------------------------------------------------------
 */

static int alerts(const char *file)
{
	static char line[1 << 20];
	FILE *f = fopen(file, "re");

	if (!f) {
		perror(file);
		return 2;
	}
	while (fgets(line, sizeof(line), f)) {
		json_t *j = json_loads(line, 0, NULL);
		const char *id = NULL, *type = NULL, *path = NULL;

		json_unpack(j, "{s:{s:s},s:{s:s}}", "rule", "id", &id, "event", "type", &type);
		if (type)
			json_unpack(j, "{s:{s:{s:s}}}", type, "file", "path", &path);
		if (id && path)
			printf("%s\t%s\n", id, path);
		json_decref(j);
	}
	fclose(f);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "alerts") == 0)
		return alerts(argv[2]);
	if (argc < 4)
		return 2;
	rng = strtoull(argv[2], NULL, 10) * 0x9e3779b97f4a7c15ull + 1;
	rules_make();
	if (strcmp(argv[1], "policy") == 0)
		return policy(argv[3]);
	for (long n = argc > 4 ? strtol(argv[4], NULL, 10) : 0; n > 0; n--)
		operate(argv[3]);
	return 0;
}
