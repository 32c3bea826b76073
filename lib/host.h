/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_HOST_H
#define TAMIS_LIB_HOST_H

/*
 * What filters of rules can ask about a host. It has a catalog of its own with one event type, "host": the compiler turns
 * filters into a rule program over that catalog, and whoever loads a policy evaluates it once, on an event that holds the
 * facts of the host that it runs on. What the facts mean is the language's; docs/policies.md lists them.
 */

#include "lib/catalog.h"

#define HOST_EVENT 1 /* the event type of this catalog */

/* Slots of the event. In the order of the names: the catalog's fields are this list. */
enum host_fact {
	HOST_ENVS, /* several: NAME=value */
	HOST_NAME,
	HOST_CORE_ENABLED,
	HOST_KERNEL_ABI,
	HOST_KERNEL_FLAVOR,
	HOST_KERNEL_MAJOR,
	HOST_KERNEL_MINOR,
	HOST_KERNEL_PATCH,
	HOST_ORIGIN,
	HOST_OS,
	HOST_OS_ID,
	HOST_IS_AMAZON_LINUX,
	HOST_IS_COS,
	HOST_IS_DEBIAN,
	HOST_IS_ORACLE,
	HOST_IS_RHEL,
	HOST_IS_RHEL7,
	HOST_IS_RHEL8,
	HOST_IS_SLES,
	HOST_IS_SLES12,
	HOST_IS_SLES15,
	HOST_PLATFORM_ID,
	HOST_VERSION_ID,
	HOST_FACTS
};

/* Static, never freed. */
const struct catalog *host_catalog(void);

/*
 * Where facts come from: the texts that a system has for them. All are borrowed by what host_facts() makes; any may be NULL.
 */
struct host_source {
	const char *os_release;	    /* os-release(5) */
	const char *kernel_release; /* uname -r: "6.1.0-18-amd64" */
	const char *hostname;
	const char *const *environment; /* ends with NULL */
	bool core;			/* the kernel has type information (BTF) of its own */
};

#define HOST_ENVS_MAX 1024

struct host_facts {
	struct event event; /* of type HOST_EVENT; what the programs of filters are asked about */
	struct val envs[HOST_ENVS_MAX];
	char id[64], platform[64], version[64]; /* without the quotes of os-release */
};

/* What is not known is empty, 0 or false. */
void host_facts(const struct host_source *from, struct host_facts *ret);

#endif
