/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that a program on every system call can cost: one that does nothing, at the end of system calls, until it is
 * stopped. bench/run compares the sensor with it.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
	const struct bpf_insn nothing[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
					    { .code = BPF_JMP | BPF_EXIT } };
	struct btf *btf = btf__load_vmlinux_btf();
	int id = btf ? btf__find_by_name_kind(btf, "btf_trace_sys_exit", BTF_KIND_TYPEDEF) : -1;
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_RAW_TP, .attach_btf_id = (__u32)id);
	int prog = id > 0 ? bpf_prog_load(BPF_PROG_TYPE_TRACING, "bench_nothing", "GPL", nothing, 2, &opts) : -1;
	int link = prog >= 0 ? bpf_raw_tracepoint_open(NULL, prog) : -1;

	btf__free(btf);
	if (link < 0) {
		perror("empty_hook");
		return 1;
	}
	fprintf(stderr, "ready\n");
	pause();
	return 0;
}
