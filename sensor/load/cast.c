/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/load/cast.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <linux/bpf.h>
#include <string.h>
#include <unistd.h>

#include "tamis/cast.h"

#define CALL_OF(SRC, IMM)                                                                                              \
	{                                                                                                              \
		.code = BPF_JMP | BPF_CALL, .src_reg = SRC, .imm = IMM                                                 \
	}

int32_t cast_find(const struct btf *kernel)
{
	int32_t func = kernel ? btf__find_by_name_kind(kernel, "bpf_rdonly_cast", BTF_KIND_FUNC) : -1;
	int32_t type = func > 0 ? btf__find_by_name_kind(kernel, "vm_event_state", BTF_KIND_STRUCT) : -1;
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = type },
		CALL_OF(BPF_PSEUDO_KFUNC_CALL, func),
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_0, .src_reg = BPF_REG_0, .off = 196 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd;

	if (func <= 0 || type <= 0)
		return 0;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACEPOINT, "tamis_probe", "GPL", insns, sizeof(insns) / sizeof(insns[0]),
			   NULL);
	if (fd < 0)
		return 0;
	close(fd);
	return func;
}

size_t cast_apply(uint8_t *elf, size_t size, int32_t id)
{
	const struct bpf_insn from = CALL_OF(0, CAST_CALL), to = CALL_OF(BPF_PSEUDO_KFUNC_CALL, id);
	size_t n = 0;

	/* Instructions lie at multiples of their size, and nothing else in the object looks like this one. */
	for (size_t at = 0; at + sizeof(from) <= size; at += sizeof(from))
		if (memcmp(elf + at, &from, sizeof(from)) == 0) {
			memcpy(elf + at, &to, sizeof(to));
			n++;
		}
	return n;
}
