/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_RESPOND_CAPLIMIT_H
#define TAMIS_RESPOND_CAPLIMIT_H

/*
 * Captures that rules ask for: what their files are called, and how many there may be. The engine process, which begins them,
 * and the record process, which writes them and does not trust it, go by the same.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPLIMIT_PERIOD_NS 60000000000ull
#define CAPLIMIT_RULE	   6  /* that one rule begins in the period */
#define CAPLIMIT_ALL	   20 /* that all begin */
#define CAPLIMIT_TAKEN	   40 /* that the record process takes: what no honest engine asks for */

#define CAPLIMIT_KEEP	   (64ull << 20) /* bytes of all files, unless the operator says otherwise */
#define CAPLIMIT_PARTS	   4		 /* one capture takes a quarter of them at most */
#define CAPLIMIT_SECONDS   600		 /* however often its end is put off */
#define CAPLIMIT_NAME_MAX  160
#define CAPLIMIT_NAME_RULE 96 /* bytes of the rule's id in a name */
#define CAPLIMIT_SUFFIX	   ".cap"

struct caprate {
	uint64_t since_ns; /* 0: none yet */
	uint32_t n;
};

/* One more, at @now_ns (ascending): whether it is among the @most that begin within CAPLIMIT_PERIOD_NS. */
bool caprate_take(struct caprate *r, uint32_t most, uint64_t now_ns);

/*
 * "20261122T034127Z-rule_id-17.cap". Whatever the rule is called: letters, digits, '_', '.' and '-' stay, anything else is '_', and
 * what is too long is cut. @ret has room for CAPLIMIT_NAME_MAX.
 */
void capname_put(char *ret, int64_t time_s, const char *rule, size_t len, uint64_t number);
/* Whether that could be such a name. */
bool capname_is(const char *name);

#endif
