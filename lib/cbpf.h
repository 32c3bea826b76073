/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_CBPF_H
#define TAMIS_LIB_CBPF_H

/*
 * Classic BPF, the language of packet filters (struct sock_filter of <linux/filter.h>): as text, and the numbers that a
 * filter compares with. The bytes are untrusted: any of them give a text, unknown instructions ".word"s. Nothing here
 * allocates.
 */

#include <stddef.h>
#include <stdint.h>

#include "lib/value.h"

#define CBPF_INSN      8  /* bytes of an instruction */
#define CBPF_TEXT_INSN 40 /* at most this many bytes of text for one */

/*
 * One instruction a line ("ldh [12]", "jeq #2048,0,5"), with a jump's two distances only where both are ones, and the
 * condition turned round where it goes on otherwise ("jneq #2048,5"). Whole instructions of @len bytes; the length of the
 * text, which has no NUL and is at most @size bytes: what does not fit is left out, whole lines at a time.
 */
size_t cbpf_text(const void *bytes, size_t len, char *out, size_t size);

/* The constants that are loaded, computed and compared with, in their order. How many are in @ret, at most @max. */
uint32_t cbpf_immediates(const void *bytes, size_t len, struct val *ret, uint32_t max);

#endif
