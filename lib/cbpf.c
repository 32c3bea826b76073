/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/cbpf.h"

#include <linux/filter.h>
#include <stdio.h>
#include <string.h>

static const char *const ancillary[] = {
	[SKF_AD_PROTOCOL] = "proto",
	[SKF_AD_PKTTYPE] = "type",
	[SKF_AD_IFINDEX] = "ifidx",
	[SKF_AD_NLATTR] = "nla",
	[SKF_AD_NLATTR_NEST] = "nlan",
	[SKF_AD_MARK] = "mark",
	[SKF_AD_QUEUE] = "queue",
	[SKF_AD_HATYPE] = "hatype",
	[SKF_AD_RXHASH] = "rxhash",
	[SKF_AD_CPU] = "cpu",
	[SKF_AD_ALU_XOR_X] = "xor_x",
	[SKF_AD_VLAN_TAG] = "vlan_tci",
	[SKF_AD_VLAN_TAG_PRESENT] = "vlan_avail",
	[SKF_AD_PAY_OFFSET] = "poff",
	[SKF_AD_RANDOM] = "rand",
	[SKF_AD_VLAN_TPID] = "vlan_tpid",
};

static const char *ancillary_name(uint32_t k)
{
	uint32_t i = k - (uint32_t)SKF_AD_OFF;

	return i < sizeof(ancillary) / sizeof(ancillary[0]) ? ancillary[i] : NULL;
}

static int load_text(char *out, size_t size, const struct sock_filter *f)
{
	const char *reg = BPF_CLASS(f->code) == BPF_LDX ? "ldx" : "ld";
	const char *width = BPF_SIZE(f->code) == BPF_H ? "h" : BPF_SIZE(f->code) == BPF_B ? "b" : "";
	const char *name = ancillary_name(f->k);

	switch (BPF_MODE(f->code)) {
	case BPF_IMM:
		return snprintf(out, size, "%s #%u", reg, f->k);
	case BPF_ABS:
		if (name)
			return snprintf(out, size, "ld #%s", name);
		return snprintf(out, size, "ld%s [%u]", width, f->k);
	case BPF_IND:
		return snprintf(out, size, "ld%s [x + %u]", width, f->k);
	case BPF_MEM:
		return snprintf(out, size, "%s M[%u]", reg, f->k);
	case BPF_LEN:
		return snprintf(out, size, "%s #len", reg);
	case BPF_MSH:
		return snprintf(out, size, "ldxb 4*([%u]&0xf)", f->k);
	}
	return -1;
}

static int alu_text(char *out, size_t size, const struct sock_filter *f)
{
	static const char *const names[16] = { "add", "sub", "mul", "div", "or",  "and",
					       "lsh", "rsh", "neg", "mod", "xor", NULL };
	const char *name = names[BPF_OP(f->code) >> 4];

	if (!name)
		return -1;
	if (BPF_OP(f->code) == BPF_NEG)
		return snprintf(out, size, "neg");
	if (BPF_SRC(f->code) == BPF_X)
		return snprintf(out, size, "%s x", name);
	return snprintf(out, size, "%s #%u", name, f->k);
}

static int jump_text(char *out, size_t size, const struct sock_filter *f)
{
	static const char *const names[16] = { "ja", "jeq", "jgt", "jge", "jset" };
	static const char *const turned[16] = { NULL, "jneq", "jle", "jlt", NULL };
	unsigned op = BPF_OP(f->code) >> 4;
	char with[16] = "x";

	if (!names[op])
		return -1;
	if (op == 0)
		return snprintf(out, size, "ja %u", f->k);
	if (BPF_SRC(f->code) == BPF_K)
		snprintf(with, sizeof(with), "#%u", f->k);
	if (f->jf && (f->jt || !turned[op]))
		return snprintf(out, size, "%s %s,%u,%u", names[op], with, f->jt, f->jf);
	if (f->jf)
		return snprintf(out, size, "%s %s,%u", turned[op], with, f->jf);
	return snprintf(out, size, "%s %s,%u", names[op], with, f->jt);
}

static int insn_text(char *out, size_t size, const struct sock_filter *f)
{
	switch (BPF_CLASS(f->code)) {
	case BPF_LD:
	case BPF_LDX:
		return load_text(out, size, f);
	case BPF_ST:
		return snprintf(out, size, "st M[%u]", f->k);
	case BPF_STX:
		return snprintf(out, size, "stx M[%u]", f->k);
	case BPF_ALU:
		return alu_text(out, size, f);
	case BPF_JMP:
		return jump_text(out, size, f);
	case BPF_RET:
		return BPF_RVAL(f->code) == BPF_A ? snprintf(out, size, "ret a") : snprintf(out, size, "ret #%u", f->k);
	case BPF_MISC:
		return snprintf(out, size, BPF_MISCOP(f->code) == BPF_TAX ? "tax" : "txa");
	}
	return -1;
}

size_t cbpf_text(const void *bytes, size_t len, char *out, size_t size)
{
	char line[CBPF_TEXT_INSN];
	size_t n = 0;

	for (size_t i = 0; i + CBPF_INSN <= len; i += CBPF_INSN) {
		struct sock_filter f;
		int m;

		memcpy(&f, (const char *)bytes + i, CBPF_INSN);
		m = insn_text(line, sizeof(line), &f);
		if (m < 0 || m >= (int)sizeof(line))
			m = snprintf(line, sizeof(line), ".word %u,%u,%u,%u", f.code, f.jt, f.jf, f.k);
		if (n + (size_t)m + 1 > size)
			break;
		if (n)
			out[n++] = '\n';
		memcpy(out + n, line, (size_t)m);
		n += (size_t)m;
	}
	return n;
}

static bool has_immediate(uint16_t code)
{
	switch (BPF_CLASS(code)) {
	case BPF_LD:
	case BPF_LDX:
		return BPF_MODE(code) == BPF_IMM;
	case BPF_ALU:
		return BPF_SRC(code) == BPF_K && BPF_OP(code) != BPF_NEG;
	case BPF_JMP:
		return BPF_SRC(code) == BPF_K && BPF_OP(code) != BPF_JA;
	}
	return false;
}

uint32_t cbpf_immediates(const void *bytes, size_t len, struct val *ret, uint32_t max)
{
	uint32_t n = 0;

	for (size_t i = 0; i + CBPF_INSN <= len && n < max; i += CBPF_INSN) {
		struct sock_filter f;

		memcpy(&f, (const char *)bytes + i, CBPF_INSN);
		if (has_immediate(f.code))
			ret[n++] = (struct val){ .num = f.k };
	}
	return n;
}
