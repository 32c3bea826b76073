/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/auditlog_impl.h"
#include "lib/b64.h"
#include "lib/cleanup.h"
#include "lib/jsonw.h"
#include "sensor/record/prune.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>

#define AUDITLOG_EPOCH		"epoch"
#define AUDITLOG_EPOCH_RETRY_NS 1000000000ull
#define QUIET_PART		16 /* of batch_ms: what a record waits at least, where few come */
#define QUIET_RECORDS		64 /* a batch of fewer says that few come */
#define QUIET_SHARE		4  /* of the time between two such batches so much is not spent on writing them */

DEFINE_CLEANUP(struct auditlog *, auditlog_free);

/* ---- appending ---- */

/* The pending line that begins at `from` in log->lines is complete: end it and add its leaf. */
static int auditlog_seal_line(struct auditlog *log, size_t from, uint64_t *ret_seq)
{
	merkle_hash leaf;
	int r = buf_room(&log->leaves, HASH_SIZE);

	if (r == 0)
		r = buf_putc(&log->lines, '\n');
	if (r < 0) {
		/* refuse this record alone: what waited before it is whole */
		buf_truncate(&log->lines, from);
		log->lines.error = log->leaves.error = 0;
		return r;
	}
	merkle_leaf(log->lines.data + from, log->lines.len - from - 1, leaf);
	buf_put(&log->leaves, leaf, HASH_SIZE);
	merkle_add(&log->tree, leaf);
	log->seq++;
	if (ret_seq)
		*ret_seq = log->seq;
	return 0;
}

static int auditlog_put_note(struct auditlog *log, const char *kind, struct line_str details, uint64_t *ret_seq)
{
	size_t from = log->lines.len;
	char now[LINE_TIME_SIZE];

	line_time(log->o.io->realtime_ns(), now);
	line_render(&log->lines, kind, log->host, log->seq + 1, now, details);
	return auditlog_seal_line(log, from, ret_seq);
}

/* What a segment says of itself: its number, the key, and how the segment before it ended. */
static int auditlog_put_segment(struct auditlog *log)
{
	struct jsonw w = jsonw_to(&log->scratch);
	struct buf root;
	int r;

	buf_reset(&log->scratch);
	jsonw_obj_begin(&w);
	jsonw_member_str(&w, "key", sig_key_id(log->epoch.key));
	jsonw_member_u64(&w, "number", log->seg.number);
	if (log->prev_segment) {
		buf_init(&root, 64);
		b64_encode(&root, log->prev_root, HASH_SIZE);
		jsonw_key(&w, "prev");
		jsonw_obj_begin(&w);
		jsonw_key(&w, "root");
		jsonw_str(&w, root.data, root.len);
		jsonw_member_u64(&w, "segment", log->prev_segment);
		jsonw_member_u64(&w, "size", log->prev_size);
		jsonw_obj_end(&w);
		buf_done(&root);
	}
	jsonw_obj_end(&w);
	if (buf_error(&log->scratch))
		return buf_error(&log->scratch);
	r = auditlog_put_note(log, "segment", (struct line_str){ (char *)log->scratch.data, log->scratch.len }, NULL);
	log->fresh = r < 0;
	return r;
}

void auditlog_begin_segment(struct auditlog *log, uint64_t number)
{
	segment_close(&log->seg);
	segment_init(&log->seg, log->o.io, log->dir_fd, number);
	merkle_init(&log->tree);
	log->written = log->signed_size = 0;
	log->fresh = true;
}

/* The present segment is wholly signed: remember how it ended and turn to the next. */
static void auditlog_rotate(struct auditlog *log)
{
	log->prev_segment = log->seg.number;
	log->prev_size = log->tree.size;
	merkle_root(&log->tree, log->prev_root);
	log->o.io->fdatasync(log->seg.fd[SEGMENT_LEAF]);
	auditlog_begin_segment(log, log->seg.number + 1);
}

static bool auditlog_full(const struct auditlog *log, size_t n)
{
	return log->lines.len + n + 1024 > log->o.pending_max;
}

/* Room for one more record of n bytes, in memory and in the segment. */
static int auditlog_admit(struct auditlog *log, size_t n, struct err *e)
{
	int r;

	if (auditlog_full(log, n)) {
		r = auditlog_flush(log, e);
		/* a flush that fails at the signature has still written the records */
		if (r < 0 && auditlog_full(log, n))
			return r;
	}
	r = log->fresh ? auditlog_put_segment(log) : 0;
	return r < 0 ? err_set(e, r, "no memory for another record of the log") : 0;
}

static bool auditlog_alert_fits(const struct auditlog_alert *a)
{
	if (!a->before_len || a->after_len < 2 || a->before_len + a->after_len > LINE_MAX_BYTES - 32)
		return false;
	if (a->before[0] != '{' || a->after[0] != '"' || a->after[a->after_len - 1] != '}')
		return false;
	if (a->before_len > 1 && a->before[a->before_len - 1] != ',')
		return false;
	return !memchr(a->before, '\n', a->before_len) && !memchr(a->after, '\n', a->after_len);
}

int auditlog_append(struct auditlog *log, const struct auditlog_alert *a, uint64_t *ret_seq, struct err *e)
{
	size_t from;
	int r;

	if (!auditlog_alert_fits(a))
		return err_set(e, -EINVAL, "an alert for the log is not one line of JSON in two pieces");
	r = auditlog_admit(log, a->before_len + a->after_len + 32, e);
	if (r < 0)
		return r;
	from = log->lines.len;
	buf_put(&log->lines, a->before, a->before_len);
	buf_put(&log->lines, "\"seq\":", 6);
	buf_put_dec(&log->lines, log->seq + 1);
	buf_putc(&log->lines, ',');
	buf_put(&log->lines, a->after, a->after_len);
	r = auditlog_seal_line(log, from, ret_seq);
	return r < 0 ? err_set(e, r, "no memory for another record of the log") : 0;
}

int auditlog_note(struct auditlog *log, const char *kind, const char *details, uint64_t *ret_seq, struct err *e)
{
	struct line_str d = { details ? details : "{}", details ? strlen(details) : 2 };
	int r;

	if (d.n > LINE_MAX_BYTES / 2 || memchr(d.p, '\n', d.n))
		return err_set(e, -EINVAL, "the details of a %s record are not one line of JSON", kind);
	r = auditlog_admit(log, d.n + 512, e);
	if (r < 0)
		return r;
	r = auditlog_put_note(log, kind, d, ret_seq);
	return r < 0 ? err_set(e, r, "no memory for another record of the log") : 0;
}

/* ---- closing batches ---- */

static int auditlog_write_records(struct auditlog *log, struct err *e)
{
	int r = segment_open(&log->seg, e);

	if (r == 0)
		r = segment_write(&log->seg, SEGMENT_LOG, &log->lines, e);
	if (r == 0)
		r = segment_write(&log->seg, SEGMENT_LEAF, &log->leaves, e);
	if (r == 0)
		r = segment_commit(&log->seg, SEGMENT_LOG, &log->lines, e);
	if (r < 0)
		return r;
	/* leaves can be computed again, so they are synced only when the segment ends */
	log->seg.bytes[SEGMENT_LEAF] += log->leaves.len;
	log->written = log->tree.size;
	buf_reset(&log->lines);
	buf_reset(&log->leaves);
	return 0;
}

static void auditlog_fill_checkpoint(const struct auditlog *log, struct checkpoint *ret)
{
	*ret = (struct checkpoint){
		.segment = log->seg.number,
		.size = log->tree.size,
		.seq = log->seq,
		.prev_segment = log->prev_segment,
		.prev_size = log->prev_size,
		.chained = log->chained,
	};
	memcpy(ret->name, log->name, sizeof(ret->name));
	merkle_root(&log->tree, ret->root);
	line_time(log->o.io->realtime_ns(), ret->time);
	memcpy(ret->prev_root, log->prev_root, HASH_SIZE);
	memcpy(ret->chain, log->chain, HASH_SIZE);
}

static int auditlog_write_checkpoint(struct auditlog *log, struct err *e)
{
	struct buf *b = &log->scratch;
	struct checkpoint c;
	int r;

	auditlog_fill_checkpoint(log, &c);
	buf_reset(b);
	r = checkpoint_sign(&c, log->epoch.key, b);
	if (r < 0)
		return err_set(e, r, "cannot sign the log's checkpoint: %s", strerror(-r));
	r = segment_write(&log->seg, SEGMENT_CKPT, b, e);
	if (r == 0)
		r = segment_commit(&log->seg, SEGMENT_CKPT, b, e);
	if (r < 0)
		return r;
	hash_sha256(b->data, b->len, log->chain);
	log->chained = true;
	log->signed_size = log->tree.size;
	log->signed_seq = log->seq;
	log->head_due = true;
	buf_reset(&log->note);
	return buf_put(&log->note, b->data, b->len);
}

/* Not synced: rename never shows a half file, and after a crash HEAD may be older than the log but not newer. */
static int auditlog_write_head(struct auditlog *log, struct err *e)
{
	int r = recio_replace(log->o.io, log->dir_fd, "HEAD", log->note.data, log->note.len, 0640, RECIO_UNSYNCED, e);

	log->head_due = r < 0;
	return r;
}

static int auditlog_write_out(struct auditlog *log, struct err *e)
{
	int r = 0;

	if (log->lines.len)
		r = auditlog_write_records(log, e);
	if (r == 0 && log->signed_size < log->tree.size)
		r = auditlog_write_checkpoint(log, e);
	if (r == 0 && log->head_due)
		r = auditlog_write_head(log, e);
	log->batch_since = 0;
	return r;
}

/* ---- epochs ---- */

/* Names the key of the segment to come. */
static int auditlog_put_epoch(struct auditlog *log, const char *why)
{
	struct jsonw w = jsonw_to(&log->scratch);
	uint8_t der[SIG_DER_MAX];
	struct buf text;
	size_t n;

	if (sig_public_der(log->epoch.next, der, &n) < 0)
		return -EBADMSG;
	buf_init(&text, B64_LEN(SIG_DER_MAX));
	b64_encode(&text, der, n);
	buf_reset(&log->scratch);
	jsonw_obj_begin(&w);
	jsonw_member_str(&w, "key", sig_key_id(log->epoch.next));
	jsonw_key(&w, "public");
	jsonw_str(&w, text.data, text.len);
	jsonw_member_str(&w, "reason", why);
	jsonw_obj_end(&w);
	buf_done(&text);
	if (buf_error(&log->scratch))
		return buf_error(&log->scratch);
	return auditlog_put_note(log, AUDITLOG_EPOCH, (struct line_str){ (char *)log->scratch.data, log->scratch.len },
				 NULL);
}

/*
 * The epoch is over: the record that names the next key, the checkpoint over it, and then the present key is no more.
 * Wherever this fails the epoch goes on, and the next try begins there.
 */
int auditlog_end_epoch(struct auditlog *log, const char *why, struct err *e)
{
	int r = 0;

	if (!log->ending) {
		r = epoch_prepare(&log->epoch, e);
		/* an epoch without events has these two records, which say that the sensor was there */
		if (r == 0 && log->fresh)
			r = auditlog_put_segment(log);
		if (r == 0)
			r = auditlog_put_epoch(log, why);
		if (r < 0)
			return r;
		log->ending = true;
	}
	r = auditlog_write_out(log, e);
	if (r == 0)
		r = epoch_turn(&log->epoch, e);
	if (r < 0)
		return r;
	log->ending = false;
	log->epoch_age_ns = log->epoch_end_ns = 0;
	auditlog_rotate(log);
	return 0;
}

/* ---- retention ---- */

static int auditlog_tell_prune(struct auditlog *log, const struct prune_plan *p, struct err *e)
{
	char details[200];
	int r;

	snprintf(details, sizeof(details),
		 "{\"bytes\":%" PRIu64 ",\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"reason\":\"%s\"}", p->bytes,
		 p->first, p->last, p->reason);
	r = auditlog_note(log, "prune", details, NULL, e);
	return r < 0 ? r : auditlog_write_out(log, e);
}

static int auditlog_prune_plan(struct auditlog *log, struct prune_plan *p, struct err *e)
{
	uint64_t number;
	int r = 0;

	for (number = p->first; r == 0 && number <= p->last; number++)
		r = prune_write(log->o.io, log->dir_fd, number, e);
	/* what is before the one that cannot go can */
	if (r < 0)
		p->last = number - 2;
	if (p->first <= p->last) {
		int told = auditlog_tell_prune(log, p, r < 0 ? NULL : e);

		if (told < 0)
			return r < 0 ? r : told;
	}
	for (number = p->first; number <= p->last; number++) {
		int removed = prune_remove(log->dir_fd, number, r < 0 ? NULL : e);

		r = r < 0 ? r : removed;
	}
	return r;
}

/* Where readers are behind: what stays all the same, or UINT64_MAX. Waiting is told before anything of it goes. */
static uint64_t auditlog_stay(struct auditlog *log, const struct prune_plan *p, struct err *e)
{
	const struct prune_limits most = { .bytes = log->o.keep_bytes + log->o.hold_bytes };
	uint64_t hold = log->o.hold ? log->o.hold(log->o.hold_ctx) : UINT64_MAX;
	struct prune_plan beyond;

	if (p->first > p->last || hold > p->last) {
		log->held = false;
		return UINT64_MAX;
	}
	/* segments are counted from 1 */
	hold = hold ? hold : 1;
	if (!log->held) {
		log->held = true;
		log->o.held(log->o.hold_ctx, hold, false);
		return hold;
	}
	if (!most.bytes || prune_find(log->dir_fd, &most, &beyond, e) < 0 || beyond.first > beyond.last ||
	    beyond.last < hold)
		return hold;
	log->o.held(log->o.hold_ctx, beyond.last, true);
	return beyond.last + 1;
}

/* A segment was added: have the oldest to go? Failing is no failure of the records. */
static int auditlog_try_prune(struct auditlog *log)
{
	uint64_t now = log->o.io->realtime_ns(), keep_ns = log->o.keep_s * 1000000000ull;
	struct prune_limits limits = { .bytes = log->o.keep_bytes,
				       .before_ns = log->o.keep_s && keep_ns < now ? now - keep_ns : 0 };
	struct prune_plan p;
	int r;

	err_clear(&log->prune_error);
	if (!limits.bytes && !limits.before_ns)
		return 0;
	r = prune_find(log->dir_fd, &limits, &p, &log->prune_error);
	if (r < 0)
		return r;
	limits.stay = auditlog_stay(log, &p, &log->prune_error);
	if (limits.stay <= p.last)
		r = prune_find(log->dir_fd, &limits, &p, &log->prune_error);
	return r < 0 || p.first > p.last ? r : auditlog_prune_plan(log, &p, &log->prune_error);
}

static void auditlog_prune(struct auditlog *log)
{
	log->prune_result = auditlog_try_prune(log);
}

const char *auditlog_prune_error(const struct auditlog *log)
{
	return log->prune_error.msg[0] ? log->prune_error.msg : NULL;
}

/* Everything is on disk: has the epoch its age or its size? Failing is no failure of the records. */
static void auditlog_turn_epoch(struct auditlog *log)
{
	bool full = log->seg.bytes[SEGMENT_LOG] >= log->o.segment_bytes;
	bool old = log->epoch_end_ns && log->now_ns >= log->epoch_end_ns;

	if ((!full && !old && !log->ending) || log->now_ns < log->epoch_retry_ns)
		return;
	err_clear(&log->epoch_error);
	log->epoch_result = auditlog_end_epoch(log, full ? "size" : "age", &log->epoch_error);
	if (log->epoch_result < 0)
		log->epoch_retry_ns = log->now_ns + AUDITLOG_EPOCH_RETRY_NS;
	else
		auditlog_prune(log);
}

const char *auditlog_epoch_error(const struct auditlog *log)
{
	return log->epoch_error.msg[0] ? log->epoch_error.msg : NULL;
}

int auditlog_epoch_errno(const struct auditlog *log)
{
	return log->epoch_result;
}

int auditlog_prune_errno(const struct auditlog *log)
{
	return log->prune_result;
}

int auditlog_flush(struct auditlog *log, struct err *e)
{
	int r = auditlog_write_out(log, e);

	if (r == 0)
		auditlog_turn_epoch(log);
	return r;
}

static bool auditlog_waits(const struct auditlog *log)
{
	return log->signed_size < log->tree.size || log->head_due;
}

/* Where few records come none need wait for others that may not come: who waits for it is told soon. */
static uint64_t batch_wait_ns(const struct auditlog *log, uint64_t now_ns)
{
	uint64_t whole = (uint64_t)log->o.batch_ms * 1000000, least = whole / QUIET_PART;
	uint64_t cost = QUIET_SHARE * log->flush_took_ns;

	if (now_ns - log->flushed_ns >= whole)
		return least;
	if (log->flush_records >= QUIET_RECORDS || cost > whole)
		return whole;
	return cost > least ? cost : least;
}

static uint64_t mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int auditlog_tick(struct auditlog *log, uint64_t now_ns, struct err *e)
{
	uint64_t began_ns;
	int r;

	log->now_ns = now_ns;
	if (!log->epoch_end_ns)
		log->epoch_end_ns = now_ns + log->o.epoch_s * 1000000000ull - log->epoch_age_ns;
	if (!auditlog_waits(log)) {
		auditlog_turn_epoch(log);
		return 0;
	}
	if (!log->batch_since) {
		log->batch_since = now_ns;
		log->batch_wait_ns = batch_wait_ns(log, now_ns);
	}
	if (auditlog_pending(log) < log->o.batch_max && now_ns - log->batch_since < log->batch_wait_ns)
		return 0;
	log->flush_records = auditlog_pending(log);
	began_ns = mono_ns();
	r = auditlog_flush(log, e);
	log->flush_took_ns = mono_ns() - began_ns;
	log->flushed_ns = now_ns;
	if (r < 0) {
		log->batch_since = now_ns;
		log->batch_wait_ns = (uint64_t)log->o.batch_ms * 1000000;
	}
	return r;
}

uint64_t auditlog_due(const struct auditlog *log)
{
	uint64_t end = log->ending ? 0 : log->epoch_end_ns;

	/* an epoch ends between two batches */
	if (auditlog_waits(log))
		return log->batch_since ? log->batch_since + log->batch_wait_ns : 0;
	if (!log->epoch_end_ns)
		return 0;
	return end > log->epoch_retry_ns ? end : log->epoch_retry_ns;
}

uint64_t auditlog_seq(const struct auditlog *log)
{
	return log->seq;
}

uint64_t auditlog_signed(const struct auditlog *log)
{
	return log->signed_seq;
}

uint64_t auditlog_found(const struct auditlog *log)
{
	return log->found;
}

size_t auditlog_pending(const struct auditlog *log)
{
	return (size_t)(log->tree.size - log->written);
}

const char *auditlog_host(const struct auditlog *log)
{
	return log->host;
}

/* ---- opening and closing ---- */

static void auditlog_defaults(struct auditlog *log, const struct auditlog_options *o)
{
	if (o)
		log->o = *o;
	log->o.segment_bytes = log->o.segment_bytes ? log->o.segment_bytes : 64ull << 20;
	log->o.epoch_s = log->o.epoch_s ? log->o.epoch_s : 24 * 3600;
	log->o.batch_ms = log->o.batch_ms ? log->o.batch_ms : 200;
	log->o.batch_max = log->o.batch_max ? log->o.batch_max : 8192;
	log->o.pending_max = log->o.pending_max ? log->o.pending_max : 32ull << 20;
	log->o.io = log->o.io ? log->o.io : &recio_system;
	/* the lines' own maximum lies above pending_max: auditlog_admit refuses first, and softly */
	buf_init(&log->lines, log->o.pending_max + 2 * LINE_MAX_BYTES);
	buf_init(&log->leaves, log->o.pending_max + 2 * LINE_MAX_BYTES);
	buf_init(&log->note, CHECKPOINT_NOTE_MAX);
	buf_init(&log->scratch, 4096);
	log->dir_fd = log->lock_fd = -1;
	segment_init(&log->seg, log->o.io, -1, 0);
}

/* The name goes into signed notes, where a space or a plus sign would have a meaning. */
static void auditlog_name(struct auditlog *log)
{
	if (log->o.host)
		snprintf(log->host, sizeof(log->host), "%s", log->o.host);
	else if (gethostname(log->host, sizeof(log->host) - 1) < 0 || !log->host[0])
		snprintf(log->host, sizeof(log->host), "localhost");
	for (char *c = log->host; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			*c = '-';
	snprintf(log->name, sizeof(log->name), "tamis/%s", log->host);
	log->o.host = log->host;
}

/* The lock is one that a reader can ask about without taking it (verify.c does). */
static int auditlog_open_dir(struct auditlog *log, const char *dir, struct err *e)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (log->o.dir_fd <= 0 && mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(e, -errno, "cannot create", dir);
	log->dir_fd = log->o.dir_fd > 0 ? fcntl(log->o.dir_fd, F_DUPFD_CLOEXEC, 3)
					: open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (log->dir_fd < 0)
		return err_sys(e, -errno, "cannot open", dir);
	log->lock_fd = openat(log->dir_fd, "LOCK", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (log->lock_fd < 0)
		return err_sys(e, -errno, "cannot create the lock in", dir);
	if (fcntl(log->lock_fd, F_OFD_SETLK, &whole) < 0)
		return err_set(e, -EBUSY, "the log in %s is being written by another process", dir);
	return 0;
}

int auditlog_open(const char *dir, const char *keys_dir, const struct auditlog_options *o, struct auditlog **ret,
		  struct err *e)
{
	_cleanup_(auditlog_free) struct auditlog *log = calloc(1, sizeof(*log));
	int r;

	err_clear(e);
	if (!log)
		return err_set(e, -ENOMEM, "no memory for the log");
	auditlog_defaults(log, o);
	auditlog_name(log);
	r = auditlog_open_dir(log, dir, e);
	if (r == 0)
		r = epoch_open(&log->epoch, keys_dir, log->o.io, log->o.seal, e);
	if (r == 0)
		r = recover_log(log, e);
	/* an epoch that was about to end when the sensor did; what fails here is tried again as in a running log */
	if (r == 0 && log->ending)
		auditlog_end_epoch(log, "", &log->epoch_error);
	if (r == 0)
		r = auditlog_note(log, AUDITLOG_START, log->o.start_details, NULL, e);
	if (r == 0)
		r = auditlog_flush(log, e);
	if (r < 0)
		return r;
	/* readers that have not said yet where they are have the time of a segment to do so */
	if (!log->o.hold || log->o.hold(log->o.hold_ctx))
		auditlog_prune(log);
	log->o.start_details = NULL;
	*ret = TAKE_PTR(log);
	return 0;
}

void auditlog_free(struct auditlog *log)
{
	if (!log)
		return;
	segment_close(&log->seg);
	buf_done(&log->lines);
	buf_done(&log->leaves);
	buf_done(&log->note);
	buf_done(&log->scratch);
	epoch_close(&log->epoch);
	if (log->dir_fd >= 0)
		close(log->dir_fd);
	if (log->lock_fd >= 0)
		close(log->lock_fd);
	free(log);
}

int auditlog_close(struct auditlog *log, struct err *e)
{
	int r;

	if (!log)
		return 0;
	err_clear(e);
	r = auditlog_note(log, AUDITLOG_STOP, NULL, NULL, e);
	/* `stop` is to be the last record */
	if (r == 0)
		r = auditlog_write_out(log, e);
	if (r == 0)
		log->o.io->fdatasync(log->seg.fd[SEGMENT_LEAF]);
	auditlog_free(log);
	return r;
}
