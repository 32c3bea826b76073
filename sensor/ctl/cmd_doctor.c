/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor: one table of what a host must or should have. Each row tries for real, nothing goes by version numbers.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <pwd.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/jsonw.h"
#include "sensor/ctl/commands.h"
#include "sensor/ctl/show.h"
#include "sensor/load/kernel.h"
#include "sensor/load/offsets.h"
#include "sensor/load/load.h"
#include "sensor/priv/confine.h"

#define FREE_BYTES_WANTED (256ull << 20)

enum verdict { GOOD, WORSE, MISSING };

struct finding {
	enum verdict verdict;
	char text[400]; /* what was found */
};

static int find(struct finding *f, enum verdict v, const char *text)
{
	f->verdict = v;
	snprintf(f->text, sizeof(f->text), "%s", text);
	return v;
}

static void check_root(struct finding *f, const char *state)
{
	find(f, geteuid() == 0 ? GOOD : MISSING, geteuid() == 0 ? "runs as root" : "does not run as root");
}

static char *btf_dir(const char *state)
{
	char *dir;

	return asprintf(&dir, "%s/btf", state) < 0 ? NULL : dir;
}

static void check_btf(struct finding *f, const char *state)
{
	_cleanup_free_ char *dir = btf_dir(state), *file = NULL;

	if (access("/sys/kernel/btf/vmlinux", R_OK) == 0) {
		find(f, GOOD, "/sys/kernel/btf/vmlinux is there");
		return;
	}
	if (kernel_btf_search(dir, &file, NULL) < 0) {
		struct offsets o;
		struct err e = { "" };
		int n = offsets_find(&o, &e);

		snprintf(f->text, sizeof(f->text),
			 "/sys/kernel/btf/vmlinux is missing, and no file stands in for it; %.200s%d of %d offsets %s",
			 n < 0 ? e.msg : "", n < 0 ? 0 : n, OFFSETS_N, "are found out");
		f->verdict = n < 0 ? MISSING : WORSE;
		return;
	}
	snprintf(f->text, sizeof(f->text), "/sys/kernel/btf/vmlinux is missing; %s stands in for it", file);
	f->verdict = WORSE;
}

static void check_proc(struct finding *f, const char *state)
{
	bool there = access("/proc/self/stat", R_OK) == 0;

	find(f, there ? GOOD : MISSING, there ? "/proc is mounted" : "/proc is not mounted");
}

/* A map of the kind that matters; closed at once. */
static void check_ring(struct finding *f, const char *state)
{
	union bpf_attr a;
	int fd;

	memset(&a, 0, sizeof(a));
	a.map_type = BPF_MAP_TYPE_RINGBUF;
	a.max_entries = LOAD_RING_BYTES;
	fd = (int)syscall(__NR_bpf, BPF_MAP_CREATE, &a, sizeof(a));
	if (fd >= 0) {
		close(fd);
		find(f, GOOD, "a ring buffer can be made");
		return;
	}
	snprintf(f->text, sizeof(f->text), "no ring buffer can be made: %s", strerror(errno));
	f->verdict = MISSING;
}

static void check_seccomp(struct finding *f, const char *state)
{
	/* with no filter given, a kernel that knows filters complains of the address (EFAULT), another of the mode (EINVAL) */
	bool there = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) < 0 && errno == EFAULT;

	find(f, there ? GOOD : MISSING, there ? "system calls can be filtered" : "system calls cannot be filtered");
}

/* Loads everything as the sensor would, and looks at what came of it. */
static void check_hooks(struct finding *f, const char *state)
{
	struct load_hook rows[LOAD_HOOKS_MAX];
	_cleanup_free_ char *dir = btf_dir(state);
	struct load_options o = { .btf_dir = dir };
	struct err e = { "" };
	struct load *l;
	int n, best = 0, kprobes = 0;

	if (load_open(&o, &l, &e) < 0) {
		find(f, MISSING, e.msg);
		return;
	}
	n = load_hooks(l, rows, LOAD_HOOKS_MAX);
	for (int i = 0; i < n && i < LOAD_HOOKS_MAX; i++)
		best += rows[i].rung == EV_RUNG_FENTRY, kprobes += rows[i].rung == EV_RUNG_KPROBE;
	if (best || kprobes)
		snprintf(f->text, sizeof(f->text), "%d programs load, %d of them by fentry and %d by kprobe", n, best,
			 kprobes);
	else
		snprintf(f->text, sizeof(f->text), "%d programs load, all on the tracepoint rung", n);
	f->verdict = best || kprobes ? GOOD : WORSE;
	load_free(l);
}

static void check_users(struct finding *f, const char *state)
{
	struct confine_user engine, record;

	confine_user(ROLE_ENGINE, &engine);
	confine_user(ROLE_RECORD, &record);
	if (engine.uid != CONFINE_ENGINE_ID && record.uid != CONFINE_RECORD_ID)
		find(f, GOOD, "the users " CONFINE_ENGINE_USER " and " CONFINE_RECORD_USER " exist");
	else
		find(f, WORSE,
		     "the users " CONFINE_ENGINE_USER " and " CONFINE_RECORD_USER " do not both exist: numbers "
		     "that belong to nobody are taken");
}

/* The nearest directory above that exists, so that a first start is judged too. */
static void check_space(struct finding *f, const char *state)
{
	_cleanup_free_ char *path = strdup(state);
	struct statvfs s;
	char room[SHOW_MAX];

	while (path && *path && statvfs(path, &s) < 0) {
		char *slash = strrchr(path, '/');

		if (!slash || slash == path)
			strcpy(path, "/");
		else
			*slash = '\0';
	}
	if (!path || !*path) {
		find(f, MISSING, "the place for the log cannot be found out");
		return;
	}
	snprintf(f->text, sizeof(f->text), "%s has room for %s%s", path, show_bytes(s.f_bavail * s.f_frsize, room),
		 s.f_flag & ST_RDONLY ? ", but is read-only" : "");
	f->verdict = s.f_flag & ST_RDONLY ? MISSING : s.f_bavail * s.f_frsize < FREE_BYTES_WANTED ? WORSE : GOOD;
}

static const struct check {
	const char *name;
	void (*run)(struct finding *f, const char *state);
	const char *remedy;
} checks[] = {
	{ "root", check_root, "start the sensor, and this, as root" },
	{ "proc", check_proc, "mount -t proc proc /proc" },
	{ "btf", check_btf,
	  "use a kernel built with CONFIG_DEBUG_INFO_BTF, or give a file of it, see TYPE INFORMATION in tamisd(8)" },
	{ "ring", check_ring,
	  "allow BPF: root with CAP_BPF, Linux 5.8 or later, and in a container the bpf system call" },
	{ "hooks", check_hooks,
	  "on a kernel with ftrace (CONFIG_FUNCTION_TRACER, CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS), or with "
	  "more privilege in a container, the better rungs are taken; `tamisctl hooks` tells what is missed" },
	{ "seccomp", check_seccomp, "use a kernel built with CONFIG_SECCOMP_FILTER" },
	{ "users", check_users,
	  "systemd-sysusers, or: useradd -r " CONFINE_ENGINE_USER "; useradd -r " CONFINE_RECORD_USER },
	{ "space", check_space, "make room, or choose another --state DIR" },
};
#define NCHECKS (sizeof(checks) / sizeof(checks[0]))

static const char *const verdict_names[] = { "ok", "worse", "missing" };

static void print_json(const struct finding *found)
{
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	buf_init(&b, 64 << 10);
	jsonw_arr_begin(&w);
	for (size_t i = 0; i < NCHECKS; i++) {
		jsonw_obj_begin(&w);
		jsonw_member_str(&w, "check", checks[i].name);
		jsonw_member_str(&w, "found", found[i].text);
		if (found[i].verdict != GOOD) {
			jsonw_member_str(&w, "remedy", checks[i].remedy);
		}
		jsonw_member_str(&w, "verdict", verdict_names[found[i].verdict]);
		jsonw_obj_end(&w);
	}
	jsonw_arr_end(&w);
	if (buf_cstr(&b))
		puts((char *)b.data);
	buf_done(&b);
}

int cmd_doctor(int argc, char **argv, const char *state_dir)
{
	struct finding found[NCHECKS];
	bool as_json, missing = false;
	int r = show_args(argc, argv, &as_json);

	if (r)
		return r;
	for (size_t i = 0; i < NCHECKS; i++) {
		checks[i].run(&found[i], state_dir);
		missing = missing || found[i].verdict == MISSING;
	}
	if (as_json)
		print_json(found);
	for (size_t i = 0; i < NCHECKS && !as_json; i++) {
		printf("%-8s %-8s %s\n", verdict_names[found[i].verdict], checks[i].name, found[i].text);
		if (found[i].verdict != GOOD)
			printf("%17s remedy: %s\n", "", checks[i].remedy);
	}
	return missing ? CTL_FAILED : CTL_OK;
}
