/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_LIVE_IMPL_H
#define TAMIS_SENSOR_FIM_LIVE_IMPL_H

/* What live*.c share. */

#include <pthread.h>
#include <stdatomic.h>

#include "sensor/fim/finding.h"
#include "sensor/fim/live.h"
#include "sensor/fim/pkg.h"

#define LIVE_BUCKETS	 65536u
#define LIVE_WHO_BUCKETS 4096u

/* The text of a process, kept once however many files it touched. */
struct live_who {
	struct live_who *next;
	uint64_t hash;
	uint32_t refs, len;
	char text[];
};

struct live_by {
	struct live_who *who; /* owned reference, or NULL: there was no room for its text */
	uint64_t time_ns, start;
	uint32_t pid, count;
	uint16_t event, flags;
};

struct live_entry {
	struct live_entry *next; /* of the bucket */
	uint64_t first_ns, due_ns;
	struct live_by *by; /* owned */
	uint64_t more;	    /* touches before those */
	uint32_t nby;
	uint32_t at;	       /* place in the heap + 1; 0: not queued */
	uint64_t mapped_ns;    /* since when @mapped may store into it by memory, which is no event */
	uint32_t mapped;       /* a process; 0: none is known of */
	uint64_t again_ns;     /* to be looked at then, once more */
	uint64_t touched_ns;   /* last */
	bool accept, accepted; /* waits to be accepted; was */
	bool tree;	       /* what is below is to be looked at, too */
	uint8_t told;	       /* the kind of the last alert; 0: none was made since it was as it should be */
	uint8_t *seen;	       /* owned: the fact of that alert */
	uint32_t seen_len;
	uint32_t len;
	char path[]; /* terminated */
};

/* A large file that is read by a thread (live_big.c): what lies between is the thread's until it is done. */
struct live_big {
	struct live_entry *n; /* whose result it is; NULL: nobody's any more */
	uint64_t start_ns;
	bool running;	  /* there is a thread to be joined */
	atomic_bool done; /* its last act */
	volatile sig_atomic_t stop;
	pthread_t thread;
	struct collect collect;
	struct collect_want want;
	struct collect_found found;
	struct fact old;
	int dir_fd, result; /* dir_fd is owned while it runs */
	char name[256];
};

struct live {
	struct baseline base;
	struct collect collect;
	struct live_big big;
	char host[128];
	uint64_t seed;
	struct live_entry *buckets[LIVE_BUCKETS];
	struct live_who *whos[LIVE_WHO_BUCKETS];
	struct live_entry **heap;   /* owned; by due_ns */
	struct live_entry *looking; /* it stays where it is */
	uint32_t nheap, cap, entries, hand;
	uint64_t who_bytes, ntold;
	char check_after[WATCH_PATH_MAX + 1]; /* live_take_check() has come so far */
	size_t check_after_len;
	struct live_inode *inodes; /* owned; ascending by number */
	uint32_t ninodes;
	struct buf inode_paths; /* terminated, one after the other */
	struct pkg *pkg;	/* owned; NULL: there is no database, or it was not asked yet */
	uint64_t pkg_stamp;
	struct live_accept *accepts; /* owned */
	uint32_t naccepts, accept_tries;
	uint64_t accept_first_ns, accept_due_ns;
	int lock_fd;		  /* of the baseline, as store.h has it */
	struct buf head;	  /* of the baseline, as it was seen last */
	struct live_known *known; /* owned; ascending by path; NULL: none, or the first scan was taken */
	uint32_t nknown;
	bool taken;			   /* what a scan found since the start is looked at, or waits to be */
	uint64_t told_changes, told_saved; /* how often what was told has changed; as of what is in the file */
	uint64_t saved_ns, inodes_ns;
	int told_fd;
	bool inodes_old; /* the baseline's files have others by now */
	struct buf old, fact, diff, text;
	struct live_stats stats;
};

/* live.c */
struct live_entry *live_find(struct live *l, const char *path, size_t len);
/* A file gets the touches of another one, which it was found by. 0, -ENOSPC, -ENOMEM. */
int live_touch_as(struct live *l, const char *path, size_t len, const struct live_entry *like, uint64_t now_ns);
/* What was told of it last; @kind 0: it is as it should be. Borrows nothing. */
int live_told(struct live *l, struct live_entry *n, uint8_t kind, const void *fact, size_t len);
/* It is to be looked at again. */
int live_again(struct live *l, struct live_entry *n, uint64_t due_ns);

/*
 * live_known.c: what was told of and still differs is kept in a file, sealed, so that whoever comes next does not tell it again. Each
 * 24 bytes: of the path, and of the state. Not in the database, which a scan may have locked for long.
 */
#define LIVE_TOLD_FILE "baseline.told"
struct live_known {
	uint8_t path[8], state[16]; /* of zeros: dropped */
};
int live_known_open(struct live *l, const char *state_dir, struct err *e);
void live_known_close(struct live *l);
/* Whether it was told before the start that the file is so. @f NULL: it is gone. */
bool live_known(const struct live *l, const struct live_entry *n, uint8_t kind, const struct fact *f, uint32_t attrs);
/* It was looked at since: from now on what counts is what was told of it last. */
void live_known_drop(struct live *l, const struct live_entry *n);

/* live_inode.c */
struct live_inode {
	uint64_t ino;
	uint32_t path; /* into inode_paths */
	uint32_t dev;  /* as the kernel has it; 0: not to be relied on */
};
int live_inodes_open(struct live *l, struct err *e);
void live_inodes_close(struct live *l);

/* live_accept.c */
struct pkg *live_packages(struct live *l);
/* Whether only package managers have touched it since it was as it should be. */
bool live_by_packages(const struct live_entry *n);
int live_accept_later(struct live *l, struct live_entry *n, const struct change *c, const void *text, size_t head,
		      size_t len, uint64_t now_ns);
uint64_t live_accept_due_ns(const struct live *l);
void live_accept_done(struct live *l);

/*
 * live_big.c: as collect_file(). -EINPROGRESS: the file is large, ask again soon; 1 for 0 where it was touched while it was read, so
 * that it has to be looked at once more.
 */
int live_read(struct live *l, struct live_entry *n, int dir_fd, const char *name, const struct collect_want *want,
	      uint64_t now_ns, struct collect_found *ret);
/* Nobody asks for this one any more. */
void live_read_forget(struct live *l, const struct live_entry *n);
void live_read_close(struct live *l);

/* live_look.c: 0, or negative errno with the file as unknown as before. */
int live_look(struct live *l, struct live_entry *n, uint64_t now_ns, uint64_t time_ns, live_fn fn, void *ctx);

#endif
