/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The spool: brings the log's records to sinks. A tree of processes of one user without capabilities, apart from those that
 * the monitor forks, because what the monitor forks has the monitor's list of system calls, and could not open a socket:
 *
 *	reserve	root, and does nothing: forks a keeper when the monitor asks for one, at the start and when all below were killed
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
#include "sensor/spool/news.h"
#include "sensor/spool/page.h"

struct spool_args {
	const struct sink_confs *confs;
	struct spool_page *page;
	const struct news *news;    /* of the log */
	const char *host, *modules; /* the directory of tamis-sink-*.so */
	int monitor_fd;		    /* closed by the monitor: the end; the reserve has one for each keeper */
	int log_fd, spool_fd, null_fd;
	enum confine_mode mode;
};

/*
 * What the reserve's process is from its fork on; it ends when the other end of @fd is closed. It must have been forked before the
 * monitor is confined.
 */
void spool_reserve(struct spool_args *a, int fd) __attribute__((noreturn));
/* Asks the reserve at @to for a keeper whose monitor_fd is @fd. -1: it is not there. */
int spool_give(int to, int fd);

#endif
