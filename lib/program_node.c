/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ascii.h"
#include "lib/program_build.h"

static const struct node *node_at(const struct program_builder *pb, uint32_t i)
{
	return &AT(const struct node, pb->nodes)[i];
}

static uint64_t node_hash(const struct program_builder *pb, uint32_t i)
{
	return program_hash(node_at(pb, i), sizeof(struct node));
}

static bool node_same(const struct program_builder *pb, uint32_t i, const void *p, size_t n)
{
	return memcmp(node_at(pb, i), p, n) == 0;
}

static bool is_const(const struct node *n)
{
	return n->op == N_INT || n->op == N_BOOL || n->op == N_STR || n->op == N_IP;
}

static bool is_number(const struct node *n)
{
	return n->op == N_INT || n->op == N_BOOL;
}

static int64_t add_bool(struct program_builder *pb, bool v)
{
	return program_node(pb, N_BOOL, 0, 0, 0, v);
}

/* Arithmetic wraps, as it does in the engine. */
static bool fold_int(uint8_t op, int64_t x, int64_t y, int64_t *ret)
{
	uint64_t a = (uint64_t)x, b = (uint64_t)y;

	switch (op) {
	case N_ADD:
		*ret = (int64_t)(a + b);
		return true;
	case N_SUB:
		*ret = (int64_t)(a - b);
		return true;
	case N_BAND:
		*ret = (int64_t)(a & b);
		return true;
	case N_BOR:
		*ret = (int64_t)(a | b);
		return true;
	case N_BXOR:
		*ret = (int64_t)(a ^ b);
		return true;
	case N_BNOT:
		*ret = (int64_t)~a;
		return true;
	case N_NEG:
		*ret = (int64_t)(0 - a);
		return true;
	default:
		return false;
	}
}

static bool const_streq(const struct program_builder *pb, uint32_t x, uint32_t y, bool icase)
{
	uint32_t lx, ly;
	const char *sx = program_str_at(pb, x, &lx), *sy = program_str_at(pb, y, &ly);

	return x == y || (icase && lx == ly && ascii_same(sx, sy, lx));
}

static bool const_intin(const struct program_builder *pb, int64_t v, uint32_t set)
{
	struct program p = program_view(pb);

	return program_intset_has(&p, set, v);
}

/* AND and OR: @absorbing is the constant that decides (false for AND), the other one vanishes. */
static int64_t fold_logic(struct program_builder *pb, const struct node *n)
{
	const struct node *a = node_at(pb, n->a), *b = node_at(pb, n->b);
	int64_t absorbing = n->op == N_OR;

	if (n->a == n->b)
		return n->a;
	if (a->op == N_BOOL)
		return a->imm == absorbing ? n->a : n->b;
	if (b->op == N_BOOL)
		return b->imm == absorbing ? n->b : n->a;
	if ((a->op == N_NOT && a->a == n->b) || (b->op == N_NOT && b->a == n->a))
		return add_bool(pb, absorbing);
	return -1;
}

static int64_t fold_compare(struct program_builder *pb, const struct node *n)
{
	const struct node a = *node_at(pb, n->a), b = *node_at(pb, n->b);
	int64_t r;

	if (n->a == n->b)
		return add_bool(pb, n->op != N_LT);
	if (is_number(&a) && is_number(&b))
		return add_bool(pb, n->op == N_EQ ? a.imm == b.imm : n->op == N_LT ? a.imm < b.imm : a.imm <= b.imm);
	if (n->op == N_EQ)
		return b.op != N_BOOL ? -1 : b.imm ? n->a : program_node(pb, N_NOT, n->a, 0, 0, 0);
	if (!is_const(&a))
		return -1;
	r = program_node(pb, n->op == N_LT ? N_LE : N_LT, n->b, n->a, 0, 0);
	return r < 0 ? r : program_node(pb, N_NOT, (uint32_t)r, 0, 0, 0);
}

/* Text of constants, where it is known how it is written. */
static int64_t fold_text(struct program_builder *pb, uint32_t i)
{
	const struct node *a = node_at(pb, i);
	char num[24];
	int64_t s;
	int len;

	if (a->type == NT_STR)
		return i;
	if (a->op != N_INT && a->op != N_BOOL)
		return -1;
	len = a->op == N_INT ? snprintf(num, sizeof(num), "%" PRId64, a->imm)
			     : snprintf(num, sizeof(num), "%s", a->imm ? "true" : "false");
	s = program_str_add(pb, num, (size_t)len);
	return s < 0 ? s : program_node(pb, N_STR, (uint32_t)s, 0, 0, 0);
}

static int64_t fold_concat(struct program_builder *pb, const struct node *n)
{
	const struct node *a = node_at(pb, n->a), *b = node_at(pb, n->b);
	char *joined;
	uint32_t la, lb;
	const char *x;
	int64_t s;

	if (a->op == N_STR && a->a == 0)
		return n->b;
	if (b->op == N_STR && b->a == 0)
		return n->a;
	if (a->op != N_STR || b->op != N_STR)
		return -1;
	x = program_str_at(pb, a->a, &la);
	program_str_at(pb, b->a, &lb);
	joined = malloc((size_t)la + lb);
	if (!joined)
		return -ENOMEM;
	memcpy(joined, x, la);
	memcpy(joined + la, program_str_at(pb, b->a, &lb), lb);
	s = program_str_add(pb, joined, (size_t)la + lb);
	free(joined);
	return s < 0 ? s : program_node(pb, N_STR, (uint32_t)s, 0, 0, 0);
}

/* A node that means the same as @n and is simpler; -1 where there is none; other negative values are errors. */
static int64_t fold(struct program_builder *pb, const struct node *n)
{
	const struct node *a = node_at(pb, n->a), *b = node_at(pb, n->b);
	int64_t v;

	switch (n->op) {
	case N_ADD:
	case N_SUB:
	case N_BAND:
	case N_BOR:
	case N_BXOR:
		if (a->op != N_INT || b->op != N_INT || !fold_int(n->op, a->imm, b->imm, &v))
			return -1;
		return program_node(pb, N_INT, 0, 0, 0, v);
	case N_BNOT:
	case N_NEG:
		if (a->op != N_INT || !fold_int(n->op, a->imm, 0, &v))
			return -1;
		return program_node(pb, N_INT, 0, 0, 0, v);
	case N_LEN:
		if (a->op != N_STR)
			return -1;
		return program_node(pb, N_INT, 0, 0, 0,
				    AT(uint32_t, pb->str_off)[a->a + 1] - AT(uint32_t, pb->str_off)[a->a]);
	case N_EQ:
	case N_LT:
	case N_LE:
		return fold_compare(pb, n);
	case N_STREQ:
		if (a->op == N_STR && b->op == N_STR)
			return add_bool(pb, const_streq(pb, a->a, b->a, n->c));
		return n->a == n->b && !AT(const struct node_info, pb->infos)[n->a].var ? add_bool(pb, true) : -1;
	case N_INTIN:
		return a->op == N_INT ? add_bool(pb, const_intin(pb, a->imm, n->b)) : -1;
	case N_AND:
	case N_OR:
		return fold_logic(pb, n);
	case N_NOT:
		return a->op == N_NOT ? a->a : a->op == N_BOOL ? add_bool(pb, !a->imm) : -1;
	case N_ANY:
		return b->op == N_BOOL && !b->imm ? (int64_t)n->b : -1;
	case N_EXISTS:
		return a->op == N_BOOL && !a->imm ? (int64_t)n->a : -1;
	case N_TEXT:
		return fold_text(pb, n->a);
	case N_CONCAT:
		return fold_concat(pb, n);
	default:
		return -1;
	}
}

static void swap_operands(struct node *n)
{
	uint32_t a = n->a;

	n->a = n->b;
	n->b = a;
}

/* One spelling for what means the same, so that it is found again: constants last, then in a fixed order. */
static void order_operands(const struct program_builder *pb, struct node *n)
{
	const struct node_info *infos = pb->infos.p;
	uint32_t ca, cb;

	switch (n->op) {
	case N_ADD:
	case N_BAND:
	case N_BOR:
	case N_BXOR:
	case N_EQ:
	case N_STREQ:
	case N_IPEQ:
		ca = is_const(node_at(pb, n->a));
		cb = is_const(node_at(pb, n->b));
		break;
	case N_AND:
	case N_OR:
		ca = infos[n->a].cost;
		cb = infos[n->b].cost;
		break;
	default:
		return;
	}
	if (ca > cb || (ca == cb && n->a > n->b))
		swap_operands(n);
}

struct node_env program_env(const struct program_builder *pb)
{
	return (struct node_env){
		.catalog = pb->catalog,
		.nodes = pb->nodes.p,
		.infos = pb->infos.p,
		.nnodes = pb->nodes.n,
		.nstrs = pb->str_off.n - 1,
		.nstrsets = pb->strsets.n,
		.nintsets = pb->intsets.n,
		.nipsets = pb->ipsets.n,
		.vars = pb->vars.p,
		.nvars = pb->vars.n,
		.strset_costs = pb->strset_costs.p,
		.is_ip = program_str_is_ip,
		.ctx = pb,
	};
}

int64_t program_node(struct program_builder *pb, enum node_op op, uint32_t a, uint32_t b, uint32_t c, int64_t imm)
{
	struct node n = { .op = (uint8_t)op, .a = a, .b = b, .c = c, .imm = imm };
	struct node_env env = program_env(pb);
	struct node_info info;
	int64_t found;
	uint32_t at;
	int r;

	r = node_check(&env, &n, &info);
	if (r < 0)
		return r;
	if (n.depth > 0) {
		order_operands(pb, &n);
		found = fold(pb, &n);
		if (found != -1)
			return found;
	}
	r = program_index_room(&pb->node_index, node_hash, pb);
	if (r < 0)
		return r;
	found = program_index_find(&pb->node_index, pb, program_hash(&n, sizeof(n)), node_same, &n, sizeof(n), &at);
	if (found >= 0)
		return found;
	r = program_vec_room(&pb->infos, 1);
	if (r == 0)
		r = program_vec_put(&pb->nodes, &n, 1);
	if (r < 0)
		return r;
	program_vec_put(&pb->infos, &info, 1);
	program_index_put(&pb->node_index, at, pb->nodes.n - 1);
	return pb->nodes.n - 1;
}

uint16_t program_node_event(const struct program_builder *pb, uint32_t node)
{
	return node < pb->infos.n ? AT(const struct node_info, pb->infos)[node].event : EV_NONE;
}
