/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What root can do to a sensor's hooks, for tests of the canary:
 *	unhook detach		asks the kernel to detach each BPF link there is, as `bpftool link detach` does; prints how
 *				many there are, and how many of them it detached. Not those at cgroups, which may be
 *	unhook cgroups PROGRAM	detaches the links at cgroups whose program's name begins so; prints how many
 *	unhook close PID	closes each BPF link and perf event that the process holds, from within it (ptrace)
 *	unhook hold PID SECONDS	stops the process as a debugger does: its parent is not told
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define FDS_MAX 4096

static long bpf(int cmd, union bpf_attr *a)
{
	return syscall(SYS_bpf, cmd, a, sizeof(*a));
}

static bool info_of(int fd, void *ret, uint32_t size)
{
	union bpf_attr a = { 0 };

	memset(ret, 0, size);
	a.info.bpf_fd = (uint32_t)fd;
	a.info.info_len = size;
	a.info.info = (uint64_t)(uintptr_t)ret;
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &a) == 0;
}

/* Is it a link at a cgroup, of a program whose name begins with @name? */
static bool at_cgroup(int fd, const char *name)
{
	union bpf_attr a = { 0 };
	struct bpf_link_info link;
	struct bpf_prog_info prog;
	bool ok;

	if (!info_of(fd, &link, sizeof(link)) || link.type != BPF_LINK_TYPE_CGROUP)
		return false;
	a.prog_id = link.prog_id;
	fd = (int)bpf(BPF_PROG_GET_FD_BY_ID, &a);
	ok = fd >= 0 && info_of(fd, &prog, sizeof(prog)) && strncmp(prog.name, name, strlen(name)) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

/* All links but those at cgroups; or, with a name, those at cgroups. */
static int detach(const char *name)
{
	int links = 0, detached = 0;
	uint32_t id = 0;

	for (;;) {
		union bpf_attr next = { .start_id = id }, get = { 0 }, off = { 0 };
		int fd;

		if (bpf(BPF_LINK_GET_NEXT_ID, &next) < 0)
			break;
		id = get.link_id = next.next_id;
		fd = (int)bpf(BPF_LINK_GET_FD_BY_ID, &get);
		if (fd < 0)
			continue;
		off.link_detach.link_fd = (uint32_t)fd;
		if (name ? at_cgroup(fd, name) : !at_cgroup(fd, "")) {
			links++;
			detached += bpf(BPF_LINK_DETACH, &off) == 0;
		}
		close(fd);
	}
	if (name)
		printf("%d\n", detached);
	else
		printf("%d %d\n", links, detached);
	return errno == ENOENT && links && (!name || detached) ? 0 : 1;
}

/* Its descriptors that are links or perf events. */
static int hooks_of(pid_t pid, int *fds)
{
	char path[300], to[64];
	struct dirent *de;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && (de = readdir(d)) && n < FDS_MAX) {
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, de->d_name);
		len = readlink(path, to, sizeof(to) - 1);
		if (len <= 0)
			continue;
		to[len] = '\0';
		if (strstr(to, "bpf_link") || strstr(to, "bpf-link") || strstr(to, "[perf_event]"))
			fds[n++] = atoi(de->d_name);
	}
	if (d)
		closedir(d);
	return n;
}

static int grab(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
		perror("unhook: ptrace");
		return -1;
	}
	return 0;
}

#define SVC 0xd4000001 /* arm64's instruction for it */

/* Registers of a stopped process, and what makes of them a call of close(2). */
typedef struct user_regs_struct regs_t;

static long regs_io(int request, pid_t pid, regs_t *regs)
{
	struct iovec v = { regs, sizeof(*regs) };

	return ptrace(request, pid, (void *)NT_PRSTATUS, &v);
}

/*
 * The process waits in a system call, so before where it is is the instruction that makes one; or, on arm64 where the call
 * is going to be made again, there.
 */
static void regs_close(pid_t pid, regs_t *regs, int fd)
{
#if defined(__x86_64__)
	(void)pid;
	regs->rip -= 2;
	regs->rax = SYS_close;
	regs->rdi = (unsigned int)fd;
	regs->orig_rax = (unsigned long long)-1;
#elif defined(__aarch64__)
	if ((uint32_t)ptrace(PTRACE_PEEKTEXT, pid, (void *)regs->pc, NULL) != SVC)
		regs->pc -= 4;
	regs->regs[8] = SYS_close;
	regs->regs[0] = (unsigned int)fd;
#endif
}

static bool regs_done(const regs_t *regs)
{
#if defined(__x86_64__)
	return regs->rax == 0;
#elif defined(__aarch64__)
	return regs->regs[0] == 0;
#endif
}

static int close_hooks(pid_t pid)
{
	int fds[FDS_MAX], n, status, closed = 0;
	regs_t before, now;

	if (grab(pid) < 0 || regs_io(PTRACE_GETREGSET, pid, &before) < 0)
		return 1;
	n = hooks_of(pid, fds);
	for (int i = 0; i < n; i++) {
		now = before;
		regs_close(pid, &now, fds[i]);
		if (regs_io(PTRACE_SETREGSET, pid, &now) < 0 || ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0 ||
		    waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			return 1;
		regs_io(PTRACE_GETREGSET, pid, &now);
		closed += regs_done(&now);
	}
	regs_io(PTRACE_SETREGSET, pid, &before);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	printf("%d\n", closed);
	return n == 0 || closed < n;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "detach") == 0)
		return detach(NULL);
	if (argc == 3 && strcmp(argv[1], "cgroups") == 0)
		return detach(argv[2]);
	if (argc == 3 && strcmp(argv[1], "close") == 0)
		return close_hooks(atoi(argv[2]));
	if (argc == 4 && strcmp(argv[1], "hold") == 0 && grab(atoi(argv[2])) == 0) {
		sleep((unsigned int)atoi(argv[3]));
		return 0;
	}
	return 2;
}
