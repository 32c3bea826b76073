/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_ERR_H
#define TAMIS_LIB_ERR_H

/*
 * How a library says what went wrong: a negative errno for the program, one line of text for a person.
 * Libraries do not log. The caller owns the struct (usually on its stack) and decides what to do with the text.
 *
 *	if (fd < 0)
 *		return err_set(e, -errno, "cannot open %s: %s", path, strerror(errno));
 */

#include <string.h>

struct err {
	char msg[512]; /* always terminated; cut off where it is too long, never without its beginning */
};

/*
 * Stores the formatted text and returns the errno that it was given. A NULL e is fine: only the errno remains.
 * The arguments may point into e->msg itself, so that an error can be wrapped in what was being done.
 */
int err_set(struct err *e, int negative_errno, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The usual case: "WHAT SUBJECT: strerror", for example err_sys(e, -errno, "cannot open", path). */
int err_sys(struct err *e, int negative_errno, const char *what, const char *subject);

/* Empties the text, so that a message never outlives its cause. A NULL e is fine. */
void err_clear(struct err *e);

#endif
