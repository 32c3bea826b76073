/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bpf(2): what was asked, and of which map or program.
 *
 * On every rung the return of the system call is hooked. The map or program is the kernel's own object, found by the
 * descriptor that the call took or gave; where there is none (a load that was refused) the caller's attributes are all there
 * is, read from user memory after the call. So are the instructions of a program, in which the numbers of helpers stand: the
 * kernel has replaced them by addresses when it is done.
 */
#include "lib/path.bpf.h"
#include "lib/syscall.bpf.h"

/* enum bpf_cmd, as far as the place of a descriptor is concerned */
enum {
	CMD_MAP_CREATE = 0,
	CMD_MAP_GET_NEXT_KEY = 4, /* the four before it are about elements, too */
	CMD_PROG_LOAD = 5,
	CMD_OBJ_PIN = 6,
	CMD_OBJ_GET = 7,
	CMD_PROG_ATTACH = 8,
	CMD_PROG_DETACH = 9,
	CMD_PROG_TEST_RUN = 10,
	CMD_PROG_GET_FD_BY_ID = 13,
	CMD_MAP_GET_FD_BY_ID = 14,
	CMD_OBJ_GET_INFO_BY_FD = 15,
	CMD_RAW_TRACEPOINT_OPEN = 17,
	CMD_MAP_LOOKUP_AND_DELETE_ELEM = 21,
	CMD_MAP_FREEZE = 22,
	CMD_MAP_LOOKUP_BATCH = 24,
	CMD_MAP_DELETE_BATCH = 27,
	CMD_LINK_CREATE = 28,
	CMD_PROG_BIND_MAP = 35,
};

/* The words of union bpf_attr that are read, and where things stand in it. */
#define ATTR_WORDS 18
enum {
	ATTR_TYPE = 0,	       /* of a map or a program */
	ATTR_FD = 0,	       /* of most commands */
	ATTR_INSN_CNT = 1,     /* PROG_LOAD */
	ATTR_ATTACH_FD = 1,    /* PROG_ATTACH, PROG_DETACH */
	ATTR_BOUND_MAP = 1,    /* PROG_BIND_MAP */
	ATTR_INSNS = 2,	       /* PROG_LOAD, 64 bits */
	ATTR_SECOND_FD = 2,    /* OBJ_PIN, RAW_TRACEPOINT_OPEN */
	ATTR_MAP_NAME = 7,     /* MAP_CREATE */
	ATTR_BATCH_FD = 9,     /* of the batches */
	ATTR_PROG_NAME = 12,   /* PROG_LOAD */
	ATTR_ATTACH_TYPE = 17, /* PROG_LOAD */
};
#define OBJ_NAME 16

struct bpf_args {
	u32 w[ATTR_WORDS];
	u32 cmd;
};

INLINE bool cmd_within(u32 cmd, u32 first, u32 last)
{
	return cmd >= first && cmd <= last;
}

/* The descriptor of the map or program that the call is about, or -1. */
INLINE s32 object_fd(const struct bpf_args *a, s64 ret)
{
	switch (a->cmd) {
	case CMD_MAP_CREATE:
	case CMD_PROG_LOAD:
	case CMD_OBJ_GET:
	case CMD_PROG_GET_FD_BY_ID:
	case CMD_MAP_GET_FD_BY_ID:
		return (s32)ret;
	case CMD_PROG_ATTACH:
	case CMD_PROG_DETACH:
		return a->w[ATTR_ATTACH_FD];
	case CMD_OBJ_PIN:
	case CMD_RAW_TRACEPOINT_OPEN:
		return a->w[ATTR_SECOND_FD];
	case CMD_PROG_TEST_RUN:
	case CMD_OBJ_GET_INFO_BY_FD:
	case CMD_MAP_LOOKUP_AND_DELETE_ELEM:
	case CMD_MAP_FREEZE:
	case CMD_LINK_CREATE:
	case CMD_PROG_BIND_MAP:
		return a->w[ATTR_FD];
	}
	if (cmd_within(a->cmd, CMD_MAP_CREATE + 1, CMD_MAP_GET_NEXT_KEY))
		return a->w[ATTR_FD];
	if (cmd_within(a->cmd, CMD_MAP_LOOKUP_BATCH, CMD_MAP_DELETE_BATCH))
		return a->w[ATTR_BATCH_FD];
	return -1;
}

/* What an open file is: "bpf-map" and "bpf-prog" are the names of their files. */
INLINE void object_of_fd(s32 fd, struct bpf_map **map, struct bpf_prog **prog)
{
	struct file *file = fd < 0 ? 0 : file_of_fd((void *)bpf_get_current_task(), fd);
	char name[8] = {};

	if (!file || bpf_probe_read_kernel(name, sizeof(name), READ(file, f_path.dentry, d_name.name)) ||
	    name[0] != 'b' || name[1] != 'p' || name[2] != 'f' || name[3] != '-')
		return;
	if (name[4] == 'm' && name[5] == 'a' && name[6] == 'p' && !name[7])
		*map = READ(file, private_data);
	else if (name[4] == 'p' && name[5] == 'r' && name[6] == 'o' && name[7] == 'g')
		*prog = READ(file, private_data);
}

/* ---- helpers ---------------------------------------------------------------------------------------------------- */

#define INSN_BYTES   8
#define INSN_PIECE   64 /* instructions at a time */
#define INSN_BLOCK   4096
#define INSN_MAX     65536 /* of a program that are looked at */
#define HELPER_BYTES 32	   /* bitmap of helpers, in work[1] */
#define INSN_AT	     64	   /* where the instructions are, in work[1] */
#define CALL_HELPER  0x85  /* BPF_JMP | BPF_CALL */

/* Looks at the first of @n instructions at @start, and sets the bits of the helpers that they call; -1 if unreadable. */
__noinline int helpers_piece(u32 slot, u64 start, u64 n)
{
	struct slot *s = slot_at(slot);

	sv_hide(n);
	if (n > INSN_PIECE)
		n = INSN_PIECE;
	if (!s || bpf_probe_read_user(&s->work[1][INSN_AT], n * INSN_BYTES, (void *)start))
		return -1;
	for (u64 i = 0; i < INSN_PIECE; i++) {
		const u8 *insn = &s->work[1][INSN_AT + i * INSN_BYTES];
		u64 id;

		if (i >= n)
			break;
		/* The number's upper bytes are zero, the source register is 0: else it calls something else. */
		if (insn[0] != CALL_HELPER || insn[1] >> 4 || insn[5] | insn[6] | insn[7])
			continue;
		id = insn[4];
		s->work[1][id >> 3 & (HELPER_BYTES - 1)] |= 1 << (id & 7);
	}
	return 0;
}

/* The same for at most INSN_BLOCK of the instructions from @start on. Two short loops, one in the other, for the verifier. */
__noinline int helpers_block(u32 slot, u64 start, u64 total)
{
	for (u64 i = 0; i < INSN_BLOCK; i += INSN_PIECE) {
		if (i >= total)
			break;
		if (helpers_piece(slot, start + i * INSN_BYTES, total - i))
			return -1;
	}
	return 0;
}

/* The same for at most INSN_MAX of them. */
__noinline int helpers_find(u32 slot, u64 start, u64 total)
{
	for (u64 i = 0; i < INSN_MAX; i += INSN_BLOCK) {
		if (i >= total)
			break;
		if (helpers_block(slot, start + i * INSN_BYTES, total - i))
			return -1;
	}
	return 0;
}

/* The helpers of the program that was loaded from @a, as a bitmap. */
INLINE void helpers_put(struct slot *s, struct ev_str *str, const struct bpf_args *a)
{
	u64 insns = a->w[ATTR_INSNS] | (u64)a->w[ATTR_INSNS + 1] << 32, total = a->w[ATTR_INSN_CNT];

	__builtin_memset(s->work[1], 0, HELPER_BYTES);
	if (total > INSN_MAX)
		s->flags |= EV_F_TRUNCATED;
	if (helpers_find(s->index, insns, total))
		s->flags |= EV_F_UNREADABLE;
	rec_put(s, str, s->work[1], HELPER_BYTES);
}

/* ---- the record ------------------------------------------------------------------------------------------------- */

/*
 * What is found out about a call stands in the slot, and who finds it out is a function of its own: to the verifier its
 * branches are over where it returns. work[0]: the attributes; args[]: the objects.
 */
enum { ARG_MAP, ARG_PROG };

INLINE void map_nums(u64 *num, const struct bpf_args *a, struct bpf_map *map)
{
	if (map)
		num[NUM(BPF, MAP_TYPE)] = (u32)READ(map, map_type);
	else if (a->cmd == CMD_MAP_CREATE)
		num[NUM(BPF, MAP_TYPE)] = a->w[ATTR_TYPE];
}

INLINE void prog_nums(u64 *num, const struct bpf_args *a, struct bpf_prog *prog)
{
	if (prog) {
		num[NUM(BPF, PROG_TYPE)] = (u32)READ(prog, type);
		num[NUM(BPF, ATTACH_TYPE)] = (u32)READ(prog, expected_attach_type);
	} else if (a->cmd == CMD_PROG_LOAD) {
		num[NUM(BPF, PROG_TYPE)] = a->w[ATTR_TYPE];
		num[NUM(BPF, ATTACH_TYPE)] = a->w[ATTR_ATTACH_TYPE];
	}
}

/* Finds the map or the program that a call with the result @ret is about, and fills in the record's numbers. */
__noinline int bpf_nums(u32 slot, s64 ret)
{
	struct slot *s = slot_at(slot);
	struct bpf_map *map = 0;
	struct bpf_prog *prog = 0;
	struct bpf_args *a;
	u64 *num;

	if (!s)
		return -1;
	a = (void *)s->work[0];
	num = rec_num(&s->rec);
	object_of_fd(object_fd(a, ret), &map, &prog);
	if (a->cmd == CMD_PROG_BIND_MAP)
		object_of_fd(a->w[ATTR_BOUND_MAP], &map, &prog);
	num[NUM(BPF, CMD)] = a->cmd;
	map_nums(num, a, map);
	prog_nums(num, a, prog);
	s->args[ARG_MAP] = as_number(map);
	s->args[ARG_PROG] = as_number(prog);
	return 0;
}

/* A name is at most 15 bytes and a zero, wherever it stands. */
INLINE void name_put(struct slot *s, struct ev_str *str, const void *name)
{
	rec_puts(s, str, name, OBJ_NAME, false);
}

INLINE char hex(u8 digit)
{
	return digit < 10 ? '0' + digit : 'a' + digit - 10;
}

/* The tag, as it is shown everywhere: 16 digits. */
INLINE void tag_put(struct slot *s, struct ev_str *str, struct bpf_prog *prog)
{
	u8 tag[8] = {}, text[16];

	bpf_probe_read_kernel(tag, sizeof(tag), (void *)prog + bpf_core_field_offset(prog->tag));
#pragma GCC unroll 8
	for (int i = 0; i < 8; i++) {
		text[2 * i] = hex(tag[i] >> 4);
		text[2 * i + 1] = hex(tag[i] & 15);
	}
	rec_put(s, str, text, sizeof(text));
}

/* The record's strings. */
__noinline int bpf_strs(u32 slot)
{
	struct slot *s = slot_at(slot);
	struct ev_str *str;
	struct bpf_map *map;
	struct bpf_prog *prog;
	struct bpf_args *a;

	if (!s)
		return -1;
	str = rec_str(&s->rec, EVN_BPF_COUNT);
	a = (void *)s->work[0];
	map = (void *)s->args[ARG_MAP];
	prog = (void *)s->args[ARG_PROG];
	if (map)
		name_put(s, &str[STR(BPF, MAP_NAME)], (void *)map + bpf_core_field_offset(map->name));
	else if (a->cmd == CMD_MAP_CREATE)
		name_put(s, &str[STR(BPF, MAP_NAME)], &a->w[ATTR_MAP_NAME]);
	if (prog) {
		struct bpf_prog_aux *aux = READ(prog, aux);

		name_put(s, &str[STR(BPF, PROG_NAME)], (void *)aux + bpf_core_field_offset(aux->name));
		tag_put(s, &str[STR(BPF, PROG_TAG)], prog);
	} else if (a->cmd == CMD_PROG_LOAD) {
		name_put(s, &str[STR(BPF, PROG_NAME)], &a->w[ATTR_PROG_NAME]);
	}
	if (a->cmd == CMD_PROG_LOAD)
		helpers_put(s, &str[STR(BPF, HELPERS)], a);
	return 0;
}

/* The caller's attributes: as many as there are, the rest zero. */
INLINE void attr_read(struct slot *s, u32 cmd, const void *user, u32 size)
{
	struct bpf_args *a = (void *)s->work[0];
	u64 n = size;

	__builtin_memset(a, 0, sizeof(*a));
	a->cmd = cmd;
	sv_hide(n);
	if (n > sizeof(a->w))
		n = sizeof(a->w);
	if (bpf_probe_read_user(a->w, n, user))
		s->flags |= EV_F_UNREADABLE;
}

/* bpf(cmd, attr, size) */
INLINE int bpf_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct sysargs args = {};
	struct hook h;
	bool ok;

	if (!reportable(ret) || (u32)(bpf_get_current_pid_tgid() >> 32) == self_pid || !hook_begin(&h, EV_BPF))
		return 0;
	call_args(regs, &args);
	attr_read(h.s, args.a[0], (void *)args.a[1], args.a[2]);
	rec_begin(&h.s->rec, EV_BPF, EVN_BPF_COUNT, EVS_BPF_COUNT, rung);
	rec_task(&h.s->rec, (void *)bpf_get_current_task());
	rec_head(&h.s->rec)->retval = result(ret);
	bpf_nums(h.s->index, ret);
	ok = rec_sieve(h.s, h.sv, h.e, &h.alive);
	if (ok)
		bpf_strs(h.s->index);
	hook_end(&h, EV_BPF, ok);
	return 0;
}

CALL_FEXIT(bpf_x, SYSCALL64("bpf"), bpf_left)
CALL_FEXIT32(bpf_x32, "bpf", bpf_left)
CALL_KRETPROBE(bpf_kx, SYSCALL64("bpf"), bpf_left) /* or its 32-bit entry */
CALL_SYS_EXIT(sys_bpf, bpf_left)
