/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/severity.h"

#include <stddef.h>
#include <strings.h>

const char *const severity_words[] = { "info", "low", "medium", "high", "critical", NULL };

#define COUNT (sizeof(severity_words) / sizeof(severity_words[0]) - 1)

const char *severity_name(unsigned int severity)
{
	return severity && severity <= COUNT ? severity_words[severity - 1] : "";
}

uint16_t severity_of(const char *name)
{
	for (uint16_t s = 1; s <= COUNT; s++)
		if (strcasecmp(name, severity_words[s - 1]) == 0)
			return s;
	return 0;
}
