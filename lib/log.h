/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_LOG_H
#define TAMIS_LIB_LOG_H

/*
 * What a program says to people: one line a message on stderr, "NAME: text" or "NAME: warning: text".
 * For programs only (main.c, ctl): a library returns a struct err (lib/err.h) instead.
 * This is not the signed log of alerts, which is sensor/record/auditlog.h.
 *
 * A message is one write(2), so lines of several processes never mix. Control characters in it are shown as '?': a
 * file name in a message cannot forge a second line. errno survives every call.
 */

enum log_level {
	LOG_LEVEL_ERR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* progname is what each line starts with, such as "tamisd[engine]" (copied); messages above level are dropped. */
void log_open(const char *progname, enum log_level level);

void log_err(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
