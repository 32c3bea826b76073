/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>

#include "lib/jsonw.h"
#include "lib/near.h"
#include "policy-compiler/cli.h"

#define OUT_MAX (16u << 20)

static const char *const type_names[] = {
	[VAL_INT] = "int", [VAL_STR] = "string", [VAL_BOOL] = "bool", [VAL_IP] = "ip"
};

static const char *const group_names[CG_GROUPS] = {
	[CG_NONE] = "",
	[CG_ERROR] = "errors",
	[CG_OPEN_FLAGS] = "open flags",
	[CG_UNLINK_FLAGS] = "unlink flags",
	[CG_FILE_MODE] = "permissions",
	[CG_INODE_MODE] = "file types and permissions",
	[CG_ADDRESS_FAMILY] = "address families",
	[CG_L4_PROTOCOL] = "protocols",
	[CG_CAPABILITY] = "capabilities",
	[CG_EXIT_CAUSE] = "causes of an exit",
	[CG_AUDIT] = "login ids",
	[CG_ABI] = "word sizes",
	[CG_ARCHITECTURE] = "architectures",
	[CG_BPF_ATTACH_TYPE] = "bpf attach types",
	[CG_BPF_CMD] = "bpf commands",
	[CG_BPF_HELPER] = "bpf helper functions",
	[CG_BPF_MAP_TYPE] = "bpf map types",
	[CG_BPF_PROG_TYPE] = "bpf program types",
	[CG_CLONE_FLAGS] = "namespaces",
	[CG_DNS_CLASS] = "dns classes",
	[CG_DNS_RESPONSE] = "dns response codes",
	[CG_DNS_TYPE] = "dns types",
	[CG_ICMP_TYPE] = "icmp types",
	[CG_L3_PROTOCOL] = "layer 3 protocols",
	[CG_IO_URING_FLAGS] = "io_uring flags",
	[CG_IO_URING_OPCODE] = "io_uring operations",
	[CG_MMAP_FLAGS] = "mmap flags",
	[CG_MOUNT_FLAGS] = "mount flags",
	[CG_NETWORK_DIRECTION] = "network directions",
	[CG_PIPE_FLAG] = "pipe flags",
	[CG_PRCTL_OPTION] = "prctl options",
	[CG_PROTECTION] = "memory protections",
	[CG_PTRACE_REQUEST] = "ptrace requests",
	[CG_RESOURCE] = "resources",
	[CG_SIGNAL] = "signals",
	[CG_SOCKET_LEVEL] = "socket option levels",
	[CG_SOCKET_OPTION] = "socket options",
	[CG_SOCKET_TYPE] = "socket types",
	[CG_SYSCTL_ACTION] = "sysctl actions",
	[CG_UMOUNT_FLAGS] = "umount flags",
	[CG_VM_FLAGS] = "virtual memory flags",
};

static const char *const sieve_names[] = {
	[CAT_SIEVE_NONE] = "",
	[CAT_SIEVE_NUM] = "number",
	[CAT_SIEVE_PATH] = "path",
	[CAT_SIEVE_NAME] = "name",
	[CAT_SIEVE_ADDR] = "address",
#define ID_NAME(NAME, MEMBER) [CAT_SIEVE_##NAME] = #MEMBER,
	SV_IDS(ID_NAME)
#undef ID_NAME
		[CAT_SIEVE_RETVAL] = "retval",
	[CAT_SIEVE_COMM] = "task",
	[CAT_SIEVE_ARGS] = "words",
	[CAT_SIEVE_ENVS] = "words",
	[CAT_SIEVE_PUBLIC] = "address",
	[CAT_SIEVE_FSTYPE] = "text",
	[CAT_SIEVE_TEXT] = "text",
	[CAT_SIEVE_RIGHTS] = "number",
	[CAT_SIEVE_QUESTION] = "text",
};

/* The fields that rules of an event can use: its own and its family's, or those of every event (EV_NONE). */
static bool belongs(const struct catalog *c, const struct cat_field *f, uint16_t event)
{
	return event == EV_NONE ? f->event == EV_NONE : f->event != EV_NONE && catalog_covers(c, f->event, event);
}

/* What the kernel can decide about the field in its event; "" where only user space can. */
static const char *kernel_share(const struct catalog *c, const struct cat_field *f)
{
	uint16_t index;
	uint16_t event = f->event == EV_NONE ? EV_OPEN : f->event;

	return sieve_names[catalog_sieve(c, f, event, &index)];
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static void members_json(struct jsonw *w, const struct catalog *c, uint16_t family)
{
	jsonw_key(w, "events");
	jsonw_arr_begin(w);
	for (size_t i = 0; i < c->nevents; i++)
		if (c->events[i].name && c->events[i].family == family)
			jsonw_cstr(w, c->events[i].name);
	jsonw_arr_end(w);
}

static void field_json(struct jsonw *w, const struct catalog *c, const struct cat_field *f)
{
	jsonw_obj_begin(w);
	jsonw_member_bool(w, "array", f->flags & CF_ARRAY);
	jsonw_member_str(w, "constants", group_names[f->constants]);
	jsonw_member_str(w, "doc", f->doc);
	jsonw_member_str(w, "event", f->event == EV_NONE ? "*" : c->events[f->event].name);
	if (f->event != EV_NONE && c->events[f->event].is_family)
		members_json(w, c, f->event);
	jsonw_member_str(w, "field", f->name);
	jsonw_member_bool(w, "ignore_case", f->flags & CF_ICASE);
	jsonw_member_str(w, "kernel", kernel_share(c, f));
	jsonw_member_bool(w, "observed", !(f->flags & CF_UNSEEN));
	jsonw_member_bool(w, "path_glob", f->flags & CF_GLOB);
	jsonw_member_bool(w, "time", f->flags & CF_TIME);
	jsonw_member_str(w, "type", type_names[f->type]);
	if (catalog_why_unseen(c, f)) {
		jsonw_member_str(w, "why_not_observed", catalog_why_unseen(c, f));
	}
	jsonw_obj_end(w);
}

static void constants_json(struct jsonw *w, const struct catalog *c)
{
	jsonw_arr_begin(w);
	for (size_t i = 0; i < c->nconstants; i++) {
		jsonw_obj_begin(w);
		jsonw_member_str(w, "group", group_names[c->constants[i].group]);
		jsonw_member_str(w, "name", c->constants[i].name);
		jsonw_member_int(w, "value", c->constants[i].value);
		jsonw_obj_end(w);
	}
	jsonw_arr_end(w);
}

static void events_json(struct jsonw *w, const struct catalog *c)
{
	jsonw_arr_begin(w);
	for (size_t i = 0; i < c->nevents; i++) {
		if (!c->events[i].name || c->events[i].is_family)
			continue;
		jsonw_obj_begin(w);
		jsonw_member_str(w, "doc", c->events[i].doc);
		jsonw_member_str(w, "event", c->events[i].name);
		jsonw_member_bool(w, "observed", !c->events[i].why_unseen);
		jsonw_obj_end(w);
	}
	jsonw_arr_end(w);
}

static void fields_json(struct buf *out, const struct catalog *c, const struct cat_event *only)
{
	struct jsonw w = jsonw_to(out);

	jsonw_obj_begin(&w);
	jsonw_key(&w, "constants");
	constants_json(&w, c);
	jsonw_key(&w, "events");
	events_json(&w, c);
	jsonw_key(&w, "fields");
	jsonw_arr_begin(&w);
	for (size_t i = 0; i < c->nfields; i++)
		if (!only || catalog_covers(c, c->fields[i].event, only->type))
			field_json(&w, c, &c->fields[i]);
	jsonw_arr_end(&w);
	jsonw_obj_end(&w);
	buf_putc(out, '\n');
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

static void field_text(struct buf *out, const struct catalog *c, const struct cat_field *f)
{
	char type[16];

	snprintf(type, sizeof(type), "%s%s", type_names[f->type], f->flags & CF_ARRAY ? "[]" : "");
	buf_printf(out, "%-44s %-9s %-8s %s%s\n", f->name, type, kernel_share(c, f), f->doc,
		   f->flags & CF_UNSEEN ? " (not observed yet)" : "");
}

static void events_text(struct buf *out, const struct catalog *c)
{
	for (size_t i = 0; i < c->nevents; i++)
		if (c->events[i].name && !c->events[i].is_family)
			buf_printf(out, "%-20s %s%s\n", c->events[i].name, c->events[i].doc,
				   c->events[i].why_unseen ? " (not observed yet)" : "");
	buf_puts(out, "\ntamisc fields EVENT lists an event's fields, tamisc fields '*' those that every event has.\n");
}

static void fields_text(struct buf *out, const struct catalog *c, uint16_t event)
{
	for (size_t i = 0; i < c->nfields; i++)
		if (belongs(c, &c->fields[i], event))
			field_text(out, c, &c->fields[i]);
	if (event != EV_NONE)
		buf_puts(out, "\nand the fields that every event has: tamisc fields '*'\n");
}

/* ---- the reference page ------------------------------------------------------------------------------------------ */

static void field_markdown(struct buf *out, const struct catalog *c, const struct cat_field *f)
{
	const char *kernel = kernel_share(c, f);

	buf_printf(out, "| `%s` | %s%s | %s%s%s%s%s%s | %s |\n", f->name, type_names[f->type],
		   f->flags & CF_ARRAY ? "[]" : "", f->doc, f->flags & CF_GLOB ? "; patterns are path globs" : "",
		   f->flags & CF_ICASE ? "; ignores case" : "", f->flags & CF_UNSEEN ? "; not observed yet" : "",
		   f->constants ? "; constants: " : "", group_names[f->constants], *kernel ? "yes" : "");
}

/* The fields of a process stand once on the page, as those of every event's process. */
static bool is_repeated(const struct cat_field *f)
{
	switch (f->home) {
	case CAT_HOME_BASE:
	case CAT_HOME_EVENT:
		return false;
	case CAT_HOME_PROC:
		return f->event != EV_NONE;
	default:
		return true;
	}
}

/* "ptrace.tracee.ancestors.pid" -> "ptrace.tracee.ancestors.": where all fields of a process are found again. */
static void repeats_markdown(struct buf *out, const struct catalog *c, uint16_t event)
{
	const char *comma = "\nAlso, with all fields that stand below `process.` for every event: ";

	for (size_t i = 0; i < c->nfields; i++) {
		const struct cat_field *f = &c->fields[i];
		size_t len = strlen(f->name), end = strlen("pid");

		if (!belongs(c, f, event) || !is_repeated(f) || len <= end ||
		    strcmp(f->name + len - end - 1, ".pid") != 0)
			continue;
		buf_printf(out, "%s`%.*s*`%s", comma, (int)(len - end), f->name,
			   f->flags & CF_ARRAY ? " (several values, one of each process)" : "");
		comma = ", ";
	}
	if (comma[0] == ',')
		buf_puts(out, ".\n");
}

static void section_markdown(struct buf *out, const struct catalog *c, uint16_t event, const char *title,
			     const char *doc)
{
	bool any = false;

	buf_printf(out, "\n## %s\n\n%s.\n", title, doc);
	if (event != EV_NONE && c->events[event].why_unseen)
		buf_printf(out, "\nNot observed yet: %s.\n", c->events[event].why_unseen);
	for (size_t i = 0; i < c->nfields; i++) {
		const struct cat_field *f = &c->fields[i];

		if (!belongs(c, f, event) || is_repeated(f))
			continue;
		if (!any)
			buf_puts(out, "\n| field | type | what it is | kernel |\n|---|---|---|---|\n");
		any = true;
		field_markdown(out, c, f);
	}
	if (!any)
		buf_puts(out, "\nNo fields of its own.\n");
	repeats_markdown(out, c, event);
}

static void constants_markdown(struct buf *out, const struct catalog *c)
{
	buf_puts(out, "\n## Constants\n");
	for (int g = CG_NONE + 1; g < CG_GROUPS; g++) {
		const char *comma = "";

		buf_printf(out, "\n**%s**: ", group_names[g]);
		for (size_t i = 0; i < c->nconstants; i++) {
			if (c->constants[i].group != g)
				continue;
			buf_printf(out, "%s`%s`", comma, c->constants[i].name);
			comma = ", ";
		}
		buf_puts(out, "\n");
	}
}

static void fields_markdown(struct buf *out, const struct catalog *c)
{
	buf_puts(
		out,
		"<!-- made by `tamisc fields --markdown` from include/tamis/catalog.def; do not edit -->\n"
		"# Events and fields\n\n"
		"A rule may use the fields of one event type and those that every event has. \"kernel\" says whether the\n"
		"kernel can decide on the field, so that events which no rule wants are dropped there. A type with [] has\n"
		"several values. What is not observed yet is empty, 0 or false; `tamisc check` says which rules that keeps\n"
		"from firing.\n");
	for (size_t i = 0; i < c->nevents; i++)
		if (c->events[i].name && !c->events[i].is_family)
			section_markdown(out, c, (uint16_t)i, c->events[i].name, c->events[i].doc);
	section_markdown(out, c, EV_NONE, "every event", "Fields that every event has");
	constants_markdown(out, c);
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

enum form { FORM_TEXT, FORM_JSON, FORM_MARKDOWN };

static int unknown_event(const struct catalog *c, const char *name)
{
	struct near near = near_to(name, strlen(name));

	for (size_t i = 0; i < c->nevents; i++)
		if (c->events[i].name && !c->events[i].is_family)
			near_try(&near, c->events[i].name);
	if (near.best)
		return cli_usage("fields", "no event type \"%s\"; did you mean \"%s\"?", name, near.best);
	return cli_usage("fields", "no event type \"%s\"; `tamisc fields` lists them", name);
}

static int print_fields(const char *name, enum form form)
{
	const struct catalog *c = catalog_tamis();
	const struct cat_event *e = name ? catalog_event(c, name, strlen(name)) : NULL;
	bool every = name && strcmp(name, "*") == 0;
	struct buf out;
	int r;

	if (name && !e && !every)
		return unknown_event(c, name);
	buf_init(&out, OUT_MAX);
	if (form == FORM_JSON)
		fields_json(&out, c, e);
	else if (form == FORM_MARKDOWN)
		fields_markdown(&out, c);
	else if (name)
		fields_text(&out, c, e ? e->type : EV_NONE);
	else
		events_text(&out, c);
	r = cli_put(&out);
	buf_done(&out);
	return r;
}

int cmd_fields(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "markdown", no_argument, NULL, 'm' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	enum form form = FORM_TEXT;
	int o;

	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (o) {
		case 'j':
			form = FORM_JSON;
			break;
		case 'm':
			form = FORM_MARKDOWN;
			break;
		case 'h':
			return cli_help("fields");
		default:
			return cli_usage("fields", "not an option of it");
		}
	}
	if (argc - optind > 1)
		return cli_usage("fields", "one event type at a time");
	return print_fields(argv[optind], form);
}
