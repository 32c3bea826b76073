/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The look-ups in what was learned of files, the same lines in the kernel, in the engine process and on the host. Nothing is locked:
 * an answer whose parts are not of one is none, as its check says.
 */
#ifndef TAMIS_BPF_LEARNED_H
#define TAMIS_BPF_LEARNED_H

#include "masks.bpf.h"
#include "tamis/learned.h"

/* A file as it is, by the way that it is come to. */
struct learned_file {
	ev_u64 inode, ctime, mount;
	ev_u32 device, inode_generation;
};

/* Never 0. */
SV_INLINE ev_u64 learned_key(const struct learned *l, const struct learned_file *f, ev_u32 generation)
{
	ev_u64 x = masks_mix(f->inode * l->seed[0] + f->ctime);

	x = masks_mix(x * l->seed[1] + ((ev_u64)f->device << 32 | f->inode_generation));
	return masks_mix(x * l->seed[0] + (f->mount << 32 | generation)) | 1;
}

/* The set is found by what records tell. */
SV_INLINE ev_u64 learned_set(const struct learned *l, ev_u64 inode, ev_u64 ctime)
{
	ev_u64 i = masks_mix((inode + ctime) * l->seed[1]) >> 20;

	sv_hide(i);
	return i & (LEARNED_SETS - 1);
}

SV_INLINE ev_u64 learned_check(const struct learned *l, ev_u64 key, ev_u64 until, const struct sv_mask *out)
{
	ev_u64 x = masks_mix(key * l->seed[0] + until);

	x = masks_mix(x + out->w[0]) * l->seed[1];
	x = masks_mix(x + out->w[1]) * l->seed[0];
	x = masks_mix(x + out->w[2]) * l->seed[1];
	return masks_mix(x + out->w[3]);
}

/* Which event asks: nobody answers for another one, nor by another key. */
SV_INLINE ev_u64 learned_asks(const struct learned *l, ev_u64 key, const struct ev_head *h, ev_u64 inode, ev_u64 ctime)
{
	ev_u64 x = masks_mix(key * l->seed[1] + h->boot_ns);

	x = masks_mix(x * l->seed[0] + ((ev_u64)h->tid << 32 | h->policy));
	return masks_mix(masks_mix(x * l->seed[1] + inode) * l->seed[0] + ctime);
}

/*
 * Strikes from @alive what is known of the file of @key. Whether to ask, which is where nothing is, and nobody has asked a moment ago.
 */
SV_INLINE int learned_strike(const struct learned *l, const struct learned_file *f, ev_u64 key, ev_u64 now,
			     struct sv_mask *alive)
{
	const struct learned_entry *e = l->entry[learned_set(l, f->inode, f->ctime)];

#pragma GCC unroll 4
	for (int k = 0; k < LEARNED_WAYS; k++) {
		ev_u64 until = *(const volatile ev_u64 *)&e[k].until, check = *(const volatile ev_u64 *)&e[k].check;
		struct sv_mask out;

		if (*(const volatile ev_u64 *)&e[k].key != key)
			continue;
		if (now >= until)
			return now - e[k].asked >= LEARNED_ASK_NS;
		sv_mask_copy(&out, &e[k].out);
		if (learned_check(l, key, until, &out) == check)
			sv_mask_and_not(alive, &out);
		return 0;
	}
	return 1;
}

/* The event with the head @h, as it is sent, asks what there is to know of the file of @key. */
SV_INLINE void learned_ask(struct learned *l, ev_u64 inode, ev_u64 ctime, ev_u64 key, const struct ev_head *h)
{
	struct learned_entry *e = l->entry[learned_set(l, inode, ctime)];
	ev_u64 now = h->boot_ns, at = now >> 10 & (LEARNED_WAYS - 1);

#pragma GCC unroll 4
	for (int k = 0; k < LEARNED_WAYS; k++)
		if (now >= e[k].until && now - e[k].asked >= LEARNED_ASK_NS)
			at = (ev_u64)k;
#pragma GCC unroll 4
	for (int k = 0; k < LEARNED_WAYS; k++)
		if (*(const volatile ev_u64 *)&e[k].key == key)
			at = (ev_u64)k;
	sv_hide(at);
	at &= LEARNED_WAYS - 1;
	*(volatile ev_u64 *)&e[at].until = 0;
	*(volatile ev_u64 *)&e[at].key = key;
	*(volatile ev_u64 *)&e[at].asked = now;
	*(volatile ev_u64 *)&e[at].check = learned_asks(l, key, h, inode, ctime);
}

#endif
