/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_CHANGE_H
#define TAMIS_SENSOR_FIM_CHANGE_H

/*
 * What a check found about one path, as a row of the table change. As bytes (numbers as in fact.h):
 *
 *	u8 0xc1, kind, severity, package | number mask | text watch, owner | number size, fact (none where it is gone)
 *	text: number size, bytes
 */

#include "sensor/fim/fact.h"

enum change_kind { CHANGE_ADDED = 1, CHANGE_REMOVED, CHANGE_CHANGED, CHANGE_KINDS };

/* What the package database says of what is there now. */
enum change_package {
	PACKAGE_UNASKED,
	PACKAGE_NONE,	  /* no package has this file */
	PACKAGE_MATCHES,  /* it is what the package brought */
	PACKAGE_CONTENT,  /* its content is; something else was changed, of which packages keep no record */
	PACKAGE_CONFFILE, /* it differs, and is a file that people are meant to change */
	PACKAGE_DIFFERS,  /* it differs */
	PACKAGE_UNKNOWN,  /* the database has no digest of it, or it could not be read */
	PACKAGES
};

struct change {
	uint8_t kind, severity, package;
	uint32_t mask;		   /* CHANGED: what differs */
	const char *watch, *owner; /* not terminated; owner: name of the package, may be empty */
	uint32_t watch_len, owner_len;
	const uint8_t *fact; /* ADDED, CHANGED: what is there now */
	uint32_t fact_len;
};

int change_put(const struct change *c, struct buf *out);
/* Borrows from the bytes, which are untrusted. -EBADMSG. */
int change_read(const void *p, size_t n, struct change *ret);

const char *change_kind_name(unsigned int kind);
const char *change_package_name(unsigned int package);

/* How grave a change is: what the package manager put there is less so, what it did not is more. */
uint8_t change_severity(uint8_t of_watch, unsigned int package);

#endif
