/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/event_json.h"
#include "sensor/enrich/alert.h"
#include "sensor/enrich/enrich.h"
#include "tests/unit/rec.h"

#define START 1000000000000ull

static struct program_builder *builder;
static struct program program;
static struct decode *decoder;
static struct enrich *enrich;
static struct alert *alert, *uncached;
static struct rec rec;
static struct decoded dec;
static uint64_t now = START;

/* ---- what is alerted ----------------------------------------------------------------------------------------------- */

static uint32_t str(const char *s)
{
	return (uint32_t)program_str_add(builder, s, strlen(s));
}

static void add_rule(uint16_t event, const char *id, uint16_t severity, const char *version)
{
	uint32_t tags[] = { str("tactic"), str("TA0006"), str("technique"), str("T1003 \"quoted\"") };
	struct prule r = { .id = str(id),
			   .description = str("Someone read it"),
			   .policy = str("default"),
			   .version = str(version),
			   .root = (uint32_t)program_node(builder, N_BOOL, 0, 0, 0, 1),
			   .event = event,
			   .severity = severity };

	assert_true(program_rule_add(builder, &r, tags, 2) >= 0);
}

static int setup(void **state)
{
	const struct enrich_options eo = { .hostname = "here", .origin = "ebpf" };
	struct alert_options ao = { .hostname = "here" };

	(void)state;
	assert_int_equal(program_builder_new(catalog_tamis(), &builder), 0);
	add_rule(EV_OPEN, "shadow_read", 4, "1.2");
	add_rule(EV_EXEC, "exec", 0, "");
	program = program_view(builder);
	assert_int_equal(decode_new(catalog_tamis(), &decoder), 0);
	decode_clock(decoder, 1700000000000000000);
	assert_int_equal(enrich_new(&eo, &enrich), 0);
	assert_int_equal(alert_new(&ao, &program, &uncached), 0);
	ao.table = enrich_proctable(enrich);
	assert_int_equal(alert_new(&ao, &program, &alert), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	alert_free(alert);
	alert_free(uncached);
	enrich_free(enrich);
	decode_free(decoder);
	program_builder_free(builder);
	return 0;
}

static void head(enum ev_type type, uint32_t pid)
{
	rec_begin(&rec, type);
	rec.head.pid = rec.head.tid = pid;
	rec.head.start_ns = pid;
	rec.head.boot_ns = now++;
}

static void send(void)
{
	size_t size;
	const void *p = rec_end(&rec, &size);

	assert_int_equal(decode_record(decoder, p, size, &dec), 1);
	enrich_event(enrich, &dec);
}

static void exec_of(uint32_t pid, uint32_t ppid, const char *path, const char *argv, size_t len)
{
	for (size_t off = 0, step; off < len; off += step) {
		const struct ev_head of = { .boot_ns = now, .tid = pid, .start_ns = pid };
		size_t size;
		const void *p;

		step = len - off < 16384 ? len - off : 16384;
		p = rec_args(&rec, &of, argv, (uint32_t)off, (uint32_t)step, (uint32_t)len, 0, &size);
		assert_int_equal(decode_record(decoder, p, size, &dec), 0);
	}
	head(EV_EXEC, pid);
	rec.num[rec.proc + EVN_PROC_PID] = rec.num[rec.proc + EVN_PROC_TID] = pid;
	rec.num[rec.proc + EVN_PROC_PPID] = ppid;
	rec.num[rec.proc + EVN_PROC_CREATED_AT] = pid;
	rec_proc_str(&rec, EVS_PROC_FILE_PATH, path);
	rec_proc_str(&rec, EVS_PROC_COMM, strrchr(path, '/') + 1);
	send();
}

static void fork_of(uint32_t parent, uint32_t child)
{
	head(EV_FORK, parent);
	rec.num[rec.proc + EVN_PROC_PID] = rec.num[rec.proc + EVN_PROC_TID] = child;
	rec.num[rec.proc + EVN_PROC_PPID] = parent;
	rec.num[rec.proc + EVN_PROC_CREATED_AT] = child;
	send();
}

static void open_of(uint32_t pid, const char *path)
{
	head(EV_OPEN, pid);
	rec.head.boot_ns = START + 123456789;
	rec.num[EVN_OPEN_FLAGS] = O_WRONLY;
	rec.num[EVN_OPEN_FILE_INODE] = 12;
	rec.num[EVN_OPEN_FILE_MODE] = S_IFREG | 0640;
	rec.num[EVN_OPEN_FILE_GID] = 42;
	rec_str(&rec, EVS_OPEN_FILE_PATH, path);
	send();
}

/* ---- what comes out ------------------------------------------------------------------------------------------------ */

static struct buf out;
static char *text; /* with a sequence number */

static const char *render(struct alert *a, uint32_t rule)
{
	size_t gap, start;

	buf_done(&out);
	buf_init(&out, 4 << 20);
	buf_puts(&out, "before");
	start = out.len;
	assert_int_equal(alert_render(a, &dec.ev, rule, NULL, &out, &gap), 0);
	assert_true(out.len - start <= ALERT_MAX);
	assert_memory_equal(out.data, "before", 6);
	assert_true(gap > start + 6 && gap < out.len);
	assert_memory_equal(out.data + gap - 6, "\"seq\":,", 7);
	free(text);
	text = malloc(out.len + 8);
	snprintf(text, out.len + 8, "%.*s17%.*s", (int)(gap - start), (char *)out.data + start, (int)(out.len - gap),
		 (char *)out.data + gap);
	return text;
}

/* Canonical: what a JSON library makes of it, with sorted keys and nothing between, is the same text. */
static void assert_canonical(const char *s)
{
	json_error_t e;
	json_t *j = json_loads(s, JSON_REJECT_DUPLICATES, &e);
	char *again;

	if (!j)
		print_error("%s: %s\n", e.text, s);
	assert_non_null(j);
	again = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(again, s);
	free(again);
	json_decref(j);
}

static void the_whole_text(void **state)
{
	(void)state;
	exec_of(1, 0, "/sbin/init", "init\0", 5);
	fork_of(1, 10);
	exec_of(10, 1, "/bin/bash", "bash\0-l\0", 8);
	fork_of(10, 11);
	exec_of(11, 10, "/usr/bin/cat", "cat\0/etc/shadow\0", 16);
	open_of(11, "/etc/shadow");
	assert_string_equal(
		render(alert, 0),
		"{\"event\":{\"async\":false,\"origin\":\"ebpf\",\"retval\":0,\"rung\":\"fentry\",\"type\":\"open\"},"
		"\"host\":\"here\",\"kind\":\"alert\","
		"\"open\":{\"file\":{\"destination\":{\"mode\":0},\"gid\":42,\"in_upper_layer\":false,\"inode\":12,\"mode\":33184,\"mount_id\":0,"
		"\"name\":\"shadow\",\"path\":\"/etc/shadow\",\"rights\":416,\"uid\":0},\"flags\":1},"
		"\"process\":{\"ancestors\":["
		"{\"args\":\"-l\",\"argv0\":\"bash\",\"comm\":\"bash\",\"file\":{\"name\":\"bash\",\"path\":\"/bin/bash\"},"
		"\"pid\":10,\"uid\":0},"
		"{\"argv0\":\"init\",\"comm\":\"init\",\"file\":{\"name\":\"init\",\"path\":\"/sbin/init\"},\"pid\":1,\"uid\":0}],"
		"\"args\":\"/etc/shadow\",\"argv0\":\"cat\",\"auid\":0,\"cap_effective\":0,\"cap_permitted\":0,"
		"\"cgroup\":{\"file\":{\"inode\":0}},\"comm\":\"cat\",\"created_at\":\"1700000000000000011\",\"egid\":0,\"euid\":0,"
		"\"file\":{\"gid\":0,\"in_upper_layer\":false,\"inode\":0,\"mode\":0,\"mount_id\":0,\"name\":\"cat\",\"path\":\"/usr/bin/cat\",\"uid\":0},"
		"\"fsgid\":0,\"fsuid\":0,\"gid\":0,\"is_exec\":true,"
		"\"parent\":{\"args\":\"-l\",\"argv0\":\"bash\",\"auid\":0,\"cap_effective\":0,\"cap_permitted\":0,"
		"\"cgroup\":{\"file\":{\"inode\":0}},\"comm\":\"bash\",\"created_at\":\"1700000000000000010\",\"egid\":0,\"euid\":0,"
		"\"file\":{\"gid\":0,\"in_upper_layer\":false,\"inode\":0,\"mode\":0,\"mount_id\":0,\"name\":\"bash\",\"path\":\"/bin/bash\",\"uid\":0},"
		"\"fsgid\":0,\"fsuid\":0,\"gid\":0,\"is_exec\":true,\"pid\":10,\"ppid\":1,\"tid\":10,\"uid\":0},"
		"\"pid\":11,\"ppid\":10,\"tid\":11,\"uid\":0},"
		"\"rule\":{\"description\":\"Someone read it\",\"id\":\"shadow_read\",\"policy\":\"default@1.2\","
		"\"severity\":\"high\",\"tags\":{\"tactic\":\"TA0006\",\"technique\":\"T1003 \\\"quoted\\\"\"}},"
		"\"seq\":17,\"time\":\"2023-11-14T22:30:00.123456789Z\",\"v\":1}");
	assert_canonical(text);
}

/* The kept text of a process is what rendering gives, also after something in it or above it changed. */
static void the_cache_is_no_lie(void **state)
{
	(void)state;
	exec_of(20, 1, "/bin/sh", "sh\0", 3);
	fork_of(20, 21);
	exec_of(21, 20, "/bin/job", "job\0", 4);
	for (int i = 0; i < 4; i++) {
		char *first;

		head(EV_OPEN, i == 2 ? 20 : 21);
		rec.head.uid = i == 1 || i == 2 ? 5u + (unsigned int)i : 0;
		send();
		open_of(21, "/x");
		if (i == 2)
			dec.head.uid = 0;
		render(alert, 0);
		first = strdup(render(alert, 0));
		assert_string_equal(first, render(uncached, 0));
		assert_canonical(text);
		free(first);
	}
	/* the shell's exec: the job's parent is still the shell; the shell's end and burial: the line above changes */
	exec_of(20, 1, "/bin/other", "other\0", 6);
	open_of(21, "/x");
	assert_non_null(strstr(render(alert, 0), "/bin/sh"));
	assert_null(strstr(text, "/bin/other"));
}

static void every_event_type(void **state)
{
	(void)state;
	exec_of(30, 1, "/bin/x", "x\0", 2);
	for (int t = 1; t < EV_TYPES; t++) {
		if (!catalog_tamis()->events[t].name)
			continue;
		head(t, 30);
		for (int i = 0; i < rec.head.nstr; i++)
			rec_str(&rec, i, "/a/\xff\"b.c");
		rec_addresses(&rec, "0123456789abcdef");
		if (t == EV_CONNECT)
			rec_bytes(&rec, EVS_CONNECT_IP, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x01", 16);
		if (t == EV_BIND)
			rec_bytes(&rec, EVS_BIND_IP, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
		if (t == EV_EXEC || t == EV_FORK)
			rec.num[rec.proc + EVN_PROC_PID] = t == EV_FORK ? 31 : 30;
		rec.head.flags = EV_F_ASYNC | EV_F_TRUNCATED | EV_F_USER_PATH;
		send();
		assert_canonical(render(alert, 0));
		if (t == EV_CONNECT)
			assert_non_null(strstr(text, "\"ip\":\"10.0.0.1\""));
		if (t == EV_BIND)
			assert_non_null(strstr(text, "\"ip\":\"fe80::1\""));
	}
}

/* Events that no record has yet: with a second process, whose arguments are cut like those of the first, and of a family. */
static void targets_and_families(void **state)
{
	static struct proc target, parent;
	size_t len = 3 << 19;
	char *args = malloc(len);

	(void)state;
	memset(args, 'x', len);
	open_of(11, "/x");
	dec.ev.type = EV_PTRACE;
	dec.ev.target = &target;
	target.parent = &parent;
	target.v[SLOT_PROC_PID].num = 4711;
	target.v[SLOT_PROC_ARGS] = (struct val){ .s = args, .len = (uint32_t)len };
	parent.v[SLOT_PROC_COMM] = (struct val){ .s = "sshd", .len = 4 };
	assert_canonical(render(alert, 0));
	assert_true(strlen(text) < ALERT_MAX);
	assert_non_null(strstr(text, "\"tracee\":{\"ancestors\":[{\"comm\":\"sshd\""));
	assert_non_null(strstr(text, "\"args_truncated\":true"));
	dec.ev.target = NULL;
	assert_null(strstr(render(alert, 0), "tracee"));
	free(args);

	open_of(11, "/x");
	memset(dec.ev.v, 0, sizeof(dec.ev.v));
	dec.ev.type = EV_DNS;
	dec.ev.v[SLOT_DNS_SIZE].num = 60;
	dec.ev.v[SLOT_DNS_NAME] = (struct val){ .s = "a.b", .len = 3 };
	assert_canonical(render(alert, 0));
	assert_non_null(strstr(text, "\"network\":{"));
	assert_non_null(strstr(text, "\"name\":\"a.b\""));
}

/* What each event has of its own is in its alert, wherever its name stands among the others. */
static void every_event_shows_its_own(void **state)
{
	const struct catalog *c = catalog_tamis();
	char member[64];

	(void)state;
	for (uint16_t t = 1; t < EV_ALL_TYPES; t++) {
		if (!c->events[t].name || c->events[t].is_family || c->events[t].has_proc || t == EV_EXIT)
			continue;
		exec_of(10, 1, "/bin/sh", "sh\0", 3);
		open_of(10, "/x");
		memset(dec.ev.v, 0, sizeof(dec.ev.v));
		dec.ev.type = t;
		assert_canonical(render(alert, 0));
		snprintf(member, sizeof(member), "\"%s\":{", c->events[t].name);
		if (!strstr(text, member))
			fail_msg("%s is not in %s", member, text);
	}
}

/* An alert is an event that rules can be tried on. */
static void read_back(void **state)
{
	const struct catalog *c = catalog_tamis();
	struct event_mem m;
	struct event ev;
	struct err err;

	(void)state;
	exec_of(40, 1, "/bin/a b", "a b\0-x\0", 7);
	fork_of(40, 41);
	exec_of(41, 40, "/bin/c", "c\0-y\0--z=1\0", 11);
	open_of(41, "/etc/\xc3\xa4\xff");
	render(alert, 0);
	event_mem_init(&m, EVENT_MEM_MAX);
	if (event_json_read(c, text, strlen(text), &m, &ev, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(ev.type, EV_OPEN);
	assert_int_equal(ev.now_ns, dec.ev.now_ns);
	assert_int_equal(ev.v[SLOT_OPEN_FLAGS].num, O_WRONLY);
	assert_int_equal(ev.v[SLOT_OPEN_FILE_PATH].len, 8);
	assert_memory_equal(ev.v[SLOT_OPEN_FILE_PATH].s, "/etc/\xc3\xa4\xff", 8);
	for (size_t i = 0; i < c->nfields; i++) {
		const struct cat_field *f = &c->fields[i];
		struct val v = catalog_get(f, &ev), was = catalog_get(f, &dec.ev);

		if (f->home == CAT_HOME_ANCESTORS || f->home == CAT_HOME_BASE || (f->flags & CF_ARRAY))
			continue;
		if (f->event != EV_NONE && f->event != EV_OPEN)
			continue;
		if (f->type == VAL_STR) {
			if (v.len != was.len)
				print_error("%s\n", f->name);
			assert_int_equal(v.len, was.len);
			if (v.len)
				assert_memory_equal(v.s, was.s, v.len);
		} else {
			if (v.num != was.num)
				print_error("%s\n", f->name);
			assert_int_equal(v.num, was.num);
		}
	}
	assert_int_equal(ev.proc->v[SLOT_PROC_ARGS_OPTIONS].len, 1);
	assert_int_equal(ev.proc->v[SLOT_PROC_ARGS_FLAGS].len, dec.ev.proc->v[SLOT_PROC_ARGS_FLAGS].len);
	event_mem_done(&m);
}

/* ---- size ---------------------------------------------------------------------------------------------------------- */

static char *many_args(size_t len, const char *word, size_t word_len)
{
	char *p = malloc(len);

	for (size_t i = 0; i < len; i++)
		p[i] = word[i % word_len];
	memcpy(p, "cmd\0", 4);
	memcpy(p + len - 5, "--end", 5);
	return p;
}

static size_t count(const char *hay, const char *needle)
{
	size_t n = 0;

	while ((hay = strstr(hay, needle))) {
		n++;
		hay += strlen(needle);
	}
	return n;
}

static void long_arguments(void **state)
{
	static const size_t sizes[] = { 5000, 20000, 100000, EV_ARGS_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *args = many_args(sizes[i], "argument\0", 9);

		/* all of the acting process's own, cut for the parent and above */
		exec_of(50, 1, "/bin/top", args, sizes[i]);
		fork_of(50, 51);
		exec_of(51, 50, "/bin/mid", args, sizes[i]);
		fork_of(51, 52);
		exec_of(52, 51, "/bin/low", args, sizes[i]);
		open_of(52, "/x");
		assert_canonical(render(alert, 0));
		assert_int_equal(count(text, "--end\""), 1);
		/* more than ARGBLOCK_ARGS_MAX arguments: argv is not whole, though args is */
		assert_int_equal(count(text, "\"args_truncated\":true"), sizes[i] == EV_ARGS_MAX ? 2 : 1);
		assert_true(strlen(text) < sizes[i] + 16000);
		free(args);
	}
}

/* Bytes that JSON shows sixfold, as long as they may be, in a process and all above it. */
static void the_longest(void **state)
{
	char *args = many_args(EV_ARGS_MAX, "\x01\x02\x03\0", 4), path[4200];

	(void)state;
	path[0] = '/';
	memset(path + 1, 0x1f, 4090);
	path[4091] = 0;
	for (uint32_t pid = 100; pid < 250; pid++) {
		exec_of(pid, pid - 1, path, args, EV_ARGS_MAX);
		fork_of(pid, pid + 1);
	}
	exec_of(250, 249, path, args, EV_ARGS_MAX);
	open_of(250, path);
	render(alert, 0);
	assert_true(strlen(text) <= ALERT_MAX + 2);
	assert_non_null(strstr(text, "\"args_truncated\":true"));
	free(args);
}

static void many_ancestors(void **state)
{
	(void)state;
	for (uint32_t pid = 1000; pid < 1200; pid++)
		fork_of(pid, pid + 1);
	open_of(1200, "/x");
	assert_canonical(render(alert, 0));
	assert_int_equal(count(text, "\"pid\":"), 1 + 1 + VAL_ANCESTORS_MAX);
}

static void errors(void **state)
{
	struct buf small;
	size_t gap;

	(void)state;
	open_of(11, "/etc/shadow");
	buf_init(&small, 100);
	buf_puts(&small, "keep");
	assert_int_equal(alert_render(alert, &dec.ev, 2, NULL, &small, &gap), -EINVAL);
	assert_int_equal(alert_render(alert, &dec.ev, 0, NULL, &small, &gap), -EFBIG);
	assert_int_equal(small.len, 4);
	assert_int_equal(buf_error(&small), 0);
	dec.ev.type = EV_TYPES;
	assert_int_equal(alert_render(alert, &dec.ev, 0, NULL, &small, &gap), -EINVAL);
	buf_done(&small);

	/* without a process, before 1970 */
	dec.ev.type = EV_OPEN;
	dec.ev.proc = NULL;
	dec.ev.now_ns = -1;
	assert_canonical(render(alert, 1));
	assert_non_null(strstr(text, "\"process\":{}"));
	assert_non_null(strstr(text, "1969-12-31T23:59:59.999999999Z"));
	assert_non_null(strstr(text, "\"policy\":\"default\",\"tags\""));
	alert_free(NULL);
	free(text);
	text = NULL;
	buf_done(&out);
}

/* ---- what followed from the match ------------------------------------------------------------------------------------ */

/* A rule that sets variables of some types, one of them private, logs twice, and was held back twice before. */
static void test_effects(void **state)
{
	struct program_builder *pb;
	struct alert_options ao = { .hostname = "here" };
	const struct pvar vars[] = { { .type = NT_STR, .scope = VAR_PROCESS },
				     { .type = NT_INTS, .size = 4 },
				     { .type = NT_INT, .flags = VAR_PRIVATE },
				     { .type = NT_BOOL, .scope = VAR_CONTAINER },
				     { .type = NT_BOOL } };
	static const char *const names[] = { "name", "numbers", "secret", "nowhere", "flag" };
	struct prule rule = { .event = EV_OPEN, .every_ns = 1000000000 };
	struct paction actions[10];
	const struct alert_action done[] = {
		{ .action = 7, .state = ALERT_ACTION_ASKED, .request = 3 },
		{ .action = 7, .state = ALERT_ACTION_NOT_ALLOWED },
		{ .action = 8, .state = ALERT_ACTION_DONE },
		{ .action = 8, .state = ALERT_ACTION_NOT_DONE },
		{ .action = 9, .state = ALERT_ACTION_ASKED, .request = 4, .file = "t-r-4.cap" },
		{ .action = 9, .state = ALERT_ACTION_LIMITED }
	};
	struct alert_effects effects = { .actions = done, .nactions = 6 };
	struct alert *a;
	struct program p;
	struct err err;
	uint32_t values[5];
	size_t gap;

	(void)state;
	assert_int_equal(program_builder_new(catalog_tamis(), &pb), 0);
	rule.root = (uint32_t)program_node(pb, N_BOOL, 0, 0, 0, 1);
	rule.group = (uint32_t)program_str_add(pb, "family", 6);
	values[0] = (uint32_t)program_node(pb, N_STR, (uint32_t)program_str_add(pb, "a \"b\"", 5), 0, 0, 0);
	values[1] = values[2] = (uint32_t)program_node(pb, N_INT, 0, 0, 0, 7);
	values[3] = values[4] = rule.root;
	for (uint32_t i = 0; i < 5; i++) {
		struct pvar v = vars[i];

		v.name = (uint32_t)program_str_add(pb, names[i], strlen(names[i]));
		actions[i] = (struct paction){ .var = (uint32_t)program_var_add(pb, &v),
					       .filter = PROGRAM_NONE,
					       .field = PROGRAM_NONE,
					       .message = PROGRAM_NONE,
					       .values_first = (uint32_t)program_refs_add(pb, &values[i], 1),
					       .values_count = 1 };
	}
	for (uint32_t i = 5; i < 7; i++)
		actions[i] = (struct paction){ .kind = ACT_LOG,
					       .level = ACT_ERROR,
					       .filter = PROGRAM_NONE,
					       .field = PROGRAM_NONE,
					       .message = i == 5 ? values[0] : PROGRAM_NONE };
	assert_int_equal(program_rule_add(pb, &rule, NULL, 0), 0);
	actions[7] = (struct paction){ .kind = ACT_KILL,
				       .scope = VAR_CGROUP,
				       .num = 9,
				       .filter = PROGRAM_NONE,
				       .field = PROGRAM_NONE,
				       .message = PROGRAM_NONE };
	actions[8] = (struct paction){
		.kind = ACT_DENY, .filter = PROGRAM_NONE, .field = PROGRAM_NONE, .message = PROGRAM_NONE
	};
	actions[9] = (struct paction){
		.kind = ACT_CAPTURE, .filter = PROGRAM_NONE, .field = PROGRAM_NONE, .message = PROGRAM_NONE
	};
	assert_int_equal(program_actions_set(pb, 0, actions, 10), 0);
	p = program_view(pb);
	assert_int_equal(engine_new(&p, &effects.engine, &err), 0);
	assert_int_equal(alert_new(&ao, &p, &a), 0);

	exec_of(70, 1, "/bin/sh", NULL, 0);
	open_of(70, "/etc/shadow");
	for (int i = 0; i < 3; i++) /* one alert, two that are held back */
		assert_int_equal(engine_eval(effects.engine, &dec.ev, NULL), 1);
	dec.ev.now_ns += 1000000000;
	assert_int_equal(engine_eval(effects.engine, &dec.ev, NULL), 1);
	effects.match = engine_matches(effects.engine);
	buf_done(&out);
	buf_init(&out, 4 << 20);
	assert_int_equal(alert_render(a, &dec.ev, 0, &effects, &out, &gap), 0);
	free(text);
	text = malloc(out.len + 8);
	snprintf(text, out.len + 8, "%.*s17%.*s", (int)gap, (char *)out.data, (int)(out.len - gap),
		 (char *)out.data + gap);
	assert_canonical(text);
	assert_non_null(strstr(text, "\"log\":[{\"level\":\"error\",\"message\":\"a \\\"b\\\"\"},"
				     "{\"level\":\"error\",\"message\":\"\"}],"));
	assert_non_null(strstr(
		text, "{\"actions\":[{\"kind\":\"kill\",\"request\":3,\"scope\":\"cgroup\",\"signal\":\"SIGKILL\","
		      "\"state\":\"asked\"},{\"kind\":\"kill\",\"scope\":\"cgroup\",\"signal\":\"SIGKILL\","
		      "\"state\":\"not allowed\"},{\"kind\":\"deny\",\"state\":\"done\"},"
		      "{\"kind\":\"deny\",\"state\":\"not done\"},"
		      "{\"file\":\"t-r-4.cap\",\"kind\":\"capture\",\"request\":4,\"state\":\"asked\"},"
		      "{\"kind\":\"capture\",\"state\":\"limited\"}],"));
	assert_non_null(strstr(text, "\"suppressed\":2,"));
	assert_non_null(strstr(text, "\"group_id\":\"family\""));
	assert_non_null(
		strstr(text, "\"variables\":{\"flag\":true,\"numbers\":[7],\"process.name\":\"a \\\"b\\\"\"}}"));
	alert_free(a);
	engine_free(effects.engine);
	program_builder_free(pb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_effects),
		cmocka_unit_test(the_whole_text),
		cmocka_unit_test(the_cache_is_no_lie),
		cmocka_unit_test(every_event_type),
		cmocka_unit_test(every_event_shows_its_own),
		cmocka_unit_test(read_back),
		cmocka_unit_test(long_arguments),
		cmocka_unit_test(the_longest),
		cmocka_unit_test(many_ancestors),
		cmocka_unit_test(errors),
		cmocka_unit_test(targets_and_families),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
