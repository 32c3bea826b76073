/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/load/load.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/sieve_io.h"
#include "sensor/load/cast.h"
#include "sensor/load/cgroup.h"
#include "sensor/load/hooks.h"
#include "sensor/load/kernel.h"
#include "sensor/load/ladder.h"
#include "sensor/load/object.h"
#include "sensor/load/offsets.h"
#include "sensor/load/perf.h"
#include "sensor/load/syscalls.h"
#include "tamis/learned.h"
#include "tamis/masks.h"

#define KERNEL_BTF   "/sys/kernel/btf/vmlinux"
#define BUILDS_MAX   32 /* programs that may turn out not to load or attach before we give up */
#define SEARCHES_MAX 3	/* for offsets, where they have to be found out */

struct load {
	struct load_options options;
	struct ladder ladder;
	struct object object; /* owned; all zero: none yet */
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
	int sieve_fd;			  /* owned; the inner map in force, -1 before the first policy */
	int measure_fd;			  /* owned; -1: off */
	int ncpus;			  /* that the kernel may ever have */
	const struct ev_stats_cpu *stats; /* owned: the map's own memory, a struct for each of them */
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

/* ---- open --------------------------------------------------------------------------------------------------- */

static size_t stats_size(const struct load *l)
{
	return (size_t)l->ncpus * sizeof(l->stats[0]);
}

static void unbuild(struct load *l)
{
	for (size_t i = 0; i < hook_nrows; i++)
		for (int k = 0; k < LADDER_SYMBOLS; k++)
			perf_detach(&l->hook[i][k]);
	perf_detach(&l->dispatch);
	if (l->stats)
		munmap((void *)l->stats, stats_size(l));
	l->stats = NULL;
	object_unload(&l->object);
}

/*
 * Chooses rungs and loads. A program that this kernel does not take costs its event that rung, no more: the choice is
 * made again without it.
 */
static int build(struct load *l, struct err *err)
{
	const struct load_options *o = &l->options;
	struct object_blame blame;
	int r;

	for (int i = 0;; i++) {
		const struct object_plan plan = {
			.ladder = &l->ladder,
			.btf_path = l->btf_path,
			.kernel_types = l->kernel_types,
			.cast = l->cast,
			.no_peek = l->no_peek,
			.envs = o->envs,
			.ring_bytes = o->ring_bytes ? o->ring_bytes : LOAD_RING_BYTES,
			.lineage_bytes = o->lineage_bytes ? o->lineage_bytes : LOAD_LINEAGE_BYTES,
			.stack_bytes = l->stack_bytes,
			.ncpus = (uint32_t)l->ncpus,
		};

		r = ladder_choose(&l->ladder, err);
		if (r < 0)
			return r;
		r = object_load(&plan, &l->object, &blame, err);
		if (r == 0 || r == -EPERM || !blame.program[0] || i == BUILDS_MAX)
			return r;
		if (!l->no_peek && strncmp(blame.program, OBJECT_PEEK, strlen(OBJECT_PEEK)) == 0)
			l->no_peek = true;
		else
			ladder_break(&l->ladder, blame.program, blame.why);
	}
}

static void forget_types(struct load *l)
{
	if (l->types_fd >= 0)
		close(l->types_fd);
	l->types_fd = -1;
	free(l->btf_path);
	l->btf_path = NULL;
}

/* What the programs need where nobody tells it (offsets.h). */
static int discover_types(struct load *l, struct err *err)
{
	struct offsets o;
	int r = offsets_find(&o, err);

	if (r >= 0) /* how many */
		r = object_types(&o, &l->stack_bytes, &l->types_fd, err);
	if (r == 0 && asprintf(&l->btf_path, "/proc/self/fd/%d", l->types_fd) < 0) {
		l->btf_path = NULL;
		r = err_set(err, -ENOMEM, "no memory");
	}
	return r;
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
		return discover_types(l, err);
	if (l->options.btf)
		l->btf_path = strdup(l->options.btf);
	else if (!*ret_kernel)
		r = kernel_btf_search(l->options.btf_dir, &l->btf_path, err);
	if (r == -ENOENT)
		return discover_types(l, &none) < 0 ? err_set(err, r, "%s; %s", err->msg, none.msg) : 0;
	if (r == 0 && l->btf_path)
		r = kernel_btf_file(l->btf_path, &file, err);
	/* the helper that tells a thread's registers needs the kernel's own types; where it cannot be seen it is as on most kernels */
	if (r == 0 && !*ret_kernel)
		offsets_stack(file, &l->stack_bytes);
	btf__free(file);
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

/*
 * A search may miss by chance what the programs cannot do without (a number that stands twice where it should stand once): then
 * another one is made.
 */
static int build_somehow(struct load *l, struct err *err)
{
	for (int searches = 1;; searches++) {
		int r;

		if (l->types_fd >= 0)
			leave_out_blind(l);
		r = build(l, err);
		if (r == 0 || r == -EPERM || l->types_fd < 0 || searches == SEARCHES_MAX)
			return r;
		memset(l->ladder.broken, 0, sizeof(l->ladder.broken));
		l->no_peek = false;
		forget_types(l);
		r = discover_types(l, err);
		if (r < 0)
			return r;
	}
}

/* The numbers that entries of a map are mixed with, at @at of its @size bytes: there, because both sides need them. */
static int seed_map(int fd, size_t size, size_t at, size_t n, struct err *err)
{
	void *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint64_t seed[4];
	int r = 0;

	if (m == MAP_FAILED)
		return err_set(err, -errno, "cannot map what both sides know: %s", strerror(errno));
	if (getrandom(seed, n * sizeof(*seed), 0) != (ssize_t)(n * sizeof(*seed)))
		r = err_set(err, -EIO, "no random bytes from the kernel");
	for (size_t i = 0; i < n; i++)
		seed[i] |= 1;
	if (r == 0)
		memcpy((char *)m + at, seed, n * sizeof(*seed));
	munmap(m, size);
	return r;
}

static int seed_maps(struct load *l, struct err *err)
{
	int r = seed_map(l->object.map[OBJECT_MASKS], sizeof(struct masks), offsetof(struct masks, seed), 3, err);

	return r < 0 ? r
		     : seed_map(l->object.map[OBJECT_LEARNED], sizeof(struct learned), offsetof(struct learned, seed),
				2, err);
}

static int map_stats(struct load *l, struct err *err)
{
	void *at = mmap(NULL, stats_size(l), PROT_READ, MAP_SHARED, l->object.map[OBJECT_STATS], 0);

	if (at == MAP_FAILED)
		return err_set(err, -errno, "cannot map the counters of events: %s", strerror(errno));
	l->stats = at;
	return 0;
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
	l->ladder.deny = o->deny;
	libbpf_set_print(NULL); /* what it says of programs is told by the child that loads them */
	l->ncpus = libbpf_num_possible_cpus();
	r = l->ncpus > 0 ? find_types(l, &kernel, err)
			 : err_set(err, l->ncpus, "cannot tell how many CPUs there may be");
	if (r == 0) {
		l->kernel_types = kernel != NULL;
		perf_open();
		ladder_probe(&l->ladder, kernel);
		l->cast = cast_find(kernel);
		r = build_somehow(l, err);
		if (r == 0)
			r = seed_maps(l, err);
		if (r == 0)
			r = map_stats(l, err);
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

/* Does @s need the program of @row, for its event? */
static bool wants_row(const struct sieve *s, size_t row)
{
	const struct sv_mask *m = &s->event[hook_rows[row].event].deny.clauses;

	return hook_rows[row].deny ? (m->w[0] | m->w[1] | m->w[2] | m->w[3]) != 0 : wants(s, hook_rows[row].event);
}

/*
 * A new inner map that holds @s; its fd or a negative errno. It needs the same type information as the first: 6.1 takes
 * maps with and without it for different (their timer_off differs). It is filled where it lies: while bpf(2) changes a map, no
 * kprobe's program runs on that CPU, and where the kernel preempts this thread may not be let go on for long.
 */
static int sieve_map(struct load *l, const struct sieve *s, uint32_t generation)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .btf_fd = (uint32_t)l->object.btf, .map_flags = BPF_F_MMAPABLE,
		    .btf_key_type_id = l->object.sieve_key, .btf_value_type_id = l->object.sieve_value);
	_cleanup_close_ int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "sieve", sizeof(uint32_t), sizeof(*s), 1, &opts);
	struct sieve *to;

	if (fd < 0)
		return -errno;
	to = mmap(NULL, sizeof(*to), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (to == MAP_FAILED)
		return -errno;
	memcpy(to, s, sizeof(*s));
	to->generation = generation;
	to->flags = wants(s, EV_WRITE) ? SV_F_WRITES : 0;
	sieve_opened(to);
	munmap(to, sizeof(*to));
	return TAKE_FD(fd);
}

/* A link is enough for what hangs on no perf event: @fd is it, or -1 and errno. */
static int attached(int fd, const char *program, struct perf_hook *h, struct err *err)
{
	if (fd < 0)
		return err_set(err, -errno, "cannot attach %s: %s", program, strerror(errno));
	*h = (struct perf_hook){ .attached = true, .link = fd, .perf = -1 };
	return 0;
}

/* What is traced was said when the program was loaded. */
static int attach_tracing(int prog, const char *name, struct perf_hook *h, struct err *err)
{
	return attached(bpf_raw_tracepoint_open(NULL, prog), name, h, err);
}

/* How many calls a return has room for: opens of a FIFO, connections and accepts wait for others, and so can be piled up. */
static unsigned int returns_of(const struct hook_row *r)
{
	if (r->kind != HOOK_KRETPROBE)
		return 0;
	return r->event == EV_OPEN || r->event == EV_CONNECT || r->event == EV_ACCEPT ? PERF_RETURNS_MAX : PERF_RETURNS;
}

/* The row that has the hook of @row: of programs that serve several events the first that is used. */
static size_t holder(const struct load *l, size_t row)
{
	if (!hook_rows[row].shared)
		return row;
	for (size_t i = 0; i < row; i++)
		if (l->ladder.used[i] && strcmp(hook_rows[i].program, hook_rows[row].program) == 0)
			return i;
	return row;
}

static int attach_row(struct load *l, size_t row_, struct err *err)
{
	const size_t row = holder(l, row_);
	const struct hook_row *r = &hook_rows[row];
	const int prog = l->object.prog[row];
	struct perf_hook *h = l->hook[row];
	int ret = 0;

	if (h->attached)
		return 0;
	switch (r->kind) {
	case HOOK_CGROUP:
		return attached(bpf_link_create(prog, l->ladder.cgroup, l->object.attach_type[row], NULL), r->program,
				h, err);
	case HOOK_ITER:
		return attached(bpf_link_create(prog, 0, BPF_TRACE_ITER, NULL), r->program, h, err);
	case HOOK_TP:
		return perf_tracepoint(prog, r->target, h, err);
	case HOOK_KPROBE:
	case HOOK_KRETPROBE:
		for (int i = 0; i < LADDER_SYMBOLS && l->ladder.symbol[row][i][0] && ret == 0; i++)
			ret = perf_kprobe(prog, l->ladder.symbol[row][i], returns_of(r), &h[i], err);
		break;
	default:
		ret = attach_tracing(prog, r->program, h, err);
	}
	return ret < 0 ? err_set(err, ret, "%s: %s", r->program, err->msg) : 0;
}

static int attach_dispatcher(struct load *l, struct err *err)
{
	const struct object *o = &l->object;

	if (l->dispatch.attached)
		return 0;
	return object_dispatcher(&l->ladder) == HOOK_SYS_TP
		       ? perf_tracepoint(o->dispatcher, "raw_syscalls/sys_exit", &l->dispatch, err)
		       : attach_tracing(o->dispatcher, o->dispatcher_name, &l->dispatch, err);
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

		if (!l->ladder.used[i] || (!wants_row(s, i) && !now_or_never(l, i)))
			continue;
		if (object_dispatched(i)) {
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
			l->ladder.works[object_dispatcher(&l->ladder)] = false;
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
		if (holder(l, i) == row && l->ladder.used[i] && wants_row(s, i))
			return true;
	return now_or_never(l, row);
}

static void detach_unwanted(struct load *l, const struct sieve *s)
{
	bool dispatch = false;

	for (size_t i = 0; i < hook_nrows; i++) {
		bool want = row_wanted(l, s, i);

		dispatch |= want && object_dispatched(i);
		/* A program that could not come back stays: without clauses it returns at once. */
		if (want || ((hook_rows[i].kind == HOOK_FENTRY || hook_rows[i].kind == HOOK_FMOD_RET) &&
			     !l->ladder.can_reattach))
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

	if (!d)
		return -ENOMEM;
	for (uint16_t ev = EV_NONE + 1; ev < EV_TYPES; ev++)
		wanted[ev] = l->ladder.rung[ev] == EV_RUNG_TRACEPOINT && wants(s, ev);
	syscalls_fill(wanted, d);
	memcpy(l->object.syscalls, d, sizeof(*d));
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
	if (bpf_map_update_elem(l->object.map[OBJECT_SIEVE_NOW], &zero, &fd, BPF_ANY))
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

/*
 * Of all variables the sieve in force takes for granted that they may be set: what sets one while another sieve has its place, it would
 * not know.
 */
static int set_all(const struct load *l)
{
	struct sieve *s;

	if (l->sieve_fd < 0)
		return 0;
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED, l->sieve_fd, 0);
	if (s == MAP_FAILED)
		return -errno;
	for (unsigned i = 0; i < SV_VARS; i++)
		__atomic_store_n(&s->set[i], 1, __ATOMIC_SEQ_CST);
	munmap(s, sizeof(*s));
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
		all->event[ev].clauses = all->event[ev].urgent = all->masks[1];
	r = attach_wanted(l, all, &program, err);
	if (r < 0)
		return r;
	fd = sieve_map(l, all, generation);
	if (fd < 0)
		return err_set(err, fd, "cannot make the map of the sieve: %s", strerror(-fd));
	r = set_all(l);
	if (r < 0)
		return err_set(err, r, "cannot map the sieve: %s", strerror(-r));
	return swap_in(l, all, fd, err);
}

int load_close_sieve(struct load *l, struct err *err)
{
	const struct sieve *s = mmap(NULL, sizeof(*s), PROT_READ, MAP_SHARED, l->sieve_fd, 0);
	const char *program;
	int r;

	if (s == MAP_FAILED)
		return err_set(err, -errno, "cannot read the sieve: %s", strerror(errno));
	r = attach_wanted(l, s, &program, err);
	if (r == 0)
		r = swap_in(l, s, l->sieve_fd, err);
	munmap((void *)s, sizeof(*s));
	return r;
}

void load_deny_allow(struct load *l, uint32_t n)
{
	*(volatile int32_t *)l->object.deny_left = n > INT32_MAX ? INT32_MAX : (int32_t)n;
}

uint32_t load_deny_left(const struct load *l)
{
	int32_t n = *(volatile int32_t *)l->object.deny_left;

	return n > 0 ? (uint32_t)n : 0;
}

const char *load_deny_why(const struct load *l, uint16_t event)
{
	for (size_t i = 0; i < hook_nrows; i++)
		if (hook_rows[i].deny && hook_rows[i].event == event && l->ladder.used[i])
			return NULL;
	return l->ladder.deny_why[0] ? l->ladder.deny_why : "no program can refuse it";
}

bool load_blind(const struct load *l, const struct sieve *s, uint16_t event)
{
	return !l->ladder.rung[event] && hook_event_name(event) && wants(s, event);
}

/* ---- looking at it --------------------------------------------------------------------------------------------- */

int load_ring_fd(const struct load *l)
{
	return l->object.map[OBJECT_EVENTS];
}

int load_lineage_fd(const struct load *l)
{
	return l->object.map[OBJECT_LINEAGE];
}

int load_masks_fd(const struct load *l)
{
	return l->object.map[OBJECT_MASKS];
}

int load_learned_fd(const struct load *l)
{
	return l->object.map[OBJECT_LEARNED];
}

/* What the kernel says of the program that serves @row; those called by tail call are measured with the dispatcher. */
static bool row_info(struct load *l, size_t row, struct bpf_prog_info *ret)
{
	uint32_t len = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return bpf_obj_get_info_by_fd(object_dispatched(row) ? l->object.dispatcher : l->object.prog[row], ret, &len) ==
	       0;
}

/* Calls of the function that its probes missed. */
static uint64_t row_missed(struct load *l, size_t row, bool *ret_known)
{
	uint64_t sum = 0, n;

	*ret_known = true;
	for (int i = 0; i < LADDER_SYMBOLS; i++)
		if (l->hook[row][i].attached && hook_rows[row].kind == HOOK_KRETPROBE) {
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
	h->attached = object_dispatched(row) ? l->dispatch.attached : l->hook[holder(l, row)][0].attached;
	h->misses = hook_misses(r->event, r->rung);
	snprintf(h->why, sizeof(h->why), "%s", l->ladder.why[r->event]);
	h->missed = row_missed(l, row, &h->missed_known);
	if (row_info(l, row, &info)) {
		h->runs = info.run_cnt;
		h->run_ns = info.run_time_ns;
		h->missed += info.recursion_misses;
	}
}

/* An event that nothing serves, or all that should be refused where nothing can be. */
static void blind_fill(const char *event, const char *misses, const char *why, struct load_hook *h)
{
	*h = (struct load_hook){ .event = event,
				 .program = "",
				 .target = "",
				 .rung = EV_RUNG_NONE,
				 .missed_known = true,
				 .misses = misses };
	snprintf(h->why, sizeof(h->why), "%s", why);
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
			blind_fill(hook_event_name(event), "everything", l->ladder.why[event], &rows[n - 1]);
	if (l->ladder.deny_why[0] && n++ < max)
		blind_fill("deny", "nothing is refused", l->ladder.deny_why, &rows[n - 1]);
	return (int)n;
}

enum ev_rung load_attached(const struct load *l, uint16_t event)
{
	for (size_t i = 0; i < hook_nrows; i++)
		if (l->ladder.used[i] && hook_rows[i].event == event && l->wanted[event] &&
		    (object_dispatched(i) ? l->dispatch.attached : l->hook[holder(l, i)][0].attached))
			return hook_rows[i].rung;
	return EV_RUNG_NONE;
}

bool load_cut(const struct load *l, uint16_t event)
{
	for (size_t i = 0; i < hook_nrows; i++) {
		const struct perf_hook *h = &l->hook[holder(l, i)][0];

		if (hook_rows[i].kind == HOOK_CGROUP && hook_rows[i].event == event && l->ladder.used[i] &&
		    h->attached && !cgroup_linked(h->link))
			return true;
	}
	return false;
}

int load_tasks(struct load *l)
{
	_cleanup_close_ int fd = -1;
	char none[64];

	for (size_t i = 0; i < hook_nrows && fd < 0; i++)
		if (hook_rows[i].kind == HOOK_ITER && l->hook[i][0].attached)
			fd = bpf_iter_create(l->hook[i][0].link);
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
	*l->object.canary_pid = pid;
}

uint64_t load_missed(struct load *l)
{
	struct bpf_prog_info info;
	bool dispatch = false, known;
	uint64_t sum = 0;

	for (size_t i = 0; i < hook_nrows; i++) {
		if (!l->ladder.used[i] || (object_dispatched(i) && dispatch) || holder(l, i) != i)
			continue;
		dispatch |= object_dispatched(i);
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
	sum->denied += s->denied;
	sum->deny_unsure += s->deny_unsure;
}

void load_stats(const struct load *l, struct ev_stats ret[EV_TYPES])
{
	memset(ret, 0, EV_TYPES * sizeof(ret[0]));
	for (int cpu = 0; cpu < l->ncpus; cpu++)
		for (uint16_t type = 0; type < EV_TYPES; type++)
			stats_add(&ret[type], &l->stats[cpu].of[type]);
}

int load_stats_cpus(const struct load *l, struct ev_stats **ret)
{
	struct ev_stats *s = calloc((size_t)l->ncpus, sizeof(*s));

	if (!s)
		return -ENOMEM;
	for (int cpu = 0; cpu < l->ncpus; cpu++)
		for (uint16_t type = 0; type < EV_TYPES; type++)
			stats_add(&s[cpu], &l->stats[cpu].of[type]);
	*ret = s;
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
	unbuild(l);
	perf_close();
	if (l->ladder.cgroup >= 0)
		close(l->ladder.cgroup);
	if (l->sieve_fd >= 0)
		close(l->sieve_fd);
	if (l->measure_fd >= 0)
		close(l->measure_fd);
	forget_types(l);
	free(l);
}
