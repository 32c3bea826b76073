/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a large policy costs the compiler: `tamisc check` and `tamisc build` of 1,000 and of 10,000 rules, as processes of
 * their own, with wall time and the most memory that they had. A mix of what rules of the world do.
 *
 *	compiler            the table
 *	compiler --write N  a policy of N rules on stdout
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TAMISC	     "build/bin/tamisc"
#define RULES_A_FILE 5000 /* a file has at most 4 MiB */
#define MACRO_RULES  50	  /* rules to a macro */

/* ---- a policy ---------------------------------------------------------------------------------------------------- */

static void write_macro(FILE *f, unsigned i)
{
	fprintf(f, "  - id: PROGRAMS_%u\n    expression: '[", i);
	for (unsigned k = 0; k < 10; k++)
		fprintf(f, "%s\"/usr/bin/tool-%u-%u\"", k ? ", " : "", i, k);
	fputs("]'\n", f);
}

static void write_condition(FILE *f, unsigned i)
{
	unsigned macro = i / MACRO_RULES;

	switch (i % 12) {
	case 0:
		fprintf(f,
			"open.file.path in [\"/etc/app%u/main.conf\", \"/etc/app%u/keys\", \"/srv/app%u/.secret\"] && "
			"open.flags & (O_WRONLY | O_RDWR) > 0",
			i, i, i);
		break;
	case 1:
		fprintf(f, "open.file.path =~ \"/opt/app%u/*/conf.d/**\" && process.file.path not in PROGRAMS_%u", i,
			macro);
		break;
	case 2:
		fprintf(f, "exec.file.name in [\"tool%u\", \"helper%u\"] && process.uid >= 1000 && process.uid != %u",
			i, i, 60000 + i % 1000);
		break;
	case 3:
		fprintf(f,
			"open.file.path == \"/var/lib/service%u/state.db\" && process.ancestors.file.name == \"shell%u\"",
			i, i % 40);
		break;
	case 4:
		fprintf(f,
			"exec.file.path == \"/usr/bin/interpreter%u\" && exec.args =~ r\"--(load|eval%u)[= ][^ ]+\\.so\"",
			i % 30, i);
		break;
	case 5:
		fprintf(f, "connect.addr.ip in [10.%u.%u.0/24, 192.168.%u.0/28] && connect.addr.port in [%u, %u]",
			i % 250, i / 250 % 250, i % 250, 1024 + i % 60000, 1024 + i * 7 % 60000);
		break;
	case 6:
		fprintf(f,
			"unlink.file.path in [~\"/var/log/app%u/*\", ~\"/var/log/audit%u/**\"] && "
			"process.file.path not in PROGRAMS_%u",
			i, i, macro);
		break;
	case 7:
		fprintf(f, "chmod.file.path =~ \"/home/*/project%u/*\" && chmod.file.destination.mode & S_ISUID > 0",
			i);
		break;
	case 8:
		fprintf(f,
			"rename.file.destination.path in [\"/usr/lib/libx%u.so\", \"/usr/lib64/libx%u.so\"] && "
			"process.parent.file.name != \"installer%u\"",
			i, i, i % 20);
		break;
	case 9:
		fprintf(f, "open.file.name =~ \"*.ext%u\" && process.file.path !~ \"/usr/**\" && process.gid == %u", i,
			i % 500);
		break;
	case 10:
		fprintf(f,
			"exec.file.path in PROGRAMS_%u && (process.parent.file.name == \"daemon%u\" || exec.uid == %u)",
			macro, i, i % 100);
		break;
	default:
		fprintf(f, "mkdir.file.path =~ \"/tmp/.cache%u/**\" && (process.uid == %u || process.euid == 0)", i,
			i % 2000);
	}
}

static void write_policy(FILE *f, unsigned first, unsigned n)
{
	fputs("version: 1.0\nmacros:\n", f);
	for (unsigned i = first / MACRO_RULES; i <= (first + n - 1) / MACRO_RULES; i++)
		write_macro(f, i);
	fputs("rules:\n", f);
	for (unsigned i = first; i < first + n; i++) {
		fprintf(f,
			"  - id: rule_%u\n    description: Something that rule %u is about\n    expression: >-\n      ",
			i, i);
		write_condition(f, i);
		fprintf(f, "\n    tags: {tactic: execution, severity: %s}\n", i % 3 ? "low" : "high");
	}
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

struct cost {
	double seconds;
	long rss_kb;
	int status;
};

static void run_child(char *const argv[])
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		_exit(126);
	execv(TAMISC, argv);
	_exit(127);
}

static struct cost run(char *const argv[])
{
	struct timespec a, b;
	struct rusage use = { 0 };
	struct cost c;
	pid_t pid;

	clock_gettime(CLOCK_MONOTONIC, &a);
	pid = fork();
	if (pid == 0)
		run_child(argv);
	c.status = -1;
	wait4(pid, &c.status, 0, &use);
	clock_gettime(CLOCK_MONOTONIC, &b);
	c.seconds = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
	c.rss_kb = use.ru_maxrss;
	return c;
}

/* The least of three. */
static struct cost run_best(char *const argv[])
{
	struct cost best = run(argv);

	for (int i = 0; i < 2; i++) {
		struct cost c = run(argv);

		if (c.seconds < best.seconds)
			best = c;
	}
	return best;
}

static int write_files(const char *dir, unsigned n)
{
	for (unsigned i = 0; i < n; i += RULES_A_FILE) {
		char path[128];
		FILE *f;

		snprintf(path, sizeof(path), "%s/%05u.yaml", dir, i);
		f = fopen(path, "w");
		if (!f)
			return -1;
		write_policy(f, i, n - i < RULES_A_FILE ? n - i : RULES_A_FILE);
		if (fclose(f))
			return -1;
	}
	return 0;
}

static int measure(char *dir)
{
	static char tamisc[] = TAMISC, check_name[] = "check", build_name[] = "build", o[] = "-o";
	char out[64];
	char *const commands[2][6] = { { tamisc, check_name, dir }, { tamisc, build_name, o, out, dir } };
	struct cost cost[2][2];
	const unsigned sizes[2] = { 1000, 10000 };

	snprintf(out, sizeof(out), "%s/out.tpb", dir);
	printf("%-8s %8s %10s %10s\n", "command", "rules", "seconds", "MiB");
	for (int s = 0; s < 2; s++) {
		if (write_files(dir, sizes[s]) < 0)
			return 1;
		for (int k = 0; k < 2; k++) {
			cost[k][s] = run_best(commands[k]);
			printf("%-8s %8u %10.3f %10.1f%s\n", commands[k][1], sizes[s], cost[k][s].seconds,
			       (double)cost[k][s].rss_kb / 1024, cost[k][s].status ? "  (failed)" : "");
		}
	}
	for (int k = 0; k < 2; k++)
		printf("%-8s 10 times the rules: %.1f times the time, %.1f times the memory\n", commands[k][1],
		       cost[k][1].seconds / cost[k][0].seconds, (double)cost[k][1].rss_kb / (double)cost[k][0].rss_kb);
	return 0;
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/tamis-bench-XXXXXX", path[128];
	int r;

	if (argc == 3 && strcmp(argv[1], "--write") == 0) {
		write_policy(stdout, 0, (unsigned)strtoul(argv[2], NULL, 10));
		return 0;
	}
	if (!mkdtemp(dir))
		return 1;
	r = measure(dir);
	for (unsigned i = 0; i < 10000; i += RULES_A_FILE) {
		snprintf(path, sizeof(path), "%s/%05u.yaml", dir, i);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/out.tpb", dir);
	unlink(path);
	rmdir(dir);
	return r;
}
