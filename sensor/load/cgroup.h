/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root of the cgroups, where programs see the packets of every socket. Opened once, while we still may; a link that is made
 * on it ends with us. Links leave the programs of others as they are, before ours and behind them.
 */
#ifndef TAMIS_LOAD_CGROUP_H
#define TAMIS_LOAD_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

/* A descriptor of its directory; owned by the caller. A negative errno, and @ret_why, where there is none to be had. */
int cgroup_root(char *ret_why, size_t size);

/* Does a link at the root of the cgroups work, and may we load the programs? 0, or a negative errno and @ret_why. */
int cgroup_try(int root, char *ret_why, size_t size);

/* Is the program of this link still there? The kernel lets root detach links at cgroups, which other links do not allow. */
bool cgroup_linked(int link);

#endif
