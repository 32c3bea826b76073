/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>

int err_set(struct err *e, int negative_errno, const char *fmt, ...)
{
	struct err fresh;
	va_list ap;

	if (!e)
		return negative_errno;
	va_start(ap, fmt);
	vsnprintf(fresh.msg, sizeof(fresh.msg), fmt, ap);
	va_end(ap);
	*e = fresh;
	return negative_errno;
}

int err_sys(struct err *e, int negative_errno, const char *what, const char *subject)
{
	return err_set(e, negative_errno, "%s %s: %s", what, subject, strerror(-negative_errno));
}

void err_clear(struct err *e)
{
	if (e)
		e->msg[0] = '\0';
}
