/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_PRIV_CLOCK_H
#define TAMIS_PRIV_CLOCK_H

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC in ns: for deadlines, never for what is written down. */
static inline uint64_t clock_mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

#endif
