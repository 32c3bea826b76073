/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of what changes the kernel: bpf, modules, another kernel. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "scenario.h"

enum { I386_INIT_MODULE = 128, I386_DELETE_MODULE = 129, I386_KEXEC_LOAD = 283, I386_BPF = 357 };

/* For calls that are to be refused: no longer root, and whether they were. */
static int as_nobody(void)
{
	return res(setuid(NOBODY));
}
static int refused(long r)
{
	if (r >= 0)
		return -EPROTO;
	return errno == EPERM ? 0 : -errno;
}

/* ---- bpf ------------------------------------------------------------------------------------------------------------ */

#define INSN(CODE, DST, IMM)                                                                                           \
	{                                                                                                              \
		.code = CODE, .dst_reg = DST, .imm = IMM                                                               \
	}
#define CALL(HELPER) INSN(BPF_JMP | BPF_CALL, 0, HELPER)
#define EXIT	     INSN(BPF_JMP | BPF_EXIT, 0, 0)

/* helpers 5 and 7 */
static const struct bpf_insn good[] = { CALL(BPF_FUNC_ktime_get_ns), CALL(BPF_FUNC_get_prandom_u32),
					INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0), EXIT };
/* returns what was never set: the verifier does not have it */
static const struct bpf_insn bad[] = { EXIT };

static int sys_bpf(enum bpf_cmd cmd, union bpf_attr *a)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &all); /* what maps and programs are charged to before 5.11 */
	return (int)syscall(SYS_bpf, cmd, a, sizeof(*a));
}

static int map_create(void)
{
	union bpf_attr a = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1, .map_name = "m_map"
	};

	return sys_bpf(BPF_MAP_CREATE, &a);
}

static int prog_load(enum bpf_prog_type type, const struct bpf_insn *insns, size_t n)
{
	union bpf_attr a = { .prog_type = type,
			     .insns = (uintptr_t)insns,
			     .insn_cnt = (uint32_t)n,
			     .license = (uintptr_t) "GPL",
			     .prog_name = "m_prog" };

	return sys_bpf(BPF_PROG_LOAD, &a);
}

static int act_bpf(const struct spot *s)
{
	(void)s;
	return res(map_create());
}
static int act_bpf_element(const struct spot *s)
{
	int key = 0, map = map_create();
	long value = 0;
	union bpf_attr a = { .map_fd = (uint32_t)map, .key = (uintptr_t)&key, .value = (uintptr_t)&value };

	(void)s;
	return map < 0 ? -errno : res(sys_bpf(BPF_MAP_UPDATE_ELEM, &a));
}
static int act_bpf_prog(const struct spot *s)
{
	(void)s;
	return res(prog_load(BPF_PROG_TYPE_SOCKET_FILTER, good, 4));
}
static int act_bpf_attach(const struct spot *s)
{
	int prog = prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, good, 4);
	union bpf_attr a = { .raw_tracepoint = { .name = (uintptr_t) "sched_process_exit",
						 .prog_fd = (uint32_t)prog } };

	(void)s;
	return prog < 0 ? -errno : res(sys_bpf(BPF_RAW_TRACEPOINT_OPEN, &a));
}
/* What the verifier refuses is refused: EACCES. */
static int act_bpf_verifier(const struct spot *s)
{
	(void)s;
	if (prog_load(BPF_PROG_TYPE_SOCKET_FILTER, bad, 1) >= 0)
		return -EPROTO;
	return errno == EACCES ? 0 : -errno;
}
static int act_bpf_denied(const struct spot *s)
{
	union bpf_attr a = { .start_id = 0 };
	int r = as_nobody();

	(void)s;
	return r ? r : refused(sys_bpf(BPF_PROG_GET_NEXT_ID, &a));
}
static int act_bpf_compat(const struct spot *s)
{
	const union bpf_attr a = {
		.map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 1, .map_name = "m_map"
	};

	(void)s;
	if (map_create() < 0) /* raises the limit */
		return -errno;
	return compat(I386_BPF, BPF_MAP_CREATE, low_bytes(&a, sizeof(a)), sizeof(a));
}

/* ---- modules -------------------------------------------------------------------------------------------------------- */

#define MODULE	   "dummy"
#define PARAMETERS "numdummies=0"

/* g becomes a copy of the module for this kernel, where there is one. */
static int prepare_module(const struct spot *s)
{
	const char *from = getenv("MATRIX_MODULE");
	int in = from ? open(from, O_RDONLY | O_CLOEXEC) : -1, out;
	struct stat st;
	ssize_t n;

	if (in < 0)
		return 0;
	out = open(s->g, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	if (out < 0 || fstat(in, &st) < 0)
		return -errno;
	n = sendfile(out, in, NULL, (size_t)st.st_size);
	close(in);
	close(out);
	return n == st.st_size ? 0 : -EIO;
}

static long module_load(const struct spot *s)
{
	return syscall(SYS_finit_module, open(s->g, O_RDONLY | O_CLOEXEC), PARAMETERS, 0);
}

static long module_remove(void)
{
	char name[] = MODULE;

	return syscall(SYS_delete_module, name, O_NONBLOCK);
}

static int prepare_loaded(const struct spot *s)
{
	int r = prepare_module(s);

	if (r || access(s->g, R_OK) < 0)
		return r;
	return res(module_load(s));
}

static int act_load(const struct spot *s)
{
	int r = access(s->g, R_OK) < 0 ? -ENOSYS : res(module_load(s));

	return r ? r : res(module_remove());
}
static int act_load_memory(const struct spot *s)
{
	int fd = open(s->g, O_RDONLY | O_CLOEXEC), r;
	struct stat st;
	void *image;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -ENOSYS;
	image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	r = image == MAP_FAILED ? -errno : res(syscall(SYS_init_module, image, st.st_size, PARAMETERS));
	return r ? r : res(module_remove());
}
static int act_load_denied(const struct spot *s)
{
	int fd = open(s->f, O_RDONLY | O_CLOEXEC), r = as_nobody();
	char args[] = "a=1 b=2"; /* on the stack: what is refused is not read, and so not brought into memory */

	return r ? r : refused(syscall(SYS_finit_module, fd, args, 0));
}
static int act_load_memory_denied(const struct spot *s)
{
	char args[] = "a=1";
	int r = as_nobody();

	return r ? r : refused(syscall(SYS_init_module, s, 10, args));
}
static int act_load_compat(const struct spot *s)
{
	int r = as_nobody();

	if (!r)
		r = compat(I386_INIT_MODULE, low("x"), 1, low("a=1"));
	(void)s;
	return r == -EPERM ? 0 : r ? r : -EPROTO;
}

static int act_unload(const struct spot *s)
{
	return access(s->g, R_OK) < 0 ? -ENOSYS : res(module_remove());
}
static int act_unload_denied(const struct spot *s)
{
	int r = as_nobody();

	(void)s;
	return r ? r : refused(module_remove());
}
static int act_unload_compat(const struct spot *s)
{
	int r = as_nobody();

	if (!r)
		r = compat(I386_DELETE_MODULE, low(MODULE), O_NONBLOCK, 0);
	(void)s;
	return r == -EPERM ? 0 : r ? r : -EPROTO;
}

/* ---- another kernel ------------------------------------------------------------------------------------------------- */

#define FILE_UNLOAD 1	    /* KEXEC_FILE_UNLOAD */
#define ARCH_386    0x30000 /* KEXEC_ARCH_386 */

/* No segments: what was loaded is dropped. */
static int act_kexec(const struct spot *s)
{
	(void)s;
	return res(syscall(SYS_kexec_load, 0, 0, NULL, 0));
}
static int act_kexec_file(const struct spot *s)
{
	return res(syscall(SYS_kexec_file_load, open(s->f, O_RDONLY | O_CLOEXEC), -1, 0, NULL, FILE_UNLOAD));
}
static int act_kexec_denied(const struct spot *s)
{
	int fd = open(s->f, O_RDONLY | O_CLOEXEC), r = as_nobody(), none;

	if (r)
		return r;
	none = syscall(SYS_kexec_file_load, fd, -1, 0, NULL, 8) < 0 && errno == ENOSYS;
	return none ? -ENOSYS : refused(syscall(SYS_kexec_file_load, fd, -1, 0, NULL, 8));
}
static int act_kexec_compat(const struct spot *s)
{
	(void)s;
	/* the fourth argument is whatever the register holds: it is refused before that is looked at */
	if (as_nobody())
		return -errno;
	return compat(I386_KEXEC_LOAD, 0, 0, 0) == -EPERM ? 0 : -ENOSYS;
}

/* ---- settings ------------------------------------------------------------------------------------------------------- */

#define RATELIMIT "/proc/sys/kernel/printk_ratelimit" /* 5, unless somebody has set it */
#define FTRACE	  "/proc/sys/kernel/ftrace_enabled"
enum { I386_WRITE = 4 };

static int setting_open(const char *path)
{
	return open(path, O_RDWR | O_CLOEXEC);
}

static int set(const char *path, const char *value)
{
	int fd = setting_open(path);

	return fd < 0 ? -errno : res(write(fd, value, strlen(value)));
}

static int act_sysctl(const struct spot *s)
{
	int r = set(RATELIMIT, "7\n");

	(void)s;
	return r ? r : set(RATELIMIT, "5");
}
static int act_sysctl_read(const struct spot *s)
{
	char value[16];

	(void)s;
	return res(read(setting_open(RATELIMIT), value, sizeof(value)));
}
static int act_sysctl_compat(const struct spot *s)
{
	(void)s;
	return compat(I386_WRITE, setting_open(RATELIMIT), low("5"), 1);
}
static int act_sysctl_uring(const struct spot *s)
{
	(void)s;
	return uring(IORING_OP_WRITE, setting_open(RATELIMIT), "5", 0, 1, 0);
}
/*
 * What silences other hooks. Kernels that have programs at functions refuse it (EBUSY, from 7.x on EOPNOTSUPP), others may
 * (EPERM): the setting was asked for all the same, and that is the event.
 */
static int act_sysctl_ftrace(const struct spot *s)
{
	int r = set(FTRACE, "0");

	(void)s;
	if (r == -ENOENT)
		return -ENOSYS;
	set(FTRACE, "1");
	return r == -EBUSY || r == -EOPNOTSUPP || r == -EPERM ? 0 : r;
}

/* ---- cgroups -------------------------------------------------------------------------------------------------------- */

/* A path in the unified hierarchy, wherever it is mounted. */
static const char *cgroup_path(char path[PATH_MAX], const char *name)
{
	const char *root =
		access("/sys/fs/cgroup/cgroup.procs", F_OK) < 0 ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup";

	snprintf(path, PATH_MAX, "%s/%s", root, name);
	return path;
}

/* A cgroup for the row's process to go to; its file of processes, open. */
static int cgroup_open(void)
{
	char path[PATH_MAX];

	if (access(cgroup_path(path, "cgroup.procs"), W_OK) < 0)
		return -ENOSYS;
	if (mkdir(cgroup_path(path, "tamis-matrix"), 0755) < 0 && errno != EEXIST)
		return -errno;
	return setting_open(cgroup_path(path, "tamis-matrix/cgroup.procs"));
}

/* Back to the root, and nothing is left. */
static int cgroup_close(void)
{
	char path[PATH_MAX];

	set(cgroup_path(path, "cgroup.procs"), "0");
	return res(rmdir(cgroup_path(path, "tamis-matrix")));
}

static int cgroup_go(const char *text)
{
	int fd = cgroup_open(), r = fd < 0 ? fd : res(write(fd, text, strlen(text)));

	return r ? r : cgroup_close();
}

static int act_cgroup(const struct spot *s)
{
	char text[16];

	(void)s;
	snprintf(text, sizeof(text), "%d\n", getpid());
	return cgroup_go(text);
}
static int act_cgroup_self(const struct spot *s)
{
	(void)s;
	return cgroup_go("0");
}
static int act_cgroup_compat(const struct spot *s)
{
	int fd = cgroup_open(), r = fd < 0 ? fd : compat(I386_WRITE, fd, low("0"), 1);

	(void)s;
	return r ? r : cgroup_close();
}
static int act_cgroup_uring(const struct spot *s)
{
	int fd = cgroup_open(), r = fd < 0 ? fd : uring(IORING_OP_WRITE, fd, "0", 0, 1, 0);

	(void)s;
	return r ? r : cgroup_close();
}
/* Its own file may be written, but not that of the cgroup above both. */
static int act_cgroup_denied(const struct spot *s)
{
	char path[PATH_MAX];
	int fd = cgroup_open(), r;

	(void)s;
	if (fd < 0)
		return fd;
	close(fd);
	/* from within: the way there need not be open to nobody */
	if (chdir(cgroup_path(path, "tamis-matrix")) < 0 || chown("cgroup.procs", NOBODY, NOBODY) < 0 ||
	    seteuid(NOBODY) < 0)
		return -errno;
	fd = setting_open("cgroup.procs");
	r = fd < 0 ? -errno : write(fd, "0", 1) >= 0 ? -EPROTO : errno == EACCES ? 0 : -errno;
	if (seteuid(0) < 0)
		return -errno;
	return r ? r : cgroup_close();
}

/* ---- SELinux -------------------------------------------------------------------------------------------------------- */

#define SELINUX "/sys/fs/selinux/" /* of a kernel that was started with it, without a policy: all is allowed */

static int selinux_set(const char *file, const char *value)
{
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), SELINUX "%s", file);
	r = set(path, value);
	return r == -ENOENT ? -ENOSYS : r;
}

static int act_selinux(const struct spot *s)
{
	int r = selinux_set("enforce", "1");

	(void)s;
	return r ? r : selinux_set("enforce", "0");
}
static int act_selinux_permissive(const struct spot *s)
{
	(void)s;
	return selinux_set("enforce", "0");
}
static int act_selinux_commit(const struct spot *s)
{
	(void)s;
	return selinux_set("commit_pending_bools", "1");
}
static int act_selinux_compat(const struct spot *s)
{
	int fd = setting_open(SELINUX "enforce");

	(void)s;
	return fd < 0 ? -ENOSYS : compat(I386_WRITE, fd, low("0"), 1);
}

/* ---- capabilities --------------------------------------------------------------------------------------------------- */

static int act_capabilities(const struct spot *s)
{
	(void)s;
	return res(chroot("/"));
}
static int act_capabilities_denied(const struct spot *s)
{
	int r = chdir("/tmp") < 0 ? -errno : as_nobody();

	(void)s;
	return r ? r : refused(chroot("."));
}
/* What a program does after an exec is told of that program, though the one before did it, too. */
static int act_capabilities_exec(const struct spot *s)
{
	char *const argv[] = { "g", "chroot", NULL }, *const env[] = { NULL };
	int r = res(chroot("/"));

	return r ? r : res(execve(s->g, argv, env));
}

/* ---- the table ------------------------------------------------------------------------------------------------------ */

#define MAP(type)  "bpf.map.name=m_map", ("bpf.map.type=" type)
#define PROG(type) "bpf.prog.name=m_prog", ("bpf.prog.type=" type)
#define LOADED	   "load_module.name=" MODULE, "load_module.args=" PARAMETERS
#define SETTING(name, action, old, value)                                                                              \
	"sysctl.name=kernel/" name, "sysctl.action=" action, "sysctl.old_value=" old, "sysctl.value=" value
#define MOVED	     "cgroup_write.file.name=cgroup.procs", "cgroup_write.file.filesystem=cgroup2", "cgroup_write.pid=%p"
#define CHROOT(what) "capabilities." what "&0x40000=262144" /* CAP_SYS_CHROOT */

const struct row rows_kernel[] = {
	{ "bpf", NULL, act_bpf, .expect = { "bpf.cmd=0", MAP("2"), RET("0"), SYNC } },
	{ "bpf.element", NULL, act_bpf_element, .expect = { "bpf.cmd=2", MAP("2"), RET("0") } },
	{ "bpf.prog", NULL, act_bpf_prog, .expect = { "bpf.cmd=5", PROG("1"), "bpf.prog.helpers=5,7", RET("0") } },
	{ "bpf.attach", NULL, act_bpf_attach, .expect = { "bpf.cmd=17", PROG("17"), RET("0") } },
	{ "bpf.verifier", NULL, act_bpf_verifier, .expect = { "bpf.cmd=5", PROG("1"), RET("-13") } },
	{ "bpf.denied", NULL, act_bpf_denied, .expect = { "bpf.cmd=11", RET("-1"), "process.uid=65534" } },
	{ "bpf.compat", NULL, act_bpf_compat, .expect = { "bpf.cmd=0", MAP("1"), RET("0") } },

	{ "load_module", prepare_module, act_load,
	  .expect = { LOADED, "load_module.file.path=%d/g", "load_module.loaded_from_memory=false", RET("0") } },
	{ "load_module.memory", prepare_module, act_load_memory,
	  .expect = { LOADED, "load_module.loaded_from_memory=true", "load_module.file.path=", RET("0") } },
	{ "load_module.denied", NULL, act_load_denied,
	  .expect = { "load_module.file.path=%d/f", "load_module.argv=a=1,b=2", RET("-1"), "process.uid=65534" } },
	{ "load_module.memory_denied", NULL, act_load_memory_denied,
	  .expect = { "load_module.loaded_from_memory=true", "load_module.args=a=1", RET("-1") } },
	{ "load_module.compat", NULL, act_load_compat,
	  .expect = { "load_module.loaded_from_memory=true", "load_module.args=a=1", RET("-1") } },

	{ "unload_module", prepare_loaded, act_unload, .expect = { "unload_module.name=" MODULE, RET("0") } },
	{ "unload_module.denied", NULL, act_unload_denied, .expect = { "unload_module.name=" MODULE, RET("-1") } },
	{ "unload_module.compat", NULL, act_unload_compat, .expect = { "unload_module.name=" MODULE, RET("-1") } },

	{ "kexec", NULL, act_kexec, .expect = { "kexec.flags=0", "kexec.file.path=", RET("0") } },
	{ "kexec.file", NULL, act_kexec_file, .expect = { "kexec.flags=1", "kexec.file.path=%d/f", RET("0") } },
	{ "kexec.denied", NULL, act_kexec_denied,
	  .expect = { "kexec.flags=8", "kexec.file.path=%d/f", RET("-1"), "process.uid=65534" } },
	{ "kexec.compat", NULL, act_kexec_compat, .expect = { RET("-1"), "process.uid=65534" } },

	{ "sysctl", NULL, act_sysctl, .expect = { SETTING("printk_ratelimit", "2", "5", "7"), SYNC } },
	{ "sysctl.read", NULL, act_sysctl_read, .expect = { SETTING("printk_ratelimit", "1", "5", "5") } },
	{ "sysctl.compat", NULL, act_sysctl_compat, .expect = { SETTING("printk_ratelimit", "2", "5", "5") } },
	{ "sysctl.io_uring", NULL, act_sysctl_uring, .expect = { SETTING("printk_ratelimit", "2", "5", "5"), ASYNC } },
	{ "sysctl.ftrace", NULL, act_sysctl_ftrace, .expect = { SETTING("ftrace_enabled", "2", "1", "0") } },

	{ "cgroup_write", NULL, act_cgroup, .expect = { MOVED, RET("0"), SYNC } },
	{ "cgroup_write.self", NULL, act_cgroup_self, .expect = { MOVED, RET("0") } },
	{ "cgroup_write.compat", NULL, act_cgroup_compat, .expect = { MOVED, RET("0") } },
	{ "cgroup_write.io_uring", NULL, act_cgroup_uring, .expect = { MOVED, RET("0"), ASYNC } },
	{ "cgroup_write.denied", NULL, act_cgroup_denied, .expect = { MOVED, RET("-13"), "process.euid=65534" } },

	{ "selinux", NULL, act_selinux, .expect = { "selinux.enforce.status=enforcing", RET("0"), SYNC } },
	{ "selinux.permissive", NULL, act_selinux_permissive,
	  .expect = { "selinux.enforce.status=permissive", RET("0") } },
	{ "selinux.commit", NULL, act_selinux_commit, .expect = { "selinux.bool_commit.state=true", RET("0") } },
	{ "selinux.compat", NULL, act_selinux_compat, .expect = { "selinux.enforce.status=permissive", RET("0") } },

	{ "capabilities", NULL, act_capabilities, .expect = { CHROOT("attempted"), CHROOT("used") } },
	{ "capabilities.denied", NULL, act_capabilities_denied,
	  .expect = { CHROOT("attempted"), "capabilities.used&0x40000=0", "process.uid=65534" } },
	{ "capabilities.exec", prepare_program, act_capabilities_exec,
	  .expect = { CHROOT("attempted"), CHROOT("used") }, .image = "%d/g" },
	{ 0 },
};
