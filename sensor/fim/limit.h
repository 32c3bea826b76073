/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_LIMIT_H
#define TAMIS_SENSOR_FIM_LIMIT_H

/* How gently a scan treats the machine: bytes a second for all of its threads together, and idle priority. */

#include <pthread.h>
#include <stdint.h>

struct limit {
	pthread_mutex_t lock;
	uint64_t rate;	  /* bytes a second */
	uint64_t next_ns; /* when the bytes that were taken so far are paid for */
};

void limit_init(struct limit *l, uint64_t bytes_per_second);
/* Waits until n more bytes are within the rate. NULL: does nothing. */
void limit_take(struct limit *l, uint64_t n);

/* The calling thread, and those that it starts, get the CPU and the disk when nobody else wants them. As far as the kernel allows. */
void limit_idle(void);

#endif
