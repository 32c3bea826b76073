/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel side as the monitor sees it: one BPF object, its hooks, the sieve in force, and the counters. The only
 * place that knows libbpf (beside the ring's reader). Reads no event and no policy text.
 *
 * Which hook serves an event is found by trying, best rung first; a hook that no clause needs is not attached.
 */
#ifndef TAMIS_LOAD_H
#define TAMIS_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "tamis/sieve.h"

struct load;

struct load_options {
	enum ev_rung rung;	/* EV_RUNG_NONE: the best that works; else this rung or an error */
	uint32_t ring_bytes;	/* a power of two, at least 64 KiB; 0: LOAD_RING_BYTES */
	uint32_t lineage_bytes; /* the like, of the ring for exec, fork and exit; 0: LOAD_LINEAGE_BYTES */
	bool envs;		/* hand over environments with exec records */
	bool deny;		/* some policy may have operations refused: load what does that */
	const char *btf; /* file of type information to use instead of the kernel's own, LOAD_BTF_DISCOVER, or NULL */
	const char *btf_dir; /* where to look for one if the kernel has none, beside the usual places; or NULL */
};

/* No file: what has to be known is found out, as it is where there is no file (offsets.h). */
#define LOAD_BTF_DISCOVER "discover"

#define LOAD_RING_BYTES	   (4u << 20)
#define LOAD_LINEAGE_BYTES (2u << 20)
#define LOAD_HOOKS_MAX	   256

/* One program that serves events: a row of `tamisctl hooks`. */
struct load_hook {
	const char *event;   /* "open", or "process" for the hooks that keep the process table; static */
	const char *program; /* name of the BPF program; static */
	const char *target;  /* kernel function or tracepoint that it sits on; static */
	enum ev_rung rung;   /* EV_RUNG_NONE: nothing serves the event, and program is "" */
	bool attached;
	const char *misses; /* what this rung cannot see for this event, or ""; static */
	char why[200];	    /* why a better rung was not taken, or "" */
	uint64_t runs;	    /* since the start; counted by the kernel only while load_measure is on */
	uint64_t run_ns;    /* the like, summed */
	/*
	 * Lost: runs that the kernel skipped because the program was already running on that CPU, and calls whose return
	 * found no instance of the probe. Of the latter not all kernels tell: then missed_known is false.
	 */
	uint64_t missed;
	bool missed_known;
};

/*
 * Has the kernel tell of each process what it is, as EV_TASK records. 0, or a negative errno where this kernel cannot; what
 * found its ring full is not told.
 */
int load_tasks(struct load *l);

/* "fentry", "kprobe", "tracepoint", or NULL; and back (EV_RUNG_NONE if unknown). */
const char *load_rung_name(enum ev_rung r);
enum ev_rung load_rung_parse(const char *name);

/*
 * Opens and loads the BPF object; attaches nothing. Takes the privileges that BPF needs.
 * -EPERM, -ENOSYS, -ENOTSUP (no BTF, rung impossible here), each with the remedy in @err.
 */
int load_open(const struct load_options *o, struct load **ret, struct err *err);

/*
 * Puts the sieve @s in force as generation @generation: attaches the hooks that its events need and that are not
 * attached yet, swaps the map in one step, detaches what it does not need any more. On error the sieve before stays in
 * force.
 */
int load_policy(struct load *l, const struct sieve *s, uint32_t generation, struct err *err);

/*
 * Lets every event through, as generation @generation, until load_close_sieve: the sieve in force waits and comes back as it
 * is. load_policy ends it, too. On error it stays in force.
 */
int load_open_sieve(struct load *l, uint32_t generation, struct err *err);
int load_close_sieve(struct load *l, struct err *err);

/* The ring buffers' map fds; borrowed. */
int load_ring_fd(const struct load *l);
int load_lineage_fd(const struct load *l);
/* The map of processes' masks (tamis/masks.h), which can be mapped; borrowed. */
int load_masks_fd(const struct load *l);
/* The map of what is learned of files (tamis/learned.h); the same. */
int load_learned_fd(const struct load *l);

/*
 * How many operations may be refused from now on; none before the first call. What the programs have left of it; not below 0.
 */
void load_deny_allow(struct load *l, uint32_t n);
uint32_t load_deny_left(const struct load *l);
/* Why operations of @event that the policy wants refused cannot be here; NULL where they can. Borrowed. */
const char *load_deny_why(const struct load *l, uint16_t event);

/* Whether @s has clauses on @event, and nothing here can see it. */
bool load_blind(const struct load *l, const struct sieve *s, uint16_t event);

/* Fills at most @max rows and returns how many there are. */
int load_hooks(struct load *l, struct load_hook *rows, size_t max);

/* The rung that hooks for @event are attached on, as far as we know; EV_RUNG_NONE. */
enum ev_rung load_attached(const struct load *l, uint16_t event);

/* Whether somebody has taken a program off the cgroups' root that @event needs and that we have attached there. */
bool load_cut(const struct load *l, uint16_t event);

/* Whose acts are marked instead of sieved: see sensor/priv/canary.h. 0: nobody's. */
void load_canary(struct load *l, uint32_t pid);

/* What all hooks have missed, summed; each program counted once. */
uint64_t load_missed(struct load *l);

/* Sums over CPUs, one struct an event type. */
void load_stats(const struct load *l, struct ev_stats ret[EV_TYPES]);

/* Sums over event types, one struct a CPU: how many, in *ret, the caller's to free; or a negative errno. */
int load_stats_cpus(const struct load *l, struct ev_stats **ret);

/* Turns the kernel's measuring of run times on or off (costs some ns a run). */
int load_measure(struct load *l, bool on);

/* Detaches and frees; NULL is fine. */
void load_free(struct load *l);

#endif
