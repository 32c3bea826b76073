/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char log_name[64] = "tamis";
static enum log_level log_max = LOG_LEVEL_INFO;

static const char *const log_mark[] = {
	[LOG_LEVEL_ERR] = "error: ",
	[LOG_LEVEL_WARN] = "warning: ",
	[LOG_LEVEL_INFO] = "",
	[LOG_LEVEL_DEBUG] = "debug: ",
};

void log_open(const char *progname, enum log_level level)
{
	snprintf(log_name, sizeof(log_name), "%s", progname);
	log_max = level;
}

static void log_line(enum log_level level, const char *fmt, va_list ap)
{
	char line[1024];
	int saved_errno = errno;
	size_t len;

	if (level > log_max)
		return;
	snprintf(line, sizeof(line) - 1, "%s: %s", log_name, log_mark[level]);
	len = strlen(line);
	vsnprintf(line + len, sizeof(line) - 1 - len, fmt, ap);
	for (len = 0; line[len]; len++)
		if ((unsigned char)line[len] < 0x20 || line[len] == 0x7f)
			line[len] = '?';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0) {
		/* nobody is left to tell */
	}
	errno = saved_errno;
}

#define LOG_FUNCTION(name, level)                                                                                      \
	void name(const char *fmt, ...)                                                                                \
	{                                                                                                              \
		va_list ap;                                                                                            \
                                                                                                                       \
		va_start(ap, fmt);                                                                                     \
		log_line(level, fmt, ap);                                                                              \
		va_end(ap);                                                                                            \
	}

LOG_FUNCTION(log_err, LOG_LEVEL_ERR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
