/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/priv/clock.h"
#include "sensor/priv/monitor_impl.h"
#include "sensor/priv/spool_proc.h"

#define END_MS	6000
#define FAILS_S 300 /* a sink that has not delivered for so long is an alert */
#define AGAIN_S 5   /* keeper and spool that die at once are not started more often */
#define NS	1000000000ull

static int start_reserve(struct monitor *m, struct err *e)
{
	struct spool *s = &m->spool;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return err_set(e, -errno, "cannot make a socket: %s", strerror(errno));
	s->reserve = fork();
	if (s->reserve == 0) {
		struct spool_args a = { .confs = &s->confs,
					.page = s->page,
					.news = s->news,
					.host = m->host,
					.modules = m->o->sink_modules,
					.monitor_fd = -1,
					.log_fd = m->state.log_fd,
					.spool_fd = m->state.spool_fd,
					.null_fd = m->null_fd,
					.mode = m->mode };

		close(fds[0]);
		news_protect(s->news);
		spool_reserve(&a, fds[1]);
	}
	close(fds[1]);
	s->reserve_fd = fds[0];
	return s->reserve < 0 ? err_set(e, -errno, "cannot start the spool: %s", strerror(errno)) : 0;
}

/* Has the reserve fork a keeper, which starts the rest. -1: there is no reserve any more. */
static int start(struct spool *s)
{
	int fds[2], r;

	if (s->fd >= 0)
		close(TAKE_FD(s->fd));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -1;
	s->started_ns = clock_mono_ns();
	r = spool_give(s->reserve_fd, fds[1]);
	close(fds[1]);
	s->fd = fds[0];
	return r;
}

int spool_begin(struct monitor *m, struct err *e)
{
	struct spool *s = &m->spool;
	int r = m->o->sinks ? sinkconf_read_dir(m->o->sinks, &s->confs, e) : 0;

	if (r < 0 || !s->confs.n)
		return r;
	s->page = page_map(&s->confs);
	s->news = news_map();
	if (!s->page || !s->news)
		return err_set(e, -ENOMEM, "no memory for the sinks' counters");
	r = start_reserve(m, e);
	return r < 0 ? r : start(s) < 0 ? err_set(e, -EPIPE, "the spool's processes cannot be started") : 0;
}

/* ---- each second --------------------------------------------------------------------------------------------------- */

static void tell_restarts(struct monitor *m)
{
	struct spool *s = &m->spool;
	uint64_t restarts = page_load(&s->page->restarts), keepers = page_load(&s->page->keepers);

	if (restarts != s->restarts_told)
		alarm_raise(m, ALARM_PROCESS,
			    &(struct alarm){ .what = "spool", .reason = "killed, and started again by its keeper" });
	if (keepers != s->keepers_told)
		alarm_raise(
			m, ALARM_PROCESS,
			&(struct alarm){ .what = "spool keeper", .reason = "killed, and started again by the spool" });
	s->restarts_told = restarts;
	s->keepers_told = keepers;
}

static void tell_failing(struct monitor *m, size_t i)
{
	struct spool *s = &m->spool;
	struct sink_counts c;
	char reason[PAGE_TEXT + 80];

	page_get(&s->page->sink[i], &c);
	if (!c.failing_ns && s->failing_told[i]) {
		log_info("sink %s delivers again", s->confs.sink[i].name);
		s->failing_told[i] = 0;
	}
	if (!c.failing_ns || s->failing_told[i] || clock_real_ns() - c.failing_ns < FAILS_S * NS)
		return;
	s->failing_told[i] = c.failing_ns;
	snprintf(reason, sizeof(reason), "sink %s delivers nothing: %s", s->confs.sink[i].name, c.error);
	log_warn("%s; its alerts wait in the log", reason);
	alarm_raise(m, ALARM_SINK, &(struct alarm){ .what = s->confs.sink[i].name, .reason = reason });
}

void spool_held(struct monitor *m, const struct msg_held *held)
{
	const char *who;
	char reason[200];

	page_hold(m->spool.page, &who);
	if (held->lost)
		snprintf(reason, sizeof(reason),
			 "segments of the log up to %llu are pruned, which sink %s has not read: they are LOST to it",
			 (unsigned long long)held->segment, who);
	else
		snprintf(
			reason, sizeof(reason),
			"old segments of the log stay, because sink %s has not read them from segment %llu on; the log grows "
			"beyond its limit",
			who, (unsigned long long)held->segment);
	log_warn("%s", reason);
	alarm_raise(m, ALARM_SINK, &(struct alarm){ .what = who, .reason = reason });
}

static bool is_closed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* Keeper and spool are gone, both. */
static void start_again(struct monitor *m)
{
	struct spool *s = &m->spool;
	const char *reason = "killed together with its keeper, and started again by the reserve";

	s->together++;
	s->gone = start(s) < 0;
	if (s->gone)
		reason =
			"killed together with its keeper and their reserve; nothing goes to the sinks until the sensor is "
			"started again";
	log_err("the spool was %s", reason);
	alarm_raise(m, ALARM_PROCESS, &(struct alarm){ .what = "spool", .reason = reason });
}

void spool_tick(struct monitor *m)
{
	struct spool *s = &m->spool;

	if (!s->page || s->gone)
		return;
	if (s->reserve > 0 && waitpid(s->reserve, NULL, WNOHANG) == s->reserve) {
		s->reserve = 0;
		log_err("the reserve of the spool was killed; the spool goes on without");
		alarm_raise(m, ALARM_PROCESS,
			    &(struct alarm){ .what = "spool reserve", .reason = "killed; the spool goes on without" });
	}
	if (m->phase != PHASE_RUNNING)
		return;
	tell_restarts(m);
	for (size_t i = 0; i < s->confs.n; i++)
		tell_failing(m, i);
	if (is_closed(s->fd) && clock_mono_ns() - s->started_ns > AGAIN_S * NS)
		start_again(m);
}

void spool_end(struct monitor *m)
{
	struct spool *s = &m->spool;
	struct pollfd p = { .fd = s->fd, .events = POLLIN };

	if (s->fd >= 0) {
		/* nobody takes it away: each of the spool's processes sees it */
		if (send(s->fd, "e", 1, MSG_NOSIGNAL) == 1 && poll(&p, 1, END_MS) <= 0)
			log_warn("the sinks do not come to an end; what is left is sent after the next start");
		close(TAKE_FD(s->fd));
	}
	if (s->reserve_fd >= 0)
		close(TAKE_FD(s->reserve_fd));
	page_unmap(s->page);
	news_unmap(s->news);
	s->page = NULL;
	sinkconf_done(&s->confs);
}

/* ---- what tamisctl asks -------------------------------------------------------------------------------------------- */

static void put_sink(const struct page_slot *slot, struct jsonw *w)
{
	struct sink_counts c;
	char why[PAGE_TEXT];
	uint64_t now = clock_real_ns();

	page_get(slot, &c);
	page_text(slot->why, why);
	jsonw_obj_begin(w);
	jsonw_member_u64(w, "duplicates", c.duplicates);
	jsonw_member_str(w, "error", c.error);
	jsonw_member_u64(w, "failing", c.failing_ns && c.failing_ns < now ? (now - c.failing_ns) / NS + 1 : 0);
	jsonw_member_u64(w, "filtered", c.filtered);
	jsonw_member_u64(w, "folded", c.folded);
	jsonw_member_u64(w, "lag_records", c.head > c.seq ? c.head - c.seq : 0);
	jsonw_member_u64(w, "lag_seconds", c.oldest_ns && c.oldest_ns < now ? (now - c.oldest_ns) / NS : 0);
	jsonw_member_u64(w, "missed", c.missed);
	jsonw_member_str(w, "name", slot->name);
	jsonw_member_str(w, "process", why);
	jsonw_member_u64(w, "refused", c.refused);
	jsonw_member_u64(w, "restarts", page_load(&slot->restarts));
	jsonw_member_u64(w, "retried", c.retried);
	jsonw_member_u64(w, "sent", c.sent);
	jsonw_member_u64(w, "seq", c.seq);
	jsonw_member_str(w, "state", page_state_name(c.state));
	jsonw_member_bool(w, "test_failed", c.test_bad != 0);
	jsonw_member_u64(w, "tests", c.tests);
	jsonw_member_str(w, "type", slot->type);
	jsonw_obj_end(w);
}

void spool_put(struct monitor *m, struct jsonw *w)
{
	const struct spool *s = &m->spool;

	jsonw_key(w, "sinks");
	jsonw_arr_begin(w);
	for (size_t i = 0; s->page && i < s->confs.n; i++)
		put_sink(&s->page->sink[i], w);
	jsonw_arr_end(w);
}

void spool_put_process(struct monitor *m, struct jsonw *w)
{
	const struct spool *s = &m->spool;

	jsonw_key(w, "spool");
	jsonw_obj_begin(w);
	jsonw_member_u64(w, "pid", s->page ? page_load(&s->page->pid) : 0);
	jsonw_member_u64(w, "restarts", s->page ? page_load(&s->page->restarts) + s->together : 0);
	jsonw_member_str(w, "state", !s->page ? "off" : s->gone ? "gone" : "up");
	jsonw_obj_end(w);
}

int spool_test(struct monitor *m, const char *name, struct err *e)
{
	struct spool *s = &m->spool;

	for (size_t i = 0; s->page && i < s->confs.n; i++)
		if (strcmp(s->confs.sink[i].name, name) == 0) {
			struct page_slot *slot = &s->page->sink[i];

			page_store(&slot->tests_wanted, page_load(&slot->tests_wanted) + 1);
			return 0;
		}
	return err_set(e, -ENOENT, "there is no sink '%s': tamisctl sinks lists them", name);
}
