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

/* What else the path tells. Strings are borrowed from @path, or constant; NULL where nothing is known. */
struct cgroup_facts {
	const char *
		runtime; /* of the container: docker, containerd, cri-o, podman, garden; "" where the path does not tell */
	const char *manager; /* that, or systemd of what is in a unit; "" */
	const char *unit;    /* of systemd, such as nginx.service: the first component that is no slice */
	size_t id_len, unit_len;
	const char *id; /* as of cgroup_container_id */
	char pod[37];	/* the uid of the Kubernetes pod, with dashes; of a static pod 32 digits; "" */
};
void cgroup_describe(const char *path, size_t len, struct cgroup_facts *ret);

/*
 * Picks the path out of the text of /proc/PID/cgroup that says most: the one with a container id, else that of the default
 * hierarchy ("0::"), else that of the "name=systemd" or the first hierarchy. False when the text has none. *ret_version: 2 for
 * the default hierarchy, else 1.
 */
bool cgroup_of_proc(const char *text, size_t len, const char **ret, size_t *ret_len, unsigned *ret_version);

#endif
