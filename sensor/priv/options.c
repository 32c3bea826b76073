/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "sensor/priv/runtime.h"
#include "sensor/respond/caplimit.h"
#include "sensor/respond/disarm.h"
#include "sensor/respond/permit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum kind { TEXT, FLAG, BYTES, LARGE, SECONDS, NUMBER, COUNT_OF };

/* One row serves the command line (--name VALUE) and the configuration file (name = value). */
static const struct setting {
	const char *name;
	enum kind kind;
	size_t at; /* offset into struct options */
	bool in_file;
} settings[] = {
	{ "policy", TEXT, offsetof(struct options, policy), true },
	{ "trust", TEXT, offsetof(struct options, trust), true },
	{ "state", TEXT, offsetof(struct options, state), true },
	{ "alerts", TEXT, offsetof(struct options, alerts), true },
	{ "rung", TEXT, offsetof(struct options, rung), true },
	{ "ring-bytes", BYTES, offsetof(struct options, ring_bytes), true },
	{ "lineage-bytes", BYTES, offsetof(struct options, lineage_bytes), true },
	{ "log-epoch", SECONDS, offsetof(struct options, log_epoch), true },
	{ "log-keep", LARGE, offsetof(struct options, log_keep), true },
	{ "log-keep-age", SECONDS, offsetof(struct options, log_keep_age), true },
	{ "canary", SECONDS, offsetof(struct options, canary), true },
	{ "allow-actions", TEXT, offsetof(struct options, allow_actions), true },
	{ "kill-limit", COUNT_OF, offsetof(struct options, kill_limit), true },
	{ "deny-limit", NUMBER, offsetof(struct options, deny_limit), true },
	{ "captures-keep", LARGE, offsetof(struct options, captures_keep), true },
	{ "btf", TEXT, offsetof(struct options, btf), true },
	{ "queue-bytes", BYTES, offsetof(struct options, queue_bytes), true },
	{ "log-seal", TEXT, offsetof(struct options, log_seal), true },
	{ "log-seal-module", TEXT, offsetof(struct options, log_seal_module), true },
	{ "sinks", TEXT, offsetof(struct options, sinks), true },
	{ "sink-modules", TEXT, offsetof(struct options, sink_modules), true },
	{ "sink-hold", LARGE, offsetof(struct options, sink_hold), true },
	{ "runtime-sockets", TEXT, offsetof(struct options, runtime_sockets), true },
	{ "heartbeat", SECONDS, offsetof(struct options, heartbeat), true },
	{ "allow-unsigned", FLAG, offsetof(struct options, allow_unsigned), true },
	{ "foreground", FLAG, offsetof(struct options, foreground), false },
	{ "replay", TEXT, offsetof(struct options, replay), false },
	{ "help", FLAG, offsetof(struct options, help), false },
	{ "version", FLAG, offsetof(struct options, version), false },
};
#define OPT_CONFIG COUNT(settings)

const char *options_help(void)
{
	return "usage: tamisd --policy BUNDLE.tpb --trust PUB.pem [OPTION...]\n"
	       "\n"
	       "Watches this machine by a compiled policy and writes signed alerts to STATE/log.\n"
	       "\n"
	       "  --policy FILE        the bundle, made by `tamisc build`\n"
	       "  --trust PUB.pem      the key that must have signed it\n"
	       "  --allow-unsigned     take a bundle whoever made it\n"
	       "  --allow-actions LIST what rules may do beside alerting: \"POLICY=kill,deny,capture ...\"\n"
	       "  --state DIR          where log, keys and control socket live (" OPTIONS_STATE ")\n"
	       "  --alerts -|FILE      print alerts too, one JSON record a line, once they are on disk\n"
	       "  --foreground         stay in the foreground; without it, return once the sensor is ready\n"
	       "  --rung NAME          use only this kind of hook: fentry, kprobe or tracepoint\n"
	       "  --ring-bytes N, --lineage-bytes N  the kernel's ring buffers: all, exec to exit (4M, 2M)\n"
	       "  --queue-bytes N      how much a burst may take in memory (64M)\n"
	       "  --canary SECONDS     how often known acts show that the hooks see; 0: never (300)\n"
	       "  --log-epoch SECONDS, --log-seal TPM  replace the log's key (86400); seal it, see SECURITY.md\n"
	       "  --log-keep BYTES, --log-keep-age SECONDS  prune older segments; 0: never (16G, 0)\n"
	       "  --sinks DIR          bring the log to where DIR/NAME.conf say, see docs/sinks.md\n"
	       "  --runtime-sockets LIST  ask docker, podman, cri-o, containerd[=PATH] for names of containers\n"
	       "  --btf FILE           type information for a kernel that has none of its own; \"discover\": none\n"
	       "  --config FILE        settings, name = value a line (" OPTIONS_CONFIG "); --version, --help\n"
	       "  --replay CAPTURE     evaluate a capture instead of this machine: no privilege, no kernel\n"
	       "\n"
	       "Says `ready` on stderr once every hook is attached. `tamisctl doctor` tells what a host lacks.\n";
}

/* "8388608", "8192K", "8M", "1G" */
static int parse_bytes(const char *text, uint64_t most, uint64_t *ret)
{
	char *end;
	unsigned long long v;
	unsigned int shift = 0;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (*end && strchr("KMG", *end))
		shift = *end == 'K' ? 10 : *end == 'M' ? 20 : 30;
	if (errno || end[shift ? 1 : 0] || v > (most >> shift))
		return -EINVAL;
	*ret = (uint64_t)v << shift;
	return 0;
}

static int parse_flag(const char *text, bool *ret)
{
	static const char *const yes[] = { "yes", "true", "1", "on" }, *const no[] = { "no", "false", "0", "off" };

	for (size_t i = 0; i < COUNT(yes); i++) {
		if (strcmp(text, yes[i]) == 0)
			return *ret = true, 0;
		if (strcmp(text, no[i]) == 0)
			return *ret = false, 0;
	}
	return -EINVAL;
}

static int set(struct options *o, const struct setting *s, const char *value, struct err *e)
{
	void *at = (char *)o + s->at;
	uint64_t number;

	switch (s->kind) {
	case TEXT:
		free(*(char **)at);
		*(char **)at = strdup(value);
		return *(char **)at ? 0 : err_set(e, -ENOMEM, "no memory");
	case BYTES:
		if (parse_bytes(value, UINT32_MAX, &number) < 0)
			return err_set(e, -EINVAL, "%s wants a number of bytes such as 8M, not '%s'", s->name, value);
		*(uint32_t *)at = (uint32_t)number;
		return 0;
	case LARGE:
		if (parse_bytes(value, UINT64_MAX, at) < 0)
			return err_set(e, -EINVAL, "%s wants a number of bytes such as 16G, not '%s'", s->name, value);
		return 0;
	case SECONDS:
		if (parse_bytes(value, UINT32_MAX, &number) < 0 || !isdigit((unsigned char)value[strlen(value) - 1]))
			return err_set(e, -EINVAL, "%s wants a number of seconds, not '%s'", s->name, value);
		*(uint32_t *)at = (uint32_t)number;
		return 0;
	case NUMBER:
		if (parse_bytes(value, UINT32_MAX, &number) < 0 || !isdigit((unsigned char)value[strlen(value) - 1]))
			return err_set(e, -EINVAL, "%s wants a number, not '%s'", s->name, value);
		*(uint32_t *)at = (uint32_t)number;
		return 0;
	case COUNT_OF:
		if (parse_bytes(value, DISARM_KILLS_MAX, &number) < 0 || number < 1)
			return err_set(e, -EINVAL, "%s wants a number from 1 to %d, not '%s'", s->name,
				       DISARM_KILLS_MAX, value);
		*(uint32_t *)at = (uint32_t)number;
		return 0;
	case FLAG:
		if (parse_flag(value, at) < 0)
			return err_set(e, -EINVAL, "%s wants yes or no, not '%s'", s->name, value);
		return 0;
	}
	return -EINVAL;
}

/* ---- the file ------------------------------------------------------------------------------------------------------ */

static char *trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return s;
}

static const struct setting *setting_of_file(const char *name)
{
	for (size_t i = 0; i < COUNT(settings); i++)
		if (settings[i].in_file && strcmp(settings[i].name, name) == 0)
			return &settings[i];
	return NULL;
}

/* @given: which rows the command line has set; it goes first. */
static int file_line(struct options *o, const bool *given, char *line, struct err *e)
{
	char *name = trim(line), *eq = strchr(name, '=');
	const struct setting *s;

	if (!*name || *name == '#')
		return 0;
	if (!eq)
		return err_set(e, -EINVAL, "expected 'name = value', not '%s'", name);
	*eq = '\0';
	s = setting_of_file(trim(name));
	if (!s)
		return err_set(e, -EINVAL, "there is no setting '%s'", trim(name));
	return given[s - settings] ? 0 : set(o, s, trim(eq + 1), e);
}

static int read_file(struct options *o, const bool *given, const char *path, struct err *e)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	char line[4096 + 64];
	int r;

	if (!f)
		return err_sys(e, -errno, "cannot read", path);
	for (int n = 1; fgets(line, sizeof(line), f); n++) {
		r = file_line(o, given, line, e);
		if (r < 0)
			return err_set(e, r, "%s:%d: %s", path, n, e ? e->msg : "");
	}
	return 0;
}

/* ---- the command line ---------------------------------------------------------------------------------------------- */

/* Errors are worded here, so getopt is kept quiet. */
static int read_args(int argc, char **argv, struct options *o, bool *given, char **ret_config, struct err *e)
{
	struct option longs[COUNT(settings) + 2] = { { 0 } };
	int c, r;

	for (size_t i = 0; i < COUNT(settings); i++)
		longs[i] = (struct option){ settings[i].name, settings[i].kind != FLAG, NULL, 0x100 + (int)i };
	longs[OPT_CONFIG] = (struct option){ "config", required_argument, NULL, 0x100 + OPT_CONFIG };
	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
		size_t i = (size_t)c - 0x100;

		if (c == 'h')
			o->help = true;
		else if (c == ':')
			return err_set(e, -EINVAL, "%s wants a value", argv[optind - 1]);
		else if (c == '?')
			return err_set(e, -EINVAL, "there is no option %s", argv[optind - 1]);
		else if (i == OPT_CONFIG)
			*ret_config = optarg;
		else {
			given[i] = true;
			r = set(o, &settings[i], settings[i].kind == FLAG ? "yes" : optarg, e);
			if (r < 0)
				return r;
		}
	}
	if (optind < argc)
		return err_set(e, -EINVAL, "unexpected argument '%s'", argv[optind]);
	return 0;
}

int options_parse(int argc, char **argv, struct options *ret, struct err *e)
{
	struct options o = { .canary = OPTIONS_CANARY,
			     .kill_limit = DISARM_KILLS,
			     .deny_limit = OPTIONS_DENY_LIMIT,
			     .captures_keep = CAPLIMIT_KEEP,
			     .log_epoch = OPTIONS_LOG_EPOCH,
			     .log_keep = OPTIONS_LOG_KEEP,
			     .sink_hold = OPTIONS_SINK_HOLD,
			     .heartbeat = OPTIONS_HEARTBEAT };
	bool given[COUNT(settings)] = { 0 };
	char *config = NULL;
	int r = read_args(argc, argv, &o, given, &config, e);

	if (r == 0 && !o.help && !o.version && (config || !o.policy))
		r = read_file(&o, given, config ? config : OPTIONS_CONFIG, e);
	if (r == -ENOENT && !config)
		r = err_set(e, -EINVAL, "no policy: give --policy BUNDLE.tpb, or name it in " OPTIONS_CONFIG);
	else if (r == 0 && !o.help && !o.version && !o.policy)
		r = err_set(e, -EINVAL, "no policy: give --policy BUNDLE.tpb, or name it in the configuration file");
	if (r == 0)
		r = permit_parse(o.allow_actions, &(struct permit){ .n = 0 }, e);
	if (r == 0)
		r = runtime_parse(o.runtime_sockets, &(struct runtime_sources){ .n = 0 }, e);
	if (r == 0 && !o.state && !(o.state = strdup(OPTIONS_STATE)))
		r = err_set(e, -ENOMEM, "no memory");
	if (r == 0 && !o.sink_modules && !(o.sink_modules = strdup(OPTIONS_MODULES)))
		r = err_set(e, -ENOMEM, "no memory");
	if (r == 0 && !o.log_seal_module && !(o.log_seal_module = strdup(OPTIONS_SEAL)))
		r = err_set(e, -ENOMEM, "no memory");
	if (r < 0) {
		options_done(&o);
		return r;
	}
	*ret = o;
	return 0;
}

void options_done(struct options *o)
{
	for (size_t i = 0; i < COUNT(settings); i++)
		if (settings[i].kind == TEXT)
			free(*(char **)((char *)o + settings[i].at));
	*o = (struct options){ 0 };
}
