/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tamisctl capture`: writes what the engine process of a running sensor sends as a file, or looks at such a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/event_json.h"
#include "lib/jsonw.h"
#include "lib/log.h"
#include "sensor/ctl/client.h"
#include "sensor/ctl/commands.h"
#include "sensor/ctl/show.h"
#include "sensor/enrich/playback.h"
#include "sensor/priv/clock.h"

#define BYTES_DEFAULT (1ull << 30)
#define BYTES_SLACK   (128ull << 20) /* the beginning may be so large, whatever was asked for */
#define STOP_MS	      10000	     /* what the sensor may take for the rest */

struct capture_args {
	const char *out, *info, *json_of;
	uint64_t seconds;
	struct msg_capture what;
	bool json;
};

static const char usage[] = "usage: tamisctl capture -o FILE [--seconds N] [--events N] [--max-bytes N] [--all]\n"
			    "       tamisctl capture --info FILE [--json]\n"
			    "       tamisctl capture --export-json FILE";

/* ---- arguments ----------------------------------------------------------------------------------------------------- */

/* A number above 0, with K, M or G where @sizes. */
static int parse_number(const char *text, bool sizes, uint64_t *ret)
{
	static const char units[] = "KMG";
	char *end;
	unsigned long long v;
	const char *unit;

	errno = 0;
	v = strtoull(text, &end, 10);
	unit = sizes && *end ? strchr(units, *end) : NULL;
	for (const char *u = units; unit && u <= unit; u++) {
		if (v > UINT64_MAX / 1024)
			return -ERANGE;
		v *= 1024;
	}
	if (errno || *text < '0' || *text > '9' || end[unit ? 1 : 0] || !v)
		return -EINVAL;
	*ret = v;
	return 0;
}

enum { OPT_SECONDS = 0x100, OPT_EVENTS, OPT_BYTES, OPT_ALL, OPT_INFO, OPT_EXPORT, OPT_JSON };

static const struct option longs[] = {
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "events", required_argument, NULL, OPT_EVENTS },
	{ "max-bytes", required_argument, NULL, OPT_BYTES },
	{ "all", no_argument, NULL, OPT_ALL },
	{ "info", required_argument, NULL, OPT_INFO },
	{ "export-json", required_argument, NULL, OPT_EXPORT },
	{ "json", no_argument, NULL, OPT_JSON },
	{ NULL, 0, NULL, 0 },
};

static int take_option(int c, struct capture_args *a)
{
	switch (c) {
	case 'o':
		a->out = optarg;
		return 0;
	case OPT_SECONDS:
		return parse_number(optarg, false, &a->seconds);
	case OPT_EVENTS:
		return parse_number(optarg, false, &a->what.events);
	case OPT_BYTES:
		return parse_number(optarg, true, &a->what.bytes);
	case OPT_ALL:
		a->what.all = 1;
		return 0;
	case OPT_INFO:
		a->info = optarg;
		return 0;
	case OPT_EXPORT:
		a->json_of = optarg;
		return 0;
	case OPT_JSON:
		a->json = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int parse_args(int argc, char **argv, struct capture_args *a)
{
	int c;

	*a = (struct capture_args){ .what.bytes = BYTES_DEFAULT };
	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, "o:", longs, NULL)) != -1)
		if (take_option(c, a) < 0) {
			if (c != '?')
				log_err("'%s' is no number that makes sense here", optarg);
			return -EINVAL;
		}
	if (optind < argc || !!a->out + !!a->info + !!a->json_of != 1 || (a->json && !a->info) ||
	    (!a->out && (a->seconds || a->what.events || a->what.all)))
		return -EINVAL;
	return 0;
}

/* ---- looking at one ------------------------------------------------------------------------------------------------ */

struct opened {
	int fd; /* owned */
	struct playback *playback;
};

static int open_file(const char *file, struct opened *ret)
{
	struct err e = { "" };

	ret->playback = NULL;
	ret->fd = open(file, O_RDONLY | O_CLOEXEC);
	if (ret->fd < 0) {
		log_err("cannot open %s: %s", file, strerror(errno));
		return CTL_FAILED;
	}
	if (playback_open(ret->fd, file, &ret->playback, &e) < 0) {
		log_err("%s", e.msg);
		close(ret->fd);
		return CTL_FAILED;
	}
	return CTL_OK;
}

static void close_file(struct opened *f)
{
	playback_free(f->playback);
	close(f->fd);
}

struct counts {
	uint64_t of[EV_TYPES];
};

static const char *how_it_ended(const struct playback *p)
{
	const struct capture_end *end = playback_end(p);

	return end ? capture_why_name(end->why) : "cut";
}

static int by_name(const void *a, const void *b)
{
	const struct cat_event *ev = catalog_tamis()->events;

	return strcmp(ev[*(const int *)a].name, ev[*(const int *)b].name);
}

/* The types of which there are events, by name; ends with 0. */
static void types_seen(const struct counts *c, int ret[EV_TYPES + 1])
{
	size_t n = 0;

	for (int t = 1; t < EV_TYPES; t++)
		if (c->of[t])
			ret[n++] = t;
	qsort(ret, n, sizeof(*ret), by_name);
	ret[n] = 0;
}

static void info_json(const struct playback *p, const struct counts *c)
{
	const struct capture_meta *m = playback_meta(p);
	const struct cat_event *ev = catalog_tamis()->events;
	struct playback_stats s;
	int types[EV_TYPES + 1];
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	playback_stats(p, &s);
	types_seen(c, types);
	buf_init(&b, 64u << 10);
	jsonw_obj_begin(&w);
	jsonw_member_bool(&w, "all", m->all);
	jsonw_member_u64(&w, "context", s.context);
	jsonw_member_str(&w, "end", how_it_ended(p));
	jsonw_member_u64(&w, "events", s.events);
	jsonw_member_str(&w, "host", m->host);
	jsonw_member_str(&w, "kernel", m->release);
	jsonw_key(&w, "lost");
	jsonw_obj_begin(&w);
	/* in the order of their names */
	for (const uint32_t *at = (const uint32_t[]){ 4, 1, 2, 3, 0, CAPTURE_LOST_PLACES }; *at < CAPTURE_LOST_PLACES;
	     at++)
		jsonw_member_u64(&w, capture_where_name(*at), s.lost[*at]);
	jsonw_obj_end(&w);
	jsonw_member_str(&w, "machine", m->machine);
	jsonw_member_u64(&w, "malformed", s.malformed);
	jsonw_member_str(&w, "policy", m->policy);
	jsonw_member_str(&w, "policy_sha256", m->policy_sha256);
	jsonw_member_u64(&w, "processes", s.processes);
	jsonw_member_u64(&w, "records", s.records);
	jsonw_key(&w, "types");
	jsonw_obj_begin(&w);
	for (const int *t = types; *t; t++)
		jsonw_member_u64(&w, ev[*t].name, c->of[*t]);
	jsonw_obj_end(&w);
	jsonw_member_str(&w, "version", m->version);
	jsonw_obj_end(&w);
	if (buf_cstr(&b))
		puts((char *)b.data);
	buf_done(&b);
}

static void print_time(const char *what, int64_t ns)
{
	time_t t = (time_t)(ns / 1000000000);
	char text[32];
	struct tm tm;

	if (gmtime_r(&t, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		printf("%-10s %s\n", what, text);
}

static void info_text(const struct playback *p, const struct counts *c)
{
	const struct capture_meta *m = playback_meta(p);
	const struct cat_event *ev = catalog_tamis()->events;
	struct playback_stats s;
	int types[EV_TYPES + 1];

	playback_stats(p, &s);
	types_seen(c, types);
	printf("host       %s, %s on %s, tamis %s\n", m->host, m->release, m->machine, m->version);
	printf("policy     %s%s%s%s\n", m->policy, *m->policy_sha256 ? ", bundle " : "", m->policy_sha256,
	       m->all ? "; the sieve was open" : "");
	if (s.events) {
		print_time("first", s.first_ns);
		print_time("last", s.last_ns);
	}
	printf("events     %" PRIu64 " (%" PRIu64 " of them only for the table of processes) in %" PRIu64 " records\n",
	       s.events, s.context, s.records);
	for (const int *t = types; *t; t++)
		printf("           %-10s %" PRIu64 "\n", ev[*t].name, c->of[*t]);
	printf("processes  %" PRIu64 " at the start\n", s.processes);
	for (uint32_t i = 0; i < CAPTURE_LOST_PLACES; i++)
		if (s.lost[i])
			printf("lost       %" PRIu64 " at the %s\n", s.lost[i], capture_where_name(i));
	printf("end        %s\n", playback_end(p) ? how_it_ended(p) : "CUT OFF: this is what was in it up to there");
}

static int show_info(const char *file, bool json)
{
	struct counts c = { { 0 } };
	struct err e = { "" };
	struct opened f;
	struct decoded d;
	int r = open_file(file, &f);

	if (r)
		return r;
	while ((r = playback_next(f.playback, &d, &e)) == 1)
		c.of[d.ev.type]++;
	if (json)
		info_json(f.playback, &c);
	else
		info_text(f.playback, &c);
	if (r < 0)
		log_err("%s", e.msg);
	close_file(&f);
	return r < 0 ? CTL_FAILED : CTL_OK;
}

static int export_json(const char *file)
{
	_cleanup_(event_json_free) struct event_json *json = NULL;
	struct err e = { "" };
	struct opened f;
	struct decoded d;
	struct buf b;
	int r = open_file(file, &f);

	if (r)
		return r;
	buf_init(&b, 4u << 20);
	if (event_json_new(catalog_tamis(), &json) < 0)
		r = err_set(&e, -ENOMEM, "no memory");
	while (r == 0 && (r = playback_next(f.playback, &d, &e)) == 1) {
		buf_reset(&b);
		event_json_write(json, &d.ev, &b);
		r = buf_cstr(&b) && puts((char *)b.data) >= 0 ? 0 : err_set(&e, -EIO, "cannot write the events");
	}
	if (r == 0 && !playback_end(f.playback))
		log_warn("the capture was cut off: this is what was in it up to there");
	if (r < 0)
		log_err("%s", e.msg);
	buf_done(&b);
	close_file(&f);
	return r < 0 ? CTL_FAILED : CTL_OK;
}

/* ---- making one ---------------------------------------------------------------------------------------------------- */

struct taking {
	struct chan from;
	int fd, signal_fd;
	uint64_t bytes, max;
	uint64_t until_ns; /* when to say that it is enough, and then when to give up; 0: never */
	bool stopping, over;
	_Alignas(8) uint8_t buf[MSG_BYTES_MAX];
};

static int write_all(struct taking *t, const void *p, size_t n)
{
	while (n) {
		ssize_t put = write(t->fd, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put ? -errno : -EIO;
		p = (const char *)p + put;
		n -= (size_t)put;
	}
	return 0;
}

static int on_data(void *ctx, struct msg *m)
{
	struct taking *t = ctx;

	t->bytes += m->len;
	return t->bytes > t->max ? -EFBIG : write_all(t, m->body, m->len);
}

static const msg_handler from_engine[MSG_TYPES] = {
	[MSG_CAPTURE_DATA] = on_data,
};

/* Says that it is enough; what is there still comes. A second signal, or no answer, ends it at once. */
static void say_stop(struct taking *t)
{
	if (t->stopping) {
		t->over = true;
		return;
	}
	t->stopping = true;
	t->until_ns = clock_mono_ns() + STOP_MS * 1000000ull;
	chan_send_wait(&t->from, MSG_CAPTURE_STOP, NULL, 0, NULL, 0, -1, 1000);
}

static int wait_ms(const struct taking *t)
{
	uint64_t now = clock_mono_ns();

	if (!t->until_ns)
		return -1;
	if (now >= t->until_ns)
		return 0;
	return (int)((t->until_ns - now) / 1000000 < 60000 ? (t->until_ns - now) / 1000000 + 1 : 60000);
}

static int take_all(struct taking *t)
{
	struct pollfd p[] = { { .fd = t->from.fd, .events = POLLIN }, { .fd = t->signal_fd, .events = POLLIN } };
	struct signalfd_siginfo si;
	int r;

	while (!t->over) {
		if (poll(p, 2, wait_ms(t)) < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents && read(t->signal_fd, &si, sizeof(si)) > 0)
			say_stop(t);
		if (t->until_ns && clock_mono_ns() >= t->until_ns)
			say_stop(t);
		r = chan_serve(&t->from, from_engine, t, t->buf, 16);
		if (r == -ECONNRESET)
			return 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* A new file, root's alone: it will hold arguments of processes. One that is there may be somebody else's. */
static int make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		log_err(errno == EEXIST ? "%s is there already: name a new file%s" : "cannot make %s: %s", path,
			errno == EEXIST ? "" : strerror(errno));
	return fd;
}

static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int take(const struct capture_args *a, const char *state_dir, int fd)
{
	static struct taking t;
	struct err e = { "" };
	int r;

	t = (struct taking){ .fd = fd, .signal_fd = block_signals(), .max = a->what.bytes + BYTES_SLACK };
	r = client_capture(state_dir, &a->what, &t.from, &e);
	if (r < 0) {
		log_err("%s", e.msg);
		return CTL_FAILED;
	}
	if (a->seconds)
		t.until_ns = clock_mono_ns() + (a->seconds < UINT32_MAX ? a->seconds : UINT32_MAX) * 1000000000ull;
	r = take_all(&t);
	chan_close(&t.from);
	close(t.signal_fd);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r < 0)
		log_err("%s: %s; what is in it up to there can be used", a->out,
			r == -EFBIG ? "the sensor sent more than was asked for" : strerror(-r));
	return r < 0 ? CTL_FAILED : CTL_OK;
}

static int make(const struct capture_args *a, const char *state_dir)
{
	int fd = make_file(a->out), r;
	struct stat st;

	if (fd < 0)
		return CTL_FAILED;
	r = take(a, state_dir, fd);
	if (fstat(fd, &st) == 0 && st.st_size == 0) {
		if (r == CTL_OK)
			log_err("the sensor ended the capture before it began; look at its messages");
		unlink(a->out);
		r = CTL_FAILED;
	}
	close(fd);
	return r == CTL_OK ? show_info(a->out, false) : r;
}

int cmd_capture(int argc, char **argv, const char *state_dir)
{
	struct capture_args a;

	if (parse_args(argc, argv, &a) < 0) {
		log_err("%s", usage);
		return CTL_USAGE;
	}
	if (a.info)
		return show_info(a.info, a.json);
	return a.json_of ? export_json(a.json_of) : make(&a, state_dir);
}
