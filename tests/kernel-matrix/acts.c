/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"
#include "sensor/load/syscalls.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#define TARGET_TEXT "no/such target" /* of the symbolic links */

int res(long r)
{
	return r < 0 ? -errno : 0;
}

/* ---- made ready by the parent --------------------------------------------------------------------------------------- */

static int prepare_link_to_file(const struct spot *s)
{
	return res(symlink("f", s->g));
}

int copy_program(int out)
{
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (in < 0 || out < 0)
		return -errno;
	while ((n = sendfile(out, in, NULL, 1 << 20)) > 0)
		;
	n = res(n);
	close(in);
	return n;
}

int put_program(const char *path)
{
	int out = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755), r = copy_program(out);

	close(out); /* before the fork: an image that is open for writing cannot be executed */
	return r;
}

int prepare_program(const struct spot *s)
{
	return put_program(s->g);
}

/* ---- ways to do it that many rows share ----------------------------------------------------------------------------- */

#if defined(__x86_64__)
int compat6(long nr, const long a[6])
{
	long r;

	__asm__ volatile("sub $128, %%rsp\n\tpush %%rbp\n\tmov %[f], %%rbp\n\tint $0x80\n\tpop %%rbp\n\tadd $128, %%rsp"
			 : "=a"(r)
			 : "a"(nr), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4]), [f] "r"(a[5])
			 : "memory", "r8", "r9", "r10", "r11");
	return r < 0 ? r : 0;
}

long low_bytes(const void *bytes, size_t size)
{
	char *p = mmap(NULL, PATH_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	return p == MAP_FAILED ? 0 : (long)(intptr_t)memcpy(p, bytes, size);
}
#elif defined(__aarch64__)
/* What low_bytes() has made. */
static struct low {
	size_t used;
	unsigned char bytes[PATH_MAX];
} lows[4];
static size_t nlows;

/* An argument for COMPAT32: a number, or bytes in hexadecimal. */
static void compat_arg(long value, char *out)
{
	for (size_t k = 0; k < nlows; k++) {
		if (value != (long)(intptr_t)lows[k].bytes)
			continue;
		*out++ = 'x';
		for (size_t i = 0; i < lows[k].used; i++)
			out += sprintf(out, "%02x", lows[k].bytes[i]);
		return;
	}
	sprintf(out, "n%ld", value);
}

int compat6(long nr, const long a[6])
{
	static char texts[7][2 * PATH_MAX + 32];
	char *argv[] = { "compat32", texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], texts[6], NULL };
	int arm = syscalls_arm((int)nr);

	if (arm < 0)
		return -ENOSYS;
	sprintf(texts[0], "%d", arm);
	for (int i = 0; i < 6; i++)
		compat_arg(a[i], texts[i + 1]);
	execv(COMPAT32, argv);
	return errno == ENOEXEC ? -ENOSYS : -errno;
}

long low_bytes(const void *bytes, size_t size)
{
	struct low *l = &lows[nlows];

	if (nlows == sizeof(lows) / sizeof(lows[0]) || size > sizeof(l->bytes))
		return 0;
	nlows++;
	l->used = size;
	return (long)(intptr_t)memcpy(l->bytes, bytes, size);
}
#else
int compat6(long nr, const long a[6])
{
	(void)nr, (void)a;
	return -ENOSYS;
}

long low_bytes(const void *bytes, size_t size)
{
	(void)size;
	return (long)(intptr_t)bytes;
}
#endif

int compat5(long nr, long a, long b, long c, long d, long e)
{
	return compat6(nr, (long[6]){ a, b, c, d, e });
}

int compat(long nr, long a, long b, long c)
{
	return compat6(nr, (long[6]){ a, b, c });
}

long low(const char *text)
{
	return low_bytes(text, strlen(text) + 1);
}

enum { I386_OPEN = 5, I386_UNLINK = 10, I386_CHMOD = 15, I386_RENAME = 38, I386_MKDIR = 39 };

int bind_mount(const struct spot *s)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	return res(mount(s->dir, s->d, NULL, MS_BIND, NULL));
}

int uring(uint8_t op, int fd, const void *addr, uint64_t addr2, uint32_t len, uint32_t flags)
{
	const struct io_uring_sqe sqe = {
		.opcode = op,
		.fd = fd,
		.addr = (uintptr_t)addr,
		.addr2 = addr2,
		.len = len,
		.open_flags = flags,
	};
	int r = uring_do(&sqe);

	return r < 0 ? r : 0;
}

/* ---- processes ------------------------------------------------------------------------------------------------------ */

char *const noop[] = { "g", "noop", NULL };
char *const no_env[] = { NULL };

int act_exec(const struct spot *s)
{
	return res(execve(s->g, noop, no_env));
}

static int act_exec_cwd(const struct spot *s)
{
	return chdir(s->dir) < 0 ? -errno : res(execve("./g", noop, no_env));
}

static int act_exec_execveat(const struct spot *s)
{
	int fd = open(s->g, O_PATH | O_CLOEXEC);

	return res(syscall(SYS_execveat, fd, "", noop, no_env, AT_EMPTY_PATH));
}

static void *exec_thread(void *arg)
{
	const struct spot *s = arg;

	execve(s->g, noop, no_env);
	_exit(errno);
}

int act_exec_thread(const struct spot *s)
{
	pthread_t t;

	if (pthread_create(&t, NULL, exec_thread, (void *)s))
		return -EAGAIN;
	pthread_join(t, NULL);
	return -EPROTO;
}

static int reap(const struct spot *s, pid_t child)
{
	if (child < 0)
		return -errno;
	*s->pid = child;
	return res(waitpid(child, NULL, 0));
}

static int act_fork(const struct spot *s)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	return reap(s, child);
}

static int act_fork_vfork(const struct spot *s)
{
	pid_t child = vfork();

	if (child == 0)
		_exit(0);
	return reap(s, child);
}

static int act_fork_clone3(const struct spot *s)
{
	uint64_t args[8] = { [4] = SIGCHLD };
	pid_t child = syscall(SYS_clone3, args, sizeof(args));

	if (child == 0)
		_exit(0);
	return reap(s, child);
}

static int act_exit(const struct spot *s)
{
	(void)s;
	_exit(7);
}

static int act_exit_signal(const struct spot *s)
{
	(void)s;
	return res(kill(getpid(), SIGKILL));
}

/* ---- open ----------------------------------------------------------------------------------------------------------- */

static int act_open(const struct spot *s)
{
	return res(open(s->f, O_RDWR | O_APPEND));
}
static int act_open_create(const struct spot *s)
{
	return res(open(s->g, O_WRONLY | O_CREAT | O_EXCL, 0640));
}
static int act_open_at(const struct spot *s)
{
	return res(openat(s->dirfd, "f", O_RDWR | O_APPEND));
}
static int act_open_symlink(const struct spot *s)
{
	return res(open(s->g, O_RDONLY));
}
static int act_open_compat(const struct spot *s)
{
	return compat(I386_OPEN, low(s->f), O_RDWR | O_APPEND, 0);
}

static int act_open_cwd(const struct spot *s)
{
	return chdir(s->d) < 0 ? -errno : res(open("../f", O_RDWR | O_APPEND));
}

static int act_open_openat2(const struct spot *s)
{
	struct open_how how = { .flags = O_RDWR | O_APPEND, .resolve = RESOLVE_NO_SYMLINKS };

	return res(syscall(SYS_openat2, AT_FDCWD, s->f, &how, sizeof(how)));
}

static int act_open_bindmount(const struct spot *s)
{
	int r = bind_mount(s);

	return r ? r : res(open(s->df, O_RDWR | O_APPEND));
}

static int act_open_denied(const struct spot *s)
{
	if (setuid(NOBODY) < 0)
		return -errno;
	return open(s->f, O_RDONLY) < 0 && errno == EACCES ? 0 : -EPROTO;
}

static int act_open_uring(const struct spot *s)
{
	return uring(IORING_OP_OPENAT, AT_FDCWD, s->f, 0, 0, O_RDWR | O_APPEND);
}

/* ---- names ---------------------------------------------------------------------------------------------------------- */

static int act_unlink(const struct spot *s)
{
	return res(unlink(s->f));
}
static int act_unlink_at(const struct spot *s)
{
	return res(unlinkat(s->dirfd, "f", 0));
}
static int act_unlink_cwd(const struct spot *s)
{
	return chdir(s->d) < 0 ? -errno : res(unlink("../f"));
}
static int act_unlink_symlink(const struct spot *s)
{
	return res(unlink(s->g));
}
static int act_unlink_compat(const struct spot *s)
{
	return compat(I386_UNLINK, low(s->f), 0, 0);
}
static int act_unlink_uring(const struct spot *s)
{
	return uring(IORING_OP_UNLINKAT, AT_FDCWD, s->f, 0, 0, 0);
}

static int act_unlink_dotdot(const struct spot *s)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/.././/f", s->d);
	return res(unlink(path));
}

static int act_unlink_bindmount(const struct spot *s)
{
	int r = bind_mount(s);

	return r ? r : res(unlink(s->df));
}

static int act_rename(const struct spot *s)
{
	return res(rename(s->f, s->g));
}
static int act_rename_at(const struct spot *s)
{
	return res(renameat(s->dirfd, "f", s->dirfd, "g"));
}
static int act_rename_cwd(const struct spot *s)
{
	return chdir(s->dir) < 0 ? -errno : res(rename("f", "d/../g"));
}
static int act_rename_dir(const struct spot *s)
{
	return res(rename(s->d, s->g));
}
static int act_rename_compat(const struct spot *s)
{
	return compat(I386_RENAME, low(s->f), low(s->g), 0);
}

static int act_rename_renameat2(const struct spot *s)
{
	return res(renameat2(AT_FDCWD, s->f, s->dirfd, "g", RENAME_NOREPLACE));
}

static int act_rename_exchange(const struct spot *s)
{
	return res(renameat2(AT_FDCWD, s->f, AT_FDCWD, s->d, RENAME_EXCHANGE));
}

static int act_rename_uring(const struct spot *s)
{
	return uring(IORING_OP_RENAMEAT, AT_FDCWD, s->f, (uintptr_t)s->g, AT_FDCWD, 0);
}

static int act_mkdir(const struct spot *s)
{
	return res(mkdir(s->g, 0750));
}
static int act_mkdir_at(const struct spot *s)
{
	return res(mkdirat(s->dirfd, "g", 0750));
}
static int act_mkdir_cwd(const struct spot *s)
{
	return chdir(s->dir) < 0 ? -errno : res(mkdir("g", 0750));
}
static int act_mkdir_compat(const struct spot *s)
{
	return compat(I386_MKDIR, low(s->g), 0750, 0);
}
static int act_mkdir_uring(const struct spot *s)
{
	return uring(IORING_OP_MKDIRAT, AT_FDCWD, s->g, 0, 0750, 0);
}

static int act_rmdir(const struct spot *s)
{
	return res(rmdir(s->d));
}
static int act_rmdir_unlinkat(const struct spot *s)
{
	return res(unlinkat(s->dirfd, "d", AT_REMOVEDIR));
}
static int act_rmdir_cwd(const struct spot *s)
{
	return chdir(s->dir) < 0 ? -errno : res(rmdir("d"));
}

static int act_rmdir_uring(const struct spot *s)
{
	return uring(IORING_OP_UNLINKAT, AT_FDCWD, s->d, 0, 0, AT_REMOVEDIR);
}

static int act_link(const struct spot *s)
{
	return res(link(s->f, s->g));
}
static int act_link_at(const struct spot *s)
{
	return res(linkat(s->dirfd, "f", s->dirfd, "g", 0));
}

static int act_link_fd(const struct spot *s)
{
	return res(linkat(open(s->f, O_PATH), "", AT_FDCWD, s->g, AT_EMPTY_PATH));
}

static int act_link_procfd(const struct spot *s)
{
	char proc[64];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", open(s->f, O_PATH));
	return res(linkat(AT_FDCWD, proc, AT_FDCWD, s->g, AT_SYMLINK_FOLLOW));
}

static int act_link_uring(const struct spot *s)
{
	return uring(IORING_OP_LINKAT, AT_FDCWD, s->f, (uintptr_t)s->g, AT_FDCWD, 0);
}

static int act_symlink(const struct spot *s)
{
	return res(symlink(TARGET_TEXT, s->g));
}
static int act_symlink_at(const struct spot *s)
{
	return res(symlinkat(TARGET_TEXT, s->dirfd, "g"));
}

static int act_symlink_uring(const struct spot *s)
{
	return uring(IORING_OP_SYMLINKAT, AT_FDCWD, TARGET_TEXT, (uintptr_t)s->g, 0, 0);
}

/* ---- attributes ----------------------------------------------------------------------------------------------------- */

static int act_chmod(const struct spot *s)
{
	return res(chmod(s->f, 0640));
}
static int act_chmod_at(const struct spot *s)
{
	return res(fchmodat(s->dirfd, "f", 0640, 0));
}
static int act_chmod_cwd(const struct spot *s)
{
	return chdir(s->d) < 0 ? -errno : res(chmod("../f", 0640));
}
static int act_chmod_symlink(const struct spot *s)
{
	return res(chmod(s->g, 0640));
}
static int act_chmod_fd(const struct spot *s)
{
	return res(fchmod(open(s->f, O_RDONLY), 0640));
}
static int act_chmod_compat(const struct spot *s)
{
	return compat(I386_CHMOD, low(s->f), 0640, 0);
}

static int act_chmod_fchmodat2(const struct spot *s)
{
	return res(syscall(SYS_fchmodat2, open(s->f, O_PATH), "", 0640, AT_EMPTY_PATH));
}

static int act_chmod_bindmount(const struct spot *s)
{
	int r = bind_mount(s);

	return r ? r : res(chmod(s->df, 0640));
}

static int act_chown(const struct spot *s)
{
	return res(chown(s->f, NOBODY, 1));
}
static int act_chown_at(const struct spot *s)
{
	return res(fchownat(s->dirfd, "f", NOBODY, 1, 0));
}
static int act_chown_fd(const struct spot *s)
{
	return res(fchown(open(s->f, O_RDONLY), NOBODY, 1));
}
static int act_chown_lchown(const struct spot *s)
{
	return res(lchown(s->g, NOBODY, 1));
}

static int act_chown_empty(const struct spot *s)
{
	return res(fchownat(open(s->f, O_PATH), "", NOBODY, 1, AT_EMPTY_PATH));
}

static int act_truncate(const struct spot *s)
{
	return res(truncate(s->f, 5));
}
static int act_truncate_cwd(const struct spot *s)
{
	return chdir(s->dir) < 0 ? -errno : res(truncate("f", 5));
}
static int act_truncate_fd(const struct spot *s)
{
	return res(ftruncate(open(s->f, O_WRONLY), 5));
}

/* ---- network -------------------------------------------------------------------------------------------------------- */

socklen_t loopback(union address *a, int family, uint16_t port)
{
	memset(a, 0, sizeof(*a));
	a->any.sa_family = family;
	if (family == AF_INET) {
		a->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		a->v4.sin_port = htons(port);
		return sizeof(a->v4);
	}
	a->v6.sin6_addr = in6addr_loopback;
	a->v6.sin6_port = htons(port);
	return sizeof(a->v6);
}

int listener_open(void)
{
	union address a;
	socklen_t n = loopback(&a, AF_INET, PORT_OPEN);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 || bind(fd, &a.any, n) < 0 ||
	    listen(fd, 8) < 0)
		return -errno;
	return fd;
}

static int connect_to(int family, int type, uint16_t port, int want)
{
	union address a;
	socklen_t n = loopback(&a, family, port);
	int fd = socket(family, type, 0);

	if (fd < 0)
		return errno == EAFNOSUPPORT ? -ENOSYS : -errno;
	return res(connect(fd, &a.any, n)) == want ? 0 : -EPROTO;
}

static int act_connect(const struct spot *s)
{
	(void)s;
	return connect_to(AF_INET, SOCK_STREAM, PORT_CLOSED, -ECONNREFUSED);
}
static int act_connect_open(const struct spot *s)
{
	(void)s;
	return connect_to(AF_INET, SOCK_STREAM, PORT_OPEN, 0);
}
static int act_connect_udp(const struct spot *s)
{
	(void)s;
	return connect_to(AF_INET, SOCK_DGRAM, PORT_OPEN, 0);
}
static int act_connect_v6(const struct spot *s)
{
	(void)s;
	return connect_to(AF_INET6, SOCK_STREAM, PORT_CLOSED, -ECONNREFUSED);
}

static int act_connect_uring(const struct spot *s)
{
	union address a;
	socklen_t n = loopback(&a, AF_INET, PORT_OPEN);

	(void)s;
	return uring(IORING_OP_CONNECT, socket(AF_INET, SOCK_STREAM, 0), &a, n, 0, 0);
}

static int bind_to(int family, int type, uint16_t port)
{
	union address a;
	socklen_t n = loopback(&a, family, port);
	int fd = socket(family, type, 0), one = 1;

	if (fd < 0)
		return errno == EAFNOSUPPORT ? -ENOSYS : -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return res(bind(fd, &a.any, n));
}

static int act_bind(const struct spot *s)
{
	(void)s;
	return bind_to(AF_INET, SOCK_STREAM, PORT_BIND);
}
static int act_bind_udp(const struct spot *s)
{
	(void)s;
	return bind_to(AF_INET, SOCK_DGRAM, PORT_BIND);
}
static int act_bind_v6(const struct spot *s)
{
	(void)s;
	return bind_to(AF_INET6, SOCK_STREAM, PORT_BIND6);
}

/* The second of two is refused, and reported all the same. */
static int act_bind_taken(const struct spot *s)
{
	int r = bind_to(AF_INET, SOCK_STREAM, PORT_BIND);
	union address a;
	socklen_t n = loopback(&a, AF_INET, PORT_BIND);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)s;
	if (r < 0 || fd < 0)
		return r < 0 ? r : -errno;
	return bind(fd, &a.any, n) < 0 && errno == EADDRINUSE ? 0 : -EINVAL;
}

/* ---- the table ------------------------------------------------------------------------------------------------------ */

#define EXEC "exec.file.path=%d/g", "process.args=noop"
/* No rule can name a fork. It shows where the child ends: only from the fork can its file and parent be known. */
#define FORK "process.ppid=%p", "process.parent.pid=%p"
#define OPEN(path, flags)                                                                                              \
	"open.file.path=" path, "open.flags&0xffff7fff=" flags /* all but O_LARGEFILE, which the kernel may add */
#define OPEN_RDWR    OPEN("%d/f", "1026")		       /* O_RDWR | O_APPEND */
#define UNLINK(path) "unlink.file.path=" path, "unlink.flags=0"
#define RENAME(a, b) "rename.file.path=" a, "rename.file.destination.path=" b
#define MKDIR	     "mkdir.file.path=%d/g", "mkdir.file.destination.mode=488" /* 0750 */
#define RMDIR	     "rmdir.file.path=%d/d"
#define LINK	     "link.file.path=%d/f", "link.file.destination.path=%d/g"
#define SYMLINK	     "symlink.file.path=%d/g", "symlink.target=" TARGET_TEXT
#define CHMOD(path)  "chmod.file.path=" path, "chmod.file.destination.mode=416" /* 0640 */
#define CHOWN(path)  ("chown.file.path=" path), "chown.file.destination.uid=65534", "chown.file.destination.gid=1"
#define TRUNCATE     "truncate.file.path=%d/f", "truncate.size=5"

const struct row rows_basic[] = {
	{ "exec", prepare_program, act_exec, .expect = { EXEC }, .image = "%d/g" },
	{ "exec.cwd", prepare_program, act_exec_cwd, .expect = { EXEC }, .image = "%d/g" },
	{ "exec.execveat", prepare_program, act_exec_execveat, .expect = { EXEC }, .image = "%d/g" },
	{ "exec.thread", prepare_program, act_exec_thread, .expect = { EXEC }, .image = "%d/g" },
	{ "fork", NULL, act_fork, .expect = { FORK }, .event = "exit" },
	{ "fork.vfork", NULL, act_fork_vfork, .expect = { FORK }, .event = "exit" },
	{ "fork.clone3", NULL, act_fork_clone3, .expect = { FORK }, .event = "exit" },
	{ "exit", NULL, act_exit, .expect = { "exit.code=7", "exit.cause=0" }, .ends = W_EXITCODE(7, 0) },
	{ "exit.signal", NULL, act_exit_signal, .expect = { "exit.code=9", "exit.cause=2" },
	  .ends = W_EXITCODE(0, SIGKILL) },

	{ "open", NULL, act_open, .expect = { OPEN_RDWR, "open.file.mode=33152", RET("0"), SYNC } },
	{ "open.create", NULL, act_open_create,
	  .expect = { OPEN("%d/g", "193"), "open.file.destination.mode=416", RET("0") } },
	{ "open.at", NULL, act_open_at, .expect = { OPEN_RDWR, RET("0") } },
	{ "open.cwd", NULL, act_open_cwd, .expect = { OPEN_RDWR, RET("0") } },
	{ "open.symlink", prepare_link_to_file, act_open_symlink, .expect = { OPEN("%d/f", "0"), RET("0") } },
	{ "open.openat2", NULL, act_open_openat2, .expect = { OPEN_RDWR, RET("0") } },
	{ "open.bindmount", NULL, act_open_bindmount, .expect = { OPEN("%d/d/f", "1026"), RET("0") } },
	{ "open.denied", NULL, act_open_denied, .expect = { OPEN("%d/f", "0"), RET("-13"), "process.uid=65534" } },
	{ "open.compat", NULL, act_open_compat, .expect = { OPEN_RDWR, RET("0") } },
	{ "open.io_uring", NULL, act_open_uring, .expect = { OPEN_RDWR, RET("0"), ASYNC } },

	{ "unlink", NULL, act_unlink, .expect = { UNLINK("%d/f"), RET("0"), SYNC } },
	{ "unlink.at", NULL, act_unlink_at, .expect = { UNLINK("%d/f"), RET("0") } },
	{ "unlink.cwd", NULL, act_unlink_cwd, .expect = { UNLINK("%d/f"), RET("0") } },
	{ "unlink.dotdot", NULL, act_unlink_dotdot, .expect = { UNLINK("%d/f"), RET("0") } },
	{ "unlink.symlink", prepare_link_to_file, act_unlink_symlink, .expect = { UNLINK("%d/g"), RET("0") } },
	{ "unlink.bindmount", NULL, act_unlink_bindmount, .expect = { UNLINK("%d/d/f"), RET("0") } },
	{ "unlink.compat", NULL, act_unlink_compat, .expect = { UNLINK("%d/f"), RET("0") } },
	{ "unlink.io_uring", NULL, act_unlink_uring, .expect = { UNLINK("%d/f"), RET("0"), ASYNC } },

	{ "rename", NULL, act_rename, .expect = { RENAME("%d/f", "%d/g"), RET("0"), SYNC } },
	{ "rename.at", NULL, act_rename_at, .expect = { RENAME("%d/f", "%d/g"), RET("0") } },
	{ "rename.cwd", NULL, act_rename_cwd, .expect = { RENAME("%d/f", "%d/g"), RET("0") } },
	{ "rename.dir", NULL, act_rename_dir, .expect = { RENAME("%d/d", "%d/g"), RET("0") } },
	{ "rename.renameat2", NULL, act_rename_renameat2, .expect = { RENAME("%d/f", "%d/g"), RET("0") } },
	{ "rename.exchange", NULL, act_rename_exchange, .expect = { RENAME("%d/f", "%d/d"), RET("0") } },
	{ "rename.compat", NULL, act_rename_compat, .expect = { RENAME("%d/f", "%d/g"), RET("0") } },
	{ "rename.io_uring", NULL, act_rename_uring, .expect = { RENAME("%d/f", "%d/g"), RET("0"), ASYNC } },

	{ "mkdir", NULL, act_mkdir, .expect = { MKDIR, RET("0"), SYNC } },
	{ "mkdir.at", NULL, act_mkdir_at, .expect = { MKDIR, RET("0") } },
	{ "mkdir.cwd", NULL, act_mkdir_cwd, .expect = { MKDIR, RET("0") } },
	{ "mkdir.compat", NULL, act_mkdir_compat, .expect = { MKDIR, RET("0") } },
	{ "mkdir.io_uring", NULL, act_mkdir_uring, .expect = { MKDIR, RET("0"), ASYNC } },

	{ "rmdir", NULL, act_rmdir, .expect = { RMDIR, RET("0"), SYNC } },
	{ "rmdir.cwd", NULL, act_rmdir_cwd, .expect = { RMDIR, RET("0") } },
	{ "rmdir.unlinkat", NULL, act_rmdir_unlinkat, .expect = { RMDIR, RET("0") } },
	{ "rmdir.io_uring", NULL, act_rmdir_uring, .expect = { RMDIR, RET("0"), ASYNC } },

	{ "link", NULL, act_link, .expect = { LINK, RET("0"), SYNC } },
	{ "link.at", NULL, act_link_at, .expect = { LINK, RET("0") } },
	{ "link.fd", NULL, act_link_fd, .expect = { LINK, RET("0") } },
	{ "link.procfd", NULL, act_link_procfd, .expect = { LINK, RET("0") } },
	{ "link.io_uring", NULL, act_link_uring, .expect = { LINK, RET("0"), ASYNC } },

	{ "symlink", NULL, act_symlink, .expect = { SYMLINK, RET("0"), SYNC } },
	{ "symlink.at", NULL, act_symlink_at, .expect = { SYMLINK, RET("0") } },
	{ "symlink.io_uring", NULL, act_symlink_uring, .expect = { SYMLINK, RET("0"), ASYNC } },

	{ "chmod", NULL, act_chmod, .expect = { CHMOD("%d/f"), RET("0"), SYNC } },
	{ "chmod.at", NULL, act_chmod_at, .expect = { CHMOD("%d/f"), RET("0") } },
	{ "chmod.cwd", NULL, act_chmod_cwd, .expect = { CHMOD("%d/f"), RET("0") } },
	{ "chmod.fd", NULL, act_chmod_fd, .expect = { CHMOD("%d/f"), RET("0") } },
	{ "chmod.fchmodat2", NULL, act_chmod_fchmodat2, .expect = { CHMOD("%d/f"), RET("0") } },
	{ "chmod.symlink", prepare_link_to_file, act_chmod_symlink, .expect = { CHMOD("%d/f"), RET("0") } },
	{ "chmod.bindmount", NULL, act_chmod_bindmount, .expect = { CHMOD("%d/d/f"), RET("0") } },
	{ "chmod.compat", NULL, act_chmod_compat, .expect = { CHMOD("%d/f"), RET("0") } },

	{ "chown", NULL, act_chown, .expect = { CHOWN("%d/f"), RET("0"), SYNC } },
	{ "chown.at", NULL, act_chown_at, .expect = { CHOWN("%d/f"), RET("0") } },
	{ "chown.fd", NULL, act_chown_fd, .expect = { CHOWN("%d/f"), RET("0") } },
	{ "chown.empty", NULL, act_chown_empty, .expect = { CHOWN("%d/f"), RET("0") } },
	{ "chown.lchown", prepare_link_to_file, act_chown_lchown, .expect = { CHOWN("%d/g"), RET("0") } },

	{ "truncate", NULL, act_truncate, .expect = { TRUNCATE, RET("0"), SYNC } },
	{ "truncate.cwd", NULL, act_truncate_cwd, .expect = { TRUNCATE, RET("0") } },
	{ "truncate.fd", NULL, act_truncate_fd, .expect = { TRUNCATE, RET("0") } },

	{ "connect", NULL, act_connect, .expect = { ADDR("connect", "127.0.0.1", "9", "2", "6"), RET("-111"), SYNC } },
	{ "connect.open", NULL, act_connect_open,
	  .expect = { ADDR("connect", "127.0.0.1", "54320", "2", "6"), RET("0") } },
	{ "connect.udp", NULL, act_connect_udp,
	  .expect = { ADDR("connect", "127.0.0.1", "54320", "2", "17"), RET("0") } },
	{ "connect.v6", NULL, act_connect_v6, .expect = { ADDR("connect", "::1", "9", "10", "6"), RET("-111") } },
	{ "connect.io_uring", NULL, act_connect_uring,
	  .expect = { ADDR("connect", "127.0.0.1", "54320", "2", "6"), RET("0"), ASYNC } },

	{ "bind", NULL, act_bind, .expect = { ADDR("bind", "127.0.0.1", "54321", "2", "6"), RET("0"), SYNC } },
	{ "bind.taken", NULL, act_bind_taken, .expect = { ADDR("bind", "127.0.0.1", "54321", "2", "6"), RET("-98") } },
	{ "bind.udp", NULL, act_bind_udp, .expect = { ADDR("bind", "127.0.0.1", "54321", "2", "17"), RET("0") } },
	{ "bind.v6", NULL, act_bind_v6, .expect = { ADDR("bind", "::1", "54322", "10", "6"), RET("0") } },
	{ 0 },
};
