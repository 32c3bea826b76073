/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's side of the canary: when its rounds are, what it says, and whether its acts arrive. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/catalog.h"
#include "lib/log.h"
#include "sensor/priv/monitor_impl.h"
#include "sensor/record/auditlog.h"

#define FIRST_NS    (10ull * 1000000000) /* the first round after the start */
#define DEADLINE_NS (2ull * 1000000000)	 /* for an act to arrive */
#define ANSWER_NS   (15ull * 1000000000) /* for the canary to do its acts, or to get on with them */
#define BEHIND_NS   (60ull * 1000000000) /* at most, on a busy machine; and for the engine to catch up */

int canary_begin(struct canary *c, int dir, uint32_t seconds, struct err *e)
{
	int pair[2], on = 1;

	c->fd = -1;
	c->seconds = seconds;
	if (!seconds)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, -errno, "cannot make a socket: %s", strerror(errno));
	/* who the canary is, one says who could name another: the kernel tells it with each message */
	setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	c->keeper = fork();
	if (c->keeper == 0)
		canary_process(dir, pair[1]);
	close(pair[1]);
	c->fd = pair[0];
	if (c->keeper < 0)
		return err_set(e, -errno, "cannot start the canary: %s", strerror(errno));
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	c->due_ns = clock_mono_ns() + (seconds < 10 ? seconds * 1000000000ull : FIRST_NS);
	return 0;
}

void canary_end(struct canary *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* ---- what is said of it ------------------------------------------------------------------------------------------------ */

/* {"event":"unlink","rung":"kprobe","seen":false} */
static void tell(struct monitor *m, const char *event, const char *rung, bool seen, const char *reason)
{
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	if (seen)
		log_info("canary: %s is seen again", event);
	else {
		log_err("blind: %s, rung %s: %s", event, rung, reason);
		alarm_raise(m, ALARM_BLIND, &(struct alarm){ .what = event, .rung = rung, .reason = reason });
	}
	buf_init(&b, 512);
	jsonw_obj_begin(&w);
	jsonw_member_str(&w, "event", event);
	jsonw_member_str(&w, "rung", rung);
	jsonw_member_bool(&w, "seen", seen);
	jsonw_obj_end(&w);
	notes_put(m, AUDITLOG_CANARY, &b);
	buf_done(&b);
}

/* {"dead":"killed by signal 9"}, {"alive":"it was started again"} */
static void tell_state(struct monitor *m, const char *key, const char *why)
{
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	buf_init(&b, 512);
	jsonw_obj_begin(&w);
	jsonw_member_str(&w, key, why);
	jsonw_obj_end(&w);
	notes_put(m, AUDITLOG_CANARY, &b);
	buf_done(&b);
}

static void die(struct monitor *m, const char *why)
{
	struct canary *c = &m->canary;

	c->asked = c->again = false;
	c->due_ns = clock_mono_ns() + c->seconds * 1000000000ull;
	if (c->dead)
		return;
	c->dead = true;
	log_err("the canary is dead (%s): nothing tells whether the hooks see", why);
	tell_state(m, "dead", why);
	alarm_raise(m, ALARM_CANARY, &(struct alarm){ .what = "canary", .reason = why });
}

static void revive(struct monitor *m, const char *how)
{
	if (!m->canary.dead)
		return;
	m->canary.dead = false;
	log_info("the canary is alive: %s", how);
	tell_state(m, "alive", how);
}

/* ---- what it says ------------------------------------------------------------------------------------------------------ */

struct said {
	union {
		uint8_t hello;
		struct canary_died died;
		struct canary_done done;
	};
	ssize_t size;
	struct ucred who;
};

/* 1: something was said; 0: nothing now; -1: nobody can say anything any more */
static int hear(const struct canary *c, struct said *ret)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = { ret, sizeof(struct canary_done) };
	struct msghdr mh = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	const struct cmsghdr *cm;

	ret->size = recvmsg(c->fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (ret->size < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	ret->who = (struct ucred){ .uid = (uid_t)-1 };
	cm = CMSG_FIRSTHDR(&mh);
	if (cm && cm->cmsg_level == SOL_SOCKET && cm->cmsg_type == SCM_CREDENTIALS)
		memcpy(&ret->who, CMSG_DATA(cm), sizeof(ret->who));
	return ret->size > 0 ? 1 : -1;
}

static void on_hello(struct monitor *m, const struct ucred *who)
{
	struct canary *c = &m->canary;

	if (who->uid != CONFINE_CANARY_ID || who->pid <= 0)
		return;
	c->restarts += c->pid != 0 || c->dead;
	c->pid = who->pid;
	load_canary(m->load, (uint32_t)c->pid);
	inodes_canary(m->inodes, (uint32_t)c->pid);
	if (c->asked || c->dead) {
		c->asked = c->again = false;
		c->due_ns = 0;
	}
	revive(m, "it was started again");
}

static void on_died(struct monitor *m, const struct canary_died *d)
{
	char why[64];

	if (WIFSTOPPED(d->status))
		snprintf(why, sizeof(why), "stopped by signal %d", WSTOPSIG(d->status));
	else if (WIFSIGNALED(d->status))
		snprintf(why, sizeof(why), "killed by signal %d", WTERMSIG(d->status));
	else
		snprintf(why, sizeof(why), "exited with status %d", WEXITSTATUS(d->status));
	load_canary(m->load, 0);
	die(m, why);
}

static void on_done(struct monitor *m, const struct canary_done *d)
{
	struct canary *c = &m->canary;

	if (!c->asked || d->round != c->round)
		return; /* the answer of a round that was given up */
	c->done = *d;
	c->answered = true;
	c->answered_ns = clock_mono_ns();
	revive(m, "it answers again");
}

static void listen_to(struct monitor *m)
{
	struct canary *c = &m->canary;
	struct said s;
	int r;

	while ((r = hear(c, &s)) > 0) {
		if (s.size == CANARY_HELLO_SIZE)
			on_hello(m, &s.who);
		else if (s.size == sizeof(s.died))
			on_died(m, &s.died);
		else if (s.size == sizeof(s.done))
			on_done(m, &s.done);
	}
	if (r == 0)
		return;
	c->gone = true;
	die(m, "its processes are gone, until the sensor is started again");
	canary_end(c);
}

void canary_keeper_ended(struct monitor *m)
{
	static const char why[] = "it was killed; the canary takes its place";

	m->canary.keeper = 0;
	if (m->phase != PHASE_RUNNING)
		return;
	log_warn("the canary's keeper: %s", why);
	alarm_raise(m, ALARM_CANARY, &(struct alarm){ .what = "keeper", .reason = why });
}

/* ---- rounds ------------------------------------------------------------------------------------------------------------ */

/* The rung that we have attached hooks for an event on, or NULL. */
static const char *rung_of(struct monitor *m, int type)
{
	return load_rung_name(load_attached(m->load, (uint16_t)type));
}

/*
 * The processor time that a process has had; 0 if it is gone. The number of its clock is made as the kernel's
 * include/linux/posix-timers.h does; clock_getcpuclockid(3) does, too, with a system call that the monitor has no other use for.
 */
static uint64_t ran_ns(pid_t pid)
{
	const clockid_t clock = (clockid_t)(~(unsigned int)pid << 3 | 2);
	struct timespec t;

	return clock_gettime(clock, &t) < 0 ? 0 : (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void round_begin(struct monitor *m)
{
	struct canary *c = &m->canary;

	for (unsigned int type = 0; type < EV_TYPES; type++)
		c->before[type] = engine_canary_get(m->engine_page, type);
	c->generation = m->policy.generation;
	c->answered = false;
	c->round++;
	c->asked_ns = c->moved_ns = clock_mono_ns();
	c->ran_ns = ran_ns(c->pid);
	c->asked = send(c->fd, &c->round, sizeof(c->round), MSG_NOSIGNAL) == sizeof(c->round);
	if (!c->asked)
		die(m, "it reads nothing");
}

/* An event whose act was done: has it brought its marks? */
static bool arrived(const struct monitor *m, int type)
{
	const struct canary *c = &m->canary;

	return engine_canary_get(m->engine_page, (unsigned int)type) - c->before[type] >= c->done.acts[type];
}

static bool all_arrived(struct monitor *m)
{
	for (const int *type = notes_types_by_name(); *type; type++)
		if (!arrived(m, *type) && rung_of(m, *type))
			return false;
	return true;
}

static void round_end(struct monitor *m)
{
	struct canary *c = &m->canary;
	const struct cat_event *ev = catalog_tamis()->events;

	for (const int *type = notes_types_by_name(); *type; type++) {
		const char *rung = rung_of(m, *type);
		/* packets have six programs, and one act */
		bool cut = load_cut(m->load, (uint16_t)*type), blind = rung && (cut || !arrived(m, *type));

		if (blind != c->blind[*type] && (rung || c->blind[*type]))
			tell(m, ev[*type].name, rung ? rung : "none", !blind,
			     cut ? "its program was taken off the cgroups' root" : "the canary's act did not arrive");
		c->blind[*type] = blind;
	}
	c->asked = c->again = false;
	c->looked = true;
	c->seen_ns = clock_mono_ns();
	c->due_ns = c->seen_ns + c->seconds * 1000000000ull;
}

/* Whether one that has not answered is stopped or waits for something, not just slow because others have the processors. */
static bool is_stuck(struct canary *c)
{
	uint64_t now = clock_mono_ns(), ran = ran_ns(c->pid);

	if (ran != c->ran_ns) {
		c->ran_ns = ran;
		c->moved_ns = now;
	}
	return now - c->moved_ns > ANSWER_NS || now - c->asked_ns > BEHIND_NS;
}

static void round_go_on(struct monitor *m)
{
	struct canary *c = &m->canary;
	struct engine_counts ec;

	if (!c->answered) {
		if (is_stuck(c))
			die(m, "it does not answer");
		return;
	}
	engine_counts_get(m->engine_page, &ec);
	if (c->generation != m->policy.generation || m->engine.state != CHILD_UP) {
		c->asked = false; /* what was to arrive is no longer clear: anew, as soon as it can be */
		return;
	}
	if (all_arrived(m))
		return round_end(m);
	/* marks may wait in the rings behind much else: then nobody is blind yet */
	if (ec.drained_ns < c->answered_ns && clock_mono_ns() - c->answered_ns < BEHIND_NS)
		return;
	if (clock_mono_ns() < c->answered_ns + DEADLINE_NS)
		return;
	if (c->again) {
		round_end(m);
	} else {
		/* once more, before anybody is alarmed: a full ring, a run that the kernel skipped */
		c->again = true;
		round_begin(m);
	}
}

void canary_tick(struct monitor *m)
{
	struct canary *c = &m->canary;

	if (!c->seconds || c->gone)
		return;
	listen_to(m);
	if (c->gone || m->phase != PHASE_RUNNING)
		return;
	if (c->asked)
		round_go_on(m);
	else if (c->pid && clock_mono_ns() >= c->due_ns && m->engine.state == CHILD_UP)
		round_begin(m);
}
