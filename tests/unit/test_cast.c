/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of a function of the kernel, put into the object: all of them, and nothing else of it. */
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <linux/bpf.h>

#include "sensor/load/cast.h"
#include "tamis/cast.h"

static void calls_are_replaced(void **state)
{
	struct bpf_insn insns[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = CAST_CALL },
		{ .code = BPF_JMP | BPF_CALL, .imm = 113 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = CAST_CALL },
		{ .code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = CAST_CALL },
		{ .code = BPF_JMP | BPF_CALL, .imm = CAST_CALL },
	};
	struct bpf_insn is[5];

	memcpy(is, insns, sizeof(is));
	assert_int_equal(cast_apply((uint8_t *)is, sizeof(is), 4711), 2);
	for (size_t i = 0; i < 5; i++) {
		bool call = i == 0 || i == 4;

		assert_int_equal(is[i].code, insns[i].code);
		assert_int_equal(is[i].imm, call ? 4711 : insns[i].imm);
		assert_int_equal(is[i].src_reg, call ? BPF_PSEUDO_KFUNC_CALL : insns[i].src_reg);
	}
	/* the last one is cut off */
	memcpy(is, insns, sizeof(is));
	assert_int_equal(cast_apply((uint8_t *)is, sizeof(is) - 1, 4711), 1);
}

static void nothing_without_types(void **state)
{
	assert_int_equal(cast_find(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(calls_are_replaced),
					    cmocka_unit_test(nothing_without_types) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
