/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a system call has looked up. When a chdir, chroot, pivot_root, move_mount or mount_setattr was refused, there is nothing at its
 * end but the caller's strings, which another thread may have changed meanwhile. So what the kernel used is kept on the way, where
 * filename_lookup begins (the kernel's copy of the string) and ends (the path of what was found): see lookup.bpf.c.
 *
 * It lies where records wait for their result, in the same thread's place: a call has the one or the other.
 */
#ifndef TAMIS_BPF_LOOKUP_H
#define TAMIS_BPF_LOOKUP_H

#include "lib/path.bpf.h"

#define LOOKUP_OF(TYPE) (0x2000 | (TYPE)) /* a type that is no record's */
#define LOOKUPS		2		  /* of one call, at most */

/* How far the kernel came with it. */
enum { LOOKUP_ASKED = 1, LOOKUP_FOUND, LOOKUP_CUT /* found, and the path is not whole */ };

struct looked {
	u64 path; /* address of the struct path that gets what is found */
	u64 len;  /* of its path, in the text */
	u8 how;
	bool empty; /* an empty string: the descriptor itself */
	u8 pad[6];
};

struct lookup {
	u32 open;		   /* look-ups that have begun and not ended: one, and those that it needs itself */
	u32 now;		   /* which one that is */
	struct looked of[LOOKUPS]; /* in the order of the call's arguments */
	char text
		[LOOKUPS]
		[EV_PATH_MAX]; /* the string, then the path; of a call with one path the string stays, the path is next */
};
_Static_assert(sizeof(struct lookup) <= PENDING_MAX, "lies in a waiting record's place");

/* What the thread's call has looked up, or NULL. */
INLINE struct lookup *lookup_get(const u32 type)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct pending *p = bpf_map_lookup_elem(&pending, &tid);

	return p && p->type == LOOKUP_OF(type) ? (struct lookup *)p->raw : 0;
}

/* It has been used, or is not needed. */
INLINE void lookup_drop(const u32 type)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();

	if (lookup_get(type))
		bpf_map_delete_elem(&pending, &tid);
}

/* The sieve over path @w, which is what look-up @i has found; @text: where it lies. */
INLINE bool found_sieve(struct slot *s, const u32 w, const struct sieve *sv, const struct sv_event *e, const u32 type,
			const struct looked *at, const char *text, struct sv_mask *alive)
{
	const struct sv_automaton *a = &e->automata[w];
	u64 len = at->len;

	if (len > EV_PATH_MAX)
		len = EV_PATH_MAX;
	s->path_off[w] = 0;
	s->path_len[w] = len;
	bpf_probe_read_kernel(s->work[w], len, text);
	if (at->how == LOOKUP_CUT) {
		s->flags |= EV_F_TRUNCATED;
		return path_unasked(s, w);
	}
	return !a->used || path_run(s, w, type, sv, a, 0, 0, 0, alive);
}

/*
 * The sieve over path @w of a call, as it was looked up (number @i), or else as the caller gave it, @string from @dirfd. @text: where
 * what was found lies.
 */
INLINE bool lookup_sieve(struct slot *s, const u32 w, const struct sieve *sv, const struct sv_event *e, const u32 type,
			 const struct lookup *l, const u32 i, const u32 text, s32 dirfd, const void *string,
			 struct sv_mask *alive)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	bool asked = l && l->of[i].how;

	if (asked && l->of[i].how != LOOKUP_ASKED)
		return found_sieve(s, w, sv, e, type, &l->of[i], l->text[text], alive);
	return string_sieve(s, w, sv, e, type, task, dirfd, asked ? (const void *)as_number(l->text[i]) : string,
			    !asked, alive);
}

#endif
