/* SPDX-License-Identifier: Apache-2.0 */
/* A progress bar on stderr for a scan, in a thread of its own; nothing at all where stderr is no terminal. */
#ifndef TAMIS_CTL_PROGRESS_H
#define TAMIS_CTL_PROGRESS_H

#include <pthread.h>

#include "sensor/fim/scan.h"

struct progress {
	struct scan_progress scan; /* for scan_options */
	/* own */
	atomic_bool end;
	bool running;
	pthread_t thread;
};

void progress_begin(struct progress *p);
/* Clears its line. */
void progress_end(struct progress *p);

/* The bar's line, at most size bytes; total 0: not known. For tests. */
void progress_line(char *buf, size_t size, uint64_t files, uint64_t bytes, uint64_t total, double seconds, int columns);

#endif
