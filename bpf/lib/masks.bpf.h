/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The look-ups in the masks of processes, the same lines in the kernel, in the engine process and on the host. No helpers, nothing
 * that knows an event: whoever calls brings the pointers. Nothing is locked. An entry is two words that are written one behind
 * the other; both tell whose it is, so that halves of two entries are no third one.
 */
#ifndef TAMIS_BPF_MASKS_H
#define TAMIS_BPF_MASKS_H

#include "sieve.bpf.h"
#include "tamis/masks.h"

/* Who: with @image, which counts what it has executed. */
struct masks_who {
	ev_u64 start_ns;
	ev_u32 pid, image;
};

SV_INLINE ev_u64 masks_mix(ev_u64 x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdull;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ull;
	return x ^ x >> 33;
}

/* The first word: who, in what generation of the sieve, in this epoch. Never 0. */
SV_INLINE ev_u64 masks_first(const struct masks *m, const struct masks_who *who, ev_u32 generation)
{
	ev_u64 x = who->start_ns * m->seed[0] + ((ev_u64)who->pid << 32 | who->image);
	ev_u64 y = ((ev_u64)generation << 32 | (ev_u32) * (const volatile ev_u64 *)&m->epoch) * m->seed[1];

	return masks_mix(masks_mix(x) + y) | 1;
}

/* The high half of the second word: the same, and the cgroups. */
SV_INLINE ev_u64 masks_second(const struct masks *m, ev_u64 first, ev_u64 cgroups)
{
	return masks_mix(first * m->seed[2] + cgroups) & MASKS_WHOSE;
}

SV_INLINE ev_u64 masks_bucket(ev_u64 first)
{
	ev_u64 i = first >> 1;

	sv_hide(i);
	return i & (MASKS_BUCKETS - 1);
}

/* The entry of these words; its low half is in *ret. False: there is none. */
SV_INLINE int masks_find(const struct masks *m, ev_u64 first, ev_u64 second, ev_u32 *ret)
{
	const struct masks_entry *e = m->entry[masks_bucket(first)];

#pragma GCC unroll 4
	for (int i = 0; i < MASKS_WAYS; i++) {
		ev_u64 a = *(const volatile ev_u64 *)&e[i].a, b = *(const volatile ev_u64 *)&e[i].b;

		if (a == first && (b & MASKS_WHOSE) == second) {
			*ret = (ev_u32)b;
			return 1;
		}
	}
	return 0;
}

/* The high half of the third word. */
SV_INLINE ev_u64 masks_third(const struct masks *m, ev_u64 first)
{
	return masks_mix(first * m->seed[2] + ~0ull) & MASKS_WHOSE;
}

/* What is known of the image that @first names, and of those above it, as bits of struct sv_kin. */
SV_INLINE ev_u32 masks_kin(const struct masks *m, ev_u64 first)
{
	const struct masks_entry *e = m->entry[masks_bucket(first)];
	ev_u64 third = masks_third(m, first);

#pragma GCC unroll 4
	for (int i = 0; i < MASKS_WAYS; i++) {
		ev_u64 a = *(const volatile ev_u64 *)&e[i].a, kin = *(const volatile ev_u64 *)&e[i].kin;

		if (a == first && (kin & MASKS_WHOSE) == third)
			return (ev_u32)kin;
	}
	return MASKS_KIN;
}

/* Puts it where one of the same process is, or where there is room, or in place of any. @kin MASKS_KIN: what is known stays. */
SV_INLINE void masks_put(struct masks *m, ev_u64 first, ev_u64 second, ev_u32 low, ev_u32 kin)
{
	struct masks_entry *e = m->entry[masks_bucket(first)];
	ev_u64 at = second >> 32 & (MASKS_WAYS - 1);

#pragma GCC unroll 4
	for (int i = MASKS_WAYS - 1; i >= 0; i--)
		if (!e[i].a)
			at = (ev_u64)i;
#pragma GCC unroll 4
	for (int i = 0; i < MASKS_WAYS; i++)
		if (e[i].a == first)
			at = (ev_u64)i;
	sv_hide(at);
	at &= MASKS_WAYS - 1;
	if (e[at].a != first)
		*(volatile ev_u64 *)&e[at].kin = MASKS_KIN;
	*(volatile ev_u64 *)&e[at].a = first;
	*(volatile ev_u64 *)&e[at].b = second | low;
	if (kin != MASKS_KIN)
		*(volatile ev_u64 *)&e[at].kin = masks_third(m, first) | kin;
}

/* The set of that number, if it is of @generation; NULL: everything can be true. */
SV_INLINE const struct masks_set *masks_set_of(const struct masks *m, ev_u32 low, ev_u32 generation)
{
	ev_u64 i = low & MASKS_SET, half = generation & 1;
	const struct masks_set *s;

	if (i == MASKS_NONE || i >= MASKS_SETS)
		return 0;
	sv_hide(i);
	sv_hide(half);
	s = &m->set[half & 1][i & (MASKS_SETS - 1)];
	return *(const volatile ev_u32 *)&s->generation == generation ? s : 0;
}

/* Strikes from @alive what the set of @low says can not be true of events of @type. */
SV_INLINE void masks_strike(const struct masks *m, ev_u32 low, ev_u32 generation, ev_u64 type, struct sv_mask *alive)
{
	const struct masks_set *s = masks_set_of(m, low, generation);
	struct sv_mask was;

	if (!s || type >= EV_TYPES)
		return;
	sv_hide(type);
	if (type >= EV_TYPES)
		return;
	sv_mask_copy(&was, alive);
	sv_mask_and(alive, &s->mask[type]);
	/* It may have been written anew meanwhile. */
	if (*(const volatile ev_u32 *)&s->generation != generation)
		sv_mask_copy(alive, &was);
}

/* What an image begins with that is executed by one of @low, in the same cgroups. */
SV_INLINE ev_u32 masks_fresh(const struct masks *m, ev_u32 low, ev_u32 generation)
{
	const struct masks_set *s = masks_set_of(m, low, generation);
	ev_u16 bare = s ? s->bare : 0;

	return s && bare && *(const volatile ev_u32 *)&s->generation == generation ? MASKS_BARE : MASKS_FRESH;
}

/* What a process has that one of @low forks: the same as its own, but for the set. */
SV_INLINE ev_u32 masks_forked(const struct masks *m, ev_u32 low, ev_u32 generation)
{
	const struct masks_set *s = masks_set_of(m, low, generation);
	ev_u32 fork = s ? s->fork : MASKS_NONE;

	if (s && *(const volatile ev_u32 *)&s->generation != generation)
		fork = MASKS_NONE;
	return (low & ~MASKS_SET) | (fork & MASKS_SET);
}

/*
 * The last two bytes of a path, as they are kept; 0 where they tell nothing: of what ends with a slash or a dot user space may
 * make another path.
 */
SV_INLINE ev_u32 masks_tail(ev_u8 last_but_one, ev_u8 last)
{
	return last == '/' || last == '.' || !last || !last_but_one ? 0
								    : (ev_u32)last << 24 | (ev_u32)last_but_one << 16;
}

#endif
