/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_WATCH_IO_H
#define TAMIS_LIB_WATCH_IO_H

/*
 * The watches as a section of a bundle. Little endian:
 *
 *	u32 version (2), u32 count
 *	each watch: text id, description, policy, version | u32 attrs, diff_max, debounce_ms (not in version 1) | u16 severity
 *		u8 flags: 1 recursive, 2 growing, 4 one filesystem | u8 0
 *		u32 count and as many texts: paths, exclude, never_store | u32 count and as many pairs of texts: tags
 *	text: u32 size, bytes, a NUL that the size does not count
 */

#include "lib/buf.h"
#include "lib/err.h"
#include "lib/watch.h"

/* Appends the section: 0 or the buffer's error. Same list, same bytes. */
int watch_pack(const struct watch_list *list, struct buf *out);
/*
 * Reads a section of untrusted bytes, which are copied. All that lib/watch.h says of a list holds for what comes out:
 * numbers within their bounds, absolute globs that glob_new() takes. -EBADMSG with the reason in @e, -ENOMEM.
 */
int watch_unpack(const void *bytes, size_t size, struct watch_list *ret, struct err *e);
/* A zeroed list is fine. */
void watch_list_done(struct watch_list *list);

#endif
