/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <time.h>

#include "engine/engine.h"
#include "lib/event_json.h"
#include "policy-compiler/cli.h"
#include "policy-compiler/why.h"

#define TREE_MAX (16u << 20)

struct eval {
	const char *expression, *vars, *policy, *event;
	struct diags diags;
	struct compile *compile;
	json_t *variables;
	struct event_mem mem;
	struct event ev;
	uint16_t wanted; /* the event type that the expression is about */
	uint32_t root;
	bool explain;
	struct buf tree; /* what --explain prints */
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int load_variables(struct eval *e)
{
	json_error_t err;

	if (!e->vars)
		return 0;
	e->variables = json_load_file(e->vars, JSON_REJECT_DUPLICATES, &err);
	if (!e->variables) {
		cli_fail("%s:%d:%d: %s", e->vars, err.line, err.column, err.text);
		return -EINVAL;
	}
	if (!json_is_object(e->variables)) {
		cli_fail("%s: the variables are a JSON object, as in {\"name\": \"value\"}", e->vars);
		return -EINVAL;
	}
	e->compile->variables = e->variables;
	return 0;
}

static int load_event(struct eval *e)
{
	const struct source *src;
	struct err err;
	int r = source_read(&e->compile->arena, e->event, &e->diags, &src);

	if (r == 0)
		r = event_json_read(catalog_tamis(), src->bytes, src->size, &e->mem, &e->ev, &err);
	else
		return r;
	if (r < 0) {
		cli_fail("%s: %s", e->event, err.msg);
		return r;
	}
	if (!e->ev.now_ns)
		e->ev.now_ns = now_ns();
	return 0;
}

static int load_expression(struct eval *e)
{
	const struct source *src = source_text(&e->compile->arena, "expression", e->expression, strlen(e->expression));
	struct text *text = arena_alloc(&e->compile->arena, sizeof(*text));

	if (!src || !text)
		return -ENOMEM;
	*text = (struct text){ .s = src->bytes, .len = (uint32_t)src->size, .raw = { src, 0, (uint32_t)src->size } };
	return compile_expression(e->compile, text, &e->wanted, &e->root);
}

static int check_event_type(struct eval *e)
{
	const struct catalog *c = catalog_tamis();

	if (catalog_covers(c, e->wanted, e->ev.type))
		return 0;
	if (e->ev.type == EV_NONE) {
		e->ev.type = e->wanted;
		return 0;
	}
	cli_fail("the expression is about \"%s\" events, but %s is \"%s\"", c->events[e->wanted].name, e->event,
		 c->events[e->ev.type].name);
	return -EINVAL;
}

static int load_policy(struct eval *e)
{
	int r = e->policy ? compile_add(e->compile, e->policy) : 0;

	if (r == 0 && e->policy)
		r = compile_finish(e->compile);
	return r < 0 ? r : e->diags.errors ? -EINVAL : 0;
}

static int evaluate(struct eval *e, bool *ret)
{
	_cleanup_(engine_free) struct engine *engine = NULL;
	struct program program;
	struct err err;
	int r = compile_new(catalog_tamis(), &e->diags, &e->compile);

	if (r == 0)
		r = load_policy(e);
	if (r == 0)
		r = load_variables(e);
	if (r == 0)
		r = load_expression(e);
	if (r == 0)
		r = load_event(e);
	if (r == 0)
		r = check_event_type(e);
	if (r < 0)
		return r;
	program = program_view(e->compile->builder);
	r = engine_new(&program, &engine, &err);
	if (r == 0)
		r = engine_eval_node(engine, e->root, &e->ev, ret);
	else
		cli_fail("%s", err.msg);
	if (r == 0 && e->explain) {
		struct why why = { .engine = engine, .p = &program, .ev = &e->ev };

		why_put_tree(&why, e->root, &e->tree);
		r = buf_error(&e->tree);
	}
	return r;
}

static int run(struct eval *e)
{
	bool result = false;
	int r;

	e->diags = diags_new();
	buf_init(&e->tree, TREE_MAX);
	event_mem_init(&e->mem, EVENT_MEM_MAX);
	r = evaluate(e, &result);
	if (r == -ENOMEM)
		cli_fail("out of memory");
	cli_print_diags(&e->diags);
	compile_free(e->compile);
	event_mem_done(&e->mem);
	json_decref(e->variables);
	diags_done(&e->diags);
	if (r == 0) {
		puts(result ? "true" : "false");
		r = cli_put(&e->tree) == CLI_OK ? 0 : -EIO;
	}
	buf_done(&e->tree);
	if (r < 0)
		return CLI_USAGE;
	return result ? CLI_OK : CLI_FAILED;
}

int cmd_eval(int argc, char **argv)
{
	static const struct option options[] = { { "expression", required_argument, NULL, 'e' },
						 { "vars", required_argument, NULL, 'v' },
						 { "policy", required_argument, NULL, 'p' },
						 { "explain", no_argument, NULL, 'x' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	struct eval e = { 0 };
	int o;

	while ((o = getopt_long(argc, argv, "e:h", options, NULL)) != -1) {
		switch (o) {
		case 'e':
			e.expression = optarg;
			break;
		case 'v':
			e.vars = optarg;
			break;
		case 'p':
			e.policy = optarg;
			break;
		case 'x':
			e.explain = true;
			break;
		case 'h':
			return cli_help("eval");
		default:
			return cli_usage("eval", "not an option of it, or without its argument");
		}
	}
	if (!e.expression)
		return cli_usage("eval", "give an expression: -e 'open.file.path == \"/etc/shadow\"'");
	if (argc - optind != 1)
		return cli_usage("eval", "name one event, a JSON file or -");
	e.event = argv[optind];
	return run(&e);
}
