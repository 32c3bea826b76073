/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_RECORD_EPOCH_H
#define TAMIS_SENSOR_RECORD_EPOCH_H

/*
 * The keys that the log is signed with: one an epoch. When an epoch is over its private key is gone, so whoever takes the
 * machine later can sign nothing of that time again. In the directory of the keys are
 *
 *	log.key.pem	private key of the present epoch
 *	log.pub.pem	public key of the first epoch: what an auditor keeps; never changed
 *	log.next.pem	private key of the epoch to come, from epoch_prepare to epoch_turn
 *	log.past.pem	public key of the epoch before: what the newest segment of the log is checked with after a crash
 *
 * An epoch ends in three steps. Any of them may fail or be the last before a crash, and is then done again:
 *
 *	epoch_prepare, the caller writes an `epoch` record with the next key and signs it by the present one, epoch_turn
 *
 * This module knows nothing of the log. Private keys leave memory with sig_key_free, which overwrites them.
 */

#include <stdbool.h>

#include "lib/sig.h"
#include "sensor/record/line.h"
#include "sensor/record/recio.h"

/*
 * What keeps a private key so that its file alone is worth nothing (a TPM). *ret_n bytes into ret, at most max. Negative errno with *e;
 * not -EBADMSG, which is for a file that is no key at all.
 */
struct epoch_seal {
	int (*seal)(const void *ctx, const uint8_t *in, size_t n, uint8_t *ret, size_t max, size_t *ret_n,
		    struct err *e);
	int (*unseal)(const void *ctx, const uint8_t *in, size_t n, uint8_t *ret, size_t max, size_t *ret_n,
		      struct err *e);
	const void *ctx;
};

struct epoch {
	char *dir;		       /* owned: the directory of the keys, as it was named */
	const struct recio *io;	       /* borrowed */
	const struct epoch_seal *seal; /* borrowed; NULL: keys lie in their files as they are */
	struct sig_key *key;	       /* owned: private, of the present epoch */
	struct sig_key *next;	       /* owned: private; NULL: none is prepared */
	struct sig_key *past;	       /* owned: public; NULL: this is the first epoch */
	bool unplaced;		       /* the present key's file still has the name of the next one */
};

/*
 * Reads the keys; makes the directory (0700) and the first pair where there is nothing at all. Where the present key was
 * overwritten but the next one not yet put in its place, that is done now.
 * With @seal (NULL: none) keys that are made are sealed; one that is not is used as it is, to the end of its epoch.
 * -EEXIST: half of a key pair is missing. -EBADMSG: a file is no key. -ENOKEY: it is sealed, and cannot be opened. On an error *ep is as after epoch_close.
 */
int epoch_open(struct epoch *ep, const char *keys_dir, const struct recio *io, const struct epoch_seal *seal,
	       struct err *e);
void epoch_close(struct epoch *ep);

/* Makes ep->next, on disk when this returns 0. 0 where it is there already. */
int epoch_prepare(struct epoch *ep, struct err *e);
/* Forgets ep->next, which no signed record names. */
void epoch_drop_next(struct epoch *ep);
/*
 * The present key becomes ep->past, without its private half: its file is overwritten, synced, and replaced by that of the
 * next key, which becomes the present one. Only after a record that names ep->next is signed and on disk. Where the old
 * file is overwritten but cannot be replaced that is no error: the keys have changed, and epoch_prepare and epoch_open
 * replace it.
 */
int epoch_turn(struct epoch *ep, struct err *e);

/* The key whose hash begins so: the present or the past one, or NULL. Borrowed. */
struct sig_key *epoch_find(const struct epoch *ep, const uint8_t key_hash[4]);

/*
 * The key that an `epoch` record names; *ret (freed before) is the caller's. -EBADMSG with what is wrong about it.
 */
int epoch_key_of(const struct line *l, struct sig_key **ret, struct err *e);

#endif
