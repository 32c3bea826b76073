/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/checkpoint.h"
#include "lib/b64.h"

#include <inttypes.h>

#define CHECKPOINT_DASH "\xe2\x80\x94 " /* an em dash and a space begin a note's signature line */

/* ---- writing ---- */

static void checkpoint_put_b64(struct buf *b, const void *p, size_t n)
{
	b64_encode(b, p, n);
	buf_putc(b, '\n');
}

static void checkpoint_text(const struct checkpoint *c, struct buf *b)
{
	buf_printf(b, "%s/%" PRIu64 "\n%" PRIu64 "\n", c->name, c->segment, c->size);
	checkpoint_put_b64(b, c->root, HASH_SIZE);
	buf_printf(b, "seq %" PRIu64 "\ntime %s\n", c->seq, c->time);
	if (c->prev_segment) {
		buf_printf(b, "prev %" PRIu64 " %" PRIu64 " ", c->prev_segment, c->prev_size);
		checkpoint_put_b64(b, c->prev_root, HASH_SIZE);
	}
	if (c->chained) {
		buf_puts(b, "chain ");
		checkpoint_put_b64(b, c->chain, HASH_SIZE);
	}
}

static void checkpoint_signature(struct buf *b, const char *name, const uint8_t *key_hash, const uint8_t *sig, size_t n)
{
	uint8_t blob[4 + SIG_MAX];

	memcpy(blob, key_hash, 4);
	memcpy(blob + 4, sig, n);
	buf_printf(b, "\n" CHECKPOINT_DASH "%s ", name);
	checkpoint_put_b64(b, blob, 4 + n);
}

int checkpoint_sign(const struct checkpoint *c, struct sig_key *key, struct buf *ret)
{
	uint8_t digest[HASH_SIZE], sig[SIG_MAX];
	size_t from = ret->len, n;
	int r;

	checkpoint_text(c, ret);
	if (buf_error(ret))
		return buf_error(ret);
	hash_sha256(ret->data + from, ret->len - from, digest);
	r = sig_sign(key, digest, sig, &n);
	if (r < 0)
		return r;
	checkpoint_signature(ret, c->name, sig_key_hash(key), sig, n);
	return buf_error(ret);
}

/* ---- reading ----
 * The readers below are lenient, because the whole is rendered again and compared.
 */

/* The bytes up to the next `end`, which is passed over. */
static int checkpoint_until(struct rd *r, char end, struct line_str *ret)
{
	const uint8_t *stop = r->left ? memchr(r->p, end, r->left) : NULL;

	if (!stop)
		return -EBADMSG;
	*ret = (struct line_str){ (const char *)r->p, (size_t)(stop - r->p) };
	return rd_skip(r, ret->n + 1);
}

static int checkpoint_number(struct rd *r, char end, uint64_t *ret)
{
	struct line_str s;

	return checkpoint_until(r, end, &s) < 0 ? -EBADMSG : line_value_u64(s, ret);
}

static int checkpoint_digest(struct rd *r, uint8_t ret[HASH_SIZE])
{
	struct line_str s;
	size_t n;

	if (checkpoint_until(r, '\n', &s) < 0 || b64_decode(s.p, s.n, ret, HASH_SIZE, &n) < 0 || n != HASH_SIZE)
		return -EBADMSG;
	return 0;
}

static bool checkpoint_word(struct rd *r, const char *word)
{
	size_t n = strlen(word);

	return r->left >= n && !memcmp(r->p, word, n) && rd_skip(r, n) == 0;
}

static int checkpoint_origin(struct rd *r, struct checkpoint *c)
{
	struct line_str s;
	const char *slash;
	size_t n;

	if (checkpoint_until(r, '\n', &s) < 0)
		return -EBADMSG;
	slash = memrchr(s.p, '/', s.n);
	n = slash ? (size_t)(slash - s.p) : 0;
	if (!n || n >= sizeof(c->name) || memchr(s.p, '\0', s.n))
		return -EBADMSG;
	memcpy(c->name, s.p, n);
	c->name[n] = '\0';
	return line_value_u64((struct line_str){ slash + 1, s.n - n - 1 }, &c->segment);
}

static int checkpoint_extensions(struct rd *r, struct checkpoint *c)
{
	struct line_str s;

	if (!checkpoint_word(r, "seq ") || checkpoint_number(r, '\n', &c->seq) < 0)
		return -EBADMSG;
	if (!checkpoint_word(r, "time ") || checkpoint_until(r, '\n', &s) < 0 || s.n >= sizeof(c->time))
		return -EBADMSG;
	memcpy(c->time, s.p, s.n);
	if (checkpoint_word(r, "prev ") &&
	    (checkpoint_number(r, ' ', &c->prev_segment) < 0 || checkpoint_number(r, ' ', &c->prev_size) < 0 ||
	     checkpoint_digest(r, c->prev_root) < 0))
		return -EBADMSG;
	c->chained = checkpoint_word(r, "chain ");
	return c->chained ? checkpoint_digest(r, c->chain) : 0;
}

static int checkpoint_take_signature(struct rd *r, struct checkpoint_note *n)
{
	uint8_t blob[4 + SIG_MAX];
	struct line_str name, sig;
	size_t len;

	if (!checkpoint_word(r, "\n" CHECKPOINT_DASH) || checkpoint_until(r, ' ', &name) < 0 ||
	    checkpoint_until(r, '\n', &sig) < 0 || b64_decode(sig.p, sig.n, blob, sizeof(blob), &len) < 0 || len < 4)
		return -EBADMSG;
	memcpy(n->key_hash, blob, 4);
	n->sig_len = len - 4;
	memcpy(n->sig, blob + 4, n->sig_len);
	/* DER tells its own length: nothing of the next note may pass for the end of this one's signature. */
	return n->sig_len >= 2 && n->sig[0] == 0x30 && n->sig[1] + 2u == n->sig_len ? 0 : -EBADMSG;
}

static bool checkpoint_same(const struct checkpoint_note *n)
{
	struct buf b __attribute__((cleanup(buf_done)));

	buf_init(&b, 2 * CHECKPOINT_NOTE_MAX);
	checkpoint_text(&n->c, &b);
	checkpoint_signature(&b, n->c.name, n->key_hash, n->sig, n->sig_len);
	return !buf_error(&b) && b.len == n->len && !memcmp(b.data, n->p, b.len);
}

int checkpoint_next(struct rd *r, struct checkpoint_note *ret, struct err *e)
{
	struct rd at = rd_of(r->p, r->left < CHECKPOINT_NOTE_MAX ? r->left : CHECKPOINT_NOTE_MAX);
	struct checkpoint_note n = { .p = r->p };

	if (checkpoint_origin(&at, &n.c) < 0 || checkpoint_number(&at, '\n', &n.c.size) < 0 ||
	    checkpoint_digest(&at, n.c.root) < 0)
		return err_set(e, -EBADMSG, "the checkpoint's origin, size or root is malformed");
	if (checkpoint_extensions(&at, &n.c) < 0)
		return err_set(e, -EBADMSG, "a line of the checkpoint (seq, time, prev, chain) is malformed");
	n.text_len = (size_t)(at.p - n.p);
	if (checkpoint_take_signature(&at, &n) < 0)
		return err_set(e, -EBADMSG, "the checkpoint's signature line is malformed");
	n.len = (size_t)(at.p - n.p);
	if (!checkpoint_same(&n))
		return err_set(e, -EBADMSG, "the checkpoint is not in its one canonical spelling");
	*ret = n;
	return rd_skip(r, n.len);
}

int checkpoint_verify(const struct checkpoint_note *n, struct sig_key *key, struct err *e)
{
	uint8_t digest[HASH_SIZE];

	if (memcmp(n->key_hash, sig_key_hash(key), 4))
		return err_set(e, -EBADMSG, "the checkpoint is signed by another key than %s", sig_key_id(key));
	hash_sha256(n->p, n->text_len, digest);
	if (sig_verify(key, digest, n->sig, n->sig_len) < 0)
		return err_set(e, -EBADMSG, "the checkpoint's signature is not that of key %s", sig_key_id(key));
	return 0;
}

void checkpoint_hash(const struct checkpoint_note *n, uint8_t ret[HASH_SIZE])
{
	hash_sha256(n->p, n->len, ret);
}
