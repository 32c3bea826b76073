/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_FILTER_H
#define TAMIS_COMPILER_FILTER_H

/*
 * Whether a rule or macro is meant for this sensor at all: its agent_version (a range of versions) and its filters
 * (SECL over facts of the host). A policy is compiled on another machine than it runs on, so only what is the same on
 * every host of this sensor is decided here: os is "linux". The rest goes into a program of its own (lib/host.h), which is
 * asked where the policy is loaded.
 */

#include "policy-compiler/yaml.h"

/* The language level that agent_version is compared with: published rules for versions up to this one are for us. */
#define FILTER_AGENT_VERSION "7.80.0"

enum filter_result { FILTER_NO, FILTER_YES, FILTER_UNKNOWN };

/*
 * ">= 7.30, < 7.39", ">=7.65 <7.70", "~7.68", "^7.0 || 6.x". A missing part is 0 (or, behind = and !=, any); what
 * follows a "-" or "+" is not looked at. -EINVAL where it is no range. 1 or 0 otherwise.
 */
int filter_version(const char *range, const char *version);

/* One filter expression. Trees live in the arena. -EINVAL with a diagnostic, -ENOMEM, or enum filter_result. */
int filter_expression(struct arena *a, const struct text *text, struct diags *d);

/*
 * Both, either of which may be NULL, for a sensor of that version: enum filter_result, where UNKNOWN is for the host to
 * decide. -EINVAL with a diagnostic, -ENOMEM.
 */
int filter_check(struct arena *a, const char *version, const struct ynode *agent_version, const struct ynode *filters,
		 struct diags *d);
/* Of what the host cannot decide either, because it is not there any more: a macro, a watch, another copy of a rule. */
void filter_warn_unknown(const struct ynode *filters, const char *what, struct diags *d);
/* Whether it is a version at all. */
bool filter_is_version(const char *version);

#endif
