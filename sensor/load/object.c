/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/load/object.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "sensor/load/cast.h"
#include "sensor/load/offsets.h"
#include "tamis.skel.h"

#define SYS_OPEN_WHOLE EV_NONE /* in sys_events; see bpf/lib/maps.bpf.h */

/* What the child is to do and what it says, in memory that both share. */
struct work {
	const struct object_plan *plan;
	uint32_t sensor; /* pid of the process that asks */
	int r;
	struct object_blame blame;
	struct err err;
	struct object made; /* globals and what lies in it: not set, since they are addresses */
	int globals;	    /* map of the variables */
	struct tamis *skel; /* the child's */
};

/* ---- libbpf's messages ----------------------------------------------------------------------------------------- */

static char last_message[300];	   /* the last that looks like an error */
static struct object_blame blamed; /* the first program that libbpf complained of, since this was cleared */

static int keep_message(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (getenv("TAMIS_LIBBPF_DEBUG"))
		return vfprintf(stderr, fmt, ap);
	if (level == LIBBPF_WARN) {
		vsnprintf(last_message, sizeof(last_message), fmt, ap);
		last_message[strcspn(last_message, "\n")] = '\0';
		if (!blamed.program[0])
			sscanf(last_message, "libbpf: prog '%63[^']': %95[^\n]", blamed.program, blamed.why);
	}
	return 0;
}

/* ---- which programs -------------------------------------------------------------------------------------------- */

static struct bpf_program *program_of(struct tamis *skel, size_t row)
{
	return bpf_object__find_program_by_name(skel->obj, hook_rows[row].program);
}

bool object_dispatched(size_t row)
{
	return hook_rows[row].kind == HOOK_SYS_BTF || hook_rows[row].kind == HOOK_SYS_TP;
}

enum hook_kind object_dispatcher(const struct ladder *l)
{
	for (size_t i = 0; i < hook_nrows; i++)
		if (l->used[i] && object_dispatched(i))
			return hook_rows[i].kind;
	return HOOK_KINDS;
}

static struct bpf_program *dispatcher(const struct work *w)
{
	switch (object_dispatcher(w->plan->ladder)) {
	case HOOK_SYS_TP:
		return w->skel->progs.sys_exit_dispatch_c;
	case HOOK_SYS_BTF:
		return w->skel->progs.sys_exit_dispatch;
	default:
		return NULL;
	}
}

/* The program that looks at opens before the whole one, or NULL. */
static struct bpf_program *peek(const struct work *w)
{
	const struct object_plan *p = w->plan;

	if (!p->cast || p->no_peek || p->ladder->rung[EV_OPEN] != EV_RUNG_TRACEPOINT)
		return NULL;
	return object_dispatcher(p->ladder) == HOOK_SYS_TP ? w->skel->progs.sys_open_peek_c
							   : w->skel->progs.sys_open_peek;
}

/* A program may serve several rows: it is loaded if one of them is used. */
static void autoload(const struct work *w)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, w->skel->obj) bpf_program__set_autoload(prog, false);
	for (size_t i = 0; i < hook_nrows; i++)
		if (w->plan->ladder->used[i])
			bpf_program__set_autoload(program_of(w->skel, i), true);
	if (dispatcher(w))
		bpf_program__set_autoload(dispatcher(w), true);
	if (peek(w))
		bpf_program__set_autoload(peek(w), true);
}

/* ---- settings -------------------------------------------------------------------------------------------------- */

static bool any_rung(const struct ladder *l, enum ev_rung rung)
{
	for (uint16_t ev = EV_NONE + 1; ev < EV_TYPES; ev++)
		if (l->rung[ev] == rung)
			return true;
	return false;
}

static int check_ring(const char *option, uint32_t bytes, struct err *err)
{
	if (bytes < 64 << 10 || (bytes & (bytes - 1)))
		return err_set(err, -EINVAL, "--%s: a ring of %u bytes: give a power of two from 65536 on", option,
			       bytes);
	return 0;
}

static void set_helpers(const struct object_plan *p, struct tamis__rodata *to)
{
	to->have_cast = p->cast != 0;
	/* some keep arguments on the fentry rung, too */
	to->have_calls = any_rung(p->ladder, EV_RUNG_KPROBE) || any_rung(p->ladder, EV_RUNG_FENTRY);
	to->have_task_regs = p->kernel_types &&
			     libbpf_probe_bpf_helper(BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_FUNC_task_pt_regs, NULL) == 1;
	to->have_current_ids =
		libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_FUNC_get_current_pid_tgid, NULL) == 1;
	to->have_loginuid = access("/proc/self/loginuid", F_OK) == 0;
}

static int configure(const struct work *w, struct err *err)
{
	const struct object_plan *p = w->plan;
	struct tamis__rodata *to = w->skel->rodata;
	uint64_t seed[4];
	int r = check_ring("ring-bytes", p->ring_bytes, err);

	if (r == 0)
		r = check_ring("lineage-bytes", p->lineage_bytes, err);
	if (r < 0)
		return r;
	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return err_set(err, -EIO, "no random bytes from the kernel");
	to->ring_bytes = p->ring_bytes;
	to->lineage_bytes = p->lineage_bytes;
	to->want_envs = p->envs;
	to->have_deny = p->ladder->deny;
	set_helpers(p, to);
	if (p->stack_bytes)
		to->stack_bytes = p->stack_bytes;
	else if (sysconf(_SC_PAGESIZE) > (long)to->stack_bytes) /* arm64 with large pages */
		to->stack_bytes = (uint32_t)sysconf(_SC_PAGESIZE);
	for (size_t i = 0; i < sizeof(seed) / sizeof(seed[0]); i++)
		to->seed[i] = seed[i] | 1;
	w->skel->bss->self_pid = w->sensor;
	r = bpf_map__set_max_entries(w->skel->maps.lineage, p->lineage_bytes);
	if (r == 0)
		r = bpf_map__set_max_entries(w->skel->maps.stats, p->ncpus);
	return r < 0 ? r : bpf_map__set_max_entries(w->skel->maps.events, p->ring_bytes);
}

/* ---- in the child ---------------------------------------------------------------------------------------------- */

/* As tamis__open_opts(), with a copy of the object in which casts are calls. */
static int open_object(struct work *w)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = w->plan->btf_path);
	_cleanup_free_ uint8_t *elf = NULL;
	struct bpf_object_skeleton *s;
	int r;

	w->skel = calloc(1, sizeof(*w->skel));
	if (!w->skel || tamis__create_skeleton(w->skel) < 0)
		return -ENOMEM;
	s = w->skel->skeleton;
	elf = malloc(s->data_sz);
	if (!elf)
		return -ENOMEM;
	memcpy(elf, s->data, s->data_sz);
	if (w->plan->cast)
		cast_apply(elf, s->data_sz, w->plan->cast);
	s->data = elf;
	r = bpf_object__open_skeleton(s, &opts);
	s->data = NULL; /* libbpf has copied what it needs */
	return r;
}

static int load_failed(int r, struct err *err)
{
	if (r == -EPERM)
		return err_set(err, r, "BPF refused (%s): run as root, or with CAP_BPF and CAP_PERFMON", last_message);
	return err_set(err, r, "cannot load the BPF programs: %s (%s)", last_message, strerror(-r));
}

/* Fills the tail-call table of the tracepoint rung. */
static int fill_sys_events(struct work *w)
{
	int map = bpf_map__fd(w->skel->maps.sys_events);

	if (peek(w)) {
		uint32_t event = EV_OPEN;
		int fd = bpf_program__fd(peek(w));

		if (bpf_map_update_elem(map, &event, &fd, BPF_ANY))
			return -errno;
	}
	for (size_t i = 0; i < hook_nrows; i++) {
		uint32_t event = hook_rows[i].event;
		int fd;

		if (!w->plan->ladder->used[i] || !object_dispatched(i))
			continue;
		if (event == EV_OPEN && peek(w))
			event = SYS_OPEN_WHOLE;
		fd = bpf_program__fd(program_of(w->skel, i));
		if (bpf_map_update_elem(map, &event, &fd, BPF_ANY))
			return -errno;
	}
	return 0;
}

static int build(struct work *w, struct err *err)
{
	int r = open_object(w);

	if (r < 0)
		return err_set(err, r, "cannot open the BPF object: %s (%s)", last_message, strerror(-r));
	autoload(w);
	r = configure(w, err);
	if (r < 0)
		return r;
	memset(&blamed, 0, sizeof(blamed));
	r = tamis__load(w->skel);
	if (r < 0)
		return load_failed(r, err);
	memset(&blamed, 0, sizeof(blamed));
	r = fill_sys_events(w);
	return r < 0 ? err_set(err, r, "cannot fill the table of system call programs: %s", strerror(-r)) : 0;
}

/* The descriptors that stay; the programs hold the other maps. */
static void hand_over(struct work *w)
{
	static const char *const names[OBJECT_MAPS] = {
#define X(ID, NAME) [ID] = NAME,
		OBJECT_MAPS_OF(X)
#undef X
	};
	struct bpf_map *map;

	for (int i = 0; i < OBJECT_MAPS; i++)
		w->made.map[i] = bpf_object__find_map_fd_by_name(w->skel->obj, names[i]);
	w->globals = bpf_map__fd(w->skel->maps.bss);
	w->made.btf = bpf_object__btf_fd(w->skel->obj);
	w->made.sieve_key = bpf_map__btf_key_type_id(w->skel->maps.sieve_first);
	w->made.sieve_value = bpf_map__btf_value_type_id(w->skel->maps.sieve_first);
	w->made.dispatcher = dispatcher(w) ? bpf_program__fd(dispatcher(w)) : -1;
	w->made.peek = peek(w) ? bpf_program__fd(peek(w)) : -1;
	for (size_t i = 0; i < hook_nrows; i++) {
		const struct bpf_program *p = w->plan->ladder->used[i] ? program_of(w->skel, i) : NULL;

		w->made.prog[i] = p ? bpf_program__fd(p) : -1;
		w->made.attach_type[i] = p ? (uint8_t)bpf_program__expected_attach_type(p) : 0;
	}
	bpf_object__for_each_map(map, w->skel->obj)
	{
		bool stays = bpf_map__fd(map) == w->globals;

		for (int i = 0; i < OBJECT_MAPS; i++)
			stays |= bpf_map__fd(map) == w->made.map[i];
		if (!stays)
			close(bpf_map__fd(map));
	}
}

static void child(struct work *w)
{
	libbpf_set_print(keep_message);
	w->r = build(w, &w->err);
	w->blame = blamed;
	if (w->r == 0)
		hand_over(w);
	else
		tamis__destroy(w->skel); /* the descriptors are the parent's, too */
	_exit(0);
}

/* ---- in the parent --------------------------------------------------------------------------------------------- */

/* A copy of this process that has its memory to itself and its descriptors with us. */
static pid_t clone_with_files(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
}

static int wait_for(pid_t pid, struct err *err)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(err, -errno, "cannot wait for the process that loads BPF programs: %s",
				       strerror(errno));
	if (WIFSIGNALED(status))
		return err_set(err, -EIO, "the process that loads BPF programs was ended by signal %d",
			       WTERMSIG(status));
	return 0;
}

static size_t globals_size(void)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (sizeof(struct tamis__bss) + page - 1) & ~(page - 1);
}

static int map_globals(int fd, struct object *o, struct err *err)
{
	void *at = mmap(NULL, globals_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct tamis__bss *bss = at;

	if (at == MAP_FAILED)
		return err_set(err, -errno, "cannot map the variables of the BPF programs: %s", strerror(errno));
	_Static_assert(sizeof(*o->syscalls) == sizeof(bss->syscalls), "include/tamis/syscalls.h for both");
	o->globals = at;
	o->syscalls = (struct sysdescs *)&bss->syscalls;
	o->canary_pid = &bss->canary_pid;
	o->deny_left = &bss->deny_left;
	return 0;
}

static int take_over(const struct work *w, struct object *o, struct err *err)
{
	int r;

	*o = w->made;
	o->dispatcher_name =
		object_dispatcher(w->plan->ladder) == HOOK_SYS_TP ? "sys_exit_dispatch_c" : "sys_exit_dispatch";
	r = map_globals(w->globals, o, err);
	close(w->globals);
	if (r < 0)
		object_unload(o);
	return r;
}

int object_load(const struct object_plan *p, struct object *ret, struct object_blame *blame, struct err *err)
{
	struct work *w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int r;

	*blame = (struct object_blame){ 0 };
	if (w == MAP_FAILED)
		return err_set(err, -errno, "no memory to load BPF programs: %s", strerror(errno));
	w->plan = p;
	w->sensor = (uint32_t)getpid();
	pid = clone_with_files();
	if (pid == 0)
		child(w);
	r = pid < 0 ? err_set(err, -errno, "cannot make a process that loads BPF programs: %s", strerror(errno))
		    : wait_for(pid, err);
	if (r == 0 && w->r < 0) {
		*blame = w->blame;
		r = err_set(err, w->r, "%s", w->err.msg);
	}
	if (r == 0)
		r = take_over(w, ret, err);
	munmap(w, sizeof(*w));
	return r;
}

void object_unload(struct object *o)
{
	if (!o->btf)
		return;
	for (int i = 0; i < OBJECT_MAPS; i++)
		close(o->map[i]);
	for (size_t i = 0; i < hook_nrows; i++) {
		bool first = o->prog[i] >= 0;

		for (size_t k = 0; k < i && first; k++)
			first = o->prog[k] != o->prog[i];
		if (first)
			close(o->prog[i]);
	}
	if (o->dispatcher >= 0)
		close(o->dispatcher);
	if (o->peek >= 0)
		close(o->peek);
	close(o->btf);
	if (o->globals)
		munmap(o->globals, globals_size());
	*o = (struct object){ 0 };
}

int object_types(const struct offsets *o, uint32_t *ret_stack, int *ret_fd, struct err *err)
{
	struct tamis *skel = tamis__open();
	const struct btf *own;
	int r, regs;

	if (!skel)
		return err_set(err, -errno, "cannot open the BPF object: %s", strerror(errno));
	own = bpf_object__btf(skel->obj);
	regs = btf__find_by_name_kind(own, "pt_regs", BTF_KIND_STRUCT);
	if (regs > 0 && o->regs != OFFSET_UNKNOWN)
		*ret_stack = o->regs + btf__type_by_id(own, (uint32_t)regs)->size;
	r = offsets_btf(o, own, ret_fd, err);
	tamis__destroy(skel);
	return r < 0 ? r : 0;
}
