/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/ctl/cmd_fim.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/log.h"
#include "sensor/ctl/show.h"
#include "lib/watch_io.h"
#include "sensor/fim/show.h"

/* ---- what all of them need ----------------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = 1;
}

static int fail(const struct err *e)
{
	log_err("%s", e->msg);
	return FIM_ERROR;
}

/* The watches of --policy: checked as tamisd checks a policy. */
static int load_policy(struct fim_args *a)
{
	struct sig_key *trust = NULL;
	struct err e = { "" };
	int r = 0;

	if (!a->policy)
		return 0;
	if (!a->trust && !a->allow_unsigned) {
		log_err("say whose policies are trusted: --trust PUB.pem (or --allow-unsigned)");
		return -EINVAL;
	}
	if (a->trust)
		r = sig_load_public(a->trust, &trust, &e);
	if (r == 0)
		r = bundle_read(a->policy, trust, &a->bundle, &e);
	sig_key_free(trust);
	if (r < 0) {
		log_err("%s", e.msg);
		return r;
	}
	a->o.watches = bundle_section(&a->bundle, BUNDLE_WATCHES, &a->o.watches_size);
	if (a->o.watches)
		return 0;
	log_err("%s has no watches: add \"watches:\" to the policy (docs/fim.md), and build it anew", a->policy);
	return -ENOENT;
}

/* One line each, told as they are come by; more than a few are counted only. */
struct told {
	bool json;
	uint64_t edited, unreadable;
};

#define TOLD_MAX 20

static void warn_path(const char *what, const char *path, size_t len, const char *why)
{
	struct buf b;

	buf_init(&b, 8 * WATCH_PATH_MAX);
	show_quote(&b, path, len);
	log_warn("%s %s%s%s", buf_cstr(&b) ? buf_cstr(&b) : "?", what, *why ? ": " : "", why);
	buf_done(&b);
}

static void tell_edited(void *ctx, const char *path, size_t len)
{
	struct told *t = ctx;

	if (t->edited++ < TOLD_MAX)
		warn_path("was edited in the baseline", path, len, "");
}

static void tell_unreadable(void *ctx, const char *path, size_t len, const char *why)
{
	struct told *t = ctx;

	if (t->json)
		fim_print_unreadable_json(path, len, why);
	else if (t->unreadable++ < TOLD_MAX)
		warn_path("could not be looked at", path, len, why);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

typedef int (*scan_command)(const struct baseline_options *o, const struct baseline_notes *n,
			    struct baseline_counts *ret, struct err *e);

/* A scan with its bar, which Ctrl-C ends in an orderly way. *ret_seconds, *ret_bytes: what it took. */
static int run_scan(struct fim_args *a, scan_command scan, struct baseline_counts *ret, double *ret_seconds,
		    uint64_t *ret_bytes, struct err *e)
{
	const struct sigaction act = { .sa_handler = on_signal }, ignore = { .sa_handler = SIG_IGN };
	struct progress p;
	struct told told = { .json = a->json };
	const struct baseline_notes notes = { tell_edited, tell_unreadable, &told };
	double begin = now_s();
	int r;

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGXFSZ, &ignore, NULL); /* a limit on file sizes is an error that can be told */
	progress_begin(&p);
	a->o.scan.stop = &interrupted;
	a->o.scan.progress = &p.scan;
	a->o.count = p.running;
	r = scan(&a->o, &notes, ret, e);
	progress_end(&p);
	*ret_seconds = now_s() - begin;
	*ret_bytes = atomic_load(&p.scan.bytes);
	if (told.unreadable > TOLD_MAX)
		log_warn("and %" PRIu64 " more that could not be looked at", told.unreadable - TOLD_MAX);
	if (told.edited > TOLD_MAX)
		log_warn("and more that were edited");
	if (r == -EINTR)
		err_set(e, r, "interrupted after %" PRIu64 " files: run it again to go on from there", ret->looked);
	return r;
}

/* ---- init, check, accept ------------------------------------------------------------------------------------------- */

/* A policy may name what lies behind a link by the link's name: nothing is found there, so somebody has to be told. */
static void warn_of_links(const struct watch_list *list, const char *root)
{
	for (size_t i = 0; i < list->n; i++)
		for (uint32_t k = 0; k < list->v[i].npaths; k++) {
			char path[WATCH_PATH_MAX + 260], *end;
			size_t n = strcspn(list->v[i].paths[k], "*");
			struct stat st;

			if ((size_t)snprintf(path, sizeof(path), "%s%.*s", strcmp(root, "/") ? root : "", (int)n,
					     list->v[i].paths[k]) >= sizeof(path))
				continue;
			end = strrchr(path, '/');
			if (!end || end == path)
				continue;
			*end = '\0';
			for (char *s = path + (strcmp(root, "/") ? strlen(root) : 0); (s = strchr(s + 1, '/'));) {
				*s = '\0';
				if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
					log_warn("watch %s: %s is a symbolic link: what is behind it is not watched by "
						 "this name",
						 list->v[i].id, path);
				*s = '/';
			}
			if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && n > (size_t)(end - path) + 1)
				log_warn(
					"watch %s: %s is a symbolic link: what is behind it is not watched by this name",
					list->v[i].id, path);
		}
}

static int cmd_init(struct fim_args *a)
{
	char n[SHOW_MAX], m[SHOW_MAX], rate[SHOW_MAX], speed[SHOW_MAX];
	struct baseline_counts c = { 0 };
	struct watch_list list;
	struct err e = { "" };
	uint64_t bytes;
	double s;
	int r;

	if (!a->o.watches) {
		log_err("init needs --policy BUNDLE.tpb with --trust PUB.pem (or --allow-unsigned)");
		return FIM_ERROR;
	}
	r = watch_unpack(a->o.watches, a->o.watches_size, &list, &e);
	if (r < 0)
		return fail(&e);
	if (!a->quiet)
		warn_of_links(&list, a->o.root);
	watch_list_done(&list);
	r = run_scan(a, baseline_init, &c, &s, &bytes, &e);
	if (r < 0)
		return fail(&e);
	if (a->json) {
		fim_print_summary_json(&c);
	} else if (!a->quiet) {
		if (c.resumed)
			log_info("went on with a scan that was interrupted; --fresh begins anew");
		log_info("baseline of %s files, signed (%s/keys/fim.pub.pem), in %.1f s (%s files/s, %s/s)",
			 show_count(c.files, n), a->state_dir, s,
			 show_count((uint64_t)((double)c.looked / (s > 0 ? s : 1)), rate),
			 show_bytes((uint64_t)((double)bytes / (s > 0 ? s : 1)), speed));
		if (c.texts)
			log_info("%s texts are kept for diffs", show_count(c.texts, m));
	}
	return FIM_SAME;
}

static int say_edited(const struct baseline_counts *c)
{
	log_err("the baseline was edited: its rows are not those that were signed (%" PRIu64
		" of them are not made by us, or were changed); what is said above is worth little. Restore it from a copy, or "
		"begin anew: init --force",
		c->edited);
	return FIM_ERROR;
}

static int cmd_check(struct fim_args *a)
{
	struct baseline_counts c = { 0 };
	struct err e = { "" };
	uint64_t bytes;
	double s;
	int r;

	a->o.packages = !a->no_packages;
	r = run_scan(a, baseline_check, &c, &s, &bytes, &e);
	if (r < 0)
		return fail(&e);
	r = fim_print_changes(a, &e);
	if (r < 0)
		return fail(&e);
	if (a->json)
		fim_print_summary_json(&c);
	else if (!a->quiet)
		fim_print_summary(&c, s, bytes);
	if (c.root_bad || c.edited)
		return say_edited(&c);
	return c.added + c.removed + c.changed ? FIM_CHANGED : FIM_SAME;
}

struct accept_ctx {
	const struct fim_args *a;
};

static bool accept_pick(void *ctx, const char *path, size_t len)
{
	const struct accept_ctx *x = ctx;

	return x->a->all || fim_named(x->a, path, len);
}

static void accept_refused(void *ctx, const char *path, size_t len, const char *why)
{
	warn_path("is not accepted", path, len, why);
}

static int cmd_accept(struct fim_args *a)
{
	struct accept_ctx x = { a };
	struct baseline_accept accept = { .pick = accept_pick, .refused = accept_refused, .ctx = &x };
	struct err e = { "" };

	if (!a->all && !a->argc) {
		log_err("name what is accepted: paths of the last check, or --all");
		return FIM_ERROR;
	}
	if (baseline_accept(&a->o, &accept, &e) < 0)
		return fail(&e);
	if (a->json)
		printf("{\"accepted\":%" PRIu64 ",\"refused\":%" PRIu64 "}\n", accept.accepted, accept.refusals);
	else if (!a->quiet)
		log_info("%" PRIu64 " change%s accepted, %" PRIu64 " refused", accept.accepted,
			 accept.accepted == 1 ? "" : "s", accept.refusals);
	if (!accept.accepted && !accept.refusals && !a->all) {
		log_err("the last check found no change there (tamisctl fim diff lists what it found)");
		return FIM_CHANGED;
	}
	return accept.refusals ? FIM_CHANGED : FIM_SAME;
}

/* ---- the command line ---------------------------------------------------------------------------------------------- */

enum {
	OPT_POLICY = 256,
	OPT_TRUST,
	OPT_ALLOW_UNSIGNED,
	OPT_ROOT,
	OPT_JSON,
	OPT_FORCE,
	OPT_FRESH,
	OPT_QUICK,
	OPT_IDLE,
	OPT_RATE,
	OPT_WORKERS,
	OPT_NO_PACKAGES,
	OPT_ALL,
	OPT_HTML,
};

#define COMMON                                                                                                         \
	{ "root", required_argument, NULL, OPT_ROOT }, { "json", no_argument, NULL, OPT_JSON },                        \
		{ "quiet", no_argument, NULL, 'q' }, { "help", no_argument, NULL, 'h' },                               \
	{                                                                                                              \
		0                                                                                                      \
	}
#define POLICY                                                                                                         \
	{ "policy", required_argument, NULL, OPT_POLICY }, { "trust", required_argument, NULL, OPT_TRUST },            \
	{                                                                                                              \
		"allow-unsigned", no_argument, NULL, OPT_ALLOW_UNSIGNED                                                \
	}
#define SCAN                                                                                                           \
	{ "fresh", no_argument, NULL, OPT_FRESH }, { "idle", no_argument, NULL, OPT_IDLE },                            \
		{ "rate", required_argument, NULL, OPT_RATE },                                                         \
	{                                                                                                              \
		"workers", required_argument, NULL, OPT_WORKERS                                                        \
	}

static const struct option init_options[] = { POLICY, SCAN, { "force", no_argument, NULL, OPT_FORCE }, COMMON };
static const struct option check_options[] = { POLICY,
					       SCAN,
					       { "quick", no_argument, NULL, OPT_QUICK },
					       { "no-packages", no_argument, NULL, OPT_NO_PACKAGES },
					       COMMON };
static const struct option accept_options[] = { POLICY, { "all", no_argument, NULL, OPT_ALL }, COMMON };
static const struct option plain_options[] = { COMMON };
static const struct option report_options[] = { { "html", required_argument, NULL, OPT_HTML }, COMMON };

static const struct {
	const char *name;
	int (*run)(struct fim_args *a);
	const struct option *options;
	bool operands;
	const char *help;
} commands[] = {
	{ "init", cmd_init, init_options, false,
	  "init --policy B.tpb (--trust PUB.pem | --allow-unsigned) [--force] [--fresh] [--idle] [--rate MB]\n"
	  "    make the baseline of what the policy's watches name\n" },
	{ "check", cmd_check, check_options, false,
	  "check [--policy B.tpb ...] [--quick] [--no-packages] [--fresh] [--idle] [--rate MB]\n"
	  "    compare with the baseline (exit 1: something changed)\n" },
	{ "diff", fim_cmd_diff, plain_options, true,
	  "diff [PATH...]\n    what the last check found, before and after\n" },
	{ "accept", cmd_accept, accept_options, true,
	  "accept --all | PATH...\n    make what the last check found the baseline, if it is still so\n" },
	{ "list", fim_cmd_list, plain_options, true, "list [PATH...]\n    the baseline's files\n" },
	{ "verify-packages", fim_cmd_verify, plain_options, true,
	  "verify-packages [PATH...]\n    compare with the package databases; needs no baseline\n" },
	{ "report", fim_cmd_report, report_options, false, "report --html FILE\n    the last check as one page\n" },
};
#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *f)
{
	fputs("tamisctl fim: have files changed? (compares with a signed baseline; needs no running sensor)\n\n", f);
	for (size_t i = 0; i < NCOMMANDS; i++)
		fprintf(f, "  tamisctl fim %s", commands[i].help);
	fputs("\nAll take --state DIR, --root DIR (look at a file system that is mounted there), --json, --quiet.\n"
	      "Exit status: 0 same or done, 1 changed, 2 error. See tamisctl-fim(1).\n",
	      f);
}

static bool number(const char *what, uint64_t max, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(optarg, &end, 10);
	if (!errno && end != optarg && !*end && *ret && *ret <= max && *optarg >= '0' && *optarg <= '9')
		return true;
	log_err("%s takes a number from 1 to %" PRIu64 ", not \"%s\"", what, max, optarg);
	return false;
}

static bool option(int opt, struct fim_args *a)
{
	uint64_t n;

	switch (opt) {
	case OPT_POLICY:
		a->policy = optarg;
		return true;
	case OPT_TRUST:
		a->trust = optarg;
		return true;
	case OPT_ALLOW_UNSIGNED:
		return a->allow_unsigned = true;
	case OPT_ROOT:
		a->o.root = optarg;
		return true;
	case OPT_JSON:
		return a->json = true;
	case OPT_FORCE:
		return a->o.force = true;
	case OPT_FRESH:
		return a->o.fresh = true;
	case OPT_QUICK:
		return a->o.scan.quick = true;
	case OPT_IDLE:
		return a->o.idle = true;
	case OPT_NO_PACKAGES:
		return a->no_packages = true;
	case OPT_ALL:
		return a->all = true;
	case OPT_HTML:
		a->html = optarg;
		return true;
	case 'q':
		return a->quiet = true;
	case OPT_RATE:
		if (!number("--rate", 1000000, &n))
			return false;
		a->o.scan.rate = n * 1000000;
		return true;
	case OPT_WORKERS:
		if (!number("--workers", SCAN_WORKERS_MAX, &n))
			return false;
		a->o.scan.workers = (unsigned int)n;
		return true;
	default:
		return false;
	}
}

static int run(int argc, char **argv, size_t k, struct fim_args *a)
{
	int opt, r;

	optind = 0;
	while ((opt = getopt_long(argc, argv, "qh", commands[k].options, NULL)) != -1) {
		if (opt == 'h') {
			printf("tamisctl fim %s", commands[k].help);
			return FIM_SAME;
		}
		if (!option(opt, a))
			return FIM_ERROR;
	}
	a->argc = argc - optind;
	a->argv = argv + optind;
	if (a->argc && !commands[k].operands) {
		log_err("fim %s: what is \"%s\"?", commands[k].name, a->argv[0]);
		return FIM_ERROR;
	}
	r = load_policy(a) < 0 ? FIM_ERROR : commands[k].run(a);
	bundle_done(&a->bundle);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		log_err("cannot write the output: %s", strerror(errno));
		return FIM_ERROR;
	}
	return r;
}

int cmd_fim(int argc, char **argv, const char *state_dir)
{
	struct fim_args a = { .state_dir = state_dir, .o = { .state_dir = state_dir, .root = "/" } };

	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		print_help(stdout);
		return FIM_SAME;
	}
	for (size_t i = 0; argc >= 2 && i < NCOMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return run(argc - 1, argv + 1, i, &a);
	if (argc >= 2)
		log_err("fim: no subcommand \"%s\"", argv[1]);
	print_help(stderr);
	return FIM_ERROR;
}
