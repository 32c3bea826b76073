/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/ctl/cmd_log.h"
#include "lib/cleanup.h"
#include "lib/jsonw.h"
#include "lib/log.h"
#include "sensor/ctl/cmd_log_query.h"
#include "sensor/ctl/cmd_log_root.h"
#include "sensor/ctl/cmd_log_witness.h"
#include "sensor/export/export.h"
#include "sensor/record/prove.h"
#include "sensor/record/verify.h"
#include "sensor/record/witness.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/stat.h>

enum {
	EXIT_GOOD = 0,
	EXIT_BAD = 1,
	EXIT_USAGE = 2,
};

/* What the options of all subcommands come to. */
struct log_args {
	char dir[4096];	   /* STATE/log */
	char pub[4096];	   /* --key, or STATE/keys/log.pub.pem */
	uint64_t segment;  /* --from-segment, --segment; 0: not given */
	uint64_t from, to; /* --from, --to */
	uint64_t lines;	   /* -n */
	const char *state_dir;
	struct log_root_args root;
	const char *out, *check, *format, *witness, *witness_key;
	bool json, follow;
	int argc; /* what is left behind the options */
	char **argv;
};

static int log_fail(const struct err *e)
{
	log_err("%s", e->msg);
	return EXIT_USAGE;
}

static int log_load_key(const struct log_args *a, struct sig_key **ret)
{
	struct err e = { "" };
	int r = sig_load_public(a->pub, ret, &e);

	if (r < 0)
		log_err("%s (the log's public key; another one is given by --key)", e.msg);
	return r;
}

/*
 * The first key: by who is trusted to say whose it is, then *ret_host is that, or log.pub.pem and an empty text. @proof, in place of the
 * state directory, is what carries the root; NULL: none.
 */
static int log_first_key(const struct log_args *a, const struct buf *proof, struct sig_key **ret,
			 char ret_host[ROOT_HOST_MAX])
{
	struct log_root root;
	struct err e = { "" };
	int r;

	ret_host[0] = '\0';
	if (!a->root.ca && !a->root.key)
		return log_load_key(a, ret) < 0 ? EXIT_USAGE : EXIT_GOOD;
	r = log_root_read(&a->root, proof && !a->root.root ? NULL : a->state_dir, &root) < 0 ? EXIT_USAGE : EXIT_GOOD;
	if (r == EXIT_GOOD && proof && !a->root.root && prove_root(proof->data, proof->len, &root.text, &e) < 0)
		r = EXIT_BAD;
	if (r == EXIT_GOOD && root_key(root.text.data, root.text.len, &root.trust, ret, ret_host, &e) < 0)
		r = EXIT_BAD;
	if (r == EXIT_BAD)
		fprintf(stderr, "the log's root: %s\n", e.msg);
	log_root_done(&root);
	return r;
}

static int log_write_stdout(const void *p, size_t n)
{
	return fwrite(p, 1, n, stdout) == n ? 0 : -EIO;
}

/* ---- verify ---- */

static void log_verify_json(const struct verify_report *rep, const char *key_id)
{
	struct jsonw w;
	struct buf b;

	buf_init(&b, 16384);
	w = jsonw_to(&b);
	jsonw_obj_begin(&w);
	if (!rep->ok) {
		jsonw_member_u64(&w, "byte", rep->byte);
	}
	jsonw_member_u64(&w, "checkpoints", rep->checkpoints);
	jsonw_member_u64(&w, "epochs", rep->epochs);
	if (!rep->ok) {
		jsonw_member_str(&w, "file", rep->file);
	}
	jsonw_member_u64(&w, "first_seq", rep->first_seq);
	jsonw_member_str(&w, "key", key_id);
	jsonw_member_u64(&w, "last_seq", rep->last_seq);
	jsonw_member_str(&w, "last_time", rep->last_time);
	jsonw_member_bool(&w, "ok", rep->ok);
	if (!rep->ok) {
		jsonw_member_str(&w, "problem", rep->problem);
		jsonw_member_u64(&w, "record", rep->record);
	}
	jsonw_member_u64(&w, "pruned", rep->pruned);
	jsonw_member_u64(&w, "records", rep->records);
	jsonw_member_u64(&w, "segments", rep->segments);
	jsonw_obj_end(&w);
	buf_putc(&b, '\n');
	log_write_stdout(b.data, b.len);
	buf_done(&b);
}

/* The note that another machine has countersigned; it borrows from *text. */
static int log_load_witness(const struct log_args *a, struct buf *text, struct checkpoint_note *ret)
{
	struct err e = { "" };
	struct sig_key *key;
	int r;

	if (!a->witness && !a->witness_key)
		return EXIT_GOOD;
	if (!a->witness || !a->witness_key) {
		log_err("--witness NOTE and --witness-key PUB.pem go together");
		return EXIT_USAGE;
	}
	if (sig_load_public(a->witness_key, &key, &e) < 0)
		return log_fail(&e);
	if (log_read_text(a->witness, text) < 0) {
		sig_key_free(key);
		return EXIT_USAGE;
	}
	r = witness_note(text->data, text->len, key, ret, &e);
	sig_key_free(key);
	if (r < 0)
		log_err("%s: %s", a->witness, e.msg);
	return r < 0 ? EXIT_BAD : EXIT_GOOD;
}

static int log_cmd_verify(const struct log_args *a)
{
	struct verify_options o = { .from_segment = a->segment };
	_cleanup_free_ char *place = malloc(512);
	char host[ROOT_HOST_MAX];
	struct checkpoint_note witness;
	struct verify_report rep;
	struct err e = { "" };
	struct sig_key *key;
	struct buf text;
	int r;

	r = place ? log_first_key(a, NULL, &key, host) : EXIT_USAGE;
	if (r != EXIT_GOOD)
		return r;
	o.host = host[0] ? host : NULL;
	buf_init(&text, 64 * 1024);
	r = log_load_witness(a, &text, &witness);
	if (r != EXIT_GOOD) {
		buf_done(&text);
		sig_key_free(key);
		return r;
	}
	o.witness = a->witness ? &witness : NULL;
	r = verify_log(a->dir, key, &o, &rep, &e);
	buf_done(&text);
	if (r == 0 && a->json)
		log_verify_json(&rep, sig_key_id(key));
	sig_key_free(key);
	if (r < 0)
		return log_fail(&e);
	if (!rep.ok) {
		verify_place(&rep, place, 512);
		fprintf(stderr, "%s\n", place);
		return EXIT_BAD;
	}
	if (!a->json && o.host)
		fprintf(stderr, "its root is certified: the log of %s\n", host);
	if (!a->json && rep.pruned)
		fprintf(stderr, "%" PRIu64 " older segments were pruned, as the log's `prune` records say\n",
			rep.pruned);
	if (!a->json)
		fprintf(stderr,
			"good: %" PRIu64 " records (seq %" PRIu64 " to %" PRIu64 ") in %" PRIu64 " segments of %" PRIu64
			" epochs, %" PRIu64 " checkpoints, the newest of %s\n",
			rep.records, rep.first_seq, rep.last_seq, rep.segments, rep.epochs, rep.checkpoints,
			rep.last_time);
	return EXIT_GOOD;
}

/* ---- prove ---- */

static void log_print_proved(const struct log_args *a, const struct prove_result *res)
{
	if (a->json)
		printf("{\"epochs\":%" PRIu64 ",\"index\":%" PRIu64 ",\"ok\":true,\"record\":%s,\"segment\":%" PRIu64
		       ",\"size\":%" PRIu64 ",\"time\":\"%s\"}\n",
		       res->epochs, res->index, res->record, res->segment, res->size, res->time);
	else
		printf("%s\n", res->record);
	fprintf(stderr,
		"good: record %" PRIu64 " of the %" PRIu64 " in segment %" PRIu64 ", epoch %" PRIu64
		" from the key, signed %s\n",
		res->index + 1, res->size, res->segment, res->epochs, res->time);
}

static int log_prove_check(const struct log_args *a)
{
	char host[ROOT_HOST_MAX];
	struct prove_result res;
	struct err e = { "" };
	struct sig_key *key;
	struct buf text;
	int r;

	buf_init(&text, PROVE_TEXT_MAX);
	r = log_read_text(a->check, &text) < 0 ? EXIT_USAGE : log_first_key(a, &text, &key, host);
	if (r != EXIT_GOOD) {
		buf_done(&text);
		return r;
	}
	r = prove_check(text.data, text.len, key, &res, &e);
	if (r == 0 && host[0] && strcmp(host, res.host) != 0) {
		r = err_set(&e, -EBADMSG, "it is of the log of %s, but its root is certified for %s", res.host, host);
		prove_result_done(&res);
	}
	sig_key_free(key);
	buf_done(&text);
	if (r < 0) {
		if (a->json)
			puts("{\"ok\":false}");
		fprintf(stderr, "%s: %s\n", a->check, e.msg);
		return r == -EBADMSG ? EXIT_BAD : EXIT_USAGE;
	}
	log_print_proved(a, &res);
	prove_result_done(&res);
	return EXIT_GOOD;
}

static bool log_number(const char *text, uint64_t *ret)
{
	return line_value_u64((struct line_str){ text, strlen(text) }, ret) == 0;
}

static int log_cmd_prove(const struct log_args *a)
{
	_cleanup_free_ char *path = NULL;
	struct err e = { "" };
	struct buf proof, root;
	uint64_t seq;
	int r;

	if (a->check)
		return log_prove_check(a);
	if (a->argc != 1 || !log_number(a->argv[0], &seq)) {
		log_err("prove needs the seq of one record, or --check FILE");
		return EXIT_USAGE;
	}
	buf_init(&proof, PROVE_TEXT_MAX);
	buf_init(&root, ROOT_TEXT_MAX);
	/* where there is one */
	if (asprintf(&path, "%s/keys/log.root", a->state_dir) < 0 || recio_read(AT_FDCWD, path, &root) < 0)
		buf_reset(&root);
	r = prove_record(a->dir, seq, root.data, root.len, &proof, &e);
	if (r == 0)
		r = log_write_stdout(proof.data, proof.len);
	buf_done(&proof);
	buf_done(&root);
	if (r < 0)
		return r == -EBADMSG ? log_fail(&e), EXIT_BAD : log_fail(&e);
	return EXIT_GOOD;
}

/* ---- tail and export ---- */

static int log_open_dir(const struct log_args *a)
{
	int fd = open(a->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		log_err("cannot open the log %s: %s (--state says where the sensor's state is)", a->dir,
			strerror(errno));
	return fd;
}

/* Where tail -n begins: in which segment, and how many of its lines to pass over. */
static int log_tail_start(int fd, const uint64_t *list, size_t n, uint64_t want, size_t *ret_i, uint64_t *ret_skip)
{
	uint64_t have = 0;

	*ret_skip = 0;
	for (*ret_i = n; *ret_i > 0 && have < want;) {
		struct segment_image img;
		struct line_str text;
		struct rd r;

		if (segment_read(fd, list[--*ret_i], &img, NULL) < 0)
			return -EIO;
		r = rd_of(img.file[SEGMENT_LOG].data, img.file[SEGMENT_LOG].len);
		while (segment_line(&r, &text))
			have++;
		segment_image_done(&img);
	}
	if (have > want)
		*ret_skip = have - want;
	return 0;
}

/* Prints a segment's lines from byte *at on, passing over *skip of them; *at moves behind the last complete line. */
static int log_print_lines(int fd, uint64_t number, size_t *at, uint64_t *skip)
{
	char name[SEGMENT_NAME_SIZE];
	struct line_str text;
	struct buf b;
	struct rd r;
	int ret;

	segment_name(number, SEGMENT_LOG, name);
	buf_init(&b, SEGMENT_FILE_MAX);
	ret = recio_read(fd, name, &b);
	if (ret == 0 && *at <= b.len) {
		r = rd_of(b.data + *at, b.len - *at);
		while (ret == 0 && segment_line(&r, &text)) {
			if (*skip)
				--*skip;
			else
				ret = log_write_stdout(text.p, text.n + 1);
		}
		*at = b.len - r.left;
	}
	buf_done(&b);
	return ret;
}

static bool log_exists(int fd, uint64_t number)
{
	char name[SEGMENT_NAME_SIZE];

	segment_name(number, SEGMENT_LOG, name);
	return faccessat(fd, name, F_OK, 0) == 0;
}

static bool log_grew(int fd, uint64_t number, size_t at)
{
	char name[SEGMENT_NAME_SIZE];
	struct stat st;

	segment_name(number, SEGMENT_LOG, name);
	return fstatat(fd, name, &st, 0) == 0 && (size_t)st.st_size > at;
}

/* Prints what comes, for ever; ends when nobody reads any more. */
static int log_follow(int fd, uint64_t number, size_t at)
{
	/* no events are asked for: poll ends early only when the reader of a pipe has gone */
	struct pollfd reader = { .fd = STDOUT_FILENO };
	uint64_t none = 0;
	int r = 0;

	for (;;) {
		bool next = log_exists(fd, number + 1);

		/* the next segment was there before we looked: this one will not grow behind our back */
		if (log_grew(fd, number, at))
			r = log_print_lines(fd, number, &at, &none);
		if (r < 0 || fflush(stdout) != 0 || ferror(stdout))
			return EXIT_GOOD;
		if (next) {
			number++;
			at = 0;
		} else if (poll(&reader, 1, 200) > 0) {
			return EXIT_GOOD;
		}
	}
}

static int log_cmd_tail(const struct log_args *a)
{
	_cleanup_close_ int fd = log_open_dir(a);
	_cleanup_free_ uint64_t *list = NULL;
	size_t n, i, at = 0;
	uint64_t skip;

	if (fd < 0 || segment_list(fd, &list, &n) < 0)
		return EXIT_USAGE;
	if (log_tail_start(fd, list, n, a->lines, &i, &skip) < 0) {
		log_err("cannot read the log in %s", a->dir);
		return EXIT_USAGE;
	}
	for (; i < n; i++) {
		at = 0;
		if (log_print_lines(fd, list[i], &at, &skip) < 0)
			return EXIT_USAGE;
	}
	if (fflush(stdout) != 0)
		return EXIT_USAGE;
	return a->follow && n ? log_follow(fd, list[n - 1], at) : EXIT_GOOD;
}

static int log_export_record(const struct export_format *format, struct line_str text, struct err *e)
{
	struct buf b;
	int r;

	buf_init(&b, 8 * LINE_MAX_BYTES);
	r = export_record(format, text.p, text.n, &b, e);
	r = r < 0 ? log_fail(e), r : log_write_stdout(b.data, b.len);
	buf_done(&b);
	return r;
}

static int log_export_segment(const struct log_args *a, int fd, uint64_t number, const struct export_format *format)
{
	struct segment_image img;
	struct line_str text;
	struct err e = { "" };
	struct line l;
	struct rd rd;
	int r = segment_read(fd, number, &img, &e);

	if (r < 0)
		return log_fail(&e), r;
	rd = rd_of(img.file[SEGMENT_LOG].data, img.file[SEGMENT_LOG].len);
	while (r == 0 && segment_line(&rd, &text)) {
		if (line_parse(text.p, text.n, &l) < 0) {
			log_err("segment %08" PRIu64 " holds what is no record: `tamisctl log verify` says where",
				number);
			r = -EBADMSG;
		} else if (l.seq >= a->from && l.seq <= a->to) {
			r = log_export_record(format, text, &e);
		}
	}
	segment_image_done(&img);
	return r;
}

static int log_cmd_export(const struct log_args *a)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ uint64_t *list = NULL;
	const struct export_format *format = export_format_find(a->format);
	size_t n;
	int r = 0;

	if (!format) {
		log_err("no export format \"%s\" here; there are:", a->format);
		for (format = export_formats; format->name; format++)
			fprintf(stderr, "  %-8s %s\n", format->name, format->what);
		return EXIT_USAGE;
	}
	fd = log_open_dir(a);
	if (fd < 0 || segment_list(fd, &list, &n) < 0)
		return EXIT_USAGE;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = log_export_segment(a, fd, list[i], format);
	if (fflush(stdout) != 0)
		r = r < 0 ? r : -errno;
	return r == 0 ? EXIT_GOOD : r == -EBADMSG ? EXIT_BAD : EXIT_USAGE;
}

/* ---- checkpoint ---- */

static int log_put_file(const char *prefix, const char *suffix, const void *p, size_t n)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fclose_ FILE *f = NULL;

	if (asprintf(&path, "%s%s", prefix, suffix) < 0)
		return -ENOMEM;
	f = fopen(path, "we");
	if (!f || fwrite(p, 1, n, f) != n || fflush(f) != 0) {
		log_err("cannot write %s: %s", path, strerror(errno));
		return -EIO;
	}
	return 0;
}

/* The key that the checkpoint is signed with, as PEM: what openssl is to check it by. */
static int log_checkpoint_key(const struct log_args *a, const struct checkpoint_note *n, char ret[SIG_PEM_PUBLIC_MAX])
{
	struct err e = { "" };
	struct sig_key *key;
	int r;

	if (log_load_key(a, &key) < 0)
		return EXIT_USAGE;
	r = prove_segment_key(a->dir, n->c.segment, &key, &e);
	if (r == 0)
		r = checkpoint_verify(n, key, &e);
	if (r == 0 && sig_public_pem(key, ret) < 0)
		r = err_set(&e, -ENOMEM, "cannot write the key as PEM");
	sig_key_free(key);
	if (r < 0)
		log_fail(&e);
	return r == 0 ? EXIT_GOOD : r == -EBADMSG ? EXIT_BAD : EXIT_USAGE;
}

static int log_checkpoint_write(const struct log_args *a, const struct checkpoint_note *n)
{
	char pem[SIG_PEM_PUBLIC_MAX];
	int r;

	if (!a->out)
		return log_write_stdout(n->p, n->len) < 0 ? EXIT_USAGE : EXIT_GOOD;
	r = log_checkpoint_key(a, n, pem);
	if (r != EXIT_GOOD)
		return r;
	if (log_put_file(a->out, ".txt", n->p, n->text_len) < 0 ||
	    log_put_file(a->out, ".sig", n->sig, n->sig_len) < 0 || log_put_file(a->out, ".pem", pem, strlen(pem)) < 0)
		return EXIT_USAGE;
	fprintf(stderr, "%s.txt, %s.sig and %s.pem: segment %" PRIu64 ", %" PRIu64 " records, %s\n", a->out, a->out,
		a->out, n->c.segment, n->c.size, n->c.time);
	return EXIT_GOOD;
}

static int log_cmd_checkpoint(const struct log_args *a)
{
	_cleanup_close_ int fd = log_open_dir(a);
	_cleanup_free_ uint64_t *list = NULL;
	struct checkpoint_note note;
	struct err e = { "" };
	uint64_t number = a->segment;
	struct buf text;
	size_t n;
	int r;

	if (fd < 0 || segment_list(fd, &list, &n) < 0)
		return EXIT_USAGE;
	if (!number && n)
		number = list[n - 1];
	buf_init(&text, SEGMENT_FILE_MAX);
	r = segment_last_note(fd, number, &text, &note, &e);
	r = r < 0 ? log_fail(&e) : log_checkpoint_write(a, &note);
	buf_done(&text);
	return r;
}

/* ---- the command line ---- */

enum {
	OPT_JSON = 256,
	OPT_KEY,
	OPT_WITNESS,
	OPT_WITNESS_KEY,
	OPT_ROOT,
	OPT_ROOT_CA,
	OPT_ROOT_KEY,
	OPT_FROM_SEGMENT,
	OPT_SEGMENT,
	OPT_CHECK,
	OPT_FORMAT,
	OPT_FROM,
	OPT_TO,
	OPT_HELP,
};

#define LOG_ROOT                                                                                                       \
	{ "root", required_argument, NULL, OPT_ROOT }, { "root-ca", required_argument, NULL, OPT_ROOT_CA },            \
	{                                                                                                              \
		"root-key", required_argument, NULL, OPT_ROOT_KEY                                                      \
	}
#define LOG_COMMON                                                                                                     \
	{ "json", no_argument, NULL, OPT_JSON }, { "help", no_argument, NULL, OPT_HELP },                              \
	{                                                                                                              \
		0                                                                                                      \
	}

static const struct option log_verify_opts[] = {
	{ "key", required_argument, NULL, OPT_KEY },
	{ "from-segment", required_argument, NULL, OPT_FROM_SEGMENT },
	{ "witness", required_argument, NULL, OPT_WITNESS },
	{ "witness-key", required_argument, NULL, OPT_WITNESS_KEY },
	LOG_ROOT,
	LOG_COMMON,
};
static const struct option log_prove_opts[] = {
	{ "key", required_argument, NULL, OPT_KEY },
	{ "check", required_argument, NULL, OPT_CHECK },
	LOG_ROOT,
	LOG_COMMON,
};
static const struct option log_tail_opts[] = {
	{ "lines", required_argument, NULL, 'n' },
	{ "follow", no_argument, NULL, 'f' },
	LOG_COMMON,
};
static const struct option log_export_opts[] = {
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "to", required_argument, NULL, OPT_TO },
	LOG_COMMON,
};
static const struct option log_checkpoint_opts[] = {
	{ "key", required_argument, NULL, OPT_KEY },
	{ "segment", required_argument, NULL, OPT_SEGMENT },
	{ "output", required_argument, NULL, 'o' },
	LOG_COMMON,
};

static const struct {
	const char *name;
	int (*run)(const struct log_args *a);
	const struct option *options;
	const char *letters;
	bool operand; /* may be followed by one */
	const char *help;
} log_commands[] = {
	{ "verify", log_cmd_verify, log_verify_opts, "h", false,
	  "verify [--key PUB.pem | --root-ca CA.pem | --root-key PUB.pem [--root FILE]] [--from-segment N]\n"
	  "          [--witness NOTE --witness-key PUB.pem] [--json]\n"
	  "    check every byte of the log; name the first bad place (exit 1)\n" },
	{ "prove", log_cmd_prove, log_prove_opts, "h", true,
	  "prove SEQ | prove --check FILE [--key PUB.pem | --root-ca CA.pem | --root-key PUB.pem] [--json]\n"
	  "    make or check the proof that one record is in the log\n" },
	{ "tail", log_cmd_tail, log_tail_opts, "fn:h", false,
	  "tail [-n LINES] [-f]\n"
	  "    print the newest records, and those to come\n" },
	{ "export", log_cmd_export, log_export_opts, "h", false,
	  "export [--format jsonl|ocsf|ecs|cef|syslog|otlp] [--from SEQ] [--to SEQ]\n"
	  "    print the records\n" },
	{ "checkpoint", log_cmd_checkpoint, log_checkpoint_opts, "o:h", false,
	  "checkpoint [--segment N] [-o PREFIX [--key PUB.pem]]\n"
	  "    print the newest signed checkpoint, or write PREFIX.txt, .sig and .pem for openssl\n" },
};

#define LOG_COMMANDS (sizeof(log_commands) / sizeof(log_commands[0]))

static void log_help(FILE *f)
{
	fputs("tamisctl log: the signed log of alerts (reads files; needs no running sensor)\n\n", f);
	for (size_t i = 0; i < LOG_COMMANDS; i++)
		fprintf(f, "  tamisctl log %s", log_commands[i].help);
	fprintf(f, "  tamisctl log %s", log_query_help);
	fputs("  tamisctl log witness request|sign ...\n"
	      "    have another machine countersign the newest checkpoint\n"
	      "  tamisctl log root request|sign|install ...\n"
	      "    have a CA or an offline key say that the log's first key is this host's\n",
	      f);
	fputs("\nExit status: 0 good, 1 verification failed, 2 usage or another error. See tamisctl-log(1).\n", f);
}

static bool log_option_number(const char *what, uint64_t *ret)
{
	if (log_number(optarg, ret))
		return true;
	log_err("%s takes a number, not \"%s\"", what, optarg);
	return false;
}

static bool log_option(int opt, struct log_args *a)
{
	switch (opt) {
	case OPT_JSON:
		a->json = true;
		return true;
	case OPT_KEY:
		return (size_t)snprintf(a->pub, sizeof(a->pub), "%s", optarg) < sizeof(a->pub);
	case OPT_FROM_SEGMENT:
	case OPT_SEGMENT:
		return log_option_number("the segment", &a->segment);
	case OPT_WITNESS:
		a->witness = optarg;
		return true;
	case OPT_WITNESS_KEY:
		a->witness_key = optarg;
		return true;
	case OPT_ROOT:
		a->root.root = optarg;
		return true;
	case OPT_ROOT_CA:
		a->root.ca = optarg;
		return true;
	case OPT_ROOT_KEY:
		a->root.key = optarg;
		return true;
	case OPT_CHECK:
		a->check = optarg;
		return true;
	case OPT_FORMAT:
		a->format = optarg;
		return true;
	case OPT_FROM:
		return log_option_number("--from", &a->from);
	case OPT_TO:
		return log_option_number("--to", &a->to);
	case 'n':
		return log_option_number("-n", &a->lines);
	case 'f':
		a->follow = true;
		return true;
	case 'o':
		a->out = optarg;
		return true;
	default:
		return false;
	}
}

/* Options of the subcommand in argv[0]: 0, or the exit status to end with plus one. */
static int log_options(int argc, char **argv, size_t command, struct log_args *a)
{
	int opt;

	/* 0, not 1: glibc starts afresh */
	optind = 0;
	while ((opt = getopt_long(argc, argv, log_commands[command].letters, log_commands[command].options, NULL)) !=
	       -1) {
		if (opt == 'h' || opt == OPT_HELP) {
			printf("tamisctl log %s", log_commands[command].help);
			return EXIT_GOOD + 1;
		}
		if (!log_option(opt, a))
			return EXIT_USAGE + 1;
	}
	a->argc = argc - optind;
	a->argv = argv + optind;
	if (a->argc > log_commands[command].operand) {
		log_err("log %s: what is \"%s\"?", log_commands[command].name, a->argv[log_commands[command].operand]);
		return EXIT_USAGE + 1;
	}
	return 0;
}

static int log_run(int argc, char **argv, size_t command, const char *state_dir)
{
	_cleanup_free_ struct log_args *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return EXIT_USAGE;
	a->state_dir = state_dir;
	a->to = UINT64_MAX;
	a->lines = 10;
	a->format = "jsonl";
	if ((size_t)snprintf(a->dir, sizeof(a->dir), "%s/log", state_dir) >= sizeof(a->dir) ||
	    (size_t)snprintf(a->pub, sizeof(a->pub), "%s/keys/log.pub.pem", state_dir) >= sizeof(a->pub)) {
		log_err("the state directory's name is too long");
		return EXIT_USAGE;
	}
	r = log_options(argc, argv, command, a);
	return r ? r - 1 : log_commands[command].run(a);
}

int cmd_log(int argc, char **argv, const char *state_dir)
{
	if (argc >= 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		log_help(stdout);
		return EXIT_GOOD;
	}
	for (size_t i = 0; argc >= 2 && i < LOG_COMMANDS; i++)
		if (!strcmp(argv[1], log_commands[i].name))
			return log_run(argc - 1, argv + 1, i, state_dir);
	if (argc >= 2 && !strcmp(argv[1], "witness"))
		return cmd_log_witness(argc - 1, argv + 1, state_dir);
	if (argc >= 2 && !strcmp(argv[1], "root"))
		return cmd_log_root(argc - 1, argv + 1, state_dir);
	if (argc >= 2 && !strcmp(argv[1], "query"))
		return cmd_log_query(argc - 1, argv + 1, state_dir);
	if (argc >= 2)
		log_err("log: no subcommand \"%s\"", argv[1]);
	log_help(stderr);
	return EXIT_USAGE;
}
