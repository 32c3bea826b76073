/* SPDX-License-Identifier: Apache-2.0 */
/* What rules may have done: who may be killed, how often, and who allows it. Kills real processes of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sensor/respond/disarm.h"
#include "sensor/respond/kill.h"
#include "sensor/respond/permit.h"

#define SECOND 1000000000ull

/* ---- who allows it ------------------------------------------------------------------------------------------------- */

static bool allows(const char *text, const char *policy, enum act_kind kind)
{
	struct err e = { "" };
	struct permit p;

	assert_int_equal(permit_parse(text, &p, &e), 0);
	return permit_allows(&p, policy, strlen(policy), kind);
}

static void what_is_allowed(void **state)
{
	static const char *const wrong[] = { "kill",  "=kill",	   "a=",    "a=kill,",
					     "a=kil", "a=kill  b", "a=set", "a=kill,,kill" };
	char many[PERMIT_ROWS * 8 + 16] = "", name[PERMIT_NAME + 16];
	struct err e = { "" };
	struct permit p;

	(void)state;
	assert_false(allows(NULL, "web", ACT_KILL));
	assert_false(allows("", "web", ACT_KILL));
	assert_true(allows("web=kill", "web", ACT_KILL));
	assert_false(allows("web=kill", "we", ACT_KILL));
	assert_false(allows("web=kill", "webs", ACT_KILL));
	assert_false(allows("web=kill", "web", ACT_HASH));
	assert_true(allows("  db=kill   web=kill ", "web", ACT_KILL));
	assert_true(allows("*=kill", "anything", ACT_KILL));
	assert_true(allows("web=kill,capture", "web", ACT_CAPTURE));
	assert_false(allows("web=kill", "web", ACT_CAPTURE));
	assert_true(allows("a=b=kill", "a=b", ACT_KILL));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		e.msg[0] = 0;
		assert_int_equal(permit_parse(wrong[i], &p, &e), -EINVAL);
		assert_true(e.msg[0]);
	}
	for (int i = 0; i < PERMIT_ROWS; i++)
		strcat(many, "a=kill ");
	assert_int_equal(permit_parse(many, &p, &e), 0);
	strcat(many, "b=kill");
	assert_int_equal(permit_parse(many, &p, &e), -EINVAL);
	memset(name, 'x', sizeof(name));
	strcpy(name + PERMIT_NAME, "=kill");
	assert_int_equal(permit_parse(name, &p, &e), -EINVAL);
	assert_int_equal(permit_parse("web=hash db=capture,kill", &p, &e), 0);
	assert_true(permit_any(&p, ACT_CAPTURE) && permit_any(&p, ACT_HASH) && !permit_any(&p, ACT_SET));
	assert_int_equal(permit_parse(NULL, &p, &e), 0);
	assert_false(permit_any(&p, ACT_CAPTURE));
	assert_true(permit_needed(ACT_KILL));
	assert_true(permit_needed(ACT_DENY));
	assert_true(allows("web=kill,deny", "web", ACT_DENY));
	assert_false(allows("web=kill", "web", ACT_DENY));
	assert_true(permit_needed(ACT_CAPTURE));
	assert_false(permit_needed(ACT_SET));
	assert_false(permit_needed(ACT_LOG));
}

/* ---- how often ----------------------------------------------------------------------------------------------------- */

static void limits(void **state)
{
	struct disarm d = { .off = false };
	struct disarm_hit h = { .now_ns = 1, .kills = 3 };

	(void)state;
	/* three in a minute, again and again */
	for (int i = 0; i < 30; i++, h.now_ns += 20 * SECOND)
		assert_null(disarm_hit(&d, &h));
	h.now_ns -= SECOND;
	assert_non_null(disarm_hit(&d, &h));
	assert_true(d.off);
	h.now_ns += 1000 * SECOND; /* for good */
	assert_non_null(disarm_hit(&d, &h));

	/* the sixth program within a minute */
	d = (struct disarm){ .off = false };
	h = (struct disarm_hit){ .now_ns = 1, .kills = 100 };
	for (int i = 0; i < 40; i++) {
		h.now_ns++;
		h.executable = (uint64_t)(1 + i % 5);
		assert_null(disarm_hit(&d, &h));
	}
	h.now_ns += 61 * SECOND;
	for (int i = 0; i < 5; i++) {
		h.now_ns++;
		h.executable = (uint64_t)(100 + i);
		assert_null(disarm_hit(&d, &h));
	}
	h.executable = 105;
	assert_non_null(disarm_hit(&d, &h));

	/* unless the rule does not mind; then the sixth container */
	d = (struct disarm){ .off = false };
	h.any_executable = true;
	for (int i = 0; i < 5; i++) {
		h.now_ns++;
		h.executable++;
		h.container++;
		assert_null(disarm_hit(&d, &h));
	}
	h.container = 0; /* the host is no container */
	assert_null(disarm_hit(&d, &h));
	h.container = 6;
	assert_non_null(disarm_hit(&d, &h));
	d = (struct disarm){ .off = false };
	h.any_container = true;
	for (int i = 0; i < 50; i++, h.container++, h.executable++)
		assert_null(disarm_hit(&d, &h));

	/* nothing said: the default; never more than there is room for */
	d = (struct disarm){ .off = false };
	h.kills = 0;
	for (int i = 0; i < DISARM_KILLS; i++)
		assert_null(disarm_hit(&d, &h));
	assert_non_null(disarm_hit(&d, &h));
	d = (struct disarm){ .off = false };
	h.kills = DISARM_KILLS_MAX;
	for (int i = 0; i < DISARM_KILLS_MAX; i++)
		assert_null(disarm_hit(&d, &h));
	assert_non_null(disarm_hit(&d, &h));
}

/* ---- who ----------------------------------------------------------------------------------------------------------- */

/* A child that waits for its end. */
static pid_t victim(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "a) b (c");
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	return pid;
}

static uint64_t start_of(pid_t pid)
{
	char path[64], line[1024];
	unsigned long long ticks = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	assert_int_equal(sscanf(strrchr(line, ')') + 1,
				" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
				&ticks),
			 1);
	return ticks * (SECOND / (uint64_t)sysconf(_SC_CLK_TCK)) +
	       1234567; /* as the kernel knows it: within that tick */
}

static enum kill_outcome hit(const struct kill_request *r)
{
	struct kill_target t;
	enum kill_outcome o = kill_look(r, &t);
	uint32_t n = 0;

	if (o == KILL_DONE)
		o = kill_fire(r, &t, &n);
	kill_done(&t);
	return o;
}

static int signal_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static bool lives(pid_t pid)
{
	int status;

	return waitpid(pid, &status, WNOHANG) == 0;
}

static struct kill_request request_of(pid_t pid, int sig)
{
	return (struct kill_request){
		.proc = "/proc", .pid = (uint32_t)pid, .start_ns = start_of(pid), .signal = sig, .scope = VAR_PROCESS
	};
}

static void one_process(void **state)
{
	pid_t pid = victim();
	struct kill_request r = request_of(pid, SIGTERM), other;
	struct kill_target t;
	char self[KILL_FILE_MAX] = "";

	(void)state;
	if (access("/proc/self/stat", R_OK) < 0)
		skip();
	/* not another one that has its number: started earlier, later, or nobody knows when */
	other = r;
	other.start_ns -= SECOND / 50;
	assert_int_equal(hit(&other), KILL_GONE);
	other.start_ns = r.start_ns + SECOND / 50;
	assert_int_equal(hit(&other), KILL_GONE);
	other.start_ns = 0;
	assert_int_equal(hit(&other), KILL_GONE);
	assert_true(lives(pid));
	/* nor one of our own */
	other = r;
	other.never = &pid;
	other.nnever = 1;
	assert_int_equal(hit(&other), KILL_NEVER);
	assert_true(lives(pid));

	assert_int_equal(kill_look(&r, &t), KILL_DONE);
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_string_equal(t.file, self);
	assert_true(t.executable != 0);
	assert_true(t.cgroup[0] == '/');
	kill_done(&t);
	assert_true(lives(pid));
	assert_int_equal(hit(&r), KILL_DONE);
	assert_int_equal(signal_of(pid), SIGTERM);
	assert_int_equal(hit(&r), KILL_GONE);
}

static void zombies_and_threads(void **state)
{
	pid_t pid = victim();
	struct kill_request r = request_of(pid, SIGKILL);
	siginfo_t si;

	(void)state;
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &si, WEXITED | WNOWAIT); /* a zombie from here on */
	assert_int_equal(hit(&r), KILL_GONE);
	signal_of(pid);
	r.pid = 0;
	assert_int_equal(hit(&r), KILL_GONE);
	r.pid = UINT32_MAX;
	assert_int_equal(hit(&r), KILL_GONE);
}

/* It cannot be tried out in earnest: with signal 0, which hits nobody. */
static void never(void **state)
{
	struct kill_request r = request_of(getpid(), 0);

	(void)state;
	assert_int_equal(hit(&r), KILL_NEVER);
	if (access("/proc/1/stat", R_OK) == 0) {
		r = request_of(1, 0);
		assert_int_equal(hit(&r), KILL_NEVER);
	}
	if (access("/proc/2/stat", R_OK) == 0) { /* kthreadd, if this is no container */
		char line[64] = "";
		FILE *f = fopen("/proc/2/comm", "re");

		if (f && fgets(line, sizeof(line), f) && strcmp(line, "kthreadd\n") == 0) {
			r = request_of(2, 0);
			assert_int_equal(hit(&r), KILL_NEVER);
		}
		if (f)
			fclose(f);
	}
	/* a container's, outside of one */
	r = request_of(getppid(), 0);
	if (r.pid > 1) {
		struct kill_target t;

		r.scope = VAR_CONTAINER;
		if (kill_look(&r, &t) != KILL_DONE)
			assert_string_equal(t.container, "");
		kill_done(&t);
	}
}

/* ---- a container --------------------------------------------------------------------------------------------------- */

#define ID "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* A /proc that says of some real processes that they are in a container. */
static void claim(const char *proc, pid_t pid, const char *cgroup)
{
	char path[256], stat_path[64], line[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%d", proc, pid);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%d/cgroup", proc, pid);
	put(path, cgroup);
	snprintf(stat_path, sizeof(stat_path), "/proc/%d/stat", pid);
	f = fopen(stat_path, "re");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	snprintf(path, sizeof(path), "%s/%d/stat", proc, pid);
	put(path, line);
}

static void a_whole_container(void **state)
{
	char proc[] = "/tmp/tamis-test-respond.XXXXXX", command[64];
	pid_t in1 = victim(), in2 = victim(), ours = victim(), out = victim(), host = victim();
	struct kill_request r = request_of(in1, SIGKILL);
	struct kill_target t;
	uint32_t n;

	(void)state;
	assert_non_null(mkdtemp(proc));
	claim(proc, in1, "0::/system.slice/docker-" ID ".scope\n");
	claim(proc, in2, "0::/system.slice/docker-" ID ".scope/sub\n");
	claim(proc, ours, "0::/system.slice/docker-" ID ".scope\n");
	claim(proc, out, "0::/system.slice/docker-8" ID ".scope\n");
	claim(proc, host, "0::/\n");
	r.proc = proc;
	r.scope = VAR_CONTAINER;
	r.never = &ours;
	r.nnever = 1;
	assert_int_equal(kill_look(&r, &t), KILL_DONE);
	assert_string_equal(t.container, ID);
	assert_int_equal(kill_fire(&r, &t, &n), KILL_DONE);
	kill_done(&t);
	assert_true(n >= 2); /* this /proc goes on saying that they live */
	assert_int_equal(signal_of(in1), SIGKILL);
	assert_int_equal(signal_of(in2), SIGKILL);
	assert_true(lives(ours) && lives(out) && lives(host));

	r = request_of(host, SIGKILL);
	r.proc = proc;
	r.scope = VAR_CONTAINER;
	assert_int_equal(hit(&r), KILL_NOWHERE);
	r.scope = VAR_CGROUP; /* the root of all */
	assert_int_equal(hit(&r), KILL_NOWHERE);
	assert_true(lives(ours) && lives(out) && lives(host));
	claim(proc, host, "0::/jobs/a\n");
	claim(proc, out, "0::/jobs/a\n");
	claim(proc, ours, "0::/jobs/ab\n");
	assert_int_equal(hit(&r), KILL_DONE);
	assert_int_equal(signal_of(host), SIGKILL);
	assert_int_equal(signal_of(out), SIGKILL);
	assert_true(lives(ours));
	kill(ours, SIGKILL);
	signal_of(ours);
	snprintf(command, sizeof(command), "rm -rf %s", proc);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_allowed),     cmocka_unit_test(limits), cmocka_unit_test(one_process),
		cmocka_unit_test(zombies_and_threads), cmocka_unit_test(never),	 cmocka_unit_test(a_whole_container),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
