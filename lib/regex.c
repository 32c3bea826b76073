/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/regex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/jsonw.h"
#include "lib/regex_ast.h"

/*
 * The tree is written out to a non-deterministic automaton of instructions. A state of the deterministic one is a set of
 * instructions, taken before the assertions in it are decided (whether "$" holds depends on the character that follows),
 * together with what the character before was. Characters fall into classes: runs of characters that no instruction tells
 * apart. One more class stands for the end of the text.
 */

enum inst_op { I_CLASS, I_SPLIT, I_ASSERT, I_MATCH };

struct inst {
	uint8_t op;	       /* enum inst_op */
	uint8_t assert;	       /* enum re_assert */
	uint16_t out;	       /* where it goes on; SPLIT: the first of two */
	uint16_t out2;	       /* SPLIT */
	uint32_t first, count; /* CLASS: of cranges[] */
};

/* Classes of characters, both included. */
struct crange {
	uint16_t lo, hi;
};

enum dfa { DFA_UNKNOWN, DFA_DEAD, DFA_MATCH, DFA_FIRST };
enum before { B_TEXT = 1 << 0, B_NEWLINE = 1 << 1, B_WORD = 1 << 2 }; /* what comes before a state */

struct dstate {
	uint32_t first; /* into pool[] */
	uint16_t count;
	uint16_t before; /* enum before */
};

/* Instructions, each once, in order of arrival. */
struct set {
	uint16_t *dense, *sparse;
	uint32_t n;
};

struct regex {
	struct inst *insts; /* owned */
	uint32_t ninsts;
	uint16_t start;
	bool has_assert;
	struct crange *cranges; /* owned */
	uint32_t *class_first;	/* owned; first character of each class, ascending */
	uint32_t nclasses;	/* the end of the text is class number nclasses */
	uint16_t ascii[128];
	uint8_t *class_before; /* owned; enum before that characters of the class leave */

	/* the deterministic automaton; empty it and it fills again */
	struct dstate *states; /* owned */
	uint32_t nstates, states_max;
	uint32_t flushes;     /* how often it was emptied */
	uint16_t first_state; /* where a text begins; DFA_UNKNOWN once it was forgotten */
	uint16_t *rows;	      /* owned; a row of nclasses + 1 for each state: enum dfa or a state */
	uint16_t *pool;	      /* owned; the states' sets */
	uint32_t npool, pool_max;
	uint16_t *table; /* owned; hash table of states */
	uint32_t table_mask;

	struct set now, next;
	uint16_t *stack; /* owned; room for every instruction twice */
};

#define CLASSES_MAX 4096
#define ROWS_BYTES  (32 << 10)
#define STATES_MIN  32
#define STATES_MAX  512
#define POOL_MIN    2048
#define STEPS_MAX   (1 << 20) /* of writing out: repetitions of nothing make no instructions */

/* ---- classes of characters ----------------------------------------------------------------------------------------- */

static int u32_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint16_t class_of(const struct regex *re, uint32_t c)
{
	uint32_t lo = 0, hi = re->nclasses;

	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (re->class_first[mid] <= c)
			lo = mid;
		else
			hi = mid;
	}
	return (uint16_t)lo;
}

static uint8_t before_of(uint32_t c)
{
	bool word = c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

	return (c == '\n' ? B_NEWLINE : 0) | (word ? B_WORD : 0);
}

static bool uses_asserts(const struct re_tree *t)
{
	for (uint32_t i = 0; i < t->nnodes; i++)
		if (t->nodes[i].op == RE_ASSERT)
			return true;
	return false;
}

static int classes_make(struct regex *re, const struct re_tree *t, struct err *err)
{
	static const uint32_t for_asserts[] = {
		'\n', '\n' + 1, '0', '9' + 1, 'A', 'Z' + 1, '_', '_' + 1, 'a', 'z' + 1
	};
	uint32_t n = 0, out = 0;
	uint32_t *c = malloc((1 + 2 * (size_t)t->nranges + 10) * sizeof(*c));

	if (!c)
		return err_set(err, -ENOMEM, "out of memory");
	re->class_first = c;
	c[n++] = 0;
	for (uint32_t i = 0; i < t->nranges; i++) {
		c[n++] = t->ranges[i].lo;
		if (t->ranges[i].hi < RE_CHAR_MAX)
			c[n++] = t->ranges[i].hi + 1;
	}
	re->has_assert = uses_asserts(t);
	if (re->has_assert) {
		memcpy(c + n, for_asserts, sizeof(for_asserts));
		n += 10;
	}
	qsort(c, n, sizeof(*c), u32_cmp);
	for (uint32_t i = 0; i < n; i++)
		if (i == 0 || c[i] != c[out - 1])
			c[out++] = c[i];
	if (out > CLASSES_MAX)
		return err_set(err, -EINVAL, "too many different characters in one expression");
	re->nclasses = out;
	for (unsigned i = 0; i < 128; i++)
		re->ascii[i] = class_of(re, i);
	re->class_before = calloc(out + 1, 1);
	if (!re->class_before)
		return err_set(err, -ENOMEM, "out of memory");
	for (uint32_t i = 0; re->has_assert && i < out; i++)
		re->class_before[i] = before_of(c[i]);
	return 0;
}

static int cranges_make(struct regex *re, const struct re_tree *t)
{
	re->cranges = malloc((t->nranges + 1) * sizeof(*re->cranges));
	if (!re->cranges)
		return -ENOMEM;
	for (uint32_t i = 0; i < t->nranges; i++)
		re->cranges[i] = (struct crange){ class_of(re, t->ranges[i].lo), class_of(re, t->ranges[i].hi) };
	return 0;
}

/* ---- instructions -------------------------------------------------------------------------------------------------- */

struct writer {
	struct regex *re;
	const struct re_tree *t;
	uint32_t steps;
	bool too_large;
};

/* Once too_large is set, everything that is written is thrown away; so callers need not look at each step. */
static uint16_t inst_add(struct writer *w, struct inst in)
{
	if (w->re->ninsts >= REGEX_INSTS_MAX) {
		w->too_large = true;
		return 0;
	}
	w->re->insts[w->re->ninsts] = in;
	return (uint16_t)w->re->ninsts++;
}

static uint16_t split_add(struct writer *w, uint16_t a, uint16_t b)
{
	return inst_add(w, (struct inst){ .op = I_SPLIT, .out = a, .out2 = b });
}

static uint16_t write_node(struct writer *w, uint32_t node, uint16_t next);

static uint16_t write_alt(struct writer *w, const struct re_node *n, uint16_t next)
{
	uint16_t at = 0;
	bool first = true;

	for (uint32_t c = n->last; c != RE_NONE && !w->too_large; c = w->t->nodes[c].prev) {
		uint16_t start = write_node(w, c, next);

		at = first ? start : split_add(w, start, at);
		first = false;
	}
	return at;
}

static uint16_t write_repeat(struct writer *w, const struct re_node *n, uint16_t next)
{
	uint16_t at = next;

	if (n->b == RE_UNBOUNDED) {
		at = split_add(w, next, next);
		uint16_t body = write_node(w, n->last, at);

		w->re->insts[at].out = body;
	} else {
		for (uint32_t i = n->a; i < n->b && !w->too_large; i++)
			at = split_add(w, write_node(w, n->last, at), next);
	}
	for (uint32_t i = 0; i < n->a && !w->too_large; i++)
		at = write_node(w, n->last, at);
	return at;
}

/* Writes what matches @node and then goes on at @next; returns where it begins. */
static uint16_t write_node(struct writer *w, uint32_t node, uint16_t next)
{
	const struct re_node *n = &w->t->nodes[node];

	if (++w->steps > STEPS_MAX)
		w->too_large = true;
	if (w->too_large)
		return 0;
	switch (n->op) {
	case RE_CLASS:
		return inst_add(w, (struct inst){ .op = I_CLASS, .out = next, .first = n->a, .count = n->b });
	case RE_ASSERT:
		return inst_add(w, (struct inst){ .op = I_ASSERT, .assert = n->assert, .out = next });
	case RE_CAT:
		for (uint32_t c = n->last; c != RE_NONE; c = w->t->nodes[c].prev)
			next = write_node(w, c, next);
		return next;
	case RE_ALT:
		return write_alt(w, n, next);
	case RE_REPEAT:
		return write_repeat(w, n, next);
	default:
		return next;
	}
}

static int insts_make(struct regex *re, const struct re_tree *t, struct err *err)
{
	struct writer w = { .re = re, .t = t };
	struct inst *fit;
	uint16_t match;

	re->insts = calloc(REGEX_INSTS_MAX, sizeof(*re->insts));
	if (!re->insts)
		return err_set(err, -ENOMEM, "out of memory");
	match = inst_add(&w, (struct inst){ .op = I_MATCH });
	re->start = write_node(&w, t->root, match);
	if (w.too_large)
		return err_set(err, -EINVAL,
			       "the expression is too large: more than %d steps once its repetitions are written out",
			       REGEX_INSTS_MAX);
	fit = realloc(re->insts, re->ninsts * sizeof(*re->insts));
	if (fit)
		re->insts = fit;
	return 0;
}

/* ---- sets of instructions ------------------------------------------------------------------------------------------ */

static bool set_has(const struct set *s, uint16_t i)
{
	return s->sparse[i] < s->n && s->dense[s->sparse[i]] == i;
}

static void set_put(struct set *s, uint16_t i)
{
	s->sparse[i] = (uint16_t)s->n;
	s->dense[s->n++] = i;
}

/* Whether the assertion holds between what was before and what is next; @end: nothing is. */
static bool holds(uint8_t assert, unsigned before, unsigned next, bool end)
{
	switch (assert) {
	case RE_BEGIN_TEXT:
		return before & B_TEXT;
	case RE_END_TEXT:
		return end;
	case RE_BEGIN_LINE:
		return before & (B_TEXT | B_NEWLINE);
	case RE_END_LINE:
		return end || (next & B_NEWLINE);
	default:
		return (!(before & B_WORD) != !(next & B_WORD)) == (assert == RE_WORD);
	}
}

struct place {
	unsigned before, next; /* enum before */
	bool end;
};

/*
 * Adds @i and all that is reached from it without a character. Without a @place assertions stay in the set undecided.
 * An instruction is pushed at most once for each way into it, and there are at most two ways out of each.
 */
static void add_closure(struct regex *re, struct set *s, uint16_t i, const struct place *place)
{
	uint32_t n = 0;

	re->stack[n++] = i;
	while (n) {
		const struct inst *in;

		i = re->stack[--n];
		if (set_has(s, i))
			continue;
		set_put(s, i);
		in = &re->insts[i];
		if (in->op == I_SPLIT) {
			re->stack[n++] = in->out2;
			re->stack[n++] = in->out;
		} else if (in->op == I_ASSERT && place && holds(in->assert, place->before, place->next, place->end)) {
			re->stack[n++] = in->out;
		}
	}
}

/* What a state keeps: no splits, they were followed; of assertions only those that can still hold. */
static uint32_t set_trim(const struct regex *re, struct set *s, unsigned before)
{
	uint32_t n = 0;

	for (uint32_t k = 0; k < s->n; k++) {
		const struct inst *in = &re->insts[s->dense[k]];

		if (in->op == I_SPLIT || (in->op == I_ASSERT && in->assert == RE_BEGIN_TEXT && !(before & B_TEXT)))
			continue;
		s->dense[n++] = s->dense[k];
	}
	return n;
}

/* ---- the deterministic automaton ----------------------------------------------------------------------------------- */

static void dfa_flush(struct regex *re)
{
	re->nstates = DFA_FIRST;
	re->npool = 0;
	re->first_state = DFA_UNKNOWN;
	re->flushes++;
	memset(re->table, 0, (re->table_mask + 1) * sizeof(*re->table));
}

static int u16_cmp(const void *a, const void *b)
{
	return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static uint32_t set_hash(const uint16_t *v, uint32_t n, unsigned before)
{
	uint32_t h = 2166136261u ^ before;

	for (uint32_t i = 0; i < n; i++)
		h = (h ^ v[i]) * 16777619u;
	return h ^ h >> 15;
}

/* The state of the instructions in v (sorted); makes it where it is new, after forgetting all others where there is no room. */
static uint16_t state_find(struct regex *re, const uint16_t *v, uint32_t n, unsigned before)
{
	uint32_t hash = set_hash(v, n, before), at, stride = re->nclasses + 1;
	struct dstate *d;

	for (at = hash & re->table_mask; re->table[at]; at = (at + 1) & re->table_mask) {
		d = &re->states[re->table[at]];
		if (d->count == n && d->before == before && memcmp(re->pool + d->first, v, n * sizeof(*v)) == 0)
			return re->table[at];
	}
	if (re->nstates >= re->states_max || re->npool + n > re->pool_max) {
		dfa_flush(re);
		at = hash & re->table_mask;
	}
	d = &re->states[re->nstates];
	*d = (struct dstate){ .first = re->npool, .count = (uint16_t)n, .before = (uint16_t)before };
	memcpy(re->pool + re->npool, v, n * sizeof(*v));
	re->npool += n;
	memset(re->rows + (size_t)re->nstates * stride, 0, stride * sizeof(*re->rows));
	re->table[at] = (uint16_t)re->nstates;
	return (uint16_t)re->nstates++;
}

/* The state of what is in re->next. */
static uint16_t state_of_next(struct regex *re, unsigned before)
{
	uint32_t n;

	/* The match is instruction 0. */
	if (set_has(&re->next, 0))
		return DFA_MATCH;
	n = set_trim(re, &re->next, before);
	if (n == 0)
		return DFA_DEAD;
	qsort(re->next.dense, n, sizeof(re->next.dense[0]), u16_cmp);
	return state_find(re, re->next.dense, n, before);
}

static uint16_t start_state(struct regex *re)
{
	uint16_t st;

	if (re->first_state != DFA_UNKNOWN)
		return re->first_state;
	re->next.n = 0;
	add_closure(re, &re->next, re->start, NULL);
	st = state_of_next(re, re->has_assert ? B_TEXT : 0);
	re->first_state = st;
	return st;
}

static bool takes_class(const struct regex *re, const struct inst *in, uint32_t class)
{
	for (uint32_t i = in->first; i < in->first + in->count; i++)
		if (class >= re->cranges[i].lo && class <= re->cranges[i].hi)
			return true;
	return false;
}

/* Where state @st goes with a character of that class. Not remembered where making the new state forgot @st. */
static uint16_t step(struct regex *re, uint16_t st, uint32_t class)
{
	struct dstate d = re->states[st];
	bool end = class == re->nclasses;
	unsigned before = end ? 0 : re->class_before[class];
	struct place place = { d.before, before, end };
	uint32_t flushes = re->flushes;
	uint16_t to;

	re->now.n = 0;
	for (uint32_t i = 0; i < d.count; i++)
		add_closure(re, &re->now, re->pool[d.first + i], &place);
	re->next.n = 0;
	if (set_has(&re->now, 0)) {
		to = DFA_MATCH;
	} else if (end) {
		to = DFA_DEAD;
	} else {
		for (uint32_t i = 0; i < re->now.n; i++) {
			const struct inst *in = &re->insts[re->now.dense[i]];

			if (in->op == I_CLASS && takes_class(re, in, class))
				add_closure(re, &re->next, in->out, NULL);
		}
		/* A match may begin here too. */
		add_closure(re, &re->next, re->start, NULL);
		to = state_of_next(re, before);
	}
	if (re->flushes == flushes)
		re->rows[(size_t)st * (re->nclasses + 1) + class] = to;
	return to;
}

/* The class of the character at s that is not ASCII; *ret_width its bytes. */
static uint32_t class_at(const struct regex *re, const unsigned char *s, size_t left, size_t *ret_width)
{
	static const unsigned char lead[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	size_t n = jsonw_utf8_len(s, left);
	uint32_t c;

	if (n == 0) {
		*ret_width = 1;
		return class_of(re, 0xfffd);
	}
	c = s[0] & lead[n];
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (s[i] & 0x3f);
	*ret_width = n;
	return class_of(re, c);
}

bool regex_match(struct regex *re, const char *s, size_t len)
{
	size_t stride = re->nclasses + 1;
	uint16_t st = start_state(re), to;

	for (size_t i = 0, width; i < len && st >= DFA_FIRST; i += width, st = to) {
		unsigned char b = (unsigned char)s[i];
		uint32_t class;

		width = 1;
		class = b < 128 ? re->ascii[b] : class_at(re, (const unsigned char *)s + i, len - i, &width);
		to = re->rows[st * stride + class];
		if (to == DFA_UNKNOWN)
			to = step(re, st, class);
	}
	if (st >= DFA_FIRST) {
		to = re->rows[st * stride + re->nclasses];
		st = to != DFA_UNKNOWN ? to : step(re, st, re->nclasses);
	}
	return st == DFA_MATCH;
}

/* ---- making one ---------------------------------------------------------------------------------------------------- */

static uint32_t clamp(uint32_t v, uint32_t lo, uint32_t hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

static int set_new(struct set *s, uint32_t n)
{
	s->dense = calloc(2 * (size_t)n, sizeof(*s->dense));
	s->sparse = s->dense ? s->dense + n : NULL;
	return s->dense ? 0 : -ENOMEM;
}

static int dfa_new(struct regex *re)
{
	size_t stride = re->nclasses + 1;
	uint32_t table = 64;

	re->states_max = clamp((uint32_t)(ROWS_BYTES / (stride * sizeof(*re->rows))), STATES_MIN, STATES_MAX);
	re->pool_max = clamp(re->ninsts * 8, POOL_MIN, UINT32_MAX);
	while (table < 2 * re->states_max)
		table *= 2;
	re->table_mask = table - 1;
	re->states = calloc(re->states_max, sizeof(*re->states));
	re->rows = calloc(re->states_max * stride, sizeof(*re->rows));
	re->pool = calloc(re->pool_max, sizeof(*re->pool));
	re->table = calloc(table, sizeof(*re->table));
	re->stack = calloc(2 * (size_t)re->ninsts + 2, sizeof(*re->stack));
	if (!re->states || !re->rows || !re->pool || !re->table || !re->stack)
		return -ENOMEM;
	if (set_new(&re->now, re->ninsts) < 0 || set_new(&re->next, re->ninsts) < 0)
		return -ENOMEM;
	re->nstates = DFA_FIRST;
	return 0;
}

static int make(struct regex *re, const struct re_tree *t, struct err *err)
{
	int r = classes_make(re, t, err);

	if (r == 0)
		r = insts_make(re, t, err);
	if (r < 0)
		return r;
	if (cranges_make(re, t) < 0 || dfa_new(re) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

int regex_new(const char *pattern, size_t len, bool icase, struct regex **ret, struct err *err)
{
	_cleanup_(regex_free) struct regex *re = calloc(1, sizeof(*re));
	struct re_tree t;
	int r;

	if (!re)
		return err_set(err, -ENOMEM, "out of memory");
	r = re_parse(pattern, len, icase, &t, err);
	if (r < 0)
		return r;
	r = make(re, &t, err);
	re_tree_done(&t);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(re);
	return 0;
}

void regex_free(struct regex *re)
{
	if (!re)
		return;
	free(re->insts);
	free(re->cranges);
	free(re->class_first);
	free(re->class_before);
	free(re->states);
	free(re->rows);
	free(re->pool);
	free(re->table);
	free(re->now.dense);
	free(re->next.dense);
	free(re->stack);
	free(re);
}
