/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "lib/bundle.h"
#include "lib/hash.h"
#include "lib/jsonw.h"
#include "lib/sieve_io.h"
#include "lib/sig.h"
#include "lib/watch_io.h"
#include "policy-compiler/cli.h"
#include "policy-compiler/name_rules.h"
#include "policy-compiler/watch_rules.h"
#include "policy-compiler/deny.h"
#include "policy-compiler/sieve_build.h"

struct build {
	const char *out, *key_path, *workload_path;
	bool keep_going;
	struct diags diags;
	struct compile *compile;
	struct sig_key *key;
	struct workload *workload; /* owned, or NULL */
	struct buf meta, program, sieve, watches, filters;
	size_t nwatches;
	uint32_t nrules; /* that somebody has written */
};

/* ---- what the bundle says about itself --------------------------------------------------------------------------- */

static void put_policy(struct jsonw *w, const struct policy *p)
{
	uint8_t digest[HASH_SIZE];
	char hex[HASH_HEX_SIZE];

	hash_sha256(p->src->bytes, p->src->size, digest);
	hash_hex(digest, sizeof(digest), hex);
	jsonw_obj_begin(w);
	jsonw_member_str(w, "name", p->name);
	jsonw_member_str(w, "sha256", hex);
	jsonw_member_str(w, "version", p->version ? p->version : "");
	jsonw_obj_end(w);
}

/* No times and no paths: equal policies give equal bytes, wherever and whenever they are compiled. */
static int put_meta(struct build *b)
{
	const struct compile *c = b->compile;
	struct jsonw w = jsonw_to(&b->meta);

	jsonw_obj_begin(&w);
	jsonw_member_u64(&w, "catalog", catalog_fingerprint(c->catalog));
	jsonw_key(&w, "policies");
	jsonw_arr_begin(&w);
	for (size_t i = 0; i < c->npolicies; i++)
		put_policy(&w, c->policies[i]);
	jsonw_arr_end(&w);
	jsonw_member_u64(&w, "rules", b->nrules);
	jsonw_member_str(&w, "tamisc", TAMIS_VERSION);
	jsonw_obj_end(&w);
	return buf_error(&b->meta);
}

/* ---- the bundle -------------------------------------------------------------------------------------------------- */

/* What the rules alone did not show: judge.c warns of that. */
static void warn_deny(const struct sieve_report *report)
{
	char why[200];

	for (uint32_t i = 0; i < report->nrules; i++) {
		const struct report_rule *r = &report->rules[i];

		if (r->deny != DENY_CLAUSES && r->deny != DENY_ROOM)
			continue;
		deny_say(r->deny, NULL, why, sizeof(why));
		fprintf(stderr, "tamisc: warning: the rule %s refuses nothing: %s\n", r->id, why);
	}
}

/* The sieve first: it sets the program's clauses. */
static int put_sieve(struct build *b, struct err *err)
{
	_cleanup_free_ struct sieve *s = malloc(sizeof(*s));
	struct sieve_report report;
	int r;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	r = sieve_build(b->compile->builder, b->workload, &report, s, err);
	if (r < 0)
		return r;
	warn_deny(&report);
	sieve_report_done(&report);
	r = sieve_pack(s, &b->sieve);
	return r < 0 ? err_set(err, r, "cannot write the sieve: %s", strerror(-r)) : 0;
}

static int put_watches(struct build *b)
{
	struct watch_list list;
	int r = watches_list(&b->compile->watches, &b->compile->arena, &list);

	if (r < 0)
		return r;
	b->nwatches = list.n;
	return list.n ? watch_pack(&list, &b->watches) : 0;
}

/* Sections of one's own choice come where they are not empty. */
static size_t list_parts(const struct build *b, struct bundle_part parts[5])
{
	const struct {
		uint32_t type;
		const struct buf *bytes;
	} all[] = { { BUNDLE_META, &b->meta },
		    { BUNDLE_PROGRAM, &b->program },
		    { BUNDLE_SIEVE, &b->sieve },
		    { BUNDLE_WATCHES, &b->watches },
		    { BUNDLE_FILTERS, &b->filters } };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].bytes->len)
			parts[n++] = (struct bundle_part){ all[i].type, all[i].bytes->data, all[i].bytes->len };
	return n;
}

static int put_filters(struct build *b)
{
	struct program p = program_view(b->compile->filters);

	return p.nrules ? program_save(&p, &b->filters) : 0;
}

static int write_bundle(struct build *b)
{
	struct bundle_part parts[5];
	struct program p;
	struct err err;
	int r;

	b->nrules = program_view(b->compile->builder).nrules;
	r = watch_rules_add(b->compile);
	if (r < 0)
		return cli_fail("the watches are too much for one policy: %s", strerror(-r));
	r = name_rules_add(b->compile);
	if (r < 0)
		return cli_fail("the policy has no room for the rule that lets names of addresses through: %s",
				strerror(-r));
	r = put_sieve(b, &err);
	if (r < 0)
		return cli_fail("%s", err.msg);
	p = program_view(b->compile->builder);
	r = put_meta(b);
	if (r == 0)
		r = program_save(&p, &b->program);
	if (r == 0)
		r = put_watches(b);
	if (r == 0)
		r = put_filters(b);
	if (r < 0)
		return cli_fail("cannot make the bundle: %s", strerror(-r));
	r = bundle_write(b->out, parts, list_parts(b, parts), b->key, &err);
	if (r < 0)
		return cli_fail("%s", err.msg);
	cli_say("%s: %u rule%s, %s", b->out, b->nrules, b->nrules == 1 ? "" : "s",
		b->key ? "signed" : "not signed (tamisd wants --allow-unsigned)");
	if (b->nwatches)
		cli_say("%zu watch%s", b->nwatches, b->nwatches == 1 ? "" : "es");
	return CLI_OK;
}

static int load_key(struct build *b)
{
	struct err err;

	if (!b->key_path || sig_load_private(b->key_path, &b->key, &err) == 0)
		return CLI_OK;
	return cli_fail("%s\nmake a key by: tamisc keygen -o KEY.pem", err.msg);
}

static int build_policies(struct build *b, char **paths, int n)
{
	char counts[64];
	int r = load_key(b);

	if (r == CLI_OK)
		r = cli_workload(b->workload_path, &b->workload);
	if (r != CLI_OK)
		return r;
	r = cli_compile(paths, n, &b->diags, &b->compile) < 0 ? CLI_FAILED : CLI_OK;
	cli_print_diags(&b->diags);
	if (r != CLI_OK)
		return r;
	if (b->diags.errors && !b->keep_going)
		return cli_fail("%s; nothing was written\ncorrect the policy, or leave bad rules out by --keep-going",
				cli_count_diags(&b->diags, counts, sizeof(counts)));
	return write_bundle(b);
}

int cmd_build(int argc, char **argv)
{
	static const struct option options[] = { { "output", required_argument, NULL, 'o' },
						 { "sign", required_argument, NULL, 's' },
						 { "keep-going", no_argument, NULL, 'k' },
						 { "compat-version", required_argument, NULL, 'c' },
						 { "workload", required_argument, NULL, 'w' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	struct build b = { 0 };
	int o, r;

	while ((o = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		switch (o) {
		case 'o':
			b.out = optarg;
			break;
		case 's':
			b.key_path = optarg;
			break;
		case 'k':
			b.keep_going = true;
			break;
		case 'c':
			if (cli_set_compat("build", optarg) != CLI_OK)
				return CLI_USAGE;
			break;
		case 'w':
			b.workload_path = optarg;
			break;
		case 'h':
			return cli_help("build");
		default:
			return cli_usage("build", "not an option of it, or without its argument");
		}
	}
	if (!b.out)
		return cli_usage("build", "say where the bundle goes: -o OUT.tpb");
	if (optind == argc)
		return cli_usage("build", "name a policy file or a directory of policies");
	b.diags = diags_new();
	buf_init(&b.meta, 1 << 20);
	buf_init(&b.program, BUNDLE_SIZE_MAX / 2);
	buf_init(&b.sieve, BUNDLE_SIZE_MAX / 4);
	buf_init(&b.watches, BUNDLE_SIZE_MAX / 8);
	buf_init(&b.filters, BUNDLE_SIZE_MAX / 16);
	r = build_policies(&b, argv + optind, argc - optind);
	buf_done(&b.meta);
	buf_done(&b.program);
	buf_done(&b.sieve);
	buf_done(&b.watches);
	buf_done(&b.filters);
	sig_key_free(b.key);
	workload_free(b.workload);
	compile_free(b.compile);
	diags_done(&b.diags);
	return r;
}

int cmd_keygen(int argc, char **argv)
{
	static const struct option options[] = { { "output", required_argument, NULL, 'o' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	_cleanup_free_ char *pub = NULL;
	const char *path = NULL;
	struct err err;
	int o;

	while ((o = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		if (o == 'h')
			return cli_help("keygen");
		if (o != 'o')
			return cli_usage("keygen", "not an option of it, or without its argument");
		path = optarg;
	}
	if (!path || optind != argc)
		return cli_usage("keygen", "say where the key goes: -o KEY.pem");
	if (sig_pub_path(path, &pub) < 0)
		return cli_fail("out of memory");
	if (sig_keygen(path, pub, &err) < 0)
		return cli_fail("%s", err.msg);
	cli_say("%s: keep it secret; tamisc build signs with it\n%s: tamisd --trust wants it", path, pub);
	return CLI_OK;
}
