/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/host.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define FACT(NAME, TYPE, SLOT, FLAGS, DOC)                                                                             \
	{                                                                                                              \
		.name = NAME, .type = VAL_##TYPE, .flags = FLAGS, .home = CAT_HOME_EVENT, .kind = 'U',                 \
		.event = HOST_EVENT, .slot = HOST_##SLOT, .doc = DOC                                                   \
	}

/* Sorted by name, as the look-up in a catalog wants it. */
static const struct cat_field facts[HOST_FACTS] = {
	FACT("envs", STR, ENVS, CF_ARRAY, "Environment variables of the sensor, as NAME=value"),
	FACT("hostname", STR, NAME, 0, "Name of the host"),
	FACT("kernel.core.enabled", BOOL, CORE_ENABLED, 0, "The kernel describes its types (BTF)"),
	FACT("kernel.version.abi", INT, KERNEL_ABI, 0, "18 of 6.1.0-18-amd64"),
	FACT("kernel.version.flavor", STR, KERNEL_FLAVOR, 0, "amd64 of 6.1.0-18-amd64"),
	FACT("kernel.version.major", INT, KERNEL_MAJOR, 0, "6 of 6.1.0-18-amd64"),
	FACT("kernel.version.minor", INT, KERNEL_MINOR, 0, "1 of 6.1.0-18-amd64"),
	FACT("kernel.version.patch", INT, KERNEL_PATCH, 0, "0 of 6.1.0-18-amd64"),
	FACT("origin", STR, ORIGIN, 0, "How events are seen: ebpf"),
	FACT("os", STR, OS, 0, "linux"),
	FACT("os.id", STR, OS_ID, 0, "ID of os-release: debian"),
	FACT("os.is_amazon_linux", BOOL, IS_AMAZON_LINUX, 0, "os.id is amzn"),
	FACT("os.is_cos", BOOL, IS_COS, 0, "os.id is cos"),
	FACT("os.is_debian", BOOL, IS_DEBIAN, 0, "os.id is debian"),
	FACT("os.is_oracle", BOOL, IS_ORACLE, 0, "os.id is ol"),
	FACT("os.is_rhel", BOOL, IS_RHEL, 0, "os.id is rhel or centos"),
	FACT("os.is_rhel7", BOOL, IS_RHEL7, 0, "The same, and version 7"),
	FACT("os.is_rhel8", BOOL, IS_RHEL8, 0, "The same, and version 8"),
	FACT("os.is_sles", BOOL, IS_SLES, 0, "os.id is sles"),
	FACT("os.is_sles12", BOOL, IS_SLES12, 0, "The same, and version 12"),
	FACT("os.is_sles15", BOOL, IS_SLES15, 0, "The same, and version 15"),
	FACT("os.platform_id", STR, PLATFORM_ID, 0, "PLATFORM_ID of os-release: platform:el9"),
	FACT("os.version_id", STR, VERSION_ID, 0, "VERSION_ID of os-release: 12"),
};

static const struct cat_event events[] = {
	[HOST_EVENT] = { .name = "host", .doc = "The host that the policy is loaded on", .type = HOST_EVENT },
};

static const struct cat_constant constants[] = { { "false", 0, CG_NONE }, { "true", 1, CG_NONE } };

const struct catalog *host_catalog(void)
{
	static const struct catalog host = { .fields = facts,
					     .nfields = HOST_FACTS,
					     .events = events,
					     .nevents = sizeof(events) / sizeof(events[0]),
					     .constants = constants,
					     .nconstants = sizeof(constants) / sizeof(constants[0]) };

	return &host;
}

/* ---- facts --------------------------------------------------------------------------------------------------------- */

static void set_str(struct host_facts *f, enum host_fact slot, const char *s, size_t len)
{
	f->event.v[slot] = (struct val){ .s = s, .len = (uint32_t)len };
}

/* The value of KEY=value or KEY="value" in os-release's lines; what does not fit is cut. */
static void os_release(const char *text, const char *key, char *ret, size_t size)
{
	size_t len = strlen(key), n = 0;

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) != 0 || line[len] != '=')
			continue;
		for (const char *s = line + len + 1; *s && *s != '\n' && n + 1 < size; s++)
			if (*s != '"' && *s != '\'')
				ret[n++] = *s;
	}
	ret[n] = '\0';
}

/* "8" of "8.5" is version 8; "80" is not. */
static bool version_is(const struct host_facts *f, const char *major)
{
	size_t len = strlen(major);

	return strncmp(f->version, major, len) == 0 && !isdigit((unsigned char)f->version[len]);
}

static void set_os(struct host_facts *f)
{
	const struct {
		enum host_fact slot;
		const char *id, *also, *version;
	} kinds[] = {
		{ HOST_IS_AMAZON_LINUX, "amzn", NULL, NULL }, { HOST_IS_COS, "cos", NULL, NULL },
		{ HOST_IS_DEBIAN, "debian", NULL, NULL },     { HOST_IS_ORACLE, "ol", NULL, NULL },
		{ HOST_IS_RHEL, "rhel", "centos", NULL },     { HOST_IS_RHEL7, "rhel", "centos", "7" },
		{ HOST_IS_RHEL8, "rhel", "centos", "8" },     { HOST_IS_SLES, "sles", NULL, NULL },
		{ HOST_IS_SLES12, "sles", NULL, "12" },	      { HOST_IS_SLES15, "sles", NULL, "15" },
	};

	set_str(f, HOST_OS, "linux", 5);
	set_str(f, HOST_OS_ID, f->id, strlen(f->id));
	set_str(f, HOST_PLATFORM_ID, f->platform, strlen(f->platform));
	set_str(f, HOST_VERSION_ID, f->version, strlen(f->version));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		f->event.v[kinds[i].slot].num =
			(strcmp(f->id, kinds[i].id) == 0 || (kinds[i].also && strcmp(f->id, kinds[i].also) == 0)) &&
			(!kinds[i].version || version_is(f, kinds[i].version));
}

/* "6.1.0-18-amd64": numbers as far as they are there, then what is behind the last of them. */
static void set_kernel(struct host_facts *f, const char *release)
{
	static const struct {
		enum host_fact slot;
		char before;
	} parts[] = { { HOST_KERNEL_MAJOR, 0 },
		      { HOST_KERNEL_MINOR, '.' },
		      { HOST_KERNEL_PATCH, '.' },
		      { HOST_KERNEL_ABI, '-' } };
	const char *s = release;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const char *digits = s + (parts[i].before != 0);
		char *end;

		if ((parts[i].before && *s != parts[i].before) || !isdigit((unsigned char)*digits))
			continue;
		f->event.v[parts[i].slot].num = (int64_t)strtoul(digits, &end, 10);
		s = end;
	}
	s = strchr(s, '-');
	if (s)
		set_str(f, HOST_KERNEL_FLAVOR, s + 1, strlen(s + 1));
}

static void set_envs(struct host_facts *f, const char *const *environment)
{
	uint32_t n = 0;

	for (; environment && environment[n] && n < HOST_ENVS_MAX; n++)
		f->envs[n] = (struct val){ .s = environment[n], .len = (uint32_t)strlen(environment[n]) };
	f->event.v[HOST_ENVS] = (struct val){ .arr = f->envs, .len = n };
}

void host_facts(const struct host_source *from, struct host_facts *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->event.type = HOST_EVENT;
	memset(ret->event.alive, 0xff, sizeof(ret->event.alive));
	os_release(from->os_release, "ID", ret->id, sizeof(ret->id));
	os_release(from->os_release, "PLATFORM_ID", ret->platform, sizeof(ret->platform));
	os_release(from->os_release, "VERSION_ID", ret->version, sizeof(ret->version));
	set_os(ret);
	set_kernel(ret, from->kernel_release ? from->kernel_release : "");
	if (from->hostname)
		set_str(ret, HOST_NAME, from->hostname, strlen(from->hostname));
	set_str(ret, HOST_ORIGIN, "ebpf", 4);
	ret->event.v[HOST_CORE_ENABLED].num = from->core;
	set_envs(ret, from->environment);
}
