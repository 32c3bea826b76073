/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many instructions the verifier of this kernel looks at, for each program of the BPF object:
 *	verifier OBJECT		prints "VERIFIED", the program and the number, or "-" and why not, between tabs; and a
 *				"COMPLAINT" for each program at which the kernel warns that its verifier erred
 *	verifier OBJECT PROGRAM	prints all that the verifier says of one program, on the way on which it refused it
 * Every program is loaded whose target this kernel has, whatever rung the sensor would take. The number is the verifier's
 * own ("processed N insns"), which every kernel prints. Where the sensor reads by loads (sensor/load/cast.h), so it is here.
 */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sensor/load/cast.h"

#define PROGRAMS 512
#define BATCH	 16 /* loaded at a time: where one of them fails, the others have to be looked at again */
/* What is said of a way that is left again counts, too: 6.18 wants more than 4 KiB for process_exec. */
#define LOG_BYTES  16384
#define LOG_STATS  4
#define LOG_WAY	   1 /* each instruction of the way that was looked at last */
#define LOG_ALL	   2 /* of every way */
#define LOG_WHOLE  (400 << 20)
#define LOG_BEFORE (1 << 16) /* bytes */

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

/* One try with what is not to be skipped of the @n programs from @first on. */
static int try_load(const struct btf *btf, int first, int n, int pass)
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
					  i >= first && i < first + n && !programs[i].skip && of_pass(prog, pass));
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

/* ---- what the kernel warns of ---------------------------------------------------------------------------------------- */

static int kernel_log;

/* Has it warned since this was asked last? It would do so once: it is told to forget that. */
static bool kernel_warned(void)
{
	int again = open("/sys/kernel/debug/clear_warn_once", O_WRONLY | O_CLOEXEC);
	bool warned = false;
	char line[1024];
	ssize_t n;

	while ((n = read(kernel_log, line, sizeof(line) - 1)) > 0 || (n < 0 && errno == EPIPE)) {
		line[n > 0 ? n : 0] = '\0';
		warned |= strstr(line, "WARNING:") || strstr(line, "verifier bug");
	}
	if (again >= 0 && warned)
		warned = write(again, "1", 1) == 1;
	if (again >= 0)
		close(again);
	return warned;
}

/* Of those that have just been loaded: at which does it warn of its verifier? With panic_on_warn that would be the end. */
static void name_warned(const struct btf *btf, int first)
{
	struct bpf_object *obj = open_object();
	struct bpf_program *prog;
	int i = 0;

	bpf_object__for_each_program(prog, obj)
	{
		bool ours = i >= first && i < first + BATCH && !programs[i].skip;

		for (int pass = 0; pass < 2 && ours; pass++)
			if (of_pass(prog, pass))
				try_load(btf, i, 1, pass);
		if (ours && kernel_warned())
			printf("COMPLAINT the kernel warns of its verifier at %s\n", bpf_program__name(prog));
		i++;
	}
	bpf_object__close(obj);
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

/* Loads the program alone, with what the verifier says of it at @level in @log. */
static bool load_one(const char *name, uint32_t level, char *log)
{
	struct bpf_object *obj = open_object();
	struct bpf_program *prog, *one = obj ? bpf_object__find_program_by_name(obj, name) : NULL;
	bool loaded;

	if (!one) {
		fprintf(stderr, "no program \"%s\"\n", name);
		exit(2);
	}
	bpf_object__for_each_program(prog, obj) bpf_program__set_autoload(prog, prog == one);
	bpf_program__set_log_level(one, level | LOG_STATS);
	bpf_program__set_log_buf(one, log, LOG_WHOLE);
	loaded = bpf_object__load(obj) == 0;
	bpf_object__close(obj);
	return loaded;
}

static int print_one(const char *name)
{
	char *log = calloc(1, LOG_WHOLE), *at;
	bool loaded;

	if (!log)
		return 2;
	loaded = load_one(name, LOG_WAY, log);
	printf("%s: %s\n%s", name, loaded ? "loaded" : "refused", log);
	memset(log, 0, strlen(log));
	at = loaded && load_one(name, LOG_ALL, log) ? strstr(log, "verifier bug") : NULL;
	if (at) {
		char *from = at - log > LOG_BEFORE ? at - LOG_BEFORE : log;

		printf("The verifier erred:\n%.*s\n", (int)(at - from + (long)strcspn(at, "\n")), from);
	}
	free(log);
	return 0;
}

int main(int argc, char **argv)
{
	struct btf *btf = btf__parse("/sys/kernel/btf/vmlinux", NULL);

	if (argc < 2 || argc > 3 || !btf)
		return 2;
	libbpf_set_print(keep_message);
	cast = cast_find(btf);
	if (!read_object(argv[1]))
		return 2;
	if (argc == 3)
		return print_one(argv[2]);
	kernel_log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	kernel_warned();
	for (int first = 0; first == 0 || first < total; first += BATCH) {
		for (int pass = 0; pass < 2; pass++)
			while (try_load(btf, first, BATCH, pass) < 0)
				if (!leave_out())
					return 1;
		if (kernel_warned())
			name_warned(btf, first);
	}
	print();
	btf__free(btf);
	return 0;
}
