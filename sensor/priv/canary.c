/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/canary.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/catalog.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/priv/monitor_impl.h"
#include "sensor/record/auditlog.h"

#define FIRST_NS    (10ull * 1000000000) /* the first round after the start */
#define DEADLINE_NS (2ull * 1000000000)	 /* for an act to arrive */

/* ---- the process: acts, all below its working directory ------------------------------------------------------------ */

static void did(struct canary_done *d, enum ev_type type, bool done)
{
	d->acts[type] = (uint8_t)(d->acts[type] + done);
}

static void act_on_files(struct canary_done *d)
{
	int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	did(d, EV_OPEN, fd >= 0);
	did(d, EV_CHMOD, chmod("f", 0640) == 0);
	did(d, EV_CHOWN, chown("f", getuid(), getgid()) == 0);
	did(d, EV_TRUNCATE, truncate("f", 1) == 0);
	did(d, EV_TRUNCATE, fd >= 0 && ftruncate(fd, 0) == 0);
	if (fd >= 0)
		close(fd);
	did(d, EV_LINK, link("f", "l") == 0);
	did(d, EV_SYMLINK, symlink("f", "s") == 0);
	did(d, EV_RENAME, rename("l", "r") == 0);
	did(d, EV_UNLINK, unlink("r") == 0);
	did(d, EV_UNLINK, unlink("s") == 0);
	did(d, EV_UNLINK, unlink("f") == 0);
	did(d, EV_MKDIR, mkdir("d", 0700) == 0);
	did(d, EV_RMDIR, rmdir("d") == 0);
}

/* A socket that nobody else can see: the kernel gives it a name, and there is nothing where it connects to. */
static void act_on_sockets(struct canary_done *d)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "none" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	did(d, EV_BIND, bind(fd, (struct sockaddr *)&a, sizeof(a.sun_family)) == 0);
	did(d, EV_CONNECT, connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0);
	close(fd);
}

static void act_on_processes(struct canary_done *d, int self)
{
	char *const argv[] = { (char *)CANARY_NAME, NULL }, *const none[] = { NULL };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		syscall(SYS_execveat, self, "", argv, none, AT_EMPTY_PATH);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return;
	did(d, EV_FORK, true);
	did(d, EV_EXIT, true);
	did(d, EV_EXEC, WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void process_loop(int fd, int self)
{
	char now;

	while (read(fd, &now, 1) == 1) {
		struct canary_done done = { { 0 } };
		static const char *const leftovers[] = { "f", "l", "r", "s" };

		for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++)
			unlink(leftovers[i]);
		rmdir("d");
		memset(&done, 0, sizeof(done)); /* what was cleared away is not counted: it only adds marks */
		act_on_files(&done);
		act_on_sockets(&done);
		act_on_processes(&done, self);
		if (write(fd, &done, sizeof(done)) != sizeof(done))
			break;
	}
}

static void process_main(int dir, int fd)
{
	const struct confine_user user = { CONFINE_CANARY_ID, CONFINE_CANARY_ID };
	int self = open("/proc/self/exe", O_PATH | O_CLOEXEC), keep[] = { fd, self };
	struct err e = { "" };
	sigset_t none;

	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(077);
	prctl(PR_SET_NAME, CANARY_NAME);
	log_open(CANARY_NAME, LOG_LEVEL_INFO);
	if (fchdir(dir) < 0)
		_exit(EXIT_FAILURE);
	children_close_all_but(keep, 2);
	if (confine_drop_user(&user, &e) < 0) {
		log_err("%s", e.msg);
		_exit(EXIT_FAILURE);
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	process_loop(fd, self);
	_exit(EXIT_SUCCESS);
}

bool canary_is_exec(int argc, char **argv)
{
	return argc == 1 && strcmp(argv[0], CANARY_NAME) == 0;
}

/* ---- the monitor's side -------------------------------------------------------------------------------------------- */

int canary_begin(struct canary *c, int dir, uint32_t seconds, struct err *e)
{
	int pair[2];

	c->fd = -1;
	c->seconds = seconds;
	if (!seconds)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(e, -errno, "cannot make a socket: %s", strerror(errno));
	c->pid = fork();
	if (c->pid == 0)
		process_main(dir, pair[1]);
	close(pair[1]);
	c->fd = pair[0];
	if (c->pid < 0)
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

/* {"event":"unlink","rung":"kprobe","seen":false} */
static void tell(struct monitor *m, const char *event, const char *rung, bool seen)
{
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	if (seen)
		log_info("canary: %s is seen again", event);
	else
		log_err("blind: %s, rung %s: the canary's act did not arrive", event, rung);
	buf_init(&b, 512);
	jsonw_obj_begin(&w);
	jsonw_member_str(&w, "event", event);
	jsonw_member_str(&w, "rung", rung);
	jsonw_member_bool(&w, "seen", seen);
	jsonw_obj_end(&w);
	notes_put(m, AUDITLOG_CANARY, &b);
	buf_done(&b);
}

static void die(struct monitor *m, const char *why)
{
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	m->canary.dead = true;
	canary_end(&m->canary);
	log_err("the canary is dead (%s): nothing tells whether the hooks see, until the sensor is started again", why);
	buf_init(&b, 512);
	jsonw_obj_begin(&w);
	jsonw_member_str(&w, "dead", why);
	jsonw_obj_end(&w);
	notes_put(m, AUDITLOG_CANARY, &b);
	buf_done(&b);
}

/* The rung that we have attached hooks for an event on, or NULL. */
static const char *rung_of(struct monitor *m, int type)
{
	return load_rung_name(load_attached(m->load, (uint16_t)type));
}

static void round_begin(struct monitor *m)
{
	struct canary *c = &m->canary;
	struct engine_counts ec;

	while (read(c->fd, &c->done, sizeof(c->done)) == sizeof(c->done))
		; /* the answer of a round that was given up */
	engine_counts_get(m->engine_page, &ec);
	memcpy(c->before, ec.canary, sizeof(c->before));
	c->generation = m->policy.generation;
	c->answered = false;
	c->deadline_ns = clock_mono_ns() + DEADLINE_NS;
	c->asked = write(c->fd, "", 1) == 1;
	if (!c->asked)
		die(m, "its process is gone");
}

/* An event whose act was done: has it brought its marks? */
static bool arrived(const struct canary *c, const struct engine_counts *ec, int type)
{
	return ec->canary[type] - c->before[type] >= c->done.acts[type];
}

static bool all_arrived(struct monitor *m, const struct engine_counts *ec)
{
	for (const int *type = notes_types_by_name(); *type; type++)
		if (!arrived(&m->canary, ec, *type) && rung_of(m, *type))
			return false;
	return true;
}

static void round_end(struct monitor *m, const struct engine_counts *ec)
{
	struct canary *c = &m->canary;
	const struct cat_event *ev = catalog_tamis()->events;

	for (const int *type = notes_types_by_name(); *type; type++) {
		const char *rung = rung_of(m, *type);
		bool blind = rung && !arrived(c, ec, *type);

		if (blind != c->blind[*type] && (rung || c->blind[*type]))
			tell(m, ev[*type].name, rung ? rung : "none", !blind);
		c->blind[*type] = blind;
	}
	c->asked = c->again = false;
	c->looked = true;
	c->seen_ns = clock_mono_ns();
	c->due_ns = c->seen_ns + c->seconds * 1000000000ull;
}

static void round_go_on(struct monitor *m)
{
	struct canary *c = &m->canary;
	struct engine_counts ec;
	bool late = clock_mono_ns() > c->deadline_ns;

	if (!c->answered && read(c->fd, &c->done, sizeof(c->done)) == sizeof(c->done))
		c->answered = true;
	if (!c->answered) {
		if (late && waitpid(c->pid, NULL, WNOHANG) == c->pid)
			return die(m, "its process is gone");
		if (late && c->again)
			return die(m, "its process does not answer");
		if (late) {
			c->again = true;
			c->deadline_ns = clock_mono_ns() + DEADLINE_NS;
		}
		return;
	}
	engine_counts_get(m->engine_page, &ec);
	if (c->generation != m->policy.generation || m->engine.state != CHILD_UP) {
		c->asked = false; /* what was to arrive is no longer clear: anew, as soon as it can be */
		return;
	}
	if (all_arrived(m, &ec) || (late && c->again))
		return round_end(m, &ec);
	if (late) {
		/* once more, before anybody is alarmed: a full ring, a run that the kernel skipped */
		c->again = true;
		round_begin(m);
	}
}

void canary_tick(struct monitor *m)
{
	struct canary *c = &m->canary;

	if (!c->seconds || c->dead || m->phase != PHASE_RUNNING)
		return;
	if (c->asked)
		round_go_on(m);
	else if (clock_mono_ns() >= c->due_ns && m->engine.state == CHILD_UP)
		round_begin(m);
}
