/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_ASCII_H
#define TAMIS_LIB_ASCII_H

/* Comparison without regard to case as the policy language has it: A-Z and a-z, whatever the locale. */

#include <stdbool.h>
#include <stddef.h>

static inline unsigned char ascii_fold(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static inline bool ascii_same(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ascii_fold(a[i]) != ascii_fold(b[i]))
			return false;
	return true;
}

#endif
