/* SPDX-License-Identifier: Apache-2.0 */
/* `tamisctl sinks`: where the log is brought to, how that goes, and whether it works. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/ctl/client.h"
#include "sensor/ctl/commands.h"
#include "sensor/ctl/show.h"
#include "sensor/spool/sinkconf.h"

#define TEST_S	  30
#define SINKS_DIR "/etc/tamis/sinks.d"

static void print_sink(const json_t *s)
{
	char sent[SHOW_MAX], lag[SHOW_MAX], old[SHOW_MAX], n[SHOW_MAX];
	const char *error = show_str(s, "error"), *state = show_str(s, "state");
	bool bad = show_u64(s, "failing") > 0;

	printf("%-16s %-8s %-9s %s sent", show_str(s, "name"), show_str(s, "type"), bad ? "FAILING" : state,
	       show_count(show_u64(s, "sent"), sent));
	if (show_u64(s, "lag_records"))
		printf(", %s behind (%s)", show_count(show_u64(s, "lag_records"), lag),
		       show_seconds(show_u64(s, "lag_seconds"), old));
	if (show_u64(s, "folded"))
		printf(", %s folded", show_count(show_u64(s, "folded"), n));
	if (show_u64(s, "retried"))
		printf(", %s retries", show_count(show_u64(s, "retried"), n));
	if (show_u64(s, "duplicates"))
		printf(", %s possible duplicates", show_count(show_u64(s, "duplicates"), n));
	if (show_u64(s, "refused"))
		printf(", %s REFUSED by the collector", show_count(show_u64(s, "refused"), n));
	if (show_u64(s, "missed"))
		printf(", %s MISSED: pruned before they were read", show_count(show_u64(s, "missed"), n));
	if (show_u64(s, "restarts"))
		printf(", process restarted %" PRIu64 " times", show_u64(s, "restarts"));
	putchar('\n');
	if (*error)
		printf("%17s%s: %s\n", "", bad ? "error" : "last error", error);
}

static json_t *find(const json_t *status, const char *name)
{
	size_t i;
	json_t *s;

	json_array_foreach(json_object_get(status, "sinks"), i, s)
	{
		if (strcmp(show_str(s, "name"), name) == 0)
			return s;
	}
	return NULL;
}

static int show(int argc, char **argv, const char *state_dir)
{
	bool as_json;
	json_t *status, *s;
	size_t i;
	int r = show_args(argc, argv, &as_json);

	if (r)
		return r;
	status = show_ask(state_dir, MSG_STATUS, NULL);
	if (!status)
		return CTL_FAILED;
	if (as_json) {
		json_dumpf(json_object_get(status, "sinks"), stdout, JSON_COMPACT | JSON_SORT_KEYS);
		putchar('\n');
	} else {
		if (!json_array_size(json_object_get(status, "sinks")))
			puts("no sinks: tamisd was started without --sinks DIR, or there is no NAME.conf in it");
		json_array_foreach(json_object_get(status, "sinks"), i, s) print_sink(s);
	}
	json_decref(status);
	return CTL_OK;
}

/* 1: it was made and went well; 0: not made yet; or failed, with the reason said */
static int test_result(const char *state_dir, const char *name, uint64_t before)
{
	json_t *status = show_ask(state_dir, MSG_STATUS, NULL);
	const json_t *s = status ? find(status, name) : NULL;
	int r = !s ? -1 : show_u64(s, "tests") <= before ? 0 : 1;

	if (r == 1 && json_is_true(json_object_get(s, "test_failed"))) {
		log_err("sink %s: %s", name, show_str(s, "error"));
		r = -1;
	}
	json_decref(status);
	return r;
}

static int test(const char *name, const char *state_dir)
{
	struct client_question q = { .type = MSG_SINK_TEST, .body = name, .len = strlen(name), .fd = -1 };
	_cleanup_free_ char *text = NULL;
	json_t *status = show_ask(state_dir, MSG_STATUS, NULL);
	struct err e = { "" };
	uint64_t before;
	int r = 0;

	if (!status)
		return CTL_FAILED;
	before = show_u64(find(status, name), "tests");
	json_decref(status);
	if (client_ask(state_dir, &q, &text, &e) < 0) {
		log_err("%s", e.msg);
		return CTL_FAILED;
	}
	for (int i = 0; r == 0 && i < TEST_S * 10; i++) {
		usleep(100000);
		r = test_result(state_dir, name, before);
	}
	if (r == 0)
		log_err("sink %s did not answer within %d s: see tamisctl sinks", name, TEST_S);
	if (r == 1)
		printf("sink %s: the collector took the test\n", name);
	return r == 1 ? CTL_OK : CTL_FAILED;
}

static int check(const char *dir)
{
	struct sink_confs c;
	struct err e = { "" };

	if (sinkconf_read_dir(dir, &c, &e) < 0) {
		log_err("%s", e.msg);
		return CTL_FAILED;
	}
	for (size_t i = 0; i < c.n; i++)
		printf("%-16s %s\n", c.sink[i].name, c.sink[i].type->what);
	if (!c.n)
		printf("there are no sinks in %s\n", dir);
	sinkconf_done(&c);
	return CTL_OK;
}

int cmd_sinks(int argc, char **argv, const char *state_dir)
{
	if (argc == 3 && strcmp(argv[1], "test") == 0)
		return test(argv[2], state_dir);
	if ((argc == 2 || argc == 3) && strcmp(argv[1], "check") == 0)
		return check(argc == 3 ? argv[2] : SINKS_DIR);
	if (argc > 1 && argv[1][0] != '-') {
		log_err("usage: tamisctl sinks [--json | test NAME | check [DIR]]");
		return CTL_USAGE;
	}
	return show(argc, argv, state_dir);
}
