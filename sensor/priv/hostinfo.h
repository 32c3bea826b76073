/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_PRIV_HOSTINFO_H
#define TAMIS_PRIV_HOSTINFO_H

/*
 * Which rules of a policy are for this host: asks the filters' program of a bundle (lib/host.h) about the host that we are on.
 * /etc/os-release, the kernel's release, the host's name and our own environment are what it knows of it.
 */

#include "lib/program.h"

/*
 * Evaluates the filters in @bytes and marks the rules of @p that are not for this host with PRULE_OFF. *ret_off: how many those
 * are. -EBADMSG with the reason in @e where the filters are malformed or a rule names one that is not there; then nothing is
 * marked. @rules are those of @p, in memory that can be written.
 */
int hostinfo_filter(const void *bytes, size_t size, const struct program *p, struct prule *rules, uint32_t *ret_off,
		    struct err *e);

#endif
