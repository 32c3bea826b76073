/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/verify.h"
#include "lib/b64.h"
#include "lib/cleanup.h"
#include "sensor/record/ahead.h"
#include "sensor/record/epoch.h"
#include "sensor/record/prove.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <time.h>

/* Functions below return 0: good so far; VERIFY_BAD: the report names a place; or a negative errno. */
#define VERIFY_BAD 1

struct verifier {
	int dir_fd;
	struct sig_key *key; /* borrowed: of the present segment */
	struct sig_key *epoch_key,
		*next_key; /* owned: key where it is not the caller's; what an `epoch` record names */
	bool turned;	   /* key is not that of the segment before */
	struct verify_options o;
	struct verify_report *rep;
	struct err *e;

	struct buf head_text;
	struct checkpoint_note head;
	bool head_found; /* among the checkpoints seen */
	bool witness_found;

	/* how the segment before ended */
	uint64_t prev_segment, prev_size;
	merkle_hash prev_root;
	uint8_t prev_note[HASH_SIZE];
	uint64_t end_byte, end_record; /* of the last segment, for the place of a truncation */
	bool seq_known;		       /* rep->last_seq is that of the segment before */
	uint64_t prune_told;	       /* the last segment that a `prune` record names */
	bool may_settle;	       /* the bad place is what a sensor between two writes also leaves */
};

/* One segment while it is looked at. */
struct verify_seg {
	struct ahead_seg in; /* owned */
	char name[SEGMENT_FILES][SEGMENT_NAME_SIZE];
	struct checkpoint_note *notes; /* owned */
	size_t n_notes;
};

static int verify_bad(struct verifier *v, const char *file, uint64_t byte, uint64_t record, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

static int verify_bad(struct verifier *v, const char *file, uint64_t byte, uint64_t record, const char *fmt, ...)
{
	struct verify_report *rep = v->rep;
	va_list ap;

	snprintf(rep->file, sizeof(rep->file), "%s", file);
	rep->byte = byte;
	rep->record = record;
	va_start(ap, fmt);
	vsnprintf(rep->problem, sizeof(rep->problem), fmt, ap);
	va_end(ap);
	return VERIFY_BAD;
}

void verify_place(const struct verify_report *rep, char *ret, size_t size)
{
	if (rep->record)
		snprintf(ret, size, "%s: byte %" PRIu64 " (record %" PRIu64 "): %s", rep->file, rep->byte, rep->record,
			 rep->problem);
	else
		snprintf(ret, size, "%s: byte %" PRIu64 ": %s", rep->file, rep->byte, rep->problem);
}

/* ---- checkpoints ---- */

static int verify_collect_notes(struct verifier *v, struct verify_seg *s)
{
	const struct buf *b = &s->in.ckpt;
	struct rd r = rd_of(b->data, b->len);
	struct err why = { "" };
	size_t cap = 0;

	while (r.left) {
		if (s->n_notes == cap) {
			void *grown;

			cap = cap ? 2 * cap : 16;
			grown = realloc(s->notes, cap * sizeof(*s->notes));
			if (!grown)
				return -ENOMEM;
			s->notes = grown;
		}
		if (checkpoint_next(&r, &s->notes[s->n_notes], &why) < 0) {
			v->may_settle = true;
			return verify_bad(v, s->name[SEGMENT_CKPT], b->len - r.left, 0, "%s", why.msg);
		}
		s->n_notes++;
	}
	v->may_settle = !s->n_notes;
	return s->n_notes ? 0 : verify_bad(v, s->name[SEGMENT_CKPT], 0, 0, "the segment has no checkpoint");
}

static int verify_bad_note(struct verifier *v, const struct verify_seg *s, size_t i, const char *problem)
{
	const struct checkpoint_note *n = &s->notes[i];

	return verify_bad(v, s->name[SEGMENT_CKPT], (uint64_t)(n->p - s->in.ckpt.data), 0, "checkpoint %zu: %s", i + 1,
			  problem);
}

/*
 * The chain line against the note before. Where they differ, one of the two was changed: the one whose signature is
 * bad.
 */
static int verify_chain(struct verifier *v, const struct verify_seg *s, size_t i)
{
	const struct checkpoint_note *n = &s->notes[i];
	uint8_t want[HASH_SIZE];

	if (i == 0 && !v->prev_segment) {
		if (n->c.chained && s->in.number == 1)
			return verify_bad_note(v, s, i, "it names a checkpoint before it, but it is the log's first");
		return 0;
	}
	if (i == 0)
		memcpy(want, v->prev_note, HASH_SIZE);
	else
		checkpoint_hash(&s->notes[i - 1], want);
	if (n->c.chained && !memcmp(n->c.chain, want, HASH_SIZE))
		return 0;
	if (i > 0 && checkpoint_verify(&s->notes[i - 1], v->key, NULL) < 0)
		return verify_bad_note(v, s, i - 1, "it was changed: the checkpoint after it has another hash for it");
	return verify_bad_note(v, s, i, "its chain line is not the hash of the checkpoint before it");
}

static int verify_note(struct verifier *v, const struct verify_seg *s, size_t i)
{
	const struct checkpoint *c = &s->notes[i].c;
	int r;

	if (c->segment != s->in.number)
		return verify_bad_note(v, s, i, "it is another segment's");
	if (v->o.host && (strncmp(c->name, "tamis/", 6) != 0 || strcmp(c->name + 6, v->o.host) != 0))
		return verify_bad_note(v, s, i, "it is of another host than the root is certified for");
	r = verify_chain(v, s, i);
	if (r != 0)
		return r;
	if (!c->size || (i > 0 && c->size < s->notes[i - 1].c.size))
		return verify_bad_note(v, s, i, "its size is smaller than that of the checkpoint before it");
	if (v->prev_segment && (c->prev_segment != v->prev_segment || c->prev_size != v->prev_size ||
				memcmp(c->prev_root, v->prev_root, HASH_SIZE)))
		return verify_bad_note(v, s, i, "its prev line is not how the segment before it ended");
	if (!v->prev_segment && c->prev_segment && s->in.number == 1)
		return verify_bad_note(v, s, i, "it names a segment before the first");
	return 0;
}

static int verify_notes(struct verifier *v, struct verify_seg *s)
{
	struct err why = { "" };
	int r = verify_collect_notes(v, s);

	for (size_t i = 0; r == 0 && i < s->n_notes; i++) {
		const struct checkpoint_note *n = &s->notes[i];

		r = verify_note(v, s, i);
		if (n->len == v->head.len && !memcmp(n->p, v->head.p, n->len))
			v->head_found = true;
		if (v->o.witness && n->len == v->o.witness->len && !memcmp(n->p, v->o.witness->p, n->len))
			v->witness_found = true;
	}
	/* by the chain, the newest signature covers every note before it */
	if (r == 0 && checkpoint_verify(&s->notes[s->n_notes - 1], v->key, &why) < 0)
		r = verify_bad_note(v, s, s->n_notes - 1, why.msg);
	return r;
}

/* ---- records ---- */

static bool verify_same(const merkle_hash *a, size_t n_a, size_t i, const merkle_hash *b, size_t n_b, size_t k)
{
	return i < n_a && k < n_b && !memcmp(a[i], b[k], HASH_SIZE);
}

/* The record at i is not the one that was signed: what happened to it? */
static int verify_bad_record(struct verifier *v, const struct verify_seg *s, size_t i)
{
	const char *what = "the record was changed: it is not the one that was signed";
	size_t lines = s->in.n_lines, stored = s->in.n_stored;

	if (i >= lines && s->in.offsets[lines] < s->in.log_bytes)
		what = "the file ends within this record";
	else if (i >= lines)
		what = "the file ends here, but more records were signed";
	else if (verify_same(s->in.leaves, lines, i, s->in.stored, stored, i + 1) &&
		 verify_same(s->in.leaves, lines, i + 1, s->in.stored, stored, i))
		what = "the record and the one after it have changed places";
	else if (verify_same(s->in.leaves, lines, i, s->in.stored, stored, i + 1))
		what = "a record that was signed is missing here";
	else if (verify_same(s->in.leaves, lines, i + 1, s->in.stored, stored, i))
		what = "a record that was not signed was put in here";
	return verify_bad(v, s->name[SEGMENT_LOG], s->in.offsets[i < lines ? i : lines], i + 1, "%s", what);
}

/* The tree under checkpoint k is not the signed one. The leaf file, where it is good itself, says which record differs.
 */
static int verify_localise(struct verifier *v, const struct verify_seg *s, size_t k)
{
	const struct checkpoint *c = &s->notes[k].c;
	uint64_t from = k ? s->notes[k - 1].c.size : 0;
	merkle_hash root;

	if (s->in.n_stored >= c->size) {
		merkle_root_of(s->in.stored, c->size, root);
		for (size_t i = 0; !memcmp(root, c->root, HASH_SIZE) && i < c->size; i++)
			if (!verify_same(s->in.leaves, s->in.n_lines, i, s->in.stored, s->in.n_stored, i))
				return verify_bad_record(v, s, i);
	}
	if (s->in.n_lines < c->size)
		return verify_bad(v, s->name[SEGMENT_LOG], s->in.offsets[s->in.n_lines], s->in.n_lines + 1,
				  "%zu records, but %" PRIu64 " were signed", s->in.n_lines, c->size);
	return verify_bad(v, s->name[SEGMENT_LOG], s->in.offsets[from], from + 1,
			  "one of the records %" PRIu64 " to %" PRIu64 " is not the one that was signed", from + 1,
			  c->size);
}

static int verify_roots(struct verifier *v, const struct verify_seg *s)
{
	struct merkle tree;
	merkle_hash root;

	merkle_init(&tree);
	for (size_t k = 0; k < s->n_notes; k++) {
		const struct checkpoint *c = &s->notes[k].c;

		while (tree.size < c->size && tree.size < s->in.n_lines)
			merkle_add(&tree, s->in.leaves[tree.size]);
		merkle_root(&tree, root);
		if (tree.size < c->size || memcmp(root, c->root, HASH_SIZE))
			return verify_localise(v, s, k);
	}
	return 0;
}

/* Nothing may be behind what the last checkpoint covers. */
static int verify_tail(struct verifier *v, const struct verify_seg *s)
{
	uint64_t size = s->notes[s->n_notes - 1].c.size, end = s->in.offsets[size];

	if (end == s->in.log_bytes)
		return 0;
	v->may_settle = true;
	if (s->in.n_lines == size)
		return verify_bad(v, s->name[SEGMENT_LOG], end, size + 1,
				  "%" PRIu64 " bytes behind the last record are not a whole record",
				  s->in.log_bytes - end);
	return verify_bad(v, s->name[SEGMENT_LOG], end, size + 1,
			  "%" PRIu64 " records from here on are not signed: put in, or left by a crash of the sensor "
			  "(its next start signs them)",
			  s->in.n_lines - size);
}

/* The leaf file protects nothing, but a wrong one was damaged by somebody. */
static int verify_stored(struct verifier *v, const struct verify_seg *s)
{
	size_t n = s->notes[s->n_notes - 1].c.size;

	for (size_t i = 0; i < n; i++)
		if (!verify_same(s->in.leaves, n, i, s->in.stored, s->in.n_stored, i))
			return verify_bad(v, s->name[SEGMENT_LEAF], i * HASH_SIZE, i + 1,
					  i < s->in.n_stored ? "the leaf hash is not its record's"
							     : "the file ends too early");
	if (s->in.leaf.len != n * HASH_SIZE) {
		v->may_settle = true;
		return verify_bad(v, s->name[SEGMENT_LEAF], n * HASH_SIZE, 0,
				  "leaf hashes of no record that was signed");
	}
	return 0;
}

/* ---- what the records say ---- */

/* An `epoch` record names the key of the next segment. */
static int verify_epoch(struct verifier *v, const struct verify_seg *s, size_t i, const struct line *l)
{
	struct err why = { "" };
	int r = epoch_key_of(l, &v->next_key, &why);

	if (r == -ENOMEM)
		return r;
	return r < 0 ? verify_bad(v, s->name[SEGMENT_LOG], s->in.offsets[i], i + 1, "%s", why.msg) : 0;
}

/* A `prune` record says that the segments up to its `last` were removed on purpose. */
static int verify_prune(struct verifier *v, const struct verify_seg *s, size_t i, const struct line *l)
{
	struct line_str value;
	uint64_t last;

	if (line_member(l->body, "last", &value) < 0 || line_value_u64(value, &last) < 0 || last >= s->in.number)
		return verify_bad(v, s->name[SEGMENT_LOG], s->in.offsets[i], i + 1, "the `prune` record is malformed");
	if (last > v->prune_told)
		v->prune_told = last;
	return 0;
}

/* The segment's first record repeats how the segment before it ended. */
static int verify_first(struct verifier *v, const struct verify_seg *s, const struct line *l)
{
	struct line_str prev, value, root, id;
	uint8_t digest[HASH_SIZE];
	uint64_t number = 0, size = 0;
	size_t n;

	if (!line_str_is(l->kind, "segment") || line_member(l->body, "number", &value) < 0 ||
	    line_value_u64(value, &number) < 0 || number != s->in.number)
		return verify_bad(v, s->name[SEGMENT_LOG], 0, 1,
				  "the first record is not this segment's `segment` record");
	if (line_member(l->body, "key", &value) < 0 || line_value_str(value, &id) < 0 ||
	    !line_str_is(id, sig_key_id(v->key)))
		return verify_bad(v, s->name[SEGMENT_LOG], 0, 1, "the `segment` record names another key than %s",
				  sig_key_id(v->key));
	if (!v->prev_segment)
		return 0;
	if (line_member(l->body, "prev", &prev) < 0 || line_member(prev, "segment", &value) < 0 ||
	    line_value_u64(value, &number) < 0 || line_member(prev, "size", &value) < 0 ||
	    line_value_u64(value, &size) < 0 || line_member(prev, "root", &value) < 0 ||
	    line_value_str(value, &root) < 0 || b64_decode(root.p, root.n, digest, sizeof(digest), &n) < 0 ||
	    n != HASH_SIZE)
		return verify_bad(v, s->name[SEGMENT_LOG], 0, 1,
				  "the `segment` record does not name the segment before");
	if (number != v->prev_segment || size != v->prev_size || memcmp(digest, v->prev_root, HASH_SIZE))
		return verify_bad(v, s->name[SEGMENT_LOG], 0, 1,
				  "the `segment` record names another end of segment %" PRIu64, v->prev_segment);
	return 0;
}

static int verify_record(struct verifier *v, const struct verify_seg *s, size_t i, uint64_t *ret_seq)
{
	const struct ahead_line *in = &s->in.lines[i];
	uint64_t want = v->rep->last_seq + 1;
	struct line_str text;
	struct line l;

	if (in->what == AHEAD_BAD)
		return verify_bad(v, s->name[SEGMENT_LOG], s->in.offsets[i], i + 1,
				  "not a record: malformed JSON or members");
	*ret_seq = in->seq;
	if (v->seq_known && in->seq != want)
		return verify_bad(v, s->name[SEGMENT_LOG], s->in.offsets[i], i + 1,
				  "the record has seq %" PRIu64 " where %" PRIu64 " follows", in->seq, want);
	if (!v->seq_known && s->in.number == 1 && in->seq != 1)
		return verify_bad(v, s->name[SEGMENT_LOG], s->in.offsets[i], i + 1,
				  "the log's first record has seq %" PRIu64, in->seq);
	if (in->what == AHEAD_OTHER && i > 0)
		return 0;
	/* what it says matters: few do */
	text = ahead_text(&s->in, i);
	line_parse(text.p, text.n, &l);
	if (in->what == AHEAD_EPOCH)
		return verify_epoch(v, s, i, &l);
	if (in->what == AHEAD_PRUNE)
		return verify_prune(v, s, i, &l);
	return verify_first(v, s, &l);
}

static int verify_records(struct verifier *v, const struct verify_seg *s)
{
	size_t k = 0;

	for (size_t i = 0; i < s->notes[s->n_notes - 1].c.size; i++) {
		uint64_t seq = 0;
		int r = verify_record(v, s, i, &seq);

		if (r != 0)
			return r;
		v->rep->first_seq = v->rep->first_seq ? v->rep->first_seq : seq;
		v->rep->last_seq = seq;
		v->seq_known = true;
		for (; k < s->n_notes && s->notes[k].c.size == i + 1; k++)
			if (s->notes[k].c.seq != seq)
				return verify_bad_note(v, s, k, "its seq line is not the last record's number");
	}
	return 0;
}

/* ---- segments ---- */

static void verify_seg_done(struct verify_seg *s)
{
	ahead_done(&s->in);
	free(s->notes);
}

static void verify_turn(struct verifier *v)
{
	v->turned = v->next_key != NULL;
	if (!v->turned)
		return;
	sig_key_free(v->epoch_key);
	v->key = v->epoch_key = TAKE_PTR(v->next_key);
}

static void verify_remember(struct verifier *v, const struct verify_seg *s)
{
	const struct checkpoint_note *n = &s->notes[s->n_notes - 1];

	v->prev_segment = n->c.segment;
	v->prev_size = n->c.size;
	memcpy(v->prev_root, n->c.root, HASH_SIZE);
	checkpoint_hash(n, v->prev_note);
	v->end_byte = s->in.offsets[n->c.size];
	v->end_record = n->c.size + 1;
	v->rep->segments++;
	v->rep->checkpoints += s->n_notes;
	v->rep->records += n->c.size;
	v->rep->bytes += v->end_byte;
	v->rep->epochs += v->turned || v->rep->segments + v->rep->pruned == 1;
	memcpy(v->rep->last_time, n->c.time, LINE_TIME_SIZE);
	verify_turn(v);
}

/* Is what stays of a pruned segment as it was signed, and does it follow the one before? */
static int verify_link(struct verifier *v, const char *file, uint64_t number, const struct prove_pruned *p)
{
	if (p->c.segment != number)
		return verify_bad(v, file, 0, 0, "it is another segment's");
	if (p->c.prev_segment != v->prev_segment || p->c.prev_size != v->prev_size ||
	    (v->prev_segment && memcmp(p->c.prev_root, v->prev_root, HASH_SIZE)))
		return verify_bad(v, file, 0, 0, "its prev line is not how the segment before it ended");
	if (p->c.seq != v->rep->last_seq + p->c.size)
		return verify_bad(v, file, 0, 0, "its seq line does not follow the segment before it");
	v->prev_segment = number;
	v->prev_size = p->c.size;
	memcpy(v->prev_root, p->c.root, HASH_SIZE);
	memcpy(v->prev_note, p->hash, HASH_SIZE);
	/* what it held cannot be compared any more; that it went on from there can */
	if (v->o.witness && v->o.witness->c.segment == number && v->o.witness->c.size <= p->c.size)
		v->witness_found = true;
	v->rep->last_seq = p->c.seq;
	v->seq_known = true;
	v->rep->pruned++;
	v->rep->epochs += v->turned || v->rep->pruned == 1;
	return 0;
}

static bool verify_has(const struct verifier *v, uint64_t number, enum segment_file which)
{
	char name[SEGMENT_NAME_SIZE];

	segment_name(number, which, name);
	return faccessat(v->dir_fd, name, F_OK, 0) == 0;
}

/* The segments at the log's beginning that were pruned; *number becomes that of the first that was not. */
static int verify_pruned(struct verifier *v, uint64_t *number)
{
	char name[SEGMENT_NAME_SIZE];
	struct buf text;
	int r = 0;

	buf_init(&text, PROVE_TEXT_MAX);
	for (; r == 0 && verify_has(v, *number, SEGMENT_PRUNED) && !verify_has(v, *number, SEGMENT_LOG); ++*number) {
		struct prove_pruned p = { .next = NULL };
		struct err why = { "" };

		segment_name(*number, SEGMENT_PRUNED, name);
		buf_reset(&text);
		r = recio_read(v->dir_fd, name, &text);
		if (r < 0) {
			r = err_sys(v->e, r, "cannot read", name);
			break;
		}
		r = prove_link_check(text.data, text.len, v->key, &p, &why);
		r = r < 0 ? verify_bad(v, name, 0, 0, "%s", why.msg) : verify_link(v, name, *number, &p);
		sig_key_free(v->next_key);
		v->next_key = p.next;
		if (r != 0)
			break;
		verify_turn(v);
	}
	buf_done(&text);
	return r;
}

/* All of it was looked at: does a record say of each pruned segment that it was? */
static int verify_told(struct verifier *v)
{
	char name[SEGMENT_NAME_SIZE];

	if (v->rep->pruned <= v->prune_told)
		return 0;
	segment_name(v->prune_told + 1, SEGMENT_PRUNED, name);
	return verify_bad(v, name, 0, 0, "the segment's records were removed, but no `prune` record says so");
}

/* Takes over what was read of it. */
static int verify_segment(struct verifier *v, const struct ahead_seg *in)
{
	struct verify_report before = *v->rep;
	bool known = v->seq_known;
	struct verify_seg s = { .in = *in };
	int r;

	for (int i = 0; i < SEGMENT_FILES; i++)
		segment_name(in->number, i, s.name[i]);
	sig_key_free(v->next_key);
	v->next_key = NULL;
	v->may_settle = false;
	r = verify_notes(v, &s);
	r = r == 0 ? verify_roots(v, &s) : r;
	r = r == 0 ? verify_records(v, &s) : r;
	r = r == 0 ? verify_tail(v, &s) : r;
	r = r == 0 ? verify_stored(v, &s) : r;
	if (r == 0)
		verify_remember(v, &s);
	else if (v->may_settle)
		v->rep->first_seq = before.first_seq, v->rep->last_seq = before.last_seq, v->seq_known = known;
	verify_seg_done(&s);
	return r;
}

/* Does a sensor hold the log's lock? */
static bool verify_live(const struct verifier *v)
{
	_cleanup_close_ int fd = openat(v->dir_fd, "LOCK", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct flock whole = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	return fd >= 0 && fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}

/* A live sensor may be between a batch's records and its checkpoint: look again before calling that bad. */
static int verify_again(struct verifier *v, uint64_t number)
{
	const unsigned int step = v->o.wait_ms < 50 ? v->o.wait_ms : 50;
	const struct timespec pause = { .tv_nsec = (long)step * 1000000 };
	unsigned int waited = 0;
	struct ahead_seg in;
	int r = VERIFY_BAD;

	while (r == VERIFY_BAD && v->may_settle && waited < v->o.wait_ms && verify_live(v)) {
		nanosleep(&pause, NULL);
		waited += step;
		r = ahead_load(v->dir_fd, number, &in, v->e);
		if (r == 0)
			r = verify_segment(v, &in);
	}
	return r;
}

/* The segments of the list, of which the first is to be *want, without a gap. */
static int verify_list(struct verifier *v, struct ahead *a, const uint64_t *list, size_t n, uint64_t *want)
{
	char name[SEGMENT_NAME_SIZE];
	struct ahead_seg in;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++, ++*want) {
		segment_name(*want, SEGMENT_LOG, name);
		if (list[i] != *want)
			return verify_bad(v, name, 0, 0, "the segment is missing%s",
					  *want > 1 ? "" : " (removed on purpose? --from-segment says so)");
		r = ahead_next(a, &in, v->e);
		if (r == 0)
			r = verify_segment(v, &in);
		if (r == VERIFY_BAD && i + 1 == n)
			r = verify_again(v, *want);
	}
	return r;
}

static int verify_segments(struct verifier *v, const uint64_t *list, size_t n)
{
	uint64_t want = v->o.from_segment;
	char name[SEGMENT_NAME_SIZE];
	struct ahead *a;
	int r = want == 1 ? verify_pruned(v, &want) : 0;

	if (r != 0)
		return r;
	for (; n && list[0] < want; n--)
		list++;
	r = ahead_new(v->dir_fd, list, n, &a);
	if (r < 0)
		return r;
	r = verify_list(v, a, list, n, &want);
	ahead_free(a);
	segment_name(want, SEGMENT_LOG, name);
	if (r == 0 && !v->rep->segments)
		return verify_bad(v, name, 0, 0, "the segment is missing: the log is empty");
	return r == 0 ? verify_told(v) : r;
}

/* ---- HEAD ---- */

/* Read before the segments: then they hold at least what HEAD promises. */
static int verify_read_head(struct verifier *v)
{
	struct err why = { "" };
	struct rd r;
	int got;

	buf_init(&v->head_text, 64 * 1024);
	got = recio_read(v->dir_fd, "HEAD", &v->head_text);
	if (got == -ENOENT)
		return verify_bad(v, "HEAD", 0, 0, "the file is missing");
	if (got < 0)
		return err_sys(v->e, got, "cannot read", "HEAD");
	r = rd_of(v->head_text.data, v->head_text.len);
	if (checkpoint_next(&r, &v->head, &why) < 0)
		return verify_bad(v, "HEAD", 0, 0, "%s", why.msg);
	if (r.left)
		return verify_bad(v, "HEAD", v->head.len, 0, "more than one checkpoint");
	return 0;
}

static int verify_head(struct verifier *v)
{
	char name[SEGMENT_NAME_SIZE];
	struct err why = { "" };

	/* where it is among the segments' checkpoints, its signature is as good as theirs */
	if (v->head_found)
		return 0;
	if (v->head.c.segment < v->o.from_segment)
		return 0;
	/* what would name its key is missing, too */
	if (v->head.c.segment > v->prev_segment + 1 && memcmp(v->head.key_hash, sig_key_hash(v->key), 4) != 0)
		return verify_bad(v, "HEAD", 0, 0,
				  "it is a checkpoint of segment %" PRIu64 ", but the log ends with segment %" PRIu64
				  ": the log was cut, or HEAD was changed",
				  v->head.c.segment, v->prev_segment);
	if (checkpoint_verify(&v->head, v->key, &why) < 0)
		return verify_bad(v, "HEAD", 0, 0, "%s", why.msg);
	segment_name(v->prev_segment, SEGMENT_LOG, name);
	if (v->head.c.seq > v->rep->last_seq)
		return verify_bad(v, name, v->end_byte, v->end_record,
				  "the log ends here, but HEAD holds a checkpoint of segment %" PRIu64 " with %" PRIu64
				  " records: the log was cut",
				  v->head.c.segment, v->head.c.size);
	return verify_bad(v, "HEAD", 0, 0, "its checkpoint is not among those of the segments");
}

/* What another machine has countersigned is in the log, or the log is not what it was then. */
static int verify_witness(struct verifier *v)
{
	const struct checkpoint *c = v->o.witness ? &v->o.witness->c : NULL;
	char name[SEGMENT_NAME_SIZE];

	if (!c || v->witness_found || c->segment < v->o.from_segment)
		return 0;
	segment_name(c->segment, SEGMENT_CKPT, name);
	if (c->seq > v->rep->last_seq)
		return verify_bad(v, name, 0, 0,
				  "the witness has signed segment %" PRIu64 " with %" PRIu64
				  " records at %s, but the log ends with record %" PRIu64
				  ": it was put back to an older state",
				  c->segment, c->size, c->time, v->rep->last_seq);
	return verify_bad(v, name, 0, 0,
			  "the checkpoint of %" PRIu64
			  " records at %s that the witness has signed is not in the log: it was "
			  "put back to an older state and went on from there",
			  c->size, c->time);
}

int verify_log(const char *dir, struct sig_key *key, const struct verify_options *o, struct verify_report *ret,
	       struct err *e)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ uint64_t *list = NULL;
	struct verifier v = { .dir_fd = fd, .key = key, .rep = ret, .e = e };
	size_t n = 0;
	int r;

	*ret = (struct verify_report){ 0 };
	if (fd < 0)
		return err_sys(e, -errno, "cannot open the log", dir);
	if (o)
		v.o = *o;
	v.o.from_segment = v.o.from_segment ? v.o.from_segment : 1;
	v.o.wait_ms = v.o.wait_ms ? v.o.wait_ms : 1000;
	r = verify_read_head(&v);
	if (r == 0)
		r = segment_list(fd, &list, &n);
	if (r == 0)
		r = verify_segments(&v, list, n);
	if (r == 0)
		r = verify_head(&v);
	if (r == 0)
		r = verify_witness(&v);
	buf_done(&v.head_text);
	sig_key_free(v.epoch_key);
	sig_key_free(v.next_key);
	ret->ok = r == 0;
	if (r < 0)
		return e && e->msg[0] ? r : err_sys(e, r, "cannot verify the log", dir);
	return 0;
}
