/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/canary.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/priv/monitor_impl.h"

#define PAUSE_MAX_S 60 /* before a canary that dies again and again is started again */

/* ---- acts, all below the working directory --------------------------------------------------------------------------- */

static void did(struct canary_done *d, enum ev_type type, bool done)
{
	d->acts[type] = (uint8_t)(d->acts[type] + done);
}

static void act_on_data(struct canary_done *d, int fd)
{
	loff_t start = 0;
	int pipes[2];

	if (fd < 0 || pipe2(pipes, O_CLOEXEC) < 0)
		return;
	did(d, EV_WRITE, write(fd, "1", 1) == 1);
	did(d, EV_SPLICE, splice(fd, &start, pipes[1], NULL, 1, SPLICE_F_NONBLOCK) == 1);
	close(pipes[0]);
	close(pipes[1]);
}

/* Where the filesystem has no such attributes, nothing was done that could be seen. */
static void act_on_attributes(struct canary_done *d)
{
	did(d, EV_UTIMES, utimensat(AT_FDCWD, "f", NULL, 0) == 0);
	did(d, EV_SETXATTR, setxattr("f", "user.canary", "1", 1, 0) == 0);
	did(d, EV_REMOVEXATTR, removexattr("f", "user.canary") == 0);
}

static void act_on_files(struct canary_done *d)
{
	int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	did(d, EV_OPEN, fd >= 0);
	act_on_data(d, fd);
	did(d, EV_CHMOD, chmod("f", 0640) == 0);
	did(d, EV_CHOWN, chown("f", getuid(), getgid()) == 0);
	act_on_attributes(d);
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

static void act_on_memory(struct canary_done *d)
{
	int fd = memfd_create(CANARY_NAME, MFD_CLOEXEC);
	void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	did(d, EV_MEMFD_CREATE, fd >= 0);
	did(d, EV_MMAP, p != MAP_FAILED);
	did(d, EV_MPROTECT, p != MAP_FAILED && mprotect(p, 4096, PROT_NONE) == 0);
	if (p != MAP_FAILED)
		munmap(p, 4096);
	if (fd >= 0)
		close(fd);
}

/* To what it has already. The calls themselves: the C library's functions would have to reach all threads. */
static void act_on_credentials(struct canary_done *d)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	did(d, EV_SETUID, syscall(SYS_setuid, getuid()) == 0);
	did(d, EV_SETGID, syscall(SYS_setgid, getgid()) == 0);
	did(d, EV_CAPSET, syscall(SYS_capget, &head, caps) == 0 && syscall(SYS_capset, &head, caps) == 0);
}

/* Refused, but where it changes nothing. */
static void act_on_places(struct canary_done *d)
{
	int ns = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);

	did(d, EV_CHDIR, chdir(".") == 0);
	did(d, EV_CHROOT, chroot(".") < 0 && errno == EPERM);
	did(d, EV_PIVOT_ROOT, syscall(SYS_pivot_root, ".", ".") < 0 && errno == EPERM);
	did(d, EV_MOUNT, syscall(SYS_mount, "none", ".", "tmpfs", 0, NULL) < 0 && errno == EPERM);
	did(d, EV_UMOUNT, syscall(SYS_umount2, ".", 0) < 0 && errno == EPERM);
	did(d, EV_UNSHARE, unshare(CLONE_FILES) == 0);
	if (ns < 0)
		return;
	did(d, EV_SETNS, setns(ns, CLONE_NEWUTS) < 0 && errno == EPERM);
	close(ns);
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

/* A socket that listens where nobody else looks for it, and one that comes. */
static void act_on_listeners(struct canary_done *d)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t n = sizeof(a.sun_family);
	int one = 1, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), in = -1;
	int out = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	did(d, EV_SOCKET, fd >= 0);
	did(d, EV_SOCKET, out >= 0);
	did(d, EV_SETSOCKOPT, setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0);
	did(d, EV_BIND, bind(fd, (struct sockaddr *)&a, n) == 0);
	did(d, EV_LISTEN, listen(fd, 1) == 0);
	n = sizeof(a);
	if (getsockname(fd, (struct sockaddr *)&a, &n) == 0 && connect(out, (struct sockaddr *)&a, n) == 0)
		in = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	did(d, EV_ACCEPT, in >= 0);
	close(in);
	close(out);
	close(fd);
}

/* Itself alone: nothing of it changes, and to trace itself is refused. */
static void act_on_itself(struct canary_done *d)
{
	char from = 0, to = 1;
	struct iovec local = { &from, 1 }, remote = { &to, 1 };
	struct rlimit core;

	did(d, EV_PRCTL, prctl(PR_GET_DUMPABLE) >= 0);
	did(d, EV_SETRLIMIT, getrlimit(RLIMIT_CORE, &core) == 0 && setrlimit(RLIMIT_CORE, &core) == 0);
	did(d, EV_PTRACE, ptrace(PTRACE_SEIZE, getpid(), NULL, NULL) < 0 && errno == EPERM);
	did(d, EV_PROCESS_VM_WRITEV, process_vm_writev(getpid(), &local, 1, &remote, 1, 0) == 1);
	did(d, EV_SIGNAL, kill(getpid(), 0) == 0);
}

/*
 * What goes to the port of name servers, of one byte, so that nobody takes it for a question; to an address of this machine
 * that nobody uses. One program sees questions and the metadata service, to which nothing is sent without need.
 */
static void act_on_packets(struct canary_done *d)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(53), .sin_addr = { htonl(0x7ffffffe) } };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool sent = fd >= 0 && sendto(fd, "c", 1, MSG_DONTWAIT, (struct sockaddr *)&a, sizeof(a)) == 1;

	did(d, EV_DNS, sent);
	did(d, EV_IMDS, sent);
	if (fd >= 0)
		close(fd);
}

/* A ring that is set up and gone; many hosts forbid it. */
static void act_on_rings(struct canary_done *d)
{
	struct io_uring_params p = { 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 1, &p);

	did(d, EV_IO_URING, fd >= 0);
	if (fd >= 0)
		close(fd);
}

/* The kernel refuses them to whoever is not root, and that it was asked is seen. */
static void act_on_kernel(struct canary_done *d)
{
	uint64_t attr[2] = { 0 };
	char none[1] = "", text[16];
	int fd = open("/proc/sys/kernel/ngroups_max", O_RDONLY | O_CLOEXEC);

	did(d, EV_BPF, syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, attr, sizeof(attr)) < 0 && errno == EPERM);
	did(d, EV_LOAD_MODULE, syscall(SYS_init_module, none, 0, none) < 0 && errno == EPERM);
	did(d, EV_LOAD_MODULE, syscall(SYS_finit_module, -1, none, 0) < 0 && errno == EPERM);
	did(d, EV_UNLOAD_MODULE, syscall(SYS_delete_module, none, 0) < 0 && errno == EPERM);
	did(d, EV_KEXEC, syscall(SYS_kexec_load, 0, 0, NULL, 0) < 0 && errno == EPERM);
	did(d, EV_KEXEC, syscall(SYS_kexec_file_load, -1, -1, 0, NULL, 0) < 0 && errno == EPERM);
	did(d, EV_CAPABILITIES, chroot(".") < 0 && errno == EPERM);
	if (fd < 0)
		return;
	did(d, EV_SYSCTL, read(fd, text, sizeof(text)) > 0);
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

/* ---- the processes --------------------------------------------------------------------------------------------------- */

/* The monitor is gone where nothing can be said to it. */
static void say(int fd, const void *what, size_t size)
{
	if (send(fd, what, size, MSG_NOSIGNAL) != (ssize_t)size)
		_exit(EXIT_SUCCESS);
}

/* Acts when it is told to. Returns when the keeper is gone: somebody has to take its place. */
static void canary_loop(int fd, int self, pid_t keeper)
{
	struct canary_done done;
	uint8_t round;

	say(fd, CANARY_HELLO, CANARY_HELLO_SIZE);
	while (read(fd, &round, 1) == 1) {
		static const char *const leftovers[] = { "f", "l", "r", "s" };

		for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++)
			unlink(leftovers[i]);
		rmdir("d");
		/* what was cleared away is not counted: it only adds marks */
		done = (struct canary_done){ .round = round };
		act_on_files(&done);
		act_on_memory(&done);
		act_on_credentials(&done);
		act_on_places(&done);
		act_on_sockets(&done);
		act_on_listeners(&done);
		act_on_itself(&done);
		act_on_packets(&done);
		act_on_kernel(&done);
		act_on_rings(&done);
		act_on_processes(&done, self);
		say(fd, &done, sizeof(done));
		if (getppid() != keeper)
			return;
	}
	_exit(EXIT_SUCCESS);
}

/* Until the canary is dead; one that was stopped is of no use and is killed. Ends with a canary that ended by itself. */
static void watch(int fd, pid_t canary)
{
	struct canary_died died = { 0 };
	int status;

	while (waitpid(canary, &status, WUNTRACED) == canary && WIFSTOPPED(status)) {
		died.status = status;
		kill(canary, SIGKILL);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
		_exit(EXIT_SUCCESS);
	if (!died.status)
		died.status = status;
	say(fd, &died, sizeof(died));
}

/*
 * Two processes that look after each other: the keeper starts the canary again when it dies; a canary whose keeper died
 * becomes the keeper of another one.
 */
static void __attribute__((noreturn)) keeper_loop(int fd, int self)
{
	unsigned int pause_s = 1;

	for (;;) {
		pid_t keeper = getpid(), canary = fork();
		time_t begun = time(NULL);

		if (canary == 0) {
			prctl(PR_SET_NAME, CANARY_NAME);
			canary_loop(fd, self, keeper);
			prctl(PR_SET_NAME, CANARY_KEEPER_NAME);
			pause_s = 1;
			continue;
		}
		if (canary > 0)
			watch(fd, canary);
		sleep(pause_s);
		pause_s = time(NULL) - begun > PAUSE_MAX_S ? 1 : pause_s * 2 < PAUSE_MAX_S ? pause_s * 2 : PAUSE_MAX_S;
	}
}

void canary_process(int dir, int fd)
{
	const struct confine_user user = { CONFINE_CANARY_ID, CONFINE_CANARY_ID };
	int self = open("/proc/self/exe", O_PATH | O_CLOEXEC), keep[] = { fd, self };
	struct err e = { "" };
	sigset_t none;

	child_ignore_ends();
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(077);
	prctl(PR_SET_NAME, CANARY_KEEPER_NAME);
	log_open(CANARY_NAME, LOG_LEVEL_INFO);
	if (fchdir(dir) < 0)
		_exit(EXIT_FAILURE);
	child_close_all_but(keep, 2);
	if (confine_drop_user(&user, &e) < 0) {
		log_err("%s", e.msg);
		_exit(EXIT_FAILURE);
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	keeper_loop(fd, self);
}

bool canary_is_exec(int argc, char **argv)
{
	return argc == 1 && strcmp(argv[0], CANARY_NAME) == 0;
}
