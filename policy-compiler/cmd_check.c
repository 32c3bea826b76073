/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>

#include "policy-compiler/cli.h"
#include "policy-compiler/judge.h"
#include "policy-compiler/lint.h"

#define JSON_MAX (64u << 20)

static void say_summary(const struct compile *c, const struct diags *d)
{
	char counts[64], watches[64] = "";
	size_t ok = 0;

	for (size_t i = 0; i < c->nrules; i++)
		ok += c->rules[i]->ok;
	if (c->watches.n)
		snprintf(watches, sizeof(watches), ", %zu watch%s", c->watches.n, c->watches.n == 1 ? "" : "es");
	cli_say("%zu rule%s%s, %zu switched off, %zu for other systems; %s", ok, ok == 1 ? "" : "s", watches,
		c->ndisabled, c->nskipped, cli_count_diags(d, counts, sizeof(counts)));
}

/* What became of the rules of one file. */
struct tally {
	size_t fires, unseen, never, disabled, errors, filtered;
};

static struct tally tally_of(const struct compile *c, const struct policy *p)
{
	struct tally t = { 0 };

	for (size_t i = 0, n; i < c->nrules; i += n) {
		const struct compile_rule *r = c->rules[i];
		enum sight sight;
		bool ok;

		n = judge_group(c, i, &ok, &sight);
		if (r->def->policy != p)
			continue;
		t.filtered += r->ok && program_view(c->builder).rules[r->number].filter;
		if (ok)
			(*(sight == SIGHT_FIRES ? &t.fires : sight == SIGHT_UNSEEN ? &t.unseen : &t.never))++;
		else
			(*(r->disabled ? &t.disabled : &t.errors))++;
	}
	return t;
}

static void say_file(const struct compile *c, const struct policy *p)
{
	struct tally t = tally_of(c, p);
	char more[128] = "";
	size_t n = 0;

	if (t.never)
		n += (size_t)snprintf(more + n, sizeof(more) - n, ", %zu never with any", t.never);
	if (t.filtered)
		n += (size_t)snprintf(more + n, sizeof(more) - n, ", %zu on some hosts (filters)", t.filtered);
	if (t.disabled)
		n += (size_t)snprintf(more + n, sizeof(more) - n, ", %zu switched off", t.disabled);
	if (t.errors)
		snprintf(more + n, sizeof(more) - n, ", %zu with errors", t.errors);
	cli_say("%s: %zu rule%s, %zu can fire with this sensor, %zu never (unseen fields), %zu for other systems%s",
		p->src->path, p->nrules, p->nrules == 1 ? "" : "s", t.fires, t.unseen, p->nskipped, more);
}

static int put_json(struct diags *d)
{
	struct buf out;
	int r;

	buf_init(&out, JSON_MAX);
	cli_diags_json(d, &out);
	r = cli_put(&out);
	buf_done(&out);
	return r;
}

/* Lints that --no-lint switches off; ends with a NULL. */
struct lints_off {
	const char *name[64];
	size_t n;
};

static int add_off(struct lints_off *off, const char *name)
{
	if (!lint_find(name))
		return cli_usage("check", "there is no lint %s; tamisc(1) lists them", name);
	if (off->n + 1 < sizeof(off->name) / sizeof(off->name[0]))
		off->name[off->n++] = name;
	return CLI_OK;
}

static int check_policies(char **paths, int n, bool json, bool strict, const struct lints_off *off)
{
	struct diags d = diags_new();
	_cleanup_(compile_free) struct compile *c = NULL;
	int r = cli_compile(paths, n, &d, &c) < 0 ? CLI_FAILED : CLI_OK;

	if (c && (lint_run(c) < 0 || lint_filter(c, off->name) < 0))
		r = cli_fail("out of memory");
	if (json)
		r = put_json(&d) == CLI_OK ? r : CLI_FAILED;
	else
		cli_print_diags(&d);
	for (size_t i = 0; c && i < c->npolicies; i++)
		if (c->policies[i]->nrules)
			say_file(c, c->policies[i]);
	if (c)
		say_summary(c, &d);
	if (d.errors || (strict && d.warnings))
		r = CLI_FAILED;
	diags_done(&d);
	return r;
}

int cmd_check(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },	     { "strict", no_argument, NULL, 's' },
		{ "no-lint", required_argument, NULL, 'n' }, { "compat-version", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },	     { 0 }
	};
	struct lints_off off = { 0 };
	bool json = false, strict = false;
	int o, r;

	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (o) {
		case 'j':
			json = true;
			break;
		case 's':
			strict = true;
			break;
		case 'n':
			r = add_off(&off, optarg);
			if (r != CLI_OK)
				return r;
			break;
		case 'c':
			if (cli_set_compat("check", optarg) != CLI_OK)
				return CLI_USAGE;
			break;
		case 'h':
			return cli_help("check");
		default:
			return cli_usage("check", "not an option of it, or without its argument");
		}
	}
	if (optind == argc)
		return cli_usage("check", "name a policy file or a directory of policies");
	return check_policies(argv + optind, argc - optind, json, strict, &off);
}
