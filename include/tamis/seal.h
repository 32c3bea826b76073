/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SEAL_H
#define TAMIS_SEAL_H

/*
 * A way to keep the log's key so that only this machine can open it: a module, tamis-seal-NAME.so, exports one of these under the
 * name TAMIS_SEAL_SYMBOL. It runs in a process of its own (sensor/priv/sealer.h), which nothing but this goes through. Calls
 * return 0, or -1 with a reason in @why.
 */

#include <stddef.h>
#include <stdint.h>

#define TAMIS_SEAL_VERSION 1
#define TAMIS_SEAL_SYMBOL  "tamis_seal_module"
#define TAMIS_SEAL_SECRET  128	/* bytes of a secret, at most */
#define TAMIS_SEAL_BLOB	   2048 /* of what it becomes */

struct tamis_seal_module {
	uint32_t version; /* TAMIS_SEAL_VERSION */
	const char *name; /* for messages */
	/* @where: which device, as the module understands it. *ret goes into the other calls. */
	int (*open)(const char *where, void **ret, char *why, size_t size);
	int (*seal)(void *s, const uint8_t *secret, size_t n, uint8_t ret[TAMIS_SEAL_BLOB], size_t *ret_n, char *why,
		    size_t size);
	int (*unseal)(void *s, const uint8_t *blob, size_t n, uint8_t ret[TAMIS_SEAL_SECRET], size_t *ret_n, char *why,
		      size_t size);
};

#endif
