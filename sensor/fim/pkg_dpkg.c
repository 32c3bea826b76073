/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/pkg.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "sensor/fim/collect.h"

#define INFO	       "/var/lib/dpkg/info"
#define MD5SUMS_MAX    (64u << 20) /* of one package */
#define DIVERSIONS_MAX (4u << 20)
#define LINE_SIZE      8192
#define MD5_SIZE       16

/* ---- PACKAGE.md5sums ----------------------------------------------------------------------------------------------- */

/* The line at *p, without its end; false at the end of the text. */
static bool next_line(const char **p, const char *end, const char **ret, size_t *ret_len)
{
	const char *nl;

	if (*p >= end)
		return false;
	nl = memchr(*p, '\n', (size_t)(end - *p));
	*ret = *p;
	*ret_len = (size_t)((nl ? nl : end) - *p);
	*p = nl ? nl + 1 : end;
	return true;
}

int pkg_dpkg_md5sums(struct pkg_reader *r, const char *owner, const char *text, size_t n, const char *what,
		     struct err *e)
{
	const char *end = text + n, *line;
	char path[WATCH_PATH_MAX + 2];
	size_t len;

	while (next_line(&text, end, &line, &len)) {
		struct pkg_file f = { .owner = owner, .kind = HASH_MD5, .size = UINT64_MAX, .mode = -1 };
		size_t at = 2 * MD5_SIZE;
		int err;

		if (!len)
			continue;
		if (len < at + 3 || hash_unhex(line, MD5_SIZE, f.digest) < 0 || line[at] != ' ')
			return err_set(e, -EBADMSG, "%s is damaged: a line is not \"MD5  path\"; reinstall the package",
				       what);
		at += 2; /* two spaces, or a space and a '*' */
		if (len - at > WATCH_PATH_MAX)
			continue;
		path[0] = '/';
		memcpy(path + 1, line + at, len - at);
		err = pkg_hand_out(r, &f, path, len - at + 1);
		if (err)
			return err;
	}
	return 0;
}

/* ---- diversions ---------------------------------------------------------------------------------------------------- */

struct divert {
	pkg_fn fn;
	int (*info)(void *ctx, const struct pkg_info *i);
	void *ctx;
	struct buf text;
};

/* Three lines each: from, to, the package whose it is not; kept with NULs for their ends, and by the names of today. */
static int load_diversions(const struct pkg_reader *r, struct buf *ret)
{
	const char *p, *end, *line;
	struct buf text;
	size_t len;
	int err;

	buf_init(&text, DIVERSIONS_MAX);
	err = pkg_read_file(r->root_fd, "/var/lib/dpkg/diversions", DIVERSIONS_MAX, &text);
	p = text.len ? (const char *)text.data : "";
	end = p + text.len;
	for (int i = 0; err == 0 && next_line(&p, end, &line, &len); i++) {
		err = i % 3 < 2 ? pkg_real_name(r, line, len, ret) : buf_put(ret, line, len);
		if (err == 0)
			err = buf_putc(ret, 0);
	}
	buf_done(&text);
	return err == -ENOENT ? 0 : err;
}

/* Another package's diversion moved it: the file of that name is no longer this package's. */
static int handed_out(void *ctx, const struct pkg_file *f)
{
	struct divert *d = ctx;
	const char *p = d->text.len ? (const char *)d->text.data : "", *end = p + d->text.len;
	struct pkg_file moved = *f;

	while (p && p < end) {
		const char *from = p, *to = from + strlen(from) + 1, *by = to < end ? to + strlen(to) + 1 : end;

		if (by >= end)
			break;
		if (strcmp(from, f->path) == 0 && strcmp(by, f->owner) != 0 && !watch_path_problem(to, strlen(to))) {
			moved.path = to;
			moved.len = strlen(to);
			return d->fn(d->ctx, &moved);
		}
		p = by + strlen(by) + 1;
	}
	return d->fn(d->ctx, f);
}

static int handed_info(void *ctx, const struct pkg_info *i)
{
	struct divert *d = ctx;

	return d->info(d->ctx, i);
}

/* ---- conffiles, from the status file ------------------------------------------------------------------------------- */

struct status {
	char package[256], version[256], source[256]; /* source: version of it, "" where it is that of the package */
	bool installed, in_conffiles;
};

/* "EPOCH:VERSION-RELEASE", taken apart in place. */
static void split_version(char *text, const char **ret_version, const char **ret_release, int64_t *ret_epoch)
{
	char *colon = strchr(text, ':'), *dash;

	*ret_epoch = 0;
	*ret_version = text;
	if (colon && colon - text < 10 && strspn(text, "0123456789") == (size_t)(colon - text)) {
		*ret_epoch = strtoll(text, NULL, 10);
		*ret_version = colon + 1;
	}
	dash = strrchr(*ret_version, '-');
	*ret_release = dash ? dash + 1 : "";
	if (dash)
		*dash = 0;
}

static int put_info(struct pkg_reader *r, struct status *s)
{
	struct pkg_info i = { .name = s->package };

	if (!r->info || !s->installed || !s->package[0])
		return 0;
	if (!s->source[0])
		memcpy(s->source, s->version, sizeof(s->source));
	split_version(s->version, &i.version, &i.release, &i.epoch);
	split_version(s->source, &i.source_version, &i.source_release, &i.source_epoch);
	return r->info(r->ctx, &i);
}

/* "glibc (2.36-9)" */
static void take_source(struct status *s, const char *line)
{
	const char *open = strchr(line, '('), *close = open ? strchr(open, ')') : NULL;

	if (close)
		snprintf(s->source, sizeof(s->source), "%.*s", (int)(close - open - 1), open + 1);
}

/* " /etc/x 0123...ef" or with " obsolete" behind it */
static int conffile(struct pkg_reader *r, const struct status *s, const char *line)
{
	struct pkg_file f = { .owner = s->package, .kind = HASH_MD5, .size = UINT64_MAX, .mode = -1, .conffile = true };
	const char *space, *rest;

	line += strspn(line, " \t");
	space = strrchr(line, ' ');
	if (!space || *line != '/')
		return 0;
	if (strcmp(space + 1, "obsolete") == 0 || strcmp(space + 1, "remove-on-upgrade") == 0)
		return 0; /* the package no longer has it */
	rest = space + 1;
	if (strlen(rest) != 2UL * MD5_SIZE || hash_unhex(rest, MD5_SIZE, f.digest) < 0)
		return 0; /* "newconffile": not installed yet */
	return pkg_hand_out(r, &f, line, (size_t)(space - line));
}

static int status_line(struct pkg_reader *r, struct status *s, const char *line)
{
	if (*line == ' ' || *line == '\t')
		return s->in_conffiles && s->installed ? conffile(r, s, line) : 0;
	s->in_conffiles = false;
	if (!*line) {
		int r2 = put_info(r, s);

		*s = (struct status){ 0 };
		return r2;
	} else if (strncmp(line, "Version: ", 9) == 0) {
		snprintf(s->version, sizeof(s->version), "%.255s", line + 9);
	} else if (strncmp(line, "Source: ", 8) == 0) {
		take_source(s, line + 8);
	} else if (strncmp(line, "Package: ", 9) == 0) {
		snprintf(s->package, sizeof(s->package), "%.255s", line + 9);
	} else if (strncmp(line, "Status: ", 8) == 0) {
		const char *last = strrchr(line, ' ');

		s->installed = last && strcmp(last, " installed") == 0;
		r->packages += s->installed;
	} else if (strncmp(line, "Conffiles:", 10) == 0) {
		s->in_conffiles = true;
	}
	return 0;
}

static int read_status(struct pkg_reader *r, struct err *e)
{
	_cleanup_close_ int dir = -1;
	_cleanup_fclose_ FILE *f = NULL;
	struct status s = { 0 };
	char line[LINE_SIZE];
	bool whole = true;
	const char *name;
	int fd, err = collect_open_dir(r->root_fd, "/var/lib/dpkg/status", 20, &dir, &name);

	if (err < 0)
		return err == -ENOENT || err == -ELOOP || err == -ENOTDIR ? -ENOENT : err;
	fd = collect_open(dir, name, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return fd == -ENOENT ? fd : err_set(e, fd, "cannot open /var/lib/dpkg/status: %s", strerror(-fd));
	f = fdopen(fd, "r");
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	while (err == 0 && fgets(line, sizeof(line), f)) {
		size_t n = strlen(line);
		bool begins = whole;

		whole = n && line[n - 1] == '\n';
		if (whole)
			line[n - 1] = '\0';
		if (begins) /* what is behind the beginning of a longer line is nothing that counts */
			err = status_line(r, &s, line);
	}
	return err == 0 ? put_info(r, &s) : err; /* the last one may have no empty line behind it */
}

/* ---- all of it ----------------------------------------------------------------------------------------------------- */

/* "libc6:amd64.md5sums" -> "libc6" */
static bool owner_name(const char *file, char ret[256])
{
	const char *end = strstr(file, ".md5sums");
	size_t n;

	if (!end || strcmp(end, ".md5sums") != 0)
		return false;
	n = strcspn(file, ":");
	if (n > (size_t)(end - file))
		n = (size_t)(end - file);
	if (!n || n >= 256)
		return false;
	memcpy(ret, file, n);
	ret[n] = '\0';
	return true;
}

static int read_one(struct pkg_reader *r, const char *file, struct buf *text, struct err *e)
{
	char owner[256], path[512];
	int err;

	if (!owner_name(file, owner))
		return 0;
	snprintf(path, sizeof(path), INFO "/%s", file);
	buf_reset(text);
	err = pkg_read_file(r->root_fd, path, MD5SUMS_MAX, text);
	if (err < 0)
		return err_set(e, err, "cannot read %s: %s", path, strerror(-err));
	return pkg_dpkg_md5sums(r, owner, (const char *)text->data, text->len, path, e);
}

/* The directory of what each package has brought: *ret is the caller's. */
static int open_info(int root_fd, DIR **ret)
{
	_cleanup_close_ int parent = -1;
	const char *name;
	int fd, err = collect_open_dir(root_fd, INFO, strlen(INFO), &parent, &name);

	if (err < 0)
		return err;
	fd = collect_open(parent, name, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	*ret = fdopendir(fd);
	if (!*ret) {
		close(fd);
		return -ENOMEM;
	}
	return 0;
}

static int read_info(struct pkg_reader *r, struct err *e)
{
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *de;
	struct buf text;
	int err = open_info(r->root_fd, &d);

	if (err < 0)
		return err;
	buf_init(&text, MD5SUMS_MAX);
	while (err == 0 && (de = readdir(d)))
		err = read_one(r, de->d_name, &text, e);
	buf_done(&text);
	return err;
}

int pkg_dpkg_each(struct pkg_reader *r, struct err *e)
{
	struct divert d = { .fn = r->fn, .info = r->info, .ctx = r->ctx };
	int err;

	buf_init(&d.text, 2 * DIVERSIONS_MAX);
	err = load_diversions(r, &d.text);
	r->fn = handed_out;
	r->info = d.info ? handed_info : NULL;
	r->ctx = &d;
	if (err == 0)
		err = read_status(r, e);
	if (err == 0)
		err = read_info(r, e);
	r->fn = d.fn;
	r->info = d.info;
	r->ctx = d.ctx;
	buf_done(&d.text);
	return err;
}

/* ---- what has no digest ---------------------------------------------------------------------------------------------- */

/* A line of its own. */
static bool has_line(const struct buf *text, const char *path, size_t len)
{
	const char *p = (const char *)text->data, *end = p + text->len, *at = p;

	while ((size_t)(end - at) >= len) {
		at = memmem(at, (size_t)(end - at), path, len);
		if (!at)
			return false;
		if ((at == p || at[-1] == '\n') && (at + len == end || at[len] == '\n'))
			return true;
		at++;
	}
	return false;
}

int pkg_dpkg_lists(int root_fd, const char *path, size_t len)
{
	bool merged = len > 5 && memcmp(path, "/usr/", 5) == 0; /* known by its name from before the two were merged */
	_cleanup_closedir_ DIR *d = NULL;
	struct dirent *de;
	struct buf text;
	char list[512];
	int found = open_info(root_fd, &d);

	if (found < 0)
		return found;
	buf_init(&text, MD5SUMS_MAX);
	while (!found && (de = readdir(d))) {
		size_t n = strlen(de->d_name);

		if (n < 5 || strcmp(de->d_name + n - 5, ".list") != 0 ||
		    snprintf(list, sizeof(list), INFO "/%s", de->d_name) >= (int)sizeof(list))
			continue;
		buf_reset(&text);
		if (pkg_read_file(root_fd, list, MD5SUMS_MAX, &text) == 0 && text.len)
			found = has_line(&text, path, len) || (merged && has_line(&text, path + 4, len - 4));
	}
	buf_done(&text);
	return found;
}
