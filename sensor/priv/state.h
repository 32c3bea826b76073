/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory that everything is kept in:
 *
 *	STATE/		0711 root
 *	  lock		held while a sensor runs: one sensor a directory
 *	  ctl.sock	0600, tamisctl's way in
 *	  canary/	0700, the canary's (canary.h), empty but while it acts
 *	  log/		0750, owned by record's user, which alone writes there; its group reads (the spool)
 *	  keys/		0700, record's
 *	  captures/	0700, record's: captures that rules asked for
 *	  spool/	0700, owned by the spool's user: how far each sink is
 */
#ifndef TAMIS_PRIV_STATE_H
#define TAMIS_PRIV_STATE_H

#include "lib/err.h"
#include "sensor/priv/confine.h"

#define STATE_SOCKET "ctl.sock"

struct state {
	int dir_fd, lock_fd, log_fd, keys_fd, canary_fd, spool_fd, captures_fd; /* owned; -1 when not open */
};

/*
 * Makes what is missing, takes the lock, gives log, keys and captures to @owner. -EBUSY where another sensor has the lock, -EACCES
 * where others may write to the directory, or errno of what failed.
 */
int state_open(const char *path, const struct confine_user *owner, struct state *ret, struct err *e);
void state_close(struct state *s);

#endif
