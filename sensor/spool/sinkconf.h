/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SPOOL_SINKCONF_H
#define TAMIS_SPOOL_SINKCONF_H

/*
 * What sinks there are to be: a directory of files NAME.conf, each a sink, `setting = value` a line as in tamisd.conf.
 * Which settings a type has is one table here; a module gets them as text that was checked against it. Nothing is opened
 * or connected to.
 */

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

#define SINKS_MAX	  16
#define SINK_NAME_MAX	  32
#define SINK_SETTINGS_MAX 24
#define SINK_FOLDS_MAX	  32
#define SINK_FILE_MAX	  (64u << 10)

/* The log's kinds of records; ends with NULL. */
extern const char *const sink_kinds[];

struct sink_setting {
	const char *name;
	enum sink_value { SINK_TEXT, SINK_PATH, SINK_NUMBER, SINK_BYTES, SINK_FLAG, SINK_WORD } kind;
	bool required;
	const char *words; /* of SINK_WORD: "none sasl tls" */
};

struct sink_type {
	const char *name, *module, *format, *what;
	uint32_t batch;					 /* messages at most in one go */
	bool chat;					 /* for people: alerts alone, folded */
	struct sink_setting settings[SINK_SETTINGS_MAX]; /* ends with a NULL name */
};

/* All of them; ends with a NULL name. */
extern const struct sink_type sink_types[];

struct sink_fold {
	char *rule; /* owned */
	uint32_t seconds;
};

struct sink_conf {
	char name[SINK_NAME_MAX + 1];
	const struct sink_type *type;
	char *format;				/* owned */
	uint32_t kinds;				/* bits of sink_kinds */
	int severity;				/* alerts of at least this one; 0: all */
	uint32_t fold;				/* seconds in which identical alerts become one; 0: none do */
	struct sink_fold folds[SINK_FOLDS_MAX]; /* by rule */
	size_t nfolds;
	uint32_t rate;	    /* messages a second at most; 0: any */
	uint32_t timeout_s; /* of one send */
	uint32_t retry_max_s;
	uint32_t batch;
	bool from_start;		 /* a sink that is new begins with the log's first record, not with the next */
	char *values[SINK_SETTINGS_MAX]; /* owned, by type->settings; NULL: not given */
};

struct sink_confs {
	struct sink_conf *sink; /* owned */
	size_t n;
};

/*
 * Reads the directory, in the order of the names. A directory that is not there is no sink. -EINVAL with "FILE:LINE: what;
 * remedy" for what is not understood.
 */
int sinkconf_read_dir(const char *path, struct sink_confs *ret, struct err *e);
void sinkconf_done(struct sink_confs *c);

/* One file's text. @where is its name in messages. *ret is the caller's to give to sink_conf_done, after 0 only. */
int sinkconf_parse(const char *name, const char *where, const char *text, size_t n, struct sink_conf *ret,
		   struct err *e);
void sink_conf_done(struct sink_conf *c);

/* "" where it was not given. */
const char *sinkconf_get(const struct sink_conf *c, const char *setting);
uint32_t sinkconf_fold(const struct sink_conf *c, const char *rule);
bool sinkconf_wants(const struct sink_conf *c, const char *kind);

#endif
