/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/spool/page.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define READ_TRIES 1000

struct spool_page *page_map(const struct sink_confs *c)
{
	struct spool_page *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	p->nsinks = c->n;
	for (size_t i = 0; i < c->n; i++) {
		snprintf(p->sink[i].name, sizeof(p->sink[i].name), "%s", c->sink[i].name);
		snprintf(p->sink[i].type, sizeof(p->sink[i].type), "%s", c->sink[i].type->name);
	}
	return p;
}

void page_unmap(struct spool_page *p)
{
	if (p)
		munmap(p, sizeof(*p));
}

void page_protect(struct spool_page *p)
{
	if (p)
		mprotect(p, sizeof(*p), PROT_READ);
}

void page_put(struct page_slot *s, const struct sink_counts *c)
{
	uint64_t next = s->commits + 1;

	s->slot[next & 1] = *c;
	__atomic_store_n(&s->commits, next, __ATOMIC_RELEASE);
}

void page_get(const struct page_slot *s, struct sink_counts *ret)
{
	uint64_t before, after;
	int tries = 0;

	do {
		before = __atomic_load_n(&s->commits, __ATOMIC_ACQUIRE);
		*ret = s->slot[before & 1];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		after = __atomic_load_n(&s->commits, __ATOMIC_RELAXED);
	} while (before != after && ++tries < READ_TRIES);
	ret->error[PAGE_TEXT - 1] = '\0';
}

void page_text(const char from[PAGE_TEXT], char ret[PAGE_TEXT])
{
	memcpy(ret, from, PAGE_TEXT);
	ret[PAGE_TEXT - 1] = '\0';
}

const char *page_state_name(uint64_t state)
{
	static const char *const names[SINK_STATES] = { "starting", "up", "retrying", "stopped" };

	return state < SINK_STATES ? names[state] : "unknown";
}

uint64_t page_hold(const struct spool_page *p, const char **ret_name)
{
	uint64_t least = UINT64_MAX;

	*ret_name = "";
	for (uint64_t i = 0; p && i < p->nsinks && i < SINKS_MAX; i++) {
		uint64_t hold = page_load(&p->sink[i].hold);

		if (hold < least) {
			least = hold;
			*ret_name = p->sink[i].name;
		}
	}
	return least;
}
