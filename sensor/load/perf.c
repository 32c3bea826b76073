/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/load/perf.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "sensor/load/kernel.h"

#define GROUP	     "tamis_" /* of our events in tracefs, with our pid behind it */
#define REMOVE_TRIES 20
#define REMOVE_US    5000

static int tracefs = -1; /* one set of files for the whole process, like libbpf's settings */
static unsigned int counter;

/* ---- tracefs --------------------------------------------------------------------------------------------------- */

static int write_kprobe_events(const char *line)
{
	_cleanup_close_ int fd = openat(tracefs, "kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, line, strlen(line)) < 0 ? -errno : 0;
}

/* Not before the kernel has let go of it, which may be a moment after the descriptor was closed. */
static void remove_event(const char *event)
{
	char line[80];

	snprintf(line, sizeof(line), "-:%s\n", event);
	for (int i = 0; i < REMOVE_TRIES && write_kprobe_events(line) == -EBUSY; i++)
		usleep(REMOVE_US);
}

/* Events of sensors that are no more. One that is in use by somebody cannot be removed, so nobody loses theirs. */
static void remove_leftovers(void)
{
	int fd = openat(tracefs, "kprobe_events", O_RDONLY | O_CLOEXEC);
	_cleanup_fclose_ FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	char line[512], event[64];
	int pid;

	while (f && fgets(line, sizeof(line), f)) {
		char *at = strstr(line, ":" GROUP);

		if (at && sscanf(at + 1, "%63s", event) == 1 && sscanf(event, GROUP "%d/", &pid) == 1 &&
		    kill(pid, 0) < 0 && errno == ESRCH) {
			char remove[80];

			snprintf(remove, sizeof(remove), "-:%s\n", event);
			write_kprobe_events(remove);
		}
	}
}

void perf_open(void)
{
	if (tracefs >= 0)
		return;
	tracefs = kernel_tracefs();
	if (tracefs >= 0)
		remove_leftovers();
}

void perf_close(void)
{
	if (tracefs >= 0)
		close(tracefs);
	tracefs = -1;
}

/* ---- events ---------------------------------------------------------------------------------------------------- */

static int event_open(const struct perf_event_attr *attr)
{
	long fd = syscall(SYS_perf_event_open, attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

static int read_number(int dir, const char *path, const char *format, unsigned int *ret)
{
	_cleanup_close_ int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		return -errno;
	text[n] = '\0';
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	return sscanf(text, format, ret) == 1 ? 0 : -EINVAL;
#pragma GCC diagnostic pop
}

/* An event that tracefs knows: "category/name". */
static int tracefs_event(const char *event)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr), .sample_period = 1, .wakeup_events = 1
	};
	char path[160];
	unsigned int id;
	int r;

	snprintf(path, sizeof(path), "events/%s/id", event);
	r = tracefs < 0 ? -ENOENT : read_number(tracefs, path, "%u", &id);
	if (r < 0)
		return r;
	attr.config = id;
	return event_open(&attr);
}

/* A kprobe that needs no name and goes with its descriptor. */
static int nameless_kprobe(const char *symbol, bool ret)
{
	static const char dir[] = "/sys/bus/event_source/devices/kprobe";
	struct perf_event_attr attr = { .size = sizeof(attr), .config1 = (uint64_t)(uintptr_t)symbol };
	unsigned int type, bit;
	char path[80];
	int r;

	snprintf(path, sizeof(path), "%s/type", dir);
	r = read_number(AT_FDCWD, path, "%u", &type);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s/format/retprobe", dir);
	r = read_number(AT_FDCWD, path, "config:%u", &bit);
	if (r < 0)
		return r;
	attr.type = type;
	attr.config = ret ? 1ull << bit : 0;
	return event_open(&attr);
}

/* A kretprobe with room for many calls; its name goes to @event. */
static int named_kretprobe(const char *symbol, unsigned int returns, char event[64])
{
	char line[320];
	int r;

	if (tracefs < 0)
		return -ENOENT;
	/* the pid twice: kprobe_profile leaves the group out */
	snprintf(event, 64, GROUP "%d/r%d_%u", getpid(), getpid(), ++counter);
	snprintf(line, sizeof(line), "r%u:%s %s\n", returns, event, symbol);
	r = write_kprobe_events(line);
	if (r == 0) {
		r = tracefs_event(event);
		if (r >= 0)
			return r;
		remove_event(event);
	}
	event[0] = '\0';
	return r;
}

int perf_try_kprobe(const char *symbol, bool ret)
{
	return nameless_kprobe(symbol, ret);
}

bool perf_has_tracepoint(const char *tracepoint)
{
	char path[128];

	snprintf(path, sizeof(path), "events/%s/id", tracepoint);
	return tracefs < 0 || faccessat(tracefs, path, F_OK, 0) == 0;
}

int perf_try_tracepoint(const char *tracepoint)
{
	return tracefs_event(tracepoint);
}

bool perf_later(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct have[2], less[2];
	int fd;

	if (syscall(SYS_capget, &head, have) < 0)
		return false;
	memcpy(less, have, sizeof(less));
	less[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
	if (syscall(SYS_capset, &head, less) < 0)
		return false;
	fd = tracefs_event("sched/sched_process_exit");
	syscall(SYS_capset, &head, have);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* ---- programs on them ------------------------------------------------------------------------------------------ */

/* A link where the kernel has them for perf events, else the event's own. */
static int set_program(int prog, struct perf_hook *h)
{
	h->link = bpf_link_create(prog, h->perf, BPF_PERF_EVENT, NULL);
	if (h->link < 0 && ioctl(h->perf, PERF_EVENT_IOC_SET_BPF, prog))
		return -errno;
	return ioctl(h->perf, PERF_EVENT_IOC_ENABLE, 0) ? -errno : 0;
}

/* @perf is an event or a negative errno. */
static int hang(int prog, int perf, const char *target, struct perf_hook *h, struct err *e)
{
	int r = perf;

	h->perf = perf;
	h->link = -1;
	h->attached = perf >= 0;
	if (perf >= 0)
		r = set_program(prog, h);
	if (r >= 0)
		return 0;
	perf_detach(h);
	return err_set(e, r, "cannot attach to %s: %s", target, strerror(-r));
}

int perf_kprobe(int prog, const char *symbol, unsigned int returns, struct perf_hook *h, struct err *e)
{
	int fd = returns ? named_kretprobe(symbol, returns, h->event) : -ENOENT;

	if (fd < 0)
		fd = nameless_kprobe(symbol, returns > 0);
	return hang(prog, fd, symbol, h, e);
}

int perf_tracepoint(int prog, const char *tracepoint, struct perf_hook *h, struct err *e)
{
	return hang(prog, tracefs_event(tracepoint), tracepoint, h, e);
}

void perf_detach(struct perf_hook *h)
{
	if (h->attached && h->perf >= 0) {
		ioctl(h->perf, PERF_EVENT_IOC_DISABLE, 0);
		close(h->perf);
	}
	if (h->attached && h->link >= 0)
		close(h->link);
	if (h->event[0])
		remove_event(h->event);
	*h = (struct perf_hook){ 0 };
}

/* ---- what was missed ------------------------------------------------------------------------------------------- */

/* struct bpf_link_info as of Linux 6.7 (3acf8ace6823), as far as it is asked: older headers lack the end. */
struct link_info {
	uint32_t type, id, prog_id;
	uint32_t pad;
	uint32_t perf_type;
	uint32_t pad2;
	uint64_t func_name;
	uint32_t name_len, offset;
	uint64_t addr, missed;
};

#define PERF_TYPE_KPROBE    3 /* BPF_PERF_EVENT_KPROBE, BPF_PERF_EVENT_KRETPROBE */
#define PERF_TYPE_KRETPROBE 4

static bool missed_by_link(const struct perf_hook *h, uint64_t *ret)
{
	struct link_info info = { 0 };
	uint32_t len = sizeof(info);

	if (h->link < 0 || bpf_obj_get_info_by_fd(h->link, &info, &len) || len < sizeof(info) ||
	    (info.perf_type != PERF_TYPE_KPROBE && info.perf_type != PERF_TYPE_KRETPROBE))
		return false;
	*ret = info.missed;
	return true;
}

/* tracefs tells it of events that it has a name for. */
static bool missed_by_profile(const struct perf_hook *h, uint64_t *ret)
{
	int fd = h->event[0] ? openat(tracefs, "kprobe_profile", O_RDONLY | O_CLOEXEC) : -1;
	_cleanup_fclose_ FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	const char *name = strchr(h->event, '/');
	unsigned long long missed;
	char line[256], event[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " %127s %*u %llu", event, &missed) == 2 && strcmp(event, name + 1) == 0) {
			*ret = missed;
			return true;
		}
	return false;
}

bool perf_missed(const struct perf_hook *h, uint64_t *ret)
{
	return h->attached && (missed_by_link(h, ret) || missed_by_profile(h, ret));
}
