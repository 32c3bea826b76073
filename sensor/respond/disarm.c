/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/respond/disarm.h"

#include <stddef.h>

static bool recent(uint64_t ns, uint64_t now)
{
	return ns && now - ns < DISARM_PERIOD_NS;
}

/* Whether one more of another kind is one too many. */
static bool too_many(struct disarm_seen *seen, size_t n, uint64_t key, uint64_t now)
{
	struct disarm_seen *free = NULL;

	if (!key)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!recent(seen[i].ns, now)) {
			free = &seen[i];
		} else if (seen[i].key == key) {
			seen[i].ns = now;
			return false;
		}
	}
	if (!free)
		return true;
	*free = (struct disarm_seen){ key, now };
	return false;
}

static bool too_often(struct disarm *d, uint32_t most, uint64_t now)
{
	uint32_t n = most && most <= DISARM_KILLS_MAX ? most : DISARM_KILLS;
	bool often;

	if (d->at >= n)
		d->at = 0;
	often = recent(d->kills[d->at], now);
	d->kills[d->at++] = now;
	return often;
}

const char *disarm_hit(struct disarm *d, const struct disarm_hit *h)
{
	const char *why = NULL;

	if (d->off)
		return "it was switched off before";
	if (too_often(d, h->kills, h->now_ns))
		why = "it wants to kill more often than is allowed";
	else if (!h->any_executable && too_many(d->executables, DISARM_EXECUTABLES, h->executable, h->now_ns))
		why = "it hits too many different programs";
	else if (!h->any_container && too_many(d->containers, DISARM_CONTAINERS, h->container, h->now_ns))
		why = "it hits too many different containers";
	d->off = why != NULL;
	return why;
}
