/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sealer: a process that holds a module of include/tamis/seal.h, for the record process, whose system calls are too few for any
 * device's library, and which is forked anew from the confined monitor when it dies. It is forked before the monitor is confined, and
 * has no capability, no file and nobody to speak to but who asks it to seal and to open.
 */
#ifndef TAMIS_PRIV_SEALER_H
#define TAMIS_PRIV_SEALER_H

#include "lib/err.h"
#include "sensor/priv/confine.h"
#include "sensor/record/epoch.h"

struct sealer {
	pid_t pid;
	int fd; /* owned; -1: there is none. For the record process, too */
};

/*
 * Starts it with the module in @file for the device @where, and waits until that is open; -EIO with why it cannot be. It ends
 * when the last end of fd is closed.
 */
int sealer_begin(const char *file, const char *where, int null_fd, enum confine_mode mode, struct sealer *ret,
		 struct err *e);

/* The record process's side: *ret asks at the other end of *fd, which both have to stay. */
void sealer_for_epoch(const int *fd, struct epoch_seal *ret);

#endif
