/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/session.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_text(struct val v, const char *s)
{
	return v.len == strlen(s) && memcmp(v.s, s, v.len) == 0;
}

bool session_is_server(struct val name)
{
	static const char *const servers[] = { "sshd", "sshd-session", "dropbear", "dropbearmulti", "tinysshd" };

	for (size_t i = 0; name.len && i < sizeof(servers) / sizeof(servers[0]); i++)
		if (is_text(name, servers[i]))
			return true;
	return false;
}

static bool env_get(const struct argblock *a, const char *name, struct val *ret)
{
	size_t n = strlen(name);

	for (uint32_t i = 0; i < a->nenv; i++) {
		struct val v = a->envp[i];

		if (v.len > n && v.s[n] == '=' && memcmp(v.s, name, n) == 0) {
			*ret = (struct val){ .s = v.s + n + 1, .len = v.len - (uint32_t)n - 1 };
			return true;
		}
	}
	return false;
}

static bool is_address(struct val v)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr bytes;
	const char *zone = v.len ? memchr(v.s, '%', v.len) : NULL;
	size_t len = zone ? (size_t)(zone - v.s) : v.len;

	if (!len || len >= sizeof(text))
		return false;
	memcpy(text, v.s, len);
	text[len] = 0;
	return inet_pton(AF_INET6, text, &bytes) == 1 || (!zone && inet_pton(AF_INET, text, &bytes) == 1);
}

/* "ADDRESS PORT ..." */
static bool parse(struct val v, struct session *ret)
{
	const char *space = v.len ? memchr(v.s, ' ', v.len) : NULL, *end = v.s + v.len;
	int64_t port = 0;

	if (!space)
		return false;
	ret->ip = (struct val){ .s = v.s, .len = (uint32_t)(space - v.s) };
	for (space++; space < end && *space >= '0' && *space <= '9' && port <= UINT16_MAX; space++)
		port = port * 10 + (*space - '0');
	ret->port = port;
	return space < end && *space == ' ' && port && port <= UINT16_MAX && ret->ip.len <= 64 && is_address(ret->ip);
}

bool session_of_env(const struct argblock *a, struct session *ret)
{
	struct val v;

	*ret = (struct session){ .port = 0 };
	if (!a ||
	    !((env_get(a, "SSH_CONNECTION", &v) && parse(v, ret)) || (env_get(a, "SSH_CLIENT", &v) && parse(v, ret))))
		return false;
	if ((env_get(a, "LOGNAME", &v) || env_get(a, "USER", &v)) && v.len <= 256)
		ret->user = v;
	return true;
}
