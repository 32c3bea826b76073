/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/ctl/cmd_log_witness.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/record/recio.h"
#include "sensor/record/witness.h"

#define EXIT_BAD   1
#define EXIT_USAGE 2

DEFINE_CLEANUP(struct sig_key *, sig_key_free);

const char log_witness_help[] =
	"witness request [--since NOTE]\n"
	"    print what another machine needs to countersign the newest checkpoint\n"
	"  tamisctl log witness sign --key KEY.pem --seen DIR [--log-key PUB.pem] [--name NAME] [FILE]\n"
	"    on that machine: check a request against what was seen, and print the countersigned note\n";

struct witness_args {
	const char *since, *key, *seen, *log_key, *name, *file;
};

int log_read_text(const char *path, struct buf *ret)
{
	struct err e = { "" };
	int r = recio_read(AT_FDCWD, strcmp(path, "-") ? path : "/dev/stdin", ret);

	if (r < 0) {
		err_sys(&e, r, "cannot read", path);
		log_err("%s", e.msg);
	}
	return r;
}

static int put_out(const struct buf *b)
{
	if (fwrite(b->data, 1, b->len, stdout) == b->len && fflush(stdout) == 0)
		return EXIT_SUCCESS;
	log_err("cannot write to standard output");
	return EXIT_USAGE;
}

static int finish(int r, struct buf *out, const struct err *e)
{
	int status = r == 0 ? put_out(out) : r == -EBADMSG ? EXIT_BAD : EXIT_USAGE;

	if (r < 0)
		log_err("%s", e->msg);
	buf_done(out);
	return status;
}

static int request(const struct witness_args *a, const char *state_dir)
{
	_cleanup_free_ char *dir = NULL;
	struct buf since, out;
	struct err e = { "" };
	int r = 0;

	if (asprintf(&dir, "%s/log", state_dir) < 0) {
		dir = NULL;
		return EXIT_USAGE;
	}
	buf_init(&since, 64 * 1024);
	buf_init(&out, WITNESS_TEXT_MAX);
	/* the first time there is none yet */
	if (a->since && access(a->since, F_OK) < 0 && errno == ENOENT)
		log_info("%s is not there: a request from the log's beginning", a->since);
	else if (a->since)
		r = log_read_text(a->since, &since);
	if (r == 0) {
		r = witness_request(dir, since.len ? since.data : NULL, since.len, &out, &e);
		r = finish(r, &out, &e);
	} else {
		r = EXIT_USAGE;
	}
	buf_done(&since);
	return r;
}

static int sign(const struct witness_args *a)
{
	_cleanup_(sig_key_free) struct sig_key *key = NULL, *first = NULL;
	struct err e = { "" };
	struct buf text, out;
	int r;

	if (!a->key || !a->seen) {
		log_err("log witness sign needs --key KEY.pem (`tamisc keygen` makes one) and --seen DIR");
		return EXIT_USAGE;
	}
	if (sig_load_private(a->key, &key, &e) < 0 || (a->log_key && sig_load_public(a->log_key, &first, &e) < 0)) {
		log_err("%s", e.msg);
		return EXIT_USAGE;
	}
	buf_init(&text, WITNESS_TEXT_MAX);
	buf_init(&out, WITNESS_NOTE_MAX);
	if (log_read_text(a->file ? a->file : "-", &text) < 0)
		return EXIT_USAGE;
	r = witness_sign(text.data, text.len, a->seen, first, key, a->name ? a->name : "witness", &out, &e);
	buf_done(&text);
	return finish(r, &out, &e);
}

static const struct option options[] = {
	{ "since", required_argument, NULL, 's' },
	{ "key", required_argument, NULL, 'k' },
	{ "seen", required_argument, NULL, 'd' },
	{ "name", required_argument, NULL, 'n' },
	{ "log-key", required_argument, NULL, 'l' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* A name is one word in a signature's line. */
static bool good_name(const char *name)
{
	for (const char *c = name; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '+')
			return false;
	return *name && strlen(name) < 64;
}

static bool take_option(int opt, struct witness_args *a)
{
	switch (opt) {
	case 's':
		a->since = optarg;
		return true;
	case 'k':
		a->key = optarg;
		return true;
	case 'd':
		a->seen = optarg;
		return true;
	case 'l':
		a->log_key = optarg;
		return true;
	case 'n':
		a->name = optarg;
		if (good_name(optarg))
			return true;
		log_err("--name takes one word, not \"%s\"", optarg);
		return false;
	default:
		return false;
	}
}

int cmd_log_witness(int argc, char **argv, const char *state_dir)
{
	struct witness_args a = { .since = NULL };
	const char *what = argc > 1 ? argv[1] : "";
	int opt;

	if (strcmp(what, "request") != 0 && strcmp(what, "sign") != 0) {
		bool help = strcmp(what, "-h") == 0 || strcmp(what, "--help") == 0;

		fprintf(help ? stdout : stderr, "  tamisctl log %s", log_witness_help);
		return help ? EXIT_SUCCESS : EXIT_USAGE;
	}
	optind = 0;
	while ((opt = getopt_long(argc - 1, argv + 1, "h", options, NULL)) != -1) {
		if (opt == 'h') {
			printf("  tamisctl log %s", log_witness_help);
			return EXIT_SUCCESS;
		}
		if (!take_option(opt, &a))
			return EXIT_USAGE;
	}
	if (optind + 1 < argc && strcmp(what, "sign") == 0)
		a.file = argv[1 + optind++];
	if (optind + 1 < argc) {
		log_err("log witness %s: what is \"%s\"?", what, argv[1 + optind]);
		return EXIT_USAGE;
	}
	return strcmp(what, "request") == 0 ? request(&a, state_dir) : sign(&a);
}
