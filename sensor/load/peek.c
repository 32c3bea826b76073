/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/load/peek.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What the map holds: what was read, and behind it the task. */
#define TASK_AT PEEK_MAX
#define SIZE	(2 * PEEK_MAX)

static int load_reader(int map)
{
	const struct bpf_insn insns[] = {
		/* r6: the arguments, an address and a size; r7: the map's value */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 6, .src_reg = 1 },
		/* NOLINTNEXTLINE(misc-redundant-expression): two parts are 0 */
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 7, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = map },
		{ 0 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_task },
		{ .code = BPF_STX | BPF_DW | BPF_MEM, .dst_reg = 7, .src_reg = 0, .off = TASK_AT },
		{ .code = BPF_LDX | BPF_DW | BPF_MEM, .dst_reg = 3, .src_reg = 6, .off = 0 },
		{ .code = BPF_LDX | BPF_DW | BPF_MEM, .dst_reg = 2, .src_reg = 6, .off = 8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = -EINVAL },
		{ .code = BPF_JMP | BPF_JGT | BPF_K, .dst_reg = 2, .off = 2, .imm = PEEK_MAX },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1, .src_reg = 7 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "tamis_peek", "GPL", insns, sizeof(insns) / sizeof(insns[0]),
			     NULL);
}

int peek_open(struct peek *p, struct err *err)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	uint64_t page;
	int r;

	*p = (struct peek){ .map = -1, .prog = -1 };
	p->map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "tamis_peek", 4, SIZE, 1, &opts);
	p->prog = p->map < 0 ? p->map : load_reader(p->map);
	if (p->prog < 0)
		return err_set(err, p->prog, "cannot read kernel memory: %s", strerror(-p->prog));
	p->page = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, p->map, 0);
	if (p->page == MAP_FAILED) {
		p->page = NULL;
		return err_set(err, -errno, "cannot read kernel memory: %s", strerror(errno));
	}
	r = peek_task(p) ? peek_read(p, peek_task(p), &page, sizeof(page)) : -EPERM;
	return r < 0 ? err_set(err, r, "cannot read kernel memory: %s (is the kernel locked down?)", strerror(-r)) : 0;
}

void peek_close(struct peek *p)
{
	if (p->page)
		munmap(p->page, SIZE);
	if (p->prog >= 0)
		close(p->prog);
	if (p->map >= 0)
		close(p->map);
	*p = (struct peek){ .map = -1, .prog = -1 };
}

/* The program's answer, or a negative errno if it did not run. */
static int run(struct peek *p, uint64_t address, uint64_t n)
{
	uint64_t args[2] = { address, n };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));
	int r = bpf_prog_test_run_opts(p->prog, &opts);

	return r < 0 ? r : (int)opts.retval;
}

int peek_read(struct peek *p, uint64_t address, void *ret, size_t n)
{
	int r = n <= PEEK_MAX ? run(p, address, n) : -EINVAL;

	if (r == 0)
		memcpy(ret, p->page, n);
	return r;
}

uint64_t peek_task(struct peek *p)
{
	uint64_t task = 0;

	memset(p->page + TASK_AT, 0, sizeof(task));
	run(p, 0, 0);
	memcpy(&task, p->page + TASK_AT, sizeof(task));
	return task;
}
