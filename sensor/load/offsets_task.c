/* SPDX-License-Identifier: Apache-2.0 */
/* Where a process's fields are: in task_struct, and in what it points to. */
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "sensor/load/kernel.h"
#include "sensor/load/offsets_impl.h"

/* ---- threads ----------------------------------------------------------------------------------------------------- */

struct thread {
	struct hunt *h;
	pthread_t id;
	pid_t tid;
	uint64_t task;
	pthread_barrier_t stands, end;
};

static void *thread_run(void *arg)
{
	struct thread *t = arg;

	t->tid = (pid_t)syscall(SYS_gettid);
	t->task = peek_task(&t->h->peek);
	pthread_barrier_wait(&t->stands);
	pthread_barrier_wait(&t->end);
	return NULL;
}

static bool thread_start(struct hunt *h, struct thread *t)
{
	*t = (struct thread){ .h = h };
	pthread_barrier_init(&t->stands, NULL, 2);
	pthread_barrier_init(&t->end, NULL, 2);
	if (pthread_create(&t->id, NULL, thread_run, t) != 0)
		return false;
	pthread_barrier_wait(&t->stands);
	return true;
}

/* The kernel's thread may outlive pthread_join by a moment: it is waited for. */
static void thread_end(struct thread *t)
{
	pthread_barrier_wait(&t->end);
	pthread_join(t->id, NULL);
	for (int i = 0; i < 1000 && syscall(SYS_tgkill, getpid(), t->tid, 0) == 0; i++)
		usleep(1000);
}

/* ---- task_struct itself ------------------------------------------------------------------------------------------ */

static bool is_text16(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	return at + 16 <= r->n && memcmp(r->b + at, want, 16) == 0;
}

static void hunt_name(struct hunt *h)
{
	char name[16] = "";

	snprintf(name, sizeof(name), "tamis-%09u", (unsigned int)getpid());
	prctl(PR_SET_NAME, name);
	if (region_read(h, h->own, h->own_task, h->task_size))
		found(h, OFF_TASK_COMM, region_only(h, h->own, 8, is_text16, name));
}

struct two {
	uint64_t a, b;
};

static bool are_u32(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	const struct two *w = want;

	return at + 8 <= r->n && u32_at(r, at) == w->a && u32_at(r, at + 4) == w->b;
}

static bool are_u64(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	const struct two *w = want;

	return at + 16 <= r->n && u64_at(r, at) == w->a && u64_at(r, at + 8) == w->b;
}

/* pid and tgid lie side by side; a second thread tells them apart, and knows its leader. */
static void hunt_ids(struct hunt *h)
{
	static struct region one, two;
	struct thread t, u;
	uint64_t leader[] = { h->own_task, h->own_task, h->own_task };
	const struct region *const all[] = { h->own, &one, &two };
	struct two ids, parents = { h->parent_task, h->parent_task };
	uint32_t at;

	if (!thread_start(h, &t))
		return;
	if (thread_start(h, &u)) {
		if (region_read(h, &one, t.task, h->task_size) && region_read(h, &two, u.task, h->task_size)) {
			ids = (struct two){ (uint32_t)t.tid, (uint32_t)getpid() };
			at = region_only(h, &one, 4, are_u32, &ids);
			if (at != NOWHERE) {
				found(h, OFF_TASK_PID, at);
				found(h, OFF_TASK_TGID, at + 4);
			}
			found(h, OFF_TASK_GROUP_LEADER, regions_only(all, leader, 3, 8));
		}
		thread_end(&u);
	}
	thread_end(&t);
	/* real_parent, and behind it parent, which is another one only for who is traced */
	found(h, OFF_TASK_REAL_PARENT, region_only(h, h->own, 8, are_u64, &parents));
}

/* A list's head in the parent (children) and its link in the only child (sibling) point at each other. */
static void hunt_children(struct hunt *h)
{
	static struct region parent, child;
	struct model m;

	if (model_start(h, &m, NULL, NULL, 0) && region_read(h, &parent, h->own_task, h->task_size) &&
	    region_read(h, &child, m.task, h->task_size))
		for (uint32_t at = 0; at + 16 <= parent.n; at += 8) {
			uint64_t next = u64_at(&parent, at), back = parent.address + at;
			uint32_t link = (uint32_t)(next - child.address);

			if (next < child.address || next - child.address + 16 > child.n ||
			    next != u64_at(&parent, at + 8))
				continue;
			if (u64_at(&child, link) != back || u64_at(&child, link + 8) != back)
				continue;
			found(h, OFF_TASK_CHILDREN, at);
			found(h, OFF_TASK_SIBLING, link);
			break;
		}
	model_end(&m);
}

/* Field @n (from 1) of /proc/PID/stat, behind the name. */
static uint64_t stat_field(pid_t pid, int n)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64], line[2048], *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	at = f && fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	for (int i = 2; at && i < n; i++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at ? strtoull(at, NULL, 10) : 0;
}

static bool starts_at(const struct region *r, uint32_t at, uint64_t ticks)
{
	const uint64_t tick = 1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK);

	return u64_at(r, at) >= ticks * tick && u64_at(r, at) < (ticks + 1) * tick;
}

/*
 * Of start_time and start_boottime, which are side by side and the same until the machine sleeps, the second. Two other
 * processes, some ticks apart, since the scheduler's own times are those of a start for a while.
 */
static void hunt_start(struct hunt *h)
{
	static struct region r[3];
	struct model m[2] = { { .pid = -1, .hold = -1 }, { .pid = -1, .hold = -1 } };
	uint64_t ticks[3] = { stat_field(getpid(), 22) };
	uint32_t last = NOWHERE, fit = 0;
	bool all = ticks[0];

	for (int i = 0; i < 2 && all; i++) {
		usleep(30000);
		all = model_start(h, &m[i], NULL, NULL, 0);
		ticks[1 + i] = all ? stat_field(m[i].pid, 22) : 0;
	}
	all = all && region_read(h, &r[0], h->own_task, h->task_size) &&
	      region_read(h, &r[1], m[0].task, h->task_size) && region_read(h, &r[2], m[1].task, h->task_size);
	for (uint32_t at = 0; all && at + 8 <= r[0].n; at += 8)
		if (starts_at(&r[0], at, ticks[0]) && starts_at(&r[1], at, ticks[1]) &&
		    starts_at(&r[2], at, ticks[2])) {
			fit = last == NOWHERE ? 1 : at == last + 8 ? fit + 1 : 9;
			last = at;
		}
	model_end(&m[0]);
	model_end(&m[1]);
	if (fit == 1 || fit == 2)
		found(h, OFF_TASK_START_BOOTTIME, last);
}

/* ---- the stack, and the flag of 32-bit calls ---------------------------------------------------------------------- */

#if defined(__x86_64__)
#define REGS_SIZE 168
#define REGS_NR	  120	 /* orig_ax */
#define REGS_ARG1 112	 /* di */
#define TS_COMPAT 0x0002 /* thread_info.status: arch/x86/include/asm/thread_info.h */
#elif defined(__aarch64__)
#define REGS_SIZE   336
#define REGS_NR	    280	       /* syscallno */
#define REGS_ARG1   272	       /* orig_x0 */
#define TIF_SECCOMP (1u << 11) /* thread_info.flags: arch/arm64/include/asm/thread_info.h */
#endif

/* Whether the system call that reads kernel memory for us is what the registers at the end of stack @stack tell. */
static uint32_t stack_regs(struct hunt *h, uint64_t stack)
{
	static const uint32_t sizes[] = { 16384, 32768, 65536 };
	uint32_t nr;
	uint64_t arg;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (uint32_t padding = 0; padding <= 16; padding += 16) { /* 16 with CONFIG_X86_FRED */
			uint32_t at = sizes[i] - padding - REGS_SIZE;

			if (peek_read(&h->peek, stack + at + REGS_NR, &nr, sizeof(nr)) == 0 && nr == SYS_bpf &&
			    peek_read(&h->peek, stack + at + REGS_ARG1, &arg, sizeof(arg)) == 0 &&
			    arg == BPF_PROG_TEST_RUN)
				return at;
		}
	return NOWHERE;
}

int offsets_stack(const struct btf *kernel, uint32_t *ret_bytes)
{
	struct hunt h = { .peek = { .map = -1, .prog = -1 } };
	int id = btf__find_by_name_kind(kernel, "task_struct", BTF_KIND_STRUCT);
	const struct btf_type *task = id > 0 ? btf__type_by_id(kernel, (uint32_t)id) : NULL;
	uint32_t regs = NOWHERE;
	uint64_t stack;
	struct err err;

	if (peek_open(&h.peek, &err) == 0) {
		for (uint32_t i = 0; task && i < btf_vlen(task); i++)
			if (strcmp(btf__name_by_offset(kernel, btf_members(task)[i].name_off), "stack") == 0 &&
			    peek_read(&h.peek, peek_task(&h.peek) + btf_member_bit_offset(task, i) / 8, &stack,
				      sizeof(stack)) == 0)
				regs = stack_regs(&h, stack);
	}
	peek_close(&h.peek);
	if (regs == NOWHERE)
		return -ENODATA;
	*ret_bytes = regs + REGS_SIZE;
	return 0;
}

static bool is_stack(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	uint64_t p = pointer_at(r, at);

	return p && p % 4096 == 0 && stack_regs(h, p) != NOWHERE;
}

static void hunt_stack(struct hunt *h)
{
	uint32_t at = region_only(h, h->own, 8, is_stack, NULL);

	found(h, OFF_TASK_STACK, at);
	if (at != NOWHERE)
		h->found->regs = stack_regs(h, u64_at(h->own, at));
}

/* What tells of 32-bit programs lies in the beginning of the task. */
struct compat {
	struct hunt *h;
	uint8_t ours[64], *its; /* read by us and, into memory that is shared, by the model */
};

#if defined(__x86_64__)
#define NR_BPF_32 357

/* In a model, since without 32-bit calls in the kernel it ends here. */
static bool tell_of_calls(void *arg)
{
	struct compat *c = arg;
	struct {
		union bpf_attr attr;
		uint64_t args[2];
	} *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long r;

	if (low == MAP_FAILED)
		return false;
	low->args[0] = peek_task(&c->h->peek);
	low->args[1] = sizeof(c->ours);
	low->attr.test.prog_fd = (uint32_t)c->h->peek.prog;
	low->attr.test.ctx_in = (uintptr_t)low->args;
	low->attr.test.ctx_size_in = sizeof(low->args);
	asm volatile("int $0x80"
		     : "=a"(r)
		     : "a"((long)NR_BPF_32), "b"((long)BPF_PROG_TEST_RUN), "c"(&low->attr), "d"(sizeof(low->attr.test))
		     : "memory", "r8", "r9", "r10", "r11");
	memcpy(c->its, c->h->peek.page, sizeof(c->ours));
	return r == 0;
}

static bool flag_is_set(uint32_t ours, uint32_t its)
{
	return !(ours & TS_COMPAT) && its == (ours | TS_COMPAT);
}
#elif defined(__aarch64__)
/*
 * The flags of the thread, among which there is the one that is wanted, are known by that of a filter of system calls. In a model;
 * the filter lets all pass.
 */
static bool tell_of_calls(void *arg)
{
	struct sock_filter pass = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog all = { .len = 1, .filter = &pass };
	struct compat *c = arg;

	if (peek_read(&c->h->peek, peek_task(&c->h->peek), c->its, sizeof(c->ours)) < 0)
		return false;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &all) == 0;
}

static bool flag_is_set(uint32_t ours, uint32_t its)
{
	return ours & TIF_SECCOMP && !(its & TIF_SECCOMP);
}
#endif

static void hunt_compat(struct hunt *h)
{
	struct compat c = { .h = h };
	uint32_t ours, its, at = NOWHERE;
	struct model m;

	c.its = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c.its == MAP_FAILED)
		return;
	if (model_start(h, &m, tell_of_calls, &c, 0) && peek_read(&h->peek, m.task, c.ours, sizeof(c.ours)) == 0)
		for (uint32_t i = 0; i < sizeof(c.ours); i += 4) {
			memcpy(&ours, c.ours + i, 4);
			memcpy(&its, c.its + i, 4);
			if (flag_is_set(ours, its))
				at = at == NOWHERE ? i : NOWHERE - 1;
		}
	model_end(&m);
	munmap(c.its, 4096);
	if (at < sizeof(c.ours))
		found(h, OFF_COMPAT, at);
}

/* ---- cred --------------------------------------------------------------------------------------------------------- */

struct ids {
	uint32_t id[8];	 /* uid, gid, suid, sgid, euid, egid, fsuid, fsgid: the order in struct cred */
	uint64_t cap[3]; /* inheritable, permitted, effective */
};

static const struct ids its_ids = { { 61001, 61002, 61003, 61004, 61005, 61006, 61005, 61006 }, { 0 } };

/* What capget and capset take: linux/capability.h, _LINUX_CAPABILITY_VERSION_3. */
static bool get_caps(uint64_t ret[3])
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &head, d) < 0)
		return false;
	ret[0] = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
	ret[1] = d[0].permitted | (uint64_t)d[1].permitted << 32;
	ret[2] = d[0].effective | (uint64_t)d[1].effective << 32;
	return true;
}

static bool set_caps(const uint64_t caps[3])
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = {
		{ .inheritable = (uint32_t)caps[0], .permitted = (uint32_t)caps[1], .effective = (uint32_t)caps[2] },
		{ .inheritable = (uint32_t)(caps[0] >> 32),
		  .permitted = (uint32_t)(caps[1] >> 32),
		  .effective = (uint32_t)(caps[2] >> 32) },
	};

	return syscall(SYS_capset, &head, d) == 0;
}

/* Three sets that differ: all that it may have, and of these the lower and the lowest. */
static void choose_caps(uint64_t caps[3])
{
	caps[2] = caps[1] & (caps[1] - 1); /* all but one */
	caps[0] = caps[2] & (caps[2] - 1);
}

static bool be_somebody(void *arg)
{
	struct ids *shared = arg;
	const uint32_t *id = its_ids.id;

	prctl(PR_SET_KEEPCAPS, 1);
	if (!get_caps(shared->cap) || syscall(SYS_setresgid, id[1], id[5], id[3]) < 0 ||
	    syscall(SYS_setresuid, id[0], id[4], id[2]) < 0)
		return false;
	choose_caps(shared->cap);
	memcpy(shared->id, id, sizeof(its_ids.id));
	return set_caps(shared->cap);
}

static bool is_cred(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	const struct ids *w = want;
	uint64_t p = pointer_at(r, at);
	static struct region cred;

	if (!p || p != u64_at(r, at + 8) || !region_read(h, &cred, p, 64))
		return false;
	return memmem(cred.b, cred.n, w->id, sizeof(w->id)) != NULL;
}

static void hunt_cred(struct hunt *h)
{
	static const enum offset_id ids[] = { OFF_CRED_UID,   OFF_CRED_GID,  0, 0, OFF_CRED_EUID, OFF_CRED_EGID,
					      OFF_CRED_FSUID, OFF_CRED_FSGID };
	static struct region task, cred;
	struct ids *w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct model m;
	const uint8_t *p;
	uint32_t at;

	if (w == MAP_FAILED)
		return;
	if (model_start(h, &m, be_somebody, w, 0) && region_read(h, &task, m.task, h->task_size)) {
		at = region_only(h, &task, 8, is_cred, w);
		if (at != NOWHERE && region_read(h, &cred, u64_at(&task, at), 256)) {
			found(h, OFF_TASK_REAL_CRED, at);
			found(h, OFF_TASK_CRED, at + 8);
			p = memmem(cred.b, cred.n, w->id, sizeof(w->id));
			for (uint32_t i = 0; p && i < 8; i++)
				if (i < 2 || i > 3)
					found(h, ids[i], (uint32_t)(p - cred.b) + 4 * i);
			p = memmem(cred.b, cred.n, w->cap, sizeof(w->cap));
			if (p) {
				found(h, OFF_CRED_CAP_PERMITTED, (uint32_t)(p - cred.b) + 8);
				found(h, OFF_CRED_CAP_EFFECTIVE, (uint32_t)(p - cred.b) + 16);
			}
		}
	}
	model_end(&m);
	munmap(w, 4096);
}

/* ---- mm, signal, tty ---------------------------------------------------------------------------------------------- */

static bool is_mm(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	static struct region mm;
	uint64_t p = pointer_at(r, at);

	return p && region_read(h, &mm, p, 2048) && memmem(mm.b, mm.n, want, 4 * sizeof(uint64_t));
}

static void hunt_mm(struct hunt *h)
{
	static struct region mm;
	uint64_t bounds[4];
	const uint8_t *p;
	uint32_t at;

	for (int i = 0; i < 4; i++)
		bounds[i] = stat_field(getpid(), 48 + i);
	at = bounds[0] ? region_first(h, h->own, 8, is_mm, bounds) : NOWHERE; /* the second is active_mm */
	if (at == NOWHERE || !region_read(h, &mm, u64_at(h->own, at), 2048))
		return;
	p = memmem(mm.b, mm.n, bounds, sizeof(bounds));
	if (!p)
		return;
	found(h, OFF_TASK_MM, at);
	for (uint32_t i = 0; i < 4; i++)
		found(h, OFF_MM_ARG_START + i, (uint32_t)(p - mm.b) + 8 * i);
}

static bool limit_itself(void *arg)
{
	const struct rlimit *l = arg;

	return setrlimit(RLIMIT_RTTIME, l) == 0;
}

static bool is_signal(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	static struct region signal;
	uint64_t p = pointer_at(r, at);

	/* sigcnt, live and nr_threads of a single thread begin it; other things may lie before it in memory */
	return p && region_read(h, &signal, p, 2048) && u32_at(&signal, 0) == 1 && u32_at(&signal, 4) == 1 &&
	       memmem(signal.b, signal.n, want, sizeof(struct rlimit));
}

static void hunt_signal(struct hunt *h)
{
	static struct region task, signal;
	struct rlimit l = { 51234567, 52345678 };
	struct model m;
	uint32_t at = NOWHERE;

	if (model_start(h, &m, limit_itself, &l, 0) && region_read(h, &task, m.task, h->task_size))
		at = region_only(h, &task, 8, is_signal, &l);
	if (at != NOWHERE && region_read(h, &signal, u64_at(&task, at), 2048)) {
		const uint8_t *p = memmem(signal.b, signal.n, &l, sizeof(l));

		found(h, OFF_TASK_SIGNAL, at);
		if (p)
			found(h, OFF_SIGNAL_RLIM, (uint32_t)(p - signal.b) - RLIMIT_RTTIME * (uint32_t)sizeof(l));
	}
	model_end(&m);
}

/* The list of threads: its head in signal_struct and its links in the tasks point at each other. */
static void hunt_thread_list(struct hunt *h, uint64_t signal_at, uint64_t second)
{
	static struct region first_task, second_task, signal;

	if (!region_read(h, &first_task, h->own_task, h->task_size) ||
	    !region_read(h, &second_task, second, h->task_size) || !region_read(h, &signal, signal_at, 2048))
		return;
	for (uint32_t at = 0; at + 16 <= signal.n; at += 8) {
		uint64_t next = u64_at(&signal, at), prev = u64_at(&signal, at + 8), head = signal.address + at;
		uint32_t link = (uint32_t)(next - h->own_task);

		if (next < h->own_task || next - h->own_task + 16 > first_task.n || prev != second + link)
			continue;
		if (u64_at(&first_task, link) != prev || u64_at(&second_task, link) != head)
			continue;
		found(h, OFF_SIGNAL_THREAD_HEAD, at);
		found(h, OFF_TASK_THREAD_NODE, link);
		return;
	}
}

/* live and nr_threads, side by side, are as many as there are threads. */
static void hunt_threads(struct hunt *h)
{
	static struct region with_two, with_one;
	const uint64_t signal = at_of(h, OFF_TASK_SIGNAL) == NOWHERE ? 0 : u64_at(h->own, at_of(h, OFF_TASK_SIGNAL));
	struct thread t;

	if (!signal || !thread_start(h, &t))
		return;
	region_read(h, &with_two, signal, 128);
	hunt_thread_list(h, signal, t.task);
	thread_end(&t);
	region_read(h, &with_one, signal, 128);
	/* what begins it, sigcnt, is also counted down later */
	for (uint32_t at = 4; at + 8 <= with_two.n; at += 4)
		if (u32_at(&with_two, at) == 2 && u32_at(&with_two, at + 4) == 2 && u32_at(&with_one, at) == 1 &&
		    u32_at(&with_one, at + 4) == 1) {
			found(h, OFF_SIGNAL_LIVE, at);
			found(h, OFF_SIGNAL_NR_THREADS, at + 4);
			return;
		}
}

static bool take_terminal(void *arg)
{
	/* one of our own, so that it is there and nobody sees it */
	int mount = kernel_mount("devpts", 0), number, lock = 0, terminal;

	terminal = mount < 0 ? -1 : openat(mount, "ptmx", O_RDWR | O_NOCTTY);
	if (terminal < 0 || ioctl(terminal, TIOCSPTLCK, &lock) < 0 || ioctl(terminal, TIOCGPTN, &number) < 0)
		return false;
	*(int *)arg = number;
	setsid();
	terminal = ioctl(terminal, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	return terminal >= 0 && ioctl(terminal, TIOCSCTTY, 0) == 0;
}

static bool is_terminal(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	static struct region tty;
	const char *name = want;
	uint64_t p = pointer_at(r, at);
	const uint8_t *q;

	if (!p || !region_read(h, &tty, p, 1024))
		return false;
	q = memmem(tty.b, tty.n, name, strlen(name) + 1);
	if (q)
		found(h, OFF_TTY_NAME, (uint32_t)(q - tty.b));
	return q;
}

static void hunt_tty(struct hunt *h)
{
	static struct region task, signal;
	int *number = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct model m;
	char name[16];

	if (number == MAP_FAILED || at_of(h, OFF_TASK_SIGNAL) == NOWHERE)
		return;
	if (model_start(h, &m, take_terminal, number, 0) && region_read(h, &task, m.task, h->task_size) &&
	    region_read(h, &signal, u64_at(&task, at_of(h, OFF_TASK_SIGNAL)), 1536)) {
		snprintf(name, sizeof(name), "pts%d", *number);
		found(h, OFF_SIGNAL_TTY, region_only(h, &signal, 8, is_terminal, name));
		if (at_of(h, OFF_SIGNAL_TTY) == NOWHERE)
			found(h, OFF_TTY_NAME, NOWHERE);
	}
	model_end(&m);
	munmap(number, 4096);
}

/* ---- login uid ---------------------------------------------------------------------------------------------------- */

static bool number_in(pid_t pid, const char *file, uint32_t *ret)
{
	char path[64];
	_cleanup_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	f = fopen(path, "re");
	return f && fscanf(f, "%u", ret) == 1;
}

static bool log_in(void *arg)
{
	int fd = open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)!write(fd, "61234", 5);
		close(fd);
	}
	return true;
}

/* loginuid, and the number of the session behind it. */
static void hunt_login(struct hunt *h)
{
	static struct region task;
	uint32_t uid, session;
	struct model m;
	struct two want;

	if (model_start(h, &m, log_in, NULL, 0) && number_in(m.pid, "loginuid", &uid) &&
	    number_in(m.pid, "sessionid", &session) && region_read(h, &task, m.task, h->task_size)) {
		want = (struct two){ uid, session };
		found(h, OFF_TASK_LOGINUID, region_only(h, &task, 4, are_u32, &want));
	}
	model_end(&m);
}

void hunt_task(struct hunt *h)
{
	hunt_name(h);
	if (!h->own->n)
		return;
	hunt_ids(h);
	hunt_children(h);
	hunt_start(h);
	region_read(h, h->own, h->own_task, h->task_size);
	hunt_stack(h);
	hunt_compat(h);
	hunt_cred(h);
	hunt_mm(h);
	hunt_signal(h);
	hunt_threads(h);
	hunt_tty(h);
	hunt_login(h);
}

/* ---- how a process ends, and what it executes ------------------------------------------------------------------------ */

static void *do_nothing(void *arg)
{
	pause();
	return NULL;
}

/* A process of two threads that has ended with @status and that nobody has waited for yet. */
static bool zombie_start(struct hunt *h, struct model *m, int status)
{
	siginfo_t info;
	pthread_t t;

	*m = (struct model){ .pid = -1, .hold = -1 };
	*h->told = 0;
	m->pid = (pid_t)fork();
	if (m->pid == 0) {
		*h->told = peek_task(&h->peek);
		pthread_create(&t, NULL, do_nothing, NULL);
		syscall(SYS_exit_group, status);
	}
	if (m->pid < 0 || waitid(P_PID, (id_t)m->pid, &info, WEXITED | WNOWAIT) < 0)
		return false;
	m->task = *h->told;
	return m->task;
}

/* signal->flags: SIGNAL_GROUP_EXIT in who has ended, nothing in who lives; not far behind group_exit_code. */
static uint32_t find_flags(const struct region *dead, const struct region *alive, uint32_t code)
{
	for (uint32_t at = code + 4; at <= code + 64; at += 4)
		if (u32_at(dead, at) == 4 && u32_at(alive, at) == 0)
			return at;
	return NOWHERE;
}

static void hunt_exit(struct hunt *h)
{
	static struct region task[2], signal[2], alive;
	const struct region *const tasks[] = { &task[0], &task[1] }, *const signals[] = { &signal[0], &signal[1] };
	const uint64_t codes[] = { 0x2b00, 0x5d00 };
	struct model m[2];
	bool all = at_of(h, OFF_TASK_SIGNAL) != NOWHERE;
	uint32_t at;

	for (int i = 0; i < 2; i++)
		all = zombie_start(h, &m[i], (int)codes[i] >> 8) && all &&
		      region_read(h, &task[i], m[i].task, h->task_size) &&
		      region_read(h, &signal[i], u64_at(&task[i], at_of(h, OFF_TASK_SIGNAL)), 512);
	if (all) {
		found(h, OFF_TASK_EXIT_CODE, regions_only(tasks, codes, 2, 4));
		at = regions_only(signals, codes, 2, 4);
		found(h, OFF_SIGNAL_GROUP_EXIT_CODE, at);
		if (at != NOWHERE && region_read(h, &alive, u64_at(h->own, at_of(h, OFF_TASK_SIGNAL)), 512))
			found(h, OFF_SIGNAL_FLAGS, find_flags(&signal[0], &alive, at));
	}
	model_end(&m[0]);
	model_end(&m[1]);
}

/* A child that stops just after it has executed a program, before the program's first instruction. */
static bool traced_start(struct hunt *h, struct model *m, struct region *ret_before)
{
	int status;

	*m = (struct model){ .pid = -1, .hold = -1 };
	*h->told = 0;
	m->pid = (pid_t)fork();
	if (m->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		*h->told = peek_task(&h->peek);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		execl("/proc/self/exe", "tamisd", "--version", NULL);
		_exit(1);
	}
	if (m->pid < 0 || waitpid(m->pid, &status, 0) < 0 || !WIFSTOPPED(status))
		return false;
	m->task = *h->told;
	return m->task && region_read(h, ret_before, m->task, h->task_size) &&
	       ptrace(PTRACE_CONT, m->pid, NULL, NULL) == 0 && waitpid(m->pid, &status, 0) == m->pid &&
	       WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
}

/* What exec changes in flags is PF_FORKNOEXEC alone (include/linux/sched.h). */
static void hunt_flags(struct hunt *h, const struct region *before, const struct region *after)
{
	uint32_t at_ = NOWHERE;

	for (uint32_t at = 0; at + 4 <= before->n; at += 4)
		if ((u32_at(before, at) ^ u32_at(after, at)) == 0x40 && u32_at(before, at) & 0x40)
			at_ = at_ == NOWHERE ? at : NOWHERE - 1;
	if (at_ < before->n)
		found(h, OFF_TASK_FLAGS, at_);
}

/* parent_exec_id and, behind it, self_exec_id: the same after a fork; the second is one more after an exec. */
static void hunt_exec_id(struct hunt *h)
{
	static struct region before, after;
	struct model m;
	uint32_t at_ = NOWHERE;

	for (int i = 0; i < 2; i++) {
		uint32_t at = NOWHERE;

		if (traced_start(h, &m, &before) && region_read(h, &after, m.task, h->task_size))
			for (uint32_t a = 8; a + 8 <= after.n; a += 8) {
				uint64_t id = u64_at(&before, a);

				if (id > 1 << 20 || id != u64_at(&before, a - 8) || id != u64_at(&after, a - 8) ||
				    id + 1 != u64_at(&after, a) || (at_ != NOWHERE && a != at_))
					continue;
				at = at == NOWHERE ? a : NOWHERE - 1;
			}
		if (i == 0)
			hunt_flags(h, &before, &after);
		model_end(&m);
		if (at >= h->task_size)
			return;
		at_ = at;
	}
	found(h, OFF_TASK_SELF_EXEC_ID, at_);
}

void hunt_ends(struct hunt *h)
{
	hunt_exit(h);
	hunt_exec_id(h);
}

/* ---- pid ------------------------------------------------------------------------------------------------------------- */

struct pid_seen {
	uint32_t tasks, links, numbers; /* numbers: where the one of the innermost namespace is */
};

/* struct pid: its list of tasks leads back to the task, and it tells the number. */
static bool pid_looks(struct hunt *h, const struct region *task, uint64_t p, uint32_t number, struct pid_seen *ret)
{
	static struct region pid;
	bool linked = false, numbered = false;

	if (!p || !region_read(h, &pid, p, 256))
		return false;
	for (uint32_t at = 0; at + 8 <= pid.n && !linked; at += 8) {
		uint64_t v = u64_at(&pid, at);

		linked = v > task->address && v < task->address + task->n;
		ret->tasks = at;
		ret->links = (uint32_t)(v - task->address);
	}
	for (uint32_t at = ret->tasks; linked && at + 16 <= pid.n && !numbered; at += 8) {
		numbered = u32_at(&pid, at) == number && pointer_at(&pid, at + 8);
		ret->numbers = at;
	}
	return linked && numbered;
}

static bool is_pid(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	struct pid_seen seen;

	return pid_looks(h, r, pointer_at(r, at), *(const uint32_t *)want, &seen);
}

/* The level of a namespace, behind which its parent is. */
static void hunt_ns_level(struct hunt *h, uint64_t outer, uint64_t inner)
{
	static struct region out, in;

	if (!region_read(h, &out, outer, 256) || !region_read(h, &in, inner, 256))
		return;
	for (uint32_t at = 0; at + 16 <= in.n; at += 4)
		if (u32_at(&in, at) == u32_at(&out, at) + 1 && u64_at(&in, at + (at % 8 ? 4 : 8)) == outer) {
			found(h, OFF_PIDNS_LEVEL, at);
			return;
		}
}

/* A namespace further in: one level more, one number more. */
static void hunt_level(struct hunt *h, const struct region *own, const struct pid_seen *seen)
{
	static struct region task, pid;
	struct pid_seen inner;
	struct model m;
	uint32_t at_level = NOWHERE;

	if (model_start(h, &m, NULL, NULL, CLONE_NEWPID) && region_read(h, &task, m.task, h->task_size) &&
	    pid_looks(h, &task, u64_at(&task, at_of(h, OFF_TASK_THREAD_PID)), 1, &inner) &&
	    inner.numbers == seen->numbers + 16 &&
	    region_read(h, &pid, u64_at(&task, at_of(h, OFF_TASK_THREAD_PID)), 256)) {
		hunt_ns_level(h, u64_at(own, seen->numbers + 8), u64_at(&pid, inner.numbers + 8));
		for (uint32_t at = 0; at < seen->tasks; at += 4) {
			uint32_t level = u32_at(own, at);

			if (u32_at(&pid, at) != level + 1 || level > 32 || seen->numbers < 16 * level)
				continue;
			/* a level's numbers begin where the outermost one's do */
			if (level == 0 || pointer_at(own, seen->numbers - 16 * level + 8))
				at_level = at_level == NOWHERE ? at : NOWHERE - 1;
		}
	}
	model_end(&m);
	if (at_level >= seen->tasks)
		return;
	found(h, OFF_PID_LEVEL, at_level);
	found(h, OFF_PID_NUMBERS, seen->numbers - 16 * u32_at(own, at_level));
}

struct table {
	uint32_t shift, slots; /* in xa_node */
	uint32_t nr;
	uint64_t pid;
};

/* What an xarray that begins with @entry has at @nr, if its nodes look like that: lib/xarray.c. */
static uint64_t table_lookup(struct hunt *h, uint64_t entry, const struct table *t)
{
	for (int i = 0; i < 8 && (entry & 3) == 2 && is_kernel(entry); i++) {
		uint64_t node = entry - 2;
		uint8_t shift;

		if (peek_read(&h->peek, node + t->shift, &shift, 1) < 0 || shift > 60 || shift % 6 ||
		    peek_read(&h->peek, node + t->slots + 8ull * (t->nr >> shift & 63), &entry, 8) < 0)
			return 0;
	}
	return entry & 3 ? 0 : entry;
}

static bool is_table(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	const struct table *t = want;
	uint64_t entry = u64_at(r, at);

	return (entry & 3) == 2 && is_kernel(entry) && table_lookup(h, entry, t) == t->pid;
}

/* The namespace's table of numbers finds our own struct pid. */
static void hunt_table(struct hunt *h, uint64_t ns, uint32_t nr, uint64_t pid)
{
	static struct region r;

	if (!region_read(h, &r, ns, 512))
		return;
	for (uint32_t slots = 16; slots <= 64; slots += 8) {
		struct table t = { 0, slots, nr, pid };
		uint32_t at = region_only(h, &r, 8, is_table, &t);

		if (at == NOWHERE)
			continue;
		found(h, OFF_PIDNS_IDR, at);
		found(h, OFF_XA_NODE_SHIFT, 0);
		found(h, OFF_XA_NODE_SLOTS, slots);
		return;
	}
}

void hunt_pids(struct hunt *h)
{
	static struct region pid;
	uint32_t number = (uint32_t)getpid(), at;
	struct pid_seen seen;
	uint64_t p;

	region_read(h, h->own, h->own_task, h->task_size);
	at = region_first(h, h->own, 8, is_pid, &number); /* behind it, the links point into the middle */
	if (at == NOWHERE)
		return;
	p = u64_at(h->own, at);
	if (!pid_looks(h, h->own, p, number, &seen) || !region_read(h, &pid, p, 256))
		return;
	found(h, OFF_TASK_THREAD_PID, at);
	found(h, OFF_TASK_PID_LINKS, seen.links);
	found(h, OFF_PID_TASKS, seen.tasks);
	hunt_level(h, &pid, &seen);
	hunt_table(h, u64_at(&pid, seen.numbers + 8), number, p);
	hunt_proc(h, p);
}
