/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the corpus of fuzz_sieve into the directory DIR: of each bundle the sieve, behind the path that is looked up in it. Run it again
 * after the layout of sieves has changed:
 *
 *	for f in tests/fuzz/sieves/?*.yaml; do build/bin/tamisc build -o "$f.tpb" "$f"; done
 *	gcc -D_GNU_SOURCE -Iinclude -I. -o seed tests/fuzz/seed_sieve.c build/libtamis.a -lmbedx509 -lmbedcrypto -lnettle
 *	./seed tests/fuzz/corpus/sieve tests/fuzz/sieves/?*.tpb
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bundle.h"

static const char path[24] = "/etc/shadow             ";

/* The file's name up to its first point. */
static FILE *create(const char *dir, const char *bundle)
{
	const char *slash = strrchr(bundle, '/'), *name = slash ? slash + 1 : bundle;
	char to[512];

	snprintf(to, sizeof(to), "%s/%.*s", dir, (int)strcspn(name, "."), name);
	return fopen(to, "w");
}

static int seed(const char *dir, const char *bundle)
{
	struct bundle b;
	struct err e = { 0 };
	const void *sieve;
	size_t size;
	FILE *f;
	int r;

	if (bundle_read(bundle, NULL, &b, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		return -1;
	}
	sieve = bundle_section(&b, BUNDLE_SIEVE, &size);
	f = create(dir, bundle);
	r = f && sieve && fwrite(path, sizeof(path), 1, f) == 1 && fwrite(sieve, size, 1, f) == 1 ? 0 : -1;
	if (f && fclose(f))
		r = -1;
	if (r < 0)
		perror(bundle);
	bundle_done(&b);
	return r;
}

int main(int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		if (seed(argv[1], argv[i]) < 0)
			return 1;
	return argc > 2 ? 0 : 2;
}
