/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/severity.h"

#include <stddef.h>
#include <strings.h>

static const char *const names[] = { "", "info", "low", "medium", "high", "critical" };

#define COUNT (sizeof(names) / sizeof(names[0]))

const char *severity_name(unsigned int severity)
{
	return severity < COUNT ? names[severity] : "";
}

uint16_t severity_of(const char *name)
{
	for (uint16_t s = 1; s < COUNT; s++)
		if (strcasecmp(name, names[s]) == 0)
			return s;
	return 0;
}
