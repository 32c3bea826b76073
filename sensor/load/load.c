/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/load/load.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "sensor/load/cast.h"
#include "sensor/load/cgroup.h"
#include "sensor/load/hooks.h"
#include "sensor/load/kernel.h"
#include "sensor/load/ladder.h"
#include "sensor/load/offsets.h"
#include "sensor/load/perf.h"
#include "sensor/load/syscalls.h"
#include "tamis.skel.h"

#define SYS_OPEN_WHOLE EV_NONE /* in sys_events; see bpf/lib/maps.bpf.h */
#define KERNEL_BTF     "/sys/kernel/btf/vmlinux"
#define BUILDS_MAX     32 /* programs that may turn out not to load or attach before we give up */

struct load {
	struct load_options options;
	struct tamis *skel; /* owned */
	struct ladder ladder;
	int32_t cast;	      /* see cast.h; 0: not here */
	bool no_peek;	      /* bpf/peek.bpf.c cannot be loaded */
	char *btf_path;	      /* owned; type information that is not the kernel's own, or NULL */
	bool kernel_types;    /* the kernel tells its types: helpers that return pointers to them work */
	int types_fd;	      /* owned; where btf_path is what we found out, else -1 */
	uint32_t stack_bytes; /* of a thread's stack up to the end of its registers; 0: as the programs have it */
	struct perf_hook hook[HOOK_ROWS_MAX][LADDER_SYMBOLS]; /* owned */
	struct perf_hook dispatch;			      /* owned */
	bool wanted[EV_TYPES];				      /* by the policy in force */
	uint32_t canary;				      /* see load_canary() */
	int sieve_fd;	/* owned; the inner map in force, -1 before the first policy */
	int measure_fd; /* owned; -1: off */
	int ncpus;
};

static const char *const rung_names[EV_RUNGS] = { "none", "fentry", "kprobe", "tracepoint", "cgroup" };

const char *load_rung_name(enum ev_rung r)
{
	return r > EV_RUNG_NONE && r < EV_RUNGS ? rung_names[r] : NULL;
}

enum ev_rung load_rung_parse(const char *name)
{
	/* what is seen at the cgroups has no other rung, so nobody can ask for it */
	for (int r = EV_RUNG_NONE + 1; r < EV_RUNG_CGROUP; r++)
		if (strcmp(name, rung_names[r]) == 0)
			return r;
	return EV_RUNG_NONE;
}

/* ---- libbpf's messages ----------------------------------------------------------------------------------------- */

static char last_message[300]; /* the last that looks like an error */
static struct {
	char name[64], why[96];
} blamed; /* the first program that libbpf complained of, since this was cleared */

static int keep_message(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (getenv("TAMIS_LIBBPF_DEBUG"))
		return vfprintf(stderr, fmt, ap);
	if (level == LIBBPF_WARN) {
		vsnprintf(last_message, sizeof(last_message), fmt, ap);
		last_message[strcspn(last_message, "\n")] = '\0';
		if (!blamed.name[0])
			sscanf(last_message, "libbpf: prog '%63[^']': %95[^\n]", blamed.name, blamed.why);
	}
	return 0;
}

/* ---- open --------------------------------------------------------------------------------------------------- */

static struct bpf_program *program_of(struct load *l, size_t row)
{
	return bpf_object__find_program_by_name(l->skel->obj, hook_rows[row].program);
}

static bool dispatched(size_t row)
{
	return hook_rows[row].kind == HOOK_SYS_BTF || hook_rows[row].kind == HOOK_SYS_TP;
}

/* What kind of dispatcher the chosen rungs use, or HOOK_KINDS for none. */
static enum hook_kind dispatcher_kind(const struct load *l)
{
	for (size_t i = 0; i < hook_nrows; i++)
		if (l->ladder.used[i] && dispatched(i))
			return hook_rows[i].kind;
	return HOOK_KINDS;
}

static struct bpf_program *dispatcher(struct load *l)
{
	return dispatcher_kind(l) == HOOK_SYS_TP ? l->skel->progs.sys_exit_dispatch_c
						 : l->skel->progs.sys_exit_dispatch;
}

/* The program that looks at opens before the whole one, or NULL. */
static struct bpf_program *peek(struct load *l)
{
	if (!l->cast || l->no_peek || l->ladder.rung[EV_OPEN] != EV_RUNG_TRACEPOINT)
		return NULL;
	return dispatcher_kind(l) == HOOK_SYS_TP ? l->skel->progs.sys_open_peek_c : l->skel->progs.sys_open_peek;
}

/* A program may serve several rows: it is loaded if one of them is used. */
static void autoload(struct load *l)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, l->skel->obj) bpf_program__set_autoload(prog, false);
	for (size_t i = 0; i < hook_nrows; i++)
		if (l->ladder.used[i])
			bpf_program__set_autoload(program_of(l, i), true);
	if (dispatcher_kind(l) != HOOK_KINDS)
		bpf_program__set_autoload(dispatcher(l), true);
	if (peek(l))
		bpf_program__set_autoload(peek(l), true);
}

static bool any_rung(const struct load *l, enum ev_rung rung)
{
	for (uint16_t ev = EV_NONE + 1; ev < EV_TYPES; ev++)
		if (l->ladder.rung[ev] == rung)
			return true;
	return false;
}

static int ring_size(const char *option, uint32_t asked, uint32_t usual, uint32_t *ret, struct err *err)
{
	*ret = asked ? asked : usual;
	if (*ret < 64 << 10 || (*ret & (*ret - 1)))
		return err_set(err, -EINVAL, "--%s: a ring of %u bytes: give a power of two from 65536 on", option,
			       *ret);
	return 0;
}

static int configure(struct load *l, struct err *err)
{
	const struct load_options *o = &l->options;
	uint32_t ring = 0, lineage = 0;
	uint64_t seed[4];
	int r = ring_size("ring-bytes", o->ring_bytes, LOAD_RING_BYTES, &ring, err);

	if (r == 0)
		r = ring_size("lineage-bytes", o->lineage_bytes, LOAD_LINEAGE_BYTES, &lineage, err);
	if (r < 0)
		return r;
	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return err_set(err, -EIO, "no random bytes from the kernel");
	l->skel->rodata->ring_bytes = ring;
	l->skel->rodata->lineage_bytes = lineage;
	l->skel->bss->self_pid = (uint32_t)getpid();
	l->skel->rodata->want_envs = o->envs;
	l->skel->rodata->have_cast = l->cast != 0;
	/* some keep arguments on the fentry rung, too */
	l->skel->rodata->have_calls = any_rung(l, EV_RUNG_KPROBE) || any_rung(l, EV_RUNG_FENTRY);
	l->skel->rodata->have_task_regs = l->kernel_types && libbpf_probe_bpf_helper(BPF_PROG_TYPE_RAW_TRACEPOINT,
										     BPF_FUNC_task_pt_regs, NULL) == 1;
	l->skel->rodata->have_current_ids =
		libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_FUNC_get_current_pid_tgid, NULL) == 1;
	if (l->stack_bytes)
		l->skel->rodata->stack_bytes = l->stack_bytes;
	else if (sysconf(_SC_PAGESIZE) > (long)l->skel->rodata->stack_bytes) /* arm64 with large pages */
		l->skel->rodata->stack_bytes = (uint32_t)sysconf(_SC_PAGESIZE);
	for (size_t i = 0; i < sizeof(seed) / sizeof(seed[0]); i++)
		l->skel->rodata->seed[i] = seed[i] | 1;
	bpf_map__set_max_entries(l->skel->maps.lineage, lineage);
	return bpf_map__set_max_entries(l->skel->maps.events, ring);
}

static int load_failed(int r, struct err *err)
{
	if (r == -EPERM)
		return err_set(err, r, "BPF refused (%s): run as root, or with CAP_BPF and CAP_PERFMON", last_message);
	return err_set(err, r, "cannot load the BPF programs: %s (%s)", last_message, strerror(-r));
}

/* Fills the tail-call table of the tracepoint rung. */
static int fill_sys_events(struct load *l)
{
	int map = bpf_map__fd(l->skel->maps.sys_events);

	if (peek(l)) {
		uint32_t event = EV_OPEN;
		int fd = bpf_program__fd(peek(l));

		if (bpf_map_update_elem(map, &event, &fd, BPF_ANY))
			return -errno;
	}
	for (size_t i = 0; i < hook_nrows; i++) {
		uint32_t event = hook_rows[i].event;
		int fd;

		if (!l->ladder.used[i] || !dispatched(i))
			continue;
		if (event == EV_OPEN && peek(l))
			event = SYS_OPEN_WHOLE;
		fd = bpf_program__fd(program_of(l, i));
		if (bpf_map_update_elem(map, &event, &fd, BPF_ANY))
			return -errno;
	}
	return 0;
}

static void unbuild(struct load *l)
{
	for (size_t i = 0; i < hook_nrows; i++)
		for (int k = 0; k < LADDER_SYMBOLS; k++)
			perf_detach(&l->hook[i][k]);
	perf_detach(&l->dispatch);
	tamis__destroy(l->skel);
	l->skel = NULL;
}

/* As tamis__open_opts(), with a copy of the object in which casts are calls. */
static int open_object(struct load *l)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = l->btf_path);
	_cleanup_free_ uint8_t *elf = NULL;
	struct bpf_object_skeleton *s;
	int r;

	l->skel = calloc(1, sizeof(*l->skel));
	if (!l->skel || tamis__create_skeleton(l->skel) < 0)
		return -ENOMEM;
	s = l->skel->skeleton;
	elf = malloc(s->data_sz);
	if (!elf)
		return -ENOMEM;
	memcpy(elf, s->data, s->data_sz);
	if (l->cast)
		cast_apply(elf, s->data_sz, l->cast);
	s->data = elf;
	r = bpf_object__open_skeleton(s, &opts);
	s->data = NULL; /* libbpf has copied what it needs */
	return r;
}

/* One try to load the programs of the chosen rungs. */
static int build_once(struct load *l, struct err *err)
{
	int r = open_object(l);

	if (r < 0)
		return err_set(err, r, "cannot open the BPF object: %s (%s)", last_message, strerror(-r));
	autoload(l);
	r = configure(l, err);
	if (r < 0)
		return r;
	memset(&blamed, 0, sizeof(blamed));
	r = tamis__load(l->skel);
	if (r < 0)
		return load_failed(r, err);
	memset(&blamed, 0, sizeof(blamed));
	r = fill_sys_events(l);
	return r < 0 ? err_set(err, r, "cannot fill the table of system call programs: %s", strerror(-r)) : 0;
}

/*
 * Chooses rungs and loads. A program that this kernel does not take costs its event that rung, no more: the choice is
 * made again without it.
 */
static int build(struct load *l, struct err *err)
{
	int r;

	for (int i = 0;; i++) {
		r = ladder_choose(&l->ladder, err);
		if (r < 0)
			return r;
		r = build_once(l, err);
		if (r == 0 || r == -EPERM || !blamed.name[0] || i == BUILDS_MAX)
			return r;
		if (peek(l) && strcmp(blamed.name, bpf_program__name(peek(l))) == 0)
			l->no_peek = true;
		else
			ladder_break(&l->ladder, blamed.name, blamed.why);
		unbuild(l);
	}
}

/*
 * What the programs need where nobody tells it (offsets.h). Of kernels that have no types of their own also where a thread's
 * registers lie, since the helper that tells it needs them.
 */
static int discover_types(struct load *l, bool whole, struct err *err)
{
	struct offsets o;
	struct tamis *skel = NULL;
	const struct btf *own;
	int r = offsets_find(&o, err), regs;

	if (r < 0)
		return r;
	skel = tamis__open();
	if (!skel)
		return err_set(err, -errno, "cannot open the BPF object: %s", last_message);
	own = bpf_object__btf(skel->obj);
	regs = btf__find_by_name_kind(own, "pt_regs", BTF_KIND_STRUCT);
	if (regs > 0 && o.regs != OFFSET_UNKNOWN)
		l->stack_bytes = o.regs + btf__type_by_id(own, (uint32_t)regs)->size;
	if (whole)
		r = offsets_btf(&o, own, &l->types_fd, err);
	tamis__destroy(skel);
	if (whole && r >= 0 && asprintf(&l->btf_path, "/proc/self/fd/%d", l->types_fd) < 0) {
		l->btf_path = NULL;
		r = err_set(err, -ENOMEM, "no memory");
	}
	return r < 0 ? r : 0;
}

/* The kernel's own type information, or a file that stands in for it, or what can be found out. */
static int find_types(struct load *l, struct btf **ret_kernel, struct err *err)
{
	const bool discover = l->options.btf && strcmp(l->options.btf, LOAD_BTF_DISCOVER) == 0;
	struct btf *file = NULL;
	struct err none = { "" };
	int r = 0;

	*ret_kernel = !discover && access(KERNEL_BTF, R_OK) == 0 ? btf__parse(KERNEL_BTF, NULL) : NULL;
	if (discover)
		return discover_types(l, true, err);
	if (l->options.btf)
		l->btf_path = strdup(l->options.btf);
	else if (!*ret_kernel)
		r = kernel_btf_search(l->options.btf_dir, &l->btf_path, err);
	if (r == -ENOENT)
		return discover_types(l, true, &none) < 0 ? err_set(err, r, "%s; %s", err->msg, none.msg) : 0;
	if (r == 0 && l->btf_path)
		r = kernel_btf_file(l->btf_path, &file, err);
	btf__free(file);
	if (r == 0 && !*ret_kernel)
		discover_types(l, false, &none); /* what it does not tell is as on most kernels */
	return r;
}

/*
 * With what was found out only the rung that reads least is served: programs of which is known that they could not be loaded
 * are not even tried.
 */
static void leave_out_blind(struct load *l)
{
	static const char why[] = "reads more than can be found out without type information";

	for (size_t i = 0; i < hook_nrows; i++) {
		bool blind = hook_rows[i].kind == HOOK_KPROBE || hook_rows[i].kind == HOOK_KRETPROBE;

		for (const uint16_t *event = offsets_blind; *event && !blind; event++)
			blind = hook_rows[i].event == *event;
		if (blind)
			ladder_break(&l->ladder, hook_rows[i].program, why);
	}
}

/* The object lies in our own program file: once it is loaded its pages, many megabytes, are only in the way. */
static void forget_object(void)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	size_t size;
	const uintptr_t begin = (uintptr_t)tamis__elf_bytes(&size), first = (begin + page - 1) & ~(page - 1),
			end = (begin + size) & ~(page - 1);

	if (first < end)
		madvise((void *)first, end - first, MADV_DONTNEED);
}

int load_open(const struct load_options *o, struct load **ret, struct err *err)
{
	struct load *l = calloc(1, sizeof(*l));
	struct btf *kernel = NULL;
	int r;

	if (!l)
		return err_set(err, -ENOMEM, "out of memory");
	l->sieve_fd = l->measure_fd = l->ladder.cgroup = l->types_fd = -1;
	l->options = *o;
	l->ladder.forced = o->rung;
	libbpf_set_print(keep_message);
	l->ncpus = libbpf_num_possible_cpus();
	r = find_types(l, &kernel, err);
	if (r == 0) {
		l->kernel_types = kernel != NULL;
		perf_open();
		ladder_probe(&l->ladder, kernel);
		l->cast = cast_find(kernel);
		if (l->types_fd >= 0)
			leave_out_blind(l);
		r = build(l, err);
		forget_object();
	}
	/* 6 MB that the other processes would inherit; only choosing rungs asks for types */
	btf__free(kernel);
	l->options.btf = l->options.btf_dir = NULL;
	if (r < 0) {
		load_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

/* ---- policy ------------------------------------------------------------------------------------------------- */

static bool wants(const struct sieve *s, uint16_t event)
{
	const struct sv_mask *m = &s->event[event].clauses;

	if (hook_lineage(event))
		return true;
	return m->w[0] | m->w[1] | m->w[2] | m->w[3];
}

/*
 * A new inner map that holds @s; its fd or a negative errno. It needs the same type information as the first: 6.1 takes
 * maps with and without it for different (their timer_off differs).
 */
static int sieve_map(struct load *l, const struct sieve *s, uint32_t generation)
{
	const struct bpf_map *first = l->skel->maps.sieve_first;
	LIBBPF_OPTS(bpf_map_create_opts, opts, .btf_fd = (uint32_t)bpf_object__btf_fd(l->skel->obj),
		    .btf_key_type_id = bpf_map__btf_key_type_id(first),
		    .btf_value_type_id = bpf_map__btf_value_type_id(first));
	_cleanup_close_ int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "sieve", sizeof(uint32_t), sizeof(*s), 1, &opts);
	_cleanup_free_ struct sieve *copy = malloc(sizeof(*s));
	uint32_t zero = 0;

	if (fd < 0)
		return -errno;
	if (!copy)
		return -ENOMEM;
	memcpy(copy, s, sizeof(*s));
	copy->generation = generation;
	copy->flags = wants(s, EV_WRITE) ? SV_F_WRITES : 0;
	if (bpf_map_update_elem(fd, &zero, copy, BPF_ANY))
		return -errno;
	return TAKE_FD(fd);
}

static int attach_tracing(struct bpf_program *prog, struct perf_hook *h, struct err *err)
{
	h->link = bpf_program__attach(prog);
	return h->link ? 0
		       : err_set(err, -errno, "cannot attach %s: %s (%s)", bpf_program__name(prog), strerror(errno),
				 last_message);
}

/* How many calls a return has room for: opens of a FIFO, connections and accepts wait for others, and so can be piled up. */
static unsigned int returns_of(const struct hook_row *r)
{
	if (r->kind != HOOK_KRETPROBE)
		return 0;
	return r->event == EV_OPEN || r->event == EV_CONNECT || r->event == EV_ACCEPT ? PERF_RETURNS_MAX : PERF_RETURNS;
}

/* The row that has the hook of @row: of programs at cgroups, which serve several events, the first that is used. */
static size_t holder(const struct load *l, size_t row)
{
	if (hook_rows[row].kind != HOOK_CGROUP)
		return row;
	for (size_t i = 0; i < row; i++)
		if (l->ladder.used[i] && strcmp(hook_rows[i].program, hook_rows[row].program) == 0)
			return i;
	return row;
}

static int attach_cgroup(struct load *l, struct bpf_program *prog, struct perf_hook *h, struct err *err)
{
	h->link = bpf_program__attach_cgroup(prog, l->ladder.cgroup);
	return h->link ? 0
		       : err_set(err, -errno, "cannot attach %s: %s (%s)", bpf_program__name(prog), strerror(errno),
				 last_message);
}

static int attach_row(struct load *l, size_t row_, struct err *err)
{
	const size_t row = holder(l, row_);
	const struct hook_row *r = &hook_rows[row];
	struct bpf_program *prog = program_of(l, row);
	int ret = 0;

	if (l->hook[row][0].link)
		return 0;
	if (r->kind == HOOK_CGROUP)
		return attach_cgroup(l, prog, &l->hook[row][0], err);
	if (r->kind == HOOK_TP)
		return perf_tracepoint(prog, r->target, &l->hook[row][0], err);
	if (r->kind != HOOK_KPROBE && r->kind != HOOK_KRETPROBE)
		return attach_tracing(prog, &l->hook[row][0], err);
	for (int i = 0; i < LADDER_SYMBOLS && l->ladder.symbol[row][i][0] && ret == 0; i++)
		ret = perf_kprobe(prog, l->ladder.symbol[row][i], returns_of(r), &l->hook[row][i], err);
	return ret;
}

static int attach_dispatcher(struct load *l, struct err *err)
{
	if (l->dispatch.link)
		return 0;
	return dispatcher_kind(l) == HOOK_SYS_TP
		       ? perf_tracepoint(dispatcher(l), "raw_syscalls/sys_exit", &l->dispatch, err)
		       : attach_tracing(dispatcher(l), &l->dispatch, err);
}

/* Is this hung on a perf event, and those can be had at the start only? */
static bool now_or_never(const struct load *l, size_t row)
{
	const uint8_t kind = hook_rows[row].kind;

	return !l->ladder.perf_later &&
	       (kind == HOOK_KPROBE || kind == HOOK_KRETPROBE || kind == HOOK_TP || kind == HOOK_SYS_TP);
}

/*
 * Attaches what @s needs and is not attached yet, and what could not be attached later: without clauses it returns at
 * once. *ret_program: the one that could not be. */
static int attach_wanted(struct load *l, const struct sieve *s, const char **ret_program, struct err *err)
{
	bool dispatch = false;

	for (size_t i = 0; i < hook_nrows; i++) {
		int r;

		if (!l->ladder.used[i] || (!wants(s, hook_rows[i].event) && !now_or_never(l, i)))
			continue;
		if (dispatched(i)) {
			dispatch = true;
			continue;
		}
		*ret_program = hook_rows[i].program;
		r = attach_row(l, i, err);
		if (r < 0)
			return r;
	}
	*ret_program = NULL;
	return dispatch ? attach_dispatcher(l, err) : 0;
}

/*
 * Before the first policy nobody has looked at anything of ours, so where a program turns out not to attach, all is
 * built again without it.
 */
static int attach_first(struct load *l, const struct sieve *s, struct err *err)
{
	for (int i = 0;; i++) {
		const char *program;
		int r = attach_wanted(l, s, &program, err);

		if (r == 0 || i == BUILDS_MAX)
			return r;
		if (program)
			ladder_break(&l->ladder, program, err->msg);
		else
			l->ladder.works[dispatcher_kind(l)] = false;
		unbuild(l);
		r = build(l, err);
		if (r < 0)
			return r;
	}
}

/* Does @s need the hook of a row, for its event or another one that the program serves? */
static bool row_wanted(const struct load *l, const struct sieve *s, size_t row)
{
	if (!l->ladder.used[row])
		return false;
	for (size_t i = row; i < hook_nrows; i++)
		if (holder(l, i) == row && l->ladder.used[i] && wants(s, hook_rows[i].event))
			return true;
	return now_or_never(l, row);
}

static void detach_unwanted(struct load *l, const struct sieve *s)
{
	bool dispatch = false;

	for (size_t i = 0; i < hook_nrows; i++) {
		bool want = row_wanted(l, s, i);

		dispatch |= want && dispatched(i);
		/* A program that could not come back stays: without clauses it returns at once. */
		if (want || (hook_rows[i].kind == HOOK_FENTRY && !l->ladder.can_reattach))
			continue;
		for (int k = 0; k < LADDER_SYMBOLS; k++)
			perf_detach(&l->hook[i][k]);
	}
	if (!dispatch)
		perf_detach(&l->dispatch);
}

/* Tells the dispatcher which system calls tell an event that @s wants (and, with @old, that the one before wanted). */
static int set_syscalls(struct load *l, const struct sieve *s)
{
	_cleanup_free_ struct sysdescs *d = malloc(sizeof(*d));
	bool wanted[EV_TYPES] = { 0 };

	_Static_assert(sizeof(*d) == sizeof(l->skel->bss->syscalls), "sensor/load/syscalls.h and maps.bpf.h differ");
	if (!d)
		return -ENOMEM;
	for (uint16_t ev = EV_NONE + 1; ev < EV_TYPES; ev++)
		wanted[ev] = l->ladder.rung[ev] == EV_RUNG_TRACEPOINT && wants(s, ev);
	syscalls_fill(wanted, d);
	memcpy(&l->skel->bss->syscalls, d, sizeof(*d));
	return 0;
}

/* The map @fd, which holds @s, takes the place of the one before. What it needs is attached. */
static int swap_in(struct load *l, const struct sieve *s, int fd, struct err *err)
{
	uint32_t zero = 0;
	/* An event that only the new policy wants has no clause in the old one: its program returns at once until the
	 * swap. */
	int r = set_syscalls(l, s);

	if (r < 0)
		return err_set(err, r, "cannot set the system calls to look at: %s", strerror(-r));
	if (bpf_map_update_elem(bpf_map__fd(l->skel->maps.sieve_now), &zero, &fd, BPF_ANY))
		return err_set(err, -errno, "cannot swap the sieve: %s", strerror(errno));
	for (uint16_t event = EV_NONE + 1; event < EV_TYPES; event++)
		l->wanted[event] = wants(s, event);
	detach_unwanted(l, s);
	return 0;
}

int load_policy(struct load *l, const struct sieve *s, uint32_t generation, struct err *err)
{
	_cleanup_close_ int fd = -1;
	const char *program;
	int r = l->sieve_fd < 0 ? attach_first(l, s, err) : attach_wanted(l, s, &program, err);

	if (r < 0)
		return r;
	fd = sieve_map(l, s, generation);
	if (fd < 0)
		return err_set(err, fd, "cannot make the map of the sieve: %s", strerror(-fd));
	r = swap_in(l, s, fd, err);
	if (r < 0)
		return r;
	if (l->sieve_fd >= 0)
		close(l->sieve_fd);
	l->sieve_fd = TAKE_FD(fd);
	return 0;
}

int load_open_sieve(struct load *l, uint32_t generation, struct err *err)
{
	_cleanup_free_ struct sieve *all = calloc(1, sizeof(*all));
	_cleanup_close_ int fd = -1;
	const char *program;
	int r;

	if (!all)
		return err_set(err, -ENOMEM, "no memory for a sieve");
	all->abi = SV_ABI;
	all->nmasks = 2;
	memset(&all->masks[1], 0xff, sizeof(all->masks[1]));
	for (uint16_t ev = EV_NONE + 1; ev < EV_TYPES; ev++)
		memset(&all->event[ev].clauses, 0xff, sizeof(all->event[ev].clauses));
	r = attach_wanted(l, all, &program, err);
	if (r < 0)
		return r;
	fd = sieve_map(l, all, generation);
	if (fd < 0)
		return err_set(err, fd, "cannot make the map of the sieve: %s", strerror(-fd));
	return swap_in(l, all, fd, err);
}

int load_close_sieve(struct load *l, struct err *err)
{
	_cleanup_free_ struct sieve *s = malloc(sizeof(*s));
	const char *program;
	uint32_t zero = 0;
	int r;

	if (!s)
		return err_set(err, -ENOMEM, "no memory for a sieve");
	if (bpf_map_lookup_elem(l->sieve_fd, &zero, s))
		return err_set(err, -errno, "cannot read the sieve: %s", strerror(errno));
	r = attach_wanted(l, s, &program, err);
	return r < 0 ? r : swap_in(l, s, l->sieve_fd, err);
}

bool load_blind(const struct load *l, const struct sieve *s, uint16_t event)
{
	return !l->ladder.rung[event] && hook_event_name(event) && wants(s, event);
}

/* ---- looking at it --------------------------------------------------------------------------------------------- */

int load_ring_fd(const struct load *l)
{
	return bpf_map__fd(l->skel->maps.events);
}

int load_lineage_fd(const struct load *l)
{
	return bpf_map__fd(l->skel->maps.lineage);
}

/* What the kernel says of the program that serves @row; those called by tail call are measured with the dispatcher. */
static bool row_info(struct load *l, size_t row, struct bpf_prog_info *ret)
{
	uint32_t len = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return bpf_obj_get_info_by_fd(bpf_program__fd(dispatched(row) ? dispatcher(l) : program_of(l, row)), ret,
				      &len) == 0;
}

/* Calls of the function that its probes missed. */
static uint64_t row_missed(struct load *l, size_t row, bool *ret_known)
{
	uint64_t sum = 0, n;

	*ret_known = true;
	for (int i = 0; i < LADDER_SYMBOLS; i++)
		if (l->hook[row][i].link && hook_rows[row].kind == HOOK_KRETPROBE) {
			if (perf_missed(&l->hook[row][i], &n))
				sum += n;
			else
				*ret_known = false;
		}
	return sum;
}

static void hook_fill(struct load *l, size_t row, struct load_hook *h)
{
	const struct hook_row *r = &hook_rows[row];
	struct bpf_prog_info info;

	*h = (struct load_hook){
		.event = hook_event_name(r->event), .program = r->program, .target = r->target, .rung = r->rung
	};
	if (r->kind == HOOK_KPROBE || r->kind == HOOK_KRETPROBE)
		h->target = l->ladder.symbol[row][0];
	h->attached = dispatched(row) ? l->dispatch.link != NULL : l->hook[holder(l, row)][0].link != NULL;
	h->misses = hook_misses(r->event, r->rung);
	snprintf(h->why, sizeof(h->why), "%s", l->ladder.why[r->event]);
	h->missed = row_missed(l, row, &h->missed_known);
	if (row_info(l, row, &info)) {
		h->runs = info.run_cnt;
		h->run_ns = info.run_time_ns;
		h->missed += info.recursion_misses;
	}
}

/* An event that nothing serves. */
static void blind_fill(struct load *l, uint16_t event, struct load_hook *h)
{
	*h = (struct load_hook){ .event = hook_event_name(event),
				 .program = "",
				 .target = "",
				 .rung = EV_RUNG_NONE,
				 .missed_known = true,
				 .misses = "everything" };
	snprintf(h->why, sizeof(h->why), "%s", l->ladder.why[event]);
}

static bool event_has_rows(uint16_t event)
{
	for (size_t i = 0; i < hook_nrows; i++)
		if (hook_rows[i].event == event)
			return true;
	return false;
}

int load_hooks(struct load *l, struct load_hook *rows, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < hook_nrows; i++)
		if (l->ladder.used[i] && n++ < max)
			hook_fill(l, i, &rows[n - 1]);
	for (uint16_t event = EV_NONE + 1; event < EV_TYPES; event++)
		if (!l->ladder.rung[event] && event_has_rows(event) && n++ < max)
			blind_fill(l, event, &rows[n - 1]);
	return (int)n;
}

enum ev_rung load_attached(const struct load *l, uint16_t event)
{
	for (size_t i = 0; i < hook_nrows; i++)
		if (l->ladder.used[i] && hook_rows[i].event == event && l->wanted[event] &&
		    (dispatched(i) ? l->dispatch.link : l->hook[holder(l, i)][0].link))
			return hook_rows[i].rung;
	return EV_RUNG_NONE;
}

bool load_cut(const struct load *l, uint16_t event)
{
	for (size_t i = 0; i < hook_nrows; i++) {
		const struct perf_hook *h = &l->hook[holder(l, i)][0];

		if (hook_rows[i].kind == HOOK_CGROUP && hook_rows[i].event == event && l->ladder.used[i] && h->link &&
		    !cgroup_linked(bpf_link__fd(h->link)))
			return true;
	}
	return false;
}

int load_tasks(struct load *l)
{
	_cleanup_close_ int fd = -1;
	char none[64];

	for (size_t i = 0; i < hook_nrows && fd < 0; i++)
		if (hook_rows[i].kind == HOOK_ITER && l->hook[i][0].link)
			fd = bpf_iter_create(bpf_link__fd(l->hook[i][0].link));
	if (fd < 0)
		return -ENOTSUP;
	/* The program writes nothing: there is nothing to read, and the first try runs to the end. */
	while (read(fd, none, sizeof(none)) > 0)
		;
	return 0;
}

void load_canary(struct load *l, uint32_t pid)
{
	l->canary = pid;
	l->skel->bss->canary_pid = pid;
}

uint64_t load_missed(struct load *l)
{
	struct bpf_prog_info info;
	bool dispatch = false, known;
	uint64_t sum = 0;

	for (size_t i = 0; i < hook_nrows; i++) {
		if (!l->ladder.used[i] || (dispatched(i) && dispatch))
			continue;
		dispatch |= dispatched(i);
		sum += row_missed(l, i, &known);
		if (row_info(l, i, &info))
			sum += info.recursion_misses;
	}
	return sum;
}

static void stats_add(struct ev_stats *sum, const struct ev_stats *s)
{
	sum->seen += s->seen;
	sum->dropped += s->dropped;
	sum->sent += s->sent;
	sum->lost += s->lost;
	sum->context += s->context;
	sum->lost_context += s->lost_context;
}

/* Adds up to @by_type or @by_cpu; either may be NULL. */
static int stats_read(struct load *l, struct ev_stats *by_type, struct ev_stats *by_cpu)
{
	_cleanup_free_ struct ev_stats *per_cpu = calloc((size_t)l->ncpus, sizeof(*per_cpu));

	if (!per_cpu)
		return -ENOMEM;
	for (uint32_t ev = 0; ev < EV_TYPES; ev++) {
		if (bpf_map_lookup_elem(bpf_map__fd(l->skel->maps.stats), &ev, per_cpu))
			return -errno;
		for (int i = 0; i < l->ncpus; i++) {
			if (by_type)
				stats_add(&by_type[ev], &per_cpu[i]);
			if (by_cpu)
				stats_add(&by_cpu[i], &per_cpu[i]);
		}
	}
	return 0;
}

int load_stats(struct load *l, struct ev_stats ret[EV_TYPES])
{
	memset(ret, 0, EV_TYPES * sizeof(ret[0]));
	return stats_read(l, ret, NULL);
}

int load_stats_cpus(struct load *l, struct ev_stats **ret)
{
	_cleanup_free_ struct ev_stats *s = calloc((size_t)l->ncpus, sizeof(*s));
	int r = s ? stats_read(l, NULL, s) : -ENOMEM;

	if (r < 0)
		return r;
	*ret = TAKE_PTR(s);
	return l->ncpus;
}

int load_measure(struct load *l, bool on)
{
	if (on && l->measure_fd < 0) {
		l->measure_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
		return l->measure_fd < 0 ? -errno : 0;
	}
	if (!on && l->measure_fd >= 0) {
		close(l->measure_fd);
		l->measure_fd = -1;
	}
	return 0;
}

void load_free(struct load *l)
{
	if (!l)
		return;
	if (l->skel)
		unbuild(l);
	perf_close();
	if (l->ladder.cgroup >= 0)
		close(l->ladder.cgroup);
	if (l->sieve_fd >= 0)
		close(l->sieve_fd);
	if (l->measure_fd >= 0)
		close(l->measure_fd);
	if (l->types_fd >= 0)
		close(l->types_fd);
	free(l->btf_path);
	free(l);
}
