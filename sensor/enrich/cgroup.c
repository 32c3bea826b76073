/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/cgroup.h"

#include <string.h>

#define ID_LEN	   64 /* docker, podman, containerd, CRI-O */
#define ECS_LEN	   32 /* then '-' and a number */
#define GARDEN_LEN 28 /* 8-4-4-4-4 */

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Bytes at the start of @s that are lower-case hexadecimal. */
static size_t hex_run(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && is_hex(s[n]))
		n++;
	return n;
}

static bool ends_with(const char *s, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	return len >= n && memcmp(s + len - n, suffix, n) == 0;
}

/* "ID", "docker-ID", "cri-containerd-ID", "kubepods...:crio:ID"; but a conmon process watches from outside. */
static bool id_64(const char *s, size_t len, const char **ret, size_t *ret_len)
{
	const char *id = s + len - ID_LEN;

	if (len < ID_LEN || hex_run(id, ID_LEN) < ID_LEN)
		return false;
	if (len > ID_LEN && id[-1] != '-' && id[-1] != ':')
		return false;
	if (ends_with(s, len - ID_LEN, "conmon-"))
		return false;
	*ret = id;
	*ret_len = ID_LEN;
	return true;
}

static bool id_ecs(const char *s, size_t len, const char **ret, size_t *ret_len)
{
	if (len < ECS_LEN + 2 || hex_run(s, len) != ECS_LEN || s[ECS_LEN] != '-')
		return false;
	for (size_t i = ECS_LEN + 1; i < len; i++)
		if (!is_digit(s[i]))
			return false;
	*ret = s;
	*ret_len = len;
	return true;
}

static bool id_garden(const char *s, size_t len, const char **ret, size_t *ret_len)
{
	if (len != GARDEN_LEN)
		return false;
	for (size_t i = 0; i < GARDEN_LEN; i++) {
		bool dash = i >= 8 && (i - 8) % 5 == 0;

		if (dash ? s[i] != '-' : !is_hex(s[i]))
			return false;
	}
	*ret = s;
	*ret_len = len;
	return true;
}

static bool component_id(const char *s, size_t len, const char **ret, size_t *ret_len)
{
	if (ends_with(s, len, ".scope"))
		len -= strlen(".scope");
	return id_64(s, len, ret, ret_len) || id_ecs(s, len, ret, ret_len) || id_garden(s, len, ret, ret_len);
}

bool cgroup_container_id(const char *path, size_t len, const char **ret, size_t *ret_len)
{
	*ret = "";
	*ret_len = 0;
	while (len) {
		size_t start = len;

		while (start && path[start - 1] != '/')
			start--;
		if (component_id(path + start, len - start, ret, ret_len))
			return true;
		len = start ? start - 1 : 0;
	}
	return false;
}

/* ---- runtime, pod, unit -------------------------------------------------------------------------------------------- */

static bool begins_with(const char *s, size_t len, const char *prefix)
{
	size_t n = strlen(prefix);

	return len >= n && memcmp(s, prefix, n) == 0;
}

/* What stands before the container's id, in its own component or as the one above. */
static const struct {
	const char *before, *runtime;
} runtimes[] = {
	{ "docker-", "docker" },
	{ "docker/", "docker" },
	{ "cri-containerd-", "containerd" },
	{ "cri-containerd:", "containerd" },
	{ "nerdctl-", "containerd" },
	{ "/default/", "containerd" },
	{ "crio-", "cri-o" },
	{ "crio:", "cri-o" },
	{ "libpod-", "podman" },
	{ "/libpod_parent/", "podman" },
	{ "garden/", "garden" },
};

static const char *runtime_of(const char *path, size_t before)
{
	for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++)
		if (ends_with(path, before, runtimes[i].before))
			return runtimes[i].runtime;
	return "";
}

/* "UID" at the start of @s, with '-' or '_' between its groups, or the 32 digits of a static pod. */
static bool pod_uid(const char *s, size_t len, char ret[37])
{
	size_t n = hex_run(s, len) == 32 ? 32 : 36;

	if (len < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool dash = n == 36 && (i == 8 || i == 13 || i == 18 || i == 23);

		if (dash ? s[i] != '-' && s[i] != '_' : !is_hex(s[i]))
			return false;
		ret[i] = dash ? '-' : s[i];
	}
	ret[n] = 0;
	return len == n || s[n] == '/' || s[n] == ':' || begins_with(s + n, len - n, ".slice");
}

/* Below "kubepods": "podUID", or "kubepods-burstable-podUID.slice". The last one counts. */
static void find_pod(const char *path, size_t len, char ret[37])
{
	const char *at = memmem(path, len, "kubepods", strlen("kubepods"));

	ret[0] = 0;
	while (at && (at = memmem(at + 1, len - (size_t)(at + 1 - path), "pod", 3))) {
		char uid[37];

		if ((at[-1] == '/' || at[-1] == '-') && pod_uid(at + 3, len - (size_t)(at + 3 - path), uid))
			memcpy(ret, uid, sizeof(uid));
	}
}

static bool is_unit(const char *s, size_t len)
{
	static const char *const kinds[] = { ".service", ".scope", ".socket", ".mount", ".swap" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (len > strlen(kinds[i]) && ends_with(s, len, kinds[i]))
			return true;
	return false;
}

/* Below any number of slices. A name that looks like one of the kernel's own has a '_' before it. */
static void find_unit(const char *path, size_t len, struct cgroup_facts *ret)
{
	const char *end = path + len;

	while (path < end) {
		const char *slash = memchr(path, '/', (size_t)(end - path));
		size_t n = (size_t)((slash ? slash : end) - path);

		if (n && !ends_with(path, n, ".slice")) {
			if (*path == '_') {
				path++;
				n--;
			}
			if (is_unit(path, n)) {
				ret->unit = path;
				ret->unit_len = n;
			}
			return;
		}
		path += n + 1;
	}
}

void cgroup_describe(const char *path, size_t len, struct cgroup_facts *ret)
{
	*ret = (struct cgroup_facts){ .runtime = "", .manager = "" };
	if (!len)
		return;
	if (cgroup_container_id(path, len, &ret->id, &ret->id_len))
		ret->runtime = runtime_of(path, (size_t)(ret->id - path));
	find_pod(path, len, ret->pod);
	find_unit(path, len, ret);
	ret->manager = ret->runtime[0] ? ret->runtime : ret->unit ? "systemd" : "";
}

/* ---- /proc/PID/cgroup ---------------------------------------------------------------------------------------------- */

/* One line, "4:memory:/a/b": how much its path is worth. */
enum worth { WORTH_NONE, WORTH_ANY, WORTH_SYSTEMD, WORTH_DEFAULT, WORTH_CONTAINER };

static enum worth line_worth(const char *line, size_t len, const char **ret, size_t *ret_len)
{
	const char *controllers = memchr(line, ':', len), *path, *id;
	size_t id_len;

	if (!controllers)
		return WORTH_NONE;
	controllers++;
	path = memchr(controllers, ':', len - (size_t)(controllers - line));
	if (!path)
		return WORTH_NONE;
	path++;
	*ret = path;
	*ret_len = len - (size_t)(path - line);
	if (!*ret_len || path[0] != '/')
		return WORTH_NONE;
	if (cgroup_container_id(path, *ret_len, &id, &id_len))
		return WORTH_CONTAINER;
	if (path - controllers == 1)
		return WORTH_DEFAULT;
	return ends_with(controllers, (size_t)(path - controllers) - 1, "name=systemd") ? WORTH_SYSTEMD : WORTH_ANY;
}

bool cgroup_of_proc(const char *text, size_t len, const char **ret, size_t *ret_len, unsigned *ret_version)
{
	enum worth best = WORTH_NONE;

	while (len) {
		const char *end = memchr(text, '\n', len), *path;
		size_t line = end ? (size_t)(end - text) : len, path_len;
		enum worth w = line_worth(text, line, &path, &path_len);

		if (w > best) {
			best = w;
			*ret = path;
			*ret_len = path_len;
			*ret_version = begins_with(text, line, "0::") ? 2 : 1;
		}
		len -= end ? line + 1 : line;
		text += end ? line + 1 : line;
	}
	return best != WORTH_NONE;
}
