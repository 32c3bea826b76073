/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/watchset.h"

#include <errno.h>
#include <stdlib.h>

/* What nobody wants in a database beside the baseline, whatever a policy asks for. docs/fim.md lists them. */
static const char *const secrets[] = {
	"/etc/shadow*",
	"/etc/gshadow*",
	"/etc/security/opasswd*",
	"/etc/ssl/private/**",
	"/etc/pki/**/private/**",
	"/etc/letsencrypt/**",
	"/etc/wireguard/**",
	"/etc/ipsec.secrets",
	"/etc/ipsec.d/private/**",
	"/etc/ppp/*-secrets",
	"/etc/NetworkManager/system-connections/**",
	"/etc/wpa_supplicant/**",
	"/etc/krb5.keytab",
	"/etc/sudo_ldap.conf",
	"/etc/mysql/debian.cnf",
	"/etc/tamis/**/*.pem",
	"/var/lib/tamis/**",
	"/**/ssh_host_*_key",
	"/**/.ssh/id_*",
	"/**/.gnupg/**",
	"/**/.netrc",
	"/**/.pgpass",
	"/**/.my.cnf",
	"/**/.htpasswd",
	"/**/.aws/credentials",
	"/**/.docker/config.json",
	"/**/.kube/config",
	"/**/*.key",
	"/**/*.pem",
	"/**/*.p12",
	"/**/*.pfx",
	"/**/*.jks",
	"/**/*.keytab",
	"/**/*.kdbx",
	"/**/*password*",
	"/**/*secret*",
};

/* ---- making -------------------------------------------------------------------------------------------------------- */

static int add_globs(struct watchset_globs *g, const char *const *texts, uint32_t n, struct err *e)
{
	g->v = calloc(n ? n : 1, sizeof(g->v[0]));
	if (!g->v)
		return err_set(e, -ENOMEM, "out of memory");
	for (g->n = 0; g->n < n; g->n++) {
		int r = glob_new(texts[g->n], strlen(texts[g->n]), false, &g->v[g->n], e);

		if (r < 0)
			return r;
	}
	return 0;
}

static void free_globs(struct watchset_globs *g)
{
	for (uint32_t i = 0; i < g->n; i++)
		glob_free(g->v[i]);
	free(g->v);
}

/* "/etc/x*" -> 4, "/etc" -> 4 */
static size_t literal_dir(const struct glob *g)
{
	size_t n = g->prefix;

	if (n == g->len)
		return g->len > 1 ? n : 0;
	while (n && g->text[n - 1] != '/')
		n--;
	return n ? n - 1 : 0;
}

static int add_item(struct watchset_item *it, const struct watch *w, struct err *e)
{
	int r = add_globs(&it->paths, w->paths, w->npaths, e);

	it->watch = w;
	if (r == 0)
		r = add_globs(&it->exclude, w->exclude, w->nexclude, e);
	if (r == 0)
		r = add_globs(&it->never_store, w->never_store, w->nnever_store, e);
	it->literal = SIZE_MAX;
	for (uint32_t i = 0; r == 0 && i < it->paths.n; i++)
		if (literal_dir(it->paths.v[i]) < it->literal)
			it->literal = literal_dir(it->paths.v[i]);
	return r;
}

int watchset_new(const struct watch_list *list, struct watchset **ret, struct err *e)
{
	_cleanup_(watchset_free) struct watchset *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "out of memory");
	s->v = calloc(list->n ? list->n : 1, sizeof(s->v[0]));
	if (!s->v)
		return err_set(e, -ENOMEM, "out of memory");
	r = add_globs(&s->never_store, secrets, sizeof(secrets) / sizeof(secrets[0]), e);
	for (size_t i = 0; r == 0 && i < list->n; i++) {
		s->n = i + 1;
		r = add_item(&s->v[i], &list->v[i], e);
	}
	if (r == 0)
		*ret = TAKE_PTR(s);
	return r;
}

void watchset_free(struct watchset *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		free_globs(&s->v[i].paths);
		free_globs(&s->v[i].exclude);
		free_globs(&s->v[i].never_store);
	}
	free_globs(&s->never_store);
	free(s->v);
	free(s);
}

/* ---- matching ------------------------------------------------------------------------------------------------------ */

/* The root directory is "" here and "/" in a policy. */
static bool any_match(const struct watchset_globs *g, const char *path, size_t len)
{
	for (uint32_t i = 0; i < g->n; i++)
		if (glob_match(g->v[i], len ? path : "/", len ? len : 1))
			return true;
	return false;
}

static bool name_matches(const struct glob_comp *c, const char *name, size_t len)
{
	if (c->kind == GLOB_LITERAL)
		return c->len == len && memcmp(c->s, name, len) == 0;
	return c->kind != GLOB_STARS || pattern_match(c->s, c->len, name, len, false);
}

/* Whether the glob can match something below a directory: its first names match, and it has more of them. */
static bool leads_below(const struct glob *g, const char *dir, size_t len)
{
	uint32_t i = 1; /* before the first '/' both have nothing */

	for (size_t at = 1, n; at <= len; at += n + 1, i++) {
		const char *slash = memchr(dir + at, '/', len - at);

		n = (slash ? (size_t)(slash - dir) : len) - at;
		if (i < g->ncomps && g->comps[i].kind == GLOB_DEEP)
			return true;
		if (i >= g->ncomps || !name_matches(&g->comps[i], dir + at, n))
			return false;
	}
	return i < g->ncomps;
}

static bool any_leads_below(const struct watchset_globs *g, const char *dir, size_t len)
{
	for (uint32_t i = 0; i < g->n; i++)
		if (leads_below(g->v[i], dir, len))
			return true;
	return false;
}

static bool any_match_above(const struct watchset_globs *g, const char *path, size_t len)
{
	if (!g->n)
		return false;
	if (any_match(g, path, 0))
		return true;
	for (size_t i = 1; i < len; i++)
		if (path[i] == '/' && any_match(g, path, i))
			return true;
	return any_match(g, path, len);
}

const struct watchset_item *watchset_find(const struct watchset *s, const char *path, size_t len)
{
	for (size_t i = s->n; i-- > 0;) {
		const struct watchset_item *it = &s->v[i];
		bool named = it->watch->recursive ? any_match_above(&it->paths, path, len)
						  : any_match(&it->paths, path, len);

		if (named && !any_match_above(&it->exclude, path, len))
			return it;
	}
	return NULL;
}

bool watchset_secret(const struct watchset *s, const struct watchset_item *w, const char *path, size_t len)
{
	return any_match_above(&s->never_store, path, len) || any_match_above(&w->never_store, path, len);
}

size_t watchset_enter(const struct watchset *s, const struct watchset_live *parent, size_t nparent, const char *path,
		      size_t len, uint64_t device, struct watchset_live *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < (parent ? nparent : s->n); i++) {
		struct watchset_live live = parent ? parent[i] : (struct watchset_live){ .watch = (uint16_t)i };
		const struct watchset_item *it = &s->v[live.watch];

		if (any_match(&it->exclude, path, len))
			continue;
		if (it->watch->one_filesystem && live.has_device && live.device != device)
			continue;
		live.covered = live.covered || (it->watch->recursive && any_match(&it->paths, path, len));
		if (!live.covered && !any_leads_below(&it->paths, path, len))
			continue;
		if (!live.has_device && (live.covered || len >= it->literal)) {
			live.has_device = true;
			live.device = device;
		}
		ret[n++] = live;
	}
	return n;
}

const struct watchset_item *watchset_entry(const struct watchset *s, const struct watchset_live *live, size_t nlive,
					   const char *path, size_t len)
{
	for (size_t i = nlive; i-- > 0;) {
		const struct watchset_item *it = &s->v[live[i].watch];

		if ((live[i].covered || any_match(&it->paths, path, len)) && !any_match(&it->exclude, path, len))
			return it;
	}
	return NULL;
}
