/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tamisd was asked for: the command line over the configuration file. Strings are owned by the struct.
 */
#ifndef TAMIS_PRIV_OPTIONS_H
#define TAMIS_PRIV_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "tamis/event.h"

#define OPTIONS_CONFIG	   "/etc/tamis/tamisd.conf"
#define OPTIONS_STATE	   "/var/lib/tamis"
#define OPTIONS_CANARY	   300
#define OPTIONS_LOG_EPOCH  (24 * 3600)
#define OPTIONS_LOG_KEEP   (16ull << 30)
#define OPTIONS_MODULES	   "/usr/lib/tamis/sinks"
#define OPTIONS_SINK_HOLD  (4ull << 30)
#define OPTIONS_SEAL	   "/usr/lib/tamis/seal/tamis-seal-tpm2.so"
#define OPTIONS_HEARTBEAT  300
#define OPTIONS_DENY_LIMIT 1000

struct options {
	char *policy;	     /* bundle; required */
	char *trust;	     /* public key, or NULL */
	char *state;	     /* directory of everything that is kept */
	char *alerts;	     /* "-", a file, or NULL: the log only */
	char *replay;	     /* capture, or NULL */
	char *rung;	     /* name, or NULL: the best */
	char *btf;	     /* file of type information, or NULL */
	char *allow_actions; /* "POLICY=ACTION,... ...", or NULL: none; see sensor/respond/permit.h */
	bool allow_unsigned;
	bool foreground;
	bool help, version;
	uint32_t ring_bytes; /* 0: the default */
	uint32_t lineage_bytes;
	uint32_t log_epoch;	/* seconds that a key of the log is used; 0: only the size ends an epoch */
	uint32_t log_keep_age;	/* seconds after which a segment of the log goes; 0: never */
	uint64_t log_keep;	/* bytes beyond which the oldest go; 0: never */
	uint32_t kill_limit;	/* kills of one rule in a minute, beyond which it is disarmed */
	uint32_t deny_limit;	/* denials in a minute, beyond which nothing is refused any more; 0: no limit */
	uint32_t canary;	/* seconds between two rounds; 0: off */
	uint32_t queue_bytes;	/* 0: the default */
	uint64_t captures_keep; /* bytes of the captures that rules asked for; 0: none are made */
	char *sinks;		/* directory of sinks' settings, or NULL: none */
	char *sink_modules;	/* directory of their modules */
	uint64_t sink_hold;	/* bytes beyond log_keep that retention waits for sinks */
	char *runtime_sockets;	/* container runtimes that may be asked for names, or NULL: none; see runtime.h */
	char *log_seal;		/* what seals the log's keys, as its module names it, or NULL: nothing */
	char *log_seal_module;	/* the module's file */
	uint32_t heartbeat;	/* seconds between two heartbeats; 0: off */
};

/*
 * Reads the command line and then the configuration file (--config, or OPTIONS_CONFIG where no --policy was given) for
 * what it leaves open. -EINVAL with the reason for anything that is not understood.
 */
int options_parse(int argc, char **argv, struct options *ret, struct err *e);
void options_done(struct options *o);

/* The text of --help. */
const char *options_help(void);

#endif
