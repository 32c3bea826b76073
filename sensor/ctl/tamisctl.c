/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "sensor/ctl/cmd_fim.h"
#include "sensor/ctl/cmd_log.h"
#include "sensor/ctl/commands.h"
#include "sensor/priv/options.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv, const char *state_dir);
	const char *args, *what;
} commands[] = {
	{ "status", cmd_status, "[--json]", "health: policy, processes, losses, the log" },
	{ "hooks", cmd_hooks, "[--json]", "where the sensor is hooked in, and what it misses there" },
	{ "stats", cmd_stats, "[--json]", "events seen, dropped, sent, lost; cost of each hook over one second" },
	{ "top", cmd_top, "[--json]", "the same, again each second" },
	{ "metrics", cmd_metrics, "[--http]", "counters and gauges for Prometheus" },
	{ "reload", cmd_reload, "BUNDLE.tpb", "put another policy in force, with nothing lost" },
	{ "capture", cmd_capture, "-o FILE|--info FILE|...", "record events, for tamisd --replay" },
	{ "sinks", cmd_sinks, "[--json|test NAME|check [DIR]]", "where alerts are sent to, and how that goes" },
	{ "log", cmd_log, "verify|prove|tail|export ...", "the signed log; needs no running sensor" },
	{ "fim", cmd_fim, "init|check|diff|accept ...", "file integrity by a baseline; needs no running sensor" },
	{ "doctor", cmd_doctor, "[--json]", "what this host lacks, and the remedy" },
};
#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(void)
{
	puts("usage: tamisctl [--state DIR] COMMAND [ARGUMENT...]\n");
	for (size_t i = 0; i < NCOMMANDS; i++)
		printf("  %-8s%-30s %s\n", commands[i].name, commands[i].args, commands[i].what);
	puts("\n  --state DIR   the sensor's directory (" OPTIONS_STATE ")\n"
	     "\n"
	     "Exit status: 0 done, 1 not done, 2 usage; `log verify` has 1 for a log that does not verify.");
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* Takes "--state DIR" and "--state=DIR" out of argv, wherever they stand before "--". -EINVAL: no value. */
static int take_state(int *argc, char **argv, const char **ret_state)
{
	int n = 1;

	for (int i = 1; i < *argc; i++) {
		if (strncmp(argv[i], "--state=", 8) == 0) {
			*ret_state = argv[i] + 8;
		} else if (strcmp(argv[i], "--state") == 0) {
			if (i + 1 == *argc)
				return -EINVAL;
			*ret_state = argv[++i];
		} else {
			argv[n++] = argv[i];
		}
	}
	argv[n] = NULL;
	*argc = n;
	return 0;
}

int main(int argc, char **argv)
{
	const char *state = OPTIONS_STATE;
	const struct command *c;

	log_open("tamisctl", LOG_LEVEL_INFO);
	if (take_state(&argc, argv, &state) < 0) {
		log_err("--state wants a directory");
		return CTL_USAGE;
	}
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		print_help();
		return CTL_OK;
	}
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		puts("tamisctl " TAMIS_VERSION);
		return CTL_OK;
	}
	c = argc > 1 ? find(argv[1]) : NULL;
	if (!c) {
		log_err(argc > 1 ? "there is no command '%s' (tamisctl --help lists them)"
				 : "a command is missing%s (tamisctl --help lists them)",
			argc > 1 ? argv[1] : "");
		return CTL_USAGE;
	}
	return c->run(argc - 1, argv + 1, state);
}
