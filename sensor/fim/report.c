/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/report_impl.h"
#include "lib/severity.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "sensor/fim/diff.h"
#include "sensor/fim/report_page.h"
#include "sensor/fim/show.h"

#define TALLY_SHOW 15
#define OUT_MAX	   (64u << 20)
#define FLUSH	   (256u << 10)

/* ---- text ---------------------------------------------------------------------------------------------------------- */

void report_text(struct report *r, const void *p, size_t n)
{
	buf_reset(&r->text);
	show_quote(&r->text, p, n);
	for (size_t i = 0; i < r->text.len; i++) {
		uint8_t c = r->text.data[i];

		switch (c) {
		case '<':
			buf_puts(&r->out, "&lt;");
			break;
		case '>':
			buf_puts(&r->out, "&gt;");
			break;
		case '&':
			buf_puts(&r->out, "&amp;");
			break;
		case '"':
			buf_puts(&r->out, "&quot;");
			break;
		case '\'':
			buf_puts(&r->out, "&#39;");
			break;
		default:
			buf_putc(&r->out, c);
		}
	}
}

void report_cstr(struct report *r, const char *s)
{
	report_text(r, s, strlen(s));
}

static void put_count(struct report *r, uint64_t n)
{
	char digits[32];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			buf_putc(&r->out, ',');
		buf_putc(&r->out, (uint8_t)digits[i]);
	}
}

static int flush(struct report *r, size_t unless_below, struct err *e)
{
	size_t at = 0;

	if (buf_error(&r->out))
		return err_set(e, buf_error(&r->out), "the report does not fit in memory");
	if (r->out.len < unless_below)
		return 0;
	while (at < r->out.len) {
		ssize_t n = write(r->fd, r->out.data + at, r->out.len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, -errno, "cannot write the report: %s", strerror(errno));
		at += (size_t)n;
	}
	buf_reset(&r->out);
	return 0;
}

/* ---- counting ------------------------------------------------------------------------------------------------------ */

/* "/usr/bin" of "/usr/bin/x/y", "/etc" of "/etc/passwd" */
static size_t dir_of(const char *path, size_t len)
{
	size_t end = 0;
	int depth = 0;

	for (size_t i = 1; i < len && depth < 2; i++)
		if (path[i] == '/') {
			end = i;
			depth++;
		}
	return end ? end : 1;
}

static struct tally *find_tally(struct tallies *t, const char *name, size_t n)
{
	static const char rest[] = "everything else";

	if (n >= sizeof(t->v[0].name))
		n = sizeof(t->v[0].name) - 1;
	for (size_t i = 0; i < t->n; i++)
		if (strlen(t->v[i].name) == n && memcmp(t->v[i].name, name, n) == 0)
			return &t->v[i];
	if (t->n == TALLY_MAX)
		return &t->v[TALLY_MAX - 1];
	if (t->n == TALLY_MAX - 1) {
		name = rest;
		n = strlen(rest);
	}
	memcpy(t->v[t->n].name, name, n);
	return &t->v[t->n++];
}

static void count(struct tallies *t, const char *name, size_t n, unsigned int severity)
{
	struct tally *one = find_tally(t, name, n);

	one->n++;
	one->by_severity[severity]++;
}

static void count_doer(struct report *r, const struct store_row *row, unsigned int severity)
{
	const struct report_alert *a = r->log->brief(r->log->ctx, row->path, row->path_len);
	char name[256];

	if (!a || !*a->program)
		snprintf(name, sizeof(name), "%s", a ? "nobody was watching" : "not known");
	else
		snprintf(name, sizeof(name), "%.150s%s%.40s%s%.40s", a->program, *a->user ? ", user " : "", a->user,
			 *a->container ? ", container " : "", a->container);
	count(&r->doers, name, strlen(name), severity);
}

static int count_one(void *ctx, const struct store_row *row, struct change *c, struct err *e)
{
	struct report *r = ctx;

	r->total++;
	r->kinds[c->kind]++;
	r->by_severity[c->severity]++;
	r->packages[c->package]++;
	count(&r->dirs, (const char *)row->path, dir_of((const char *)row->path, row->path_len), c->severity);
	if (r->log && !r->log->why)
		count_doer(r, row, c->severity);
	return 0;
}

static int by_count(const void *a, const void *b)
{
	const struct tally *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* ---- the top of the page ------------------------------------------------------------------------------------------- */

static void put_card(struct report *r, uint64_t n, const char *what)
{
	buf_puts(&r->out, "<div class=card><b>");
	put_count(r, n);
	buf_printf(&r->out, "</b><span class=dim>%s</span></div>\n", what);
}

static void put_bar(struct report *r, const uint64_t *by_severity, uint64_t n, uint64_t of)
{
	buf_puts(&r->out, "<div class=bar>");
	for (unsigned int s = SEVERITY_CRITICAL; n && s >= SEVERITY_INFO; s--)
		if (by_severity[s])
			buf_printf(&r->out, "<i class=f%u style=\"width:%.2f%%\"></i>", s,
				   100.0 * (double)by_severity[s] / (double)of);
	buf_puts(&r->out, "</div>");
}

static void put_severities(struct report *r)
{
	buf_puts(&r->out, "<h2>By severity</h2>\n");
	put_bar(r, r->by_severity, r->total, r->total ? r->total : 1);
	buf_puts(&r->out, "<div class=legend>");
	for (unsigned int s = SEVERITY_CRITICAL; s >= SEVERITY_INFO; s--) {
		buf_printf(&r->out, "<span class=c%u><em>%s ", s, severity_name(s));
		put_count(r, r->by_severity[s]);
		buf_puts(&r->out, "</em></span>");
	}
	buf_puts(&r->out, "</div>\n");
}

static void put_tallies(struct report *r, struct tallies *t, const char *title, const char *of)
{
	qsort(t->v, t->n, sizeof(t->v[0]), by_count);
	buf_printf(&r->out, "<h2>%s</h2>\n<table class=dirs>\n", title);
	for (size_t i = 0; i < t->n && i < TALLY_SHOW; i++) {
		const struct tally *one = &t->v[i];

		buf_puts(&r->out, "<tr><td class=path>");
		report_cstr(r, one->name);
		buf_puts(&r->out, "</td><td>");
		put_count(r, one->n);
		buf_puts(&r->out, "</td><td>");
		put_bar(r, one->by_severity, one->n, t->v[0].n);
		buf_puts(&r->out, "</td></tr>\n");
	}
	if (t->n > TALLY_SHOW)
		buf_printf(&r->out, "<tr><td class=dim>%zu more %s</td><td></td><td></td></tr>\n", t->n - TALLY_SHOW,
			   of);
	buf_puts(&r->out, "</table>\n");
}

static void put_doers(struct report *r)
{
	if (r->log && r->log->why) {
		buf_puts(&r->out, "<h2>By whom</h2>\n<p class=dim>Not known: ");
		report_cstr(r, r->log->why);
		buf_puts(&r->out, "</p>\n");
	} else if (r->log) {
		put_tallies(r, &r->doers, "By whom", "of others");
	}
}

static void put_banner(struct report *r, const json_t *checked)
{
	json_int_t unreadable = json_integer_value(json_object_get(checked, "unreadable"));

	if (r->root_bad) {
		buf_puts(&r->out,
			 "<div class=\"banner bad\"><b>The baseline was edited.</b> What follows is worth little. ");
		report_cstr(r, r->why_bad);
		buf_puts(&r->out, "</div>\n");
	} else {
		buf_puts(&r->out,
			 "<div class=\"banner good\">The baseline is whole: its rows are those that were signed by "
			 "key <code>");
		report_cstr(r, sig_key_id(r->b->seal.key));
		buf_puts(&r->out, "</code>.</div>\n");
	}
	if (unreadable)
		buf_printf(
			&r->out,
			"<div class=\"banner bad\">%lld files or directories could not be looked at: nothing is known of "
			"them.</div>\n",
			(long long)unreadable);
	if (!r->total && !r->root_bad)
		buf_puts(&r->out, "<div class=\"banner good\">No file has changed.</div>\n");
}

static void put_top(struct report *r, const json_t *checked)
{
	const char *time = json_string_value(json_object_get(checked, "time"));
	struct utsname un;

	if (uname(&un) < 0)
		strcpy(un.nodename, "this host");
	buf_puts(&r->out, REPORT_HEAD "<title>File integrity of ");
	report_cstr(r, un.nodename);
	buf_puts(&r->out, "</title>\n" REPORT_STYLE "</head>\n<body>\n<main>\n<h1>File integrity of ");
	report_cstr(r, un.nodename);
	buf_puts(&r->out, "</h1>\n<div class=dim>Checked ");
	report_cstr(r, time ? time : "?");
	buf_puts(&r->out, " against the baseline of ");
	report_cstr(r, r->b->head.time);
	buf_puts(&r->out, "</div>\n");
	put_banner(r, checked);
	buf_puts(&r->out, "<div class=cards>\n");
	put_card(r, r->kinds[CHANGE_CHANGED], "changed");
	put_card(r, r->kinds[CHANGE_ADDED], "added");
	put_card(r, r->kinds[CHANGE_REMOVED], "removed");
	put_card(r, r->packages[PACKAGE_MATCHES], "match their package");
	put_card(r, r->packages[PACKAGE_DIFFERS], "differ from their package");
	put_card(r, r->b->head.files, "files in the baseline");
	buf_puts(&r->out, "</div>\n");
	if (!r->total)
		return;
	put_severities(r);
	put_tallies(r, &r->dirs, "By directory", "directories");
	put_doers(r);
}

static void put_tools(struct report *r)
{
	buf_puts(&r->out,
		 "<h2>Changes</h2>\n<div class=tools><input id=q type=search placeholder=\"Search paths, attributes, "
		 "packages, who did it\" aria-label=Search>");
	for (unsigned int s = SEVERITY_CRITICAL; s >= SEVERITY_INFO; s--)
		if (r->by_severity[s])
			buf_printf(&r->out, "<button data-key=s%u aria-pressed=true class=c%u>%s</button>", s, s,
				   severity_name(s));
	for (unsigned int k = 1; k < CHANGE_KINDS; k++)
		if (r->kinds[k])
			buf_printf(&r->out, "<button data-key=%s aria-pressed=true>%s</button>", change_kind_name(k),
				   change_kind_name(k));
	buf_puts(&r->out, "<button id=open>Open or close all</button><span class=dim id=shown></span></div>\n");
}

/* ---- one change ---------------------------------------------------------------------------------------------------- */

static void put_value(struct report *r, const struct fact *f, uint32_t attr)
{
	struct buf value;

	buf_init(&value, FACT_SIZE_MAX * 4);
	if (f)
		show_attr(&value, f, attr);
	buf_puts(&r->out, "<td>");
	if (value.len)
		/* what show_attr makes is quoted already: the second time it would be quoted twice */
		for (size_t i = 0; i < value.len; i++) {
			uint8_t c = value.data[i];

			if (c == '<' || c == '>' || c == '&' || c == '"' || c == '\'')
				buf_printf(&r->out, "&#%u;", c);
			else
				buf_putc(&r->out, c);
		}
	else
		buf_puts(&r->out, "<span class=dim>&ndash;</span>");
	buf_puts(&r->out, "</td>");
	buf_done(&value);
}

static void put_attrs(struct report *r, const struct change *c, const struct fact *old, const struct fact *now)
{
	const uint32_t shown = WATCH_PERMISSIONS | WATCH_OWNER | WATCH_GROUP | WATCH_SIZE | WATCH_MTIME |
			       WATCH_CONTENT | WATCH_TARGET | WATCH_CAPABILITIES;
	uint32_t mask = c->kind == CHANGE_CHANGED && !(c->mask & FACT_TYPE_CHANGED) ? c->mask : shown;

	buf_puts(&r->out, "<table class=attrs><thead><tr><th></th><th>Before</th><th>Now</th></tr></thead><tbody>\n");
	if (!old || !now || old->type != now->type)
		buf_printf(&r->out, "<tr><th>type</th><td>%s</td><td>%s</td></tr>\n",
			   old ? fact_type_name(old->type) : "&ndash;", now ? fact_type_name(now->type) : "&ndash;");
	if (now && now->unread)
		buf_printf(&r->out, "<tr><th>cannot be read</th><td></td><td>%s</td></tr>\n",
			   fact_unread_name(now->unread));
	for (int i = 0; i < WATCH_ATTRS; i++) {
		uint32_t attr = watch_attr_names[i].attrs;
		size_t at = r->out.len, n;

		if (!(mask & attr))
			continue;
		buf_printf(&r->out, "<tr><th>%s</th>", watch_attr_names[i].name);
		n = r->out.len;
		put_value(r, old, attr);
		put_value(r, now, attr);
		if (c->kind != CHANGE_CHANGED &&
		    r->out.len - n == 2 * strlen("<td><span class=dim>&ndash;</span></td>"))
			buf_truncate(&r->out, at); /* neither has it */
		else
			buf_puts(&r->out, "</tr>\n");
	}
	buf_puts(&r->out, "</tbody></table>\n");
}

static void put_diff(struct report *r)
{
	const char *p = (const char *)r->diff.data, *end;

	if (!r->diff.len)
		return;
	end = p + r->diff.len;
	buf_puts(&r->out, "<pre>");
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((nl ? nl : end) - p);
		const char *class = *p == '+' ? " class=a" : *p == '-' ? " class=d" : *p == '@' ? " class=h" : "";

		buf_printf(&r->out, "<span%s>", class);
		for (const char *tab; (tab = memchr(p, '\t', n)); n -= (size_t)(tab + 1 - p), p = tab + 1) {
			report_text(r, p, (size_t)(tab - p));
			buf_putc(&r->out, '\t');
		}
		report_text(r, p, n);
		buf_puts(&r->out, n ? "</span>" : " </span>");
		p += n + 1;
	}
	buf_puts(&r->out, "</pre>\n");
}

static void put_summary(struct report *r, const struct store_row *row, const struct change *c)
{
	static const char *const packages[] = { "",
						"",
						"as in package ",
						"content as in package ",
						"configuration of package ",
						"not as in package ",
						"package " };
	char names[256];

	buf_printf(&r->out,
		   "<details data-sev=s%u data-kind=%s><summary><span class=\"sev c%u\">%s</span><span>%s</span><span "
		   "class=path>",
		   c->severity, change_kind_name(c->kind), c->severity, severity_name(c->severity),
		   change_kind_name(c->kind));
	report_text(r, row->path, row->path_len);
	buf_puts(&r->out, "</span><span class=what>");
	if (c->kind == CHANGE_CHANGED)
		buf_printf(&r->out, "%s", fact_mask_names(c->mask, names));
	if (c->package >= PACKAGE_MATCHES) {
		buf_printf(&r->out, "%s%s", c->kind == CHANGE_CHANGED ? " &middot; " : "", packages[c->package]);
		report_text(r, c->owner, c->owner_len);
	}
	buf_puts(&r->out, "</span>");
	if (r->log && !r->log->why)
		report_who_brief(r, r->log->brief(r->log->ctx, row->path, row->path_len));
	buf_puts(&r->out, "</summary>\n<div class=body>");
}

static void put_who(struct report *r, const struct store_row *row, const struct change *c, const struct fact *now)
{
	_cleanup_free_ char *text =
		r->log && !r->log->why ? r->log->alert(r->log->ctx, row->path, row->path_len) : NULL;
	json_t *alert = text ? json_loads(text, 0, NULL) : NULL;

	if (r->log && !r->log->why)
		report_who(r, alert, c, now);
	json_decref(alert);
}

static int put_change(void *ctx, const struct store_row *row, struct change *c, struct err *e)
{
	struct report *r = ctx;
	struct fact old, now;
	const char *why;
	int has_old, err = 0;
	bool has_now;

	if (c->severity != r->severity || r->shown >= REPORT_CHANGES_MAX)
		return 0;
	r->shown++;
	has_old = diff_old_fact(r->b, row->path, row->path_len, &r->old, &old, e);
	if (has_old < 0)
		return has_old;
	has_now = c->fact_len && fact_read(c->fact, c->fact_len, &now) == 0;
	buf_reset(&r->diff);
	if (has_old)
		err = diff_change(r->b, row->path, row->path_len, c, &old, &r->diff, &why, e);
	if (err < 0)
		return err;
	put_summary(r, row, c);
	put_attrs(r, c, has_old ? &old : NULL, has_now ? &now : NULL);
	put_diff(r);
	put_who(r, row, c, has_now ? &now : NULL);
	buf_puts(&r->out, "<div class=dim style=\"margin-top:10px\">watch ");
	report_text(r, c->watch, c->watch_len);
	buf_puts(&r->out, "</div></div></details>\n");
	return flush(r, FLUSH, e);
}

/* ---- the page ------------------------------------------------------------------------------------------------------ */

static int put_page(struct report *r, const json_t *checked, struct err *e)
{
	char hex[HASH_HEX_SIZE];
	int err = baseline_each_change(r->b, count_one, r, e);

	if (err < 0)
		return err;
	put_top(r, checked);
	if (r->total)
		put_tools(r);
	for (unsigned int s = SEVERITY_CRITICAL + 1; s-- > 0 && err == 0;) {
		r->severity = s;
		if (r->by_severity[s])
			err = baseline_each_change(r->b, put_change, r, e);
	}
	if (err < 0)
		return err;
	if (r->shown < r->total)
		buf_printf(&r->out,
			   "<p class=dim>%" PRIu64 " more changes are not shown: tamisctl fim diff lists all.</p>\n",
			   r->total - r->shown);
	hash_hex(r->b->head.root, HASH_SIZE, hex);
	buf_printf(&r->out,
		   "<footer>Tamis " TAMIS_VERSION ". Merkle root of the baseline: <code>%s</code></footer>\n"
		   "</main>\n",
		   hex);
	if (r->total)
		buf_puts(&r->out, REPORT_SCRIPT);
	buf_puts(&r->out, "</body>\n</html>\n");
	return flush(r, 0, e);
}

static int make(struct report *r, struct err *e)
{
	struct buf note;
	struct err bad = { "" };
	json_t *checked = NULL;
	int err;

	buf_init(&note, 65536);
	err = store_note_get(r->b->store, "checked", &note, e);
	if (err == 0)
		err = err_set(e, -ENOENT, "the baseline was not compared yet: run tamisctl fim check");
	if (err > 0) {
		checked = json_loadb((const char *)note.data, note.len, 0, NULL);
		err = baseline_verify(r->b, NULL, &bad);
		r->root_bad = err == -EKEYREJECTED;
		snprintf(r->why_bad, sizeof(r->why_bad), "%s", bad.msg);
		err = err == -EKEYREJECTED ? 0 : err < 0 ? err_set(e, err, "%s", bad.msg) : 0;
	}
	if (err == 0)
		err = put_page(r, checked, e);
	json_decref(checked);
	buf_done(&note);
	return err;
}

static int make_file(struct report *r, const char *path, struct err *e)
{
	_cleanup_free_ char *tmp = NULL;
	_cleanup_close_ int fd = -1;
	int err;

	if (asprintf(&tmp, "%s.XXXXXX", path) < 0) {
		tmp = NULL;
		return err_set(e, -ENOMEM, "out of memory");
	}
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return err_set(e, -errno, "cannot create %s: %s", path, strerror(errno));
	r->fd = fd;
	err = make(r, e);
	/* it tells what is on this host: for its owner, like the baseline */
	if (err == 0 && (fsync(fd) < 0 || rename(tmp, path) < 0))
		err = err_set(e, -errno, "cannot write %s: %s", path, strerror(errno));
	if (err < 0)
		unlink(tmp);
	return err;
}

int report_html(struct baseline *b, const char *path, const struct report_log *log, struct err *e)
{
	_cleanup_free_ struct report *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return err_set(e, -ENOMEM, "out of memory");
	r->b = b;
	r->log = log;
	r->fd = -1;
	buf_init(&r->out, OUT_MAX);
	buf_init(&r->old, STORE_ROW_MAX);
	buf_init(&r->diff, 8u << 20);
	buf_init(&r->text, OUT_MAX);
	buf_init(&r->name, OUT_MAX);
	err = make_file(r, path, e);
	buf_done(&r->out);
	buf_done(&r->old);
	buf_done(&r->diff);
	buf_done(&r->text);
	buf_done(&r->name);
	return err;
}
