/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the modules share. A module is one file (and this): it sees include/tamis/sink.h and nothing else of the tree.
 */
#ifndef TAMIS_SINKS_SINK_H
#define TAMIS_SINKS_SINK_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tamis/sink.h"

#define SINK_EXPORT __attribute__((visibility("default")))

static inline int __attribute__((format(printf, 3, 4))) fail(struct tamis_sink_error *e, int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return r;
}

static inline const char *setting(const struct tamis_sink_env *env, const char *name)
{
	return env->get(env, name);
}

static inline bool setting_is(const struct tamis_sink_env *env, const char *name, const char *value)
{
	return strcmp(setting(env, name), value) == 0;
}

/* A number, with K, M or G behind it; it was checked when the settings were read. */
static inline uint64_t setting_number(const struct tamis_sink_env *env, const char *name, uint64_t otherwise)
{
	const char *text = setting(env, name);
	char *end;
	uint64_t n = *text ? strtoull(text, &end, 10) : otherwise;

	if (*text && *end)
		n <<= *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
	return n;
}

static inline uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

#endif
