/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/ctl/cmd_log_root.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cert.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/ctl/cmd_log_witness.h"
#include "sensor/record/checkpoint.h"
#include "sensor/record/recio.h"

#define EXIT_USAGE 2
#define ROOT_FILE  "log.root"

DEFINE_CLEANUP(struct sig_key *, sig_key_free);

const char log_root_help[] =
	"root request\n"
	"    print a request for a certificate of the log's first key, in its first epoch\n"
	"  tamisctl log root sign --key OFFLINE.pem --host HOST [--name NAME] LOG.pub.pem\n"
	"    on another machine: say by an offline key whose that key is\n"
	"  tamisctl log root install FILE\n"
	"    take over the certificate, with those between it and the CA behind it, or what sign printed\n";

static int fail(const struct err *e)
{
	log_err("%s", e->msg);
	return EXIT_USAGE;
}

/* ---- who is trusted ------------------------------------------------------------------------------------------------ */

int log_root_read(const struct log_root_args *a, const char *state_dir, struct log_root *ret)
{
	_cleanup_free_ char *path = NULL;
	struct err e = { "" };

	*ret = (struct log_root){ .trust = { .ca = NULL } };
	buf_init(&ret->ca, 1u << 20);
	buf_init(&ret->text, ROOT_TEXT_MAX);
	if (a->ca && a->key) {
		log_err("either --root-ca or --root-key");
		return -1;
	}
	if (a->ca && log_read_text(a->ca, &ret->ca) < 0)
		return -1;
	if (a->ca) {
		ret->trust.ca = ret->ca.data;
		ret->trust.ca_n = ret->ca.len;
	}
	if (a->key && sig_load_public(a->key, &ret->trust.key, &e) < 0)
		return fail(&e), -1;
	if (!state_dir)
		return 0;
	if (!a->root && asprintf(&path, "%s/keys/" ROOT_FILE, state_dir) < 0)
		return -1;
	return log_read_text(a->root ? a->root : path, &ret->text) < 0 ? -1 : 0;
}

void log_root_done(struct log_root *r)
{
	buf_done(&r->ca);
	buf_done(&r->text);
	sig_key_free(r->trust.key);
}

/* ---- the commands -------------------------------------------------------------------------------------------------- */

struct args {
	const char *key, *host, *name, *file, *state_dir;
};

static int load_first(const char *state_dir, struct sig_key **ret)
{
	_cleanup_free_ char *path = NULL;
	struct err e = { "" };

	if (asprintf(&path, "%s/keys/log.pub.pem", state_dir) < 0)
		return -1;
	return sig_load_public(path, ret, &e) < 0 ? fail(&e), -1 : 0;
}

/* The host's name in the log's checkpoints. */
static int host_of_log(const char *state_dir, char ret[ROOT_HOST_MAX], struct err *e)
{
	_cleanup_free_ char *path = NULL;
	struct checkpoint_note note;
	struct buf text;
	struct rd r;
	int got;

	if (asprintf(&path, "%s/log/HEAD", state_dir) < 0)
		return -ENOMEM;
	buf_init(&text, CHECKPOINT_NOTE_MAX);
	got = recio_read(AT_FDCWD, path, &text);
	r = rd_of(text.data, text.len);
	if (got < 0)
		got = err_sys(e, got, "cannot read", path);
	else if (checkpoint_next(&r, &note, e) < 0 || strncmp(note.c.name, "tamis/", 6) != 0)
		got = err_set(e, -EBADMSG, "%s is no checkpoint", path);
	else
		snprintf(ret, ROOT_HOST_MAX, "%.*s", ROOT_HOST_MAX - 1, note.c.name + 6);
	buf_done(&text);
	return got;
}

static int request_with(const struct args *a, const struct buf *pem)
{
	_cleanup_(sig_key_free) struct sig_key *first = NULL, *now = NULL;
	char host[ROOT_HOST_MAX];
	struct err e = { "" };
	struct buf out;
	int r;

	if (load_first(a->state_dir, &first) < 0)
		return EXIT_USAGE;
	if (sig_parse_private(pem->data, pem->len, "the log's key", &now, &e) < 0)
		return fail(&e);
	if (strcmp(sig_key_id(first), sig_key_id(now)) != 0) {
		log_err("the first key is no more, as it should be after the log's first epoch, and cannot sign a request; have "
			"the CA certify log.pub.pem itself: openssl x509 -new -force_pubkey log.pub.pem -subj /CN=HOST -CA "
			"ca.pem -CAkey ca.key");
		return EXIT_USAGE;
	}
	if (host_of_log(a->state_dir, host, &e) < 0)
		return fail(&e);
	buf_init(&out, 65536);
	r = cert_request(pem->data, pem->len, host, &out, &e);
	if (r == 0)
		fwrite(out.data, 1, out.len, stdout);
	buf_done(&out);
	return r < 0 ? fail(&e) : 0;
}

static int request(const struct args *a)
{
	_cleanup_free_ char *path = NULL;
	struct buf pem;
	int r;

	if (asprintf(&path, "%s/keys/log.key.pem", a->state_dir) < 0)
		return EXIT_USAGE;
	buf_init(&pem, SIG_PEM_MAX);
	r = log_read_text(path, &pem) < 0 ? EXIT_USAGE : request_with(a, &pem);
	if (pem.data)
		explicit_bzero(pem.data, pem.cap);
	buf_done(&pem);
	return r;
}

static int sign(const struct args *a)
{
	_cleanup_(sig_key_free) struct sig_key *offline = NULL, *log_key = NULL;
	struct err e = { "" };
	struct buf out;
	int r;

	if (!a->key || !a->host || !a->file) {
		log_err("root sign needs --key OFFLINE.pem, --host HOST and the log's LOG.pub.pem");
		return EXIT_USAGE;
	}
	if (sig_load_private(a->key, &offline, &e) < 0 || sig_load_public(a->file, &log_key, &e) < 0)
		return fail(&e);
	buf_init(&out, ROOT_TEXT_MAX);
	r = root_sign(log_key, a->host, offline, a->name, &out, &e);
	if (r == 0)
		fwrite(out.data, 1, out.len, stdout);
	buf_done(&out);
	return r < 0 ? fail(&e) : 0;
}

static int install_text(const struct args *a, const struct buf *text)
{
	_cleanup_(sig_key_free) struct sig_key *first = NULL, *named = NULL;
	_cleanup_free_ char *dir = NULL;
	_cleanup_close_ int fd = -1;
	char host[ROOT_HOST_MAX], ours[ROOT_HOST_MAX];
	struct err e = { "" };

	if (load_first(a->state_dir, &first) < 0 || asprintf(&dir, "%s/keys", a->state_dir) < 0)
		return EXIT_USAGE;
	if (root_key(text->data, text->len, NULL, &named, host, &e) < 0)
		return fail(&e);
	if (strcmp(sig_key_id(first), sig_key_id(named)) != 0) {
		log_err("%s is of another key, %s, than the log's first, %s", a->file, sig_key_id(named),
			sig_key_id(first));
		return EXIT_USAGE;
	}
	if (host_of_log(a->state_dir, ours, &e) < 0)
		return fail(&e);
	if (strcmp(host, ours) != 0) {
		log_err("%s is for the host %s, but the log's is %s", a->file, host, ours);
		return EXIT_USAGE;
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || recio_replace(&recio_system, fd, ROOT_FILE, text->data, text->len, 0644, RECIO_SYNC, &e) < 0)
		return fd < 0 ? err_sys(&e, -errno, "cannot open", dir), fail(&e) : fail(&e);
	fprintf(stderr, "%s/" ROOT_FILE ": the log's first key %s is that of %s\n", dir, sig_key_id(first), host);
	return 0;
}

static int install(const struct args *a)
{
	struct buf text;
	int r;

	if (!a->file) {
		log_err("root install needs a FILE");
		return EXIT_USAGE;
	}
	buf_init(&text, ROOT_TEXT_MAX);
	r = log_read_text(a->file, &text) < 0 ? EXIT_USAGE : install_text(a, &text);
	buf_done(&text);
	return r;
}

/* ---- the command line ---------------------------------------------------------------------------------------------- */

int cmd_log_root(int argc, char **argv, const char *state_dir)
{
	static const struct option options[] = { { "key", required_argument, NULL, 'k' },
						 { "host", required_argument, NULL, 'H' },
						 { "name", required_argument, NULL, 'n' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	static const struct {
		const char *name;
		int (*run)(const struct args *a);
	} commands[] = { { "request", request }, { "sign", sign }, { "install", install } };
	struct args a = { .name = "offline", .state_dir = state_dir };
	int opt;

	/* 0, not 1: glibc starts afresh */
	optind = 0;
	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (opt == 'h') {
			printf("  tamisctl log %s", log_root_help);
			return 0;
		}
		if (opt == 'k')
			a.key = optarg;
		else if (opt == 'H')
			a.host = optarg;
		else if (opt == 'n')
			a.name = optarg;
		else
			return EXIT_USAGE;
	}
	if (optind + 1 < argc)
		a.file = argv[optind + 1];
	for (size_t i = 0; optind < argc && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[optind], commands[i].name) == 0)
			return commands[i].run(&a);
	fprintf(stderr, "  tamisctl log %s", log_root_help);
	return EXIT_USAGE;
}
