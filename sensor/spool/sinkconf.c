/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/spool/sinkconf.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/near.h"
#include "lib/severity.h"
#include "lib/watch.h"
#include "sensor/export/export.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const char *const sink_kinds[] = { "alert", "canary",	"capture", "epoch", "gap",  "heartbeat", "loss", "policy",
				   "prune", "recovery", "segment", "start", "stop", "action",	 NULL };

#define SINK_KINDS (COUNT(sink_kinds) - 1)

/* ---- types --------------------------------------------------------------------------------------------------------- */

/* clang-format off */
#define TLS                                                                                                            \
	{ "ca", SINK_PATH, false, NULL }, { "cert", SINK_PATH, false, NULL }, { "key", SINK_PATH, false, NULL }

const struct sink_type sink_types[] = {
	{ "file", "file", "jsonl", "a file, turned over by its size", 512, false, {
		{ "path", SINK_PATH, true, NULL }, { "max-bytes", SINK_BYTES, false, NULL },
		{ "keep", SINK_NUMBER, false, NULL }, { "sync", SINK_FLAG, false, NULL } } },
	{ "unix", "unix", "jsonl", "a Unix socket, as lines", 512, false, {
		{ "path", SINK_PATH, true, NULL } } },
	{ "syslog", "syslog", "syslog", "RFC 5424 over TCP or TLS", 512, false, {
		{ "host", SINK_TEXT, true, NULL }, { "port", SINK_NUMBER, false, NULL },
		{ "tls", SINK_FLAG, false, NULL }, TLS, { "server-name", SINK_TEXT, false, NULL },
		{ "framing", SINK_WORD, false, "counted lines" } } },
	{ "webhook", "http", "jsonl", "an HTTP(S) request a message, by a template", 16, true, {
		{ "url", SINK_TEXT, true, NULL }, TLS, { "service", SINK_WORD, false, "plain slack teams discord" },
		{ "template", SINK_PATH, false, NULL }, { "header", SINK_TEXT, false, NULL },
		{ "token-file", SINK_PATH, false, NULL }, { "max-text", SINK_BYTES, false, NULL },
		{ "parts", SINK_NUMBER, false, NULL } } },
	{ "otlp", "http", "otlp", "OTLP/HTTP, JSON", 256, false, {
		{ "url", SINK_TEXT, true, NULL }, TLS, { "header", SINK_TEXT, false, NULL },
		{ "token-file", SINK_PATH, false, NULL } } },
	{ "kafka", "kafka", "jsonl", "Kafka, by an idempotent producer", 512, false, {
		{ "brokers", SINK_TEXT, true, NULL }, { "topic", SINK_TEXT, true, NULL },
		{ "tls", SINK_FLAG, false, NULL }, TLS, { "compression", SINK_WORD, false, "none gzip lz4 snappy zstd" },
		{ "user", SINK_TEXT, false, NULL }, { "password-file", SINK_PATH, false, NULL },
		{ "sasl", SINK_WORD, false, "PLAIN SCRAM-SHA-256 SCRAM-SHA-512" } } },
	{ "nats", "nats", "jsonl", "NATS JetStream", 256, false, {
		{ "servers", SINK_TEXT, true, NULL }, { "subject", SINK_TEXT, true, NULL },
		{ "stream", SINK_TEXT, false, NULL }, { "tls", SINK_FLAG, false, NULL }, TLS,
		{ "credentials", SINK_PATH, false, NULL } } },
	{ 0 },
};
/* clang-format on */

/* ---- values -------------------------------------------------------------------------------------------------------- */

static int number_of(const char *text, uint64_t most, uint64_t *ret)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno || *end || *ret > most ? -EINVAL : 0;
}

static int bytes_of(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return n == 0 || n > 9 || (text[n] && (!strchr("KMG", text[n]) || text[n + 1])) ? -EINVAL : 0;
}

static int flag_of(const char *text, bool *ret)
{
	*ret = strcmp(text, "yes") == 0;
	return *ret || strcmp(text, "no") == 0 ? 0 : -EINVAL;
}

static bool word_among(const char *words, const char *word, size_t n)
{
	while (*words) {
		size_t k = strcspn(words, " ");

		if (k == n && memcmp(words, word, n) == 0)
			return true;
		words += k;
		words += strspn(words, " ");
	}
	return false;
}

/* Of one setting of the type: is the text what it may be? */
static int check_value(const struct sink_setting *s, const char *value, struct err *e)
{
	uint64_t number;
	bool flag;

	switch (s->kind) {
	case SINK_PATH:
		if (value[0] != '/')
			return err_set(e, -EINVAL, "%s wants a path that begins with /, not '%s'", s->name, value);
		return 0;
	case SINK_NUMBER:
		if (number_of(value, UINT32_MAX, &number) < 0)
			return err_set(e, -EINVAL, "%s wants a number, not '%s'", s->name, value);
		return 0;
	case SINK_BYTES:
		if (bytes_of(value) < 0)
			return err_set(e, -EINVAL, "%s wants a number of bytes such as 64M, not '%s'", s->name, value);
		return 0;
	case SINK_FLAG:
		if (flag_of(value, &flag) < 0)
			return err_set(e, -EINVAL, "%s wants yes or no, not '%s'", s->name, value);
		return 0;
	case SINK_WORD:
		if (!word_among(s->words, value, strlen(value)))
			return err_set(e, -EINVAL, "%s is one of: %s; not '%s'", s->name, s->words, value);
		return 0;
	default:
		return 0;
	}
}

/* ---- settings that every type has ------------------------------------------------------------------------------------ */

static int kind_index(const char *word, size_t n)
{
	for (int i = 0; sink_kinds[i]; i++)
		if (strlen(sink_kinds[i]) == n && memcmp(sink_kinds[i], word, n) == 0)
			return i;
	return -1;
}

static int set_kinds(struct sink_conf *c, const char *value, struct err *e)
{
	const uint32_t all = (1u << SINK_KINDS) - 1;
	size_t n;

	c->kinds = 0;
	for (; *value; value += n, value += strspn(value, " \t")) {
		n = strcspn(value, " \t");
		if (n == 3 && memcmp(value, "all", 3) == 0)
			c->kinds = all;
		else if (kind_index(value, n) < 0)
			return err_set(
				e, -EINVAL,
				"there is no kind '%.*s': 'all', or kinds as docs/log-format.md lists them, with "
				"spaces between",
				(int)n, value);
		else
			c->kinds |= 1u << kind_index(value, n);
	}
	return c->kinds ? 0 : err_set(e, -EINVAL, "kinds wants 'all', or kinds of records");
}

static int set_severity(struct sink_conf *c, const char *value, struct err *e)
{
	c->severity = severity_of(value);
	return c->severity ? 0
			   : err_set(e, -EINVAL, "severity is one of: info low medium high critical; not '%s'", value);
}

static int set_number(uint32_t *at, const char *name, const char *value, uint32_t least, uint32_t most, struct err *e)
{
	uint64_t n;

	if (number_of(value, most, &n) < 0 || n < least)
		return err_set(e, -EINVAL, "%s wants a number from %u to %u, not '%s'", name, least, most, value);
	*at = (uint32_t)n;
	return 0;
}

static int set_rule_fold(struct sink_conf *c, const char *rule, const char *value, struct err *e)
{
	struct sink_fold *f = &c->folds[c->nfolds];

	if (!*rule)
		return err_set(e, -EINVAL, "fold. wants the id of a rule behind it: fold.RULE = SECONDS");
	if (c->nfolds == SINK_FOLDS_MAX)
		return err_set(e, -EINVAL, "at most %d rules may have a fold of their own", SINK_FOLDS_MAX);
	if (set_number(&f->seconds, "fold.RULE", value, 0, 86400, e) < 0)
		return -EINVAL;
	f->rule = strdup(rule);
	if (!f->rule)
		return err_set(e, -ENOMEM, "no memory");
	c->nfolds++;
	return 0;
}

static int set_format(struct sink_conf *c, const char *value, struct err *e)
{
	if (!export_format_find(value))
		return err_set(e, -EINVAL, "format is one of: jsonl ocsf ecs cef syslog otlp; not '%s'", value);
	free(c->format);
	c->format = strdup(value);
	return c->format ? 0 : err_set(e, -ENOMEM, "no memory");
}

static int set_from(struct sink_conf *c, const char *value, struct err *e)
{
	c->from_start = strcmp(value, "start") == 0;
	return c->from_start || strcmp(value, "now") == 0
		       ? 0
		       : err_set(e, -EINVAL, "from is 'now' or 'start', not '%s'", value);
}

/* 1: it was one of these; 0: it is not; or the error */
static int set_common(struct sink_conf *c, const char *name, const char *value, struct err *e)
{
	int r;

	if (strcmp(name, "format") == 0)
		r = set_format(c, value, e);
	else if (strcmp(name, "kinds") == 0)
		r = set_kinds(c, value, e);
	else if (strcmp(name, "severity") == 0)
		r = set_severity(c, value, e);
	else if (strcmp(name, "from") == 0)
		r = set_from(c, value, e);
	else if (strcmp(name, "fold") == 0)
		r = set_number(&c->fold, name, value, 0, 86400, e);
	else if (strncmp(name, "fold.", 5) == 0)
		r = set_rule_fold(c, name + 5, value, e);
	else if (strcmp(name, "rate") == 0)
		r = set_number(&c->rate, name, value, 0, 1000000, e);
	else if (strcmp(name, "timeout") == 0)
		r = set_number(&c->timeout_s, name, value, 1, 600, e);
	else if (strcmp(name, "retry-max") == 0)
		r = set_number(&c->retry_max_s, name, value, 1, 3600, e);
	else if (strcmp(name, "batch") == 0)
		r = set_number(&c->batch, name, value, 1, 512, e);
	else
		return 0;
	return r < 0 ? r : 1;
}

static int set_own(struct sink_conf *c, const char *name, const char *value, struct err *e)
{
	struct near near = near_to(name, strlen(name));
	int r;

	for (size_t i = 0; i < SINK_SETTINGS_MAX && c->type->settings[i].name; i++) {
		if (strcmp(c->type->settings[i].name, name) != 0) {
			near_try(&near, c->type->settings[i].name);
			continue;
		}
		if (c->values[i])
			return err_set(e, -EINVAL, "%s is given twice", name);
		r = check_value(&c->type->settings[i], value, e);
		if (r < 0)
			return r;
		c->values[i] = strdup(value);
		return c->values[i] ? 0 : err_set(e, -ENOMEM, "no memory");
	}
	return err_set(e, -EINVAL, "a sink of type %s has no setting '%s'%s%s%s", c->type->name, name,
		       near.best ? ": did you mean '" : "", near.best ? near.best : "", near.best ? "'?" : "");
}

static int set_type(struct sink_conf *c, const char *value, struct err *e)
{
	for (const struct sink_type *t = sink_types; t->name; t++)
		if (strcmp(t->name, value) == 0) {
			c->type = t;
			c->batch = t->batch;
			if (t->chat) {
				c->kinds = 1;
				c->fold = 60;
				c->rate = 1;
			}
			return set_format(c, t->format, e);
		}
	return err_set(e, -EINVAL, "type is one of: file unix syslog webhook otlp kafka nats; not '%s'", value);
}

/* ---- the file ------------------------------------------------------------------------------------------------------ */

static char *trim(char *s)
{
	char *end = s + strlen(s);

	while (end > s && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return s + strspn(s, " \t");
}

static int take_line(struct sink_conf *c, char *line, struct err *e)
{
	char *eq, *name, *value;
	int r;

	line = trim(line);
	if (!*line || *line == '#')
		return 0;
	eq = strchr(line, '=');
	if (!eq)
		return err_set(e, -EINVAL, "'%s' is no `setting = value`", line);
	*eq = '\0';
	name = trim(line);
	value = trim(eq + 1);
	if (!*value)
		return err_set(e, -EINVAL, "%s has no value: give one, or remove the line", name);
	if (strcmp(name, "type") == 0)
		return c->type ? err_set(e, -EINVAL, "type is given twice") : set_type(c, value, e);
	if (!c->type)
		return err_set(e, -EINVAL, "the first setting must be `type = ...`, not %s", name);
	r = set_common(c, name, value, e);
	return r ? (r < 0 ? r : 0) : set_own(c, name, value, e);
}

static int check_whole(const struct sink_conf *c, struct err *e)
{
	if (!c->type)
		return err_set(e, -EINVAL, "a sink needs `type = ...` as its first setting");
	for (size_t i = 0; i < SINK_SETTINGS_MAX && c->type->settings[i].name; i++)
		if (c->type->settings[i].required && !c->values[i])
			return err_set(e, -EINVAL, "a sink of type %s needs `%s = ...`", c->type->name,
				       c->type->settings[i].name);
	if (*sinkconf_get(c, "cert") && !*sinkconf_get(c, "key"))
		return err_set(e, -EINVAL, "cert needs its private key: add `key = FILE`");
	return 0;
}

static bool is_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return n > 0 && n <= SINK_NAME_MAX && !s[n];
}

int sinkconf_parse(const char *name, const char *where, const char *text, size_t n, struct sink_conf *ret,
		   struct err *e)
{
	_cleanup_free_ char *copy = strndup(text, n);
	struct sink_conf c = { .kinds = (1u << SINK_KINDS) - 1, .rate = 1000, .timeout_s = 10, .retry_max_s = 60 };
	int r = 0, number = 0;
	char *next;

	if (!copy)
		return err_set(e, -ENOMEM, "no memory");
	if (!is_name(name))
		return err_set(e, -EINVAL, "%s: a sink's name has at most %d letters, digits, - and _: rename the file",
			       where, SINK_NAME_MAX);
	if (memchr(text, '\0', n))
		return err_set(e, -EINVAL, "%s: this is no text", where);
	snprintf(c.name, sizeof(c.name), "%s", name);
	for (char *line = copy; r == 0 && line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		number++;
		r = take_line(&c, line, e);
		if (r < 0)
			r = err_set(e, r, "%s:%d: %s", where, number, e ? e->msg : "");
	}
	if (r == 0) {
		r = check_whole(&c, e);
		if (r < 0)
			err_set(e, r, "%s:%d: %s", where, number, e ? e->msg : "");
	}
	if (r < 0) {
		sink_conf_done(&c);
		return r;
	}
	*ret = c;
	return 0;
}

void sink_conf_done(struct sink_conf *c)
{
	free(c->format);
	for (size_t i = 0; i < c->nfolds; i++)
		free(c->folds[i].rule);
	for (size_t i = 0; i < SINK_SETTINGS_MAX; i++)
		free(c->values[i]);
	*c = (struct sink_conf){ 0 };
}

static int read_file(const char *dir, int dir_fd, const char *file, struct sink_conf *ret, struct err *e)
{
	_cleanup_close_ int fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = malloc(SINK_FILE_MAX + 1), *where = NULL, *name = strdup(file);
	ssize_t n;

	if (!text || !name || asprintf(&where, "%s/%s", dir, file) < 0) {
		where = NULL;
		return err_set(e, -ENOMEM, "no memory");
	}
	n = fd < 0 ? -errno : fs_read(fd, text, SINK_FILE_MAX + 1);
	if (n < 0)
		return err_sys(e, (int)n, "cannot read", where);
	if (n > SINK_FILE_MAX)
		return err_set(e, -EFBIG, "%s: a sink's settings have at most %u bytes", where, SINK_FILE_MAX);
	name[strlen(name) - 5] = '\0';
	return sinkconf_parse(name, where, text, (size_t)n, ret, e);
}

static int is_conf(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 5 && d->d_name[0] != '.' && strcmp(d->d_name + n - 5, ".conf") == 0;
}

int sinkconf_read_dir(const char *path, struct sink_confs *ret, struct err *e)
{
	_cleanup_close_ int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sink_confs c = { 0 };
	struct dirent **list = NULL;
	int n, r = 0;

	*ret = c;
	if (dir_fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, -errno, "cannot open", path);
	n = scandir(path, &list, is_conf, alphasort);
	if (n < 0)
		return err_sys(e, -errno, "cannot list", path);
	if (n > SINKS_MAX)
		r = err_set(e, -EINVAL, "%s has %d sinks; at most %d may be", path, n, SINKS_MAX);
	c.sink = calloc((size_t)n + 1, sizeof(*c.sink));
	if (!c.sink)
		r = err_set(e, -ENOMEM, "no memory");
	for (int i = 0; r == 0 && i < n; i++) {
		r = read_file(path, dir_fd, list[i]->d_name, &c.sink[c.n], e);
		c.n += r == 0;
	}
	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
	if (r < 0)
		sinkconf_done(&c);
	else
		*ret = c;
	return r;
}

void sinkconf_done(struct sink_confs *c)
{
	for (size_t i = 0; i < c->n; i++)
		sink_conf_done(&c->sink[i]);
	free(c->sink);
	*c = (struct sink_confs){ 0 };
}

/* ---- asking -------------------------------------------------------------------------------------------------------- */

const char *sinkconf_get(const struct sink_conf *c, const char *setting)
{
	for (size_t i = 0; i < SINK_SETTINGS_MAX && c->type->settings[i].name; i++)
		if (strcmp(c->type->settings[i].name, setting) == 0)
			return c->values[i] ? c->values[i] : "";
	return "";
}

uint32_t sinkconf_fold(const struct sink_conf *c, const char *rule)
{
	for (size_t i = 0; i < c->nfolds; i++)
		if (strcmp(c->folds[i].rule, rule) == 0)
			return c->folds[i].seconds;
	return c->fold;
}

bool sinkconf_wants(const struct sink_conf *c, const char *kind)
{
	int i = kind_index(kind, strlen(kind));

	/* a kind that is newer than this table is for whoever wants everything */
	return i < 0 ? c->kinds == (1u << SINK_KINDS) - 1 : c->kinds >> i & 1;
}
