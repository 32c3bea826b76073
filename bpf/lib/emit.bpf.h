/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records: where they are made, their head, strings and numbers, and their way into the ring. */
#ifndef TAMIS_BPF_EMIT_H
#define TAMIS_BPF_EMIT_H

#include "lib/maps.bpf.h"
#include "lib/wake.bpf.h"

#define HEAD	      ((u32)sizeof(struct ev_head))
#define rec_head(r)   ((struct ev_head *)(r)->raw)
#define rec_num(r)    ((u64 *)((r)->raw + HEAD))
#define rec_str(r, n) ((struct ev_str *)((r)->raw + HEAD + (n)*8)) /* n: numbers of the record */

INLINE struct ev_stats *stats_of(const u32 type)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct ev_stats_cpu *s = bpf_map_lookup_elem(&stats, &cpu);

	return s ? &s->of[type & (EV_STATS - 1)] : 0;
}

#define stat_add(TYPE, FIELD)                                                                                          \
	do {                                                                                                           \
		struct ev_stats *st_ = stats_of(TYPE);                                                                 \
		if (st_)                                                                                               \
			st_->FIELD++;                                                                                  \
	} while (0)

/*
 * Process and thread, as bpf_get_current_pid_tgid() has them: for what programs of cgroups call, too, which on some
 * kernels have no such helper.
 */
INLINE u64 current_ids(void)
{
	struct task_struct *task;

	if (have_current_ids)
		return bpf_get_current_pid_tgid();
	task = (void *)bpf_get_current_task();
	return (u64)(u32)READ(task, tgid) << 32 | (u32)READ(task, pid);
}

/* Counts what was seen and dropped in one. */
INLINE void stat_pass(const u32 type)
{
	struct ev_stats *st = stats_of(type);

	if (st) {
		st->seen++;
		st->dropped++;
	}
}

/* ---- slots ----------------------------------------------------------------------------------------------------------
 */

/*
 * Takes a free slot of this CPU. Two programs interleaved on one CPU may both come to believe that a slot is theirs,
 * since 5.10 has no atomic exchange for BPF. Then the one that finishes second finds another owner, marks the slot
 * dirty, and whoever owns it drops its record: slot_ok() is asked before a record leaves, and the record is counted as
 * lost.
 */
INLINE struct slot *slot_try(u32 i, u64 me)
{
	struct slot *s = bpf_map_lookup_elem(&slots, &i);

	if (!s || *(volatile u64 *)&s->owner)
		return 0;
	*(volatile u64 *)&s->owner = me;
	if (*(volatile u64 *)&s->owner != me)
		return 0;
	*(volatile u64 *)&s->dirty = 0;
	s->flags = 0;
	s->unasked = 0;
	s->asks = 0;
	s->index = i;
	return s;
}

INLINE u64 slot_me(void)
{
	return (u64)(u32)current_ids() + 1;
}

INLINE struct slot *slot_claim(void)
{
	u64 me = slot_me();
	struct slot *s = slot_try(0, me);

	if (!s)
		s = slot_try(1, me);
	if (!s)
		s = slot_try(2, me);
	return s;
}

/* @me: what the slot was claimed with. */
INLINE bool slot_ok_as(struct slot *s, u64 me)
{
	return *(volatile u64 *)&s->owner == me && !*(volatile u64 *)&s->dirty;
}

INLINE bool slot_ok(struct slot *s)
{
	return slot_ok_as(s, slot_me());
}

INLINE void slot_release_as(struct slot *s, u64 me)
{
	if (*(volatile u64 *)&s->owner == me)
		*(volatile u64 *)&s->owner = 0;
	else
		*(volatile u64 *)&s->dirty = 1;
}

INLINE void slot_release(struct slot *s)
{
	slot_release_as(s, slot_me());
}

/* ---- records --------------------------------------------------------------------------------------------------------
 */

/* The sieve in force, or NULL (before the first policy). */
INLINE const struct sieve *sieve_get(void)
{
	u32 zero = 0;
	void *inner = bpf_map_lookup_elem(&sieve_now, &zero);

	return inner ? bpf_map_lookup_elem(inner, &zero) : 0;
}

/* Starts a record of @type with @nnum numbers and @nstr strings (constants), all zero. */
INLINE void rec_begin(struct rec *r, u16 type, const u32 nnum, const u32 nstr, u8 rung)
{
	struct ev_head *h = rec_head(r);

	__builtin_memset(r->raw, 0, HEAD + nnum * 8 + nstr * 8);
	r->type = type;
	r->used = HEAD + nnum * 8 + nstr * 8;
	h->type = type;
	h->nnum = nnum;
	h->nstr = nstr;
	h->rung = rung;
}

#define PF_IO_WORKER	   0x10
#define SYS_IO_URING_ENTER 426 /* the same number on every architecture */

/* The registers that @task entered the kernel with, by where they lie. */
INLINE struct pt_regs *task_regs_of(struct task_struct *task)
{
	return READ(task, stack) + stack_bytes - bpf_core_type_size(struct pt_regs);
}

/* The registers that the current thread entered the kernel with. */
INLINE struct pt_regs *task_regs(void)
{
	if (have_task_regs)
		return (void *)as_number((void *)bpf_task_pt_regs(bpf_get_current_task_btf()));
	return task_regs_of((void *)bpf_get_current_task());
}

/* The number of the system call that the current thread is in, in as few steps as can be had. */
INLINE u32 task_nr(void)
{
	if (have_task_regs)
		return sys_nr_btf((void *)bpf_task_pt_regs(bpf_get_current_task_btf()));
	return sys_nr(task_regs_of((void *)bpf_get_current_task()));
}

/* Whether the current thread is in a 32-bit system call. */
INLINE bool task_compat(void)
{
	return sys_compat((void *)bpf_get_current_task());
}

/*
 * Whether io_uring does what is being done: in one of its worker threads, or at once in io_uring_enter. For hooks in
 * functions that system calls and io_uring share.
 */
INLINE bool task_async(struct task_struct *task)
{
	return READ(task, flags) & PF_IO_WORKER || sys_nr(task_regs()) == SYS_IO_URING_ENTER;
}

#define CRED_OFF(FIELD) bpf_core_field_offset(((struct cred *)0)->FIELD)

/* Credentials but for uid and gid: in two reads, where the kernel has not shuffled its structure. */
INLINE void rec_cred(struct ev_head *h, const struct cred *cred)
{
	if (CRED_OFF(egid) == CRED_OFF(euid) + 4 && CRED_OFF(fsuid) == CRED_OFF(euid) + 8 &&
	    CRED_OFF(fsgid) == CRED_OFF(euid) + 12 && CRED_OFF(cap_effective) == CRED_OFF(cap_permitted) + 8) {
		bpf_probe_read_kernel(&h->euid, 16, (void *)cred + CRED_OFF(euid));
		bpf_probe_read_kernel(&h->cap_permitted, 16, (void *)cred + CRED_OFF(cap_permitted));
		return;
	}
	h->euid = READ(cred, euid.val);
	h->egid = READ(cred, egid.val);
	h->fsuid = READ(cred, fsuid.val);
	h->fsgid = READ(cred, fsgid.val);
	bpf_probe_read_kernel(&h->cap_permitted, 8, (void *)cred + CRED_OFF(cap_permitted));
	bpf_probe_read_kernel(&h->cap_effective, 8, (void *)cred + CRED_OFF(cap_effective));
}

/* Who has logged in, and became @task by whatever ways. */
INLINE u32 task_auid(struct task_struct *task)
{
	return have_loginuid ? READ(task, loginuid.val) : EV_AUID_UNSET;
}

/* Fills in who acts, and when. */
INLINE void rec_task(struct rec *r, struct task_struct *task)
{
	struct ev_head *h = rec_head(r);
	u64 ids = current_ids(), ugid = bpf_get_current_uid_gid();
	const struct cred *cred = READ(task, cred);

	h->boot_ns = bpf_ktime_get_boot_ns();
	h->pid = ids >> 32;
	h->tid = (u32)ids;
	h->uid = (u32)ugid;
	h->gid = ugid >> 32;
	h->auid = task_auid(task);
	rec_cred(h, cred);
	h->start_ns = READ(task, group_leader, start_boottime);
	h->image = READ(task, self_exec_id);
}

/* Appends @len bytes at @src (kernel memory) as string @str. */
INLINE void rec_put(struct slot *s, struct ev_str *str, const void *src, u64 len)
{
	struct rec *r = &s->rec;
	u64 at = r->used;

	sv_hide(len);
	if (len > EV_PATH_MAX) {
		len = EV_PATH_MAX;
		s->flags |= EV_F_TRUNCATED;
	}
	sv_hide(len);
	if (len > EV_PATH_MAX)
		return;
	/*
	 * Verifiers before 6.8 learn nothing of the copy of a number on the stack when they see it compared. So it is looked
	 * at last, and read once more after the call: then nobody wants it longer, and the compiler keeps it in a register.
	 */
	sv_hide(at);
	if (at > RAW_CAP) {
		s->flags |= EV_F_TRUNCATED;
		return;
	}
	if (bpf_probe_read_kernel(r->raw + at, len, src)) {
		s->flags |= EV_F_UNREADABLE;
		return;
	}
	str->off = r->used;
	str->len = len;
	r->used += len;
}

/* Appends the NUL-terminated string at @src, of at most @max - 1 (< EV_PATH_MAX) bytes; @user: it lies in user memory.
 */
INLINE void rec_puts(struct slot *s, struct ev_str *str, const void *src, const u32 max, bool user)
{
	struct rec *r = &s->rec;
	u64 at = r->used;
	long n;

	sv_hide(at); /* as in rec_put() */
	if (!src || at > RAW_CAP)
		return;
	n = user ? bpf_probe_read_user_str(r->raw + at, max, src) : bpf_probe_read_kernel_str(r->raw + at, max, src);
	if (n <= 0) {
		s->flags |= EV_F_UNREADABLE;
		return;
	}
	if (n == max)
		s->flags |= EV_F_TRUNCATED;
	str->off = r->used;
	str->len = n - 1;
	r->used += n - 1;
}

/*
 * Whether the place that is left in the ring of events, which holds @held bytes, is not for this one: the last quarter is
 * kept for what an urgent rule may want. So a flood that nobody minds does not push out the event that counts before the
 * engine, which sheds by severity itself, has had a turn.
 */
INLINE bool ring_kept(const struct ev_head *h, const u32 type, u64 held)
{
	const struct sieve *sv;

	if (held <= ring_bytes / 4 * 3)
		return false;
	sv = sieve_get();
	return sv && sv->generation == h->policy &&
	       !sv_mask_meets((const struct sv_mask *)h->alive, &sv->event[type].urgent);
}

/*
 * Whether it is soon enough that the reader takes the record of @h when it comes for another one, or by itself: of what is only there
 * to keep the process table, if nothing has to be looked up for it in /proc.
 */
INLINE bool can_wait(const struct ev_head *h, const u32 type)
{
	if (type == EV_EXEC && (!(h->flags & EV_F_SAME_CGROUPS) || h->flags & EV_F_ARGS_TRUNCATED))
		return false;
	return type == EV_ARGS || (type != EV_TASK && h->flags & EV_F_CONTEXT);
}

/* Hands @raw of @used bytes to the ring of @type (a constant); false when it is full. @max bytes are there (a constant). */
INLINE bool raw_send(u8 *raw, const u32 type, u64 used, const u64 max, u32 flags)
{
	struct ev_head *h = (void *)raw;
	u64 words = (used + 7) / 8, size, held;

	/*
	 * Compared before the last bits are known to be zero: of a number below 4247 without them the verifier of 6.18 thinks that
	 * it could be above 4240, finds no such number, and warns of itself ("REG INVARIANTS VIOLATION").
	 */
	sv_hide(words);
	if (words > max / 8)
		return false;
	size = words * 8;
	h->size = size;
	h->flags |= flags;
	/* a quarter of a ring is enough to wake the reader for */
	if (EV_IS_LINEAGE(type)) {
		held = bpf_ringbuf_query(&lineage, BPF_RB_AVAIL_DATA);
		if (can_wait(h, type) && held <= lineage_bytes / 4)
			return bpf_ringbuf_output(&lineage, raw, size, BPF_RB_NO_WAKEUP) == 0;
		return bpf_ringbuf_output(&lineage, raw, size, wake_flags(held > lineage_bytes / 4)) == 0;
	}
	held = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
	if (!(flags & EV_F_CONTEXT) && ring_kept(h, type, held))
		return false;
	return bpf_ringbuf_output(&events, raw, size, wake_flags(held > ring_bytes / 4)) == 0;
}

/* ---- the canary -----------------------------------------------------------------------------------------------------
 */

INLINE bool is_canary(void)
{
	return canary_pid && (u32)(current_ids() >> 32) == canary_pid;
}

/* A child of it, for what a process does to itself: exec and exit. */
INLINE bool is_canary_child(struct task_struct *task)
{
	return canary_pid && (u32)READ(task, real_parent, tgid) == canary_pid;
}

/*
 * The mark of an act: that the hook ran to its end is all there is to say. A function of its own, so that the head does not
 * lie on the stack of each program: of all stacks together there are 512 bytes.
 */
__noinline int canary_send(u32 type)
{
	struct ev_head h = { .type = type };
	bool sent;

	h.boot_ns = bpf_ktime_get_boot_ns();
	h.tid = (u32)current_ids();
	if (EV_IS_LINEAGE(type))
		sent = raw_send((u8 *)&h, EV_EXEC, sizeof(h), sizeof(h), EV_F_CONTEXT | EV_F_CANARY);
	else
		sent = raw_send((u8 *)&h, EV_OPEN, sizeof(h), sizeof(h), EV_F_CONTEXT | EV_F_CANARY);
	if (!sent)
		stat_add(type, lost_context);
	return 0;
}

/* ---- masks of processes ------------------------------------------------------------------------------------------ */

INLINE struct masks *masks_get(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&masks, &zero);
}

/* User space will not know of an exec or a fork: what masks were made from may not be what it knows. */
INLINE void masks_lost(const u32 type)
{
	struct masks *m = type == EV_EXEC || type == EV_FORK ? masks_get() : 0;

	if (m)
		__sync_fetch_and_add(&m->epoch, 1);
}

/* What cgroups a thread is in: of all hierarchies the address of what it shares with all others that are in the same ones. */
INLINE u64 cgroups_of(struct task_struct *task)
{
	struct css_set *set = READ(task, cgroups);

	return as_number(set) * 0x9e3779b97f4a7c15ull + (u64)READ(set, dfl_cgrp, kn, id);
}

struct masks_words {
	u64 first, second;
};

/* The words of the entry of @task with @image. */
INLINE struct masks_words masks_words(const struct masks *m, struct task_struct *task, u32 image, u32 generation)
{
	struct masks_who who = { READ(task, group_leader, start_boottime), READ(task, tgid), image };
	struct masks_words w = { masks_first(m, &who, generation), 0 };

	w.second = masks_second(m, w.first, cgroups_of(task));
	return w;
}

/* Whether the record's first string ends otherwise than @tail. */
INLINE bool other_tail(struct rec *r, u32 flags, u32 tail)
{
	struct ev_head *h = rec_head(r);
	u64 n = h->nnum, end, is;
	struct ev_str *str;

	if (!tail || flags & (EV_F_TRUNCATED | EV_F_UNREADABLE))
		return false;
	sv_hide(n);
	if (n > EV_NUM_MAX)
		return false;
	str = rec_str(r, n);
	end = (u64)str->off + str->len;
	sv_hide(end);
	if (str->len < 2 || end < HEAD || end > RAW_MAX)
		return false;
	is = masks_tail(r->raw[end - 2], r->raw[end - 1]);
	return is && is != tail;
}

/*
 * Strikes from the mask of the record in @slot what can not be true of the process that acts; 0 when nothing is left. A global
 * function, which the verifier looks at once a program.
 */
__noinline int rec_masks(u32 slot)
{
	struct slot *s = bpf_map_lookup_elem(&slots, &slot);
	const struct sieve *sv = sieve_get();
	struct masks *m = masks_get();
	struct masks_words w;
	struct sv_mask *alive;
	struct ev_head *h;
	u32 low = 0;
	u64 type;

	if (!s || !sv || !m)
		return 1;
	h = rec_head(&s->rec);
	alive = (struct sv_mask *)h->alive;
	type = h->type;
	sv_hide(type);
	if (!h->image || h->policy != sv->generation || type >= EV_TYPES)
		return 1;
	w = masks_words(m, (void *)bpf_get_current_task(), h->image, h->policy);
	if (!masks_find(m, w.first, w.second, &low)) {
		masks_put(m, w.first, w.second, MASKS_LATE, MASKS_KIN);
		return 1;
	}
	masks_strike(m, low, h->policy, type, alive);
	if (sv_mask_meets(alive, &sv->event[type].self) && other_tail(&s->rec, s->flags, low & MASKS_TAIL))
		sv_mask_and_not(alive, &sv->event[type].self);
	return !sv_mask_zero(alive);
}

static const u8 text_rows[EV_TYPES] = { SV_TEXT_ROWS };

/*
 * Strikes what string @row of the record of @size bytes (a constant) at @raw rules out, by automaton @a. One that is not there is empty for
 * rules, too; a long one rules out nothing.
 */
INLINE void text_strike(const struct sieve *sv, const struct sv_automaton *a, u8 *raw, const u64 size, u64 row,
			struct sv_mask *alive)
{
	u64 n = ((struct ev_head *)raw)->nnum, len, off;
	u8 text[SV_TEXT_MAX + 1] = {};
	struct ev_str *str;

	sv_hide(n);
	if (n > EV_NUM_MAX || row > 15)
		return;
	str = (struct ev_str *)(raw + HEAD + n * 8) + row;
	len = str->len;
	off = str->off;
	sv_hide(off);
	if (len > SV_TEXT_MAX || off > size - sizeof(text) ||
	    (len && bpf_probe_read_kernel(text, sizeof(text), raw + off)))
		return;
	sv_mask_and(alive, sv_final_mask(sv, a, sv_dfa_run_text(sv, a, text, len)));
}

/* Strings that rules seldom ask for are looked at where they are: in the record. False when nothing is left. */
INLINE bool raw_texts(u8 *raw, const u64 size, u32 flags)
{
	struct ev_head *h = (void *)raw;
	struct sv_mask *alive = (struct sv_mask *)h->alive;
	const struct sieve *sv = sieve_get();
	const struct sv_event *e;
	u64 type = h->type;

	sv_hide(type);
	if (!sv || sv->generation != h->policy || type >= EV_TYPES || type == EV_EXEC ||
	    flags & (EV_F_TRUNCATED | EV_F_UNREADABLE))
		return true;
	e = &sv->event[type];
	if (e->automata[SV_AUT_FSTYPE].used)
		text_strike(sv, &e->automata[SV_AUT_FSTYPE], raw, size, SV_FSTYPE_ROW, alive);
	if (e->automata[SV_AUT_TEXT].used)
		text_strike(sv, &e->automata[SV_AUT_TEXT], raw, size, text_rows[type], alive);
	return !sv_mask_zero(alive);
}

/*
 * Variables have the last word of all on a record that is about to be sent. False when nothing is left.
 *
 * A record was stamped when it was begun, long before the flags are read here; one that sets a variable is stamped anew behind the
 * setting of the flag. So of a record that found a flag not set the time is before that of any that sets the variable, on whatever
 * CPU and whoever was preempted where.
 */
INLINE bool head_vars(struct ev_head *h)
{
	struct sieve *sv = (struct sieve *)sieve_get();
	struct sv_mask *alive = (struct sv_mask *)h->alive;
	const struct sv_event *e;
	u64 type = h->type;

	sv_hide(type);
	if (!sv || sv->generation != h->policy || type >= EV_TYPES)
		return true;
	e = &sv->event[type];
	if (!e->nvars)
		return true;
	sv_vars_strike(sv, e, alive);
	if (sv_mask_zero(alive))
		return false;
	if (sv_vars_set(sv, e, alive))
		h->boot_ns = bpf_ktime_get_boot_ns();
	return true;
}

/* Both, of the record in @slot. A global function, which the verifier looks at once a program. */
__noinline int rec_last(u32 slot)
{
	struct slot *s = bpf_map_lookup_elem(&slots, &slot);

	return !s || (raw_texts(s->rec.raw, RAW_MAX, s->flags) && head_vars(rec_head(&s->rec)));
}

/* And of the one that waits for the return value of thread @tid. */
__noinline int half_last(u32 tid)
{
	struct pending *p = bpf_map_lookup_elem(&pending, &tid);
	struct ev_head *h;

	if (!p)
		return 1;
	h = (void *)p->raw;
	return raw_texts(p->raw, PENDING_MAX, h->flags) && head_vars(h);
}

/* ---- what is learned of files ------------------------------------------------------------------------------------ */

INLINE struct learned *learned_get(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&learned, &zero);
}

/* The open in @slot asks what there is to know of its file: last of all, for it is known by its time. A global function, again. */
__noinline int open_asks(u32 slot)
{
	struct slot *s = bpf_map_lookup_elem(&slots, &slot);
	struct learned *l = learned_get();
	u64 *num;

	if (!s || !l)
		return 0;
	num = rec_num(&s->rec);
	learned_ask(l, num[EVN_OPEN_FILE_INODE], num[EVN_OPEN_FILE_CTIME], s->asks, rec_head(&s->rec));
	return 0;
}

/*
 * Sends the record of @s, and counts it; whether it is sent. @alive false, or variables leave nothing: it goes out only to keep the
 * process table.
 */
INLINE bool rec_send_as(struct slot *s, u64 me, const u32 type, bool alive)
{
	bool ours = slot_ok_as(s, me), left = alive && (!ours || rec_last(s->index)), sent;
	struct ev_stats *st;

	if (alive && !left && !EV_IS_LINEAGE(type)) {
		stat_add(type, dropped);
		return false;
	}
	alive = left;
	if (type == EV_OPEN && ours && s->asks)
		open_asks(s->index);
	sent = ours && raw_send(s->rec.raw, type, s->rec.used, RAW_MAX, s->flags | (alive ? 0 : EV_F_CONTEXT));
	st = stats_of(type);
	if (!sent)
		masks_lost(type);
	if (!st)
		return sent;
	if (alive && sent)
		st->sent++;
	else if (alive)
		st->lost++;
	else if (sent)
		st->context++;
	else
		st->lost_context++;
	return sent;
}

INLINE bool rec_send(struct slot *s, const u32 type, bool alive)
{
	return rec_send_as(s, slot_me(), type, alive);
}

/*
 * Numbers decide after strings: fills in the policy and the mask. False when nothing is alive. @after (a constant): the acting
 * process's ids are not known, the head has those after the event.
 */
INLINE bool rec_sieve_nums(struct slot *s, const struct sieve *sv, const struct sv_event *e, struct sv_mask *alive,
			   const bool after)
{
	struct ev_head *h = rec_head(&s->rec);

	h->policy = sv->generation;
	if (after)
		s->flags |= EV_F_CREDS_AFTER;
	if (!(after ? sv_nums_but_ids(e, h, rec_num(&s->rec), alive) : sv_nums(e, h, rec_num(&s->rec), alive)))
		return false;
	sv_mask_copy((struct sv_mask *)h->alive, alive);
	return true;
}

/* And what is known of the process decides last. */
INLINE bool rec_sieve_ids(struct slot *s, const struct sieve *sv, const struct sv_event *e, struct sv_mask *alive,
			  const bool after)
{
	return rec_sieve_nums(s, sv, e, alive, after) && rec_masks(s->index);
}

INLINE bool rec_sieve(struct slot *s, const struct sieve *sv, const struct sv_event *e, struct sv_mask *alive)
{
	return rec_sieve_ids(s, sv, e, alive, false);
}

#endif
