/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Open files that have been written, by the address of their struct file: the same lines in the kernel and on the host. See
 * docs/decisions/0017-first-write-of-an-open.md.
 *
 * Nothing is locked. An entry's words can be those of two that were written at once; each tells whose it is by a number that is
 * made of all that it stands for, and of secrets. What does not fit together is no entry, and then a write is told that may have been
 * told before.
 */
#ifndef TAMIS_BPF_WRITTEN_H
#define TAMIS_BPF_WRITTEN_H

#include "masks.bpf.h"

#define WRITTEN_SETS 1024
#define WRITTEN_WAYS 8

struct written_entry {
	ev_u64 id;     /* no other open of the file has it */
	ev_u64 open;   /* which file that is, under which policy */
	ev_u64 writer; /* who wrote to it last */
};
struct written_set {
	ev_u64 file[WRITTEN_WAYS]; /* struct file; 0: none */
	struct written_entry entry[WRITTEN_WAYS];
};
struct written {
	struct written_set set[WRITTEN_SETS];
};

/* A write. */
struct written_now {
	ev_u64 file, inode, ino;
	ev_u64 who; /* a process, and which of the programs that it has executed */
	ev_u64 generation;
};

/* One of several that write to an open file. */
struct written_by {
	ev_u64 file, id, writer;
};

/* Where several have written to one open file, all of them are remembered here, by whoever includes this. */
SV_INLINE int written_others_has(const struct written_by *by);
SV_INLINE void written_others_put(const struct written_by *by);

#define WRITTEN_READ(P)	  (*(const volatile ev_u64 *)&(P))
#define WRITTEN_SET(P, V) (*(volatile ev_u64 *)&(P) = (V))

SV_INLINE struct written_set *written_set(struct written *w, ev_u64 file, ev_u64 seed)
{
	ev_u64 i = file * seed >> 40;

	sv_hide(i);
	return &w->set[i & (WRITTEN_SETS - 1)];
}

/* Where @file is, or WRITTEN_WAYS. */
SV_INLINE ev_u64 written_way(const struct written_set *set, ev_u64 file)
{
	ev_u64 at = WRITTEN_WAYS;

#pragma GCC unroll 8
	for (ev_u64 i = 0; i < WRITTEN_WAYS; i++)
		if (WRITTEN_READ(set->file[i]) == file)
			at = i;
	return at;
}

SV_INLINE struct written_entry *written_entry(struct written_set *set, ev_u64 way)
{
	sv_hide(way);
	return &set->entry[way & (WRITTEN_WAYS - 1)];
}

SV_INLINE ev_u64 written_open(const struct written_now *now, ev_u64 id, const volatile ev_u64 *seed)
{
	ev_u64 x = masks_mix(now->file * seed[0] + now->inode);

	x = masks_mix(x * seed[1] + now->ino);
	return masks_mix(masks_mix(x * seed[2] + now->generation) * seed[3] + id);
}

SV_INLINE ev_u64 written_writer(const struct written_now *now, ev_u64 open, const volatile ev_u64 *seed)
{
	return masks_mix(open * seed[1] + now->who);
}

/*
 * Is the write @now nothing new? Else *ret_e is the entry of the file, where it is known that somebody else has written to it, and
 * *ret_by who writes now; NULL where nothing is known.
 */
SV_INLINE int written_seen(struct written *w, const struct written_now *now, const volatile ev_u64 *seed,
			   struct written_by *ret_by, struct written_entry **ret_e)
{
	struct written_set *set = written_set(w, now->file, seed[0]);
	ev_u64 way = written_way(set, now->file), open;
	struct written_entry *e = written_entry(set, way);

	*ret_e = 0;
	if (way == WRITTEN_WAYS)
		return 0;
	ret_by->file = now->file;
	ret_by->id = WRITTEN_READ(e->id);
	open = written_open(now, ret_by->id, seed);
	if (WRITTEN_READ(e->open) != open)
		return 0;
	ret_by->writer = written_writer(now, open, seed);
	if (WRITTEN_READ(e->writer) == ret_by->writer)
		return 1;
	*ret_e = e;
	if (!written_others_has(ret_by))
		return 0;
	WRITTEN_SET(e->writer, ret_by->writer);
	return 1;
}

/* The first write to a file of which nothing is known, at @id, which no other open of it has. */
SV_INLINE void written_first(struct written *w, const struct written_now *now, const volatile ev_u64 *seed, ev_u64 id)
{
	struct written_set *set = written_set(w, now->file, seed[0]);
	ev_u64 way = written_way(set, now->file), open = written_open(now, id, seed);
	struct written_entry *e;

	if (way == WRITTEN_WAYS)
		way = written_way(set, 0);
	if (way == WRITTEN_WAYS)
		way = id;
	e = written_entry(set, way);
	sv_hide(way);
	WRITTEN_SET(set->file[way & (WRITTEN_WAYS - 1)], now->file);
	WRITTEN_SET(e->id, id);
	WRITTEN_SET(e->open, open);
	WRITTEN_SET(e->writer, written_writer(now, open, seed));
}

/*
 * Another one, @by, writes to the file of @e. Until there is a second, only the entry tells who has written: so he who did last is
 * remembered, too.
 */
SV_INLINE void written_another(struct written_entry *e, const struct written_by *by)
{
	struct written_by last = { by->file, by->id, WRITTEN_READ(e->writer) };

	written_others_put(&last);
	written_others_put(by);
	WRITTEN_SET(e->writer, by->writer);
}

/* The address will be another's, or is. What was known goes with it: for a moment the next one has the address, and no more yet. */
SV_INLINE void written_forget(struct written *w, ev_u64 file, ev_u64 seed)
{
	struct written_set *set = written_set(w, file, seed);

#pragma GCC unroll 8
	for (ev_u64 i = 0; i < WRITTEN_WAYS; i++) {
		if (WRITTEN_READ(set->file[i]) != file)
			continue;
		WRITTEN_SET(set->entry[i].open, 0);
		WRITTEN_SET(set->file[i], 0);
	}
}

#endif
