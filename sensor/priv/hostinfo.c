/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/hostinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "engine/engine.h"
#include "lib/cleanup.h"
#include "lib/host.h"

#define OS_RELEASE_MAX 16384

extern char **environ;

/* What does not fit or cannot be read is not known. */
static void read_text(const char *path, char *ret, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, ret, size - 1);

	ret[n > 0 ? n : 0] = '\0';
}

/* For each rule of the filters' program whether it holds here. */
static int ask(const struct program *filters, bool *ret_holds, struct err *e)
{
	_cleanup_free_ struct host_facts *facts = malloc(sizeof(*facts));
	_cleanup_free_ char *os_release = malloc(OS_RELEASE_MAX);
	_cleanup_(engine_free) struct engine *engine = NULL;
	struct host_source from = { .os_release = os_release, .environment = (const char *const *)environ };
	char hostname[256] = "";
	struct utsname uts;
	const uint32_t *rules;
	size_t n;
	int r;

	if (!facts || !os_release)
		return err_set(e, -ENOMEM, "no memory for the filters of rules");
	r = engine_new(filters, &engine, e);
	if (r < 0)
		return r;
	read_text("/etc/os-release", os_release, OS_RELEASE_MAX);
	gethostname(hostname, sizeof(hostname) - 1);
	from.hostname = hostname;
	from.kernel_release = uname(&uts) == 0 ? uts.release : "";
	from.core = access("/sys/kernel/btf/vmlinux", R_OK) == 0;
	host_facts(&from, facts);
	n = engine_eval(engine, &facts->event, &rules);
	for (size_t i = 0; i < n; i++)
		ret_holds[rules[i]] = true;
	return 0;
}

int hostinfo_filter(const void *bytes, size_t size, const struct program *p, struct prule *rules, uint32_t *ret_off,
		    struct err *e)
{
	_cleanup_free_ bool *holds = NULL;
	struct program filters;
	int r = program_load(host_catalog(), bytes, size, &filters, e);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < p->nrules; i++)
		if (rules[i].filter > filters.nrules)
			return err_set(e, -EBADMSG, "a rule has a filter that is not there");
	holds = calloc(filters.nrules + 1u, sizeof(*holds));
	if (!holds)
		return err_set(e, -ENOMEM, "no memory for the filters of rules");
	r = ask(&filters, holds, e);
	if (r < 0)
		return r;
	*ret_off = 0;
	for (uint32_t i = 0; i < p->nrules; i++) {
		if (!rules[i].filter || holds[rules[i].filter - 1])
			continue;
		rules[i].flags |= PRULE_OFF;
		++*ret_off;
	}
	return 0;
}
