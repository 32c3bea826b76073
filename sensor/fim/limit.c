/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/limit.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS 1000000000ULL

/* linux/ioprio.h, which older headers lack */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE	   (3 << 13)

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

void limit_init(struct limit *l, uint64_t bytes_per_second)
{
	pthread_mutex_init(&l->lock, NULL);
	l->rate = bytes_per_second;
	l->next_ns = now_ns();
}

void limit_take(struct limit *l, uint64_t n)
{
	uint64_t now, until;
	struct timespec t;

	if (!l || !l->rate)
		return;
	pthread_mutex_lock(&l->lock);
	now = now_ns();
	if (l->next_ns < now)
		l->next_ns = now;
	until = l->next_ns;
	l->next_ns += (uint64_t)((double)n / (double)l->rate * (double)NS);
	pthread_mutex_unlock(&l->lock);
	if (until <= now)
		return;
	t = (struct timespec){ .tv_sec = (time_t)(until / NS), .tv_nsec = (long)(until % NS) };
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

void limit_idle(void)
{
	const struct sched_param none = { 0 };

	if (sched_setscheduler(0, SCHED_IDLE, &none) < 0)
		setpriority(PRIO_PROCESS, 0, 19);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
}
