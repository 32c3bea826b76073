/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/ctl/cmd_fim.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/log.h"
#include "lib/severity.h"
#include "sensor/ctl/fim_who.h"
#include "sensor/ctl/show.h"
#include "sensor/fim/diff.h"
#include "sensor/fim/pkg.h"
#include "sensor/fim/report.h"
#include "sensor/fim/show.h"

/* ---- the terminal -------------------------------------------------------------------------------------------------- */

static bool use_colour(void)
{
	return isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
}

static const char *colour_of(unsigned int severity)
{
	static const char *const colours[] = { "", "\033[2m", "\033[36m", "\033[33m", "\033[31m", "\033[1;31m" };

	return severity <= SEVERITY_CRITICAL && use_colour() ? colours[severity] : "";
}

static const char *plain(void)
{
	return use_colour() ? "\033[0m" : "";
}

static void put_out(struct buf *b)
{
	fwrite(b->data, 1, b->len, stdout);
	buf_reset(b);
}

/* A text in a column: its bytes are harmless, its width is that of its characters, as far as that can be told. */
static void put_padded(struct buf *b, const void *p, size_t n, size_t width)
{
	size_t at = b->len, columns = 0;

	show_quote(b, p, n);
	for (size_t i = at; i < b->len; i++)
		columns += (b->data[i] & 0xc0) != 0x80;
	for (; columns < width; columns++)
		buf_putc(b, ' ');
}

bool fim_named(const struct fim_args *a, const char *path, size_t len)
{
	for (int i = 0; i < a->argc; i++) {
		size_t n = strlen(a->argv[i]);

		while (n > 1 && a->argv[i][n - 1] == '/')
			n--;
		if (n == 1 && a->argv[i][0] == '/')
			return true;
		if (len >= n && memcmp(path, a->argv[i], n) == 0 && (len == n || path[n] == '/'))
			return true;
	}
	return a->argc == 0;
}

static int fail(const struct err *e)
{
	log_err("%s", e->msg);
	return FIM_ERROR;
}

/* ---- what a check found -------------------------------------------------------------------------------------------- */

static void put_package(struct buf *b, const struct change *c)
{
	static const char *const texts[] = { "",
					     "",
					     "as in package",
					     "content as in package",
					     "configuration of package",
					     "NOT as in package",
					     "not comparable with package" };

	if (c->package < PACKAGE_MATCHES)
		return;
	buf_printf(b, "  (%s ", texts[c->package]);
	show_quote(b, c->owner, c->owner_len);
	buf_putc(b, ')');
}

static void change_line(struct buf *b, const struct store_row *row, const struct change *c)
{
	char names[256];

	buf_printf(b, "%s%-8s%s  %-7s  ", colour_of(c->severity), severity_name(c->severity), plain(),
		   change_kind_name(c->kind));
	put_padded(b, row->path, row->path_len, c->kind == CHANGE_CHANGED || c->package >= PACKAGE_MATCHES ? 40 : 0);
	if (c->kind == CHANGE_CHANGED)
		buf_printf(b, "  %s", fact_mask_names(c->mask, names));
	put_package(b, c);
	buf_putc(b, '\n');
}

struct printing {
	struct fim_args *a;
	struct baseline *b;
	struct buf out, old, diff;
	bool diffs;
	uint64_t n;
};

static int print_json(struct printing *p, const struct store_row *row, struct change *c, const struct fact *old)
{
	struct jsonw w = jsonw_to(&p->out);

	show_change_json(&w, row->path, row->path_len, c, old, &p->diff);
	buf_putc(&p->out, '\n');
	return 0;
}

static void attr_line(struct buf *b, const char *name, const struct fact *f, uint32_t attr, const char *sign)
{
	size_t at;

	buf_printf(b, "    %s %-13s ", sign, name);
	at = b->len;
	show_attr(b, f, attr);
	if (b->len == at)
		buf_puts(b, "(none)");
	buf_putc(b, '\n');
}

/* Before and after, one line each, for people. */
static void print_attrs(struct buf *b, const struct change *c, const struct fact *old)
{
	struct fact now;
	bool has_now = c->fact_len && fact_read(c->fact, c->fact_len, &now) == 0;

	if (c->kind == CHANGE_CHANGED && c->mask & FACT_TYPE_CHANGED && old && has_now)
		buf_printf(b, "    - type          %s\n    + type          %s\n", fact_type_name(old->type),
			   fact_type_name(now.type));
	if (c->kind == CHANGE_CHANGED && c->mask & FACT_UNREADABLE && has_now)
		buf_printf(b, "    cannot be read: %s\n", fact_unread_name(now.unread));
	for (int i = 0; i < WATCH_ATTRS; i++) {
		const struct watch_attr_name *a = &watch_attr_names[i];

		if (c->kind == CHANGE_CHANGED && c->mask & a->attrs) {
			if (old)
				attr_line(b, a->name, old, a->attrs, "-");
			if (has_now)
				attr_line(b, a->name, &now, a->attrs, "+");
		} else if (c->kind != CHANGE_CHANGED &&
			   a->attrs & (WATCH_PERMISSIONS | WATCH_OWNER | WATCH_SIZE | WATCH_CONTENT | WATCH_TARGET)) {
			size_t at = b->len;

			attr_line(b, a->name,
				  has_now ? &now
				  : old	  ? old
					  : &(struct fact){ 0 },
				  a->attrs, has_now ? "+" : "-");
			if (b->len >= 7 && memcmp(b->data + b->len - 7, "(none)\n", 7) == 0)
				buf_truncate(b, at);
		}
	}
}

/* Line by line, so that a hostile text cannot do anything to the terminal. */
static void print_diff(struct buf *b, const struct buf *diff)
{
	const char *p = (const char *)diff->data, *end = p + diff->len;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((nl ? nl : end) - p);

		buf_puts(b, "    ");
		if (use_colour())
			buf_puts(b, *p == '+' ? "\033[32m" : *p == '-' ? "\033[31m" : *p == '@' ? "\033[36m" : "");
		for (const char *tab; (tab = memchr(p, '\t', n)); n -= (size_t)(tab + 1 - p), p = tab + 1) {
			show_quote(b, p, (size_t)(tab - p));
			buf_putc(b, '\t');
		}
		show_quote(b, p, n);
		buf_printf(b, "%s\n", plain());
		p += n + 1;
	}
}

static int print_change(void *ctx, const struct store_row *row, struct change *c, struct err *e)
{
	struct printing *p = ctx;
	const char *why = "";
	struct fact old;
	int r;

	if (p->diffs && !fim_named(p->a, (const char *)row->path, row->path_len))
		return 0;
	p->n++;
	r = diff_old_fact(p->b, row->path, row->path_len, &p->old, &old, e);
	if (r < 0)
		return r;
	buf_reset(&p->diff);
	if (p->diffs && r > 0) {
		r = diff_change(p->b, row->path, row->path_len, c, &old, &p->diff, &why, e);
		if (r < 0)
			return r;
		r = 1;
	}
	if (p->a->json) {
		print_json(p, row, c, r > 0 ? &old : NULL);
	} else {
		change_line(&p->out, row, c);
		if (p->diffs) {
			print_attrs(&p->out, c, r > 0 ? &old : NULL);
			print_diff(&p->out, &p->diff);
		}
	}
	if (buf_error(&p->out))
		return err_set(e, buf_error(&p->out), "a change is too large to be shown");
	put_out(&p->out);
	return 0;
}

static int print_all(struct fim_args *a, struct baseline *b, bool diffs, uint64_t *ret_n, struct err *e)
{
	struct printing p = { .a = a, .b = b, .diffs = diffs };
	int r;

	buf_init(&p.out, 64u << 20);
	buf_init(&p.old, STORE_ROW_MAX);
	buf_init(&p.diff, 8u << 20);
	r = baseline_each_change(b, print_change, &p, e);
	*ret_n = p.n;
	buf_done(&p.out);
	buf_done(&p.old);
	buf_done(&p.diff);
	return r;
}

/* The baseline for reading, with what its last check found; the policy is its own. */
static int open_for_reading(struct fim_args *a, struct baseline *b, struct err *e)
{
	int r = baseline_open(&a->o, STORE_READ, b, e);

	if (r == 0 && !b->has_head)
		r = err_set(e, -ENOENT, "there is no baseline yet; make one by tamisctl fim init --policy BUNDLE");
	return r;
}

int fim_print_changes(struct fim_args *a, struct err *e)
{
	struct baseline base = { .root_fd = -1 };
	_cleanup_(baseline_close) struct baseline *b = &base;
	uint64_t n;
	int r = open_for_reading(a, b, e);

	return r == 0 ? print_all(a, b, false, &n, e) : r;
}

int fim_cmd_diff(struct fim_args *a)
{
	struct baseline base = { .root_fd = -1 };
	_cleanup_(baseline_close) struct baseline *b = &base;
	struct err e = { "" };
	struct buf checked;
	uint64_t n = 0;
	int r = open_for_reading(a, b, &e);

	buf_init(&checked, 65536);
	if (r == 0)
		r = store_note_get(b->store, "checked", &checked, &e);
	buf_done(&checked);
	if (r == 0)
		r = err_set(&e, -ENOENT, "the baseline was not compared yet: run tamisctl fim check");
	if (r > 0)
		r = print_all(a, b, true, &n, &e);
	if (r < 0)
		return fail(&e);
	return n ? FIM_CHANGED : FIM_SAME;
}

/* ---- the summary --------------------------------------------------------------------------------------------------- */

static const char *count(uint64_t n)
{
	static char bufs[8][SHOW_MAX];
	static unsigned int at;

	return show_count(n, bufs[at++ % 8]);
}

void fim_print_summary(const struct baseline_counts *c, double seconds, uint64_t bytes)
{
	char speed[SHOW_MAX];

	if (c->resumed)
		log_info("went on with a check that was interrupted; --fresh begins anew");
	log_info("%s changed, %s added, %s removed of %s files, by the baseline of %s", count(c->changed),
		 count(c->added), count(c->removed), count(c->files), c->time);
	log_info("%s files looked at in %.1f s (%s/s, %s/s)", count(c->looked), seconds,
		 count((uint64_t)((double)c->looked / (seconds > 0 ? seconds : 1))),
		 show_bytes((uint64_t)((double)bytes / (seconds > 0 ? seconds : 1)), speed));
	if (c->unreadable || c->unknown)
		log_warn(
			"%s could not be looked at, and %s files of the baseline are in such directories: run it as root",
			count(c->unreadable), count(c->unknown));
	if (c->other_policy)
		log_warn("compared by other watches than those of the baseline");
	if (c->unwatched)
		log_warn("%s files of the baseline are named by no watch any more", count(c->unwatched));
	if (c->more_wanted)
		log_warn(
			"these watches compare more than the baseline has: make a new one by init --force to compare all");
}

void fim_print_unreadable_json(const char *path, size_t len, const char *why)
{
	struct jsonw w;
	struct buf b;

	buf_init(&b, 65536);
	w = jsonw_to(&b);
	jsonw_obj_begin(&w);
	jsonw_member_str(&w, "kind", "unreadable");
	jsonw_key(&w, "path");
	jsonw_str(&w, path, len);
	jsonw_member_str(&w, "why", why);
	jsonw_obj_end(&w);
	buf_putc(&b, '\n');
	put_out(&b);
	buf_done(&b);
}

void fim_print_summary_json(const struct baseline_counts *c)
{
	char time[SEAL_TIME_MAX + 2];
	/* in order of their names */
	const struct {
		const char *name;
		uint64_t n;
		const char *text; /* or a text, or "true" and "false" for a flag */
	} members[] = { { "added", c->added, NULL },
			{ "changed", c->changed, NULL },
			{ "edited", c->edited, NULL },
			{ "files", c->files, NULL },
			{ "kind", 0, "\"summary\"" },
			{ "looked", c->looked, NULL },
			{ "other_policy", 0, c->other_policy ? "true" : "false" },
			{ "removed", c->removed, NULL },
			{ "resumed", 0, c->resumed ? "true" : "false" },
			{ "root_bad", 0, c->root_bad ? "true" : "false" },
			{ "skipped", c->skipped, NULL },
			{ "texts", c->texts, NULL },
			{ "time", 0, time },
			{ "unknown", c->unknown, NULL },
			{ "unreadable", c->unreadable, NULL },
			{ "unwatched", c->unwatched, NULL } };
	struct jsonw w;
	struct buf b;

	snprintf(time, sizeof(time), "\"%s\"", c->time);
	buf_init(&b, 65536);
	w = jsonw_to(&b);
	jsonw_obj_begin(&w);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		jsonw_key(&w, members[i].name);
		if (members[i].text)
			jsonw_raw(&w, members[i].text, strlen(members[i].text));
		else
			jsonw_u64(&w, members[i].n);
	}
	jsonw_obj_end(&w);
	buf_putc(&b, '\n');
	put_out(&b);
	buf_done(&b);
}

/* ---- list ---------------------------------------------------------------------------------------------------------- */

static void list_line(struct buf *b, const struct store_row *row, const struct fact *f)
{
	static const char types[] = "?-dlpscb";
	char mode[10], hex[17] = "-";

	show_mode(f->mode, mode);
	if (f->hashed)
		hash_hex(f->sha256, 8, hex);
	buf_printf(b, "%c%s %5u %5u %12" PRIu64 " %-16s ", types[f->type], mode, f->uid, f->gid, f->size, hex);
	show_quote(b, row->path, row->path_len);
	if (f->type == FACT_LINK) {
		buf_puts(b, " -> ");
		show_quote(b, f->target, f->target_len);
	}
	buf_putc(b, '\n');
}

static int list_row(struct fim_args *a, const struct store_row *row, struct buf *out, struct err *e)
{
	struct jsonw w = jsonw_to(out);
	struct fact f;

	if (!fim_named(a, (const char *)row->path, row->path_len))
		return 0;
	if (fact_read(row->value, row->len, &f) < 0)
		return err_set(e, -EBADMSG,
			       "a row of the baseline is damaged: restore it from a copy, or begin anew: init --force");
	if (a->json) {
		jsonw_obj_begin(&w);
		jsonw_key(&w, "file");
		show_fact_json(&w, &f, WATCH_ALL);
		jsonw_key(&w, "path");
		jsonw_str(&w, row->path, row->path_len);
		jsonw_obj_end(&w);
		buf_putc(out, '\n');
	} else {
		list_line(out, row, &f);
	}
	put_out(out);
	return 0;
}

/* First it is seen whether the rows are those that were signed: a list that is wrong is worse than none. */
int fim_cmd_list(struct fim_args *a)
{
	struct baseline base = { .root_fd = -1 };
	_cleanup_(baseline_close) struct baseline *b = &base;
	_cleanup_(store_iter_close) struct store_iter *it = NULL;
	struct err e = { "" };
	struct store_row row;
	struct buf out;
	int r = open_for_reading(a, b, &e);

	buf_init(&out, 16u << 20);
	if (r == 0)
		r = baseline_verify(b, NULL, &e);
	if (r == 0)
		r = store_iter_open(b->store, STORE_FILES, NULL, 0, &it, &e);
	while (r == 0 && (r = store_iter_next(it, &row, &e)) > 0)
		r = list_row(a, &row, &out, &e);
	buf_done(&out);
	store_iter_close(it);
	it = NULL;
	return r < 0 ? fail(&e) : FIM_SAME;
}

/* ---- verify-packages ----------------------------------------------------------------------------------------------- */

#define JOBS	   512
#define JOB_THREAD 32 /* files that are worth a thread */

struct job {
	struct pkg_file file; /* path and owner: owned */
	int result;
};

/* Files are gathered, then looked at by several threads, then told of in their order. */
struct verifying {
	struct fim_args *a;
	int root_fd;
	uint64_t files, differ, missing, unreadable, conffiles;
	struct buf out;
	struct job jobs[JOBS];
	size_t n;
	atomic_size_t next;
};

static void verify_line(struct verifying *v, const struct pkg_file *f, const char *kind, unsigned int severity)
{
	struct jsonw w = jsonw_to(&v->out);

	if (v->a->json) {
		jsonw_obj_begin(&w);
		jsonw_member_str(&w, "kind", kind);
		jsonw_member_str(&w, "package", f->owner);
		jsonw_key(&w, "path");
		jsonw_str(&w, f->path, f->len);
		jsonw_obj_end(&w);
	} else {
		buf_printf(&v->out, "%s%-10s%s  ", colour_of(severity), kind, plain());
		put_padded(&v->out, f->path, f->len, 50);
		buf_puts(&v->out, "  ");
		show_quote(&v->out, f->owner, strlen(f->owner));
	}
	buf_putc(&v->out, '\n');
	put_out(&v->out);
}

static void verify_judge(struct verifying *v, const struct pkg_file *f, int r)
{
	if (r == 0 || ((r == -ENOENT || r == -ENOTDIR) && f->may_miss))
		return;
	if (r == -ENOENT || r == -ENOTDIR) {
		v->missing++;
		verify_line(v, f, "missing", SEVERITY_LOW);
	} else if (r < 0 && r != -ELOOP) {
		v->unreadable++;
		verify_line(v, f, "unreadable", SEVERITY_LOW);
	} else if (f->conffile) {
		v->conffiles++;
		verify_line(v, f, "conffile", SEVERITY_INFO);
	} else {
		v->differ++;
		verify_line(v, f, "differs", SEVERITY_HIGH);
	}
}

static void *verify_work(void *arg)
{
	struct verifying *v = arg;
	size_t i;

	while ((i = atomic_fetch_add(&v->next, 1)) < v->n)
		v->jobs[i].result = pkg_verify(v->root_fd, &v->jobs[i].file);
	return NULL;
}

static void verify_jobs(struct verifying *v)
{
	unsigned int n = (unsigned int)(v->n / JOB_THREAD), started = 0;
	pthread_t threads[SCAN_WORKERS_MAX];

	if (n >= scan_cores())
		n = scan_cores() - 1; /* this thread is one of them */
	atomic_store(&v->next, 0);
	while (started < n && pthread_create(&threads[started], NULL, verify_work, v) == 0)
		started++;
	verify_work(v);
	while (started)
		pthread_join(threads[--started], NULL);
	for (size_t i = 0; i < v->n; i++) {
		struct pkg_file *f = &v->jobs[i].file;

		verify_judge(v, f, v->jobs[i].result);
		free((char *)(uintptr_t)f->path);
		free((char *)(uintptr_t)f->owner);
	}
	v->n = 0;
}

static int verify_one(void *ctx, const struct pkg_file *f)
{
	struct verifying *v = ctx;
	struct job *j = &v->jobs[v->n];

	if (!fim_named(v->a, f->path, f->len))
		return 0;
	j->file = *f;
	j->file.path = strndup(f->path, f->len);
	j->file.owner = strdup(f->owner);
	v->n++;
	v->files++;
	if (!j->file.path || !j->file.owner) {
		v->n--;
		free((char *)(uintptr_t)j->file.path);
		free((char *)(uintptr_t)j->file.owner);
		return -ENOMEM;
	}
	if (v->n == JOBS)
		verify_jobs(v);
	return 0;
}

int fim_cmd_verify(struct fim_args *a)
{
	_cleanup_close_ int root = open(a->o.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ struct verifying *v = calloc(1, sizeof(*v));
	uint64_t packages = 0;
	struct err e = { "" };
	int r;

	if (root < 0 || !v) {
		log_err("cannot open %s: %s", a->o.root, strerror(errno));
		return FIM_ERROR;
	}
	v->a = a;
	v->root_fd = root;
	buf_init(&v->out, 1 << 20);
	r = pkg_each(root, verify_one, v, &packages, &e);
	verify_jobs(v);
	buf_done(&v->out);
	if (r < 0)
		return *e.msg ? fail(&e) : (log_err("cannot read the package databases: %s", strerror(-r)), FIM_ERROR);
	if (!packages) {
		log_err("%s has no dpkg or rpm database", a->o.root);
		return FIM_ERROR;
	}
	if (!a->quiet && !a->json)
		log_info(
			"%s files of %s packages: %s differ, %s missing, %s configuration files changed, %s unreadable",
			count(v->files), count(packages), count(v->differ), count(v->missing), count(v->conffiles),
			count(v->unreadable));
	return v->differ || v->missing ? FIM_CHANGED : FIM_SAME;
}

/* ---- report -------------------------------------------------------------------------------------------------------- */

int fim_cmd_report(struct fim_args *a)
{
	struct baseline base = { .root_fd = -1 };
	_cleanup_(baseline_close) struct baseline *b = &base;
	_cleanup_(fim_who_close) struct fim_who *who = NULL;
	struct report_log log;
	struct err e = { "" };
	int r;

	if (!a->html) {
		log_err("say where the report goes: --html FILE");
		return FIM_ERROR;
	}
	r = open_for_reading(a, b, &e);
	if (r == 0)
		r = fim_who_open(b, a->state_dir, &who, &log, &e);
	if (r == 0)
		r = report_html(b, a->html, &log, &e);
	if (r < 0)
		return fail(&e);
	if (!a->quiet)
		log_info("%s is written: one page, which needs no network", a->html);
	return FIM_SAME;
}
