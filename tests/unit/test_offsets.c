/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is found out about a kernel's types without its help, against what it tells of them. Needs root and a kernel with BTF;
 * else it is skipped with a reason.
 */
#include <bpf/btf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sensor/load/offsets.h"

/* Bits from a structure's beginning to @member, within unnamed structures too; the member's type in *ret_type. Or -1. */
static long member_bits(const struct btf *btf, uint32_t id, const char *member, size_t len, uint32_t *ret_type)
{
	const struct btf_type *t = btf__type_by_id(btf, id);
	const struct btf_member *m = btf_members(t);

	for (unsigned int i = 0; i < btf_vlen(t); i++) {
		const char *name = btf__name_by_offset(btf, m[i].name_off);
		long bits = btf_member_bit_offset(t, i), inner;
		uint32_t type = m[i].type;

		if (strlen(name) == len && strncmp(name, member, len) == 0) {
			*ret_type = type;
			return bits;
		}
		while (btf_is_mod(btf__type_by_id(btf, type)) || btf_is_typedef(btf__type_by_id(btf, type)))
			type = btf__type_by_id(btf, type)->type;
		if (*name || !btf_is_composite(btf__type_by_id(btf, type)))
			continue;
		inner = member_bits(btf, type, member, len, ret_type);
		if (inner >= 0)
			return bits + inner;
	}
	return -1;
}

/* "a.b.c" from structure @id on; -1 if this kernel has no such thing. */
static long path_bits(const struct btf *btf, uint32_t id, const char *path)
{
	long sum = 0;

	while (*path) {
		size_t len = strcspn(path, ".");
		long bits;

		while (btf_is_mod(btf__type_by_id(btf, id)) || btf_is_typedef(btf__type_by_id(btf, id)))
			id = btf__type_by_id(btf, id)->type;
		if (!btf_is_composite(btf__type_by_id(btf, id)))
			return -1;
		bits = member_bits(btf, id, path, len, &id);
		if (bits < 0)
			return -1;
		sum += bits;
		path += len + (path[len] == '.');
	}
	return sum;
}

/* Where the kernel's own types have it; other names that a member has on some kernels are tried, too. */
static long true_offset(const struct btf *btf, const struct offset_field *f)
{
	static const struct {
		const char *type, *name, *other;
	} others[] = {
		{ "kernfs_node", "parent", "__parent" }, { "inode", "i_ctime", "__i_ctime" },
		{ "inode", "i_mtime", "__i_mtime" },	 { "pid", "tasks", "tasks" },
		{ "vfsmount", "mnt_root", "mnt_root" },
	};
	int id = btf__find_by_name_kind(btf, f->type, BTF_KIND_STRUCT);
	char path[128];
	long bits;

	if (id < 0)
		return -1;
	snprintf(path, sizeof(path), "%s%s%s", f->member, *f->below ? "." : "", f->below);
	bits = path_bits(btf, (uint32_t)id, path);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]) && bits < 0; i++)
		if (strcmp(others[i].type, f->type) == 0 && strcmp(others[i].name, f->member) == 0)
			bits = path_bits(btf, (uint32_t)id, others[i].other);
	return bits < 0 ? -1 : bits / 8;
}

/* Prints what is not as the kernel says; a machine of the kernel matrix runs this test alone. */
static void test_same_as_btf(void **state)
{
	struct btf *btf = btf__parse("/sys/kernel/btf/vmlinux", NULL);
	struct offsets o;
	struct err e = { "" };
	int n, wrong = 0, missing = 0;
	uint32_t stack = 0;

	if (geteuid() != 0 || !btf) {
		print_message("skipped: %s\n", btf ? "needs root" : "this kernel does not tell its types");
		btf__free(btf);
		skip();
	}
	n = offsets_find(&o, &e);
	if (n < 0 && (n == -EPERM || n == -EACCES)) {
		print_message("skipped: %s\n", e.msg);
		btf__free(btf);
		skip();
	}
	if (n < 0)
		fail_msg("%s", e.msg);
	for (int i = 0; i < OFFSETS_N; i++) {
		long there = true_offset(btf, &offset_fields[i]);
		bool known = o.at[i] != OFFSET_UNKNOWN;

		if (known && there >= 0 && (long)o.at[i] != there)
			print_error("%s.%s: found at %u, is at %ld\n", offset_fields[i].type, offset_fields[i].member,
				    o.at[i], there);
		if (!known && there >= 0)
			print_message("%s.%s, at %ld, was not found\n", offset_fields[i].type, offset_fields[i].member,
				      there);
		wrong += known && there >= 0 && (long)o.at[i] != there;
		missing += !known && there >= 0;
	}
	print_message("%d found, %d not found, %d wrong\n", n, missing, wrong);
	/* the registers, with and without type information */
	assert_int_equal(offsets_stack(btf, &stack), 0);
	assert_true(o.regs != OFFSET_UNKNOWN);
	assert_int_equal(stack - o.regs,
			 btf__type_by_id(btf, (uint32_t)btf__find_by_name_kind(btf, "pt_regs", BTF_KIND_STRUCT))->size);
	btf__free(btf);
	assert_int_equal(wrong, 0);
	assert_int_equal(missing, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_same_as_btf) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
