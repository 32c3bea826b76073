/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/load/offsets.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "sensor/load/kernel.h"
#include "sensor/load/offsets_impl.h"
#include "tamis/event.h"

#define HUNT_SECONDS 30
/* What lies in memory by chance may hide an offset, or look like one: several searches have to agree. */
#define HUNTS_MIN 3
#define HUNTS_MAX 8

#define FIELD(ID, TYPE, MEMBER, BELOW) { TYPE, MEMBER, BELOW },
const struct offset_field offset_fields[OFFSETS_N] = { OFFSETS(FIELD) };

/* Pipes, namespaces by descriptor, programs and maps, socket filters, packets: nowhere in a process's reach, or too deep. */
const uint16_t offsets_blind[] = { EV_SPLICE, EV_SETNS, EV_BPF, EV_SETSOCKOPT, EV_SELINUX, EV_DNS, EV_IMDS, EV_NONE };

/* ---- regions --------------------------------------------------------------------------------------------------- */

bool region_read(struct hunt *h, struct region *r, uint64_t address, uint32_t n)
{
	*r = (struct region){ .address = address };
	while (is_kernel(address) && r->n < n && r->n < REGION_MAX) {
		uint32_t left = n - r->n, page = PEEK_MAX - (uint32_t)((address + r->n) & (PEEK_MAX - 1));

		if (peek_read(&h->peek, address + r->n, r->b + r->n, left < page ? left : page) < 0)
			break;
		r->n += left < page ? left : page;
	}
	return r->n > 0;
}

uint64_t u64_at(const struct region *r, uint32_t at)
{
	uint64_t v = 0;

	if (at <= REGION_MAX - sizeof(v) && at + sizeof(v) <= r->n)
		memcpy(&v, r->b + at, sizeof(v));
	return v;
}

uint32_t u32_at(const struct region *r, uint32_t at)
{
	uint32_t v = 0;

	if (at <= REGION_MAX - sizeof(v) && at + sizeof(v) <= r->n)
		memcpy(&v, r->b + at, sizeof(v));
	return v;
}

uint16_t u16_at(const struct region *r, uint32_t at)
{
	uint16_t v = 0;

	if (at <= REGION_MAX - sizeof(v) && at + sizeof(v) <= r->n)
		memcpy(&v, r->b + at, sizeof(v));
	return v;
}

/* The kernel's half of the addresses begins here: with 4 and 5 levels of page tables, or 48 and 52 bits. */
#if defined(__x86_64__)
#define BASE_USUAL 0xffff800000000000ull
#define BASE_LARGE 0xff00000000000000ull
#else
#define BASE_USUAL 0xffff000000000000ull
#define BASE_LARGE 0xfff0000000000000ull
#endif
static uint64_t kernel_base = BASE_USUAL;

bool is_kernel(uint64_t address)
{
	return address >= kernel_base && address < (uint64_t)-4096;
}

uint64_t pointer_at(const struct region *r, uint32_t at)
{
	uint64_t p = u64_at(r, at);

	return is_kernel(p) && p % 8 == 0 ? p : 0;
}

bool text_is(struct hunt *h, uint64_t address, const char *text)
{
	char there[256];
	size_t n = strlen(text) + 1;

	return is_kernel(address) && n <= sizeof(there) && peek_read(&h->peek, address, there, n) == 0 &&
	       memcmp(there, text, n) == 0;
}

static uint32_t region_find(struct hunt *h, const struct region *r, uint32_t step, region_fits *fits, const void *want,
			    bool only)
{
	uint32_t found_at = NOWHERE;

	for (uint32_t at = 0; at + step <= r->n; at += step) {
		if (!fits(h, r, at, want))
			continue;
		if (!only)
			return at;
		if (found_at != NOWHERE)
			return NOWHERE;
		found_at = at;
	}
	return found_at;
}

uint32_t region_only(struct hunt *h, const struct region *r, uint32_t step, region_fits *fits, const void *want)
{
	return region_find(h, r, step, fits, want, true);
}

uint32_t region_first(struct hunt *h, const struct region *r, uint32_t step, region_fits *fits, const void *want)
{
	return region_find(h, r, step, fits, want, false);
}

bool is_u64(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	return at + 8 <= r->n && u64_at(r, at) == *(const uint64_t *)want;
}

bool is_u32(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	return at + 4 <= r->n && u32_at(r, at) == *(const uint32_t *)want;
}

bool is_u16(struct hunt *h, const struct region *r, uint32_t at, const void *want)
{
	return at + 2 <= r->n && u16_at(r, at) == *(const uint16_t *)want;
}

static uint64_t number_at(const struct region *r, uint32_t at, uint32_t size)
{
	return size == 8 ? u64_at(r, at) : size == 4 ? u32_at(r, at) : u16_at(r, at);
}

uint32_t regions_only(const struct region *const r[], const uint64_t want[], size_t n, uint32_t size)
{
	uint32_t found_at = NOWHERE;

	for (uint32_t at = 0; at + size <= r[0]->n; at += size) {
		size_t same = 0;

		while (same < n && at + size <= r[same]->n && number_at(r[same], at, size) == want[same])
			same++;
		if (same < n)
			continue;
		if (found_at != NOWHERE)
			return NOWHERE;
		found_at = at;
	}
	return found_at;
}

/* ---- models ---------------------------------------------------------------------------------------------------- */

static int clone_process(int flags)
{
	return (int)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
}

/* In the model: says that it stands, and waits for its end. */
static __attribute__((noreturn)) void model_run(struct hunt *h, bool (*arrange)(void *), void *arg, int ready, int hold)
{
	char c = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	*h->told = peek_task(&h->peek);
	if (!arrange || arrange(arg))
		(void)!write(ready, "", 1);
	close(ready);
	(void)!read(hold, &c, 1);
	_exit(0);
}

bool model_start(struct hunt *h, struct model *m, bool (*arrange)(void *), void *arg, int flags)
{
	int ready[2], hold[2];
	bool stands = false;
	char c;

	*m = (struct model){ .pid = -1, .hold = -1 };
	if (pipe2(ready, O_CLOEXEC) < 0)
		return false;
	if (pipe2(hold, O_CLOEXEC) < 0) {
		close(ready[0]);
		close(ready[1]);
		return false;
	}
	*h->told = 0;
	m->pid = clone_process(flags);
	if (m->pid == 0) {
		close(ready[0]);
		close(hold[1]);
		model_run(h, arrange, arg, ready[1], hold[0]);
	}
	close(ready[1]);
	close(hold[0]);
	m->hold = hold[1];
	stands = m->pid > 0 && read(ready[0], &c, 1) == 1;
	close(ready[0]);
	m->task = *h->told;
	return stands && m->task;
}

void model_end(struct model *m)
{
	if (m->hold >= 0)
		close(m->hold);
	if (m->pid > 0) {
		kill(m->pid, SIGKILL);
		waitpid(m->pid, NULL, __WALL);
	}
	*m = (struct model){ .pid = -1, .hold = -1 };
}

/* ---- tracepoints: tracefs tells where their fields are ------------------------------------------------------------ */

static uint32_t format_offset(int tracefs, const char *tracepoint, const char *field)
{
	_cleanup_close_ int fd = -1;
	char path[200], text[PEEK_MAX], needle[100];
	const char *at;
	unsigned int offset;
	ssize_t n;

	snprintf(path, sizeof(path), "events/%s/format", tracepoint);
	fd = openat(tracefs, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return NOWHERE;
	text[n] = '\0';
	snprintf(needle, sizeof(needle), " %s;\toffset:", field);
	at = strstr(text, needle);
	return at && sscanf(at + strlen(needle), "%u;", &offset) == 1 ? offset : NOWHERE;
}

static const struct {
	uint32_t id; /* enum offset_id */
	const char *tracepoint, *field;
} formats[] = {
	{ OFF_TP_SYS_EXIT_RET, "raw_syscalls/sys_exit", "ret" },
	{ OFF_TP_EXEC_FILENAME, "sched/sched_process_exec", "filename" },
	{ OFF_TP_EXEC_OLD_PID, "sched/sched_process_exec", "old_pid" },
	{ OFF_TP_FORK_CHILD_PID, "sched/sched_process_fork", "child_pid" },
	{ OFF_TP_MIGRATE_PID, "cgroup/cgroup_attach_task", "pid" },
	{ OFF_TP_CAPABLE_CRED, "capability/cap_capable", "cred" },
	{ OFF_TP_CAPABLE_CAP, "capability/cap_capable", "cap" },
	{ OFF_TP_CAPABLE_RET, "capability/cap_capable", "ret" },
	{ OFF_TP_MODULE_LOAD, "module/module_load", "name" },
	{ OFF_TP_MODULE_FREE, "module/module_free", "name" },
	{ OFF_TP_URING_ENTRIES, "io_uring/io_uring_create", "sq_entries" },
	{ OFF_TP_URING_FLAGS, "io_uring/io_uring_create", "flags" },
	{ OFF_TP_URING_REQ_OPCODE, "io_uring/io_uring_submit_req", "opcode" },
	{ OFF_TP_URING_REQ_FLAGS, "io_uring/io_uring_submit_req", "flags" },
	{ OFF_TP_URING_SQE_OPCODE, "io_uring/io_uring_submit_sqe", "opcode" },
	{ OFF_TP_URING_SQE_FLAGS, "io_uring/io_uring_submit_sqe", "flags" },
};

static void read_formats(struct offsets *o)
{
	_cleanup_close_ int tracefs = kernel_tracefs();

	if (tracefs < 0)
		return;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		o->at[formats[i].id] = format_offset(tracefs, formats[i].tracepoint, formats[i].field);
}

/* How large the objects of a kernel's cache are; @unknown if it does not say. */
static uint32_t slab_size(const char *cache, uint32_t unknown)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/slabinfo", "re");
	char line[512], name[64];
	unsigned int size;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %*u %*u %u", name, &size) == 2 && strcmp(name, cache) == 0)
			return size < unknown ? size : unknown;
	return unknown;
}

/* ---- the hunt --------------------------------------------------------------------------------------------------- */

/* The process that hunts: a child, since it changes its name, its mounts and its limits. */
static __attribute__((noreturn)) void hunt_run(struct hunt *h)
{
	static struct region own;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(HUNT_SECONDS);
	h->task_size = slab_size("task_struct", REGION_MAX);
	h->own = &own;
	h->own_task = peek_task(&h->peek);
	if (h->own_task < BASE_USUAL)
		kernel_base = BASE_LARGE;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(1);
	hunt_task(h);
	hunt_files(h);
	hunt_ends(h);
	hunt_pids(h);
	hunt_sockets(h);
	_exit(0);
}

struct shared {
	struct offsets found;
	uint64_t told;
};

/* One search, in a process of its own. */
static int hunt_once(struct hunt *h, struct err *err)
{
	int status = 0;
	pid_t pid;

	memset(h->found, 0xff, sizeof(*h->found));
	read_formats(h->found);
	pid = clone_process(0);
	if (pid == 0)
		hunt_run(h);
	if (pid < 0)
		return err_set(err, -errno, "cannot fork: %s", strerror(errno));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status ? err_set(err, -EIO, "the search for the kernel's offsets ended with status %d", status) : 0;
}

#define NUMBERS (sizeof(struct offsets) / sizeof(uint32_t))

static uint32_t nth(const struct offsets *o, size_t i)
{
	return i < OFFSETS_N ? o->at[i] : o->regs;
}

/* What @field was found at in most of @n searches; OFFSET_UNKNOWN if fewer than two agree, or less than two thirds. */
static uint32_t vote(const struct offsets seen[], int n, size_t field)
{
	uint32_t best = OFFSET_UNKNOWN;
	int most = 1, all = 0;

	for (int i = 0; i < n; i++) {
		const uint32_t at = nth(&seen[i], field);
		int same = 0;

		for (int k = 0; k < n && at != OFFSET_UNKNOWN; k++)
			same += nth(&seen[k], field) == at;
		all += at != OFFSET_UNKNOWN;
		if (same > most) {
			most = same;
			best = at;
		}
	}
	return 3 * most >= 2 * all ? best : OFFSET_UNKNOWN;
}

/* Whether another search could tell more: about what was found, but not often enough. */
static bool undecided(const struct offsets seen[], int n)
{
	for (size_t f = 0; f < NUMBERS; f++)
		for (int i = 0; i < n; i++)
			if (nth(&seen[i], f) != OFFSET_UNKNOWN && vote(seen, n, f) == OFFSET_UNKNOWN)
				return true;
	return false;
}

int offsets_find(struct offsets *ret, struct err *err)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct hunt h = { .peek = { .map = -1, .prog = -1 } };
	struct offsets seen[HUNTS_MAX];
	int r, rounds = 0, n = 0;

	if (s == MAP_FAILED)
		return err_set(err, -ENOMEM, "no memory");
	h.found = &s->found;
	h.told = &s->told;
	r = peek_open(&h.peek, err);
	h.parent_task = r == 0 ? peek_task(&h.peek) : 0;
	while (r == 0 && rounds < HUNTS_MAX && (rounds < HUNTS_MIN || undecided(seen, rounds))) {
		r = hunt_once(&h, err);
		seen[rounds++] = s->found;
	}
	for (int i = 0; i < OFFSETS_N; i++) {
		ret->at[i] = vote(seen, rounds, (size_t)i);
		n += ret->at[i] != OFFSET_UNKNOWN;
	}
	ret->regs = vote(seen, rounds, OFFSETS_N);
	peek_close(&h.peek);
	munmap(s, sizeof(*s));
	return r < 0 ? r : n;
}

/* ---- as type information ------------------------------------------------------------------------------------------ */

/*
 * Types that look the same on every kernel, or that the search takes for granted where it finds something by them; all
 * other structures of ours are renamed, so that nothing is found by them.
 */
static const char *const as_they_are[] = {
	"list_head", "hlist_node", "hlist_head",   "timespec64", "qstr", "path",   "rlimit",
	"upid",	     "pt_regs",	   "user_pt_regs", "in6_addr",	 "idr",	 "xarray", "ns_common",
};

/* Members of structures that are found, which begin them. */
static const struct offset_field beginnings[] = {
	{ "task_struct", "thread_info", "" },
	{ "sock", "__sk_common", "" },
};

static bool is_as_it_is(const char *name)
{
	for (size_t i = 0; i < sizeof(as_they_are) / sizeof(as_they_are[0]); i++)
		if (strcmp(name, as_they_are[i]) == 0)
			return true;
	return false;
}

/* The member @name of our own structure @type, or of a flavour of it, which is called "type___something". */
static const struct btf_member *own_member(const struct btf *own, const char *type, const char *name)
{
	size_t len = strlen(type);

	for (unsigned int id = 1; id < btf__type_cnt(own); id++) {
		const struct btf_type *t = btf__type_by_id(own, id);
		const char *n = btf__name_by_offset(own, t->name_off);
		const struct btf_member *m = btf_members(t);

		if (!btf_is_struct(t) || strncmp(n, type, len) != 0 || (n[len] && strncmp(n + len, "___", 3) != 0))
			continue;
		for (unsigned int i = 0; i < btf_vlen(t); i++)
			if (strcmp(btf__name_by_offset(own, m[i].name_off), name) == 0)
				return &m[i];
	}
	return NULL;
}

/* Our types with every structure renamed that is not as it is, under the same numbers. */
static struct btf *copy_types(const struct btf *own)
{
	struct btf *all = btf__new_empty();
	int hidden = all && btf__add_btf(all, own) > 0 ? btf__add_str(all, "not_known") : -1;

	if (hidden < 0) {
		btf__free(all);
		return NULL;
	}
	for (unsigned int id = 1; id < btf__type_cnt(all); id++) {
		struct btf_type *t = (struct btf_type *)btf__type_by_id(all, id);

		if (btf_is_struct(t) && t->name_off && !is_as_it_is(btf__name_by_offset(all, t->name_off)))
			t->name_off = (uint32_t)hidden;
	}
	return all;
}

static bool begins(const char *type, const char *member)
{
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
		if (strcmp(beginnings[i].type, type) == 0 && strcmp(beginnings[i].member, member) == 0)
			return true;
	return false;
}

/* The structure of @all that member type @id should be: a new one, where ours was renamed. */
static int member_type(const struct btf *all, const struct btf *own, uint32_t id, uint32_t first_new)
{
	const struct btf_type *t = btf__type_by_id(own, id);
	const char *name = btf__name_by_offset(own, t->name_off);

	if (!btf_is_struct(t) || !t->name_off || is_as_it_is(name))
		return (int)id;
	for (unsigned int n = first_new; n < btf__type_cnt(all); n++)
		if (strcmp(btf__name_by_offset(all, btf__type_by_id(all, n)->name_off), name) == 0)
			return (int)n;
	return -ENOENT;
}

static int add_member(struct btf *all, const struct btf *own, const char *type, const char *name, uint32_t at,
		      uint32_t first_new)
{
	const struct btf_member *m = own_member(own, type, name);
	int id = m ? member_type(all, own, m->type, first_new) : -ENOENT;

	/* what we do not read ourselves, or what nothing of was found, is nobody's loss */
	return id < 0 ? 0 : btf__add_field(all, name, id, at * 8, 0);
}

/* Structure @type with all that was found of it; 0 if nothing was. */
static int add_struct(struct btf *all, const struct btf *own, const struct offsets *o, const char *type,
		      uint32_t first_new)
{
	bool any = false;
	int r = 0;

	for (int i = 0; i < OFFSETS_N; i++)
		any |= o->at[i] != OFFSET_UNKNOWN && strcmp(offset_fields[i].type, type) == 0;
	if (!any)
		return 0;
	r = btf__add_struct(all, type, REGION_MAX);
	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]) && r >= 0; i++)
		if (strcmp(beginnings[i].type, type) == 0)
			r = add_member(all, own, type, beginnings[i].member, 0, first_new);
	for (int i = 0; i < OFFSETS_N && r >= 0; i++)
		if (o->at[i] != OFFSET_UNKNOWN && strcmp(offset_fields[i].type, type) == 0 &&
		    !begins(type, offset_fields[i].member))
			r = add_member(all, own, type, offset_fields[i].member, o->at[i], first_new);
	return r;
}

/* Those that are members of others come first. */
static int add_structs(struct btf *all, const struct btf *own, const struct offsets *o)
{
	static const char *const first[] = { "thread_info", "sock_common", "vfsmount" };
	const uint32_t first_new = btf__type_cnt(all);
	int r = 0;

	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]) && r >= 0; i++)
		r = add_struct(all, own, o, first[i], first_new);
	for (int i = 0; i < OFFSETS_N && r >= 0; i++) {
		const char *type = offset_fields[i].type;
		bool done = false;

		for (unsigned int n = first_new; n < btf__type_cnt(all) && !done; n++)
			done = strcmp(btf__name_by_offset(all, btf__type_by_id(all, n)->name_off), type) == 0;
		if (!done)
			r = add_struct(all, own, o, type, first_new);
	}
	return r;
}

int offsets_btf(const struct offsets *o, const struct btf *own, int *ret_fd, struct err *err)
{
	struct btf *all = copy_types(own);
	int r = all ? add_structs(all, own, o) : -ENOMEM, fd = -1;
	const void *raw = NULL;
	uint32_t size = 0;

	if (r >= 0)
		raw = btf__raw_data(all, &size);
	if (raw)
		fd = memfd_create("tamis-types", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, raw, size) != (ssize_t)size) {
		close(fd);
		fd = -1;
	}
	btf__free(all);
	if (fd < 0)
		return err_set(err, -ENOMEM, "cannot write down the types that were found");
	*ret_fd = fd;
	return 0;
}
