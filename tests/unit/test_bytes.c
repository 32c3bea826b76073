/* SPDX-License-Identifier: Apache-2.0 */
/* What records bring as bytes: packet filters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cbpf.h"
#include "lib/hash.h"
#include "sensor/enrich/bytes.h"

#define S(code, k)	   BPF_STMT(code, k)
#define J(code, k, jt, jf) BPF_JUMP(BPF_JMP | (code), k, jt, jf)

static void insn_texts(void **state)
{
	static const struct {
		struct sock_filter f;
		const char *text;
	} cases[] = {
		{ S(BPF_LD | BPF_W | BPF_ABS, 26), "ld [26]" },
		{ S(BPF_LD | BPF_H | BPF_ABS, 12), "ldh [12]" },
		{ S(BPF_LD | BPF_B | BPF_IND, 4), "ldb [x + 4]" },
		{ S(BPF_LD | BPF_IMM, 7), "ld #7" },
		{ S(BPF_LDX | BPF_IMM, 7), "ldx #7" },
		{ S(BPF_LD | BPF_W | BPF_LEN, 0), "ld #len" },
		{ S(BPF_LDX | BPF_W | BPF_LEN, 0), "ldx #len" },
		{ S(BPF_LD | BPF_MEM, 3), "ld M[3]" },
		{ S(BPF_LDX | BPF_MEM, 3), "ldx M[3]" },
		{ S(BPF_LDX | BPF_B | BPF_MSH, 14), "ldxb 4*([14]&0xf)" },
		{ S(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PROTOCOL), "ld #proto" },
		{ S(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + 1), "ld [4294963201]" },
		{ S(BPF_ST, 1), "st M[1]" },
		{ S(BPF_STX, 1), "stx M[1]" },
		{ S(BPF_ALU | BPF_AND | BPF_K, 0x1fff), "and #8191" },
		{ S(BPF_ALU | BPF_ADD | BPF_X, 0), "add x" },
		{ S(BPF_ALU | BPF_NEG, 0), "neg" },
		{ J(BPF_JA, 5, 0, 0), "ja 5" },
		{ J(BPF_JEQ | BPF_K, 6, 2, 3), "jeq #6,2,3" },
		{ J(BPF_JEQ | BPF_K, 6, 2, 0), "jeq #6,2" },
		{ J(BPF_JEQ | BPF_K, 6, 0, 3), "jneq #6,3" },
		{ J(BPF_JGT | BPF_X, 0, 0, 3), "jle x,3" },
		{ J(BPF_JGE | BPF_K, 9, 0, 3), "jlt #9,3" },
		{ J(BPF_JSET | BPF_K, 1, 0, 3), "jset #1,0,3" },
		{ S(BPF_RET | BPF_K, 65535), "ret #65535" },
		{ S(BPF_RET | BPF_A, 0), "ret a" },
		{ S(BPF_MISC | BPF_TAX, 0), "tax" },
		{ S(BPF_MISC | BPF_TXA, 0), "txa" },
		{ S(BPF_ALU | 0xb0, 1), ".word 180,0,0,1" },
		{ { 0xffff, 255, 255, 0xffffffff }, "txa" },
		{ { 0xffe0, 255, 255, 0xffffffff }, ".word 65504,255,255,4294967295" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[CBPF_TEXT_INSN + 1];
		size_t n = cbpf_text(&cases[i].f, CBPF_INSN, out, CBPF_TEXT_INSN);

		out[n] = '\0';
		assert_string_equal(out, cases[i].text);
	}
}

static void every_instruction_has_a_text_that_fits(void **state)
{
	char out[CBPF_TEXT_INSN];

	for (uint32_t code = 0; code < 0x10000; code++) {
		struct sock_filter f = { (uint16_t)code, 255, 255, 0xffffffff };

		assert_true(cbpf_text(&f, sizeof(f), out, sizeof(out)) > 0);
	}
}

static void text_that_does_not_fit_is_cut_between_lines(void **state)
{
	struct sock_filter f[3] = { S(BPF_RET | BPF_K, 1), S(BPF_RET | BPF_K, 2), S(BPF_RET | BPF_K, 3) };
	char out[16];

	assert_int_equal(cbpf_text(f, sizeof(f), out, 14), 13);
	assert_memory_equal(out, "ret #1\nret #2", 13);
	/* a part of an instruction is none */
	assert_int_equal(cbpf_text(f, 2 * CBPF_INSN - 1, out, sizeof(out)), 6);
	assert_int_equal(cbpf_text(f, 0, out, sizeof(out)), 0);
}

static struct sock_filter door[] = {
	S(BPF_LD | BPF_H | BPF_ABS, 12),
	J(BPF_JEQ | BPF_K, 0x5293, 0, 1),
	S(BPF_RET | BPF_K, 0xffff),
	S(BPF_RET | BPF_K, 0),
};

static void a_filter_becomes_its_values(void **state)
{
	static struct bytes b;
	struct event ev = { .type = EV_SETSOCKOPT };
	struct val *v = ev.v;

	v[SLOT_SETSOCKOPT_FILTER_TEXT] = (struct val){ .s = (const char *)door, .len = sizeof(door) };
	bytes_expand(&b, &ev);
	assert_int_equal(v[SLOT_SETSOCKOPT_FILTER_TEXT].len, strlen("ldh [12]\njneq #21139,1\nret #65535\nret #0"));
	assert_memory_equal(v[SLOT_SETSOCKOPT_FILTER_TEXT].s, "ldh [12]\njneq #21139,1\nret #65535\nret #0",
			    v[SLOT_SETSOCKOPT_FILTER_TEXT].len);
	assert_int_equal(v[SLOT_SETSOCKOPT_IMMEDIATES].len, 1);
	assert_int_equal(v[SLOT_SETSOCKOPT_IMMEDIATES].arr[0].num, 0x5293);
	/* sha256sum of the 32 bytes */
	assert_int_equal(v[SLOT_SETSOCKOPT_FILTER_HASH].len, 64);
	assert_memory_equal(v[SLOT_SETSOCKOPT_FILTER_HASH].s,
			    "6ab98d20823645e177169b98276d6fbc36406eb7a0b502be18b90bb5e9a3ecea", 64);
}

static void a_part_of_a_filter_has_no_hash(void **state)
{
	static struct bytes b;
	struct event ev = { .type = EV_SETSOCKOPT };

	ev.v[SLOT_SETSOCKOPT_FILTER_TEXT] = (struct val){ .s = (const char *)door, .len = sizeof(door) };
	ev.v[SLOT_SETSOCKOPT_FILTER_TRUNCATED].num = 1;
	bytes_expand(&b, &ev);
	assert_int_equal(ev.v[SLOT_SETSOCKOPT_FILTER_HASH].len, 0);
	assert_int_not_equal(ev.v[SLOT_SETSOCKOPT_FILTER_TEXT].len, 0);
}

static void an_option_without_a_filter_stays_without(void **state)
{
	static struct bytes b;
	struct event ev = { .type = EV_SETSOCKOPT };

	bytes_expand(&b, &ev);
	assert_int_equal(ev.v[SLOT_SETSOCKOPT_FILTER_HASH].len, 0);
	assert_int_equal(ev.v[SLOT_SETSOCKOPT_FILTER_TEXT].len, 0);
	assert_int_equal(ev.v[SLOT_SETSOCKOPT_IMMEDIATES].len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(insn_texts),
		cmocka_unit_test(every_instruction_has_a_text_that_fits),
		cmocka_unit_test(text_that_does_not_fit_is_cut_between_lines),
		cmocka_unit_test(a_filter_becomes_its_values),
		cmocka_unit_test(a_part_of_a_filter_has_no_hash),
		cmocka_unit_test(an_option_without_a_filter_stays_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
