/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/ctl/cmd_log_query.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/severity.h"
#include "lib/watch.h"
#include "sensor/record/logindex.h"
#include "sensor/record/segment.h"

#define SECOND_NS  UINT64_C(1000000000)
#define EXIT_USAGE 2

DEFINE_CLEANUP(struct logindex *, logindex_close);

const char log_query_help[] =
	"query [--since T] [--until T] [--rule ID] [--severity S] [--event E] [--kind K] [--process P]\n"
	"          [--pid N] [--path GLOB] [--user U] [--container ID] [--host H] [-n LINES] [--json]\n"
	"          [--sql SELECT] [--index FILE] [--rebuild]\n"
	"    find records by an index, which is brought up to date first\n";

struct query_args {
	struct logindex_query q;
	char dir[4096], index[4096];
	const char *sql;
	bool json, rebuild;
};

struct printing {
	int dir_fd;
	uint64_t rows;
	struct err *e;
};

/* ---- times --------------------------------------------------------------------------------------------------------- */

static int time_ago(const char *text, uint64_t now_ns, uint64_t *ret_ns)
{
	static const struct {
		char letter;
		uint64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	char *end;
	unsigned long long n;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || n > UINT32_MAX || !end[0] || end[1])
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (*end == units[i].letter) {
			uint64_t ago = n * units[i].seconds * SECOND_NS;

			*ret_ns = ago < now_ns ? now_ns - ago : 1;
			return 0;
		}
	return -EINVAL;
}

int log_query_time(const char *text, uint64_t now_ns, uint64_t *ret_ns)
{
	static const char *const forms[] = { "%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%S",
					     "%Y-%m-%dT%H:%M:%SZ" };
	struct line_str whole = { text, strlen(text) };

	if (time_ago(text, now_ns, ret_ns) == 0 || line_time_ns(whole, ret_ns) == 0)
		return 0;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = { 0 };
		const char *end = strptime(text, forms[i], &tm);
		time_t t;

		if (!end || *end)
			continue;
		t = timegm(&tm);
		if (t <= 0)
			return -EINVAL;
		*ret_ns = (uint64_t)t * SECOND_NS;
		return 0;
	}
	return -EINVAL;
}

/* ---- printing ------------------------------------------------------------------------------------------------------ */

/* Names of files are bytes that somebody else chose: nothing of them steers the terminal. */
static void put_text(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p < 0x20 || *p == 0x7f)
			printf("\\x%02x", *p);
		else
			putchar(*p);
	}
}

static int print_row(const struct logindex_row *row, void *ctx)
{
	struct printing *p = ctx;
	char time[LINE_TIME_SIZE];

	line_time(row->time_ns, time);
	if (!p->rows++)
		printf("%-10s %-24s %-8s %s\n", "seq", "time", "severity", "what");
	printf("%-10" PRIu64 " %.23sZ %-8s ", row->seq, time,
	       row->severity ? severity_name((unsigned int)row->severity) : "-");
	if (*row->rule) {
		printf("%s: %s by ", row->rule, row->event);
		put_text(*row->process ? row->process : row->comm);
		printf(" (pid %" PRIu64 "%s", row->pid, *row->user ? ", " : "");
		put_text(row->user);
		fputs(*row->path ? "): " : ")", stdout);
		put_text(row->path);
	} else {
		fputs(row->kind, stdout);
	}
	putchar('\n');
	return ferror(stdout) ? -EIO : 0;
}

static int print_record(const struct logindex_row *row, void *ctx)
{
	struct printing *p = ctx;
	_cleanup_free_ char *line = NULL;
	int r = logindex_read(row, p->dir_fd, &line, p->e);

	if (r < 0)
		return r;
	p->rows++;
	return puts(line) < 0 ? -EIO : 0;
}

static int print_columns(int n, const char *const values[], void *ctx)
{
	struct printing *p = ctx;

	p->rows++;
	for (int i = 0; i < n; i++) {
		if (i)
			putchar('\t');
		put_text(values[i] ? values[i] : "");
	}
	putchar('\n');
	return ferror(stdout) ? -EIO : 0;
}

/* ---- the command line ---------------------------------------------------------------------------------------------- */

enum {
	OPT_SINCE = 256,
	OPT_UNTIL,
	OPT_RULE,
	OPT_SEVERITY,
	OPT_EVENT,
	OPT_KIND,
	OPT_PROCESS,
	OPT_PID,
	OPT_PATH,
	OPT_USER,
	OPT_CONTAINER,
	OPT_HOST,
	OPT_SQL,
	OPT_INDEX,
	OPT_REBUILD,
	OPT_JSON,
};

static const struct option options[] = {
	{ "since", required_argument, NULL, OPT_SINCE },
	{ "until", required_argument, NULL, OPT_UNTIL },
	{ "rule", required_argument, NULL, OPT_RULE },
	{ "severity", required_argument, NULL, OPT_SEVERITY },
	{ "event", required_argument, NULL, OPT_EVENT },
	{ "kind", required_argument, NULL, OPT_KIND },
	{ "process", required_argument, NULL, OPT_PROCESS },
	{ "pid", required_argument, NULL, OPT_PID },
	{ "path", required_argument, NULL, OPT_PATH },
	{ "user", required_argument, NULL, OPT_USER },
	{ "container", required_argument, NULL, OPT_CONTAINER },
	{ "host", required_argument, NULL, OPT_HOST },
	{ "sql", required_argument, NULL, OPT_SQL },
	{ "index", required_argument, NULL, OPT_INDEX },
	{ "rebuild", no_argument, NULL, OPT_REBUILD },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "lines", required_argument, NULL, 'n' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static bool take_number(const char *what, uint64_t *ret)
{
	if (line_value_u64((struct line_str){ optarg, strlen(optarg) }, ret) == 0)
		return true;
	log_err("%s takes a number, not \"%s\"", what, optarg);
	return false;
}

static bool take_time(const char *what, uint64_t *ret)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (log_query_time(optarg, (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec, ret) == 0)
		return true;
	log_err("%s takes a time such as 2026-11-21T08:15 (UTC) or 15m, 6h, 2d ago, not \"%s\"", what, optarg);
	return false;
}

static bool take_severity(struct query_args *a)
{
	a->q.severity = severity_of(optarg);
	if (a->q.severity)
		return true;
	log_err("--severity takes info, low, medium, high or critical, not \"%s\"", optarg);
	return false;
}

static bool take_text(int opt, struct query_args *a)
{
	const struct {
		int opt;
		const char **to;
	} texts[] = {
		{ OPT_RULE, &a->q.rule },	    { OPT_EVENT, &a->q.event }, { OPT_KIND, &a->q.kind },
		{ OPT_PROCESS, &a->q.process },	    { OPT_PATH, &a->q.path },	{ OPT_USER, &a->q.user },
		{ OPT_CONTAINER, &a->q.container }, { OPT_HOST, &a->q.host },	{ OPT_SQL, &a->sql },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].opt == opt) {
			*texts[i].to = optarg;
			return true;
		}
	return false;
}

static bool take_option(int opt, struct query_args *a)
{
	switch (opt) {
	case OPT_SINCE:
		return take_time("--since", &a->q.since_ns);
	case OPT_UNTIL:
		return take_time("--until", &a->q.until_ns);
	case OPT_SEVERITY:
		return take_severity(a);
	case OPT_PID:
		return take_number("--pid", &a->q.pid);
	case 'n':
		return take_number("-n", &a->q.limit);
	case OPT_INDEX:
		return (size_t)snprintf(a->index, sizeof(a->index), "%s", optarg) < sizeof(a->index);
	case OPT_REBUILD:
		a->rebuild = true;
		return true;
	case OPT_JSON:
		a->json = true;
		return true;
	default:
		return take_text(opt, a);
	}
}

static int query(const struct query_args *a, struct err *e)
{
	_cleanup_close_ int fd = open(a->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(logindex_close) struct logindex *ix = NULL;
	struct printing p = { .dir_fd = fd, .e = e };
	int r;

	if (fd < 0)
		return err_set(e, -errno, "cannot open the log %s: %s (--state says where the sensor's state is)",
			       a->dir, strerror(errno));
	r = logindex_open(a->index, a->rebuild, &ix, e);
	r = r == 0 ? logindex_update(ix, fd, e) : r;
	if (r == 0)
		r = a->sql ? logindex_sql(ix, a->sql, print_columns, &p, e)
			   : logindex_find(ix, &a->q, a->json ? print_record : print_row, &p, e);
	if (fflush(stdout) != 0 && r == 0)
		r = -errno;
	return r == -EIO && !e->msg[0] ? 0 : r; /* who reads has gone */
}

int cmd_log_query(int argc, char **argv, const char *state_dir)
{
	_cleanup_free_ struct query_args *a = calloc(1, sizeof(*a));
	struct err e = { "" };
	int opt;

	if (!a || (size_t)snprintf(a->dir, sizeof(a->dir), "%s/log", state_dir) >= sizeof(a->dir) ||
	    (size_t)snprintf(a->index, sizeof(a->index), "%s/log-index.db", state_dir) >= sizeof(a->index)) {
		log_err("the state directory's name is too long");
		return EXIT_USAGE;
	}
	optind = 0;
	while ((opt = getopt_long(argc, argv, "n:h", options, NULL)) != -1) {
		if (opt == 'h') {
			printf("tamisctl log %s", log_query_help);
			return EXIT_SUCCESS;
		}
		if (!take_option(opt, a))
			return EXIT_USAGE;
	}
	if (optind < argc) {
		log_err("log query: what is \"%s\"?", argv[optind]);
		return EXIT_USAGE;
	}
	if (query(a, &e) < 0) {
		log_err("%s", e.msg[0] ? e.msg : "cannot search the log");
		return EXIT_USAGE;
	}
	return EXIT_SUCCESS;
}
