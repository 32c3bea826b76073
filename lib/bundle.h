/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bundle: a compiled policy as one signed file (.tpb). The container knows nothing of what its sections mean.
 *
 *	magic "TAMISTPB" | u32 version | u32 nsections | u64 size of everything before the signature | sections table
 *	{u32 type, u32 pad, u64 offset, u64 size} sorted by type, offsets 64-byte aligned, no overlap, no gap but zero padding
 *	| section bytes | u32 signature size | DER ECDSA P-256 over SHA-256 of everything before that size | 8-byte key id
 * Little endian. Unsigned: size and key id are 0. Same sections, same bytes: signatures are deterministic (RFC 6979).
 */
#ifndef TAMIS_BUNDLE_H
#define TAMIS_BUNDLE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define BUNDLE_MAGIC	    "TAMISTPB"
#define BUNDLE_VERSION	    1
#define BUNDLE_SIZE_MAX	    (256u << 20)
#define BUNDLE_SECTIONS_MAX 16

enum bundle_section {
	BUNDLE_META =
		1, /* canonical JSON: name, versions of policies, tamisc version, sources' SHA-256, catalog fingerprint */
	BUNDLE_PROGRAM = 2, /* lib/program.h */
	BUNDLE_SIEVE = 3,   /* struct sieve, its tables cut to the used length: see sieve_pack() in lib/sieve_io.h */
	BUNDLE_WATCHES = 4, /* lib/watch_io.h; only where there are any */
	BUNDLE_FILTERS = 5, /* lib/program.h, over the catalog of lib/host.h; only where rules have such filters */
};

struct bundle {
	void *bytes; /* owned, 64-byte aligned */
	size_t size;
	struct {
		uint32_t type;
		const void *p;
		size_t size;
	} section[BUNDLE_SECTIONS_MAX]; /* borrowed from bytes */
	uint32_t nsections;
	const uint8_t *key_id; /* of the key that claims to have signed it, borrowed from bytes; NULL: unsigned */
	uint8_t sha256[32];    /* of the whole file: the bundle's name in the log */
};

struct bundle_part {
	uint32_t type;
	const void *p;
	size_t size;
};

struct sig_key;
/*
 * Writes parts as a bundle to @path (a temporary file beside it, then rename: a reader never sees half of it).
 * @key NULL leaves it unsigned. Negative errno with the reason in @err.
 */
int bundle_write(const char *path, const struct bundle_part *parts, size_t n, struct sig_key *key, struct err *err);
/*
 * Reads and checks the container. @trust NULL accepts any or no signature (the caller has to have been told so).
 * Errors, all with a remedy in @err: -EKEYREJECTED signature missing, wrong or by another key; -EBADMSG malformed;
 * -EPROTONOSUPPORT a newer version; -EFBIG; errno of open/read. On error *ret is all zero.
 */
int bundle_read(const char *path, struct sig_key *trust, struct bundle *ret, struct err *err);
/* The same from bytes in memory (copied). */
int bundle_parse(const void *bytes, size_t size, struct sig_key *trust, struct bundle *ret, struct err *err);
/* The section of that type, or NULL; *ret_size its bytes. */
const void *bundle_section(const struct bundle *b, uint32_t type, size_t *ret_size);
void bundle_done(struct bundle *b);

#endif
