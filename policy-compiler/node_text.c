/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/node_text.h"

#include <inttypes.h>

#include "lib/ipnet.h"

/* What is passed down: the array whose elements N_ELEM stands for. */
struct text {
	const struct program *p;
	struct buf *out;
	uint32_t array; /* a node */
};

static void put(struct text *x, uint32_t i, bool negated);

static void put_operand(struct text *x, uint32_t i)
{
	put(x, i, false);
}

void node_text_str(const struct program *p, uint32_t str, bool is_ip, struct buf *out)
{
	char ip[IPNET_TEXT_MAX];
	uint32_t len;
	const char *s = program_str(p, str, &len);

	if (is_ip) {
		if (len == IPNET_BYTES && ipnet_text((const uint8_t *)s, ip))
			buf_puts(out, ip);
		return;
	}
	buf_putc(out, '"');
	buf_put(out, s, len);
	buf_putc(out, '"');
}

static void put_strset(struct text *x, const struct strset *set)
{
	static const char *const marks[] = {
		[STRM_EXACT] = "", [STRM_PATTERN] = "~", [STRM_GLOB] = "~", [STRM_REGEX] = "r"
	};

	for (uint32_t i = 0; i < set->count && !buf_error(x->out); i++) {
		const struct strm *m = &x->p->strms[set->first + i];

		buf_puts(x->out, i ? ", " : "");
		buf_puts(x->out, marks[m->kind]);
		node_text_str(x->p, m->str, false, x->out);
	}
}

static void put_intset(struct text *x, const struct intset *set)
{
	for (uint32_t i = 0; i < set->count && !buf_error(x->out); i++)
		buf_printf(x->out, "%s%" PRId64, i ? ", " : "", x->p->ints[set->first + i]);
}

static void put_ipset(struct text *x, const struct ipset *set)
{
	for (uint32_t i = 0; i < set->count && !buf_error(x->out); i++) {
		buf_puts(x->out, i ? ", " : "");
		node_text_str(x->p, x->p->ips[set->first + i], true, x->out);
	}
}

static void put_set(struct text *x, const struct node *n)
{
	buf_putc(x->out, '[');
	if (n->op == N_STRIN)
		put_strset(x, &x->p->strsets[n->b]);
	else if (n->op == N_INTIN)
		put_intset(x, &x->p->intsets[n->b]);
	else
		put_ipset(x, &x->p->ipsets[n->b]);
	buf_putc(x->out, ']');
}

static void put_in(struct text *x, const struct node *n, bool negated)
{
	bool all = n->op == N_IPIN && n->c;

	buf_puts(x->out, negated && all ? "!(" : "");
	put_operand(x, n->a);
	buf_puts(x->out, all ? " allin " : negated ? " not in " : " in ");
	put_set(x, n);
	buf_puts(x->out, negated && all ? ")" : "");
}

static void put_infix(struct text *x, const struct node *n, const char *op)
{
	put_operand(x, n->a);
	buf_puts(x->out, op);
	put_operand(x, n->b);
}

static void put_logic(struct text *x, const struct node *n, bool negated)
{
	buf_putc(x->out, '(');
	put(x, n->a, negated);
	buf_puts(x->out, (n->op == N_AND) != negated ? " && " : " || ");
	put(x, n->b, negated);
	buf_putc(x->out, ')');
}

/* The field is named in the body, where its elements are. */
static void put_any(struct text *x, const struct node *n, bool negated)
{
	struct text inner = { .p = x->p, .out = x->out, .array = n->a };

	put(&inner, n->b, negated);
}

static void put_arith(struct text *x, const struct node *n)
{
	static const char *const ops[N_OPS] = {
		[N_ADD] = " + ", [N_SUB] = " - ", [N_BAND] = " & ", [N_BOR] = " | ", [N_BXOR] = " ^ "
	};

	buf_putc(x->out, '(');
	put_infix(x, n, ops[n->op]);
	buf_putc(x->out, ')');
}

static void put_var(struct text *x, const struct node *n)
{
	static const char *const scopes[VAR_SCOPES] = { "", "process.", "container.", "cgroup." };
	const struct pvar *v = &x->p->vars[n->a];
	uint32_t len;
	const char *name = program_str(x->p, v->name, &len);

	buf_printf(x->out, "${%s%.*s}", scopes[v->scope], (int)len, name);
}

/* What stands between the quotes. */
static void put_inside(struct text *x, uint32_t i)
{
	const struct node *n = &x->p->nodes[i];
	uint32_t len;
	const char *s;
	bool field;

	if (n->op == N_CONCAT) {
		put_inside(x, n->a);
		put_inside(x, n->b);
	} else if (n->op == N_STR) {
		s = program_str(x->p, n->a, &len);
		buf_put(x->out, s, len);
	} else if (n->op == N_TEXT) {
		put_inside(x, n->a);
	} else {
		field = n->op == N_FIELD || n->op == N_CURRENT;
		buf_puts(x->out, field ? "%{" : "");
		put(x, i, false);
		buf_puts(x->out, field ? "}" : "");
	}
}

static void put_format(struct text *x, uint32_t i)
{
	buf_putc(x->out, '"');
	put_inside(x, i);
	buf_putc(x->out, '"');
}

static void put_match(struct text *x, const struct node *n, bool negated)
{
	put_operand(x, n->a);
	buf_puts(x->out, negated ? " !~ ~" : " =~ ~");
	put_format(x, n->b);
}

static void put_value(struct text *x, const struct node *n)
{
	switch (n->op) {
	case N_VAR:
		put_var(x, n);
		break;
	case N_UUID:
		buf_puts(x->out, "${builtins.uuid4}");
		break;
	case N_TEXT:
	case N_CONCAT:
		put_format(x, (uint32_t)(n - x->p->nodes));
		break;
	case N_INT:
		buf_printf(x->out, "%" PRId64, n->imm);
		break;
	case N_BOOL:
		buf_puts(x->out, n->imm ? "true" : "false");
		break;
	case N_STR:
	case N_IP:
		node_text_str(x->p, n->a, n->op == N_IP, x->out);
		break;
	case N_FIELD:
	case N_CURRENT:
		buf_puts(x->out, x->p->catalog->fields[n->a].name);
		break;
	case N_ELEM:
		put_operand(x, x->array);
		break;
	case N_LEN:
		put_operand(x, n->a);
		buf_puts(x->out, ".length");
		break;
	case N_NOW:
		buf_puts(x->out, "now");
		break;
	case N_BNOT:
	case N_NEG:
		buf_putc(x->out, n->op == N_NEG ? '-' : '^');
		put_operand(x, n->a);
		break;
	default:
		put_arith(x, n);
	}
}

static void put(struct text *x, uint32_t i, bool negated)
{
	const struct node *n = &x->p->nodes[i];

	if (buf_error(x->out))
		return;
	switch (n->op) {
	case N_NOT:
		put(x, n->a, !negated);
		break;
	case N_AND:
	case N_OR:
		put_logic(x, n, negated);
		break;
	case N_EQ:
	case N_STREQ:
	case N_IPEQ:
		put_infix(x, n, negated ? " != " : " == ");
		break;
	case N_LT:
		put_infix(x, n, negated ? " >= " : " < ");
		break;
	case N_LE:
		put_infix(x, n, negated ? " > " : " <= ");
		break;
	case N_STRIN:
	case N_INTIN:
	case N_IPIN:
		put_in(x, n, negated);
		break;
	case N_ANY:
		put_any(x, n, negated);
		break;
	case N_MATCH:
		put_match(x, n, negated);
		break;
	case N_MEET:
		put_infix(x, n, negated ? " not in " : " in ");
		break;
	case N_EXISTS:
		buf_puts(x->out, negated ? "!exists(" : "exists(");
		put(x, n->a, false);
		buf_putc(x->out, ')');
		break;
	default:
		buf_puts(x->out, negated ? "!" : "");
		put_value(x, n);
	}
}

void node_text(const struct program *p, uint32_t node, bool negated, struct buf *out)
{
	struct text x = { .p = p, .out = out };

	put(&x, node, negated);
}
