/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/cli.h"
#include "policy-compiler/filter.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/jsonw.h"

int cli_usage(const char *command, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "tamisc %s: ", command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\ntry: tamisc %s --help\n", command);
	return CLI_USAGE;
}

int cli_fail(const char *fmt, ...)
{
	va_list ap;

	fputs("tamisc: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CLI_FAILED;
}

void cli_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int cli_help(const char *command)
{
	for (const struct cli_command *c = cli_commands; c->name; c++)
		if (strcmp(c->name, command) == 0)
			printf("usage: tamisc %s %s\n\n%s.\n%s%s", c->name, c->args, c->what, *c->help ? "\n" : "",
			       c->help);
	return CLI_OK;
}

/* ---- diagnostics ------------------------------------------------------------------------------------------------- */

void cli_print_diags(struct diags *d)
{
	bool colour = isatty(STDERR_FILENO) && !getenv("NO_COLOR");

	diags_sort(d);
	for (size_t i = 0; i < d->n; i++)
		diag_print(stderr, &d->v[i], colour);
	if (d->errors + d->warnings > d->n)
		fprintf(stderr, "tamisc: %zu more are not shown\n", d->errors + d->warnings - d->n);
}

static void diag_json(struct jsonw *w, const struct diag *d)
{
	uint32_t line = 0, col = 0, off, len;

	if (d->at.src)
		span_place(d->at, &line, &col, &off, &len);
	jsonw_obj_begin(w);
	jsonw_member_u64(w, "column", col);
	jsonw_member_u64(w, "end", d->at.src ? (uint64_t)d->at.off + d->at.len : 0);
	jsonw_member_str(w, "file", d->at.src ? d->at.src->path : "");
	if (d->fix) {
		jsonw_member_str(w, "fix", d->fix);
	}
	if (d->help) {
		jsonw_member_str(w, "help", d->help);
	}
	jsonw_member_str(w, "level", diag_level_name(d->level));
	jsonw_member_u64(w, "line", line);
	if (d->lint) {
		jsonw_member_str(w, "lint", d->lint);
	}
	jsonw_member_u64(w, "start", d->at.src ? d->at.off : 0);
	jsonw_member_str(w, "text", d->msg);
	jsonw_obj_end(w);
}

int cli_diags_json(struct diags *d, struct buf *out)
{
	struct jsonw w = jsonw_to(out);

	diags_sort(d);
	jsonw_arr_begin(&w);
	for (size_t i = 0; i < d->n; i++)
		diag_json(&w, &d->v[i]);
	jsonw_arr_end(&w);
	return buf_putc(out, '\n');
}

const char *cli_count_diags(const struct diags *d, char *buf, size_t size)
{
	snprintf(buf, size, "%zu error%s, %zu warning%s", d->errors, d->errors == 1 ? "" : "s", d->warnings,
		 d->warnings == 1 ? "" : "s");
	return buf;
}

/* ---- work -------------------------------------------------------------------------------------------------------- */

static const char *compat_version = FILTER_AGENT_VERSION;

int cli_set_compat(const char *command, const char *version)
{
	if (!filter_is_version(version))
		return cli_usage(command, "--compat-version: \"%s\" is no version such as 7.68", version);
	compat_version = version;
	return CLI_OK;
}

const char *cli_compat(void)
{
	return compat_version;
}

int cli_compile(char **paths, int n, struct diags *d, struct compile **ret)
{
	_cleanup_(compile_free) struct compile *c = NULL;
	int r = compile_new(catalog_tamis(), d, &c);

	if (r == 0)
		c->version = compat_version;
	for (int i = 0; i < n && r == 0; i++)
		r = compile_add(c, paths[i]);
	if (r == 0)
		r = compile_finish(c);
	if (r < 0) {
		cli_fail("%s while compiling", r == -ENOMEM ? "out of memory (a policy may take 1 GiB)" : strerror(-r));
		return r;
	}
	*ret = TAKE_PTR(c);
	return 0;
}

int cli_put(const struct buf *b)
{
	if (buf_error(b))
		return cli_fail("cannot make the output: %s", strerror(-buf_error(b)));
	if (fwrite(b->data, 1, b->len, stdout) != b->len || fflush(stdout) != 0)
		return cli_fail("cannot write the output: %s", strerror(errno));
	return CLI_OK;
}

int cli_workload(const char *path, struct workload **ret)
{
	struct workload_counts n;
	struct err err;

	if (!path)
		return CLI_OK;
	if (workload_read(catalog_tamis(), path, ret, &err) < 0)
		return cli_fail("%s", err.msg);
	n = workload_counts(*ret);
	cli_say("%s: %llu records, %u different strings", path, (unsigned long long)n.records, n.strings);
	if (n.bad || n.left)
		cli_say("%s: %llu records are no good, %llu strings had no room", path, (unsigned long long)n.bad,
			(unsigned long long)n.left);
	if (!n.all)
		cli_say("%s: made without --all: it has no more than some policy let through", path);
	return CLI_OK;
}
