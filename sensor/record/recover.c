/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Opening a log after an earlier run, however that ended.
 *
 * Only what no checkpoint covers may be changed: a torn line is cut off, and a record says so. What is signed and does
 * not fit is evidence and stays as it is; the log goes on in a new segment, with a `gap` record that says what was
 * found.
 */

#include "sensor/record/auditlog_impl.h"
#include "lib/cleanup.h"
#include "lib/jsonw.h"

#include <fcntl.h>
#include <inttypes.h>

struct recovery {
	struct segment_image img;
	struct buf prev_text, head_text; /* what the notes below borrow from */
	struct checkpoint_note prev;	 /* the last of the segment before */
	struct checkpoint_note note;	 /* the last of this segment */
	struct checkpoint_note head;
	bool has_prev, has_note, has_head;
	bool note_signed;
	size_t ckpt_bytes, log_bytes; /* what is kept of each file */
	uint64_t cut;		      /* bytes that are not */
	uint64_t kept;		      /* whole records behind the last checkpoint */
	bool root_seen;		      /* the records fit the last checkpoint */
	struct line first, last;      /* borrowed from img */
	bool has_last;
	bool names_next; /* one of the records is the `epoch` record of the key that was prepared */
	bool over;	 /* the segment is whole, and its key no more: nothing can be added to it */
	struct buf leaves;
	const char *damage; /* why the segment cannot be continued; NULL: it can */
};

static void recover_done(struct recovery *rec)
{
	segment_image_done(&rec->img);
	buf_done(&rec->prev_text);
	buf_done(&rec->head_text);
	buf_done(&rec->leaves);
}

/* ---- looking ---- */

/*
 * A last checkpoint with a bad signature can be the remains of a write that failed and could not be taken back, with
 * the start of another try over it. Such a note was never good, so HEAD is older than it: then it is cut off like any
 * torn write.
 */
static bool recover_unfinished(const struct recovery *rec, uint64_t number)
{
	uint64_t head = rec->has_head && rec->head.c.segment >= number ? rec->head.c.size : 0;

	return rec->has_head && rec->head.c.segment <= number && head < rec->note.c.size;
}

/* By a key of this machine, not only by its name. */
static bool recover_signed(const struct checkpoint_note *n, const struct epoch *ep)
{
	struct sig_key *key = epoch_find(ep, n->key_hash);

	return key && checkpoint_verify(n, key, NULL) == 0;
}

static void recover_notes(struct recovery *rec, const struct epoch *ep)
{
	const struct buf *b = &rec->img.file[SEGMENT_CKPT];
	struct rd r = rd_of(b->data, b->len);
	struct checkpoint_note before = { .len = 0 };

	while (r.left && checkpoint_next(&r, &rec->note, NULL) == 0) {
		if (!r.left && !recover_signed(&rec->note, ep) && recover_unfinished(rec, rec->img.number)) {
			r.left = rec->note.len;
			rec->note = before;
			break;
		}
		before = rec->note;
	}
	rec->has_note = rec->note.len > 0;
	rec->ckpt_bytes = b->len - r.left;
	rec->note_signed = rec->has_note && recover_signed(&rec->note, ep);
	rec->over = rec->note_signed && epoch_find(ep, rec->note.key_hash) != ep->key;
	if (rec->has_note && !rec->note_signed)
		rec->damage = "the segment's last checkpoint is not signed by this log's key";
}

/*
 * Is this line, behind the last checkpoint, one that the log wrote? After a power cut a file can also end in zeros or
 * old blocks.
 */
static bool recover_line_fits(const struct recovery *rec, struct line_str text, struct line *ret)
{
	if (line_parse(text.p, text.n, ret) < 0)
		return false;
	return !rec->has_last || ret->seq == rec->last.seq + 1;
}

static bool recover_is_next(const struct line *l, const struct epoch *ep)
{
	struct line_str value, id;

	return ep->next && line_str_is(l->kind, "epoch") && line_member(l->body, "key", &value) == 0 &&
	       line_value_str(value, &id) == 0 && line_str_is(id, sig_key_id(ep->next));
}

static void recover_lines(struct recovery *rec, const struct epoch *ep, struct merkle *tree)
{
	const struct buf *b = &rec->img.file[SEGMENT_LOG];
	struct rd r = rd_of(b->data, b->len);
	struct line_str text;
	merkle_hash leaf, root;

	while (segment_line(&r, &text)) {
		bool covered = rec->has_note && tree->size < rec->note.c.size;
		struct line l;

		if (recover_line_fits(rec, text, &l)) {
			rec->first = rec->has_last ? rec->first : l;
			rec->last = l;
			rec->has_last = true;
			rec->names_next |= recover_is_next(&l, ep);
		} else if (!covered) {
			break;
		}
		rec->log_bytes = b->len - r.left;
		rec->kept += !covered;
		merkle_leaf(text.p, text.n, leaf);
		buf_put(&rec->leaves, leaf, HASH_SIZE);
		merkle_add(tree, leaf);
		if (covered && tree->size == rec->note.c.size) {
			merkle_root(tree, root);
			rec->root_seen = !memcmp(root, rec->note.c.root, HASH_SIZE);
		}
	}
}

static void recover_head(struct recovery *rec, int dir_fd, const struct epoch *ep)
{
	struct rd r;

	buf_init(&rec->head_text, CHECKPOINT_NOTE_MAX);
	if (recio_read(dir_fd, "HEAD", &rec->head_text) < 0)
		return;
	r = rd_of(rec->head_text.data, rec->head_text.len);
	rec->has_head = checkpoint_next(&r, &rec->head, NULL) == 0 && recover_signed(&rec->head, ep);
}

/* Does HEAD speak of more than the segments hold? */
static bool recover_head_ahead(const struct recovery *rec)
{
	uint64_t size = rec->has_note ? rec->note.c.size : 0;

	if (!rec->has_head)
		return false;
	return rec->head.c.segment > rec->img.number ||
	       (rec->head.c.segment == rec->img.number && rec->head.c.size > size);
}

static int recover_look(struct recovery *rec, struct auditlog *log, uint64_t number, struct merkle *tree, struct err *e)
{
	int r = segment_read(log->dir_fd, number, &rec->img, e);

	if (r < 0)
		return r;
	buf_init(&rec->prev_text, SEGMENT_FILE_MAX);
	buf_init(&rec->leaves, SEGMENT_FILE_MAX);
	rec->has_prev =
		number > 1 && segment_last_note(log->dir_fd, number - 1, &rec->prev_text, &rec->prev, NULL) == 0;
	recover_head(rec, log->dir_fd, &log->epoch);
	recover_notes(rec, &log->epoch);
	recover_lines(rec, &log->epoch, tree);
	rec->cut = rec->img.file[SEGMENT_LOG].len - rec->log_bytes;
	if (!rec->damage && rec->has_note && !rec->root_seen)
		rec->damage = "the segment does not fit its last checkpoint";
	if (!rec->damage && recover_head_ahead(rec))
		rec->damage = "HEAD holds a newer checkpoint than the segments";
	if (!rec->damage && rec->over && (rec->cut || rec->kept))
		rec->damage = "something was added to a segment whose key is no more";
	return buf_error(&rec->leaves) ? err_set(e, -ENOMEM, "no memory to read the log") : 0;
}

/* ---- taking over ---- */

static void recover_prev_from_note(struct auditlog *log, const struct checkpoint_note *n)
{
	log->prev_segment = n->c.segment;
	log->prev_size = n->c.size;
	memcpy(log->prev_root, n->c.root, HASH_SIZE);
	log->chained = true;
	checkpoint_hash(n, log->chain);
	log->seq = n->c.seq;
}

/* How old the epoch is that goes on. A clock that was wrong then or is wrong now makes it end early or late, no more. */
static uint64_t recover_age(const struct recovery *rec, const struct auditlog *log)
{
	uint64_t now = log->o.io->realtime_ns(), first, most = log->o.epoch_s * 1000000000ull;

	if (!rec->has_last || line_time_ns(rec->first.time, &first) < 0 || first > now)
		return 0;
	return now - first < most ? now - first : most;
}

/* The segment is sound: go on in it. */
static void recover_continue(struct recovery *rec, struct auditlog *log, const struct merkle *tree)
{
	if (rec->has_prev)
		recover_prev_from_note(log, &rec->prev);
	auditlog_begin_segment(log, rec->img.number);
	if (rec->has_note) {
		log->chained = true;
		checkpoint_hash(&rec->note, log->chain);
		buf_reset(&log->note);
		buf_put(&log->note, rec->note.p, rec->note.len);
		log->signed_size = rec->note.c.size;
		log->head_due = true;
	}
	if (rec->has_last)
		log->seq = rec->last.seq;
	log->tree = *tree;
	log->written = tree->size;
	log->fresh = !tree->size;
	log->seg.bytes[SEGMENT_LOG] = rec->log_bytes;
	log->seg.bytes[SEGMENT_CKPT] = rec->ckpt_bytes;
	log->ending = rec->names_next;
	log->epoch_age_ns = recover_age(rec, log);
}

/* The leaf file is only an index: where it is not what the records give, write it anew. */
static int recover_leaves(struct recovery *rec, struct auditlog *log, struct err *e)
{
	const struct buf *old = &rec->img.file[SEGMENT_LEAF];
	int r;

	if (old->len >= rec->leaves.len && (!rec->leaves.len || !memcmp(old->data, rec->leaves.data, rec->leaves.len)))
		log->seg.bytes[SEGMENT_LEAF] = rec->leaves.len;
	r = segment_open(&log->seg, e);
	if (r < 0 || log->seg.bytes[SEGMENT_LEAF])
		return r;
	r = segment_write(&log->seg, SEGMENT_LEAF, &rec->leaves, e);
	return r < 0 ? r : segment_commit(&log->seg, SEGMENT_LEAF, &rec->leaves, e);
}

/* The segment is not sound, or over: leave it, and begin another behind the newest checkpoint that can be trusted. */
static void recover_leave(struct recovery *rec, struct auditlog *log)
{
	const struct checkpoint_note *n = rec->note_signed ? &rec->note : rec->has_prev ? &rec->prev : NULL;
	uint64_t number = rec->img.number;

	if (rec->has_head && (!n || rec->head.c.seq > n->c.seq))
		n = &rec->head;
	if (n)
		recover_prev_from_note(log, n);
	if (n && n->c.segment > number)
		number = n->c.segment;
	if (rec->has_last && rec->last.seq > log->seq)
		log->seq = rec->last.seq;
	log->ending = false;
	log->epoch_age_ns = 0;
	auditlog_begin_segment(log, number + 1);
}

/* ---- telling ---- */

static int recover_tell_cut(const struct recovery *rec, struct auditlog *log, struct err *e)
{
	char details[160];

	if (!rec->cut && !rec->kept)
		return 0;
	snprintf(details, sizeof(details),
		 "{\"cut_bytes\":%" PRIu64 ",\"resigned_records\":%" PRIu64 ",\"segment\":%" PRIu64 "}", rec->cut,
		 rec->kept, rec->img.number);
	return auditlog_note(log, "recovery", details, NULL, e);
}

static int recover_tell_gap(const struct recovery *rec, struct auditlog *log, struct err *e)
{
	struct jsonw w;
	struct buf b;
	int r;

	if (!rec->damage && (!rec->has_last || line_str_is(rec->last.kind, AUDITLOG_STOP)))
		return 0;
	buf_init(&b, 4096);
	w = jsonw_to(&b);
	jsonw_obj_begin(&w);
	if (rec->has_last) {
		jsonw_member_u64(&w, "last_seq", rec->last.seq);
		jsonw_key(&w, "last_time");
		jsonw_str(&w, rec->last.time.p, rec->last.time.n);
	}
	jsonw_member_str(&w, "reason", rec->damage ? rec->damage : "unclean stop");
	jsonw_obj_end(&w);
	r = buf_cstr(&b) ? auditlog_note(log, AUDITLOG_GAP, (char *)b.data, NULL, e) : err_set(e, -ENOMEM, "no memory");
	buf_done(&b);
	return r;
}

static int recover_segment(struct recovery *rec, struct auditlog *log, uint64_t number, struct err *e)
{
	struct merkle tree;
	int r;

	merkle_init(&tree);
	r = recover_look(rec, log, number, &tree, e);
	if (r < 0)
		return r;
	if (rec->damage) {
		rec->cut = rec->kept = 0;
	} else {
		recover_continue(rec, log, &tree);
		r = recover_leaves(rec, log, e);
	}
	if (rec->damage || rec->over)
		recover_leave(rec, log);
	log->found = log->seq;
	if (r == 0)
		r = recover_tell_cut(rec, log, e);
	return r < 0 ? r : recover_tell_gap(rec, log, e);
}

int recover_log(struct auditlog *log, struct err *e)
{
	_cleanup_free_ uint64_t *list = NULL;
	struct recovery rec = { 0 };
	size_t n;
	int r = segment_list(log->dir_fd, &list, &n);

	if (r < 0)
		return err_set(e, r, "cannot list the log's segments: %s", strerror(-r));
	if (!n) {
		/* a HEAD without segments is a log that was deleted */
		recover_head(&rec, log->dir_fd, &log->epoch);
		rec.damage = rec.has_head ? "HEAD holds a checkpoint, but there are no segments" : NULL;
		recover_leave(&rec, log);
		r = recover_tell_gap(&rec, log, e);
	} else {
		r = recover_segment(&rec, log, list[n - 1], e);
	}
	if (!log->ending && log->epoch.next)
		epoch_drop_next(&log->epoch);
	recover_done(&rec);
	return r;
}
