/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/load/kernel.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#include "lib/buf.h"
#include "lib/cleanup.h"

#define DEBUGFS	 "/sys/kernel/debug"
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

int kernel_symbols(void (*cb)(void *ctx, const char *name), void *ctx)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/kallsyms", "re");
	char line[1024], type, name[512];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %c %511s", &type, name) == 2 && strchr("tTwW", type) && !strchr(line, '['))
			cb(ctx, name);
	return 0;
}

int kernel_mount(const char *type, unsigned int attributes)
{
	_cleanup_close_ int fs = fsopen(type, FSOPEN_CLOEXEC);
	int mount;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	mount = fsmount(fs, FSMOUNT_CLOEXEC, attributes);
	return mount < 0 ? -errno : mount;
}

/* One of the kernel's own file systems, which may be mounted nowhere here. */
static int mount_privately(const char *type)
{
	return kernel_mount(type, MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

int kernel_tracefs(void)
{
	static const char *const places[] = { "/sys/kernel/tracing", DEBUGFS "/tracing" };
	int own, read_only = -1;

	for (size_t i = 0; i < COUNT(places); i++) {
		int fd = open(places[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0 && faccessat(fd, "kprobe_events", W_OK, 0) == 0)
			return fd;
		if (fd >= 0 && read_only < 0 && faccessat(fd, "events", F_OK, 0) == 0)
			read_only = fd;
		else if (fd >= 0)
			close(fd);
	}
	own = mount_privately("tracefs");
	if (own < 0)
		return read_only >= 0 ? read_only : own;
	if (read_only >= 0)
		close(read_only);
	return own;
}

/* ---- preemption ------------------------------------------------------------------------------------------------ */

int kernel_preempt_mode(const char *text, bool *ret)
{
	static const char *const modes[] = { "(none)", "(voluntary)", "(full)", "(lazy)" };

	for (size_t i = 0; i < COUNT(modes); i++)
		if (strstr(text, modes[i])) {
			*ret = i >= 2;
			return 0;
		}
	return -EINVAL;
}

static int read_at(int dir, const char *path, char *ret, size_t size)
{
	_cleanup_close_ int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

	if (n < 0)
		return -errno;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return 0;
}

/* The scheduler's mode as debugfs tells it. */
static int mode_now(char *ret, size_t size)
{
	_cleanup_close_ int own = -1;

	if (read_at(AT_FDCWD, DEBUGFS "/sched/preempt", ret, size) == 0)
		return 0;
	own = mount_privately("debugfs");
	return own < 0 ? own : read_at(own, "sched/preempt", ret, size);
}

/* The mode that the kernel was built to begin with. */
static int mode_built(const char *release, bool *ret)
{
	static const char *const preempts[] = { "CONFIG_PREEMPT=y", "CONFIG_PREEMPT_LAZY=y", "CONFIG_PREEMPT_RT=y" };
	char path[300], line[256];
	gzFile f = gzopen("/proc/config.gz", "re");
	int r = -ENOENT;

	snprintf(path, sizeof(path), "/boot/config-%s", release);
	if (!f)
		f = gzopen(path, "re");
	if (!f)
		return -ENOENT;
	while (gzgets(f, line, sizeof(line))) {
		line[strcspn(line, "\n")] = '\0';
		for (size_t i = 0; i < COUNT(preempts); i++)
			if (strcmp(line, preempts[i]) == 0) {
				*ret = true;
				gzclose(f);
				return 0;
			}
		if (strcmp(line, "CONFIG_PREEMPT_NONE=y") == 0 || strcmp(line, "CONFIG_PREEMPT_VOLUNTARY=y") == 0) {
			*ret = false;
			r = 0;
		}
	}
	gzclose(f);
	return r;
}

bool kernel_preempts(char *ret_how, size_t size)
{
	char mode[256], cmdline[4096];
	struct utsname u;
	bool preempts;

	uname(&u);
	if (!strstr(u.version, "PREEMPT")) {
		snprintf(ret_how, size, "it was built without preemption");
		return false;
	}
	if (strstr(u.version, "PREEMPT_RT")) {
		snprintf(ret_how, size, "it is a real-time kernel");
		return true;
	}
	if (mode_now(mode, sizeof(mode)) == 0 && kernel_preempt_mode(mode, &preempts) == 0) {
		const char *word = strchr(mode, '(') + 1;

		snprintf(ret_how, size, "its scheduler's mode is %.*s", (int)strcspn(word, ")"), word);
		return preempts;
	}
	/* no word of now: what it began with, unless that was said at boot */
	if (read_at(AT_FDCWD, "/proc/cmdline", cmdline, sizeof(cmdline)) == 0 && strstr(cmdline, "preempt="))
		snprintf(ret_how, size, "it was booted with preempt=");
	else if (mode_built(u.release, &preempts) == 0) {
		snprintf(ret_how, size, "its configuration says so");
		return preempts;
	} else
		snprintf(ret_how, size, "how it was configured cannot be found out");
	return true;
}

/* ---- type information ------------------------------------------------------------------------------------------ */

/*
 * In a thousand: functions that a file may know and the kernel not. Of the right file some six are missing (what modules
 * that are built in would do when they are removed), of a kernel one long-term series away sixty.
 */
#define MISSING_MAX 20

/* A set of the names of functions, by hash alone: a wrong "there" once in many millions does no harm. */
struct names {
	uint64_t *slot;
	size_t size, n; /* size: a power of two */
	bool full;
};

static uint64_t name_hash(const char *s)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3ull;
	return h ? h : 1;
}

static uint64_t *name_slot(struct names *set, uint64_t h)
{
	size_t i = h & (set->size - 1);

	while (set->slot[i] && set->slot[i] != h)
		i = (i + 1) & (set->size - 1);
	return &set->slot[i];
}

/* A clone counts for the function that it was cloned from. */
static void name_add(void *ctx, const char *name)
{
	struct names *set = ctx;
	char base[512];
	uint64_t *at;

	snprintf(base, sizeof(base), "%.*s", (int)strcspn(name, "."), name);
	at = name_slot(set, name_hash(base));
	if (*at)
		return;
	if (set->n > set->size / 2) {
		set->full = true;
		return;
	}
	*at = name_hash(base);
	set->n++;
}

static int check_kernel(const char *file, const struct btf *btf, struct err *e)
{
	struct names set = { .size = 1 << 20 };
	_cleanup_free_ uint64_t *slots = calloc(set.size, sizeof(*slots));
	unsigned int known = 0, missing = 0;
	struct utsname u;
	int r;

	if (!slots)
		return err_set(e, -ENOMEM, "no memory");
	set.slot = slots;
	uname(&u);
	r = kernel_symbols(name_add, &set);
	if (r < 0 || !set.n)
		return 0; /* no symbols to compare with */
	for (unsigned int id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		if (!btf_is_func(t))
			continue;
		known++;
		missing += !*name_slot(&set, name_hash(btf__name_by_offset(btf, t->name_off)));
	}
	if (known && (set.full || missing <= (uint64_t)known * MISSING_MAX / 1000))
		return 0;
	return err_set(
		e, -EINVAL,
		"%s is not of this kernel (%s): %u of the %u functions that it knows are not there; get the type "
		"information of this very kernel, see TYPE INFORMATION in tamisd(8)",
		file, u.release, missing, known);
}

int kernel_btf_file(const char *file, struct btf **ret, struct err *e)
{
	struct btf *btf;
	struct stat st;
	int r;

	if (stat(file, &st) < 0)
		return err_sys(e, -errno, "cannot read the type information", file);
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "%s is no file", file);
	errno = 0;
	btf = btf__parse(file, NULL);
	if (!btf)
		return err_set(
			e, -EINVAL,
			"%s is no BTF and no ELF file that has a whole .BTF section (%s); see TYPE INFORMATION in "
			"tamisd(8) for how to get it",
			file, strerror(errno));
	r = check_kernel(file, btf, e);
	if (r < 0) {
		btf__free(btf);
		return r;
	}
	*ret = btf;
	return 0;
}

int kernel_btf_search(const char *dir, char **ret_path, struct err *e)
{
	static const char *const places[] = {
		"%s/%s.btf",
		"%s/vmlinux-%s",
		"%.0s/usr/lib/debug/boot/vmlinux-%s",
		"%.0s/usr/lib/debug/lib/modules/%s/vmlinux",
		"%.0s/boot/vmlinux-%s",
		"%.0s/lib/modules/%s/build/vmlinux",
	};
	struct utsname u;
	char path[4096];

	uname(&u);
	for (size_t i = 0; i < COUNT(places); i++) {
		if (!dir && i < 2)
			continue;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(path, sizeof(path), places[i], dir ? dir : "", u.release);
#pragma GCC diagnostic pop
		if (access(path, R_OK) < 0)
			continue;
		*ret_path = strdup(path);
		return *ret_path ? 0 : err_set(e, -ENOMEM, "no memory");
	}
	return err_set(
		e, -ENOENT,
		"this kernel has no type information (/sys/kernel/btf/vmlinux), and there is none in %s/%s.btf or "
		"/usr/lib/debug/boot/vmlinux-%s: use a kernel built with CONFIG_DEBUG_INFO_BTF, or give a file of "
		"it with --btf",
		dir ? dir : "STATE/btf", u.release, u.release);
}
