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
#include <sys/random.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "sensor/load/hooks.h"
#include "sensor/load/syscalls.h"
#include "tamis.skel.h"

#define ROWS_MAX 64
#define DISPATCH "sys_exit_dispatch"

struct load {
	struct tamis *skel; /* owned */
	struct btf *btf;    /* owned; the kernel's types */
	enum ev_rung forced;
	bool fentry_works;
	bool can_reattach; /* a tracing program can be attached again after it was detached (5.13: f3a95075549e) */
	char why[160];	   /* why fentry does not work here */
	enum ev_rung rung[EV_TYPES];
	char why_event[EV_TYPES][160];
	bool used[ROWS_MAX];		 /* rows of hook_rows that the chosen rungs use */
	struct bpf_link *link[ROWS_MAX]; /* owned */
	struct bpf_link *dispatch;	 /* owned */
	int sieve_fd;			 /* owned; the inner map in force, -1 before the first policy */
	int measure_fd;			 /* owned; -1: off */
	int ncpus;
};

static const char *const rung_names[EV_RUNGS] = { "none", "fentry", "kprobe", "tracepoint" };

const char *load_rung_name(enum ev_rung r)
{
	return r > EV_RUNG_NONE && r < EV_RUNGS ? rung_names[r] : NULL;
}

enum ev_rung load_rung_parse(const char *name)
{
	for (int r = EV_RUNG_NONE + 1; r < EV_RUNGS; r++)
		if (strcmp(name, rung_names[r]) == 0)
			return r;
	return EV_RUNG_NONE;
}

/* ---- libbpf's messages: the last that looks like an error is kept for ours ------------------------------------- */

static char last_message[300];

static int keep_message(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (getenv("TAMIS_LIBBPF_DEBUG"))
		return vfprintf(stderr, fmt, ap);
	if (level == LIBBPF_WARN) {
		vsnprintf(last_message, sizeof(last_message), fmt, ap);
		last_message[strcspn(last_message, "\n")] = '\0';
	}
	return 0;
}

/* ---- which rung ------------------------------------------------------------------------------------------------ */

/* Loads a program that does nothing, as fexit of @target; its fd or a negative errno. */
static int probe_load(struct load *l, const char *target)
{
	static const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FEXIT);
	int id = btf__find_by_name_kind(l->btf, target, BTF_KIND_FUNC);

	if (id < 0)
		return -ENOENT;
	opts.attach_btf_id = id;
	return bpf_prog_load(BPF_PROG_TYPE_TRACING, "tamis_probe", "GPL", nothing, 2, &opts);
}

/* Attaches fexit once for real: that it loads does not mean that it attaches. */
static void probe_fentry(struct load *l)
{
	_cleanup_close_ int prog = probe_load(l, "chmod_common");
	int fd;

	if (prog < 0) {
		snprintf(l->why, sizeof(l->why), "fexit cannot be loaded: %s", strerror(-prog));
		return;
	}
	fd = bpf_raw_tracepoint_open(NULL, prog);
	if (fd < 0) {
		snprintf(l->why, sizeof(l->why), "fexit cannot be attached: %s", strerror(-fd));
		return;
	}
	close(fd);
	l->fentry_works = true;
	fd = bpf_raw_tracepoint_open(NULL, prog);
	l->can_reattach = fd >= 0;
	if (fd >= 0)
		close(fd);
}

static bool target_exists(struct load *l, const struct hook_row *r)
{
	return r->rung == EV_RUNG_TRACEPOINT || btf__find_by_name_kind(l->btf, r->target, BTF_KIND_FUNC) >= 0;
}

/* Chooses for @event on @rung the row of @group, or -1. */
static int pick(struct load *l, uint16_t event, uint8_t rung, uint8_t group, bool *ret_there, bool *ret_optional)
{
	*ret_there = false;
	for (size_t i = 0; i < hook_nrows; i++) {
		const struct hook_row *r = &hook_rows[i];

		if (r->event != event || r->rung != rung || r->group != group)
			continue;
		*ret_there = true;
		*ret_optional = r->optional;
		if (target_exists(l, r))
			return (int)i;
	}
	return -1;
}

/* Tries @rung for @event. True when it is complete; then its rows are marked as used. */
static bool rung_try(struct load *l, uint16_t event, uint8_t rung)
{
	int rows[8], n = 0;

	for (uint8_t group = 0; group < 8; group++) {
		bool there, optional = false;
		int i = pick(l, event, rung, group, &there, &optional);

		if (i >= 0) {
			rows[n++] = i;
		} else if (there && !optional) {
			snprintf(l->why_event[event], sizeof(l->why_event[event]), "%s: function not found",
				 rung_names[rung]);
			return false;
		}
	}
	for (int i = 0; i < n; i++)
		l->used[rows[i]] = true;
	return n > 0;
}

static int choose_rungs(struct load *l, struct err *err)
{
	static const uint8_t ladder[] = { EV_RUNG_FENTRY, EV_RUNG_TRACEPOINT };

	if (l->forced == EV_RUNG_FENTRY && !l->fentry_works)
		return err_set(err, -ENOTSUP, "rung fentry: %s; leave --rung out to take the best that works", l->why);
	if (l->forced == EV_RUNG_KPROBE)
		return err_set(err, -ENOTSUP, "rung kprobe: no event has hooks on it; use fentry or tracepoint");

	for (uint16_t ev = EV_NONE + 1; ev < EV_TYPES; ev++) {
		/* exec, fork and exit know only one rung. */
		bool process = ev == EV_EXEC || ev == EV_FORK || ev == EV_EXIT;

		for (size_t i = 0; i < sizeof(ladder) && !l->rung[ev]; i++) {
			if (l->forced && !process && ladder[i] != l->forced)
				continue;
			if (ladder[i] == EV_RUNG_FENTRY && !l->fentry_works) {
				snprintf(l->why_event[ev], sizeof(l->why_event[ev]), "%s", process ? "" : l->why);
				continue;
			}
			if (rung_try(l, ev, ladder[i]))
				l->rung[ev] = ladder[i];
		}
		if (!l->rung[ev])
			return err_set(err, -ENOTSUP, "no hook for event %u works on this kernel (%s)", ev,
				       l->why_event[ev]);
	}
	return 0;
}

/* ---- open --------------------------------------------------------------------------------------------------- */

static struct bpf_program *program_of(struct load *l, size_t row)
{
	return bpf_object__find_program_by_name(l->skel->obj, hook_rows[row].program);
}

static bool any_tracepoint(const struct load *l)
{
	for (uint16_t ev = EV_NONE + 1; ev < EV_TYPES; ev++)
		if (l->rung[ev] == EV_RUNG_TRACEPOINT && ev != EV_EXEC && ev != EV_FORK && ev != EV_EXIT)
			return true;
	return false;
}

static void autoload(struct load *l)
{
	for (size_t i = 0; i < hook_nrows; i++)
		bpf_program__set_autoload(program_of(l, i), l->used[i]);
	bpf_program__set_autoload(l->skel->progs.sys_exit_dispatch, any_tracepoint(l));
}

static int configure(struct load *l, const struct load_options *o, struct err *err)
{
	uint32_t ring = o->ring_bytes ? o->ring_bytes : LOAD_RING_BYTES;
	uint64_t seed[2];

	if (ring < 64 << 10 || (ring & (ring - 1)))
		return err_set(err, -EINVAL, "ring of %u bytes: give a power of two from 65536 on", ring);
	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		return err_set(err, -EIO, "no random bytes from the kernel");
	l->skel->rodata->ring_bytes = ring;
	l->skel->rodata->want_envs = o->envs;
	l->skel->rodata->have_task_regs =
		libbpf_probe_bpf_helper(BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_FUNC_task_pt_regs, NULL) == 1;
	memcpy((void *)l->skel->rodata->seed, seed, sizeof(seed));
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

	for (size_t i = 0; i < hook_nrows; i++) {
		uint32_t event = hook_rows[i].event;
		int fd;

		if (!l->used[i] || strcmp(hook_rows[i].target, "sys_exit") != 0)
			continue;
		fd = bpf_program__fd(program_of(l, i));
		if (bpf_map_update_elem(map, &event, &fd, BPF_ANY))
			return -errno;
	}
	return 0;
}

int load_open(const struct load_options *o, struct load **ret, struct err *err)
{
	struct load *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_set(err, -ENOMEM, "out of memory");
	l->sieve_fd = l->measure_fd = -1;
	l->forced = o->rung;
	libbpf_set_print(keep_message);
	l->ncpus = libbpf_num_possible_cpus();
	l->btf = btf__load_vmlinux_btf();
	if (!l->btf) {
		r = err_set(err, -ENOTSUP,
			    "this kernel has no type information (/sys/kernel/btf/vmlinux): "
			    "use one built with CONFIG_DEBUG_INFO_BTF");
		goto fail;
	}
	probe_fentry(l);
	r = choose_rungs(l, err);
	if (r < 0)
		goto fail;
	l->skel = tamis__open();
	if (!l->skel) {
		r = err_set(err, -errno, "cannot open the BPF object: %s", last_message);
		goto fail;
	}
	autoload(l);
	r = configure(l, o, err);
	if (r < 0)
		goto fail;
	r = tamis__load(l->skel);
	if (r < 0) {
		r = load_failed(r, err);
		goto fail;
	}
	r = fill_sys_events(l);
	if (r < 0) {
		err_set(err, r, "cannot fill the table of system call programs: %s", strerror(-r));
		goto fail;
	}
	/* 6 MB that the other processes would inherit; only choosing rungs asks for types */
	btf__free(l->btf);
	l->btf = NULL;
	*ret = l;
	return 0;
fail:
	load_free(l);
	return r;
}

/* ---- policy ------------------------------------------------------------------------------------------------- */

static bool wants(const struct sieve *s, uint16_t event)
{
	const struct sv_mask *m = &s->event[event].clauses;

	if (event == EV_EXEC || event == EV_FORK || event == EV_EXIT)
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
	if (bpf_map_update_elem(fd, &zero, copy, BPF_ANY))
		return -errno;
	return TAKE_FD(fd);
}

static int attach(struct bpf_program *prog, struct bpf_link **ret, struct err *err)
{
	struct bpf_link *link = bpf_program__attach(prog);

	if (!link)
		return err_set(err, -errno, "cannot attach %s: %s (%s)", bpf_program__name(prog), strerror(errno),
			       last_message);
	*ret = link;
	return 0;
}

/* Attaches what @s needs and is not attached yet. */
static int attach_wanted(struct load *l, const struct sieve *s, struct err *err)
{
	bool dispatch = false;

	for (size_t i = 0; i < hook_nrows; i++) {
		int r;

		if (!l->used[i] || !wants(s, hook_rows[i].event))
			continue;
		if (strcmp(hook_rows[i].target, "sys_exit") == 0) {
			dispatch = true;
			continue;
		}
		r = l->link[i] ? 0 : attach(program_of(l, i), &l->link[i], err);
		if (r < 0)
			return r;
	}
	return dispatch && !l->dispatch ? attach(l->skel->progs.sys_exit_dispatch, &l->dispatch, err) : 0;
}

static void detach_unwanted(struct load *l, const struct sieve *s)
{
	bool dispatch = false;

	for (size_t i = 0; i < hook_nrows; i++) {
		bool want = l->used[i] && wants(s, hook_rows[i].event);

		dispatch |= want && strcmp(hook_rows[i].target, "sys_exit") == 0;
		/* A program that could not come back stays: without clauses it returns at once. */
		if (want || !l->link[i] || (hook_rows[i].rung == EV_RUNG_FENTRY && !l->can_reattach))
			continue;
		bpf_link__destroy(l->link[i]);
		l->link[i] = NULL;
	}
	if (!dispatch) {
		bpf_link__destroy(l->dispatch);
		l->dispatch = NULL;
	}
}

/* Tells the dispatcher which system calls tell an event that @s wants (and, with @old, that the one before wanted). */
static int set_syscalls(struct load *l, const struct sieve *s)
{
	_cleanup_free_ struct sysdescs *d = malloc(sizeof(*d));
	bool wanted[EV_TYPES] = { 0 };
	uint32_t zero = 0;

	if (!d)
		return -ENOMEM;
	for (uint16_t ev = EV_NONE + 1; ev < EV_TYPES; ev++)
		wanted[ev] = l->rung[ev] == EV_RUNG_TRACEPOINT && wants(s, ev);
	syscalls_fill(wanted, d);
	return bpf_map_update_elem(bpf_map__fd(l->skel->maps.syscalls), &zero, d, BPF_ANY) ? -errno : 0;
}

int load_policy(struct load *l, const struct sieve *s, uint32_t generation, struct err *err)
{
	_cleanup_close_ int fd = sieve_map(l, s, generation);
	uint32_t zero = 0;
	int r;

	if (fd < 0)
		return err_set(err, fd, "cannot make the map of the sieve: %s", strerror(-fd));
	r = attach_wanted(l, s, err);
	if (r < 0)
		return r;
	/* An event that only the new policy wants has no clause in the old one: its program returns at once until the
	 * swap. */
	r = set_syscalls(l, s);
	if (r < 0)
		return err_set(err, r, "cannot set the system calls to look at: %s", strerror(-r));
	if (bpf_map_update_elem(bpf_map__fd(l->skel->maps.sieve_now), &zero, &fd, BPF_ANY))
		return err_set(err, -errno, "cannot swap the sieve: %s", strerror(errno));
	if (l->sieve_fd >= 0)
		close(l->sieve_fd);
	l->sieve_fd = TAKE_FD(fd);
	detach_unwanted(l, s);
	return 0;
}

/* ---- looking at it --------------------------------------------------------------------------------------------- */

int load_ring_fd(const struct load *l)
{
	return bpf_map__fd(l->skel->maps.events);
}

static void hook_fill(struct load *l, size_t row, struct load_hook *h)
{
	const struct hook_row *r = &hook_rows[row];
	bool process = r->event == EV_EXEC || r->event == EV_FORK || r->event == EV_EXIT;
	bool dispatched = strcmp(r->target, "sys_exit") == 0;
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	const char *const names[] = {
#define E(EV, NR, NAME, LIST, PROC, DOC) [NR] = NAME,
		CAT_EVENTS(E)
#undef E
	};
	/* Programs that are called by tail call are measured with the dispatcher. */
	int fd = bpf_program__fd(dispatched ? l->skel->progs.sys_exit_dispatch : program_of(l, row));

	*h = (struct load_hook){
		.event = names[r->event], .program = r->program, .target = r->target, .rung = r->rung
	};
	h->attached = dispatched ? l->dispatch != NULL : l->link[row] != NULL;
	h->misses = hook_misses(r->event, r->rung);
	if (!process)
		snprintf(h->why, sizeof(h->why), "%s", l->why_event[r->event]);
	if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0) {
		h->runs = info.run_cnt;
		h->run_ns = info.run_time_ns;
		h->missed = info.recursion_misses;
	}
}

int load_hooks(struct load *l, struct load_hook *rows, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < hook_nrows; i++)
		if (l->used[i] && n++ < max)
			hook_fill(l, i, &rows[n - 1]);
	return (int)n;
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

/* @cpu < 0: all of them */
static int stats_read(struct load *l, int cpu, struct ev_stats ret[EV_TYPES])
{
	_cleanup_free_ struct ev_stats *per_cpu = calloc((size_t)l->ncpus, sizeof(*per_cpu));

	if (!per_cpu)
		return -ENOMEM;
	memset(ret, 0, EV_TYPES * sizeof(ret[0]));
	for (uint32_t ev = 0; ev < EV_TYPES; ev++) {
		if (bpf_map_lookup_elem(bpf_map__fd(l->skel->maps.stats), &ev, per_cpu))
			return -errno;
		for (int i = 0; i < l->ncpus; i++)
			if (cpu < 0 || cpu == i)
				stats_add(&ret[ev], &per_cpu[i]);
	}
	return 0;
}

int load_stats(struct load *l, struct ev_stats ret[EV_TYPES])
{
	return stats_read(l, -1, ret);
}

int load_stats_cpu(struct load *l, unsigned int cpu, struct ev_stats ret[EV_TYPES])
{
	return (int)cpu < l->ncpus ? stats_read(l, (int)cpu, ret) : -ERANGE;
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
	for (size_t i = 0; i < hook_nrows; i++)
		bpf_link__destroy(l->link[i]);
	bpf_link__destroy(l->dispatch);
	if (l->sieve_fd >= 0)
		close(l->sieve_fd);
	if (l->measure_fd >= 0)
		close(l->measure_fd);
	tamis__destroy(l->skel);
	btf__free(l->btf);
	free(l);
}
