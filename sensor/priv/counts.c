/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/counts.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#define READ_TRIES 1000

void *counts_map(unsigned long size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void counts_unmap(void *page, unsigned long size)
{
	if (page)
		munmap(page, size);
}

static void put(uint64_t *commits, void *slots, const void *c, size_t size)
{
	uint64_t next = *commits + 1;

	memcpy((char *)slots + (next & 1) * size, c, size);
	__atomic_store_n(commits, next, __ATOMIC_RELEASE);
}

static void get(const uint64_t *commits, const void *slots, void *ret, size_t size)
{
	uint64_t before, after;
	int tries = 0;

	do {
		before = __atomic_load_n(commits, __ATOMIC_ACQUIRE);
		memcpy(ret, (const char *)slots + (before & 1) * size, size);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		after = __atomic_load_n(commits, __ATOMIC_RELAXED);
	} while (before != after && ++tries < READ_TRIES);
}

void engine_counts_put(struct engine_page *p, const struct engine_counts *c)
{
	put(&p->commits, p->slot, c, sizeof(*c));
}

void record_counts_put(struct record_page *p, const struct record_counts *c)
{
	put(&p->commits, p->slot, c, sizeof(*c));
}

void engine_counts_get(const struct engine_page *p, struct engine_counts *ret)
{
	get(&p->commits, p->slot, ret, sizeof(*ret));
}

void record_counts_get(const struct record_page *p, struct record_counts *ret)
{
	get(&p->commits, p->slot, ret, sizeof(*ret));
}

uint64_t counts_commits(const uint64_t *commits)
{
	return __atomic_load_n(commits, __ATOMIC_RELAXED);
}

/* There is one writer. */
static void add_one(uint64_t *n)
{
	__atomic_store_n(n, *n + 1, __ATOMIC_RELAXED);
}

void engine_shed_add(struct engine_page *p, unsigned int type, unsigned int level)
{
	add_one(&p->shed[type][level]);
}

uint64_t engine_shed_get(const struct engine_page *p, unsigned int type, unsigned int level)
{
	return __atomic_load_n(&p->shed[type][level], __ATOMIC_RELAXED);
}

void engine_canary_add(struct engine_page *p, unsigned int type)
{
	add_one(&p->canary[type]);
}

uint64_t engine_canary_get(const struct engine_page *p, unsigned int type)
{
	return __atomic_load_n(&p->canary[type], __ATOMIC_RELAXED);
}
