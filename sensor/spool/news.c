/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/spool/news.h"

#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct news {
	uint32_t number;
};

struct news *news_map(void)
{
	struct news *n = mmap(NULL, sizeof(*n), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return n == MAP_FAILED ? NULL : n;
}

void news_unmap(struct news *n)
{
	if (n)
		munmap(n, sizeof(*n));
}

void news_protect(struct news *n)
{
	if (n)
		mprotect(n, sizeof(*n), PROT_READ);
}

void news_tell(struct news *n)
{
	if (!n)
		return;
	__atomic_add_fetch(&n->number, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &n->number, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

uint32_t news_number(const struct news *n)
{
	return __atomic_load_n(&n->number, __ATOMIC_ACQUIRE);
}

void news_wait(const struct news *n, uint32_t seen, unsigned int ms)
{
	const struct timespec most = { ms / 1000, ms % 1000 * 1000000 };

	if (ms)
		syscall(SYS_futex, &n->number, FUTEX_WAIT, seen, &most, NULL, 0);
}
