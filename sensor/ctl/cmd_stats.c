/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks, stats, top: the kernel side in numbers. The kernel measures run times only while somebody holds a descriptor for
 * it; that is tamisctl here, with its caller's rights, so the sensor need not keep the right to do so.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/ctl/commands.h"
#include "sensor/ctl/show.h"
#include "sensor/priv/msg.h"

/* A descriptor while which is open the kernel measures; -1 where it does not let us: then there are no run times. */
static int measure(void)
{
	union bpf_attr a;
	int fd;

	memset(&a, 0, sizeof(a));
	a.enable_stats.type = BPF_STATS_RUN_TIME;
	fd = (int)syscall(__NR_bpf, BPF_ENABLE_STATS, &a, sizeof(a));
	if (fd < 0)
		log_warn("run times cannot be measured: %s", strerror(errno));
	return fd;
}

static void nap(unsigned int ms)
{
	const struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	nanosleep(&t, NULL);
}

/* ---- hooks --------------------------------------------------------------------------------------------------------- */

static void print_hooks(const json_t *hooks)
{
	size_t i;
	json_t *h;

	printf("%-9s %-10s %-8s %-26s %s\n", "EVENT", "RUNG", "ATTACHED", "PROGRAM", "TARGET");
	json_array_foreach(hooks, i, h)
	{
		printf("%-9s %-10s %-8s %-26s %s\n", show_str(h, "event"), show_str(h, "rung"),
		       json_is_true(json_object_get(h, "attached")) ? "yes" : "no", show_str(h, "program"),
		       show_str(h, "target"));
		if (show_u64(h, "missed"))
			printf("%9s %" PRIu64 " runs were missed\n", "", show_u64(h, "missed"));
		if (!json_is_true(json_object_get(h, "missed_known")))
			printf("%9s this kernel does not tell how many returns were missed\n", "");
		if (*show_str(h, "misses"))
			printf("%9s does not see: %s\n", "", show_str(h, "misses"));
		if (*show_str(h, "why"))
			printf("%9s no better rung: %s\n", "", show_str(h, "why"));
	}
}

int cmd_hooks(int argc, char **argv, const char *state_dir)
{
	bool as_json;
	json_t *s, *hooks;
	int r = show_args(argc, argv, &as_json);

	if (r)
		return r;
	s = show_ask(state_dir, MSG_STATS, NULL);
	if (!s)
		return CTL_FAILED;
	hooks = json_object_get(s, "hooks");
	if (as_json) {
		json_dumpf(hooks, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		print_hooks(hooks);
	}
	json_decref(s);
	return CTL_OK;
}

/* ---- two samples --------------------------------------------------------------------------------------------------- */

/* a - b of every number, key by key; what is no number is taken from @a. */
static json_t *difference(json_t *a, json_t *b)
{
	json_t *d, *value;
	const char *key;
	size_t i;

	if (json_is_integer(a))
		return json_integer(json_integer_value(a) - json_integer_value(b));
	if (json_is_array(a)) {
		d = json_array();
		json_array_foreach(a, i, value) json_array_append_new(d, difference(value, json_array_get(b, i)));
		return d;
	}
	if (!json_is_object(a))
		return json_incref(a);
	d = json_object();
	json_object_foreach(a, key, value) json_object_set_new(d, key, difference(value, json_object_get(b, key)));
	return d;
}

/* Adds ns_per_run to each hook of @diff. */
static void add_ns_per_run(const json_t *diff)
{
	size_t i;
	json_t *h;

	json_array_foreach(json_object_get(diff, "hooks"), i, h)
	{
		uint64_t runs = show_u64(h, "runs");

		json_object_set_new(h, "ns_per_run",
				    json_integer(runs ? (json_int_t)(show_u64(h, "run_ns") / runs) : 0));
	}
}

/* {"now":{...},"second":{...}}: the sums since the start, and what happened in @ms. */
static json_t *sample(const char *state_dir, unsigned int ms)
{
	int fd = measure();
	json_t *a = show_ask(state_dir, MSG_STATS, NULL), *b = NULL, *both;

	if (a) {
		nap(ms);
		b = show_ask(state_dir, MSG_STATS, NULL);
	}
	if (fd >= 0)
		close(fd);
	if (!b) {
		json_decref(a);
		return NULL;
	}
	both = json_object();
	json_object_set_new(both, "second", difference(b, a));
	json_object_set_new(both, "now", b);
	add_ns_per_run(json_object_get(both, "second"));
	json_decref(a);
	return both;
}

static double seconds_of(const json_t *diff)
{
	uint64_t ns = show_u64(diff, "time_ns");

	return ns ? (double)ns / 1e9 : 1;
}

static void print_events(json_t *now, json_t *second)
{
	double s = seconds_of(second);
	const char *event;
	json_t *e;

	printf("%-9s %15s %12s %15s %15s %10s %8s\n", "EVENT", "SEEN", "SEEN/S", "DROPPED", "SENT", "LOST", "DROPPED%");
	json_object_foreach(json_object_get(now, "events"), event, e)
	{
		const json_t *d = json_object_get(json_object_get(second, "events"), event);
		uint64_t seen = show_u64(e, "seen");
		char a[SHOW_MAX], b[SHOW_MAX], c[SHOW_MAX], l[SHOW_MAX];

		printf("%-9s %15s %12.0f %15s %15s %10s %7.1f%%\n", event, show_count(seen, a),
		       (double)show_u64(d, "seen") / s, show_count(show_u64(e, "dropped"), b),
		       show_count(show_u64(e, "sent"), c), show_count(show_u64(e, "lost"), l),
		       seen ? 100.0 * (double)show_u64(e, "dropped") / (double)seen : 0.0);
	}
}

static int by_cost(const void *a, const void *b)
{
	uint64_t x = show_u64(*(json_t *const *)a, "run_ns"), y = show_u64(*(json_t *const *)b, "run_ns");

	return (x < y) - (x > y);
}

static bool is_sys_exit(const char *target)
{
	return strcmp(target, "sys_exit") == 0 || strcmp(target, "raw_syscalls/sys_exit") == 0;
}

/* Events that one dispatcher serves share its program: it is shown once. */
static bool shown_before(json_t *const *rows, size_t i)
{
	const char *target = show_str(rows[i], "target");

	if (!is_sys_exit(target))
		return false;
	for (size_t j = 0; j < i; j++)
		if (strcmp(show_str(rows[j], "target"), target) == 0)
			return true;
	return false;
}

static void print_costs(const json_t *second)
{
	const json_t *hooks = json_object_get(second, "hooks");
	size_t n = json_array_size(hooks);
	_cleanup_free_ json_t **rows = calloc(n ? n : 1, sizeof(json_t *));
	double s = seconds_of(second), sum = 0;

	if (!rows)
		return;
	for (size_t i = 0; i < n; i++)
		rows[i] = json_array_get(hooks, i);
	qsort(rows, n, sizeof(*rows), by_cost);
	printf("\n%-26s %-28s %12s %8s %8s\n", "PROGRAM", "TARGET", "RUNS/S", "NS/RUN", "CPU%");
	for (size_t i = 0; i < n; i++) {
		double cpu = (double)show_u64(rows[i], "run_ns") / s / 1e7;
		bool shared = is_sys_exit(show_str(rows[i], "target"));

		if (!json_is_true(json_object_get(rows[i], "attached")) || shown_before(rows, i))
			continue;
		sum += cpu;
		printf("%-26s %-28s %12.0f %8" PRIu64 " %7.2f%%\n",
		       shared ? "(all of this target)" : show_str(rows[i], "program"), show_str(rows[i], "target"),
		       (double)show_u64(rows[i], "runs") / s, show_u64(rows[i], "ns_per_run"), cpu);
	}
	printf("%-26s %-28s %12s %8s %7.2f%%\n", "all together", "", "", "", sum);
}

int cmd_stats(int argc, char **argv, const char *state_dir)
{
	bool as_json;
	json_t *both;
	int r = show_args(argc, argv, &as_json);

	if (r)
		return r;
	both = sample(state_dir, 1000);
	if (!both)
		return CTL_FAILED;
	if (as_json) {
		json_dumpf(both, stdout, JSON_COMPACT | JSON_SORT_KEYS);
		putchar('\n');
	} else {
		print_events(json_object_get(both, "now"), json_object_get(both, "second"));
		print_costs(json_object_get(both, "second"));
	}
	json_decref(both);
	return CTL_OK;
}

static volatile sig_atomic_t top_ends;

static void end_top(int sig)
{
	top_ends = 1;
}

/* stats, again and again: on a terminal in place, else one after the other. */
int cmd_top(int argc, char **argv, const char *state_dir)
{
	bool as_json, terminal = isatty(STDOUT_FILENO);
	int r = show_args(argc, argv, &as_json);

	if (r)
		return r;
	signal(SIGINT, end_top);
	signal(SIGTERM, end_top);
	while (!top_ends) {
		json_t *both = sample(state_dir, 1000);

		if (!both)
			return CTL_FAILED;
		if (as_json) {
			json_dumpf(both, stdout, JSON_COMPACT | JSON_SORT_KEYS);
			putchar('\n');
		} else {
			fputs(terminal ? "\033[H\033[2J" : "\n", stdout);
			print_events(json_object_get(both, "now"), json_object_get(both, "second"));
			print_costs(json_object_get(both, "second"));
		}
		json_decref(both);
		if (fflush(stdout) != 0)
			break;
	}
	return CTL_OK;
}
