/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/ingest/shed.h"

#include <string.h>

static unsigned int level_of(const struct program *p, const struct prule *r)
{
	/* none, info, low, medium, high, critical */
	static const uint8_t levels[] = { SHED_MEDIUM, SHED_INFO, SHED_LOW, SHED_MEDIUM };

	return program_rule_urgent(p, r) ? SHED_NEVER : levels[r->severity];
}

void shed_init(struct shed *s, const struct program *p)
{
	memset(s, 0, sizeof(*s));
	for (uint32_t i = 0; i < p->nrules; i++) {
		const struct prule *r = &p->rules[i];
		unsigned int level = level_of(p, r);

		if (r->flags & PRULE_OFF || r->event >= EV_TYPES)
			continue;
		for (uint32_t k = 0; k < r->clause_count; k++) {
			unsigned int bit = p->clauses[r->clause_first + k].bit;

			for (unsigned int l = 0; l < level; l++)
				s->keep[l][r->event][bit / 64] |= UINT64_C(1) << (bit % 64);
		}
	}
}

static bool any(const uint64_t a[4], const uint64_t b[4])
{
	return (a[0] & b[0]) | (a[1] & b[1]) | (a[2] & b[2]) | (a[3] & b[3]);
}

unsigned int shed_level(const struct shed *s, const struct ev_head *h)
{
	unsigned int level = SHED_INFO;

	if (h->type >= EV_TYPES || EV_IS_LINEAGE(h->type) || h->flags & EV_F_CONTEXT)
		return SHED_NEVER;
	while (level < SHED_LEVELS && any(h->alive, s->keep[level][h->type]))
		level++;
	return level;
}

bool shed_at(unsigned int level, unsigned int fill)
{
	static const uint16_t at[] = { SHED_INFO_AT, SHED_LOW_AT, SHED_MEDIUM_AT };

	return level < SHED_LEVELS && fill >= at[level];
}

const char *shed_level_name(unsigned int level)
{
	static const char *const names[] = { "info", "low", "medium" };

	return level < SHED_LEVELS ? names[level] : "never";
}
