/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the corpus of fuzz_capture in the directory DIR out of captures: the file itself, and its entries as the fuzz target
 * takes them. Run it again after the catalog or the format has changed:
 *
 *	gcc -D_GNU_SOURCE -Iinclude -I. -o seed tests/fuzz/seed_capture.c build/libtamis.a
 *	build/tests/test_tap c && ./seed tests/fuzz/corpus/capture c
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/capture.h"
#include "lib/catalog.h"

#define ENTRIES 60 /* of each capture: enough to have some of every kind */

static FILE *create(const char *dir, const char *name, int n)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s-%d", dir, name, n);
	f = fopen(path, "w");
	if (!f) {
		perror(path);
		exit(1);
	}
	return f;
}

static void copy_file(const char *dir, const char *from, int n)
{
	FILE *in = fopen(from, "r"), *out = create(dir, "file", n);
	int c;

	if (!in) {
		perror(from);
		exit(1);
	}
	fputc(0, out);
	while ((c = fgetc(in)) != EOF)
		fputc(c, out);
	fclose(in);
	fclose(out);
}

static void copy_entries(const char *dir, const char *from, int n)
{
	FILE *out = create(dir, "entries", n);
	struct capture_reader *r;
	struct capture_entry entry;
	struct err e = { "" };
	int of[CAPTURE_TYPES] = { 0 };

	if (capture_open(open(from, O_RDONLY), from, catalog_fingerprint(catalog_tamis()), &r, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		exit(1);
	}
	fputc(1, out);
	while (capture_next(r, &entry, &e) == 1) {
		uint16_t head[2] = { entry.type, (uint16_t)entry.size };

		if (entry.size > 4096 || of[entry.type]++ >= ENTRIES / CAPTURE_TYPES)
			continue;
		fwrite(head, sizeof(head), 1, out);
		fwrite(entry.p, 1, entry.size, out);
	}
	fclose(out);
	capture_free(r);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	for (int i = 2; i < argc; i++) {
		copy_file(argv[1], argv[i], i - 1);
		copy_entries(argv[1], argv[i], i - 1);
	}
	return 0;
}
