/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/procmasks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/lib/masks.bpf.h"
#include "engine/possible.h"

struct procmasks {
	struct masks *m;	   /* borrowed */
	const struct proctable *t; /* borrowed */
	struct possible *possible; /* owned; of the policy in force; NULL: there are no masks */
	struct kin *kin;	   /* owned, or NULL */
	uint32_t generation;
	uint64_t relinked; /* as the table said last */
	uint32_t n;	   /* sets in use */
	uint64_t hash[MASKS_SETS];
};

static const struct sv_mask ones = { { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX } };

/* ---- sets ---------------------------------------------------------------------------------------------------------- */

static struct masks_set *set_at(struct procmasks *p, uint32_t i)
{
	return &p->m->set[p->generation & 1][i];
}

/* The generation comes last, and goes first: whoever looks meanwhile sees that it is not there. */
static void set_write(struct procmasks *p, uint32_t i, const struct masks_set *from)
{
	struct masks_set *to = set_at(p, i);

	__atomic_store_n(&to->generation, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	to->fork = from->fork;
	to->bare = from->bare;
	memcpy(to->mask, from->mask, sizeof(to->mask));
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&to->generation, p->generation, __ATOMIC_RELAXED);
}

static uint64_t set_hash(const struct masks_set *s)
{
	uint64_t h = (uint64_t)s->bare << 16 | s->fork;

	for (uint32_t t = 0; t < EV_TYPES; t++)
		for (int w = 0; w < SV_WORDS; w++)
			h = masks_mix(h * 31 + s->mask[t].w[w]);
	return h;
}

static bool set_same(const struct masks_set *a, const struct masks_set *b)
{
	return a->fork == b->fork && a->bare == b->bare && memcmp(a->mask, b->mask, sizeof(a->mask)) == 0;
}

static bool rules_nothing_out(const struct masks_set *s)
{
	for (uint32_t t = 0; t < EV_TYPES; t++)
		if (memcmp(&s->mask[t], &ones, sizeof(ones)) != 0)
			return false;
	return true;
}

/* The number of a set like that; MASKS_ALL where there is no room for one more. @fork: SET_ITSELF or a set's number. */
#define SET_ITSELF UINT16_MAX
static uint32_t set_number(struct procmasks *p, struct masks_set *s, uint16_t fork)
{
	uint64_t hash;

	if (!s->bare && rules_nothing_out(s) && (fork == SET_ITSELF || fork == MASKS_ALL))
		return MASKS_ALL;
	s->fork = fork == SET_ITSELF ? 0 : fork;
	hash = set_hash(s) ^ fork;
	for (uint32_t i = MASKS_FIRST; i < p->n; i++) {
		struct masks_set *old = set_at(p, i);

		s->fork = fork == SET_ITSELF ? (uint16_t)i : fork;
		if (p->hash[i] == hash && set_same(old, s))
			return i;
	}
	if (p->n == MASKS_SETS)
		return MASKS_ALL;
	s->fork = fork == SET_ITSELF ? (uint16_t)p->n : fork;
	p->hash[p->n] = hash;
	set_write(p, p->n, s);
	return p->n++;
}

/* ---- what is known of a process ------------------------------------------------------------------------------------ */

/* What the table says of it is what it will say. */
static bool is_settled(const struct proc *p)
{
	return p && (p->v[SLOT_PROC_FILE_PATH].len || p->v[SLOT_PROC_IS_KWORKER].num || proctable_is_told(p));
}

/* All that come above a process whose parent is @p, down to the first one, are known for good. */
static bool lineage_settled(const struct proc *p)
{
	for (int i = 0; p && i < VAL_ANCESTORS_MAX; i++, p = p->parent) {
		if (!is_settled(p) || !proctable_is_placed(p))
			return false;
		if (!p->parent)
			return p->v[SLOT_PROC_PPID].num == 0;
	}
	return false;
}

static void set_fill(struct procmasks *p, const struct possible_view *own, const struct possible_view *exec,
		     struct masks_set *ret)
{
	*ret = (struct masks_set){ .bare = exec->bare };
	possible_masks(p->possible, own, exec, ret->mask);
	ret->mask[EV_FORK] = ones; /* is about the child */
}

/*
 * What is known of the image that a process will execute: who is above it, and the cgroup, in which that is, too. On hosts with version
 * 1 /proc is asked for it, which may be later than the exec.
 */
static struct possible_view exec_view(struct proc *image, const struct proc *parent, bool late)
{
	bool settled = is_settled(parent), cgroup = settled && !late && parent->v[SLOT_PROC_CGROUP_VERSION].num == 2;

	*image = (struct proc){ .parent = parent };
	if (settled) {
		image->v[SLOT_PROC_CGROUP_ID] = parent->v[SLOT_PROC_CGROUP_ID];
		image->v[SLOT_PROC_CONTAINER_ID] = parent->v[SLOT_PROC_CONTAINER_ID];
	}
	return (struct possible_view){ .proc = image,
				       .cgroup = cgroup,
				       .bare = cgroup && !parent->v[SLOT_PROC_CONTAINER_ID].len,
				       .parent = settled,
				       .ancestors = lineage_settled(parent),
				       .same_cgroup = !late };
}

/* What @proc forks: the same, below it. */
static uint32_t fork_set(struct procmasks *p, const struct proc *proc, bool late)
{
	struct proc child = *proc, image;
	struct possible_view own = { .proc = &child, .own = true, .parent = true, .ancestors = lineage_settled(proc) };
	struct possible_view exec = exec_view(&image, proc, late);
	struct masks_set s;

	child.parent = proc;
	child.version = 0; /* it is none that the table knows */
	set_fill(p, &own, &exec, &s);
	return set_number(p, &s, SET_ITSELF);
}

static uint32_t own_set(struct procmasks *p, const struct proc *proc, bool late)
{
	struct possible_view own = {
		.proc = proc,
		.own = true,
		.parent = is_settled(proc->parent) && proctable_is_placed(proc),
		.ancestors = lineage_settled(proc->parent) && proctable_is_placed(proc),
	};
	struct proc image;
	struct possible_view exec = exec_view(&image, proctable_exec_parent(proc), late);
	uint32_t fork = fork_set(p, proc, late);
	struct masks_set s;

	set_fill(p, &own, &exec, &s);
	return set_number(p, &s, (uint16_t)fork);
}

static uint32_t tail_of(const struct proc *p)
{
	struct val path = p->v[SLOT_PROC_FILE_PATH];

	/* conditions on the one path hold for the other, too */
	if (path.len < 2 || p->v[SLOT_PROC_FILE_LINK_PATH].len)
		return 0;
	return masks_tail((ev_u8)path.s[path.len - 2], (ev_u8)path.s[path.len - 1]);
}

/* ---- entries ------------------------------------------------------------------------------------------------------- */

static struct masks_entry *entry_of(const struct procmasks *p, uint64_t first)
{
	struct masks_entry *e = p->m->entry[masks_bucket(first)];

	for (int i = 0; i < MASKS_WAYS; i++)
		if (__atomic_load_n(&e[i].a, __ATOMIC_RELAXED) == first)
			return &e[i];
	return NULL;
}

/* The parents of images that are made are what they are; that some went away is all that can happen to them. */
static void watch_lineage(struct procmasks *p)
{
	uint64_t relinked = proctable_relinked(p->t);

	if (relinked != p->relinked)
		__atomic_add_fetch(&p->m->epoch, 1, __ATOMIC_SEQ_CST);
	p->relinked = relinked;
}

static uint32_t met_by(const struct procmasks *p, const struct proc *x)
{
	return kin_self(p->kin, x->v[SLOT_PROC_FILE_PATH], x->v[SLOT_PROC_FILE_LINK_PATH], x->v[SLOT_PROC_COMM]);
}

/* What an image and those above it meet, for what comes below it. */
static uint32_t kin_met(const struct procmasks *p, const struct proc *proc)
{
	uint32_t above = kin_above(p->kin), met;

	if (!is_settled(proc))
		return MASKS_KIN;
	met = met_by(p, proc);
	if (!lineage_settled(proc))
		return met | above;
	for (const struct proc *x = proc->parent; x; x = x->parent)
		met |= met_by(p, x) & above;
	return met;
}

/* What the kernel side knows, and this, are both so. If the entry has become another's meanwhile, it is not found there. */
static void kin_write(const struct procmasks *p, struct masks_entry *e, uint64_t first, const struct proc *proc)
{
	uint64_t third = masks_third(p->m, first), old = __atomic_load_n(&e->kin, __ATOMIC_RELAXED);
	uint32_t met = p->kin ? kin_met(p, proc) : MASKS_KIN;

	if ((old & MASKS_WHOSE) == third)
		met &= (uint32_t)old;
	if (met != MASKS_KIN)
		__atomic_compare_exchange_n(&e->kin, &old, third | met, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static void look_at(struct procmasks *p, const struct masks_who *who, const struct proc *proc)
{
	uint64_t first = masks_first(p->m, who, p->generation), b;
	struct masks_entry *e = entry_of(p, first);
	uint32_t set;

	if (!e)
		return;
	b = __atomic_load_n(&e->b, __ATOMIC_RELAXED);
	set = b & MASKS_SET;
	if ((set != MASKS_NONE && set != MASKS_FRESH && set != MASKS_BARE) || !proctable_is_image(proc, who->image))
		return;
	kin_write(p, e, first, proc);
	set = is_settled(proc) ? own_set(p, proc, b & MASKS_LATE) : MASKS_ALL;
	/* If it has become another's meanwhile, it stays what it is. */
	__atomic_compare_exchange_n(&e->b, &b,
				    (b & (MASKS_WHOSE | MASKS_LATE)) | set | (is_settled(proc) ? tail_of(proc) : 0),
				    false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

void procmasks_look(struct procmasks *p, const struct ev_head *h, const struct proc *proc)
{
	struct masks_who who = { .start_ns = h->start_ns, .pid = h->pid, .image = h->image };

	watch_lineage(p);
	if (!p->possible || !proc || h->policy != p->generation || !h->image || h->type == EV_EXIT)
		return;
	if (h->type == EV_FORK) { /* its head is the parent's */
		const struct masks_who child = { .start_ns = proc->start,
						 .pid = (uint32_t)proc->v[SLOT_PROC_PID].num,
						 .image = h->image };

		if (proc->parent && proc->parent->v[SLOT_PROC_PID].num == h->pid)
			look_at(p, &who, proc->parent);
		who = child;
	}
	look_at(p, &who, proc);
}

/* ---- beginning and end --------------------------------------------------------------------------------------------- */

int procmasks_policy(struct procmasks *p, uint32_t generation, struct engine *e, struct kin *kin)
{
	const struct possible_view nothing = { .proc = NULL }, in_none = { .bare = true },
				   fresh = { .same_cgroup = true }, bare = { .same_cgroup = true, .bare = true };
	struct masks_set s = { 0 };
	int r;

	possible_free(TAKE_PTR(p->possible));
	kin_free(p->kin);
	p->kin = kin;
	p->generation = generation;
	r = possible_new(e, &p->possible);
	if (r < 0)
		return r;
	p->n = MASKS_FIRST;
	set_fill(p, &nothing, &fresh, &s);
	s.fork = MASKS_FRESH;
	set_write(p, MASKS_FRESH, &s);
	set_fill(p, &in_none, &bare, &s);
	s.fork = MASKS_BARE;
	set_write(p, MASKS_BARE, &s);
	s.bare = 0;
	for (uint32_t t = 0; t < EV_TYPES; t++)
		s.mask[t] = ones;
	s.fork = MASKS_ALL;
	set_write(p, MASKS_ALL, &s);
	return 0;
}

int procmasks_new(struct masks *m, const struct proctable *t, struct procmasks **ret)
{
	struct procmasks *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->m = m;
	p->t = t;
	p->relinked = proctable_relinked(t);
	__atomic_add_fetch(&m->epoch, 1, __ATOMIC_SEQ_CST);
	*ret = p;
	return 0;
}

void procmasks_free(struct procmasks *p)
{
	if (!p)
		return;
	possible_free(p->possible);
	kin_free(p->kin);
	free(p);
}
