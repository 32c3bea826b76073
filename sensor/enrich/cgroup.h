/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_CGROUP_H
#define TAMIS_ENRICH_CGROUP_H

/*
 * What a cgroup's path tells about the container. Works on text only; opens nothing.
 */

#include <stdbool.h>
#include <stddef.h>

/*
 * The container's id within a cgroup path (or the name of its last directory): 64 hexadecimal digits as docker, podman,
 * containerd and CRI-O use them, alone or as PREFIX-ID.scope; ECS's 32 digits, '-', number; garden's five groups. The
 * deepest match counts (a container within a container is the inner one). Returns false, and an empty string, where there
 * is none. *ret borrows from @path.
 */
bool cgroup_container_id(const char *path, size_t len, const char **ret, size_t *ret_len);

/*
 * Picks the path out of the text of /proc/PID/cgroup that says most: the one with a container id, else that of the default
 * hierarchy ("0::"), else that of the "name=systemd" or the first hierarchy. False when the text has none.
 */
bool cgroup_of_proc(const char *text, size_t len, const char **ret, size_t *ret_len);

#endif
