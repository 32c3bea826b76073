/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many instructions the verifier of this kernel looks at, for each program of the BPF object:
 *	verifier OBJECT		prints "VERIFIED", the program and the number, or "-" and why not, between tabs
 * Every program is loaded whose target this kernel has, whatever rung the sensor would take. The number is the verifier's
 * own ("processed N insns"), which every kernel prints. Where the sensor reads by loads (sensor/load/cast.h), so it is here.
 */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sensor/load/cast.h"

#define PROGRAMS  512
#define BATCH	  16 /* loaded at a time: where one of them fails, the others have to be looked at again */
#define LOG_BYTES 4096
#define LOG_STATS 4

static struct {
	bool skip;
	char why[200];
	char log[LOG_BYTES];
} programs[PROGRAMS];

static char blamed[64], complaint[200];
static uint8_t *object;
static size_t object_size;
static int32_t cast;

/* ---- the object, as the sensor has it ------------------------------------------------------------------------------ */

static bool read_object(const char *path)
{
	FILE *f = fopen(path, "re");
	long size = f && fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;

	object = size > 0 ? malloc((size_t)size) : NULL;
	if (!object || fseek(f, 0, SEEK_SET) < 0 || fread(object, 1, (size_t)size, f) != (size_t)size)
		return false;
	object_size = (size_t)size;
	fclose(f);
	if (cast)
		cast_apply(object, object_size, cast);
	return true;
}

/* Where a setting is in its section, or -1. */
static long setting_offset(const struct btf *btf, const char *section, const char *name)
{
	int id = btf__find_by_name_kind(btf, section, BTF_KIND_DATASEC);
	const struct btf_type *sec = id > 0 ? btf__type_by_id(btf, (__u32)id) : NULL;
	const struct btf_var_secinfo *v = sec ? btf_var_secinfos(sec) : NULL;

	for (int i = 0; v && i < btf_vlen(sec); i++)
		if (strcmp(btf__name_by_offset(btf, btf__type_by_id(btf, v[i].type)->name_off), name) == 0)
			return v[i].offset;
	return -1;
}

static struct bpf_object *open_object(void)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "tamis");
	struct bpf_object *obj = bpf_object__open_mem(object, object_size, &opts);
	struct bpf_map *map = obj ? bpf_object__find_map_by_name(obj, ".rodata") : NULL;
	long at = map ? setting_offset(bpf_object__btf(obj), ".rodata", "have_cast") : -1;
	size_t size = 0;
	char *data = at >= 0 ? (char *)bpf_map__initial_value(map, &size) : NULL;

	if (!data) {
		bpf_object__close(obj);
		return NULL;
	}
	*(uint32_t *)(data + at) = cast != 0;
	return obj;
}

/* ---- loading ------------------------------------------------------------------------------------------------------- */

static int total; /* programs in the object */

static int keep_message(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char text[512];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (level == LIBBPF_WARN && !blamed[0])
		sscanf(text, "libbpf: prog '%63[^']': %199[^\n]", blamed, complaint);
	return 0;
}

/* Is the target of a program that needs the kernel's types not there? */
static bool lacks_target(const struct btf *btf, const char *section)
{
	const char *target = strchr(section, '/');

	if (strncmp(section, "fentry/", 7) != 0 && strncmp(section, "fexit/", 6) != 0)
		return false;
	return btf__find_by_name_kind(btf, target + 1, BTF_KIND_FUNC) < 0;
}

/* Programs of the two kinds of sys_exit share a table of programs, which takes one kind: they are loaded apart. */
static bool of_pass(const struct bpf_program *prog, int pass)
{
	return (strcmp(bpf_program__section_name(prog), "tp/raw_syscalls/sys_exit") == 0) == pass;
}

/* One try with what is not to be skipped of the programs from @first on. */
static int try_load(const struct btf *btf, int first, int pass)
{
	struct bpf_object *obj = open_object();
	struct bpf_program *prog;
	int i = 0, r;

	if (!obj)
		return -1;
	blamed[0] = '\0';
	bpf_object__for_each_program(prog, obj)
	{
		if (lacks_target(btf, bpf_program__section_name(prog)) && !programs[i].skip) {
			programs[i].skip = true;
			snprintf(programs[i].why, sizeof(programs[i].why), "no target");
		}
		/* bpf/peek.bpf.c knows no other way */
		if (!cast && strstr(bpf_program__name(prog), "_peek")) {
			programs[i].skip = true;
			snprintf(programs[i].why, sizeof(programs[i].why), "no casts");
		}
		bpf_program__set_autoload(prog,
					  i >= first && i < first + BATCH && !programs[i].skip && of_pass(prog, pass));
		bpf_program__set_log_level(prog, LOG_STATS);
		bpf_program__set_log_buf(prog, programs[i].log, LOG_BYTES);
		if (++i == PROGRAMS)
			break;
	}
	total = i;
	r = bpf_object__load(obj);
	bpf_object__close(obj);
	return r;
}

/* Whoever failed is out, with why; false if that is not known. */
static bool leave_out(void)
{
	struct bpf_object *obj = open_object();
	struct bpf_program *prog;
	bool found = false;
	int i = 0;

	bpf_object__for_each_program(prog, obj)
	{
		if (strcmp(bpf_program__name(prog), blamed) == 0 && !programs[i].skip) {
			programs[i].skip = found = true;
			snprintf(programs[i].why, sizeof(programs[i].why), "%s", complaint);
		}
		i++;
	}
	bpf_object__close(obj);
	return found;
}

static void print(void)
{
	struct bpf_object *obj = open_object();
	struct bpf_program *prog;
	int i = 0;

	bpf_object__for_each_program(prog, obj)
	{
		const char *at = strstr(programs[i].log, "processed ");
		long n = 0;

		if (at && !programs[i].skip && sscanf(at, "processed %ld insns", &n) == 1)
			printf("VERIFIED\t%s\t%ld\t\n", bpf_program__name(prog), n);
		else
			printf("VERIFIED\t%s\t-\t%s\n", bpf_program__name(prog), programs[i].why);
		i++;
	}
	bpf_object__close(obj);
}

int main(int argc, char **argv)
{
	struct btf *btf = btf__parse("/sys/kernel/btf/vmlinux", NULL);

	if (argc != 2 || !btf)
		return 2;
	libbpf_set_print(keep_message);
	cast = cast_find(btf);
	if (!read_object(argv[1]))
		return 2;
	for (int first = 0; first == 0 || first < total; first += BATCH)
		for (int pass = 0; pass < 2; pass++)
			while (try_load(btf, first, pass) < 0)
				if (!leave_out())
					return 1;
	print();
	btf__free(btf);
	return 0;
}
