/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SEVERITY_H
#define TAMIS_SEVERITY_H

#include <stdint.h>

/* How grave a rule or a change is, as programs, watches, alerts and the log's index number it. */
enum severity { SEVERITY_NONE, SEVERITY_INFO, SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_CRITICAL };

/* The words, the least grave first; NULL behind the last. */
extern const char *const severity_words[];
/* "" for what is none. */
const char *severity_name(unsigned int severity);
/* Case aside; 0 for no such name. */
uint16_t severity_of(const char *name);

#endif
