/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spool: brings the log's records to sinks. A tree of processes of one user without capabilities, apart from those that
 * the monitor forks, because what the monitor forks has the monitor's list of system calls, and could not open a socket:
 *
 *	keeper	starts the spool again when it dies; is started again by the spool when it dies itself
 *	spool	one child a sink; starts them again, and ends those that hang
 *	sink	one sink: reads the log, speaks to one collector (sink_proc.h)
 *
 * A process a sink and no thread: so a module that crashes, hangs in a name server or grows takes no other with it, and each has
 * its list of system calls.
 */
#ifndef TAMIS_PRIV_SPOOL_PROC_H
#define TAMIS_PRIV_SPOOL_PROC_H

#include "sensor/priv/confine.h"
#include "sensor/spool/page.h"

struct spool_args {
	const struct sink_confs *confs;
	struct spool_page *page;
	const char *host, *modules; /* the directory of tamis-sink-*.so */
	int monitor_fd;		    /* closed by the monitor: the end */
	int log_fd, spool_fd, null_fd;
	enum confine_mode mode;
};

/* What the keeper's process is from its fork on; never returns. It must have been forked before the monitor is confined. */
void spool_process(const struct spool_args *a) __attribute__((noreturn));

#endif
