/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>

#include "policy-compiler/fmt.h"
#include "policy-compiler/lex.h"
#include "policy-compiler/parse.h"

/* A comment, without the line end. */
struct note {
	const char *s;
	uint32_t len;
	bool own_line; /* nothing stood before it on its line */
};

/* A token as it is written out. */
struct piece {
	enum lex_kind kind;
	const char *s;
	uint32_t len, width; /* bytes, characters */
	bool prefix;	     /* an operator before its operand */
	uint32_t match;	     /* of an opening bracket: its closing one */
	struct note *notes;  /* between the token before and this one */
	size_t nnotes;
};

struct fmt_expr {
	struct arena *arena;
	struct ast *ast;
	struct piece *v; /* the last one is T_END */
	size_t n;	 /* without T_END */
	size_t nnotes;
	/* while lines are put */
	struct buf *out;
	uint32_t col, indent, width;
	const struct note **pending; /* comments that wait for the end of the line */
	size_t npending;
	bool line_begins;
};

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static uint32_t chars_of(const char *s, uint32_t len)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

static void piece_text(struct piece *p, const char *s, uint32_t len)
{
	p->s = s;
	p->len = len;
	p->width = chars_of(s, len);
}

/* The comments in text[from, to), where else only white space is. */
static int read_notes(struct fmt_expr *e, const struct text *t, uint32_t from, uint32_t to, struct piece *p)
{
	bool own_line = !from;

	for (uint32_t i = from; i < to; i++) {
		struct note *note;
		uint32_t begin = i;

		own_line = own_line || t->s[i] == '\n';
		if (t->s[i] != '#' && t->s[i] != '/')
			continue;
		while (i < to && t->s[i] != '\n')
			i++;
		note = ARENA_PUSH(e->arena, p->notes, p->nnotes);
		if (!note)
			return -ENOMEM;
		*note = (struct note){ .s = t->s + begin, .len = i - begin, .own_line = own_line };
		while (note->len && strchr(" \t\r", note->s[note->len - 1]))
			note->len--;
		own_line = true;
		e->nnotes++;
	}
	return 0;
}

static int read_piece(struct fmt_expr *e, const struct text *t, const struct lex_token *tok, uint32_t from)
{
	struct piece *p = ARENA_PUSH(e->arena, e->v, e->n);
	char num[24];

	if (!p)
		return -ENOMEM;
	p->kind = tok->kind;
	if (read_notes(e, t, from, tok->off, p) < 0)
		return -ENOMEM;
	piece_text(p, t->s + tok->off, tok->len);
	if (tok->kind == T_AND || tok->kind == T_OR)
		piece_text(p, tok->kind == T_AND ? "&&" : "||", 2);
	if (tok->kind == T_INT) {
		snprintf(num, sizeof(num), "%" PRId64, tok->num);
		piece_text(p, arena_strdup(e->arena, num, strlen(num)), (uint32_t)strlen(num));
		return p->s ? 0 : -ENOMEM;
	}
	return 0;
}

static int read_pieces(struct fmt_expr *e, const struct text *t, struct diags *d)
{
	struct lexer lex = { .text = t, .diags = d };
	struct lex_token tok;
	uint32_t end = 0;
	int r;

	do {
		r = lex_next(&lex, &tok);
		if (r == 0)
			r = read_piece(e, t, &tok, end);
		end = tok.off + tok.len;
	} while (r == 0 && tok.kind != T_END);
	e->n--;
	return r;
}

static bool is_operand(const struct piece *p)
{
	switch (p->kind) {
	case T_CIDR:
	case T_IP:
	case T_VAR:
	case T_FIELDREF:
	case T_DURATION:
	case T_REGEX:
	case T_IDENT:
	case T_STRING:
	case T_PATTERN:
	case T_INT:
	case T_RPAREN:
	case T_RBRACKET:
		return true;
	default:
		return false;
	}
}

static int append_notes(struct fmt_expr *e, struct piece *to, const struct piece *from)
{
	for (size_t i = 0; i < from->nnotes; i++) {
		struct note *n = ARENA_PUSH(e->arena, to->notes, to->nnotes);

		if (!n)
			return -ENOMEM;
		*n = from->notes[i];
	}
	return 0;
}

/* "not" "in" is one piece; any other "not" is "!". */
static int join_not_in(struct fmt_expr *e)
{
	size_t n = 0;

	for (size_t i = 0; i <= e->n; i++) {
		struct piece p = e->v[i];
		bool infix = n && is_operand(&e->v[n - 1]);

		p.prefix = !infix && (p.kind == T_NOT || p.kind == T_MINUS || p.kind == T_CARET);
		if (p.kind == T_NOT && infix) {
			piece_text(&p, "not in", 6);
			p.kind = T_IN;
			if (append_notes(e, &p, &e->v[++i]) < 0)
				return -ENOMEM;
		} else if (p.kind == T_NOT) {
			piece_text(&p, "!", 1);
		}
		e->v[n++] = p;
	}
	e->n = n - 1;
	return 0;
}

static bool ends_comparison(const struct piece *p)
{
	return p->kind == T_END || p->kind == T_AND || p->kind == T_OR || p->kind == T_RPAREN;
}

/* x == ~"p*" means x =~ "p*", and so does x =~ ~"p*". A text with ${ is left: it is put together when it is compared. */
static void use_match(struct fmt_expr *e)
{
	for (size_t i = 1; i + 1 < e->n; i++) {
		struct piece *op = &e->v[i], *right = &e->v[i + 1];
		bool equal = op->kind == T_EQ || op->kind == T_NE;

		if (!equal && op->kind != T_MATCH && op->kind != T_NMATCH)
			continue;
		if ((right->kind != T_PATTERN && right->kind != T_REGEX) || !ends_comparison(&e->v[i + 2]) ||
		    memmem(right->s, right->len, "${", 2))
			continue;
		if (equal) {
			piece_text(op, op->kind == T_EQ ? "=~" : "!~", 2);
			op->kind = op->kind == T_EQ ? T_MATCH : T_NMATCH;
		}
		if (right->kind == T_PATTERN) {
			piece_text(right, right->s + 1, right->len - 1);
			right->kind = T_STRING;
		}
	}
}

static int match_brackets(struct fmt_expr *e)
{
	uint32_t *open = arena_array(e->arena, e->n + 1, sizeof(*open));
	size_t n = 0;

	if (!open)
		return -ENOMEM;
	for (size_t i = 0; i < e->n; i++) {
		enum lex_kind k = e->v[i].kind;

		if (k == T_LPAREN || k == T_LBRACKET)
			open[n++] = (uint32_t)i;
		else if ((k == T_RPAREN || k == T_RBRACKET) && n)
			e->v[open[--n]].match = (uint32_t)i;
	}
	return 0;
}

int fmt_expr_read(struct arena *a, const struct text *text, bool macro, struct diags *d, struct fmt_expr **ret)
{
	struct fmt_expr *e = arena_alloc(a, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->arena = a;
	r = macro ? parse_macro(a, text, d, &e->ast) : parse_rule(a, text, d, &e->ast);
	if (r == 0)
		r = read_pieces(e, text, d);
	if (r == 0)
		r = join_not_in(e);
	if (r < 0)
		return r;
	use_match(e);
	r = match_brackets(e);
	if (r == 0)
		*ret = e;
	return r;
}

bool fmt_expr_has_comments(const struct fmt_expr *e)
{
	return e->nnotes > 0;
}

/* ---- one line ---------------------------------------------------------------------------------------------------- */

static bool space_between(const struct piece *a, const struct piece *b)
{
	if (b->kind == T_RPAREN || b->kind == T_RBRACKET || b->kind == T_COMMA)
		return false;
	if (a->kind == T_LPAREN || a->kind == T_LBRACKET)
		return false;
	/* -5 and !~ would be read as one token */
	if (a->prefix)
		return (a->kind == T_MINUS && b->s[0] >= '0' && b->s[0] <= '9') || (a->kind == T_NOT && b->s[0] == '~');
	return true;
}

static uint32_t flat_width(const struct fmt_expr *e, size_t lo, size_t hi, uint32_t enough)
{
	uint32_t w = 0;

	for (size_t i = lo; i < hi && w <= enough; i++)
		w += e->v[i].width + (i > lo && space_between(&e->v[i - 1], &e->v[i]));
	return w;
}

void fmt_expr_put_line(const struct fmt_expr *e, struct buf *out)
{
	for (size_t i = 0; i < e->n; i++) {
		if (i && space_between(&e->v[i - 1], &e->v[i]))
			buf_putc(out, ' ');
		buf_put(out, e->v[i].s, e->v[i].len);
	}
}

/* ---- lines ------------------------------------------------------------------------------------------------------- */

static void put_blanks(struct fmt_expr *e, uint32_t n)
{
	buf_putc(e->out, '\n');
	for (uint32_t i = 0; i < e->indent + n; i++)
		buf_putc(e->out, ' ');
	e->col = n;
}

/* Comments that wait go behind the line, or below it where they had a line of their own. */
static void put_pending(struct fmt_expr *e, uint32_t indent)
{
	for (size_t i = 0; i < e->npending; i++) {
		if (i || e->pending[i]->own_line)
			put_blanks(e, indent);
		else
			buf_puts(e->out, "  ");
		buf_put(e->out, e->pending[i]->s, e->pending[i]->len);
	}
	e->npending = 0;
}

static void new_line(struct fmt_expr *e, uint32_t indent)
{
	put_pending(e, indent);
	put_blanks(e, indent);
	e->line_begins = true;
}

static void wait_for_line(struct fmt_expr *e, const struct note *n)
{
	const struct note **slot = ARENA_PUSH(e->arena, e->pending, e->npending);

	if (slot)
		*slot = n;
	else
		e->out->error = -ENOMEM;
}

/* What stands before piece i. Those behind the piece before on its line were taken with that one. */
static void put_notes(struct fmt_expr *e, size_t i)
{
	struct piece *p = &e->v[i];

	for (size_t k = 0; k < p->nnotes; k++) {
		if (e->line_begins && !e->npending) {
			uint32_t indent = e->col;

			buf_put(e->out, p->notes[k].s, p->notes[k].len);
			put_blanks(e, indent);
		} else {
			wait_for_line(e, &p->notes[k]);
		}
	}
	p->nnotes = 0;
}

static void put_piece(struct fmt_expr *e, size_t i)
{
	struct piece *p = &e->v[i], *next = p + 1;

	put_notes(e, i);
	if (!e->line_begins && i && space_between(p - 1, p)) {
		buf_putc(e->out, ' ');
		e->col++;
	}
	e->line_begins = false;
	buf_put(e->out, p->s, p->len);
	e->col += p->width;
	while (next->nnotes && !next->notes[0].own_line) {
		wait_for_line(e, next->notes++);
		next->nnotes--;
	}
}

static bool notes_within(const struct fmt_expr *e, size_t lo, size_t hi)
{
	for (size_t i = lo; i < hi; i++)
		if (e->v[i].nnotes)
			return true;
	return false;
}

/* @tail: characters that have to stand behind it on its line. */
static bool fits(const struct fmt_expr *e, size_t lo, size_t hi, uint32_t tail)
{
	return !notes_within(e, lo, hi) &&
	       e->col + 1 + flat_width(e, lo, hi, e->width) + tail <= e->width + e->line_begins;
}

static void put_flat(struct fmt_expr *e, size_t lo, size_t hi)
{
	for (size_t i = lo; i < hi; i++)
		put_piece(e, i);
}

/* Behind the piece: a closing bracket and operators that must not go to the next line. */
static uint32_t tail_of(const struct fmt_expr *e, size_t i)
{
	uint32_t n = 0;

	for (; i <= e->n; i++) {
		enum lex_kind k = e->v[i].kind;

		if (k == T_AND || k == T_OR)
			return n + 3;
		if (k != T_RPAREN && k != T_COMMA)
			return n;
		n++;
	}
	return n;
}

static void put_list(struct fmt_expr *e, size_t lo, uint32_t indent)
{
	size_t hi = e->v[lo].match;
	bool notes = notes_within(e, lo + 1, hi + 1), begins = e->line_begins;
	uint32_t hang;

	put_piece(e, lo);
	notes = notes || e->npending;
	hang = begins || e->col <= indent + 4 ? e->col : indent + FMT_INDENT;
	for (size_t i = lo + 1; i < hi; i += 2) {
		bool last = i + 1 == hi;
		uint32_t need = 1 + e->v[i].width + 1 + (last ? tail_of(e, hi + 1) : 0);

		if (i > lo + 1 && (notes || e->col + need > e->width))
			new_line(e, hang);
		put_piece(e, i);
		if (!last)
			put_piece(e, i + 1);
	}
	put_piece(e, hi);
}

static void put_range(struct fmt_expr *e, size_t lo, size_t hi, uint32_t indent);

/* A comparison, or whatever else has no && and || outside of parentheses. */
static void put_item(struct fmt_expr *e, size_t lo, size_t hi, uint32_t indent)
{
	for (size_t i = lo; i < hi; i++) {
		if (e->v[i].kind == T_LPAREN && e->v[i].match) {
			put_piece(e, i);
			put_range(e, i + 1, e->v[i].match, e->col);
			i = e->v[i].match;
			put_piece(e, i);
		} else if (e->v[i].kind == T_LBRACKET && e->v[i].match) {
			put_list(e, i, indent);
			i = e->v[i].match;
		} else {
			put_piece(e, i);
		}
	}
}

/* The next && or || outside of brackets, or hi. */
static size_t find_logic(const struct fmt_expr *e, size_t lo, size_t hi)
{
	size_t i = lo;

	while (i < hi && e->v[i].kind != T_AND && e->v[i].kind != T_OR)
		i = e->v[i].match > i ? e->v[i].match + 1 : i + 1;
	return i < hi ? i : hi;
}

static void put_range(struct fmt_expr *e, size_t lo, size_t hi, uint32_t indent)
{
	size_t op;

	if (e->line_begins)
		put_notes(e, lo);
	/* the conditions of a rule that takes several lines have one each */
	if ((lo > 0 || hi < e->n || find_logic(e, lo, hi) == hi) && fits(e, lo, hi, tail_of(e, hi))) {
		put_flat(e, lo, hi);
		return;
	}
	for (; (op = find_logic(e, lo, hi)) < hi; lo = op + 1) {
		if (e->line_begins)
			put_notes(e, lo);
		if (fits(e, lo, op, 3))
			put_flat(e, lo, op);
		else
			put_item(e, lo, op, indent);
		put_piece(e, op);
		new_line(e, indent);
	}
	put_item(e, lo, hi, indent);
}

bool fmt_expr_has_logic(const struct fmt_expr *e)
{
	return find_logic(e, 0, e->n) < e->n;
}

void fmt_expr_put_lines(struct fmt_expr *e, uint32_t indent, uint32_t width, struct buf *out)
{
	e->out = out;
	e->indent = indent;
	e->width = width > indent ? width - indent : 1;
	e->col = 0;
	e->npending = 0;
	e->line_begins = true;
	put_range(e, 0, e->n, 0);
	put_notes(e, e->n);
	put_pending(e, 0);
}

/* ---- comparing --------------------------------------------------------------------------------------------------- */

/* "==" before a pattern or regular expression is "=~", and "=~" before a string makes it a pattern. */
static uint8_t canonical_op(const struct ast *a)
{
	bool pattern = a->kind == AST_COMPARE && (a->b->kind == AST_PATTERN || a->b->kind == AST_REGEX);

	if (pattern && a->op == AST_OP_EQ)
		return AST_OP_MATCH;
	if (pattern && a->op == AST_OP_NE)
		return AST_OP_NMATCH;
	return a->op;
}

static bool ast_same(const struct ast *a, const struct ast *b, bool match);

static bool same_items(const struct ast *a, const struct ast *b)
{
	if (a->n != b->n || (a->kind == AST_CHAIN && memcmp(a->ops, b->ops, a->n - 1) != 0))
		return false;
	for (uint32_t i = 0; i < a->n; i++)
		if (!ast_same(a->items[i], b->items[i], false))
			return false;
	return true;
}

/* @match: right side of =~, where a string is a pattern. */
static bool ast_same(const struct ast *a, const struct ast *b, bool match)
{
	uint8_t ka = match && a->kind == AST_STR ? AST_PATTERN : a->kind;
	uint8_t kb = match && b->kind == AST_STR ? AST_PATTERN : b->kind;
	uint8_t op = canonical_op(a);

	if (ka != kb || op != canonical_op(b))
		return false;
	switch (a->kind) {
	case AST_CHAIN:
	case AST_LIST:
		return same_items(a, b);
	case AST_COMPARE:
		match = op == AST_OP_MATCH || op == AST_OP_NMATCH;
		return ast_same(a->a, b->a, false) && ast_same(a->b, b->b, match);
	case AST_IN:
	case AST_BINARY:
		return ast_same(a->a, b->a, false) && ast_same(a->b, b->b, false);
	case AST_UNARY:
		return ast_same(a->a, b->a, false);
	case AST_INT:
	case AST_DURATION:
		return a->num == b->num;
	case AST_IP:
		return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
	default:
		return a->slen == b->slen && memcmp(a->s, b->s, a->slen) == 0;
	}
}

/* The next comment from piece *i, note *k on, or NULL. */
static const struct note *next_note(const struct fmt_expr *e, size_t *i, size_t *k)
{
	for (; *i <= e->n; (*i)++, *k = 0)
		if (*k < e->v[*i].nnotes)
			return &e->v[*i].notes[(*k)++];
	return NULL;
}

bool fmt_expr_same(const struct fmt_expr *a, const struct fmt_expr *b)
{
	size_t i = 0, k = 0, j = 0, m = 0;

	if (!ast_same(a->ast, b->ast, false))
		return false;
	for (;;) {
		const struct note *x = next_note(a, &i, &k), *y = next_note(b, &j, &m);

		if (!x || !y)
			return x == y;
		if (x->len != y->len || memcmp(x->s, y->s, x->len) != 0)
			return false;
	}
}
