/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bundle taken apart for the two who need it: the sieve for the kernel, the rule program, as a sealed memfd, for the
 * engine. Everything is checked here, before anything takes effect: signature, container, sieve, program.
 */
#ifndef TAMIS_PRIV_POLICY_FILE_H
#define TAMIS_PRIV_POLICY_FILE_H

#include <stdbool.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/hash.h"
#include "sensor/priv/kills.h"
#include "tamis/sieve.h"

struct sig_key;

#define POLICY_NAME_MAX 128

struct policy_file {
	char name[POLICY_NAME_MAX]; /* the file's */
	char sha256[HASH_HEX_SIZE]; /* of the bundle */
	uint32_t rules;
	uint32_t off;		    /* of them: not for this host, by their filters */
	uint32_t generation;	    /* the caller's */
	struct sieve *sieve;	    /* owned; policy_file_forget_sieve gives its memory back */
	int program_fd;		    /* owned; sealed memfd with the program's bytes */
	int kin_fd;		    /* owned; the like, with a part of the sieve: see kin.h */
	struct kills kills;	    /* owned */
	uint32_t denies, undecided; /* rules on which operations are refused; that cannot be, see denials.c */
	bool deny_event[EV_TYPES];  /* of which events */
	bool fetches;		    /* rules ask for what the hash process has to look up */
	int watches_fd;		    /* owned; the like, with the section of watches; -1: it has none */
	bool blind[EV_TYPES];	    /* the caller's: events that it has rules on and that cannot be seen here */
};

/* @file names it in messages. @trust NULL: signed by anybody or nobody. On error *ret is as policy_file_done leaves it. */
int policy_file_open(int fd, const char *file, struct sig_key *trust, struct policy_file *ret, struct err *e);
/*
 * The bundle @path, signed by the key in @trust or (@allow_unsigned, with a warning) by anybody. -EKEYREJECTED where neither
 * was asked for. *ret_key: the key, the caller's to free; NULL: any.
 */
int policy_file_find(const char *path, const char *trust, bool allow_unsigned, struct sig_key **ret_key,
		     struct policy_file *ret, struct err *e);
void policy_file_forget_sieve(struct policy_file *p);
void policy_file_done(struct policy_file *p);

#endif
