/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --alerts: lines for somebody who reads along. A reader that stalls may hold things up for PRINTER_STALL_MS, no longer:
 * after that, whole lines are skipped and counted until it reads again. A line is never cut short.
 */
#ifndef TAMIS_PRIV_PRINTER_H
#define TAMIS_PRIV_PRINTER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"

#define PRINTER_STALL_MS 1000
#define PRINTER_HIGH	 (2u << 20) /* above this, take no more lines while the reader may still come */
#define PRINTER_MAX	 (16u << 20)

struct printer {
	int fd; /* borrowed; -1: nobody reads, everything is dropped uncounted */
	bool pipe, socket;
	bool stalled, gone;
	struct buf text;	   /* owned: lines not written yet */
	size_t off;		   /* of them already written */
	uint64_t since_ns;	   /* of the last progress, or of the first line in an empty printer */
	uint64_t printed, skipped; /* lines */
};

void printer_init(struct printer *p, int fd);
void printer_done(struct printer *p);

/* Takes @len bytes that are @lines whole lines; counts them as skipped where there is no place. */
void printer_put(struct printer *p, const void *text, size_t len, uint64_t lines, uint64_t now_ns);
/* Writes as much as goes without blocking. */
void printer_write(struct printer *p, uint64_t now_ns);

/* Should poll() wait for the descriptor to take more? */
bool printer_waits(const struct printer *p);
/* Should no more alerts be taken for the moment? */
bool printer_full(const struct printer *p);

#endif
