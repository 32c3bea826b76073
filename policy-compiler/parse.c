/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/parse.h"

#include <errno.h>

#include "policy-compiler/lex.h"

struct parser {
	struct arena *arena;
	struct lexer lex;
	struct lex_token tok; /* the one that is looked at */
	unsigned int depth;
};

static int parse_expression(struct parser *p, struct ast **ret);
static int parse_comparison(struct parser *p, struct ast **ret);

/* ---- helpers ----------------------------------------------------------------------------------------------------- */

static int advance(struct parser *p)
{
	return lex_next(&p->lex, &p->tok);
}

static struct ast *new_node(struct parser *p, enum ast_kind kind, enum ast_op op, uint32_t off)
{
	struct ast *a = arena_alloc(p->arena, sizeof(*a));

	if (!a)
		return NULL;
	a->kind = (uint8_t)kind;
	a->op = (uint8_t)op;
	a->text = p->lex.text;
	a->off = off;
	return a;
}

/* The node reaches to the end of its last part. */
static struct ast *new_pair(struct parser *p, enum ast_kind kind, enum ast_op op, struct ast *a, struct ast *b)
{
	struct ast *n = new_node(p, kind, op, a->off);

	if (!n)
		return NULL;
	n->a = a;
	n->b = b;
	n->len = b->off + b->len - a->off;
	return n;
}

static int enter(struct parser *p)
{
	if (p->depth < PARSE_DEPTH_MAX) {
		p->depth++;
		return 0;
	}
	diag_error(p->lex.diags, text_span(p->lex.text, p->tok.off, p->tok.len),
		   "the expression is nested deeper than %d levels", PARSE_DEPTH_MAX);
	diag_help(p->lex.diags, "move a part of it into a macro");
	return -EINVAL;
}

/* What was found, for a message. */
static const char *token_text(const struct parser *p, int *ret_len)
{
	if (p->tok.kind == T_END) {
		*ret_len = 6;
		return "the end";
	}
	*ret_len = p->tok.len < 40 ? (int)p->tok.len : 40;
	return p->lex.text->s + p->tok.off;
}

static int unexpected(struct parser *p, const char *wanted, const char *help)
{
	struct span at = text_span(p->lex.text, p->tok.off, p->tok.len);
	int n;
	const char *s = token_text(p, &n);

	if (p->tok.kind == T_END)
		diag_error(p->lex.diags, at, "%s expected at the end of the expression", wanted);
	else
		diag_error(p->lex.diags, at, "%s expected, not %.*s", wanted, n, s);
	if (help)
		diag_help(p->lex.diags, "%s", help);
	return -EINVAL;
}

/* Words of other languages where this one has an operator, or what to write for them. */
static const struct {
	const char *word, *help;
} foreign[] = {
	{ "AND", "operators are lower case: and, or &&" },
	{ "OR", "operators are lower case: or, or ||" },
	{ "IN", "operators are lower case: in" },
	{ "NOT", "operators are lower case: not in, or !( ... )" },
	{ "is", "equality is ==" },
	{ "eq", "equality is ==" },
	{ "like", "a pattern is matched by =~, with * for any text" },
	{ "matches", "a pattern is matched by =~ \"x*\", a regular expression by =~ r\"x.*\"" },
	{ "contains", "write =~ \"*text*\", or for a field with several values: \"text\" in field" },
	{ "startswith", "write =~ \"text*\", for all below a directory =~ \"/dir/**\"" },
	{ "endswith", "write =~ \"*text\"" },
};

/* What to do where an operator should be. */
static const char *operator_help(const struct parser *p, const char *otherwise)
{
	const struct lex_token *t = &p->tok;

	if (t->kind == T_INT)
		return "a sign belongs to the number behind it: write a space between, as in 5 - 3";
	if (t->kind == T_NOT && !t->word)
		return "the opposite of in is not in, that of a condition !( ... )";
	for (size_t i = 0; t->kind == T_IDENT && i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (t->slen == strlen(foreign[i].word) && memcmp(t->s, foreign[i].word, t->slen) == 0)
			return foreign[i].help;
	return otherwise;
}

/* ---- primaries --------------------------------------------------------------------------------------------------- */

/* A token that is a node by itself, or NULL kind. */
static int literal_kind(enum lex_kind k)
{
	switch (k) {
	case T_CIDR:
	case T_IP:
		return AST_IP;
	case T_VAR:
		return AST_VAR;
	case T_FIELDREF:
		return AST_FIELDREF;
	case T_DURATION:
		return AST_DURATION;
	case T_REGEX:
		return AST_REGEX;
	case T_IDENT:
		return AST_IDENT;
	case T_STRING:
		return AST_STR;
	case T_PATTERN:
		return AST_PATTERN;
	case T_INT:
		return AST_INT;
	default:
		return -1;
	}
}

static int parse_literal(struct parser *p, struct ast **ret)
{
	int kind = literal_kind(p->tok.kind);
	struct ast *n;

	n = new_node(p, (enum ast_kind)kind, p->tok.kind == T_CIDR ? AST_OP_CIDR : AST_OP_NONE, p->tok.off);
	if (!n)
		return -ENOMEM;
	n->len = p->tok.len;
	if (kind == AST_IP) {
		memcpy(n->ip, p->tok.ip, sizeof(n->ip));
	} else if (kind == AST_INT || kind == AST_DURATION) {
		n->num = p->tok.num;
	} else {
		n->s = p->tok.s;
		n->slen = p->tok.slen;
	}
	*ret = n;
	return advance(p);
}

static int parse_parens(struct parser *p, struct ast **ret)
{
	uint32_t off = p->tok.off;
	struct ast *n;
	int r = advance(p);

	if (r == 0)
		r = enter(p);
	if (r == 0)
		r = parse_expression(p, &n);
	if (r < 0)
		return r;
	p->depth--;
	if (p->tok.kind != T_RPAREN)
		return unexpected(p, "an operator or \")\"", operator_help(p, "a \"(\" before this is still open"));
	n->parens = true;
	n->len = p->tok.off + 1 - off;
	n->off = off;
	*ret = n;
	return advance(p);
}

static int parse_primary(struct parser *p, struct ast **ret)
{
	if (p->tok.kind == T_LPAREN)
		return parse_parens(p, ret);
	if (p->tok.kind == T_LBRACKET)
		return unexpected(p, "a value", "a list stands behind in, not in and allin only");
	if (p->tok.kind == T_GT && p->tok.off && p->lex.text->s[p->tok.off - 1] == '<')
		return unexpected(p, "a value", "what is not equal is !=");
	if (p->tok.kind == T_AND || p->tok.kind == T_OR)
		return unexpected(p, "a condition", "an operator stands between two conditions");
	if (literal_kind(p->tok.kind) < 0)
		return unexpected(p, "a value", "a value is a field, a constant, a macro, a number or a \"string\"");
	return parse_literal(p, ret);
}

static enum ast_op unary_op(enum lex_kind k)
{
	switch (k) {
	case T_NOT:
		return AST_OP_NOT;
	case T_MINUS:
		return AST_OP_NEG;
	case T_CARET:
		return AST_OP_BNOT;
	default:
		return AST_OP_NONE;
	}
}

static int parse_unary(struct parser *p, struct ast **ret)
{
	enum ast_op op = unary_op(p->tok.kind);
	struct ast *n, *operand;
	int r;

	if (op == AST_OP_NONE)
		return parse_primary(p, ret);
	n = new_node(p, AST_UNARY, op, p->tok.off);
	if (!n)
		return -ENOMEM;
	r = enter(p);
	if (r == 0)
		r = advance(p);
	if (r == 0)
		r = parse_unary(p, &operand);
	if (r < 0)
		return r;
	p->depth--;
	n->a = operand;
	n->len = operand->off + operand->len - n->off;
	*ret = n;
	return 0;
}

/* ---- operators --------------------------------------------------------------------------------------------------- */

static enum ast_op bit_op(enum lex_kind k)
{
	switch (k) {
	case T_BAND:
		return AST_OP_BAND;
	case T_BOR:
		return AST_OP_BOR;
	case T_CARET:
		return AST_OP_BXOR;
	default:
		return AST_OP_NONE;
	}
}

static int parse_bit(struct parser *p, struct ast **ret)
{
	struct ast *a, *b;
	enum ast_op op;
	int r = parse_unary(p, &a);

	if (r < 0)
		return r;
	op = bit_op(p->tok.kind);
	if (op == AST_OP_NONE) {
		*ret = a;
		return 0;
	}
	r = enter(p);
	if (r == 0)
		r = advance(p);
	if (r == 0)
		r = parse_bit(p, &b);
	if (r < 0)
		return r;
	p->depth--;
	*ret = new_pair(p, AST_BINARY, op, a, b);
	return *ret ? 0 : -ENOMEM;
}

static int parse_arith(struct parser *p, struct ast **ret)
{
	struct ast *a = NULL, *b;
	unsigned int links = 0;
	int r = parse_bit(p, &a);

	while (r == 0 && (p->tok.kind == T_PLUS || p->tok.kind == T_MINUS)) {
		enum ast_op op = p->tok.kind == T_PLUS ? AST_OP_ADD : AST_OP_SUB;

		/* each link makes the tree one level deeper on its left */
		if (++links > PARSE_DEPTH_MAX)
			return unexpected(p, "the end of a sum", "a sum has at most 256 terms");
		r = advance(p);
		if (r == 0)
			r = parse_bit(p, &b);
		if (r == 0)
			a = new_pair(p, AST_BINARY, op, a, b);
		if (r == 0 && !a)
			return -ENOMEM;
	}
	if (r == 0)
		*ret = a;
	return r;
}

static int parse_list(struct parser *p, struct ast **ret)
{
	struct ast *list = new_node(p, AST_LIST, AST_OP_NONE, p->tok.off), **slot;
	size_t n = 0;
	int r;

	if (!list)
		return -ENOMEM;
	do {
		r = advance(p);
		if (r < 0)
			return r;
		if (literal_kind(p->tok.kind) < 0)
			return unexpected(p, "a value of the list",
					  n ? "remove the comma before it" : "a list has at least one value");
		slot = ARENA_PUSH(p->arena, list->items, n);
		if (!slot)
			return -ENOMEM;
		r = parse_literal(p, slot);
		if (r < 0)
			return r;
	} while (p->tok.kind == T_COMMA);
	if (p->tok.kind != T_RBRACKET)
		return unexpected(p, "\",\" or \"]\"", "the values of a list are separated by commas");
	list->n = (uint32_t)n;
	list->len = p->tok.off + 1 - list->off;
	*ret = list;
	return advance(p);
}

static int parse_array(struct parser *p, struct ast **ret)
{
	switch (p->tok.kind) {
	case T_LBRACKET:
		return parse_list(p, ret);
	case T_CIDR:
	case T_VAR:
	case T_FIELDREF:
	case T_IDENT:
		return parse_literal(p, ret);
	case T_IP:
		return unexpected(p, "a list",
				  "write the one address as a network, 10.0.0.1/32, or in brackets: [10.0.0.1]");
	case T_STRING:
	case T_PATTERN:
	case T_REGEX:
		return unexpected(p, "a list", "one value is compared by == or =~; a list has brackets");
	default:
		return unexpected(p, "a list",
				  "write [ ... ], a network, or the name of a macro or field that is a list");
	}
}

/* "in", "not in" and "allin"; the parser stands behind it. */
static int parse_array_op(struct parser *p, enum ast_op *ret)
{
	int r;

	switch (p->tok.kind) {
	case T_IN:
		*ret = AST_OP_IN;
		return advance(p);
	case T_ALLIN:
		*ret = AST_OP_ALLIN;
		return advance(p);
	case T_NOT:
		if (!p->tok.word)
			break;
		r = advance(p);
		if (r < 0)
			return r;
		if (p->tok.kind != T_IN)
			return unexpected(p, "\"in\" behind \"not\"", "join two conditions by && or ||");
		*ret = AST_OP_NOT_IN;
		return advance(p);
	default:
		break;
	}
	*ret = AST_OP_NONE;
	return 0;
}

static enum ast_op scalar_op(enum lex_kind k)
{
	switch (k) {
	case T_EQ:
		return AST_OP_EQ;
	case T_NE:
		return AST_OP_NE;
	case T_LT:
		return AST_OP_LT;
	case T_LE:
		return AST_OP_LE;
	case T_GT:
		return AST_OP_GT;
	case T_GE:
		return AST_OP_GE;
	case T_MATCH:
		return AST_OP_MATCH;
	case T_NMATCH:
		return AST_OP_NMATCH;
	default:
		return AST_OP_NONE;
	}
}

static int parse_scalar_comparison(struct parser *p, struct ast *a, struct ast **ret)
{
	enum ast_op op = scalar_op(p->tok.kind);
	struct ast *b;
	int r;

	r = enter(p);
	if (r == 0)
		r = advance(p);
	if (r == 0 && p->tok.kind == T_LBRACKET)
		return unexpected(p, "one value", "compare with a list by \"in\", \"not in\" or \"allin\"");
	if (r == 0)
		r = parse_comparison(p, &b);
	if (r < 0)
		return r;
	p->depth--;
	*ret = new_pair(p, AST_COMPARE, op, a, b);
	return *ret ? 0 : -ENOMEM;
}

static int parse_comparison(struct parser *p, struct ast **ret)
{
	struct ast *a = NULL, *b;
	enum ast_op op = AST_OP_NONE;
	int r = parse_arith(p, &a);

	if (r < 0)
		return r;
	if (scalar_op(p->tok.kind) != AST_OP_NONE)
		return parse_scalar_comparison(p, a, ret);
	r = parse_array_op(p, &op);
	if (r < 0)
		return r;
	if (op == AST_OP_NONE) {
		*ret = a;
		return 0;
	}
	r = parse_array(p, &b);
	if (r < 0)
		return r;
	*ret = new_pair(p, AST_IN, op, a, b);
	return *ret ? 0 : -ENOMEM;
}

/* && and || have one precedence: a reader expects another meaning than the language's. */
static void warn_mixed(struct parser *p, const struct ast *chain)
{
	for (uint32_t i = 1; i + 1 < chain->n; i++) {
		const struct ast *x = chain->items[i];

		if (chain->ops[i] == chain->ops[i - 1])
			continue;
		diag_warn(p->lex.diags, text_span(chain->text, x->off, x->len),
			  "&& and || are mixed without parentheses");
		diag_lint(p->lex.diags, "mixed-operators");
		diag_help(p->lex.diags,
			  "they have one precedence and group from the right: a && b || c is a && (b || c); "
			  "write the parentheses that you mean");
		return;
	}
}

static int parse_expression(struct parser *p, struct ast **ret)
{
	struct ast *chain, *item, **items = NULL, **slot;
	uint8_t *ops = NULL, *op;
	size_t n = 0, nops = 0;
	int r;

	for (;;) {
		r = parse_comparison(p, &item);
		if (r < 0)
			return r;
		slot = ARENA_PUSH(p->arena, items, n);
		if (!slot)
			return -ENOMEM;
		*slot = item;
		if (p->tok.kind != T_AND && p->tok.kind != T_OR)
			break;
		op = ARENA_PUSH(p->arena, ops, nops);
		if (!op)
			return -ENOMEM;
		*op = p->tok.kind == T_AND ? AST_OP_AND : AST_OP_OR;
		r = advance(p);
		if (r < 0)
			return r;
	}
	if (n == 1) {
		*ret = items[0];
		return 0;
	}
	chain = new_node(p, AST_CHAIN, AST_OP_NONE, items[0]->off);
	if (!chain)
		return -ENOMEM;
	chain->items = items;
	chain->ops = ops;
	chain->n = (uint32_t)n;
	chain->len = item->off + item->len - chain->off;
	warn_mixed(p, chain);
	*ret = chain;
	return 0;
}

/* ---- entry points ------------------------------------------------------------------------------------------------ */

static int begin(struct parser *p, struct arena *a, const struct text *text, struct diags *d)
{
	*p = (struct parser){ .arena = a, .lex = { .text = text, .diags = d } };
	if (text->len > PARSE_TEXT_MAX) {
		diag_error(d, text_span(text, 0, 1), "the expression is longer than %u KiB", PARSE_TEXT_MAX >> 10);
		diag_help(d, "split the rule, or move lists into macros with values:");
		return -EINVAL;
	}
	return advance(p);
}

static int finish(struct parser *p)
{
	switch (p->tok.kind) {
	case T_END:
		return 0;
	case T_INT:
		return unexpected(p, "an operator", operator_help(p, NULL));
	case T_RPAREN:
		return unexpected(p, "an operator or the end", "no \"(\" is open here");
	default:
		return unexpected(p, "an operator or the end", operator_help(p, "join two conditions by && or ||"));
	}
}

int parse_rule(struct arena *a, const struct text *text, struct diags *d, struct ast **ret)
{
	struct parser p;
	struct ast *n;
	int r = begin(&p, a, text, d);

	if (r == 0)
		r = parse_expression(&p, &n);
	if (r == 0)
		r = finish(&p);
	if (r == 0)
		*ret = n;
	return r;
}

int parse_macro(struct arena *a, const struct text *text, struct diags *d, struct ast **ret)
{
	struct parser p;
	struct ast *n;
	int r = begin(&p, a, text, d);

	if (r == 0)
		r = p.tok.kind == T_LBRACKET ? parse_list(&p, &n) : parse_expression(&p, &n);
	if (r == 0)
		r = finish(&p);
	if (r == 0)
		*ret = n;
	return r;
}
