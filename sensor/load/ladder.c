/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/load/ladder.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/perf_event.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "sensor/load/cgroup.h"
#include "sensor/load/kernel.h"
#include "sensor/load/load.h"
#include "sensor/load/perf.h"

/* ---- trying ---------------------------------------------------------------------------------------------------- */

static const struct bpf_insn nothing[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
	{ .code = BPF_JMP | BPF_EXIT },
};

static __attribute__((format(printf, 3, 4))) void does_not(struct ladder *l, enum hook_kind kind, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->why_not[kind], sizeof(l->why_not[kind]), fmt, ap);
	va_end(ap);
}

/* A program that does nothing, for the type with @btf_id as @attach. */
static int load_nothing(enum bpf_prog_type type, enum bpf_attach_type attach, int btf_id)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach, .attach_btf_id = (uint32_t)btf_id);

	return bpf_prog_load(type, "tamis_probe", "GPL", nothing, 2, &opts);
}

/* The first target of a kind that this kernel has, to try it on. */
static const char *any_target(const struct ladder *l, enum hook_kind kind)
{
	for (size_t i = 0; i < hook_nrows; i++)
		if (hook_rows[i].kind == kind && l->symbol[i][0][0])
			return l->symbol[i][0];
	return NULL;
}

/* Attaches a program once for real: that it loads does not mean that it attaches. The program, or -1. */
static int try_trampoline(struct ladder *l, enum hook_kind kind, enum bpf_attach_type attach, const struct btf *btf)
{
	const char *target = any_target(l, kind);
	_cleanup_close_ int prog = -1;
	int fd;

	if (!target) {
		does_not(l, kind, btf ? "function not found" : "the kernel has no type information");
		return -1;
	}
	prog = load_nothing(BPF_PROG_TYPE_TRACING, attach, btf__find_by_name_kind(btf, target, BTF_KIND_FUNC));
	if (prog < 0) {
		does_not(l, kind, "cannot be loaded: %s", strerror(-prog));
		return -1;
	}
	fd = bpf_raw_tracepoint_open(NULL, prog);
	if (fd < 0) {
		does_not(l, kind, "cannot be attached: %s", strerror(-fd));
		return -1;
	}
	close(fd);
	l->works[kind] = true;
	return TAKE_FD(prog);
}

static void try_fentry(struct ladder *l, const struct btf *btf)
{
	_cleanup_close_ int prog = try_trampoline(l, HOOK_FENTRY, BPF_TRACE_FEXIT, btf);
	int fd;

	if (prog < 0)
		return;
	fd = bpf_raw_tracepoint_open(NULL, prog);
	l->can_reattach = fd >= 0;
	if (fd >= 0)
		close(fd);
}

static void try_tp_btf(struct ladder *l, const struct btf *btf)
{
	_cleanup_close_ int prog = -1;
	int id = btf ? btf__find_by_name_kind(btf, "btf_trace_sys_exit", BTF_KIND_TYPEDEF) : -1;

	if (id < 0)
		does_not(l, HOOK_TP_BTF, "the kernel has no type information");
	else {
		prog = load_nothing(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP, id);
		l->works[HOOK_TP_BTF] = prog >= 0;
		if (prog < 0)
			does_not(l, HOOK_TP_BTF, "cannot be loaded: %s", strerror(-prog));
	}
	l->works[HOOK_SYS_BTF] = l->works[HOOK_TP_BTF];
	does_not(l, HOOK_SYS_BTF, "%s", l->why_not[HOOK_TP_BTF]);
}

/* Where nothing is refused, it is not even tried. */
static void try_fmod_ret(struct ladder *l, const struct btf *btf)
{
	_cleanup_close_ int prog = l->deny ? try_trampoline(l, HOOK_FMOD_RET, BPF_MODIFY_RETURN, btf) : -1;

	(void)prog;
}

/* @event: a perf event or a negative errno; closed. */
static void try_perf(struct ladder *l, enum hook_kind kind, enum bpf_prog_type type, int event)
{
	_cleanup_close_ int fd = event, prog = -1;

	if (fd < 0)
		return does_not(l, kind, "cannot be made: %s", strerror(-fd));
	prog = load_nothing(type, 0, 0);
	if (prog < 0)
		return does_not(l, kind, "cannot be loaded: %s", strerror(-prog));
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog) < 0)
		return does_not(l, kind, "cannot be attached: %s", strerror(errno));
	l->works[kind] = true;
}

static void try_kprobes(struct ladder *l)
{
	const char *target = any_target(l, HOOK_KPROBE);

	if (!target)
		return does_not(l, HOOK_KPROBE, "the kernel's symbols cannot be read");
	/* one of the two is enough to know */
	try_perf(l, HOOK_KPROBE, BPF_PROG_TYPE_KPROBE, perf_try_kprobe(target, true));
	l->works[HOOK_KRETPROBE] = l->works[HOOK_KPROBE];
}

/* Whether it loads is seen when it is loaded. */
static void try_iterator(struct ladder *l, const struct btf *btf)
{
	l->works[HOOK_ITER] = btf && btf__find_by_name_kind(btf, "bpf_iter_task", BTF_KIND_FUNC) >= 0;
	if (!l->works[HOOK_ITER])
		does_not(l, HOOK_ITER, "needs a kernel that knows its own types");
}

static void try_tracepoints(struct ladder *l)
{
	try_perf(l, HOOK_TP, BPF_PROG_TYPE_TRACEPOINT, perf_try_tracepoint("sched/sched_process_exit"));
	try_perf(l, HOOK_SYS_TP, BPF_PROG_TYPE_TRACEPOINT, perf_try_tracepoint("raw_syscalls/sys_exit"));
}

static void try_cgroup(struct ladder *l)
{
	char *why = l->why_not[HOOK_CGROUP];

	l->cgroup = cgroup_root(why, sizeof(l->why_not[HOOK_CGROUP]));
	l->works[HOOK_CGROUP] = l->cgroup >= 0 && cgroup_try(l->cgroup, why, sizeof(l->why_not[HOOK_CGROUP])) == 0;
}

/* ---- targets --------------------------------------------------------------------------------------------------- */

static void add_symbol(struct ladder *l, size_t row, const char *symbol)
{
	for (int i = 0; i < LADDER_SYMBOLS; i++)
		if (!l->symbol[row][i][0]) {
			snprintf(l->symbol[row][i], sizeof(l->symbol[row][i]), "%s", symbol);
			return;
		}
}

static void see_symbol(void *ctx, const char *symbol)
{
	struct ladder *l = ctx;

	for (size_t i = 0; i < hook_nrows; i++)
		if ((hook_rows[i].kind == HOOK_KPROBE || hook_rows[i].kind == HOOK_KRETPROBE) &&
		    hook_symbol_is(&hook_rows[i], symbol))
			add_symbol(l, i, symbol);
}

static bool has_btf_tracepoint(const struct btf *btf, const char *name)
{
	char type[80];

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	return btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF) >= 0;
}

static void find_targets(struct ladder *l, const struct btf *btf)
{
	memset(l->symbol, 0, sizeof(l->symbol));
	for (size_t i = 0; i < hook_nrows; i++) {
		const struct hook_row *r = &hook_rows[i];

		if ((r->kind == HOOK_FENTRY || r->kind == HOOK_FMOD_RET) &&
		    (!btf || btf__find_by_name_kind(btf, r->target, BTF_KIND_FUNC) < 0))
			continue;
		if (r->unless && btf && btf__find_by_name_kind(btf, r->unless, BTF_KIND_STRUCT) >= 0)
			continue;
		if (r->kind == HOOK_TP_BTF && btf && !has_btf_tracepoint(btf, r->target))
			continue;
		if (r->kind == HOOK_TP && !perf_has_tracepoint(r->target))
			continue;
		if (r->kind != HOOK_KPROBE && r->kind != HOOK_KRETPROBE)
			add_symbol(l, i, r->target);
	}
	kernel_symbols(see_symbol, l);
}

void ladder_probe(struct ladder *l, const struct btf *kernel_btf)
{
	find_targets(l, kernel_btf);
	try_fentry(l, kernel_btf);
	try_fmod_ret(l, kernel_btf);
	try_kprobes(l);
	try_tp_btf(l, kernel_btf);
	try_tracepoints(l);
	try_iterator(l, kernel_btf);
	try_cgroup(l);
	l->perf_later = perf_later();
	l->preempts = kernel_preempts(l->preempts_how, sizeof(l->preempts_how));
}

/* ---- choosing -------------------------------------------------------------------------------------------------- */

static const char *const kind_names[HOOK_KINDS] = {
	[HOOK_FENTRY] = "fexit",
	[HOOK_KPROBE] = "kprobe",
	[HOOK_KRETPROBE] = "kretprobe",
	[HOOK_TP_BTF] = "BTF tracepoint",
	[HOOK_TP] = "classic tracepoint",
	[HOOK_SYS_BTF] = "BTF tracepoint",
	[HOOK_SYS_TP] = "classic tracepoint",
	[HOOK_ITER] = "iterator",
	[HOOK_CGROUP] = "cgroup program",
	[HOOK_FMOD_RET] = "fmod_ret",
};

static bool any_broken(const struct ladder *l, uint8_t kind)
{
	for (size_t i = 0; i < hook_nrows; i++)
		if (hook_rows[i].kind == kind && l->broken[i])
			return true;
	return false;
}

/*
 * System calls have one dispatcher, so all of their programs are of one kind: the one that loses nothing where that
 * matters, else the cheaper one, if all of it works.
 */
static bool right_dispatcher(const struct ladder *l, uint8_t kind)
{
	bool cheaper = l->works[HOOK_SYS_BTF] && !any_broken(l, HOOK_SYS_BTF);
	bool classic = l->works[HOOK_SYS_TP] && (l->preempts || !cheaper);

	return (kind != HOOK_SYS_BTF || !classic) && (kind != HOOK_SYS_TP || classic);
}

/* Can @row be hooked? If not, @ret_why gets why. */
static bool row_works(const struct ladder *l, size_t row, char *ret_why, size_t size)
{
	const struct hook_row *r = &hook_rows[row];

	if (!right_dispatcher(l, r->kind))
		return false;
	if (!l->works[r->kind])
		snprintf(ret_why, size, "%s %s", kind_names[r->kind], l->why_not[r->kind]);
	else if (!l->symbol[row][0][0])
		snprintf(ret_why, size, "%s not found", r->target);
	else if (l->broken[row])
		snprintf(ret_why, size, "%s: %s", r->program, l->broken_why[row]);
	else
		return true;
	return false;
}

/* Whoever asks for a rung gets nothing of the better ones, not even to help another one's event. */
static bool kind_allowed(const struct ladder *l, uint8_t kind)
{
	if (l->forced == EV_RUNG_TRACEPOINT)
		return kind != HOOK_FENTRY && kind != HOOK_FMOD_RET && kind != HOOK_KPROBE && kind != HOOK_KRETPROBE;
	return l->forced != EV_RUNG_KPROBE || (kind != HOOK_FENTRY && kind != HOOK_FMOD_RET);
}

/* The best row of a group, or -1; *ret_needed where there must be one. */
static int pick(const struct ladder *l, uint16_t event, uint8_t rung, uint8_t group, bool *ret_needed, char *ret_why,
		size_t size)
{
	int second = -1;

	*ret_needed = false;
	for (size_t i = 0; i < hook_nrows; i++) {
		const struct hook_row *r = &hook_rows[i];

		if (r->event != event || r->rung != rung || r->group != group || r->deny || !kind_allowed(l, r->kind))
			continue;
		*ret_needed = !r->optional;
		if (!row_works(l, i, ret_why, size))
			continue;
		if (!l->preempts || !hook_skippable(r->kind))
			return (int)i;
		if (second < 0)
			second = (int)i;
	}
	return second;
}

/* Tries @rung for @event. True when it is complete; then its rows are marked as used. */
static bool rung_try(struct ladder *l, uint16_t event, uint8_t rung, char *ret_why, size_t size)
{
	int rows[HOOK_GROUPS], n = 0;

	for (uint8_t group = 0; group < HOOK_GROUPS; group++) {
		bool needed;
		int i = pick(l, event, rung, group, &needed, ret_why, size);

		if (i >= 0)
			rows[n++] = i;
		else if (needed)
			return false;
	}
	for (int i = 0; i < n; i++)
		l->used[rows[i]] = true;
	return n > 0;
}

/* The rungs, best first. */
static const uint8_t ladder_usual[] = { EV_RUNG_FENTRY, EV_RUNG_KPROBE, EV_RUNG_TRACEPOINT, EV_RUNG_CGROUP };
/* Where runs are skipped, a dearer hook that sees everything is better than one that does not. */
static const uint8_t ladder_preempted[] = { EV_RUNG_KPROBE, EV_RUNG_FENTRY, EV_RUNG_TRACEPOINT, EV_RUNG_CGROUP };
#define NRUNGS (sizeof(ladder_usual) / sizeof(ladder_usual[0]))

static bool has_rung(uint16_t event, uint8_t rung)
{
	for (size_t i = 0; i < hook_nrows; i++)
		if (hook_rows[i].event == event && hook_rows[i].rung == rung && !hook_rows[i].deny)
			return true;
	return false;
}

/* Whether the event is hooked in one way alone: then a rung that is asked for does not concern it. */
static bool has_choice(uint16_t event)
{
	int n = 0;

	for (size_t i = 0; i < NRUNGS; i++)
		n += has_rung(event, ladder_usual[i]);
	return n > 1;
}

static void add_why(struct ladder *l, uint16_t event, uint8_t rung, const char *why)
{
	char *to = l->why[event];
	size_t n = strlen(to);

	snprintf(to + n, sizeof(l->why[event]) - n, "%s%s: %s", n ? "; " : "", load_rung_name(rung), why);
}

static void choose(struct ladder *l, uint16_t event)
{
	const uint8_t *rungs = l->preempts ? ladder_preempted : ladder_usual;

	l->rung[event] = EV_RUNG_NONE;
	l->why[event][0] = '\0';
	for (size_t i = 0; i < NRUNGS && !l->rung[event]; i++) {
		char why[LADDER_WHY] = "";

		if (!has_rung(event, rungs[i]))
			continue;
		if (l->forced && has_choice(event) && rungs[i] != l->forced)
			continue;
		if (rung_try(l, event, rungs[i], why, sizeof(why)))
			l->rung[event] = rungs[i];
		else
			add_why(l, event, rungs[i], why);
	}
	if (l->rung[event] == EV_RUNG_KPROBE && !l->forced && l->preempts) {
		char why[LADDER_WHY];

		snprintf(why, sizeof(why), "runs are skipped where the kernel preempts, and %s", l->preempts_how);
		add_why(l, event, EV_RUNG_FENTRY, why);
	}
}

/* What refuses, for each event that is told of here. */
static void choose_denials(struct ladder *l)
{
	l->deny_why[0] = '\0';
	for (size_t i = 0; i < hook_nrows; i++) {
		const struct hook_row *r = &hook_rows[i];

		if (!r->deny || !l->deny || !l->rung[r->event])
			continue;
		if (!kind_allowed(l, r->kind))
			snprintf(l->deny_why, sizeof(l->deny_why), "--rung %s leaves fmod_ret out",
				 load_rung_name(l->forced));
		else
			l->used[i] = row_works(l, i, l->deny_why, sizeof(l->deny_why));
	}
}

int ladder_choose(struct ladder *l, struct err *err)
{
	char names[200] = "";
	const char *why = "";

	memset(l->used, 0, sizeof(l->used));
	for (uint16_t event = EV_NONE + 1; event < EV_TYPES; event++)
		choose(l, event);
	choose_denials(l);
	for (const uint16_t *event = hook_minimum; *event; event++) {
		size_t n = strlen(names);

		if (l->rung[*event])
			continue;
		snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "", hook_event_name(*event));
		why = l->why[*event];
	}
	if (!names[0])
		return 0;
	if (l->forced)
		return err_set(err, -ENOTSUP,
			       "--rung %s does not do here for %s (%s); leave it out to take the best that works",
			       load_rung_name(l->forced), names, why);
	return err_set(err, -ENOTSUP, "this kernel gives no hook for %s, without which the sensor does not start (%s)",
		       names, why);
}

void ladder_break(struct ladder *l, const char *program, const char *why)
{
	for (size_t i = 0; i < hook_nrows; i++)
		if (strcmp(hook_rows[i].program, program) == 0) {
			l->broken[i] = true;
			snprintf(l->broken_why[i], sizeof(l->broken_why[i]), "%s", why);
		}
}
