/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What bench/log measures with:
 *
 *	log_tool opens RATE SECONDS FILE	opens FILE so many times a second; says how many it were
 *	log_tool burst N FILE			opens FILE N times as fast as it can
 *	log_tool evaluate DIR RATE SECONDS	evaluates events, so many of which are alerts (0: all), while another process throws
 *						the alerts away, and while it is the sensor's record process; in turns
 *	log_tool ways DIR SECONDS		records a second: signed a batch, signed one by one, not signed
 *	log_tool fill DIR BYTES			a log of that size
 *	log_tool hash THREADS FILE...		SHA-256 over their bytes
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "bench/one_event.h"
#include "engine/engine.h"
#include "lib/b64.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/sig.h"
#include "sensor/priv/outbox.h"
#include "sensor/priv/record_proc.h"
#include "sensor/record/auditlog.h"

#define NS     1e9
#define ROUNDS 5
#define SEQ    (sizeof("\"seq\":") - 1) /* alert_render() leaves the gap behind it, and before a comma */

static void sleep_until(double at)
{
	struct timespec t = { .tv_sec = (time_t)(at / NS) };

	t.tv_nsec = (long)(at - (double)t.tv_sec * NS);
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

/* Our own time on a processor: what else the machine does is not in it. */
static double cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * NS + (double)ts.tv_nsec;
}

/* ---- opens --------------------------------------------------------------------------------------------------------- */

/* Each millisecond as many as are due by then. */
static int opens(double rate, double seconds, const char *file)
{
	double begin = clock_ns(), t;
	uint64_t done = 0;

	while ((t = clock_ns() - begin) < seconds * NS) {
		for (; (double)done < t / NS * rate; done++) {
			int fd = open(file, O_RDONLY);

			if (fd < 0)
				return 1;
			close(fd);
		}
		sleep_until(begin + t + 1e6);
	}
	printf("%llu\n", (unsigned long long)done);
	return 0;
}

static int burst(uint64_t n, const char *file)
{
	for (uint64_t i = 0; i < n; i++) {
		int fd = open(file, O_RDONLY);

		if (fd < 0)
			return 1;
		close(fd);
	}
	return 0;
}

/* ---- evaluate ------------------------------------------------------------------------------------------------------ */

static struct engine *engine;
static struct alert *alert;
static struct outbox box;
static double waited_ns; /* for the reader */

static void evaluate_setup(void)
{
	static struct alert_options ao = { .hostname = "bench-host" };
	struct err e = { "" };

	one_event_setup();
	ao.table = enrich_proctable(enrich);
	must(alert_new(&ao, &program, &alert));
	must(engine_new(&program, &engine, &e));
	outbox_init(&box);
}

/* What the engine process does with a record of the ring, up to the verdict; and what it does with a match. */
static uint32_t evaluate_one(void)
{
	const uint32_t *rules;

	must(decode_record(decoder, open_rec, open_size, &dec));
	enrich_event(enrich, &dec);
	if (engine_eval(engine, &dec.ev, &rules) != 1)
		must(-EINVAL);
	return rules[0];
}

static void evaluate_match(uint32_t rule)
{
	struct buf *to = outbox_begin(&box);
	size_t gap;

	must(alert_render(alert, &dec.ev, rule, NULL, to, &gap));
	must(outbox_end(&box, gap - SEQ, gap + 1));
}

/* Sends, and waits where the reader has not read: that is what evaluation would be held up by. */
static void evaluate_send(const struct chan *to)
{
	while (outbox_waiting(&box)) {
		struct pollfd p = { .fd = to->fd, .events = POLLOUT };
		int sent = outbox_send(&box, to);

		if (sent < 0 && sent != -EAGAIN)
			must(sent);
		if (outbox_waiting(&box) >= OUTBOX_HIGH) {
			double from = clock_ns();

			poll(&p, 1, 100);
			waited_ns += clock_ns() - from;
		} else if (sent == -EAGAIN)
			return;
	}
}

static int on_any(void *ctx, struct msg *m)
{
	return 0;
}

static void throw_away(struct chan from)
{
	static _Alignas(8) uint8_t bytes[MSG_BYTES_MAX];
	const msg_handler all[MSG_TYPES] = { [MSG_ALERTS] = on_any };
	struct pollfd p = { .fd = from.fd, .events = POLLIN };

	while (poll(&p, 1, -1) > 0 && chan_serve(&from, all, NULL, bytes, 16) >= 0)
		;
	_exit(0);
}

static int make_dir(const char *parent, const char *name)
{
	char path[512];
	struct confine_user user;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", parent, name);
	mkdir(path, 0700);
	confine_user(ROLE_RECORD, &user);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	if (fd < 0 || fchown(fd, user.uid, user.gid) < 0)
		must(-errno);
	return fd;
}

struct peer {
	pid_t pid;
	struct chan data, control;
	struct record_page *page;
};

static struct peer peer_start(const char *dir, bool log)
{
	struct chan data[2], control[2];
	struct peer p = { .page = counts_map(sizeof(struct record_page)) };

	must(chan_pair(ROLE_ENGINE, ROLE_RECORD, data));
	must(chan_pair(ROLE_MONITOR, ROLE_RECORD, control));
	p.pid = fork();
	if (p.pid == 0) {
		struct record_args a = { .monitor = control[1],
					 .engine = data[1],
					 .page = p.page,
					 .state = dir,
					 .alerts_fd = -1,
					 .seal_fd = -1,
					 .mode = CONFINE_OFF };

		chan_close(&data[0]);
		chan_close(&control[0]);
		if (!log)
			throw_away(data[1]);
		a.log_fd = make_dir(dir, "log");
		a.keys_fd = make_dir(dir, "keys");
		_exit(record_main(&a));
	}
	chan_close(&data[1]);
	chan_close(&control[1]);
	p.data = data[0];
	p.control = control[0];
	if (log) {
		struct pollfd ready = { .fd = p.control.fd, .events = POLLIN };

		poll(&ready, 1, 10000);
	}
	return p;
}

/* Its processor time in nanoseconds, after all that it was sent is durable. */
static double peer_end(struct peer *p, bool log, uint64_t sent)
{
	struct record_counts c = { .durable = 0 };
	struct rusage u;
	int status;

	for (int i = 0; log && i < 2000 && c.durable < sent; i++) {
		record_counts_get(p->page, &c);
		usleep(10000);
	}
	if (log && c.durable != sent)
		must(-EIO);
	if (log)
		chan_send(&p->control, MSG_STOP, NULL, 0, -1);
	chan_close(&p->data);
	wait4(p->pid, &status, 0, &u);
	chan_close(&p->control);
	if (status)
		must(-EIO);
	counts_unmap(p->page, sizeof(*p->page));
	return ((double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec) * NS +
	       ((double)u.ru_utime.tv_usec + (double)u.ru_stime.tv_usec) * 1e3;
}

struct round {
	double alerts, events; /* a second */
	double cpu_ns;	       /* of the other process, an alert */
};

/*
 * Evaluates as much as goes, and as many of the events as @rate asks for are alerts (0: all). What is waited for the reader is
 * in the time; what other programs take from the processor is not.
 */
static struct round evaluate_round(const char *dir, bool log, double rate, double seconds)
{
	struct peer p = peer_start(dir, log);
	double begin = clock_ns(), cpu = cpu_ns(), ticked = begin, t;
	uint64_t done = 0, events = 0;
	struct round r;

	waited_ns = 0;
	while ((t = clock_ns() - begin) < seconds * NS) {
		for (int i = 0; i < 256; i++, events++) {
			uint32_t rule = evaluate_one();

			if (rate > 0 && (double)done >= t / NS * rate)
				continue;
			evaluate_match(rule);
			done++;
		}
		evaluate_send(&p.data);
		if (clock_ns() - ticked > NS) {
			outbox_tick(&box);
			ticked = clock_ns();
		}
	}
	r.alerts = (double)done / (t / NS);
	r.events = (double)events / ((cpu_ns() - cpu + waited_ns) / NS);
	while (outbox_waiting(&box)) {
		evaluate_send(&p.data);
		usleep(100);
	}
	r.cpu_ns = peer_end(&p, log, done) / (double)done;
	return r;
}

static int compare(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof(*v), compare);
	return v[ROUNDS / 2];
}

static int evaluate(const char *dir, double rate, double seconds)
{
	double alerts[2][ROUNDS], events[2][ROUNDS], cpu[2][ROUNDS];

	evaluate_setup();
	log_open("log_tool", LOG_LEVEL_ERR);
	for (int i = 0; i < ROUNDS; i++)
		for (int log = 0; log < 2; log++) {
			struct round r = evaluate_round(dir, log, rate, seconds / ROUNDS / 2);

			alerts[log][i] = r.alerts;
			events[log][i] = r.events;
			cpu[log][i] = r.cpu_ns;
		}
	for (int log = 0; log < 2; log++)
		printf("%-28s %8.0f alerts and %8.0f events evaluated a second; the other process takes %5.0f ns an alert\n",
		       log ? "  logged and signed" : "  thrown away", median(alerts[log]), median(events[log]),
		       median(cpu[log]));
	printf("  evaluation takes %.3f times as long while alerts are signed\n",
	       median(events[0]) / median(events[1]));
	return 0;
}

/* ---- three ways to write the same records ---------------------------------------------------------------------------- */

static struct auditlog_alert one_alert(void)
{
	static struct buf text;
	size_t gap;

	buf_init(&text, ALERT_MAX);
	must(alert_render(alert, &dec.ev, 0, NULL, &text, &gap));
	return (struct auditlog_alert){ (const char *)text.data, gap - SEQ, (const char *)text.data + gap + 1,
					text.len - gap - 1 };
}

static struct auditlog *log_at(const char *dir, const char *name)
{
	char path[512], keys[600];
	struct auditlog *log;
	struct err e = { "" };

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	mkdir(path, 0700);
	snprintf(keys, sizeof(keys), "%s/keys", path);
	snprintf(path + strlen(path), sizeof(path) - strlen(path), "/log");
	if (auditlog_open(path, keys, NULL, &log, &e) < 0) {
		fprintf(stderr, "log_tool: %s\n", e.msg);
		exit(1);
	}
	return log;
}

static double way_log(const char *dir, const struct auditlog_alert *a, double seconds)
{
	struct auditlog *log = log_at(dir, "batches");
	double begin = clock_ns();
	uint64_t n = 0;
	struct err e = { "" };

	while (clock_ns() - begin < seconds * NS) {
		for (int i = 0; i < 64; i++, n++)
			must(auditlog_append(log, a, NULL, &e));
		must(auditlog_tick(log, (uint64_t)clock_ns(), &e));
	}
	must(auditlog_flush(log, &e));
	begin = clock_ns() - begin;
	auditlog_close(log, &e);
	return (double)n / (begin / NS);
}

/* Lines, a batch to a file at a time and synced; with a key, each line's signature is put behind it. */
static double way_lines(const char *dir, const struct auditlog_alert *a, double seconds, bool sign)
{
	char path[512], key_path[512];
	struct sig_key *key = NULL;
	struct buf lines;
	struct err e = { "" };
	uint64_t n = 0;
	off_t at = 0;
	double begin;
	int fd;

	snprintf(path, sizeof(path), "%s/lines.%d", dir, sign);
	snprintf(key_path, sizeof(key_path), "%s/key.pem", dir);
	if (sign && (sig_keygen(key_path, NULL, &e) < 0 || sig_load_private(key_path, &key, &e) < 0))
		must(-EIO);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	buf_init(&lines, 64u << 20);
	begin = clock_ns();
	while (clock_ns() - begin < seconds * NS) {
		double since = clock_ns();

		buf_reset(&lines);
		/* the log's own bounds of a batch */
		for (int i = 0; i < 8192 && clock_ns() - since < 0.2 * NS; i++, n++) {
			size_t from = lines.len, len;
			uint8_t digest[HASH_SIZE], sig[SIG_MAX];

			buf_put(&lines, a->before, a->before_len);
			buf_puts(&lines, "\"seq\":");
			buf_put_dec(&lines, n + 1);
			buf_putc(&lines, ',');
			buf_put(&lines, a->after, a->after_len);
			if (sign) {
				hash_sha256(lines.data + from, lines.len - from, digest);
				must(sig_sign(key, digest, sig, &len));
				buf_putc(&lines, ' ');
				b64_encode(&lines, sig, len);
			}
			must(buf_putc(&lines, '\n'));
		}
		must(recio_write(&recio_system, fd, lines.data, lines.len, at));
		at += (off_t)lines.len;
		fdatasync(fd);
	}
	begin = clock_ns() - begin;
	buf_done(&lines);
	close(fd);
	unlink(path);
	unlink(key_path);
	sig_key_free(key);
	return (double)n / (begin / NS);
}

static int ways(const char *dir, double seconds)
{
	double batch[ROUNDS], each[ROUNDS], plain[ROUNDS], b, s, p;
	struct auditlog_alert a;

	evaluate_setup();
	evaluate_one();
	a = one_alert();
	for (int i = 0; i < ROUNDS; i++) {
		batch[i] = way_log(dir, &a, seconds / 3 / ROUNDS);
		each[i] = way_lines(dir, &a, seconds / 3 / ROUNDS, true);
		plain[i] = way_lines(dir, &a, seconds / 3 / ROUNDS, false);
	}
	b = median(batch);
	s = median(each);
	p = median(plain);
	printf("records of %zu bytes, one thread, each batch synced:\n", a.before_len + a.after_len);
	printf("%-28s %8.0f a second\n", "the log, a signed tree", b);
	printf("%-28s %8.0f a second, the log is %.1f times as fast\n", "each record signed", s, b / s);
	printf("%-28s %8.0f a second, the log is %.2f times as fast\n", "plain JSON lines", p, b / p);
	return 0;
}

static int fill(const char *dir, uint64_t bytes)
{
	struct auditlog *log = log_at(dir, "filled");
	struct auditlog_alert a;
	struct err e = { "" };

	evaluate_setup();
	evaluate_one();
	a = one_alert();
	for (uint64_t done = 0; done < bytes; done += a.before_len + a.after_len) {
		must(auditlog_append(log, &a, NULL, &e));
		must(auditlog_tick(log, (uint64_t)clock_ns(), &e));
	}
	return auditlog_close(log, &e) < 0;
}

/* ---- hash ---------------------------------------------------------------------------------------------------------- */

struct hashing {
	char **files;
	int n, next;
	uint64_t bytes;
};

static void *hash_files(void *arg)
{
	struct hashing *h = arg;
	int i;

	while ((i = __atomic_fetch_add(&h->next, 1, __ATOMIC_RELAXED)) < h->n) {
		_cleanup_close_ int fd = open(h->files[i], O_RDONLY);
		uint8_t digest[HASH_SIZE];
		struct stat st;
		void *p;

		if (fd < 0 || fstat(fd, &st) < 0 || !st.st_size)
			continue;
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p == MAP_FAILED)
			must(-errno);
		hash_sha256(p, (size_t)st.st_size, digest);
		munmap(p, (size_t)st.st_size);
		__atomic_fetch_add(&h->bytes, (uint64_t)st.st_size, __ATOMIC_RELAXED);
	}
	return NULL;
}

static int hash(int threads, char **files, int n)
{
	struct hashing h = { .files = files, .n = n };
	pthread_t t[16];
	double begin = clock_ns();

	threads = threads > 16 ? 16 : threads;
	for (int i = 0; i < threads; i++)
		if (pthread_create(&t[i], NULL, hash_files, &h))
			must(-EAGAIN);
	for (int i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	printf("%.3f %llu\n", (clock_ns() - begin) / NS, (unsigned long long)h.bytes);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "opens"))
		return opens(atof(argv[2]), atof(argv[3]), argv[4]);
	if (argc == 4 && !strcmp(argv[1], "burst"))
		return burst(strtoull(argv[2], NULL, 10), argv[3]);
	if (argc == 5 && !strcmp(argv[1], "evaluate"))
		return evaluate(argv[2], atof(argv[3]), atof(argv[4]));
	if (argc == 4 && !strcmp(argv[1], "ways"))
		return ways(argv[2], atof(argv[3]));
	if (argc == 4 && !strcmp(argv[1], "fill"))
		return fill(argv[2], strtoull(argv[3], NULL, 10));
	if (argc > 3 && !strcmp(argv[1], "hash"))
		return hash(atoi(argv[2]), argv + 3, argc - 3);
	fputs("log_tool: see its head\n", stderr);
	return 2;
}
