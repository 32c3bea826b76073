/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_CRC32_H
#define TAMIS_CRC32_H

/* The checksum of zip and Ethernet: against accidents, not against anybody who wants bytes to have it. */

#include <stddef.h>
#include <stdint.h>

/* Of what @crc is the checksum of (0: nothing), followed by @n bytes. */
uint32_t crc32_add(uint32_t crc, const void *p, size_t n);
/* The same without what only some processors can do. */
uint32_t crc32_add_plain(uint32_t crc, const void *p, size_t n);

#endif
